/* ctest: long; ranks 1; timeout 300 */
/* The reaction of the Gray-Scott model learned by a small net per cell, through implicit (Crank-Nicolson) steps with the net's
   Jacobian in the assembled matrix, from snapshots of two simulations. Asserted: the stencil with the net against coloured tangents,
   the gradient against the tangent, and the learned reaction against the true one on the states of a third simulation, from another
   initial state. Argument: updates (default 400), learning rate. */
#include <math.h>
#include <stdlib.h>
#include <weft.h>
#include "support.h"

enum { CELLS = 32, SAMPLES = 2, SNAPSHOTS = 6, UNROLL = 2 };

static const PetscReal dt = 3.0, diffusivity[2] = {8e-5, 4e-5}, rates[2] = {0.024, 0.06};

typedef struct {
  WeftGrid  grid;
  WeftSpace space;
  WeftOp    truth, reaction, right, step; /* true step; learned reaction, right-hand side with it, its step */
  WeftNet   net;
  WeftState diffusivities, rates, weights, gradient;
} Setting;

/* A smooth random state: u in 0.3 ... 1, v in 0 ... 0.4, one mode per wave number up to 3. */
static PetscErrorCode Smooth(PetscInt64 seed, WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  for (PetscInt b = 0; b < info->batch; b++)
    for (PetscInt f = 0; f < 2; f++) {
      double *plane = WeftStatePlaneWrite(state, f, b);
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
        for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
          double sum = 0.0;
          for (PetscInt m = 0; m < 12; m++) {
            const PetscInt64 at = ((PetscInt64)b * 2 + f) * 64 + 4 * m;
            const double     kx = floor(7.0 * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, at)) - 3.0, ky = floor(7.0 * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, at + 1)) - 3.0;
            sum += (WeftRandomUniform(seed, WEFT_STREAM_INITIAL, at + 2) - 0.5) * cos(2.0 * PETSC_PI * (kx * i / CELLS + ky * j / CELLS + WeftRandomUniform(seed, WEFT_STREAM_INITIAL, at + 3)));
          }
          plane[WeftLayoutIndex(l, i, j, 0)] = f ? 0.2 + 0.2 * tanh(sum) : 0.65 + 0.35 * tanh(sum);
        }
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(Setting *s)
{
  static const char *const name[]     = {"u", "v"};
  const WeftLocation       location[] = {WEFT_CELL, WEFT_CELL};
  const PetscReal          scale[2]   = {0.5, 0.25}; /* of u and v */
  char                    *layers[]   = {"dense 16 tanh", "dense 16 tanh", "dense 2"};
  const WeftNetOptions     net        = {.layers = 3, .layer = layers, .edges = WEFT_GHOST_ZERO, .gain = 1.0, .single = PETSC_FALSE};
  WeftImplicitOptions      solve;
  WeftGridOptions          box;
  WeftOp                   f;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = box.cells[1] = CELLS;
  box.upper[0] = box.upper[1] = 1.0;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &s->grid));
  PetscCall(WeftSpaceCreatePlanes(s->grid, SAMPLES, 2, name, location, &s->space));
  PetscCall(WeftImplicitOptionsDefault(&solve));
  PetscCall(WeftOpCreateGrayScott(s->space, &f));
  PetscCall(WeftOpCreateTheta(f, 0.5, dt, &solve, NULL, &s->truth));
  PetscCall(WeftStateCreate(WeftOpInSpace(f, 1), &s->diffusivities));
  PetscCall(WeftStateCreate(WeftOpInSpace(f, 2), &s->rates));
  for (PetscInt i = 0; i < 2 * SAMPLES; i++) {
    ((double *)WeftStateDataWrite(s->diffusivities))[i] = diffusivity[i % 2];
    ((double *)WeftStateDataWrite(s->rates))[i]         = rates[i % 2];
  }
  PetscCall(WeftOpDestroy(&f));
  PetscCall(WeftRateCreate(s->space, NULL, scale, 0.2, &net, &s->net, &s->reaction));
  PetscCall(WeftOpCreateReactionDiffusion(s->reaction, &s->right));
  PetscCall(WeftOpCreateTheta(s->right, 0.5, dt, &solve, NULL, &s->step));
  PetscCall(WeftStateCreate(WeftNetParameterSpace(s->net), &s->weights));
  PetscCall(WeftStateCreate(WeftNetParameterSpace(s->net), &s->gradient));
  PetscCall(WeftNetInitialise(s->net, 1, s->weights));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Setting *s)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&s->diffusivities));
  PetscCall(WeftStateDestroy(&s->rates));
  PetscCall(WeftStateDestroy(&s->weights));
  PetscCall(WeftStateDestroy(&s->gradient));
  PetscCall(WeftOpDestroy(&s->truth));
  PetscCall(WeftOpDestroy(&s->reaction));
  PetscCall(WeftOpDestroy(&s->right));
  PetscCall(WeftOpDestroy(&s->step));
  PetscCall(WeftNetDestroy(&s->net));
  PetscCall(WeftSpaceDestroy(&s->space));
  PetscCall(WeftGridDestroy(&s->grid));
  PetscFunctionReturn(0);
}

/* state[0 ... SNAPSHOTS] of the true model. */
static PetscErrorCode Simulate(Setting *s, PetscInt64 seed, WeftState state[])
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n <= SNAPSHOTS; n++) PetscCall(WeftStateCreate(s->space, &state[n]));
  PetscCall(Smooth(seed, state[0]));
  for (PetscInt n = 0; n < SNAPSHOTS; n++) PetscCall(WeftOpApply(s->truth, (const WeftState[]){state[n], s->diffusivities, s->rates}, &state[n + 1], NULL));
  PetscFunctionReturn(0);
}

/* |learned - true reaction| / |true reaction| over the states. */
static PetscErrorCode ReactionError(Setting *s, const WeftState state[], PetscReal *error)
{
  double    sums[2] = {0.0, 0.0};
  WeftState learned;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(s->space, &learned));
  for (PetscInt n = 0; n <= SNAPSHOTS; n++) {
    const WeftLayout *l = WeftGridLayout(s->grid);
    PetscCall(WeftOpApply(s->reaction, (const WeftState[]){state[n], s->weights}, &learned, NULL));
    for (PetscInt b = 0; b < SAMPLES; b++)
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
        for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
          const PetscInt c = WeftLayoutIndex(l, i, j, 0);
          const double   u = WeftStatePlane(state[n], 0, b)[c], v = WeftStatePlane(state[n], 1, b)[c];
          const double   exact[2] = {-u * v * v + rates[0] * (1.0 - u), u * v * v - (rates[0] + rates[1]) * v};
          for (PetscInt f = 0; f < 2; f++) {
            sums[0] += PetscSqr(WeftStatePlane(learned, f, b)[c] - exact[f]);
            sums[1] += PetscSqr(exact[f]);
          }
        }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  *error = sqrt(sums[0] / sums[1]);
  PetscCall(WeftStateDestroy(&learned));
  PetscFunctionReturn(0);
}

/* The net's Jacobian in the matrix, and the gradient by the weights through two steps. */
static PetscErrorCode Check(Setting *s, WeftState start)
{
  const WeftState    in[3]   = {start, s->diffusivities, s->weights};
  WeftRolloutOptions options = {.step = s->step, .states = 1, .length = 2};
  WeftState          v[3] = {NULL}, bar[3] = {NULL, NULL, s->gradient}, w, image;
  PetscReal          difference, forward, reverse;
  WeftRollout        rollout;

  PetscFunctionBegin;
  PetscCall(WeftOpCheckStencil(s->right, in, &difference));
  TestCheck(difference < 1e-13, "the stencil with the net differs from coloured tangents by %g", (double)difference);
  PetscCall(WeftStateCreate(s->space, &w));
  PetscCall(WeftStateCreate(s->space, &image));
  PetscCall(WeftStateCreate(WeftStateSpace(s->weights), &v[2]));
  PetscCall(WeftStateSetRandom(w, 3, 0, 0.0, 1.0));
  PetscCall(WeftStateSetRandom(v[2], 4, 0, 0.0, 0.1));
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftRolloutForward(rollout, in, NULL, NULL, NULL));
  PetscCall(WeftRolloutTangent(rollout, v, NULL, &image));
  PetscCall(WeftRolloutReverse(rollout, &w, bar));
  PetscCall(WeftStateDot(image, w, &forward));
  PetscCall(WeftStateDot(s->gradient, v[2], &reverse));
  PetscCall(TestClose(reverse, forward, 1e-9 * PetscAbsReal(forward), "gradient by the weights"));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(WeftStateDestroy(&v[2]));
  PetscCall(WeftStateDestroy(&w));
  PetscCall(WeftStateDestroy(&image));
  PetscFunctionReturn(0);
}

static PetscErrorCode Train(Setting *s, const WeftState state[], PetscInt updates)
{
  const PetscInt     count   = WeftSpaceGetInfo(WeftStateSpace(s->weights))->count;
  WeftRolloutOptions options = {.step = s->step, .states = 1, .length = UNROLL};
  WeftOptimizer      adam;
  WeftRollout        rollout;

  PetscFunctionBegin;
  PetscCall(TestSetKey("optimizer_rate", test_argc > 2 ? test_argv[2] : "0.03"));
  PetscCall(TestSetKey("optimizer_schedule", "cosine"));
  PetscCall(WeftOptimizerCreateFromKeys(count, updates, &adam));
  PetscCall(WeftOpCreateError(s->space, WEFT_ERROR_SQUARED, NULL, &options.loss));
  PetscCall(WeftRolloutCreate(&options, &rollout));
  for (PetscInt k = 0; k < updates; k++) {
    const PetscInt  from    = (PetscInt)(WeftRandomUniform(2, WEFT_STREAM_ORDER, k) * (SNAPSHOTS - UNROLL + 1));
    const WeftState in[3]   = {state[from], s->diffusivities, s->weights}, bar[3] = {NULL, NULL, s->gradient};
    double         *g       = (double *)WeftStateDataWrite(s->gradient);
    PetscReal       losses[SAMPLES], norm;
    PetscCall(WeftStateZero(s->gradient));
    PetscCall(WeftRolloutForward(rollout, in, &state[from + 1], losses, NULL));
    PetscCall(WeftRolloutReverse(rollout, NULL, bar));
    losses[0] += losses[1];
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, losses, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, g, (PetscMPIInt)count, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    PetscCall(WeftOptimizerStep(adam, k, g, (double *)WeftStateDataWrite(s->weights), &norm));
    if (k % 100 == 0 || k == updates - 1) PetscCall(WeftLog("update %4d  loss %.3e", (int)k, (double)losses[0]));
  }
  PetscCall(WeftOptimizerDestroy(&adam));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(WeftOpDestroy(&options.loss));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  const PetscInt updates = test_argc > 1 ? atoi(test_argv[1]) : 400;
  WeftState      state[SNAPSHOTS + 1], other[SNAPSHOTS + 1];
  PetscReal      before, after, seen;
  Setting        s;

  PetscFunctionBegin;
  PetscCall(Create(&s));
  PetscCall(Simulate(&s, 21, state));
  PetscCall(Simulate(&s, 22, other));
  PetscCall(Check(&s, state[0]));
  PetscCall(ReactionError(&s, other, &before));
  PetscCall(Train(&s, state, updates));
  PetscCall(ReactionError(&s, state, &seen));
  PetscCall(ReactionError(&s, other, &after));
  PetscCall(WeftLog("reaction off by %.4f before, %.4f after %d updates on states that were not in the training (%.4f on those that were)", (double)before, (double)after, (int)updates, (double)seen));
  TestCheck(after < 0.4 && after < 0.3 * before, "the learned reaction is off by %g on states that were not in the training", (double)after);
  for (PetscInt n = 0; n <= SNAPSHOTS; n++) {
    PetscCall(WeftStateDestroy(&state[n]));
    PetscCall(WeftStateDestroy(&other[n]));
  }
  PetscCall(Destroy(&s));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
