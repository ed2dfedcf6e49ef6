/* Immersed obstacles: fixed masks on cells and faces from a list of shapes. */
#include "model/impl.h"

typedef enum { CIRCLE, BOX } ShapeKind;
typedef struct {
  ShapeKind kind;
  PetscInt  axes; /* how many axes the shape is limited along; a circle in three dimensions is a cylinder along z */
  PetscReal centre[3], radius, half[3];
} Shape;

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

static PetscErrorCode ShapeNumbers(const char *line, char *const words[], int count, PetscInt expected, PetscReal values[])
{
  PetscFunctionBegin;
  if (count - 1 != expected)
    return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes", "'%s' has %d numbers; %s needs %" PetscInt_FMT, line, count - 1,
                       words[0], expected);
  for (PetscInt i = 0; i < expected; i++) {
    char *end;
    values[i] = strtod(words[i + 1], &end);
    if (*end || !PetscIsNormalReal(values[i] == 0.0 ? 1.0 : values[i]))
      return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes", "'%s' of '%s' is no number", words[i + 1], line);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ShapeFromWords(const char *line, char *const words[], int count, PetscInt dim, Shape *shape)
{
  PetscBool circle, sphere, box;
  PetscReal v[6];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(shape, sizeof(*shape)));
  PetscCall(PetscStrcmp(words[0], "circle", &circle));
  PetscCall(PetscStrcmp(words[0], "sphere", &sphere));
  PetscCall(PetscStrcmp(words[0], "box", &box));
  if ((circle && dim < 2) || (sphere && dim < 3))
    return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes", "'%s' needs a grid of %d dimensions", line, circle ? 2 : 3);
  if (!circle && !sphere && !box)
    return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes",
                       "'%s' is no shape; use circle X Y R, sphere X Y Z R, or box with its two corners", words[0]);
  shape->kind = box ? BOX : CIRCLE;
  shape->axes = box ? dim : circle ? 2 : 3;
  PetscCall(ShapeNumbers(line, words, count, box ? 2 * dim : shape->axes + 1, v));
  for (PetscInt a = 0; a < shape->axes; a++) {
    shape->centre[a] = box ? 0.5 * (v[a] + v[dim + a]) : v[a];
    shape->half[a]   = box ? 0.5 * (v[dim + a] - v[a]) : 0.0;
    if (box && shape->half[a] <= 0.0)
      return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes",
                         "'%s' ends at %g, not above %g, along %c; give the lower corner first", line, (double)v[dim + a],
                         (double)v[a], "xyz"[a]);
  }
  if (!box) {
    shape->radius = v[shape->axes];
    if (shape->radius <= 0.0)
      return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes", "'%s': the radius must be positive", line);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ShapesFromKeys(PetscInt dim, PetscInt *count, Shape **shapes)
{
  char **lines;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("obstacle_shapes", &lines, count));
  PetscCall(PetscMalloc1(*count, shapes));
  for (PetscInt s = 0; s < *count; s++) {
    char **words;
    int    n;
    PetscCall(PetscStrToArray(lines[s], ' ', &n, &words));
    if (!n) return WeftFailKey(PETSC_COMM_WORLD, "obstacle_shapes", "an empty line is no shape");
    PetscCall(ShapeFromWords(lines[s], words, n, dim, &(*shapes)[s]));
    PetscCall(PetscStrToArrayDestroy(n, words));
  }
  PetscCall(WeftFreeStringList(&lines, *count));
  PetscFunctionReturn(0);
}

/* Signed distance of a place from a shape (negative inside); the nearest image along periodic axes. */
static PetscReal Distance(const WeftLayout *l, const Shape *shape, const double place[3])
{
  PetscReal outside = 0.0, inside = PETSC_MIN_REAL;

  for (PetscInt a = 0; a < shape->axes; a++) {
    const PetscReal length = l->cells[a] * l->h[a];
    PetscReal       d      = place[a] - shape->centre[a];
    if (l->side[a][0] == WEFT_SIDE_PERIODIC) d -= length * PetscFloorReal(d / length + 0.5);
    if (shape->kind == BOX) {
      d      = PetscAbsReal(d) - shape->half[a];
      inside = PetscMax(inside, d);
      d      = PetscMax(d, 0.0);
    }
    outside += d * d;
  }
  return shape->kind == CIRCLE ? PetscSqrtReal(outside) - shape->radius : inside < 0.0 ? inside : PetscSqrtReal(outside);
}

/* ---- masks ----------------------------------------------------------------------------------------------------- */

typedef enum { MASK_SOFT, MASK_SHARP, MASK_CLOSED, MASK_CELL } Mask;

/* Distance from the nearest shape. */
static PetscReal Nearest(const WeftLayout *l, PetscInt count, const Shape shapes[], const double place[3])
{
  PetscReal d = PETSC_MAX_REAL;
  for (PetscInt s = 0; s < count; s++) d = PetscMin(d, Distance(l, &shapes[s], place));
  return d;
}

static double FactorOf(const WeftLayout *l, PetscInt axis, PetscInt count, const Shape shapes[], Mask mask, PetscReal h,
                       const double place[3])
{
  double below[3], above[3];

  if (mask == MASK_SOFT) return PetscMin(PetscMax(Nearest(l, count, shapes, place) * PetscSqrtReal(2.0) / h, 0.0), 1.0);
  if (mask != MASK_CLOSED) return Nearest(l, count, shapes, place) > 0.0;
  for (PetscInt a = 0; a < 3; a++) below[a] = above[a] = place[a];
  below[axis] -= 0.5 * l->h[axis];
  above[axis] += 0.5 * l->h[axis];
  return Nearest(l, count, shapes, below) > 0.0 && Nearest(l, count, shapes, above) > 0.0;
}

static void FillMask(WeftState state, PetscInt field, PetscInt count, const Shape shapes[], Mask mask)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  double              *plane = WeftStatePlaneWrite(state, field, 0);
  PetscReal            h     = l->h[0];
  PetscInt             lo[3], hi[3];

  for (PetscInt a = 1; a < l->dim; a++) h = PetscMin(h, l->h[a]);
  WeftLayoutOwned(l, info->location[field], lo, hi);
  for (PetscInt k = lo[2]; k < hi[2]; k++) {
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        double place[3];
        WeftPlace(l, info->location[field], i, j, k, place);
        plane[WeftLayoutIndex(l, i, j, k)] = FactorOf(l, field, count, shapes, mask, h, place);
      }
    }
  }
}

/* A shape that closes no cell, or shapes that close all, are mistakes of the case. */
static PetscErrorCode CheckCells(WeftGrid grid, WeftState open)
{
  const WeftLayout *l   = WeftGridLayout(grid);
  const PetscReal   all = (PetscReal)l->cells[0] * l->cells[1] * l->cells[2];
  PetscReal         left;

  PetscFunctionBegin;
  PetscCall(WeftStateNorm(open, NORM_1, &left));
  if (left == all)
    return WeftFailKey(WeftSpaceGetInfo(WeftStateSpace(open))->comm, "obstacle_shapes",
                       "no cell has its centre inside; the shapes lie outside the box or are smaller than a cell");
  if (left == 0.0)
    return WeftFailKey(WeftSpaceGetInfo(WeftStateSpace(open))->comm, "obstacle_shapes", "the shapes fill the whole box");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObstacleFromKeys(WeftGrid grid, WeftState *open, WeftState *faces)
{
  static const char *const  name[]     = {"open"};
  static const WeftLocation location[] = {WEFT_CELL};
  const PetscInt            dim        = WeftGridLayout(grid)->dim;
  PetscInt                  count, mask;
  Shape                    *shapes;
  WeftSpace                 space;

  PetscFunctionBegin;
  *open  = NULL;
  *faces = NULL;
  PetscCall(ShapesFromKeys(dim, &count, &shapes));
  if (count) {
    PetscCall(WeftGetEnum("obstacle_mask", &mask));
    PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, name, location, &space));
    PetscCall(WeftStateCreate(space, open));
    PetscCall(WeftSpaceDestroy(&space));
    FillMask(*open, 0, count, shapes, MASK_CELL);
    PetscCall(CheckCells(grid, *open));
    PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
    PetscCall(WeftStateCreate(space, faces));
    PetscCall(WeftSpaceDestroy(&space));
    for (PetscInt a = 0; a < dim; a++) FillMask(*faces, a, count, shapes, (Mask)mask);
  }
  PetscCall(PetscFree(shapes));
  PetscFunctionReturn(0);
}
