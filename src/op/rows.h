/* What the operators of this folder share: rows to loop over, sums, checks of arguments.

   A kernel is a WEFT_KERNEL function over the rows of a box: the outer loops go through the rows, the inner one along x is
   contiguous, calls nothing and vectorises. Rows are always those of a plane's owned unknowns, or (adjoints) these and
   the ghosts beyond the sides that the transposed kernel gathers. */
#ifndef WEFT_OP_ROWS_H
#define WEFT_OP_ROWS_H
#include "base/kernel.h"
#include "grid/parts.h"
#include "op/impl.h"

typedef struct {
  PetscInt first;     /* place of the lowest value in the plane */
  PetscInt n[3];      /* values along each axis */
  PetscInt stride[3]; /* of the plane */
} WeftRows;

static inline WeftRows WeftRowsOf(const WeftLayout *l, const PetscInt lo[3], const PetscInt hi[3])
{
  WeftRows rows = {WeftLayoutIndex(l, lo[0], lo[1], lo[2]), {0, 0, 0}, {l->stride[0], l->stride[1], l->stride[2]}};
  for (PetscInt a = 0; a < 3; a++) rows.n[a] = PetscMax(hi[a] - lo[a], 0);
  return rows;
}

static inline WeftRows WeftRowsOwned(const WeftLayout *l, WeftLocation location)
{
  PetscInt lo[3], hi[3];
  WeftLayoutOwned(l, location, lo, hi);
  return WeftRowsOf(l, lo, hi);
}

static inline WeftRows WeftRowsGather(const WeftLayout *l, WeftLocation location, PetscInt width)
{
  PetscInt lo[3], hi[3];
  WeftLayoutGather(l, location, width, lo, hi);
  return WeftRowsOf(l, lo, hi);
}

/* Those of a part (grid/parts.h) of the owned ones, and of those that gather. */
static inline WeftRows WeftRowsPart(WeftGrid grid, WeftLocation location, PetscInt reach, PetscInt part)
{
  const WeftLayout *l = WeftGridLayout(grid);
  PetscInt          lo[3], hi[3];
  WeftLayoutOwned(l, location, lo, hi);
  WeftGridPart(grid, reach, part, lo, hi);
  return WeftRowsOf(l, lo, hi);
}

static inline WeftRows WeftRowsGatherPart(WeftGrid grid, WeftLocation location, PetscInt width, PetscInt reach, PetscInt part)
{
  const WeftLayout *l = WeftGridLayout(grid);
  PetscInt          lo[3], hi[3];
  WeftLayoutGather(l, location, width, lo, hi);
  WeftGridPart(grid, reach, part, lo, hi);
  return WeftRowsOf(l, lo, hi);
}

/* Cells that the unknown faces of an axis read (the two beside each), as far as they are mine or beyond my sides: at an open
   side one ghost more than the cells, at a closed one none. */
static inline WeftRows WeftRowsBesideFaces(const WeftLayout *l, PetscInt axis)
{
  PetscInt lo[3], hi[3], face_lo[3], face_hi[3];
  WeftLayoutOwned(l, WEFT_CELL, lo, hi);
  WeftLayoutOwned(l, (WeftLocation)axis, face_lo, face_hi);
  if (l->side[axis][0] != WEFT_SIDE_PERIODIC) {
    if (l->start[axis] == 0) lo[axis] = face_lo[axis] - 1;
    if (l->start[axis] + l->count[axis] == l->cells[axis]) hi[axis] = face_hi[axis];
  }
  return WeftRowsOf(l, lo, hi);
}

/* Place of the first value of row (j, k). */
#define WEFT_ROW(rows, j, k) ((rows).first + (j) * (rows).stride[1] + (k) * (rows).stride[2])

/* total += the sum of term over i in [begin, end), i the name that term uses. Terms are made up to 256 at a time, then added in
   eight interleaved sums: both loops vectorise without leave to reorder, and round alike whatever the vectors' width. */
typedef double WeftLanes __attribute__((vector_size(64)));
#define WEFT_SUM(total, i, begin, end, term)                                                                                   \
  do {                                                                                                                         \
    WeftLanes lane_ = {0.0};                                                                                                   \
    for (PetscInt at_ = (begin), end_ = (end); at_ < end_; at_ += 256) {                                                       \
      const PetscInt n_ = PetscMin(end_ - at_, 256);                                                                           \
      WeftLanes      terms_[32];                                                                                               \
      double        *term_ = (double *)terms_;                                                                                 \
      for (PetscInt i = at_; i < at_ + n_; i++) term_[i - at_] = (term);                                                       \
      for (PetscInt i_ = n_; i_ % 8; i_++) term_[i_] = 0.0;                                                                    \
      for (PetscInt i_ = 0; 8 * i_ < n_; i_++) lane_ += terms_[i_];                                                            \
    }                                                                                                                          \
    (total) += ((lane_[0] + lane_[4]) + (lane_[2] + lane_[6])) + ((lane_[1] + lane_[5]) + (lane_[3] + lane_[7]));              \
  } while (0)

/* Bugs of a caller: a space of the wrong kind. `like` (or NULL): of the same grid and batch. */
PetscErrorCode WeftOpCheckPlanes(const char *op, WeftSpace space, WeftSpace like);
PetscErrorCode WeftOpCheckVelocity(const char *op, WeftSpace velocity, WeftSpace like);
PetscErrorCode WeftOpCheckCells(const char *op, WeftSpace cells, PetscInt fields, WeftSpace like);
/* A copy of a pattern: the fields and the grid of `space`, batch 1 (for all samples) or that of `space`; one plane of it. */
PetscErrorCode WeftOpCopyPattern(const char *op, WeftState pattern, WeftSpace space, WeftState *copy);
static inline const double *WeftPatternPlane(WeftState pattern, PetscInt field, PetscInt sample)
{
  if (!pattern) return NULL;
  return WeftStatePlane(pattern, field, WeftSpaceGetInfo(WeftStateSpace(pattern))->batch == 1 ? 0 : sample);
}
/* A mistake of the user: fewer ghost layers than the operator reads. */
PetscErrorCode WeftOpCheckHalo(const char *op, WeftSpace space, PetscInt width);
/* A space of velocity, then `scalars` cell fields, for examples. */
PetscErrorCode WeftOpExampleSpace(WeftGrid grid, PetscInt batch, PetscInt scalars, WeftSpace *space);
PetscErrorCode WeftOpExampleCells(WeftGrid grid, PetscInt batch, PetscInt fields, WeftSpace *space);
/* Every input drawn from uniform(-1, 1). */
PetscErrorCode WeftOpExampleFill(WeftOp op, WeftOpExample *example);
#endif
