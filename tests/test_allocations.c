/* ctest: unit; ranks 1 2; timeout 60 */
/* No memory is taken in the time loop: not by a forward step, not by a sweep forwards and backwards, not by an update of the trainer,
   once each has run. All of the C library's allocations are counted, but those of the MPI library, which sends messages with them. */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "base/impl.h"
#include "train/trainer.h"

/* ---- counting ------------------------------------------------------------------------------------------------------- */

static PetscBool counting;
static PetscInt  allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define LIBRARIES 128
typedef struct {
  const char *begin, *end;
} Range;
static Range    mpi[LIBRARIES];
static PetscInt libraries;

/* The pieces of code of a library of MPI. */
static int AddLibrary(struct dl_phdr_info *library, size_t size, void *context)
{
  static const char *const names[] = {"libmpi",   "libopen-", "mca_",      "libpmix", "libevent",
                                      "libhwloc", "libuc",    "libfabric", "libpsm"};
  const char              *slash = strrchr(library->dlpi_name, '/'), *name = slash ? slash + 1 : library->dlpi_name;

  (void)size;
  (void)context;
  for (size_t n = 0; n < PETSC_STATIC_ARRAY_LENGTH(names); n++) {
    if (strncmp(name, names[n], strlen(names[n]))) continue;
    for (int h = 0; h < library->dlpi_phnum && libraries < LIBRARIES; h++) {
      const char *begin = (const char *)library->dlpi_addr + library->dlpi_phdr[h].p_vaddr;
      if (library->dlpi_phdr[h].p_type == PT_LOAD && library->dlpi_phdr[h].p_flags & PF_X)
        mpi[libraries++] = (Range){begin, begin + library->dlpi_phdr[h].p_memsz};
    }
  }
  return 0;
}

static void Count(const void *caller)
{
  if (!counting) return;
  for (PetscInt r = 0; r < libraries; r++)
    if ((const char *)caller >= mpi[r].begin && (const char *)caller < mpi[r].end) return;
  allocations++;
}

static void Begin(void)
{
  libraries = 0;
  dl_iterate_phdr(AddLibrary, NULL);
  allocations = 0;
  counting    = PETSC_TRUE;
}

/* The program's own come before the C library's, for every library in the process. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void *malloc(size_t bytes)
{
  Count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes)
{
  Count(__builtin_return_address(0));
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes)
{
  Count(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}
void *memalign(size_t alignment, size_t bytes)
{
  Count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes)
{
  Count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
  Count(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : 12; /* ENOMEM */
}
#define CountFromMain() 0
#else /* PETSc's alone */
static void Begin(void)
{
  allocations = -test_allocations;
  counting    = PETSC_TRUE;
}
#define CountFromMain() TestCountAllocations()
#endif

static PetscInt End(void)
{
  if (counting && allocations < 0) allocations += test_allocations;
  counting = PETSC_FALSE;
  return allocations;
}

/* ---- what is played ------------------------------------------------------------------------------------------------- */

static PetscErrorCode LoadCase(const char *text)
{
  PetscMPIInt rank, size;
  char        path[64];

  PetscFunctionBegin;
  PetscCall(WeftTableForgetCase());
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(path, sizeof(path), "allocations_%d.yaml", (int)size));
  if (!rank) {
    FILE *file = fopen(path, "w");
    TestCheck(file, "cannot write %s", path);
    fputs(text, file);
    fclose(file);
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(WeftCaseLoad(path));
  PetscFunctionReturn(0);
}

static const char *const wake =
    "grid: {cells: [16, 32], lower: [0, 0], upper: [50, 100], sides: [noslip, open], wall: value}\n"
    "model: {dt: 1.0, steps: [diffuse velocity, prescribe, advect velocity, obstacle, project], reynolds: 100}\n"
    "prescribe: {region: [\"y < 5\"], velocity: [\"0\", \"1\"]}\n"
    "obstacle: {shapes: [circle 25 25 8]}\n"
    "initial: {type: expression, velocity: [\"0.1 * sin(x)\", \"1\"]}\n";
static const char *const smoke =
    "grid: {cells: [16, 20], sides: noslip}\n"
    "model: {dt: 0.5, steps: [advect smoke, inflow, advect velocity, buoyancy, diffuse velocity, project], "
    "advect_smoke: maccormack, advect_velocity: maccormack, viscosity: 0.01, buoyancy: [0, 1]}\n"
    "inflow: {region: [\"y < 5\"], rate: 0.1}\n"
    "initial: {type: expression, velocity: [\"0.1 * sin(x)\", \"0.1 * cos(y)\"]}\n";
static const char *const train = "grid: {cells: [16, 16], sides: [periodic]}\n"
                                 "model: {dt: 0.5, steps: [diffuse velocity, advect velocity, project, correct]}\n"
                                 "net: {layers: [conv 3 8 relu, residual 3 8, conv 1 2]}\n"
                                 "train: {unroll: 2, batch: 2}\n";

static PetscErrorCode TestSteps(const char *text, const char *name)
{
  Flow f = {NULL};

  PetscFunctionBegin;
  PetscCall(LoadCase(text));
  Begin();
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  TestCheck(End() > 0, "the allocations are not counted");
  PetscCall(FlowPlay(&f, 2)); /* both states as inputs */
  Begin();
  PetscCall(FlowPlay(&f, 3));
  TestCheck(End() == 0, "%s: %" PetscInt_FMT " allocations in three steps", name, allocations);
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestSweeps(const char *text, const char *name)
{
  Flow               f       = {NULL};
  WeftRolloutOptions options = {0};
  WeftRollout        rollout;
  WeftState          bar[WEFT_OP_MAX], final_bar[WEFT_OP_MAX];
  PetscInt           inputs;

  PetscFunctionBegin;
  PetscCall(LoadCase(text));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  options.step   = WeftModelStep(f.model);
  options.states = WeftModelStates(f.model);
  options.length = 3;
  inputs         = WeftOpInputs(options.step);
  PetscCall(WeftRolloutCreate(&options, &rollout));
  for (PetscInt i = 0; i < inputs; i++) PetscCall(WeftStateCreate(WeftOpInSpace(options.step, i), &bar[i]));
  for (PetscInt i = 0; i < options.states; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(options.step, i), &final_bar[i]));
    PetscCall(WeftStateSetRandom(final_bar[i], 5, 0, 0.0, 1.0));
  }
  for (PetscInt n = 0; n < 2; n++) {
    if (n) Begin();
    PetscCall(WeftRolloutForward(rollout, f.in, NULL, NULL, NULL));
    PetscCall(WeftRolloutReverse(rollout, final_bar, bar));
  }
  TestCheck(End() == 0, "%s: %" PetscInt_FMT " allocations in a sweep forwards and backwards", name, allocations);
  for (PetscInt i = 0; i < inputs; i++) PetscCall(WeftStateDestroy(&bar[i]));
  for (PetscInt i = 0; i < options.states; i++) PetscCall(WeftStateDestroy(&final_bar[i]));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestUpdates(PetscInt size, PetscInt replicas)
{
  WeftTrainer   trainer;
  WeftOptimizer optimizer;
  double       *gradient;
  PetscReal     loss, norm;
  char          path[64], number[16];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "allocations_%" PetscInt_FMT "_%" PetscInt_FMT ".h5", size, replicas));
  PetscCall(PetscSNPrintf(number, sizeof(number), "%" PetscInt_FMT, replicas));
  PetscCall(LoadCase(train));
  PetscCall(TestWriteDataset(path, 2, 4, 0.3));
  PetscCall(TestSetKey("train_dataset", path));
  PetscCall(TestSetKey("team_replicas", number));
  PetscCall(WeftTrainerCreate(&trainer));
  PetscCall(WeftOptimizerCreateFromKeys(trainer->parameters, 4, &optimizer));
  PetscCall(PetscMalloc1(trainer->parameters, &gradient));
  for (PetscInt k = 0; k < 3; k++) {
    if (k == 1) Begin();
    PetscCall(WeftTrainerGradient(trainer, k, &loss, gradient, NULL));
    PetscCall(WeftOptimizerStep(optimizer, k, gradient, WeftTrainerWeights(trainer), &norm));
  }
  TestCheck(End() == 0, "%" PetscInt_FMT " allocations in two updates of the trainer", allocations);
  PetscCall(PetscFree(gradient));
  PetscCall(WeftOptimizerDestroy(&optimizer));
  PetscCall(WeftTrainerDestroy(&trainer));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(TestSteps(wake, "wake"));
  PetscCall(TestSteps(smoke, "smoke"));
  PetscCall(TestSweeps(wake, "wake"));
  PetscCall(TestSweeps(smoke, "smoke"));
  for (PetscInt replicas = 1; replicas <= size; replicas++) PetscCall(TestUpdates(size, replicas));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (CountFromMain()) return 1;
  return TestMain(argc, argv, Test);
}
