/* ctest: case; ranks 2; timeout 600 */
/* Lid-driven cavity at Re 1000 on 128 x 128 cells: within 0.02 of the tables and 0.024 of the extremes, and these errors fall with
   an order above 1 from 64 x 64 (the time step with the spacing). The backtrace of advection is an Euler step, at whose ends the
   forces act: first order in the time step, in a steady state too. Half of it takes the errors to 0.013 and 0.017. */
#include "cavity.h"

static const double u[GHIA] = {0.65928,  0.57492,  0.51117,  0.46604,  0.33304,  0.18719,  0.05702, -0.06080,
                               -0.10648, -0.27805, -0.38289, -0.29730, -0.22220, -0.20196, -0.18109};
static const double v[GHIA] = {-0.21388, -0.27669, -0.33714, -0.39188, -0.51550, -0.42665, -0.31966, 0.02526,
                               0.32235,  0.33075,  0.37095,  0.32627,  0.30353,  0.29012,  0.27485};

static PetscErrorCode Test(void)
{
  const CavityReference reference = {u, v, {-0.3885698, 0.3769447, -0.5270771}};
  CavityError           coarse, fine;

  PetscFunctionBegin;
  PetscCall(CavityCompare("64;64", "0.0078125", "1000", 60.0, &reference, &coarse));
  PetscCall(CavityCompare("128;128", "0.00390625", "1000", 60.0, &reference, &fine));
  TestCheck(fine.table <= 0.02, "differs by %g from the tables", fine.table);
  TestCheck(fine.extreme <= 0.024, "extremes differ by %g", fine.extreme);
  TestCheck(2.0 * fine.table < coarse.table && 2.0 * fine.extreme < coarse.extreme, "errors %g, %g on half the cells %g, %g",
            fine.table, fine.extreme, coarse.table, coarse.extreme);
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
