/* Implicit diffusion: y = x + dt viscosity Laplacian(y), backward Euler. Its residual is that of the explicit operator run
   backwards in time, F(y; x, viscosity) = (y - dt viscosity Laplacian(y)) - x. */
#include "op/rows.h"
#include "solve/implicit.h"

/* Per field: the place itself, then below and above along each axis. */
static PetscErrorCode Coefficients(WeftOp op, void *context, const WeftState x[], PetscInt b, double *const coefficient[])
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftLayout    *l     = WeftGridLayout(info->grid);
  const double         scale = *(const PetscReal *)context * ((const double *)WeftStateData(x[2]))[b]; /* dt viscosity */
  double               own   = 1.0;
  PetscInt             e     = 0;

  PetscFunctionBegin;
  for (PetscInt a = 0; a < l->dim; a++) own += 2.0 * scale / (l->h[a] * l->h[a]);
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt n = 0; n < 1 + 2 * l->dim; n++, e++) {
      const double value = n ? -scale / PetscSqr(l->h[(n - 1) / 2]) : own;
      for (PetscInt i = 0; i < l->plane; i++) coefficient[e][i] = value;
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode FreeContext(void *context) { return PetscFree(context); }

static PetscErrorCode SetStencil(WeftOp residual, PetscReal dt)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(residual, 0));
  const PetscInt       dim  = WeftGridLayout(info->grid)->dim;
  WeftStencilEntry     entry[7 * WEFT_MAX_FIELDS];
  WeftStencil          stencil = {.entry = entry, .coefficients = Coefficients, .destroy = FreeContext, .depends = 4u, .symmetric = PETSC_TRUE};
  PetscReal           *context;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    entry[stencil.entries++] = (WeftStencilEntry){f, f, {0, 0, 0}};
    for (PetscInt a = 0; a < dim; a++)
      for (PetscInt end = -1; end <= 1; end += 2) {
        entry[stencil.entries]             = (WeftStencilEntry){f, f, {0, 0, 0}};
        entry[stencil.entries++].offset[a] = end;
      }
  }
  PetscCall(PetscNew(&context));
  *context        = dt;
  stencil.context = context;
  PetscCall(WeftOpSetStencil(residual, &stencil));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateAssembled(WeftSpace fields, PetscReal dt, WeftOp *op)
{
  const PetscReal     minus[2] = {1.0, -1.0};
  WeftImplicitOptions options;
  WeftProgram         program;
  PetscInt            in[3], value, out;
  WeftOp              backwards, difference, residual;

  PetscFunctionBegin;
  PetscCall(WeftOpCreateDiffuse(fields, -dt, &backwards));
  PetscCall(WeftOpCreateSum(fields, 2, minus, &difference));
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(fields)->comm, &program));
  PetscCall(WeftProgramInput(program, "y", fields, &in[0]));
  PetscCall(WeftProgramInput(program, "x", fields, &in[1]));
  PetscCall(WeftProgramInput(program, "viscosity", WeftOpInSpace(backwards, 1), &in[2]));
  PetscCall(WeftProgramCall(program, backwards, (const PetscInt[]){in[0], in[2]}, &value));
  PetscCall(WeftProgramCall(program, difference, (const PetscInt[]){value, in[1]}, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "implicit diffusion", &residual));
  PetscCall(SetStencil(residual, dt));
  PetscCall(WeftImplicitOptionsDefault(&options));
  PetscCall(WeftOpCreateImplicit(residual, &options, op));
  PetscCall(WeftOpDestroy(&residual));
  PetscCall(WeftOpDestroy(&difference));
  PetscCall(WeftOpDestroy(&backwards));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateImplicitDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op)
{
  PetscBool ksp, pc;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, "solve_", "-ksp_type", &ksp));
  PetscCall(PetscOptionsHasName(NULL, "solve_", "-pc_type", &pc));
  PetscCall((ksp || pc ? CreateAssembled : WeftOpCreateConjugateDiffuse)(fields, dt, op));
  PetscFunctionReturn(0);
}

/* A diffusion number of 5; the second variant through PETSc. */
PetscErrorCode WeftOpExample_ImplicitDiffuse(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space;
  WeftOp    op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space));
  PetscCall((variant ? CreateAssembled : WeftOpCreateConjugateDiffuse)(space, 5.0 * PetscSqr(WeftGridLayout(grid)->h[0]), &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->offset[1]    = 1.0;
  example->amplitude[1] = 0.2;
  example->tolerance    = 1e-10;
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
