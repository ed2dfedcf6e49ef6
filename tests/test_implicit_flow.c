/* ctest: case; ranks 1 2 4; timeout 60 */
/* Implicit diffusion in the incompressible model, with time steps 5000 times the explicit limit: Poiseuille flow from rest reaches
   the steady profile of the discrete equations; the gradient of a rollout agrees with its tangent; without PETSc's solvers the bits
   are those of one rank. */
#include <weft/io.h>
#include "flow.h"

static PetscErrorCode Profile(Flow *f, PetscReal viscosity)
{
  const WeftLayout *l = WeftGridLayout(f->grid);
  PetscInt          lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, WEFT_FACE_X, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++) {
    const double y = (j + 0.5) * l->h[1], exact = 0.5 / viscosity * (y * (1.0 - y) + l->h[1] * l->h[1] / 4.0);
    for (PetscInt i = lo[0]; i < hi[0]; i++) PetscCall(TestClose(WeftStatePlane(f->in[0], 0, 0)[WeftLayoutIndex(l, i, j, 0)], exact, 1e-10 / viscosity, "profile"));
  }
  PetscFunctionReturn(0);
}

/* <J v, w> against <v, J' w> over two steps, by initial velocity and viscosity. */
static PetscErrorCode Adjoint(Flow *f)
{
  WeftRolloutOptions options = {.step = WeftModelStep(f->model), .states = 1, .length = 2};
  const PetscInt     nu      = WeftModelInput(f->model, "viscosity");
  WeftState          v[WEFT_OP_MAX] = {NULL}, bar[WEFT_OP_MAX] = {NULL}, w, image;
  PetscReal          forward, reverse, part;
  WeftRollout        rollout;

  PetscFunctionBegin;
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftStateSetRandom(f->in[0], 1, 0, 0.0, 0.02));
  PetscCall(WeftStateCreate(WeftStateSpace(f->in[0]), &w));
  PetscCall(WeftStateCreate(WeftStateSpace(f->in[0]), &image));
  PetscCall(WeftStateSetRandom(w, 2, 0, 0.0, 1.0));
  for (PetscInt i = 0; i <= nu; i++) {
    if (i && i != nu) continue;
    PetscCall(WeftStateCreate(WeftStateSpace(f->in[i]), &v[i]));
    PetscCall(WeftStateCreate(WeftStateSpace(f->in[i]), &bar[i]));
    PetscCall(WeftStateSetRandom(v[i], 3 + i, 0, 0.0, 0.1));
  }
  PetscCall(WeftRolloutForward(rollout, f->in, NULL, NULL, NULL));
  PetscCall(WeftRolloutTangent(rollout, v, NULL, &image));
  PetscCall(WeftRolloutReverse(rollout, &w, bar));
  PetscCall(WeftStateDot(image, w, &forward));
  PetscCall(WeftStateDot(bar[0], v[0], &reverse));
  PetscCall(WeftStateDot(bar[nu], v[nu], &part));
  PetscCall(TestClose(reverse + part, forward, 1e-9 * PetscAbsReal(forward), "adjoint against tangent"));
  for (PetscInt i = 0; i <= nu; i++) {
    PetscCall(WeftStateDestroy(&v[i]));
    PetscCall(WeftStateDestroy(&bar[i]));
  }
  PetscCall(WeftStateDestroy(&w));
  PetscCall(WeftStateDestroy(&image));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(PetscBool petsc)
{
  Flow f;

  PetscFunctionBegin;
  if (petsc) PetscCall(PetscOptionsSetValue(NULL, "-solve_pc_type", "jacobi"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 12)); /* the slowest mode shrinks by 1 + dt nu pi^2 = 50 per step */
  PetscCall(Profile(&f, 10.0));
  PetscCall(Adjoint(&f));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

/* Two steps from a generic state: bit for bit those of one rank. */
static PetscErrorCode SameBits(void)
{
  PetscInt shape[3];
  double  *values[2];
  MPI_Comm comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};

  PetscFunctionBegin;
  for (PetscInt c = 0; c < 2; c++)
    for (PetscInt k = 0; k < 2; k++) {
      Flow f;
      PetscCall(FlowCreate(comm[k], &f));
      PetscCall(WeftStateSetRandom(f.in[0], 1, 0, 0.0, 0.02));
      PetscCall(FlowPlay(&f, 2));
      PetscCall(WeftStateGather(f.in[0], c, 0, shape, &values[k]));
      PetscCall(FlowDestroy(&f));
      if (!k) continue;
      TestCheck(!memcmp(values[0], values[1], sizeof(double) * (size_t)(shape[0] * shape[1] * shape[2])), "velocity %d differs from that of one rank", (int)c);
      for (PetscInt n = 0; n < 2; n++) PetscCall(PetscFree(values[n]));
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  Flow f;

  PetscFunctionBegin;
  PetscCall(FlowCase("poiseuille/simulate.yaml"));
  PetscCall(TestSetKey("model_viscosity", "10"));
  PetscCall(TestSetKey("model_dt", "0.5"));
  PetscCall(TestSetKey("model_steps", "force;diffuse velocity;advect velocity;project"));
  TestFails(FlowCreate(PETSC_COMM_WORLD, &f), "model_diffusion implicit");
  PetscCall(TestSetKey("model_diffusion", "implicit"));
  PetscCall(SameBits());
  PetscCall(Run(PETSC_FALSE));
  PetscCall(Run(PETSC_TRUE));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
