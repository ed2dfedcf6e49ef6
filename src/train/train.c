/* The verb train: updates, metrics, checkpoints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "train/checkpoint.h"
#include "train/flow.h"
#include "train/points.h"

typedef struct {
  WeftTrainer   trainer;
  WeftOptimizer optimizer;
  PetscInt      updates, first, every; /* first: update at which this run starts */
  double       *gradient, *update_seconds;
  PetscReal     loss, norm, epoch_loss; /* epoch_loss: sum over the updates of this epoch, as far as this run made them */
  WeftTrainingRecord record;
  WeftStopTimes stop; /* work: from one update to the next, but for checkpoints */
  char          folder[PETSC_MAX_PATH_LEN];
  FILE         *table; /* rank 0 */
} Training;

static PetscErrorCode InFolder(const Training *t, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", t->folder, name));
  PetscFunctionReturn(0);
}

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

/* With several terms of the loss, a column for each. */
static PetscErrorCode OpenTable(Training *t)
{
  char heading[1024] = "update,loss,gradient_norm,seconds", path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < t->trainer->terms && t->trainer->terms > 1; i++) {
    PetscCall(PetscStrlcat(heading, ",", sizeof(heading)));
    PetscCall(PetscStrlcat(heading, t->trainer->term[i], sizeof(heading)));
  }
  PetscCall(InFolder(t, "train.csv", path));
  PetscCall(WeftTableOpen(path, heading, t->first, &t->table));
  PetscFunctionReturn(0);
}

static int CompareReals(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static PetscReal Median(PetscInt n, double values[])
{
  qsort(values, (size_t)n, sizeof(double), CompareReals);
  return n ? 0.5 * (values[(n - 1) / 2] + values[n / 2]) : 0.0;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

/* A gradient that is not finite: the norms of the adjoint say at which step it was lost, a second sweep in which operator. */
static PetscErrorCode FailGradient(const Training *t, PetscInt k)
{
  const PetscReal *norms;
  PetscInt         step = 0;
  char             where[512];

  PetscFunctionBegin;
  PetscCall(WeftRolloutAdjointNorms(t->trainer->rollout, &norms));
  for (PetscInt n = 1; n <= t->trainer->unroll; n++)
    if (PetscIsInfOrNanReal(norms[n])) step = n;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &step, 1, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(WeftTrainerSearchAdjoint(t->trainer, where));
  if (step) return WeftFail(PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the adjoint is not finite at step %" PetscInt_FMT " of %" PetscInt_FMT "%s%s; lower optimizer_rate, set optimizer_clip or unroll fewer steps", k, step, t->trainer->unroll, where[0] ? ": " : "", where);
  return WeftFail(PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the gradient of the weights is not finite%s%s; lower optimizer_rate or set optimizer_clip", k, where[0] ? ": " : "", where);
}

static PetscErrorCode Update(Training *t, PetscInt k)
{
  const double begin   = MPI_Wtime();
  PetscInt     skipped = 0;

  PetscFunctionBegin;
  PetscCall(WeftTrainerGradient(t->trainer, k, &t->loss, t->gradient, NULL));
  if (t->trainer->skip) PetscCall(WeftTrainerSkipped(t->trainer, k, &skipped));
  if (PetscIsInfOrNanReal(t->loss)) PetscCall(FailGradient(t, k));
  /* no sample, no step: Adam would move on its mean */
  if (skipped < t->trainer->batch) PetscCall(WeftOptimizerStep(t->optimizer, k, t->gradient, WeftTrainerWeights(t->trainer), &t->norm));
  PetscCall(WeftTrainerFollow(t->trainer));
  if (PetscIsInfOrNanReal(t->norm)) PetscCall(FailGradient(t, k));
  t->record.skipped += (PetscReal)skipped;
  t->record.update                  = k + 1;
  t->record.recent[k % WEFT_RECENT] = t->loss;
  t->update_seconds[k - t->first]   = MPI_Wtime() - begin;
  t->epoch_loss += t->loss;
  if (!t->table) PetscFunctionReturn(0);
  fprintf(t->table, "%d,%.9g,%.6g,%.6g", (int)(k + 1), (double)t->loss, (double)t->norm, t->update_seconds[k - t->first]);
  for (PetscInt i = 0; i < t->trainer->terms && t->trainer->terms > 1; i++) fprintf(t->table, ",%.9g", (double)t->trainer->term_value[i]);
  fprintf(t->table, "\n");
  PetscFunctionReturn(0);
}

/* The loss of the held-out frames after an epoch; *best: the lowest so far. Without any, the loss of the training is taken where a
   checkpoint is due anyway. */
static PetscErrorCode Validate(Training *t, PetscInt per_epoch, PetscBool due, PetscBool *best)
{
  WeftTrainingRecord *r     = &t->record;
  const PetscBool     epoch = r->update % per_epoch == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscReal           loss  = WeftTrainingLoss(r);

  PetscFunctionBegin;
  *best = PETSC_FALSE;
  if (t->trainer->validation > 0.0 ? !epoch : !due) PetscFunctionReturn(0);
  if (t->trainer->validation > 0.0) {
    PetscCall(WeftTrainerValidate(t->trainer, &loss));
    r->validation = loss;
    PetscCall(WeftLog("epoch %" PetscInt_FMT ": loss %.6g, validation loss %.6g", r->update / per_epoch, (double)(t->epoch_loss / (PetscReal)PetscMin(per_epoch, r->update - t->first)), (double)loss));
  }
  *best = loss < r->best ? PETSC_TRUE : PETSC_FALSE;
  if (*best) r->best = loss;
  PetscFunctionReturn(0);
}

static PetscErrorCode Save(Training *t, PetscBool best)
{
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  if (t->table) fflush(t->table); /* no rows are missing before the checkpoint */
  PetscCall(WeftTrainingSave(t->trainer, t->optimizer, &t->record, t->folder, best));
  t->stop.file = PetscMax(t->stop.file, MPI_Wtime() - begin);
  PetscFunctionReturn(0);
}

static PetscErrorCode Loop(Training *t)
{
  const PetscInt per_epoch = WeftBatchesPerEpoch(t->trainer->batches), every = t->every ? t->every : per_epoch;
  PetscBool      stop      = PETSC_FALSE;
  WeftProgress   progress;

  PetscFunctionBegin;
  if (!t->first && t->trainer->validation > 0.0) {
    PetscCall(WeftTrainerValidate(t->trainer, &t->record.validation));
    PetscCall(WeftLog("before training: validation loss %.6g", (double)t->record.validation));
  }
  PetscCall(WeftProgressCreate(t->trainer->supervised ? "train (pairs)" : "train", t->updates - t->first, &progress));
  PetscCall(WeftCostBegin("update"));
  for (PetscInt k = t->first; k < t->updates && !stop; k++) {
    const double    begin = MPI_Wtime();
    const PetscBool due   = (k + 1) % every == 0 || k + 1 == t->updates ? PETSC_TRUE : PETSC_FALSE;
    PetscBool       best, untimed;
    PetscCall(Update(t, k));
    PetscCall(WeftProgressUpdate(progress, k + 1 - t->first, "epoch %.2f  loss %.4g  |gradient| %.3g", (double)(k + 1) / (double)per_epoch, (double)WeftTrainingLoss(&t->record), (double)t->norm));
    PetscCall(Validate(t, per_epoch, due, &best));
    if ((k + 1) % per_epoch == 0) t->epoch_loss = 0.0;
    t->stop.work = PetscMax(t->stop.work, MPI_Wtime() - begin);
    PetscCall(WeftStopMustTime(&t->stop, &untimed));
    if (due || best || untimed) PetscCall(Save(t, best));
    if (k + 1 == t->updates) break;
    PetscCall(WeftStopAgree(&t->stop, 1, &stop));
    if (stop && !due && !best && !untimed) PetscCall(Save(t, PETSC_FALSE));
  }
  PetscCall(WeftCostEnd(t->record.update - t->first));
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

static PetscErrorCode Report(Training *t, double wall)
{
  const PetscInt n = t->record.update - t->first;
  char           path[PETSC_MAX_PATH_LEN];
  size_t         predicted, measured;
  WeftSummary    summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("train", &summary));
  PetscCall(WeftSummaryInt(summary, "updates", t->record.update));
  PetscCall(WeftSummaryReal(summary, "loss", WeftTrainingLoss(&t->record)));
  if (t->trainer->validation > 0.0) PetscCall(WeftSummaryReal(summary, "validation_loss", t->record.validation));
  if (t->trainer->skip) PetscCall(WeftSummaryInt(summary, "skipped_samples", (PetscInt64)t->record.skipped));
  PetscCall(WeftSummaryReal(summary, "seconds_per_update", Median(n, t->update_seconds)));
  PetscCall(WeftSummaryReal(summary, "seconds_training", wall));
  PetscCall(WeftSummaryInt(summary, "parameters", t->trainer->parameters));
  PetscCall(WeftSummaryInt(summary, "replicas", t->trainer->info.replicas));
  PetscCall(WeftSummaryInt(summary, "space", t->trainer->info.space_size));
  PetscCall(WeftRolloutMemory(t->trainer->rollout, &predicted, &measured));
  PetscCall(WeftSummaryInt(summary, "tape_bytes_predicted", (PetscInt64)predicted));
  PetscCall(WeftSummaryInt(summary, "tape_bytes_measured", (PetscInt64)measured));
  PetscCall(InFolder(t, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(InFolder(t, "weights.h5", path));
  PetscCall(WeftLog("%d updates, loss %.4g; weights in %s", (int)t->record.update, (double)WeftTrainingLoss(&t->record), path));
  PetscFunctionReturn(0);
}

static PetscErrorCode Announce(const Training *t)
{
  const WeftTrainer r = t->trainer;
  size_t            predicted, measured, bytes;
  PetscInt          resident, frames;

  PetscFunctionBegin;
  PetscCall(WeftRolloutMemory(r->rollout, &predicted, &measured));
  WeftBatchesMemory(r->batches, &resident, &frames, &bytes);
  if (resident < frames) PetscCall(WeftLog("%d of %d frames in memory, %.1f MB a rank with those that come next; the others on disk", (int)resident, (int)frames, 1e-6 * (double)bytes));
  PetscCall(WeftLog("%d parameters, %d updates of %d samples x %d steps, %d an epoch; team %d x %d (replicas x space), kernels %s, tape %.1f MB a rank (predicted %.1f)", (int)r->parameters, (int)t->updates, (int)r->batch, (int)r->unroll, (int)WeftBatchesPerEpoch(r->batches), (int)r->info.replicas, (int)r->info.space_size, WeftKernelsName(), 1e-6 * (double)measured, 1e-6 * (double)predicted));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(Training *t)
{
  PetscInt epochs, keep;
  double   begin;

  PetscFunctionBegin;
  WeftStopListen();
  PetscCall(WeftTimeLimit(&begin));
  PetscCall(WeftGetInt("train_epochs", &epochs));
  PetscCall(WeftGetInt("train_updates", &t->updates));
  PetscCall(WeftGetInt("train_checkpoint_every", &t->every));
  if (epochs < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_epochs", "at least 1 epoch");
  if (t->updates < 0) return WeftFailKey(PETSC_COMM_WORLD, "train_updates", "cannot be negative; 0: as many as train_epochs need");
  PetscCall(WeftGetInt("train_checkpoint_keep", &keep));
  if (keep < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_checkpoint_keep", "at least the last checkpoint is kept");
  if (t->every < 0) return WeftFailKey(PETSC_COMM_WORLD, "train_checkpoint_every", "cannot be negative; 0: at every epoch");
  if (!t->updates) t->updates = epochs * WeftBatchesPerEpoch(t->trainer->batches);
  PetscCall(WeftOptimizerCreateFromKeys(t->trainer->parameters, t->updates, &t->optimizer));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("train", t->folder, sizeof(t->folder)));
  t->record.best = PETSC_MAX_REAL;
  PetscCall(WeftTrainingResume(t->trainer, t->optimizer, t->folder, &t->record));
  t->first = t->record.update;
  WeftCheck(t->first <= t->updates, PETSC_COMM_WORLD, "the training to resume has done %" PetscInt_FMT " updates already, more than the %" PetscInt_FMT " asked for; raise train_epochs or train_updates", t->first, t->updates);
  PetscCall(OpenTable(t));
  PetscCall(PetscMalloc2(t->trainer->parameters, &t->gradient, PetscMax(t->updates - t->first, 1), &t->update_seconds));
  PetscCall(Announce(t));
  begin = MPI_Wtime();
  PetscCall(Loop(t));
  PetscCall(Report(t, MPI_Wtime() - begin));
  if (t->table) fclose(t->table);
  PetscCall(PetscFree2(t->gradient, t->update_seconds));
  PetscCall(WeftOptimizerDestroy(&t->optimizer));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrain(void)
{
  Training t;
  PetscInt mode;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("train_mode", &mode));
  if (mode == 2) PetscFunctionReturn(WeftTrainPoints());
  PetscCall(PetscMemzero(&t, sizeof(t)));
  PetscCall(WeftTrainerCreate(&t.trainer));
  PetscCall(Run(&t));
  PetscCall(WeftTrainerDestroy(&t.trainer));
  PetscFunctionReturn(0);
}
