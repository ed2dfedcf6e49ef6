/* Sums of the same bits on every layout: integers add in any order. */
#include <math.h>
#include <weft/base.h>
#include "base/exact.h"

PetscErrorCode WeftExactScaleSet(MPI_Comm comm, PetscReal largest, PetscInt total, WeftExactScale *scale)
{
  PetscReal local = largest <= PETSC_MAX_REAL ? largest : INFINITY; /* NaN as well */
  int       exponent, count_bits, bits, up;

  PetscFunctionBegin;
  PetscCall(WeftReduce(&local, 1, MPIU_REAL, MPI_MAX, comm));
  scale->largest = local;
  frexp(scale->largest <= PETSC_MAX_REAL ? scale->largest : 1.0, &exponent);
  frexp((double)total, &count_bits);
  bits              = PetscMin(50, 62 - count_bits); /* the sum of `total` integers below 2^bits stays below 2^62 */
  up                = PetscMax(-1000, PetscMin(1000, bits - exponent));
  scale->up         = ldexp(1.0, up);
  scale->split      = ldexp(1.0, bits);
  scale->unscale[0] = ldexp(1.0, -up);
  scale->unscale[1] = ldexp(1.0, -bits);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftExactReduce(MPI_Comm comm, const WeftExactScale *scale, PetscInt count, PetscInt64 sums[], PetscReal values[])
{
  PetscFunctionBegin;
  PetscCall(WeftReduce(sums, (PetscMPIInt)(2 * count), MPIU_INT64, MPI_SUM, comm));
  for (PetscInt i = 0; i < count; i++) {
    values[i] = ((PetscReal)sums[2 * i] + scale->unscale[1] * (PetscReal)sums[2 * i + 1]) * scale->unscale[0];
    if (!(scale->largest <= PETSC_MAX_REAL)) values[i] = NAN;
  }
  PetscFunctionReturn(0);
}
