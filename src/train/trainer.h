/* Inside src/train: what the trainer is made of. */
#ifndef WEFT_TRAIN_TRAINER_H
#define WEFT_TRAIN_TRAINER_H
#include "grid/fixed.h"
#include "train/batches.h"

/* The reduction of an update (reduction.c). Begin before the reverse sweep that adds to the gradient; End waits for the sums:
   gradient, then the others. Collective on the world. */
#define WEFT_MAX_TERMS 8
#define WEFT_REDUCED (2 + WEFT_MAX_TERMS) /* others: loss, ranks that failed, terms of the loss */
typedef struct _n_WeftReduction *WeftReduction;
PetscErrorCode WeftReductionCreate(WeftState gradient, WeftReduction *reduction);
PetscErrorCode WeftReductionBegin(WeftReduction reduction, const double others[WEFT_REDUCED]);
PetscErrorCode WeftReductionEnd(WeftReduction reduction, const double **values);
PetscErrorCode WeftReductionDestroy(WeftReduction *reduction);

struct _n_WeftTrainer {
  WeftTeam     team;
  WeftTeamInfo info;
  PetscInt     unroll, batch, first, count; /* this replica's samples: [first, first + count) of an update's batch */
  PetscBool    supervised;
  PetscReal    validation, noise;
  WeftState    noise_state; /* NULL: without */
  WeftGrid     grid;
  WeftSpace    velocity; /* the state: of a flow; or concentrations */
  WeftBatches  batches; /* NULL: without a dataset */
  WeftScales   scales;
  WeftHybrid   hybrid;
  MPI_Comm     statistics; /* whose ranks normalise batches together in training */
  PetscBool    coupled;    /* these are several replicas: a sweep that one of them leaves would be waited for */
  WeftRollout  rollout;
  PetscInt     inputs, weights_at, parameters;
  WeftState    input[WEFT_OP_MAX], gradient, *target;
  WeftState   *time; /* [unroll] at which each step starts; NULL: the step does not ask */
  WeftWindow  *window, *next; /* [batch] of this update and of the one after it */
  PetscReal   *losses; /* [count] */
  WeftReduction reduction;
  WeftOp       loss;
  WeftModel    solver; /* whose residuals are terms of the loss; NULL: none are */
  PetscInt     terms;
  char       **term;       /* as the case names them */
  PetscReal   *term_value; /* [terms] of the last update, weighted: their sum is the loss (without step_weight) */
  PetscReal   *step_weight; /* [unroll] of the loss after each step; NULL: 1 */
  PetscBool    deterministic; /* -deterministic */
  PetscInt64  *integers;      /* what is reduced then (deterministic.c) */
  PetscBool    skip;          /* -train_bad_samples skip (bad_samples.c) */
  PetscReal   *factor;        /* [count] 1; 0: the sample was left out of the last update */
  char         why[512];      /* and why; empty: none was, of this replica */
};
/* Without a dataset: the scales are the caller's, who fills input and target. NULL: WeftTrainerCreate. */
PetscErrorCode WeftTrainerCreateWith(const WeftScales *scales, WeftTrainer *trainer);
/* The two halves of WeftTrainerGradient: batch k into input and target; loss and gradient of what stands there. */
PetscErrorCode WeftTrainerLoad(WeftTrainer trainer, PetscInt k);
PetscErrorCode WeftTrainerDifferentiate(WeftTrainer trainer, PetscReal *loss, double gradient[], const WeftState initial_bar[]);
/* Forward sweep of what stands in input and target: this replica's samples, this rank's part of the loss. */
PetscErrorCode WeftTrainerPartOfLoss(WeftTrainer trainer, PetscReal *loss);
/* Forward and reverse sweep of what stands in input and target; samples that cannot be played or differentiated are left out, each
   tried by itself. part: this rank's part of the loss of the others. Collective on the replica. */
PetscErrorCode WeftTrainerPlaySound(WeftTrainer trainer, const WeftState bar[], PetscReal *part);
/* Samples that the last update left out, on all replicas; one of them is told with its reason. Collective on the world. */
PetscErrorCode WeftTrainerSkipped(WeftTrainer trainer, PetscInt update, PetscInt *count);
/* The terms of the loss, and the solver of -loss_solver for its residuals (residual.c); the solver's numbers of sample `slot`, from
   those of a simulation. Create is collective on the grid. */
PetscErrorCode WeftTrainerCreateLoss(WeftTrainer trainer, WeftState weight);
PetscErrorCode WeftTrainerSetSolver(WeftTrainer trainer, PetscInt slot, PetscInt count, const char (*names)[32], const PetscReal values[]);
/* Frames and numbers of a window into sample `slot` of input and target. Collective on the replica. */
PetscErrorCode WeftTrainerLoadWindow(WeftTrainer trainer, WeftWindow window, PetscInt slot);
/* After an update whose gradient is not finite: which operator's adjoint was it, in words. Collective on the world. */
PetscErrorCode WeftTrainerSearchAdjoint(WeftTrainer trainer, char text[512]);
/* A mistake of the user that one replica met becomes *failed, to be agreed on; anything else ends the program. */
PetscErrorCode WeftTrainerKeepFault(PetscErrorCode ierr, PetscBool *failed);
/* After the reduction that told of a fault: agrees on its message and fails. Collective on the world. */
PetscErrorCode WeftTrainerFail(void);
/* -deterministic: the reduction in integers. Begin empties the sums, Add takes the losses of the last forward sweep of the samples
   [0, samples) of this replica, Reduce adds over all ranks; gradient NULL: losses alone. Reduce is collective on the world. */
PetscErrorCode WeftFixedBegin(WeftTrainer trainer);
PetscErrorCode WeftFixedAddLosses(WeftTrainer trainer, PetscInt samples);
PetscErrorCode WeftFixedReduce(WeftTrainer trainer, PetscBool failed, PetscReal *loss, double gradient[]);
/* -train_dataset, or where the verb dataset puts it. */
PetscErrorCode WeftTrainerDatasetPath(char path[], size_t room);
/* Loss of the held-out windows, as that of an update. Collective on the world. */
PetscErrorCode WeftTrainerValidate(WeftTrainer trainer, PetscReal *loss);
/* After a step of the optimiser: the averages of batches, which no gradient moves. Collective on the world. */
PetscErrorCode WeftTrainerFollow(WeftTrainer trainer);
/* The flat weights, to change them. */
double *WeftTrainerWeights(WeftTrainer trainer);
#endif
