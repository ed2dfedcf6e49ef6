/* What layers between two grids share: coarse cells and their children. */
#include "nn/builder.h"

PetscErrorCode WeftFeaturesCheck(const char *op, WeftSpace x, WeftSpace y, PetscInt width)
{
  const WeftSpaceInfo *a = WeftSpaceGetInfo(x), *b = WeftSpaceGetInfo(y);

  PetscFunctionBegin;
  PetscCheck(a->kind == WEFT_CHANNELS && b->kind == WEFT_CHANNELS && a->grid == b->grid && a->batch == b->batch && a->single == b->single,
             a->comm, PETSC_ERR_ARG_INCOMP, "operator %s goes between features on one grid, of one batch and precision", op);
  PetscCheck(a->width >= width, a->comm, PETSC_ERR_ARG_OUTOFRANGE, "operator %s needs features with %" PetscInt_FMT " ghost layers", op, width);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFamilyCreate(const char *op, WeftSpace fine, WeftSpace coarse, WeftFamily *family)
{
  const WeftSpaceInfo *a = WeftSpaceGetInfo(fine), *b = WeftSpaceGetInfo(coarse);
  const WeftFeatures   f = WeftFeaturesOf(fine);

  PetscFunctionBegin;
  PetscCheck(a->kind == WEFT_CHANNELS && b->kind == WEFT_CHANNELS && a->batch == b->batch && a->single == b->single, a->comm,
             PETSC_ERR_ARG_INCOMP, "operator %s goes between features of one batch and precision", op);
  family->fine     = WeftGridLayout(a->grid);
  family->coarse   = WeftGridLayout(b->grid);
  family->children = 1 << family->fine->dim;
  family->step     = 2 * f.stride[0];
  for (PetscInt d = 0; d < family->children; d++)
    family->offset[d] = (d & 1) * f.stride[0] + (d >> 1 & 1) * f.stride[1] + (d >> 2 & 1) * f.stride[2];
  for (PetscInt i = 0; i < family->fine->dim; i++)
    PetscCheck(family->fine->start[i] == 2 * family->coarse->start[i] && family->fine->count[i] == 2 * family->coarse->count[i],
               PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP, "operator %s: the blocks of the fine grid do not cover those of the coarse one", op);
  PetscFunctionReturn(0);
}
