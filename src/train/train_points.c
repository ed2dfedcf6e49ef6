/* The verb train without a grid (train_mode points): a dense net u(x, t) from a few values of a simulation at one time and from
   Burgers' equation at points between; and, from the values of that time alone, the initial state through the solver's adjoint. Both
   are compared with the simulation over the whole time. */
#include <math.h>
#include <stdio.h>
#include "train/flow.h"
#include "train/points.h"

enum { DATA, INTERIOR, SETS };
typedef struct {
  WeftTeam      team;
  WeftGrid      grid;
  WeftModel     model; /* Burgers' equation on the grid */
  WeftState     in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  PetscInt      steps, observed, n; /* of the simulation; the step whose values are known; values of a state */
  PetscReal     viscosity;
  double       *x, *truth, *net, *solver; /* [n]; [steps + 1][n]: simulation and both reconstructions */
  PetscInt      layers, width[WEFT_DENSE_LAYERS + 1], parameters, updates;
  WeftPoints    set[SETS];
  WeftState     weights, gradient;
  WeftOptimizer optimizer;
  PetscReal     loss[SETS], seconds[2];
  char          folder[PETSC_MAX_PATH_LEN];
} Run;

static PetscErrorCode InFolder(const Run *r, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", r->folder, name));
  PetscFunctionReturn(0);
}

/* ---- the simulation ------------------------------------------------------------------------------------------------ */

/* The values of a velocity of one axis on every rank. */
static PetscErrorCode Gather(const Run *r, WeftState state, double u[])
{
  const WeftLayout *l = WeftGridLayout(r->grid);

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(u, r->n));
  for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) u[i] = WeftStatePlane(state, 0, 0)[WeftLayoutIndex(l, i, 0, 0)];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, u, (PetscMPIInt)r->n, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* All steps from what stands in in[0]. */
static PetscErrorCode Simulate(Run *r, double u[])
{
  PetscFunctionBegin;
  PetscCall(Gather(r, r->in[0], u));
  for (PetscInt n = 1; n <= r->steps; n++) {
    PetscCall(WeftOpApply(WeftModelStep(r->model), r->in, r->out, NULL));
    PetscCall(WeftGridAgree(r->grid));
    PetscCall(WeftStateCopy(r->out[0], r->in[0]));
    PetscCall(Gather(r, r->in[0], u + n * r->n));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateModel(Run *r)
{
  WeftGridOptions  box;
  WeftTeamInfo     info;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(1, 1, &r->team));
  PetscCall(WeftTeamGetInfo(r->team, &info));
  PetscCall(WeftGridOptionsFromKeys(&box));
  if (box.dim != 1 || box.side[0][0] != WEFT_SIDE_PERIODIC)
    return WeftFailKey(PETSC_COMM_WORLD, "grid_cells", "train_mode points solves Burgers' equation on one periodic axis");
  PetscCall(WeftGridCreate(info.space, &box, &r->grid));
  PetscCall(WeftModelCreateFromKeys(r->grid, 1, NULL, PETSC_TRUE, &r->model));
  PetscCall(WeftModelCheckSteady(r->model, "train_mode points"));
  PetscCall(WeftStepStates(WeftModelStep(r->model), r->in, r->out));
  PetscCall(WeftInitialStates(r->model, r->in));
  PetscCall(WeftModelSetNumbersFromKeys(r->model, r->in));
  r->n = box.cells[0];
  PetscCall(PetscMalloc4(r->n, &r->x, (r->steps + 1) * r->n, &r->truth, (r->steps + 1) * r->n, &r->net, (r->steps + 1) * r->n, &r->solver));
  for (PetscInt i = 0; i < r->n; i++) r->x[i] = box.lower[0] + (PetscReal)i * (box.upper[0] - box.lower[0]) / (PetscReal)r->n;
  PetscCall(Simulate(r, r->truth));
  PetscFunctionReturn(0);
}

/* ---- the net --------------------------------------------------------------------------------------------------------- */

static PetscErrorCode ReadKeys(Run *r)
{
  PetscInt blocks, features, type;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("net_type", &type));
  if (type != 3) return WeftFailKey(PETSC_COMM_WORLD, "net_type", "train_mode points trains a dense net; set net_type mlp");
  PetscCall(WeftGetInt("net_blocks", &blocks));
  PetscCall(WeftGetInt("net_features", &features));
  if (blocks < 1 || blocks >= WEFT_DENSE_LAYERS) return WeftFailKey(PETSC_COMM_WORLD, "net_blocks", "use 1 to %d hidden layers", WEFT_DENSE_LAYERS - 1);
  if (features < 1 || features > 4096) return WeftFailKey(PETSC_COMM_WORLD, "net_features", "use 1 to 4096");
  r->layers   = blocks + 1;
  r->width[0] = 2;
  for (PetscInt l = 1; l < r->layers; l++) r->width[l] = features;
  r->width[r->layers] = 1;
  r->parameters       = WeftDenseParameters(r->layers, r->width);
  PetscCall(WeftGetInt("simulate_steps", &r->steps));
  PetscCall(WeftGetInt("points_step", &r->observed));
  PetscCall(WeftGetInt("train_updates", &r->updates));
  PetscCall(WeftGetReal("points_viscosity", &r->viscosity));
  if (r->observed < 1 || r->observed > r->steps) return WeftFailKey(PETSC_COMM_WORLD, "points_step", "the values are those of step 1 to simulate_steps = %" PetscInt_FMT, r->steps);
  if (r->updates < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_updates", "points have no epochs; give the number of updates");
  PetscFunctionReturn(0);
}

/* Values at random places of the observed step, zero at both ends at random times; the equation at random places and times. */
static PetscErrorCode CreateSets(Run *r)
{
  const PetscReal end = (PetscReal)r->steps * WeftModelTimeStep(r->model), left = r->x[0] - 0.5 * (r->x[1] - r->x[0]),
                  right = left + (PetscReal)r->n * (r->x[1] - r->x[0]);
  PetscInt        data, boundary, interior, seed;
  PetscInt64      draw = 0;
  double         *x, *t, *u;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("points_data", &data));
  PetscCall(WeftGetInt("points_boundary", &boundary));
  PetscCall(WeftGetInt("points_interior", &interior));
  PetscCall(WeftGetInt("seed", &seed));
  if (data < 1 || boundary < 0 || data + boundary < 2) return WeftFailKey(PETSC_COMM_WORLD, "points_data", "at least 1 value is needed, and 2 with those at the ends");
  if (interior < 2) return WeftFailKey(PETSC_COMM_WORLD, "points_interior", "at least 2 points are needed");
  PetscCall(PetscMalloc3(PetscMax(data + boundary, interior), &x, PetscMax(data + boundary, interior), &t, PetscMax(data + boundary, interior), &u));
#define DRAW() WeftRandomUniform(seed, WEFT_STREAM_INITIAL, draw++)
  for (PetscInt i = 0; i < data + boundary; i++) {
    const PetscInt at = (PetscInt)(DRAW() * (PetscReal)r->n);
    x[i]              = i < data ? r->x[at] : at % 2 ? left : right;
    t[i]              = i < data ? (PetscReal)r->observed * WeftModelTimeStep(r->model) : end * DRAW();
    u[i]              = i < data ? r->truth[r->observed * r->n + at] : 0.0;
  }
  PetscCall(WeftPointsCreate(r->layers, r->width, data + boundary, x, t, u, &r->set[DATA]));
  for (PetscInt i = 0; i < interior; i++) {
    x[i] = left + (right - left) * DRAW();
    t[i] = end * DRAW();
  }
#undef DRAW
  PetscCall(WeftPointsCreate(r->layers, r->width, interior, x, t, NULL, &r->set[INTERIOR]));
  PetscCall(PetscFree3(x, t, u));
  PetscCall(WeftStateCreate(WeftOpInSpace(r->set[DATA].net, 0), &r->weights));
  PetscCall(WeftStateCreate(WeftOpInSpace(r->set[DATA].net, 0), &r->gradient));
  PetscCall(WeftDenseInitialise(r->layers, r->width, 1.0, seed, (double *)WeftStateDataWrite(r->weights)));
  PetscFunctionReturn(0);
}

/* One reduction: gradient, then both losses. */
static PetscErrorCode Update(Run *r, PetscInt k, double reduced[])
{
  PetscFunctionBegin;
  PetscCall(WeftStateZero(r->gradient));
  for (PetscInt s = 0; s < SETS; s++) PetscCall(WeftPointsLoss(&r->set[s], r->viscosity, r->weights, &reduced[r->parameters + s], r->gradient));
  PetscCall(PetscArraycpy(reduced, (const double *)WeftStateData(r->gradient), r->parameters));
  PetscCall(WeftReduce(reduced, (PetscMPIInt)(r->parameters + SETS), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(PetscArraycpy(r->loss, reduced + r->parameters, SETS));
  WeftCheck(isfinite(r->loss[DATA] + r->loss[INTERIOR]), PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the loss is %g; lower optimizer_rate", k, (double)(r->loss[DATA] + r->loss[INTERIOR]));
  PetscCall(WeftOptimizerStep(r->optimizer, k, reduced, (double *)WeftStateDataWrite(r->weights), NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode TrainNet(Run *r)
{
  const double begin = MPI_Wtime();
  char         path[PETSC_MAX_PATH_LEN];
  WeftProgress progress;
  double      *reduced;
  FILE        *table;

  PetscFunctionBegin;
  PetscCall(InFolder(r, "train.csv", path));
  PetscCall(WeftTableOpen(path, "update,loss,data,residual", 0, &table));
  PetscCall(PetscMalloc1(r->parameters + SETS, &reduced));
  PetscCall(WeftProgressCreate("train (points)", r->updates, &progress));
  PetscCall(WeftCostBegin("update"));
  for (PetscInt k = 0; k < r->updates; k++) {
    PetscCall(Update(r, k, reduced));
    if (table && (k % 10 == 0 || k + 1 == r->updates))
      fprintf(table, "%d,%.9g,%.9g,%.9g\n", (int)(k + 1), (double)(r->loss[DATA] + r->loss[INTERIOR]), (double)r->loss[DATA], (double)r->loss[INTERIOR]);
    PetscCall(WeftProgressUpdate(progress, k + 1, "data %.4g  residual %.4g", (double)r->loss[DATA], (double)r->loss[INTERIOR]));
  }
  PetscCall(WeftCostEnd(r->updates));
  PetscCall(WeftProgressDestroy(&progress));
  PetscCall(PetscFree(reduced));
  if (table) fclose(table);
  r->seconds[0] = MPI_Wtime() - begin;
  PetscFunctionReturn(0);
}

/* The net at every place and step of the simulation. */
static PetscErrorCode EvaluateNet(Run *r)
{
  double *t;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(r->n, &t));
  for (PetscInt n = 0; n <= r->steps; n++) {
    WeftPoints frame;
    for (PetscInt i = 0; i < r->n; i++) t[i] = (PetscReal)n * WeftModelTimeStep(r->model);
    PetscCall(WeftPointsCreate(r->layers, r->width, r->n, r->x, t, r->x, &frame));
    PetscCall(WeftPointsEvaluate(&frame, r->weights, r->net + n * r->n));
    PetscCall(WeftPointsDestroy(&frame));
  }
  PetscCall(PetscFree(t));
  PetscFunctionReturn(0);
}

/* ---- the same through the solver --------------------------------------------------------------------------------------- */

/* Gradient descent on the initial state, from zero: the mean square of the difference at the observed step. */
static PetscErrorCode SolveInverse(Run *r)
{
  const double       begin   = MPI_Wtime();
  WeftRolloutOptions options = {0};
  WeftState         *target, bar[WEFT_OP_MAX] = {NULL}, known;
  PetscInt           updates;
  PetscReal          rate;
  WeftRollout        rollout;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("points_solver_updates", &updates));
  PetscCall(WeftGetReal("points_solver_rate", &rate));
  options.step   = WeftModelStep(r->model);
  options.states = 1;
  options.length = r->observed;
  PetscCall(WeftOpCreateError(WeftModelStateSpace(r->model, 0), WEFT_ERROR_SQUARED, NULL, &options.loss));
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftOpDestroy(&options.loss));
  PetscCall(PetscCalloc1(r->observed, &target));
  PetscCall(WeftStateCreate(WeftModelStateSpace(r->model, 0), &known));
  PetscCall(WeftStateCreate(WeftModelStateSpace(r->model, 0), &bar[0]));
  const WeftLayout *l = WeftGridLayout(r->grid);
  for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++)
    WeftStatePlaneWrite(known, 0, 0)[WeftLayoutIndex(l, i, 0, 0)] = r->truth[r->observed * r->n + i];
  target[r->observed - 1] = known;
  PetscCall(WeftStateZero(r->in[0]));
  for (PetscInt k = 0; k < updates; k++) {
    PetscCall(WeftStateZero(bar[0]));
    PetscCall(WeftRolloutForward(rollout, r->in, target, NULL, NULL));
    PetscCall(WeftRolloutReverse(rollout, NULL, bar));
    PetscCall(WeftStateAXPY(r->in[0], -rate * 2.0 / (PetscReal)r->n, bar[0]));
  }
  r->seconds[1] = MPI_Wtime() - begin;
  PetscCall(Simulate(r, r->solver));
  PetscCall(WeftStateDestroy(&known));
  PetscCall(WeftStateDestroy(&bar[0]));
  PetscCall(PetscFree(target));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscFunctionReturn(0);
}

/* ---- report ------------------------------------------------------------------------------------------------------------ */

/* Mean absolute and relative L2 difference from the simulation over steps [first, last]. */
static void Errors(const Run *r, const double *u, PetscInt first, PetscInt last, double *mean, double *relative)
{
  double absolute = 0.0, square = 0.0, size = 0.0;

  for (PetscInt i = first * r->n; i < (last + 1) * r->n; i++) {
    absolute += fabs(u[i] - r->truth[i]);
    square += (u[i] - r->truth[i]) * (u[i] - r->truth[i]);
    size += r->truth[i] * r->truth[i];
  }
  *mean     = absolute / (double)((last + 1 - first) * r->n);
  *relative = sqrt(square / size);
}

static PetscErrorCode Report(Run *r)
{
  static const char *const ways[2] = {"net", "solver"};
  const WeftPanel          panel[3] = {{"simulation", r->steps + 1, r->n, r->truth, -1.0, 1.0, PETSC_TRUE},
                                       {"net at points", r->steps + 1, r->n, r->net, -1.0, 1.0, PETSC_TRUE},
                                       {"solver's adjoint", r->steps + 1, r->n, r->solver, -1.0, 1.0, PETSC_TRUE}};
  char                     path[PETSC_MAX_PATH_LEN];
  WeftSummary              summary;
  WeftArrays               arrays;

  PetscFunctionBegin;
  PetscCall(InFolder(r, "picture.png", path));
  PetscCall(WeftPictureWrite(path, 3, panel, 1, 4));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysSet(arrays, "/weights", 1, &r->parameters, (const double *)WeftStateData(r->weights)));
  PetscCall(InFolder(r, "weights.h5", path));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(WeftSummaryCreate("train", &summary));
  PetscCall(WeftSummaryInt(summary, "updates", r->updates));
  PetscCall(WeftSummaryInt(summary, "parameters", r->parameters));
  PetscCall(WeftSummaryReal(summary, "loss", r->loss[DATA] + r->loss[INTERIOR]));
  PetscCall(WeftSummaryReal(summary, "loss_data", r->loss[DATA]));
  PetscCall(WeftSummaryReal(summary, "loss_residual", r->loss[INTERIOR]));
  PetscCall(WeftLog("against the simulation   mean |error|  relative L2   mean at step 0   seconds"));
  for (PetscInt w = 0; w < 2; w++) {
    double mean, relative, first, unused;
    char   key[64];
    Errors(r, w ? r->solver : r->net, 0, r->steps, &mean, &relative);
    Errors(r, w ? r->solver : r->net, 0, 0, &first, &unused);
    PetscCall(WeftLog("  %-21s %13.4g %12.4g %16.4g %9.3g", w ? "solver's adjoint" : "net at points", mean, relative, first, r->seconds[w]));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s/error_l1", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, mean));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s/error_l2_relative", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, relative));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s/error_l1_initial", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, first));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s/seconds", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, r->seconds[w]));
  }
  PetscCall(InFolder(r, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainPoints(void)
{
  Run r;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&r, sizeof(r)));
  PetscCall(ReadKeys(&r));
  PetscCall(CreateModel(&r));
  PetscCall(CreateSets(&r));
  PetscCall(WeftOptimizerCreateFromKeys(r.parameters, r.updates, &r.optimizer));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("train", r.folder, sizeof(r.folder)));
  PetscCall(TrainNet(&r));
  PetscCall(EvaluateNet(&r));
  PetscCall(SolveInverse(&r));
  PetscCall(Report(&r));
  for (PetscInt s = 0; s < SETS; s++) PetscCall(WeftPointsDestroy(&r.set[s]));
  PetscCall(WeftStateDestroy(&r.weights));
  PetscCall(WeftStateDestroy(&r.gradient));
  PetscCall(WeftOptimizerDestroy(&r.optimizer));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(r.model), r.in, r.out));
  PetscCall(WeftModelDestroy(&r.model));
  PetscCall(WeftGridDestroy(&r.grid));
  PetscCall(WeftTeamDestroy(&r.team));
  PetscCall(PetscFree4(r.x, r.truth, r.net, r.solver));
  PetscFunctionReturn(0);
}
