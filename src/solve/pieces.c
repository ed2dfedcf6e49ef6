/* Connected pieces of open and of closed cells that no open side touches, and means over the open ones. */
#include "solve/impl.h"

#define FOR_CELLS(l, i, j, k)                                                                                                  \
  for (PetscInt k = 0; k < (l)->count[2]; k++)                                                                                 \
    for (PetscInt j = 0; j < (l)->count[1]; j++)                                                                               \
      for (PetscInt i = 0; i < (l)->count[0]; i++)

static PetscInt Index(const WeftLayout *l, PetscInt i, PetscInt j, PetscInt k) { return l->origin + i + j * l->stride[1] + k * l->stride[2]; }

static PetscReal OwnLabel(const WeftLayout *l, PetscInt i, PetscInt j, PetscInt k)
{
  return (PetscReal)(((k + l->start[2]) * l->cells[1] + j + l->start[1]) * l->cells[0] + i + l->start[0]) + 1.0;
}

/* Each cell takes the lowest label of itself and the neighbours of its kind; ghosts outside the box are 0 and left out. */
static PetscBool Lower(const WeftLayout *l, const double *open, double *label, PetscInt c)
{
  PetscReal lowest = label[c];
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt side = -1; side <= 1; side += 2) {
      const PetscInt n = c + side * l->stride[a];
      if (label[n] > 0.0 && open[n] == open[c]) lowest = PetscMin(lowest, label[n]);
    }
  if (lowest == label[c]) return PETSC_FALSE;
  label[c] = lowest;
  return PETSC_TRUE;
}

static PetscErrorCode Spread(WeftGrid grid, WeftState open, WeftState labels)
{
  const WeftLayout *l    = WeftGridLayout(grid);
  const double     *mask = WeftStatePlane(open, 0, 0);
  PetscBool         changed = PETSC_TRUE;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  FOR_CELLS(l, i, j, k) WeftStatePlaneWrite(labels, 0, 0)[Index(l, i, j, k)] = OwnLabel(l, i, j, k);
  while (changed) {
    PetscBool again = PETSC_TRUE;
    changed         = PETSC_FALSE;
    PetscCall(WeftStateHalo(labels, 1, WEFT_GHOST_ZERO));
    while (again) { /* there and back, until my block is at rest */
      double *label = WeftStatePlaneWrite(labels, 0, 0);
      again         = PETSC_FALSE;
      FOR_CELLS(l, i, j, k) if (Lower(l, mask, label, Index(l, i, j, k))) again = PETSC_TRUE;
      FOR_CELLS(l, i, j, k) if (Lower(l, mask, label, Index(l, l->count[0] - 1 - i, l->count[1] - 1 - j, l->count[2] - 1 - k))) again = PETSC_TRUE;
      if (again) changed = PETSC_TRUE;
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPIU_BOOL, MPI_LOR, comm));
  }
  PetscFunctionReturn(0);
}

typedef struct {
  PetscReal label, open, touches, cells;
} Piece;

static int ComparePieces(const void *a, const void *b)
{
  const Piece *p = (const Piece *)a, *q = (const Piece *)b;
  if (p->open != q->open) return p->open > q->open ? -1 : 1;
  return (p->label > q->label) - (p->label < q->label);
}

/* All pieces, on every rank: the cell with its own label stands for one. */
static PetscErrorCode GatherPieces(WeftGrid grid, WeftState open, WeftState labels, PetscInt *count, Piece **pieces)
{
  const WeftLayout *l = WeftGridLayout(grid);
  const double     *mask = WeftStatePlane(open, 0, 0), *label = WeftStatePlane(labels, 0, 0);
  PetscMPIInt       size, bytes = 0, *counts, *offsets;
  Piece            *mine;
  PetscInt          n = 0;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  FOR_CELLS(l, i, j, k) n += label[Index(l, i, j, k)] == OwnLabel(l, i, j, k);
  PetscCall(PetscCalloc1(n, &mine));
  n = 0;
  FOR_CELLS(l, i, j, k)
  {
    if (label[Index(l, i, j, k)] != OwnLabel(l, i, j, k)) continue;
    mine[n++] = (Piece){OwnLabel(l, i, j, k), mask[Index(l, i, j, k)], 0.0, 0.0};
  }
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &counts, size + 1, &offsets));
  bytes = (PetscMPIInt)(n * (PetscInt)sizeof(Piece));
  PetscCallMPI(MPI_Allgather(&bytes, 1, MPI_INT, counts, 1, MPI_INT, comm));
  offsets[0] = 0;
  for (PetscMPIInt r = 0; r < size; r++) offsets[r + 1] = offsets[r] + counts[r];
  *count = offsets[size] / (PetscInt)sizeof(Piece);
  PetscCall(PetscMalloc1(*count, pieces));
  PetscCallMPI(MPI_Allgatherv(mine, bytes, MPI_BYTE, *pieces, counts, offsets, MPI_BYTE, comm));
  qsort(*pieces, (size_t)*count, sizeof(Piece), ComparePieces);
  PetscCall(PetscFree2(counts, offsets));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

static PetscInt Find(PetscInt count, const Piece pieces[], PetscReal label, PetscReal open)
{
  const Piece  key   = {label, open, 0.0, 0.0};
  const Piece *found = (const Piece *)bsearch(&key, pieces, (size_t)count, sizeof(Piece), ComparePieces);
  return found ? (PetscInt)(found - pieces) : -1;
}

static PetscBool TouchesOpenSide(const WeftLayout *l, PetscInt i, PetscInt j, PetscInt k)
{
  const PetscInt at[3] = {i + l->start[0], j + l->start[1], k + l->start[2]};
  for (PetscInt a = 0; a < l->dim; a++)
    if ((at[a] == 0 && l->side[a][0] == WEFT_SIDE_OPEN) || (at[a] == l->cells[a] - 1 && l->side[a][1] == WEFT_SIDE_OPEN)) return PETSC_TRUE;
  return PETSC_FALSE;
}

PetscErrorCode WeftPiecesFind(WeftGrid grid, PetscInt batch, WeftState open, WeftPieces *p)
{
  const WeftLayout *l = WeftGridLayout(grid);
  const double     *mask = WeftStatePlane(open, 0, 0), *label;
  PetscReal        *facts;
  PetscInt          all = 0, at = 0;
  Piece            *piece;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  PetscCall(WeftStateCreate(WeftStateSpace(open), &p->labels));
  PetscCall(Spread(grid, open, p->labels));
  PetscCall(WeftStateHalo(p->labels, 1, WEFT_GHOST_ZERO));
  PetscCall(GatherPieces(grid, open, p->labels, &all, &piece));
  label = WeftStatePlane(p->labels, 0, 0);
  PetscCall(PetscCalloc1(2 * all, &facts));
  FOR_CELLS(l, i, j, k)
  {
    const PetscInt c = Index(l, i, j, k), n = Find(all, piece, label[c], mask[c]);
    facts[2 * n] += 1.0;
    if (TouchesOpenSide(l, i, j, k)) facts[2 * n + 1] += 1.0;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, facts, (PetscMPIInt)(2 * all), MPIU_REAL, MPI_SUM, comm));
  for (PetscInt n = 0; n < all; n++) {
    if (facts[2 * n + 1] > 0.0) continue;
    piece[p->count]       = piece[n];
    piece[p->count].cells = facts[2 * n];
    if (piece[n].open > 0.0) p->open_count++;
    p->count++;
  }
  PetscCall(PetscMalloc3(p->count, &p->label, p->open_count, &p->cells, l->count[0] * l->count[1] * l->count[2], &p->piece));
  PetscCall(PetscMalloc2(2 * batch * p->open_count, &p->sum, batch * p->open_count, &p->mean));
  for (PetscInt n = 0; n < p->count; n++) p->label[n] = piece[n].label;
  for (PetscInt n = 0; n < p->open_count; n++) p->cells[n] = (PetscInt)piece[n].cells;
  FOR_CELLS(l, i, j, k)
  {
    const PetscInt c = Index(l, i, j, k);
    p->piece[at++]   = mask[c] > 0.0 ? Find(p->count, piece, label[c], mask[c]) : -1;
  }
  PetscCall(PetscFree(facts));
  PetscCall(PetscFree(piece));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPiecesDestroy(WeftPieces *p)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&p->labels));
  PetscCall(PetscFree3(p->label, p->cells, p->piece));
  PetscCall(PetscFree2(p->sum, p->mean));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPiecesRemoveMeans(WeftGrid grid, PetscInt batch, WeftPieces *p, double *values)
{
  const WeftLayout *l     = WeftGridLayout(grid);
  const PetscInt    cells = l->count[0] * l->count[1] * l->count[2], n = p->open_count;
  PetscReal         largest = 0.0;
  WeftExactScale    scale;
  MPI_Comm          comm;

  PetscFunctionBegin;
  if (!n) PetscFunctionReturn(0);
  PetscCall(WeftGridGetComm(grid, &comm));
  for (PetscInt s = 0; s < batch; s++)
    for (PetscInt c = 0; c < cells; c++)
      if (p->piece[c] >= 0 && !(PetscAbsReal(values[s * cells + c]) <= largest)) largest = PetscAbsReal(values[s * cells + c]); /* NaN stays */
  PetscCall(WeftExactScaleSet(comm, largest, l->cells[0] * l->cells[1] * l->cells[2], &scale));
  PetscCall(PetscArrayzero(p->sum, 2 * batch * n));
  for (PetscInt s = 0; s < batch && scale.largest <= PETSC_MAX_REAL; s++)
    for (PetscInt c = 0; c < cells; c++)
      if (p->piece[c] >= 0) WeftExactAdd(&scale, values[s * cells + c], p->sum + 2 * (s * n + p->piece[c]));
  PetscCall(WeftExactReduce(comm, &scale, batch * n, p->sum, p->mean));
  for (PetscInt s = 0; s < batch; s++)
    for (PetscInt c = 0; c < cells; c++)
      if (p->piece[c] >= 0) values[s * cells + c] -= p->mean[s * n + p->piece[c]] / p->cells[p->piece[c]];
  PetscFunctionReturn(0);
}
