/* io: HDF5 series of fields with XDMF, datasets, named arrays (weights, gradients, checkpoints), pictures. The only HDF5 caller.
   Every file is written under a temporary name, flushed, and renamed when complete; chunks carry fletcher32 checksums. Errors
   (missing, truncated, foreign file, other grid) name the file and the mend, on all ranks. */
#ifndef WEFT_IO_H
#define WEFT_IO_H
#include <weft/op.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ---- series: the fields of one run over time ------------------------------------------------------------------- */

/* <path>.h5 and <path>.xmf. Each field is /<name>, [frame][z][y][x] (axes that are there; global unknowns of its location, x
   fastest), /time [frame]; attributes: cells, lower, upper, sides, location, units, case, version. XDMF shows every field at
   cells, faces averaged (/cell/<name>). */
typedef struct _n_WeftSeries *WeftSeries;
PetscErrorCode WeftSeriesCreate(WeftGrid grid, const char *path, WeftSeries *series);
/* Goes on with a series, unfinished or finished, after the frames whose time is at most `time` (*frames of them); starts a new
   one when there is none. While a series is written its files are <path>.part.h5 and (renewed every few seconds)
   <path>.part.xmf, both readable. Collective on the grid. */
PetscErrorCode WeftSeriesResume(WeftGrid grid, const char *path, PetscReal time, PetscInt *frames, WeftSeries *series);
/* Appends a frame: fields of all states, of one sample; the same states at every frame. Collective on the grid. */
PetscErrorCode WeftSeriesWrite(WeftSeries series, PetscReal time, PetscInt states, const WeftState state[], PetscInt sample);
PetscErrorCode WeftSeriesDestroy(WeftSeries *series); /* completes and renames */
PetscErrorCode WeftSeriesClose(WeftSeries *series);   /* leaves it unfinished, for WeftSeriesResume */
/* Reads frame (-1: the last) of every field of the state, by name, into a sample (-1: all samples), from a file with its
   extension. Fields need the unknowns of the grid; ranks may differ from those that wrote. Collective on world: the replicas
   that call together, so that a fault of one is told once and stops all (the communicator of the grid when it is alone). */
PetscErrorCode WeftFieldsRead(MPI_Comm world, const char *path, PetscInt frame, WeftState state, PetscInt sample);

/* ---- dataset: many simulations, for training -------------------------------------------------------------------- */

/* One HDF5 that readers of "The Well" (https://polymathic-ai.org/the_well) open: every field as it is in /t0_fields/<name>
   [simulation][frame][z][y][x] (staggered ones with the unknowns of their faces), staggered families averaged to cells in
   /t1_fields/<velocity> (unless -dataset_cells no), /scalars/<name> [simulation], /dimensions, /boundary_conditions. Stored in
   float32 unless -dataset_precision double. docs/files.md lists every attribute. */
typedef struct _n_WeftDataFile *WeftDataFile;
typedef struct {
  PetscInt  simulations, frames, numbers;
  char      number[8][32];          /* names of the per-simulation numbers, as "viscosity", "reynolds" */
  PetscReal first_time, frame_time; /* time of frame 0, time between frames */
  PetscBool single;                 /* of a file that is read: every field is float32 */
} WeftDataInfo;
/* Collective on world, the communicator of all replicas: each has its own grid of the same box. */
PetscErrorCode WeftDataCreate(MPI_Comm world, WeftSpace fields, const char *path, const WeftDataInfo *info, WeftDataFile *file);
/* Goes on with an unfinished (or finished) dataset of the same shape whose first `frames` frames of every simulation are written;
   starts a new one when there is none, and then frames must be 0. */
PetscErrorCode WeftDataResume(MPI_Comm world, WeftSpace fields, const char *path, const WeftDataInfo *info, PetscInt frames, WeftDataFile *file);
/* All that is written reaches the file, before a note that says so. Collective. */
PetscErrorCode WeftDataFlush(WeftDataFile file);
PetscErrorCode WeftDataClose(WeftDataFile *file); /* leaves it unfinished */
/* Collective on that communicator: replicas write different simulations (-1 when this replica has none to write; state is not
   read then). Fails on values that are not finite. */
PetscErrorCode WeftDataWrite(WeftDataFile file, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample);
/* Not collective: some rank gives the numbers of each simulation before the end. */
PetscErrorCode WeftDataWriteNumbers(WeftDataFile file, PetscInt simulation, const PetscReal numbers[]);
/* Opens for reading into states of `fields` (grid of the reader: other rank counts are fine; another box is an error).
   Collective on world, as is every read: replicas read side by side, each what it wants, equally often. */
PetscErrorCode WeftDataOpen(MPI_Comm world, WeftSpace fields, const char *path, WeftDataInfo *info, WeftDataFile *file);
PetscErrorCode WeftDataRead(WeftDataFile file, PetscInt simulation, PetscInt frame, WeftState state, PetscInt sample);
PetscErrorCode WeftDataReadAnyValue(WeftDataFile file); /* from now on values that are not finite are read, no fault */
PetscErrorCode WeftDataReadNumbers(WeftDataFile file, PetscInt simulation, PetscReal numbers[]);
/* A written file is completed and renamed; fails, and leaves the .part file, when a frame is missing. */
PetscErrorCode WeftDataDestroy(WeftDataFile *file);

/* ---- arrays: small named arrays, the same on every rank (weights, optimiser state, gradients) --------------------- */

typedef struct _n_WeftArrays *WeftArrays; /* in memory until written; every array and attribute by path, as "/weights" */
PetscErrorCode WeftArraysCreate(WeftArrays *arrays);
PetscErrorCode WeftArraysSet(WeftArrays arrays, const char *name, PetscInt rank, const PetscInt shape[], const double values[]); /* at most 4 axes; copied */
PetscErrorCode WeftArraysSetString(WeftArrays arrays, const char *name, const char *text); /* attribute of the root */
PetscErrorCode WeftArraysGet(WeftArrays arrays, const char *name, PetscInt *count, const double **values); /* NULL: not there */
PetscErrorCode WeftArraysGetShape(WeftArrays arrays, const char *name, PetscInt *rank, PetscInt shape[4]); /* rank -1: not there */
PetscErrorCode WeftArraysGetString(WeftArrays arrays, const char *name, const char **text);
PetscErrorCode WeftArraysWrite(WeftArrays arrays, const char *path); /* rank 0 writes, all learn of errors; whole-file checksum. Collective on the world */
PetscErrorCode WeftArraysRead(const char *path, WeftArrays *arrays);
/* The same without a failure: *arrays NULL and the reason where the file cannot be read. Collective on the world. */
PetscErrorCode WeftArraysTry(const char *path, WeftArrays *arrays, char reason[], size_t room);
PetscErrorCode WeftArraysDestroy(WeftArrays *arrays);
/* Fields of a state in global natural order as one array on every rank of the space communicator (small grids). */
PetscErrorCode WeftStateGather(WeftState state, PetscInt field, PetscInt sample, PetscInt shape[3], double **values);

/* Named arrays as safetensors (JSON header, float32), rank 0. */
PetscErrorCode WeftArraysWriteSafetensors(WeftArrays arrays, const char *path);

/* ---- pictures ------------------------------------------------------------------------------------------------------ */

/* A PNG of panels side by side, each a 2D cell field (gathered, [rows][columns], row 0 at the bottom) in a colour map with its own
   or a shared range, a title above (built-in bitmap font). Rank 0 of the world writes. */
typedef struct {
  const char   *title;
  PetscInt      rows, columns;
  const double *values;
  double        lower, upper; /* equal: range of the values */
  PetscBool     diverging;    /* blue-white-red around 0, else a sequential map */
} WeftPanel;
/* Collective on the world. */
PetscErrorCode WeftPictureWrite(const char *path, PetscInt panels, const WeftPanel panel[], PetscInt per_row, PetscInt pixels_per_cell);
/* Lines over x: for loss curves and errors over steps; y on a log axis if asked. Collective on the world. */
typedef struct {
  const char   *label;
  PetscInt      n;
  const double *x, *y;
} WeftLine;
PetscErrorCode WeftPlotWrite(const char *path, const char *title, const char *x_label, const char *y_label, PetscBool log_y, PetscInt lines, const WeftLine line[]);

#if defined(__cplusplus)
}
#endif
#endif
