#include "support.h"
PetscErrorCode TestClose(double value, double expected, double tolerance, const char *what)
{
  PetscFunctionBegin;
  PetscCheck(PetscAbsReal(value - expected) <= tolerance, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s: %.15g, expected %.15g within %.3g", what, value, expected, tolerance);
  PetscFunctionReturn(0);
}

int TestMain(int argc, char **argv, PetscErrorCode (*test)(void))
{
  PetscErrorCode ierr = WeftInitialize(&argc, &argv, NULL);
  if (!ierr) ierr = test();
  if (ierr) { /* one rank alone may have failed: do not leave the others waiting */
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
  return WeftFinalize() ? 1 : 0;
}
