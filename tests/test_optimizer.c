/* ctest: unit; ranks 1; timeout 30 */
/* Optimisers against values worked out by hand, on quadratics, and through a save and load. */
#include <math.h>
#include <weft/train.h>
#include "support.h"

/* Rate 0.1, beta 0.9 and 0.999, epsilon 0, gradients 1 then 3:
   update 0: mean 0.1, square 0.001, both corrected to 1: step 0.1
   update 1: mean 0.39 / 0.19, square 0.009999 / 0.001999: step 0.1 * 2.0526315789... / sqrt(5.0020010005...) */
static PetscErrorCode TestAdamByHand(void)
{
  const double  gradient[2] = {1.0, 3.0};
  double        x           = 2.0;
  PetscReal     norm;
  WeftOptimizer o;

  PetscFunctionBegin;
  PetscCall(TestSetKey("optimizer_type", "adam"));
  PetscCall(TestSetKey("optimizer_rate", "0.1"));
  PetscCall(TestSetKey("optimizer_epsilon", "0"));
  PetscCall(WeftOptimizerCreateFromKeys(1, 10, &o));
  PetscCall(WeftOptimizerStep(o, 0, &gradient[0], &x, &norm));
  PetscCall(TestClose(x, 1.9, 1e-14, "adam after one update"));
  PetscCall(WeftOptimizerStep(o, 1, &gradient[1], &x, &norm));
  PetscCall(TestClose(x, 1.9 - 0.1 * (0.39 / 0.19) / sqrt(0.009999 / 0.001999), 1e-13, "adam after two updates"));
  PetscCall(TestClose(norm, 3.0, 0.0, "norm of the gradient"));
  PetscCall(WeftOptimizerDestroy(&o));
  PetscFunctionReturn(0);
}

/* Momentum 0.5, rate 0.1, gradients 1 and 1: steps 0.1 and 0.15. A gradient of norm 5 clipped at 1 is divided by 5. */
static PetscErrorCode TestMomentumAndClip(void)
{
  const double  one = 1.0, long_one[2] = {3.0, 4.0};
  double        x = 0.0, y[2] = {0.0, 0.0};
  PetscReal     norm;
  WeftOptimizer o;

  PetscFunctionBegin;
  PetscCall(TestSetKey("optimizer_type", "sgd"));
  PetscCall(TestSetKey("optimizer_beta1", "0.5"));
  PetscCall(WeftOptimizerCreateFromKeys(1, 10, &o));
  for (PetscInt k = 0; k < 2; k++) PetscCall(WeftOptimizerStep(o, k, &one, &x, &norm));
  PetscCall(TestClose(x, -0.25, 1e-15, "sgd with momentum"));
  PetscCall(WeftOptimizerDestroy(&o));
  PetscCall(TestSetKey("optimizer_clip", "1"));
  PetscCall(WeftOptimizerCreateFromKeys(2, 10, &o));
  PetscCall(WeftOptimizerStep(o, 0, long_one, y, &norm));
  PetscCall(TestClose(norm, 5.0, 1e-15, "norm before clipping"));
  PetscCall(TestClose(y[0], -0.06, 1e-16, "clipped step"));
  PetscCall(TestClose(y[1], -0.08, 1e-16, "clipped step"));
  PetscCall(WeftOptimizerDestroy(&o));
  PetscCall(TestSetKey("optimizer_clip", "0"));
  PetscFunctionReturn(0);
}

/* Learning rates show in the steps of plain descent on a gradient of 1. */
static PetscErrorCode TestSchedules(void)
{
  const double  one = 1.0;
  double        x   = 0.0, before;
  WeftOptimizer o;

  PetscFunctionBegin;
  PetscCall(TestSetKey("optimizer_beta1", "0"));
  PetscCall(TestSetKey("optimizer_schedule", "cosine"));
  PetscCall(TestSetKey("optimizer_rate_last", "0.02"));
  PetscCall(WeftOptimizerCreateFromKeys(1, 8, &o));
  for (PetscInt k = 0; k < 8; k++) {
    before = x;
    PetscCall(WeftOptimizerStep(o, k, &one, &x, NULL));
    if (k == 0) PetscCall(TestClose(before - x, 0.1, 1e-15, "first rate of the cosine"));
    if (k == 4) PetscCall(TestClose(before - x, 0.06, 1e-15, "rate in the middle of the cosine"));
  }
  PetscCall(WeftOptimizerDestroy(&o));
  PetscCall(TestSetKey("optimizer_schedule", "step"));
  PetscCall(TestSetKey("optimizer_decay", "0.5"));
  PetscCall(TestSetKey("optimizer_decay_every", "3"));
  PetscCall(WeftOptimizerCreateFromKeys(1, 8, &o));
  x = 0.0;
  for (PetscInt k = 0; k < 8; k++) PetscCall(WeftOptimizerStep(o, k, &one, &x, NULL));
  PetscCall(TestClose(x, -(3 * 0.1 + 3 * 0.05 + 2 * 0.025), 1e-15, "sum of steps with a decay every 3 updates"));
  PetscCall(WeftOptimizerDestroy(&o));
  PetscCall(TestSetKey("optimizer_schedule", "constant"));
  PetscFunctionReturn(0);
}

/* Minimum of sum c_i (x_i - i)^2 / 2; Adam saved half-way and loaded into a new one goes on bit for bit. */
static PetscErrorCode TestQuadratic(const char *type)
{
  const double  c[3] = {1.0, 4.0, 0.3};
  double        x[3] = {5.0, -3.0, 9.0}, y[3], g[3];
  WeftOptimizer o, second;
  WeftArrays    arrays;

  PetscFunctionBegin;
  PetscCall(TestSetKey("optimizer_type", type));
  PetscCall(TestSetKey("optimizer_beta1", "0.9"));
  PetscCall(WeftOptimizerCreateFromKeys(3, 2000, &o));
  PetscCall(WeftOptimizerCreateFromKeys(3, 2000, &second));
  for (PetscInt k = 0; k < 2000; k++) {
    if (k == 1000) {
      PetscCall(WeftArraysCreate(&arrays));
      PetscCall(WeftOptimizerSave(o, arrays));
      PetscCall(WeftOptimizerLoad(second, arrays));
      PetscCall(WeftArraysDestroy(&arrays));
      PetscCall(PetscArraycpy(y, x, 3));
    }
    for (PetscInt i = 0; i < 3; i++) g[i] = c[i] * (x[i] - (double)i);
    PetscCall(WeftOptimizerStep(o, k, g, x, NULL));
    for (PetscInt i = 0; i < 3 && k >= 1000; i++) g[i] = c[i] * (y[i] - (double)i);
    if (k >= 1000) PetscCall(WeftOptimizerStep(second, k, g, y, NULL));
  }
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(TestClose(x[i], (double)i, 1e-6, type));
    TestCheck(x[i] == y[i], "%s went on differently after a save: %.17g and %.17g", type, x[i], y[i]);
  }
  PetscCall(WeftOptimizerDestroy(&o));
  PetscCall(WeftOptimizerDestroy(&second));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(TestAdamByHand());
  PetscCall(TestMomentumAndClip());
  PetscCall(TestSchedules());
  PetscCall(TestQuadratic("adam"));
  PetscCall(TestQuadratic("sgd"));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
