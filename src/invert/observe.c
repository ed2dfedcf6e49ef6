/* Observations: which values, at which steps; the misfit of the initial states. */
#include "invert/observe.h"

static PetscErrorCode AddPoint(WeftPoints *p, const WeftPoint *point, PetscInt64 number)
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
PetscErrorCode WeftPointsFindFields(WeftInversion v, const char *name, WeftPoints *p)
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
  if (p->fields == before) return WeftFailKey(PETSC_COMM_WORLD, "observe_fields", "the model has no field '%s'; there are %s, %s%s", name, WeftModelInputName(v->model, 0), WeftSpaceGetInfo(WeftStateSpace(v->input[0]))->name[0], v->states > 1 ? ", smoke" : "");
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadFields(WeftInversion v, WeftPoints *p)
{
  char   **name;
  PetscInt count;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("observe_fields", &name, &count));
  for (PetscInt i = 0; i < count; i++) PetscCall(WeftPointsFindFields(v, name[i], p));
  if (!count) PetscCall(WeftPointsFindFields(v, WeftModelInputName(v->model, 0), p));
  PetscCall(WeftFreeStringList(&name, count));
  PetscFunctionReturn(0);
}

/* ---- which places --------------------------------------------------------------------------------------------------------- */

/* The unknowns that I own, where the region is not 0. */
static PetscErrorCode AddRegion(WeftInversion v, WeftExpression region, WeftPoints *p)
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
PetscErrorCode WeftPointsAddPlace(WeftInversion v, const char *key, const PetscReal place[3], PetscInt64 number, WeftPoints *p)
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

static PetscErrorCode AddPlaces(WeftInversion v, WeftPoints *p)
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
    PetscCall(WeftPointsAddPlace(v, "observe_points", place, n, p));
  }
  for (PetscInt n = 0; n < drawn; n++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    for (PetscInt a = 0; a < l->dim; a++) place[a] = l->lower[a] + l->h[a] * l->cells[a] * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, 3 * n + a);
    PetscCall(WeftPointsAddPlace(v, "observe_random", place, count / l->dim + n, p));
  }
  PetscCall(PetscFree(values));
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadPlaces(WeftInversion v, WeftPoints *p)
{
  WeftExpression region[3];
  PetscBool      set, points;
  PetscInt       drawn;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("observe_points", &points));
  PetscCall(WeftGetInt("observe_random", &drawn));
  PetscCall(WeftGetBool("observe_scattered", &p->scattered));
  if (p->scattered && !points && !drawn) return WeftFailKey(PETSC_COMM_WORLD, "observe_scattered", "only places are scattered over the steps; give observe_points or observe_random");
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
  PetscInt count = v->steps + 1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(v->steps + 1, &v->time));
  PetscCall(WeftGetIntList("observe_steps", v->time, &count));
  if (!count) v->time[count++] = v->steps;
  for (PetscInt t = 0; t < count; t++)
    if (v->time[t] < 0 || v->time[t] > v->steps || (t && v->time[t] <= v->time[t - 1])) return WeftFailKey(PETSC_COMM_WORLD, "observe_steps", "step %" PetscInt_FMT ": steps rise from 0 to invert_steps (%" PetscInt_FMT ")", v->time[t], v->steps);
  v->times = count;
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
    if (v->time[t]) v->target[v->time[t] - 1] = v->index[t];
  }
  if (v->time[0] == 0) PetscCall(WeftStateCreate(WeftOpOutSpace(v->observe, 0), &v->start_loss));
  PetscFunctionReturn(0);
}

/* ---- the initial states, which a rollout does not compare -------------------------------------------------------------------- */

static void StartInputs(WeftInversion v, WeftState x[])
{
  for (PetscInt s = 0; s < v->states; s++) x[s] = v->input[s];
  x[v->states] = v->index[0];
}

PetscErrorCode WeftObserveStart(WeftInversion v)
{
  WeftState x[WEFT_OP_MAX];

  PetscFunctionBegin;
  if (!v->start_loss) PetscFunctionReturn(0);
  StartInputs(v, x);
  PetscCall(WeftOpApply(v->observe, x, &v->start_loss, NULL));
  for (PetscInt b = 0; b < v->count; b++) v->losses[b] += ((const double *)WeftStateData(v->start_loss))[b];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObserveStartAdjoint(WeftInversion v)
{
  WeftState x[WEFT_OP_MAX], x_bar[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  if (!v->start_loss) PetscFunctionReturn(0);
  StartInputs(v, x);
  for (PetscInt s = 0; s < v->states; s++) x_bar[s] = v->bar[s];
  for (PetscInt b = 0; b < v->count; b++) ((double *)WeftStateDataWrite(v->start_loss))[b] = 1.0;
  PetscCall(WeftOpAdjoint(v->observe, x, &v->start_loss, NULL, &v->start_loss, x_bar));
  PetscFunctionReturn(0);
}

/* ---- all ----------------------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftObservationsCreate(WeftInversion v)
{
  WeftPoints     points = {0};
  WeftPointTable table  = {.columns = 0};
  PetscInt       source;
  PetscReal      weight = 1.0;
  WeftSpace      space[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("observe_from", &source));
  v->truth_known = source == WEFT_DATA_REFERENCE || source == WEFT_DATA_STATE ? PETSC_TRUE : PETSC_FALSE;
  v->truth_moves = source == WEFT_DATA_REFERENCE ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(ReadSteps(v));
  if (source == WEFT_DATA_POINTS) PetscCall(WeftPointTableRead(v, &table, &points));
  else {
    PetscCall(ReadFields(v, &points));
    PetscCall(ReadPlaces(v, &points));
  }
  v->observed = points.values * (source == WEFT_DATA_POINTS || points.scattered ? 1 : v->times) * (table.columns && table.simulation >= 0 ? 1 : v->simulations);
  for (PetscInt t = 0; t < v->terms; t++)
    if (!v->term[t].unknown) weight = v->term[t].weight * (v->term[t].mean ? 2.0 / (PetscReal)v->observed : 1.0);
  for (PetscInt n = 0; n < points.points; n++) points.point[n].weight = weight;
  for (PetscInt n = 0; n < points.fields; n++) v->observes[points.state[n]] = PETSC_TRUE;
  for (PetscInt s = 0; s < v->states; s++) space[s] = WeftStateSpace(v->input[s]);
  PetscCall(PetscMalloc1(points.points, &points.local));
  PetscCall(WeftOpCreateObserve(v->states, space, v->times, points.points, points.point, points.local, &v->observe));
  if (source == WEFT_DATA_POINTS) PetscCall(WeftPointTableSet(v, &table, &points));
  else PetscCall(WeftObservationsTake(v, (WeftDataSource)source, &points));
  PetscCall(WeftObservationsAddNoise(v, &points));
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
  PetscCall(WeftStateDestroy(&v->start_loss));
  PetscCall(PetscFree(v->index));
  PetscCall(PetscFree(v->target));
  PetscCall(PetscFree(v->time));
  PetscCall(WeftOpDestroy(&v->observe));
  PetscFunctionReturn(0);
}
