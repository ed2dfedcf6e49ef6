/* ctest: unit; ranks 1 2 4; timeout 60 */
/* The trainer on small data: which windows an update takes, the gradient against differences of the loss, no allocation after
   the first update, and a mistake that one replica alone meets. */
#include <weft/train.h>
#include "base/impl.h"
#include "support.h"
#include "train/trainer.h"

#define SIMULATIONS 6
#define FRAMES 8
#define UNROLL 4
#define BATCH 3
#define PER_EPOCH (SIMULATIONS * (FRAMES - UNROLL) / BATCH)

static const char *const case_text = "grid: {cells: [12, 16], sides: [periodic]}\n"
                                     "model: {dt: 0.5, steps: [diffuse velocity, advect velocity, project, correct]}\n";

static PetscErrorCode LoadCase(const char *path, const char *more)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCall(WeftTableForgetCase());
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (!rank) {
    FILE *file = fopen(path, "w");
    TestCheck(file, "cannot write %s", path);
    fprintf(file, "%s%s", case_text, more);
    fclose(file);
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(WeftCaseLoad(path));
  PetscFunctionReturn(0);
}

/* 6 simulations of 4 windows, 3 to an update: 8 updates an epoch. Every update has one Reynolds number; in three epochs (whole
   rounds of each group) every window comes three times; epochs differ in order; another look at the same update finds the same. */
static PetscErrorCode TestWindows(WeftTrainer t)
{
  PetscInt   visits[SIMULATIONS][FRAMES] = {{0}}, same_order = 0;
  WeftWindow window[3 * PER_EPOCH][BATCH], again[BATCH];

  PetscFunctionBegin;
  TestCheck(WeftBatchesPerEpoch(t->batches) == PER_EPOCH, "%" PetscInt_FMT " updates an epoch, not %d",
            WeftBatchesPerEpoch(t->batches), PER_EPOCH);
  for (PetscInt k = 0; k < 3 * PER_EPOCH; k++) {
    PetscCall(WeftBatchesDraw(t->batches, k, window[k]));
    for (PetscInt i = 0; i < BATCH; i++) {
      TestCheck(window[k][i].frame >= 0 && window[k][i].frame + UNROLL < FRAMES, "a window beyond the frames");
      TestCheck(window[k][i].simulation / 2 == window[k][0].simulation / 2, "update %" PetscInt_FMT " mixes Reynolds numbers",
                k);
      visits[window[k][i].simulation][window[k][i].frame]++;
    }
    if (k >= PER_EPOCH && window[k][0].simulation == window[k - PER_EPOCH][0].simulation &&
        window[k][0].frame == window[k - PER_EPOCH][0].frame)
      same_order++;
  }
  for (PetscInt s = 0; s < SIMULATIONS; s++)
    for (PetscInt f = 0; f < FRAMES; f++)
      TestCheck(visits[s][f] == (f + UNROLL < FRAMES ? 3 : 0),
                "window %" PetscInt_FMT " of simulation %" PetscInt_FMT " came %" PetscInt_FMT " times in three epochs", f, s,
                visits[s][f]);
  TestCheck(same_order < PER_EPOCH, "the epochs have one order");
  for (PetscInt k = 3 * PER_EPOCH - 1; k >= 0; k -= 5) {
    PetscCall(WeftBatchesDraw(t->batches, k, again));
    for (PetscInt i = 0; i < BATCH; i++)
      TestCheck(again[i].simulation == window[k][i].simulation && again[i].frame == window[k][i].frame,
                "update %" PetscInt_FMT " takes other windows when it is asked for again", k);
  }
  PetscFunctionReturn(0);
}

/* The gradient along a direction is the slope of the loss: central differences of a smooth net at a step of 1e-5. */
static PetscErrorCode TestGradient(WeftTrainer t)
{
  double   *gradient, *unused, *w = WeftTrainerWeights(t), slope = 0.0;
  PetscReal loss, beside[2];
  PetscInt  before;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(t->parameters, &gradient, t->parameters, &unused));
  PetscCall(WeftTrainerGradient(t, 0, &loss, gradient, NULL));
  before = test_allocations;
  PetscCall(WeftTrainerGradient(t, 0, &loss, gradient, NULL));
  TestCheck(before > 0 && test_allocations == before, "%" PetscInt_FMT " allocations in the second update",
            test_allocations - before);
  for (PetscInt side = 0; side < 2; side++) {
    const double h = side ? -1e-5 : 1e-5;
    for (PetscInt i = 0; i < t->parameters; i++) w[i] += h * (2.0 * WeftRandomUniform(7, WEFT_STREAM_TEST, i) - 1.0);
    PetscCall(WeftTrainerGradient(t, 0, &beside[side], unused, NULL));
    for (PetscInt i = 0; i < t->parameters; i++) w[i] -= h * (2.0 * WeftRandomUniform(7, WEFT_STREAM_TEST, i) - 1.0);
  }
  for (PetscInt i = 0; i < t->parameters; i++) slope += gradient[i] * (2.0 * WeftRandomUniform(7, WEFT_STREAM_TEST, i) - 1.0);
  TestCheck(PetscAbsReal(slope) > 1e-3, "a slope of %g tests nothing", slope);
  PetscCall(TestClose((beside[0] - beside[1]) / 2e-5, slope, 1e-6 * PetscAbsReal(slope), "slope of the loss"));
  PetscCall(PetscFree2(gradient, unused));
  PetscFunctionReturn(0);
}

/* One sample of an update moves farther than the halo in a step: every rank of every replica learns of it. */
static PetscErrorCode TestFault(WeftTrainer t)
{
  WeftWindow window[2];
  PetscReal  loss;
  PetscInt   k = 0;
  double    *gradient;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(t->parameters, &gradient));
  do PetscCall(WeftBatchesDraw(t->batches, k++, window));
  while (window[0].simulation == window[1].simulation);
  TestCheck(WeftTrainerGradient(t, k - 1, &loss, gradient, NULL) == WEFT_ERR_USER,
            "a sample that leaves the halo went unnoticed");
  do PetscCall(WeftBatchesDraw(t->batches, k++, window));
  while (window[0].simulation || window[1].simulation);
  PetscCall(WeftTrainerGradient(t, k - 1, &loss, gradient, NULL)); /* nothing of it is left */
  PetscCall(PetscFree(gradient));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt size;
  WeftTrainer trainer;
  char        data[64], path[64], more[512];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(data, sizeof(data), "train_%d.h5", size));
  PetscCall(PetscSNPrintf(path, sizeof(path), "train_%d.yaml", size));
  for (PetscInt round = 0; round < 2; round++) {
    PetscCall(PetscSNPrintf(more, sizeof(more),
                            "team: {replicas: %d}\nnet: {layers: [conv 3 4 tanh, conv 1 2], precision: double, gain: "
                            "%s}\ntrain: {unroll: 4, dataset: %s, batch: %d%s}\n",
                            round && size > 1 ? 2 : 1, round ? "1e-6" : "1", data, round ? 2 : BATCH,
                            round ? "" : ", batch_same: reynolds"));
    PetscCall(LoadCase(path, more)); /* small corrections beside the fast sample, whose scale they have */
    PetscCall(TestWriteDataset(data, round ? 2 : SIMULATIONS, FRAMES, round ? 100.0 : 0.3));
    PetscCall(WeftTrainerCreate(&trainer));
    if (round)
      PetscCall(TestFault(trainer));
    else {
      PetscCall(TestWindows(trainer));
      PetscCall(TestGradient(trainer));
    }
    PetscCall(WeftTrainerDestroy(&trainer));
  }
  if (!PetscGlobalRank) {
    remove(data);
    remove(path);
  }
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (TestCountAllocations()) return 1;
  return TestMain(argc, argv, Test);
}
