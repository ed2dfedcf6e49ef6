/* Residuals of a solver's step as terms of the loss: the solver, and its numbers. */
#include <string.h>
#include "train/trainer.h"

/* The steps of -loss_solver; without the key those of the model, which passes over `correct` where it has no net. */
static PetscErrorCode CreateSolver(WeftTrainer t)
{
  WeftModelOptions options;
  char           **step;
  PetscInt         steps;
  PetscBool        solves = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftModelOptionsFromKeys(&options));
  PetscCall(WeftGetStringList("loss_solver", &step, &steps));
  if (steps) {
    PetscCall(WeftFreeStringList(&options.step, options.steps));
    options.step  = step;
    options.steps = steps;
  }
  for (PetscInt i = 0; i < options.steps; i++)
    if (strcmp(options.step[i], "correct")) solves = PETSC_TRUE;
  if (!solves) return WeftFailKey(PETSC_COMM_WORLD, "loss_solver", "the residuals of loss_terms are those of a solver's step, and model_steps has none besides 'correct'; name its steps here, for example [diffuse velocity, advect velocity, project]");
  PetscCall(WeftModelCreate(t->grid, PetscMax(t->count, 1), &options, NULL, PETSC_TRUE, &t->solver));
  PetscCall(WeftModelOptionsDestroy(&options));
  if (WeftModelStates(t->solver) != 1) return WeftFailKey(PETSC_COMM_WORLD, "loss_solver", "residuals are those of the velocity; leave smoke out of the steps");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerCreateLoss(WeftTrainer t, WeftState weight)
{
  WeftLossSetting setting = {.space = t->velocity, .weight = weight};
  PetscBool       need;

  PetscFunctionBegin;
  PetscCall(WeftLossesNeedSolver(PETSC_COMM_WORLD, t->terms, t->term, &need));
  if (need) {
    PetscCall(CreateSolver(t));
    setting.solver = WeftModelStep(t->solver);
    setting.dt     = WeftModelTimeStep(t->solver);
  }
  PetscCall(WeftOpCreateLosses(&setting, t->terms, t->term, &t->loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerSetSolver(WeftTrainer t, PetscInt slot, PetscInt count, const char (*names)[32], const PetscReal values[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < t->terms; i++) {
    const WeftState *inputs = WeftLossSolverInputs(t->loss, i);
    if (inputs) PetscCall(WeftModelSetNumbers(t->solver, inputs, slot, count, names, values));
  }
  PetscFunctionReturn(0);
}
