/* Identity forward, zero backward: the cut of the reach "no-solver-gradient". */
#include "model/impl.h"

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)op, (void)record;
  PetscCall(WeftStateCopy(x[0], y[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  PetscFunctionBegin;
  (void)op, (void)x, (void)y, (void)record, (void)dx;
  PetscCall(WeftStateZero(dy[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  PetscFunctionBegin;
  (void)op, (void)x, (void)y, (void)record, (void)y_bar, (void)x_bar;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateStop(WeftSpace space, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpCreate("stop", &maps, NULL, WEFT_NEEDS_NOTHING, 1, &space, 1, &space, op));
  PetscFunctionReturn(0);
}
