/* From values at coarse knots to fields: (multi)linear interpolation. The knots are few, so every rank holds them all (NUMBERS, per
   sample [field][z][y][x]) and the adjoint is this rank's part of a sum. Along a periodic axis knot k of n stands at lower + k L / n,
   along others at lower + k L / (n - 1), the sides included. */
#include "op/rows.h"

typedef struct {
  PetscInt   knots[3], count; /* along each axis; of one field */
  PetscInt  *below[WEFT_MAX_FIELDS][3], *above[WEFT_MAX_FIELDS][3]; /* [owned unknowns along the axis] the knots beside */
  double    *share[WEFT_MAX_FIELDS][3];                             /* of the upper one */
} Interpolate;

static void Beside(const WeftLayout *l, WeftLocation location, PetscInt a, PetscInt knots, PetscInt i, PetscInt *below, PetscInt *above, double *share)
{
  const PetscBool periodic = l->side[a][0] == WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  const double    place    = ((double)i + ((PetscInt)location == a ? 0.0 : 0.5)) / (double)l->cells[a]; /* in lengths of the box */
  const double    at       = place * (double)(periodic ? knots : knots - 1);

  *below = *above = 0;
  *share          = 0.0;
  if (knots == 1) return;
  *below = PetscMin((PetscInt)at, periodic ? knots - 1 : knots - 2);
  *above = (*below + 1) % knots;
  *share = at - (double)*below;
}

/* y (or with `adjoint` knots) from the other, along one row; the four corners in y and z with their products of shares. */
static void Row(const Interpolate *c, PetscInt f, PetscInt n, const PetscInt corner[4], const double product[4], PetscBool adjoint, double *knots, double *y)
{
  const PetscInt *below = c->below[f][0], *above = c->above[f][0];
  const double   *share = c->share[f][0];

  for (PetscInt q = 0; q < 4; q++) {
    double *k = knots + corner[q];
    if (product[q] == 0.0) continue;
    for (PetscInt i = 0; i < n; i++) {
      if (adjoint) {
        k[below[i]] += product[q] * (1.0 - share[i]) * y[i];
        k[above[i]] += product[q] * share[i] * y[i];
      } else y[i] += product[q] * ((1.0 - share[i]) * k[below[i]] + share[i] * k[above[i]]);
    }
  }
}

/* Goes through the owned rows. FALSE: field := interpolation of the knots; TRUE: knots += transposed of the field. */
static void Pass(WeftOp op, WeftState knots, WeftState fields, PetscBool adjoint)
{
  const Interpolate   *c    = (const Interpolate *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  double              *all  = adjoint ? (double *)WeftStateDataWrite(knots) : (double *)WeftStateData(knots);

  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < info->batch; b++) {
      double *plane = adjoint ? (double *)WeftStatePlane(fields, f, b) : WeftStatePlaneWrite(fields, f, b), *mine = all + (b * info->fields + f) * c->count;
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          const PetscInt y[2] = {c->below[f][1][j - lo[1]], c->above[f][1][j - lo[1]]}, z[2] = {c->below[f][2][k - lo[2]], c->above[f][2][k - lo[2]]};
          const double   sy = c->share[f][1][j - lo[1]], sz = c->share[f][2][k - lo[2]];
          double        *row = plane + WeftLayoutIndex(l, lo[0], j, k);
          PetscInt       corner[4];
          double         product[4];
          for (PetscInt q = 0; q < 4; q++) {
            corner[q]  = c->knots[0] * (y[q % 2] + c->knots[1] * z[q / 2]);
            product[q] = (q % 2 ? sy : 1.0 - sy) * (q / 2 ? sz : 1.0 - sz);
          }
          if (!adjoint) PetscArrayzero(row, hi[0] - lo[0]);
          Row(c, f, hi[0] - lo[0], corner, product, adjoint, mine, row);
        }
    }
  }
}

static PetscErrorCode InterpolateApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)record;
  Pass(op, x[0], y[0], PETSC_FALSE);
  PetscFunctionReturn(0);
}

/* dy = interpolation of dx */
static PetscErrorCode InterpolateTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (dx[0]) Pass(op, dx[0], dy[0], PETSC_FALSE);
  else PetscCall(WeftStateZero(dy[0]));
  PetscFunctionReturn(0);
}

/* knots_bar += transposed interpolation of y_bar */
static PetscErrorCode InterpolateAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (x_bar[0]) Pass(op, x_bar[0], y_bar[0], PETSC_TRUE);
  PetscFunctionReturn(0);
}

static PetscErrorCode InterpolateDestroy(void *context)
{
  Interpolate *c = (Interpolate *)context;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < WEFT_MAX_FIELDS; f++)
    for (PetscInt a = 0; a < 3; a++) PetscCall(PetscFree3(c->below[f][a], c->above[f][a], c->share[f][a]));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateInterpolate(WeftSpace space, PetscInt knots, WeftOp *op)
{
  static const WeftOpMaps maps = {InterpolateApply, InterpolateTangent, InterpolateAdjoint, InterpolateDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(space);
  const WeftLayout       *l;
  WeftSpace               in;
  Interpolate            *c;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Interpolate", space, NULL));
  PetscCall(PetscNew(&c));
  l        = WeftGridLayout(info->grid);
  c->count = 1;
  for (PetscInt a = 0; a < 3; a++) {
    c->knots[a] = a < l->dim ? knots : 1;
    c->count *= c->knots[a];
  }
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt a = 0; a < 3; a++) {
      const PetscInt n = PetscMax(hi[a] - lo[a], 0);
      PetscCall(PetscMalloc3(n, &c->below[f][a], n, &c->above[f][a], n, &c->share[f][a]));
      for (PetscInt i = 0; i < n; i++) Beside(l, info->location[f], a, c->knots[a], lo[a] + i, &c->below[f][a][i], &c->above[f][a][i], &c->share[f][a][i]);
    }
  }
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, info->fields * c->count, PETSC_TRUE, &in));
  PetscCall(WeftOpCreate("Interpolate", &maps, c, WEFT_NEEDS_NOTHING, 1, &in, 1, &space, op));
  PetscCall(WeftSpaceDestroy(&in));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInterpolateKnots(WeftOp op, WeftState fields, WeftState knots)
{
  const Interpolate   *c    = (const Interpolate *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  double              *all;

  PetscFunctionBegin;
  PetscCall(WeftStateZero(knots));
  all = (double *)WeftStateDataWrite(knots);
  for (PetscInt n = 0; n < info->fields * c->count; n++) {
    const PetscInt f = n / c->count, at[3] = {n % c->knots[0], n / c->knots[0] % c->knots[1], n / (c->knots[0] * c->knots[1]) % c->knots[2]};
    PetscInt       node[3], lo[3], hi[3];
    PetscBool      mine = PETSC_TRUE;
    WeftLayoutUnknowns(l, info->location[f], lo, hi);
    for (PetscInt a = 0; a < 3; a++) {
      const PetscInt last = l->side[a][0] == WEFT_SIDE_PERIODIC ? c->knots[a] : PetscMax(c->knots[a] - 1, 1);
      node[a]             = PetscMin(PetscMax((PetscInt)((double)at[a] / (double)last * (double)l->cells[a]), lo[a]), hi[a] - 1);
    }
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt a = 0; a < 3; a++) mine = mine && node[a] >= lo[a] && node[a] < hi[a] ? PETSC_TRUE : PETSC_FALSE;
    for (PetscInt b = 0; b < info->batch && mine; b++) all[b * info->fields * c->count + n] = WeftStatePlane(fields, f, b)[WeftLayoutIndex(l, node[0], node[1], node[2])];
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, (PetscMPIInt)(info->batch * info->fields * c->count), MPI_DOUBLE, MPI_SUM, info->comm));
  PetscFunctionReturn(0);
}

/* Variants: 5 knots along each axis; one. */
PetscErrorCode WeftOpExample_Interpolate(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall(WeftOpCreateInterpolate(space, variant ? 1 : 5, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
