/* A small writer and reader for the tests of files: program_fields ACTION STEM DIM [FRAMES]
     write    a series STEM.h5 and a dataset STEM_data.h5 of known values
     read     checks both
     resume   goes on with an unfinished series up to FRAMES frames and finishes it
     limit    writes while rank DIM alone may not write beyond 256 kB */
#include "support.h"
#include <signal.h>
#include <sys/resource.h>
#include <weft/io.h>

static PetscErrorCode MakeStates(PetscInt dim, WeftGrid *grid, WeftSpace space[2], WeftState state[2])
{
  const char *const  names[]     = {"marker"};
  const WeftLocation locations[] = {WEFT_CELL};
  WeftGridOptions    options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim  = dim;
  options.halo = 2;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a]   = 20 - 2 * a;
    options.lower[a]   = -1.0;
    options.upper[a]   = 1.0 + (PetscReal)a;
    options.side[a][0] = options.side[a][1] = WEFT_SIDE_OPEN; /* every face is an unknown */
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, grid));
  PetscCall(WeftSpaceCreateVelocity(*grid, 1, &space[0]));
  PetscCall(WeftSpaceCreatePlanes(*grid, 1, 1, names, locations, &space[1]));
  for (PetscInt s = 0; s < 2; s++) PetscCall(WeftStateCreate(space[s], &state[s]));
  PetscFunctionReturn(0);
}

/* Linear in place and time, so that means over the faces of a cell are exact: marker = x + 10 y + 100 z + 1000 t at cells,
   velocity of axis a = (a + 1) (marker's formula) at its faces. */
static PetscErrorCode Visit(WeftState state, PetscReal time, PetscBool check)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftLocation at    = info->location[f];
    double            *plane = WeftStatePlaneWrite(state, f, 0);
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, at, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt index[3] = {i, j, k};
          double         value = 1000.0 * time, weight = 1.0;
          for (PetscInt a = 0; a < l->dim; a++, weight *= 10.0) value += weight * (l->lower[a] + ((double)index[a] + ((PetscInt)at == a ? 0.0 : 0.5)) * l->h[a]);
          if (at != WEFT_CELL) value *= (double)(at + 1);
          if (!check) plane[WeftLayoutIndex(l, i, j, k)] = value;
          else TestCheck(PetscAbsReal(plane[WeftLayoutIndex(l, i, j, k)] - value) <= 1e-12 * PetscMax(1.0, PetscAbsReal(value)), "%s at time %g: %.17g, expected %.17g", info->name[f], time, plane[WeftLayoutIndex(l, i, j, k)], value);
        }
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode WriteSeries(WeftGrid grid, WeftState state[2], const char *stem, PetscBool resume, PetscInt frames)
{
  WeftSeries series;
  PetscInt   first = 0;

  PetscFunctionBegin;
  if (resume) PetscCall(WeftSeriesResume(grid, stem, PETSC_MAX_REAL, &first, &series));
  else PetscCall(WeftSeriesCreate(grid, stem, &series));
  TestCheck(!resume || first > 0, "%s has no whole frame", stem);
  for (PetscInt n = first; n < PetscMax(frames, first + 1); n++) {
    for (PetscInt s = 0; s < 2; s++) PetscCall(Visit(state[s], 0.5 * (PetscReal)n, PETSC_FALSE));
    PetscCall(WeftSeriesWrite(series, 0.5 * (PetscReal)n, 2, state, 0));
  }
  PetscCall(WeftSeriesDestroy(&series));
  PetscFunctionReturn(0);
}

static PetscErrorCode Data(WeftSpace space, WeftState state, const char *path, PetscInt frames, PetscBool read)
{
  WeftDataInfo info = {1, frames, 1, {"viscosity"}, 0.0, 0.5, PETSC_FALSE};
  PetscReal    number = 0.125;
  WeftDataFile file;

  PetscFunctionBegin;
  PetscCall(TestSetKey("dataset_precision", "double"));
  if (read) PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, path, &info, &file));
  else PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space, path, &info, &file));
  for (PetscInt n = 0; n < frames; n++) {
    if (read) PetscCall(WeftDataRead(file, 0, n, state, 0));
    PetscCall(Visit(state, 0.5 * (PetscReal)n, read));
    if (!read) PetscCall(WeftDataWrite(file, 0, n, state, 0));
  }
  if (read) {
    PetscCall(WeftDataReadNumbers(file, 0, &number));
    TestCheck(number == 0.125 && info.frame_time == 0.5, "viscosity %g, time between frames %g", number, info.frame_time);
  } else PetscCall(WeftDataWriteNumbers(file, 0, &number));
  PetscCall(WeftDataDestroy(&file));
  PetscFunctionReturn(0);
}

static int    arguments;
static char **argument;

static PetscErrorCode Run(void)
{
  const char *action = argument[1], *stem = argument[2];
  PetscInt    number = atoi(argument[3]), frames = arguments > 4 ? atoi(argument[4]) : 3;
  char        h5[PETSC_MAX_PATH_LEN], data[PETSC_MAX_PATH_LEN];
  WeftGrid    grid;
  WeftSpace   space[2];
  WeftState   state[2];

  PetscFunctionBegin;
  snprintf(h5, sizeof(h5), "%s.h5", stem);
  snprintf(data, sizeof(data), "%s_data.h5", stem);
  if (!strcmp(action, "limit")) {
    const struct rlimit limit = {262144, 262144};
    signal(SIGXFSZ, SIG_IGN);
    if (PetscGlobalRank == number) setrlimit(RLIMIT_FSIZE, &limit);
    number = 2;
  }
  PetscCall(MakeStates(number, &grid, space, state));
  if (!strcmp(action, "read")) {
    for (PetscInt n = 0; n < frames; n++) {
      for (PetscInt s = 0; s < 2; s++) {
        PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, h5, n, state[s], 0));
        PetscCall(Visit(state[s], 0.5 * (PetscReal)n, PETSC_TRUE));
      }
    }
    PetscCall(Data(space[0], state[0], data, frames, PETSC_TRUE));
  } else PetscCall(WriteSeries(grid, state, stem, !strcmp(action, "resume") ? PETSC_TRUE : PETSC_FALSE, frames));
  if (!strcmp(action, "write")) PetscCall(Data(space[0], state[0], data, frames, PETSC_FALSE));
  for (PetscInt s = 0; s < 2; s++) {
    PetscCall(WeftStateDestroy(&state[s]));
    PetscCall(WeftSpaceDestroy(&space[s]));
  }
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  arguments = argc;
  argument  = argv;
  if (argc < 4) return 2;
  return TestMain(argc, argv, Run);
}
