/* grid: a box of cells shared by the ranks of a space communicator; states on it; halo exchange and side rules. */
#ifndef WEFT_GRID_H
#define WEFT_GRID_H
#include <petscdmda.h>
#include <weft/base.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* What stands at a side of the box. Closed sides (no slip, slip, velocity) prescribe the normal face velocity: their outer
   faces are boundary values, not unknowns. At an open side the outer face is an unknown and the pressure ghost is 0. */
typedef enum {
  WEFT_SIDE_PERIODIC,
  WEFT_SIDE_NOSLIP,   /* velocity 0 */
  WEFT_SIDE_SLIP,     /* normal velocity 0, tangential zero gradient */
  WEFT_SIDE_VELOCITY, /* prescribed velocity */
  WEFT_SIDE_OPEN      /* zero gradient */
} WeftSide;
extern const char *const WeftSides[]; /* "periodic", "noslip", ... */

/* Tangential velocity behind a closed side: MIRROR puts the wall's value on the wall (ghost = 2 wall - mirror image, second
   order); VALUE puts it one spacing beyond the last unknown (the published wake). Normal velocity beyond the wall likewise. */
typedef enum { WEFT_WALL_MIRROR, WEFT_WALL_VALUE } WeftWall;

/* Where the values of a field stand. Face i of an axis is the lower face of cell i. */
typedef enum { WEFT_FACE_X = 0, WEFT_FACE_Y = 1, WEFT_FACE_Z = 2, WEFT_CELL = 3 } WeftLocation;

/* The layout of every plane (one field of one sample) on this rank. All planes of a grid, cells or faces, share strides:
   value (i, j, k), global indices, is plane[origin + (i - start[0]) stride[0] + (j - start[1]) stride[1] + ...].
   Along axis a the storage spans [start - halo[a], start + count + halo[a] + 1): one more above, for the outer face. */
typedef struct {
  PetscInt  dim;
  PetscInt  cells[3];        /* global; 1 along axes that are not there */
  PetscReal h[3], lower[3];  /* spacing, lower corner */
  PetscInt  start[3], count[3]; /* owned cells */
  PetscInt  halo[3];         /* ghost layers of the storage; 0 along axes that are not there */
  PetscInt  stride[3], origin, plane; /* plane: values in a plane, ghosts and padding included */
  WeftSide  side[3][2];      /* [axis][lower, upper] */
  PetscReal side_velocity[3][2][3];
  WeftWall  wall;
  PetscInt  ranks[3], rank[3]; /* process grid, my place in it */
  PetscInt  granularity;     /* block bounds are multiples of it */
  PetscInt  tile[3];         /* cells of a tile, over which -deterministic sums in one order; 0: none */
} WeftLayout;

typedef struct _n_WeftGrid *WeftGrid;

typedef struct { /* fill with WeftGridOptionsDefault, then change */
  PetscInt  dim, cells[3];
  PetscReal lower[3], upper[3];
  WeftSide  side[3][2];
  PetscReal side_velocity[3][2][3];
  WeftWall  wall;
  PetscInt  halo;        /* ghost layers, default 4 */
  PetscInt  granularity; /* default 1 */
  PetscInt  tile;        /* edge of a tile for sums that do not depend on the layout; the granularity is a multiple; default 0: none */
  PetscInt  ranks[3];    /* process grid; 0: chosen (slowest axis first, so that x lines stay whole) */
} WeftGridOptions;
PetscErrorCode WeftGridOptionsDefault(WeftGridOptions *options);
/* Reads -grid_cells, -grid_lower, -grid_upper, -grid_sides, ... With -deterministic: tiles of 64, 16 x 16 or 8 x 8 x 8 cells, halved
   until the box is made of whole ones, and the granularity raised to their edge. */
PetscErrorCode WeftGridOptionsFromKeys(WeftGridOptions *options);

/* Lays the box over the ranks of comm. Collective. Fails when blocks are narrower than the halo, and proposes the largest
   layout that fits. */
PetscErrorCode WeftGridCreate(MPI_Comm comm, const WeftGridOptions *options, WeftGrid *grid);
/* A grid over the same box, with the same sides and process grid, of `ratio` times the cells (and the granularity) along every
   axis; and one of as many times fewer, with a halo of one layer, whose granularity must divide. Blocks cover each other.
   Collective. */
PetscErrorCode WeftGridRefine(WeftGrid grid, PetscInt ratio, WeftGrid *fine);
PetscErrorCode WeftGridCoarsen(WeftGrid grid, PetscInt ratio, WeftGrid *coarse);
PetscErrorCode WeftGridReference(WeftGrid grid); /* one more owner */
PetscErrorCode WeftGridDestroy(WeftGrid *grid);
PetscErrorCode WeftGridGetComm(WeftGrid grid, MPI_Comm *comm);
const WeftLayout *WeftGridLayout(WeftGrid grid);
/* DMDA of the cells with the same ownership, one value per cell; borrowed. */
PetscErrorCode WeftGridGetDM(WeftGrid grid, DM *dm);

/* Unknowns of a location: whole box and owned by this rank; [lo, hi) per axis in global indices. */
void WeftLayoutUnknowns(const WeftLayout *layout, WeftLocation location, PetscInt lo[3], PetscInt hi[3]);
void WeftLayoutOwned(const WeftLayout *layout, WeftLocation location, PetscInt lo[3], PetscInt hi[3]);
static inline PetscInt WeftLayoutIndex(const WeftLayout *l, PetscInt i, PetscInt j, PetscInt k)
{
  return l->origin + (i - l->start[0]) * l->stride[0] + (j - l->start[1]) * l->stride[1] + (k - l->start[2]) * l->stride[2];
}

/* ---- faults that one rank alone sees -------------------------------------------------------------------------- */

/* Notes a mistake that a kernel met (a departure point outside the halo); the first note of a rank stays. Not collective. */
PetscErrorCode WeftGridNote(WeftGrid grid, const char *format, ...);
/* Did this rank note one since the last agreement? Not collective. */
PetscErrorCode WeftGridNoted(WeftGrid grid, PetscBool *noted);
/* Agrees on the notes of all ranks: with any, the message of the lowest rank is printed and all return WEFT_ERR_USER (the
   notes are cleared). One reduction; a rollout calls it at the end of a phase. Collective on the grid's communicator. */
PetscErrorCode WeftGridAgree(WeftGrid grid);
/* The same over several grids at once: world holds the ranks of all replicas, each with its grid. Collective on world. */
PetscErrorCode WeftGridAgreeAll(MPI_Comm world, WeftGrid grid);

/* ---- spaces and states --------------------------------------------------------------------------------------- */

/* What a slot holds. Three kinds:
   PLANES    fields on a grid, [field][sample][plane], float64
   CHANNELS  features of a net at cells, [sample][z][y][x][channel] with ghosts, float32 or float64
   NUMBERS   values without a place, float64: [count], or [sample][count] when per_sample
   Numbers that an operator reads are the same on every rank of the space communicator; numbers that it produces (outputs,
   adjoints) are this rank's part of a sum over those ranks. So there is one reduction, at the end of an update. */
typedef enum { WEFT_PLANES, WEFT_CHANNELS, WEFT_NUMBERS } WeftSpaceKind;
#define WEFT_MAX_FIELDS 8
typedef struct _n_WeftSpace *WeftSpace;
typedef struct {
  WeftSpaceKind kind;
  WeftGrid      grid;   /* NULL for NUMBERS */
  MPI_Comm      comm;   /* space communicator */
  PetscInt      batch;
  PetscInt      fields; /* PLANES */
  const char   *name[WEFT_MAX_FIELDS];
  WeftLocation  location[WEFT_MAX_FIELDS];
  PetscInt      channels, width; /* CHANNELS: ghost layers `width`; storage [count + 2 width] per axis that is there */
  PetscBool     single; /* CHANNELS in float32 */
  PetscInt      count;  /* NUMBERS */
  PetscBool     per_sample;
  size_t        bytes;  /* of one state */
} WeftSpaceInfo;
PetscErrorCode WeftSpaceCreatePlanes(WeftGrid grid, PetscInt batch, PetscInt fields, const char *const names[], const WeftLocation locations[], WeftSpace *space);
/* The dim face fields "velocity_x", "velocity_y", "velocity_z". */
PetscErrorCode WeftSpaceCreateVelocity(WeftGrid grid, PetscInt batch, WeftSpace *space);
PetscErrorCode WeftSpaceCreateChannels(WeftGrid grid, PetscInt batch, PetscInt channels, PetscInt width, PetscBool single, WeftSpace *space);
PetscErrorCode WeftSpaceCreateNumbers(MPI_Comm comm, PetscInt batch, PetscInt count, PetscBool per_sample, WeftSpace *space);
PetscErrorCode WeftSpaceReference(WeftSpace space);
PetscErrorCode WeftSpaceDestroy(WeftSpace *space);
const WeftSpaceInfo *WeftSpaceGetInfo(WeftSpace space);

typedef struct _n_WeftState *WeftState;
PetscErrorCode WeftStateCreate(WeftSpace space, WeftState *state); /* zero */
/* Part [offset, offset + count) of a NUMBERS state that is not per sample; shares its memory. */
PetscErrorCode WeftStateCreateView(WeftState numbers, PetscInt offset, PetscInt count, WeftState *view);
PetscErrorCode WeftStateDestroy(WeftState *state);
WeftSpace      WeftStateSpace(WeftState state);
/* Memory. Write marks the ghosts stale; call it once before changing values. */
const double *WeftStatePlane(WeftState state, PetscInt field, PetscInt sample);
double       *WeftStatePlaneWrite(WeftState state, PetscInt field, PetscInt sample);
const void   *WeftStateData(WeftState state);      /* CHANNELS, NUMBERS */
void         *WeftStateDataWrite(WeftState state);
PetscErrorCode WeftStateZero(WeftState state);
PetscErrorCode WeftStateCopy(WeftState from, WeftState to);
PetscErrorCode WeftStateAXPY(WeftState y, PetscReal a, WeftState x); /* y += a x on unknowns and numbers */
/* Sum of products over unknowns and samples. Collective on the space communicator. For NUMBERS one of the two is a rank's
   part of a sum (see above), the other the same everywhere. */
PetscErrorCode WeftStateDot(WeftState x, WeftState y, PetscReal *dot);
/* Norm over unknowns and samples (not for partial NUMBERS). Collective on the space communicator. */
PetscErrorCode WeftStateNorm(WeftState x, NormType type, PetscReal *norm);
/* offset + amplitude * uniform(-1, 1), keyed by seed, field, sample and global index: the same on every layout.
   first_sample: global number of sample 0. */
PetscErrorCode WeftStateSetRandom(WeftState state, PetscInt64 seed, PetscInt first_sample, PetscReal offset, PetscReal amplitude);

/* The owned values one after another, without ghosts, for checkpoints. rounded: numbers in float64 are kept as float32. Local. */
size_t         WeftSpacePackedBytes(WeftSpace space, PetscBool rounded);
PetscErrorCode WeftStatePack(WeftState state, PetscBool rounded, void *packed);
PetscErrorCode WeftStateUnpack(WeftState state, PetscBool rounded, const void *packed);

/* ---- halo ---------------------------------------------------------------------------------------------------- */

/* What ghosts outside the box become. VALUE: the side rule of the field (an affine map); LINEAR: its linear part (tangents);
   ZERO: zero (adjoints, and features with zero edges); COPY: the nearest unknown. */
typedef enum { WEFT_GHOST_VALUE, WEFT_GHOST_LINEAR, WEFT_GHOST_ZERO, WEFT_GHOST_COPY } WeftGhost;

/* Fills `width` ghost layers of every field or channel and sample, faces at closed sides included, with one message per
   neighbour, and nothing if they are already filled so. Collective on the space communicator. */
PetscErrorCode WeftStateHalo(WeftState state, PetscInt width, WeftGhost ghost);
/* The same for several states of one grid in one message per neighbour. */
PetscErrorCode WeftStatesHalo(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost);
/* The same in two parts: the messages travel while the caller works on something else. Until the end the states may be read, not
   written, and no other exchange of the grid begins. */
PetscErrorCode WeftStatesHaloBegin(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost);
PetscErrorCode WeftStatesHaloEnd(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost);
/* Transposed side rule: adds the `width` ghost layers outside the box to the unknowns that they were made from and clears
   them. The ghosts that belong to neighbours are not looked at. Local. ghost: LINEAR, COPY (ZERO and VALUE: just clears). */
PetscErrorCode WeftStateFold(WeftState state, PetscInt width, WeftGhost ghost);
/* Range over which a transposed kernel gathers: owned, plus `width` layers where my block touches a side that is not
   periodic (these are then folded). */
void WeftLayoutGather(const WeftLayout *layout, WeftLocation location, PetscInt width, PetscInt lo[3], PetscInt hi[3]);

#if defined(__cplusplus)
}
#endif
#endif
