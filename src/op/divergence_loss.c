/* The divergence of a velocity as a loss: per sample the sum over cells of w (div u)^2; the target is not looked at.
   tangent: 2 sum w div u div du; adjoint: u_bar += 2 loss_bar div^T (w div u). */
#include "op/rows.h"

typedef struct {
  WeftOp    divergence;
  WeftState weight; /* of every cell; or NULL */
  WeftState value, change, bar;
} DivergenceLoss;

WEFT_KERNEL static double Dot(WeftRows rows, const double *restrict w, const double *restrict a, const double *restrict b)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) WEFT_SUM(total, i, WEFT_ROW(rows, j, k), WEFT_ROW(rows, j, k) + rows.n[0], (w ? w[i] : 1.0) * a[i] * b[i]);
  return total;
}

WEFT_KERNEL static void Scale(WeftRows rows, double c, const double *restrict w, const double *restrict a, double *restrict b)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) b[i] = c * (w ? w[i] : 1.0) * a[i];
    }
  }
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const DivergenceLoss *v    = (const DivergenceLoss *)WeftOpContext(op);
  const WeftSpaceInfo  *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftRows        rows = WeftRowsOwned(WeftGridLayout(info->grid), WEFT_CELL);
  double               *loss = (double *)WeftStateDataWrite(y[0]);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftOpApply(v->divergence, x, &v->value, NULL));
  for (PetscInt b = 0; b < info->batch; b++) loss[b] = Dot(rows, WeftPatternPlane(v->weight, 0, b), WeftStatePlane(v->value, 0, b), WeftStatePlane(v->value, 0, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const DivergenceLoss *v    = (const DivergenceLoss *)WeftOpContext(op);
  const WeftSpaceInfo  *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftRows        rows = WeftRowsOwned(WeftGridLayout(info->grid), WEFT_CELL);
  double               *loss = (double *)WeftStateDataWrite(dy[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  if (!dx[0]) {
    PetscCall(WeftStateZero(dy[0]));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftOpApply(v->divergence, x, &v->value, NULL));
  PetscCall(WeftOpTangent(v->divergence, x, &v->value, NULL, dx, &v->change));
  for (PetscInt b = 0; b < info->batch; b++)
    loss[b] = 2.0 * Dot(rows, WeftPatternPlane(v->weight, 0, b), WeftStatePlane(v->value, 0, b), WeftStatePlane(v->change, 0, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const DivergenceLoss *v        = (const DivergenceLoss *)WeftOpContext(op);
  const WeftSpaceInfo  *info     = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftRows        rows     = WeftRowsOwned(WeftGridLayout(info->grid), WEFT_CELL);
  const double         *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftOpApply(v->divergence, x, &v->value, NULL));
  for (PetscInt b = 0; b < info->batch; b++)
    Scale(rows, 2.0 * loss_bar[b], WeftPatternPlane(v->weight, 0, b), WeftStatePlane(v->value, 0, b), WeftStatePlaneWrite(v->bar, 0, b));
  PetscCall(WeftOpAdjoint(v->divergence, x, &v->value, NULL, &v->bar, x_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  DivergenceLoss *v = (DivergenceLoss *)context;

  PetscFunctionBegin;
  PetscCall(WeftOpDestroy(&v->divergence));
  PetscCall(WeftStateDestroy(&v->weight));
  PetscCall(WeftStateDestroy(&v->value));
  PetscCall(WeftStateDestroy(&v->change));
  PetscCall(WeftStateDestroy(&v->bar));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateDivergenceLoss(WeftSpace velocity, WeftState weight, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(velocity);
  const WeftSpace         in[2] = {velocity, velocity};
  WeftSpace               cells, loss;
  DivergenceLoss         *v;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("DivergenceLoss", velocity, NULL));
  PetscCall(PetscNew(&v));
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, 1, (const char *[]){"divergence"}, (WeftLocation[]){WEFT_CELL}, &cells));
  PetscCall(WeftOpCreateDivergence(velocity, cells, &v->divergence));
  if (weight) PetscCall(WeftOpCopyPattern("DivergenceLoss", weight, cells, &v->weight));
  PetscCall(WeftStateCreate(cells, &v->value));
  PetscCall(WeftStateCreate(cells, &v->change));
  PetscCall(WeftStateCreate(cells, &v->bar));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftOpCreate("divergence_loss", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_DivergenceLoss(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpCreateDivergenceLoss(velocity, NULL, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}

/* A weight of the velocity's faces says nothing of cells. */
static PetscErrorCode Create(const WeftLossSetting *setting, WeftOp *op)
{
  return WeftOpCreateDivergenceLoss(setting->space, NULL, op);
}
const WeftLossKind WeftLoss_Divergence = {"divergence", Create, WEFT_LOSS_TARGET, PETSC_FALSE};
