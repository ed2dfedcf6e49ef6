/* Errors of the user: one message, no stack. */
#include "base/impl.h"
#include <petsctime.h>

#define MESSAGE_ROOM 2048
#define PATIENCE     5.0 /* seconds that replicas with a fault wait for those that may know of none */

static MPI_Comm ends = MPI_COMM_NULL;  /* the world, for WeftTellUntold alone */
static PetscBool held;                /* every message is noted instead of told */
static char     noted[MESSAGE_ROOM];  /* the first mistake that this rank, or its replica, met and not all ranks know of */

static int exit_status = 1;
void       WeftSetExitStatus(int status) { exit_status = status; }
int        WeftExitStatus(void) { return exit_status; }

static void Print(const char *message)
{
  fflush(stdout);
  fprintf(stderr, "weft: error: %s\n", message);
  fflush(stderr);
}

/* A fault of one replica is noted: the others may have the same one, or none. The next agreement of the world tells it, at the latest
   that at the end of the program. */
static PetscErrorCode PrintOnce(MPI_Comm comm, const char *message)
{
  PetscMPIInt rank, size, world;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &world));
  if (size == world && !held) noted[0] = 0; /* all are told of this one */
  if (rank != 0) PetscFunctionReturn(0);
  if (size < world || held) {
    if (!noted[0]) PetscCall(PetscStrncpy(noted, message, sizeof(noted)));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftLiveLineEnd());
  Print(message);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPrepareUntold(void)
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_dup(PETSC_COMM_WORLD, &ends));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTellUntold(void)
{
  PetscMPIInt    rank, size, mine, first;
  MPI_Request    request;
  PetscLogDouble begin, now;
  int            all = 0;

  PetscFunctionBegin;
  if (ends == MPI_COMM_NULL) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(ends, &rank));
  PetscCallMPI(MPI_Comm_size(ends, &size));
  mine = noted[0] ? rank : size;
  PetscCallMPI(MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, ends, &request));
  PetscCall(PetscTime(&begin));
  while (!all) {
    if (!noted[0]) {
      PetscCallMPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
      break;
    }
    PetscCallMPI(MPI_Test(&request, &all, MPI_STATUS_IGNORE));
    PetscCall(PetscTime(&now));
    if (!all && now - begin > PATIENCE) { /* the others go on, and wait for this replica somewhere */
      Print(noted);
      MPI_Abort(PETSC_COMM_WORLD, 1);
    }
    if (!all) PetscCall(PetscSleep(0.001));
  }
  if (first == rank) Print(noted);
  PetscCallMPI(MPI_Comm_free(&ends));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFail(MPI_Comm comm, const char *format, ...)
{
  char    message[MESSAGE_ROOM];
  va_list arguments;

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  PetscCall(PrintOnce(comm, message));
  PetscFunctionReturn(WEFT_ERR_USER);
}

/* The text of the lowest rank with one; has: is there one here? */
static PetscErrorCode Lowest(MPI_Comm comm, PetscBool has, char text[], size_t room, PetscBool *found)
{
  PetscMPIInt rank, size, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  first = has ? rank : size;
  PetscCall(WeftReduce(&first, 1, MPI_INT, MPI_MIN, comm));
  *found = first < size ? PETSC_TRUE : PETSC_FALSE;
  if (*found) PetscCallMPI(MPI_Bcast(text, (PetscMPIInt)room, MPI_CHAR, first, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFirstText(MPI_Comm comm, char text[], size_t room, PetscBool *found)
{
  PetscBool any;

  PetscFunctionBegin;
  PetscCall(Lowest(comm, text[0] ? PETSC_TRUE : PETSC_FALSE, text, room, &any));
  if (found) *found = any;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAgree(MPI_Comm comm, PetscBool failed, const char *format, ...)
{
  char      message[MESSAGE_ROOM] = "";
  PetscBool any;
  va_list   arguments;

  PetscFunctionBegin;
  if (failed) {
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
  }
  PetscCall(Lowest(comm, failed, message, sizeof(message), &any));
  if (!any) PetscFunctionReturn(0);
  PetscCall(PrintOnce(comm, message));
  PetscFunctionReturn(WEFT_ERR_USER);
}

PetscErrorCode WeftNote(const char *format, ...)
{
  va_list arguments;

  PetscFunctionBegin;
  if (noted[0]) PetscFunctionReturn(0);
  va_start(arguments, format);
  vsnprintf(noted, sizeof(noted), format, arguments);
  va_end(arguments);
  PetscFunctionReturn(0);
}

PetscBool WeftNoted(void) { return noted[0] ? PETSC_TRUE : PETSC_FALSE; }

void WeftHoldMessages(PetscBool hold) { held = hold; }

void WeftTakeNote(char text[], size_t room)
{
  if (room) snprintf(text, room, "%s", noted);
  noted[0] = 0;
}

PetscErrorCode WeftAgreeNotes(MPI_Comm comm)
{
  char            text[MESSAGE_ROOM];
  const PetscBool failed = WeftNoted();

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(text, noted, sizeof(text)));
  noted[0] = 0;
  /* no PetscCall: the mistake is the user's and prints no stack */
  PetscFunctionReturn(WeftAgree(comm, failed, "%s", text));
}
