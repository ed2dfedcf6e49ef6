/* Linear solves through the user's KSP that are checked: the true residual decides, whatever KSP says. */
#include "solve/implicit.h"

#define CORRECTIONS 6       /* solves for what is left */
#define CORRECTION_RTOL 0.1 /* tolerance of a solve that estimates the error */

struct _n_WeftLinear {
  MPI_Comm  comm;
  char      what[128], prefix[32];
  KSP       ksp;
  PetscReal rtol;
  Vec       r, d; /* made for the first matrix */
};

const char *WeftSolverAdvice(KSPConvergedReason reason)
{
  switch (reason) {
  case KSP_DIVERGED_ITS: return "a stronger preconditioner (pc_type lu, hypre, gamg), or more iterations (ksp_max_it)";
  case KSP_DIVERGED_INDEFINITE_MAT:
  case KSP_DIVERGED_INDEFINITE_PC: return "the matrix, or the preconditioner, is not positive definite: ksp_type gmres, and see that coefficients are positive";
  case KSP_DIVERGED_PC_FAILED: return "a pivot is zero, so the Jacobian is singular here, or the preconditioner does not fit it: pc_type jacobi or lu with pc_factor_shift_type nonzero, or a shorter time step";
  case KSP_DIVERGED_NANORINF: return "values are not finite: look at the inputs, or take a shorter time step";
  case KSP_DIVERGED_BREAKDOWN:
  case KSP_DIVERGED_BREAKDOWN_BICG: return "the Krylov method broke down, as it does for a singular matrix: ksp_type gmres, another pc_type, a shorter time step";
  default: return "another pc_type, or a shorter time step";
  }
}

/* ---- what the user asks for ------------------------------------------------------------------------------------------ */

static PetscErrorCode CheckType(MPI_Comm comm, const char *prefix, PetscFunctionList types, const char *option)
{
  char      name[64];
  PetscBool set;
  void (*create)(void) = NULL;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetString(NULL, prefix, option, name, sizeof(name), &set));
  if (set) PetscCall(PetscFunctionListFind(types, name, &create));
  WeftCheck(!set || create, comm, "-%s%s %s: this PETSc has no such type; try ksp_type cg or gmres, pc_type jacobi, hypre or gamg", prefix, option + 1, name);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSolverCheckOptions(MPI_Comm comm, const char *prefix)
{
  PetscFunctionBegin;
  PetscCall(KSPInitializePackage()); /* fills the lists, if nobody has made a KSP yet */
  PetscCall(PCInitializePackage());
  PetscCall(CheckType(comm, prefix, KSPList, "-ksp_type"));
  PetscCall(CheckType(comm, prefix, PCList, "-pc_type"));
  PetscFunctionReturn(0);
}

/* A factorisation that the matrix's type has not, as ilu on several ranks. */
PetscErrorCode WeftSolverCheckFactor(KSP ksp, Mat mat, const char *prefix)
{
  static const struct {
    const char   *pc;
    MatFactorType factor;
  } kinds[] = {{PCLU, MAT_FACTOR_LU}, {PCCHOLESKY, MAT_FACTOR_CHOLESKY}, {PCILU, MAT_FACTOR_ILU}, {PCICC, MAT_FACTOR_ICC}};
  PC pc;

  PetscFunctionBegin;
  PetscCall(KSPGetPC(ksp, &pc));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(kinds); i++) {
    MatSolverType solver;
    PetscBool     this, there;
    PetscCall(PetscObjectTypeCompare((PetscObject)pc, kinds[i].pc, &this));
    if (!this) continue;
    PetscCall(PCFactorGetMatSolverType(pc, &solver));
    PetscCall(MatGetFactorAvailable(mat, solver, kinds[i].factor, &there));
    WeftCheck(there, PetscObjectComm((PetscObject)ksp), "-%spc_type %s: there is none for a matrix on several ranks%s%s; use bjacobi or asm, or lu with -%spc_factor_mat_solver_type mumps", prefix, kinds[i].pc, solver ? " from " : "", solver ? solver : "", prefix);
  }
  PetscFunctionReturn(0);
}

/* ---- create ----------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftLinearCreate(MPI_Comm comm, const char *what, const char *prefix, const char *second, PetscBool symmetric, PetscReal rtol, WeftLinear like, WeftLinear *linear)
{
  WeftLinear k;
  PetscBool  own = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftSolverCheckOptions(comm, prefix));
  if (second) PetscCall(WeftSolverCheckOptions(comm, second));
  PetscCall(PetscNew(&k));
  k->comm = comm;
  PetscCall(PetscStrncpy(k->what, what, sizeof(k->what)));
  PetscCall(PetscStrncpy(k->prefix, second ? second : prefix, sizeof(k->prefix)));
  PetscCall(KSPCreate(comm, &k->ksp));
  PetscCall(KSPSetType(k->ksp, symmetric ? KSPCG : KSPGMRES));
  PetscCall(KSPSetTolerances(k->ksp, rtol, 0.0, PETSC_DEFAULT, 2000));
  PetscCall(KSPSetOptionsPrefix(k->ksp, prefix));
  PetscCall(KSPSetFromOptions(k->ksp));
  if (second) {
    PetscCall(PetscOptionsHasName(NULL, second, "-pc_type", &own));
    if (like && !own) {
      PC pc;
      PetscCall(KSPGetPC(like->ksp, &pc));
      PetscCall(KSPSetPC(k->ksp, pc));
    } else PetscCall(KSPSetOptionsPrefix(k->ksp, second));
    PetscCall(KSPSetTolerances(k->ksp, rtol, 0.0, PETSC_DEFAULT, PETSC_DEFAULT));
    PetscCall(PetscObjectSetOptionsPrefix((PetscObject)k->ksp, second));
    PetscCall(KSPSetFromOptions(k->ksp));
  }
  PetscCall(KSPGetTolerances(k->ksp, &k->rtol, NULL, NULL, NULL));
  *linear = k;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftLinearDestroy(WeftLinear *linear)
{
  WeftLinear k = *linear;

  PetscFunctionBegin;
  *linear = NULL;
  if (!k) PetscFunctionReturn(0);
  PetscCall(KSPDestroy(&k->ksp));
  PetscCall(VecDestroy(&k->r));
  PetscCall(VecDestroy(&k->d));
  PetscCall(PetscFree(k));
  PetscFunctionReturn(0);
}

/* ---- solve ------------------------------------------------------------------------------------------------------------- */

static PetscErrorCode SetUp(WeftLinear k, Mat mat)
{
  PetscFunctionBegin;
  PetscCall(KSPSetOperators(k->ksp, mat, mat));
  if (!k->r) {
    PetscCall(MatCreateVecs(mat, &k->r, &k->d));
    PetscCall(WeftSolverCheckFactor(k->ksp, mat, k->prefix));
  }
  PetscFunctionReturn(0);
}

/* One KSPSolve; its failure is an error that carries the reason. */
static PetscErrorCode Solve(WeftLinear k, Vec b, Vec x, PetscReal rtol, PetscInt *iterations)
{
  KSPConvergedReason reason;
  const char        *type, *pc_type;
  PetscInt           most, n;
  PetscReal          atol, dtol;
  PC                 pc;

  PetscFunctionBegin;
  PetscCall(KSPGetTolerances(k->ksp, NULL, &atol, &dtol, &most));
  PetscCall(KSPSetTolerances(k->ksp, rtol, atol, dtol, most));
  PetscCall(KSPSolve(k->ksp, b, x));
  PetscCall(KSPGetConvergedReason(k->ksp, &reason));
  PetscCall(KSPGetIterationNumber(k->ksp, &n));
  *iterations += n;
  if (reason > 0) PetscFunctionReturn(0);
  PetscCall(KSPGetType(k->ksp, &type));
  PetscCall(KSPGetPC(k->ksp, &pc));
  PetscCall(PCGetType(pc, &pc_type));
  PetscFunctionReturn(WeftFail(k->comm, "the %s (-%sksp_type %s -%spc_type %s) failed after %" PetscInt_FMT " iterations: %s; try %s", k->what, k->prefix, type, k->prefix, pc_type, n, KSPConvergedReasons[reason], WeftSolverAdvice(reason)));
}

/* r := b - A x, and its norm. */
static PetscErrorCode Residual(WeftLinear k, Mat mat, Vec b, Vec x, PetscReal *norm)
{
  PetscFunctionBegin;
  PetscCall(MatMult(mat, x, k->r));
  PetscCall(VecAYPX(k->r, -1.0, b));
  PetscCall(VecNorm(k->r, NORM_2, norm));
  PetscFunctionReturn(0);
}

static PetscErrorCode FailUntrue(WeftLinear k, PetscReal residual, PetscReal b)
{
  KSPConvergedReason reason;
  const char        *type, *pc_type;
  PC                 pc;

  PetscFunctionBegin;
  PetscCall(KSPGetConvergedReason(k->ksp, &reason));
  PetscCall(KSPGetType(k->ksp, &type));
  PetscCall(KSPGetPC(k->ksp, &pc));
  PetscCall(PCGetType(pc, &pc_type));
  PetscFunctionReturn(WeftFail(k->comm, "the %s (-%sksp_type %s -%spc_type %s) says %s, but its true residual is %g of the right-hand side and does not fall to the tolerance of %g; use another -%spc_type, or a ksp_type that iterates", k->what, k->prefix, type, k->prefix, pc_type, KSPConvergedReasons[reason], (double)(residual / b), (double)k->rtol, k->prefix));
}

PetscErrorCode WeftLinearSolve(WeftLinear k, Mat mat, Vec b, Vec x, PetscReal accuracy, WeftLinearReport *report)
{
  const PetscReal rtol = accuracy > 0.0 ? PetscMin(0.1 * accuracy, 0.1) : k->rtol;
  PetscReal       b_norm, x_norm, residual, before, floor = -1.0, error = accuracy > 0.0 ? PETSC_MAX_REAL : 0.0;

  PetscFunctionBegin;
  report->iterations = 0;
  report->residual = report->error = 0.0;
  PetscCall(SetUp(k, mat));
  PetscCall(VecNorm(b, NORM_2, &b_norm));
  if (b_norm == 0.0) {
    PetscCall(VecSet(x, 0.0));
    PetscFunctionReturn(0);
  }
  PetscCall(Solve(k, b, x, rtol, &report->iterations));
  PetscCall(Residual(k, mat, b, x, &residual));
  for (PetscInt c = 0; !(residual <= rtol * b_norm && error <= accuracy); c++) {
    if (floor < 0.0) { /* what round-off leaves */
      PetscCall(MatNorm(mat, NORM_INFINITY, &floor));
      PetscCall(VecNorm(x, NORM_2, &x_norm));
      floor *= 64.0 * PETSC_MACHINE_EPSILON * x_norm;
    }
    if (residual <= floor) break;
    if (c == CORRECTIONS || !(residual < PETSC_MAX_REAL)) PetscFunctionReturn(FailUntrue(k, residual, b_norm));
    PetscCall(Solve(k, k->r, k->d, accuracy > 0.0 ? CORRECTION_RTOL : PetscMax(0.5 * rtol * b_norm / residual, 1e-12), &report->iterations));
    if (accuracy > 0.0) {
      PetscCall(VecNorm(k->d, NORM_2, &error));
      PetscCall(VecNorm(x, NORM_2, &x_norm));
      error /= x_norm;
    }
    PetscCall(VecAXPY(x, 1.0, k->d));
    before = residual;
    PetscCall(Residual(k, mat, b, x, &residual));
    if (!(residual < 0.9 * before || residual <= floor)) PetscFunctionReturn(FailUntrue(k, residual, b_norm));
  }
  report->residual = residual / b_norm;
  report->error    = error < PETSC_MAX_REAL ? error : PETSC_MACHINE_EPSILON; /* at round-off nothing is left to estimate */
  PetscFunctionReturn(0);
}
