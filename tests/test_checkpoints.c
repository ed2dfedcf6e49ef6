/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Checkpoints of a rollout in memory, on disk and rounded, and rollouts of unknown length: whatever is kept where, and whatever is
   lost, the gradient is that of store-all bit for bit. The step diffuses and advects a velocity. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/tape.h>
#include "support.h"
#include "tape/impl.h"

#define STEPS 23

typedef struct {
  WeftGrid           grid;
  WeftSpace          velocity, viscosity;
  WeftRolloutOptions options;
  WeftState          input[2], target[STEPS], bar[2], reference[2]; /* reference: gradient by store-all */
  PetscReal          loss;
  char               folder[64];
} Problem;

static PetscErrorCode CreateStep(Problem *p)
{
  WeftProgram program;
  WeftOp      diffuse, advect;
  PetscInt    v, nu, w, u;

  PetscFunctionBegin;
  PetscCall(WeftOpCreateDiffuse(p->velocity, 0.1, &diffuse));
  PetscCall(WeftOpCreateAdvect(p->velocity, p->velocity, WEFT_ADVECT_SEMI_LAGRANGIAN, 0.1, &advect));
  PetscCall(WeftProgramCreate(PETSC_COMM_WORLD, &program));
  PetscCall(WeftProgramInput(program, "velocity", p->velocity, &v));
  PetscCall(WeftProgramInput(program, "viscosity", p->viscosity, &nu));
  PetscCall(WeftProgramCall(program, diffuse, (PetscInt[]){v, nu}, &w));
  PetscCall(WeftProgramCall(program, advect, (PetscInt[]){w, w}, &u));
  PetscCall(WeftProgramOutput(program, u));
  PetscCall(WeftProgramFinish(&program, "step", &p->options.step));
  PetscCall(WeftOpDestroy(&diffuse));
  PetscCall(WeftOpDestroy(&advect));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProblemCreate(Problem *p)
{
  WeftGridOptions box = {0};
  PetscMPIInt     size;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(p, sizeof(*p)));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(TestSetKey("grid_cells", "24; 16"));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &p->grid));
  PetscCall(WeftSpaceCreateVelocity(p->grid, 1, &p->velocity));
  PetscCall(WeftSpaceCreateNumbers(PETSC_COMM_WORLD, 1, 1, PETSC_TRUE, &p->viscosity));
  PetscCall(CreateStep(p));
  PetscCall(WeftOpCreateError(p->velocity, WEFT_ERROR_SQUARED, NULL, &p->options.loss));
  p->options.states = 1;
  p->options.length = STEPS;
  for (PetscInt i = 0; i < 2; i++) {
    const WeftSpace space = i ? p->viscosity : p->velocity;
    PetscCall(WeftStateCreate(space, &p->input[i]));
    PetscCall(WeftStateCreate(space, &p->bar[i]));
    PetscCall(WeftStateCreate(space, &p->reference[i]));
    PetscCall(WeftStateSetRandom(p->input[i], 1 + i, 0, i ? 0.5 : 0.3, i ? 0.0 : 1.0));
  }
  for (PetscInt n = 0; n < STEPS; n++) {
    PetscCall(WeftStateCreate(p->velocity, &p->target[n]));
    PetscCall(WeftStateSetRandom(p->target[n], 10 + n, 0, 0.0, 1.0));
  }
  PetscCall(PetscSNPrintf(p->folder, sizeof(p->folder), "checkpoints_disk_%d", (int)size));
  if (!PetscGlobalRank) (void)mkdir(p->folder, 0777);
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProblemDestroy(Problem *p)
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (!PetscGlobalRank) TestCheck(!rmdir(p->folder), "files are left in %s", p->folder);
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateDestroy(&p->input[i]));
    PetscCall(WeftStateDestroy(&p->bar[i]));
    PetscCall(WeftStateDestroy(&p->reference[i]));
  }
  for (PetscInt n = 0; n < STEPS; n++) PetscCall(WeftStateDestroy(&p->target[n]));
  PetscCall(WeftOpDestroy(&p->options.step));
  PetscCall(WeftOpDestroy(&p->options.loss));
  PetscCall(WeftSpaceDestroy(&p->velocity));
  PetscCall(WeftSpaceDestroy(&p->viscosity));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscFunctionReturn(0);
}

/* bar := gradient, loss := this rank's part of the loss. */
static PetscErrorCode Gradient(Problem *p, WeftRollout rollout)
{
  PetscFunctionBegin;
  PetscCall(WeftRolloutForward(rollout, p->input, p->target, &p->loss, NULL));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateZero(p->bar[i]));
  PetscCall(WeftRolloutReverse(rollout, NULL, p->bar));
  PetscFunctionReturn(0);
}

/* Owned values of the gradient in bar and of the reference, bit for bit. */
static PetscErrorCode Same(Problem *p, const char *what)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    const size_t bytes = WeftSpacePackedBytes(WeftStateSpace(p->bar[i]), PETSC_FALSE);
    char        *one, *two;
    PetscBool    same;
    PetscCall(PetscMalloc2(bytes, &one, bytes, &two));
    PetscCall(WeftStatePack(p->bar[i], PETSC_FALSE, one));
    PetscCall(WeftStatePack(p->reference[i], PETSC_FALSE, two));
    PetscCall(PetscMemcmp(one, two, bytes, &same));
    TestCheck(same, "%s: the gradient by input %d differs from that of store-all", what, (int)i);
    PetscCall(PetscFree2(one, two));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Reference(Problem *p, PetscInt length)
{
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;

  PetscFunctionBegin;
  options.length = length;
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(Gradient(p, rollout));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateCopy(p->bar[i], p->reference[i]));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscFunctionReturn(0);
}

/* ---- where checkpoints are ---------------------------------------------------------------------------------------------- */

static PetscErrorCode TestPlans(Problem *p)
{
  static const WeftTapePlan plans[] = {{1, 0, 1}, {3, 0, 1}, {4, 0, 3}, {5, 4, 1}, {4, 3, 2}, {6, 2, 2}, {8, 7, 1}};
  WeftRolloutOptions        options = p->options;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(options.disk, p->folder, sizeof(options.disk)));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(plans); k++) {
    WeftRollout rollout;
    PetscReal   predicted, measured;
    PetscCall(WeftRolloutCreatePlanned(&options, &plans[k], &rollout));
    for (PetscInt update = 0; update < 2; update++) {
      PetscCall(Gradient(p, rollout));
      PetscCall(Same(p, "checkpoints"));
    }
    PetscCall(WeftRolloutPlays(rollout, &predicted, &measured));
    TestCheck(predicted == measured, "%g plays per step, predicted %g", (double)measured, (double)predicted);
    PetscCall(WeftRolloutDestroy(&rollout));
  }
  PetscFunctionReturn(0);
}

/* A budget that holds few checkpoints goes on on disk, with fewer plays; predicted bytes are those taken. */
static PetscErrorCode TestBudget(Problem *p)
{
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;
  PetscReal          plays[2], unused;
  size_t             predicted, measured, all;

  PetscFunctionBegin;
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftRolloutMemory(rollout, &all, &measured));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_UINT64_T, MPI_MAX, PETSC_COMM_WORLD));
  options.memory = all / 6;
  for (PetscInt k = 0; k < 2; k++) {
    if (k) PetscCall(PetscStrncpy(options.disk, p->folder, sizeof(options.disk)));
    PetscCall(WeftRolloutCreate(&options, &rollout));
    PetscCall(Gradient(p, rollout));
    PetscCall(Same(p, "a sixth of the memory"));
    PetscCall(WeftRolloutPlays(rollout, &plays[k], &unused));
    PetscCall(WeftRolloutMemory(rollout, &predicted, &measured));
    TestCheck(predicted <= options.memory, "%zu bytes predicted, %zu allowed", predicted, options.memory);
#if !defined(__SANITIZE_ADDRESS__) /* its allocator does not tell the C library what it gave */
    TestCheck(measured >= predicted && (double)measured <= 1.1 * (double)predicted + 16384.0, "%zu bytes taken, %zu predicted", measured, predicted);
#endif
    PetscCall(WeftRolloutDestroy(&rollout));
  }
  TestCheck(plays[1] < plays[0], "%g plays per step with a disk, %g without", (double)plays[1], (double)plays[0]);
  PetscFunctionReturn(0);
}

/* ---- disk --------------------------------------------------------------------------------------------------------------- */

static PetscInt FilesIn(const char *folder)
{
  PetscInt       count     = 0;
  DIR           *directory = opendir(folder);
  struct dirent *entry;

  while (directory && (entry = readdir(directory))) count += entry->d_name[0] != '.';
  if (directory) closedir(directory);
  return count;
}

/* The files have no name, so a crash leaves none; those of runs that died before are removed. */
static PetscErrorCode TestFiles(Problem *p)
{
  const WeftTapePlan plan    = {4, 3, 1};
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;
  char               stale[128];

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(options.disk, p->folder, sizeof(options.disk)));
  PetscCall(PetscSNPrintf(stale, sizeof(stale), "%s/weft_tape_stale%d", p->folder, (int)PetscGlobalRank));
  fclose(fopen(stale, "w"));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(WeftRolloutCreatePlanned(&options, &plan, &rollout));
  PetscCall(Gradient(p, rollout));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  TestCheck(!FilesIn(p->folder), "%d files in %s while the rollout lives", (int)FilesIn(p->folder), p->folder);
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(PetscStrncpy(options.disk, "checkpoints_nowhere", sizeof(options.disk)));
  TestFails(WeftRolloutCreatePlanned(&options, &plan, &rollout), "tape_disk");
  PetscFunctionReturn(0);
}

static PetscErrorCode LimitFiles(rlim_t bytes)
{
  struct rlimit limit;

  PetscFunctionBegin;
  TestCheck(!getrlimit(RLIMIT_FSIZE, &limit), "no limit of files");
  limit.rlim_cur = bytes;
  TestCheck(!setrlimit(RLIMIT_FSIZE, &limit), "cannot limit files");
  PetscFunctionReturn(0);
}

/* The last rank's disk is too small (before), or fails while it is used (later): all ranks play again instead, with one warning. */
static PetscErrorCode TestFull(Problem *p, PetscBool later)
{
  const WeftTapePlan plan    = {6, 5, 1};
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;
  PetscReal          predicted, measured;
  PetscMPIInt        size;
  char               text[4096];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscStrncpy(options.disk, p->folder, sizeof(options.disk)));
  if (!later && PetscGlobalRank == size - 1) PetscCall(LimitFiles(2 * 8192)); /* two slots of up to 6144 bytes */
  PetscCall(TestCaptureBegin());
  PetscCall(WeftRolloutCreatePlanned(&options, &plan, &rollout));
  if (later && PetscGlobalRank == size - 1) PetscCall(LimitFiles(4096));
  for (PetscInt update = 0; update < 2; update++) PetscCall(Gradient(p, rollout));
  PetscCall(LimitFiles(RLIM_INFINITY));
  PetscCall(TestCaptureEnd(text, (int)sizeof(text)));
  TestCheck(strstr(text, "tape_disk") && !strstr(strstr(text, "tape_disk") + 1, "tape_disk"), "not one warning: %s", text);
  PetscCall(Same(p, "a full disk"));
  PetscCall(WeftRolloutPlays(rollout, &predicted, &measured));
  TestCheck(later ? measured > predicted : measured == predicted, "%g plays per step, predicted %g", (double)measured, (double)predicted);
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscFunctionReturn(0);
}

/* ---- unknown length, rounded checkpoints ---------------------------------------------------------------------------------- */

static PetscErrorCode StopAt(PetscInt steps, const WeftState states[], void *context, PetscBool *stop)
{
  (void)states;
  *stop = steps == *(const PetscInt *)context ? PETSC_TRUE : PETSC_FALSE;
  return 0;
}

static PetscErrorCode TestOnline(Problem *p, PetscInt length)
{
  static const WeftTapePlan plans[] = {{1, 0, 1}, {3, 0, 1}, {3, 0, 2}, {4, 2, 2}, {0, 0, STEPS}};
  WeftRolloutOptions        options = p->options;
  WeftRollout               rollout;

  PetscFunctionBegin;
  PetscCall(Reference(p, length));
  PetscCall(PetscStrncpy(options.disk, p->folder, sizeof(options.disk)));
  options.stop         = StopAt;
  options.stop_context = &length;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(plans); k++) {
    PetscCall(WeftRolloutCreatePlanned(&options, &plans[k], &rollout));
    for (PetscInt update = 0; update < 2; update++) {
      PetscCall(Gradient(p, rollout));
      TestCheck(WeftRolloutSteps(rollout) == length, "%d steps, expected %d", (int)WeftRolloutSteps(rollout), (int)length);
      PetscCall(Same(p, "unknown length"));
    }
    PetscCall(WeftRolloutDestroy(&rollout));
  }
  PetscFunctionReturn(0);
}

/* In float32 the gradient is off by round-off of float32, and by no more. */
static PetscErrorCode TestRounded(Problem *p)
{
  const WeftTapePlan plan    = {4, 0, 2};
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;
  PetscReal          norm, error;

  PetscFunctionBegin;
  options.rounded = PETSC_TRUE;
  TestCheck(2 * WeftSpacePackedBytes(p->velocity, PETSC_TRUE) == WeftSpacePackedBytes(p->velocity, PETSC_FALSE), "rounded checkpoints take more than half");
  PetscCall(WeftRolloutCreatePlanned(&options, &plan, &rollout));
  PetscCall(Gradient(p, rollout));
  PetscCall(WeftStateNorm(p->reference[0], NORM_2, &norm));
  PetscCall(WeftStateAXPY(p->bar[0], -1.0, p->reference[0]));
  PetscCall(WeftStateNorm(p->bar[0], NORM_2, &error));
  TestCheck(error > 0.0 && error < 1e-5 * norm, "rounded checkpoints change the gradient by %g of its norm", (double)(error / norm));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  Problem p;

  PetscFunctionBegin;
  signal(SIGXFSZ, SIG_IGN); /* a file beyond its limit is an error of the call */
  PetscCall(ProblemCreate(&p));
  PetscCall(Reference(&p, STEPS));
  PetscCall(TestPlans(&p));
  PetscCall(TestBudget(&p));
  PetscCall(TestFiles(&p));
  PetscCall(TestFull(&p, PETSC_FALSE));
  PetscCall(TestFull(&p, PETSC_TRUE));
  PetscCall(TestRounded(&p));
  PetscCall(TestOnline(&p, 17));
  PetscCall(TestOnline(&p, STEPS));
  PetscCall(ProblemDestroy(&p));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
