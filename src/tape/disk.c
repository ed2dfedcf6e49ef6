/* Checkpoints, and frames of datasets, on a node-local disk: one file without a name, and one helper thread that reads and writes it behind the computation.
   The thread does plain file I/O only. Buffers carry slots to and from the file; a slot that is still in a buffer is not read. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tape/disk.h"

#define PREFIX "weft_tape_"
#define BLOCK 4096 /* slots begin at multiples of it */

typedef enum { IDLE, WRITE, READ } Job; /* IDLE: the bytes are those of the slot */
typedef struct {
  PetscInt slot; /* -1: none */
  Job      job;
  PetscInt turn; /* order of the last use */
  char    *data;
} Buffer;

struct _n_WeftDisk {
  int             file;
  PetscInt        slots, turn;
  size_t          bytes, stride;
  int            *error; /* [slots] errno of the last write or read; 0: the slot can be read */
  PetscInt        buffers;
  Buffer         *buffer;
  PetscInt       *queue, head, waiting; /* buffers with a job, in order */
  PetscBool       over, running;
  pthread_t       thread;
  pthread_mutex_t lock;
  pthread_cond_t  wanted, done;
};

/* ---- the thread ---------------------------------------------------------------------------------------------------- */

/* errno of a whole transfer. */
static int Transfer(const WeftDisk d, Job job, PetscInt slot, char *data)
{
  const off_t start = (off_t)((size_t)slot * d->stride);
  size_t      moved = 0;

  while (moved < d->bytes) {
    const ssize_t n = job == WRITE ? pwrite(d->file, data + moved, d->bytes - moved, start + (off_t)moved) : pread(d->file, data + moved, d->bytes - moved, start + (off_t)moved);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO; /* the file ends early */
    moved += (size_t)n;
  }
  return 0;
}

static void *Work(void *context)
{
  WeftDisk d = (WeftDisk)context;

  pthread_mutex_lock(&d->lock);
  for (;;) {
    Buffer  *b;
    int      error;
    while (!d->waiting && !d->over) pthread_cond_wait(&d->wanted, &d->lock);
    if (!d->waiting) break;
    b       = &d->buffer[d->queue[d->head]];
    d->head = (d->head + 1) % d->buffers;
    d->waiting--;
    pthread_mutex_unlock(&d->lock);
    error = Transfer(d, b->job, b->slot, b->data); /* nobody touches a buffer with a job */
    pthread_mutex_lock(&d->lock);
    d->error[b->slot] = error;
    if (error) b->slot = -1;
    b->job = IDLE;
    pthread_cond_broadcast(&d->done);
  }
  pthread_mutex_unlock(&d->lock);
  return NULL;
}

/* With the lock. */
static void Enqueue(WeftDisk d, Buffer *b, PetscInt slot, Job job)
{
  b->slot = slot;
  b->job  = job;
  b->turn = d->turn++;
  d->queue[(d->head + d->waiting) % d->buffers] = (PetscInt)(b - d->buffer);
  d->waiting++;
  pthread_cond_signal(&d->wanted);
}

/* ---- buffers, all with the lock -------------------------------------------------------------------------------------- */

static Buffer *Holding(WeftDisk d, PetscInt slot)
{
  for (PetscInt i = 0; i < d->buffers; i++)
    if (d->buffer[i].slot == slot) return &d->buffer[i];
  return NULL;
}

/* The buffer without a job that was used longest ago; NULL: all have one. */
static Buffer *Oldest(WeftDisk d)
{
  Buffer *oldest = NULL;
  for (PetscInt i = 0; i < d->buffers; i++)
    if (d->buffer[i].job == IDLE && (!oldest || d->buffer[i].turn < oldest->turn)) oldest = &d->buffer[i];
  return oldest;
}

static void Await(WeftDisk d, const Buffer *b)
{
  while (b->job != IDLE) pthread_cond_wait(&d->done, &d->lock);
}

char *WeftDiskTake(WeftDisk d, PetscInt slot)
{
  Buffer *b;

  pthread_mutex_lock(&d->lock);
  b = Holding(d, slot);
  if (b) Await(d, b);
  if (!b || b->slot != slot)
    while (!(b = Oldest(d))) pthread_cond_wait(&d->done, &d->lock);
  b->slot = slot;
  b->turn = d->turn++;
  pthread_mutex_unlock(&d->lock);
  return b->data;
}

void WeftDiskWrite(WeftDisk d, PetscInt slot)
{
  pthread_mutex_lock(&d->lock);
  Enqueue(d, Holding(d, slot), slot, WRITE);
  pthread_mutex_unlock(&d->lock);
}

void WeftDiskFetch(WeftDisk d, PetscInt slot)
{
  Buffer *b;

  pthread_mutex_lock(&d->lock);
  if (!d->error[slot] && !Holding(d, slot) && (b = Oldest(d))) Enqueue(d, b, slot, READ);
  pthread_mutex_unlock(&d->lock);
}

const char *WeftDiskRead(WeftDisk d, PetscInt slot, int *error)
{
  Buffer *b;

  pthread_mutex_lock(&d->lock);
  b = Holding(d, slot);
  if (!b && !d->error[slot]) {
    while (!(b = Oldest(d))) pthread_cond_wait(&d->done, &d->lock);
    Enqueue(d, b, slot, READ);
  }
  while (b && b->slot == slot && b->job == READ) pthread_cond_wait(&d->done, &d->lock); /* one that is being written may be read */
  if (b && b->slot != slot) b = NULL;
  *error = b ? 0 : d->error[slot] ? d->error[slot] : EIO;
  pthread_mutex_unlock(&d->lock);
  return b ? b->data : NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* Files of runs that ended between making and unlinking theirs. */
static void RemoveStale(const char *folder)
{
  DIR           *directory = opendir(folder);
  struct dirent *entry;

  if (!directory) return;
  while ((entry = readdir(directory)))
    if (!strncmp(entry->d_name, PREFIX, strlen(PREFIX))) (void)unlinkat(dirfd(directory), entry->d_name, 0);
  closedir(directory);
}

/* A file that has no name any more: it goes with the process, whatever ends that. */
static int OpenUnnamed(const char *folder)
{
  char path[PETSC_MAX_PATH_LEN];
  int  file;

  if (snprintf(path, sizeof(path), "%s/" PREFIX "XXXXXX", folder) >= (int)sizeof(path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  file = mkstemp(path);
  if (file >= 0) (void)unlink(path);
  return file;
}

static int StartThread(WeftDisk d)
{
  sigset_t all, before;
  int      error;

  sigfillset(&all); /* signals are the main thread's */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  error = pthread_create(&d->thread, NULL, Work, d);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  d->running = error ? PETSC_FALSE : PETSC_TRUE;
  return error;
}

PetscErrorCode WeftDiskCreate(const char *folder, PetscInt slots, size_t bytes, PetscInt buffers, PetscInt *got, int *error, WeftDisk *disk)
{
  WeftDisk d;

  PetscFunctionBegin;
  *got = 0;
  PetscCall(PetscNew(&d));
  d->bytes  = bytes;
  d->stride = (bytes + BLOCK - 1) / BLOCK * BLOCK;
  RemoveStale(folder);
  d->file = OpenUnnamed(folder);
  *error  = d->file < 0 ? errno : 0;
  while (!*error && *got < slots && !(*error = posix_fallocate(d->file, (off_t)((size_t)*got * d->stride), (off_t)d->stride))) ++*got;
  if (!*got) {
    if (d->file >= 0) close(d->file);
    PetscCall(PetscFree(d));
    PetscFunctionReturn(0);
  }
  d->slots   = *got;
  d->buffers = buffers;
  PetscCall(PetscCalloc2(buffers, &d->buffer, buffers, &d->queue));
  PetscCall(PetscCalloc1(d->slots, &d->error));
  for (PetscInt i = 0; i < d->buffers; i++) {
    d->buffer[i].slot = -1;
    PetscCall(PetscMalloc1(bytes, &d->buffer[i].data));
  }
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->wanted, NULL);
  pthread_cond_init(&d->done, NULL);
  *disk = d;
  if (StartThread(d)) {
    *got = 0;
    PetscCall(WeftDiskDestroy(disk));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDiskDestroy(WeftDisk *disk)
{
  WeftDisk d = *disk;

  PetscFunctionBegin;
  *disk = NULL;
  if (!d) PetscFunctionReturn(0);
  pthread_mutex_lock(&d->lock);
  d->over = PETSC_TRUE;
  pthread_cond_signal(&d->wanted);
  pthread_mutex_unlock(&d->lock);
  if (d->running) pthread_join(d->thread, NULL);
  pthread_cond_destroy(&d->wanted);
  pthread_cond_destroy(&d->done);
  pthread_mutex_destroy(&d->lock);
  close(d->file);
  for (PetscInt i = 0; i < d->buffers; i++) PetscCall(PetscFree(d->buffer[i].data));
  PetscCall(PetscFree2(d->buffer, d->queue));
  PetscCall(PetscFree(d->error));
  PetscCall(PetscFree(d));
  PetscFunctionReturn(0);
}
