/* Checkpoints of a training: one file with all that its continuation depends on. The state is the same on every rank, so rank 0
   writes it, whatever the layout; all ranks learn of a fault. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "train/checkpoint.h"

#define OPENING "checkpoint_"
#define ROOM    PETSC_MAX_PATH_LEN

PetscReal WeftTrainingLoss(const WeftTrainingRecord *record)
{
  const PetscInt n   = PetscMin(WEFT_RECENT, record->update);
  PetscReal      sum = 0.0;

  for (PetscInt i = 1; i <= n; i++) sum += record->recent[(record->update - i) % WEFT_RECENT] / (PetscReal)n;
  return sum;
}

/* ---- what is in it -------------------------------------------------------------------------------------------------- */

static PetscErrorCode SetNumber(WeftArrays arrays, const char *name, PetscReal value)
{
  const PetscInt one    = 1;
  const double   number = value;

  PetscFunctionBegin;
  PetscCall(WeftArraysSet(arrays, name, 1, &one, &number));
  PetscFunctionReturn(0);
}

/* The windows of update k, as simulation and frame: they stand for the order of the data. */
static PetscErrorCode NextWindows(WeftTrainer t, PetscInt k, double **windows)
{
  PetscFunctionBegin;
  PetscCall(WeftBatchesDraw(t->batches, k, t->window));
  PetscCall(PetscMalloc1(2 * t->batch, windows));
  for (PetscInt s = 0; s < t->batch; s++) {
    (*windows)[2 * s]     = (double)t->window[s].simulation;
    (*windows)[2 * s + 1] = (double)t->window[s].frame;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Fill(WeftTrainer t, WeftOptimizer optimizer, const WeftTrainingRecord *record, WeftArrays arrays)
{
  const PetscInt recent = WEFT_RECENT, per_epoch = WeftBatchesPerEpoch(t->batches), shape[] = {t->batch, 2};
  PetscInt       seed;
  double        *windows;
  char          *settings;

  PetscFunctionBegin;
  PetscCall(WeftOptimizerSave(optimizer, arrays));
  PetscCall(SetNumber(arrays, "/update", (PetscReal)record->update));
  /* random numbers are keyed by seed, stream and update: these two are the whole state of the generator */
  PetscCall(WeftGetInt("seed", &seed));
  PetscCall(SetNumber(arrays, "/seed", (PetscReal)seed));
  PetscCall(SetNumber(arrays, "/order/epoch", (PetscReal)(record->update / per_epoch)));
  PetscCall(SetNumber(arrays, "/order/update_of_epoch", (PetscReal)(record->update % per_epoch)));
  PetscCall(NextWindows(t, record->update, &windows));
  PetscCall(WeftArraysSet(arrays, "/order/next_windows", 2, shape, windows));
  PetscCall(PetscFree(windows));
  PetscCall(WeftArraysSet(arrays, "/statistics/recent_losses", 1, &recent, record->recent));
  PetscCall(SetNumber(arrays, "/statistics/validation_loss", record->validation));
  PetscCall(SetNumber(arrays, "/statistics/best_loss", record->best));
  PetscCall(SetNumber(arrays, "/statistics/skipped_samples", record->skipped));
  PetscCall(WeftSettings(&settings));
  PetscCall(WeftArraysSetString(arrays, "settings", settings));
  PetscCall(PetscFree(settings));
  PetscFunctionReturn(0);
}

/* ---- the files of a folder ------------------------------------------------------------------------------------------ */

/* Update of "checkpoint_00000012.h5", or of its .part file; -1: another file. */
static PetscInt UpdateOf(const char *name, PetscBool *part)
{
  char      *end;
  const long update = strncmp(name, OPENING, sizeof(OPENING) - 1) ? -1 : strtol(name + sizeof(OPENING) - 1, &end, 10);

  *part = PETSC_FALSE;
  if (update < 0 || update >= PETSC_MAX_INT) return -1;
  *part = strcmp(end, ".part.h5") ? PETSC_FALSE : PETSC_TRUE;
  return *part || !strcmp(end, ".h5") ? (PetscInt)update : -1;
}

static int Falling(const void *a, const void *b)
{
  const PetscInt x = *(const PetscInt *)a, y = *(const PetscInt *)b;
  return (x < y) - (x > y);
}

static PetscErrorCode NameOf(const char *folder, PetscInt update, char path[ROOM])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, ROOM, "%s/" OPENING "%08" PetscInt_FMT ".h5", folder, update));
  PetscFunctionReturn(0);
}

/* Updates of the checkpoints in the folder, last first. Rank 0 alone. */
static PetscErrorCode List(const char *folder, PetscInt *count, PetscInt **updates)
{
  DIR           *list = opendir(folder);
  struct dirent *entry;
  PetscBool      part;
  PetscInt       room = 0;

  PetscFunctionBegin;
  *count   = 0;
  *updates = NULL;
  while (list && (entry = readdir(list))) {
    const PetscInt update = UpdateOf(entry->d_name, &part);
    if (update < 0 || part) continue;
    if (*count == room) PetscCall(PetscRealloc(sizeof(PetscInt) * (size_t)(room = 2 * room + 16), updates));
    (*updates)[(*count)++] = update;
  }
  if (list) closedir(list);
  if (*count) qsort(*updates, (size_t)*count, sizeof(PetscInt), Falling);
  PetscFunctionReturn(0);
}

/* Rank 0 alone. */
static PetscErrorCode Prune(const char *folder, PetscInt update, PetscInt keep)
{
  char           path[ROOM];
  PetscInt       count, *updates, kept = 0;
  DIR           *list;
  struct dirent *entry;
  PetscBool      part;

  PetscFunctionBegin;
  PetscCall(List(folder, &count, &updates));
  for (PetscInt i = 0; i < count; i++) {
    if (updates[i] <= update && kept++ < keep) continue;
    PetscCall(NameOf(folder, updates[i], path));
    unlink(path);
  }
  PetscCall(PetscFree(updates));
  list = opendir(folder);
  while (list && (entry = readdir(list))) { /* what killed runs left */
    if (UpdateOf(entry->d_name, &part) < 0 || !part) continue;
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", folder, entry->d_name));
    unlink(path);
  }
  if (list) closedir(list);
  PetscFunctionReturn(0);
}

/* Gives a written file a second name, or writes it again where the file system has no hard links. */
static PetscErrorCode AlsoAs(WeftArrays arrays, const char *path, const char *folder, const char *name)
{
  char        other[ROOM], part[ROOM];
  PetscMPIInt linked = 0;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(other, sizeof(other), "%s/%s.h5", folder, name));
  PetscCall(PetscSNPrintf(part, sizeof(part), "%s/%s.part.h5", folder, name));
  if (!PetscGlobalRank) {
    unlink(part);
    linked = !link(path, part) && !rename(part, other);
    if (!linked) unlink(part); /* writing through it would spoil the file that it names too */
  }
  PetscCallMPI(MPI_Bcast(&linked, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (!linked) PetscCall(WeftArraysWrite(arrays, other));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainingSave(WeftTrainer t, WeftOptimizer optimizer, const WeftTrainingRecord *record, const char *folder, PetscBool best)
{
  char       path[ROOM];
  PetscInt   keep;
  WeftArrays arrays;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("train_checkpoint_keep", &keep));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftWeightsSet(arrays, WeftSpaceGetInfo(t->velocity)->fields, t->hybrid.net, &t->scales, WeftTrainerWeights(t)));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/weights.safetensors", folder));
  PetscCall(WeftArraysWriteSafetensors(arrays, path));
  PetscCall(Fill(t, optimizer, record, arrays));
  PetscCall(NameOf(folder, record->update, path));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(AlsoAs(arrays, path, folder, "weights"));
  if (best) PetscCall(AlsoAs(arrays, path, folder, "best"));
  if (!PetscGlobalRank) PetscCall(Prune(folder, record->update, keep));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

/* ---- resume --------------------------------------------------------------------------------------------------------- */

/* The last checkpoint that can be read: files may be damaged, by a disk or by hand. *arrays NULL: there is none at all. */
static PetscErrorCode ReadLast(const char *folder, char path[ROOM], WeftArrays *arrays)
{
  PetscInt  count = 0, *updates = NULL;
  char      reason[1024] = "";
  PetscBool there        = PETSC_FALSE;

  PetscFunctionBegin;
  *arrays = NULL;
  if (!PetscGlobalRank) PetscCall(List(folder, &count, &updates));
  PetscCallMPI(MPI_Bcast(&count, 1, MPIU_INT, 0, PETSC_COMM_WORLD));
  if (PetscGlobalRank) PetscCall(PetscMalloc1(count, &updates));
  PetscCallMPI(MPI_Bcast(updates, (PetscMPIInt)count, MPIU_INT, 0, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < count && !*arrays; i++) {
    PetscCall(NameOf(folder, updates[i], path));
    PetscCall(WeftArraysTry(path, arrays, reason, sizeof(reason)));
    if (!*arrays) PetscCall(WeftWarn("%s; looking for the checkpoint before it", reason));
  }
  PetscCall(PetscFree(updates));
  if (*arrays) PetscFunctionReturn(0);
  PetscCall(PetscSNPrintf(path, ROOM, "%s/weights.h5", folder));
  if (!PetscGlobalRank) there = access(path, F_OK) ? PETSC_FALSE : PETSC_TRUE;
  PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
  if (there) PetscCall(WeftArraysRead(path, arrays));
  else WeftCheck(!count, PETSC_COMM_WORLD, "none of the checkpoints in %s can be read; remove them to start anew, or choose another folder with -output", folder);
  PetscFunctionReturn(0);
}

static PetscErrorCode GetNumber(WeftArrays arrays, const char *name, PetscReal *value)
{
  const double *number;

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(arrays, name, NULL, &number));
  if (number) *value = number[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode GetRecord(WeftArrays arrays, const char *path, WeftTrainingRecord *record)
{
  const double *recent;
  PetscReal     update = -1.0;
  PetscInt      count;

  PetscFunctionBegin;
  PetscCall(GetNumber(arrays, "/update", &update));
  WeftCheck(update >= 0.0 && update <= (PetscReal)PETSC_MAX_INT, PETSC_COMM_WORLD, "%s does not say at which update it stands (/update): it is no checkpoint of a training", path);
  record->update = (PetscInt)update;
  PetscCall(WeftArraysGet(arrays, "/statistics/recent_losses", &count, &recent));
  if (recent && count == WEFT_RECENT) PetscCall(PetscArraycpy(record->recent, recent, WEFT_RECENT));
  PetscCall(GetNumber(arrays, "/statistics/validation_loss", &record->validation));
  PetscCall(GetNumber(arrays, "/statistics/best_loss", &record->best));
  PetscCall(GetNumber(arrays, "/statistics/skipped_samples", &record->skipped));
  PetscFunctionReturn(0);
}

/* Other settings and other data are allowed (a longer unroll from trained weights), but said. */
static PetscErrorCode Compare(WeftTrainer t, WeftArrays arrays, const char *path, PetscInt update)
{
  static const char *const free_to_change[] = {"help", "output", "deterministic", "time_limit", "team_", "tape_", "grid_ranks", "grid_halo", "train_updates", "train_epochs", "train_resume", "train_checkpoint", "train_dataset", "check_", "rollout_", "simulate_", "dataset_", NULL};
  const char  *settings;
  char         differences[1024] = "";
  const double *theirs;
  double       *mine;
  PetscInt      count;
  PetscBool     same = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(WeftArraysGetString(arrays, "settings", &settings));
  if (settings) PetscCall(WeftSettingsCompare(settings, free_to_change, differences, sizeof(differences)));
  if (differences[0]) PetscCall(WeftWarn("%s was written with other settings: %s", path, differences));
  PetscCall(WeftArraysGet(arrays, "/order/next_windows", &count, &theirs));
  if (!theirs) PetscFunctionReturn(0);
  PetscCall(NextWindows(t, update, &mine));
  if (count != 2 * t->batch) same = PETSC_FALSE;
  for (PetscInt i = 0; same && i < count; i++) same = mine[i] == theirs[i] ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree(mine));
  if (!same) PetscCall(WeftWarn("update %" PetscInt_FMT " takes other samples than the training of %s would have taken: seed, batch, unroll, validation or dataset are others, this is a new training from its weights", update, path));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrainingResume(WeftTrainer t, WeftOptimizer optimizer, const char *folder, WeftTrainingRecord *record)
{
  const PetscInt fields = WeftSpaceGetInfo(t->velocity)->fields;
  char           path[ROOM];
  PetscBool      automatic;
  WeftArrays     arrays;
  WeftScales     scales;

  PetscFunctionBegin;
  PetscCall(WeftGetString("train_resume", path, sizeof(path)));
  if (!path[0]) PetscFunctionReturn(0);
  PetscCall(PetscStrcmp(path, "auto", &automatic));
  if (automatic) PetscCall(ReadLast(folder, path, &arrays));
  else PetscCall(WeftArraysRead(path, &arrays));
  if (!arrays) PetscFunctionReturn(0);
  PetscCall(WeftWeightsGet(arrays, path, t->hybrid.net, WeftTrainerWeights(t)));
  PetscCall(WeftWeightsGetScales(arrays, path, fields, &scales));
  WeftCheck(!memcmp(scales.velocity, t->scales.velocity, sizeof(PetscReal) * (size_t)fields) && !memcmp(scales.mean, t->scales.mean, sizeof(scales.mean)) && scales.reynolds == t->scales.reynolds, PETSC_COMM_WORLD, "%s was trained on another dataset: its /scales differ; give that dataset as train_dataset", path);
  PetscCall(WeftOptimizerLoad(optimizer, arrays));
  PetscCall(GetRecord(arrays, path, record));
  PetscCall(Compare(t, arrays, path, record->update));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(WeftLog("resuming at update %" PetscInt_FMT " from %s", record->update, path));
  PetscFunctionReturn(0);
}
