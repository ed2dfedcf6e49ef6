/* Masks, prescribed regions, constant forces: y = factor x + offset, value by value. */
#include "op/rows.h"

typedef struct {
  WeftState factor, offset; /* own copies, batch 1 or that of the operator; NULL: 1 and 0 */
} Affine;

WEFT_KERNEL static void Set(WeftRows rows, const double *restrict factor, const double *restrict offset, const double *restrict x, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (factor && offset)
        for (PetscInt i = row; i < end; i++) y[i] = factor[i] * x[i] + offset[i];
      else if (factor)
        for (PetscInt i = row; i < end; i++) y[i] = factor[i] * x[i];
      else if (offset)
        for (PetscInt i = row; i < end; i++) y[i] = x[i] + offset[i];
      else
        for (PetscInt i = row; i < end; i++) y[i] = x[i];
    }
  }
}

WEFT_KERNEL static void Add(WeftRows rows, const double *restrict factor, const double *restrict y_bar, double *restrict x_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (factor)
        for (PetscInt i = row; i < end; i++) x_bar[i] += factor[i] * y_bar[i];
      else
        for (PetscInt i = row; i < end; i++) x_bar[i] += y_bar[i];
    }
  }
}

static PetscErrorCode AffineApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Affine        *affine = (const Affine *)WeftOpContext(op);
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));

  PetscFunctionBegin;
  (void)record;
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftPatternPlane(affine->factor, f, b), WeftPatternPlane(affine->offset, f, b), WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(y[0], f, b));
  PetscFunctionReturn(0);
}

/* dy = factor dx */
static PetscErrorCode AffineTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const Affine        *affine = (const Affine *)WeftOpContext(op);
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!dx[0]) PetscCall(WeftStateZero(dy[0]));
  for (PetscInt f = 0; f < info->fields && dx[0]; f++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftPatternPlane(affine->factor, f, b), NULL, WeftStatePlane(dx[0], f, b), WeftStatePlaneWrite(dy[0], f, b));
  PetscFunctionReturn(0);
}

/* x_bar += factor y_bar */
static PetscErrorCode AffineAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Affine        *affine = (const Affine *)WeftOpContext(op);
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  for (PetscInt f = 0; f < info->fields && x_bar[0]; f++)
    for (PetscInt b = 0; b < info->batch; b++) Add(WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftPatternPlane(affine->factor, f, b), WeftStatePlane(y_bar[0], f, b), WeftStatePlaneWrite(x_bar[0], f, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode AffineDestroy(void *context)
{
  Affine *affine = (Affine *)context;

  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&affine->factor));
  PetscCall(WeftStateDestroy(&affine->offset));
  PetscCall(PetscFree(affine));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateAffine(WeftSpace space, WeftState factor, WeftState offset, WeftOp *op)
{
  static const WeftOpMaps maps = {AffineApply, AffineTangent, AffineAdjoint, AffineDestroy, NULL};
  Affine                 *affine;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Affine", space, NULL));
  PetscCall(PetscNew(&affine));
  if (factor) PetscCall(WeftOpCopyPattern("Affine", factor, space, &affine->factor));
  if (offset) PetscCall(WeftOpCopyPattern("Affine", offset, space, &affine->offset));
  PetscCall(WeftOpCreate("Affine", &maps, affine, WEFT_NEEDS_NOTHING, 1, &space, 1, &space, op));
  PetscFunctionReturn(0);
}

/* Variants: factor for all samples and offset per sample; factor alone; offset alone. */
PetscErrorCode WeftOpExample_Affine(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space, shared;
  WeftState factor, offset;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpExampleSpace(grid, 1, 1, &shared));
  PetscCall(WeftStateCreate(shared, &factor));
  PetscCall(WeftStateCreate(space, &offset));
  PetscCall(WeftStateSetRandom(factor, 11, 0, 0.5, 0.5));
  PetscCall(WeftStateSetRandom(offset, 12, 0, 0.0, 1.0));
  PetscCall(WeftOpCreateAffine(space, variant < 2 ? factor : NULL, variant != 1 ? offset : NULL, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftStateDestroy(&factor));
  PetscCall(WeftStateDestroy(&offset));
  PetscCall(WeftSpaceDestroy(&shared));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
