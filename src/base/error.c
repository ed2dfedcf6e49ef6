/* Errors of the user: one message, no stack. */
#include "base/impl.h"

#define MESSAGE_ROOM 2048

static PetscErrorCode PrintOnce(MPI_Comm comm, const char *message)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    PetscCall(WeftLiveLineEnd());
    fflush(stdout);
    fprintf(stderr, "weft: error: %s\n", message);
    fflush(stderr);
  }
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

PetscErrorCode WeftAgree(MPI_Comm comm, PetscBool failed, const char *format, ...)
{
  char        message[MESSAGE_ROOM] = "";
  PetscMPIInt rank, size, first;
  va_list     arguments;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  first = failed ? rank : size;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) PetscFunctionReturn(0);
  if (failed) {
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
  }
  PetscCallMPI(MPI_Bcast(message, MESSAGE_ROOM, MPI_CHAR, first, comm));
  PetscCall(PrintOnce(comm, message));
  PetscFunctionReturn(WEFT_ERR_USER);
}

PetscErrorCode WeftFailKey(MPI_Comm comm, const char *key, const char *format, ...)
{
  const WeftEntry  *entry         = WeftTableFind(key);
  const WeftKeyRow *row           = WeftRegistryFind(key);
  char              message[1024] = "", value[512] = "";
  size_t            used          = 0;
  va_list           arguments;

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  if (!entry) return WeftFail(comm, "%s: %s = %s: %s", WeftKeyOrigin(key), key, row ? row->fallback : "", message);
  for (PetscInt i = 0; i < entry->count && used < sizeof(value) - 1; i++) used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", i ? ", " : "", entry->item[i]);
  return WeftFail(comm, entry->list ? "%s: %s = [%s]: %s" : "%s: %s = %s: %s", entry->origin, key, value, message);
}
