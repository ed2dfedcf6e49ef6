/* Sums that do not depend on the layout. */
#ifndef WEFT_BASE_EXACT_H
#define WEFT_BASE_EXACT_H
#include <petscsys.h>

/* Sums over all ranks, the same bits however the values are spread and ordered: each value becomes two integers of `bits` bits,
   scaled by a power of two of the largest, and integers add in any order. Values that are not finite: sums that are not. */
typedef struct {
  PetscReal largest;           /* over what all ranks add */
  PetscReal up, split, unscale[2]; /* powers of two: value to high part, rest to low part; and back */
} WeftExactScale;
/* largest: over this rank's values; total: how many values are added, at most, over all ranks. Collective: one reduction. */
PetscErrorCode WeftExactScaleSet(MPI_Comm comm, PetscReal largest, PetscInt total, WeftExactScale *scale);
/* Splits a value into two integers that are added to sum. */
static inline void WeftExactAdd(const WeftExactScale *scale, PetscReal value, PetscInt64 sum[2])
{
  const PetscReal magic  = 6755399441055744.0; /* 1.5 * 2^52: adding and subtracting it rounds what is below 2^51 */
  const PetscReal scaled = scale->up * value, high = (scaled + magic) - magic;
  sum[0] += (PetscInt64)high;
  sum[1] += (PetscInt64)((scale->split * (scaled - high) + magic) - magic);
}
/* sums[count][2], this rank's -> values[count] over all ranks. Collective: one reduction. */
PetscErrorCode WeftExactReduce(MPI_Comm comm, const WeftExactScale *scale, PetscInt count, PetscInt64 sums[], PetscReal values[]);
#endif
