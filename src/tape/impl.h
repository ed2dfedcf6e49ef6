/* Inside src/tape: a rollout, and the interface of a schedule. */
#ifndef WEFT_TAPE_IMPL_H
#define WEFT_TAPE_IMPL_H
#include <weft/tape.h>

/* The tape knows two things: it plays a step from a state, with or without a record, and it reverses (or follows the tangent
   of) a step from its record. A schedule says how many states and records there is room for ("places"), and gives each sweep
   as a list of such actions. It sees step numbers and places, never values. State 0 stands in place 0 when a sweep begins.
   A schedule with fewer places than steps plays steps again inside its REVERSE and TANGENT sweeps. */
typedef enum { WEFT_SWEEP_FORWARD, WEFT_SWEEP_REVERSE, WEFT_SWEEP_TANGENT } WeftSweep;
typedef enum { WEFT_TAPE_PLAY, WEFT_TAPE_REVERSE, WEFT_TAPE_TANGENT } WeftTapeVerb;
typedef struct {
  WeftTapeVerb verb;
  PetscInt     step;     /* from state `step` to state `step + 1` */
  PetscInt     from, to; /* places of the two states */
  PetscInt     record;   /* place of the record; -1: played without one */
} WeftTapeAction;

typedef struct {
  const char *name;
  /* Places for `length` steps within `budget` bytes (0: no bound). */
  void (*size)(PetscInt length, size_t state_bytes, size_t record_bytes, size_t budget, PetscInt *states, PetscInt *records);
  /* Action `k` of a sweep; FALSE: the sweep is over. */
  PetscBool (*next)(PetscInt length, WeftSweep sweep, PetscInt k, WeftTapeAction *action);
} WeftSchedule;
extern const WeftSchedule WeftScheduleStoreAll;
/* WeftRolloutCreate with a schedule of one's own; its rows stay with the caller. */
PetscErrorCode WeftRolloutCreateScheduled(const WeftRolloutOptions *options, const WeftSchedule *schedule, WeftRollout *rollout);

/* What an input that is a sequence has per step. */
enum { WEFT_SEQUENCE_VALUE, WEFT_SEQUENCE_BAR, WEFT_SEQUENCE_TANGENT, WEFT_SEQUENCES };

struct _n_WeftRollout {
  WeftRolloutOptions  options;
  const WeftSchedule *schedule;
  MPI_Comm            comm;
  WeftGrid            grid; /* of the first state; NULL: states without a grid */
  PetscInt            inputs, outputs, states, loss_inputs, batch;
  PetscInt            window;           /* adjoints stop at states whose number is a multiple of it; 0: nowhere */
  PetscInt            places, records;
  WeftState         **place;            /* [places][outputs]; outputs beyond the states are shared unless an adjoint reads them */
  WeftRecord         *record, *loss_record; /* [records] */
  WeftState           spare[WEFT_OP_MAX];   /* outputs beyond the states */
  WeftState           loss_value;
  WeftState           bar[2][WEFT_OP_MAX], loss_seed; /* adjoints (or tangents) of two neighbouring states; 1 per sample */
  size_t              predicted, measured;
  /* of the last Forward; the caller keeps them until its Reverse and Tangent are done */
  WeftState           input[WEFT_OP_MAX];
  WeftState          *target; /* [length] */
  WeftState          *sequence[WEFT_OP_MAX][WEFT_SEQUENCES]; /* [length] each; NULL: the input is the same in every step */
  PetscBool           played;
  PetscInt            fault; /* first fault that this rank saw: 2 n a note of an operator on the way to state n, 2 n + 1 a value
                                of state n that is not finite */
  PetscReal          *square, *norm; /* [length + 1] this rank's sum of squares of the adjoint; over all ranks */
};

/* Inputs of step `n` when its state stands in a place. */
void WeftRolloutStepInputs(WeftRollout rollout, PetscInt n, PetscInt place, WeftState x[]);
/* Does the adjoint stop at state n on its way back? */
PetscBool WeftRolloutCut(WeftRollout rollout, PetscInt n);

/* Does an owned value of the state (any kind) fail to be finite? Local. */
PetscBool WeftStateNotFinite(WeftState state);
/* Sum of squares of the owned values of PLANES and NUMBERS. Local. */
PetscReal WeftStateSquare(WeftState state);
/* Agrees on the faults of a forward sweep; replays the step to name the operator. Collective. */
PetscErrorCode WeftRolloutAgree(WeftRollout rollout);
#endif
