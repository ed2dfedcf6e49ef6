/* Right-hand side of the Gray-Scott model (Pearson 1993): two cell fields,
     u_t = D_u Laplacian(u) - u v^2 + feed (1 - u),   v_t = D_v Laplacian(v) + u v^2 - (feed + kill) v. */
#include "op/rows.h"
#include <weft/model.h>

typedef struct {
  double u[3], v[3]; /* diffusivity / h^2 along each axis */
  double feed, kill;
} Rates;

/* Planes of both fields. */
typedef struct {
  const double *u, *v;
} Pair;
typedef struct {
  double *u, *v;
} PairWrite;

WEFT_INLINE double Laplacian(const PetscInt dim, const double *restrict x, PetscInt i, PetscInt sy, PetscInt sz, const double c[3])
{
  double sum = c[0] * ((x[i - 1] + x[i + 1]) - 2.0 * x[i]);
  if (dim > 1) sum += c[1] * ((x[i - sy] + x[i + sy]) - 2.0 * x[i]);
  if (dim > 2) sum += c[2] * ((x[i - sz] + x[i + sz]) - 2.0 * x[i]);
  return sum;
}

/* ---- kernels: one pass over both fields ------------------------------------------------------------------------------------ */

#define FOR_ROWS(rows)                                                                                                         \
  for (PetscInt k = 0; k < (rows).n[2]; k++)                                                                                   \
    for (PetscInt j = 0; j < (rows).n[1]; j++)                                                                                 \
      for (PetscInt i = WEFT_ROW(rows, j, k), end = i + (rows).n[0]; i < end; i++)

WEFT_INLINE void RatesLoop(const PetscInt dim, WeftRows rows, Rates r, Pair x, PairWrite y)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double *restrict u = x.u, *restrict v = x.v;
  double *restrict fu = y.u, *restrict fv = y.v;

  FOR_ROWS(rows)
  {
    const double uvv = u[i] * v[i] * v[i];
    fu[i]            = Laplacian(dim, u, i, sy, sz, r.u) - uvv + r.feed * (1.0 - u[i]);
    fv[i]            = Laplacian(dim, v, i, sy, sz, r.v) + uvv - (r.feed + r.kill) * v[i];
  }
}

/* The derivative at x: d along du, dv. */
WEFT_INLINE void TangentLoop(const PetscInt dim, WeftRows rows, Rates r, Pair x, Pair dx, PairWrite dy)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double *restrict u = x.u, *restrict v = x.v, *restrict du = dx.u, *restrict dv = dx.v;
  double *restrict fu = dy.u, *restrict fv = dy.v;

  FOR_ROWS(rows)
  {
    const double duvv = v[i] * v[i] * du[i] + 2.0 * u[i] * v[i] * dv[i];
    fu[i]             = Laplacian(dim, du, i, sy, sz, r.u) - duvv - r.feed * du[i];
    fv[i]             = Laplacian(dim, dv, i, sy, sz, r.v) + duvv - (r.feed + r.kill) * dv[i];
  }
}

/* Its transpose, added; over the rows that gather, y_bar being 0 behind the sides. */
WEFT_INLINE void AdjointLoop(const PetscInt dim, WeftRows rows, Rates r, Pair x, Pair y_bar, PairWrite x_bar)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double *restrict u = x.u, *restrict v = x.v, *restrict p = y_bar.u, *restrict q = y_bar.v;
  double *restrict u_bar = x_bar.u, *restrict v_bar = x_bar.v;

  FOR_ROWS(rows)
  {
    const double uvv_bar = q[i] - p[i];
    u_bar[i] += Laplacian(dim, p, i, sy, sz, r.u) + v[i] * v[i] * uvv_bar - r.feed * p[i];
    v_bar[i] += Laplacian(dim, q, i, sy, sz, r.v) + 2.0 * u[i] * v[i] * uvv_bar - (r.feed + r.kill) * q[i];
  }
}

#define BY_DIMENSION(loop, dim, ...)                                                                                           \
  do {                                                                                                                         \
    if (dim == 1) loop(1, __VA_ARGS__);                                                                                        \
    else if (dim == 2) loop(2, __VA_ARGS__);                                                                                   \
    else loop(3, __VA_ARGS__);                                                                                                 \
  } while (0)

WEFT_KERNEL static void SetRates(PetscInt dim, WeftRows rows, Rates r, Pair x, PairWrite y) { BY_DIMENSION(RatesLoop, dim, rows, r, x, y); }
WEFT_KERNEL static void SetTangent(PetscInt dim, WeftRows rows, Rates r, Pair x, Pair dx, PairWrite dy) { BY_DIMENSION(TangentLoop, dim, rows, r, x, dx, dy); }
WEFT_KERNEL static void AddAdjoint(PetscInt dim, WeftRows rows, Rates r, Pair x, Pair y_bar, PairWrite x_bar) { BY_DIMENSION(AdjointLoop, dim, rows, r, x, y_bar, x_bar); }

/* dy += the change of the right-hand side with the numbers. */
WEFT_KERNEL static void AddNumbers(PetscInt dim, WeftRows rows, Rates d, Pair x, PairWrite dy)
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double *restrict u = x.u, *restrict v = x.v;
  double *restrict fu = dy.u, *restrict fv = dy.v;

  FOR_ROWS(rows)
  {
    fu[i] += Laplacian(dim, u, i, sy, sz, d.u) + d.feed * (1.0 - u[i]);
    fv[i] += Laplacian(dim, v, i, sy, sz, d.v) - (d.feed + d.kill) * v[i];
  }
}

/* bar[0..3]: by D_u, D_v, feed, kill; unit: 1 / h^2 along each axis. */
WEFT_KERNEL static void Dots(PetscInt dim, WeftRows rows, const double unit[3], Pair x, Pair y_bar, double bar[4])
{
  const PetscInt sy = rows.stride[1], sz = rows.stride[2];
  const double *restrict u = x.u, *restrict v = x.v, *restrict p = y_bar.u, *restrict q = y_bar.v;
  double feed = 0.0, kill = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      WEFT_SUM(bar[0], i, row, end, p[i] * Laplacian(dim, u, i, sy, sz, unit));
      WEFT_SUM(bar[1], i, row, end, q[i] * Laplacian(dim, v, i, sy, sz, unit));
      WEFT_SUM(feed, i, row, end, p[i] * (1.0 - u[i]));
      WEFT_SUM(kill, i, row, end, q[i] * v[i]);
    }
  bar[2] += feed - kill;
  bar[3] -= kill;
}

/* ---- maps ---------------------------------------------------------------------------------------------------------------------- */

/* Numbers of sample b: diffusivities [2], rates [2]; NULL: zero. */
static Rates RatesOf(const WeftLayout *l, WeftState diffusivity, WeftState rates, PetscInt b)
{
  const double *d = diffusivity ? (const double *)WeftStateData(diffusivity) + 2 * b : (const double[]){0.0, 0.0};
  const double *k = rates ? (const double *)WeftStateData(rates) + 2 * b : (const double[]){0.0, 0.0};
  Rates         r = {.feed = k[0], .kill = k[1]};

  for (PetscInt a = 0; a < l->dim; a++) {
    r.u[a] = d[0] / (l->h[a] * l->h[a]);
    r.v[a] = d[1] / (l->h[a] * l->h[a]);
  }
  return r;
}

static Pair      PairOf(WeftState x, PetscInt b) { return (Pair){WeftStatePlane(x, 0, b), WeftStatePlane(x, 1, b)}; }
static PairWrite PairWriteOf(WeftState x, PetscInt b) { return (PairWrite){WeftStatePlaneWrite(x, 0, b), WeftStatePlaneWrite(x, 1, b)}; }

static PetscErrorCode GrayScottApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt b = 0; b < info->batch; b++) SetRates(l->dim, WeftRowsOwned(l, WEFT_CELL), RatesOf(l, x[1], x[2], b), PairOf(x[0], b), PairWriteOf(y[0], b));
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  if (dx[0]) PetscCall(WeftStateHalo(dx[0], 1, WEFT_GHOST_LINEAR));
  else PetscCall(WeftStateZero(dy[0]));
  if (dx[1] || dx[2]) PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt b = 0; b < info->batch; b++) {
    if (dx[0]) SetTangent(l->dim, WeftRowsOwned(l, WEFT_CELL), RatesOf(l, x[1], x[2], b), PairOf(x[0], b), PairOf(dx[0], b), PairWriteOf(dy[0], b));
    if (dx[1] || dx[2]) {
      Rates change = RatesOf(l, dx[1], dx[2], b);
      AddNumbers(l->dim, WeftRowsOwned(l, WEFT_CELL), change, PairOf(x[0], b), PairWriteOf(dy[0], b));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode GrayScottAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  const double         unit[3] = {1.0 / (l->h[0] * l->h[0]), 1.0 / (l->h[1] * l->h[1]), 1.0 / (l->h[2] * l->h[2])};

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  if (x_bar[0]) {
    PetscCall(WeftStateHalo(y_bar[0], 2, WEFT_GHOST_ZERO));
    PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  }
  for (PetscInt b = 0; b < info->batch; b++) {
    double bar[4] = {0.0, 0.0, 0.0, 0.0};
    if (x_bar[0]) AddAdjoint(l->dim, WeftRowsGather(l, WEFT_CELL, 1), RatesOf(l, x[1], x[2], b), PairOf(x[0], b), PairOf(y_bar[0], b), PairWriteOf(x_bar[0], b));
    if (x_bar[1] || x_bar[2]) Dots(l->dim, WeftRowsOwned(l, WEFT_CELL), unit, PairOf(x[0], b), PairOf(y_bar[0], b), bar);
    for (PetscInt n = 0; n < 2; n++) {
      if (x_bar[1]) ((double *)WeftStateDataWrite(x_bar[1]))[2 * b + n] += bar[n];
      if (x_bar[2]) ((double *)WeftStateDataWrite(x_bar[2]))[2 * b + n] += bar[2 + n];
    }
  }
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

/* ---- stencil ------------------------------------------------------------------------------------------------------------------- */

/* Per field: the place itself, the other field there, then the neighbours along each axis. */
static PetscInt Entries(PetscInt dim, WeftStencilEntry entry[])
{
  PetscInt n = 0;

  for (PetscInt f = 0; f < 2; f++) {
    entry[n++] = (WeftStencilEntry){f, f, {0, 0, 0}};
    entry[n++] = (WeftStencilEntry){f, 1 - f, {0, 0, 0}};
    for (PetscInt a = 0; a < dim; a++)
      for (PetscInt end = -1; end <= 1; end += 2) {
        entry[n]             = (WeftStencilEntry){f, f, {0, 0, 0}};
        entry[n++].offset[a] = end;
      }
  }
  return n;
}

/* own: -2 sum of the diffusion coefficients, of u and of v. */
WEFT_KERNEL static void SetReaction(WeftRows rows, Rates r, const double own[2], Pair x, double *restrict uu, double *restrict uv, double *restrict vv, double *restrict vu)
{
  const double *restrict u = x.u, *restrict v = x.v;

  FOR_ROWS(rows)
  {
    const double by_u = v[i] * v[i], by_v = 2.0 * u[i] * v[i];
    uu[i] = own[0] - by_u - r.feed;
    uv[i] = -by_v;
    vv[i] = own[1] + by_v - (r.feed + r.kill);
    vu[i] = by_u;
  }
}

WEFT_KERNEL static void SetConstant(WeftRows rows, double value, double *restrict c)
{
  FOR_ROWS(rows) c[i] = value;
}

static PetscErrorCode GrayScottCoefficients(WeftOp op, void *context, const WeftState x[], PetscInt b, double *const coefficient[])
{
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid);
  const WeftRows    rows   = WeftRowsOwned(l, WEFT_CELL);
  const Rates       r      = RatesOf(l, x[1], x[2], b);
  const PetscInt    per    = 2 + 2 * l->dim;
  double            own[2] = {0.0, 0.0};

  PetscFunctionBegin;
  (void)context;
  for (PetscInt a = 0; a < l->dim; a++) {
    own[0] -= 2.0 * r.u[a];
    own[1] -= 2.0 * r.v[a];
  }
  SetReaction(rows, r, own, PairOf(x[0], b), coefficient[0], coefficient[1], coefficient[per], coefficient[per + 1]);
  for (PetscInt e = 2; e < per; e++) {
    SetConstant(rows, r.u[(e - 2) / 2], coefficient[e]);
    SetConstant(rows, r.v[(e - 2) / 2], coefficient[per + e]);
  }
  PetscFunctionReturn(0);
}

/* ---- create ---------------------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftOpCreateGrayScott(WeftSpace space, WeftOp *op)
{
  static const WeftOpMaps maps  = {GrayScottApply, GrayScottTangent, GrayScottAdjoint, NULL, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(space);
  WeftSpace               in[3] = {space, NULL, NULL};
  WeftStencilEntry        entry[16];
  WeftStencil             stencil = {.entry = entry, .coefficients = GrayScottCoefficients, .depends = 7u};

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("GrayScott", space, 2, NULL));
  PetscCall(WeftOpCheckHalo("GrayScott", space, 2));
  for (PetscInt i = 1; i < 3; i++) PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 2, PETSC_TRUE, &in[i]));
  PetscCall(WeftOpCreate("GrayScott", &maps, NULL, WEFT_NEEDS_INPUTS, 3, in, 1, &space, op));
  stencil.entries = Entries(WeftGridLayout(info->grid)->dim, entry);
  PetscCall(WeftOpSetStencil(*op, &stencil));
  for (PetscInt i = 1; i < 3; i++) PetscCall(WeftSpaceDestroy(&in[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_GrayScott(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftOpCreateGrayScott(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
