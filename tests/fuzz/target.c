/* libFuzzer's target for the readers of files: WEFT_FUZZ = yaml, arrays, series or dataset. What the fuzzer makes up becomes a file, which
   is read as a user's would be; the messages go nowhere. Built and run by tests/test_fuzz.sh. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/io.h>

static char      path[64];
static WeftGrid  grid;
static WeftSpace space;
static WeftState state;

static PetscErrorCode Yaml(void) { return WeftCaseLoad(path); }

static PetscErrorCode Arrays(void)
{
  WeftArrays     arrays;
  char           reason[1024];
  PetscErrorCode ierr = WeftArraysTry(path, &arrays, reason, sizeof(reason));
  if (!ierr && arrays) ierr = WeftArraysDestroy(&arrays);
  return ierr;
}

static PetscErrorCode Series(void) { return WeftFieldsRead(PETSC_COMM_WORLD, path, -1, state, 0); }

static PetscErrorCode Dataset(void)
{
  WeftDataFile   file;
  WeftDataInfo   info;
  PetscErrorCode ierr = WeftDataOpen(PETSC_COMM_WORLD, space, path, &info, &file);
  if (ierr) return ierr;
  ierr = WeftDataRead(file, info.simulations - 1, info.frames - 1, state, 0);
  return WeftDataDestroy(&file) || ierr ? 1 : 0;
}

static PetscErrorCode (*target)(void);

/* The 8 x 8 box of the seeds. */
static PetscErrorCode Prepare(void)
{
  WeftGridOptions box;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = box.cells[1] = 8;
  box.upper[0] = box.upper[1] = 8.0;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscFunctionReturn(0);
}

/* The seeds: whole files without a seal, or their seal would be all that is tried. */
static PetscErrorCode Seed(const char *folder)
{
  const WeftDataInfo info = {2, 2, 1, {"reynolds"}, 0.0, 1.0, PETSC_FALSE};
  const PetscInt     shape[] = {4, 3};
  const PetscReal    number  = 100.0;
  const double       values[12] = {1.0, 2.0};
  char               name[512];
  WeftArrays         arrays;
  WeftSeries         series;
  WeftDataFile       file;

  PetscFunctionBegin;
  snprintf(name, sizeof(name), "%s/arrays.h5", folder);
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysSet(arrays, "/net/weights", 2, shape, values));
  PetscCall(WeftArraysSetString(arrays, "net_layers", "conv 3 2"));
  PetscCall(WeftArraysWrite(arrays, name));
  PetscCall(WeftArraysDestroy(&arrays));
  snprintf(name, sizeof(name), "%s/series.h5", folder);
  PetscCall(WeftSeriesCreate(grid, name, &series));
  PetscCall(WeftSeriesWrite(series, 0.0, 1, &state, 0));
  PetscCall(WeftSeriesDestroy(&series));
  snprintf(name, sizeof(name), "%s/dataset.h5", folder);
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, space, name, &info, &file));
  for (PetscInt s = 0; s < 2; s++) {
    for (PetscInt f = 0; f < 2; f++) PetscCall(WeftDataWrite(file, s, f, state, 0));
    PetscCall(WeftDataWriteNumbers(file, s, &number));
  }
  PetscCall(WeftDataDestroy(&file));
  PetscFunctionReturn(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  static const struct {
    const char *name;
    PetscErrorCode (*read)(void);
  } targets[]      = {{"yaml", Yaml}, {"arrays", Arrays}, {"series", Series}, {"dataset", Dataset}};
  const char *which = getenv("WEFT_FUZZ"), *seed = getenv("WEFT_SEEDS");
  int         count = 1;
  char       *name[] = {(*argv)[0], NULL}, **names = name;

  (void)argc;
  snprintf(path, sizeof(path), "/dev/shm/weft_fuzz_%d.yaml", (int)getpid());
  if (WeftInitialize(&count, &names, NULL) || Prepare()) abort();
  if (seed) exit(Seed(seed) ? 1 : 0);
  for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
    if (which && !strcmp(which, targets[i].name)) target = targets[i].read;
  if (!target) abort();
  if (!freopen("/dev/null", "w", stdout)) abort();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const int file  = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  static int quiet = -1;
  int       errors;

  if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
  close(file);
  if (quiet < 0) quiet = open("/dev/null", O_WRONLY);
  errors = dup(STDERR_FILENO); /* the fuzzer's own words stay */
  dup2(quiet, STDERR_FILENO);
  (void)(*target)(); /* an error is an answer; a crash is not */
  dup2(errors, STDERR_FILENO);
  close(errors);
  return 0;
}
