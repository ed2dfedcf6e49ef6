/* ctest: case; ranks 2; timeout 600 */
/* Lid-driven cavity at Re 1000. The difference goes down with the time step (0.027 at 1/128, 0.018 at 1/256): the backtrace of
   advection is of first order in it. */
#include "cavity.h"

static const double u[GHIA] = {0.65928, 0.57492, 0.51117, 0.46604, 0.33304, 0.18719, 0.05702, -0.06080, -0.10648, -0.27805, -0.38289, -0.29730, -0.22220, -0.20196, -0.18109};
static const double v[GHIA] = {-0.21388, -0.27669, -0.33714, -0.39188, -0.51550, -0.42665, -0.31966, 0.02526, 0.32235, 0.33075, 0.37095, 0.32627, 0.30353, 0.29012, 0.27485};

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(FlowCase("cavity/simulate.yaml"));
  PetscCall(CavityCompare("128;128", "0.00390625", "1000", 80.0, u, v, 0.02));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
