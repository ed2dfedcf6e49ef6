/* Inside src/solve: the pieces of the fast direct solver. */
#ifndef WEFT_SOLVE_IMPL_H
#define WEFT_SOLVE_IMPL_H
#include <weft/solve.h>

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
PetscErrorCode WeftBoxCreate(WeftGrid grid, PetscInt batch, WeftBox *box);
PetscErrorCode WeftBoxReference(WeftBox box);
PetscErrorCode WeftBoxDestroy(WeftBox *box);
PetscBool      WeftBoxSingular(WeftBox box); /* no open side: means are removed */
PetscInt       WeftBoxTridiagonalAxis(WeftBox box);
/* The owned cells [sample][z][y][x], without ghosts. */
double        *WeftBoxValues(WeftBox box);
/* values: b on entry, p on return. Collective. */
PetscErrorCode WeftBoxSolve(WeftBox box);
/* Between values and the planes of a state with one cell field. */
PetscErrorCode WeftBoxLoad(WeftBox box, WeftState b);
PetscErrorCode WeftBoxStore(WeftBox box, WeftState p);

#endif
