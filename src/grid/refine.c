/* Grids over one box whose blocks cover each other: finer and coarser ones. */
#include "grid/impl.h"

/* The same box, sides and process grid with other cells. */
static PetscErrorCode CreateLike(WeftGrid grid, PetscInt times, PetscInt over, PetscInt halo, WeftGrid *other)
{
  const WeftLayout *l = &grid->layout;
  WeftGridOptions   o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim         = l->dim;
  o.wall        = l->wall;
  o.halo        = halo;
  o.granularity = l->granularity * times / over;
  o.tile        = l->tile[0] * times % over ? 0 : l->tile[0] * times / over;
  for (PetscInt a = 0; a < l->dim; a++) {
    o.cells[a] = l->cells[a] * times / over;
    o.lower[a] = l->lower[a];
    o.upper[a] = l->lower[a] + l->h[a] * l->cells[a];
    o.ranks[a] = l->ranks[a];
    PetscCall(PetscArraycpy(o.side[a], l->side[a], 2));
    PetscCall(PetscArraycpy(&o.side_velocity[a][0][0], &l->side_velocity[a][0][0], 6));
  }
  PetscCall(WeftGridCreate(grid->comm, &o, other));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridRefine(WeftGrid grid, PetscInt ratio, WeftGrid *fine)
{
  PetscFunctionBegin;
  PetscCall(CreateLike(grid, ratio, 1, grid->layout.halo[0], fine));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridCoarsen(WeftGrid grid, PetscInt ratio, WeftGrid *coarse)
{
  const WeftLayout *l = &grid->layout;

  PetscFunctionBegin;
  PetscCheck(l->granularity % ratio == 0, grid->comm, PETSC_ERR_ARG_WRONG,
             "blocks of whole multiples of %" PetscInt_FMT " cells do not coarsen by %" PetscInt_FMT, l->granularity, ratio);
  for (PetscInt a = 0; a < l->dim; a++)
    WeftCheck(l->cells[a] / ratio >= 2, grid->comm,
              "axis %c of %" PetscInt_FMT " cells cannot be coarsened by %" PetscInt_FMT
              ": the coarse grid needs at least 2; refine -grid_cells or take fewer levels",
              "xyz"[a], l->cells[a], ratio);
  PetscCall(CreateLike(grid, 1, ratio, 1, coarse));
  PetscFunctionReturn(0);
}
