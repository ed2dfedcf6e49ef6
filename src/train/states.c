/* States of running simulations on the disk, for runs that go on: a file for each simulation, and a note of the step at which all of
   them are whole. The note is renamed into place last, so that whatever moment a run is killed at, an earlier step is whole. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "train/flow.h"

#define ROOM PETSC_MAX_PATH_LEN

static void StateName(const char *folder, PetscInt simulation, PetscInt step, const char *ending, char path[ROOM])
{
  snprintf(path, ROOM, "%s/state_%d_%08d%s", folder, (int)simulation, (int)step, ending);
}

/* The note: its step, then the settings of the run. */
static PetscErrorCode WriteNote(const char *folder, PetscInt step)
{
  char      part[ROOM], path[ROOM], *settings;
  PetscBool failed = PETSC_FALSE;

  PetscFunctionBegin;
  snprintf(part, sizeof(part), "%s/state.part.txt", folder);
  snprintf(path, sizeof(path), "%s/state.txt", folder);
  PetscCall(WeftSettings(&settings));
  if (!PetscGlobalRank) {
    FILE *file = fopen(part, "w");
    failed     = !file || fprintf(file, "step %d\n%s", (int)step, settings) < 0 || fflush(file) || fsync(fileno(file)) ? PETSC_TRUE : PETSC_FALSE;
    if (file && fclose(file)) failed = PETSC_TRUE;
    failed = failed || rename(part, path) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(PetscFree(settings));
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s cannot be written: is the disk full?", path));
  PetscFunctionReturn(0);
}

/* Removes the files of other steps (step -1: all, and the note). Rank 0. */
static void RemoveOthers(const char *folder, PetscInt step)
{
  char           keep[32], path[ROOM];
  DIR           *list = opendir(folder);
  struct dirent *entry;

  snprintf(keep, sizeof(keep), "_%08d.", (int)step);
  while (list && (entry = readdir(list))) {
    const size_t length = strspn(entry->d_name, "state_0123456789");
    if (strncmp(entry->d_name, "state", 5) || entry->d_name[length] != '.') continue;
    if (step >= 0 && (strstr(entry->d_name, keep) || !strcmp(entry->d_name, "state.txt"))) continue;
    if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path)) unlink(path);
  }
  if (list) closedir(list);
}

PetscErrorCode WeftStatesSave(WeftGrid grid, const char *folder, PetscInt first, PetscInt count, PetscInt step, PetscReal time, PetscInt states, const WeftState state[])
{
  PetscFunctionBegin;
  for (PetscInt s = 0; s < count; s++) {
    char       path[ROOM];
    WeftSeries series;
    StateName(folder, first + s, step, "", path);
    PetscCall(WeftSeriesCreate(grid, path, &series));
    PetscCall(WeftSeriesWrite(series, time, states, state, s));
    PetscCall(WeftSeriesDestroy(&series));
  }
  PetscCall(WeftAgreeNotes(PETSC_COMM_WORLD)); /* every replica is through */
  PetscCall(WriteNote(folder, step));
  if (!PetscGlobalRank) RemoveOthers(folder, step);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesFind(const char *folder, PetscInt *step)
{
  static const char *const free_to_change[] = {"help", "output", "time_limit", "team_", "grid_ranks", "grid_halo", "grid_granularity", "simulate_", "dataset_resume", "dataset_checkpoint", "tape_", "check_", "rollout_", "train_", "optimizer_", "net_", NULL};
  char        text[16384] = "", path[ROOM], differences[1024] = "";
  PetscMPIInt bytes       = 0;

  PetscFunctionBegin;
  *step = -1;
  snprintf(path, sizeof(path), "%s/state.txt", folder);
  if (!PetscGlobalRank) {
    FILE *file = fopen(path, "r");
    bytes      = file ? (PetscMPIInt)fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file) fclose(file);
  }
  PetscCallMPI(MPI_Bcast(&bytes, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Bcast(text, (int)sizeof(text), MPI_CHAR, 0, PETSC_COMM_WORLD));
  if (!bytes) PetscFunctionReturn(0);
  WeftCheck(!strncmp(text, "step ", 5) && strchr(text, '\n'), PETSC_COMM_WORLD, "%s is damaged: remove it to start anew", path);
  *step = (PetscInt)atol(text + 5);
  PetscCall(WeftSettingsCompare(strchr(text, '\n') + 1, free_to_change, differences, sizeof(differences)));
  WeftCheck(!differences[0], PETSC_COMM_WORLD, "%s belongs to a run with other settings: %s; take the same, or another folder with -output", path, differences);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesLoad(WeftGrid grid, const char *folder, PetscInt first, PetscInt count, PetscInt step, PetscInt states, const WeftState state[])
{
  MPI_Comm       comm;
  PetscErrorCode ierr = 0;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  for (PetscInt s = 0; s < count; s++) {
    char path[ROOM];
    StateName(folder, first + s, step, ".h5", path);
    for (PetscInt i = 0; i < states && !ierr; i++) ierr = WeftFieldsRead(comm, path, -1, state[i], s);
  }
  if (ierr != WEFT_ERR_USER) PetscCall(ierr);
  PetscCall(WeftAgree(PETSC_COMM_WORLD, ierr ? PETSC_TRUE : PETSC_FALSE, "the states of step %d in %s cannot be read; remove state.txt to start anew", (int)step, folder));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStatesRemove(const char *folder)
{
  PetscFunctionBegin;
  if (!PetscGlobalRank) RemoveOthers(folder, -1);
  PetscFunctionReturn(0);
}

/* ---- tables that go on --------------------------------------------------------------------------------------------- */

PetscErrorCode WeftTableOpen(const char *path, const char *heading, PetscInt rows, FILE **table)
{
  char      line[1024];
  PetscBool failed = PETSC_FALSE;

  PetscFunctionBegin;
  *table = NULL;
  if (!PetscGlobalRank) {
    long end = 0;
    *table   = fopen(path, rows ? "r+" : "w");
    if (!*table) *table = fopen(path, "w");
    while (*table && rows && fgets(line, sizeof(line), *table) && strchr(line, '\n') && atol(line) <= rows) end = ftell(*table); /* the heading counts as 0 */
    failed = !*table || fseek(*table, end, SEEK_SET) || ftruncate(fileno(*table), end) ? PETSC_TRUE : PETSC_FALSE;
    if (!failed) setvbuf(*table, NULL, _IOLBF, BUFSIZ); /* a run that is killed has the rows of all that it did */
    if (!failed && !end && heading) fprintf(*table, "%s\n", heading);
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s cannot be written; choose another folder with -output", path));
  PetscFunctionReturn(0);
}
