/* Inside src/train: what the verbs that play a flow share. */
#ifndef WEFT_TRAIN_FLOW_H
#define WEFT_TRAIN_FLOW_H
#include <math.h>
#include <stdio.h>
#include <weft/train.h>

/* States for every input and output of a step. */
PetscErrorCode WeftStepStates(WeftOp step, WeftState in[], WeftState out[]);
PetscErrorCode WeftStepStatesDestroy(WeftOp step, WeftState in[], WeftState out[]);
/* Velocity of a sample at cells, gathered: one array per axis on every rank of the grid, [z][y][x]; free with PetscFree. Collective on
   the grid. */
PetscErrorCode WeftFlowAtCells(WeftState velocity, PetscInt sample, double *component[3]);
/* Speed (may be NULL: not wanted) and vorticity of a sample at cells, in three dimensions of the middle layer: [ny][nx] on every rank
   of the grid; free with PetscFree. Collective on the grid. */
PetscErrorCode WeftFlowVorticity(WeftState velocity, PetscInt sample, double **speed, double **vorticity);
/* Speed and vorticity (in three dimensions: of the middle layer) of sample 0 as a PNG. Collective on the grid, which must be
   that of world rank 0. */
PetscErrorCode WeftFlowPicture(const char *path, WeftModel model, const WeftState states[]);
#endif
