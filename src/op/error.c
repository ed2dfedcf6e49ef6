/* Distances of a state s from a target t, with a weight w of every value (1 where none is given), per sample:
     squared   0.5 sum w (s - t)^2
     absolute  sum w |s - t|          (slope 0 where s = t)
     relative  0.5 sum w (s - t)^2 / sum w t^2, the sums over the whole box
   Numbers come out as this rank's part of a sum; the norm below the line is reduced first. */
#include <math.h>
#include "base/exact.h"
#include "grid/fixed.h"
#include "op/rows.h"

typedef struct {
  WeftErrorKind kind;
  WeftState     weight; /* or NULL */
  PetscReal    *norms;  /* relative: [2][batch] sums over the box of w t^2 and 0.5 w (s - t)^2 */
  PetscInt64   *sums;
} Error;

WEFT_INLINE double Slope(WeftErrorKind kind, double d)
{
  return kind == WEFT_ERROR_ABSOLUTE ? (d > 0.0 ? 1.0 : d < 0.0 ? -1.0 : 0.0) : d;
}

/* Sum of w slope(s - t) v; v NULL: of w times the distance. */
WEFT_KERNEL static double Dot(WeftErrorKind kind, WeftRows rows, const double *restrict w, const double *restrict s,
                              const double *restrict t, const double *restrict v)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), end = row + rows.n[0];
      if (v) WEFT_SUM(total, i, row, end, (w ? w[i] : 1.0) * Slope(kind, s[i] - t[i]) * v[i]);
      else if (kind == WEFT_ERROR_ABSOLUTE) WEFT_SUM(total, i, row, end, (w ? w[i] : 1.0) * fabs(s[i] - t[i]));
      else WEFT_SUM(total, i, row, end, (w ? w[i] : 1.0) * 0.5 * (s[i] - t[i]) * (s[i] - t[i]));
    }
  }
  return total;
}

/* The distance of each row of a tile by itself, over the norm. */
static void AddTiles(const Error *v, const WeftLayout *l, WeftLocation location, const double *w, const double *s, const double *t, double norm, const WeftFixed *loss)
{
  PetscInt lo[3], hi[3];

  WeftLayoutOwned(l, location, lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      for (PetscInt i = lo[0], end; i < hi[0]; i = end) {
        const PetscInt at[3] = {i, j, k}, to[3] = {end = PetscMin(hi[0], (i / l->tile[0] + 1) * l->tile[0]), j + 1, k + 1};
        const double   part  = Dot(v->kind, WeftRowsOf(l, at, to), w, s, t, NULL) / norm;
        WeftFixedAdd(loss, 1, &part);
      }
    }
  }
}

/* Sum of w t v. */
WEFT_KERNEL static double Product(WeftRows rows, const double *restrict w, const double *restrict t, const double *restrict v)
{
  double total = 0.0;

  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) WEFT_SUM(total, i, WEFT_ROW(rows, j, k), WEFT_ROW(rows, j, k) + rows.n[0], (w ? w[i] : 1.0) * t[i] * v[i]);
  return total;
}

/* bar += c w slope(s - t) + e w t */
WEFT_KERNEL static void Add(WeftErrorKind kind, WeftRows rows, double c, double e, const double *restrict w, const double *restrict s,
                            const double *restrict t, double *restrict bar)
{
  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) bar[i] += (w ? w[i] : 1.0) * (c * Slope(kind, s[i] - t[i]) + e * t[i]);
    }
  }
}

/* Goes through w t^2 and 0.5 w (s - t)^2 of every sample: the largest of them, or (scale) their exact sums. */
static double Gather(const Error *v, const WeftSpaceInfo *info, const WeftState x[], const WeftExactScale *scale)
{
  double largest = 0.0;

  for (PetscInt b = 0; b < info->batch; b++) {
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      const double  *w = WeftPatternPlane(v->weight, f, b), *s = WeftStatePlane(x[0], f, b), *t = WeftStatePlane(x[1], f, b);
      for (PetscInt k = 0; k < rows.n[2]; k++) {
        for (PetscInt j = 0; j < rows.n[1]; j++) {
          for (PetscInt i = WEFT_ROW(rows, j, k); i < WEFT_ROW(rows, j, k) + rows.n[0]; i++) {
            const double weight = w ? w[i] : 1.0, size = weight * t[i] * t[i], off = 0.5 * weight * (s[i] - t[i]) * (s[i] - t[i]);
            if (scale) {
              WeftExactAdd(scale, size, v->sums + 2 * b);
              WeftExactAdd(scale, off, v->sums + 2 * (info->batch + b));
            } else if (!(size + off <= largest)) largest = size + off; /* a NaN stays */
          }
        }
      }
    }
  }
  return largest;
}

/* What stands under the line of every sample, and above it over the whole box: exact sums, so that adjoints have the same bits on
   every layout. */
static PetscErrorCode Norms(WeftOp op, const WeftState x[])
{
  const Error         *v     = (const Error *)WeftOpContext(op);
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  const PetscInt       total = info->fields * (l->cells[0] + 1) * (l->cells[1] + 1) * (l->cells[2] + 1);
  WeftExactScale       scale;

  PetscFunctionBegin;
  for (PetscInt b = 0; b < info->batch; b++) v->norms[b] = 1.0;
  if (v->kind != WEFT_ERROR_RELATIVE) PetscFunctionReturn(0);
  PetscCall(WeftExactScaleSet(info->comm, Gather(v, info, x, NULL), total, &scale));
  PetscCall(PetscArrayzero(v->sums, 4 * info->batch));
  (void)Gather(v, info, x, &scale);
  PetscCall(WeftExactReduce(info->comm, &scale, 2 * info->batch, v->sums, v->norms));
  for (PetscInt b = 0; b < info->batch; b++)
    if (v->norms[b] == 0.0) v->norms[b] = 1.0; /* a target of zeros: the plain square */
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Error         *v    = (const Error *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  const WeftFixed     *fixed = l->tile[0] ? WeftStateFixed(y[0]) : NULL;
  double              *loss  = (double *)WeftStateDataWrite(y[0]);

  PetscFunctionBegin;
  (void)record;
  PetscCall(Norms(op, x));
  PetscCall(WeftStateZero(y[0]));
  for (PetscInt b = 0; b < info->batch; b++) {
    if (fixed) {
      const WeftFixed sample = WeftFixedFrom(fixed, b);
      for (PetscInt f = 0; f < info->fields; f++) AddTiles(v, l, info->location[f], WeftPatternPlane(v->weight, f, b), WeftStatePlane(x[0], f, b), WeftStatePlane(x[1], f, b), v->norms[b], &sample);
      continue;
    }
    for (PetscInt f = 0; f < info->fields; f++)
      loss[b] += Dot(v->kind, WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]), WeftPatternPlane(v->weight, f, b),
                     WeftStatePlane(x[0], f, b), WeftStatePlane(x[1], f, b), NULL) /
                 v->norms[b];
  }
  PetscFunctionReturn(0);
}

/* Factor of w t in the slope by the target: the norm under the line moves with it. */
static double OfTarget(const Error *v, PetscInt batch, PetscInt b)
{
  return v->kind == WEFT_ERROR_RELATIVE ? -2.0 * v->norms[batch + b] / (v->norms[b] * v->norms[b]) : 0.0;
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Error         *v    = (const Error *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  double              *loss = (double *)WeftStateDataWrite(dy[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(Norms(op, x));
  for (PetscInt b = 0; b < info->batch; b++) {
    loss[b] = 0.0;
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      const double  *w = WeftPatternPlane(v->weight, f, b), *s = WeftStatePlane(x[0], f, b), *t = WeftStatePlane(x[1], f, b);
      if (dx[0]) loss[b] += Dot(v->kind, rows, w, s, t, WeftStatePlane(dx[0], f, b)) / v->norms[b];
      if (dx[1])
        loss[b] += OfTarget(v, info->batch, b) * Product(rows, w, t, WeftStatePlane(dx[1], f, b)) -
                   Dot(v->kind, rows, w, s, t, WeftStatePlane(dx[1], f, b)) / v->norms[b];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Error         *v        = (const Error *)WeftOpContext(op);
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const double        *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(Norms(op, x));
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double  c = loss_bar[b] / v->norms[b], e = loss_bar[b] * OfTarget(v, info->batch, b);
      const double *w = WeftPatternPlane(v->weight, f, b), *s = WeftStatePlane(x[0], f, b), *t = WeftStatePlane(x[1], f, b);
      if (x_bar[0]) Add(v->kind, rows, c, 0.0, w, s, t, WeftStatePlaneWrite(x_bar[0], f, b));
      if (x_bar[1]) Add(v->kind, rows, -c, e, w, s, t, WeftStatePlaneWrite(x_bar[1], f, b));
    }
  }
  PetscFunctionReturn(0);
}

/* Side of the kink of an absolute value. */
static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  const Error         *v    = (const Error *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  PetscInt             at   = 0;

  PetscFunctionBegin;
  if (v->kind != WEFT_ERROR_ABSOLUTE) PetscFunctionReturn(0);
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    *count += info->batch * rows.n[0] * rows.n[1] * rows.n[2];
  }
  PetscCall(PetscMalloc1(*count, branches));
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *s = WeftStatePlane(x[0], f, b), *t = WeftStatePlane(x[1], f, b);
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++)
          for (PetscInt i = WEFT_ROW(rows, j, k); i < WEFT_ROW(rows, j, k) + rows.n[0]; i++) (*branches)[at++] = s[i] > t[i];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Error *v = (Error *)context;

  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&v->weight));
  PetscCall(PetscFree2(v->norms, v->sums));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateError(WeftSpace space, WeftErrorKind kind, WeftState weight, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, Branches};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(space);
  const WeftSpace         in[2] = {space, space};
  WeftSpace               loss;
  Error                  *v;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Error", space, NULL));
  PetscCall(PetscNew(&v));
  v->kind = kind;
  PetscCall(PetscMalloc2(2 * info->batch, &v->norms, 4 * info->batch, &v->sums));
  if (weight) PetscCall(WeftOpCopyPattern("Error", weight, space, &v->weight));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftOpCreate("error", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Error(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space, one;
  WeftState weight = NULL;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpExampleSpace(grid, 1, 1, &one));
  PetscCall(WeftStateCreate(one, &weight));
  PetscCall(WeftStateSetRandom(weight, 91, 0, 1.0, 0.5));
  PetscCall(WeftOpCreateError(space, (WeftErrorKind)variant, variant ? weight : NULL, &op));
  PetscCall(WeftOpExampleFill(op, example));
  if (variant == WEFT_ERROR_RELATIVE) example->offset[1] = 2.0; /* the norm under the line stays away from zero */
  PetscCall(WeftStateDestroy(&weight));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

static PetscErrorCode Squared(const WeftLossSetting *s, WeftOp *op) { return WeftOpCreateError(s->space, WEFT_ERROR_SQUARED, s->weight, op); }
static PetscErrorCode Absolute(const WeftLossSetting *s, WeftOp *op) { return WeftOpCreateError(s->space, WEFT_ERROR_ABSOLUTE, s->weight, op); }
static PetscErrorCode Relative(const WeftLossSetting *s, WeftOp *op) { return WeftOpCreateError(s->space, WEFT_ERROR_RELATIVE, s->weight, op); }
const WeftLossKind WeftLoss_Squared = {"squared", Squared, WEFT_LOSS_TARGET, PETSC_FALSE}, WeftLoss_Absolute = {"absolute", Absolute, WEFT_LOSS_TARGET, PETSC_FALSE},
                   WeftLoss_Relative = {"relative", Relative, WEFT_LOSS_TARGET, PETSC_FALSE};
