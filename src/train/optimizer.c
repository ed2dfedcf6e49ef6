/* Optimisers on the flat parameter vector: every rank holds the reduced gradient and takes the same step. */
#include <math.h>
#include <weft/train.h>
#include "op/rows.h"

typedef enum { ADAM, SGD, DESCENT, TAO } Kind; /* DESCENT: SGD without momentum */
typedef enum { CONSTANT, COSINE, STEP } Schedule;

struct _n_WeftOptimizer {
  PetscInt  kind, schedule, parameters, updates, decay_every;
  PetscReal rate, rate_last, decay, clip, beta1, beta2, epsilon;
  double   *mean, *square; /* sgd: mean is the velocity of the momentum */
};

PetscErrorCode WeftOptimizerCreateFromKeys(PetscInt parameters, PetscInt updates, WeftOptimizer *optimizer)
{
  WeftOptimizer o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  o->parameters = parameters;
  o->updates    = updates;
  PetscCall(WeftGetEnum("optimizer_type", &o->kind));
  PetscCall(WeftGetEnum("optimizer_schedule", &o->schedule));
  PetscCall(WeftGetReal("optimizer_rate", &o->rate));
  PetscCall(WeftGetReal("optimizer_rate_last", &o->rate_last));
  PetscCall(WeftGetReal("optimizer_decay", &o->decay));
  PetscCall(WeftGetInt("optimizer_decay_every", &o->decay_every));
  PetscCall(WeftGetReal("optimizer_clip", &o->clip));
  PetscCall(WeftGetReal("optimizer_beta1", &o->beta1));
  PetscCall(WeftGetReal("optimizer_beta2", &o->beta2));
  PetscCall(WeftGetReal("optimizer_epsilon", &o->epsilon));
  if (o->kind == TAO) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_type", "tao is for 'weft invert'; take adam, sgd or descent");
  if (o->kind == DESCENT) {
    o->kind  = SGD;
    o->beta1 = 0.0;
  }
  if (!(o->rate > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_rate", "a learning rate must be positive");
  if (!(o->beta1 >= 0.0 && o->beta1 < 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_beta1", "must lie in [0, 1)");
  if (!(o->beta2 >= 0.0 && o->beta2 < 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_beta2", "must lie in [0, 1)");
  if (o->clip < 0.0) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_clip", "a norm is not negative; 0 switches clipping off");
  if (o->decay_every < 1) return WeftFailKey(PETSC_COMM_WORLD, "optimizer_decay_every", "must be at least 1");
  PetscCall(PetscCalloc2(parameters, &o->mean, parameters, &o->square));
  *optimizer = o;
  PetscFunctionReturn(0);
}

static PetscReal Rate(const struct _n_WeftOptimizer *o, PetscInt k)
{
  if (o->schedule == COSINE) return o->rate_last + 0.5 * (o->rate - o->rate_last) * (1.0 + cos(PETSC_PI * (PetscReal)k / (PetscReal)PetscMax(o->updates, 1)));
  if (o->schedule == STEP) return o->rate * pow(o->decay, (PetscReal)(k / o->decay_every));
  return o->rate;
}

WEFT_KERNEL static double Square(PetscInt n, const double *restrict gradient)
{
  double sum = 0.0;

  WEFT_SUM(sum, i, 0, n, gradient[i] * gradient[i]);
  return sum;
}

/* Moments without their bias are mean / correct1 and square / correct2. */
WEFT_KERNEL static void StepAdam(PetscInt n, double factor, double rate, double beta1, double beta2, double correct1, double correct2, double epsilon, const double *restrict gradient, double *restrict mean, double *restrict square, double *restrict parameters)
{
  for (PetscInt i = 0; i < n; i++) {
    const double g = factor * gradient[i];
    mean[i]        = beta1 * mean[i] + (1.0 - beta1) * g;
    square[i]      = beta2 * square[i] + (1.0 - beta2) * g * g;
    parameters[i] -= rate * (mean[i] / correct1) / (sqrt(square[i] / correct2) + epsilon);
  }
}

PetscErrorCode WeftOptimizerStep(WeftOptimizer o, PetscInt k, const double gradient[], double parameters[], PetscReal *gradient_norm)
{
  const PetscReal rate = Rate(o, k), correct1 = 1.0 - pow(o->beta1, (double)(k + 1)), correct2 = 1.0 - pow(o->beta2, (double)(k + 1));
  PetscReal       norm, factor = 1.0;

  PetscFunctionBegin;
  norm = PetscSqrtReal(Square(o->parameters, gradient));
  if (gradient_norm) *gradient_norm = norm;
  if (PetscIsInfOrNanReal(norm)) PetscFunctionReturn(0); /* no step is taken on it */
  if (o->clip > 0.0 && norm > o->clip) factor = o->clip / norm;
  if (o->kind == ADAM) StepAdam(o->parameters, factor, rate, o->beta1, o->beta2, correct1, correct2, o->epsilon, gradient, o->mean, o->square, parameters);
  for (PetscInt i = 0; i < o->parameters && o->kind == SGD; i++) {
    o->mean[i] = o->beta1 * o->mean[i] + factor * gradient[i];
    parameters[i] -= rate * o->mean[i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOptimizerSave(WeftOptimizer o, WeftArrays arrays)
{
  PetscFunctionBegin;
  PetscCall(WeftArraysSet(arrays, "/optimizer/mean", 1, &o->parameters, o->mean));
  PetscCall(WeftArraysSet(arrays, "/optimizer/square", 1, &o->parameters, o->square));
  PetscCall(WeftArraysSetString(arrays, "optimizer_type", o->kind == ADAM ? "adam" : "sgd"));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOptimizerLoad(WeftOptimizer o, WeftArrays arrays)
{
  const double *mean, *square;
  const char   *type;
  PetscInt      count, count_square;
  PetscBool     same = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(arrays, "/optimizer/mean", &count, &mean));
  PetscCall(WeftArraysGet(arrays, "/optimizer/square", &count_square, &square));
  PetscCall(WeftArraysGetString(arrays, "optimizer_type", &type));
  if (type) PetscCall(PetscStrcmp(type, o->kind == ADAM ? "adam" : "sgd", &same));
  if (!mean || !square || count != o->parameters || count_square != o->parameters) return WeftFailKey(PETSC_COMM_WORLD, "train_resume", "the file holds no state of an optimiser for %" PetscInt_FMT " parameters; give a weights.h5 that 'weft train' wrote", o->parameters);
  if (!same) return WeftFailKey(PETSC_COMM_WORLD, "train_resume", "was trained with %s; set optimizer_type likewise", type ? type : "another optimiser");
  PetscCall(PetscArraycpy(o->mean, mean, count));
  PetscCall(PetscArraycpy(o->square, square, count));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOptimizerDestroy(WeftOptimizer *optimizer)
{
  PetscFunctionBegin;
  if (!*optimizer) PetscFunctionReturn(0);
  PetscCall(PetscFree2((*optimizer)->mean, (*optimizer)->square));
  PetscCall(PetscFree(*optimizer));
  PetscFunctionReturn(0);
}
