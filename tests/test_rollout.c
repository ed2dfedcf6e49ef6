/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Rollouts of a small step with two operators and two weights: gradients, their reach, memory, faults, other schedules.
     blend  y = 1/2 x + 1/4 x(i+1, j) + 1/4 x(i, j+1)       reads a neighbour: halos forward and back
     react  y = x + w0 x^2 + w1                               a kink-free nonlinearity with weights */
#include <unistd.h>
#include <weft/tape.h>
#include "support.h"
#include "tape/impl.h"

#define STEPS 8
#define BATCH 2

/* ---- the two operators ---------------------------------------------------------------------------------------------- */

/* y = [y +] 1/2 x + 1/4 x(i + d, j) + 1/4 x(i, j + d) over owned cells */
static PetscErrorCode Blend(WeftState x, WeftState y, PetscInt d, PetscBool add)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(x))->grid);

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(x, 1, WEFT_GHOST_ZERO));
  for (PetscInt b = 0; b < BATCH; b++) {
    const double *from = WeftStatePlane(x, 0, b);
    double       *to   = WeftStatePlaneWrite(y, 0, b);
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
        const PetscInt at    = WeftLayoutIndex(l, i, j, 0);
        const double   value = 0.5 * from[at] + (0.25 * from[at + d * l->stride[0]] + 0.25 * from[at + d * l->stride[1]]);
        to[at]               = add ? to[at] + value : value;
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode BlendApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)op;
  (void)record;
  return Blend(x[0], y[0], 1, PETSC_FALSE);
}

static PetscErrorCode BlendTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  return BlendApply(op, dx, dy, record);
}

static PetscErrorCode BlendAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  (void)op;
  (void)x;
  (void)y;
  (void)record;
  return x_bar[0] ? Blend(y_bar[0], x_bar[0], -1, PETSC_TRUE) : 0;
}

typedef enum { REACT_APPLY, REACT_TANGENT, REACT_ADJOINT } React;

/* One pass over the owned cells for all three maps. a: x; b: dx or y_bar; c: y, dy or x_bar; dw: dw or w_bar. */
static PetscErrorCode ReactPass(React what, WeftState x, const double w[], WeftState b, WeftState c, double dw[])
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(x))->grid);

  PetscFunctionBegin;
  for (PetscInt s = 0; s < BATCH; s++) {
    const double *u  = WeftStatePlane(x, 0, s);
    const double *v  = b ? WeftStatePlane(b, 0, s) : NULL;
    double       *to = c ? WeftStatePlaneWrite(c, 0, s) : NULL;
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
        const PetscInt at    = WeftLayoutIndex(l, i, j, 0);
        const double   slope = 1.0 + 2.0 * w[0] * u[at];
        if (what == REACT_APPLY) to[at] = u[at] + w[0] * u[at] * u[at] + w[1];
        else if (what == REACT_TANGENT) to[at] = (v ? slope * v[at] : 0.0) + (dw ? dw[0] * u[at] * u[at] + dw[1] : 0.0);
        else {
          if (to) to[at] += slope * v[at];
          if (dw) dw[0] += u[at] * u[at] * v[at];
          if (dw) dw[1] += v[at];
        }
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ReactApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)op;
  (void)record;
  return ReactPass(REACT_APPLY, x[0], (const double *)WeftStateData(x[1]), NULL, y[0], NULL);
}

static PetscErrorCode ReactTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)op;
  (void)y;
  (void)record;
  return ReactPass(REACT_TANGENT, x[0], (const double *)WeftStateData(x[1]), dx[0], dy[0], dx[1] ? (double *)WeftStateDataWrite(dx[1]) : NULL);
}

static PetscErrorCode ReactAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  (void)op;
  (void)y;
  (void)record;
  return ReactPass(REACT_ADJOINT, x[0], (const double *)WeftStateData(x[1]), y_bar[0], x_bar[0], x_bar[1] ? (double *)WeftStateDataWrite(x_bar[1]) : NULL);
}

/* ---- a problem: grid, step, loss, start and targets --------------------------------------------------------------------- */

typedef struct {
  WeftGrid           grid;
  WeftSpace          fields, weights;
  WeftRolloutOptions options;
  WeftState          input[2], target[STEPS];
} Problem;

static PetscErrorCode CreateStep(Problem *p)
{
  static const WeftOpMaps blend_maps = {BlendApply, BlendTangent, BlendAdjoint, NULL, NULL};
  static const WeftOpMaps react_maps = {ReactApply, ReactTangent, ReactAdjoint, NULL, NULL};
  const WeftSpace         both[]     = {p->fields, p->weights};
  WeftOp                  blend, react;
  WeftProgram             program;
  PetscInt                u, w, v, y;
  MPI_Comm                comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(WeftOpCreate("test_blend", &blend_maps, NULL, WEFT_NEEDS_NOTHING, 1, &p->fields, 1, &p->fields, &blend));
  PetscCall(WeftOpCreate("test_react", &react_maps, NULL, WEFT_NEEDS_INPUTS, 2, both, 1, &p->fields, &react));
  PetscCall(WeftProgramCreate(comm, &program));
  PetscCall(WeftProgramInput(program, "state", p->fields, &u));
  PetscCall(WeftProgramInput(program, "weights", p->weights, &w));
  PetscCall(WeftProgramCall(program, blend, (PetscInt[]){u}, &v));
  PetscCall(WeftProgramCall(program, react, (PetscInt[]){v, w}, &y));
  PetscCall(WeftProgramOutput(program, y));
  PetscCall(WeftProgramFinish(&program, "test_step", &p->options.step));
  PetscCall(WeftOpDestroy(&blend));
  PetscCall(WeftOpDestroy(&react));
  PetscFunctionReturn(0);
}

static PetscErrorCode ProblemCreate(MPI_Comm comm, Problem *p)
{
  static const char *const  names[]     = {"u"};
  static const WeftLocation locations[] = {WEFT_CELL};
  WeftGridOptions           grid;
  double                   *w;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(p, sizeof(*p)));
  PetscCall(WeftGridOptionsDefault(&grid));
  grid.dim      = 2;
  grid.cells[0] = 12;
  grid.cells[1] = 19;
  grid.halo     = 2;
  PetscCall(WeftGridCreate(comm, &grid, &p->grid));
  PetscCall(WeftSpaceCreatePlanes(p->grid, BATCH, 1, names, locations, &p->fields));
  PetscCall(WeftSpaceCreateNumbers(comm, BATCH, 2, PETSC_FALSE, &p->weights));
  PetscCall(CreateStep(p));
  PetscCall(WeftOpCreateError(p->fields, WEFT_ERROR_SQUARED, NULL, &p->options.loss));
  p->options.states = 1;
  p->options.length = STEPS;
  PetscCall(WeftStateCreate(p->fields, &p->input[0]));
  PetscCall(WeftStateCreate(p->weights, &p->input[1]));
  PetscCall(WeftStateSetRandom(p->input[0], 1, 0, 0.3, 0.5));
  w    = (double *)WeftStateDataWrite(p->input[1]);
  w[0] = 0.2;
  w[1] = -0.05;
  for (PetscInt n = 0; n < STEPS; n++) {
    PetscCall(WeftStateCreate(p->fields, &p->target[n]));
    PetscCall(WeftStateSetRandom(p->target[n], 10 + n, 0, 0.2, 0.5));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ProblemDestroy(Problem *p)
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n < STEPS; n++) PetscCall(WeftStateDestroy(&p->target[n]));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&p->input[i]));
  PetscCall(WeftOpDestroy(&p->options.step));
  PetscCall(WeftOpDestroy(&p->options.loss));
  PetscCall(WeftSpaceDestroy(&p->fields));
  PetscCall(WeftSpaceDestroy(&p->weights));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscFunctionReturn(0);
}

/* Gradient of the summed loss: bar[0] of the initial state, bar[1] of the weights (this rank's part). loss: summed over ranks. */
static PetscErrorCode Gradient(Problem *p, WeftRollout rollout, const WeftState input[], const WeftState target[], WeftState bar[], PetscReal *loss, WeftState final)
{
  PetscReal losses[BATCH];
  MPI_Comm  comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(WeftRolloutForward(rollout, input, target, losses, final ? &final : NULL));
  *loss = losses[0] + losses[1];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, loss, 1, MPIU_REAL, MPIU_SUM, comm));
  for (PetscInt i = 0; i < 2 && bar; i++) PetscCall(WeftStateZero(bar[i]));
  if (bar) PetscCall(WeftRolloutReverse(rollout, NULL, bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Pair(Problem *p, WeftState pair[])
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(p->fields, &pair[0]));
  PetscCall(WeftStateCreate(p->weights, &pair[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode PairDestroy(WeftState pair[])
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&pair[0]));
  PetscCall(WeftStateDestroy(&pair[1]));
  PetscFunctionReturn(0);
}

/* The same owned values, bit for bit. */
static PetscErrorCode SameField(WeftState a, WeftState b, const char *what)
{
  const WeftLayout *la = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(a))->grid), *lb = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(b))->grid);

  PetscFunctionBegin;
  for (PetscInt s = 0; s < BATCH; s++)
    for (PetscInt j = la->start[1]; j < la->start[1] + la->count[1]; j++)
      for (PetscInt i = la->start[0]; i < la->start[0] + la->count[0]; i++) {
        const double x = WeftStatePlane(a, 0, s)[WeftLayoutIndex(la, i, j, 0)], y = WeftStatePlane(b, 0, s)[WeftLayoutIndex(lb, i, j, 0)];
        TestCheck(x == y, "%s at (%d, %d): %.17g and %.17g", what, (int)i, (int)j, x, y);
      }
  PetscFunctionReturn(0);
}

/* ---- the tests ---------------------------------------------------------------------------------------------------------- */

/* dloss + <final_bar, dfinal> = <input_bar, dinput>, and the loss follows its tangent with a remainder of order 2. */
static PetscErrorCode TestDotAndTaylor(Problem *p, WeftRollout rollout)
{
  WeftState bar[2], dinput[2], moved[2], final_bar, dfinal;
  PetscReal loss, other, dloss, left, right[2], remainder[2];
  MPI_Comm  comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(Pair(p, bar));
  PetscCall(Pair(p, dinput));
  PetscCall(Pair(p, moved));
  PetscCall(WeftStateCreate(p->fields, &final_bar));
  PetscCall(WeftStateCreate(p->fields, &dfinal));
  PetscCall(WeftStateSetRandom(final_bar, 30, 0, 0.0, 1.0));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateSetRandom(dinput[i], 31 + i, 0, 0.0, 1.0));
  PetscCall(Gradient(p, rollout, p->input, p->target, NULL, &loss, NULL));
  PetscCall(WeftRolloutTangent(rollout, dinput, &dloss, &dfinal));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &dloss, 1, MPIU_REAL, MPIU_SUM, comm));
  PetscCall(WeftRolloutReverse(rollout, &final_bar, bar));
  PetscCall(WeftStateDot(dfinal, final_bar, &left));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDot(bar[i], dinput[i], &right[i]));
  PetscCall(TestClose(dloss + left, right[0] + right[1], 1e-12 * (PetscAbsReal(dloss) + PetscAbsReal(left) + 1.0), "dot product of tangent and adjoint"));
  for (PetscInt k = 0; k < 2; k++) {
    const PetscReal h = k ? 0.5e-4 : 1e-4;
    for (PetscInt i = 0; i < 2; i++) {
      PetscCall(WeftStateCopy(p->input[i], moved[i]));
      PetscCall(WeftStateAXPY(moved[i], h, dinput[i]));
    }
    PetscCall(Gradient(p, rollout, moved, p->target, NULL, &other, NULL));
    remainder[k] = PetscAbsReal(other - loss - h * dloss);
  }
  PetscCall(TestClose(PetscLog2Real(remainder[0] / remainder[1]), 2.0, 0.05, "order of the Taylor remainder"));
  PetscCall(PairDestroy(bar));
  PetscCall(PairDestroy(dinput));
  PetscCall(PairDestroy(moved));
  PetscCall(WeftStateDestroy(&final_bar));
  PetscCall(WeftStateDestroy(&dfinal));
  PetscFunctionReturn(0);
}

/* A gradient cut every `window` steps is the sum of the gradients of rollouts of that length, each from the state there. */
static PetscErrorCode TestReach(Problem *p, WeftReach reach, PetscInt window)
{
  WeftRolloutOptions options = p->options, part = p->options;
  WeftRollout        whole, piece;
  WeftState          bar[2], sum[2], input[2], final;
  PetscReal          loss, part_loss, part_sum = 0.0;
  const double      *w, *v;

  PetscFunctionBegin;
  options.reach  = reach;
  options.window = window;
  part.length    = window;
  PetscCall(WeftRolloutCreate(&options, &whole));
  PetscCall(WeftRolloutCreate(&part, &piece));
  PetscCall(Pair(p, bar));
  PetscCall(Pair(p, sum));
  PetscCall(WeftStateCreate(p->fields, &final));
  PetscCall(WeftStateCreate(p->fields, &input[0]));
  input[1] = p->input[1];
  PetscCall(Gradient(p, whole, p->input, p->target, bar, &loss, NULL));
  PetscCall(WeftStateCopy(p->input[0], input[0]));
  for (PetscInt n = 0; n < STEPS; n += window) {
    const WeftState wanted[] = {n == 0 ? sum[0] : NULL, sum[1]}; /* nothing reaches the initial state from later windows */
    PetscCall(Gradient(p, piece, input, p->target + n, NULL, &part_loss, final));
    PetscCall(WeftRolloutReverse(piece, NULL, wanted));
    PetscCall(WeftStateCopy(final, input[0]));
    part_sum += part_loss;
  }
  PetscCall(TestClose(loss, part_sum, 1e-13 * loss, "loss of the windows"));
  PetscCall(SameField(bar[0], sum[0], "adjoint of the initial state in the first window"));
  w = (const double *)WeftStateData(bar[1]);
  v = (const double *)WeftStateData(sum[1]);
  for (PetscInt i = 0; i < 2; i++) PetscCall(TestClose(w[i], v[i], 1e-12 * PetscAbsReal(w[i]), "gradient of the windows"));
  PetscCall(PairDestroy(bar));
  PetscCall(PairDestroy(sum));
  PetscCall(WeftStateDestroy(&final));
  PetscCall(WeftStateDestroy(&input[0]));
  PetscCall(WeftRolloutDestroy(&whole));
  PetscCall(WeftRolloutDestroy(&piece));
  PetscFunctionReturn(0);
}

/* Damping: tangent against adjoint. Clip: no step lets the adjoint of the last loss grow beyond it. */
static PetscErrorCode TestLimits(Problem *p, WeftRollout rollout)
{
  WeftRolloutOptions limits = {.damping = 0.2};
  WeftState          bar[2], dinput[2], target[STEPS] = {NULL};
  PetscReal          loss, dloss, right[2], free_norm = 0.0;
  const PetscReal   *norms;
  MPI_Comm           comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(Pair(p, bar));
  PetscCall(Pair(p, dinput));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateSetRandom(dinput[i], 71 + i, 0, 0.0, 1.0));
  PetscCall(WeftRolloutLimit(rollout, &limits));
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, NULL));
  PetscCall(WeftRolloutTangent(rollout, dinput, &dloss, NULL));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &dloss, 1, MPIU_REAL, MPIU_SUM, comm));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDot(bar[i], dinput[i], &right[i]));
  PetscCall(TestClose(dloss, right[0] + right[1], 1e-12 * (PetscAbsReal(dloss) + 1.0), "tangent and adjoint with damping"));
  target[STEPS - 1] = p->target[STEPS - 1];
  for (PetscInt k = 0; k < 2; k++) {
    limits = (WeftRolloutOptions){.clip = k ? 0.5 : 0.0};
    PetscCall(WeftRolloutLimit(rollout, &limits));
    PetscCall(Gradient(p, rollout, p->input, target, bar, &loss, NULL));
    PetscCall(WeftRolloutAdjointNorms(rollout, &norms));
    if (!k) free_norm = norms[STEPS - 1] / norms[STEPS];
    for (PetscInt n = 0; n < STEPS && k; n++) TestCheck(norms[n] <= (0.5 + 1e-12) * norms[n + 1] && norms[n] > 0.0, "adjoint of state %d: %g, after it %g", (int)n, (double)norms[n], (double)norms[n + 1]);
  }
  TestCheck(free_norm > 0.5, "the clip had nothing to do: %g", (double)free_norm);
  limits = (WeftRolloutOptions){.clip = 0.0};
  PetscCall(WeftRolloutLimit(rollout, &limits));
  PetscCall(PairDestroy(bar));
  PetscCall(PairDestroy(dinput));
  PetscFunctionReturn(0);
}

/* Every rank count gives the serial states and adjoint fields bit for bit, and the serial weight gradient to round-off. */
static PetscErrorCode TestLayouts(Problem *p, WeftRollout rollout)
{
  Problem     serial;
  WeftRollout alone;
  WeftState   bar[2], serial_bar[2], final, serial_final;
  PetscReal   loss, serial_loss;
  double      w[2];
  MPI_Comm    comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  PetscCall(ProblemCreate(PETSC_COMM_SELF, &serial));
  PetscCall(WeftRolloutCreate(&serial.options, &alone));
  PetscCall(Pair(p, bar));
  PetscCall(Pair(&serial, serial_bar));
  PetscCall(WeftStateCreate(p->fields, &final));
  PetscCall(WeftStateCreate(serial.fields, &serial_final));
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, final));
  PetscCall(Gradient(&serial, alone, serial.input, serial.target, serial_bar, &serial_loss, serial_final));
  PetscCall(SameField(final, serial_final, "final state"));
  PetscCall(SameField(bar[0], serial_bar[0], "adjoint of the initial state"));
  PetscCall(TestClose(loss, serial_loss, 1e-13 * serial_loss, "loss"));
  PetscCallMPI(MPI_Allreduce(WeftStateData(bar[1]), w, 2, MPI_DOUBLE, MPI_SUM, comm));
  for (PetscInt i = 0; i < 2; i++) {
    const double reference = ((const double *)WeftStateData(serial_bar[1]))[i];
    PetscCall(TestClose(w[i], reference, 1e-12 * PetscAbsReal(reference), "gradient of the weights"));
  }
  PetscCall(PairDestroy(bar));
  PetscCall(PairDestroy(serial_bar));
  PetscCall(WeftStateDestroy(&final));
  PetscCall(WeftStateDestroy(&serial_final));
  PetscCall(WeftRolloutDestroy(&alone));
  PetscCall(ProblemDestroy(&serial));
  PetscFunctionReturn(0);
}

/* The last adjoint norm is the distance to the last target. */
static PetscErrorCode TestNorms(Problem *p, WeftRollout rollout)
{
  WeftState        bar[2], final;
  PetscReal        loss, distance, initial;
  const PetscReal *norms;

  PetscFunctionBegin;
  PetscCall(Pair(p, bar));
  PetscCall(WeftStateCreate(p->fields, &final));
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, final));
  PetscCall(WeftRolloutAdjointNorms(rollout, &norms));
  PetscCall(WeftStateAXPY(final, -1.0, p->target[STEPS - 1]));
  PetscCall(WeftStateNorm(final, NORM_2, &distance));
  PetscCall(WeftStateNorm(bar[0], NORM_2, &initial));
  PetscCall(TestClose(norms[STEPS], distance, 1e-12 * distance, "norm of the last adjoint"));
  PetscCall(TestClose(norms[0], initial, 1e-12 * initial, "norm of the first adjoint"));
  PetscCall(PairDestroy(bar));
  PetscCall(WeftStateDestroy(&final));
  PetscFunctionReturn(0);
}

/* Whatever is kept and whatever is played again: same loss, same gradient, same tangent, bit for bit, with the plays of the formula. */
static PetscErrorCode TestPlan(Problem *p, WeftRollout rollout, WeftTapePlan plan)
{
  WeftRollout other;
  WeftState   bar[2], other_bar[2], dinput[2], final, other_final;
  PetscReal   loss, other_loss, dloss, other_dloss, predicted, measured;
  PetscBool   same;

  PetscFunctionBegin;
  PetscCall(WeftRolloutCreatePlanned(&p->options, &plan, &other));
  PetscCall(Pair(p, bar));
  PetscCall(Pair(p, other_bar));
  PetscCall(Pair(p, dinput));
  PetscCall(WeftStateCreate(p->fields, &final));
  PetscCall(WeftStateCreate(p->fields, &other_final));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateSetRandom(dinput[i], 50 + i, 0, 0.0, 1.0));
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, final));
  PetscCall(Gradient(p, other, p->input, p->target, other_bar, &other_loss, other_final));
  PetscCall(WeftRolloutPlays(other, &predicted, &measured));
  TestCheck(predicted == measured, "%g plays per step, predicted %g", (double)measured, (double)predicted);
  for (PetscInt again = 0; again < 2; again++) {
    TestCheck(loss == other_loss, "loss %.17g, replayed %.17g", loss, other_loss);
    PetscCall(SameField(final, other_final, "final state"));
    PetscCall(SameField(bar[0], other_bar[0], "adjoint by replay"));
    PetscCall(PetscMemcmp(WeftStateData(bar[1]), WeftStateData(other_bar[1]), 2 * sizeof(double), &same));
    TestCheck(same, "the gradient by replay differs");
    PetscCall(WeftRolloutTangent(rollout, dinput, &dloss, NULL));
    PetscCall(WeftRolloutTangent(other, dinput, &other_dloss, NULL));
    TestCheck(dloss == other_dloss, "tangent %.17g, replayed %.17g", dloss, other_dloss);
    for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateZero(other_bar[i])); /* reversed once more, after a tangent */
    PetscCall(WeftRolloutReverse(other, NULL, other_bar));
  }
  PetscCall(PairDestroy(bar));
  PetscCall(PairDestroy(other_bar));
  PetscCall(PairDestroy(dinput));
  PetscCall(WeftStateDestroy(&final));
  PetscCall(WeftStateDestroy(&other_final));
  PetscCall(WeftRolloutDestroy(&other));
  PetscFunctionReturn(0);
}

/* Sweeps after the first allocate nothing; what the tape takes is what was predicted; a smaller budget is kept, a tiny one refused. */
static PetscErrorCode TestMemory(Problem *p)
{
  WeftRolloutOptions options = p->options;
  WeftRollout        rollout;
  WeftState          bar[2];
  PetscReal          loss;
  PetscInt           before;
  size_t             predicted, measured;

  PetscFunctionBegin;
  PetscCall(WeftRolloutCreate(&options, &rollout));
  PetscCall(WeftRolloutMemory(rollout, &predicted, &measured));
#if !defined(__SANITIZE_ADDRESS__) /* its allocator does not tell the C library what it gave */
  TestCheck(measured >= predicted && measured <= predicted + predicted / 5 + 16384, "the tape takes %zu bytes, predicted %zu", measured, predicted);
#endif
  PetscCall(Pair(p, bar));
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, NULL));
  before = test_allocations;
  PetscCall(Gradient(p, rollout, p->input, p->target, bar, &loss, NULL));
  TestCheck(test_allocations == before, "%" PetscInt_FMT " allocations in the second update", test_allocations - before);
  TestCheck(before > 0, "the allocations are not counted");
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(PairDestroy(bar));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &predicted, 1, MPI_UINT64_T, MPI_MAX, PETSC_COMM_WORLD)); /* blocks differ in size */
  for (options.memory = predicted; options.memory > predicted / 2; options.memory -= predicted / 16) { /* a smaller budget is kept by playing again */
    PetscReal plays, unused;
    size_t    bytes;
    PetscCall(WeftRolloutCreate(&options, &rollout));
    PetscCall(WeftRolloutMemory(rollout, &bytes, &measured));
    PetscCall(WeftRolloutPlays(rollout, &plays, &unused));
    TestCheck(bytes <= options.memory && (plays > 0.0) == (options.memory < predicted), "a tape of %zu bytes, %g plays again, within %zu", bytes, (double)plays, options.memory);
    PetscCall(WeftRolloutDestroy(&rollout));
  }
  options.memory = predicted / 8;
  TestFails(WeftRolloutCreate(&options, &rollout), "raise -tape_memory");
  PetscFunctionReturn(0);
}

/* An infinity that appears in step 3 is reported with the step and the operator, on all ranks. */
static PetscErrorCode TestFault(Problem *p, WeftRollout rollout, const char *path)
{
  WeftState      input[2];
  PetscReal      losses[BATCH];
  PetscErrorCode ierr;
  PetscMPIInt    rank;
  char           text[4096];
  size_t         length;
  FILE          *file;
  int            saved;

  PetscFunctionBegin;
  PetscCall(Pair(p, input));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftStateSetRandom(input[0], 1, 0, 1.0, 0.0));
  ((double *)WeftStateDataWrite(input[1]))[0] = 1e100; /* 1 -> 1e100 -> 1e300 -> overflow */
  fflush(stderr);
  saved = dup(2);
  TestCheck(saved >= 0 && freopen(path, "w", stderr), "cannot redirect the messages");
  ierr = WeftRolloutForward(rollout, input, p->target, losses, NULL);
  fflush(stderr);
  dup2(saved, 2);
  close(saved);
  TestCheck(ierr == WEFT_ERR_USER, "an infinity went unnoticed");
  file = fopen(path, "r");
  TestCheck(file, "cannot read %s", path);
  length       = fread(text, 1, sizeof(text) - 1, file);
  text[length] = 0;
  fclose(file);
  remove(path);
  TestCheck(rank || (strstr(text, "step 3") && strstr(text, "test_react") && !strstr(text, "test_blend") && strstr(text, "u at cell (0, 0, 0) of sample 0 on rank 0")), "the message names another place: %s", text);
  PetscCall(PairDestroy(input));
  PetscFunctionReturn(0);
}

/* One value at the end of the last rank's block: in the start, which names field, cell, sample and rank, and in what step 5 is compared
   with, so that the adjoint alone is lost: step and operator too. */
static PetscErrorCode TestPlaces(Problem *p, WeftRollout rollout)
{
  const WeftLayout *l = WeftGridLayout(p->grid);
  const PetscInt    i = l->start[0] + l->count[0] - 1, j = l->start[1] + l->count[1] - 1;
  const PetscReal  *norms;
  WeftState         input[2], bar[2], *changed[2] = {&input[0], &p->target[4]};
  PetscMPIInt       rank, size;
  char              place[96], text[512];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscSNPrintf(place, sizeof(place), "u at cell (%d, %d, 0) of sample 1 on rank %d", (int)i, (int)j, (int)rank));
  PetscCallMPI(MPI_Bcast(place, sizeof(place), MPI_CHAR, size - 1, PETSC_COMM_WORLD));
  PetscCall(Pair(p, input));
  PetscCall(Pair(p, bar));
  for (PetscInt n = 0; n < 2; n++) {
    const PetscInt at = WeftLayoutIndex(l, i, j, 0);
    double         before;
    for (PetscInt k = 0; k < 2; k++) PetscCall(WeftStateCopy(p->input[k], input[k]));
    before = WeftStatePlane(*changed[n], 0, 1)[at];
    if (rank == size - 1) WeftStatePlaneWrite(*changed[n], 0, 1)[at] = NAN;
    if (n) {
      PetscCall(WeftRolloutForward(rollout, input, p->target, NULL, NULL));
      PetscCall(WeftRolloutSearchAdjoint(rollout, bar, text, sizeof(text)));
      TestCheck(strstr(text, "the adjoint of operator ") && strstr(text, place), "'%s' does not name %s", text, place);
      PetscCall(WeftRolloutAdjointNorms(rollout, &norms));
      TestCheck(PetscIsInfOrNanReal(norms[5]) && !PetscIsInfOrNanReal(norms[6]), "the adjoint is lost at another step than 5");
    } else TestFails(WeftRolloutForward(rollout, input, p->target, NULL, NULL), place);
    if (rank == size - 1) WeftStatePlaneWrite(*changed[n], 0, 1)[at] = before;
  }
  PetscCall(PairDestroy(input));
  PetscCall(PairDestroy(bar));
  PetscFunctionReturn(0);
}

/* Weights that differ from step to step: tangent against adjoint, and the adjoint of each step against a difference of the loss. */
static PetscErrorCode TestSequence(Problem *p, WeftRollout rollout)
{
  const PetscReal h = 1e-5;
  WeftState       value[STEPS], bar[STEPS], dvalue[STEPS], none[2] = {NULL, NULL};
  PetscReal       loss, moved[2], dloss, right = 0.0;
  MPI_Comm        comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(p->grid, &comm));
  for (PetscInt n = 0; n < STEPS; n++) {
    PetscCall(WeftStateCreate(p->weights, &value[n]));
    PetscCall(WeftStateCreate(p->weights, &bar[n]));
    PetscCall(WeftStateCreate(p->weights, &dvalue[n]));
    PetscCall(WeftStateSetRandom(value[n], 50 + n, 0, 0.1, 0.1));
    PetscCall(WeftStateSetRandom(dvalue[n], 60 + n, 0, 0.0, 1.0));
  }
  PetscCall(WeftRolloutSetSequence(rollout, 1, value, bar, dvalue));
  PetscCall(Gradient(p, rollout, p->input, p->target, NULL, &loss, NULL));
  PetscCall(WeftRolloutReverse(rollout, NULL, none));
  PetscCall(WeftRolloutTangent(rollout, none, &dloss, NULL));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &dloss, 1, MPIU_REAL, MPIU_SUM, comm));
  for (PetscInt n = 0; n < STEPS; n++) {
    PetscReal part, slope;
    PetscCall(WeftStateDot(bar[n], dvalue[n], &part));
    right += part;
    for (PetscInt k = 0; k < 2; k++) { /* central difference along dvalue of this step alone */
      PetscCall(WeftStateAXPY(value[n], k ? -2.0 * h : h, dvalue[n]));
      PetscCall(Gradient(p, rollout, p->input, p->target, NULL, &moved[k], NULL));
    }
    PetscCall(WeftStateAXPY(value[n], h, dvalue[n]));
    slope = (moved[0] - moved[1]) / (2.0 * h);
    PetscCall(TestClose(part, slope, 1e-6 * PetscAbsReal(slope) + 1e-8 * loss, "adjoint of one step's weights"));
  }
  PetscCall(TestClose(dloss, right, 1e-12 * (PetscAbsReal(dloss) + 1.0), "tangent and adjoint of a sequence"));
  PetscCall(WeftRolloutSetSequence(rollout, 1, NULL, NULL, NULL));
  for (PetscInt n = 0; n < STEPS; n++) {
    PetscCall(WeftStateDestroy(&value[n]));
    PetscCall(WeftStateDestroy(&bar[n]));
    PetscCall(WeftStateDestroy(&dvalue[n]));
  }
  PetscFunctionReturn(0);
}

/* Weights 0 and 2 of the loss after steps: twice the gradient of the loss at every other step alone, bit for bit (of fields). */
static PetscErrorCode TestLossWeights(Problem *p)
{
  WeftRolloutOptions options = p->options;
  PetscReal          weight[STEPS], loss[2], dloss;
  WeftState          bar[2][2], dinput[2], target[STEPS];
  WeftRollout        weighted, plain;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < STEPS; n++) {
    weight[n] = n % 2 ? 2.0 : 0.0;
    target[n] = n % 2 ? p->target[n] : NULL;
  }
  PetscCall(WeftRolloutCreate(&options, &plain));
  options.loss_weight = weight;
  PetscCall(WeftRolloutCreate(&options, &weighted));
  for (PetscInt i = 0; i < 2; i++) PetscCall(Pair(p, bar[i]));
  PetscCall(Pair(p, dinput));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateSetRandom(dinput[i], 61 + i, 0, 0.0, 1.0));
  PetscCall(Gradient(p, weighted, p->input, p->target, bar[0], &loss[0], NULL));
  PetscCall(Gradient(p, plain, p->input, target, bar[1], &loss[1], NULL));
  PetscCall(WeftStateAXPY(bar[1][0], 1.0, bar[1][0]));
  PetscCall(SameField(bar[0][0], bar[1][0], "adjoint of a weighted loss"));
  PetscCall(TestClose(loss[0], 2.0 * loss[1], 1e-13 * loss[0], "weighted loss"));
  PetscCall(Gradient(p, weighted, p->input, p->target, bar[0], &loss[0], NULL));
  PetscCall(WeftRolloutTangent(weighted, dinput, &dloss, NULL));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &dloss, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDot(bar[0][i], dinput[i], &loss[i]));
  PetscCall(TestClose(dloss, loss[0] + loss[1], 1e-12 * (PetscAbsReal(loss[0]) + PetscAbsReal(loss[1])), "tangent of a weighted loss"));
  for (PetscInt i = 0; i < 2; i++) PetscCall(PairDestroy(bar[i]));
  PetscCall(PairDestroy(dinput));
  PetscCall(WeftRolloutDestroy(&weighted));
  PetscCall(WeftRolloutDestroy(&plain));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  Problem     p;
  WeftRollout rollout;
  PetscMPIInt rank, size;
  char        path[64];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(ProblemCreate(PETSC_COMM_WORLD, &p));
  PetscCall(WeftRolloutCreate(&p.options, &rollout));
  PetscCall(TestDotAndTaylor(&p, rollout));
  PetscCall(TestReach(&p, WEFT_REACH_ONE_STEP, 1));
  PetscCall(TestReach(&p, WEFT_REACH_TRUNCATED, 2));
  PetscCall(TestLimits(&p, rollout));
  PetscCall(TestLayouts(&p, rollout));
  PetscCall(TestNorms(&p, rollout));
  PetscCall(TestSequence(&p, rollout));
  PetscCall(TestLossWeights(&p));
  for (PetscInt records = 1; records <= 3; records++)
    for (PetscInt slots = 1; slots <= 3; slots++) PetscCall(TestPlan(&p, rollout, (WeftTapePlan){slots, 0, records}));
  PetscCall(TestMemory(&p));
  PetscCall(PetscSNPrintf(path, sizeof(path), "rollout_fault_%d_%d.txt", size, rank));
  PetscCall(TestFault(&p, rollout, path));
  PetscCall(TestPlaces(&p, rollout));
  PetscCall(WeftRolloutDestroy(&rollout));
  PetscCall(ProblemDestroy(&p));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (TestCountAllocations()) return 1;
  return TestMain(argc, argv, Test);
}
