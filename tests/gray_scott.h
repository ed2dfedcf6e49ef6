/* The Gray-Scott model by Weft and by PETSc's TSAdjoint on one grid: the same problem for the test and the benchmark. */
#ifndef GRAY_SCOTT_H
#define GRAY_SCOTT_H
#include <weft.h>
#include "gray_scott_ts.h"

typedef struct {
  WeftGrid    grid;
  WeftOp      f, step;
  WeftRollout rollout;
  WeftState   x[3], bar[3], w, final; /* state, diffusivities, rates */
  GrayScottTS ts;
} GrayScott;

/* Between the owned cells of a state and a vector of cells with two values each. */
static PetscErrorCode GrayScottCopy(WeftState state, Vec vec)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);
  PetscScalar      *values;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(vec, &values));
  for (PetscInt j = 0; j < l->count[1]; j++)
    for (PetscInt i = 0; i < l->count[0]; i++)
      for (PetscInt f = 0; f < 2; f++) values[2 * (j * l->count[0] + i) + f] = WeftStatePlane(state, f, 0)[WeftLayoutIndex(l, l->start[0] + i, l->start[1] + j, 0)];
  PetscCall(VecRestoreArrayWrite(vec, &values));
  PetscFunctionReturn(0);
}

/* A patch of spots on the steady state (u, v) = (1, 0), with a little noise. */
static PetscErrorCode GrayScottInitial(WeftState state)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateSetRandom(state, 3, 0, 0.0, 0.01));
  for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
      const PetscInt  c = WeftLayoutIndex(l, i, j, 0);
      const PetscReal x = ((PetscReal)i + 0.5) * l->h[0], y = ((PetscReal)j + 0.5) * l->h[1];
      const PetscBool in = x >= 1.0 && x <= 1.5 && y >= 1.0 && y <= 1.5 ? PETSC_TRUE : PETSC_FALSE;
      const PetscReal v  = in ? 0.25 * PetscSqr(PetscSinReal(4.0 * PETSC_PI * x) * PetscSinReal(4.0 * PETSC_PI * y)) : 0.0;
      WeftStatePlaneWrite(state, 0, 0)[c] += 1.0 - 2.0 * v;
      WeftStatePlaneWrite(state, 1, 0)[c] += v;
    }
  PetscFunctionReturn(0);
}

/* Tight enough for gradients that agree to 1e-10, on both sides, unless the command line says another. */
static PetscErrorCode GrayScottTolerances(void)
{
  static const char *const tolerance[][2] = {{"-solve_snes_rtol", "1e-12"}, {"-peer_snes_rtol", "1e-12"}, {"-adjoint_ksp_rtol", "1e-14"}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(tolerance); i++) {
    PetscBool set;
    PetscCall(PetscOptionsHasName(NULL, NULL, tolerance[i][0], &set));
    if (!set) PetscCall(PetscOptionsSetValue(NULL, tolerance[i][0], tolerance[i][1]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottCreate(PetscInt n, PetscBool implicit, PetscReal dt, PetscInt steps, GrayScott *g)
{
  static const char *const name[]     = {"u", "v"};
  const WeftLocation       location[] = {WEFT_CELL, WEFT_CELL};
  const PetscReal          number[4]  = {8e-5, 4e-5, 0.024, 0.06};
  WeftImplicitOptions      solve;
  WeftRolloutOptions       options = {.states = 1, .length = steps};
  WeftGridOptions          box;
  WeftSpace                space;
  DM                       cells;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(g, sizeof(*g)));
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.halo     = 2;
  box.cells[0] = box.cells[1] = n;
  box.upper[0] = box.upper[1] = 2.5;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &g->grid));
  PetscCall(WeftSpaceCreatePlanes(g->grid, 1, 2, name, location, &space));
  PetscCall(WeftOpCreateGrayScott(space, &g->f));
  PetscCall(GrayScottTolerances());
  PetscCall(WeftImplicitOptionsDefault(&solve));
  if (implicit) PetscCall(WeftOpCreateTheta(g->f, 0.5, dt, &solve, NULL, &g->step));
  else PetscCall(WeftOpCreateRungeKutta(g->f, dt, &g->step));
  options.step = g->step;
  PetscCall(WeftRolloutCreate(&options, &g->rollout));
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(g->step, i), &g->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(g->step, i), &g->bar[i]));
    if (i) PetscCall(PetscArraycpy((double *)WeftStateDataWrite(g->x[i]), number + 2 * (i - 1), 2));
  }
  PetscCall(GrayScottInitial(g->x[0]));
  PetscCall(WeftStateCreate(space, &g->w));
  PetscCall(WeftStateSetRandom(g->w, 5, 0, 0.1, 1.0));
  PetscCall(WeftStateCreate(space, &g->final));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridGetDM(g->grid, &cells));
  PetscCall(GrayScottTSCreate(cells, WeftGridLayout(g->grid)->h, number, implicit, dt, steps, &g->ts));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottForward(GrayScott *g) { return WeftRolloutForward(g->rollout, g->x, NULL, NULL, &g->final); }

static PetscErrorCode GrayScottReverse(GrayScott *g)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 3; i++) PetscCall(WeftStateZero(g->bar[i]));
  PetscCall(WeftRolloutReverse(g->rollout, &g->w, g->bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottPeerForward(GrayScott *g)
{
  PetscFunctionBegin;
  PetscCall(GrayScottCopy(g->x[0], g->ts.x));
  PetscCall(GrayScottTSForward(&g->ts));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottPeerReverse(GrayScott *g)
{
  PetscFunctionBegin;
  PetscCall(GrayScottCopy(g->w, g->ts.w));
  PetscCall(GrayScottTSReverse(&g->ts));
  PetscFunctionReturn(0);
}

/* Largest relative differences of final state, gradient by the initial state, gradient by the numbers. */
static PetscErrorCode GrayScottCompare(GrayScott *g, PetscReal difference[3])
{
  const WeftState mine[2] = {g->final, g->bar[0]};
  const Vec       peer[2] = {g->ts.final, g->ts.gradient};
  PetscReal       numbers[4], norm;
  PetscInt        from, to;
  Vec             vec;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(VecDuplicate(peer[k], &vec));
    PetscCall(GrayScottCopy(mine[k], vec));
    PetscCall(VecAXPY(vec, -1.0, peer[k]));
    PetscCall(VecNorm(vec, NORM_2, &difference[k]));
    PetscCall(VecNorm(peer[k], NORM_2, &norm));
    difference[k] /= norm;
    PetscCall(VecDestroy(&vec));
  }
  for (PetscInt n = 0; n < 4; n++) numbers[n] = ((const double *)WeftStateData(g->bar[1 + n / 2]))[n % 2];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, numbers, 4, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(VecGetOwnershipRange(g->ts.numbers, &from, &to));
  difference[2] = 0.0;
  for (PetscInt n = from; n < to; n++) {
    PetscScalar value;
    PetscCall(VecGetValues(g->ts.numbers, 1, &n, &value));
    difference[2] = PetscMax(difference[2], PetscAbsReal(numbers[n] - value) / PetscAbsReal(value));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &difference[2], 1, MPIU_REAL, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottDestroy(GrayScott *g)
{
  PetscFunctionBegin;
  PetscCall(GrayScottTSDestroy(&g->ts));
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftStateDestroy(&g->x[i]));
    PetscCall(WeftStateDestroy(&g->bar[i]));
  }
  PetscCall(WeftStateDestroy(&g->w));
  PetscCall(WeftStateDestroy(&g->final));
  PetscCall(WeftRolloutDestroy(&g->rollout));
  PetscCall(WeftOpDestroy(&g->step));
  PetscCall(WeftOpDestroy(&g->f));
  PetscCall(WeftGridDestroy(&g->grid));
  PetscFunctionReturn(0);
}
#endif
