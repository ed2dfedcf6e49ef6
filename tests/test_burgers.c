/* ctest: case; ranks 1 2 4; timeout 60 */
/* Burgers' equation in one dimension and the recovery of its initial state from one observation, against published figures
   (Thuerey et al., Physics-based Deep Learning, chapter "Burgers Optimization with a Differentiable Physics Gradient"):
     u_t + u u_x = nu u_xx on [-1, 1], periodic, 128 points, dt = 1/32, nu = 0.01 / (128 pi)
   each step explicit diffusion, then semi-Lagrangian advection of the diffused field by itself. The field stands on faces, where a
   velocity advects itself without means; the box is shifted by half a cell so that faces are the published points. */
#include <weft/op.h>
#include "support.h"

#define POINTS 128
#define STEPS 32    /* of the forward run */
#define OBSERVED 16 /* step of the observation */

typedef struct {
  WeftGrid   grid;
  WeftSpace  space, number;
  WeftOp     step, loss;
  WeftState  u[STEPS + 1], viscosity, target, value, value_bar, bar[2];
  WeftRecord record[STEPS], loss_record;
} Burgers;

static PetscErrorCode CreateStep(Burgers *b)
{
  WeftOp      diffuse, advect;
  WeftProgram program;
  MPI_Comm    comm;
  PetscInt    u, viscosity, diffused, moved;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(b->grid, &comm));
  PetscCall(WeftOpCreateDiffuse(b->space, 1.0 / 32.0, &diffuse));
  PetscCall(WeftOpCreateAdvect(b->space, b->space, WEFT_ADVECT_SEMI_LAGRANGIAN, 1.0 / 32.0, &advect));
  PetscCall(WeftProgramCreate(comm, &program));
  PetscCall(WeftProgramInput(program, "velocity", b->space, &u));
  PetscCall(WeftProgramInput(program, "viscosity", b->number, &viscosity));
  PetscCall(WeftProgramCall(program, diffuse, (PetscInt[]){u, viscosity}, &diffused));
  PetscCall(WeftProgramCall(program, advect, (PetscInt[]){diffused, diffused}, &moved));
  PetscCall(WeftProgramOutput(program, moved));
  PetscCall(WeftProgramFinish(&program, "burgers", &b->step));
  PetscCall(WeftOpDestroy(&diffuse));
  PetscCall(WeftOpDestroy(&advect));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(Burgers *b)
{
  const PetscReal h = 2.0 / POINTS;
  WeftGridOptions options;
  MPI_Comm        comm;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim      = 1;
  options.cells[0] = POINTS;
  options.lower[0] = -1.0 + 0.5 * h;
  options.upper[0] = 1.0 + 0.5 * h;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &b->grid));
  PetscCall(WeftGridGetComm(b->grid, &comm));
  PetscCall(WeftSpaceCreateVelocity(b->grid, 1, &b->space));
  PetscCall(WeftSpaceCreateNumbers(comm, 1, 1, PETSC_TRUE, &b->number));
  PetscCall(CreateStep(b));
  PetscCall(WeftOpCreateSquaredError(b->space, &b->loss));
  for (PetscInt n = 0; n <= STEPS; n++) PetscCall(WeftStateCreate(b->space, &b->u[n]));
  for (PetscInt n = 0; n < STEPS; n++) PetscCall(WeftRecordCreate(b->step, &b->record[n]));
  PetscCall(WeftRecordCreate(b->loss, &b->loss_record));
  for (PetscInt n = 0; n < 2; n++) PetscCall(WeftStateCreate(b->space, &b->bar[n]));
  PetscCall(WeftStateCreate(b->space, &b->target));
  PetscCall(WeftStateCreate(WeftOpOutSpace(b->loss, 0), &b->value));
  PetscCall(WeftStateCreate(WeftOpOutSpace(b->loss, 0), &b->value_bar));
  PetscCall(WeftStateCreate(b->number, &b->viscosity));
  *(double *)WeftStateDataWrite(b->viscosity) = 0.01 / (128.0 * PETSC_PI);
  *(double *)WeftStateDataWrite(b->value_bar) = 2.0 / POINTS; /* mean of squares from half their sum */
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Burgers *b)
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n <= STEPS; n++) PetscCall(WeftStateDestroy(&b->u[n]));
  for (PetscInt n = 0; n < STEPS; n++) PetscCall(WeftRecordDestroy(&b->record[n]));
  for (PetscInt n = 0; n < 2; n++) PetscCall(WeftStateDestroy(&b->bar[n]));
  PetscCall(WeftRecordDestroy(&b->loss_record));
  PetscCall(WeftStateDestroy(&b->target));
  PetscCall(WeftStateDestroy(&b->value));
  PetscCall(WeftStateDestroy(&b->value_bar));
  PetscCall(WeftStateDestroy(&b->viscosity));
  PetscCall(WeftOpDestroy(&b->step));
  PetscCall(WeftOpDestroy(&b->loss));
  PetscCall(WeftSpaceDestroy(&b->space));
  PetscCall(WeftSpaceDestroy(&b->number));
  PetscCall(WeftGridDestroy(&b->grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Play(Burgers *b, PetscInt steps)
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n < steps; n++) {
    const WeftState in[2] = {b->u[n], b->viscosity};
    PetscCall(WeftOpApply(b->step, in, &b->u[n + 1], b->record[n]));
  }
  PetscCall(WeftGridAgree(b->grid));
  PetscFunctionReturn(0);
}

/* u0 = -sin(pi x); values printed after 32 steps by a float32 code: 6e-8 is the round-off of its coordinates near 1. */
static PetscErrorCode TestForward(Burgers *b)
{
  static const double printed[] = {0.0057228, 0.01716715, 0.02861034, 0.040052, 0.05149214};
  const WeftLayout   *l         = WeftGridLayout(b->grid);
  double             *u         = WeftStatePlaneWrite(b->u[0], 0, 0);
  const PetscInt      first = l->start[0], end = l->start[0] + l->count[0];

  PetscFunctionBegin;
  for (PetscInt i = first; i < end; i++) u[WeftLayoutIndex(l, i, 0, 0)] = -PetscSinReal(PETSC_PI * (l->lower[0] + l->h[0] * i));
  PetscCall(Play(b, STEPS));
  for (PetscInt i = first; i < PetscMin(end, 5); i++)
    PetscCall(TestClose(WeftStatePlane(b->u[STEPS], 0, 0)[WeftLayoutIndex(l, i, 0, 0)], printed[i], 6e-8, "u after 32 steps"));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadTarget(Burgers *b)
{
  const WeftLayout *l      = WeftGridLayout(b->grid);
  const char       *folder = getenv("WEFT_SOURCE");
  double           *u      = WeftStatePlaneWrite(b->target, 0, 0);
  char              path[PETSC_MAX_PATH_LEN], line[256];
  PetscInt          rows = 0;
  FILE             *file;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/tests/data/burgers1d_u_t0.5.csv", folder ? folder : "."));
  file = fopen(path, "r");
  TestCheck(file, "%s cannot be opened", path);
  while (fgets(line, sizeof(line), file)) {
    int    i;
    double value;
    if (sscanf(line, "%d,%lf", &i, &value) != 2) continue;
    rows++;
    if (i >= l->start[0] && i < l->start[0] + l->count[0]) u[WeftLayoutIndex(l, i, 0, 0)] = value;
  }
  fclose(file);
  TestCheck(rows == POINTS, "%s has %" PetscInt_FMT " rows", path, rows);
  PetscFunctionReturn(0);
}

/* Mean square distance from the observation, and gradient in b->bar[0]. */
static PetscErrorCode LossAndGradient(Burgers *b, PetscReal *loss)
{
  const WeftState compared[2] = {b->u[OBSERVED], b->target}, loss_bar[2] = {b->bar[0], NULL};

  PetscFunctionBegin;
  PetscCall(Play(b, OBSERVED));
  PetscCall(WeftOpApply(b->loss, compared, &b->value, b->loss_record));
  *loss = 2.0 / POINTS * *(const double *)WeftStateData(b->value);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, loss, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscCall(WeftStateZero(b->bar[0]));
  PetscCall(WeftOpAdjoint(b->loss, compared, &b->value, b->loss_record, &b->value_bar, loss_bar));
  for (PetscInt n = OBSERVED - 1; n >= 0; n--) {
    const WeftState in[2] = {b->u[n], b->viscosity}, in_bar[2] = {b->bar[1], NULL};
    WeftState       swap;
    PetscCall(WeftStateZero(b->bar[1]));
    PetscCall(WeftOpAdjoint(b->step, in, &b->u[n + 1], b->record[n], &b->bar[0], in_bar));
    swap      = b->bar[0];
    b->bar[0] = b->bar[1];
    b->bar[1] = swap;
  }
  PetscFunctionReturn(0);
}

/* Gradient descent from 0 with rate 5: the losses printed at some of 50 steps. */
static PetscErrorCode TestInversion(Burgers *b)
{
  static const struct {
    PetscInt  step;
    PetscReal loss;
  } printed[] = {{0, 0.382915}, {1, 0.326882},  {2, 0.281032},  {3, 0.242804},  {4, 0.210666},
                 {5, 0.183476}, {10, 0.096224}, {20, 0.032819}, {30, 0.012852}, {45, 0.003263}};
  PetscInt at = 0;

  PetscFunctionBegin;
  PetscCall(ReadTarget(b));
  PetscCall(WeftStateZero(b->u[0]));
  for (PetscInt k = 0; k <= 45; k++) {
    PetscReal loss;
    PetscCall(LossAndGradient(b, &loss));
    if (k == printed[at].step) PetscCall(TestClose(loss, printed[at++].loss, 0.51e-6, "loss of the inversion"));
    PetscCall(WeftStateAXPY(b->u[0], -5.0, b->bar[0]));
  }
  TestCheck(at == 10, "%" PetscInt_FMT " of 10 losses compared", at);
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  Burgers b = {0};

  PetscFunctionBegin;
  PetscCall(Create(&b));
  PetscCall(TestForward(&b));
  PetscCall(TestInversion(&b));
  PetscCall(Destroy(&b));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
