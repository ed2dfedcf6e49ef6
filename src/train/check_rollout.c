/* The gradient of the whole rollout: tangent against adjoint, Taylor remainders, times. */
#include <float.h>
#include "train/check.h"

#define STEPS   10   /* of the Taylor table: h = 4^-2 ... 4^-11 */
#define PAIRS   5    /* whose median is the order */
#define LEAST   1.75 /* order of a right slope, with what kinks take from a median; a wrong one has 1 */
#define REPEATS 3    /* of a timing */

/* One direction of the check, by the weights or by the initial state: v, as long as what it changes, half of it along the gradient
   so that the slope of the loss does not cancel. */
typedef struct {
  const char *name;
  PetscInt    input; /* of the step */
  WeftState   v, base;
  PetscReal   slope; /* by the tangent */
} Direction;

/* ---- sums over all samples --------------------------------------------------------------------------------------- */

/* x is known to every rank of a domain (numbers: of the world); samples of all replicas add up. */
static PetscErrorCode OverSamples(const WeftTrainer t, PetscBool weights, PetscReal local, PetscReal *all)
{
  const PetscInt first = weights ? t->info.replica + t->info.space_rank : t->info.space_rank;

  PetscFunctionBegin;
  if (first || (!weights && !t->count)) local = 0.0;
  PetscCallMPI(MPI_Allreduce(&local, all, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode Norm(const WeftTrainer t, PetscBool weights, WeftState x, PetscReal *norm)
{
  PetscFunctionBegin;
  PetscCall(WeftStateNorm(x, NORM_2, norm));
  PetscCall(OverSamples(t, weights, PetscSqr(*norm), norm));
  *norm = PetscSqrtReal(*norm);
  PetscFunctionReturn(0);
}

/* <gradient, v>: the slope by the adjoint. */
static PetscErrorCode AdjointSlope(const WeftGradientCheck *c, const Direction *d, PetscReal *slope)
{
  const WeftTrainer t       = c->trainer;
  const PetscBool   weights = d->input == t->weights_at ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  *slope = 0.0;
  if (weights)
    for (PetscInt i = 0; i < t->parameters; i++) *slope += c->weights[i] * ((const double *)WeftStateData(d->v))[i];
  else PetscCall(WeftStateDot(c->initial, d->v, slope));
  PetscCall(OverSamples(t, weights, *slope, slope));
  PetscFunctionReturn(0);
}

/* ---- direction --------------------------------------------------------------------------------------------------- */

static PetscErrorCode CreateDirection(const WeftGradientCheck *c, const char *name, PetscInt input, Direction *d)
{
  const WeftTrainer t       = c->trainer;
  const PetscBool   weights = input == t->weights_at ? PETSC_TRUE : PETSC_FALSE;
  PetscReal         length, random, gradient;
  WeftState         g;
  WeftSpace         space = WeftStateSpace(t->input[input]);

  PetscFunctionBegin;
  d->name  = name;
  d->input = input;
  PetscCall(WeftStateCreate(space, &d->base));
  PetscCall(WeftStateCreate(space, &d->v));
  PetscCall(WeftStateCreate(space, &g));
  PetscCall(WeftStateCopy(t->input[input], d->base));
  if (weights) PetscCall(PetscArraycpy((double *)WeftStateDataWrite(g), c->weights, t->parameters));
  else PetscCall(WeftStateAXPY(g, 1.0, c->initial));
  PetscCall(WeftStateSetRandom(d->v, 101 + input, t->first, 0.0, 1.0));
  PetscCall(Norm(t, weights, d->base, &length));
  PetscCall(Norm(t, weights, d->v, &random));
  PetscCall(Norm(t, weights, g, &gradient));
  if (length == 0.0) length = 1.0;
  if (!weights) { /* v := length (v / |v| + g / |g|) / sqrt 2; AXPY by c - 1 scales */
    WeftState copy;
    PetscCall(WeftStateCreate(space, &copy));
    PetscCall(WeftStateAXPY(copy, 1.0, d->v));
    PetscCall(WeftStateAXPY(d->v, PETSC_SQRT2 / 2.0 * length / random - 1.0, copy));
    PetscCall(WeftStateDestroy(&copy));
  } else
    for (PetscInt i = 0; i < t->parameters; i++) ((double *)WeftStateDataWrite(d->v))[i] *= PETSC_SQRT2 / 2.0 * length / random;
  if (gradient > 0.0) PetscCall(WeftStateAXPY(d->v, PETSC_SQRT2 / 2.0 * length / gradient, g));
  PetscCall(WeftStateDestroy(&g));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyDirection(Direction *d)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&d->v));
  PetscCall(WeftStateDestroy(&d->base));
  PetscFunctionReturn(0);
}

/* ---- tangent against adjoint --------------------------------------------------------------------------------------- */

static PetscErrorCode CheckSlope(WeftGradientCheck *c, Direction *d)
{
  const WeftTrainer t       = c->trainer;
  const PetscReal   allowed = c->single ? 32.0 * FLT_EPSILON : 1e-12;
  PetscReal         adjoint, error, part = 0.0;
  WeftState         dx[WEFT_OP_MAX] = {NULL};
  char              key[64];

  PetscFunctionBegin;
  dx[d->input] = d->v;
  if (t->count) PetscCall(WeftRolloutTangent(t->rollout, dx, &part, NULL));
  PetscCallMPI(MPI_Allreduce(&part, &d->slope, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscCall(AdjointSlope(c, d, &adjoint));
  error = d->slope == adjoint ? 0.0 : PetscAbsReal(d->slope - adjoint) / PetscMax(PetscAbsReal(d->slope), PetscAbsReal(adjoint));
  PetscCall(WeftLog("rollout by the %s: slope of the loss by tangent %.15g, by adjoint %.15g, differ by %.2g (at most %.2g)", d->name, (double)d->slope, (double)adjoint, (double)error, (double)allowed));
  PetscCall(PetscSNPrintf(key, sizeof(key), "rollout/dot_%s", d->input ? "weights" : "initial"));
  PetscCall(WeftSummaryReal(c->summary, key, error));
  if (!(error <= allowed)) WeftCheckFault(c, "rollout by the %s: the tangent says that the loss changes by %.15g, the adjoint %.15g; they differ by %.3g, more than the %.3g allowed", d->name, (double)d->slope, (double)adjoint, (double)error, (double)allowed);
  PetscFunctionReturn(0);
}

/* ---- Taylor --------------------------------------------------------------------------------------------------------- */

static PetscErrorCode LossAt(const WeftGradientCheck *c, const Direction *d, PetscReal h, PetscReal *loss)
{
  const WeftTrainer t = c->trainer;
  PetscReal         part;

  PetscFunctionBegin;
  PetscCall(WeftStateCopy(d->base, t->input[d->input]));
  if (h != 0.0) PetscCall(WeftStateAXPY(t->input[d->input], h, d->v));
  PetscCall(WeftTrainerPartOfLoss(t, &part));
  PetscCallMPI(MPI_Allreduce(&part, loss, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* Order of the remainder: the median of the last PAIRS pairs of steps that are above round-off, 0 if there is none. The last ones,
   because a slope that is wrong by a little shows at small steps, with order 1; a median, because kinks (a lookup that changes its
   cell, a clamp, a ReLU that opens) throw single pairs to either side of 2. */
PetscReal WeftTaylorOrder(PetscInt steps, const PetscReal remainder[], PetscReal noise)
{
  PetscReal last[PAIRS];
  PetscInt  n = 0;

  for (PetscInt k = steps - 1; k > 0 && n < PAIRS; k--)
    if (remainder[k] > noise && remainder[k - 1] > noise) last[n++] = PetscLogReal(remainder[k - 1] / remainder[k]) / PetscLogReal(4.0);
  if (!n) return 0.0;
  (void)PetscSortReal(n, last);
  return last[(n - 1) / 2];
}

static PetscErrorCode CheckTaylor(WeftGradientCheck *c, const Direction *d)
{
  PetscReal base, noise, order, remainder[STEPS];
  char      key[64];

  PetscFunctionBegin;
  PetscCall(LossAt(c, d, 0.0, &base));
  noise = 16.0 * (c->single ? FLT_EPSILON : DBL_EPSILON) * PetscAbsReal(base);
  PetscCall(WeftLog("rollout by the %s: |loss(x + h v) - loss(x) - h slope|, |v| = |x|; round-off is %.1g", d->name, (double)noise));
  for (PetscInt k = 0; k < STEPS; k++) {
    const PetscReal h = PetscPowReal(4.0, -(PetscReal)(k + 2));
    PetscReal       loss;
    PetscCall(LossAt(c, d, h, &loss));
    remainder[k] = PetscAbsReal(loss - base - h * d->slope);
    if (k && remainder[k] > noise) PetscCall(WeftLog("  h %-9.3g remainder %-10.4g order %.3f", (double)h, (double)remainder[k], (double)(PetscLogReal(remainder[k - 1] / remainder[k]) / PetscLogReal(4.0))));
    else PetscCall(WeftLog("  h %-9.3g remainder %-10.4g", (double)h, (double)remainder[k]));
  }
  order = WeftTaylorOrder(STEPS, remainder, noise);
  PetscCall(PetscSNPrintf(key, sizeof(key), "rollout/order_%s", d->input ? "weights" : "initial"));
  PetscCall(WeftSummaryReal(c->summary, key, order));
  if (!(order == 0.0 || order >= LEAST)) WeftCheckFault(c, "rollout by the %s: the Taylor remainder falls with order %.3f at the smallest steps, not 2: the tangent is not the derivative of the loss", d->name, (double)order);
  PetscCall(LossAt(c, d, 0.0, &base)); /* the state is as it was */
  PetscFunctionReturn(0);
}

/* ---- times ---------------------------------------------------------------------------------------------------------- */

/* Median seconds, of the slowest rank, of a forward sweep and of a gradient by the weights. */
static PetscErrorCode Times(WeftGradientCheck *c)
{
  double   *scratch, seconds[2][REPEATS];
  PetscReal loss;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(c->trainer->parameters, &scratch));
  for (PetscInt r = 0; r < REPEATS; r++) {
    for (PetscInt g = 0; g < 2; g++) {
      PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
      seconds[g][r] = -MPI_Wtime();
      if (g) PetscCall(WeftTrainerDifferentiate(c->trainer, &loss, scratch, NULL));
      else PetscCall(WeftTrainerPartOfLoss(c->trainer, &loss));
      seconds[g][r] += MPI_Wtime();
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 2 * REPEATS, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  for (PetscInt g = 0; g < 2; g++) PetscCall(PetscSortReal(REPEATS, seconds[g]));
  PetscCall(WeftLog("time: forward %.4g s, gradient %.4g s, %.2f times as long", seconds[0][REPEATS / 2], seconds[1][REPEATS / 2], seconds[1][REPEATS / 2] / seconds[0][REPEATS / 2]));
  PetscCall(WeftSummaryReal(c->summary, "seconds_forward", seconds[0][REPEATS / 2]));
  PetscCall(WeftSummaryReal(c->summary, "seconds_gradient", seconds[1][REPEATS / 2]));
  PetscCall(PetscFree(scratch));
  PetscFunctionReturn(0);
}

/* A gradient of shorter reach is not the derivative of the loss, by intent: tangent and adjoint still agree. */
PetscErrorCode WeftCheckRollout(WeftGradientCheck *c)
{
  Direction d[2];
  PetscInt  reach;
  PetscReal clip, damping;
  PetscBool full;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("unroll_reach", &reach));
  PetscCall(WeftGetReal("unroll_clip", &clip));
  PetscCall(WeftGetReal("unroll_damping", &damping));
  full = reach == WEFT_REACH_FULL && clip == 0.0 && damping == 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(CreateDirection(c, "weights", c->trainer->weights_at, &d[0]));
  PetscCall(CreateDirection(c, "initial state", 0, &d[1]));
  for (PetscInt i = 0; i < 2 && clip == 0.0; i++) PetscCall(CheckSlope(c, &d[i]));
  for (PetscInt i = 0; i < 2 && full; i++) PetscCall(CheckTaylor(c, &d[i]));
  if (!full) PetscCall(WeftLog("no Taylor remainders: the gradient is limited (reach %s, clip %g, damping %g)", WeftReaches[reach], (double)clip, (double)damping));
  for (PetscInt i = 0; i < 2; i++) PetscCall(DestroyDirection(&d[i]));
  PetscCall(Times(c));
  PetscFunctionReturn(0);
}
