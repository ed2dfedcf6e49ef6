/* Divergence of a staggered velocity at cells: the sum over axes of (u[i + 1] - u[i]) / h. The faces of closed sides are boundary
   values, which the side rule puts into the ghosts. */
#include "op/rows.h"

/* y := sum over axes of c (u[i + 1] - u[i]); a row of y stays in cache for all axes. */
WEFT_KERNEL static void Set(PetscInt dim, WeftRows rows, const double c[3], const double *const u[3], double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      for (PetscInt a = 0; a < dim; a++) {
        const PetscInt row           = WEFT_ROW(rows, j, k), n = rows.n[0];
        const double *restrict lower = u[a] + row, *restrict upper = lower + rows.stride[a];
        double *restrict to          = y + row;
        const double factor          = c[a];
        if (a == 0)
          for (PetscInt i = 0; i < n; i++) to[i] = factor * (upper[i] - lower[i]);
        else
          for (PetscInt i = 0; i < n; i++) to[i] += factor * (upper[i] - lower[i]);
      }
    }
  }
}

/* u_bar += c (y_bar[i - 1] - y_bar[i]) along the axis of stride s: each face takes from the two cells beside it. */
WEFT_KERNEL static void Add(WeftRows rows, PetscInt s, double c, const double *restrict y_bar, double *restrict u_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) u_bar[i] += c * (y_bar[i - s] - y_bar[i]);
    }
  }
}

static PetscErrorCode Forward(WeftOp op, WeftState u, WeftGhost ghost, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double         c[3] = {1.0 / l->h[0], 1.0 / l->h[1], 1.0 / l->h[2]};

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(u, 1, ghost));
  for (PetscInt b = 0; b < info->batch; b++) {
    const double *plane[3];
    for (PetscInt a = 0; a < l->dim; a++) plane[a] = WeftStatePlane(u, a, b);
    Set(l->dim, WeftRowsOwned(l, WEFT_CELL), c, plane, WeftStatePlaneWrite(y, 0, b));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode DivergenceApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], WEFT_GHOST_VALUE, y[0]);
}

/* dy = divergence of dx, with faces at rest in closed sides. */
static PetscErrorCode DivergenceTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return dx[0] ? Forward(op, dx[0], WEFT_GHOST_LINEAR, dy[0]) : WeftStateZero(dy[0]);
}

/* u_bar -= gradient of y_bar, zero beyond the sides. No ghost of u depends on an unknown, so nothing is folded. */
static PetscErrorCode DivergenceAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
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
    for (PetscInt b = 0; b < info->batch; b++) Add(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], 1.0 / l->h[a], WeftStatePlane(y_bar[0], 0, b), WeftStatePlaneWrite(x_bar[0], a, b));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateDivergence(WeftSpace velocity, WeftSpace cells, WeftOp *op)
{
  static const WeftOpMaps maps = {DivergenceApply, DivergenceTangent, DivergenceAdjoint, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("Divergence", velocity, NULL));
  PetscCall(WeftOpCheckCells("Divergence", cells, 1, velocity));
  PetscCall(WeftOpCreate("Divergence", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &velocity, 1, &cells, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Divergence(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, cells;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, batch, 1, &cells));
  PetscCall(WeftOpCreateDivergence(velocity, cells, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
