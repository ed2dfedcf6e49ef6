/* Inside src/train: which windows of a dataset the samples of an update are, and their frames in memory. */
#ifndef WEFT_TRAIN_BATCHES_H
#define WEFT_TRAIN_BATCHES_H
#include "train/hybrid.h"

/* A window is `unroll` + 1 frames of one simulation. The windows fall into groups: one per value of -train_batch_same, or one in
   all. An update takes all its samples from one group; a group goes through its windows in an order drawn anew each time round,
   and in every epoch the groups take as many updates as they have windows, over the batch, in an order drawn per epoch. All of it
   depends on the seed and the update alone. */
typedef struct {
  PetscInt simulation, frame;
  PetscInt turn; /* by which it is turned (-train_augment; 0: it is not), drawn for each sample of each update */
} WeftWindow;

/* Reads the dataset: each rank keeps its own block of every frame, within -train_memory (frames.h). space: velocity of the grid, its
   batch the samples that this replica plays.
   validation: share of the frames, the last ones of each simulation, that no window touches. Collective on the grid. */
PetscErrorCode WeftBatchesCreate(WeftSpace space, const char *path, PetscInt unroll, PetscInt batch, PetscReal validation, WeftBatches *batches);
PetscErrorCode WeftBatchesDestroy(WeftBatches *batches);
PetscInt       WeftBatchesPerEpoch(WeftBatches batches);
/* The windows of update k, [batch]. Not collective. */
PetscErrorCode WeftBatchesDraw(WeftBatches batches, PetscInt k, WeftWindow windows[]);
/* Windows of the held-out frames, one after another without overlap: *count of them (those of window `first` on, at most room). */
PetscErrorCode WeftBatchesValidation(WeftBatches batches, PetscInt first, PetscInt room, WeftWindow windows[], PetscInt *count);
/* Frame n of a window, turned, into a sample of a state of the same fields. Collective on the grid. */
PetscErrorCode WeftBatchesLoad(WeftBatches batches, WeftWindow window, PetscInt n, WeftState state, PetscInt sample);
/* These windows come next: what is not in memory is read meanwhile. Not collective. */
PetscErrorCode WeftBatchesFetch(WeftBatches batches, PetscInt count, const WeftWindow windows[]);
/* Frames of the dataset that stay in memory, of how many, and the bytes of all that stand there. */
void WeftBatchesMemory(WeftBatches batches, PetscInt *resident, PetscInt *frames, size_t *bytes);
/* Ways in which a window may be turned; 1: as it is. */
PetscInt WeftBatchesTurns(WeftBatches batches);
/* Fails when the step of a model, inputs in[] (a sound state of all samples) and outputs out[], is not symmetric under -train_augment.
   Collective on the grid. */
PetscErrorCode WeftBatchesCheckSymmetry(WeftBatches batches, WeftOp step, const WeftState in[], const WeftState out[]);
/* The numbers of a simulation, as WeftModelSetNumbers takes them. */
const WeftDataInfo *WeftBatchesInfo(WeftBatches batches);
const PetscReal    *WeftBatchesNumbers(WeftBatches batches, PetscInt simulation);
/* Standard deviations over the dataset, and means for a reaction, rounded to float32 so that they are the same number on every layout. Collective. */
PetscErrorCode WeftBatchesScales(WeftBatches batches, WeftScales *scales);
#endif
