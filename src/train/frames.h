/* Inside src/train: the frames of a dataset as this rank holds them, in memory as far as a budget goes, the others in a scratch file. */
#ifndef WEFT_TRAIN_FRAMES_H
#define WEFT_TRAIN_FRAMES_H
#include <weft/grid.h>

typedef struct _n_WeftFrames *WeftFrames;
/* Room for `frames` frames of `values` numbers each on this rank (-train_memory, -train_disk); single: that are float32, and are kept
   as such. ahead: frames of an update of this replica, twice
   as many stand in memory beside those that stay there. Fails when the budget does not hold these, or the folder not the rest.
   Collective on the world. */
PetscErrorCode WeftFramesCreate(WeftGrid grid, PetscInt frames, PetscInt values, PetscInt ahead, PetscBool single, WeftFrames *store);
PetscErrorCode WeftFramesDestroy(WeftFrames *store);
/* Every frame once, before any is asked for. Not collective, like the two that follow. */
PetscErrorCode WeftFramesPut(WeftFrames store, PetscInt frame, const double values[]);
/* A frame that will be asked for soon: a helper thread reads it meanwhile. */
void WeftFramesFetch(WeftFrames store, PetscInt frame);
/* The values, until the next call. One that the disk has lost is noted on the grid; the values are those of another. */
PetscErrorCode WeftFramesGet(WeftFrames store, PetscInt frame, const double **values);
/* Frames that stay in memory, and the bytes of all that stand there. */
void WeftFramesMemory(WeftFrames store, PetscInt *resident, size_t *bytes);
#endif
