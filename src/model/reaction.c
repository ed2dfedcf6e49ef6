/* Right-hand side of reaction and diffusion with a reaction of one's own: c_t = diffusivity Laplacian(c) + reaction(c; p...). */
#include "op/impl.h"
#include "op/rows.h"
#include <weft/model.h>

typedef struct {
  WeftOp     diffusion, reaction;
  WeftRecord record;               /* of the reaction */
  WeftState  rate, direction;      /* reaction at x; 1 in one field */
  WeftState  by[WEFT_MAX_FIELDS];  /* derivative of the rates by each field */
} ReactionDiffusion;

/* Derivatives of the rates by every field at x, for all samples: at each place the rates depend on that place alone. */
static PetscErrorCode Differentiate(ReactionDiffusion *r, const WeftState x[])
{
  const WeftSpaceInfo *info            = WeftSpaceGetInfo(WeftOpInSpace(r->reaction, 0));
  WeftState            in[WEFT_OP_MAX] = {x[0]}, dx[WEFT_OP_MAX] = {r->direction};

  PetscFunctionBegin;
  for (PetscInt i = 1; i < WeftOpInputs(r->reaction); i++) in[i] = x[i + 1];
  PetscCall(WeftOpApply(r->reaction, in, &r->rate, r->record));
  for (PetscInt g = 0; g < info->fields; g++) {
    PetscCall(WeftStateZero(r->direction));
    for (PetscInt b = 0; b < info->batch; b++) {
      double *plane = WeftStatePlaneWrite(r->direction, g, b);
      for (PetscInt i = 0; i < WeftGridLayout(info->grid)->plane; i++) plane[i] = 1.0;
    }
    PetscCall(WeftOpTangent(r->reaction, in, &r->rate, r->record, dx, &r->by[g]));
  }
  PetscFunctionReturn(0);
}

/* The entries of the diffusion, whose first per field is the place itself, then the other fields at the place. */
static PetscErrorCode Coefficients(WeftOp op, void *context, const WeftState x[], PetscInt b, double *const coefficient[])
{
  ReactionDiffusion   *r       = (ReactionDiffusion *)context;
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  const WeftStencil   *stencil = WeftOpGetStencil(r->diffusion);
  const WeftRows       rows    = WeftRowsOwned(WeftGridLayout(info->grid), WEFT_CELL);
  PetscInt             e       = stencil->entries;

  PetscFunctionBegin;
  if (b == 0) PetscCall(Differentiate(r, x));
  PetscCall((*stencil->coefficients)(r->diffusion, stencil->context, x, b, coefficient));
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt g = 0; g < info->fields; g++) {
      const double *by = WeftStatePlane(r->by[g], f, b);
      double       *to = f == g ? coefficient[f * stencil->entries / info->fields] : coefficient[e++];
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++)
          for (PetscInt i = WEFT_ROW(rows, j, k); i < WEFT_ROW(rows, j, k) + rows.n[0]; i++) to[i] = (f == g ? to[i] : 0.0) + by[i];
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyContext(void *context)
{
  ReactionDiffusion *r = (ReactionDiffusion *)context;

  PetscFunctionBegin;
  PetscCall(WeftRecordDestroy(&r->record));
  PetscCall(WeftStateDestroy(&r->rate));
  PetscCall(WeftStateDestroy(&r->direction));
  for (PetscInt g = 0; g < WEFT_MAX_FIELDS; g++) PetscCall(WeftStateDestroy(&r->by[g]));
  PetscCall(WeftOpDestroy(&r->diffusion));
  PetscCall(WeftOpDestroy(&r->reaction));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

static PetscErrorCode SetStencil(WeftOp diffusion, WeftOp reaction, WeftOp op)
{
  const WeftSpace    space   = WeftOpInSpace(op, 0);
  const PetscInt     fields  = WeftSpaceGetInfo(space)->fields;
  const WeftStencil *from    = WeftOpGetStencil(diffusion);
  WeftStencilEntry   entry[WEFT_MAX_FIELDS * (7 + WEFT_MAX_FIELDS)];
  WeftStencil        stencil = {.entries = from->entries, .entry = entry, .coefficients = Coefficients, .destroy = DestroyContext, .depends = (1u << WeftOpInputs(op)) - 1u};
  ReactionDiffusion *r;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(entry, from->entry, from->entries));
  for (PetscInt f = 0; f < fields; f++)
    for (PetscInt g = 0; g < fields; g++)
      if (f != g) entry[stencil.entries++] = (WeftStencilEntry){f, g, {0, 0, 0}};
  PetscCall(PetscNew(&r));
  PetscCall(WeftOpReference(diffusion));
  PetscCall(WeftOpReference(reaction));
  r->diffusion = diffusion;
  r->reaction  = reaction;
  PetscCall(WeftRecordCreate(reaction, &r->record));
  PetscCall(WeftStateCreate(space, &r->rate));
  PetscCall(WeftStateCreate(space, &r->direction));
  for (PetscInt g = 0; g < fields; g++) PetscCall(WeftStateCreate(space, &r->by[g]));
  stencil.context = r;
  PetscCall(WeftOpSetStencil(op, &stencil));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateReactionDiffusion(WeftOp reaction, WeftOp *op)
{
  const WeftSpace space   = WeftOpInSpace(reaction, 0);
  const PetscReal both[2] = {1.0, 1.0};
  PetscInt        in[WEFT_OP_MAX], react[WEFT_OP_MAX], rate[2], out;
  WeftProgram     program;
  WeftOp          diffusion, sum;

  PetscFunctionBegin;
  PetscCheck(WeftOpOutputs(reaction) == 1 && WeftSpaceGetInfo(space)->bytes == WeftSpaceGetInfo(WeftOpOutSpace(reaction, 0))->bytes, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "%s is no reaction: from fields to rates of the same fields", WeftOpName(reaction));
  PetscCall(WeftOpCreateDiffusion(space, &diffusion));
  PetscCall(WeftOpCreateSum(space, 2, both, &sum));
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(space)->comm, &program));
  PetscCall(WeftProgramInput(program, "fields", space, &in[0]));
  PetscCall(WeftProgramInput(program, "diffusivities", WeftOpInSpace(diffusion, 1), &in[1]));
  react[0] = in[0];
  for (PetscInt i = 1; i < WeftOpInputs(reaction); i++) PetscCall(WeftProgramInput(program, "numbers", WeftOpInSpace(reaction, i), &react[i]));
  PetscCall(WeftProgramCall(program, diffusion, in, &rate[0]));
  PetscCall(WeftProgramCall(program, reaction, react, &rate[1]));
  PetscCall(WeftProgramCall(program, sum, rate, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "ReactionDiffusion", op));
  PetscCall(SetStencil(diffusion, reaction, *op));
  PetscCall(WeftOpDestroy(&diffusion));
  PetscCall(WeftOpDestroy(&sum));
  PetscFunctionReturn(0);
}

/* The reaction is here one of numbers alone: rates c + strength shape, as an inflow gives them. */
PetscErrorCode WeftOpExample_ReactionDiffusion(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace space, one;
  WeftState shape;
  WeftOp    inflow, op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftOpExampleCells(grid, 1, 2, &one));
  PetscCall(WeftStateCreate(one, &shape));
  PetscCall(WeftStateSetRandom(shape, 5, 0, 0.0, 1.0));
  PetscCall(WeftOpCreateInflow(space, shape, &inflow));
  PetscCall(WeftOpCreateReactionDiffusion(inflow, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftOpDestroy(&inflow));
  PetscCall(WeftStateDestroy(&shape));
  PetscCall(WeftSpaceDestroy(&one));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
