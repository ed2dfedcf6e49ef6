/* Inflow of a marker: y = x + strength shape. The smallest operator with a parameter: a good one to copy for a new one. */
#include "op/rows.h"

typedef struct {
  WeftState shape; /* own copy, batch 1 or that of the operator */
} Inflow;

/* y := x + c shape; x NULL: zero */
WEFT_KERNEL static void Set(WeftRows rows, double c, const double *restrict shape, const double *restrict x, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (x)
        for (PetscInt i = row; i < end; i++) y[i] = x[i] + c * shape[i];
      else
        for (PetscInt i = row; i < end; i++) y[i] = c * shape[i];
    }
  }
}

/* Sum of shape y_bar. */
WEFT_KERNEL static double Dot(WeftRows rows, const double *restrict shape, const double *restrict y_bar)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      WEFT_SUM(total, i, row, row + rows.n[0], shape[i] * y_bar[i]);
    }
  }
  return total;
}

static PetscErrorCode InflowApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Inflow        *inflow   = (const Inflow *)WeftOpContext(op);
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const double        *strength = x[1] ? (const double *)WeftStateData(x[1]) : NULL;

  PetscFunctionBegin;
  (void)record;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    for (PetscInt b = 0; b < info->batch; b++) Set(rows, strength ? strength[b] : 0.0, WeftPatternPlane(inflow->shape, f, b), x[0] ? WeftStatePlane(x[0], f, b) : NULL, WeftStatePlaneWrite(y[0], f, b));
  }
  PetscFunctionReturn(0);
}

/* dy = dx + dstrength shape: the operator is linear, and either part may be missing. */
static PetscErrorCode InflowTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  return InflowApply(op, dx, dy, record);
}

/* x_bar += y_bar, strength_bar += sum of shape y_bar */
static PetscErrorCode InflowAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Inflow        *inflow       = (const Inflow *)WeftOpContext(op);
  const WeftSpaceInfo *info         = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  double              *strength_bar = x_bar[1] ? (double *)WeftStateDataWrite(x_bar[1]) : NULL;

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, y_bar[0]));
  for (PetscInt f = 0; f < info->fields && strength_bar; f++)
    for (PetscInt b = 0; b < info->batch; b++) strength_bar[b] += Dot(WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftPatternPlane(inflow->shape, f, b), WeftStatePlane(y_bar[0], f, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode InflowDestroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&((Inflow *)context)->shape));
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateInflow(WeftSpace space, WeftState shape, WeftOp *op)
{
  static const WeftOpMaps maps  = {InflowApply, InflowTangent, InflowAdjoint, InflowDestroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(space);
  WeftSpace               in[2] = {space, NULL};
  Inflow                 *inflow;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Inflow", space, NULL));
  PetscCall(PetscNew(&inflow));
  PetscCall(WeftOpCopyPattern("Inflow", shape, space, &inflow->shape));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &in[1]));
  PetscCall(WeftOpCreate("Inflow", &maps, inflow, WEFT_NEEDS_NOTHING, 2, in, 1, &space, op));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscFunctionReturn(0);
}

/* Variants: a shape per sample; one for all. */
PetscErrorCode WeftOpExample_Inflow(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space, pattern;
  WeftState shape;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpExampleSpace(grid, variant ? 1 : batch, 1, &pattern));
  PetscCall(WeftStateCreate(pattern, &shape));
  PetscCall(WeftStateSetRandom(shape, 11, 0, 0.0, 1.0));
  PetscCall(WeftOpCreateInflow(space, shape, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftStateDestroy(&shape));
  PetscCall(WeftSpaceDestroy(&pattern));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
