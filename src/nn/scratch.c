/* What layers share: the layout of features, scratch states, packed weights. */
#include "nn/impl.h"

WeftFeatures WeftFeaturesOf(WeftSpace space)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(space);
  const WeftLayout    *l      = WeftGridLayout(info->grid);
  WeftFeatures         f      = {.channels = info->channels,
                                 .batch    = info->batch,
                                 .single   = info->single,
                                 .size     = info->single ? sizeof(float) : sizeof(double)};
  ptrdiff_t            stride = info->channels;

  for (PetscInt a = 0; a < 3; a++) {
    const PetscInt ghosts = a < l->dim ? info->width : 0;
    f.count[a]            = l->count[a];
    f.stride[a]           = stride;
    f.origin += ghosts * stride;
    stride *= l->count[a] + 2 * ghosts;
  }
  f.sample = stride;
  return f;
}

/* Layers of one net run one after another, so that one scratch state serves all of the same shape: less memory, and what
   the last layer used is still in the cache. */
typedef struct _Scratch {
  WeftState        state;
  PetscInt         users;
  struct _Scratch *next;
} Scratch;
static Scratch *all_scratch;

PetscErrorCode WeftScratchGet(WeftGrid grid, PetscInt batch, PetscInt channels, PetscInt width, PetscBool single,
                              WeftState *state)
{
  WeftSpace space;
  Scratch  *s;

  PetscFunctionBegin;
  for (s = all_scratch; s; s = s->next) {
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(s->state));
    if (info->grid == grid && info->batch == batch && info->channels == channels && info->width == width &&
        info->single == single)
      break;
  }
  if (!s) {
    PetscCall(PetscNew(&s));
    PetscCall(WeftSpaceCreateChannels(grid, batch, channels, width, single, &space));
    PetscCall(WeftStateCreate(space, &s->state));
    PetscCall(WeftSpaceDestroy(&space));
    s->next     = all_scratch;
    all_scratch = s;
  }
  s->users++;
  *state = s->state;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftScratchRestore(WeftState *state)
{
  PetscFunctionBegin;
  for (Scratch **at = &all_scratch; *state && *at; at = &(*at)->next) {
    Scratch *s = *at;
    if (s->state != *state) continue;
    *state = NULL;
    if (--s->users) PetscFunctionReturn(0);
    *at = s->next;
    PetscCall(WeftStateDestroy(&s->state));
    PetscCall(PetscFree(s));
    break;
  }
  PetscFunctionReturn(0);
}

#define PACK(type)                                                                                                             \
  static void Pack_##type(const WeftKernels *kernels, PetscInt taps, PetscInt in, PetscInt out, const double *weights,         \
                          PetscBool transposed, type *packed)                                                                  \
  {                                                                                                                            \
    const PetscInt  padded = WeftPadded(kernels, out);                                                                         \
    const PetscBool few    = WeftFewOutputs(kernels->lanes, in, out);                                                          \
    for (PetscInt t = 0; t < taps && few; t++)                                                                                 \
      for (PetscInt o = 0; o < out; o++, packed += in)                                                                         \
        for (PetscInt i = 0; i < in; i++)                                                                                      \
          packed[i] = (type)(transposed ? weights[((size_t)(taps - 1 - t) * out + o) * in + i]                                 \
                                        : weights[((size_t)t * in + i) * out + o]);                                            \
    for (PetscInt first = 0; first < padded && !few; first += kernels->block) {                                                \
      const PetscInt width = PetscMin(kernels->block, padded - first), there = PetscMin(width, out - first);                   \
      for (PetscInt t = 0; t < taps; t++) {                                                                                    \
        for (PetscInt i = 0; i < in; i++, packed += width) {                                                                   \
          const double  *from   = transposed ? weights + ((size_t)(taps - 1 - t) * out + first) * in + i                       \
                                             : weights + ((size_t)t * in + i) * out + first;                                   \
          const PetscInt stride = transposed ? in : 1;                                                                         \
          for (PetscInt o = 0; o < there; o++) packed[o] = (type)from[o * stride];                                             \
          for (PetscInt o = there; o < width; o++) packed[o] = (type)0;                                                        \
        }                                                                                                                      \
      }                                                                                                                        \
    }                                                                                                                          \
  }
PACK(float)
PACK(double)

void WeftPack(const WeftKernels *k, PetscInt taps, PetscInt in, PetscInt out, const double *weights, PetscBool transposed,
              void *packed)
{
  if (k->single)
    Pack_float(k, taps, in, out, weights, transposed, (float *)packed);
  else
    Pack_double(k, taps, in, out, weights, transposed, (double *)packed);
}

PetscErrorCode WeftPackedCreate(PetscInt count, size_t bytes, WeftPacked *packed)
{
  PetscFunctionBegin;
  packed->count = count;
  PetscCall(PetscMalloc1(count, &packed->copy));
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(WeftAlignedCreate(bytes, &packed->packed[i]));
    packed->ready[i] = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPackedDestroy(WeftPacked *packed)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftAlignedDestroy(&packed->packed[i]));
  PetscCall(PetscFree(packed->copy));
  PetscFunctionReturn(0);
}

PetscBool WeftPackedReady(WeftPacked *packed, const double *weights, PetscBool transposed)
{
  const size_t    bytes = sizeof(double) * (size_t)packed->count;
  const PetscBool known = packed->ready[0] || packed->ready[1] ? PETSC_TRUE : PETSC_FALSE;
  PetscBool       ready;

  if (!known || memcmp(packed->copy, weights, bytes)) {
    memcpy(packed->copy, weights, bytes);
    packed->ready[0] = packed->ready[1] = PETSC_FALSE;
  }
  ready                     = packed->ready[transposed];
  packed->ready[transposed] = PETSC_TRUE;
  return ready;
}

PetscErrorCode WeftAlignedCreate(size_t bytes, void **memory)
{
  PetscFunctionBegin;
  PetscCheck(!posix_memalign(memory, 64, (bytes + 63) / 64 * 64), PETSC_COMM_SELF, PETSC_ERR_MEM, "no memory for %zu bytes",
             bytes);
  PetscCall(PetscMemzero(*memory, (bytes + 63) / 64 * 64));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAlignedDestroy(void **memory)
{
  PetscFunctionBegin;
  free(*memory);
  *memory = NULL;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCellPlanesCreate(WeftSpace planes, WeftState *cells)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(planes);
  const char          *names[WEFT_MAX_FIELDS];
  WeftLocation         locations[WEFT_MAX_FIELDS];
  PetscInt             faces = 0;
  WeftSpace            space;

  PetscFunctionBegin;
  *cells = NULL;
  for (PetscInt f = 0; f < info->fields; f++) {
    if (info->location[f] == WEFT_CELL) continue;
    names[faces]       = info->name[f];
    locations[faces++] = WEFT_CELL;
  }
  if (!faces) PetscFunctionReturn(0);
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, faces, names, locations, &space));
  PetscCall(WeftStateCreate(space, cells));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
