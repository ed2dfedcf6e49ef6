/* Observations: which values, at which steps, where the data come from, and their noise. */
#include <stdlib.h>
#include "invert/impl.h"

typedef enum { FROM_REFERENCE, FROM_STATE, FROM_FILE, FROM_POINTS } Source;

/* What is observed, alike at every observed step. Points are in one order on all ranks of a domain: the whole fields' and the
   region's ones by field and place, so that a value has the same number, and the same noise, on every layout. */
typedef struct {
  PetscInt    fields, state[WEFT_MAX_FIELDS], field[WEFT_MAX_FIELDS];
  PetscInt    points, room;
  WeftPoint  *point;
  PetscInt64 *number; /* of each point */
  PetscInt   *local;  /* place in this rank's data, -1: not there */
  PetscInt64  values; /* points of all ranks */
} Points;

static PetscErrorCode AddPoint(Points *p, const WeftPoint *point, PetscInt64 number)
{
  PetscFunctionBegin;
  if (p->points == p->room) {
    p->room = 2 * p->room + 256;
    PetscCall(PetscRealloc(sizeof(WeftPoint) * (size_t)p->room, &p->point));
    PetscCall(PetscRealloc(sizeof(PetscInt64) * (size_t)p->room, &p->number));
  }
  p->number[p->points]  = number;
  p->point[p->points++] = *point;
  PetscFunctionReturn(0);
}

/* ---- which fields --------------------------------------------------------------------------------------------------------- */

/* "velocity" and "smoke" are states, "velocity_x" a field of one. */
static PetscErrorCode FindFields(WeftInversion v, const char *name, Points *p)
{
  const PetscInt before = p->fields;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < v->states; s++) {
    const WeftSpaceInfo *info  = WeftSpaceGetInfo(WeftStateSpace(v->input[s]));
    const PetscBool      whole = WeftModelInput(v->model, name) == s ? PETSC_TRUE : PETSC_FALSE;
    for (PetscInt f = 0; f < info->fields; f++) {
      if (!whole && strcmp(name, info->name[f])) continue;
      if (p->fields == WEFT_MAX_FIELDS) return WeftFailKey(PETSC_COMM_WORLD, "observe_fields", "at most %d fields", WEFT_MAX_FIELDS);
      p->state[p->fields]   = s;
      p->field[p->fields++] = f;
    }
  }
  if (p->fields == before) return WeftFailKey(PETSC_COMM_WORLD, "observe_fields", "the model has no field '%s'; there are velocity, velocity_x%s", name, v->states > 1 ? ", smoke" : "");
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadFields(WeftInversion v, Points *p)
{
  char   **name;
  PetscInt count;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("observe_fields", &name, &count));
  for (PetscInt i = 0; i < count; i++) PetscCall(FindFields(v, name[i], p));
  if (!count) PetscCall(FindFields(v, "velocity", p));
  PetscCall(WeftFreeStringList(&name, count));
  PetscFunctionReturn(0);
}

/* ---- which places --------------------------------------------------------------------------------------------------------- */

/* The unknowns that I own, where the region is not 0. */
static PetscErrorCode AddRegion(WeftInversion v, WeftExpression region, Points *p)
{
  const WeftLayout *l = WeftGridLayout(v->grid);

  PetscFunctionBegin;
  for (PetscInt n = 0; n < p->fields; n++) {
    const WeftLocation location = WeftSpaceGetInfo(WeftStateSpace(v->input[p->state[n]]))->location[p->field[n]];
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, location, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++)
      for (PetscInt j = lo[1]; j < hi[1]; j++)
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          const WeftPoint point = {p->state[n], p->field[n], {i, j, k}, {0.0, 0.0, 0.0}, 0.0};
          const PetscInt  at[3] = {i, j, k};
          PetscReal       place[3] = {0.0, 0.0, 0.0};
          for (PetscInt a = 0; a < l->dim; a++) place[a] = l->lower[a] + l->h[a] * ((PetscReal)at[a] + ((PetscInt)location == a ? 0.0 : 0.5));
          if (!region || WeftExpressionEvaluate(region, place) != 0.0) PetscCall(AddPoint(p, &point, (((PetscInt64)n * (l->cells[2] + 1) + k) * (l->cells[1] + 1) + j) * (l->cells[0] + 1) + i));
        }
  }
  PetscFunctionReturn(0);
}

/* The fields at a place. */
static PetscErrorCode AddPlace(WeftInversion v, const char *key, const PetscReal place[3], PetscInt64 number, Points *p)
{
  const WeftLayout *l = WeftGridLayout(v->grid);

  PetscFunctionBegin;
  for (PetscInt n = 0; n < p->fields; n++) {
    WeftPoint point = {.state = p->state[n]};
    PetscBool inside;
    PetscCall(WeftPointSet(WeftStateSpace(v->input[p->state[n]]), p->field[n], place, &point, &inside));
    for (PetscInt a = 0; a < l->dim && !inside; a++) {
      const PetscReal upper = l->lower[a] + l->h[a] * l->cells[a];
      if (place[a] < l->lower[a] || !(place[a] <= upper)) return WeftFailKey(PETSC_COMM_WORLD, key, "point %" PetscInt_FMT " at %c = %g lies outside the box, which reaches from %g to %g", (PetscInt)number + 1, "xyz"[a], (double)place[a], (double)l->lower[a], (double)upper);
    }
    PetscCall(AddPoint(p, &point, number * p->fields + n));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode AddPlaces(WeftInversion v, Points *p)
{
  enum { ROOM = 3000 };
  const WeftLayout *l = WeftGridLayout(v->grid);
  PetscInt          count = ROOM, drawn, seed;
  PetscReal        *values;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(ROOM, &values));
  PetscCall(WeftGetRealList("observe_points", values, &count));
  PetscCall(WeftGetInt("observe_random", &drawn));
  PetscCall(WeftGetInt("observe_seed", &seed));
  if (count % l->dim) return WeftFailKey(PETSC_COMM_WORLD, "observe_points", "%" PetscInt_FMT " numbers are no whole points; each needs %" PetscInt_FMT, count, l->dim);
  if (drawn < 0) return WeftFailKey(PETSC_COMM_WORLD, "observe_random", "a number of points is not negative");
  for (PetscInt n = 0; n < count / l->dim; n++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    for (PetscInt a = 0; a < l->dim; a++) place[a] = values[n * l->dim + a];
    PetscCall(AddPlace(v, "observe_points", place, n, p));
  }
  for (PetscInt n = 0; n < drawn; n++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    for (PetscInt a = 0; a < l->dim; a++) place[a] = l->lower[a] + l->h[a] * l->cells[a] * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, 3 * n + a);
    PetscCall(AddPlace(v, "observe_random", place, count / l->dim + n, p));
  }
  PetscCall(PetscFree(values));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadPlaces(WeftInversion v, Points *p)
{
  WeftExpression region[3];
  PetscBool      set, points;
  PetscInt       drawn;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("observe_points", &points));
  PetscCall(WeftGetInt("observe_random", &drawn));
  PetscCall(WeftExpressionsFromKey("observe_region", 1, region, &set));
  if (set && (points || drawn)) return WeftFailKey(PETSC_COMM_WORLD, "observe_region", "a region is for whole fields; leave it out, or observe_points and observe_random");
  if (points || drawn) PetscCall(AddPlaces(v, p));
  else PetscCall(AddRegion(v, region[0], p));
  PetscCall(WeftExpressionsDestroy(region));
  p->values = p->points;
  if (!points && !drawn) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &p->values, 1, MPIU_INT64, MPI_SUM, v->info.space));
  WeftCheck(p->values, PETSC_COMM_WORLD, "observe_region: there is no value to observe in the region");
  PetscFunctionReturn(0);
}

/* ---- which steps ---------------------------------------------------------------------------------------------------------- */

static PetscErrorCode ReadSteps(WeftInversion v)
{
  PetscInt count = v->steps;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(v->steps, &v->time));
  PetscCall(WeftGetIntList("observe_steps", v->time, &count));
  if (!count) v->time[count++] = v->steps;
  for (PetscInt t = 0; t < count; t++)
    if (v->time[t] < 1 || v->time[t] > v->steps || (t && v->time[t] <= v->time[t - 1])) return WeftFailKey(PETSC_COMM_WORLD, "observe_steps", "step %" PetscInt_FMT ": steps rise from 1 to invert_steps (%" PetscInt_FMT ")", v->time[t], v->steps);
  v->times = count;
  PetscFunctionReturn(0);
}

/* ---- points from a table -------------------------------------------------------------------------------------------------------- */

/* Columns of the table: x, y, z as many as axes; step and simulation if there; the others are fields. */
typedef struct {
  char     name[32][32];
  PetscInt columns, place[3], step, simulation, field[WEFT_MAX_FIELDS]; /* columns of each; -1: not there */
  double  *values; /* [rows][columns], NaN where empty */
  PetscInt rows, room;
} Table;

/* The whole file, on every rank. */
static PetscErrorCode ReadText(const char *path, char **text)
{
  long long size = -1;

  PetscFunctionBegin;
  *text = NULL;
  if (!PetscGlobalRank) {
    FILE *file = fopen(path, "r");
    if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0) {
      PetscCall(PetscCalloc1((size_t)size + 1, text));
      rewind(file);
      if (fread(*text, 1, (size_t)size, file) != (size_t)size) size = -1;
    }
    if (file) fclose(file);
  }
  PetscCallMPI(MPI_Bcast(&size, 1, MPI_LONG_LONG, 0, PETSC_COMM_WORLD));
  if (size < 0) return WeftFailKey(PETSC_COMM_WORLD, "observe_file", "%s cannot be read", path);
  if (PetscGlobalRank) PetscCall(PetscCalloc1((size_t)size + 1, text));
  PetscCallMPI(MPI_Bcast(*text, (PetscMPIInt)size, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* The next cell of a line; *at moves behind its comma. */
static void Cell(char **at, char cell[], size_t room)
{
  size_t n = strcspn(*at, ",\r\n");
  while (n && **at == ' ') (*at)++, n--;
  (void)PetscStrncpy(cell, *at, PetscMin(n + 1, room));
  *at += n;
  if (**at == ',') (*at)++;
}

static PetscErrorCode ReadHeading(WeftInversion v, const char *path, char *line, Table *t, Points *p)
{
  static const char *const axes[] = {"x", "y", "z"};

  PetscFunctionBegin;
  t->step = t->simulation = -1;
  for (PetscInt a = 0; a < 3; a++) t->place[a] = -1;
  while (*line && *line != '\n' && *line != '\r' && t->columns < 32) Cell(&line, t->name[t->columns++], sizeof(t->name[0]));
  for (PetscInt c = 0; c < t->columns; c++) {
    PetscInt a = 0;
    while (a < 3 && strcmp(t->name[c], axes[a])) a++;
    if (a < 3) t->place[a] = c;
    else if (!strcmp(t->name[c], "step")) t->step = c;
    else if (!strcmp(t->name[c], "simulation")) t->simulation = c;
    else {
      const PetscInt before = p->fields;
      PetscCall(FindFields(v, t->name[c], p));
      WeftCheck(p->fields == before + 1, PETSC_COMM_WORLD, "%s: the column '%s' must be one field, as velocity_x", path, t->name[c]);
      t->field[before] = c;
    }
  }
  for (PetscInt a = 0; a < WeftGridLayout(v->grid)->dim; a++) WeftCheck(t->place[a] >= 0, PETSC_COMM_WORLD, "%s has no column '%s': its first line names the columns x, y, z (as many as axes), step, simulation, and fields", path, axes[a]);
  WeftCheck(p->fields, PETSC_COMM_WORLD, "%s has no column of a field", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadTable(WeftInversion v, const char *path, Table *t, Points *p)
{
  char *text, *line;

  PetscFunctionBegin;
  PetscCall(ReadText(path, &text));
  for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    char *at = line, *end, cell[64];
    if (*line == '#' || *line == '\n' || *line == '\r') continue;
    if (!t->columns) {
      PetscCall(ReadHeading(v, path, line, t, p));
      continue;
    }
    if (t->rows == t->room) {
      t->room = 2 * t->room + 256;
      PetscCall(PetscRealloc(sizeof(double) * (size_t)(t->room * t->columns), &t->values));
    }
    for (PetscInt c = 0; c < t->columns; c++) {
      Cell(&at, cell, sizeof(cell));
      t->values[t->rows * t->columns + c] = *cell ? strtod(cell, &end) : NAN;
      WeftCheck(!*cell || !*end, PETSC_COMM_WORLD, "%s: row %" PetscInt_FMT ", column '%s': '%s' is no number", path, t->rows + 1, t->name[c], cell);
    }
    t->rows++;
  }
  PetscCall(PetscFree(text));
  WeftCheck(t->rows, PETSC_COMM_WORLD, "%s holds no rows of observations", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadPoints(WeftInversion v, Table *t, Points *p)
{
  char name[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(WeftGetString("observe_file", name, sizeof(name)));
  if (!name[0]) return WeftFailKey(PETSC_COMM_WORLD, "observe_from", "observe_file is missing; name a table of points");
  PetscCall(WeftCasePath(name, path, sizeof(path)));
  PetscCall(ReadTable(v, path, t, p));
  for (PetscInt r = 0; r < t->rows; r++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    for (PetscInt a = 0; a < WeftGridLayout(v->grid)->dim; a++) place[a] = t->values[r * t->columns + t->place[a]];
    PetscCall(AddPlace(v, "observe_file", place, r, p));
  }
  p->values = 0;
  for (PetscInt n = 0; n < p->points; n++) p->values += isnan(t->values[n / p->fields * t->columns + t->field[n % p->fields]]) ? 0 : 1;
  PetscFunctionReturn(0);
}

/* Each row is a datum at its step alone (without that column: at the only observed step) of its simulation (else: of all). */
static PetscErrorCode SetFromTable(WeftInversion v, const Table *t, const Points *p)
{
  PetscFunctionBegin;
  WeftCheck(t->step >= 0 || v->times == 1, PETSC_COMM_WORLD, "observe_file has no column 'step', so observe_steps must be one step, not %" PetscInt_FMT, v->times);
  for (PetscInt r = 0; r < t->rows; r++) {
    PetscInt time = 0;
    while (t->step >= 0 && time < v->times && (PetscReal)v->time[time] != t->values[r * t->columns + t->step]) time++;
    WeftCheck(time < v->times, PETSC_COMM_WORLD, "observe_file: row %" PetscInt_FMT " is of step %g, which is not among observe_steps", r + 1, t->values[r * t->columns + t->step]);
  }
  for (PetscInt k = 0; k < v->times; k++)
    for (PetscInt b = 0; b < v->count; b++) {
      PetscInt count;
      double  *data;
      PetscCall(WeftObserveData(v->observe, k, b, &count, &data));
      for (PetscInt n = 0; n < count; n++) data[n] = NAN;
      for (PetscInt n = 0; n < p->points; n++) {
        const double *row = &t->values[n / p->fields * t->columns];
        if (p->local[n] < 0 || (t->step >= 0 && row[t->step] != (PetscReal)v->time[k]) || (t->simulation >= 0 && row[t->simulation] != (PetscReal)(v->first + b))) continue;
        data[p->local[n]] = row[t->field[n % p->fields]];
      }
    }
  PetscFunctionReturn(0);
}

/* ---- data ------------------------------------------------------------------------------------------------------------------- */

/* Plays the case from the true states and numbers. */
static PetscErrorCode TakeReference(WeftInversion v)
{
  WeftState in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  PetscInt  t = 0;

  PetscFunctionBegin;
  PetscCall(WeftStepStates(WeftModelStep(v->model), in, out));
  for (PetscInt i = 0; i < v->inputs; i++) PetscCall(WeftStateCopy(v->truth[i], in[i]));
  for (PetscInt n = 1; n <= v->steps && t < v->times; n++) {
    PetscCall(WeftOpApply(WeftModelStep(v->model), in, out, NULL));
    for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateCopy(out[s], in[s]));
    if (n == v->time[t]) PetscCall(WeftObserveTake(v->observe, t++, in));
  }
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, v->grid));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(v->model), in, out));
  PetscFunctionReturn(0);
}

/* Frames of a series of fields, one per observed step (-observe_frames), the same for every simulation; or of a dataset, whose
   simulations are those of this run. */
static PetscErrorCode TakeFile(WeftInversion v)
{
  char      name[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];
  WeftState state[WEFT_OP_MAX];
  PetscInt  frame[256], frames = 256;

  PetscFunctionBegin;
  PetscCall(WeftGetString("observe_file", name, sizeof(name)));
  PetscCall(WeftCasePath(name, path, sizeof(path)));
  if (!name[0]) return WeftFailKey(PETSC_COMM_WORLD, "observe_from", "observe_file is missing; name an HDF5 file with the fields");
  PetscCall(WeftGetIntList("observe_frames", frame, &frames));
  if (!frames && v->times == 1) frame[frames++] = -1;
  if (frames != v->times) return WeftFailKey(PETSC_COMM_WORLD, "observe_frames", "one frame for each of the %" PetscInt_FMT " observe_steps is needed, not %" PetscInt_FMT, v->times, frames);
  for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateCreate(WeftStateSpace(v->input[s]), &state[s]));
  for (PetscInt t = 0; t < v->times; t++) {
    for (PetscInt s = 0; s < v->states; s++)
      if (v->observes[s]) PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, path, frame[t], state[s], -1));
    PetscCall(WeftObserveTake(v->observe, t, state));
  }
  for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateDestroy(&state[s]));
  PetscFunctionReturn(0);
}

/* Normal noise, keyed by the number of the value, its simulation and its time. */
static PetscErrorCode AddNoise(WeftInversion v, const Points *p)
{
  PetscReal size;
  PetscInt  seed;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("observe_noise", &size));
  PetscCall(WeftGetInt("observe_seed", &seed));
  if (!(size >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "observe_noise", "a size of noise is not negative");
  if (size == 0.0) PetscFunctionReturn(0);
  for (PetscInt t = 0; t < v->times; t++)
    for (PetscInt b = 0; b < v->count; b++) {
      PetscInt count;
      double  *data;
      PetscCall(WeftObserveData(v->observe, t, b, &count, &data));
      for (PetscInt n = 0; n < p->points; n++)
        if (p->local[n] >= 0) data[p->local[n]] += size * WeftRandomNormal(seed, WEFT_STREAM_NOISE, (p->number[n] * v->times + t) * v->simulations + v->first + b);
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateTargets(WeftInversion v)
{
  WeftSpace number = WeftOpInSpace(v->observe, v->states);

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(v->times, &v->index));
  PetscCall(PetscCalloc1(v->steps, &v->target));
  for (PetscInt t = 0; t < v->times; t++) {
    PetscCall(WeftStateCreate(number, &v->index[t]));
    *(double *)WeftStateDataWrite(v->index[t]) = (double)t;
    v->target[v->time[t] - 1]                  = v->index[t];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SetData(WeftInversion v, PetscInt source, const Table *table, const Points *points)
{
  PetscFunctionBegin;
  if (source == FROM_POINTS) PetscCall(SetFromTable(v, table, points));
  if (source == FROM_FILE) PetscCall(TakeFile(v));
  if (source == FROM_REFERENCE) PetscCall(TakeReference(v));
  for (PetscInt t = 0; t < v->times && source == FROM_STATE; t++) PetscCall(WeftObserveTake(v->observe, t, v->truth));
  PetscCall(AddNoise(v, points));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObservationsCreate(WeftInversion v)
{
  Points    points = {0};
  Table     table  = {.columns = 0};
  PetscInt  source;
  PetscReal weight = 1.0;
  WeftSpace space[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("observe_from", &source));
  v->truth_known = source == FROM_REFERENCE || source == FROM_STATE ? PETSC_TRUE : PETSC_FALSE;
  v->truth_moves = source == FROM_REFERENCE ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(ReadSteps(v));
  if (source == FROM_POINTS) PetscCall(ReadPoints(v, &table, &points));
  else {
    PetscCall(ReadFields(v, &points));
    PetscCall(ReadPlaces(v, &points));
  }
  v->observed = points.values * (source == FROM_POINTS ? 1 : v->times) * (table.columns && table.simulation >= 0 ? 1 : v->simulations);
  for (PetscInt t = 0; t < v->terms; t++)
    if (!v->term[t].unknown) weight = v->term[t].weight * (v->term[t].mean ? 2.0 / (PetscReal)v->observed : 1.0);
  for (PetscInt n = 0; n < points.points; n++) points.point[n].weight = weight;
  for (PetscInt n = 0; n < points.fields; n++) v->observes[points.state[n]] = PETSC_TRUE;
  for (PetscInt s = 0; s < v->states; s++) space[s] = WeftStateSpace(v->input[s]);
  PetscCall(PetscMalloc1(points.points, &points.local));
  PetscCall(WeftOpCreateObserve(v->states, space, v->times, points.points, points.point, points.local, &v->observe));
  PetscCall(SetData(v, source, &table, &points));
  PetscCall(CreateTargets(v));
  PetscCall(PetscFree(table.values));
  PetscCall(PetscFree(points.point));
  PetscCall(PetscFree(points.number));
  PetscCall(PetscFree(points.local));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObservationsDestroy(WeftInversion v)
{
  PetscFunctionBegin;
  for (PetscInt t = 0; t < v->times; t++) PetscCall(WeftStateDestroy(&v->index[t]));
  PetscCall(PetscFree(v->index));
  PetscCall(PetscFree(v->target));
  PetscCall(PetscFree(v->time));
  PetscCall(WeftOpDestroy(&v->observe));
  PetscFunctionReturn(0);
}
