/* ctest: unit; ranks 1 2 3 4; timeout 120 */
/* The projection. Divergence after it: at most 1e-12 max|u| / h in every open cell, for every mix of sides, with and without
   obstacles, by both methods for them. What is free of divergence stays. The same through PETSc's KSP with several
   preconditioners, forward and adjoint, within their tolerance; a solve that fails is an error that gives PETSc's reason. Velocity,
   pressure and adjoint have the bits of one rank on every process grid. */
#include <math.h>
#include <weft/solve.h>
#include "support.h"

static const WeftSide KINDS[5][2] = {{WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC}, {WEFT_SIDE_NOSLIP, WEFT_SIDE_SLIP}, {WEFT_SIDE_OPEN, WEFT_SIDE_OPEN}, {WEFT_SIDE_VELOCITY, WEFT_SIDE_OPEN}, {WEFT_SIDE_OPEN, WEFT_SIDE_NOSLIP}};

typedef struct {
  PetscInt dim, cells[3], kind[3];
  double   radius; /* of a ball of closed cells, in cells; 0: none */
  double   hollow; /* radius of the open cells that it encloses */
  PetscInt ranks[3]; /* process grid; 0: chosen */
} Case;

typedef struct {
  WeftGrid  grid;
  WeftState open, u, y[2];
  WeftOp    op;
} Set;

static PetscErrorCode MakeGrid(MPI_Comm comm, const Case *c, WeftGrid *grid)
{
  WeftGridOptions o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim  = c->dim;
  o.halo = 1;
  for (PetscInt a = 0; a < c->dim; a++) {
    o.cells[a] = c->cells[a];
    o.upper[a] = 0.5 * c->cells[a];
    o.ranks[a] = c->ranks[a];
    for (int s = 0; s < 2; s++) o.side[a][s] = KINDS[c->kind[a]][s];
    if (o.side[a][0] == WEFT_SIDE_VELOCITY) o.side_velocity[a][0][a] = 0.7; /* inflow: an open side lets it out */
  }
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateOn(MPI_Comm comm, const Case *c, PetscInt batch, Set *set)
{
  const char *const  name[]     = {"open"};
  const WeftLocation location[] = {WEFT_CELL};
  WeftSpace          velocity, one;
  const WeftLayout  *l;

  PetscFunctionBegin;
  PetscCall(MakeGrid(comm, c, &set->grid));
  l = WeftGridLayout(set->grid);
  PetscCall(WeftSpaceCreateVelocity(set->grid, batch, &velocity));
  PetscCall(WeftSpaceCreatePlanes(set->grid, 1, 1, name, location, &one));
  PetscCall(WeftStateCreate(one, &set->open));
  for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
        const PetscInt at[3]  = {i, j, k};
        double         square = 0.0;
        for (PetscInt a = 0; a < c->dim; a++) square += (at[a] + 0.5 - 0.4 * c->cells[a]) * (at[a] + 0.5 - 0.4 * c->cells[a]);
        WeftStatePlaneWrite(set->open, 0, 0)[WeftLayoutIndex(l, i, j, k)] = square < c->radius * c->radius && square >= c->hollow * c->hollow ? 0.0 : 1.0;
      }
  PetscCall(WeftOpCreateProject(velocity, c->radius > 0.0 ? set->open : NULL, &set->op));
  PetscCall(WeftStateCreate(velocity, &set->u));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateCreate(WeftOpOutSpace(set->op, i), &set->y[i]));
  PetscCall(WeftStateSetRandom(set->u, 3, 0, 0.3, 1.0));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(const Case *c, PetscInt batch, Set *set) { return CreateOn(PETSC_COMM_WORLD, c, batch, set); }

static PetscErrorCode Destroy(Set *set)
{
  PetscFunctionBegin;
  PetscCall(WeftOpDestroy(&set->op));
  PetscCall(WeftStateDestroy(&set->open));
  PetscCall(WeftStateDestroy(&set->u));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&set->y[i]));
  PetscCall(WeftGridDestroy(&set->grid));
  PetscFunctionReturn(0);
}

/* Largest divergence in open cells, over all ranks and samples. The faces between open and closed cells are as u has them. */
static PetscErrorCode LargestDivergence(const Set *set, WeftState u, double *largest)
{
  const WeftLayout *l = WeftGridLayout(set->grid);

  PetscFunctionBegin;
  *largest = 0.0;
  PetscCall(WeftStateHalo(u, 1, WEFT_GHOST_VALUE));
  for (PetscInt s = 0; s < WeftSpaceGetInfo(WeftStateSpace(u))->batch; s++)
    for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
        for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
          const PetscInt c = WeftLayoutIndex(l, i, j, k);
          double         d = 0.0;
          for (PetscInt a = 0; a < l->dim; a++) d += (WeftStatePlane(u, a, s)[c + l->stride[a]] - WeftStatePlane(u, a, s)[c]) / l->h[a];
          if (WeftStatePlane(set->open, 0, 0)[c] > 0.0) *largest = fmax(*largest, fabs(d));
        }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, largest, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* A singular box can only lose the divergence that has no mean: give it a velocity at rest on the obstacle. (The outer faces of
   closed sides are at rest already.) */
static PetscErrorCode StopAtObstacle(const Set *set, WeftState u)
{
  const WeftLayout *l = WeftGridLayout(set->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(set->open, 1, WEFT_GHOST_COPY));
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt s = 0; s < WeftSpaceGetInfo(WeftStateSpace(u))->batch; s++) {
      const double *open = WeftStatePlane(set->open, 0, 0);
      PetscInt      lo[3], hi[3];
      WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            const PetscInt c = WeftLayoutIndex(l, i, j, k);
            if (open[c] * open[c - l->stride[a]] == 0.0) WeftStatePlaneWrite(u, a, s)[c] = 0.0;
          }
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckDivergence(const Case *c)
{
  const PetscInt batch = 2;
  double         before, after, u;
  Set            set;

  PetscFunctionBegin;
  PetscCall(Create(c, batch, &set));
  PetscCall(StopAtObstacle(&set, set.u));
  PetscCall(WeftStateNorm(set.u, NORM_INFINITY, &u));
  PetscCall(WeftOpApply(set.op, &set.u, set.y, NULL));
  PetscCall(LargestDivergence(&set, set.u, &before));
  PetscCall(LargestDivergence(&set, set.y[0], &after));
  TestCheck(before > 0.1 * u / 0.5, "there was no divergence to begin with: %g", before);
  TestCheck(after <= 1e-12 * u / 0.5, "%" PetscInt_FMT "D %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT ", kinds %" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT ", radius %g: divergence %g, allowed %g", c->dim, c->cells[0], c->cells[1], c->cells[2], c->kind[0], c->kind[1], c->kind[2], c->radius, after, 1e-12 * u / 0.5);
  /* what is free of divergence stays as it is */
  PetscCall(WeftStateCopy(set.y[0], set.u));
  PetscCall(WeftOpApply(set.op, &set.u, set.y, NULL));
  PetscCall(WeftStateAXPY(set.y[0], -1.0, set.u));
  PetscCall(WeftStateNorm(set.y[0], NORM_INFINITY, &after));
  TestCheck(after <= 1e-11 * u, "a second projection moves the velocity by %g of %g", after, u);
  PetscCall(Destroy(&set));
  PetscFunctionReturn(0);
}

static PetscErrorCode Divergences(void)
{
  static const double radius[] = {0.0, 3.3};

  PetscFunctionBegin;
  for (int r = 0; r < 2; r++) {
    for (PetscInt x = 0; x < 5; x++) {
      if (r == 0) PetscCall(CheckDivergence(&(Case){1, {16, 1, 1}, {x, 0, 0}, 0.0, 0.0, {0}}));
      for (PetscInt y = 0; y < 5; y++) {
        PetscCall(CheckDivergence(&(Case){2, {24, 32, 1}, {x, y, 0}, radius[r], 0.0, {0}}));
        PetscCall(CheckDivergence(&(Case){3, {12, 10, 14}, {x, y, (x + 2 * y + 1) % 5}, radius[r], 0.0, {0}}));
      }
    }
  }
  PetscCall(CheckDivergence(&(Case){2, {128, 256, 1}, {1, 2, 0}, 12.8, 0.0, {0}})); /* the reference grid of the wake */
  PetscFunctionReturn(0);
}

/* ---- bits ---------------------------------------------------------------------------------------------------------- */

/* x_bar of a fixed y_bar. */
static PetscErrorCode Adjoint(const Set *set, WeftState x_bar)
{
  WeftState y_bar[2];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(set->op, i), &y_bar[i]));
    PetscCall(WeftStateSetRandom(y_bar[i], 11 + i, 0, 0.0, 1.0));
  }
  PetscCall(WeftStateZero(x_bar));
  PetscCall(WeftOpAdjoint(set->op, &set->u, set->y, NULL, y_bar, &x_bar));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&y_bar[i]));
  PetscFunctionReturn(0);
}

/* Velocity, pressure and adjoint. */
static PetscErrorCode Run(const Set *set, WeftState *x_bar)
{
  PetscFunctionBegin;
  PetscCall(WeftOpApply(set->op, &set->u, set->y, NULL));
  PetscCall(WeftStateCreate(WeftStateSpace(set->u), x_bar));
  PetscCall(Adjoint(set, *x_bar));
  PetscFunctionReturn(0);
}

/* The unknowns of x that this rank owns are those of `whole`, which one rank holds. */
static PetscErrorCode SameBits(WeftState x, WeftState whole, const Case *c, const char *what)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x));
  const WeftLayout    *l = WeftGridLayout(info->grid), *w = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(whole))->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt s = 0; s < info->batch; s++) {
      const double *mine = WeftStatePlane(x, f, s), *all = WeftStatePlane(whole, f, s);
      PetscInt      lo[3], hi[3];
      WeftLayoutOwned(l, info->location[f], lo, hi);
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            const double a = mine[WeftLayoutIndex(l, i, j, k)], b = all[WeftLayoutIndex(w, i, j, k)];
            TestCheck(!memcmp(&a, &b, sizeof(double)), "%s %s at (%d, %d, %d), sample %d, is %.17g, on one rank %.17g; process grid %d x %d x %d, kinds %d %d %d, radius %g", what, info->name[f], (int)i, (int)j, (int)k, (int)s, a, b, (int)c->ranks[0], (int)c->ranks[1], (int)c->ranks[2], (int)c->kind[0], (int)c->kind[1], (int)c->kind[2], c->radius);
          }
    }
  PetscFunctionReturn(0);
}

/* On every process grid of all ranks, for u and y_bar at random: where L is singular, with a mean that is to be taken out. */
static PetscErrorCode CheckBits(Case c)
{
  Set         alone, set;
  WeftState   expected, x_bar;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(CreateOn(PETSC_COMM_SELF, &c, 3, &alone));
  PetscCall(Run(&alone, &expected));
  for (PetscInt p = 1; p <= size; p++)
    for (PetscInt q = 1; q <= size / p; q++) {
      if (size % (p * q) || (c.dim < 2 && p < size) || (c.dim < 3 && p * q < size)) continue;
      for (PetscInt a = 0; a < 3; a++) c.ranks[a] = (PetscInt[3]){p, q, size / p / q}[a];
      PetscCall(Create(&c, 3, &set));
      PetscCall(Run(&set, &x_bar));
      PetscCall(SameBits(set.y[0], alone.y[0], &c, "projected"));
      PetscCall(SameBits(set.y[1], alone.y[1], &c, "projected"));
      PetscCall(SameBits(x_bar, expected, &c, "adjoint of"));
      PetscCall(WeftStateDestroy(&x_bar));
      PetscCall(Destroy(&set));
    }
  PetscCall(WeftStateDestroy(&expected));
  PetscCall(Destroy(&alone));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bits(void)
{
  static const Case cases[] = {
    {1, {17, 1, 1}, {3, 0, 0}, 0.0, 0.0, {0}}, {2, {21, 18, 1}, {1, 2, 0}, 0.0, 0.0, {0}}, {2, {21, 18, 1}, {1, 2, 0}, 4.3, 0.0, {0}}, {2, {18, 21, 1}, {1, 1, 0}, 5.3, 2.5, {0}},
    {2, {18, 21, 1}, {0, 1, 0}, 5.3, 2.5, {0}}, {3, {9, 10, 8}, {3, 1, 0}, 2.6, 0.0, {0}}, {3, {9, 10, 8}, {1, 0, 1}, 3.3, 1.6, {0}},
  };

  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) PetscCall(CheckBits(cases[i]));
  PetscFunctionReturn(0);
}

/* ---- KSP ---------------------------------------------------------------------------------------------------------- */

static const char *const OPTIONS[] = {"-pressure_ksp_type", "-pressure_pc_type", "-pressure_ksp_rtol", "-pressure_ksp_max_it"};
static PetscErrorCode SetOptions(const char *ksp, const char *pc, const char *rtol, const char *most)
{
  const char *const values[] = {ksp, pc, rtol, most};

  PetscFunctionBegin;
  for (int i = 0; i < 4; i++) {
    PetscCall(PetscOptionsClearValue(NULL, OPTIONS[i]));
    if (values[i]) PetscCall(PetscOptionsSetValue(NULL, OPTIONS[i], values[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Difference(WeftState x, WeftState y, double *relative)
{
  double norm;

  PetscFunctionBegin;
  PetscCall(WeftStateNorm(x, NORM_2, &norm));
  PetscCall(WeftStateAXPY(y, -1.0, x));
  PetscCall(WeftStateNorm(y, NORM_2, relative));
  *relative /= norm;
  PetscFunctionReturn(0);
}

/* The same velocity, pressure and adjoint as the direct solve. Tolerance 1e-10 of the right-hand side; the smallest eigenvalue is
   about (pi / n)^2 of the largest, so the pressure may differ by n^2 / 10 times as much, for n = 24: 1e-8. */
static PetscErrorCode CheckKSP(const Case *c, const char *ksp, const char *pc)
{
  Set       direct, krylov;
  WeftState x_bar[2];
  double    difference;

  PetscFunctionBegin;
  PetscCall(SetOptions(NULL, NULL, NULL, NULL));
  PetscCall(Create(c, 2, &direct));
  PetscCall(SetOptions(ksp, pc, "1e-10", NULL));
  PetscCall(Create(c, 2, &krylov));
  PetscCall(WeftOpApply(direct.op, &direct.u, direct.y, NULL));
  PetscCall(WeftOpApply(krylov.op, &krylov.u, krylov.y, NULL));
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(Difference(direct.y[i], krylov.y[i], &difference));
    TestCheck(difference <= 1e-8, "ksp %s pc %s: output %d differs from the direct solve by %g", ksp, pc, (int)i, difference);
    PetscCall(WeftStateCreate(WeftStateSpace(direct.u), &x_bar[i]));
  }
  PetscCall(Adjoint(&direct, x_bar[0]));
  PetscCall(Adjoint(&krylov, x_bar[1]));
  PetscCall(Difference(x_bar[0], x_bar[1], &difference));
  TestCheck(difference <= 1e-8, "ksp %s pc %s: the adjoint differs from the direct solve's by %g", ksp, pc, difference);
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&x_bar[i]));
  PetscCall(Destroy(&direct));
  PetscCall(Destroy(&krylov));
  PetscFunctionReturn(0);
}

static PetscErrorCode KSPs(void)
{
  static const Case cases[]  = {{2, {24, 20, 1}, {1, 2, 0}, 3.3, 0.0, {0}}, {2, {24, 20, 1}, {1, 0, 0}, 3.3, 0.0, {0}}, {3, {10, 9, 8}, {0, 1, 4}, 0.0, 0.0, {0}}};
  static const char *const pcs[] = {"weft", "hypre", "gamg", "jacobi"};
  Set               set;
  WeftSpace         velocity;

  PetscFunctionBegin;
  for (int i = 0; i < 3; i++)
    for (int p = 0; p < 4; p++) PetscCall(CheckKSP(&cases[i], "cg", pcs[p]));
  PetscCall(SetOptions("cg", "jacobi", "1e-10", "3"));
  PetscCall(Create(&cases[0], 1, &set));
  TestFails(WeftOpApply(set.op, &set.u, set.y, NULL), "DIVERGED_ITS");
  PetscCall(Destroy(&set));
  /* one step of Jacobi, which KSP counts as converged: the true residual tells */
  PetscCall(SetOptions("preonly", "jacobi", "1e-10", NULL));
  PetscCall(Create(&cases[0], 1, &set));
  TestFails(WeftOpApply(set.op, &set.u, set.y, NULL), "true residual");
  PetscCall(Destroy(&set));
  PetscCall(MakeGrid(PETSC_COMM_WORLD, &cases[0], &set.grid));
  PetscCall(WeftSpaceCreateVelocity(set.grid, 1, &velocity));
  PetscCall(SetOptions("cgg", "weft", NULL, NULL));
  TestFails(WeftOpCreateProject(velocity, NULL, &set.op), "no such type");
  PetscCall(SetOptions("cg", "hyper", NULL, NULL));
  TestFails(WeftOpCreateProject(velocity, NULL, &set.op), "no such type");
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftGridDestroy(&set.grid));
  PetscCall(SetOptions(NULL, NULL, NULL, NULL));
  PetscFunctionReturn(0);
}

/* A dense matrix whose entries an int cannot count is refused, whatever the case needs. */
static PetscErrorCode TooManyFaces(void)
{
  WeftPoisson poisson;
  Set         set;

  PetscFunctionBegin;
  PetscCall(Create(&(Case){2, {24, 32, 1}, {1, 2, 0}, 3.3, 0.0, {0}}, 1, &set));
  PetscCall(TestSetKey("pressure_capacitance_max", "46341"));
  TestFails(WeftPoissonCreate(set.grid, 1, set.open, &poisson), "from 0 to 46340");
  PetscCall(Destroy(&set));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Divergences());
  PetscCall(Bits());
  PetscCall(TooManyFaces());
  PetscCall(TestSetKey("pressure_capacitance_max", "0")); /* conjugate gradients */
  PetscCall(CheckDivergence(&(Case){2, {24, 32, 1}, {1, 2, 0}, 3.3, 0.0, {0}}));
  PetscCall(CheckDivergence(&(Case){2, {128, 256, 1}, {1, 2, 0}, 12.8, 0.0, {0}}));
  PetscCall(CheckDivergence(&(Case){3, {16, 15, 14}, {1, 1, 1}, 4.4, 0.0, {0}}));
  PetscCall(CheckBits((Case){2, {18, 21, 1}, {1, 1, 0}, 5.3, 2.5, {0}}));
  PetscCall(CheckBits((Case){3, {9, 10, 8}, {3, 1, 0}, 2.6, 0.0, {0}}));
  PetscCall(KSPs());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
