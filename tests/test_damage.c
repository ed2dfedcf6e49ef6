/* ctest: io; timeout 120; ranks 1 */
/* Every kind of file, those of a training too, cut at 100 places and with 1000 changed bits: each is refused, with one message that
   names it, before HDF5 sees it. What cannot be trusted is refused too: links to other files, values in other files, arrays that
   claim more than is stored. */
#include <hdf5.h>
#include <math.h>
#include "io_support.h"
#include <weft/io.h>
#include <weft/train.h>

static char      bad[256];
static WeftGrid  grid;
static WeftSpace space;
static WeftState state;

static PetscErrorCode ReadArrays(void)
{
  WeftArrays arrays;
  PetscFunctionBegin;
  PetscCall(WeftArraysRead(bad, &arrays));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadSeries(void) { return WeftFieldsRead(PETSC_COMM_WORLD, bad, 0, state, 0); }

static PetscErrorCode ReadDataset(void)
{
  WeftDataFile file;
  WeftDataInfo info;
  PetscFunctionBegin;
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, bad, &info, &file));
  PetscCall(WeftDataDestroy(&file));
  PetscFunctionReturn(0);
}

static PetscErrorCode Refused(const char *good, PetscErrorCode (*read)(void), long byte, int bit, long length)
{
  char           message[4096];
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(TestDamage(good, bad, byte, bit, length));
  PetscCall(TestCaptureBegin());
  ierr = (*read)();
  PetscCall(TestCaptureEnd(message, (int)sizeof(message)));
  TestCheck(ierr == WEFT_ERR_USER && strstr(message, bad), "%s, byte %ld, length %ld: code %d, message '%s'", good, byte, length, (int)ierr, message);
  PetscFunctionReturn(0);
}

/* A changed letter of the opening makes the file one from elsewhere: its contents are right, and it is read. */
static PetscErrorCode Damage(const char *good, PetscErrorCode (*read)(void), PetscInt cuts, PetscInt flips)
{
  const long size = TestSize(good);

  PetscFunctionBegin;
  for (PetscInt n = 0; n < cuts; n++) PetscCall(Refused(good, read, -1, 0, (long)(WeftRandomUniform(1, WEFT_STREAM_TEST, n) * (double)size)));
  for (PetscInt n = 0; n < flips; n++) {
    const long place = 11 + (long)(WeftRandomUniform(2, WEFT_STREAM_TEST, n) * (double)(size - 11));
    PetscCall(Refused(good, read, place, (int)(n % 8), -1));
  }
  PetscCall(TestDamage(good, bad, 3, 1, -1));
  PetscCall((*read)());
  PetscFunctionReturn(0);
}

/* ---- files that are whole, but not to be trusted -------------------------------------------------------------------- */

static PetscErrorCode MakeArrays(const char *path)
{
  const PetscInt shape[] = {40, 20};
  double         values[800];
  WeftArrays     arrays;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 800; i++) values[i] = sin((double)i);
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysSet(arrays, "/weights", 2, shape, values));
  PetscCall(WeftArraysSetString(arrays, "net_layers", "conv 3 2"));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static hid_t OpenUnsealed(const char *good)
{
  if (TestDamage(good, bad, 3, 1, -1)) return -1;
  return H5Fopen(bad, H5F_ACC_RDWR, H5P_DEFAULT);
}

static PetscErrorCode Untrusted(const char *arrays, const char *dataset)
{
  const hsize_t huge[] = {1u << 20, 1u << 20}, chunk[] = {16, 16}, eight = 8;
  hid_t         file, plist, shape, array;

  PetscFunctionBegin;
  file  = OpenUnsealed(arrays); /* 2^40 values, none of them stored */
  plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(plist, 2, chunk);
  shape = H5Screate_simple(2, huge, NULL);
  array = H5Dcreate2(file, "bomb", H5T_NATIVE_DOUBLE, shape, H5P_DEFAULT, plist, H5P_DEFAULT);
  TestCheck(array >= 0 && H5Dclose(array) >= 0 && H5Fclose(file) >= 0, "no bomb");
  H5Sclose(shape);
  H5Pclose(plist);
  TestFails(ReadArrays(), "claims more values than are stored");

  file  = OpenUnsealed(arrays); /* values in another file */
  plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(plist, "/etc/passwd", 0, 64);
  shape = H5Screate_simple(1, &eight, NULL);
  array = H5Dcreate2(file, "secret", H5T_NATIVE_DOUBLE, shape, H5P_DEFAULT, plist, H5P_DEFAULT);
  TestCheck(array >= 0 && H5Dclose(array) >= 0 && H5Fclose(file) >= 0, "no external values");
  H5Sclose(shape);
  H5Pclose(plist);
  TestFails(ReadArrays(), "stand in another file");

  for (int soft = 0; soft < 2; soft++) { /* a field that is a link */
    file = OpenUnsealed(dataset);
    TestCheck(H5Lmove(file, "t0_fields/velocity_x", H5L_SAME_LOC, "elsewhere", H5P_DEFAULT, H5P_DEFAULT) >= 0, "no such field");
    if (soft) H5Lcreate_soft("/elsewhere", file, "t0_fields/velocity_x", H5P_DEFAULT, H5P_DEFAULT);
    else H5Lcreate_external(dataset, "t0_fields/velocity_x", file, "t0_fields/velocity_x", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    TestFails(ReadDataset(), "velocity_x is a link; links are not followed");
  }
  PetscFunctionReturn(0);
}

/* What the verb train writes in two updates: a checkpoint of the first, and the weights after both, with all that a training goes on from. */
static PetscErrorCode Trained(const char *dataset)
{
  static const char *keys[][2] = {{"grid_cells", "8;8"}, {"grid_sides", "periodic"}, {"model_dt", "0.5"}, {"model_steps", "diffuse velocity;project;correct"}, {"net_layers", "conv 3 4 tanh;conv 1 2"}, {"train_unroll", "2"}, {"train_batch", "2"}, {"train_updates", "2"}, {"train_checkpoint_every", "1"}, {"train_checkpoint_keep", "2"}, {"output", "damage_train"}};
  static const char *files[]   = {"damage_train/checkpoint_00000001.h5", "damage_train/weights.h5"};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(keys); i++) PetscCall(TestSetKey(keys[i][0], keys[i][1]));
  PetscCall(TestSetKey("train_dataset", dataset));
  PetscCall(TestWriteDataset(dataset, 2, 5, 0.3));
  PetscCall(WeftTrain());
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(files); i++) PetscCall(Damage(files[i], ReadArrays, 100, 1000));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  const WeftDataInfo info = {1, 2, 1, {"reynolds"}, 0.0, 1.0, PETSC_FALSE};
  const PetscReal    number = 100.0;
  char               arrays[256], series_path[256], dataset[256];
  WeftGridOptions    box;
  WeftSeries         series;
  WeftDataFile       file;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = box.cells[1] = 8;
  box.upper[0] = box.upper[1] = 8.0;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftStateSetRandom(state, 1, 0, 0.0, 1.0));
  snprintf(bad, sizeof(bad), "%s", TestPath("damage_bad", ".h5"));
  snprintf(arrays, sizeof(arrays), "%s", TestPath("damage_arrays", ".h5"));
  snprintf(dataset, sizeof(dataset), "%s", TestPath("damage_dataset", ".h5"));
  snprintf(series_path, sizeof(series_path), "%s", TestPath("damage_series", ".h5"));
  PetscCall(MakeArrays(arrays));
  PetscCall(WeftSeriesCreate(grid, series_path, &series));
  PetscCall(WeftSeriesWrite(series, 0.0, 1, &state, 0));
  PetscCall(WeftSeriesDestroy(&series));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space, dataset, &info, &file));
  for (PetscInt f = 0; f < 2; f++) PetscCall(WeftDataWrite(file, 0, f, state, 0));
  PetscCall(WeftDataWriteNumbers(file, 0, &number));
  PetscCall(WeftDataDestroy(&file));
  PetscCall(Damage(arrays, ReadArrays, 100, 1000));
  PetscCall(Damage(series_path, ReadSeries, 100, 1000));
  PetscCall(Damage(dataset, ReadDataset, 100, 1000));
  PetscCall(Untrusted(arrays, dataset));
  PetscCall(Trained(dataset));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
