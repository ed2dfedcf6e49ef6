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
   float64; the arithmetic is that of the space of x. dilation (0 counts as 1): cells from one tap to the next. In two dimensions, where the grid's granularity is a multiple of 4, kernels
   of 3 and 5 go through Winograd's algorithm: about twice as fast, the same up to rounding. */
typedef struct {
  PetscInt       kernel, outputs;
  WeftActivation activation;
  WeftGhost      edges;
  PetscBool      residual;
  PetscInt       dilation;
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

/* Features of a coarse grid from those of a grid with twice the cells along every axis (WeftGridCoarsen): the largest or the mean
   of the 2^dim children. A tie goes to the first in storage order. */
typedef enum { WEFT_POOL_MAX, WEFT_POOL_MEAN, WEFT_POOL_FIRST /* child alone */ } WeftPooling;
PetscErrorCode WeftOpCreatePool(WeftSpace x, WeftSpace y, WeftPooling pooling, WeftOp *op);
/* And back: nearest coarse cell, or (bi-, tri-)linear between the coarse cells' centres, beyond sides that are not periodic the
   nearest cell; linear needs a ghost layer in x and y. */
typedef enum { WEFT_UPSAMPLE_BILINEAR, WEFT_UPSAMPLE_NEAREST } WeftUpsampling;
PetscErrorCode WeftOpCreateUpsample(WeftSpace x, WeftSpace y, WeftUpsampling upsampling, WeftOp *op);
/* Group normalisation (Wu, He 2018), per sample over all cells and the channels of a group. Inputs: x, parameters (NUMBERS: factor of
   each channel, then offset of each). The means are exact sums: the same bits on every layout. */
PetscErrorCode WeftOpCreateNormalise(WeftSpace x, WeftSpace y, PetscInt groups, WeftOp *op);
/* Batch normalisation (Ioffe, Szegedy 2015), of each channel over all cells and samples. Parameters (NUMBERS): factor of each channel,
   offset, and averages of mean and variance over a training. As created it uses the averages; in training the statistics of what the
   ranks of `batch` hold at that call (MPI_COMM_NULL: the averages again), exact sums, so the same bits however samples and cells are
   spread over them; all of them then take part in every apply, tangent and adjoint. Each adjoint in training notes its statistics;
   Follow moves the averages a tenth of the way to the mean of what was noted since (over the ranks of `replicas` too, unless it is
   MPI_COMM_NULL: where each replica has its own batch). The variance is that of the values (divided by their number). Collective. */
PetscErrorCode WeftOpCreateBatchNormalise(WeftSpace x, WeftSpace y, WeftOp *op);
PetscErrorCode WeftOpBatchNormaliseSetTraining(WeftOp op, MPI_Comm batch);
PetscErrorCode WeftOpBatchNormaliseFollow(WeftOp op, MPI_Comm replicas, double parameters[]);
/* The 2^dim children of a coarse cell as channels of it, or back: which of x and y is on the finer grid decides. */
PetscErrorCode WeftOpCreateShuffle(WeftSpace x, WeftSpace y, WeftOp *op);
/* y = the channels of a, then those of b. */
PetscErrorCode WeftOpCreateConcat(WeftSpace a, WeftSpace b, WeftSpace y, WeftOp *op);

/* A dense net with tanh between its layers, at points (fields of a grid of one axis, one per input of the net, batch 1; copied) that
   are split over the ranks as the grid is, float64. Input: parameters (NUMBERS: per layer weights [in][out], then biases [out]).
   Output: fields at the points, each a value of the net or a first or second derivative of one by its inputs, exact; so are the
   derivatives of those by the parameters. Not by the points: these are given. width: [layers + 1], first the inputs, last the
   outputs; up to 3 inputs. In blocks of 64 points, wide layers through BLIS; a point's values are the same bits on every layout. */
typedef struct {
  PetscInt output, first, second; /* of which output, by which inputs; -1: by none */
} WeftDerivative;
PetscErrorCode WeftOpCreateDense(WeftState points, PetscInt layers, const PetscInt width[], PetscInt fields, const WeftDerivative field[], const char *const names[], WeftOp *op);
PetscInt       WeftDenseParameters(PetscInt layers, const PetscInt width[]);
/* Xavier uniform weights, biases 0. */
PetscErrorCode WeftDenseInitialise(PetscInt layers, const PetscInt width[], PetscReal gain, PetscInt64 seed, double parameters[]);

/* A dense layer at every cell by itself, y = activation(x w + b), in products of BLIS over blocks of cells. Inputs: x (CHANNELS),
   parameters (NUMBERS: w as [in][out], then b). Activation: none or tanh. A cell's values are the same bits on every layout. */
PetscErrorCode WeftOpCreateCellDense(WeftSpace x, WeftSpace y, WeftActivation activation, WeftOp *op);

/* A net from a list of layers, each a line of words:
     conv KERNEL OUTPUTS [ACTIVATION] [DILATION]   one convolution (default activation: none)
     dense OUTPUTS [ACTIVATION]              every cell by itself, none or tanh (default: none)
     residual KERNEL OUTPUTS [ACTIVATION]    activation(conv(activation(conv(x))) + shortcut(x)); the shortcut is the identity, or
                                             a convolution of kernel 1 where the number of channels changes (default: relu)
     pool max|mean                           half the cells along every axis
     upsample bilinear|nearest               twice the cells
     strided KERNEL OUTPUTS [ACTIVATION]     half the cells by a convolution of stride 2 that reads 2 KERNEL cells along each axis
     transposed KERNEL OUTPUTS [ACTIVATION]  twice the cells by a transposed convolution likewise, a bias for each of the 2^dim children
     halve KERNEL OUTPUTS [ACTIVATION]       half the cells: a convolution of KERNEL cells around every other cell, from the first on
                                             (stride 2; it is computed at every cell, and these are taken)
     norm GROUPS                             group normalisation; 1: of all channels together, as many as channels: of each by itself
     batch_norm                              batch normalisation; a net is made with the averages in use (WeftNetSetTraining)
     keep                                    puts the features aside, and goes on with them
     concat                                  the features put aside last stand behind those at hand
   KERNEL is 1, 3 or 5; DILATION `dilation N`. Weights: Xavier uniform with `gain` (bound gain sqrt(6 / (in taps + out taps))),
   biases 0, drawn from the counter-based generator, so equal on every layout. */
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
typedef struct { /* one layer, for reports */
  char      text[64];              /* its line */
  PetscInt  channels, cells[3];    /* of its output */
  PetscInt  parameters;
  PetscReal flops;                 /* forward, one sample, the whole grid; multiply + add = 2 */
  size_t    bytes;                 /* of its outputs on this rank, one sample */
} WeftNetLayer;
typedef struct _n_WeftNet *WeftNet;
/* -net_type, -net_layers, -net_edges, -net_gain, -net_precision, and for nets by name -net_features, ...: a net by name is a list
   of layers too, its last one `conv 1 outputs`. */
PetscErrorCode WeftNetOptionsFromKeys(PetscInt outputs, WeftNetOptions *options);
PetscErrorCode WeftNetOptionsDestroy(WeftNetOptions *options);
/* Does the case name a net? */
PetscErrorCode WeftNetGiven(PetscBool *given);
/* Makes the grid's granularity a multiple of 2^levels of the case's net (if it names one), so that every level's blocks cover
   those of the level above. Fails when the cells do not divide. Call before WeftGridCreate. */
PetscErrorCode WeftNetAlignGrid(WeftGridOptions *grid);
/* Ghost layers that the input features need. */
PetscErrorCode WeftNetWidth(MPI_Comm comm, const WeftNetOptions *options, PetscInt *width);
/* features: the input CHANNELS space (its precision is the net's, its width at least WeftNetWidth). Collective. */
PetscErrorCode WeftNetCreate(WeftSpace features, const WeftNetOptions *options, WeftNet *net);
PetscErrorCode WeftNetDestroy(WeftNet *net);
WeftOp         WeftNetOp(WeftNet net); /* (features, parameters) -> CHANNELS; borrowed */
WeftSpace      WeftNetParameterSpace(WeftNet net);
PetscErrorCode WeftNetArrays(WeftNet net, PetscInt *count, const WeftNetArray **arrays);
PetscErrorCode WeftNetInitialise(WeftNet net, PetscInt64 seed, WeftState parameters);
/* Nets with layers that normalise batches (FALSE: there are none, and the others do nothing): statistics of the batch that the ranks
   of `batch` hold, or (MPI_COMM_NULL, as created) the averages among the parameters; after an update the averages follow. Collective. */
PetscBool      WeftNetAverages(WeftNet net);
PetscErrorCode WeftNetSetTraining(WeftNet net, MPI_Comm batch);
PetscErrorCode WeftNetFollow(WeftNet net, MPI_Comm replicas, double parameters[]);
PetscErrorCode WeftNetFlops(WeftNet net, PetscReal *flops_per_cell); /* multiply + add = 2, forward */
PetscErrorCode WeftNetReceptiveField(WeftNet net, PetscInt *cells);
PetscErrorCode WeftNetLayers(WeftNet net, PetscInt *count, const WeftNetLayer **layers);

/* Correction of a velocity: (velocity, numbers per sample, parameters) -> velocity + scale * net(velocity / scale, numbers *
   number_scale). A program of Features, the net and AddChannels. The net must end in dim channels. */
PetscErrorCode WeftCorrectionCreate(WeftSpace velocity, WeftSpace numbers, const PetscReal scale[], const PetscReal number_scale[], const WeftNetOptions *options, WeftNet *net, WeftOp *op);
/* A net in place of the pressure solve: (velocity, parameters) -> u - grad p, p = h net(h div u), h the spacing along x. The net has
   one channel in and one out. */
PetscErrorCode WeftPressureNetCreate(WeftSpace velocity, const WeftNetOptions *options, WeftNet *net, WeftOp *op);
/* A net as the rate of fields: (fields, parameters) -> rate * scale * net((fields - mean) / scale), rate per time; mean NULL: 0. With
   dense layers (or others of kernel 1) alone it is a reaction, for WeftOpCreateReactionDiffusion; inside an implicit step the net
   computes in float64. */
PetscErrorCode WeftRateCreate(WeftSpace fields, const PetscReal mean[], const PetscReal scale[], PetscReal rate, const WeftNetOptions *options, WeftNet *net, WeftOp *op);
/* The net of the case in its step, by -net_role: a correction; one in place of the pressure solve, which is told no numbers and has no
   scales; or a reaction, which is told no numbers either, per -net_rate, in float64. mean, scale: of the fields of the state. */
typedef enum { WEFT_NET_CORRECTION, WEFT_NET_PRESSURE, WEFT_NET_REACTION } WeftNetRole;
PetscErrorCode WeftNetCreateFromKeys(WeftSpace state, WeftSpace numbers, const PetscReal mean[], const PetscReal scale[], const PetscReal number_scale[], WeftNet *net, WeftOp *op);

#if defined(__cplusplus)
}
#endif
#endif
