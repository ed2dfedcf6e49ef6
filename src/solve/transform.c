/* Transforms that diagonalise the second difference along one axis, for WEFT_LANES lines side by side.
   Every kind is a real Fourier transform of length N of the line, reordered (closed: Makhoul 1980) or continued by the symmetry of
   its ends (open, mixed), and modes are real parts of phases times its spectrum:  mode k = Re(phase_k H_{bin_k}).
     periodic      N = n         the spectrum itself (real parts, then imaginary parts)
     closed        N = n         cos(pi k (j + 1/2) / n)
     open          N = 2(n + 1)  sin(pi (k + 1)(j + 1) / (n + 1))
     closed-open   N = 2n + 1    cos(pi (2k + 1)(j + 1/2) / (2n + 1)); (-1)^j times the continued line has period N
   A real transform of even length is a complex one of half the length. All lanes of a group go through one plan that never
   changes (FFTW_ESTIMATE, own aligned arrays), so a line's bits do not depend on its neighbours. */
#include "solve/impl.h"
#include "base/kernel.h"
#include <fftw3.h>

#define PAIRS (2 * WEFT_LANES) /* doubles in a row of complex lanes */

struct _n_WeftTransform {
  PetscInt   n, length, rows, bins; /* rows: of the complex transform; bins: length / 2 + 1 */
  PetscBool  even;
  double    *in, *spectrum, *out;   /* [rows][lane][re, im], spectrum [bins][lane][re, im] */
  double    *complex_modes;         /* what the complex transform makes, or takes back */
  fftw_plan  forward, backward;
  double    *twiddle;               /* e^(-2 pi i k / length), [bins][2] */
  PetscInt  *place[2];              /* [n] where value j goes in `in`, twice when the line is continued */
  double    *sign[2];               /* [n] */
  PetscInt   copies;                /* 1 or 2 */
  PetscInt   blank[2], blanks;      /* rows of the line that the continuation leaves 0 */
  PetscInt  *bin;                   /* [n] */
  double    *phase;                 /* [n][2] */
  PetscInt  *mode[2];               /* [bins] the modes that make up a bin again, */
  double    *weight[2];             /* [bins][2] and their complex weights */
};

WeftAxisKind WeftAxisKindOf(WeftSide lower, WeftSide upper)
{
  if (lower == WEFT_SIDE_PERIODIC) return WEFT_AXIS_PERIODIC;
  if (lower == WEFT_SIDE_OPEN) return upper == WEFT_SIDE_OPEN ? WEFT_AXIS_OPEN : WEFT_AXIS_OPEN_CLOSED;
  return upper == WEFT_SIDE_OPEN ? WEFT_AXIS_CLOSED_OPEN : WEFT_AXIS_CLOSED;
}

PetscReal WeftAxisEigenvalue(WeftAxisKind kind, PetscInt n, PetscInt k)
{
  PetscReal half_angle, s;
  switch (kind) {
  case WEFT_AXIS_PERIODIC: half_angle = PETSC_PI * PetscMin(k, n - k) / n; break;
  case WEFT_AXIS_CLOSED: half_angle = PETSC_PI * k / (2 * n); break;
  case WEFT_AXIS_OPEN: half_angle = PETSC_PI * (k + 1) / (2 * (n + 1)); break;
  default: half_angle = PETSC_PI * (2 * k + 1) / (2 * (2 * n + 1)); break;
  }
  s = PetscSinReal(half_angle);
  return 4.0 * s * s;
}

PetscInt WeftTransformLength(WeftAxisKind kind, PetscInt n)
{
  if (kind == WEFT_AXIS_PERIODIC || kind == WEFT_AXIS_CLOSED) return n;
  return kind == WEFT_AXIS_OPEN ? 2 * (n + 1) : 2 * n + 1;
}

PetscInt WeftLargestFactor(PetscInt n)
{
  PetscInt largest = 1;
  for (PetscInt f = 2; n > 1; f++) {
    if (f * f > n) f = n; /* what is left is prime */
    for (; n % f == 0; n /= f) largest = f;
  }
  return largest;
}

/* ---- kernels ---------------------------------------------------------------------------------------------------- */

/* to[2 l] = sign * value of lane l; the lanes beyond `lanes` become 0. */
WEFT_INLINE void LoadRow(double *restrict to, double sign, const double *restrict from, PetscInt across, PetscInt lanes)
{
  if (lanes == WEFT_LANES)
    for (PetscInt l = 0; l < WEFT_LANES; l++) to[2 * l] = sign * from[l * across];
  else
    for (PetscInt l = 0; l < WEFT_LANES; l++) to[2 * l] = l < lanes ? sign * from[l * across] : 0.0;
}

WEFT_KERNEL static void Load(PetscInt n, const PetscInt *restrict place, const double *restrict sign, const double *restrict base, PetscInt along, PetscInt across, PetscInt lanes, double *restrict in)
{
  if (across == 1)
    for (PetscInt j = 0; j < n; j++) LoadRow(in + place[j], sign[j], base + j * along, 1, lanes);
  else
    for (PetscInt j = 0; j < n; j++) LoadRow(in + place[j], sign[j], base + j, across, lanes);
}

WEFT_INLINE void StoreRow(double *restrict to, PetscInt across, PetscInt lanes, double sign, const double *restrict from)
{
  if (lanes == WEFT_LANES)
    for (PetscInt l = 0; l < WEFT_LANES; l++) to[l * across] = sign * from[2 * l];
  else
    for (PetscInt l = 0; l < lanes; l++) to[l * across] = sign * from[2 * l];
}

WEFT_KERNEL static void Store(PetscInt n, const PetscInt *restrict place, const double *restrict sign, double *restrict base, PetscInt along, PetscInt across, PetscInt lanes, const double *restrict out)
{
  if (across == 1)
    for (PetscInt j = 0; j < n; j++) StoreRow(base + j * along, 1, lanes, sign[j], out + place[j]);
  else
    for (PetscInt j = 0; j < n; j++) StoreRow(base + j, across, lanes, sign[j], out + place[j]);
}

/* Spectrum of a real line of even length from the complex transform z of its pairs: with Z' = conj z_{rows - k},
   H_k = (z_k + Z') / 2 - i e^(-2 pi i k / length) (z_k - Z') / 2. */
WEFT_KERNEL static void Untangle(PetscInt rows, const double *restrict twiddle, const double *restrict z, double *restrict spectrum)
{
  for (PetscInt k = 0; k <= rows; k++) {
    const double *restrict a = z + (k < rows ? k : 0) * PAIRS;
    const double *restrict b = z + (k > 0 ? rows - k : 0) * PAIRS;
    double *restrict h       = spectrum + k * PAIRS;
    const double c = twiddle[2 * k], s = twiddle[2 * k + 1];
    for (PetscInt l = 0; l < PAIRS; l += 2) {
      const double even_re = 0.5 * (a[l] + b[l]), even_im = 0.5 * (a[l + 1] - b[l + 1]);
      const double odd_re = 0.5 * (a[l + 1] + b[l + 1]), odd_im = 0.5 * (b[l] - a[l]);
      h[l]     = even_re + (c * odd_re - s * odd_im);
      h[l + 1] = even_im + (c * odd_im + s * odd_re);
    }
  }
}

/* The way back, without the factor 1/2. */
WEFT_KERNEL static void Tangle(PetscInt rows, const double *restrict twiddle, const double *restrict spectrum, double *restrict z)
{
  for (PetscInt k = 0; k < rows; k++) {
    const double *restrict a = spectrum + k * PAIRS;
    const double *restrict b = spectrum + (rows - k) * PAIRS;
    double *restrict to      = z + k * PAIRS;
    const double c = twiddle[2 * k], s = twiddle[2 * k + 1];
    for (PetscInt l = 0; l < PAIRS; l += 2) {
      const double sum_re = a[l] + b[l], sum_im = a[l + 1] - b[l + 1];
      const double difference_re = a[l] - b[l], difference_im = a[l + 1] + b[l + 1];
      to[l]     = sum_re - (c * difference_im - s * difference_re);
      to[l + 1] = sum_im + (c * difference_re + s * difference_im);
    }
  }
}

WEFT_KERNEL static void StoreModes(PetscInt n, const PetscInt *restrict bin, const double *restrict phase, const double *restrict spectrum, double *restrict base, PetscInt along, PetscInt across, PetscInt lanes)
{
  double row[WEFT_LANES];
  for (PetscInt k = 0; k < n; k++) {
    const double *restrict h = spectrum + bin[k] * PAIRS;
    const double c = phase[2 * k], s = phase[2 * k + 1];
    for (PetscInt l = 0; l < WEFT_LANES; l++) row[l] = c * h[2 * l] - s * h[2 * l + 1];
    if (across == 1 && lanes == WEFT_LANES)
      for (PetscInt l = 0; l < WEFT_LANES; l++) base[k * along + l] = row[l];
    else
      for (PetscInt l = 0; l < lanes; l++) base[k * along + l * across] = row[l];
  }
}

WEFT_KERNEL static void LoadModes(PetscInt bins, const PetscInt *restrict mode0, const PetscInt *restrict mode1, const double *restrict weight0, const double *restrict weight1, const double *restrict base, PetscInt along, PetscInt across, PetscInt lanes, double *restrict spectrum)
{
  double m0[WEFT_LANES] = {0.0}, m1[WEFT_LANES] = {0.0};
  for (PetscInt k = 0; k < bins; k++) {
    const double *restrict from0 = base + mode0[k] * along;
    const double *restrict from1 = base + mode1[k] * along;
    double *restrict h           = spectrum + k * PAIRS;
    if (across == 1 && lanes == WEFT_LANES)
      for (PetscInt l = 0; l < WEFT_LANES; l++) {
        m0[l] = from0[l];
        m1[l] = from1[l];
      }
    else
      for (PetscInt l = 0; l < lanes; l++) {
        m0[l] = from0[l * across];
        m1[l] = from1[l * across];
      }
    for (PetscInt l = 0; l < WEFT_LANES; l++) {
      h[2 * l]     = weight0[2 * k] * m0[l] + weight1[2 * k] * m1[l];
      h[2 * l + 1] = weight0[2 * k + 1] * m0[l] + weight1[2 * k + 1] * m1[l];
    }
  }
}

void WeftTransformForward(WeftTransform t, WeftLines lines)
{
  for (PetscInt b = 0; b < t->blanks; b++)
    for (PetscInt l = 0; l < WEFT_LANES; l++) t->in[t->blank[b] + 2 * l] = 0.0;
  for (PetscInt c = 0; c < t->copies; c++) Load(t->n, t->place[c], t->sign[c], lines.base, lines.along, lines.across, lines.lanes, t->in);
  fftw_execute(t->forward);
  if (t->even) Untangle(t->rows, t->twiddle, t->complex_modes, t->spectrum);
  StoreModes(t->n, t->bin, t->phase, t->even ? t->spectrum : t->complex_modes, lines.base, lines.along, lines.across, lines.lanes);
}

void WeftTransformBackward(WeftTransform t, WeftLines lines)
{
  LoadModes(t->bins, t->mode[0], t->mode[1], t->weight[0], t->weight[1], lines.base, lines.along, lines.across, lines.lanes, t->spectrum);
  if (t->even) Tangle(t->rows, t->twiddle, t->spectrum, t->complex_modes);
  else { /* the full spectrum of a real line */
    for (PetscInt i = 0; i < t->bins * PAIRS; i++) t->complex_modes[i] = t->spectrum[i];
    for (PetscInt k = 1; k < t->bins; k++)
      for (PetscInt l = 0; l < PAIRS; l += 2) {
        t->complex_modes[(t->rows - k) * PAIRS + l]     = t->spectrum[k * PAIRS + l];
        t->complex_modes[(t->rows - k) * PAIRS + l + 1] = -t->spectrum[k * PAIRS + l + 1];
      }
  }
  fftw_execute(t->backward);
  Store(t->n, t->place[0], t->sign[0], lines.base, lines.along, lines.across, lines.lanes, t->out);
}

PetscReal WeftTransformScale(WeftTransform t) { return (PetscReal)t->length; }

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

/* Where value m of the (continued) line stands in `in`. */
static PetscInt Place(WeftTransform t, PetscInt m) { return t->even ? m / 2 * PAIRS + m % 2 : m * PAIRS; }

static void SetPlaces(WeftTransform t, WeftAxisKind kind)
{
  const PetscInt n = t->n, N = t->length;

  t->copies = kind == WEFT_AXIS_PERIODIC || kind == WEFT_AXIS_CLOSED ? 1 : 2;
  for (PetscInt j = 0; j < n; j++) {
    const PetscInt  i   = kind == WEFT_AXIS_OPEN_CLOSED ? n - 1 - j : j; /* counted from the closed end */
    const PetscReal one = i % 2 ? -1.0 : 1.0;
    PetscInt        m = i, mirror = i;
    t->sign[0][j] = 1.0;
    if (kind == WEFT_AXIS_CLOSED) m = i % 2 ? N - (i + 1) / 2 : i / 2;
    else if (kind == WEFT_AXIS_OPEN) {
      m             = i + 1;
      mirror        = N - 1 - i;
      t->sign[1][j] = -1.0;
    } else if (kind != WEFT_AXIS_PERIODIC) {
      mirror        = N - 1 - i;
      t->sign[0][j] = one;
      t->sign[1][j] = -one;
    }
    t->place[0][j] = Place(t, m);
    t->place[1][j] = Place(t, mirror);
  }
  if (kind == WEFT_AXIS_OPEN) {
    t->blank[t->blanks++] = Place(t, 0);
    t->blank[t->blanks++] = Place(t, n + 1);
  } else if (t->copies == 2) t->blank[t->blanks++] = Place(t, n);
}

static void SetPhases(WeftTransform t, WeftAxisKind kind)
{
  const PetscInt n = t->n;

  for (PetscInt k = 0; k < n; k++) {
    const PetscBool upper = 2 * k > n ? PETSC_TRUE : PETSC_FALSE; /* found in the bin of its mirror */
    const PetscInt  bin   = upper ? n - k : k;
    const PetscReal angle = PETSC_PI * bin / (2 * n);
    double         *phase = &t->phase[2 * k];
    t->bin[k]             = bin;
    if (kind == WEFT_AXIS_PERIODIC) {
      phase[0] = upper ? 0.0 : 1.0;
      phase[1] = upper ? -1.0 : 0.0;
    } else if (kind == WEFT_AXIS_CLOSED) { /* e^(-i angle), above i times it */
      phase[0] = upper ? PetscSinReal(angle) : PetscCosReal(angle);
      phase[1] = upper ? PetscCosReal(angle) : -PetscSinReal(angle);
    } else if (kind == WEFT_AXIS_OPEN) { /* i / 2 */
      t->bin[k] = k + 1;
      phase[0]  = 0.0;
      phase[1]  = 0.5;
    } else { /* i / 2 e^(-i pi bin / N) */
      t->bin[k] = n - k;
      phase[0]  = 0.5 * PetscSinReal(PETSC_PI * (n - k) / t->length);
      phase[1]  = 0.5 * PetscCosReal(PETSC_PI * (n - k) / t->length);
    }
  }
}

/* A bin with two modes: their phases are perpendicular, so it is the sum of mode conj(phase) / |phase|^2. With one mode: the
   same where symmetry fixes its direction (open, mixed), real where the bin is its own mirror. */
static void SetWeights(WeftTransform t)
{
  for (PetscInt k = 0; k < t->n; k++) {
    const double   c = t->phase[2 * k], s = t->phase[2 * k + 1], square = c * c + s * s;
    const PetscInt b = t->bin[k], slot = 2 * k > t->n && t->copies == 1 ? 1 : 0;
    const PetscBool real = t->copies == 1 && (b == 0 || 2 * b == t->length) ? PETSC_TRUE : PETSC_FALSE;
    t->mode[slot][b]           = k;
    t->weight[slot][2 * b]     = real ? 1.0 / c : c / square;
    t->weight[slot][2 * b + 1] = real ? 0.0 : -s / square;
  }
}

PetscErrorCode WeftTransformCreate(WeftAxisKind kind, PetscInt n, WeftTransform *transform)
{
  WeftTransform t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  t->n      = n;
  t->length = WeftTransformLength(kind, n);
  t->even   = t->length % 2 == 0 ? PETSC_TRUE : PETSC_FALSE;
  t->rows   = t->even ? t->length / 2 : t->length;
  t->bins   = t->length / 2 + 1;
  {
    const int          rows  = (int)t->rows;
    double **const     buffers[] = {&t->in, &t->complex_modes, &t->out};
    for (int b = 0; b < 3; b++) {
      *buffers[b] = fftw_alloc_real((size_t)(t->rows * PAIRS));
      PetscCheck(*buffers[b], PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for a transform of length %" PetscInt_FMT, t->length);
      PetscCall(PetscArrayzero(*buffers[b], t->rows * PAIRS));
    }
    PetscCall(PetscCalloc1(t->bins * PAIRS, &t->spectrum));
    t->forward  = fftw_plan_many_dft(1, &rows, WEFT_LANES, (fftw_complex *)t->in, NULL, WEFT_LANES, 1, (fftw_complex *)t->complex_modes, NULL, WEFT_LANES, 1, FFTW_FORWARD, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
    t->backward = fftw_plan_many_dft(1, &rows, WEFT_LANES, (fftw_complex *)t->complex_modes, NULL, WEFT_LANES, 1, (fftw_complex *)t->out, NULL, WEFT_LANES, 1, FFTW_BACKWARD, FFTW_ESTIMATE);
    PetscCheck(t->forward && t->backward, PETSC_COMM_SELF, PETSC_ERR_LIB, "FFTW has no plan of length %" PetscInt_FMT, t->rows);
  }
  PetscCall(PetscMalloc3(2 * t->bins, &t->twiddle, n, &t->bin, 2 * n, &t->phase));
  for (PetscInt k = 0; k < t->bins; k++) {
    t->twiddle[2 * k]     = PetscCosReal(2.0 * PETSC_PI * k / t->length);
    t->twiddle[2 * k + 1] = -PetscSinReal(2.0 * PETSC_PI * k / t->length);
  }
  for (PetscInt c = 0; c < 2; c++) {
    PetscCall(PetscCalloc4(n, &t->place[c], n, &t->sign[c], t->bins, &t->mode[c], 2 * t->bins, &t->weight[c]));
  }
  SetPlaces(t, kind);
  SetPhases(t, kind);
  SetWeights(t);
  *transform = t;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTransformDestroy(WeftTransform *transform)
{
  WeftTransform t = *transform;

  PetscFunctionBegin;
  *transform = NULL;
  if (!t) PetscFunctionReturn(0);
  fftw_destroy_plan(t->forward);
  fftw_destroy_plan(t->backward);
  fftw_free(t->in);
  fftw_free(t->complex_modes);
  fftw_free(t->out);
  PetscCall(PetscFree(t->spectrum));
  PetscCall(PetscFree3(t->twiddle, t->bin, t->phase));
  for (PetscInt c = 0; c < 2; c++) PetscCall(PetscFree4(t->place[c], t->sign[c], t->mode[c], t->weight[c]));
  PetscCall(PetscFree(t));
  PetscFunctionReturn(0);
}
