/* ctest: unit; ranks 1 2; timeout 30 */
/* Masks of obstacles against the distance of each place, in two and three dimensions, of every kind, across a periodic side. */
#include <math.h>
#include <weft/model.h>
#include "support.h"

typedef double (*DistanceOf)(const double place[3]);
static double Circle(const double p[3])
{
  return hypot(p[0] - 4.3, p[1] - 5.1) - 2.2;
}
static double Sphere(const double p[3])
{
  return sqrt((p[0] - 4.0) * (p[0] - 4.0) + (p[1] - 4.0) * (p[1] - 4.0) + (p[2] - 4.0) * (p[2] - 4.0)) - 2.5;
}
static double Box(const double p[3])
{
  const double x = fmax(2.0 - p[0], p[0] - 4.5), y = fmax(3.0 - p[1], p[1] - 6.0);
  return x < 0.0 && y < 0.0 ? fmax(x, y) : hypot(fmax(x, 0.0), fmax(y, 0.0));
}
static double Wrapped(const double p[3])
{
  return hypot(p[0] > 5.0 ? p[0] - 10.0 : p[0], p[1] - 5.0) - 2.0;
} /* centre on the periodic side */

/* mask: soft, sharp, closed; cells are sharp always. */
static double Expected(DistanceOf distance, const double p[3], const char *mask, PetscInt axis, double h)
{
  double below[3] = {p[0], p[1], p[2]}, above[3] = {p[0], p[1], p[2]};

  if (!strcmp(mask, "soft")) return fmin(fmax(distance(p) * sqrt(2.0) / h, 0.0), 1.0);
  if (!strcmp(mask, "sharp")) return distance(p) > 0.0;
  below[axis] -= 0.5 * h;
  above[axis] += 0.5 * h;
  return distance(below) > 0.0 && distance(above) > 0.0;
}

static PetscErrorCode CheckState(WeftState state, DistanceOf distance, const char *mask)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt at[3] = {i, j, k};
          double         p[3]  = {0.0, 0.0, 0.0};
          for (PetscInt a = 0; a < l->dim; a++) p[a] = (at[a] + ((PetscInt)info->location[f] == a ? 0.0 : 0.5)) * l->h[a];
          PetscCall(TestClose(WeftStatePlane(state, f, 0)[WeftLayoutIndex(l, i, j, k)], Expected(distance, p, mask, f, l->h[0]),
                              1e-12, "mask"));
        }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode One(PetscInt dim, WeftSide x, const char *shape, const char *mask, DistanceOf distance)
{
  WeftGridOptions box;
  WeftState       open, faces;
  WeftGrid        grid;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim  = dim;
  box.halo = 2;
  for (PetscInt a = 0; a < dim; a++) {
    box.cells[a] = 20;
    box.upper[a] = 10.0;
    for (PetscInt s = 0; s < 2; s++) box.side[a][s] = a ? WEFT_SIDE_OPEN : x;
  }
  PetscCall(TestSetKey("obstacle_shapes", shape));
  PetscCall(TestSetKey("obstacle_mask", mask));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftObstacleFromKeys(grid, &open, &faces));
  PetscCall(CheckState(open, distance, "sharp"));
  PetscCall(CheckState(faces, distance, mask));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftStateDestroy(&faces));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Fault(const char *shape, const char *message)
{
  WeftGridOptions box;
  WeftState       open, faces;
  WeftGrid        grid;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = box.cells[1] = 16;
  box.upper[0] = box.upper[1] = 10.0;
  for (PetscInt a = 0; a < 2; a++) box.side[a][0] = box.side[a][1] = WEFT_SIDE_NOSLIP;
  PetscCall(TestSetKey("obstacle_shapes", shape));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  TestFails(WeftObstacleFromKeys(grid, &open, &faces), message);
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const char *const faults[][2] = {{"circle 5 5", "circle needs 3"},
                                          {"circle 5 5 0", "the radius must be positive"},
                                          {"circle 5 5 two", "is no number"},
                                          {"box 5 5 1 1", "give the lower corner first"},
                                          {"disc 5 5 1", "'disc' is no shape"},
                                          {"sphere 5 5 5 1", "needs a grid of 3 dimensions"},
                                          {"circle 50 50 1", "no cell has its centre inside"},
                                          {"box -1 -1 11 11", "fill the whole box"}};

  PetscFunctionBegin;
  PetscCall(One(2, WEFT_SIDE_NOSLIP, "circle 4.3 5.1 2.2", "soft", Circle));
  PetscCall(One(2, WEFT_SIDE_NOSLIP, "circle 4.3 5.1 2.2", "sharp", Circle));
  PetscCall(One(2, WEFT_SIDE_NOSLIP, "circle 4.3 5.1 2.2", "closed", Circle));
  PetscCall(One(3, WEFT_SIDE_OPEN, "sphere 4 4 4 2.5", "closed", Sphere));
  PetscCall(One(3, WEFT_SIDE_NOSLIP, "circle 4.3 5.1 2.2", "soft", Circle));
  PetscCall(One(3, WEFT_SIDE_OPEN, "sphere 4 4 4 2.5", "soft", Sphere));
  PetscCall(One(2, WEFT_SIDE_SLIP, "box 2 3 4.5 6", "soft", Box));
  PetscCall(One(2, WEFT_SIDE_PERIODIC, "circle 0 5 2", "soft", Wrapped));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(faults); i++) PetscCall(Fault(faults[i][0], faults[i][1]));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
