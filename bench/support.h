/* What the benchmarks share: grids, an operator with random inputs, times. */
#ifndef WEFT_BENCH_SUPPORT_H
#define WEFT_BENCH_SUPPORT_H
#include <weft/io.h>

/* Box [0, 1]^dim, one kind of side everywhere. Collective on comm. */
PetscErrorCode BenchGrid(MPI_Comm comm, PetscInt dim, const PetscInt cells[], WeftSide side, PetscInt granularity,
                         WeftGrid *grid);

/* An operator with states for its inputs, outputs and their adjoints, inputs drawn from uniform(-amplitude, amplitude). */
typedef struct {
  WeftOp     op;
  MPI_Comm   comm;
  WeftState  x[WEFT_OP_MAX], x_bar[WEFT_OP_MAX], y[WEFT_OP_MAX], y_bar[WEFT_OP_MAX];
  WeftRecord record;
} BenchSetup;
/* Takes the operator over. Collective on comm. */
PetscErrorCode BenchSetupCreate(MPI_Comm comm, WeftOp op, PetscReal amplitude, BenchSetup *setup);
PetscErrorCode BenchSetupDestroy(BenchSetup *setup);

/* Seconds of `runs` calls, one after another, after one that is not counted; each that of the slowest rank. Collective on comm. */
typedef PetscErrorCode (*BenchCall)(void *context);
PetscErrorCode BenchTime(MPI_Comm comm, PetscInt runs, BenchCall call, void *context, double seconds[]);
/* Apply, and adjoint towards the inputs whose bits are set in `wanted`. seconds: [runs]; NULL: not wanted. */
PetscErrorCode BenchApply(BenchSetup *setup, PetscInt runs, double seconds[]);
PetscErrorCode BenchAdjoint(BenchSetup *setup, int wanted, PetscInt runs, double seconds[]);
/* Every field of a state as /<group>/<field> [sample][y][x]. Collective on the grid. */
PetscErrorCode BenchSetFields(WeftArrays arrays, const char *group, WeftState state);
/* Sorts, and gives the middle. */
double BenchMedian(PetscInt n, double values[]);

/* WeftInitialize, the benchmark, WeftFinalize. words: what stands on the command line before the first key. */
typedef PetscErrorCode (*BenchMain)(PetscInt words, char *word[]);
int BenchRun(int argc, char **argv, BenchMain main);
#endif
