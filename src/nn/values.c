/* Work on values one by one, in either precision. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "nn/impl.h"
#include "base/kernel.h"

/* tanh x = e / (e + 2), e = exp(2 |x|) - 1, to 4e-16 of its size: with 2 |x| = k log 2 + r, |r| <= log 2 / 2, e = 2^k (exp r - 1) + 2^k - 1
   and exp r - 1 by its series. Not the library's: a loop over this one becomes vectors. */
WEFT_INLINE double Tanh(double x)
{
  const double shift = 6755399441055744.0; /* 1.5 2^52: adding it leaves k in the last bits */
  const double twice = 2.0 * (fabs(x) > 20.0 ? 20.0 : fabs(x)), k = twice * 1.4426950408889634 + shift;
  const double r = (twice - (k - shift) * 0.6931471803691238) - (k - shift) * 1.9082149292705877e-10;
  double       power, e;
  uint64_t     bits;

  e = r * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0));
  e = r * (1.0 / 3628800.0 + r * (1.0 / 39916800.0 + e));
  e = r * (1.0 / 40320.0 + r * (1.0 / 362880.0 + e));
  e = r * (1.0 / 720.0 + r * (1.0 / 5040.0 + e));
  e = r * (1.0 / 24.0 + r * (1.0 / 120.0 + e));
  e = r + r * (r * (0.5 + r * (1.0 / 6.0 + e)));
  memcpy(&bits, &k, sizeof(bits));
  bits = (bits << 52) + ((uint64_t)1023 << 52);
  memcpy(&power, &bits, sizeof(power));
  e = power * e + (power - 1.0);
  return copysign(e / (e + 2.0), x);
}

#define VALUES(type)                                                                                                           \
  WEFT_KERNEL static void Derive_##type(WeftActivation activation, PetscInt n, const type *restrict y, const type *restrict g, \
                                        type *restrict z)                                                                      \
  {                                                                                                                            \
    const type slope = activation == WEFT_ACTIVATION_RELU ? (type)0 : (type)0.2;                                               \
    if (activation == WEFT_ACTIVATION_TANH)                                                                                    \
      for (PetscInt i = 0; i < n; i++) z[i] = ((type)1 - y[i] * y[i]) * g[i];                                                  \
    else if (activation == WEFT_ACTIVATION_NONE)                                                                               \
      for (PetscInt i = 0; i < n; i++) z[i] = g[i];                                                                            \
    else                                                                                                                       \
      for (PetscInt i = 0; i < n; i++) z[i] = (y[i] > (type)0 ? (type)1 : slope) * g[i];                                       \
  }                                                                                                                            \
  WEFT_KERNEL static void Scale_##type(WeftActivation activation, PetscInt n, const type *restrict y, type *restrict z)        \
  {                                                                                                                            \
    const type slope = activation == WEFT_ACTIVATION_RELU ? (type)0 : (type)0.2;                                               \
    if (activation == WEFT_ACTIVATION_TANH)                                                                                    \
      for (PetscInt i = 0; i < n; i++) z[i] *= (type)1 - y[i] * y[i];                                                          \
    else if (activation != WEFT_ACTIVATION_NONE)                                                                               \
      for (PetscInt i = 0; i < n; i++) z[i] *= y[i] > (type)0 ? (type)1 : slope;                                               \
  }                                                                                                                            \
  WEFT_KERNEL static void Add_##type(PetscInt n, const type *restrict x, type *restrict y)                                     \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) y[i] += x[i];                                                                             \
  }                                                                                                                            \
  WEFT_KERNEL static void Sum_##type(PetscInt pixels, PetscInt channels, const type *restrict z, double *restrict sum)         \
  {                                                                                                                            \
    for (PetscInt p = 0; p < pixels; p++)                                                                                      \
      for (PetscInt c = 0; c < channels; c++) sum[c] += (double)z[(ptrdiff_t)p * channels + c];                                \
  }                                                                                                                            \
  WEFT_KERNEL static void FromDouble_##type(PetscInt n, const double *restrict x, type *restrict y)                            \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) y[i] = (type)x[i];                                                                        \
  }                                                                                                                            \
  WEFT_KERNEL static void AddTo_##type(PetscInt n, const type *restrict x, double *restrict y)                                 \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) y[i] += (double)x[i];                                                                     \
  }                                                                                                                            \
  static void ToChannel_##type(PetscInt n, PetscInt channels, double factor, const double *restrict a,                         \
                               const double *restrict b, PetscBool add, type *restrict y)                                      \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++, y += channels) {                                                                          \
      const type value = (type)(factor * (b ? a[i] + b[i] : a[i]));                                                            \
      *y               = add ? *y + value : value;                                                                             \
    }                                                                                                                          \
  }                                                                                                                            \
  static void AddFromChannel_##type(PetscInt n, PetscInt channels, double factor, const type *restrict y, double *restrict a,  \
                                    PetscInt stride)                                                                           \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) a[i * stride] += factor * (double)y[(ptrdiff_t)i * channels];                             \
  }                                                                                                                            \
  static void FillChannel_##type(PetscInt n, PetscInt channels, type value, type *y)                                           \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) y[(ptrdiff_t)i * channels] = value;                                                       \
  }                                                                                                                            \
  static void FromChannel_##type(PetscInt n, PetscInt channels, const type *restrict y, double *restrict a)                    \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) a[i] = (double)y[(ptrdiff_t)i * channels];                                                \
  }                                                                                                                            \
  WEFT_KERNEL static void Tanh_##type(PetscInt n, type *restrict y)                                                            \
  {                                                                                                                            \
    for (PetscInt i = 0; i < n; i++) y[i] = (type)Tanh((double)y[i]);                                                          \
  }
VALUES(double)
VALUES(float)

void WeftValuesTanh(PetscBool single, PetscInt n, void *y)
{
  if (single)
    Tanh_float(n, (float *)y);
  else
    Tanh_double(n, (double *)y);
}

void WeftValuesDerive(PetscBool single, WeftActivation activation, PetscInt n, const void *y, const void *g, void *z)
{
  if (single)
    Derive_float(activation, n, (const float *)y, (const float *)g, (float *)z);
  else
    Derive_double(activation, n, (const double *)y, (const double *)g, (double *)z);
}

void WeftValuesAdd(PetscBool single, PetscInt n, const void *x, void *y)
{
  if (single)
    Add_float(n, (const float *)x, (float *)y);
  else
    Add_double(n, (const double *)x, (double *)y);
}

void WeftValuesSum(PetscBool single, PetscInt pixels, PetscInt channels, const void *z, double sum[])
{
  if (single)
    Sum_float(pixels, channels, (const float *)z, sum);
  else
    Sum_double(pixels, channels, (const double *)z, sum);
}

void WeftValuesFromDouble(PetscBool single, PetscInt n, const double x[], void *y)
{
  if (single)
    FromDouble_float(n, x, (float *)y);
  else
    FromDouble_double(n, x, (double *)y);
}

void WeftValuesAddTo(PetscBool single, PetscInt n, const void *x, double y[])
{
  if (single)
    AddTo_float(n, (const float *)x, y);
  else
    AddTo_double(n, (const double *)x, y);
}

void WeftValuesScale(PetscBool single, WeftActivation activation, PetscInt n, const void *y, void *z)
{
  if (single)
    Scale_float(activation, n, (const float *)y, (float *)z);
  else
    Scale_double(activation, n, (const double *)y, (double *)z);
}

void WeftValuesToChannel(PetscBool single, PetscInt n, PetscInt channels, double factor, const double a[], const double b[],
                         PetscBool add, void *y)
{
  if (single)
    ToChannel_float(n, channels, factor, a, b, add, (float *)y);
  else
    ToChannel_double(n, channels, factor, a, b, add, (double *)y);
}

void WeftValuesFillChannel(PetscBool single, PetscInt n, PetscInt channels, double value, void *y)
{
  if (single)
    FillChannel_float(n, channels, (float)value, (float *)y);
  else
    FillChannel_double(n, channels, value, (double *)y);
}

void WeftValuesFromChannel(PetscBool single, PetscInt n, PetscInt channels, const void *y, double a[])
{
  if (single)
    FromChannel_float(n, channels, (const float *)y, a);
  else
    FromChannel_double(n, channels, (const double *)y, a);
}

WEFT_KERNEL void WeftValuesAddMean(PetscInt n, double factor, const double *restrict a, const double *restrict b,
                                   double *restrict y)
{
  for (PetscInt i = 0; i < n; i++) y[i] += factor * (a[i] + b[i]);
}

void WeftValuesAddFromChannel(PetscBool single, PetscInt n, PetscInt channels, double factor, const void *y, double a[])
{
  if (single)
    AddFromChannel_float(n, channels, factor, (const float *)y, a, 1);
  else
    AddFromChannel_double(n, channels, factor, (const double *)y, a, 1);
}

void WeftValuesAddSum(PetscBool single, PetscInt n, PetscInt channels, const void *y, double *sum)
{
  if (single)
    AddFromChannel_float(n, channels, 1.0, (const float *)y, sum, 0);
  else
    AddFromChannel_double(n, channels, 1.0, (const double *)y, sum, 0);
}
