/* tape: rollouts of a step operator, and their reverse and tangent sweeps. Knows only (step, state, record). */
#ifndef WEFT_TAPE_H
#define WEFT_TAPE_H
#include <weft/op.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* How far back a gradient reaches. FULL: through all steps; TRUNCATED: cut every `window` steps; ONE_STEP: cut at every step.
   (no-solver-gradient is a property of the model's step, not of the tape.) */
typedef enum { WEFT_REACH_FULL, WEFT_REACH_TRUNCATED, WEFT_REACH_ONE_STEP, WEFT_REACH_NO_SOLVER_GRADIENT } WeftReach;
extern const char *const WeftReaches[]; /* "full", "truncated", "one-step", "no-solver-gradient" */

typedef struct {
  WeftOp     step;    /* inputs: `states` states, then constants (numbers, weights); the first outputs: the states */
  PetscInt   states;
  WeftOp     loss;    /* (first states..., target) -> NUMBERS per sample, 1 (this rank's part); NULL: no loss */
  PetscBool  loss_before; /* the loss is (first state, the same before the step, target) */
  PetscInt   length;  /* steps N */
  WeftReach  reach;
  PetscInt   window;
  PetscReal  clip;    /* where a step makes the norm of the states' adjoint grow more than so many times, it is scaled down to that; 0:
                         no bound. The norm is a sum over ranks: with it adjoints differ by round-off from layout to layout. */
  PetscReal  damping; /* the states' adjoint loses this share at every step; 0: none */
  size_t     memory;  /* budget in bytes per rank for the tape; 0: none */
  char       disk[PETSC_MAX_PATH_LEN]; /* folder on a node-local disk for checkpoints beyond the budget; empty: none */
  size_t     disk_memory;              /* budget in bytes per rank there; 0: none */
  PetscBool  rounded; /* checkpoints keep float64 as float32: twice as many, but steps are played again from rounded states */
  /* NULL: `length` steps. Else asked after every step, with the number of steps done and the states: *stop ends the rollout there,
     after `length` steps at the latest. The same answer on every rank. */
  PetscErrorCode (*stop)(PetscInt steps, const WeftState states[], void *context, PetscBool *stop);
  void      *stop_context;
  const PetscReal *loss_weight; /* [length] of the loss after each step; stays the caller's; NULL: 1 */
  PetscBool  deterministic; /* -deterministic: losses are summed in fixed point, as far as the loss can (src/grid/fixed.h) */
} WeftRolloutOptions;
/* -unroll_reach, -unroll_window, -unroll_clip, -unroll_damping, -tape_memory, -tape_disk, -tape_disk_memory, -tape_checkpoints, -deterministic; the rest stays. */
PetscErrorCode WeftRolloutOptionsFromKeys(WeftRolloutOptions *options);

/* All states and records are kept where the budget allows it; else checkpoints, from which steps are played again, in the binomial
   order (src/tape/schedule.h) with the fewest plays for that budget; with `stop`, in the online order. Checkpoints on disk are written
   and fetched by a helper thread; one that is lost (a full disk) is played again, with one warning. The gradient is the same bit for
   bit, unless checkpoints are rounded. */
typedef struct _n_WeftRollout *WeftRollout;
/* Collective on the space communicator. Fails with the figures when the budget does not hold one checkpoint and one record, and when
   the folder for checkpoints cannot be written. */
PetscErrorCode WeftRolloutCreate(const WeftRolloutOptions *options, WeftRollout *rollout);
PetscErrorCode WeftRolloutDestroy(WeftRollout *rollout);
/* Predicted bytes of the tape on this rank, and what it took. */
PetscErrorCode WeftRolloutMemory(WeftRollout rollout, size_t *predicted, size_t *measured);
/* Steps of the last Forward: `length`, or those until `stop`. */
PetscInt WeftRolloutSteps(WeftRollout rollout);
/* Plays per step beyond the first: of a forward and a reverse sweep as the schedule has it, and of all sweeps so far (forward sweeps
   that were not reversed count as played again). */
PetscErrorCode WeftRolloutPlays(WeftRollout rollout, PetscReal *predicted, PetscReal *measured);

/* Input `input` of the step, beyond the states, is a sequence (forcing, control): step n reads value[n], n = 0 .. N-1; Reverse adds its
   adjoint to bar[n] (bar NULL: not wanted), Tangent reads dvalue[n] (dvalue NULL: zero). The arrays are copied, their states stay the
   caller's. value NULL: one state for all steps again. Such an input's place in inputs[], inputs_bar[], dinputs[] is not looked at.
   Not collective. */
PetscErrorCode WeftRolloutSetSequence(WeftRollout rollout, PetscInt input, const WeftState value[], const WeftState bar[], const WeftState dvalue[]);

/* Plays N steps from inputs[] (all inputs of the step; states first; they stay) and records. targets[n] is compared after step
   n (targets[0 .. N-1]; NULL without a loss; targets[n] == NULL: no loss at that step). losses[sample] (may be NULL): sum over
   steps, this rank's part. final[] (states; may be NULL). Agrees on faults and non-finite values at the end: the message names the
   step and the operator. The inputs beyond the states, and the targets, are read again by Reverse and Tangent: they stay as they
   are until then. Collective on the space communicator. */
PetscErrorCode WeftRolloutForward(WeftRollout rollout, const WeftState inputs[], const WeftState targets[], PetscReal losses[], const WeftState final[]);
/* NUMBERS per sample with the sums of the losses of the last Forward in fixed point; values that are not zero are parts that the loss
   could not sum so. NULL without `deterministic`. Borrowed. Not collective. */
WeftState WeftRolloutLossSums(WeftRollout rollout);
/* Reverse of the last Forward: inputs_bar[i] += (d sum of losses / d inputs[i]) (NULL: not wanted; NUMBERS: this rank's part),
   plus the transposed effect of final_bar[] (adjoint of the final states; NULL: zero). */
PetscErrorCode WeftRolloutReverse(WeftRollout rollout, const WeftState final_bar[], const WeftState inputs_bar[]);
/* Reverse of the last Forward into inputs_bar[] (zeroed first), for an adjoint that is not finite: the operator that made the
   first such value, its field, cell and rank, in words; empty: none did. Collective on the space communicator. */
PetscErrorCode WeftRolloutSearchAdjoint(WeftRollout rollout, const WeftState inputs_bar[], char text[], size_t room);
/* Which samples count: the loss of sample s and its gradient are multiplied by factor[s] (1 at first), in this and later Reverses;
   losses[] of Forward are not. Not collective. */
PetscErrorCode WeftRolloutSetFactors(WeftRollout rollout, const PetscReal factor[]);
/* Tangent along the last Forward: dinputs[] (NULL: zero) -> dlosses (sum over steps and samples, this rank's part) and dfinal[]
   (may be NULL). Follows the reach and the damping, not the clip. */
PetscErrorCode WeftRolloutTangent(WeftRollout rollout, const WeftState dinputs[], PetscReal *dloss, const WeftState dfinal[]);
/* Other limits of the gradient from now on: reach, window, clip and damping of `limits`. Not collective. */
PetscErrorCode WeftRolloutLimit(WeftRollout rollout, const WeftRolloutOptions *limits);
/* Norms over the space communicator of the adjoint of each state in the last Reverse, [steps + 1]; of state 0 only as far as its
   adjoint was wanted. Collective on the space communicator. */
PetscErrorCode WeftRolloutAdjointNorms(WeftRollout rollout, const PetscReal **norms);

#if defined(__cplusplus)
}
#endif
#endif
