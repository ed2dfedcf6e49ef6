/* The contract of an operator, checked on one operator. Ghosts of every state that goes in hold NaN at first, so that a map
   which reads a ghost that it did not fill is found out. */
#include <float.h>
#include <stdarg.h>
#include "op/impl.h"

#define STEPS 10        /* of the Taylor test: h = 4^-3 ... 4^-12 */
#define ROUND_OFF 100.0 /* times the spacing of floating-point numbers: what counts as equal to round-off */

typedef struct {
  WeftOp        op;
  MPI_Comm      comm;
  PetscReal     eps;
  PetscReal     equal; /* relative difference that counts as none: round-off, or the tolerance of a solve */
  PetscInt64    seed;
  PetscBool     allow_kinks;
  WeftOpReport *report;
  WeftRecord    record;
  WeftState     x[WEFT_OP_MAX], v[WEFT_OP_MAX], y[WEFT_OP_MAX], dy[WEFT_OP_MAX], w[WEFT_OP_MAX];
  WeftState     adjoint[WEFT_OP_MAX];                     /* of all outputs' w together */
  WeftState     x_read[WEFT_OP_MAX], y_read[WEFT_OP_MAX]; /* what tangent and adjoint see: NaN where they need nothing */
} Check;

static void Fault(Check *c, const char *format, ...)
{
  va_list arguments;
  size_t  length;

  if (!c->report->passed) return;
  c->report->passed = PETSC_FALSE;
  va_start(arguments, format);
  (void)PetscVSNPrintf(c->report->message, sizeof(c->report->message), format, &length, arguments);
  va_end(arguments);
}

/* ---- states ---------------------------------------------------------------------------------------------------- */

/* A state whose unknowns are drawn, and everything else NaN (all bits set, in float32 and float64). */
static PetscErrorCode Draw(WeftSpace space, PetscInt64 seed, PetscReal offset, PetscReal amplitude, WeftState *state)
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, state));
  memset(WeftStateDataWrite(*state), 0xff, WeftSpaceGetInfo(space)->bytes);
  PetscCall(WeftStateSetRandom(*state, seed, 0, offset, amplitude));
  PetscFunctionReturn(0);
}

static PetscErrorCode Poison(WeftSpace space, WeftState *state)
{
  PetscFunctionBegin;
  PetscCall(WeftStateCreate(space, state));
  memset(WeftStateDataWrite(*state), 0xff, WeftSpaceGetInfo(space)->bytes);
  PetscFunctionReturn(0);
}

static PetscErrorCode DestroyAll(PetscInt n, WeftState state[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) PetscCall(WeftStateDestroy(&state[i]));
  PetscFunctionReturn(0);
}

/* |a - factor b| over the unknowns of all ranks; b NULL: |a|. parts: numbers are parts of a sum over the ranks. */
static PetscErrorCode Distance(WeftState a, PetscReal factor, WeftState b, PetscBool parts, PetscReal *norm)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(a));
  WeftState            d;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftStateSpace(a), &d));
  PetscCall(WeftStateCopy(a, d));
  if (b) PetscCall(WeftStateAXPY(d, -factor, b));
  if (parts && info->kind == WEFT_NUMBERS)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(d), (PetscMPIInt)(info->bytes / sizeof(double)), MPI_DOUBLE,
                               MPI_SUM, info->comm));
  PetscCall(WeftStateNorm(d, NORM_2, norm));
  PetscCall(WeftStateDestroy(&d));
  PetscFunctionReturn(0);
}

/* A NaN must not pass as small. */
static PetscBool Within(PetscReal value, PetscReal bound)
{
  return value <= bound ? PETSC_TRUE : PETSC_FALSE;
}

/* Fault unless a and b agree to round-off (or exactly). */
static PetscErrorCode MustEqual(Check *c, WeftState a, WeftState b, PetscBool parts, PetscBool exactly, const char *what,
                                PetscInt place)
{
  PetscReal distance, norm;

  PetscFunctionBegin;
  PetscCall(Distance(a, 1.0, b, parts, &distance));
  PetscCall(Distance(b, 0.0, NULL, parts, &norm));
  if (!Within(distance, exactly ? 0.0 : c->equal * norm))
    Fault(c, "%s %" PetscInt_FMT ": off by %g of %g", what, place, (double)distance, (double)norm);
  PetscFunctionReturn(0);
}

static PetscErrorCode MustStay(Check *c, PetscInt n, const WeftState state[], const WeftState kept[], const char *what)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) PetscCall(MustEqual(c, state[i], kept[i], PETSC_FALSE, PETSC_TRUE, what, i));
  PetscFunctionReturn(0);
}

static PetscErrorCode CopyAll(PetscInt n, const WeftState from[], WeftState to[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    PetscCall(WeftStateCreate(WeftStateSpace(from[i]), &to[i]));
    PetscCall(WeftStateCopy(from[i], to[i]));
  }
  PetscFunctionReturn(0);
}

/* ---- apply ----------------------------------------------------------------------------------------------------- */

static PetscErrorCode CheckApply(Check *c)
{
  WeftOp    op                = c->op;
  WeftState kept[WEFT_OP_MAX] = {NULL}, plain[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  PetscCall(CopyAll(op->inputs, c->x, kept));
  for (PetscInt o = 0; o < op->outputs; o++) {
    PetscCall(Poison(op->out[o], &c->y[o]));
    PetscCall(Poison(op->out[o], &plain[o]));
  }
  PetscCall(WeftRecordCreate(op, &c->record));
  PetscCall(WeftOpApply(op, c->x, c->y, c->record));
  for (PetscInt o = 0; o < op->outputs; o++) {
    PetscReal norm;
    PetscCall(Distance(c->y[o], 0.0, NULL, PETSC_TRUE, &norm));
    if (PetscIsInfOrNanReal(norm))
      Fault(c, "apply: values of output %" PetscInt_FMT " are not set, or it reads ghosts that it did not fill", o);
  }
  PetscCall(MustStay(c, op->inputs, c->x, kept, "apply changes input"));
  PetscCall(WeftOpApply(op, c->x, plain, NULL));
  for (PetscInt o = 0; o < op->outputs; o++)
    PetscCall(
        MustEqual(c, plain[o], c->y[o], PETSC_TRUE, PETSC_TRUE, "apply does not repeat itself without a record: output", o));
  PetscCall(DestroyAll(op->inputs, kept));
  PetscCall(DestroyAll(op->outputs, plain));
  for (PetscInt i = 0; i < op->inputs; i++) {
    if (op->needs & WEFT_NEEDS_INPUTS)
      c->x_read[i] = c->x[i];
    else
      PetscCall(Poison(op->in[i], &c->x_read[i]));
  }
  for (PetscInt o = 0; o < op->outputs; o++) {
    if (op->needs & WEFT_NEEDS_OUTPUTS)
      c->y_read[o] = c->y[o];
    else
      PetscCall(Poison(op->out[o], &c->y_read[o]));
  }
  PetscFunctionReturn(0);
}

/* ---- tangent --------------------------------------------------------------------------------------------------- */

/* parts[i][o]: the tangent of output o along v of input i alone. */
static PetscErrorCode CheckTangent(Check *c, WeftState parts[][WEFT_OP_MAX])
{
  WeftOp    op                = c->op;
  WeftState kept[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  PetscCall(CopyAll(op->inputs, c->v, kept));
  for (PetscInt o = 0; o < op->outputs; o++) PetscCall(Poison(op->out[o], &c->dy[o]));
  PetscCall(WeftOpTangent(op, c->x_read, c->y_read, c->record, c->v, c->dy));
  PetscCall(MustStay(c, op->inputs, c->v, kept, "tangent changes the values of its direction"));
  for (PetscInt i = 0; i < op->inputs; i++) {
    WeftState dx[WEFT_OP_MAX] = {NULL};
    dx[i]                     = c->v[i];
    for (PetscInt o = 0; o < op->outputs; o++) PetscCall(Poison(op->out[o], &parts[i][o]));
    PetscCall(WeftOpTangent(op, c->x_read, c->y_read, c->record, dx, parts[i]));
  }
  for (PetscInt o = 0; o < op->outputs; o++) {
    PetscReal norm, part, distance, size = 0.0;
    WeftState sum;
    PetscCall(WeftStateCreate(op->out[o], &sum));
    for (PetscInt i = 0; i < op->inputs; i++) {
      PetscCall(WeftStateAXPY(sum, 1.0, parts[i][o]));
      PetscCall(Distance(parts[i][o], 0.0, NULL, PETSC_TRUE, &part));
      size += part;
    }
    PetscCall(Distance(c->dy[o], 0.0, NULL, PETSC_TRUE, &norm));
    if (PetscIsInfOrNanReal(norm) || PetscIsInfOrNanReal(size))
      Fault(c,
            "tangent: values of output %" PetscInt_FMT
            " are not set, or it reads ghosts that it did not fill, or what it does not declare to need",
            o);
    PetscCall(Distance(c->dy[o], 1.0, sum, PETSC_TRUE, &distance));
    if (!Within(distance, c->equal * size))
      Fault(c, "tangent: the parts of output %" PetscInt_FMT " along single inputs do not add up: off by %g of %g", o,
            (double)distance, (double)size);
    PetscCall(WeftStateDestroy(&sum));
  }
  PetscCall(DestroyAll(op->inputs, kept));
  PetscFunctionReturn(0);
}

/* ---- adjoint --------------------------------------------------------------------------------------------------- */

/* <J_oi v_i, w_o> against <v_i, J_oi' w_o>. */
static PetscErrorCode CheckDot(Check *c, PetscInt i, PetscInt o, WeftState tangent, WeftState w, WeftState adjoint)
{
  PetscReal forward, reverse, tangent_norm, w_norm, v_norm, adjoint_norm, scale, error;

  PetscFunctionBegin;
  PetscCall(WeftStateDot(tangent, w, &forward));
  PetscCall(WeftStateDot(adjoint, c->v[i], &reverse));
  PetscCall(Distance(tangent, 0.0, NULL, PETSC_TRUE, &tangent_norm));
  PetscCall(Distance(w, 0.0, NULL, PETSC_FALSE, &w_norm));
  scale = tangent_norm * w_norm;
  if (scale == 0.0) { /* the output does not depend on the input: the adjoint must be zero as well */
    PetscCall(Distance(c->v[i], 0.0, NULL, PETSC_FALSE, &v_norm));
    PetscCall(Distance(adjoint, 0.0, NULL, PETSC_TRUE, &adjoint_norm));
    scale = v_norm * adjoint_norm;
  }
  error = scale == 0.0 ? 0.0 : PetscAbsReal(forward - reverse) / scale;
  if (!Within(error, c->report->dot)) c->report->dot = error;
  if (!Within(error, c->report->dot_bound))
    Fault(c,
          "dot product, input %" PetscInt_FMT ", output %" PetscInt_FMT
          ": <Jv,w> = %.15g, <v,J'w> = %.15g, differ by %.3g |Jv||w| (allowed: %.3g)",
          i, o, (double)forward, (double)reverse, (double)error, (double)c->report->dot_bound);
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckAdjointDots(Check *c, WeftState parts[][WEFT_OP_MAX])
{
  WeftOp    op = c->op;
  WeftState zero[WEFT_OP_MAX], kept[WEFT_OP_MAX], x_bar[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(CopyAll(op->outputs, c->w, kept));
  for (PetscInt o = 0; o < op->outputs; o++) PetscCall(Draw(op->out[o], c->seed, 0.0, 0.0, &zero[o]));
  for (PetscInt i = 0; i < op->inputs; i++) PetscCall(Draw(op->in[i], c->seed, 0.0, 0.0, &c->adjoint[i]));
  for (PetscInt o = 0; o < op->outputs; o++) {
    WeftState y_bar[WEFT_OP_MAX];
    for (PetscInt p = 0; p < op->outputs; p++) y_bar[p] = p == o ? c->w[p] : zero[p];
    for (PetscInt i = 0; i < op->inputs; i++) PetscCall(Draw(op->in[i], c->seed, 0.0, 0.0, &x_bar[i]));
    PetscCall(WeftOpAdjoint(op, c->x_read, c->y_read, c->record, y_bar, x_bar));
    for (PetscInt i = 0; i < op->inputs; i++) {
      PetscCall(CheckDot(c, i, o, parts[i][o], c->w[o], x_bar[i]));
      PetscCall(WeftStateAXPY(c->adjoint[i], 1.0, x_bar[i]));
    }
    PetscCall(DestroyAll(op->inputs, x_bar));
  }
  PetscCall(MustStay(c, op->outputs, c->w, kept, "adjoint changes the values of the output's adjoint"));
  PetscCall(DestroyAll(op->outputs, kept));
  PetscCall(DestroyAll(op->outputs, zero));
  PetscFunctionReturn(0);
}

/* Adds to what is there; and inputs that are not wanted take nothing from the others. */
static PetscErrorCode CheckAdjointSums(Check *c)
{
  WeftOp    op = c->op;
  WeftState x_bar[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < op->inputs; i++) PetscCall(Draw(op->in[i], c->seed + 300 + i, 0.0, 1.0, &x_bar[i]));
  PetscCall(WeftOpAdjoint(op, c->x_read, c->y_read, c->record, c->w, x_bar));
  for (PetscInt i = 0; i < op->inputs; i++) {
    WeftState before;
    PetscCall(Draw(op->in[i], c->seed + 300 + i, 0.0, 1.0, &before));
    PetscCall(WeftStateAXPY(before, 1.0, c->adjoint[i]));
    PetscCall(MustEqual(c, x_bar[i], before, PETSC_TRUE, PETSC_FALSE, "adjoint does not add to what is there: input", i));
    PetscCall(WeftStateDestroy(&before));
  }
  PetscCall(DestroyAll(op->inputs, x_bar));
  for (PetscInt i = 0; i < op->inputs && op->inputs > 1; i++) {
    WeftState only[WEFT_OP_MAX] = {NULL};
    PetscCall(Draw(op->in[i], c->seed, 0.0, 0.0, &only[i]));
    PetscCall(WeftOpAdjoint(op, c->x_read, c->y_read, c->record, c->w, only));
    PetscCall(MustEqual(c, only[i], c->adjoint[i], PETSC_TRUE, PETSC_FALSE,
                        "adjoint differs when other inputs are not wanted: input", i));
    PetscCall(WeftStateDestroy(&only[i]));
  }
  PetscFunctionReturn(0);
}

/* ---- Taylor ---------------------------------------------------------------------------------------------------- */

static PetscErrorCode CountChanges(Check *c, WeftState at[], PetscInt n, const PetscInt branches[], PetscInt *changed)
{
  PetscInt count, *now;
  PetscInt local = 0;

  PetscFunctionBegin;
  PetscCall(WeftOpBranches(c->op, at, &count, &now));
  PetscCheck(count == n, PETSC_COMM_SELF, PETSC_ERR_PLIB, "operator %s: %" PetscInt_FMT " branches, then %" PetscInt_FMT,
             c->op->name, n, count);
  for (PetscInt i = 0; i < n; i++) local += now[i] != branches[i];
  PetscCall(PetscFree(now));
  PetscCallMPI(MPI_Allreduce(&local, changed, 1, MPIU_INT, MPI_SUM, c->comm));
  PetscFunctionReturn(0);
}

/* remainder[o] = |F(x + h v) - F(x) - h J v|. */
static PetscErrorCode Remainders(Check *c, PetscReal h, WeftState at[], WeftState value[], PetscReal remainder[])
{
  PetscFunctionBegin;
  PetscCall(WeftOpApply(c->op, at, value, NULL));
  for (PetscInt o = 0; o < c->op->outputs; o++) {
    PetscCall(WeftStateAXPY(value[o], -1.0, c->y[o]));
    PetscCall(Distance(value[o], h, c->dy[o], PETSC_TRUE, &remainder[o]));
  }
  PetscFunctionReturn(0);
}

/* Orders of one output over the steps without a change of branch. Remainders below `noise` are round-off; a pair of steps
   tells the order if order 2 keeps the second above it. */
static void CheckOrders(Check *c, PetscInt o, PetscReal noise, const PetscInt changed[], PetscReal remainder[][WEFT_OP_MAX])
{
  PetscInt pairs = 0, large = 0, above = 0; /* above round-off: without a change of branch, and all */

  for (PetscInt k = 0; k < STEPS; k++) {
    if (!Within(remainder[k][o], 16.0 * noise)) above++;
    if (changed[k]) continue;
    if (!Within(remainder[k][o], 16.0 * noise)) large++;
    if (k == 0 || changed[k - 1] || Within(remainder[k - 1][o], 16.0 * noise)) continue;
    const PetscReal order = PetscLogReal(remainder[k - 1][o] / remainder[k][o]) / PetscLogReal(4.0);
    pairs++;
    if (c->report->order == 0.0 || !(order >= c->report->order)) c->report->order = order;
    if (!(order >= 1.9))
      Fault(c,
            "Taylor remainder of output %" PetscInt_FMT ": order %.3f between the steps 4^-%" PetscInt_FMT
            " and 4^-%" PetscInt_FMT " (remainders %.3g, %.3g)",
            o, (double)order, k + 2, k + 3, (double)remainder[k - 1][o], (double)remainder[k][o]);
  }
  if (above && !pairs) c->report->told = PETSC_FALSE;
  if (large && !pairs && !c->allow_kinks)
    Fault(c, "Taylor remainder of output %" PetscInt_FMT ": no two neighbouring steps without a change of branch tell an order",
          o);
}

static PetscErrorCode CheckTaylor(Check *c)
{
  WeftOp    op = c->op;
  WeftState value[WEFT_OP_MAX];
  PetscReal remainder[STEPS][WEFT_OP_MAX];
  PetscInt  changed[STEPS], n, *branches;

  PetscFunctionBegin;
  PetscCall(WeftOpBranches(op, c->x, &n, &branches));
  for (PetscInt o = 0; o < op->outputs; o++) PetscCall(WeftStateCreate(op->out[o], &value[o]));
  for (PetscInt k = 0; k < STEPS; k++) {
    const PetscReal h = PetscPowReal(4.0, -(PetscReal)(k + 3));
    WeftState       at[WEFT_OP_MAX];
    PetscCall(CopyAll(op->inputs, c->x, at));
    for (PetscInt i = 0; i < op->inputs; i++) PetscCall(WeftStateAXPY(at[i], h, c->v[i]));
    PetscCall(CountChanges(c, at, n, branches, &changed[k]));
    PetscCall(Remainders(c, h, at, value, remainder[k]));
    PetscCall(DestroyAll(op->inputs, at));
    if (!changed[k]) c->report->steps++;
  }
  c->report->changed = changed[0];
  c->report->told    = c->report->steps ? PETSC_TRUE : PETSC_FALSE;
  if (!c->report->steps && !c->allow_kinks)
    Fault(c, "Taylor remainder: values change their branch at every step, %" PetscInt_FMT " at the smallest",
          changed[STEPS - 1]);
  for (PetscInt o = 0; o < op->outputs; o++) {
    PetscReal norm;
    PetscCall(Distance(c->y[o], 0.0, NULL, PETSC_TRUE, &norm));
    CheckOrders(c, o, c->equal * norm, changed, remainder);
  }
  PetscCall(DestroyAll(op->outputs, value));
  PetscCall(PetscFree(branches));
  PetscFunctionReturn(0);
}

/* ---- assembled ------------------------------------------------------------------------------------------------- */

static PetscErrorCode CheckAssembled(Check *c)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->op->inputs; i++) {
    for (PetscInt o = 0; o < c->op->outputs; o++) {
      Mat       shell, tangent, adjoint, transposed;
      PetscReal difference, norm;
      if (WeftSpaceGetInfo(c->op->in[i])->kind == WEFT_CHANNELS || WeftSpaceGetInfo(c->op->out[o])->kind == WEFT_CHANNELS)
        continue;
      PetscCall(WeftOpCreateMat(c->op, c->x, i, o, &shell));
      PetscCall(MatComputeOperator(shell, MATDENSE, &tangent));
      PetscCall(MatComputeOperatorTranspose(shell, MATDENSE, &adjoint));
      PetscCall(MatTranspose(adjoint, MAT_INITIAL_MATRIX, &transposed));
      PetscCall(MatNorm(tangent, NORM_FROBENIUS, &norm));
      PetscCall(MatAXPY(transposed, -1.0, tangent, SAME_NONZERO_PATTERN));
      PetscCall(MatNorm(transposed, NORM_FROBENIUS, &difference));
      if (norm > 0.0 && !Within(difference / norm, c->report->transpose)) c->report->transpose = difference / norm;
      if (!Within(difference, c->report->dot_bound * norm))
        Fault(c,
              "assembled, input %" PetscInt_FMT ", output %" PetscInt_FMT
              ": the adjoint is not the transposed tangent: |J - J'^T| = %g, |J| = %g",
              i, o, (double)difference, (double)norm);
      PetscCall(MatDestroy(&transposed));
      PetscCall(MatDestroy(&adjoint));
      PetscCall(MatDestroy(&tangent));
      PetscCall(MatDestroy(&shell));
    }
  }
  PetscFunctionReturn(0);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static PetscErrorCode SetUp(Check *c, const WeftOpExample *example, const WeftOpCheckOptions *options, WeftOpReport *report)
{
  WeftOp op = example->op;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(report, sizeof(*report)));
  report->passed = report->told = PETSC_TRUE;
  c->report      = report;
  c->op          = op;
  c->comm        = WeftSpaceGetInfo(op->in[0])->comm;
  c->seed        = options ? options->seed : 0;
  c->allow_kinks = options ? options->allow_kinks : PETSC_FALSE;
  c->eps         = DBL_EPSILON;
  for (PetscInt i = 0; i < op->inputs; i++)
    if (WeftSpaceGetInfo(op->in[i])->single) c->eps = FLT_EPSILON;
  for (PetscInt o = 0; o < op->outputs; o++)
    if (WeftSpaceGetInfo(op->out[o])->single) c->eps = FLT_EPSILON;
  c->equal = PetscMax(ROUND_OFF * c->eps, example->tolerance);
  report->dot_bound = c->eps == (PetscReal)FLT_EPSILON ? 32.0 * FLT_EPSILON : 1e-12;
  for (PetscInt i = 0; i < op->inputs; i++) {
    PetscCall(Draw(op->in[i], c->seed + i, example->offset[i], example->amplitude[i], &c->x[i]));
    if (options && options->at) PetscCall(WeftStateCopy(options->at[i], c->x[i]));
    PetscCall(Draw(op->in[i], c->seed + 100 + i, 0.0, example->amplitude[i], &c->v[i]));
  }
  for (PetscInt o = 0; o < op->outputs; o++) PetscCall(Draw(op->out[o], c->seed + 200 + o, 0.0, 1.0, &c->w[o]));
  PetscFunctionReturn(0);
}

static PetscErrorCode TearDown(Check *c)
{
  WeftOp op = c->op;

  PetscFunctionBegin;
  if (!(op->needs & WEFT_NEEDS_INPUTS)) PetscCall(DestroyAll(op->inputs, c->x_read));
  if (!(op->needs & WEFT_NEEDS_OUTPUTS)) PetscCall(DestroyAll(op->outputs, c->y_read));
  PetscCall(DestroyAll(op->inputs, c->x));
  PetscCall(DestroyAll(op->inputs, c->v));
  PetscCall(DestroyAll(op->inputs, c->adjoint));
  PetscCall(DestroyAll(op->outputs, c->y));
  PetscCall(DestroyAll(op->outputs, c->dy));
  PetscCall(DestroyAll(op->outputs, c->w));
  PetscCall(WeftRecordDestroy(&c->record));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCheck(const WeftOpExample *example, const WeftOpCheckOptions *options, WeftOpReport *report)
{
  WeftState parts[WEFT_OP_MAX][WEFT_OP_MAX] = {{NULL}};
  Check     check = {0}, *c = &check;

  PetscFunctionBegin;
  PetscCall(SetUp(c, example, options, report));
  PetscCall(CheckApply(c));
  if (report->passed) { /* after NaN in apply nothing else tells */
    PetscCall(CheckTangent(c, parts));
    PetscCall(CheckAdjointDots(c, parts));
    PetscCall(CheckAdjointSums(c));
    PetscCall(CheckTaylor(c));
    if (options && options->assemble) PetscCall(CheckAssembled(c));
  }
  for (PetscInt i = 0; i < c->op->inputs; i++) PetscCall(DestroyAll(c->op->outputs, parts[i]));
  PetscCall(TearDown(c));
  PetscFunctionReturn(0);
}
