/* Lookups at displaced places: values, tangent, adjoint. */
#include "op/near.h"

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

/* ---- values, tangent ---------------------------------------------------------------------------------------------- */

/* Of a strip whose places lie near each other; whether they do. */
WEFT_INLINE int NearLoop(const int dim, int n, const WeftNearAxis axis[3], int sy, int sz, const double *restrict f, double *restrict y)
{
  const WeftNearAxis ax = axis[0], ay = axis[1], az = axis[dim > 2 ? 2 : 1];
  int64_t            bits = 0;

  for (int i = 0; i < n; i++) {
    double       wx, wy, wz;
    const double x = WeftNearBase(WeftNearMoved(ax, i), ax.first, &wx), y_ = WeftNearBase(WeftNearMoved(ay, i), ay.first, &wy);
    bits |= WeftNearBits(x) | WeftNearBits(y_);
    if (dim == 2)
      y[i] = WeftSquare(WeftSelectFour(f + i, sy, x > 0.0, y_ > 0.0), wx, wy);
    else {
      const double    z = WeftNearBase(WeftNearMoved(az, i), az.first, &wz);
      const WeftEight c = WeftSelectEight(f + i, sy, sz, x > 0.0, y_ > 0.0, z > 0.0);
      bits |= WeftNearBits(z);
      y[i] = WeftLine(WeftSquare(c.low, wx, wy), WeftSquare(c.high, wx, wy), wz);
    }
  }
  return WEFT_NEAR(bits);
}

WEFT_KERNEL static int NearValues(const WeftLookup *g, const WeftStrip *s, double sign, const double *const velocity[3],
                                  const double *f, double *y)
{
  const int    sy = (int)g->stride[1], sz = (int)g->stride[2];
  WeftNearAxis axis[3];
  int          first;

  if (!WeftNearGuess(g, s, sign, velocity, axis, &first)) return 0;
  f += s->at + first;
  return g->dim == 2 ? NearLoop(2, s->n, axis, sy, sz, f, y) : NearLoop(3, s->n, axis, sy, sz, f, y);
}

void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f, double *y,
                      PetscInt *fault)
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    WeftPlaces  p;
    WeftCorners c;
    if (NearValues(g, &s, (double)sign, velocity, f, y + s.at)) continue;
    *fault |= WeftStripPlaceBy(g, &s, (double)sign, velocity, &p);
    WeftStripCorners(g, &s, &p, f, &c);
    WeftStripInterpolate(g, &s, &p, &c, y + s.at);
  }
}

/* sum of sign slope_a dd_a */
WEFT_KERNEL static void AddSlopes(const WeftLookup *g, const WeftStrip *s, double sign, double slope[restrict 3][WEFT_STRIP],
                                  double dd[restrict 3][WEFT_STRIP], double *restrict dy)
{
  for (int a = 0; a < (int)g->dim; a++)
    for (int i = 0; i < s->n; i++) dy[i] += sign * slope[a][i] * dd[a][i];
}

void WeftLookupTangent(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                       const double *const dvelocity[3], const double *df, double *dy)
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    double      slope[3][WEFT_STRIP], dd[3][WEFT_STRIP];
    WeftPlaces  p;
    WeftCorners c;
    (void)WeftStripPlaceBy(g, &s, (double)sign, velocity, &p);
    if (df) {
      WeftStripCorners(g, &s, &p, df, &c);
      WeftStripInterpolate(g, &s, &p, &c, dy + s.at);
    } else
      memset(dy + s.at, 0, sizeof(double) * (size_t)s.n);
    if (!dvelocity[0]) continue;
    WeftStripCorners(g, &s, &p, f, &c);
    WeftStripSlope(g, &s, &p, &c, slope);
    for (int a = 0; a < (int)g->dim; a++) WeftStripDisplace(g, &s, a, dvelocity[a], dd[a]);
    AddSlopes(g, &s, (double)sign, slope, dd, dy + s.at);
  }
}

/* ---- adjoint ------------------------------------------------------------------------------------------------------ */

/* Does a neighbour see points of the strip? */
static PetscBool AtBorder(const WeftLookup *g, const WeftStrip *s)
{
  for (int a = 0; a < (int)g->dim; a++)
    if (s->place[a] < g->lo[a] + g->halo || s->place[a] + (a == 0 ? s->n : 1) > g->hi[a] - g->halo) return PETSC_TRUE;
  return PETSC_FALSE;
}

void WeftLookupDisplace(const WeftLookup *g, PetscBool border, const double *const velocity[3], double *const d[3])
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    if (border && !AtBorder(g, &s)) continue;
    for (int a = 0; a < (int)g->dim; a++) WeftStripDisplace(g, &s, a, velocity[a], d[a] + s.at);
  }
}

double WeftLookupWorst(const WeftLookup *g, double *const d[3], PetscInt at[3], PetscInt *axis)
{
  double worst = 0.0;

  *axis = at[0] = at[1] = at[2] = 0;
  for (PetscInt a = 0; a < g->dim; a++)
    for (PetscInt k = g->lo[2]; k < g->hi[2]; k++)
      for (PetscInt j = g->lo[1]; j < g->hi[1]; j++)
        for (PetscInt i = g->lo[0]; i < g->hi[0]; i++) {
          const double size = PetscAbsReal(d[a][g->zero + i + j * g->stride[1] + k * g->stride[2]]);
          if (PetscIsNanReal(worst) || size <= worst) continue;
          worst = size;
          *axis = a;
          at[0] = i, at[1] = j, at[2] = k;
        }
  return worst;
}

/* to (+)= scale slope bar */
WEFT_KERNEL static void SetSlopes(int n, double scale, PetscBool add, const double *restrict slope, const double *restrict bar,
                                  double *restrict to)
{
  if (add)
    for (int i = 0; i < n; i++) to[i] += slope[i] * (scale * bar[i]);
  else
    for (int i = 0; i < n; i++) to[i] = slope[i] * (scale * bar[i]);
}

WEFT_KERNEL static void Scale(int n, double scale, const double *restrict from, double *restrict to)
{
  for (int i = 0; i < n; i++) to[i] = scale * from[i];
}

/* The places of a strip that lie near each other; whether they do. */
WEFT_INLINE int NearPlaces(const int dim, int n, const WeftNearAxis axis[3], WeftPlaces *restrict p)
{
  int64_t bits = 0;

  for (int a = 0; a < dim; a++) {
    const WeftNearAxis along = axis[a];
    double *restrict w = p->w[a], *restrict bases = p->base[a];
    for (int i = 0; i < n; i++) {
      const double q = WeftNearMoved(along, i), base = floor(q);
      w[i]     = q - base;
      bases[i] = base;
      bits |= WeftNearBits(base - along.first);
    }
    p->first[a] = (int)along.first;
  }
  p->near = 1;
  return WEFT_NEAR(bits);
}

/* d_bar[axis] (+)= slope (scale bar), straight from the nodes. */
WEFT_INLINE void NearSlopes(const int dim, int n, const WeftPlaces *restrict p, int sy, int sz, const double *restrict f,
                            double scale, const double *restrict bar, PetscBool add, double *const d_bar[3])
{
  const double *restrict x = p->base[0], *restrict y = p->base[1], *restrict z = p->base[2];
  const double *restrict wx = p->w[0], *restrict wy = p->w[1], *restrict wz = p->w[2];
  const double first_x = p->first[0], first_y = p->first[1], first_z = dim > 2 ? p->first[2] : 0;
  double      *to_x = d_bar[0], *to_y = d_bar[1], *to_z = dim > 2 ? d_bar[2] : NULL;
#pragma GCC ivdep
  for (int i = 0; i < n; i++) {
    const double given = scale * bar[i];
    if (dim == 2) {
      const WeftFour c  = WeftSelectFour(f + i, sy, x[i] > first_x, y[i] > first_y);
      const double   sx = WeftSquareX(c, wy[i]) * given, s_y = WeftSquareY(c, wx[i]) * given;
      to_x[i] = add ? to_x[i] + sx : sx;
      to_y[i] = add ? to_y[i] + s_y : s_y;
    } else {
      const WeftEight c = WeftSelectEight(f + i, sy, sz, x[i] > first_x, y[i] > first_y, z[i] > first_z);
      const double    sx = WeftLine(WeftSquareX(c.low, wy[i]), WeftSquareX(c.high, wy[i]), wz[i]) * given;
      const double    s_y = WeftLine(WeftSquareY(c.low, wx[i]), WeftSquareY(c.high, wx[i]), wz[i]) * given;
      const double    s_z = (WeftSquare(c.high, wx[i], wy[i]) - WeftSquare(c.low, wx[i], wy[i])) * given;
      to_x[i] = add ? to_x[i] + sx : sx;
      to_y[i] = add ? to_y[i] + s_y : s_y;
      to_z[i] = add ? to_z[i] + s_z : s_z;
    }
  }
}

typedef struct { /* what WeftLookupAdjoint works on */
  const WeftLookup    *g;
  double               sign, scale;
  const double *const *velocity, *const *d;
  const double  *f, *bar;
  PetscBool      add;
  double *const *d_bar;
  double        *f_bar;
} Adjoint;

/* The same as AdjointRow on a strip of mine; whether its places lie near each other. */
WEFT_KERNEL static int NearAdjoint(const Adjoint *t, const WeftStrip *s, WeftPlaces *p)
{
  const WeftLookup *g  = t->g;
  const int         sy = (int)g->stride[1], sz = (int)g->stride[2];
  const double      scale = t->scale * t->sign, *bar = t->bar + s->at, *f = t->f + s->at;
  WeftNearAxis      axis[3];
  double           *d_bar[3] = {NULL, NULL, NULL};
  int               first;

  if (!WeftNearGuess(g, s, t->sign, t->velocity, axis, &first)) return 0;
  if (!(g->dim == 2 ? NearPlaces(2, s->n, axis, p) : NearPlaces(3, s->n, axis, p))) return 0;
  if (!t->d_bar) return 1;
  for (int a = 0; a < (int)g->dim; a++) d_bar[a] = t->d_bar[a] + s->at;
  if (g->dim == 2 && t->add) NearSlopes(2, s->n, p, sy, sz, f + first, scale, bar, PETSC_TRUE, d_bar);
  else if (g->dim == 2) NearSlopes(2, s->n, p, sy, sz, f + first, scale, bar, PETSC_FALSE, d_bar);
  else if (t->add) NearSlopes(3, s->n, p, sy, sz, f + first, scale, bar, PETSC_TRUE, d_bar);
  else NearSlopes(3, s->n, p, sy, sz, f + first, scale, bar, PETSC_FALSE, d_bar);
  return 1;
}

/* The places of a strip, and what their displacements get. mine: these come from the velocity, and have adjoints. */
static void AdjointStrip(const Adjoint *t, const WeftStrip *s, PetscBool mine, WeftPlaces *p)
{
  const WeftLookup *g = t->g;
  double            d[3][WEFT_STRIP], slope[3][WEFT_STRIP];
  const double     *rows[3] = {NULL, NULL, NULL};
  WeftCorners       c;

  for (int a = 0; a < (int)g->dim; a++) {
    if (mine) WeftStripDisplace(g, s, a, t->velocity[a], d[a]);
    rows[a] = mine ? d[a] : t->d[a] + s->at;
  }
  (void)WeftStripPlace(g, s, t->sign, rows, p);
  if (!mine || !t->d_bar) return;
  WeftStripCorners(g, s, p, t->f, &c);
  WeftStripSlope(g, s, p, &c, slope);
  for (int a = 0; a < (int)g->dim; a++)
    SetSlopes(s->n, t->scale * t->sign, t->add, slope[a], t->bar + s->at, t->d_bar[a] + s->at);
}

/* The points [lo, hi) of a row. */
static void AdjointRow(const Adjoint *t, PetscInt lo, PetscInt hi, PetscInt j, PetscInt k, PetscBool mine)
{
  const WeftLookup *g      = t->g;
  const PetscInt    low[3] = {lo, j, k}, high[3] = {hi, j + 1, k + 1};

  WEFT_FOR_STRIPS(g, low, high, s)
  {
    double     scaled[WEFT_STRIP];
    WeftPlaces p;
    if (!mine || !NearAdjoint(t, &s, &p)) AdjointStrip(t, &s, mine, &p);
    if (!t->f_bar) continue;
    Scale(s.n, t->scale, t->bar + s.at, scaled);
    WeftStripScatter(g, &s, &p, scaled, t->f_bar);
  }
}

void WeftLookupAdjoint(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *const d[3],
                       const double *f, PetscReal scale, const double *bar, PetscBool add, double *const d_bar[3],
                       double *f_bar)
{
  const Adjoint t = {g, (double)sign, scale, velocity, d, f, bar, add, d_bar, f_bar};

  for (PetscInt k = g->point_lo[2]; k < g->point_hi[2]; k++) {
    for (PetscInt j = g->point_lo[1]; j < g->point_hi[1]; j++) {
      if (j < g->lo[1] || j >= g->hi[1] || k < g->lo[2] || k >= g->hi[2]) {
        if (f_bar) AdjointRow(&t, g->point_lo[0], g->point_hi[0], j, k, PETSC_FALSE);
        continue;
      }
      if (f_bar) AdjointRow(&t, g->point_lo[0], g->lo[0], j, k, PETSC_FALSE);
      AdjointRow(&t, g->lo[0], g->hi[0], j, k, PETSC_TRUE);
      if (f_bar) AdjointRow(&t, g->hi[0], g->point_hi[0], j, k, PETSC_FALSE);
    }
  }
}

WEFT_KERNEL void WeftLookupFaces(const WeftLookup *g, PetscInt axis, const PetscInt lo[3], const PetscInt hi[3],
                                 const double *d_bar, double *velocity_bar)
{
  const int    along = (int)g->stride[axis], across = g->location == WEFT_CELL ? 0 : (int)g->stride[g->location];
  const double factor = g->factor[axis], half = 0.5 * factor, quarter = 0.25 * factor;

  WEFT_FOR_STRIPS(g, lo, hi, s)
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
