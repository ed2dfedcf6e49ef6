/* Poisson's equation on a grid: the box solve, with obstacles the capacitance matrix or conjugate gradients; L as a kernel and as
   an assembled matrix. */
#include "op/rows.h"
#include "solve/impl.h"

static PetscErrorCode CopyOpen(WeftPoisson p, WeftState open)
{
  const char *const  name[]     = {"open"};
  const WeftLocation location[] = {WEFT_CELL};
  const WeftLayout  *l          = WeftGridLayout(p->grid);
  PetscInt           closed = 0, at = 0;
  WeftSpace          space;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(p->grid, 1, 1, name, location, &space));
  PetscCall(WeftStateCreate(space, &p->open));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(PetscMalloc1(p->cells, &p->closed));
  for (PetscInt k = 0; k < l->count[2]; k++)
    for (PetscInt j = 0; j < l->count[1]; j++)
      for (PetscInt i = 0; i < l->count[0]; i++) {
        const PetscInt c = l->origin + i + j * l->stride[1] + k * l->stride[2];
        const double   value = WeftStatePlane(open, 0, 0)[c];
        PetscCheck(value == 0.0 || value == 1.0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "cells are open (1) or closed (0), not %g", value);
        WeftStatePlaneWrite(p->open, 0, 0)[c] = value;
        p->closed[at++] = value == 0.0 ? PETSC_TRUE : PETSC_FALSE;
        if (value == 0.0) closed++;
      }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &closed, 1, MPIU_INT, MPI_SUM, p->comm));
  if (!closed) PetscCall(WeftStateDestroy(&p->open));
  else PetscCall(WeftStateHalo(p->open, 1, WEFT_GHOST_COPY));
  PetscFunctionReturn(0);
}

/* The method for obstacles, by the number of cut faces. */
static PetscErrorCode SetUpObstacles(WeftPoisson p)
{
  PetscInt faces, most;

  PetscFunctionBegin;
  PetscCall(WeftCapacitanceCount(p->grid, p->open, &faces));
  PetscCall(WeftGetInt("pressure_capacitance_max", &most));
  if (most < 0 || most > WEFT_CAPACITANCE_MOST) return WeftFailKey(p->comm, "pressure_capacitance_max", "is a number of faces from 0 to %d: the matrix of so many takes 17 GB on every rank; beyond it, obstacles are solved by conjugate gradients", WEFT_CAPACITANCE_MOST);
  if (faces && faces <= most) PetscCall(WeftCapacitanceCreate(p->grid, p->batch, p->box, p->open, &p->pieces, &p->capacitance));
  if (faces > most) PetscCall(WeftPoissonIterateSetUp(p));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonCreateFor(WeftGrid grid, PetscInt batch, WeftState open, PetscBool direct, WeftPoisson *poisson)
{
  const WeftLayout *l = WeftGridLayout(grid);
  WeftPoisson       p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  PetscCall(WeftGridReference(grid));
  PetscCall(WeftGridGetComm(grid, &p->comm));
  p->references = 1;
  p->grid       = grid;
  p->batch      = batch;
  p->cells      = l->count[0] * l->count[1] * l->count[2];
  PetscCall(WeftBoxCreate(grid, batch, 0.0, &p->box));
  if (open) PetscCall(CopyOpen(p, open));
  if (p->open) PetscCall(WeftPiecesFind(grid, batch, p->open, &p->pieces));
  if (p->open && direct) PetscCall(SetUpObstacles(p));
  *poisson = p;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonCreate(WeftGrid grid, PetscInt batch, WeftState open, WeftPoisson *poisson) { return WeftPoissonCreateFor(grid, batch, open, PETSC_TRUE, poisson); }

PetscErrorCode WeftPoissonDestroy(WeftPoisson *poisson)
{
  WeftPoisson p = *poisson;

  PetscFunctionBegin;
  *poisson = NULL;
  if (!p || --p->references) PetscFunctionReturn(0);
  if (p->open) PetscCall(WeftPiecesDestroy(&p->pieces));
  PetscCall(WeftCapacitanceDestroy(&p->capacitance));
  PetscCall(WeftBoxDestroy(&p->box));
  PetscCall(WeftBoxDestroy(&p->single));
  PetscCall(WeftStateDestroy(&p->open));
  PetscCall(PetscFree(p->closed));
  PetscCall(WeftStateDestroy(&p->search));
  PetscCall(WeftStateDestroy(&p->image));
  PetscCall(WeftConjugateDestroy(&p->conjugate));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

/* ---- the solve -------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftPoissonRestrict(WeftPoisson p, double *values)
{
  PetscFunctionBegin;
  if (!p->open) PetscFunctionReturn(0); /* the box solve removes the mean of the whole */
  for (PetscInt s = 0; s < p->batch; s++)
    for (PetscInt c = 0; c < p->cells; c++)
      if (p->closed[c]) values[s * p->cells + c] = 0.0;
  PetscCall(WeftPiecesRemoveMeans(p->grid, p->batch, &p->pieces, values));
  PetscFunctionReturn(0);
}

double *WeftPoissonValues(WeftPoisson p) { return WeftBoxValues(p->box); }

PetscErrorCode WeftPoissonSolveValues(WeftPoisson p, WeftState x)
{
  double *values = WeftBoxValues(p->box);

  PetscFunctionBegin;
  PetscCall(WeftPoissonRestrict(p, values));
  if (p->capacitance) PetscCall(WeftCapacitanceSolve(p->capacitance));
  else if (p->search) PetscCall(WeftPoissonIterate(p));
  else PetscCall(WeftBoxSolve(p->box));
  PetscCall(WeftPoissonRestrict(p, values));
  WeftOwnedCopy(x, values, PETSC_FALSE);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPoissonSolve(WeftPoisson p, WeftState b, WeftState x)
{
  PetscFunctionBegin;
  WeftOwnedCopy(b, WeftPoissonValues(p), PETSC_TRUE);
  PetscCall(WeftPoissonSolveValues(p, x));
  PetscFunctionReturn(0);
}

/* ---- L ------------------------------------------------------------------------------------------------------------------ */

/* to (+)= c * (sums over both faces of the axis of stride s); from is 0 beyond open sides. open 0 or 1. first: overwrite. */
WEFT_KERNEL static void Second(WeftRows rows, PetscInt s, double c, PetscBool first, const double *restrict open, const double *restrict from, double *restrict to)
{
  for (PetscInt k = 0; k < rows.n[2]; k++)
    for (PetscInt j = 0; j < rows.n[1]; j++) {
      const PetscInt row = WEFT_ROW(rows, j, k);
      for (PetscInt i = row; i < row + rows.n[0]; i++) {
        const double sum = c * open[i] * (open[i + s] * (from[i + s] - from[i]) + open[i - s] * (from[i - s] - from[i]));
        to[i]            = first ? sum : to[i] + sum;
      }
    }
}

/* A closed side reads its ghosts as copies: no difference, no flux. */
static void CopyAtClosedSides(const WeftLayout *l, double *plane)
{
  for (PetscInt a = 0; a < l->dim; a++)
    for (PetscInt end = 0; end < 2; end++) {
      const WeftSide side = l->side[a][end];
      const PetscInt b = (a + 1) % 3, c = (a + 2) % 3, edge = end ? l->start[a] + l->count[a] - 1 : l->start[a];
      if (side == WEFT_SIDE_PERIODIC || side == WEFT_SIDE_OPEN || edge != (end ? l->cells[a] - 1 : 0)) continue;
      for (PetscInt k = 0; k < l->count[c]; k++)
        for (PetscInt j = 0; j < l->count[b]; j++) {
          const PetscInt at = l->origin + (edge - l->start[a]) * l->stride[a] + j * l->stride[b] + k * l->stride[c];
          plane[at + (end ? 1 : -1) * l->stride[a]] = plane[at];
        }
    }
}

PetscErrorCode WeftPoissonMultiply(WeftPoisson p, WeftState search, WeftState image)
{
  const WeftLayout *l = WeftGridLayout(p->grid);
  const WeftRows    rows = WeftRowsOwned(l, WEFT_CELL);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(search, 1, WEFT_GHOST_ZERO));
  for (PetscInt s = 0; s < p->batch; s++) {
    double *from = WeftStatePlaneWrite(search, 0, s), *to = WeftStatePlaneWrite(image, 0, s);
    CopyAtClosedSides(l, from);
    for (PetscInt a = 0; a < l->dim; a++) Second(rows, l->stride[a], 1.0 / (l->h[a] * l->h[a]), a == 0 ? PETSC_TRUE : PETSC_FALSE, WeftStatePlane(p->open, 0, 0), from, to);
  }
  PetscFunctionReturn(0);
}
