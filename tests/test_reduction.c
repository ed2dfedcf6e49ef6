/* ctest: unit; ranks 1 2 4; timeout 60 */
/* The reduction of an update, in pieces beside the reverse sweep: a net goes back PASSES times per update, as in an unrolled step.
   The sums are those of one plain MPI_Allreduce of each rank's gradient, but for the order of P terms (P eps of the largest), in the
   first update, where the pieces are not known yet, and in later ones, in which those of the last layers leave before the sweep
   is over; the other numbers are summed with them; a rank that never went back takes part. */
#include <float.h>
#include <math.h>
#include <weft/nn.h>
#include "support.h"
#include "train/trainer.h"

#define PASSES 3

typedef struct {
  WeftNet    net;
  WeftState  x[2], x_bar[2], y, y_bar;
  WeftRecord record;
} Example;

static PetscErrorCode CreateExample(WeftGrid grid, Example *e)
{
  char                 first[] = "conv 3 32 relu", second[] = "conv 3 32 relu", last[] = "conv 3 2";
  char                *lines[] = {first, second, last};
  const WeftNetOptions options = {3, lines, WEFT_GHOST_ZERO, 1.0, PETSC_FALSE};
  WeftSpace            features;
  WeftOp               op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, 1, 2, 1, PETSC_FALSE, &features));
  PetscCall(WeftNetCreate(features, &options, &e->net));
  op = WeftNetOp(e->net);
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &e->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &e->x_bar[i]));
  }
  PetscCall(WeftStateCreate(WeftOpOutSpace(op, 0), &e->y));
  PetscCall(WeftStateCreate(WeftOpOutSpace(op, 0), &e->y_bar));
  PetscCall(WeftRecordCreate(op, &e->record));
  PetscCall(WeftStateSetRandom(e->x[0], 1, 0, 0.0, 1.0));
  PetscCall(WeftNetInitialise(e->net, 1, e->x[1]));
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyExample(Example *e)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateDestroy(&e->x[i]));
    PetscCall(WeftStateDestroy(&e->x_bar[i]));
  }
  PetscCall(WeftStateDestroy(&e->y));
  PetscCall(WeftStateDestroy(&e->y_bar));
  PetscCall(WeftRecordDestroy(&e->record));
  PetscCall(WeftNetDestroy(&e->net));
  PetscFunctionReturn(0);
}

static PetscErrorCode Compare(const Example *e, const double *sums)
{
  const PetscInt n = WeftSpaceGetInfo(WeftNetParameterSpace(e->net))->count;
  double        *expected, largest = 0.0;
  PetscMPIInt    size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscMalloc1(n, &expected));
  PetscCallMPI(MPI_Allreduce(WeftStateData(e->x_bar[1]), expected, (PetscMPIInt)n, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < n; i++) largest = fmax(largest, fabs(expected[i]));
  TestCheck(largest > 0.0, "the gradient is zero");
  for (PetscInt i = 0; i < n; i++) PetscCall(TestClose(sums[i], expected[i], size * DBL_EPSILON * largest, "a sum"));
  PetscCall(TestClose(sums[n], size * 0.5, 0.0, "the loss"));
  PetscCall(TestClose(sums[n + 1], 1.0, 0.0, "failed ranks"));
  PetscCall(PetscFree(expected));
  PetscFunctionReturn(0);
}

/* An update; early: pieces that leave before its end. */
static PetscErrorCode Update(Example *e, WeftReduction reduction, PetscInt update, PetscBool goes_back, PetscInt *early)
{
  const WeftOp  op = WeftNetOp(e->net);
  const double *sums;
  PetscInt64    before, after, bytes;
  PetscMPIInt   rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftStateZero(e->x_bar[1]));
  PetscCall(WeftOpApply(op, e->x, &e->y, e->record));
  PetscCall(WeftReductionBegin(reduction, (const double[WEFT_REDUCED]){0.5, rank == 0 ? 1.0 : 0.0}));
  WeftCostMessages(WEFT_PHASE_REDUCTION, &before, &bytes);
  for (PetscInt pass = 0; pass < PASSES && goes_back; pass++) {
    PetscCall(WeftStateSetRandom(e->y_bar, 10 * update + pass, 0, 0.0, 1.0));
    PetscCall(WeftOpAdjoint(op, e->x, &e->y, e->record, &e->y_bar, e->x_bar));
  }
  WeftCostMessages(WEFT_PHASE_REDUCTION, &after, &bytes);
  *early = (PetscInt)(after - before);
  PetscCall(WeftReductionEnd(reduction, &sums));
  PetscCall(Compare(e, sums));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftGridOptions options;
  WeftGrid        grid;
  Example         e;
  WeftReduction   reduction;
  PetscMPIInt     size, rank;
  PetscInt        early;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim = 2;
  for (PetscInt a = 0; a < 2; a++) {
    options.cells[a] = 16;
    options.upper[a] = 16.0;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_SELF, &options, &grid)); /* replicas of one rank each */
  PetscCall(CreateExample(grid, &e));
  PetscCall(WeftReductionCreate(e.x_bar[1], &reduction));
  PetscCall(Update(&e, reduction, 0, PETSC_TRUE, &early));
  TestCheck(early == 0, "%d pieces left before all was known", (int)early);
  PetscCall(Update(&e, reduction, 1, PETSC_TRUE, &early));
  TestCheck(early == (size > 1 ? 2 : 0), "%d pieces left during the sweep", (int)early);
  PetscCall(Update(&e, reduction, 2, rank == 0 ? PETSC_TRUE : PETSC_FALSE, &early));
  PetscCall(Update(&e, reduction, 3, PETSC_TRUE, &early));
  TestCheck(early == (size > 1 ? 2 : 0), "%d pieces left during the last sweep", (int)early);
  PetscCall(WeftReductionDestroy(&reduction));
  PetscCall(DestroyExample(&e));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
