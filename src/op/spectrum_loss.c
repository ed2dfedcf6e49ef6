/* The energy spectrum as a loss: per sample and field, over shells s of whole wave numbers,
     L = 1/2 sum over s of (E_x(s) - E_t(s))^2 / T^2,  T = sum over s of E_t(s),  E(s) = sum over |k| in [s - 1/2, s + 1/2) of |u_k|^2 / 2
   of a state x and a target t, u_k the discrete Fourier coefficients of the unknowns. Every rank gathers a field and transforms all of
   it axis by axis (grids of a few hundred cells a side, not more): the same bits on every layout. Rank 0 gives the loss.
   adjoint: dE(s) = sum Re(conj(u_k) du_k), so u_bar is the transform back of g(s) u_k,
     g_x = (E_x - E_t) / T^2,  g_t = -g_x - 2 L / T. */
#include <math.h>
#include "op/rows.h"

typedef struct {
  PetscInt lo[3], n[3], modes[3], total; /* unknowns of the box; largest wave number along each axis; values */
  double  *wave[3];                      /* [k from 0][i]: cos, then sin, of 2 pi k i / n */
} Axes;

typedef struct {
  PetscInt fields, shells;
  Axes     axes[WEFT_MAX_FIELDS];
  double  *field, *stage[3], *kept; /* gathered; pairs after the transforms along x, y, z; those of the state */
  double  *energy[2], *seed;        /* [shell] of state and target; [sample] */
} Spectrum;

static PetscInt Waves(const Axes *a, PetscInt axis) { return axis ? 2 * a->modes[axis] + 1 : a->modes[0] + 1; }

/* Wave number of place w among the waves of an axis: 0 ... modes along x, -modes ... modes along the others. */
static PetscInt WaveOf(const Axes *a, PetscInt axis, PetscInt w) { return axis ? w - a->modes[axis] : w; }

/* e^(-i 2 pi k at / n) */
static void Factor(const Axes *a, PetscInt axis, PetscInt k, PetscInt at, double *c, double *s)
{
  const PetscInt size = k < 0 ? -k : k;
  *c                  = a->wave[axis][2 * (size * a->n[axis] + at)];
  *s                  = (k < 0 ? 1.0 : -1.0) * a->wave[axis][2 * (size * a->n[axis] + at) + 1];
}

/* Sum over `n` pairs (stride apart) of one axis times e^(-i ...) (back: e^(+i ...)); forward: over places, back: over waves. */
static void SumAlong(const Axes *a, PetscInt axis, PetscInt fixed, PetscBool back, const double *pairs, PetscInt stride, double out[2])
{
  const PetscInt n = back ? Waves(a, axis) : a->n[axis];

  out[0] = out[1] = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    double c, s;
    Factor(a, axis, back ? WaveOf(a, axis, i) : WaveOf(a, axis, fixed), back ? fixed : i, &c, &s);
    if (back) s = -s;
    out[0] += pairs[2 * i * stride] * c - pairs[2 * i * stride + 1] * s;
    out[1] += pairs[2 * i * stride] * s + pairs[2 * i * stride + 1] * c;
  }
}

static PetscErrorCode Gather(const Spectrum *v, const WeftSpaceInfo *info, WeftState state, PetscInt f, PetscInt sample)
{
  const WeftLayout *l = WeftGridLayout(info->grid);
  const Axes       *a = &v->axes[f];
  PetscInt          lo[3], hi[3];

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(v->field, a->total));
  WeftLayoutOwned(l, info->location[f], lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++)
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++)
        v->field[((k - a->lo[2]) * a->n[1] + j - a->lo[1]) * a->n[0] + i - a->lo[0]] = WeftStatePlane(state, f, sample)[WeftLayoutIndex(l, i, j, k)];
  PetscCall(WeftReduce(v->field, (PetscMPIInt)a->total, MPI_DOUBLE, MPI_SUM, info->comm)); /* one of the terms is not 0: exact */
  PetscFunctionReturn(0);
}

/* Coefficients [kz][ky][kx] of the gathered field into the last stage. */
static void Transform(const Spectrum *v, const Axes *a)
{
  const PetscInt wx = Waves(a, 0), wy = Waves(a, 1), wz = Waves(a, 2);

  for (PetscInt row = 0; row < a->n[1] * a->n[2]; row++) {
    for (PetscInt x = 0; x < wx; x++) {
      double *out = v->stage[0] + 2 * (row * wx + x);
      out[0] = out[1] = 0.0;
      for (PetscInt i = 0; i < a->n[0]; i++) {
        double c, s;
        Factor(a, 0, x, i, &c, &s);
        out[0] += v->field[row * a->n[0] + i] * c;
        out[1] += v->field[row * a->n[0] + i] * s;
      }
    }
  }
  for (PetscInt k = 0; k < a->n[2]; k++)
    for (PetscInt y = 0; y < wy; y++)
      for (PetscInt x = 0; x < wx; x++) SumAlong(a, 1, y, PETSC_FALSE, v->stage[0] + 2 * (k * a->n[1] * wx + x), wx, v->stage[1] + 2 * ((k * wy + y) * wx + x));
  for (PetscInt z = 0; z < wz; z++)
    for (PetscInt yx = 0; yx < wy * wx; yx++) SumAlong(a, 2, z, PETSC_FALSE, v->stage[1] + 2 * yx, wy * wx, v->stage[2] + 2 * (z * wy * wx + yx));
}

/* Shell and weight of a coefficient: those of kx > 0 stand for their mirror images as well. Half of |u_k|^2 per value squared. */
static PetscInt ShellOf(const Axes *a, PetscInt at, double *weight)
{
  const PetscInt wx = Waves(a, 0), wy = Waves(a, 1);
  const double   kx = (double)(at % wx), ky = (double)WaveOf(a, 1, at / wx % wy), kz = (double)WaveOf(a, 2, at / wx / wy);

  *weight = (kx > 0.0 ? 1.0 : 0.5) / ((double)a->total * (double)a->total);
  return (PetscInt)floor(sqrt(kx * kx + ky * ky + kz * kz) + 0.5);
}

static PetscInt Coefficients(const Axes *a) { return Waves(a, 0) * Waves(a, 1) * Waves(a, 2); }

static PetscErrorCode Energy(const Spectrum *v, const WeftSpaceInfo *info, WeftState state, PetscInt f, PetscInt sample, double energy[])
{
  PetscFunctionBegin;
  PetscCall(Gather(v, info, state, f, sample));
  Transform(v, &v->axes[f]);
  PetscCall(PetscArrayzero(energy, v->shells));
  for (PetscInt at = 0; at < Coefficients(&v->axes[f]); at++) {
    const double  *c = v->stage[2] + 2 * at;
    double         weight;
    const PetscInt shell = ShellOf(&v->axes[f], at, &weight);
    energy[shell] += weight * (c[0] * c[0] + c[1] * c[1]);
  }
  PetscFunctionReturn(0);
}

/* Both spectra, the loss and T. */
static PetscErrorCode Both(const Spectrum *v, const WeftSpaceInfo *info, const WeftState x[], PetscInt f, PetscInt sample, double *loss, double *total)
{
  PetscFunctionBegin;
  *loss = *total = 0.0;
  for (PetscInt i = 0; i < 2; i++) PetscCall(Energy(v, info, x[i], f, sample, v->energy[i]));
  for (PetscInt s = 0; s < v->shells; s++) *total += v->energy[1][s];
  if (*total == 0.0) *total = 1.0; /* a target of zeros */
  for (PetscInt s = 0; s < v->shells; s++) {
    const double off = (v->energy[0][s] - v->energy[1][s]) / *total;
    *loss += 0.5 * off * off;
  }
  PetscFunctionReturn(0);
}

static double Slope(const Spectrum *v, PetscInt input, PetscInt s, double loss, double total)
{
  const double g = (v->energy[0][s] - v->energy[1][s]) / (total * total);
  return input ? -g - 2.0 * loss / total : g;
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Spectrum      *v    = (const Spectrum *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  double              *loss = (double *)WeftStateDataWrite(y[0]);
  PetscMPIInt          rank;

  PetscFunctionBegin;
  (void)record;
  PetscCallMPI(MPI_Comm_rank(info->comm, &rank));
  for (PetscInt b = 0; b < info->batch; b++) {
    loss[b] = 0.0;
    for (PetscInt f = 0; f < info->fields; f++) {
      double part, total;
      PetscCall(Both(v, info, x, f, b, &part, &total));
      if (!rank) loss[b] += part;
    }
  }
  PetscFunctionReturn(0);
}

/* bar += factor times the slope by one input at the owned unknowns: the transform back of 2 weight g(shell) u_k. */
static PetscErrorCode Back(const Spectrum *v, const WeftSpaceInfo *info, WeftState input, PetscInt which, PetscInt f, PetscInt sample, double loss,
                           double total, double factor, WeftState bar)
{
  const WeftLayout *l = WeftGridLayout(info->grid);
  const Axes       *a = &v->axes[f];
  const PetscInt    wx = Waves(a, 0), wy = Waves(a, 1);
  double           *plane = WeftStatePlaneWrite(bar, f, sample);
  PetscInt          lo[3], hi[3];

  PetscFunctionBegin;
  PetscCall(Gather(v, info, input, f, sample));
  Transform(v, a);
  for (PetscInt at = 0; at < Coefficients(a); at++) {
    double         weight;
    const PetscInt shell = ShellOf(a, at, &weight);
    for (PetscInt part = 0; part < 2; part++) v->stage[2][2 * at + part] *= 2.0 * factor * weight * Slope(v, which, shell, loss, total);
  }
  WeftLayoutOwned(l, info->location[f], lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt yx = 0; yx < wy * wx; yx++) SumAlong(a, 2, k - a->lo[2], PETSC_TRUE, v->stage[2] + 2 * yx, wy * wx, v->stage[1] + 2 * yx);
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      for (PetscInt x = 0; x < wx; x++) SumAlong(a, 1, j - a->lo[1], PETSC_TRUE, v->stage[1] + 2 * x, wx, v->stage[0] + 2 * x);
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        double out[2];
        SumAlong(a, 0, i - a->lo[0], PETSC_TRUE, v->stage[0], 1, out);
        plane[WeftLayoutIndex(l, i, j, k)] += out[0];
      }
    }
  }
  PetscFunctionReturn(0);
}

/* By the change of both spectra: dE(s) = 2 weight Re(conj(u_k) du_k). */
static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Spectrum      *v     = (const Spectrum *)WeftOpContext(op);
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  double              *dloss = (double *)WeftStateDataWrite(dy[0]);
  PetscMPIInt          rank;

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCallMPI(MPI_Comm_rank(info->comm, &rank));
  for (PetscInt b = 0; b < info->batch; b++) {
    dloss[b] = 0.0;
    for (PetscInt f = 0; f < info->fields; f++) {
      const PetscInt n = Coefficients(&v->axes[f]);
      double         loss, total;
      PetscCall(Both(v, info, x, f, b, &loss, &total));
      for (PetscInt i = 0; i < 2; i++) {
        if (!dx[i]) continue;
        PetscCall(Gather(v, info, x[i], f, b));
        Transform(v, &v->axes[f]);
        PetscCall(PetscArraycpy(v->kept, v->stage[2], 2 * n));
        PetscCall(Gather(v, info, dx[i], f, b));
        Transform(v, &v->axes[f]);
        for (PetscInt at = 0; at < n && !rank; at++) {
          double         weight;
          const PetscInt shell = ShellOf(&v->axes[f], at, &weight);
          dloss[b] += 2.0 * weight * Slope(v, i, shell, loss, total) * (v->kept[2 * at] * v->stage[2][2 * at] + v->kept[2 * at + 1] * v->stage[2][2 * at + 1]);
        }
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Spectrum      *v        = (const Spectrum *)WeftOpContext(op);
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const double        *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(PetscArraycpy(v->seed, loss_bar, info->batch));
  PetscCallMPI(MPI_Bcast(v->seed, (PetscMPIInt)info->batch, MPI_DOUBLE, 0, info->comm)); /* the loss is that of rank 0 */
  for (PetscInt f = 0; f < info->fields; f++) {
    for (PetscInt b = 0; b < info->batch; b++) {
      double loss, total;
      PetscCall(Both(v, info, x, f, b, &loss, &total));
      for (PetscInt i = 0; i < 2; i++)
        if (x_bar[i]) PetscCall(Back(v, info, x[i], i, f, b, loss, total, v->seed[b], x_bar[i]));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Spectrum *v = (Spectrum *)context;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < v->fields; f++)
    for (PetscInt a = 0; a < 3; a++) PetscCall(PetscFree(v->axes[f].wave[a]));
  PetscCall(PetscFree5(v->field, v->stage[0], v->stage[1], v->stage[2], v->kept));
  PetscCall(PetscFree3(v->energy[0], v->energy[1], v->seed));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* Unknowns, waves and their tables. The shortest wave of an even number of places, which is its own mirror image, is left out. */
static PetscErrorCode SetAxes(const WeftLayout *l, WeftLocation location, Axes *a)
{
  PetscInt hi[3];

  PetscFunctionBegin;
  WeftLayoutUnknowns(l, location, a->lo, hi);
  a->total = 1;
  for (PetscInt d = 0; d < 3; d++) {
    a->n[d]     = PetscMax(hi[d] - a->lo[d], 1);
    a->modes[d] = (a->n[d] - 1) / 2;
    a->total *= a->n[d];
    PetscCall(PetscMalloc1(2 * (a->modes[d] + 1) * a->n[d], &a->wave[d]));
    for (PetscInt k = 0; k <= a->modes[d]; k++) {
      for (PetscInt i = 0; i < a->n[d]; i++) {
        const double angle                      = 2.0 * PETSC_PI * (double)(k * i % a->n[d]) / (double)a->n[d];
        a->wave[d][2 * (k * a->n[d] + i)]     = cos(angle);
        a->wave[d][2 * (k * a->n[d] + i) + 1] = sin(angle);
      }
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateSpectrumLoss(WeftSpace space, WeftOp *op)
{
  static const WeftOpMaps maps    = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info    = WeftSpaceGetInfo(space);
  const WeftSpace         in[2]   = {space, space};
  PetscInt                room[4] = {0, 0, 0, 0};
  WeftSpace               loss;
  Spectrum               *v;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("SpectrumLoss", space, NULL));
  PetscCall(PetscNew(&v));
  v->fields = info->fields;
  for (PetscInt f = 0; f < info->fields; f++) {
    Axes *a = &v->axes[f];
    PetscCall(SetAxes(WeftGridLayout(info->grid), info->location[f], a));
    room[0]   = PetscMax(room[0], a->total);
    room[1]   = PetscMax(room[1], 2 * Waves(a, 0) * a->n[1] * a->n[2]);
    room[2]   = PetscMax(room[2], 2 * Waves(a, 0) * Waves(a, 1) * a->n[2]);
    room[3]   = PetscMax(room[3], 2 * Coefficients(a));
    v->shells = PetscMax(v->shells, 2 + a->modes[0] + a->modes[1] + a->modes[2]);
  }
  PetscCall(PetscMalloc5(room[0], &v->field, room[1], &v->stage[0], room[2], &v->stage[1], room[3], &v->stage[2], room[3], &v->kept));
  PetscCall(PetscMalloc3(v->shells, &v->energy[0], v->shells, &v->energy[1], info->batch, &v->seed));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftOpCreate("spectrum_loss", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_SpectrumLoss(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpCreateSpectrumLoss(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->offset[1] = 1.0; /* the energy of the target stays away from zero */
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

/* A spectrum is of the whole box: no weight. */
static PetscErrorCode Create(const WeftLossSetting *setting, WeftOp *op)
{
  return WeftOpCreateSpectrumLoss(setting->space, op);
}
const WeftLossKind WeftLoss_Spectrum = {"spectrum", Create, WEFT_LOSS_TARGET, PETSC_FALSE};
