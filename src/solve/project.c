/* Projection: y = u - grad p on the faces between open cells (and of open sides), where L p = div u in open cells; y = u elsewhere.
   Linear apart from prescribed normal velocities, so the tangent is the same map with those at rest. L is symmetric, and with D the
   divergence in open cells, D_o its part through the faces that the gradient is taken on:
     y = u + D_o^T p,  p = L^-1 D u;   u_bar += y_bar + D^T s,  s = L^-1 (p_bar + D_o y_bar). */
#include "op/rows.h"
#include "solve/impl.h"

typedef struct {
  WeftPoisson poisson;
  WeftKrylov  krylov; /* NULL: the direct solve */
  WeftState   s;
} Project;

/* Where a kernel puts the values of the owned cells: row (j, k) at to + j y + k z. */
typedef struct {
  double  *to;
  PetscInt y, z;
} Target;

/* to := open (sum over axes of c (u[i + 1] - u[i])) [+ plus], only through faces between open cells if `inside`; open NULL: all. A
   row of `to` stays in cache for all axes. */
WEFT_INLINE void DivergenceRows(PetscInt dim, WeftRows rows, const double c[3], const double *const u[3], PetscBool masked, PetscBool inside, const double *open, const double *plus, Target target)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k), n = rows.n[0];
      double *restrict to = target.to + j * target.y + k * target.z;
      for (PetscInt a = 0; a < dim; a++) {
        const double *restrict lower = u[a] + row, *restrict upper = lower + rows.stride[a];
        const double *restrict mask  = masked ? open + row : NULL;
        const double *restrict below = masked ? mask - rows.stride[a] : NULL, *restrict above = masked ? mask + rows.stride[a] : NULL;
        for (PetscInt i = 0; i < n; i++) {
          const double before = a ? to[i] : 0.0;
          double       term   = inside ? above[i] * upper[i] - below[i] * lower[i] : upper[i] - lower[i];
          if (masked) term = mask[i] * term;
          to[i] = before + c[a] * term;
        }
      }
      if (plus)
        for (PetscInt i = 0; i < n; i++) to[i] += plus[row + i];
    }
}

WEFT_KERNEL static void DivergenceAll(PetscInt dim, WeftRows rows, const double c[3], const double *const u[3], const double *plus, Target target) { DivergenceRows(dim, rows, c, u, PETSC_FALSE, PETSC_FALSE, NULL, plus, target); }
WEFT_KERNEL static void DivergenceOpen(PetscInt dim, WeftRows rows, const double c[3], const double *const u[3], const double *open, const double *plus, Target target) { DivergenceRows(dim, rows, c, u, PETSC_TRUE, PETSC_FALSE, open, plus, target); }
WEFT_KERNEL static void DivergenceInside(PetscInt dim, WeftRows rows, const double c[3], const double *const u[3], const double *open, const double *plus, Target target) { DivergenceRows(dim, rows, c, u, PETSC_TRUE, PETSC_TRUE, open, plus, target); }

/* y := u - c (p[i] - p[i - s]) for all axes, on faces between open cells if masked; add: y += that. The rows of p stay in cache for
   all axes. */
WEFT_INLINE void GradientRows(PetscInt dim, const WeftRows rows[3], const double c[3], PetscBool masked, PetscBool add, const double *restrict open, const double *const u[3], const double *restrict p, double *const y[3])
{
  PetscInt n[3] = {0, 0, 0};

  for (PetscInt a = 0; a < dim; a++)
    for (PetscInt b = 0; b < 3; b++) n[b] = PetscMax(n[b], rows[a].n[b]);
  for (PetscInt k = 0; k < n[2]; k++)
    for (PetscInt j = 0; j < n[1]; j++)
      for (PetscInt a = 0; a < dim; a++) {
        const PetscInt row = WEFT_ROW(rows[a], j, k), s = rows[a].stride[a];
        const double *restrict from = u[a];
        double *restrict to         = y[a];
        if (k >= rows[a].n[2] || j >= rows[a].n[1]) continue;
        for (PetscInt i = row; i < row + rows[a].n[0]; i++) {
          const double step  = c[a] * (p[i] - p[i - s]);
          const double value = from[i] - (masked ? open[i] * open[i - s] * step : step);
          to[i]              = add ? to[i] + value : value;
        }
      }
}

WEFT_KERNEL static void SubtractAll(PetscInt dim, const WeftRows rows[3], const double c[3], const double *const u[3], const double *p, double *const y[3]) { GradientRows(dim, rows, c, PETSC_FALSE, PETSC_FALSE, NULL, u, p, y); }
WEFT_KERNEL static void SubtractOpen(PetscInt dim, const WeftRows rows[3], const double c[3], const double *open, const double *const u[3], const double *p, double *const y[3]) { GradientRows(dim, rows, c, PETSC_TRUE, PETSC_FALSE, open, u, p, y); }
WEFT_KERNEL static void AddAll(PetscInt dim, const WeftRows rows[3], const double c[3], const double *const u[3], const double *p, double *const y[3]) { GradientRows(dim, rows, c, PETSC_FALSE, PETSC_TRUE, NULL, u, p, y); }

static const double *Open(const Project *project) { return project->poisson->open ? WeftStatePlane(project->poisson->open, 0, 0) : NULL; }

/* Where the values of the cells from the first of `rows` on go: the direct solve takes them where it works. */
static Target TargetOf(const Project *project, const WeftLayout *l, const PetscInt lo[3], PetscInt sample, WeftState x)
{
  const PetscInt y = l->count[0], z = l->count[0] * l->count[1];

  if (project->krylov) return (Target){WeftStatePlaneWrite(x, 0, sample) + WeftLayoutIndex(l, lo[0], lo[1], lo[2]), l->stride[1], l->stride[2]};
  return (Target){WeftPoissonValues(project->poisson) + sample * project->poisson->cells + (lo[0] - l->start[0]) + (lo[1] - l->start[1]) * y + (lo[2] - l->start[2]) * z, y, z};
}

/* x := L^-1 of the divergence of u in open cells, 0 in closed ones [+ plus]. Fills the ghosts of u as `ghost` says. */
static PetscErrorCode SolveDivergence(const Project *project, WeftState u, WeftGhost ghost, PetscBool inside, WeftState plus, WeftState x)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(u));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double         c[3] = {1.0 / l->h[0], 1.0 / l->h[1], 1.0 / l->h[2]}, *open = Open(project);

  PetscFunctionBegin;
  for (PetscInt part = 0; part < WeftGridParts(info->grid); part++) {
    PetscInt lo[3], hi[3];
    PetscCall(WeftStatesHaloPart(1, &u, 1, ghost, part));
    WeftLayoutOwned(l, WEFT_CELL, lo, hi);
    WeftGridPart(info->grid, 1, part, lo, hi);
    for (PetscInt s = 0; s < info->batch; s++) {
      const WeftRows rows     = WeftRowsOf(l, lo, hi);
      const Target   target   = TargetOf(project, l, lo, s, x);
      const double  *plane[3] = {NULL, NULL, NULL}, *more = plus ? WeftStatePlane(plus, 0, s) : NULL;
      for (PetscInt a = 0; a < l->dim; a++) plane[a] = WeftStatePlane(u, a, s);
      if (!open) DivergenceAll(l->dim, rows, c, plane, more, target);
      else if (inside) DivergenceInside(l->dim, rows, c, plane, open, more, target);
      else DivergenceOpen(l->dim, rows, c, plane, open, more, target);
    }
  }
  if (project->krylov) PetscCall(WeftKrylovSolve(project->krylov, x, x));
  else PetscCall(WeftPoissonSolveValues(project->poisson, x));
  PetscFunctionReturn(0);
}

/* Planes of a sample along the axes. */
static void Planes(const WeftLayout *l, WeftState u, PetscInt sample, const double *planes[3])
{
  for (PetscInt a = 0; a < l->dim; a++) planes[a] = WeftStatePlane(u, a, sample);
}

static void PlanesWrite(const WeftLayout *l, WeftState u, PetscInt sample, double *planes[3])
{
  for (PetscInt a = 0; a < l->dim; a++) planes[a] = WeftStatePlaneWrite(u, a, sample);
}

/* y, p from u, whose faces in closed sides move as `ghost` says. */
static PetscErrorCode Forward(WeftOp op, WeftState u, WeftGhost ghost, WeftState y, WeftState p)
{
  const Project       *project = (const Project *)WeftOpContext(op);
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  const double         c[3]    = {1.0 / l->h[0], 1.0 / l->h[1], 1.0 / l->h[2]}, *open = Open(project);
  WeftRows             rows[3];

  PetscFunctionBegin;
  PetscCall(SolveDivergence(project, u, ghost, PETSC_FALSE, NULL, p));
  for (PetscInt part = 0; part < WeftGridParts(info->grid); part++) {
    PetscCall(WeftStatesHaloPart(1, &p, 1, WEFT_GHOST_ZERO, part));
    for (PetscInt a = 0; a < l->dim; a++) rows[a] = WeftRowsPart(info->grid, (WeftLocation)a, 1, part);
    for (PetscInt s = 0; s < info->batch; s++) {
      const double *from[3];
      double       *to[3];
      Planes(l, u, s, from);
      PlanesWrite(l, y, s, to);
      if (open) SubtractOpen(l->dim, rows, c, open, from, WeftStatePlane(p, 0, s), to);
      else SubtractAll(l->dim, rows, c, from, WeftStatePlane(p, 0, s), to);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ProjectApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Forward(op, x[0], WEFT_GHOST_VALUE, y[0], y[1]);
}

/* dy: the projection of dx, with the faces of closed sides at rest. */
static PetscErrorCode ProjectTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (dx[0]) PetscCall(Forward(op, dx[0], WEFT_GHOST_LINEAR, dy[0], dy[1]));
  else {
    PetscCall(WeftStateZero(dy[0]));
    PetscCall(WeftStateZero(dy[1]));
  }
  PetscFunctionReturn(0);
}

/* s = L^-1 (p_bar + D_o y_bar); u_bar += y_bar - grad s on all unknown faces, s being 0 in closed cells. */
static PetscErrorCode ProjectAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Project       *project = (const Project *)WeftOpContext(op);
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  const double         c[3]    = {1.0 / l->h[0], 1.0 / l->h[1], 1.0 / l->h[2]};
  WeftRows             rows[3];

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  if (!x_bar[0]) PetscFunctionReturn(0);
  PetscCall(SolveDivergence(project, y_bar[0], WEFT_GHOST_ZERO, PETSC_TRUE, y_bar[1], project->s));
  for (PetscInt part = 0; part < WeftGridParts(info->grid); part++) {
    PetscCall(WeftStatesHaloPart(1, &project->s, 1, WEFT_GHOST_ZERO, part));
    for (PetscInt a = 0; a < l->dim; a++) rows[a] = WeftRowsPart(info->grid, (WeftLocation)a, 1, part);
    for (PetscInt s = 0; s < info->batch; s++) {
      const double *from[3];
      double       *to[3];
      Planes(l, y_bar[0], s, from);
      PlanesWrite(l, x_bar[0], s, to);
      AddAll(l->dim, rows, c, from, WeftStatePlane(project->s, 0, s), to);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ProjectDestroy(void *context)
{
  Project *project = (Project *)context;

  PetscFunctionBegin;
  PetscCall(WeftKrylovDestroy(&project->krylov));
  PetscCall(WeftPoissonDestroy(&project->poisson));
  PetscCall(WeftStateDestroy(&project->s));
  PetscCall(PetscFree(project));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateProject(WeftSpace velocity, WeftState open, WeftOp *op)
{
  static const WeftOpMaps maps       = {ProjectApply, ProjectTangent, ProjectAdjoint, ProjectDestroy, NULL};
  const char *const       name[]     = {"pressure"};
  const WeftLocation      location[] = {WEFT_CELL};
  const WeftSpaceInfo    *info       = WeftSpaceGetInfo(velocity);
  WeftSpace               out[2]     = {velocity, NULL};
  PetscBool               wanted;
  Project                *project;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("Project", velocity, NULL));
  PetscCall(PetscNew(&project));
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, 1, name, location, &out[1]));
  PetscCall(WeftStateCreate(out[1], &project->s));
  PetscCall(WeftKrylovWanted(&wanted));
  PetscCall(WeftPoissonCreateFor(info->grid, info->batch, open, wanted ? PETSC_FALSE : PETSC_TRUE, &project->poisson));
  if (wanted) PetscCall(WeftKrylovCreate(project->poisson, &project->krylov));
  PetscCall(WeftOpCreate("Project", &maps, project, WEFT_NEEDS_NOTHING, 1, &velocity, 2, out, op));
  PetscCall(WeftSpaceDestroy(&out[1]));
  PetscFunctionReturn(0);
}

/* Cells of a box in the middle and, in the second variant with closed cells, of one corner. */
static double ExampleOpen(const WeftLayout *l, PetscInt variant, const PetscInt at[3])
{
  PetscBool middle = PETSC_TRUE, corner = variant == 2 ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt a = 0; a < l->dim; a++) {
    if (at[a] < l->cells[a] / 3 || at[a] >= PetscMax(2 * l->cells[a] / 3, l->cells[a] / 3 + 1)) middle = PETSC_FALSE;
    if (at[a] > 0) corner = PETSC_FALSE;
  }
  return middle || corner ? 0.0 : 1.0;
}

/* Variants: without obstacle, with one, with two of which one touches the sides. */
PetscErrorCode WeftOpExample_Project(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const WeftLayout *l    = WeftGridLayout(grid);
  WeftState         open = NULL;
  WeftSpace         velocity, one;
  WeftOp            op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpExampleCells(grid, 1, 1, &one));
  if (variant) {
    PetscCall(WeftStateCreate(one, &open));
    for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
        for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) WeftStatePlaneWrite(open, 0, 0)[WeftLayoutIndex(l, i, j, k)] = ExampleOpen(l, variant, (PetscInt[3]){i, j, k});
  }
  PetscCall(WeftOpCreateProject(velocity, open, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftSpaceDestroy(&one));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
