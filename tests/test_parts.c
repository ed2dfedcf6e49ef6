/* ctest: unit; ranks 1 2 4; timeout 60 */
/* An exchange of ghosts in parts (grid/parts.h). Every point lies in one part. What the interior reads is there before the messages have
   come: every ghost is poisoned first, then the values within reach of each interior point are compared with those after a whole
   exchange. After the second part all ghosts are those of a whole exchange. */
#include <math.h>
#include <string.h>
#include "grid/parts.h"
#include "support.h"

#define WIDTH 3

static const char *const  names[]  = {"p", "u", "v", "w"};
static const WeftLocation places[] = {WEFT_CELL, WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};

static PetscErrorCode CreateSpace(PetscInt dim, WeftSide x, WeftSide y, PetscBool blocks, WeftSpace *space)
{
  WeftGridOptions options;
  WeftGrid        grid;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim = dim;
  for (PetscInt a = 0; a < dim; a++) {
    options.cells[a]   = 10 + 2 * a;
    options.side[a][0] = options.side[a][1] = a ? y : x;
    if (blocks) options.ranks[a] = a < 2 ? 2 : 1;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, dim + 1, names, places, space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* Random values, and no number in any ghost. */
static PetscErrorCode Fill(WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  WeftState            values;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftStateSpace(state), &values));
  PetscCall(WeftStateSetRandom(values, 7, 0, 0.0, 1.0));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++)
      for (PetscInt i = 0; i < WeftGridLayout(info->grid)->plane; i++) WeftStatePlaneWrite(state, f, b)[i] = NAN;
  PetscCall(WeftStateCopy(values, state));
  PetscCall(WeftStateDestroy(&values));
  PetscFunctionReturn(0);
}

/* The values around a point are those of `whole`, bit for bit. */
static PetscBool Same(const WeftLayout *l, const double *plane, const double *whole, PetscInt reach, const PetscInt at[3])
{
  const PetscInt deep = l->dim > 2 ? reach : 0;

  for (PetscInt k = -deep; k <= deep; k++)
    for (PetscInt j = -reach; j <= reach; j++) {
      const PetscInt row = WeftLayoutIndex(l, at[0] - reach, at[1] + j, at[2] + k);
      if (memcmp(plane + row, whole + row, sizeof(double) * (size_t)(2 * reach + 1))) return PETSC_FALSE;
    }
  return PETSC_TRUE;
}

/* Goes through a part of every field; counts how often each point was met. */
static PetscErrorCode Visit(WeftState state, WeftState whole, PetscInt reach, PetscInt part, WeftState met)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3], at[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    WeftGridPart(info->grid, reach, part, lo, hi);
    for (at[2] = lo[2]; at[2] < hi[2]; at[2]++)
      for (at[1] = lo[1]; at[1] < hi[1]; at[1]++)
        for (at[0] = lo[0]; at[0] < hi[0]; at[0]++) {
          WeftStatePlaneWrite(met, f, 0)[WeftLayoutIndex(l, at[0], at[1], at[2])] += 1.0;
          TestCheck(Same(l, WeftStatePlane(state, f, 1), WeftStatePlane(whole, f, 1), reach, at), "part %d: what %s (%d, %d, %d) reads is not there", (int)part, names[f], (int)at[0], (int)at[1], (int)at[2]);
        }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckOnce(WeftState met)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(met));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) TestCheck(WeftStatePlane(met, f, 0)[WeftLayoutIndex(l, i, j, k)] == 1.0, "%s (%d, %d, %d) lies in %g parts", names[f], (int)i, (int)j, (int)k, WeftStatePlane(met, f, 0)[WeftLayoutIndex(l, i, j, k)]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode TestSpace(WeftSpace space, WeftGhost ghost)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  WeftState            state, whole, met;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftStateCreate(space, &whole));
  PetscCall(WeftStateCreate(space, &met));
  PetscCall(Fill(whole));
  PetscCall(WeftStateHalo(whole, WIDTH, ghost));
  for (PetscInt reach = 1; reach <= WIDTH; reach++) {
    PetscCall(Fill(state));
    PetscCall(WeftStateZero(met));
    for (PetscInt part = 0; part < WeftGridParts(info->grid); part++) {
      PetscCall(WeftStatesHaloPart(1, &state, WIDTH, ghost, part));
      PetscCall(Visit(state, whole, reach, part, met));
    }
    PetscCall(CheckOnce(met));
  }
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftStateDestroy(&whole));
  PetscCall(WeftStateDestroy(&met));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const WeftSide sides[] = {WEFT_SIDE_PERIODIC, WEFT_SIDE_OPEN, WEFT_SIDE_NOSLIP};
  PetscMPIInt           size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(TestSetKey("grid_overlap", "always"));
  for (PetscInt dim = 2; dim <= 3; dim++)
    for (PetscInt blocks = 0; blocks < (size == 4 ? 2 : 1); blocks++)
      for (PetscInt x = 0; x < 3; x++)
        for (PetscInt y = 0; y < 3; y++) {
          WeftSpace space;
          PetscCall(CreateSpace(dim, sides[x], sides[y], blocks ? PETSC_TRUE : PETSC_FALSE, &space));
          PetscCall(TestSpace(space, (x + y) % 2 ? WEFT_GHOST_ZERO : WEFT_GHOST_VALUE));
          PetscCall(WeftSpaceDestroy(&space));
        }
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
