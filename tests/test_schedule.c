/* ctest: unit; timeout 60 */
/* Checkpoint schedules alone: every sweep is played on step numbers, so that a state or a record that is not where the schedule
   says shows at once; plays are counted against the published optima, the formula and a search over all schedules. */
#include "support.h"
#include "tape/schedule.h"

typedef struct {
  PetscInt  slots, records, length;
  PetscInt *place, *record, *slot; /* number of the state or step that stands there; -1: none */
  PetscInt  plays, lost;           /* lost: LOADs from here on find nothing in slots >= 1, once */
} Machine;

static PetscErrorCode MachineCreate(PetscInt length, PetscInt slots, PetscInt records, Machine *m)
{
  PetscFunctionBegin;
  *m = (Machine){slots, records, length, NULL, NULL, NULL, 0, 0};
  PetscCall(PetscMalloc3(records + 1, &m->place, records, &m->record, slots, &m->slot));
  for (PetscInt i = 0; i <= records; i++) m->place[i] = -1;
  for (PetscInt i = 0; i < records; i++) m->record[i] = -1;
  for (PetscInt i = 0; i < slots; i++) m->slot[i] = -1;
  m->place[0] = 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode Do(Machine *m, const WeftTapeAction *a)
{
  PetscFunctionBegin;
  if (a->verb == WEFT_TAPE_PLAY) {
    TestCheck(a->from != a->to && m->place[a->from] == a->step, "step %d is played from state %d", (int)a->step, (int)m->place[a->from]);
    m->place[a->to] = a->step + 1;
    if (a->record >= 0) m->record[a->record] = a->step;
    m->plays++;
  } else if (a->verb == WEFT_TAPE_SAVE) {
    TestCheck(a->slot < m->slots && m->place[a->from] == a->step, "state %d is saved from a place with %d", (int)a->step, (int)m->place[a->from]);
    m->slot[a->slot] = a->step;
  } else if (a->verb == WEFT_TAPE_LOAD) {
    TestCheck(m->slot[a->slot] == a->step, "state %d is loaded from a slot with %d", (int)a->step, (int)m->slot[a->slot]);
    m->place[a->to] = a->step;
  } else {
    TestCheck(m->place[a->from] == a->step && m->place[a->to] == a->step + 1 && m->record[a->record] == a->step, "step %d meets states %d, %d and record %d", (int)a->step, (int)m->place[a->from], (int)m->place[a->to], (int)m->record[a->record]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode MachineDestroy(Machine *m)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(m->place, m->record, m->slot));
  PetscFunctionReturn(0);
}

/* One reverse sweep; slots [lose, lose + 1) and on lose what they hold at the first LOAD from there. */
static PetscErrorCode ReverseAll(WeftSchedule s, Machine *m, PetscInt lose)
{
  WeftTapeAction a;
  PetscInt       next = m->length - 1;

  PetscFunctionBegin;
  while (WeftScheduleReverse(s, &a)) {
    if (a.verb == WEFT_TAPE_LOAD && lose && a.slot >= lose) {
      for (PetscInt i = lose; i < m->slots; i++) m->slot[i] = -1;
      WeftScheduleLose(s, lose, m->slots - lose);
      continue;
    }
    PetscCall(Do(m, &a));
    if (a.verb != WEFT_TAPE_REVERSE) continue;
    TestCheck(a.step == next, "step %d is reversed, expected %d", (int)a.step, (int)next);
    next--;
  }
  TestCheck(next == -1, "the reverse sweep ends before step %d", (int)next);
  PetscFunctionReturn(0);
}

/* Forward, tangent if wanted, reverse; *plays beyond the plain rollout, without those of the tangent. */
static PetscErrorCode Sweeps(PetscInt length, PetscInt slots, PetscInt records, PetscBool online, PetscInt *extra)
{
  WeftSchedule   s;
  WeftTapeAction a;
  Machine        m;

  PetscFunctionBegin;
  PetscCall(WeftScheduleCreate(online ? 2 * length : length, slots, records, online, &s));
  PetscCall(MachineCreate(length, slots, records, &m));
  for (PetscInt n = 0; WeftScheduleForward(s, &a);) {
    PetscCall(Do(&m, &a));
    if (a.verb == WEFT_TAPE_PLAY) {
      TestCheck(a.step == n, "step %d is played in the forward sweep, expected %d", (int)a.step, (int)n);
      n++;
      if (online && n == length) WeftScheduleStop(s);
    }
  }
  TestCheck(m.plays == length, "a forward sweep of %d plays", (int)m.plays);
  PetscCall(ReverseAll(s, &m, 0));
  *extra = m.plays - length;
  for (PetscInt k = 0; WeftScheduleTangent(s, k, &a); k++) PetscCall(Do(&m, &a));
  m.plays = 0;
  PetscCall(ReverseAll(s, &m, 0)); /* once more, from the first state */
  if (slots && !online) TestCheck(m.plays == *extra + length, "a second reverse sweep of %d plays, expected %d", (int)m.plays, (int)(*extra + length));
  PetscCall(MachineDestroy(&m));
  PetscCall(WeftScheduleDestroy(&s));
  PetscFunctionReturn(0);
}

/* Published optima of revolve: plays without a record per step, the plain rollout's last step being played with its record. */
static PetscErrorCode TestPublished(void)
{
  static const struct {
    PetscInt  length, slots;
    PetscReal extra;
  } row[] = {{100, 10, 2.22}, {1000, 10, 3.64}, {1000, 20, 2.75}, {1000, 44, 1.95}, {10000, 20, 3.80}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(row); i++) {
    PetscInt extra = 0;
    PetscCall(Sweeps(row[i].length, row[i].slots, 1, PETSC_FALSE, &extra));
    PetscCall(TestClose((PetscReal)extra / (PetscReal)row[i].length, row[i].extra, 0.005, "extra steps per step"));
  }
  PetscFunctionReturn(0);
}

/* best[c][l]: the fewest extra plays of any schedule that advances k steps, saves, and goes on on both sides. */
#define LONGEST 60
#define MOST 6
static PetscErrorCode TestOptimal(PetscInt records)
{
  PetscInt best[MOST + 1][LONGEST + 1], extra = 0;

  PetscFunctionBegin;
  for (PetscInt c = 0; c <= MOST; c++) {
    for (PetscInt l = 0; l <= LONGEST; l++) {
      best[c][l] = l <= records ? 0 : PETSC_MAX_INT / 4;
      for (PetscInt k = 1; k < l && c; k++) best[c][l] = l <= records ? 0 : PetscMin(best[c][l], k + best[c - 1][l - k] + best[c][k]);
    }
  }
  for (PetscInt c = 1; c <= MOST; c++) {
    for (PetscInt l = 1; l <= LONGEST; l++) {
      PetscCall(Sweeps(l, c, records, PETSC_FALSE, &extra));
      TestCheck(extra == best[c][l] && extra == WeftScheduleExtra(l, c, records), "%d steps, %d checkpoints, %d records: %d extra plays, formula %d, optimum %d", (int)l, (int)c, (int)records, (int)extra, (int)WeftScheduleExtra(l, c, records), (int)best[c][l]);
    }
  }
  PetscFunctionReturn(0);
}

/* Without the length: valid for every length, and close to the optimum of a schedule that knows it. */
static PetscErrorCode TestOnline(void)
{
  PetscReal worst = 0.0;
  PetscInt  extra = 0;

  PetscFunctionBegin;
  for (PetscInt records = 1; records <= 3; records += 2)
    for (PetscInt c = 1; c <= 12; c += c < 3 ? 1 : 3)
      for (PetscInt l = 1; l <= 400; l += l < 60 ? 1 : 34) {
        PetscCall(Sweeps(l, c, records, PETSC_TRUE, &extra));
        if (c > 1 && l >= 20) worst = PetscMax(worst, (PetscReal)(extra + l) / (PetscReal)(WeftScheduleExtra(l, c, records) + l));
      }
  TestCheck(worst <= 1.35, "plays of the online schedule are up to %g times the optimum", (double)worst);
  PetscCall(Sweeps(50, 0, 100, PETSC_TRUE, &extra));
  TestCheck(extra == 0, "store-all online plays %d steps again", (int)extra);
  PetscFunctionReturn(0);
}

/* Checkpoints that are lost are played again, with those that are left. */
static PetscErrorCode TestLost(void)
{
  WeftSchedule   s;
  WeftTapeAction a;
  Machine        m;

  PetscFunctionBegin;
  for (PetscInt lose = 1; lose <= 5; lose++) {
    PetscCall(WeftScheduleCreate(80, 6, 2, PETSC_FALSE, &s));
    PetscCall(MachineCreate(80, 6, 2, &m));
    while (WeftScheduleForward(s, &a)) PetscCall(Do(&m, &a));
    PetscCall(ReverseAll(s, &m, lose));
    TestCheck(m.plays > 80 + WeftScheduleExtra(80, 6, 2), "%d plays after a loss", (int)m.plays);
    m.plays = 0;
    PetscCall(ReverseAll(s, &m, 0));
    TestCheck(m.plays == 80 + WeftScheduleExtra(80, lose, 2), "%d plays with %d checkpoints left", (int)m.plays, (int)lose);
    PetscCall(MachineDestroy(&m));
    PetscCall(WeftScheduleDestroy(&s));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscInt extra = 0;

  PetscFunctionBegin;
  PetscCall(TestPublished());
  for (PetscInt records = 1; records <= 5; records++) PetscCall(TestOptimal(records));
  PetscCall(Sweeps(30, 0, 30, PETSC_FALSE, &extra));
  TestCheck(extra == 0, "store-all plays %d steps again", (int)extra);
  PetscCall(TestOnline());
  PetscCall(TestLost());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
