/* Inside src/train: a model with the net in its step, and the file of its weights. */
#ifndef WEFT_TRAIN_HYBRID_H
#define WEFT_TRAIN_HYBRID_H
#include <weft/train.h>

/* What the net sees is divided by these, what it gives is multiplied: standard deviations over the dataset of each velocity
   component and of the Reynolds numbers. Stored with the weights. */
typedef struct {
  PetscReal velocity[3], reynolds;
} WeftScales;

typedef struct {
  WeftNet   net;
  WeftOp    correction;
  WeftModel model;
} WeftHybrid;
/* From the keys (model_*, net_*). Fails when the case names no net or no step `correct`. Collective on the grid. */
PetscErrorCode WeftHybridCreate(WeftGrid grid, PetscInt batch, const WeftScales *scales, PetscBool solver_gradient, WeftHybrid *hybrid);
PetscErrorCode WeftHybridDestroy(WeftHybrid *hybrid);

/* Fails when the step has waves and the dataset does not say which. */
PetscErrorCode WeftCheckWaves(WeftModel model, const WeftDataInfo *info);

/* The weights file holds /weights (flat), /parameters/<name> (every array by itself), /scales/velocity and /scales/reynolds, the
   attributes net_layers, case; checkpoints more. */
PetscErrorCode WeftWeightsSet(WeftArrays arrays, PetscInt dim, WeftNet net, const WeftScales *scales, const double weights[]);
/* path: for messages. Weights of another net fail with the first array that differs. */
PetscErrorCode WeftWeightsGetScales(WeftArrays arrays, const char *path, PetscInt dim, WeftScales *scales);
PetscErrorCode WeftWeightsGet(WeftArrays arrays, const char *path, WeftNet net, double weights[]);
#endif
