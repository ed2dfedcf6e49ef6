/* ctest: unit; ranks 1 2 4; timeout 120 */
/* Nets: numbers of parameters, arrays, refused lines; the correction of a velocity: its adjoint is the transpose of its tangent,
   and forward run and adjoint fields have the same bits on every rank count. */
#include "correction.h"

static char *wake_lines[]  = {(char *)"residual 3 32", (char *)"residual 3 32", (char *)"residual 3 32", (char *)"conv 1 2"};
static char *large_lines[] = {(char *)"conv 5 32 leaky_relu",
                              (char *)"residual 5 32 leaky_relu",
                              (char *)"residual 5 32 leaky_relu",
                              (char *)"residual 5 32 leaky_relu",
                              (char *)"residual 5 32 leaky_relu",
                              (char *)"residual 5 32 leaky_relu",
                              (char *)"conv 5 2"};
static const WeftNetOptions wake_net  = {4, wake_lines, WEFT_GHOST_ZERO, 0.1, PETSC_TRUE},
                            large_net = {7, large_lines, WEFT_GHOST_ZERO, 0.1, PETSC_TRUE};

/* The published wake's sides, blocks of odd sizes. */
static PetscErrorCode MakeGrid(MPI_Comm comm, PetscBool split, PetscInt granularity, WeftGrid *grid)
{
  WeftGridOptions o;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim         = 2;
  o.cells[0]    = granularity == 1 ? 18 : 20;
  o.cells[1]    = granularity == 1 ? 22 : 24;
  o.granularity = granularity;
  o.upper[0] = o.upper[1] = 1.0;
  o.wall                  = WEFT_WALL_VALUE;
  for (PetscInt s = 0; s < 2; s++) {
    o.side[0][s] = WEFT_SIDE_NOSLIP;
    o.side[1][s] = WEFT_SIDE_OPEN;
  }
  if (split) o.ranks[0] = o.ranks[1] = 2;
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

/* ---- counts --------------------------------------------------------------------------------------------------------- */

static PetscErrorCode CheckCounts(WeftGrid grid)
{
  static const struct {
    const WeftNetOptions *options;
    PetscInt              width, parameters, arrays, field;
    double                flops;
  } nets[] = {
      {&wake_net, 1, 47330, 16, 13, 2.0 * (864 + 96 + 5 * 9216 + 64)},
      {&large_net, 2, 260354, 24, 49, 2.0 * (25 * 96 + 10 * 25600 + 25 * 64)},
  };

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    const WeftNetArray *array;
    PetscInt            arrays, field, offset = 0;
    PetscReal           flops;
    WeftSpace           features;
    WeftNet             net;
    PetscCall(WeftSpaceCreateChannels(grid, 1, 3, nets[i].width, PETSC_TRUE, &features));
    PetscCall(WeftNetCreate(features, nets[i].options, &net));
    PetscCall(WeftNetArrays(net, &arrays, &array));
    PetscCall(WeftNetFlops(net, &flops));
    PetscCall(WeftNetReceptiveField(net, &field));
    TestCheck(WeftSpaceGetInfo(WeftNetParameterSpace(net))->count == nets[i].parameters, "net %d has %d parameters, not %d",
              (int)i, (int)WeftSpaceGetInfo(WeftNetParameterSpace(net))->count, (int)nets[i].parameters);
    TestCheck(arrays == nets[i].arrays && field == nets[i].field && flops == nets[i].flops,
              "net %d: %d arrays, field %d, %g flops per cell", (int)i, (int)arrays, (int)field, (double)flops);
    for (PetscInt a = 0; a < arrays; a++) {
      PetscInt size = 1;
      for (PetscInt d = 0; d < array[a].rank; d++) size *= array[a].shape[d];
      TestCheck(array[a].offset == offset, "array %s stands at %d, not %d", array[a].name, (int)array[a].offset, (int)offset);
      offset += size;
    }
    TestCheck(offset == nets[i].parameters, "the arrays hold %d values", (int)offset);
    if (!i)
      TestCheck(!strcmp(array[4].name, "0.residual.shortcut.weight") && array[4].rank == 4 && array[4].shape[2] == 3,
                "array 4 is %s", array[4].name);
    PetscCall(WeftNetDestroy(&net));
    PetscCall(WeftSpaceDestroy(&features));
  }
  PetscFunctionReturn(0);
}

/* Weights within Xavier's bound and reaching far into it, biases zero. */
static PetscErrorCode CheckInitial(WeftGrid grid)
{
  WeftSpace           features;
  WeftState           parameters;
  WeftNet             net;
  const WeftNetArray *array;
  const double       *value;
  PetscInt            arrays;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, 1, 3, 1, PETSC_TRUE, &features));
  PetscCall(WeftNetCreate(features, &wake_net, &net));
  PetscCall(WeftStateCreate(WeftNetParameterSpace(net), &parameters));
  PetscCall(WeftNetInitialise(net, 3, parameters));
  PetscCall(WeftNetArrays(net, &arrays, &array));
  value = (const double *)WeftStateData(parameters);
  for (PetscInt a = 0; a < arrays; a++) {
    const PetscInt  end = a + 1 < arrays ? array[a + 1].offset : WeftSpaceGetInfo(WeftNetParameterSpace(net))->count;
    const PetscReal fan =
        array[a].rank == 1 ? 0.0 : (PetscReal)(array[a].shape[0] * array[a].shape[1] * (array[a].shape[2] + array[a].shape[3]));
    const PetscReal bound   = fan > 0.0 ? 0.1 * PetscSqrtReal(6.0 / fan) : 0.0;
    PetscReal       largest = 0.0;
    for (PetscInt i = array[a].offset; i < end; i++) largest = PetscMax(largest, PetscAbsReal(value[i]));
    TestCheck(largest <= bound && largest >= 0.9 * bound, "%s: largest weight %g, bound %g", array[a].name, (double)largest,
              (double)bound);
  }
  PetscCall(WeftStateDestroy(&parameters));
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

/* Each is a mistake of the user's: an error, not a net. (Their messages go to the log of this test.) */
static PetscErrorCode CheckRefused(WeftGrid grid)
{
  static const char *const lines[] = {"",          "convolution 3 32", "conv 3",     "conv 3 32 relu 7", "conv 4 32",
                                      "conv x 32", "conv 3 0",         "conv 3 -32", "conv 3 32.5",      "residual 3 32 swish"};
  WeftSpace                features;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, 1, 3, 1, PETSC_TRUE, &features));
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    char          *both[2] = {(char *)"conv 3 32 relu", (char *)lines[i]};
    WeftNetOptions options = {2, both, WEFT_GHOST_ZERO, 1.0, PETSC_TRUE};
    WeftNet        net;
    TestCheck(WeftNetCreate(features, &options, &net) == WEFT_ERR_USER, "the line '%s' was taken for a layer", lines[i]);
  }
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

/* ---- the correction --------------------------------------------------------------------------------------------------- */

static PetscErrorCode Create(WeftGrid grid, const WeftNetOptions *options, Correction *s)
{
  PetscFunctionBegin;
  PetscCall(CorrectionCreate(grid, PETSC_TRUE, options, s));
  for (PetscInt i = 0; i < s->inputs; i++) PetscCall(WeftStateSetRandom(s->x[i], 5 + i, 0, 0.0, i == s->parameters ? 0.1 : 1.0));
  PetscCall(CorrectionPlay(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckTranspose(WeftGrid grid, const WeftNetOptions *options)
{
  Correction s;

  PetscFunctionBegin;
  PetscCall(Create(grid, options, &s));
  PetscCall(CorrectionCheckTranspose(&s));
  PetscCall(CorrectionDestroy(&s));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckBits(WeftGrid grid, const WeftNetOptions *options)
{
  WeftGrid   whole;
  Correction s, t;

  PetscFunctionBegin;
  PetscCall(MakeGrid(PETSC_COMM_SELF, PETSC_FALSE, WeftGridLayout(grid)->granularity, &whole));
  PetscCall(Create(grid, options, &s));
  PetscCall(Create(whole, options, &t));
  PetscCall(SameBits(s.y, t.y, "corrected velocity"));
  PetscCall(SameBits(s.x_bar[VELOCITY], t.x_bar[VELOCITY], "adjoint of the velocity"));
  PetscCall(CorrectionDestroy(&s));
  PetscCall(CorrectionDestroy(&t));
  PetscCall(WeftGridDestroy(&whole));
  PetscFunctionReturn(0);
}

/* Other weights in the same memory: the run is that of an operator which never saw the first ones. */
static PetscErrorCode CheckNewWeights(WeftGrid grid)
{
  Correction used, fresh;
  PetscReal  size;

  PetscFunctionBegin;
  PetscCall(Create(grid, &wake_net, &used));
  PetscCall(Create(grid, &wake_net, &fresh));
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(WeftStateSetRandom(used.x[used.parameters], 77, 0, 0.0, 0.1));
    PetscCall(WeftStateSetRandom(fresh.x[used.parameters], 77, 0, 0.0, 0.1));
    if (k) ((double *)WeftStateDataWrite(used.x[used.parameters]))[40000] += 0.25; /* one weight of the last block */
    if (k) ((double *)WeftStateDataWrite(fresh.x[used.parameters]))[40000] += 0.25;
    PetscCall(WeftOpDestroy(&fresh.op));
    PetscCall(WeftNetDestroy(&fresh.net));
    PetscCall(WeftCorrectionCreate(fresh.velocity, fresh.numbers, (const PetscReal[]){0.5, 2.0}, (const PetscReal[]){1.5},
                                   &wake_net, &fresh.net, &fresh.op));
    for (PetscInt i = 0; i < 2; i++) {
      Correction *s = i ? &fresh : &used;
      PetscCall(WeftStateZero(s->x_bar[VELOCITY]));
      PetscCall(CorrectionPlay(s));
    }
    PetscCall(SameBits(used.y, fresh.y, "velocity corrected with new weights"));
    PetscCall(SameBits(used.x_bar[VELOCITY], fresh.x_bar[VELOCITY], "adjoint with new weights"));
  }
  PetscCall(WeftStateAXPY(used.y, -1.0, used.x[VELOCITY]));
  PetscCall(WeftStateNorm(used.y, NORM_INFINITY, &size));
  TestCheck(size > 0.0, "the correction is zero");
  PetscCall(CorrectionDestroy(&used));
  PetscCall(CorrectionDestroy(&fresh));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftNetOptions options[3] = {wake_net, wake_net, large_net};
  PetscMPIInt    size;
  WeftGrid       grid;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  options[1].edges = WEFT_GHOST_COPY;
  for (PetscInt granularity = 1; granularity <= 4; granularity += 3) { /* direct kernels; Winograd's */
    PetscCall(MakeGrid(PETSC_COMM_WORLD, size == 4 ? PETSC_TRUE : PETSC_FALSE, granularity, &grid));
    PetscCall(CheckNewWeights(grid));
    for (PetscInt i = 0; i < 3; i++) {
      options[i].single = PETSC_FALSE;
      PetscCall(CheckTranspose(grid, &options[i]));
      options[i].single = PETSC_TRUE;
      if (size > 1) PetscCall(CheckBits(grid, &options[i]));
    }
    if (granularity == 1) {
      PetscCall(CheckCounts(grid));
      PetscCall(CheckInitial(grid));
      PetscCall(CheckRefused(grid));
    }
    PetscCall(WeftGridDestroy(&grid));
  }
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
