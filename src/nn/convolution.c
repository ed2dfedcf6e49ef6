/* Convolution with bias, activation and residual:
     y(p)[o] = activation(b[o] + sum over taps t, inputs i of x(p + t)[i] w[t][i][o] + residual(p)[o])
   adjoint, with z = y_bar activation':
     residual_bar += z, b_bar[o] += sum over p of z(p)[o], w_bar[t][i][o] += sum over p of x(p + t)[i] z(p)[o],
     x_bar(p)[i] += sum over t, o of z(p - t)[o] w[t][i][o]: a convolution of z with mirrored taps and transposed weights. */
#include "grid/parts.h"
#include "nn/builder.h"

const char *const WeftActivations[] = {"none", "relu", "leaky_relu", "tanh"};

enum { INPUT, PARAMETERS, RESIDUAL };
#define MAX_TAPS 125
#define BLOCK_PIXELS 64     /* of the weight gradient: their z and the rows of x around them stay in the first cache */
#define PARTIAL_PIXELS 2048 /* summed in the precision of the features before they are added in float64 */

typedef struct {
  WeftConvolutionOptions options;
  const WeftKernels     *kernels;
  WeftWinograd           winograd; /* NULL: direct */
  PetscInt               half, taps, in, out; /* half: cells from the middle tap to the last */
  WeftFeatures           x, y, z; /* z: adjoint before the activation */
  ptrdiff_t              tap_x[MAX_TAPS], tap_z[MAX_TAPS];
  WeftPacked             weights;      /* of the direct kernels */
  void                  *bias;         /* of the call under way, padded */
  void                  *sum, *padded; /* weight gradient: partial sums; z of a block with padded channels */
  double                *bias_bar;
  WeftState              scratch_z; /* NULL: y_bar itself serves as z */
  WeftState              scratch_x; /* COPY edges: the input's adjoint before its ghosts are folded */
} Convolution;

/* ---- geometry ------------------------------------------------------------------------------------------------- */

static void TapOffsets(const Convolution *v, PetscInt dim, const WeftFeatures *f, ptrdiff_t offset[])
{
  const PetscInt h = v->half, hy = dim > 1 ? h : 0, hz = dim > 2 ? h : 0, step = v->options.dilation;
  PetscInt       t = 0;
  for (PetscInt k = -hz; k <= hz; k += step)
    for (PetscInt j = -hy; j <= hy; j += step)
      for (PetscInt i = -h; i <= h; i += step) offset[t++] = k * f->stride[2] + j * f->stride[1] + i * f->stride[0];
}

/* to = convolution of from, row by row, over cells [lo, hi) counted from the first owned one. */
static void Rows(const Convolution *v, const WeftConvolve *c, const PetscInt lo[3], const PetscInt hi[3],
                 const WeftFeatures *from, const void *x, const void *residual, const WeftFeatures *to, void *y)
{
  const size_t size = to->size;
  for (PetscInt s = 0; s < to->batch; s++) {
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        const size_t at_x = size * (size_t)WeftFeaturesIndex(from, s, lo[0], j, k),
                     at_y = size * (size_t)WeftFeaturesIndex(to, s, lo[0], j, k);
        v->kernels->row(c, hi[0] - lo[0], (const char *)x + at_x, residual ? (const char *)residual + at_y : NULL,
                        (char *)y + at_y);
      }
    }
  }
}

/* Forward convolution with the given parameters (w, then b; the bias may be left out: the sums go on from y), once the ghosts of x
   are there: the interior is made while they are on their way. */
static PetscErrorCode Forward(Convolution *v, const double *parameters, PetscBool bias, WeftActivation activation, WeftState x,
                              const void *residual, void *y)
{
  const WeftGrid     grid  = WeftSpaceGetInfo(WeftStateSpace(x))->grid;
  const PetscInt     reach = v->winograd ? WeftWinogradTile(v->winograd) : v->half;
  const WeftConvolve c     = {v->in, v->out, v->taps, v->tap_x, v->weights.packed[0], bias ? v->bias : NULL, activation};

  PetscFunctionBegin;
  if (v->winograd) WeftWinogradPrepare(v->winograd, parameters, PETSC_FALSE);
  else if (!WeftPackedReady(&v->weights, parameters, PETSC_FALSE))
    WeftPack(v->kernels, v->taps, v->in, v->out, parameters, PETSC_FALSE, v->weights.packed[0]);
  for (PetscInt part = 0; part < WeftGridParts(grid); part++) {
    PetscInt lo[3] = {0, 0, 0}, hi[3] = {v->y.count[0], v->y.count[1], v->y.count[2]};
    PetscCall(WeftStatesHaloPart(1, &x, v->half, v->options.edges, part));
    WeftGridPart(grid, reach, part, lo, hi);
    if (v->winograd) WeftWinogradConvolve(v->winograd, PETSC_FALSE, &c, lo, hi, &v->x, WeftStateData(x), residual, &v->y, y);
    else Rows(v, &c, lo, hi, &v->x, WeftStateData(x), residual, &v->y, y);
  }
  PetscFunctionReturn(0);
}

/* Calls `work` for the owned rows of y. */
typedef struct {
  const Convolution *v;
  const char        *y, *g; /* output, its adjoint or tangent */
  char              *z, *residual;
  double            *bias;
} RowWork;
static void ForRows(const WeftFeatures *f, void (*work)(const RowWork *w, PetscInt sample, PetscInt j, PetscInt k),
                    const RowWork      *w)
{
  for (PetscInt s = 0; s < f->batch; s++)
    for (PetscInt k = 0; k < f->count[2]; k++)
      for (PetscInt j = 0; j < f->count[1]; j++) work(w, s, j, k);
}

/* ---- apply and tangent ----------------------------------------------------------------------------------------- */

static void TanhRow(const RowWork *w, PetscInt s, PetscInt j, PetscInt k)
{
  const WeftFeatures *f = &w->v->y;
  WeftValuesTanh(f->single, f->count[0] * f->channels, w->z + f->size * (size_t)WeftFeaturesIndex(f, s, 0, j, k));
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  Convolution  *v          = (Convolution *)WeftOpContext(op);
  const double *parameters = (const double *)WeftStateData(x[PARAMETERS]);

  RowWork work = {.v = v, .z = (char *)WeftStateDataWrite(y[0])};

  PetscFunctionBegin;
  (void)record;
  WeftValuesFromDouble(v->y.single, v->out, parameters + (ptrdiff_t)v->taps * v->in * v->out, v->bias);
  PetscCall(Forward(v, parameters, PETSC_TRUE, v->options.activation, x[INPUT],
                    v->options.residual ? WeftStateData(x[RESIDUAL]) : NULL, work.z));
  if (v->options.activation == WEFT_ACTIVATION_TANH) ForRows(&v->y, TanhRow, &work);
  PetscFunctionReturn(0);
}

static void DeriveInPlace(const RowWork *w, PetscInt s, PetscInt j, PetscInt k)
{
  const WeftFeatures *f  = &w->v->y;
  const size_t        at = f->size * (size_t)WeftFeaturesIndex(f, s, 0, j, k);
  const PetscInt      n  = f->count[0] * f->channels;

  if (w->g) WeftValuesAdd(f->single, n, w->g + at, w->z + at);
  if (w->y) WeftValuesScale(f->single, w->v->options.activation, n, w->y + at, w->z + at);
}

/* dy = activation' (dx * w + x * dw + db + dresidual) */
static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  Convolution  *v     = (Convolution *)WeftOpContext(op);
  const double *dw    = dx[PARAMETERS] ? (const double *)WeftStateData(dx[PARAMETERS]) : NULL;
  PetscBool     fresh = PETSC_TRUE;
  RowWork       work  = {.v = v};

  PetscFunctionBegin;
  (void)record;
  PetscCall(PetscMemzero(v->bias, v->y.size * (size_t)v->out));
  if (dw) WeftValuesFromDouble(v->y.single, v->out, dw + (ptrdiff_t)v->taps * v->in * v->out, v->bias);
  if (dx[INPUT]) {
    PetscCall(Forward(v, (const double *)WeftStateData(x[PARAMETERS]), PETSC_TRUE, WEFT_ACTIVATION_NONE, dx[INPUT], NULL,
                      WeftStateDataWrite(dy[0])));
    fresh = PETSC_FALSE;
  }
  if (dw) {
    PetscCall(Forward(v, dw, fresh, WEFT_ACTIVATION_NONE, x[INPUT], NULL, WeftStateDataWrite(dy[0])));
    fresh = PETSC_FALSE;
  }
  if (fresh) PetscCall(WeftStateZero(dy[0]));
  if (v->options.residual && dx[RESIDUAL]) work.g = (const char *)WeftStateData(dx[RESIDUAL]);
  if (v->options.activation != WEFT_ACTIVATION_NONE) work.y = (const char *)WeftStateData(y[0]);
  work.z = (char *)WeftStateDataWrite(dy[0]);
  ForRows(&v->y, DeriveInPlace, &work);
  PetscFunctionReturn(0);
}

/* ---- adjoint --------------------------------------------------------------------------------------------------- */

/* z = y_bar activation', and what is made of z point by point. */
static void DeriveRow(const RowWork *w, PetscInt s, PetscInt j, PetscInt k)
{
  const WeftFeatures *f = &w->v->y, *z = &w->v->z;
  const size_t        at   = f->size * (size_t)WeftFeaturesIndex(f, s, 0, j, k);
  char               *at_z = w->z + z->size * (size_t)WeftFeaturesIndex(z, s, 0, j, k);
  const PetscInt      n    = f->count[0] * f->channels;

  if (w->v->scratch_z) WeftValuesDerive(f->single, w->v->options.activation, n, w->y + at, w->g + at, at_z);
  if (w->residual) WeftValuesAdd(f->single, n, at_z, w->residual + at);
  if (w->bias) WeftValuesSum(f->single, f->count[0], f->channels, at_z, w->bias);
}

/* Adds the partial sums to the adjoint of the weights and starts them anew. */
static void Flush(const Convolution *v, double *w_bar)
{
  const PetscInt padded = WeftPadded(v->kernels, v->out);
  for (PetscInt i = 0; i < v->taps * v->in; i++)
    WeftValuesAddTo(v->y.single, v->out, (const char *)v->sum + v->y.size * (size_t)i * (size_t)padded,
                    w_bar + (ptrdiff_t)i * v->out);
  memset(v->sum, 0, v->y.size * (size_t)(v->taps * v->in) * (size_t)padded);
}

/* Rows [j, j + rows) from pixel i on, for the kernel; channels that do not fill vectors are copied to where they do. */
static WeftPixels PixelsOf(const Convolution *v, const char *x, const char *z, PetscInt s, PetscInt i, PetscInt j, PetscInt k,
                           PetscInt rows, PetscInt pixels)
{
  const size_t   size   = v->y.size;
  const PetscInt padded = WeftPadded(v->kernels, v->out);
  const char    *at_z   = z + size * (size_t)WeftFeaturesIndex(&v->z, s, i, j, k);
  WeftPixels p = {rows,           pixels,        x + size * (size_t)WeftFeaturesIndex(&v->x, s, i, j, k), at_z, v->x.stride[1],
                  v->z.stride[1], v->z.stride[0], PETSC_FALSE};

  if (padded == v->out) return p;
  for (PetscInt r = 0; r < rows; r++)
    for (PetscInt n = 0; n < pixels; n++)
      memcpy((char *)v->padded + size * (size_t)((r * pixels + n) * padded),
             at_z + size * (size_t)(r * v->z.stride[1] + n * v->z.stride[0]), size * (size_t)v->out);
  p.z       = v->padded;
  p.z_pixel = padded;
  p.z_row   = (ptrdiff_t)pixels * padded;
  return p;
}

static void WeightGradient(const Convolution *v, const char *x, const char *z, double *w_bar)
{
  const WeftConvolve c      = {v->in, v->out, v->taps, v->tap_x, NULL, NULL, WEFT_ACTIVATION_NONE};
  const PetscInt     pixels = PetscMin(v->y.count[0], BLOCK_PIXELS), rows = BLOCK_PIXELS / pixels;
  PetscInt           held = 0;

  memset(v->sum, 0, v->y.size * (size_t)(v->taps * v->in) * (size_t)WeftPadded(v->kernels, v->out));
  for (PetscInt s = 0; s < v->y.batch; s++) {
    for (PetscInt k = 0; k < v->y.count[2]; k++) {
      for (PetscInt j = 0; j < v->y.count[1]; j += rows) {
        for (PetscInt i = 0; i < v->y.count[0]; i += pixels) {
          const WeftPixels block =
              PixelsOf(v, x, z, s, i, j, k, PetscMin(rows, v->y.count[1] - j), PetscMin(pixels, v->y.count[0] - i));
          v->kernels->gradient(&c, &block, v->sum);
          held += block.rows * block.pixels;
          if (held < PARTIAL_PIXELS) continue;
          Flush(v, w_bar);
          held = 0;
        }
      }
    }
  }
  Flush(v, w_bar);
}

/* Sums of one tile, rows [lo, hi) of sample s: of the weights to v->sum, in the order in which the kernel meets the pixels, which are
   cut into blocks that stay in the first cache; of the bias to v->bias_bar. */
static void TileGradient(const Convolution *v, const char *x, const char *z, PetscInt s, const PetscInt lo[3], const PetscInt hi[3])
{
  const WeftConvolve c      = {v->in, v->out, v->taps, v->tap_x, NULL, NULL, WEFT_ACTIVATION_NONE};
  const PetscInt     pixels = hi[0] - lo[0], rows = PetscMax(1, BLOCK_PIXELS / pixels);

  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j += rows) {
      if (x) {
        WeftPixels block = PixelsOf(v, x, z, s, lo[0], j, k, PetscMin(rows, hi[1] - j), pixels);
        block.first      = k == lo[2] && j == lo[1] ? PETSC_TRUE : PETSC_FALSE;
        v->kernels->gradient(&c, &block, v->sum);
      }
      for (PetscInt r = j; r < PetscMin(j + rows, hi[1]); r++)
        WeftValuesSum(v->y.single, pixels, v->out, z + v->z.size * (size_t)WeftFeaturesIndex(&v->z, s, lo[0], r, k), v->bias_bar);
    }
  }
}

/* Adds the tile's sums, without the padding of the channels. */
static void AddTile(const Convolution *v, const WeftFixed *w_bar)
{
  const PetscInt padded = WeftPadded(v->kernels, v->out), rows = v->taps * v->in;
  const PetscInt many = padded == v->out ? rows : 1;

  for (PetscInt i = 0; i < rows; i += many) {
    const WeftFixed to   = WeftFixedFrom(w_bar, i * v->out);
    const char     *from = (const char *)v->sum + v->y.size * (size_t)i * (size_t)padded;
    if (v->y.single) WeftFixedAddSingle(&to, many * v->out, (const float *)from);
    else WeftFixedAdd(&to, many * v->out, (const double *)from);
  }
}

/* Gradient of weights and bias, tile by tile, for sums that do not depend on the layout. */
static void FixedGradient(const Convolution *v, const PetscInt tile[3], const char *x, const char *z, const WeftFixed *w_bar)
{
  const PetscInt  weights = v->taps * v->in * v->out, *n = v->y.count;
  const WeftFixed b_bar = WeftFixedFrom(w_bar, weights);

  for (PetscInt s = 0; s < v->y.batch; s++) {
    for (PetscInt k = 0; k < n[2]; k += tile[2]) {
      for (PetscInt j = 0; j < n[1]; j += tile[1]) {
        for (PetscInt i = 0; i < n[0]; i += tile[0]) {
          const PetscInt lo[3] = {i, j, k}, hi[3] = {i + tile[0], j + tile[1], k + tile[2]};
          memset(v->bias_bar, 0, sizeof(double) * (size_t)v->out);
          TileGradient(v, v->winograd ? NULL : x, z, s, lo, hi);
          WeftFixedAdd(&b_bar, v->out, v->bias_bar);
          if (v->winograd) WeftWinogradTileGradient(v->winograd, &v->x, x, &v->z, z, s, lo, tile[0], w_bar);
          else AddTile(v, w_bar);
        }
      }
    }
  }
  WeftFixedCarry(w_bar, weights + v->out);
}

/* x_bar += mirrored, transposed convolution of z. */
static PetscErrorCode InputGradient(Convolution *v, const double *parameters, const void *z, WeftState x_bar)
{
  const WeftLayout *l     = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(x_bar))->grid);
  WeftConvolve      c     = {v->out, v->in, v->taps, v->tap_z, v->weights.packed[1], NULL, WEFT_ACTIVATION_NONE};
  PetscInt          lo[3] = {0, 0, 0}, hi[3];
  char             *to    = (char *)WeftStateDataWrite(x_bar);

  PetscFunctionBegin;
  if (v->winograd && !v->scratch_x) {
    WeftWinogradPrepare(v->winograd, parameters, PETSC_TRUE);
    WeftWinogradConvolve(v->winograd, PETSC_TRUE, &c, lo, v->x.count, &v->z, z, NULL, &v->x, to);
    PetscFunctionReturn(0);
  }
  if (!WeftPackedReady(&v->weights, parameters, PETSC_TRUE))
    WeftPack(v->kernels, v->taps, v->out, v->in, parameters, PETSC_TRUE, v->weights.packed[1]);
  if (!v->scratch_x) {
    Rows(v, &c, lo, v->x.count, &v->z, z, NULL, &v->x, to);
    PetscFunctionReturn(0);
  }
  const WeftFeatures f    = WeftFeaturesOf(WeftStateSpace(v->scratch_x));
  char              *from = (char *)WeftStateDataWrite(v->scratch_x);
  PetscCall(PetscMemzero(v->bias, f.size * (size_t)WeftPadded(v->kernels, v->in)));
  c.bias = v->bias;
  WeftLayoutGather(l, WEFT_CELL, v->half, lo, hi);
  for (PetscInt a = 0; a < 3; a++) {
    lo[a] -= l->start[a];
    hi[a] -= l->start[a];
  }
  Rows(v, &c, lo, hi, &v->z, z, NULL, &f, from);
  PetscCall(WeftStateFold(v->scratch_x, v->half, v->options.edges));
  for (PetscInt s = 0; s < f.batch; s++)
    for (PetscInt k = 0; k < f.count[2]; k++)
      for (PetscInt j = 0; j < f.count[1]; j++)
        WeftValuesAdd(f.single, f.count[0] * f.channels, from + f.size * (size_t)WeftFeaturesIndex(&f, s, 0, j, k),
                      to + f.size * (size_t)WeftFeaturesIndex(&v->x, s, 0, j, k));
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  Convolution *v     = (Convolution *)WeftOpContext(op);
  WeftState    z     = v->scratch_z ? v->scratch_z : y_bar[0];
  const PetscInt  *tile  = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, INPUT))->grid)->tile;
  const WeftFixed *fixed = x_bar[PARAMETERS] && tile[0] ? WeftStateFixed(x_bar[PARAMETERS]) : NULL;
  double      *w_bar = x_bar[PARAMETERS] && !fixed ? (double *)WeftStateDataWrite(x_bar[PARAMETERS]) : NULL;
  RowWork      work  = {.v = v, .g = (const char *)WeftStateData(y_bar[0])};
  const PetscInt z_width = v->scratch_x ? 2 * v->half : v->half;

  PetscFunctionBegin;
  (void)record;
  if (v->options.activation != WEFT_ACTIVATION_NONE) work.y = (const char *)WeftStateData(y[0]);
  if (v->options.residual && x_bar[RESIDUAL]) work.residual = (char *)WeftStateDataWrite(x_bar[RESIDUAL]);
  if (w_bar) work.bias = v->bias_bar;
  PetscCall(PetscArrayzero(v->bias_bar, v->out));
  work.z = v->scratch_z ? (char *)WeftStateDataWrite(z) : (char *)WeftStateData(z);
  ForRows(&v->y, DeriveRow, &work);
  if (x_bar[PARAMETERS]) PetscCall(WeftStateHalo(x[INPUT], v->half, v->options.edges));
  if (x_bar[INPUT]) PetscCall(WeftStatesHaloBegin(1, &z, z_width, WEFT_GHOST_ZERO));
  if (w_bar) { /* while the ghosts of z are on their way */
    WeftValuesAddTo(PETSC_FALSE, v->out, v->bias_bar, w_bar + (ptrdiff_t)v->taps * v->in * v->out);
    if (v->winograd)
      WeftWinogradGradient(v->winograd, &v->x, WeftStateData(x[INPUT]), &v->z, work.z, w_bar);
    else
      WeightGradient(v, (const char *)WeftStateData(x[INPUT]), work.z, w_bar);
  }
  if (fixed) FixedGradient(v, tile, (const char *)WeftStateData(x[INPUT]), work.z, fixed);
  if (x_bar[INPUT]) {
    PetscCall(WeftStatesHaloEnd(1, &z, z_width, WEFT_GHOST_ZERO));
    PetscCall(InputGradient(v, (const double *)WeftStateData(x[PARAMETERS]), work.z, x_bar[INPUT]));
  }
  PetscFunctionReturn(0);
}

/* ---- branches, creation ---------------------------------------------------------------------------------------- */

/* Sign of what goes into a ReLU. */
static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  const Convolution  *v = (const Convolution *)WeftOpContext(op);
  const WeftFeatures *f = &v->y;
  const PetscInt      n = f->count[0] * f->channels;
  WeftState           y;
  PetscInt            at = 0;

  PetscFunctionBegin;
  if (v->options.activation != WEFT_ACTIVATION_RELU && v->options.activation != WEFT_ACTIVATION_LEAKY_RELU)
    PetscFunctionReturn(0);
  PetscCall(WeftStateCreate(WeftOpOutSpace(op, 0), &y));
  PetscCall(Apply(op, x, &y, NULL));
  *count = f->batch * f->count[2] * f->count[1] * n;
  PetscCall(PetscMalloc1(*count, branches));
  for (PetscInt s = 0; s < f->batch; s++) {
    for (PetscInt k = 0; k < f->count[2]; k++) {
      for (PetscInt j = 0; j < f->count[1]; j++) {
        const ptrdiff_t row = WeftFeaturesIndex(f, s, 0, j, k);
        for (PetscInt i = 0; i < n; i++)
          (*branches)[at++] =
              f->single ? ((const float *)WeftStateData(y))[row + i] > 0.0f : ((const double *)WeftStateData(y))[row + i] > 0.0;
      }
    }
  }
  PetscCall(WeftStateDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Convolution *v = (Convolution *)context;

  PetscFunctionBegin;
  PetscCall(WeftPackedDestroy(&v->weights));
  PetscCall(WeftAlignedDestroy(&v->bias));
  PetscCall(WeftAlignedDestroy(&v->sum));
  PetscCall(WeftAlignedDestroy(&v->padded));
  PetscCall(PetscFree(v->bias_bar));
  PetscCall(WeftWinogradDestroy(&v->winograd));
  PetscCall(WeftScratchRestore(&v->scratch_z));
  PetscCall(WeftScratchRestore(&v->scratch_x));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckOptions(const WeftSpaceInfo *x, const WeftSpaceInfo *y, const WeftConvolutionOptions *o)
{
  const WeftLayout *l    = WeftGridLayout(x->grid);
  const PetscInt    half = o->kernel / 2 * PetscMax(o->dilation, 1);

  PetscFunctionBegin;
  PetscCheck(x->kind == WEFT_CHANNELS && y->kind == WEFT_CHANNELS && x->grid == y->grid && x->batch == y->batch &&
                 x->single == y->single,
             x->comm, PETSC_ERR_ARG_INCOMP, "a convolution goes between features on one grid, of one batch and precision");
  PetscCheck(y->channels == o->outputs, x->comm, PETSC_ERR_ARG_INCOMP,
             "a convolution with %" PetscInt_FMT " outputs into a space of %" PetscInt_FMT " channels", o->outputs,
             y->channels);
  PetscCheck(o->kernel == 1 || o->kernel == 3 || o->kernel == 5, x->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "a convolution of kernel %" PetscInt_FMT "; there are 1, 3 and 5", o->kernel);
  PetscCheck(o->edges == WEFT_GHOST_ZERO || o->edges == WEFT_GHOST_COPY, x->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "features have zero or copied edges");
  PetscCheck(x->width >= half, x->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "a convolution of kernel %" PetscInt_FMT " needs features with %" PetscInt_FMT " ghost layers, not %" PetscInt_FMT,
             o->kernel, half, x->width);
  for (PetscInt a = 0; a < l->dim && o->edges == WEFT_GHOST_COPY; a++) {
    const PetscInt narrowest = l->cells[a] / l->granularity / l->ranks[a] * l->granularity;
    WeftCheck(narrowest >= 2 * half, x->comm,
              "copied edges with kernel %" PetscInt_FMT " need blocks of at least %" PetscInt_FMT
              " cells; along %c the narrowest has %" PetscInt_FMT
              "; use fewer ranks per domain (-team_replicas) or net_edges zero",
              o->kernel, 2 * half, "xyz"[a], narrowest);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateBuffers(Convolution *v, WeftSpace x, WeftSpace y)
{
  const WeftSpaceInfo *info      = WeftSpaceGetInfo(x);
  const PetscInt       padded_in = WeftPadded(v->kernels, v->in), padded_out = WeftPadded(v->kernels, v->out);
  const PetscBool      copy  = v->options.edges == WEFT_GHOST_COPY && v->half ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt       width = (copy ? 2 : 1) * v->half;
  const size_t         size  = v->x.size;

  PetscFunctionBegin;
  PetscCall(WeftPackedCreate(v->taps * v->in * v->out,
                             size * (size_t)v->taps * (size_t)PetscMax(v->in * padded_out, v->out * padded_in), &v->weights));
  PetscCall(WeftAlignedCreate(size * (size_t)PetscMax(padded_in, padded_out), &v->bias));
  PetscCall(WeftAlignedCreate(size * (size_t)v->taps * (size_t)(v->in * padded_out), &v->sum));
  PetscCall(PetscMalloc1(v->out, &v->bias_bar));
  if (padded_out != v->out) PetscCall(WeftAlignedCreate(size * BLOCK_PIXELS * (size_t)padded_out, &v->padded));
  v->z = v->y;
  if (v->options.activation != WEFT_ACTIVATION_NONE || WeftSpaceGetInfo(y)->width < width) {
    PetscCall(WeftScratchGet(info->grid, info->batch, v->out, width, info->single, &v->scratch_z));
    v->z = WeftFeaturesOf(WeftStateSpace(v->scratch_z));
  }
  if (copy) PetscCall(WeftScratchGet(info->grid, info->batch, v->in, v->half, info->single, &v->scratch_x));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateConvolution(WeftSpace x, WeftSpace y, const WeftConvolutionOptions *options, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, Branches};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(x);
  const PetscInt          dim   = WeftGridLayout(info->grid)->dim;
  WeftSpace               in[3] = {x, NULL, y};
  Convolution            *v;

  PetscFunctionBegin;
  PetscCall(CheckOptions(info, WeftSpaceGetInfo(y), options));
  PetscCall(PetscNew(&v));
  v->options = *options;
  v->options.dilation = PetscMax(options->dilation, 1);
  v->half    = options->kernel / 2 * v->options.dilation;
  v->taps    = 1;
  for (PetscInt a = 0; a < dim; a++) v->taps *= options->kernel;
  v->in  = info->channels;
  v->out = options->outputs;
  v->x   = WeftFeaturesOf(x);
  v->y   = WeftFeaturesOf(y);
  PetscCall(WeftKernelsGet(info->single, &v->kernels));
  if (v->options.dilation == 1)
    PetscCall(WeftWinogradCreate(v->kernels, WeftGridLayout(info->grid), options->kernel, v->in, v->out, &v->winograd));
  PetscCall(CreateBuffers(v, x, y));
  TapOffsets(v, dim, &v->x, v->tap_x);
  TapOffsets(v, dim, &v->z, v->tap_z);
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, v->taps * v->in * v->out + v->out, PETSC_FALSE, &in[1]));
  PetscCall(WeftOpCreate("convolution", &maps, v,
                         WEFT_NEEDS_INPUTS | (options->activation == WEFT_ACTIVATION_NONE ? 0 : WEFT_NEEDS_OUTPUTS),
                         options->residual ? 3 : 2, in, 1, &y, op));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Convolution(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const struct {
    PetscInt               inputs;
    PetscBool              single;
    WeftConvolutionOptions options;
  } variants[] = {
      {3, PETSC_FALSE, {3, 5, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_FALSE, 1}},
      {6, PETSC_FALSE, {3, 6, WEFT_ACTIVATION_LEAKY_RELU, WEFT_GHOST_COPY, PETSC_TRUE, 1}},
      {2, PETSC_FALSE, {5, 3, WEFT_ACTIVATION_TANH, WEFT_GHOST_ZERO, PETSC_TRUE, 1}},
      {4, PETSC_FALSE, {1, 2, WEFT_ACTIVATION_NONE, WEFT_GHOST_ZERO, PETSC_FALSE, 1}},
      {3, PETSC_FALSE, {5, 2, WEFT_ACTIVATION_NONE, WEFT_GHOST_COPY, PETSC_FALSE, 1}},
      {3, PETSC_TRUE, {3, 6, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_TRUE, 1}},
      {3, PETSC_FALSE, {3, 4, WEFT_ACTIVATION_TANH, WEFT_GHOST_ZERO, PETSC_FALSE, 2}},
      {3, PETSC_FALSE, {3, 2, WEFT_ACTIVATION_NONE, WEFT_GHOST_COPY, PETSC_FALSE, 2}},
  };
  const WeftConvolutionOptions *options = &variants[variant].options;
  const PetscInt                width   = options->kernel / 2 * options->dilation;
  WeftSpace                     x, y;
  WeftOp                        op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, variants[variant].inputs, width, variants[variant].single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, options->outputs, variant % 2 ? width : 0,
                                    variants[variant].single, &y));
  PetscCall(WeftOpCreateConvolution(x, y, options, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->amplitude[PARAMETERS] = 1.0 / PetscSqrtReal((PetscReal)(WeftSpaceGetInfo(WeftOpInSpace(op, PARAMETERS))->count /
                                                                   options->outputs)); /* outputs of order 1 */
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftConvolutionOptions options = {layer->kernel,       layer->outputs, layer->activation,
                                          WeftBuilderEdges(b), PETSC_FALSE,    layer->dilation};
  WeftValue                    parameters;

  PetscFunctionBegin;
  PetscCall(WeftBuilderWeights(b, "conv", layer->kernel, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, layer->outputs, &parameters));
  PetscCall(WeftBuilderConvolution(b, &options, *x, parameters, -1, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Convolution = {
    .name = "conv", .words = "KERNEL OUTPUTS [ACTIVATION] [DILATION]", .build = Build};
