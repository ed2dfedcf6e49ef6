/* Gradient of a cell field at faces: (p[i] - p[i - 1]) / h on the unknown faces. Beyond an open side p is 0; at a closed side there
   is no unknown. The gradient is minus the transpose of the divergence. */
#include "op/rows.h"

/* g := c (p[i] - p[i - 1]) along the axis of stride s. */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt s, double c, const double *restrict p, double *restrict g)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) g[i] = c * (p[i] - p[i - s]);
    }
  }
}

/* p_bar += sum over axes of c (g_bar[i] - g_bar[i + 1]): each cell takes from its faces; a row stays in cache for all axes. */
WEFT_KERNEL static void Add(PetscInt dim, WeftRows rows, const double c[3], const double *const g_bar[3], double *restrict p_bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      for (PetscInt a = 0; a < dim; a++) {
        const PetscInt row           = WEFT_ROW(rows, j, k), n = rows.n[0];
        const double *restrict lower = g_bar[a] + row, *restrict upper = lower + rows.stride[a];
        double *restrict to          = p_bar + row;
        const double factor          = c[a];
        for (PetscInt i = 0; i < n; i++) to[i] += factor * (lower[i] - upper[i]);
      }
    }
  }
}

static PetscErrorCode Forward(WeftOp op, WeftState p, WeftState g)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(p, 1, WEFT_GHOST_ZERO));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], 1.0 / l->h[a], WeftStatePlane(p, 0, b), WeftStatePlaneWrite(g, a, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode GradientApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], y[0]);
}

/* dy = gradient of dx: the operator is linear. */
static PetscErrorCode GradientTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return dx[0] ? Forward(op, dx[0], dy[0]) : WeftStateZero(dy[0]);
}

/* p_bar -= divergence of y_bar, zero on the faces of closed sides. */
static PetscErrorCode GradientAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double         c[3] = {1.0 / l->h[0], 1.0 / l->h[1], 1.0 / l->h[2]};

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  for (PetscInt b = 0; b < info->batch; b++) {
    const double *plane[3];
    for (PetscInt a = 0; a < l->dim; a++) plane[a] = WeftStatePlane(y_bar[0], a, b);
    Add(l->dim, WeftRowsOwned(l, WEFT_CELL), c, plane, WeftStatePlaneWrite(x_bar[0], 0, b));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateGradient(WeftSpace cells, WeftSpace velocity, WeftOp *op)
{
  static const WeftOpMaps maps = {GradientApply, GradientTangent, GradientAdjoint, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("Gradient", cells, 1, NULL));
  PetscCall(WeftOpCheckVelocity("Gradient", velocity, cells));
  PetscCall(WeftOpCreate("Gradient", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &cells, 1, &velocity, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Gradient(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, cells;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, batch, 1, &cells));
  PetscCall(WeftOpCreateGradient(cells, velocity, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
