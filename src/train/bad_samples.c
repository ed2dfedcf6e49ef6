/* -train_bad_samples skip: an update without the samples that cannot be played or differentiated. Which they are is found by playing each
   of them alone, so it depends on the sample, not on its company or on the layout. A sample that is left out stays in its place as a
   copy of a sound one whose loss counts nothing: its adjoint is zero, and so is its part of every sum. */
#include "train/trainer.h"

/* One forward and reverse sweep; *sound: no fault, and the gradient is finite. Otherwise why. */
static PetscErrorCode Try(WeftTrainer t, const WeftState bar[], PetscBool *sound, char why[], size_t room)
{
  const WeftFixed *fixed = WeftStateFixed(t->gradient);
  PetscErrorCode   ierr;
  PetscReal        part;

  PetscFunctionBegin;
  PetscCall(WeftStateZero(t->gradient));
  WeftHoldMessages(PETSC_TRUE);
  ierr = WeftTrainerPartOfLoss(t, &part);
  WeftHoldMessages(PETSC_FALSE);
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  *sound = ierr ? PETSC_FALSE : PETSC_TRUE;
  if (ierr) WeftTakeNote(why, room);
  if (ierr) PetscFunctionReturn(0);
  PetscCall(WeftRolloutReverse(t->rollout, NULL, bar));
  for (PetscInt i = 0; *sound && i < t->parameters; i++)
    if (PetscIsInfOrNanReal(((const double *)WeftStateData(t->gradient))[i])) *sound = PETSC_FALSE;
  if (fixed && *fixed->unfit) *sound = PETSC_FALSE;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sound, 1, MPIU_BOOL, MPI_LAND, t->info.space));
  if (!*sound) snprintf(why, room, "its gradient is not finite (a frame that it is compared with, or a step that has none)");
  PetscFunctionReturn(0);
}

/* factor[s] becomes 0 for the samples that are not sound by themselves; *first: one that is, -1: none. */
static PetscErrorCode FindBad(WeftTrainer t, const WeftState bar[], PetscInt *first)
{
  char why[400] = "";

  PetscFunctionBegin;
  *first = -1;
  for (PetscInt s = 0; s < t->count; s++) {
    const WeftWindow w = t->window[t->first + s];
    PetscBool        sound;
    for (PetscInt slot = 0; slot < t->count; slot++) PetscCall(WeftTrainerLoadWindow(t, w, slot));
    PetscCall(Try(t, bar, &sound, why, sizeof(why)));
    t->factor[s] = sound ? 1.0 : 0.0;
    if (sound && *first < 0) *first = s;
    if (!sound && !t->why[0]) snprintf(t->why, sizeof(t->why), "simulation %d, frame %d: %s", (int)w.simulation, (int)w.frame, why);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerPlaySound(WeftTrainer t, const WeftState bar[], PetscReal *part)
{
  char      why[400];
  PetscInt  first;
  PetscBool sound;

  PetscFunctionBegin;
  *part     = 0.0;
  t->why[0] = 0;
  if (!t->count) PetscFunctionReturn(0);
  for (PetscInt s = 0; s < t->count; s++) t->factor[s] = 1.0;
  PetscCall(WeftRolloutSetFactors(t->rollout, t->factor));
  PetscCall(Try(t, bar, &sound, why, sizeof(why)));
  if (!sound) {
    PetscCall(FindBad(t, bar, &first));
    for (PetscInt s = 0; s < t->count && first >= 0; s++) PetscCall(WeftTrainerLoadWindow(t, t->window[t->first + (t->factor[s] > 0.0 ? s : first)], s));
    PetscCall(WeftRolloutSetFactors(t->rollout, t->factor));
    PetscCall(WeftStateZero(t->gradient));
    if (first < 0) PetscFunctionReturn(0);
    PetscCall(Try(t, bar, &sound, why, sizeof(why)));
    WeftCheck(sound, t->info.space, "samples that can be played alone cannot be played together: %s", why);
  }
  for (PetscInt s = 0; s < t->count; s++) *part += t->factor[s] * t->losses[s];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerSkipped(WeftTrainer t, PetscInt update, PetscInt *count)
{
  PetscFunctionBegin;
  *count = 0;
  for (PetscInt s = 0; s < t->count && t->info.space_rank == 0; s++) *count += t->factor[s] == 0.0;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, count, 1, MPIU_INT, MPI_SUM, PETSC_COMM_WORLD));
  if (!*count) PetscFunctionReturn(0);
  PetscCall(WeftFirstText(PETSC_COMM_WORLD, t->why, sizeof(t->why), NULL));
  PetscCall(WeftWarn("update %" PetscInt_FMT " left out %" PetscInt_FMT " of its samples: %s", update, *count, t->why));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerSearchAdjoint(WeftTrainer t, char text[512])
{
  WeftState bar[WEFT_OP_MAX] = {NULL};
  PetscReal part;

  PetscFunctionBegin;
  text[0]            = 0;
  bar[t->weights_at] = t->gradient;
  if (t->count) PetscCall(WeftTrainerPartOfLoss(t, &part)); /* the tape is used up by the first reverse sweep */
  if (t->count) PetscCall(WeftRolloutSearchAdjoint(t->rollout, bar, text, 512));
  PetscCall(WeftFirstText(PETSC_COMM_WORLD, text, 512, NULL));
  PetscFunctionReturn(0);
}
