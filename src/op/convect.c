/* Centred convection of a staggered velocity by itself, one Euler step in flux form: y = u - dt div(u u), every flux the product of two
   means (Harlow, Welch: Numerical calculation of time-dependent viscous incompressible flow, Phys. Fluids 8, 1965).
   Component a, at its faces: along its own axis the flux at cells is m m, m = (u_a[i] + u_a[i + a]) / 2; along b at edges it is m n with
   m = (u_a[i - b] + u_a[i]) / 2 and n = (u_b[i - a] + u_b[i]) / 2. Momentum is kept; the error is of second order in space. */
#include "op/rows.h"

typedef struct {
  PetscReal dt;
} Convect;

/* One component: its axis comes first, then the others. */
typedef struct {
  const double *u[3], *du[3]; /* velocity and its tangent, or (adjoint) the outputs' adjoint */
  PetscInt      s[3];         /* strides */
  double        c[3];         /* dt / h */
} Component;

WEFT_INLINE double Mean(const double *restrict u, PetscInt i, PetscInt s)
{
  return 0.5 * (u[i - s] + u[i]);
}

/* ---- kernels: flux differences, their tangent, their transpose -------------------------------------------------------- */

/* Flux at the cell i, from the faces i and i + s; at the edge i, along an axis of stride t. */
WEFT_INLINE double AtCell(const double *restrict u, PetscInt i, PetscInt s)
{
  const double m = Mean(u, i + s, s);
  return m * m;
}
WEFT_INLINE double AtEdge(const double *restrict u, const double *restrict v, PetscInt i, PetscInt s, PetscInt t)
{
  return Mean(u, i, t) * Mean(v, i, s);
}

WEFT_INLINE void ApplyLoop(const PetscInt dim, WeftRows rows, const Component *p, double *restrict y)
{
  const double *restrict u = p->u[0], *restrict v = p->u[1], *restrict w = p->u[2];
  const double   a = p->c[0], b = p->c[1], c = p->c[2];
  const PetscInt s = p->s[0], t = p->s[1], r = p->s[2];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
#pragma GCC ivdep /* more arrays than the compiler compares */
      for (PetscInt i = row; i < row + rows.n[0]; i++) {
        double gone = a * (AtCell(u, i, s) - AtCell(u, i - s, s));
        if (dim > 1) gone += b * (AtEdge(u, v, i + t, s, t) - AtEdge(u, v, i, s, t));
        if (dim > 2) gone += c * (AtEdge(u, w, i + r, s, r) - AtEdge(u, w, i, s, r));
        y[i] = u[i] - gone;
      }
    }
  }
}

WEFT_KERNEL static void Apply(PetscInt dim, WeftRows rows, const Component *p, double *restrict y)
{
  if (dim == 1) ApplyLoop(1, rows, p, y);
  else if (dim == 2) ApplyLoop(2, rows, p, y);
  else ApplyLoop(3, rows, p, y);
}

WEFT_INLINE double AtCellTangent(const double *restrict u, const double *restrict du, PetscInt i, PetscInt s)
{
  return 2.0 * Mean(u, i + s, s) * Mean(du, i + s, s);
}
WEFT_INLINE double AtEdgeTangent(const double *restrict u, const double *restrict v, const double *restrict du,
                                 const double *restrict dv, PetscInt i, PetscInt s, PetscInt t)
{
  return Mean(du, i, t) * Mean(v, i, s) + Mean(u, i, t) * Mean(dv, i, s);
}

WEFT_KERNEL static void Tangent(PetscInt dim, WeftRows rows, const Component *p, double *restrict dy)
{
  const double *restrict u = p->u[0], *restrict du = p->du[0];
  const PetscInt s = p->s[0];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      for (PetscInt i = row; i < end; i++) dy[i] = du[i] - p->c[0] * (AtCellTangent(u, du, i, s) - AtCellTangent(u, du, i - s, s));
      for (PetscInt b = 1; b < dim; b++) {
        const double *restrict v = p->u[b], *restrict dv = p->du[b], c = p->c[b];
        const PetscInt t = p->s[b];
        for (PetscInt i = row; i < end; i++)
          dy[i] -= c * (AtEdgeTangent(u, v, du, dv, i + t, s, t) - AtEdgeTangent(u, v, du, dv, i, s, t));
      }
    }
  }
}

/* What the flux at a cell, at an edge gives to the mean of component 0: the other factor times the flux's adjoint. */
WEFT_INLINE double CellGives(const double *restrict u, const double *restrict bar, PetscInt i, PetscInt s, double a)
{
  return Mean(u, i + s, s) * (a * (bar[i + s] - bar[i]));
}
WEFT_INLINE double EdgeGives(const double *restrict v, const double *restrict bar, const double *restrict v_bar, PetscInt i, PetscInt s,
                             PetscInt t, double a, double b)
{
  return Mean(v, i, s) * (b * (bar[i] - bar[i - t]) + a * (v_bar[i] - v_bar[i - s]));
}

WEFT_INLINE void AdjointLoop(const PetscInt dim, WeftRows rows, const Component *p, double *restrict u_bar)
{
  const double *restrict u = p->u[0], *restrict v = p->u[1], *restrict w = p->u[2];
  const double *restrict bar = p->du[0], *restrict v_bar = p->du[1], *restrict w_bar = p->du[2];
  const double   a = p->c[0], b = p->c[1], c = p->c[2];
  const PetscInt s = p->s[0], t = p->s[1], r = p->s[2];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
#pragma GCC ivdep /* more arrays than the compiler compares */
      for (PetscInt i = row; i < row + rows.n[0]; i++) {
        double got = bar[i] + (CellGives(u, bar, i, s, a) + CellGives(u, bar, i - s, s, a));
        if (dim > 1) got += 0.5 * (EdgeGives(v, bar, v_bar, i, s, t, a, b) + EdgeGives(v, bar, v_bar, i + t, s, t, a, b));
        if (dim > 2) got += 0.5 * (EdgeGives(w, bar, w_bar, i, s, r, a, c) + EdgeGives(w, bar, w_bar, i + r, s, r, a, c));
        u_bar[i] += got;
      }
    }
  }
}

WEFT_KERNEL static void Adjoint(PetscInt dim, WeftRows rows, const Component *p, double *restrict u_bar)
{
  if (dim == 1) AdjointLoop(1, rows, p, u_bar);
  else if (dim == 2) AdjointLoop(2, rows, p, u_bar);
  else AdjointLoop(3, rows, p, u_bar);
}

/* ---- maps ------------------------------------------------------------------------------------------------------------ */

/* Component `axis` of sample b; change: the tangent of u or the outputs' adjoint, or NULL. */
static Component Of(WeftOp op, PetscInt axis, PetscInt b, WeftState u, WeftState change)
{
  const WeftLayout *l  = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  const PetscReal   dt = ((Convect *)WeftOpContext(op))->dt;
  Component         p  = {{NULL, NULL, NULL}, {NULL, NULL, NULL}, {0, 0, 0}, {0.0, 0.0, 0.0}};

  for (PetscInt n = 0; n < l->dim; n++) {
    const PetscInt a = (axis + n) % l->dim;
    p.u[n]           = WeftStatePlane(u, a, b);
    p.du[n]          = change ? WeftStatePlane(change, a, b) : NULL;
    p.s[n]           = l->stride[a];
    p.c[n]           = dt / l->h[a];
  }
  return p;
}

static PetscErrorCode ConvectApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const Component p = Of(op, a, b, x[0], NULL);
      Apply(l->dim, WeftRowsOwned(l, (WeftLocation)a), &p, WeftStatePlaneWrite(y[0], a, b));
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode ConvectTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (!dx[0]) {
    PetscCall(WeftStateZero(dy[0]));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  PetscCall(WeftStateHalo(dx[0], 1, WEFT_GHOST_LINEAR));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const Component p = Of(op, a, b, x[0], dx[0]);
      Tangent(l->dim, WeftRowsOwned(l, (WeftLocation)a), &p, WeftStatePlaneWrite(dy[0], a, b));
    }
  PetscFunctionReturn(0);
}

/* u_bar += y_bar + the means' transpose of what the fluxes give; the sides' ghosts gather and are folded. */
static PetscErrorCode ConvectAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(x[0], 2, WEFT_GHOST_VALUE));
  PetscCall(WeftStateHalo(y_bar[0], 2, WEFT_GHOST_ZERO));
  PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const Component p = Of(op, a, b, x[0], y_bar[0]);
      Adjoint(l->dim, WeftRowsGather(l, (WeftLocation)a, 1), &p, WeftStatePlaneWrite(x_bar[0], a, b));
    }
  PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

static PetscErrorCode ConvectDestroy(void *context) { return PetscFree(context); }

PetscErrorCode WeftOpCreateConvect(WeftSpace velocity, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps = {ConvectApply, ConvectTangent, ConvectAdjoint, ConvectDestroy, NULL};
  Convect                *context;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("Convect", velocity, NULL));
  PetscCall(WeftOpCheckHalo("Convect", velocity, 2));
  PetscCall(PetscNew(&context));
  context->dt = dt;
  PetscCall(WeftOpCreate("Convect", &maps, context, WEFT_NEEDS_INPUTS, 1, &velocity, 1, &velocity, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Convect(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpCreateConvect(velocity, 0.4 * WeftGridLayout(grid)->h[0], &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
