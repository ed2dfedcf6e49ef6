/* Explicit diffusion of every field: y = x + dt viscosity Laplacian(x), one Euler step of the second-order Laplacian. */
#include "op/rows.h"

typedef struct {
  PetscReal dt;
} Diffuse;

/* ---- kernels: sums of c[a] times the second difference along axis a ------------------------------------------- */

WEFT_INLINE double Second(const double *restrict x, PetscInt i, PetscInt s) { return (x[i - s] + x[i + s]) - 2.0 * x[i]; }

WEFT_INLINE double Laplacian(const PetscInt dim, const double *restrict x, PetscInt i, PetscInt sy, PetscInt sz, double cx, double cy, double cz)
{
  double sum = cx * Second(x, i, 1);
  if (dim > 1) sum += cy * Second(x, i, sy);
  if (dim > 2) sum += cz * Second(x, i, sz);
  return sum;
}

/* y [+]= own x + Laplacian. */
WEFT_INLINE void Loop(const PetscInt dim, const PetscBool add, WeftRows rows, const double c[3], double own, const double *restrict x, double *restrict y)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double   cx = c[0], cy = c[1], cz = c[2];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) {
        const double value = own * x[i] + Laplacian(dim, x, i, sy, sz, cx, cy, cz);
        y[i]               = add ? y[i] + value : value;
      }
    }
  }
}

WEFT_KERNEL static void Set(PetscInt dim, WeftRows rows, const double c[3], double own, const double *restrict x, double *restrict y)
{
  if (dim == 1) Loop(1, PETSC_FALSE, rows, c, own, x, y);
  else if (dim == 2) Loop(2, PETSC_FALSE, rows, c, own, x, y);
  else Loop(3, PETSC_FALSE, rows, c, own, x, y);
}

WEFT_KERNEL static void Add(PetscInt dim, WeftRows rows, const double c[3], double own, const double *restrict x, double *restrict y)
{
  if (dim == 1) Loop(1, PETSC_TRUE, rows, c, own, x, y);
  else if (dim == 2) Loop(2, PETSC_TRUE, rows, c, own, x, y);
  else Loop(3, PETSC_TRUE, rows, c, own, x, y);
}

WEFT_INLINE double DotLoop(const PetscInt dim, WeftRows rows, const double c[3], const double *restrict x, const double *restrict y)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double   cx = c[0], cy = c[1], cz = c[2];
  double         total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      WEFT_SUM(total, i, row, row + rows.n[0], y[i] * Laplacian(dim, x, i, sy, sz, cx, cy, cz));
    }
  }
  return total;
}

/* Sum of y Laplacian(x). */
WEFT_KERNEL static double Dot(PetscInt dim, WeftRows rows, const double c[3], const double *restrict x, const double *restrict y)
{
  if (dim == 1) return DotLoop(1, rows, c, x, y);
  if (dim == 2) return DotLoop(2, rows, c, x, y);
  return DotLoop(3, rows, c, x, y);
}

static void Coefficients(const WeftLayout *l, double factor, double c[3])
{
  for (PetscInt a = 0; a < 3; a++) c[a] = factor / (l->h[a] * l->h[a]);
}

/* ---- maps ----------------------------------------------------------------------------------------------------- */

static PetscErrorCode DiffuseApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info      = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l         = WeftGridLayout(info->grid);
  const double        *viscosity = (const double *)WeftStateData(x[1]), dt = ((Diffuse *)WeftOpContext(op))->dt;

  PetscFunctionBegin;
  (void)record;
  for (PetscInt part = 0; part < WeftGridParts(info->grid); part++) {
    PetscCall(WeftStatesHaloPart(1, x, 1, WEFT_GHOST_VALUE, part));
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows = WeftRowsPart(info->grid, info->location[f], 1, part);
      for (PetscInt b = 0; b < info->batch; b++) {
        double c[3];
        Coefficients(l, dt * viscosity[b], c);
        Set(l->dim, rows, c, 1.0, WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(y[0], f, b));
      }
    }
  }
  PetscFunctionReturn(0);
}

/* dy = dx + dt viscosity Laplacian(dx) + dt dviscosity Laplacian(x) */
static PetscErrorCode DiffuseTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftSpaceInfo *info      = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l         = WeftGridLayout(info->grid);
  const double        *viscosity = (const double *)WeftStateData(x[1]), dt = ((Diffuse *)WeftOpContext(op))->dt;
  const double        *change    = dx[1] ? (const double *)WeftStateData(dx[1]) : NULL;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (dx[0]) PetscCall(WeftStateHalo(dx[0], 1, WEFT_GHOST_LINEAR));
  else PetscCall(WeftStateZero(dy[0]));
  if (change) PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(l, info->location[f]);
    for (PetscInt b = 0; b < info->batch; b++) {
      double *dy_plane = WeftStatePlaneWrite(dy[0], f, b), c[3];
      Coefficients(l, dt * viscosity[b], c);
      if (dx[0]) Set(l->dim, rows, c, 1.0, WeftStatePlane(dx[0], f, b), dy_plane);
      if (!change) continue;
      Coefficients(l, dt * change[b], c);
      Add(l->dim, rows, c, 0.0, WeftStatePlane(x[0], f, b), dy_plane);
    }
  }
  PetscFunctionReturn(0);
}

/* viscosity_bar += dt sum of y_bar Laplacian(x) */
static PetscErrorCode AddViscosity(WeftOp op, WeftState x, WeftState y_bar, double viscosity_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  double               c[3];

  PetscFunctionBegin;
  Coefficients(l, ((Diffuse *)WeftOpContext(op))->dt, c);
  PetscCall(WeftStateHalo(x, 1, WEFT_GHOST_VALUE));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) viscosity_bar[b] += Dot(l->dim, WeftRowsOwned(l, info->location[f]), c, WeftStatePlane(x, f, b), WeftStatePlane(y_bar, f, b));
  PetscFunctionReturn(0);
}

/* x_bar += (1 + dt viscosity Laplacian)^T y_bar: the stencil is its own transpose; the sides' ghosts gather and are folded. */
static PetscErrorCode DiffuseAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info          = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l             = WeftGridLayout(info->grid);
  const double        *viscosity     = (const double *)WeftStateData(x[1]), dt = ((Diffuse *)WeftOpContext(op))->dt;
  double              *viscosity_bar = x_bar[1] ? (double *)WeftStateDataWrite(x_bar[1]) : NULL;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  for (PetscInt part = 0; part < WeftGridParts(info->grid) && x_bar[0]; part++) {
    PetscCall(WeftStatesHaloPart(1, y_bar, 2, WEFT_GHOST_ZERO, part));
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows = WeftRowsGatherPart(info->grid, info->location[f], 1, 1, part);
      for (PetscInt b = 0; b < info->batch; b++) {
        double c[3];
        Coefficients(l, dt * viscosity[b], c);
        Add(l->dim, rows, c, 1.0, WeftStatePlane(y_bar[0], f, b), WeftStatePlaneWrite(x_bar[0], f, b));
      }
    }
  }
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  if (viscosity_bar) PetscCall(AddViscosity(op, x[0], y_bar[0], viscosity_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode DiffuseDestroy(void *context) { return PetscFree(context); }

PetscErrorCode WeftOpCreateDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps = {DiffuseApply, DiffuseTangent, DiffuseAdjoint, DiffuseDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(fields);
  WeftSpace               in[2] = {fields, NULL};
  Diffuse                *context;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Diffuse", fields, NULL));
  PetscCall(WeftOpCheckHalo("Diffuse", fields, 2));
  PetscCall(PetscNew(&context));
  context->dt = dt;
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &in[1]));
  PetscCall(WeftOpCreate("Diffuse", &maps, context, WEFT_NEEDS_INPUTS, 2, in, 1, &fields, op));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Diffuse(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpCreateDiffuse(space, 0.1 * PetscSqr(WeftGridLayout(grid)->h[0]), &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
