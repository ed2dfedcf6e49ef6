/* Unknowns of a space of planes as rows of a vector. */
#include "op/rows.h"
#include "solve/implicit.h"

struct _n_WeftNumbering {
  WeftSpace space;
  PetscInt  local, block;
  PetscInt  first[WEFT_MAX_FIELDS], count[WEFT_MAX_FIELDS]; /* first row of sample 0, rows of a sample */
};

PetscErrorCode WeftNumberingCreate(WeftSpace space, WeftNumbering *unknowns)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  PetscBool            cells = PETSC_TRUE;
  WeftNumbering         u;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("implicit solve", space, NULL));
  PetscCall(PetscNew(&u));
  PetscCall(WeftSpaceReference(space));
  u->space = space;
  for (PetscInt f = 0; f < info->fields; f++)
    if (info->location[f] != WEFT_CELL) cells = PETSC_FALSE;
  u->block = cells ? info->fields : 1;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    u->count[f]         = rows.n[0] * rows.n[1] * rows.n[2];
    u->first[f]         = cells ? f : u->local;
    u->local += info->batch * u->count[f];
  }
  *unknowns = u;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNumberingDestroy(WeftNumbering *unknowns)
{
  PetscFunctionBegin;
  if (!*unknowns) PetscFunctionReturn(0);
  PetscCall(WeftSpaceDestroy(&(*unknowns)->space));
  PetscCall(PetscFree(*unknowns));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNumberingCreateVec(WeftNumbering u, Vec *vec)
{
  PetscFunctionBegin;
  PetscCall(VecCreate(WeftSpaceGetInfo(u->space)->comm, vec));
  PetscCall(VecSetSizes(*vec, u->local, PETSC_DETERMINE));
  PetscCall(VecSetBlockSize(*vec, u->block));
  PetscCall(VecSetType(*vec, VECSTANDARD));
  PetscFunctionReturn(0);
}

PetscInt WeftNumberingBlock(WeftNumbering u) { return u->block; }

PetscInt WeftNumberingFirst(WeftNumbering u, PetscInt field, PetscInt sample, PetscInt *stride)
{
  *stride = u->block;
  return u->first[field] + sample * u->count[field] * u->block;
}

WEFT_INLINE void Gather(const double *restrict plane, WeftRows rows, double *restrict v, const PetscInt step)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++, v += rows.n[0] * step) {
      const double *restrict row = plane + WEFT_ROW(rows, j, k);
      for (PetscInt i = 0; i < rows.n[0]; i++) v[i * step] = row[i];
    }
}

WEFT_INLINE void Scatter(double *restrict plane, WeftRows rows, const double *restrict v, const PetscInt step)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++, v += rows.n[0] * step) {
      double *restrict row = plane + WEFT_ROW(rows, j, k);
      for (PetscInt i = 0; i < rows.n[0]; i++) row[i] = v[i * step];
    }
}

/* The usual strides as constants, for the compiler. */
WEFT_KERNEL static void GatherPlane(const double *plane, WeftRows rows, double *v, PetscInt step)
{
  if (step == 1) Gather(plane, rows, v, 1);
  else if (step == 2) Gather(plane, rows, v, 2);
  else Gather(plane, rows, v, step);
}

WEFT_KERNEL static void ScatterPlane(double *plane, WeftRows rows, const double *v, PetscInt step)
{
  if (step == 1) Scatter(plane, rows, v, 1);
  else if (step == 2) Scatter(plane, rows, v, 2);
  else Scatter(plane, rows, v, step);
}

PetscErrorCode WeftNumberingToVec(WeftNumbering u, WeftState state, Vec vec)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(u->space);
  PetscScalar         *values;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(vec, &values));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      PetscInt       stride;
      const PetscInt first = WeftNumberingFirst(u, f, b, &stride);
      GatherPlane(WeftStatePlane(state, f, b), WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), values + first, stride);
    }
  PetscCall(VecRestoreArrayWrite(vec, &values));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNumberingFromVec(WeftNumbering u, Vec vec, WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(u->space);
  const PetscScalar   *values;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(vec, &values));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      PetscInt       stride;
      const PetscInt first = WeftNumberingFirst(u, f, b, &stride);
      ScatterPlane(WeftStatePlaneWrite(state, f, b), WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), values + first, stride);
    }
  PetscCall(VecRestoreArrayRead(vec, &values));
  PetscFunctionReturn(0);
}
