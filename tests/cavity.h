/* The cavity against the tables of Ghia, Ghia, Shin (J. Comput. Phys. 48, 1982): u along x = 1/2, v along y = 1/2, at interior
   points. Values between those of the grid by cubic interpolation, walls included. The tables themselves are off by up to 0.003 (Re
   100) and 0.012 (Re 1000), as the extremes on these lines show, which are known to more digits from a spectral method (Botella,
   Peyret, Comput. Fluids 27, 1998). */
#ifndef WEFT_TEST_CAVITY_H
#define WEFT_TEST_CAVITY_H
#include <weft/io.h>
#include "flow.h"

#define GHIA 15
static const double ghia_y[GHIA] = {0.9766, 0.9688, 0.9609, 0.9531, 0.8516, 0.7344, 0.6172, 0.5000,
                                    0.4531, 0.2813, 0.1719, 0.1016, 0.0703, 0.0625, 0.0547};
static const double ghia_x[GHIA] = {0.9688, 0.9609, 0.9531, 0.9453, 0.9063, 0.8594, 0.8047, 0.5000,
                                    0.2344, 0.2266, 0.1563, 0.0938, 0.0781, 0.0703, 0.0625};

/* Through the four points around `at`. */
static inline double Cubic(PetscInt n, const double place[], const double value[], double at)
{
  PetscInt first = 0;
  double   sum   = 0.0;

  while (first + 4 < n && place[first + 2] <= at) first++;
  for (PetscInt i = first; i < first + 4; i++) {
    double weight = 1.0;
    for (PetscInt j = first; j < first + 4; j++)
      if (j != i) weight *= (at - place[j]) / (place[i] - place[j]);
    sum += weight * value[i];
  }
  return sum;
}

/* Values of one component along the middle line of its faces, with those at the two walls. */
static inline PetscErrorCode MiddleLine(Flow *f, PetscInt component, double lid, PetscInt *n, double place[], double value[])
{
  const PetscInt cells = WeftGridLayout(f->grid)->cells[0];
  PetscInt       shape[3];
  double        *all;

  PetscFunctionBegin;
  PetscCall(WeftStateGather(f->in[0], component, 0, shape, &all)); /* [y][x]; cells - 1 faces along the component's axis */
  *n            = cells + 2;
  place[0]      = 0.0;
  value[0]      = 0.0;
  place[*n - 1] = 1.0;
  value[*n - 1] = lid;
  for (PetscInt i = 0; i < cells; i++) {
    place[i + 1] = (i + 0.5) / cells;
    value[i + 1] = component == 0 ? all[i * (cells - 1) + cells / 2 - 1] : all[(cells / 2 - 1) * cells + i];
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* What a run is held to: Ghia's tables, and the extremes: least u, greatest v, least v. */
typedef struct {
  const double *u, *v;
  double        extremes[3];
} CavityReference;

/* Largest differences from the tables and from the extremes, of the lid's speed. */
typedef struct {
  double table, extreme;
} CavityError;

static inline void Extremes(PetscInt n, const double place[], const double value[], double *least, double *greatest)
{
  *least = *greatest = 0.0;
  for (PetscInt i = 0; i < 2000; i++) {
    const double between = Cubic(n, place, value, (i + 0.5) / 2000.0);
    *least               = PetscMin(*least, between);
    *greatest            = PetscMax(*greatest, between);
  }
}

/* Plays to time `end`, when the flow is steady, and compares. */
static inline PetscErrorCode CavityCompare(const char *cells, const char *dt, const char *reynolds, PetscReal end,
                                           const CavityReference *reference, CavityError *error)
{
  double   place[300], value[300], least[2], greatest[2];
  PetscInt n = 0;
  Flow     f;

  PetscFunctionBegin;
  PetscCall(FlowCase("cavity/simulate.yaml"));
  PetscCall(TestSetKey("grid_cells", cells));
  PetscCall(TestSetKey("model_dt", dt));
  PetscCall(TestSetKey("model_reynolds", reynolds));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, (PetscInt)(end / WeftModelTimeStep(f.model))));
  *error = (CavityError){0.0, 0.0};
  for (PetscInt c = 0; c < 2; c++) {
    PetscCall(MiddleLine(&f, c, c ? 0.0 : 1.0, &n, place, value));
    for (PetscInt i = 0; i < GHIA; i++) {
      const double at = c ? ghia_x[i] : ghia_y[i], expected = c ? reference->v[i] : reference->u[i];
      error->table = PetscMax(error->table, fabs(Cubic(n, place, value, at) - expected));
    }
    Extremes(n, place, value, &least[c], &greatest[c]);
  }
  error->extreme = PetscMax(fabs(least[0] - reference->extremes[0]),
                            PetscMax(fabs(greatest[1] - reference->extremes[1]), fabs(least[1] - reference->extremes[2])));
  PetscCall(WeftLog("cavity at Re %s, %s cells: differs by up to %.4f from Ghia et al.; least u %.4f, greatest v %.4f, least v "
                    "%.4f, by up to %.4f from Botella, Peyret",
                    reynolds, cells, error->table, least[0], greatest[1], least[1], error->extreme));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}
#endif
