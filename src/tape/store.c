/* The store of checkpoints: slots that take the owned values of one state. */
#include "tape/impl.h"

struct _n_WeftStore {
  PetscInt slots;
  char   **data; /* [slots] */
};

PetscErrorCode WeftStoreCreate(PetscInt slots, size_t bytes, WeftStore *store)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(store));
  (*store)->slots = slots;
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
  PetscCall(PetscFree(*store));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStoreSave(WeftStore store, PetscInt slot, PetscInt states, const WeftState state[])
{
  char *at = store->data[slot];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < states; i++) {
    PetscCall(WeftStatePack(state[i], PETSC_FALSE, at));
    at += WeftSpacePackedBytes(WeftStateSpace(state[i]), PETSC_FALSE);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStoreLoad(WeftStore store, PetscInt slot, PetscInt states, const WeftState state[])
{
  const char *at = store->data[slot];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < states; i++) {
    PetscCall(WeftStateUnpack(state[i], PETSC_FALSE, at));
    at += WeftSpacePackedBytes(WeftStateSpace(state[i]), PETSC_FALSE);
  }
  PetscFunctionReturn(0);
}
