/* What the operators of this folder share: rows to loop over, sums, checks of arguments.

   A kernel is a WEFT_KERNEL function over the rows of a box: the outer loops go through the rows, the inner one along x is
   contiguous, calls nothing and vectorises. Rows are always those of a plane's owned unknowns, or (adjoints) these and
   the ghosts beyond the sides that the transposed kernel gathers. */
#ifndef WEFT_OP_ROWS_H
#define WEFT_OP_ROWS_H
#include "base/kernel.h"
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

/* total += the sum of term(i) over i in [begin, end), in eight interleaved sums: vectorises without leave to reorder, and
   rounds alike whatever the vectors' width. i: the name that term uses. */
#define WEFT_SUM(total, i, begin, end, term)                                                                                   \
  do {                                                                                                                         \
    const PetscInt begin_ = (begin), whole_ = begin_ + ((end) - begin_) / 8 * 8;                                               \
    double         lane_[8] = {0.0};                                                                                           \
    for (PetscInt at_ = begin_; at_ < whole_; at_ += 8)                                                                        \
      for (PetscInt i = at_; i < at_ + 8; i++) lane_[i - at_] += (term);                                                       \
    for (PetscInt i = whole_; i < (end); i++) lane_[i - whole_] += (term);                                                     \
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
