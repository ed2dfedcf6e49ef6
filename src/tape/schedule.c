/* Checkpoint schedules. */
#include "tape/impl.h"

/* Store-all: every state and every record stays. */
static void StoreAllSize(PetscInt length, size_t state_bytes, size_t record_bytes, size_t budget, PetscInt *states, PetscInt *records)
{
  (void)state_bytes;
  (void)record_bytes;
  (void)budget;
  *states  = length + 1;
  *records = length;
}

static PetscBool StoreAllNext(PetscInt length, WeftSweep sweep, PetscInt k, WeftTapeAction *action)
{
  static const WeftTapeVerb verbs[] = {WEFT_TAPE_PLAY, WEFT_TAPE_REVERSE, WEFT_TAPE_TANGENT};
  const PetscInt            n       = sweep == WEFT_SWEEP_REVERSE ? length - 1 - k : k;

  if (k >= length) return PETSC_FALSE;
  *action = (WeftTapeAction){verbs[sweep], n, n, n + 1, n};
  return PETSC_TRUE;
}

const WeftSchedule WeftScheduleStoreAll = {"store-all", StoreAllSize, StoreAllNext};
