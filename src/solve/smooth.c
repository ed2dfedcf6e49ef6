/* Smooth random fields from white noise: y = a (1 - length^2 Laplacian)^-1 x, by the fast solve of a shifted box whose sides are closed.
   The operator is symmetric and linear. */
#include "op/rows.h"
#include "solve/impl.h"

typedef struct {
  WeftBox   box;
  PetscReal scale; /* what the box gives is multiplied by */
} Smooth;

/* y := S x, or y += S x */
static PetscErrorCode Solve(const Smooth *s, WeftState x, WeftState y, PetscBool add)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(x));
  const WeftRows       rows   = WeftRowsOwned(WeftGridLayout(info->grid), WEFT_CELL);
  double              *values = WeftBoxValues(s->box);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    double *at = values;
    for (PetscInt b = 0; b < info->batch; b++)
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++, at += rows.n[0]) PetscCall(PetscArraycpy(at, WeftStatePlane(x, f, b) + WEFT_ROW(rows, j, k), rows.n[0]));
    PetscCall(WeftBoxSolve(s->box));
    at = values;
    for (PetscInt b = 0; b < info->batch; b++) {
      double *plane = WeftStatePlaneWrite(y, f, b);
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++, at += rows.n[0]) {
          double *row = plane + WEFT_ROW(rows, j, k);
          for (PetscInt i = 0; i < rows.n[0]; i++) row[i] = (add ? row[i] : 0.0) + s->scale * at[i];
        }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SmoothApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Solve((const Smooth *)WeftOpContext(op), x[0], y[0], PETSC_FALSE);
}

static PetscErrorCode SmoothTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x, (void)y, (void)record;
  return Solve((const Smooth *)WeftOpContext(op), dx[0], dy[0], PETSC_FALSE);
}

static PetscErrorCode SmoothAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  (void)x, (void)y, (void)record;
  return Solve((const Smooth *)WeftOpContext(op), y_bar[0], x_bar[0], PETSC_TRUE);
}

static PetscErrorCode SmoothDestroy(void *context)
{
  Smooth *s = (Smooth *)context;

  PetscFunctionBegin;
  PetscCall(WeftBoxDestroy(&s->box));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

/* The same blocks; sides that are not periodic are closed: there the slope of a smooth field is zero. */
static PetscErrorCode CreateClosed(WeftGrid grid, WeftGrid *closed)
{
  const WeftLayout *l = WeftGridLayout(grid);
  WeftGridOptions   o;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim         = l->dim;
  o.halo        = 1;
  o.granularity = l->granularity;
  o.tile        = l->tile[0];
  for (PetscInt a = 0; a < l->dim; a++) {
    o.cells[a] = l->cells[a];
    o.upper[a] = l->h[a] * (PetscReal)l->cells[a];
    o.ranks[a] = l->ranks[a];
    for (PetscInt end = 0; end < 2; end++) o.side[a][end] = l->side[a][end] == WEFT_SIDE_PERIODIC ? WEFT_SIDE_PERIODIC : WEFT_SIDE_SLIP;
  }
  PetscCall(WeftGridGetComm(grid, &comm));
  PetscCall(WeftGridCreate(comm, &o, closed));
  for (PetscInt a = 0; a < 3; a++) PetscCheck(WeftGridLayout(*closed)->start[a] == l->start[a] && WeftGridLayout(*closed)->count[a] == l->count[a], PETSC_COMM_SELF, PETSC_ERR_PLIB, "the blocks of two grids of one layout differ");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateSmooth(WeftSpace fields, PetscReal length, PetscReal deviation, WeftOp *op)
{
  static const WeftOpMaps maps = {SmoothApply, SmoothTangent, SmoothAdjoint, SmoothDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(fields);
  const WeftLayout       *l    = WeftGridLayout(info->grid);
  PetscReal               variance, cell = 1.0; /* of a smoothed field of white noise of variance 1 per cell */
  WeftGrid                closed;
  Smooth                 *s;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckCells("Smooth", fields, info->fields, NULL));
  PetscCheck(length > 0.0, info->comm, PETSC_ERR_ARG_OUTOFRANGE, "the length of a smooth field is positive, not %g", (double)length);
  for (PetscInt a = 0; a < l->dim; a++) cell *= l->h[a];
  variance = cell / (l->dim == 1 ? 4.0 * length : l->dim == 2 ? 4.0 * PETSC_PI * length * length : 8.0 * PETSC_PI * length * length * length);
  PetscCall(PetscNew(&s));
  s->scale = -deviation / (PetscSqrtReal(variance) * length * length);
  PetscCall(CreateClosed(info->grid, &closed));
  PetscCall(WeftBoxCreate(closed, info->batch, 1.0 / (length * length), &s->box));
  PetscCall(WeftGridDestroy(&closed));
  PetscCall(WeftOpCreate("Smooth", &maps, s, WEFT_NEEDS_NOTHING, 1, &fields, 1, &fields, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Smooth(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftOpCreateSmooth(space, 3.0 * WeftGridLayout(grid)->h[0], 1.0, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
