/* Rollouts: creation, memory, keys. */
#include "tape/impl.h"
#if defined(__GLIBC__)
  #include <malloc.h>
#endif

const char *const WeftReaches[] = {"full", "truncated", "one-step", "no-solver-gradient", "WeftReach", "WEFT_REACH_", NULL};

WeftState WeftRolloutLossSums(WeftRollout r) { return r->loss_sums; }

PetscErrorCode WeftRolloutSetFactors(WeftRollout r, const PetscReal factor[])
{
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(r->factor, factor, r->batch));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutOptionsFromKeys(WeftRolloutOptions *options)
{
  PetscInt reach, checkpoints;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("unroll_reach", &reach));
  options->reach = (WeftReach)reach;
  PetscCall(WeftGetInt("unroll_window", &options->window));
  if (options->reach == WEFT_REACH_TRUNCATED && options->window < 1) return WeftFailKey(PETSC_COMM_WORLD, "unroll_window", "a truncated gradient reaches over at least 1 step");
  PetscCall(WeftGetReal("unroll_clip", &options->clip));
  PetscCall(WeftGetReal("unroll_damping", &options->damping));
  if (!(options->clip >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "unroll_clip", "cannot be negative; 0: no bound");
  if (!(options->damping >= 0.0 && options->damping < 1.0)) return WeftFailKey(PETSC_COMM_WORLD, "unroll_damping", "must be at least 0 and less than 1");
  PetscCall(WeftGetString("tape_disk", options->disk, sizeof(options->disk)));
  PetscCall(WeftGetEnum("tape_checkpoints", &checkpoints));
  options->rounded = checkpoints == 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(WeftGetSize("tape_memory", &options->memory));
  PetscCall(WeftGetSize("tape_disk_memory", &options->disk_memory));
  PetscCall(WeftGetBool("deterministic", &options->deterministic));
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

/* Bytes of the parts of a tape on this rank. */
static void Sizes(WeftRollout r, PetscBool keep_spare, WeftTapeSizes *sizes)
{
  const WeftRolloutOptions *o = &r->options;

  *sizes = (WeftTapeSizes){0, 0, WeftOpRecordBytes(o->step), 0};
  for (PetscInt i = 0; i < r->outputs; i++) {
    const WeftSpace space = WeftOpOutSpace(o->step, i);
    const size_t    one   = SpaceBytes(space);
    if (i < r->states) sizes->slot += WeftSpacePackedBytes(space, o->rounded);
    if (i < r->states || keep_spare) sizes->place += one;
    else sizes->shared += one;
    sizes->shared += i < r->states ? 2 * one : one; /* adjoints */
  }
  if (!o->loss) return;
  sizes->record += WeftOpRecordBytes(o->loss);
  sizes->shared += 2 * SpaceBytes(WeftOpOutSpace(o->loss, 0));
}

static PetscErrorCode CheckOptions(WeftRollout r)
{
  const WeftRolloutOptions *o = &r->options;

  PetscFunctionBegin;
  WeftCheck(o->length >= 1, r->comm, "a rollout of %" PetscInt_FMT " steps: it needs at least one", o->length);
  PetscCheck(o->states >= 1 && o->states <= r->inputs && o->states <= r->outputs, r->comm, PETSC_ERR_ARG_OUTOFRANGE, "step %s: %" PetscInt_FMT " states among %" PetscInt_FMT " inputs and %" PetscInt_FMT " outputs", WeftOpName(o->step), o->states, r->inputs, r->outputs);
  for (PetscInt i = 0; i < o->states; i++) PetscCheck(SpaceBytes(WeftOpInSpace(o->step, i)) == SpaceBytes(WeftOpOutSpace(o->step, i)), r->comm, PETSC_ERR_ARG_INCOMP, "step %s: state %" PetscInt_FMT " comes out in another space than it goes in", WeftOpName(o->step), i);
  if (o->loss) {
    PetscCheck(o->loss_before ? r->loss_inputs == 3 : r->loss_inputs >= 2 && r->loss_inputs - 1 <= o->states, r->comm, PETSC_ERR_ARG_OUTOFRANGE, "loss %s: its inputs are the first states and the target, or the first state, that before the step, and the target", WeftOpName(o->loss));
    PetscCheck(SpaceBytes(WeftOpOutSpace(o->loss, 0)) == sizeof(double) * (size_t)r->batch && WeftSpaceGetInfo(WeftOpOutSpace(o->loss, 0))->kind == WEFT_NUMBERS, r->comm, PETSC_ERR_ARG_WRONG, "loss %s must give one number per sample", WeftOpName(o->loss));
    PetscCheck(!(WeftOpNeeds(o->loss) & WEFT_NEEDS_OUTPUTS), r->comm, PETSC_ERR_SUP, "loss %s: the adjoint of a loss reads its inputs or its record, not its value", WeftOpName(o->loss));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreatePlaces(WeftRollout r, PetscBool keep_spare)
{
  const WeftRolloutOptions *o = &r->options;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(r->plan.records + 1, &r->place));
  for (PetscInt p = 0; p <= r->plan.records; p++) {
    PetscCall(PetscCalloc1(r->outputs, &r->place[p]));
    for (PetscInt i = 0; i < r->outputs; i++) {
      if (i < r->states || keep_spare) PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->place[p][i]));
      else if (p == 0) PetscCall(WeftStateCreate(WeftOpOutSpace(o->step, i), &r->spare[i]));
      if (!r->place[p][i]) r->place[p][i] = r->spare[i];
    }
  }
  PetscCall(PetscCalloc2(r->plan.records, &r->record, r->plan.records, &r->loss_record));
  for (PetscInt n = 0; n < r->plan.records; n++) {
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
    PetscCall(WeftStateCreate(WeftOpOutSpace(o->loss, 0), &r->loss_value));
    PetscCall(WeftStateCreate(WeftOpOutSpace(o->loss, 0), &r->loss_seed));
    if (o->deterministic) {
      PetscCall(WeftStateMakeFixed(r->loss_value, WEFT_LOSS_SCALE));
      PetscCall(WeftStateCreate(WeftOpOutSpace(o->loss, 0), &r->loss_sums));
      PetscCall(WeftStateMakeFixed(r->loss_sums, WEFT_LOSS_SCALE));
    }
    PetscCall(PetscMalloc1(r->batch, &r->factor));
    for (PetscInt b = 0; b < r->batch; b++) r->factor[b] = 1.0;
  }
  PetscCall(PetscCalloc3(o->length, &r->target, o->length + 1, &r->square, o->length + 1, &r->norm));
  PetscFunctionReturn(0);
}

/* What is kept, before the run. */
static PetscErrorCode Announce(WeftRollout r)
{
  PetscReal plays, unused;

  PetscFunctionBegin;
  if (!r->plan.slots) PetscFunctionReturn(0);
  PetscCall(WeftRolloutPlays(r, &plays, &unused));
  PetscCall(WeftLog("tape: %d checkpoints in memory, %d on disk, %d steps recorded at a time: %.4g MB predicted on a rank, %.3f steps played again for each of %d", (int)(r->plan.slots - r->plan.on_disk), (int)r->plan.on_disk, (int)r->plan.records, 1e-6 * (double)r->predicted, (double)plays, (int)r->options.length));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateTape(WeftRollout r, const WeftTapePlan *plan, PetscBool keep_spare)
{
  WeftTapeSizes sizes;
  WeftDisk      disk;
  size_t        before, after;

  PetscFunctionBegin;
  Sizes(r, keep_spare, &sizes);
  PetscCall(BytesInUse(&before));
  PetscCall(WeftRolloutPlan(r, &sizes, plan, &disk));
  r->predicted = WeftTapeBytes(&sizes, &r->plan);
  PetscCall(WeftScheduleCreate(r->options.length, r->plan.slots, r->plan.records, r->options.stop ? PETSC_TRUE : PETSC_FALSE, &r->schedule));
  if (r->plan.slots) PetscCall(WeftStoreCreate(r->plan.slots - r->plan.on_disk, r->plan.on_disk, sizes.slot, r->options.rounded, disk, &r->store));
  PetscCall(CreatePlaces(r, keep_spare));
  PetscCall(CreateAdjoints(r));
  PetscCall(BytesInUse(&after));
  r->measured = after - before;
  PetscCall(Announce(r));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutLimit(WeftRollout r, const WeftRolloutOptions *limits)
{
  PetscFunctionBegin;
  r->options.reach   = limits->reach;
  r->options.window  = limits->window;
  r->options.clip    = limits->clip;
  r->options.damping = limits->damping;
  r->window          = limits->reach == WEFT_REACH_TRUNCATED ? limits->window : limits->reach == WEFT_REACH_ONE_STEP ? 1 : 0;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutCreatePlanned(const WeftRolloutOptions *options, const WeftTapePlan *plan, WeftRollout *rollout)
{
  WeftRollout          r;
  const WeftSpaceInfo *info;
  PetscBool            keep_spare;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  r->options     = *options;
  info           = WeftSpaceGetInfo(WeftOpInSpace(options->step, 0));
  r->comm        = info->comm;
  r->grid        = info->grid;
  r->batch       = info->batch;
  r->inputs      = WeftOpInputs(options->step);
  r->outputs     = WeftOpOutputs(options->step);
  r->states      = options->states;
  r->loss_inputs = options->loss ? WeftOpInputs(options->loss) : 0;
  PetscCall(WeftRolloutLimit(r, options));
  PetscCall(CheckOptions(r));
  PetscCall(WeftOpReference(options->step));
  if (options->loss) PetscCall(WeftOpReference(options->loss));
  keep_spare = WeftOpNeeds(options->step) & WEFT_NEEDS_OUTPUTS ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(CreateTape(r, plan, keep_spare));
  *rollout = r;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutCreate(const WeftRolloutOptions *options, WeftRollout *rollout)
{
  PetscFunctionBegin;
  PetscCall(WeftRolloutCreatePlanned(options, NULL, rollout));
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
  for (PetscInt p = 0; p <= r->plan.records; p++) {
    for (PetscInt i = 0; i < r->outputs; i++)
      if (!r->spare[i]) PetscCall(WeftStateDestroy(&r->place[p][i]));
    PetscCall(PetscFree(r->place[p]));
  }
  PetscCall(PetscFree(r->place));
  for (PetscInt n = 0; n < r->plan.records; n++) {
    PetscCall(WeftRecordDestroy(&r->record[n]));
    PetscCall(WeftRecordDestroy(&r->loss_record[n]));
  }
  PetscCall(PetscFree2(r->record, r->loss_record));
  PetscCall(WeftStoreDestroy(&r->store));
  PetscCall(WeftScheduleDestroy(&r->schedule));
  for (PetscInt i = 0; i < r->outputs; i++) {
    PetscCall(WeftStateDestroy(&r->spare[i]));
    PetscCall(WeftStateDestroy(&r->bar[0][i]));
    if (i < r->states) PetscCall(WeftStateDestroy(&r->bar[1][i]));
  }
  PetscCall(WeftStateDestroy(&r->loss_value));
  PetscCall(WeftStateDestroy(&r->loss_sums));
  PetscCall(PetscFree(r->factor));
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

PetscInt WeftRolloutSteps(WeftRollout rollout) { return rollout->steps; }

PetscErrorCode WeftRolloutPlays(WeftRollout rollout, PetscReal *predicted, PetscReal *measured)
{
  PetscFunctionBegin;
  *predicted = rollout->plan.slots ? (PetscReal)WeftScheduleExtra(rollout->options.length, rollout->plan.slots, rollout->plan.records) / (PetscReal)rollout->options.length : 0.0;
  *measured  = rollout->adjoints ? (PetscReal)(rollout->plays - rollout->adjoints) / (PetscReal)rollout->adjoints : 0.0;
  PetscFunctionReturn(0);
}
