/* Nets: programs of layers with one flat parameter vector. */
#include "nn/impl.h"

struct _n_WeftNet {
  WeftOp        op;
  WeftSpace     parameters;
  PetscInt      arrays, count, receptive_field;
  WeftNetArray *array;
  PetscReal    *bound; /* [arrays] of the uniform distribution */
  PetscReal     flops;
};

/* ---- options ---------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftNetOptionsFromKeys(WeftNetOptions *options)
{
  PetscInt edges, precision;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("net_layers", &options->layer, &options->layers));
  PetscCall(WeftGetEnum("net_edges", &edges));
  PetscCall(WeftGetEnum("net_precision", &precision));
  PetscCall(WeftGetReal("net_gain", &options->gain));
  options->edges  = edges ? WEFT_GHOST_COPY : WEFT_GHOST_ZERO;
  options->single = precision ? PETSC_FALSE : PETSC_TRUE;
  if (!(options->gain > 0.0))
    return WeftFailKey(PETSC_COMM_WORLD, "net_gain", "must be positive; with weights of zero a net does not learn");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetOptionsDestroy(WeftNetOptions *options)
{
  PetscFunctionBegin;
  PetscCall(WeftFreeStringList(&options->layer, options->layers));
  options->layers = 0;
  PetscFunctionReturn(0);
}

/* ---- parameters: a convolution's weights, then its biases -------------------------------------------------------- */

static PetscInt Taps(PetscInt dim, PetscInt kernel)
{
  return kernel * (dim > 1 ? kernel : 1) * (dim > 2 ? kernel : 1);
}

static void AddArrays(WeftNet net, PetscInt dim, PetscInt line, const char *part, PetscInt kernel, PetscInt in, PetscInt out,
                      PetscReal gain)
{
  const PetscInt taps   = Taps(dim, kernel);
  WeftNetArray  *weight = &net->array[net->arrays], *bias = weight + 1;

  snprintf(weight->name, sizeof(weight->name), "%d.%s.weight", (int)line, part);
  snprintf(bias->name, sizeof(bias->name), "%d.%s.bias", (int)line, part);
  weight->offset = net->count;
  weight->rank   = dim + 2;
  for (PetscInt a = 0; a < dim; a++) weight->shape[a] = kernel;
  weight->shape[dim]          = in;
  weight->shape[dim + 1]      = out;
  net->bound[net->arrays]     = gain * PetscSqrtReal(6.0 / (PetscReal)((in + out) * taps));
  bias->offset                = net->count + taps * in * out;
  bias->rank                  = 1;
  bias->shape[0]              = out;
  net->bound[net->arrays + 1] = 0.0;
  net->arrays += 2;
  net->count = bias->offset + out;
  net->flops += 2.0 * taps * in * out;
}

static void AddLayerArrays(WeftNet net, PetscInt dim, PetscInt line, const WeftLayer *layer, PetscInt in, PetscReal gain)
{
  const PetscInt convolutions = layer->residual ? 2 : 1;

  net->receptive_field += convolutions * (layer->kernel - 1);
  AddArrays(net, dim, line, layer->residual ? "residual.first" : "conv", layer->kernel, in, layer->outputs, gain);
  if (!layer->residual) return;
  AddArrays(net, dim, line, "residual.second", layer->kernel, layer->outputs, layer->outputs, gain);
  if (in != layer->outputs) AddArrays(net, dim, line, "residual.shortcut", 1, in, layer->outputs, gain);
}

PetscErrorCode WeftNetArrays(WeftNet net, PetscInt *count, const WeftNetArray **arrays)
{
  PetscFunctionBegin;
  *count  = net->arrays;
  *arrays = net->array;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetInitialise(WeftNet net, PetscInt64 seed, WeftState parameters)
{
  double *values = (double *)WeftStateDataWrite(parameters);

  PetscFunctionBegin;
  for (PetscInt a = 0; a < net->arrays; a++) {
    const PetscInt end = a + 1 < net->arrays ? net->array[a + 1].offset : net->count;
    for (PetscInt i = net->array[a].offset; i < end; i++)
      values[i] = net->bound[a] * (2.0 * WeftRandomUniform(seed, WEFT_STREAM_WEIGHTS, i) - 1.0);
  }
  PetscFunctionReturn(0);
}

/* ---- program ----------------------------------------------------------------------------------------------------- */

typedef struct {
  WeftProgram program;
  WeftGhost   edges;
  PetscInt    width, parameters; /* ghost layers of the features inside; slot of the parameters */
  WeftNet     net;
} Builder;

typedef struct { /* features on their way through the layers */
  PetscInt  slot;
  WeftSpace space;
} Value;

/* One convolution with the parameters of arrays `array` (weights) and `array` + 1 (biases). residual: NULL: none. */
static PetscErrorCode AddConvolution(Builder *b, PetscInt array, Value x, const Value *residual, WeftActivation activation,
                                     Value *y)
{
  const WeftSpaceInfo         *info   = WeftSpaceGetInfo(x.space);
  const WeftNetArray          *weight = &b->net->array[array], *bias = weight + 1;
  const WeftConvolutionOptions options  = {weight->shape[0], bias->shape[0], activation, b->edges,
                                          residual ? PETSC_TRUE : PETSC_FALSE};
  PetscInt                     slots[3] = {x.slot, -1, residual ? residual->slot : -1};
  WeftOp                       op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(info->grid, info->batch, options.outputs, b->width, info->single, &y->space));
  PetscCall(WeftOpCreateConvolution(x.space, y->space, &options, &op));
  PetscCall(
      WeftProgramView(b->program, b->parameters, weight->offset, bias->offset + options.outputs - weight->offset, &slots[1]));
  PetscCall(WeftProgramCall(b->program, op, slots, &y->slot));
  PetscCall(WeftOpDestroy(&op));
  PetscFunctionReturn(0);
}

/* x is replaced by the layer's output. */
static PetscErrorCode AddLayer(Builder *b, const WeftLayer *layer, PetscInt *array, Value *x)
{
  const PetscBool projected =
      layer->residual && WeftSpaceGetInfo(x->space)->channels != layer->outputs ? PETSC_TRUE : PETSC_FALSE;
  Value y, hidden, shortcut = *x;

  PetscFunctionBegin;
  if (layer->residual) {
    PetscCall(AddConvolution(b, *array, *x, NULL, layer->activation, &hidden));
    if (projected) PetscCall(AddConvolution(b, *array + 4, *x, NULL, WEFT_ACTIVATION_NONE, &shortcut));
    PetscCall(AddConvolution(b, *array + 2, hidden, &shortcut, layer->activation, &y));
    PetscCall(WeftSpaceDestroy(&hidden.space));
    if (projected) PetscCall(WeftSpaceDestroy(&shortcut.space));
  } else
    PetscCall(AddConvolution(b, *array, *x, NULL, layer->activation, &y));
  *array += layer->residual ? (projected ? 6 : 4) : 2;
  PetscCall(WeftSpaceDestroy(&x->space));
  *x = y;
  PetscFunctionReturn(0);
}

static PetscErrorCode BuildProgram(WeftNet net, WeftSpace features, const WeftNetOptions *options, const WeftLayer layer[])
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(features);
  Builder              b     = {.edges = options->edges, .width = WeftLayersWidth(options->layers, layer), .net = net};
  Value                x     = {.space = features};
  PetscInt             array = 0;

  PetscFunctionBegin;
  PetscCheck(info->width >= b.width, info->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "the features of a net with kernels up to %" PetscInt_FMT " need %" PetscInt_FMT
             " ghost layers, not %" PetscInt_FMT,
             2 * b.width + 1, b.width, info->width);
  PetscCall(WeftProgramCreate(info->comm, &b.program));
  PetscCall(WeftProgramInput(b.program, "features", features, &x.slot));
  PetscCall(WeftProgramInput(b.program, "parameters", net->parameters, &b.parameters));
  PetscCall(WeftSpaceReference(features));
  for (PetscInt i = 0; i < options->layers; i++) PetscCall(AddLayer(&b, &layer[i], &array, &x));
  PetscCall(WeftSpaceDestroy(&x.space));
  PetscCall(WeftProgramOutput(b.program, x.slot));
  PetscCall(WeftProgramFinish(&b.program, "net", &net->op));
  PetscCall(WeftOpSetPhase(net->op, WEFT_PHASE_NET));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetCreate(WeftSpace features, const WeftNetOptions *options, WeftNet *net)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(features);
  const PetscInt       dim  = WeftGridLayout(info->grid)->dim;
  PetscInt             in   = info->channels;
  WeftLayer           *layer;
  WeftNet              n;

  PetscFunctionBegin;
  PetscCheck(info->single == options->single, info->comm, PETSC_ERR_ARG_INCOMP,
             "the features have another precision than the net");
  PetscCall(WeftLayersParse(info->comm, options, &layer));
  PetscCall(PetscNew(&n));
  PetscCall(PetscCalloc2(6 * options->layers, &n->array, 6 * options->layers, &n->bound));
  n->receptive_field = 1;
  for (PetscInt i = 0; i < options->layers; i++) {
    AddLayerArrays(n, dim, i, &layer[i], in, options->gain);
    in = layer[i].outputs;
  }
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, n->count, PETSC_FALSE, &n->parameters));
  PetscCall(BuildProgram(n, features, options, layer));
  PetscCall(PetscFree(layer));
  *net = n;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetDestroy(WeftNet *net)
{
  WeftNet n = *net;

  PetscFunctionBegin;
  *net = NULL;
  if (!n) PetscFunctionReturn(0);
  PetscCall(WeftOpDestroy(&n->op));
  PetscCall(WeftSpaceDestroy(&n->parameters));
  PetscCall(PetscFree2(n->array, n->bound));
  PetscCall(PetscFree(n));
  PetscFunctionReturn(0);
}

WeftOp WeftNetOp(WeftNet net)
{
  return net->op;
}
WeftSpace WeftNetParameterSpace(WeftNet net)
{
  return net->parameters;
}

PetscErrorCode WeftNetFlops(WeftNet net, PetscReal *flops_per_cell)
{
  PetscFunctionBegin;
  *flops_per_cell = net->flops;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetReceptiveField(WeftNet net, PetscInt *cells)
{
  PetscFunctionBegin;
  *cells = net->receptive_field;
  PetscFunctionReturn(0);
}
