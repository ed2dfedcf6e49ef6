/* ctest: unit; ranks 1 2 4; timeout 60 */
/* The adjoint of "exchange halos, then a stencil" in its gather form (exchange the adjoint, transposed stencil, fold the sides)
   against the textbook form: every cell adds into its neighbours, ghosts included, and DMLocalToGlobal(ADD_VALUES) returns
   what landed in ghosts to the owners. */
#include <weft/op.h>
#include "support.h"

static const PetscInt  offset[5][2]   = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
static const PetscReal coefficient[5] = {1.7, -0.4, 0.9, 0.3, -1.1}; /* nothing symmetric */

static PetscErrorCode Gather(WeftState y_bar, WeftState x_bar)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(y_bar));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double        *w;
  double              *x;
  PetscInt             lo[3], hi[3], mine_lo[3], mine_hi[3];

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(y_bar, 2, WEFT_GHOST_ZERO));
  w = WeftStatePlane(y_bar, 0, 0);
  x = WeftStatePlaneWrite(x_bar, 0, 0);
  WeftLayoutGather(l, WEFT_CELL, 1, lo, hi);
  WeftLayoutOwned(l, WEFT_CELL, mine_lo, mine_hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++) {
    for (PetscInt i = lo[0]; i < hi[0]; i++) {
      double sum = 0.0;
      for (PetscInt s = 0; s < 5; s++) sum += coefficient[s] * w[WeftLayoutIndex(l, i - offset[s][0], j - offset[s][1], 0)];
      x[WeftLayoutIndex(l, i, j, 0)] = sum;
    }
  }
  PetscCall(WeftStateFold(x_bar, 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

static PetscErrorCode Textbook(WeftState y_bar, Vec result)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(y_bar));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const double        *w    = WeftStatePlane(y_bar, 0, 0);
  DM                   dm;
  Vec                  local;
  PetscScalar        **x;

  PetscFunctionBegin;
  PetscCall(WeftGridGetDM(info->grid, &dm));
  PetscCall(DMGetLocalVector(dm, &local));
  PetscCall(VecZeroEntries(local));
  PetscCall(DMDAVecGetArray(dm, local, &x));
  for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
      for (PetscInt s = 0; s < 5; s++) {
        PetscInt to[2] = {i + offset[s][0], j + offset[s][1]};
        for (PetscInt a = 0; a < 2; a++) /* the ghost of an open side is the cell beside it */
          if (l->side[a][0] != WEFT_SIDE_PERIODIC) to[a] = PetscMin(PetscMax(to[a], 0), l->cells[a] - 1);
        x[to[1]][to[0]] += coefficient[s] * w[WeftLayoutIndex(l, i, j, 0)];
      }
    }
  }
  PetscCall(DMDAVecRestoreArray(dm, local, &x));
  PetscCall(VecZeroEntries(result));
  PetscCall(DMLocalToGlobal(dm, local, ADD_VALUES, result));
  PetscCall(DMRestoreLocalVector(dm, &local));
  PetscFunctionReturn(0);
}

static PetscErrorCode Compare(WeftState x_bar, Vec expected)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x_bar));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  DM                   dm;
  PetscScalar        **e;

  PetscFunctionBegin;
  PetscCall(WeftGridGetDM(info->grid, &dm));
  PetscCall(DMDAVecGetArrayRead(dm, expected, &e));
  for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++)
      PetscCall(TestClose(WeftStatePlane(x_bar, 0, 0)[WeftLayoutIndex(l, i, j, 0)], e[j][i], 1e-14,
                          "adjoint of exchange and stencil"));
  PetscCall(DMDAVecRestoreArrayRead(dm, expected, &e));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const char *const  names[]  = {"u"};
  static const WeftLocation places[] = {WEFT_CELL};

  PetscFunctionBegin;
  for (PetscInt kind = 0; kind < 3; kind++) { /* periodic; open; open in x alone */
    WeftGridOptions options;
    WeftGrid        grid;
    WeftSpace       space;
    WeftState       y_bar, x_bar;
    DM              dm;
    Vec             expected;
    PetscCall(WeftGridOptionsDefault(&options));
    options.dim        = 2;
    options.cells[0]   = 11;
    options.cells[1]   = 18;
    options.side[0][0] = options.side[0][1] = kind == 0 ? WEFT_SIDE_PERIODIC : WEFT_SIDE_OPEN;
    options.side[1][0] = options.side[1][1] = kind == 1 ? WEFT_SIDE_OPEN : WEFT_SIDE_PERIODIC;
    PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &grid));
    PetscCall(WeftSpaceCreatePlanes(grid, 1, 1, names, places, &space));
    PetscCall(WeftStateCreate(space, &y_bar));
    PetscCall(WeftStateCreate(space, &x_bar));
    PetscCall(WeftStateSetRandom(y_bar, 3, 0, 0.0, 1.0));
    PetscCall(WeftGridGetDM(grid, &dm));
    PetscCall(DMCreateGlobalVector(dm, &expected));
    PetscCall(Textbook(y_bar, expected));
    PetscCall(Gather(y_bar, x_bar));
    PetscCall(Compare(x_bar, expected));
    PetscCall(VecDestroy(&expected));
    PetscCall(WeftStateDestroy(&y_bar));
    PetscCall(WeftStateDestroy(&x_bar));
    PetscCall(WeftSpaceDestroy(&space));
    PetscCall(WeftGridDestroy(&grid));
  }
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
