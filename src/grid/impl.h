/* Inside src/grid: the structs behind the handles. */
#ifndef WEFT_GRID_IMPL_H
#define WEFT_GRID_IMPL_H
#include <weft/grid.h>
#include "grid/fixed.h"

/* A rank beside mine and the directions in which it lies ({-1, 0, 1} per axis; with periodic sides and few ranks one rank can
   lie in several). */
typedef struct {
  PetscMPIInt rank;
  PetscInt    directions;
  signed char direction[26][3];
} WeftNeighbour;

struct _n_WeftGrid {
  PetscInt      references;
  MPI_Comm      comm;
  WeftLayout    layout;
  PetscInt     *bounds[3]; /* block bounds along each axis, [ranks + 1] */
  DM            dm;        /* made on first use */
  PetscInt      neighbours;
  WeftNeighbour neighbour[26];
  size_t        room[26]; /* bytes of the message buffers */
  char         *send[26], *receive[26];
  MPI_Request   request[52]; /* of the exchange under way */
  PetscMPIInt   requests;
  PetscBool     exchanging;
  PetscBool     overlap; /* ghosts travel while the interior is computed (parts.h) */
};

struct _n_WeftSpace {
  PetscInt      references;
  WeftSpaceInfo info;
  PetscInt      stride[3], origin, points; /* CHANNELS: in points of one sample */
};

struct _n_WeftState {
  WeftSpace space;
  void     *data;
  PetscBool borrowed;    /* a view */
  PetscInt  ghost_width; /* ghost layers that are filled, */
  WeftGhost ghost;       /* and how */
  WeftFixed fixed;       /* NUMBERS: sums beside the values; high NULL: none */
};

/* One array of points with ghosts: a plane, or the features of one sample. */
typedef struct {
  char        *base;
  size_t       point; /* bytes of a point */
  PetscInt     stride[3], origin;
  WeftLocation location;
} WeftArray;

/* Arrays of a state: fields x samples, or samples. */
PetscInt  WeftStateArrays(WeftState state);
WeftArray WeftStateArray(WeftState state, PetscInt i);
/* Goes through the owned values of two states of one space (y may be NULL), row by row (numbers: one row). */
typedef void (*WeftRowKernel)(PetscInt n, PetscBool single, void *x, void *y, void *context);
void WeftStateForRows(WeftState x, WeftState y, WeftRowKernel kernel, void *context);
/* Fills the ghosts outside the box of one array (after the exchange); the transpose. */
void WeftSideFill(const WeftLayout *layout, const WeftArray *array, PetscBool single, PetscInt width, WeftGhost ghost);
void WeftSideFold(const WeftLayout *layout, const WeftArray *array, PetscBool single, PetscInt width, WeftGhost ghost);
/* Range along an axis with `width` ghosts: beyond the unknowns of the location at a side, beyond the block elsewhere. */
void WeftExtended(const WeftLayout *layout, WeftLocation location, PetscInt axis, PetscInt width, PetscInt *lo, PetscInt *hi);
#endif
