/* ctest: case; ranks 1 2 4; timeout 60 */
/* What the verb invert can look for, and what it can look at: the gradient of every kind of unknown alone, with every parametrisation
   that it may have, which the verb checks by Taylor remainders (it fails where the order is not 2); and data from every source, for which
   the misfit at the truth is 0. */
#include "invert.h"

/* A flow whose step reads everything; the first guess of the smoke is positive. */
static PetscErrorCode SetCase(void)
{
  static const char *const keys[][2] = {
    {"grid_cells", "12;16"}, {"grid_lower", "0;0"}, {"grid_upper", "12;16"}, {"grid_sides", "periodic;noslip"}, {"model_dt", "0.2"},
    {"model_steps", "advect smoke;inflow;diffuse smoke;advect velocity;diffuse velocity;buoyancy;control;project"},
    {"model_viscosity", "0.4"}, {"model_diffusivity", "0.3"}, {"model_buoyancy", "0.1;1"}, {"inflow_centre", "5;6"}, {"inflow_radius", "2.5"},
    {"inflow_edge", "1.5"}, {"inflow_rate", "0.5"}, {"initial_type", "expression"},
    {"initial_velocity", "0.5 * sin(pi * x / 6) * cos(pi * y / 16);0.4 * cos(pi * x / 6) * sin(pi * y / 8)"}, {"initial_smoke", "1.5 + sin(pi * x / 6) * cos(pi * y / 16)"},
    {"truth_type", "random"}, {"invert_steps", "3"}, {"invert_iterations", "0"}, {"observe_fields", "velocity;smoke"},
  };

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/simulate.yaml")); /* forgets the keys of the case before */
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(keys); k++) PetscCall(TestSetKey(keys[k][0], keys[k][1]));
  PetscCall(TestSetKey("output", folder));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestKinds(void)
{
  static const char *const unknowns[] = {
    "velocity", "velocity free", "velocity coarse 5 scale 0.3 lower -2 upper 2", "velocity free coarse 5", "smoke", "smoke log", "smoke log coarse 4",
    "viscosity", "viscosity log lower 0.01 upper 2", "diffusivity log", "buoyancy scale 2", "inflow", "inflow log shared", "inflow_centre lower 1 upper 11",
    "control", "control times 2 coarse 4", "conductivity", "conductivity log coarse 3",
  };

  PetscFunctionBegin;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(unknowns); k++) {
    PetscReal loss;
    PetscCall(SetCase());
    PetscCall(TestSetKey("invert_unknowns", unknowns[k]));
    if (!strncmp(unknowns[k], "conductivity", 12)) PetscCall(TestSetKey("model_conductivity", "0.4 + 0.1 * sin(pi * x / 6)"));
    PetscCall(WeftInvert());
    PetscCall(Summary("terms", "misfit", 1, &loss));
    TestCheck(loss > 0.0, "%s: there is nothing to learn", unknowns[k]);
  }
  PetscFunctionReturn(0);
}

/* Where and when: a region, places, each at one of the steps; before the first step. The gradient of each is checked; places that are
   scattered over 3 steps are a third of the values or so, and all that there are. */
static PetscErrorCode TestPlaces(void)
{
  static const char *const where[][2] = {{"observe_region", "x > 3"}, {"observe_points", "1.2;3.4;11.9;15.5"}, {"observe_random", "9"}, {"observe_random", "9"}};
  double loss[PETSC_STATIC_ARRAY_LENGTH(where)];

  PetscFunctionBegin;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(where); k++) {
    PetscCall(SetCase());
    PetscCall(TestSetKey("invert_unknowns", "velocity;smoke"));
    PetscCall(TestSetKey("observe_steps", "0;1;3"));
    PetscCall(TestSetKey(where[k][0], where[k][1]));
    if (k == 3) PetscCall(TestSetKey("observe_scattered", "true"));
    PetscCall(WeftInvert());
    PetscCall(Summary("terms", "misfit", 1, &loss[k]));
  }
  TestCheck(loss[3] > 0.0 && loss[3] < 0.8 * loss[2], "places scattered over the steps: misfit %g, at all steps %g", loss[3], loss[2]);
  PetscFunctionReturn(0);
}

/* Before the first step alone the misfit is half the squared distance of the two initial states. */
static PetscErrorCode TestStart(void)
{
  double    loss, square = 0.0;
  Flow      f;
  WeftState truth[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(SetCase());
  PetscCall(TestSetKey("invert_unknowns", "velocity"));
  PetscCall(TestSetKey("observe_steps", "0"));
  PetscCall(WeftInvert());
  PetscCall(Summary("terms", "misfit", 1, &loss));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  for (PetscInt s = 0; s < 2; s++) PetscCall(WeftStateCreate(WeftStateSpace(f.in[s]), &truth[s]));
  PetscCall(WeftTrueStates(f.model, truth));
  for (PetscInt s = 0; s < 2; s++) {
    PetscReal norm;
    PetscCall(WeftStateAXPY(truth[s], -1.0, f.in[s]));
    PetscCall(WeftStateNorm(truth[s], NORM_2, &norm));
    square += 0.5 * norm * norm;
    PetscCall(WeftStateDestroy(&truth[s]));
  }
  PetscCall(FlowDestroy(&f));
  PetscCall(TestClose(loss, square, 1e-12 * square, "misfit of the initial state"));
  PetscFunctionReturn(0);
}

/* Frames 0, 1, 2 of a dataset: the velocity after 0, 1, 3 steps of the case; in simulation 0 at rest. */
static PetscErrorCode WriteDataset(const char *path)
{
  static const PetscInt steps[] = {0, 1, 2};
  WeftDataInfo          info    = {2, 3, 0, {""}, 0.0, 0.2, PETSC_FALSE};
  WeftDataFile          file;
  WeftState             rest;
  Flow                  f;

  PetscFunctionBegin;
  PetscCall(TestSetKey("dataset_precision", "double"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(WeftStateCreate(WeftStateSpace(f.in[0]), &rest));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, WeftStateSpace(rest), path, &info, &file));
  for (PetscInt k = 0; k < 3; k++) {
    PetscCall(FlowPlay(&f, steps[k]));
    PetscCall(WeftDataWrite(file, 0, k, rest, 0));
    PetscCall(WeftDataWrite(file, 1, k, f.in[0], 0));
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftStateDestroy(&rest));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

/* At the initial state from which the data come the misfit is 0; two simulations take one of the dataset each, or the same. */
static PetscErrorCode TestDataset(void)
{
  char   path[128];
  double loss[3];

  PetscFunctionBegin;
  PetscCall(SetCase());
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s.h5", folder));
  PetscCall(WriteDataset(path));
  for (PetscInt k = 0; k < 3; k++) {
    PetscCall(SetCase());
    PetscCall(TestSetKey("invert_unknowns", "velocity"));
    PetscCall(TestSetKey("invert_check", "false"));
    PetscCall(TestSetKey("observe_from", "dataset"));
    PetscCall(TestSetKey("observe_file", path));
    PetscCall(TestSetKey("observe_fields", "velocity"));
    PetscCall(TestSetKey("observe_steps", "0;1;3"));
    PetscCall(TestSetKey("observe_frames", "0;1;2"));
    if (k < 2) PetscCall(TestSetKey("observe_simulation", k ? "0" : "1"));
    else PetscCall(TestSetKey("invert_simulations", "2"));
    PetscCall(WeftInvert());
    PetscCall(Summary("terms", "misfit", 1, &loss[k]));
  }
  PetscCall(TestClose(loss[0], 0.0, 1e-24, "misfit at the state from which the dataset comes"));
  TestCheck(loss[1] > 1.0, "misfit of simulation 0: %g", loss[1]);
  PetscCall(TestClose(loss[2], loss[1], 1e-12 * loss[1], "misfit of two simulations with one of the dataset each"));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(folder, sizeof(folder), "invert_inputs_%d", size));
  PetscCall(TestKinds());
  PetscCall(TestPlaces());
  PetscCall(TestStart());
  PetscCall(TestDataset());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
