/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Batch normalisation: the statistics of four samples are the same bits on one rank and spread over replicas and space, and so are
   output and adjoint fields; the gradient by the parameters to 1e-11; the averages follow by a tenth; in use they are what counts. */
#include <math.h>
#include <weft/nn.h>
#include "support.h"

enum { SAMPLES = 4, CHANNELS = 3 };
enum { X, PARAMETERS };

typedef struct {
  WeftGrid  grid;
  WeftOp    op;
  WeftState x[2], y, y_bar, x_bar[2];
} Layer;

/* The samples [first, first + count) on a grid over comm. */
static PetscErrorCode Create(MPI_Comm comm, PetscInt first, PetscInt count, MPI_Comm batch, Layer *a)
{
  WeftGridOptions o;
  WeftSpace       x, y;
  double         *p;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim = 2;
  for (PetscInt i = 0; i < 2; i++) o.cells[i] = 12, o.upper[i] = 1.0;
  PetscCall(WeftGridCreate(comm, &o, &a->grid));
  PetscCall(WeftSpaceCreateChannels(a->grid, count, CHANNELS, 0, PETSC_FALSE, &x));
  PetscCall(WeftSpaceCreateChannels(a->grid, count, CHANNELS, 0, PETSC_FALSE, &y));
  PetscCall(WeftOpCreateBatchNormalise(x, y, &a->op));
  if (batch != MPI_COMM_NULL) PetscCall(WeftOpBatchNormaliseSetTraining(a->op, batch));
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(a->op, i), &a->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(a->op, i), &a->x_bar[i]));
  }
  PetscCall(WeftStateCreate(y, &a->y));
  PetscCall(WeftStateCreate(y, &a->y_bar));
  PetscCall(WeftStateSetRandom(a->x[X], 11, first, 2.0, 3.0));
  PetscCall(WeftStateSetRandom(a->y_bar, 12, first, 0.0, 1.0));
  p = (double *)WeftStateDataWrite(a->x[PARAMETERS]);
  for (PetscInt c = 0; c < 4 * CHANNELS; c++) p[c] = 1.0 + 0.1 * (double)c;
  PetscCall(WeftOpApply(a->op, a->x, &a->y, NULL));
  PetscCall(WeftOpAdjoint(a->op, a->x, &a->y, NULL, &a->y_bar, a->x_bar));
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Layer *a)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateDestroy(&a->x[i]));
    PetscCall(WeftStateDestroy(&a->x_bar[i]));
  }
  PetscCall(WeftStateDestroy(&a->y));
  PetscCall(WeftStateDestroy(&a->y_bar));
  PetscCall(WeftOpDestroy(&a->op));
  PetscCall(WeftGridDestroy(&a->grid));
  PetscFunctionReturn(0);
}

/* Owned values of samples against those of the whole, which this rank has too. */
static PetscErrorCode SameBits(WeftState part, PetscInt first, WeftState whole, const char *what)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(part))->grid);
  const PetscInt    n = WeftSpaceGetInfo(WeftStateSpace(part))->batch, row = l->count[0] * CHANNELS;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < n; s++) {
    for (PetscInt j = 0; j < l->count[1]; j++) {
      const double *a = (const double *)WeftStateData(part) + (s * l->count[1] + j) * row;
      const double *b = (const double *)WeftStateData(whole) + (((first + s) * 12 + l->start[1] + j) * 12 + l->start[0]) * CHANNELS;
      for (PetscInt i = 0; i < row; i++) TestCheck(a[i] == b[i], "%s: %.17g and %.17g", what, a[i], b[i]);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckLayout(PetscInt replicas)
{
  PetscMPIInt   size, rank;
  MPI_Comm      space;
  PetscInt      count, first;
  double        sum[4 * CHANNELS], mean = 0.0, square = 0.0;
  const double *one;
  double       *p;
  Layer         a, whole;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, rank / (size / (PetscMPIInt)replicas), rank, &space));
  count = SAMPLES / replicas;
  first = rank / (size / (PetscMPIInt)replicas) * count;
  PetscCall(Create(PETSC_COMM_SELF, 0, SAMPLES, PETSC_COMM_SELF, &whole));
  PetscCall(Create(space, first, count, PETSC_COMM_WORLD, &a));
  PetscCall(SameBits(a.y, first, whole.y, "output"));
  PetscCall(SameBits(a.x_bar[X], first, whole.x_bar[X], "adjoint"));
  PetscCallMPI(MPI_Allreduce(WeftStateData(a.x_bar[PARAMETERS]), sum, 4 * CHANNELS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  one = (const double *)WeftStateData(whole.x_bar[PARAMETERS]);
  for (PetscInt c = 0; c < 4 * CHANNELS; c++) {
    TestCheck(fabs(sum[c] - one[c]) <= 1e-11 * (1.0 + fabs(one[c])), "gradient %d: %.17g and %.17g", (int)c, sum[c], one[c]);
    TestCheck(c < 2 * CHANNELS ? one[c] != 0.0 : one[c] == 0.0, "gradient %d is %g: that of averages is zero in training, others are not", (int)c, one[c]);
  }
  for (PetscInt i = 0; i < SAMPLES * 144; i++) {
    const double x = ((const double *)WeftStateData(whole.x[X]))[i * CHANNELS];
    mean += x / (SAMPLES * 144);
    square += x * x / (SAMPLES * 144);
  }
  p = (double *)WeftStateDataWrite(a.x[PARAMETERS]);
  PetscCall(WeftOpBatchNormaliseFollow(a.op, MPI_COMM_NULL, p));
  PetscCall(TestClose(p[2 * CHANNELS], 0.9 * (1.0 + 0.1 * 2 * CHANNELS) + 0.1 * mean, 1e-12, "average of the mean"));
  PetscCall(TestClose(p[3 * CHANNELS], 0.9 * (1.0 + 0.1 * 3 * CHANNELS) + 0.1 * (square - mean * mean), 1e-12, "average of the variance"));
  PetscCall(WeftOpBatchNormaliseSetTraining(a.op, MPI_COMM_NULL));
  PetscCall(WeftOpApply(a.op, a.x, &a.y, NULL));
  const double x = ((const double *)WeftStateData(a.x[X]))[0], y = ((const double *)WeftStateData(a.y))[0];
  PetscCall(TestClose(y, p[0] * (x - p[2 * CHANNELS]) / sqrt(p[3 * CHANNELS] + 1e-5) + p[CHANNELS], 1e-12, "in use"));
  PetscCall(Destroy(&a));
  PetscCall(Destroy(&whole));
  PetscCallMPI(MPI_Comm_free(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (PetscMPIInt replicas = 1; replicas <= size; replicas *= 2) PetscCall(CheckLayout((PetscInt)replicas));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
