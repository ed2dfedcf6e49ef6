/* Winograd's convolution in two dimensions (Winograd 1980; Lavin, Gray 2016): both factors are polynomials, multiplied by their
   values at the points 0, 1, -1, 2, -2 and infinity along both axes. A tile of 6 x 6 pixels gives 4 x 4 outputs of a kernel of 3 or
   2 x 2 of a kernel of 5 with 36 products per pair of channels instead of 144 or 100:
     y = A^T [sum over inputs of (G w G^T) (B^T x B)] A
   The sums over inputs are, for each of the 36 points, a product of matrices: the direct kernels with one tap do it. The
   gradient of the weights is the transposed chain, w_bar = G^T [sum over tiles of (B^T x B) (A z A^T)] G; that of the input is
   the convolution of z backwards. Rounding grows by a small factor (about 5 in float32).

   Tiles lie at multiples of their size from the lower corner of the box, so that every block must be made of whole tiles for
   the same bits on every rank count: it is done where the grid's granularity is a multiple of the tile, whatever the ranks. */
#include "nn/impl.h"
#include "base/kernel.h"

#define SIDE   6
#define POINTS (SIDE * SIDE)
#define BLOCK  24   /* tiles that go through the 36 products together: what they need stays in the second cache */
#define FLUSH  256  /* tiles summed in the precision of the features before they are added in float64 */

struct _n_WeftWinograd {
  const WeftKernels *kernels;
  PetscInt           kernel, tile, in, out;
  ptrdiff_t          plane_in, plane_out; /* values between two points of a block */
  size_t             size;
  void              *u, *v_in, *v_out, *zero, *sum; /* weights, inputs and outputs at points; no bias; partial sums */
  double            *weights, *half;                /* at points of both axes, before they are packed; of x alone */
};

PetscErrorCode WeftWinogradCreate(const WeftKernels *kernels, const WeftLayout *l, PetscInt kernel, PetscInt in, PetscInt out, WeftWinograd *winograd)
{
  const PetscInt tile = SIDE + 1 - kernel;
  WeftWinograd   w;

  PetscFunctionBegin;
  *winograd = NULL;
  if (!kernels->to_points || l->dim != 2 || kernel == 1 || l->granularity % tile || in % kernels->lanes || out % kernels->lanes) PetscFunctionReturn(0);
  PetscCall(PetscNew(&w));
  w->kernels   = kernels;
  w->kernel    = kernel;
  w->tile      = tile;
  w->in        = in;
  w->out       = out;
  w->size      = kernels->single ? sizeof(float) : sizeof(double);
  w->plane_in  = BLOCK * in + 64 / (PetscInt)w->size; /* off by a cache line: the points fall into different sets */
  w->plane_out = BLOCK * out + 64 / (PetscInt)w->size;
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)(in * out), &w->u));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)PetscMax(w->plane_in, w->plane_out), &w->v_in));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)PetscMax(w->plane_in, w->plane_out), &w->v_out));
  PetscCall(WeftAlignedCreate(w->size * (size_t)PetscMax(in, out), &w->zero));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)(in * out), &w->sum));
  PetscCall(PetscMalloc2(POINTS * in * out, &w->weights, kernel * SIDE * in * out, &w->half));
  *winograd = w;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftWinogradDestroy(WeftWinograd *winograd)
{
  WeftWinograd w = *winograd;

  PetscFunctionBegin;
  *winograd = NULL;
  if (!w) PetscFunctionReturn(0);
  PetscCall(WeftAlignedDestroy(&w->u));
  PetscCall(WeftAlignedDestroy(&w->v_in));
  PetscCall(WeftAlignedDestroy(&w->v_out));
  PetscCall(WeftAlignedDestroy(&w->zero));
  PetscCall(WeftAlignedDestroy(&w->sum));
  PetscCall(PetscFree2(w->weights, w->half));
  PetscCall(PetscFree(w));
  PetscFunctionReturn(0);
}

/* ---- weights ------------------------------------------------------------------------------------------------------- */

/* G: value of tap k at a point. */
static double AtPoint(PetscInt kernel, PetscInt point, PetscInt k)
{
  static const double place[] = {0.0, 1.0, -1.0, 2.0, -2.0}, factor[] = {1.0 / 4.0, -1.0 / 6.0, -1.0 / 6.0, 1.0 / 24.0, 1.0 / 24.0};
  double              value = 1.0;

  if (point == SIDE - 1) return k == kernel - 1 ? 1.0 : 0.0;
  for (PetscInt i = 0; i < k; i++) value *= place[point];
  return factor[point] * value;
}

/* to[i] += factor from[i] */
WEFT_KERNEL static void AddScaled(PetscInt n, double factor, const double *restrict from, double *restrict to)
{
  if (factor == 0.0) return;
  for (PetscInt i = 0; i < n; i++) to[i] += factor * from[i];
}

/* G w G^T, packed; mirrored taps for the way back. One axis after the other. */
static void TransformWeights(WeftWinograd w, const double *weights, PetscBool transposed)
{
  const PetscInt n = w->in * w->out, k = w->kernel;

  memset(w->half, 0, sizeof(double) * (size_t)(k * SIDE * n));
  memset(w->weights, 0, sizeof(double) * (size_t)(POINTS * n));
  for (PetscInt j = 0; j < k; j++)
    for (PetscInt p = 0; p < SIDE; p++)
      for (PetscInt i = 0; i < k; i++) AddScaled(n, AtPoint(k, p, transposed ? k - 1 - i : i), weights + (size_t)((j * k + i) * n), w->half + (size_t)((j * SIDE + p) * n));
  for (PetscInt q = 0; q < SIDE; q++)
    for (PetscInt p = 0; p < SIDE; p++)
      for (PetscInt j = 0; j < k; j++) AddScaled(n, AtPoint(k, q, transposed ? k - 1 - j : j), w->half + (size_t)((j * SIDE + p) * n), w->weights + (size_t)((q * SIDE + p) * n));
  for (PetscInt p = 0; p < POINTS; p++) WeftPack(w->kernels, 1, transposed ? w->out : w->in, transposed ? w->in : w->out, w->weights + (size_t)(p * n), transposed, (char *)w->u + w->size * (size_t)(p * n));
}

/* w_bar += G^T u_bar G, u_bar in w->weights. */
static void TransformWeightsBar(WeftWinograd w, double *w_bar)
{
  const PetscInt n = w->in * w->out, k = w->kernel;

  memset(w->half, 0, sizeof(double) * (size_t)(k * SIDE * n));
  for (PetscInt q = 0; q < SIDE; q++)
    for (PetscInt p = 0; p < SIDE; p++)
      for (PetscInt j = 0; j < k; j++) AddScaled(n, AtPoint(k, q, j), w->weights + (size_t)((q * SIDE + p) * n), w->half + (size_t)((j * SIDE + p) * n));
  for (PetscInt j = 0; j < k; j++)
    for (PetscInt p = 0; p < SIDE; p++)
      for (PetscInt i = 0; i < k; i++) AddScaled(n, AtPoint(k, p, i), w->half + (size_t)((j * SIDE + p) * n), w_bar + (size_t)((j * k + i) * n));
}

/* ---- tiles --------------------------------------------------------------------------------------------------------- */

/* Place of tile number t of a sample, moved by `shift` pixels along both axes. */
static const char *TilePlace(const WeftWinograd w, const WeftFeatures *f, const void *values, PetscInt sample, PetscInt t, PetscInt shift)
{
  const PetscInt across = f->count[0] / w->tile;
  return (const char *)values + f->size * (size_t)WeftFeaturesIndex(f, sample, t % across * w->tile + shift, t / across * w->tile + shift, 0);
}

static PetscInt Tiles(const WeftWinograd w, const WeftFeatures *f) { return f->count[0] / w->tile * (f->count[1] / w->tile); }

/* Tiles of the next block when n are left: blocks of nearly one size. */
static PetscInt NextBlock(PetscInt n)
{
  const PetscInt blocks = (n + BLOCK - 1) / BLOCK;
  return (n + blocks - 1) / blocks;
}

void WeftWinogradConvolve(WeftWinograd w, const double *weights, PetscBool transposed, const WeftConvolve *c, const WeftFeatures *from, const void *x, const void *residual, const WeftFeatures *to, void *y)
{
  static const ptrdiff_t here     = 0;
  const PetscInt         shift    = -(w->kernel / 2);
  const ptrdiff_t        plane_in = transposed ? w->plane_out : w->plane_in, plane_out = transposed ? w->plane_in : w->plane_out;
  WeftConvolve           product  = {c->in, c->out, 1, &here, NULL, w->zero, WEFT_ACTIVATION_NONE};

  TransformWeights(w, weights, transposed);
  for (PetscInt s = 0; s < to->batch; s++) {
    for (PetscInt t = 0, n; t < Tiles(w, to); t += n) {
      n = NextBlock(Tiles(w, to) - t);
      for (PetscInt i = 0; i < n; i++) w->kernels->to_points(c->in, TilePlace(w, from, x, s, t + i, shift), from->stride[0], from->stride[1], (char *)w->v_in + w->size * (size_t)(i * c->in), plane_in);
      for (PetscInt p = 0; p < POINTS; p++) {
        product.weights = (const char *)w->u + w->size * (size_t)(p * c->in * c->out);
        w->kernels->row(&product, n, (const char *)w->v_in + w->size * (size_t)(p * plane_in), NULL, (char *)w->v_out + w->size * (size_t)(p * plane_out));
      }
      for (PetscInt i = 0; i < n; i++) w->kernels->from_points(w->tile, c, (const char *)w->v_out + w->size * (size_t)(i * c->out), plane_out, residual ? TilePlace(w, to, residual, s, t + i, 0) : NULL, (char *)TilePlace(w, to, y, s, t + i, 0), to->stride[0], to->stride[1]);
    }
  }
}

static void Flush(WeftWinograd w)
{
  const PetscInt n = POINTS * w->in * w->out;
  WeftValuesAddTo(w->kernels->single, n, w->sum, w->weights);
  memset(w->sum, 0, w->size * (size_t)n);
}

void WeftWinogradGradient(WeftWinograd w, const WeftFeatures *fx, const void *x, const WeftFeatures *fz, const void *z, double *w_bar)
{
  static const ptrdiff_t here    = 0;
  const PetscInt         shift   = -(w->kernel / 2), in = w->in, out = w->out;
  const WeftConvolve     product = {in, out, 1, &here, NULL, NULL, WEFT_ACTIVATION_NONE};
  PetscInt               held    = 0;

  memset(w->weights, 0, sizeof(double) * (size_t)(POINTS * in * out));
  memset(w->sum, 0, w->size * (size_t)(POINTS * in * out));
  for (PetscInt s = 0; s < fz->batch; s++) {
    for (PetscInt t = 0, n; t < Tiles(w, fz); t += n) {
      n = NextBlock(Tiles(w, fz) - t);
      for (PetscInt i = 0; i < n; i++) {
        w->kernels->to_points(in, TilePlace(w, fx, x, s, t + i, shift), fx->stride[0], fx->stride[1], (char *)w->v_in + w->size * (size_t)(i * in), w->plane_in);
        w->kernels->bar_to_points(w->tile, out, TilePlace(w, fz, z, s, t + i, 0), fz->stride[0], fz->stride[1], (char *)w->v_out + w->size * (size_t)(i * out), w->plane_out);
      }
      for (PetscInt p = 0; p < POINTS; p++) {
        const WeftPixels pixels = {1, n, (const char *)w->v_in + w->size * (size_t)(p * w->plane_in), (const char *)w->v_out + w->size * (size_t)(p * w->plane_out), 0, 0, out};
        w->kernels->gradient(&product, &pixels, (char *)w->sum + w->size * (size_t)(p * in * out));
      }
      held += n;
      if (held < FLUSH) continue;
      Flush(w);
      held = 0;
    }
  }
  Flush(w);
  TransformWeightsBar(w, w_bar);
}
