/* From layers to a program: the layers' operators and parameters are gathered line by line; then, their number known, the program
   is made. */
#include <stdarg.h>
#include "nn/builder.h"

#define MAX_LEVELS 16
#define MAX_KEPT 16

typedef struct {
  WeftSpace space;         /* features; NULL: parameters */
  PetscInt  offset, count; /* of the parameters */
  PetscInt  slot;          /* in the program */
} Value;

typedef struct {
  WeftOp    op;
  WeftValue in[3], out;
} Call;

struct _n_WeftBuilder {
  WeftNet               net;
  const WeftNetOptions *options;
  const WeftLayer      *layer; /* under way, and its number from 0 */
  MPI_Comm              comm;
  PetscInt              line, dim, batch, width;
  PetscBool             single;
  WeftGrid              grid[MAX_LEVELS]; /* [0]: the net's own */
  PetscInt              values, calls, room_values, room_calls, keeps;
  Value                *value;
  Call                 *call;
  WeftValue             kept[MAX_KEPT];
};

WeftSpace WeftBuilderSpace(WeftBuilder b, WeftValue x) { return b->value[x].space; }
WeftGhost WeftBuilderEdges(WeftBuilder b) { return b->options->edges; }

PetscErrorCode WeftBuilderFail(WeftBuilder b, const char *format, ...)
{
  char    text[512];
  va_list list;

  va_start(list, format);
  vsnprintf(text, sizeof(text), format, list);
  va_end(list);
  return WeftFailKey(b->comm, "net_layers", "line %" PetscInt_FMT " (%s): %s", b->line + 1, b->layer->text, text);
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static PetscErrorCode AddValue(WeftBuilder b, Value value, WeftValue *added)
{
  PetscFunctionBegin;
  if (b->values == b->room_values) {
    b->room_values = 2 * b->room_values + 16;
    PetscCall(PetscRealloc(sizeof(Value) * (size_t)b->room_values, &b->value));
  }
  b->value[b->values] = value;
  *added              = b->values++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderFeatures(WeftBuilder b, WeftGrid grid, PetscInt channels, WeftSpace *space)
{
  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, b->batch, channels, b->width, b->single, space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderParameters(WeftBuilder b, PetscInt count, const WeftParameter parameter[], WeftValue *value)
{
  WeftNet net   = b->net;
  Value   range = {NULL, net->count, 0, -1};

  PetscFunctionBegin;
  if (net->arrays + count > net->room) {
    net->room = 2 * net->room + 16;
    PetscCall(PetscRealloc(sizeof(*net->array) * (size_t)net->room, &net->array));
    PetscCall(PetscRealloc(sizeof(*net->start) * (size_t)net->room, &net->start));
    PetscCall(PetscRealloc(sizeof(*net->bound) * (size_t)net->room, &net->bound));
  }
  for (PetscInt p = 0; p < count; p++) {
    WeftNetArray *array = &net->array[net->arrays];
    PetscInt      size  = 1;
    snprintf(array->name, sizeof(array->name), "%d.%s", (int)b->line, parameter[p].part);
    array->offset = net->count;
    array->rank   = parameter[p].rank;
    for (PetscInt a = 0; a < array->rank; a++) size *= array->shape[a] = parameter[p].shape[a];
    net->start[net->arrays] = parameter[p].start;
    net->bound[net->arrays] = parameter[p].bound;
    net->arrays++;
    net->count += size;
  }
  range.count = net->count - range.offset;
  PetscCall(AddValue(b, range, value));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderCall(WeftBuilder b, WeftOp *op, PetscInt inputs, const WeftValue in[], WeftSpace *y, WeftValue *out)
{
  WeftNetLayer *report = &b->net->layer[b->line];
  Call         *call;

  PetscFunctionBegin;
  if (b->calls == b->room_calls) {
    b->room_calls = 2 * b->room_calls + 16;
    PetscCall(PetscRealloc(sizeof(Call) * (size_t)b->room_calls, &b->call));
  }
  call     = &b->call[b->calls++];
  call->op = *op;
  *op      = NULL;
  for (PetscInt i = 0; i < inputs; i++) call->in[i] = in[i];
  report->bytes += WeftSpaceGetInfo(*y)->bytes / (size_t)b->batch;
  PetscCall(AddValue(b, (Value){*y, 0, 0, -1}, &call->out));
  *y   = NULL;
  *out = call->out;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderAverages(WeftBuilder b, WeftOp op, WeftValue parameters, const WeftAveraging *averaging)
{
  WeftNet net = b->net;

  PetscFunctionBegin;
  PetscCall(PetscRealloc(sizeof(*net->average) * (size_t)(net->averages + 1), &net->average));
  PetscCall(WeftOpReference(op));
  net->average[net->averages].op          = op;
  net->average[net->averages].offset      = b->value[parameters].offset;
  net->average[net->averages++].averaging = averaging;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderKeep(WeftBuilder b, WeftValue x)
{
  PetscFunctionBegin;
  if (b->keeps == MAX_KEPT) return WeftBuilderFail(b, "more than %d features put aside", MAX_KEPT);
  b->kept[b->keeps++] = x;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderTake(WeftBuilder b, WeftValue *x)
{
  PetscFunctionBegin;
  if (!b->keeps) return WeftBuilderFail(b, "nothing is put aside here; a `keep` comes before each `concat`");
  *x = b->kept[--b->keeps];
  PetscFunctionReturn(0);
}

/* ---- grids -------------------------------------------------------------------------------------------------------- */

static PetscInt LevelOf(WeftBuilder b, WeftGrid grid)
{
  PetscInt level = 0;
  while (b->grid[level] != grid) level++;
  return level;
}

/* Blocks of the new level must hold the ghost layers of their neighbours. */
static PetscErrorCode CheckLevel(WeftBuilder b, WeftGrid grid)
{
  const WeftLayout *l       = WeftGridLayout(grid);
  const PetscInt    unit = l->granularity * PetscMax(1, (b->width + l->granularity - 1) / l->granularity);
  PetscInt          most[3] = {1, 1, 1}, narrowest = PETSC_MAX_INT, total = 1;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < l->dim; a++) {
    narrowest = PetscMin(narrowest, l->cells[a] / l->granularity / l->ranks[a] * l->granularity);
    most[a]   = PetscMax(1, l->cells[a] / unit);
    total *= most[a];
  }
  if (narrowest < b->width)
    return WeftBuilderFail(b,
                           "the level of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT
                           " cells has blocks of %" PetscInt_FMT " cells, narrower than the %" PetscInt_FMT
                           " ghost layers that the net's widest kernel reads. The largest layout that fits: %" PetscInt_FMT
                           " x %" PetscInt_FMT " x %" PetscInt_FMT " = %" PetscInt_FMT
                           " ranks; or use more replicas (-team_replicas), fewer levels or smaller kernels",
                           l->cells[0], l->cells[1], l->cells[2], narrowest, b->width, most[0], most[1], most[2], total);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderCoarser(WeftBuilder b, WeftValue x, WeftGrid *grid)
{
  const PetscInt    level = LevelOf(b, WeftSpaceGetInfo(b->value[x].space)->grid);
  const WeftLayout *l     = WeftGridLayout(b->grid[level]);

  PetscFunctionBegin;
  if (level + 1 == MAX_LEVELS) return WeftBuilderFail(b, "more than %d grids", MAX_LEVELS);
  for (PetscInt a = 0; a < l->dim; a++)
    if (l->cells[a] % 2) return WeftBuilderFail(b, "%" PetscInt_FMT " cells along %c cannot be halved; take other grid_cells or fewer levels", l->cells[a], "xyz"[a]);
  if (l->granularity % 2)
    return WeftBuilderFail(b, "blocks of this grid are multiples of %" PetscInt_FMT " cells, which do not halve; set grid_granularity to a multiple of 2 for each halving", l->granularity);
  if (!b->grid[level + 1]) {
    PetscCall(WeftGridCoarsen(b->grid[level], 2, &b->grid[level + 1]));
    PetscCall(CheckLevel(b, b->grid[level + 1]));
  }
  *grid = b->grid[level + 1];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderFiner(WeftBuilder b, WeftValue x, WeftGrid *grid)
{
  const PetscInt level = LevelOf(b, WeftSpaceGetInfo(b->value[x].space)->grid);

  PetscFunctionBegin;
  if (!level) return WeftBuilderFail(b, "the features are on the net's own grid already; a `pool` comes before each `upsample`");
  *grid = b->grid[level - 1];
  PetscFunctionReturn(0);
}

void WeftBuilderReads(WeftBuilder b, WeftGrid grid, PetscInt cells, PetscReal flops)
{
  const PetscInt    level = LevelOf(b, grid);
  const WeftLayout *l     = WeftGridLayout(grid);

  b->net->receptive_field += (cells - 1) << level;
  b->net->layer[b->line].flops += flops * (PetscReal)l->cells[0] * (PetscReal)l->cells[1] * (PetscReal)l->cells[2];
  for (PetscInt i = 0; i < level * b->dim; i++) flops *= 0.5;
  b->net->flops += flops;
}

/* ---- convolutions, which most layers are made of -------------------------------------------------------------------- */

PetscErrorCode WeftBuilderWeights(WeftBuilder b, const char *part, PetscInt kernel, PetscInt in, PetscInt out, WeftValue *parameters)
{
  char          name[2][64];
  WeftParameter both[2] = {{name[0], b->dim + 2, {0}, 0.0, 0.0}, {name[1], 1, {out}, 0.0, 0.0}};
  PetscInt      taps    = 1;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < b->dim; a++) taps *= both[0].shape[a] = kernel;
  both[0].shape[b->dim]     = in;
  both[0].shape[b->dim + 1] = out;
  both[0].bound             = b->options->gain * PetscSqrtReal(6.0 / (PetscReal)((in + out) * taps));
  snprintf(name[0], sizeof(name[0]), "%s.weight", part);
  snprintf(name[1], sizeof(name[1]), "%s.bias", part);
  PetscCall(WeftBuilderParameters(b, 2, both, parameters));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBuilderConvolution(WeftBuilder b, const WeftConvolutionOptions *options, WeftValue x, WeftValue parameters,
                                      WeftValue residual, WeftValue *y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(b->value[x].space);
  const PetscInt       reads = options->kernel / 2 * PetscMax(options->dilation, 1);
  PetscInt             taps  = 1;
  WeftSpace            space;
  WeftOp               op;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < b->dim; a++) taps *= options->kernel;
  WeftBuilderReads(b, info->grid, 2 * reads + 1, 2.0 * taps * info->channels * options->outputs);
  PetscCall(WeftBuilderFeatures(b, info->grid, options->outputs, &space));
  PetscCall(WeftOpCreateConvolution(b->value[x].space, space, options, &op));
  PetscCall(WeftBuilderCall(b, &op, residual < 0 ? 2 : 3, (WeftValue[]){x, parameters, residual}, &space, y));
  PetscFunctionReturn(0);
}

/* ---- the program ---------------------------------------------------------------------------------------------------- */

static PetscErrorCode MakeProgram(WeftBuilder b, WeftValue x, WeftValue y)
{
  WeftProgram program;
  PetscInt    parameters;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateNumbers(b->comm, b->batch, b->net->count, PETSC_FALSE, &b->net->parameters));
  PetscCall(WeftProgramCreate(b->comm, &program));
  PetscCall(WeftProgramInput(program, "features", b->value[x].space, &b->value[x].slot));
  PetscCall(WeftProgramInput(program, "parameters", b->net->parameters, &parameters));
  for (PetscInt v = 0; v < b->values; v++)
    if (!b->value[v].space) PetscCall(WeftProgramView(program, parameters, b->value[v].offset, b->value[v].count, &b->value[v].slot));
  for (PetscInt c = 0; c < b->calls; c++) {
    PetscInt in[3];
    for (PetscInt i = 0; i < WeftOpInputs(b->call[c].op); i++) in[i] = b->value[b->call[c].in[i]].slot;
    PetscCall(WeftProgramCall(program, b->call[c].op, in, &b->value[b->call[c].out].slot));
  }
  PetscCall(WeftProgramOutput(program, b->value[y].slot));
  PetscCall(WeftProgramFinish(&program, "net", &b->net->op));
  PetscCall(WeftOpSetPhase(b->net->op, WEFT_PHASE_NET));
  PetscFunctionReturn(0);
}

static PetscErrorCode BuildLayers(WeftBuilder b, const WeftLayer layer[], WeftValue *x)
{
  PetscFunctionBegin;
  for (b->line = 0; b->line < b->options->layers; b->line++) {
    WeftNetLayer  *report = &b->net->layer[b->line];
    const PetscInt before = b->net->count;
    b->layer              = &layer[b->line];
    PetscCall((*b->layer->kind->build)(b, b->layer, x));
    const WeftSpaceInfo *info = WeftSpaceGetInfo(b->value[*x].space);
    snprintf(report->text, sizeof(report->text), "%s", b->layer->text);
    report->channels   = info->channels;
    report->parameters = b->net->count - before;
    PetscCall(PetscArraycpy(report->cells, WeftGridLayout(info->grid)->cells, 3));
  }
  b->line--; /* what follows is about the last line */
  if (!b->calls) return WeftBuilderFail(b, "the net has no layer that computes");
  if (LevelOf(b, WeftSpaceGetInfo(b->value[*x].space)->grid))
    return WeftBuilderFail(b, "the net ends on a coarser grid than it starts on; add an `upsample` for each `pool`");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetBuild(WeftNet net, WeftSpace features, const WeftNetOptions *options, const WeftLayer layer[])
{
  const WeftSpaceInfo   *info = WeftSpaceGetInfo(features);
  struct _n_WeftBuilder  b    = {.net = net, .options = options, .comm = info->comm, .batch = info->batch, .single = info->single};
  WeftValue              x, y;
  PetscErrorCode         ierr;

  PetscFunctionBegin;
  b.dim     = WeftGridLayout(info->grid)->dim;
  b.width   = WeftLayersWidth(options->layers, layer);
  b.grid[0] = info->grid;
  PetscCheck(info->width >= b.width, info->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "the features of this net need %" PetscInt_FMT " ghost layers, not %" PetscInt_FMT, b.width, info->width);
  net->receptive_field = 1;
  net->layers          = options->layers;
  PetscCall(PetscCalloc1(net->layers, &net->layer));
  PetscCall(WeftSpaceReference(features));
  PetscCall(AddValue(&b, (Value){features, 0, 0, -1}, &x));
  y    = x;
  ierr = BuildLayers(&b, layer, &y);
  if (!ierr) PetscCall(MakeProgram(&b, x, y));
  for (PetscInt c = 0; c < b.calls; c++) PetscCall(WeftOpDestroy(&b.call[c].op));
  for (PetscInt v = 0; v < b.values; v++) PetscCall(WeftSpaceDestroy(&b.value[v].space));
  for (PetscInt g = 1; g < MAX_LEVELS && b.grid[g]; g++) PetscCall(WeftGridDestroy(&b.grid[g]));
  PetscCall(PetscFree(b.value));
  PetscCall(PetscFree(b.call));
  PetscFunctionReturn(ierr);
}
