/* For test_h5py.sh: reads start.h5 and mine.h5 as docs/files.md writes them, writes fields.h5, train.h5 and weights.h5. */
#include "support.h"
#include <weft/io.h>

static PetscErrorCode ReadStart(WeftState state)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);
  PetscInt          lo[3], hi[3];

  PetscFunctionBegin;
  PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, "start.h5", -1, state, 0));
  WeftLayoutOwned(l, WEFT_FACE_X, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++)
    for (PetscInt i = lo[0]; i < hi[0]; i++) PetscCall(TestClose(WeftStatePlane(state, 0, 0)[WeftLayoutIndex(l, i, j, 0)], 0.1 * sin(2.0 * PETSC_PI * (double)i / 32.0), 1e-15, "x velocity of start.h5"));
  WeftLayoutOwned(l, WEFT_FACE_Y, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++)
    for (PetscInt i = lo[0]; i < hi[0]; i++) PetscCall(TestClose(WeftStatePlane(state, 1, 0)[WeftLayoutIndex(l, i, j, 0)], 1.0, 0.0, "y velocity of start.h5"));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadMine(WeftSpace space, WeftState state)
{
  WeftDataInfo info;
  WeftDataFile file;
  PetscReal    number[8], norm;

  PetscFunctionBegin;
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, "mine.h5", &info, &file));
  TestCheck(info.simulations == 3 && info.frames == 100 && info.numbers == 2 && info.frame_time == 1.0, "mine.h5 has %d simulations of %d frames", (int)info.simulations, (int)info.frames);
  PetscCall(WeftDataReadNumbers(file, 2, number));
  TestCheck(!strcmp(info.number[0], "reynolds") && number[0] == 400.0 && number[1] == 0.05, "numbers of mine.h5");
  PetscCall(WeftDataRead(file, 2, 99, state, 0));
  PetscCall(WeftStateNorm(state, NORM_1, &norm));
  PetscCall(TestClose(norm, 65.0 * 32.0, 0.0, "sum of the velocities of mine.h5"));
  PetscCall(WeftDataDestroy(&file));
  PetscFunctionReturn(0);
}

static PetscErrorCode Write(WeftGrid grid, WeftSpace space, WeftState state)
{
  const WeftDataInfo info     = {1, 20, 1, {"reynolds"}, 0.0, 1.0, PETSC_FALSE};
  const PetscReal    reynolds = 100.0;
  const double       flat[]   = {1.0, 2.0, 3.0};
  const PetscInt     three    = 3;
  WeftSeries         series;
  WeftDataFile       file;
  WeftArrays         arrays;

  PetscFunctionBegin;
  PetscCall(WeftSeriesCreate(grid, "fields", &series));
  PetscCall(WeftSeriesWrite(series, 0.0, 1, &state, 0));
  PetscCall(WeftSeriesDestroy(&series));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space, "train.h5", &info, &file));
  PetscCall(WeftDataWriteNumbers(file, 0, &reynolds));
  for (PetscInt n = 0; n < 20; n++) PetscCall(WeftDataWrite(file, 0, n, state, 0));
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysSet(arrays, "weights", 1, &three, flat));
  PetscCall(WeftArraysSetString(arrays, "net", "conv"));
  PetscCall(WeftArraysWrite(arrays, "weights.h5"));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(void)
{
  WeftGridOptions options;
  WeftGrid        grid;
  WeftSpace       space;
  WeftState       state;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim        = 2;
  options.cells[0]   = 32;
  options.cells[1]   = 64;
  options.upper[0]   = 100.0;
  options.upper[1]   = 200.0;
  options.side[0][0] = options.side[0][1] = WEFT_SIDE_NOSLIP;
  options.side[1][0] = options.side[1][1] = WEFT_SIDE_OPEN;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(ReadStart(state));
  PetscCall(ReadMine(space, state));
  PetscCall(Write(grid, space, state));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Run)
