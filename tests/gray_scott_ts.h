/* The Gray-Scott model through PETSc's TS and TSAdjoint, on the same grid and by the same schemes as Weft's: Crank-Nicolson or
   classical Runge-Kutta, the gradient of <w, final state> by the initial state and by (D_u, D_v, feed, kill). */
#ifndef GRAY_SCOTT_TS_H
#define GRAY_SCOTT_TS_H
#include <petscdmda.h>
#include <petscts.h>

typedef struct {
  double u, v;
} GrayScottCell;

typedef struct {
  DM        da; /* two values per cell, a stencil of one cell */
  PetscReal number[4], h[2], dt;
  TS        ts;
  Mat       by_numbers; /* [unknowns][4] */
  Vec       x, final, w, gradient, numbers; /* the adjoint solve leaves an earlier state in x */
} GrayScottTS;

static double GrayScottSecond(GrayScottCell below, GrayScottCell at, GrayScottCell above, int v) { return v ? (below.v + above.v) - 2.0 * at.v : (below.u + above.u) - 2.0 * at.u; }

static PetscErrorCode GrayScottFunction(TS ts, PetscReal time, Vec x, Vec f, void *context)
{
  const GrayScottTS *g = (const GrayScottTS *)context;
  const PetscReal   *n = g->number;
  GrayScottCell    **c, **r;
  DMDALocalInfo      info;
  Vec                local;

  PetscFunctionBegin;
  (void)ts;
  (void)time;
  PetscCall(DMDAGetLocalInfo(g->da, &info));
  PetscCall(DMGetLocalVector(g->da, &local));
  PetscCall(DMGlobalToLocal(g->da, x, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(g->da, local, &c));
  PetscCall(DMDAVecGetArray(g->da, f, &r));
  for (PetscInt j = info.ys; j < info.ys + info.ym; j++)
    for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
      const double uvv = c[j][i].u * c[j][i].v * c[j][i].v;
      const double lu  = GrayScottSecond(c[j][i - 1], c[j][i], c[j][i + 1], 0) / (g->h[0] * g->h[0]) + GrayScottSecond(c[j - 1][i], c[j][i], c[j + 1][i], 0) / (g->h[1] * g->h[1]);
      const double lv  = GrayScottSecond(c[j][i - 1], c[j][i], c[j][i + 1], 1) / (g->h[0] * g->h[0]) + GrayScottSecond(c[j - 1][i], c[j][i], c[j + 1][i], 1) / (g->h[1] * g->h[1]);
      r[j][i].u        = n[0] * lu - uvv + n[2] * (1.0 - c[j][i].u);
      r[j][i].v        = n[1] * lv + uvv - (n[2] + n[3]) * c[j][i].v;
    }
  PetscCall(DMDAVecRestoreArray(g->da, f, &r));
  PetscCall(DMDAVecRestoreArrayRead(g->da, local, &c));
  PetscCall(DMRestoreLocalVector(g->da, &local));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottJacobian(TS ts, PetscReal time, Vec x, Mat mat, Mat preconditioner, void *context)
{
  const GrayScottTS *g = (const GrayScottTS *)context;
  const PetscReal   *n = g->number;
  GrayScottCell    **c;
  DMDALocalInfo      info;

  PetscFunctionBegin;
  (void)ts;
  (void)time;
  (void)mat;
  PetscCall(DMDAGetLocalInfo(g->da, &info));
  PetscCall(DMDAVecGetArrayRead(g->da, x, &c));
  for (PetscInt j = info.ys; j < info.ys + info.ym; j++)
    for (PetscInt i = info.xs; i < info.xs + info.xm; i++)
      for (PetscInt f = 0; f < 2; f++) {
        const double      cx = n[f] / (g->h[0] * g->h[0]), cy = n[f] / (g->h[1] * g->h[1]);
        const double      by_u = c[j][i].v * c[j][i].v, by_v = 2.0 * c[j][i].u * c[j][i].v;
        const MatStencil  row    = {0, j, i, f};
        const MatStencil  col[6] = {{0, j, i, f}, {0, j, i, 1 - f}, {0, j, i - 1, f}, {0, j, i + 1, f}, {0, j - 1, i, f}, {0, j + 1, i, f}};
        const PetscScalar v[6]   = {-2.0 * (cx + cy) + (f ? by_v - (n[2] + n[3]) : -by_u - n[2]), f ? by_u : -by_v, cx, cx, cy, cy};
        PetscCall(MatSetValuesStencil(preconditioner, 1, &row, 6, col, v, INSERT_VALUES));
      }
  PetscCall(DMDAVecRestoreArrayRead(g->da, x, &c));
  PetscCall(MatAssemblyBegin(preconditioner, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(preconditioner, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottByNumbers(TS ts, PetscReal time, Vec x, Mat mat, void *context)
{
  GrayScottTS     *g = (GrayScottTS *)context;
  const PetscReal  kept[4] = {g->number[0], g->number[1], g->number[2], g->number[3]};
  Vec              zero, column;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(x, &zero));
  for (PetscInt n = 0; n < 4; n++) g->number[n] = 0.0;
  PetscCall(GrayScottFunction(ts, time, x, zero, g));
  for (PetscInt n = 0; n < 4; n++) { /* the right-hand side is affine in its numbers */
    g->number[n] = 1.0;
    PetscCall(MatDenseGetColumnVecWrite(mat, n, &column));
    PetscCall(GrayScottFunction(ts, time, x, column, g));
    PetscCall(VecAXPY(column, -1.0, zero));
    PetscCall(MatDenseRestoreColumnVecWrite(mat, n, &column));
    g->number[n] = 0.0;
  }
  for (PetscInt n = 0; n < 4; n++) g->number[n] = kept[n];
  PetscCall(VecDestroy(&zero));
  PetscCall(MatAssemblyBegin(mat, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(mat, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* cells: DMDA of one value per cell. */
static PetscErrorCode GrayScottTSCreate(DM cells, const PetscReal h[2], const PetscReal number[4], PetscBool implicit, PetscReal dt, PetscInt steps, GrayScottTS *g)
{
  TSTrajectory trajectory;
  TSAdapt      adapt;
  PetscInt     local, from, to;
  SNES         snes;
  Mat          jacobian;

  PetscFunctionBegin;
  PetscCall(DMDACreateCompatibleDMDA(cells, 2, &g->da));
  for (PetscInt n = 0; n < 4; n++) g->number[n] = number[n];
  for (PetscInt a = 0; a < 2; a++) g->h[a] = h[a];
  PetscCall(DMCreateGlobalVector(g->da, &g->x));
  PetscCall(VecDuplicate(g->x, &g->final));
  PetscCall(VecDuplicate(g->x, &g->w));
  g->dt = dt;
  PetscCall(VecDuplicate(g->x, &g->gradient));
  PetscCall(VecGetLocalSize(g->x, &local));
  PetscCall(MatCreateDense(PetscObjectComm((PetscObject)g->da), local, PETSC_DECIDE, PETSC_DETERMINE, 4, NULL, &g->by_numbers));
  PetscCall(MatCreateVecs(g->by_numbers, &g->numbers, NULL));
  PetscCall(VecGetOwnershipRange(g->numbers, &from, &to));
  PetscCall(DMCreateMatrix(g->da, &jacobian));
  PetscCall(TSCreate(PetscObjectComm((PetscObject)g->da), &g->ts));
  PetscCall(TSSetOptionsPrefix(g->ts, "peer_"));
  PetscCall(TSSetProblemType(g->ts, TS_NONLINEAR));
  PetscCall(TSSetRHSFunction(g->ts, NULL, GrayScottFunction, g));
  PetscCall(TSSetRHSJacobian(g->ts, jacobian, jacobian, GrayScottJacobian, g));
  PetscCall(TSSetRHSJacobianP(g->ts, g->by_numbers, GrayScottByNumbers, g));
  PetscCall(MatDestroy(&jacobian));
  PetscCall(TSSetType(g->ts, implicit ? TSCN : TSRK));
  if (!implicit) PetscCall(TSRKSetType(g->ts, TSRK4));
  PetscCall(TSSetTimeStep(g->ts, dt));
  PetscCall(TSSetMaxSteps(g->ts, steps));
  PetscCall(TSSetMaxTime(g->ts, 2.0 * dt * (PetscReal)steps));
  PetscCall(TSSetExactFinalTime(g->ts, TS_EXACTFINALTIME_STEPOVER));
  PetscCall(TSGetAdapt(g->ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTNONE));
  PetscCall(TSSetSaveTrajectory(g->ts));
  PetscCall(TSGetTrajectory(g->ts, &trajectory));
  PetscCall(TSTrajectorySetType(trajectory, g->ts, TSTRAJECTORYMEMORY));
  PetscCall(TSGetSNES(g->ts, &snes));
  PetscCall(SNESSetTolerances(snes, 0.0, 1e-10, 0.0, 50, PETSC_DEFAULT));
  PetscCall(TSSetFromOptions(g->ts));
  PetscFunctionReturn(0);
}

/* x: initial state -> final. */
static PetscErrorCode GrayScottTSForward(GrayScottTS *g)
{
  SNES snes;
  KSP  ksp;

  PetscFunctionBegin;
  PetscCall(TSGetSNES(g->ts, &snes));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPSetTolerances(ksp, 1e-5, 1e-50, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(TSSetTime(g->ts, 0.0));
  PetscCall(TSSetTimeStep(g->ts, g->dt)); /* the adjoint solve turned it round */
  PetscCall(TSSetStepNumber(g->ts, 0));
  PetscCall(TSSolve(g->ts, g->x));
  PetscCall(VecCopy(g->x, g->final));
  PetscFunctionReturn(0);
}

/* w -> gradient and numbers. */
static PetscErrorCode GrayScottTSReverse(GrayScottTS *g)
{
  SNES snes;
  KSP  ksp;

  PetscFunctionBegin;
  PetscCall(TSGetSNES(g->ts, &snes));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPSetTolerances(ksp, 1e-14, 1e-50, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(VecCopy(g->w, g->gradient));
  PetscCall(VecSet(g->numbers, 0.0));
  PetscCall(TSSetCostGradients(g->ts, 1, &g->gradient, &g->numbers));
  PetscCall(TSAdjointSolve(g->ts));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottTSDestroy(GrayScottTS *g)
{
  PetscFunctionBegin;
  PetscCall(TSDestroy(&g->ts));
  PetscCall(MatDestroy(&g->by_numbers));
  PetscCall(VecDestroy(&g->x));
  PetscCall(VecDestroy(&g->final));
  PetscCall(VecDestroy(&g->w));
  PetscCall(VecDestroy(&g->gradient));
  PetscCall(VecDestroy(&g->numbers));
  PetscCall(DMDestroy(&g->da));
  PetscFunctionReturn(0);
}
#endif
