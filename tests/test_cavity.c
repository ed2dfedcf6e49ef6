/* ctest: case; ranks 2; timeout 120 */
/* Lid-driven cavity at Re 100: within 0.005 of the tables and 0.007 of the extremes on 64 x 64 cells, and these errors fall with an order
   above 1 from 32 x 32 (first in time, second in space, the time step with the spacing). */
#include "cavity.h"

static const double u[GHIA] = {0.84123,  0.78871,  0.73722,  0.68717,  0.23151,  0.00332,  -0.13641, -0.20581,
                               -0.21090, -0.15662, -0.10150, -0.06434, -0.04775, -0.04192, -0.03717};
static const double v[GHIA] = {-0.05906, -0.07391, -0.08864, -0.10313, -0.16914, -0.22445, -0.24533, 0.05454,
                               0.17527,  0.17507,  0.16077,  0.12317,  0.10890,  0.10091,  0.09233};

static PetscErrorCode Test(void)
{
  const CavityReference reference = {u, v, {-0.2140, 0.1796, -0.2538}};
  CavityError           coarse, fine;

  PetscFunctionBegin;
  PetscCall(CavityCompare("32;32", "0.01", "100", 20.0, &reference, &coarse));
  PetscCall(CavityCompare("64;64", "0.005", "100", 20.0, &reference, &fine));
  TestCheck(fine.table <= 0.005, "differs by %g from the tables", fine.table);
  TestCheck(fine.extreme <= 0.007, "extremes differ by %g", fine.extreme);
  TestCheck(2.0 * fine.table < coarse.table && 2.0 * fine.extreme < coarse.extreme, "errors %g, %g on half the cells %g, %g",
            fine.table, fine.extreme, coarse.table, coarse.extreme);
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
