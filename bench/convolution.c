/* Speed of convolutions and nets on one core, float32 and float64: GFLOP/s of forward, input gradient and weight gradient at 32
   channels, and the times of the wake's nets, by the direct kernels and (where the grid is made of whole tiles) by Winograd's
   algorithm, whose flops are counted as those of the direct sum. Best of several runs, in processor time. -nn_kernels
   chooses the path. */
#include <time.h>
#include <weft/nn.h>

static double Now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static PetscErrorCode MakeGrid(PetscInt nx, PetscInt ny, PetscBool tiles, WeftGrid *grid)
{
  WeftGridOptions o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim      = 2;
  o.cells[0] = nx;
  o.cells[1] = ny;
  o.upper[0] = o.upper[1] = 1.0;
  o.granularity           = tiles ? 4 : 1;
  for (PetscInt s = 0; s < 2; s++) {
    o.side[0][s] = WEFT_SIDE_NOSLIP;
    o.side[1][s] = WEFT_SIDE_OPEN;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_SELF, &o, grid));
  PetscFunctionReturn(0);
}

typedef struct {
  WeftOp     op;
  WeftState  x[4], x_bar[4], y, y_bar;
  WeftRecord record;
} Setup;

static PetscErrorCode Create(WeftOp op, Setup *s)
{
  PetscFunctionBegin;
  s->op = op;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &s->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &s->x_bar[i]));
    PetscCall(WeftStateSetRandom(s->x[i], i, 0, 0.0, 0.1));
  }
  PetscCall(WeftStateCreate(WeftOpOutSpace(op, 0), &s->y));
  PetscCall(WeftStateCreate(WeftOpOutSpace(op, 0), &s->y_bar));
  PetscCall(WeftStateSetRandom(s->y_bar, 9, 0, 0.0, 0.1));
  PetscCall(WeftRecordCreate(op, &s->record));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Setup *s)
{
  PetscFunctionBegin;
  PetscCall(WeftRecordDestroy(&s->record));
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++) {
    PetscCall(WeftStateDestroy(&s->x[i]));
    PetscCall(WeftStateDestroy(&s->x_bar[i]));
  }
  PetscCall(WeftStateDestroy(&s->y));
  PetscCall(WeftStateDestroy(&s->y_bar));
  PetscCall(WeftOpDestroy(&s->op));
  PetscFunctionReturn(0);
}

/* Best times of the forward map and of the adjoint towards the inputs of the mask. */
static PetscErrorCode Time(Setup *s, int wanted, double *forward, double *adjoint)
{
  WeftState x_bar[4] = {NULL};

  PetscFunctionBegin;
  *forward = *adjoint = PETSC_MAX_REAL;
  for (PetscInt i = 0; i < WeftOpInputs(s->op); i++)
    if (wanted & 1 << i) x_bar[i] = s->x_bar[i];
  for (PetscInt k = 0; k < 12; k++) {
    const double start = Now();
    double       middle;
    PetscCall(WeftOpApply(s->op, s->x, &s->y, s->record));
    middle = Now();
    PetscCall(WeftOpAdjoint(s->op, s->x, &s->y, s->record, &s->y_bar, x_bar));
    *forward = PetscMin(*forward, middle - start);
    *adjoint = PetscMin(*adjoint, Now() - middle);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Convolution(PetscInt nx, PetscInt ny, PetscInt kernel, PetscBool tiles, PetscBool single)
{
  const WeftConvolutionOptions options = {kernel, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_FALSE};
  const double                 flops   = 2e-9 * 3.0 * (double)(nx * ny * kernel * kernel) * 32.0 * 32.0;
  double                       forward, input, weight;
  WeftGrid                     grid;
  WeftSpace                    space;
  WeftOp                       op;
  Setup                        s;

  PetscFunctionBegin;
  PetscCall(MakeGrid(nx, ny, tiles, &grid));
  PetscCall(WeftSpaceCreateChannels(grid, 3, 32, kernel / 2, single, &space));
  PetscCall(WeftOpCreateConvolution(space, space, &options, &op));
  PetscCall(Create(op, &s));
  PetscCall(Time(&s, 1, &forward, &input));
  PetscCall(Time(&s, 2, &forward, &weight));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%-8s %-8s %3d x %3d   %d x %d   %8.1f %15.1f %15.1f\n",
                        single ? "float32" : "float64", tiles ? "Winograd" : "direct", (int)nx, (int)ny, (int)kernel,
                        (int)kernel, flops / forward, flops / input, flops / weight));
  PetscCall(Destroy(&s));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* A correction of the wake: 32 x 64 cells, three samples. */
static PetscErrorCode Wake(PetscInt layers, char *lines[], PetscBool tiles, PetscBool single)
{
  static const PetscReal scale[] = {1.0, 1.0}, number_scale[] = {1.0};
  const WeftNetOptions   options = {layers, lines, WEFT_GHOST_ZERO, 1.0, single};
  double                 forward, adjoint;
  WeftGrid               grid;
  WeftSpace              velocity, numbers;
  WeftNet                net;
  WeftOp                 op;
  Setup                  s;

  PetscFunctionBegin;
  PetscCall(MakeGrid(32, 64, tiles, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 3, &velocity));
  PetscCall(WeftSpaceCreateNumbers(PETSC_COMM_SELF, 3, 1, PETSC_TRUE, &numbers));
  PetscCall(WeftCorrectionCreate(velocity, numbers, scale, number_scale, &options, &net, &op));
  PetscCall(Create(op, &s));
  PetscCall(Time(&s, 7, &forward, &adjoint));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%-8s %-8s %7d parameters: forward %6.2f ms, adjoint %6.2f ms\n",
                        single ? "float32" : "float64", tiles ? "Winograd" : "direct",
                        (int)WeftSpaceGetInfo(WeftNetParameterSpace(net))->count, 1e3 * forward, 1e3 * adjoint));
  PetscCall(Destroy(&s));
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&numbers));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(void)
{
  static const PetscInt sizes[][2] = {{32, 64}, {64, 64}, {128, 128}};
  static char *small[] = {(char *)"residual 3 32", (char *)"residual 3 32", (char *)"residual 3 32", (char *)"conv 1 2"};
  static char *large[] = {(char *)"conv 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"conv 5 2"};

  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_SELF,
                        "kernels: %s; GFLOP/s, 32 -> 32 channels, 3 samples\n%-17s %9s   %5s   %8s %15s %15s\n",
                        WeftKernelsName(), "", "cells", "taps", "forward", "input gradient", "weight gradient"));
  for (PetscInt single = 1; single >= 0; single--)
    for (PetscInt tiles = 0; tiles < 2; tiles++)
      for (PetscInt i = 0; i < 3; i++)
        for (PetscInt kernel = 3; kernel <= 5; kernel += 2)
          PetscCall(Convolution(sizes[i][0], sizes[i][1], kernel, (PetscBool)tiles, (PetscBool)single));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "corrections of the wake, 32 x 64 cells, 3 samples\n"));
  for (PetscInt single = 1; single >= 0; single--) {
    for (PetscInt tiles = 0; tiles < 2; tiles++) {
      PetscCall(Wake(4, small, (PetscBool)tiles, (PetscBool)single));
      PetscCall(Wake(7, large, (PetscBool)tiles, (PetscBool)single));
    }
  }
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  PetscErrorCode ierr = WeftInitialize(&argc, &argv, NULL);
  if (!ierr) ierr = Bench();
  if (ierr) return 1;
  return WeftFinalize() ? 1 : 0;
}
