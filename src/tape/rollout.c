/* Rollouts: creation, memory, keys. */
#include <ctype.h>
#include "tape/impl.h"
#if defined(__GLIBC__)
  #include <malloc.h>
#endif

const char *const WeftReaches[] = {"full", "truncated", "one-step", "no-solver-gradient", "WeftReach", "WEFT_REACH_", NULL};

/* "500MB", "2 GiB", "1e9": bytes. FALSE: no size. */
static PetscBool ParseSize(const char *text, double *size)
{
  const char *units = "BKMGT", *unit;
  char       *end;
  double      factor = 1.0;

  *size = strtod(text, &end);
  if (end == text || !(*size >= 0.0)) return PETSC_FALSE;
  while (*end == ' ') end++;
  unit = *end ? strchr(units, toupper(*end)) : units;
  if (!unit) return PETSC_FALSE;
  if (*end) end++;
  for (const char *u = units; u != unit; u++) factor *= *end == 'i' ? 1024.0 : 1000.0;
  if (unit != units && *end == 'i') end++;
  if (unit != units && toupper(*end) == 'B') end++;
  *size *= factor;
  return *end ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode WeftRolloutOptionsFromKeys(WeftRolloutOptions *options)
{
  char     text[64];
  PetscInt reach;
  double   size;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("unroll_reach", &reach));
  options->reach = (WeftReach)reach;
  PetscCall(WeftGetInt("unroll_window", &options->window));
  if (options->reach == WEFT_REACH_TRUNCATED && options->window < 1) return WeftFailKey(PETSC_COMM_WORLD, "unroll_window", "a truncated gradient reaches over at least 1 step");
  PetscCall(WeftGetString("tape_memory", text, sizeof(text)));
  if (!ParseSize(text, &size)) return WeftFailKey(PETSC_COMM_WORLD, "tape_memory", "is no size; write 500MB, 2GB or 2GiB per rank, or 0 for no bound");
  options->memory = (size_t)size;
  PetscFunctionReturn(0);
}

/* Bytes that the program has from the allocator (resident pages where the C library does not tell). */
static PetscErrorCode BytesInUse(size_t *bytes)
{
  PetscFunctionBegin;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  {
    const struct mallinfo2 info = mallinfo2();
    *bytes                      = info.uordblks + info.hblkhd;
  }
#else
  {
    PetscLogDouble resident;
    PetscCall(PetscMemoryGetCurrentUsage(&resident));
    *bytes = (size_t)resident;
  }
#endif
  PetscFunctionReturn(0);
}

static size_t SpaceBytes(WeftSpace space) { return WeftSpaceGetInfo(space)->bytes; }

/* Bytes of a place of a state; *shared: of what stands beside the places. */
static size_t StateBytes(WeftRollout r, PetscBool keep_spare, size_t *shared)
{
  size_t bytes = 0;

  *shared = 0;
  for (PetscInt i = 0; i < r->outputs; i++) {
    const size_t one = SpaceBytes(WeftOpOutSpace(r->options.step, i));
    if (i < r->states || keep_spare) bytes += one;
    else *shared += one;
    *shared += i < r->states ? 2 * one : one; /* adjoints */
  }
  if (r->options.loss) *shared += 2 * SpaceBytes(WeftOpOutSpace(r->options.loss, 0));
  return bytes;
}

static PetscErrorCode CheckOptions(WeftRollout r)
{
  const WeftRolloutOptions *o = &r->options;

  PetscFunctionBegin;
  WeftCheck(o->length >= 1, r->comm, "a rollout of %" PetscInt_FMT " steps: it needs at least one", o->length);
  PetscCheck(o->states >= 1 && o->states <= r->inputs && o->states <= r->outputs, r->comm, PETSC_ERR_ARG_OUTOFRANGE, "step %s: %" PetscInt_FMT " states among %" PetscInt_FMT " inputs and %" PetscInt_FMT " outputs", WeftOpName(o->step), o->states, r->inputs, r->outputs);
  for (PetscInt i = 0; i < o->states; i++) PetscCheck(SpaceBytes(WeftOpInSpace(o->step, i)) == SpaceBytes(WeftOpOutSpace(o->step, i)), r->comm, PETSC_ERR_ARG_INCOMP, "step %s: state %" PetscInt_FMT " comes out in another space than it goes in", WeftOpName(o->step), i);
  if (o->loss) {
    PetscCheck(r->loss_inputs >= 2 && r->loss_inputs - 1 <= o->states, r->comm, PETSC_ERR_ARG_OUTOFRANGE, "loss %s: its inputs are the first states and the target", WeftOpName(o->loss));
    PetscCheck(SpaceBytes(WeftOpOutSpace(o->loss, 0)) == sizeof(double) * (size_t)r->batch && WeftSpaceGetInfo(WeftOpOutSpace(o->loss, 0))->kind == WEFT_NUMBERS, r->comm, PETSC_ERR_ARG_WRONG, "loss %s must give one number per sample", WeftOpName(o->loss));
    PetscCheck(!(WeftOpNeeds(o->loss) & WEFT_NEEDS_OUTPUTS), r->comm, PETSC_ERR_SUP, "loss %s: the adjoint of a loss reads its inputs or its record, not its value", WeftOpName(o->loss));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreatePlaces(WeftRollout r, PetscBool keep_spare)
{
  const WeftRolloutOptions *o = &r->options;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(r->places, &r->place));
  for (PetscInt p = 0; p < r->places; p++) {
    PetscCall(PetscCalloc1(r->outputs, &r->place[p]));
    for (PetscInt i = 0; i < r->outputs; i++) {
      if (i < r->states || keep_spare) PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->place[p][i]));
      else if (p == 0) PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->spare[i]));
      if (!r->place[p][i]) r->place[p][i] = r->spare[i];
    }
  }
  PetscCall(PetscCalloc2(r->records, &r->record, r->records, &r->loss_record));
  for (PetscInt n = 0; n < r->records; n++) {
    PetscCall(WeftRecordCreate(o->step, &r->record[n]));
    if (o->loss) PetscCall(WeftRecordCreate(o->loss, &r->loss_record[n]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateAdjoints(WeftRollout r)
{
  const WeftRolloutOptions *o = &r->options;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->outputs; i++) { /* outputs beyond the states have the adjoint zero, one for all steps */
    PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->bar[0][i]));
    if (i < r->states) PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->bar[1][i]));
    else r->bar[1][i] = r->bar[0][i];
  }
  if (o->loss) {
    const WeftSpace numbers = WeftOpOutSpace(o->loss, 0);
    double         *seed;
    PetscCall(WeftStateCreate(numbers, &r->loss_value));
    PetscCall(WeftStateCreate(numbers, &r->loss_seed));
    seed = (double *)WeftStateDataWrite(r->loss_seed);
    for (PetscInt i = 0; i < (PetscInt)(SpaceBytes(numbers) / sizeof(double)); i++) seed[i] = 1.0;
  }
  PetscCall(PetscCalloc3(o->length, &r->target, o->length + 1, &r->square, o->length + 1, &r->norm));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutCreateScheduled(const WeftRolloutOptions *options, const WeftSchedule *schedule, WeftRollout *rollout)
{
  WeftRollout          r;
  const WeftSpaceInfo *info;
  size_t               state_bytes, record_bytes, shared, before, after;
  PetscBool            keep_spare;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  r->options     = *options;
  r->schedule    = schedule;
  info           = WeftSpaceGetInfo(WeftOpInSpace(options->step, 0));
  r->comm        = info->comm;
  r->grid        = info->grid;
  r->batch       = info->batch;
  r->inputs      = WeftOpInputs(options->step);
  r->outputs     = WeftOpOutputs(options->step);
  r->states      = options->states;
  r->loss_inputs = options->loss ? WeftOpInputs(options->loss) : 0;
  r->window      = options->reach == WEFT_REACH_TRUNCATED ? options->window : options->reach == WEFT_REACH_ONE_STEP ? 1 : 0;
  PetscCall(CheckOptions(r));
  PetscCall(WeftOpReference(options->step));
  if (options->loss) PetscCall(WeftOpReference(options->loss));
  keep_spare   = WeftOpNeeds(options->step) & WEFT_NEEDS_OUTPUTS ? PETSC_TRUE : PETSC_FALSE;
  state_bytes  = StateBytes(r, keep_spare, &shared);
  record_bytes = WeftOpRecordBytes(options->step) + (options->loss ? WeftOpRecordBytes(options->loss) : 0);
  r->schedule->size(options->length, state_bytes, record_bytes, options->memory, &r->places, &r->records);
  r->predicted = (size_t)r->places * state_bytes + (size_t)r->records * record_bytes + shared;
  PetscCall(WeftAgree(r->comm, options->memory && r->predicted > options->memory ? PETSC_TRUE : PETSC_FALSE, "tape_memory: the tape of %" PetscInt_FMT " steps (schedule %s: %" PetscInt_FMT " states of %.3g MB, %" PetscInt_FMT " records of %.3g MB) takes %.3g MB on a rank, more than the %.3g MB allowed; raise -tape_memory, unroll fewer steps, lower the batch or use more ranks", options->length, r->schedule->name, r->places, 1e-6 * (double)state_bytes, r->records, 1e-6 * (double)record_bytes, 1e-6 * (double)r->predicted, 1e-6 * (double)options->memory));
  PetscCall(BytesInUse(&before));
  PetscCall(CreatePlaces(r, keep_spare));
  PetscCall(CreateAdjoints(r));
  PetscCall(BytesInUse(&after));
  r->measured = after - before;
  *rollout    = r;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutCreate(const WeftRolloutOptions *options, WeftRollout *rollout)
{
  PetscFunctionBegin;
  PetscCall(WeftRolloutCreateScheduled(options, &WeftScheduleStoreAll, rollout));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutSetSequence(WeftRollout r, PetscInt input, const WeftState value[], const WeftState bar[], const WeftState dvalue[])
{
  const WeftState *const given[WEFT_SEQUENCES] = {value, bar, dvalue};

  PetscFunctionBegin;
  PetscCheck(input >= r->states && input < r->inputs, r->comm, PETSC_ERR_ARG_OUTOFRANGE, "input %" PetscInt_FMT " cannot be a sequence: the inputs beyond the states are %" PetscInt_FMT " to %" PetscInt_FMT, input, r->states, r->inputs - 1);
  for (PetscInt k = 0; k < WEFT_SEQUENCES; k++) {
    PetscCall(PetscFree(r->sequence[input][k]));
    if (!value || !given[k]) continue;
    PetscCall(PetscMalloc1(r->options.length, &r->sequence[input][k]));
    PetscCall(PetscArraycpy(r->sequence[input][k], given[k], r->options.length));
  }
  r->played = PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutDestroy(WeftRollout *rollout)
{
  WeftRollout r = *rollout;

  PetscFunctionBegin;
  *rollout = NULL;
  if (!r) PetscFunctionReturn(0);
  for (PetscInt p = 0; p < r->places; p++) {
    for (PetscInt i = 0; i < r->outputs; i++)
      if (!r->spare[i]) PetscCall(WeftStateDestroy(&r->place[p][i]));
    PetscCall(PetscFree(r->place[p]));
  }
  PetscCall(PetscFree(r->place));
  for (PetscInt n = 0; n < r->records; n++) {
    PetscCall(WeftRecordDestroy(&r->record[n]));
    PetscCall(WeftRecordDestroy(&r->loss_record[n]));
  }
  PetscCall(PetscFree2(r->record, r->loss_record));
  for (PetscInt i = 0; i < r->outputs; i++) {
    PetscCall(WeftStateDestroy(&r->spare[i]));
    PetscCall(WeftStateDestroy(&r->bar[0][i]));
    if (i < r->states) PetscCall(WeftStateDestroy(&r->bar[1][i]));
  }
  PetscCall(WeftStateDestroy(&r->loss_value));
  PetscCall(WeftStateDestroy(&r->loss_seed));
  PetscCall(PetscFree3(r->target, r->square, r->norm));
  for (PetscInt i = 0; i < r->inputs; i++)
    for (PetscInt k = 0; k < WEFT_SEQUENCES; k++) PetscCall(PetscFree(r->sequence[i][k]));
  PetscCall(WeftOpDestroy(&r->options.step));
  PetscCall(WeftOpDestroy(&r->options.loss));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutMemory(WeftRollout rollout, size_t *predicted, size_t *measured)
{
  PetscFunctionBegin;
  *predicted = rollout->predicted;
  *measured  = rollout->measured;
  PetscFunctionReturn(0);
}
