/* ctest: case; ranks 2; timeout 300 */
/* Circular cylinder at Re 100: frequency and amplitude of the lift and mean drag within the spread of published values for
   unconfined flow: Strouhal number 0.160 to 0.175, drag coefficient 1.33 to 1.43, amplitude of the lift coefficient 0.25 to 0.34
   (Braza, Chassaing, Ha Minh 1986; Liu, Zheng, Sung 1998; Calhoun 2002; Russell, Wang 2003; Linnick, Fasel 2005; Xu, Wang 2006).
   Here the sides are slip walls 16 diameters apart: a blockage of 6 %, which raises frequency and drag by some per cent. */
#include "flow.h"

static PetscErrorCode Test(void)
{
  const PetscReal start = 36.0, end = 68.0; /* the street has set in; five periods */
  PetscReal       drag = 0.0, lift = 0.0, last = 0.0, first_crossing = -1.0, last_crossing = -1.0, dt;
  PetscInt        crossings = 0, samples = 0;
  Flow            f;

  PetscFunctionBegin;
  PetscCall(FlowCase("cylinder/simulate.yaml"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  dt = WeftModelTimeStep(f.model);
  PetscCall(FlowPlay(&f, (PetscInt)(start / dt)));
  for (PetscReal t = start; t < end; t += dt) {
    WeftModelFigures figures;
    PetscCall(FlowPlay(&f, 1));
    PetscCall(FlowMeasure(&f, &figures));
    if (samples && last < 0.0 && figures.force[1] >= 0.0) { /* upward crossings: one per period */
      last_crossing = t - dt * figures.force[1] / (figures.force[1] - last);
      if (!crossings++) first_crossing = last_crossing;
    }
    last = figures.force[1];
    lift = PetscMax(lift, 2.0 * PetscAbsReal(last));
    drag += 2.0 * figures.force[0]; /* over 1/2 U^2 D */
    samples++;
  }
  drag /= (PetscReal)samples;
  TestCheck(crossings >= 3, "the lift crossed zero %" PetscInt_FMT " times only", crossings);
  const PetscReal strouhal = (PetscReal)(crossings - 1) / (last_crossing - first_crossing);
  PetscCall(WeftLog("cylinder at Re 100: Strouhal number %.4f, drag %.3f, amplitude of the lift %.3f", (double)strouhal, (double)drag, (double)lift));
  TestCheck(strouhal >= 0.160 && strouhal <= 0.175, "Strouhal number %g", (double)strouhal);
  TestCheck(drag >= 1.33 && drag <= 1.43, "drag coefficient %g", (double)drag);
  TestCheck(lift >= 0.25 && lift <= 0.34, "amplitude of the lift coefficient %g", (double)lift);
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
