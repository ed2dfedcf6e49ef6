/* Side rules: what a ghost outside the box is made of, ghost = constant + factor * unknown, and the transpose. */
#include "grid/impl.h"

typedef struct {
  PetscReal constant, factor; /* factor 0: the source is not read */
  PetscInt  source;           /* index along the axis */
} Rule;

/* The ghost at index g along an axis whose unknowns are [lo, hi). */
static Rule RuleOf(const WeftLayout *l, WeftLocation location, PetscInt axis, PetscInt g, PetscInt lo, PetscInt hi, WeftGhost ghost)
{
  const PetscInt  s       = g < lo ? 0 : 1;
  const WeftSide  side    = l->side[axis][s];
  const PetscInt  nearest = s ? hi - 1 : lo;
  const PetscBool closed  = side != WEFT_SIDE_OPEN && side != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  const PetscBool normal  = (PetscInt)location == axis ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  wall    = s ? l->cells[axis] : 0; /* index of the wall's face */
  /* a face g mirrors into 2 wall - g; a cell, or a face of another axis, into 2 wall - 1 - g */
  const PetscInt image = 2 * wall - g - (normal ? 0 : 1);
  PetscReal      value = 0.0;

  if (ghost == WEFT_GHOST_ZERO) return (Rule){0.0, 0.0, nearest};
  if (ghost == WEFT_GHOST_COPY || location == WEFT_CELL || !closed) return (Rule){0.0, 1.0, nearest};
  if (ghost == WEFT_GHOST_VALUE && side == WEFT_SIDE_VELOCITY) value = l->side_velocity[axis][s][location];
  if (!normal && side == WEFT_SIDE_SLIP) return (Rule){0.0, 1.0, l->wall == WEFT_WALL_MIRROR ? image : nearest};
  if (l->wall == WEFT_WALL_VALUE || (normal && g == wall)) return (Rule){value, 0.0, nearest};
  return (Rule){2.0 * value, -1.0, image};
}

/* One line of ghosts and the line it is made of. Written once over the type. */
#define LINE_KERNELS(type)                                                                                                     \
  static void Fill_##type(type *restrict ghost, const type *restrict source, Rule rule, PetscInt n, PetscInt stride)          \
  {                                                                                                                            \
    const type constant = (type)rule.constant, factor = (type)rule.factor;                                                     \
    if (rule.factor == 0.0)                                                                                                    \
      for (PetscInt i = 0; i < n; i++) ghost[i * stride] = constant;                                                           \
    else                                                                                                                       \
      for (PetscInt i = 0; i < n; i++) ghost[i * stride] = constant + factor * source[i * stride];                             \
  }                                                                                                                            \
  static void Fold_##type(type *restrict ghost, type *restrict source, Rule rule, PetscInt n, PetscInt stride)                \
  {                                                                                                                            \
    const type factor = (type)rule.factor;                                                                                     \
    if (rule.factor != 0.0)                                                                                                    \
      for (PetscInt i = 0; i < n; i++) source[i * stride] += factor * ghost[i * stride];                                       \
    for (PetscInt i = 0; i < n; i++) ghost[i * stride] = (type)0;                                                              \
  }
LINE_KERNELS(double)
LINE_KERNELS(float)

/* The layer at index g along `axis`, over the rectangle [lo, hi) of the other axes. */
static void Layer(const WeftLayout *l, const WeftArray *array, PetscBool single, PetscInt axis, PetscInt g, Rule rule, const PetscInt lo[3], const PetscInt hi[3], PetscBool fold)
{
  const PetscInt b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2; /* the other axes */
  const PetscInt scalars = (PetscInt)(array->point / (single ? sizeof(float) : sizeof(double)));
  /* along x a line of points is contiguous with all channels; along others each channel is a strided line of its own */
  const PetscInt lines = b == 0 ? 1 : scalars, stride = b == 0 ? 1 : array->stride[b] * scalars;
  const PetscInt n = (hi[b] - lo[b]) * (b == 0 ? scalars : 1);

  for (PetscInt k = lo[c]; k < hi[c]; k++) {
    const PetscInt row  = array->origin + (k - l->start[c]) * array->stride[c] + (lo[b] - l->start[b]) * array->stride[b];
    const PetscInt to   = (row + (g - l->start[axis]) * array->stride[axis]) * scalars;
    const PetscInt from = (row + (rule.source - l->start[axis]) * array->stride[axis]) * scalars;
    for (PetscInt v = 0; v < lines; v++) {
      if (single && fold) Fold_float((float *)array->base + to + v, (float *)array->base + from + v, rule, n, stride);
      else if (single) Fill_float((float *)array->base + to + v, (float *)array->base + from + v, rule, n, stride);
      else if (fold) Fold_double((double *)array->base + to + v, (double *)array->base + from + v, rule, n, stride);
      else Fill_double((double *)array->base + to + v, (double *)array->base + from + v, rule, n, stride);
    }
  }
}

static void Axis(const WeftLayout *l, const WeftArray *array, PetscBool single, PetscInt axis, PetscInt width, WeftGhost ghost, PetscBool fold)
{
  PetscInt all_lo[3], all_hi[3], lo[3], hi[3], owned_lo[3], owned_hi[3], gather_lo[3], gather_hi[3];
  PetscInt first, last;

  if (l->side[axis][0] == WEFT_SIDE_PERIODIC) return;
  WeftLayoutUnknowns(l, array->location, all_lo, all_hi);
  WeftLayoutOwned(l, array->location, owned_lo, owned_hi);
  WeftLayoutGather(l, array->location, width, gather_lo, gather_hi);
  for (PetscInt b = 0; b < 3; b++) {
    if (fold) { /* from the last axis to the first: axes above are folded, axes below still carry ghosts */
      lo[b] = b < axis ? gather_lo[b] : owned_lo[b];
      hi[b] = b < axis ? gather_hi[b] : owned_hi[b];
    } else { /* from the first axis to the last: axes below carry ghosts already */
      WeftExtended(l, array->location, b, width, &lo[b], &hi[b]);
      if (b > axis && l->side[b][0] != WEFT_SIDE_PERIODIC) {
        lo[b] = PetscMax(lo[b], all_lo[b]);
        hi[b] = PetscMin(hi[b], all_hi[b]);
      }
    }
  }
  first = gather_lo[axis];
  last  = gather_hi[axis];
  if (!fold) WeftExtended(l, array->location, axis, width, &first, &last);
  for (PetscInt g = first; g < PetscMin(last, all_lo[axis]); g++) Layer(l, array, single, axis, g, RuleOf(l, array->location, axis, g, all_lo[axis], all_hi[axis], ghost), lo, hi, fold);
  for (PetscInt g = PetscMax(first, all_hi[axis]); g < last; g++) Layer(l, array, single, axis, g, RuleOf(l, array->location, axis, g, all_lo[axis], all_hi[axis], ghost), lo, hi, fold);
}

void WeftSideFill(const WeftLayout *l, const WeftArray *array, PetscBool single, PetscInt width, WeftGhost ghost)
{
  for (PetscInt axis = 0; axis < l->dim; axis++) Axis(l, array, single, axis, width, ghost, PETSC_FALSE);
}

void WeftSideFold(const WeftLayout *l, const WeftArray *array, PetscBool single, PetscInt width, WeftGhost ghost)
{
  for (PetscInt axis = l->dim - 1; axis >= 0; axis--) Axis(l, array, single, axis, width, ghost == WEFT_GHOST_VALUE ? WEFT_GHOST_ZERO : ghost, PETSC_TRUE);
}
