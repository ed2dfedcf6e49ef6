/* ctest: case; ranks 2; timeout 120 */
/* Lid-driven cavity at Re 100. */
#include "cavity.h"

static const double u[GHIA] = {0.84123, 0.78871, 0.73722, 0.68717, 0.23151, 0.00332, -0.13641, -0.20581, -0.21090, -0.15662, -0.10150, -0.06434, -0.04775, -0.04192, -0.03717};
static const double v[GHIA] = {-0.05906, -0.07391, -0.08864, -0.10313, -0.16914, -0.22445, -0.24533, 0.05454, 0.17527, 0.17507, 0.16077, 0.12317, 0.10890, 0.10091, 0.09233};

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(FlowCase("cavity/simulate.yaml"));
  PetscCall(CavityCompare("64;64", "0.005", "100", 20.0, u, v, 0.01));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
