/* ctest: case; ranks 1 2 4; timeout 60 */
/* The verb invert on its cases: what it computes, against published figures.
   Then every kind of unknown at once, whose gradient the verb itself checks, on every team; going on from a checkpoint; points of a table.
   burgers1d (Thuerey et al., Physics-based Deep Learning, "Burgers Optimization with a Differentiable Physics Gradient"): values of the
   forward run, and the losses of 50 steps of gradient descent. */
#include "invert.h"

/* u0 = -sin(pi x); values printed after 32 steps by a float32 code: 6e-8 is the round-off of its coordinates near 1. */
static PetscErrorCode TestBurgersForward(void)
{
  static const double printed[] = {0.0057228, 0.01716715, 0.02861034, 0.040052, 0.05149214};
  PetscInt            shape[3];
  double             *u;
  Flow                f;

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/simulate.yaml"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 32));
  PetscCall(WeftStateGather(f.in[0], 0, 0, shape, &u));
  for (PetscInt i = 0; i < 5; i++) PetscCall(TestClose(u[i], printed[i], 6e-8, "u after 32 steps"));
  PetscCall(PetscFree(u));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode TestBurgersDescent(void)
{
  static const struct {
    PetscInt step;
    double   loss;
  } printed[] = {{0, 0.382915}, {1, 0.326882}, {2, 0.281032}, {3, 0.242804}, {4, 0.210666}, {5, 0.183476}, {10, 0.096224}, {20, 0.032819}, {30, 0.012852}, {45, 0.003263}};
  double   loss[1024];
  PetscInt rows;

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/invert.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(WeftInvert());
  PetscCall(History("loss", &rows, loss));
  TestCheck(rows == 51, "%" PetscInt_FMT " rows in history.csv, not 51", rows);
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(printed); k++) PetscCall(TestClose(loss[printed[k].step], printed[k].loss, 0.51e-6, "loss of the inversion"));
  PetscFunctionReturn(0);
}

/* The same by LMVM: the loss of step 45 of gradient descent in a fraction of its 46 evaluations. */
static PetscErrorCode TestBurgersQuasiNewton(void)
{
  double   loss[1024], evaluations[1024];
  PetscInt rows, at = 0;

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/invert.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(TestSetKey("optimizer_type", "tao"));
  PetscCall(TestSetKey("invert_iterations", "15"));
  PetscCall(WeftInvert());
  PetscCall(History("loss", &rows, loss));
  PetscCall(History("evaluations", &rows, evaluations));
  while (at < rows && loss[at] > 0.003263) at++;
  TestCheck(at < rows && evaluations[at] <= 20.0, "LMVM needs %g evaluations for the loss of step 45", at < rows ? evaluations[at] : -1.0);
  PetscFunctionReturn(0);
}

/* Every kind of unknown, every parametrisation and every term. The keys are those of a case. */
static PetscErrorCode Everything(const char *replicas, const char *iterations)
{
  static const char *const keys[][2] = {
    {"grid_cells", "12;16"}, {"grid_sides", "periodic;noslip"}, {"model_dt", "0.2"},
    {"model_steps", "advect smoke;inflow;diffuse smoke;advect velocity;diffuse velocity;buoyancy;control;project"},
    {"model_viscosity", "0.3;0.4;0.5"}, {"model_buoyancy", "0.1;1"}, {"model_conductivity", "0.4 + 0.1 * sin(x)"},
    {"inflow_centre", "5;6"}, {"inflow_radius", "2.5"}, {"inflow_edge", "1.5"}, {"inflow_rate", "0.5"},
    {"initial_type", "random"}, {"initial_amplitude", "0.5"}, {"truth_type", "random"},
    {"invert_unknowns", "velocity free coarse 5;smoke;viscosity log lower 0.01 upper 2;buoyancy scale 2;inflow shared;inflow_centre lower 1 upper 11;control times 3 coarse 4;conductivity log coarse 3"},
    {"invert_loss", "misfit;smoothness velocity weight 0.1;prior smoke mean;magnitude control weight 0.5;prior viscosity;smoothness conductivity"},
    {"invert_simulations", "3"}, {"invert_steps", "4"}, {"observe_fields", "velocity;smoke"}, {"observe_steps", "0;2;4"},
    {"observe_random", "20"}, {"observe_noise", "0.01"}, {"optimizer_type", "adam"}, {"optimizer_rate", "1e-3"},
  };

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/simulate.yaml")); /* forgets the keys of the case before */
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(keys); k++) PetscCall(TestSetKey(keys[k][0], keys[k][1]));
  PetscCall(TestSetKey("grid_lower", "0;0"));
  PetscCall(TestSetKey("grid_upper", "12;16"));
  PetscCall(TestSetKey("team_replicas", replicas));
  PetscCall(TestSetKey("invert_iterations", iterations));
  PetscCall(TestSetKey("output", folder));
  PetscFunctionReturn(0);
}

/* The gradient check passes (WeftInvert fails otherwise), and every team computes the same losses. */
static PetscErrorCode TestTeams(PetscMPIInt size)
{
  double   loss[2][1024];
  PetscInt rows = 0;
  char     replicas[16];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(PetscSNPrintf(replicas, sizeof(replicas), "%d", k ? size : 1));
    PetscCall(Everything(replicas, "3"));
    PetscCall(WeftInvert());
    PetscCall(History("loss", &rows, loss[k]));
    TestCheck(rows == 4, "%" PetscInt_FMT " rows in history.csv, not 4", rows);
  }
  for (PetscInt i = 0; i < rows; i++) PetscCall(TestClose(loss[1][i], loss[0][i], 1e-10 * loss[0][i], "loss of another team"));
  TestCheck(loss[0][3] < loss[0][0], "Adam does not lower the loss");
  PetscFunctionReturn(0);
}

/* Six iterations are three and, from their checkpoint, three more: the same losses to the last printed digit. */
static PetscErrorCode TestResume(void)
{
  double   loss[2][1024];
  PetscInt rows;

  PetscFunctionBegin;
  PetscCall(Everything("0", "6"));
  PetscCall(TestSetKey("invert_check", "false"));
  PetscCall(WeftInvert());
  PetscCall(History("loss", &rows, loss[0]));
  PetscCall(TestSetKey("invert_checkpoint_every", "3"));
  PetscCall(TestSetKey("invert_iterations", "3"));
  PetscCall(WeftInvert());
  PetscCall(TestSetKey("invert_iterations", "6"));
  PetscCall(TestSetKey("invert_resume", "auto"));
  PetscCall(WeftInvert());
  PetscCall(History("loss", &rows, loss[1]));
  TestCheck(rows == 7, "%" PetscInt_FMT " rows in history.csv, not 7", rows);
  for (PetscInt i = 0; i < rows; i++) PetscCall(TestClose(loss[1][i], loss[0][i], 0.0, "loss of the run that goes on"));
  PetscFunctionReturn(0);
}

/* Gradient descent with bounds ends on them; a viscosity that the bounds enclose comes back from its own run. */
static PetscErrorCode TestBounds(void)
{
  double   loss[1024];
  PetscInt rows;

  PetscFunctionBegin;
  PetscCall(FlowCase("burgers1d/points.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(TestSetKey("initial_type", "random"));
  PetscCall(TestSetKey("initial_seed", "2")); /* the true state is known, the viscosity is not */
  PetscCall(TestSetKey("invert_unknowns", "viscosity log lower 1e-5 upper 3.9e-3 guess 1.5e-3 truth 2e-3"));
  PetscCall(TestSetKey("initial_amplitude", "0.3"));
  PetscCall(TestSetKey("initial_modes", "3"));
  PetscCall(TestSetKey("invert_loss", "misfit"));
  PetscCall(TestSetKey("observe_noise", "0"));
  PetscCall(PetscOptionsSetValue(NULL, "-tao_gatol", "1e-14"));
  PetscCall(WeftInvert());
  PetscCall(History("loss", &rows, loss));
  TestCheck(loss[rows - 1] < 1e-12 * loss[0], "BLMVM does not find the viscosity: loss %g of %g", loss[rows - 1], loss[0]);
  PetscFunctionReturn(0);
}

/* Four plumes at once: ten steps of gradient descent lower the loss alike on every team, as the adjoint fields have the same bits. */
static PetscErrorCode TestSmoke(PetscMPIInt size)
{
  double   loss[2][1024];
  PetscInt rows = 0;
  char     replicas[16];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(PetscSNPrintf(replicas, sizeof(replicas), "%d", k ? size : 1));
    PetscCall(FlowCase("smoke/invert.yaml"));
    PetscCall(TestSetKey("output", folder));
    PetscCall(TestSetKey("team_replicas", replicas));
    PetscCall(TestSetKey("invert_iterations", "10"));
    PetscCall(TestSetKey("invert_series_every", "20"));
    PetscCall(WeftInvert());
    PetscCall(History("loss", &rows, loss[k]));
    TestCheck(rows == 11, "%" PetscInt_FMT " rows in history.csv, not 11", rows);
  }
  for (PetscInt i = 0; i < rows; i++) PetscCall(TestClose(loss[1][i], loss[0][i], 1e-11 * loss[0][i], "loss of another team"));
  TestCheck(loss[0][10] < 0.8 * loss[0][0], "gradient descent lowers the loss from %g to %g only", loss[0][0], loss[0][10]);
  PetscFunctionReturn(0);
}

/* Numbers from noisy points: place and strength of an inflow; viscosity and initial state of Burgers' equation. A control that costs
   nothing reaches its target. Tolerances: what the noise leaves. */
static PetscErrorCode TestRecovered(void)
{
  double value[2];

  PetscFunctionBegin;
  PetscCall(FlowCase("smoke/inflow.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(WeftInvert());
  PetscCall(Summary("inflow_centre", "value", 2, value));
  PetscCall(TestClose(value[0], 12.0, 0.05, "place of the inflow along x"));
  PetscCall(TestClose(value[1], 7.0, 0.05, "place of the inflow along y"));
  PetscCall(Summary("inflow", "value", 1, value));
  PetscCall(TestClose(value[0], 0.2, 0.002, "strength of the inflow"));
  PetscCall(FlowCase("burgers1d/points.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(WeftInvert());
  PetscCall(Summary("viscosity", "value", 1, value));
  PetscCall(TestClose(value[0], 2e-3, 5e-4, "viscosity")); /* 32 values with noise do not tell more: README of the case */
  PetscCall(Summary("velocity", "error", 1, value));
  PetscCall(TestClose(value[0], 0.0, 0.04, "relative error of the initial velocity"));
  PetscCall(FlowCase("control/invert.yaml"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(TestSetKey("invert_loss", "misfit"));
  PetscCall(WeftInvert());
  PetscCall(Summary("terms", "misfit", 1, value));
  PetscCall(TestClose(value[0], 0.0, 1e-8, "misfit of a control that costs nothing"));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(folder, sizeof(folder), "invert_%d", size));
  PetscCall(TestBurgersForward());
  PetscCall(TestBurgersDescent());
  PetscCall(TestBurgersQuasiNewton());
  PetscCall(TestTeams(size));
  PetscCall(TestResume());
  PetscCall(TestBounds());
  PetscCall(TestSmoke(size));
  PetscCall(TestRecovered());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
