/* Forcing by travelling sines: y = u + dt f, where component a of f is the sum over the waves of
     amplitude sin(frequency t + 2 pi number s + phase),
   s from 0 to 1 along axis a + 1 (the first one after the last): along x in one dimension, across the component in more, so that f has
   no divergence. Places are fractions of the box, so faces that two grids share get the same bits on both.
   Source: Y. Bar-Sinai, S. Hoyer, J. Hickey, M. P. Brenner, PNAS 116 (2019) 15344, their forced Burgers equation. */
#include <math.h>
#include "op/rows.h"

typedef struct {
  PetscReal dt;
  PetscInt  waves;
  double   *line, *place, *sine, *cosine; /* along one axis of a block */
} Waves;

/* y := x + line, which varies along an axis; x NULL: zero */
WEFT_KERNEL static void Set(WeftRows rows, PetscInt axis, const double *restrict line, const double *restrict x, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row  = WEFT_ROW(rows, j, k);
      const double   same = axis == 1 ? line[j] : axis == 2 ? line[k] : 0.0, vary = axis == 0 ? 1.0 : 0.0;
      const PetscInt step = axis == 0 ? 1 : 0;
      if (x)
        for (PetscInt i = 0; i < rows.n[0]; i++) y[row + i] = x[row + i] + (same + vary * line[step * i]);
      else
        for (PetscInt i = 0; i < rows.n[0]; i++) y[row + i] = same + vary * line[step * i];
    }
  }
}

/* line := sums of y across the axis */
WEFT_KERNEL static void Gather(WeftRows rows, PetscInt axis, const double *restrict y, double *restrict line)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      double         total = 0.0;
      if (axis == 0)
        for (PetscInt i = 0; i < rows.n[0]; i++) line[i] += y[row + i];
      else WEFT_SUM(total, i, row, row + rows.n[0], y[i]);
      if (axis) line[axis == 1 ? j : k] += total;
    }
  }
}

/* The axis along which component a varies; the places of its unknowns there, in fractions of the box; their count. */
static PetscInt Places(const Waves *w, const WeftLayout *l, PetscInt a, PetscInt *axis)
{
  PetscInt lo[3], hi[3];

  *axis = (a + 1) % l->dim;
  WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
  for (PetscInt i = lo[*axis]; i < hi[*axis]; i++) w->place[i - lo[*axis]] = ((double)i + (*axis == a ? 0.0 : 0.5)) / (double)l->cells[*axis];
  return PetscMax(hi[*axis] - lo[*axis], 0);
}

static void Turn(const Waves *w, PetscInt n, const double wave[], double time)
{
  for (PetscInt i = 0; i < n; i++) {
    const double angle = wave[WEFT_WAVE_FREQUENCY] * time + 2.0 * PETSC_PI * wave[WEFT_WAVE_NUMBER] * w->place[i] + wave[WEFT_WAVE_PHASE];
    w->sine[i]         = sin(angle);
    w->cosine[i]       = cos(angle);
  }
}

static PetscErrorCode WavesApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Waves         *w    = (const Waves *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)record;
  for (PetscInt a = 0; a < l->dim; a++) {
    PetscInt       axis;
    const PetscInt n = Places(w, l, a, &axis);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *wave = (const double *)WeftStateData(x[1]) + b * WEFT_WAVE_NUMBERS * w->waves, time = ((const double *)WeftStateData(x[2]))[b];
      PetscCall(PetscArrayzero(w->line, n));
      for (PetscInt m = 0; m < w->waves; m++) {
        Turn(w, n, wave + WEFT_WAVE_NUMBERS * m, time);
        for (PetscInt i = 0; i < n; i++) w->line[i] += w->dt * wave[WEFT_WAVE_NUMBERS * m + WEFT_WAVE_AMPLITUDE] * w->sine[i];
      }
      Set(WeftRowsOwned(l, (WeftLocation)a), axis, w->line, WeftStatePlane(x[0], a, b), WeftStatePlaneWrite(y[0], a, b));
    }
  }
  PetscFunctionReturn(0);
}

/* dy = du + dt sum of (damplitude sine + amplitude cosine (dfrequency t + frequency dt + 2 pi dnumber s + dphase)) */
static PetscErrorCode WavesTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const Waves         *w    = (const Waves *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double         none[WEFT_WAVE_NUMBERS] = {0.0};

  PetscFunctionBegin;
  (void)y, (void)record;
  for (PetscInt a = 0; a < l->dim; a++) {
    PetscInt       axis;
    const PetscInt n = Places(w, l, a, &axis);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *wave = (const double *)WeftStateData(x[1]) + b * WEFT_WAVE_NUMBERS * w->waves, time = ((const double *)WeftStateData(x[2]))[b];
      const double  dtime = dx[2] ? ((const double *)WeftStateData(dx[2]))[b] : 0.0;
      PetscCall(PetscArrayzero(w->line, n));
      for (PetscInt m = 0; m < w->waves && (dx[1] || dx[2]); m++, wave += WEFT_WAVE_NUMBERS) {
        const double *d = dx[1] ? (const double *)WeftStateData(dx[1]) + (b * w->waves + m) * WEFT_WAVE_NUMBERS : none;
        Turn(w, n, wave, time);
        for (PetscInt i = 0; i < n; i++)
          w->line[i] += w->dt * (d[WEFT_WAVE_AMPLITUDE] * w->sine[i] + wave[WEFT_WAVE_AMPLITUDE] * w->cosine[i] * (d[WEFT_WAVE_FREQUENCY] * time + wave[WEFT_WAVE_FREQUENCY] * dtime + 2.0 * PETSC_PI * d[WEFT_WAVE_NUMBER] * w->place[i] + d[WEFT_WAVE_PHASE]));
      }
      Set(WeftRowsOwned(l, (WeftLocation)a), axis, w->line, dx[0] ? WeftStatePlane(dx[0], a, b) : NULL, WeftStatePlaneWrite(dy[0], a, b));
    }
  }
  PetscFunctionReturn(0);
}

/* u_bar += y_bar. With S, C, P the sums of dt y_bar times sine, cosine, and 2 pi s cosine: amplitude_bar += S, phase_bar += amplitude C,
   frequency_bar += amplitude t C, number_bar += amplitude P, t_bar += amplitude frequency C. */
static PetscErrorCode WavesAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Waves         *w    = (const Waves *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y, (void)record;
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, y_bar[0]));
  for (PetscInt a = 0; a < l->dim && (x_bar[1] || x_bar[2]); a++) {
    PetscInt       axis;
    const PetscInt n = Places(w, l, a, &axis);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *wave = (const double *)WeftStateData(x[1]) + b * WEFT_WAVE_NUMBERS * w->waves, time = ((const double *)WeftStateData(x[2]))[b];
      PetscCall(PetscArrayzero(w->line, n));
      Gather(WeftRowsOwned(l, (WeftLocation)a), axis, WeftStatePlane(y_bar[0], a, b), w->line);
      for (PetscInt m = 0; m < w->waves; m++, wave += WEFT_WAVE_NUMBERS) {
        double *bar = x_bar[1] ? (double *)WeftStateDataWrite(x_bar[1]) + (b * w->waves + m) * WEFT_WAVE_NUMBERS : NULL, s = 0.0, c = 0.0, p = 0.0;
        Turn(w, n, wave, time);
        for (PetscInt i = 0; i < n; i++) {
          s += w->dt * w->line[i] * w->sine[i];
          c += w->dt * w->line[i] * w->cosine[i];
          p += w->dt * w->line[i] * w->cosine[i] * 2.0 * PETSC_PI * w->place[i];
        }
        if (x_bar[2]) ((double *)WeftStateDataWrite(x_bar[2]))[b] += wave[WEFT_WAVE_AMPLITUDE] * wave[WEFT_WAVE_FREQUENCY] * c;
        if (!bar) continue;
        bar[WEFT_WAVE_AMPLITUDE] += s;
        bar[WEFT_WAVE_PHASE] += wave[WEFT_WAVE_AMPLITUDE] * c;
        bar[WEFT_WAVE_FREQUENCY] += wave[WEFT_WAVE_AMPLITUDE] * time * c;
        bar[WEFT_WAVE_NUMBER] += wave[WEFT_WAVE_AMPLITUDE] * p;
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode WavesDestroy(void *context)
{
  Waves *w = (Waves *)context;

  PetscFunctionBegin;
  PetscCall(PetscFree4(w->line, w->place, w->sine, w->cosine));
  PetscCall(PetscFree(w));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateWaves(WeftSpace velocity, PetscInt waves, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps  = {WavesApply, WavesTangent, WavesAdjoint, WavesDestroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(velocity);
  WeftSpace               in[3] = {velocity, NULL, NULL};
  PetscInt                n     = 1;
  Waves                  *w;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("Waves", velocity, NULL));
  PetscCall(PetscNew(&w));
  w->dt    = dt;
  w->waves = waves;
  for (PetscInt a = 0; a < 3; a++) n = PetscMax(n, WeftGridLayout(info->grid)->count[a] + 1);
  PetscCall(PetscMalloc4(n, &w->line, n, &w->place, n, &w->sine, n, &w->cosine));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, WEFT_WAVE_NUMBERS * waves, PETSC_TRUE, &in[1]));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &in[2]));
  PetscCall(WeftOpCreate("Waves", &maps, w, WEFT_NEEDS_INPUTS, 3, in, 1, &velocity, op));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscCall(WeftSpaceDestroy(&in[2]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Waves(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpCreateWaves(velocity, 3, 0.3, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
