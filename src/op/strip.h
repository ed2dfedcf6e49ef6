/* Inside src/op: lookups, strip by strip. Points are taken in strips of a row: the places of a strip come first, then the values at
   the nodes around them, then what is made of these; each in loops over the strip that vectorise (strip.c).

   The nodes: where the places of a strip lie within two cells of each other along every axis, as they do in flows that are smooth
   on the grid, they are read in rows and selected; elsewhere they are gathered one by one. Both make the
   same values, and scatters the same sums in the same order: WeftLookup's `plain` takes the second everywhere, for tests. */
#ifndef WEFT_OP_STRIP_H
#define WEFT_OP_STRIP_H
#include "base/kernel.h"
#include "op/lookup.h"

#define WEFT_STRIP 64

typedef struct {
  int at, place[3], n; /* in the plane, global indices of the first point, points */
} WeftStrip;
typedef struct {
  double w[3][WEFT_STRIP];      /* where between the nodes, 0 <= w < 1; axes that are not there are left out everywhere */
  double active[3][WEFT_STRIP]; /* 0 where a side or a fault holds the place, else 1 */
  double base[3][WEFT_STRIP];   /* the lower node, from the point */
  int    near, first[3];        /* near: base is first or first + 1, along every axis; first + 2 is in the halo */
} WeftPlaces;
typedef struct {
  double f[8][WEFT_STRIP]; /* x fastest */
} WeftCorners;

/* Goes through the points [lo, hi) in strips s. */
#define WEFT_FOR_STRIPS(g, low, high, s)                                                                                       \
  for (int k_ = (int)(low)[2]; k_ < (high)[2]; k_++)                                                                           \
    for (int j_ = (int)(low)[1]; j_ < (high)[1]; j_++)                                                                         \
      for (WeftStrip s = {(int)((g)->zero + (low)[0] + j_ * (g)->stride[1] + k_ * (g)->stride[2]),                             \
                          {(int)(low)[0], j_, k_},                                                                             \
                          (int)PetscMin(WEFT_STRIP, (high)[0] - (low)[0])};                                                    \
           s.n > 0; s.at += WEFT_STRIP, s.place[0] += WEFT_STRIP, s.n = (int)PetscMin(WEFT_STRIP, (high)[0] - s.place[0]))

/* d[i]: displacement of the points along an axis, from the velocity there (a plane). */
void WeftStripDisplace(const WeftLookup *g, const WeftStrip *s, int axis, const double *u, double *d);
/* Places of the points sign times their displacements away; d[axis][i]. Returns whether one is a fault (it stays at its point). */
int WeftStripPlace(const WeftLookup *g, const WeftStrip *s, double sign, const double *const d[3], WeftPlaces *p);
/* Both. velocity: planes. */
int WeftStripPlaceBy(const WeftLookup *g, const WeftStrip *s, double sign, const double *const velocity[3], WeftPlaces *p);
/* The plane f at the 2^dim nodes around each place. */
void WeftStripCorners(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *f, WeftCorners *c);
/* value[i], and slope[axis][i]: 0 along axes where the place is held. */
void WeftStripInterpolate(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const WeftCorners *c, double *value);
void WeftStripSlope(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const WeftCorners *c,
                    double slope[3][WEFT_STRIP]);
/* Adds the shares of bar[i] to those nodes of the plane f_bar that are mine, for each node in the order of the points. */
void WeftStripScatter(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, const double *bar, double *f_bar);

/* A node around a point is named by its offset k from the point along each axis: 1 + (k_x + halo) + side ((k_y + halo) + side
   (k_z + halo)), side = 2 halo + 1; the same on every rank. Code: the name of the lowest node around each place. */
void               WeftStripCode(const WeftLookup *g, const WeftStrip *s, const WeftPlaces *p, double *code);
static inline void WeftNodeOf(const WeftLookup *g, double code, int k[3])
{
  const int halo = (int)g->halo, side = 2 * halo + 1, c = (int)code - 1;
  k[0] = c % side - halo;
  k[1] = c / side % side - halo;
  k[2] = c / side / side - halo;
}
#endif
