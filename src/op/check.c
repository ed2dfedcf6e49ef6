/* Checks of arguments, and what the examples share. */
#include "op/rows.h"

PetscErrorCode WeftOpCheckPlanes(const char *op, WeftSpace space, WeftSpace like)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_PLANES, info->comm, PETSC_ERR_ARG_WRONG, "operator %s works on fields of a grid", op);
  if (like) {
    const WeftSpaceInfo *other = WeftSpaceGetInfo(like);
    PetscCheck(info->grid == other->grid, info->comm, PETSC_ERR_ARG_INCOMP, "operator %s: its spaces live on two grids", op);
    PetscCheck(info->batch == other->batch, info->comm, PETSC_ERR_ARG_INCOMP, "operator %s: its spaces hold %" PetscInt_FMT " and %" PetscInt_FMT " samples", op, info->batch, other->batch);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCheckVelocity(const char *op, WeftSpace velocity, WeftSpace like)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(velocity);

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes(op, velocity, like));
  PetscCheck(info->fields == WeftGridLayout(info->grid)->dim, info->comm, PETSC_ERR_ARG_WRONG, "operator %s: a velocity has one field per axis, not %" PetscInt_FMT, op, info->fields);
  for (PetscInt a = 0; a < info->fields; a++) PetscCheck((PetscInt)info->location[a] == a, info->comm, PETSC_ERR_ARG_WRONG, "operator %s: field %s does not stand on the faces of axis %c", op, info->name[a], "xyz"[a]);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCheckCells(const char *op, WeftSpace cells, PetscInt fields, WeftSpace like)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(cells);

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes(op, cells, like));
  PetscCheck(info->fields == fields, info->comm, PETSC_ERR_ARG_WRONG, "operator %s needs %" PetscInt_FMT " cell fields, not %" PetscInt_FMT, op, fields, info->fields);
  for (PetscInt f = 0; f < fields; f++) PetscCheck(info->location[f] == WEFT_CELL, info->comm, PETSC_ERR_ARG_WRONG, "operator %s: field %s does not stand at cells", op, info->name[f]);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCopyPattern(const char *op, WeftState pattern, WeftSpace space, WeftState *copy)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space), *own = WeftSpaceGetInfo(WeftStateSpace(pattern));

  PetscFunctionBegin;
  PetscCheck(own->kind == WEFT_PLANES && own->grid == info->grid && own->fields == info->fields, info->comm, PETSC_ERR_ARG_INCOMP, "operator %s: a pattern has the fields and the grid of the state", op);
  PetscCheck(own->batch == 1 || own->batch == info->batch, info->comm, PETSC_ERR_ARG_INCOMP, "operator %s: a pattern has 1 or %" PetscInt_FMT " samples, not %" PetscInt_FMT, op, info->batch, own->batch);
  for (PetscInt f = 0; f < info->fields; f++) PetscCheck(own->location[f] == info->location[f], info->comm, PETSC_ERR_ARG_INCOMP, "operator %s: field %s of the pattern stands elsewhere", op, info->name[f]);
  PetscCall(WeftStateCreate(WeftStateSpace(pattern), copy));
  PetscCall(WeftStateCopy(pattern, *copy));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCheckHalo(const char *op, WeftSpace space, PetscInt width)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  const PetscInt       halo = WeftGridLayout(info->grid)->halo[0];

  PetscFunctionBegin;
  WeftCheck(halo >= width, info->comm, "grid_halo = %" PetscInt_FMT ": operator %s reads %" PetscInt_FMT " ghost layers; use -grid_halo %" PetscInt_FMT " or more", halo, op, width, width);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExampleSpace(WeftGrid grid, PetscInt batch, PetscInt scalars, WeftSpace *space)
{
  const PetscInt dim = WeftGridLayout(grid)->dim;
  const char    *names[WEFT_MAX_FIELDS]     = {"velocity_x", "velocity_y", "velocity_z"};
  WeftLocation   locations[WEFT_MAX_FIELDS] = {WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};

  PetscFunctionBegin;
  for (PetscInt f = dim; f < dim + scalars; f++) {
    names[f]     = "scalar";
    locations[f] = WEFT_CELL;
  }
  PetscCall(WeftSpaceCreatePlanes(grid, batch, dim + scalars, names, locations, space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExampleCells(WeftGrid grid, PetscInt batch, PetscInt fields, WeftSpace *space)
{
  static const char *const  names[]     = {"scalar_x", "scalar_y", "scalar_z"};
  static const WeftLocation locations[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(grid, batch, fields, names, locations, space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExampleFill(WeftOp op, WeftOpExample *example)
{
  PetscFunctionBegin;
  example->op = op;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    example->offset[i]    = 0.0;
    example->amplitude[i] = 1.0;
  }
  PetscFunctionReturn(0);
}
