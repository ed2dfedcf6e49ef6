/* What the tests of files share: names per rank count, damage to files. */
#ifndef WEFT_TEST_IO_SUPPORT_H
#define WEFT_TEST_IO_SUPPORT_H
#include "support.h"
#include <sys/stat.h>
#include <unistd.h>

static inline int TestRank(void)
{
  int rank;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  return rank;
}

/* "<stem>.<ranks>": tests at several rank counts may run side by side in one folder. */
static inline const char *TestPath(const char *stem, const char *end)
{
  static char path[4][256];
  static int  next;
  int         ranks;

  MPI_Comm_size(PETSC_COMM_WORLD, &ranks);
  next = (next + 1) % 4;
  snprintf(path[next], sizeof(path[next]), "%s.%d%s", stem, ranks, end);
  return path[next];
}

static inline int TestExists(const char *path) { return !access(path, F_OK); }

/* Copies a file; then changes one bit (byte >= 0), or cuts it to `length` bytes (length >= 0). Rank 0; all wait. */
static inline PetscErrorCode TestDamage(const char *from, const char *to, long byte, int bit, long length)
{
  PetscFunctionBegin;
  if (TestRank() == 0) {
    struct stat status;
    FILE       *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char       *data;
    TestCheck(in && out && !stat(from, &status), "cannot copy %s to %s", from, to);
    PetscCall(PetscMalloc1(status.st_size, &data));
    TestCheck(fread(data, 1, (size_t)status.st_size, in) == (size_t)status.st_size, "cannot read %s", from);
    if (byte >= 0) data[byte] = (char)(data[byte] ^ (1 << bit));
    fwrite(data, 1, (size_t)(length >= 0 ? length : status.st_size), out);
    fclose(in);
    fclose(out);
    PetscCall(PetscFree(data));
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  PetscFunctionReturn(0);
}

static inline long TestSize(const char *path)
{
  struct stat status;
  return stat(path, &status) ? -1 : (long)status.st_size;
}
#endif
