/* ctest: unit; ranks 1 2 4; timeout 60 */
/* The gradient of a Gray-Scott rollout, by Crank-Nicolson and by Runge-Kutta, is that of PETSc's TSAdjoint on the same scheme. */
#include "gray_scott.h"
#include "support.h"

static PetscErrorCode Compare(PetscBool implicit)
{
  PetscReal difference[3];
  GrayScott g;

  PetscFunctionBegin;
  PetscCall(GrayScottCreate(24, implicit, 1.0, 8, &g));
  PetscCall(GrayScottForward(&g));
  PetscCall(GrayScottReverse(&g));
  PetscCall(GrayScottPeerForward(&g));
  PetscCall(GrayScottPeerReverse(&g));
  PetscCall(GrayScottCompare(&g, difference));
  for (PetscInt k = 0; k < 3; k++) TestCheck(difference[k] < 1e-10, "%s, %s differs from PETSc's by %g", implicit ? "Crank-Nicolson" : "Runge-Kutta", k == 0 ? "the final state" : k == 1 ? "the gradient by the initial state" : "the gradient by the numbers", (double)difference[k]);
  PetscCall(GrayScottDestroy(&g));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Compare(PETSC_TRUE));
  PetscCall(Compare(PETSC_FALSE));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
