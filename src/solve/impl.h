/* Inside src/solve: the pieces of the fast direct solver. */
#ifndef WEFT_SOLVE_IMPL_H
#define WEFT_SOLVE_IMPL_H
#include "base/exact.h"
#include <weft/solve.h>
#include <math.h>

/* ---- one axis: transform and tridiagonal solve ---------------------------------------------------------------- */

/* The second difference along an axis of n cells, by what stands at its two ends. */
typedef enum { WEFT_AXIS_PERIODIC, WEFT_AXIS_CLOSED, WEFT_AXIS_OPEN, WEFT_AXIS_CLOSED_OPEN, WEFT_AXIS_OPEN_CLOSED } WeftAxisKind;
WeftAxisKind WeftAxisKindOf(WeftSide lower, WeftSide upper);
/* Eigenvalue of mode k of the negative second difference, 0 <= value <= 4, small ones to full relative accuracy. */
PetscReal WeftAxisEigenvalue(WeftAxisKind kind, PetscInt n, PetscInt k);

/* Lines are transformed, and eliminated, this many at a time, always, so that a line's result never depends on how many a
   rank has: lane l of a group is line l, missing lanes are zero. */
#define WEFT_LANES 8

/* Lines of one axis in an array: value j of line l stands at base[j * along + l * across]; one of the strides is 1. */
typedef struct {
  double  *base;
  PetscInt along, across, lanes; /* lanes <= WEFT_LANES */
} WeftLines;

typedef struct _n_WeftTransform *WeftTransform;
PetscErrorCode WeftTransformCreate(WeftAxisKind kind, PetscInt n, WeftTransform *transform);
PetscErrorCode WeftTransformDestroy(WeftTransform *transform);
/* Values to modes and back, in place. Backward of forward is WeftTransformScale times the identity. */
void      WeftTransformForward(WeftTransform transform, WeftLines lines);
void      WeftTransformBackward(WeftTransform transform, WeftLines lines);
PetscReal WeftTransformScale(WeftTransform transform);
/* Length of the Fourier transform that stands behind an axis, and its largest prime factor. */
PetscInt WeftTransformLength(WeftAxisKind kind, PetscInt n);
PetscInt WeftLargestFactor(PetscInt n);

/* Solves (shift + negative second difference) x = scale b along an axis for many lines that stand side by side, in place.
   The factors of line l stand beside those of its neighbours: [n][lines]. */
typedef struct {
  WeftAxisKind kind;
  PetscInt     n;
} WeftTridiagonal;
/* Reals per line that the factors take: n, or 2 n along a periodic axis. */
PetscInt WeftTridiagonalFactors(WeftTridiagonal t);
/* factor: of this line, values `stride` apart. */
void WeftTridiagonalFactor(WeftTridiagonal t, PetscReal shift, double *factor, PetscInt stride);
/* x[j * stride + l], factor[j * factor_stride + l], l < lines. */
void WeftTridiagonalSolve(WeftTridiagonal t, PetscReal scale, PetscInt lines, double *x, PetscInt stride, const double *factor, PetscInt factor_stride);
/* The line with shift 0 on an axis without an open end: removes the mean of b, gives the x of mean zero. */
void WeftTridiagonalSolveSingular(WeftTridiagonal t, PetscReal scale, double *x, PetscInt stride);

/* ---- boxes of cells over the ranks ---------------------------------------------------------------------------- */

typedef struct {
  PetscInt lo[3], hi[3]; /* global indices */
} WeftBoxRange;
static inline PetscInt WeftBoxCells(const WeftBoxRange *b)
{
  return PetscMax(0, b->hi[0] - b->lo[0]) * PetscMax(0, b->hi[1] - b->lo[1]) * PetscMax(0, b->hi[2] - b->lo[2]);
}

/* Moves arrays [sample][z][y][x] from one distribution of the cells to another, all samples in one message per partner. */
typedef struct _n_WeftTranspose *WeftTranspose;
/* from, to: what each rank holds before and after, [ranks]; clip: only these cells move. Collective. */
PetscErrorCode WeftTransposeCreate(MPI_Comm comm, PetscInt batch, const WeftBoxRange from[], const WeftBoxRange to[], const WeftBoxRange *clip, WeftTranspose *transpose);
PetscErrorCode WeftTransposeDestroy(WeftTranspose *transpose);
PetscErrorCode WeftTransposeForward(WeftTranspose transpose, const double *from, double *to);
PetscErrorCode WeftTransposeBackward(WeftTranspose transpose, const double *to, double *from);

/* ---- the box without obstacles -------------------------------------------------------------------------------- */

/* L0 p = b on the whole box, L0 without obstacles. The work goes through stages: block layout, then whole lines of each
   transformed axis in turn, last the tridiagonal axis ("modes": transformed along the others); and back. */
typedef struct _n_WeftBox *WeftBox;
/* shift: (L0 - shift) p = b, shift >= 0. */
PetscErrorCode WeftBoxCreate(WeftGrid grid, PetscInt batch, PetscReal shift, WeftBox *box);
PetscErrorCode WeftBoxReference(WeftBox box);
PetscErrorCode WeftBoxDestroy(WeftBox *box);
PetscBool      WeftBoxSingular(WeftBox box); /* no open side: means are removed */
PetscInt       WeftBoxTridiagonalAxis(WeftBox box);
/* The owned cells [sample][z][y][x], without ghosts. */
double        *WeftBoxValues(WeftBox box);
/* values: b on entry, p on return. Collective. */
PetscErrorCode WeftBoxSolve(WeftBox box);
/* The three parts of a solve: values to modes, modes of b to modes of p, modes to values. Forward and Backward also of a
   band alone, the cells with lo <= index < hi along the tridiagonal axis; the rest of the arrays is then not defined. */
typedef enum { WEFT_REACH_ALL = 0, WEFT_REACH_BAND = 1 } WeftBoxReach;
PetscErrorCode WeftBoxSetBand(WeftBox box, PetscInt lo, PetscInt hi);
PetscErrorCode WeftBoxForward(WeftBox box, WeftBoxReach reach);
void           WeftBoxTridiagonal(WeftBox box);
PetscErrorCode WeftBoxBackward(WeftBox box, WeftBoxReach reach);
/* The arrays before (values) and after (modes) the transforms: [sample][z][y][x] over the range that this rank holds. */
double        *WeftBoxModes(WeftBox box, WeftBoxRange *range);
/* Between the owned cells of a state with one cell field and an array [sample][z][y][x] without ghosts. */
void WeftOwnedCopy(WeftState state, double *values, PetscBool load);

/* ---- connected pieces ------------------------------------------------------------------------------------------------- */

/* Pieces of cells, open or closed, that no open side touches: L has the constant of each as a null vector. */
typedef struct {
  PetscInt   count, open_count; /* the open ones come first */
  PetscReal *label;             /* [count] a piece by its lowest cell: global number + 1 */
  PetscInt  *cells;             /* [open_count] size */
  PetscInt  *piece;             /* [owned cells] which open piece, -1: none */
  WeftState  labels;            /* label of every cell, one plane with a layer of ghosts */
  PetscInt64 *sum;              /* [batch][open_count][2] */
  PetscReal  *mean;             /* [batch][open_count] */
} WeftPieces;
/* open: one cell field with a layer of ghosts. Collective. */
PetscErrorCode WeftPiecesFind(WeftGrid grid, PetscInt batch, WeftState open, WeftPieces *pieces);
PetscErrorCode WeftPiecesDestroy(WeftPieces *pieces);
/* values [sample][owned cells]: subtracts the mean over each singular open piece. Collective if there is one. */
PetscErrorCode WeftPiecesRemoveMeans(WeftGrid grid, PetscInt batch, WeftPieces *pieces, double *values);

/* ---- obstacles ----------------------------------------------------------------------------------------------------------- */

/* The faces between open and closed cells, and the capacitance matrix on them. */
typedef struct _n_WeftCapacitance *WeftCapacitance;
#define WEFT_CAPACITANCE_MOST 46340 /* faces: an int counts the entries of their matrix, as MPI does */
/* How many such faces there are. Collective. */
PetscErrorCode WeftCapacitanceCount(WeftGrid grid, WeftState open, PetscInt *faces);
PetscErrorCode WeftCapacitanceCreate(WeftGrid grid, PetscInt batch, WeftBox box, WeftState open, const WeftPieces *pieces, WeftCapacitance *capacitance);
PetscErrorCode WeftCapacitanceDestroy(WeftCapacitance *capacitance);
/* Values of the box: b (0 in closed cells) -> p, of which the values in closed cells mean nothing. Collective. */
PetscErrorCode WeftCapacitanceSolve(WeftCapacitance capacitance);

/* ---- conjugate gradients ------------------------------------------------------------------------------------------------- */

/* A x = b for a symmetric definite A and all samples of a batch, with the same bits on every layout (conjugate.c). The caller gives
   comm, batch, n, total, and what A is: image := A direction; z := M^-1 residual, in room of the caller's (precondition NULL: M = 1). */
typedef struct {
  MPI_Comm    comm;
  PetscInt    batch, n, total; /* unknowns of a sample: of this rank, of all ranks */
  double     *residual, *solution, *direction, *image, *terms; /* [batch][n] */
  PetscReal  *scalars;                                         /* [5][batch] */
  PetscInt64 *sums;                                            /* [batch][2] */
  PetscErrorCode (*multiply)(void *context);
  PetscErrorCode (*precondition)(void *context, const double **z);
  void *context;
} WeftConjugate;
PetscErrorCode WeftConjugateSetUp(WeftConjugate *conjugate); /* room for the arrays */
PetscErrorCode WeftConjugateDestroy(WeftConjugate *conjugate);
/* residual: b on entry. solution := A^-1 b to 1e-14 |b|, at most `most` iterations. *left: 0, or where it did not converge |r| / |b| of
   a sample, or NaN. Collective: four reductions an iteration, six with a preconditioner. */
PetscErrorCode WeftConjugateSolve(WeftConjugate *conjugate, PetscInt most, PetscInt *iterations, PetscReal *left);

/* ---- L with obstacles ------------------------------------------------------------------------------------------------------ */

struct _n_WeftPoisson {
  PetscInt        references;
  WeftGrid        grid;
  MPI_Comm        comm;
  PetscInt        batch, cells; /* owned cells */
  WeftBox         box;
  WeftState       open;         /* batch 1, a layer of ghosts; NULL: no closed cell */
  PetscBool      *closed;       /* [cells], with open */
  WeftPieces      pieces;       /* with obstacles */
  WeftCapacitance capacitance;  /* NULL: conjugate gradients, or no obstacle */
  WeftState       search, image; /* conjugate gradients: directions d, and L d */
  WeftConjugate   conjugate;
  WeftBox         single;       /* for one sample, the preconditioner of KSP; made on first use */
};
/* As WeftPoissonCreate; direct false: without what WeftPoissonSolve needs for obstacles. */
PetscErrorCode WeftPoissonCreateFor(WeftGrid grid, PetscInt batch, WeftState open, PetscBool direct, WeftPoisson *poisson);
/* WeftPoissonSolve in two parts, for a right-hand side that is made in place: where it goes, [sample][owned cells]; x from what
   stands there. The second is collective. */
double        *WeftPoissonValues(WeftPoisson poisson);
PetscErrorCode WeftPoissonSolveValues(WeftPoisson poisson, WeftState x);
/* Sets closed cells to 0 and removes the means over singular pieces: values [sample][owned cells] into the space on which L
   is invertible. Collective if there is such a piece. */
PetscErrorCode WeftPoissonRestrict(WeftPoisson poisson, double *values);
/* image := L search on open cells, 0 in closed ones. Collective. */
PetscErrorCode WeftPoissonMultiply(WeftPoisson poisson, WeftState search, WeftState image);
PetscErrorCode WeftPoissonIterateSetUp(WeftPoisson poisson);
/* Values of the box: b -> p by conjugate gradients with the box solve as preconditioner. Collective. */
PetscErrorCode WeftPoissonIterate(WeftPoisson poisson);

/* A solve through PETSc's KSP with options prefix -pressure_, for all samples in turn, its true residual checked. */
typedef struct _n_WeftKrylov *WeftKrylov;
/* Are there options that ask for it? */
PetscErrorCode WeftKrylovWanted(PetscBool *wanted);
PetscErrorCode WeftKrylovCreate(WeftPoisson poisson, WeftKrylov *krylov);
PetscErrorCode WeftKrylovDestroy(WeftKrylov *krylov);
PetscErrorCode WeftKrylovSolve(WeftKrylov krylov, WeftState b, WeftState p);

#endif
