/* The pressure through PETSc: -L as an assembled matrix, the preconditioner type "weft", and KSP solves whose true residual is
   checked, whatever KSP says. */
#include "solve/impl.h"
#include "solve/implicit.h"

/* ---- the matrix ----------------------------------------------------------------------------------------------------------- */

/* Row of a cell: the negative of L, so that it is positive (semi)definite. A closed cell: its diagonal alone. */
static PetscErrorCode SetRow(WeftPoisson p, Mat mat, PetscInt i, PetscInt j, PetscInt k)
{
  const WeftLayout *l     = WeftGridLayout(p->grid);
  const double     *open  = p->open ? WeftStatePlane(p->open, 0, 0) : NULL;
  const PetscInt    at[3] = {i, j, k}, c = WeftLayoutIndex(l, i, j, k);
  const MatStencil  row   = {k, j, i, 0};

  PetscFunctionBegin;
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt end = 0; end < 2; end++) {
      const PetscBool   outer  = at[a] == (end ? l->cells[a] - 1 : 0) && l->side[a][0] != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
      const PetscBool   shut   = open && open[c] == 0.0 ? PETSC_TRUE : PETSC_FALSE;
      const PetscScalar value[2] = {1.0 / (l->h[a] * l->h[a]), -1.0 / (l->h[a] * l->h[a])};
      const PetscInt    step   = end ? 1 : -1;
      const MatStencil  beside = {k + (a == 2 ? step : 0), j + (a == 1 ? step : 0), i + (a == 0 ? step : 0), 0};
      if (shut || (outer && l->side[a][end] == WEFT_SIDE_OPEN)) PetscCall(MatSetValuesStencil(mat, 1, &row, 1, &row, value, ADD_VALUES));
      else if (outer || (open && open[c + step * l->stride[a]] == 0.0)) continue;
      else {
        const MatStencil columns[2] = {row, beside};
        PetscCall(MatSetValuesStencil(mat, 1, &row, 2, columns, value, ADD_VALUES));
      }
    }
  PetscFunctionReturn(0);
}

/* The constant, or one vector for each singular piece of open cells. */
static PetscErrorCode SetNullSpace(WeftPoisson p, DM dm, Mat mat)
{
  const PetscInt n = p->open ? p->pieces.open_count : 0;
  MatNullSpace   space;
  Vec           *vector;

  PetscFunctionBegin;
  if (!n && (p->open || !WeftBoxSingular(p->box))) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(n, &vector));
  for (PetscInt k = 0; k < n; k++) {
    PetscScalar *values;
    PetscCall(DMCreateGlobalVector(dm, &vector[k]));
    PetscCall(VecGetArrayWrite(vector[k], &values));
    for (PetscInt c = 0; c < p->cells; c++) values[c] = p->pieces.piece[c] == k ? 1.0 / PetscSqrtReal((PetscReal)p->pieces.cells[k]) : 0.0;
    PetscCall(VecRestoreArrayWrite(vector[k], &values));
  }
  PetscCall(MatNullSpaceCreate(p->comm, n ? PETSC_FALSE : PETSC_TRUE, n, vector, &space));
  PetscCall(MatSetNullSpace(mat, space));
  PetscCall(MatSetTransposeNullSpace(mat, space));
  PetscCall(MatNullSpaceDestroy(&space));
  for (PetscInt k = 0; k < n; k++) PetscCall(VecDestroy(&vector[k]));
  PetscCall(PetscFree(vector));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyPoisson(void *context)
{
  WeftPoisson p = (WeftPoisson)context;

  PetscFunctionBegin;
  PetscCall(WeftPoissonDestroy(&p));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonCreateMat(WeftPoisson p, Mat *mat)
{
  const WeftLayout *l = WeftGridLayout(p->grid);
  PetscContainer    container;
  DM                dm;

  PetscFunctionBegin;
  PetscCall(WeftPoissonRegisterPC());
  PetscCall(WeftGridGetDM(p->grid, &dm));
  PetscCall(DMCreateMatrix(dm, mat));
  for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) PetscCall(SetRow(p, *mat, i, j, k));
  PetscCall(MatAssemblyBegin(*mat, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*mat, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(*mat, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*mat, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  PetscCall(SetNullSpace(p, dm, *mat));
  PetscCall(PetscContainerCreate(p->comm, &container));
  PetscCall(PetscContainerSetPointer(container, p));
  PetscCall(PetscContainerSetUserDestroy(container, DestroyPoisson));
  p->references++;
  PetscCall(PetscObjectCompose((PetscObject)*mat, "weft_poisson", (PetscObject)container));
  PetscCall(PetscContainerDestroy(&container));
  PetscFunctionReturn(0);
}

/* ---- the preconditioner ---------------------------------------------------------------------------------------------------- */

/* y := (-L0)^-1 x, between restrictions to the open cells; a closed cell by its diagonal. */
static PetscErrorCode ApplyPC(PC pc, Vec x, Vec y)
{
  const WeftLayout  *l;
  PetscContainer     container;
  WeftPoisson        p;
  Mat                mat;
  const PetscScalar *from;
  PetscScalar       *to;
  PetscReal          diagonal = 0.0;
  double            *values;

  PetscFunctionBegin;
  PetscCall(PCGetOperators(pc, NULL, &mat));
  PetscCall(PetscObjectQuery((PetscObject)mat, "weft_poisson", (PetscObject *)&container));
  PetscCheck(container, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONG, "the preconditioner 'weft' needs a matrix made by WeftPoissonCreateMat");
  PetscCall(PetscContainerGetPointer(container, (void **)&p));
  if (!p->single) PetscCall(WeftBoxCreate(p->grid, 1, 0.0, &p->single));
  l      = WeftGridLayout(p->grid);
  values = WeftBoxValues(p->single);
  for (PetscInt a = 0; a < l->dim; a++) diagonal += 2.0 / (l->h[a] * l->h[a]);
  PetscCall(VecGetArrayRead(x, &from));
  PetscCall(VecGetArrayWrite(y, &to));
  for (PetscInt c = 0; c < p->cells; c++) values[c] = p->open && p->closed[c] ? 0.0 : from[c];
  PetscCall(WeftBoxSolve(p->single));
  for (PetscInt c = 0; c < p->cells; c++) to[c] = p->open && p->closed[c] ? from[c] / diagonal : -values[c];
  PetscCall(VecRestoreArrayRead(x, &from));
  PetscCall(VecRestoreArrayWrite(y, &to));
  PetscFunctionReturn(0);
}

/* A PCSHELL under a name of its own; what it needs it finds on the matrix. */
static PetscErrorCode CreatePC(PC pc)
{
  PetscFunctionBegin;
  PetscCall(PCSetType(pc, PCSHELL));
  PetscCall(PCShellSetApply(pc, ApplyPC));
  PetscCall(PCShellSetApplyTranspose(pc, ApplyPC));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonRegisterPC(void)
{
  static PetscBool registered = PETSC_FALSE;

  PetscFunctionBegin;
  if (!registered) PetscCall(PCRegister("weft", CreatePC));
  registered = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* ---- KSP --------------------------------------------------------------------------------------------------------------------- */

struct _n_WeftKrylov {
  WeftPoisson poisson;
  double     *values; /* [batch][owned cells] */
  Mat         mat;
  KSP         ksp;
  Vec         b, x, r;
  PetscReal   norm; /* largest row sum of the matrix */
};

PetscErrorCode WeftKrylovWanted(PetscBool *wanted)
{
  PetscBool ksp, pc;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, "pressure_", "-ksp_type", &ksp));
  PetscCall(PetscOptionsHasName(NULL, "pressure_", "-pc_type", &pc));
  *wanted = ksp || pc ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftKrylovCreate(WeftPoisson poisson, WeftKrylov *krylov)
{
  PetscBool  chosen, cg;
  WeftKrylov k;
  PC         pc;

  PetscFunctionBegin;
  PetscCall(PetscNew(&k));
  poisson->references++;
  k->poisson = poisson;
  PetscCall(PetscMalloc1(poisson->batch * poisson->cells, &k->values));
  PetscCall(WeftPoissonCreateMat(poisson, &k->mat));
  PetscCall(MatNorm(k->mat, NORM_INFINITY, &k->norm));
  PetscCall(MatCreateVecs(k->mat, &k->x, &k->b));
  PetscCall(VecDuplicate(k->b, &k->r));
  PetscCall(KSPCreate(poisson->comm, &k->ksp));
  PetscCall(KSPSetOptionsPrefix(k->ksp, "pressure_"));
  PetscCall(KSPSetOperators(k->ksp, k->mat, k->mat));
  PetscCall(KSPSetType(k->ksp, KSPCG));
  PetscCall(KSPSetTolerances(k->ksp, 1e-12, 0.0, PETSC_DEFAULT, 2000));
  PetscCall(KSPGetPC(k->ksp, &pc));
  PetscCall(PCSetType(pc, "weft"));
  PetscCall(WeftSolverCheckOptions(poisson->comm, "pressure_"));
  PetscCall(KSPSetFromOptions(k->ksp));
  PetscCall(PetscOptionsHasName(NULL, "pressure_", "-ksp_norm_type", &chosen));
  PetscCall(PetscObjectTypeCompare((PetscObject)k->ksp, KSPCG, &cg));
  if (cg && !chosen) PetscCall(KSPSetNormType(k->ksp, KSP_NORM_UNPRECONDITIONED)); /* what the check below measures */
  PetscCall(KSPSetUp(k->ksp));
  *krylov = k;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftKrylovDestroy(WeftKrylov *krylov)
{
  WeftKrylov k = *krylov;

  PetscFunctionBegin;
  *krylov = NULL;
  if (!k) PetscFunctionReturn(0);
  PetscCall(KSPDestroy(&k->ksp));
  PetscCall(VecDestroy(&k->b));
  PetscCall(VecDestroy(&k->x));
  PetscCall(VecDestroy(&k->r));
  PetscCall(MatDestroy(&k->mat));
  PetscCall(PetscFree(k->values));
  PetscCall(WeftPoissonDestroy(&k->poisson));
  PetscCall(PetscFree(k));
  PetscFunctionReturn(0);
}

/* Did the solve reach its tolerance in truth? Round-off of the size of |A| |x| is let pass. */
static PetscErrorCode CheckSolve(WeftKrylov k)
{
  KSPConvergedReason reason;
  PetscReal          rtol, residual, b, x, bound;
  PetscInt           iterations;
  const char        *ksp, *pc_name;
  PC                 pc;

  PetscFunctionBegin;
  PetscCall(KSPGetConvergedReason(k->ksp, &reason));
  PetscCall(KSPGetIterationNumber(k->ksp, &iterations));
  PetscCall(KSPGetTolerances(k->ksp, &rtol, NULL, NULL, NULL));
  PetscCall(KSPGetType(k->ksp, &ksp));
  PetscCall(KSPGetPC(k->ksp, &pc));
  PetscCall(PCGetType(pc, &pc_name));
  if (reason < 0) return WeftFail(k->poisson->comm, "the pressure solve (-pressure_ksp_type %s -pressure_pc_type %s) failed after %" PetscInt_FMT " iterations: %s; another -pressure_pc_type, or none of these options for the fast direct solve", ksp, pc_name, iterations, KSPConvergedReasons[reason]);
  PetscCall(MatMult(k->mat, k->x, k->r));
  PetscCall(VecAYPX(k->r, -1.0, k->b));
  PetscCall(VecNorm(k->r, NORM_2, &residual));
  PetscCall(VecNorm(k->b, NORM_2, &b));
  PetscCall(VecNorm(k->x, NORM_2, &x));
  bound = 10.0 * rtol * b + 64.0 * PETSC_MACHINE_EPSILON * k->norm * x;
  if (!(residual <= bound)) return WeftFail(k->poisson->comm, "the pressure solve (-pressure_ksp_type %s -pressure_pc_type %s) says %s, but its true residual is %g of the right-hand side (tolerance %g); use another -pressure_pc_type", ksp, pc_name, KSPConvergedReasons[reason], (double)(residual / b), (double)rtol);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftKrylovSolve(WeftKrylov k, WeftState b, WeftState x)
{
  WeftPoisson p = k->poisson;

  PetscFunctionBegin;
  WeftOwnedCopy(b, k->values, PETSC_TRUE);
  PetscCall(WeftPoissonRestrict(p, k->values));
  for (PetscInt s = 0; s < p->batch; s++) {
    double            *values = k->values + s * p->cells;
    PetscScalar       *to;
    const PetscScalar *from;
    MatNullSpace       space;
    PetscCall(VecGetArrayWrite(k->b, &to));
    for (PetscInt c = 0; c < p->cells; c++) to[c] = -values[c];
    PetscCall(VecRestoreArrayWrite(k->b, &to));
    PetscCall(MatGetNullSpace(k->mat, &space));
    if (space) PetscCall(MatNullSpaceRemove(space, k->b));
    PetscCall(KSPSolve(k->ksp, k->b, k->x));
    PetscCall(CheckSolve(k));
    if (space) PetscCall(MatNullSpaceRemove(space, k->x));
    PetscCall(VecGetArrayRead(k->x, &from));
    for (PetscInt c = 0; c < p->cells; c++) values[c] = p->open && p->closed[c] ? 0.0 : from[c];
    PetscCall(VecRestoreArrayRead(k->x, &from));
  }
  WeftOwnedCopy(x, k->values, PETSC_FALSE);
  PetscFunctionReturn(0);
}
