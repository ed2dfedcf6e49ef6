/* The optimisers: gradient descent and Adam on each rank's part of the vector, and PETSc's TAO. */
#include "invert/impl.h"

/* ---- gradient descent, Adam ---------------------------------------------------------------------------------------------- */

/* One step from the gradient in v->gradient; back into the bounds. */
static PetscErrorCode Step(WeftInversion v, WeftOptimizer optimizer)
{
  const PetscReal *gradient;
  PetscReal       *z;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(v->gradient, &gradient));
  PetscCall(VecGetArray(v->z, &z));
  PetscCall(WeftOptimizerStep(optimizer, v->iteration, gradient, z, NULL));
  PetscCall(VecRestoreArray(v->z, &z));
  PetscCall(VecRestoreArrayRead(v->gradient, &gradient));
  if (v->bounded) PetscCall(VecMedian(v->lower, v->z, v->upper, v->z));
  PetscFunctionReturn(0);
}

static PetscErrorCode Descend(WeftInversion v, WeftOptimizer optimizer)
{
  WeftProgress progress;
  PetscReal    loss;

  PetscFunctionBegin;
  PetscCall(WeftProgressCreate("invert", v->iterations, &progress));
  for (;; v->iteration++) {
    PetscCall(WeftInversionEvaluate(v, v->z, &loss, v->gradient));
    PetscCall(WeftHistoryRow(v));
    PetscCall(WeftProgressUpdate(progress, v->iteration, "loss %.6g  |gradient| %.3g", (double)loss, (double)v->gradient_norm));
    if (v->iteration >= v->iterations) break;
    PetscCall(Step(v, optimizer));
  }
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftInversionMinimise(WeftInversion v)
{
  WeftOptimizer optimizer;
  PetscInt      local;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(v->z, &local));
  PetscCall(WeftOptimizerCreateFromKeys(local, v->iterations, &optimizer));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("invert", v->folder, sizeof(v->folder)));
  PetscCall(WeftHistoryOpen(v));
  PetscCall(Descend(v, optimizer));
  PetscCall(WeftOptimizerDestroy(&optimizer));
  PetscFunctionReturn(0);
}
