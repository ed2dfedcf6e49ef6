/* Lookups at displaced places. Points are taken in strips of a row, as many as a vector register holds: their places come
   first, then the nodes around them; each node offset k that any point of the strip uses is one contiguous load, with weight 0
   where a point does not use it. So no memory is gathered, and points that move alike take two loads per axis. */
#include <math.h>
#include "base/kernel.h"
#include "op/lookup.h"

#define LANES 8           /* points in a strip */
#define ROUND_OFF 4e-15   /* what m may miss by where all its values are equal: no reason to hold it */
#define TAPS (2 * 64 + 2) /* the widest halo */

void WeftLookupSetUp(const WeftLayout *l, WeftLocation location, PetscReal dt, WeftLookup *g)
{
  PetscInt all_lo[3], all_hi[3];

  g->dim      = l->dim;
  g->location = location;
  g->halo     = l->halo[0];
  g->zero     = WeftLayoutIndex(l, 0, 0, 0);
  WeftLayoutOwned(l, location, g->lo, g->hi);
  WeftLayoutGather(l, location, 1, g->node_lo, g->node_hi);
  WeftLayoutUnknowns(l, location, all_lo, all_hi);
  for (PetscInt a = 0; a < 3; a++) {
    const PetscBool normal = (PetscInt)location == a ? PETSC_TRUE : PETSC_FALSE;
    g->stride[a]           = l->stride[a];
    g->factor[a]           = dt / l->h[a];
    g->point_lo[a]         = g->lo[a] - l->halo[a];
    g->point_hi[a]         = g->hi[a] + l->halo[a];
    g->below[a]            = -PETSC_MAX_REAL;
    g->above[a]            = PETSC_MAX_REAL;
    g->ceiling[a]          = PETSC_MAX_REAL;
    if (a >= l->dim || l->side[a][0] == WEFT_SIDE_PERIODIC) continue;
    g->point_lo[a] = PetscMax(g->point_lo[a], all_lo[a]);
    g->point_hi[a] = PetscMin(g->point_hi[a], all_hi[a]);
    for (PetscInt s = 0; s < 2; s++) {
      const PetscBool image = l->wall == WEFT_WALL_MIRROR && location != WEFT_CELL && !normal && l->side[a][s] != WEFT_SIDE_OPEN
                                  ? PETSC_TRUE
                                  : PETSC_FALSE;
      const PetscReal gap   = image ? 0.5 : 1.0;
      if (s)
        g->above[a] = all_hi[a] - 1 + gap;
      else
        g->below[a] = all_lo[a] - gap;
    }
    g->ceiling[a] = PetscCeilReal(g->above[a]) - 1.0;
  }
}

/* ---- a strip of points ------------------------------------------------------------------------------------------ */

/* Vectors of GCC and Clang: one AVX-512 register, two of AVX2, four of SSE2. Comparisons give masks of all bits. */
#pragma GCC diagnostic ignored "-Wpsabi" /* every function that passes them is inlined */
typedef double         V __attribute__((vector_size(8 * LANES)));
typedef long long      Mask __attribute__((vector_size(8 * LANES)));
typedef int            Whole __attribute__((vector_size(4 * LANES)));
typedef long long      Pairs __attribute__((vector_size(4 * LANES)));

/* n, the length of a strip, is a constant where the strip is whole; memory beyond it is not touched. */
WEFT_INLINE V Load(const double *from, const int n)
{
  V v = {0.0};
  if (n == LANES)
    memcpy(&v, from, sizeof(v));
  else
    for (int i = 0; i < n; i++) v[i] = from[i];
  return v;
}

WEFT_INLINE void Store(V v, const int n, double *to)
{
  if (n == LANES)
    memcpy(to, &v, sizeof(v));
  else
    for (int i = 0; i < n; i++) to[i] = v[i];
}

WEFT_INLINE V All(double value)
{
  return (V){0.0} + value;
}

WEFT_INLINE V Pick(Mask mask, V a, V b)
{
  return (V)(((Mask)a & mask) | ((Mask)b & ~mask));
}

typedef struct {
  PetscInt at, place[3], n; /* in the plane, global indices of the first point, points */
} Strip;
typedef struct {
  V    base[3], w[3];
  Mask active[3];         /* none where a side or a fault holds the place */
  int  first[3], last[3]; /* nodes used, as offsets from the points */
} Places;

/* Mean of the velocity of axis a at the points of the strip, times factor. */
WEFT_INLINE V Mean(const WeftLookup *g, const Strip *s, const int n, const int a, const double *u)
{
  const PetscInt along = g->stride[a], across = g->location == WEFT_CELL ? 0 : g->stride[g->location];
  const double   factor = g->factor[a];

  u += s->at;
  if ((int)g->location == a) return factor * Load(u, n);
  if (g->location == WEFT_CELL) return (0.5 * factor) * (Load(u, n) + Load(u + along, n));
  return (0.25 * factor) * ((Load(u, n) + Load(u + along, n)) + (Load(u - across, n) + Load(u - across + along, n)));
}

/* First and last node offsets that the points use along an axis. */
WEFT_INLINE void Range(const WeftLookup *g, V base, int *first, int *last)
{
  const Whole whole = __builtin_convertvector(base, Whole);
  const Pairs other = (Pairs)(whole ^ whole[0]);

  *first = *last = whole[0];
  if (other[0] | other[1] | other[2] | other[3]) {
    for (int i = 1; i < LANES; i++) {
      *first = whole[i] < *first ? whole[i] : *first;
      *last  = whole[i] > *last ? whole[i] : *last;
    }
  }
  *last = PetscMin(*last + 1, (int)g->halo);
}

/* Where the points of the strip look along axis a, from their displacements d. Gives the points that are at fault. */
WEFT_INLINE Mask Place(const WeftLookup *g, const Strip *s, const int a, double sign, V d, Places *p)
{
  static const V counts = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
  const V        step = a == 0 ? counts : All(0.0), one = All(1.0), wanted = sign * d;
  const V        low = (g->below[a] - s->place[a]) - step, high = (g->above[a] - s->place[a]) - step;
  const V        top  = (g->ceiling[a] - s->place[a]) - step;
  const double   halo = (double)g->halo;
  const Mask     good = (wanted < halo) & (wanted > -halo); /* not NaN */
  V              q    = (V)((Mask)wanted & good), lower;

  q            = Pick(q < low, low, q);
  q            = Pick(q > high, high, q);
  lower        = __builtin_convertvector(__builtin_convertvector(q, Whole), V); /* towards zero */
  lower        = lower - (V)((lower > q) & (Mask)one);
  lower        = Pick(lower > top, top, lower);
  p->base[a]   = lower;
  p->w[a]      = q - lower;
  p->active[a] = q == wanted;
  Range(g, lower, &p->first[a], &p->last[a]);
  return ~good;
}

WEFT_INLINE Mask PlaceAll(const WeftLookup *g, const Strip *s, const int dim, double sign, const V d[3], Places *p)
{
  Mask fault = Place(g, s, 0, sign, d[0], p);

  p->first[1] = p->last[1] = p->first[2] = p->last[2] = 0;
  if (dim > 1) fault |= Place(g, s, 1, sign, d[1], p);
  if (dim > 2) fault |= Place(g, s, 2, sign, d[2], p);
  return fault;
}

WEFT_INLINE void Means(const WeftLookup *g, const Strip *s, const int dim, const int n, const double *const velocity[3], V d[3])
{
  d[0] = Mean(g, s, n, 0, velocity[0]);
  if (dim > 1) d[1] = Mean(g, s, n, 1, velocity[1]);
  if (dim > 2) d[2] = Mean(g, s, n, 2, velocity[2]);
}

WEFT_INLINE void LoadAll(const Strip *s, const int dim, const int n, const double *const planes[3], V d[3])
{
  d[0] = Load(planes[0] + s->at, n);
  if (dim > 1) d[1] = Load(planes[1] + s->at, n);
  if (dim > 2) d[2] = Load(planes[2] + s->at, n);
}

/* Weight and slope of the nodes at offset k along axis a, and whether they are around the place. */
WEFT_INLINE V Weight(const Places *p, const int a, int k)
{
  const double node = (double)k;
  return (V)(((Mask)(1.0 - p->w[a]) & (p->base[a] == node)) | ((Mask)p->w[a] & (p->base[a] == node - 1.0)));
}

WEFT_INLINE V Slope(const Places *p, const int a, int k)
{
  const double node = (double)k;
  return (V)(((Mask)All(-1.0) & (p->base[a] == node)) | ((Mask)All(1.0) & (p->base[a] == node - 1.0)));
}

WEFT_INLINE Mask Around(const Places *p, const int a, int k)
{
  const double node = (double)k;
  return (p->base[a] == node) | (p->base[a] == node - 1.0);
}

/* f at the places. */
WEFT_INLINE V Interpolate(const WeftLookup *g, const Strip *s, const int dim, const int n, const Places *p, const double *f)
{
  const int taps = p->last[0] - p->first[0] + 1;
  V         x[TAPS], value = All(0.0);

  for (int t = 0; t < taps; t++) x[t] = Weight(p, 0, p->first[0] + t);
  for (int kz = p->first[2]; kz <= p->last[2]; kz++) {
    for (int ky = p->first[1]; ky <= p->last[1]; ky++) {
      const double *nodes = f + s->at + kz * g->stride[2] + ky * g->stride[1] + p->first[0];
      V             row   = All(0.0);
      for (int t = 0; t < taps; t++) row += x[t] * Load(nodes + t, n);
      if (dim > 1) row = Weight(p, 1, ky) * row;
      if (dim > 2) row = Weight(p, 2, kz) * row;
      value += row;
    }
  }
  return value;
}

/* Slopes of f at the places along each axis; 0 where the place is held. */
WEFT_INLINE void Differentiate(const WeftLookup *g, const Strip *s, const int dim, const int n, const Places *p,
                               const double *f, V slope[3])
{
  const int taps = p->last[0] - p->first[0] + 1;
  V         x[TAPS], dx[TAPS];

  for (int t = 0; t < taps; t++) x[t] = Weight(p, 0, p->first[0] + t);
  for (int t = 0; t < taps; t++) dx[t] = Slope(p, 0, p->first[0] + t);
  slope[0] = slope[1] = slope[2] = All(0.0);
  for (int kz = p->first[2]; kz <= p->last[2]; kz++) {
    const V z = dim > 2 ? Weight(p, 2, kz) : All(1.0);
    for (int ky = p->first[1]; ky <= p->last[1]; ky++) {
      const double *nodes = f + s->at + kz * g->stride[2] + ky * g->stride[1] + p->first[0];
      const V       y     = dim > 1 ? Weight(p, 1, ky) : All(1.0);
      V             row = All(0.0), row_x = All(0.0);
      for (int t = 0; t < taps; t++) {
        const V node = Load(nodes + t, n);
        row += x[t] * node;
        row_x += dx[t] * node;
      }
      slope[0] += (z * y) * row_x;
      if (dim > 1) slope[1] += (z * Slope(p, 1, ky)) * row;
      if (dim > 2) slope[2] += (Slope(p, 2, kz) * y) * row;
    }
  }
  for (int a = 0; a < dim; a++) slope[a] = (V)((Mask)slope[a] & p->active[a]);
}

/* Goes through the points [lo, hi) in strips s. */
#define FOR_STRIPS(g, low, high, s)                                                                                            \
  for (PetscInt k_ = (low)[2]; k_ < (high)[2]; k_++)                                                                           \
    for (PetscInt j_ = (low)[1]; j_ < (high)[1]; j_++)                                                                         \
      for (Strip s = {(g)->zero + (low)[0] + j_ * (g)->stride[1] + k_ * (g)->stride[2],                                        \
                      {(low)[0], j_, k_},                                                                                      \
                      PetscMin(LANES, (high)[0] - (low)[0])};                                                                  \
           s.n > 0; s.at += LANES, s.place[0] += LANES, s.n = PetscMin(LANES, (high)[0] - s.place[0]))

/* The strip's function with its dimension, and the length of a whole strip, as constants. */
#define FOR_DIM(function, dim, g, s, ...)                                                                                      \
  do {                                                                                                                         \
    if ((s).n == LANES)                                                                                                        \
      function(g, &(s), dim, LANES, __VA_ARGS__);                                                                              \
    else                                                                                                                       \
      function(g, &(s), dim, (s).n, __VA_ARGS__);                                                                              \
  } while (0)
#define ON_STRIPS(function, g, low, high, ...)                                                                                 \
  do {                                                                                                                         \
    if ((g)->dim == 1)                                                                                                         \
      FOR_STRIPS(g, low, high, s) FOR_DIM(function, 1, g, s, __VA_ARGS__);                                                     \
    else if ((g)->dim == 2)                                                                                                    \
      FOR_STRIPS(g, low, high, s) FOR_DIM(function, 2, g, s, __VA_ARGS__);                                                     \
    else                                                                                                                       \
      FOR_STRIPS(g, low, high, s) FOR_DIM(function, 3, g, s, __VA_ARGS__);                                                     \
  } while (0)

/* ---- values, tangent ---------------------------------------------------------------------------------------------- */

WEFT_INLINE void Values(const WeftLookup *g, const Strip *s, const int dim, const int n, double sign,
                        const double *const velocity[3], const double *f, double *y, Mask *fault)
{
  V      d[3];
  Places p;

  Means(g, s, dim, n, velocity, d);
  *fault |= PlaceAll(g, s, dim, sign, d, &p);
  Store(Interpolate(g, s, dim, n, &p, f), n, y + s->at);
}

WEFT_KERNEL void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                  double *y, PetscInt *fault)
{
  Mask faults = {0};
  ON_STRIPS(Values, g, g->lo, g->hi, (double)sign, velocity, f, y, &faults);
  for (int i = 0; i < LANES; i++) *fault |= faults[i] != 0;
}

WEFT_INLINE void Tangent(const WeftLookup *g, const Strip *s, const int dim, const int n, double sign,
                         const double *const velocity[3], const double *f, const double *const dvelocity[3], const double *df,
                         double *dy)
{
  V      d[3], slope[3], value = All(0.0);
  Places p;

  Means(g, s, dim, n, velocity, d);
  (void)PlaceAll(g, s, dim, sign, d, &p);
  if (df) value = Interpolate(g, s, dim, n, &p, df);
  if (dvelocity[0]) {
    Differentiate(g, s, dim, n, &p, f, slope);
    Means(g, s, dim, n, dvelocity, d);
    for (int a = 0; a < dim; a++) value += sign * slope[a] * d[a];
  }
  Store(value, n, dy + s->at);
}

WEFT_KERNEL void WeftLookupTangent(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                   const double *const dvelocity[3], const double *df, double *dy)
{
  ON_STRIPS(Tangent, g, g->lo, g->hi, (double)sign, velocity, f, dvelocity, df, dy);
}

/* ---- adjoint ------------------------------------------------------------------------------------------------------ */

WEFT_INLINE void Displace(const WeftLookup *g, const Strip *s, const int dim, const int n, const double *const velocity[3],
                          double *const d[3])
{
  V mean[3];
  Means(g, s, dim, n, velocity, mean);
  for (int a = 0; a < dim; a++) Store(mean[a], n, d[a] + s->at);
}

WEFT_KERNEL void WeftLookupDisplace(const WeftLookup *g, const double *const velocity[3], double *const d[3])
{
  ON_STRIPS(Displace, g, g->lo, g->hi, velocity, d);
}

WEFT_INLINE void Slopes(const WeftLookup *g, const Strip *s, const int dim, const int n, double sign,
                        const double *const displacement[3], const double *f, double scale, const double *bar, PetscBool add,
                        double *const d_bar[3])
{
  const V weight = (scale * sign) * Load(bar + s->at, n);
  V       d[3], slope[3];
  Places  p;

  LoadAll(s, dim, n, displacement, d);
  (void)PlaceAll(g, s, dim, sign, d, &p);
  Differentiate(g, s, dim, n, &p, f, slope);
  for (int a = 0; a < dim; a++) Store((add ? Load(d_bar[a] + s->at, n) : All(0.0)) + slope[a] * weight, n, d_bar[a] + s->at);
}

WEFT_KERNEL void WeftLookupSlopes(const WeftLookup *g, PetscInt sign, const double *const d[3], const double *f,
                                  PetscReal scale, const double *bar, PetscBool add, double *const d_bar[3])
{
  ON_STRIPS(Slopes, g, g->lo, g->hi, (double)sign, d, f, scale, bar, add, d_bar);
}

/* Shares of one point to the nodes around its place, those that I hold. */
WEFT_INLINE void ScatterPoint(const WeftLookup *g, const int dim, const int node[3], const double w[3], double bar,
                              double *f_bar)
{
  const int low  = node[0] >= g->node_lo[0] && node[0] < g->node_hi[0],
            high = node[0] + 1 >= g->node_lo[0] && node[0] + 1 < g->node_hi[0];

  for (int cz = 0; cz < (dim > 2 ? 2 : 1); cz++) {
    const int    z        = node[2] + cz;
    const double weight_z = dim > 2 ? (cz ? w[2] : 1.0 - w[2]) * bar : bar;
    if (z < g->node_lo[2] || z >= g->node_hi[2]) continue;
    for (int cy = 0; cy < (dim > 1 ? 2 : 1); cy++) {
      const int    y     = node[1] + cy;
      const double share = dim > 1 ? (cy ? w[1] : 1.0 - w[1]) * weight_z : weight_z;
      double      *to    = f_bar + (g->zero + node[0] + y * g->stride[1] + z * g->stride[2]);
      if (y < g->node_lo[1] || y >= g->node_hi[1]) continue;
      if (low) to[0] += (1.0 - w[0]) * share;
      if (high) to[1] += w[0] * share;
    }
  }
}

WEFT_INLINE void Scatter(const WeftLookup *g, const Strip *s, const int dim, const int n, double sign,
                         const double *const displacement[3], double scale, const double *bar, double *f_bar)
{
  V      d[3];
  Places p;

  LoadAll(s, dim, n, displacement, d);
  (void)PlaceAll(g, s, dim, sign, d, &p);
  for (int i = 0; i < n; i++) {
    int    node[3] = {(int)s->place[0] + i, (int)s->place[1], (int)s->place[2]};
    double w[3]    = {0.0, 0.0, 0.0};
    for (int a = 0; a < dim; a++) {
      node[a] += (int)p.base[a][i];
      w[a] = p.w[a][i];
    }
    ScatterPoint(g, dim, node, w, scale * bar[s->at + i], f_bar);
  }
}

WEFT_KERNEL void WeftLookupScatter(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscReal scale,
                                   const double *bar, double *f_bar)
{
  ON_STRIPS(Scatter, g, g->point_lo, g->point_hi, (double)sign, d, scale, bar, f_bar);
}

WEFT_INLINE void Faces(const WeftLookup *g, const Strip *s, const int dim, const int n, PetscInt axis, const double *d_bar,
                       double *velocity_bar)
{
  const PetscInt along = g->stride[axis], across = g->location == WEFT_CELL ? 0 : g->stride[g->location];
  const double   factor = g->factor[axis];
  const double  *from   = d_bar + s->at;
  V              sum;

  (void)dim;
  if ((PetscInt)g->location == axis)
    sum = factor * Load(from, n);
  else if (g->location == WEFT_CELL)
    sum = (0.5 * factor) * (Load(from, n) + Load(from - along, n));
  else
    sum =
        (0.25 * factor) * ((Load(from, n) + Load(from - along, n)) + (Load(from + across, n) + Load(from + across - along, n)));
  Store(Load(velocity_bar + s->at, n) + sum, n, velocity_bar + s->at);
}

WEFT_KERNEL void WeftLookupFaces(const WeftLookup *g, PetscInt axis, const PetscInt lo[3], const PetscInt hi[3],
                                 const double *d_bar, double *velocity_bar)
{
  ON_STRIPS(Faces, g, lo, hi, axis, d_bar, velocity_bar);
}

/* ---- MacCormack ----------------------------------------------------------------------------------------------------- */

typedef struct {
  V low, high, low_code, high_code;
} Extremes;

/* Least and largest f at the nodes around each place, and which node holds it (the first in global order). */
WEFT_INLINE void FindExtremes(const WeftLookup *g, const Strip *s, const int dim, const int n, const Places *p, const double *f,
                              Extremes *e)
{
  const int halo = (int)g->halo, side = 2 * halo + 1;

  e->low      = All(PETSC_MAX_REAL);
  e->high     = All(-PETSC_MAX_REAL);
  e->low_code = e->high_code = All(0.0);
  for (int kz = p->first[2]; kz <= p->last[2]; kz++) {
    for (int ky = p->first[1]; ky <= p->last[1]; ky++) {
      for (int kx = p->first[0]; kx <= p->last[0]; kx++) {
        const V node   = Load(f + s->at + kz * g->stride[2] + ky * g->stride[1] + kx, n);
        const V code   = All((double)(1 + (kx + halo) + side * ((ky + halo) + side * (kz + halo))));
        Mask    around = Around(p, 0, kx), lower, higher;
        if (dim > 1) around &= Around(p, 1, ky);
        if (dim > 2) around &= Around(p, 2, kz);
        lower        = around & (node < e->low);
        higher       = around & (node > e->high);
        e->low       = Pick(lower, node, e->low);
        e->low_code  = Pick(lower, code, e->low_code);
        e->high      = Pick(higher, node, e->high);
        e->high_code = Pick(higher, code, e->high_code);
      }
    }
  }
}

WEFT_INLINE V Size(V v)
{
  return Pick(v < 0.0, -v, v);
}

WEFT_INLINE void Limit(const WeftLookup *g, const Strip *s, const int dim, const int n, const double *const velocity[3],
                       const double *f, const double *forward, const double *back, double *y, double *code)
{
  const V  own = Load(f + s->at, n), m = Load(forward + s->at, n) + 0.5 * (own - Load(back + s->at, n));
  V        d[3], slack;
  Places   p;
  Extremes e;
  Mask     lower, higher;

  Means(g, s, dim, n, velocity, d);
  (void)PlaceAll(g, s, dim, -1.0, d, &p);
  FindExtremes(g, s, dim, n, &p, f, &e);
  lower  = m < e.low;
  higher = m > e.high;
  Store(Pick(lower, e.low, Pick(higher, e.high, m)), n, y + s->at);
  if (!code) return;
  slack  = ROUND_OFF * (Size(e.low) + Size(e.high) + Size(own));
  lower  = m < e.low - slack;
  higher = m > e.high + slack;
  Store(Pick(lower, e.low_code, Pick(higher, e.high_code, All(0.0))), n, code + s->at);
}

WEFT_KERNEL void WeftLookupLimit(const WeftLookup *g, const double *const velocity[3], const double *f, const double *forward,
                                 const double *back, double *y, double *code)
{
  ON_STRIPS(Limit, g, g->lo, g->hi, velocity, f, forward, back, y, code);
}

/* Offset in the plane from a point to the node of its code. */
WEFT_INLINE PetscInt Node(const WeftLookup *g, double code)
{
  const PetscInt side = 2 * g->halo + 1, c = (PetscInt)code - 1;
  return (c % side - g->halo) + (c / side % side - g->halo) * g->stride[1] + (c / side / side - g->halo) * g->stride[2];
}

WEFT_KERNEL void WeftLookupLimitTangent(const WeftLookup *g, const double *code, const double *df, const double *dforward,
                                        double *dy)
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (PetscInt i = s.at; i < s.at + s.n; i++)
      dy[i] = code[i] == 0.0 ? dforward[i] + 0.5 * (df[i] - dy[i]) : df[i + Node(g, code[i])];
  }
}

WEFT_KERNEL void WeftLookupLimitAdjoint(const WeftLookup *g, const double *code, const double *bar, double *within)
{
  FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (PetscInt i = s.at; i < s.at + s.n; i++) within[i] = code[i] == 0.0 ? bar[i] : 0.0;
  }
}

void WeftLookupLimitScatter(const WeftLookup *g, const double *code, const double *bar, double *f_bar)
{
  const PetscInt side = 2 * g->halo + 1;

  FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (PetscInt i = 0; i < s.n; i++) {
      const PetscInt c       = (PetscInt)code[s.at + i] - 1;
      const PetscInt node[3] = {s.place[0] + i + c % side - g->halo, s.place[1] + c / side % side - g->halo,
                                s.place[2] + c / side / side - g->halo};
      PetscBool      mine    = c >= 0 ? PETSC_TRUE : PETSC_FALSE;
      for (PetscInt a = 0; a < 3; a++)
        if (node[a] < g->node_lo[a] || node[a] >= g->node_hi[a]) mine = PETSC_FALSE;
      if (mine) f_bar[g->zero + node[0] + node[1] * g->stride[1] + node[2] * g->stride[2]] += bar[s.at + i];
    }
  }
}

/* ---- tests at kinks --------------------------------------------------------------------------------------------------- */

void WeftLookupBranches(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscInt branches[])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    V      here[3] = {{0.0}};
    Places p;
    LoadAll(&s, (int)g->dim, (int)s.n, d, here);
    (void)PlaceAll(g, &s, (int)g->dim, (double)sign, here, &p);
    for (PetscInt i = 0; i < s.n; i++, branches++) {
      *branches = 0;
      for (PetscInt a = 0; a < g->dim; a++)
        *branches = 512 * *branches + 2 * ((PetscInt)p.base[a][i] + 128) + (p.active[a][i] != 0);
    }
  }
}

void WeftLookupLimitBranches(const WeftLookup *g, const double *code, PetscInt branches[])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (PetscInt i = 0; i < s.n; i++) *branches++ = (PetscInt)code[s.at + i];
  }
}
