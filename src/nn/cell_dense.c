/* A dense layer at every cell by itself, such as the nets inside implicit steps have: with the channels of a cell as a row,
     y = activation(x w + b)
   tangent: dy = activation' (dx w + x dw + db);  adjoint: z = activation' y_bar, w_bar += x' z, b_bar += sum of z, x_bar += z w'
   Each is a product of BLIS over a block of cells that stand together in memory, put there row by row: the rows of a small grid are
   too short by themselves. Blocks have one size, a multiple of the rows of BLIS's kernels, so that every cell goes through the same
   arithmetic wherever it stands. */
#include <blis.h>
#include "nn/builder.h"

enum { INPUT, PARAMETERS };
#define BLOCK 96 /* cells: a multiple of 4, 6, 8, 16, 32 */

typedef struct {
  WeftActivation activation;
  WeftFeatures   x, y;
  void          *weights, *transposed; /* of the call under way: [in][out], then the bias; [out][in] */
  void          *from, *to, *z;        /* a block: [BLOCK][in], [BLOCK][out] twice */
  void          *sum;                  /* for the weights, in the precision of the features */
  double        *bias_bar;
} CellDense;

/* ---- blocks of cells ------------------------------------------------------------------------------------------------ */

/* Owned cells of a sample, counted from the first: a box whose cells are passed in storage order. */
typedef struct {
  PetscInt sample, lo[3], size[3];
} Box;

static PetscInt BoxCells(const Box *box) { return box->size[0] * box->size[1] * box->size[2]; }

static Box WholeSample(const CellDense *v, PetscInt s)
{
  const Box box = {s, {0, 0, 0}, {v->y.count[0], v->y.count[1], v->y.count[2]}};
  return box;
}

/* Between the cells [at, at + n) of a box and a block, row by row. */
static void Move(const WeftFeatures *f, const Box *box, PetscInt at, PetscInt n, const void *values, void *block, PetscBool store)
{
  const size_t bytes = f->size * (size_t)f->channels;

  for (PetscInt done = 0; done < n;) {
    const PetscInt c = at + done, i = c % box->size[0], j = c / box->size[0] % box->size[1], k = c / box->size[0] / box->size[1];
    const PetscInt run   = PetscMin(box->size[0] - i, n - done);
    char          *cells = (char *)values + f->size * (size_t)WeftFeaturesIndex(f, box->sample, box->lo[0] + i, box->lo[1] + j, box->lo[2] + k);
    char          *place = (char *)block + bytes * (size_t)done;
    memcpy(store ? cells : place, store ? place : cells, bytes * (size_t)run);
    done += run;
  }
}

/* The block's cells behind the last of the box are zero. */
static void Load(const WeftFeatures *f, const Box *box, PetscInt at, PetscInt n, WeftState state, void *block)
{
  const size_t bytes = f->size * (size_t)f->channels;
  Move(f, box, at, n, WeftStateData(state), block, PETSC_FALSE);
  memset((char *)block + bytes * (size_t)n, 0, bytes * (size_t)(BLOCK - n));
}

static void Store(const WeftFeatures *f, const Box *box, PetscInt at, PetscInt n, void *block, WeftState state)
{
  Move(f, box, at, n, WeftStateDataWrite(state), block, PETSC_TRUE);
}

/* ---- products ------------------------------------------------------------------------------------------------------- */

/* c[m][n] := a b + beta c; a by its strides, b and c by rows. */
static void Multiply(PetscBool single, PetscInt m, PetscInt n, PetscInt k, const void *a, PetscInt a_row, PetscInt a_column, const void *b, double beta, void *c)
{
  float  one_single = 1.0f, beta_single = (float)beta;
  double one = 1.0;

  if (single) bli_sgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one_single, (float *)a, a_row, a_column, (float *)b, n, 1, &beta_single, (float *)c, n, 1);
  else bli_dgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, (double *)a, a_row, a_column, (double *)b, n, 1, &beta, (double *)c, n, 1);
}

/* to := from w + beta to */
static void MultiplyBlock(const CellDense *v, double beta)
{
  Multiply(v->y.single, BLOCK, v->y.channels, v->x.channels, v->from, v->x.channels, 1, v->weights, beta, v->to);
}

/* v->weights := the parameters in the precision of the features */
static void Prepare(const CellDense *v, WeftState parameters)
{
  WeftValuesFromDouble(v->y.single, (v->x.channels + 1) * v->y.channels, (const double *)WeftStateData(parameters), v->weights);
}

static void Transpose(const CellDense *v)
{
  const PetscInt in = v->x.channels, out = v->y.channels;
  for (PetscInt i = 0; i < in; i++)
    for (PetscInt o = 0; o < out; o++) {
      if (v->y.single) ((float *)v->transposed)[o * in + i] = ((const float *)v->weights)[i * out + o];
      else ((double *)v->transposed)[o * in + i] = ((const double *)v->weights)[i * out + o];
    }
}

/* Every cell of the block to: the bias. */
static void SetBias(const CellDense *v)
{
  const size_t bytes = v->y.size * (size_t)v->y.channels;
  const char  *bias  = (const char *)v->weights + bytes * (size_t)v->x.channels;
  for (size_t p = 0; p < BLOCK; p++) memcpy((char *)v->to + p * bytes, bias, bytes);
}

/* ---- maps ------------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const CellDense *v = (const CellDense *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  Prepare(v, x[PARAMETERS]);
  for (PetscInt s = 0; s < v->y.batch; s++) {
    const Box box = WholeSample(v, s);
    for (PetscInt at = 0; at < BoxCells(&box); at += BLOCK) {
      const PetscInt n = PetscMin(BLOCK, BoxCells(&box) - at);
      Load(&v->x, &box, at, n, x[INPUT], v->from);
      SetBias(v);
      MultiplyBlock(v, 1.0);
      if (v->activation == WEFT_ACTIVATION_TANH) WeftValuesTanh(v->y.single, BLOCK * v->y.channels, v->to);
      Store(&v->y, &box, at, n, v->to, y[0]);
    }
  }
  PetscFunctionReturn(0);
}

/* One part of dy before the activation: of the inputs with the weights, or of the weights with the inputs. Adds to what is there. */
static void TangentPart(const CellDense *v, WeftState inputs, WeftState parameters, PetscBool bias, PetscBool add, WeftState dy)
{
  Prepare(v, parameters);
  for (PetscInt s = 0; s < v->y.batch; s++) {
    const Box box = WholeSample(v, s);
    for (PetscInt at = 0; at < BoxCells(&box); at += BLOCK) {
      const PetscInt n = PetscMin(BLOCK, BoxCells(&box) - at);
      Load(&v->x, &box, at, n, inputs, v->from);
      if (bias) SetBias(v);
      MultiplyBlock(v, bias ? 1.0 : 0.0);
      if (add) {
        Load(&v->y, &box, at, n, dy, v->z);
        WeftValuesAdd(v->y.single, BLOCK * v->y.channels, v->z, v->to);
      }
      Store(&v->y, &box, at, n, v->to, dy);
    }
  }
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const CellDense *v = (const CellDense *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  if (!dx[INPUT] && !dx[PARAMETERS]) PetscCall(WeftStateZero(dy[0]));
  if (dx[INPUT]) TangentPart(v, dx[INPUT], x[PARAMETERS], PETSC_FALSE, PETSC_FALSE, dy[0]);
  if (dx[PARAMETERS]) TangentPart(v, x[INPUT], dx[PARAMETERS], PETSC_TRUE, dx[INPUT] ? PETSC_TRUE : PETSC_FALSE, dy[0]);
  if (v->activation == WEFT_ACTIVATION_NONE) PetscFunctionReturn(0);
  for (PetscInt s = 0; s < v->y.batch; s++) {
    const Box box = WholeSample(v, s);
    for (PetscInt at = 0; at < BoxCells(&box); at += BLOCK) {
      const PetscInt n = PetscMin(BLOCK, BoxCells(&box) - at);
      Load(&v->y, &box, at, n, y[0], v->z);
      Load(&v->y, &box, at, n, dy[0], v->to);
      WeftValuesScale(v->y.single, v->activation, BLOCK * v->y.channels, v->z, v->to);
      Store(&v->y, &box, at, n, v->to, dy[0]);
    }
  }
  PetscFunctionReturn(0);
}

/* v->to := z of the block; zero behind the last cell. */
static void LoadDerived(const CellDense *v, const Box *box, PetscInt at, PetscInt n, WeftState y, WeftState y_bar)
{
  Load(&v->y, box, at, n, y_bar, v->to);
  if (v->activation == WEFT_ACTIVATION_NONE) return;
  Load(&v->y, box, at, n, y, v->z);
  WeftValuesScale(v->y.single, v->activation, BLOCK * v->y.channels, v->z, v->to);
}

/* Sums of a box for weights and bias, as one term. */
static void SumBox(const CellDense *v, const Box *box, const WeftState x[], WeftState y, WeftState y_bar)
{
  const PetscInt in = v->x.channels, out = v->y.channels;

  memset(v->sum, 0, v->y.size * (size_t)(in * out));
  memset(v->bias_bar, 0, sizeof(double) * (size_t)out);
  for (PetscInt at = 0; at < BoxCells(box); at += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, BoxCells(box) - at);
    LoadDerived(v, box, at, n, y, y_bar);
    Load(&v->x, box, at, n, x[INPUT], v->from);
    WeftValuesSum(v->y.single, n, out, v->to, v->bias_bar);
    Multiply(v->y.single, in, out, BLOCK, v->from, 1, in, v->to, 1.0, v->sum);
  }
}

/* Tiles, where sums are not to depend on the layout; otherwise layers. */
static void WeightGradient(const CellDense *v, const PetscInt tile[3], const WeftState x[], WeftState y, WeftState y_bar, WeftState bar)
{
  const PetscInt   weights = v->x.channels * v->y.channels, out = v->y.channels, *n = v->y.count;
  const WeftFixed *fixed   = tile[0] ? WeftStateFixed(bar) : NULL;
  const PetscInt   size[3] = {fixed ? tile[0] : n[0], fixed ? tile[1] : n[1], fixed ? tile[2] : 1};

  for (PetscInt s = 0; s < v->y.batch; s++)
    for (PetscInt k = 0; k < n[2]; k += size[2])
      for (PetscInt j = 0; j < n[1]; j += size[1])
        for (PetscInt i = 0; i < n[0]; i += size[0]) {
          const Box box = {s, {i, j, k}, {size[0], size[1], size[2]}};
          SumBox(v, &box, x, y, y_bar);
          if (fixed) {
            const WeftFixed b_bar = WeftFixedFrom(fixed, weights);
            if (v->y.single) WeftFixedAddSingle(fixed, weights, (const float *)v->sum);
            else WeftFixedAdd(fixed, weights, (const double *)v->sum);
            WeftFixedAdd(&b_bar, out, v->bias_bar);
          } else {
            double *w_bar = (double *)WeftStateDataWrite(bar);
            WeftValuesAddTo(v->y.single, weights, v->sum, w_bar);
            WeftValuesAddTo(PETSC_FALSE, out, v->bias_bar, w_bar + weights);
          }
        }
  if (fixed) WeftFixedCarry(fixed, weights + out);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const CellDense *v = (const CellDense *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  if (x_bar[PARAMETERS]) WeightGradient(v, WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, INPUT))->grid)->tile, x, y[0], y_bar[0], x_bar[PARAMETERS]);
  if (!x_bar[INPUT]) PetscFunctionReturn(0);
  Prepare(v, x[PARAMETERS]);
  Transpose(v);
  for (PetscInt s = 0; s < v->y.batch; s++) {
    const Box box = WholeSample(v, s);
    for (PetscInt at = 0; at < BoxCells(&box); at += BLOCK) {
      const PetscInt n = PetscMin(BLOCK, BoxCells(&box) - at);
      LoadDerived(v, &box, at, n, y[0], y_bar[0]);
      Load(&v->x, &box, at, n, x_bar[INPUT], v->from);
      Multiply(v->y.single, BLOCK, v->x.channels, v->y.channels, v->to, v->y.channels, 1, v->transposed, 1.0, v->from);
      Store(&v->x, &box, at, n, v->from, x_bar[INPUT]);
    }
  }
  PetscFunctionReturn(0);
}

/* ---- create ---------------------------------------------------------------------------------------------------------- */

static PetscErrorCode Destroy(void *context)
{
  CellDense *v = (CellDense *)context;

  PetscFunctionBegin;
  PetscCall(WeftAlignedDestroy(&v->weights));
  PetscCall(WeftAlignedDestroy(&v->transposed));
  PetscCall(WeftAlignedDestroy(&v->from));
  PetscCall(WeftAlignedDestroy(&v->to));
  PetscCall(WeftAlignedDestroy(&v->z));
  PetscCall(WeftAlignedDestroy(&v->sum));
  PetscCall(PetscFree(v->bias_bar));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateMemory(CellDense *v)
{
  const size_t in = v->y.size * (size_t)v->x.channels, out = v->y.size * (size_t)v->y.channels;

  PetscFunctionBegin;
  PetscCall(WeftAlignedCreate(out * (size_t)(v->x.channels + 1), &v->weights));
  PetscCall(WeftAlignedCreate(out * (size_t)v->x.channels, &v->transposed));
  PetscCall(WeftAlignedCreate(in * BLOCK, &v->from));
  PetscCall(WeftAlignedCreate(out * BLOCK, &v->to));
  PetscCall(WeftAlignedCreate(out * BLOCK, &v->z));
  PetscCall(WeftAlignedCreate(out * (size_t)v->x.channels, &v->sum));
  PetscCall(PetscMalloc1(v->y.channels, &v->bias_bar));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateCellDense(WeftSpace x, WeftSpace y, WeftActivation activation, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(x);
  WeftSpace               in[2] = {x, NULL};
  CellDense              *v;

  PetscFunctionBegin;
  PetscCall(WeftFeaturesCheck("CellDense", x, y, 0));
  PetscCheck(activation == WEFT_ACTIVATION_NONE || activation == WEFT_ACTIVATION_TANH, info->comm, PETSC_ERR_ARG_WRONG, "operator CellDense takes no activation or tanh");
  PetscCall(PetscNew(&v));
  v->activation = activation;
  v->x          = WeftFeaturesOf(x);
  v->y          = WeftFeaturesOf(y);
  PetscCall(CreateMemory(v));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, (v->x.channels + 1) * v->y.channels, PETSC_FALSE, &in[PARAMETERS]));
  PetscCall(WeftOpCreate("cell_dense", &maps, v, WEFT_NEEDS_INPUTS | (activation == WEFT_ACTIVATION_NONE ? 0 : WEFT_NEEDS_OUTPUTS), 2, in, 1, &y, op));
  PetscCall(WeftSpaceDestroy(&in[PARAMETERS]));
  PetscFunctionReturn(0);
}

/* Variants: tanh; float32; no activation. */
PetscErrorCode WeftOpExample_CellDense(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 1 ? PETSC_TRUE : PETSC_FALSE;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 5, 0, single, &y));
  PetscCall(WeftOpCreateCellDense(x, y, variant == 2 ? WEFT_ACTIVATION_NONE : WEFT_ACTIVATION_TANH, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->amplitude[PARAMETERS] = 0.5;
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftBuilderSpace(b, *x));
  WeftValue            parameters;
  WeftSpace            y;
  WeftOp               op;

  PetscFunctionBegin;
  if (layer->activation != WEFT_ACTIVATION_NONE && layer->activation != WEFT_ACTIVATION_TANH) return WeftBuilderFail(b, "a dense layer takes none or tanh, which are smooth, so that Newton's method converges");
  PetscCall(WeftBuilderWeights(b, "dense", 1, info->channels, layer->outputs, &parameters));
  PetscCall(WeftBuilderFeatures(b, info->grid, layer->outputs, &y));
  PetscCall(WeftOpCreateCellDense(WeftBuilderSpace(b, *x), y, layer->activation, &op));
  WeftBuilderReads(b, info->grid, 1, 2.0 * (PetscReal)(info->channels * layer->outputs));
  PetscCall(WeftBuilderCall(b, &op, 2, (WeftValue[]){*x, parameters}, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_CellDense = {.name = "dense", .words = "OUTPUTS [ACTIVATION]", .build = Build};
