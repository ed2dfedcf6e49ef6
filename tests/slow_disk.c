/* A slow disk, preloaded into the ranks of a test (tests/test_slow_disk.sh): calls that write to, read from or flush a file below WEFT_SLOW_FOLDER
   take WEFT_SLOW_MS milliseconds longer, and so much longer that no more than WEFT_SLOW_RATE bytes go through a second (0: any number).
   At its end each process appends to the file WEFT_SLOW_LOG the calls that it made wait, their seconds, and those of its own life. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long     calls, slept; /* slept: nanoseconds */
static struct timespec start;

__attribute__((constructor)) static void Begin(void) { clock_gettime(CLOCK_MONOTONIC, &start); }

/* A file that has no name any more still tells its folder. */
static int Below(int file)
{
  const char   *folder = getenv("WEFT_SLOW_FOLDER");
  char          link[64], path[4096];
  ssize_t       n;

  if (!folder || file < 3) return 0;
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  n = readlink(link, path, sizeof(path) - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return !strncmp(path, folder, strlen(folder)) && path[strlen(folder)] == '/';
}

static double Number(const char *name)
{
  const char *text = getenv(name);
  return text ? atof(text) : 0.0;
}

static void Wait(int file, size_t bytes)
{
  const double rate = Number("WEFT_SLOW_RATE");
  const long   wait = (long)(1e6 * Number("WEFT_SLOW_MS") + (rate > 0.0 ? 1e9 * (double)bytes / rate : 0.0));
  struct timespec left = {wait / 1000000000, wait % 1000000000};

  if (!Below(file)) return;
  while (nanosleep(&left, &left)) {} /* a signal does not make a disk faster */
  atomic_fetch_add(&calls, 1);
  atomic_fetch_add(&slept, wait);
}

static size_t Bytes(const struct iovec *part, int parts)
{
  size_t bytes = 0;
  for (int i = 0; i < parts; i++) bytes += part[i].iov_len;
  return bytes;
}

#define SLOW(result, name, arguments, values, bytes) \
  result name arguments \
  { \
    static result(*next) arguments; \
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, #name); \
    Wait(file, bytes); \
    return next values; \
  }
SLOW(ssize_t, write, (int file, const void *data, size_t n), (file, data, n), n)
SLOW(ssize_t, pwrite, (int file, const void *data, size_t n, off_t at), (file, data, n, at), n)
SLOW(ssize_t, pwrite64, (int file, const void *data, size_t n, off64_t at), (file, data, n, at), n)
SLOW(ssize_t, writev, (int file, const struct iovec *part, int parts), (file, part, parts), Bytes(part, parts))
SLOW(ssize_t, pwritev, (int file, const struct iovec *part, int parts, off_t at), (file, part, parts, at), Bytes(part, parts))
SLOW(ssize_t, pwritev64, (int file, const struct iovec *part, int parts, off64_t at), (file, part, parts, at), Bytes(part, parts))
SLOW(ssize_t, pread, (int file, void *data, size_t n, off_t at), (file, data, n, at), n)
SLOW(ssize_t, pread64, (int file, void *data, size_t n, off64_t at), (file, data, n, at), n)
SLOW(int, fsync, (int file), (file), 0)
SLOW(int, fdatasync, (int file), (file), 0)

__attribute__((destructor)) static void Tell(void)
{
  const char *path = getenv("WEFT_SLOW_LOG");
  FILE       *log  = path && calls ? fopen(path, "a") : NULL;
  struct timespec end;

  if (!log) return;
  clock_gettime(CLOCK_MONOTONIC, &end);
  fprintf(log, "%ld calls %.3f s of %.3f s\n", (long)calls, 1e-9 * (double)slept, (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec));
  fclose(log);
}
