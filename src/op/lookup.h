/* Inside src/op: lookups of a field at places displaced by a velocity, the tool of semi-Lagrangian schemes.

   All in index space: the point p of a field looks at p + sign d, d = dt velocity(p) / h in cells; sign -1 traces back, +1
   forward. Along an axis the place lies at node p + base + w, base = floor, 0 <= w < 1: on a node it belongs to the upper cell.
     value(p)   = sum over nodes of weight f(node), weights 1 - w and w along each axis, multiplied
     d value    = sum of weight df(node) + sum over axes a of sign slope_a dd_a, slope_a the difference of f along a
     f_bar(node) += weight value_bar(p);  d_bar_a(p) += sign slope_a value_bar(p)
   Sides: a place behind a side is put where everything beyond is constant, one spacing outside the unknowns (the wall itself
   for faces behind mirroring walls, where the ghost is an image and no value); its slope along that axis is zero.
   Every sum runs over the nodes in global order, so the bits do not depend on the block that a point lies in. */
#ifndef WEFT_OP_LOOKUP_H
#define WEFT_OP_LOOKUP_H
#include "op/impl.h"

typedef struct {
  PetscInt     dim, stride[3];
  PetscInt     zero;                     /* place in the plane of the point (0, 0, 0) */
  WeftLocation location;                 /* where the points stand */
  PetscInt     halo;                     /* a displacement of so many cells or more is a fault */
  PetscInt     lo[3], hi[3];             /* points that I own */
  PetscInt     point_lo[3], point_hi[3]; /* and those of my neighbours that may look at my nodes */
  PetscInt     node_lo[3], node_hi[3];   /* nodes that take adjoints: mine, and one beyond my sides */
  PetscReal    factor[3];                /* displacement in cells per velocity */
  PetscReal    below[3], above[3];       /* where places are held at sides, in global indices */
  PetscReal    ceiling[3];               /* the last cell of a lookup; a place held at its upper end stays in it */
  PetscBool    plain;                    /* nodes one by one everywhere (strip.h): the same values, slower */
} WeftLookup;
void WeftLookupSetUp(const WeftLayout *layout, WeftLocation location, PetscReal dt, WeftLookup *lookup);

/* Arrays of planes are [axis]. Ghosts of f and velocity must be filled `halo` layers deep. */

/* y = f looked up. *fault: some displacement is not below the halo. */
void WeftLookupValues(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f, double *y,
                      PetscInt *fault);
/* dy = its tangent; dvelocity[0] or df NULL: zero. */
void WeftLookupTangent(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *f,
                       const double *const dvelocity[3], const double *df, double *dy);
/* d[axis] = displacement of the points that I own. border: of those that a neighbour sees, and no matter which others. */
void WeftLookupDisplace(const WeftLookup *g, PetscBool border, const double *const velocity[3], double *const d[3]);
/* The largest of them, or one that is no number: its size, point and axis. */
double WeftLookupWorst(const WeftLookup *g, double *const d[3], PetscInt at[3], PetscInt *axis);
/* d_bar[axis] = (add: +=) scale sign slope_a bar at the points that I own, and f_bar += scale weight bar, from my points and my
   neighbours' to my nodes; NULL: not wanted. The displacements of my points come from the velocity, those of my neighbours from d:
   its ghosts, and those of bar, must be filled. One pass in the order of the points. */
void WeftLookupAdjoint(const WeftLookup *g, PetscInt sign, const double *const velocity[3], const double *const d[3],
                       const double *f, PetscReal scale, const double *bar, PetscBool add, double *const d_bar[3],
                       double *f_bar);
/* velocity_bar of one axis += transposed mean of d_bar (one ghost layer filled); range: faces that take. */
void WeftLookupFaces(const WeftLookup *g, PetscInt axis, const PetscInt lo[3], const PetscInt hi[3], const double *d_bar,
                     double *velocity_bar);

/* MacCormack's correction, limited (limiter.c). forward: f traced back; back: forward traced forth.
     m = forward + (f - back) / 2;  y = m held between the least and the largest f at the nodes around the place
   code[p]: 0 where m is within, else it names the node whose value took its place. code may be NULL. */
void WeftLookupLimit(const WeftLookup *g, const double *const velocity[3], const double *f, const double *forward, double *y,
                     double *code);
/* dy: on entry the tangent of back. Ghosts of df filled. */
void WeftLookupLimitTangent(const WeftLookup *g, const double *code, const double *df, const double *dforward, double *dy);
/* within = bar where m is within, else 0, at my points and my neighbours'. */
void WeftLookupLimitAdjoint(const WeftLookup *g, const double *code, const double *bar, double *within);
/* f_bar += bar at the nodes that took m's place, from my points and my neighbours' to my nodes. */
void WeftLookupLimitScatter(const WeftLookup *g, const double *code, const double *bar, double *f_bar);
/* The branch of each point for WeftOpBranches: cell of the lookup and whether a side holds it, as one number per point. */
void WeftLookupBranches(const WeftLookup *g, PetscInt sign, const double *const d[3], PetscInt branches[]);
void WeftLookupLimitBranches(const WeftLookup *g, const double *code, PetscInt branches[]);
#endif
