/* Inside src/tape: a rollout, the plan of its tape, the store of its checkpoints. */
#ifndef WEFT_TAPE_IMPL_H
#define WEFT_TAPE_IMPL_H
#include <weft/tape.h>
#include "tape/disk.h"
#include "tape/schedule.h"
#include "grid/fixed.h"

#define WEFT_LOSS_SCALE 0x1p-20 /* terms of losses up to 1e15, in units of 1.5e-11 */

/* The tape knows two things: it plays a step from a state, with or without a record, and it reverses (or follows the tangent
   of) a step from its record. The schedule (schedule.h) gives each sweep as a list of such actions on places, records and the
   slots of the store. */
typedef struct {
  size_t slot, place, record, shared; /* bytes of a checkpoint, of a state with what adjoints read beside it, of the records of step
                                         and loss, of all the rest */
} WeftTapeSizes;
typedef struct {
  PetscInt slots, on_disk, records; /* checkpoints, those of them on disk, records; slots and records as WeftScheduleCreate takes them */
} WeftTapePlan;
/* The plan with the fewest plays within `budget` bytes (0: no bound) and with room for `on_disk` checkpoints on disk. FALSE: not even
   one checkpoint and one record fit. */
PetscBool WeftTapePlanWithin(const WeftTapeSizes *sizes, PetscInt length, size_t budget, PetscInt on_disk, WeftTapePlan *plan);
size_t    WeftTapeBytes(const WeftTapeSizes *sizes, const WeftTapePlan *plan);
/* WeftRolloutCreate with a plan of one's own; NULL: the one within the budget. */
PetscErrorCode WeftRolloutCreatePlanned(const WeftRolloutOptions *options, const WeftTapePlan *plan, WeftRollout *rollout);
/* Sets rollout->plan, the same on every rank, and takes the disk that it needs (NULL: none). Collective. */
PetscErrorCode WeftRolloutPlan(WeftRollout rollout, const WeftTapeSizes *sizes, const WeftTapePlan *given, WeftDisk *disk);

typedef struct _n_WeftStore *WeftStore;
/* `slots` in memory and `on_disk` more; owns disk. rounded: float64 is kept as float32. */
PetscErrorCode WeftStoreCreate(PetscInt slots, PetscInt on_disk, size_t bytes, PetscBool rounded, WeftDisk disk, WeftStore *store);
PetscErrorCode WeftStoreDestroy(WeftStore *store);
PetscErrorCode WeftStoreSave(WeftStore store, PetscInt slot, PetscInt states, const WeftState state[]);
/* *lost: errno of a rank whose checkpoint cannot be read, the same on all ranks of comm; the states are then as they were. */
PetscErrorCode WeftStoreLoad(WeftStore store, MPI_Comm comm, PetscInt slot, PetscInt states, const WeftState state[], int *lost);
/* Will be loaded soon. */
void WeftStoreFetch(WeftStore store, PetscInt slot);

/* What an input that is a sequence has per step. */
enum { WEFT_SEQUENCE_VALUE, WEFT_SEQUENCE_BAR, WEFT_SEQUENCE_TANGENT, WEFT_SEQUENCES };

struct _n_WeftRollout {
  WeftRolloutOptions  options;
  WeftTapePlan        plan;
  WeftSchedule        schedule;
  WeftStore           store; /* NULL: the plan has no slots */
  MPI_Comm            comm;
  WeftGrid            grid; /* of the first state; NULL: states without a grid */
  PetscInt            inputs, outputs, states, loss_inputs, batch;
  PetscInt            window;           /* adjoints stop at states whose number is a multiple of it; 0: nowhere */
  WeftState         **place;            /* [records + 1][outputs]; outputs beyond the states are shared unless an adjoint reads them */
  WeftRecord         *record, *loss_record; /* [records] */
  WeftState           spare[WEFT_OP_MAX];   /* outputs beyond the states */
  WeftState           loss_sums; /* in fixed point, over the steps; NULL: without */
  PetscReal          *factor;    /* [batch] of the samples' losses, in the reverse sweep */
  WeftState           loss_value;
  WeftState           bar[2][WEFT_OP_MAX], loss_seed; /* adjoints (or tangents) of two neighbouring states; adjoint of the loss */
  size_t              predicted, measured;
  PetscInt64          plays, adjoints; /* steps played in forward and reverse sweeps; steps reversed */
  /* of the last Forward; the caller keeps them until its Reverse and Tangent are done */
  WeftState           input[WEFT_OP_MAX];
  WeftState          *target; /* [length] */
  WeftState          *sequence[WEFT_OP_MAX][WEFT_SEQUENCES]; /* [length] each; NULL: the input is the same in every step */
  PetscBool           played, warned;       /* warned: a checkpoint on disk was lost */
  PetscInt            steps;                /* of the last Forward: length, or fewer if it was stopped */
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
