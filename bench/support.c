#include "support.h"
#include <stdlib.h>

PetscErrorCode BenchGrid(MPI_Comm comm, PetscInt dim, const PetscInt cells[], WeftSide side, PetscInt granularity,
                         WeftGrid *grid)
{
  WeftGridOptions o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim         = dim;
  o.granularity = granularity;
  for (PetscInt a = 0; a < dim; a++) {
    o.cells[a]   = cells[a];
    o.upper[a]   = 1.0;
    o.side[a][0] = o.side[a][1] = side;
  }
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchSetupCreate(MPI_Comm comm, WeftOp op, PetscReal amplitude, BenchSetup *s)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(s, sizeof(*s)));
  s->op   = op;
  s->comm = comm;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &s->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &s->x_bar[i]));
    PetscCall(WeftStateSetRandom(s->x[i], i, 0, 0.0, amplitude));
  }
  for (PetscInt i = 0; i < WeftOpOutputs(op); i++) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(op, i), &s->y[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(op, i), &s->y_bar[i]));
    PetscCall(WeftStateSetRandom(s->y_bar[i], WEFT_OP_MAX + i, 0, 0.0, amplitude));
  }
  PetscCall(WeftRecordCreate(op, &s->record));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchSetupDestroy(BenchSetup *s)
{
  PetscFunctionBegin;
  PetscCall(WeftRecordDestroy(&s->record));
  for (PetscInt i = 0; i < WEFT_OP_MAX; i++) {
    PetscCall(WeftStateDestroy(&s->x[i]));
    PetscCall(WeftStateDestroy(&s->x_bar[i]));
    PetscCall(WeftStateDestroy(&s->y[i]));
    PetscCall(WeftStateDestroy(&s->y_bar[i]));
  }
  PetscCall(WeftOpDestroy(&s->op));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchTime(MPI_Comm comm, PetscInt runs, BenchCall call, void *context, double seconds[])
{
  PetscFunctionBegin;
  PetscCall(call(context));
  for (PetscInt k = 0; k < runs; k++) {
    double begin;
    PetscCallMPI(MPI_Barrier(comm));
    begin = MPI_Wtime();
    PetscCall(call(context));
    seconds[k] = MPI_Wtime() - begin;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, (PetscMPIInt)runs, MPI_DOUBLE, MPI_MAX, comm));
  PetscFunctionReturn(0);
}

/* Ghosts are filled anew by every call, as in a run. */
static PetscErrorCode Stale(WeftState state)
{
  PetscFunctionBegin;
  if (WeftSpaceGetInfo(WeftStateSpace(state))->kind == WEFT_PLANES)
    (void)WeftStatePlaneWrite(state, 0, 0);
  else
    (void)WeftStateDataWrite(state);
  PetscFunctionReturn(0);
}

static PetscErrorCode CallApply(void *context)
{
  BenchSetup *s = (BenchSetup *)context;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++) PetscCall(Stale(s->x[i]));
  PetscCall(WeftOpApply(s->op, s->x, s->y, s->record));
  PetscFunctionReturn(0);
}

typedef struct {
  BenchSetup *setup;
  WeftState   x_bar[WEFT_OP_MAX];
} Wanted;

static PetscErrorCode CallAdjoint(void *context)
{
  Wanted     *w = (Wanted *)context;
  BenchSetup *s = w->setup;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpOutputs(s->op); i++) PetscCall(Stale(s->y_bar[i]));
  PetscCall(WeftOpAdjoint(s->op, s->x, s->y, s->record, s->y_bar, w->x_bar));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchApply(BenchSetup *s, PetscInt runs, double seconds[])
{
  PetscFunctionBegin;
  PetscCall(BenchTime(s->comm, runs, CallApply, s, seconds));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchAdjoint(BenchSetup *s, int wanted, PetscInt runs, double seconds[])
{
  Wanted w = {s, {NULL}};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++)
    if (wanted & 1 << i) w.x_bar[i] = s->x_bar[i];
  PetscCall(CallApply(s));
  PetscCall(BenchTime(s->comm, runs, CallAdjoint, &w, seconds));
  PetscFunctionReturn(0);
}

PetscErrorCode BenchSetFields(WeftArrays arrays, const char *group, WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt shape[4] = {info->batch, 0, 0, 0}, count = 0;
    double  *all = NULL;
    char     name[128];
    for (PetscInt b = 0; b < info->batch; b++) {
      double *values;
      PetscCall(WeftStateGather(state, f, b, shape + 1, &values));
      count = shape[1] * shape[2] * shape[3];
      if (!all) PetscCall(PetscMalloc1(info->batch * count, &all));
      PetscCall(PetscArraycpy(all + b * count, values, count));
      PetscCall(PetscFree(values));
    }
    PetscCall(PetscSNPrintf(name, sizeof(name), "/%s/%s", group, info->name[f]));
    PetscCall(WeftArraysSet(arrays, name, 3, (PetscInt[]){info->batch, shape[1] * shape[2], shape[3]}, all));
    PetscCall(PetscFree(all));
  }
  PetscFunctionReturn(0);
}

static int Compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double BenchMedian(PetscInt n, double values[])
{
  qsort(values, (size_t)n, sizeof(double), Compare);
  return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

int BenchRun(int argc, char **argv, BenchMain main)
{
  PetscInt       words = 0;
  PetscErrorCode ierr  = WeftInitialize(&argc, &argv, NULL);

  while (words + 1 < argc && argv[words + 1][0] != '-') words++;
  if (!ierr) ierr = WeftCheckKeys();
  if (!ierr) ierr = main(words, argv + 1);
  if (ierr) return 1;
  return WeftFinalize() ? 1 : 0;
}
