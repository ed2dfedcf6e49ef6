/* ctest: case; ranks 2; timeout 600 */
/* Lid-driven cavity at Re 100 and 1000 against the tables of Ghia, Ghia, Shin (J. Comput. Phys. 48, 1982): u along x = 1/2, v along
   y = 1/2, at interior points. Values between those of the grid by cubic interpolation, walls included. The tables themselves are off
   by up to 0.003 (Re 100) and 0.012 (Re 1000), as the extremes on these lines show, which are known to more digits from a spectral
   method (Botella, Peyret, Comput. Fluids 27, 1998). The errors fall with an order above 1 from half the cells, the time step with
   the spacing. The backtrace of advection is an Euler step, at whose ends the forces act: first order in the time step, in a
   steady state too; at Re 1000 half of it takes the errors to 0.013 and 0.017. */
#include <weft/io.h>
#include "flow.h"

#define GHIA 15
static const double ghia_y[GHIA] = {0.9766, 0.9688, 0.9609, 0.9531, 0.8516, 0.7344, 0.6172, 0.5000,
                                    0.4531, 0.2813, 0.1719, 0.1016, 0.0703, 0.0625, 0.0547};
static const double ghia_x[GHIA] = {0.9688, 0.9609, 0.9531, 0.9453, 0.9063, 0.8594, 0.8047, 0.5000,
                                    0.2344, 0.2266, 0.1563, 0.0938, 0.0781, 0.0703, 0.0625};

/* Through the four points around `at`. */
static double Cubic(PetscInt n, const double place[], const double value[], double at)
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
static PetscErrorCode MiddleLine(Flow *f, PetscInt component, double lid, PetscInt *n, double place[], double value[])
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

/* A flow on two grids, and what the finer is held to. */
typedef struct {
  const char *reynolds, *cells[2], *dt[2];
  PetscReal   end;                      /* time at which it is steady */
  double      u[GHIA], v[GHIA];         /* Ghia's tables */
  double      extremes[3];              /* least u, greatest v, least v */
  double      table_most, extreme_most; /* largest differences from both, of the lid's speed */
} CavityFlow;

static const CavityFlow flows[] = {
  {"100",
   {"32;32", "64;64"},
   {"0.01", "0.005"},
   20.0,
   {0.84123,  0.78871,  0.73722,  0.68717,  0.23151,  0.00332,  -0.13641, -0.20581,
    -0.21090, -0.15662, -0.10150, -0.06434, -0.04775, -0.04192, -0.03717},
   {-0.05906, -0.07391, -0.08864, -0.10313, -0.16914, -0.22445, -0.24533, 0.05454,
    0.17527,  0.17507,  0.16077,  0.12317,  0.10890,  0.10091,  0.09233},
   {-0.2140, 0.1796, -0.2538},
   0.005,
   0.007},
  {"1000",
   {"64;64", "128;128"},
   {"0.0078125", "0.00390625"},
   60.0,
   {0.65928,  0.57492,  0.51117,  0.46604,  0.33304,  0.18719,  0.05702, -0.06080,
    -0.10648, -0.27805, -0.38289, -0.29730, -0.22220, -0.20196, -0.18109},
   {-0.21388, -0.27669, -0.33714, -0.39188, -0.51550, -0.42665, -0.31966, 0.02526,
    0.32235,  0.33075,  0.37095,  0.32627,  0.30353,  0.29012,  0.27485},
   {-0.3885698, 0.3769447, -0.5270771},
   0.02,
   0.024},
};

/* Largest differences from the tables and from the extremes, of the lid's speed. */
typedef struct {
  double table, extreme;
} CavityError;

static void Extremes(PetscInt n, const double place[], const double value[], double *least, double *greatest)
{
  *least = *greatest = 0.0;
  for (PetscInt i = 0; i < 2000; i++) {
    const double between = Cubic(n, place, value, (i + 0.5) / 2000.0);
    *least               = PetscMin(*least, between);
    *greatest            = PetscMax(*greatest, between);
  }
}

/* Plays to the end, when the flow is steady, and compares. */
static PetscErrorCode Compare(const CavityFlow *flow, int fine, CavityError *error)
{
  double   place[300], value[300], least[2], greatest[2];
  PetscInt n = 0;
  Flow     f;

  PetscFunctionBegin;
  PetscCall(FlowCase("cavity/simulate.yaml"));
  PetscCall(TestSetKey("grid_cells", flow->cells[fine]));
  PetscCall(TestSetKey("model_dt", flow->dt[fine]));
  PetscCall(TestSetKey("model_reynolds", flow->reynolds));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, (PetscInt)(flow->end / WeftModelTimeStep(f.model))));
  *error = (CavityError){0.0, 0.0};
  for (PetscInt c = 0; c < 2; c++) {
    PetscCall(MiddleLine(&f, c, c ? 0.0 : 1.0, &n, place, value));
    for (PetscInt i = 0; i < GHIA; i++) {
      const double at = c ? ghia_x[i] : ghia_y[i], expected = c ? flow->v[i] : flow->u[i];
      error->table = PetscMax(error->table, fabs(Cubic(n, place, value, at) - expected));
    }
    Extremes(n, place, value, &least[c], &greatest[c]);
  }
  error->extreme = PetscMax(fabs(least[0] - flow->extremes[0]),
                            PetscMax(fabs(greatest[1] - flow->extremes[1]), fabs(least[1] - flow->extremes[2])));
  PetscCall(WeftLog("cavity at Re %s, %s cells: differs by up to %.4f from Ghia et al.; least u %.4f, greatest v %.4f, least v "
                    "%.4f, by up to %.4f from Botella, Peyret",
                    flow->reynolds, flow->cells[fine], error->table, least[0], greatest[1], least[1], error->extreme));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(flows); i++) {
    const CavityFlow *flow = &flows[i];
    CavityError       coarse, fine;
    PetscCall(Compare(flow, 0, &coarse));
    PetscCall(Compare(flow, 1, &fine));
    TestCheck(fine.table <= flow->table_most, "Re %s: differs by %g from the tables", flow->reynolds, fine.table);
    TestCheck(fine.extreme <= flow->extreme_most, "Re %s: extremes differ by %g", flow->reynolds, fine.extreme);
    TestCheck(2.0 * fine.table < coarse.table && 2.0 * fine.extreme < coarse.extreme, "Re %s: errors %g, %g; on half the cells %g, %g",
              flow->reynolds, fine.table, fine.extreme, coarse.table, coarse.extreme);
  }
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
