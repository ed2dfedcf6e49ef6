/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Halo exchange and side rules: ghosts on any process grid are, bit for bit, those of the same field on one rank; on one rank they
   obey the rule of their side; the fold is the transpose of the fill; one message per neighbour; what does not fit is refused. */
#include "grid/impl.h"
#include "support.h"

/* Kinds of the two sides of an axis that the test goes through. */
static const WeftSide pairs[][2] = {{WEFT_SIDE_PERIODIC, WEFT_SIDE_PERIODIC}, {WEFT_SIDE_NOSLIP, WEFT_SIDE_NOSLIP}, {WEFT_SIDE_SLIP, WEFT_SIDE_VELOCITY}, {WEFT_SIDE_VELOCITY, WEFT_SIDE_OPEN}, {WEFT_SIDE_OPEN, WEFT_SIDE_SLIP}, {WEFT_SIDE_OPEN, WEFT_SIDE_OPEN}, {WEFT_SIDE_NOSLIP, WEFT_SIDE_OPEN}};
#define PAIRS ((PetscInt)(sizeof(pairs) / sizeof(pairs[0])))
#define HALO  3

static PetscErrorCode Options(PetscInt dim, const PetscInt pair[3], WeftWall wall, const PetscInt ranks[3], WeftGridOptions *options)
{
  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(options));
  options->dim  = dim;
  options->halo = HALO;
  options->wall = wall;
  for (PetscInt a = 0; a < dim; a++) {
    options->cells[a] = 12 + a;
    options->ranks[a] = ranks ? ranks[a] : 0;
    for (PetscInt s = 0; s < 2; s++) {
      options->side[a][s] = pairs[pair[a]][s];
      for (PetscInt c = 0; c < dim; c++) options->side_velocity[a][s][c] = 1.0 + a + 0.1 * s + 0.01 * c;
    }
  }
  PetscFunctionReturn(0);
}

/* kind 0: a cell field and all faces; 1, 2: channels in double, float. */
static PetscErrorCode CreateState(WeftGrid grid, PetscInt kind, WeftState *state)
{
  static const char *const  names[]  = {"pressure", "velocity_x", "velocity_y", "velocity_z"};
  static const WeftLocation places[] = {WEFT_CELL, WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};
  WeftSpace                 space;

  PetscFunctionBegin;
  if (kind == 0) PetscCall(WeftSpaceCreatePlanes(grid, 2, 1 + WeftGridLayout(grid)->dim, names, places, &space));
  else PetscCall(WeftSpaceCreateChannels(grid, 2, 3, 2, kind == 2 ? PETSC_TRUE : PETSC_FALSE, &space));
  PetscCall(WeftStateCreate(space, state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftStateSetRandom(*state, 11, 0, 0.3, 1.0));
  PetscFunctionReturn(0);
}

static char *Point(const WeftLayout *l, const WeftArray *array, const PetscInt at[3])
{
  PetscInt index = array->origin;
  for (PetscInt a = 0; a < 3; a++) index += (at[a] - l->start[a]) * array->stride[a];
  return array->base + array->point * (size_t)index;
}

static void Extended(const WeftLayout *l, WeftLocation location, PetscInt width, PetscInt lo[3], PetscInt hi[3])
{
  for (PetscInt a = 0; a < 3; a++) WeftExtended(l, location, a, width, &lo[a], &hi[a]);
}

#define FOR_BOX(at, lo, hi)                                                                                                    \
  for (at[2] = lo[2]; at[2] < hi[2]; at[2]++)                                                                                  \
    for (at[1] = lo[1]; at[1] < hi[1]; at[1]++)                                                                                \
      for (at[0] = lo[0]; at[0] < hi[0]; at[0]++)

/* ---- the same ghosts as on one rank -------------------------------------------------------------------------------- */

static PetscErrorCode CompareGhosts(WeftState many, WeftState one, PetscInt width)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(many))->grid);
  const WeftLayout *L = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(one))->grid);

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftStateArrays(many); i++) {
    const WeftArray a = WeftStateArray(many, i), A = WeftStateArray(one, i);
    PetscInt        lo[3], hi[3], at[3];
    Extended(l, a.location, width, lo, hi);
    FOR_BOX(at, lo, hi)
    TestCheck(!memcmp(Point(l, &a, at), Point(L, &A, at), a.point), "array %d at (%d, %d, %d) differs from one rank: %.17g, %.17g", (int)i, (int)at[0], (int)at[1], (int)at[2], *(double *)Point(l, &a, at), *(double *)Point(L, &A, at));
  }
  PetscFunctionReturn(0);
}

/* ---- the rules, on one rank, along one axis at a time --------------------------------------------------------------- */

static double Value(const WeftLayout *l, const WeftArray *array, const PetscInt at[3], PetscInt axis, PetscInt index)
{
  PetscInt there[3] = {at[0], at[1], at[2]};
  there[axis]       = index;
  return *(double *)Point(l, array, there);
}

/* What the ghost beyond the upper (s = 1) or lower side must be, as the header says it. step: 1, 2, ... layers beyond the last
   unknown; at: any unknown of the line. */
static double Expected(const WeftLayout *l, const WeftArray *array, const PetscInt at[3], PetscInt axis, PetscInt s, PetscInt step)
{
  const WeftSide  side   = l->side[axis][s];
  const PetscBool closed = side == WEFT_SIDE_OPEN ? PETSC_FALSE : PETSC_TRUE, normal = (PetscInt)array->location == axis ? PETSC_TRUE : PETSC_FALSE;
  const double    wall   = side == WEFT_SIDE_VELOCITY ? l->side_velocity[axis][s][array->location % 3] : 0.0;
  PetscInt        lo[3], hi[3], last, inwards = s ? -1 : 1;
  WeftLayoutUnknowns(l, array->location, lo, hi);
  last = s ? hi[axis] - 1 : lo[axis];
  if (array->location == WEFT_CELL || !closed) return Value(l, array, at, axis, last);
  if (side == WEFT_SIDE_SLIP && !normal) return Value(l, array, at, axis, l->wall == WEFT_WALL_MIRROR ? last + inwards * (step - 1) : last);
  if (l->wall == WEFT_WALL_VALUE || (normal && step == 1)) return wall;
  /* the wall stands at step 1 for normal faces, half way to step 1 for others */
  return 2.0 * wall - Value(l, array, at, axis, last + inwards * (step - (normal ? 2 : 1)));
}

static PetscErrorCode CheckRules(WeftState state, PetscInt width)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftStateArrays(state); i++) {
    const WeftArray array = WeftStateArray(state, i);
    PetscInt        lo[3], hi[3], line_hi[3], at[3];
    WeftLayoutUnknowns(l, array.location, lo, hi);
    for (PetscInt axis = 0; axis < l->dim; axis++) {
      if (l->side[axis][0] == WEFT_SIDE_PERIODIC) continue;
      for (PetscInt a = 0; a < 3; a++) line_hi[a] = a == axis ? lo[a] + 1 : hi[a];
      FOR_BOX(at, lo, line_hi)
      for (PetscInt step = 1; step <= width; step++) {
        for (PetscInt s = 0; s < 2; s++) {
          const double value = Value(l, &array, at, axis, s ? hi[axis] - 1 + step : lo[axis] - step), expected = Expected(l, &array, at, axis, s, step);
          TestCheck(value == expected, "side %s, axis %d, array %d, layer %d: %.17g, expected %.17g", WeftSides[l->side[axis][s]], (int)axis, (int)i, (int)step, value, expected);
        }
      }
    }
  }
  PetscFunctionReturn(0);
}

/* ---- the fold is the transpose of the fill -------------------------------------------------------------------------- */

static double Scalar(PetscBool single, const char *point, PetscInt c)
{
  return single ? (double)((const float *)point)[c] : ((const double *)point)[c];
}

/* Fills the gather range of z with numbers keyed by global place; both sums run over it and over the unknowns. */
static PetscErrorCode CheckFold(WeftState x, WeftState z, PetscInt width, WeftGhost ghost)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const PetscInt       n    = info->kind == WEFT_CHANNELS ? info->channels : 1;
  PetscReal            sums[2] = {0.0, 0.0}, dot;

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(x, width, ghost));
  PetscCall(WeftStateZero(z));
  for (PetscInt i = 0; i < WeftStateArrays(x); i++) {
    const WeftArray a = WeftStateArray(x, i), b = WeftStateArray(z, i);
    PetscInt        lo[3], hi[3], at[3];
    WeftLayoutGather(l, a.location, width, lo, hi);
    FOR_BOX(at, lo, hi)
    {
      for (PetscInt c = 0; c < n; c++) {
        const PetscInt64 place = (((i * 64 + at[2] + 16) * 64 + at[1] + 16) * 64 + at[0] + 16) * 4 + c;
        const double     value = 2.0 * WeftRandomUniform(5, WEFT_STREAM_TEST, place) - 1.0;
        char            *to    = Point(l, &b, at);
        double           product;
        if (info->single) ((float *)to)[c] = (float)value;
        else ((double *)to)[c] = value;
        product = Scalar(info->single, to, c) * Scalar(info->single, Point(l, &a, at), c);
        sums[0] += product;
        sums[1] += PetscAbsReal(product);
      }
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPIU_REAL, MPIU_SUM, info->comm));
  PetscCall(WeftStateFold(z, width, ghost));
  PetscCall(WeftStateDot(x, z, &dot));
  PetscCall(TestClose(dot, sums[0], (info->single ? 1e-6 : 1e-13) * sums[1], "fold against fill"));
  PetscFunctionReturn(0);
}

/* ---- all of it on one box ------------------------------------------------------------------------------------------- */

static PetscErrorCode Box(PetscInt dim, const PetscInt pair[3], WeftWall wall, const PetscInt ranks[3])
{
  static const WeftGhost ghosts[] = {WEFT_GHOST_VALUE, WEFT_GHOST_LINEAR, WEFT_GHOST_ZERO, WEFT_GHOST_COPY};
  WeftGridOptions        options;
  WeftGrid               many_grid, one_grid;

  PetscFunctionBegin;
  PetscCall(Options(dim, pair, wall, ranks, &options));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &many_grid));
  PetscCall(PetscArrayzero(options.ranks, 3));
  PetscCall(WeftGridCreate(PETSC_COMM_SELF, &options, &one_grid));
  for (PetscInt kind = 0; kind < 3; kind++) {
    const PetscInt widest = kind ? 2 : HALO;
    WeftState      many, one, z;
    PetscCall(CreateState(many_grid, kind, &many));
    PetscCall(CreateState(one_grid, kind, &one));
    PetscCall(CreateState(many_grid, kind, &z));
    for (PetscInt g = 0; g < 4; g++) {
      for (PetscInt width = 1; width <= widest; width++) {
        PetscCall(WeftStateHalo(many, width, ghosts[g]));
        PetscCall(WeftStateHalo(one, width, ghosts[g]));
        PetscCall(CompareGhosts(many, one, width));
      }
      if (kind == 0 && g == 0) PetscCall(CheckRules(one, widest));
      if (g) PetscCall(CheckFold(many, z, widest, ghosts[g]));
    }
    PetscCall(WeftStateDestroy(&many));
    PetscCall(WeftStateDestroy(&one));
    PetscCall(WeftStateDestroy(&z));
  }
  PetscCall(WeftGridDestroy(&many_grid));
  PetscCall(WeftGridDestroy(&one_grid));
  PetscFunctionReturn(0);
}

/* Every process grid of these ranks whose blocks hold the halo. */
static PetscErrorCode ProcessGrids(PetscInt dim, const PetscInt pair[3], WeftWall wall)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (PetscInt x = 1; x <= size; x++) {
    for (PetscInt y = 1; y <= (dim > 1 ? size : 1); y++) {
      const PetscInt ranks[3] = {x, y, size / x / y};
      if (x * y * ranks[2] != size || (dim < 3 && ranks[2] > 1)) continue;
      PetscCall(Box(dim, pair, wall, ranks));
    }
  }
  PetscFunctionReturn(0);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

/* Two states of several fields and samples: one message to each other rank beside mine; none while the ghosts are fresh. */
static PetscErrorCode Messages(void)
{
  const PetscInt  pair[3] = {0, 1, 1};
  WeftGridOptions options;
  WeftGrid        grid;
  WeftState       states[2], split;
  PetscInt64      before, after, bytes;
  PetscInt        others = 0;
  PetscMPIInt     rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(Options(2, pair, WEFT_WALL_MIRROR, NULL, &options));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &grid));
  PetscCall(CreateState(grid, 0, &states[0]));
  PetscCall(CreateState(grid, 1, &states[1]));
  for (PetscInt n = 0; n < grid->neighbours; n++) others += grid->neighbour[n].rank != rank;
  WeftCostMessages(WEFT_PHASE_HALO, &before, &bytes);
  PetscCall(WeftStatesHalo(2, states, 2, WEFT_GHOST_COPY));
  WeftCostMessages(WEFT_PHASE_HALO, &after, &bytes);
  TestCheck(after - before == others, "%d messages to %d neighbours", (int)(after - before), (int)others);
  PetscCall(WeftStatesHalo(2, states, 1, WEFT_GHOST_COPY));
  WeftCostMessages(WEFT_PHASE_HALO, &before, &bytes);
  TestCheck(after == before, "fresh ghosts were exchanged again");
  WeftStatePlaneWrite(states[0], 0, 0);
  PetscCall(WeftStatesHalo(2, states, 1, WEFT_GHOST_COPY));
  WeftCostMessages(WEFT_PHASE_HALO, &after, &bytes);
  TestCheck(after - before == others, "stale ghosts were not exchanged");
  /* in two parts: the same ghosts, to the bit, by as many messages */
  PetscCall(CreateState(grid, 1, &split));
  PetscCall(WeftStatesHaloBegin(1, &split, 2, WEFT_GHOST_COPY));
  PetscCall(WeftStatesHaloEnd(1, &split, 2, WEFT_GHOST_COPY));
  WeftCostMessages(WEFT_PHASE_HALO, &before, &bytes);
  TestCheck(before - after == others, "%d messages of an exchange in two parts", (int)(before - after));
  TestCheck(!memcmp(WeftStateData(split), WeftStateData(states[1]), WeftSpaceGetInfo(WeftStateSpace(split))->bytes), "an exchange in two parts fills other ghosts");
  PetscCall(WeftStatesHaloBegin(1, &split, 1, WEFT_GHOST_COPY)); /* filled already */
  PetscCall(WeftStatesHaloEnd(1, &split, 1, WEFT_GHOST_COPY));
  WeftCostMessages(WEFT_PHASE_HALO, &after, &bytes);
  TestCheck(before == after, "fresh ghosts were exchanged again, in two parts");
  PetscCall(WeftStateDestroy(&split));
  for (PetscInt s = 0; s < 2; s++) PetscCall(WeftStateDestroy(&states[s]));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------- */

static PetscErrorCode Refused(void)
{
  const PetscInt  pair[3] = {0, 0, 0};
  WeftGridOptions good, bad;
  WeftGrid        grid;
  PetscMPIInt     size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(Options(2, pair, WEFT_WALL_MIRROR, NULL, &good));
#define REFUSED(change, message)                                                                                               \
  bad = good;                                                                                                                  \
  change;                                                                                                                      \
  TestFails(WeftGridCreate(PETSC_COMM_WORLD, &bad, &grid), message)
  REFUSED(bad.dim = 4, "a grid has 1, 2 or 3 axes");
  REFUSED(bad.cells[1] = 0, "axis y has 0 cells");
  REFUSED(bad.cells[0] = -4, "axis x has -4 cells");
  REFUSED(bad.cells[0] = HALO, "no more than the 3 layers of the halo");
  REFUSED(bad.halo = 0, "grid_halo = 0");
  REFUSED(bad.upper[1] = bad.lower[1], "axis y ends at");
  REFUSED(bad.side[0][0] = WEFT_SIDE_OPEN, "axis x is periodic at one end only");
  REFUSED(bad.granularity = 5, "not a multiple of grid_granularity = 5");
  REFUSED(bad.granularity = 0, "grid_granularity = 0");
  REFUSED(bad.ranks[0] = size + 1, "grid_ranks multiply to");
  if (size == 4) {
    REFUSED((bad.cells[0] = 5, bad.cells[1] = 6), "The largest layout that fits: 1 x 2 x 1 = 2 ranks");
  }
#undef REFUSED
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  for (PetscInt wall = WEFT_WALL_MIRROR; wall <= WEFT_WALL_VALUE; wall++) {
    for (PetscInt k = 0; k < PAIRS; k++) {
      PetscCall(ProcessGrids(1, (const PetscInt[]){k, 0, 0}, (WeftWall)wall));
      PetscCall(ProcessGrids(3, (const PetscInt[]){k, (k + 1) % PAIRS, (k + 3) % PAIRS}, (WeftWall)wall));
      for (PetscInt m = 0; m < PAIRS; m++) PetscCall(ProcessGrids(2, (const PetscInt[]){k, m, 0}, (WeftWall)wall));
    }
  }
  PetscCall(Messages());
  PetscCall(Refused());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
