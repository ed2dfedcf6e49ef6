/* Strips of points: places, the values at the nodes around them, what is made of these, and the transpose. */
#include <math.h>
#include "op/strip.h"

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

/* Where the points of the strip look along axis a, from their displacements. */
WEFT_INLINE int Place(const WeftLookup *g, const WeftStrip *s, int a, double sign, const double *restrict d,
                      WeftPlaces *restrict p)
{
  const int    n     = s->n;
  const double limit = (double)g->halo, step = a == 0 ? 1.0 : 0.0;
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
    p->base[a][i]    = base;
    fault |= bad;
  }
  return fault;
}

/* Are all bases `first` or the one above? */
WEFT_INLINE int Near(const WeftLookup *g, int n, const double *restrict base, int *first)
{
  const double one   = base[0];
  int          above = 0, below = 0, far = 0;

  for (int i = 0; i < n; i++) {
    const double k = base[i] - one;
    above |= k > 0.0;
    below |= k < 0.0;
    far |= fabs(k) > 1.0;
  }
  *first = (int)one - (below || (!above && (int)one + 2 > (int)g->halo) ? 1 : 0);
  return !far && !(above && below);
}

WEFT_KERNEL int WeftStripPlace(const WeftLookup *g, const WeftStrip *s, double sign, const double *const d[3], WeftPlaces *p)
{
  int fault = 0;

  p->near = !g->plain;
  for (int a = 0; a < (int)g->dim; a++) {
    fault |= Place(g, s, a, sign, d[a], p);
    if (p->near) p->near = Near(g, s->n, p->base[a], &p->first[a]);
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

/* Of three values in a row the first two or the last two; the same of three rows, and of three layers. */
typedef struct {
  double a, b;
} Pair;
typedef struct {
  Pair low, high;
} Four;
WEFT_INLINE Pair SelectPair(const double *r, int up)
{
  return (Pair){up ? r[1] : r[0], up ? r[2] : r[1]};
}
WEFT_INLINE Pair EitherPair(int up, Pair low, Pair high)
{
  return (Pair){up ? high.a : low.a, up ? high.b : low.b};
}
WEFT_INLINE Four SelectFour(const double *r, int sy, int up_x, int up_y)
{
  const Pair low = SelectPair(r, up_x), middle = SelectPair(r + sy, up_x), high = SelectPair(r + 2 * sy, up_x);
  return (Four){EitherPair(up_y, low, middle), EitherPair(up_y, middle, high)};
}

WEFT_KERNEL static void SelectCorners(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                      const double *restrict f, WeftCorners *restrict c)
{
  const int    dim = (int)g->dim, sy = (int)g->stride[1], sz = (int)g->stride[2], n = s->n;
  const double x = p->first[0], y = dim > 1 ? p->first[1] : 0, z = dim > 2 ? p->first[2] : 0;
  const double *restrict from = f + s->at + p->first[0] + (dim > 1 ? sy * p->first[1] : 0) + (dim > 2 ? sz * p->first[2] : 0);

  if (dim == 1)
    for (int i = 0; i < n; i++) {
      const Pair v = SelectPair(from + i, p->base[0][i] > x);
      c->f[0][i] = v.a, c->f[1][i] = v.b;
    }
  else if (dim == 2)
    for (int i = 0; i < n; i++) {
      const Four v = SelectFour(from + i, sy, p->base[0][i] > x, p->base[1][i] > y);
      c->f[0][i] = v.low.a, c->f[1][i] = v.low.b, c->f[2][i] = v.high.a, c->f[3][i] = v.high.b;
    }
  else
    for (int i = 0; i < n; i++) {
      const int  up_x = p->base[0][i] > x, up_y = p->base[1][i] > y, up_z = p->base[2][i] > z;
      const Four low = SelectFour(from + i, sy, up_x, up_y), middle = SelectFour(from + i + sz, sy, up_x, up_y),
                 high = SelectFour(from + i + 2 * sz, sy, up_x, up_y);
      const Pair v[4] = {EitherPair(up_z, low.low, middle.low), EitherPair(up_z, low.high, middle.high),
                         EitherPair(up_z, middle.low, high.low), EitherPair(up_z, middle.high, high.high)};
      c->f[0][i] = v[0].a, c->f[1][i] = v[0].b, c->f[2][i] = v[1].a, c->f[3][i] = v[1].b;
      c->f[4][i] = v[2].a, c->f[5][i] = v[2].b, c->f[6][i] = v[3].a, c->f[7][i] = v[3].b;
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

WEFT_INLINE double Line(double a, double b, double x)
{
  return (1.0 - x) * a + x * b;
}
/* Along x and y, between the corners k to k + 3 of place i. */
WEFT_INLINE double Square(const WeftCorners *c, int k, int i, double x, double y)
{
  return Line(Line(c->f[k][i], c->f[k + 1][i], x), Line(c->f[k + 2][i], c->f[k + 3][i], x), y);
}
WEFT_INLINE double SquareX(const WeftCorners *c, int k, int i, double y)
{
  return Line(c->f[k + 1][i] - c->f[k][i], c->f[k + 3][i] - c->f[k + 2][i], y);
}
WEFT_INLINE double SquareY(const WeftCorners *c, int k, int i, double x)
{
  return Line(c->f[k + 2][i], c->f[k + 3][i], x) - Line(c->f[k][i], c->f[k + 1][i], x);
}

WEFT_KERNEL void WeftStripInterpolate(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                      const WeftCorners *restrict c, double *restrict value)
{
  const double *restrict x = p->w[0], *restrict y = p->w[1], *restrict z = p->w[2];
  const int dim = (int)g->dim, n = s->n;

  if (dim == 1)
    for (int i = 0; i < n; i++) value[i] = Line(c->f[0][i], c->f[1][i], x[i]);
  else if (dim == 2)
    for (int i = 0; i < n; i++) value[i] = Square(c, 0, i, x[i], y[i]);
  else
    for (int i = 0; i < n; i++) value[i] = Line(Square(c, 0, i, x[i], y[i]), Square(c, 4, i, x[i], y[i]), z[i]);
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
      slope[0][i] = p->active[0][i] * SquareX(c, 0, i, y[i]);
      slope[1][i] = p->active[1][i] * SquareY(c, 0, i, x[i]);
    }
  else
    for (int i = 0; i < n; i++) {
      slope[0][i] = p->active[0][i] * Line(SquareX(c, 0, i, y[i]), SquareX(c, 4, i, y[i]), z[i]);
      slope[1][i] = p->active[1][i] * Line(SquareY(c, 0, i, x[i]), SquareY(c, 4, i, x[i]), z[i]);
      slope[2][i] = p->active[2][i] * (Square(c, 4, i, x[i], y[i]) - Square(c, 0, i, x[i], y[i]));
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

/* What the points of a strip give along an axis to the layers first, first + 1, first + 2 of their nodes: k = 0, 1, 2. A point that
   gives nothing there has the share -0, which changes no sum. */
WEFT_INLINE double Share(double base, double first, double w, int k, double bar)
{
  const int up = base > first;
  if (k == 0) return up ? -0.0 : (1.0 - w) * bar;
  if (k == 1) return (up ? 1.0 - w : w) * bar;
  return up ? w * bar : -0.0;
}

#define PAD 8 /* before and behind a strip's shares */

/* share[i] of the points for a row of nodes; f_bar: the row's node above the strip's first point. Sums in the order of the points. */
WEFT_INLINE void GiveRow(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p, const double *restrict share,
                         double *restrict f_bar)
{
  const int n = s->n, first = p->first[0];
  const int lo   = PetscMax(0, (int)g->node_lo[0] - s->place[0] - first),
            hi   = PetscMin(n + 2, (int)g->node_hi[0] - s->place[0] - first);
  const double x = first;
  double       part[3][WEFT_STRIP + 2 * PAD];

  for (int k = 0; k < 3; k++)
    for (int i = 0; i < PAD; i++) part[k][i] = part[k][PAD + n + i] = -0.0;
  for (int i = 0; i < n; i++) {
    const int    up    = p->base[0][i] > x;
    const double lower = (1.0 - p->w[0][i]) * share[i], upper = p->w[0][i] * share[i];
    part[0][PAD + i] = up ? -0.0 : lower;
    part[1][PAD + i] = up ? lower : upper;
    part[2][PAD + i] = up ? upper : -0.0;
  }
  f_bar += first;
  for (int i = lo; i < hi; i++) f_bar[i] = ((f_bar[i] + part[2][PAD + i - 2]) + part[1][PAD + i - 1]) + part[0][PAD + i];
}

WEFT_KERNEL static void GiveNear(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *restrict p,
                                 const double *restrict bar, double *restrict f_bar)
{
  const int dim = (int)g->dim;
  double    above[WEFT_STRIP], share[WEFT_STRIP];

  for (int kz = 0; kz < (dim > 2 ? 3 : 1); kz++) {
    const int z = dim > 2 ? p->first[2] + kz : 0;
    if (dim > 2 && (s->place[2] + z < g->node_lo[2] || s->place[2] + z >= g->node_hi[2])) continue;
    for (int i = 0; i < s->n; i++) above[i] = dim > 2 ? Share(p->base[2][i], p->first[2], p->w[2][i], kz, bar[i]) : bar[i];
    for (int ky = 0; ky < (dim > 1 ? 3 : 1); ky++) {
      const int y = dim > 1 ? p->first[1] + ky : 0;
      if (dim > 1 && (s->place[1] + y < g->node_lo[1] || s->place[1] + y >= g->node_hi[1])) continue;
      for (int i = 0; i < s->n; i++)
        share[i] = dim > 1 ? Share(p->base[1][i], p->first[1], p->w[1][i], ky, above[i]) : above[i];
      GiveRow(g, s, p, share, f_bar + s->at + y * (int)g->stride[1] + z * (int)g->stride[2]);
    }
  }
}

void WeftStripScatter(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *bar, double *f_bar)
{
  if (p->near)
    GiveNear(g, s, p, bar, f_bar);
  else
    GiveOneByOne(g, s, p, bar, f_bar);
}
