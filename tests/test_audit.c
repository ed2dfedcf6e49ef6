/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Spectra of velocities whose modes are known, figures of a flow whose sums are known, and the bounds of an audit. */
#include "support.h"
#include "train/audit.h"

static PetscErrorCode CreateGrid(const char *sides, WeftGrid *grid, WeftSpace *space)
{
  WeftGridOptions box = {0};

  PetscFunctionBegin;
  PetscCall(TestSetKey("grid_cells", "32; 48"));
  PetscCall(TestSetKey("grid_upper", "1; 2"));
  PetscCall(TestSetKey("grid_sides", sides));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, grid));
  PetscCall(WeftSpaceCreateVelocity(*grid, 1, space));
  PetscFunctionReturn(0);
}

/* Faces of axis `field` := value(cell-centred or face place along y). */
static PetscErrorCode Fill(WeftState state, PetscInt field, double (*value)(double y))
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);
  double           *u = WeftStatePlaneWrite(state, field, 0);
  PetscInt          lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, (WeftLocation)field, lo, hi);
  for (PetscInt j = lo[1]; j < hi[1]; j++)
    for (PetscInt i = lo[0]; i < hi[0]; i++) u[WeftLayoutIndex(l, i, j, 0)] = value(((double)j + (field == 1 ? 0.0 : 0.5)) * l->h[1]);
  PetscFunctionReturn(0);
}

static double Wave(double y) { return 3.0 + 2.0 * sin(2.0 * PETSC_PI * 4.0 * y / 2.0); }  /* mean flow and wave number 4 pi */
static double Cosine(double y) { return 3.0 + 2.0 * cos(PETSC_PI * 8.0 * y / 2.0); }

/* All of the fluctuation's energy, 2^2 / 4 = 1, is at wave number 4 pi; bins are pi wide (the box is 2 long). */
static PetscErrorCode TestSpectrum(const char *sides, double (*value)(double y))
{
  WeftGrid  grid;
  WeftSpace space;
  WeftState velocity;
  PetscInt  bins;
  PetscReal width, *energy;

  PetscFunctionBegin;
  PetscCall(CreateGrid(sides, &grid, &space));
  PetscCall(WeftStateCreate(space, &velocity));
  PetscCall(Fill(velocity, 0, value));
  PetscCall(WeftFlowSpectrum(velocity, 0, &bins, &width, &energy));
  PetscCall(TestClose(width, PETSC_PI, 1e-12, "width of a bin"));
  for (PetscInt b = 0; b < bins; b++) PetscCall(TestClose(energy[b] * width, b == 3 ? 1.0 : 0.0, 1e-10, "energy of a bin"));
  PetscCall(PetscFree(energy));
  PetscCall(WeftStateDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestBounds(void)
{
  const WeftAuditBounds none = {0.0, 0.0, 0.0}, all = {2.0, 1e-3, 4.0};
  WeftModelFigures      f = {.kinetic_energy = 1.0, .max_velocity = 1.0, .courant = 1.0, .max_divergence = 1e-6};

  PetscFunctionBegin;
  TestCheck(!WeftAuditBroken(&all, 1.0, &f) && !WeftAuditBroken(&none, 0.1, &f), "a quiet flow breaks a bound");
  TestCheck(!strcmp(WeftAuditBroken(&all, 0.4, &f), "audit_energy"), "energy");
  f.max_divergence = 1e-2;
  TestCheck(!strcmp(WeftAuditBroken(&all, 1.0, &f), "audit_divergence"), "divergence");
  f.max_divergence = 0.0;
  f.courant        = 5.0;
  TestCheck(!strcmp(WeftAuditBroken(&all, 1.0, &f), "audit_courant"), "Courant number");
  f.kinetic_energy = NAN;
  TestCheck(!strcmp(WeftAuditBroken(&none, 1.0, &f), "finite"), "a flow that is not finite");
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(TestSpectrum("periodic", Wave));
  PetscCall(TestSpectrum("periodic;slip", Cosine));
  PetscCall(TestBounds());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
