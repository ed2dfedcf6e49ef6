/* The seal of a finished file: 512 bytes before the HDF5 part (its "user block", which HDF5 skips) with a checksum of all that
   follows, so that damage is found before HDF5 looks at it. The checksum is that of the list of the checksums of stripes, which
   the ranks make side by side. */
#include "io/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRIPE ((off_t)4 << 20)
#define OPENING "weft file, "

/* Checksums of the stripes of [WEFT_SEAL_BYTES, size) that are mine, to sums[stripes]; the others stay as they are. */
static void SumStripes(const char *path, off_t size, int rank, int ranks, unsigned long long sums[], char fault[], size_t room)
{
  const int file   = open(path, O_RDONLY);
  char     *buffer = (char *)malloc((size_t)STRIPE);
  off_t     begin  = WEFT_SEAL_BYTES + rank * STRIPE;

  if (file < 0 || !buffer) WeftFaultText(fault, room, "cannot read %s: %s", path, strerror(errno));
  for (PetscInt i = rank; !fault[0] && begin < size; i += ranks, begin += ranks * STRIPE) {
    const off_t bytes = PetscMin(STRIPE, size - begin);
    off_t       got   = 0;
    while (got < bytes && !fault[0]) {
      const ssize_t n = pread(file, buffer + got, (size_t)(bytes - got), begin + got);
      if (n > 0) got += n;
      else if (n == 0 || errno != EINTR) WeftFaultText(fault, room, "cannot read %s: %s", path, n ? strerror(errno) : "it ends early");
    }
    sums[i] = WeftChecksum(0, (size_t)bytes, buffer);
  }
  free(buffer);
  if (file >= 0) close(file);
}

/* Checksum of the file, known to rank 0 of comm; *size: its bytes. */
static PetscErrorCode SumFile(MPI_Comm comm, const char *path, unsigned long long *sum, long long *size, char fault[], size_t room)
{
  unsigned long long *sums;
  PetscMPIInt         rank, ranks, stripes;
  struct stat         status;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  *size = rank == 0 && !stat(path, &status) ? (long long)status.st_size : 0;
  PetscCallMPI(MPI_Bcast(size, 1, MPI_LONG_LONG, 0, comm));
  stripes = (PetscMPIInt)PetscMax(0, (*size - WEFT_SEAL_BYTES + STRIPE - 1) / STRIPE);
  PetscCall(PetscCalloc1(PetscMax(stripes, 1), &sums));
  SumStripes(path, (off_t)*size, rank, ranks, sums, fault, room);
  PetscCallMPI(MPI_Reduce(rank ? sums : MPI_IN_PLACE, sums, stripes, MPI_UNSIGNED_LONG_LONG, MPI_BOR, 0, comm));
  *sum = WeftChecksum(0, sizeof(*sums) * (size_t)stripes, sums);
  PetscCall(PetscFree(sums));
  PetscFunctionReturn(0);
}

static void WriteSeal(const char *path, const char *text, char fault[], size_t room)
{
  char      block[WEFT_SEAL_BYTES] = {0};
  const int file                   = open(path, O_WRONLY);

  snprintf(block, sizeof(block), OPENING "%s\n", text);
  if (file < 0 || pwrite(file, block, sizeof(block), 0) != (ssize_t)sizeof(block)) WeftFaultText(fault, room, "cannot write to %s: %s", path, strerror(errno));
  if (file >= 0 && close(file)) WeftFaultText(fault, room, "cannot write to %s: %s", path, strerror(errno));
}

PetscErrorCode WeftSealWrite(MPI_Comm comm, const char *path, char fault[], size_t room)
{
  unsigned long long sum;
  long long          size;
  char               text[128];
  PetscMPIInt        rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(SumFile(comm, path, &sum, &size, fault, room));
  snprintf(text, sizeof(text), "crc64 %016llx, %lld bytes", sum, size);
  if (rank == 0 && !fault[0]) WriteSeal(path, text, fault, room);
  PetscFunctionReturn(0);
}

void WeftSealBreak(const char *path, char fault[], size_t room)
{
  char      opening[sizeof(OPENING)] = "";
  const int file                     = open(path, O_RDONLY);
  ssize_t   n                        = file < 0 ? 0 : pread(file, opening, sizeof(OPENING) - 1, 0);

  if (file >= 0) close(file);
  if (n == (ssize_t)sizeof(OPENING) - 1 && !strcmp(opening, OPENING)) WriteSeal(path, "unfinished", fault, room); /* a file from elsewhere has none */
}

PetscErrorCode WeftSealCheck(MPI_Comm comm, const char *path, char fault[], size_t room)
{
  char               block[WEFT_SEAL_BYTES + 1] = "", mine[WEFT_SEAL_BYTES] = "";
  unsigned long long sum;
  long long          size, whole = WEFT_SEAL_BYTES;
  PetscMPIInt        rank;
  int                sealed = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    const int     file = open(path, O_RDONLY);
    const ssize_t n    = file < 0 ? 0 : read(file, block, WEFT_SEAL_BYTES);
    if (file >= 0) close(file);
    sealed = n > 0 && !strncmp(block, OPENING, PetscMin((size_t)n, sizeof(OPENING) - 1));
  }
  PetscCallMPI(MPI_Bcast(&sealed, 1, MPI_INT, 0, comm));
  if (!sealed) PetscFunctionReturn(0);
  PetscCall(SumFile(comm, path, &sum, &size, fault, room));
  snprintf(mine, sizeof(mine), OPENING "crc64 %016llx, %lld bytes\n", sum, size);
  if (rank || fault[0]) PetscFunctionReturn(0);
  if (!strcmp(block, OPENING "unfinished\n")) WeftFaultText(fault, room, "%s was not finished: it lacks its seal", path);
  else if (sscanf(block, OPENING "crc64 %*x, %lld", &whole) != 1 || whole > size) WeftFaultText(fault, room, "%s is truncated: it has %lld bytes, its seal tells of %lld; take another copy, or make it again", path, size, whole);
  else if (memcmp(block, mine, sizeof(mine))) WeftFaultText(fault, room, "%s is damaged: its checksum does not fit its %lld bytes; take another copy, or make it again", path, size);
  PetscFunctionReturn(0);
}
