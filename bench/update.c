/* One training update of a case, written out, so that another program can compute the same and compare.
     bench_update CASE.yaml FILE.h5 [-train_dataset FILE]
   On one rank, two dimensions. FILE.h5: initial and target fields, numbers and weights of update 0; its loss and gradient; and the loss with all
   weights zero, that is of the solver alone. */
#include "support.h"
#include "train/trainer.h"

static PetscErrorCode SetNumbers(WeftArrays arrays, WeftTrainer t, const char *name)
{
  const PetscInt       i     = WeftModelInput(t->hybrid.model, name);
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(t->input[i]));
  const PetscInt       count = info->count * (info->per_sample ? info->batch : 1);
  char                 path[64];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "/%s", name));
  PetscCall(WeftArraysSet(arrays, path, 1, &count, (const double *)WeftStateData(t->input[i])));
  PetscFunctionReturn(0);
}

/* The arrays of the net by name, from the flat values. */
static PetscErrorCode SetParameters(WeftArrays arrays, WeftTrainer t, const char *group, const double values[])
{
  const WeftNetArray *array;
  PetscInt            count;

  PetscFunctionBegin;
  PetscCall(WeftNetArrays(t->hybrid.net, &count, &array));
  for (PetscInt i = 0; i < count; i++) {
    char name[128];
    PetscCall(PetscSNPrintf(name, sizeof(name), "/%s/%s", group, array[i].name));
    PetscCall(WeftArraysSet(arrays, name, array[i].rank, array[i].shape, values + array[i].offset));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SetUpdate(WeftArrays arrays, WeftTrainer t, double gradient[])
{
  const PetscInt one = 1, two = 2;
  PetscReal      loss;
  char           group[32];

  PetscFunctionBegin;
  PetscCall(WeftTrainerGradient(t, 0, &loss, gradient, NULL));
  PetscCall(BenchSetFields(arrays, "initial", t->input[0]));
  for (PetscInt n = 0; n < t->unroll; n++) {
    PetscCall(PetscSNPrintf(group, sizeof(group), "target/%d", (int)n));
    PetscCall(BenchSetFields(arrays, group, t->target[n]));
  }
  PetscCall(SetNumbers(arrays, t, "viscosity"));
  PetscCall(SetNumbers(arrays, t, "features"));
  PetscCall(SetParameters(arrays, t, "parameters", WeftTrainerWeights(t)));
  PetscCall(SetParameters(arrays, t, "gradient", gradient));
  PetscCall(WeftArraysSet(arrays, "/scales/velocity", 1, &two, t->scales.velocity));
  PetscCall(WeftArraysSet(arrays, "/scales/features", 1, &one, &t->scales.reynolds));
  PetscCall(WeftArraysSet(arrays, "/loss", 1, &one, &loss));
  PetscCall(PetscArrayzero(WeftTrainerWeights(t), t->parameters));
  PetscCall(WeftTrainerPartOfLoss(t, &loss));
  PetscCall(WeftArraysSet(arrays, "/loss_without_net", 1, &one, &loss));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(PetscInt words, char *word[])
{
  WeftTrainer t;
  WeftArrays  arrays;
  double     *gradient;

  PetscFunctionBegin;
  WeftCheck(words == 2 && PetscGlobalSize == 1, PETSC_COMM_WORLD,
            "usage, on one rank: bench_update CASE.yaml FILE.h5 [-key value ...]");
  PetscCall(WeftCaseLoad(word[0]));
  PetscCall(WeftCheckKeys());
  PetscCall(WeftTrainerCreate(&t));
  PetscCall(PetscMalloc1(t->parameters, &gradient));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(SetUpdate(arrays, t, gradient));
  PetscCall(WeftArraysWrite(arrays, word[1]));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(PetscFree(gradient));
  PetscCall(WeftTrainerDestroy(&t));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Bench);
}
