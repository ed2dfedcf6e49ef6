#include "support.h"
#include <weft/io.h>
#include "base/impl.h"
#include <string.h>
#include <unistd.h>
PetscErrorCode TestClose(double value, double expected, double tolerance, const char *what)
{
  PetscFunctionBegin;
  PetscCheck(PetscAbsReal(value - expected) <= tolerance, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s: %.15g, expected %.15g within %.3g", what, value, expected, tolerance);
  PetscFunctionReturn(0);
}

PetscErrorCode TestSetKey(const char *key, const char *value)
{
  char     *item[16], text[512];
  WeftEntry entry;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&entry, sizeof(entry)));
  PetscCall(PetscStrncpy(text, value, sizeof(text)));
  entry.name   = (char *)key;
  entry.origin = (char *)"test";
  entry.item   = item;
  for (char *word = strtok(text, ";"); word && entry.count < 16; word = strtok(NULL, ";")) item[entry.count++] = word;
  entry.list = entry.count > 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(WeftTableSet(&entry));
  PetscFunctionReturn(0);
}

/* A call that fails leaves what it had made: the program ends there. No leak to report. */
#if defined(__SANITIZE_ADDRESS__)
  #include <sanitizer/lsan_interface.h>
static void LeaksExpected(PetscBool yes) { yes ? __lsan_disable() : __lsan_enable(); }
#else
static void LeaksExpected(PetscBool yes) { (void)yes; }
#endif

static FILE *captured;
static int   kept;

PetscErrorCode TestCaptureBegin(void)
{
  PetscFunctionBegin;
  LeaksExpected(PETSC_TRUE);
  if (PetscGlobalRank) PetscFunctionReturn(0);
  fflush(stderr);
  captured = tmpfile();
  kept     = dup(STDERR_FILENO);
  PetscCheck(captured && kept >= 0 && dup2(fileno(captured), STDERR_FILENO) >= 0, PETSC_COMM_SELF, PETSC_ERR_SYS, "standard error cannot be captured");
  PetscFunctionReturn(0);
}

PetscErrorCode TestCaptureEnd(char text[], int room)
{
  PetscFunctionBegin;
  LeaksExpected(PETSC_FALSE);
  if (!PetscGlobalRank) {
    size_t n;
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(captured);
    n       = fread(text, 1, (size_t)room - 1, captured);
    text[n] = 0;
    fclose(captured);
  }
  PetscCallMPI(MPI_Bcast(text, room, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}
int    test_argc;
char **test_argv;

PetscErrorCode TestWriteDataset(const char *path, PetscInt simulations, PetscInt frames, PetscReal fast)
{
  WeftDataInfo    info = {.simulations = simulations, .frames = frames, .numbers = 1, .number = {"reynolds"}, .frame_time = 0.5};
  WeftGridOptions box;
  WeftDataFile    file;
  WeftState       state;
  WeftSpace       velocity;
  WeftGrid        grid;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &velocity));
  PetscCall(WeftStateCreate(velocity, &state));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, velocity, path, &info, &file));
  for (PetscInt s = 0; s < simulations; s++) {
    const PetscReal reynolds = 100.0 * (1.0 + (PetscReal)(s / 2));
    PetscCall(WeftDataWriteNumbers(file, s, &reynolds));
    for (PetscInt f = 0; f < frames; f++) {
      PetscCall(WeftStateSetRandom(state, 100 * s + f, 0, s == simulations - 1 ? fast : 0.3, 0.2));
      PetscCall(WeftDataWrite(file, s, f, state, 0));
    }
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

int TestMain(int argc, char **argv, PetscErrorCode (*test)(void))
{
  PetscErrorCode ierr;

  test_argc = argc;
  test_argv = argv;
  ierr      = WeftInitialize(&argc, &argv, NULL);
  if (!ierr) ierr = test();
  if (ierr) { /* one rank alone may have failed: do not leave the others waiting */
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
  return WeftFinalize() ? 1 : 0;
}

PetscInt test_allocations;

static PetscErrorCode CountedMalloc(size_t bytes, PetscBool clear, int line, const char function[], const char file[], void **memory)
{
  (void)line;
  (void)function;
  (void)file;
  *memory = NULL; /* of nothing, as PETSc's own: it asks for no free */
  if (!bytes) return 0;
  test_allocations++;
  *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
  if (clear && *memory) memset(*memory, 0, bytes);
  return *memory ? 0 : PETSC_ERR_MEM;
}

static PetscErrorCode CountedRealloc(size_t bytes, int line, const char function[], const char file[], void **memory)
{
  (void)line;
  (void)function;
  (void)file;
  test_allocations++;
  *memory = realloc(*memory, bytes);
  return *memory ? 0 : PETSC_ERR_MEM;
}

static PetscErrorCode CountedFree(void *memory, int line, const char function[], const char file[])
{
  (void)line;
  (void)function;
  (void)file;
  free(memory);
  return 0;
}

PetscErrorCode TestCountAllocations(void) { return PetscMallocSet(CountedMalloc, CountedFree, CountedRealloc); }
