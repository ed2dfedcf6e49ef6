/* The operator contract. */
#include "op/impl.h"

static WeftOpAfterAdjoint after_adjoint;
static void              *after_context;

static PetscErrorCode RegisterEvent(const char *name, const char *suffix, PetscLogEvent *event)
{
  static PetscClassId class_id;
  char                full[96];

  PetscFunctionBegin;
  if (!class_id) PetscCall(PetscClassIdRegister("WeftOp", &class_id));
  PetscCall(PetscSNPrintf(full, sizeof(full), "%s%s", name, suffix));
  PetscCall(PetscLogEventGetId(full, event)); /* operators of one name share their line of -log_view */
  if (*event < 0) PetscCall(PetscLogEventRegister(full, class_id, event));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreate(const char *name, const WeftOpMaps *maps, void *context, int needs, PetscInt inputs, const WeftSpace in[], PetscInt outputs, const WeftSpace out[], WeftOp *op)
{
  WeftOp o;

  PetscFunctionBegin;
  PetscCheck(maps->apply && maps->tangent && maps->adjoint, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "operator %s lacks its %s; an operator has apply, tangent and adjoint", name, !maps->apply ? "apply" : !maps->tangent ? "tangent" : "adjoint");
  PetscCheck(inputs >= 1 && inputs <= WEFT_OP_MAX && outputs >= 1 && outputs <= WEFT_OP_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "operator %s: %" PetscInt_FMT " inputs, %" PetscInt_FMT " outputs; 1 to %d are possible", name, inputs, outputs, WEFT_OP_MAX);
  PetscCall(PetscNew(&o));
  o->references = 1;
  PetscCall(PetscStrallocpy(name, &o->name));
  PetscCall(RegisterEvent(name, "", &o->event[0]));
  PetscCall(RegisterEvent(name, "_tan", &o->event[1]));
  PetscCall(RegisterEvent(name, "_adj", &o->event[2]));
  o->maps    = *maps;
  o->context = context;
  o->needs   = needs;
  o->inputs  = inputs;
  o->outputs = outputs;
  for (PetscInt i = 0; i < inputs; i++) {
    PetscCall(WeftSpaceReference(in[i]));
    o->in[i] = in[i];
  }
  for (PetscInt i = 0; i < outputs; i++) {
    PetscCall(WeftSpaceReference(out[i]));
    o->out[i] = out[i];
  }
  *op = o;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpReference(WeftOp op)
{
  PetscFunctionBegin;
  op->references++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpDestroy(WeftOp *op)
{
  WeftOp o = *op;

  PetscFunctionBegin;
  *op = NULL;
  if (!o || --o->references) PetscFunctionReturn(0);
  if (o->maps.destroy) PetscCall((*o->maps.destroy)(o->context));
  for (PetscInt i = 0; i < o->inputs; i++) PetscCall(WeftSpaceDestroy(&o->in[i]));
  for (PetscInt i = 0; i < o->outputs; i++) PetscCall(WeftSpaceDestroy(&o->out[i]));
  for (PetscInt i = 0; i < o->record_states; i++) PetscCall(WeftSpaceDestroy(&o->record_space[i]));
  for (PetscInt i = 0; i < o->children; i++) PetscCall(WeftOpDestroy(&o->child[i]));
  if (o->stencil && o->stencil->destroy) PetscCall((*o->stencil->destroy)(o->stencil->context));
  if (o->stencil) PetscCall(PetscFree(o->stencil->entry));
  PetscCall(PetscFree(o->stencil));
  PetscCall(PetscFree(o->record_space));
  PetscCall(PetscFree(o->child));
  PetscCall(PetscFree(o->name));
  PetscCall(PetscFree(o));
  PetscFunctionReturn(0);
}

void WeftOpSetAfterAdjoint(WeftOpAfterAdjoint after, void *context)
{
  after_adjoint = after;
  after_context = context;
}

PetscErrorCode WeftOpSetPhase(WeftOp op, WeftPhase phase)
{
  PetscFunctionBegin;
  op->phase = phase;
  PetscFunctionReturn(0);
}

void       *WeftOpContext(WeftOp op) { return op->context; }
const char *WeftOpName(WeftOp op) { return op->name; }
int         WeftOpNeeds(WeftOp op) { return op->needs; }
PetscInt    WeftOpInputs(WeftOp op) { return op->inputs; }
PetscInt    WeftOpOutputs(WeftOp op) { return op->outputs; }
WeftSpace   WeftOpInSpace(WeftOp op, PetscInt input) { return op->in[input]; }
WeftSpace   WeftOpOutSpace(WeftOp op, PetscInt output) { return op->out[output]; }

/* A state fits a slot if it has its size: spaces made twice from one description are equal. */
static PetscErrorCode CheckStates(WeftOp op, const char *what, PetscInt n, const WeftSpace space[], const WeftState state[], PetscBool optional)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    if (!state[i] && optional) continue;
    PetscCheck(state[i], PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "operator %s: %s %" PetscInt_FMT " is missing", op->name, what, i);
    PetscCheck(WeftSpaceGetInfo(WeftStateSpace(state[i]))->kind == WeftSpaceGetInfo(space[i])->kind && WeftSpaceGetInfo(WeftStateSpace(state[i]))->bytes == WeftSpaceGetInfo(space[i])->bytes, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP, "operator %s: %s %" PetscInt_FMT " is of another space", op->name, what, i);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Begin(WeftOp op, PetscInt map)
{
  PetscFunctionBegin;
  if (op->phase != WEFT_PHASE_OTHER) PetscCall(WeftPhaseBegin(op->phase));
  PetscCall(PetscLogEventBegin(op->event[map], 0, 0, 0, 0));
  PetscFunctionReturn(0);
}

static PetscErrorCode End(WeftOp op, PetscInt map)
{
  PetscFunctionBegin;
  PetscCall(PetscLogEventEnd(op->event[map], 0, 0, 0, 0));
  if (op->phase != WEFT_PHASE_OTHER) PetscCall(WeftPhaseEnd(op->phase));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  PetscCall(CheckStates(op, "input", op->inputs, op->in, x, PETSC_FALSE));
  PetscCall(CheckStates(op, "output", op->outputs, op->out, y, PETSC_FALSE));
  PetscCall(Begin(op, 0));
  PetscCall((*op->maps.apply)(op, x, y, record));
  PetscCall(End(op, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  PetscFunctionBegin;
  PetscCall(CheckStates(op, "input tangent", op->inputs, op->in, dx, PETSC_TRUE));
  PetscCall(CheckStates(op, "output tangent", op->outputs, op->out, dy, PETSC_FALSE));
  PetscCall(Begin(op, 1));
  PetscCall((*op->maps.tangent)(op, x, y, record, dx, dy));
  PetscCall(End(op, 1));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  PetscFunctionBegin;
  PetscCall(CheckStates(op, "output adjoint", op->outputs, op->out, y_bar, PETSC_FALSE));
  PetscCall(CheckStates(op, "input adjoint", op->inputs, op->in, x_bar, PETSC_TRUE));
  PetscCall(Begin(op, 2));
  PetscCall((*op->maps.adjoint)(op, x, y, record, y_bar, x_bar));
  PetscCall(End(op, 2));
  if (after_adjoint && !op->children) PetscCall((*after_adjoint)(op, x_bar, after_context));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpBranches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  PetscFunctionBegin;
  *count    = 0;
  *branches = NULL;
  if (op->maps.branches) PetscCall((*op->maps.branches)(op, x, count, branches));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpSetStencil(WeftOp op, const WeftStencil *stencil)
{
  WeftStencilEntry *entry;

  PetscFunctionBegin;
  PetscCheck(!op->stencil, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONGSTATE, "the stencil of operator %s is set already", op->name);
  PetscCall(PetscNew(&op->stencil));
  PetscCall(PetscMalloc1(stencil->entries, &entry));
  PetscCall(PetscArraycpy(entry, stencil->entry, stencil->entries));
  *op->stencil       = *stencil;
  op->stencil->entry = entry;
  PetscFunctionReturn(0);
}

const WeftStencil *WeftOpGetStencil(WeftOp op) { return op->stencil; }

PetscErrorCode WeftOpSetRecord(WeftOp op, PetscInt states, const WeftSpace spaces[])
{
  PetscFunctionBegin;
  PetscCheck(!op->record_states, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONGSTATE, "the record of operator %s is set already", op->name);
  op->record_states = states;
  PetscCall(PetscMalloc1(states, &op->record_space));
  for (PetscInt i = 0; i < states; i++) {
    PetscCall(WeftSpaceReference(spaces[i]));
    op->record_space[i] = spaces[i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpSetRecordChildren(WeftOp op, PetscInt children, const WeftOp child[])
{
  PetscFunctionBegin;
  op->children = children;
  PetscCall(PetscMalloc1(children, &op->child));
  for (PetscInt i = 0; i < children; i++) {
    PetscCall(WeftOpReference(child[i]));
    op->child[i] = child[i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRecordCreate(WeftOp op, WeftRecord *record)
{
  WeftRecord r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  r->states   = op->record_states;
  r->children = op->children;
  PetscCall(PetscMalloc1(r->states, &r->state));
  PetscCall(PetscMalloc1(r->children, &r->child));
  for (PetscInt i = 0; i < r->states; i++) PetscCall(WeftStateCreate(op->record_space[i], &r->state[i]));
  for (PetscInt i = 0; i < r->children; i++) PetscCall(WeftRecordCreate(op->child[i], &r->child[i]));
  *record = r;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRecordDestroy(WeftRecord *record)
{
  WeftRecord r = *record;

  PetscFunctionBegin;
  *record = NULL;
  if (!r) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < r->states; i++) PetscCall(WeftStateDestroy(&r->state[i]));
  for (PetscInt i = 0; i < r->children; i++) PetscCall(WeftRecordDestroy(&r->child[i]));
  PetscCall(PetscFree(r->state));
  PetscCall(PetscFree(r->child));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

WeftState WeftRecordState(WeftRecord record, PetscInt i) { return record->state[i]; }

size_t WeftOpRecordBytes(WeftOp op)
{
  size_t bytes = 0;
  for (PetscInt i = 0; i < op->record_states; i++) bytes += WeftSpaceGetInfo(op->record_space[i])->bytes;
  for (PetscInt i = 0; i < op->children; i++) bytes += WeftOpRecordBytes(op->child[i]);
  return bytes;
}
