/* Where the verb check starts: the windows of update 0, or a developed state without a dataset. */
#include "train/check.h"
#include "train/flow.h"

#define ROOM 64             /* numbers in a list of the case */
#define PERTURBATION 1e-2   /* of a sample, relative to the largest velocity */

typedef struct {
  PetscInt  count;
  PetscReal viscosity[ROOM], reynolds[ROOM];
} Numbers;

static PetscErrorCode ReadNumbers(const char *dataset, Numbers *n)
{
  PetscBool has_viscosity, has_reynolds;
  PetscReal speed, length;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("model_viscosity", &has_viscosity));
  PetscCall(WeftHasKey("model_reynolds", &has_reynolds));
  if (has_viscosity && has_reynolds) return WeftFailKey(PETSC_COMM_WORLD, "model_reynolds", "model_viscosity is given too; say one of them");
  WeftCheck(has_viscosity || has_reynolds, PETSC_COMM_WORLD, "there is no dataset %s to start from, nor model_reynolds or model_viscosity to start without one; make it with 'weft dataset', or give -model_reynolds", dataset);
  PetscCall(WeftGetReal("model_speed", &speed));
  PetscCall(WeftGetReal("model_length", &length));
  n->count = ROOM;
  PetscCall(WeftGetRealList(has_reynolds ? "model_reynolds" : "model_viscosity", has_reynolds ? n->reynolds : n->viscosity, &n->count));
  if (!n->count) return WeftFailKey(PETSC_COMM_WORLD, has_reynolds ? "model_reynolds" : "model_viscosity", "the list is empty");
  for (PetscInt i = 0; i < n->count; i++) {
    if (has_reynolds) PetscCall(WeftModelViscosity(n->reynolds[i], &n->viscosity[i]));
    else n->reynolds[i] = n->viscosity[i] > 0.0 ? speed * length / n->viscosity[i] : 1.0;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SetNumbers(WeftTrainer t, WeftModel model, const Numbers *n, const WeftState inputs[])
{
  static const char names[][32] = {"viscosity", "reynolds"};

  PetscFunctionBegin;
  for (PetscInt s = 0; s < PetscMax(t->count, 1); s++) {
    const PetscInt  at        = (t->first + s) % n->count;
    const PetscReal values[2] = {n->viscosity[at], n->reynolds[at]};
    PetscCall(WeftModelSetNumbers(model, inputs, s, 2, names, values));
  }
  PetscFunctionReturn(0);
}

/* The initial state of the case after `steps` steps without the net. */
static PetscErrorCode SpinUp(WeftTrainer t, const Numbers *numbers, PetscInt steps, WeftState developed)
{
  WeftModel        model;
  WeftState        in[WEFT_OP_MAX], out[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftModelCreateFromKeys(t->grid, PetscMax(t->count, 1), NULL, PETSC_TRUE, &model));
  PetscCall(WeftStepStates(WeftModelStep(model), in, out));
  PetscCall(WeftInitialStates(model, in));
  PetscCall(SetNumbers(t, model, numbers, in));
  for (PetscInt n = 0; n < steps; n++) {
    const WeftState old = in[0];
    PetscCall(WeftModelSetTime(model, in, -1, (PetscReal)n * WeftModelTimeStep(model)));
    PetscCall(WeftOpApply(WeftModelStep(model), in, out, NULL));
    in[0]  = out[0];
    out[0] = old;
  }
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, t->grid));
  PetscCall(WeftStateCopy(in[0], developed));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(model), in, out));
  PetscCall(WeftModelDestroy(&model));
  PetscFunctionReturn(0);
}

/* state := developed + noise of its own per sample. */
static PetscErrorCode Perturb(WeftTrainer t, WeftState developed, PetscInt64 seed, PetscReal amplitude, WeftState state)
{
  PetscFunctionBegin;
  PetscCall(WeftStateSetRandom(state, seed, t->first, 0.0, amplitude));
  PetscCall(WeftStateAXPY(state, 1.0, developed));
  PetscFunctionReturn(0);
}

static PetscErrorCode StartWithout(const char *dataset, WeftTrainer *trainer)
{
  WeftScales  scales = {.velocity = {1.0, 1.0, 1.0}};
  Numbers     numbers;
  WeftTrainer t;
  WeftState   developed;
  PetscReal   largest;
  PetscInt    steps, seed;

  PetscFunctionBegin;
  PetscCall(ReadNumbers(dataset, &numbers));
  PetscCall(WeftGetInt("check_spinup", &steps));
  PetscCall(WeftGetInt("seed", &seed));
  if (steps < 0) return WeftFailKey(PETSC_COMM_WORLD, "check_spinup", "cannot be negative");
  for (PetscInt i = 0; i < numbers.count; i++) scales.reynolds = PetscMax(scales.reynolds, numbers.reynolds[i]);
  PetscCall(WeftTrainerCreateWith(&scales, &t));
  *trainer = t;
  PetscCall(WeftStateCreate(t->velocity, &developed));
  PetscCall(SetNumbers(t, t->hybrid.model, &numbers, t->input));
  PetscCall(SpinUp(t, &numbers, steps, developed));
  PetscCall(WeftStateNorm(developed, NORM_INFINITY, &largest));
  if (!t->count) largest = 0.0; /* not a sample of the batch */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  WeftCheck(isfinite(largest), PETSC_COMM_WORLD, "the velocity is not finite after the %" PetscInt_FMT " steps of check_spinup; lower -model_dt", steps);
  PetscCall(Perturb(t, developed, seed, PERTURBATION * largest, t->input[0]));
  for (PetscInt n = 0; n < t->unroll; n++)
    if (t->target[n]) PetscCall(Perturb(t, developed, (PetscInt64)seed + 1 + n, PERTURBATION * largest, t->target[n]));
  PetscCall(WeftStateDestroy(&developed));
  PetscCall(WeftLog("no dataset %s: from the initial state of the case after %d steps without the net", dataset, (int)steps));
  PetscFunctionReturn(0);
}

/* A dataset that the case names must be there; that of the default place need not. */
PetscErrorCode WeftCheckStart(WeftTrainer *trainer)
{
  char      path[PETSC_MAX_PATH_LEN];
  PetscBool named, there = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("train_dataset", &named));
  PetscCall(WeftTrainerDatasetPath(path, sizeof(path)));
  if (!PetscGlobalRank) PetscCall(PetscTestFile(path, 'r', &there));
  PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
  if (!there && !named) {
    PetscCall(StartWithout(path, trainer));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftTrainerCreate(trainer));
  PetscCall(WeftTrainerLoad(*trainer, 0));
  PetscCall(WeftLog("from the samples of update 0 of %s", path));
  PetscFunctionReturn(0);
}
