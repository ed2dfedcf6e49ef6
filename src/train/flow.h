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

/* What the implicit solves of a model took, into a summary (solve/...) and the log; nothing where there are none. Collective. */
PetscErrorCode WeftSolveSummary(WeftModel model, WeftSummary summary);

/* States of running simulations in a folder (states.c), to go on from after whatever ended the run. grid: of this replica, whose
   simulations are [first, first + count), the samples of the states. Collective on the world; after Save the step is the one that Find
   gives (-1: none; other settings than those of the run are an error), on any ranks. Remove: they are needed no more. */
PetscErrorCode WeftStatesSave(WeftGrid grid, const char *folder, PetscInt first, PetscInt count, PetscInt step, PetscReal time, PetscInt states, const WeftState state[]);
PetscErrorCode WeftStatesFind(const char *folder, PetscInt *step);
PetscErrorCode WeftStatesLoad(WeftGrid grid, const char *folder, PetscInt first, PetscInt count, PetscInt step, PetscInt states, const WeftState state[]);
PetscErrorCode WeftStatesRemove(const char *folder);
/* A table of lines that begin with rising numbers, open for writing on rank 0 (else NULL): anew with its heading (NULL: the caller writes it where ftell is 0), or after the rows
   whose number is at most `rows`. Collective on the world. */
PetscErrorCode WeftTableOpen(const char *path, const char *heading, PetscInt rows, FILE **table);
#endif
