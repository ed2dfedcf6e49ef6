/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Samples of an update: turned by the symmetries of a case as by hand, from memory or from a disk beyond a budget, always the same bits;
   symmetries that a step does not have, and budgets that hold nothing, are refused. */
#include <sys/resource.h>
#include <weft/train.h>
#include "base/impl.h"
#include "support.h"
#include "train/frames.h"
#include "train/trainer.h"

#define N 16 /* cells along an axis */
#define SIMULATIONS 4
#define FRAMES 8
#define UPDATES 6

static char data[64], path[64];

static PetscErrorCode LoadCase(const char *more)
{
  PetscFunctionBegin;
  PetscCall(WeftTableForgetCase());
  if (!PetscGlobalRank) {
    FILE *file = fopen(path, "w");
    TestCheck(file, "cannot write %s", path);
    fprintf(file,
            "grid: {cells: [%d, %d], sides: [periodic]}\nnet: {layers: [conv 3 4 tanh, conv 1 2], precision: double}\nteam: {replicas: 1}\nforce: [\"sin(x)\", \"0\"]\n"
            "model: {dt: 0.5, steps: [diffuse velocity, advect velocity, project, %s\n",
            N, N, more);
    fclose(file);
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(WeftCaseLoad(path));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateTrainer(const char *step, const char *keys, WeftTrainer *trainer)
{
  char more[512];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(more, sizeof(more), "%scorrect]}\ntrain: {unroll: 2, batch: 2, dataset: %s%s}", step, data, keys));
  PetscCall(LoadCase(more));
  PetscFunctionReturn(WeftTrainerCreate(trainer));
}

/* u'(x') of a flip of x, or of a quarter turn x' = -y, y' = x, written down by hand: faces n - i, cells n - 1 - i. */
static PetscErrorCode TurnByHand(PetscBool rotate, WeftState state, PetscInt sample)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);
  double           *u[2];
  PetscInt          shape[3], lo[3], hi[3];

  PetscFunctionBegin;
  for (PetscInt c = 0; c < 2; c++) PetscCall(WeftStateGather(state, c, sample, shape, &u[c]));
  for (PetscInt c = 0; c < 2; c++) {
    double *plane = WeftStatePlaneWrite(state, c, sample);
    WeftLayoutOwned(l, (WeftLocation)c, lo, hi);
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        const PetscInt reversed = c == 0 ? (N - i) % N : N - 1 - i;
        const double   value    = rotate ? u[1 - c][j + N * reversed] : u[c][reversed + N * j];
        plane[WeftLayoutIndex(l, i, j, 0)] = c == 0 ? -value : value;
      }
  }
  for (PetscInt c = 0; c < 2; c++) PetscCall(PetscFree(u[c]));
  PetscFunctionReturn(0);
}

/* Loss and gradient of turned updates are those of the samples turned by hand, bit for bit. */
static PetscErrorCode TestTurned(const char *key, PetscBool rotate)
{
  WeftTrainer plain, turned;
  PetscReal   loss, by_hand;
  double     *gradient, *expected;
  PetscInt    seen = 0, unturned = 0;

  PetscFunctionBegin;
  PetscCall(CreateTrainer("", "", &plain));
  PetscCall(PetscMalloc2(plain->parameters, &gradient, plain->parameters, &expected));
  PetscCall(CreateTrainer("", key, &turned));
  TestCheck(WeftBatchesTurns(turned->batches) == (rotate ? 4 : 2), "a group of %" PetscInt_FMT, WeftBatchesTurns(turned->batches));
  for (PetscInt k = 0; k < UPDATES; k++) {
    PetscCall(WeftTrainerGradient(turned, k, &loss, gradient, NULL));
    PetscCall(WeftTrainerLoad(plain, k));
    for (PetscInt s = 0; s < 2; s++) {
      const WeftWindow w = turned->window[s];
      TestCheck(w.simulation == plain->window[s].simulation && w.frame == plain->window[s].frame, "turned samples are other ones");
      if (w.turn) seen++;
      else unturned++;
      for (PetscInt turn = 0; turn < w.turn; turn++)
        for (PetscInt n = -1; n < 2; n++) PetscCall(TurnByHand(rotate, n < 0 ? plain->input[0] : plain->target[n], s));
    }
    PetscCall(WeftTrainerDifferentiate(plain, &by_hand, expected, NULL));
    TestCheck(loss == by_hand, "update %" PetscInt_FMT ": loss %.17g, by hand %.17g", k, loss, by_hand);
    for (PetscInt i = 0; i < plain->parameters; i++) TestCheck(gradient[i] == expected[i], "update %" PetscInt_FMT ", weight %" PetscInt_FMT ": gradient %.17g, by hand %.17g", k, i, gradient[i], expected[i]);
  }
  TestCheck(seen > 2 && unturned > 0, "%" PetscInt_FMT " samples were turned, %" PetscInt_FMT " not", seen, unturned);
  PetscCall(PetscFree2(gradient, expected));
  PetscCall(WeftTrainerDestroy(&plain));
  PetscCall(WeftTrainerDestroy(&turned));
  PetscFunctionReturn(0);
}

/* A force along x has no mirror image; nor has a box of other sides at its ends a turn. */
static PetscErrorCode TestRefused(void)
{
  WeftTrainer t;

  PetscFunctionBegin;
  TestCheck(CreateTrainer("force, ", ", augment: [flip x]", &t) == WEFT_ERR_USER, "a force along x passed as symmetric under a flip of x");
  TestCheck(CreateTrainer("", ", augment: [flip z]", &t) == WEFT_ERR_USER, "a flip of z in two dimensions");
  TestCheck(CreateTrainer("", ", memory: 1kB", &t) == WEFT_ERR_USER, "a budget that does not hold two updates");
  PetscFunctionReturn(0);
}

/* Half of the frames on disk, read ahead or (updates out of order) not: the same bits, in bounded memory. */
static PetscErrorCode TestStreamed(void)
{
  const size_t frame = (size_t)(2 * N * N / PetscGlobalSize) * sizeof(float), budget = 18 * frame;
  WeftTrainer  all, streamed;
  PetscReal    loss, expected_loss;
  double      *gradient, *expected;
  PetscInt     resident, frames;
  size_t       bytes;
  char         key[64];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(key, sizeof(key), ", memory: %d, disk: .", (int)budget));
  PetscCall(CreateTrainer("", key, &streamed));
  WeftBatchesMemory(streamed->batches, &resident, &frames, &bytes);
  TestCheck(frames == SIMULATIONS * FRAMES && resident == 5 && bytes <= budget, "%" PetscInt_FMT " of %" PetscInt_FMT " frames in %g bytes of %g", resident, frames, (double)bytes, (double)budget);
  PetscCall(CreateTrainer("", "", &all));
  TestCheck(all->scales.velocity[0] == streamed->scales.velocity[0] && all->scales.velocity[1] == streamed->scales.velocity[1], "other scales");
  PetscCall(PetscMalloc2(all->parameters, &gradient, all->parameters, &expected));
  for (PetscInt n = 0; n < 3 * UPDATES; n++) {
    const PetscInt k = n < 2 * UPDATES ? n : 4 * UPDATES - n;
    PetscCall(WeftTrainerGradient(all, k, &expected_loss, expected, NULL));
    PetscCall(WeftTrainerGradient(streamed, k, &loss, gradient, NULL));
    TestCheck(loss == expected_loss, "update %" PetscInt_FMT ": loss %.17g from disk, %.17g from memory", k, loss, expected_loss);
    for (PetscInt i = 0; i < all->parameters; i++) TestCheck(gradient[i] == expected[i], "update %" PetscInt_FMT ", weight %" PetscInt_FMT ": another gradient", k, i);
  }
  PetscCall(PetscFree2(gradient, expected));
  PetscCall(WeftTrainerDestroy(&all));
  PetscCall(WeftTrainerDestroy(&streamed));
  PetscFunctionReturn(0);
}

static double MegabytesMost(void)
{
  struct rusage use;

  getrusage(RUSAGE_SELF, &use);
  return 1e-3 * (double)use.ru_maxrss;
}

/* 32 MB of frames within 4: the process grows by less than 8, and every frame comes back. */
static PetscErrorCode TestResident(void)
{
  enum { COUNT = 512, VALUES = 8192, AHEAD = 8 };
  const double    before = MegabytesMost();
  WeftGridOptions box;
  WeftFrames      frames;
  WeftGrid        grid;
  double         *values;

  PetscFunctionBegin;
  PetscCall(LoadCase("correct]}\ntrain: {memory: 4MB, disk: .}"));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftFramesCreate(grid, COUNT, VALUES, AHEAD, PETSC_FALSE, &frames));
  PetscCall(PetscMalloc1(VALUES, &values));
  for (PetscInt f = 0; f < COUNT; f++) {
    for (PetscInt i = 0; i < VALUES; i++) values[i] = (double)(f * VALUES + i);
    PetscCall(WeftFramesPut(frames, f, values));
  }
  for (PetscInt f = 0; f < COUNT; f++) {
    const PetscInt at = (f * 37) % COUNT;
    const double  *got;
    if (f % AHEAD == 0)
      for (PetscInt n = 0; n < AHEAD; n++) WeftFramesFetch(frames, ((f + n) * 37) % COUNT);
    PetscCall(WeftFramesGet(frames, at, &got));
    for (PetscInt i = 0; i < VALUES; i += 511) TestCheck(got[i] == (double)(at * VALUES + i), "frame %" PetscInt_FMT " is another one", at);
  }
  TestCheck(MegabytesMost() - before < 8.0, "the process grew by %.1f MB", MegabytesMost() - before);
  PetscCall(PetscFree(values));
  PetscCall(WeftFramesDestroy(&frames));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(data, sizeof(data), "batches_%d.h5", PetscGlobalSize));
  PetscCall(PetscSNPrintf(path, sizeof(path), "batches_%d.yaml", PetscGlobalSize));
  PetscCall(TestResident());
  PetscCall(LoadCase("correct]}"));
  PetscCall(TestWriteDataset(data, SIMULATIONS, FRAMES, 0.3));
  PetscCall(TestTurned(", augment: [flip x]", PETSC_FALSE));
  PetscCall(TestTurned(", augment: [rotate xy]", PETSC_TRUE));
  PetscCall(TestStreamed());
  PetscCall(TestRefused());
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (!PetscGlobalRank) {
    remove(data);
    remove(path);
  }
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
