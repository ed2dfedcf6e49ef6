/* Cells for channels: the 2^dim children of a coarse cell stand side by side as its channels (down), or the other way (up). With a
   convolution behind it, down is a convolution of stride 2 and of twice the kernel; with one before it, up is a transposed one, with
   a bias for each child (Shi et al. 2016, sub-pixel convolution). A permutation: its transpose is its inverse. */
#include "nn/builder.h"

typedef struct {
  PetscBool    down; /* x on the fine grid */
  WeftFeatures fine, coarse;
  WeftFamily   family;
} Shuffle;

/* Between children and channels of every family; add: the target grows by it. */
static void Move(const Shuffle *v, void *fine, void *coarse, PetscBool down, PetscBool add)
{
  const PetscInt n    = v->fine.channels;
  const size_t   size = v->fine.size;

  WEFT_FOR_FAMILIES(&v->family, v->fine.batch, s, j, k)
  {
    char *first  = WeftChildRow(&v->family, &v->fine, fine, s, j, k);
    char *parent = WeftFeaturesRow(&v->coarse, v->family.coarse, coarse, 0, s, j, k);
    for (PetscInt i = 0; i < v->coarse.count[0]; i++, parent += size * (size_t)v->coarse.channels) {
      for (PetscInt d = 0; d < v->family.children; d++) {
        char *child = first + (ptrdiff_t)size * (i * v->family.step + v->family.offset[d]), *part = parent + size * (size_t)(d * n);
        if (add) WeftValuesAdd(v->fine.single, n, down ? child : part, down ? part : child);
        else memcpy(down ? part : child, down ? child : part, size * (size_t)n);
      }
    }
  }
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Shuffle *v = (const Shuffle *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  Move(v, v->down ? (void *)WeftStateData(x[0]) : WeftStateDataWrite(y[0]), v->down ? WeftStateDataWrite(y[0]) : (void *)WeftStateData(x[0]), v->down, PETSC_FALSE);
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  (void)x, (void)y;
  return dx[0] ? Apply(op, dx, dy, record) : WeftStateZero(dy[0]);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Shuffle *v = (const Shuffle *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  Move(v, v->down ? WeftStateDataWrite(x_bar[0]) : (void *)WeftStateData(y_bar[0]), v->down ? (void *)WeftStateData(y_bar[0]) : WeftStateDataWrite(x_bar[0]),
       v->down ? PETSC_FALSE : PETSC_TRUE, PETSC_TRUE);
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateShuffle(WeftSpace x, WeftSpace y, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const PetscBool         down = WeftGridLayout(WeftSpaceGetInfo(x)->grid)->cells[0] > WeftGridLayout(WeftSpaceGetInfo(y)->grid)->cells[0] ? PETSC_TRUE : PETSC_FALSE;
  Shuffle                *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  v->down   = down;
  v->fine   = WeftFeaturesOf(down ? x : y);
  v->coarse = WeftFeaturesOf(down ? y : x);
  PetscCall(WeftFamilyCreate("Shuffle", down ? x : y, down ? y : x, &v->family));
  PetscCheck(v->coarse.channels == v->family.children * v->fine.channels, WeftSpaceGetInfo(x)->comm, PETSC_ERR_ARG_INCOMP,
             "operator Shuffle: %" PetscInt_FMT " coarse channels for %" PetscInt_FMT " fine ones", v->coarse.channels, v->fine.channels);
  PetscCall(WeftOpCreate("shuffle", &maps, v, WEFT_NEEDS_NOTHING, 1, &x, 1, &y, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Shuffle(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 2 ? PETSC_TRUE : PETSC_FALSE;
  WeftGrid        finer;
  WeftSpace       fine, coarse;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftGridRefine(grid, 2, &finer));
  PetscCall(WeftSpaceCreateChannels(finer, batch, 2, 1, single, &fine));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 2 << WeftGridLayout(grid)->dim, 0, single, &coarse));
  PetscCall(WeftOpCreateShuffle(variant == 1 ? coarse : fine, variant == 1 ? fine : coarse, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&fine));
  PetscCall(WeftSpaceDestroy(&coarse));
  PetscCall(WeftGridDestroy(&finer));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddShuffle(WeftBuilder b, WeftGrid grid, PetscInt channels, WeftValue *x)
{
  WeftSpace y;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftBuilderFeatures(b, grid, channels, &y));
  PetscCall(WeftOpCreateShuffle(WeftBuilderSpace(b, *x), y, &op));
  PetscCall(WeftBuilderCall(b, &op, 1, x, &y, x));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddConvolution(WeftBuilder b, const WeftLayer *layer, const char *part, PetscInt outputs, WeftValue *x)
{
  const WeftConvolutionOptions options = {layer->kernel, outputs, layer->activation, WeftBuilderEdges(b), PETSC_FALSE, 1};
  WeftValue                    parameters;

  PetscFunctionBegin;
  PetscCall(WeftBuilderWeights(b, part, layer->kernel, WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, outputs, &parameters));
  PetscCall(WeftBuilderConvolution(b, &options, *x, parameters, -1, x));
  PetscFunctionReturn(0);
}

static PetscErrorCode BuildStrided(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftBuilderSpace(b, *x));
  const PetscInt       children = 1 << WeftGridLayout(info->grid)->dim;
  WeftGrid             coarse;

  PetscFunctionBegin;
  PetscCall(WeftBuilderCoarser(b, *x, &coarse));
  WeftBuilderReads(b, info->grid, 2, 0.0);
  PetscCall(AddShuffle(b, coarse, children * info->channels, x));
  PetscCall(AddConvolution(b, layer, "strided", layer->outputs, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Strided = {.name = "strided", .words = "KERNEL OUTPUTS [ACTIVATION]", .build = BuildStrided, .levels = 1};

/* The values at every other cell of a convolution. */
static PetscErrorCode BuildHalve(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  WeftGrid  coarse;
  WeftSpace y;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftBuilderCoarser(b, *x, &coarse));
  PetscCall(AddConvolution(b, layer, "halve", layer->outputs, x));
  PetscCall(WeftBuilderFeatures(b, coarse, layer->outputs, &y));
  PetscCall(WeftOpCreatePool(WeftBuilderSpace(b, *x), y, WEFT_POOL_FIRST, &op));
  PetscCall(WeftBuilderCall(b, &op, 1, x, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Halve = {.name = "halve", .words = "KERNEL OUTPUTS [ACTIVATION]", .build = BuildHalve, .levels = 1};

static PetscErrorCode BuildTransposed(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const PetscInt children = 1 << WeftGridLayout(WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->grid)->dim;
  WeftGrid       fine;

  PetscFunctionBegin;
  PetscCall(WeftBuilderFiner(b, *x, &fine));
  PetscCall(AddConvolution(b, layer, "transposed", children * layer->outputs, x));
  PetscCall(AddShuffle(b, fine, layer->outputs, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Transposed = {.name = "transposed", .words = "KERNEL OUTPUTS [ACTIVATION]", .build = BuildTransposed, .levels = -1};
