/* Series: the fields of one run over time. Frames are flushed one by one, so a run that was killed leaves a readable
   <path>.part.h5 (the frames before the last flush) and goes on from there. */
#include "io/impl.h"
#include <unistd.h>

#define XDMF_SECONDS 10.0 /* how often the XDMF of a running series is written again */

/* One dataset of the file. */
typedef struct {
  char     name[80], shown[64];
  PetscInt state; /* of the states that are written */
  WeftPart part;
  hid_t    dataset;
  WeftSlab slab;
} Item;

struct _n_WeftSeries {
  WeftGrid   grid;
  WeftFile   file;
  char       base[PETSC_MAX_PATH_LEN]; /* without extension */
  PetscBool  resumed;
  PetscInt   frames, room;
  PetscReal *times;
  hid_t      time;
  PetscInt   states, items;
  Item      *item;
  hsize_t    frame_bytes;
  double    *values; /* packed block */
  double     xdmf_at;
};

/* ---- create ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode New(WeftGrid grid, const char *path, WeftSeries *series)
{
  const char  *dot    = strrchr(path, '.');
  const size_t length = dot && !strcmp(dot, ".h5") ? (size_t)(dot - path) : strlen(path);
  MPI_Comm     comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  WeftCheck(length > 0 && length + 16 < PETSC_MAX_PATH_LEN, comm, "'%s' cannot be the name of a series", path);
  PetscCall(PetscNew(series));
  PetscCall(WeftGridReference(grid));
  (*series)->grid = grid;
  (*series)->time = -1;
  snprintf((*series)->base, sizeof((*series)->base), "%.*s", (int)length, path);
  (*series)->xdmf_at = MPI_Wtime();
  PetscFunctionReturn(0);
}

static PetscErrorCode Begin(WeftSeries s)
{
  char     path[PETSC_MAX_PATH_LEN + 8];
  MPI_Comm comm;

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s.h5", s->base);
  PetscCall(WeftGridGetComm(s->grid, &comm));
  PetscCall(WeftFileCreate(comm, path, "fields", &s->file));
  WeftFileNote(&s->file, WeftFileWriteGrid(&s->file, WeftGridLayout(s->grid)) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", s->file.part);
  s->time = WeftVectorCreate(&s->file, "time", 0, 512);
  PetscCall(WeftFileAgree(&s->file));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSeriesCreate(WeftGrid grid, const char *path, WeftSeries *series)
{
  PetscFunctionBegin;
  PetscCall(New(grid, path, series));
  PetscCall(Begin(*series));
  PetscFunctionReturn(0);
}

/* Length of the first axis of a dataset; 0 on failure. */
static hsize_t Length(hid_t dataset)
{
  const hid_t space              = H5Dget_space(dataset);
  hsize_t     dims[H5S_MAX_RANK] = {0};

  if (space < 0) return 0;
  if (H5Sget_simple_extent_ndims(space) > 0) H5Sget_simple_extent_dims(space, dims, NULL);
  H5Sclose(space);
  return dims[0];
}

static PetscErrorCode RoomForFrames(WeftSeries s, PetscInt frames)
{
  PetscFunctionBegin;
  if (frames > s->room) {
    s->room = PetscMax(frames, PetscMax(64, 2 * s->room));
    PetscCall(PetscRealloc(sizeof(*s->times) * (size_t)s->room, &s->times));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSeriesResume(WeftGrid grid, const char *path, PetscReal time, PetscInt *frames, WeftSeries *series)
{
  char       name[PETSC_MAX_PATH_LEN + 8];
  MPI_Comm   comm;
  WeftSeries s;
  hsize_t    length;

  PetscFunctionBegin;
  PetscCall(New(grid, path, series));
  s = *series;
  snprintf(name, sizeof(name), "%s.h5", s->base);
  PetscCall(WeftGridGetComm(grid, &comm));
  PetscCall(WeftFileReopen(comm, name, "fields", &s->resumed, &s->file));
  *frames = 0;
  if (!s->resumed) {
    PetscCall(Begin(s));
    PetscFunctionReturn(0);
  }
  WeftFileCheckGrid(&s->file, WeftGridLayout(grid));
  s->time = WeftDatasetOpen(&s->file, "time");
  WeftFileNote(&s->file, s->time < 0 ? PETSC_TRUE : PETSC_FALSE, "%s lacks /time", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  length = Length(s->time);
  PetscCall(RoomForFrames(s, (PetscInt)length));
  if (length) WeftFileNote(&s->file, H5Dread(s->time, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, s->times) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  while (s->frames < (PetscInt)length && s->times[s->frames] <= time) s->frames++;
  *frames = s->frames;
  length  = (hsize_t)s->frames;
  WeftFileNote(&s->file, H5Dset_extent(s->time, &length) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  PetscFunctionReturn(0);
}

/* ---- the list of datasets, at the first frame -------------------------------------------------------------------- */

static Item *Append(WeftSeries s, PetscInt state, const char *folder, const char *name)
{
  Item *item = &s->item[s->items++];

  memset(item, 0, sizeof(*item));
  item->state         = state;
  item->part.location = WEFT_CELL;
  item->part.field[0] = item->part.field[1] = item->part.field[2] = -1;
  snprintf(item->shown, sizeof(item->shown), "%s", name);
  snprintf(item->name, sizeof(item->name), "%s%s", folder, item->shown);
  return item;
}

static void ListField(WeftSeries s, PetscInt state, const WeftSpaceInfo *info, PetscInt f)
{
  Item    *item = Append(s, state, "", info->name[f]);
  char     family[64];
  PetscInt component[3] = {-1, -1, -1};

  item->part.field[0] = f;
  item->part.location = info->location[f];
  if (item->part.location == WEFT_CELL) return;
  if (!WeftFamilyOf(info, f, family, sizeof(family), component)) {
    item                = Append(s, state, "cell/", info->name[f]);
    item->part.field[0] = f;
  } else if (component[0] == f) { /* once, with the first component */
    item                  = Append(s, state, "cell/", family);
    item->part.components = 3; /* viewers want three, in 1D and 2D too */
    for (PetscInt a = 0; a < 3; a++) item->part.field[a] = component[a];
  } else return;
  item->part.at_cells = PETSC_TRUE;
}

/* Makes the dataset of an item, or opens that of a resumed series. */
static PetscErrorCode OpenItem(WeftSeries s, Item *item)
{
  const hsize_t frames = (hsize_t)s->frames;
  hsize_t       dims[H5S_MAX_RANK];
  hid_t         space;
  PetscBool     same;

  PetscFunctionBegin;
  WeftSlabOf(WeftGridLayout(s->grid), item->part.location, 1, &frames, item->part.components, &item->slab);
  if (!s->resumed) {
    item->dataset = WeftDatasetCreate(&s->file, item->name, H5T_IEEE_F64LE, 1, &item->slab, PETSC_TRUE);
    if (item->dataset >= 0 && (WeftAttributeString(item->dataset, "location", WeftPlaces[item->part.location]) < 0 || WeftAttributeString(item->dataset, "units", "those of the case") < 0)) WeftFileNote(&s->file, PETSC_TRUE, "cannot write to %s", s->file.part);
    PetscCall(WeftFileAgree(&s->file));
    PetscFunctionReturn(0);
  }
  item->dataset = WeftDatasetOpen(&s->file, item->name);
  WeftFileFault(&s->file, item->dataset < 0 ? PETSC_TRUE : PETSC_FALSE, "%s cannot be continued: it lacks the field %s", s->file.part, item->name);
  PetscCall(WeftFileAgree(&s->file));
  space = H5Dget_space(item->dataset);
  same  = H5Sget_simple_extent_ndims(space) == item->slab.rank ? PETSC_TRUE : PETSC_FALSE;
  if (same) H5Sget_simple_extent_dims(space, dims, NULL);
  for (int n = 1; same && n < item->slab.rank; n++) same = dims[n] == item->slab.dims[n] ? PETSC_TRUE : PETSC_FALSE;
  H5Sclose(space);
  WeftFileFault(&s->file, !same || dims[0] < frames ? PETSC_TRUE : PETSC_FALSE, "%s cannot be continued: its field %s has another shape", s->file.part, item->name);
  PetscCall(WeftFileAgree(&s->file));
  PetscFunctionReturn(0);
}

static PetscErrorCode SetUp(WeftSeries s, PetscInt states, const WeftState state[])
{
  hsize_t largest = 1;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(2 * WEFT_MAX_FIELDS * states, &s->item));
  s->states = states;
  for (PetscInt i = 0; i < states; i++) {
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state[i]));
    PetscCheck(info->kind == WEFT_PLANES && info->grid == s->grid, s->file.comm, PETSC_ERR_ARG_INCOMP, "a series holds fields of its own grid");
    for (PetscInt f = 0; f < info->fields; f++) ListField(s, i, info, f);
  }
  for (PetscInt i = 0; i < s->items; i++) {
    for (PetscInt j = 0; j < i; j++) PetscCheck(strcmp(s->item[i].name, s->item[j].name), s->file.comm, PETSC_ERR_ARG_INCOMP, "two fields of a series are called %s", s->item[i].name);
    PetscCall(OpenItem(s, &s->item[i]));
    largest = PetscMax(largest, s->item[i].slab.values);
    s->frame_bytes += WeftSlabBytes(&s->item[i].slab, 1, sizeof(double));
  }
  PetscCall(PetscCalloc1(largest, &s->values));
  PetscFunctionReturn(0);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode WriteItem(WeftSeries s, Item *item, WeftState state, PetscInt sample)
{
  hsize_t dims[WEFT_SLAB_MAX];

  PetscFunctionBegin;
  WeftPartPack(&item->part, state, sample, s->values);
  PetscCall(PetscArraycpy(dims, item->slab.dims, WEFT_SLAB_MAX));
  dims[0]             = (hsize_t)s->frames + 1;
  item->slab.start[0] = (hsize_t)s->frames;
  WeftFileNote(&s->file, H5Dset_extent(item->dataset, dims) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  WeftSlabWrite(&s->file, item->dataset, H5T_NATIVE_DOUBLE, &item->slab, PETSC_FALSE, s->values);
  PetscCall(WeftFileAgree(&s->file));
  PetscFunctionReturn(0);
}

/* The XDMF of the frames so far: of the unfinished file while the series is written, of the finished one in the end. */
static PetscErrorCode WriteXdmf(WeftSeries s, PetscBool finished)
{
  char          xdmf[PETSC_MAX_PATH_LEN + 16];
  const char   *hdf5 = finished ? s->file.path : s->file.part;
  PetscMPIInt   rank;
  PetscInt      n = 0;
  WeftXdmfItem *item;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->file.comm, &rank));
  if (rank) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1(s->items, &item));
  for (PetscInt i = 0; i < s->items; i++) {
    if (s->item[i].part.location != WEFT_CELL) continue;
    item[n].vector = s->item[i].part.components ? PETSC_TRUE : PETSC_FALSE;
    PetscCall(PetscStrncpy(item[n].name, s->item[i].shown, sizeof(item[n].name)));
    PetscCall(PetscStrncpy(item[n++].path, s->item[i].name, sizeof(item[n].path)));
  }
  snprintf(xdmf, sizeof(xdmf), finished ? "%s.xmf" : "%s.part.xmf", s->base);
  hdf5 = strrchr(hdf5, '/') ? strrchr(hdf5, '/') + 1 : hdf5;
  WeftXdmfWrite(WeftGridLayout(s->grid), xdmf, hdf5, s->frames, s->times, n, item, s->file.fault, sizeof(s->file.fault));
  PetscCall(PetscFree(item));
  snprintf(xdmf, sizeof(xdmf), "%s.part.xmf", s->base);
  if (finished && !s->file.fault[0]) unlink(xdmf);
  s->xdmf_at = MPI_Wtime();
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSeriesWrite(WeftSeries s, PetscReal time, PetscInt states, const WeftState state[], PetscInt sample)
{
  const hsize_t length = (hsize_t)s->frames + 1;

  PetscFunctionBegin;
  if (!s->item) PetscCall(SetUp(s, states, state));
  PetscCheck(states == s->states, s->file.comm, PETSC_ERR_ARG_INCOMP, "%" PetscInt_FMT " states in this frame, %" PetscInt_FMT " in the first", states, s->states);
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  WeftFileReserve(&s->file, s->frame_bytes);
  PetscCall(WeftFileAgree(&s->file));
  PetscCall(WeftStatesHalo(states, state, 1, WEFT_GHOST_VALUE)); /* for the means of faces */
  for (PetscInt i = 0; i < s->items; i++) PetscCall(WriteItem(s, &s->item[i], state[s->item[i].state], sample));
  /* the time comes last: as many frames as times are whole */
  PetscCall(RoomForFrames(s, s->frames + 1));
  s->times[s->frames] = time;
  WeftFileNote(&s->file, H5Dset_extent(s->time, &length) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  WeftVectorWrite(&s->file, s->time, length - 1, 1, &time);
  PetscCall(WeftFileAgree(&s->file));
  WeftFileNote(&s->file, H5Fflush(s->file.id, H5F_SCOPE_GLOBAL) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", s->file.part);
  PetscCall(WeftFileAgree(&s->file));
  s->frames++;
  /* rank 0 alone; a fault is agreed on in the next frame */
  if (s->frames == 1 || MPI_Wtime() - s->xdmf_at > XDMF_SECONDS) PetscCall(WriteXdmf(s, PETSC_FALSE));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  PetscFunctionReturn(0);
}

static PetscErrorCode Free(WeftSeries *series)
{
  WeftSeries s = *series;

  PetscFunctionBegin;
  PetscCall(PetscFree(s->values));
  PetscCall(PetscFree(s->item));
  PetscCall(PetscFree(s->times));
  PetscCall(WeftGridDestroy(&s->grid));
  PetscCall(PetscFree(s));
  *series = NULL;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSeriesDestroy(WeftSeries *series)
{
  WeftSeries s = *series;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  PetscCall(WeftFileComplete(&s->file));
  if (s->frames && s->items) PetscCall(WriteXdmf(s, PETSC_TRUE));
  PetscCall(WeftFileAgree(&s->file));
  PetscCall(Free(series));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSeriesClose(WeftSeries *series)
{
  PetscFunctionBegin;
  if ((*series)->items) PetscCall(WriteXdmf(*series, PETSC_FALSE));
  PetscCall(WeftFileAgree(&(*series)->file));
  PetscCall(WeftFileClose(&(*series)->file));
  PetscCall(Free(series));
  PetscFunctionReturn(0);
}
