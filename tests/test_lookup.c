/* ctest: unit; ranks 1 2; timeout 60 */
/* Lookups whose strips are read in rows make the bits of lookups that gather every node alone (op/strip.h), on every side, for
   velocities under which strips are near, far, and held at sides. */
#include <string.h>
#include "op/strip.h"
#include "support.h"

enum { FIELD, BAR, DFIELD, FORWARD, INPUTS }; /* random planes */
enum { VALUE, DVALUE, LIMITED, CODE, UNCODED, SPREAD, MOVED, MOVED_BAR = MOVED + 3, OUTPUTS = MOVED_BAR + 3 };

typedef struct {
  WeftGrid   grid;
  WeftSpace  fields, velocity;
  WeftState  in[INPUTS], out[2][OUTPUTS], u[2]; /* velocity and its tangent */
  PetscInt64 strips, near;
} Case;

static PetscErrorCode Create(PetscInt dim, WeftSide side, WeftWall wall, Case *c)
{
  static const PetscInt     cells[3][3] = {{150, 1, 1}, {150, 12, 1}, {70, 9, 10}};
  static const char *const  names[]     = {"smoke", "velocity_x", "velocity_y", "velocity_z"};
  static const WeftLocation places[]    = {WEFT_CELL, WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};
  WeftGridOptions           options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim  = dim;
  options.wall = wall;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a] = cells[dim - 1][a];
    options.upper[a] = options.cells[a];
    for (PetscInt s = 0; s < 2; s++) options.side[a][s] = side;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &c->grid));
  PetscCall(WeftSpaceCreateVelocity(c->grid, 1, &c->velocity));
  PetscCall(WeftSpaceCreatePlanes(c->grid, 1, dim + 1, names, places, &c->fields));
  for (PetscInt i = 0; i < INPUTS; i++) {
    PetscCall(WeftStateCreate(c->fields, &c->in[i]));
    PetscCall(WeftStateSetRandom(c->in[i], 11 + i, 0, 0.0, 1.0));
    PetscCall(WeftStateHalo(c->in[i], WeftGridLayout(c->grid)->halo[0], i == BAR ? WEFT_GHOST_ZERO : WEFT_GHOST_VALUE));
  }
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateCreate(c->velocity, &c->u[i]));
  for (PetscInt plain = 0; plain < 2; plain++)
    for (PetscInt i = 0; i < OUTPUTS; i++) PetscCall(WeftStateCreate(c->fields, &c->out[plain][i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Case *c)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < INPUTS; i++) PetscCall(WeftStateDestroy(&c->in[i]));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&c->u[i]));
  for (PetscInt plain = 0; plain < 2; plain++)
    for (PetscInt i = 0; i < OUTPUTS; i++) PetscCall(WeftStateDestroy(&c->out[plain][i]));
  PetscCall(WeftSpaceDestroy(&c->fields));
  PetscCall(WeftSpaceDestroy(&c->velocity));
  PetscCall(WeftGridDestroy(&c->grid));
  PetscFunctionReturn(0);
}

/* offset + amplitude * waves that are smooth on the grid, in cells per step. */
static PetscErrorCode SetVelocity(Case *c, PetscReal offset, PetscReal amplitude)
{
  const WeftLayout *l = WeftGridLayout(c->grid);

  PetscFunctionBegin;
  for (PetscInt v = 0; v < 2; v++) {
    for (PetscInt a = 0; a < l->dim; a++) {
      double  *plane = WeftStatePlaneWrite(c->u[v], a, 0);
      PetscInt lo[3], hi[3];
      WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++)
            plane[WeftLayoutIndex(l, i, j, k)] =
                offset + amplitude * PetscSinReal(0.04 * i + 0.9 * j + 0.5 * k + (PetscReal)(a + v));
    }
    PetscCall(WeftStateHalo(c->u[v], l->halo[0], v ? WEFT_GHOST_LINEAR : WEFT_GHOST_VALUE));
  }
  PetscFunctionReturn(0);
}

/* All kernels on a field, into out[plain]. */
static PetscErrorCode Run(Case *c, PetscInt field, PetscBool plain)
{
  const WeftLayout *l = WeftGridLayout(c->grid);
  const double     *u[3], *du[3], *in[INPUTS];
  double           *d[3], *d_bar[3], *spread;
  WeftState        *out   = c->out[plain];
  PetscInt          fault = 0;
  WeftLookup        g;

  PetscFunctionBegin;
  WeftLookupSetUp(l, WeftSpaceGetInfo(c->fields)->location[field], 1.0, &g);
  g.plain = plain;
  for (PetscInt i = 0; i < INPUTS; i++) in[i] = WeftStatePlane(c->in[i], field, 0);
  for (PetscInt a = 0; a < l->dim; a++) {
    u[a]     = WeftStatePlane(c->u[0], a, 0);
    du[a]    = WeftStatePlane(c->u[1], a, 0);
    d[a]     = WeftStatePlaneWrite(out[MOVED + a], field, 0);
    d_bar[a] = WeftStatePlaneWrite(out[MOVED_BAR + a], field, 0);
  }
  WeftLookupValues(&g, -1, u, in[FIELD], WeftStatePlaneWrite(out[VALUE], field, 0), &fault);
  TestCheck(!fault, "a displacement leaves the halo");
  WeftLookupTangent(&g, -1, u, in[FIELD], du, in[DFIELD], WeftStatePlaneWrite(out[DVALUE], field, 0));
  WeftLookupLimit(&g, u, in[FIELD], in[FORWARD], WeftStatePlaneWrite(out[LIMITED], field, 0),
                  WeftStatePlaneWrite(out[CODE], field, 0));
  WeftLookupLimit(&g, u, in[FIELD], in[FORWARD], WeftStatePlaneWrite(out[UNCODED], field, 0), NULL);
  WeftLookupDisplace(&g, PETSC_TRUE, u, d);
  for (PetscInt a = 0; a < l->dim; a++) PetscCall(WeftStateHalo(out[MOVED + a], l->halo[0], WEFT_GHOST_ZERO));
  spread = WeftStatePlaneWrite(out[SPREAD], field, 0);
  for (PetscInt i = 0; i < l->plane; i++)
    spread[i] = i % 3 ? -0.0 : 0.1 * (double)(i % 7); /* a sum that gets nothing keeps its sign */
  WeftLookupAdjoint(&g, -1, u, (const double *const *)d, in[FIELD], 1.5, in[BAR], PETSC_FALSE, d_bar, spread);
  WeftLookupAdjoint(&g, 1, u, (const double *const *)d, in[FORWARD], -0.5, in[BAR], PETSC_TRUE, d_bar, spread);
  if (plain) PetscFunctionReturn(0);
  WEFT_FOR_STRIPS(&g, g.lo, g.hi, s)
  {
    WeftPlaces p;
    (void)WeftStripPlaceBy(&g, &s, -1.0, u, &p);
    c->strips++;
    c->near += p.near;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Compare(Case *c, PetscInt dim, WeftSide side)
{
  static const char *const what[] = {"values", "tangent", "limited values", "limiter's codes", "limited values alone", "scattered values"};

  PetscFunctionBegin;
  for (PetscInt field = 0; field <= dim; field++) {
    PetscCall(Run(c, field, PETSC_FALSE));
    PetscCall(Run(c, field, PETSC_TRUE));
    for (PetscInt o = 0; o < OUTPUTS; o++) {
      const size_t bytes = sizeof(double) * (size_t)WeftGridLayout(c->grid)->plane;
      TestCheck(!memcmp(WeftStatePlane(c->out[0][o], field, 0), WeftStatePlane(c->out[1][o], field, 0), bytes),
                "%" PetscInt_FMT "D, sides %s, field %" PetscInt_FMT ": %s differ from those of the plain lookup", dim,
                WeftSides[side], field,
                o < MOVED       ? what[o]
                : o < MOVED_BAR ? "displacements"
                                : "their adjoints");
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  /* offset, amplitude; below a cell, below two, near the halo's width, more than two cells within a strip; at rest */
  static const PetscReal moves[][2] = {{0.0, 0.9}, {1.2, 0.3}, {-3.5, 0.4}, {0.3, 3.5}, {0.0, 0.0}};
  PetscInt64             sums[2]    = {0, 0};

  PetscFunctionBegin;
  for (PetscInt dim = 1; dim <= 3; dim++)
    for (PetscInt side = 0; side <= WEFT_SIDE_OPEN; side++) {
      Case c = {NULL};
      PetscCall(Create(dim, (WeftSide)side, side % 2 ? WEFT_WALL_VALUE : WEFT_WALL_MIRROR, &c));
      for (size_t m = 0; m < PETSC_STATIC_ARRAY_LENGTH(moves); m++) {
        PetscCall(SetVelocity(&c, moves[m][0], moves[m][1]));
        PetscCall(Compare(&c, dim, (WeftSide)side));
      }
      sums[0] += c.strips;
      sums[1] += c.near;
      PetscCall(Destroy(&c));
    }
  TestCheck(10 * sums[1] > 3 * sums[0] && 10 * sums[1] < 9 * sums[0],
            "%d of %d strips are near: the test has not seen both ways", (int)sums[1], (int)sums[0]);
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
