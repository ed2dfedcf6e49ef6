/* Implicit diffusion by conjugate gradients whose scalar products are sums of the same bits on every layout, so the iterates are as
   well. A = 1 - dt viscosity Laplacian is applied as the explicit operator run backwards in time; it is symmetric and positive
   definite under every side rule, and its condition number is 1 + 4 dim times the diffusion number. */
#include "op/rows.h"
#include "solve/impl.h"
#include "solve/implicit.h"

#define TOLERANCE 1e-14
#define MOST_ITERATIONS 5000

typedef struct {
  WeftOp     backwards; /* y - dt viscosity Laplacian(y) */
  MPI_Comm   comm;
  PetscInt   batch, rows, total; /* unknowns of a sample: mine, of all ranks */
  WeftState  search, image;
  double    *residual, *solution, *direction, *product, *terms; /* [sample][field][unknowns] */
  PetscReal *scalars;                                           /* [4][batch] */
  PetscInt64 *sums;                                             /* [batch][2] */
} Conjugate;

/* Between the unknowns of a state and an array. */
static void Copy(const Conjugate *c, WeftState state, double *values, PetscBool load)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));

  for (PetscInt b = 0; b < c->batch; b++)
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

static PetscErrorCode Products(Conjugate *c, const double *x, const double *y, PetscReal product[])
{
  PetscFunctionBegin;
  PetscCall(WeftExactProducts(c->comm, c->total, c->batch, c->rows, x, y, c->terms, c->sums, product));
  PetscFunctionReturn(0);
}

/* product := A direction */
static PetscErrorCode Multiply(Conjugate *c, WeftState viscosity)
{
  const WeftState x[2] = {c->search, viscosity}, dx[2] = {c->search, NULL};

  PetscFunctionBegin;
  Copy(c, c->search, c->direction, PETSC_FALSE);
  PetscCall(WeftOpTangent(c->backwards, x, &c->image, NULL, dx, &c->image));
  Copy(c, c->image, c->product, PETSC_TRUE);
  PetscFunctionReturn(0);
}

/* solution := A^-1 residual. Samples that have converged stay as they are: their steps are 0. */
static PetscErrorCode Solve(Conjugate *c, WeftState viscosity)
{
  const PetscInt n   = c->batch, all = n * c->rows;
  PetscReal     *rr = c->scalars, *rr0 = rr + n, *before = rr + 2 * n, *dq = rr + 3 * n;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(c->solution, all));
  PetscCall(PetscArrayzero(c->direction, all));
  PetscCall(Products(c, c->residual, c->residual, rr0));
  for (PetscInt s = 0; s < n; s++) before[s] = 0.0;
  for (PetscInt iteration = 0;; iteration++) {
    PetscBool done = PETSC_TRUE;
    PetscCall(Products(c, c->residual, c->residual, rr));
    for (PetscInt s = 0; s < n; s++)
      if (!(rr[s] <= TOLERANCE * TOLERANCE * rr0[s])) done = PETSC_FALSE;
    if (done) PetscFunctionReturn(0);
    if (iteration == MOST_ITERATIONS || !(rr[0] == rr[0])) return WeftFail(c->comm, "implicit diffusion did not converge in %" PetscInt_FMT " iterations%s; a shorter time step, or -solve_pc_type hypre", iteration, rr[0] == rr[0] ? "" : ": values are not finite");
    for (PetscInt s = 0; s < n; s++) {
      const double beta = before[s] != 0.0 ? rr[s] / before[s] : 0.0;
      for (PetscInt i = s * c->rows; i < (s + 1) * c->rows; i++) c->direction[i] = c->residual[i] + beta * c->direction[i];
      before[s] = rr[s];
    }
    PetscCall(Multiply(c, viscosity));
    PetscCall(Products(c, c->direction, c->product, dq));
    for (PetscInt s = 0; s < n; s++) {
      const double alpha = rr[s] <= TOLERANCE * TOLERANCE * rr0[s] || dq[s] == 0.0 ? 0.0 : rr[s] / dq[s];
      for (PetscInt i = s * c->rows; i < (s + 1) * c->rows; i++) {
        c->solution[i] += alpha * c->direction[i];
        c->residual[i] -= alpha * c->product[i];
      }
    }
  }
}

/* ---- maps -------------------------------------------------------------------------------------------------------------------- */

/* y = x + A^-1 (x - (x - dt viscosity Laplacian(x))): ghosts of moving walls stand in the bracket. */
static PetscErrorCode DiffuseApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  Conjugate *c = (Conjugate *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftOpApply(c->backwards, x, &c->image, NULL));
  Copy(c, x[0], c->residual, PETSC_TRUE);
  Copy(c, c->image, c->product, PETSC_TRUE);
  for (PetscInt i = 0; i < c->batch * c->rows; i++) c->residual[i] -= c->product[i];
  PetscCall(Solve(c, x[1]));
  Copy(c, y[0], c->solution, PETSC_FALSE);
  PetscCall(WeftStateAXPY(y[0], 1.0, x[0]));
  PetscFunctionReturn(0);
}

/* A dy = dx + dt dviscosity Laplacian(y) */
static PetscErrorCode DiffuseTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  Conjugate      *c      = (Conjugate *)WeftOpContext(op);
  const WeftState at[2]  = {y[0], x[1]}, change[2] = {NULL, dx[1]};

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateZero(dy[0]));
  if (dx[1]) PetscCall(WeftOpTangent(c->backwards, at, &c->image, NULL, change, &c->image));
  if (dx[1]) PetscCall(WeftStateAXPY(dy[0], -1.0, c->image));
  if (dx[0]) PetscCall(WeftStateAXPY(dy[0], 1.0, dx[0]));
  Copy(c, dy[0], c->residual, PETSC_TRUE);
  PetscCall(Solve(c, x[1]));
  Copy(c, dy[0], c->solution, PETSC_FALSE);
  PetscFunctionReturn(0);
}

/* A s = y_bar; x_bar += s, viscosity_bar += dt sum of s Laplacian(y) */
static PetscErrorCode DiffuseAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  Conjugate      *c     = (Conjugate *)WeftOpContext(op);
  const WeftState at[2] = {y[0], x[1]}, bar[2] = {NULL, x_bar[1]};

  PetscFunctionBegin;
  (void)record;
  if (!x_bar[0] && !x_bar[1]) PetscFunctionReturn(0);
  Copy(c, y_bar[0], c->residual, PETSC_TRUE);
  PetscCall(Solve(c, x[1]));
  Copy(c, c->search, c->solution, PETSC_FALSE);
  if (x_bar[0]) PetscCall(WeftStateAXPY(x_bar[0], 1.0, c->search));
  if (!x_bar[1]) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < c->batch * c->rows; i++) c->solution[i] = -c->solution[i];
  Copy(c, c->search, c->solution, PETSC_FALSE);
  PetscCall(WeftOpAdjoint(c->backwards, at, &c->image, NULL, &c->search, bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode DiffuseDestroy(void *context)
{
  Conjugate *c = (Conjugate *)context;

  PetscFunctionBegin;
  PetscCall(WeftOpDestroy(&c->backwards));
  PetscCall(WeftStateDestroy(&c->search));
  PetscCall(WeftStateDestroy(&c->image));
  PetscCall(PetscFree7(c->residual, c->solution, c->direction, c->product, c->terms, c->scalars, c->sums));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateConjugateDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps = {DiffuseApply, DiffuseTangent, DiffuseAdjoint, DiffuseDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(fields);
  WeftSpace               in[2];
  PetscInt                all;
  Conjugate              *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  PetscCall(WeftOpCreateDiffuse(fields, -dt, &c->backwards));
  PetscCall(WeftStateCreate(fields, &c->search));
  PetscCall(WeftStateCreate(fields, &c->image));
  c->comm  = info->comm;
  c->batch = info->batch;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
    PetscInt       lo[3], hi[3];
    WeftLayoutUnknowns(WeftGridLayout(info->grid), info->location[f], lo, hi);
    c->rows += rows.n[0] * rows.n[1] * rows.n[2];
    c->total += (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
  }
  all = c->batch * c->rows;
  PetscCall(PetscMalloc7(all, &c->residual, all, &c->solution, all, &c->direction, all, &c->product, all, &c->terms, 4 * c->batch, &c->scalars, 2 * c->batch, &c->sums));
  in[0] = fields;
  in[1] = WeftOpInSpace(c->backwards, 1);
  PetscCall(WeftOpCreate("ImplicitDiffuse", &maps, c, WEFT_NEEDS_INPUTS | WEFT_NEEDS_OUTPUTS, 2, in, 1, &fields, op));
  PetscFunctionReturn(0);
}
