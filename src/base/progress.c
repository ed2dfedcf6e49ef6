/* Progress: a live line on a terminal, plain lines elsewhere. */
#include "base/impl.h"
#include <petsctime.h>
#include <unistd.h>

#define LIVE_SECONDS  0.2
#define PLAIN_SECONDS 5.0

struct _n_WeftProgress {
  char          *label;
  PetscInt       total, done;
  PetscLogDouble start, shown;
  PetscBool      terminal, stale; /* stale: the last update is not shown yet */
  char           text[256];
};

/* Open MPI's launcher gives rank 0 a terminal of its own whatever stands behind the launcher's output: look at that then. */
static PetscBool OnTerminal(void)
{
  char    name[64], target[64];
  ssize_t length;

  if (!isatty(STDOUT_FILENO)) return PETSC_FALSE;
  if (!getenv("OMPI_COMM_WORLD_SIZE")) return PETSC_TRUE;
  snprintf(name, sizeof(name), "/proc/%ld/fd/1", (long)getppid());
  length = readlink(name, target, sizeof(target) - 1);
  if (length < 0) return PETSC_FALSE;
  target[length] = 0;
  return !strncmp(target, "/dev/pts/", 9) || !strncmp(target, "/dev/tty", 8) ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode WeftProgressCreate(const char *label, PetscInt total, WeftProgress *progress)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(progress));
  PetscCall(PetscStrallocpy(label, &(*progress)->label));
  (*progress)->total    = total;
  (*progress)->terminal = OnTerminal();
  PetscCall(PetscTime(&(*progress)->start));
  (*progress)->shown = (*progress)->start;
  PetscFunctionReturn(0);
}

static void Duration(double seconds, char text[], size_t room)
{
  const long s = (long)(seconds + 0.5);
  if (s < 60) snprintf(text, room, "%ld s", s);
  else if (s < 3600) snprintf(text, room, "%ld:%02ld min", s / 60, s % 60);
  else snprintf(text, room, "%ld:%02ld h", s / 3600, s / 60 % 60);
}

static PetscErrorCode Show(WeftProgress progress, PetscLogDouble now)
{
  const double seconds = PetscMax(now - progress->start, 1e-9), rate = progress->done / seconds;
  char         left[32], line[512];

  PetscFunctionBegin;
  if (progress->done >= progress->total || progress->done == 0) Duration(seconds, left, sizeof(left));
  else Duration((progress->total - progress->done) / rate, left, sizeof(left));
  snprintf(line, sizeof(line), "%s  %" PetscInt_FMT "/%" PetscInt_FMT "  %.3g/s  %s %s  %s", progress->label, progress->done, progress->total, rate, left, progress->done < progress->total ? "left" : "in all", progress->text);
  if (progress->terminal) {
    printf("\r%s\033[K", line);
    fflush(stdout);
    WeftLiveLine = PETSC_TRUE;
  } else {
    PetscCall(WeftLog("%s", line));
  }
  progress->shown = now;
  progress->stale = PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgressUpdate(WeftProgress progress, PetscInt done, const char *format, ...)
{
  PetscLogDouble now;
  va_list        arguments;

  PetscFunctionBegin;
  if (PetscGlobalRank) PetscFunctionReturn(0);
  progress->done  = done;
  progress->stale = PETSC_TRUE;
  va_start(arguments, format);
  vsnprintf(progress->text, sizeof(progress->text), format, arguments);
  va_end(arguments);
  PetscCall(PetscTime(&now));
  if (now - progress->shown >= (progress->terminal ? LIVE_SECONDS : PLAIN_SECONDS)) PetscCall(Show(progress, now));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgressDestroy(WeftProgress *progress)
{
  PetscLogDouble now;

  PetscFunctionBegin;
  if (!*progress) PetscFunctionReturn(0);
  PetscCall(PetscTime(&now));
  if ((*progress)->stale) PetscCall(Show(*progress, now));
  PetscCall(WeftLiveLineEnd());
  PetscCall(PetscFree((*progress)->label));
  PetscCall(PetscFree(*progress));
  PetscFunctionReturn(0);
}
