/* Datasets, read by the ranks of one domain. */
#include "io/dataset.h"

/* Shape of an open dataset; its number of axes, or -1. */
static int Shape(hid_t dataset, hsize_t dims[H5S_MAX_RANK])
{
  const hid_t space = H5Dget_space(dataset);
  const int   rank  = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);

  if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
  if (space >= 0) H5Sclose(space);
  return rank;
}

static PetscBool IsSingle(hid_t dataset)
{
  const hid_t     type   = H5Dget_type(dataset);
  const PetscBool single = H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) <= sizeof(float) ? PETSC_TRUE : PETSC_FALSE;

  H5Tclose(type);
  return single;
}

/* Opens field f; the first one says how many simulations and frames there are. Notes what does not fit. */
static void OpenItem(WeftDataFile d, PetscInt f)
{
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(d->space);
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  WeftDataItem        *item    = &d->item[d->items++];
  const hsize_t        lead[]  = {1, 1};
  hsize_t              dims[H5S_MAX_RANK] = {0};
  char                 present[512] = "", theirs[128], mine[128];
  int                  rank;

  snprintf(item->name, sizeof(item->name), "t0_fields/%s", info->name[f]);
  WeftSlabOf(l, info->location[f], 2, lead, 0, &item->slab);
  item->dataset = WeftDatasetOpen(&d->file, item->name);
  if (item->dataset < 0) {
    WeftGroupNames(d->file.id, "t0_fields", present, sizeof(present));
    WeftFileFault(&d->file, PETSC_TRUE, "%s has no field %s; its /t0_fields has %s", d->file.path, info->name[f], present);
    return;
  }
  rank = Shape(item->dataset, dims);
  if (WeftFileFault(&d->file, rank != item->slab.rank ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s has %d axes, %d were expected: simulation, frame, those of the grid", d->file.path, info->name[f], rank, item->slab.rank)) return;
  WeftDimsText(rank - 2, dims + 2, theirs, sizeof(theirs));
  WeftDimsText(rank - 2, item->slab.dims + 2, mine, sizeof(mine));
  if (WeftFileFault(&d->file, strcmp(theirs, mine) ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s has %s values, this grid and its sides need %s (slow to fast axis); are the sides others?", d->file.path, info->name[f], theirs, mine)) return;
  d->info.single = IsSingle(item->dataset) && (d->items == 1 || d->info.single) ? PETSC_TRUE : PETSC_FALSE;
  if (d->items == 1) {
    d->info.simulations = (PetscInt)dims[0];
    d->info.frames      = (PetscInt)dims[1];
    WeftFileFault(&d->file, !dims[0] || !dims[1] ? PETSC_TRUE : PETSC_FALSE, "%s holds %" PetscInt_FMT " simulations of %" PetscInt_FMT " frames", d->file.path, d->info.simulations, d->info.frames);
  } else WeftFileFault(&d->file, (PetscInt)dims[0] != d->info.simulations || (PetscInt)dims[1] != d->info.frames ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s has other numbers of simulations and frames than the first", d->file.path, info->name[f]);
}

static herr_t ListNumber(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
  WeftDataInfo *numbers = (WeftDataInfo *)context;

  (void)group;
  (void)info;
  if (numbers->numbers < 8) snprintf(numbers->number[numbers->numbers++], sizeof(numbers->number[0]), "%s", name);
  return 0;
}

/* A vector of `count` values; notes a fault. */
static void ReadVector(WeftDataFile d, const char *name, hsize_t count, double values[])
{
  const hid_t dataset            = WeftDatasetOpen(&d->file, name);
  hsize_t     dims[H5S_MAX_RANK] = {0};

  WeftFileNote(&d->file, dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "%s lacks /%s", d->file.path, name);
  if (dataset < 0) return;
  if (!WeftFileFault(&d->file, Shape(dataset, dims) != 1 || dims[0] != count ? PETSC_TRUE : PETSC_FALSE, "%s: /%s must have %llu values", d->file.path, name, (unsigned long long)count))
    WeftFileNote(&d->file, H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, d->file.transfer, values) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged: make it again", d->file.path);
  H5Dclose(dataset);
}

static PetscErrorCode ReadNumbers(WeftDataFile d)
{
  const PetscInt n = d->info.simulations;
  double        *column;
  char           name[64];

  PetscFunctionBegin;
  if (H5Lexists(d->file.id, "scalars", H5P_DEFAULT) > 0) H5Literate_by_name(d->file.id, "scalars", H5_INDEX_NAME, H5_ITER_INC, NULL, ListNumber, &d->info, H5P_DEFAULT);
  PetscCall(PetscMalloc1(PetscMax(n * d->info.numbers, 1), &d->numbers));
  PetscCall(PetscCalloc1(PetscMax(n, d->info.frames), &column));
  for (PetscInt k = 0; k < d->info.numbers && !d->file.fault[0]; k++) {
    snprintf(name, sizeof(name), "scalars/%s", d->info.number[k]);
    ReadVector(d, name, (hsize_t)n, column);
    for (PetscInt s = 0; s < n; s++) {
      d->numbers[s * d->info.numbers + k] = column[s];
      WeftFileFault(&d->file, isfinite(column[s]) ? PETSC_FALSE : PETSC_TRUE, "%s: %s of simulation %" PetscInt_FMT " is not finite", d->file.path, name, s);
    }
  }
  if (H5Lexists(d->file.id, "dimensions", H5P_DEFAULT) > 0 && H5Lexists(d->file.id, "dimensions/time", H5P_DEFAULT) > 0) {
    ReadVector(d, "dimensions/time", (hsize_t)d->info.frames, column);
    d->info.first_time = column[0];
    d->info.frame_time = d->info.frames > 1 ? column[1] - column[0] : 0.0;
  }
  PetscCall(PetscFree(column));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataOpen(MPI_Comm world, WeftSpace fields, const char *path, WeftDataInfo *info, WeftDataFile *data)
{
  const WeftSpaceInfo *space = WeftSpaceGetInfo(fields);
  WeftDataFile         d;
  hsize_t              largest = 1;
  PetscErrorCode       ierr;

  PetscFunctionBegin;
  PetscCheck(space->kind == WEFT_PLANES, space->comm, PETSC_ERR_ARG_WRONG, "a dataset holds planes");
  PetscCall(PetscNew(data));
  d = *data;
  PetscCall(WeftSpaceReference(fields));
  d->space = fields;
  ierr     = WeftFileOpen(space->comm, world, path, "dataset", &d->file);
  if (!ierr) {
    WeftFileCheckGrid(&d->file, WeftGridLayout(space->grid));
    ierr = WeftFileAgree(&d->file);
  }
  for (PetscInt f = 0; !ierr && f < space->fields; f++) {
    OpenItem(d, f);
    ierr = WeftFileAgree(&d->file);
  }
  if (!ierr) {
    PetscCall(ReadNumbers(d));
    ierr = WeftFileAgree(&d->file);
  }
  if (ierr) {
    PetscCall(WeftDataDestroy(data));
    return ierr;
  }
  for (PetscInt i = 0; i < d->items; i++) largest = PetscMax(largest, d->item[i].slab.values);
  PetscCall(PetscMalloc1(largest, &d->values));
  *info = d->info;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataRead(WeftDataFile d, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(d->space);
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             at[3] = {0, 0, 0};
  PetscBool            bad;

  PetscFunctionBegin;
  PetscCheck(!d->writing && simulation >= 0 && simulation < d->info.simulations && frame >= 0 && frame < d->info.frames, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "there is no frame %" PetscInt_FMT " of simulation %" PetscInt_FMT " in %s", frame, simulation, d->file.path);
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  for (PetscInt f = 0; f < info->fields; f++) { /* independent reads: no rank waits for another before the agreement */
    WeftDataItem *item  = &d->item[f];
    item->slab.start[0] = (hsize_t)simulation;
    item->slab.start[1] = (hsize_t)frame;
    if (WeftSlabRead(&d->file, item->dataset, &item->slab, d->values) < 0) continue;
    bad = d->any_value ? PETSC_FALSE : WeftFindNotFinite(l, info->location[f], d->values, at); /* before its place is an argument */
    WeftFileFault(&d->file, bad, "%s: the field %s of simulation %" PetscInt_FMT ", frame %" PetscInt_FMT ", has a value that is not finite, at (%" PetscInt_FMT ", %" PetscInt_FMT ", %" PetscInt_FMT ") in x, y, z, read by rank %d", d->file.path, info->name[f], simulation, frame, at[0], at[1], at[2], PetscGlobalRank);
    WeftPlaneUnpack(l, info->location[f], d->values, WeftStatePlaneWrite(state, f, sample));
  }
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  return WeftFileAgree(&d->file);
}

PetscErrorCode WeftDataReadAnyValue(WeftDataFile d)
{
  PetscFunctionBegin;
  d->any_value = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDataReadNumbers(WeftDataFile d, PetscInt simulation, PetscReal numbers[])
{
  PetscFunctionBegin;
  PetscCheck(!d->writing && simulation >= 0 && simulation < d->info.simulations, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "there is no simulation %" PetscInt_FMT " in %s", simulation, d->file.path);
  PetscCall(PetscArraycpy(numbers, d->numbers + simulation * d->info.numbers, d->info.numbers));
  PetscFunctionReturn(0);
}
