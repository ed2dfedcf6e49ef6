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
  }
}

/* ---- a strip of points ------------------------------------------------------------------------------------------ */

typedef struct {
  PetscInt at, place[3], n; /* in the plane, global indices of the first point, points */
} Strip;
typedef struct {
  double   base[3][LANES], w[3][LANES], active[3][LANES]; /* active: 0 where a side or a fault holds the place */
  PetscInt first[3], last[3];                             /* nodes used, as offsets from the points */
} Places;

/* All arithmetic runs over whole strips; only memory is read and written by the length n of the strip, which is a constant
   where the strip is whole. */
WEFT_INLINE void Load(const double *restrict from, const int n, double *restrict to)
{
  for (int i = 0; i < n; i++) to[i] = from[i];
  for (int i = n; i < LANES; i++) to[i] = 0.0;
}

WEFT_INLINE void Store(const double *restrict from, const int n, double *restrict to)
{
  for (int i = 0; i < n; i++) to[i] = from[i];
}

/* Mean of the velocity of axis a at the points of the strip, times factor. */
WEFT_INLINE void Mean(const WeftLookup *g, const Strip *s, const int n, PetscInt a, const double *restrict u,
                      double *restrict d)
{
  const PetscInt along  = g->stride[a];
  const double   factor = g->factor[a], half = 0.5 * factor, quarter = 0.25 * factor;
  double         u0[LANES], u1[LANES], u2[LANES], u3[LANES];

  Load(u + s->at, n, u0);
  if ((PetscInt)g->location == a) {
    for (int i = 0; i < LANES; i++) d[i] = factor * u0[i];
    return;
  }
  Load(u + s->at + along, n, u1);
  if (g->location == WEFT_CELL) {
    for (int i = 0; i < LANES; i++) d[i] = half * (u0[i] + u1[i]);
  } else {
    const PetscInt across = g->stride[g->location];
    Load(u + s->at - across, n, u2);
    Load(u + s->at - across + along, n, u3);
    for (int i = 0; i < LANES; i++) d[i] = quarter * ((u0[i] + u1[i]) + (u2[i] + u3[i]));
  }
}

/* Where the points of the strip look along axis a, from their displacements. */
WEFT_INLINE int Place(const WeftLookup *g, const Strip *s, PetscInt a, double sign, const double *restrict d,
                      Places *restrict p)
{
  const double limit = (double)g->halo, step = a == 0 ? 1.0 : 0.0;
  const double below = g->below[a] - s->place[a], above = g->above[a] - s->place[a];
  const double top = ceil(g->above[a]) - 1.0 - s->place[a]; /* the last cell; a place held at its upper end stays in it */
  int          base[LANES], first, last, fault = 0;

  for (int i = 0; i < LANES; i++) {
    const double wanted = sign * d[i], low = below - step * i, high = above - step * i;
    const int    bad = !(fabs(wanted) < limit); /* NaN as well */
    double       q   = bad ? 0.0 : wanted, lower;
    q                = q < low ? low : q;
    q                = q > high ? high : q;
    lower            = floor(q);
    lower            = lower > top - step * i ? top - step * i : lower;
    p->base[a][i]    = lower;
    p->w[a][i]       = q - lower;
    p->active[a][i]  = q == wanted ? 1.0 : 0.0;
    base[i]          = (int)lower;
    fault |= bad;
  }
  first = last = base[0];
  for (int i = 0; i < LANES; i++) {
    first = base[i] < first ? base[i] : first;
    last  = base[i] > last ? base[i] : last;
  }
  p->first[a] = first;
  p->last[a]  = PetscMin(last + 1, g->halo);
  return fault;
}

WEFT_INLINE int PlaceAll(const WeftLookup *g, const Strip *s, double sign, double d[3][LANES], Places *p)
{
  int fault = 0;
  for (PetscInt a = 0; a < 3; a++) {
    p->first[a] = p->last[a] = 0;
    if (a < g->dim) fault |= Place(g, s, a, sign, d[a], p);
  }
  return fault;
}

/* The same from planes of displacements. */
WEFT_INLINE void PlacePlanes(const WeftLookup *g, const Strip *s, const int n, double sign, const double *const planes[3],
                             Places *p)
{
  double d[3][LANES];
  for (PetscInt a = 0; a < g->dim; a++) Load(planes[a] + s->at, n, d[a]);
  (void)PlaceAll(g, s, sign, d, p);
}

/* Weight and slope of the nodes at offset k along axis a. Along axes that are not there: 1. */
WEFT_INLINE void Weight(const WeftLookup *g, const Places *restrict p, PetscInt a, PetscInt k, double *restrict weight)
{
  const double node = (double)k;
  if (a >= g->dim) {
    for (int i = 0; i < LANES; i++) weight[i] = 1.0;
    return;
  }
  for (int i = 0; i < LANES; i++)
    weight[i] = p->base[a][i] == node ? 1.0 - p->w[a][i] : p->base[a][i] == node - 1.0 ? p->w[a][i] : 0.0;
}

WEFT_INLINE void Slope(const WeftLookup *g, const Places *restrict p, PetscInt a, PetscInt k, double *restrict slope)
{
  const double node = (double)k;
  if (a >= g->dim) {
    for (int i = 0; i < LANES; i++) slope[i] = 1.0;
    return;
  }
  for (int i = 0; i < LANES; i++) slope[i] = p->base[a][i] == node ? -1.0 : p->base[a][i] == node - 1.0 ? 1.0 : 0.0;
}

/* value[i] of f at the places. */
WEFT_INLINE void Interpolate(const WeftLookup *g, const Strip *s, const int n, const Places *restrict p,
                             const double *restrict f, double *restrict value)
{
  const PetscInt taps = p->last[0] - p->first[0] + 1;
  double         x[TAPS][LANES], y[LANES], z[LANES], row[LANES], node[LANES];

  for (PetscInt t = 0; t < taps; t++) Weight(g, p, 0, p->first[0] + t, x[t]);
  for (int i = 0; i < LANES; i++) value[i] = 0.0;
  for (PetscInt kz = p->first[2]; kz <= p->last[2]; kz++) {
    Weight(g, p, 2, kz, z);
    for (PetscInt ky = p->first[1]; ky <= p->last[1]; ky++) {
      const double *restrict nodes = f + s->at + kz * g->stride[2] + ky * g->stride[1] + p->first[0];
      Weight(g, p, 1, ky, y);
      for (int i = 0; i < LANES; i++) row[i] = 0.0;
      for (PetscInt t = 0; t < taps; t++) {
        Load(nodes + t, n, node);
        for (int i = 0; i < LANES; i++) row[i] += x[t][i] * node[i];
      }
      for (int i = 0; i < LANES; i++) value[i] += (z[i] * y[i]) * row[i];
    }
  }
}

/* slope[axis][i] of f at the places. */
WEFT_INLINE void Differentiate(const WeftLookup *g, const Strip *s, const int n, const Places *restrict p,
                               const double *restrict f, double slope[restrict 3][LANES])
{
  const PetscInt taps = p->last[0] - p->first[0] + 1;
  double x[TAPS][LANES], dx[TAPS][LANES], y[LANES], z[LANES], dy[LANES], dz[LANES], row[LANES], row_x[LANES], node[LANES];

  for (PetscInt t = 0; t < taps; t++) Weight(g, p, 0, p->first[0] + t, x[t]);
  for (PetscInt t = 0; t < taps; t++) Slope(g, p, 0, p->first[0] + t, dx[t]);
  for (int i = 0; i < LANES; i++) slope[0][i] = slope[1][i] = slope[2][i] = 0.0;
  for (PetscInt kz = p->first[2]; kz <= p->last[2]; kz++) {
    Weight(g, p, 2, kz, z);
    Slope(g, p, 2, kz, dz);
    for (PetscInt ky = p->first[1]; ky <= p->last[1]; ky++) {
      const double *restrict nodes = f + s->at + kz * g->stride[2] + ky * g->stride[1] + p->first[0];
      Weight(g, p, 1, ky, y);
      Slope(g, p, 1, ky, dy);
      for (int i = 0; i < LANES; i++) row[i] = row_x[i] = 0.0;
      for (PetscInt t = 0; t < taps; t++) {
        Load(nodes + t, n, node);
        for (int i = 0; i < LANES; i++) row[i] += x[t][i] * node[i];
        for (int i = 0; i < LANES; i++) row_x[i] += dx[t][i] * node[i];
      }
      for (int i = 0; i < LANES; i++) slope[0][i] += (z[i] * y[i]) * row_x[i];
      for (int i = 0; i < LANES; i++) slope[1][i] += (z[i] * dy[i]) * row[i];
      for (int i = 0; i < LANES; i++) slope[2][i] += (dz[i] * y[i]) * row[i];
    }
  }
}

/* Goes through the points [lo, hi) in strips s. */
#define FOR_STRIPS(g, low, high, s)                                                                                            \
  for (PetscInt k_ = (low)[2]; k_ < (high)[2]; k_++)                                                                           \
    for (PetscInt j_ = (low)[1]; j_ < (high)[1]; j_++)                                                                         \
      for (Strip s = {(g)->zero + (low)[0] + j_ * (g)->stride[1] + k_ * (g)->stride[2],                                        \
                      {(low)[0], j_, k_},                                                                                      \
                      PetscMin(LANES, (high)[0] - (low)[0])};                                                                  \
           s.n > 0; s.at += LANES, s.place[0] += LANES, s.n = PetscMin(LANES, (high)[0] - s.place[0]))

/* ---- values, tangent ---------------------------------------------------------------------------------------------- */

WEFT_INLINE int StripValues(const WeftLookup *g, const Strip *s, const int n, double sign, const double *const velocity[3],
                            const double *f, double *y)
{
  double d[3][LANES], value[LANES];
  Places p;
  int    fault;

  for (PetscInt a = 0; a < g->dim; a++) Mean(g, s, n, a, velocity[a], d[a]);
  fault = PlaceAll(g, s, sign, d, &p);
  Interpolate(g, s, n, &p, f, value);
  Store(value, n, y + s->at);
  return fault;
}

WEFT_KERNEL void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                  double *y, PetscInt *fault)
{
  int faults = 0;
  FOR_STRIPS(g, g->lo, g->hi, s)
  faults |= s.n == LANES ? StripValues(g, &s, LANES, sign, velocity, f, y) : StripValues(g, &s, s.n, sign, velocity, f, y);
  *fault |= faults;
}

WEFT_INLINE void StripTangent(const WeftLookup *g, const Strip *s, const int n, double sign, const double *const velocity[3],
                              const double *f, const double *const dvelocity[3], const double *df, double *dy)
{
  double d[3][LANES], value[LANES], slope[3][LANES];
  Places p;

  for (PetscInt a = 0; a < g->dim; a++) Mean(g, s, n, a, velocity[a], d[a]);
  (void)PlaceAll(g, s, sign, d, &p);
  for (int i = 0; i < LANES; i++) value[i] = 0.0;
  if (df) Interpolate(g, s, n, &p, df, value);
  if (dvelocity[0]) {
    Differentiate(g, s, n, &p, f, slope);
    for (PetscInt a = 0; a < g->dim; a++) {
      Mean(g, s, n, a, dvelocity[a], d[a]);
      for (int i = 0; i < LANES; i++) value[i] += sign * (slope[a][i] * p.active[a][i]) * d[a][i];
    }
  }
  Store(value, n, dy + s->at);
}

WEFT_KERNEL void WeftLookupTangent(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                   const double *const dvelocity[3], const double *df, double *dy)
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    if (s.n == LANES)
      StripTangent(g, &s, LANES, sign, velocity, f, dvelocity, df, dy);
    else
      StripTangent(g, &s, s.n, sign, velocity, f, dvelocity, df, dy);
  }
}

/* ---- adjoint ------------------------------------------------------------------------------------------------------ */

WEFT_KERNEL void WeftLookupDisplace(const WeftLookup *g, const double *const velocity[3], double *const d[3])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (PetscInt a = 0; a < g->dim; a++) {
      double mean[LANES];
      Mean(g, &s, s.n, a, velocity[a], mean);
      Store(mean, s.n, d[a] + s.at);
    }
  }
}

WEFT_INLINE void StripSlopes(const WeftLookup *g, const Strip *s, const int n, double sign, const double *const d[3],
                             const double *f, double scale, const double *bar, PetscBool add, double *const d_bar[3])
{
  double weight[LANES], slope[3][LANES], sum[LANES];
  Places p;

  PlacePlanes(g, s, n, sign, d, &p);
  Differentiate(g, s, n, &p, f, slope);
  Load(bar + s->at, n, weight);
  for (PetscInt a = 0; a < g->dim; a++) {
    for (int i = 0; i < LANES; i++) sum[i] = 0.0;
    if (add) Load(d_bar[a] + s->at, n, sum);
    for (int i = 0; i < LANES; i++) sum[i] += (scale * sign) * (slope[a][i] * p.active[a][i]) * weight[i];
    Store(sum, n, d_bar[a] + s->at);
  }
}

WEFT_KERNEL void WeftLookupSlopes(const WeftLookup *g, PetscInt sign, const double *const d[3], const double *f,
                                  PetscReal scale, const double *bar, PetscBool add, double *const d_bar[3])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    if (s.n == LANES)
      StripSlopes(g, &s, LANES, sign, d, f, scale, bar, add, d_bar);
    else
      StripSlopes(g, &s, s.n, sign, d, f, scale, bar, add, d_bar);
  }
}

/* One point's share of the nodes around its place. Only those that I hold take it. */
WEFT_INLINE void ScatterPoint(const WeftLookup *g, const PetscInt node[3], const double w[3], double bar, double *f_bar)
{
  const PetscInt last_y = g->dim > 1 ? 1 : 0, last_z = g->dim > 2 ? 1 : 0;

  for (PetscInt cz = 0; cz <= last_z; cz++) {
    const PetscInt z        = node[2] + cz;
    const double   weight_z = cz ? w[2] : 1.0 - w[2];
    if (z < g->node_lo[2] || z >= g->node_hi[2]) continue;
    for (PetscInt cy = 0; cy <= last_y; cy++) {
      const PetscInt y = node[1] + cy, at = g->zero + node[0] + y * g->stride[1] + z * g->stride[2];
      const double   share = weight_z * (cy ? w[1] : 1.0 - w[1]) * bar;
      if (y < g->node_lo[1] || y >= g->node_hi[1]) continue;
      if (node[0] >= g->node_lo[0] && node[0] < g->node_hi[0]) f_bar[at] += (1.0 - w[0]) * share;
      if (node[0] + 1 >= g->node_lo[0] && node[0] + 1 < g->node_hi[0]) f_bar[at + 1] += w[0] * share;
    }
  }
}

WEFT_KERNEL void WeftLookupScatter(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscReal scale,
                                   const double *bar, double *f_bar)
{
  FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    Places p;
    PlacePlanes(g, &s, s.n, (double)sign, d, &p);
    for (PetscInt i = 0; i < s.n; i++) {
      PetscInt node[3] = {s.place[0] + i, s.place[1], s.place[2]};
      double   w[3]    = {0.0, 0.0, 0.0};
      for (PetscInt a = 0; a < g->dim; a++) {
        node[a] += (PetscInt)p.base[a][i];
        w[a] = p.w[a][i];
      }
      ScatterPoint(g, node, w, scale * bar[s.at + i], f_bar);
    }
  }
}

WEFT_KERNEL void WeftLookupFaces(const WeftLookup *g, PetscInt axis, const PetscInt lo[3], const PetscInt hi[3],
                                 const double *d_bar, double *velocity_bar)
{
  const PetscInt along = g->stride[axis], across = g->location == WEFT_CELL ? 0 : g->stride[g->location];
  const double   factor = g->factor[axis], half = 0.5 * factor, quarter = 0.25 * factor;

  FOR_STRIPS(g, lo, hi, s)
  {
    const double *restrict from = d_bar + s.at;
    double *restrict to         = velocity_bar + s.at;
    if ((PetscInt)g->location == axis)
      for (PetscInt i = 0; i < s.n; i++) to[i] += factor * from[i];
    else if (g->location == WEFT_CELL)
      for (PetscInt i = 0; i < s.n; i++) to[i] += half * (from[i] + from[i - along]);
    else
      for (PetscInt i = 0; i < s.n; i++)
        to[i] += quarter * ((from[i] + from[i - along]) + (from[i + across] + from[i + across - along]));
  }
}

/* ---- MacCormack ----------------------------------------------------------------------------------------------------- */

typedef struct {
  double low[LANES], high[LANES], low_code[LANES], high_code[LANES];
} Extremes;

/* Least and largest f at the nodes around each place, and which node holds it (the first in global order). */
WEFT_INLINE void FindExtremes(const WeftLookup *g, const Strip *s, const int n, const Places *restrict p,
                              const double *restrict f, Extremes *restrict e)
{
  const PetscInt side = 2 * g->halo + 1;
  double         x[LANES], y[LANES], z[LANES], node[LANES];

  for (int i = 0; i < LANES; i++) {
    e->low[i]      = PETSC_MAX_REAL;
    e->high[i]     = -PETSC_MAX_REAL;
    e->low_code[i] = e->high_code[i] = 0.0;
  }
  for (PetscInt kz = p->first[2]; kz <= p->last[2]; kz++) {
    Slope(g, p, 2, kz, z);
    for (PetscInt ky = p->first[1]; ky <= p->last[1]; ky++) {
      Slope(g, p, 1, ky, y);
      for (PetscInt kx = p->first[0]; kx <= p->last[0]; kx++) {
        const double code = (double)(1 + (kx + g->halo) + side * ((ky + g->halo) + side * (kz + g->halo)));
        Load(f + s->at + kz * g->stride[2] + ky * g->stride[1] + kx, n, node);
        Slope(g, p, 0, kx, x);
        for (int i = 0; i < LANES; i++) {
          const double around = x[i] * y[i] * z[i]; /* not 0: the node is one of those around the place */
          const int    lower = around != 0.0 && node[i] < e->low[i], higher = around != 0.0 && node[i] > e->high[i];
          e->low[i]       = lower ? node[i] : e->low[i];
          e->low_code[i]  = lower ? code : e->low_code[i];
          e->high[i]      = higher ? node[i] : e->high[i];
          e->high_code[i] = higher ? code : e->high_code[i];
        }
      }
    }
  }
}

WEFT_INLINE void StripLimit(const WeftLookup *g, const Strip *s, const int n, const double *const velocity[3], const double *f,
                            const double *forward, const double *back, double *y, double *code)
{
  double   d[3][LANES], own[LANES], there[LANES], again[LANES], value[LANES], branch[LANES];
  Places   p;
  Extremes e;

  for (PetscInt a = 0; a < g->dim; a++) Mean(g, s, n, a, velocity[a], d[a]);
  (void)PlaceAll(g, s, -1.0, d, &p);
  FindExtremes(g, s, n, &p, f, &e);
  Load(f + s->at, n, own);
  Load(forward + s->at, n, there);
  Load(back + s->at, n, again);
  for (int i = 0; i < LANES; i++) {
    const double m                                   = there[i] + 0.5 * (own[i] - again[i]);
    const double slack                               = ROUND_OFF * (fabs(e.low[i]) + fabs(e.high[i]) + fabs(own[i]));
    const int lower                                  = m<e.low[i], higher = m> e.high[i];
    const int                                 within = m >= e.low[i] - slack && m <= e.high[i] + slack;
    value[i]                                         = lower ? e.low[i] : higher ? e.high[i] : m;
    branch[i]                                        = within ? 0.0 : lower ? e.low_code[i] : higher ? e.high_code[i] : 0.0;
  }
  Store(value, n, y + s->at);
  if (code) Store(branch, n, code + s->at);
}

WEFT_KERNEL void WeftLookupLimit(const WeftLookup *g, const double *const velocity[3], const double *f, const double *forward,
                                 const double *back, double *y, double *code)
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    if (s.n == LANES)
      StripLimit(g, &s, LANES, velocity, f, forward, back, y, code);
    else
      StripLimit(g, &s, s.n, velocity, f, forward, back, y, code);
  }
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
    Places p;
    PlacePlanes(g, &s, s.n, (double)sign, d, &p);
    for (PetscInt i = 0; i < s.n; i++, branches++) {
      *branches = 0;
      for (PetscInt a = 0; a < g->dim; a++)
        *branches = 512 * *branches + 2 * ((PetscInt)p.base[a][i] + 128) + (p.active[a][i] > 0.0);
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
