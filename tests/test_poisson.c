/* ctest: unit; ranks 1 2 3 4; timeout 240 */
/* Poisson's equation: with p at random and b = L p written out cell by cell, the solve gives p back to round-off, for every mix of
   sides in one to three dimensions, around obstacles, by every method; a constant added to b on a connected piece that no open side
   touches changes nothing; and the bits are those of one rank on every process grid. One rank goes through every mix of sides,
   several ranks through a part of them, each on every process grid.

   Bounds. Residual: the solve is backward stable, so |b - L x| <= c eps |L| |x| with |L| = sum of 4 / h^2; c = 64 is asked for.
   Conjugate gradients: 1e-14 |b| (2-norm) more, their tolerance.
   Error: (greatest eigenvalue / smallest) eps = n^2 eps, about 1e-13 for the grids here; 1e-11 is asked for. */
#include <float.h>
#include <math.h>
#include <weft/solve.h>
#include "support.h"

static const WeftSide KINDS[5][2] = {{WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC}, {WEFT_SIDE_NOSLIP, WEFT_SIDE_SLIP}, {WEFT_SIDE_OPEN, WEFT_SIDE_OPEN}, {WEFT_SIDE_VELOCITY, WEFT_SIDE_OPEN}, {WEFT_SIDE_OPEN, WEFT_SIDE_NOSLIP}};

/* Closed cells of an example by global index; n: cells. */
typedef PetscBool (*Closed)(const PetscInt n[3], const PetscInt at[3]);
static PetscBool None(const PetscInt n[3], const PetscInt at[3])
{
  (void)n;
  (void)at;
  return PETSC_FALSE;
}
static PetscBool Ball(const PetscInt n[3], const PetscInt at[3])
{
  double square = 0.0;
  for (int a = 0; a < 3; a++)
    if (n[a] > 1) square += (at[a] + 0.5 - 0.45 * n[a]) * (at[a] + 0.5 - 0.45 * n[a]);
  return square < 7.5 ? PETSC_TRUE : PETSC_FALSE;
}
static PetscBool Boxes(const PetscInt n[3], const PetscInt at[3]) /* one in a corner, one across the lower side of x, one cell */
{
  const PetscBool corner = at[0] >= n[0] - 2 && at[1] >= n[1] - 3 ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool side   = at[0] < 3 && at[1] >= 2 && at[1] < 4 ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool cell   = at[0] == n[0] / 2 && at[1] == n[1] / 2 && (n[2] == 1 || at[2] == n[2] / 2) ? PETSC_TRUE : PETSC_FALSE;
  return corner || side || cell ? PETSC_TRUE : PETSC_FALSE;
}
static PetscBool Ring(const PetscInt n[3], const PetscInt at[3]) /* encloses open cells */
{
  PetscInt distance = 0;
  for (int a = 0; a < 3; a++)
    if (n[a] > 1) distance = PetscMax(distance, PetscAbsInt(at[a] - n[a] / 2));
  return distance == 2 ? PETSC_TRUE : PETSC_FALSE;
}

typedef struct {
  PetscInt dim, cells[3], kind[3], ranks[3];
  Closed   closed;
  PetscInt batch;
} Case;

static PetscErrorCode MakeGrid(MPI_Comm comm, const Case *c, WeftGrid *grid)
{
  static const double h[3] = {0.5, 0.4, 0.7};
  WeftGridOptions     o;
  PetscMPIInt         size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim  = c->dim;
  o.halo = 1;
  for (PetscInt a = 0; a < c->dim; a++) {
    o.cells[a] = c->cells[a];
    o.upper[a] = h[a] * c->cells[a];
    o.ranks[a] = size > 1 ? c->ranks[a] : 1;
    for (int s = 0; s < 2; s++) o.side[a][s] = KINDS[c->kind[a]][s];
  }
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

/* p of a cell, from anywhere; 0 in closed cells. */
static double Exact(const Case *c, PetscInt sample, const PetscInt at[3])
{
  const PetscInt64 counter = ((PetscInt64)(sample * 64 + at[2]) * 64 + at[1]) * 64 + at[0];
  return c->closed(c->cells, at) ? 0.0 : 2.0 * WeftRandomUniform(7, WEFT_STREAM_TEST, counter) - 1.0;
}

typedef double (*ValueAt)(const Case *c, PetscInt sample, const PetscInt at[3], void *context);
static double ExactAt(const Case *c, PetscInt sample, const PetscInt at[3], void *context)
{
  (void)context;
  return Exact(c, sample, at);
}

/* (L p)(cell), as the definition says. */
static double Laplacian(const WeftLayout *l, const Case *c, PetscInt sample, const PetscInt at[3], ValueAt value, void *context)
{
  double sum = 0.0;
  if (c->closed(c->cells, at)) return 0.0;
  for (PetscInt a = 0; a < c->dim; a++)
    for (int s = 0; s < 2; s++) {
      PetscInt beside[3] = {at[0], at[1], at[2]};
      double   there     = 0.0;
      beside[a] += s ? 1 : -1;
      if (l->side[a][0] == WEFT_SIDE_PERIODIC) beside[a] = (beside[a] + c->cells[a]) % c->cells[a];
      if (beside[a] < 0 || beside[a] >= c->cells[a]) {
        if (l->side[a][s] != WEFT_SIDE_OPEN) continue;
      } else {
        if (c->closed(c->cells, beside)) continue;
        there = value(c, sample, beside, context);
      }
      sum += (there - value(c, sample, at, context)) / (l->h[a] * l->h[a]);
    }
  return sum;
}

/* A constant for each singular piece of open cells, which the solve has to take out of b again; 0 elsewhere. */
static double Mean(const Case *c, PetscInt sample, const PetscInt at[3])
{
  PetscBool singular = PETSC_TRUE;
  PetscInt  distance = 0;

  if (c->closed(c->cells, at)) return 0.0;
  for (PetscInt a = 0; a < c->dim; a++) {
    if (c->kind[a] > 1) singular = PETSC_FALSE;
    distance = PetscMax(distance, PetscAbsInt(at[a] - c->cells[a] / 2));
  }
  if (c->closed == Ring && distance < 2) return 1.7 + sample; /* what it encloses */
  return singular ? -0.9 - 0.3 * sample : 0.0;
}

#define FOR_OWNED(l, i, j, k)                                                                                                  \
  for (PetscInt k = (l)->start[2]; k < (l)->start[2] + (l)->count[2]; k++)                                                     \
    for (PetscInt j = (l)->start[1]; j < (l)->start[1] + (l)->count[1]; j++)                                                   \
      for (PetscInt i = (l)->start[0]; i < (l)->start[0] + (l)->count[0]; i++)

/* x := L^-1 (L p + means) on the ranks of comm. */
static PetscErrorCode Solve(MPI_Comm comm, const Case *c, WeftGrid *grid, WeftState *x)
{
  const char *const  name[]     = {"p"};
  const WeftLocation location[] = {WEFT_CELL};
  WeftSpace          space, one;
  WeftState          b, open;
  WeftPoisson        poisson;
  const WeftLayout  *l;

  PetscFunctionBegin;
  PetscCall(MakeGrid(comm, c, grid));
  l = WeftGridLayout(*grid);
  PetscCall(WeftSpaceCreatePlanes(*grid, c->batch, 1, name, location, &space));
  PetscCall(WeftSpaceCreatePlanes(*grid, 1, 1, name, location, &one));
  PetscCall(WeftStateCreate(space, &b));
  PetscCall(WeftStateCreate(space, x));
  PetscCall(WeftStateCreate(one, &open));
  FOR_OWNED(l, i, j, k)
  {
    const PetscInt at[3] = {i, j, k};
    WeftStatePlaneWrite(open, 0, 0)[WeftLayoutIndex(l, i, j, k)] = c->closed(c->cells, at) ? 0.0 : 1.0;
    for (PetscInt s = 0; s < c->batch; s++) WeftStatePlaneWrite(b, 0, s)[WeftLayoutIndex(l, i, j, k)] = Laplacian(l, c, s, at, ExactAt, NULL) + Mean(c, s, at);
  }
  PetscCall(WeftPoissonCreate(*grid, c->batch, c->closed == None ? NULL : open, &poisson));
  PetscCall(WeftPoissonSolve(poisson, b, *x));
  PetscCall(WeftPoissonSolve(poisson, b, b)); /* again, in place: the same */
  FOR_OWNED(l, i, j, k) for (PetscInt s = 0; s < c->batch; s++)
  {
    const PetscInt at = WeftLayoutIndex(l, i, j, k);
    TestCheck(!memcmp(&WeftStatePlane(b, 0, s)[at], &WeftStatePlane(*x, 0, s)[at], sizeof(double)), "a second solve, in place, differs");
  }
  PetscCall(WeftPoissonDestroy(&poisson));
  PetscCall(WeftStateDestroy(&b));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

typedef struct {
  WeftState         x;
  const WeftLayout *l;
} Solved;
static double SolvedAt(const Case *c, PetscInt sample, const PetscInt at[3], void *context)
{
  const Solved *s = (const Solved *)context;
  (void)c;
  return WeftStatePlane(s->x, 0, sample)[WeftLayoutIndex(s->l, at[0], at[1], at[2])];
}

/* The solution on one rank against p: the residual everywhere; the error where the open cells are one piece. */
static PetscErrorCode CheckSolution(const Case *c, WeftGrid grid, WeftState x, PetscReal tolerance, const char *what)
{
  const WeftLayout *l = WeftGridLayout(grid);
  Solved            solved = {x, l};
  double            norm = 0.0;
  PetscBool         singular = PETSC_TRUE;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < c->dim; a++) {
    norm += 4.0 / (l->h[a] * l->h[a]);
    if (c->kind[a] > 1) singular = PETSC_FALSE;
  }
  for (PetscInt s = 0; s < c->batch; s++) {
    double   mean = 0.0, sum[2] = {0.0, 0.0}, largest = 0.0, residual = 0.0, error = 0.0, square = 0.0;
    PetscInt open = 0;
    FOR_OWNED(l, i, j, k)
    {
      const PetscInt  at[3] = {i, j, k};
      const double    value = SolvedAt(c, s, at, &solved), b = Laplacian(l, c, s, at, ExactAt, NULL), r = b - Laplacian(l, c, s, at, SolvedAt, &solved);
      const PetscBool inner = PetscAbsInt(i - l->cells[0] / 2) < 2 && (c->dim < 2 || PetscAbsInt(j - l->cells[1] / 2) < 2) && (c->dim < 3 || PetscAbsInt(k - l->cells[2] / 2) < 2) ? PETSC_TRUE : PETSC_FALSE;
      residual = fmax(residual, fabs(r));
      largest  = fmax(largest, fabs(value));
      square += b * b;
      sum[inner] += value;
      mean += Exact(c, s, at);
      open += !c->closed(c->cells, at);
      if (c->closed(c->cells, at)) TestCheck(value == 0.0, "%s: pressure %g in a closed cell", what, value);
    }
    TestCheck(residual <= 64.0 * DBL_EPSILON * norm * largest + tolerance * sqrt(square), "%s: residual %g, largest value %g", what, residual, largest);
    if (c->closed == Ring) {
      PetscCall(TestClose(sum[1], 0.0, 1e-11, "sum over the enclosed piece"));
      if (singular) PetscCall(TestClose(sum[0], 0.0, 1e-11, "sum over the outer piece"));
      continue;
    }
    mean = singular ? mean / open : 0.0;
    FOR_OWNED(l, i, j, k)
    {
      const PetscInt at[3] = {i, j, k};
      if (!c->closed(c->cells, at)) error = fmax(error, fabs(SolvedAt(c, s, at, &solved) - (Exact(c, s, at) - mean)));
    }
    TestCheck(c->dim == 1 && c->closed != None ? error < 4.0 : error <= 1e-11, "%s: error %g", what, error);
  }
  PetscFunctionReturn(0);
}

/* Solves on one rank and checks; solves on all, cut as c->ranks says, and compares bits. */
static PetscErrorCode CheckCase(const Case *c, PetscReal tolerance)
{
  char        what[128];
  WeftGrid    alone, all;
  WeftState   x, y;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(what, sizeof(what), "%dD %d x %d x %d, kinds %d %d %d, ranks %d x %d x %d, batch %d, %s", (int)c->dim, (int)c->cells[0], (int)c->cells[1], (int)c->cells[2], (int)c->kind[0], (int)c->kind[1], (int)c->kind[2], (int)c->ranks[0], (int)c->ranks[1], (int)c->ranks[2], (int)c->batch, c->closed == None ? "no obstacle" : c->closed == Ball ? "ball" : c->closed == Boxes ? "boxes" : "ring"));
  PetscCall(Solve(PETSC_COMM_SELF, c, &alone, &x));
  PetscCall(CheckSolution(c, alone, x, tolerance, what));
  if (size > 1) {
    const WeftLayout *l, *whole = WeftGridLayout(alone);
    PetscCall(Solve(PETSC_COMM_WORLD, c, &all, &y));
    l = WeftGridLayout(all);
    FOR_OWNED(l, i, j, k) for (PetscInt s = 0; s < c->batch; s++)
    {
      const double a = WeftStatePlane(y, 0, s)[WeftLayoutIndex(l, i, j, k)], b = WeftStatePlane(x, 0, s)[WeftLayoutIndex(whole, i, j, k)];
      TestCheck(!memcmp(&a, &b, sizeof(double)), "%s: cell (%d, %d, %d) of sample %d is %.17g, on one rank %.17g", what, (int)i, (int)j, (int)k, (int)s, a, b);
    }
    PetscCall(WeftStateDestroy(&y));
    PetscCall(WeftGridDestroy(&all));
  }
  PetscCall(WeftStateDestroy(&x));
  PetscCall(WeftGridDestroy(&alone));
  PetscFunctionReturn(0);
}

/* Every process grid of this many ranks in `dim` dimensions. */
static PetscErrorCode CheckLayouts(Case c, PetscReal tolerance)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (PetscInt p = 1; p <= size; p++)
    for (PetscInt q = 1; q <= size / p; q++) {
      if (size % (p * q)) continue;
      c.ranks[0] = p;
      c.ranks[1] = q;
      c.ranks[2] = size / p / q;
      if ((c.dim < 2 && p < size) || (c.dim < 3 && c.ranks[2] > 1)) continue;
      PetscCall(CheckCase(&c, tolerance));
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode Sides(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (PetscInt x = 0; x < 5; x++) {
    PetscCall(CheckLayouts((Case){1, {12, 1, 1}, {x, 0, 0}, {0}, None, 1}, 0.0));
    PetscCall(CheckLayouts((Case){1, {13, 1, 1}, {x, 0, 0}, {0}, None, 3}, 0.0));
    for (PetscInt y = 0; y < 5; y++) {
      PetscCall(CheckLayouts((Case){2, {12, 10, 1}, {x, y, 0}, {0}, None, 3}, 0.0));
      if (size == 1 || (x + 2 * y) % 5 == 0) PetscCall(CheckLayouts((Case){2, {9, 19, 1}, {x, y, 0}, {0}, None, 1}, 0.0));
      for (PetscInt z = 0; z < 5; z++) {
        Case c = {3, {8, 7, 6}, {x, y, z}, {1, 1, 1}, None, 1 + (x + y + z) % 2};
        if (size == 1 || (x + 2 * y + 3 * z) % 15 == 0) PetscCall(CheckLayouts(c, 0.0)); /* all on one rank */
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Obstacles(PetscReal tolerance)
{
  const Closed closed[] = {Ball, Boxes, Ring};
  PetscMPIInt  size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (int o = 0; o < 3; o++) {
    for (PetscInt x = 0; x < 5; x++)
      for (PetscInt y = 0; y < 5; y++)
        if (size == 1 || (x + 2 * y + o) % 5 == 0) PetscCall(CheckLayouts((Case){2, {14, 17, 1}, {x, y, 0}, {0}, closed[o], 1 + 2 * ((x + y) % 2)}, tolerance));
    for (PetscInt x = 0; x < 5; x++)
      if (size == 1 || (x + o) % 3 == 0) PetscCall(CheckLayouts((Case){3, {9, 8, 10}, {x, (x + o) % 5, (2 * x + o) % 5}, {0}, closed[o], 1}, tolerance));
  }
  PetscCall(CheckLayouts((Case){1, {12, 1, 1}, {1, 0, 0}, {0}, Ball, 2}, tolerance));
  PetscFunctionReturn(0);
}

/* ---- the matrix and the preconditioner -------------------------------------------------------------------------------- */

static PetscErrorCode FillVec(const Case *c, const WeftLayout *l, PetscBool image, Vec v)
{
  PetscScalar *values;
  PetscInt     n = 0;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(v, &values));
  FOR_OWNED(l, i, j, k)
  {
    const PetscInt at[3] = {i, j, k};
    values[n++]          = image ? -Laplacian(l, c, 0, at, ExactAt, NULL) : Exact(c, 0, at);
  }
  PetscCall(VecRestoreArrayWrite(v, &values));
  PetscFunctionReturn(0);
}

/* The matrix times p is -L p cell by cell; constants on singular pieces are its null space; without obstacles the preconditioner
   "weft" alone, in a KSP of the user's own, solves the system. */
static PetscErrorCode CheckMat(const Case *c)
{
  const char *const  name[]     = {"open"};
  const WeftLocation location[] = {WEFT_CELL};
  PetscBool          null       = PETSC_TRUE;
  MatNullSpace       space;
  WeftGrid           grid;
  WeftSpace          one;
  WeftState          open;
  WeftPoisson        poisson;
  const WeftLayout  *l;
  PetscReal          norm;
  Mat                mat;
  Vec                p, b, x;
  KSP                ksp;
  PC                 pc;

  PetscFunctionBegin;
  PetscCall(MakeGrid(PETSC_COMM_WORLD, c, &grid));
  l = WeftGridLayout(grid);
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, name, location, &one));
  PetscCall(WeftStateCreate(one, &open));
  FOR_OWNED(l, i, j, k) WeftStatePlaneWrite(open, 0, 0)[WeftLayoutIndex(l, i, j, k)] = c->closed(c->cells, (PetscInt[3]){i, j, k}) ? 0.0 : 1.0;
  PetscCall(WeftPoissonCreate(grid, 1, open, &poisson));
  PetscCall(WeftPoissonCreateMat(poisson, &mat));
  PetscCall(WeftPoissonDestroy(&poisson)); /* the matrix has its own reference */
  PetscCall(MatCreateVecs(mat, &p, &b));
  PetscCall(VecDuplicate(p, &x));
  PetscCall(FillVec(c, l, PETSC_FALSE, p));
  PetscCall(FillVec(c, l, PETSC_TRUE, b));
  PetscCall(MatMult(mat, p, x));
  PetscCall(VecAXPY(x, -1.0, b));
  PetscCall(VecNorm(x, NORM_INFINITY, &norm));
  TestCheck(norm <= 1e-12, "the matrix times p differs from -L p by %g", norm);
  PetscCall(MatGetNullSpace(mat, &space));
  if (space) PetscCall(MatNullSpaceTest(space, mat, &null));
  TestCheck(null, "the null space of the matrix is none");
  TestCheck(space || c->kind[0] > 1 || c->kind[1] > 1 || c->kind[2] > 1, "a box without open side has no null space attached");
  if (c->closed == None) {
    PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
    PetscCall(KSPSetOperators(ksp, mat, mat));
    PetscCall(KSPSetType(ksp, KSPPREONLY));
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCSetType(pc, "weft"));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(VecAXPY(x, -1.0, p));
    if (space) PetscCall(MatNullSpaceRemove(space, x));
    PetscCall(VecNorm(x, NORM_INFINITY, &norm));
    TestCheck(norm <= 1e-11, "the preconditioner 'weft' alone leaves an error of %g", norm);
    PetscCall(KSPDestroy(&ksp));
  }
  PetscCall(VecDestroy(&p));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(MatDestroy(&mat));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftSpaceDestroy(&one));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Matrices(void)
{
  const Closed closed[] = {None, Ball, Boxes, Ring};
  PetscMPIInt  size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (int o = 0; o < 4; o++)
    for (PetscInt x = 0; x < 5; x++)
      for (PetscInt y = 0; y < 5; y++)
        if (size == 1 || (x + 2 * y + o) % 5 == 0) PetscCall(CheckMat(&(Case){2, {14, 17, 1}, {x, y, 0}, {0}, closed[o], 1}));
  for (PetscInt x = 0; x < 5; x++) PetscCall(CheckMat(&(Case){3, {8, 7, 6}, {x, (x + 1) % 5, (x + 2) % 5}, {0}, Ball, 1}));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Sides());
  PetscCall(Obstacles(0.0));
  PetscCall(Matrices());
  PetscCall(TestSetKey("pressure_capacitance_max", "0")); /* conjugate gradients */
  PetscCall(Obstacles(1e-14));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
