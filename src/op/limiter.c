/* Lookups of MacCormack's scheme: its limiter; and the branches that tests at kinks look at. */
#include <math.h>
#include "op/strip.h"

#define ROUND_OFF 4e-15 /* what m may miss by where all its values are equal: no reason to hold it */

typedef struct {
  double low[WEFT_STRIP], high[WEFT_STRIP], low_code[WEFT_STRIP], high_code[WEFT_STRIP];
} Extremes;

/* Least and largest value at the nodes around each place, and which node holds it (the first in global order). */
WEFT_KERNEL static void FindExtremes(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                     const WeftCorners *restrict c, Extremes *restrict e)
{
  const double side = 2.0 * (double)g->halo + 1.0;
  double       first[WEFT_STRIP];

  WeftStripCode(g, s, p, first);
  for (int i = 0; i < s->n; i++) {
    e->low[i] = e->high[i] = c->f[0][i];
    e->low_code[i] = e->high_code[i] = first[i];
  }
  for (int k = 1; k < 1 << g->dim; k++) {
    const double step = (k & 1) + side * ((k >> 1 & 1) + side * (k >> 2));
    for (int i = 0; i < s->n; i++) {
      const double v = c->f[k][i], code = first[i] + step, low = e->low[i], high = e->high[i];
      e->low_code[i]  = v < low ? code : e->low_code[i];
      e->low[i]       = v < low ? v : low;
      e->high_code[i] = v > high ? code : e->high_code[i];
      e->high[i]      = v > high ? v : high;
    }
  }
}

WEFT_KERNEL static void Hold(int n, const Extremes *restrict e, const double *restrict f, const double *restrict forward,
                             const double *restrict back, double *restrict y, double *restrict code)
{
  for (int i = 0; i < n; i++) {
    const double m = forward[i] + 0.5 * (f[i] - back[i]), low = e->low[i], high = e->high[i];
    const double slack = ROUND_OFF * (fabs(low) + fabs(high) + fabs(f[i]));
    y[i]               = m < low ? low : m > high ? high : m;
    code[i]            = m < low - slack ? e->low_code[i] : m > high + slack ? e->high_code[i] : 0.0;
  }
}

void WeftLookupLimit(const WeftLookup *g, const double *const velocity[3], const double *f, const double *forward, double *y,
                     double *code)
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    double              back[WEFT_STRIP], unused[WEFT_STRIP], d[3][WEFT_STRIP];
    const double *const rows[3] = {d[0], d[1], d[2]}; /* one displacement for the place forth and the place back */
    WeftPlaces          p;
    WeftCorners         c;
    Extremes            e;
    for (int a = 0; a < (int)g->dim; a++) WeftStripDisplace(g, &s, a, velocity[a], d[a]);
    (void)WeftStripPlace(g, &s, 1.0, rows, &p);
    WeftStripCorners(g, &s, &p, forward, &c);
    WeftStripInterpolate(g, &s, &p, &c, back);
    (void)WeftStripPlace(g, &s, -1.0, rows, &p);
    WeftStripCorners(g, &s, &p, f, &c);
    FindExtremes(g, &s, &p, &c, &e);
    Hold(s.n, &e, f + s.at, forward + s.at, back, y + s.at, code ? code + s.at : unused);
  }
}

WEFT_KERNEL void WeftLookupLimitTangent(const WeftLookup *g, const double *code, const double *df, const double *dforward,
                                        double *dy)
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (int i = s.at; i < s.at + s.n; i++) {
      int k[3];
      WeftNodeOf(g, code[i], k);
      dy[i] = code[i] == 0.0 ? dforward[i] + 0.5 * (df[i] - dy[i])
                             : df[i + k[0] + k[1] * (int)g->stride[1] + k[2] * (int)g->stride[2]];
    }
  }
}

WEFT_KERNEL void WeftLookupLimitAdjoint(const WeftLookup *g, const double *code, const double *bar, double *within)
{
  WEFT_FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (int i = s.at; i < s.at + s.n; i++) within[i] = code[i] == 0.0 ? bar[i] : 0.0;
  }
}

void WeftLookupLimitScatter(const WeftLookup *g, const double *code, const double *bar, double *f_bar)
{
  WEFT_FOR_STRIPS(g, g->point_lo, g->point_hi, s)
  {
    for (int i = 0; i < s.n; i++) {
      int node[3], mine = 1;
      if (code[s.at + i] == 0.0) continue;
      WeftNodeOf(g, code[s.at + i], node);
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

void WeftLookupBranches(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscInt branches[])
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    const double *rows[3] = {NULL, NULL, NULL};
    double        code[WEFT_STRIP];
    WeftPlaces    p;
    for (int a = 0; a < (int)g->dim; a++) rows[a] = d[a] + s.at;
    (void)WeftStripPlace(g, &s, (double)sign, rows, &p);
    WeftStripCode(g, &s, &p, code);
    for (int i = 0; i < s.n; i++) {
      int held = 0;
      for (int a = 0; a < (int)g->dim; a++) held += (1 << a) * (p.active[a][i] == 0.0);
      *branches++ = 8 * (PetscInt)code[i] + held;
    }
  }
}

void WeftLookupLimitBranches(const WeftLookup *g, const double *code, PetscInt branches[])
{
  WEFT_FOR_STRIPS(g, g->lo, g->hi, s)
  {
    for (int i = 0; i < s.n; i++) *branches++ = (PetscInt)code[s.at + i];
  }
}
