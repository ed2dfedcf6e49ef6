/* Buoyancy: y = velocity + dt strength (scalar at the face), one strength per axis and sample. The scalar at a face is the mean of
   the two cells beside it; beyond the sides the nearest cell is copied. */
#include "op/rows.h"

typedef struct {
  PetscReal dt;
} Buoyancy;

/* y := u + c (s[i - 1] + s[i]) along the axis of stride `step`; u NULL: zero. */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt step, double c, const double *restrict u, const double *restrict s, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (u)
        for (PetscInt i = row; i < end; i++) y[i] = u[i] + c * (s[i - step] + s[i]);
      else
        for (PetscInt i = row; i < end; i++) y[i] = c * (s[i - step] + s[i]);
    }
  }
}

/* y += c (s[i] + s[i + step]): upwards from faces to the cells beside them, downwards (step < 0) from cells to faces. */
WEFT_KERNEL static void Add(WeftRows rows, PetscInt step, double c, const double *restrict s, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) y[i] += c * (s[i] + s[i + step]);
    }
  }
}

/* Sum of y_bar (s[i - 1] + s[i]). */
WEFT_KERNEL static double Dot(WeftRows rows, PetscInt step, const double *restrict s, const double *restrict y_bar)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      WEFT_SUM(total, i, row, row + rows.n[0], y_bar[i] * (s[i - step] + s[i]));
    }
  }
  return total;
}

static PetscErrorCode BuoyancyApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l        = WeftGridLayout(info->grid);
  const double        *strength = (const double *)WeftStateData(x[2]), half = 0.5 * ((Buoyancy *)WeftOpContext(op))->dt;

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateHalo(x[1], 1, WEFT_GHOST_COPY));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) Set(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], half * strength[b * l->dim + a], WeftStatePlane(x[0], a, b), WeftStatePlane(x[1], 0, b), WeftStatePlaneWrite(y[0], a, b));
  PetscFunctionReturn(0);
}

/* dy = dvelocity + dt (dstrength scalar + strength dscalar) */
static PetscErrorCode BuoyancyTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l        = WeftGridLayout(info->grid);
  const double        *strength = (const double *)WeftStateData(x[2]), half = 0.5 * ((Buoyancy *)WeftOpContext(op))->dt;
  const double        *change   = dx[2] ? (const double *)WeftStateData(dx[2]) : NULL;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(x[1], 1, WEFT_GHOST_COPY));
  if (dx[1]) PetscCall(WeftStateHalo(dx[1], 1, WEFT_GHOST_COPY));
  for (PetscInt a = 0; a < l->dim; a++) {
    const WeftRows rows = WeftRowsOwned(l, (WeftLocation)a);
    for (PetscInt b = 0; b < info->batch; b++) {
      double *dy_plane = WeftStatePlaneWrite(dy[0], a, b);
      Set(rows, l->stride[a], change ? half * change[b * l->dim + a] : 0.0, dx[0] ? WeftStatePlane(dx[0], a, b) : NULL, WeftStatePlane(x[1], 0, b), dy_plane);
      if (dx[1]) Add(rows, -l->stride[a], half * strength[b * l->dim + a], WeftStatePlane(dx[1], 0, b), dy_plane);
    }
  }
  PetscFunctionReturn(0);
}

/* velocity_bar += y_bar; scalar_bar += dt strength (mean of y_bar on the faces of the cell), ghosts beyond open sides folded;
   strength_bar += dt sum of y_bar scalar */
static PetscErrorCode BuoyancyAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info         = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l            = WeftGridLayout(info->grid);
  const double        *strength     = (const double *)WeftStateData(x[2]), half = 0.5 * ((Buoyancy *)WeftOpContext(op))->dt;
  double              *strength_bar = x_bar[2] ? (double *)WeftStateDataWrite(x_bar[2]) : NULL;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, y_bar[0]));
  if (x_bar[1]) {
    PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
    PetscCall(WeftStateFold(x_bar[1], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  }
  if (strength_bar) PetscCall(WeftStateHalo(x[1], 1, WEFT_GHOST_COPY));
  for (PetscInt a = 0; a < l->dim; a++) {
    for (PetscInt b = 0; b < info->batch; b++) {
      const PetscInt n = b * l->dim + a;
      if (x_bar[1]) Add(WeftRowsBesideFaces(l, a), l->stride[a], half * strength[n], WeftStatePlane(y_bar[0], a, b), WeftStatePlaneWrite(x_bar[1], 0, b));
      if (strength_bar) strength_bar[n] += half * Dot(WeftRowsOwned(l, (WeftLocation)a), l->stride[a], WeftStatePlane(x[1], 0, b), WeftStatePlane(y_bar[0], a, b));
    }
  }
  if (x_bar[1]) PetscCall(WeftStateFold(x_bar[1], 1, WEFT_GHOST_COPY));
  PetscFunctionReturn(0);
}

static PetscErrorCode BuoyancyDestroy(void *context) { return PetscFree(context); }

PetscErrorCode WeftOpCreateBuoyancy(WeftSpace velocity, WeftSpace scalar, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps  = {BuoyancyApply, BuoyancyTangent, BuoyancyAdjoint, BuoyancyDestroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(velocity);
  WeftSpace               in[3] = {velocity, scalar, NULL};
  Buoyancy               *context;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("Buoyancy", velocity, NULL));
  PetscCall(WeftOpCheckCells("Buoyancy", scalar, 1, velocity));
  PetscCall(PetscNew(&context));
  context->dt = dt;
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, info->fields, PETSC_TRUE, &in[2]));
  PetscCall(WeftOpCreate("Buoyancy", &maps, context, WEFT_NEEDS_INPUTS, 3, in, 1, &velocity, op));
  PetscCall(WeftSpaceDestroy(&in[2]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Buoyancy(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, scalar;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, batch, 1, &scalar));
  PetscCall(WeftOpCreateBuoyancy(velocity, scalar, 0.3, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&scalar));
  PetscFunctionReturn(0);
}
