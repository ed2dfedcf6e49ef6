/* Inside src/train: what the trainer is made of. */
#ifndef WEFT_TRAIN_TRAINER_H
#define WEFT_TRAIN_TRAINER_H
#include "train/batches.h"

enum { WEFT_TIME_DATA, WEFT_TIME_PLAY, WEFT_TIME_REDUCE, WEFT_TIME_OPTIMIZER, WEFT_TIME_FILES, WEFT_TIMES };

struct _n_WeftTrainer {
  WeftTeam     team;
  WeftTeamInfo info;
  PetscInt     unroll, batch, first, count; /* this replica's samples: [first, first + count) of an update's batch */
  PetscBool    supervised;
  PetscReal    validation;
  WeftGrid     grid;
  WeftSpace    velocity;
  WeftBatches  batches;
  WeftScales   scales;
  WeftHybrid   hybrid;
  WeftRollout  rollout;
  PetscInt     inputs, weights_at, parameters;
  WeftState    input[WEFT_OP_MAX], gradient, *target;
  WeftWindow  *window;           /* [batch] */
  PetscReal   *losses, *reduced; /* [count]; gradient and loss in the one reduction */
  double       seconds[WEFT_TIMES];
};
/* -train_dataset, or where the verb dataset puts it. */
PetscErrorCode WeftTrainerDatasetPath(char path[], size_t room);
/* Loss of the held-out windows, as that of an update. Collective on the world. */
PetscErrorCode WeftTrainerValidate(WeftTrainer trainer, PetscReal *loss);
/* The flat weights, to change them. */
double *WeftTrainerWeights(WeftTrainer trainer);
#endif
