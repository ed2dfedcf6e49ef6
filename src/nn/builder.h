/* Inside src/nn: how a layer becomes operators of a net. A layer is one line of words in the case file; its kind says which words
   it takes and builds its operators. The kind stands at the end of the operator's file, its row in src/op/list.h. */
#ifndef WEFT_NN_BUILDER_H
#define WEFT_NN_BUILDER_H
#include <string.h>
#include "nn/impl.h"

/* ---- kinds and lines ------------------------------------------------------------------------------------------------ */

typedef struct _WeftLayerKind WeftLayerKind;
typedef struct { /* a line, read; words that its kind does not take stay 0 */
  const WeftLayerKind *kind;
  const char          *text;
  PetscInt             kernel, outputs, dilation, groups, choice; /* dilation: 1 unless given */
  WeftActivation       activation;
} WeftLayer;

typedef struct _n_WeftBuilder *WeftBuilder;
typedef PetscInt               WeftValue; /* features, or a layer's parameters, on their way through the net */

struct _WeftLayerKind {
  const char *name, *words; /* "conv", "KERNEL OUTPUTS [ACTIVATION] [DILATION]"; a|b|c is a choice; brackets: may be left out */
  PetscErrorCode (*build)(WeftBuilder b, const WeftLayer *layer, WeftValue *x); /* x is replaced by the layer's output */
  WeftActivation activation; /* where the line names none */
  PetscInt       levels;     /* 1: the grid is halved, -1: doubled */
  PetscInt       width;      /* ghost layers that it reads, beside those of KERNEL */
};
/* Reads the lines of a net. Fails naming the line. Collective on comm. layers: PetscMalloc1'ed. */
PetscErrorCode WeftLayersParse(MPI_Comm comm, const WeftNetOptions *options, WeftLayer **layers);
PetscInt       WeftLayersWidth(PetscInt layers, const WeftLayer layer[]);  /* ghost layers that the widest reads */
PetscInt       WeftLayersLevels(PetscInt layers, const WeftLayer layer[]); /* how often the grid is halved at the deepest */

/* ---- building ------------------------------------------------------------------------------------------------------- */

/* Space of features; borrowed. */
WeftSpace WeftBuilderSpace(WeftBuilder b, WeftValue x);
/* What convolutions read beyond the sides. */
WeftGhost WeftBuilderEdges(WeftBuilder b);
/* The grid of half (twice) the cells of x; fails beyond the net's own. Borrowed. Collective. */
PetscErrorCode WeftBuilderCoarser(WeftBuilder b, WeftValue x, WeftGrid *grid);
PetscErrorCode WeftBuilderFiner(WeftBuilder b, WeftValue x, WeftGrid *grid);
/* A space of features for this net. WeftBuilderCall takes it over. */
PetscErrorCode WeftBuilderFeatures(WeftBuilder b, WeftGrid grid, PetscInt channels, WeftSpace *space);
/* Arrays of parameters that stand one after another, as one input of an operator: start + bound * uniform(-1, 1) at first. */
typedef struct {
  const char *part; /* "weight", "residual.first.bias" */
  PetscInt    rank, shape[5];
  PetscReal   start, bound;
} WeftParameter;
PetscErrorCode WeftBuilderParameters(WeftBuilder b, PetscInt count, const WeftParameter parameter[], WeftValue *value);
/* Calls op, which becomes the builder's, with these inputs; y: its output space, becomes the builder's. */
PetscErrorCode WeftBuilderCall(WeftBuilder b, WeftOp *op, PetscInt inputs, const WeftValue in[], WeftSpace *y, WeftValue *out);
/* The parameters of a convolution, part.weight and part.bias; the convolution. residual: a value or -1. */
PetscErrorCode WeftBuilderWeights(WeftBuilder b, const char *part, PetscInt kernel, PetscInt in, PetscInt out, WeftValue *parameters);
PetscErrorCode WeftBuilderConvolution(WeftBuilder b, const WeftConvolutionOptions *options, WeftValue x, WeftValue parameters, WeftValue residual, WeftValue *y);
/* Parameters that hold averages over a training, which their operator follows: what it does from now on (WeftNetSetTraining), and
   the averages after an update (WeftNetFollow; parameters: the operator's). References op. */
typedef struct {
  PetscErrorCode (*train)(WeftOp op, MPI_Comm batch);
  PetscErrorCode (*follow)(WeftOp op, MPI_Comm replicas, double parameters[]);
} WeftAveraging;
PetscErrorCode WeftBuilderAverages(WeftBuilder b, WeftOp op, WeftValue parameters, const WeftAveraging *averaging);
/* For the report: the layer reads `cells` cells of a grid along every axis, and takes `flops` operations per cell of it. */
void WeftBuilderReads(WeftBuilder b, WeftGrid grid, PetscInt cells, PetscReal flops);
/* Features put aside and taken back, the last first. */
PetscErrorCode WeftBuilderKeep(WeftBuilder b, WeftValue x);
PetscErrorCode WeftBuilderTake(WeftBuilder b, WeftValue *x);
/* A mistake in the line under way. */
PetscErrorCode WeftBuilderFail(WeftBuilder b, const char *format, ...) WEFT_FORMAT(2, 3);

/* Builds every layer: program, parameters and report of the net. */
struct _n_WeftNet {
  WeftOp        op;
  WeftSpace     parameters;
  PetscInt      arrays, room, count, receptive_field, layers;
  WeftNetArray *array;
  PetscReal    *start, *bound; /* [arrays] of the uniform distribution */
  PetscReal     flops;
  WeftNetLayer *layer;
  PetscInt      averages; /* operators that follow averages */
  struct {
    WeftOp               op;
    PetscInt             offset; /* of its parameters */
    const WeftAveraging *averaging;
  } *average;
};
PetscErrorCode WeftNetBuild(WeftNet net, WeftSpace features, const WeftNetOptions *options, const WeftLayer layer[]);

/* ---- coarse cells and their children -------------------------------------------------------------------------------- */

typedef struct {
  const WeftLayout *fine, *coarse;
  PetscInt          children;  /* 2^dim */
  ptrdiff_t         offset[8]; /* of each from the first, in values of the fine features */
  ptrdiff_t         step;      /* from one family to the next along x */
} WeftFamily;
PetscErrorCode WeftFamilyCreate(const char *op, WeftSpace fine, WeftSpace coarse, WeftFamily *family);
/* Every row (j, k) of coarse cells, sample by sample; the first child of its first cell. */
#define WEFT_FOR_FAMILIES(family, batch, s, j, k) WEFT_FOR_ROWS((family)->coarse, batch, s, j, k)
static inline char *WeftChildRow(const WeftFamily *family, const WeftFeatures *fine, const void *values, PetscInt sample, PetscInt j, PetscInt k)
{
  return WeftFeaturesRow(fine, family->fine, values, 0, sample, 2 * j, 2 * k);
}
/* Bugs of a caller: features of another grid, batch or precision, or with too few ghost layers. */
PetscErrorCode WeftFeaturesCheck(const char *op, WeftSpace x, WeftSpace y, PetscInt width);
#endif
