/* ctest: unit; ranks 1 2 4; timeout 60 */
/* One step of the wake as an operator: tangent against adjoint, Taylor remainder; the cut of the reach "no-solver-gradient";
   numbers per sample; mistakes in the list of steps. */
#include "flow.h"

static PetscErrorCode Random(WeftOp op, PetscInt n, PetscBool inputs, PetscInt64 seed, PetscReal amplitude, WeftState state[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    PetscCall(WeftStateCreate(inputs ? WeftOpInSpace(op, i) : WeftOpOutSpace(op, i), &state[i]));
    PetscCall(WeftStateSetRandom(state[i], seed + i, 0, 0.0, amplitude));
  }
  PetscFunctionReturn(0);
}

/* <J dx, w> = <dx, J' w> over all inputs and outputs. */
static PetscErrorCode DotProduct(Flow *f)
{
  const WeftOp   op     = WeftModelStep(f->model);
  const PetscInt inputs = WeftOpInputs(op), outputs = WeftOpOutputs(op);
  WeftState      dx[WEFT_OP_MAX], x_bar[WEFT_OP_MAX], dy[WEFT_OP_MAX], w[WEFT_OP_MAX];
  PetscReal      left = 0.0, right = 0.0, size = 0.0;
  WeftRecord     record;

  PetscFunctionBegin;
  PetscCall(Random(op, inputs, PETSC_TRUE, 1, 1.0, dx));
  PetscCall(Random(op, inputs, PETSC_TRUE, 1, 0.0, x_bar));
  PetscCall(Random(op, outputs, PETSC_FALSE, 20, 0.0, dy));
  PetscCall(Random(op, outputs, PETSC_FALSE, 30, 1.0, w));
  PetscCall(WeftRecordCreate(op, &record));
  PetscCall(WeftOpApply(op, f->in, f->out, record));
  PetscCall(WeftOpTangent(op, f->in, f->out, record, dx, dy));
  PetscCall(WeftOpAdjoint(op, f->in, f->out, record, w, x_bar));
  for (PetscInt i = 0; i < outputs; i++) {
    PetscReal dot, a, b;
    PetscCall(WeftStateDot(dy[i], w[i], &dot));
    PetscCall(WeftStateNorm(dy[i], NORM_2, &a));
    PetscCall(WeftStateNorm(w[i], NORM_2, &b));
    left += dot;
    size += a * b;
  }
  for (PetscInt i = 0; i < inputs; i++) {
    PetscReal dot;
    PetscCall(WeftStateDot(dx[i], x_bar[i], &dot));
    right += dot;
  }
  PetscCall(TestClose(left, right, 1e-12 * size, "dot product of a step"));
  for (PetscInt i = 0; i < inputs; i++) {
    PetscCall(WeftStateDestroy(&dx[i]));
    PetscCall(WeftStateDestroy(&x_bar[i]));
  }
  for (PetscInt i = 0; i < outputs; i++) {
    PetscCall(WeftStateDestroy(&dy[i]));
    PetscCall(WeftStateDestroy(&w[i]));
  }
  PetscCall(WeftRecordDestroy(&record));
  PetscFunctionReturn(0);
}

/* A correction that adds weights[0] times a fixed field stands in for a net. */
static PetscErrorCode StandIn(WeftGrid grid, WeftState *shape, WeftOp *correction)
{
  WeftProgram program;
  WeftSpace   velocity, number;
  WeftOp      inflow;
  PetscInt    slot[3], to;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &velocity));
  PetscCall(WeftModelFeatureSpace(grid, 1, &number));
  PetscCall(WeftStateCreate(velocity, shape));
  PetscCall(WeftStateSetRandom(*shape, 5, 0, 0.0, 1.0));
  PetscCall(WeftOpCreateInflow(velocity, *shape, &inflow));
  PetscCall(WeftProgramCreate(PETSC_COMM_WORLD, &program));
  PetscCall(WeftProgramInput(program, "velocity", velocity, &slot[0]));
  PetscCall(WeftProgramInput(program, "features", number, &slot[1]));
  PetscCall(WeftProgramInput(program, "weights", number, &slot[2]));
  PetscCall(WeftProgramCall(program, inflow, (PetscInt[]){slot[0], slot[2]}, &to));
  PetscCall(WeftProgramOutput(program, to));
  PetscCall(WeftProgramFinish(&program, "correction", correction));
  PetscCall(WeftOpDestroy(&inflow));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&number));
  PetscFunctionReturn(0);
}

/* Without the solver's gradient the velocity's adjoint is zero, and the weights' is that of the correction alone. */
static PetscErrorCode CheckCut(WeftModel model, WeftState shape)
{
  const WeftOp step = WeftModelStep(model);
  WeftState    in[WEFT_OP_MAX], out[WEFT_OP_MAX], in_bar[WEFT_OP_MAX], out_bar[WEFT_OP_MAX];
  WeftRecord   record;
  PetscReal    norm, expected, total;

  PetscFunctionBegin;
  TestCheck(WeftModelInput(model, "velocity") == 0 && WeftModelInput(model, "features") == 1, "places of the states");
  TestCheck(WeftModelInput(model, "weights") == 2 && WeftModelInput(model, "viscosity") == -1, "places of the numbers");
  PetscCall(WeftStepStates(step, in, out));
  PetscCall(WeftStepStates(step, in_bar, out_bar));
  PetscCall(WeftStateSetRandom(in[0], 6, 0, 0.0, 1.0));
  PetscCall(WeftStateSetRandom(out_bar[0], 7, 0, 0.0, 1.0));
  PetscCall(WeftRecordCreate(step, &record));
  PetscCall(WeftOpApply(step, in, out, record));
  PetscCall(WeftOpAdjoint(step, in, out, record, out_bar, in_bar));
  PetscCall(WeftStateNorm(in_bar[0], NORM_INFINITY, &norm));
  PetscCall(TestClose(norm, 0.0, 0.0, "adjoint of the velocity behind the cut"));
  PetscCall(WeftStateDot(shape, out_bar[0], &expected));
  PetscCallMPI(MPI_Allreduce(WeftStateData(in_bar[2]), &total, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(TestClose(total, expected, 1e-11, "adjoint of the weights"));
  PetscCall(WeftRecordDestroy(&record));
  PetscCall(WeftStepStatesDestroy(step, in, out));
  PetscCall(WeftStepStatesDestroy(step, in_bar, out_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Stop(void)
{
  static const char *const steps[] = {"advect velocity", "project", "correct"};
  WeftModelOptions         options;
  WeftGridOptions          box;
  WeftState                shape;
  WeftModel                model;
  WeftGrid                 grid;
  WeftOp                   correction;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&options, sizeof(options)));
  options.dt              = 0.5;
  options.steps           = 3;
  options.step            = (char **)steps;
  options.viscosity_ratio = 1.0;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim  = 2;
  box.halo = 3;
  for (PetscInt a = 0; a < 2; a++) box.upper[a] = box.cells[a] = 16;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(StandIn(grid, &shape, &correction));
  PetscCall(WeftModelCreate(grid, 1, &options, correction, PETSC_FALSE, &model));
  PetscCall(CheckCut(model, shape));
  PetscCall(WeftModelDestroy(&model));
  PetscCall(WeftOpDestroy(&correction));
  PetscCall(WeftStateDestroy(&shape));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* nu = U R / Re on the reference; on the coarse grid of the published set-up 16 times less. */
static PetscErrorCode Numbers(Flow *f)
{
  static const char names[][32] = {"viscosity", "reynolds"};
  const PetscReal   values[]    = {0.32, 31.25};
  const double     *viscosity   = (const double *)WeftStateData(f->in[WeftModelInput(f->model, "viscosity")]);

  PetscFunctionBegin;
  PetscCall(TestClose(*viscosity, 10.0 / 100.0 / 16.0, 1e-16, "viscosity from the keys"));
  PetscCall(WeftModelSetNumbers(f->model, f->in, 0, 2, names, values));
  PetscCall(TestClose(*viscosity, 0.02, 1e-16, "viscosity from a dataset"));
  PetscCall(WeftModelSetNumbers(f->model, f->in, 0, 1, names + 1, values + 1));
  PetscCall(TestClose(*viscosity, 0.02, 1e-16, "viscosity from the Reynolds number"));
  PetscFunctionReturn(0);
}

static PetscErrorCode Faults(WeftGrid grid)
{
  static const char *const lists[][2] = {{"swim", "'swim' is no step"},
                                         {"advect", "'advect' must say what"},
                                         {"advect pressure", "'advect pressure' must say what"},
                                         {"project twice", "takes no further word"},
                                         {"inflow", "inflow_region is missing"},
                                         {"force", "force is missing"},
                                         {"obstacle now", "takes no further word"}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(lists); i++) {
    char            *step    = (char *)lists[i][0];
    WeftModelOptions options = {.dt = 1.0, .steps = 1, .step = &step, .viscosity_ratio = 1.0};
    WeftModel        model;
    TestFails(WeftModelCreate(grid, 1, &options, NULL, PETSC_TRUE, &model), lists[i][1]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftModelFigures figures;
  Flow             f;

  PetscFunctionBegin;
  PetscCall(Stop());
  PetscCall(FlowCase("wake/wake.yaml"));
  PetscCall(TestSetKey("model_reynolds", "100"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(Numbers(&f));
  PetscCall(FlowPlay(&f, 5));
  PetscCall(DotProduct(&f));
  PetscCall(Faults(f.grid));
  PetscCall(FlowDestroy(&f));
  PetscCall(FlowSphere());
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 3));
  PetscCall(FlowMeasure(&f, &figures));
  TestCheck(figures.max_divergence <= 1e-12 * figures.max_velocity / WeftGridLayout(f.grid)->h[0],
            "divergence %g around a sphere", (double)figures.max_divergence);
  TestCheck(figures.force[1] > 0.0, "a sphere in a flow along y feels a force of %g", (double)figures.force[1]);
  PetscCall(DotProduct(&f));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
