/* The optimisers: gradient descent and Adam on each rank's part of the vector, and PETSc's TAO. */
#include "invert/impl.h"

#define STOP_PIECES 2 /* after a stop: at most an evaluation, and the results, which take about three forward runs */

/* An iterate whose gradient was taken: history, the best so far, a checkpoint when it is due. */
static PetscErrorCode Iterate(WeftInversion v)
{
  PetscBool due;

  PetscFunctionBegin;
  PetscCall(WeftStopMustTime(&v->stop_times, &due));
  if (v->iteration % v->checkpoint_every == 0 || v->iteration == v->iterations) due = PETSC_TRUE;
  if (v->first_norm < 0.0) v->first_norm = v->gradient_norm;
  if (v->loss < v->best_loss) {
    v->best_loss  = v->loss;
    v->best_at    = v->iteration;
    PetscCall(VecCopy(v->z, v->best));
  }
  PetscCall(WeftHistoryRow(v));
  if (v->iteration > v->resumed_at && due) PetscCall(WeftCheckpointWrite(v, v->z, v->iteration, v->evaluations - 1)); /* the iterate is evaluated again */
  PetscFunctionReturn(0);
}

static PetscErrorCode Evaluate(WeftInversion v, Vec z, PetscReal *loss, Vec gradient)
{
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  PetscCall(WeftInversionEvaluate(v, z, loss, gradient));
  v->stop_times.work = PetscMax(v->stop_times.work, MPI_Wtime() - begin);
  PetscFunctionReturn(0);
}

/* ---- gradient descent, Adam ---------------------------------------------------------------------------------------------- */

/* One step from the gradient in v->gradient; back into the bounds. The optimiser sees a part of the gradient: clipped here. */
static PetscErrorCode Step(WeftInversion v)
{
  const PetscReal *gradient;
  PetscReal       *z, clip;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("optimizer_clip", &clip));
  if (clip > 0.0 && v->gradient_norm > clip) PetscCall(VecScale(v->gradient, clip / v->gradient_norm));
  PetscCall(VecGetArrayRead(v->gradient, &gradient));
  PetscCall(VecGetArray(v->z, &z));
  PetscCall(WeftOptimizerStep(v->optimizer, v->iteration, gradient, z, NULL));
  PetscCall(VecRestoreArray(v->z, &z));
  PetscCall(VecRestoreArrayRead(v->gradient, &gradient));
  if (v->bounded) PetscCall(VecMedian(v->lower, v->z, v->upper, v->z));
  PetscFunctionReturn(0);
}

static PetscErrorCode Descend(WeftInversion v)
{
  WeftProgress progress;
  PetscReal    loss, tolerance;
  PetscInt     patience;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("invert_tolerance", &tolerance));
  PetscCall(WeftGetInt("invert_patience", &patience));
  PetscCall(WeftProgressCreate("invert", v->iterations, &progress));
  for (;;) {
    PetscCall(Evaluate(v, v->z, &loss, v->gradient));
    PetscCall(Iterate(v));
    PetscCall(WeftProgressUpdate(progress, v->iteration, "loss %.6g  |gradient| %.3g", (double)loss, (double)v->gradient_norm));
    if (v->gradient_norm <= tolerance * v->first_norm) v->ending = WEFT_ENDING_CONVERGED;
    else if (patience && v->iteration - v->best_at >= patience) v->ending = WEFT_ENDING_STALLED;
    if (v->ending != WEFT_ENDING_ITERATIONS || v->iteration >= v->iterations) break;
    PetscCall(Step(v));
    v->iteration++;
    PetscCall(WeftStopAgree(&v->stop_times, STOP_PIECES, &v->stop));
    if (!v->stop) continue;
    v->ending = WEFT_ENDING_STOPPED;
    PetscCall(WeftCheckpointWrite(v, v->z, v->iteration, v->evaluations));
    break;
  }
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

/* ---- TAO ------------------------------------------------------------------------------------------------------------------- */

/* The evaluation after which a stop was asked for is the last: the next one leaves TAO by an error that nobody is told of. */
static PetscErrorCode TaoEvaluate(Tao tao, Vec z, PetscReal *loss, Vec gradient, void *context)
{
  WeftInversion v = (WeftInversion)context;

  PetscFunctionBegin;
  (void)tao;
  if (v->stop) PetscFunctionReturn(WEFT_ERR_USER);
  PetscCall(Evaluate(v, z, loss, gradient));
  PetscCall(WeftStopAgree(&v->stop_times, STOP_PIECES, &v->stop));
  PetscFunctionReturn(0);
}

/* The iterate of TAO: its loss and gradient norm; the terms are those of the last evaluation, if it was at the iterate. */
static PetscErrorCode TaoIterate(Tao tao, void *context)
{
  WeftInversion v = (WeftInversion)context;
  PetscReal     loss, norm;
  PetscInt      iteration;

  PetscFunctionBegin;
  PetscCall(TaoGetSolutionStatus(tao, &iteration, &loss, &norm, NULL, NULL, NULL));
  for (PetscInt t = 0; t < v->terms && loss != v->loss; t++) v->term[t].value = NAN;
  v->loss          = loss;
  v->gradient_norm = norm;
  v->iteration     = v->resumed_at + iteration;
  PetscCall(Iterate(v));
  PetscFunctionReturn(0);
}

/* Bounds are kept by some of TAO's methods only. */
static PetscErrorCode CheckBounds(WeftInversion v, Tao tao)
{
  static const char *const unbounded[] = {TAOLMVM, TAOCG, TAONLS, TAONTR, TAONTL, TAONM, TAOOWLQN, TAOBMRM, NULL};
  TaoType                  type;

  PetscFunctionBegin;
  PetscCall(TaoGetType(tao, &type));
  for (PetscInt i = 0; unbounded[i] && v->bounded; i++) WeftCheck(strcmp(type, unbounded[i]), PETSC_COMM_WORLD, "invert_unknowns: tao_type %s knows no bounds; take -tao_type blmvm, bncg or bqnls, or leave lower and upper out", type);
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateTao(WeftInversion v)
{
  PetscFunctionBegin;
  PetscCall(TaoCreate(PETSC_COMM_WORLD, &v->tao));
  PetscCall(TaoSetType(v->tao, v->bounded ? TAOBLMVM : TAOLMVM));
  PetscCall(TaoSetSolution(v->tao, v->z));
  PetscCall(TaoSetObjectiveAndGradient(v->tao, v->gradient, TaoEvaluate, v));
  if (v->bounded) PetscCall(TaoSetVariableBounds(v->tao, v->lower, v->upper));
  PetscCall(TaoSetMonitor(v->tao, TaoIterate, v, NULL));
  PetscCall(TaoSetMaximumIterations(v->tao, v->iterations));
  PetscCall(TaoSetFromOptions(v->tao));
  PetscCall(CheckBounds(v, v->tao));
  PetscCall(TaoSetUp(v->tao));
  PetscFunctionReturn(0);
}

static PetscErrorCode SolveTao(WeftInversion v)
{
  TaoConvergedReason reason;
  PetscErrorCode     ierr;

  PetscFunctionBegin;
  if (v->resumed) {
    PetscCall(WeftLog("TAO starts anew at the iterate of the checkpoint: the history of its method is not stored"));
    PetscCall(TaoSetMaximumIterations(v->tao, PetscMax(v->iterations - v->resumed_at, 0)));
  }
  ierr = TaoSolve(v->tao);
  if (ierr == WEFT_ERR_USER && v->stop) {
    v->ending = WEFT_ENDING_STOPPED;
    PetscCall(WeftCheckpointWrite(v, v->best, v->best_at, v->evaluations));
    PetscFunctionReturn(0);
  }
  PetscCall(ierr);
  PetscCall(TaoGetConvergedReason(v->tao, &reason));
  v->reason = TaoConvergedReasons[reason];
  if (reason > 0) v->ending = WEFT_ENDING_CONVERGED;
  else if (reason == TAO_DIVERGED_LS_FAILURE) v->ending = WEFT_ENDING_LINE_SEARCH;
  else if (reason == TAO_DIVERGED_MAXITS || reason == TAO_DIVERGED_MAXFCN) v->ending = WEFT_ENDING_ITERATIONS;
  else v->ending = WEFT_ENDING_STALLED;
  PetscFunctionReturn(0);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftMinimiserCreate(WeftInversion v)
{
  PetscInt type, local;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("optimizer_type", &type));
  PetscCall(WeftGetInt("invert_checkpoint_every", &v->checkpoint_every));
  if (v->checkpoint_every < 1) return WeftFailKey(PETSC_COMM_WORLD, "invert_checkpoint_every", "at least 1 iteration");
  PetscCall(VecGetLocalSize(v->z, &local));
  if (type == WEFT_OPTIMIZER_TAO) PetscCall(CreateTao(v));
  else PetscCall(WeftOptimizerCreateFromKeys(local, v->iterations, &v->optimizer));
  v->first_norm = -1.0;
  v->best_loss  = PETSC_INFINITY;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftMinimise(WeftInversion v)
{
  const PetscInt before = v->evaluations;

  PetscFunctionBegin;
  PetscCall(WeftCostBegin("evaluation"));
  if (v->tao) PetscCall(SolveTao(v));
  else PetscCall(Descend(v));
  PetscCall(WeftCostEnd(v->evaluations - before));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftMinimiserDestroy(WeftInversion v)
{
  PetscFunctionBegin;
  PetscCall(TaoDestroy(&v->tao));
  PetscCall(WeftOptimizerDestroy(&v->optimizer));
  PetscFunctionReturn(0);
}
