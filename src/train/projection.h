/* Inside src/train: a net that stands for the pressure solver, compared with the solver step by step. */
#ifndef WEFT_TRAIN_PROJECTION_H
#define WEFT_TRAIN_PROJECTION_H
#include "train/hybrid.h"

typedef struct _n_WeftProjection *WeftProjection;
/* Writes folder/projection.csv. Collective on the grid. */
PetscErrorCode WeftProjectionCreate(WeftModel model, const char *folder, WeftProjection *projection);
/* Plays a step (out := step(in)) and takes the divergence over open cells of what the net met, of the step's velocity, and of what
   the solver makes of what the net met. Collective. */
PetscErrorCode WeftProjectionStep(WeftProjection projection, PetscInt n, WeftOp step, const WeftState in[], const WeftState out[]);
/* The table: means over the steps. Collective. */
PetscErrorCode WeftProjectionReport(WeftProjection projection, WeftSummary summary);
PetscErrorCode WeftProjectionDestroy(WeftProjection *projection);
#endif
