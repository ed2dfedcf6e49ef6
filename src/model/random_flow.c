/* Smooth random fields: sums of waves with random amplitudes and phases. Every field and number has its own draw, the same on every
   layout. Those of datasets,
     f(x) = sum over k of a_k cos(2 pi k . (x - lower) / length + phase_k),   a_k normal, scaled by |k|^-smoothness,
   take half of the whole wave numbers up to dataset_modes along each axis (the other half are their mirror images), and their
   expected mean square is 1; those of initial states take a few random wave numbers. */
#include "model/impl.h"

typedef struct {
  double k[3], amplitude, phase;
} Wave;

/* Waves of one field; the length of the list is returned. */
static PetscInt Waves(const WeftLayout *l, PetscInt modes, PetscReal smoothness, PetscInt64 seed, PetscInt64 draw, Wave wave[])
{
  const PetscInt my = l->dim > 1 ? modes : 0, mz = l->dim > 2 ? modes : 0;
  PetscInt       n  = 0;
  double         square = 0.0;

  for (PetscInt kz = -mz; kz <= mz; kz++) {
    for (PetscInt ky = -my; ky <= my; ky++) {
      for (PetscInt kx = 0; kx <= modes; kx++) {
        const double size = sqrt((double)(kx * kx + ky * ky + kz * kz));
        const double scale = pow(size, -smoothness);
        if (kx == 0 && (ky < 0 || (ky == 0 && kz <= 0))) continue;
        wave[n] = (Wave){{(double)kx, (double)ky, (double)kz}, scale * WeftRandomNormal(seed, WEFT_STREAM_INITIAL, (draw << 21) + 2 * n),
                         2.0 * PETSC_PI * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, (draw << 21) + 2 * n + 1)};
        square += 0.5 * scale * scale;
        n++;
      }
    }
  }
  for (PetscInt w = 0; w < n; w++) {
    wave[w].amplitude /= sqrt(square);
    for (PetscInt a = 0; a < l->dim; a++) wave[w].k[a] *= 2.0 * PETSC_PI / (l->cells[a] * l->h[a]);
  }
  return n;
}

/* value := amplitude sum of waves / norm at every unknown, places from `origin`. */
static void Fill(WeftState state, PetscInt f, PetscInt b, const PetscReal origin[3], PetscInt waves, const Wave wave[], double amplitude, double norm)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  double              *plane = WeftStatePlaneWrite(state, f, b);
  PetscInt             lo[3], hi[3];

  WeftLayoutOwned(l, info->location[f], lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++)
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        double x[3], sum = 0.0;
        WeftPlace(l, info->location[f], i, j, k, x);
        for (PetscInt w = 0; w < waves; w++)
          sum += wave[w].amplitude * cos(wave[w].k[0] * (x[0] - origin[0]) + wave[w].k[1] * (x[1] - origin[1]) + wave[w].k[2] * (x[2] - origin[2]) + wave[w].phase);
        plane[WeftLayoutIndex(l, i, j, k)] = amplitude * sum / norm;
      }
}

PetscErrorCode WeftRandomFields(WeftState state, PetscInt64 seed, PetscInt number)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             modes, waves;
  PetscReal            smoothness;
  Wave                *wave;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("dataset_modes", &modes));
  PetscCall(WeftGetReal("dataset_smoothness", &smoothness));
  if (modes < 1 || modes > 32) return WeftFailKey(PETSC_COMM_WORLD, "dataset_modes", "use 1 to 32 waves a box length");
  PetscCall(PetscMalloc1((modes + 1) * (2 * modes + 1) * (2 * modes + 1), &wave));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      waves = Waves(l, modes, smoothness, seed, (PetscInt64)(number + b) * WEFT_MAX_FIELDS + f, wave);
      Fill(state, f, b, l->lower, waves, wave, 1.0, 1.0);
    }
  PetscCall(PetscFree(wave));
  PetscFunctionReturn(0);
}

/* Whole numbers of waves along each axis up to initial_modes and amplitudes that fall with the number, all drawn from (seed, field, sample)
   alone; scaled so that the standard deviation over many draws is initial_amplitude. */
PetscErrorCode WeftRandomInitial(WeftState state, PetscInt field_number, PetscInt64 seed, PetscInt first_sample)
{
  enum { WAVES = 8, DRAWS = 8 };
  static const PetscReal origin[3] = {0.0, 0.0, 0.0};
  const WeftSpaceInfo   *info      = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout      *l         = WeftGridLayout(info->grid);
  PetscInt               modes;
  PetscReal              amplitude;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("initial_modes", &modes));
  PetscCall(WeftGetReal("initial_amplitude", &amplitude));
  if (modes < 1) return WeftFailKey(PETSC_COMM_WORLD, "initial_modes", "at least 1 wave along an axis");
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const PetscInt64 key   = ((PetscInt64)(first_sample + b) * WEFT_MAX_FIELDS + field_number + f) * WAVES * DRAWS;
      double           total = 0.0;
      Wave             wave[WAVES];
      for (PetscInt w = 0; w < WAVES; w++) {
        double length = 0.0;
        for (PetscInt a = 0; a < 3; a++) {
          const double waves = a < l->dim ? floor(WeftRandomUniform(seed, WEFT_STREAM_INITIAL, key + w * DRAWS + a) * (double)(modes + 1)) : 0.0;
          wave[w].k[a]       = 2.0 * PETSC_PI * waves / ((double)l->cells[a] * l->h[a]);
          length += waves * waves;
        }
        wave[w].phase     = 2.0 * PETSC_PI * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, key + w * DRAWS + 3);
        wave[w].amplitude = WeftRandomNormal(seed, WEFT_STREAM_INITIAL, key + w * DRAWS + 4) / (1.0 + sqrt(length));
        total += 0.5 / ((1.0 + sqrt(length)) * (1.0 + sqrt(length)));
      }
      Fill(state, f, b, origin, WAVES, wave, amplitude, sqrt(total));
    }
  PetscFunctionReturn(0);
}
