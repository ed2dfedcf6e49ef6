/* Checkpoint schedules: store-all, binomial and online, as one machine over a stack of checkpoints. */
#include "tape/schedule.h"

typedef struct {
  PetscInt step, slot;
  PetscInt level; /* online: how often its neighbourhood was thinned out */
} Checkpoint;

struct _n_WeftSchedule {
  PetscInt    length, slots, records;
  PetscBool   online, open;  /* open: the last step is not known yet */
  PetscInt    used, free;    /* checkpoints on the stack; slots that may take one */
  Checkpoint *stack;         /* [slots], steps rising */
  PetscBool  *taken, *broken;/* [slots] */
  PetscInt    last, end;     /* steps of the sweep; those before `end` are still to be reversed */
  PetscInt    at, here;      /* state that stands ready for the next step, and its place; at -1: none */
  PetscInt    goal;          /* steps before it are played without a record; a checkpoint, or the block of the last steps, begins there */
  PetscInt    begin, until;  /* steps [begin, until) are recorded, */
  PetscInt    place;         /* with state `begin` in this place, the next ones in those after it */
};

/* ---- the formula ------------------------------------------------------------------------------------------------- */

#define MANY ((PetscInt64)1 << 40) /* more steps than any rollout has */

/* m (c + r)! / (c! r!), at most MANY. */
static PetscInt64 Reach(PetscInt64 m, PetscInt c, PetscInt r)
{
  PetscInt64 b = 1; /* (c + i over i): whole after each division */

  if (r < 0 || c < 0) return 0;
  for (PetscInt i = 1; i <= r && b < MANY; i++) b = b > MANY / (c + i) ? MANY : b * (c + i) / i;
  return b > MANY / m ? MANY : m * b;
}

/* Smallest r with length <= m b(slots, r). */
static PetscInt Repetitions(PetscInt length, PetscInt slots, PetscInt records)
{
  PetscInt r = 0;
  while (Reach(records, slots, r) < length) r++;
  return r;
}

PetscInt64 WeftScheduleExtra(PetscInt length, PetscInt slots, PetscInt records)
{
  const PetscInt r = Repetitions(length, slots, records);
  return (PetscInt64)r * length - Reach(records, slots + 1, r - 1);
}

/* Steps to the next checkpoint, when `length` > `records` steps are left and `slots` checkpoints, the one at hand among them: the
   most that leaves an optimal rest on both sides. */
static PetscInt Advance(PetscInt length, PetscInt slots, PetscInt records)
{
  const PetscInt r = Repetitions(length, slots, records);
  return (PetscInt)PetscMin(Reach(records, slots, r - 1), length - Reach(records, slots - 1, r - 1));
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftScheduleCreate(PetscInt length, PetscInt slots, PetscInt records, PetscBool online, WeftSchedule *schedule)
{
  WeftSchedule s;

  PetscFunctionBegin;
  PetscCheck(records >= 1 && slots >= 0 && (slots || records >= length), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a schedule of %" PetscInt_FMT " steps with %" PetscInt_FMT " checkpoints and %" PetscInt_FMT " records", length, slots, records);
  PetscCall(PetscNew(&s));
  s->length  = length;
  s->slots   = slots;
  s->free    = slots;
  s->records = records;
  s->online  = online;
  PetscCall(PetscCalloc3(slots, &s->stack, slots, &s->taken, slots, &s->broken));
  WeftScheduleStart(s);
  *schedule = s;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftScheduleDestroy(WeftSchedule *schedule)
{
  PetscFunctionBegin;
  if (!*schedule) PetscFunctionReturn(0);
  PetscCall(PetscFree3((*schedule)->stack, (*schedule)->taken, (*schedule)->broken));
  PetscCall(PetscFree(*schedule));
  PetscFunctionReturn(0);
}

static void Remove(WeftSchedule s, PetscInt i)
{
  const PetscInt slot = s->stack[i].slot;
  s->taken[slot]      = PETSC_FALSE;
  if (!s->broken[slot]) s->free++;
  s->used--;
  for (; i < s->used; i++) s->stack[i] = s->stack[i + 1];
}

void WeftScheduleStart(WeftSchedule s)
{
  while (s->used) Remove(s, s->used - 1);
  s->open = s->online;
  s->last = s->end = s->length;
  s->at = s->here = s->goal = 0;
  s->begin = s->until = s->place = 0;
}

void WeftScheduleStop(WeftSchedule s)
{
  s->open = PETSC_FALSE;
  s->last = s->end = s->at;
}

void WeftScheduleLose(WeftSchedule s, PetscInt first, PetscInt count)
{
  for (PetscInt slot = first; slot < first + count; slot++) {
    if (!s->broken[slot] && !s->taken[slot]) s->free--;
    s->broken[slot] = PETSC_TRUE;
  }
  Remove(s, s->used - 1);
  s->at = -1;
}

/* ---- actions ------------------------------------------------------------------------------------------------------- */

static PetscInt Place(WeftSchedule s, PetscInt place, PetscInt steps) { return (place + steps) % (s->records + 1); }

static void Play(WeftSchedule s, PetscBool record, WeftTapeAction *a)
{
  *a      = (WeftTapeAction){WEFT_TAPE_PLAY, s->at, s->here, Place(s, s->here, 1), record ? s->at - s->begin : -1, -1};
  s->here = a->to;
  s->at++;
  if (record) s->until = s->at;
}

static void Save(WeftSchedule s, PetscInt level, WeftTapeAction *a)
{
  PetscInt slot = 0;
  while (s->taken[slot] || s->broken[slot]) slot++;
  s->taken[slot] = PETSC_TRUE;
  s->free--;
  s->stack[s->used++] = (Checkpoint){s->at, slot, level};
  *a                  = (WeftTapeAction){WEFT_TAPE_SAVE, s->at, s->here, -1, -1, slot};
}

static void Load(WeftSchedule s, PetscInt i, WeftTapeAction *a)
{
  s->at   = s->stack[i].step;
  s->here = 0;
  *a      = (WeftTapeAction){WEFT_TAPE_LOAD, s->at, -1, s->here, -1, s->stack[i].slot};
}

/* A block begins at the state at hand. */
static void Begin(WeftSchedule s)
{
  s->begin = s->until = s->at;
  s->place            = s->here;
}

/* The state at hand is the last checkpoint: where to next? */
static void Decide(WeftSchedule s)
{
  const PetscInt left = s->end - s->at;
  s->goal             = left <= s->records ? s->at : s->at + Advance(left, 1 + s->free, s->records);
}

/* On the way to the record of the last steps before `end`. */
static void Onward(WeftSchedule s, WeftTapeAction *a)
{
  if (s->at < 0) {
    Load(s, s->used - 1, a);
    Decide(s);
  } else if ((s->slots && !s->used) || (s->at == s->goal && s->end - s->goal > s->records)) {
    Save(s, 0, a);
    Decide(s);
  } else {
    if (s->at == s->goal) Begin(s);
    Play(s, s->at >= s->goal ? PETSC_TRUE : PETSC_FALSE, a);
  }
}

/* Room for a checkpoint at the state at hand, and its level. A checkpoint is dispensable when a later one has a higher level;
   without one the last checkpoint moves on and rises. FALSE: the first state has the only slot. */
static PetscBool MakeRoom(WeftSchedule s, PetscInt *level)
{
  PetscInt highest = -1;

  *level = 0;
  if (s->free) return PETSC_TRUE;
  if (s->used < 2) return PETSC_FALSE;
  for (PetscInt i = s->used - 1; i > 0; i--) {
    if (s->stack[i].level < highest) {
      Remove(s, i);
      return PETSC_TRUE;
    }
    highest = PetscMax(highest, s->stack[i].level);
  }
  *level = s->stack[s->used - 1].level + 1;
  Remove(s, s->used - 1);
  return PETSC_TRUE;
}

/* Online: every step is recorded, in blocks that overwrite each other, since any may be the last. */
static void OnwardOpen(WeftSchedule s, WeftTapeAction *a)
{
  const PetscBool first = s->slots && !s->used ? PETSC_TRUE : PETSC_FALSE, full = s->at - s->begin == s->records ? PETSC_TRUE : PETSC_FALSE;
  PetscInt        level = 0;

  if (first || full) Begin(s);
  if (first || (full && MakeRoom(s, &level))) Save(s, level, a);
  else Play(s, PETSC_TRUE, a);
}

PetscBool WeftScheduleForward(WeftSchedule s, WeftTapeAction *a)
{
  if (s->open) OnwardOpen(s, a);
  else if (s->until == s->end) return PETSC_FALSE;
  else Onward(s, a);
  return PETSC_TRUE;
}

PetscBool WeftScheduleReverse(WeftSchedule s, WeftTapeAction *a)
{
  if (!s->end) { /* ready for another sweep: without slots everything is still recorded */
    s->end = s->last;
    if (!s->slots) s->until = s->end;
    return PETSC_FALSE;
  }
  if (s->until == s->end && s->begin < s->end) {
    const PetscInt n = --s->end, place = Place(s, s->place, n - s->begin);
    *a       = (WeftTapeAction){WEFT_TAPE_REVERSE, n, place, Place(s, place, 1), n - s->begin, -1};
    s->until = n;
    s->at    = -1;
    return PETSC_TRUE;
  }
  while (s->used > 1 && s->stack[s->used - 1].step >= s->end) Remove(s, s->used - 1);
  Onward(s, a);
  return PETSC_TRUE;
}

PetscBool WeftScheduleTangent(WeftSchedule s, PetscInt k, WeftTapeAction *a)
{
  const PetscInt n = s->slots ? (k - 1) / 2 : k, place = Place(s, 0, n);

  if (n >= s->last) return PETSC_FALSE;
  *a = (WeftTapeAction){WEFT_TAPE_TANGENT, n, place, Place(s, place, 1), s->slots ? 0 : n, -1};
  if (!s->slots) return PETSC_TRUE;
  if (!k) { /* the block at hand is lost; the checkpoints stay */
    Load(s, 0, a);
    s->at = s->begin = s->until = -1;
  } else if (k % 2) a->verb = WEFT_TAPE_PLAY;
  return PETSC_TRUE;
}

PetscInt WeftScheduleAhead(WeftSchedule s)
{
  PetscInt i = s->used - 1;
  while (i > 0 && s->stack[i].step >= s->begin) i--;
  return i < 0 ? -1 : s->stack[i].slot;
}
