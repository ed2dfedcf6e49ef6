/* The gradient, checked before the first step: along one direction the loss must follow its tangent with a remainder of order 2. */
#include <float.h>
#include "invert/impl.h"
#include "train/check.h"

#define STEPS 10 /* h = 4^-2 ... 4^-11 */
#define LEAST 1.5 /* order that passes: a wrong slope gives 1 */

/* Vectors are drawn by their place in the vector of this layout. */
static PetscErrorCode Draw(Vec x, PetscInt64 seed)
{
  PetscReal *array;
  PetscInt   first, end;

  PetscFunctionBegin;
  PetscCall(VecGetOwnershipRange(x, &first, &end));
  PetscCall(VecGetArrayWrite(x, &array));
  for (PetscInt i = first; i < end; i++) array[i - first] = 2.0 * WeftRandomUniform(seed, WEFT_STREAM_TEST, i) - 1.0;
  PetscCall(VecRestoreArrayWrite(x, &array));
  PetscFunctionReturn(0);
}

/* base := z moved off its kinks (rest is one of every lookup): each unknown by `share` of its largest value, or by `share` where it is
   zero; within the bounds. */
static PetscErrorCode Generic(WeftInversion v, PetscReal share, Vec base)
{
  PetscReal *array;

  PetscFunctionBegin;
  PetscCall(Draw(base, 301));
  PetscCall(VecGetArray(base, &array));
  for (PetscInt k = 0; k < v->unknowns; k++) {
    const WeftUnknown *u       = &v->unknown[k];
    const PetscReal   *z;
    PetscReal          largest = 0.0;
    PetscCall(VecGetArrayRead(v->z, &z));
    for (PetscInt i = u->at; i < u->at + u->local; i++) largest = PetscMax(largest, PetscAbsReal(z[i]));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
    for (PetscInt i = u->at; i < u->at + u->local; i++) array[i] = z[i] + share * (largest > 0.0 ? largest : 1.0) * array[i];
    PetscCall(VecRestoreArrayRead(v->z, &z));
  }
  PetscCall(VecRestoreArray(base, &array));
  if (v->bounded) PetscCall(VecMedian(v->lower, base, v->upper, base));
  PetscFunctionReturn(0);
}

/* direction := share |base| (random / |random| + gradient / |gradient|) / sqrt 2, so that the slope is not small. */
static PetscErrorCode Direction(Vec base, Vec gradient, PetscReal share, Vec direction)
{
  PetscReal length, random, slope;

  PetscFunctionBegin;
  PetscCall(Draw(direction, 302));
  PetscCall(VecNorm(base, NORM_2, &length));
  PetscCall(VecNorm(direction, NORM_2, &random));
  PetscCall(VecNorm(gradient, NORM_2, &slope));
  length *= share * PETSC_SQRT2 / 2.0;
  PetscCall(VecScale(direction, length / random));
  if (slope > 0.0) PetscCall(VecAXPY(direction, length / slope, gradient));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInversionCheck(WeftInversion v)
{
  PetscReal share, base_loss, slope, noise, order, remainder[STEPS];
  PetscBool wanted;
  Vec       base, direction, moved;

  PetscFunctionBegin;
  PetscCall(WeftGetBool("invert_check", &wanted));
  if (!wanted) PetscFunctionReturn(0);
  PetscCall(WeftGetReal("invert_check_share", &share));
  if (!(share > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "invert_check_share", "must be positive");
  PetscCall(VecDuplicate(v->z, &base));
  PetscCall(VecDuplicate(v->z, &direction));
  PetscCall(VecDuplicate(v->z, &moved));
  PetscCall(Generic(v, share, base));
  PetscCall(WeftInversionEvaluate(v, base, &base_loss, v->gradient));
  PetscCall(Direction(base, v->gradient, share, direction));
  PetscCall(VecDot(v->gradient, direction, &slope));
  noise = 64.0 * DBL_EPSILON * PetscAbsReal(base_loss);
  for (PetscInt k = 0; k < STEPS; k++) {
    const PetscReal h = PetscPowReal(4.0, -(PetscReal)(k + 2));
    PetscReal       loss;
    PetscCall(VecWAXPY(moved, h, direction, base));
    PetscCall(WeftInversionEvaluate(v, moved, &loss, NULL));
    remainder[k] = PetscAbsReal(loss - base_loss - h * slope);
  }
  order = WeftTaylorOrder(STEPS, remainder, noise);
  if (order == 0.0 || order >= LEAST) PetscCall(WeftLog("gradient checked: the Taylor remainder falls from %.2g to %.2g over steps of 1/16 to 1/%g, order %.2f", (double)remainder[0], (double)remainder[STEPS - 1], pow(4.0, STEPS + 1), (double)order));
  for (PetscInt k = 0; k < STEPS && order != 0.0 && order < LEAST; k++) PetscCall(WeftLog("  h %-9.3g remainder %.4g", pow(4.0, -(double)(k + 2)), (double)remainder[k]));
  WeftCheck(order == 0.0 || order >= LEAST, PETSC_COMM_WORLD, "the gradient is not the derivative of the loss: its Taylor remainder falls with order %.2f, not 2; a state full of kinks (limiters, cells crossed) may do that too: change invert_check_share, or leave the check out with -invert_check no", (double)order);
  v->evaluations = 0; /* those of the check are not the optimiser's */
  PetscCall(VecDestroy(&base));
  PetscCall(VecDestroy(&direction));
  PetscCall(VecDestroy(&moved));
  PetscFunctionReturn(0);
}
