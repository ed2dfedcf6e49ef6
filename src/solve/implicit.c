/* Implicit operators: y solves F(y, x) = 0. With J = dF/dy at the solution:
     J dy = -(dF/dx dx);    J^T s = y_bar,  x_bar -= (dF/dx)^T s. */
#include "op/impl.h"
#include "solve/implicit.h"

typedef struct {
  MPI_Comm            comm;
  WeftOp              residual;
  WeftImplicitOptions options;
  WeftImplicitReport  report;
  PetscInt            assembled_before; /* matrices made before the report was reset */
  PetscBool           linear; /* J does not depend on y */
  WeftAssembled       assembled;
  SNES                snes;   /* NULL where linear */
  WeftLinear          tangent, adjoint;
  Mat                 transposed; /* NULL where symmetric */
  PetscInt            transposed_of; /* version of the matrix */
  Vec                 y, f, b;
  WeftState           y_state, f_state;
  WeftRecord          record; /* of the residual, where it has one */
  WeftState           in[WEFT_OP_MAX]; /* of the residual, in the call under way */
  PetscReal           norm;            /* of J in the solve under way; 0: not known yet */
} Implicit;

/* ---- Newton ---------------------------------------------------------------------------------------------------------- */

static PetscErrorCode Evaluate(Implicit *m, Vec y, Vec f)
{
  PetscFunctionBegin;
  PetscCall(WeftNumberingFromVec(WeftAssembledUnknowns(m->assembled), y, m->y_state));
  m->in[0] = m->y_state;
  PetscCall(WeftOpApply(m->residual, m->in, &m->f_state, NULL));
  PetscCall(WeftNumberingToVec(WeftAssembledUnknowns(m->assembled), m->f_state, f));
  PetscFunctionReturn(0);
}

static PetscErrorCode NewtonFunction(SNES snes, Vec y, Vec f, void *context)
{
  (void)snes;
  return Evaluate((Implicit *)context, y, f);
}

static PetscErrorCode NewtonJacobian(SNES snes, Vec y, Mat mat, Mat preconditioner, void *context)
{
  Implicit *m = (Implicit *)context;

  PetscFunctionBegin;
  (void)snes;
  (void)mat;
  (void)preconditioner;
  PetscCall(WeftNumberingFromVec(WeftAssembledUnknowns(m->assembled), y, m->y_state));
  m->in[0] = m->y_state;
  PetscCall(WeftAssembledUpdate(m->assembled, m->in));
  if (m->norm == 0.0) PetscCall(MatNorm(WeftAssembledMat(m->assembled), NORM_INFINITY, &m->norm));
  PetscFunctionReturn(0);
}

/* Round-off in F: of the size of |J| |y|. */
static PetscReal Floor(const Implicit *m, PetscReal y) { return 8.0 * PETSC_MACHINE_EPSILON * m->norm * y; }

static PetscErrorCode NewtonConverged(SNES snes, PetscInt iteration, PetscReal y, PetscReal step, PetscReal f, SNESConvergedReason *reason, void *context)
{
  const Implicit *m = (const Implicit *)context;

  PetscFunctionBegin;
  PetscCall(SNESConvergedDefault(snes, iteration, y, step, f, reason, NULL));
  if (*reason == SNES_CONVERGED_ITERATING && f <= Floor(m, y)) *reason = SNES_CONVERGED_FNORM_ABS;
  PetscFunctionReturn(0);
}

/* A line search that finds nothing below round-off has arrived. */
static PetscErrorCode CheckNewton(Implicit *m)
{
  SNESConvergedReason reason;
  KSPConvergedReason  linear;
  PetscReal           f, y;
  PetscInt            iterations;
  KSP                 ksp;

  PetscFunctionBegin;
  PetscCall(SNESGetConvergedReason(m->snes, &reason));
  if (reason > 0) PetscFunctionReturn(0);
  PetscCall(SNESGetFunctionNorm(m->snes, &f));
  PetscCall(VecNorm(m->y, NORM_2, &y));
  if (reason == SNES_DIVERGED_LINE_SEARCH && f <= 8.0 * Floor(m, y)) PetscFunctionReturn(0);
  PetscCall(SNESGetIterationNumber(m->snes, &iterations));
  PetscCall(SNESGetKSP(m->snes, &ksp));
  PetscCall(KSPGetConvergedReason(ksp, &linear));
  if (reason == SNES_DIVERGED_LINEAR_SOLVE) PetscFunctionReturn(WeftFail(m->comm, "the solve of %s = 0 failed in Newton's iteration %" PetscInt_FMT ": %s, %s; try (-solve_...) %s", WeftOpName(m->residual), iterations, SNESConvergedReasons[reason], KSPConvergedReasons[linear], WeftSolverAdvice(linear)));
  PetscFunctionReturn(WeftFail(m->comm, "the solve of %s = 0 failed after %" PetscInt_FMT " of Newton's iterations: %s, residual %g; try a shorter time step or a start nearer to the solution, -solve_snes_linesearch_type l2 or -solve_snes_type newtontr, more iterations (-solve_snes_max_it)", WeftOpName(m->residual), iterations, SNESConvergedReasons[reason], (double)f));
}

static PetscErrorCode SolveNewton(Implicit *m)
{
  PetscInt newton, krylov;

  PetscFunctionBegin;
  PetscCall(SNESSolve(m->snes, NULL, m->y));
  PetscCall(CheckNewton(m));
  PetscCall(SNESGetIterationNumber(m->snes, &newton));
  PetscCall(SNESGetLinearSolveIterations(m->snes, &krylov));
  m->report.newton += newton;
  m->report.krylov += krylov;
  PetscFunctionReturn(0);
}

/* y := y - J^-1 F(y) */
static PetscErrorCode SolveLinear(Implicit *m)
{
  WeftLinearReport report;

  PetscFunctionBegin;
  PetscCall(Evaluate(m, m->y, m->f));
  PetscCall(WeftAssembledUpdate(m->assembled, m->in));
  PetscCall(WeftLinearSolve(m->tangent, WeftAssembledMat(m->assembled), m->f, m->b, 0.0, &report));
  PetscCall(VecAXPY(m->y, -1.0, m->b));
  m->report.newton++;
  m->report.krylov += report.iterations;
  PetscFunctionReturn(0);
}

/* ---- maps ------------------------------------------------------------------------------------------------------------ */

static void Bind(Implicit *m, WeftOp op, WeftState y, const WeftState x[])
{
  m->in[0] = y;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) m->in[i + 1] = x[i];
}

static PetscErrorCode ImplicitApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  Implicit *m = (Implicit *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  Bind(m, op, m->y_state, x);
  m->norm = 0.0;
  if (m->options.guess >= 0) PetscCall(WeftNumberingToVec(WeftAssembledUnknowns(m->assembled), x[m->options.guess], m->y));
  else PetscCall(VecSet(m->y, 0.0));
  if (m->linear) PetscCall(SolveLinear(m));
  else PetscCall(SolveNewton(m));
  PetscCall(WeftNumberingFromVec(WeftAssembledUnknowns(m->assembled), m->y, y[0]));
  m->report.solves++;
  PetscFunctionReturn(0);
}

/* J and the residual's record at the solution. */
static PetscErrorCode Linearise(Implicit *m)
{
  PetscFunctionBegin;
  PetscCall(WeftAssembledUpdate(m->assembled, m->in));
  if (m->record) PetscCall(WeftOpApply(m->residual, m->in, &m->f_state, m->record));
  PetscFunctionReturn(0);
}

static PetscErrorCode ImplicitTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  Implicit        *m  = (Implicit *)WeftOpContext(op);
  WeftNumbering     u  = WeftAssembledUnknowns(m->assembled);
  WeftState        din[WEFT_OP_MAX] = {NULL};
  WeftLinearReport report;

  PetscFunctionBegin;
  (void)record;
  Bind(m, op, y[0], x);
  PetscCall(Linearise(m));
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) din[i + 1] = dx[i];
  PetscCall(WeftOpTangent(m->residual, m->in, &m->f_state, m->record, din, dy));
  PetscCall(WeftNumberingToVec(u, dy[0], m->b));
  PetscCall(VecScale(m->b, -1.0));
  PetscCall(WeftLinearSolve(m->tangent, WeftAssembledMat(m->assembled), m->b, m->y, 0.0, &report));
  PetscCall(WeftNumberingFromVec(u, m->y, dy[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Transpose(Implicit *m, Mat *mat)
{
  const Mat      from    = WeftAssembledMat(m->assembled);
  const PetscInt version = WeftAssembledVersion(m->assembled);

  PetscFunctionBegin;
  *mat = from;
  if (WeftOpGetStencil(m->residual)->symmetric) PetscFunctionReturn(0);
  if (version != m->transposed_of) PetscCall(MatTranspose(from, m->transposed ? MAT_REUSE_MATRIX : MAT_INITIAL_MATRIX, &m->transposed));
  m->transposed_of = version;
  *mat             = m->transposed;
  PetscFunctionReturn(0);
}

static PetscErrorCode ImplicitAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  Implicit        *m                   = (Implicit *)WeftOpContext(op);
  WeftNumbering     u                   = WeftAssembledUnknowns(m->assembled);
  WeftState        in_bar[WEFT_OP_MAX] = {NULL};
  PetscBool        wanted              = PETSC_FALSE;
  WeftLinearReport report;
  Mat              mat;

  PetscFunctionBegin;
  (void)record;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    in_bar[i + 1] = x_bar[i];
    if (x_bar[i]) wanted = PETSC_TRUE;
  }
  if (!wanted) PetscFunctionReturn(0);
  Bind(m, op, y[0], x);
  PetscCall(Linearise(m));
  PetscCall(Transpose(m, &mat));
  PetscCall(WeftNumberingToVec(u, y_bar[0], m->b));
  PetscCall(WeftLinearSolve(m->adjoint, mat, m->b, m->y, m->options.accuracy / (PetscReal)m->options.solves, &report));
  PetscCall(VecScale(m->y, -1.0));
  PetscCall(WeftNumberingFromVec(u, m->y, m->y_state));
  PetscCall(WeftOpAdjoint(m->residual, m->in, &m->f_state, m->record, &m->y_state, in_bar));
  m->report.adjoint_solves++;
  m->report.adjoint_krylov += report.iterations;
  m->report.adjoint_residual = PetscMax(m->report.adjoint_residual, report.residual);
  m->report.adjoint_error += report.error;
  PetscFunctionReturn(0);
}

static PetscErrorCode ImplicitDestroy(void *context)
{
  Implicit *m = (Implicit *)context;

  PetscFunctionBegin;
  PetscCall(SNESDestroy(&m->snes));
  PetscCall(WeftLinearDestroy(&m->adjoint));
  PetscCall(WeftLinearDestroy(&m->tangent));
  PetscCall(MatDestroy(&m->transposed));
  PetscCall(VecDestroy(&m->y));
  PetscCall(VecDestroy(&m->f));
  PetscCall(VecDestroy(&m->b));
  PetscCall(WeftStateDestroy(&m->y_state));
  PetscCall(WeftStateDestroy(&m->f_state));
  PetscCall(WeftRecordDestroy(&m->record));
  PetscCall(WeftAssembledDestroy(&m->assembled));
  PetscCall(WeftOpDestroy(&m->residual));
  PetscCall(PetscFree(m));
  PetscFunctionReturn(0);
}

/* ---- create ---------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftImplicitOptionsDefault(WeftImplicitOptions *options)
{
  PetscFunctionBegin;
  options->guess  = 0;
  options->solves = 1;
  PetscCall(WeftGetReal("gradient_accuracy", &options->accuracy));
  if (!(options->accuracy >= 0.0 && options->accuracy < 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "gradient_accuracy", "a relative accuracy lies between 0 (the tolerance of the solves decides) and 1");
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateNewton(Implicit *m)
{
  KSP ksp;

  PetscFunctionBegin;
  PetscCall(SNESCreate(m->comm, &m->snes));
  PetscCall(SNESSetOptionsPrefix(m->snes, "solve_"));
  PetscCall(SNESSetFunction(m->snes, m->f, NewtonFunction, m));
  PetscCall(SNESSetJacobian(m->snes, WeftAssembledMat(m->assembled), WeftAssembledMat(m->assembled), NewtonJacobian, m));
  PetscCall(SNESSetConvergenceTest(m->snes, NewtonConverged, m, NULL));
  PetscCall(SNESSetTolerances(m->snes, 0.0, 1e-10, 0.0, 50, PETSC_DEFAULT));
  PetscCall(SNESGetKSP(m->snes, &ksp));
  PetscCall(KSPSetType(ksp, WeftOpGetStencil(m->residual)->symmetric ? KSPCG : KSPGMRES));
  PetscCall(SNESSetFromOptions(m->snes));
  PetscCall(WeftSolverCheckFactor(ksp, WeftAssembledMat(m->assembled), "solve_"));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateSolvers(Implicit *m)
{
  const PetscBool symmetric = WeftOpGetStencil(m->residual)->symmetric;
  char            tangent[96], adjoint[96];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(tangent, sizeof(tangent), "%s of %s", m->linear ? "solve" : "tangent solve", WeftOpName(m->residual)));
  PetscCall(PetscSNPrintf(adjoint, sizeof(adjoint), "adjoint solve of %s", WeftOpName(m->residual)));
  PetscCall(WeftLinearCreate(m->comm, tangent, "solve_", m->linear ? NULL : "tangent_", symmetric, 1e-12, NULL, &m->tangent));
  PetscCall(WeftLinearCreate(m->comm, adjoint, "solve_", "adjoint_", symmetric, 1e-12, symmetric ? m->tangent : NULL, &m->adjoint));
  if (!m->linear) PetscCall(CreateNewton(m));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateImplicit(WeftOp residual, const WeftImplicitOptions *options, WeftOp *op)
{
  static const WeftOpMaps maps  = {ImplicitApply, ImplicitTangent, ImplicitAdjoint, ImplicitDestroy, NULL};
  const WeftSpace         space = WeftOpInSpace(residual, 0);
  WeftNumbering           u;
  PetscErrorCode          ierr;
  Implicit               *m;

  PetscFunctionBegin;
  PetscCall(PetscNew(&m));
  PetscCall(WeftOpReference(residual));
  m->comm     = WeftSpaceGetInfo(space)->comm;
  m->residual = residual;
  m->options  = *options;
  PetscCheck(WeftOpInputs(residual) >= 2 && WeftOpOutputs(residual) == 1, m->comm, PETSC_ERR_ARG_OUTOFRANGE, "residual %s: inputs are y and what it depends on, output is F", WeftOpName(residual));
  PetscCheck(options->guess < WeftOpInputs(residual) - 1 && options->solves >= 1, m->comm, PETSC_ERR_ARG_OUTOFRANGE, "implicit %s: guess %" PetscInt_FMT ", solves %" PetscInt_FMT, WeftOpName(residual), options->guess, options->solves);
  PetscCall(WeftAssembledCreate(residual, PETSC_FALSE, &m->assembled));
  m->linear = WeftOpGetStencil(residual)->depends & 1u ? PETSC_FALSE : PETSC_TRUE;
  u         = WeftAssembledUnknowns(m->assembled);
  PetscCall(WeftNumberingCreateVec(u, &m->y));
  PetscCall(VecDuplicate(m->y, &m->f));
  PetscCall(VecDuplicate(m->y, &m->b));
  PetscCall(WeftStateCreate(space, &m->y_state));
  PetscCall(WeftStateCreate(WeftOpOutSpace(residual, 0), &m->f_state));
  if (WeftOpRecordBytes(residual) || residual->children || WeftOpNeeds(residual) & WEFT_NEEDS_OUTPUTS) PetscCall(WeftRecordCreate(residual, &m->record));
  ierr = CreateSolvers(m);
  if (ierr) { /* options that the user has to mend */
    PetscCall(ImplicitDestroy(m));
    PetscFunctionReturn(ierr);
  }
  PetscCall(WeftOpCreate("Implicit", &maps, m, WEFT_NEEDS_INPUTS | WEFT_NEEDS_OUTPUTS, WeftOpInputs(residual) - 1, residual->in + 1, 1, &space, op));
  PetscFunctionReturn(0);
}

static Implicit *ImplicitOf(WeftOp op) { return op->maps.apply == ImplicitApply ? (Implicit *)WeftOpContext(op) : NULL; }

PetscErrorCode WeftImplicitGetReport(WeftOp op, WeftImplicitReport *report)
{
  PetscFunctionBegin;
  PetscCheck(ImplicitOf(op), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "operator %s is not implicit", WeftOpName(op));
  *report            = ImplicitOf(op)->report;
  report->assemblies = WeftAssembledVersion(ImplicitOf(op)->assembled) - ImplicitOf(op)->assembled_before;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftImplicitResetReport(WeftOp op)
{
  PetscFunctionBegin;
  PetscCheck(ImplicitOf(op), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "operator %s is not implicit", WeftOpName(op));
  PetscCall(PetscMemzero(&ImplicitOf(op)->report, sizeof(WeftImplicitReport)));
  ImplicitOf(op)->assembled_before = WeftAssembledVersion(ImplicitOf(op)->assembled);
  PetscFunctionReturn(0);
}
