/* The store of checkpoints: slots that take the owned values of one state, in memory and on disk. Slot 0, the first state, is in
   memory always, so that every checkpoint can be played again; the next ones, which live longest, are on disk. */
#include "tape/impl.h"

struct _n_WeftStore {
  PetscInt  slots, on_disk; /* in memory; on disk */
  PetscBool rounded;
  char    **data;           /* [slots] */
  WeftDisk  disk;
};

PetscErrorCode WeftStoreCreate(PetscInt slots, PetscInt on_disk, size_t bytes, PetscBool rounded, WeftDisk disk, WeftStore *store)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(store));
  (*store)->slots   = slots;
  (*store)->on_disk = on_disk;
  (*store)->rounded = rounded;
  (*store)->disk    = disk;
  PetscCall(PetscCalloc1(slots, &(*store)->data));
  for (PetscInt i = 0; i < slots; i++) PetscCall(PetscMalloc1(bytes, &(*store)->data[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStoreDestroy(WeftStore *store)
{
  PetscFunctionBegin;
  if (!*store) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < (*store)->slots; i++) PetscCall(PetscFree((*store)->data[i]));
  PetscCall(PetscFree((*store)->data));
  PetscCall(WeftDiskDestroy(&(*store)->disk));
  PetscCall(PetscFree(*store));
  PetscFunctionReturn(0);
}

static PetscBool OnDisk(WeftStore store, PetscInt slot) { return slot >= 1 && slot <= store->on_disk ? PETSC_TRUE : PETSC_FALSE; }

static char *InMemory(WeftStore store, PetscInt slot) { return store->data[slot ? slot - store->on_disk : 0]; }

PetscErrorCode WeftStoreSave(WeftStore store, PetscInt slot, PetscInt states, const WeftState state[])
{
  char *at;

  PetscFunctionBegin;
  if (OnDisk(store, slot)) PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  at = OnDisk(store, slot) ? WeftDiskTake(store->disk, slot - 1) : InMemory(store, slot);
  for (PetscInt i = 0; i < states; i++) {
    PetscCall(WeftStatePack(state[i], store->rounded, at));
    at += WeftSpacePackedBytes(WeftStateSpace(state[i]), store->rounded);
  }
  if (OnDisk(store, slot)) {
    WeftDiskWrite(store->disk, slot - 1);
    PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  }
  PetscFunctionReturn(0);
}

void WeftStoreFetch(WeftStore store, PetscInt slot)
{
  if (OnDisk(store, slot)) WeftDiskFetch(store->disk, slot - 1);
}

PetscErrorCode WeftStoreLoad(WeftStore store, MPI_Comm comm, PetscInt slot, PetscInt states, const WeftState state[], int *lost)
{
  const char *at;

  PetscFunctionBegin;
  *lost = 0;
  if (OnDisk(store, slot)) PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  at = OnDisk(store, slot) ? WeftDiskRead(store->disk, slot - 1, lost) : InMemory(store, slot);
  if (OnDisk(store, slot)) {
    PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
    PetscCall(WeftReduce(lost, 1, MPI_INT, MPI_MAX, comm));
  }
  for (PetscInt i = 0; i < states && !*lost; i++) {
    PetscCall(WeftStateUnpack(state[i], store->rounded, at));
    at += WeftSpacePackedBytes(WeftStateSpace(state[i]), store->rounded);
  }
  PetscFunctionReturn(0);
}
