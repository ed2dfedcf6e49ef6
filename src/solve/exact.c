/* Sums of the same bits on every layout: integers add in any order. */
#include "solve/impl.h"

PetscErrorCode WeftExactScaleSet(MPI_Comm comm, PetscReal largest, PetscInt total, WeftExactScale *scale)
{
  PetscReal local = largest <= PETSC_MAX_REAL ? largest : INFINITY; /* NaN as well */
  int       exponent, count_bits;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(&local, &scale->largest, 1, MPIU_REAL, MPI_MAX, comm));
  frexp(scale->largest <= PETSC_MAX_REAL ? scale->largest : 1.0, &exponent);
  frexp((double)total, &count_bits);
  scale->bits     = 62 - count_bits; /* the sum of `total` integers below 2^bits stays below 2^62 */
  scale->exponent = scale->bits - exponent;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftExactReduce(MPI_Comm comm, const WeftExactScale *scale, PetscInt count, PetscInt64 sums[], PetscReal values[])
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, (PetscMPIInt)(2 * count), MPIU_INT64, MPI_SUM, comm));
  for (PetscInt i = 0; i < count; i++) {
    values[i] = ldexp((PetscReal)sums[2 * i] + ldexp((PetscReal)sums[2 * i + 1], -(int)scale->bits), -(int)scale->exponent);
    if (!(scale->largest <= PETSC_MAX_REAL)) values[i] = NAN;
  }
  PetscFunctionReturn(0);
}
