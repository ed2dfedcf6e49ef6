/* Right-hand sides of transport: Burgers' equation, u_t = -(u . grad) u + viscosity Laplacian(u), and diffusion of cell fields with
   or without advection by a uniform velocity, c_t = -(a . grad) c + diffusivity Laplacian(c). Central differences at cells. */
#include "op/rows.h"
#include "model/impl.h"

typedef struct {
  PetscBool burgers, advection; /* neither: diffusion alone */
  WeftState ones; /* advection: a field of 1 that carries, times the velocity of its sample; NULL with Burgers */
} Transport;

/* x -> sum over axes of second D2 x - first carrier D1 x, D2 x = x[-1] - 2 x + x[1], D1 x = x[1] - x[-1]. */
typedef struct {
  double        second[3], first[3];
  const double *carrier[3];
} Terms;

/* ---- kernels ------------------------------------------------------------------------------------------------------------- */

WEFT_INLINE void Loop(const PetscInt dim, const PetscBool add, WeftRows rows, const Terms *t, const double *restrict x, double *restrict y)
{
  for (PetscInt a = 0; a < dim; a++) {
    const PetscInt  s = rows.stride[a];
    const PetscBool sum = a || add ? PETSC_TRUE : PETSC_FALSE;
    const double    second = t->second[a], first = t->first[a];
    const double *restrict carrier = t->carrier[a];
    for (PetscInt k = 0; k < rows.n[2]; k++)
      for (PetscInt j = 0; j < rows.n[1]; j++) {
        const PetscInt row = WEFT_ROW(rows, j, k);
        for (PetscInt i = row; i < row + rows.n[0]; i++) {
          const double value = second * ((x[i - s] + x[i + s]) - 2.0 * x[i]) - first * (carrier[i] * (x[i + s] - x[i - s]));
          y[i]               = sum ? y[i] + value : value;
        }
      }
  }
}
WEFT_KERNEL static void Set(PetscInt dim, WeftRows rows, const Terms *t, const double *x, double *y) { Loop(dim, PETSC_FALSE, rows, t, x, y); }
WEFT_KERNEL static void Add(PetscInt dim, WeftRows rows, const Terms *t, const double *x, double *y) { Loop(dim, PETSC_TRUE, rows, t, x, y); }

/* y += factor carrier D1 x, one axis. */
WEFT_KERNEL static void AddSlope(WeftRows rows, PetscInt s, double factor, const double *restrict carrier, const double *restrict x, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) y[i] += factor * (carrier[i] * (x[i + s] - x[i - s]));
    }
}

/* x_bar += the transposed map of y_bar, over the rows that gather; y_bar is 0 behind the sides. */
WEFT_KERNEL static void Gather(PetscInt dim, WeftRows rows, const Terms *t, const double *restrict y_bar, double *restrict x_bar)
{
  for (PetscInt a = 0; a < dim; a++) {
    const PetscInt s      = rows.stride[a];
    const double   second = t->second[a], first = t->first[a];
    const double *restrict carrier = t->carrier[a];
    for (PetscInt k = 0; k < rows.n[2]; k++)
      for (PetscInt j = 0; j < rows.n[1]; j++) {
        const PetscInt row = WEFT_ROW(rows, j, k);
        for (PetscInt i = row; i < row + rows.n[0]; i++)
          x_bar[i] += second * ((y_bar[i - s] + y_bar[i + s]) - 2.0 * y_bar[i]) + first * (carrier[i + s] * y_bar[i + s] - carrier[i - s] * y_bar[i - s]);
      }
  }
}

/* Sum of y_bar D2 x and of y_bar D1 x along one axis. */
WEFT_KERNEL static void Dots(WeftRows rows, PetscInt s, const double *restrict x, const double *restrict y_bar, double *second, double *first)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      WEFT_SUM(*second, i, row, row + rows.n[0], y_bar[i] * ((x[i - s] + x[i + s]) - 2.0 * x[i]));
      WEFT_SUM(*first, i, row, row + rows.n[0], y_bar[i] * (x[i + s] - x[i - s]));
    }
}

/* ---- maps ---------------------------------------------------------------------------------------------------------------- */

/* Where the diffusivity of a field stands among the numbers: one viscosity per sample, or one number per field. */
static PetscInt DiffusivityOf(WeftOp op, PetscInt b, PetscInt f) { return ((const Transport *)WeftOpContext(op))->burgers ? b : b * WeftSpaceGetInfo(WeftOpInSpace(op, 0))->fields + f; }

/* The terms of field f of a sample: diffusivities are x[1], the uniform velocity x[2]; of Burgers' equation `carrier` carries. */
static void TermsOf(WeftOp op, const WeftState x[], WeftState carrier, PetscInt b, PetscInt f, Terms *t)
{
  const Transport  *context = (const Transport *)WeftOpContext(op);
  const WeftLayout *l       = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid);

  for (PetscInt a = 0; a < l->dim; a++) {
    t->second[a]  = x[1] ? ((const double *)WeftStateData(x[1]))[DiffusivityOf(op, b, f)] / (l->h[a] * l->h[a]) : 0.0;
    t->first[a]   = 0.5 / l->h[a];
    t->carrier[a] = context->burgers ? WeftStatePlane(carrier, a, b) : WeftStatePlane(context->ones, 0, 0);
    if (!context->burgers) t->first[a] *= context->advection && x[2] ? ((const double *)WeftStateData(x[2]))[b * l->dim + a] : 0.0;
  }
}

static PetscErrorCode TransportApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  Terms                t;

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt f = 0; f < info->fields; f++) {
      TermsOf(op, x, x[0], b, f, &t);
      Set(l->dim, WeftRowsOwned(l, WEFT_CELL), &t, WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(y[0], f, b));
    }
  PetscFunctionReturn(0);
}

/* dy = the map, carried as it is, of dx + the map with the changes of the numbers (and of the carrier) of x */
static PetscErrorCode TransportTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const PetscBool      burgers = ((const Transport *)WeftOpContext(op))->burgers;
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  Terms                t, change;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  if (dx[0]) PetscCall(WeftStateHalo(dx[0], 1, WEFT_GHOST_LINEAR));
  else PetscCall(WeftStateZero(dy[0]));
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt f = 0; f < info->fields; f++) {
      TermsOf(op, x, x[0], b, f, &t);
      TermsOf(op, dx, burgers && dx[0] ? dx[0] : x[0], b, f, &change);
      for (PetscInt a = 0; a < l->dim && burgers && !dx[0]; a++) change.first[a] = 0.0;
      if (dx[0]) Set(l->dim, WeftRowsOwned(l, WEFT_CELL), &t, WeftStatePlane(dx[0], f, b), WeftStatePlaneWrite(dy[0], f, b));
      Add(l->dim, WeftRowsOwned(l, WEFT_CELL), &change, WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(dy[0], f, b));
    }
  PetscFunctionReturn(0);
}

/* diffusivity_bar += sum of y_bar D2 x / h^2, velocity_bar -= sum of y_bar D1 x / (2 h) */
static void AddNumberBars(WeftOp op, const WeftState x[], const WeftState y_bar[], const WeftState x_bar[], PetscInt b, PetscInt f)
{
  const WeftLayout *l            = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid);
  const PetscBool   advection    = ((const Transport *)WeftOpContext(op))->advection;
  double           *velocity_bar = advection && x_bar[2] ? (double *)WeftStateDataWrite(x_bar[2]) + b * l->dim : NULL;

  if (!x_bar[1] && !velocity_bar) return;
  for (PetscInt a = 0; a < l->dim; a++) {
    double second = 0.0, first = 0.0;
    Dots(WeftRowsOwned(l, WEFT_CELL), l->stride[a], WeftStatePlane(x[0], f, b), WeftStatePlane(y_bar[0], f, b), &second, &first);
    if (x_bar[1]) ((double *)WeftStateDataWrite(x_bar[1]))[DiffusivityOf(op, b, f)] += second / (l->h[a] * l->h[a]);
    if (velocity_bar) velocity_bar[a] -= 0.5 / l->h[a] * first;
  }
}

static PetscErrorCode TransportAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const PetscBool      burgers = ((const Transport *)WeftOpContext(op))->burgers;
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  Terms                t;

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(x[0], 2, WEFT_GHOST_VALUE));
  if (x_bar[0]) {
    PetscCall(WeftStateHalo(y_bar[0], 2, WEFT_GHOST_ZERO));
    PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  }
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt f = 0; f < info->fields; f++) {
      AddNumberBars(op, x, y_bar, x_bar, b, f);
      if (!x_bar[0]) continue;
      TermsOf(op, x, x[0], b, f, &t);
      Gather(l->dim, WeftRowsGather(l, WEFT_CELL, 1), &t, WeftStatePlane(y_bar[0], f, b), WeftStatePlaneWrite(x_bar[0], f, b));
      for (PetscInt a = 0; a < l->dim && burgers; a++) AddSlope(WeftRowsOwned(l, WEFT_CELL), l->stride[a], -0.5 / l->h[a], WeftStatePlane(y_bar[0], f, b), WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(x_bar[0], a, b));
    }
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

static PetscErrorCode TransportDestroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&((Transport *)context)->ones));
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

/* ---- stencil --------------------------------------------------------------------------------------------------------------- */

/* Per field: the place itself, then below and above along each axis; for Burgers' equation then the other fields there. */
static PetscInt Entries(PetscInt dim, PetscInt fields, PetscBool burgers, WeftStencilEntry entry[])
{
  PetscInt n = 0;

  for (PetscInt f = 0; f < fields; f++) {
    entry[n++] = (WeftStencilEntry){f, f, {0, 0, 0}};
    for (PetscInt a = 0; a < dim; a++)
      for (PetscInt end = -1; end <= 1; end += 2) {
        entry[n]             = (WeftStencilEntry){f, f, {0, 0, 0}};
        entry[n++].offset[a] = end;
      }
    for (PetscInt g = 0; g < fields && burgers; g++)
      if (g != f) entry[n++] = (WeftStencilEntry){f, g, {0, 0, 0}};
  }
  return n;
}

WEFT_KERNEL static void SetSides(WeftRows rows, double second, double first, const double *restrict carrier, double *restrict below, double *restrict above)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) {
        below[i] = second + first * carrier[i];
        above[i] = second - first * carrier[i];
      }
    }
}

/* c := constant - slope D1 x */
WEFT_KERNEL static void SetSlope(WeftRows rows, PetscInt s, double constant, double slope, const double *restrict x, double *restrict c)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) c[i] = constant - slope * (x[i + s] - x[i - s]);
    }
}

static PetscErrorCode TransportCoefficients(WeftOp op, void *context, const WeftState x[], PetscInt b, double *const coefficient[])
{
  const PetscBool      burgers = ((const Transport *)WeftOpContext(op))->burgers;
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  const WeftRows       rows    = WeftRowsOwned(l, WEFT_CELL);
  PetscInt             e       = 0;
  Terms                t;

  PetscFunctionBegin;
  (void)context;
  if (burgers) PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  for (PetscInt f = 0; f < info->fields; f++) {
    double own = 0.0;
    TermsOf(op, x, x[0], b, f, &t);
    for (PetscInt a = 0; a < l->dim; a++) own -= 2.0 * t.second[a];
    SetSlope(rows, burgers ? l->stride[f] : 1, own, burgers ? t.first[f] : 0.0, WeftStatePlane(burgers ? x[0] : ((const Transport *)WeftOpContext(op))->ones, burgers ? f : 0, burgers ? b : 0), coefficient[e++]);
    for (PetscInt a = 0; a < l->dim; a++, e += 2) SetSides(rows, t.second[a], t.first[a], t.carrier[a], coefficient[e], coefficient[e + 1]);
    for (PetscInt g = 0; g < info->fields && burgers; g++)
      if (g != f) SetSlope(rows, l->stride[g], 0.0, t.first[g], WeftStatePlane(x[0], f, b), coefficient[e++]);
  }
  PetscFunctionReturn(0);
}

/* ---- create ------------------------------------------------------------------------------------------------------------------ */

static PetscErrorCode CreateTransport(const char *name, WeftSpace space, PetscBool burgers, PetscBool advection, WeftOp *op)
{
  static const WeftOpMaps maps    = {TransportApply, TransportTangent, TransportAdjoint, TransportDestroy, NULL};
  const WeftSpaceInfo    *info    = WeftSpaceGetInfo(space);
  const WeftLayout       *l       = WeftGridLayout(info->grid);
  WeftSpace               in[3]   = {space, NULL, NULL}, one;
  WeftStencilEntry        entry[WEFT_MAX_FIELDS * (7 + 2)];
  WeftStencil             stencil = {.entry = entry, .coefficients = TransportCoefficients, .depends = burgers ? 3u : advection ? 6u : 2u, .symmetric = burgers || advection ? PETSC_FALSE : PETSC_TRUE};
  Transport              *t;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells(name, space, burgers ? l->dim : info->fields, NULL));
  PetscCall(WeftOpCheckHalo(name, space, 2));
  PetscCall(PetscNew(&t));
  t->burgers   = burgers;
  t->advection = advection;
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, burgers ? 1 : info->fields, PETSC_TRUE, &in[1]));
  if (advection) PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, l->dim, PETSC_TRUE, &in[2]));
  if (!burgers) {
    double *plane;
    PetscCall(WeftModelCellSpace(info->grid, 1, "one", &one));
    PetscCall(WeftStateCreate(one, &t->ones));
    PetscCall(WeftSpaceDestroy(&one));
    plane = WeftStatePlaneWrite(t->ones, 0, 0);
    for (PetscInt i = 0; i < l->plane; i++) plane[i] = 1.0;
  }
  PetscCall(WeftOpCreate(name, &maps, t, WEFT_NEEDS_INPUTS, advection ? 3 : 2, in, 1, &space, op));
  stencil.entries = Entries(l->dim, info->fields, burgers, entry);
  PetscCall(WeftOpSetStencil(*op, &stencil));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscCall(WeftSpaceDestroy(&in[2]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateBurgers(WeftSpace velocity, WeftOp *op)
{
  PetscFunctionBegin;
  PetscCall(CreateTransport("Burgers", velocity, PETSC_TRUE, PETSC_FALSE, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateAdvectionDiffusion(WeftSpace fields, WeftOp *op)
{
  PetscFunctionBegin;
  PetscCall(CreateTransport("AdvectionDiffusion", fields, PETSC_FALSE, PETSC_TRUE, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateDiffusion(WeftSpace fields, WeftOp *op)
{
  PetscFunctionBegin;
  PetscCall(CreateTransport("Diffusion", fields, PETSC_FALSE, PETSC_FALSE, op));
  PetscFunctionReturn(0);
}

/* ---- examples ------------------------------------------------------------------------------------------------------------------ */

PetscErrorCode WeftOpExample_Burgers(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, WeftGridLayout(grid)->dim, &space));
  PetscCall(WeftOpCreateBurgers(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_AdvectionDiffusion(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftOpCreateAdvectionDiffusion(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Diffusion(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftOpCreateDiffusion(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

/* A short step by the theta scheme (backward Euler and Crank-Nicolson of Burgers' equation, Crank-Nicolson of advection and
   diffusion), or by Runge-Kutta. */
static PetscErrorCode ExampleStep(WeftGrid grid, PetscInt batch, PetscInt variant, PetscBool implicit, WeftOpExample *example)
{
  const WeftLayout   *l  = WeftGridLayout(grid);
  const PetscReal     dt = 0.2 * PetscSqr(l->h[0]);
  WeftImplicitOptions options;
  WeftOpExample       right;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&right, sizeof(right)));
  if (variant < 2) PetscCall(WeftOpExample_Burgers(grid, batch, 0, &right));
  else PetscCall(WeftOpExample_AdvectionDiffusion(grid, batch, 0, &right));
  *example = right;
  PetscCall(WeftImplicitOptionsDefault(&options));
  if (implicit) PetscCall(WeftOpCreateTheta(right.op, variant == 0 ? 1.0 : 0.5, dt, &options, NULL, &example->op));
  else PetscCall(WeftOpCreateRungeKutta(right.op, dt, &example->op));
  if (implicit) example->tolerance = 1e-10;
  example->offset[1] = 1.0; /* viscosity */
  PetscCall(WeftOpDestroy(&right.op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Theta(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example) { return ExampleStep(grid, batch, variant, PETSC_TRUE, example); }
PetscErrorCode WeftOpExample_RungeKutta(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example) { return ExampleStep(grid, batch, variant, PETSC_FALSE, example); }
