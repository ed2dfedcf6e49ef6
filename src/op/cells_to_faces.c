/* Cell fields, one per axis, to the faces of their axis: the mean of the two cells beside each unknown face. Beyond the sides the
   nearest cell is copied. */
#include "op/rows.h"

/* u := mean of x[i - 1], x[i] along the axis of stride s. */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt s, const double *restrict x, double *restrict u)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) u[i] = 0.5 * (x[i - s] + x[i]);
    }
  }
}

/* x_bar += half of u_bar[i] and u_bar[i + 1]: each cell takes from its two faces. */
WEFT_KERNEL static void Add(WeftRows rows, PetscInt s, const double *restrict u_bar, double *restrict x_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) x_bar[i] += 0.5 * (u_bar[i] + u_bar[i + s]);
    }
  }
}

static PetscErrorCode Forward(WeftOp op, WeftState x, WeftState u)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(x, 1, WEFT_GHOST_COPY));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], WeftStatePlane(x, a, b), WeftStatePlaneWrite(u, a, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode CellsToFacesApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], y[0]);
}

/* dy = mean of dx: the operator is linear. */
static PetscErrorCode CellsToFacesTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return dx[0] ? Forward(op, dx[0], dy[0]) : WeftStateZero(dy[0]);
}

/* x_bar += mean of y_bar; what the ghost beyond an open side takes goes to the cell that it copied. */
static PetscErrorCode CellsToFacesAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Add(WeftRowsBesideFaces(l, a), l->stride[a], WeftStatePlane(y_bar[0], a, b), WeftStatePlaneWrite(x_bar[0], a, b));
  PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_COPY));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateCellsToFaces(WeftSpace cells, WeftSpace velocity, WeftOp *op)
{
  static const WeftOpMaps maps = {CellsToFacesApply, CellsToFacesTangent, CellsToFacesAdjoint, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("CellsToFaces", velocity, NULL));
  PetscCall(WeftOpCheckCells("CellsToFaces", cells, WeftSpaceGetInfo(velocity)->fields, velocity));
  PetscCall(WeftOpCreate("CellsToFaces", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &cells, 1, &velocity, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_CellsToFaces(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, cells;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, batch, WeftGridLayout(grid)->dim, &cells));
  PetscCall(WeftOpCreateCellsToFaces(cells, velocity, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
