/* Lookups of MacCormack's scheme: its limiter; and the branches that tests at kinks look at. */
#include "op/near.h"

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

/* m held between low and high; the code of the one that it is held by. */
WEFT_INLINE double Within(double m, double low, double high)
{
  return m < low ? low : m > high ? high : m;
}
WEFT_INLINE double Code(double m, double f, double low, double high, double low_code, double high_code)
{
  const double slack = ROUND_OFF * (fabs(low) + fabs(high) + fabs(f));
  return m < low - slack ? low_code : m > high + slack ? high_code : 0.0;
}

WEFT_KERNEL static void Hold(int n, const Extremes *restrict e, const double *restrict f, const double *restrict forward,
                             const double *restrict back, double *restrict y, double *restrict code)
{
  for (int i = 0; i < n; i++) {
    const double m = forward[i] + 0.5 * (f[i] - back[i]);
    y[i]           = Within(m, e->low[i], e->high[i]);
    code[i]        = Code(m, f[i], e->low[i], e->high[i], e->low_code[i], e->high_code[i]);
  }
}

/* ---- strips whose places lie near each other: the same in one pass ---------------------------------------------------- */

typedef struct {
  double low, high, low_code, high_code;
} Extreme;

WEFT_INLINE Extreme Extend(Extreme e, double v, double code)
{
  return (Extreme){v < e.low ? v : e.low, v > e.high ? v : e.high, v < e.low ? code : e.low_code, v > e.high ? code : e.high_code};
}
WEFT_INLINE Extreme ExtendFour(Extreme e, WeftFour c, double code, double side)
{
  return Extend(Extend(Extend(Extend(e, c.low.a, code), c.low.b, code + 1.0), c.high.a, code + side), c.high.b, code + (side + 1.0));
}

typedef struct {
  WeftNearAxis forth[3];
  double       back_first[3], halo, side;
  int          sy, sz;
} Near;

/* coded: the codes are wanted. */
WEFT_INLINE int NearLoop(const int dim, const int coded, int n, const Near *t, const double *restrict from_forward,
                         const double *restrict from_f, const double *restrict forward, const double *restrict f,
                         double *restrict y, double *restrict code)
{
  const WeftNearAxis ax = t->forth[0], ay = t->forth[1], az = t->forth[dim > 2 ? 2 : 1];
  const double       bx = t->back_first[0], by = t->back_first[1], bz = t->back_first[2], side = t->side, halo = t->halo;
  const int          sy = t->sy, sz = t->sz;
  int64_t            bits = 0;

#pragma GCC ivdep
  for (int i = 0; i < n; i++) {
    const double qx = WeftNearMoved(ax, i), qy = WeftNearMoved(ay, i), qz = dim > 2 ? WeftNearMoved(az, i) : 0.0;
    double       wx, wy, wz, back, corner, none;
    double       x = WeftNearBase(qx, ax.first, &wx), j = WeftNearBase(qy, ay.first, &wy), z = dim > 2 ? WeftNearBase(qz, az.first, &wz) : 0.0;
    Extreme      e;
    bits |= WeftNearBits(x) | WeftNearBits(j) | WeftNearBits(z);
    if (dim == 2)
      back = WeftSquare(WeftSelectFour(from_forward + i, sy, x > 0.0, j > 0.0), wx, wy);
    else {
      const WeftEight c = WeftSelectEight(from_forward + i, sy, sz, x > 0.0, j > 0.0, z > 0.0);
      back              = WeftLine(WeftSquare(c.low, wx, wy), WeftSquare(c.high, wx, wy), wz);
    }
    x = WeftNearBase(-qx, bx, &none), j = WeftNearBase(-qy, by, &none), z = dim > 2 ? WeftNearBase(-qz, bz, &none) : 0.0;
    bits |= WeftNearBits(x) | WeftNearBits(j) | WeftNearBits(z);
    corner = ((bx + x + halo) + side * ((by + j + halo) + side * (bz + z + halo))) + 1.0;
    if (dim == 2) {
      const WeftFour c = WeftSelectFour(from_f + i, sy, x > 0.0, j > 0.0);
      e                = ExtendFour((Extreme){c.low.a, c.low.a, corner, corner}, c, corner, side);
    } else {
      const WeftEight c = WeftSelectEight(from_f + i, sy, sz, x > 0.0, j > 0.0, z > 0.0);
      e                 = ExtendFour((Extreme){c.low.low.a, c.low.low.a, corner, corner}, c.low, corner, side);
      e                 = ExtendFour(e, c.high, corner + side * side, side);
    }
    {
      const double m = forward[i] + 0.5 * (f[i] - back);
      y[i]           = Within(m, e.low, e.high);
      if (coded) code[i] = Code(m, f[i], e.low, e.high, e.low_code, e.high_code);
    }
  }
  return WEFT_NEAR(bits);
}

WEFT_KERNEL static int NearLimit(const WeftLookup *g, const WeftStrip *s, const double *const velocity[3], const double *f,
                                 const double *forward, double *y, double *code)
{
  Near         t = {.halo = (double)g->halo, .side = 2.0 * (double)g->halo + 1.0, .sy = (int)g->stride[1], .sz = (int)g->stride[2]};
  WeftNearAxis back[3];
  int          first, back_first;

  if (!WeftNearGuess(g, s, 1.0, velocity, t.forth, &first) || !WeftNearGuess(g, s, -1.0, velocity, back, &back_first)) return 0;
  for (int a = 0; a < (int)g->dim; a++) t.back_first[a] = back[a].first;
  f += s->at, forward += s->at, y += s->at;
  if (g->dim == 2)
    return code ? NearLoop(2, 1, s->n, &t, forward + first, f + back_first, forward, f, y, code + s->at)
                : NearLoop(2, 0, s->n, &t, forward + first, f + back_first, forward, f, y, NULL);
  return code ? NearLoop(3, 1, s->n, &t, forward + first, f + back_first, forward, f, y, code + s->at)
              : NearLoop(3, 0, s->n, &t, forward + first, f + back_first, forward, f, y, NULL);
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
    if (NearLimit(g, &s, velocity, f, forward, y, code)) continue;
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
