/* Inside Weft: sums in fixed point, so that no order of the terms matters.

   A term t is t scale rounded to a multiple of 2^-56, kept as two integers, high 2^-13 + low 2^-56 with |low| <= 2^42. Integers add
   without rounding, so the sum is the same in whatever order and on whatever ranks its terms are added, and an MPI_SUM of the
   integers is one plain reduction. Terms of 2^30 / scale and more, and those that are no numbers, do not fit and are counted. The
   scale is agreed on beforehand: no rank has to look at the others' terms. Carried, the low parts of 2^20 sums add without overflow. */
#ifndef WEFT_BASE_FIXED_H
#define WEFT_BASE_FIXED_H
#include <petscsys.h>

typedef struct {
  PetscInt64 *high, *low, *unfit; /* [count] each; unfit: terms that did not fit, one number for all */
  double      scale;              /* of the terms; sums that are merged or reduced have the same */
} WeftFixed;

/* sum[i] += term[i] */
void WeftFixedAdd(const WeftFixed *sum, PetscInt n, const double term[]);
void WeftFixedAddSingle(const WeftFixed *sum, PetscInt n, const float term[]);
/* sum += other, a sum of the same scale */
void WeftFixedMerge(const WeftFixed *sum, PetscInt n, const WeftFixed *other);
/* Moves what is above its range from the low integers to the high ones. */
void   WeftFixedCarry(const WeftFixed *sum, PetscInt n);
double WeftFixedValue(const WeftFixed *sum, PetscInt i);
static inline WeftFixed WeftFixedFrom(const WeftFixed *sum, PetscInt offset)
{
  const WeftFixed part = {sum->high + offset, sum->low + offset, sum->unfit, sum->scale};
  return part;
}
#endif
