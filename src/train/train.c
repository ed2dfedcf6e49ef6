/* The verb train: updates, metrics, weights files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "train/points.h"
#include "train/trainer.h"

typedef struct {
  WeftTrainer   trainer;
  WeftOptimizer optimizer;
  PetscInt      updates, first, every, done; /* first: update at which this run starts */
  double       *gradient, *update_seconds, *recent;
  PetscReal     loss, norm, mean_loss, validation;
  char          folder[PETSC_MAX_PATH_LEN];
  FILE         *table; /* rank 0 */
} Training;

#define RECENT 100 /* updates in the loss that is shown */

static PetscErrorCode InFolder(const Training *t, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", t->folder, name));
  PetscFunctionReturn(0);
}

/* ---- weights files --------------------------------------------------------------------------------------------- */

static PetscErrorCode Save(Training *t)
{
  WeftTrainer    r    = t->trainer;
  const double   done = (double)t->done;
  const PetscInt one  = 1;
  char         path[PETSC_MAX_PATH_LEN];
  WeftArrays   arrays;

  PetscFunctionBegin;
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftWeightsSet(arrays, WeftGridLayout(r->grid)->dim, r->hybrid.net, &r->scales, WeftTrainerWeights(r)));
  PetscCall(InFolder(t, "weights.safetensors", path));
  PetscCall(WeftArraysWriteSafetensors(arrays, path));
  PetscCall(WeftOptimizerSave(t->optimizer, arrays));
  PetscCall(WeftArraysSet(arrays, "/update", 1, &one, &done));
  PetscCall(InFolder(t, "weights.h5", path));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  if (t->table) fflush(t->table);
  PetscFunctionReturn(0);
}

static PetscErrorCode Resume(Training *t)
{
  char          path[PETSC_MAX_PATH_LEN];
  PetscBool     automatic, there = PETSC_TRUE;
  const double *update;
  PetscInt      count;
  WeftArrays    arrays;
  WeftScales    scales;

  PetscFunctionBegin;
  PetscCall(WeftGetString("train_resume", path, sizeof(path)));
  if (!path[0]) PetscFunctionReturn(0);
  PetscCall(PetscStrcmp(path, "auto", &automatic));
  if (automatic) {
    PetscCall(InFolder(t, "weights.h5", path));
    if (!PetscGlobalRank) there = access(path, F_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
    PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
    if (!there) PetscFunctionReturn(0);
  }
  PetscCall(WeftArraysRead(path, &arrays));
  PetscCall(WeftWeightsGet(arrays, path, t->trainer->hybrid.net, WeftTrainerWeights(t->trainer)));
  PetscCall(WeftWeightsGetScales(arrays, path, WeftGridLayout(t->trainer->grid)->dim, &scales));
  WeftCheck(!memcmp(scales.velocity, t->trainer->scales.velocity, sizeof(PetscReal) * (size_t)WeftGridLayout(t->trainer->grid)->dim) && scales.reynolds == t->trainer->scales.reynolds, PETSC_COMM_WORLD, "%s was trained on another dataset: its /scales differ; give that dataset as train_dataset", path);
  PetscCall(WeftOptimizerLoad(t->optimizer, arrays));
  PetscCall(WeftArraysGet(arrays, "/update", &count, &update));
  WeftCheck(update, PETSC_COMM_WORLD, "%s does not say at which update it stands (/update): it is no checkpoint of a training", path);
  t->first = t->done = (PetscInt)update[0];
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(WeftLog("resuming at update %d of %d from %s", (int)t->first, (int)t->updates, path));
  PetscFunctionReturn(0);
}

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

/* train.csv: when resuming, the rows before the first update stay. */
static PetscErrorCode OpenTable(Training *t)
{
  char      path[PETSC_MAX_PATH_LEN], line[256];
  PetscBool failed = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(InFolder(t, "train.csv", path));
  if (!PetscGlobalRank) {
    long end = -1;
    t->table = fopen(path, t->first ? "r+" : "w");
    if (!t->table) t->table = fopen(path, "w");
    failed = t->table ? PETSC_FALSE : PETSC_TRUE;
    while (t->table && t->first && fgets(line, sizeof(line), t->table))
      if (atol(line) <= t->first) end = ftell(t->table); /* the heading counts as update 0 */
    if (t->table && end > 0) failed = fseek(t->table, end, SEEK_SET) || ftruncate(fileno(t->table), end) ? PETSC_TRUE : PETSC_FALSE;
    else if (t->table) {
      fprintf(t->table, "update,loss,gradient_norm,seconds");
      for (PetscInt i = 0; i < t->trainer->terms && t->trainer->terms > 1; i++) fprintf(t->table, ",%s", t->trainer->term[i]);
      fprintf(t->table, "\n");
    }
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s cannot be written", path));
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

/* A finite loss whose gradient is not: the norms of the adjoint say at which step it was lost. */
static PetscErrorCode FailGradient(const Training *t, PetscInt k)
{
  const PetscReal *norms;
  PetscInt         step = 0;

  PetscFunctionBegin;
  PetscCall(WeftRolloutAdjointNorms(t->trainer->rollout, &norms));
  for (PetscInt n = 1; n <= t->trainer->unroll; n++)
    if (!PetscIsNormalReal(norms[n]) && norms[n] != 0.0) step = n;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &step, 1, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
  if (step) return WeftFail(PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the adjoint is not finite at step %" PetscInt_FMT " of %" PetscInt_FMT "; lower optimizer_rate, set optimizer_clip or unroll fewer steps", k, step, t->trainer->unroll);
  return WeftFail(PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the gradient of the weights is not finite; lower optimizer_rate or set optimizer_clip", k);
}

static PetscErrorCode Update(Training *t, PetscInt k)
{
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  PetscCall(WeftTrainerGradient(t->trainer, k, &t->loss, t->gradient, NULL));
  WeftCheck(PetscIsNormalReal(t->loss) || t->loss == 0.0, PETSC_COMM_WORLD, "update %" PetscInt_FMT ": the loss is %g; lower optimizer_rate or set optimizer_clip", k, (double)t->loss);
  PetscCall(WeftOptimizerStep(t->optimizer, k, t->gradient, WeftTrainerWeights(t->trainer), &t->norm));
  if (!PetscIsNormalReal(t->norm) && t->norm != 0.0) PetscCall(FailGradient(t, k));
  t->done                         = k + 1;
  t->update_seconds[k - t->first] = MPI_Wtime() - begin;
  t->recent[k % RECENT]           = t->loss;
  if (!t->table) PetscFunctionReturn(0);
  fprintf(t->table, "%d,%.9g,%.6g,%.6g", (int)(k + 1), (double)t->loss, (double)t->norm, t->update_seconds[k - t->first]);
  for (PetscInt i = 0; i < t->trainer->terms && t->trainer->terms > 1; i++) fprintf(t->table, ",%.9g", (double)t->trainer->term_value[i]);
  fprintf(t->table, "\n");
  PetscFunctionReturn(0);
}

static PetscErrorCode Loop(Training *t)
{
  const PetscInt per_epoch = WeftBatchesPerEpoch(t->trainer->batches), every = t->every ? t->every : per_epoch;
  PetscReal      epoch_loss = 0.0;
  WeftProgress   progress;

  PetscFunctionBegin;
  if (!t->first && t->trainer->validation > 0.0) {
    PetscCall(WeftTrainerValidate(t->trainer, &t->validation));
    PetscCall(WeftLog("before training: validation loss %.6g", (double)t->validation));
  }
  PetscCall(WeftProgressCreate(t->trainer->supervised ? "train (pairs)" : "train", t->updates - t->first, &progress));
  PetscCall(WeftCostBegin("update"));
  for (PetscInt k = t->first; k < t->updates; k++) {
    PetscInt n;
    PetscCall(Update(t, k));
    epoch_loss += t->loss / (PetscReal)per_epoch;
    n            = PetscMin(RECENT, k + 1 - t->first);
    t->mean_loss = 0.0;
    for (PetscInt i = 0; i < n; i++) t->mean_loss += t->recent[(k - i) % RECENT] / (PetscReal)n;
    PetscCall(WeftProgressUpdate(progress, k + 1 - t->first, "epoch %.2f  loss %.4g  |gradient| %.3g", (double)(k + 1) / (double)per_epoch, (double)t->mean_loss, (double)t->norm));
    if ((k + 1) % per_epoch == 0 && t->trainer->validation > 0.0) {
      PetscCall(WeftTrainerValidate(t->trainer, &t->validation));
      PetscCall(WeftLog("epoch %d: loss %.6g, validation loss %.6g", (int)((k + 1) / per_epoch), (double)epoch_loss, (double)t->validation));
    }
    if ((k + 1) % per_epoch == 0) epoch_loss = 0.0;
    if ((k + 1) % every == 0 || k + 1 == t->updates) PetscCall(Save(t));
  }
  PetscCall(WeftCostEnd(t->updates - t->first));
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

static PetscErrorCode Report(Training *t, double wall)
{
  const PetscInt n = t->updates - t->first;
  char           path[PETSC_MAX_PATH_LEN];
  size_t         predicted, measured;
  WeftSummary    summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("train", &summary));
  PetscCall(WeftSummaryInt(summary, "updates", t->done));
  PetscCall(WeftSummaryReal(summary, "loss", t->mean_loss));
  if (t->trainer->validation > 0.0) PetscCall(WeftSummaryReal(summary, "validation_loss", t->validation));
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
  PetscCall(WeftLog("%d updates, loss %.4g; weights in %s", (int)t->done, (double)t->mean_loss, path));
  PetscFunctionReturn(0);
}

static PetscErrorCode Announce(const Training *t)
{
  const WeftTrainer r = t->trainer;
  size_t            predicted, measured;

  PetscFunctionBegin;
  PetscCall(WeftRolloutMemory(r->rollout, &predicted, &measured));
  PetscCall(WeftLog("%d parameters, %d updates of %d samples x %d steps, %d an epoch; team %d x %d (replicas x space), kernels %s, tape %.1f MB a rank (predicted %.1f)", (int)r->parameters, (int)t->updates, (int)r->batch, (int)r->unroll, (int)WeftBatchesPerEpoch(r->batches), (int)r->info.replicas, (int)r->info.space_size, WeftKernelsName(), 1e-6 * (double)measured, 1e-6 * (double)predicted));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(Training *t)
{
  PetscInt epochs;
  double   begin;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("train_epochs", &epochs));
  PetscCall(WeftGetInt("train_updates", &t->updates));
  PetscCall(WeftGetInt("train_checkpoint_every", &t->every));
  if (epochs < 1) return WeftFailKey(PETSC_COMM_WORLD, "train_epochs", "at least 1 epoch");
  if (t->updates < 0) return WeftFailKey(PETSC_COMM_WORLD, "train_updates", "cannot be negative; 0: as many as train_epochs need");
  if (t->every < 0) return WeftFailKey(PETSC_COMM_WORLD, "train_checkpoint_every", "cannot be negative; 0: at every epoch");
  if (!t->updates) t->updates = epochs * WeftBatchesPerEpoch(t->trainer->batches);
  PetscCall(WeftOptimizerCreateFromKeys(t->trainer->parameters, t->updates, &t->optimizer));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("train", t->folder, sizeof(t->folder)));
  PetscCall(Resume(t));
  WeftCheck(t->first <= t->updates, PETSC_COMM_WORLD, "the training to resume has done %" PetscInt_FMT " updates already, more than the %" PetscInt_FMT " asked for; raise train_epochs or train_updates", t->first, t->updates);
  PetscCall(OpenTable(t));
  PetscCall(PetscMalloc3(t->trainer->parameters, &t->gradient, PetscMax(t->updates - t->first, 1), &t->update_seconds, RECENT, &t->recent));
  PetscCall(Announce(t));
  begin = MPI_Wtime();
  PetscCall(Loop(t));
  PetscCall(Report(t, MPI_Wtime() - begin));
  if (t->table) fclose(t->table);
  PetscCall(PetscFree3(t->gradient, t->update_seconds, t->recent));
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
