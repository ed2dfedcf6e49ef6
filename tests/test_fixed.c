/* ctest: unit; ranks 1 4; timeout 60 */
/* Sums in fixed point: the same integers in whatever order and on whatever ranks the terms are added, the value right to the units'
   rounding, terms that do not fit counted. */
#include <math.h>
#include "base/fixed.h"
#include "support.h"

#define TERMS 4096
#define WIDTH 37 /* no multiple of a vector */

static double term[TERMS][WIDTH], plain[WIDTH];
static PetscInt64 high[2][WIDTH], low[2][WIDTH], unfit[2];

static PetscErrorCode SameInAnyOrder(double scale)
{
  const WeftFixed forward = {high[0], low[0], &unfit[0], scale}, shared = {high[1], low[1], &unfit[1], scale};
  PetscInt        order[TERMS];

  PetscFunctionBegin;
  memset(high, 0, sizeof(high));
  memset(low, 0, sizeof(low));
  WeftRandomPermutation(7, WEFT_STREAM_TEST, 0, TERMS, order);
  for (PetscInt t = 0; t < TERMS; t++) WeftFixedAdd(&forward, WIDTH, term[t]);
  for (PetscInt t = PetscGlobalRank; t < TERMS; t += PetscGlobalSize) {
    WeftFixedAdd(&shared, WIDTH, term[order[t]]);
    if (t % 5 == 0) WeftFixedCarry(&shared, WIDTH);
  }
  WeftFixedCarry(&forward, WIDTH);
  WeftFixedCarry(&shared, WIDTH);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, high[1], WIDTH, MPIU_INT64, MPI_SUM, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, low[1], WIDTH, MPIU_INT64, MPI_SUM, PETSC_COMM_WORLD));
  WeftFixedCarry(&shared, WIDTH);
  for (PetscInt i = 0; i < WIDTH; i++) {
    double exact = WeftFixedValue(&forward, i);
    TestCheck(high[0][i] == high[1][i] && low[0][i] == low[1][i], "number %d: other integers in another order", (int)i);
    /* each term is rounded by at most half a unit; the plain sum by more */
    TestCheck(fabs(exact - plain[i]) <= TERMS * 0x1p-57 / scale + 1e-12 * fabs(plain[i]) + 1e-9, "number %d: %.17g, plain sum %.17g", (int)i, exact, plain[i]);
  }
  TestCheck(!unfit[0] && !unfit[1], "terms that fit were refused");
  PetscFunctionReturn(0);
}

static PetscErrorCode Refused(void)
{
  static const double bad[] = {1.0, NAN, INFINITY, -INFINITY, 1.1e9, -1.1e9, 1e300, 1.0e9, -1.0e9, 0.0};
  const WeftFixed     sum   = {high[0], low[0], &unfit[0], 1.0};
  const float         one[] = {0.1f, 3.0f, -2.5e-8f};

  PetscFunctionBegin;
  WeftFixedAdd(&sum, (PetscInt)(sizeof(bad) / sizeof(bad[0])), bad);
  TestCheck(unfit[0] == 6, "%d of 6 terms were counted as unfit", (int)unfit[0]);
  memset(high, 0, sizeof(high));
  memset(low, 0, sizeof(low));
  WeftFixedAddSingle(&sum, 3, one);
  for (PetscInt i = 0; i < 3; i++) TestCheck(WeftFixedValue(&sum, i) == (double)one[i] || fabs(WeftFixedValue(&sum, i) - (double)one[i]) <= 0x1p-57, "a float became %.17g", WeftFixedValue(&sum, i));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  for (PetscInt t = 0; t < TERMS; t++)
    for (PetscInt i = 0; i < WIDTH; i++) { /* magnitudes from 1e-8 to 1e8: plain sums differ from order to order */
      const double magnitude = pow(10.0, 16.0 * WeftRandomUniform(1, WEFT_STREAM_TEST, t * WIDTH + i) - 8.0);
      term[t][i] = magnitude * (2.0 * WeftRandomUniform(2, WEFT_STREAM_TEST, t * WIDTH + i) - 1.0);
      plain[i] += term[t][i];
    }
  PetscCall(SameInAnyOrder(1.0));
  PetscCall(SameInAnyOrder(0x1p-20));
  PetscCall(Refused());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
