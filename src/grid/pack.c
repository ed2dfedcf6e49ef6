/* Owned values of a state one after another, for checkpoints. */
#include "grid/impl.h"

typedef struct {
  char     *at;
  PetscBool rounded, back; /* back: from the pack into the state */
} Pack;

static void PackRow(PetscInt n, PetscBool single, void *x, void *y, void *context)
{
  Pack        *p     = (Pack *)context;
  const size_t bytes = (size_t)n * (single || p->rounded ? sizeof(float) : sizeof(double));

  (void)y;
  if (single || !p->rounded) memcpy(p->back ? x : (void *)p->at, p->back ? (void *)p->at : x, bytes);
  else if (p->back)
    for (PetscInt i = 0; i < n; i++) ((double *)x)[i] = (double)((const float *)p->at)[i];
  else
    for (PetscInt i = 0; i < n; i++) ((float *)p->at)[i] = (float)((const double *)x)[i];
  p->at += bytes;
}

PetscErrorCode WeftStatePack(WeftState state, PetscBool rounded, void *packed)
{
  Pack pack = {(char *)packed, rounded, PETSC_FALSE};

  PetscFunctionBegin;
  WeftStateForRows(state, NULL, PackRow, &pack);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateUnpack(WeftState state, PetscBool rounded, const void *packed)
{
  Pack pack = {(char *)packed, rounded, PETSC_TRUE};

  PetscFunctionBegin;
  WeftStateForRows(state, NULL, PackRow, &pack);
  state->ghost_width = 0;
  PetscFunctionReturn(0);
}

size_t WeftSpacePackedBytes(WeftSpace space, PetscBool rounded)
{
  const WeftSpaceInfo *info  = &space->info;
  size_t               count = 0;

  if (info->kind == WEFT_NUMBERS) count = (size_t)(info->count * (info->per_sample ? info->batch : 1));
  for (PetscInt i = 0; info->kind != WEFT_NUMBERS && i < (info->kind == WEFT_PLANES ? info->fields : 1); i++) {
    PetscInt lo[3], hi[3];
    size_t   points = (size_t)info->batch * (size_t)(info->kind == WEFT_CHANNELS ? info->channels : 1);
    WeftLayoutOwned(&info->grid->layout, info->kind == WEFT_PLANES ? info->location[i] : WEFT_CELL, lo, hi);
    for (PetscInt axis = 0; axis < 3; axis++) points *= (size_t)PetscMax(hi[axis] - lo[axis], 0);
    count += points;
  }
  return count * (info->single || rounded ? sizeof(float) : sizeof(double));
}
