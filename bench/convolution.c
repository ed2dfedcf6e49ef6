/* Convolutions of 32 to 32 channels and the wake's nets on one core: GFLOP/s of forward, input gradient, weight gradient, and of
   forward and both gradients together, by the direct kernels and, where the grid is made of whole tiles, by Winograd's
   algorithm, whose flops are counted as those of the direct sum. Medians of wall time. -nn_kernels chooses the path,
   -net_precision one precision.
     bench_convolution [FILE.json [FILE.h5]]
   FILE.json: every time; FILE.h5: inputs and results of one convolution per kernel, to compare with other programs. */
#include <weft/nn.h>
#include "support.h"

#define RUNS 11
enum { CHANNELS = 32, INPUT = 1, PARAMETERS = 2 };

/* Median of forward, input gradient, weight gradient, forward + both. */
static PetscErrorCode Times(BenchSetup *s, WeftSummary summary, const char *row, double median[4])
{
  static const char *const what[]   = {"forward", "input_gradient", "weight_gradient", "both_gradients"};
  static const int         wanted[] = {0, INPUT, PARAMETERS, INPUT | PARAMETERS};
  double                   seconds[4][RUNS];
  char                     key[128];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 4; i++) {
    if (i)
      PetscCall(BenchAdjoint(s, wanted[i], RUNS, seconds[i]));
    else
      PetscCall(BenchApply(s, RUNS, seconds[i]));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s/%s", row, what[i]));
    PetscCall(WeftSummaryRealList(summary, key, RUNS, seconds[i]));
    median[i] = BenchMedian(RUNS, seconds[i]);
  }
  median[3] += median[0];
  PetscFunctionReturn(0);
}

typedef struct {
  PetscInt  nx, ny, batch, kernel;
  PetscBool tiles, single;
} Shape;

static PetscErrorCode Create(const Shape *shape, WeftGrid *grid, BenchSetup *s)
{
  const WeftConvolutionOptions options = {shape->kernel, CHANNELS, WEFT_ACTIVATION_NONE, WEFT_GHOST_ZERO, PETSC_FALSE, 1};
  const PetscInt               cells[] = {shape->nx, shape->ny};
  WeftSpace                    space;
  WeftOp                       op;

  PetscFunctionBegin;
  PetscCall(BenchGrid(PETSC_COMM_SELF, 2, cells, WEFT_SIDE_NOSLIP, shape->tiles ? 4 : 1, grid));
  PetscCall(WeftSpaceCreateChannels(*grid, shape->batch, CHANNELS, shape->kernel / 2, shape->single, &space));
  PetscCall(WeftOpCreateConvolution(space, space, &options, &op));
  PetscCall(BenchSetupCreate(PETSC_COMM_SELF, op, 0.1, s));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode Convolution(const Shape *shape, WeftSummary summary)
{
  const double taps  = (double)(shape->kernel * shape->kernel);
  const double flops = 2e-9 * (double)(shape->batch * shape->nx * shape->ny) * taps * CHANNELS * CHANNELS;
  double       median[4];
  char         row[96];
  WeftGrid     grid;
  BenchSetup   s;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(row, sizeof(row), "%s %s %d %dx%d %d", shape->single ? "float32" : "float64",
                          shape->tiles ? "winograd" : "direct", (int)shape->kernel, (int)shape->nx, (int)shape->ny,
                          (int)shape->batch));
  PetscCall(Create(shape, &grid, &s));
  PetscCall(Times(&s, summary, row, median));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s %-8s  %d x %d   %3d x %3d %6d %9.1f %9.1f %9.1f %9.1f\n",
                        shape->single ? "float32" : "float64", shape->tiles ? "Winograd" : "direct", (int)shape->kernel,
                        (int)shape->kernel, (int)shape->nx, (int)shape->ny, (int)shape->batch, flops / median[0],
                        flops / median[1], flops / median[2], 3.0 * flops / median[3]));
  PetscCall(BenchSetupDestroy(&s));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* A correction of the wake: 32 x 64 cells, three samples. */
static PetscErrorCode Wake(const char *name, PetscInt layers, char *lines[], PetscBool tiles, PetscBool single,
                           WeftSummary summary)
{
  static const PetscReal scale[] = {1.0, 1.0}, number_scale[] = {1.0};
  static const PetscInt  cells[] = {32, 64};
  const WeftNetOptions   options = {layers, lines, WEFT_GHOST_ZERO, 1.0, single};
  double                 median[4];
  char                   row[96];
  WeftGrid               grid;
  WeftSpace              velocity, numbers;
  WeftNet                net;
  WeftOp                 op;
  BenchSetup             s;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(row, sizeof(row), "%s %s %s", single ? "float32" : "float64", tiles ? "winograd" : "direct", name));
  PetscCall(BenchGrid(PETSC_COMM_SELF, 2, cells, WEFT_SIDE_NOSLIP, tiles ? 4 : 1, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 3, &velocity));
  PetscCall(WeftSpaceCreateNumbers(PETSC_COMM_SELF, 3, 1, PETSC_TRUE, &numbers));
  PetscCall(WeftCorrectionCreate(velocity, numbers, scale, number_scale, &options, &net, &op));
  PetscCall(BenchSetupCreate(PETSC_COMM_SELF, op, 0.1, &s));
  PetscCall(BenchAdjoint(&s, 7, 1, median)); /* scratch of the first calls */
  PetscCall(Times(&s, summary, row, median));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s %-8s %7d parameters: forward %6.2f ms, forward and gradients %6.2f ms\n",
                        single ? "float32" : "float64", tiles ? "Winograd" : "direct",
                        (int)WeftSpaceGetInfo(WeftNetParameterSpace(net))->count, 1e3 * median[0], 1e3 * median[3]));
  PetscCall(BenchSetupDestroy(&s));
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&numbers));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* Features without their ghosts, float32, as [y][x][channel]. */
static PetscErrorCode SetFeatures(WeftArrays arrays, const char *name, WeftState state)
{
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftStateSpace(state));
  const PetscInt      *n       = WeftGridLayout(info->grid)->count;
  const PetscInt       shape[] = {n[1], n[0], info->channels}, row = n[0] * info->channels;
  const float         *from = (const float *)WeftStateData(state);
  double              *to;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n[1] * row, &to));
  for (PetscInt j = 0; j < n[1]; j++)
    for (PetscInt i = 0; i < row; i++)
      to[j * row + i] = from[((j + info->width) * (n[0] + 2 * info->width) + info->width) * info->channels + i];
  PetscCall(WeftArraysSet(arrays, name, 3, shape, to));
  PetscCall(PetscFree(to));
  PetscFunctionReturn(0);
}

static PetscErrorCode Write(const char *path)
{
  WeftArrays arrays;

  PetscFunctionBegin;
  PetscCall(WeftArraysCreate(&arrays));
  for (PetscInt kernel = 3; kernel <= 5; kernel += 2) {
    const Shape    shape = {32, 64, 1, kernel, PETSC_TRUE, PETSC_TRUE};
    const PetscInt count = (kernel * kernel * CHANNELS + 1) * CHANNELS;
    WeftState      x_bar[2];
    BenchSetup     s;
    WeftGrid       grid;
    char           name[32];
    PetscCall(Create(&shape, &grid, &s));
    x_bar[0] = s.x_bar[0];
    x_bar[1] = s.x_bar[1];
    PetscCall(WeftOpApply(s.op, s.x, s.y, s.record));
    PetscCall(WeftOpAdjoint(s.op, s.x, s.y, s.record, s.y_bar, x_bar));
    for (PetscInt k = 0; k < 4; k++) {
      static const char *const part[]  = {"x", "y", "y_bar", "x_bar"};
      const WeftState          state[] = {s.x[0], s.y[0], s.y_bar[0], s.x_bar[0]};
      PetscCall(PetscSNPrintf(name, sizeof(name), "/%d/%s", (int)kernel, part[k]));
      PetscCall(SetFeatures(arrays, name, state[k]));
    }
    PetscCall(PetscSNPrintf(name, sizeof(name), "/%d/parameters", (int)kernel));
    PetscCall(WeftArraysSet(arrays, name, 1, &count, (const double *)WeftStateData(s.x[1])));
    PetscCall(PetscSNPrintf(name, sizeof(name), "/%d/parameters_bar", (int)kernel));
    PetscCall(WeftArraysSet(arrays, name, 1, &count, (const double *)WeftStateData(s.x_bar[1])));
    PetscCall(BenchSetupDestroy(&s));
    PetscCall(WeftGridDestroy(&grid));
  }
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(PetscInt words, char *word[])
{
  static const PetscInt sizes[][3] = {{32, 64, 1}, {32, 64, 3}, {64, 64, 1}, {128, 128, 1}}; /* cells, samples */
  static char *small[] = {(char *)"residual 3 32", (char *)"residual 3 32", (char *)"residual 3 32", (char *)"conv 1 2"};
  static char *large[] = {(char *)"conv 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"residual 5 32 leaky_relu",
                          (char *)"conv 5 2"};
  PetscInt     precision, first = 1, last = 0; /* single, then double */
  PetscBool    chosen;
  WeftSummary  summary;

  PetscFunctionBegin;
  PetscCall(WeftHasKey("net_precision", &chosen));
  PetscCall(WeftGetEnum("net_precision", &precision));
  if (chosen) first = last = precision ? 0 : 1;
  PetscCall(WeftSummaryCreate("convolution", &summary));
  PetscCall(WeftSummaryString(summary, "kernels", WeftKernelsName()));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "kernels: %s; GFLOP/s, 32 -> 32 channels\n%-17s %5s   %9s %6s %9s %9s %9s %9s\n",
                        WeftKernelsName(), "", "taps", "cells", "batch", "forward", "d input", "d weight", "all"));
  for (PetscInt single = first; single >= last; single--)
    for (PetscInt tiles = 0; tiles < 2; tiles++)
      for (PetscInt i = 0; i < 4; i++)
        for (PetscInt kernel = 3; kernel <= 5; kernel += 2) {
          const Shape shape = {sizes[i][0], sizes[i][1], sizes[i][2], kernel, (PetscBool)tiles, (PetscBool)single};
          PetscCall(Convolution(&shape, summary));
        }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "corrections of the wake, 32 x 64 cells, 3 samples\n"));
  for (PetscInt single = first; single >= last; single--)
    for (PetscInt tiles = 0; tiles < 2; tiles++) {
      PetscCall(Wake("small", 4, small, (PetscBool)tiles, (PetscBool)single, summary));
      PetscCall(Wake("large", 7, large, (PetscBool)tiles, (PetscBool)single, summary));
    }
  if (words > 0) PetscCall(WeftSummaryWrite(summary, word[0]));
  if (words > 1) PetscCall(Write(word[1]));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Bench);
}
