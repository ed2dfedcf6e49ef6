/* Pooling: a coarse cell from its 2^dim children,
     max   y = the largest child (a tie: the first in storage order);  x_bar(that child) += y_bar
     mean  y = 2^-dim sum of children;                                  x_bar(every child) += 2^-dim y_bar
     first y = the first child, that is the mean of one
   Blocks cover each other, so nothing is exchanged. */
#include "base/kernel.h"
#include "nn/builder.h"

typedef struct {
  WeftPooling  pooling;
  WeftFeatures x, y;
  WeftFamily   family;
} Pool;

/* Children of n coarse cells: x at the first child of the first cell, `step` values on to the next cell's. */
#define POOL(type)                                                                                                             \
  WEFT_KERNEL static void Max_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *restrict x,               \
                                     type *restrict y)                                                                         \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += f->step, y += channels) {                                                            \
      for (PetscInt c = 0; c < channels; c++) y[c] = x[c];                                                                     \
      for (PetscInt d = 1; d < f->children; d++) {                                                                             \
        const type *restrict child = x + f->offset[d];                                                                         \
        for (PetscInt c = 0; c < channels; c++) y[c] = child[c] > y[c] ? child[c] : y[c];                                      \
      }                                                                                                                        \
    }                                                                                                                          \
  }                                                                                                                            \
  WEFT_KERNEL static void Mean_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *restrict x,              \
                                      type *restrict y)                                                                        \
  {                                                                                                                            \
    const type factor = (type)1 / (type)f->children;                                                                           \
    for (PetscInt i = 0; i < n; i++, x += f->step, y += channels) {                                                            \
      for (PetscInt c = 0; c < channels; c++) y[c] = x[c];                                                                     \
      for (PetscInt d = 1; d < f->children; d++) {                                                                             \
        const type *restrict child = x + f->offset[d];                                                                         \
        for (PetscInt c = 0; c < channels; c++) y[c] += child[c];                                                              \
      }                                                                                                                        \
      for (PetscInt c = 0; c < channels; c++) y[c] *= factor;                                                                  \
    }                                                                                                                          \
  }                                                                                                                            \
  static PetscInt Largest_##type(const WeftFamily *f, const type *x)                                                           \
  {                                                                                                                            \
    PetscInt largest = 0;                                                                                                      \
    for (PetscInt d = 1; d < f->children; d++)                                                                                 \
      if (x[f->offset[d]] > x[f->offset[largest]]) largest = d;                                                                \
    return largest;                                                                                                            \
  }                                                                                                                            \
  static void MaxTangent_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *x, const type *dx, type *dy)   \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += f->step, dx += f->step, dy += channels)                                              \
      for (PetscInt c = 0; c < channels; c++) dy[c] = dx[f->offset[Largest_##type(f, x + c)] + c];                             \
  }                                                                                                                            \
  static void MaxAdjoint_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *x, const type *y_bar,          \
                                type *x_bar)                                                                                   \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += f->step, x_bar += f->step, y_bar += channels)                                        \
      for (PetscInt c = 0; c < channels; c++) x_bar[f->offset[Largest_##type(f, x + c)] + c] += y_bar[c];                      \
  }                                                                                                                            \
  WEFT_KERNEL static void MeanAdjoint_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *restrict y_bar,   \
                                             type *restrict x_bar)                                                             \
  {                                                                                                                            \
    const type factor = (type)1 / (type)f->children;                                                                           \
    for (PetscInt i = 0; i < n; i++, x_bar += f->step, y_bar += channels) {                                                    \
      for (PetscInt d = 0; d < f->children; d++) {                                                                             \
        type *restrict child = x_bar + f->offset[d];                                                                           \
        for (PetscInt c = 0; c < channels; c++) child[c] += factor * y_bar[c];                                                 \
      }                                                                                                                        \
    }                                                                                                                          \
  }                                                                                                                            \
  static PetscInt *Branches_##type(const WeftFamily *f, PetscInt n, PetscInt channels, const type *x, PetscInt *branches)      \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += f->step)                                                                             \
      for (PetscInt c = 0; c < channels; c++) *branches++ = Largest_##type(f, x + c);                                          \
    return branches;                                                                                                           \
  }
POOL(double)
POOL(float)

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Pool    *v = (const Pool *)WeftOpContext(op);
  const PetscInt n = v->y.count[0], channels = v->y.channels;

  PetscFunctionBegin;
  (void)record;
  WEFT_FOR_FAMILIES(&v->family, v->y.batch, s, j, k)
  {
    const void *from = WeftChildRow(&v->family, &v->x, WeftStateData(x[0]), s, j, k);
    void       *to   = WeftFeaturesRow(&v->y, v->family.coarse, WeftStateDataWrite(y[0]), 0, s, j, k);
    if (v->pooling == WEFT_POOL_MAX && v->y.single) Max_float(&v->family, n, channels, (const float *)from, (float *)to);
    else if (v->pooling == WEFT_POOL_MAX) Max_double(&v->family, n, channels, (const double *)from, (double *)to);
    else if (v->y.single) Mean_float(&v->family, n, channels, (const float *)from, (float *)to);
    else Mean_double(&v->family, n, channels, (const double *)from, (double *)to);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Pool    *v = (const Pool *)WeftOpContext(op);
  const PetscInt n = v->y.count[0], channels = v->y.channels;

  PetscFunctionBegin;
  (void)y;
  if (!dx[0]) PetscCall(WeftStateZero(dy[0]));
  else if (v->pooling != WEFT_POOL_MAX) PetscCall(Apply(op, dx, dy, record));
  if (!dx[0] || v->pooling != WEFT_POOL_MAX) PetscFunctionReturn(0);
  WEFT_FOR_FAMILIES(&v->family, v->y.batch, s, j, k)
  {
    const void *at = WeftChildRow(&v->family, &v->x, WeftStateData(x[0]), s, j, k);
    const void *from = WeftChildRow(&v->family, &v->x, WeftStateData(dx[0]), s, j, k);
    void       *to = WeftFeaturesRow(&v->y, v->family.coarse, WeftStateDataWrite(dy[0]), 0, s, j, k);
    if (v->y.single) MaxTangent_float(&v->family, n, channels, (const float *)at, (const float *)from, (float *)to);
    else MaxTangent_double(&v->family, n, channels, (const double *)at, (const double *)from, (double *)to);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Pool    *v = (const Pool *)WeftOpContext(op);
  const PetscInt n = v->y.count[0], channels = v->y.channels;

  PetscFunctionBegin;
  (void)y, (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  WEFT_FOR_FAMILIES(&v->family, v->y.batch, s, j, k)
  {
    const void *from = WeftFeaturesRow(&v->y, v->family.coarse, WeftStateData(y_bar[0]), 0, s, j, k);
    void       *to   = WeftChildRow(&v->family, &v->x, WeftStateDataWrite(x_bar[0]), s, j, k);
    if (v->pooling != WEFT_POOL_MAX) {
      if (v->y.single) MeanAdjoint_float(&v->family, n, channels, (const float *)from, (float *)to);
      else MeanAdjoint_double(&v->family, n, channels, (const double *)from, (double *)to);
    } else {
      const void *at = WeftChildRow(&v->family, &v->x, WeftStateData(x[0]), s, j, k);
      if (v->y.single) MaxAdjoint_float(&v->family, n, channels, (const float *)at, (const float *)from, (float *)to);
      else MaxAdjoint_double(&v->family, n, channels, (const double *)at, (const double *)from, (double *)to);
    }
  }
  PetscFunctionReturn(0);
}

/* Which child is the largest. */
static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  const Pool    *v = (const Pool *)WeftOpContext(op);
  const PetscInt n = v->y.count[0], channels = v->y.channels;
  PetscInt      *at;

  PetscFunctionBegin;
  if (v->pooling != WEFT_POOL_MAX) PetscFunctionReturn(0);
  *count = v->y.batch * v->y.count[2] * v->y.count[1] * n * channels;
  PetscCall(PetscMalloc1(*count, branches));
  at = *branches;
  WEFT_FOR_FAMILIES(&v->family, v->y.batch, s, j, k)
  {
    const void *from = WeftChildRow(&v->family, &v->x, WeftStateData(x[0]), s, j, k);
    at = v->y.single ? Branches_float(&v->family, n, channels, (const float *)from, at)
                     : Branches_double(&v->family, n, channels, (const double *)from, at);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreatePool(WeftSpace x, WeftSpace y, WeftPooling pooling, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, Branches};
  Pool                   *v;

  PetscFunctionBegin;
  PetscCheck(WeftSpaceGetInfo(x)->channels == WeftSpaceGetInfo(y)->channels, WeftSpaceGetInfo(x)->comm, PETSC_ERR_ARG_INCOMP,
             "operator Pool: other channels come out than go in");
  PetscCall(PetscNew(&v));
  v->pooling = pooling;
  v->x       = WeftFeaturesOf(x);
  v->y       = WeftFeaturesOf(y);
  PetscCall(WeftFamilyCreate("Pool", x, y, &v->family));
  if (pooling == WEFT_POOL_FIRST) v->family.children = 1;
  PetscCall(WeftOpCreate("pool", &maps, v, pooling == WEFT_POOL_MAX ? WEFT_NEEDS_INPUTS : WEFT_NEEDS_NOTHING, 1, &x, 1, &y, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Pool(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 2 ? PETSC_TRUE : PETSC_FALSE;
  WeftGrid        finer;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftGridRefine(grid, 2, &finer));
  PetscCall(WeftSpaceCreateChannels(finer, batch, 3, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 0, single, &y));
  PetscCall(WeftOpCreatePool(x, y, variant == 1 ? WEFT_POOL_MEAN : variant == 3 ? WEFT_POOL_FIRST : WEFT_POOL_MAX, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscCall(WeftGridDestroy(&finer));
  PetscFunctionReturn(0);
}

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  WeftSpace y;
  WeftGrid  coarse;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftBuilderCoarser(b, *x, &coarse));
  PetscCall(WeftBuilderFeatures(b, coarse, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, &y));
  PetscCall(WeftOpCreatePool(WeftBuilderSpace(b, *x), y, (WeftPooling)layer->choice, &op));
  WeftBuilderReads(b, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->grid, 2, (PetscReal)WeftSpaceGetInfo(y)->channels);
  PetscCall(WeftBuilderCall(b, &op, 1, x, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Pool = {.name = "pool", .words = "max|mean", .build = Build, .levels = 1};
