/* Explicit diffusion with a coefficient that varies in space: y = x + dt div(k grad x) at cells, k on a face the mean of the two cells
   beside it, no flux through sides that are not periodic. */
#include "op/rows.h"

typedef struct {
  PetscReal dt;
} Conduct;

/* y += c sum over both faces of an axis of (k + k beyond) (x beyond - x), c = dt / (2 h^2) */
WEFT_KERNEL static void AddFlux(WeftRows rows, PetscInt s, double c, const double *restrict k, const double *restrict x, double *restrict y)
{
  for (PetscInt n = 0; n < rows.n[2]; n++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, n);
      for (PetscInt i = row; i < row + rows.n[0]; i++) y[i] += c * ((k[i] + k[i + s]) * (x[i + s] - x[i]) - (k[i - s] + k[i]) * (x[i] - x[i - s]));
    }
  }
}

/* k_bar -= c sum over both faces of the products of differences */
WEFT_KERNEL static void AddProducts(WeftRows rows, PetscInt s, double c, const double *restrict x, const double *restrict bar, double *restrict k_bar)
{
  for (PetscInt n = 0; n < rows.n[2]; n++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, n);
      for (PetscInt i = row; i < row + rows.n[0]; i++) k_bar[i] -= c * ((x[i + s] - x[i]) * (bar[i + s] - bar[i]) + (x[i] - x[i - s]) * (bar[i] - bar[i - s]));
    }
  }
}

/* y += dt div(k grad x) for all samples; one layer of ghosts of both is filled. */
static void AddDivergence(WeftOp op, WeftState k, WeftState x, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt a = 0; a < l->dim; a++) AddFlux(WeftRowsOwned(l, WEFT_CELL), l->stride[a], 0.5 * ((Conduct *)WeftOpContext(op))->dt / (l->h[a] * l->h[a]), WeftStatePlane(k, 0, b), WeftStatePlane(x, 0, b), WeftStatePlaneWrite(y, 0, b));
}

static PetscErrorCode ConductApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)record;
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateHalo(x[i], 1, WEFT_GHOST_COPY));
  PetscCall(WeftStateZero(y[0]));
  PetscCall(WeftStateAXPY(y[0], 1.0, x[0]));
  AddDivergence(op, x[1], x[0], y[0]);
  PetscFunctionReturn(0);
}

/* dy = dx + dt div(k grad dx) + dt div(dk grad x) */
static PetscErrorCode ConductTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  PetscFunctionBegin;
  (void)y, (void)record;
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateHalo(x[i], 1, WEFT_GHOST_COPY));
    if (dx[i]) PetscCall(WeftStateHalo(dx[i], 1, WEFT_GHOST_COPY));
  }
  PetscCall(WeftStateZero(dy[0]));
  if (dx[0]) PetscCall(WeftStateAXPY(dy[0], 1.0, dx[0]));
  if (dx[0]) AddDivergence(op, x[1], dx[0], dy[0]);
  if (dx[1]) AddDivergence(op, dx[1], x[0], dy[0]);
  PetscFunctionReturn(0);
}

/* x_bar += y_bar + dt div(k grad y_bar), k_bar -= dt / 2 sum over the faces of a cell of (difference of x) (difference of y_bar) / h^2:
   the map is symmetric in x, and a copied ghost lets no flux through. */
static PetscErrorCode ConductAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y, (void)record;
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateHalo(x[i], 1, WEFT_GHOST_COPY));
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_COPY));
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, y_bar[0]));
  if (x_bar[0]) AddDivergence(op, x[1], y_bar[0], x_bar[0]);
  for (PetscInt b = 0; b < info->batch && x_bar[1]; b++)
    for (PetscInt a = 0; a < l->dim; a++) AddProducts(WeftRowsOwned(l, WEFT_CELL), l->stride[a], 0.5 * ((Conduct *)WeftOpContext(op))->dt / (l->h[a] * l->h[a]), WeftStatePlane(x[0], 0, b), WeftStatePlane(y_bar[0], 0, b), WeftStatePlaneWrite(x_bar[1], 0, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode ConductDestroy(void *context) { return PetscFree(context); }

PetscErrorCode WeftOpCreateConduct(WeftSpace cells, WeftSpace conductivity, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps  = {ConductApply, ConductTangent, ConductAdjoint, ConductDestroy, NULL};
  const WeftSpace         in[2] = {cells, conductivity};
  Conduct                *context;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("Conduct", cells, 1, NULL));
  PetscCall(WeftOpCheckCells("Conduct", conductivity, 1, cells));
  PetscCall(PetscNew(&context));
  context->dt = dt;
  PetscCall(WeftOpCreate("Conduct", &maps, context, WEFT_NEEDS_INPUTS, 2, in, 1, &cells, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Conduct(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace cells;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 1, &cells));
  PetscCall(WeftOpCreateConduct(cells, cells, 0.2, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
