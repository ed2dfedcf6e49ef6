/* ctest: unit; ranks 1 2 4; timeout 120 */
/* Nets over several grids: a U-Net by name has the published number of parameters; on every layout, in 1D, 2D and 3D, its adjoint is
   the transpose of its tangent, its output and its adjoint fields have the bits of one rank, its gradient is that of one rank to
   1e-11; what does not fit is refused with what would. */
#include "correction.h"

static PetscErrorCode MakeGrid(MPI_Comm comm, PetscInt dim, WeftGrid *grid)
{
  static const PetscInt cells[3][3] = {{40, 1, 1}, {24, 32, 1}, {16, 16, 16}};
  PetscMPIInt           size;
  WeftGridOptions       o;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim  = dim;
  o.halo = 2;
  for (PetscInt a = 0; a < dim; a++) {
    o.cells[a] = cells[dim - 1][a];
    o.upper[a] = 1.0;
    for (PetscInt s = 0; s < 2; s++) o.side[a][s] = a == 0 ? WEFT_SIDE_OPEN : a == 1 ? WEFT_SIDE_PERIODIC : WEFT_SIDE_NOSLIP;
  }
  if (size == 4 && dim > 1) o.ranks[0] = o.ranks[1] = 2;
  PetscCall(WeftNetAlignGrid(&o));
  PetscCall(WeftGridCreate(comm, &o, grid));
  PetscFunctionReturn(0);
}

/* ---- gradients ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Create(WeftGrid grid, const WeftNetOptions *options, Correction *s)
{
  PetscFunctionBegin;
  PetscCall(CorrectionCreate(grid, PETSC_FALSE, options, s));
  PetscCall(WeftStateSetRandom(s->x[VELOCITY], 5, 0, 0.0, 1.0));
  PetscCall(WeftNetInitialise(s->net, 6, s->x[s->parameters]));
  PetscCall(CorrectionPlay(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckLayouts(Correction *s, PetscInt dim, const WeftNetOptions *options)
{
  WeftGrid      whole;
  const double *one;
  double       *sum, off = 0.0, size = 0.0;
  PetscInt      n;
  Correction    t;

  PetscFunctionBegin;
  PetscCall(MakeGrid(PETSC_COMM_SELF, dim, &whole));
  PetscCall(Create(whole, options, &t));
  PetscCall(SameBits(s->y, t.y, "output"));
  PetscCall(SameBits(s->x_bar[VELOCITY], t.x_bar[VELOCITY], "adjoint of the velocity"));
  n   = WeftSpaceGetInfo(WeftNetParameterSpace(s->net))->count;
  one = (const double *)WeftStateData(t.x_bar[t.parameters]);
  PetscCall(PetscMalloc1(n, &sum));
  PetscCallMPI(MPI_Allreduce(WeftStateData(s->x_bar[s->parameters]), sum, (PetscMPIInt)n, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < n; i++) {
    off += (sum[i] - one[i]) * (sum[i] - one[i]);
    size += one[i] * one[i];
  }
  TestCheck(PetscSqrtReal(off) <= 1e-11 * PetscSqrtReal(size) && size > 0.0, "%dD: the gradient is off by %g, relative", (int)dim,
            (double)PetscSqrtReal(off / size));
  PetscCall(PetscFree(sum));
  PetscCall(CorrectionDestroy(&t));
  PetscCall(WeftGridDestroy(&whole));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckGradients(PetscInt dim)
{
  char           last[16];
  char          *others[] = {(char *)"conv 3 4 tanh dilation 2", (char *)"norm 2",           (char *)"keep",
                             (char *)"strided 3 4 tanh",         (char *)"norm 4",           (char *)"pool mean",
                             (char *)"upsample nearest",         (char *)"transposed 1 3 tanh", (char *)"concat",
                             last};
  WeftNetOptions options;
  PetscMPIInt    size;
  WeftGrid       grid;
  Correction     s;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(MakeGrid(PETSC_COMM_WORLD, dim, &grid));
  PetscCall(WeftNetOptionsFromKeys(dim, &options));
  PetscCall(Create(grid, &options, &s));
  PetscCall(CorrectionCheckTranspose(&s));
  if (size > 1) PetscCall(CheckLayouts(&s, dim, &options));
  PetscCall(CorrectionDestroy(&s));
  PetscCall(WeftNetOptionsDestroy(&options));
  PetscCall(PetscSNPrintf(last, sizeof(last), "conv 1 %" PetscInt_FMT, dim));
  options = (WeftNetOptions){PETSC_STATIC_ARRAY_LENGTH(others), others, WEFT_GHOST_COPY, 1.0, PETSC_FALSE};
  PetscCall(Create(grid, &options, &s));
  PetscCall(CorrectionCheckTranspose(&s));
  if (size > 1) PetscCall(CheckLayouts(&s, dim, &options));
  PetscCall(CorrectionDestroy(&s));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* ---- counts, and what is refused -------------------------------------------------------------------------------------- */

static PetscErrorCode MakeSquare(PetscInt cells, PetscInt granularity, WeftGrid *grid)
{
  PetscMPIInt     size;
  WeftGridOptions o;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftGridOptionsDefault(&o));
  o.dim         = 2;
  o.granularity = granularity;
  for (PetscInt a = 0; a < 2; a++) o.cells[a] = cells, o.upper[a] = 1.0;
  if (size == 4) o.ranks[0] = o.ranks[1] = 2;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &o, grid));
  PetscFunctionReturn(0);
}

/* Four levels of 24 features on 32 x 32 cells: 83,521 parameters; a cell of the output sees farther than the box. */
static PetscErrorCode CheckPublished(void)
{
  const WeftNetLayer *layer;
  WeftNetOptions      options;
  WeftGridOptions     box;
  WeftSpace           features;
  WeftGrid            grid;
  WeftNet             net;
  PetscInt            layers, field, parameters = 0;

  PetscFunctionBegin;
  PetscCall(TestSetKey("net_features", "24"));
  PetscCall(TestSetKey("net_levels", "4"));
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 1;
  box.cells[0] = 36;
  TestFails(WeftNetAlignGrid(&box), "halves the grid 3 times; 36 cells along x are no multiple of 8; use 40");
  PetscCall(MakeSquare(32, 8, &grid));
  PetscCall(WeftNetOptionsFromKeys(1, &options));
  PetscCall(WeftSpaceCreateChannels(grid, 1, 1, 1, options.single, &features));
  PetscCall(WeftNetCreate(features, &options, &net));
  TestCheck(WeftSpaceGetInfo(WeftNetParameterSpace(net))->count == 83521, "%d parameters", (int)WeftSpaceGetInfo(WeftNetParameterSpace(net))->count);
  PetscCall(WeftNetLayers(net, &layers, &layer));
  PetscCall(WeftNetReceptiveField(net, &field));
  for (PetscInt i = 0; i < layers; i++) parameters += layer[i].parameters;
  TestCheck(parameters == 83521 && field > 32, "layers of %d parameters, field %d", (int)parameters, (int)field);
  TestCheck(!strcmp(layer[layers - 1].text, "conv 1 1") && layer[11].cells[0] == 4 && layer[11].channels == 24,
            "layer 11 (%s) has %d cells, the last is %s", layer[11].text, (int)layer[11].cells[0], layer[layers - 1].text);
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&features));
  PetscCall(WeftNetOptionsDestroy(&options));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Refuse(WeftGrid grid, PetscInt layers, const char *const lines[], const char *expected)
{
  WeftNetOptions options = {layers, (char **)lines, WEFT_GHOST_ZERO, 1.0, PETSC_TRUE};
  WeftSpace      features;
  WeftNet        net;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, 1, 3, 2, PETSC_TRUE, &features));
  TestFails(WeftNetCreate(features, &options, &net), expected);
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckRefused(void)
{
  PetscMPIInt size;
  WeftGrid    grid;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(MakeSquare(16, 8, &grid));
  PetscCall(Refuse(grid, 2, (const char *[]){"conv 3 4", "concat"}, "line 2 (concat): nothing is put aside"));
  PetscCall(Refuse(grid, 1, (const char *[]){"upsample nearest"}, "line 1 (upsample nearest): the features are on the net's own grid"));
  PetscCall(Refuse(grid, 2, (const char *[]){"pool max", "conv 3 4"}, "line 2 (conv 3 4): the net ends on a coarser grid"));
  PetscCall(Refuse(grid, 3, (const char *[]){"keep", "pool mean", "concat"}, "line 3 (concat): the features that `keep` put aside last"));
  PetscCall(Refuse(grid, 1, (const char *[]){"pool median"}, "line 1 (pool median): 'median' is no kind of it; use max|mean"));
  PetscCall(Refuse(grid, 1, (const char *[]){"pool"}, "line 1 (pool): words are missing; write `pool max|mean`"));
  PetscCall(Refuse(grid, 1, (const char *[]){"keep 3"}, "line 1 (keep 3): too many words; write `keep`"));
  PetscCall(Refuse(grid, 1, (const char *[]){"conv 3 4 dilation 0"}, "'0' is no dilation; use 1 to 16"));
  PetscCall(Refuse(grid, 4, (const char *[]){"pool max", "pool max", "pool max", "pool max"},
                   "line 4 (pool max): blocks of this grid are multiples of 1 cells, which do not halve"));
  if (size == 4) /* the coarsest level has one cell per rank and axis, kernels of 5 read two */
    PetscCall(Refuse(grid, 4, (const char *[]){"conv 5 4", "pool max", "pool max", "pool max"},
                     "narrower than the 2 ghost layers that the net's widest kernel reads. The largest layout that fits: 1 x 1 x 1 = 1 ranks"));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(CheckRefused());
  PetscCall(TestSetKey("net_type", "unet"));
  PetscCall(TestSetKey("net_features", "3"));
  PetscCall(TestSetKey("net_levels", "3"));
  PetscCall(TestSetKey("net_precision", "double"));
  for (PetscInt dim = 1; dim <= 3; dim++) PetscCall(CheckGradients(dim));
  PetscCall(CheckPublished());
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
