/* The one halo exchange: every array of the given states in one message per neighbour, then the side rules. */
#include "grid/impl.h"
#include "grid/parts.h"

typedef struct {
  PetscInt lo[3], hi[3];
} Box;

/* What I send towards direction d, or (ghosts) what I receive from there. Across the other axes both ends own the same range. */
static Box BoxOf(const WeftLayout *l, WeftLocation location, const signed char d[3], PetscInt width, PetscBool ghosts)
{
  Box box;
  WeftLayoutOwned(l, location, box.lo, box.hi);
  for (PetscInt a = 0; a < 3; a++) {
    const PetscInt start = l->start[a], end = start + l->count[a];
    if (d[a] < 0) {
      box.lo[a] = ghosts ? start - width : start;
      box.hi[a] = box.lo[a] + width;
    } else if (d[a] > 0) {
      box.lo[a] = ghosts ? end : end - width;
      box.hi[a] = box.lo[a] + width;
    }
  }
  return box;
}

static size_t BoxPoints(const Box *box) { return (size_t)(box->hi[0] - box->lo[0]) * (size_t)(box->hi[1] - box->lo[1]) * (size_t)(box->hi[2] - box->lo[2]); }

static char *Row(const WeftLayout *l, const WeftArray *a, PetscInt i, PetscInt j, PetscInt k)
{
  return a->base + a->point * (size_t)(a->origin + (i - l->start[0]) * a->stride[0] + (j - l->start[1]) * a->stride[1] + (k - l->start[2]) * a->stride[2]);
}

/* Beside x sides a row gives a few values: without asking for a line so many rows ahead, each would wait for memory. */
#define AHEAD 16

static char *Pack(const WeftLayout *l, const WeftArray *a, const Box *box, char *buffer)
{
  const size_t bytes = (size_t)(box->hi[0] - box->lo[0]) * a->point;
  for (PetscInt k = box->lo[2]; k < box->hi[2]; k++)
    for (PetscInt j = box->lo[1]; j < box->hi[1]; j++, buffer += bytes) {
      const char *row = Row(l, a, box->lo[0], j, k);
      __builtin_prefetch(row + AHEAD * (ptrdiff_t)a->point * a->stride[1]);
      memcpy(buffer, row, bytes);
    }
  return buffer;
}

static const char *Unpack(const WeftLayout *l, const WeftArray *a, const Box *box, const char *buffer)
{
  const size_t bytes = (size_t)(box->hi[0] - box->lo[0]) * a->point;
  for (PetscInt k = box->lo[2]; k < box->hi[2]; k++)
    for (PetscInt j = box->lo[1]; j < box->hi[1]; j++, buffer += bytes) {
      char *row = Row(l, a, box->lo[0], j, k);
      __builtin_prefetch(row + AHEAD * (ptrdiff_t)a->point * a->stride[1], 1);
      memcpy(row, buffer, bytes);
    }
  return buffer;
}

/* Bytes of the message to a neighbour, and buffers that hold it; they grow in the first steps and then stay. */
static PetscErrorCode Buffers(WeftGrid grid, PetscInt n, PetscInt states, const WeftState state[], PetscInt width, size_t *bytes)
{
  const WeftNeighbour *neighbour = &grid->neighbour[n];

  PetscFunctionBegin;
  *bytes = 0;
  for (PetscInt d = 0; d < neighbour->directions; d++) {
    for (PetscInt s = 0; s < states; s++) {
      for (PetscInt i = 0; i < WeftStateArrays(state[s]); i++) {
        const WeftArray array = WeftStateArray(state[s], i);
        const Box       box   = BoxOf(&grid->layout, array.location, neighbour->direction[d], width, PETSC_FALSE);
        *bytes += BoxPoints(&box) * array.point;
      }
    }
  }
  PetscCheck(*bytes <= PETSC_MPI_INT_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a halo message of %zu bytes is more than MPI takes", *bytes);
  if (*bytes > grid->room[n]) {
    PetscCall(PetscFree(grid->send[n]));
    PetscCall(PetscFree(grid->receive[n]));
    PetscCall(PetscMalloc1(*bytes, &grid->send[n]));
    PetscCall(PetscMalloc1(*bytes, &grid->receive[n]));
    grid->room[n] = *bytes;
  }
  PetscFunctionReturn(0);
}

static void PackAll(WeftGrid grid, PetscInt n, PetscInt states, const WeftState state[], PetscInt width)
{
  char *to = grid->send[n];
  for (PetscInt d = 0; d < grid->neighbour[n].directions; d++) {
    for (PetscInt s = 0; s < states; s++) {
      for (PetscInt i = 0; i < WeftStateArrays(state[s]); i++) {
        const WeftArray array = WeftStateArray(state[s], i);
        const Box       box   = BoxOf(&grid->layout, array.location, grid->neighbour[n].direction[d], width, PETSC_FALSE);
        to                    = Pack(&grid->layout, &array, &box, to);
      }
    }
  }
}

/* The sender went through its directions in lexicographic order; they are mine, negated, from the last to the first. */
static void UnpackAll(WeftGrid grid, PetscInt n, PetscInt states, const WeftState state[], PetscInt width, const char *from)
{
  for (PetscInt d = grid->neighbour[n].directions - 1; d >= 0; d--) {
    for (PetscInt s = 0; s < states; s++) {
      for (PetscInt i = 0; i < WeftStateArrays(state[s]); i++) {
        const WeftArray array = WeftStateArray(state[s], i);
        const Box       box   = BoxOf(&grid->layout, array.location, grid->neighbour[n].direction[d], width, PETSC_TRUE);
        from                  = Unpack(&grid->layout, &array, &box, from);
      }
    }
  }
}

static PetscErrorCode Send(WeftGrid grid, PetscInt states, const WeftState state[], PetscInt width)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  grid->requests = 0;
  for (PetscInt n = 0; n < grid->neighbours; n++) {
    const PetscMPIInt other = grid->neighbour[n].rank;
    size_t            bytes;
    PetscCall(Buffers(grid, n, states, state, width, &bytes));
    PackAll(grid, n, states, state, width);
    if (other == rank) { /* across a periodic axis that is not cut */
      UnpackAll(grid, n, states, state, width, grid->send[n]);
      continue;
    }
    PetscCallMPI(MPI_Irecv(grid->receive[n], (PetscMPIInt)bytes, MPI_BYTE, other, 17, grid->comm, &grid->request[grid->requests++]));
    PetscCallMPI(MPI_Isend(grid->send[n], (PetscMPIInt)bytes, MPI_BYTE, other, 17, grid->comm, &grid->request[grid->requests++]));
    WeftCostCount(WEFT_PHASE_HALO, 1, (PetscInt64)bytes);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Receive(WeftGrid grid, PetscInt states, const WeftState state[], PetscInt width)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  if (!grid->requests) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_HALO_WAIT));
  PetscCallMPI(MPI_Waitall(grid->requests, grid->request, MPI_STATUSES_IGNORE));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_HALO_WAIT));
  for (PetscInt n = 0; n < grid->neighbours; n++)
    if (grid->neighbour[n].rank != rank) UnpackAll(grid, n, states, state, width, grid->receive[n]);
  PetscFunctionReturn(0);
}

static void FillSides(WeftGrid grid, PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost)
{
  for (PetscInt s = 0; s < n; s++)
    for (PetscInt i = 0; i < WeftStateArrays(states[s]); i++) {
      const WeftArray array = WeftStateArray(states[s], i);
      WeftSideFill(&grid->layout, &array, states[s]->space->info.single, width, ghost);
    }
}

static PetscBool Filled(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost)
{
  for (PetscInt s = 0; s < n && width > 0; s++)
    if (states[s]->ghost_width < width || states[s]->ghost != ghost) return PETSC_FALSE;
  return PETSC_TRUE;
}

PetscErrorCode WeftStatesHaloBegin(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost)
{
  WeftGrid grid;

  PetscFunctionBegin;
  if (Filled(n, states, width, ghost)) PetscFunctionReturn(0);
  grid = states[0]->space->info.grid;
  PetscCheck(!grid->exchanging, PETSC_COMM_SELF, PETSC_ERR_ORDER, "an exchange of ghosts begins before the one under way has ended");
  for (PetscInt s = 0; s < n; s++) {
    const WeftSpaceInfo *info = &states[s]->space->info;
    PetscCheck(info->grid == grid, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP, "states of several grids in one exchange");
    PetscCheck(width <= (info->kind == WEFT_PLANES ? grid->layout.halo[0] : info->width), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "%" PetscInt_FMT " ghost layers asked for, more than there are", width);
  }
  PetscCall(WeftPhaseBegin(WEFT_PHASE_HALO));
  PetscCall(Send(grid, n, states, width));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_HALO));
  grid->exchanging = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesHaloEnd(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost)
{
  WeftGrid grid;

  PetscFunctionBegin;
  if (Filled(n, states, width, ghost)) PetscFunctionReturn(0);
  grid = states[0]->space->info.grid;
  PetscCheck(grid->exchanging, PETSC_COMM_SELF, PETSC_ERR_ORDER, "no exchange of ghosts is under way");
  grid->exchanging = PETSC_FALSE;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_HALO));
  PetscCall(Receive(grid, n, states, width));
  FillSides(grid, n, states, width, ghost);
  for (PetscInt s = 0; s < n; s++) {
    states[s]->ghost_width = width;
    states[s]->ghost       = ghost;
  }
  PetscCall(WeftPhaseEnd(WEFT_PHASE_HALO));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesHalo(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost)
{
  PetscFunctionBegin;
  PetscCall(WeftStatesHaloBegin(n, states, width, ghost));
  PetscCall(WeftStatesHaloEnd(n, states, width, ghost));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesHaloPart(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost, PetscInt part)
{
  WeftGrid grid = states[0]->space->info.grid;

  PetscFunctionBegin;
  if (part > 1 || Filled(n, states, width, ghost)) PetscFunctionReturn(0);
  if (part == 1) {
    PetscCall(WeftStatesHaloEnd(n, states, width, ghost));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftStatesHaloBegin(n, states, width, ghost));
  if (!grid->requests || !grid->overlap) {
    PetscCall(WeftStatesHaloEnd(n, states, width, ghost));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftPhaseBegin(WEFT_PHASE_HALO));
  FillSides(grid, n, states, width, ghost); /* the interior reads them; what is made of other ranks' values here is made again */
  PetscCall(WeftPhaseEnd(WEFT_PHASE_HALO));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateHalo(WeftState state, PetscInt width, WeftGhost ghost) { return WeftStatesHalo(1, &state, width, ghost); }

PetscErrorCode WeftStateFold(WeftState state, PetscInt width, WeftGhost ghost)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftStateArrays(state); i++) {
    const WeftArray array = WeftStateArray(state, i);
    WeftSideFold(&state->space->info.grid->layout, &array, state->space->info.single, width, ghost);
  }
  state->ghost_width = 0;
  PetscFunctionReturn(0);
}
