/* Programs: fixed lists of operator calls on slots, frozen into operators. */
#include "op/impl.h"

typedef enum { SLOT_INPUT, SLOT_VIEW, SLOT_INTERNAL, SLOT_OUTPUT } SlotKind;

typedef struct {
  SlotKind  kind;
  WeftSpace space;
  PetscInt  place;  /* which input or output; VIEW: slot of the numbers it is a part of */
  PetscInt  offset; /* VIEW */
  PetscInt  record; /* INTERNAL: its place in the record, or -1: not needed by any adjoint */
  PetscInt  reads;  /* how many calls read it */
  WeftState value, tangent, bar; /* INTERNAL: scratch, made on first use; OUTPUT: bar when it is also read inside */
  PetscBool blank;  /* bar is to be zeroed before its first use in this sweep: then it is in cache for the sum */
  WeftState view[3];             /* VIEW: handles that are pointed at the numbers of the moment */
} Slot;

typedef struct {
  WeftOp   op;
  PetscInt in[WEFT_OP_MAX], out[WEFT_OP_MAX];
} Call;

struct _n_WeftProgram {
  MPI_Comm comm;
  PetscInt slots, calls, inputs, outputs, room_slots, room_calls;
  Slot    *slot;
  Call    *call;
  PetscInt input[WEFT_OP_MAX], output[WEFT_OP_MAX];
  WeftState *now[3]; /* [slot] states of the sweep under way: values, tangents, adjoints */
};
enum { VALUE, TANGENT, BAR };

PetscErrorCode WeftProgramCreate(MPI_Comm comm, WeftProgram *program)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(program));
  (*program)->comm = comm;
  PetscFunctionReturn(0);
}

static PetscErrorCode AddSlot(WeftProgram p, SlotKind kind, WeftSpace space, PetscInt *slot)
{
  PetscFunctionBegin;
  if (p->slots == p->room_slots) {
    p->room_slots = 2 * p->room_slots + 16;
    PetscCall(PetscRealloc(sizeof(Slot) * (size_t)p->room_slots, &p->slot));
  }
  PetscCall(PetscMemzero(&p->slot[p->slots], sizeof(Slot)));
  PetscCall(WeftSpaceReference(space));
  p->slot[p->slots].kind   = kind;
  p->slot[p->slots].space  = space;
  p->slot[p->slots].record = -1;
  *slot                    = p->slots++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramInput(WeftProgram p, const char *name, WeftSpace space, PetscInt *slot)
{
  PetscFunctionBegin;
  PetscCheck(p->inputs < WEFT_OP_MAX, p->comm, PETSC_ERR_ARG_OUTOFRANGE, "program input %s: more than %d inputs", name, WEFT_OP_MAX);
  PetscCall(AddSlot(p, SLOT_INPUT, space, slot));
  p->slot[*slot].place    = p->inputs;
  p->input[p->inputs++] = *slot;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramView(WeftProgram p, PetscInt numbers, PetscInt offset, PetscInt count, PetscInt *slot)
{
  const WeftSpaceInfo *info;
  WeftSpace            space;

  PetscFunctionBegin;
  PetscCheck(numbers >= 0 && numbers < p->slots && p->slot[numbers].kind == SLOT_INPUT, p->comm, PETSC_ERR_ARG_WRONG, "a view is a part of an input of numbers");
  info = WeftSpaceGetInfo(p->slot[numbers].space);
  PetscCheck(info->kind == WEFT_NUMBERS && !info->per_sample && offset >= 0 && offset + count <= info->count, p->comm, PETSC_ERR_ARG_OUTOFRANGE, "a view of numbers [%" PetscInt_FMT ", %" PetscInt_FMT ") of %" PetscInt_FMT, offset, offset + count, info->count);
  PetscCall(WeftSpaceCreateNumbers(p->comm, info->batch, count, PETSC_FALSE, &space));
  PetscCall(AddSlot(p, SLOT_VIEW, space, slot));
  PetscCall(WeftSpaceDestroy(&space));
  p->slot[*slot].place  = numbers;
  p->slot[*slot].offset = offset;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramCall(WeftProgram p, WeftOp op, const PetscInt in[], PetscInt out[])
{
  Call *call;

  PetscFunctionBegin;
  if (p->calls == p->room_calls) {
    p->room_calls = 2 * p->room_calls + 16;
    PetscCall(PetscRealloc(sizeof(Call) * (size_t)p->room_calls, &p->call));
  }
  call = &p->call[p->calls++];
  PetscCall(WeftOpReference(op));
  call->op = op;
  for (PetscInt i = 0; i < op->inputs; i++) {
    PetscCheck(in[i] >= 0 && in[i] < p->slots, p->comm, PETSC_ERR_ARG_OUTOFRANGE, "input %" PetscInt_FMT " of operator %s: no slot %" PetscInt_FMT, i, op->name, in[i]);
    PetscCheck(WeftSpaceGetInfo(p->slot[in[i]].space)->bytes == WeftSpaceGetInfo(op->in[i])->bytes && WeftSpaceGetInfo(p->slot[in[i]].space)->kind == WeftSpaceGetInfo(op->in[i])->kind, p->comm, PETSC_ERR_ARG_INCOMP, "input %" PetscInt_FMT " of operator %s: the slot is of another space", i, op->name);
    call->in[i] = in[i];
    p->slot[in[i]].reads++;
  }
  for (PetscInt i = 0; i < op->outputs; i++) {
    PetscCall(AddSlot(p, SLOT_INTERNAL, op->out[i], &out[i]));
    call->out[i] = out[i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramOutput(WeftProgram p, PetscInt slot)
{
  PetscFunctionBegin;
  PetscCheck(slot >= 0 && slot < p->slots && p->slot[slot].kind == SLOT_INTERNAL, p->comm, PETSC_ERR_ARG_WRONG, "an output of a program is a slot that a call wrote, given once");
  p->slot[slot].kind      = SLOT_OUTPUT;
  p->slot[slot].place     = p->outputs;
  p->output[p->outputs++] = slot;
  PetscFunctionReturn(0);
}

/* ---- sweeps -------------------------------------------------------------------------------------------------- */

static PetscErrorCode Scratch(Slot *slot, WeftState *state)
{
  PetscFunctionBegin;
  if (!*state) PetscCall(WeftStateCreate(slot->space, state));
  PetscFunctionReturn(0);
}

/* The part of `numbers` that a view slot names; handles are re-made only when the numbers moved. */
static PetscErrorCode PointView(const Slot *slot, WeftState numbers, WeftState *view)
{
  PetscFunctionBegin;
  if (*view && WeftStateData(*view) != (const char *)WeftStateData(numbers) + sizeof(double) * (size_t)slot->offset) PetscCall(WeftStateDestroy(view));
  if (!*view) PetscCall(WeftStateCreateView(numbers, slot->offset, WeftSpaceGetInfo(slot->space)->count, view));
  PetscFunctionReturn(0);
}

static PetscErrorCode BindValues(WeftProgram p, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  for (PetscInt s = 0; s < p->slots; s++) {
    Slot *slot = &p->slot[s];
    if (slot->kind == SLOT_INPUT) p->now[VALUE][s] = x[slot->place];
    else if (slot->kind == SLOT_OUTPUT) p->now[VALUE][s] = y[slot->place];
    else if (slot->kind == SLOT_VIEW) {
      PetscCall(PointView(slot, x[p->slot[slot->place].place], &slot->view[VALUE]));
      p->now[VALUE][s] = slot->view[VALUE];
    } else if (record && slot->record >= 0) p->now[VALUE][s] = record->state[slot->record];
    else {
      PetscCall(Scratch(slot, &slot->value));
      p->now[VALUE][s] = slot->value;
    }
  }
  PetscFunctionReturn(0);
}

static void Pick(WeftState *const now, PetscInt n, const PetscInt slots[], WeftState picked[])
{
  for (PetscInt i = 0; i < n; i++) picked[i] = now[slots[i]];
}

static PetscErrorCode ProgramApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  WeftProgram p = (WeftProgram)op->context;

  PetscFunctionBegin;
  PetscCall(BindValues(p, x, y, record));
  for (PetscInt c = 0; c < p->calls; c++) {
    const Call *call = &p->call[c];
    WeftState   in[WEFT_OP_MAX], out[WEFT_OP_MAX];
    Pick(p->now[VALUE], call->op->inputs, call->in, in);
    Pick(p->now[VALUE], call->op->outputs, call->out, out);
    PetscCall(WeftOpApply(call->op, in, out, record ? record->child[c] : NULL));
  }
  PetscFunctionReturn(0);
}

/* Marks the slots that depend on an input whose tangent or adjoint takes part; calls that do not are left out. */
static PetscBool AnyActive(WeftState *const now, const Call *call)
{
  for (PetscInt i = 0; i < call->op->inputs; i++)
    if (now[call->in[i]]) return PETSC_TRUE;
  return PETSC_FALSE;
}

static PetscErrorCode ProgramTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  WeftProgram p   = (WeftProgram)op->context;
  WeftState  *now = p->now[TANGENT];

  PetscFunctionBegin;
  PetscCheck(record, p->comm, PETSC_ERR_ARG_NULL, "the tangent of program %s needs the record of its apply", op->name);
  PetscCall(BindValues(p, x, y, record));
  for (PetscInt s = 0; s < p->slots; s++) {
    Slot *slot = &p->slot[s];
    now[s]     = slot->kind == SLOT_INPUT ? dx[slot->place] : NULL;
    if (slot->kind == SLOT_VIEW && dx[p->slot[slot->place].place]) {
      PetscCall(PointView(slot, dx[p->slot[slot->place].place], &slot->view[TANGENT]));
      now[s] = slot->view[TANGENT];
    }
  }
  for (PetscInt c = 0; c < p->calls; c++) {
    const Call     *call   = &p->call[c];
    const PetscBool active = AnyActive(now, call);
    WeftState       in[WEFT_OP_MAX], out[WEFT_OP_MAX], din[WEFT_OP_MAX], dout[WEFT_OP_MAX];
    for (PetscInt i = 0; i < call->op->outputs; i++) {
      Slot *slot = &p->slot[call->out[i]];
      if (slot->kind == SLOT_OUTPUT) now[call->out[i]] = dy[slot->place];
      else if (active) {
        PetscCall(Scratch(slot, &slot->tangent));
        now[call->out[i]] = slot->tangent;
      }
      if (!active && now[call->out[i]]) PetscCall(WeftStateZero(now[call->out[i]]));
    }
    if (!active) continue;
    Pick(p->now[VALUE], call->op->inputs, call->in, in);
    Pick(p->now[VALUE], call->op->outputs, call->out, out);
    Pick(now, call->op->inputs, call->in, din);
    Pick(now, call->op->outputs, call->out, dout);
    PetscCall(WeftOpTangent(call->op, in, out, record->child[c], din, dout));
  }
  PetscFunctionReturn(0);
}

/* Adjoints of the slots: the caller's for inputs and outputs, blank scratch inside. */
static PetscErrorCode BindBars(WeftProgram p, const WeftState y_bar[], const WeftState x_bar[])
{
  WeftState *now = p->now[BAR];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < p->slots; s++) {
    Slot *slot = &p->slot[s];
    now[s]     = slot->kind == SLOT_INPUT ? x_bar[slot->place] : NULL;
    if (slot->kind == SLOT_VIEW && x_bar[p->slot[slot->place].place]) {
      PetscCall(PointView(slot, x_bar[p->slot[slot->place].place], &slot->view[BAR]));
      now[s] = slot->view[BAR];
    }
  }
  for (PetscInt c = 0; c < p->calls; c++) {
    if (!AnyActive(now, &p->call[c])) continue;
    for (PetscInt i = 0; i < p->call[c].op->outputs; i++) {
      const PetscInt s    = p->call[c].out[i];
      Slot          *slot = &p->slot[s];
      if (slot->kind == SLOT_OUTPUT && !slot->reads) { /* only the caller adds to it */
        now[s] = y_bar[slot->place];
        continue;
      }
      PetscCall(Scratch(slot, &slot->bar));
      slot->blank = slot->kind == SLOT_OUTPUT ? PETSC_FALSE : PETSC_TRUE;
      if (!slot->blank) PetscCall(WeftStateCopy(y_bar[slot->place], slot->bar));
      now[s] = slot->bar;
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ZeroBlanks(WeftProgram p, PetscInt n, const PetscInt slots[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    Slot *slot = &p->slot[slots[i]];
    if (!slot->blank) continue;
    PetscCall(WeftStateZero(slot->bar));
    slot->blank = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ProgramAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  WeftProgram p = (WeftProgram)op->context;

  PetscFunctionBegin;
  PetscCheck(record, p->comm, PETSC_ERR_ARG_NULL, "the adjoint of program %s needs the record of its apply", op->name);
  PetscCall(BindValues(p, x, y, record));
  PetscCall(BindBars(p, y_bar, x_bar));
  for (PetscInt c = p->calls - 1; c >= 0; c--) {
    const Call *call = &p->call[c];
    WeftState   in[WEFT_OP_MAX], out[WEFT_OP_MAX], in_bar[WEFT_OP_MAX], out_bar[WEFT_OP_MAX];
    if (!AnyActive(p->now[BAR], call)) continue;
    PetscCall(ZeroBlanks(p, call->op->inputs, call->in));
    PetscCall(ZeroBlanks(p, call->op->outputs, call->out));
    Pick(p->now[VALUE], call->op->inputs, call->in, in);
    Pick(p->now[VALUE], call->op->outputs, call->out, out);
    Pick(p->now[BAR], call->op->inputs, call->in, in_bar);
    Pick(p->now[BAR], call->op->outputs, call->out, out_bar);
    PetscCall(WeftOpAdjoint(call->op, in, out, record->child[c], out_bar, in_bar));
  }
  PetscFunctionReturn(0);
}

/* Branches of every call, one after another. */
static PetscErrorCode ProgramBranches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  WeftProgram p = (WeftProgram)op->context;
  WeftState   y[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < op->outputs; i++) PetscCall(WeftStateCreate(op->out[i], &y[i]));
  PetscCall(ProgramApply(op, x, y, NULL));
  for (PetscInt c = 0; c < p->calls; c++) {
    const Call *call = &p->call[c];
    WeftState   in[WEFT_OP_MAX];
    PetscInt    more, *those;
    BindValues(p, x, y, NULL);
    Pick(p->now[VALUE], call->op->inputs, call->in, in);
    PetscCall(WeftOpBranches(call->op, in, &more, &those));
    if (!more) continue;
    PetscCall(PetscRealloc(sizeof(PetscInt) * (size_t)(*count + more), branches));
    PetscCall(PetscArraycpy(*branches + *count, those, more));
    PetscCall(PetscFree(those));
    *count += more;
  }
  for (PetscInt i = 0; i < op->outputs; i++) PetscCall(WeftStateDestroy(&y[i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProgramDestroy(void *context)
{
  WeftProgram p = (WeftProgram)context;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < p->slots; s++) {
    Slot *slot = &p->slot[s];
    PetscCall(WeftStateDestroy(&slot->value));
    PetscCall(WeftStateDestroy(&slot->tangent));
    PetscCall(WeftStateDestroy(&slot->bar));
    for (PetscInt k = 0; k < 3; k++) PetscCall(WeftStateDestroy(&slot->view[k]));
    PetscCall(WeftSpaceDestroy(&slot->space));
  }
  for (PetscInt c = 0; c < p->calls; c++) PetscCall(WeftOpDestroy(&p->call[c].op));
  for (PetscInt k = 0; k < 3; k++) PetscCall(PetscFree(p->now[k]));
  PetscCall(PetscFree(p->slot));
  PetscCall(PetscFree(p->call));
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}

/* A slot is kept if the adjoint of a call reads it: those inside go into the record, the others are the caller's. */
static PetscErrorCode Keep(WeftProgram p, PetscInt s, int *needs, PetscInt *kept)
{
  Slot *slot = &p->slot[s];

  PetscFunctionBegin;
  if (slot->kind == SLOT_OUTPUT) *needs |= WEFT_NEEDS_OUTPUTS;
  else if (slot->kind != SLOT_INTERNAL) *needs |= WEFT_NEEDS_INPUTS;
  else if (slot->record < 0) slot->record = (*kept)++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramFinish(WeftProgram *program, const char *name, WeftOp *op)
{
  static const WeftOpMaps maps = {ProgramApply, ProgramTangent, ProgramAdjoint, ProgramDestroy, ProgramBranches};
  WeftProgram             p    = *program;
  WeftSpace               in[WEFT_OP_MAX], out[WEFT_OP_MAX], *spaces;
  WeftOp                 *children;
  int                     needs = WEFT_NEEDS_NOTHING;
  PetscInt                kept  = 0;

  PetscFunctionBegin;
  *program = NULL;
  for (PetscInt c = 0; c < p->calls; c++) {
    const Call *call = &p->call[c];
    for (PetscInt i = 0; i < call->op->inputs && (call->op->needs & WEFT_NEEDS_INPUTS); i++) PetscCall(Keep(p, call->in[i], &needs, &kept));
    for (PetscInt i = 0; i < call->op->outputs && (call->op->needs & WEFT_NEEDS_OUTPUTS); i++) PetscCall(Keep(p, call->out[i], &needs, &kept));
  }
  for (PetscInt i = 0; i < p->inputs; i++) in[i] = p->slot[p->input[i]].space;
  for (PetscInt i = 0; i < p->outputs; i++) out[i] = p->slot[p->output[i]].space;
  for (PetscInt k = 0; k < 3; k++) PetscCall(PetscCalloc1(p->slots, &p->now[k]));
  PetscCall(WeftOpCreate(name, &maps, p, needs, p->inputs, in, p->outputs, out, op));
  PetscCall(PetscMalloc2(kept, &spaces, p->calls, &children));
  for (PetscInt s = 0; s < p->slots; s++)
    if (p->slot[s].record >= 0) spaces[p->slot[s].record] = p->slot[s].space;
  for (PetscInt c = 0; c < p->calls; c++) children[c] = p->call[c].op;
  PetscCall(WeftOpSetRecord(*op, kept, spaces));
  PetscCall(WeftOpSetRecordChildren(*op, p->calls, children));
  PetscCall(PetscFree2(spaces, children));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProgramCalls(WeftOp op, PetscInt *calls, const WeftOp **ops)
{
  PetscFunctionBegin;
  *calls = op->children;
  *ops   = op->child;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpWatch(WeftOp op, const WeftState x[], const WeftState y[], WeftOpWatcher watch, void *context)
{
  WeftProgram p = (WeftProgram)op->context;

  PetscFunctionBegin;
  if (op->maps.apply != ProgramApply) {
    PetscCall(WeftOpApply(op, x, y, NULL));
    PetscCall((*watch)(op, x, y, context));
    PetscFunctionReturn(0);
  }
  for (PetscInt c = 0; c < p->calls; c++) {
    const Call *call = &p->call[c];
    WeftState   in[WEFT_OP_MAX], out[WEFT_OP_MAX];
    PetscCall(BindValues(p, x, y, NULL)); /* anew: the watcher may have applied this program elsewhere */
    Pick(p->now[VALUE], call->op->inputs, call->in, in);
    Pick(p->now[VALUE], call->op->outputs, call->out, out);
    PetscCall(WeftOpApply(call->op, in, out, NULL));
    PetscCall((*watch)(call->op, in, out, context));
  }
  PetscFunctionReturn(0);
}
