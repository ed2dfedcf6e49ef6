/* Incompressible flow: the program of one time step from a list of operators. */
#include "model/impl.h"

const char *const WeftNumberNames[] = {"viscosity", "diffusivity", "buoyancy", "inflow", "inflow_centre", "waves", "time", "features"};

#define WANTED (-2) /* an input that the survey of the steps asks for; its slot comes later */

typedef enum { TARGET_NONE, TARGET_VELOCITY, TARGET_SMOKE } Target;

/* A program under construction: the slots that hold the newest values. */
typedef struct {
  WeftModel   model;
  WeftProgram program;
  WeftOp      correction;
  PetscBool   solver_gradient;
  PetscInt    velocity, smoke, pressure, before_obstacle, weights, control, conductivity, number[WEFT_NUMBER_KINDS];
} Build;

typedef struct {
  const char *word;
  PetscBool   targeted; /* followed by velocity or smoke */
  PetscBool   smoke;    /* needs smoke */
  int         number;   /* the number that it reads, -1: none; of smoke: the next one */
  PetscErrorCode (*add)(Build *b, Target target);
} StepRow;

/* ---- one function per word ------------------------------------------------------------------------------------- */

/* Calls an operator with one output and gives up the reference to it. */
static PetscErrorCode Call(Build *b, WeftOp *op, const PetscInt in[], PetscInt *out)
{
  PetscInt slot[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftProgramCall(b->program, *op, in, slot));
  PetscCall(WeftOpDestroy(op));
  *out = slot[0];
  PetscFunctionReturn(0);
}

static PetscInt *Newest(Build *b, Target target)
{
  return target == TARGET_SMOKE ? &b->smoke : &b->velocity;
}
static WeftSpace SpaceOf(Build *b, Target target)
{
  return target == TARGET_SMOKE ? b->model->cells : b->model->velocity;
}

static PetscErrorCode AddDiffuse(Build *b, Target target)
{
  PetscInt *newest = Newest(b, target);
  WeftOp    op;

  PetscFunctionBegin;
  if (target == TARGET_SMOKE && b->conductivity >= 0) {
    if (b->model->options.implicit_diffusion) return WeftFailKey(PETSC_COMM_WORLD, "model_diffusion", "implicit diffusion has one diffusivity everywhere, and model_conductivity is a field; use explicit");
    PetscCall(WeftOpCreateConduct(b->model->cells, b->model->cells, b->model->options.dt, &op));
    PetscCall(Call(b, &op, (PetscInt[]){b->smoke, b->conductivity}, &b->smoke));
    PetscFunctionReturn(0);
  }
  PetscCall((b->model->options.implicit_diffusion ? WeftOpCreateImplicitDiffuse : WeftOpCreateDiffuse)(SpaceOf(b, target), b->model->options.dt, &op));
  PetscCall(Call(b, &op,
                 (PetscInt[]){*newest, b->number[target == TARGET_SMOKE ? WEFT_NUMBER_DIFFUSIVITY : WEFT_NUMBER_VISCOSITY]},
                 newest));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddAdvect(Build *b, Target target)
{
  const WeftModelOptions *o      = &b->model->options;
  PetscInt               *newest = Newest(b, target);
  WeftOp                  op;

  PetscFunctionBegin;
  if (target != TARGET_SMOKE && o->convect) {
    PetscCall(WeftOpCreateConvect(b->model->velocity, o->dt, &op));
    PetscCall(Call(b, &op, newest, newest));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftOpCreateAdvect(SpaceOf(b, target), b->model->velocity,
                               target == TARGET_SMOKE ? o->advect_smoke : o->advect_velocity, o->dt, &op));
  PetscCall(Call(b, &op, (PetscInt[]){*newest, b->velocity}, newest));
  PetscFunctionReturn(0);
}

/* A round inflow, whose centre is an input. */
static PetscErrorCode AddSource(Build *b)
{
  PetscReal radius, edge;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("inflow_radius", &radius));
  PetscCall(WeftGetReal("inflow_edge", &edge));
  if (!(radius > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "inflow_radius", "a radius must be positive");
  if (!(edge >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "inflow_edge", "the width of an edge is not negative; 0: sharp");
  PetscCall(WeftOpCreateSource(b->model->cells, radius, edge, &op));
  PetscCall(Call(b, &op, (PetscInt[]){b->smoke, b->number[WEFT_NUMBER_INFLOW], b->number[WEFT_NUMBER_CENTRE]}, &b->smoke));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddInflow(Build *b, Target target)
{
  WeftExpression region[3];
  WeftState      shape;
  PetscBool      set;
  WeftSpace      one;
  WeftOp         op;

  PetscFunctionBegin;
  (void)target;
  if (b->number[WEFT_NUMBER_CENTRE] >= 0) {
    PetscCall(AddSource(b));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftExpressionsFromKey("inflow_region", 1, region, &set));
  WeftCheck(set, PETSC_COMM_WORLD,
            "inflow_region is missing; the step 'inflow' of model_steps needs to know where, for example  inflow: {region: \"y "
            "< 5\"}");
  PetscCall(WeftModelCellSpace(b->model->grid, 1, "inflow", &one));
  PetscCall(WeftStateCreate(one, &shape));
  PetscCall(WeftSpaceDestroy(&one));
  PetscCall(WeftExpressionFill(region[0], shape, 0));
  PetscCall(WeftExpressionsDestroy(region));
  PetscCall(WeftOpCreateInflow(b->model->cells, shape, &op));
  PetscCall(WeftStateDestroy(&shape));
  PetscCall(Call(b, &op, (PetscInt[]){b->smoke, b->number[WEFT_NUMBER_INFLOW]}, &b->smoke));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddBuoyancy(Build *b, Target target)
{
  WeftOp op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(WeftOpCreateBuoyancy(b->model->velocity, b->model->cells, b->model->options.dt, &op));
  PetscCall(Call(b, &op, (PetscInt[]){b->velocity, b->smoke, b->number[WEFT_NUMBER_BUOYANCY]}, &b->velocity));
  PetscFunctionReturn(0);
}

/* velocity += dt control, an input that may differ from step to step. */
static PetscErrorCode AddControl(Build *b, Target target)
{
  const PetscReal coefficients[2] = {1.0, b->model->options.dt};
  WeftOp          op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(WeftOpCreateSum(b->model->velocity, 2, coefficients, &op));
  PetscCall(Call(b, &op, (PetscInt[]){b->velocity, b->control}, &b->velocity));
  PetscFunctionReturn(0);
}

/* An expression per component of a velocity of batch 1. */
static PetscErrorCode VelocityFromKey(Build *b, const char *key, const char *step, WeftState *state)
{
  const PetscInt dim = WeftGridLayout(b->model->grid)->dim;
  WeftExpression component[3];
  PetscBool      set;
  WeftSpace      one;

  PetscFunctionBegin;
  PetscCall(WeftExpressionsFromKey(key, dim, component, &set));
  WeftCheck(set, PETSC_COMM_WORLD, "%s is missing; the step '%s' of model_steps needs one expression per axis", key, step);
  PetscCall(WeftSpaceCreateVelocity(b->model->grid, 1, &one));
  PetscCall(WeftStateCreate(one, state));
  PetscCall(WeftSpaceDestroy(&one));
  for (PetscInt c = 0; c < dim; c++) PetscCall(WeftExpressionFill(component[c], *state, c));
  PetscCall(WeftExpressionsDestroy(component));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddForce(Build *b, Target target)
{
  WeftState force, offset;
  WeftOp    op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(VelocityFromKey(b, "force", "force", &force));
  PetscCall(WeftStateCreate(WeftStateSpace(force), &offset));
  PetscCall(WeftStateAXPY(offset, b->model->options.dt, force));
  PetscCall(WeftOpCreateAffine(b->model->velocity, NULL, offset, &op));
  PetscCall(WeftStateDestroy(&force));
  PetscCall(WeftStateDestroy(&offset));
  PetscCall(Call(b, &op, &b->velocity, &b->velocity));
  PetscFunctionReturn(0);
}

/* Travelling sines, which differ from sample to sample and move with the time. */
static PetscErrorCode AddWaves(Build *b, Target target)
{
  PetscInt waves;
  WeftOp   op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(WeftModelWaves(&waves));
  PetscCall(WeftOpCreateWaves(b->model->velocity, waves, b->model->options.dt, &op));
  PetscCall(Call(b, &op, (PetscInt[]){b->velocity, b->number[WEFT_NUMBER_WAVES], b->number[WEFT_NUMBER_TIME]}, &b->velocity));
  PetscFunctionReturn(0);
}

/* velocity := (1 - region) velocity + region prescribed; the region between 0 and 1. */
static PetscErrorCode AddPrescribe(Build *b, Target target)
{
  const WeftLayout *l = WeftGridLayout(b->model->grid);
  WeftState         factor, offset;
  WeftExpression    region[3];
  PetscBool         set;
  WeftOp            op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(WeftExpressionsFromKey("prescribe_region", 1, region, &set));
  WeftCheck(set, PETSC_COMM_WORLD,
            "prescribe_region is missing; the step 'prescribe' of model_steps needs to know where, for example  prescribe: "
            "{region: \"y < 5\", velocity: [0, 1]}");
  PetscCall(VelocityFromKey(b, "prescribe_velocity", "prescribe", &offset));
  PetscCall(WeftStateCreate(WeftStateSpace(offset), &factor));
  for (PetscInt c = 0; c < l->dim; c++) {
    double *f = WeftStatePlaneWrite(factor, c, 0), *o = WeftStatePlaneWrite(offset, c, 0);
    PetscCall(WeftExpressionFill(region[0], factor, c));
    for (PetscInt i = 0; i < l->plane; i++) {
      const double inside = PetscMin(PetscMax(f[i], 0.0), 1.0);
      o[i] *= inside;
      f[i] = 1.0 - inside;
    }
  }
  PetscCall(WeftExpressionsDestroy(region));
  PetscCall(WeftOpCreateAffine(b->model->velocity, factor, offset, &op));
  PetscCall(WeftStateDestroy(&factor));
  PetscCall(WeftStateDestroy(&offset));
  PetscCall(Call(b, &op, &b->velocity, &b->velocity));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddObstacle(Build *b, Target target)
{
  WeftOp op;

  PetscFunctionBegin;
  (void)target;
  if (!b->model->faces)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps",
                       "the step 'obstacle' needs obstacle_shapes, for example  obstacle: {shapes: [circle 50 50 10]}");
  PetscCall(WeftOpCreateAffine(b->model->velocity, b->model->faces, NULL, &op));
  b->before_obstacle = b->velocity;
  PetscCall(Call(b, &op, &b->velocity, &b->velocity));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddProject(Build *b, Target target)
{
  PetscInt out[WEFT_OP_MAX];
  WeftOp   op;

  PetscFunctionBegin;
  (void)target;
  PetscCall(WeftOpCreateProject(b->model->velocity, b->model->open, &op));
  PetscCall(WeftProgramCall(b->program, op, &b->velocity, out));
  PetscCall(WeftOpDestroy(&op));
  b->velocity        = out[0];
  b->pressure        = out[1];
  b->model->projects = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode AddCorrect(Build *b, Target target)
{
  PetscInt in[3] = {b->velocity, b->number[WEFT_NUMBER_FEATURES], b->weights}, out[WEFT_OP_MAX];

  PetscFunctionBegin;
  (void)target;
  if (!b->correction) PetscFunctionReturn(0);
  if (!b->solver_gradient) {
    WeftOp stop;
    PetscCall(WeftOpCreateStop(b->model->velocity, &stop));
    PetscCall(Call(b, &stop, in, in));
  }
  if (WeftOpInputs(b->correction) == 2) in[1] = b->weights; /* it is told no features */
  PetscCall(WeftProgramCall(b->program, b->correction, in, out));
  b->velocity = out[0];
  PetscFunctionReturn(0);
}

static const StepRow rows[] = {
    {"diffuse", PETSC_TRUE, PETSC_FALSE, WEFT_NUMBER_VISCOSITY, AddDiffuse},
    {"advect", PETSC_TRUE, PETSC_FALSE, -1, AddAdvect},
    {"inflow", PETSC_FALSE, PETSC_TRUE, WEFT_NUMBER_INFLOW, AddInflow},
    {"buoyancy", PETSC_FALSE, PETSC_TRUE, WEFT_NUMBER_BUOYANCY, AddBuoyancy},
    {"force", PETSC_FALSE, PETSC_FALSE, -1, AddForce},
    {"control", PETSC_FALSE, PETSC_FALSE, -1, AddControl},
    {"waves", PETSC_FALSE, PETSC_FALSE, WEFT_NUMBER_WAVES, AddWaves},
    {"prescribe", PETSC_FALSE, PETSC_FALSE, -1, AddPrescribe},
    {"obstacle", PETSC_FALSE, PETSC_FALSE, -1, AddObstacle},
    {"project", PETSC_FALSE, PETSC_FALSE, -1, AddProject},
    {"correct", PETSC_FALSE, PETSC_FALSE, -1, AddCorrect},
};

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static PetscErrorCode ParseStep(const char *line, const StepRow **row, Target *target)
{
  char **words;
  int    count;

  PetscFunctionBegin;
  *row    = NULL;
  *target = TARGET_NONE;
  PetscCall(PetscStrToArray(line, ' ', &count, &words));
  for (size_t r = 0; count && r < PETSC_STATIC_ARRAY_LENGTH(rows); r++) {
    PetscBool same;
    PetscCall(PetscStrcmp(words[0], rows[r].word, &same));
    if (same) *row = &rows[r];
  }
  if (!*row)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps",
                       "'%s' is no step; there are: diffuse velocity|smoke, advect velocity|smoke, inflow, buoyancy, force, "
                       "control, waves, prescribe, obstacle, project, correct",
                       line);
  if ((*row)->targeted && count == 2) {
    PetscBool velocity, smoke;
    PetscCall(PetscStrcmp(words[1], "velocity", &velocity));
    PetscCall(PetscStrcmp(words[1], "smoke", &smoke));
    *target = velocity ? TARGET_VELOCITY : smoke ? TARGET_SMOKE : TARGET_NONE;
  }
  if ((*row)->targeted && *target == TARGET_NONE)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "'%s' must say what: '%s velocity' or '%s smoke'", line, words[0],
                       words[0]);
  if (!(*row)->targeted && count > 1)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "'%s': the step '%s' takes no further word", line, words[0]);
  PetscCall(PetscStrToArrayDestroy(count, words));
  PetscFunctionReturn(0);
}

/* The program's inputs: states, then the numbers that the steps read, then the weights. */
static PetscErrorCode AddInput(Build *b, const char *name, WeftSpace space, PetscInt *slot)
{
  PetscFunctionBegin;
  PetscCall(WeftProgramInput(b->program, name, space, slot));
  b->model->input[b->model->inputs++] = name;
  PetscFunctionReturn(0);
}

static PetscErrorCode AddInputs(Build *b, const PetscBool reads[])
{
  WeftModel      m                        = b->model;
  const PetscInt dim                      = WeftGridLayout(m->grid)->dim;
  PetscInt       width[WEFT_NUMBER_KINDS] = {1, 1, dim, 1, dim, 0, 1, 1};
  MPI_Comm       comm;

  PetscFunctionBegin;
  if (reads[WEFT_NUMBER_WAVES]) PetscCall(WeftModelWaves(&width[WEFT_NUMBER_WAVES]));
  width[WEFT_NUMBER_WAVES] *= WEFT_WAVE_NUMBERS;
  PetscCall(WeftGridGetComm(m->grid, &comm));
  PetscCall(AddInput(b, "velocity", m->velocity, &b->velocity));
  if (m->smoke) PetscCall(AddInput(b, "smoke", m->cells, &b->smoke));
  for (PetscInt n = 0; n < WEFT_NUMBER_KINDS; n++) {
    WeftSpace numbers;
    if (!reads[n]) continue;
    PetscCall(WeftSpaceCreateNumbers(comm, m->batch, width[n], PETSC_TRUE, &numbers));
    PetscCall(AddInput(b, WeftNumberNames[n], numbers, &b->number[n]));
    PetscCall(WeftSpaceDestroy(&numbers));
  }
  if (b->control == WANTED) PetscCall(AddInput(b, "control", m->velocity, &b->control));
  if (b->conductivity == WANTED) {
    WeftSpace cells;
    PetscCall(WeftModelCellSpace(m->grid, m->batch, "conductivity", &cells));
    PetscCall(AddInput(b, "conductivity", cells, &b->conductivity));
    PetscCall(WeftSpaceDestroy(&cells));
  }
  if (b->correction) PetscCall(AddInput(b, "weights", WeftOpInSpace(b->correction, WeftOpInputs(b->correction) - 1), &b->weights));
  PetscFunctionReturn(0);
}

/* An output is a slot that a call wrote: a state that no step changes is passed on by a copy. */
static PetscErrorCode AddOutput(Build *b, PetscInt slot, PetscInt input, WeftSpace space)
{
  PetscFunctionBegin;
  if (slot == input) {
    WeftOp copy;
    PetscCall(WeftOpCreateAffine(space, NULL, NULL, &copy));
    PetscCall(Call(b, &copy, &slot, &slot));
  }
  PetscCall(WeftProgramOutput(b->program, slot));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddSteps(Build *b)
{
  const WeftModelOptions *o        = &b->model->options;
  PetscInt                velocity = b->velocity, smoke = b->smoke, outputs;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < o->steps; s++) {
    const StepRow *row;
    Target         target;
    PetscCall(ParseStep(o->step[s], &row, &target));
    PetscCall((*row->add)(b, target));
  }
  PetscCall(AddOutput(b, b->velocity, velocity, b->model->velocity));
  if (b->model->smoke) PetscCall(AddOutput(b, b->smoke, smoke, b->model->cells));
  outputs = WeftModelStates(b->model);
  if (b->pressure >= 0) {
    PetscCall(WeftProgramOutput(b->program, b->pressure));
    outputs++;
  }
  b->model->before_obstacle = -1;
  if (o->before_obstacle && b->before_obstacle >= 0) {
    PetscCall(AddOutput(b, b->before_obstacle, velocity, b->model->velocity));
    b->model->before_obstacle = outputs;
  }
  PetscFunctionReturn(0);
}

/* First pass over the list: which states and numbers the steps need. */
static PetscErrorCode Survey(Build *b, PetscBool reads[])
{
  const WeftModelOptions *o        = &b->model->options;
  PetscBool               corrects = PETSC_FALSE, conducts = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < o->steps; s++) {
    const StepRow *row;
    Target         target;
    PetscCall(ParseStep(o->step[s], &row, &target));
    if (row->smoke || target == TARGET_SMOKE) b->model->smoke = PETSC_TRUE;
    if (row->number >= 0) reads[row->number + (target == TARGET_SMOKE ? 1 : 0)] = PETSC_TRUE;
    if (row->add == AddControl) b->control = WANTED;
    if (row->add == AddDiffuse && target == TARGET_SMOKE) PetscCall(WeftHasKey("model_conductivity", &conducts));
    if (row->add == AddInflow) PetscCall(WeftHasKey("inflow_centre", &reads[WEFT_NUMBER_CENTRE]));
    if (row->add != AddCorrect) continue;
    corrects = PETSC_TRUE;
    if (!b->solver_gradient && s + 1 < o->steps)
      return WeftFailKey(PETSC_COMM_WORLD, "model_steps",
                         "a gradient without the solver needs 'correct' as the last step, not '%s'", o->step[o->steps - 1]);
  }
  reads[WEFT_NUMBER_TIME] = reads[WEFT_NUMBER_WAVES];
  if (conducts) {
    b->conductivity                = WANTED;
    reads[WEFT_NUMBER_DIFFUSIVITY] = PETSC_FALSE;
  }
  if (b->correction && !corrects)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "there is a correction, but no step 'correct' that applies it");
  if (b->correction && WeftOpInputs(b->correction) == 3) reads[WEFT_NUMBER_FEATURES] = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode CopyOptions(const WeftModelOptions *from, WeftModelOptions *to)
{
  PetscFunctionBegin;
  *to = *from;
  PetscCall(PetscMalloc1(from->steps, &to->step));
  for (PetscInt s = 0; s < from->steps; s++) PetscCall(PetscStrallocpy(from->step[s], &to->step[s]));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateFlow(Build *b)
{
  WeftModel m                        = b->model;
  PetscBool reads[WEFT_NUMBER_KINDS] = {PETSC_FALSE};
  MPI_Comm  comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(m->grid, &comm));
  PetscCall(Survey(b, reads));
  PetscCall(WeftSpaceCreateVelocity(m->grid, m->batch, &m->velocity));
  PetscCall(WeftModelCellSpace(m->grid, m->batch, "smoke", &m->cells));
  PetscCall(WeftObstacleFromKeys(m->grid, &m->open, &m->faces));
  PetscCall(WeftProgramCreate(comm, &b->program));
  PetscCall(AddInputs(b, reads));
  PetscCall(AddSteps(b));
  PetscCall(WeftProgramFinish(&b->program, "step", &m->step));
  PetscCall(WeftOpSetPhase(m->step, WEFT_PHASE_SOLVER));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelCreate(WeftGrid grid, PetscInt batch, const WeftModelOptions *options, WeftOp correction,
                               PetscBool solver_gradient, WeftModel *model)
{
  Build b = {NULL, NULL, correction, solver_gradient, -1, -1, -1, -1, -1, -1, -1, {-1, -1, -1, -1, -1, -1, -1, -1}};

  PetscFunctionBegin;
  PetscCall(PetscNew(&b.model));
  PetscCall(WeftGridReference(grid));
  b.model->grid  = grid;
  b.model->batch = batch;
  PetscCall(CopyOptions(options, &b.model->options));
  if (options->equation == WEFT_EQUATION_FLOW) PetscCall(CreateFlow(&b));
  else PetscCall(WeftModelCreateEquation(b.model, correction));
  *model = b.model;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelDestroy(WeftModel *model)
{
  WeftModel m = *model;

  PetscFunctionBegin;
  *model = NULL;
  if (!m) PetscFunctionReturn(0);
  PetscCall(WeftOpDestroy(&m->step));
  PetscCall(WeftOpDestroy(&m->divergence));
  PetscCall(WeftStateDestroy(&m->divergence_value));
  PetscCall(WeftStateDestroy(&m->open));
  PetscCall(WeftStateDestroy(&m->faces));
  PetscCall(WeftSpaceDestroy(&m->velocity));
  PetscCall(WeftSpaceDestroy(&m->cells));
  for (PetscInt s = 0; s < m->options.steps; s++) PetscCall(PetscFree(m->options.step[s]));
  PetscCall(PetscFree(m->options.step));
  PetscCall(WeftGridDestroy(&m->grid));
  PetscCall(PetscFree(m));
  PetscFunctionReturn(0);
}

WeftOp WeftModelStep(WeftModel model)
{
  return model->step;
}
PetscInt WeftModelStates(WeftModel model)
{
  return model->smoke ? 2 : 1;
}
WeftSpace WeftModelStateSpace(WeftModel model, PetscInt state)
{
  return WeftOpInSpace(model->step, state);
}
PetscBool WeftModelIsFlow(WeftModel model)
{
  return model->options.equation == WEFT_EQUATION_FLOW ? PETSC_TRUE : PETSC_FALSE;
}
WeftOp WeftModelImplicit(WeftModel model)
{
  return model->implicit;
}
PetscBool WeftModelProjects(WeftModel model)
{
  return model->projects;
}
PetscReal WeftModelTimeStep(WeftModel model)
{
  return model->options.dt;
}

PetscErrorCode WeftModelFeatureSpace(WeftGrid grid, PetscInt batch, WeftSpace *features)
{
  MPI_Comm comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  PetscCall(WeftSpaceCreateNumbers(comm, batch, 1, PETSC_TRUE, features));
  PetscFunctionReturn(0);
}

PetscInt WeftModelInput(WeftModel model, const char *name)
{
  for (PetscInt i = 0; i < model->inputs; i++)
    if (!strcmp(model->input[i], name)) return i;
  return -1;
}

const char *WeftModelInputName(WeftModel model, PetscInt input)
{
  return model->input[input];
}

PetscErrorCode WeftModelCellSpace(WeftGrid grid, PetscInt batch, const char *name, WeftSpace *space)
{
  static const WeftLocation location[] = {WEFT_CELL};

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(grid, batch, 1, &name, location, space));
  PetscFunctionReturn(0);
}
