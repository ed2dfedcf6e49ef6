/* Checkpoint schedules: which states of a rollout are kept, which steps are played again. Step numbers, places and slots only,
   never values; not collective, the same on every rank.

   A tape has `records` m, places for the m + 1 states around them, and `slots` c for checkpoints (single states, the first state
   among them). It records blocks of at most m steps, reverses them, and plays the steps in between again from the nearest
   checkpoint. Binomial schedule (Griewank and Walther 2000, Algorithm 799), in blocks of m steps: with
   b(c, r) = (c + r)! / (c! r!), the number of blocks that c checkpoints reach when no step is played more than r times without a
   record, l steps take
       extra(l, c, m) = r l - m b(c + 1, r - 1),   m b(c, r - 1) < l <= m b(c, r)
   plays more than the l of a plain rollout; no schedule of the kind takes fewer. The published optima are those of m = 1.
   With m = l everything is recorded and nothing is played again: store-all, which needs no slot.

   Online, the number of steps is not known before the last one: checkpoints are thinned out as the run goes on (Wang, Moin,
   Iaccarino 2009), and the reverse sweep is binomial between those that are left. */
#ifndef WEFT_TAPE_SCHEDULE_H
#define WEFT_TAPE_SCHEDULE_H
#include <weft/base.h>

typedef enum { WEFT_TAPE_PLAY, WEFT_TAPE_SAVE, WEFT_TAPE_LOAD, WEFT_TAPE_REVERSE, WEFT_TAPE_TANGENT } WeftTapeVerb;
typedef struct {
  WeftTapeVerb verb;
  PetscInt     step;     /* PLAY, REVERSE, TANGENT: from state `step` to `step + 1`; SAVE, LOAD: the number of the state */
  PetscInt     from, to; /* places of the two states; SAVE reads `from`, LOAD writes `to` */
  PetscInt     record;   /* place of the record; -1: played without one */
  PetscInt     slot;     /* SAVE, LOAD */
} WeftTapeAction;

typedef struct _n_WeftSchedule *WeftSchedule;
/* length: steps; online: at most. slots 0: records >= length. */
PetscErrorCode WeftScheduleCreate(PetscInt length, PetscInt slots, PetscInt records, PetscBool online, WeftSchedule *schedule);
PetscErrorCode WeftScheduleDestroy(WeftSchedule *schedule);
/* Before a forward sweep: state 0 stands in place 0, nothing else is there. */
void WeftScheduleStart(WeftSchedule schedule);
/* The next action of the forward sweep; FALSE: it is over (online: never, until WeftScheduleStop after the last step). */
PetscBool WeftScheduleForward(WeftSchedule schedule, WeftTapeAction *action);
void      WeftScheduleStop(WeftSchedule schedule);
/* The next action of a reverse sweep, which may play, save and load; FALSE: it is over, and another one may follow. */
PetscBool WeftScheduleReverse(WeftSchedule schedule, WeftTapeAction *action);
/* Action k of a tangent sweep, which may stand between the others. */
PetscBool WeftScheduleTangent(WeftSchedule schedule, PetscInt k, WeftTapeAction *action);
/* The last LOAD found nothing: the state is played again from the checkpoint before. Slots from `first` on, `count` of them, are
   not used any more. */
void WeftScheduleLose(WeftSchedule schedule, PetscInt first, PetscInt count);
/* The checkpoint that is loaded next if nothing is saved meanwhile: its slot; -1: none. */
PetscInt WeftScheduleAhead(WeftSchedule schedule);

/* extra(length, slots, records) of the formula above. */
PetscInt64 WeftScheduleExtra(PetscInt length, PetscInt slots, PetscInt records);
#endif
