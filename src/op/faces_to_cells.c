/* A staggered velocity at cells: the mean of the two faces of each cell, component by component. The faces of closed sides are
   boundary values, which the side rule puts into the ghosts. */
#include "op/rows.h"

/* y := mean of u[i], u[i + 1] along the axis of stride s. */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt s, const double *restrict u, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) y[i] = 0.5 * (u[i] + u[i + s]);
    }
  }
}

/* u_bar += half of y_bar[i - 1] and y_bar[i]: each face takes from the two cells beside it. */
WEFT_KERNEL static void Add(WeftRows rows, PetscInt s, const double *restrict y_bar, double *restrict u_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) u_bar[i] += 0.5 * (y_bar[i - s] + y_bar[i]);
    }
  }
}

static PetscErrorCode Forward(WeftOp op, WeftState u, WeftGhost ghost, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(u, 1, ghost));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(l, WEFT_CELL), l->stride[a], WeftStatePlane(u, a, b), WeftStatePlaneWrite(y, a, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode FacesToCellsApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], WEFT_GHOST_VALUE, y[0]);
}

/* dy = mean of dx, with faces at rest in closed sides. */
static PetscErrorCode FacesToCellsTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return dx[0] ? Forward(op, dx[0], WEFT_GHOST_LINEAR, dy[0]) : WeftStateZero(dy[0]);
}

/* u_bar += mean of y_bar, zero beyond the sides. No ghost of u depends on an unknown, so nothing is folded. */
static PetscErrorCode FacesToCellsAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Add(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], WeftStatePlane(y_bar[0], a, b), WeftStatePlaneWrite(x_bar[0], a, b));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateFacesToCells(WeftSpace velocity, WeftSpace cells, WeftOp *op)
{
  static const WeftOpMaps maps = {FacesToCellsApply, FacesToCellsTangent, FacesToCellsAdjoint, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("FacesToCells", velocity, NULL));
  PetscCall(WeftOpCheckCells("FacesToCells", cells, WeftSpaceGetInfo(velocity)->fields, velocity));
  PetscCall(WeftOpCreate("FacesToCells", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &velocity, 1, &cells, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_FacesToCells(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, cells;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, batch, WeftGridLayout(grid)->dim, &cells));
  PetscCall(WeftOpCreateFacesToCells(velocity, cells, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
