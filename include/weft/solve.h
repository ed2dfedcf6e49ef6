/* solve: fast direct Poisson solves on a box, with obstacles, and the projection built on them. */
#ifndef WEFT_SOLVE_H
#define WEFT_SOLVE_H
#include <petscsnes.h>
#include <weft/op.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Solves L p = b at the cells of a grid for all samples of a batch at once, where
     (L p)(c) = sum over faces f of c that are open of (p(neighbour over f) - p(c)) / h^2,
   a face being open if both its cells are, a face of a closed side never, a face of an open side with p = 0 one spacing
   beyond. Sides: periodic, closed (Neumann), open (Dirichlet) in any mix, 1D to 3D. Transforms (FFTW) along all axes but one
   and a tridiagonal solve per mode along that one; whole lines by transposes over any process grid; the same bits on every
   rank count and process grid. Obstacles (closed cells): a capacitance matrix of the faces between open and closed cells, made
   at creation; above -pressure_capacitance_max such faces, conjugate gradients with the fast solve as preconditioner to
   1e-14 |b|. Where L is singular (a connected piece of open cells that no open side touches) the mean of b
   over the piece is removed and p has mean zero there. p = 0 in closed cells. L is symmetric, so the adjoint is the same solve. */
typedef struct _n_WeftPoisson *WeftPoisson;
/* open: one cell field, batch 1, 1 in open cells, 0 in closed ones; NULL: all open. Copied. Collective on the grid. */
PetscErrorCode WeftPoissonCreate(WeftGrid grid, PetscInt batch, WeftState open, WeftPoisson *poisson);
PetscErrorCode WeftPoissonDestroy(WeftPoisson *poisson);
/* b, p: one cell field with the batch; may be the same state. Collective on the space communicator. */
PetscErrorCode WeftPoissonSolve(WeftPoisson poisson, WeftState b, WeftState p);
/* -L as an assembled matrix of the grid's DM (global PETSc ordering of WeftGridGetDM): the negative, so that it is positive
   (semi)definite as CG and multigrid expect; null space attached where singular; a closed cell has its diagonal alone.
   References the Poisson solve. Collective. */
PetscErrorCode WeftPoissonCreateMat(WeftPoisson poisson, Mat *mat);
/* Registers the preconditioner type "weft", the fast solve without obstacles, for matrices of WeftPoissonCreateMat
   (which calls this): -pressure_pc_type weft, or PCSetType(pc, "weft") in a solver of one's own. */
PetscErrorCode WeftPoissonRegisterPC(void);

/* velocity -> velocity without divergence, and the pressure (dt/density times it) that it took:
     p = L^-1 div u,  y = u - grad p  on open faces;  y = u elsewhere.
   Outputs: velocity, pressure (one cell field). open as above. Tangent: the same, prescribed normal velocities at rest; adjoint:
   one solve with the same L. With -pressure_ksp_type or -pressure_pc_type set every solve goes through PETSc's KSP with prefix
   -pressure_ (any pc; "weft" is the fast solve; relative tolerance 1e-12 unless -pressure_ksp_rtol), for the samples in turn; a
   solve that fails, or whose true residual misses the tolerance, is an error. */
PetscErrorCode WeftOpCreateProject(WeftSpace velocity, WeftState open, WeftOp *op);

/* White noise x -> smooth random fields y = a (1 - length^2 Laplacian)^-1 x, any cell fields (Whittle: On stationary processes in the plane,
   Biometrika 41, 1954): a fast direct solve, the slope zero at sides that are not periodic. a is such that x of variance 1 per cell gives,
   away from sides, fields of the standard deviation given; |x|^2 / 2 is then minus the logarithm of their probability, up to a constant. */
PetscErrorCode WeftOpCreateSmooth(WeftSpace fields, PetscReal length, PetscReal deviation, WeftOp *op);

/* ---- implicit operators ---------------------------------------------------------------------------------------- */

/* An operator whose output y solves F(y, x...; p...) = 0. F is itself an operator, the residual: input 0 is y, output 0 is F, both
   in one space of planes, the inputs beyond 0 are those of the implicit operator; it says with WeftOpSetStencil how F depends on y.
     apply    Newton's method (SNES, KSP; -solve_snes_..., -solve_ksp_..., -solve_pc_...) with dF/dy assembled; where dF/dy does not
              depend on y, one linear solve with the same options
     tangent  dF/dy dy = -(dF/dx dx): one linear solve; -tangent_ksp_... over the options of -solve_
     adjoint  (dF/dy)^T s = y_bar, x_bar -= (dF/dx)^T s: one solve with the transposed matrix, made explicit, so that any
              preconditioner serves; -adjoint_ksp_..., -adjoint_pc_... over the options of -solve_
   The matrix is assembled anew at the solution; it and its preconditioner are used again while nothing that they depend on has
   changed (WeftStencil). After every linear solve the true residual is computed; while it is above the tolerance (ksp_rtol, default
   1e-12) the solve is repeated for what is left, and what does not come down is an error. Defaults: Newton to 1e-10 of the first
   residual or to round-off, GMRES (symmetric stencils: CG) with PETSc's preconditioner of the matrix. Failed solves are errors
   with PETSc's reason and what to try. All samples of the batch are one system. Results agree on all layouts to the tolerances, not
   bit for bit: Krylov methods sum over the ranks. */
typedef struct {
  PetscInt  guess;    /* input of the implicit operator, in the space of y, at which Newton starts; -1: zero. Default 0 */
  PetscReal accuracy; /* relative accuracy asked of a gradient: sets the adjoint's tolerance by an estimate of its error; 0: none.
                         Default -gradient_accuracy */
  PetscInt  solves;   /* adjoint solves of a gradient (steps of a rollout), among which accuracy is shared. Default 1 */
} WeftImplicitOptions;
PetscErrorCode WeftImplicitOptionsDefault(WeftImplicitOptions *options);
PetscErrorCode WeftOpCreateImplicit(WeftOp residual, const WeftImplicitOptions *options, WeftOp *op);

/* What the solves of an implicit operator took since the last reset. */
typedef struct {
  PetscInt  solves, newton, krylov;         /* forward: calls, Newton's iterations, Krylov iterations */
  PetscInt  assemblies;                     /* matrices made, forward, tangent and adjoint */
  PetscInt  adjoint_solves, adjoint_krylov; /* adjoint */
  PetscReal adjoint_residual;               /* largest true |A' s - b| / |b| */
  PetscReal adjoint_error;                  /* with an accuracy: estimate of the relative error of the gradient: the sum over the adjoint
                                               solves of |error of s| / |s| */
} WeftImplicitReport;
PetscErrorCode WeftImplicitGetReport(WeftOp op, WeftImplicitReport *report);
PetscErrorCode WeftImplicitResetReport(WeftOp op);

/* The matrix dF/dy of an operator with a stencil at x[]; rows: [sample][z][y][x][field] for cell fields, else field by field.
   Collective. */
PetscErrorCode WeftOpAssemble(WeftOp op, const WeftState x[], Mat *mat);
/* |analytic - coloured| / |coloured|, Frobenius: the stencil's coefficients against the tangent. Collective. */
PetscErrorCode WeftOpCheckStencil(WeftOp op, const WeftState x[], PetscReal *difference);

/* y = x + dt viscosity Laplacian(y), every field: one step of backward Euler, stable for any dt. Inputs and ghosts as of
   WeftOpCreateDiffuse (<weft/op.h>). Conjugate gradients without a matrix, to 1e-14, of the same bits on every layout; with
   -solve_ksp_type or -solve_pc_type set an implicit operator as above, whose matrix is made once for each viscosity. */
PetscErrorCode WeftOpCreateImplicitDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op);

/* ---- time steps from a right-hand side --------------------------------------------------------------------------- */

/* u_t = f(u; p...): an operator with input 0 and output 0 in one space of planes, and numbers as further inputs.
   Theta: y = x + dt (theta f(y; p) + (1 - theta) f(x; p)); theta 1: backward Euler, 1/2: Crank-Nicolson. f needs a stencil.
   A program of f, a sum and an implicit operator; *implicit (may be NULL): that operator, borrowed, for its report.
   Runge-Kutta 4: the classical explicit scheme of Kutta (1901), a program. Both: (x, p...) -> y. Collective. */
PetscErrorCode WeftOpCreateTheta(WeftOp f, PetscReal theta, PetscReal dt, const WeftImplicitOptions *options, WeftOp *implicit, WeftOp *op);
PetscErrorCode WeftOpCreateRungeKutta(WeftOp f, PetscReal dt, WeftOp *op);

#if defined(__cplusplus)
}
#endif
#endif
