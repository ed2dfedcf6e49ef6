/* Inside src/op: lookups of strips whose places lie near each other, in one pass from the velocity to the result: neither places nor
   nodes are kept. For strips that no side may hold, in 2D and 3D.

   Guessed is the node from which on the places lie within two cells along every axis: the one below the middle point's place, rounded.
   Then base - first is 0 or 1 at every point, which the pass looks at as it goes; where it is something else, or no number, what was
   made is of no use and the caller takes the way of strip.c, whose bits these are. A displacement is the mean of four velocities,
   some of which are the same where fewer are asked for: twice and four times a number is exact. */
#ifndef WEFT_OP_NEAR_H
#define WEFT_OP_NEAR_H
#include <math.h>
#include <stdint.h>
#include "op/strip.h"

/* The strip along an axis: the four velocities of its first point, their factor with the sign, the guess. */
typedef struct {
  const double *u[4];
  double        factor, first;
} WeftNearAxis;

WEFT_INLINE double WeftNearMoved(WeftNearAxis a, int i)
{
  return a.factor * ((a.u[0][i] + a.u[1][i]) + (a.u[2][i] + a.u[3][i]));
}

/* May a side hold a place? */
static inline int WeftNearHeld(const WeftLookup *g, const WeftStrip *s)
{
  for (int a = 0; a < (int)g->dim; a++) {
    const PetscReal first = s->place[a], last = first + (a == 0 ? s->n - 1 : 0), reach = (PetscReal)g->halo;
    if (first - reach < g->below[a] || last + reach > g->above[a]) return 1;
  }
  return 0;
}

/* The place of the guessed node from the point; whether there is a guess. Displacements are then within the halo too. */
WEFT_INLINE int WeftNearGuess(const WeftLookup *g, const WeftStrip *s, double sign, const double *const velocity[3], WeftNearAxis axis[3], int *first)
{
  if (g->plain || g->dim < 2 || WeftNearHeld(g, s)) return 0;
  *first = 0;
  for (int a = 0; a < (int)g->dim; a++) {
    const int     own = (int)g->location == a, cell = g->location == WEFT_CELL;
    const int     along = own ? 0 : (int)g->stride[a], across = own || cell ? 0 : (int)g->stride[g->location];
    const double *u = velocity[a] + s->at;
    axis[a]         = (WeftNearAxis){{u, u + along, u - across, u - across + along}, sign * (0.25 * g->factor[a]), 0.0};
    axis[a].first   = floor(WeftNearMoved(axis[a], s->n / 2) + 0.5) - 1.0;
    if (!(axis[a].first > -(double)g->halo && axis[a].first + 2.0 <= (double)g->halo)) return 0;
    *first += (int)g->stride[a] * (int)axis[a].first;
  }
  return 1;
}

/* Gathers what base - first is at the points: 0 and 1 leave the sign and the highest bit of the exponent clear. */
WEFT_INLINE int64_t WeftNearBits(double k)
{
  int64_t bits;
  memcpy(&bits, &k, sizeof(bits));
  return bits;
}
#define WEFT_NEAR(bits) (!((bits) & (int64_t)0xC000000000000000))

/* Of three values in a row the first two or the last two; the same of three rows, and of three layers. */
typedef struct {
  double a, b;
} WeftPair;
typedef struct {
  WeftPair low, high;
} WeftFour;
typedef struct {
  WeftFour low, high;
} WeftEight;

WEFT_INLINE WeftPair WeftSelectPair(const double *r, int up)
{
  const double a = r[0], b = r[1], c = r[2]; /* loaded anyway: no branches */
  return (WeftPair){up ? b : a, up ? c : b};
}
WEFT_INLINE WeftPair WeftEitherPair(int up, WeftPair low, WeftPair high)
{
  return (WeftPair){up ? high.a : low.a, up ? high.b : low.b};
}
WEFT_INLINE WeftFour WeftSelectFour(const double *r, int sy, int up_x, int up_y)
{
  const WeftPair low = WeftSelectPair(r, up_x), middle = WeftSelectPair(r + sy, up_x), high = WeftSelectPair(r + 2 * sy, up_x);
  return (WeftFour){WeftEitherPair(up_y, low, middle), WeftEitherPair(up_y, middle, high)};
}
WEFT_INLINE WeftFour WeftEitherFour(int up, WeftFour low, WeftFour high)
{
  return (WeftFour){WeftEitherPair(up, low.low, high.low), WeftEitherPair(up, low.high, high.high)};
}
WEFT_INLINE WeftEight WeftSelectEight(const double *r, int sy, int sz, int up_x, int up_y, int up_z)
{
  const WeftFour low = WeftSelectFour(r, sy, up_x, up_y), middle = WeftSelectFour(r + sz, sy, up_x, up_y), high = WeftSelectFour(r + 2 * sz, sy, up_x, up_y);
  return (WeftEight){WeftEitherFour(up_z, low, middle), WeftEitherFour(up_z, middle, high)};
}

/* Between nodes. */
WEFT_INLINE double WeftLine(double a, double b, double x)
{
  return (1.0 - x) * a + x * b;
}
WEFT_INLINE double WeftSquare(WeftFour c, double x, double y)
{
  return WeftLine(WeftLine(c.low.a, c.low.b, x), WeftLine(c.high.a, c.high.b, x), y);
}
WEFT_INLINE double WeftSquareX(WeftFour c, double y)
{
  return WeftLine(c.low.b - c.low.a, c.high.b - c.high.a, y);
}
WEFT_INLINE double WeftSquareY(WeftFour c, double x)
{
  return WeftLine(c.high.a, c.high.b, x) - WeftLine(c.low.a, c.low.b, x);
}

/* Where a point looks: base - first along an axis, and the weight of the node above base. */
WEFT_INLINE double WeftNearBase(double q, double first, double *w)
{
  const double base = floor(q);
  *w                = q - base;
  return base - first;
}
#endif
