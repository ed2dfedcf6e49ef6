/* Lookups at displaced places. Points are taken in strips of a row: the places of a strip come first, then the nodes around them,
   in loops that vectorise (the nodes by gathers). */
#include <math.h>
#include "base/kernel.h"
#include "op/lookup.h"

#define STRIP 64
#define ROUND_OFF 4e-15 /* what m may miss by where all its values are equal: no reason to hold it */

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

typedef struct {
  int at, place[3], n; /* in the plane, global indices of the first point, points */
} Strip;
typedef struct {
  double w[3][STRIP], active[3][STRIP]; /* active: 0 where a side or a fault holds the place */
  int    node[STRIP];                   /* lowest node around the place, as an offset from the strip's first point */
  int    code[STRIP];                   /* its name, see NodeOf */
} Places;

/* A node around a point is named by its offset k from the point along each axis: 1 + (k_x + halo) + side ((k_y + halo) + side
   (k_z + halo)), side = 2 halo + 1; the same on every rank. */
WEFT_INLINE int Side(const WeftLookup *g)
{
  return 2 * (int)g->halo + 1;
}

WEFT_INLINE void NodeOf(const WeftLookup *g, double code, int k[3])
{
  const int side = Side(g), halo = (int)g->halo, c = (int)code - 1;
  k[0] = c % side - halo;
  k[1] = c / side % side - halo;
  k[2] = c / side / side - halo;
}

/* Mean of the velocity of axis a at the points of the strip, times factor. */
WEFT_INLINE void Mean(const WeftLookup *g, const Strip *s, const int a, const double *restrict u, double *restrict d)
{
  const int    along = (int)g->stride[a], n = s->n;
  const double factor = g->factor[a], half = 0.5 * factor, quarter = 0.25 * factor;

  u += s->at;
  if ((int)g->location == a) {
    for (int i = 0; i < n; i++) d[i] = factor * u[i];
  } else if (g->location == WEFT_CELL) {
    for (int i = 0; i < n; i++) d[i] = half * (u[i] + u[i + along]);
  } else {
    const int across = (int)g->stride[g->location];
    for (int i = 0; i < n; i++) d[i] = quarter * ((u[i] + u[i + along]) + (u[i - across] + u[i - across + along]));
  }
}

/* Where the points of the strip look along axis a, from their displacements. */
WEFT_INLINE int Place(const WeftLookup *g, const Strip *s, const int a, double sign, const double *restrict d,
                      Places *restrict p)
{
  const int n = s->n, stride = (int)g->stride[a], halo = (int)g->halo, side = Side(g),
            step_code = a == 0   ? 1
                        : a == 1 ? side
                                 : side * side;
  const double limit = (double)halo, step = a == 0 ? 1.0 : 0.0;
  const double below = g->below[a] - s->place[a], above = g->above[a] - s->place[a], ceiling = g->ceiling[a] - s->place[a];
  int          fault = 0;

  for (int i = 0; i < n; i++) {
    const double wanted = sign * d[i], low = below - step * i, high = above - step * i, top = ceiling - step * i;
    const int    bad = !(fabs(wanted) < limit); /* NaN as well */
    double       q   = bad ? 0.0 : wanted, base;
    q                = q < low ? low : q;
    q                = q > high ? high : q;
    base             = floor(q);
    base             = base > top ? top : base;
    p->w[a][i]       = q - base;
    p->active[a][i]  = q == wanted ? 1.0 : 0.0;
    p->node[i] += stride * (int)base;
    p->code[i] += step_code * ((int)base + halo);
    fault |= bad;
  }
  return fault;
}

WEFT_INLINE int PlaceAll(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const d[3], Places *p)
{
  const int missing = (int)g->halo * Side(g) * ((dim < 2) + (dim < 3) * Side(g)); /* offset 0 along axes that are not there */
  int       fault   = 0;

  for (int i = 0; i < s->n; i++) p->node[i] = i;
  for (int i = 0; i < s->n; i++) p->code[i] = 1 + missing;
  fault |= Place(g, s, 0, sign, d[0], p);
  if (dim > 1) fault |= Place(g, s, 1, sign, d[1], p);
  if (dim > 2) fault |= Place(g, s, 2, sign, d[2], p);
  return fault;
}

/* From the velocity, and from planes of displacements. */
WEFT_INLINE int PlaceBy(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const velocity[3],
                        Places *p)
{
  double              d[3][STRIP];
  const double *const rows[3] = {d[0], d[1], d[2]};
  for (int a = 0; a < dim; a++) Mean(g, s, a, velocity[a], d[a]);
  return PlaceAll(g, s, dim, sign, rows, p);
}

WEFT_INLINE void PlaceFrom(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const planes[3],
                           Places *p)
{
  const double *const rows[3] = {planes[0] + s->at, dim > 1 ? planes[1] + s->at : NULL, dim > 2 ? planes[2] + s->at : NULL};
  (void)PlaceAll(g, s, dim, sign, rows, p);
}

/* f between nodes o, o + 1 (and the rows and layers above), and its differences along x, y, z. */
WEFT_INLINE double Line(const double *f, int o, double x)
{
  return (1.0 - x) * f[o] + x * f[o + 1];
}
WEFT_INLINE double Square(const double *f, int o, int sy, double x, double y)
{
  return (1.0 - y) * Line(f, o, x) + y * Line(f, o + sy, x);
}
WEFT_INLINE double LineX(const double *f, int o)
{
  return f[o + 1] - f[o];
}
WEFT_INLINE double SquareX(const double *f, int o, int sy, double y)
{
  return (1.0 - y) * LineX(f, o) + y * LineX(f, o + sy);
}
WEFT_INLINE double SquareY(const double *f, int o, int sy, double x)
{
  return Line(f, o + sy, x) - Line(f, o, x);
}

/* value[i] of f at the places. */
WEFT_INLINE void Interpolate(const WeftLookup *g, const Strip *s, const int dim, const Places *restrict p,
                             const double *restrict f, double *restrict value)
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict z = p->w[2];
  const int *restrict o = p->node;
  const int sy = (int)g->stride[1], sz = (int)g->stride[2], n = s->n;

  f += s->at;
  if (dim == 1)
    for (int i = 0; i < n; i++) value[i] = Line(f, o[i], x[i]);
  else if (dim == 2)
    for (int i = 0; i < n; i++) value[i] = Square(f, o[i], sy, x[i], y[i]);
  else
    for (int i = 0; i < n; i++)
      value[i] = (1.0 - z[i]) * Square(f, o[i], sy, x[i], y[i]) + z[i] * Square(f, o[i] + sz, sy, x[i], y[i]);
}

/* slope[axis][i] of f at the places, 0 along axes where they are held. */
WEFT_INLINE void Differentiate(const WeftLookup *g, const Strip *s, const int dim, const Places *restrict p,
                               const double *restrict f, double slope[restrict 3][STRIP])
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict z = p->w[2];
  const int *restrict o = p->node;
  const int sy = (int)g->stride[1], sz = (int)g->stride[2], n = s->n;

  f += s->at;
  for (int i = 0; i < n; i++) {
    if (dim == 1) {
      slope[0][i] = LineX(f, o[i]);
    } else if (dim == 2) {
      slope[0][i] = SquareX(f, o[i], sy, y[i]);
      slope[1][i] = SquareY(f, o[i], sy, x[i]);
    } else {
      slope[0][i] = (1.0 - z[i]) * SquareX(f, o[i], sy, y[i]) + z[i] * SquareX(f, o[i] + sz, sy, y[i]);
      slope[1][i] = (1.0 - z[i]) * SquareY(f, o[i], sy, x[i]) + z[i] * SquareY(f, o[i] + sz, sy, x[i]);
      slope[2][i] = Square(f, o[i] + sz, sy, x[i], y[i]) - Square(f, o[i], sy, x[i], y[i]);
    }
  }
  for (int a = 0; a < dim; a++)
    for (int i = 0; i < n; i++) slope[a][i] *= p->active[a][i];
}

/* Goes through the points [lo, hi) in strips s. */
#define FOR_STRIPS(g, low, high, s)                                                                                            \
  for (int k_ = (int)(low)[2]; k_ < (high)[2]; k_++)                                                                           \
    for (int j_ = (int)(low)[1]; j_ < (high)[1]; j_++)                                                                         \
      for (Strip s = {(int)((g)->zero + (low)[0] + j_ * (g)->stride[1] + k_ * (g)->stride[2]),                                 \
                      {(int)(low)[0], j_, k_},                                                                                 \
                      (int)PetscMin(STRIP, (high)[0] - (low)[0])};                                                             \
           s.n > 0; s.at += STRIP, s.place[0] += STRIP, s.n = (int)PetscMin(STRIP, (high)[0] - s.place[0]))

/* The same, calling a function of the strip with the dimension as a constant. */
#define ON_STRIPS(function, g, low, high, ...)                                                                                 \
  do {                                                                                                                         \
    if ((g)->dim == 1)                                                                                                         \
      FOR_STRIPS(g, low, high, s) function(g, &s, 1, __VA_ARGS__);                                                             \
    else if ((g)->dim == 2)                                                                                                    \
      FOR_STRIPS(g, low, high, s) function(g, &s, 2, __VA_ARGS__);                                                             \
    else                                                                                                                       \
      FOR_STRIPS(g, low, high, s) function(g, &s, 3, __VA_ARGS__);                                                             \
  } while (0)

/* ---- values, tangent ---------------------------------------------------------------------------------------------- */

WEFT_INLINE void Values(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const velocity[3],
                        const double *f, double *y, int *fault)
{
  Places p;
  *fault |= PlaceBy(g, s, dim, sign, velocity, &p);
  Interpolate(g, s, dim, &p, f, y + s->at);
}

WEFT_KERNEL void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                  double *y, PetscInt *fault)
{
  int faults = 0;
  ON_STRIPS(Values, g, g->lo, g->hi, (double)sign, velocity, f, y, &faults);
  *fault |= faults;
}

WEFT_INLINE void Tangent(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const velocity[3],
                         const double *f, const double *const dvelocity[3], const double *df, double *dy)
{
  double slope[3][STRIP], d[STRIP];
  double *restrict to = dy + s->at;
  Places p;

  (void)PlaceBy(g, s, dim, sign, velocity, &p);
  if (df)
    Interpolate(g, s, dim, &p, df, to);
  else
    for (int i = 0; i < s->n; i++) to[i] = 0.0;
  if (!dvelocity[0]) return;
  Differentiate(g, s, dim, &p, f, slope);
  for (int a = 0; a < dim; a++) {
    Mean(g, s, a, dvelocity[a], d);
    for (int i = 0; i < s->n; i++) to[i] += sign * slope[a][i] * d[i];
  }
}

WEFT_KERNEL void WeftLookupTangent(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                                   const double *const dvelocity[3], const double *df, double *dy)
{
  ON_STRIPS(Tangent, g, g->lo, g->hi, (double)sign, velocity, f, dvelocity, df, dy);
}

/* ---- adjoint ------------------------------------------------------------------------------------------------------ */

WEFT_KERNEL void WeftLookupDisplace(const WeftLookup *g, const double *const velocity[3], double *const d[3])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (int a = 0; a < (int)g->dim; a++) Mean(g, &s, a, velocity[a], d[a] + s.at);
  }
}

WEFT_INLINE void Slopes(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const d[3],
                        const double *f, double scale, const double *bar, PetscBool add, double *const d_bar[3])
{
  const double *restrict weight = bar + s->at;
  double slope[3][STRIP];
  Places p;

  PlaceFrom(g, s, dim, sign, d, &p);
  Differentiate(g, s, dim, &p, f, slope);
  for (int a = 0; a < dim; a++) {
    double *restrict to = d_bar[a] + s->at;
    for (int i = 0; i < s->n; i++) slope[a][i] *= (scale * sign) * weight[i];
    if (add)
      for (int i = 0; i < s->n; i++) to[i] += slope[a][i];
    else
      for (int i = 0; i < s->n; i++) to[i] = slope[a][i];
  }
}

WEFT_KERNEL void WeftLookupSlopes(const WeftLookup *g, PetscInt sign, const double *const d[3], const double *f,
                                  PetscReal scale, const double *bar, PetscBool add, double *const d_bar[3])
{
  ON_STRIPS(Slopes, g, g->lo, g->hi, (double)sign, d, f, scale, bar, add, d_bar);
}

/* Do all nodes around the points of the strip belong to me? Then no share is checked. */
WEFT_INLINE int Inside(const WeftLookup *g, const Strip *s, const int dim)
{
  const int reach = (int)g->halo;
  int       in    = s->place[0] - reach >= g->node_lo[0] && s->place[0] + s->n + reach <= g->node_hi[0];
  for (int a = 1; a < dim; a++) in = in && s->place[a] - reach >= g->node_lo[a] && s->place[a] + 1 + reach <= g->node_hi[a];
  return in;
}

/* Shares of one line of two nodes, x the global index of the first. */
WEFT_INLINE void Give(const WeftLookup *g, const int check, int x, double *to, double w, double share)
{
  if (!check || (x >= g->node_lo[0] && x < g->node_hi[0])) to[0] += (1.0 - w) * share;
  if (!check || (x + 1 >= g->node_lo[0] && x + 1 < g->node_hi[0])) to[1] += w * share;
}

WEFT_INLINE void ScatterStrip(const WeftLookup *g, const Strip *s, const int dim, const int check, const Places *p,
                              const double *restrict bar, double *restrict f_bar)
{
  const int sy = (int)g->stride[1], sz = (int)g->stride[2];

  for (int i = 0; i < s->n; i++) {
    int k[3] = {0, 0, 0};
    if (check) NodeOf(g, p->code[i], k);
    for (int z = 0; z < (dim > 2 ? 2 : 1); z++) {
      const double above = dim > 2 ? (z ? p->w[2][i] : 1.0 - p->w[2][i]) * bar[i] : bar[i];
      const int    kz    = s->place[2] + k[2] + z;
      if (check && (kz < g->node_lo[2] || kz >= g->node_hi[2])) continue;
      for (int y = 0; y < (dim > 1 ? 2 : 1); y++) {
        const double share = dim > 1 ? (y ? p->w[1][i] : 1.0 - p->w[1][i]) * above : above;
        const int    ky    = s->place[1] + k[1] + y;
        if (check && (ky < g->node_lo[1] || ky >= g->node_hi[1])) continue;
        Give(g, check, s->place[0] + i + k[0], f_bar + s->at + p->node[i] + y * sy + z * sz, p->w[0][i], share);
      }
    }
  }
}

WEFT_INLINE void Scatter(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const d[3],
                         double scale, const double *bar, double *f_bar)
{
  double scaled[STRIP];
  Places p;

  PlaceFrom(g, s, dim, sign, d, &p);
  for (int i = 0; i < s->n; i++) scaled[i] = scale * bar[s->at + i];
  if (Inside(g, s, dim))
    ScatterStrip(g, s, dim, 0, &p, scaled, f_bar);
  else
    ScatterStrip(g, s, dim, 1, &p, scaled, f_bar);
}

WEFT_KERNEL void WeftLookupScatter(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscReal scale,
                                   const double *bar, double *f_bar)
{
  ON_STRIPS(Scatter, g, g->point_lo, g->point_hi, (double)sign, d, scale, bar, f_bar);
}

WEFT_KERNEL void WeftLookupFaces(const WeftLookup *g, PetscInt axis, const PetscInt lo[3], const PetscInt hi[3],
                                 const double *d_bar, double *velocity_bar)
{
  const int    along = (int)g->stride[axis], across = g->location == WEFT_CELL ? 0 : (int)g->stride[g->location];
  const double factor = g->factor[axis], half = 0.5 * factor, quarter = 0.25 * factor;

  FOR_STRIPS(g, lo, hi, s)
  {
    const double *restrict from = d_bar + s.at;
    double *restrict to         = velocity_bar + s.at;
    if ((PetscInt)g->location == axis)
      for (int i = 0; i < s.n; i++) to[i] += factor * from[i];
    else if (g->location == WEFT_CELL)
      for (int i = 0; i < s.n; i++) to[i] += half * (from[i] + from[i - along]);
    else
      for (int i = 0; i < s.n; i++)
        to[i] += quarter * ((from[i] + from[i - along]) + (from[i + across] + from[i + across - along]));
  }
}

/* ---- MacCormack ----------------------------------------------------------------------------------------------------- */

typedef struct {
  double low[STRIP], high[STRIP], low_code[STRIP], high_code[STRIP];
} Extremes;

/* Least and largest f at the nodes around each place, and which node holds it (the first in global order). */
WEFT_INLINE void FindExtremes(const WeftLookup *g, const Strip *s, const int dim, const Places *restrict p,
                              const double *restrict f, Extremes *restrict e)
{
  const int side = Side(g);

  f += s->at;
  for (int i = 0; i < s->n; i++) {
    double low = f[p->node[i]], high = low, low_code = p->code[i], high_code = low_code;
    for (int c = 1; c < (1 << dim); c++) {
      const int    x = c & 1, y = c >> 1 & 1, z = c >> 2;
      const double v    = f[p->node[i] + x + y * (int)g->stride[1] + z * (int)g->stride[2]],
                   code = p->code[i] + x + side * (y + side * z);
      low_code          = v < low ? code : low_code;
      low               = v < low ? v : low;
      high_code         = v > high ? code : high_code;
      high              = v > high ? v : high;
    }
    e->low[i]       = low;
    e->high[i]      = high;
    e->low_code[i]  = low_code;
    e->high_code[i] = high_code;
  }
}

WEFT_INLINE void Limit(const WeftLookup *g, const Strip *s, const int dim, const double *const velocity[3], const double *f,
                       const double *forward, const double *back, double *y, double *code)
{
  double   value[STRIP], branch[STRIP];
  Places   p;
  Extremes e;

  (void)PlaceBy(g, s, dim, -1.0, velocity, &p);
  FindExtremes(g, s, dim, &p, f, &e);
  for (int i = 0; i < s->n; i++) {
    const double own = f[s->at + i], m = forward[s->at + i] + 0.5 * (own - back[s->at + i]), low = e.low[i], high = e.high[i];
    const double slack = ROUND_OFF * (fabs(low) + fabs(high) + fabs(own));
    value[i]           = m < low ? low : m > high ? high : m;
    branch[i]          = m < low - slack ? e.low_code[i] : m > high + slack ? e.high_code[i] : 0.0;
  }
  for (int i = 0; i < s->n; i++) y[s->at + i] = value[i];
  for (int i = 0; i < s->n && code; i++) code[s->at + i] = branch[i];
}

WEFT_KERNEL void WeftLookupLimit(const WeftLookup *g, const double *const velocity[3], const double *f, const double *forward,
                                 const double *back, double *y, double *code)
{
  ON_STRIPS(Limit, g, g->lo, g->hi, velocity, f, forward, back, y, code);
}

WEFT_KERNEL void WeftLookupLimitTangent(const WeftLookup *g, const double *code, const double *df, const double *dforward,
                                        double *dy)
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (int i = s.at; i < s.at + s.n; i++) {
      int k[3];
      NodeOf(g, code[i], k);
      dy[i] = code[i] == 0.0 ? dforward[i] + 0.5 * (df[i] - dy[i])
                             : df[i + k[0] + k[1] * (int)g->stride[1] + k[2] * (int)g->stride[2]];
    }
  }
}

WEFT_KERNEL void WeftLookupLimitAdjoint(const WeftLookup *g, const double *code, const double *bar, double *within)
{
  FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (int i = s.at; i < s.at + s.n; i++) within[i] = code[i] == 0.0 ? bar[i] : 0.0;
  }
}

void WeftLookupLimitScatter(const WeftLookup *g, const double *code, const double *bar, double *f_bar)
{
  FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (int i = 0; i < s.n; i++) {
      int node[3], mine = 1;
      if (code[s.at + i] == 0.0) continue;
      NodeOf(g, code[s.at + i], node);
      node[0] += i;
      for (int a = 0; a < 3; a++) {
        node[a] += s.place[a];
        mine = mine && node[a] >= g->node_lo[a] && node[a] < g->node_hi[a];
      }
      if (mine) f_bar[g->zero + node[0] + node[1] * g->stride[1] + node[2] * g->stride[2]] += bar[s.at + i];
    }
  }
}

/* ---- tests at kinks --------------------------------------------------------------------------------------------------- */

WEFT_INLINE void Branches(const WeftLookup *g, const Strip *s, const int dim, double sign, const double *const d[3],
                          PetscInt **branches)
{
  Places p;
  PlaceFrom(g, s, dim, sign, d, &p);
  for (int i = 0; i < s->n; i++) {
    int held = 0;
    for (int a = 0; a < dim; a++) held += (1 << a) * (p.active[a][i] == 0.0);
    *(*branches)++ = 8 * p.code[i] + held;
  }
}

void WeftLookupBranches(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscInt branches[])
{
  ON_STRIPS(Branches, g, g->lo, g->hi, (double)sign, d, &branches);
}

void WeftLookupLimitBranches(const WeftLookup *g, const double *code, PetscInt branches[])
{
  FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (int i = 0; i < s.n; i++) *branches++ = (PetscInt)code[s.at + i];
  }
}
