/* The sweeps of a rollout: forward, reverse, tangent. A schedule gives each as a list of actions (impl.h). */
#include "tape/impl.h"

/* State n of input `i` if it is a sequence, else the one for all steps. */
static WeftState OfStep(WeftRollout r, PetscInt i, PetscInt which, PetscInt n, WeftState all)
{
  if (!r->sequence[i][WEFT_SEQUENCE_VALUE]) return all;
  return r->sequence[i][which] ? r->sequence[i][which][n] : NULL;
}

void WeftRolloutStepInputs(WeftRollout r, PetscInt n, PetscInt place, WeftState x[])
{
  for (PetscInt i = 0; i < r->inputs; i++) x[i] = i < r->states ? r->place[place][i] : OfStep(r, i, WEFT_SEQUENCE_VALUE, n, r->input[i]);
}

PetscBool WeftRolloutCut(WeftRollout r, PetscInt n) { return n > 0 && r->window > 0 && n % r->window == 0 ? PETSC_TRUE : PETSC_FALSE; }

static PetscReal LossWeight(WeftRollout r, PetscInt step) { return r->options.loss_weight ? r->options.loss_weight[step] : 1.0; }

/* Of the states after a step and those before it what the loss reads, but for the target. */
static void ForLoss(WeftRollout r, const WeftState after[], const WeftState before[], WeftState x[])
{
  for (PetscInt i = 0; i < r->loss_inputs - 1; i++) x[i] = i && r->options.loss_before ? before[0] : after[i];
  x[r->loss_inputs - 1] = NULL;
}

/* Inputs of the loss after the step that ended in `place`. */
static void LossInputs(WeftRollout r, const WeftTapeAction *a, WeftState x[])
{
  ForLoss(r, r->place[a->to], r->place[a->from], x);
  x[r->loss_inputs - 1] = r->target[a->step];
}

/* SAVE, LOAD: between a place and the store. */
static PetscErrorCode Move(WeftRollout r, const WeftTapeAction *a)
{
  int lost;

  PetscFunctionBegin;
  if (a->verb == WEFT_TAPE_SAVE) {
    PetscCall(WeftStoreSave(r->store, a->slot, r->states, r->place[a->from]));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftStoreLoad(r->store, r->comm, a->slot, r->states, r->place[a->to], &lost));
  if (!lost) PetscFunctionReturn(0);
  WeftScheduleLose(r->schedule, 1, r->plan.on_disk);
  if (!r->warned) PetscCall(WeftWarn("tape_disk: a checkpoint in %s is lost (%s); the disk is not used any more, more steps are played again instead", r->options.disk, strerror(lost)));
  r->warned = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* Plays a step, and its loss if its value or its record is wanted. Recording and plain forward differ in the record alone. */
static PetscErrorCode Play(WeftRollout r, const WeftTapeAction *a, PetscBool value)
{
  WeftState x[WEFT_OP_MAX];

  PetscFunctionBegin;
  WeftRolloutStepInputs(r, a->step, a->from, x);
  PetscCall(WeftOpApply(r->options.step, x, r->place[a->to], a->record >= 0 ? r->record[a->record] : NULL));
  if (!r->target[a->step] || (!value && a->record < 0)) PetscFunctionReturn(0);
  LossInputs(r, a, x);
  PetscCall(WeftOpApply(r->options.loss, x, &r->loss_value, a->record >= 0 ? r->loss_record[a->record] : NULL));
  PetscFunctionReturn(0);
}

/* The first fault of this rank stays; agreed on at the end of the sweep. */
static PetscErrorCode LookForFaults(WeftRollout r, PetscInt n, PetscInt place)
{
  PetscBool noted = PETSC_FALSE;

  PetscFunctionBegin;
  if (r->fault != PETSC_MAX_INT) PetscFunctionReturn(0);
  if (r->grid) PetscCall(WeftGridNoted(r->grid, &noted));
  if (noted) r->fault = 2 * n;
  for (PetscInt i = 0; i < r->states && !noted; i++)
    if (WeftStateNotFinite(r->place[place][i])) r->fault = 2 * n + 1;
  PetscFunctionReturn(0);
}

/* A rollout whose number of steps is not known before: is it over? */
static PetscErrorCode MayStop(WeftRollout r, const WeftState states[])
{
  PetscBool stop = PETSC_FALSE;

  PetscFunctionBegin;
  if (!r->options.stop) PetscFunctionReturn(0);
  PetscCall((*r->options.stop)(r->steps, states, r->options.stop_context, &stop));
  if (stop || r->steps == r->options.length) WeftScheduleStop(r->schedule);
  PetscFunctionReturn(0);
}

/* The terms of a loss in fixed point are weighted by the scale that they are added with. */
static void WeighTerms(WeftRollout r, PetscInt step)
{
  const PetscReal weight = LossWeight(r, step);
  if (r->loss_sums) WeftStateScaleFixed(r->loss_value, weight > 0.0 ? weight * WEFT_LOSS_SCALE : WEFT_LOSS_SCALE);
}

/* This rank's part of the losses of a step to their sums. */
static PetscErrorCode AddLosses(WeftRollout r, PetscInt step, PetscReal losses[])
{
  const double    *value  = (const double *)WeftStateData(r->loss_value);
  const WeftFixed *fixed  = WeftStateFixed(r->loss_value);
  const PetscReal  weight = LossWeight(r, step);

  PetscFunctionBegin;
  for (PetscInt b = 0; b < r->batch && losses; b++) losses[b] += weight * (value[b] + (fixed ? WeftFixedValue(fixed, b) : 0.0));
  if (!fixed || !(weight > 0.0)) PetscFunctionReturn(0);
  WeftFixedMerge(WeftStateFixed(r->loss_sums), r->batch, fixed);
  PetscCall(WeftStateAXPY(r->loss_sums, weight, r->loss_value));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutForward(WeftRollout r, const WeftState inputs[], const WeftState targets[], PetscReal losses[], const WeftState final[])
{
  WeftTapeAction action;
  PetscInt       last = 0;

  PetscFunctionBegin;
  PetscCheck(targets || !r->options.loss, r->comm, PETSC_ERR_ARG_NULL, "a rollout with a loss needs targets");
  r->fault  = PETSC_MAX_INT;
  r->played = PETSC_FALSE;
  for (PetscInt i = 0; i < r->inputs; i++) r->input[i] = inputs[i];
  for (PetscInt n = 0; n < r->options.length; n++) r->target[n] = r->options.loss ? targets[n] : NULL;
  if (losses) PetscCall(PetscArrayzero(losses, r->batch));
  if (r->loss_sums) PetscCall(WeftStateZero(r->loss_sums));
  for (PetscInt i = 0; i < r->states; i++) PetscCall(WeftStateCopy(inputs[i], r->place[0][i]));
  PetscCall(LookForFaults(r, 0, 0));
  WeftScheduleStart(r->schedule);
  while (WeftScheduleForward(r->schedule, &action)) {
    if (action.verb != WEFT_TAPE_PLAY) {
      PetscCall(Move(r, &action));
      continue;
    }
    WeighTerms(r, action.step);
    PetscCall(Play(r, &action, PETSC_TRUE));
    r->plays++;
    last = action.to;
    if (r->target[action.step]) PetscCall(AddLosses(r, action.step, losses));
    PetscCall(LookForFaults(r, action.step + 1, action.to));
    r->steps = action.step + 1;
    PetscCall(MayStop(r, r->place[action.to]));
  }
  for (PetscInt i = 0; i < r->states && final; i++) PetscCall(WeftStateCopy(r->place[last][i], final[i]));
  PetscCall(WeftRolloutAgree(r));
  r->played = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* ---- reverse ------------------------------------------------------------------------------------------------------ */

/* What is left of the states' adjoint (or tangent) where it passes state n. */
static PetscErrorCode Damp(WeftRollout r, PetscInt n, const WeftState bar[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->states && n > 0 && r->options.damping > 0.0; i++) PetscCall(WeftStateAXPY(bar[i], -r->options.damping, bar[i]));
  PetscFunctionReturn(0);
}

/* The adjoint before a step is at most `clip` times that after it. */
static PetscErrorCode Clip(WeftRollout r, PetscReal after, const WeftState before[])
{
  PetscReal squares[2] = {after, 0.0}, allowed;

  PetscFunctionBegin;
  if (r->options.clip == 0.0) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < r->states; i++) squares[1] += WeftStateSquare(before[i]);
  PetscCall(WeftReduce(squares, 2, MPIU_REAL, MPIU_SUM, r->comm));
  allowed = PetscSqr(r->options.clip) * squares[0];
  if (!(squares[1] > allowed)) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < r->states; i++) PetscCall(WeftStateAXPY(before[i], PetscSqrtReal(allowed / squares[1]) - 1.0, before[i]));
  PetscFunctionReturn(0);
}

/* Reverses one step: bar[now] is the adjoint of the state after it, without the loss there; bar[1 - now] becomes that of the
   state before it. Where the adjoint stops the states' part is not computed at all. */
static PetscErrorCode ReverseStep(WeftRollout r, const WeftTapeAction *a, PetscInt now, const WeftState inputs_bar[])
{
  const PetscBool cut = WeftRolloutCut(r, a->step);
  WeftState       x[WEFT_OP_MAX], x_bar[WEFT_OP_MAX], before[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->states; i++) {
    PetscCall(WeftStateZero(r->bar[1 - now][i]));
    before[i] = cut || (a->step == 0 && !inputs_bar[i]) ? NULL : r->bar[1 - now][i];
  }
  if (r->target[a->step]) {
    double *seed = (double *)WeftStateDataWrite(r->loss_seed);
    for (PetscInt b = 0; b < r->batch; b++) seed[b] = LossWeight(r, a->step) * r->factor[b];
    LossInputs(r, a, x);
    ForLoss(r, r->bar[now], before, x_bar);
    PetscCall(WeftOpAdjoint(r->options.loss, x, &r->loss_value, r->loss_record[a->record], &r->loss_seed, x_bar));
  }
  r->square[a->step + 1] = 0.0;
  for (PetscInt i = 0; i < r->states; i++) r->square[a->step + 1] += WeftStateSquare(r->bar[now][i]);
  for (PetscInt i = 0; i < r->inputs; i++) x_bar[i] = i < r->states ? before[i] : OfStep(r, i, WEFT_SEQUENCE_BAR, a->step, inputs_bar[i]);
  WeftRolloutStepInputs(r, a->step, a->from, x);
  PetscCall(WeftOpAdjoint(r->options.step, x, r->place[a->to], r->record[a->record], r->bar[now], x_bar));
  PetscCall(Clip(r, r->square[a->step + 1], r->bar[1 - now]));
  PetscCall(Damp(r, a->step, r->bar[1 - now]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutReverse(WeftRollout r, const WeftState final_bar[], const WeftState inputs_bar[])
{
  WeftTapeAction action;
  PetscInt       now = 0;

  PetscFunctionBegin;
  PetscCheck(r->played, r->comm, PETSC_ERR_ARG_WRONGSTATE, "a rollout is reversed after its forward sweep");
  for (PetscInt i = 0; i < r->states; i++) {
    if (final_bar && final_bar[i]) PetscCall(WeftStateCopy(final_bar[i], r->bar[now][i]));
    else PetscCall(WeftStateZero(r->bar[now][i]));
  }
  for (PetscInt i = r->states; i < r->outputs; i++) PetscCall(WeftStateZero(r->bar[now][i]));
  while (WeftScheduleReverse(r->schedule, &action)) {
    if (r->plan.on_disk && action.record >= 0) WeftStoreFetch(r->store, WeftScheduleAhead(r->schedule)); /* read while this block is recorded and reversed */
    if (action.verb == WEFT_TAPE_REVERSE) {
      PetscCall(ReverseStep(r, &action, now, inputs_bar));
      now = 1 - now;
      r->adjoints++;
    } else if (action.verb == WEFT_TAPE_PLAY) {
      PetscCall(Play(r, &action, PETSC_FALSE));
      r->plays++;
    } else PetscCall(Move(r, &action));
  }
  r->square[0] = 0.0;
  for (PetscInt i = 0; i < r->states; i++) {
    if (!inputs_bar[i]) continue;
    r->square[0] += WeftStateSquare(r->bar[now][i]);
    PetscCall(WeftStateAXPY(inputs_bar[i], 1.0, r->bar[now][i]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutAdjointNorms(WeftRollout r, const PetscReal **norms)
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(r->square, r->norm, (PetscMPIInt)(r->steps + 1), MPIU_REAL, MPIU_SUM, r->comm));
  for (PetscInt n = 0; n <= r->steps; n++) r->norm[n] = PetscSqrtReal(r->norm[n]);
  *norms = r->norm;
  PetscFunctionReturn(0);
}

/* ---- tangent ------------------------------------------------------------------------------------------------------ */

/* bar[] holds the tangents of the states here. dx: of the states before the step (NULL: zero). */
static PetscErrorCode TangentStep(WeftRollout r, const WeftTapeAction *a, const WeftState dx[], const WeftState dy[], PetscReal *dloss)
{
  WeftState x[WEFT_OP_MAX], dloss_in[WEFT_OP_MAX];

  PetscFunctionBegin;
  WeftRolloutStepInputs(r, a->step, a->from, x);
  PetscCall(WeftOpTangent(r->options.step, x, r->place[a->to], r->record[a->record], dx, dy));
  if (!dloss || !r->target[a->step]) PetscFunctionReturn(0);
  LossInputs(r, a, x);
  ForLoss(r, dy, dx, dloss_in);
  PetscCall(WeftOpTangent(r->options.loss, x, &r->loss_value, r->loss_record[a->record], dloss_in, &r->loss_value));
  for (PetscInt b = 0; b < r->batch; b++) *dloss += LossWeight(r, a->step) * ((const double *)WeftStateData(r->loss_value))[b];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRolloutTangent(WeftRollout r, const WeftState dinputs[], PetscReal *dloss, const WeftState dfinal[])
{
  WeftState      dx[WEFT_OP_MAX];
  WeftTapeAction action;
  PetscInt       now = 0;

  PetscFunctionBegin;
  PetscCheck(r->played, r->comm, PETSC_ERR_ARG_WRONGSTATE, "the tangent of a rollout follows its forward sweep");
  if (dloss) *dloss = 0.0;
  for (PetscInt k = 0; WeftScheduleTangent(r->schedule, k, &action); k++) {
    if (action.verb != WEFT_TAPE_TANGENT) {
      if (action.verb == WEFT_TAPE_PLAY) PetscCall(Play(r, &action, PETSC_FALSE));
      else PetscCall(Move(r, &action));
      continue;
    }
    for (PetscInt i = 0; i < r->inputs; i++) {
      dx[i] = i >= r->states ? OfStep(r, i, WEFT_SEQUENCE_TANGENT, action.step, dinputs[i]) : action.step == 0 ? dinputs[i] : r->bar[1 - now][i];
      if (i < r->states && WeftRolloutCut(r, action.step)) dx[i] = NULL;
    }
    PetscCall(Damp(r, action.step, r->bar[1 - now]));
    PetscCall(TangentStep(r, &action, dx, r->bar[now], dloss));
    now = 1 - now;
  }
  for (PetscInt i = 0; i < r->states && dfinal; i++) PetscCall(WeftStateCopy(r->bar[1 - now][i], dfinal[i]));
  PetscFunctionReturn(0);
}
