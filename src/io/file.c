/* A file that all ranks of a communicator write or read: names, agreement, completion. */
#if defined(__linux__)
  #define _GNU_SOURCE /* fallocate */
#endif
#include "io/impl.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE 5.0 /* seconds that a rank with a fault waits for the others, which may hang inside HDF5 */

/* ---- names and plain files --------------------------------------------------------------------------------------- */

PetscErrorCode WeftPartName(const char *path, char part[], size_t room)
{
  const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
  size_t      stem  = strlen(path);

  PetscFunctionBegin;
  if (dot && (!slash || dot > slash + 1) && dot > path) stem = (size_t)(dot - path);
  WeftCheck(strlen(path) + 6 < room, PETSC_COMM_SELF, "the file name %s is too long", path);
  snprintf(part, room, "%.*s.part%s", (int)stem, path, path + stem);
  PetscFunctionReturn(0);
}

static int SyncPath(const char *path)
{
  const int file = open(path, O_RDONLY);
  int       failed;

  if (file < 0) return -1;
  failed = fsync(file);
  close(file);
  return failed;
}

void WeftPublish(const char *part, const char *path, char fault[], size_t room)
{
  char  folder[PETSC_MAX_PATH_LEN] = ".";
  char *slash;

  if (SyncPath(part)) {
    WeftFaultText(fault, room, "cannot write %s to the disk: %s", part, strerror(errno));
    return;
  }
  if (rename(part, path)) {
    WeftFaultText(fault, room, "cannot rename %s to %s: %s", part, path, strerror(errno));
    return;
  }
  if (strchr(path, '/')) snprintf(folder, sizeof(folder), "%s", path);
  slash = strrchr(folder, '/');
  if (slash) slash[slash == folder ? 1 : 0] = 0;
  SyncPath(folder); /* some file systems refuse to sync folders; the rename stands all the same */
}

/* ---- HDF5's settings -------------------------------------------------------------------------------- */

hid_t WeftFileAccess(MPI_Comm comm)
{
  hid_t access;
  int   one = 0;

  H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* faults are told by Weft, once */
  H5PLset_loading_state(0);              /* no file makes us load a filter from elsewhere */
  access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110); /* every piece of metadata carries a checksum */
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  MPI_Comm_compare(comm, MPI_COMM_SELF, &one);
  if (one == MPI_IDENT) {
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, 0, 1); /* parallel file systems often lack locks */
#endif
  } else {
    H5Pset_fapl_mpio(access, comm, MPI_INFO_NULL);
    H5Pset_all_coll_metadata_ops(access, 1); /* one rank reads metadata, all learn the same */
    H5Pset_coll_metadata_write(access, 1);
  }
  return access;
}

hid_t WeftFileCreateNew(const char *path, hid_t access)
{
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  hid_t       id;

  H5Pset_userblock(creation, WEFT_SEAL_BYTES);
  id = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
  H5Pclose(creation);
  return id;
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static void Abort(WeftFile *file, PetscBool print)
{
  if (print) fprintf(stderr, "weft: error: %s\n", file->fault);
  fflush(stderr);
  MPI_Abort(PETSC_COMM_WORLD, 1);
}

/* ---- MPI cannot write -------------------------------------------------------------------------------------------- */

#define WRITTEN_ROOM 16
static WeftFile *written[WRITTEN_ROOM]; /* files that are being written */

static void CannotWrite(MPI_File *stream, int *code, ...)
{
  char        reason[MPI_MAX_ERROR_STRING] = "";
  const char *name                         = "a file";
  int         length;

  MPI_Error_string(*code, reason, &length);
  for (int i = 0; i < WRITTEN_ROOM; i++)
    if (written[i] && written[i]->stream == *stream) name = written[i]->part;
  fprintf(stderr, "weft: error: cannot write to %s: is the disk full? (%s)\n", name, reason);
  fflush(stderr);
  MPI_Abort(PETSC_COMM_WORLD, 1);
}

static PetscErrorCode WatchStream(WeftFile *file)
{
  static MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_File             *stream;

  PetscFunctionBegin;
  if (handler == MPI_ERRHANDLER_NULL) PetscCallMPI(MPI_File_create_errhandler(CannotWrite, &handler));
  if (H5Fget_vfd_handle(file->id, H5P_DEFAULT, (void **)&stream) < 0) PetscFunctionReturn(0);
  file->stream = *stream;
  PetscCallMPI(MPI_File_set_errhandler(file->stream, handler));
  for (int i = 0; i < WRITTEN_ROOM; i++) {
    if (written[i]) continue;
    written[i] = file;
    break;
  }
  PetscFunctionReturn(0);
}

static void Unwatch(const WeftFile *file)
{
  for (int i = 0; i < WRITTEN_ROOM; i++)
    if (written[i] == file) written[i] = NULL;
}

void WeftFileReserve(WeftFile *file, hsize_t bytes)
{
  struct rlimit limit;
  struct stat   status;
  int           rank, descriptor;

  MPI_Comm_rank(file->comm, &rank);
  if (getrlimit(RLIMIT_FSIZE, &limit)) limit.rlim_cur = RLIM_INFINITY;
  if ((rank && limit.rlim_cur == RLIM_INFINITY) || stat(file->part, &status)) return;
  WeftFileFault(file, limit.rlim_cur != RLIM_INFINITY && (hsize_t)status.st_size + bytes > (hsize_t)limit.rlim_cur ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: this process may not write files beyond %.0f bytes (ulimit -f)", file->part, (double)limit.rlim_cur);
#if defined(__linux__)
  if (rank || file->fault[0]) return;
  descriptor = open(file->part, O_WRONLY);
  if (descriptor < 0) return;
  if (fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, status.st_size + (off_t)bytes)) WeftFileFault(file, errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: %s", file->part, strerror(errno));
  close(descriptor);
#endif
}

/* ---- agreement --------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftFileAgree(WeftFile *file)
{
  const int      mine   = file->fault[0] ? 1 : 0;
  const double   begin  = MPI_Wtime();
  int            any    = 0, done = 0;
  MPI_Request    request;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Iallreduce(&mine, &any, 1, MPI_INT, MPI_MAX, file->all, &request));
  if (!mine) PetscCallMPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
  else {
    while (!done) {
      PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
      if (!done && MPI_Wtime() - begin > PATIENCE) Abort(file, PETSC_TRUE);
      if (!done) usleep(1000);
    }
  }
  if (!any) PetscFunctionReturn(0);
  ierr           = WeftAgree(file->all, mine ? PETSC_TRUE : PETSC_FALSE, "%s", file->fault);
  file->fault[0] = 0;
  if (file->part[0] && file->id >= 0) {
    PetscCallMPI(MPI_Barrier(file->all)); /* until the message is out */
    Abort(file, PETSC_FALSE);
  }
  return ierr;
}

/* ---- create, open, close ----------------------------------------------------------------------------------------- */

static PetscErrorCode Clear(MPI_Comm comm, MPI_Comm all, const char *path, WeftFile *file)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(file, sizeof(*file)));
  file->comm     = comm;
  file->all      = all;
  file->id       = -1;
  file->transfer = -1;
  file->stream   = MPI_FILE_NULL;
  WeftCheck(path[0] && strlen(path) + 16 < sizeof(file->path), all, "'%s' cannot be the name of a file", path);
  PetscCall(PetscStrncpy(file->path, path, sizeof(file->path)));
  PetscFunctionReturn(0);
}

static void SetTransfer(WeftFile *file, H5FD_mpio_xfer_t mode)
{
  file->transfer = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_dxpl_mpio(file->transfer, mode);
}

PetscErrorCode WeftFileCreate(MPI_Comm comm, const char *path, const char *kind, WeftFile *file)
{
  hid_t access;

  PetscFunctionBegin;
  PetscCall(Clear(comm, comm, path, file));
  PetscCall(WeftPartName(path, file->part, sizeof(file->part)));
  access   = WeftFileAccess(comm);
  file->id = WeftFileCreateNew(file->part, access);
  WeftFileFault(file, file->id < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot create %s: is its folder there, and writable?", file->part);
  H5Pclose(access);
  PetscCall(WeftFileAgree(file));
  PetscCall(WatchStream(file));
  SetTransfer(file, H5FD_MPIO_COLLECTIVE); /* chunks with checksums can only be written so */
  WeftFileNote(file, WeftAttributeString(file->id, "weft", kind) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s", file->part);
  PetscCall(WeftFileAgree(file));
  PetscFunctionReturn(0);
}

/* Can this rank read the file? */
void WeftFileCheckPresent(WeftFile *file, const char *path)
{
  struct stat status;
  char        part[PETSC_MAX_PATH_LEN] = "";

  if (!access(path, R_OK)) {
    WeftFileFault(file, !stat(path, &status) && S_ISDIR(status.st_mode) ? PETSC_TRUE : PETSC_FALSE, "%s is a folder; a file was expected", path);
    return;
  }
  if (errno == ENOENT && !WeftPartName(path, part, sizeof(part)) && !access(part, R_OK)) WeftFileFault(file, PETSC_TRUE, "there is no file %s; %s is one that its run did not finish", path, part);
  else WeftFileFault(file, PETSC_TRUE, "cannot open %s: %s", path, strerror(errno));
}

/* Checks the attribute `weft`. */
static void CheckKind(WeftFile *file, const char *kind)
{
  char      found[32] = "";
  PetscBool there;

  if (WeftFileNote(file, WeftAttributeReadString(file->id, "weft", found, sizeof(found), &there) < 0 ? PETSC_TRUE : PETSC_FALSE, "%s is damaged: make it again", file->path)) return;
  if (WeftFileFault(file, !there ? PETSC_TRUE : PETSC_FALSE, "%s was not written for Weft: its root lacks the attribute weft = \"%s\"; docs/files.md lists what such a file needs", file->path, kind)) return;
  WeftFileFault(file, strcmp(found, kind) ? PETSC_TRUE : PETSC_FALSE, "%s holds %s (attribute weft of its root); a file of %s was expected", file->path, found, kind);
}

static PetscErrorCode Open(WeftFile *file, const char *path, unsigned flags, const char *kind)
{
  PetscMPIInt    rank;
  hid_t          access;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  WeftFileCheckPresent(file, path);
  ierr = WeftFileAgree(file);
  if (ierr) return ierr;
  if (flags == H5F_ACC_RDONLY) {
    PetscCall(WeftSealCheck(file->all, path, file->fault, sizeof(file->fault)));
    ierr = WeftFileAgree(file);
    if (ierr) return ierr;
  }
  PetscCallMPI(MPI_Comm_rank(file->comm, &rank));
  access = WeftFileAccess(file->comm);
  if (rank == 0) WeftFileFault(file, H5Fis_hdf5(path) <= 0 ? PETSC_TRUE : PETSC_FALSE, "%s is not an HDF5 file", path);
  ierr = WeftFileAgree(file);
  if (!ierr) {
    file->id = H5Fopen(path, flags, access);
    WeftFileNote(file, file->id < 0 ? PETSC_TRUE : PETSC_FALSE, "%s cannot be opened: it is damaged or was not finished; make it again", path);
    ierr = WeftFileAgree(file);
  }
  H5Pclose(access);
  if (ierr) return ierr;
  if (flags != H5F_ACC_RDONLY) PetscCall(WatchStream(file));
  SetTransfer(file, flags == H5F_ACC_RDONLY ? H5FD_MPIO_INDEPENDENT : H5FD_MPIO_COLLECTIVE);
  CheckKind(file, kind);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFileOpen(MPI_Comm comm, MPI_Comm all, const char *path, const char *kind, WeftFile *file)
{
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(Clear(comm, all, path, file));
  /* raw data are read independently: a chunk with a wrong checksum then fails on its ranks alone, and nobody waits */
  ierr = Open(file, path, H5F_ACC_RDONLY, kind);
  if (!ierr) ierr = WeftFileAgree(file);
  if (ierr) PetscCall(WeftFileClose(file));
  return ierr;
}

PetscErrorCode WeftFileReopen(MPI_Comm comm, const char *path, const char *kind, PetscBool *found, WeftFile *file)
{
  PetscMPIInt    rank;
  int            there = 0;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(Clear(comm, comm, path, file));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(WeftPartName(path, file->part, sizeof(file->part)));
  if (rank == 0) {
    there = !access(file->part, F_OK);
    if (!there) PetscCall(WeftSealCheck(MPI_COMM_SELF, path, file->fault, sizeof(file->fault)));
    if (!there && !file->fault[0]) {
      there = !rename(path, file->part);
      WeftFileFault(file, !there && errno != ENOENT ? PETSC_TRUE : PETSC_FALSE, "cannot rename %s to %s: %s", path, file->part, strerror(errno));
    }
    if (there) WeftSealBreak(file->part, file->fault, sizeof(file->fault));
  }
  PetscCall(WeftFileAgree(file));
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, comm));
  *found = there ? PETSC_TRUE : PETSC_FALSE;
  if (!there) PetscFunctionReturn(0);
  ierr = Open(file, file->part, H5F_ACC_RDWR, kind);
  if (!ierr) ierr = WeftFileAgree(file);
  return ierr;
}

PetscErrorCode WeftFileClose(WeftFile *file)
{
  PetscFunctionBegin;
  if (file->transfer >= 0) H5Pclose(file->transfer);
  if (file->id >= 0) H5Fclose(file->id);
  file->transfer = file->id = -1;
  Unwatch(file);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFileComplete(WeftFile *file)
{
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(file->comm, &rank));
  WeftFileNote(file, H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot write to %s: is the disk full?", file->part);
  PetscCall(WeftFileAgree(file));
  WeftFileNote(file, H5Fclose(file->id) < 0 ? PETSC_TRUE : PETSC_FALSE, "cannot close %s", file->part);
  PetscCall(WeftFileAgree(file));
  file->id = -1;
  PetscCall(WeftFileClose(file));
  PetscCall(WeftSealWrite(file->comm, file->part, file->fault, sizeof(file->fault)));
  PetscCall(WeftFileAgree(file));
  if (rank == 0) WeftPublish(file->part, file->path, file->fault, sizeof(file->fault));
  PetscCall(WeftFileAgree(file));
  PetscFunctionReturn(0);
}
