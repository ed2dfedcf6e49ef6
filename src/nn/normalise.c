/* Group normalisation (Wu, He 2018): per sample and group of channels, over all cells of the grid and the channels of the group,
     y = gamma[c] n + beta[c],  n = (x - mean) / sigma,  sigma^2 = mean of (x - mean)^2 + 1e-5
   tangent: dn = (dx - mean(dx) - n mean(n dx)) / sigma
   adjoint, with g = gamma y_bar: x_bar += (g - mean(g) - n mean(n g)) / sigma, gamma_bar += sum y_bar n, beta_bar += sum y_bar.
   The means are exact sums over the ranks: the same bits on every layout. A sample is normalised by itself, so there is nothing to
   average over a training and nothing that depends on how a batch is spread. */
#include <math.h>
#include "base/exact.h"
#include "nn/builder.h"

#define EPSILON 1e-5
enum { INPUT, PARAMETERS };

typedef struct {
  PetscInt     groups, per_group; /* channels of a group */
  PetscReal    count;             /* values of a group */
  WeftFeatures f;                 /* of x and y alike, but for their ghosts */
  WeftFeatures y;
  PetscReal   *statistics;        /* [sample][group][mean, 1 / sigma], where there is no record */
  PetscReal   *means[2];          /* [sample][group] */
  PetscInt64  *sums;
} Normalise;

static inline double Get(PetscBool single, const void *row, PetscInt i) { return single ? (double)((const float *)row)[i] : ((const double *)row)[i]; }
static inline void Put(PetscBool single, void *row, PetscInt i, double value)
{
  if (single) ((float *)row)[i] = (float)value;
  else ((double *)row)[i] = value;
}

/* Every value of the owned cells: sample s, channel c, place i of the rows; n: normalised. */
#define FOR_VALUES(v, l, s, j, k, i, c)                                                                                        \
  WEFT_FOR_ROWS(l, (v)->f.batch, s, j, k)                                                                                      \
  for (PetscInt at_ = 0, i = 0, c = 0; at_ < (l)->count[0] * (v)->f.channels; at_++, i = at_, c = at_ % (v)->f.channels)

typedef double (*Term)(double x, double mean, double scale, double weight);
static double Value(double x, double mean, double scale, double weight)
{
  (void)mean, (void)scale, (void)weight;
  return x;
}
static double Square(double x, double mean, double scale, double weight)
{
  (void)scale, (void)weight;
  return (x - mean) * (x - mean);
}

/* means[sample][group] of term(x, ...), or of weight * z and weight * z * n (z: tangent or adjoint; gamma: its factor, or NULL). */
static PetscErrorCode Means(const Normalise *v, WeftSpace space, const void *x, const WeftFeatures *fz, const void *z, const double *gamma,
                            const PetscReal *statistics, Term term, PetscBool normal, PetscReal means[])
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(space);
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  const PetscInt       n     = v->f.batch * v->groups;
  WeftExactScale       scale;
  PetscReal            largest = 0.0;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(v->sums, 2 * n));
  for (PetscInt pass = 0; pass < 2; pass++) {
    FOR_VALUES(v, l, s, j, k, i, c)
    {
      const PetscInt   g  = s * v->groups + c / v->per_group;
      const PetscReal *st = statistics + 2 * g;
      const double     xi = Get(v->f.single, WeftFeaturesRow(&v->f, l, x, 0, s, j, k), i);
      double           value;
      if (term) value = term(xi, st[0], st[1], 1.0);
      else value = (gamma ? gamma[c] : 1.0) * Get(fz->single, WeftFeaturesRow(fz, l, z, 0, s, j, k), i) * (normal ? (xi - st[0]) * st[1] : 1.0);
      if (pass) WeftExactAdd(&scale, value, v->sums + 2 * g);
      else if (!(fabs(value) <= largest)) largest = fabs(value); /* a NaN stays */
    }
    if (!pass) PetscCall(WeftExactScaleSet(info->comm, largest, (PetscInt)v->count, &scale));
  }
  PetscCall(WeftExactReduce(info->comm, &scale, n, v->sums, means));
  for (PetscInt g = 0; g < n; g++) means[g] /= v->count;
  PetscFunctionReturn(0);
}

static PetscReal *Statistics(const Normalise *v, WeftRecord record)
{
  return record ? (PetscReal *)WeftStateDataWrite(WeftRecordState(record, 0)) : v->statistics;
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Normalise  *v          = (const Normalise *)WeftOpContext(op);
  const WeftSpace   space      = WeftOpInSpace(op, INPUT);
  const WeftLayout *l          = WeftGridLayout(WeftSpaceGetInfo(space)->grid);
  const double     *gamma      = (const double *)WeftStateData(x[PARAMETERS]), *beta = gamma + v->f.channels;
  const PetscInt    n          = v->f.batch * v->groups;
  PetscReal        *statistics = Statistics(v, record);
  const void       *from       = WeftStateData(x[INPUT]);

  PetscFunctionBegin;
  PetscCall(Means(v, space, from, NULL, NULL, NULL, statistics, Value, PETSC_FALSE, v->means[0]));
  for (PetscInt g = 0; g < n; g++) statistics[2 * g] = v->means[0][g];
  PetscCall(Means(v, space, from, NULL, NULL, NULL, statistics, Square, PETSC_FALSE, v->means[0]));
  for (PetscInt g = 0; g < n; g++) statistics[2 * g + 1] = 1.0 / PetscSqrtReal(v->means[0][g] + EPSILON);
  FOR_VALUES(v, l, s, j, k, i, c)
  {
    const PetscReal *st = statistics + 2 * (s * v->groups + c / v->per_group);
    Put(v->y.single, WeftFeaturesRow(&v->y, l, WeftStateDataWrite(y[0]), 0, s, j, k), i,
        gamma[c] * ((Get(v->f.single, WeftFeaturesRow(&v->f, l, from, 0, s, j, k), i) - st[0]) * st[1]) + beta[c]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Normalise  *v      = (const Normalise *)WeftOpContext(op);
  const WeftSpace   space  = WeftOpInSpace(op, INPUT);
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(space)->grid);
  const double     *gamma  = (const double *)WeftStateData(x[PARAMETERS]), *dgamma = dx[PARAMETERS] ? (const double *)WeftStateData(dx[PARAMETERS]) : NULL;
  const void       *from   = WeftStateData(x[INPUT]), *change = dx[INPUT] ? WeftStateData(dx[INPUT]) : NULL;
  const PetscReal  *statistics = Statistics(v, record);

  PetscFunctionBegin;
  (void)y;
  for (PetscInt m = 0; m < 2 && change; m++)
    PetscCall(Means(v, space, from, &v->f, change, NULL, statistics, NULL, m ? PETSC_TRUE : PETSC_FALSE, v->means[m]));
  FOR_VALUES(v, l, s, j, k, i, c)
  {
    const PetscInt   g  = s * v->groups + c / v->per_group;
    const PetscReal *st = statistics + 2 * g;
    const double     n  = (Get(v->f.single, WeftFeaturesRow(&v->f, l, from, 0, s, j, k), i) - st[0]) * st[1];
    double           d  = dgamma ? dgamma[c] * n + dgamma[v->f.channels + c] : 0.0;
    if (change) d += gamma[c] * st[1] * (Get(v->f.single, WeftFeaturesRow(&v->f, l, change, 0, s, j, k), i) - v->means[0][g] - n * v->means[1][g]);
    Put(v->y.single, WeftFeaturesRow(&v->y, l, WeftStateDataWrite(dy[0]), 0, s, j, k), i, d);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Normalise  *v     = (const Normalise *)WeftOpContext(op);
  const WeftSpace   space = WeftOpInSpace(op, INPUT);
  const WeftLayout *l     = WeftGridLayout(WeftSpaceGetInfo(space)->grid);
  const double     *gamma = (const double *)WeftStateData(x[PARAMETERS]);
  const void       *from = WeftStateData(x[INPUT]), *bar = WeftStateData(y_bar[0]);
  double           *to = x_bar[INPUT] ? (double *)WeftStateDataWrite(x_bar[INPUT]) : NULL;
  double           *weights = x_bar[PARAMETERS] ? (double *)WeftStateDataWrite(x_bar[PARAMETERS]) : NULL;
  const PetscReal  *statistics = Statistics(v, record);

  PetscFunctionBegin;
  (void)y;
  for (PetscInt m = 0; m < 2 && to; m++)
    PetscCall(Means(v, space, from, &v->y, bar, gamma, statistics, NULL, m ? PETSC_TRUE : PETSC_FALSE, v->means[m]));
  FOR_VALUES(v, l, s, j, k, i, c)
  {
    const PetscInt   g   = s * v->groups + c / v->per_group;
    const PetscReal *st  = statistics + 2 * g;
    const double     n   = (Get(v->f.single, WeftFeaturesRow(&v->f, l, from, 0, s, j, k), i) - st[0]) * st[1];
    const double     b   = Get(v->y.single, WeftFeaturesRow(&v->y, l, bar, 0, s, j, k), i);
    void            *row = to ? WeftFeaturesRow(&v->f, l, to, 0, s, j, k) : NULL;
    if (to) Put(v->f.single, row, i, Get(v->f.single, row, i) + st[1] * (gamma[c] * b - v->means[0][g] - n * v->means[1][g]));
    if (weights) weights[c] += b * n;
    if (weights) weights[v->f.channels + c] += b;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Normalise *v = (Normalise *)context;

  PetscFunctionBegin;
  PetscCall(PetscFree4(v->statistics, v->means[0], v->means[1], v->sums));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateNormalise(WeftSpace x, WeftSpace y, PetscInt groups, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(x);
  const WeftLayout       *l    = WeftGridLayout(info->grid);
  WeftSpace               in[2] = {x, NULL}, kept;
  Normalise              *v;

  PetscFunctionBegin;
  PetscCall(WeftFeaturesCheck("Normalise", x, y, 0));
  PetscCheck(info->channels == WeftSpaceGetInfo(y)->channels && groups >= 1 && info->channels % groups == 0, info->comm, PETSC_ERR_ARG_INCOMP,
             "operator Normalise: %" PetscInt_FMT " channels do not make %" PetscInt_FMT " groups", info->channels, groups);
  PetscCall(PetscNew(&v));
  v->groups    = groups;
  v->per_group = info->channels / groups;
  v->count     = (PetscReal)v->per_group * (PetscReal)l->cells[0] * (PetscReal)l->cells[1] * (PetscReal)l->cells[2];
  v->f         = WeftFeaturesOf(x);
  v->y         = WeftFeaturesOf(y);
  PetscCall(PetscMalloc4(2 * groups * info->batch, &v->statistics, groups * info->batch, &v->means[0], groups * info->batch, &v->means[1],
                         2 * groups * info->batch, &v->sums));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 2 * info->channels, PETSC_FALSE, &in[1]));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 2 * groups, PETSC_TRUE, &kept));
  PetscCall(WeftOpCreate("normalise", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &y, op));
  PetscCall(WeftOpSetRecord(*op, 1, &kept));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscCall(WeftSpaceDestroy(&kept));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Normalise(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant == 1 ? PETSC_TRUE : PETSC_FALSE;
  WeftSpace       x, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, 4, 1, single, &x));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 4, 0, single, &y));
  PetscCall(WeftOpCreateNormalise(x, y, variant ? 4 : 2, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&x));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftBuilderSpace(b, *x));
  const WeftParameter  both[2] = {{"norm.gamma", 1, {info->channels}, 1.0, 0.0}, {"norm.beta", 1, {info->channels}, 0.0, 0.0}};
  WeftValue            parameters;
  WeftSpace            y;
  WeftOp               op;

  PetscFunctionBegin;
  if (info->channels % layer->groups)
    return WeftBuilderFail(b, "%" PetscInt_FMT " channels do not make %" PetscInt_FMT " groups; use a number that divides", info->channels, layer->groups);
  PetscCall(WeftBuilderParameters(b, 2, both, &parameters));
  PetscCall(WeftBuilderFeatures(b, info->grid, info->channels, &y));
  PetscCall(WeftOpCreateNormalise(WeftBuilderSpace(b, *x), y, layer->groups, &op));
  PetscCall(WeftBuilderCall(b, &op, 2, (WeftValue[]){*x, parameters}, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Normalise = {.name = "norm", .words = "GROUPS", .build = Build};
