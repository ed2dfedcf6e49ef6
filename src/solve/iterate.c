/* Obstacles with many cut faces: conjugate gradients with the box solve as preconditioner. The spectrum of the preconditioned system
   is that of a few dozen eigenvalues apart from 1: the count of iterations hardly grows with the grid. */
#include "solve/impl.h"

#define MOST_ITERATIONS 500

/* The box solve between restrictions to the open cells: symmetric, and definite where L is. */
static PetscErrorCode Precondition(void *context, const double **z)
{
  WeftPoisson p      = (WeftPoisson)context;
  double     *values = WeftBoxValues(p->box);

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(values, p->conjugate.residual, p->batch * p->cells));
  PetscCall(WeftBoxSolve(p->box));
  PetscCall(WeftPoissonRestrict(p, values));
  *z = values;
  PetscFunctionReturn(0);
}

static PetscErrorCode Multiply(void *context)
{
  WeftPoisson p = (WeftPoisson)context;

  PetscFunctionBegin;
  WeftOwnedCopy(p->search, p->conjugate.direction, PETSC_FALSE);
  PetscCall(WeftPoissonMultiply(p, p->search, p->image));
  WeftOwnedCopy(p->image, p->conjugate.image, PETSC_TRUE);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonIterateSetUp(WeftPoisson p)
{
  const char *const  name[]     = {"pressure"};
  const WeftLocation location[] = {WEFT_CELL};
  const WeftLayout  *l          = WeftGridLayout(p->grid);
  WeftSpace          space;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(p->grid, p->batch, 1, name, location, &space));
  PetscCall(WeftStateCreate(space, &p->search));
  PetscCall(WeftStateCreate(space, &p->image));
  PetscCall(WeftSpaceDestroy(&space));
  p->conjugate = (WeftConjugate){.comm = p->comm, .batch = p->batch, .n = p->cells, .total = l->cells[0] * l->cells[1] * l->cells[2], .multiply = Multiply, .precondition = Precondition, .context = p};
  PetscCall(WeftConjugateSetUp(&p->conjugate));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonIterate(WeftPoisson p)
{
  const PetscInt all = p->batch * p->cells;
  PetscInt       iterations;
  PetscReal      residual;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(p->conjugate.residual, WeftBoxValues(p->box), all));
  PetscCall(WeftConjugateSolve(&p->conjugate, MOST_ITERATIONS, &iterations, &residual));
  if (residual != 0.0) return WeftFail(p->comm, "the pressure solve around the obstacles did not converge in %" PetscInt_FMT " iterations (residual %g of the right-hand side)%s", iterations, (double)residual, residual == residual ? "" : ": the velocity is not finite");
  PetscCall(PetscArraycpy(WeftBoxValues(p->box), p->conjugate.solution, all));
  PetscFunctionReturn(0);
}
