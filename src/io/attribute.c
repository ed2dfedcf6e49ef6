/* Attributes, and those that every file of fields carries. */
#include "io/impl.h"

static herr_t Write(hid_t object, const char *name, hid_t file_type, hid_t memory_type, PetscBool scalar, hsize_t count, const void *values)
{
  const hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, NULL);
  hid_t       attribute;
  herr_t      status = 0;

  if (H5Aexists(object, name) > 0) status = H5Adelete(object, name);
  attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0) status = -1;
  if (status >= 0 && (scalar || count)) status = H5Awrite(attribute, memory_type, values);
  if (attribute >= 0 && H5Aclose(attribute) < 0) status = -1;
  H5Sclose(space);
  return status;
}

/* Fixed length: it lies in the object's header, under its checksum. Strings of variable length lie in a heap that has none, and
   a changed bit there makes HDF5 crash; they are written for other readers only. */
herr_t WeftAttributeString(hid_t object, const char *name, const char *text)
{
  const hid_t type = H5Tcopy(H5T_C_S1);
  herr_t      status;

  H5Tset_size(type, strlen(text) + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  status = Write(object, name, type, type, PETSC_TRUE, 1, text);
  H5Tclose(type);
  return status;
}

herr_t WeftAttributeWords(hid_t object, const char *name, PetscBool scalar, hsize_t count, const char *const words[])
{
  const hid_t type = H5Tcopy(H5T_C_S1);
  herr_t      status;

  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  status = Write(object, name, type, type, scalar, count, words);
  H5Tclose(type);
  return status;
}

herr_t WeftAttributeReals(hid_t object, const char *name, hsize_t count, const double values[])
{
  return Write(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, PETSC_FALSE, count, values);
}

herr_t WeftAttributeInts(hid_t object, const char *name, hsize_t count, const PetscInt values[])
{
  long long wide[8];

  if (count > 8) return -1;
  for (hsize_t i = 0; i < count; i++) wide[i] = values[i];
  return Write(object, name, H5T_STD_I64LE, H5T_NATIVE_LLONG, PETSC_FALSE, count, wide);
}

herr_t WeftAttributeInt(hid_t object, const char *name, PetscInt value)
{
  const long long wide = value;
  return Write(object, name, H5T_STD_I64LE, H5T_NATIVE_LLONG, PETSC_TRUE, 1, &wide);
}

/* h5py's booleans: an enumeration over one byte. */
herr_t WeftAttributeBools(hid_t object, const char *name, PetscBool scalar, hsize_t count, const signed char values[])
{
  const hid_t       type = H5Tenum_create(H5T_NATIVE_INT8);
  const signed char no = 0, yes = 1;
  herr_t            status;

  H5Tenum_insert(type, "FALSE", &no);
  H5Tenum_insert(type, "TRUE", &yes);
  status = Write(object, name, type, type, scalar, count, values);
  H5Tclose(type);
  return status;
}

herr_t WeftAttributeBool(hid_t object, const char *name, PetscBool value)
{
  const signed char byte = value ? 1 : 0;
  return WeftAttributeBools(object, name, PETSC_TRUE, 1, &byte);
}

herr_t WeftAttributeReadString(hid_t object, const char *name, char text[], size_t room, PetscBool *found)
{
  const htri_t exists = H5Aexists(object, name);
  hid_t        attribute, type;
  herr_t       status = 0;

  *found = PETSC_FALSE;
  if (exists <= 0) return exists < 0 ? -1 : 0;
  attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return -1;
  type = H5Aget_type(attribute);
  if (H5Tget_class(type) == H5T_STRING && H5Aget_storage_size(attribute) > 0) {
    const size_t bytes = H5Tget_size(type);
    char        *buffer = NULL;
    if (H5Tis_variable_str(type) > 0) {
      status = H5Aread(attribute, type, &buffer);
      if (status >= 0) snprintf(text, room, "%s", buffer ? buffer : "");
      if (status >= 0 && buffer) H5free_memory(buffer);
    } else {
      buffer = H5allocate_memory(bytes + 1, 1);
      status = buffer ? H5Aread(attribute, type, buffer) : -1;
      if (status >= 0) snprintf(text, room, "%.*s", (int)bytes, buffer);
      if (buffer) H5free_memory(buffer);
    }
    *found = status >= 0 ? PETSC_TRUE : PETSC_FALSE;
  }
  H5Tclose(type);
  H5Aclose(attribute);
  return status;
}

herr_t WeftAttributeReadReals(hid_t object, const char *name, hsize_t count, double values[], PetscBool *found)
{
  const htri_t exists = H5Aexists(object, name);
  hid_t        attribute, type, space;
  herr_t       status = 0;

  *found = PETSC_FALSE;
  if (exists <= 0) return exists < 0 ? -1 : 0;
  attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return -1;
  type  = H5Aget_type(attribute);
  space = H5Aget_space(attribute);
  if ((H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER) && H5Sget_simple_extent_npoints(space) == (hssize_t)count) {
    status = H5Aread(attribute, H5T_NATIVE_DOUBLE, values);
    *found = status >= 0 ? PETSC_TRUE : PETSC_FALSE;
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
  return status;
}

/* ---- the grid ---------------------------------------------------------------------------------------------------- */

void WeftSidesText(const WeftLayout *l, char text[], size_t room)
{
  size_t used = 0;

  text[0] = 0;
  for (PetscInt a = 0; a < l->dim && used < room; a++) {
    const char *lower = WeftSides[l->side[a][0]], *upper = WeftSides[l->side[a][1]];
    used += (size_t)snprintf(text + used, room - used, l->side[a][0] == l->side[a][1] ? "%s%s" : "%s%s/%s", a ? ", " : "", lower, upper);
  }
}

herr_t WeftFileWriteGrid(WeftFile *file, const WeftLayout *l)
{
  double upper[3];
  char   sides[256];
  herr_t status = 0;

  for (PetscInt a = 0; a < 3; a++) upper[a] = l->lower[a] + (double)l->cells[a] * l->h[a];
  WeftSidesText(l, sides, sizeof(sides));
  if (WeftAttributeInts(file->id, "cells", (hsize_t)l->dim, l->cells) < 0) status = -1;
  if (WeftAttributeReals(file->id, "lower", (hsize_t)l->dim, l->lower) < 0) status = -1;
  if (WeftAttributeReals(file->id, "upper", (hsize_t)l->dim, upper) < 0) status = -1;
  if (WeftAttributeString(file->id, "sides", sides) < 0) status = -1;
  if (WeftAttributeString(file->id, "case", WeftCaseName()) < 0) status = -1;
  if (WeftAttributeString(file->id, "version", WEFT_VERSION) < 0) status = -1;
  return status;
}

/* "32 x 64 cells on [0, 100] x [0, 200]" */
static void BoxText(PetscInt dim, const double cells[], const double lower[], const double upper[], char text[], size_t room)
{
  size_t used = 0;

  for (PetscInt a = 0; a < dim && used < room; a++) used += (size_t)snprintf(text + used, room - used, "%s%.0f", a ? " x " : "", cells[a]);
  if (used < room) used += (size_t)snprintf(text + used, room - used, " cells on ");
  for (PetscInt a = 0; a < dim && used < room; a++) used += (size_t)snprintf(text + used, room - used, "%s[%g, %g]", a ? " x " : "", lower[a], upper[a]);
}

void WeftFileCheckGrid(WeftFile *file, const WeftLayout *l)
{
  double    cells[3], lower[3], upper[3], my_cells[3], my_upper[3];
  char      theirs[256], mine[256];
  PetscInt  dim = 0;
  PetscBool found, same;

  for (PetscInt d = 1; d <= 3 && !dim; d++) {
    if (WeftFileNote(file, WeftAttributeReadReals(file->id, "cells", (hsize_t)d, cells, &found) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path)) return;
    if (found) dim = d;
  }
  if (WeftFileFault(file, !dim ? PETSC_TRUE : PETSC_FALSE, "%s lacks the root attribute cells (the number of cells along each axis, x first)", file->path)) return;
  WeftFileNote(file, WeftAttributeReadReals(file->id, "lower", (hsize_t)dim, lower, &found) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path);
  WeftFileFault(file, !found ? PETSC_TRUE : PETSC_FALSE, "%s lacks the root attribute lower (lower corner of the box, one number per axis, x first)", file->path);
  WeftFileNote(file, WeftAttributeReadReals(file->id, "upper", (hsize_t)dim, upper, &found) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", file->path);
  WeftFileFault(file, !found ? PETSC_TRUE : PETSC_FALSE, "%s lacks the root attribute upper (upper corner of the box, one number per axis, x first)", file->path);
  if (file->fault[0]) return;
  same = dim == l->dim ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt a = 0; a < l->dim; a++) {
    const double extent = (double)l->cells[a] * l->h[a];
    my_cells[a] = (double)l->cells[a];
    my_upper[a] = l->lower[a] + extent;
    if (same && (cells[a] != my_cells[a] || PetscAbsReal(lower[a] - l->lower[a]) > 1e-9 * extent || PetscAbsReal(upper[a] - my_upper[a]) > 1e-9 * extent)) same = PETSC_FALSE;
  }
  BoxText(dim, cells, lower, upper, theirs, sizeof(theirs));
  BoxText(l->dim, my_cells, l->lower, my_upper, mine, sizeof(mine));
  WeftFileFault(file, !same ? PETSC_TRUE : PETSC_FALSE, "%s belongs to another grid: it has %s, this case %s; change grid_cells, grid_lower, grid_upper or the file", file->path, theirs, mine);
}
