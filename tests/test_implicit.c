/* ctest: unit; ranks 1 2 4; timeout 120 */
/* Implicit solves and their adjoints: stencils against coloured tangents; every preconditioner gives the right gradient or an
   error; the derivative by the parameters against differences and the tangent; a gradient of requested accuracy; failures. */
#include <weft.h>
#include "support.h"

enum { FIELDS = 0, VISCOSITY = 1, VELOCITY = 2, MOST = 3 };

typedef struct {
  WeftOp    f, op, implicit; /* right-hand side, step; implicit is borrowed from the step */
  PetscInt  inputs;
  WeftState x[MOST], bar[MOST], dx[MOST], y, dy, w;
} Case;

static MPI_Comm comm; /* of the cases */

/* A communicator that is never freed: PETSc 3.18 crashes when it frees one on which superlu_dist has worked. */
static PetscErrorCode CreateComm(void)
{
  MPI_Comm inner;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_dup(PETSC_COMM_WORLD, &comm));
  PetscCall(PetscCommDuplicate(comm, &inner, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateCase(PetscBool burgers, PetscInt dim, WeftSide side, PetscReal theta, PetscReal dt, PetscReal viscosity, const WeftImplicitOptions *options, Case *c)
{
  static const char *const name[]     = {"u", "v", "w"};
  const WeftLocation       location[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};
  WeftImplicitOptions      own;
  WeftGridOptions          box;
  WeftGrid                 grid;
  WeftSpace                space;
  PetscErrorCode           ierr;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim = dim;
  for (PetscInt a = 0; a < dim; a++) {
    box.cells[a] = a ? 16 : 20;
    box.upper[a] = 1.0;
    box.side[a][0] = box.side[a][1] = side;
  }
  PetscCall(WeftGridCreate(comm, &box, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, burgers ? dim : 1, name, location, &space));
  PetscCall(WeftGridDestroy(&grid));
  PetscCall(burgers ? WeftOpCreateBurgers(space, &c->f) : WeftOpCreateAdvectionDiffusion(space, &c->f));
  PetscCall(WeftImplicitOptionsDefault(&own));
  ierr = WeftOpCreateTheta(c->f, theta, dt, options ? options : &own, &c->implicit, &c->op);
  if (ierr) {
    PetscCall(WeftSpaceDestroy(&space));
    PetscCall(WeftOpDestroy(&c->f));
    PetscFunctionReturn(ierr);
  }
  c->inputs = WeftOpInputs(c->op);
  for (PetscInt i = 0; i < c->inputs; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(c->op, i), &c->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(c->op, i), &c->dx[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(c->op, i), &c->bar[i]));
    PetscCall(WeftStateSetRandom(c->x[i], 1 + i, 0, i == VISCOSITY ? viscosity : 0.3, i == VISCOSITY ? 0.0 : 0.5));
    PetscCall(WeftStateSetRandom(c->dx[i], 11 + i, 0, 0.0, 1.0));
  }
  PetscCall(WeftStateCreate(space, &c->y));
  PetscCall(WeftStateCreate(space, &c->dy));
  PetscCall(WeftStateCreate(space, &c->w));
  PetscCall(WeftStateSetRandom(c->w, 21, 0, 0.2, 1.0));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyCase(Case *c)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->inputs; i++) {
    PetscCall(WeftStateDestroy(&c->x[i]));
    PetscCall(WeftStateDestroy(&c->dx[i]));
    PetscCall(WeftStateDestroy(&c->bar[i]));
  }
  PetscCall(WeftStateDestroy(&c->y));
  PetscCall(WeftStateDestroy(&c->dy));
  PetscCall(WeftStateDestroy(&c->w));
  PetscCall(WeftOpDestroy(&c->f));
  PetscCall(WeftOpDestroy(&c->op));
  PetscFunctionReturn(0);
}

/* bar := gradient of <w, y>. Numbers are summed over the ranks. */
static PetscErrorCode Gradient(Case *c)
{
  PetscErrorCode ierr;
  WeftRecord     record;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->inputs; i++) PetscCall(WeftStateZero(c->bar[i]));
  PetscCall(WeftRecordCreate(c->op, &record));
  ierr = WeftOpApply(c->op, c->x, &c->y, record);
  if (!ierr) ierr = WeftOpAdjoint(c->op, c->x, &c->y, record, &c->w, c->bar);
  PetscCall(WeftRecordDestroy(&record));
  if (ierr) PetscFunctionReturn(ierr);
  for (PetscInt i = VISCOSITY; i < c->inputs; i++) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(c->bar[i]), (PetscMPIInt)(WeftSpaceGetInfo(WeftStateSpace(c->bar[i]))->bytes / sizeof(double)), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode RelativeDifference(WeftState a, WeftState b, PetscReal *difference)
{
  WeftState d;
  PetscReal norm;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftStateSpace(a), &d));
  PetscCall(WeftStateCopy(a, d));
  PetscCall(WeftStateAXPY(d, -1.0, b));
  PetscCall(WeftStateNorm(d, NORM_2, difference));
  PetscCall(WeftStateNorm(b, NORM_2, &norm));
  *difference /= norm;
  PetscCall(WeftStateDestroy(&d));
  PetscFunctionReturn(0);
}

static PetscErrorCode Worst(const Case *a, const Case *b, PetscReal *worst)
{
  PetscFunctionBegin;
  *worst = 0.0;
  for (PetscInt i = 0; i < a->inputs; i++) {
    PetscReal difference;
    PetscCall(RelativeDifference(a->bar[i], b->bar[i], &difference));
    *worst = PetscMax(*worst, difference);
  }
  PetscFunctionReturn(0);
}

/* ---- stencils ---------------------------------------------------------------------------------------------------------- */

static PetscErrorCode TestStencils(void)
{
  const WeftSide side[] = {WEFT_SIDE_PERIODIC, WEFT_SIDE_OPEN, WEFT_SIDE_SLIP};

  PetscFunctionBegin;
  for (PetscInt n = 0; n < 12; n++) {
    Case      c;
    PetscReal difference;
    PetscCall(CreateCase(n % 2 ? PETSC_TRUE : PETSC_FALSE, 1 + n / 6, side[n / 2 % 3], 0.5, 0.01, 0.1, NULL, &c));
    PetscCall(WeftOpCheckStencil(c.f, c.x, &difference));
    TestCheck(difference < 1e-13, "%s, %d dimensions, %s: the stencil differs from coloured tangents by %g", WeftOpName(c.f), (int)(1 + n / 6), WeftSides[side[n / 2 % 3]], (double)difference);
    PetscCall(DestroyCase(&c));
  }
  PetscFunctionReturn(0);
}

/* ---- preconditioners ----------------------------------------------------------------------------------------------------- */

static const struct {
  const char *pc, *package; /* package: of a factorisation, or NULL */
  int         must;         /* bit 0: right on one rank; bit 1: on several */
} preconditioners[] = {{"none", NULL, 3}, {"jacobi", NULL, 3}, {"bjacobi", NULL, 3}, {"asm", NULL, 3}, {"icc", NULL, 0}, {"ilu", NULL, 1}, {"lu", "petsc", 1}, {"gamg", NULL, 3}, {"hypre", NULL, 3}, {"lu", "mumps", 3}, {"lu", "superlu_dist", 3}, {"sor", NULL, 3}, {"pbjacobi", NULL, 1}};

/* The gradient with a preconditioner in forward and adjoint solve; *ierr: its error. */
static PetscErrorCode Precondition(PetscInt n, Case *c, PetscErrorCode *ierr, char text[], int room)
{
  PetscFunctionBegin;
  PetscCall(PetscOptionsSetValue(NULL, "-solve_pc_type", preconditioners[n].pc));
  if (preconditioners[n].package) PetscCall(PetscOptionsSetValue(NULL, "-solve_pc_factor_mat_solver_type", preconditioners[n].package));
  PetscCall(TestCaptureBegin());
  *ierr = CreateCase(PETSC_TRUE, 2, WEFT_SIDE_PERIODIC, 0.5, 0.02, 0.05, NULL, c);
  if (!*ierr) *ierr = Gradient(c);
  PetscCall(TestCaptureEnd(text, room));
  TestCheck(!*ierr || strstr(text, "weft: error"), "pc %s fails without a message: %s", preconditioners[n].pc, text);
  PetscCall(PetscOptionsClearValue(NULL, "-solve_pc_type"));
  PetscCall(PetscOptionsClearValue(NULL, "-solve_pc_factor_mat_solver_type"));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestPreconditioners(void)
{
  PetscMPIInt size;
  Case        reference;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(CreateCase(PETSC_TRUE, 2, WEFT_SIDE_PERIODIC, 0.5, 0.02, 0.05, NULL, &reference));
  PetscCall(Gradient(&reference));
  for (PetscInt n = 0; n < (PetscInt)PETSC_STATIC_ARRAY_LENGTH(preconditioners); n++) {
    const int      must = preconditioners[n].must & (size == 1 ? 1 : 2);
    PetscReal      worst;
    PetscErrorCode ierr;
    char           text[4096];
    Case           c;
    PetscCall(Precondition(n, &c, &ierr, text, (int)sizeof(text)));
    TestCheck(!ierr || !must, "pc %s %s on %d ranks fails: %s", preconditioners[n].pc, preconditioners[n].package ? preconditioners[n].package : "", size, text);
    if (ierr) continue;
    PetscCall(Worst(&c, &reference, &worst));
    TestCheck(worst < 1e-8, "pc %s %s on %d ranks: the gradient is wrong by %g", preconditioners[n].pc, preconditioners[n].package ? preconditioners[n].package : "", size, (double)worst);
    PetscCall(DestroyCase(&c));
  }
  /* a solver that says it converged, and has not */
  PetscCall(PetscOptionsSetValue(NULL, "-adjoint_ksp_type", "preonly"));
  PetscCall(PetscOptionsSetValue(NULL, "-adjoint_pc_type", "jacobi"));
  {
    Case c;
    PetscCall(CreateCase(PETSC_TRUE, 2, WEFT_SIDE_PERIODIC, 0.5, 0.02, 0.05, NULL, &c));
    TestFails(Gradient(&c), "true residual");
    PetscCall(DestroyCase(&c));
  }
  PetscCall(PetscOptionsClearValue(NULL, "-adjoint_ksp_type"));
  PetscCall(PetscOptionsClearValue(NULL, "-adjoint_pc_type"));
  PetscCall(DestroyCase(&reference));
  PetscFunctionReturn(0);
}

/* ---- parameters ------------------------------------------------------------------------------------------------------------ */

/* <w, y> at the inputs + h dx of one input. */
static PetscErrorCode Value(Case *c, PetscInt input, PetscReal h, PetscReal *value)
{
  PetscFunctionBegin;
  PetscCall(WeftStateAXPY(c->x[input], h, c->dx[input]));
  PetscCall(WeftOpApply(c->op, c->x, &c->y, NULL));
  PetscCall(WeftStateAXPY(c->x[input], -h, c->dx[input]));
  PetscCall(WeftStateDot(c->y, c->w, value));
  PetscFunctionReturn(0);
}

static PetscErrorCode LocalDot(WeftState gradient, WeftState direction, PetscReal *dot)
{
  PetscFunctionBegin;
  if (WeftSpaceGetInfo(WeftStateSpace(gradient))->kind == WEFT_NUMBERS) { /* both the same on every rank */
    *dot = 0.0;
    for (size_t i = 0; i < WeftSpaceGetInfo(WeftStateSpace(gradient))->bytes / sizeof(double); i++) *dot += ((const double *)WeftStateData(gradient))[i] * ((const double *)WeftStateData(direction))[i];
  } else PetscCall(WeftStateDot(gradient, direction, dot));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestParameters(PetscBool burgers, PetscReal theta)
{
  WeftRecord record;
  Case       c;

  PetscFunctionBegin;
  PetscCall(CreateCase(burgers, 1, WEFT_SIDE_PERIODIC, theta, 0.02, 0.1, NULL, &c));
  PetscCall(Gradient(&c));
  PetscCall(WeftRecordCreate(c.op, &record));
  for (PetscInt i = 0; i < c.inputs; i++) {
    const PetscReal h           = i == VISCOSITY ? 1e-4 : 1e-3;
    WeftState       only[MOST] = {NULL};
    PetscReal       adjoint, tangent, above, below, far_above, far_below, difference;
    PetscCall(LocalDot(c.bar[i], c.dx[i], &adjoint));
    only[i] = c.dx[i];
    PetscCall(WeftOpApply(c.op, c.x, &c.y, record));
    PetscCall(WeftOpTangent(c.op, c.x, &c.y, record, only, &c.dy));
    PetscCall(WeftStateDot(c.dy, c.w, &tangent));
    PetscCall(TestClose(adjoint, tangent, 1e-10 * PetscAbsReal(tangent), "adjoint against tangent"));
    PetscCall(Value(&c, i, h, &above));
    PetscCall(Value(&c, i, -h, &below));
    PetscCall(Value(&c, i, 2.0 * h, &far_above));
    PetscCall(Value(&c, i, -2.0 * h, &far_below));
    difference = (8.0 * (above - below) - (far_above - far_below)) / (12.0 * h); /* fourth order */
    PetscCall(TestClose(adjoint, difference, 1e-7 * PetscAbsReal(difference), "adjoint against differences"));
  }
  PetscCall(WeftRecordDestroy(&record));
  PetscCall(DestroyCase(&c));
  PetscFunctionReturn(0);
}

/* ---- accuracy ---------------------------------------------------------------------------------------------------------------- */

enum { STEPS = 6 };

/* Gradient of <w, final> over STEPS steps. */
static PetscErrorCode RolloutGradient(Case *c)
{
  WeftRolloutOptions options = {.step = c->op, .states = 1, .length = STEPS};
  WeftRollout        rollout;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->inputs; i++) PetscCall(WeftStateZero(c->bar[i]));
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftRolloutForward(rollout, c->x, NULL, NULL, &c->y));
  PetscCall(WeftRolloutReverse(rollout, &c->w, c->bar));
  PetscCall(WeftRolloutDestroy(&rollout));
  for (PetscInt i = VISCOSITY; i < c->inputs; i++) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(c->bar[i]), (PetscMPIInt)(WeftSpaceGetInfo(WeftStateSpace(c->bar[i]))->bytes / sizeof(double)), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestAccuracy(void)
{
  Case tight;

  PetscFunctionBegin;
  PetscCall(CreateCase(PETSC_TRUE, 2, WEFT_SIDE_PERIODIC, 1.0, 0.1, 0.05, NULL, &tight));
  PetscCall(RolloutGradient(&tight));
  for (PetscInt n = 0; n < 3; n++) {
    const PetscReal     accuracy = PetscPowReal(10.0, -2.0 - 2.0 * (PetscReal)n);
    WeftImplicitOptions options;
    WeftImplicitReport  report, tight_report;
    PetscReal           error;
    Case                c;
    PetscCall(WeftImplicitOptionsDefault(&options));
    options.accuracy = accuracy;
    options.solves   = STEPS;
    PetscCall(CreateCase(PETSC_TRUE, 2, WEFT_SIDE_PERIODIC, 1.0, 0.1, 0.05, &options, &c));
    PetscCall(RolloutGradient(&c));
    PetscCall(WeftImplicitGetReport(c.implicit, &report));
    PetscCall(WeftImplicitGetReport(tight.implicit, &tight_report));
    PetscCall(RelativeDifference(c.bar[FIELDS], tight.bar[FIELDS], &error));
    TestCheck(report.adjoint_error > 0.0 && report.adjoint_error <= accuracy, "accuracy %g: the estimate is %g", (double)accuracy, (double)report.adjoint_error);
    TestCheck(error <= report.adjoint_error, "accuracy %g: the gradient is off by %g, the estimate is %g", (double)accuracy, (double)error, (double)report.adjoint_error);
    TestCheck(error > 1e-4 * accuracy, "accuracy %g: off by %g only, the tolerance does not follow", (double)accuracy, (double)error);
    TestCheck(report.adjoint_krylov < tight_report.adjoint_krylov, "accuracy %g saves no iteration", (double)accuracy);
    PetscCall(DestroyCase(&c));
  }
  PetscCall(DestroyCase(&tight));
  PetscFunctionReturn(0);
}

/* A matrix that nothing changes is assembled once. */
static PetscErrorCode TestReuse(void)
{
  WeftImplicitReport report;
  Case               c;

  PetscFunctionBegin;
  PetscCall(CreateCase(PETSC_FALSE, 2, WEFT_SIDE_OPEN, 0.5, 0.1, 0.05, NULL, &c));
  PetscCall(RolloutGradient(&c));
  PetscCall(WeftImplicitGetReport(c.implicit, &report));
  TestCheck(report.solves == STEPS && report.adjoint_solves == STEPS && report.assemblies == 1, "%d steps and back: %d solves, %d adjoint solves, %d matrices", STEPS, (int)report.solves, (int)report.adjoint_solves, (int)report.assemblies);
  PetscCall(WeftImplicitResetReport(c.implicit));
  ((double *)WeftStateDataWrite(c.x[VISCOSITY]))[0] *= 1.5;
  PetscCall(RolloutGradient(&c));
  PetscCall(WeftImplicitGetReport(c.implicit, &report));
  TestCheck(report.assemblies == 1, "another viscosity: %d new matrices", (int)report.assemblies);
  PetscCall(DestroyCase(&c));
  PetscFunctionReturn(0);
}

/* ---- order in time ------------------------------------------------------------------------------------------------------- */

/* Error at t = 1/2 of a wave that is carried and diffused, against the exact solution of the equations discrete in space, on
   the 20 cells of CreateCase: exp(-nu k2 t) sin(2 pi x - w t), k2 = 4 sin^2(pi h) / h^2, w = a sin(2 pi h) / h. theta 0: Runge-Kutta. */
static PetscErrorCode WaveError(PetscReal theta, PetscInt steps, PetscReal *error)
{
  const PetscReal   dt = 0.5 / (PetscReal)steps, h = 0.05, nu = 0.1, a = 0.3;
  const PetscReal   decay = PetscExpReal(-nu * 0.5 * 4.0 * PetscSqr(PetscSinReal(PETSC_PI * h) / h)), shift = 0.5 * a * PetscSinReal(2.0 * PETSC_PI * h) / h;
  const WeftLayout *l;
  WeftOp            explicit_step = NULL;
  PetscReal         worst         = 0.0;
  Case              c;

  PetscFunctionBegin;
  PetscCall(CreateCase(PETSC_FALSE, 1, WEFT_SIDE_PERIODIC, theta > 0.0 ? theta : 1.0, dt, nu, NULL, &c));
  if (theta == 0.0) PetscCall(WeftOpCreateRungeKutta(c.f, dt, &explicit_step));
  l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(c.y))->grid);
  for (PetscInt b = 0; b < 2; b++) {
    ((double *)WeftStateDataWrite(c.x[VELOCITY]))[b] = a;
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) WeftStatePlaneWrite(c.x[FIELDS], 0, b)[WeftLayoutIndex(l, i, 0, 0)] = PetscSinReal(2.0 * PETSC_PI * h * ((PetscReal)i + 0.5));
  }
  for (PetscInt n = 0; n < steps; n++) {
    PetscCall(WeftOpApply(explicit_step ? explicit_step : c.op, c.x, &c.y, NULL));
    PetscCall(WeftStateCopy(c.y, c.x[FIELDS]));
  }
  for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) worst = PetscMax(worst, PetscAbsReal(WeftStatePlane(c.y, 0, 1)[WeftLayoutIndex(l, i, 0, 0)] - decay * PetscSinReal(2.0 * PETSC_PI * h * ((PetscReal)i + 0.5) - shift)));
  PetscCallMPI(MPI_Allreduce(&worst, error, 1, MPIU_REAL, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(WeftOpDestroy(&explicit_step));
  PetscCall(DestroyCase(&c));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestOrders(void)
{
  static const struct {
    const char *name;
    PetscReal   theta, order;
    PetscInt    steps;
  } scheme[] = {{"backward Euler", 1.0, 1.0, 32}, {"Crank-Nicolson", 0.5, 2.0, 16}, {"Runge-Kutta", 0.0, 4.0, 32}};

  PetscFunctionBegin;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(scheme); k++) {
    PetscReal coarse, fine, order;
    PetscCall(WaveError(scheme[k].theta, scheme[k].steps, &coarse));
    PetscCall(WaveError(scheme[k].theta, 2 * scheme[k].steps, &fine));
    order = PetscLogReal(coarse / fine) / PetscLogReal(2.0);
    TestCheck(PetscAbsReal(order - scheme[k].order) < 0.1, "%s: order %g, errors %g and %g", scheme[k].name, (double)order, (double)coarse, (double)fine);
  }
  PetscFunctionReturn(0);
}

/* ---- failures ------------------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Failing(const char *option, const char *value, PetscBool burgers, PetscReal viscosity, PetscReal dt, const char *message)
{
  Case c;

  PetscFunctionBegin;
  PetscCall(PetscOptionsSetValue(NULL, option, value));
  PetscCall(CreateCase(burgers, 1, WEFT_SIDE_PERIODIC, 1.0, dt, viscosity, NULL, &c));
  TestFails(Gradient(&c), message);
  PetscCall(PetscOptionsClearValue(NULL, option));
  PetscCall(DestroyCase(&c));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestFailures(void)
{
  const PetscReal singular = -1.0 / (4.0 * 400.0 * 0.01); /* of 1 - dt viscosity Laplacian at the shortest wave; h = 1/20 */
  Case            c;

  PetscFunctionBegin;
  PetscCall(Failing("-solve_ksp_type", "cg", PETSC_FALSE, 3.0 * singular, 0.01, "INDEFINITE"));
  PetscCall(Failing("-solve_ksp_max_it", "2", PETSC_FALSE, 1.0, 1.0, "DIVERGED_ITS"));
  PetscCall(Failing("-adjoint_ksp_max_it", "2", PETSC_FALSE, 1.0, 1.0, "adjoint solve"));
  PetscCall(Failing("-solve_snes_max_it", "1", PETSC_TRUE, 0.01, 0.5, "DIVERGED_MAX_IT"));
  PetscCall(Failing("-solve_snes_divergence_tolerance", "1e-12", PETSC_TRUE, 0.01, 0.5, "DIVERGED"));
  PetscCall(PetscOptionsSetValue(NULL, "-adjoint_pc_type", "nosuch"));
  TestFails(CreateCase(PETSC_TRUE, 1, WEFT_SIDE_PERIODIC, 1.0, 0.01, 0.1, NULL, &c), "no such type");
  PetscCall(PetscOptionsClearValue(NULL, "-adjoint_pc_type"));
  /* singular: the velocity at rest leaves 1 - dt viscosity Laplacian, whose shortest wave has the eigenvalue 0 */
  PetscCall(CreateCase(PETSC_FALSE, 1, WEFT_SIDE_PERIODIC, 1.0, 0.01, singular, NULL, &c));
  PetscCall(WeftStateZero(c.x[VELOCITY]));
  TestFails(Gradient(&c), "failed");
  PetscCall(DestroyCase(&c));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(CreateComm());
  PetscCall(TestStencils());
  PetscCall(TestPreconditioners());
  PetscCall(TestParameters(PETSC_TRUE, 1.0));
  PetscCall(TestParameters(PETSC_TRUE, 0.5));
  PetscCall(TestParameters(PETSC_FALSE, 0.5));
  PetscCall(TestAccuracy());
  PetscCall(TestReuse());
  PetscCall(TestOrders());
  PetscCall(TestFailures());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
