/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Advection: values where they are known exactly, what happens at sides, orders of accuracy, and faults. (That tangents and adjoints
   belong to these values is for the contract test.) */
#include <weft/op.h>
#include "support.h"

#define CELLS 20

typedef struct {
  WeftGrid  grid;
  WeftSpace fields, velocity;
  WeftOp    op;
  WeftState x[2], y;
} Case;

/* A box of unit cells, `cells` along the last axis, with a cell field (or, faces: one like the velocity) and a velocity; dt = 1,
   so that velocities are cells a step. wall_velocity: all components at sides of prescribed velocity. */
static PetscErrorCode Create(PetscInt dim, PetscInt cells, WeftSide side, WeftWall wall, PetscReal wall_velocity,
                             PetscBool faces, WeftAdvectScheme scheme, Case *c)
{
  static const char *const  names[]  = {"smoke"};
  static const WeftLocation places[] = {WEFT_CELL};
  WeftGridOptions           options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim  = dim;
  options.wall = wall;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a] = a == dim - 1 ? cells : 9;
    options.upper[a] = options.cells[a];
    for (PetscInt s = 0; s < 2; s++) {
      options.side[a][s] = side;
      for (PetscInt b = 0; b < 3; b++) options.side_velocity[a][s][b] = wall_velocity;
    }
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &c->grid));
  PetscCall(WeftSpaceCreateVelocity(c->grid, 1, &c->velocity));
  if (faces)
    PetscCall(WeftSpaceCreateVelocity(c->grid, 1, &c->fields));
  else
    PetscCall(WeftSpaceCreatePlanes(c->grid, 1, 1, names, places, &c->fields));
  PetscCall(WeftOpCreateAdvect(c->fields, c->velocity, scheme, 1.0, &c->op));
  PetscCall(WeftStateCreate(c->fields, &c->x[0]));
  PetscCall(WeftStateCreate(c->velocity, &c->x[1]));
  PetscCall(WeftStateCreate(c->fields, &c->y));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Case *c)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&c->x[0]));
  PetscCall(WeftStateDestroy(&c->x[1]));
  PetscCall(WeftStateDestroy(&c->y));
  PetscCall(WeftOpDestroy(&c->op));
  PetscCall(WeftSpaceDestroy(&c->fields));
  PetscCall(WeftSpaceDestroy(&c->velocity));
  PetscCall(WeftGridDestroy(&c->grid));
  PetscFunctionReturn(0);
}

/* Sets the values with index i along x (i < 0: all). */
static PetscErrorCode Set(WeftState state, PetscInt field, PetscInt i, PetscReal value)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  double              *plane = WeftStatePlaneWrite(state, field, 0);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, info->location[field], lo, hi);
  for (PetscInt q = lo[1]; q < hi[1]; q++)
    for (PetscInt p = lo[0]; p < hi[0]; p++)
      if (i < 0 || p == i) plane[WeftLayoutIndex(l, p, q, 0)] = value;
  PetscFunctionReturn(0);
}

static PetscErrorCode Expect(WeftState state, PetscInt field, PetscInt i, PetscInt j, PetscReal expected, PetscReal tolerance,
                             const char *what)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, info->location[field], lo, hi);
  if (i >= lo[0] && i < hi[0] && j >= lo[1] && j < hi[1])
    PetscCall(TestClose(WeftStatePlane(state, field, 0)[WeftLayoutIndex(l, i, j, 0)], expected, tolerance, what));
  PetscFunctionReturn(0);
}

static PetscReal Value(PetscInt i)
{
  return PetscSinReal(1.3 * (PetscReal)i) + 0.1 * (PetscReal)i;
}

/* Whole cells a step: the values move exactly, by both schemes; at rest they stay. */
static PetscErrorCode TestShifts(void)
{
  PetscFunctionBegin;
  for (PetscInt scheme = 0; scheme < 2; scheme++) {
    for (PetscInt shift = -3; shift <= 3; shift++) {
      Case c;
      PetscCall(Create(1, CELLS, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 0.0, PETSC_FALSE, (WeftAdvectScheme)scheme, &c));
      for (PetscInt i = 0; i < CELLS; i++) PetscCall(Set(c.x[0], 0, i, Value(i)));
      PetscCall(Set(c.x[1], 0, -1, (PetscReal)shift));
      PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
      for (PetscInt i = 0; i < CELLS; i++)
        PetscCall(Expect(c.y, 0, (i + shift + CELLS) % CELLS, 0, Value(i), 0.0, "a shift by whole cells"));
      PetscCall(WeftGridAgree(c.grid));
      PetscCall(Destroy(&c));
    }
  }
  PetscFunctionReturn(0);
}

/* At rest every place is a node, and belongs to the upper cell: the derivative by the velocity is that of u < 0. */
static PetscErrorCode TestTie(void)
{
  const PetscReal step = -1e-6;
  Case            c;
  WeftState       dx[2] = {NULL, NULL}, dy, moved;

  PetscFunctionBegin;
  PetscCall(Create(1, CELLS, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 0.0, PETSC_FALSE, WEFT_ADVECT_SEMI_LAGRANGIAN, &c));
  PetscCall(WeftStateCreate(c.velocity, &dx[1]));
  PetscCall(WeftStateCreate(c.fields, &dy));
  PetscCall(WeftStateCreate(c.fields, &moved));
  for (PetscInt i = 0; i < CELLS; i++) PetscCall(Set(c.x[0], 0, i, Value(i)));
  PetscCall(Set(dx[1], 0, -1, 1.0));
  PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
  PetscCall(WeftOpTangent(c.op, c.x, &c.y, NULL, dx, &dy));
  PetscCall(Set(c.x[1], 0, -1, step));
  PetscCall(WeftOpApply(c.op, c.x, &moved, NULL));
  PetscCall(WeftStateAXPY(moved, -1.0, c.y));
  for (PetscInt i = 0; i < CELLS; i++) {
    const PetscReal slope = Value(i) - Value((i + 1) % CELLS);
    PetscCall(Expect(dy, 0, i, 0, slope, 1e-14, "tangent at rest"));
    PetscCall(Expect(moved, 0, i, 0, slope * step, 1e-14, "difference from rest"));
  }
  PetscCall(WeftStateDestroy(&dx[1]));
  PetscCall(WeftStateDestroy(&dy));
  PetscCall(WeftStateDestroy(&moved));
  PetscCall(Destroy(&c));
  PetscFunctionReturn(0);
}

/* ---- sides --------------------------------------------------------------------------------------------------------- */

/* Cells keep the edge value beyond every side; a normal velocity has the wall's value at a closed one. */
static PetscErrorCode TestNormal(PetscBool faces, WeftWall wall)
{
  static const PetscReal moves[] = {0.4, 1.7, 3.4};

  PetscFunctionBegin;
  for (PetscInt side = WEFT_SIDE_NOSLIP; side <= WEFT_SIDE_OPEN; side++) {
    for (PetscInt m = 0; m < 3; m++) {
      const PetscBool closed = side != WEFT_SIDE_OPEN ? PETSC_TRUE : PETSC_FALSE;
      const PetscReal edge   = faces && closed ? (side == WEFT_SIDE_VELOCITY ? 0.7 : 0.0) : Value(0);
      Case            c;
      PetscCall(Create(1, CELLS, (WeftSide)side, wall, 0.7, faces, WEFT_ADVECT_SEMI_LAGRANGIAN, &c));
      for (PetscInt i = 0; i <= CELLS; i++) PetscCall(Set(c.x[0], 0, i, Value(i)));
      PetscCall(Set(c.x[1], 0, -1, moves[m]));
      PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
      PetscCall(Expect(c.y, 0, 1, 0, m == 0 ? 0.6 * Value(1) + 0.4 * edge : edge, 1e-14, "beside a side"));
      if (!faces || !closed) PetscCall(Expect(c.y, 0, 0, 0, edge, 1e-14, "beyond a side"));
      PetscCall(WeftGridAgree(c.grid));
      PetscCall(Destroy(&c));
    }
  }
  PetscFunctionReturn(0);
}

/* velocity_y beside an x side with velocity 3, moved m cells from beyond it: with VALUE it falls to the wall's over one spacing,
   with MIRROR it passes through the wall's half a spacing away and is held there; zero gradient at open sides. */
static PetscErrorCode TestTangential(void)
{
  static const PetscReal moves[] = {0.3, 1.7};

  PetscFunctionBegin;
  for (PetscInt kind = 0; kind < 3; kind++) {
    for (PetscInt m = 0; m < 2; m++) {
      const PetscReal w              = moves[m]; /* normal and tangential velocity of the wall */
      const PetscReal expected[3][2] = {{3.0 + 2.0 * 0.3 * (w - 3.0), w}, {3.0 + 0.3 * (w - 3.0), w}, {3.0, 3.0}};
      Case            c;
      PetscCall(Create(2, CELLS, kind < 2 ? WEFT_SIDE_VELOCITY : WEFT_SIDE_OPEN, kind == 0 ? WEFT_WALL_MIRROR : WEFT_WALL_VALUE,
                       w, PETSC_TRUE, WEFT_ADVECT_SEMI_LAGRANGIAN, &c));
      PetscCall(Set(c.x[0], 1, -1, 3.0));
      PetscCall(Set(c.x[1], 0, -1, w));
      PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
      PetscCall(Expect(c.y, 1, 0, CELLS / 2, expected[kind][m], 1e-14, "tangential velocity beside a side"));
      PetscCall(WeftGridAgree(c.grid));
      PetscCall(Destroy(&c));
    }
  }
  PetscFunctionReturn(0);
}

/* ---- accuracy -------------------------------------------------------------------------------------------------------- */

/* Mean error of one wave carried once around a periodic box, 0.4 cells a step. */
static PetscErrorCode WaveError(WeftAdvectScheme scheme, PetscInt cells, PetscReal *error)
{
  WeftState start;
  Case      c;

  PetscFunctionBegin;
  PetscCall(Create(1, cells, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 0.0, PETSC_FALSE, scheme, &c));
  PetscCall(WeftStateCreate(c.fields, &start));
  for (PetscInt i = 0; i < cells; i++) PetscCall(Set(start, 0, i, PetscSinReal(2.0 * PETSC_PI * i / cells)));
  PetscCall(WeftStateCopy(start, c.x[0]));
  PetscCall(Set(c.x[1], 0, -1, 0.4));
  for (PetscInt n = 0; n < cells * 5 / 2; n++) {
    PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
    PetscCall(WeftStateCopy(c.y, c.x[0]));
  }
  PetscCall(WeftStateAXPY(c.y, -1.0, start));
  PetscCall(WeftStateNorm(c.y, NORM_1, error));
  *error /= cells;
  PetscCall(WeftStateDestroy(&start));
  PetscCall(Destroy(&c));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestOrders(void)
{
  static const PetscReal least[2] = {0.9, 1.9};

  PetscFunctionBegin;
  for (PetscInt scheme = 0; scheme < 2; scheme++) {
    PetscReal coarse, fine, order;
    PetscCall(WaveError((WeftAdvectScheme)scheme, 64, &coarse));
    PetscCall(WaveError((WeftAdvectScheme)scheme, 128, &fine));
    order = PetscLog2Real(coarse / fine);
    TestCheck(order >= least[scheme], "scheme %" PetscInt_FMT ": order %.3f (errors %g, %g), expected at least %.1f", scheme,
              (double)order, (double)coarse, (double)fine, (double)least[scheme]);
  }
  PetscFunctionReturn(0);
}

/* MacCormack stays within the values around it: a step has no overshoot. */
static PetscErrorCode TestBounds(void)
{
  Case      c;
  PetscReal largest;

  PetscFunctionBegin;
  PetscCall(Create(1, CELLS, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 0.0, PETSC_FALSE, WEFT_ADVECT_MACCORMACK, &c));
  for (PetscInt i = 0; i < CELLS; i++) PetscCall(Set(c.x[0], 0, i, i < CELLS / 2 ? 1.0 : -1.0));
  PetscCall(Set(c.x[1], 0, -1, 0.3));
  for (PetscInt n = 0; n < 10; n++) {
    PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
    PetscCall(WeftStateCopy(c.y, c.x[0]));
  }
  PetscCall(WeftStateNorm(c.y, NORM_INFINITY, &largest));
  TestCheck(largest <= 1.0, "the limiter lets %g pass 1", (double)largest);
  PetscCall(Destroy(&c));
  PetscFunctionReturn(0);
}

/* ---- faults ---------------------------------------------------------------------------------------------------------- */

/* One rank alone sees that a place leaves the halo: all learn of it, and memory stays safe. */
static PetscErrorCode TestFaults(void)
{
  PetscFunctionBegin;
  for (PetscInt scheme = 0; scheme < 2; scheme++) {
    for (PetscInt k = 0; k < 3; k++) {
      const PetscReal wild = k == 0 ? 4.0 : k == 1 ? 1e300 : NAN;
      Case            c;
      PetscCall(Create(1, CELLS, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 0.0, PETSC_FALSE, (WeftAdvectScheme)scheme, &c));
      for (PetscInt i = 0; i < CELLS; i++) PetscCall(Set(c.x[0], 0, i, Value(i)));
      PetscCall(Set(c.x[1], 0, CELLS - 1, wild));
      PetscCall(Set(c.x[1], 0, CELLS - 2, wild));
      PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
      TestFails(WeftGridAgree(c.grid), "-grid_halo");
      PetscCall(WeftGridAgree(c.grid)); /* once told, it is forgotten */
      PetscCall(Set(c.x[1], 0, -1, 3.9));
      PetscCall(WeftOpApply(c.op, c.x, &c.y, NULL));
      PetscCall(WeftGridAgree(c.grid));
      PetscCall(WeftGridNote(c.grid, "first %d", 1));
      PetscCall(WeftGridNote(c.grid, "second %d", 2));
      TestFails(WeftGridAgree(c.grid), "first 1");
      PetscCall(Destroy(&c));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(TestShifts());
  PetscCall(TestTie());
  PetscCall(TestNormal(PETSC_FALSE, WEFT_WALL_MIRROR));
  PetscCall(TestNormal(PETSC_TRUE, WEFT_WALL_MIRROR));
  PetscCall(TestNormal(PETSC_TRUE, WEFT_WALL_VALUE));
  PetscCall(TestTangential());
  PetscCall(TestOrders());
  PetscCall(TestBounds());
  PetscCall(TestFaults());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
