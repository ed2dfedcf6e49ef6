/* What the summary of every run says, and the folder that holds it. */
#include "base/impl.h"
#include <errno.h>
#include <petsctime.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

PetscErrorCode WeftSummaryCreate(const char *verb, WeftSummary *summary)
{
  char        text[MPI_MAX_LIBRARY_VERSION_STRING];
  time_t      now = time(NULL);
  struct tm   utc;
  int         length;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCall(WeftSummaryNew(summary));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftSummaryString(*summary, "verb", verb));
  PetscCall(WeftSummaryString(*summary, "case", WeftCaseName()));
  PetscCall(WeftSummaryString(*summary, "case_file", WeftCaseFile));
  PetscCall(WeftSummaryInt(*summary, "ranks", size));
  gmtime_r(&now, &utc);
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  PetscCall(WeftSummaryString(*summary, "started", text));
  PetscCall(WeftSummaryString(*summary, "versions/weft", WEFT_VERSION));
  PetscCall(PetscGetVersion(text, sizeof(text)));
  PetscCall(WeftSummaryString(*summary, "versions/petsc", text));
  PetscCallMPI(MPI_Get_library_version(text, &length));
  text[strcspn(text, ",\n")] = 0; /* the rest names the build */
  PetscCall(WeftSummaryString(*summary, "versions/mpi", text));
  PetscCall(WeftSummaryString(*summary, "versions/blis_kernels", WeftBlisKernels()));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryWrite(WeftSummary summary, const char *path)
{
  PetscLogDouble now;
  PetscBool      failed = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscTime(&now));
  PetscCall(WeftSummaryReal(summary, "wall_seconds", now - WeftStartTime));
  PetscCall(WeftCostSummarise(summary));
  errno = 0;
  if (!PetscGlobalRank) failed = WeftSummaryStore(summary, path) ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s cannot be written: %s", path, strerror(errno)));
  PetscFunctionReturn(0);
}

/* Makes a folder and those above it. */
static PetscBool MakeFolder(const char *path)
{
  char        part[PETSC_MAX_PATH_LEN];
  struct stat status;

  for (size_t n = 1; path[n - 1]; n++) {
    if (path[n] && path[n] != '/') continue;
    if (n >= sizeof(part)) return PETSC_FALSE;
    memcpy(part, path, n);
    part[n] = 0;
    if (mkdir(part, 0777) && errno != EEXIST) return PETSC_FALSE;
  }
  if (stat(path, &status)) return PETSC_FALSE;
  errno = ENOTDIR;
  return S_ISDIR(status.st_mode) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode WeftOutputFolder(const char *verb, char path[], size_t room)
{
  PetscBool failed = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(WeftGetString("output", path, room));
  if (!*path) PetscCall(PetscSNPrintf(path, room, "output/%s/%s", *WeftCaseName() ? WeftCaseName() : "case", verb));
  errno = 0;
  if (!PetscGlobalRank) failed = MakeFolder(path) ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s: the output folder %s cannot be made: %s; choose another with -output",
                      WeftKeyOrigin("output"), path, strerror(errno)));
  PetscFunctionReturn(0);
}
