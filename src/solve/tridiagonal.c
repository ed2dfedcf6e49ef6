/* The axis that is not transformed: (shift + negative second difference) x = scale b for many lines side by side, by elimination
   without pivoting (the matrix is diagonally dominant). Pivots are kept as their excess over 1, a sum of positive terms, so that
   small shifts do not cancel. A periodic line is bordered: its last unknown is eliminated last. */
#include "solve/impl.h"
#include "base/kernel.h"

/* Does the line end at a closed side there (the diagonal is 1, not 2)? */
static PetscBool ClosedAt(WeftAxisKind kind, PetscInt end)
{
  if (kind == WEFT_AXIS_CLOSED) return PETSC_TRUE;
  return (kind == WEFT_AXIS_CLOSED_OPEN && !end) || (kind == WEFT_AXIS_OPEN_CLOSED && end) ? PETSC_TRUE : PETSC_FALSE;
}

PetscInt WeftTridiagonalFactors(WeftTridiagonal t) { return t.kind == WEFT_AXIS_PERIODIC ? 2 * t.n : t.n; }

/* factor[j] = 1 / pivot_j. */
static void Pivots(PetscInt n, PetscReal shift, PetscBool closed_lower, PetscBool closed_upper, double *factor, PetscInt stride)
{
  PetscReal excess = shift + (closed_lower ? 0.0 : 1.0); /* pivot - 1 */

  for (PetscInt j = 0; j < n; j++) {
    PetscReal pivot;
    if (j > 0) excess = shift + excess / (1.0 + excess);
    pivot              = j == n - 1 && closed_upper ? (j > 0 ? excess : excess - 1.0) : 1.0 + excess;
    factor[j * stride] = pivot > 0.0 ? 1.0 / pivot : 0.0;
  }
}

void WeftTridiagonalFactor(WeftTridiagonal t, PetscReal shift, double *factor, PetscInt stride)
{
  const PetscInt n = t.n;
  double        *z = factor + n * stride, pivot; /* of the line without its last unknown, for e_first + e_last */

  if (t.kind != WEFT_AXIS_PERIODIC) {
    Pivots(n, shift, ClosedAt(t.kind, 0), ClosedAt(t.kind, 1), factor, stride);
    return;
  }
  Pivots(n - 1, shift, PETSC_FALSE, PETSC_FALSE, factor, stride);
  for (PetscInt j = 0; j < n - 1; j++) z[j * stride] = ((j == 0 ? 1.0 : 0.0) + (j == n - 2 ? 1.0 : 0.0) + (j > 0 ? z[(j - 1) * stride] : 0.0)) * factor[j * stride];
  for (PetscInt j = n - 3; j >= 0; j--) z[j * stride] += factor[j * stride] * z[(j + 1) * stride];
  pivot                    = shift + (1.0 - z[0]) + (1.0 - z[(n - 2) * stride]);
  factor[(n - 1) * stride] = shift > 0.0 ? 1.0 / pivot : 0.0;
  z[(n - 1) * stride]      = 0.0;
}

WEFT_KERNEL static void Eliminate(PetscInt n, double scale, PetscInt lines, double *restrict x, PetscInt stride, const double *restrict factor, PetscInt factor_stride)
{
  for (PetscInt l = 0; l < lines; l++) x[l] = scale * x[l] * factor[l];
  for (PetscInt j = 1; j < n; j++) {
    double *restrict row           = x + j * stride;
    const double *restrict below   = x + (j - 1) * stride;
    const double *restrict inverse = factor + j * factor_stride;
    for (PetscInt l = 0; l < lines; l++) row[l] = (scale * row[l] + below[l]) * inverse[l];
  }
  for (PetscInt j = n - 2; j >= 0; j--) {
    double *restrict row           = x + j * stride;
    const double *restrict above   = x + (j + 1) * stride;
    const double *restrict inverse = factor + j * factor_stride;
    for (PetscInt l = 0; l < lines; l++) row[l] += inverse[l] * above[l];
  }
}

/* The unknown of the border, then its part in all others. */
WEFT_KERNEL static void Border(PetscInt n, double scale, PetscInt lines, double *restrict x, PetscInt stride, const double *restrict factor, PetscInt factor_stride)
{
  const double *restrict inverse = factor + (n - 1) * factor_stride;
  const double *restrict z       = factor + n * factor_stride;
  const double *restrict below   = x + (n - 2) * stride;
  double *restrict last          = x + (n - 1) * stride;

  for (PetscInt l = 0; l < lines; l++) last[l] = (scale * last[l] + (x[l] + below[l])) * inverse[l];
  for (PetscInt j = 0; j < n - 1; j++)
    for (PetscInt l = 0; l < lines; l++) x[j * stride + l] += z[j * factor_stride + l] * last[l];
}

void WeftTridiagonalSolve(WeftTridiagonal t, PetscReal scale, PetscInt lines, double *x, PetscInt stride, const double *factor, PetscInt factor_stride)
{
  if (t.kind != WEFT_AXIS_PERIODIC) Eliminate(t.n, scale, lines, x, stride, factor, factor_stride);
  else {
    Eliminate(t.n - 1, scale, lines, x, stride, factor, factor_stride);
    Border(t.n, scale, lines, x, stride, factor, factor_stride);
  }
}

void WeftTridiagonalSolveSingular(WeftTridiagonal t, PetscReal scale, double *x, PetscInt stride)
{
  const PetscInt n    = t.n;
  PetscReal      mean = 0.0, flux = 0.0, value = 0.0;

  for (PetscInt j = 0; j < n; j++) mean += x[j * stride];
  mean /= n;
  if (t.kind == WEFT_AXIS_PERIODIC) { /* flux through the seam: differences sum to zero around the ring */
    PetscReal partial = 0.0, total = 0.0;
    for (PetscInt j = 0; j < n; j++) {
      partial += scale * (x[j * stride] - mean);
      total += partial;
    }
    flux = -total / n;
  }
  /* flux after cell j: x_j - x_{j+1} = flux before it + b_j */
  for (PetscInt j = 0; j < n; j++) {
    const PetscReal b = scale * (x[j * stride] - mean);
    x[j * stride]     = value;
    flux += b;
    value -= flux;
  }
  mean = 0.0;
  for (PetscInt j = 0; j < n; j++) mean += x[j * stride];
  mean /= n;
  for (PetscInt j = 0; j < n; j++) x[j * stride] -= mean;
}
