/* The unknowns of a case: lines of -invert_unknowns, and the states that lead from the optimiser's vector to the inputs. */
#include <stdlib.h>
#include "invert/impl.h"

/* ---- a line: NAME [word [numbers]] ... ------------------------------------------------------------------------------ */

typedef struct {
  WeftUnknown *unknown;
  PetscInt     words, at;
  char       **word;
} Line;

static PetscBool IsNumber(const char *text, PetscReal *value)
{
  char *end;
  *value = strtod(text, &end);
  return end != text && !*end && isfinite(*value) ? PETSC_TRUE : PETSC_FALSE;
}

/* The numbers that follow a word, at most `room` of them and at least one. */
static PetscErrorCode Numbers(Line *line, PetscInt room, PetscReal values[], PetscInt *count)
{
  const char *word = line->word[line->at];

  PetscFunctionBegin;
  for (*count = 0; *count < room && line->at + 1 < line->words && IsNumber(line->word[line->at + 1], &values[*count]); line->at++) ++*count;
  if (!*count) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: a number is missing after '%s'", line->unknown->name, word);
  PetscFunctionReturn(0);
}

static PetscErrorCode Whole(Line *line, PetscInt *value)
{
  const char *word = line->word[line->at];
  PetscReal   number;
  PetscInt    count;

  PetscFunctionBegin;
  PetscCall(Numbers(line, 1, &number, &count));
  *value = (PetscInt)number;
  if (number != (PetscReal)*value || *value < 1) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: '%s' needs a whole number from 1", line->unknown->name, word);
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadWord(Line *line)
{
  static const char *const names[] = {"log", "free", "shared", "coarse", "times", "scale", "lower", "upper", "guess", "truth", "smooth", NULL};
  WeftUnknown             *u       = line->unknown;
  PetscInt                 which, count;

  PetscFunctionBegin;
  for (which = 0; names[which] && strcmp(names[which], line->word[line->at]); which++) continue;
  if (!names[which]) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: '%s' is no word of an unknown; there are: log, free, shared, coarse N, times N, scale S, lower A, upper B, guess G, truth T, smooth LENGTH DEVIATION", u->name, line->word[line->at]);
  if (which == 0) u->logarithm = PETSC_TRUE;
  if (which == 1) u->solenoidal = PETSC_TRUE;
  if (which == 2) u->shared = PETSC_TRUE;
  if (which == 3) PetscCall(Whole(line, &u->coarse));
  if (which == 4) PetscCall(Whole(line, &u->slices));
  if (which == 5) PetscCall(Numbers(line, 1, &u->scale, &count));
  if (which == 6) PetscCall(Numbers(line, 3, u->lower, &u->lowers));
  if (which == 7) PetscCall(Numbers(line, 3, u->upper, &u->uppers));
  if (which == 8) PetscCall(Numbers(line, 3, u->guess, &u->guesses));
  if (which == 9) PetscCall(Numbers(line, 3, u->truth, &u->truths));
  if (which == 10) {
    PetscCall(Numbers(line, 2, u->smooth, &count));
    if (count != 2 || !(u->smooth[0] > 0.0) || !(u->smooth[1] > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: 'smooth' needs two positive numbers, the length of correlation and the standard deviation", u->name);
  }
  line->at++;
  PetscFunctionReturn(0);
}

/* One number stands for all components. */
static PetscErrorCode Spread(const WeftUnknown *u, const char *word, PetscInt count, PetscReal values[3])
{
  PetscFunctionBegin;
  if (count > 1 && count != u->width) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: '%s' takes 1 number%s, not %" PetscInt_FMT, u->name, word, u->width > 1 ? " or one per axis" : "", count);
  for (PetscInt c = PetscMax(count, 1); c < 3; c++) values[c] = values[0];
  PetscFunctionReturn(0);
}

/* What does not go together. */
static PetscErrorCode CheckUnknown(const WeftLayout *l, const WeftUnknown *u)
{
  const char *const key = "invert_unknowns";

  PetscFunctionBegin;
  for (PetscInt c = 0; c < 3; c++) {
    if (u->lower[c] >= u->upper[c]) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: the bounds cross: lower %g is not below upper %g", u->name, (double)u->lower[c], (double)u->upper[c]);
    if (u->guesses && (u->guess[c] < u->lower[c] || u->guess[c] > u->upper[c])) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: the first guess %g lies outside the bounds [%g, %g]", u->name, (double)u->guess[c], (double)u->lower[c], (double)u->upper[c]);
    if (u->logarithm && u->guesses && !(u->guess[c] > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: the logarithm of the first guess %g does not exist; give a guess above 0", u->name, (double)u->guess[c]);
  }
  if (u->logarithm && u->lowers && u->lower[0] < 0.0) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: with 'log' the value is above 0; a lower bound of %g has no logarithm", u->name, (double)u->lower[0]);
  if (!(u->scale > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: a scale must be positive, not %g", u->name, (double)u->scale);
  if (u->solenoidal && strcmp(u->name, "velocity")) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: 'free' (of divergence) is for a velocity", u->name);
  if (u->solenoidal && l->dim < 2) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: in one dimension a velocity without divergence is constant; leave 'free' out", u->name);
  if (u->solenoidal && (u->lowers || u->uppers || u->logarithm)) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: a projection does not keep bounds or logarithms; leave them or 'free' out", u->name);
  if (u->width && (u->coarse || u->solenoidal)) return WeftFailKey(PETSC_COMM_WORLD, key, "%s is a number: 'coarse' and 'free' are for fields", u->name);
  if (u->smooth[0] > 0.0 && (u->width || u->coarse || u->solenoidal || u->lowers || u->uppers)) return WeftFailKey(PETSC_COMM_WORLD, key, "%s: 'smooth' is for fields and does not go with 'coarse', 'free' or bounds", u->name);
  if (!u->width && u->shared) return WeftFailKey(PETSC_COMM_WORLD, key, "%s is a field of each simulation: 'shared' is for numbers", u->name);
  if (!u->width && u->truths) return WeftFailKey(PETSC_COMM_WORLD, key, "%s is a field: its truth comes from truth_type", u->name);
  if (!u->in_time && u->slices > 1) return WeftFailKey(PETSC_COMM_WORLD, key, "%s does not change in time: 'times' is for a control", u->name);
  PetscFunctionReturn(0);
}

/* Names of the step's inputs, for a message. */
static void Inputs(WeftInversion v, char text[], size_t room)
{
  text[0] = 0;
  for (PetscInt i = 0; i < v->inputs; i++) {
    if (text[0]) (void)PetscStrlcat(text, ", ", room);
    (void)PetscStrlcat(text, WeftModelInputName(v->model, i), room);
  }
}

static PetscErrorCode ReadLine(WeftInversion v, const char *text, WeftUnknown *u)
{
  Line line = {u, 0, 1, NULL};
  int  words;
  char known[256];

  PetscFunctionBegin;
  *u = (WeftUnknown){.scale = 1.0, .lower = {PETSC_NINFINITY, PETSC_NINFINITY, PETSC_NINFINITY}, .upper = {PETSC_INFINITY, PETSC_INFINITY, PETSC_INFINITY}};
  PetscCall(PetscStrToArray(text, ' ', &words, &line.word));
  line.words = words;
  if (!words) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "an empty line; an unknown begins with its name");
  PetscCall(PetscStrncpy(u->name, line.word[0], sizeof(u->name)));
  u->input = WeftModelInput(v->model, u->name);
  Inputs(v, known, sizeof(known));
  if (u->input < 0) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "the model has no '%s'; what its steps read is: %s", u->name, known);
  for (PetscInt o = 0; &v->unknown[o] < u; o++)
    if (v->unknown[o].input == u->input) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s stands there twice", u->name);
  u->width   = WeftSpaceGetInfo(WeftStateSpace(v->input[u->input]))->count;
  u->in_time = !strcmp(u->name, "control") ? PETSC_TRUE : PETSC_FALSE;
  while (line.at < line.words) PetscCall(ReadWord(&line));
  PetscCall(Spread(u, "guess", u->guesses, u->guess));
  PetscCall(Spread(u, "truth", u->truths, u->truth));
  PetscCall(Spread(u, "lower", u->lowers, u->lower));
  PetscCall(Spread(u, "upper", u->uppers, u->upper));
  PetscCall(CheckUnknown(WeftGridLayout(v->grid), u));
  if (!strcmp(u->name, "inflow_centre")) {
    PetscReal edge;
    PetscCall(WeftGetReal("inflow_edge", &edge));
    if (edge == 0.0) return WeftFailKey(PETSC_COMM_WORLD, "inflow_edge", "with a sharp edge the inflow has no derivative by its centre; set inflow_edge to a cell or two");
  }
  u->steps = u->in_time ? v->steps : 1;
  if (!u->slices) u->slices = u->steps;
  if (u->slices > u->steps) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "%s: %" PetscInt_FMT " times are more than the %" PetscInt_FMT " steps", u->name, u->slices, u->steps);
  PetscCall(PetscStrToArrayDestroy(words, line.word));
  PetscFunctionReturn(0);
}

/* ---- states -------------------------------------------------------------------------------------------------------- */

static PetscErrorCode CreateList(WeftSpace space, PetscInt n, WeftState **list)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, list));
  for (PetscInt i = 0; i < n; i++) PetscCall(WeftStateCreate(space, &(*list)[i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyList(PetscInt n, WeftState **list)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n && *list; i++) PetscCall(WeftStateDestroy(&(*list)[i]));
  PetscCall(PetscFree(*list));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateStates(WeftInversion v, WeftUnknown *u)
{
  const WeftSpace space   = WeftStateSpace(v->input[u->input]);
  WeftSpace       control = space;

  PetscFunctionBegin;
  if (u->solenoidal) {
    PetscCall(WeftOpCreateProject(space, NULL, &u->project));
    PetscCall(WeftStateCreate(WeftOpOutSpace(u->project, 1), &u->pressure));
    PetscCall(WeftStateCreate(WeftOpOutSpace(u->project, 1), &u->pressure_bar));
  }
  if (u->coarse) {
    PetscCall(WeftOpCreateInterpolate(space, u->coarse, &u->interpolate));
    control = WeftOpInSpace(u->interpolate, 0);
  }
  if (u->smooth[0] > 0.0) PetscCall(WeftOpCreateSmooth(space, u->smooth[0], u->smooth[1], &u->interpolate));
  PetscCall(CreateList(control, u->slices, &u->control));
  PetscCall(CreateList(control, u->slices, &u->control_bar));
  PetscCall(WeftStateCreate(control, &u->spare));
  PetscCall(CreateList(space, u->steps, &u->plain));
  PetscCall(CreateList(space, u->steps, &u->plain_bar));
  PetscCall(CreateList(space, u->steps, &u->value));
  PetscCall(CreateList(space, u->steps, &u->value_bar));
  PetscCall(CreateList(space, u->steps, &u->first));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftUnknownsCreate(WeftInversion v)
{
  char   **text;
  PetscInt count;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("invert_unknowns", &text, &count));
  WeftCheck(count, PETSC_COMM_WORLD, "invert_unknowns is missing; say what is to be found, for example  invert: {unknowns: [velocity]}");
  if (count > WEFT_UNKNOWNS_MAX) return WeftFailKey(PETSC_COMM_WORLD, "invert_unknowns", "at most %d unknowns", WEFT_UNKNOWNS_MAX);
  for (v->unknowns = 0; v->unknowns < count; v->unknowns++) {
    PetscCall(ReadLine(v, text[v->unknowns], &v->unknown[v->unknowns]));
    PetscCall(CreateStates(v, &v->unknown[v->unknowns]));
  }
  PetscCall(WeftFreeStringList(&text, count));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftUnknownsDestroy(WeftInversion v)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < v->unknowns; k++) {
    WeftUnknown *u = &v->unknown[k];
    PetscCall(DestroyList(u->slices, &u->control));
    PetscCall(DestroyList(u->slices, &u->control_bar));
    PetscCall(DestroyList(u->steps, &u->plain));
    PetscCall(DestroyList(u->steps, &u->plain_bar));
    PetscCall(DestroyList(u->steps, &u->value));
    PetscCall(DestroyList(u->steps, &u->value_bar));
    PetscCall(DestroyList(u->steps, &u->first));
    PetscCall(WeftStateDestroy(&u->spare));
    PetscCall(WeftStateDestroy(&u->pressure));
    PetscCall(WeftStateDestroy(&u->pressure_bar));
    PetscCall(WeftOpDestroy(&u->interpolate));
    PetscCall(WeftOpDestroy(&u->project));
  }
  PetscFunctionReturn(0);
}
