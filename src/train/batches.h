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
} WeftWindow;

/* Reads the dataset: each rank keeps its own block of every frame. space: velocity of the grid (the batch does not matter).
   validation: share of the frames, the last ones of each simulation, that no window touches. Collective on the grid. */
PetscErrorCode WeftBatchesCreate(WeftSpace space, const char *path, PetscInt unroll, PetscInt batch, PetscReal validation, WeftBatches *batches);
PetscErrorCode WeftBatchesDestroy(WeftBatches *batches);
PetscInt       WeftBatchesPerEpoch(WeftBatches batches);
/* The windows of update k, [batch]. Not collective. */
PetscErrorCode WeftBatchesDraw(WeftBatches batches, PetscInt k, WeftWindow windows[]);
/* Windows of the held-out frames, one after another without overlap: *count of them (those of window `first` on, at most room). */
PetscErrorCode WeftBatchesValidation(WeftBatches batches, PetscInt first, PetscInt room, WeftWindow windows[], PetscInt *count);
/* A frame into a sample of a state of the same fields. Not collective. */
PetscErrorCode WeftBatchesLoad(WeftBatches batches, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample);
/* The numbers of a simulation, as WeftModelSetNumbers takes them. */
const WeftDataInfo *WeftBatchesInfo(WeftBatches batches);
const PetscReal    *WeftBatchesNumbers(WeftBatches batches, PetscInt simulation);
/* Standard deviations over the dataset, rounded to float32 so that they are the same number on every layout. Collective. */
PetscErrorCode WeftBatchesScales(WeftBatches batches, WeftScales *scales);
#endif
