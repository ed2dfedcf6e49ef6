/* The grid's keys. */
#include "grid/impl.h"

const char *const WeftSides[] = {"periodic", "noslip", "slip", "velocity", "open", "WeftSide", "WEFT_SIDE_", NULL};

PetscErrorCode WeftGridOptionsDefault(WeftGridOptions *options)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(options, sizeof(*options)));
  for (PetscInt a = 0; a < 3; a++) {
    options->cells[a] = 1;
    options->upper[a] = 1.0;
  }
  options->halo        = 4;
  options->granularity = 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode SideFromWord(const char *word, PetscInt axis, WeftSide *side)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k <= WEFT_SIDE_OPEN; k++) {
    PetscBool same;
    PetscCall(PetscStrcmp(word, WeftSides[k], &same));
    if (same) {
      *side = (WeftSide)k;
      PetscFunctionReturn(0);
    }
  }
  return WeftFailKey(PETSC_COMM_WORLD, "grid_sides", "'%s' of axis %c is no side; use periodic, noslip, slip, velocity, open, or lower/upper such as noslip/open", word, "xyz"[axis]);
}

static PetscErrorCode SidesFromKeys(WeftGridOptions *options)
{
  char   **words;
  PetscInt count;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("grid_sides", &words, &count));
  if (count > 1 && count != options->dim) return WeftFailKey(PETSC_COMM_WORLD, "grid_sides", "%" PetscInt_FMT " sides for %" PetscInt_FMT " axes; give one per axis, or one for all", count, options->dim);
  for (PetscInt a = 0; a < options->dim && count; a++) {
    char  text[64], *slash;
    PetscCall(PetscStrncpy(text, words[count == 1 ? 0 : a], sizeof(text)));
    PetscCall(PetscStrchr(text, '/', &slash));
    if (slash) *slash = 0;
    PetscCall(SideFromWord(text, a, &options->side[a][0]));
    PetscCall(SideFromWord(slash ? slash + 1 : text, a, &options->side[a][1]));
  }
  PetscCall(WeftFreeStringList(&words, count));
  for (PetscInt a = 0; a < options->dim; a++) {
    for (PetscInt s = 0; s < 2; s++) {
      char      key[64];
      PetscInt  components = 3;
      PetscBool set;
      PetscCall(PetscSNPrintf(key, sizeof(key), "grid_velocity_%c_%s", "xyz"[a], s ? "upper" : "lower"));
      PetscCall(WeftHasKey(key, &set));
      if (!set) continue;
      PetscCall(WeftGetRealList(key, options->side_velocity[a][s], &components));
      if (components != options->dim) return WeftFailKey(PETSC_COMM_WORLD, key, "needs %" PetscInt_FMT " components", options->dim);
      if (options->side[a][s] != WEFT_SIDE_VELOCITY) return WeftFailKey(PETSC_COMM_WORLD, key, "that side is '%s'; say 'velocity' in grid_sides to prescribe it", WeftSides[options->side[a][s]]);
    }
  }
  PetscFunctionReturn(0);
}

/* A list with one value per axis; stays as it is when the key is not set. */
static PetscErrorCode AxisReals(const char *key, PetscInt dim, PetscReal values[])
{
  PetscInt  count = 3;
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(WeftHasKey(key, &set));
  if (!set) PetscFunctionReturn(0);
  PetscCall(WeftGetRealList(key, values, &count));
  if (count != dim) return WeftFailKey(PETSC_COMM_WORLD, key, "needs %" PetscInt_FMT " numbers, one per axis of grid_cells", dim);
  PetscFunctionReturn(0);
}

/* Large tiles: adding up a tile's sums costs as much as some sixty cells of it. */
static void SetTiles(WeftGridOptions *options)
{
  static const PetscInt edge[] = {64, 16, 8};
  PetscInt              multiple;

  if (options->dim < 1 || options->dim > 3 || options->granularity < 1) return; /* told when the grid is made */
  options->tile = edge[options->dim - 1];
  for (PetscInt a = 0; a < options->dim; a++)
    while (options->cells[a] % options->tile) options->tile /= 2;
  for (multiple = options->granularity; multiple % options->tile; multiple += options->granularity) { }
  options->granularity = multiple;
}

PetscErrorCode WeftGridOptionsFromKeys(WeftGridOptions *options)
{
  PetscInt  count = 3, wall;
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(options));
  PetscCall(WeftHasKey("grid_cells", &set));
  WeftCheck(set, PETSC_COMM_WORLD, "grid_cells is missing; a case needs, for example,  grid: {cells: [32, 64]}");
  PetscCall(WeftGetIntList("grid_cells", options->cells, &count));
  options->dim = count;
  for (PetscInt a = 0; a < count; a++)
    if (options->cells[a] < 1) return WeftFailKey(PETSC_COMM_WORLD, "grid_cells", "axis %c has %" PetscInt_FMT " cells; it needs at least 1", "xyz"[a], options->cells[a]);
  for (PetscInt a = 0; a < 3; a++) options->upper[a] = options->cells[a];
  PetscCall(AxisReals("grid_lower", options->dim, options->lower));
  PetscCall(AxisReals("grid_upper", options->dim, options->upper));
  PetscCall(SidesFromKeys(options));
  PetscCall(WeftGetEnum("grid_wall", &wall));
  options->wall = (WeftWall)wall;
  PetscCall(WeftGetInt("grid_halo", &options->halo));
  PetscCall(WeftGetInt("grid_granularity", &options->granularity));
  PetscCall(WeftGetBool("deterministic", &set));
  if (set) SetTiles(options);
  PetscCall(WeftHasKey("grid_ranks", &set));
  if (set) {
    count = 3;
    PetscCall(WeftGetIntList("grid_ranks", options->ranks, &count));
    if (count != options->dim) return WeftFailKey(PETSC_COMM_WORLD, "grid_ranks", "needs %" PetscInt_FMT " numbers, one per axis of grid_cells", options->dim);
  }
  PetscFunctionReturn(0);
}
