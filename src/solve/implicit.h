/* Inside src/solve: what an implicit solve is made of. Unknowns are numbered, a stencil becomes a matrix, linear solves are
   checked. */
#ifndef WEFT_SOLVE_IMPLICIT_H
#define WEFT_SOLVE_IMPLICIT_H
#include <weft/solve.h>

/* ---- unknowns --------------------------------------------------------------------------------------------------- */

/* The unknowns of a space of planes, all samples, as the rows of a vector: cell fields interleaved, [sample][z][y][x][field];
   with faces among them one field after another. */
typedef struct _n_WeftNumbering *WeftNumbering;
PetscErrorCode WeftNumberingCreate(WeftSpace space, WeftNumbering *unknowns);
PetscErrorCode WeftNumberingDestroy(WeftNumbering *unknowns);
PetscErrorCode WeftNumberingCreateVec(WeftNumbering unknowns, Vec *vec);
PetscErrorCode WeftNumberingToVec(WeftNumbering unknowns, WeftState state, Vec vec);
PetscErrorCode WeftNumberingFromVec(WeftNumbering unknowns, Vec vec, WeftState state);
PetscInt       WeftNumberingBlock(WeftNumbering unknowns); /* rows of a cell that stand together */
/* Place of the first value of (field, sample) in this rank's part, and the distance between neighbours of its storage order. */
PetscInt WeftNumberingFirst(WeftNumbering unknowns, PetscInt field, PetscInt sample, PetscInt *stride);

/* ---- matrix ----------------------------------------------------------------------------------------------------- */

/* The derivative of output 0 of an operator with a stencil by its input 0, assembled. */
typedef struct _n_WeftAssembled *WeftAssembled;
/* coloured: from coloured tangents, though the stencil may have coefficients. Collective. */
PetscErrorCode WeftAssembledCreate(WeftOp op, PetscBool coloured, WeftAssembled *assembled);
PetscErrorCode WeftAssembledDestroy(WeftAssembled *assembled);
/* Makes the matrix that of x[], unless it is so already: nothing that it depends on has changed. Collective. */
PetscErrorCode WeftAssembledUpdate(WeftAssembled assembled, const WeftState x[]);
PetscInt       WeftAssembledVersion(WeftAssembled assembled); /* counts the matrices made, from 1 */
Mat            WeftAssembledMat(WeftAssembled assembled);
WeftNumbering   WeftAssembledUnknowns(WeftAssembled assembled);

/* Implicit diffusion by conjugate gradients of the same bits on every layout. */
PetscErrorCode WeftOpCreateConjugateDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op);

/* ---- linear solve ------------------------------------------------------------------------------------------------- */

typedef struct {
  PetscInt  iterations;
  PetscReal residual; /* true |b - A x| / |b| */
  PetscReal error;    /* estimate of |error of x| / |x|; 0 if none was asked for */
} WeftLinearReport;
typedef struct _n_WeftLinear *WeftLinear;
/* A KSP with the options of `prefix`, then those of `second` (or NULL), which so go first; rtol: tolerance unless the options
   of the last prefix say another. what: for messages, as "adjoint solve of Burgers". like: NULL, or a solve whose preconditioner
   is shared unless `second` sets one. */
PetscErrorCode WeftLinearCreate(MPI_Comm comm, const char *what, const char *prefix, const char *second, PetscBool symmetric, PetscReal rtol, WeftLinear like, WeftLinear *linear);
PetscErrorCode WeftLinearDestroy(WeftLinear *linear);
/* x := A^-1 b. The true residual is computed whatever KSP says; while it is above the tolerance the solve is repeated for it; what
   does not come down is an error with KSP's reason. accuracy > 0: the error of x is estimated by a solve for the residual, to
   a tenth, and added; until the estimate is below accuracy. Collective. */
PetscErrorCode WeftLinearSolve(WeftLinear linear, Mat mat, Vec b, Vec x, PetscReal accuracy, WeftLinearReport *report);
/* A KSP of the user's choice: types that this PETSc lacks, or that need one rank, are mistakes of the user. */
PetscErrorCode WeftSolverCheckOptions(MPI_Comm comm, const char *prefix);
PetscErrorCode WeftSolverCheckFactor(KSP ksp, Mat mat, const char *prefix);
/* What to try after a KSP's failure. */
const char *WeftSolverAdvice(KSPConvergedReason reason);
#endif
