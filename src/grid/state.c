/* Values of a space: memory, and the vector operations on its unknowns. */
#include "grid/impl.h"
#if defined(__linux__)
  #include <sys/mman.h>
#endif

/* Vectors that straddle cache lines cost twice. Large states lie on huge pages where the system has them: neighbouring rows then
   do not need a translation each. */
static PetscErrorCode Allocate(size_t bytes, void **memory)
{
  const size_t huge = (size_t)1 << 21, alignment = bytes >= 2 * huge ? huge : 64;

  PetscFunctionBegin;
  PetscCheck(!posix_memalign(memory, alignment, (bytes + 63) / 64 * 64), PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for a state of %zu bytes", bytes);
#if defined(MADV_HUGEPAGE)
  if (alignment == huge) (void)madvise(*memory, bytes / huge * huge, MADV_HUGEPAGE); /* advice: it may be ignored */
#endif
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateCreate(WeftSpace space, WeftState *state)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(state));
  PetscCall(WeftSpaceReference(space));
  (*state)->space = space;
  PetscCall(Allocate(space->info.bytes, &(*state)->data));
  PetscCall(WeftStateZero(*state));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateCreateView(WeftState numbers, PetscInt offset, PetscInt count, WeftState *view)
{
  const WeftSpaceInfo *info = &numbers->space->info;

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_NUMBERS && !info->per_sample && offset >= 0 && offset + count <= info->count, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a view of numbers [%" PetscInt_FMT ", %" PetscInt_FMT ") of %" PetscInt_FMT, offset, offset + count, info->count);
  PetscCall(PetscNew(view));
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, count, PETSC_FALSE, &(*view)->space));
  (*view)->data     = (double *)numbers->data + offset;
  (*view)->borrowed = PETSC_TRUE;
  (*view)->fixed    = numbers->fixed;
  if (numbers->fixed.high) (*view)->fixed = WeftFixedFrom(&numbers->fixed, offset);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateDestroy(WeftState *state)
{
  WeftState s = *state;

  PetscFunctionBegin;
  *state = NULL;
  if (!s) PetscFunctionReturn(0);
  if (!s->borrowed) {
    free(s->data);
    free(s->fixed.high);
  }
  PetscCall(WeftSpaceDestroy(&s->space));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

WeftSpace WeftStateSpace(WeftState state) { return state->space; }

const double *WeftStatePlane(WeftState state, PetscInt field, PetscInt sample)
{
  const WeftSpaceInfo *info = &state->space->info;
  return (const double *)state->data + (size_t)(field * info->batch + sample) * (size_t)info->grid->layout.plane;
}

double *WeftStatePlaneWrite(WeftState state, PetscInt field, PetscInt sample)
{
  state->ghost_width = 0;
  return (double *)WeftStatePlane(state, field, sample);
}

const void *WeftStateData(WeftState state) { return state->data; }

void *WeftStateDataWrite(WeftState state)
{
  state->ghost_width = 0;
  return state->data;
}

/* Integers of the sums in fixed point: high and low of every number, each in whole lines of the cache, and how many terms did not fit. */
#define LINE 64
static size_t FixedBytes(WeftState state) { return 2 * ((state->space->info.bytes + LINE - 1) / LINE * LINE) + LINE; }

PetscErrorCode WeftStateMakeFixed(WeftState numbers, PetscReal scale)
{
  const size_t bytes = FixedBytes(numbers);

  PetscFunctionBegin;
  PetscCheck(numbers->space->info.kind == WEFT_NUMBERS && !numbers->borrowed && !numbers->fixed.high, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONGSTATE, "fixed sums belong to numbers that are no view, once");
  PetscCall(Allocate(bytes, (void **)&numbers->fixed.high));
  PetscCall(PetscMemzero(numbers->fixed.high, bytes));
  numbers->fixed.low   = numbers->fixed.high + (bytes - LINE) / 2 / sizeof(PetscInt64);
  numbers->fixed.unfit = numbers->fixed.high + (bytes - LINE) / sizeof(PetscInt64);
  numbers->fixed.scale = scale;
  PetscFunctionReturn(0);
}

void WeftStateScaleFixed(WeftState numbers, PetscReal scale) { numbers->fixed.scale = scale; }

const WeftFixed *WeftStateFixed(WeftState numbers) { return numbers->fixed.high ? &numbers->fixed : NULL; }

PetscErrorCode WeftStateZero(WeftState state)
{
  PetscFunctionBegin;
  PetscCall(PetscMemzero(state->data, state->space->info.bytes));
  if (state->fixed.high && !state->borrowed) PetscCall(PetscMemzero(state->fixed.high, FixedBytes(state)));
  state->ghost_width = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateCopy(WeftState from, WeftState to)
{
  PetscFunctionBegin;
  PetscCheck(from->space->info.bytes == to->space->info.bytes, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP, "copy between states of %zu and %zu bytes", from->space->info.bytes, to->space->info.bytes);
  PetscCall(PetscMemcpy(to->data, from->data, from->space->info.bytes));
  to->ghost_width = from->ghost_width;
  to->ghost       = from->ghost;
  PetscFunctionReturn(0);
}

PetscInt WeftStateArrays(WeftState state)
{
  const WeftSpaceInfo *info = &state->space->info;
  return info->kind == WEFT_PLANES ? info->fields * info->batch : info->kind == WEFT_CHANNELS ? info->batch : 0;
}

WeftArray WeftStateArray(WeftState state, PetscInt i)
{
  const WeftSpace      space = state->space;
  const WeftSpaceInfo *info  = &space->info;
  WeftArray            array;

  if (info->kind == WEFT_PLANES) {
    const WeftLayout *l = &info->grid->layout;
    array               = (WeftArray){(char *)state->data + sizeof(double) * (size_t)i * (size_t)l->plane, sizeof(double), {l->stride[0], l->stride[1], l->stride[2]}, l->origin, info->location[i / info->batch]};
  } else {
    const size_t point = (size_t)info->channels * (info->single ? sizeof(float) : sizeof(double));
    array              = (WeftArray){(char *)state->data + point * (size_t)i * (size_t)space->points, point, {space->stride[0], space->stride[1], space->stride[2]}, space->origin, WEFT_CELL};
  }
  return array;
}

void WeftStateForRows(WeftState x, WeftState y, WeftRowKernel kernel, void *context)
{
  const WeftSpaceInfo *info = &x->space->info;

  if (info->kind == WEFT_NUMBERS) {
    kernel(info->count * (info->per_sample ? info->batch : 1), PETSC_FALSE, x->data, y ? y->data : NULL, context);
    return;
  }
  for (PetscInt i = 0; i < WeftStateArrays(x); i++) {
    const WeftLayout *l = &info->grid->layout;
    const WeftArray   a = WeftStateArray(x, i);
    char             *b = y ? WeftStateArray(y, i).base : NULL;
    PetscInt          lo[3], hi[3];
    WeftLayoutOwned(l, a.location, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        const size_t at = a.point * (size_t)(a.origin + (lo[0] - l->start[0]) + (j - l->start[1]) * a.stride[1] + (k - l->start[2]) * a.stride[2]);
        kernel((hi[0] - lo[0]) * (info->kind == WEFT_CHANNELS ? info->channels : 1), info->single, a.base + at, b ? b + at : NULL, context);
      }
    }
  }
}

static void AXPYRow(PetscInt n, PetscBool single, void *x, void *y, void *context)
{
  const double a = *(const double *)context;
  if (single)
    for (PetscInt i = 0; i < n; i++) ((float *)y)[i] += (float)a * ((const float *)x)[i];
  else
    for (PetscInt i = 0; i < n; i++) ((double *)y)[i] += a * ((const double *)x)[i];
}

PetscErrorCode WeftStateAXPY(WeftState y, PetscReal a, WeftState x)
{
  PetscFunctionBegin;
  WeftStateForRows(x, y, AXPYRow, &a);
  y->ghost_width = 0;
  PetscFunctionReturn(0);
}

static void DotRow(PetscInt n, PetscBool single, void *x, void *y, void *context)
{
  double sum = 0.0;
  if (single)
    for (PetscInt i = 0; i < n; i++) sum += (double)((const float *)x)[i] * (double)((const float *)y)[i];
  else
    for (PetscInt i = 0; i < n; i++) sum += ((const double *)x)[i] * ((const double *)y)[i];
  *(double *)context += sum;
}

PetscErrorCode WeftStateDot(WeftState x, WeftState y, PetscReal *dot)
{
  PetscReal local = 0.0;

  PetscFunctionBegin;
  WeftStateForRows(x, y, DotRow, &local);
  PetscCall(WeftReduce(&local, 1, MPIU_REAL, MPIU_SUM, x->space->info.comm));
  *dot = local;
  PetscFunctionReturn(0);
}

static void NormOneRow(PetscInt n, PetscBool single, void *x, void *y, void *context)
{
  double sum = 0.0;
  (void)y;
  for (PetscInt i = 0; i < n; i++) sum += PetscAbsReal(single ? (double)((const float *)x)[i] : ((const double *)x)[i]);
  *(double *)context += sum;
}

static void NormMaxRow(PetscInt n, PetscBool single, void *x, void *y, void *context)
{
  double largest = *(double *)context;
  (void)y;
  for (PetscInt i = 0; i < n; i++) {
    const double v = PetscAbsReal(single ? (double)((const float *)x)[i] : ((const double *)x)[i]);
    if (!(v <= largest)) largest = v; /* a NaN stays */
  }
  *(double *)context = largest;
}

PetscErrorCode WeftStateNorm(WeftState x, NormType type, PetscReal *norm)
{
  const PetscBool shared = x->space->info.kind == WEFT_NUMBERS ? PETSC_TRUE : PETSC_FALSE;
  PetscReal       local  = 0.0;

  PetscFunctionBegin;
  PetscCheck(type == NORM_1 || type == NORM_2 || type == NORM_INFINITY, PETSC_COMM_SELF, PETSC_ERR_SUP, "norms are 1, 2 and infinity");
  WeftStateForRows(x, x, type == NORM_1 ? NormOneRow : type == NORM_2 ? DotRow : NormMaxRow, &local);
  if (!shared) PetscCall(WeftReduce(&local, 1, MPIU_REAL, type == NORM_INFINITY ? MPIU_MAX : MPIU_SUM, x->space->info.comm));
  *norm = local;
  if (type == NORM_2) *norm = PetscSqrtReal(*norm);
  PetscFunctionReturn(0);
}

typedef struct {
  PetscInt64 seed, counter;
  PetscReal  offset, amplitude;
} Draw;

static void DrawRow(PetscInt n, PetscBool single, void *x, const Draw *draw)
{
  for (PetscInt i = 0; i < n; i++) {
    const double value = draw->offset + draw->amplitude * (2.0 * WeftRandomUniform(draw->seed, WEFT_STREAM_TEST, draw->counter + i) - 1.0);
    if (single) ((float *)x)[i] = (float)value;
    else ((double *)x)[i] = value;
  }
}

PetscErrorCode WeftStateSetRandom(WeftState state, PetscInt64 seed, PetscInt first_sample, PetscReal offset, PetscReal amplitude)
{
  const WeftSpaceInfo *info     = &state->space->info;
  const PetscInt64     channels = info->kind == WEFT_CHANNELS ? info->channels : 1;
  Draw                 draw     = {seed, 0, offset, amplitude};

  PetscFunctionBegin;
  state->ghost_width = 0;
  if (info->kind == WEFT_NUMBERS) {
    draw.counter = info->per_sample ? (PetscInt64)first_sample * info->count : 0;
    DrawRow(info->count * (info->per_sample ? info->batch : 1), PETSC_FALSE, state->data, &draw);
    PetscFunctionReturn(0);
  }
  for (PetscInt i = 0; i < WeftStateArrays(state); i++) {
    const WeftLayout *l = &info->grid->layout;
    const WeftArray   a = WeftStateArray(state, i);
    const PetscInt64  array = (PetscInt64)(i / info->batch) + (PetscInt64)WEFT_MAX_FIELDS * (first_sample + i % info->batch);
    PetscInt          lo[3], hi[3];
    WeftLayoutOwned(l, a.location, lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) { /* keyed by the place among (cells + 1)^3 of every field and sample */
        const PetscInt64 row = ((array * (l->cells[2] + 1) + k) * (l->cells[1] + 1) + j) * (l->cells[0] + 1) + lo[0];
        draw.counter         = row * channels;
        DrawRow((hi[0] - lo[0]) * (PetscInt)channels, info->single, a.base + a.point * (size_t)(a.origin + (lo[0] - l->start[0]) + (j - l->start[1]) * a.stride[1] + (k - l->start[2]) * a.stride[2]), &draw);
      }
    }
  }
  PetscFunctionReturn(0);
}
