/* Obstacles with many cut faces: conjugate gradients with the box solve as preconditioner. The scalar products are sums of the
   same bits on every layout, so the iterates are as well. The spectrum of the preconditioned system is that of a few dozen
   eigenvalues apart from 1: the count of iterations hardly grows with the grid. */
#include "solve/impl.h"
#include "base/kernel.h"

#define TOLERANCE 1e-14
#define MOST_ITERATIONS 500

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

PetscErrorCode WeftExactProducts(MPI_Comm comm, PetscInt total, PetscInt batch, PetscInt n, const double *x, const double *y, double *terms, PetscInt64 sums[], PetscReal product[])
{
  WeftExactScale scale;

  PetscFunctionBegin;
  Multiply(batch * n, x, y, terms);
  PetscCall(WeftExactScaleSet(comm, Largest(batch * n, terms), total, &scale));
  PetscCall(PetscArrayzero(sums, 2 * batch));
  for (PetscInt s = 0; s < batch && scale.largest <= PETSC_MAX_REAL; s++) AddExactly(n, &scale, terms + s * n, sums + 2 * s);
  PetscCall(WeftExactReduce(comm, &scale, batch, sums, product));
  PetscFunctionReturn(0);
}

/* product[s] = <x, y> per sample over all ranks; x, y [sample][owned cells]. */
static PetscErrorCode Products(WeftPoisson p, const double *x, const double *y, PetscReal product[])
{
  const WeftLayout *l = WeftGridLayout(p->grid);

  PetscFunctionBegin;
  PetscCall(WeftExactProducts(p->comm, l->cells[0] * l->cells[1] * l->cells[2], p->batch, p->cells, x, y, p->terms, p->sums, product));
  PetscFunctionReturn(0);
}

/* The box solve between restrictions to the open cells: symmetric, and definite where L is. */
static PetscErrorCode Precondition(WeftPoisson p, const double *residual)
{
  double *z = WeftBoxValues(p->box);

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(z, residual, p->batch * p->cells));
  PetscCall(WeftBoxSolve(p->box));
  PetscCall(WeftPoissonRestrict(p, WeftBoxValues(p->box)));
  PetscFunctionReturn(0);
}

/* Samples that have converged stay as they are: their steps are 0. */
static PetscErrorCode Loop(WeftPoisson p)
{
  const PetscInt n = p->batch;
  double        *z = WeftBoxValues(p->box), *direction = p->direction, *image = p->product;
  PetscReal     *rr = p->scalars, *rr0 = rr + n, *rz = rr + 2 * n, *rz_before = rr + 3 * n, *dq = rr + 4 * n;
  PetscBool      done = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(Products(p, p->residual, p->residual, rr0));
  for (PetscInt s = 0; s < n; s++) rz_before[s] = 0.0;
  for (PetscInt iteration = 0; !done; iteration++) {
    PetscCall(Products(p, p->residual, p->residual, rr));
    done = PETSC_TRUE;
    for (PetscInt s = 0; s < n; s++)
      if (!(rr[s] <= TOLERANCE * TOLERANCE * rr0[s])) done = PETSC_FALSE;
    if (done) break;
    if (iteration == MOST_ITERATIONS) return WeftFail(p->comm, "the pressure solve around the obstacles did not converge in %d iterations (residual %g of the right-hand side)%s", MOST_ITERATIONS, (double)PetscSqrtReal(rr[0] / rr0[0]), rr[0] == rr[0] ? "" : ": the velocity is not finite");
    PetscCall(Precondition(p, p->residual));
    PetscCall(Products(p, p->residual, z, rz));
    for (PetscInt s = 0; s < n; s++) {
      const double beta = rz_before[s] != 0.0 ? rz[s] / rz_before[s] : 0.0;
      for (PetscInt i = s * p->cells; i < (s + 1) * p->cells; i++) direction[i] = z[i] + beta * direction[i];
      rz_before[s] = rz[s];
    }
    WeftOwnedCopy(p->search, direction, PETSC_FALSE);
    PetscCall(WeftPoissonMultiply(p, p->search, p->image));
    WeftOwnedCopy(p->image, image, PETSC_TRUE);
    PetscCall(Products(p, direction, image, dq));
    for (PetscInt s = 0; s < n; s++) {
      const double alpha = rr[s] <= TOLERANCE * TOLERANCE * rr0[s] || dq[s] == 0.0 ? 0.0 : rz[s] / dq[s];
      for (PetscInt i = s * p->cells; i < (s + 1) * p->cells; i++) {
        p->solution[i] += alpha * direction[i];
        p->residual[i] -= alpha * image[i];
      }
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonIterateSetUp(WeftPoisson p)
{
  const char *const  name[]     = {"pressure"};
  const WeftLocation location[] = {WEFT_CELL};
  const PetscInt     all        = p->batch * p->cells;
  WeftSpace          space;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(p->grid, p->batch, 1, name, location, &space));
  PetscCall(WeftStateCreate(space, &p->search));
  PetscCall(WeftStateCreate(space, &p->image));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(PetscMalloc7(all, &p->residual, all, &p->solution, all, &p->direction, all, &p->product, all, &p->terms, 5 * p->batch, &p->scalars, 2 * p->batch, &p->sums));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonIterate(WeftPoisson p)
{
  const PetscInt all = p->batch * p->cells;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(p->residual, WeftBoxValues(p->box), all));
  PetscCall(PetscArrayzero(p->solution, all));
  PetscCall(PetscArrayzero(p->direction, all));
  PetscCall(Loop(p));
  PetscCall(PetscArraycpy(WeftBoxValues(p->box), p->solution, all));
  PetscFunctionReturn(0);
}
