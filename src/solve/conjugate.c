/* Conjugate gradients for the samples of a batch, side by side. The scalar products are sums of the same bits on every layout, so
   the iterates are as well. */
#include "base/kernel.h"
#include "solve/impl.h"

#define TOLERANCE 1e-14

WEFT_KERNEL static void Multiply(PetscInt n, const double *restrict x, const double *restrict y, double *restrict product)
{
  for (PetscInt i = 0; i < n; i++) product[i] = x[i] * y[i];
}

/* The largest magnitude, or NaN if any is. */
WEFT_KERNEL static double Largest(PetscInt n, const double *restrict x)
{
  double largest = 0.0, poison = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    const double size = fabs(x[i]);
    largest           = size > largest ? size : largest;
    poison += x[i] - x[i]; /* 0, or NaN */
  }
  return largest + poison;
}

WEFT_KERNEL static void AddExactly(PetscInt n, const WeftExactScale *scale, const double *restrict x, PetscInt64 sum[2])
{
  const WeftExactScale s = *scale;
  PetscInt64           local[2] = {0, 0};
  for (PetscInt i = 0; i < n; i++) WeftExactAdd(&s, x[i], local);
  sum[0] += local[0];
  sum[1] += local[1];
}

/* product[sample] = <x, y> over all ranks. Two reductions. */
static PetscErrorCode Products(WeftConjugate *c, const double *x, const double *y, PetscReal product[])
{
  WeftExactScale scale;

  PetscFunctionBegin;
  Multiply(c->batch * c->n, x, y, c->terms);
  PetscCall(WeftExactScaleSet(c->comm, Largest(c->batch * c->n, c->terms), c->total, &scale));
  PetscCall(PetscArrayzero(c->sums, 2 * c->batch));
  for (PetscInt s = 0; s < c->batch && scale.largest <= PETSC_MAX_REAL; s++) AddExactly(c->n, &scale, c->terms + s * c->n, c->sums + 2 * s);
  PetscCall(WeftExactReduce(c->comm, &scale, c->batch, c->sums, product));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftConjugateSetUp(WeftConjugate *c)
{
  const PetscInt all = c->batch * c->n;

  PetscFunctionBegin;
  PetscCall(PetscMalloc7(all, &c->residual, all, &c->solution, all, &c->direction, all, &c->image, all, &c->terms, 5 * c->batch, &c->scalars, 2 * c->batch, &c->sums));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftConjugateDestroy(WeftConjugate *c)
{
  PetscFunctionBegin;
  PetscCall(PetscFree7(c->residual, c->solution, c->direction, c->image, c->terms, c->scalars, c->sums));
  PetscFunctionReturn(0);
}

/* The first sample above the tolerance; batch: there is none. */
static PetscInt FirstAbove(const WeftConjugate *c, const PetscReal rr[], const PetscReal rr0[])
{
  PetscInt s = 0;
  while (s < c->batch && rr[s] <= TOLERANCE * TOLERANCE * rr0[s]) s++;
  return s;
}

/* Samples that have converged stay as they are: their steps are 0. */
PetscErrorCode WeftConjugateSolve(WeftConjugate *c, PetscInt most, PetscInt *iterations, PetscReal *left)
{
  const PetscInt n  = c->batch, all = n * c->n;
  PetscReal     *rr = c->scalars, *rr0 = rr + n, *before = rr + 2 * n, *dq = rr + 3 * n, *rz = c->precondition ? rr + 4 * n : rr;
  const double  *z  = c->residual;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(c->solution, all));
  PetscCall(PetscArrayzero(c->direction, all));
  PetscCall(PetscArrayzero(before, n));
  PetscCall(Products(c, c->residual, c->residual, rr0));
  for (*iterations = 0;; ++*iterations) {
    PetscInt above;
    PetscCall(Products(c, c->residual, c->residual, rr));
    above = FirstAbove(c, rr, rr0);
    *left = above < n ? PetscSqrtReal(rr[above] / rr0[above]) : 0.0;
    if (above == n || *iterations == most || PetscIsNanReal(*left)) PetscFunctionReturn(0);
    if (c->precondition) {
      PetscCall((*c->precondition)(c->context, &z));
      PetscCall(Products(c, c->residual, z, rz));
    }
    for (PetscInt s = 0; s < n; s++) {
      const double beta = before[s] != 0.0 ? rz[s] / before[s] : 0.0;
      for (PetscInt i = s * c->n; i < (s + 1) * c->n; i++) c->direction[i] = z[i] + beta * c->direction[i];
      before[s] = rz[s];
    }
    PetscCall((*c->multiply)(c->context));
    PetscCall(Products(c, c->direction, c->image, dq));
    for (PetscInt s = 0; s < n; s++) {
      const double alpha = rr[s] <= TOLERANCE * TOLERANCE * rr0[s] || dq[s] == 0.0 ? 0.0 : rz[s] / dq[s];
      for (PetscInt i = s * c->n; i < (s + 1) * c->n; i++) {
        c->solution[i] += alpha * c->direction[i];
        c->residual[i] -= alpha * c->image[i];
      }
    }
  }
}
