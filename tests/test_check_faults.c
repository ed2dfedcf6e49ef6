/* ctest: unit; ranks 1 2; timeout 60 */
/* The verb check finds a gradient that is wrong: by the tangent when one weight's is off, by the Taylor remainders when tangent and
   adjoint are wrong alike, by the comparison when one bit of the initial state's changes. */
#include <math.h>
#include "support.h"
#include "train/check.h"

static PetscErrorCode SetKeys(void)
{
  static const char *keys[][2] = {{"grid_cells", "16;24"}, {"grid_sides", "noslip;open"}, {"model_dt", "0.5"}, {"model_reynolds", "50"}, {"model_steps", "diffuse velocity;advect velocity;project;correct"}, {"initial_type", "expression"}, {"initial_velocity", "0.3*sin(y/3)+0.1*cos(x);1+0.2*sin(x/2)"}, {"net_layers", "residual 3 4 tanh;conv 1 2"}, {"net_precision", "double"}, {"train_unroll", "3"}, {"train_batch", "2"}, {"check_spinup", "5"}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(keys); i++) PetscCall(TestSetKey(keys[i][0], keys[i][1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Begin(WeftGradientCheck *c)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  c->passed = PETSC_TRUE;
  PetscCall(WeftSummaryCreate("check", &c->summary));
  PetscCall(WeftCheckStart(&c->trainer));
  PetscCall(PetscMalloc1(c->trainer->parameters, &c->weights));
  PetscCall(WeftStateCreate(c->trainer->velocity, &c->initial));
  PetscCall(WeftTrainerDifferentiate(c->trainer, &c->loss, c->weights, &c->initial));
  PetscFunctionReturn(0);
}

static PetscErrorCode End(WeftGradientCheck *c)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(c->weights));
  PetscCall(WeftStateDestroy(&c->initial));
  PetscCall(WeftTrainerDestroy(&c->trainer));
  PetscCall(WeftSummaryDestroy(&c->summary));
  PetscFunctionReturn(0);
}

static PetscErrorCode MustFind(const WeftGradientCheck *c, const char *expected)
{
  PetscFunctionBegin;
  TestCheck(!c->passed && strstr(c->fault, expected), "found '%s', expected '%s'", c->fault, expected);
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftGradientCheck c;
  char              right[32], wrong[32];
  const WeftLayout *l;
  PetscMPIInt       size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size)); /* tests of several rank counts share a folder */
  PetscCall(PetscSNPrintf(right, sizeof(right), "check_right_%d.h5", (int)size));
  PetscCall(PetscSNPrintf(wrong, sizeof(wrong), "check_wrong_%d.h5", (int)size));
  PetscCall(SetKeys());
  PetscCall(Begin(&c));
  PetscCall(WeftCheckOperators(&c));
  PetscCall(WeftCheckRollout(&c));
  PetscCall(WeftCheckWrite(&c, right));
  PetscCall(WeftCheckCompare(&c, right, right));
  TestCheck(c.passed, "a right gradient: %s", c.fault);
  c.weights[7] += 1e-6 * PetscAbsReal(c.weights[7]) + 1e-6;
  PetscCall(WeftCheckRollout(&c));
  PetscCall(MustFind(&c, "rollout by the weights: the tangent says"));
  PetscCall(End(&c));

  PetscCall(Begin(&c));
  l = WeftGridLayout(c.trainer->grid);
  if (c.trainer->info.replica == 0 && c.trainer->info.space_rank == 0) {
    double *value = WeftStatePlaneWrite(c.initial, 1, 0) + WeftLayoutIndex(l, l->start[0] + 1, l->start[1] + 1, 0);
    *value        = nextafter(*value, 1e300);
  }
  PetscCall(WeftCheckWrite(&c, wrong));
  PetscCall(WeftCheckCompare(&c, wrong, right));
  PetscCall(MustFind(&c, "in 1 of "));
  PetscCall(End(&c));

  PetscCall(TestSetKey("unroll_reach", "one-step"));
  PetscCall(Begin(&c));
  PetscCall(TestSetKey("unroll_reach", "full")); /* what the check is told */
  PetscCall(WeftCheckRollout(&c));
  PetscCall(MustFind(&c, "the Taylor remainder falls with order"));
  PetscCall(End(&c));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (!PetscGlobalRank) TestCheck(!remove(right) && !remove(wrong), "the files are not there");
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
