/* A box of cells over the ranks of a communicator. */
#include "grid/impl.h"

/* First cell of block r when n cells are split over p ranks in units of g cells. */
static PetscInt BlockStart(PetscInt n, PetscInt g, PetscInt p, PetscInt r)
{
  const PetscInt units = n / g;
  return g * (r * (units / p) + PetscMin(r, units % p));
}

/* Can p ranks per axis hold the box? One rank along an axis always can: its cells were checked against the halo. */
static PetscBool LayoutFits(const WeftGridOptions *o, const PetscInt p[3])
{
  for (PetscInt a = 0; a < 3; a++)
    if (p[a] > 1 && (a >= o->dim || o->granularity * (o->cells[a] / o->granularity / p[a]) < o->halo)) return PETSC_FALSE;
  return PETSC_TRUE;
}

/* Process grid for `size` ranks: fewest cuts of x (its lines stay whole for the transforms and the vector units), then the
   smallest surface of a block. */
static PetscBool ChooseRanks(const WeftGridOptions *o, PetscInt size, PetscInt best[3])
{
  PetscReal best_surface = PETSC_MAX_REAL;
  PetscInt  best_x       = PETSC_MAX_INT;

  for (PetscInt px = 1; px <= size; px++) {
    if (size % px || (o->ranks[0] && o->ranks[0] != px)) continue;
    for (PetscInt py = 1; py <= size / px; py++) {
      const PetscInt p[3]    = {px, py, size / px / py};
      PetscReal      surface = 0.0;
      if (size / px % py || (o->ranks[1] && o->ranks[1] != py) || (o->ranks[2] && o->ranks[2] != p[2]) || !LayoutFits(o, p)) continue;
      for (PetscInt a = 0; a < 3; a++) {
        const PetscInt b = (a + 1) % 3, c = (a + 2) % 3;
        if (p[a] > 1) surface += (PetscReal)o->cells[b] / p[b] * o->cells[c] / p[c];
      }
      if (px < best_x || (px == best_x && surface < best_surface)) {
        best_x       = px;
        best_surface = surface;
        for (PetscInt a = 0; a < 3; a++) best[a] = p[a];
      }
    }
  }
  return best_x < PETSC_MAX_INT ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode CheckOptions(MPI_Comm comm, const WeftGridOptions *o)
{
  PetscFunctionBegin;
  WeftCheck(o->dim >= 1 && o->dim <= 3, comm, "grid_cells: a grid has 1, 2 or 3 axes, not %" PetscInt_FMT, o->dim);
  WeftCheck(o->halo >= 1 && o->halo <= 64, comm, "grid_halo = %" PetscInt_FMT ": use 1 to 64 layers", o->halo);
  WeftCheck(o->granularity >= 1, comm, "grid_granularity = %" PetscInt_FMT ": must be at least 1", o->granularity);
  for (PetscInt a = 0; a < o->dim; a++) {
    WeftCheck(o->cells[a] >= 1, comm, "grid_cells: axis %c has %" PetscInt_FMT " cells; it needs at least 1", "xyz"[a], o->cells[a]);
    WeftCheck(o->cells[a] > o->halo, comm, "grid_cells: axis %c has %" PetscInt_FMT " cells, no more than the %" PetscInt_FMT " layers of the halo; refine the grid or lower -grid_halo", "xyz"[a], o->cells[a], o->halo);
    WeftCheck(o->cells[a] % o->granularity == 0, comm, "grid_cells: axis %c has %" PetscInt_FMT " cells, not a multiple of grid_granularity = %" PetscInt_FMT "; use %" PetscInt_FMT " or lower -grid_granularity", "xyz"[a], o->cells[a], o->granularity, (o->cells[a] / o->granularity + 1) * o->granularity);
    WeftCheck(o->upper[a] > o->lower[a], comm, "grid_upper: axis %c ends at %g, not above its grid_lower = %g", "xyz"[a], (double)o->upper[a], (double)o->lower[a]);
    WeftCheck((o->side[a][0] == WEFT_SIDE_PERIODIC) == (o->side[a][1] == WEFT_SIDE_PERIODIC), comm, "grid_sides: axis %c is periodic at one end only; make both ends periodic or none", "xyz"[a]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode FailTooManyRanks(MPI_Comm comm, const WeftGridOptions *o, PetscInt size)
{
  WeftGridOptions free_choice = *o;
  PetscInt        fits        = size, p[3] = {1, 1, 1}, given = 1;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < o->dim; a++) given *= o->ranks[a] ? o->ranks[a] : 1;
  WeftCheck(size % given == 0 && (given == size || !o->ranks[0] || (o->dim > 1 && !o->ranks[1]) || (o->dim > 2 && !o->ranks[2])), comm, "grid_ranks multiply to %" PetscInt_FMT ", but a domain has %" PetscInt_FMT " rank%s; make the product %" PetscInt_FMT ", or leave -grid_ranks out", given, size, size > 1 ? "s" : "", size);
  PetscCall(PetscArrayzero(free_choice.ranks, 3));
  while (!ChooseRanks(&free_choice, fits, p)) fits--; /* one rank always fits */
  return WeftFail(comm, "a grid of %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " cells does not fit on %" PetscInt_FMT " ranks per domain%s: a block would be narrower than the halo of %" PetscInt_FMT " layers (granularity %" PetscInt_FMT "). The largest layout that fits: %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " = %" PetscInt_FMT " ranks; or use more replicas (-team_replicas) or a smaller -grid_halo",
                  o->cells[0], o->dim > 1 ? o->cells[1] : 1, o->dim > 2 ? o->cells[2] : 1, size, o->ranks[0] ? " with the given -grid_ranks" : "", o->halo, o->granularity, p[0], p[1], p[2], fits);
}

static PetscErrorCode FillLayout(WeftGrid grid, const WeftGridOptions *o, const PetscInt ranks[3])
{
  WeftLayout *l = &grid->layout;
  PetscMPIInt rank;
  PetscInt    rest;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  l->dim         = o->dim;
  l->wall        = o->wall;
  l->granularity = o->granularity;
  rest           = rank;
  for (PetscInt a = 0; a < 3; a++) {
    const PetscBool there = a < o->dim ? PETSC_TRUE : PETSC_FALSE;
    l->cells[a] = there ? o->cells[a] : 1;
    l->lower[a] = there ? o->lower[a] : 0.0;
    l->h[a]     = there ? (o->upper[a] - o->lower[a]) / o->cells[a] : 1.0;
    l->halo[a]  = there ? o->halo : 0;
    l->tile[a]  = o->tile ? (there ? o->tile : 1) : 0;
    l->ranks[a] = ranks[a];
    l->rank[a]  = rest % ranks[a];
    rest /= ranks[a];
    for (PetscInt s = 0; s < 2; s++) {
      l->side[a][s] = there ? o->side[a][s] : WEFT_SIDE_PERIODIC;
      if (l->side[a][s] == WEFT_SIDE_VELOCITY) PetscCall(PetscArraycpy(l->side_velocity[a][s], o->side_velocity[a][s], 3));
    }
    PetscCall(PetscMalloc1(ranks[a] + 1, &grid->bounds[a]));
    for (PetscInt r = 0; r < ranks[a]; r++) grid->bounds[a][r] = BlockStart(l->cells[a], there ? o->granularity : 1, ranks[a], r);
    grid->bounds[a][ranks[a]] = l->cells[a];
    l->start[a]               = grid->bounds[a][l->rank[a]];
    l->count[a]               = grid->bounds[a][l->rank[a] + 1] - l->start[a];
  }
  l->stride[0] = 1;
  l->stride[1] = (l->count[0] + 2 * l->halo[0] + 1 + 7) / 8 * 8; /* rows keep their alignment */
  l->stride[2] = l->stride[1] * (l->dim > 1 ? l->count[1] + 2 * l->halo[1] + 1 : 1);
  l->plane     = l->stride[2] * (l->dim > 2 ? l->count[2] + 2 * l->halo[2] + 1 : 1);
  l->origin    = l->halo[0] + l->halo[1] * l->stride[1] + l->halo[2] * l->stride[2];
  PetscFunctionReturn(0);
}

static PetscMPIInt NeighbourRank(const WeftLayout *l, const signed char d[3])
{
  PetscInt at[3];
  for (PetscInt a = 0; a < 3; a++) {
    at[a] = l->rank[a] + d[a];
    if (at[a] >= 0 && at[a] < l->ranks[a]) continue;
    if (l->side[a][0] != WEFT_SIDE_PERIODIC) return -1;
    at[a] = (at[a] + l->ranks[a]) % l->ranks[a];
  }
  return (PetscMPIInt)(at[0] + l->ranks[0] * (at[1] + l->ranks[1] * at[2]));
}

static void FindNeighbours(WeftGrid grid)
{
  const WeftLayout *l = &grid->layout;
  for (int code = 0; code < 27; code++) { /* lexicographic: read backwards it is the mirror image, as the other end needs */
    const signed char d[3] = {(signed char)(code % 3 - 1), (signed char)(code / 3 % 3 - 1), (signed char)(code / 9 - 1)};
    WeftNeighbour    *neighbour;
    PetscMPIInt       rank;
    PetscInt          n;
    if (code == 13 || (l->dim < 2 && d[1]) || (l->dim < 3 && d[2])) continue;
    rank = NeighbourRank(l, d);
    if (rank < 0) continue;
    for (n = 0; n < grid->neighbours && grid->neighbour[n].rank != rank; n++) { }
    neighbour = &grid->neighbour[n];
    if (n == grid->neighbours) {
      neighbour->rank = rank;
      grid->neighbours++;
    }
    for (PetscInt a = 0; a < 3; a++) neighbour->direction[neighbour->directions][a] = d[a];
    neighbour->directions++;
  }
}

/* Messages travel by themselves between nodes alone. */
static PetscErrorCode ChooseOverlap(WeftGrid g)
{
  enum { AUTO, ALWAYS, NEVER };
  PetscInt    mode;
  PetscMPIInt size, here;
  MPI_Comm    node;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("grid_overlap", &mode));
  PetscCallMPI(MPI_Comm_split_type(g->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PetscCallMPI(MPI_Comm_size(g->comm, &size));
  PetscCallMPI(MPI_Comm_size(node, &here));
  PetscCallMPI(MPI_Comm_free(&node));
  g->overlap = mode == ALWAYS || (mode == AUTO && here < size) ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridCreate(MPI_Comm comm, const WeftGridOptions *options, WeftGrid *grid)
{
  PetscMPIInt size;
  PetscInt    ranks[3] = {1, 1, 1};
  WeftGrid    g;

  PetscFunctionBegin;
  PetscCall(CheckOptions(comm, options));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (!ChooseRanks(options, size, ranks)) PetscFunctionReturn(FailTooManyRanks(comm, options, size));
  PetscCall(PetscNew(&g));
  g->references = 1;
  PetscCall(PetscCommDuplicate(comm, &g->comm, NULL));
  PetscCall(FillLayout(g, options, ranks));
  FindNeighbours(g);
  PetscCall(ChooseOverlap(g));
  *grid = g;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridReference(WeftGrid grid)
{
  PetscFunctionBegin;
  grid->references++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridDestroy(WeftGrid *grid)
{
  WeftGrid g = *grid;

  PetscFunctionBegin;
  *grid = NULL;
  if (!g || --g->references) PetscFunctionReturn(0);
  for (PetscInt a = 0; a < 3; a++) PetscCall(PetscFree(g->bounds[a]));
  for (PetscInt n = 0; n < g->neighbours; n++) {
    PetscCall(PetscFree(g->send[n]));
    PetscCall(PetscFree(g->receive[n]));
  }
  PetscCall(DMDestroy(&g->dm));
  PetscCall(PetscCommDestroy(&g->comm));
  PetscCall(PetscFree(g));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridGetComm(WeftGrid grid, MPI_Comm *comm)
{
  PetscFunctionBegin;
  *comm = grid->comm;
  PetscFunctionReturn(0);
}

const WeftLayout *WeftGridLayout(WeftGrid grid) { return &grid->layout; }

static PetscErrorCode CreateDM(WeftGrid grid)
{
  const WeftLayout *l = &grid->layout;
  PetscInt         *widths[3];
  DMBoundaryType    kind[3];

  PetscFunctionBegin;
  for (PetscInt a = 0; a < 3; a++) {
    kind[a] = l->side[a][0] == WEFT_SIDE_PERIODIC && a < l->dim ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
    PetscCall(PetscMalloc1(l->ranks[a], &widths[a]));
    for (PetscInt r = 0; r < l->ranks[a]; r++) widths[a][r] = grid->bounds[a][r + 1] - grid->bounds[a][r];
  }
  PetscCall(DMDACreate(grid->comm, &grid->dm));
  PetscCall(DMSetDimension(grid->dm, l->dim));
  PetscCall(DMDASetSizes(grid->dm, l->cells[0], l->cells[1], l->cells[2]));
  PetscCall(DMDASetNumProcs(grid->dm, l->ranks[0], l->ranks[1], l->ranks[2]));
  PetscCall(DMDASetBoundaryType(grid->dm, kind[0], kind[1], kind[2]));
  PetscCall(DMDASetDof(grid->dm, 1));
  PetscCall(DMDASetStencilType(grid->dm, DMDA_STENCIL_STAR));
  PetscCall(DMDASetStencilWidth(grid->dm, 1));
  PetscCall(DMDASetOwnershipRanges(grid->dm, widths[0], l->dim > 1 ? widths[1] : NULL, l->dim > 2 ? widths[2] : NULL));
  PetscCall(DMSetUp(grid->dm));
  for (PetscInt a = 0; a < 3; a++) PetscCall(PetscFree(widths[a]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridGetDM(WeftGrid grid, DM *dm)
{
  PetscFunctionBegin;
  if (!grid->dm) PetscCall(CreateDM(grid));
  *dm = grid->dm;
  PetscFunctionReturn(0);
}
