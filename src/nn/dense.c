/* Dense nets at points, with derivatives by their inputs: at a point x
     z = x;  for every layer  a = z w + b,  z = tanh(a)  (the last layer: z = a)
   and, carried along, z_i = dz/dx_i, z_ij = d2z/dx_i dx_j:
     a_i = z_i w,  a_ij = z_ij w,  z_i = s' a_i,  z_ij = s'' a_i a_j + s' a_ij,   s', s'', s''' the derivatives of tanh at a.
   adjoint (of the weights; reverse of the above):
     a_bar = s' z_bar + sum_i s'' a_i z_bar_i + sum_ij (s''' a_i a_j + s'' a_ij) z_bar_ij
     a_bar_i = s' z_bar_i + sum_j s'' a_j (z_bar_ij, twice where i = j),  a_bar_ij = s' z_bar_ij
     w_bar += z' a_bar over all carried values and points, b_bar += sum a_bar, z_bar = a_bar w'
   Points go in blocks of one size, so that a point's values do not depend on its neighbours or on the layout. Wide layers are BLIS's;
   of narrow ones it computes the padding of its tiles, and they go through the kernels of convolutions of one tap. Forward values are
   made again in tangent and adjoint: a block stays in the cache, and nothing is kept between the two. */
#include <math.h>
#include <string.h>
#include <blis.h>
#include "base/kernel.h"
#include "nn/impl.h"

#define BLOCK 64 /* points */
#define MAX_LAYERS 32
#define WIDE 48 /* inputs and outputs from which the padding of BLIS's tiles (16 x 14 at the widest) weighs little */

typedef struct {
  PetscBool narrow;
  double   *packed[2], *bias; /* narrow: for the kernels, forward and backward; bias padded */
} Layer;

typedef struct {
  PetscInt       inputs, layers, width[MAX_LAYERS + 1], widest; /* width[l]: values that go into layer l */
  PetscInt       carried, first[3], pair[6][2], pairs, pair_at[6]; /* first[i]: place of z_i among the carried (0: not carried) */
  PetscInt       fields;
  WeftDerivative field[WEFT_MAX_FIELDS];
  WeftState      points;
  double        *z[MAX_LAYERS + 1], *a[MAX_LAYERS]; /* of a block: [carried][BLOCK][width] */
  double        *dz, *da, *z_bar, *a_bar;
  const WeftKernels *kernels;
  Layer              layer[MAX_LAYERS];
  double            *zero, *sum, *padded; /* narrow: no bias; weight gradient of a block; a_bar with padded outputs */
} Dense;

/* Where the parameters of layer l begin: weights [in][out], then biases [out]. */
static PetscInt Offset(const Dense *v, PetscInt l)
{
  PetscInt offset = 0;
  for (PetscInt i = 0; i < l; i++) offset += (v->width[i] + 1) * v->width[i + 1];
  return offset;
}

/* c[m][n] = beta c + a[m][k] b[k][n]; transposed operands by their strides. */
static void Multiply(PetscInt m, PetscInt n, PetscInt k, const double *a, PetscInt a_row, PetscInt a_column, const double *b,
                     PetscInt b_row, PetscInt b_column, double beta, double *c)
{
  double one = 1.0;
  bli_dgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, (double *)a, a_row, a_column, (double *)b, b_row, b_column, &beta, c, n, 1);
}

/* Place of the carried value of a derivative. */
static PetscInt CarriedOf(const Dense *v, const WeftDerivative *d)
{
  if (d->first < 0) return 0;
  if (d->second < 0) return v->first[d->first];
  for (PetscInt p = 0; p < v->pairs; p++)
    if ((v->pair[p][0] == d->first && v->pair[p][1] == d->second) || (v->pair[p][0] == d->second && v->pair[p][1] == d->first)) return v->pair_at[p];
  return 0;
}

/* ---- a block forward --------------------------------------------------------------------------------------------- */

/* Points [at, at + n) of this rank, the rest of the block zero. */
static void LoadPoints(const Dense *v, PetscInt at, PetscInt n)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(v->points));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  memset(v->z[0], 0, sizeof(double) * (size_t)(v->carried * BLOCK * v->inputs));
  for (PetscInt i = 0; i < v->inputs; i++) {
    const double *x = WeftStatePlane(v->points, i, 0) + WeftLayoutIndex(l, l->start[0], 0, 0) + at;
    for (PetscInt p = 0; p < n; p++) v->z[0][p * v->inputs + i] = x[p];
    for (PetscInt p = 0; p < n && v->first[i]; p++) v->z[0][(v->first[i] * BLOCK + p) * v->inputs + i] = 1.0;
  }
}

/* z from a for n values of the block, all carried ones. */
WEFT_KERNEL static void Activate(const Dense *v, PetscInt n, const double *restrict a, double *restrict z)
{
  for (PetscInt i = 0; i < v->inputs; i++) {
    if (!v->first[i]) continue;
    const double *restrict a_i = a + v->first[i] * n;
    double *restrict       z_i = z + v->first[i] * n;
    for (PetscInt k = 0; k < n; k++) z_i[k] = (1.0 - z[k] * z[k]) * a_i[k];
  }
  for (PetscInt p = 0; p < v->pairs; p++) {
    const double *restrict a_i = a + v->first[v->pair[p][0]] * n, *restrict a_j = a + v->first[v->pair[p][1]] * n;
    const double *restrict a_ij = a + v->pair_at[p] * n;
    double *restrict       z_ij = z + v->pair_at[p] * n;
    for (PetscInt k = 0; k < n; k++) z_ij[k] = (1.0 - z[k] * z[k]) * (a_ij[k] - 2.0 * z[k] * a_i[k] * a_j[k]);
  }
}

/* Narrow layers made ready for the kernels; backward: for the adjoint too. */
static void PackLayers(const Dense *v, const double *parameters, PetscBool backward)
{
  for (PetscInt l = 0; l < v->layers; l++) {
    const PetscInt in = v->width[l], out = v->width[l + 1];
    const double  *w = parameters + Offset(v, l);
    if (!v->layer[l].narrow) continue;
    WeftPack(v->kernels, 1, in, out, w, PETSC_FALSE, v->layer[l].packed[0]);
    if (backward) WeftPack(v->kernels, 1, out, in, w, PETSC_TRUE, v->layer[l].packed[1]);
    memcpy(v->layer[l].bias, w + in * out, sizeof(double) * (size_t)out);
  }
}

static WeftConvolve OneTap(PetscInt in, PetscInt out, const double *packed, const double *bias)
{
  static const ptrdiff_t here = 0;
  const WeftConvolve     c    = {in, out, 1, &here, packed, bias, WEFT_ACTIVATION_NONE};
  return c;
}

/* a = z w + b of layer l. */
static void LayerForward(const Dense *v, PetscInt l, const double *parameters)
{
  const PetscInt in = v->width[l], out = v->width[l + 1], rest = (v->carried - 1) * BLOCK;
  const double  *w = parameters + Offset(v, l), *b = w + in * out;

  if (v->layer[l].narrow) {
    const WeftConvolve value = OneTap(in, out, v->layer[l].packed[0], v->layer[l].bias), derivatives = OneTap(in, out, v->layer[l].packed[0], v->zero);
    v->kernels->row(&value, BLOCK, v->z[l], NULL, v->a[l]);
    if (rest) v->kernels->row(&derivatives, rest, v->z[l] + BLOCK * in, NULL, v->a[l] + BLOCK * out);
    return;
  }
  for (PetscInt p = 0; p < BLOCK; p++) memcpy(v->a[l] + p * out, b, sizeof(double) * (size_t)out);
  memset(v->a[l] + BLOCK * out, 0, sizeof(double) * (size_t)(rest * out));
  Multiply(v->carried * BLOCK, out, in, v->z[l], in, 1, w, out, 1, 1.0, v->a[l]);
}

static void BlockForward(const Dense *v, const double *parameters)
{
  for (PetscInt l = 0; l < v->layers; l++) {
    const PetscInt n = BLOCK * v->width[l + 1];
    LayerForward(v, l, parameters);
    if (l == v->layers - 1) memcpy(v->z[l + 1], v->a[l], sizeof(double) * (size_t)(v->carried * n));
    else {
      memcpy(v->z[l + 1], v->a[l], sizeof(double) * (size_t)n);
      WeftValuesTanh(PETSC_FALSE, n, v->z[l + 1]);
      Activate(v, n, v->a[l], v->z[l + 1]);
    }
  }
}

/* ---- tangent and adjoint of a block ---------------------------------------------------------------------------------- */

/* dz from da at a: z[k] = tanh(a[k]). */
WEFT_KERNEL static void ActivateTangent(const Dense *v, PetscInt n, const double *restrict z, const double *restrict a,
                                        const double *restrict da, double *restrict dz)
{
  for (PetscInt k = 0; k < n; k++) dz[k] = (1.0 - z[k] * z[k]) * da[k];
  for (PetscInt i = 0; i < v->inputs; i++) {
    const PetscInt at = v->first[i] * n;
    for (PetscInt k = 0; k < n && at; k++) dz[at + k] = (1.0 - z[k] * z[k]) * (da[at + k] - 2.0 * z[k] * da[k] * a[at + k]);
  }
  for (PetscInt p = 0; p < v->pairs; p++) {
    const PetscInt i = v->first[v->pair[p][0]] * n, j = v->first[v->pair[p][1]] * n, ij = v->pair_at[p] * n;
    for (PetscInt k = 0; k < n; k++) {
      const double s1 = 1.0 - z[k] * z[k], s2 = -2.0 * z[k] * s1, s3 = -2.0 * s1 * (1.0 - 3.0 * z[k] * z[k]);
      dz[ij + k] = s3 * da[k] * a[i + k] * a[j + k] + s2 * (da[i + k] * a[j + k] + a[i + k] * da[j + k] + da[k] * a[ij + k]) + s1 * da[ij + k];
    }
  }
}

/* a_bar from z_bar. */
WEFT_KERNEL static void ActivateAdjoint(const Dense *v, PetscInt n, const double *restrict z, const double *restrict a,
                                        const double *restrict z_bar, double *restrict a_bar)
{
  for (PetscInt k = 0; k < n; k++) a_bar[k] = (1.0 - z[k] * z[k]) * z_bar[k];
  for (PetscInt i = 0; i < v->inputs; i++) {
    const PetscInt at = v->first[i] * n;
    for (PetscInt k = 0; k < n && at; k++) {
      const double s1 = 1.0 - z[k] * z[k];
      a_bar[at + k] = s1 * z_bar[at + k];
      a_bar[k] -= 2.0 * z[k] * s1 * a[at + k] * z_bar[at + k];
    }
  }
  for (PetscInt p = 0; p < v->pairs; p++) {
    const PetscInt i = v->first[v->pair[p][0]] * n, j = v->first[v->pair[p][1]] * n, ij = v->pair_at[p] * n;
    for (PetscInt k = 0; k < n; k++) {
      const double s1 = 1.0 - z[k] * z[k], s2 = -2.0 * z[k] * s1, s3 = -2.0 * s1 * (1.0 - 3.0 * z[k] * z[k]), g = z_bar[ij + k];
      a_bar[ij + k] = s1 * g;
      a_bar[k] += (s3 * a[i + k] * a[j + k] + s2 * a[ij + k]) * g;
      a_bar[i + k] += s2 * a[j + k] * g;
      a_bar[j + k] += s2 * a[i + k] * g;
    }
  }
}

/* dz of the last layer in v->dz. */
static void BlockTangent(const Dense *v, const double *parameters, const double *dparameters)
{
  memset(v->dz, 0, sizeof(double) * (size_t)(v->carried * BLOCK * v->widest));
  for (PetscInt l = 0; l < v->layers; l++) {
    const PetscInt in = v->width[l], out = v->width[l + 1], n = BLOCK * out;
    const double  *w = parameters + Offset(v, l), *dw = dparameters + Offset(v, l), *db = dw + in * out;
    for (PetscInt p = 0; p < BLOCK; p++) memcpy(v->da + p * out, db, sizeof(double) * (size_t)out);
    memset(v->da + n, 0, sizeof(double) * (size_t)((v->carried - 1) * n));
    Multiply(v->carried * BLOCK, out, in, v->z[l], in, 1, dw, out, 1, 1.0, v->da);
    Multiply(v->carried * BLOCK, out, in, v->dz, in, 1, w, out, 1, 1.0, v->da);
    if (l == v->layers - 1) memcpy(v->dz, v->da, sizeof(double) * (size_t)(v->carried * n));
    else ActivateTangent(v, n, v->z[l + 1], v->a[l], v->da, v->dz);
  }
}

/* w_bar += z' a_bar, z_bar = a_bar w' of layer l. */
static void LayerAdjoint(const Dense *v, PetscInt l, const double *w, double *w_bar)
{
  const PetscInt in = v->width[l], out = v->width[l + 1], rows = v->carried * BLOCK, padded = WeftPadded(v->kernels, out);

  if (v->layer[l].narrow) {
    const WeftConvolve forward = OneTap(in, out, NULL, NULL), backward = OneTap(out, in, v->layer[l].packed[1], v->zero);
    const WeftPixels   pixels  = {1, rows, v->z[l], v->padded, 0, 0, padded, PETSC_TRUE};
    for (PetscInt p = 0; p < rows; p++) {
      memcpy(v->padded + p * padded, v->a_bar + p * out, sizeof(double) * (size_t)out);
      memset(v->padded + p * padded + out, 0, sizeof(double) * (size_t)(padded - out));
    }
    v->kernels->gradient(&forward, &pixels, v->sum);
    for (PetscInt i = 0; i < in; i++)
      for (PetscInt o = 0; o < out; o++) w_bar[i * out + o] += v->sum[i * padded + o];
    if (l) v->kernels->row(&backward, rows, v->a_bar, NULL, v->z_bar);
    return;
  }
  Multiply(in, out, rows, v->z[l], 1, in, v->a_bar, out, 1, 1.0, w_bar);
  if (l) Multiply(rows, in, out, v->a_bar, out, 1, w, 1, out, 0.0, v->z_bar);
}

/* From z_bar of the last layer in v->z_bar. */
static void BlockAdjoint(const Dense *v, const double *parameters, double *parameters_bar)
{
  for (PetscInt l = v->layers - 1; l >= 0; l--) {
    const PetscInt in = v->width[l], out = v->width[l + 1], n = BLOCK * out;
    const double  *w     = parameters + Offset(v, l);
    double        *w_bar = parameters_bar + Offset(v, l), *b_bar = w_bar + in * out;
    if (l == v->layers - 1) memcpy(v->a_bar, v->z_bar, sizeof(double) * (size_t)(v->carried * n));
    else ActivateAdjoint(v, n, v->z[l + 1], v->a[l], v->z_bar, v->a_bar);
    for (PetscInt p = 0; p < BLOCK; p++)
      for (PetscInt o = 0; o < out; o++) b_bar[o] += v->a_bar[p * out + o];
    LayerAdjoint(v, l, w, w_bar);
  }
}

/* ---- the operator ------------------------------------------------------------------------------------------------ */

/* Between one output's values of the last layer and the fields; store: to the fields. */
static void MoveFields(const Dense *v, PetscInt at, PetscInt n, double *block, WeftState fields, PetscBool store)
{
  const WeftLayout *l   = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(fields))->grid);
  const PetscInt    out = v->width[v->layers];

  if (!store) memset(block, 0, sizeof(double) * (size_t)(v->carried * BLOCK * out));
  for (PetscInt f = 0; f < v->fields; f++) {
    double *values = block + CarriedOf(v, &v->field[f]) * BLOCK * out + v->field[f].output;
    double *plane  = (store ? WeftStatePlaneWrite(fields, f, 0) : (double *)WeftStatePlane(fields, f, 0)) + WeftLayoutIndex(l, l->start[0], 0, 0) + at;
    for (PetscInt p = 0; p < n; p++) {
      if (store) plane[p] = values[p * out];
      else values[p * out] += plane[p];
    }
  }
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Dense   *v     = (const Dense *)WeftOpContext(op);
  const PetscInt count = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid)->count[0];

  PetscFunctionBegin;
  (void)record;
  PackLayers(v, (const double *)WeftStateData(x[0]), PETSC_FALSE);
  for (PetscInt at = 0; at < count; at += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, count - at);
    LoadPoints(v, at, n);
    BlockForward(v, (const double *)WeftStateData(x[0]));
    MoveFields(v, at, n, v->z[v->layers], y[0], PETSC_TRUE);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Dense   *v     = (const Dense *)WeftOpContext(op);
  const PetscInt count = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid)->count[0];

  PetscFunctionBegin;
  (void)y, (void)record;
  if (!dx[0]) PetscCall(WeftStateZero(dy[0]));
  PackLayers(v, (const double *)WeftStateData(x[0]), PETSC_FALSE);
  for (PetscInt at = 0; at < count && dx[0]; at += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, count - at);
    LoadPoints(v, at, n);
    BlockForward(v, (const double *)WeftStateData(x[0]));
    BlockTangent(v, (const double *)WeftStateData(x[0]), (const double *)WeftStateData(dx[0]));
    MoveFields(v, at, n, v->dz, dy[0], PETSC_TRUE);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Dense   *v     = (const Dense *)WeftOpContext(op);
  const PetscInt count = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid)->count[0];

  PetscFunctionBegin;
  (void)y, (void)record;
  PackLayers(v, (const double *)WeftStateData(x[0]), PETSC_TRUE);
  for (PetscInt at = 0; at < count && x_bar[0]; at += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, count - at);
    LoadPoints(v, at, n);
    BlockForward(v, (const double *)WeftStateData(x[0]));
    MoveFields(v, at, n, v->z_bar, y_bar[0], PETSC_FALSE);
    BlockAdjoint(v, (const double *)WeftStateData(x[0]), (double *)WeftStateDataWrite(x_bar[0]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Dense *v = (Dense *)context;

  PetscFunctionBegin;
  for (PetscInt l = 0; l <= v->layers; l++) PetscCall(PetscFree(v->z[l]));
  for (PetscInt l = 0; l < v->layers; l++) PetscCall(PetscFree(v->a[l]));
  for (PetscInt l = 0; l < v->layers; l++) PetscCall(PetscFree3(v->layer[l].packed[0], v->layer[l].packed[1], v->layer[l].bias));
  PetscCall(PetscFree4(v->dz, v->da, v->z_bar, v->a_bar));
  PetscCall(PetscFree3(v->zero, v->sum, v->padded));
  PetscCall(WeftStateDestroy(&v->points));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateMemory(Dense *v)
{
  const PetscInt rows = v->carried * BLOCK, widest = WeftPadded(v->kernels, v->widest);

  PetscFunctionBegin;
  for (PetscInt l = 0; l <= v->layers; l++) PetscCall(PetscMalloc1(rows * v->width[l], &v->z[l]));
  for (PetscInt l = 0; l < v->layers; l++) {
    const PetscInt in = WeftPadded(v->kernels, v->width[l]), out = WeftPadded(v->kernels, v->width[l + 1]);
    Layer         *layer = &v->layer[l];
    PetscCall(PetscMalloc1(rows * v->width[l + 1], &v->a[l]));
    layer->narrow = v->width[l] < WIDE || v->width[l + 1] < WIDE ? PETSC_TRUE : PETSC_FALSE;
    if (layer->narrow) PetscCall(PetscCalloc3(v->width[l] * out, &layer->packed[0], in * v->width[l + 1], &layer->packed[1], out, &layer->bias));
  }
  PetscCall(PetscMalloc4(rows * v->widest, &v->dz, rows * v->widest, &v->da, rows * v->widest, &v->z_bar, rows * v->widest, &v->a_bar));
  PetscCall(PetscCalloc3(widest, &v->zero, widest * v->widest, &v->sum, rows * widest, &v->padded));
  PetscFunctionReturn(0);
}

/* What has to be carried along for the fields that are asked for. */
static void Carry(Dense *v)
{
  v->carried = 1;
  for (PetscInt f = 0; f < v->fields; f++) {
    if (v->field[f].first >= 0 && !v->first[v->field[f].first]) v->first[v->field[f].first] = v->carried++;
    if (v->field[f].second >= 0 && !v->first[v->field[f].second]) v->first[v->field[f].second] = v->carried++;
  }
  for (PetscInt f = 0; f < v->fields; f++) {
    if (v->field[f].second < 0 || CarriedOf(v, &v->field[f])) continue;
    v->pair[v->pairs][0]    = v->field[f].first;
    v->pair[v->pairs][1]    = v->field[f].second;
    v->pair_at[v->pairs++] = v->carried++;
  }
}

PetscInt WeftDenseParameters(PetscInt layers, const PetscInt width[])
{
  PetscInt count = 0;
  for (PetscInt l = 0; l < layers; l++) count += (width[l] + 1) * width[l + 1];
  return count;
}

PetscErrorCode WeftOpCreateDense(WeftState points, PetscInt layers, const PetscInt width[], PetscInt fields, const WeftDerivative field[],
                                 const char *const names[], WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(WeftStateSpace(points));
  WeftLocation            cells[WEFT_MAX_FIELDS];
  WeftSpace               parameters, y;
  Dense                  *v;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Dense", WeftStateSpace(points), NULL));
  PetscCheck(WeftGridLayout(info->grid)->dim == 1 && info->batch == 1 && info->fields == width[0] && info->fields <= 3, info->comm,
             PETSC_ERR_ARG_INCOMP, "operator Dense: points are 1 to 3 fields, one per input of the net, on a grid of one axis, batch 1");
  WeftCheck(layers >= 1 && layers <= MAX_LAYERS, info->comm, "a dense net of %" PetscInt_FMT " layers; use 1 to %d", layers, MAX_LAYERS);
  PetscCall(PetscNew(&v));
  v->inputs = width[0];
  v->layers = layers;
  v->fields = fields;
  PetscCall(PetscArraycpy(v->width, width, layers + 1));
  PetscCall(PetscArraycpy(v->field, field, fields));
  Carry(v);
  for (PetscInt l = 0; l <= layers; l++) v->widest = PetscMax(v->widest, width[l]);
  PetscCall(WeftKernelsGet(PETSC_FALSE, &v->kernels));
  PetscCall(CreateMemory(v));
  PetscCall(WeftStateCreate(WeftStateSpace(points), &v->points));
  PetscCall(WeftStateCopy(points, v->points));
  for (PetscInt f = 0; f < fields; f++) cells[f] = WEFT_CELL;
  PetscCall(WeftSpaceCreatePlanes(info->grid, 1, fields, names, cells, &y));
  PetscCall(WeftSpaceCreateNumbers(info->comm, 1, WeftDenseParameters(layers, width), PETSC_FALSE, &parameters));
  PetscCall(WeftOpCreate("dense", &maps, v, WEFT_NEEDS_INPUTS, 1, &parameters, 1, &y, op));
  PetscCall(WeftSpaceDestroy(&parameters));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDenseInitialise(PetscInt layers, const PetscInt width[], PetscReal gain, PetscInt64 seed, double parameters[])
{
  PetscInt at = 0;

  PetscFunctionBegin;
  for (PetscInt l = 0; l < layers; l++) {
    const PetscReal bound = gain * PetscSqrtReal(6.0 / (PetscReal)(width[l] + width[l + 1]));
    for (PetscInt i = 0; i < width[l] * width[l + 1]; i++, at++) parameters[at] = bound * (2.0 * WeftRandomUniform(seed, WEFT_STREAM_WEIGHTS, at) - 1.0);
    for (PetscInt i = 0; i < width[l + 1]; i++) parameters[at++] = 0.0;
  }
  PetscFunctionReturn(0);
}

/* Value and every derivative of a net of two inputs; variant 1: of the last output, fewer of them. */
PetscErrorCode WeftOpExample_Dense(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscInt       width[]  = {2, 5, 4, 2};
  static const WeftDerivative all[6]   = {{0, -1, -1}, {0, 0, -1}, {0, 1, -1}, {0, 0, 0}, {0, 0, 1}, {0, 1, 1}}, some[2] = {{1, 1, 1}, {1, -1, -1}};
  static const char *const    names[6] = {"u", "u_x", "u_t", "u_xx", "u_xt", "u_tt"}, *const inputs[] = {"x", "t"};
  WeftSpace                   space;
  WeftState                   points;
  WeftOp                      op;

  PetscFunctionBegin;
  (void)batch;
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 2, inputs, (WeftLocation[]){WEFT_CELL, WEFT_CELL}, &space));
  PetscCall(WeftStateCreate(space, &points));
  PetscCall(WeftStateSetRandom(points, 37, 0, 0.0, 1.0));
  PetscCall(WeftOpCreateDense(points, 3, width, variant ? 2 : 6, variant ? some : all, names, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftStateDestroy(&points));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
