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

#define SIDE 6
#define POINTS (SIDE * SIDE)
/* Tiles that go through the 36 products together: what they need stays in the second cache. The gradient of the weights loads
   and stores its sums once per block. */
#define BLOCK 12
#define GRADIENT_BLOCK 32
#define FLUSH 256 /* tiles summed in the precision of the features before they are added in float64 */

struct _n_WeftWinograd {
  const WeftKernels *kernels;
  PetscInt           kernel, tile, in, out;
  PetscInt           plane_weights; /* values between two points of the weights */
  size_t             size;
  WeftPacked         u;                         /* weights at points */
  void              *v_in, *v_out, *zero, *sum; /* inputs and outputs at points; no bias; partial sums */
  double            *weights, *half;            /* at points of both axes, before they are packed; of x alone */
};

/* Values between two points of a block, off by a cache line from a power of 2: the points fall into different sets. */
static ptrdiff_t PlaneOf(WeftWinograd w, PetscInt values)
{
  return values + 64 / (ptrdiff_t)w->size;
}

PetscErrorCode WeftWinogradCreate(const WeftKernels *kernels, const WeftLayout *l, PetscInt kernel, PetscInt in, PetscInt out,
                                  WeftWinograd *winograd)
{
  const PetscInt tile = SIDE + 1 - kernel;
  WeftWinograd   w;

  PetscFunctionBegin;
  *winograd = NULL;
  if (!kernels->to_points || l->dim != 2 || kernel == 1 || l->granularity % tile || in % kernels->lanes || out % kernels->lanes)
    PetscFunctionReturn(0);
  PetscCall(PetscNew(&w));
  w->kernels       = kernels;
  w->kernel        = kernel;
  w->tile          = tile;
  w->in            = in;
  w->out           = out;
  w->size          = kernels->single ? sizeof(float) : sizeof(double);
  w->plane_weights = (PetscInt)PlaneOf(w, in * out);
  PetscCall(WeftPackedCreate(kernel * kernel * in * out, w->size * POINTS * (size_t)(in * out), &w->u));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)PlaneOf(w, GRADIENT_BLOCK * PetscMax(in, out)), &w->v_in));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)PlaneOf(w, GRADIENT_BLOCK * PetscMax(in, out)), &w->v_out));
  PetscCall(WeftAlignedCreate(w->size * (size_t)PetscMax(in, out), &w->zero));
  PetscCall(WeftAlignedCreate(w->size * POINTS * (size_t)(in * out), &w->sum));
  PetscCall(PetscCalloc2(POINTS * w->plane_weights, &w->weights, kernel * SIDE * w->plane_weights, &w->half));
  *winograd = w;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftWinogradDestroy(WeftWinograd *winograd)
{
  WeftWinograd w = *winograd;

  PetscFunctionBegin;
  *winograd = NULL;
  if (!w) PetscFunctionReturn(0);
  PetscCall(WeftPackedDestroy(&w->u));
  PetscCall(WeftAlignedDestroy(&w->v_in));
  PetscCall(WeftAlignedDestroy(&w->v_out));
  PetscCall(WeftAlignedDestroy(&w->zero));
  PetscCall(WeftAlignedDestroy(&w->sum));
  PetscCall(PetscFree2(w->weights, w->half));
  PetscCall(PetscFree(w));
  PetscFunctionReturn(0);
}

/* ---- weights ------------------------------------------------------------------------------------------------------- */

/* u = G w along one axis: `kernel` arrays of n values, each of which has the value of a tap, become SIDE arrays. */
WEFT_KERNEL static void ToPoints3(PetscInt n, const double *restrict w0, const double *restrict w1, const double *restrict w2,
                                  double *restrict u, PetscInt stride)
{
  double *restrict u1 = u + stride, *restrict u2 = u + 2 * stride, *restrict u3 = u + 3 * stride, *restrict u4 = u + 4 * stride,
                   *restrict u5 = u + 5 * stride;
  for (PetscInt i = 0; i < n; i++) {
    const double near = (-1.0 / 6.0) * (w0[i] + w2[i]), far = (1.0 / 24.0) * w0[i] + (1.0 / 6.0) * w2[i];
    u[i]  = 0.25 * w0[i];
    u1[i] = near - (1.0 / 6.0) * w1[i];
    u2[i] = near + (1.0 / 6.0) * w1[i];
    u3[i] = far + (1.0 / 12.0) * w1[i];
    u4[i] = far - (1.0 / 12.0) * w1[i];
    u5[i] = w2[i];
  }
}

WEFT_KERNEL static void ToPoints5(PetscInt n, const double *restrict w0, const double *restrict w1, const double *restrict w2,
                                  const double *restrict w3, const double *restrict w4, double *restrict u, PetscInt stride)
{
  double *restrict u1 = u + stride, *restrict u2 = u + 2 * stride, *restrict u3 = u + 3 * stride, *restrict u4 = u + 4 * stride,
                   *restrict u5 = u + 5 * stride;
  for (PetscInt i = 0; i < n; i++) {
    const double near = (-1.0 / 6.0) * (w0[i] + w2[i] + w4[i]), near_odd = (1.0 / 6.0) * (w1[i] + w3[i]);
    const double far     = (1.0 / 24.0) * w0[i] + (1.0 / 6.0) * w2[i] + (2.0 / 3.0) * w4[i],
                 far_odd = (1.0 / 12.0) * w1[i] + (1.0 / 3.0) * w3[i];
    u[i]                 = 0.25 * w0[i];
    u1[i]                = near - near_odd;
    u2[i]                = near + near_odd;
    u3[i]                = far + far_odd;
    u4[i]                = far - far_odd;
    u5[i]                = w4[i];
  }
}

/* w (+)= G^T u, the transpose; to w0 ... w4 at distance `stride`. */
WEFT_KERNEL static void FromPoints(PetscInt kernel, PetscInt n, const double *restrict u, PetscInt u_stride, PetscBool add,
                                   double *restrict w, PetscInt w_stride)
{
  const double *restrict u1 = u + u_stride, *restrict u2 = u + 2 * u_stride, *restrict u3 = u + 3 * u_stride,
                         *restrict u4 = u + 4 * u_stride, *restrict u5 = u + 5 * u_stride;
  for (PetscInt k = 0; k < kernel; k++) {
    static const double far_factor[] = {1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0, 1.0 / 3.0, 2.0 / 3.0};
    const double        near = -1.0 / 6.0, far = far_factor[k], sign = k % 2 ? -1.0 : 1.0, first = k == 0 ? 0.25 : 0.0,
                 last   = k == kernel - 1 ? 1.0 : 0.0;
    double *restrict to = w + k * w_stride;
    for (PetscInt i = 0; i < n; i++)
      to[i] =
          (add ? to[i] : 0.0) + (first * u[i] + near * (u1[i] + sign * u2[i]) + far * (u3[i] + sign * u4[i]) + last * u5[i]);
  }
}

/* Arrays along one axis to points; mirrored taps for the way back. */
static void AxisToPoints(PetscInt kernel, PetscInt n, const double *w, PetscInt w_stride, PetscBool mirrored, double *u,
                         PetscInt u_stride)
{
  const double  *first = mirrored ? w + (kernel - 1) * w_stride : w;
  const PetscInt step  = mirrored ? -w_stride : w_stride;
  if (kernel == 3)
    ToPoints3(n, first, first + step, first + 2 * step, u, u_stride);
  else
    ToPoints5(n, first, first + step, first + 2 * step, first + 3 * step, first + 4 * step, u, u_stride);
}

/* G w G^T, packed: first along x, then along y, whose points are in the outer place. */
void WeftWinogradPrepare(WeftWinograd w, const double *weights, PetscBool transposed)
{
  const PetscInt n = w->in * w->out, k = w->kernel, plane = w->plane_weights;

  if (WeftPackedReady(&w->u, weights, transposed)) return;
  for (PetscInt j = 0; j < k; j++) AxisToPoints(k, n, weights + j * k * n, n, transposed, w->half + j * SIDE * plane, plane);
  AxisToPoints(k, SIDE * plane, w->half, SIDE * plane, transposed, w->weights, SIDE * plane);
  for (PetscInt p = 0; p < POINTS; p++)
    WeftPack(w->kernels, 1, transposed ? w->out : w->in, transposed ? w->in : w->out, w->weights + p * plane, transposed,
             (char *)w->u.packed[transposed] + w->size * (size_t)(p * n));
}

/* w_bar += G^T u_bar G, u_bar in w->weights. */
static void TransformWeightsBar(WeftWinograd w, double *w_bar)
{
  const PetscInt n = w->in * w->out, k = w->kernel, plane = w->plane_weights;

  FromPoints(k, SIDE * plane, w->weights, SIDE * plane, PETSC_FALSE, w->half, SIDE * plane);
  for (PetscInt j = 0; j < k; j++) FromPoints(k, n, w->half + j * SIDE * plane, plane, PETSC_TRUE, w_bar + j * k * n, n);
}

/* ---- tiles --------------------------------------------------------------------------------------------------------- */

/* Place of tile number t of a sample in the cells [lo, hi), moved by `shift` pixels along both axes. */
static const char *TilePlace(const WeftWinograd w, const WeftFeatures *f, const PetscInt lo[3], const PetscInt hi[3],
                             const void *values, PetscInt sample, PetscInt t, PetscInt shift)
{
  const PetscInt across = (hi[0] - lo[0]) / w->tile, i = lo[0] + t % across * w->tile, j = lo[1] + t / across * w->tile;
  return (const char *)values + f->size * (size_t)WeftFeaturesIndex(f, sample, i + shift, j + shift, 0);
}

static PetscInt Tiles(const WeftWinograd w, const PetscInt lo[3], const PetscInt hi[3])
{
  return (hi[0] - lo[0]) / w->tile * ((hi[1] - lo[1]) / w->tile);
}

PetscInt WeftWinogradTile(WeftWinograd w) { return w->tile; }

/* Tiles of the next block when n are left: blocks of nearly one size. */
static PetscInt NextBlock(PetscInt n, PetscInt largest)
{
  const PetscInt blocks = (n + largest - 1) / largest;
  return (n + blocks - 1) / blocks;
}

void WeftWinogradConvolve(WeftWinograd w, PetscBool transposed, const WeftConvolve *c, const PetscInt lo[3],
                          const PetscInt hi[3], const WeftFeatures *from, const void *x, const void *residual,
                          const WeftFeatures *to, void *y)
{
  static const ptrdiff_t here     = 0;
  const PetscInt         shift = -(w->kernel / 2), tiles = Tiles(w, lo, hi);
  const ptrdiff_t        plane_in = PlaneOf(w, BLOCK * c->in), plane_out = PlaneOf(w, BLOCK * c->out);
  WeftConvolve           product = {c->in, c->out, 1, &here, NULL, w->zero, WEFT_ACTIVATION_NONE};

  for (PetscInt s = 0; s < to->batch; s++) {
    for (PetscInt t = 0, n; t < tiles; t += n) {
      n = NextBlock(tiles - t, BLOCK);
      for (PetscInt i = 0; i < n; i++)
        w->kernels->to_points(c->in, TilePlace(w, from, lo, hi, x, s, t + i, shift), from->stride[0], from->stride[1],
                              (char *)w->v_in + w->size * (size_t)(i * c->in), plane_in);
      for (PetscInt p = 0; p < POINTS; p++) {
        product.weights = (const char *)w->u.packed[transposed] + w->size * (size_t)(p * c->in * c->out);
        w->kernels->row(&product, n, (const char *)w->v_in + w->size * (size_t)(p * plane_in), NULL,
                        (char *)w->v_out + w->size * (size_t)(p * plane_out));
      }
      for (PetscInt i = 0; i < n; i++)
        w->kernels->from_points(w->tile, c, (const char *)w->v_out + w->size * (size_t)(i * c->out), plane_out,
                                residual ? TilePlace(w, to, lo, hi, residual, s, t + i, 0) : NULL,
                                (char *)TilePlace(w, to, lo, hi, y, s, t + i, 0), to->stride[0], to->stride[1]);
    }
  }
}

/* Adds the partial sums to those in float64. */
static void Flush(WeftWinograd w)
{
  const PetscInt n = w->in * w->out;
  for (PetscInt p = 0; p < POINTS; p++)
    WeftValuesAddTo(w->kernels->single, n, (const char *)w->sum + w->size * (size_t)(p * n), w->weights + p * w->plane_weights);
}

/* sum += products at points of the tiles whose places are given; first: sum = . */
static void AddProducts(WeftWinograd w, const WeftFeatures *fx, const WeftFeatures *fz, PetscInt n, const char *const x[], const char *const z[], PetscBool first)
{
  static const ptrdiff_t here     = 0;
  const PetscInt         in       = w->in, out = w->out;
  const WeftConvolve     product  = {in, out, 1, &here, NULL, NULL, WEFT_ACTIVATION_NONE};
  const ptrdiff_t        plane_in = PlaneOf(w, GRADIENT_BLOCK * in), plane_out = PlaneOf(w, GRADIENT_BLOCK * out);

  for (PetscInt i = 0; i < n; i++) {
    w->kernels->to_points(in, x[i], fx->stride[0], fx->stride[1], (char *)w->v_in + w->size * (size_t)(i * in), plane_in);
    w->kernels->bar_to_points(w->tile, out, z[i], fz->stride[0], fz->stride[1], (char *)w->v_out + w->size * (size_t)(i * out), plane_out);
  }
  for (PetscInt p = 0; p < POINTS; p++) {
    const WeftPixels pixels = {1, n, (const char *)w->v_in + w->size * (size_t)(p * plane_in), (const char *)w->v_out + w->size * (size_t)(p * plane_out), 0, 0, out, first};
    w->kernels->gradient(&product, &pixels, (char *)w->sum + w->size * (size_t)(p * in * out));
  }
}

void WeftWinogradGradient(WeftWinograd w, const WeftFeatures *fx, const void *x, const WeftFeatures *fz, const void *z,
                          double *w_bar)
{
  static const PetscInt lo[3] = {0, 0, 0};
  const PetscInt        shift = -(w->kernel / 2), tiles = Tiles(w, lo, fz->count);
  const char           *at_x[GRADIENT_BLOCK], *at_z[GRADIENT_BLOCK];
  PetscInt              held = 0;

  memset(w->weights, 0, sizeof(double) * (size_t)(POINTS * w->plane_weights));
  for (PetscInt s = 0; s < fz->batch; s++) {
    for (PetscInt t = 0, n; t < tiles; t += n) {
      n = NextBlock(tiles - t, GRADIENT_BLOCK);
      for (PetscInt i = 0; i < n; i++) {
        at_x[i] = TilePlace(w, fx, lo, fz->count, x, s, t + i, shift);
        at_z[i] = TilePlace(w, fz, lo, fz->count, z, s, t + i, 0);
      }
      AddProducts(w, fx, fz, n, at_x, at_z, held ? PETSC_FALSE : PETSC_TRUE);
      held += n;
      if (held < FLUSH) continue;
      Flush(w);
      held = 0;
    }
  }
  if (held) Flush(w);
  TransformWeightsBar(w, w_bar);
}

/* ---- the gradient of one tile of the grid -------------------------------------------------------------------------- */

/* Row K of G^T (as in FromPoints) times six values. */
#define AT_TAP(TYPE, KERNEL, K, u, w)                                                                                          \
  do {                                                                                                                         \
    const TYPE near_ = (TYPE)(-1.0 / 6.0), far_ = (TYPE)((double)(1 << (K)) / 24.0);                                           \
    (w) = (K) % 2 ? near_ * ((u)[1] - (u)[2]) + far_ * ((u)[3] - (u)[4]) : near_ * ((u)[1] + (u)[2]) + far_ * ((u)[3] + (u)[4]); \
    if ((K) == 0) (w) += (TYPE)0.25 * (u)[0];                                                                                  \
    if ((K) == (KERNEL)-1) (w) += (u)[5];                                                                                      \
  } while (0)

/* w[k][k][n] = G^T u G of sums at points u[6][6][n], all at once: they are read only once. */
#define SUMS_TO_WEIGHTS(TYPE, KERNEL)                                                                                          \
  WEFT_KERNEL static void SumsToWeights_##TYPE##_##KERNEL(PetscInt n, const TYPE *restrict u, TYPE *restrict w)                \
  {                                                                                                                            \
    typedef TYPE Lanes __attribute__((vector_size(64), aligned(sizeof(TYPE)), may_alias));                                     \
    for (PetscInt i = 0; i < n; i += (PetscInt)(64 / sizeof(TYPE))) {                                                          \
      Lanes half[KERNEL][SIDE];                                                                                                \
      _Pragma("GCC unroll 6") for (int x = 0; x < SIDE; x++) {                                                                 \
        Lanes column[SIDE];                                                                                                    \
        _Pragma("GCC unroll 6") for (int y = 0; y < SIDE; y++) column[y] = *(const Lanes *)(u + (ptrdiff_t)(SIDE * y + x) * n + i); \
        _Pragma("GCC unroll 5") for (int k = 0; k < KERNEL; k++) AT_TAP(TYPE, KERNEL, k, column, half[k][x]);                  \
      }                                                                                                                        \
      _Pragma("GCC unroll 5") for (int j = 0; j < KERNEL; j++) {                                                               \
        _Pragma("GCC unroll 5") for (int k = 0; k < KERNEL; k++) {                                                             \
          Lanes value;                                                                                                         \
          AT_TAP(TYPE, KERNEL, k, half[j], value);                                                                             \
          *(Lanes *)(w + (ptrdiff_t)(j * KERNEL + k) * n + i) = value;                                                         \
        }                                                                                                                      \
      }                                                                                                                        \
    }                                                                                                                          \
  }
SUMS_TO_WEIGHTS(float, 3)
SUMS_TO_WEIGHTS(float, 5)
SUMS_TO_WEIGHTS(double, 3)
SUMS_TO_WEIGHTS(double, 5)

void WeftWinogradTileGradient(WeftWinograd w, const WeftFeatures *fx, const void *x, const WeftFeatures *fz, const void *z, PetscInt sample, const PetscInt lo[3], PetscInt edge, const WeftFixed *w_bar)
{
  const PetscInt shift = -(w->kernel / 2), across = edge / w->tile, tiles = across * across, count = w->in * w->out, all = w->kernel * w->kernel * count;
  const char    *at_x[GRADIENT_BLOCK], *at_z[GRADIENT_BLOCK];

  for (PetscInt t = 0, n; t < tiles; t += n) {
    n = NextBlock(tiles - t, GRADIENT_BLOCK);
    for (PetscInt i = 0; i < n; i++) {
      const PetscInt at[2] = {lo[0] + (t + i) % across * w->tile, lo[1] + (t + i) / across * w->tile};
      at_x[i]              = (const char *)x + w->size * (size_t)WeftFeaturesIndex(fx, sample, at[0] + shift, at[1] + shift, 0);
      at_z[i]              = (const char *)z + w->size * (size_t)WeftFeaturesIndex(fz, sample, at[0], at[1], 0);
    }
    AddProducts(w, fx, fz, n, at_x, at_z, t ? PETSC_FALSE : PETSC_TRUE);
  }
  if (w->kernels->single) {
    (w->kernel == 3 ? SumsToWeights_float_3 : SumsToWeights_float_5)(count, (const float *)w->sum, (float *)w->half);
    WeftFixedAddSingle(w_bar, all, (const float *)w->half);
  } else {
    (w->kernel == 3 ? SumsToWeights_double_3 : SumsToWeights_double_5)(count, (const double *)w->sum, w->half);
    WeftFixedAdd(w_bar, all, w->half);
  }
}
