/* Strips of points: places, the values at the nodes around them, what is made of these, and the transpose. */
#include <math.h>
#include <stdint.h>
#include "op/near.h"

/* ---- places ---------------------------------------------------------------------------------------------------------- */

/* Mean of the velocity at the points, times factor. */
WEFT_KERNEL void WeftStripDisplace(const WeftLookup *g, const WeftStrip *s, int a, const double *restrict u, double *restrict d)
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

/* What is found about the places of a strip along an axis. */
enum { FAULT = 1, ABOVE = 2, BELOW = 4, FAR = 8 }; /* a base lies above, below, more than one beside that of the first point */

/* Flags as wide as the values that they come from: no vector is packed. */
WEFT_INLINE int Spread(int n, const double *restrict base)
{
  const int64_t yes = 1, no = 0;
  const double  one   = base[0];
  int64_t       above = 0, below = 0, far = 0;

  for (int i = 0; i < n; i++) {
    const double k = base[i] - one;
    above |= k > 0.0 ? yes : no;
    below |= k < 0.0 ? yes : no;
    far |= fabs(k) > 1.0 ? yes : no;
  }
  return (above ? ABOVE : 0) | (below ? BELOW : 0) | (far ? FAR : 0);
}

/* Where the points of the strip look along axis a, from their displacements. held: a side may hold some of them. */
WEFT_INLINE int Place(const WeftLookup *g, const WeftStrip *s, int a, const int held, double sign, const double *restrict d,
                      WeftPlaces *restrict p)
{
  double *restrict w = p->w[a], *restrict active = p->active[a], *restrict bases = p->base[a];
  const int    n     = s->n;
  const double limit = (double)g->halo, step = a == 0 ? 1.0 : 0.0;
  const double below = g->below[a] - s->place[a], above = g->above[a] - s->place[a], ceiling = g->ceiling[a] - s->place[a];
  int64_t      fault = 0;

  for (int i = 0; i < n; i++) {
    const double wanted = sign * d[i];
    const int    bad    = !(fabs(wanted) < limit); /* NaN as well */
    double       q      = bad ? 0.0 : wanted, base;
    if (held) {
      const double low = below - step * i, high = above - step * i, top = ceiling - step * i;
      q    = q < low ? low : q;
      q    = q > high ? high : q;
      base = floor(q);
      base = base > top ? top : base;
    } else
      base = floor(q);
    w[i]      = q - base;
    active[i] = q == wanted ? 1.0 : 0.0;
    bases[i]  = base;
    fault |= bad ? (int64_t)FAULT : (int64_t)0;
  }
  return (int)fault | Spread(n, bases);
}

/* May a side hold a place of the strip along axis a? */
static int Held(const WeftLookup *g, const WeftStrip *s, int a)
{
  const PetscReal first = s->place[a], last = first + (a == 0 ? s->n - 1 : 0), reach = (PetscReal)g->halo;
  return first - reach < g->below[a] || last + reach > g->above[a];
}

WEFT_KERNEL int WeftStripPlace(const WeftLookup *g, const WeftStrip *s, double sign, const double *const d[3], WeftPlaces *p)
{
  int fault = 0;

  p->near = !g->plain;
  for (int a = 0; a < (int)g->dim; a++) {
    const int bits = Held(g, s, a) ? Place(g, s, a, 1, sign, d[a], p) : Place(g, s, a, 0, sign, d[a], p);
    const int one  = (int)p->base[a][0];
    fault |= bits & FAULT;
    p->first[a] = one - (bits & BELOW || (!(bits & ABOVE) && one + 2 > (int)g->halo) ? 1 : 0);
    if (bits & FAR || (bits & ABOVE && bits & BELOW)) p->near = 0;
  }
  return fault;
}

int WeftStripPlaceBy(const WeftLookup *g, const WeftStrip *s, double sign, const double *const velocity[3], WeftPlaces *p)
{
  double              d[3][WEFT_STRIP];
  const double *const rows[3] = {d[0], d[1], d[2]};

  for (int a = 0; a < (int)g->dim; a++) WeftStripDisplace(g, s, a, velocity[a], d[a]);
  return WeftStripPlace(g, s, sign, rows, p);
}

WEFT_KERNEL void WeftStripCode(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p, double *restrict code)
{
  const double halo = (double)g->halo, side = 2.0 * halo + 1.0;

  for (int i = 0; i < s->n; i++) code[i] = 0.0;
  for (int a = 2; a >= 0; a--)
    for (int i = 0; i < s->n; i++) code[i] = side * code[i] + ((a < (int)g->dim ? p->base[a][i] : 0.0) + halo);
  for (int i = 0; i < s->n; i++) code[i] += 1.0;
}

/* ---- values at the nodes --------------------------------------------------------------------------------------------- */

/* One by one. */
WEFT_KERNEL static void GatherCorners(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                      const double *restrict f, WeftCorners *restrict c)
{
  const int dim = (int)g->dim, sy = (int)g->stride[1], sz = (int)g->stride[2], n = s->n;
  int       node[WEFT_STRIP];

  for (int i = 0; i < n; i++) node[i] = i;
  for (int a = 0; a < dim; a++)
    for (int i = 0; i < n; i++) node[i] += (int)g->stride[a] * (int)p->base[a][i];
  for (int k = 0; k < 1 << dim; k++) {
    const double *restrict from = f + s->at + (k & 1) + (k >> 1 & 1) * sy + (k >> 2) * sz;
    for (int i = 0; i < n; i++) c->f[k][i] = from[node[i]];
  }
}

WEFT_KERNEL static void SelectCorners(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                      const double *restrict f, WeftCorners *restrict c)
{
  const int    dim = (int)g->dim, sy = (int)g->stride[1], sz = (int)g->stride[2], n = s->n;
  const double x = p->first[0], y = dim > 1 ? p->first[1] : 0, z = dim > 2 ? p->first[2] : 0;
  const double *restrict from = f + s->at + p->first[0] + (dim > 1 ? sy * p->first[1] : 0) + (dim > 2 ? sz * p->first[2] : 0);

  if (dim == 1)
    for (int i = 0; i < n; i++) {
      const WeftPair v = WeftSelectPair(from + i, p->base[0][i] > x);
      c->f[0][i] = v.a, c->f[1][i] = v.b;
    }
  else if (dim == 2)
    for (int i = 0; i < n; i++) {
      const WeftFour v = WeftSelectFour(from + i, sy, p->base[0][i] > x, p->base[1][i] > y);
      c->f[0][i] = v.low.a, c->f[1][i] = v.low.b, c->f[2][i] = v.high.a, c->f[3][i] = v.high.b;
    }
  else
    for (int i = 0; i < n; i++) {
      const WeftEight v = WeftSelectEight(from + i, sy, sz, p->base[0][i] > x, p->base[1][i] > y, p->base[2][i] > z);
      c->f[0][i] = v.low.low.a, c->f[1][i] = v.low.low.b, c->f[2][i] = v.low.high.a, c->f[3][i] = v.low.high.b;
      c->f[4][i] = v.high.low.a, c->f[5][i] = v.high.low.b, c->f[6][i] = v.high.high.a, c->f[7][i] = v.high.high.b;
    }
}

void WeftStripCorners(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *f, WeftCorners *c)
{
  if (p->near)
    SelectCorners(g, s, p, f, c);
  else
    GatherCorners(g, s, p, f, c);
}

/* ---- what is made of them -------------------------------------------------------------------------------------------- */

/* The corners k to k + 3 of place i, those along x and y. */
WEFT_INLINE WeftFour Corners(const WeftCorners *c, int k, int i)
{
  return (WeftFour){{c->f[k][i], c->f[k + 1][i]}, {c->f[k + 2][i], c->f[k + 3][i]}};
}

WEFT_KERNEL void WeftStripInterpolate(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                      const WeftCorners *restrict c, double *restrict value)
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict z = p->w[2];
  const int dim = (int)g->dim, n = s->n;

  if (dim == 1)
    for (int i = 0; i < n; i++) value[i] = WeftLine(c->f[0][i], c->f[1][i], x[i]);
  else if (dim == 2)
    for (int i = 0; i < n; i++) value[i] = WeftSquare(Corners(c, 0, i), x[i], y[i]);
  else
    for (int i = 0; i < n; i++) value[i] = WeftLine(WeftSquare(Corners(c, 0, i), x[i], y[i]), WeftSquare(Corners(c, 4, i), x[i], y[i]), z[i]);
}

WEFT_KERNEL void WeftStripSlope(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                const WeftCorners *restrict c, double slope[restrict 3][WEFT_STRIP])
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict z = p->w[2];
  const int dim = (int)g->dim, n = s->n;

  if (dim == 1)
    for (int i = 0; i < n; i++) slope[0][i] = p->active[0][i] * (c->f[1][i] - c->f[0][i]);
  else if (dim == 2)
    for (int i = 0; i < n; i++) {
      slope[0][i] = p->active[0][i] * WeftSquareX(Corners(c, 0, i), y[i]);
      slope[1][i] = p->active[1][i] * WeftSquareY(Corners(c, 0, i), x[i]);
    }
  else
    for (int i = 0; i < n; i++) {
      slope[0][i] = p->active[0][i] * WeftLine(WeftSquareX(Corners(c, 0, i), y[i]), WeftSquareX(Corners(c, 4, i), y[i]), z[i]);
      slope[1][i] = p->active[1][i] * WeftLine(WeftSquareY(Corners(c, 0, i), x[i]), WeftSquareY(Corners(c, 4, i), x[i]), z[i]);
      slope[2][i] = p->active[2][i] * (WeftSquare(Corners(c, 4, i), x[i], y[i]) - WeftSquare(Corners(c, 0, i), x[i], y[i]));
    }
}

/* ---- the transpose --------------------------------------------------------------------------------------------------- */

/* Do all nodes around the points of the strip belong to me? Then no share is checked. */
static int Inside(const WeftLookup *g, const WeftStrip *s)
{
  const int reach = (int)g->halo;
  int       in    = s->place[0] - reach >= g->node_lo[0] && s->place[0] + s->n + reach <= g->node_hi[0];
  for (int a = 1; a < (int)g->dim; a++)
    in = in && s->place[a] - reach >= g->node_lo[a] && s->place[a] + 1 + reach <= g->node_hi[a];
  return in;
}

/* Shares of one line of two nodes, x the global index of the first. */
static inline void Give(const WeftLookup *g, int check, int x, double *to, double w, double share)
{
  if (!check || (x >= g->node_lo[0] && x < g->node_hi[0])) to[0] += (1.0 - w) * share;
  if (!check || (x + 1 >= g->node_lo[0] && x + 1 < g->node_hi[0])) to[1] += w * share;
}

/* Point by point. */
static void GiveOneByOne(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *restrict bar,
                         double *restrict f_bar)
{
  const int dim = (int)g->dim, check = !Inside(g, s), sy = (int)g->stride[1], sz = (int)g->stride[2];

  for (int i = 0; i < s->n; i++) {
    const int x = (int)p->base[0][i], y = dim > 1 ? (int)p->base[1][i] : 0, z = dim > 2 ? (int)p->base[2][i] : 0;
    for (int kz = z; kz < z + (dim > 2 ? 2 : 1); kz++) {
      const double above = dim > 2 ? (kz > z ? p->w[2][i] : 1.0 - p->w[2][i]) * bar[i] : bar[i];
      if (check && (s->place[2] + kz < g->node_lo[2] || s->place[2] + kz >= g->node_hi[2])) continue;
      for (int ky = y; ky < y + (dim > 1 ? 2 : 1); ky++) {
        const double share = dim > 1 ? (ky > y ? p->w[1][i] : 1.0 - p->w[1][i]) * above : above;
        if (check && (s->place[1] + ky < g->node_lo[1] || s->place[1] + ky >= g->node_hi[1])) continue;
        Give(g, check, s->place[0] + i + x, f_bar + s->at + i + x + ky * sy + kz * sz, p->w[0][i], share);
      }
    }
  }
}

/* What the points give along an axis to layer k = 0, 1, 2 of their nodes, of bar[i] by the places' weights w. A point that gives
   nothing there has the share -0, which changes no sum. */
WEFT_INLINE void Layer(int n, int k, const double *restrict base, double first, const double *restrict w,
                       const double *restrict bar, double *restrict share)
{
  if (k == 0)
    for (int i = 0; i < n; i++) {
      const double lower = (1.0 - w[i]) * bar[i];
      share[i]           = base[i] > first ? -0.0 : lower;
    }
  else if (k == 1)
    for (int i = 0; i < n; i++) {
      const double lower = 1.0 - w[i], upper = w[i];
      share[i] = (base[i] > first ? lower : upper) * bar[i];
    }
  else
    for (int i = 0; i < n; i++) {
      const double upper = w[i] * bar[i];
      share[i]           = base[i] > first ? upper : -0.0;
    }
}

#define PAD 8 /* places before and behind a strip, which give nothing */
#define PADDED (WEFT_STRIP + 2 * PAD)

/* What goes to the lower and to the upper node of a row. */
typedef struct {
  double lower[PADDED], upper[PADDED];
} Shares;

/* Nothing before and behind n places. */
WEFT_INLINE void Pad(int n, Shares *restrict to)
{
  for (int i = 0; i < PAD; i++) {
    to->lower[i] = to->upper[i] = -0.0;
    to->lower[PAD + n + i] = to->upper[PAD + n + i] = -0.0;
  }
}

WEFT_INLINE void SplitRow(int n, const double *restrict w, const double *restrict share, Shares *restrict to)
{
  for (int i = 0; i < n; i++) to->lower[PAD + i] = (1.0 - w[i]) * share[i];
  for (int i = 0; i < n; i++) to->upper[PAD + i] = w[i] * share[i];
}

/* What the points give to the three rows of a layer: as Layer and SplitRow of each row would. */
WEFT_INLINE void SplitRows(int n, const WeftPlaces *restrict p, const double *restrict bar, Shares *restrict to)
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict base = p->base[1], first = p->first[1];
  double *restrict a = to[0].lower + PAD, *restrict b = to[0].upper + PAD, *restrict c = to[1].lower + PAD;
  double *restrict d = to[1].upper + PAD, *restrict e = to[2].lower + PAD, *restrict f = to[2].upper + PAD;

  for (int i = 0; i < n; i++) {
    const int    up  = base[i] > first;
    const double low = (1.0 - y[i]) * bar[i], high = y[i] * bar[i], left = 1.0 - x[i], right = x[i];
    const double one = up ? -0.0 : low, two = up ? low : high, three = up ? high : -0.0;
    a[i] = left * one, b[i] = right * one;
    c[i] = left * two, d[i] = right * two;
    e[i] = left * three, f[i] = right * three;
  }
}

/* Node i, counted from the first one of the strip's first point, gets from the points i - 2, i - 1 and i, in this order. */
WEFT_INLINE void AddRow(int lo, int hi, const double *restrict base, double first, const Shares *restrict from,
                        double *restrict f_bar)
{
  const double *restrict lower = from->lower + PAD, *restrict upper = from->upper + PAD;

  for (int i = lo; i < hi; i++) {
    const double a = upper[i - 2], b = lower[i - 1], c = upper[i - 1], d = lower[i];
    const double one = base[i - 2] > first ? a : -0.0, two = base[i - 1] > first ? b : c, three = base[i] > first ? -0.0 : d;
    f_bar[i] = ((f_bar[i] + one) + two) + three;
  }
}

/* All rows of a layer are split before the first is added to: what is read shifted has then long been written. */
WEFT_INLINE void AddLayer(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p, const double *restrict base,
                          const double *restrict bar, double *restrict f_bar)
{
  const int rows = g->dim > 1 ? 3 : 1, y = g->dim > 1 ? p->first[1] : 0, x = s->place[0] + p->first[0];
  const int lo = PetscMax(0, (int)g->node_lo[0] - x), hi = PetscMin(s->n + 2, (int)g->node_hi[0] - x);
  Shares    split[3];

  for (int k = 0; k < rows; k++) Pad(s->n, &split[k]);
  if (g->dim > 1)
    SplitRows(s->n, p, bar, split);
  else
    SplitRow(s->n, p->w[0], bar, split);
  for (int k = 0; k < rows; k++) {
    const int row = s->place[1] + y + k;
    if (g->dim > 1 && (row < g->node_lo[1] || row >= g->node_hi[1])) continue;
    AddRow(lo, hi, base, p->first[0], &split[k], f_bar + p->first[0] + (y + k) * (int)g->stride[1]);
  }
}

WEFT_KERNEL static void GiveNear(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                 const double *restrict bar, double *restrict f_bar)
{
  double base[PADDED], share[WEFT_STRIP];

  for (int i = 0; i < PAD; i++) base[i] = base[PAD + s->n + i] = p->first[0];
  for (int i = 0; i < s->n; i++) base[PAD + i] = p->base[0][i];
  if (g->dim < 3) {
    AddLayer(g, s, p, base + PAD, bar, f_bar + s->at);
    return;
  }
  for (int k = 0; k < 3; k++) {
    const int z = p->first[2] + k;
    if (s->place[2] + z < g->node_lo[2] || s->place[2] + z >= g->node_hi[2]) continue;
    Layer(s->n, k, p->base[2], p->first[2], p->w[2], bar, share);
    AddLayer(g, s, p, base + PAD, share, f_bar + s->at + z * (int)g->stride[2]);
  }
}

void WeftStripScatter(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *bar, double *f_bar)
{
  if (p->near)
    GiveNear(g, s, p, bar, f_bar);
  else
    GiveOneByOne(g, s, p, bar, f_bar);
}
