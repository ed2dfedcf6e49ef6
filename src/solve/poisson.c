/* Poisson's equation around obstacles: the box solve, corrected on the faces between open and closed cells.

   L = L0 + sum over those faces f of g_f g_f^T / h_f^2, where g_f^T p = p(upper) - p(lower) and L0 is the box without obstacles. So
   L p = b is L0 p = b - G y with (H + G^T L0^-1 G) y = G^T L0^-1 b, H = diag(h_f^2): a dense symmetric system, the same on every
   rank, with a null vector for each closed piece. One step of refinement with the true L follows. */
#include "solve/impl.h"
#include <petscblaslapack.h>

typedef struct {
  PetscInt axis, at[3]; /* between cell `at` and the one below it along the axis */
} CutFace;

struct _n_WeftPoisson {
  WeftGrid   grid;
  PetscInt   batch, faces;
  WeftBox    box;
  WeftSpace  cells;
  WeftState  open, p, residual; /* open: batch 1, ghosts filled */
  CutFace   *face;
  PetscInt  *upper, *lower; /* [faces] place in the owned cells, -1: of another rank */
  double    *inverse;       /* [faces][faces] */
  double    *jump, *y;      /* [batch][faces] */
};

/* Place of a cell among the owned ones, or -1. Periodic axes wrap. */
static PetscInt Owned(const WeftLayout *l, const PetscInt at[3], PetscInt axis, PetscInt below)
{
  PetscInt place = 0;
  for (PetscInt a = 2; a >= 0; a--) {
    PetscInt c = at[a] - (a == axis ? below : 0);
    if (c < 0) c += l->cells[a];
    if (c < l->start[a] || c >= l->start[a] + l->count[a]) return -1;
    place = place * l->count[a] + c - l->start[a];
  }
  return place;
}

static int CompareFaces(const void *a, const void *b) { return memcmp(a, b, sizeof(CutFace)); }

/* The faces between open and closed cells, those of all ranks, in one order. */
static PetscErrorCode FindFaces(WeftPoisson p)
{
  const WeftLayout *l    = WeftGridLayout(p->grid);
  const double     *open = WeftStatePlane(p->open, 0, 0);
  CutFace          *mine;
  PetscMPIInt       size, bytes, *counts, *offsets;
  PetscInt          n = 0;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(PetscCalloc1(l->dim * l->count[0] * l->count[1] * l->count[2], &mine));
  for (PetscInt a = 0; a < l->dim; a++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, (WeftLocation)a, lo, hi);
    hi[a] = PetscMin(hi[a], l->start[a] + l->count[a]);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const PetscInt c = WeftLayoutIndex(l, i, j, k);
          if (open[c] != open[c - l->stride[a]]) mine[n++] = (CutFace){a, {i, j, k}};
        }
  }
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &counts, size + 1, &offsets));
  bytes = (PetscMPIInt)(n * (PetscInt)sizeof(CutFace));
  PetscCallMPI(MPI_Allgather(&bytes, 1, MPI_INT, counts, 1, MPI_INT, comm));
  offsets[0] = 0;
  for (PetscMPIInt r = 0; r < size; r++) offsets[r + 1] = offsets[r] + counts[r];
  p->faces = offsets[size] / (PetscInt)sizeof(CutFace);
  PetscCall(PetscMalloc3(p->faces, &p->face, p->faces, &p->upper, p->faces, &p->lower));
  PetscCallMPI(MPI_Allgatherv(mine, bytes, MPI_BYTE, p->face, counts, offsets, MPI_BYTE, comm));
  if (p->faces) qsort(p->face, (size_t)p->faces, sizeof(CutFace), CompareFaces);
  for (PetscInt f = 0; f < p->faces; f++) {
    p->upper[f] = Owned(l, p->face[f].at, p->face[f].axis, 0);
    p->lower[f] = Owned(l, p->face[f].at, p->face[f].axis, 1);
  }
  PetscCall(PetscFree2(counts, offsets));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

/* jump[sample][f] = values(upper) - values(lower), on every rank: each sum has two terms that are not zero. */
static PetscErrorCode Jumps(WeftPoisson p)
{
  const WeftLayout *l      = WeftGridLayout(p->grid);
  const PetscInt    cells  = l->count[0] * l->count[1] * l->count[2];
  const double     *values = WeftBoxValues(p->box);
  MPI_Comm          comm;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < p->batch; s++, values += cells)
    for (PetscInt f = 0; f < p->faces; f++) p->jump[s * p->faces + f] = (p->upper[f] >= 0 ? values[p->upper[f]] : 0.0) - (p->lower[f] >= 0 ? values[p->lower[f]] : 0.0);
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, p->jump, (PetscMPIInt)(p->batch * p->faces), MPI_DOUBLE, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

/* values -= G y of one sample. */
static void Scatter(WeftPoisson p, const double y[], double values[])
{
  for (PetscInt f = 0; f < p->faces; f++) {
    if (p->upper[f] >= 0) values[p->upper[f]] -= y[f];
    if (p->lower[f] >= 0) values[p->lower[f]] += y[f];
  }
}

/* Pseudo-inverse of the capacitance matrix by its eigenvectors. */
static PetscErrorCode Invert(PetscInt n, double matrix[])
{
  PetscBLASInt size = (PetscBLASInt)n, room = 34 * size, info;
  double      *value, *work, *scaled;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &value, room, &work, n * n, &scaled));
  LAPACKsyev_("V", "U", &size, matrix, &size, value, work, &room, &info);
  PetscCheck(info == 0, PETSC_COMM_SELF, PETSC_ERR_LIB, "dsyev of the capacitance matrix: info %d", (int)info);
  for (PetscInt e = 0; e < n; e++) {
    const double factor = PetscAbsReal(value[e]) > 1e-10 * value[n - 1] ? 1.0 / value[e] : 0.0;
    for (PetscInt i = 0; i < n; i++) scaled[e * n + i] = factor * matrix[e * n + i];
  }
  {
    const double one = 1.0, zero = 0.0;
    double      *product;
    PetscCall(PetscMalloc1(n * n, &product));
    BLASgemm_("N", "T", &size, &size, &size, &one, matrix, &size, scaled, &size, &zero, product, &size);
    PetscCall(PetscArraycpy(matrix, product, n * n));
    PetscCall(PetscFree(product));
  }
  PetscCall(PetscFree3(value, work, scaled));
  PetscFunctionReturn(0);
}

/* H + G^T L0^-1 G, column by column, as many at a time as there are samples; then its inverse, made on rank 0 for all. */
static PetscErrorCode BuildCapacitance(WeftPoisson p)
{
  const WeftLayout *l     = WeftGridLayout(p->grid);
  const PetscInt    cells = l->count[0] * l->count[1] * l->count[2], n = p->faces;
  double           *values = WeftBoxValues(p->box), *unit;
  PetscMPIInt       rank;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(PetscMalloc1(n * n, &p->inverse));
  PetscCall(PetscCalloc1(n, &unit));
  for (PetscInt first = 0; first < n; first += p->batch) {
    const PetscInt count = PetscMin(p->batch, n - first);
    PetscCall(PetscArrayzero(values, p->batch * cells));
    for (PetscInt c = 0; c < count; c++) {
      unit[first + c] = -1.0;
      Scatter(p, unit, values + c * cells);
      unit[first + c] = 0.0;
    }
    PetscCall(WeftBoxSolve(p->box));
    PetscCall(Jumps(p));
    for (PetscInt c = 0; c < count; c++) {
      PetscCall(PetscArraycpy(p->inverse + (first + c) * n, p->jump + c * n, n));
      p->inverse[(first + c) * n + first + c] += l->h[p->face[first + c].axis] * l->h[p->face[first + c].axis];
    }
  }
  if (rank == 0) PetscCall(Invert(n, p->inverse));
  PetscCallMPI(MPI_Bcast(p->inverse, (PetscMPIInt)(n * n), MPI_DOUBLE, 0, comm));
  PetscCall(PetscFree(unit));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonCreate(WeftGrid grid, PetscInt batch, WeftState open, WeftPoisson *poisson)
{
  const char *const  name[]     = {"pressure"};
  const WeftLocation location[] = {WEFT_CELL};
  WeftPoisson        p;
  WeftSpace          one;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  PetscCall(WeftGridReference(grid));
  p->grid  = grid;
  p->batch = batch;
  PetscCall(WeftBoxCreate(grid, batch, &p->box));
  if (open) {
    PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, name, location, &one));
    PetscCall(WeftSpaceCreatePlanes(grid, batch, 1, name, location, &p->cells));
    PetscCall(WeftStateCreate(one, &p->open));
    PetscCall(WeftStateCreate(p->cells, &p->p));
    PetscCall(WeftStateCreate(p->cells, &p->residual));
    PetscCall(WeftStateCopy(open, p->open));
    PetscCall(WeftStateHalo(p->open, 1, WEFT_GHOST_COPY));
    PetscCall(WeftSpaceDestroy(&one));
    PetscCall(FindFaces(p));
    PetscCall(PetscMalloc2(batch * p->faces, &p->jump, batch * p->faces, &p->y));
    if (p->faces) PetscCall(BuildCapacitance(p));
  }
  *poisson = p;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonDestroy(WeftPoisson *poisson)
{
  WeftPoisson p = *poisson;

  PetscFunctionBegin;
  *poisson = NULL;
  if (!p) PetscFunctionReturn(0);
  PetscCall(WeftBoxDestroy(&p->box));
  PetscCall(WeftStateDestroy(&p->open));
  PetscCall(WeftStateDestroy(&p->p));
  PetscCall(WeftStateDestroy(&p->residual));
  PetscCall(WeftSpaceDestroy(&p->cells));
  PetscCall(PetscFree3(p->face, p->upper, p->lower));
  PetscCall(PetscFree2(p->jump, p->y));
  PetscCall(PetscFree(p->inverse));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

/* values: b -> L^-1 b up to the round-off of the capacitance matrix. b_state holds b too. */
static PetscErrorCode SolveOnce(WeftPoisson p, WeftState b_state)
{
  const WeftLayout *l     = WeftGridLayout(p->grid);
  const PetscInt    cells = l->count[0] * l->count[1] * l->count[2], n = p->faces;

  PetscFunctionBegin;
  PetscCall(WeftBoxLoad(p->box, b_state));
  PetscCall(WeftBoxSolve(p->box));
  PetscCall(Jumps(p));
  for (PetscInt s = 0; s < p->batch; s++) {
    for (PetscInt f = 0; f < n; f++) {
      double sum = 0.0;
      for (PetscInt g = 0; g < n; g++) sum += p->inverse[f * n + g] * p->jump[s * n + g];
      p->y[s * n + f] = sum;
    }
  }
  PetscCall(WeftBoxLoad(p->box, b_state));
  for (PetscInt s = 0; s < p->batch; s++) Scatter(p, p->y + s * n, WeftBoxValues(p->box) + s * cells);
  PetscCall(WeftBoxSolve(p->box));
  PetscFunctionReturn(0);
}

/* r = b - L p in open cells, 0 in closed ones. */
static PetscErrorCode Residual(WeftPoisson p, WeftState b, WeftState x, WeftState r)
{
  const WeftLayout *l    = WeftGridLayout(p->grid);
  const double     *open = WeftStatePlane(p->open, 0, 0);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(x, 1, WEFT_GHOST_ZERO));
  for (PetscInt s = 0; s < p->batch; s++) {
    const double *from = WeftStatePlane(x, 0, s), *rhs = WeftStatePlane(b, 0, s);
    double       *to = WeftStatePlaneWrite(r, 0, s);
    for (PetscInt k = 0; k < l->count[2]; k++)
      for (PetscInt j = 0; j < l->count[1]; j++)
        for (PetscInt i = 0; i < l->count[0]; i++) {
          const PetscInt c   = l->origin + i + j * l->stride[1] + k * l->stride[2];
          const PetscInt g[] = {l->start[0] + i, l->start[1] + j, l->start[2] + k};
          double         sum = rhs[c];
          for (PetscInt a = 0; a < l->dim; a++) {
            const PetscInt  t     = l->stride[a];
            const PetscBool shut0 = g[a] == 0 && l->side[a][0] != WEFT_SIDE_OPEN && l->side[a][0] != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
            const PetscBool shut1 = g[a] == l->cells[a] - 1 && l->side[a][1] != WEFT_SIDE_OPEN && l->side[a][1] != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
            if (!shut0) sum -= open[c - t] * (from[c - t] - from[c]) / (l->h[a] * l->h[a]);
            if (!shut1) sum -= open[c + t] * (from[c + t] - from[c]) / (l->h[a] * l->h[a]);
          }
          to[c] = open[c] * sum;
        }
  }
  PetscFunctionReturn(0);
}

/* Closed cells to 0. */
static void ClearClosed(WeftPoisson p, WeftState x)
{
  const WeftLayout *l    = WeftGridLayout(p->grid);
  const double     *open = WeftStatePlane(p->open, 0, 0);
  for (PetscInt s = 0; s < p->batch; s++) {
    double *to = WeftStatePlaneWrite(x, 0, s);
    for (PetscInt c = 0; c < l->plane; c++) to[c] = open[c] == 0.0 ? 0.0 : to[c];
  }
}

PetscErrorCode WeftPoissonSolve(WeftPoisson poisson, WeftState b, WeftState x)
{
  PetscFunctionBegin;
  if (!poisson->faces) {
    PetscCall(WeftBoxLoad(poisson->box, b));
    PetscCall(WeftBoxSolve(poisson->box));
    PetscCall(WeftBoxStore(poisson->box, x));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftStateCopy(b, poisson->residual)); /* b may be x */
  ClearClosed(poisson, poisson->residual);
  PetscCall(SolveOnce(poisson, poisson->residual));
  PetscCall(WeftBoxStore(poisson->box, poisson->p));
  ClearClosed(poisson, poisson->p);
  PetscCall(Residual(poisson, poisson->residual, poisson->p, x));
  PetscCall(SolveOnce(poisson, x));
  PetscCall(WeftBoxStore(poisson->box, x));
  PetscCall(WeftStateAXPY(x, 1.0, poisson->p));
  ClearClosed(poisson, x);
  PetscFunctionReturn(0);
}
