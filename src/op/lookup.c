/* Lookups at displaced places: values, tangent, adjoint. */
#include "op/strip.h"

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

void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f, double *y,
                      PetscInt *fault)
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    WeftPlaces  p;
    WeftCorners c;
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

typedef struct { /* what WeftLookupAdjoint works on */
  const WeftLookup    *g;
  double               sign, scale;
  const double *const *velocity, *const *d;
  const double  *f, *bar;
  PetscBool      add;
  double *const *d_bar;
  double        *f_bar;
} Adjoint;

/* The points [lo, hi) of a row. mine: their displacements come from the velocity, and have adjoints. */
static void AdjointRow(const Adjoint *t, PetscInt lo, PetscInt hi, PetscInt j, PetscInt k, PetscBool mine)
{
  const WeftLookup *g      = t->g;
  const PetscInt    low[3] = {lo, j, k}, high[3] = {hi, j + 1, k + 1};

  WEFT_FOR_STRIPS(g, low, high, s)
  {
    double        d[3][WEFT_STRIP], slope[3][WEFT_STRIP], scaled[WEFT_STRIP];
    const double *rows[3] = {NULL, NULL, NULL};
    WeftPlaces    p;
    WeftCorners   c;
    for (int a = 0; a < (int)g->dim; a++) {
      if (mine) WeftStripDisplace(g, &s, a, t->velocity[a], d[a]);
      rows[a] = mine ? d[a] : t->d[a] + s.at;
    }
    (void)WeftStripPlace(g, &s, t->sign, rows, &p);
    if (mine && t->d_bar) {
      WeftStripCorners(g, &s, &p, t->f, &c);
      WeftStripSlope(g, &s, &p, &c, slope);
      for (int a = 0; a < (int)g->dim; a++)
        SetSlopes(s.n, t->scale * t->sign, t->add, slope[a], t->bar + s.at, t->d_bar[a] + s.at);
    }
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
