/* Sums in fixed point (fixed.h). A double rounds to a multiple of a unit u when 1.5 2^52 u is added to it; the bits of the result, as
   an integer, then count the units. */
#include "base/fixed.h"
#include "base/kernel.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
typedef double  Reals __attribute__((vector_size(8 * LANES)));
typedef float   Singles __attribute__((vector_size(4 * LANES)));
typedef int64_t Integers __attribute__((vector_size(8 * LANES)));
typedef uint64_t Bits __attribute__((vector_size(8 * LANES)));

#define ROUND_HIGH 824633720832.0 /* 1.5 2^52 2^-13 */
#define ROUND_LOW  0.09375        /* 1.5 2^52 2^-56 */
#define BOUND      1073741824.0   /* 2^30 */
#define LOW_BITS   43

WEFT_INLINE uint64_t BitsOf(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}

/* Adds LANES terms. A lane of *fit becomes positive with a term that does not fit, a NaN among them: the bits of |term|, as an
   integer, are ordered as |term| is. (Comparisons of vectors were made one by one by the compiler, at four times the price.) */
WEFT_INLINE void AddLanes(const Reals *terms, double scale, int64_t *high, int64_t *low, Integers *fit)
{
  const Reals term = *terms * scale, rounded = term + ROUND_HIGH, rest = term - (rounded - ROUND_HIGH), small = rest + ROUND_LOW;
  Bits        h, l;

  memcpy(&h, high, sizeof(h));
  memcpy(&l, low, sizeof(l));
  h += (Bits)rounded - BitsOf(ROUND_HIGH);
  l += (Bits)small - BitsOf(ROUND_LOW);
  memcpy(high, &h, sizeof(h));
  memcpy(low, &l, sizeof(l));
  *fit &= ((Integers)term & INT64_MAX) - (int64_t)BitsOf(BOUND);
}

/* The first n lanes alone; the others are 0. */
WEFT_INLINE void AddRest(const Reals *terms, PetscInt n, double scale, int64_t *high, int64_t *low, Integers *fit)
{
  int64_t h[LANES] = {0}, l[LANES] = {0};

  AddLanes(terms, scale, h, l, fit);
  for (PetscInt k = 0; k < n; k++) {
    high[k] = (int64_t)((uint64_t)high[k] + (uint64_t)h[k]); /* wraps where a term does not fit */
    low[k]  = (int64_t)((uint64_t)low[k] + (uint64_t)l[k]);
  }
}

WEFT_INLINE int AllFit(const Integers *fit)
{
  int64_t sign = -1;
  for (int k = 0; k < LANES; k++) sign &= (*fit)[k];
  return sign < 0;
}

#define ALL_FIT (Integers){-1, -1, -1, -1, -1, -1, -1, -1}

WEFT_KERNEL static int AddReals(PetscInt n, const double *term, double scale, int64_t *high, int64_t *low)
{
  Integers fit = ALL_FIT;
  PetscInt i   = 0;

  for (; i + LANES <= n; i += LANES) {
    Reals t;
    memcpy(&t, term + i, sizeof(t));
    AddLanes(&t, scale, high + i, low + i, &fit);
  }
  if (i < n) {
    Reals t = {0};
    for (PetscInt k = i; k < n; k++) t[k - i] = term[k];
    AddRest(&t, n - i, scale, high + i, low + i, &fit);
  }
  return AllFit(&fit);
}

WEFT_KERNEL static int AddSingles(PetscInt n, const float *term, double scale, int64_t *high, int64_t *low)
{
  Integers fit = ALL_FIT;
  PetscInt i   = 0;

  for (; i + LANES <= n; i += LANES) {
    Singles t;
    Reals   r;
    memcpy(&t, term + i, sizeof(t));
    r = __builtin_convertvector(t, Reals);
    AddLanes(&r, scale, high + i, low + i, &fit);
  }
  if (i < n) {
    Reals t = {0};
    for (PetscInt k = i; k < n; k++) t[k - i] = (double)term[k];
    AddRest(&t, n - i, scale, high + i, low + i, &fit);
  }
  return AllFit(&fit);
}

static PetscInt64 Unfit(double term) { return fabs(term) < BOUND ? 0 : 1; }

void WeftFixedAdd(const WeftFixed *sum, PetscInt n, const double term[])
{
  if (AddReals(n, term, sum->scale, (int64_t *)sum->high, (int64_t *)sum->low)) return;
  for (PetscInt i = 0; i < n; i++) *sum->unfit += Unfit(term[i] * sum->scale);
}

void WeftFixedAddSingle(const WeftFixed *sum, PetscInt n, const float term[])
{
  if (AddSingles(n, term, sum->scale, (int64_t *)sum->high, (int64_t *)sum->low)) return;
  for (PetscInt i = 0; i < n; i++) *sum->unfit += Unfit((double)term[i] * sum->scale);
}

void WeftFixedMerge(const WeftFixed *sum, PetscInt n, const WeftFixed *other)
{
  for (PetscInt i = 0; i < n; i++) {
    sum->high[i] += other->high[i];
    sum->low[i] += other->low[i];
  }
  *sum->unfit += *other->unfit;
}

/* Shifts of negative integers keep the sign with the compilers that Weft knows. */
WEFT_KERNEL static void Carry(PetscInt n, int64_t *restrict high, int64_t *restrict low)
{
  for (PetscInt i = 0; i < n; i++) {
    high[i] += low[i] >> LOW_BITS;
    low[i] &= ((int64_t)1 << LOW_BITS) - 1;
  }
}

void WeftFixedCarry(const WeftFixed *sum, PetscInt n) { Carry(n, (int64_t *)sum->high, (int64_t *)sum->low); }

double WeftFixedValue(const WeftFixed *sum, PetscInt i)
{
  const double high = (double)sum->high[i] * 0x1p-13, low = (double)sum->low[i] * 0x1p-56;
  return (high + low) / sum->scale;
}
