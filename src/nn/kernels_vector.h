/* Convolution kernels over vectors of LANES values, written once. The including file defines
     NAME(x)            name of this instance        TARGET     function attribute of the instruction set
     T, VEC, LANES      value, vector                TILES(X)   X(1) ... X(largest tile)
     LOAD, STORE        unaligned                    LOAD_PART, STORE_PART   the first `n` lanes only
     SPLAT(pointer)     one value in every lane      FMA(a, b, c), MAX(a, b), ADD, MUL, TOTAL(a) of all lanes
   A tile keeps the sums of P pixels times V vectors of output channels in registers. Tiles of every size from 1 to the largest
   are made, so that a row is cut into equal ones; each pixel has the same sequence of operations in all of them. */
#define TILE_INLINE static inline __attribute__((always_inline)) TARGET
#define UNROLL      _Pragma("GCC unroll 16")

/* sums += x * w for the taps and input channels of one tile. Pixels are reached from every third one. */
TILE_INLINE void NAME(Sum)(const int P, const int V, const WeftConvolve *c, const T *restrict w, const T *restrict x, VEC sum[12][2])
{
  const ptrdiff_t in = c->in;

  for (PetscInt t = 0; t < c->taps; t++) {
    const T *third[4];
    UNROLL for (int q = 0; q < (P + 2) / 3; q++) third[q] = x + c->offset[t] + 3 * q * in;
    for (ptrdiff_t i = 0; i < in; i++, w += V * LANES) {
      const VEC weight0 = LOAD(w), weight1 = LOAD(w + (V - 1) * LANES);
      UNROLL for (int p = 0; p < P; p++) {
        const VEC value = SPLAT(third[p / 3] + p % 3 * in);
        sum[p][0]       = FMA(value, weight0, sum[p][0]);
        if (V == 2) sum[p][1] = FMA(value, weight1, sum[p][1]);
      }
      UNROLL for (int q = 0; q < (P + 2) / 3; q++) third[q]++;
    }
  }
}

/* One tile of a row, from output channel `first` on; `last` channels of the last vector exist. */
TILE_INLINE void NAME(Tile)(const int P, const int V, const WeftConvolve *c, PetscInt first, PetscInt last, const T *w, const T *x, const T *residual, T *y)
{
  ptrdiff_t       out    = c->out;
  const PetscBool kinked = c->activation == WEFT_ACTIVATION_RELU || c->activation == WEFT_ACTIVATION_LEAKY_RELU ? PETSC_TRUE : PETSC_FALSE;
  const T         slope  = c->activation == WEFT_ACTIVATION_RELU ? (T)0 : (T)0.2;
  VEC             sum[12][2];

  y += first;
  UNROLL for (int p = 0; p < P; p++) {
    UNROLL for (int v = 0; v < V; v++) {
      if (c->bias) sum[p][v] = LOAD((const T *)c->bias + first + v * LANES);
      else sum[p][v] = v < V - 1 || last == LANES ? LOAD(y + p * out + v * LANES) : LOAD_PART(y + p * out + v * LANES, last);
    }
  }
  NAME(Sum)(P, V, c, w, x, sum);
  __asm__("" : "+r"(y), "+r"(out)); /* the addresses are made anew, or they take the registers of the sums */
  UNROLL for (int p = 0; p < P; p++) {
    UNROLL for (int v = 0; v < V; v++) {
      const PetscBool whole = v < V - 1 || last == LANES;
      VEC             value = sum[p][v];
      if (residual) value = ADD(value, whole ? LOAD(residual + first + p * out + v * LANES) : LOAD_PART(residual + first + p * out + v * LANES, last));
      if (kinked) value = MAX(MUL(SPLAT(&slope), value), value); /* MAX(a, NaN) is NaN */
      if (whole) STORE(y + p * out + v * LANES, value);
      else STORE_PART(y + p * out + v * LANES, last, value);
    }
  }
}

/* Few output channels: vectors run over the input channels instead, P pixels times O outputs at a time. */
TILE_INLINE void NAME(Few)(const int P, const int O, const WeftConvolve *c, const T *restrict x, const T *residual, T *restrict y)
{
  const ptrdiff_t in     = c->in;
  const PetscBool kinked = c->activation == WEFT_ACTIVATION_RELU || c->activation == WEFT_ACTIVATION_LEAKY_RELU ? PETSC_TRUE : PETSC_FALSE;
  const T         slope  = c->activation == WEFT_ACTIVATION_RELU ? (T)0 : (T)0.2, *w = (const T *)c->weights;
  VEC             sum[4][WEFT_FEW] = {{{0}}};

  for (PetscInt t = 0; t < c->taps; t++, w += O * in) {
    const T *at = x + c->offset[t];
    for (ptrdiff_t i = 0; i < in; i += LANES) {
      VEC weight[WEFT_FEW];
      UNROLL for (int o = 0; o < O; o++) weight[o] = LOAD(w + o * in + i);
      UNROLL for (int p = 0; p < P; p++) {
        const VEC value = LOAD(at + p * in + i);
        UNROLL for (int o = 0; o < O; o++) sum[p][o] = FMA(value, weight[o], sum[p][o]);
      }
    }
  }
  UNROLL for (int p = 0; p < P; p++) {
    UNROLL for (int o = 0; o < O; o++) {
      T value = (c->bias ? ((const T *)c->bias)[o] : y[p * O + o]) + TOTAL(sum[p][o]);
      if (residual) value += residual[p * O + o];
      if (kinked) value = value < (T)0 ? slope * value : value;
      y[p * O + o] = value;
    }
  }
}

/* sum[tile of P inputs][V vectors of outputs] += x z over a block of pixels. */
TILE_INLINE void NAME(GradientTile)(const int P, const int V, const WeftPixels *pixels, ptrdiff_t in, ptrdiff_t padded, const T *x, const T *z, T *total)
{
  VEC sum[12][2];

  UNROLL for (int p = 0; p < P; p++)
    UNROLL for (int v = 0; v < V; v++) sum[p][v] = pixels->first ? (VEC){0} : LOAD(total + p * padded + v * LANES);
  for (PetscInt r = 0; r < pixels->rows; r++) {
    const T *restrict at_x = x + r * pixels->x_row, *restrict at_z = z + r * pixels->z_row;
    for (PetscInt n = 0; n < pixels->pixels; n++, at_x += in, at_z += pixels->z_pixel) {
      const VEC bar0 = LOAD(at_z), bar1 = LOAD(at_z + (V - 1) * LANES);
      UNROLL for (int p = 0; p < P; p++) {
        const VEC value = SPLAT(at_x + p);
        sum[p][0]       = FMA(value, bar0, sum[p][0]);
        if (V == 2) sum[p][1] = FMA(value, bar1, sum[p][1]);
      }
    }
  }
  UNROLL for (int p = 0; p < P; p++)
    UNROLL for (int v = 0; v < V; v++) STORE(total + p * padded + v * LANES, sum[p][v]);
}

typedef void (*NAME(TileFunction))(const WeftConvolve *c, PetscInt first, PetscInt last, const T *w, const T *x, const T *residual, T *y);
typedef void (*NAME(GradientFunction))(const WeftPixels *pixels, ptrdiff_t in, ptrdiff_t padded, const T *x, const T *z, T *total);
#define INSTANCE(P, V)                                                                                                         \
  static TARGET void NAME(Tile_##P##_##V)(const WeftConvolve *c, PetscInt first, PetscInt last, const T *w, const T *x, const T *residual, T *y) \
  {                                                                                                                            \
    NAME(Tile)(P, V, c, first, last, w, x, residual, y);                                                                       \
  }                                                                                                                            \
  static TARGET void NAME(Gradient_##P##_##V)(const WeftPixels *pixels, ptrdiff_t in, ptrdiff_t padded, const T *x, const T *z, T *total) \
  {                                                                                                                            \
    NAME(GradientTile)(P, V, pixels, in, padded, x, z, total);                                                                 \
  }
#define INSTANCES(P) INSTANCE(P, 1) INSTANCE(P, 2)
TILES(INSTANCES)
#define FEW(O)                                                                                                                 \
  static TARGET void NAME(Few_##O)(const WeftConvolve *c, PetscInt n, const T *x, const T *residual, T *y)                     \
  {                                                                                                                            \
    PetscInt p = 0;                                                                                                            \
    for (; p + 4 <= n; p += 4) NAME(Few)(4, O, c, x + (ptrdiff_t)p * c->in, residual ? residual + p * O : NULL, y + p * O);    \
    for (; p < n; p++) NAME(Few)(1, O, c, x + (ptrdiff_t)p * c->in, residual ? residual + p * O : NULL, y + p * O);            \
  }
FEW(1) FEW(2) FEW(3) FEW(4)
#define TILE_ROW(P)     {NAME(Tile_##P##_1), NAME(Tile_##P##_2)},
#define GRADIENT_ROW(P) {NAME(Gradient_##P##_1), NAME(Gradient_##P##_2)},
static const NAME(TileFunction) NAME(tile)[][2]         = {TILES(TILE_ROW)};         /* [pixels - 1][vectors - 1] */
static const NAME(GradientFunction) NAME(gradient)[][2] = {TILES(GRADIENT_ROW)};
#define LARGEST ((PetscInt)(sizeof(NAME(tile)) / sizeof(NAME(tile)[0])))

/* Size of the next tile when n are left: as few tiles as possible, of nearly one size. */
static inline PetscInt NAME(Next)(PetscInt n)
{
  const PetscInt tiles = (n + LARGEST - 1) / LARGEST;
  return (n + tiles - 1) / tiles;
}

static void NAME(Row)(const WeftConvolve *c, PetscInt n, const void *x_, const void *residual_, void *y_)
{
  const PetscInt padded = (c->out + LANES - 1) / LANES * LANES;
  const T       *w      = (const T *)c->weights;

  if (WeftFewOutputs(LANES, c->in, c->out)) {
    static void (*const few[])(const WeftConvolve *, PetscInt, const T *, const T *, T *) = {NAME(Few_1), NAME(Few_2), NAME(Few_3), NAME(Few_4)};
    few[c->out - 1](c, n, (const T *)x_, (const T *)residual_, (T *)y_);
    return;
  }
  for (PetscInt first = 0; first < padded; first += 2 * LANES) {
    const PetscInt vectors = padded - first > LANES ? 2 : 1, there = c->out - first - (vectors - 1) * LANES;
    for (PetscInt p = 0; p < n;) {
      const PetscInt pixels = NAME(Next)(n - p);
      NAME(tile)[pixels - 1][vectors - 1](c, first, PetscMin(there, LANES), w, (const T *)x_ + (ptrdiff_t)p * c->in, residual_ ? (const T *)residual_ + (ptrdiff_t)p * c->out : NULL, (T *)y_ + (ptrdiff_t)p * c->out);
      p += pixels;
    }
    w += (size_t)c->taps * c->in * vectors * LANES;
  }
}

static void NAME(Gradient)(const WeftConvolve *c, const WeftPixels *pixels, void *sum_)
{
  const PetscInt padded = (c->out + LANES - 1) / LANES * LANES;
  const T       *z      = (const T *)pixels->z;

  for (PetscInt t = 0; t < c->taps; t++) {
    const T *x   = (const T *)pixels->x + c->offset[t];
    T       *sum = (T *)sum_ + (size_t)t * c->in * padded;
    for (PetscInt i = 0; i < c->in;) {
      const PetscInt inputs = NAME(Next)(c->in - i);
      for (PetscInt first = 0; first < padded; first += 2 * LANES) NAME(gradient)[inputs - 1][padded - first > LANES ? 1 : 0](pixels, c->in, padded, x + i, z + first, sum + (ptrdiff_t)i * padded + first);
      i += inputs;
    }
  }
}

#include "nn/winograd_vector.h"

#undef TILE_INLINE
#undef UNROLL
#undef INSTANCE
#undef INSTANCES
#undef TILE_ROW
#undef GRADIENT_ROW
#undef FEW
#undef LARGEST
#undef NAME
#undef T
#undef VEC
#undef LANES
#undef LOAD
#undef STORE
#undef LOAD_PART
#undef STORE_PART
#undef SPLAT
#undef FMA
#undef ADD
#undef MUL
#undef MAX
#undef TOTAL
