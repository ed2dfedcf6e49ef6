/* ctest: case; ranks 1 2; timeout 60 */
/* Poiseuille flow: the steady profile of the discrete equations, u_j = f / (2 nu) (y_j (H - y_j) + h^2 / 4): the parabola, moved
   by the wall's ghost. From rest until steady, to round-off. */
#include "flow.h"

static PetscErrorCode Test(void)
{
  const WeftLayout *l;
  const double      viscosity = 0.1, force = 1.0;
  PetscInt          lo[3], hi[3];
  Flow              f;

  PetscFunctionBegin;
  PetscCall(FlowCase("poiseuille/simulate.yaml"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 5000)); /* the slowest mode decays by exp(-nu pi^2 dt) per step: 1e-17 in all */
  l = WeftGridLayout(f.grid);
  WeftLayoutOwned(l, WEFT_FACE_X, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++) {
    const double y = (j + 0.5) * l->h[1], exact = force / (2.0 * viscosity) * (y * (1.0 - y) + l->h[1] * l->h[1] / 4.0);
    for (PetscInt i = lo[0]; i < hi[0]; i++)
      PetscCall(TestClose(WeftStatePlane(f.in[0], 0, 0)[WeftLayoutIndex(l, i, j, 0)], exact, 1e-12, "profile"));
  }
  WeftLayoutOwned(l, WEFT_FACE_Y, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++)
    for (PetscInt i = lo[0]; i < hi[0]; i++)
      PetscCall(TestClose(WeftStatePlane(f.in[0], 1, 0)[WeftLayoutIndex(l, i, j, 0)], 0.0, 1e-14, "cross flow"));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
