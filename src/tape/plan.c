/* From bytes to a schedule: how many checkpoints, how many records. */
#include "tape/impl.h"

static double Bytes(const WeftTapeSizes *s, PetscInt slots, PetscInt records)
{
  return (double)s->shared + (double)slots * (double)s->slot + (double)(records + 1) * (double)s->place + (double)records * (double)s->record;
}

size_t WeftTapeBytes(const WeftTapeSizes *sizes, const WeftTapePlan *plan) { return (size_t)Bytes(sizes, plan->slots, plan->records); }

size_t WeftTapeLeast(const WeftTapeSizes *sizes) { return (size_t)Bytes(sizes, 1, 1); }

/* More records leave less room for checkpoints: the best share of the two is searched. */
PetscBool WeftTapePlanWithin(const WeftTapeSizes *sizes, PetscInt length, size_t budget, WeftTapePlan *plan)
{
  PetscInt64 least = -1;

  *plan = (WeftTapePlan){0, length};
  if (!budget || Bytes(sizes, 0, length) <= (double)budget) return PETSC_TRUE;
  for (PetscInt records = 1; records < length && Bytes(sizes, 1, records) <= (double)budget; records++) {
    const double     room  = ((double)budget - Bytes(sizes, 0, records)) / (double)sizes->slot;
    const PetscInt   most  = (length + records - 1) / records; /* a checkpoint before every block */
    const PetscInt   slots = room < (double)most ? (PetscInt)room : most;
    const PetscInt64 extra = WeftScheduleExtra(length, slots, records);
    if (least >= 0 && extra >= least) continue;
    least = extra;
    *plan = (WeftTapePlan){slots, records};
  }
  return least >= 0 ? PETSC_TRUE : PETSC_FALSE;
}
