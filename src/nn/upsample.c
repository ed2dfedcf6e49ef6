/* Up-sampling by 2: a fine cell from the coarse cells around it, axis by axis
     y(2i)     = a x(i) + b x(i - 1)
     y(2i + 1) = a x(i) + b x(i + 1)
   nearest: a = 1, b = 0; bilinear (trilinear): a = 3/4, b = 1/4, beyond sides that are not periodic the nearest cell.
   adjoint: x_bar(i) += b y_bar(2i - 1) + a y_bar(2i) + a y_bar(2i + 1) + b y_bar(2i + 2); beside such a side the fine cell at
   the wall counts a + b. */
#include "base/kernel.h"
#include "nn/builder.h"

typedef struct {
  double       a, b;
  WeftFeatures x, y;
  WeftFamily   family;
  void        *row; /* one row of coarse (apply) or fine (adjoint) cells with a ghost at both ends */
} Upsample;

#define UPSAMPLE(type)                                                                                                         \
  WEFT_KERNEL static void AddRow_##type(PetscInt n, double factor, const type *restrict x, type *restrict y)                   \
  {                                                                                                                            \
    const type w = (type)factor;                                                                                               \
    for (PetscInt i = 0; i < n; i++) y[i] += w * x[i];                                                                         \
  }                                                                                                                            \
  /* Two fine cells of each of n coarse ones. */                                                                               \
  WEFT_KERNEL static void Spread_##type(PetscInt n, PetscInt channels, double near, double far, const type *restrict x,        \
                                        type *restrict y)                                                                      \
  {                                                                                                                            \
    const type a = (type)near, b = (type)far;                                                                                  \
    for (PetscInt i = 0; i < n; i++, x += channels, y += 2 * channels) {                                                       \
      for (PetscInt c = 0; c < channels; c++) y[c] = a * x[c] + b * x[c - channels];                                           \
      for (PetscInt c = 0; c < channels; c++) y[channels + c] = a * x[c] + b * x[c + channels];                                \
    }                                                                                                                          \
  }                                                                                                                            \
  WEFT_KERNEL static void Gather_##type(PetscInt channels, const double w[4], const type *restrict y, type *restrict x)        \
  {                                                                                                                            \
    const type w0 = (type)w[0], w1 = (type)w[1], w2 = (type)w[2], w3 = (type)w[3];                                             \
    for (PetscInt c = 0; c < channels; c++)                                                                                    \
      x[c] += (w0 * y[c - channels] + w1 * y[c]) + (w2 * y[channels + c] + w3 * y[2 * channels + c]);                          \
  }
UPSAMPLE(double)
UPSAMPLE(float)

static void AddRow(PetscBool single, PetscInt n, double factor, const void *x, void *y)
{
  if (single) AddRow_float(n, factor, (const float *)x, (float *)y);
  else AddRow_double(n, factor, (const double *)x, (double *)y);
}

/* Row (j, k) of the fine cells from up to four coarse rows: first across x into v->row, then along it. */
static void FineRow(const Upsample *v, const void *x, PetscInt s, PetscInt j, PetscInt k, void *to)
{
  const WeftLayout *l    = v->family.coarse;
  const PetscInt    n    = l->count[0], ghost = v->b > 0.0 ? 1 : 0;
  const size_t      cell = v->x.size * (size_t)v->x.channels;
  char             *row  = (char *)v->row + cell;

  memset(v->row, 0, cell * (size_t)(n + 2));
  for (PetscInt kk = 0; kk <= (l->dim > 2 ? ghost : 0); kk++) {
    for (PetscInt jj = 0; jj <= (l->dim > 1 ? ghost : 0); jj++) {
      const PetscInt at_j = j / 2 + (jj ? 2 * (j % 2) - 1 : 0), at_k = k / 2 + (kk ? 2 * (k % 2) - 1 : 0);
      const double   weight = (l->dim > 1 ? (jj ? v->b : v->a) : 1.0) * (l->dim > 2 ? (kk ? v->b : v->a) : 1.0);
      AddRow(v->x.single, (n + 2 * ghost) * v->x.channels, weight,
             WeftFeaturesRow(&v->x, l, x, 0, s, at_j, at_k) - cell * (size_t)ghost, row - cell * (size_t)ghost);
    }
  }
  if (v->x.single) Spread_float(n, v->x.channels, v->a, v->b, (const float *)row, (float *)to);
  else Spread_double(n, v->x.channels, v->a, v->b, (const double *)row, (double *)to);
}

static PetscErrorCode Map(WeftOp op, WeftState x, WeftState y)
{
  const Upsample *v = (const Upsample *)WeftOpContext(op);

  PetscFunctionBegin;
  if (v->b > 0.0) PetscCall(WeftStateHalo(x, 1, WEFT_GHOST_COPY));
  WEFT_FOR_ROWS(v->family.fine, v->y.batch, s, j, k)
  FineRow(v, WeftStateData(x), s, j, k, WeftFeaturesRow(&v->y, v->family.fine, WeftStateDataWrite(y), 0, s, j, k));
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Map(op, x[0], y[0]);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  (void)x, (void)y, (void)record;
  return dx[0] ? Map(op, dx[0], dy[0]) : WeftStateZero(dy[0]);
}

/* Weights of the fine cells 2i - 1 ... 2i + 2 in coarse cell i of an axis. */
static void Weights(const Upsample *v, PetscInt axis, PetscInt i, double w[4])
{
  const WeftLayout *l     = v->family.coarse;
  const PetscBool   sided = l->side[axis][0] != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;

  w[0] = w[3] = v->b;
  w[1] = w[2] = v->a;
  if (sided && i == 0) w[1] += v->b;
  if (sided && i == l->cells[axis] - 1) w[2] += v->b;
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Upsample   *v    = (const Upsample *)WeftOpContext(op);
  const WeftLayout *l    = v->family.coarse;
  const PetscInt    n    = l->count[0], ghost = v->b > 0.0 ? 1 : 0;
  const size_t      cell = v->x.size * (size_t)v->x.channels;
  char             *row  = (char *)v->row + cell;

  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  if (ghost) PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  WEFT_FOR_FAMILIES(&v->family, v->x.batch, s, j, k)
  {
    double wx[4], wy[4] = {0.0, 1.0, 0.0, 0.0}, wz[4] = {0.0, 1.0, 0.0, 0.0};
    char  *to = WeftFeaturesRow(&v->x, l, WeftStateDataWrite(x_bar[0]), 0, s, j, k);
    if (l->dim > 1) Weights(v, 1, j, wy);
    if (l->dim > 2) Weights(v, 2, k, wz);
    memset(v->row, 0, cell * (size_t)(2 * n + 2));
    for (PetscInt kk = 0; kk < 4; kk++)
      for (PetscInt jj = 0; jj < 4; jj++)
        if (wy[jj] * wz[kk] != 0.0)
          AddRow(v->y.single, (2 * n + 2 * ghost) * v->y.channels, wy[jj] * wz[kk],
                 WeftFeaturesRow(&v->y, v->family.fine, WeftStateData(y_bar[0]), 0, s, 2 * j - 1 + jj, 2 * k - 1 + kk) - cell * (size_t)ghost,
                 row - cell * (size_t)ghost);
    for (PetscInt i = 0; i < n; i++) {
      Weights(v, 0, l->start[0] + i, wx);
      if (v->x.single) Gather_float(v->x.channels, wx, (const float *)(row + 2 * cell * (size_t)i), (float *)(to + cell * (size_t)i));
      else Gather_double(v->x.channels, wx, (const double *)(row + 2 * cell * (size_t)i), (double *)(to + cell * (size_t)i));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Upsample *v = (Upsample *)context;

  PetscFunctionBegin;
  PetscCall(WeftAlignedDestroy(&v->row));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateUpsample(WeftSpace x, WeftSpace y, WeftUpsampling upsampling, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *from = WeftSpaceGetInfo(x), *to = WeftSpaceGetInfo(y);
  const PetscInt          width = upsampling == WEFT_UPSAMPLE_BILINEAR ? 1 : 0;
  Upsample               *v;

  PetscFunctionBegin;
  PetscCheck(from->channels == to->channels, from->comm, PETSC_ERR_ARG_INCOMP,
             "operator Upsample: other channels come out than go in");
  PetscCheck(from->width >= width && to->width >= width, from->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "operator Upsample: bilinear needs features with a ghost layer");
  PetscCall(PetscNew(&v));
  v->a = width ? 0.75 : 1.0;
  v->b = width ? 0.25 : 0.0;
  v->x = WeftFeaturesOf(x);
  v->y = WeftFeaturesOf(y);
  PetscCall(WeftFamilyCreate("Upsample", y, x, &v->family));
  PetscCall(WeftAlignedCreate(v->y.size * (size_t)v->y.channels * (size_t)(v->y.count[0] + 2), &v->row));
  PetscCall(WeftOpCreate("upsample", &maps, v, WEFT_NEEDS_NOTHING, 1, &x, 1, &y, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Upsample(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 2 ? PETSC_TRUE : PETSC_FALSE;
  WeftGrid        finer;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftGridRefine(grid, 2, &finer));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(finer, batch, 3, variant == 1 ? 0 : 1, single, &y));
  PetscCall(WeftOpCreateUpsample(x, y, variant == 1 ? WEFT_UPSAMPLE_NEAREST : WEFT_UPSAMPLE_BILINEAR, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscCall(WeftGridDestroy(&finer));
  PetscFunctionReturn(0);
}

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  WeftSpace y;
  WeftGrid  fine;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftBuilderFiner(b, *x, &fine));
  PetscCall(WeftBuilderFeatures(b, fine, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, &y));
  PetscCall(WeftOpCreateUpsample(WeftBuilderSpace(b, *x), y, (WeftUpsampling)layer->choice, &op));
  WeftBuilderReads(b, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->grid, layer->choice == WEFT_UPSAMPLE_BILINEAR ? 2 : 1, 0.0);
  PetscCall(WeftBuilderCall(b, &op, 1, x, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Upsample = {.name = "upsample", .words = "bilinear|nearest", .build = Build, .levels = -1, .width = 1};
