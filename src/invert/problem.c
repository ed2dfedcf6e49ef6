/* The inverse problem: model, rollout, unknowns, observations; its loss and gradient. */
#include "invert/observe.h"

#define REFUSED_MAX 100 /* trial points of a line search at which the model failed, in one run */

PetscErrorCode WeftInversionPath(const WeftInversion v, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", v->folder, name));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateModel(WeftInversion v)
{
  WeftModelOptions options;
  WeftGridOptions  box;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("invert_simulations", &v->simulations));
  PetscCall(WeftGetInt("invert_steps", &v->steps));
  PetscCall(WeftGetInt("invert_iterations", &v->iterations));
  if (v->simulations < 1) return WeftFailKey(PETSC_COMM_WORLD, "invert_simulations", "at least 1 simulation");
  if (v->iterations < 0) return WeftFailKey(PETSC_COMM_WORLD, "invert_iterations", "cannot be negative");
  if (v->steps < 1) return WeftFailKey(PETSC_COMM_WORLD, "invert_steps", "the model must play at least 1 step");
  PetscCall(WeftTeamCreate(v->simulations, 0, &v->team));
  PetscCall(WeftTeamGetInfo(v->team, &v->info));
  PetscCall(WeftTeamShare(v->team, v->simulations, &v->first, &v->count));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(v->info.space, &box, &v->grid));
  PetscCall(WeftModelOptionsFromKeys(&options));
  options.first_sample = v->first;
  options.samples      = v->simulations;
  options.gradient_steps = v->steps;
  PetscCall(WeftModelCreate(v->grid, PetscMax(v->count, 1), &options, NULL, PETSC_TRUE, &v->model));
  PetscCall(WeftModelOptionsDestroy(&options));
  PetscCall(WeftModelCheckSteady(v->model, "invert"));
  v->states = WeftModelStates(v->model);
  v->inputs = WeftOpInputs(WeftModelStep(v->model));
  for (PetscInt i = 0; i < v->inputs; i++) PetscCall(WeftStateCreate(WeftOpInSpace(WeftModelStep(v->model), i), &v->input[i]));
  PetscCall(WeftInitialStates(v->model, v->input));
  PetscCall(WeftModelSetNumbersFromKeys(v->model, v->input));
  PetscFunctionReturn(0);
}

/* With -observe_simulation: the true inputs of that simulation for all samples. The blocks of all replicas are alike. */
static PetscErrorCode OneTruth(WeftInversion v)
{
  PetscInt    which, source;
  PetscMPIInt owner, mine;
  MPI_Comm    across; /* ranks of one place in their replicas */

  PetscFunctionBegin;
  PetscCall(WeftGetInt("observe_simulation", &which));
  PetscCall(WeftGetEnum("observe_from", &source));
  if (source == WEFT_DATA_DATASET) PetscFunctionReturn(0); /* there it is one of the file */
  if (which < -1 || which >= v->simulations) return WeftFailKey(PETSC_COMM_WORLD, "observe_simulation", "simulations are 0 to %" PetscInt_FMT ", or -1", v->simulations - 1);
  if (which < 0) PetscFunctionReturn(0);
  mine = which >= v->first && which < v->first + v->count ? (PetscMPIInt)v->info.replica : -1;
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, (PetscMPIInt)v->info.space_rank, (PetscMPIInt)v->info.replica, &across));
  PetscCallMPI(MPI_Allreduce(&mine, &owner, 1, MPI_INT, MPI_MAX, across));
  for (PetscInt i = 0; i < v->inputs; i++) {
    const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(v->truth[i]));
    const PetscInt       size   = info->kind == WEFT_PLANES ? WeftGridLayout(v->grid)->plane : info->count;
    const PetscInt       fields = info->kind == WEFT_PLANES ? info->fields : 1, from = mine >= 0 ? which - v->first : 0;
    double              *all    = (double *)WeftStateDataWrite(v->truth[i]);
    for (PetscInt f = 0; f < fields; f++) {
      double *first = all + (size_t)f * (size_t)info->batch * (size_t)size;
      if (from) PetscCall(PetscArraycpy(first, first + (size_t)from * (size_t)size, size));
      PetscCallMPI(MPI_Bcast(first, (PetscMPIInt)size, MPI_DOUBLE, owner, across));
      for (PetscInt b = 1; b < info->batch; b++) PetscCall(PetscArraycpy(first + (size_t)b * (size_t)size, first, size));
    }
  }
  PetscCallMPI(MPI_Comm_free(&across));
  PetscFunctionReturn(0);
}

/* Inputs of the reference run: true states, and the numbers of the case where an unknown names no truth. */
static PetscErrorCode CreateTruth(WeftInversion v)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < v->inputs; i++) {
    PetscCall(WeftStateCreate(WeftStateSpace(v->input[i]), &v->truth[i]));
    PetscCall(WeftStateCopy(v->input[i], v->truth[i]));
  }
  PetscCall(WeftTrueStates(v->model, v->truth));
  PetscCall(WeftModelTrueFields(v->model, v->truth));
  PetscCall(OneTruth(v));
  for (PetscInt k = 0; k < v->unknowns; k++) {
    const WeftUnknown *u = &v->unknown[k];
    for (PetscInt i = 0; i < PetscMax(v->count, 1) * u->width && u->truths; i++) ((double *)WeftStateDataWrite(v->truth[u->input]))[i] = u->truth[i % u->width];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateRollout(WeftInversion v)
{
  WeftRolloutOptions options = {0};

  PetscFunctionBegin;
  PetscCall(WeftRolloutOptionsFromKeys(&options));
  options.step   = WeftModelStep(v->model);
  options.states = v->states;
  options.loss   = v->observe;
  options.length = v->steps;
  PetscCall(WeftRolloutCreate(&options, &v->rollout));
  for (PetscInt u = 0; u < v->unknowns; u++) {
    const WeftUnknown *unknown = &v->unknown[u];
    if (unknown->in_time) PetscCall(WeftRolloutSetSequence(v->rollout, unknown->input, unknown->value, unknown->value_bar, NULL));
    else v->bar[unknown->input] = unknown->value_bar[0];
  }
  PetscCall(PetscCalloc1(PetscMax(v->count, 1), &v->losses));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInversionCreate(WeftInversion *inversion)
{
  WeftInversion v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  v->begin = MPI_Wtime();
  PetscCall(CreateModel(v));
  PetscCall(WeftUnknownsCreate(v));
  PetscCall(WeftTermsCreate(v));
  PetscCall(CreateTruth(v));
  PetscCall(WeftObservationsCreate(v));
  PetscCall(CreateRollout(v));
  PetscCall(WeftUnknownsCreateVectors(v));
  *inversion = v;
  PetscFunctionReturn(0);
}

/* Forward sweep of this replica's simulations; the misfit of this rank. A mistake that one replica meets is known to all of them after the
   reduction that follows; its message waits in v->fault. */
static PetscErrorCode Play(WeftInversion v, PetscBool *failed)
{
  PetscErrorCode ierr = 0;

  PetscFunctionBegin;
  WeftHoldMessages(PETSC_TRUE);
  if (v->count) ierr = WeftRolloutForward(v->rollout, v->input, v->target, v->losses, NULL);
  if (v->count && !ierr) ierr = WeftObserveStart(v);
  WeftHoldMessages(PETSC_FALSE);
  WeftTakeNote(v->fault, sizeof(v->fault));
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  *failed = ierr ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt t = 0; t < v->terms; t++) {
    v->term[t].value = 0.0;
    if (!v->term[t].unknown)
      for (PetscInt b = 0; b < v->count; b++) v->term[t].value += v->losses[b];
  }
  PetscFunctionReturn(0);
}

/* The model failed at z. A line search is told of a loss that grows with the distance from the best iterate, and comes back; anyone else
   of the mistake. */
static PetscErrorCode Refuse(WeftInversion v, Vec z, PetscReal *loss, Vec gradient)
{
  const PetscReal rise = 10.0 * v->best_loss;
  PetscReal       distance;

  PetscFunctionBegin;
  if (v->tao && gradient && v->best_loss < PETSC_INFINITY && v->refused < REFUSED_MAX) {
    v->refused++;
    PetscCall(VecWAXPY(gradient, -1.0, v->best, z));
    PetscCall(VecNorm(gradient, NORM_2, &distance));
    PetscCall(VecScale(gradient, 2.0 * rise / (distance * distance)));
    *loss = v->loss = v->best_loss + rise;
    PetscFunctionReturn(0);
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, v->fault[0] ? PETSC_TRUE : PETSC_FALSE, "evaluation %" PetscInt_FMT ": %s", v->evaluations, v->fault));
  return WeftFail(PETSC_COMM_WORLD, "evaluation %" PetscInt_FMT ": the loss or its gradient is not finite; lower optimizer_rate, bound the unknowns, or play fewer invert_steps", v->evaluations);
}

/* The reverse sweep. The error that implicit solves estimate, with -gradient_accuracy, is summed over all sweeps: that of this one
   is what it adds. The largest of the replicas. */
static PetscErrorCode Reverse(WeftInversion v)
{
  const WeftOp       implicit = WeftModelImplicit(v->model);
  WeftImplicitReport before, after;
  PetscReal          accuracy;

  PetscFunctionBegin;
  if (implicit) PetscCall(WeftImplicitGetReport(implicit, &before));
  if (v->count) {
    PetscCall(WeftRolloutReverse(v->rollout, NULL, v->bar));
    PetscCall(WeftObserveStartAdjoint(v));
  }
  PetscCall(WeftGetReal("gradient_accuracy", &accuracy));
  v->gradient_error = -1.0;
  if (!implicit || !(accuracy > 0.0)) PetscFunctionReturn(0);
  PetscCall(WeftImplicitGetReport(implicit, &after));
  v->gradient_error = after.adjoint_error - before.adjoint_error;
  PetscCall(WeftReduce(&v->gradient_error, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInversionEvaluate(WeftInversion v, Vec z, PetscReal *loss, Vec gradient)
{
  PetscReal sums[WEFT_TERMS_MAX + 1];
  PetscBool failed = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftUnknownsSet(v, z));
  PetscCall(Play(v, &failed));
  for (PetscInt u = 0; u < v->unknowns && gradient; u++) {
    for (PetscInt s = 0; s < v->unknown[u].slices; s++) PetscCall(WeftStateZero(v->unknown[u].control_bar[s]));
    for (PetscInt n = 0; n < v->unknown[u].steps; n++) {
      PetscCall(WeftStateZero(v->unknown[u].value_bar[n]));
      PetscCall(WeftStateZero(v->unknown[u].plain_bar[n]));
    }
  }
  PetscCall(WeftTermsAdd(v, gradient ? PETSC_TRUE : PETSC_FALSE));
  for (PetscInt t = 0; t < v->terms; t++) sums[t] = v->term[t].value;
  sums[v->terms] = failed ? 1.0 : 0.0;
  PetscCall(WeftReduce(sums, (PetscMPIInt)(v->terms + 1), MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  v->evaluations++;
  v->loss = 0.0;
  for (PetscInt t = 0; t < v->terms; t++) v->loss += v->term[t].value = sums[t];
  *loss = v->loss;
  if (sums[v->terms] > 0.0 || !isfinite(v->loss)) PetscFunctionReturn(Refuse(v, z, loss, gradient));
  if (!gradient) PetscFunctionReturn(0);
  PetscCall(Reverse(v));
  PetscCall(WeftUnknownsGradient(v, gradient));
  PetscCall(VecNorm(gradient, NORM_2, &v->gradient_norm));
  if (!isfinite(v->gradient_norm)) PetscFunctionReturn(Refuse(v, z, loss, gradient));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInversionDestroy(WeftInversion *inversion)
{
  WeftInversion v = *inversion;

  PetscFunctionBegin;
  *inversion = NULL;
  if (!v) PetscFunctionReturn(0);
  if (v->table) fclose(v->table);
  PetscCall(WeftRolloutDestroy(&v->rollout));
  PetscCall(WeftObservationsDestroy(v));
  PetscCall(WeftUnknownsDestroy(v));
  for (PetscInt i = 0; i < v->inputs; i++) {
    PetscCall(WeftStateDestroy(&v->input[i]));
    PetscCall(WeftStateDestroy(&v->truth[i]));
  }
  PetscCall(PetscFree(v->losses));
  PetscCall(VecDestroy(&v->z));
  PetscCall(VecDestroy(&v->gradient));
  PetscCall(VecDestroy(&v->lower));
  PetscCall(VecDestroy(&v->upper));
  PetscCall(VecDestroy(&v->guess));
  PetscCall(VecDestroy(&v->best));
  PetscCall(WeftModelDestroy(&v->model));
  PetscCall(WeftGridDestroy(&v->grid));
  PetscCall(WeftTeamDestroy(&v->team));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* One message on how it went wrong and what to try; the exit status says which. */
static PetscErrorCode Tell(const WeftInversion v)
{
  const double fall = v->first_norm > 0.0 ? v->gradient_norm / v->first_norm : 0.0;

  PetscFunctionBegin;
  if (v->ending == WEFT_ENDING_STALLED) {
    WeftSetExitStatus(WEFT_STATUS_STALLED);
    return WeftFail(PETSC_COMM_WORLD, "the optimiser stalled: no smaller loss since iteration %" PetscInt_FMT " (loss %g, gradient norm %.2g of the first); lower optimizer_rate, scale the unknowns, take -optimizer_type tao, or raise invert_patience; the best iterate is in %s", v->best_at, (double)v->best_loss, fall, v->folder);
  }
  if (v->ending == WEFT_ENDING_LINE_SEARCH) {
    WeftSetExitStatus(WEFT_STATUS_LINE_SEARCH);
    return WeftFail(PETSC_COMM_WORLD, "the line search failed at iteration %" PetscInt_FMT " (loss %g, gradient norm %.2g of the first); where the gradient has fallen far this is round-off: end sooner with -tao_grtol or -tao_gatol; else scale the unknowns, smooth the loss, or try -tao_ls_type armijo; the best iterate is in %s", v->iteration, (double)v->best_loss, fall, v->folder);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(WeftInversion v)
{
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(WeftMinimiserCreate(v));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("invert", v->folder, sizeof(v->folder)));
  PetscCall(WeftCheckpointRead(v));
  if (!v->resumed) PetscCall(WeftInversionCheck(v));
  PetscCall(WeftHistoryOpen(v));
  ierr = WeftMinimise(v);
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  if (ierr) {
    v->ending = WEFT_ENDING_FAILED;
    WeftSetExitStatus(WEFT_STATUS_FAILED);
  }
  if (v->best_loss < PETSC_INFINITY) PetscCall(WeftInversionReport(v));
  PetscCall(WeftMinimiserDestroy(v));
  if (ierr) PetscFunctionReturn(WEFT_ERR_USER);
  PetscFunctionReturn(Tell(v));
}

PetscErrorCode WeftInvert(void)
{
  PetscErrorCode ierr;
  WeftInversion  v;

  PetscFunctionBegin;
  WeftStopListen();
  PetscCall(WeftInversionCreate(&v));
  ierr = Run(v);
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  PetscCall(WeftInversionDestroy(&v));
  PetscFunctionReturn(ierr);
}
