/* Distance of states from data at points: per sample the sum over points of weight / 2 (value there - data)^2. A value is the
   (multi)linear interpolation between unknowns of its field. Each rank holds the points whose unknowns touch its block: the one that
   owns the lowest unknown counts the distance, each adds the adjoint to its own unknowns, in the order of the points. Data that are no number (NaN) are missing. */
#include "op/rows.h"

typedef struct {
  PetscInt   states, times, points; /* points that touch my block */
  PetscInt  *state, *field;         /* [points] */
  PetscReal *weight;
  PetscBool *mine;                  /* counted by this rank */
  PetscInt  *first;                 /* [points + 1] */
  PetscInt  *from, *to;             /* [first[points]] place in the plane that is read; mine to add to, or -1 */
  PetscReal *part;                  /* share of that unknown in the value */
  double    *data;                  /* [time][sample][points] */
} Observe;

/* ---- points --------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftPointSet(WeftSpace space, PetscInt field, const PetscReal place[3], WeftPoint *point, PetscBool *inside)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutUnknowns(l, info->location[field], lo, hi);
  point->field = field;
  *inside      = PETSC_TRUE;
  for (PetscInt a = 0; a < 3; a++) {
    const PetscBool periodic = l->side[a][0] == WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
    PetscReal       at       = a < l->dim ? (place[a] - l->lower[a]) / l->h[a] : 0.0;
    point->node[a]           = 0;
    point->fraction[a]       = 0.0;
    if (a >= l->dim) continue;
    if (!(at >= -1e-9 && at <= (PetscReal)l->cells[a] + 1e-9)) *inside = PETSC_FALSE;
    if ((PetscInt)info->location[field] != a) at -= 0.5;
    if (PetscAbsReal(at - PetscFloorReal(at + 0.5)) < 1e-9) at = PetscFloorReal(at + 0.5); /* round-off of the coordinates */
    if (!periodic) at = PetscMin(PetscMax(at, (PetscReal)lo[a]), (PetscReal)(hi[a] - 1));
    point->node[a]     = (PetscInt)PetscFloorReal(at);
    point->fraction[a] = at - (PetscReal)point->node[a];
    if (periodic) point->node[a] = ((point->node[a] % l->cells[a]) + l->cells[a]) % l->cells[a];
  }
  PetscFunctionReturn(0);
}

/* The unknowns of a point along one axis as this block sees them: index to read, index that is mine (-1: not), share. FALSE: none is
   mine. */
static PetscBool AlongAxis(const WeftLayout *l, PetscInt a, PetscInt lo, PetscInt hi, const WeftPoint *point, PetscInt read[2], PetscInt own[2], PetscReal share[2], PetscInt *nodes)
{
  const PetscInt n = l->cells[a];
  PetscBool      any = PETSC_FALSE;

  *nodes   = point->fraction[a] > 0.0 ? 2 : 1;
  share[0] = *nodes == 2 ? 1.0 - point->fraction[a] : 1.0;
  share[1] = point->fraction[a];
  for (PetscInt k = 0; k < *nodes; k++) {
    const PetscInt node = point->node[a] + k, wrapped = l->side[a][0] == WEFT_SIDE_PERIODIC ? node % n : node;
    own[k] = wrapped >= lo && wrapped < hi ? wrapped : -1;
    if (own[k] >= 0) any = PETSC_TRUE;
  }
  if (!any) return PETSC_FALSE;
  read[0] = own[0] >= 0 ? own[0] : own[1] - 1;
  read[1] = read[0] + 1;
  return PETSC_TRUE;
}

/* Adds a point to the lists, or (count alone) says how many unknowns it has here. */
static PetscInt AddPoint(Observe *o, const WeftSpaceInfo *info, const WeftPoint *point, PetscInt at, PetscBool store)
{
  const WeftLayout *l = WeftGridLayout(info->grid);
  PetscInt          lo[3], hi[3], read[3][2], own[3][2], nodes[3], n = 0;
  PetscReal         share[3][2];

  WeftLayoutOwned(l, info->location[point->field], lo, hi);
  for (PetscInt a = 0; a < 3; a++)
    if (!AlongAxis(l, a, lo[a], hi[a], point, read[a], own[a], share[a], &nodes[a])) return 0;
  for (PetscInt k = 0; k < nodes[2]; k++)
    for (PetscInt j = 0; j < nodes[1]; j++)
      for (PetscInt i = 0; i < nodes[0]; i++, n++) {
        if (!store) continue;
        o->from[o->first[at] + n] = WeftLayoutIndex(l, read[0][i], read[1][j], read[2][k]);
        o->to[o->first[at] + n]   = own[0][i] < 0 || own[1][j] < 0 || own[2][k] < 0 ? -1 : WeftLayoutIndex(l, own[0][i], own[1][j], own[2][k]);
        o->part[o->first[at] + n] = share[0][i] * share[1][j] * share[2][k];
      }
  if (store) o->mine[at] = own[0][0] >= 0 && own[1][0] >= 0 && own[2][0] >= 0 ? PETSC_TRUE : PETSC_FALSE;
  return n;
}

static PetscErrorCode KeepPoints(Observe *o, const WeftSpace space[], PetscInt points, const WeftPoint point[], PetscInt local[])
{
  PetscInt entries = 0, at = 0;

  PetscFunctionBegin;
  for (PetscInt p = 0; p < points; p++) {
    const PetscInt n = AddPoint(o, WeftSpaceGetInfo(space[point[p].state]), &point[p], 0, PETSC_FALSE);
    if (local) local[p] = n ? o->points : -1;
    if (n) o->points++;
    entries += n;
  }
  PetscCall(PetscMalloc4(o->points, &o->state, o->points, &o->field, o->points, &o->weight, o->points, &o->mine));
  PetscCall(PetscMalloc4(o->points + 1, &o->first, entries, &o->from, entries, &o->to, entries, &o->part));
  o->first[0] = 0;
  for (PetscInt p = 0; p < points; p++) {
    const PetscInt n = AddPoint(o, WeftSpaceGetInfo(space[point[p].state]), &point[p], at, PETSC_FALSE);
    if (!n) continue;
    (void)AddPoint(o, WeftSpaceGetInfo(space[point[p].state]), &point[p], at, PETSC_TRUE);
    o->state[at]       = point[p].state;
    o->field[at]       = point[p].field;
    o->weight[at]      = point[p].weight;
    o->first[at + 1]   = o->first[at] + n;
    at++;
  }
  PetscFunctionReturn(0);
}

/* ---- maps ----------------------------------------------------------------------------------------------------- */

static inline double Value(const Observe *o, PetscInt p, const double *plane)
{
  double value = 0.0;
  for (PetscInt n = o->first[p]; n < o->first[p + 1]; n++) value += o->part[n] * plane[o->from[n]];
  return value;
}

static PetscErrorCode FillHalos(WeftOp op, const WeftState x[], WeftGhost ghost)
{
  const Observe *o = (const Observe *)WeftOpContext(op);

  PetscFunctionBegin;
  for (PetscInt s = 0; s < o->states; s++)
    if (x[s]) PetscCall(WeftStateHalo(x[s], 1, ghost));
  PetscFunctionReturn(0);
}

static double *Data(const Observe *o, const WeftState x[], PetscInt batch, PetscInt sample)
{
  const PetscInt time = (PetscInt)(*(const double *)WeftStateData(x[o->states]) + 0.5);
  return o->data + (size_t)(PetscMin(PetscMax(time, 0), o->times - 1) * batch + sample) * (size_t)o->points;
}

static PetscErrorCode ObserveApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Observe *o     = (const Observe *)WeftOpContext(op);
  const PetscInt batch = WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch;
  double        *loss  = (double *)WeftStateDataWrite(y[0]);

  PetscFunctionBegin;
  (void)record;
  PetscCall(FillHalos(op, x, WEFT_GHOST_COPY));
  for (PetscInt b = 0; b < batch; b++) {
    const double *data = Data(o, x, batch, b);
    loss[b]            = 0.0;
    for (PetscInt p = 0; p < o->points; p++) {
      const double difference = o->mine[p] && data[p] == data[p] ? Value(o, p, WeftStatePlane(x[o->state[p]], o->field[p], b)) - data[p] : 0.0;
      loss[b] += 0.5 * o->weight[p] * difference * difference;
    }
  }
  PetscFunctionReturn(0);
}

/* dloss = sum of weight (value - data) dvalue */
static PetscErrorCode ObserveTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  const Observe *o     = (const Observe *)WeftOpContext(op);
  const PetscInt batch = WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch;
  double        *loss  = (double *)WeftStateDataWrite(dy[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(FillHalos(op, x, WEFT_GHOST_COPY));
  PetscCall(FillHalos(op, dx, WEFT_GHOST_COPY));
  for (PetscInt b = 0; b < batch; b++) {
    const double *data = Data(o, x, batch, b);
    loss[b]            = 0.0;
    for (PetscInt p = 0; p < o->points; p++) {
      if (!o->mine[p] || !dx[o->state[p]] || data[p] != data[p]) continue;
      loss[b] += o->weight[p] * (Value(o, p, WeftStatePlane(x[o->state[p]], o->field[p], b)) - data[p]) * Value(o, p, WeftStatePlane(dx[o->state[p]], o->field[p], b));
    }
  }
  PetscFunctionReturn(0);
}

/* x_bar += loss_bar weight (value - data), shared among the point's unknowns; the number of the time has no derivative. */
static PetscErrorCode ObserveAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Observe *o        = (const Observe *)WeftOpContext(op);
  const PetscInt batch    = WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch;
  const double  *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(FillHalos(op, x, WEFT_GHOST_COPY));
  for (PetscInt b = 0; b < batch; b++) {
    const double *data = Data(o, x, batch, b);
    for (PetscInt p = 0; p < o->points; p++) {
      double  change, *bar;
      if (!x_bar[o->state[p]] || data[p] != data[p]) continue;
      bar    = WeftStatePlaneWrite(x_bar[o->state[p]], o->field[p], b);
      change = loss_bar[b] * o->weight[p] * (Value(o, p, WeftStatePlane(x[o->state[p]], o->field[p], b)) - data[p]);
      for (PetscInt n = o->first[p]; n < o->first[p + 1]; n++)
        if (o->to[n] >= 0) bar[o->to[n]] += o->part[n] * change;
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ObserveDestroy(void *context)
{
  Observe *o = (Observe *)context;

  PetscFunctionBegin;
  PetscCall(PetscFree4(o->state, o->field, o->weight, o->mine));
  PetscCall(PetscFree4(o->first, o->from, o->to, o->part));
  PetscCall(PetscFree(o->data));
  PetscCall(PetscFree(o));
  PetscFunctionReturn(0);
}

/* ---- public --------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftOpCreateObserve(PetscInt states, const WeftSpace space[], PetscInt times, PetscInt points, const WeftPoint point[], PetscInt local[], WeftOp *op)
{
  static const WeftOpMaps maps = {ObserveApply, ObserveTangent, ObserveAdjoint, ObserveDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(space[0]);
  WeftSpace               in[WEFT_OP_MAX], loss;
  Observe                *o;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < states; s++) PetscCall(WeftOpCheckPlanes("Observe", space[s], space[0]));
  PetscCall(WeftOpCheckHalo("Observe", space[0], 1));
  PetscCall(PetscNew(&o));
  o->states = states;
  o->times  = times;
  PetscCall(KeepPoints(o, space, points, point, local));
  PetscCall(PetscCalloc1((size_t)(times * info->batch) * (size_t)o->points, &o->data));
  for (PetscInt s = 0; s < states; s++) in[s] = space[s];
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_FALSE, &in[states]));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftOpCreate("Observe", &maps, o, WEFT_NEEDS_INPUTS, states + 1, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&in[states]));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObserveData(WeftOp op, PetscInt time, PetscInt sample, PetscInt *points, double **data)
{
  const Observe *o     = (const Observe *)WeftOpContext(op);
  const PetscInt batch = WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch;

  PetscFunctionBegin;
  *points = o->points;
  *data   = o->data + (size_t)(time * batch + sample) * (size_t)o->points;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObserveTake(WeftOp op, PetscInt time, const WeftState x[])
{
  const Observe *o     = (const Observe *)WeftOpContext(op);
  const PetscInt batch = WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->batch;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < o->states; s++) PetscCall(WeftStateHalo(x[s], 1, WEFT_GHOST_COPY));
  for (PetscInt b = 0; b < batch; b++)
    for (PetscInt p = 0; p < o->points; p++) o->data[(size_t)(time * batch + b) * (size_t)o->points + (size_t)p] = Value(o, p, WeftStatePlane(x[o->state[p]], o->field[p], b));
  PetscFunctionReturn(0);
}

/* Points on unknowns and between them, in every field, near the sides as well; at the second of two times. */
PetscErrorCode WeftOpExample_Observe(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  enum { POINTS = 60 };
  const WeftLayout *l = WeftGridLayout(grid);
  WeftSpace         space[2];
  WeftPoint         point[POINTS];

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &space[0]));
  PetscCall(WeftOpExampleCells(grid, batch, 1, &space[1]));
  for (PetscInt p = 0; p < POINTS; p++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    PetscBool inside;
    for (PetscInt a = 0; a < l->dim; a++) {
      const PetscReal at = WeftRandomUniform(21, WEFT_STREAM_TEST, 3 * p + a) * (PetscReal)l->cells[a];
      place[a]           = l->lower[a] + l->h[a] * (p % 4 ? at : PetscFloorReal(at) + 0.5);
    }
    point[p].state  = p % 2;
    point[p].weight = 0.5 + (PetscReal)(p % 3);
    PetscCall(WeftPointSet(space[p % 2], p % 2 ? 0 : p % (l->dim + 1), place, &point[p], &inside));
  }
  PetscCall(WeftOpCreateObserve(2, space, 2, POINTS, point, NULL, &example->op));
  for (PetscInt b = 0; b < batch; b++) {
    PetscInt points;
    double  *data;
    PetscCall(WeftObserveData(example->op, 1, b, &points, &data));
    for (PetscInt p = 0; p < points; p++) data[p] = 0.1 * (PetscReal)(b + 1);
  }
  PetscCall(WeftOpExampleFill(example->op, example));
  example->offset[2]    = 1.0;
  example->amplitude[2] = 0.0;
  PetscCall(WeftSpaceDestroy(&space[0]));
  PetscCall(WeftSpaceDestroy(&space[1]));
  PetscFunctionReturn(0);
}
