/* ctest: case; ranks 2; timeout 120 */
/* Taylor-Green vortices: observed orders of accuracy, printed and asserted.
   Two dimensions: the velocity decays as exp(-2 nu k^2 t), exactly (Taylor, Green 1937); the error is relative, in the 2-norm.
   Three dimensions: no closed form, so the difference of a run and the restriction of one on twice the grid, relative.
   The time step goes as h with semi-Lagrangian advection (first order) and as h^2 with MacCormack (second order). */
#include "flow.h"

#define LENGTH 6.283185307179586

typedef struct {
  PetscInt  dim;
  PetscBool maccormack;
  PetscReal viscosity, time;
} Setting;

static PetscErrorCode Create(const Setting *s, PetscInt cells, PetscInt steps, Flow *f)
{
  char text[64];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(text, sizeof(text), s->dim == 2 ? "%d;%d" : "%d;%d;%d", (int)cells, (int)cells, (int)cells));
  PetscCall(TestSetKey("grid_cells", text));
  PetscCall(TestSetKey("grid_upper", s->dim == 2 ? "6.283185307179586;6.283185307179586"
                                                 : "6.283185307179586;6.283185307179586;6.283185307179586"));
  PetscCall(TestSetKey("model_advect_velocity", s->maccormack ? "maccormack" : "semi_lagrangian"));
  PetscCall(TestSetKey("initial_type", "taylor_green"));
  PetscCall(PetscSNPrintf(text, sizeof(text), "%.17g", (double)s->viscosity));
  PetscCall(TestSetKey("model_viscosity", text));
  PetscCall(PetscSNPrintf(text, sizeof(text), "%.17g", (double)(s->time / (PetscReal)steps)));
  PetscCall(TestSetKey("model_dt", text));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, f));
  PetscCall(FlowPlay(f, steps));
  PetscFunctionReturn(0);
}

static PetscErrorCode ErrorOfDecay(const Setting *s, PetscInt cells, PetscInt steps, PetscReal *error)
{
  WeftState exact, start[WEFT_OP_MAX];
  PetscReal size;
  Flow      f;

  PetscFunctionBegin;
  PetscCall(Create(s, cells, steps, &f));
  for (PetscInt i = 0; i < WeftOpInputs(WeftModelStep(f.model)); i++) start[i] = f.out[0]; /* the velocity alone is filled */
  start[WeftModelInput(f.model, "viscosity")] = f.in[WeftModelInput(f.model, "viscosity")];
  PetscCall(WeftModelInitial(f.model, start));
  PetscCall(WeftStateCreate(WeftModelStateSpace(f.model, 0), &exact));
  PetscCall(WeftStateAXPY(exact, exp(-2.0 * s->viscosity * s->time), f.out[0]));
  PetscCall(WeftStateNorm(exact, NORM_2, &size));
  PetscCall(WeftStateAXPY(exact, -1.0, f.in[0]));
  PetscCall(WeftStateNorm(exact, NORM_2, error));
  *error /= size;
  PetscCall(WeftStateDestroy(&exact));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode Difference(const Setting *s, PetscInt cells, PetscInt steps, PetscInt finer, PetscReal *difference)
{
  PetscReal size;
  WeftOp    op;
  Flow      coarse, fine;

  PetscFunctionBegin;
  PetscCall(TestSetKey("grid_granularity", "1"));
  PetscCall(Create(s, cells, steps, &coarse));
  PetscCall(TestSetKey("grid_granularity", "2"));
  PetscCall(Create(s, 2 * cells, finer * steps, &fine));
  PetscCall(WeftOpCreateRestrict(WeftModelStateSpace(fine.model, 0), WeftModelStateSpace(coarse.model, 0), &op));
  PetscCall(WeftOpApply(op, fine.in, coarse.out, NULL));
  PetscCall(WeftStateNorm(coarse.out[0], NORM_2, &size));
  PetscCall(WeftStateAXPY(coarse.out[0], -1.0, coarse.in[0]));
  PetscCall(WeftStateNorm(coarse.out[0], NORM_2, difference));
  *difference /= size;
  PetscCall(WeftOpDestroy(&op));
  PetscCall(FlowDestroy(&coarse));
  PetscCall(FlowDestroy(&fine));
  PetscFunctionReturn(0);
}

/* Three grids, each twice the one before; the time step follows. */
static PetscErrorCode Orders(const Setting *s, PetscInt cells, PetscInt steps, PetscReal lower, PetscReal upper)
{
  const PetscInt finer = s->maccormack ? 4 : 2;
  PetscReal      error[3];

  PetscFunctionBegin;
  for (PetscInt g = 0; g < 3 && (g < 2 || s->dim == 2); g++) {
    if (s->dim == 2)
      PetscCall(ErrorOfDecay(s, cells << g, steps * (g == 0 ? 1 : g == 1 ? finer : finer * finer), &error[g]));
    else
      PetscCall(Difference(s, cells << g, steps * (g ? finer : 1), finer, &error[g]));
  }
  for (PetscInt g = 1; g < (s->dim == 2 ? 3 : 2); g++) {
    const PetscReal order = log2(error[g - 1] / error[g]);
    PetscCall(WeftLog("Taylor-Green %dD, %s: %d to %d cells: error %.3e to %.3e, order %.2f", (int)s->dim,
                      s->maccormack ? "MacCormack" : "semi-Lagrangian", (int)(cells << (g - 1)), (int)(cells << g),
                      (double)error[g - 1], (double)error[g], (double)order));
    TestCheck(order >= lower && order <= upper, "observed order %g is not within [%g, %g]", (double)order, (double)lower,
              (double)upper);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Orders(&(Setting){2, PETSC_FALSE, 0.01, 1.0}, 32, 16, 0.8, 1.3));
  PetscCall(Orders(&(Setting){2, PETSC_TRUE, 0.01, 1.0}, 16, 8, 1.7, 2.3));
  PetscCall(Orders(&(Setting){3, PETSC_FALSE, 0.01, 1.0}, 16, 8, 0.6, 1.4));
  PetscCall(Orders(&(Setting){3, PETSC_TRUE, 0.01, 1.0}, 12, 6, 1.5, 2.5));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
