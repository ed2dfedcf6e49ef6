/* What the tests of files share: names per rank count, messages on standard error, damage to files. */
#ifndef WEFT_TEST_IO_SUPPORT_H
#define WEFT_TEST_IO_SUPPORT_H
#include "support.h"
#include <fcntl.h>
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

/* TestRefused(call, "word"): the call fails as a mistake of the user on every rank, with one line that holds the word. */
static int test_saved_stderr;
static inline PetscErrorCode TestCaptureBegin(void)
{
  const char *path = TestPath("stderr", ".txt");
  int         file;

  PetscFunctionBegin;
  fflush(stderr);
  test_saved_stderr = dup(2);
  if (TestRank() == 0) unlink(path);
  MPI_Barrier(PETSC_COMM_WORLD);
  file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(file, 2);
  close(file);
  PetscFunctionReturn(0);
}

static inline PetscErrorCode TestCaptureEnd(PetscErrorCode code, const char *word)
{
  char   text[4096] = "";
  size_t length     = 0;
  FILE  *file;

  PetscFunctionBegin;
  fflush(stderr);
  dup2(test_saved_stderr, 2);
  close(test_saved_stderr);
  MPI_Barrier(PETSC_COMM_WORLD);
  file = fopen(TestPath("stderr", ".txt"), "r");
  if (file) {
    length       = fread(text, 1, sizeof(text) - 1, file);
    text[length] = 0;
    fclose(file);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  TestCheck(code == WEFT_ERR_USER, "expected a refusal with '%s'; the code is %d, the message: %s", word, (int)code, text);
  TestCheck(strstr(text, word), "expected '%s' in the message: %s", word, text);
  TestCheck(strchr(text, '\n') == text + length - 1, "expected one line: %s", text);
  PetscFunctionReturn(0);
}
#define TestRefused(call, word)                                                                                                \
  do {                                                                                                                         \
    PetscErrorCode test_code_;                                                                                                 \
    PetscCall(TestCaptureBegin());                                                                                             \
    test_code_ = call;                                                                                                         \
    PetscCall(TestCaptureEnd(test_code_, word));                                                                               \
  } while (0)

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
