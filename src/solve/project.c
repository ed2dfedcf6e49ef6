/* Projection: y = u - grad p with L p = div u. */
#include "op/rows.h"
#include "solve/impl.h"

typedef struct {
  WeftPoisson poisson;
  WeftState   open; /* NULL: all cells; batch 1, ghosts filled */
  WeftState   p;
} Project;

/* d := divergence of u in open cells; inside: only through faces between open cells. */
static PetscErrorCode Divergence(const Project *c, WeftState u, PetscBool inside, WeftState d)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(u));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double        *open = c->open ? WeftStatePlane(c->open, 0, 0) : NULL;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < info->batch; s++) {
    double *to = WeftStatePlaneWrite(d, 0, s);
    for (PetscInt k = 0; k < l->count[2]; k++)
      for (PetscInt j = 0; j < l->count[1]; j++) {
        const PetscInt row = l->origin + j * l->stride[1] + k * l->stride[2];
        for (PetscInt a = 0; a < l->dim; a++) {
          const PetscInt t = l->stride[a];
          const double *restrict from = WeftStatePlane(u, a, s), factor = 1.0 / l->h[a];
          for (PetscInt i = row; i < row + l->count[0]; i++) {
            const double upper = from[i + t] * (inside && open ? open[i + t] : 1.0), lower = from[i] * (inside && open ? open[i - t] : 1.0);
            to[i] = (a ? to[i] : 0.0) + factor * (upper - lower);
          }
        }
        if (open)
          for (PetscInt i = row; i < row + l->count[0]; i++) to[i] *= open[i];
      }
  }
  PetscFunctionReturn(0);
}

/* y := u - grad p, or y += u - grad p; inside: the gradient on faces between open cells alone. */
static PetscErrorCode SubtractGradient(const Project *c, WeftState u, WeftState p, PetscBool inside, PetscBool add, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(u));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double        *open = c->open && inside ? WeftStatePlane(c->open, 0, 0) : NULL;

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(p, 1, WEFT_GHOST_ZERO));
  for (PetscInt a = 0; a < l->dim; a++) {
    const WeftRows rows = WeftRowsOwned(l, (WeftLocation)a);
    const PetscInt t    = l->stride[a];
    for (PetscInt s = 0; s < info->batch; s++) {
      const double *restrict from = WeftStatePlane(u, a, s), *restrict q = WeftStatePlane(p, 0, s);
      double *restrict to = WeftStatePlaneWrite(y, a, s);
      const double factor = 1.0 / l->h[a];
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++) {
          const PetscInt row = WEFT_ROW(rows, j, k);
          for (PetscInt i = row; i < row + rows.n[0]; i++) {
            const double value = from[i] - factor * (open ? open[i] * open[i - t] : 1.0) * (q[i] - q[i - t]);
            to[i] = add ? to[i] + value : value;
          }
        }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Forward(WeftOp op, WeftState u, WeftGhost ghost, WeftState y, WeftState p)
{
  const Project *c = (const Project *)WeftOpContext(op);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(u, 1, ghost));
  PetscCall(Divergence(c, u, PETSC_FALSE, p));
  PetscCall(WeftPoissonSolve(c->poisson, p, p));
  PetscCall(SubtractGradient(c, u, p, PETSC_TRUE, PETSC_FALSE, y));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProjectApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], WEFT_GHOST_VALUE, y[0], y[1]);
}

static PetscErrorCode ProjectTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  (void)record;
  return Forward(op, dx[0], WEFT_GHOST_LINEAR, dy[0], dy[1]);
}

/* s = L^-1 (div of y_bar through open faces + p_bar); u_bar += y_bar - grad s. */
static PetscErrorCode ProjectAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Project *c = (const Project *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  PetscCall(Divergence(c, y_bar[0], PETSC_TRUE, c->p));
  PetscCall(WeftStateAXPY(c->p, 1.0, y_bar[1]));
  PetscCall(WeftPoissonSolve(c->poisson, c->p, c->p));
  PetscCall(SubtractGradient(c, y_bar[0], c->p, PETSC_FALSE, PETSC_TRUE, x_bar[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProjectDestroy(void *context)
{
  Project *c = (Project *)context;

  PetscFunctionBegin;
  PetscCall(WeftPoissonDestroy(&c->poisson));
  PetscCall(WeftStateDestroy(&c->open));
  PetscCall(WeftStateDestroy(&c->p));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateProject(WeftSpace velocity, WeftState open, WeftOp *op)
{
  static const WeftOpMaps maps       = {ProjectApply, ProjectTangent, ProjectAdjoint, ProjectDestroy, NULL};
  const char *const       name[]     = {"pressure"};
  const WeftLocation      location[] = {WEFT_CELL};
  const WeftSpaceInfo    *info       = WeftSpaceGetInfo(velocity);
  WeftSpace               out[2]     = {velocity, NULL};
  Project                *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, 1, name, location, &out[1]));
  PetscCall(WeftStateCreate(out[1], &c->p));
  PetscCall(WeftPoissonCreate(info->grid, info->batch, open, &c->poisson));
  if (open) {
    WeftSpace one;
    PetscCall(WeftSpaceCreatePlanes(info->grid, 1, 1, name, location, &one));
    PetscCall(WeftStateCreate(one, &c->open));
    PetscCall(WeftStateCopy(open, c->open));
    PetscCall(WeftStateHalo(c->open, 1, WEFT_GHOST_COPY));
    PetscCall(WeftSpaceDestroy(&one));
  }
  PetscCall(WeftOpCreate("Project", &maps, c, WEFT_NEEDS_NOTHING, 1, &velocity, 2, out, op));
  PetscCall(WeftSpaceDestroy(&out[1]));
  PetscFunctionReturn(0);
}

/* Variants: an empty box; a block of closed cells in its middle. (In a closed box of one dimension nothing but 0 is left.) */
PetscErrorCode WeftOpExample_Project(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const char *const  names[]  = {"open"};
  static const WeftLocation places[] = {WEFT_CELL};
  const WeftLayout         *l        = WeftGridLayout(grid);
  WeftState                 open     = NULL;
  WeftSpace                 velocity, cells;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, names, places, &cells));
  if (variant) {
    double  *plane;
    PetscInt lo[3], hi[3];
    PetscCall(WeftStateCreate(cells, &open));
    plane = WeftStatePlaneWrite(open, 0, 0);
    WeftLayoutOwned(l, WEFT_CELL, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt at[3]  = {i, j, k};
          PetscBool      inside = PETSC_TRUE;
          for (PetscInt a = 0; a < l->dim; a++)
            inside = inside && at[a] >= l->cells[a] / 3 && at[a] <= l->cells[a] / 2 ? PETSC_TRUE : PETSC_FALSE;
          plane[WeftLayoutIndex(l, i, j, k)] = inside ? 0.0 : 1.0;
        }
      }
    }
  }
  PetscCall(WeftOpCreateProject(velocity, open, &example->op));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&cells));
  example->amplitude[0] = 1.0;
  PetscFunctionReturn(0);
}
