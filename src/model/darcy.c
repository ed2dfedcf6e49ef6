/* Residual of steady flow through a porous medium at cells: F(p; m, q) = -div(exp(m) grad p) - q. The conductivity of a face is the
   harmonic mean of its cells; with r = exp(-m) the resistance of a cell, T = 2 / (r + r'). An open side holds p = 0 on the side: a
   cell of no resistance and pressure beyond it. Through a closed side nothing flows: a cell of endless resistance. */
#include <math.h>
#include "op/rows.h"
#include <weft/model.h>

#define ENDLESS 1e200 /* T is then 2e-200, and T^2 is 0 without a NaN */

typedef struct {
  WeftState resistance; /* of all samples, ghosts by what stands at the sides */
} Darcy;

/* ---- kernels, one axis each; c = 1 / h^2 -------------------------------------------------------------------------------------- */

#define FOR_ROWS(rows)                                                                                                         \
  for (PetscInt k = 0; k < (rows).n[2]; k++)                                                                                   \
    for (PetscInt j = 0; j < (rows).n[1]; j++)                                                                                 \
      for (PetscInt i = WEFT_ROW(rows, j, k), end = i + (rows).n[0]; i < end; i++)

/* y += c (T (p - p below) + T above (p - p above)) */
WEFT_KERNEL static void AddFlux(WeftRows rows, PetscInt s, double c, const double *restrict r, const double *restrict p, double *restrict y)
{
  FOR_ROWS(rows) y[i] += c * (2.0 / (r[i] + r[i - s]) * (p[i] - p[i - s]) + 2.0 / (r[i] + r[i + s]) * (p[i] - p[i + s]));
}

/* y += the same with dT = T^2 (r dm + r' dm') / 2 */
WEFT_KERNEL static void AddFluxChange(WeftRows rows, PetscInt s, double c, const double *restrict r, const double *restrict dm, const double *restrict p, double *restrict y)
{
  FOR_ROWS(rows)
  {
    const double below = 2.0 / (r[i] + r[i - s]), above = 2.0 / (r[i] + r[i + s]), own = r[i] * dm[i];
    y[i] += 0.5 * c * (below * below * (own + r[i - s] * dm[i - s]) * (p[i] - p[i - s]) + above * above * (own + r[i + s] * dm[i + s]) * (p[i] - p[i + s]));
  }
}

/* m_bar += r / 2 times the sum over both faces of c T^2 (difference of p) (difference of F_bar) */
WEFT_KERNEL static void AddConductivityBar(WeftRows rows, PetscInt s, double c, const double *restrict r, const double *restrict p, const double *restrict f_bar, double *restrict m_bar)
{
  FOR_ROWS(rows)
  {
    const double below = 2.0 / (r[i] + r[i - s]), above = 2.0 / (r[i] + r[i + s]);
    m_bar[i] += 0.5 * c * r[i] * (below * below * ((p[i] - p[i - s]) * (f_bar[i] - f_bar[i - s])) + above * above * ((p[i] - p[i + s]) * (f_bar[i] - f_bar[i + s])));
  }
}

WEFT_KERNEL static void AddScaled(WeftRows rows, double factor, const double *restrict x, double *restrict y)
{
  FOR_ROWS(rows) y[i] += factor * x[i];
}

WEFT_KERNEL static void SetFaces(WeftRows rows, PetscInt s, double c, const double *restrict r, double *restrict own, double *restrict below, double *restrict above)
{
  FOR_ROWS(rows)
  {
    below[i] = -c * (2.0 / (r[i] + r[i - s]));
    above[i] = -c * (2.0 / (r[i] + r[i + s]));
    own[i] -= below[i] + above[i];
  }
}

/* ---- maps -------------------------------------------------------------------------------------------------------------------------- */

/* Ghosts beyond a side that is not periodic := value, one layer, without corners. */
static void SetBeyond(const WeftLayout *l, PetscInt axis, PetscInt end, double value, double *plane)
{
  PetscInt lo[3], hi[3];

  if (end ? l->start[axis] + l->count[axis] < l->cells[axis] : l->start[axis] > 0) return;
  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  lo[axis] = end ? l->cells[axis] : -1;
  hi[axis] = lo[axis] + 1;
  for (PetscInt k = lo[2]; k < hi[2]; k++)
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) plane[WeftLayoutIndex(l, i, j, k)] = value;
}

/* r := exp(-m), with ghosts. */
static PetscErrorCode SetResistance(WeftOp op, WeftState m)
{
  const WeftState      r    = ((Darcy *)WeftOpContext(op))->resistance;
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(r));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const WeftRows       rows = WeftRowsOwned(l, WEFT_CELL);

  PetscFunctionBegin;
  for (PetscInt b = 0; b < info->batch; b++) {
    const double *from = WeftStatePlane(m, 0, b);
    double       *to   = WeftStatePlaneWrite(r, 0, b);
    FOR_ROWS(rows) to[i] = exp(-from[i]);
  }
  PetscCall(WeftStateHalo(r, 1, WEFT_GHOST_ZERO));
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt a = 0; a < l->dim; a++)
      for (PetscInt end = 0; end < 2; end++)
        if (l->side[a][end] != WEFT_SIDE_PERIODIC && l->side[a][end] != WEFT_SIDE_OPEN) SetBeyond(l, a, end, ENDLESS, WeftStatePlaneWrite(r, 0, b));
  PetscFunctionReturn(0);
}

/* y := A p - q; p or q NULL: zero. */
static PetscErrorCode Balance(WeftOp op, WeftState p, WeftState q, WeftState y)
{
  const WeftState      r    = ((Darcy *)WeftOpContext(op))->resistance;
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(r));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  if (p) PetscCall(WeftStateHalo(p, 1, WEFT_GHOST_ZERO));
  PetscCall(WeftStateZero(y));
  for (PetscInt b = 0; b < info->batch; b++) {
    double *to = WeftStatePlaneWrite(y, 0, b);
    for (PetscInt a = 0; a < l->dim && p; a++) AddFlux(WeftRowsOwned(l, WEFT_CELL), l->stride[a], 1.0 / (l->h[a] * l->h[a]), WeftStatePlane(r, 0, b), WeftStatePlane(p, 0, b), to);
    if (q) AddScaled(WeftRowsOwned(l, WEFT_CELL), -1.0, WeftStatePlane(q, 0, b), to);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode DarcyApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)record;
  PetscCall(SetResistance(op, x[1]));
  PetscCall(Balance(op, x[0], x[2], y[0]));
  PetscFunctionReturn(0);
}

/* dF = A dp - dq + (dA along dm) p */
static PetscErrorCode DarcyTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const WeftState      r    = ((Darcy *)WeftOpContext(op))->resistance;
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(r));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(SetResistance(op, x[1]));
  PetscCall(Balance(op, dx[0], dx[2], dy[0]));
  if (!dx[1]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(dx[1], 1, WEFT_GHOST_ZERO));
  PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_ZERO));
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt a = 0; a < l->dim; a++) AddFluxChange(WeftRowsOwned(l, WEFT_CELL), l->stride[a], 1.0 / (l->h[a] * l->h[a]), WeftStatePlane(r, 0, b), WeftStatePlane(dx[1], 0, b), WeftStatePlane(x[0], 0, b), WeftStatePlaneWrite(dy[0], 0, b));
  PetscFunctionReturn(0);
}

/* p_bar += A F_bar, q_bar -= F_bar, m_bar as the kernel says. */
static PetscErrorCode DarcyAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftState      r    = ((Darcy *)WeftOpContext(op))->resistance;
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(r));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const WeftRows       rows = WeftRowsOwned(l, WEFT_CELL);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(SetResistance(op, x[1]));
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  if (x_bar[1]) PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_ZERO));
  for (PetscInt b = 0; b < info->batch; b++) {
    const double *f_bar = WeftStatePlane(y_bar[0], 0, b), *resistance = WeftStatePlane(r, 0, b);
    for (PetscInt a = 0; a < l->dim; a++) {
      const double c = 1.0 / (l->h[a] * l->h[a]);
      if (x_bar[0]) AddFlux(rows, l->stride[a], c, resistance, f_bar, WeftStatePlaneWrite(x_bar[0], 0, b));
      if (x_bar[1]) AddConductivityBar(rows, l->stride[a], c, resistance, WeftStatePlane(x[0], 0, b), f_bar, WeftStatePlaneWrite(x_bar[1], 0, b));
    }
    if (x_bar[2]) AddScaled(rows, -1.0, f_bar, WeftStatePlaneWrite(x_bar[2], 0, b));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode DarcyDestroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&((Darcy *)context)->resistance));
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

/* ---- stencil ----------------------------------------------------------------------------------------------------------------------- */

/* The entries: the cell, then below and above along each axis. Beyond a side stands no unknown. */
static PetscErrorCode DarcyCoefficients(WeftOp op, void *context, const WeftState x[], PetscInt b, double *const coefficient[])
{
  const WeftState   r = ((Darcy *)WeftOpContext(op))->resistance;
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(r))->grid);

  PetscFunctionBegin;
  (void)context;
  if (b == 0) PetscCall(SetResistance(op, x[1]));
  PetscCall(PetscArrayzero(coefficient[0], l->plane));
  for (PetscInt a = 0; a < l->dim; a++) {
    SetFaces(WeftRowsOwned(l, WEFT_CELL), l->stride[a], 1.0 / (l->h[a] * l->h[a]), WeftStatePlane(r, 0, b), coefficient[0], coefficient[1 + 2 * a], coefficient[2 + 2 * a]);
    for (PetscInt end = 0; end < 2 && l->side[a][0] != WEFT_SIDE_PERIODIC; end++) {
      const PetscBool mine = (end ? l->start[a] + l->count[a] == l->cells[a] : l->start[a] == 0) ? PETSC_TRUE : PETSC_FALSE;
      PetscInt        lo[3], hi[3];
      WeftLayoutOwned(l, WEFT_CELL, lo, hi);
      lo[a] = end ? hi[a] - 1 : lo[a];
      hi[a] = lo[a] + 1;
      for (PetscInt k = lo[2]; k < hi[2] && mine; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++) coefficient[1 + 2 * a + end][WeftLayoutIndex(l, i, j, k)] = 0.0;
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateDarcy(WeftSpace pressure, WeftOp *op)
{
  static const WeftOpMaps maps     = {DarcyApply, DarcyTangent, DarcyAdjoint, DarcyDestroy, NULL};
  const WeftSpaceInfo    *info     = WeftSpaceGetInfo(pressure);
  const WeftSpace         in[3]    = {pressure, pressure, pressure};
  WeftStencilEntry        entry[7] = {{0, 0, {0, 0, 0}}, {0, 0, {-1, 0, 0}}, {0, 0, {1, 0, 0}}, {0, 0, {0, -1, 0}}, {0, 0, {0, 1, 0}}, {0, 0, {0, 0, -1}}, {0, 0, {0, 0, 1}}};
  WeftStencil             stencil  = {.entries = 1 + 2 * WeftGridLayout(info->grid)->dim, .entry = entry, .coefficients = DarcyCoefficients, .depends = 2u, .symmetric = PETSC_TRUE};
  Darcy                  *darcy;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("Darcy", pressure, 1, NULL));
  PetscCall(PetscNew(&darcy));
  PetscCall(WeftStateCreate(pressure, &darcy->resistance));
  PetscCall(WeftOpCreate("Darcy", &maps, darcy, WEFT_NEEDS_INPUTS, 3, in, 1, &pressure, op));
  PetscCall(WeftOpSetStencil(*op, &stencil));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Darcy(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 1, &space));
  PetscCall(WeftOpCreateDarcy(space, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

/* The pressure as an implicit operator of conductivity and source. */
PetscErrorCode WeftOpExample_Implicit(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftImplicitOptions options;
  WeftOpExample       residual;
  WeftOp              op;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&residual, sizeof(residual)));
  PetscCall(WeftOpExample_Darcy(grid, batch, variant, &residual));
  PetscCall(WeftImplicitOptionsDefault(&options));
  options.guess = -1;
  PetscCall(WeftOpCreateImplicit(residual.op, &options, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->tolerance = 1e-10;
  PetscCall(WeftOpDestroy(&residual.op));
  PetscFunctionReturn(0);
}
