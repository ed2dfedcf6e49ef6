/* Inside src/io: files that all ranks of a communicator write or read, and the pieces that the layouts share. */
#ifndef WEFT_IO_IMPL_H
#define WEFT_IO_IMPL_H
#define H5_USE_110_API /* HDF5 1.12 and later: the functions as they are in 1.10 */
#include <hdf5.h>
#include <weft/io.h>

/* ---- names and plain files --------------------------------------------------------------------------------------- */

/* "run/series.h5" -> "run/series.part.h5": the name of a file that is not complete yet. */
PetscErrorCode WeftPartName(const char *path, char part[], size_t room);
/* The first fault stays. */
void WeftFaultText(char fault[], size_t room, const char *format, ...);
/* A complete file gets its final name: synced to the disk, renamed, folder synced. One rank. An empty fault is success. */
void WeftPublish(const char *part, const char *path, char fault[], size_t room);

/* ---- the seal of a finished file (seal.c) ------------------------------------------------------------------------- */

#define WEFT_SEAL_BYTES 512 /* before the HDF5 part: its user block */
/* Checksum of the whole of a closed file into its seal; and against its seal (files from elsewhere have none and pass). Faults are
   noted on the ranks that meet them. Collective on comm. */
PetscErrorCode WeftSealWrite(MPI_Comm comm, const char *path, char fault[], size_t room);
PetscErrorCode WeftSealCheck(MPI_Comm comm, const char *path, char fault[], size_t room);
/* Says in the seal that the file is being written again. One rank. */
void WeftSealBreak(const char *path, char fault[], size_t room);

/* ---- a file shared by the ranks of a communicator ---------------------------------------------------------------- */

/* Collective calls of HDF5 may leave the other ranks waiting when one fails. So a rank notes its fault and goes on to the
   agreement at the end of the phase; whoever waits there in vain prints its message and aborts all. When MPI cannot write (a
   full disk), the rank that sees it aborts at once: HDF5 would leave the ranks waiting for each other in different places. */
typedef struct {
  MPI_Comm comm; /* of HDF5 */
  MPI_Comm all;  /* who agrees on faults: comm, or more (replicas that read the same file side by side) */
  char     path[PETSC_MAX_PATH_LEN];
  char     part[PETSC_MAX_PATH_LEN]; /* its name while it is written; empty: open for reading */
  hid_t    id, transfer;
  MPI_File stream; /* beneath a file that is written */
  char     fault[1024];  /* first fault that this rank has met; empty: none */
} WeftFile;

/* kind: "fields", "dataset" or "arrays", kept in the attribute `weft` of the root. All are collective on comm, agreements on all. */
PetscErrorCode WeftFileCreate(MPI_Comm comm, const char *path, const char *kind, WeftFile *file);
PetscErrorCode WeftFileOpen(MPI_Comm comm, MPI_Comm all, const char *path, const char *kind, WeftFile *file);
/* Opens an unfinished file (or makes a finished one unfinished again) to go on writing; *found: is there one? */
PetscErrorCode WeftFileReopen(MPI_Comm comm, const char *path, const char *kind, PetscBool *found, WeftFile *file);
/* Notes "<what>: <innermost message of HDF5>" if failed; returns failed. Not collective. */
PetscBool      WeftFileNote(WeftFile *file, PetscBool failed, const char *what, ...);
/* The same without HDF5's message. */
PetscBool      WeftFileFault(WeftFile *file, PetscBool failed, const char *what, ...);
/* With a fault on any rank: one message, WEFT_ERR_USER; a file that is written aborts the program, because HDF5 cannot close
   it any more. */
PetscErrorCode WeftFileAgree(WeftFile *file);
/* Notes a file that is not there or that this rank may not read. */
void           WeftFileCheckPresent(WeftFile *file, const char *path);
/* Rank 0 takes `bytes` of the disk beyond the present end, and all holes before it, so that a full disk or quota is found before
   HDF5 starts to write; notes a fault. Not every file system can; then it does nothing. */
void           WeftFileReserve(WeftFile *file, hsize_t bytes);
PetscErrorCode WeftFileClose(WeftFile *file);
PetscErrorCode WeftFileComplete(WeftFile *file); /* closes a written file and gives it its final name */

/* The library's settings (silent, no locks; format 1.10 with checksums), and files of one rank (comm MPI_COMM_SELF serial). */
hid_t WeftFileAccess(MPI_Comm comm);
hid_t WeftFileCreateNew(const char *path, hid_t access); /* with room for the seal */
void  WeftHdf5Message(char text[], size_t room); /* innermost message of the current error stack */

/* ---- attributes: by all ranks alike; a negative result is a failure of HDF5 -------------------------------------- */

herr_t WeftAttributeString(hid_t object, const char *name, const char *text);
herr_t WeftAttributeWords(hid_t object, const char *name, PetscBool scalar, hsize_t count, const char *const words[]); /* as h5py */
herr_t WeftAttributeReals(hid_t object, const char *name, hsize_t count, const double values[]);
herr_t WeftAttributeInts(hid_t object, const char *name, hsize_t count, const PetscInt values[]);
herr_t WeftAttributeInt(hid_t object, const char *name, PetscInt value); /* scalar */
herr_t WeftAttributeBools(hid_t object, const char *name, PetscBool scalar, hsize_t count, const signed char values[]);
herr_t WeftAttributeBool(hid_t object, const char *name, PetscBool value);
/* Read: *found: present and of that kind (numbers: `count` of them; count 1 also reads a scalar). */
herr_t WeftAttributeReadString(hid_t object, const char *name, char text[], size_t room, PetscBool *found);
herr_t WeftAttributeReadReals(hid_t object, const char *name, hsize_t count, double values[], PetscBool *found);

/* Root attributes of a grid: cells, lower, upper, sides, case, version. */
herr_t         WeftFileWriteGrid(WeftFile *file, const WeftLayout *layout);
/* Notes cells or a box that differ from the layout's. */
void           WeftFileCheckGrid(WeftFile *file, const WeftLayout *layout);
void           WeftSidesText(const WeftLayout *layout, char text[], size_t room); /* "noslip, open/velocity" */

void           WeftDimsText(int rank, const hsize_t dims[], char text[], size_t room); /* "31 x 64", slow to fast */
void           WeftGroupNames(hid_t file, const char *group, char text[], size_t room); /* "marker, time" or "none" */

/* ---- datasets of fields ------------------------------------------------------------------------------------------ */

#define WEFT_SLAB_MAX 6
/* A part of a dataset whose axes are: leading ones (simulation, frame), those of the grid from slow to fast, components. */
typedef struct {
  int     rank;
  hsize_t dims[WEFT_SLAB_MAX];  /* of the whole dataset */
  hsize_t start[WEFT_SLAB_MAX], count[WEFT_SLAB_MAX]; /* my part */
  hsize_t values;               /* in my part */
} WeftSlab;
/* components 0: no such axis. The leading axes get dims lead[], start 0, count 1. */
void   WeftSlabOf(const WeftLayout *layout, WeftLocation location, int leading, const hsize_t lead[], int components, WeftSlab *slab);
/* Bytes of one leading index on the disk, chunks filled up and metadata roughly included. */
hsize_t WeftSlabBytes(const WeftSlab *slab, int leading, size_t value);
/* Makes a dataset of chunks of one leading index each, with checksums; axis 0 grows if `grows` (it starts with length 0). */
hid_t  WeftDatasetCreate(WeftFile *file, const char *name, hid_t type, int leading, const WeftSlab *slab, PetscBool grows);
/* Opens a dataset that stands in this very file with as many values as it claims; -1: it is not there, or a fault is noted. */
hid_t  WeftDatasetOpen(WeftFile *file, const char *name);
/* All ranks of the file; idle: this rank has nothing to write. */
herr_t WeftSlabWrite(WeftFile *file, hid_t dataset, hid_t memory, const WeftSlab *slab, PetscBool idle, const void *values);
herr_t WeftSlabRead(WeftFile *file, hid_t dataset, const WeftSlab *slab, double values[]);
/* Small one-dimensional datasets: rank 0 of the file gives the values of [start, start + count). */
hid_t  WeftVectorCreate(WeftFile *file, const char *name, hsize_t length, hsize_t chunk);
herr_t WeftVectorWrite(WeftFile *file, hid_t dataset, hsize_t start, hsize_t count, const double values[]);

/* Owned unknowns of a plane, x fastest. */
void     WeftPlanePack(const WeftLayout *layout, WeftLocation location, const double plane[], double values[]);
void     WeftPlaneUnpack(const WeftLayout *layout, WeftLocation location, const double values[], double plane[]);
/* Mean of the two faces of each owned cell (ghosts filled, width 1), to values[cell * stride]. */
void     WeftPlanePackCells(const WeftLayout *layout, PetscInt axis, const double plane[], PetscInt stride, double values[]);
/* Position (x, y, z) of the first value that is not finite, of an owned block; PETSC_FALSE: all are finite. */
PetscBool WeftFindNotFinite(const WeftLayout *layout, WeftLocation location, const double values[], PetscInt at[3]);

/* What of a state goes into a dataset: a field as it is, or faces averaged to cells, alone or as the components of a vector. */
typedef struct {
  WeftLocation location; /* of the values in the file */
  PetscBool    at_cells; /* faces averaged */
  int          components; /* 0: scalar */
  PetscInt     field[3]; /* source of each component; -1: zero */
} WeftPart;
/* Packs this rank's block (ghosts of width 1 filled if at_cells). */
void WeftPartPack(const WeftPart *part, WeftState state, PetscInt sample, double values[]);
/* Face fields <family>_x, _y, _z of all axes in one space: field[] of the components. */
PetscBool WeftFamilyOf(const WeftSpaceInfo *info, PetscInt field, char family[], size_t room, PetscInt component[3]);
extern const char *const WeftPlaces[]; /* "face x", ..., "cell": attribute `location` */

/* ---- XDMF -------------------------------------------------------------------------------------------------------- */

typedef struct {
  char      name[64], path[80]; /* as shown; in the file */
  PetscBool vector;
} WeftXdmfItem;
void WeftXdmfWrite(const WeftLayout *layout, const char *path, const char *hdf5, PetscInt frames, const PetscReal times[], PetscInt items, const WeftXdmfItem item[], char fault[], size_t room);

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

#define WEFT_ARRAY_RANK 4
typedef struct {
  char    *name; /* without leading '/' */
  PetscInt rank, shape[WEFT_ARRAY_RANK], count;
  double  *values;
  char    *text; /* a string: rank -1, no values */
} WeftArrayEntry;
struct _n_WeftArrays {
  PetscInt        entries, room;
  WeftArrayEntry *entry; /* by name, strings and arrays apart: the checksum goes through them in this order */
};
/* CRC-64 (polynomial of ECMA-182, bits reflected, as in the xz format); start with 0. */
unsigned long long WeftChecksum(unsigned long long sum, size_t bytes, const void *data);
unsigned long long WeftArraysChecksum(WeftArrays arrays);
#endif
