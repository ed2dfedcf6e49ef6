/* solve: fast direct Poisson solves on a box, with obstacles, and the projection built on them. */
#ifndef WEFT_SOLVE_H
#define WEFT_SOLVE_H
#include <petscksp.h>
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

#if defined(__cplusplus)
}
#endif
#endif
