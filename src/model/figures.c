/* Figures of a flow: energy, largest velocity and divergence, Courant number, force on obstacles. */
#include "model/impl.h"

/* Sums and maxima of one sample on this rank. */
typedef struct {
  double energy, force[3], momentum[3], outflow, smoke;
} Sums;
typedef struct {
  double velocity, courant, divergence;
} Maxima;

static void MeasureVelocity(const WeftLayout *l, WeftState velocity, PetscInt sample, PetscReal dt, Sums *sums, Maxima *maxima)
{
  const double volume = l->h[0] * (l->dim > 1 ? l->h[1] : 1.0) * (l->dim > 2 ? l->h[2] : 1.0);

  for (PetscInt a = 0; a < l->dim; a++) {
    const double *u   = WeftStatePlane(velocity, a, sample);
    double        sum = 0.0, linear = 0.0, largest = 0.0;
    PetscInt      lo[3], hi[3];
    WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        const double *row = u + WeftLayoutIndex(l, 0, j, k);
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const double value = row[i];
          sum += value * value;
          linear += value;
          if (!(fabs(value) <= largest)) largest = fabs(value); /* a NaN stays */
        }
      }
    }
    sums->energy += 0.5 * volume * sum;
    sums->momentum[a] = volume * linear;
    if (!(largest <= maxima->velocity)) maxima->velocity = largest;
    if (!(largest * dt / l->h[a] <= maxima->courant)) maxima->courant = largest * dt / l->h[a];
  }
}

/* Momentum that the mask took: the fluid's loss is the obstacle's gain. */
static void ForceOfMask(const WeftLayout *l, WeftState before, WeftState faces, PetscInt sample, double volume, double force[3])
{
  for (PetscInt a = 0; a < l->dim; a++) {
    const double *u = WeftStatePlane(before, a, sample), *factor = WeftStatePlane(faces, a, 0);
    double        sum = 0.0;
    PetscInt      lo[3], hi[3];
    WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt at = WeftLayoutIndex(l, i, j, k);
          sum += (1.0 - factor[at]) * u[at];
        }
    force[a] += volume * sum;
  }
}

/* Pressure on the faces between an open and a closed cell. p and open carry one layer of ghosts (COPY: no force at sides). */
static void ForceOfPressure(const WeftLayout *l, WeftState pressure, WeftState open, PetscInt sample, double volume,
                            double force[3])
{
  const double *p = WeftStatePlane(pressure, 0, sample), *o = WeftStatePlane(open, 0, 0);

  for (PetscInt a = 0; a < l->dim; a++) {
    const double area = volume / l->h[a];
    double       sum  = 0.0;
    PetscInt     lo[3], hi[3];
    WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt above = WeftLayoutIndex(l, i, j, k), below = above - l->stride[a];
          sum += (1.0 - o[above]) * o[below] * p[below] - (1.0 - o[below]) * o[above] * p[above];
        }
    force[a] += area * sum;
  }
}

/* Component c on face `at` of axis a: the mean of the four around it if c stands on others. */
static double OnFace(const WeftLayout *l, const double *u, PetscInt c, PetscInt a, PetscInt at)
{
  const PetscInt across = l->stride[a], along = l->stride[c];
  return c == a ? u[at] : 0.25 * ((u[at] + u[at + along]) + (u[at - across] + u[at - across + along]));
}

/* Momentum that flows into closed cells through faces that a mask leaves open, per time; one layer of ghosts. */
static void ForceOfFlow(const WeftLayout *l, WeftState velocity, WeftState open, PetscInt sample, double volume,
                        double force[3])
{
  const double *o = WeftStatePlane(open, 0, 0);

  for (PetscInt a = 0; a < l->dim; a++) {
    const double *u = WeftStatePlane(velocity, a, sample);
    PetscInt      lo[3], hi[3];
    WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt at     = WeftLayoutIndex(l, i, j, k);
          const double   inward = (o[at - l->stride[a]] - o[at]) * u[at];
          if (inward == 0.0) continue;
          for (PetscInt c = 0; c < l->dim; c++)
            force[c] += volume / l->h[a] * inward * OnFace(l, WeftStatePlane(velocity, c, sample), c, a, at);
        }
  }
}

static PetscErrorCode MeasureForce(WeftModel m, const WeftState outputs[], PetscInt sample, Sums *sums)
{
  const WeftLayout *l      = WeftGridLayout(m->grid);
  const double      volume = l->h[0] * (l->dim > 1 ? l->h[1] : 1.0) * (l->dim > 2 ? l->h[2] : 1.0);

  PetscFunctionBegin;
  if (m->before_obstacle < 0) PetscFunctionReturn(0);
  ForceOfMask(l, outputs[m->before_obstacle], m->faces, sample, volume, sums->force);
  if (m->projects) ForceOfPressure(l, outputs[WeftModelStates(m)], m->open, sample, volume, sums->force);
  for (PetscInt a = 0; a < l->dim; a++) sums->force[a] /= m->options.dt;
  ForceOfFlow(l, outputs[0], m->open, sample, volume, sums->force);
  PetscFunctionReturn(0);
}

/* Sum over open cells (open NULL: all) times their volume. */
static double Volume(const WeftLayout *l, WeftState cells, WeftState open, PetscInt sample)
{
  const double *x = WeftStatePlane(cells, 0, sample), *o = open ? WeftStatePlane(open, 0, 0) : NULL;
  double        sum = 0.0;
  PetscInt      lo[3], hi[3];

  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++)
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        const PetscInt at = WeftLayoutIndex(l, i, j, k);
        sum += o ? (o[at] > 0.0 ? x[at] : 0.0) : x[at];
      }
  return sum * l->h[0] * (l->dim > 1 ? l->h[1] : 1.0) * (l->dim > 2 ? l->h[2] : 1.0);
}

static double LargestDivergence(const WeftLayout *l, WeftState divergence, WeftState open, PetscInt sample)
{
  const double *d = WeftStatePlane(divergence, 0, sample), *o = open ? WeftStatePlane(open, 0, 0) : NULL;
  double        largest = 0.0;
  PetscInt      lo[3], hi[3];

  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++)
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        const PetscInt at = WeftLayoutIndex(l, i, j, k);
        if ((!o || o[at] > 0.0) && !(fabs(d[at]) <= largest)) largest = fabs(d[at]);
      }
  return largest;
}

/* What the figures need beyond the step: a divergence operator and its value. */
static PetscErrorCode Prepare(WeftModel m)
{
  PetscFunctionBegin;
  if (m->divergence) PetscFunctionReturn(0);
  PetscCall(WeftOpCreateDivergence(m->velocity, m->cells, &m->divergence));
  PetscCall(WeftStateCreate(m->cells, &m->divergence_value));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelMeasure(WeftModel m, const WeftState outputs[], WeftModelFigures figures[])
{
  const WeftLayout *l = WeftGridLayout(m->grid);
  Sums             *sums;
  Maxima           *maxima;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(Prepare(m));
  PetscCall(WeftGridGetComm(m->grid, &comm));
  PetscCall(PetscCalloc2(m->batch, &sums, m->batch, &maxima));
  PetscCall(WeftOpApply(m->divergence, outputs, &m->divergence_value, NULL));
  if (m->before_obstacle >= 0) {
    if (m->projects) PetscCall(WeftStateHalo(outputs[WeftModelStates(m)], 1, WEFT_GHOST_COPY));
    PetscCall(WeftStateHalo(m->open, 1, WEFT_GHOST_COPY));
    PetscCall(WeftStateHalo(outputs[0], 1, WEFT_GHOST_VALUE));
  }
  for (PetscInt b = 0; b < m->batch; b++) {
    MeasureVelocity(l, outputs[0], b, m->options.dt, &sums[b], &maxima[b]);
    maxima[b].divergence = LargestDivergence(l, m->divergence_value, m->open, b);
    PetscCall(MeasureForce(m, outputs, b, &sums[b]));
    sums[b].outflow = Volume(l, m->divergence_value, m->open, b);
    if (WeftModelStates(m) > 1) sums[b].smoke = Volume(l, outputs[1], NULL, b);
  }
  PetscCall(WeftReduce(sums, (PetscMPIInt)(m->batch * (PetscInt)(sizeof(Sums) / sizeof(double))), MPI_DOUBLE, MPI_SUM, comm));
  PetscCall(WeftReduce(maxima, (PetscMPIInt)(m->batch * 3), MPI_DOUBLE, MPI_MAX, comm));
  for (PetscInt b = 0; b < m->batch; b++) {
    figures[b] = (WeftModelFigures){sums[b].energy,
                                    maxima[b].velocity,
                                    maxima[b].courant,
                                    maxima[b].divergence,
                                    {sums[b].momentum[0], sums[b].momentum[1], sums[b].momentum[2]},
                                    sums[b].outflow,
                                    sums[b].smoke,
                                    {sums[b].force[0], sums[b].force[1], sums[b].force[2]}};
  }
  PetscCall(PetscFree2(sums, maxima));
  PetscFunctionReturn(0);
}
