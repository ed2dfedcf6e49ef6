/* Transforms of Winograd's convolution over vectors of channels, written once; included by kernels_vector.h, whose macros it
   uses. A tile of 6 x 6 pixels, evaluated at the points 0, 1, -1, 2, -2 and infinity along both axes, gives TILE x TILE
   outputs: 4 x 4 for kernels of 3, 2 x 2 for kernels of 5. Channels: a multiple of LANES. */

/* Six places a stride apart, reached from the first and the fourth. The compiler is kept from making a pointer for each of the
   36 of a tile ahead of time: they would not fit into registers. */
#define SIX(type, first, stride)                                                                                               \
  type *first_ = (first), *fourth_;                                                                                            \
  __asm__("" : "+r"(first_));                                                                                                  \
  fourth_ = first_ + 3 * (stride);                                                                                             \
  __asm__("" : "+r"(fourth_))
#define OF_SIX(k, stride) ((k) < 3 ? first_ + (k) * (stride) : fourth_ + ((k)-3) * (stride))

/* t = B^T d: pixels to points. */
#define POINTS(d, t)                                                                                                           \
  do {                                                                                                                         \
    const VEC even_ = FMA(minus4, (d)[2], (d)[4]), odd_ = FMA(minus4, (d)[1], (d)[3]);                                         \
    const VEC more_ = (d)[4] - (d)[2], half_ = (d)[3] - (d)[1];                                                                \
    (t)[0] = FMA(four, (d)[0], FMA(minus5, (d)[2], (d)[4]));                                                                   \
    (t)[1] = even_ + odd_;                                                                                                     \
    (t)[2] = even_ - odd_;                                                                                                     \
    (t)[3] = FMA(two, half_, more_);                                                                                           \
    (t)[4] = FMA(minus2, half_, more_);                                                                                        \
    (t)[5] = FMA(four, (d)[1], FMA(minus5, (d)[3], (d)[5]));                                                                   \
  } while (0)
/* y = A^T t: points to outputs. */
#define OUTPUTS(TILE, t, y)                                                                                                    \
  do {                                                                                                                         \
    const VEC sum1_ = (t)[1] + (t)[2], difference1_ = (t)[1] - (t)[2], sum2_ = (t)[3] + (t)[4], difference2_ = (t)[3] - (t)[4]; \
    (y)[0] = ((t)[0] + sum1_) + sum2_;                                                                                         \
    (y)[1] = FMA(two, difference2_, difference1_);                                                                             \
    if (TILE == 4) {                                                                                                           \
      (y)[2] = FMA(four, sum2_, sum1_);                                                                                        \
      (y)[3] = FMA(eight, difference2_, difference1_) + (t)[5];                                                                \
    } else (y)[1] = (y)[1] + (t)[5];                                                                                           \
  } while (0)
/* t = A z: the transpose. */
#define OUTPUTS_BAR(TILE, z, t)                                                                                                \
  do {                                                                                                                         \
    VEC even1_ = (z)[0], odd1_ = (z)[1], even2_ = (z)[0], odd2_ = (z)[1];                                                      \
    if (TILE == 4) {                                                                                                           \
      even1_ = (z)[0] + (z)[2];                                                                                                \
      odd1_  = (z)[1] + (z)[3];                                                                                                \
      even2_ = FMA(four, (z)[2], (z)[0]);                                                                                      \
      odd2_  = FMA(four, (z)[3], (z)[1]);                                                                                      \
    }                                                                                                                          \
    (t)[0] = (z)[0];                                                                                                           \
    (t)[1] = even1_ + odd1_;                                                                                                   \
    (t)[2] = even1_ - odd1_;                                                                                                   \
    (t)[3] = FMA(two, odd2_, even2_);                                                                                          \
    (t)[4] = FMA(minus2, odd2_, even2_);                                                                                       \
    (t)[5] = (z)[TILE - 1];                                                                                                    \
  } while (0)

/* v[point][channel] from 6 x 6 pixels. */
static TARGET void NAME(ToPoints)(PetscInt channels, const void *x_, ptrdiff_t pixel, ptrdiff_t row, void *v_, ptrdiff_t plane)
{
  static const T constants[] = {4, -4, -5, 2, -2};
  const VEC      four = SPLAT(constants), minus4 = SPLAT(constants + 1), minus5 = SPLAT(constants + 2), two = SPLAT(constants + 3), minus2 = SPLAT(constants + 4);

  for (PetscInt c = 0; c < channels; c += LANES) {
    const T *x = (const T *)x_ + c;
    T       *v = (T *)v_ + c;
    VEC      columns[6][6]; /* [x][point of y] */
    UNROLL for (int i = 0; i < 6; i++) {
      VEC d[6];
      SIX(const T, x + i * pixel, row);
      UNROLL for (int j = 0; j < 6; j++) d[j] = LOAD(OF_SIX(j, row));
      POINTS(d, columns[i]);
    }
    UNROLL for (int j = 0; j < 6; j++) {
      const VEC d[6] = {columns[0][j], columns[1][j], columns[2][j], columns[3][j], columns[4][j], columns[5][j]};
      VEC       t[6];
      SIX(T, v + 6 * j * plane, plane);
      POINTS(d, t);
      UNROLL for (int i = 0; i < 6; i++) STORE(OF_SIX(i, plane), t[i]);
    }
  }
}

/* Outputs of a tile from v[point][channel], finished as in the direct kernel: BIAS, or added to y; RESIDUAL; activation. */
TILE_INLINE void NAME(FromPointsOf)(const int TILE, const int BIAS, const int RESIDUAL, const WeftConvolve *c, const T *v, ptrdiff_t plane, const T *residual, T *y, ptrdiff_t pixel, ptrdiff_t row)
{
  static const T constants[] = {2, 4, 8};
  const VEC      two = SPLAT(constants), four = SPLAT(constants + 1), eight = SPLAT(constants + 2);
  const T        factor = c->activation == WEFT_ACTIVATION_RELU ? (T)0 : c->activation == WEFT_ACTIVATION_LEAKY_RELU ? (T)0.2 : (T)1;
  const VEC      slope  = SPLAT(&factor);

  for (PetscInt o = 0; o < c->out; o += LANES) {
    VEC columns[6][4]; /* [point of x][y] */
    UNROLL for (int i = 0; i < 6; i++) {
      VEC t[6];
      SIX(const T, v + i * plane + o, 6 * plane);
      UNROLL for (int j = 0; j < 6; j++) t[j] = LOAD(OF_SIX(j, 6 * plane));
      OUTPUTS(TILE, t, columns[i]);
    }
    UNROLL for (int j = 0; j < TILE; j++) {
      const VEC t[6] = {columns[0][j], columns[1][j], columns[2][j], columns[3][j], columns[4][j], columns[5][j]};
      VEC       value[4];
      ptrdiff_t line = j * row + o;
      __asm__("" : "+r"(line));
      OUTPUTS(TILE, t, value);
      UNROLL for (int i = 0; i < TILE; i++) {
        const ptrdiff_t at = line + i * pixel;
        value[i] += BIAS ? LOAD((const T *)c->bias + o) : LOAD(y + at);
        if (RESIDUAL) value[i] += LOAD(residual + at);
        STORE(y + at, MAX(slope * value[i], value[i])); /* slope 1: no activation; MAX(a, NaN) is NaN */
      }
    }
  }
  (void)eight; /* tiles of 2 do without */
  (void)four;
}

#define FROM_POINTS(TILE)                                                                                                      \
  static TARGET void NAME(FromPoints##TILE)(const WeftConvolve *c, const T *v, ptrdiff_t plane, const T *residual, T *y,       \
                                            ptrdiff_t pixel, ptrdiff_t row)                                                    \
  {                                                                                                                            \
    if (!c->bias) NAME(FromPointsOf)(TILE, 0, 0, c, v, plane, residual, y, pixel, row); /* adjoints have no residual */        \
    else if (!residual) NAME(FromPointsOf)(TILE, 1, 0, c, v, plane, residual, y, pixel, row);                                  \
    else NAME(FromPointsOf)(TILE, 1, 1, c, v, plane, residual, y, pixel, row);                                                 \
  }
FROM_POINTS(4)
FROM_POINTS(2)
#undef FROM_POINTS

static TARGET void NAME(FromPoints)(PetscInt tile, const WeftConvolve *c, const void *v, ptrdiff_t plane, const void *residual, void *y, ptrdiff_t pixel, ptrdiff_t row)
{
  if (tile == 4) NAME(FromPoints4)(c, (const T *)v, plane, (const T *)residual, (T *)y, pixel, row);
  else NAME(FromPoints2)(c, (const T *)v, plane, (const T *)residual, (T *)y, pixel, row);
}

/* v[point][channel] from the adjoint of a tile's outputs. */
TILE_INLINE void NAME(BarToPointsOf)(const int TILE, PetscInt channels, const T *z, ptrdiff_t pixel, ptrdiff_t row, T *v, ptrdiff_t plane)
{
  static const T constants[] = {2, -2, 4};
  const VEC      two = SPLAT(constants), minus2 = SPLAT(constants + 1), four = SPLAT(constants + 2);

  for (PetscInt c = 0; c < channels; c += LANES) {
    VEC columns[4][6]; /* [x][point of y] */
    UNROLL for (int i = 0; i < TILE; i++) {
      VEC d[4];
      UNROLL for (int j = 0; j < TILE; j++) d[j] = LOAD(z + j * row + i * pixel + c);
      OUTPUTS_BAR(TILE, d, columns[i]);
    }
    UNROLL for (int j = 0; j < 6; j++) {
      const VEC d[4] = {columns[0][j], columns[1][j], columns[TILE - 2][j], columns[TILE - 1][j]};
      VEC       t[6];
      OUTPUTS_BAR(TILE, d, t);
      SIX(T, v + 6 * j * plane + c, plane);
      UNROLL for (int i = 0; i < 6; i++) STORE(OF_SIX(i, plane), t[i]);
    }
  }
  (void)four;
}

static TARGET void NAME(BarToPoints)(PetscInt tile, PetscInt channels, const void *z, ptrdiff_t pixel, ptrdiff_t row, void *v, ptrdiff_t plane)
{
  if (tile == 4) NAME(BarToPointsOf)(4, channels, (const T *)z, pixel, row, (T *)v, plane);
  else NAME(BarToPointsOf)(2, channels, (const T *)z, pixel, row, (T *)v, plane);
}
#undef SIX
#undef OF_SIX
#undef POINTS
#undef OUTPUTS
#undef OUTPUTS_BAR
