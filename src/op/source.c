/* A round source of a marker: y = x + strength share, where the share of a cell falls from 1 to 0 over an edge around a circle (a sphere,
   an interval). Its centre and strength are inputs, so both have a derivative; a sharp edge has none by its centre. */
#include "op/rows.h"

typedef struct {
  PetscReal radius, edge;
  double   *share, *push; /* of one plane: share of a cell; its derivative by the distance, over the distance */
} Source;

/* share = s^2 (3 - 2 s), s = 1/2 + (radius - distance) / (2 edge) between 0 and 1; edge 0: 1 within the radius. */
WEFT_KERNEL static void Fill(WeftRows rows, const PetscInt lo[3], const double lower[3], const double h[3], double radius, double edge, double *restrict share, double *restrict push)
{
  const double half = edge > 0.0 ? 0.5 / edge : 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      const double   y = lower[1] + h[1] * ((double)(lo[1] + j) + 0.5), z = lower[2] + h[2] * ((double)(lo[2] + k) + 0.5);
      for (PetscInt i = 0; i < rows.n[0]; i++) {
        const double x = lower[0] + h[0] * ((double)(lo[0] + i) + 0.5), distance = sqrt(x * x + y * y + z * z);
        double       s = half > 0.0 ? 0.5 + (radius - distance) * half : distance < radius ? 1.0 : 0.0;
        s              = s < 0.0 ? 0.0 : s > 1.0 ? 1.0 : s;
        share[row + i] = s * s * (3.0 - 2.0 * s);
        push[row + i]  = distance > 0.0 ? -6.0 * s * (1.0 - s) * half / distance : 0.0;
      }
    }
  }
}

/* y := x + c share; x NULL: zero */
WEFT_KERNEL static void Set(WeftRows rows, double c, const double *restrict share, const double *restrict x, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (x)
        for (PetscInt i = row; i < end; i++) y[i] = x[i] + c * share[i];
      else
        for (PetscInt i = row; i < end; i++) y[i] = c * share[i];
    }
  }
}

/* y += c push (place - centre) along an axis: `at` of the first value, `step` between two along x. */
WEFT_KERNEL static void AddPush(WeftRows rows, PetscInt axis, double at, double step, double c, const double *restrict push, double *restrict y)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row  = WEFT_ROW(rows, j, k);
      const double   base = at + (axis == 1 ? step * (double)j : axis == 2 ? step * (double)k : 0.0), slope = axis == 0 ? step : 0.0;
      for (PetscInt i = 0; i < rows.n[0]; i++) y[row + i] += c * push[row + i] * (base + slope * (double)i);
    }
  }
}

/* Sum of y share, or (axis >= 0) of y push (place - centre). */
WEFT_KERNEL static double Dot(WeftRows rows, PetscInt axis, double at, double step, const double *restrict factor, const double *restrict y)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row  = WEFT_ROW(rows, j, k);
      const double   base = axis < 0 ? 1.0 : at + (axis == 1 ? step * (double)j : axis == 2 ? step * (double)k : 0.0), slope = axis == 0 ? step : 0.0;
      WEFT_SUM(total, i, 0, rows.n[0], y[row + i] * factor[row + i] * (base + slope * (double)i));
    }
  }
  return total;
}

/* The patterns around the centre of a sample; places of the first owned cell from it. */
static WeftRows Pattern(WeftOp op, WeftState centre, PetscInt sample, double at[3])
{
  const Source     *source = (const Source *)WeftOpContext(op);
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  const double     *c      = (const double *)WeftStateData(centre) + sample * l->dim;
  const WeftRows    rows   = WeftRowsOwned(l, WEFT_CELL);
  double            lower[3] = {0.0, 0.0, 0.0}, h[3] = {0.0, 0.0, 0.0};

  for (PetscInt a = 0; a < 3; a++) {
    if (a < l->dim) {
      lower[a] = l->lower[a] - c[a];
      h[a]     = l->h[a];
    }
    at[a] = lower[a] + h[a] * ((double)l->start[a] + 0.5);
  }
  Fill(rows, l->start, lower, h, source->radius, source->edge, source->share, source->push);
  return rows;
}

static PetscErrorCode SourceApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Source *source   = (const Source *)WeftOpContext(op);
  const double *strength = (const double *)WeftStateData(x[1]);
  double        at[3];

  PetscFunctionBegin;
  (void)record;
  for (PetscInt b = 0; b < WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch; b++) {
    const WeftRows rows = Pattern(op, x[2], b, at);
    Set(rows, strength[b], source->share, WeftStatePlane(x[0], 0, b), WeftStatePlaneWrite(y[0], 0, b));
  }
  PetscFunctionReturn(0);
}

/* dy = dx + dstrength share - strength push (place - centre) . dcentre */
static PetscErrorCode SourceTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const Source     *source   = (const Source *)WeftOpContext(op);
  const WeftLayout *l        = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  const double     *strength = (const double *)WeftStateData(x[1]);
  double            at[3];

  PetscFunctionBegin;
  (void)y, (void)record;
  for (PetscInt b = 0; b < WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch; b++) {
    const WeftRows rows = Pattern(op, x[2], b, at);
    double        *out  = WeftStatePlaneWrite(dy[0], 0, b);
    Set(rows, dx[1] ? ((const double *)WeftStateData(dx[1]))[b] : 0.0, source->share, dx[0] ? WeftStatePlane(dx[0], 0, b) : NULL, out);
    for (PetscInt a = 0; a < l->dim && dx[2]; a++) AddPush(rows, a, at[a], l->h[a], -strength[b] * ((const double *)WeftStateData(dx[2]))[b * l->dim + a], source->push, out);
  }
  PetscFunctionReturn(0);
}

/* x_bar += y_bar; strength_bar += sum of share y_bar; centre_bar -= strength sum of push (place - centre) y_bar */
static PetscErrorCode SourceAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Source     *source   = (const Source *)WeftOpContext(op);
  const WeftLayout *l        = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  const double     *strength = (const double *)WeftStateData(x[1]);
  double            at[3];

  PetscFunctionBegin;
  (void)y, (void)record;
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, y_bar[0]));
  for (PetscInt b = 0; b < WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch && (x_bar[1] || x_bar[2]); b++) {
    const WeftRows rows = Pattern(op, x[2], b, at);
    const double  *bar  = WeftStatePlane(y_bar[0], 0, b);
    if (x_bar[1]) ((double *)WeftStateDataWrite(x_bar[1]))[b] += Dot(rows, -1, 0.0, 0.0, source->share, bar);
    for (PetscInt a = 0; a < l->dim && x_bar[2]; a++) ((double *)WeftStateDataWrite(x_bar[2]))[b * l->dim + a] -= strength[b] * Dot(rows, a, at[a], l->h[a], source->push, bar);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SourceDestroy(void *context)
{
  Source *source = (Source *)context;

  PetscFunctionBegin;
  PetscCall(PetscFree2(source->share, source->push));
  PetscCall(PetscFree(source));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateSource(WeftSpace cells, PetscReal radius, PetscReal edge, WeftOp *op)
{
  static const WeftOpMaps maps  = {SourceApply, SourceTangent, SourceAdjoint, SourceDestroy, NULL};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(cells);
  WeftSpace               in[3] = {cells, NULL, NULL};
  Source                 *source;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("Source", cells, 1, NULL));
  PetscCall(PetscNew(&source));
  source->radius = radius;
  source->edge   = edge;
  PetscCall(PetscCalloc2(WeftGridLayout(info->grid)->plane, &source->share, WeftGridLayout(info->grid)->plane, &source->push));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &in[1]));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, WeftGridLayout(info->grid)->dim, PETSC_TRUE, &in[2]));
  PetscCall(WeftOpCreate("Source", &maps, source, WEFT_NEEDS_INPUTS, 3, in, 1, &cells, op));
  PetscCall(WeftSpaceDestroy(&in[1]));
  PetscCall(WeftSpaceDestroy(&in[2]));
  PetscFunctionReturn(0);
}

/* A smooth edge about the middle of the box. */
PetscErrorCode WeftOpExample_Source(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const WeftLayout *l = WeftGridLayout(grid);
  WeftSpace         cells;
  WeftOp            op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 1, &cells));
  PetscCall(WeftOpCreateSource(cells, 0.2 * l->h[0] * l->cells[0], 0.15 * l->h[0] * l->cells[0], &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->offset[2]    = l->lower[0] + 0.5 * l->h[0] * l->cells[0];
  example->amplitude[2] = 0.1 * l->h[0] * l->cells[0];
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}
