/* Fields of a fine grid to a coarse grid over the same box: cells by the mean of their children, faces by the mean of the fine
   faces that make them up. The mean divergence of the children is then the divergence of the coarse cell. */
#include "op/rows.h"

/* The children of one coarse field: along each axis `ratio` of them (1 along the normal of a face), `step` fine values from
   one coarse value to the next. first: place of the first child of the first coarse value. */
typedef struct {
  PetscInt first, step[3], ratio[3], stride[3];
  double   weight; /* 1 / number of children */
} Children;

/* Place in the fine plane of the row of children (jj, kk) of the coarse row (j, k). */
#define CHILD_ROW(c, j, k, jj, kk) ((c).first + ((j) * (c).step[1] + (jj)) * (c).stride[1] + ((k) * (c).step[2] + (kk)) * (c).stride[2])

/* coarse := mean of the children, added up in one order: x fastest, z slowest. */
WEFT_KERNEL static void Mean(WeftRows rows, Children c, const double *restrict fine, double *restrict coarse)
{
  const PetscInt n = rows.n[0], step = c.step[0];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      double *restrict to = coarse + WEFT_ROW(rows, j, k);
      for (PetscInt i = 0; i < n; i++) to[i] = 0.0;
      for (PetscInt kk = 0; kk < c.ratio[2]; kk++) {
        for (PetscInt jj = 0; jj < c.ratio[1]; jj++) {
          for (PetscInt ii = 0; ii < c.ratio[0]; ii++) {
            const double *restrict from = fine + CHILD_ROW(c, j, k, jj, kk) + ii;
            for (PetscInt i = 0; i < n; i++) to[i] += from[i * step];
          }
        }
      }
      for (PetscInt i = 0; i < n; i++) to[i] *= c.weight;
    }
  }
}

/* fine_bar += weight coarse_bar of the parent: every fine value has one parent or none. */
WEFT_KERNEL static void Spread(WeftRows rows, Children c, const double *restrict coarse_bar, double *restrict fine_bar)
{
  const PetscInt n = rows.n[0], step = c.step[0];

  for (PetscInt k = 0; k < rows.n[2]; k++) {
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const double *restrict from = coarse_bar + WEFT_ROW(rows, j, k);
      for (PetscInt kk = 0; kk < c.ratio[2]; kk++) {
        for (PetscInt jj = 0; jj < c.ratio[1]; jj++) {
          for (PetscInt ii = 0; ii < c.ratio[0]; ii++) {
            double *restrict to = fine_bar + CHILD_ROW(c, j, k, jj, kk) + ii;
            for (PetscInt i = 0; i < n; i++) to[i * step] += c.weight * from[i];
          }
        }
      }
    }
  }
}

/* The coarse face i is the fine face ratio * i, the coarse cell i holds the fine cells from ratio * i: one formula for both. */
static Children ChildrenOf(const WeftLayout *fine, const WeftLayout *coarse, WeftLocation location)
{
  Children c = {0, {1, 1, 1}, {1, 1, 1}, {fine->stride[0], fine->stride[1], fine->stride[2]}, 1.0};
  PetscInt lo[3], hi[3];

  WeftLayoutOwned(coarse, location, lo, hi);
  for (PetscInt a = 0; a < fine->dim; a++) {
    c.step[a]  = fine->cells[a] / coarse->cells[a];
    c.ratio[a] = (PetscInt)location == a ? 1 : c.step[a];
    c.weight /= (double)c.ratio[a];
  }
  c.first = WeftLayoutIndex(fine, lo[0] * c.step[0], lo[1] * c.step[1], lo[2] * c.step[2]);
  return c;
}

static PetscErrorCode Restrict(WeftOp op, WeftState fine, WeftState coarse)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *above = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid), *below = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) Mean(WeftRowsOwned(below, info->location[f]), ChildrenOf(above, below, info->location[f]), WeftStatePlane(fine, f, b), WeftStatePlaneWrite(coarse, f, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode RestrictApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Restrict(op, x[0], y[0]);
}

static PetscErrorCode RestrictTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return dx[0] ? Restrict(op, dx[0], dy[0]) : WeftStateZero(dy[0]);
}

static PetscErrorCode RestrictAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftOpOutSpace(op, 0));
  const WeftLayout    *above = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid), *below = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  for (PetscInt f = 0; f < info->fields && x_bar[0]; f++)
    for (PetscInt b = 0; b < info->batch; b++) Spread(WeftRowsOwned(below, info->location[f]), ChildrenOf(above, below, info->location[f]), WeftStatePlane(y_bar[0], f, b), WeftStatePlaneWrite(x_bar[0], f, b));
  PetscFunctionReturn(0);
}

/* One box, the same sides, whole ratios, and blocks that cover each other on every rank. */
static PetscErrorCode CheckGrids(const WeftSpaceInfo *fine, const WeftSpaceInfo *coarse)
{
  const WeftLayout *above = WeftGridLayout(fine->grid), *below = WeftGridLayout(coarse->grid);
  PetscBool         aligned = PETSC_TRUE;

  PetscFunctionBegin;
  WeftCheck(above->dim == below->dim, fine->comm, "restriction from a grid of %" PetscInt_FMT " axes to one of %" PetscInt_FMT, above->dim, below->dim);
  for (PetscInt a = 0; a < above->dim; a++) {
    const PetscInt  ratio  = above->cells[a] / below->cells[a];
    const PetscReal length = above->h[a] * above->cells[a], near = 1e-10 * length;
    WeftCheck(ratio * below->cells[a] == above->cells[a], fine->comm, "restriction along %c from %" PetscInt_FMT " to %" PetscInt_FMT " cells: the ratio is not whole; use a fine grid of %" PetscInt_FMT " cells", "xyz"[a], above->cells[a], below->cells[a], PetscMax(ratio, 1) * below->cells[a]);
    WeftCheck(PetscAbsReal(length - below->h[a] * below->cells[a]) <= near && PetscAbsReal(above->lower[a] - below->lower[a]) <= near, fine->comm, "restriction between two boxes: along %c one spans [%g, %g], the other [%g, %g]; give both grids one box", "xyz"[a], (double)above->lower[a], (double)(above->lower[a] + length), (double)below->lower[a], (double)(below->lower[a] + below->h[a] * below->cells[a]));
    for (PetscInt s = 0; s < 2; s++) WeftCheck(above->side[a][s] == below->side[a][s], fine->comm, "restriction between grids whose %s sides of %c differ (%s, %s); give both the same sides", s ? "upper" : "lower", "xyz"[a], WeftSides[above->side[a][s]], WeftSides[below->side[a][s]]);
    if (above->start[a] != ratio * below->start[a] || above->count[a] != ratio * below->count[a]) aligned = PETSC_FALSE;
  }
  PetscCall(WeftAgree(fine->comm, aligned ? PETSC_FALSE : PETSC_TRUE, "restriction: the blocks of the fine grid do not cover those of the coarse one; give the fine grid a granularity of (ratio x %" PetscInt_FMT ") and the process grid of the coarse one (%" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT ")", below->granularity, below->ranks[0], below->ranks[1], below->ranks[2]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateRestrict(WeftSpace fine, WeftSpace coarse, WeftOp *op)
{
  static const WeftOpMaps maps  = {RestrictApply, RestrictTangent, RestrictAdjoint, NULL, NULL};
  const WeftSpaceInfo    *above = WeftSpaceGetInfo(fine), *below = WeftSpaceGetInfo(coarse);

  PetscFunctionBegin;
  PetscCall(WeftOpCheckPlanes("Restrict", fine, NULL));
  PetscCall(WeftOpCheckPlanes("Restrict", coarse, NULL));
  PetscCheck(above->fields == below->fields && above->batch == below->batch, above->comm, PETSC_ERR_ARG_INCOMP, "operator Restrict: its spaces differ in fields or samples");
  for (PetscInt f = 0; f < above->fields; f++) PetscCheck(above->location[f] == below->location[f], above->comm, PETSC_ERR_ARG_INCOMP, "operator Restrict: field %s stands elsewhere on the coarse grid", above->name[f]);
  PetscCall(CheckGrids(above, below));
  PetscCall(WeftOpCreate("Restrict", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &fine, 1, &coarse, op));
  PetscFunctionReturn(0);
}

/* From a grid with twice (variant 1: three times) the cells to the given one. */
PetscErrorCode WeftOpExample_Restrict(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftGrid  finer;
  WeftSpace fine, coarse;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftGridRefine(grid, 2 + variant, &finer));
  PetscCall(WeftOpExampleSpace(finer, batch, 1, &fine));
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &coarse));
  PetscCall(WeftOpCreateRestrict(fine, coarse, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&fine));
  PetscCall(WeftSpaceDestroy(&coarse));
  PetscCall(WeftGridDestroy(&finer));
  PetscFunctionReturn(0);
}
