/* nn: layers (operators on CHANNELS), nets (programs of layers with one flat parameter vector), the correction that a net gives
   to a velocity. */
#ifndef WEFT_NN_H
#define WEFT_NN_H
#include <weft/op.h>

#if defined(__cplusplus)
extern "C" {
#endif

typedef enum { WEFT_ACTIVATION_NONE, WEFT_ACTIVATION_RELU, WEFT_ACTIVATION_LEAKY_RELU /* slope 0.2 */, WEFT_ACTIVATION_TANH } WeftActivation;
extern const char *const WeftActivations[]; /* "none", "relu", "leaky_relu", "tanh" */

/* y = activation(x * w + b [+ residual]). Inputs: x (CHANNELS), parameters (NUMBERS: w as [tap z][tap y][tap x][in][out], then
   b [out]), and the residual (CHANNELS, space of y) if asked for. Fused: one pass writes y. kernel: 1, 3 or 5 cells along every
   axis of the grid. edges: what stands beyond sides that are not periodic: ZERO or COPY (replicated). Master parameters are
   float64; the arithmetic is that of the space of x. In two dimensions, where the grid's granularity is a multiple of 4, kernels
   of 3 and 5 go through Winograd's algorithm: about twice as fast, the same up to rounding. */
typedef struct {
  PetscInt       kernel, outputs;
  WeftActivation activation;
  WeftGhost      edges;
  PetscBool      residual;
} WeftConvolutionOptions;
PetscErrorCode WeftOpCreateConvolution(WeftSpace x, WeftSpace y, const WeftConvolutionOptions *options, WeftOp *op);
/* Which kernels run: "avx512", "avx2" or "plain"; set with -nn_kernels. */
const char *WeftKernelsName(void);

/* Planes -> channels: field f at cells (faces: mean of the two), times scale[f]; then one channel per sample number, times
   number_scale[n], the same in every cell. Inputs: planes, numbers (NUMBERS per sample; NULL space: none). Casts to the
   precision of y. */
PetscErrorCode WeftOpCreateFeatures(WeftSpace planes, WeftSpace numbers, const PetscReal scale[], const PetscReal number_scale[], WeftSpace y, WeftOp *op);
/* (planes x, channels c) -> x_f + scale[f] * channel f taken to where field f stands (faces: mean of the two cells, COPY ghosts). */
PetscErrorCode WeftOpCreateAddChannels(WeftSpace planes, WeftSpace channels, const PetscReal scale[], WeftOp *op);

/* A net from a list of layers, each a line of words:
     conv KERNEL OUTPUTS [ACTIVATION]        one convolution (default activation: none)
     residual KERNEL OUTPUTS [ACTIVATION]    activation(conv(activation(conv(x))) + shortcut(x)); the shortcut is the identity, or
                                             a convolution of kernel 1 where the number of channels changes (default: relu)
   Weights: Xavier uniform with `gain` (bound gain sqrt(6 / (in taps + out taps))), biases 0, drawn from the counter-based
   generator, so equal on every layout. */
typedef struct {
  PetscInt  layers;
  char    **layer;
  WeftGhost edges;
  PetscReal gain;
  PetscBool single; /* float32 */
} WeftNetOptions;
typedef struct { /* one array of parameters, for files, reports and messages */
  char     name[64]; /* number of the layer from 0, part: "2.residual.second.weight", "3.conv.bias" */
  PetscInt offset, rank, shape[5];
} WeftNetArray;
typedef struct _n_WeftNet *WeftNet;
PetscErrorCode WeftNetOptionsFromKeys(WeftNetOptions *options); /* -net_layers, -net_edges, -net_gain, -net_precision */
PetscErrorCode WeftNetOptionsDestroy(WeftNetOptions *options);
/* features: the input CHANNELS space (its precision is the net's, its width at least half the widest kernel). Collective. */
PetscErrorCode WeftNetCreate(WeftSpace features, const WeftNetOptions *options, WeftNet *net);
PetscErrorCode WeftNetDestroy(WeftNet *net);
WeftOp         WeftNetOp(WeftNet net); /* (features, parameters) -> CHANNELS; borrowed */
WeftSpace      WeftNetParameterSpace(WeftNet net);
PetscErrorCode WeftNetArrays(WeftNet net, PetscInt *count, const WeftNetArray **arrays);
PetscErrorCode WeftNetInitialise(WeftNet net, PetscInt64 seed, WeftState parameters);
PetscErrorCode WeftNetFlops(WeftNet net, PetscReal *flops_per_cell); /* multiply + add = 2, forward */
PetscErrorCode WeftNetReceptiveField(WeftNet net, PetscInt *cells);

/* Correction of a velocity: (velocity, numbers per sample, parameters) -> velocity + scale * net(velocity / scale, numbers *
   number_scale). A program of Features, the net and AddChannels. The net must end in dim channels. */
PetscErrorCode WeftCorrectionCreate(WeftSpace velocity, WeftSpace numbers, const PetscReal scale[], const PetscReal number_scale[], const WeftNetOptions *options, WeftNet *net, WeftOp *op);

#if defined(__cplusplus)
}
#endif
#endif
