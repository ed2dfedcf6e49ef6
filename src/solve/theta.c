/* Time steps of u_t = f(u; p): the theta scheme, implicit, and the classical Runge-Kutta scheme, explicit. */
#include "op/rows.h"
#include "solve/implicit.h"

/* ---- residual of a theta step: F(y, b; p) = y - b - a f(y; p) -------------------------------------------------------------- */

typedef struct {
  WeftOp    f;
  PetscReal a;        /* theta dt */
  PetscInt  identity[WEFT_MAX_FIELDS]; /* entry that holds the diagonal of each field */
} Residual;

/* dF/dy = 1 - a df/dy */
static PetscErrorCode ResidualCoefficients(WeftOp op, void *context, const WeftState x[], PetscInt sample, double *const coefficient[])
{
  const Residual      *r               = (const Residual *)context;
  const WeftStencil   *stencil         = WeftOpGetStencil(r->f);
  const WeftSpaceInfo *info            = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  WeftState            in[WEFT_OP_MAX] = {x[0]};

  PetscFunctionBegin;
  for (PetscInt i = 1; i < WeftOpInputs(r->f); i++) in[i] = x[i + 1];
  PetscCall((*stencil->coefficients)(r->f, stencil->context, in, sample, coefficient));
  for (PetscInt e = 0; e < stencil->entries; e++) {
    const PetscInt row      = stencil->entry[e].row;
    const WeftRows rows     = WeftRowsOwned(WeftGridLayout(info->grid), info->location[row]);
    const double   identity = r->identity[row] == e ? 1.0 : 0.0;
    for (PetscInt k = 0; k < rows.n[2]; k++)
      for (PetscInt j = 0; j < rows.n[1]; j++)
        for (PetscInt i = WEFT_ROW(rows, j, k); i < WEFT_ROW(rows, j, k) + rows.n[0]; i++) coefficient[e][i] = identity - r->a * coefficient[e][i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ResidualDestroy(void *context)
{
  Residual *r = (Residual *)context;

  PetscFunctionBegin;
  PetscCall(WeftOpDestroy(&r->f));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

/* The stencil of f, the diagonal added, its numbers one place further. */
static PetscErrorCode SetStencil(WeftOp f, PetscReal a, WeftOp residual)
{
  const WeftStencil *from    = WeftOpGetStencil(f);
  WeftStencil        stencil = *from;
  Residual          *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  PetscCall(WeftOpReference(f));
  r->f = f;
  r->a = a;
  for (PetscInt g = 0; g < WEFT_MAX_FIELDS; g++) r->identity[g] = -1;
  for (PetscInt e = 0; e < from->entries; e++) {
    const WeftStencilEntry *entry = &from->entry[e];
    if (entry->row == entry->column && !entry->offset[0] && !entry->offset[1] && !entry->offset[2]) r->identity[entry->row] = e;
  }
  for (PetscInt g = 0; g < WeftSpaceGetInfo(WeftOpInSpace(f, 0))->fields; g++) PetscCheck(r->identity[g] >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "the stencil of %s has no entry on the diagonal of field %" PetscInt_FMT, WeftOpName(f), g);
  stencil.coefficients = from->coefficients ? ResidualCoefficients : NULL;
  stencil.context      = r;
  stencil.destroy      = ResidualDestroy;
  stencil.depends      = (from->depends & 1u) | (from->depends & ~1u) << 1;
  PetscCall(WeftOpSetStencil(residual, &stencil));
  PetscFunctionReturn(0);
}

static PetscErrorCode AddNumbers(WeftProgram program, WeftOp f, PetscInt slot[])
{
  PetscFunctionBegin;
  for (PetscInt i = 1; i < WeftOpInputs(f); i++) PetscCall(WeftProgramInput(program, "number", WeftOpInSpace(f, i), &slot[i]));
  PetscFunctionReturn(0);
}

/* out := sum of coefficients times slots. */
static PetscErrorCode Combine(WeftProgram program, WeftSpace space, PetscInt terms, const PetscInt slot[], const PetscReal coefficient[], PetscInt *out)
{
  WeftOp sum;

  PetscFunctionBegin;
  PetscCall(WeftOpCreateSum(space, terms, coefficient, &sum));
  PetscCall(WeftProgramCall(program, sum, slot, out));
  PetscCall(WeftOpDestroy(&sum));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateResidual(WeftOp f, PetscReal a, WeftOp *residual)
{
  const WeftSpace space = WeftOpInSpace(f, 0);
  WeftProgram     program;
  PetscInt        in[WEFT_OP_MAX], y, b, value, out;
  char            name[64];

  PetscFunctionBegin;
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(space)->comm, &program));
  PetscCall(WeftProgramInput(program, "y", space, &y));
  PetscCall(WeftProgramInput(program, "b", space, &b));
  PetscCall(AddNumbers(program, f, in));
  in[0] = y;
  PetscCall(WeftProgramCall(program, f, in, &value));
  PetscCall(Combine(program, space, 3, (const PetscInt[]){y, b, value}, (const PetscReal[]){1.0, -1.0, -a}, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%sStep", WeftOpName(f)));
  PetscCall(WeftProgramFinish(&program, name, residual));
  PetscCall(SetStencil(f, a, *residual));
  PetscFunctionReturn(0);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------- */

static PetscErrorCode CheckRightHandSide(WeftOp f)
{
  PetscFunctionBegin;
  PetscCheck(WeftOpOutputs(f) == 1 && WeftSpaceGetInfo(WeftOpInSpace(f, 0))->kind == WEFT_PLANES && WeftSpaceGetInfo(WeftOpInSpace(f, 0))->bytes == WeftSpaceGetInfo(WeftOpOutSpace(f, 0))->bytes, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "%s is no right-hand side: input 0 and output 0 lie in one space of fields", WeftOpName(f));
  for (PetscInt i = 1; i < WeftOpInputs(f); i++) PetscCheck(WeftSpaceGetInfo(WeftOpInSpace(f, i))->kind == WEFT_NUMBERS, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "right-hand side %s: input %" PetscInt_FMT " is no number", WeftOpName(f), i);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateTheta(WeftOp f, PetscReal theta, PetscReal dt, const WeftImplicitOptions *options, WeftOp *implicit, WeftOp *op)
{
  const WeftSpace     space = WeftOpInSpace(f, 0);
  WeftImplicitOptions own   = *options;
  WeftProgram         program;
  PetscInt            in[WEFT_OP_MAX], x, b, value, out;
  WeftOp              residual, solve;
  PetscErrorCode      ierr;

  PetscFunctionBegin;
  PetscCall(CheckRightHandSide(f));
  PetscCheck(theta > 0.0 && theta <= 1.0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "theta = %g; the implicit scheme has 0 < theta <= 1", (double)theta);
  PetscCall(CreateResidual(f, theta * dt, &residual));
  own.guess = 0;
  ierr = WeftOpCreateImplicit(residual, &own, &solve);
  PetscCall(WeftOpDestroy(&residual));
  if (ierr) PetscFunctionReturn(ierr);
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(space)->comm, &program));
  PetscCall(WeftProgramInput(program, "x", space, &x));
  PetscCall(AddNumbers(program, f, in));
  in[0] = b = x;
  if (theta < 1.0) {
    PetscCall(WeftProgramCall(program, f, in, &value));
    PetscCall(Combine(program, space, 2, (const PetscInt[]){x, value}, (const PetscReal[]){1.0, (1.0 - theta) * dt}, &b));
  }
  in[0] = b;
  PetscCall(WeftProgramCall(program, solve, in, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "ThetaStep", op));
  if (implicit) *implicit = solve;
  PetscCall(WeftOpDestroy(&solve)); /* the program holds it */
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateRungeKutta(WeftOp f, PetscReal dt, WeftOp *op)
{
  static const PetscReal stage[3] = {0.5, 0.5, 1.0};
  const WeftSpace        space    = WeftOpInSpace(f, 0);
  WeftProgram            program;
  PetscInt               in[WEFT_OP_MAX], x, slope[4], out;

  PetscFunctionBegin;
  PetscCall(CheckRightHandSide(f));
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(space)->comm, &program));
  PetscCall(WeftProgramInput(program, "x", space, &x));
  PetscCall(AddNumbers(program, f, in));
  in[0] = x;
  for (PetscInt s = 0; s < 4; s++) {
    PetscCall(WeftProgramCall(program, f, in, &slope[s]));
    if (s < 3) PetscCall(Combine(program, space, 2, (const PetscInt[]){x, slope[s]}, (const PetscReal[]){1.0, stage[s] * dt}, &in[0]));
  }
  PetscCall(Combine(program, space, 5, (const PetscInt[]){x, slope[0], slope[1], slope[2], slope[3]}, (const PetscReal[]){1.0, dt / 6.0, dt / 3.0, dt / 3.0, dt / 6.0}, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "RungeKuttaStep", op));
  PetscFunctionReturn(0);
}
