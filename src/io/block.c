/* Parts of fields: from planes to packed blocks, and from there into chunked datasets and back. */
#include "io/impl.h"

#define CHUNK_BYTES 1048576 /* a chunk fits into HDF5's cache */

/* ---- planes and packed blocks ------------------------------------------------------------------------------------ */

void WeftPlanePack(const WeftLayout *l, WeftLocation location, const double plane[], double values[])
{
  PetscInt lo[3], hi[3];

  WeftLayoutOwned(l, location, lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      memcpy(values, plane + WeftLayoutIndex(l, lo[0], j, k), sizeof(double) * (size_t)(hi[0] - lo[0]));
      values += hi[0] - lo[0];
    }
  }
}

void WeftPlaneUnpack(const WeftLayout *l, WeftLocation location, const double values[], double plane[])
{
  PetscInt lo[3], hi[3];

  WeftLayoutOwned(l, location, lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      memcpy(plane + WeftLayoutIndex(l, lo[0], j, k), values, sizeof(double) * (size_t)(hi[0] - lo[0]));
      values += hi[0] - lo[0];
    }
  }
}

void WeftPlanePackCells(const WeftLayout *l, PetscInt axis, const double plane[], PetscInt stride, double values[])
{
  for (PetscInt k = 0; k < l->count[2]; k++) {
    for (PetscInt j = 0; j < l->count[1]; j++) {
      const double *lower = plane + WeftLayoutIndex(l, l->start[0], l->start[1] + j, l->start[2] + k), *upper = lower + l->stride[axis];
      for (PetscInt i = 0; i < l->count[0]; i++) values[i * stride] = 0.5 * (lower[i] + upper[i]);
      values += l->count[0] * stride;
    }
  }
}

PetscBool WeftFindNotFinite(const WeftLayout *l, WeftLocation location, const double values[], PetscInt at[3])
{
  PetscInt lo[3], hi[3], n = 0;

  WeftLayoutOwned(l, location, lo, hi);
  for (at[2] = lo[2]; at[2] < hi[2]; at[2]++)
    for (at[1] = lo[1]; at[1] < hi[1]; at[1]++)
      for (at[0] = lo[0]; at[0] < hi[0]; at[0]++)
        if (!(PetscAbsReal(values[n++]) <= PETSC_MAX_REAL)) return PETSC_TRUE;
  return PETSC_FALSE;
}

const char *const WeftPlaces[] = {"face x", "face y", "face z", "cell"};

void WeftPartPack(const WeftPart *part, WeftState state, PetscInt sample, double values[])
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l      = WeftGridLayout(info->grid);
  const PetscInt       stride = PetscMax(part->components, 1);

  if (!part->at_cells) {
    WeftPlanePack(l, part->location, WeftStatePlane(state, part->field[0], sample), values);
    return;
  }
  for (PetscInt c = 0; c < stride; c++) {
    const PetscInt f = part->field[c];
    if (f >= 0) WeftPlanePackCells(l, (PetscInt)info->location[f], WeftStatePlane(state, f, sample), stride, values + c);
    else
      for (PetscInt i = 0; i < l->count[0] * l->count[1] * l->count[2]; i++) values[i * stride + c] = 0.0;
  }
}

PetscBool WeftFamilyOf(const WeftSpaceInfo *info, PetscInt field, char family[], size_t room, PetscInt component[3])
{
  const char  *name   = info->name[field];
  const size_t length = strlen(name);
  const char   axis[] = "xyz";

  if (info->location[field] == WEFT_CELL || length < 3 || length - 2 >= room || name[length - 2] != '_') return PETSC_FALSE;
  snprintf(family, room, "%.*s", (int)(length - 2), name);
  for (PetscInt a = 0; a < WeftGridLayout(info->grid)->dim; a++) {
    component[a] = -1;
    for (PetscInt f = 0; f < info->fields; f++) {
      const char *other = info->name[f];
      if ((PetscInt)info->location[f] == a && strlen(other) == length && !strncmp(other, name, length - 1) && other[length - 1] == axis[a]) component[a] = f;
    }
    if (component[a] < 0) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* ---- datasets ---------------------------------------------------------------------------------------------------- */

void WeftSlabOf(const WeftLayout *l, WeftLocation location, int leading, const hsize_t lead[], int components, WeftSlab *slab)
{
  PetscInt all_lo[3], all_hi[3], lo[3], hi[3];
  int      n = 0;

  WeftLayoutUnknowns(l, location, all_lo, all_hi);
  WeftLayoutOwned(l, location, lo, hi);
  slab->values = 1;
  for (; n < leading; n++) {
    slab->dims[n]  = lead[n];
    slab->start[n] = 0;
    slab->count[n] = 1;
  }
  for (PetscInt a = l->dim - 1; a >= 0; a--, n++) {
    slab->dims[n]  = (hsize_t)(all_hi[a] - all_lo[a]);
    slab->start[n] = (hsize_t)(lo[a] - all_lo[a]);
    slab->count[n] = (hsize_t)(hi[a] - lo[a]);
    slab->values *= slab->count[n];
  }
  if (components) {
    slab->dims[n] = slab->count[n] = (hsize_t)components;
    slab->start[n++]               = 0;
    slab->values *= (hsize_t)components;
  }
  slab->rank = n;
}

/* Chunks hold one leading index each. They are halved from the slowest axis on: whole lines along x, as the blocks of the
   ranks are. */
static void ChunkOf(const WeftSlab *slab, int leading, size_t value, hsize_t chunk[])
{
  hsize_t bytes = value;

  for (int n = 0; n < slab->rank; n++) {
    chunk[n] = n < leading ? 1 : PetscMax(slab->dims[n], 1);
    bytes *= chunk[n];
  }
  for (int n = leading; n < slab->rank; n++) {
    while (bytes > CHUNK_BYTES && chunk[n] > 1) {
      bytes    = bytes / chunk[n] * ((chunk[n] + 1) / 2);
      chunk[n] = (chunk[n] + 1) / 2;
    }
  }
}

hsize_t WeftSlabBytes(const WeftSlab *slab, int leading, size_t value)
{
  hsize_t chunk[WEFT_SLAB_MAX], bytes = value, chunks = 1;

  ChunkOf(slab, leading, value, chunk);
  for (int n = leading; n < slab->rank; n++) {
    const hsize_t along = (slab->dims[n] + chunk[n] - 1) / chunk[n];
    bytes *= along * chunk[n];
    chunks *= along;
  }
  return bytes + 64 * chunks + 4096;
}

hid_t WeftDatasetCreate(WeftFile *file, const char *name, hid_t type, int leading, const WeftSlab *slab, PetscBool grows)
{
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
  hsize_t     dims[WEFT_SLAB_MAX], most[WEFT_SLAB_MAX], chunk[WEFT_SLAB_MAX];
  hid_t       space, dataset;

  ChunkOf(slab, leading, H5Tget_size(type), chunk);
  for (int n = 0; n < slab->rank; n++) dims[n] = most[n] = slab->dims[n];
  if (grows) {
    dims[0] = 0;
    most[0] = H5S_UNLIMITED;
  }
  H5Pset_chunk(properties, slab->rank, chunk);
  H5Pset_fletcher32(properties);
  H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER); /* every frame is written whole */
  H5Pset_create_intermediate_group(links, 1);
  space   = H5Screate_simple(slab->rank, dims, most);
  dataset = H5Dcreate2(file->id, name, type, space, links, properties, H5P_DEFAULT);
  WeftFileNote(file, dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot create the dataset %s in %s", name, file->part);
  H5Sclose(space);
  H5Pclose(links);
  H5Pclose(properties);
  return dataset;
}

/* Selections of a part in memory and in the file. */
static void Select(hid_t dataset, const WeftSlab *slab, PetscBool idle, hid_t *memory, hid_t *file)
{
  *file   = H5Dget_space(dataset);
  *memory = H5Screate_simple(slab->rank, slab->count, NULL);
  if (idle || !slab->values) {
    H5Sselect_none(*file);
    H5Sselect_none(*memory);
  } else H5Sselect_hyperslab(*file, H5S_SELECT_SET, slab->start, NULL, slab->count, NULL);
}

/* Is /name, link by link, in this very file? Links to elsewhere would let a file read whatever its reader may read. */
static PetscBool IsInside(WeftFile *file, const char *name)
{
  char   path[256];
  size_t length = strlen(name);

  if (length >= sizeof(path)) return PETSC_FALSE;
  for (size_t n = 1; n <= length; n++) {
    H5L_info_t info;
    if (n < length && name[n] != '/') continue;
    snprintf(path, n + 1, "%s", name);
    if (H5Lexists(file->id, path, H5P_DEFAULT) <= 0) return PETSC_FALSE;
    if (H5Lget_info(file->id, path, &info, H5P_DEFAULT) < 0 || WeftFileFault(file, info.type != H5L_TYPE_HARD ? PETSC_TRUE : PETSC_FALSE, "%s: /%s is a link; links are not followed, copy what it points to into the file", file->path, path)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Values that the dataset claims against what is stored: no packing makes more than a thousand of one. */
static PetscBool ClaimsTooMuch(hid_t dataset)
{
  const hid_t    space = H5Dget_space(dataset), type = H5Dget_type(dataset);
  const hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
  const double   bytes = (double)count * (double)(type < 0 ? 1 : H5Tget_size(type)), stored = (double)H5Dget_storage_size(dataset);
  hsize_t        dims[H5S_MAX_RANK];
  const int      rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
  PetscBool      bad  = count < 0 || bytes > 1100.0 * stored ? PETSC_TRUE : PETSC_FALSE;

  for (int n = 0; n < rank; n++) bad = bad || dims[n] > (hsize_t)PETSC_MAX_INT ? PETSC_TRUE : PETSC_FALSE;
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  return bad;
}

hid_t WeftDatasetOpen(WeftFile *file, const char *name)
{
  hid_t     dataset, creation;
  PetscBool bad;

  if (name[0] == '/') name++;
  dataset = IsInside(file, name) ? H5Dopen2(file->id, name, H5P_DEFAULT) : -1;
  if (dataset < 0) return -1;
  creation = H5Dget_create_plist(dataset);
  bad      = creation < 0 || H5Pget_external_count(creation) > 0 || H5Pget_layout(creation) == H5D_VIRTUAL ? PETSC_TRUE : PETSC_FALSE;
  if (creation >= 0) H5Pclose(creation);
  bad = WeftFileFault(file, bad, "%s: the values of /%s stand in another file; copy them into this one", file->path, name);
  if (!bad) bad = WeftFileFault(file, ClaimsTooMuch(dataset), "%s is damaged: /%s claims more values than are stored", file->path, name);
  if (!bad) return dataset;
  H5Dclose(dataset);
  return -1;
}

herr_t WeftSlabWrite(WeftFile *file, hid_t dataset, hid_t type, const WeftSlab *slab, PetscBool idle, const void *values)
{
  hid_t  memory, space;
  herr_t status;

  Select(dataset, slab, idle, &memory, &space);
  status = H5Dwrite(dataset, type, memory, space, file->transfer, values);
  WeftFileNote(file, status < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", file->part);
  H5Sclose(space);
  H5Sclose(memory);
  return status;
}

herr_t WeftSlabRead(WeftFile *file, hid_t dataset, const WeftSlab *slab, double values[])
{
  hid_t  memory, space;
  herr_t status;

  Select(dataset, slab, PETSC_FALSE, &memory, &space);
  status = H5Dread(dataset, H5T_NATIVE_DOUBLE, memory, space, file->transfer, values);
  WeftFileNote(file, status < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged: make it again", file->path);
  H5Sclose(space);
  H5Sclose(memory);
  return status;
}

hid_t WeftVectorCreate(WeftFile *file, const char *name, hsize_t length, hsize_t chunk)
{
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
  hsize_t     most       = length ? length : H5S_UNLIMITED;
  const hid_t space      = H5Screate_simple(1, &length, &most);
  hid_t       dataset;

  H5Pset_chunk(properties, 1, &chunk);
  H5Pset_fletcher32(properties);
  H5Pset_create_intermediate_group(links, 1);
  dataset = H5Dcreate2(file->id, name, H5T_IEEE_F64LE, space, links, properties, H5P_DEFAULT);
  WeftFileNote(file, dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot create the dataset %s in %s", name, file->part);
  H5Sclose(space);
  H5Pclose(links);
  H5Pclose(properties);
  return dataset;
}

herr_t WeftVectorWrite(WeftFile *file, hid_t dataset, hsize_t start, hsize_t count, const double values[])
{
  PetscMPIInt rank;
  WeftSlab    slab = {1, {0}, {start}, {count}, count};

  MPI_Comm_rank(file->comm, &rank);
  return WeftSlabWrite(file, dataset, H5T_NATIVE_DOUBLE, &slab, rank ? PETSC_TRUE : PETSC_FALSE, values);
}
