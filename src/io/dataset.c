/* Datasets: many simulations in one file. Replicas of the domain write different simulations with collective calls of all
   ranks of the world; readers open it on their own space communicator. */
#include "io/dataset.h"

/* ---- the list of datasets ---------------------------------------------------------------------------------------- */

static WeftDataItem *Append(WeftDataFile d, const char *folder, const char *name)
{
  WeftDataItem *item = &d->item[d->items++];

  item->part.location = WEFT_CELL;
  item->part.field[0] = item->part.field[1] = item->part.field[2] = -1;
  snprintf(item->name, sizeof(item->name), "%s/%s", folder, name);
  item->dataset = -1;
  return item;
}

/* Every field as it is; with_cells: families of face fields as vectors at cells too, components from slow to fast axis. */
static void List(WeftDataFile d, PetscBool with_cells)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(d->space);
  const PetscInt       dim  = WeftGridLayout(info->grid)->dim;

  for (PetscInt f = 0; f < info->fields; f++) {
    char          family[64];
    PetscInt      component[3];
    WeftDataItem *item = Append(d, "t0_fields", info->name[f]);
    item->part.field[0] = f;
    item->part.location = info->location[f];
    if (!with_cells || !WeftFamilyOf(info, f, family, sizeof(family), component) || component[0] != f) continue;
    item                  = Append(d, "t1_fields", family);
    item->part.at_cells   = PETSC_TRUE;
    item->part.components = (int)dim;
    for (PetscInt a = 0; a < dim; a++) item->part.field[dim - 1 - a] = component[a];
  }
}

static PetscErrorCode New(WeftSpace fields, WeftDataFile *data)
{
  PetscFunctionBegin;
  PetscCheck(WeftSpaceGetInfo(fields)->kind == WEFT_PLANES, WeftSpaceGetInfo(fields)->comm, PETSC_ERR_ARG_WRONG, "a dataset holds planes");
  PetscCall(PetscNew(data));
  PetscCall(WeftSpaceReference(fields));
  (*data)->space = fields;
  PetscFunctionReturn(0);
}

static PetscErrorCode Room(WeftDataFile d)
{
  hsize_t largest = 1;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < d->items; i++) largest = PetscMax(largest, d->item[i].slab.values);
  PetscCall(PetscMalloc1(largest, &d->values));
  PetscCall(PetscMalloc1(largest, &d->singles));
  PetscCall(PetscMalloc1(PetscMax(d->info.simulations * d->info.numbers, 1), &d->numbers));
  PetscFunctionReturn(0);
}

/* ---- write ------------------------------------------------------------------------------------------------------- */

static PetscErrorCode CreateItem(WeftDataFile d, WeftDataItem *item, hid_t type)
{
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(d->space)->grid);
  const hsize_t     lead[] = {(hsize_t)d->info.simulations, (hsize_t)d->info.frames};
  const signed char yes[]  = {1, 1, 1};
  herr_t            status;

  PetscFunctionBegin;
  WeftSlabOf(l, item->part.location, 2, lead, item->part.components, &item->slab);
  item->dataset = WeftDatasetCreate(&d->file, item->name, type, 2, &item->slab, PETSC_FALSE);
  status        = item->dataset < 0 ? -1 : WeftAttributeString(item->dataset, "location", WeftPlaces[item->part.location]);
  if (item->dataset >= 0) {
    if (WeftAttributeBools(item->dataset, "dim_varying", PETSC_FALSE, (hsize_t)l->dim, yes) < 0) status = -1;
    if (WeftAttributeBool(item->dataset, "sample_varying", PETSC_TRUE) < 0) status = -1;
    if (WeftAttributeBool(item->dataset, "time_varying", PETSC_TRUE) < 0) status = -1;
  }
  WeftFileNote(&d->file, status < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", d->file.part);
  PetscCall(WeftFileAgree(&d->file));
  PetscFunctionReturn(0);
}

/* What is made and what is continued have in common. */
static PetscErrorCode Prepare(WeftSpace fields, const WeftDataInfo *info, WeftDataFile *data)
{
  PetscInt  precision;
  PetscBool with_cells;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("dataset_precision", &precision));
  PetscCall(WeftGetBool("dataset_cells", &with_cells));
  PetscCheck(info->simulations >= 1 && info->frames >= 1 && info->numbers >= 0 && info->numbers <= 8, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a dataset of %" PetscInt_FMT " simulations, %" PetscInt_FMT " frames, %" PetscInt_FMT " numbers", info->simulations, info->frames, info->numbers);
  PetscCall(New(fields, data));
  (*data)->info    = *info;
  (*data)->writing = PETSC_TRUE;
  List(*data, with_cells);
  for (PetscInt i = 0; i < (*data)->items; i++) (*data)->item[i].single = precision == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode PrepareToWrite(WeftDataFile d)
{
  PetscFunctionBegin;
  PetscCall(Room(d));
  PetscCall(PetscCalloc1(d->info.simulations * d->info.frames, &d->written));
  for (PetscInt i = 0; i < d->info.simulations * d->info.numbers; i++) d->numbers[i] = -PETSC_MAX_REAL; /* not given */
  PetscFunctionReturn(0);
}

/* The new file has its full length, with holes. */
static PetscErrorCode Begin(MPI_Comm world, const char *path, WeftDataFile d)
{
  PetscFunctionBegin;
  PetscCall(WeftFileCreate(world, path, "dataset", &d->file));
  WeftFileNote(&d->file, WeftFileWriteGrid(&d->file, WeftGridLayout(WeftSpaceGetInfo(d->space)->grid)) < 0 || WeftWellDescribe(d) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", d->file.part);
  PetscCall(WeftFileAgree(&d->file));
  for (PetscInt i = 0; i < d->items; i++) PetscCall(CreateItem(d, &d->item[i], d->item[i].single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE));
  PetscCall(WeftDataFlush(d));
  WeftFileReserve(&d->file, 65536);
  PetscCall(WeftFileAgree(&d->file));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataCreate(MPI_Comm world, WeftSpace fields, const char *path, const WeftDataInfo *info, WeftDataFile *data)
{
  PetscFunctionBegin;
  PetscCall(Prepare(fields, info, data));
  PetscCall(Begin(world, path, *data));
  PetscCall(PrepareToWrite(*data));
  PetscFunctionReturn(0);
}

/* Opens an item of an unfinished file; notes one of another shape. */
static void ReopenItem(WeftDataFile d, WeftDataItem *item)
{
  const hsize_t lead[]              = {(hsize_t)d->info.simulations, (hsize_t)d->info.frames};
  hsize_t       dims[H5S_MAX_RANK] = {0};
  hid_t         space;
  PetscBool     same;

  WeftSlabOf(WeftGridLayout(WeftSpaceGetInfo(d->space)->grid), item->part.location, 2, lead, item->part.components, &item->slab);
  item->dataset = WeftDatasetOpen(&d->file, item->name);
  if (WeftFileFault(&d->file, item->dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "%s cannot be continued: it lacks /%s; remove it to start anew", d->file.part, item->name)) return;
  space = H5Dget_space(item->dataset);
  same  = H5Sget_simple_extent_ndims(space) == item->slab.rank ? PETSC_TRUE : PETSC_FALSE;
  if (same) H5Sget_simple_extent_dims(space, dims, NULL);
  for (int n = 0; same && n < item->slab.rank; n++) same = dims[n] == item->slab.dims[n] ? PETSC_TRUE : PETSC_FALSE;
  H5Sclose(space);
  WeftFileFault(&d->file, same ? PETSC_FALSE : PETSC_TRUE, "%s cannot be continued: /%s has another shape than this run would give it; remove it to start anew", d->file.part, item->name);
}

PetscErrorCode WeftDataResume(MPI_Comm world, WeftSpace fields, const char *path, const WeftDataInfo *info, PetscInt frames, WeftDataFile *data)
{
  WeftDataFile d;
  PetscBool    found;

  PetscFunctionBegin;
  PetscCall(Prepare(fields, info, data));
  d = *data;
  PetscCall(WeftFileReopen(world, path, "dataset", &found, &d->file));
  WeftCheck(found || !frames, world, "%s is gone, though %" PetscInt_FMT " of its frames were written; remove the states beside it to start anew", d->file.part, frames);
  if (found) {
    WeftFileCheckGrid(&d->file, WeftGridLayout(WeftSpaceGetInfo(fields)->grid));
    for (PetscInt i = 0; i < d->items; i++) ReopenItem(d, &d->item[i]);
    PetscCall(WeftFileAgree(&d->file));
  } else PetscCall(Begin(world, path, d));
  PetscCall(PrepareToWrite(d));
  for (PetscInt s = 0; s < info->simulations; s++)
    for (PetscInt f = 0; f < frames; f++) d->written[s * info->frames + f] = 1;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataFlush(WeftDataFile d)
{
  PetscFunctionBegin;
  WeftFileNote(&d->file, H5Fflush(d->file.id, H5F_SCOPE_GLOBAL) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", d->file.part);
  PetscCall(WeftFileAgree(&d->file));
  PetscFunctionReturn(0);
}

/* HDF5 would give up collective writes to convert, so values are converted here. */
static const void *Converted(WeftDataFile d, const WeftDataItem *item)
{
  if (!item->single) return d->values;
  for (hsize_t i = 0; i < item->slab.values; i++) d->singles[i] = (float)d->values[i];
  return d->singles;
}

/* Values that are not finite make a dataset useless: stop early. */
static PetscErrorCode CheckFinite(WeftDataFile d, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(d->space);
  PetscInt             at[3], bad = -1;

  PetscFunctionBegin;
  for (PetscInt f = 0; simulation >= 0 && bad < 0 && f < info->fields; f++) {
    WeftPlanePack(WeftGridLayout(info->grid), info->location[f], WeftStatePlane(state, f, sample), d->values);
    if (WeftFindNotFinite(WeftGridLayout(info->grid), info->location[f], d->values, at)) bad = f;
  }
  return WeftAgree(d->file.comm, bad >= 0 ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s of simulation %" PetscInt_FMT ", frame %" PetscInt_FMT ", has a value that is not finite; has the simulation blown up (lower its time step)?", d->file.part, bad >= 0 ? info->name[bad] : "", simulation, frame);
}

PetscErrorCode WeftDataWrite(WeftDataFile d, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample)
{
  const PetscBool idle = simulation < 0 ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCheck(d->writing && (idle || (simulation < d->info.simulations && frame >= 0 && frame < d->info.frames)), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "frame %" PetscInt_FMT " of simulation %" PetscInt_FMT " does not belong to %s", frame, simulation, d->file.path);
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  PetscCall(CheckFinite(d, simulation, frame, state, sample));
  if (!idle) PetscCall(WeftStateHalo(state, 1, WEFT_GHOST_VALUE));
  for (PetscInt i = 0; i < d->items; i++) {
    WeftDataItem *item = &d->item[i];
    if (!idle) {
      WeftPartPack(&item->part, state, sample, d->values);
      item->slab.start[0] = (hsize_t)simulation;
      item->slab.start[1] = (hsize_t)frame;
    }
    WeftSlabWrite(&d->file, item->dataset, item->single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE, &item->slab, idle, idle ? d->values : Converted(d, item));
    PetscCall(WeftFileAgree(&d->file));
  }
  if (!idle) d->written[simulation * d->info.frames + frame] = 1;
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataWriteNumbers(WeftDataFile d, PetscInt simulation, const PetscReal numbers[])
{
  PetscFunctionBegin;
  PetscCheck(d->writing && simulation >= 0 && simulation < d->info.simulations, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "simulation %" PetscInt_FMT " does not belong to %s", simulation, d->file.path);
  PetscCall(PetscArraycpy(d->numbers + simulation * d->info.numbers, numbers, d->info.numbers));
  PetscFunctionReturn(0);
}

/* The numbers that all ranks know together, as /scalars/<name>. */
static PetscErrorCode WriteNumbers(WeftDataFile d)
{
  const PetscInt n = d->info.simulations, m = d->info.numbers;
  PetscMPIInt    count;
  char           name[64];

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(n * m, &count));
  if (count) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, d->numbers, count, MPI_DOUBLE, MPI_MAX, d->file.comm));
  for (PetscInt k = 0; k < m; k++) {
    double *column;
    hid_t   dataset;
    PetscCall(PetscMalloc1(n, &column));
    for (PetscInt s = 0; s < n; s++) {
      column[s] = d->numbers[s * m + k];
      PetscCheck(column[s] > -PETSC_MAX_REAL, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s: nobody gave %s of simulation %" PetscInt_FMT, d->file.path, d->info.number[k], s);
    }
    snprintf(name, sizeof(name), "scalars/%s", d->info.number[k]);
    if (H5Lexists(d->file.id, "scalars", H5P_DEFAULT) > 0 && H5Lexists(d->file.id, name, H5P_DEFAULT) > 0) H5Ldelete(d->file.id, name, H5P_DEFAULT); /* of a run that ended here */
    dataset = WeftVectorCreate(&d->file, name, (hsize_t)n, (hsize_t)n);
    if (dataset >= 0) {
      WeftVectorWrite(&d->file, dataset, 0, (hsize_t)n, column);
      WeftFileNote(&d->file, WeftAttributeBool(dataset, "sample_varying", PETSC_TRUE) < 0 || WeftAttributeBool(dataset, "time_varying", PETSC_FALSE) < 0 || H5Dclose(dataset) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", d->file.part);
    }
    PetscCall(WeftFileAgree(&d->file));
    PetscCall(PetscFree(column));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckAllWritten(WeftDataFile d)
{
  const PetscInt n = d->info.simulations * d->info.frames;
  PetscMPIInt    count;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(n, &count));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, d->written, count, MPI_SIGNED_CHAR, MPI_MAX, d->file.comm));
  for (PetscInt i = 0; i < n; i++) WeftCheck(d->written[i], d->file.comm, "%s stays unfinished: frame %" PetscInt_FMT " of simulation %" PetscInt_FMT " was not written", d->file.part, i % d->info.frames, i / d->info.frames);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataClose(WeftDataFile *data)
{
  PetscFunctionBegin;
  if (*data) (*data)->writing = PETSC_FALSE;
  PetscCall(WeftDataDestroy(data));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataDestroy(WeftDataFile *data)
{
  WeftDataFile   d    = *data;
  PetscErrorCode ierr = 0;

  PetscFunctionBegin;
  if (!d) PetscFunctionReturn(0);
  if (d->writing) ierr = CheckAllWritten(d);
  if (d->writing && !ierr) PetscCall(WriteNumbers(d));
  for (PetscInt i = 0; i < d->items; i++)
    if (d->item[i].dataset >= 0) H5Dclose(d->item[i].dataset);
  if (d->writing && !ierr) PetscCall(WeftFileComplete(&d->file));
  else PetscCall(WeftFileClose(&d->file));
  PetscCall(PetscFree(d->written));
  PetscCall(PetscFree(d->numbers));
  PetscCall(PetscFree(d->values));
  PetscCall(PetscFree(d->singles));
  PetscCall(WeftSpaceDestroy(&d->space));
  PetscCall(PetscFree(d));
  *data = NULL;
  return ierr;
}
