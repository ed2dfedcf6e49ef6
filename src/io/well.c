/* What a reader of "The Well" (Ohana et al. 2024, https://polymathic-ai.org/the_well/data_format) looks for in a dataset:
   groups by tensor order, dimensions, boundary conditions, scalars, and their attributes. */
#include "io/dataset.h"

/* Names of the axes that are there, slow to fast as in the datasets. */
static const char *const axes_slow_to_fast[] = {"z", "y", "x"};
static const char *const *AxesOf(const WeftLayout *l) { return axes_slow_to_fast + 3 - l->dim; }

static herr_t Group(WeftDataFile d, const char *name, hsize_t count, const char *const fields[])
{
  const hid_t group  = H5Gcreate2(d->file.id, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  herr_t      status = group < 0 ? -1 : WeftAttributeWords(group, "field_names", PETSC_FALSE, count, fields);

  if (group >= 0 && H5Gclose(group) < 0) status = -1;
  return status;
}

static herr_t Groups(WeftDataFile d)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(d->space);
  const char          *scalar[WEFT_MAX_FIELDS], *vector[WEFT_MAX_FIELDS], *number[8];
  hsize_t              scalars = 0, vectors = 0;
  herr_t               status = 0;

  /* faces have other shapes than cells: they are there, but not in the list of fields that share the grid */
  for (PetscInt f = 0; f < info->fields; f++)
    if (info->location[f] == WEFT_CELL) scalar[scalars++] = info->name[f];
  for (PetscInt i = 0; i < d->items; i++)
    if (d->item[i].part.components) vector[vectors++] = strchr(d->item[i].name, '/') + 1;
  for (PetscInt n = 0; n < d->info.numbers; n++) number[n] = d->info.number[n];
  if (Group(d, "t0_fields", scalars, scalar) < 0) status = -1;
  if (Group(d, "t1_fields", vectors, vector) < 0) status = -1;
  if (Group(d, "t2_fields", 0, NULL) < 0) status = -1;
  if (Group(d, "scalars", (hsize_t)d->info.numbers, number) < 0) status = -1;
  if (WeftAttributeWords(d->file.id, "simulation_parameters", PETSC_FALSE, (hsize_t)d->info.numbers, number) < 0) status = -1;
  return status;
}

static herr_t Vector(WeftDataFile d, const char *name, PetscInt count, const double values[])
{
  const hid_t dataset = WeftVectorCreate(&d->file, name, (hsize_t)count, (hsize_t)count);
  herr_t      status  = dataset < 0 ? -1 : WeftVectorWrite(&d->file, dataset, 0, (hsize_t)count, values);

  if (dataset < 0) return -1;
  if (WeftAttributeBool(dataset, "sample_varying", PETSC_FALSE) < 0 || WeftAttributeBool(dataset, "time_varying", PETSC_FALSE) < 0) status = -1;
  if (H5Dclose(dataset) < 0) status = -1;
  return status;
}

static herr_t Dimensions(WeftDataFile d)
{
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(d->space)->grid);
  const hid_t       group  = H5Gcreate2(d->file.id, "dimensions", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  herr_t            status = group < 0 ? -1 : WeftAttributeWords(group, "spatial_dims", PETSC_FALSE, (hsize_t)l->dim, AxesOf(l));
  PetscInt          longest = PetscMax(d->info.frames, PetscMax(l->cells[0], PetscMax(l->cells[1], l->cells[2])));
  char              name[32];
  double           *values;

  if (group >= 0 && H5Gclose(group) < 0) status = -1;
  if (PetscMalloc1(longest, &values)) return -1;
  for (PetscInt t = 0; t < d->info.frames; t++) values[t] = d->info.first_time + (double)t * d->info.frame_time;
  if (Vector(d, "dimensions/time", d->info.frames, values) < 0) status = -1;
  for (PetscInt a = 0; a < l->dim; a++) {
    for (PetscInt i = 0; i < l->cells[a]; i++) values[i] = l->lower[a] + ((double)i + 0.5) * l->h[a];
    snprintf(name, sizeof(name), "dimensions/%s", axes_slow_to_fast[2 - a]);
    if (Vector(d, name, l->cells[a], values) < 0) status = -1;
  }
  if (PetscFree(values)) status = -1;
  return status;
}

/* A side that lets nothing through is a wall; one with flow through it is open. */
static const char *KindOf(const WeftLayout *l, PetscInt a, PetscInt s)
{
  if (l->side[a][s] == WEFT_SIDE_PERIODIC) return "PERIODIC";
  if (l->side[a][s] == WEFT_SIDE_OPEN) return "OPEN";
  return l->side[a][s] == WEFT_SIDE_VELOCITY && l->side_velocity[a][s][a] != 0.0 ? "OPEN" : "WALL";
}

static herr_t Boundary(WeftDataFile d, PetscInt a, PetscInt s, PetscBool both)
{
  const WeftLayout *l    = WeftGridLayout(WeftSpaceGetInfo(d->space)->grid);
  const char       *axis = axes_slow_to_fast[2 - a], *kind = KindOf(l, a, s);
  char              name[64];
  hid_t             group;
  double           *mask;
  herr_t            status = 0;

  snprintf(name, sizeof(name), both ? "boundary_conditions/%s" : s ? "boundary_conditions/%s_upper" : "boundary_conditions/%s_lower", axis);
  group = H5Gcreate2(d->file.id, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (group < 0 || PetscCalloc1(l->cells[a], &mask)) return -1;
  if (WeftAttributeWords(group, "associated_dims", PETSC_FALSE, 1, &axis) < 0) status = -1;
  if (WeftAttributeWords(group, "associated_fields", PETSC_FALSE, 0, NULL) < 0) status = -1;
  if (WeftAttributeWords(group, "bc_type", PETSC_TRUE, 1, &kind) < 0) status = -1;
  if (WeftAttributeBool(group, "sample_varying", PETSC_FALSE) < 0) status = -1;
  if (WeftAttributeBool(group, "time_varying", PETSC_FALSE) < 0) status = -1;
  if (both || !s) mask[0] = 1.0;
  if (both || s) mask[l->cells[a] - 1] = 1.0;
  strcat(name, "/mask");
  if (Vector(d, name, l->cells[a], mask) < 0) status = -1;
  if (PetscFree(mask)) status = -1;
  if (H5Gclose(group) < 0) status = -1;
  return status;
}

herr_t WeftWellDescribe(WeftDataFile d)
{
  const WeftLayout *l    = WeftGridLayout(WeftSpaceGetInfo(d->space)->grid);
  const char       *name = WeftCaseName(), *type = "cartesian";
  const hid_t       group  = H5Gcreate2(d->file.id, "boundary_conditions", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  herr_t            status = group < 0 || H5Gclose(group) < 0 ? -1 : 0;

  if (Groups(d) < 0 || Dimensions(d) < 0) status = -1;
  for (PetscInt a = 0; a < l->dim; a++) {
    const PetscBool both = !strcmp(KindOf(l, a, 0), KindOf(l, a, 1)) ? PETSC_TRUE : PETSC_FALSE;
    for (PetscInt s = 0; s < (both ? 1 : 2); s++)
      if (Boundary(d, a, s, both) < 0) status = -1;
  }
  if (WeftAttributeWords(d->file.id, "dataset_name", PETSC_TRUE, 1, &name) < 0) status = -1;
  if (WeftAttributeWords(d->file.id, "grid_type", PETSC_TRUE, 1, &type) < 0) status = -1;
  if (WeftAttributeInt(d->file.id, "n_spatial_dims", l->dim) < 0) status = -1;
  if (WeftAttributeInt(d->file.id, "n_trajectories", d->info.simulations) < 0) status = -1;
  if (WeftAttributeReals(d->file.id, "frame_time", 1, &d->info.frame_time) < 0) status = -1;
  return status;
}
