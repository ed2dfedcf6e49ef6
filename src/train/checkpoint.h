/* Inside src/train: the file that a training goes on from. */
#ifndef WEFT_TRAIN_CHECKPOINT_H
#define WEFT_TRAIN_CHECKPOINT_H
#include "train/trainer.h"

#define WEFT_RECENT 100 /* updates in the loss that is shown */

/* What a training carries from update to update beside weights and optimiser. */
typedef struct {
  PetscInt  update;              /* updates done */
  PetscReal recent[WEFT_RECENT]; /* losses; that of update k stands at k % WEFT_RECENT */
  PetscReal validation, best;    /* best: lowest validation loss, without one lowest mean of the recent losses; PETSC_MAX_REAL: none yet */
  PetscReal skipped;             /* samples with values that are not finite (-train_bad_samples skip) */
} WeftTrainingRecord;
/* Mean of the last losses, WEFT_RECENT or as many as there are. */
PetscReal WeftTrainingLoss(const WeftTrainingRecord *record);

/* checkpoint_<update>.h5 in the folder; weights.h5 is the same file by another name, best.h5 too if `best`; weights.safetensors. Then
   all but the last -train_checkpoint_keep are removed, as are those of later updates, from which somebody went back. Collective on
   the world. */
PetscErrorCode WeftTrainingSave(WeftTrainer trainer, WeftOptimizer optimizer, const WeftTrainingRecord *record, const char *folder, PetscBool best);
/* -train_resume: weights, optimiser and record of that file, or (auto) of the last sound checkpoint in the folder; nothing changes
   where there is none. Fails on a file of another net, optimiser or dataset; warns of settings that are not those of the file.
   Collective on the world. */
PetscErrorCode WeftTrainingResume(WeftTrainer trainer, WeftOptimizer optimizer, const char *folder, WeftTrainingRecord *record);
#endif
