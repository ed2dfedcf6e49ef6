/* Inside src/train: the parts of the verb check. */
#ifndef WEFT_TRAIN_CHECK_H
#define WEFT_TRAIN_CHECK_H
#include "train/trainer.h"

/* A fault is noted, the rest goes on: the first one ends the verb after everything is printed and written. */
typedef struct {
  WeftTrainer trainer;
  PetscBool   single;  /* the net's arithmetic is float32 */
  PetscReal   loss;
  double     *weights; /* gradient by the weights, reduced over all ranks */
  WeftState   initial; /* adjoint of this replica's initial states */
  WeftSummary summary;
  PetscBool   passed;
  char        fault[512];
} WeftGradientCheck;
void WeftCheckFault(WeftGradientCheck *check, const char *format, ...) WEFT_FORMAT(2, 3);

/* The trainer, at the windows of update 0 if there is a dataset. Without one: the initial state of the case after -check_spinup
   uncorrected steps; each sample has its number from -model_reynolds or -model_viscosity, used again from the first when there are
   more samples, and its own small perturbation; the targets are that state perturbed otherwise. The same on every layout. */
PetscErrorCode WeftCheckStart(WeftTrainer *trainer);
/* Every operator of the step and the loss, at the values that it meets in the first step, perturbed so that no value stands on a
   kink: the contract of WeftOpCheck. */
PetscErrorCode WeftCheckOperators(WeftGradientCheck *check);
/* The loss of the whole rollout by the weights and by the initial state: tangent against adjoint, Taylor table; the time of a
   gradient over that of a forward sweep. */
PetscErrorCode WeftCheckRollout(WeftGradientCheck *check);
/* -check_horizon: how the adjoint of the last loss grows backwards from step to step, from how many steps on that growth dominates
   (horizon.csv, horizon.png), and the cosine to the exact gradient under truncation, clipping and damping. */
PetscErrorCode WeftCheckHorizon(WeftGradientCheck *check, const char *folder);
/* Order of Taylor remainders over steps that fall by a factor of 4, as far as they are above the noise; 0: none is. */
PetscReal WeftTaylorOrder(PetscInt steps, const PetscReal remainder[], PetscReal noise);
/* gradient.h5: /weights, /initial/<field> [sample][z][y][x] of all replicas, /loss. */
PetscErrorCode WeftCheckWrite(WeftGradientCheck *check, const char *path);
/* Against the file of another layout, -check_compare. */
/* Before anything is computed: can the comparison be made? */
PetscErrorCode WeftCheckCompareReady(void);
PetscErrorCode WeftCheckCompare(WeftGradientCheck *check, const char *mine, const char *other);
#endif
