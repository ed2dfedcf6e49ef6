/* Times of a case's step, without a net, and of the gradient of a rollout by its initial state.
     mpirun -n RANKS bench_rollout CASE.yaml [FILE.json [FILE.h5]] -train_batch B -train_unroll N -check_spinup S
   From the state after S steps: N steps without a record, and the gradient of half the sum of squares of the state after N
   steps, forward sweep included. FILE.h5: the state before and after the N steps, that gradient, and the viscosities (one replica). */
#include "support.h"
#include "train/flow.h"

#define RUNS 15

typedef struct {
  WeftTeam     owner;
  WeftTeamInfo team;
  PetscInt     batch, samples, unroll;
  WeftGrid     grid;
  WeftModel    model;
  WeftOp       step;
  WeftRollout  rollout;
  WeftState    in[WEFT_OP_MAX], out[WEFT_OP_MAX]; /* in: the developed state and the numbers */
  WeftState    now[2][WEFT_OP_MAX];               /* of a play; [0] also the final state */
  WeftState    bar[WEFT_OP_MAX];                  /* of the developed states */
} Case;

/* steps from `in`, between the two states of now; the last one stands in now[0]. */
static PetscErrorCode Steps(Case *c, PetscInt steps)
{
  const PetscInt states = WeftModelStates(c->model);

  PetscFunctionBegin;
  for (PetscInt i = 0; i < states; i++) PetscCall(WeftStateCopy(c->in[i], c->now[steps % 2][i]));
  for (PetscInt n = steps; n > 0; n--) {
    WeftState x[WEFT_OP_MAX], y[WEFT_OP_MAX];
    for (PetscInt i = 0; i < WeftOpInputs(c->step); i++) x[i] = i < states ? c->now[n % 2][i] : c->in[i];
    for (PetscInt i = 0; i < WeftOpOutputs(c->step); i++) y[i] = i < states ? c->now[(n - 1) % 2][i] : c->out[i];
    PetscCall(WeftOpApply(c->step, x, y, NULL));
  }
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, c->grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Forward(void *context)
{
  Case *c = (Case *)context;

  PetscFunctionBegin;
  PetscCall(Steps(c, c->unroll));
  PetscFunctionReturn(0);
}

static PetscErrorCode Gradient(void *context)
{
  Case *c = (Case *)context;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftModelStates(c->model); i++) PetscCall(WeftStateZero(c->bar[i]));
  PetscCall(WeftRolloutForward(c->rollout, c->in, NULL, NULL, c->now[0]));
  PetscCall(WeftRolloutReverse(c->rollout, c->now[0], c->bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(Case *c)
{
  WeftModelOptions   options;
  WeftRolloutOptions rollout = {.reach = WEFT_REACH_FULL};
  WeftGridOptions    box;
  PetscInt           spinup, first;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("train_batch", &c->batch));
  PetscCall(WeftGetInt("train_unroll", &c->unroll));
  PetscCall(WeftGetInt("check_spinup", &spinup));
  PetscCall(WeftTeamCreate(c->batch, 0, &c->owner));
  PetscCall(WeftTeamGetInfo(c->owner, &c->team));
  PetscCall(WeftTeamShare(c->owner, c->batch, &first, &c->samples));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(c->team.space, &box, &c->grid));
  PetscCall(WeftModelOptionsFromKeys(&options));
  PetscCall(WeftModelCreate(c->grid, c->samples, &options, NULL, PETSC_TRUE, &c->model));
  PetscCall(WeftModelOptionsDestroy(&options));
  c->step        = WeftModelStep(c->model);
  rollout.step   = c->step;
  rollout.states = WeftModelStates(c->model);
  rollout.length = c->unroll;
  PetscCall(WeftRolloutCreate(&rollout, &c->rollout));
  PetscCall(WeftStepStates(c->step, c->in, c->out));
  PetscCall(WeftStepStates(c->step, c->bar, c->now[0]));
  for (PetscInt i = 0; i < rollout.states; i++) PetscCall(WeftStateCreate(WeftOpInSpace(c->step, i), &c->now[1][i]));
  for (PetscInt i = rollout.states; i < WeftOpInputs(c->step); i++) PetscCall(WeftStateDestroy(&c->bar[i]));
  PetscCall(WeftInitialStates(c->model, c->in));
  PetscCall(WeftModelSetNumbersFromKeys(c->model, c->in));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(Steps(c, spinup));
  for (PetscInt i = 0; i < rollout.states; i++) PetscCall(WeftStateCopy(c->now[0][i], c->in[i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Write(Case *c, const char *path)
{
  const PetscInt viscosity = WeftModelInput(c->model, "viscosity");
  WeftArrays     arrays;

  PetscFunctionBegin;
  WeftCheck(c->team.replicas == 1, PETSC_COMM_WORLD,
            "the states of several replicas are not written; take fewer ranks, or -team_replicas 1");
  PetscCall(Gradient(c));
  PetscCall(Forward(c));
  PetscCall(WeftArraysCreate(&arrays));
  for (PetscInt i = 0; i < WeftModelStates(c->model); i++) {
    PetscCall(BenchSetFields(arrays, "initial", c->in[i]));
    PetscCall(BenchSetFields(arrays, "final", c->now[0][i]));
    PetscCall(BenchSetFields(arrays, "gradient", c->bar[i]));
  }
  if (viscosity >= 0)
    PetscCall(WeftArraysSet(arrays, "/viscosity", 1, &c->samples, (const double *)WeftStateData(c->in[viscosity])));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

/* Largest divergence after a step, times the spacing and over the velocity. */
static PetscErrorCode Divergence(Case *c, PetscReal *divergence)
{
  WeftModelFigures *figures;
  PetscReal         worst = 0.0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(c->samples, &figures));
  PetscCall(WeftOpApply(c->step, c->in, c->out, NULL));
  PetscCall(WeftModelMeasure(c->model, c->out, figures));
  for (PetscInt b = 0; b < c->samples; b++)
    worst = PetscMax(worst, figures[b].max_divergence * WeftGridLayout(c->grid)->h[0] / figures[b].max_velocity);
  PetscCall(PetscFree(figures));
  PetscCallMPI(MPI_Allreduce(&worst, divergence, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Case *c)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftModelStates(c->model); i++) PetscCall(WeftStateDestroy(&c->now[1][i]));
  PetscCall(WeftStepStatesDestroy(c->step, c->bar, c->now[0]));
  PetscCall(WeftStepStatesDestroy(c->step, c->in, c->out));
  PetscCall(WeftRolloutDestroy(&c->rollout));
  PetscCall(WeftModelDestroy(&c->model));
  PetscCall(WeftGridDestroy(&c->grid));
  PetscCall(WeftTeamDestroy(&c->owner));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(PetscInt words, char *word[])
{
  double      forward[RUNS], gradient[RUNS];
  PetscReal   divergence;
  WeftSummary summary;
  Case        c = {.batch = 0};

  PetscFunctionBegin;
  WeftCheck(words >= 1, PETSC_COMM_WORLD, "usage: bench_rollout CASE.yaml [FILE.json [FILE.h5]] [-key value ...]");
  PetscCall(WeftCaseLoad(word[0]));
  PetscCall(WeftCheckKeys());
  PetscCall(Create(&c));
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Forward, &c, forward));
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Gradient, &c, gradient));
  for (PetscInt k = 0; k < RUNS; k++) forward[k] /= (double)c.unroll;
  PetscCall(Divergence(&c, &divergence));
  PetscCall(WeftSummaryCreate("rollout", &summary));
  PetscCall(WeftSummaryReal(summary, "divergence", divergence));
  PetscCall(WeftSummaryInt(summary, "replicas", c.team.replicas));
  PetscCall(WeftSummaryInt(summary, "space", c.team.space_size));
  PetscCall(WeftSummaryInt(summary, "steps", c.unroll));
  PetscCall(WeftSummaryRealList(summary, "seconds_per_step", RUNS, forward));
  PetscCall(WeftSummaryRealList(summary, "seconds_gradient", RUNS, gradient));
  if (words > 1) PetscCall(WeftSummaryWrite(summary, word[1]));
  PetscCall(WeftSummaryDestroy(&summary));
  if (words > 2) PetscCall(Write(&c, word[2]));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d samples, %d x %d ranks: %.4f ms per step, %.3f ms for the gradient of %d steps\n",
                        (int)c.batch, (int)c.team.replicas, (int)c.team.space_size, 1e3 * BenchMedian(RUNS, forward),
                        1e3 * BenchMedian(RUNS, gradient), (int)c.unroll));
  PetscCall(Destroy(&c));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Bench);
}
