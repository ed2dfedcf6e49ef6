/* A circular cylinder of diameter 1 in a stream of speed 1 (cases/cylinder): figures of the vortex street, and the force from a
   momentum balance, which knows nothing of masks. */
#ifndef WEFT_TEST_CYLINDER_H
#define WEFT_TEST_CYLINDER_H
#include <weft/io.h>
#include "flow.h"

typedef struct {
  double   strouhal, drag, lift; /* frequency of the lift, mean drag, amplitude of the lift: coefficients over 1/2 U^2 D */
  double   balance, apart; /* mean drag by the momentum balance; largest difference of the two forces, over the mean drag */
  PetscInt periods;
} Street;

/* One field, gathered, [y][x]. At: value (i, j) of an array that starts at (first_x, first_y): the first face along a component's own
   axis lies in a side and is no unknown. */
typedef struct {
  PetscInt shape[3];
  double  *value;
} Gathered;
static inline double At(const Gathered *g, PetscInt first_x, PetscInt first_y, PetscInt i, PetscInt j)
{
  return g->value[(j - first_y) * g->shape[2] + i - first_x];
}
#define U(i, j) At(&u[0], 1, 0, i, j)
#define V(i, j) At(&u[1], 0, 1, i, j)

/* Momentum that flows into the faces of component `axis` between cells lo and hi, per time: convection, pressure, viscosity. */
static inline double Inflow(const Gathered u[2], const Gathered *p, const PetscInt lo[2], const PetscInt hi[2], PetscInt axis,
                            double h, double nu)
{
  double sum = 0.0;

  for (PetscInt end = 0; end < 2; end++) {
    const double sign = end ? -1.0 : 1.0;
    for (PetscInt t = lo[1 - axis]; t < hi[1 - axis]; t++) { /* ends along the axis: centres of cells */
      const PetscInt n = (end ? hi[axis] : lo[axis]) - 1;
      const double   a = axis ? V(t, n) : U(n, t), b = axis ? V(t, n + 1) : U(n + 1, t);
      const double   mean = 0.5 * (a + b);
      sum += sign * h * (mean * mean + (axis ? At(p, 0, 0, t, n) : At(p, 0, 0, n, t)) - nu * (b - a) / h);
    }
    for (PetscInt t = lo[axis]; t < hi[axis]; t++) { /* ends across the axis: corners of cells */
      const PetscInt n = end ? hi[1 - axis] : lo[1 - axis];
      const double   a = axis ? V(n - 1, t) : U(t, n - 1), b = axis ? V(n, t) : U(t, n);
      const double   by = axis ? 0.5 * (U(n, t - 1) + U(n, t)) : 0.5 * (V(t - 1, n) + V(t, n));
      sum += sign * h * (0.5 * (a + b) * by - nu * (b - a) / h);
    }
  }
  return sum;
}
#undef U
#undef V

/* Force on what stands in the square of half width 2 around the origin: inflow less growth of momentum over the last step. */
static inline PetscErrorCode Balance(Flow *f, double force[2])
{
  const WeftLayout *l  = WeftGridLayout(f->grid);
  const double      nu = *(const double *)WeftStateData(f->in[WeftModelInput(f->model, "viscosity")]),
               dt      = WeftModelTimeStep(f->model);
  PetscInt lo[2], hi[2];
  Gathered old[2], new[2], p;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < 2; a++) {
    PetscCall(WeftStateGather(f->out[0], a, 0, old[a].shape, &old[a].value));
    PetscCall(WeftStateGather(f->in[0], a, 0, new[a].shape, &new[a].value));
    lo[a] = (PetscInt)((-2.0 - l->lower[a]) / l->h[a] + 0.5);
    hi[a] = (PetscInt)((2.0 - l->lower[a]) / l->h[a] + 0.5);
  }
  PetscCall(WeftStateGather(f->out[WeftModelStates(f->model)], 0, 0, p.shape, &p.value));
  for (PetscInt i = 0; i < p.shape[1] * p.shape[2]; i++) p.value[i] /= dt;
  for (PetscInt a = 0; a < 2; a++) {
    double growth = 0.0;
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) growth += At(&new[a], a == 0, a == 1, i, j) - At(&old[a], a == 0, a == 1, i, j);
    force[a] = Inflow(old, &p, lo, hi, a, l->h[0], nu) - growth * l->h[0] * l->h[1] / dt;
  }
  for (PetscInt a = 0; a < 2; a++) {
    PetscCall(PetscFree(old[a].value));
    PetscCall(PetscFree(new[a].value));
  }
  PetscCall(PetscFree(p.value));
  PetscFunctionReturn(0);
}

/* Means over whole periods, which begin where the lift goes through zero upwards. */
typedef struct {
  double   last, first_crossing, last_crossing, drag, balance;
  PetscInt drags, balances;
} Sums;

static inline void Crossing(Street *s, Sums *sum, double time, double dt, double lift)
{
  if (sum->last < 0.0 && lift >= 0.0) {
    sum->last_crossing = time - dt * lift / (lift - sum->last);
    if (++s->periods == 0) sum->first_crossing = sum->last_crossing;
    s->drag    = sum->drags ? sum->drag / (double)sum->drags : 0.0;
    s->balance = sum->balances ? sum->balance / (double)sum->balances : 0.0;
  }
  sum->last = lift;
}

/* From time `start`, when the street has set in, to `end`. */
static inline PetscErrorCode StreetMeasure(Flow *f, double start, double end, Street *s)
{
  const double   dt    = WeftModelTimeStep(f->model);
  const PetscInt first = (PetscInt)(start / dt), every = PetscMax(1, (PetscInt)(0.24 / dt + 0.5));
  Sums           sum = {0};

  PetscFunctionBegin;
  *s = (Street){.periods = -1};
  PetscCall(FlowPlay(f, first));
  for (PetscInt n = first + 1; (double)n * dt <= end; n++) {
    WeftModelFigures figures;
    double           force[2];
    PetscCall(FlowPlay(f, 1));
    PetscCall(FlowMeasure(f, &figures));
    Crossing(s, &sum, (double)n * dt, dt, 2.0 * figures.force[1]);
    if (s->periods < 0) continue;
    s->lift = PetscMax(s->lift, 2.0 * fabs(figures.force[1]));
    sum.drag += 2.0 * figures.force[0];
    sum.drags++;
    if (n % every) continue;
    PetscCall(Balance(f, force));
    sum.balance += 2.0 * force[0];
    sum.balances++;
    for (PetscInt a = 0; a < 2; a++) s->apart = PetscMax(s->apart, 2.0 * fabs(force[a] - figures.force[a]));
  }
  TestCheck(s->periods >= 3, "the lift went through %" PetscInt_FMT " periods only", s->periods);
  s->strouhal = (double)s->periods / (sum.last_crossing - sum.first_crossing);
  s->apart /= s->drag;
  PetscFunctionReturn(0);
}

static inline PetscErrorCode StreetPlay(const char *cells, const char *dt, Street *s)
{
  Flow f;

  PetscFunctionBegin;
  PetscCall(FlowCase("cylinder/simulate.yaml"));
  PetscCall(TestSetKey("grid_cells", cells));
  PetscCall(TestSetKey("model_dt", dt));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(StreetMeasure(&f, 36.0, 62.0, s));
  PetscCall(WeftLog("cylinder at Re 100, %.0f cells per diameter, dt %s: Strouhal number %.4f, drag %.4f (momentum balance "
                    "%.4f, apart by up to %.1f %%), amplitude of the lift %.4f",
                    1.0 / WeftGridLayout(f.grid)->h[0], dt, s->strouhal, s->drag, s->balance, 100.0 * s->apart, s->lift));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
#endif
