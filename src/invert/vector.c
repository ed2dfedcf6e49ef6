/* From the optimiser's vector to the unknown inputs, and back with the adjoints. A rank's part of the vector: unknown by unknown, knot
   in time by knot in time, the values of fields that it owns, [field][sample][z][y][x]; numbers on the first rank of their replica,
   [sample][number], shared ones on the first rank of the world. */
#include "invert/impl.h"

/* ---- packing --------------------------------------------------------------------------------------------------------- */

/* What happens: values are counted; array := state / scale; state := scale array. A rank without values may have no array. */
typedef enum { COUNT, TO_ARRAY, TO_STATE } Way;

static PetscErrorCode TransferPlanes(WeftState state, PetscInt samples, PetscReal scale, Way way, PetscReal *array, PetscInt *count)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  *count = 0;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < samples; b++) {
      double *plane = way == TO_STATE ? WeftStatePlaneWrite(state, f, b) : (double *)WeftStatePlane(state, f, b);
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          double *row = plane + WeftLayoutIndex(l, lo[0], j, k);
          for (PetscInt i = 0; i < hi[0] - lo[0] && way != COUNT; i++) {
            if (way == TO_STATE) row[i] = scale * array[*count + i];
            else array[*count + i] = row[i] / scale;
          }
          *count += hi[0] - lo[0];
        }
    }
  }
  PetscFunctionReturn(0);
}

static PetscBool HoldsNumbers(const WeftInversion v, const WeftUnknown *u) { return (u->shared ? PetscGlobalRank == 0 : v->info.space_rank == 0) ? PETSC_TRUE : PETSC_FALSE; }

/* Numbers of one knot in time: all samples, or one if they are shared. */
static PetscErrorCode TransferNumbers(const WeftInversion v, const WeftUnknown *u, WeftState state, PetscReal scale, Way way, PetscReal *array, PetscInt *count)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(state));
  double              *values = (double *)WeftStateDataWrite(state);
  const PetscInt       n      = info->count * (u->shared ? 1 : v->count);

  PetscFunctionBegin;
  *count = HoldsNumbers(v, u) ? n : 0;
  for (PetscInt i = 0; i < *count && way == TO_ARRAY; i++) array[i] = values[i] / scale;
  if (way != TO_STATE) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < *count; i++) values[i] = scale * array[i];
  PetscCallMPI(MPI_Bcast(values, (PetscMPIInt)n, MPI_DOUBLE, 0, u->shared ? PETSC_COMM_WORLD : v->info.space));
  for (PetscInt b = 1; b < v->count && u->shared; b++) PetscCall(PetscArraycpy(values + b * info->count, values, info->count));
  PetscFunctionReturn(0);
}

/* Every knot of every unknown: control and vector, or control_bar and gradient (whose scale is the inverse). */
static PetscErrorCode Transfer(WeftInversion v, PetscBool bar, Way way, PetscReal *array)
{
  PetscInt at = 0, count;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < v->unknowns; k++) {
    WeftUnknown *u = &v->unknown[k];
    u->at          = at;
    for (PetscInt s = 0; s < u->slices; s++) {
      const WeftState state = bar ? u->control_bar[s] : u->control[s];
      const PetscReal scale = bar ? 1.0 / u->scale : u->scale;
      if (WeftSpaceGetInfo(WeftStateSpace(state))->kind == WEFT_NUMBERS) PetscCall(TransferNumbers(v, u, state, scale, way, array + at, &count));
      else PetscCall(TransferPlanes(state, v->count, scale, way, array + at, &count));
      at += count;
    }
    u->local = at - u->at;
  }
  PetscFunctionReturn(0);
}

/* ---- knots in time --------------------------------------------------------------------------------------------------- */

/* Step n lies between knots k and k + 1. */
static void Knot(const WeftUnknown *u, PetscInt n, PetscInt *k, PetscReal *share)
{
  const PetscReal at = u->steps > 1 ? (PetscReal)n * (PetscReal)(u->slices - 1) / (PetscReal)(u->steps - 1) : 0.0;
  *k     = PetscMin((PetscInt)at, PetscMax(u->slices - 2, 0));
  *share = at - (PetscReal)*k;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

typedef enum { EXPONENT, TIMES_VALUE, LOGARITHM } PointWise;

static void Row(PointWise what, PetscInt n, const double *x, double *y)
{
  for (PetscInt i = 0; i < n; i++) y[i] = what == EXPONENT ? exp(x[i]) : what == LOGARITHM ? log(x[i]) : y[i] * x[i];
}

/* y := exp(x), log(x) or y x at unknowns and numbers. */
static PetscErrorCode ForEach(PointWise what, WeftState x, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x));

  PetscFunctionBegin;
  if (info->kind == WEFT_NUMBERS) {
    Row(what, info->count * (info->per_sample ? info->batch : 1), (const double *)WeftStateData(x), (double *)WeftStateDataWrite(y));
    PetscFunctionReturn(0);
  }
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftLayout *l = WeftGridLayout(info->grid);
    PetscInt          lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < info->batch; b++)
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          const PetscInt row = WeftLayoutIndex(l, lo[0], j, k);
          Row(what, hi[0] - lo[0], WeftStatePlane(x, f, b) + row, WeftStatePlaneWrite(y, f, b) + row);
        }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SetValue(WeftUnknown *u, PetscInt n)
{
  PetscInt  k;
  PetscReal share;

  PetscFunctionBegin;
  Knot(u, n, &k, &share);
  PetscCall(WeftStateCopy(u->control[k], u->spare));
  if (share > 0.0) {
    PetscCall(WeftStateAXPY(u->spare, -share, u->control[k]));
    PetscCall(WeftStateAXPY(u->spare, share, u->control[k + 1]));
  }
  if (u->interpolate) PetscCall(WeftOpApply(u->interpolate, &u->spare, &u->plain[n], NULL));
  else PetscCall(WeftStateCopy(u->spare, u->plain[n]));
  if (u->smooth[0] > 0.0) PetscCall(WeftStateAXPY(u->plain[n], 1.0, u->first[n]));
  if (u->logarithm) PetscCall(ForEach(EXPONENT, u->plain[n], u->value[n]));
  else if (u->project) PetscCall(WeftOpApply(u->project, &u->plain[n], (WeftState[]){u->value[n], u->pressure}, NULL));
  else PetscCall(WeftStateCopy(u->plain[n], u->value[n]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftUnknownsSet(WeftInversion v, Vec z)
{
  const PetscReal *array;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(z, &array));
  PetscCall(Transfer(v, PETSC_FALSE, TO_STATE, (PetscReal *)array));
  PetscCall(VecRestoreArrayRead(z, &array));
  for (PetscInt k = 0; k < v->unknowns; k++) {
    WeftUnknown *u = &v->unknown[k];
    for (PetscInt n = 0; n < u->steps; n++) PetscCall(SetValue(u, n));
    if (!u->in_time) PetscCall(WeftStateCopy(u->value[0], v->input[u->input]));
  }
  PetscFunctionReturn(0);
}

/* ---- gradient -------------------------------------------------------------------------------------------------------- */

static PetscErrorCode AddToControl(WeftUnknown *u, PetscInt n)
{
  PetscInt  k;
  PetscReal share;
  WeftState bar = u->plain_bar[n];

  PetscFunctionBegin;
  if (u->logarithm) PetscCall(ForEach(TIMES_VALUE, u->value[n], u->value_bar[n]));
  if (u->project) PetscCall(WeftOpAdjoint(u->project, &u->plain[n], (WeftState[]){u->value[n], u->pressure}, NULL, (WeftState[]){u->value_bar[n], u->pressure_bar}, &u->plain_bar[n]));
  else PetscCall(WeftStateAXPY(u->plain_bar[n], 1.0, u->value_bar[n]));
  Knot(u, n, &k, &share);
  if (u->interpolate) {
    PetscCall(WeftStateZero(u->spare));
    PetscCall(WeftOpAdjoint(u->interpolate, &u->spare, &u->plain[n], NULL, &u->plain_bar[n], &u->spare));
    bar = u->spare;
  }
  PetscCall(WeftStateAXPY(u->control_bar[k], 1.0 - share, bar));
  if (share > 0.0) PetscCall(WeftStateAXPY(u->control_bar[k + 1], share, bar));
  PetscFunctionReturn(0);
}

/* Adds up the ranks' parts of the adjoint of numbers; shared ones over the samples as well. */
static PetscErrorCode Reduce(const WeftInversion v, const WeftUnknown *u, WeftState bar)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(WeftStateSpace(bar));
  double              *values = (double *)WeftStateDataWrite(bar);

  PetscFunctionBegin;
  if (info->kind != WEFT_NUMBERS) PetscFunctionReturn(0);
  if (!v->count) PetscCall(WeftStateZero(bar));
  for (PetscInt b = 1; b < v->count && u->shared; b++)
    for (PetscInt i = 0; i < info->count; i++) values[i] += values[b * info->count + i];
  PetscCall(WeftReduce(values, (PetscMPIInt)(info->count * (u->shared ? 1 : info->batch)), MPI_DOUBLE, MPI_SUM, u->shared ? PETSC_COMM_WORLD : v->info.space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftUnknownsGradient(WeftInversion v, Vec gradient)
{
  PetscReal *array;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < v->unknowns; k++) {
    WeftUnknown *u = &v->unknown[k];
    for (PetscInt n = 0; n < u->steps; n++) PetscCall(AddToControl(u, n));
    for (PetscInt s = 0; s < u->slices; s++) PetscCall(Reduce(v, u, u->control_bar[s]));
  }
  PetscCall(VecGetArrayWrite(gradient, &array));
  PetscCall(Transfer(v, PETSC_TRUE, TO_ARRAY, array));
  PetscCall(VecRestoreArrayWrite(gradient, &array));
  PetscFunctionReturn(0);
}

/* ---- first guess and bounds -------------------------------------------------------------------------------------------- */

/* A bound of an unknown in the vector. */
static PetscReal Bound(const WeftUnknown *u, PetscReal value)
{
  if (u->logarithm) value = value > 0.0 ? log(value) : PETSC_NINFINITY;
  return PetscIsInfOrNanReal(value) ? value : PetscMin(PetscMax(value / u->scale, PETSC_NINFINITY), PETSC_INFINITY);
}

static PetscErrorCode Bounds(WeftInversion v)
{
  PetscReal *lower, *upper;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(v->lower, &lower));
  PetscCall(VecGetArrayWrite(v->upper, &upper));
  for (PetscInt k = 0; k < v->unknowns; k++) {
    const WeftUnknown *u = &v->unknown[k];
    const PetscInt     n = PetscMax(u->width, 1);
    for (PetscInt i = 0; i < u->local; i++) {
      lower[u->at + i] = Bound(u, u->lower[i % n]);
      upper[u->at + i] = Bound(u, u->upper[i % n]);
    }
    if (u->lowers || u->uppers) v->bounded = PETSC_TRUE;
  }
  PetscCall(VecRestoreArrayWrite(v->lower, &lower));
  PetscCall(VecRestoreArrayWrite(v->upper, &upper));
  PetscFunctionReturn(0);
}

/* The control that gives the input of the case: at coarse knots the nearest value. */
static PetscErrorCode GuessControl(WeftInversion v, WeftUnknown *u)
{
  WeftState input = v->input[u->input];

  PetscFunctionBegin;
  if (u->guesses) {
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(input));
    if (info->kind == WEFT_NUMBERS) {
      for (PetscInt i = 0; i < info->batch * info->count; i++) ((double *)WeftStateDataWrite(input))[i] = u->guess[i % info->count];
    } else PetscCall(WeftStateSetRandom(input, 0, 0, u->guess[0], 0.0));
  }
  if (u->logarithm) {
    PetscReal least;
    PetscCall(ForEach(LOGARITHM, input, u->plain[0]));
    PetscCall(WeftStateNorm(u->plain[0], NORM_INFINITY, &least));
    WeftCheck(isfinite(least), PETSC_COMM_WORLD, "invert_unknowns: %s: the logarithm of the first guess does not exist everywhere; give a guess above 0", u->name);
  } else PetscCall(WeftStateCopy(input, u->plain[0]));
  for (PetscInt n = 0; n < u->steps && u->smooth[0] > 0.0; n++) PetscCall(WeftStateCopy(u->plain[0], u->first[n]));
  for (PetscInt s = 0; s < u->slices; s++) {
    if (u->smooth[0] > 0.0) PetscCall(WeftStateZero(u->control[s]));
    else if (u->interpolate) PetscCall(WeftInterpolateKnots(u->interpolate, u->plain[0], u->control[s]));
    else PetscCall(WeftStateCopy(u->plain[0], u->control[s]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftUnknownsCreateVectors(WeftInversion v)
{
  PetscReal *array, none = 0.0;
  PetscInt   local;

  PetscFunctionBegin;
  PetscCall(Transfer(v, PETSC_FALSE, COUNT, &none));
  local = v->unknown[v->unknowns - 1].at + v->unknown[v->unknowns - 1].local;
  PetscCall(VecCreateMPI(PETSC_COMM_WORLD, local, PETSC_DETERMINE, &v->z));
  PetscCall(VecDuplicate(v->z, &v->gradient));
  PetscCall(VecDuplicate(v->z, &v->lower));
  PetscCall(VecDuplicate(v->z, &v->upper));
  PetscCall(VecDuplicate(v->z, &v->guess));
  PetscCall(VecDuplicate(v->z, &v->best));
  PetscCall(Bounds(v));
  for (PetscInt k = 0; k < v->unknowns; k++) PetscCall(GuessControl(v, &v->unknown[k]));
  PetscCall(VecGetArrayWrite(v->z, &array));
  PetscCall(Transfer(v, PETSC_FALSE, TO_ARRAY, array));
  PetscCall(VecRestoreArrayWrite(v->z, &array));
  PetscCall(VecCopy(v->z, v->guess));
  PetscCall(WeftUnknownsSet(v, v->z));
  for (PetscInt k = 0; k < v->unknowns; k++)
    for (PetscInt n = 0; n < v->unknown[k].steps; n++) PetscCall(WeftStateCopy(v->unknown[k].plain[n], v->unknown[k].first[n]));
  PetscFunctionReturn(0);
}
