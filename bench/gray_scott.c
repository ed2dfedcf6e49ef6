/* Cost of a gradient against the forward run, ours and PETSc's TSAdjoint on the same scheme: Gray-Scott, Crank-Nicolson and
   Runge-Kutta 4.   bench_gray_scott [-cells 128] [-steps 50] [-repeat 3] */
#include "../tests/gray_scott.h"
#include <petsctime.h>

static PetscErrorCode Best(GrayScott *g, PetscErrorCode (*run)(GrayScott *), PetscLogDouble *best)
{
  PetscLogDouble begin, end;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscTime(&begin));
  PetscCall((*run)(g));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscTime(&end));
  *best = PetscMin(*best, end - begin);
  PetscFunctionReturn(0);
}

static PetscErrorCode Measure(PetscBool implicit, PetscInt cells, PetscInt steps, PetscInt repeat)
{
  PetscErrorCode (*const run[4])(GrayScott *) = {GrayScottForward, GrayScottReverse, GrayScottPeerForward, GrayScottPeerReverse};
  PetscLogDouble best[4] = {1e30, 1e30, 1e30, 1e30};
  PetscReal      difference[3];
  GrayScott      g;

  PetscFunctionBegin;
  PetscCall(GrayScottCreate(cells, implicit, 0.5, steps, &g));
  for (PetscInt r = 0; r < repeat; r++)
    for (PetscInt k = 0; k < 4; k++) PetscCall(Best(&g, run[k], &best[k]));
  PetscCall(GrayScottCompare(&g, difference));
  for (PetscInt k = 0; k < 2; k++) PetscCall(WeftLog("%-15s %-6s forward %8.4f s   adjoint %8.4f s   adjoint/forward %6.2f", implicit ? "Crank-Nicolson" : "Runge-Kutta 4", k ? "PETSc" : "Weft", best[2 * k], best[2 * k + 1], best[2 * k + 1] / best[2 * k]));
  PetscCall(WeftLog("%-15s differences: state %.1e, gradient %.1e, by the numbers %.1e", "", (double)difference[0], (double)difference[1], (double)difference[2]));
  PetscCall(GrayScottDestroy(&g));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(void)
{
  PetscInt cells = 128, steps = 50, repeat = 3;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-cells", &cells, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-steps", &steps, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-repeat", &repeat, NULL));
  PetscCall(Measure(PETSC_TRUE, cells, steps, repeat));
  PetscCall(Measure(PETSC_FALSE, cells, steps, repeat));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (WeftInitialize(&argc, &argv, NULL)) return 1;
  if (Run()) {
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
  return WeftFinalize() ? 1 : 0;
}
