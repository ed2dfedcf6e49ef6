/* Inside src/nn: the convolution kernels and what the layers share. */
#ifndef WEFT_NN_IMPL_H
#define WEFT_NN_IMPL_H
#include <weft/nn.h>
#include <stddef.h>
#include "grid/fixed.h"
#include "op/rows.h"

/* ---- kernels ------------------------------------------------------------------------------------------------- */

/* One convolution as the kernels see it. Pixels of a row stand one after another, all channels of a pixel together.
   Weights are packed: output channels padded to whole vectors and cut into blocks; [block][tap][in][channel of the block]. */
typedef struct {
  PetscInt         in, out, taps;
  const ptrdiff_t *offset;  /* [taps] from the place of a pixel in x to what the tap reads, in values */
  const void      *weights; /* packed */
  const void      *bias;    /* [out, padded] what the sums start from; NULL: from the values of y */
  WeftActivation   activation; /* none, relu or leaky_relu; tanh is applied by the caller */
} WeftConvolve;

/* A block of pixels for the weight gradient. Strides in values. */
typedef struct {
  PetscInt    rows, pixels;
  const void *x, *z;
  ptrdiff_t   x_row, z_row, z_pixel; /* z: `out` channels, padded with zeros to whole vectors */
  PetscBool   first;                 /* the sums start with this block, from zero */
} WeftPixels;

/* Kernels of one instruction set and one precision. Every pixel goes through the same arithmetic wherever it stands in a row:
   the sum starts from the bias and takes tap by tap, input channel by input channel. */
typedef struct {
  const char *name;
  PetscBool   single;
  PetscInt    lanes, block; /* output channels are padded to `lanes` and cut into blocks of `block` */
  /* y = activation(bias + x * w [+ residual]) for a row of n pixels */
  void (*row)(const WeftConvolve *c, PetscInt n, const void *x, const void *residual, void *y);
  /* sum[tap][in][out, padded] += x(pixel + offset(tap))[in] z(pixel)[out] over the pixels; = where they are the first */
  void (*gradient)(const WeftConvolve *c, const WeftPixels *pixels, void *sum);
  /* Transforms of Winograd's convolution (winograd.c), a tile at a time; NULL: not there. Strides in values. */
  void (*to_points)(PetscInt channels, const void *x, ptrdiff_t pixel, ptrdiff_t row, void *v, ptrdiff_t plane);
  void (*from_points)(PetscInt tile, const WeftConvolve *c, const void *v, ptrdiff_t plane, const void *residual, void *y, ptrdiff_t pixel, ptrdiff_t row);
  void (*bar_to_points)(PetscInt tile, PetscInt channels, const void *z, ptrdiff_t pixel, ptrdiff_t row, void *v, ptrdiff_t plane);
} WeftKernels;

extern const WeftKernels WeftKernelsPlain[2]; /* [0] float64, [1] float32 */
#if defined(__x86_64__) && defined(__GNUC__)
  #define WEFT_X86_KERNELS 1
extern const WeftKernels WeftKernelsAVX2[2], WeftKernelsAVX512[2];
#endif

/* The kernels in use: by CPU, or by -nn_kernels. */
PetscErrorCode WeftKernelsGet(PetscBool single, const WeftKernels **kernels);
/* Takes the kernels of that name from now on ("auto": by CPU); *there FALSE: this CPU lacks them, nothing changes. */
PetscErrorCode WeftKernelsSet(const char *name, PetscBool *there);

static inline PetscInt WeftPadded(const WeftKernels *k, PetscInt channels) { return (channels + k->lanes - 1) / k->lanes * k->lanes; }
/* Few outputs of many inputs: the vectors run over the inputs, and weights are packed [tap][out][in]. */
#define WEFT_FEW 4
static inline PetscBool WeftFewOutputs(PetscInt lanes, PetscInt in, PetscInt out) { return lanes > 1 && out <= WEFT_FEW && in % lanes == 0 ? PETSC_TRUE : PETSC_FALSE; }
/* Packs float64 weights [tap][in][out]; transposed: of the convolution backwards, [tap mirrored][out][in], whose inputs are the
   outputs. in, out: of the packed convolution. packed: taps * in * WeftPadded(out) values. */
void WeftPack(const WeftKernels *k, PetscInt taps, PetscInt in, PetscInt out, const double *weights, PetscBool transposed, void *packed);

/* Weights made ready for the kernels, forward [0] and backward [1]. They serve until other weights come: a copy tells, so that
   the steps of a rollout share them whatever state holds the parameters. */
typedef struct {
  PetscInt  count;
  double   *copy;
  void     *packed[2];
  PetscBool ready[2];
} WeftPacked;
PetscErrorCode WeftPackedCreate(PetscInt count, size_t bytes, WeftPacked *packed); /* count weights; bytes of each packed form */
PetscErrorCode WeftPackedDestroy(WeftPacked *packed);
/* FALSE: the caller has to fill packed[transposed]. */
PetscBool WeftPackedReady(WeftPacked *packed, const double *weights, PetscBool transposed);

/* ---- states of features -------------------------------------------------------------------------------------- */

/* Where the values of a CHANNELS state stand; strides in values. */
typedef struct {
  PetscInt  channels, batch;
  PetscInt  count[3];
  PetscBool single;
  size_t    size;              /* bytes of a value */
  ptrdiff_t stride[3], sample; /* strides of axes and samples */
  ptrdiff_t origin;            /* first owned cell */
} WeftFeatures;
WeftFeatures WeftFeaturesOf(WeftSpace space);
static inline ptrdiff_t WeftFeaturesIndex(const WeftFeatures *f, PetscInt sample, PetscInt i, PetscInt j, PetscInt k)
{
  return f->origin + sample * f->sample + i * f->stride[0] + j * f->stride[1] + k * f->stride[2];
}

/* Work on n values that stand one after another. */
void WeftValuesTanh(PetscBool single, PetscInt n, void *y);
/* z = g * activation'(its argument), from the output y */
void WeftValuesDerive(PetscBool single, WeftActivation activation, PetscInt n, const void *y, const void *g, void *z);
/* z *= activation'(its argument) */
void WeftValuesScale(PetscBool single, WeftActivation activation, PetscInt n, const void *y, void *z);
void WeftValuesAdd(PetscBool single, PetscInt n, const void *x, void *y); /* y += x */
/* sum[channel] += the pixels' values */
void WeftValuesSum(PetscBool single, PetscInt pixels, PetscInt channels, const void *z, double sum[]);
/* y = (type of a value)x; y += x */
void WeftValuesFromDouble(PetscBool single, PetscInt n, const double x[], void *y);
void WeftValuesAddTo(PetscBool single, PetscInt n, const void *x, double y[]);
/* One channel of n pixels from n plane values, factor (a + b) (b NULL: factor a), overwriting or adding; and back. */
void WeftValuesToChannel(PetscBool single, PetscInt n, PetscInt channels, double factor, const double a[], const double b[], PetscBool add, void *y);
void WeftValuesFillChannel(PetscBool single, PetscInt n, PetscInt channels, double value, void *y);
void WeftValuesFromChannel(PetscBool single, PetscInt n, PetscInt channels, const void *y, double a[]);
/* a += factor channel; *sum += sum of the channel */
void WeftValuesAddFromChannel(PetscBool single, PetscInt n, PetscInt channels, double factor, const void *y, double a[]);
void WeftValuesAddSum(PetscBool single, PetscInt n, PetscInt channels, const void *y, double *sum);
/* y += factor (a + b) */
void WeftValuesAddMean(PetscInt n, double factor, const double a[], const double b[], double y[]);

/* Memory aligned to cache lines. */
PetscErrorCode WeftAlignedCreate(size_t bytes, void **memory);
PetscErrorCode WeftAlignedDestroy(void **memory);

/* A state that holds nothing between two calls of operators; operators with equal descriptions share it. */
PetscErrorCode WeftScratchGet(WeftGrid grid, PetscInt batch, PetscInt channels, PetscInt width, PetscBool single, WeftState *state);
PetscErrorCode WeftScratchRestore(WeftState *state);

/* Cell planes, one for each field of the planes that stands on faces (*cells NULL: none does), on the way between faces and
   features: there they have the precision and the ghosts that features may lack. */
PetscErrorCode WeftCellPlanesCreate(WeftSpace planes, WeftState *cells);

/* Channel of the owned row (j, k), global indices, of a sample. */
static inline char *WeftFeaturesRow(const WeftFeatures *f, const WeftLayout *l, const void *values, PetscInt channel, PetscInt sample, PetscInt j, PetscInt k)
{
  return (char *)values + f->size * (size_t)(WeftFeaturesIndex(f, sample, 0, j - l->start[1], k - l->start[2]) + channel);
}
/* Every row (j, k) of the owned cells, sample by sample. */
#define WEFT_FOR_ROWS(l, batch, s, j, k)                                                                                       \
  for (PetscInt s = 0; s < (batch); s++)                                                                                       \
    for (PetscInt k = (l)->start[2]; k < (l)->start[2] + (l)->count[2]; k++)                                                   \
      for (PetscInt j = (l)->start[1]; j < (l)->start[1] + (l)->count[1]; j++)

/* ---- Winograd's convolution ------------------------------------------------------------------------------------- */

typedef struct _n_WeftWinograd *WeftWinograd;
/* *winograd NULL: this convolution is not of the kind (see winograd.c). The choice does not depend on the ranks. */
PetscErrorCode WeftWinogradCreate(const WeftKernels *kernels, const WeftLayout *layout, PetscInt kernel, PetscInt in, PetscInt out, WeftWinograd *winograd);
PetscErrorCode WeftWinogradDestroy(WeftWinograd *winograd);
/* Takes float64 weights [tap][in][out] to points, if they are not there; transposed: backwards, as in WeftPack. */
void WeftWinogradPrepare(WeftWinograd winograd, const double *weights, PetscBool transposed);
/* Then the convolution of the cells [lo, hi) with them, counted from the first owned one, whole tiles. Bias and activation as in c,
   whose weights are not used. */
void WeftWinogradConvolve(WeftWinograd winograd, PetscBool transposed, const WeftConvolve *c, const PetscInt lo[3], const PetscInt hi[3], const WeftFeatures *from, const void *x, const void *residual, const WeftFeatures *to, void *y);
PetscInt WeftWinogradTile(WeftWinograd winograd); /* cells of a tile along an axis */
/* w_bar[tap][in][out] += sum over the owned cells of x(cell + tap)[in] z(cell)[out] */
void WeftWinogradGradient(WeftWinograd winograd, const WeftFeatures *fx, const void *x, const WeftFeatures *fz, const void *z, double *w_bar);
/* The same over one tile of `edge` cells, a multiple of the outputs' tile, from cell lo on: its sum goes to w_bar as one term. */
void WeftWinogradTileGradient(WeftWinograd winograd, const WeftFeatures *fx, const void *x, const WeftFeatures *fz, const void *z, PetscInt sample, const PetscInt lo[3], PetscInt edge, const WeftFixed *w_bar);
#endif
