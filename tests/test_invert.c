/* ctest: case; ranks 1 2 4; timeout 60 */
/* The verb invert on its cases: what it computes, against published figures.
   burgers1d (Thuerey et al., Physics-based Deep Learning, "Burgers Optimization with a Differentiable Physics Gradient"): values of the
   forward run, and the losses of 50 steps of gradient descent. */
#include <weft/invert.h>
#include "flow.h"

static char folder[64];

/* Column `name` of history.csv, on every rank: *rows values. */
static PetscErrorCode History(const char *name, PetscInt *rows, double values[1024])
{
  char  path[128], line[1024], heading[1024];
  int   column = 0;
  FILE *file;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/history.csv", folder));
  file = fopen(path, "r");
  TestCheck(file && fgets(heading, sizeof(heading), file), "%s cannot be read", path);
  for (char *word = strtok(heading, ",\n"); word && strcmp(word, name); word = strtok(NULL, ",\n")) column++;
  for (*rows = 0; *rows < 1024 && fgets(line, sizeof(line), file); ++*rows) {
    char *at = line;
    for (int c = 0; c < column; c++) {
      at = strchr(at, ',');
      TestCheck(at, "%s has no column %s", path, name);
      at++;
    }
    values[*rows] = strtod(at, NULL);
  }
  fclose(file);
  PetscFunctionReturn(0);
}

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

static PetscErrorCode Test(void)
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(folder, sizeof(folder), "invert_%d", size));
  PetscCall(TestBurgersForward());
  PetscCall(TestBurgersDescent());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
