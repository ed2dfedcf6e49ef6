/* Inside src/train: what the trainer is made of. */
#ifndef WEFT_TRAIN_TRAINER_H
#define WEFT_TRAIN_TRAINER_H
#include "train/batches.h"

struct _n_WeftTrainer {
  WeftTeam     team;
  WeftTeamInfo info;
  PetscInt     unroll, batch, first, count; /* this replica's samples: [first, first + count) of an update's batch */
  PetscBool    supervised;
  PetscReal    validation;
  WeftGrid     grid;
  WeftSpace    velocity;
  WeftBatches  batches; /* NULL: without a dataset */
  WeftScales   scales;
  WeftHybrid   hybrid;
  WeftRollout  rollout;
  PetscInt     inputs, weights_at, parameters;
  WeftState    input[WEFT_OP_MAX], gradient, *target;
  WeftWindow  *window;           /* [batch] */
  PetscReal   *losses, *reduced; /* [count]; gradient, loss and failed ranks in the one reduction */
};
/* Without a dataset: the scales are the caller's, who fills input and target. NULL: WeftTrainerCreate. */
PetscErrorCode WeftTrainerCreateWith(const WeftScales *scales, WeftTrainer *trainer);
/* The two halves of WeftTrainerGradient: batch k into input and target; loss and gradient of what stands there. */
PetscErrorCode WeftTrainerLoad(WeftTrainer trainer, PetscInt k);
PetscErrorCode WeftTrainerDifferentiate(WeftTrainer trainer, PetscReal *loss, double gradient[], const WeftState initial_bar[]);
/* Forward sweep of what stands in input and target: this replica's samples, this rank's part of the loss. */
PetscErrorCode WeftTrainerPartOfLoss(WeftTrainer trainer, PetscReal *loss);
/* -train_dataset, or where the verb dataset puts it. */
PetscErrorCode WeftTrainerDatasetPath(char path[], size_t room);
/* Loss of the held-out windows, as that of an update. Collective on the world. */
PetscErrorCode WeftTrainerValidate(WeftTrainer trainer, PetscReal *loss);
/* The flat weights, to change them. */
double *WeftTrainerWeights(WeftTrainer trainer);
#endif
