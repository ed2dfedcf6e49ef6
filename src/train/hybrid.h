/* Inside src/train: a model with the net in its step, and the file of its weights. */
#ifndef WEFT_TRAIN_HYBRID_H
#define WEFT_TRAIN_HYBRID_H
#include <weft/train.h>

/* What the net sees is divided by these, what it gives is multiplied: standard deviations over the dataset of each field of the state
   (velocity components, or concentrations) and of the Reynolds numbers. mean: of each field, for a reaction, whose fields do not vary
   around 0; else 0. Stored with the weights. */
typedef struct {
  PetscReal velocity[3], mean[3], reynolds;
} WeftScales;

typedef struct {
  WeftNet   net;
  WeftOp    correction;
  WeftModel model;
} WeftHybrid;
/* From the keys (model_*, net_*). Fails when the case names no net, or has no place for it in the step. Collective on the grid. */
PetscErrorCode WeftHybridCreate(WeftGrid grid, PetscInt batch, const WeftScales *scales, PetscBool solver_gradient, WeftHybrid *hybrid);
PetscErrorCode WeftHybridDestroy(WeftHybrid *hybrid);

/* Fails when the step has waves and the dataset does not say which. */
PetscErrorCode WeftCheckWaves(WeftModel model, const WeftDataInfo *info);

/* The weights file holds /weights (flat), /parameters/<name> (every array by itself), /scales/velocity, /scales/reynolds and (of a
   reaction) /scales/mean, the attributes net_layers, case; checkpoints more. */
PetscErrorCode WeftWeightsSet(WeftArrays arrays, PetscInt fields, WeftNet net, const WeftScales *scales, const double weights[]);
/* path: for messages. Weights of another net fail with the first array that differs. */
PetscErrorCode WeftWeightsGetScales(WeftArrays arrays, const char *path, PetscInt fields, WeftScales *scales);
PetscErrorCode WeftWeightsGet(WeftArrays arrays, const char *path, WeftNet net, double weights[]);
#endif
