/* Files of named arrays, written and read by rank 0: datasets with checksums of their chunks, and one checksum of the whole. */
#include "io/impl.h"

#define TEXT_ROOM 65536 /* longest string attribute */

static PetscBool Reserved(const char *name) { return !strcmp(name, "weft") || !strcmp(name, "version") || !strcmp(name, "checksum") ? PETSC_TRUE : PETSC_FALSE; }

/* ---- write ------------------------------------------------------------------------------------------------------- */

static hid_t CreateArray(WeftFile *file, const WeftArrayEntry *e)
{
  WeftSlab slab = {.rank = (int)e->rank};
  hid_t    links, space, dataset;

  for (PetscInt n = 0; n < e->rank; n++) slab.dims[n] = (hsize_t)e->shape[n];
  if (e->rank > 0 && e->count > 0) return WeftDatasetCreate(file, e->name, H5T_IEEE_F64LE, 0, &slab, PETSC_FALSE);
  links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  space   = e->rank ? H5Screate_simple(slab.rank, slab.dims, NULL) : H5Screate(H5S_SCALAR);
  dataset = H5Dcreate2(file->id, e->name, H5T_IEEE_F64LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
  WeftFileNote(file, dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot create %s in %s", e->name, file->part);
  H5Sclose(space);
  H5Pclose(links);
  return dataset;
}

static void WriteAll(WeftFile *file, WeftArrays arrays)
{
  char   checksum[32];
  herr_t status = 0;

  for (PetscInt i = 0; i < arrays->entries && !file->fault[0]; i++) {
    const WeftArrayEntry *e = &arrays->entry[i];
    if (e->text) {
      if (WeftAttributeString(file->id, e->name, e->text) < 0) status = -1;
    } else {
      const hid_t dataset = CreateArray(file, e);
      if (dataset >= 0 && e->count && H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, e->values) < 0) status = -1;
      if (dataset >= 0 && H5Dclose(dataset) < 0) status = -1;
    }
  }
  snprintf(checksum, sizeof(checksum), "crc64 %016llx", WeftArraysChecksum(arrays));
  if (WeftAttributeString(file->id, "weft", "arrays") < 0) status = -1;
  if (WeftAttributeString(file->id, "version", WEFT_VERSION) < 0) status = -1;
  if (WeftAttributeString(file->id, "checksum", checksum) < 0) status = -1;
  WeftFileNote(file, status < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write %s: is the disk full?", file->part);
}

/* An empty fault is success. */
static void Store(WeftArrays arrays, const char *path, char fault[], size_t room)
{
  WeftFile file   = {.comm = MPI_COMM_SELF};
  hid_t    access = WeftFileAccess(MPI_COMM_SELF);

  snprintf(file.path, sizeof(file.path), "%s", path);
  for (PetscInt i = 0; i < arrays->entries; i++) WeftFileFault(&file, arrays->entry[i].text ? Reserved(arrays->entry[i].name) : PETSC_FALSE, "the string %s of %s has a name that the file needs for itself", arrays->entry[i].name, path);
  if (WeftPartName(path, file.part, sizeof(file.part))) WeftFileFault(&file, PETSC_TRUE, "'%s' cannot be the name of a file", path);
  if (!file.fault[0]) {
    file.id = WeftFileCreateNew(file.part, access);
    if (!WeftFileFault(&file, file.id < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot create %s: is its folder there, and writable?", file.part)) {
      WriteAll(&file, arrays);
      WeftFileNote(&file, H5Fclose(file.id) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write %s: is the disk full?", file.part);
    }
  }
  H5Pclose(access);
  if (!file.fault[0] && WeftSealWrite(MPI_COMM_SELF, file.part, file.fault, sizeof(file.fault))) WeftFileFault(&file, PETSC_TRUE, "cannot seal %s", file.part);
  if (!file.fault[0]) WeftPublish(file.part, path, file.fault, sizeof(file.fault));
  snprintf(fault, room, "%s", file.fault);
}

/* ---- read -------------------------------------------------------------------------------------------------------- */

typedef struct {
  WeftFile  *file;
  WeftArrays arrays;
  char      *text; /* TEXT_ROOM */
} Visit;

static herr_t ReadArray(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
  Visit    *visit = (Visit *)context;
  hsize_t   dims[H5S_MAX_RANK];
  PetscInt  shape[WEFT_ARRAY_RANK];
  hid_t     dataset, space, type;
  PetscBool numbers;
  int       rank;
  herr_t    status = 0;

  if (info->type != H5O_TYPE_DATASET) return 0;
  (void)root;
  dataset = WeftDatasetOpen(visit->file, name);
  if (dataset < 0) return -1;
  space   = H5Dget_space(dataset);
  type    = H5Dget_type(dataset);
  rank    = H5Sget_simple_extent_ndims(space);
  numbers = H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER ? PETSC_TRUE : PETSC_FALSE;
  if (!WeftFileFault(visit->file, !numbers || rank < 0 || rank > WEFT_ARRAY_RANK ? PETSC_TRUE : PETSC_FALSE, "%s: %s is not an array of numbers with at most %d axes", visit->file->path, name, WEFT_ARRAY_RANK)) {
    const double *values;
    if (rank > 0) H5Sget_simple_extent_dims(space, dims, NULL);
    for (int n = 0; n < rank; n++) shape[n] = (PetscInt)dims[n];
    if (WeftArraysSet(visit->arrays, name, rank, shape, NULL) || WeftArraysGet(visit->arrays, name, NULL, &values)) status = -1;
    else if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, (double *)values) < 0) status = -1;
  }
  if (status < 0) WeftFileNote(visit->file, PETSC_TRUE, "%s is damaged: its array %s cannot be read", visit->file->path, name);
  H5Tclose(type);
  H5Sclose(space);
  H5Dclose(dataset);
  return status;
}

static herr_t ReadText(hid_t root, const char *name, const H5A_info_t *info, void *context)
{
  Visit    *visit = (Visit *)context;
  PetscBool found;

  (void)info;
  if (Reserved(name)) return 0;
  if (WeftAttributeReadString(root, name, visit->text, TEXT_ROOM, &found) < 0) return -1;
  return found && WeftArraysSetString(visit->arrays, name, visit->text) ? -1 : 0;
}

static void ReadAll(WeftFile *file, WeftArrays arrays)
{
  static char text[TEXT_ROOM];
  Visit       visit = {file, arrays, text};
  char        kind[32] = "", checksum[32] = "", mine[32];
  PetscBool   found;
  hsize_t     begin = 0;

  if (WeftFileNote(file, WeftAttributeReadString(file->id, "weft", kind, sizeof(kind), &found) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path)) return;
  if (WeftFileFault(file, !found ? PETSC_TRUE : PETSC_FALSE, "%s was not written for Weft: its root lacks the attribute weft = \"arrays\"", file->path)) return;
  if (WeftFileFault(file, strcmp(kind, "arrays") ? PETSC_TRUE : PETSC_FALSE, "%s holds %s (attribute weft of its root); a file of arrays (weights, gradient, checkpoint) was expected", file->path, kind)) return;
  WeftFileNote(file, H5Ovisit(file->id, H5_INDEX_NAME, H5_ITER_INC, ReadArray, &visit) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path);
  WeftFileNote(file, H5Aiterate2(file->id, H5_INDEX_NAME, H5_ITER_INC, &begin, ReadText, &visit) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path);
  WeftFileNote(file, WeftAttributeReadString(file->id, "checksum", checksum, sizeof(checksum), &found) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path);
  if (file->fault[0] || !found) return; /* files from elsewhere may come without a checksum */
  snprintf(mine, sizeof(mine), "crc64 %016llx", WeftArraysChecksum(arrays));
  WeftFileFault(file, strcmp(mine, checksum) ? PETSC_TRUE : PETSC_FALSE, "%s is damaged: its checksum is %s, its contents give %s", file->path, checksum, mine);
}

static void Load(WeftArrays arrays, const char *path, char fault[], size_t room)
{
  WeftFile file   = {.comm = MPI_COMM_SELF, .id = -1};
  hid_t    access = WeftFileAccess(MPI_COMM_SELF);

  snprintf(file.path, sizeof(file.path), "%s", path);
  WeftFileCheckPresent(&file, path);
  if (!file.fault[0] && WeftSealCheck(MPI_COMM_SELF, path, file.fault, sizeof(file.fault))) WeftFileFault(&file, PETSC_TRUE, "cannot read %s", path);
  if (!file.fault[0]) WeftFileFault(&file, H5Fis_hdf5(path) <= 0 ? PETSC_TRUE : PETSC_FALSE, "%s is not an HDF5 file", path);
  if (!file.fault[0]) {
    file.id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (!WeftFileNote(&file, file.id < 0 ? PETSC_TRUE : PETSC_FALSE, "%s cannot be opened: it is damaged or was not finished", path)) ReadAll(&file, arrays);
    if (file.id >= 0) H5Fclose(file.id);
  }
  H5Pclose(access);
  snprintf(fault, room, "%s", file.fault);
}

/* ---- by rank 0, for all -------------------------------------------------------------------------------------------- */

PetscErrorCode WeftArraysWrite(WeftArrays arrays, const char *path)
{
  char        fault[1024] = "";
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (rank == 0) Store(arrays, path, fault, sizeof(fault));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  return WeftAgree(PETSC_COMM_WORLD, fault[0] ? PETSC_TRUE : PETSC_FALSE, "%s", fault);
}

/* Text or name from rank 0 to all. */
static PetscErrorCode BroadcastText(char **text)
{
  PetscMPIInt rank, length = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) PetscCall(PetscMPIIntCast((PetscInt)strlen(*text) + 1, &length));
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (rank) PetscCall(PetscMalloc1(length, text));
  PetscCallMPI(MPI_Bcast(*text, length, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode Broadcast(WeftArrays a)
{
  PetscMPIInt rank, count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Bcast(&a->entries, 1, MPIU_INT, 0, PETSC_COMM_WORLD));
  if (rank) {
    a->room = a->entries;
    PetscCall(PetscCalloc1(a->room, &a->entry));
  }
  for (PetscInt i = 0; i < a->entries; i++) {
    WeftArrayEntry *e                         = &a->entry[i];
    PetscInt        numbers[2 + WEFT_ARRAY_RANK] = {e->rank, e->count, e->shape[0], e->shape[1], e->shape[2], e->shape[3]};
    PetscCallMPI(MPI_Bcast(numbers, 2 + WEFT_ARRAY_RANK, MPIU_INT, 0, PETSC_COMM_WORLD));
    e->rank  = numbers[0];
    e->count = numbers[1];
    PetscCall(PetscArraycpy(e->shape, numbers + 2, WEFT_ARRAY_RANK));
    PetscCall(BroadcastText(&e->name));
    if (e->rank < 0) PetscCall(BroadcastText(&e->text));
    else {
      PetscCall(PetscMPIIntCast(e->count, &count));
      if (rank) PetscCall(PetscMalloc1(PetscMax(e->count, 1), &e->values));
      PetscCallMPI(MPI_Bcast(e->values, count, MPI_DOUBLE, 0, PETSC_COMM_WORLD));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysTry(const char *path, WeftArrays *arrays, char reason[], size_t room)
{
  PetscMPIInt rank, count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftArraysCreate(arrays));
  PetscCall(PetscMPIIntCast((PetscInt)room, &count));
  reason[0] = 0;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (rank == 0) Load(*arrays, path, reason, room);
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  PetscCallMPI(MPI_Bcast(reason, count, MPI_CHAR, 0, PETSC_COMM_WORLD));
  if (reason[0]) PetscCall(WeftArraysDestroy(arrays));
  else PetscCall(Broadcast(*arrays));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysRead(const char *path, WeftArrays *arrays)
{
  char reason[1024];

  PetscFunctionBegin;
  PetscCall(WeftArraysTry(path, arrays, reason, sizeof(reason)));
  WeftCheck(*arrays, PETSC_COMM_WORLD, "%s", reason);
  PetscFunctionReturn(0);
}
