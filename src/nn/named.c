/* Nets from the keys: a list of layers as it stands there, or one by name, which is turned into such a list. */
#include "nn/builder.h"

typedef enum { LAYERS, RESIDUAL, UNET, MLP } Type;

PetscErrorCode WeftNetGiven(PetscBool *given)
{
  PetscBool layers, type;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("net_layers", &layers));
  PetscCall(WeftHasKey("net_type", &type));
  *given = layers || type ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* ---- lists of layers ---------------------------------------------------------------------------------------------- */

typedef struct {
  PetscInt    features, blocks, levels, kernel;
  const char *activation;
} Sizes;

static PetscErrorCode AddLine(WeftNetOptions *o, const char *format, ...) WEFT_FORMAT(2, 3);
static PetscErrorCode AddLine(WeftNetOptions *o, const char *format, ...)
{
  char    line[64];
  va_list list;

  PetscFunctionBegin;
  va_start(list, format);
  vsnprintf(line, sizeof(line), format, list);
  va_end(list);
  PetscCall(PetscRealloc(sizeof(char *) * (size_t)(o->layers + 1), &o->layer));
  PetscCall(PetscStrallocpy(line, &o->layer[o->layers++]));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddConvolutions(WeftNetOptions *o, const Sizes *s, PetscInt count, PetscInt kernel)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < count; i++) PetscCall(AddLine(o, "conv %d %d %s", (int)kernel, (int)s->features, s->activation));
  PetscFunctionReturn(0);
}

/* Ronneberger, Fischer, Brox 2015, with as many features on every level and copies of whole levels: two convolutions a level. */
static PetscErrorCode AddUNet(WeftNetOptions *o, const Sizes *s)
{
  PetscFunctionBegin;
  PetscCall(AddConvolutions(o, s, 2, s->kernel));
  for (PetscInt level = 1; level < s->levels; level++) {
    PetscCall(AddLine(o, "keep"));
    PetscCall(AddLine(o, "pool max"));
    PetscCall(AddConvolutions(o, s, 2, s->kernel));
  }
  for (PetscInt level = 1; level < s->levels; level++) {
    PetscCall(AddLine(o, "upsample bilinear"));
    PetscCall(AddLine(o, "concat"));
    PetscCall(AddConvolutions(o, s, 2, s->kernel));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadSizes(Sizes *s)
{
  PetscInt activation;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("net_features", &s->features));
  PetscCall(WeftGetInt("net_blocks", &s->blocks));
  PetscCall(WeftGetInt("net_levels", &s->levels));
  PetscCall(WeftGetInt("net_kernel", &s->kernel));
  PetscCall(WeftGetEnum("net_activation", &activation));
  s->activation = WeftActivations[activation];
  if (s->features < 1 || s->features > 4096) return WeftFailKey(PETSC_COMM_WORLD, "net_features", "use 1 to 4096 channels");
  if (s->blocks < 1 || s->blocks > 100) return WeftFailKey(PETSC_COMM_WORLD, "net_blocks", "use 1 to 100 blocks");
  if (s->levels < 1 || s->levels > 10) return WeftFailKey(PETSC_COMM_WORLD, "net_levels", "use 1 to 10 grids");
  if (s->kernel != 1 && s->kernel != 3 && s->kernel != 5) return WeftFailKey(PETSC_COMM_WORLD, "net_kernel", "kernels have 1, 3 or 5 cells");
  PetscFunctionReturn(0);
}

static PetscErrorCode AddNamed(PetscInt type, PetscInt outputs, WeftNetOptions *o)
{
  Sizes s;

  PetscFunctionBegin;
  PetscCall(ReadSizes(&s));
  if (type == UNET) PetscCall(AddUNet(o, &s));
  else if (type == MLP) PetscCall(AddConvolutions(o, &s, s.blocks, 1));
  else
    for (PetscInt i = 0; i < s.blocks; i++) PetscCall(AddLine(o, "residual %d %d %s", (int)s.kernel, (int)s.features, s.activation));
  PetscCall(AddLine(o, "conv 1 %d", (int)outputs));
  PetscFunctionReturn(0);
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftNetOptionsFromKeys(PetscInt outputs, WeftNetOptions *options)
{
  PetscInt  edges, precision, type;
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("net_type", &type));
  PetscCall(WeftHasKey("net_layers", &set));
  if (type != LAYERS && set) return WeftFailKey(PETSC_COMM_WORLD, "net_type", "the case lists net_layers as well; leave out one of the two");
  options->layers = 0;
  options->layer  = NULL;
  if (type == LAYERS) PetscCall(WeftGetStringList("net_layers", &options->layer, &options->layers));
  else PetscCall(AddNamed(type, outputs, options));
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

PetscErrorCode WeftNetAlignGrid(WeftGridOptions *grid)
{
  WeftNetOptions options;
  WeftLayer     *layer;
  PetscInt       levels, blocks;
  PetscBool      given;

  PetscFunctionBegin;
  PetscCall(WeftNetGiven(&given));
  if (!given) PetscFunctionReturn(0);
  PetscCall(WeftNetOptionsFromKeys(1, &options));
  PetscCall(WeftLayersParse(PETSC_COMM_WORLD, &options, &layer));
  levels = WeftLayersLevels(options.layers, layer);
  PetscCall(PetscFree(layer));
  PetscCall(WeftNetOptionsDestroy(&options));
  blocks = 1 << PetscMin(levels, 20);
  for (PetscInt a = 0; a < grid->dim; a++)
    if (grid->cells[a] % blocks)
      return WeftFailKey(PETSC_COMM_WORLD, "grid_cells",
                         "the net halves the grid %" PetscInt_FMT " times; %" PetscInt_FMT
                         " cells along %c are no multiple of %" PetscInt_FMT "; use %" PetscInt_FMT " or fewer levels",
                         levels, grid->cells[a], "xyz"[a], blocks, (grid->cells[a] / blocks + 1) * blocks);
  for (PetscInt unit = grid->granularity; grid->granularity % blocks;) grid->granularity += unit;
  PetscFunctionReturn(0);
}

/* Newton's method inside the step takes the net to the tolerance of the solve. */
static PetscErrorCode CreateReaction(WeftSpace fields, const PetscReal mean[], const PetscReal scale[], WeftNetOptions *options, WeftNet *net, WeftOp *op)
{
  WeftLayer *layer;
  PetscReal  rate;
  PetscBool  set, alone;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("net_precision", &set));
  if (set && options->single) return WeftFailKey(PETSC_COMM_WORLD, "net_precision", "a reaction computes in double, inside implicit steps; leave the key out");
  options->single = PETSC_FALSE;
  PetscCall(WeftLayersParse(PETSC_COMM_WORLD, options, &layer));
  alone = WeftLayersWidth(options->layers, layer) || WeftLayersLevels(options->layers, layer) ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(PetscFree(layer));
  if (!alone) return WeftFailKey(PETSC_COMM_WORLD, "net_layers", "a reaction reads at each cell that cell alone; use layers `dense OUTPUTS [tanh]`, or others of kernel 1");
  PetscCall(WeftGetReal("net_rate", &rate));
  if (!(rate > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "net_rate", "must be positive: about the share of a field that the reaction changes per time");
  PetscCall(WeftRateCreate(fields, mean, scale, rate, options, net, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetCreateFromKeys(WeftSpace state, WeftSpace numbers, const PetscReal mean[], const PetscReal scale[], const PetscReal number_scale[], WeftNet *net, WeftOp *op)
{
  WeftNetOptions options;
  PetscInt       role;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("net_role", &role));
  PetscCall(WeftNetOptionsFromKeys(role == WEFT_NET_PRESSURE ? 1 : WeftSpaceGetInfo(state)->fields, &options));
  if (role == WEFT_NET_PRESSURE) PetscCall(WeftPressureNetCreate(state, &options, net, op));
  else if (role == WEFT_NET_REACTION) PetscCall(CreateReaction(state, mean, scale, &options, net, op));
  else PetscCall(WeftCorrectionCreate(state, numbers, scale, number_scale, &options, net, op));
  PetscCall(WeftNetOptionsDestroy(&options));
  PetscFunctionReturn(0);
}
