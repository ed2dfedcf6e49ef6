/* Implicit diffusion by conjugate gradients whose scalar products are sums of the same bits on every layout, so the iterates are as
   well. A = 1 - dt viscosity Laplacian is applied as the explicit operator run backwards in time; it is symmetric and positive
   definite under every side rule, and its condition number is 1 + 4 dim times the diffusion number. */
#include "op/rows.h"
#include "solve/impl.h"
#include "solve/implicit.h"

#define MOST_ITERATIONS 5000

typedef struct {
  WeftOp        backwards; /* y - dt viscosity Laplacian(y) */
  WeftState     search, image;
  WeftState     viscosity; /* of the solve under way */
  WeftConjugate conjugate; /* [sample][field][unknowns] */
} Diffuse;

/* Between the unknowns of a state and an array. */
static void Copy(const Diffuse *c, WeftState state, double *values, PetscBool load)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));

  for (PetscInt b = 0; b < c->conjugate.batch; b++)
    for (PetscInt f = 0; f < info->fields; f++) {
      const WeftRows rows  = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      const double  *from  = WeftStatePlane(state, f, b);
      double        *plane = load ? NULL : WeftStatePlaneWrite(state, f, b);
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++, values += rows.n[0]) {
          if (load) memcpy(values, from + WEFT_ROW(rows, j, k), sizeof(double) * (size_t)rows.n[0]);
          else memcpy(plane + WEFT_ROW(rows, j, k), values, sizeof(double) * (size_t)rows.n[0]);
        }
    }
}

/* image := A direction */
static PetscErrorCode Multiply(void *context)
{
  Diffuse        *c    = (Diffuse *)context;
  const WeftState x[2] = {c->search, c->viscosity}, dx[2] = {c->search, NULL};

  PetscFunctionBegin;
  Copy(c, c->search, c->conjugate.direction, PETSC_FALSE);
  PetscCall(WeftOpTangent(c->backwards, x, &c->image, NULL, dx, &c->image));
  Copy(c, c->image, c->conjugate.image, PETSC_TRUE);
  PetscFunctionReturn(0);
}

/* solution := A^-1 residual */
static PetscErrorCode Solve(Diffuse *c, WeftState viscosity)
{
  PetscInt  iterations;
  PetscReal left;

  PetscFunctionBegin;
  c->viscosity = viscosity;
  PetscCall(WeftConjugateSolve(&c->conjugate, MOST_ITERATIONS, &iterations, &left));
  if (left != 0.0) return WeftFail(c->conjugate.comm, "implicit diffusion did not converge in %" PetscInt_FMT " iterations%s; a shorter time step, or -solve_pc_type hypre", iterations, left == left ? "" : ": values are not finite");
  PetscFunctionReturn(0);
}

/* ---- maps -------------------------------------------------------------------------------------------------------------------- */

/* y = x + A^-1 (x - (x - dt viscosity Laplacian(x))): ghosts of moving walls stand in the bracket. */
static PetscErrorCode DiffuseApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  Diffuse *c = (Diffuse *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftOpApply(c->backwards, x, &c->image, NULL));
  Copy(c, x[0], c->conjugate.residual, PETSC_TRUE);
  Copy(c, c->image, c->conjugate.image, PETSC_TRUE);
  for (PetscInt i = 0; i < c->conjugate.batch * c->conjugate.n; i++) c->conjugate.residual[i] -= c->conjugate.image[i];
  PetscCall(Solve(c, x[1]));
  Copy(c, y[0], c->conjugate.solution, PETSC_FALSE);
  PetscCall(WeftStateAXPY(y[0], 1.0, x[0]));
  PetscFunctionReturn(0);
}

/* A dy = dx + dt dviscosity Laplacian(y) */
static PetscErrorCode DiffuseTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  Diffuse        *c      = (Diffuse *)WeftOpContext(op);
  const WeftState at[2]  = {y[0], x[1]}, change[2] = {NULL, dx[1]};

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateZero(dy[0]));
  if (dx[1]) PetscCall(WeftOpTangent(c->backwards, at, &c->image, NULL, change, &c->image));
  if (dx[1]) PetscCall(WeftStateAXPY(dy[0], -1.0, c->image));
  if (dx[0]) PetscCall(WeftStateAXPY(dy[0], 1.0, dx[0]));
  Copy(c, dy[0], c->conjugate.residual, PETSC_TRUE);
  PetscCall(Solve(c, x[1]));
  Copy(c, dy[0], c->conjugate.solution, PETSC_FALSE);
  PetscFunctionReturn(0);
}

/* A s = y_bar; x_bar += s, viscosity_bar += dt sum of s Laplacian(y) */
static PetscErrorCode DiffuseAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  Diffuse        *c     = (Diffuse *)WeftOpContext(op);
  const WeftState at[2] = {y[0], x[1]}, bar[2] = {NULL, x_bar[1]};

  PetscFunctionBegin;
  (void)record;
  if (!x_bar[0] && !x_bar[1]) PetscFunctionReturn(0);
  Copy(c, y_bar[0], c->conjugate.residual, PETSC_TRUE);
  PetscCall(Solve(c, x[1]));
  Copy(c, c->search, c->conjugate.solution, PETSC_FALSE);
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, c->search));
  if (!x_bar[1]) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < c->conjugate.batch * c->conjugate.n; i++) c->conjugate.solution[i] = -c->conjugate.solution[i];
  Copy(c, c->search, c->conjugate.solution, PETSC_FALSE);
  PetscCall(WeftOpAdjoint(c->backwards, at, &c->image, NULL, &c->search, bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode DiffuseDestroy(void *context)
{
  Diffuse *c = (Diffuse *)context;

  PetscFunctionBegin;
  PetscCall(WeftOpDestroy(&c->backwards));
  PetscCall(WeftStateDestroy(&c->search));
  PetscCall(WeftStateDestroy(&c->image));
  PetscCall(WeftConjugateDestroy(&c->conjugate));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateConjugateDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps = {DiffuseApply, DiffuseTangent, DiffuseAdjoint, DiffuseDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(fields);
  WeftSpace               in[2];
  Diffuse                *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  PetscCall(WeftOpCreateDiffuse(fields, -dt, &c->backwards));
  PetscCall(WeftStateCreate(fields, &c->search));
  PetscCall(WeftStateCreate(fields, &c->image));
  c->conjugate = (WeftConjugate){.comm = info->comm, .batch = info->batch, .multiply = Multiply, .context = c};
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    PetscInt       lo[3], hi[3];
    WeftLayoutUnknowns(WeftGridLayout(info->grid), info->location[f], lo, hi);
    c->conjugate.n += rows.n[0] * rows.n[1] * rows.n[2];
    c->conjugate.total += (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
  }
  PetscCall(WeftConjugateSetUp(&c->conjugate));
  in[0] = fields;
  in[1] = WeftOpInSpace(c->backwards, 1);
  PetscCall(WeftOpCreate("ImplicitDiffuse", &maps, c, WEFT_NEEDS_INPUTS | WEFT_NEEDS_OUTPUTS, 2, in, 1, &fields, op));
  PetscFunctionReturn(0);
}
