/* -deterministic: gradient and loss of an update from the integers of the sums in fixed point (src/base/fixed.h), in one reduction of integers,
   whose order cannot matter. */
#include <math.h>
#include "train/trainer.h"

/* Behind high and low of the gradient and of the loss. */
enum { FAILED, UNFIT, FOREIGN, FLAGS };

static PetscInt Integers(WeftTrainer t) { return 2 * (t->parameters + 1) + FLAGS; }

/* The loss, as the last of the numbers. */
static WeftFixed LossOf(WeftTrainer t)
{
  PetscInt64     *high = t->integers, *low = high + t->parameters + 1, *flags = low + t->parameters + 1;
  const WeftFixed loss = {high + t->parameters, low + t->parameters, flags + UNFIT, WeftStateFixed(WeftRolloutLossSums(t->rollout))->scale};
  return loss;
}

PetscErrorCode WeftFixedBegin(WeftTrainer t)
{
  PetscFunctionBegin;
  if (!t->integers) { /* once */
    PetscCall(WeftStateMakeFixed(t->gradient, 1.0));
    PetscCall(PetscMalloc1(Integers(t), &t->integers));
  }
  PetscCall(PetscArrayzero(t->integers, Integers(t)));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFixedAddLosses(WeftTrainer t, PetscInt samples)
{
  const WeftState  sums    = WeftRolloutLossSums(t->rollout);
  const double    *foreign = (const double *)WeftStateData(sums);
  const WeftFixed  loss    = LossOf(t);
  PetscInt64       none    = 0;
  PetscBool        counted = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < samples; s++) {
    if (t->factor[s] == 0.0) continue;
    WeftFixed sample = WeftFixedFrom(WeftStateFixed(sums), s);
    if (counted) sample.unfit = &none; /* they are counted for all samples together */
    counted = PETSC_TRUE;
    WeftFixedMerge(&loss, 1, &sample);
    if (foreign[s] != 0.0) t->integers[Integers(t) - FLAGS + FOREIGN]++;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFixedReduce(WeftTrainer t, PetscBool failed, PetscReal *loss, double gradient[])
{
  const PetscInt   n       = t->parameters;
  const WeftFixed *bar     = WeftStateFixed(t->gradient);
  const double    *foreign = (const double *)WeftStateData(t->gradient);
  PetscInt64      *high = t->integers, *low = high + n + 1, *flags = low + n + 1;
  WeftFixed        sum  = LossOf(t);
  PetscMPIInt      count;

  PetscFunctionBegin;
  sum       = (WeftFixed){high, low, flags + UNFIT, sum.scale};
  if (gradient) {
    for (PetscInt i = 0; i < n; i++)
      if (foreign[i] != 0.0) flags[FOREIGN]++;
    WeftFixedMerge(&sum, n, bar);
  }
  if (failed) flags[FAILED] = 1;
  WeftFixedCarry(&sum, n + 1);
  PetscCall(PetscMPIIntCast(Integers(t), &count));
  PetscCall(WeftReduce(t->integers, count, MPIU_INT64, MPI_SUM, PETSC_COMM_WORLD));
  if (flags[FAILED]) return WeftTrainerFail();
  WeftCheck(!flags[FOREIGN], PETSC_COMM_WORLD, "-deterministic: a loss or a layer of this case cannot sum in an order that does not depend on the ranks (convolutions and the errors squared, absolute, relative can)");
  *loss     = flags[UNFIT] ? NAN : WeftFixedValue(&sum, n); /* a term that is not finite, or too large: the update fails */
  sum.scale = bar->scale;
  for (PetscInt i = 0; gradient && i < n; i++) gradient[i] = flags[UNFIT] ? NAN : WeftFixedValue(&sum, i);
  PetscFunctionReturn(0);
}
