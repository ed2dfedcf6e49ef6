/* Reading fields of a series, or of a file that somebody else wrote in the same layout, into a state; and gathering them. */
#include "io/impl.h"

void WeftDimsText(int rank, const hsize_t dims[], char text[], size_t room)
{
  size_t used = 0;

  text[0] = 0;
  for (int n = 0; n < rank && used < room; n++) used += (size_t)snprintf(text + used, room - used, "%s%llu", n ? " x " : "", (unsigned long long)dims[n]);
}

typedef struct {
  char  *text;
  size_t room, used;
} Names;

static herr_t AddName(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
  Names *n = (Names *)context;

  (void)group;
  (void)info;
  if (n->used < n->room) n->used += (size_t)snprintf(n->text + n->used, n->room - n->used, "%s%s", n->used ? ", " : "", name);
  return 0;
}

void WeftGroupNames(hid_t file, const char *group, char text[], size_t room)
{
  Names names = {text, room, 0};

  snprintf(text, room, "none");
  H5Literate_by_name(file, group, H5_INDEX_NAME, H5_ITER_INC, NULL, AddName, &names, H5P_DEFAULT);
}

/* Opens the dataset of a field and finds the frame; notes a field that is not there or has another shape. */
static hid_t OpenField(WeftFile *file, const WeftSpaceInfo *info, PetscInt f, PetscInt frame, WeftSlab *slab)
{
  const WeftLayout *l       = WeftGridLayout(info->grid);
  const char       *name    = info->name[f];
  const hid_t       dataset = WeftDatasetOpen(file, name);
  hsize_t           dims[H5S_MAX_RANK] = {0}, one = 1;
  char              present[512] = "", theirs[128], mine[128];
  PetscBool         same         = PETSC_TRUE;
  int               rank, leading;
  hid_t             space;

  if (dataset < 0) {
    WeftGroupNames(file->id, "/", present, sizeof(present));
    WeftFileFault(file, PETSC_TRUE, "%s has no field %s; it has %s", file->path, name, present);
    return -1;
  }
  space   = H5Dget_space(dataset);
  rank    = H5Sget_simple_extent_ndims(space);
  leading = rank == l->dim ? 0 : 1; /* a single frame may do without its axis */
  if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
  H5Sclose(space);
  WeftSlabOf(l, info->location[f], leading, &one, 0, slab);
  if (rank != slab->rank) same = PETSC_FALSE;
  for (int n = leading; same && n < rank; n++) same = dims[n] == slab->dims[n] ? PETSC_TRUE : PETSC_FALSE;
  WeftDimsText(rank - (same || rank > l->dim ? leading : 0), dims + (same || rank > l->dim ? leading : 0), theirs, sizeof(theirs));
  WeftDimsText(l->dim, slab->dims + leading, mine, sizeof(mine));
  WeftFileFault(file, !same ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s has %s values, this grid and its sides need %s (slow to fast axis); are the sides others?", file->path, name, theirs, mine);
  if (same && leading) {
    const PetscInt frames = (PetscInt)dims[0];
    WeftFileFault(file, frames == 0 ? PETSC_TRUE : PETSC_FALSE, "%s: the field %s has no frame", file->path, name);
    WeftFileFault(file, frame >= frames ? PETSC_TRUE : PETSC_FALSE, "%s has no frame %" PetscInt_FMT "; the last one is %" PetscInt_FMT, file->path, frame, frames - 1);
    slab->start[0] = (hsize_t)(frame < 0 ? frames - 1 : frame);
  }
  return dataset;
}

static PetscErrorCode ReadField(WeftFile *file, WeftState state, PetscInt f, PetscInt frame, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  WeftSlab             slab;
  PetscInt             at[3];
  hid_t                dataset;
  double              *values;
  PetscErrorCode       ierr;

  PetscFunctionBegin;
  dataset = OpenField(file, info, f, frame, &slab);
  ierr    = WeftFileAgree(file);
  if (ierr) return ierr;
  PetscCall(PetscMalloc1(PetscMax(slab.values, 1), &values));
  if (WeftSlabRead(file, dataset, &slab, values) >= 0 && WeftFindNotFinite(l, info->location[f], values, at))
    WeftFileFault(file, PETSC_TRUE, "%s: the field %s holds a value that is not finite, at (%" PetscInt_FMT ", %" PetscInt_FMT ", %" PetscInt_FMT ") in x, y, z, read by rank %d", file->path, info->name[f], at[0], at[1], at[2], PetscGlobalRank);
  H5Dclose(dataset);
  ierr = WeftFileAgree(file);
  for (PetscInt s = 0; !ierr && s < info->batch; s++) {
    if (sample < 0 || s == sample) WeftPlaneUnpack(l, info->location[f], values, WeftStatePlaneWrite(state, f, s));
  }
  PetscCall(PetscFree(values));
  return ierr;
}

PetscErrorCode WeftFieldsRead(MPI_Comm world, const char *path, PetscInt frame, WeftState state, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  WeftFile             file;
  PetscErrorCode       ierr;

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_PLANES, info->comm, PETSC_ERR_ARG_WRONG, "fields are read into planes");
  PetscCall(WeftFileOpen(info->comm, world, path, "fields", &file));
  WeftFileCheckGrid(&file, WeftGridLayout(info->grid));
  ierr = WeftFileAgree(&file);
  for (PetscInt f = 0; !ierr && f < info->fields; f++) ierr = ReadField(&file, state, f, frame, sample);
  PetscCall(WeftFileClose(&file));
  return ierr;
}

PetscErrorCode WeftStateGather(WeftState state, PetscInt field, PetscInt sample, PetscInt shape[3], double **values)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const WeftLocation   location = info->location[field];
  PetscInt             all_lo[3], all_hi[3], bounds[6], *all;
  PetscMPIInt          size, *counts, *offsets;
  double              *mine, *packed;
  size_t               total = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(info->comm, &size));
  PetscCall(PetscMalloc3(6 * size, &all, size, &counts, size, &offsets));
  WeftLayoutUnknowns(l, location, all_lo, all_hi);
  WeftLayoutOwned(l, location, bounds, bounds + 3);
  PetscCallMPI(MPI_Allgather(bounds, 6, MPIU_INT, all, 6, MPIU_INT, info->comm));
  for (PetscMPIInt r = 0; r < size; r++) {
    size_t n = 1;
    for (PetscInt a = 0; a < 3; a++) n *= (size_t)(all[6 * r + 3 + a] - all[6 * r + a]);
    PetscCall(PetscMPIIntCast((PetscInt)n, &counts[r]));
    PetscCall(PetscMPIIntCast((PetscInt)total, &offsets[r]));
    total += n;
  }
  PetscCall(PetscMalloc2(total, &mine, total, &packed));
  PetscCall(PetscMalloc1(total, values));
  WeftPlanePack(l, location, WeftStatePlane(state, field, sample), mine);
  {
    PetscMPIInt rank;
    PetscCallMPI(MPI_Comm_rank(info->comm, &rank));
    PetscCallMPI(MPI_Allgatherv(mine, counts[rank], MPI_DOUBLE, packed, counts, offsets, MPI_DOUBLE, info->comm));
  }
  for (PetscInt a = 0; a < 3; a++) shape[2 - a] = all_hi[a] - all_lo[a]; /* [z][y][x] */
  for (PetscMPIInt r = 0; r < size; r++) {
    const PetscInt *lo = all + 6 * r, *hi = lo + 3;
    const double   *from = packed + offsets[r];
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        double *to = *values + ((k - all_lo[2]) * shape[1] + (j - all_lo[1])) * shape[2] + lo[0] - all_lo[0];
        memcpy(to, from, sizeof(double) * (size_t)(hi[0] - lo[0]));
        from += hi[0] - lo[0];
      }
    }
  }
  PetscCall(PetscFree2(mine, packed));
  PetscCall(PetscFree3(all, counts, offsets));
  PetscFunctionReturn(0);
}
