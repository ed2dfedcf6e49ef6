/* ctest: case; ranks 2; timeout 120 */
/* The reference wake: divergence after every projection, and vortices that leave the circle in turn: the lift oscillates before
   step 1000 (without the poke of the initial state it would stay below 1e-6). */
#include "flow.h"

static PetscErrorCode Test(void)
{
  PetscInt  changes = 0;
  PetscReal largest = 0.0, last = 0.0;
  Flow      f;

  PetscFunctionBegin;
  PetscCall(FlowCase("wake/dataset.yaml"));
  PetscCall(TestSetKey("grid_cells", "128;256"));
  PetscCall(TestSetKey("model_viscosity_scaling", "physical"));
  PetscCall(TestSetKey("model_reynolds", "1171.875"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  for (PetscInt n = 10; n <= 1000; n += 10) {
    WeftModelFigures figures;
    PetscCall(FlowPlay(&f, 10));
    PetscCall(FlowMeasure(&f, &figures));
    TestCheck(isfinite(figures.kinetic_energy) && figures.max_velocity < 4.0, "step %" PetscInt_FMT ": largest velocity %g", n,
              (double)figures.max_velocity);
    TestCheck(figures.max_divergence <= 1e-12 * figures.max_velocity / WeftGridLayout(f.grid)->h[0],
              "step %" PetscInt_FMT ": divergence %g", n, (double)figures.max_divergence);
    if (n <= 500) continue;
    if (figures.force[0] * last < 0.0) changes++;
    last    = figures.force[0];
    largest = PetscMax(largest, PetscAbsReal(figures.force[0]));
  }
  PetscCall(WeftLog("wake at Re 1171.9: lift up to %.3f, %d changes of its sign from step 500 to 1000", (double)largest,
                    (int)changes));
  TestCheck(changes >= 4 && largest > 1.0, "the lift does not oscillate: %" PetscInt_FMT " changes of sign, at most %g",
            changes, (double)largest);
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
