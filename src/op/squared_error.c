/* Distance of a state from a target: per sample 0.5 sum over unknowns of (state - target)^2. */
#include "op/rows.h"

/* Sum of (s - t) v; v NULL: of (s - t)^2. */
WEFT_KERNEL static double Dot(WeftRows rows, const double *restrict s, const double *restrict t, const double *restrict v)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (v) WEFT_SUM(total, i, row, end, (s[i] - t[i]) * v[i]);
      else WEFT_SUM(total, i, row, end, (s[i] - t[i]) * (s[i] - t[i]));
    }
  }
  return total;
}

WEFT_KERNEL static void Add(WeftRows rows, double c, const double *restrict s, const double *restrict t, double *restrict bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) bar[i] += c * (s[i] - t[i]);
    }
  }
}

static PetscErrorCode SquaredErrorApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  double              *loss = (double *)WeftStateDataWrite(y[0]);

  PetscFunctionBegin;
  (void)record;
  for (PetscInt b = 0; b < info->batch; b++) {
    loss[b] = 0.0;
    for (PetscInt f = 0; f < info->fields; f++) loss[b] += 0.5 * Dot(WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftStatePlane(x[0], f, b), WeftStatePlane(x[1], f, b), NULL);
  }
  PetscFunctionReturn(0);
}

/* dloss = sum of (state - target) (dstate - dtarget) */
static PetscErrorCode SquaredErrorTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  double              *loss = (double *)WeftStateDataWrite(dy[0]);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  for (PetscInt b = 0; b < info->batch; b++) {
    loss[b] = 0.0;
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows  = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      const double  *state = WeftStatePlane(x[0], f, b), *target = WeftStatePlane(x[1], f, b);
      if (dx[0]) loss[b] += Dot(rows, state, target, WeftStatePlane(dx[0], f, b));
      if (dx[1]) loss[b] -= Dot(rows, state, target, WeftStatePlane(dx[1], f, b));
    }
  }
  PetscFunctionReturn(0);
}

/* state_bar += loss_bar (state - target), target_bar -= the same */
static PetscErrorCode SquaredErrorAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const double        *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *state = WeftStatePlane(x[0], f, b), *target = WeftStatePlane(x[1], f, b);
      if (x_bar[0]) Add(rows, loss_bar[b], state, target, WeftStatePlaneWrite(x_bar[0], f, b));
      if (x_bar[1]) Add(rows, -loss_bar[b], state, target, WeftStatePlaneWrite(x_bar[1], f, b));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateSquaredError(WeftSpace space, WeftOp *op)
{
  static const WeftOpMaps maps  = {SquaredErrorApply, SquaredErrorTangent, SquaredErrorAdjoint, NULL, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(space);
  const WeftSpace         in[2] = {space, space};
  WeftSpace               loss;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("SquaredError", space, NULL));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftOpCreate("SquaredError", &maps, NULL, WEFT_NEEDS_INPUTS, 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_SquaredError(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpCreateSquaredError(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
