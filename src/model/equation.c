/* Steps of equations other than incompressible flow: a right-hand side by a scheme of time, or a steady solve. One equation is one row. */
#include "model/impl.h"

enum { PER_AXIS = -1, PER_FIELD = -2 };

/* A number per sample of the right-hand side; its key is model_<name>. */
typedef struct {
  const char *name;
  PetscInt    width; /* or PER_AXIS, PER_FIELD */
  PetscBool   diffuses;
} Number;

/* In the order of WeftEquation. */
typedef struct {
  const char *state, *field[2]; /* field[0] NULL: one per axis, or model_fields */
  PetscInt    fields;           /* or PER_AXIS; PER_FIELD: model_fields */
  PetscErrorCode (*right)(WeftSpace space, WeftOp *op);
  Number number[2];
} Equation;

const char *const WeftEquations[] = {"flow", "burgers", "advection_diffusion", "gray_scott", "reaction_diffusion", "darcy"};

static const Equation equations[] = {
  {.state = "velocity"}, /* flow: flow.c */
  {"velocity", {NULL}, PER_AXIS, WeftOpCreateBurgers, {{"viscosity", 1, PETSC_TRUE}}},
  {"concentration", {"concentration"}, 1, WeftOpCreateAdvectionDiffusion, {{"diffusivities", PER_FIELD, PETSC_TRUE}, {"carrier_velocity", PER_AXIS, PETSC_FALSE}}},
  {"concentration", {"u", "v"}, 2, WeftOpCreateGrayScott, {{"diffusivities", PER_FIELD, PETSC_TRUE}, {"rates", 2, PETSC_FALSE}}},
  {"concentration", {NULL}, PER_FIELD, WeftOpCreateDiffusion, {{"diffusivities", PER_FIELD, PETSC_TRUE}}},
  {.state = "pressure", {"pressure"}, 1, NULL},
};

/* ---- the space of the state -------------------------------------------------------------------------------------------------- */

/* Fields of a reaction, named by the case. */
static PetscErrorCode NamedFields(WeftGrid grid, PetscInt batch, WeftSpace *space)
{
  static const WeftLocation location[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};
  char                    **name;
  PetscInt                  fields;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("model_fields", &name, &fields));
  if (fields < 1 || fields > 3) return WeftFailKey(PETSC_COMM_WORLD, "model_fields", "one to three names of fields are needed, for example  fields: [u, v]");
  PetscCall(WeftSpaceCreatePlanes(grid, batch, fields, (const char *const *)name, location, space));
  PetscCall(WeftFreeStringList(&name, fields));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelCreateStateSpace(WeftGrid grid, PetscInt batch, WeftSpace *space)
{
  static const char *const  axis[]     = {"velocity_x", "velocity_y", "velocity_z"};
  static const WeftLocation location[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};
  const PetscInt            dim        = WeftGridLayout(grid)->dim;
  const Equation           *row;
  PetscInt                  equation;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("model_equation", &equation));
  row = &equations[equation];
  if (equation == WEFT_EQUATION_FLOW) PetscCall(WeftSpaceCreateVelocity(grid, batch, space));
  else if (row->fields == PER_FIELD) PetscCall(NamedFields(grid, batch, space));
  else if (row->fields == PER_AXIS) PetscCall(WeftSpaceCreatePlanes(grid, batch, dim, axis, location, space));
  else PetscCall(WeftSpaceCreatePlanes(grid, batch, row->fields, row->field, location, space));
  PetscFunctionReturn(0);
}

/* ---- the step ------------------------------------------------------------------------------------------------------------------- */

static void Name(WeftModel m, const char *name) { m->input[m->inputs++] = name; }

/* (pressure, log conductivity, source) -> pressure: what the pressure was does not matter. */
static PetscErrorCode CreateSteady(WeftModel m, WeftSpace space)
{
  WeftImplicitOptions solve;
  WeftSpace           cells;
  WeftProgram         program;
  WeftOp              residual, implicit;
  PetscInt            before, in[2], out;

  PetscFunctionBegin;
  PetscCall(WeftImplicitOptionsDefault(&solve));
  solve.guess = -1;
  PetscCall(WeftOpCreateDarcy(space, &residual));
  PetscCall(WeftOpCreateImplicit(residual, &solve, &implicit));
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(space)->comm, &program));
  PetscCall(WeftProgramInput(program, "pressure", space, &before));
  Name(m, "pressure");
  for (PetscInt i = 0; i < 2; i++) {
    static const char *const name[] = {"log_conductivity", "source"};
    PetscCall(WeftModelCellSpace(m->grid, m->batch, name[i], &cells));
    PetscCall(WeftProgramInput(program, name[i], cells, &in[i]));
    PetscCall(WeftSpaceDestroy(&cells));
    Name(m, name[i]);
  }
  PetscCall(WeftProgramCall(program, implicit, in, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "step", &m->step));
  m->implicit = implicit;
  PetscCall(WeftOpDestroy(&implicit)); /* the program holds it */
  PetscCall(WeftOpDestroy(&residual));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateTimeStep(WeftModel m, const Equation *row, WeftSpace space, WeftOp reaction)
{
  WeftImplicitOptions solve;
  WeftOp              f;

  PetscFunctionBegin;
  PetscCall(WeftImplicitOptionsDefault(&solve));
  solve.solves = PetscMax(m->options.gradient_steps, 1);
  if (reaction) PetscCall(WeftOpCreateReactionDiffusion(reaction, &f));
  else PetscCall((*row->right)(space, &f));
  if (m->options.scheme == WEFT_SCHEME_RUNGE_KUTTA4) PetscCall(WeftOpCreateRungeKutta(f, m->options.dt, &m->step));
  else PetscCall(WeftOpCreateTheta(f, m->options.scheme == WEFT_SCHEME_BACKWARD_EULER ? 1.0 : 0.5, m->options.dt, &solve, &m->implicit, &m->step));
  PetscCall(WeftOpDestroy(&f));
  Name(m, row->state);
  for (size_t n = 0; n < PETSC_STATIC_ARRAY_LENGTH(row->number) && row->number[n].name; n++) Name(m, row->number[n].name);
  if (reaction) Name(m, "weights");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelCreateEquation(WeftModel m, WeftOp reaction)
{
  const Equation *row = &equations[m->options.equation];
  WeftSpace       space;

  PetscFunctionBegin;
  if (reaction && m->options.equation != WEFT_EQUATION_REACTION_DIFFUSION) return WeftFailKey(PETSC_COMM_WORLD, "model_equation", "%s has no place for a net; reaction_diffusion has, and flow", WeftEquations[m->options.equation]);
  if (reaction && WeftOpInputs(reaction) != 2) return WeftFailKey(PETSC_COMM_WORLD, "net_role", "a correction is told numbers, which a reaction is not; set net_role reaction");
  PetscCall(WeftModelCreateStateSpace(m->grid, m->batch, &space));
  m->before_obstacle = -1;
  if (m->options.equation == WEFT_EQUATION_DARCY) PetscCall(CreateSteady(m, space));
  else PetscCall(CreateTimeStep(m, row, space, reaction));
  PetscCall(WeftOpSetPhase(m->step, WEFT_PHASE_SOLVER));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

/* ---- its inputs ------------------------------------------------------------------------------------------------------------------- */

/* A field of the step from an expression. */
static PetscErrorCode SetField(const char *key, WeftState state, PetscBool *set)
{
  WeftExpression expression[3];

  PetscFunctionBegin;
  PetscCall(WeftExpressionsFromKey(key, 1, expression, set));
  if (*set) PetscCall(WeftExpressionFill(expression[0], state, 0));
  PetscCall(WeftExpressionsDestroy(expression));
  PetscFunctionReturn(0);
}

static PetscErrorCode SetNumber(WeftModel m, const Number *number, WeftState state)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(state));
  double              *values = (double *)WeftStateDataWrite(state);
  PetscBool            set;
  char                 key[64];

  PetscFunctionBegin;
  if (!strcmp(number->name, "viscosity")) PetscFunctionReturn(0); /* WeftModelSetNumbersFromKeys, or a dataset */
  PetscCall(PetscSNPrintf(key, sizeof(key), "model_%s", number->name));
  PetscCall(WeftModelPerSample(m, key, info->count, values, &set));
  WeftCheck(set, PETSC_COMM_WORLD, "%s is missing; model_equation %s needs %" PetscInt_FMT " number%s", key, WeftEquations[m->options.equation], info->count, info->count > 1 ? "s" : "");
  for (PetscInt i = 0; i < info->batch * info->count && number->diffuses; i++) PetscCall(WeftModelCheckDiffusion(m, number->name, values[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelEquationInputs(WeftModel m, const WeftState inputs[])
{
  const Equation *row = &equations[m->options.equation];
  PetscBool       set;

  PetscFunctionBegin;
  for (size_t n = 0; n < PETSC_STATIC_ARRAY_LENGTH(row->number) && row->number[n].name; n++) PetscCall(SetNumber(m, &row->number[n], inputs[1 + n]));
  if (m->options.equation != WEFT_EQUATION_DARCY) PetscFunctionReturn(0);
  PetscCall(SetField("model_log_conductivity", inputs[1], &set));
  PetscCall(SetField("model_source", inputs[2], &set));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelTrueFields(WeftModel m, const WeftState inputs[])
{
  const PetscInt at = WeftModelInput(m, "log_conductivity");
  PetscInt       type, seed;
  PetscBool      set;

  PetscFunctionBegin;
  if (at < 0) PetscFunctionReturn(0);
  PetscCall(SetField("truth_log_conductivity", inputs[at], &set));
  PetscCall(WeftGetEnum("truth_type", &type));
  PetscCall(WeftGetInt("truth_seed", &seed));
  if (!set && type - 1 == WEFT_INITIAL_RANDOM) PetscCall(WeftRandomInitial(inputs[at], 0, seed, m->options.first_sample));
  PetscFunctionReturn(0);
}

/* ---- figures ---------------------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftModelMeasureFields(WeftModel m, WeftState state, WeftFieldFigures figures[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(m->grid);
  const PetscInt       n    = info->fields * info->batch;
  PetscReal           *sum, *most;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &sum, 2 * n, &most));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const double *x = WeftStatePlane(state, f, b);
      PetscReal    *s = &sum[b * info->fields + f], *e = &most[2 * (b * info->fields + f)];
      PetscInt      lo[3], hi[3];
      WeftLayoutOwned(l, info->location[f], lo, hi);
      *s   = 0.0;
      e[0] = e[1] = PETSC_NINFINITY;
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            const PetscReal value = x[WeftLayoutIndex(l, i, j, k)];
            *s += value;
            e[0] = PetscMax(e[0], value);
            e[1] = PetscMax(e[1], -value);
          }
    }
  PetscCall(WeftReduce(sum, (PetscMPIInt)n, MPIU_REAL, MPIU_SUM, info->comm));
  PetscCall(WeftReduce(most, (PetscMPIInt)(2 * n), MPIU_REAL, MPIU_MAX, info->comm));
  for (PetscInt i = 0; i < n; i++) figures[i] = (WeftFieldFigures){sum[i] / ((PetscReal)l->cells[0] * (PetscReal)l->cells[1] * (PetscReal)l->cells[2]), -most[2 * i + 1], most[2 * i]};
  PetscCall(PetscFree2(sum, most));
  PetscFunctionReturn(0);
}
