/* The trainer: team, model with its net, dataset, rollout and optimiser of a case; loss and gradient of an update. */
#include <string.h>
#include "train/flow.h"
#include "train/trainer.h"

static PetscErrorCode ReadKeys(WeftTrainer t)
{
  PetscInt mode, skip;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("train_mode", &mode));
  PetscCall(WeftGetInt("train_unroll", &t->unroll));
  PetscCall(WeftGetInt("train_batch", &t->batch));
  PetscCall(WeftGetReal("train_validation", &t->validation));
  PetscCall(WeftGetReal("train_noise", &t->noise));
  if (!(t->noise >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "train_noise", "an amplitude is not negative; 0: no noise");
  if (t->unroll < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_unroll", "an update plays at least 1 step");
  if (t->batch < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_batch", "an update needs at least 1 sample");
  if (!(t->validation >= 0.0 && t->validation < 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "train_validation", "a share lies in [0, 1)");
  PetscCall(WeftGetEnum("train_bad_samples", &skip));
  t->skip       = skip ? PETSC_TRUE : PETSC_FALSE;
  t->supervised = mode == 1 ? PETSC_TRUE : PETSC_FALSE;
  if (t->supervised) t->unroll = 1; /* pairs of frames */
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerDatasetPath(char path[], size_t room)
{
  PetscFunctionBegin;
  PetscCall(WeftGetString("train_dataset", path, room));
  if (!path[0]) PetscCall(PetscSNPrintf(path, room, "output/%s/dataset/train.h5", WeftCaseName()));
  PetscFunctionReturn(0);
}

/* Team, grid; a replica without samples of its own keeps a batch of one that is not played. */
static PetscErrorCode CreateGrid(WeftTrainer t)
{
  WeftGridOptions box;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(t->batch, 0, &t->team));
  PetscCall(WeftTeamGetInfo(t->team, &t->info));
  PetscCall(WeftTeamShare(t->team, t->batch, &t->first, &t->count));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftNetAlignGrid(&box));
  PetscCall(WeftGridCreate(t->info.space, &box, &t->grid));
  PetscCall(WeftModelCreateStateSpace(t->grid, PetscMax(t->count, 1), &t->velocity));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadData(WeftTrainer t)
{
  const WeftDataInfo *info;
  char                path[PETSC_MAX_PATH_LEN];
  PetscReal           dt = 0.0;
  PetscBool           set;

  PetscFunctionBegin;
  PetscCall(WeftTrainerDatasetPath(path, sizeof(path)));
  PetscCall(WeftBatchesCreate(t->velocity, path, t->unroll, t->batch, t->validation, &t->batches));
  info = WeftBatchesInfo(t->batches);
  PetscCall(WeftHasKey("model_dt", &set));
  if (set) PetscCall(WeftGetReal("model_dt", &dt));
  if (set && info->frame_time > 0.0 && PetscAbsReal(info->frame_time - dt) > 1e-9 * dt) return WeftFailKey(PETSC_COMM_WORLD, "model_dt", "the frames of %s are %g apart, a step must be as long; set model_dt = %g, or make the dataset again", path, (double)info->frame_time, (double)info->frame_time);
  PetscCall(WeftBatchesScales(t->batches, &t->scales));
  PetscCall(PetscMalloc2(t->batch, &t->window, t->batch, &t->next));
  PetscFunctionReturn(0);
}

/* The terms of the loss, and the weight of each place. */
static PetscErrorCode CreateLoss(WeftTrainer t)
{
  WeftState      weight = NULL;
  WeftExpression region;
  WeftSpace      one;
  char         **text;
  PetscInt       texts;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("loss_terms", &t->term, &t->terms));
  PetscCall(WeftGetStringList("loss_region", &text, &texts));
  if (texts > 1) return WeftFailKey(PETSC_COMM_WORLD, "loss_region", "one expression is needed, not %" PetscInt_FMT, texts);
  if (texts) {
    PetscCall(WeftModelCreateStateSpace(t->grid, 1, &one));
    PetscCall(WeftStateCreate(one, &weight));
    PetscCall(WeftExpressionCreate("loss_region", text[0], &region));
    for (PetscInt f = 0; f < WeftSpaceGetInfo(one)->fields; f++) PetscCall(WeftExpressionFill(region, weight, f));
    PetscCall(WeftExpressionDestroy(&region));
    PetscCall(WeftSpaceDestroy(&one));
  }
  if (t->terms > WEFT_MAX_TERMS) return WeftFailKey(PETSC_COMM_WORLD, "loss_terms", "%" PetscInt_FMT " terms; at most %d are allowed", t->terms, WEFT_MAX_TERMS);
  PetscCall(WeftTrainerCreateLoss(t, weight));
  PetscCall(PetscCalloc1(t->terms, &t->term_value));
  PetscCall(WeftStateDestroy(&weight));
  PetscCall(WeftFreeStringList(&text, texts));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadStepWeights(WeftTrainer t)
{
  PetscInt  count = t->unroll;
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("loss_steps", &set));
  if (!set) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(t->unroll, &t->step_weight));
  PetscCall(WeftGetRealList("loss_steps", t->step_weight, &count));
  if (count != t->unroll) return WeftFailKey(PETSC_COMM_WORLD, "loss_steps", "one weight for each of the %" PetscInt_FMT " steps of train_unroll is needed, not %" PetscInt_FMT, t->unroll, count);
  for (PetscInt n = 0; n < count; n++)
    if (!(t->step_weight[n] >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "loss_steps", "a weight is not negative");
  PetscFunctionReturn(0);
}

/* A step that changes with time: that of each step, here from 0 on. */
static PetscErrorCode CreateTimes(WeftTrainer t)
{
  const PetscInt at = WeftModelInput(t->hybrid.model, "time");

  PetscFunctionBegin;
  if (at < 0) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1(t->unroll, &t->time));
  for (PetscInt n = 0; n < t->unroll; n++) {
    PetscCall(WeftStateCreate(WeftStateSpace(t->input[at]), &t->time[n]));
    for (PetscInt s = 0; s < PetscMax(t->count, 1); s++) ((double *)WeftStateDataWrite(t->time[n]))[s] = (PetscReal)n * WeftModelTimeStep(t->hybrid.model);
  }
  PetscCall(WeftRolloutSetSequence(t->rollout, at, t->time, NULL, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateRollout(WeftTrainer t)
{
  WeftRolloutOptions options = {0};
  PetscInt           every;

  PetscFunctionBegin;
  PetscCall(WeftRolloutOptionsFromKeys(&options));
  PetscCall(WeftHybridCreate(t->grid, PetscMax(t->count, 1), &t->scales, options.reach == WEFT_REACH_NO_SOLVER_GRADIENT ? PETSC_FALSE : PETSC_TRUE, &t->hybrid));
  WeftCheck(WeftModelStates(t->hybrid.model) == 1, PETSC_COMM_WORLD, "model_steps: training compares velocities; leave smoke out of the steps");
  PetscCall(CreateLoss(t));
  PetscCall(ReadStepWeights(t));
  options.loss_weight = t->step_weight;
  options.loss        = t->loss;
  options.loss_before = WeftOpInputs(t->loss) == 3 ? PETSC_TRUE : PETSC_FALSE;
  options.step   = WeftModelStep(t->hybrid.model);
  options.states = 1;
  options.length = t->unroll;
  PetscCall(WeftRolloutCreate(&options, &t->rollout));
  t->inputs = WeftOpInputs(options.step);
  for (PetscInt i = 0; i < t->inputs; i++) PetscCall(WeftStateCreate(WeftOpInSpace(options.step, i), &t->input[i]));
  PetscCall(WeftModelInitial(t->hybrid.model, t->input));
  t->weights_at = WeftModelInput(t->hybrid.model, "weights");
  t->parameters = WeftSpaceGetInfo(WeftNetParameterSpace(t->hybrid.net))->count;
  PetscCall(WeftStateCreate(WeftNetParameterSpace(t->hybrid.net), &t->gradient));
  t->deterministic = options.deterministic;
  if (t->deterministic) PetscCall(WeftFixedBegin(t));
  PetscCall(WeftGetInt("train_loss_every", &every));
  if (every < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_loss_every", "a comparison every 1 or more steps");
  PetscCall(PetscCalloc1(t->unroll, &t->target));
  for (PetscInt n = 0; n < t->unroll; n++)
    if ((n + 1) % every == 0 || n + 1 == t->unroll) PetscCall(WeftStateCreate(t->velocity, &t->target[n]));
  PetscCall(CreateTimes(t));
  PetscCall(WeftReductionCreate(t->gradient, &t->reduction));
  PetscCall(PetscMalloc2(PetscMax(t->count, 1), &t->losses, PetscMax(t->count, 1), &t->factor));
  for (PetscInt s = 0; s < t->count; s++) t->factor[s] = 1.0;
  PetscFunctionReturn(0);
}

/* Whose samples batches are normalised with. */
static PetscErrorCode CreateStatistics(WeftTrainer t)
{
  PetscInt replica;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("net_statistics", &replica));
  t->coupled    = !replica && t->info.replicas > 1 ? WeftNetAverages(t->hybrid.net) : PETSC_FALSE;
  t->statistics = t->coupled ? PETSC_COMM_WORLD : t->info.space;
  if (t->coupled && t->skip) return WeftFailKey(PETSC_COMM_WORLD, "train_bad_samples", "a sample of batches normalised over all replicas cannot be left out; set net_statistics replica, or train_bad_samples stop");
  if (t->coupled && t->batch < t->info.replicas) return WeftFailKey(PETSC_COMM_WORLD, "train_batch", "%" PetscInt_FMT " samples for %" PetscInt_FMT " replicas that normalise them together; use as many samples or more", t->batch, (PetscInt)t->info.replicas);
  PetscCall(WeftNetSetTraining(t->hybrid.net, t->statistics));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerFollow(WeftTrainer t)
{
  const MPI_Comm replicas = !t->coupled && t->info.replicas > 1 ? PETSC_COMM_WORLD : MPI_COMM_NULL;

  PetscFunctionBegin;
  PetscCall(WeftNetFollow(t->hybrid.net, replicas, WeftTrainerWeights(t)));
  PetscFunctionReturn(0);
}

/* The numbers of every simulation, so that one that the step cannot take is found before the first update, by all replicas. */
static PetscErrorCode TryNumbers(WeftTrainer t)
{
  const WeftDataInfo *info = WeftBatchesInfo(t->batches);

  PetscFunctionBegin;
  PetscCall(WeftCheckWaves(t->hybrid.model, info));
  for (PetscInt s = 0; s < info->simulations; s++) PetscCall(WeftModelSetNumbers(t->hybrid.model, t->input, 0, info->numbers, (const char(*)[32])info->number, WeftBatchesNumbers(t->batches, s)));
  PetscFunctionReturn(0);
}

/* The symmetries that the case declares, against its step without the net at frames of the dataset. */
static PetscErrorCode CheckSymmetry(WeftTrainer t)
{
  const WeftDataInfo *info = WeftBatchesInfo(t->batches);
  WeftState           in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  WeftModel           model;

  PetscFunctionBegin;
  PetscCall(WeftModelCreateFromKeys(t->grid, PetscMax(t->count, 1), NULL, PETSC_TRUE, &model));
  PetscCall(WeftStepStates(WeftModelStep(model), in, out));
  PetscCall(WeftModelInitial(model, in));
  for (PetscInt s = 0; s < PetscMax(t->count, 1); s++) {
    PetscCall(WeftBatchesLoad(t->batches, (WeftWindow){0, 0, 0}, 0, in[0], s));
    PetscCall(WeftModelSetNumbers(model, in, s, info->numbers, (const char(*)[32])info->number, WeftBatchesNumbers(t->batches, 0)));
  }
  PetscCall(WeftBatchesCheckSymmetry(t->batches, WeftModelStep(model), in, out));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(model), in, out));
  PetscCall(WeftModelDestroy(&model));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerCreateWith(const WeftScales *scales, WeftTrainer *trainer)
{
  WeftTrainer t;
  PetscInt    seed;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  PetscCall(ReadKeys(t));
  PetscCall(CreateGrid(t));
  if (scales) t->scales = *scales;
  else PetscCall(ReadData(t));
  PetscCall(CreateRollout(t));
  PetscCall(CreateStatistics(t));
  if (t->batches) PetscCall(TryNumbers(t));
  if (t->batches && WeftBatchesTurns(t->batches) > 1) PetscCall(CheckSymmetry(t));
  PetscCall(WeftGetInt("seed", &seed));
  PetscCall(WeftNetInitialise(t->hybrid.net, seed, t->input[t->weights_at]));
  *trainer = t;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerCreate(WeftTrainer *trainer)
{
  PetscFunctionBegin;
  PetscCall(WeftTrainerCreateWith(NULL, trainer));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerLoadWindow(WeftTrainer t, WeftWindow w, PetscInt slot)
{
  const WeftDataInfo *info = WeftBatchesInfo(t->batches);

  PetscFunctionBegin;
  PetscCall(WeftBatchesLoad(t->batches, w, 0, t->input[0], slot));
  for (PetscInt n = 0; n < t->unroll; n++)
    if (t->target[n]) PetscCall(WeftBatchesLoad(t->batches, w, n + 1, t->target[n], slot));
  PetscCall(WeftModelSetNumbers(t->hybrid.model, t->input, slot, info->numbers, (const char(*)[32])info->number, WeftBatchesNumbers(t->batches, w.simulation)));
  PetscCall(WeftTrainerSetSolver(t, slot, info->numbers, (const char(*)[32])info->number, WeftBatchesNumbers(t->batches, w.simulation)));
  for (PetscInt n = 0; n < t->unroll && t->time; n++) ((double *)WeftStateDataWrite(t->time[n]))[slot] = info->first_time + (PetscReal)(w.frame + n) * info->frame_time;
  PetscFunctionReturn(0);
}

/* This replica's share of the windows. */
static PetscErrorCode LoadWindows(WeftTrainer t, const WeftWindow windows[])
{
  PetscFunctionBegin;
  for (PetscInt s = 0; s < t->count; s++) PetscCall(WeftTrainerLoadWindow(t, windows[t->first + s], s));
  PetscFunctionReturn(0);
}

/* Uniform noise on the initial states of an update, keyed by seed, update, sample and place. */
static PetscErrorCode AddNoise(WeftTrainer t, PetscInt k)
{
  PetscInt seed;

  PetscFunctionBegin;
  if (!(t->noise > 0.0)) PetscFunctionReturn(0);
  PetscCall(WeftGetInt("seed", &seed));
  if (!t->noise_state) PetscCall(WeftStateCreate(t->velocity, &t->noise_state));
  PetscCall(WeftStateSetRandom(t->noise_state, ((PetscInt64)seed << 32) + k, t->first, 0.0, t->noise));
  PetscCall(WeftStateAXPY(t->input[0], 1.0, t->noise_state));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerPartOfLoss(WeftTrainer t, PetscReal *loss)
{
  PetscFunctionBegin;
  *loss = 0.0;
  PetscCall(WeftLossTerms(t->loss, &t->terms, t->term_value)); /* what a reverse sweep played again does not count */
  if (!t->count) PetscFunctionReturn(0);
  PetscCall(WeftRolloutForward(t->rollout, t->input, t->target, t->losses, NULL));
  for (PetscInt s = 0; s < t->count; s++) *loss += t->losses[s];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerLoad(WeftTrainer t, PetscInt k)
{
  PetscFunctionBegin;
  PetscCall(WeftBatchesDraw(t->batches, k, t->window));
  PetscCall(LoadWindows(t, t->window));
  PetscCall(WeftBatchesDraw(t->batches, k + 1, t->next));
  PetscCall(WeftBatchesFetch(t->batches, t->count, t->next + t->first));
  PetscCall(AddNoise(t, k));
  PetscFunctionReturn(0);
}

/* A mistake that one replica met (a step that leaves its bounds) stops all of them: those that met none take part in the
   reduction that tells them, and in the agreement on its message. Anything but a mistake of the user ends the program at once. */
PetscErrorCode WeftTrainerKeepFault(PetscErrorCode ierr, PetscBool *failed)
{
  PetscFunctionBegin;
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  *failed = ierr ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerFail(void)
{
  PetscFunctionBegin;
  (void)WeftAgreeNotes(PETSC_COMM_WORLD); /* of a replica; that of the only one is told already */
  PetscFunctionReturn(WEFT_ERR_USER);
}

PetscErrorCode WeftTrainerDifferentiate(WeftTrainer t, PetscReal *loss, double gradient[], const WeftState initial_bar[])
{
  const PetscBool skip                 = t->skip && t->batches && !initial_bar ? PETSC_TRUE : PETSC_FALSE;
  WeftState       bar[WEFT_OP_MAX]     = {NULL};
  PetscReal       part;
  PetscBool       failed               = PETSC_FALSE;
  double          beside[WEFT_REDUCED] = {0.0};
  const double   *sums;

  PetscFunctionBegin;
  PetscCall(WeftStateZero(t->gradient));
  if (t->deterministic) PetscCall(WeftFixedBegin(t));
  bar[t->weights_at] = t->gradient;
  if (initial_bar) bar[0] = initial_bar[0];
  if (skip) PetscCall(WeftTrainerPlaySound(t, bar, &part));
  else PetscCall(WeftTrainerKeepFault(WeftTrainerPartOfLoss(t, &part), &failed));
  if (t->coupled) PetscCall(WeftReduce(&failed, 1, MPIU_BOOL, MPI_LOR, PETSC_COMM_WORLD)); /* all reverse or none */
  beside[0] = part;
  beside[1] = failed ? 1.0 : 0.0;
  PetscCall(WeftLossTerms(t->loss, &t->terms, beside + 2));
  if (!t->deterministic) PetscCall(WeftReductionBegin(t->reduction, beside));
  if (t->count && !failed && !skip) PetscCall(WeftRolloutReverse(t->rollout, NULL, bar));
  if (t->deterministic) {
    PetscCall(WeftFixedAddLosses(t, failed ? 0 : t->count));
    PetscCall(WeftFixedReduce(t, failed, loss, gradient));
    PetscCall(PetscArraycpy(t->term_value, beside + 2, t->terms));
    if (t->terms > 1) PetscCall(WeftReduce(t->term_value, (PetscMPIInt)t->terms, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD)); /* for the table: up to rounding */
    PetscFunctionReturn(0);
  }
  PetscCall(WeftReductionEnd(t->reduction, &sums));
  if (sums[t->parameters + 1] > 0.0) return WeftTrainerFail();
  PetscCall(PetscArraycpy(gradient, sums, t->parameters));
  PetscCall(PetscArraycpy(t->term_value, sums + t->parameters + 2, t->terms));
  *loss = sums[t->parameters];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerGradient(WeftTrainer t, PetscInt k, PetscReal *loss, double gradient[], const WeftState initial_bar[])
{
  PetscFunctionBegin;
  PetscCall(WeftTrainerLoad(t, k));
  PetscCall(WeftTrainerDifferentiate(t, loss, gradient, initial_bar));
  PetscFunctionReturn(0);
}

/* Losses of the windows [0, count) of a batch; the others of this replica are filled with the first one and left out. */
static PetscErrorCode ValidateBatch(WeftTrainer t, PetscInt count, PetscReal *loss)
{
  const PetscInt mine = PetscMin(PetscMax(count - t->first, 0), t->count);
  PetscReal      part;

  PetscFunctionBegin;
  for (PetscInt s = count; s < t->batch; s++) t->window[s] = t->window[0];
  for (PetscInt s = 0; s < t->count; s++) t->factor[s] = 1.0;
  if (!mine) PetscFunctionReturn(0);
  PetscCall(LoadWindows(t, t->window));
  PetscCall(WeftTrainerPartOfLoss(t, &part));
  for (PetscInt s = 0; s < mine; s++) *loss += t->losses[s];
  if (t->deterministic) PetscCall(WeftFixedAddLosses(t, mine));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainerValidate(WeftTrainer t, PetscReal *loss)
{
  PetscInt  count, all = 0;
  PetscReal sums[2] = {0.0, 0.0}; /* loss; failed ranks */
  PetscBool failed  = PETSC_FALSE;

  PetscFunctionBegin;
  if (t->deterministic) PetscCall(WeftFixedBegin(t));
  PetscCall(WeftNetSetTraining(t->hybrid.net, MPI_COMM_NULL)); /* as in use */
  do {
    PetscCall(WeftBatchesValidation(t->batches, all, t->batch, t->window, &count));
    if (count && !failed) PetscCall(WeftTrainerKeepFault(ValidateBatch(t, count, &sums[0]), &failed));
    all += count;
  } while (count);
  PetscCall(WeftNetSetTraining(t->hybrid.net, t->statistics));
  if (t->deterministic) PetscCall(WeftFixedReduce(t, failed, &sums[0], NULL));
  else {
    sums[1] = failed ? 1.0 : 0.0;
    PetscCall(WeftReduce(sums, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    if (sums[1] > 0.0) return WeftTrainerFail();
  }
  *loss = all ? sums[0] * (PetscReal)t->batch / (PetscReal)all : 0.0; /* of an update */
  PetscFunctionReturn(0);
}

double *WeftTrainerWeights(WeftTrainer t) { return (double *)WeftStateDataWrite(t->input[t->weights_at]); }

PetscErrorCode WeftTrainerDestroy(WeftTrainer *trainer)
{
  WeftTrainer t = *trainer;

  PetscFunctionBegin;
  *trainer = NULL;
  if (!t) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < t->inputs; i++) PetscCall(WeftStateDestroy(&t->input[i]));
  for (PetscInt n = 0; n < t->unroll; n++) PetscCall(WeftStateDestroy(&t->target[n]));
  for (PetscInt n = 0; n < t->unroll && t->time; n++) PetscCall(WeftStateDestroy(&t->time[n]));
  PetscCall(PetscFree(t->time));
  PetscCall(PetscFree(t->target));
  PetscCall(PetscFree2(t->window, t->next));
  PetscCall(PetscFree2(t->losses, t->factor));
  PetscCall(PetscFree(t->integers));
  PetscCall(WeftReductionDestroy(&t->reduction));
  PetscCall(WeftStateDestroy(&t->gradient));
  PetscCall(WeftRolloutDestroy(&t->rollout));
  PetscCall(WeftOpDestroy(&t->loss));
  PetscCall(WeftModelDestroy(&t->solver));
  PetscCall(WeftStateDestroy(&t->noise_state));
  PetscCall(WeftFreeStringList(&t->term, t->terms));
  PetscCall(PetscFree(t->term_value));
  PetscCall(PetscFree(t->step_weight));
  PetscCall(WeftHybridDestroy(&t->hybrid));
  PetscCall(WeftBatchesDestroy(&t->batches));
  PetscCall(WeftSpaceDestroy(&t->velocity));
  PetscCall(WeftGridDestroy(&t->grid));
  PetscCall(WeftTeamDestroy(&t->team));
  PetscCall(PetscFree(t));
  PetscFunctionReturn(0);
}
