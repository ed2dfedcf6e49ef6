/* ctest: io; ranks 1 2 4; timeout 120 */
/* Datasets: replicas write different simulations into one file; every layout reads the same; what readers of The Well look for;
   refused files. */
#include "io_support.h"
#include <hdf5.h>
#include <weft/io.h>

#define SIMULATIONS 3
#define FRAMES 4

static PetscErrorCode MakeSpace(MPI_Comm comm, PetscInt dim, PetscInt cells, WeftSide side, WeftGrid *grid, WeftSpace *space)
{
  const char *const  names[]     = {"marker", "velocity_x", "velocity_y", "velocity_z"};
  const WeftLocation locations[] = {WEFT_CELL, WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};
  WeftGridOptions    options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim  = dim;
  options.halo = 2;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a]   = cells + 4 * a;
    options.upper[a]   = 3.0;
    options.side[a][0] = options.side[a][1] = a == dim - 1 ? WEFT_SIDE_OPEN : side;
  }
  PetscCall(WeftGridCreate(comm, &options, grid));
  PetscCall(WeftSpaceCreatePlanes(*grid, 2, dim + 1, names, locations, space));
  PetscFunctionReturn(0);
}

static double Value(PetscInt simulation, PetscInt frame, PetscInt field, PetscInt i, PetscInt j, PetscInt k) { return (double)(100 * (simulation + 1) + 10 * frame + field) + (double)i / 3.0 + (double)j / 70.0 + (double)k / 900.0; }

/* Calls use(value of the plane, expected) at every owned unknown. */
typedef PetscErrorCode (*Use)(double *value, double expected);
static PetscErrorCode ForAll(WeftState state, PetscInt sample, PetscInt simulation, PetscInt frame, Use use)
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
        for (PetscInt i = lo[0]; i < hi[0]; i++) PetscCall(use(&plane[WeftLayoutIndex(l, i, j, k)], Value(simulation, frame, f, i, j, k)));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Put(double *value, double expected)
{
  *value = expected;
  return 0;
}

static PetscErrorCode SameDouble(double *value, double expected)
{
  TestCheck(*value == expected, "%.17g, expected %.17g", *value, expected);
  return 0;
}

static PetscErrorCode SameSingle(double *value, double expected)
{
  TestCheck(*value == (double)(float)expected, "%.17g, expected %.17g in float32", *value, expected);
  return 0;
}

/* The world as replicas x space; replica r writes the simulations s with s % replicas == r. */
static PetscErrorCode Write(PetscInt replicas, PetscInt dim, const char *path)
{
  const PetscMPIInt  ranks = PetscGlobalSize, size = ranks / (PetscMPIInt)replicas;
  const PetscInt     replica = PetscGlobalRank / size;
  const WeftDataInfo info    = {SIMULATIONS, FRAMES, 2, {"viscosity", "angle"}, 0.5, 0.25, PETSC_FALSE};
  MPI_Comm           space_comm;
  WeftGrid           grid;
  WeftSpace          space;
  WeftState          state;
  WeftDataFile       file;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, (int)replica, PetscGlobalRank, &space_comm));
  PetscCall(MakeSpace(space_comm, dim, 12, WEFT_SIDE_NOSLIP, &grid, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space, path, &info, &file));
  for (PetscInt round = 0; round * replicas < SIMULATIONS; round++) {
    const PetscInt  s       = round * replicas + replica;
    const PetscReal number[] = {0.5 * (PetscReal)s, -3.0 - (PetscReal)s};
    if (s < SIMULATIONS) PetscCall(WeftDataWriteNumbers(file, s, number));
    for (PetscInt frame = 0; frame < FRAMES; frame++) {
      if (s < SIMULATIONS) PetscCall(ForAll(state, 1, s, frame, Put));
      PetscCall(WeftDataWrite(file, s < SIMULATIONS ? s : -1, frame, state, 1));
    }
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscCallMPI(MPI_Comm_free(&space_comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode Read(PetscInt replicas, PetscInt dim, const char *path, Use same)
{
  const PetscMPIInt size = PetscGlobalSize / (PetscMPIInt)replicas;
  MPI_Comm          space_comm;
  WeftGrid          grid;
  WeftSpace         space;
  WeftState         state;
  WeftDataFile      file;
  WeftDataInfo      info;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, PetscGlobalRank / size, PetscGlobalRank, &space_comm));
  PetscCall(MakeSpace(space_comm, dim, 12, WEFT_SIDE_NOSLIP, &grid, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, path, &info, &file));
  TestCheck(info.simulations == SIMULATIONS && info.frames == FRAMES && info.numbers == 2, "%d simulations, %d frames, %d numbers", (int)info.simulations, (int)info.frames, (int)info.numbers);
  TestCheck(!strcmp(info.number[0], "angle") && !strcmp(info.number[1], "viscosity"), "the numbers are %s, %s", info.number[0], info.number[1]);
  TestCheck(info.first_time == 0.5 && info.frame_time == 0.25, "times %g, %g", info.first_time, info.frame_time);
  for (PetscInt n = 0; n < SIMULATIONS * FRAMES; n++) {
    const PetscInt s = (n + PetscGlobalRank / size) % SIMULATIONS, frame = n / SIMULATIONS; /* replicas read on their own */
    PetscReal      number[8];
    PetscCall(WeftDataRead(file, s, frame, state, 0));
    PetscCall(ForAll(state, 0, s, frame, same));
    PetscCall(WeftDataReadNumbers(file, s, number));
    TestCheck(number[0] == -3.0 - (PetscReal)s && number[1] == 0.5 * (PetscReal)s, "numbers of simulation %d: %g, %g", (int)s, number[0], number[1]);
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscCallMPI(MPI_Comm_free(&space_comm));
  PetscFunctionReturn(0);
}

/* What a reader of The Well goes through, with HDF5 alone (rank 0). */
static PetscErrorCode CheckWell(const char *path)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t       attribute, dataset, space, type;
  hsize_t     dims[5];
  long long   number;
  char       *word[2];
  static float velocity[SIMULATIONS][FRAMES][16][12][2];

  PetscFunctionBegin;
  TestCheck(file >= 0, "%s cannot be opened", path);
  attribute = H5Aopen(file, "n_trajectories", H5P_DEFAULT);
  TestCheck(H5Aread(attribute, H5T_NATIVE_LLONG, &number) >= 0 && number == SIMULATIONS, "n_trajectories");
  H5Aclose(attribute);
  attribute = H5Aopen_by_name(file, "dimensions", "spatial_dims", H5P_DEFAULT, H5P_DEFAULT);
  type      = H5Aget_type(attribute);
  TestCheck(H5Aread(attribute, type, word) >= 0 && !strcmp(word[0], "y") && !strcmp(word[1], "x"), "spatial_dims");
  H5free_memory(word[0]);
  H5free_memory(word[1]);
  H5Aclose(attribute);
  attribute = H5Aopen_by_name(file, "boundary_conditions/x", "bc_type", H5P_DEFAULT, H5P_DEFAULT);
  TestCheck(H5Aread(attribute, type, word) >= 0 && !strcmp(word[0], "WALL"), "bc_type");
  H5free_memory(word[0]);
  H5Aclose(attribute);
  H5Tclose(type);
  dataset = H5Dopen2(file, "t1_fields/velocity", H5P_DEFAULT);
  space   = H5Dget_space(dataset);
  TestCheck(H5Sget_simple_extent_ndims(space) == 5, "axes of the velocity at cells");
  H5Sget_simple_extent_dims(space, dims, NULL);
  TestCheck(dims[0] == SIMULATIONS && dims[1] == FRAMES && dims[2] == 16 && dims[3] == 12 && dims[4] == 2, "shape of the velocity at cells");
  TestCheck(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, velocity) >= 0, "the velocity at cells");
  for (PetscInt j = 0; j < 16; j++) {
    for (PetscInt i = 0; i < 12; i++) { /* y first, as the axes; the outer x faces are walls at rest, those in y are open */
      const double y = 0.5 * (Value(2, 1, 2, i, j, 0) + Value(2, 1, 2, i, j + 1, 0));
      const double x = 0.5 * ((i ? Value(2, 1, 1, i, j, 0) : 0.0) + (i < 11 ? Value(2, 1, 1, i + 1, j, 0) : 0.0));
      PetscCall(TestClose(velocity[2][1][j][i][0], y, 1e-4, "y velocity at a cell"));
      PetscCall(TestClose(velocity[2][1][j][i][1], x, 1e-4, "x velocity at a cell"));
    }
  }
  H5Sclose(space);
  H5Dclose(dataset);
  for (PetscInt i = 0; i < 4; i++) {
    const char *const needed[] = {"t2_fields", "scalars/viscosity", "dimensions/time", "boundary_conditions/y/mask"};
    TestCheck(H5Oexists_by_name(file, needed[i], H5P_DEFAULT) > 0, "%s is missing", needed[i]);
  }
  H5Fclose(file);
  PetscFunctionReturn(0);
}

static PetscErrorCode Refuse(const char *good)
{
  char         bad[256];
  WeftGrid     grid[3];
  WeftSpace    space[3], other;
  WeftState    state;
  WeftDataFile file;
  WeftDataInfo info;
  WeftSeries   series;

  PetscFunctionBegin;
  snprintf(bad, sizeof(bad), "%s", TestPath("dataset_bad", ".h5"));
  PetscCall(MakeSpace(PETSC_COMM_WORLD, 2, 12, WEFT_SIDE_NOSLIP, &grid[0], &space[0]));
  PetscCall(MakeSpace(PETSC_COMM_WORLD, 2, 16, WEFT_SIDE_NOSLIP, &grid[1], &space[1]));
  PetscCall(MakeSpace(PETSC_COMM_WORLD, 2, 12, WEFT_SIDE_PERIODIC, &grid[2], &space[2]));
  PetscCall(WeftStateCreate(space[0], &state));
  TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[1], good, &info, &file), "it has 12 x 16 cells on [0, 3] x [0, 3], this case 16 x 20 cells");
  TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[2], good, &info, &file), "velocity_x has 16 x 11 values, this grid and its sides need 16 x 12");
  TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[0], "no_such_file.h5", &info, &file), "cannot open no_such_file.h5");
  {
    const char *const  names[] = {"heat"};
    const WeftLocation cell[]  = {WEFT_CELL};
    PetscCall(WeftSpaceCreatePlanes(grid[0], 1, 1, names, cell, &other));
    TestFails(WeftDataOpen(PETSC_COMM_WORLD, other, good, &info, &file), "no field heat; its /t0_fields has marker, velocity_x, velocity_y");
    PetscCall(WeftSpaceDestroy(&other));
  }
  PetscCall(WeftSeriesCreate(grid[0], bad, &series));
  PetscCall(WeftSeriesWrite(series, 0.0, 1, &state, 0));
  PetscCall(WeftSeriesDestroy(&series));
  TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[0], bad, &info, &file), "holds fields");
  TestFails(WeftFieldsRead(PETSC_COMM_WORLD, good, 0, state, 0), "holds dataset");
  PetscCall(TestDamage(good, bad, -1, 0, TestSize(good) / 2));
  TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[0], bad, &info, &file), "truncated");
  { /* one frame only, then a value that is not finite on one rank alone */
    const WeftDataInfo two = {1, 2, 0, {""}, 0.0, 1.0, PETSC_FALSE};
    PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space[0], TestPath("dataset_unfinished", ".h5"), &two, &file));
    PetscCall(WeftDataWrite(file, 0, 1, state, 0));
    if (PetscGlobalRank == PetscGlobalSize - 1) {
      const WeftLayout *l = WeftGridLayout(grid[0]);
      WeftStatePlaneWrite(state, 0, 0)[WeftLayoutIndex(l, l->start[0], l->start[1], 0)] = INFINITY;
    } else WeftStatePlaneWrite(state, 0, 0);
    TestFails(WeftDataWrite(file, 0, 0, state, 0), "field marker of simulation 0, frame 0, has a value that is not finite");
    TestFails(WeftDataDestroy(&file), "stays unfinished: frame 0 of simulation 0 was not written");
    TestCheck(PetscGlobalRank || (TestExists(TestPath("dataset_unfinished", ".part.h5")) && !TestExists(TestPath("dataset_unfinished", ".h5"))), "an unfinished dataset got its final name");
    TestFails(WeftDataOpen(PETSC_COMM_WORLD, space[0], TestPath("dataset_unfinished", ".h5"), &info, &file), "is one that its run did not finish");
  }
  PetscCall(WeftStateDestroy(&state));
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftSpaceDestroy(&space[i]));
    PetscCall(WeftGridDestroy(&grid[i]));
  }
  PetscFunctionReturn(0);
}

/* A fault that one replica alone meets (its simulation has a changed bit) is told once and stops all. */
static PetscErrorCode OneReplica(const char *good)
{
  const PetscInt replica = PetscGlobalRank % 2;
  char           bad[256], message[4096];
  PetscInt       refused = 0;
  MPI_Comm       space_comm;
  WeftGrid       grid;
  WeftSpace      space;
  WeftState      state;

  PetscFunctionBegin;
  snprintf(bad, sizeof(bad), "%s", TestPath("dataset_bad", ".h5"));
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, (int)replica, PetscGlobalRank, &space_comm));
  PetscCall(MakeSpace(space_comm, 2, 12, WEFT_SIDE_NOSLIP, &grid, &space));
  PetscCall(WeftStateCreate(space, &state));
  for (long n = 1; n < 30; n++) {
    WeftDataFile   file;
    WeftDataInfo   info;
    PetscErrorCode ierr;
    PetscCall(TestDamage(good, bad, TestSize(good) * n / 30, 3, -1));
    PetscCall(TestCaptureBegin());
    ierr = WeftDataOpen(PETSC_COMM_WORLD, space, bad, &info, &file);
    if (!ierr) {
      for (PetscInt frame = 0; !ierr && frame < FRAMES; frame++) ierr = WeftDataRead(file, replica, frame, state, 0);
      PetscCall(WeftDataDestroy(&file));
    }
    PetscCall(TestCaptureEnd(message, (int)sizeof(message)));
    TestCheck(!ierr || (ierr == WEFT_ERR_USER && strstr(message, bad) && !strstr(strstr(message, "weft: error") + 1, "weft: error")), "code %d, message %s", (int)ierr, message);
    refused += ierr ? 1 : 0;
  }
  TestCheck(refused > 3, "%d of 29 files with a changed bit were refused", (int)refused);
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscCallMPI(MPI_Comm_free(&space_comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  char path[256];

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s", TestPath("dataset", ".h5"));
  for (PetscInt dim = 1; dim <= 3; dim++) {
    for (PetscInt replicas = 1; replicas <= PetscGlobalSize; replicas *= 2) {
      PetscCall(TestSetKey("dataset_precision", "double"));
      PetscCall(Write(replicas, dim, path));
      PetscCall(Read(PetscGlobalSize / replicas, dim, path, SameDouble));
    }
  }
  PetscCall(TestSetKey("dataset_precision", "single"));
  PetscCall(Write(PetscGlobalSize, 2, path));
  PetscCall(Read(1, 2, path, SameSingle));
  if (PetscGlobalRank == 0) PetscCall(CheckWell(path));
  PetscCall(OneReplica(path));
  PetscCall(Refuse(path));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
