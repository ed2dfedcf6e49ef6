/* XDMF beside a series, for ParaView's reader of version 2: a temporal collection of boxes with values at cells. One and two
   dimensions are shown as boxes of one cell. Every DataItem names its Format: the reader crashes without. */
#include "io/impl.h"
#include <errno.h>
#include <stdio.h>

/* Text of numbers with blanks between. */
static void Numbers(FILE *file, int n, const long long values[])
{
  for (int i = 0; i < n; i++) fprintf(file, "%s%lld", i ? " " : "", values[i]);
}

/* The part of frame t of a dataset whose axes are frame, those of the grid, and 3 components of a vector. */
static void Attribute(FILE *file, const WeftLayout *l, const char *hdf5, PetscInt frames, PetscInt t, const WeftXdmfItem *item)
{
  long long dims[5], start[5] = {t, 0, 0, 0, 0}, stride[5] = {1, 1, 1, 1, 1}, count[5], shown[4];
  int       n = 0, m = 0;

  dims[n]    = frames;
  count[n++] = 1;
  for (PetscInt a = l->dim - 1; a >= 0; a--, n++) dims[n] = count[n] = l->cells[a];
  for (PetscInt a = 2; a >= 0; a--) shown[m++] = l->cells[a];
  if (item->vector) dims[n] = count[n] = shown[m++] = 3;
  if (item->vector) n++;
  fprintf(file, "        <Attribute Name=\"%s\" AttributeType=\"%s\" Center=\"Cell\">\n", item->name, item->vector ? "Vector" : "Scalar");
  fprintf(file, "          <DataItem ItemType=\"HyperSlab\" Type=\"HyperSlab\" Format=\"HDF\" NumberType=\"Float\" Precision=\"8\" Dimensions=\"");
  Numbers(file, m, shown);
  fprintf(file, "\">\n            <DataItem Format=\"XML\" NumberType=\"Int\" Dimensions=\"3 %d\">", n);
  Numbers(file, n, start);
  fprintf(file, "  ");
  Numbers(file, n, stride);
  fprintf(file, "  ");
  Numbers(file, n, count);
  fprintf(file, "</DataItem>\n            <DataItem Format=\"HDF\" NumberType=\"Float\" Precision=\"8\" Dimensions=\"");
  Numbers(file, n, dims);
  fprintf(file, "\">%s:/%s</DataItem>\n          </DataItem>\n        </Attribute>\n", hdf5, item->path);
}

void WeftXdmfWrite(const WeftLayout *l, const char *path, const char *hdf5, PetscInt frames, const PetscReal times[], PetscInt items, const WeftXdmfItem item[], char fault[], size_t room)
{
  char  part[PETSC_MAX_PATH_LEN + 32];
  FILE *file;

  snprintf(part, sizeof(part), "%s.part", path);
  file = fopen(part, "w");
  if (!file) {
    WeftFaultText(fault, room, "cannot create %s: %s", part, strerror(errno));
    return;
  }
  fprintf(file, "<?xml version=\"1.0\" ?>\n<!DOCTYPE Xdmf SYSTEM \"Xdmf.dtd\" []>\n<Xdmf Version=\"2.0\">\n  <Domain>\n");
  fprintf(file, "    <Grid Name=\"series\" GridType=\"Collection\" CollectionType=\"Temporal\">\n");
  for (PetscInt t = 0; t < frames; t++) {
    /* axes that are not there: one cell as thick as it is long in x */
    fprintf(file, "      <Grid Name=\"frame %lld\" GridType=\"Uniform\">\n        <Time Value=\"%.17g\" />\n", (long long)t, times[t]);
    fprintf(file, "        <Topology TopologyType=\"3DCoRectMesh\" Dimensions=\"%lld %lld %lld\" />\n", (long long)l->cells[2] + 1, (long long)l->cells[1] + 1, (long long)l->cells[0] + 1);
    fprintf(file, "        <Geometry GeometryType=\"ORIGIN_DXDYDZ\">\n");
    fprintf(file, "          <DataItem Format=\"XML\" NumberType=\"Float\" Precision=\"8\" Dimensions=\"3\">%.17g %.17g %.17g</DataItem>\n", l->dim > 2 ? l->lower[2] : 0.0, l->dim > 1 ? l->lower[1] : 0.0, l->lower[0]);
    fprintf(file, "          <DataItem Format=\"XML\" NumberType=\"Float\" Precision=\"8\" Dimensions=\"3\">%.17g %.17g %.17g</DataItem>\n", l->h[l->dim > 2 ? 2 : 0], l->h[l->dim > 1 ? 1 : 0], l->h[0]);
    fprintf(file, "        </Geometry>\n");
    for (PetscInt i = 0; i < items; i++) Attribute(file, l, hdf5, frames, t, &item[i]);
    fprintf(file, "      </Grid>\n");
  }
  fprintf(file, "    </Grid>\n  </Domain>\n</Xdmf>\n");
  if (ferror(file) | fclose(file)) WeftFaultText(fault, room, "cannot write %s: %s", part, strerror(errno));
  else WeftPublish(part, path, fault, room);
}
