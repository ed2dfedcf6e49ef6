/* Smooth random fields: a sum of waves with random amplitudes and phases,
     f(x) = sum over k of a_k cos(2 pi k . (x - lower) / length + phase_k),   a_k normal, scaled by |k|^-smoothness,
   over half of the whole wave numbers up to dataset_modes along each axis (the other half are their mirror images); the expected
   mean square is 1. Every field and number has its own draw, the same on every layout. */
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
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < info->batch; b++) {
      double *plane = WeftStatePlaneWrite(state, f, b);
      waves = Waves(l, modes, smoothness, seed, (PetscInt64)(number + b) * WEFT_MAX_FIELDS + f, wave);
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            double x[3], sum = 0.0;
            WeftPlace(l, info->location[f], i, j, k, x);
            for (PetscInt w = 0; w < waves; w++)
              sum += wave[w].amplitude * cos(wave[w].k[0] * (x[0] - l->lower[0]) + wave[w].k[1] * (x[1] - l->lower[1]) +
                                             wave[w].k[2] * (x[2] - l->lower[2]) + wave[w].phase);
            plane[WeftLayoutIndex(l, i, j, k)] = sum;
          }
        }
      }
    }
  }
  PetscCall(PetscFree(wave));
  PetscFunctionReturn(0);
}
