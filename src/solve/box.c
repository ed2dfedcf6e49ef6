/* The fast direct solve on a box: transforms along all axes but one, a tridiagonal solve per mode along that one. Which axis that
   is, and the order of the transforms, depend on the grid alone, so that every rank count rounds alike. */
#include "solve/impl.h"

typedef struct {
  PetscInt      axis;
  WeftTransform transform; /* NULL in the block stage and in the tridiagonal one */
  WeftBoxRange  range;     /* cells, or modes, that this rank holds */
  double       *values;    /* [sample][z][y][x] over range */
  WeftTranspose before[2]; /* from the stage before, of all cells and of the band; NULL: it holds the same */
} Stage;

#define TRIDIAGONAL_CHUNK 32 /* lines eliminated together: rows of whole cache lines, all of it in the first-level cache */

struct _n_WeftBox {
  PetscInt        references;
  WeftGrid        grid;
  PetscInt        batch, stages;
  Stage           stage[4]; /* block, transforms, tridiagonal */
  double         *room[2];
  PetscBool       singular;
  WeftTridiagonal tridiagonal;
  PetscReal       scale;
  double         *factor;
  WeftBoxRange    reach[2]; /* all cells, the band */
  double         *line; /* [batch][n]: the singular mode */
  double         *lanes; /* [n][WEFT_LANES] when the tridiagonal axis is x */
};

/* ---- set-up: which axis, which rank holds what -------------------------------------------------------------------- */

/* Price of transforming an axis. Lines along x are whole at the start, so leaving x for the end costs two more transposes. */
static PetscReal TransformCost(const WeftLayout *l, PetscInt axis)
{
  static const PetscReal of_kind[] = {1.0, 1.1, 2.0, 4.0, 4.0}; /* by WeftAxisKind: length of the transform, and odd lengths */
  const WeftAxisKind     kind      = WeftAxisKindOf(l->side[axis][0], l->side[axis][1]);
  const PetscBool        rough     = WeftLargestFactor(WeftTransformLength(kind, l->cells[axis])) > 13 ? PETSC_TRUE : PETSC_FALSE;
  return of_kind[kind] * (rough ? 8.0 : 1.0) * (axis == 0 ? 0.25 : 1.0);
}

static PetscInt ChooseTridiagonal(const WeftLayout *l)
{
  PetscInt best = 0;
  for (PetscInt a = 1; a < l->dim; a++)
    if (TransformCost(l, a) >= TransformCost(l, best)) best = a;
  return best;
}

/* The cells of each axis are cut by the axes of the process grid in `cuts`, one within the other. */
typedef struct {
  PetscInt count[3], cuts[3][3];
} Distribution;

static PetscInt Parts(const WeftLayout *l, const Distribution *d, PetscInt axis)
{
  PetscInt parts = 1;
  for (PetscInt i = 0; i < d->count[axis]; i++) parts *= l->ranks[d->cuts[axis][i]];
  return parts;
}

/* Makes an axis whole: its cuts go to an axis that is done (bit set), or else to the last axis of all. */
static PetscBool MakeWhole(const WeftLayout *l, Distribution *d, PetscInt axis, int done, PetscInt last)
{
  PetscInt  to = -1;
  PetscReal widest = 0.0;

  if (Parts(l, d, axis) == 1) return PETSC_FALSE;
  for (PetscInt a = 0; a < l->dim; a++) {
    const PetscReal width = (PetscReal)l->cells[a] / Parts(l, d, a);
    if (a == axis || !(done & (1 << a)) || width <= widest) continue;
    widest = width;
    to     = a;
  }
  if (to < 0) to = last != axis ? last : (axis + 1) % 3; /* in 1D an axis of one cell: one rank takes the line */
  for (PetscInt i = 0; i < d->count[axis]; i++) d->cuts[to][d->count[to]++] = d->cuts[axis][i];
  d->count[axis] = 0;
  return PETSC_TRUE;
}

/* blocks: [ranks] of the grid. */
static WeftBoxRange RangeOfRank(const WeftLayout *l, const Distribution *d, const WeftBoxRange blocks[], PetscInt rank)
{
  const PetscInt at[3] = {rank % l->ranks[0], rank / l->ranks[0] % l->ranks[1], rank / l->ranks[0] / l->ranks[1]};
  WeftBoxRange   range;

  for (PetscInt a = 0; a < 3; a++) {
    PetscInt lo = 0, hi = l->cells[a];
    for (PetscInt i = 0; i < d->count[a]; i++) {
      const PetscInt cut = d->cuts[a][i], parts = l->ranks[cut], width = hi - lo;
      if (i == 0 && cut == a) {
        lo = blocks[rank].lo[a];
        hi = blocks[rank].hi[a];
      } else {
        hi = lo + (at[cut] + 1) * width / parts;
        lo = lo + at[cut] * width / parts;
      }
    }
    range.lo[a] = lo;
    range.hi[a] = hi;
  }
  return range;
}

static PetscErrorCode GatherBlocks(WeftGrid grid, MPI_Comm comm, WeftBoxRange **blocks)
{
  const WeftLayout *l = WeftGridLayout(grid);
  WeftBoxRange      mine;
  PetscMPIInt       size;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < 3; a++) {
    mine.lo[a] = l->start[a];
    mine.hi[a] = l->start[a] + l->count[a];
  }
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc1(size, blocks));
  PetscCallMPI(MPI_Allgather(&mine, 6, MPIU_INT, *blocks, 6, MPIU_INT, comm));
  PetscFunctionReturn(0);
}

/* which: transposes of all cells (0, with the arrays), or of the band (1). */
static PetscErrorCode PlanStages(WeftBox box, int which)
{
  const WeftLayout *l = WeftGridLayout(box->grid);
  MPI_Comm          comm;
  PetscMPIInt       size, rank;
  WeftBoxRange     *blocks, *held, *next;
  Distribution      d;
  int               done = 0;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(box->grid, &comm));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(GatherBlocks(box->grid, comm, &blocks));
  PetscCall(PetscMalloc2(size, &held, size, &next));
  for (PetscInt a = 0; a < 3; a++) {
    d.count[a]   = 1;
    d.cuts[a][0] = a;
  }
  PetscCall(PetscArraycpy(held, blocks, size));
  box->stage[0].range = blocks[rank];
  for (PetscInt s = 1; s < box->stages; s++) {
    const PetscInt  axis  = box->stage[s].axis;
    const PetscBool moves = MakeWhole(l, &d, axis, done, box->stage[box->stages - 1].axis);
    for (PetscMPIInt r = 0; r < size; r++) next[r] = RangeOfRank(l, &d, blocks, r);
    if (moves) PetscCall(WeftTransposeCreate(comm, box->batch, held, next, &box->reach[which], &box->stage[s].before[which]));
    PetscCall(PetscArraycpy(held, next, size));
    box->stage[s].range = held[rank];
    done |= 1 << axis;
  }
  PetscCall(PetscFree2(held, next));
  PetscCall(PetscFree(blocks));
  PetscFunctionReturn(0);
}

/* Two arrays in turn: a stage that holds what the one before holds works in its array. */
static PetscErrorCode MakeRoom(WeftBox box)
{
  PetscInt most = 0, room = 0;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < box->stages; s++) most = PetscMax(most, box->batch * WeftBoxCells(&box->stage[s].range));
  for (PetscInt i = 0; i < 2; i++) PetscCall(PetscCalloc1(most, &box->room[i]));
  for (PetscInt s = 0; s < box->stages; s++) {
    if (box->stage[s].before[0]) room = 1 - room;
    box->stage[s].values = box->room[room];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxSetBand(WeftBox box, PetscInt lo, PetscInt hi)
{
  const PetscInt axis = WeftBoxTridiagonalAxis(box);

  PetscFunctionBegin;
  box->reach[1]          = box->reach[0];
  box->reach[1].lo[axis] = lo;
  box->reach[1].hi[axis] = hi;
  PetscCall(PlanStages(box, 1));
  PetscFunctionReturn(0);
}

/* ---- the tridiagonal axis ---------------------------------------------------------------------------------------- */

/* How lines of the tridiagonal axis lie in the array of a sample: `planes` times `lines` that stand side by side. */
typedef struct {
  PetscInt planes, lines, stride, n; /* stride: from one value of a line to the next */
} Lines;

static Lines LinesOf(const WeftBoxRange *range, PetscInt axis)
{
  const PetscInt nx = range->hi[0] - range->lo[0], ny = range->hi[1] - range->lo[1], nz = range->hi[2] - range->lo[2];
  if (axis == 0) return (Lines){(ny * nz + WEFT_LANES - 1) / WEFT_LANES, WEFT_LANES, WEFT_LANES, nx}; /* in lanes */
  if (axis == 1) return (Lines){nz, nx, nx, ny};
  return (Lines){1, nx * ny, nx * ny, nz};
}

/* Global mode of a line, along the axes other than the tridiagonal one. */
static void ModeOf(const WeftBoxRange *range, PetscInt axis, PetscInt plane, PetscInt line, PetscInt mode[3])
{
  const PetscInt nx = range->hi[0] - range->lo[0], ny = range->hi[1] - range->lo[1];
  const PetscInt row = plane * WEFT_LANES + line;
  mode[0] = range->lo[0] + (axis == 0 ? 0 : line % nx);
  mode[1] = range->lo[1] + (axis == 0 ? row % ny : axis == 2 ? line / nx : 0);
  mode[2] = range->lo[2] + (axis == 0 ? row / ny : axis == 1 ? plane : 0);
}

static PetscErrorCode Factorise(WeftBox box, PetscReal own)
{
  const WeftLayout   *l       = WeftGridLayout(box->grid);
  const Stage        *last    = &box->stage[box->stages - 1];
  const Lines         lines   = LinesOf(&last->range, last->axis);
  const PetscInt      factors = WeftTridiagonalFactors(box->tridiagonal), axis = last->axis;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(lines.planes * lines.lines * factors, &box->factor));
  PetscCall(PetscCalloc1(box->tridiagonal.n * WEFT_LANES, &box->lanes));
  PetscCall(PetscMalloc1(box->batch * box->tridiagonal.n, &box->line));
  for (PetscInt p = 0; p < lines.planes; p++) {
    for (PetscInt i = 0; i < lines.lines; i++) {
      PetscReal shift = own * l->h[axis] * l->h[axis];
      PetscInt  mode[3];
      ModeOf(&last->range, axis, p, i, mode);
      if (mode[2] >= last->range.hi[2]) continue; /* a lane without a line */
      for (PetscInt a = 0; a < l->dim; a++)
        if (a != axis) shift += WeftAxisEigenvalue(WeftAxisKindOf(l->side[a][0], l->side[a][1]), l->cells[a], mode[a]) * (l->h[axis] * l->h[axis]) / (l->h[a] * l->h[a]);
      WeftTridiagonalFactor(box->tridiagonal, shift, box->factor + p * factors * lines.lines + i, lines.lines);
    }
  }
  PetscFunctionReturn(0);
}

/* x lines: WEFT_LANES rows at a time through an array in which they stand side by side. */
static void SolveLanes(WeftBox box, double *rows, PetscInt lanes, const double *factor)
{
  const PetscInt n = box->tridiagonal.n;
  for (PetscInt r = 0; r < lanes; r++)
    for (PetscInt j = 0; j < n; j++) box->lanes[j * WEFT_LANES + r] = rows[r * n + j];
  WeftTridiagonalSolve(box->tridiagonal, box->scale, WEFT_LANES, box->lanes, WEFT_LANES, factor, WEFT_LANES);
  for (PetscInt r = 0; r < lanes; r++)
    for (PetscInt j = 0; j < n; j++) rows[r * n + j] = box->lanes[j * WEFT_LANES + r];
}

static void SolveLines(WeftBox box, double *values)
{
  const Stage   *last  = &box->stage[box->stages - 1];
  const Lines    lines = LinesOf(&last->range, last->axis);
  const PetscInt plane_factors = lines.lines * WeftTridiagonalFactors(box->tridiagonal);
  const PetscInt rows = (last->range.hi[1] - last->range.lo[1]) * (last->range.hi[2] - last->range.lo[2]);

  for (PetscInt p = 0; p < lines.planes; p++) {
    const double *factor = box->factor + p * plane_factors;
    if (last->axis == 0) SolveLanes(box, values + p * WEFT_LANES * lines.n, PetscMin(WEFT_LANES, rows - p * WEFT_LANES), factor);
    else
      for (PetscInt c = 0; c < lines.lines; c += TRIDIAGONAL_CHUNK) WeftTridiagonalSolve(box->tridiagonal, box->scale, PetscMin(TRIDIAGONAL_CHUNK, lines.lines - c), values + p * lines.stride * lines.n + c, lines.stride, factor + c, lines.lines);
  }
}

void WeftBoxTridiagonal(WeftBox box)
{
  const Stage    *last   = &box->stage[box->stages - 1];
  const PetscInt  n      = box->tridiagonal.n, cells = WeftBoxCells(&last->range);
  const PetscInt  along  = last->axis == 0 ? 1 : LinesOf(&last->range, last->axis).stride;
  PetscBool       zero   = box->singular && cells ? PETSC_TRUE : PETSC_FALSE; /* is the singular mode, the first line, mine? */

  for (PetscInt a = 0; a < 3; a++)
    if (a != last->axis && last->range.lo[a] > 0) zero = PETSC_FALSE;
  for (PetscInt s = 0; s < box->batch; s++) {
    double *values = last->values + s * cells, *line = box->line + s * n;
    if (zero) {
      for (PetscInt j = 0; j < n; j++) line[j] = values[j * along];
      WeftTridiagonalSolveSingular(box->tridiagonal, box->scale, line, 1);
    }
    if (cells) SolveLines(box, values);
    if (zero)
      for (PetscInt j = 0; j < n; j++) values[j * along] = line[j];
  }
}

/* ---- the solve ---------------------------------------------------------------------------------------------------- */

typedef void (*TransformLines)(WeftTransform transform, WeftLines lines);

/* `count` lines side by side, WEFT_LANES at a time. */
static void TransformSome(WeftTransform t, TransformLines transform, double *base, PetscInt along, PetscInt across, PetscInt count)
{
  for (PetscInt c = 0; c < count; c += WEFT_LANES) transform(t, (WeftLines){base + c * across, along, across, PetscMin(WEFT_LANES, count - c)});
}

/* Lines of y and z stand side by side along x, those of x are rows. */
static void TransformStage(const Stage *stage, PetscInt batch, const WeftBoxRange *reach, TransformLines transform)
{
  const WeftBoxRange *r  = &stage->range;
  const PetscInt      nx = r->hi[0] - r->lo[0], ny = r->hi[1] - r->lo[1], cells = WeftBoxCells(r);
  PetscInt            lo[3], n[3];

  for (PetscInt a = 0; a < 3; a++) { /* the part within reach */
    lo[a] = PetscMax(reach->lo[a], r->lo[a]) - r->lo[a];
    n[a]  = PetscMin(reach->hi[a], r->hi[a]) - r->lo[a] - lo[a];
    if (n[a] <= 0) return;
  }
  for (PetscInt s = 0; s < batch; s++) {
    double *first = stage->values + s * cells + (lo[2] * ny + lo[1]) * nx + lo[0];
    if (stage->axis == 0) {
      if (n[1] == ny) TransformSome(stage->transform, transform, first, 1, nx, n[1] * n[2]);
      else
        for (PetscInt k = 0; k < n[2]; k++) TransformSome(stage->transform, transform, first + k * ny * nx, 1, nx, n[1]);
    } else if (stage->axis == 1) {
      for (PetscInt k = 0; k < n[2]; k++) TransformSome(stage->transform, transform, first + k * ny * nx, nx, 1, n[0]);
    } else {
      for (PetscInt j = 0; j < n[1]; j++) TransformSome(stage->transform, transform, first + j * nx, ny * nx, 1, n[0]);
    }
  }
}

PetscErrorCode WeftBoxForward(WeftBox box, WeftBoxReach reach)
{
  PetscFunctionBegin;
  for (PetscInt s = 1; s < box->stages; s++) {
    const Stage *stage = &box->stage[s];
    if (stage->before[reach]) PetscCall(WeftTransposeForward(stage->before[reach], box->stage[s - 1].values, stage->values));
    if (stage->transform) TransformStage(stage, box->batch, &box->reach[reach], WeftTransformForward);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxBackward(WeftBox box, WeftBoxReach reach)
{
  PetscFunctionBegin;
  for (PetscInt s = box->stages - 1; s > 0; s--) {
    const Stage *stage = &box->stage[s];
    if (stage->transform) TransformStage(stage, box->batch, &box->reach[reach], WeftTransformBackward);
    if (stage->before[reach]) PetscCall(WeftTransposeBackward(stage->before[reach], stage->values, box->stage[s - 1].values));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxSolve(WeftBox box)
{
  PetscFunctionBegin;
  PetscCall(WeftBoxForward(box, WEFT_REACH_ALL));
  WeftBoxTridiagonal(box);
  PetscCall(WeftBoxBackward(box, WEFT_REACH_ALL));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxCreate(WeftGrid grid, PetscInt batch, PetscReal shift, WeftBox *box)
{
  const WeftLayout *l = WeftGridLayout(grid);
  PetscInt          axes[4] = {-1, -1, -1, -1};
  WeftBox           b;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  PetscCall(WeftGridReference(grid));
  b->references = 1;
  b->grid       = grid;
  b->batch      = batch;
  b->singular   = shift == 0.0 ? PETSC_TRUE : PETSC_FALSE;
  b->stages     = l->dim + 1;
  for (PetscInt a = 0; a < 3; a++) b->reach[0].hi[a] = l->cells[a];
  for (PetscInt a = 0, s = 1; a < l->dim; a++) {
    if (l->side[a][0] == WEFT_SIDE_OPEN || l->side[a][1] == WEFT_SIDE_OPEN) b->singular = PETSC_FALSE;
    if (a != ChooseTridiagonal(l)) axes[s++] = a;
    else axes[l->dim] = a;
  }
  b->tridiagonal = (WeftTridiagonal){WeftAxisKindOf(l->side[axes[l->dim]][0], l->side[axes[l->dim]][1]), l->cells[axes[l->dim]]};
  b->scale       = -l->h[axes[l->dim]] * l->h[axes[l->dim]];
  for (PetscInt s = 1; s < b->stages; s++) {
    const PetscInt a = b->stage[s].axis = axes[s];
    if (s == l->dim) break; /* the tridiagonal one */
    PetscCall(WeftTransformCreate(WeftAxisKindOf(l->side[a][0], l->side[a][1]), l->cells[a], &b->stage[s].transform));
    b->scale /= WeftTransformScale(b->stage[s].transform);
  }
  PetscCall(PlanStages(b, 0));
  PetscCall(MakeRoom(b));
  PetscCall(Factorise(b, shift));
  *box = b;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxReference(WeftBox box)
{
  PetscFunctionBegin;
  box->references++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBoxDestroy(WeftBox *box)
{
  WeftBox b = *box;

  PetscFunctionBegin;
  *box = NULL;
  if (!b || --b->references) PetscFunctionReturn(0);
  for (PetscInt s = 0; s < b->stages; s++) {
    PetscCall(WeftTransformDestroy(&b->stage[s].transform));
    for (int which = 0; which < 2; which++) PetscCall(WeftTransposeDestroy(&b->stage[s].before[which]));
  }
  for (PetscInt i = 0; i < 2; i++) PetscCall(PetscFree(b->room[i]));
  PetscCall(PetscFree(b->factor));
  PetscCall(PetscFree(b->lanes));
  PetscCall(PetscFree(b->line));
  PetscCall(WeftGridDestroy(&b->grid));
  PetscCall(PetscFree(b));
  PetscFunctionReturn(0);
}

PetscBool WeftBoxSingular(WeftBox box) { return box->singular; }

PetscInt WeftBoxTridiagonalAxis(WeftBox box) { return box->stage[box->stages - 1].axis; }

double *WeftBoxValues(WeftBox box) { return box->stage[0].values; }

double *WeftBoxModes(WeftBox box, WeftBoxRange *range)
{
  *range = box->stage[box->stages - 1].range;
  return box->stage[box->stages - 1].values;
}

void WeftOwnedCopy(WeftState state, double *values, PetscBool load)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  for (PetscInt s = 0; s < info->batch; s++) {
    double *plane = load ? (double *)WeftStatePlane(state, 0, s) : WeftStatePlaneWrite(state, 0, s);
    for (PetscInt k = 0; k < l->count[2]; k++) {
      for (PetscInt j = 0; j < l->count[1]; j++, values += l->count[0]) {
        double *row = plane + l->origin + j * l->stride[1] + k * l->stride[2];
        memcpy(load ? values : row, load ? row : values, sizeof(double) * (size_t)l->count[0]);
      }
    }
  }
}
