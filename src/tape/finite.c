/* Non-finite values: the check of every step, and the search for the operator that made one. */
#include "tape/impl.h"
#include "base/kernel.h"

#define PLACE_ROOM 160 /* of the words for a place */

/* All exponent bits set: infinity or NaN. In integers, so that the loop vectorises. */
WEFT_KERNEL static uint64_t AnyDouble(PetscInt n, const double *restrict x)
{
  const uint64_t exponent = 0x7ff0000000000000u;
  uint64_t       any      = 0;
  for (PetscInt i = 0; i < n; i++) {
    uint64_t bits;
    memcpy(&bits, &x[i], sizeof(bits));
    any |= (uint64_t)((bits & exponent) == exponent);
  }
  return any;
}

WEFT_KERNEL static uint32_t AnyFloat(PetscInt n, const float *restrict x)
{
  const uint32_t exponent = 0x7f800000u;
  uint32_t       any      = 0;
  for (PetscInt i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof(bits));
    any |= (uint32_t)((bits & exponent) == exponent);
  }
  return any;
}

/* Eight running sums: the order is fixed, and the loop vectorises. */
WEFT_KERNEL static double SquareRow(PetscInt n, const double *restrict x)
{
  double   sum[8] = {0.0}, rest = 0.0;
  PetscInt i = 0;
  for (; i + 8 <= n; i += 8)
    for (PetscInt k = 0; k < 8; k++) sum[k] += x[i + k] * x[i + k];
  for (; i < n; i++) rest += x[i] * x[i];
  for (PetscInt k = 0; k < 8; k++) rest += sum[k];
  return rest;
}

typedef struct {
  PetscBool bad;
  PetscReal square;
} Found;

static void Row(PetscInt n, const double *x, Found *found, PetscBool squares)
{
  if (squares) found->square += SquareRow(n, x);
  else if (AnyDouble(n, x)) found->bad = PETSC_TRUE;
}

/* Goes through the owned values. Ghosts of CHANNELS are looked at too: they are copies or zero. */
static Found Look(WeftState state, PetscBool squares)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(state));
  Found                found = {PETSC_FALSE, 0.0};

  if (info->kind == WEFT_NUMBERS) Row(info->count * (info->per_sample ? info->batch : 1), (const double *)WeftStateData(state), &found, squares);
  else if (info->kind == WEFT_CHANNELS && info->single) found.bad = AnyFloat((PetscInt)(info->bytes / sizeof(float)), (const float *)WeftStateData(state)) ? PETSC_TRUE : PETSC_FALSE;
  else if (info->kind == WEFT_CHANNELS) Row((PetscInt)(info->bytes / sizeof(double)), (const double *)WeftStateData(state), &found, squares);
  else {
    const WeftLayout *l = WeftGridLayout(info->grid);
    for (PetscInt f = 0; f < info->fields; f++) {
      PetscInt lo[3], hi[3];
      WeftLayoutOwned(l, info->location[f], lo, hi);
      for (PetscInt b = 0; b < info->batch; b++) {
        const double *plane = WeftStatePlane(state, f, b);
        for (PetscInt k = lo[2]; k < hi[2]; k++)
          for (PetscInt j = lo[1]; j < hi[1]; j++) Row(hi[0] - lo[0], plane + WeftLayoutIndex(l, lo[0], j, k), &found, squares);
      }
    }
  }
  return found;
}

PetscBool WeftStateNotFinite(WeftState state) { return Look(state, PETSC_FALSE).bad; }

PetscReal WeftStateSquare(WeftState state) { return Look(state, PETSC_TRUE).square; }

static double ValueAt(WeftState state, const WeftSpaceInfo *info, PetscInt f, PetscInt b, PetscInt c, PetscInt i, PetscInt j, PetscInt k)
{
  const WeftLayout *l = WeftGridLayout(info->grid);
  size_t            at;
  PetscInt          extent[3];

  if (info->kind == WEFT_PLANES) return WeftStatePlane(state, f, b)[WeftLayoutIndex(l, i, j, k)];
  for (PetscInt a = 0; a < 3; a++) extent[a] = l->count[a] + (a < l->dim ? 2 * info->width : 0);
  at = (size_t)((((b * extent[2] + k - l->start[2] + (l->dim > 2 ? info->width : 0)) * extent[1] + j - l->start[1] + (l->dim > 1 ? info->width : 0)) * extent[0] + i - l->start[0] + info->width) * info->channels + c);
  return info->single ? (double)((const float *)WeftStateData(state))[at] : ((const double *)WeftStateData(state))[at];
}

/* The first value of a state that is not finite: "velocity_x at cell (3, 0, 0) of sample 1", faces by the cell above them. */
static PetscBool Locate(WeftState state, char text[], size_t room)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  PetscInt             lo[3], hi[3];

  if (info->kind == WEFT_NUMBERS) {
    const double *x = (const double *)WeftStateData(state);
    for (PetscInt i = 0; i < info->count * (info->per_sample ? info->batch : 1); i++) {
      if (!PetscIsInfOrNanReal(x[i])) continue;
      snprintf(text, room, "number %d", (int)i);
      return PETSC_TRUE;
    }
    return PETSC_FALSE;
  }
  for (PetscInt f = 0; f < (info->kind == WEFT_PLANES ? info->fields : 1); f++) {
    const WeftLayout    *l        = WeftGridLayout(info->grid);
    const WeftLocation   location = info->kind == WEFT_PLANES ? info->location[f] : WEFT_CELL;
    const PetscInt       n        = info->kind == WEFT_PLANES ? 1 : info->channels;
    WeftLayoutOwned(l, location, lo, hi);
    for (PetscInt b = 0; b < info->batch; b++)
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++)
            for (PetscInt c = 0; c < n; c++) {
              if (!PetscIsInfOrNanReal(ValueAt(state, info, f, b, c, i, j, k))) continue;
              if (info->kind == WEFT_PLANES) snprintf(text, room, "%s at cell (%d, %d, %d) of sample %d", info->name[f], (int)i, (int)j, (int)k, (int)b);
              else snprintf(text, room, "channel %d at cell (%d, %d, %d) of sample %d", (int)c, (int)i, (int)j, (int)k, (int)b);
              return PETSC_TRUE;
            }
  }
  return PETSC_FALSE;
}

/* The first such value of several states, that of the lowest rank, with its rank; the same on all ranks of comm. *found: is there one? */
static PetscErrorCode LocateAmong(MPI_Comm comm, PetscInt states, const WeftState state[], PetscBool *found, char text[PLACE_ROOM])
{
  PetscBool here = PETSC_FALSE;

  PetscFunctionBegin;
  text[0] = 0;
  for (PetscInt i = 0; i < states && !here; i++)
    if (state[i] && WeftStateNotFinite(state[i])) here = Locate(state[i], text, PLACE_ROOM - 32);
  if (here) snprintf(text + strlen(text), 32, " on rank %d", PetscGlobalRank);
  PetscCall(WeftFirstText(comm, text, PLACE_ROOM, found));
  PetscFunctionReturn(0);
}

/* ---- which operator was it ------------------------------------------------------------------------------------- */

typedef struct {
  MPI_Comm  comm;
  WeftOp    inside; /* the operator whose calls are being watched */
  PetscBool found;
  char      path[256]; /* "correct/conv" */
  char      place[PLACE_ROOM];
} Hunt;

static PetscErrorCode WatchCall(WeftOp op, const WeftState in[], const WeftState out[], void *context)
{
  Hunt     *hunt = (Hunt *)context;
  PetscBool bad  = PETSC_FALSE;

  PetscFunctionBegin;
  if (hunt->found) PetscFunctionReturn(0);
  PetscCall(LocateAmong(hunt->comm, WeftOpOutputs(op), out, &bad, hunt->place));
  if (!bad) PetscFunctionReturn(0);
  hunt->found = PETSC_TRUE;
  if (hunt->path[0]) PetscCall(PetscStrlcat(hunt->path, "/", sizeof(hunt->path)));
  PetscCall(PetscStrlcat(hunt->path, WeftOpName(op), sizeof(hunt->path)));
  if (op != hunt->inside) { /* a program inside the step: which of its calls? */
    Hunt deeper = {hunt->comm, op, PETSC_FALSE, "", ""};
    PetscBool same;
    PetscCall(WeftOpWatch(op, in, out, WatchCall, &deeper));
    PetscCall(PetscStrcmp(deeper.path, WeftOpName(op), &same));
    if (deeper.found && !same) PetscCall(PetscStrlcat(hunt->path, "/", sizeof(hunt->path)));
    if (deeper.found && !same) PetscCall(PetscStrlcat(hunt->path, deeper.path, sizeof(hunt->path)));
    if (deeper.found) PetscCall(PetscStrncpy(hunt->place, deeper.place, sizeof(hunt->place)));
  }
  PetscFunctionReturn(0);
}

/* Plays from the first state again, whatever the schedule kept, and watches the calls of step n. */
static PetscErrorCode Search(WeftRollout r, PetscInt n, Hunt *hunt)
{
  WeftState x[WEFT_OP_MAX], y[WEFT_OP_MAX], state[2][WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->states; i++) x[i] = r->input[i];
  for (PetscInt i = 0; i < r->outputs; i++)
    for (PetscInt k = 0; k < 2; k++) PetscCall(WeftStateCreate(WeftOpOutSpace(r->options.step, i), &state[k][i]));
  for (PetscInt step = 0; step <= n; step++) {
    WeftState inputs[WEFT_OP_MAX];
    WeftRolloutStepInputs(r, step, 0, inputs);
    for (PetscInt i = r->states; i < r->inputs; i++) x[i] = inputs[i];
    for (PetscInt i = 0; i < r->outputs; i++) y[i] = state[step % 2][i];
    if (step < n) PetscCall(WeftOpApply(r->options.step, x, y, NULL));
    else PetscCall(WeftOpWatch(r->options.step, x, y, WatchCall, hunt));
    for (PetscInt i = 0; i < r->states; i++) x[i] = y[i];
  }
  for (PetscInt i = 0; i < r->outputs; i++)
    for (PetscInt k = 0; k < 2; k++) PetscCall(WeftStateDestroy(&state[k][i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutAgree(WeftRollout r)
{
  Hunt      hunt = {r->comm, r->options.step, PETSC_FALSE, "", ""};
  PetscInt  first = r->fault;
  PetscBool found;

  PetscFunctionBegin;
  PetscCall(WeftReduce(&first, 1, MPIU_INT, MPI_MIN, r->comm));
  if (first == PETSC_MAX_INT) PetscFunctionReturn(0);
  r->played = PETSC_FALSE;
  if (first % 2 == 0) { /* what an operator noted came before any value that is not finite */
    PetscCall(WeftGridAgree(r->grid));
    PetscFunctionReturn(0);
  }
  if (first / 2 == 0) {
    WeftTakeNote(NULL, 0);
    PetscCall(LocateAmong(r->comm, r->states, r->input, &found, hunt.place));
    return WeftFail(r->comm, "the rollout starts from a state with values that are not finite (NaN or infinity): %s", hunt.place);
  }
  PetscCall(Search(r, first / 2 - 1, &hunt));
  WeftTakeNote(NULL, 0); /* what operators made of values that are not finite */
  return WeftFail(r->comm, "step %" PetscInt_FMT " of the rollout: operator %s gave values that are not finite (NaN or infinity), the first %s; a smaller time step, or a smaller learning rate of the net, may keep the run bounded", first / 2, hunt.found ? hunt.path : WeftOpName(r->options.step), hunt.found ? hunt.place : "at a place that the search did not meet again");
}

/* ---- the adjoint ---------------------------------------------------------------------------------------------------- */

/* The operator whose adjoint was the first to give a value that is not finite. */
static PetscErrorCode WatchAdjoint(WeftOp op, const WeftState x_bar[], void *context)
{
  Hunt     *hunt = (Hunt *)context;
  PetscBool bad  = PETSC_FALSE;

  PetscFunctionBegin;
  if (hunt->found) PetscFunctionReturn(0);
  PetscCall(LocateAmong(hunt->comm, WeftOpInputs(op), x_bar, &bad, hunt->place));
  if (!bad) PetscFunctionReturn(0);
  hunt->found = PETSC_TRUE;
  PetscCall(PetscStrncpy(hunt->path, WeftOpName(op), sizeof(hunt->path)));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutSearchAdjoint(WeftRollout r, const WeftState inputs_bar[], char text[], size_t room)
{
  Hunt hunt = {r->comm, NULL, PETSC_FALSE, "", ""};

  PetscFunctionBegin;
  text[0] = 0;
  for (PetscInt i = 0; i < r->inputs; i++)
    if (inputs_bar[i]) PetscCall(WeftStateZero(inputs_bar[i]));
  WeftOpSetAfterAdjoint(WatchAdjoint, &hunt);
  PetscCall(WeftRolloutReverse(r, NULL, inputs_bar));
  WeftOpSetAfterAdjoint(NULL, NULL);
  if (hunt.found) snprintf(text, room, "the adjoint of operator %s is the first that is not finite (NaN or infinity), %s", hunt.path, hunt.place);
  PetscFunctionReturn(0);
}
