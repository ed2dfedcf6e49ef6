/* Normalisation of features: of a group of channels over all cells of a sample (Wu, He 2018), or of each channel over all cells and all
   samples of a batch (Ioffe, Szegedy 2015). Per bin, that is group of a sample, or channel,
     y = gamma[c] n + beta[c],  n = (x - mean) / sigma,  sigma^2 = mean of (x - mean)^2 + 1e-5
   tangent: dn = (dx - mean(dx) - n mean(n dx)) / sigma
   adjoint, with g = gamma y_bar: x_bar += (g - mean(g) - n mean(n g)) / sigma, gamma_bar += sum y_bar n, beta_bar += sum y_bar.
   The means are exact sums over the ranks: the same bits on every layout.

   Of a batch this is so in training alone. Beside it averages of mean and variance over the training are kept among the parameters
   [gamma, beta, mean, variance], and in use y is affine, with these:
   tangent: dn = (dx - dmean - n dvariance / (2 sigma)) / sigma;  adjoint: its transpose.
   In training the gradient by them is zero. Each adjoint, one per step and update, notes the statistics of its step. */
#include <math.h>
#include "base/exact.h"
#include "base/kernel.h"
#include "nn/builder.h"

#define EPSILON 1e-5
#define MOMENTUM 0.1 /* share of an update in the averages */
enum { INPUT, PARAMETERS };

typedef struct {
  PetscInt     bins, per_bin, of_sample; /* channel c of sample s: bin s of_sample + c / per_bin */
  PetscBool    batch;                    /* of a batch: has averages */
  MPI_Comm     comm;                     /* whose ranks hold what is normalised together; MPI_COMM_NULL: averages are used */
  PetscReal    count;                    /* values of a bin */
  WeftFeatures f;                        /* of x and y alike, but for their ghosts */
  WeftFeatures y;
  PetscReal   *statistics;               /* [bin][mean, 1 / sigma], where there is no record */
  PetscReal   *means[2];                 /* [bin] */
  PetscInt64  *sums, *row_sums;          /* [bin][2], [channel][2] */
  double      *row, *mean, *scale, *m[2], *factor, *sum[2]; /* a row of terms; of every channel of the sample at hand */
  double      *noted;                    /* [mean of each channel, variance of each channel] summed over adjoints */
  PetscInt     notes;
} Normalise;

/* ---- rows of n pixels -------------------------------------------------------------------------------------------- */

typedef enum { VALUE, SQUARE, WEIGHTED, WEIGHTED_NORMAL } Term;

/* x, (x - mean)^2, w z, w z n: what means are taken of. Then y, its tangent and its adjoint. */
#define NORMALISE(type)                                                                                                        \
  WEFT_KERNEL static void Terms_##type(Term term, PetscInt n, PetscInt channels, const type *restrict x, const type *restrict z, \
                                       const double *restrict mean, const double *restrict scale, const double *restrict w,    \
                                       double *restrict row)                                                                   \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += channels, row += channels) {                                                         \
      const ptrdiff_t at = (ptrdiff_t)i * channels;                                                                            \
      if (term == VALUE)                                                                                                       \
        for (PetscInt c = 0; c < channels; c++) row[c] = (double)x[c];                                                         \
      else if (term == SQUARE)                                                                                                 \
        for (PetscInt c = 0; c < channels; c++) row[c] = ((double)x[c] - mean[c]) * ((double)x[c] - mean[c]);                  \
      else if (term == WEIGHTED)                                                                                               \
        for (PetscInt c = 0; c < channels; c++) row[c] = w[c] * (double)z[at + c];                                             \
      else                                                                                                                     \
        for (PetscInt c = 0; c < channels; c++) row[c] = w[c] * (double)z[at + c] * (((double)x[c] - mean[c]) * scale[c]);     \
    }                                                                                                                          \
  }                                                                                                                            \
  WEFT_KERNEL static void Apply_##type(PetscInt n, PetscInt channels, const type *restrict x, const double *restrict mean,     \
                                       const double *restrict scale, const double *restrict gamma, const double *restrict beta, \
                                       type *restrict y)                                                                       \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, x += channels, y += channels)                                                             \
      for (PetscInt c = 0; c < channels; c++) y[c] = (type)(gamma[c] * (((double)x[c] - mean[c]) * scale[c]) + beta[c]);       \
  }                                                                                                                            \
  /* dy = [dgamma n + dbeta +] factor (dx - m0 - n m1) */                                                                      \
  WEFT_KERNEL static void Tangent_##type(const Normalise *v, PetscInt n, const type *restrict x, const type *restrict dx,      \
                                         const double *restrict dgamma, type *restrict dy)                                     \
  {                                                                                                                            \
    const PetscInt         channels = v->f.channels;                                                                           \
    const double *restrict mean = v->mean, *restrict scale = v->scale, *restrict m0 = v->m[0], *restrict m1 = v->m[1];         \
    const double *restrict factor = v->factor;                                                                                 \
    for (PetscInt i = 0; i < n; i++, x += channels, dy += channels) {                                                          \
      const ptrdiff_t at = (ptrdiff_t)i * channels;                                                                            \
      for (PetscInt c = 0; c < channels; c++) {                                                                                \
        const double normal = ((double)x[c] - mean[c]) * scale[c];                                                             \
        double       d      = factor[c] * ((dx ? (double)dx[at + c] : 0.0) - m0[c] - normal * m1[c]);                          \
        if (dgamma) d += dgamma[c] * normal + dgamma[channels + c];                                                            \
        dy[c] = (type)d;                                                                                                       \
      }                                                                                                                        \
    }                                                                                                                          \
  }                                                                                                                            \
  /* x_bar += scale (gamma y_bar - m0 - n m1); sums of y_bar and of n y_bar */                                                 \
  WEFT_KERNEL static void Adjoint_##type(const Normalise *v, PetscInt n, const type *restrict x, const double *restrict gamma, \
                                         const type *restrict y_bar, type *restrict x_bar)                                     \
  {                                                                                                                            \
    const PetscInt         channels = v->f.channels;                                                                           \
    const double *restrict mean = v->mean, *restrict scale = v->scale, *restrict m0 = v->m[0], *restrict m1 = v->m[1];         \
    double *restrict       sum0 = v->sum[0], *restrict sum1 = v->sum[1];                                                       \
    for (PetscInt i = 0; i < n; i++, x += channels, y_bar += channels) {                                                       \
      const ptrdiff_t at = (ptrdiff_t)i * channels;                                                                            \
      for (PetscInt c = 0; c < channels; c++) {                                                                                \
        const double normal = ((double)x[c] - mean[c]) * scale[c], b = (double)y_bar[c];                                       \
        sum0[c] += b;                                                                                                          \
        sum1[c] += b * normal;                                                                                                 \
        if (x_bar) x_bar[at + c] = (type)((double)x_bar[at + c] + scale[c] * (gamma[c] * b - m0[c] - normal * m1[c]));         \
      }                                                                                                                        \
    }                                                                                                                          \
  }
NORMALISE(double)
NORMALISE(float)

WEFT_KERNEL static double Largest(PetscInt n, const double *restrict row, double largest)
{
  for (PetscInt i = 0; i < n; i++)
    if (!(fabs(row[i]) <= largest)) largest = fabs(row[i]); /* a NaN stays */
  return largest;
}

static void AddRow(const WeftExactScale *scale, PetscInt n, PetscInt channels, const double *row, PetscInt64 *sums)
{
  for (PetscInt i = 0; i < n; i++, row += channels)
    for (PetscInt c = 0; c < channels; c++) WeftExactAdd(scale, row[c], sums + 2 * c);
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

/* Of the bins: mean and 1 / sigma of each channel of a sample. */
static void LoadSample(const Normalise *v, const PetscReal *statistics, PetscInt s)
{
  for (PetscInt c = 0; c < v->f.channels; c++) {
    const PetscInt bin = s * v->of_sample + c / v->per_bin;
    v->mean[c]         = statistics[2 * bin];
    v->scale[c]        = statistics[2 * bin + 1];
  }
}

/* One pass over the terms of all samples: the largest, or (scale) their exact sums. */
static double Gather(const Normalise *v, const WeftLayout *l, Term term, const void *x, const WeftFeatures *fz, const void *z, const double *w,
                     const PetscReal *statistics, const WeftExactScale *scale)
{
  const PetscInt n = l->count[0], channels = v->f.channels;
  double         largest = 0.0;

  for (PetscInt s = 0; s < v->f.batch; s++) {
    LoadSample(v, statistics, s);
    memset(v->row_sums, 0, sizeof(PetscInt64) * (size_t)(2 * channels));
    for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++) {
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
        const void *from = WeftFeaturesRow(&v->f, l, x, 0, s, j, k), *other = z ? WeftFeaturesRow(fz, l, z, 0, s, j, k) : NULL;
        if (v->f.single) Terms_float(term, n, channels, (const float *)from, (const float *)other, v->mean, v->scale, w, v->row);
        else Terms_double(term, n, channels, (const double *)from, (const double *)other, v->mean, v->scale, w, v->row);
        if (scale) AddRow(scale, n, channels, v->row, v->row_sums);
        else largest = Largest(n * channels, v->row, largest);
      }
    }
    for (PetscInt c = 0; c < channels; c++)
      for (PetscInt i = 0; i < 2; i++) v->sums[2 * (s * v->of_sample + c / v->per_bin) + i] += v->row_sums[2 * c + i];
  }
  return largest;
}

/* Means of a term in every bin. */
static PetscErrorCode Means(const Normalise *v, const WeftLayout *l, Term term, const void *x, const WeftFeatures *fz, const void *z, const double *w,
                            const PetscReal *statistics, PetscReal means[])
{
  WeftExactScale scale;

  PetscFunctionBegin;
  PetscCall(WeftExactScaleSet(v->comm, Gather(v, l, term, x, fz, z, w, statistics, NULL), (PetscInt)v->count, &scale));
  PetscCall(PetscArrayzero(v->sums, 2 * v->bins));
  (void)Gather(v, l, term, x, fz, z, w, statistics, &scale);
  PetscCall(WeftExactReduce(v->comm, &scale, v->bins, v->sums, means));
  for (PetscInt b = 0; b < v->bins; b++) means[b] /= v->count;
  PetscFunctionReturn(0);
}

static PetscReal *Statistics(const Normalise *v, WeftRecord record)
{
  return record ? (PetscReal *)WeftStateDataWrite(WeftRecordState(record, 0)) : v->statistics;
}

static PetscErrorCode MakeStatistics(const Normalise *v, const WeftLayout *l, const void *x, const double *parameters, PetscReal *statistics)
{
  const double *mean = parameters + 2 * v->f.channels, *variance = mean + v->f.channels;

  PetscFunctionBegin;
  if (v->comm == MPI_COMM_NULL) {
    for (PetscInt b = 0; b < v->bins; b++) {
      statistics[2 * b]     = mean[b];
      statistics[2 * b + 1] = 1.0 / PetscSqrtReal(variance[b] + EPSILON);
    }
    PetscFunctionReturn(0);
  }
  PetscCall(Means(v, l, VALUE, x, NULL, NULL, NULL, statistics, v->means[0]));
  for (PetscInt b = 0; b < v->bins; b++) statistics[2 * b] = v->means[0][b];
  PetscCall(Means(v, l, SQUARE, x, NULL, NULL, NULL, statistics, v->means[0]));
  for (PetscInt b = 0; b < v->bins; b++) statistics[2 * b + 1] = 1.0 / PetscSqrtReal(v->means[0][b] + EPSILON);
  PetscFunctionReturn(0);
}

/* Means of a tangent or adjoint z and of n z, zero where averages are used. */
static PetscErrorCode MakeMeans(const Normalise *v, const WeftLayout *l, const void *x, const WeftFeatures *fz, const void *z, const double *w,
                                const PetscReal *statistics)
{
  PetscFunctionBegin;
  for (PetscInt m = 0; m < 2; m++) {
    if (z && v->comm != MPI_COMM_NULL) PetscCall(Means(v, l, m ? WEIGHTED_NORMAL : WEIGHTED, x, fz, z, w, statistics, v->means[m]));
    else PetscCall(PetscArrayzero(v->means[m], v->bins));
  }
  PetscFunctionReturn(0);
}

static void LoadMeans(const Normalise *v, const double *gamma, PetscInt s)
{
  for (PetscInt c = 0; c < v->f.channels; c++) {
    for (PetscInt m = 0; m < 2; m++) v->m[m][c] = v->means[m][s * v->of_sample + c / v->per_bin];
    v->factor[c] = gamma[c] * v->scale[c];
  }
}

/* ---- the operator ------------------------------------------------------------------------------------------------ */

static const WeftLayout *LayoutOf(WeftOp op) { return WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, INPUT))->grid); }

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Normalise  *v          = (const Normalise *)WeftOpContext(op);
  const WeftLayout *l          = LayoutOf(op);
  const double     *gamma      = (const double *)WeftStateData(x[PARAMETERS]), *beta = gamma + v->f.channels;
  PetscReal        *statistics = Statistics(v, record);
  PetscInt          sample     = -1;

  PetscFunctionBegin;
  PetscCall(MakeStatistics(v, l, WeftStateData(x[INPUT]), gamma, statistics));
  WEFT_FOR_ROWS(l, v->f.batch, s, j, k)
  {
    const void *from = WeftFeaturesRow(&v->f, l, WeftStateData(x[INPUT]), 0, s, j, k);
    void       *to   = WeftFeaturesRow(&v->y, l, WeftStateDataWrite(y[0]), 0, s, j, k);
    if (s != sample) LoadSample(v, statistics, sample = s);
    if (v->f.single) Apply_float(l->count[0], v->f.channels, (const float *)from, v->mean, v->scale, gamma, beta, (float *)to);
    else Apply_double(l->count[0], v->f.channels, (const double *)from, v->mean, v->scale, gamma, beta, (double *)to);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Normalise  *v          = (const Normalise *)WeftOpContext(op);
  const WeftLayout *l          = LayoutOf(op);
  const PetscInt    channels   = v->f.channels;
  const double     *gamma      = (const double *)WeftStateData(x[PARAMETERS]), *dgamma = dx[PARAMETERS] ? (const double *)WeftStateData(dx[PARAMETERS]) : NULL;
  const void       *change     = dx[INPUT] ? WeftStateData(dx[INPUT]) : NULL;
  const PetscReal  *statistics = Statistics(v, record);
  PetscInt          sample     = -1;

  PetscFunctionBegin;
  (void)y;
  for (PetscInt c = 0; c < channels; c++) v->factor[c] = 1.0; /* the weights of the means */
  PetscCall(MakeMeans(v, l, WeftStateData(x[INPUT]), &v->f, change, v->factor, statistics));
  for (PetscInt c = 0; c < channels && dgamma && v->comm == MPI_COMM_NULL; c++) {
    v->means[0][c] = dgamma[2 * channels + c];
    v->means[1][c] = 0.5 * statistics[2 * c + 1] * dgamma[3 * channels + c];
  }
  WEFT_FOR_ROWS(l, v->f.batch, s, j, k)
  {
    const void *at = WeftFeaturesRow(&v->f, l, WeftStateData(x[INPUT]), 0, s, j, k), *from = change ? WeftFeaturesRow(&v->f, l, change, 0, s, j, k) : NULL;
    void       *to = WeftFeaturesRow(&v->y, l, WeftStateDataWrite(dy[0]), 0, s, j, k);
    if (s != sample) {
      LoadSample(v, statistics, sample = s);
      LoadMeans(v, gamma, s);
    }
    if (v->f.single) Tangent_float(v, l->count[0], (const float *)at, (const float *)from, dgamma, (float *)to);
    else Tangent_double(v, l->count[0], (const double *)at, (const double *)from, dgamma, (double *)to);
  }
  PetscFunctionReturn(0);
}

/* This rank's part of the gradient, from the sums over its values; of the averages where they are used. */
static void AddGradient(const Normalise *v, const double *gamma, const PetscReal *statistics, double *gradient)
{
  const PetscInt channels = v->f.channels;

  for (PetscInt c = 0; c < channels; c++) {
    gradient[c] += v->sum[1][c];
    gradient[channels + c] += v->sum[0][c];
    if (v->comm != MPI_COMM_NULL) continue;
    const PetscReal scale = statistics[2 * c + 1];
    gradient[2 * channels + c] -= gamma[c] * scale * v->sum[0][c];
    gradient[3 * channels + c] -= 0.5 * scale * scale * gamma[c] * v->sum[1][c];
  }
}

static void Note(Normalise *v, const PetscReal *statistics)
{
  if (!v->batch || v->comm == MPI_COMM_NULL) return;
  for (PetscInt c = 0; c < v->f.channels; c++) {
    v->noted[c] += statistics[2 * c];
    v->noted[v->f.channels + c] += 1.0 / PetscSqr(statistics[2 * c + 1]) - EPSILON;
  }
  v->notes++;
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  Normalise        *v          = (Normalise *)WeftOpContext(op);
  const WeftLayout *l          = LayoutOf(op);
  const double     *gamma      = (const double *)WeftStateData(x[PARAMETERS]);
  const PetscReal  *statistics = Statistics(v, record);
  PetscInt          sample     = -1;

  PetscFunctionBegin;
  (void)y;
  PetscCall(MakeMeans(v, l, WeftStateData(x[INPUT]), &v->y, x_bar[INPUT] ? WeftStateData(y_bar[0]) : NULL, gamma, statistics));
  for (PetscInt m = 0; m < 2; m++) PetscCall(PetscArrayzero(v->sum[m], v->f.channels));
  WEFT_FOR_ROWS(l, v->f.batch, s, j, k)
  {
    const void *at = WeftFeaturesRow(&v->f, l, WeftStateData(x[INPUT]), 0, s, j, k), *from = WeftFeaturesRow(&v->y, l, WeftStateData(y_bar[0]), 0, s, j, k);
    void       *to = x_bar[INPUT] ? WeftFeaturesRow(&v->f, l, WeftStateDataWrite(x_bar[INPUT]), 0, s, j, k) : NULL;
    if (s != sample) {
      LoadSample(v, statistics, sample = s);
      LoadMeans(v, gamma, s);
    }
    if (v->f.single) Adjoint_float(v, l->count[0], (const float *)at, gamma, (const float *)from, (float *)to);
    else Adjoint_double(v, l->count[0], (const double *)at, gamma, (const double *)from, (double *)to);
  }
  if (x_bar[PARAMETERS]) AddGradient(v, gamma, statistics, (double *)WeftStateDataWrite(x_bar[PARAMETERS]));
  Note(v, statistics);
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Normalise *v = (Normalise *)context;

  PetscFunctionBegin;
  PetscCall(PetscFree5(v->statistics, v->means[0], v->means[1], v->sums, v->row_sums));
  PetscCall(PetscFree2(v->row, v->mean));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(WeftSpace x, WeftSpace y, PetscInt groups, PetscBool batch, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(x);
  const WeftLayout       *l    = WeftGridLayout(info->grid);
  const PetscInt          n    = info->channels;
  WeftSpace               in[2] = {x, NULL}, kept;
  Normalise              *v;

  PetscFunctionBegin;
  PetscCall(WeftFeaturesCheck("Normalise", x, y, 0));
  PetscCheck(n == WeftSpaceGetInfo(y)->channels && groups >= 1 && n % groups == 0, info->comm, PETSC_ERR_ARG_INCOMP,
             "operator Normalise: %" PetscInt_FMT " channels do not make %" PetscInt_FMT " groups", n, groups);
  PetscCall(PetscNew(&v));
  v->batch     = batch;
  v->bins      = batch ? n : groups * info->batch;
  v->per_bin   = n / groups;
  v->of_sample = batch ? 0 : groups;
  v->comm      = batch ? MPI_COMM_NULL : info->comm;
  v->count     = (PetscReal)v->per_bin * (PetscReal)l->cells[0] * (PetscReal)l->cells[1] * (PetscReal)l->cells[2];
  v->f         = WeftFeaturesOf(x);
  v->y         = WeftFeaturesOf(y);
  PetscCall(PetscCalloc5(2 * v->bins, &v->statistics, v->bins, &v->means[0], v->bins, &v->means[1], 2 * v->bins, &v->sums, 2 * n, &v->row_sums));
  PetscCall(PetscCalloc2(l->count[0] * n, &v->row, 9 * n, &v->mean));
  v->scale  = v->mean + n;
  v->factor = v->mean + 2 * n;
  v->noted  = v->mean + 7 * n;
  for (PetscInt m = 0; m < 2; m++) {
    v->m[m]   = v->mean + (3 + m) * n;
    v->sum[m] = v->mean + (5 + m) * n;
  }
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, (batch ? 4 : 2) * n, PETSC_FALSE, &in[1]));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 2 * v->bins, PETSC_FALSE, &kept));
  PetscCall(WeftOpCreate(batch ? "batch_normalise" : "normalise", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &y, op));
  PetscCall(WeftOpSetRecord(*op, 1, &kept));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscCall(WeftSpaceDestroy(&kept));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateNormalise(WeftSpace x, WeftSpace y, PetscInt groups, WeftOp *op)
{
  return Create(x, y, groups, PETSC_FALSE, op);
}

/* ---- batches: the statistics of the training, the averages of its use ------------------------------------------------- */

PetscErrorCode WeftOpCreateBatchNormalise(WeftSpace x, WeftSpace y, WeftOp *op)
{
  return Create(x, y, WeftSpaceGetInfo(x)->channels, PETSC_TRUE, op);
}

PetscErrorCode WeftOpBatchNormaliseSetTraining(WeftOp op, MPI_Comm batch)
{
  Normalise        *v = (Normalise *)WeftOpContext(op);
  const WeftLayout *l = LayoutOf(op);

  PetscFunctionBegin;
  v->comm  = batch;
  v->notes = 0;
  PetscCall(PetscArrayzero(v->noted, 2 * v->f.channels));
  v->count = (PetscReal)v->f.batch * (PetscReal)l->count[0] * (PetscReal)l->count[1] * (PetscReal)l->count[2];
  if (batch != MPI_COMM_NULL) PetscCall(WeftReduce(&v->count, 1, MPIU_REAL, MPIU_SUM, batch));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpBatchNormaliseFollow(WeftOp op, MPI_Comm replicas, double parameters[])
{
  Normalise     *v = (Normalise *)WeftOpContext(op);
  const PetscInt n = 2 * v->f.channels;
  double         notes = (double)v->notes;

  PetscFunctionBegin;
  if (replicas != MPI_COMM_NULL) {
    PetscCall(WeftReduce(v->noted, (PetscMPIInt)n, MPI_DOUBLE, MPI_SUM, replicas));
    PetscCall(WeftReduce(&notes, 1, MPI_DOUBLE, MPI_SUM, replicas));
  }
  for (PetscInt i = 0; i < n && notes > 0.0; i++) parameters[n + i] += MOMENTUM * (v->noted[i] / notes - parameters[n + i]);
  v->notes = 0;
  PetscCall(PetscArrayzero(v->noted, n));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Normalise(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 1 ? PETSC_TRUE : PETSC_FALSE;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, 4, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 4, 0, single, &y));
  PetscCall(WeftOpCreateNormalise(x, y, variant ? 4 : 2, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

/* Variant 0, 1: in training, in both precisions; 2: in use. */
PetscErrorCode WeftOpExample_BatchNormalise(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 1 ? PETSC_TRUE : PETSC_FALSE;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 0, single, &y));
  PetscCall(WeftOpCreateBatchNormalise(x, y, &op));
  if (variant != 2) PetscCall(WeftOpBatchNormaliseSetTraining(op, WeftSpaceGetInfo(x)->comm));
  PetscCall(WeftOpExampleFill(op, example));
  example->offset[PARAMETERS]    = 1.0; /* variances are positive */
  example->amplitude[PARAMETERS] = 0.4;
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftBuilderSpace(b, *x));
  const WeftParameter  both[2] = {{"norm.gamma", 1, {info->channels}, 1.0, 0.0}, {"norm.beta", 1, {info->channels}, 0.0, 0.0}};
  WeftValue            parameters;
  WeftSpace            y;
  WeftOp               op;

  PetscFunctionBegin;
  if (info->channels % layer->groups)
    return WeftBuilderFail(b, "%" PetscInt_FMT " channels do not make %" PetscInt_FMT " groups; use a number that divides", info->channels, layer->groups);
  PetscCall(WeftBuilderParameters(b, 2, both, &parameters));
  PetscCall(WeftBuilderFeatures(b, info->grid, info->channels, &y));
  PetscCall(WeftOpCreateNormalise(WeftBuilderSpace(b, *x), y, layer->groups, &op));
  WeftBuilderReads(b, info->grid, 1, 4.0 * (PetscReal)info->channels);
  PetscCall(WeftBuilderCall(b, &op, 2, (WeftValue[]){*x, parameters}, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Normalise = {.name = "norm", .words = "GROUPS", .build = Build};

static PetscErrorCode BuildBatch(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  static const WeftAveraging averaging = {WeftOpBatchNormaliseSetTraining, WeftOpBatchNormaliseFollow};
  const WeftSpaceInfo       *info      = WeftSpaceGetInfo(WeftBuilderSpace(b, *x));
  const WeftParameter        four[4]   = {{"norm.gamma", 1, {info->channels}, 1.0, 0.0},
                                          {"norm.beta", 1, {info->channels}, 0.0, 0.0},
                                          {"norm.mean", 1, {info->channels}, 0.0, 0.0},
                                          {"norm.variance", 1, {info->channels}, 1.0, 0.0}};
  WeftValue                  parameters;
  WeftSpace                  y;
  WeftOp                     op;

  PetscFunctionBegin;
  (void)layer;
  PetscCall(WeftBuilderParameters(b, 4, four, &parameters));
  PetscCall(WeftBuilderFeatures(b, info->grid, info->channels, &y));
  PetscCall(WeftOpCreateBatchNormalise(WeftBuilderSpace(b, *x), y, &op));
  PetscCall(WeftBuilderAverages(b, op, parameters, &averaging));
  WeftBuilderReads(b, info->grid, 1, 4.0 * (PetscReal)info->channels);
  PetscCall(WeftBuilderCall(b, &op, 2, (WeftValue[]){*x, parameters}, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_BatchNormalise = {.name = "batch_norm", .words = "", .build = BuildBatch};
