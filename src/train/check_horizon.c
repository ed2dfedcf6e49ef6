/* The horizon of a gradient: how the adjoint of the last loss grows from step to step backwards, from where on growth dominates it,
   and what limits of the gradient's reach do to its direction. */
#include "train/check.h"
#include "train/flow.h"

#define LIMITS 8

typedef struct {
  PetscInt   steps;
  PetscReal *norm, *step; /* [steps + 1] norm of the adjoint of state n; n */
  PetscReal  rate, offset; /* ln norm(steps - d) ~ offset + rate d */
  PetscInt   horizon;     /* steps after which the adjoint has grown by the factor, counted from the end; 0: it has not */
  PetscReal  factor;
} Horizon;

static PetscErrorCode Path(const char *folder, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", folder, name));
  PetscFunctionReturn(0);
}

/* Norms over all samples of the adjoint of the loss after the last step alone. */
static PetscErrorCode Norms(WeftGradientCheck *c, Horizon *h)
{
  const WeftTrainer t = c->trainer;
  WeftState         bar[WEFT_OP_MAX] = {NULL}, *target;
  const PetscReal  *norms;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(h->steps, &target));
  PetscCall(PetscCalloc2(h->steps + 1, &h->norm, h->steps + 1, &h->step));
  target[h->steps - 1] = t->target[h->steps - 1];
  PetscCall(WeftStateCreate(t->velocity, &bar[0]));
  if (t->count) {
    PetscCall(WeftRolloutForward(t->rollout, t->input, target, t->losses, NULL));
    PetscCall(WeftRolloutReverse(t->rollout, NULL, bar));
    PetscCall(WeftRolloutAdjointNorms(t->rollout, &norms));
    for (PetscInt n = 0; n <= h->steps; n++) h->norm[n] = norms[n] * norms[n] / (PetscReal)t->info.space_size; /* every rank of a replica has them */
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, h->norm, (PetscMPIInt)(h->steps + 1), MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  for (PetscInt n = 0; n <= h->steps; n++) {
    h->norm[n] = PetscSqrtReal(h->norm[n]);
    h->step[n] = (PetscReal)n;
  }
  PetscCall(WeftStateDestroy(&bar[0]));
  PetscCall(PetscFree(target));
  PetscFunctionReturn(0);
}

/* Least squares of ln(norm) over the distance from the end, without the first quarter, and the first distance beyond the factor. */
static void Fit(Horizon *h)
{
  PetscReal n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;

  for (PetscInt d = 1; d <= h->steps; d++) {
    const PetscReal value = h->norm[h->steps - d], at = (PetscReal)d;
    if (!h->horizon && value > h->factor * h->norm[h->steps]) h->horizon = d;
    if (4 * d < h->steps || !(value > 0.0)) continue;
    n += 1.0;
    x += at;
    y += PetscLogReal(value);
    xx += at * at;
    xy += at * PetscLogReal(value);
  }
  if (n * xx - x * x > 0.0) h->rate = (n * xy - x * y) / (n * xx - x * x);
  if (n > 0.0) h->offset = (y - h->rate * x) / n;
}

static PetscErrorCode Table(const Horizon *h, const char *folder)
{
  char  path[PETSC_MAX_PATH_LEN];
  FILE *file;

  PetscFunctionBegin;
  PetscCall(Path(folder, "horizon.csv", path));
  PetscCall(WeftTableOpen(path, "step,adjoint_norm,fitted", 0, &file));
  if (!file) PetscFunctionReturn(0);
  for (PetscInt n = 0; n <= h->steps; n++) fprintf(file, "%d,%.9g,%.9g\n", (int)n, (double)h->norm[n], exp((double)(h->offset + h->rate * (PetscReal)(h->steps - n))));
  fclose(file);
  PetscFunctionReturn(0);
}

static PetscErrorCode Plot(const Horizon *h, const char *folder)
{
  char       path[PETSC_MAX_PATH_LEN];
  PetscReal *fitted;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(h->steps + 1, &fitted));
  for (PetscInt n = 0; n <= h->steps; n++) fitted[n] = exp((double)(h->offset + h->rate * (PetscReal)(h->steps - n)));
  {
    const WeftLine line[] = {{"adjoint of the last loss", h->steps + 1, h->step, h->norm}, {"fitted growth", h->steps + 1, h->step, fitted}};
    PetscCall(Path(folder, "horizon.png", path));
    PetscCall(WeftPlotWrite(path, "norm of the adjoint by step", "step", "norm", PETSC_TRUE, 2, line));
  }
  PetscCall(PetscFree(fitted));
  PetscFunctionReturn(0);
}

static PetscErrorCode Report(WeftGradientCheck *c, const Horizon *h, const char *folder)
{
  PetscFunctionBegin;
  PetscCall(WeftLog("horizon: the adjoint of the loss after step %d has the norm %.4g there, %.4g at the first state; it changes by %+.3g %% a step", (int)h->steps, (double)h->norm[h->steps], (double)h->norm[0], 100.0 * (exp((double)h->rate) - 1.0)));
  if (h->horizon) PetscCall(WeftLog("horizon: beyond %d steps back it has grown %g times: growth dominates longer gradients; train_unroll up to %d, or one of the limits below", (int)h->horizon, (double)h->factor, (int)h->horizon));
  else PetscCall(WeftLog("horizon: it does not grow %g times within these %d steps", (double)h->factor, (int)h->steps));
  PetscCall(WeftSummaryReal(c->summary, "horizon/growth_per_step", exp((double)h->rate) - 1.0));
  PetscCall(WeftSummaryInt(c->summary, "horizon/steps", h->horizon));
  PetscCall(WeftSummaryReal(c->summary, "horizon/norm_first", h->norm[0]));
  PetscCall(WeftSummaryReal(c->summary, "horizon/norm_last", h->norm[h->steps]));
  PetscCall(Table(h, folder));
  PetscCall(Plot(h, folder));
  PetscFunctionReturn(0);
}

/* ---- limits -------------------------------------------------------------------------------------------------------- */

typedef struct {
  char               name[32];
  WeftRolloutOptions options; /* reach, window, clip, damping */
} Limit;

static Limit MakeLimit(WeftRolloutOptions options, const char *kind, PetscReal value)
{
  Limit limit = {"", options};
  snprintf(limit.name, sizeof(limit.name), "%s_%g", kind, (double)value);
  return limit;
}

/* Windows that halve, then one step, a clipped and two damped gradients. */
static PetscInt Limits(PetscInt steps, Limit limit[LIMITS])
{
  PetscInt n = 0;

  for (PetscInt window = steps / 2; window > 1 && n < LIMITS - 4; window /= 2) limit[n++] = MakeLimit((WeftRolloutOptions){.reach = WEFT_REACH_TRUNCATED, .window = window}, "truncated", (PetscReal)window);
  limit[n++] = MakeLimit((WeftRolloutOptions){.reach = WEFT_REACH_ONE_STEP}, "truncated", 1.0);
  limit[n++] = MakeLimit((WeftRolloutOptions){.clip = 1.0}, "clip", 1.0);
  limit[n++] = MakeLimit((WeftRolloutOptions){.damping = 0.01}, "damping", 0.01);
  limit[n++] = MakeLimit((WeftRolloutOptions){.damping = 0.1}, "damping", 0.1);
  return n;
}

/* Cosine to the exact gradient by the weights, and norm over its norm. */
static void Compare(PetscInt n, const double *g, const double *exact, PetscReal *cosine, PetscReal *ratio)
{
  double gg = 0.0, ge = 0.0, ee = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    gg += g[i] * g[i];
    ge += g[i] * exact[i];
    ee += exact[i] * exact[i];
  }
  *cosine = gg > 0.0 && ee > 0.0 ? ge / sqrt(gg * ee) : 0.0;
  *ratio  = ee > 0.0 ? sqrt(gg / ee) : 0.0;
}

static PetscErrorCode TryLimits(WeftGradientCheck *c)
{
  const WeftTrainer        t    = c->trainer;
  const WeftRolloutOptions full = {0};
  WeftRolloutOptions       asked;
  Limit                    limit[LIMITS];
  const PetscInt           n = Limits(t->unroll, limit);
  double                  *exact, *g;
  PetscReal                loss, cosine, ratio;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(t->parameters, &exact, t->parameters, &g));
  PetscCall(WeftRolloutLimit(t->rollout, &full));
  PetscCall(WeftTrainerDifferentiate(t, &loss, exact, NULL));
  PetscCall(WeftLog("  %-16s %10s %10s   of the gradient by the weights, against the exact one", "limit", "cosine", "norm"));
  for (PetscInt k = 0; k < n; k++) {
    char key[64];
    PetscCall(WeftRolloutLimit(t->rollout, &limit[k].options));
    PetscCall(WeftTrainerDifferentiate(t, &loss, g, NULL));
    Compare(t->parameters, g, exact, &cosine, &ratio);
    PetscCall(WeftLog("  %-16s %10.6f %10.4f", limit[k].name, (double)cosine, (double)ratio));
    PetscCall(PetscSNPrintf(key, sizeof(key), "horizon/cosine/%s", limit[k].name));
    PetscCall(WeftSummaryReal(c->summary, key, cosine));
  }
  PetscCall(WeftRolloutOptionsFromKeys(&asked));
  PetscCall(WeftRolloutLimit(t->rollout, &asked));
  PetscCall(PetscFree2(exact, g));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckHorizon(WeftGradientCheck *c, const char *folder)
{
  const WeftRolloutOptions full = {0};
  Horizon                  h    = {0};

  PetscFunctionBegin;
  PetscCall(WeftGetReal("check_horizon_growth", &h.factor));
  if (!(h.factor > 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "check_horizon_growth", "the adjoint has grown when it is more than 1 times as large");
  h.steps = c->trainer->unroll;
  PetscCall(WeftRolloutLimit(c->trainer->rollout, &full));
  PetscCall(Norms(c, &h));
  Fit(&h);
  PetscCall(Report(c, &h, folder));
  PetscCall(TryLimits(c));
  PetscCall(PetscFree2(h.norm, h.step));
  PetscFunctionReturn(0);
}
