/* ctest: unit; ranks 1 2 4; timeout 120 */
/* Convolution kernels: every path that this CPU has against loops written from the definition, forward and both gradients, for
   every kernel width, 1D to 3D, odd numbers of channels, float64 and float32; and the same bits on every rank count. */
#include <float.h>
#include <weft/nn.h>
#include "nn/impl.h"
#include "support.h"

typedef struct {
  PetscInt       dim, kernel, in, out;
  WeftActivation activation;
  WeftGhost      edges;
  PetscBool      residual, periodic, winograd, single;
} Case;

typedef struct {
  WeftSpace space[2]; /* x, y */
  WeftOp    op;
  WeftState x[3], y, y_bar, x_bar[3]; /* x, parameters, residual */
} Setup;

static PetscErrorCode MakeGrid(MPI_Comm comm, const Case *c, PetscBool split, WeftGrid *grid)
{
  static const PetscInt cells[3][3] = {{29, 1, 1}, {23, 9, 1}, {13, 6, 8}}; /* tiles of every size; blocks of odd starts */
  WeftGridOptions       o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim  = c->dim;
  o.halo = 2;
  if (c->winograd) o.granularity = 4;
  for (PetscInt a = 0; a < c->dim; a++) {
    o.cells[a] = (cells[c->dim - 1][a] + o.granularity - 1) / o.granularity * o.granularity;
    o.upper[a] = 1.0;
    for (PetscInt s = 0; s < 2; s++)
      o.side[a][s] = c->periodic && a == 0 ? WEFT_SIDE_PERIODIC : a == 1 ? WEFT_SIDE_OPEN : WEFT_SIDE_NOSLIP;
  }
  if (split && c->dim == 2) o.ranks[0] = o.ranks[1] = 2;
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

/* Operator and random inputs, and what it makes of them. */
static PetscErrorCode Run(WeftGrid grid, const Case *c, Setup *s)
{
  const WeftConvolutionOptions options = {c->kernel, c->out, c->activation, c->edges, c->residual, 1};
  const PetscInt               width   = c->kernel / 2;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, 2, c->in, width, c->single, &s->space[0]));
  PetscCall(WeftSpaceCreateChannels(grid, 2, c->out, width, c->single, &s->space[1]));
  PetscCall(WeftOpCreateConvolution(s->space[0], s->space[1], &options, &s->op));
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(s->op, i), &s->x[i]));
    PetscCall(WeftStateSetRandom(s->x[i], 7 + i, 0, 0.0, 1.0));
    PetscCall(WeftStateCreate(WeftOpInSpace(s->op, i), &s->x_bar[i]));
    if (i != 1) PetscCall(WeftStateSetRandom(s->x_bar[i], 17 + i, 0, 0.0, 1.0)); /* adjoints accumulate */
  }
  PetscCall(WeftStateCreate(s->space[1], &s->y));
  PetscCall(WeftStateCreate(s->space[1], &s->y_bar));
  PetscCall(WeftStateSetRandom(s->y_bar, 27, 0, 0.0, 1.0));
  PetscCall(WeftOpApply(s->op, s->x, &s->y, NULL));
  PetscCall(WeftOpAdjoint(s->op, s->x, &s->y, NULL, &s->y_bar, s->x_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Free(Setup *s)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++) {
    PetscCall(WeftStateDestroy(&s->x[i]));
    PetscCall(WeftStateDestroy(&s->x_bar[i]));
  }
  PetscCall(WeftStateDestroy(&s->y));
  PetscCall(WeftStateDestroy(&s->y_bar));
  PetscCall(WeftOpDestroy(&s->op));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftSpaceDestroy(&s->space[i]));
  PetscFunctionReturn(0);
}

/* ---- the definition, cell by cell ------------------------------------------------------------------------------- */

typedef struct { /* all cells of the box, [sample][cell][channel], in float64; the sums' absolute values beside them */
  PetscInt dim, cells[3], samples, in, out, taps, kernel;
  double  *x, *parameters, *residual, *y, *z, *x_bar, *x_size, *w_bar, *w_size, *residual_bar, *y_size;
} Reference;

static double Value(const WeftFeatures *f, WeftState state, ptrdiff_t at)
{
  return f->single ? (double)((const float *)WeftStateData(state))[at] : ((const double *)WeftStateData(state))[at];
}

static PetscErrorCode Read(WeftState state, double **values)
{
  const WeftFeatures f  = WeftFeaturesOf(WeftStateSpace(state));
  PetscInt           at = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(f.batch * f.count[0] * f.count[1] * f.count[2] * f.channels, values));
  for (PetscInt s = 0; s < f.batch; s++)
    for (PetscInt k = 0; k < f.count[2]; k++)
      for (PetscInt j = 0; j < f.count[1]; j++)
        for (PetscInt i = 0; i < f.count[0] * f.channels; i++)
          (*values)[at++] = Value(&f, state, WeftFeaturesIndex(&f, s, 0, j, k) + i);
  PetscFunctionReturn(0);
}

/* Cell that stands at `place` plus the tap, or -1 where there is zero. */
static PetscInt Neighbour(const Reference *r, const Case *c, const PetscInt place[3], PetscInt tap)
{
  PetscInt at[3] = {0, 0, 0};
  for (PetscInt a = 0; a < r->dim; a++) {
    const PetscInt n = r->cells[a];
    at[a]            = place[a] + tap % r->kernel - r->kernel / 2;
    tap /= r->kernel;
    if (at[a] >= 0 && at[a] < n) continue;
    if (c->periodic && a == 0)
      at[a] = (at[a] + n) % n;
    else if (c->edges == WEFT_GHOST_COPY)
      at[a] = at[a] < 0 ? 0 : n - 1;
    else
      return -1;
  }
  return at[0] + r->cells[0] * (at[1] + r->cells[1] * at[2]);
}

/* Calls for every pair of a cell and what a tap reads: forward sums, or both gradients. */
static void Pair(Reference *r, PetscBool forward, PetscInt tap, const double *x, const double *z, PetscInt from, PetscInt to)
{
  for (PetscInt i = 0; i < r->in; i++) {
    for (PetscInt o = 0; o < r->out; o++) {
      const PetscInt w = (tap * r->in + i) * r->out + o;
      if (forward) {
        r->y[to * r->out + o] += x[i] * r->parameters[w];
        r->y_size[to * r->out + o] += PetscAbsReal(x[i] * r->parameters[w]);
      } else {
        r->x_bar[from * r->in + i] += z[o] * r->parameters[w];
        r->x_size[from * r->in + i] += PetscAbsReal(z[o] * r->parameters[w]);
        r->w_bar[w] += x[i] * z[o];
        r->w_size[w] += PetscAbsReal(x[i] * z[o]);
      }
    }
  }
}

static void Pairs(Reference *r, const Case *c, PetscBool forward)
{
  const PetscInt cells = r->cells[0] * r->cells[1] * r->cells[2];
  for (PetscInt s = 0; s < r->samples; s++) {
    for (PetscInt p = 0; p < cells; p++) {
      const PetscInt place[3] = {p % r->cells[0], p / r->cells[0] % r->cells[1], p / r->cells[0] / r->cells[1]},
                     to       = s * cells + p;
      for (PetscInt t = 0; t < r->taps; t++) {
        const PetscInt q = Neighbour(r, c, place, t), from = s * cells + q;
        if (q >= 0) Pair(r, forward, t, r->x + from * r->in, r->z + to * r->out, from, to);
      }
    }
  }
}

static double Activate(WeftActivation activation, double v)
{
  return activation == WEFT_ACTIVATION_RELU         ? PetscMax(v, 0.0)
         : activation == WEFT_ACTIVATION_LEAKY_RELU ? (v < 0.0 ? 0.2 * v : v)
         : activation == WEFT_ACTIVATION_TANH       ? tanh(v)
                                                    : v;
}

static double Slope(WeftActivation activation, double y)
{
  return activation == WEFT_ACTIVATION_RELU         ? (y > 0.0 ? 1.0 : 0.0)
         : activation == WEFT_ACTIVATION_LEAKY_RELU ? (y > 0.0 ? 1.0 : 0.2)
         : activation == WEFT_ACTIVATION_TANH       ? 1.0 - y * y
                                                    : 1.0;
}

static PetscErrorCode Check(const double *value, const double *expected, const double *size, PetscInt n, PetscInt terms,
                            double eps, const char *kernels, const char *what, const Case *c)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    const double bound = (c->winograd ? 8.0 : 2.0) * eps * (PetscSqrtReal((PetscReal)terms) + 1.0) * (size[i] + 1.0);
    TestCheck(PetscAbsReal(value[i] - expected[i]) <= bound,
              "%s, %dD kernel %d %d -> %d %s%s%s: %s [%d] is %.9g, not %.9g (bound %.2g)", kernels, (int)c->dim, (int)c->kernel,
              (int)c->in, (int)c->out, WeftActivations[c->activation], c->residual ? " residual" : "",
              c->single ? " float32" : "", what, (int)i, value[i], expected[i], bound);
  }
  PetscFunctionReturn(0);
}

/* Gradients are those at the operator's own output: near a kink the definition's rounding may fall on the other side. */
static PetscErrorCode CheckAgainstDefinition(WeftGrid grid, const Case *c, const char *kernels)
{
  const WeftLayout *l      = WeftGridLayout(grid);
  const double      eps    = c->single ? FLT_EPSILON : DBL_EPSILON;
  Reference         r      = {.dim     = c->dim,
                              .cells   = {l->cells[0], l->cells[1], l->cells[2]},
                              .samples = 2,
                              .in      = c->in,
                              .out     = c->out,
                              .taps    = 1,
                              .kernel  = c->kernel};
  const PetscInt    points = 2 * l->cells[0] * l->cells[1] * l->cells[2], ny = points * c->out, nx = points * c->in;
  double           *y, *x_bar, *residual_start = NULL, *residual_bar = NULL, *w_bar;
  PetscInt          weights;
  Setup             s;

  PetscFunctionBegin;
  PetscCall(Run(grid, c, &s));
  for (PetscInt a = 0; a < c->dim; a++) r.taps *= c->kernel;
  weights = r.taps * c->in * c->out;
  PetscCall(Read(s.x[0], &r.x));
  PetscCall(Read(s.y, &y));
  PetscCall(Read(s.y_bar, &r.z));
  PetscCall(Read(s.x_bar[0], &x_bar));
  if (c->residual) PetscCall(Read(s.x[2], &r.residual));
  if (c->residual) PetscCall(Read(s.x_bar[2], &residual_bar));
  PetscCall(PetscMalloc1(weights + c->out, &r.parameters));
  w_bar = (double *)WeftStateData(s.x_bar[1]);
  for (PetscInt i = 0; i < weights + c->out; i++)
    r.parameters[i] =
        c->single ? (double)(float)((const double *)WeftStateData(s.x[1]))[i] : ((const double *)WeftStateData(s.x[1]))[i];
  PetscCall(PetscCalloc5(ny, &r.y, ny, &r.y_size, nx, &r.x_size, weights + c->out, &r.w_bar, weights + c->out, &r.w_size));
  PetscCall(WeftStateSetRandom(s.x_bar[0], 17, 0, 0.0, 1.0)); /* what the adjoints were added to */
  PetscCall(Read(s.x_bar[0], &r.x_bar));
  if (c->residual) {
    PetscCall(WeftStateSetRandom(s.x_bar[2], 19, 0, 0.0, 1.0));
    PetscCall(Read(s.x_bar[2], &residual_start));
  }
  Pairs(&r, c, PETSC_TRUE);
  for (PetscInt i = 0; i < ny; i++) {
    const PetscInt o = i % c->out;
    r.y[i]           = Activate(c->activation, r.y[i] + r.parameters[weights + o] + (c->residual ? r.residual[i] : 0.0));
    r.z[i] *= Slope(c->activation, y[i]);
    r.w_bar[weights + o] += r.z[i];
    r.w_size[weights + o] += PetscAbsReal(r.z[i]);
    if (c->residual) residual_start[i] += r.z[i];
  }
  Pairs(&r, c, PETSC_FALSE);
  PetscCall(Check(y, r.y, r.y_size, ny, r.taps * c->in, eps, kernels, "y", c));
  PetscCall(Check(x_bar, r.x_bar, r.x_size, nx, r.taps * c->out, eps, kernels, "x_bar", c));
  PetscCall(Check(w_bar, r.w_bar, r.w_size, weights + c->out, points, eps, kernels, "parameters_bar", c));
  if (c->residual) PetscCall(Check(residual_bar, residual_start, r.y_size, ny, 1, eps, kernels, "residual_bar", c));
  PetscCall(PetscFree5(r.y, r.y_size, r.x_size, r.w_bar, r.w_size));
  PetscCall(PetscFree(r.x));
  PetscCall(PetscFree(r.x_bar));
  PetscCall(PetscFree(r.z));
  PetscCall(PetscFree(r.residual));
  PetscCall(PetscFree(r.parameters));
  PetscCall(PetscFree(y));
  PetscCall(PetscFree(x_bar));
  PetscCall(PetscFree(residual_start));
  PetscCall(PetscFree(residual_bar));
  PetscCall(Free(&s));
  PetscFunctionReturn(0);
}

/* ---- the same bits on every rank count -------------------------------------------------------------------------- */

static PetscErrorCode SameBits(WeftState mine, WeftState whole, const char *what)
{
  const WeftFeatures f = WeftFeaturesOf(WeftStateSpace(mine)), g = WeftFeaturesOf(WeftStateSpace(whole));
  const WeftLayout  *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(mine))->grid);

  PetscFunctionBegin;
  for (PetscInt s = 0; s < f.batch; s++)
    for (PetscInt k = 0; k < f.count[2]; k++)
      for (PetscInt j = 0; j < f.count[1]; j++)
        TestCheck(!memcmp((const char *)WeftStateData(mine) + f.size * (size_t)WeftFeaturesIndex(&f, s, 0, j, k),
                          (const char *)WeftStateData(whole) +
                              f.size * (size_t)WeftFeaturesIndex(&g, s, l->start[0], l->start[1] + j, l->start[2] + k),
                          f.size * (size_t)(f.count[0] * f.channels)),
                  "%s: not the bits of one rank", what);
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckAgainstOneRank(const Case *c, PetscMPIInt size)
{
  WeftGrid grid, whole;
  Setup    s, t;

  PetscFunctionBegin;
  PetscCall(MakeGrid(PETSC_COMM_WORLD, c, size == 4 ? PETSC_TRUE : PETSC_FALSE, &grid));
  PetscCall(MakeGrid(PETSC_COMM_SELF, c, PETSC_FALSE, &whole));
  PetscCall(Run(grid, c, &s));
  PetscCall(Run(whole, c, &t));
  PetscCall(SameBits(s.y, t.y, "y"));
  PetscCall(SameBits(s.x_bar[0], t.x_bar[0], "x_bar"));
  PetscCall(Free(&s));
  PetscCall(Free(&t));
  PetscCall(WeftGridDestroy(&grid));
  PetscCall(WeftGridDestroy(&whole));
  PetscFunctionReturn(0);
}

/* ---- cases -------------------------------------------------------------------------------------------------------- */

static const Case cases[] = {
    {1, 3, 3, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {1, 5, 7, 5, WEFT_ACTIVATION_NONE, WEFT_GHOST_COPY, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE},
    {2, 1, 32, 2, WEFT_ACTIVATION_NONE, WEFT_GHOST_ZERO, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {2, 3, 3, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_FALSE, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE},
    {2, 3, 32, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {2, 3, 17, 33, WEFT_ACTIVATION_TANH, WEFT_GHOST_COPY, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {2, 5, 3, 24, WEFT_ACTIVATION_LEAKY_RELU, WEFT_GHOST_ZERO, PETSC_FALSE, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE},
    {2, 5, 6, 2, WEFT_ACTIVATION_NONE, WEFT_GHOST_COPY, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {3, 3, 4, 9, WEFT_ACTIVATION_LEAKY_RELU, WEFT_GHOST_COPY, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE, PETSC_FALSE},
    {3, 5, 2, 3, WEFT_ACTIVATION_TANH, WEFT_GHOST_ZERO, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE},
    {2, 3, 32, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_TRUE, PETSC_FALSE, PETSC_TRUE, PETSC_FALSE},
    {2, 3, 16, 48, WEFT_ACTIVATION_TANH, WEFT_GHOST_COPY, PETSC_FALSE, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE},
    {2, 5, 32, 32, WEFT_ACTIVATION_LEAKY_RELU, WEFT_GHOST_ZERO, PETSC_TRUE, PETSC_TRUE, PETSC_TRUE, PETSC_FALSE},
    {2, 5, 16, 32, WEFT_ACTIVATION_NONE, WEFT_GHOST_COPY, PETSC_FALSE, PETSC_FALSE, PETSC_TRUE, PETSC_FALSE},
};

static PetscErrorCode Test(void)
{
  static const char *const paths[] = {"plain", "avx2", "avx512"};
  PetscMPIInt              size, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(TestSetKey("grid_overlap", "always"));
  for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++) {
    PetscBool there;
    PetscCall(WeftKernelsSet(paths[p], &there));
    if (!there) continue;
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
      Case     c = cases[i / 2];
      WeftGrid grid;
      c.single = (PetscBool)(i % 2);
      if (size > 1)
        PetscCall(CheckAgainstOneRank(&c, size));
      else {
        PetscCall(MakeGrid(PETSC_COMM_SELF, &c, PETSC_FALSE, &grid));
        PetscCall(CheckAgainstDefinition(grid, &c, paths[p]));
        PetscCall(WeftGridDestroy(&grid));
      }
    }
  }
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
