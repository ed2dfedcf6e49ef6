/* What a slot holds. */
#include "grid/impl.h"

static PetscErrorCode Create(WeftSpaceKind kind, WeftGrid grid, MPI_Comm comm, PetscInt batch, WeftSpace *space)
{
  PetscFunctionBegin;
  PetscCheck(batch >= 1, comm, PETSC_ERR_ARG_OUTOFRANGE, "a space needs at least one sample, not %" PetscInt_FMT, batch);
  PetscCall(PetscNew(space));
  (*space)->references = 1;
  (*space)->info.kind  = kind;
  (*space)->info.grid  = grid;
  (*space)->info.comm  = comm;
  (*space)->info.batch = batch;
  if (grid) PetscCall(WeftGridReference(grid));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceCreatePlanes(WeftGrid grid, PetscInt batch, PetscInt fields, const char *const names[], const WeftLocation locations[], WeftSpace *space)
{
  WeftSpaceInfo *info;

  PetscFunctionBegin;
  PetscCheck(fields >= 1 && fields <= WEFT_MAX_FIELDS, grid->comm, PETSC_ERR_ARG_OUTOFRANGE, "%" PetscInt_FMT " fields; a space holds 1 to %d", fields, WEFT_MAX_FIELDS);
  PetscCall(Create(WEFT_PLANES, grid, grid->comm, batch, space));
  info         = &(*space)->info;
  info->fields = fields;
  for (PetscInt f = 0; f < fields; f++) {
    PetscCall(PetscStrallocpy(names[f], (char **)&info->name[f]));
    PetscCheck(locations[f] == WEFT_CELL || (PetscInt)locations[f] < grid->layout.dim, grid->comm, PETSC_ERR_ARG_OUTOFRANGE, "field %s stands on faces of an axis that the grid lacks", names[f]);
    info->location[f] = locations[f];
  }
  info->bytes = sizeof(double) * (size_t)grid->layout.plane * (size_t)(fields * batch);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceCreateVelocity(WeftGrid grid, PetscInt batch, WeftSpace *space)
{
  static const char *const  names[]     = {"velocity_x", "velocity_y", "velocity_z"};
  static const WeftLocation locations[] = {WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(grid, batch, grid->layout.dim, names, locations, space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceCreateChannels(WeftGrid grid, PetscInt batch, PetscInt channels, PetscInt width, PetscBool single, WeftSpace *space)
{
  const WeftLayout *l = &grid->layout;
  WeftSpace         s;

  PetscFunctionBegin;
  PetscCheck(channels >= 1 && width >= 0, grid->comm, PETSC_ERR_ARG_OUTOFRANGE, "%" PetscInt_FMT " channels with %" PetscInt_FMT " ghost layers", channels, width);
  for (PetscInt a = 0; a < l->dim; a++) PetscCheck(l->count[a] >= width, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a block of %" PetscInt_FMT " cells is narrower than the %" PetscInt_FMT " ghost layers of the features", l->count[a], width);
  PetscCall(Create(WEFT_CHANNELS, grid, grid->comm, batch, space));
  s                = *space;
  s->info.channels = channels;
  s->info.width    = width;
  s->info.single   = single;
  s->points        = 1;
  for (PetscInt a = 0; a < 3; a++) {
    const PetscInt ghosts = a < l->dim ? width : 0;
    s->stride[a]          = s->points;
    s->origin += ghosts * s->points;
    s->points *= l->count[a] + 2 * ghosts;
  }
  s->info.bytes = (size_t)(s->points * channels * batch) * (single ? sizeof(float) : sizeof(double));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceCreateNumbers(MPI_Comm comm, PetscInt batch, PetscInt count, PetscBool per_sample, WeftSpace *space)
{
  PetscFunctionBegin;
  PetscCall(Create(WEFT_NUMBERS, NULL, comm, batch, space));
  (*space)->info.count      = count;
  (*space)->info.per_sample = per_sample;
  (*space)->info.bytes      = sizeof(double) * (size_t)(count * (per_sample ? batch : 1));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceReference(WeftSpace space)
{
  PetscFunctionBegin;
  space->references++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSpaceDestroy(WeftSpace *space)
{
  WeftSpace s = *space;

  PetscFunctionBegin;
  *space = NULL;
  if (!s || --s->references) PetscFunctionReturn(0);
  for (PetscInt f = 0; f < s->info.fields; f++) PetscCall(PetscFree(s->info.name[f]));
  PetscCall(WeftGridDestroy(&s->info.grid));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

const WeftSpaceInfo *WeftSpaceGetInfo(WeftSpace space) { return &space->info; }
