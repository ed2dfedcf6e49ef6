/* Spectrum of the kinetic energy. */
#include <fftw3.h>
#include "train/audit.h"

typedef struct {
  PetscInt  n;
  PetscBool periodic;
  PetscReal length;
} Axis;

/* Wave number along an axis of entry i of the transform. */
static PetscReal WaveNumber(const Axis *axis, PetscInt i)
{
  if (!axis->periodic) return PETSC_PI * (PetscReal)i / axis->length;
  return 2.0 * PETSC_PI * (PetscReal)(i <= axis->n / 2 ? i : axis->n - i) / axis->length;
}

/* Weight of entry i: |entry|^2 weight summed over the axis is the mean square. Half-complex: entries other than 0 and n/2 stand for a
   mode and its conjugate; cosine transform: entry 0 is twice the sum. */
static PetscReal Weight(const Axis *axis, PetscInt i)
{
  const PetscReal n = (PetscReal)axis->n;
  if (axis->periodic) return (i == 0 || 2 * i == axis->n ? 1.0 : 2.0) / (n * n);
  return (i == 0 ? 0.25 : 0.5) / (n * n);
}

static void AddModes(const Axis axis[3], const double *u, PetscReal width, PetscInt bins, PetscReal energy[])
{
  for (PetscInt k = 0; k < axis[2].n; k++)
    for (PetscInt j = 0; j < axis[1].n; j++)
      for (PetscInt i = 0; i < axis[0].n; i++) {
        const PetscReal kx = WaveNumber(&axis[0], i), ky = WaveNumber(&axis[1], j), kz = WaveNumber(&axis[2], k);
        const PetscReal value = u[i + axis[0].n * (j + axis[1].n * k)], size = PetscSqrtReal(kx * kx + ky * ky + kz * kz);
        const PetscInt  bin = PetscMin((PetscInt)(size / width + 0.5) - 1, bins - 1);
        if (i + j + k) energy[PetscMax(bin, 0)] += 0.5 * value * value * Weight(&axis[0], i) * Weight(&axis[1], j) * Weight(&axis[2], k) / width;
      }
}

static PetscErrorCode Transform(const Axis axis[3], PetscInt dim, double *u)
{
  fftw_r2r_kind kind[3];
  int           n[3];
  fftw_plan     plan;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < dim; a++) {
    n[a]    = (int)axis[dim - 1 - a].n;
    kind[a] = axis[dim - 1 - a].periodic ? FFTW_R2HC : FFTW_REDFT10;
  }
  plan = fftw_plan_r2r((int)dim, n, u, u, kind, FFTW_ESTIMATE);
  PetscCheck(plan, PETSC_COMM_SELF, PETSC_ERR_LIB, "FFTW gives no plan for a spectrum");
  fftw_execute(plan);
  fftw_destroy_plan(plan);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFlowSpectrum(WeftState velocity, PetscInt sample, PetscInt *bins, PetscReal *width, PetscReal **energy)
{
  const WeftLayout *l       = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(velocity))->grid);
  PetscReal         highest = 0.0;
  double           *u[3]    = {NULL, NULL, NULL};
  Axis              axis[3];

  PetscFunctionBegin;
  *bins   = 0;
  *width  = 0.0;
  *energy = NULL;
  if ((PetscInt64)l->cells[0] * l->cells[1] * l->cells[2] > WEFT_SPECTRUM_CELLS) PetscFunctionReturn(0);
  for (PetscInt a = 0; a < 3; a++) {
    const PetscBool there = a < l->dim ? PETSC_TRUE : PETSC_FALSE;
    axis[a]               = (Axis){l->cells[a], !there || l->side[a][0] == WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE, l->h[a] * (PetscReal)l->cells[a]};
    if (!there) continue;
    highest += PetscSqr(PETSC_PI / l->h[a]);
    *width = a ? PetscMin(*width, 2.0 * PETSC_PI / axis[a].length) : 2.0 * PETSC_PI / axis[a].length;
  }
  *bins = (PetscInt)(PetscSqrtReal(highest) / *width + 0.5) + 1;
  PetscCall(PetscCalloc1(*bins, energy));
  PetscCall(WeftFlowAtCells(velocity, sample, u));
  for (PetscInt a = 0; a < WeftSpaceGetInfo(WeftStateSpace(velocity))->fields; a++) {
    PetscCall(Transform(axis, l->dim, u[a]));
    AddModes(axis, u[a], *width, *bins, *energy);
    PetscCall(PetscFree(u[a]));
  }
  PetscFunctionReturn(0);
}

void WeftSpectrumHead(FILE *file)
{
  if (file) fprintf(file, "step,time,wave_number,energy\n");
}

PetscErrorCode WeftSpectrumWrite(FILE *file, PetscInt step, PetscReal time, WeftState velocity, PetscInt sample)
{
  PetscReal width, *energy;
  PetscInt  bins;

  PetscFunctionBegin;
  PetscCall(WeftFlowSpectrum(velocity, sample, &bins, &width, &energy));
  for (PetscInt b = 0; b < bins && file; b++) fprintf(file, "%d,%.9g,%.6g,%.6g\n", (int)step, (double)time, (double)width * (double)(b + 1), (double)energy[b]);
  PetscCall(PetscFree(energy));
  PetscFunctionReturn(0);
}
