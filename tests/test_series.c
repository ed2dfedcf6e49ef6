/* ctest: io; ranks 1 2 4; timeout 120 */
/* Series of fields: what is written is read, in 1D to 3D, cells and faces, every kind of side; continued series; refused files. */
#include "io_support.h"
#include <weft/io.h>

static const WeftSide sides[3][2] = {
  {WEFT_SIDE_NOSLIP, WEFT_SIDE_OPEN},
  {WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC},
  {WEFT_SIDE_OPEN, WEFT_SIDE_VELOCITY}
};

static PetscErrorCode MakeGrid(PetscInt dim, PetscInt cells, WeftGrid *grid)
{
  WeftGridOptions options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim = dim;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a] = cells + 2 * a;
    options.lower[a] = -1.0 - (PetscReal)a;
    options.upper[a] = 2.0;
    for (PetscInt s = 0; s < 2; s++) options.side[a][s] = sides[a][s];
  }
  options.side_velocity[2][1][2] = 0.25;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, grid));
  PetscFunctionReturn(0);
}

/* A value of its own for every field, frame and place. */
static double Value(PetscInt field, PetscInt frame, PetscInt i, PetscInt j, PetscInt k) { return 1e6 * (double)(frame + 1) + 1e5 * (double)field + (double)i + 1e-2 * (double)j + 1e-4 * (double)k + 1e-9 / 3.0; }

static PetscErrorCode Fill(WeftState state, PetscInt sample, PetscInt first, PetscInt frame)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    double *plane = WeftStatePlaneWrite(state, f, sample);
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) plane[WeftLayoutIndex(l, i, j, k)] = Value(first + f, frame, i, j, k);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Same(WeftState state, PetscInt sample, PetscInt first, PetscInt frame)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    const double *plane = WeftStatePlane(state, f, sample);
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++)
          TestCheck(plane[WeftLayoutIndex(l, i, j, k)] == Value(first + f, frame, i, j, k), "%s of frame %d at (%d, %d, %d): %.17g", info->name[f], (int)frame, (int)i, (int)j, (int)k, plane[WeftLayoutIndex(l, i, j, k)]);
  }
  PetscFunctionReturn(0);
}

/* /cell/flux_<axis> holds the mean of the two faces of each cell, boundary values included. */
static PetscErrorCode CheckCellMeans(WeftGrid grid, const char *path, PetscInt frame)
{
  static const char *const names[]   = {"cell/flux"};
  const WeftLocation       locations[] = {WEFT_CELL};
  const WeftLayout        *l         = WeftGridLayout(grid);
  const PetscInt           axis      = l->dim - 1;
  PetscInt                 lo[3], hi[3], unknown_lo[3], unknown_hi[3];
  WeftSpace                space;
  WeftState                state;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, names, locations, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, path, frame, state, 0));
  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  WeftLayoutUnknowns(l, (WeftLocation)axis, unknown_lo, unknown_hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        PetscInt face[3] = {i, j, k};
        double   sum     = 0.0;
        for (PetscInt s = 0; s < 2; s++, face[axis]++) {
          if (face[axis] >= unknown_lo[axis] && face[axis] < unknown_hi[axis]) sum += Value(0, frame, face[0], face[1], face[2]);
          else if (l->side[axis][0] == WEFT_SIDE_PERIODIC) sum += Value(0, frame, axis == 0 ? 0 : face[0], axis == 1 ? 0 : face[1], axis == 2 ? 0 : face[2]);
          else if (l->side[axis][s] == WEFT_SIDE_VELOCITY) sum += l->side_velocity[axis][s][axis];
        }
        PetscCall(TestClose(WeftStatePlane(state, 0, 0)[WeftLayoutIndex(l, i, j, k)], 0.5 * sum, 1e-9, "mean of two faces"));
      }
    }
  }
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode RoundTrip(PetscInt dim)
{
  const char *const  marker[] = {"marker", "heat"}, *const flux[] = {"flux"};
  const WeftLocation cells[] = {WEFT_CELL, WEFT_CELL}, faces[] = {(WeftLocation)(dim - 1)};
  char               path[256];
  WeftGrid           grid;
  WeftSpace          space[3];
  WeftState          state[3], back[3];
  WeftSeries         series;

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s", TestPath("series_fields", ""));
  PetscCall(MakeGrid(dim, 16, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, 1, flux, faces, &space[0]));
  PetscCall(WeftSpaceCreateVelocity(grid, 2, &space[1]));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, 2, marker, cells, &space[2]));
  for (PetscInt s = 0; s < 3; s++) PetscCall(WeftStateCreate(space[s], &state[s]));
  for (PetscInt s = 0; s < 3; s++) PetscCall(WeftStateCreate(space[s], &back[s]));
  PetscCall(WeftSeriesCreate(grid, path, &series));
  for (PetscInt frame = 0; frame < 3; frame++) {
    for (PetscInt s = 0; s < 3; s++) PetscCall(Fill(state[s], 1, 10 * s, frame));
    PetscCall(WeftSeriesWrite(series, 0.5 * (PetscReal)frame, 3, state, 1));
    for (PetscInt s = 0; s < 3; s++) PetscCall(Same(state[s], 1, 10 * s, frame));
  }
  TestCheck(TestRank() || (TestExists(TestPath("series_fields", ".part.h5")) && TestExists(TestPath("series_fields", ".part.xmf"))), "the unfinished files are not there");
  PetscCall(WeftSeriesDestroy(&series));
  TestCheck(TestRank() || (TestExists(TestPath("series_fields", ".h5")) && TestExists(TestPath("series_fields", ".xmf"))), "the series is not there");
  TestCheck(TestRank() || (!TestExists(TestPath("series_fields", ".part.h5")) && !TestExists(TestPath("series_fields", ".part.xmf"))), "the unfinished files are still there");
  for (PetscInt frame = -1; frame < 3; frame++) {
    for (PetscInt s = 0; s < 3; s++) {
      PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, TestPath("series_fields", ".h5"), frame, back[s], -1));
      for (PetscInt sample = 0; sample < 2; sample++) PetscCall(Same(back[s], sample, 10 * s, frame < 0 ? 2 : frame));
    }
  }
  PetscCall(CheckCellMeans(grid, TestPath("series_fields", ".h5"), 1));
  for (PetscInt s = 0; s < 3; s++) {
    PetscCall(WeftStateDestroy(&state[s]));
    PetscCall(WeftStateDestroy(&back[s]));
    PetscCall(WeftSpaceDestroy(&space[s]));
  }
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* A series goes on after a given time, from a finished or an unfinished file. */
static PetscErrorCode Resume(void)
{
  char       path[256], h5[256];
  WeftGrid   grid;
  WeftSpace  space;
  WeftState  state;
  WeftSeries series;
  PetscInt   frames;

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s", TestPath("series_resume", ""));
  snprintf(h5, sizeof(h5), "%s", TestPath("series_resume", ".h5"));
  if (TestRank() == 0) unlink(h5);
  PetscCall(MakeGrid(2, 16, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(WeftStateCreate(space, &state));
  for (PetscInt run = 0; run < 3; run++) { /* frames 0 1 2; 0 1 (3 4 5); 0 1 3 (6 7 8) */
    PetscCall(WeftSeriesResume(grid, path, run == 2 ? 3.0 : 1.0, &frames, &series));
    TestCheck(frames == (run ? run + 1 : 0), "run %d goes on after %d frames", (int)run, (int)frames);
    for (PetscInt frame = 3 * run; frame < 3 * run + 3; frame++) {
      PetscCall(Fill(state, 0, 0, frame));
      PetscCall(WeftSeriesWrite(series, (PetscReal)frame, 1, &state, 0));
    }
    PetscCall(WeftSeriesDestroy(&series));
  }
  for (PetscInt n = 0; n < 6; n++) {
    const PetscInt expected[] = {0, 1, 3, 6, 7, 8};
    PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, h5, n, state, 0));
    PetscCall(Same(state, 0, 0, expected[n]));
  }
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, h5, 6, state, 0), "no frame 6; the last one is 5");
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* Files that are refused: one message each, on all ranks. */
static PetscErrorCode Refuse(void)
{
  const char *const  names[]  = {"pressure"};
  const WeftLocation cells[]  = {WEFT_CELL};
  char               h5[256], bad[256];
  WeftGrid           grid, other;
  WeftSpace          space, pressure, other_space;
  WeftState          state, pressure_state, other_state;
  WeftSeries         series;
  WeftArrays         arrays;

  PetscFunctionBegin;
  snprintf(h5, sizeof(h5), "%s", TestPath("series_refuse", ".h5"));
  snprintf(bad, sizeof(bad), "%s", TestPath("series_bad", ".h5"));
  PetscCall(MakeGrid(2, 16, &grid));
  PetscCall(MakeGrid(2, 18, &other));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(WeftSpaceCreateVelocity(other, 1, &other_space));
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, names, cells, &pressure));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftStateCreate(other_space, &other_state));
  PetscCall(WeftStateCreate(pressure, &pressure_state));
  PetscCall(Fill(state, 0, 0, 0));
  PetscCall(WeftSeriesCreate(grid, h5, &series));
  PetscCall(WeftSeriesWrite(series, 0.0, 1, &state, 0));
  if (TestRank() == 0) { /* one rank alone has a value that is not finite */
    WeftStatePlaneWrite(state, 0, 0)[WeftLayoutIndex(WeftGridLayout(grid), 2, 1, 0)] = NAN;
  } else WeftStatePlaneWrite(state, 0, 0);
  PetscCall(WeftSeriesWrite(series, 1.0, 1, &state, 0));
  PetscCall(WeftSeriesDestroy(&series));
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, h5, -1, state, 0), "not finite, at (2, 1, 0)");
  PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, h5, 0, state, 0));
  PetscCall(Same(state, 0, 0, 0));
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, "no_such_file.h5", 0, state, 0), "cannot open no_such_file.h5");
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, ".", 0, state, 0), "is a folder");
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, h5, 0, pressure_state, 0), "no field pressure; it has cell, time, velocity_x, velocity_y");
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, h5, 0, other_state, 0), "it has 16 x 18 cells on [-1, 2] x [-2, 2], this case 18 x 20 cells");
  TestFails(WeftSeriesCreate(grid, "no_such_folder/series", &series), "cannot create no_such_folder/series.part.h5");
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysWrite(arrays, bad));
  PetscCall(WeftArraysDestroy(&arrays));
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, bad, 0, state, 0), "holds arrays");
  PetscCall(TestDamage(h5, bad, -1, 0, TestSize(h5) - 1));
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, bad, 0, state, 0), "truncated");
  PetscCall(TestDamage(h5, bad, -1, 0, 3));
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, bad, 0, state, 0), "is truncated: it has 3 bytes");
  for (long byte = 5; byte < TestSize(h5); byte += 1 + TestSize(h5) / 97) { /* a changed bit: refused, or read right */
    char           message[4096];
    PetscErrorCode ierr;
    PetscCall(TestDamage(h5, bad, byte, (int)(byte % 8), -1));
    PetscCall(TestCaptureBegin());
    ierr = WeftFieldsRead(PETSC_COMM_WORLD, bad, 0, state, 0);
    PetscCall(TestCaptureEnd(message, (int)sizeof(message)));
    if (!ierr) PetscCall(Same(state, 0, 0, 0));
    else TestCheck(ierr == WEFT_ERR_USER && strstr(message, bad), "byte %ld: code %d, message %s", byte, (int)ierr, message);
  }
  PetscCall(WeftStateDestroy(&pressure_state));
  PetscCall(WeftStateDestroy(&other_state));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&pressure));
  PetscCall(WeftSpaceDestroy(&other_space));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&other));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* Gathering: the whole field on every rank. */
static PetscErrorCode Gather(PetscInt dim)
{
  WeftGrid  grid;
  WeftSpace space;
  WeftState state;
  PetscInt  shape[3], lo[3], hi[3];
  double   *values;

  PetscFunctionBegin;
  PetscCall(MakeGrid(dim, 16, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 2, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(Fill(state, 1, 0, 5));
  for (PetscInt f = 0; f < dim; f++) {
    PetscInt n = 0;
    PetscCall(WeftStateGather(state, f, 1, shape, &values));
    WeftLayoutUnknowns(WeftGridLayout(grid), (WeftLocation)f, lo, hi);
    for (PetscInt a = 0; a < 3; a++) TestCheck(shape[2 - a] == hi[a] - lo[a], "shape of a gathered field");
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) TestCheck(values[n++] == Value(f, 5, i, j, k), "gathered field %d at (%d, %d, %d)", (int)f, (int)i, (int)j, (int)k);
    PetscCall(PetscFree(values));
  }
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  for (PetscInt dim = 1; dim <= 3; dim++) {
    PetscCall(RoundTrip(dim));
    PetscCall(Gather(dim));
  }
  PetscCall(Resume());
  PetscCall(Refuse());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
