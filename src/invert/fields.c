/* recovered.h5/.xmf: truth, first guess, recovered fields and their difference side by side, over the steps of the rollout; the picture. */
#include "invert/impl.h"

enum { TRUTH, GUESS, RECOVERED, RUNS };
static const char *const run_names[] = {"truth", "guess", "recovered", "difference"};

/* A run of the model from one vector, or from the true inputs. */
typedef struct {
  WeftState in[WEFT_OP_MAX], out[WEFT_OP_MAX];
} Run;

/* Shown: every state, and every unknown that is a field and no state; renamed for each run. */
typedef struct {
  PetscInt    input[WEFT_OP_MAX], count;
  PetscBool known[WEFT_OP_MAX];               /* is there a truth; not of a control */
  const char *name[WEFT_OP_MAX];               /* of inputs that are no state */
  WeftState state[4][WEFT_OP_MAX];
  Run       run[RUNS];
  Vec       vector[RUNS];
  WeftSeries *series; /* [count of simulations] */
  PetscReal  error[WEFT_OP_MAX][2]; /* of the shown at step 0: squares of difference and truth */
} Shown;

/* The space of an input under names of a run; `input`: name of an input that is no state, whose fields are called like the velocity's. */
static PetscErrorCode Renamed(WeftSpace space, const char *prefix, const char *input, WeftState *state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  char                 names[WEFT_MAX_FIELDS][96];
  const char          *name[WEFT_MAX_FIELDS];
  WeftSpace            renamed;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    if (!input) PetscCall(PetscSNPrintf(names[f], sizeof(names[f]), "%s_%s", prefix, info->name[f]));
    else if (info->fields > 1) PetscCall(PetscSNPrintf(names[f], sizeof(names[f]), "%s_%s_%c", prefix, input, "xyz"[f]));
    else PetscCall(PetscSNPrintf(names[f], sizeof(names[f]), "%s_%s", prefix, input));
    name[f] = names[f];
  }
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, info->fields, name, info->location, &renamed));
  PetscCall(WeftStateCreate(renamed, state));
  PetscCall(WeftSpaceDestroy(&renamed));
  PetscFunctionReturn(0);
}

static PetscErrorCode ShownCreate(WeftInversion v, Shown *s)
{
  char path[PETSC_MAX_PATH_LEN], name[64];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(s, sizeof(*s)));
  for (PetscInt i = 0; i < v->states; i++) {
    s->known[s->count]   = v->truth_known;
    s->input[s->count++] = i;
  }
  for (PetscInt k = 0; k < v->unknowns; k++)
    if (v->unknown[k].input >= v->states && !v->unknown[k].width) {
      s->name[s->count]    = v->unknown[k].name;
      s->known[s->count]   = v->truth_moves && !v->unknown[k].in_time ? PETSC_TRUE : PETSC_FALSE;
      s->input[s->count++] = v->unknown[k].input;
    }
  s->vector[GUESS]     = v->guess;
  s->vector[RECOVERED] = v->best;
  for (PetscInt i = 0; i < s->count; i++)
    for (PetscInt r = 0; r < 4; r++) PetscCall(Renamed(WeftStateSpace(v->input[s->input[i]]), run_names[r], s->name[i], &s->state[r][i]));
  for (PetscInt r = 0; r < RUNS; r++) {
    PetscCall(WeftStepStates(WeftModelStep(v->model), s->run[r].in, s->run[r].out));
    for (PetscInt i = 0; i < v->inputs; i++) PetscCall(WeftStateCopy(r == TRUTH ? v->truth[i] : v->input[i], s->run[r].in[i]));
  }
  PetscCall(PetscCalloc1(PetscMax(v->count, 1), &s->series));
  for (PetscInt b = 0; b < v->count; b++) {
    PetscCall(PetscSNPrintf(name, sizeof(name), v->simulations > 1 ? "recovered_%d" : "recovered", (int)(v->first + b)));
    PetscCall(WeftInversionPath(v, name, path));
    PetscCall(WeftSeriesCreate(v->grid, path, &s->series[b]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ShownDestroy(WeftInversion v, Shown *s)
{
  PetscFunctionBegin;
  for (PetscInt b = 0; b < v->count; b++) PetscCall(WeftSeriesDestroy(&s->series[b]));
  PetscCall(PetscFree(s->series));
  for (PetscInt i = 0; i < s->count; i++)
    for (PetscInt r = 0; r < 4; r++) PetscCall(WeftStateDestroy(&s->state[r][i]));
  for (PetscInt r = 0; r < RUNS; r++) PetscCall(WeftStepStatesDestroy(WeftModelStep(v->model), s->run[r].in, s->run[r].out));
  PetscFunctionReturn(0);
}

/* Inputs of step n (from 0): states only before the first, what changes in time before each. */
static PetscErrorCode SetInputs(WeftInversion v, Shown *s, PetscInt r, PetscInt n)
{
  PetscFunctionBegin;
  if (!s->vector[r]) PetscFunctionReturn(0);
  PetscCall(WeftUnknownsSet(v, s->vector[r]));
  for (PetscInt k = 0; k < v->unknowns; k++) {
    const WeftUnknown *u = &v->unknown[k];
    if (u->in_time) PetscCall(WeftStateCopy(u->value[PetscMin(n, v->steps - 1)], s->run[r].in[u->input]));
    else if (n == 0) PetscCall(WeftStateCopy(u->value[0], s->run[r].in[u->input]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode WriteFrame(WeftInversion v, Shown *s, PetscInt n)
{
  WeftState all[4 * WEFT_OP_MAX];
  PetscInt  count = 0;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < s->count; i++) {
    for (PetscInt r = 0; r < RUNS; r++) PetscCall(WeftStateCopy(s->run[r].in[s->input[i]], s->state[r][i]));
    PetscCall(WeftStateCopy(s->state[RECOVERED][i], s->state[RUNS][i]));
    PetscCall(WeftStateAXPY(s->state[RUNS][i], -1.0, s->state[TRUTH][i]));
    for (PetscInt r = s->known[i] ? TRUTH : GUESS; r < (s->known[i] ? 4 : RUNS); r++) all[count++] = s->state[r][i];
    for (PetscInt k = 0; k < 2 && n == 0; k++) {
      PetscReal norm;
      PetscCall(WeftStateNorm(s->state[k ? TRUTH : RUNS][i], NORM_2, &norm));
      s->error[i][k] = v->count && v->info.space_rank == 0 ? norm * norm : 0.0;
    }
  }
  for (PetscInt b = 0; b < v->count; b++) PetscCall(WeftSeriesWrite(s->series[b], (PetscReal)n * WeftModelTimeStep(v->model), count, all, b));
  PetscFunctionReturn(0);
}

/* The next state of the runs; a target that is a state stays. */
static PetscErrorCode Advance(WeftInversion v, Shown *s)
{
  PetscFunctionBegin;
  for (PetscInt r = v->truth_moves ? TRUTH : GUESS; r < RUNS; r++) {
    PetscCall(WeftOpApply(WeftModelStep(v->model), s->run[r].in, s->run[r].out, NULL));
    for (PetscInt i = 0; i < v->states; i++) PetscCall(WeftStateCopy(s->run[r].out[i], s->run[r].in[i]));
  }
  PetscFunctionReturn(0);
}

/* ---- picture ------------------------------------------------------------------------------------------------------------- */

/* The field that is observed first (of simulation 0 and the last step) or, in one dimension, found first (at step 0). */
static PetscErrorCode Picture(WeftInversion v, Shown *s, PetscInt shown, PetscInt field)
{
  const PetscInt first = s->known[shown] ? TRUTH : GUESS, count = s->known[shown] ? 4 : 2;
  double        *values[4] = {NULL}, *x, lower = PETSC_INFINITY, upper = PETSC_NINFINITY, largest = 0.0;
  PetscInt       shape[3] = {1, 1, 1};
  WeftPanel      panel[4];
  WeftLine       line[4];
  char           path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < count; k++) {
    PetscCall(WeftStateGather(s->state[first + k][shown], field, 0, shape, &values[k]));
    for (PetscInt i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
      if (first + k == RUNS) largest = PetscMax(largest, PetscAbsReal(values[k][i]));
      lower = first + k == RUNS ? lower : PetscMin(lower, values[k][i]);
      upper = first + k == RUNS ? upper : PetscMax(upper, values[k][i]);
    }
  }
  PetscCall(PetscMalloc1(shape[2], &x));
  for (PetscInt i = 0; i < shape[2]; i++) x[i] = WeftGridLayout(v->grid)->lower[0] + (double)i * WeftGridLayout(v->grid)->h[0];
  for (PetscInt k = 0; k < count; k++) {
    panel[k] = (WeftPanel){run_names[first + k], shape[1], shape[2], values[k] + shape[0] / 2 * shape[1] * shape[2], lower, upper, lower < 0.0 ? PETSC_TRUE : PETSC_FALSE};
    if (first + k == RUNS) panel[k].lower = -(panel[k].upper = PetscMax(largest, upper - lower)), panel[k].diverging = PETSC_TRUE;
    line[k]  = (WeftLine){run_names[first + k], shape[2], x, values[k]};
  }
  PetscCall(WeftInversionPath(v, "picture.png", path));
  if (WeftGridLayout(v->grid)->dim > 1) PetscCall(WeftPictureWrite(path, count, panel, 4, PetscMax(1, 512 / PetscMax(shape[1], shape[2]))));
  else PetscCall(WeftPlotWrite(path, s->name[shown] ? s->name[shown] : WeftSpaceGetInfo(WeftStateSpace(v->input[s->input[shown]]))->name[field], "x", "", PETSC_FALSE, count, line));
  PetscCall(PetscFree(x));
  for (PetscInt k = 0; k < count; k++) PetscCall(PetscFree(values[k]));
  PetscFunctionReturn(0);
}

/* Which shown field is in the picture: an unknown that is a field and no state, such as a conductivity, before the observed state. */
static PetscInt Pictured(WeftInversion v, const Shown *s)
{
  const PetscBool a_field = v->unknown[0].input >= v->states && !v->unknown[0].width && !v->unknown[0].in_time ? PETSC_TRUE : PETSC_FALSE;

  for (PetscInt i = 0; i < v->states && WeftGridLayout(v->grid)->dim > 1 && !a_field; i++)
    if (v->observes[i]) return i;
  for (PetscInt i = 0; i < s->count; i++)
    if (s->input[i] == v->unknown[0].input) return i;
  return 0;
}

PetscErrorCode WeftInversionFields(WeftInversion v, WeftSummary summary)
{
  const PetscInt dim = WeftGridLayout(v->grid)->dim;
  PetscInt       every, shown, field;
  Shown          s;
  char           key[96];

  PetscFunctionBegin;
  PetscCall(WeftGetInt("invert_series_every", &every));
  PetscCall(ShownCreate(v, &s));
  shown = Pictured(v, &s);
  field = WeftSpaceGetInfo(WeftStateSpace(v->input[s.input[shown]]))->fields > 1 ? 1 : 0;
  for (PetscInt n = 0; n <= v->steps; n++) {
    for (PetscInt r = GUESS; r < RUNS; r++) PetscCall(SetInputs(v, &s, r, n));
    if (n % every == 0 || n == v->steps) PetscCall(WriteFrame(v, &s, n));
    if (n == (dim > 1 ? v->steps : 0)) PetscCall(Picture(v, &s, shown, field));
    if (n < v->steps) PetscCall(Advance(v, &s));
  }
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, v->grid));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, s.error, 2 * WEFT_OP_MAX, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  for (PetscInt k = 0; k < v->unknowns; k++)
    for (PetscInt i = 0; i < s.count && v->truth_moves; i++) {
      if (s.input[i] != v->unknown[k].input || !s.known[i] || s.error[i][1] == 0.0) continue;
      PetscCall(PetscSNPrintf(key, sizeof(key), "unknowns/%s/error", v->unknown[k].name));
      PetscCall(WeftSummaryReal(summary, key, PetscSqrtReal(s.error[i][0] / s.error[i][1])));
      PetscCall(WeftLog("%s: off by %.3g of the truth", v->unknown[k].name, (double)PetscSqrtReal(s.error[i][0] / s.error[i][1])));
    }
  PetscCall(ShownDestroy(v, &s));
  PetscFunctionReturn(0);
}
