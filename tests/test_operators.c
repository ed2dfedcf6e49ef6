/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Values of the operators of src/op: identities that hold to round-off, and orders of accuracy. (That tangents and adjoints
   belong to these values is for the contract test.) */
#include <weft/op.h>
#include "support.h"

#define ROUND_OFF 1e-12

/* ---- boxes and fields --------------------------------------------------------------------------------------------- */

typedef struct {
  WeftGrid  grid;
  WeftSpace velocity, scalar, vector; /* faces; one cell field; one cell field per axis */
} Box;

static const double wall_velocity[3] = {1.0, 0.5, -0.25};

/* The unit box, cut along its last axis only. */
static PetscErrorCode CreateBox(PetscInt dim, const PetscInt cells[3], WeftSide below, WeftSide above, WeftWall wall, PetscInt granularity, Box *box)
{
  static const char *const  names[]     = {"a", "b", "c"};
  static const WeftLocation locations[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};
  WeftGridOptions           options;
  PetscMPIInt               size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim         = dim;
  options.halo        = 2;
  options.granularity = granularity;
  options.wall        = wall;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a]   = cells[a];
    options.ranks[a]   = a == dim - 1 ? size : 1;
    options.side[a][0] = below;
    options.side[a][1] = above;
    for (PetscInt s = 0; s < 2 && options.side[a][s] == WEFT_SIDE_VELOCITY; s++) PetscCall(PetscArraycpy(options.side_velocity[a][s], wall_velocity, 3));
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &box->grid));
  PetscCall(WeftSpaceCreateVelocity(box->grid, 2, &box->velocity));
  PetscCall(WeftSpaceCreatePlanes(box->grid, 2, 1, names, locations, &box->scalar));
  PetscCall(WeftSpaceCreatePlanes(box->grid, 2, dim, names, locations, &box->vector));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyBox(Box *box)
{
  PetscFunctionBegin;
  PetscCall(WeftSpaceDestroy(&box->velocity));
  PetscCall(WeftSpaceDestroy(&box->scalar));
  PetscCall(WeftSpaceDestroy(&box->vector));
  PetscCall(WeftGridDestroy(&box->grid));
  PetscFunctionReturn(0);
}

typedef double (*Function)(const double place[3], PetscInt field, PetscInt sample);

/* Sets a state to a function of the place, or (error not NULL) takes the largest distance from it, over all ranks. */
static PetscErrorCode Visit(WeftState state, Function function, double *error)
{
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  double               largest = 0.0;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < info->fields * info->batch; n++) {
    const PetscInt f = n / info->batch, b = n % info->batch;
    double        *plane = error ? (double *)WeftStatePlane(state, f, b) : WeftStatePlaneWrite(state, f, b);
    PetscInt       lo[3], hi[3], at[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (at[2] = lo[2]; at[2] < hi[2]; at[2]++) {
      for (at[1] = lo[1]; at[1] < hi[1]; at[1]++) {
        for (at[0] = lo[0]; at[0] < hi[0]; at[0]++) {
          double place[3] = {0.0, 0.0, 0.0}, *value = plane + WeftLayoutIndex(l, at[0], at[1], at[2]);
          for (PetscInt a = 0; a < l->dim; a++) place[a] = l->lower[a] + (at[a] + ((PetscInt)info->location[f] == a ? 0.0 : 0.5)) * l->h[a];
          if (!error) *value = function(place, f, b);
          else largest = PetscMax(largest, PetscAbsReal(*value - function(place, f, b)));
        }
      }
    }
  }
  if (error) PetscCallMPI(MPI_Allreduce(&largest, error, 1, MPI_DOUBLE, MPI_MAX, info->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(WeftSpace space, Function function, WeftState *state)
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, state));
  PetscCall(Visit(*state, function, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateRandom(WeftSpace space, PetscInt64 seed, WeftState *state)
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, state));
  PetscCall(WeftStateSetRandom(*state, seed, 0, 0.0, 1.0));
  PetscFunctionReturn(0);
}

/* One number per sample and place: value 1, 2, ... times `unit`. */
static PetscErrorCode CreateNumbers(WeftSpace space, double unit, WeftState *state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, state));
  for (PetscInt i = 0; i < info->count * info->batch; i++) ((double *)WeftStateDataWrite(*state))[i] = unit * (i + 1);
  PetscFunctionReturn(0);
}

/* y = op(x), in a new state; the operator is used up. */
static PetscErrorCode Take(WeftOp *op, const WeftState x[], WeftState *y)
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftOpOutSpace(*op, 0), y));
  PetscCall(WeftOpApply(*op, x, y, NULL));
  PetscCall(WeftOpDestroy(op));
  PetscFunctionReturn(0);
}

/* The state is the function to a tolerance; it is used up. */
static PetscErrorCode Near(WeftState *state, Function expected, double tolerance, const char *what)
{
  double error;

  PetscFunctionBegin;
  PetscCall(Visit(*state, expected, &error));
  PetscCall(TestClose(error, 0.0, tolerance, what));
  PetscCall(WeftStateDestroy(state));
  PetscFunctionReturn(0);
}

static double Wave(const double p[3], PetscInt field, PetscInt sample)
{
  return sin(2.0 * PETSC_PI * (p[0] + 0.1 * (field + 2 * sample + 1))) * cos(2.0 * PETSC_PI * (p[1] - 0.2)) * cos(2.0 * PETSC_PI * (p[2] + 0.3));
}

static double Linear(const double p[3], PetscInt field, PetscInt sample) { return field + 2 * sample + 1.0 + 2.0 * p[0] - 3.0 * p[1] + 0.5 * p[2]; }

static double Uniform(const double p[3], PetscInt field, PetscInt sample)
{
  (void)p;
  (void)sample;
  return wall_velocity[field];
}

static double Zero(const double p[3], PetscInt field, PetscInt sample)
{
  (void)p;
  (void)field;
  (void)sample;
  return 0.0;
}

/* ---- divergence and gradient -------------------------------------------------------------------------------------- */

/* div grad of a wave is the eigenvalue of the 3-, 5- or 7-point Laplacian, -sum 4 sin^2(pi h) / h^2, times the wave. */
static PetscErrorCode TestLaplacian(PetscInt dim)
{
  const PetscInt cells[3]   = {12, 8, 16};
  double         eigenvalue = 0.0, distance;
  Box            box;
  WeftState      p, u, d;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(dim, cells, WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 1, &box));
  for (PetscInt a = 0; a < dim; a++) eigenvalue -= 4.0 * PetscSqr(sin(PETSC_PI / cells[a]) * cells[a]);
  PetscCall(Create(box.scalar, Wave, &p));
  PetscCall(WeftOpCreateGradient(box.scalar, box.velocity, &op));
  PetscCall(Take(&op, &p, &u));
  PetscCall(WeftOpCreateDivergence(box.velocity, box.scalar, &op));
  PetscCall(Take(&op, &u, &d));
  PetscCall(WeftStateAXPY(d, -eigenvalue, p));
  PetscCall(WeftStateNorm(d, NORM_INFINITY, &distance));
  PetscCall(TestClose(distance / eigenvalue, 0.0, ROUND_OFF, "divergence of the gradient against the Laplacian"));
  PetscCall(WeftStateDestroy(&p));
  PetscCall(WeftStateDestroy(&u));
  PetscCall(WeftStateDestroy(&d));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* <div u, p> = -<u, grad p> between walls at rest and open sides. */
static PetscErrorCode TestTranspose(PetscInt dim, WeftSide below, WeftSide above)
{
  const PetscInt cells[3] = {9, 11, 13};
  double         left, right, size;
  Box            box;
  WeftState      p, u, gradient, divergence;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(dim, cells, below, above, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(CreateRandom(box.scalar, 3, &p));
  PetscCall(CreateRandom(box.velocity, 4, &u));
  PetscCall(WeftOpCreateGradient(box.scalar, box.velocity, &op));
  PetscCall(Take(&op, &p, &gradient));
  PetscCall(WeftOpCreateDivergence(box.velocity, box.scalar, &op));
  PetscCall(Take(&op, &u, &divergence));
  PetscCall(WeftStateDot(divergence, p, &left));
  PetscCall(WeftStateDot(u, gradient, &right));
  PetscCall(WeftStateNorm(divergence, NORM_2, &size));
  TestCheck(PetscAbsReal(left) > 1e-3 * size, "<div u, p> = %g tells nothing", (double)left);
  PetscCall(TestClose(left + right, 0.0, ROUND_OFF * size, "<div u, p> + <u, grad p>"));
  PetscCall(WeftStateDestroy(&p));
  PetscCall(WeftStateDestroy(&u));
  PetscCall(WeftStateDestroy(&gradient));
  PetscCall(WeftStateDestroy(&divergence));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* A uniform flow through walls that prescribe it has no divergence, is the same at cells, and does not diffuse: each only if
   the faces and ghosts at the walls hold what is prescribed. */
static PetscErrorCode TestWalls(PetscInt dim, WeftWall wall)
{
  const PetscInt cells[3] = {8, 9, 10};
  Box            box;
  WeftState      x[2], y;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(dim, cells, WEFT_SIDE_VELOCITY, WEFT_SIDE_VELOCITY, wall, 1, &box));
  PetscCall(Create(box.velocity, Uniform, &x[0]));
  PetscCall(WeftOpCreateDivergence(box.velocity, box.scalar, &op));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Zero, 0.0, "divergence of a uniform flow"));
  PetscCall(WeftOpCreateFacesToCells(box.velocity, box.vector, &op));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Uniform, 0.0, "a uniform flow at cells"));
  PetscCall(WeftOpCreateDiffuse(box.velocity, 0.1, &op));
  PetscCall(CreateNumbers(WeftOpInSpace(op, 1), 1.0, &x[1]));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Uniform, 0.0, "a uniform flow after diffusion"));
  PetscCall(WeftStateDestroy(&x[0]));
  PetscCall(WeftStateDestroy(&x[1]));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* ---- restriction -------------------------------------------------------------------------------------------------- */

static const PetscInt coarse_cells[3] = {12, 8, 8}, ratio[3] = {4, 3, 2};

/* Two boxes with a ratio of their own along each axis; blocks are cut along the last one, whose ratio sets the granularity. */
static PetscErrorCode CreateBoxes(PetscInt dim, WeftSide below, WeftSide above, Box *fine, Box *coarse)
{
  PetscInt cells[3];

  PetscFunctionBegin;
  for (PetscInt a = 0; a < 3; a++) cells[a] = ratio[a] * coarse_cells[a];
  PetscCall(CreateBox(dim, coarse_cells, below, above, WEFT_WALL_MIRROR, 1, coarse));
  PetscCall(CreateBox(dim, cells, below, above, WEFT_WALL_MIRROR, ratio[dim - 1], fine));
  PetscFunctionReturn(0);
}

/* Means of a linear function over children are its values at the coarse places, faces of open sides included. */
static PetscErrorCode TestRestrictLinear(PetscInt dim)
{
  Box       fine, coarse;
  WeftState x, y;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(CreateBoxes(dim, WEFT_SIDE_OPEN, WEFT_SIDE_NOSLIP, &fine, &coarse));
  PetscCall(Create(fine.velocity, Linear, &x));
  PetscCall(WeftOpCreateRestrict(fine.velocity, coarse.velocity, &op));
  PetscCall(Take(&op, &x, &y));
  PetscCall(Near(&y, Linear, ROUND_OFF, "restriction of a linear field at faces"));
  PetscCall(WeftStateDestroy(&x));
  PetscCall(Create(fine.vector, Linear, &x));
  PetscCall(WeftOpCreateRestrict(fine.vector, coarse.vector, &op));
  PetscCall(Take(&op, &x, &y));
  PetscCall(Near(&y, Linear, ROUND_OFF, "restriction of a linear field at cells"));
  PetscCall(WeftStateDestroy(&x));
  PetscCall(DestroyBox(&fine));
  PetscCall(DestroyBox(&coarse));
  PetscFunctionReturn(0);
}

/* The divergence of the restricted velocity is the mean divergence of the children. */
static PetscErrorCode TestRestrictDivergence(PetscInt dim, WeftSide below, WeftSide above)
{
  double    size, distance;
  Box       fine, coarse;
  WeftState u, restricted, first, divergence, second;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(CreateBoxes(dim, below, above, &fine, &coarse));
  PetscCall(CreateRandom(fine.velocity, 5, &u));
  PetscCall(WeftOpCreateRestrict(fine.velocity, coarse.velocity, &op));
  PetscCall(Take(&op, &u, &restricted));
  PetscCall(WeftOpCreateDivergence(coarse.velocity, coarse.scalar, &op));
  PetscCall(Take(&op, &restricted, &first));
  PetscCall(WeftOpCreateDivergence(fine.velocity, fine.scalar, &op));
  PetscCall(Take(&op, &u, &divergence));
  PetscCall(WeftOpCreateRestrict(fine.scalar, coarse.scalar, &op));
  PetscCall(Take(&op, &divergence, &second));
  PetscCall(WeftStateNorm(first, NORM_INFINITY, &size));
  PetscCall(WeftStateAXPY(first, -1.0, second));
  PetscCall(WeftStateNorm(first, NORM_INFINITY, &distance));
  TestCheck(size > 1.0, "a divergence of %g tells nothing", (double)size);
  PetscCall(TestClose(distance / size, 0.0, ROUND_OFF, "divergence of the restriction against restriction of the divergence"));
  PetscCall(WeftStateDestroy(&u));
  PetscCall(WeftStateDestroy(&restricted));
  PetscCall(WeftStateDestroy(&first));
  PetscCall(WeftStateDestroy(&divergence));
  PetscCall(WeftStateDestroy(&second));
  PetscCall(DestroyBox(&fine));
  PetscCall(DestroyBox(&coarse));
  PetscFunctionReturn(0);
}

/* ---- diffusion and interpolation ---------------------------------------------------------------------------------- */

/* One step takes a wave to 1 - dt nu sum 4 sin^2(pi h) / h^2 times itself, with the viscosity of each sample. */
static PetscErrorCode TestGrowthFactor(PetscInt dim)
{
  const PetscInt cells[3] = {12, 8, 16};
  const double   dt = 0.002, nu = 0.3;
  double         sum = 0.0, error;
  Box            box;
  WeftState      x[2], y;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(dim, cells, WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(WeftOpCreateDiffuse(box.velocity, dt, &op));
  PetscCall(Create(box.velocity, Wave, &x[0]));
  PetscCall(CreateNumbers(WeftOpInSpace(op, 1), nu, &x[1]));
  PetscCall(Take(&op, x, &y));
  for (PetscInt a = 0; a < dim; a++) sum += 4.0 * PetscSqr(sin(PETSC_PI / cells[a]) * cells[a]);
  for (PetscInt f = 0; f < dim; f++) {
    for (PetscInt b = 0; b < 2; b++) { /* undo the factor of the sample: the wave must be left, ghosts do not matter */
      double *plane = WeftStatePlaneWrite(y, f, b);
      for (PetscInt i = 0; i < WeftGridLayout(box.grid)->plane; i++) plane[i] /= 1.0 - dt * nu * (b + 1) * sum;
    }
  }
  PetscCall(Visit(y, Wave, &error));
  PetscCall(TestClose(error, 0.0, ROUND_OFF, "growth factor of diffusion"));
  PetscCall(WeftStateDestroy(&x[0]));
  PetscCall(WeftStateDestroy(&x[1]));
  PetscCall(WeftStateDestroy(&y));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* Zero on the walls of the unit square, as noslip asks; its Laplacian is -2 pi^2 times itself. */
static double Vortex(const double p[3], PetscInt field, PetscInt sample)
{
  return (1.0 + field + 2.0 * sample) * sin(PETSC_PI * p[0]) * sin(PETSC_PI * p[1]);
}

static double Decayed(const double p[3], PetscInt field, PetscInt sample) { return (1.0 - 2.0 * PetscSqr(PETSC_PI) * 0.001 * (sample + 1)) * Vortex(p, field, sample); }

/* Flat at the sides, as open asks. */
static double Flat(const double p[3], PetscInt field, PetscInt sample)
{
  return (1.0 + field + 2.0 * sample) * cos(PETSC_PI * p[0]) * cos(2.0 * PETSC_PI * p[1]);
}

/* Largest errors, against the exact functions, with n cells along each axis: diffusion, faces to cells, cells to faces. */
static PetscErrorCode Errors(PetscInt n, double error[3])
{
  const PetscInt cells[3] = {n, n, 1};
  Box            box;
  WeftState      x[2], y;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(2, cells, WEFT_SIDE_NOSLIP, WEFT_SIDE_NOSLIP, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(Create(box.velocity, Vortex, &x[0]));
  PetscCall(WeftOpCreateDiffuse(box.velocity, 0.001, &op));
  PetscCall(CreateNumbers(WeftOpInSpace(op, 1), 1.0, &x[1]));
  PetscCall(Take(&op, x, &y));
  PetscCall(Visit(y, Decayed, &error[0]));
  PetscCall(WeftStateDestroy(&y));
  PetscCall(WeftOpCreateFacesToCells(box.velocity, box.vector, &op));
  PetscCall(Take(&op, x, &y));
  PetscCall(Visit(y, Vortex, &error[1]));
  PetscCall(WeftStateDestroy(&y));
  PetscCall(WeftStateDestroy(&x[0]));
  PetscCall(WeftStateDestroy(&x[1]));
  PetscCall(DestroyBox(&box));

  PetscCall(CreateBox(2, cells, WEFT_SIDE_OPEN, WEFT_SIDE_OPEN, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(Create(box.vector, Flat, &x[0]));
  PetscCall(WeftOpCreateCellsToFaces(box.vector, box.velocity, &op));
  PetscCall(Take(&op, x, &y));
  PetscCall(Visit(y, Flat, &error[2]));
  PetscCall(WeftStateDestroy(&y));
  PetscCall(WeftStateDestroy(&x[0]));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestOrders(void)
{
  const char *const name[3] = {"diffusion", "faces to cells", "cells to faces"};
  double            coarse[3], fine[3];

  PetscFunctionBegin;
  PetscCall(Errors(32, coarse));
  PetscCall(Errors(64, fine));
  for (PetscInt i = 0; i < 3; i++) {
    const double order = log2(coarse[i] / fine[i]);
    TestCheck(order >= 1.95 && order <= 2.5, "%s: order %.3f (errors %.3g, %.3g), expected 2", name[i], order, coarse[i], fine[i]);
  }
  PetscFunctionReturn(0);
}

/* ---- value by value ----------------------------------------------------------------------------------------------- */

static double Shifted(const double p[3], PetscInt field, PetscInt sample) { return Linear(p, field, sample) * Wave(p, field, 0) + Wave(p, field, sample); }

static double Combined(const double p[3], PetscInt field, PetscInt sample)
{
  return 2.0 * Linear(p, field, sample) - 0.5 * Wave(p, field, sample) + 3.0 * Uniform(p, field, sample);
}

static double Fed(const double p[3], PetscInt field, PetscInt sample) { return Linear(p, field, sample) + 0.2 * (sample + 1) * Wave(p, field, sample); }

static PetscErrorCode TestPatterns(void)
{
  static const double coefficients[3] = {2.0, -0.5, 3.0};
  const PetscInt      cells[3]        = {8, 9, 10};
  Box                 box;
  WeftSpace           shared;
  WeftState           linear, wave, uniform, mask, y, x[3];
  WeftOp              op;

  PetscFunctionBegin;
  PetscCall(CreateBox(3, cells, WEFT_SIDE_OPEN, WEFT_SIDE_SLIP, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(Create(box.velocity, Linear, &linear));
  PetscCall(Create(box.velocity, Wave, &wave));
  PetscCall(Create(box.velocity, Uniform, &uniform));
  PetscCall(WeftSpaceCreateVelocity(box.grid, 1, &shared));
  PetscCall(Create(shared, Wave, &mask));

  PetscCall(WeftOpCreateAffine(box.velocity, mask, wave, &op));
  PetscCall(Take(&op, &linear, &y));
  PetscCall(Near(&y, Shifted, ROUND_OFF, "factor x + offset"));
  x[0] = linear;
  x[1] = wave;
  x[2] = uniform;
  PetscCall(WeftOpCreateSum(box.velocity, 3, coefficients, &op));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Combined, ROUND_OFF, "sum of three states"));
  PetscCall(WeftOpCreateInflow(box.velocity, wave, &op));
  PetscCall(CreateNumbers(WeftOpInSpace(op, 1), 0.2, &x[1]));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Fed, ROUND_OFF, "x + strength shape"));
  PetscCall(WeftStateDestroy(&x[1]));

  PetscCall(WeftStateDestroy(&linear));
  PetscCall(WeftStateDestroy(&wave));
  PetscCall(WeftStateDestroy(&uniform));
  PetscCall(WeftStateDestroy(&mask));
  PetscCall(WeftSpaceDestroy(&shared));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* The mean of two cells of a linear function is its value at the face. strength of sample b, axis a: 0.1 (2 b + a + 1); dt = 0.5 */
static double Lifted(const double p[3], PetscInt field, PetscInt sample)
{
  return Wave(p, field, sample) + 0.5 * 0.1 * (2 * sample + field + 1) * Linear(p, 0, sample);
}

static PetscErrorCode TestBuoyancy(void)
{
  const PetscInt cells[3] = {8, 10, 1};
  Box            box;
  WeftState      x[3], y;
  WeftOp         op;

  PetscFunctionBegin;
  PetscCall(CreateBox(2, cells, WEFT_SIDE_NOSLIP, WEFT_SIDE_SLIP, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(WeftOpCreateBuoyancy(box.velocity, box.scalar, 0.5, &op));
  PetscCall(Create(box.velocity, Wave, &x[0]));
  PetscCall(Create(box.scalar, Linear, &x[1]));
  PetscCall(CreateNumbers(WeftOpInSpace(op, 2), 0.1, &x[2]));
  PetscCall(Take(&op, x, &y));
  PetscCall(Near(&y, Lifted, ROUND_OFF, "velocity + dt strength scalar"));
  for (PetscInt i = 0; i < 3; i++) PetscCall(WeftStateDestroy(&x[i]));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

/* Losses are parts of a sum over the ranks, and so is their sum. Unknown faces of 8 x 10 cells, open below and closed above in
   both axes: 8 x 10 each. */
static PetscErrorCode TestSquaredError(void)
{
  static const double coefficients[2] = {1.0, 0.5};
  const PetscInt      cells[3]        = {8, 10, 1};
  const double        expected        = 0.5 * 80.0 * (PetscSqr(wall_velocity[0]) + PetscSqr(wall_velocity[1]));
  double              total[2];
  Box                 box;
  WeftState           x[2], terms[2], y;
  WeftOp              op;

  PetscFunctionBegin;
  PetscCall(CreateBox(2, cells, WEFT_SIDE_OPEN, WEFT_SIDE_SLIP, WEFT_WALL_MIRROR, 1, &box));
  PetscCall(Create(box.velocity, Zero, &x[0]));
  PetscCall(Create(box.velocity, Uniform, &x[1]));
  PetscCall(WeftOpCreateError(box.velocity, WEFT_ERROR_SQUARED, NULL, &op));
  PetscCall(Take(&op, x, &terms[0]));
  terms[1] = terms[0];
  PetscCall(WeftOpCreateSum(WeftStateSpace(terms[0]), 2, coefficients, &op));
  PetscCall(Take(&op, terms, &y));
  PetscCallMPI(MPI_Allreduce(WeftStateData(y), total, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  for (PetscInt b = 0; b < 2; b++) PetscCall(TestClose(total[b], 1.5 * expected, ROUND_OFF * expected, "1.5 times half the sum of squares"));
  PetscCall(WeftStateDestroy(&x[0]));
  PetscCall(WeftStateDestroy(&x[1]));
  PetscCall(WeftStateDestroy(&terms[0]));
  PetscCall(WeftStateDestroy(&y));
  PetscCall(DestroyBox(&box));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  for (PetscInt dim = 1; dim <= 3; dim++) {
    PetscCall(TestLaplacian(dim));
    PetscCall(TestTranspose(dim, WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC));
    PetscCall(TestTranspose(dim, WEFT_SIDE_NOSLIP, WEFT_SIDE_OPEN));
    PetscCall(TestTranspose(dim, WEFT_SIDE_OPEN, WEFT_SIDE_SLIP));
    PetscCall(TestWalls(dim, WEFT_WALL_MIRROR));
    PetscCall(TestWalls(dim, WEFT_WALL_VALUE));
    PetscCall(TestRestrictLinear(dim));
    PetscCall(TestRestrictDivergence(dim, WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC));
    PetscCall(TestRestrictDivergence(dim, WEFT_SIDE_OPEN, WEFT_SIDE_VELOCITY));
    PetscCall(TestGrowthFactor(dim));
  }
  PetscCall(TestOrders());
  PetscCall(TestPatterns());
  PetscCall(TestBuoyancy());
  PetscCall(TestSquaredError());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
