/* y = sum of coefficient_i x_i, for fields or numbers. */
#include "op/rows.h"

typedef struct {
  PetscReal coefficient[WEFT_OP_MAX];
} Sum;

/* All terms go into a row of y while it is in cache. */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt terms, const double coefficient[], const double *const x[], double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), n = rows.n[0];
      for (PetscInt t = 0; t < terms; t++) {
        const double *restrict from = x[t] + row;
        double *restrict to         = y + row;
        const double c              = coefficient[t];
        if (t == 0)
          for (PetscInt i = 0; i < n; i++) to[i] = c * from[i];
        else
          for (PetscInt i = 0; i < n; i++) to[i] += c * from[i];
      }
    }
  }
}

WEFT_KERNEL static void Add(WeftRows rows, double c, const double *restrict y_bar, double *restrict x_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) x_bar[i] += c * y_bar[i];
    }
  }
}

/* Parts of a state: planes, or all numbers as one row. */
static PetscInt Parts(const WeftSpaceInfo *info) { return info->kind == WEFT_NUMBERS ? 1 : info->fields * info->batch; }

static WeftRows PartRows(const WeftSpaceInfo *info, PetscInt part)
{
  if (info->kind == WEFT_NUMBERS) return (WeftRows){0, {(PetscInt)(info->bytes / sizeof(double)), 1, 1}, {1, 0, 0}};
  return WeftRowsOwned(WeftGridLayout(info->grid), info->location[part / info->batch]);
}

static const double *Part(const WeftSpaceInfo *info, WeftState state, PetscInt part)
{
  if (info->kind == WEFT_NUMBERS) return (const double *)WeftStateData(state);
  return WeftStatePlane(state, part / info->batch, part % info->batch);
}

static double *PartWrite(const WeftSpaceInfo *info, WeftState state, PetscInt part)
{
  if (info->kind == WEFT_NUMBERS) return (double *)WeftStateDataWrite(state);
  return WeftStatePlaneWrite(state, part / info->batch, part % info->batch);
}

/* y = sum over the terms that are there. */
static PetscErrorCode Combine(WeftOp op, const WeftState x[], WeftState y)
{
  const Sum           *sum  = (const Sum *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));

  PetscFunctionBegin;
  for (PetscInt part = 0; part < Parts(info); part++) {
    const double *from[WEFT_OP_MAX];
    double        coefficient[WEFT_OP_MAX];
    PetscInt      terms = 0;
    for (PetscInt t = 0; t < WeftOpInputs(op); t++) {
      if (!x[t]) continue;
      coefficient[terms] = sum->coefficient[t];
      from[terms++]      = Part(info, x[t], part);
    }
    if (!terms) PetscFunctionReturn(WeftStateZero(y));
    Set(PartRows(info, part), terms, coefficient, from, PartWrite(info, y, part));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SumApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Combine(op, x, y[0]);
}

static PetscErrorCode SumTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return Combine(op, dx, dy[0]);
}

/* x_bar_i += coefficient_i y_bar */
static PetscErrorCode SumAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Sum           *sum  = (const Sum *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  for (PetscInt t = 0; t < WeftOpInputs(op); t++)
    for (PetscInt part = 0; part < Parts(info) && x_bar[t]; part++) Add(PartRows(info, part), sum->coefficient[t], Part(info, y_bar[0], part), PartWrite(info, x_bar[t], part));
  PetscFunctionReturn(0);
}

static PetscErrorCode SumDestroy(void *context) { return PetscFree(context); }

PetscErrorCode WeftOpCreateSum(WeftSpace space, PetscInt terms, const PetscReal coefficients[], WeftOp *op)
{
  static const WeftOpMaps maps = {SumApply, SumTangent, SumAdjoint, SumDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(space);
  WeftSpace               in[WEFT_OP_MAX];
  Sum                    *sum;

  PetscFunctionBegin;
  PetscCheck(info->kind != WEFT_CHANNELS, info->comm, PETSC_ERR_SUP, "operator Sum adds fields or numbers, not features");
  PetscCheck(terms >= 1 && terms <= WEFT_OP_MAX, info->comm, PETSC_ERR_ARG_OUTOFRANGE, "operator Sum: %" PetscInt_FMT " terms; 1 to %d are possible", terms, WEFT_OP_MAX);
  PetscCall(PetscNew(&sum));
  for (PetscInt t = 0; t < terms; t++) {
    sum->coefficient[t] = coefficients[t];
    in[t]               = space;
  }
  PetscCall(WeftOpCreate("Sum", &maps, sum, WEFT_NEEDS_NOTHING, terms, in, 1, &space, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Sum(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscReal coefficients[] = {0.7, -1.3, 2.1};
  WeftSpace              space;
  WeftOp                 op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpCreateSum(space, 3, coefficients, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
