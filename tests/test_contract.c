/* ctest: contract; ranks 1 2 4; timeout 300 */
/* Every operator of the list keeps its contract: each dimension and kind of side that its row claims, every variant, two
   samples; and its values, tangents and adjoints are those of one rank (fields and features bit for bit, sums to round-off).
   Names of operators as arguments: only those. */
#include <float.h>
#include <weft/op.h>
#include "support.h"

typedef struct {
  PetscInt dim;
  WeftSide side[3][2];
  WeftWall wall;
} Sides;

/* ---- grids ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode MakeGrid(MPI_Comm comm, const Sides *sides, const PetscInt cells[3], PetscInt halo, WeftGrid *grid)
{
  static const PetscReal lower[3] = {-1.0, 0.5, 0.0}, h[3] = {0.25, 0.2, 0.5};
  WeftGridOptions        options;
  PetscMPIInt            size;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  options.dim  = sides->dim;
  options.wall = sides->wall;
  options.halo = halo;
  for (PetscInt a = 0; a < sides->dim; a++) {
    options.cells[a] = cells[a];
    options.lower[a] = lower[a];
    options.upper[a] = lower[a] + cells[a] * h[a];
    for (PetscInt s = 0; s < 2; s++) {
      options.side[a][s] = sides->side[a][s];
      for (PetscInt b = 0; b < 3 && sides->side[a][s] == WEFT_SIDE_VELOCITY; b++)
        options.side_velocity[a][s][b] = 0.1 + 0.2 * (PetscReal)a - 0.3 * (PetscReal)s + 0.15 * (PetscReal)b;
    }
  }
  if (size == 4 && sides->dim == 2) options.ranks[0] = options.ranks[1] = 2; /* cut x as well */
  PetscCall(WeftGridCreate(comm, &options, grid));
  PetscFunctionReturn(0);
}

/* ---- one rank ----------------------------------------------------------------------------------------------------- */

/* A row of float64: to `tolerance` of the largest value of the whole field, as an iterative solve leaves it. */
static PetscErrorCode CloseRow(const double *a, const double *b, PetscInt n, double tolerance, const char *what, PetscInt place)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) TestCheck(PetscAbsReal(a[i] - b[i]) <= tolerance, "%s %" PetscInt_FMT " differs from the result of one rank by %g, more than %g", what, place, a[i] - b[i], tolerance);
  PetscFunctionReturn(0);
}

static PetscErrorCode SameRow(const void *a, const void *b, size_t bytes, const char *what, PetscInt place)
{
  PetscFunctionBegin;
  TestCheck(!memcmp(a, b, bytes), "%s %" PetscInt_FMT " differs from the result of one rank", what, place);
  PetscFunctionReturn(0);
}

/* Owned values of `mine` are, bit for bit, those of `whole`, which holds the box on one rank; with a tolerance (of a solve), to
   that. Sums: to round-off, `bound` relative to the largest. */
static PetscErrorCode SameAsOne(WeftState mine, WeftState whole, PetscReal bound, PetscReal tolerance, const char *what, PetscInt place)
{
  const WeftSpaceInfo *a = WeftSpaceGetInfo(WeftStateSpace(mine)), *b = WeftSpaceGetInfo(WeftStateSpace(whole));
  const WeftLayout    *l, *m;

  PetscFunctionBegin;
  if (a->kind == WEFT_NUMBERS) {
    const PetscInt n        = (PetscInt)(a->bytes / sizeof(double));
    const double  *expected = (const double *)WeftStateData(whole);
    double        *sum, scale = 0.0;
    PetscCall(PetscMalloc1(n, &sum));
    PetscCall(PetscArraycpy(sum, (const double *)WeftStateData(mine), n));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, (PetscMPIInt)n, MPI_DOUBLE, MPI_SUM, a->comm));
    for (PetscInt i = 0; i < n; i++) scale = PetscMax(scale, PetscAbsReal(expected[i]));
    for (PetscInt i = 0; i < n; i++) PetscCall(TestClose(sum[i], expected[i], bound * scale, what));
    PetscCall(PetscFree(sum));
    PetscFunctionReturn(0);
  }
  l = WeftGridLayout(a->grid);
  m = WeftGridLayout(b->grid);
  if (tolerance > 0.0) {
    PetscReal largest;
    PetscCall(WeftStateNorm(whole, NORM_INFINITY, &largest));
    tolerance *= largest;
  }
  for (PetscInt array = 0; array < a->batch * (a->kind == WEFT_PLANES ? a->fields : 1); array++) {
    const WeftLocation location = a->kind == WEFT_PLANES ? a->location[array / a->batch] : WEFT_CELL;
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, location, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        if (tolerance > 0.0 && a->kind == WEFT_PLANES) {
          PetscCall(CloseRow(WeftStatePlane(mine, array / a->batch, array % a->batch) + WeftLayoutIndex(l, lo[0], j, k),
                             WeftStatePlane(whole, array / a->batch, array % a->batch) + WeftLayoutIndex(m, lo[0], j, k), hi[0] - lo[0], tolerance, what, place));
        } else if (a->kind == WEFT_PLANES) {
          PetscCall(SameRow(WeftStatePlane(mine, array / a->batch, array % a->batch) + WeftLayoutIndex(l, lo[0], j, k),
                            WeftStatePlane(whole, array / a->batch, array % a->batch) + WeftLayoutIndex(m, lo[0], j, k),
                            sizeof(double) * (size_t)(hi[0] - lo[0]), what, place));
        } else {
          const size_t   point = (size_t)a->channels * (a->single ? sizeof(float) : sizeof(double));
          const PetscInt w[3]  = {a->width, l->dim > 1 ? a->width : 0, l->dim > 2 ? a->width : 0};
          const PetscInt here  = ((array * (l->count[2] + 2 * w[2]) + k - l->start[2] + w[2]) * (l->count[1] + 2 * w[1]) + j -
                                 l->start[1] + w[1]) *
                                    (l->count[0] + 2 * w[0]) +
                                lo[0] - l->start[0] + w[0];
          const PetscInt there =
              ((array * (m->count[2] + 2 * w[2]) + k + w[2]) * (m->count[1] + 2 * w[1]) + j + w[1]) * (m->count[0] + 2 * w[0]) +
              lo[0] + w[0];
          PetscCall(SameRow((const char *)WeftStateData(mine) + point * (size_t)here,
                            (const char *)WeftStateData(whole) + point * (size_t)there, point * (size_t)(hi[0] - lo[0]), what,
                            place));
        }
      }
    }
  }
  PetscFunctionReturn(0);
}

typedef struct {
  WeftState x[WEFT_OP_MAX], v[WEFT_OP_MAX], x_bar[WEFT_OP_MAX], y[WEFT_OP_MAX], dy[WEFT_OP_MAX], w[WEFT_OP_MAX];
} Run;

static PetscErrorCode RunAll(const WeftOpExample *example, Run *run)
{
  WeftOp     op = example->op;
  WeftRecord record;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &run->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &run->v[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &run->x_bar[i]));
    PetscCall(WeftStateSetRandom(run->x[i], 7 + i, 0, example->offset[i], example->amplitude[i]));
    PetscCall(WeftStateSetRandom(run->v[i], 107 + i, 0, 0.0, example->amplitude[i]));
  }
  for (PetscInt o = 0; o < WeftOpOutputs(op); o++) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(op, o), &run->y[o]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(op, o), &run->dy[o]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(op, o), &run->w[o]));
    PetscCall(WeftStateSetRandom(run->w[o], 207 + o, 0, 0.0, 1.0));
  }
  PetscCall(WeftRecordCreate(op, &record));
  PetscCall(WeftOpApply(op, run->x, run->y, record));
  PetscCall(WeftOpTangent(op, run->x, run->y, record, run->v, run->dy));
  PetscCall(WeftOpAdjoint(op, run->x, run->y, record, run->w, run->x_bar));
  PetscCall(WeftRecordDestroy(&record));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyRun(WeftOp op, Run *run)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    PetscCall(WeftStateDestroy(&run->x[i]));
    PetscCall(WeftStateDestroy(&run->v[i]));
    PetscCall(WeftStateDestroy(&run->x_bar[i]));
  }
  for (PetscInt o = 0; o < WeftOpOutputs(op); o++) {
    PetscCall(WeftStateDestroy(&run->y[o]));
    PetscCall(WeftStateDestroy(&run->dy[o]));
    PetscCall(WeftStateDestroy(&run->w[o]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CompareWithOne(const WeftOpExample *mine, const WeftOpExample *whole)
{
  PetscReal bound = PetscMax(1e-12, mine->tolerance);
  Run       run, one;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(mine->op); i++) /* features in float32 are summed in float32 */
    if (WeftSpaceGetInfo(WeftOpInSpace(mine->op, i))->single) bound = 16.0 * FLT_EPSILON;
  PetscCall(RunAll(mine, &run));
  PetscCall(RunAll(whole, &one));
  for (PetscInt o = 0; o < WeftOpOutputs(mine->op); o++) {
    PetscCall(SameAsOne(run.y[o], one.y[o], bound, mine->tolerance, "output", o));
    PetscCall(SameAsOne(run.dy[o], one.dy[o], bound, mine->tolerance, "tangent of output", o));
  }
  for (PetscInt i = 0; i < WeftOpInputs(mine->op); i++)
    PetscCall(SameAsOne(run.x_bar[i], one.x_bar[i], bound, mine->tolerance, "adjoint of input", i));
  PetscCall(DestroyRun(mine->op, &run));
  PetscCall(DestroyRun(whole->op, &one));
  PetscFunctionReturn(0);
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static PetscErrorCode Examine(const WeftOpRow *row, PetscInt variant, const Sides *sides, const PetscInt cells[3],
                              PetscInt halo, PetscInt batch, PetscBool assemble)
{
  const WeftOpCheckOptions options = {.seed = 11 + variant, .assemble = assemble};
  WeftGrid                 grid, whole;
  WeftOpExample            mine, one;
  WeftOpReport             report;
  PetscMPIInt              size;
  PetscErrorCode           ierr = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(MakeGrid(PETSC_COMM_WORLD, sides, cells, halo, &grid));
  PetscCall(PetscMemzero(&mine, sizeof(mine)));
  PetscCall((*row->example)(grid, batch, variant, &mine));
  PetscCall(WeftOpCheck(&mine, &options, &report));
  if (report.passed && size > 1 && !assemble) {
    PetscCall(MakeGrid(PETSC_COMM_SELF, sides, cells, halo, &whole));
    PetscCall(PetscMemzero(&one, sizeof(one)));
    PetscCall((*row->example)(whole, batch, variant, &one));
    ierr = CompareWithOne(&mine, &one);
    PetscCall(WeftOpDestroy(&one.op));
    PetscCall(WeftGridDestroy(&whole));
  }
  if (ierr || !report.passed)
    PetscCall(PetscFPrintf(PETSC_COMM_SELF, stderr,
                           "operator %s, variant %" PetscInt_FMT ", %" PetscInt_FMT "D, sides %s/%s %s/%s %s/%s, wall %s: %s\n",
                           row->name, variant, sides->dim, WeftSides[sides->side[0][0]], WeftSides[sides->side[0][1]],
                           WeftSides[sides->side[1][0]], WeftSides[sides->side[1][1]], WeftSides[sides->side[2][0]],
                           WeftSides[sides->side[2][1]], sides->wall == WEFT_WALL_MIRROR ? "mirror" : "value", report.message));
  TestCheck(!ierr && report.passed, "operator %s breaks its contract", row->name);
  PetscCall(WeftGridAgree(grid));
  PetscCall(WeftOpDestroy(&mine.op));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* On a grid of the usual size, and assembled on one as small as the ranks allow. */
static PetscErrorCode ExamineBoth(const WeftOpRow *row, const Sides *sides)
{
  static const PetscInt cells[4][3] = {{0, 0, 0}, {18, 1, 1}, {13, 16, 1}, {9, 12, 8}};
  PetscInt              small[3] = {5, 6, 5}, slowest = sides->dim - 1;
  PetscMPIInt           size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  small[slowest] = PetscMax(small[slowest], 4 * size);
  if (size == 4 && sides->dim == 2) small[0] = small[1] = 8;
  for (PetscInt variant = 0; variant < row->variants; variant++) {
    PetscCall(Examine(row, variant, sides, cells[sides->dim], 4, 2, PETSC_FALSE));
    if (sides->dim < 3 || size == 1) PetscCall(Examine(row, variant, sides, small, 4, 1, PETSC_TRUE));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ExamineRow(const WeftOpRow *row)
{
  WeftSide claimed[5];
  PetscInt n = 0;

  PetscFunctionBegin;
  for (PetscInt k = WEFT_SIDE_NOSLIP; k <= WEFT_SIDE_OPEN; k++)
    if (row->sides & (1 << k)) claimed[n++] = (WeftSide)k;
  for (PetscInt dim = 1; dim <= 3; dim++) {
    Sides sides = {0};
    if (!(row->dims & (1 << (dim - 1)))) continue;
    sides.dim = dim;
    if (row->sides & (1 << WEFT_SIDE_PERIODIC)) PetscCall(ExamineBoth(row, &sides));
    for (PetscInt i = 0; i < n; i++) { /* the same kind all around, with both rules of what stands behind a wall */
      for (PetscInt a = 0; a < dim; a++) sides.side[a][0] = sides.side[a][1] = claimed[i];
      for (PetscInt wall = 0; wall < (claimed[i] == WEFT_SIDE_OPEN ? 1 : 2); wall++) {
        sides.wall = wall ? WEFT_WALL_VALUE : WEFT_WALL_MIRROR;
        PetscCall(ExamineBoth(row, &sides));
      }
    }
    for (PetscInt i = 0; i < n && n > 1;
         i++) { /* a kind below, another above; the second axis periodic or the other way round */
      const WeftSide  other = claimed[(i + 1) % n];
      const PetscBool round = dim > 1 && i % 2 && row->sides & (1 << WEFT_SIDE_PERIODIC) ? PETSC_TRUE : PETSC_FALSE;
      sides.wall            = i < 2 ? WEFT_WALL_MIRROR : WEFT_WALL_VALUE;
      for (PetscInt a = 0; a < dim; a++) {
        sides.side[a][0] = a == 1 ? (round ? WEFT_SIDE_PERIODIC : other) : claimed[i];
        sides.side[a][1] = a == 1 ? (round ? WEFT_SIDE_PERIODIC : claimed[i]) : other;
      }
      PetscCall(ExamineBoth(row, &sides));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  const WeftOpRow *rows;
  PetscInt         count, done = 0;

  PetscFunctionBegin;
  PetscCall(WeftOpRows(&count, &rows));
  PetscCall(TestSetKey("grid_overlap", "always"));
  for (PetscInt k = 0; k < 4; k++) PetscCall(PetscOptionsSetValue(NULL, ((const char *[]){"-solve_ksp_rtol", "-tangent_ksp_rtol", "-adjoint_ksp_rtol", "-solve_snes_rtol"})[k], "1e-14"));
  for (PetscInt r = 0; r < count; r++) {
    PetscBool wanted = test_argc < 2 ? PETSC_TRUE : PETSC_FALSE;
    for (int n = 1; n < test_argc && !wanted; n++) PetscCall(PetscStrcmp(test_argv[n], rows[r].name, &wanted));
    if (!wanted) continue;
    PetscCall(ExamineRow(&rows[r]));
    done++;
  }
  TestCheck(done || !count, "no operator of that name in the list");
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
