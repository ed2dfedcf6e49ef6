/* A solver of one's own with a network trained inside it, against the installed library.

   The truth is Fisher's equation with an Allee effect, u_t = nu Laplacian(u) + r u (1 - u) (u - a). Our model knows the
   diffusion and a plain logistic reaction r u (1 - u); what it lacks, a small convolutional net learns, inside the time loop.

     mpirun -n 2 ./fisher [-updates 200]

   Follow main(): grid, own operator, own model (a program), gradient check, training. */
#include <weft.h>

/* ---- an operator of one's own: y = u + dt rate u (1 - u) (u - threshold)^p, p = 0 or 1 ----------------------------- */

typedef struct {
  PetscReal dt, rate, threshold;
  PetscBool allee; /* p = 1 */
} Reaction;

/* The reaction at u, and its derivative. */
static double Rate(const Reaction *r, double u) { return r->dt * r->rate * u * (1.0 - u) * (r->allee ? u - r->threshold : 1.0); }
static double RateSlope(const Reaction *r, double u)
{
  if (!r->allee) return r->dt * r->rate * (1.0 - 2.0 * u);
  return r->dt * r->rate * ((1.0 - 2.0 * u) * (u - r->threshold) + u * (1.0 - u));
}

typedef enum { APPLY, TANGENT, ADJOINT } Map;

/* All three maps are one loop over the cells of this rank: they read no neighbours. in: u (apply), du (tangent), y_bar (adjoint). */
static PetscErrorCode ForCells(WeftOp op, WeftState u, Map map, WeftState in, WeftState out)
{
  const Reaction      *r    = (const Reaction *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  for (PetscInt sample = 0; sample < info->batch; sample++) {
    const double *at = WeftStatePlane(u, 0, sample), *from = WeftStatePlane(in, 0, sample);
    double       *to = WeftStatePlaneWrite(out, 0, sample);
    for (PetscInt j = lo[1]; j < hi[1]; j++) {
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        const PetscInt c = WeftLayoutIndex(l, i, j, 0);
        if (map == APPLY) to[c] = at[c] + Rate(r, at[c]);
        else if (map == TANGENT) to[c] = (1.0 + RateSlope(r, at[c])) * from[c];
        else to[c] += (1.0 + RateSlope(r, at[c])) * from[c]; /* an adjoint adds */
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ReactionApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return ForCells(op, x[0], APPLY, x[0], y[0]);
}

static PetscErrorCode ReactionTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)y;
  (void)record;
  return ForCells(op, x[0], TANGENT, dx[0], dy[0]);
}

static PetscErrorCode ReactionAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  (void)y;
  (void)record;
  return x_bar[0] ? ForCells(op, x[0], ADJOINT, y_bar[0], x_bar[0]) : 0;
}

static PetscErrorCode ReactionDestroy(void *context) { return PetscFree(context); }

static PetscErrorCode ReactionCreate(WeftSpace space, const Reaction *options, WeftOp *op)
{
  static const WeftOpMaps maps = {ReactionApply, ReactionTangent, ReactionAdjoint, ReactionDestroy, NULL};
  Reaction               *context;

  PetscFunctionBegin;
  PetscCall(PetscNew(&context));
  *context = *options;
  PetscCall(WeftOpCreate("Reaction", &maps, context, WEFT_NEEDS_INPUTS, 1, &space, 1, &space, op));
  PetscFunctionReturn(0);
}

/* ---- a model of one's own: one time step as a program --------------------------------------------------------------- */

/* (u, viscosity [, weights]) -> u after one step. With a net: its output is added after the solver. */
static PetscErrorCode StepCreate(WeftSpace space, const Reaction *reaction, WeftNet *net, WeftOp *step)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  const PetscReal      one  = 1.0;
  WeftSpace            viscosity_space, features_space;
  WeftProgram          program;
  WeftOp               op;
  PetscInt             u, viscosity, weights;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &viscosity_space));
  PetscCall(WeftProgramCreate(info->comm, &program));
  PetscCall(WeftProgramInput(program, "u", space, &u));
  PetscCall(WeftProgramInput(program, "viscosity", viscosity_space, &viscosity));
  PetscCall(WeftOpCreateDiffuse(space, reaction->dt, &op));
  PetscCall(WeftProgramCall(program, op, (const PetscInt[]){u, viscosity}, &u));
  PetscCall(WeftOpDestroy(&op));
  PetscCall(ReactionCreate(space, reaction, &op));
  PetscCall(WeftProgramCall(program, op, &u, &u));
  PetscCall(WeftOpDestroy(&op));
  if (net) {
    char          *layers[] = {"conv 3 8 tanh", "conv 3 8 tanh", "conv 1 1"};
    WeftNetOptions options  = {.layers = 3, .layer = layers, .edges = WEFT_GHOST_ZERO, .gain = 0.5, .single = PETSC_FALSE};
    PetscInt       channels;
    PetscCall(WeftSpaceCreateChannels(info->grid, info->batch, 1, 1, options.single, &features_space));
    PetscCall(WeftNetCreate(features_space, &options, net));
    PetscCall(WeftProgramInput(program, "weights", WeftNetParameterSpace(*net), &weights));
    PetscCall(WeftOpCreateFeatures(space, NULL, &one, NULL, features_space, &op));
    PetscCall(WeftProgramCall(program, op, &u, &channels));
    PetscCall(WeftOpDestroy(&op));
    PetscCall(WeftProgramCall(program, WeftNetOp(*net), (const PetscInt[]){channels, weights}, &channels));
    PetscCall(WeftOpCreateAddChannels(space, WeftOpOutSpace(WeftNetOp(*net), 0), &reaction->dt, &op));
    PetscCall(WeftProgramCall(program, op, (const PetscInt[]){u, channels}, &u));
    PetscCall(WeftOpDestroy(&op));
    PetscCall(WeftSpaceDestroy(&features_space));
  }
  PetscCall(WeftProgramOutput(program, u));
  PetscCall(WeftProgramFinish(&program, "FisherStep", step));
  PetscCall(WeftSpaceDestroy(&viscosity_space));
  PetscFunctionReturn(0);
}

/* ---- check and training -------------------------------------------------------------------------------------------- */

/* The same check that Weft's own operators pass, on this operator and these ranks. */
static PetscErrorCode CheckGradient(WeftOp op, PetscReal offset, PetscReal amplitude)
{
  WeftOpExample      example = {.op = op};
  WeftOpCheckOptions options = {.seed = 1};
  WeftOpReport       report;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    example.offset[i]    = i == 0 ? offset : 0.0;
    example.amplitude[i] = i == 0 ? amplitude : 0.1;
  }
  PetscCall(WeftOpCheck(&example, &options, &report));
  PetscCall(WeftLog("%-11s dot product off by %.1e, Taylor order %.2f", WeftOpName(op), (double)report.dot, (double)report.order));
  WeftCheck(report.passed, PETSC_COMM_WORLD, "the gradient of %s is wrong: %s", WeftOpName(op), report.message);
  PetscFunctionReturn(0);
}

enum { STEPS = 4 };

/* Trains the net inside `step` against the states of the truth; returns the first and the last loss. */
static PetscErrorCode Train(WeftOp step, WeftNet net, WeftState initial, WeftState viscosity, const WeftState truth[], PetscInt updates, PetscReal loss[2])
{
  WeftRolloutOptions options = {.step = step, .states = 1, .length = STEPS};
  const PetscInt     count   = WeftSpaceGetInfo(WeftNetParameterSpace(net))->count;
  const PetscInt     samples = WeftSpaceGetInfo(WeftStateSpace(initial))->batch;
  WeftRollout        rollout;
  WeftOptimizer      adam;
  WeftState          weights, gradient;
  PetscReal          norm, *losses;

  PetscFunctionBegin;
  PetscCall(WeftOpCreateError(WeftStateSpace(initial), WEFT_ERROR_SQUARED, NULL, &options.loss));
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftOptimizerCreateFromKeys(count, updates, &adam)); /* -optimizer_type, -optimizer_rate, ... */
  PetscCall(WeftStateCreate(WeftNetParameterSpace(net), &weights));
  PetscCall(WeftStateCreate(WeftNetParameterSpace(net), &gradient));
  PetscCall(WeftNetInitialise(net, 1, weights));
  PetscCall(PetscMalloc1(samples, &losses));
  for (PetscInt k = 0; k < updates; k++) {
    const WeftState inputs[] = {initial, viscosity, weights}, bars[] = {NULL, NULL, gradient};
    double         *g = (double *)WeftStateDataWrite(gradient);
    PetscReal       total = 0.0;
    PetscCall(WeftStateZero(gradient));
    PetscCall(WeftRolloutForward(rollout, inputs, truth, losses, NULL));
    PetscCall(WeftRolloutReverse(rollout, NULL, bars));
    for (PetscInt s = 0; s < samples; s++) total += losses[s];
    /* losses and gradients are this rank's parts of sums: the one reduction */
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &total, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, g, (PetscMPIInt)count, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    PetscCall(WeftOptimizerStep(adam, k, g, (double *)WeftStateDataWrite(weights), &norm));
    if (k == 0) loss[0] = total;
    loss[1] = total;
    if (k % 50 == 0) PetscCall(WeftLog("update %3d  loss %.3e  |gradient| %.2e", (int)k, (double)total, (double)norm));
  }
  PetscCall(PetscFree(losses));
  PetscCall(WeftStateDestroy(&weights));
  PetscCall(WeftStateDestroy(&gradient));
  PetscCall(WeftOptimizerDestroy(&adam));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(WeftOpDestroy(&options.loss));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(void)
{
  WeftGridOptions   box;
  WeftGrid          grid;
  WeftSpace         space;
  WeftState         initial, viscosity, truth[STEPS];
  WeftOp            reaction, real, hybrid;
  WeftNet           net;
  const char *const name[]     = {"u"};
  const Reaction    logistic   = {.dt = 0.1, .rate = 0.8, .allee = PETSC_FALSE};
  const Reaction    allee      = {.dt = 0.1, .rate = 3.0, .threshold = 0.2, .allee = PETSC_TRUE};
  const WeftLocation cell      = WEFT_CELL;
  PetscInt          updates    = 200;
  PetscReal         loss[2]    = {0.0, 0.0};

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-updates", &updates, NULL));
  PetscCall(WeftGridOptionsDefault(&box)); /* periodic, halo of 4 */
  box.dim      = 2;
  box.cells[0] = box.cells[1] = 24;
  box.upper[0] = box.upper[1] = 24.0;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, 1, name, &cell, &space)); /* two samples at once */

  PetscCall(ReactionCreate(space, &allee, &reaction));
  PetscCall(CheckGradient(reaction, 0.5, 0.4));
  PetscCall(StepCreate(space, &allee, NULL, &real));
  PetscCall(StepCreate(space, &logistic, &net, &hybrid));
  PetscCall(CheckGradient(hybrid, 0.5, 0.4));

  PetscCall(WeftStateCreate(space, &initial));
  PetscCall(WeftStateSetRandom(initial, 7, 0, 0.5, 0.5)); /* the same on every layout */
  PetscCall(WeftStateCreate(WeftOpInSpace(hybrid, 1), &viscosity));
  for (PetscInt s = 0; s < 2; s++) ((double *)WeftStateDataWrite(viscosity))[s] = 0.5;
  for (PetscInt n = 0; n < STEPS; n++) {
    const WeftState from[] = {n ? truth[n - 1] : initial, viscosity};
    PetscCall(WeftStateCreate(space, &truth[n]));
    PetscCall(WeftOpApply(real, from, &truth[n], NULL));
  }
  PetscCall(Train(hybrid, net, initial, viscosity, truth, updates, loss));
  PetscCall(WeftLog("loss %.3e before, %.3e after %d updates: %.0f times smaller", (double)loss[0], (double)loss[1], (int)updates, (double)(loss[0] / loss[1])));
  WeftCheck(loss[1] < 0.1 * loss[0], PETSC_COMM_WORLD, "the training brought the loss from %g to %g only", (double)loss[0], (double)loss[1]);

  for (PetscInt n = 0; n < STEPS; n++) PetscCall(WeftStateDestroy(&truth[n]));
  PetscCall(WeftStateDestroy(&initial));
  PetscCall(WeftStateDestroy(&viscosity));
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftOpDestroy(&reaction));
  PetscCall(WeftOpDestroy(&real));
  PetscCall(WeftOpDestroy(&hybrid));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (WeftInitialize(&argc, &argv, NULL)) return 1;
  if (Run()) {
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
  return WeftFinalize() ? 1 : 0;
}
