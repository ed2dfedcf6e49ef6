/* The residual of the solver's own time step as a loss, in which no data stand: with S a step of the solver and dt its length, per sample
     0.5 sum over unknowns of w r^2,  r = (x - S(b)) / dt
   b the state before x: the time-discrete momentum equation between two states; b = x: the steady one. S is played again in tangent
   and adjoint, whose part by b goes through it. */
#include "op/rows.h"

typedef struct {
  WeftOp     solver, error; /* the error is weighted by w / dt^2 */
  WeftState  in[WEFT_OP_MAX], out[WEFT_OP_MAX], change[WEFT_OP_MAX], bar[WEFT_OP_MAX], value;
  WeftRecord record;
} ResidualLoss;

static PetscErrorCode Solve(ResidualLoss *v, WeftState before)
{
  PetscFunctionBegin;
  v->in[0] = before;
  PetscCall(WeftOpApply(v->solver, v->in, v->out, v->record));
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  ResidualLoss *v = (ResidualLoss *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  PetscCall(Solve(v, x[1]));
  PetscCall(WeftOpApply(v->error, (WeftState[]){x[0], v->out[0]}, y, NULL));
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  ResidualLoss *v               = (ResidualLoss *)WeftOpContext(op);
  WeftState     din[WEFT_OP_MAX] = {dx[1]};

  PetscFunctionBegin;
  (void)record;
  PetscCall(Solve(v, x[1]));
  if (dx[1]) PetscCall(WeftOpTangent(v->solver, v->in, v->out, v->record, din, v->change));
  PetscCall(WeftOpTangent(v->error, (WeftState[]){x[0], v->out[0]}, y, NULL, (WeftState[]){dx[0], dx[1] ? v->change[0] : NULL}, dy));
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  ResidualLoss *v                   = (ResidualLoss *)WeftOpContext(op);
  WeftState     in_bar[WEFT_OP_MAX] = {x_bar[1]};

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(Solve(v, x[1]));
  for (PetscInt i = 0; i < WeftOpOutputs(v->solver); i++) PetscCall(WeftStateZero(v->bar[i]));
  PetscCall(WeftOpAdjoint(v->error, (WeftState[]){x[0], v->out[0]}, &v->value, NULL, y_bar, (WeftState[]){x_bar[0], x_bar[1] ? v->bar[0] : NULL}));
  if (x_bar[1]) PetscCall(WeftOpAdjoint(v->solver, v->in, v->out, v->record, v->bar, in_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  ResidualLoss *v = (ResidualLoss *)WeftOpContext(op);

  PetscFunctionBegin;
  v->in[0] = x[1];
  PetscCall(WeftOpBranches(v->solver, v->in, count, branches));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  ResidualLoss *v = (ResidualLoss *)context;

  PetscFunctionBegin;
  for (PetscInt i = 1; i < WeftOpInputs(v->solver); i++) PetscCall(WeftStateDestroy(&v->in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(v->solver); i++) {
    PetscCall(WeftStateDestroy(&v->out[i]));
    PetscCall(WeftStateDestroy(&v->change[i]));
    PetscCall(WeftStateDestroy(&v->bar[i]));
  }
  PetscCall(WeftStateDestroy(&v->value));
  PetscCall(WeftRecordDestroy(&v->record));
  PetscCall(WeftOpDestroy(&v->solver));
  PetscCall(WeftOpDestroy(&v->error));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* w / dt^2 of every unknown. */
static PetscErrorCode CreateWeight(WeftSpace space, WeftState weight, PetscReal dt, WeftState *scaled)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  WeftSpace            one;

  PetscFunctionBegin;
  if (weight) PetscCall(WeftSpaceReference(one = WeftStateSpace(weight)));
  else PetscCall(WeftSpaceCreateVelocity(info->grid, 1, &one));
  PetscCall(WeftStateCreate(one, scaled));
  for (PetscInt b = 0; b < WeftSpaceGetInfo(one)->batch; b++) {
    for (PetscInt f = 0; f < info->fields; f++) {
      double *to = WeftStatePlaneWrite(*scaled, f, b);
      for (PetscInt i = 0; i < WeftGridLayout(info->grid)->plane; i++) to[i] = (weight ? WeftStatePlane(weight, f, b)[i] : 1.0) / (dt * dt);
    }
  }
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateResidualLoss(WeftOp solver, PetscReal dt, WeftState weight, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, Branches};
  const WeftSpace         space = WeftOpInSpace(solver, 0), in[2] = {space, space};
  WeftState               scaled;
  ResidualLoss           *v;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckVelocity("ResidualLoss", space, WeftOpOutSpace(solver, 0)));
  PetscCall(PetscNew(&v));
  PetscCall(WeftOpReference(solver));
  v->solver = solver;
  PetscCall(CreateWeight(space, weight, dt, &scaled));
  PetscCall(WeftOpCreateError(space, WEFT_ERROR_SQUARED, scaled, &v->error));
  PetscCall(WeftStateDestroy(&scaled));
  for (PetscInt i = 1; i < WeftOpInputs(solver); i++) PetscCall(WeftStateCreate(WeftOpInSpace(solver, i), &v->in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(solver); i++) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(solver, i), &v->out[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(solver, i), &v->change[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(solver, i), &v->bar[i]));
  }
  PetscCall(WeftStateCreate(WeftOpOutSpace(v->error, 0), &v->value));
  PetscCall(WeftRecordCreate(solver, &v->record));
  PetscCall(WeftOpCreate("residual_loss", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, (WeftSpace[]){WeftOpOutSpace(v->error, 0)}, op));
  PetscFunctionReturn(0);
}

const WeftState *WeftResidualLossInputs(WeftOp op)
{
  return ((ResidualLoss *)WeftOpContext(op))->in;
}

/* The solver diffuses. */
PetscErrorCode WeftOpExample_ResidualLoss(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  WeftSpace velocity, one;
  WeftState weight;
  WeftOp    solver, op;
  double   *viscosity;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &one));
  PetscCall(WeftStateCreate(one, &weight));
  PetscCall(WeftStateSetRandom(weight, 93, 0, 1.0, 0.5));
  PetscCall(WeftOpCreateDiffuse(velocity, 0.5, &solver));
  PetscCall(WeftOpCreateResidualLoss(solver, 0.5, variant ? weight : NULL, &op));
  viscosity = (double *)WeftStateDataWrite(WeftResidualLossInputs(op)[1]);
  for (PetscInt b = 0; b < batch; b++) viscosity[b] = 0.01 * (double)(b + 1);
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftOpDestroy(&solver));
  PetscCall(WeftStateDestroy(&weight));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(const WeftLossSetting *setting, WeftOp *op)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(setting->space);

  PetscFunctionBegin;
  if (!setting->solver) return WeftFailKey(info->comm, "loss_terms", "momentum and steady are the residuals of a solver's step; name its steps in loss_solver");
  PetscCall(WeftOpCreateResidualLoss(setting->solver, setting->dt, setting->weight, op));
  PetscFunctionReturn(0);
}
const WeftLossKind WeftLoss_Momentum = {"momentum", Create, WEFT_LOSS_BEFORE, PETSC_TRUE}, WeftLoss_Steady = {"steady", Create, WEFT_LOSS_STATE, PETSC_TRUE};
