/* What the tests of whole flows share: a model and its states from options given in C, or from a case file and overrides. */
#ifndef WEFT_TEST_FLOW_H
#define WEFT_TEST_FLOW_H
#include <math.h>
#include <stdlib.h>
#include <weft/train.h>
#include "support.h"
#include "train/flow.h"

typedef struct {
  WeftGrid  grid;
  WeftModel model;
  WeftState in[WEFT_OP_MAX], out[WEFT_OP_MAX];
} Flow;

static inline PetscErrorCode FlowCase(const char *file)
{
  const char *source = getenv("WEFT_SOURCE");
  char        path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/cases/%s", source ? source : ".", file));
  PetscCall(WeftCaseLoad(path));
  PetscFunctionReturn(0);
}

/* The wake in three dimensions: a sphere in a channel that is periodic along z. */
static inline PetscErrorCode FlowSphere(void)
{
  PetscFunctionBegin;
  PetscCall(FlowCase("wake/wake.yaml"));
  PetscCall(TestSetKey("grid_cells", "16;32;16"));
  PetscCall(TestSetKey("grid_lower", "0;0;0"));
  PetscCall(TestSetKey("grid_upper", "50;100;50"));
  PetscCall(TestSetKey("grid_sides", "noslip;open;periodic"));
  PetscCall(TestSetKey("model_reynolds", "100"));
  PetscCall(TestSetKey("prescribe_velocity", "0;1;0"));
  PetscCall(TestSetKey("obstacle_shapes", "sphere 25 25 20 8"));
  PetscCall(TestSetKey("initial_velocity", "0.3 * (y > 40) * (y < 60) * sin(pi * z / 25);1;0.2 * cos(pi * x / 25)"));
  PetscFunctionReturn(0);
}

/* A flow from the keys, at its initial state. */
static inline PetscErrorCode FlowCreate(MPI_Comm comm, Flow *f)
{
  WeftModelOptions options;
  WeftGridOptions  box;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(comm, &box, &f->grid));
  PetscCall(WeftModelOptionsFromKeys(&options));
  options.before_obstacle = PETSC_TRUE;
  PetscCall(WeftModelCreate(f->grid, 1, &options, NULL, PETSC_TRUE, &f->model));
  PetscCall(WeftModelOptionsDestroy(&options));
  PetscCall(WeftStepStates(WeftModelStep(f->model), f->in, f->out));
  PetscCall(WeftInitialStates(f->model, f->in));
  PetscCall(WeftModelSetNumbersFromKeys(f->model, f->in));
  PetscFunctionReturn(0);
}

/* The newest states are in `in` afterwards; the other outputs (pressure, velocity before the obstacle) in `out`. */
static inline PetscErrorCode FlowPlay(Flow *f, PetscInt steps)
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n < steps; n++) {
    PetscCall(WeftOpApply(WeftModelStep(f->model), f->in, f->out, NULL));
    PetscCall(WeftGridAgree(f->grid));
    for (PetscInt i = 0; i < WeftModelStates(f->model); i++) {
      const WeftState old = f->in[i];
      f->in[i]            = f->out[i];
      f->out[i]           = old;
    }
  }
  PetscFunctionReturn(0);
}

/* Figures of the newest state. */
static inline PetscErrorCode FlowMeasure(Flow *f, WeftModelFigures *figures)
{
  WeftState outputs[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpOutputs(WeftModelStep(f->model)); i++)
    outputs[i] = i < WeftModelStates(f->model) ? f->in[i] : f->out[i];
  PetscCall(WeftModelMeasure(f->model, outputs, figures));
  PetscFunctionReturn(0);
}

static inline PetscErrorCode FlowDestroy(Flow *f)
{
  PetscFunctionBegin;
  PetscCall(WeftStepStatesDestroy(WeftModelStep(f->model), f->in, f->out));
  PetscCall(WeftModelDestroy(&f->model));
  PetscCall(WeftGridDestroy(&f->grid));
  PetscFunctionReturn(0);
}
#endif
