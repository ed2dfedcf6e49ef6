/* Each operator of a step by itself, at the values that it meets. */
#include <float.h>
#include "train/check.h"

#define PERTURBATION 1e-2 /* relative to the largest value: away from kinks such as rest and ReLUs at zero */
#define SMALLEST_H   13   /* WeftOpCheck goes through h = 4^-3 ... 4^-12 */

typedef struct {
  WeftGradientCheck *check;
  char               path[256]; /* names of the programs around */
} Walk;

/* ---- one operator --------------------------------------------------------------------------------------------------- */

/* Every replica has checked the same operator at its own samples: the worst counts. */
static PetscErrorCode Agree(WeftOpReport *r)
{
  PetscMPIInt rank, lowest;
  PetscReal   least = r->order > 0.0 ? r->order : PETSC_MAX_REAL;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (r->passed) rank = PETSC_MPI_INT_MAX;
  PetscCallMPI(MPI_Allreduce(&rank, &lowest, 1, MPI_INT, MPI_MIN, PETSC_COMM_WORLD));
  if (lowest != PETSC_MPI_INT_MAX) PetscCallMPI(MPI_Bcast(r->message, (PetscMPIInt)sizeof(r->message), MPI_CHAR, lowest, PETSC_COMM_WORLD));
  r->passed = lowest == PETSC_MPI_INT_MAX ? PETSC_TRUE : PETSC_FALSE;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &r->dot, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPIU_REAL, MPIU_MIN, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &r->steps, 1, MPIU_INT, MPI_MIN, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &r->told, 1, MPIU_BOOL, MPI_LAND, PETSC_COMM_WORLD));
  r->order = least == PETSC_MAX_REAL ? 0.0 : least;
  PetscFunctionReturn(0);
}

static PetscErrorCode Print(const Walk *walk, WeftOp op, const WeftOpReport *r)
{
  char name[320], order[16] = "linear", kinks[48] = "";

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(name, sizeof(name), "%s%s", walk->path, WeftOpName(op)));
  if (!r->told) PetscCall(PetscStrncpy(order, "kinks", sizeof(order)));
  else if (r->order > 0.0) PetscCall(PetscSNPrintf(order, sizeof(order), "%.3f", (double)r->order));
  if (r->steps == 0) PetscCall(PetscStrncpy(kinks, "kinks at every h", sizeof(kinks)));
  else if (r->steps < SMALLEST_H - 3) PetscCall(PetscSNPrintf(kinks, sizeof(kinks), "no kinks up to h %.2g", (double)PetscPowReal(4.0, -(PetscReal)(SMALLEST_H - r->steps))));
  PetscCall(WeftLog("  %-34s %-9.2g %-8.1g %-7s %-6s %s", name, (double)r->dot, (double)r->dot_bound, order, r->passed ? "ok" : "FAULT", r->passed ? kinks : r->message));
  PetscFunctionReturn(0);
}

/* Copies of the inputs with noise of their own size, and that size. */
static PetscErrorCode Generic(PetscInt n, const WeftState in[], PetscInt first_sample, WeftState at[], PetscReal size[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    WeftState noise;
    PetscCall(WeftStateNorm(in[i], NORM_INFINITY, &size[i]));
    if (size[i] == 0.0) size[i] = 1.0;
    PetscCall(WeftStateCreate(WeftStateSpace(in[i]), &at[i]));
    PetscCall(WeftStateCreate(WeftStateSpace(in[i]), &noise));
    PetscCall(WeftStateSetRandom(noise, 301 + i, first_sample, 0.0, PERTURBATION * size[i]));
    PetscCall(WeftStateCopy(in[i], at[i]));
    PetscCall(WeftStateAXPY(at[i], 1.0, noise));
    PetscCall(WeftStateDestroy(&noise));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckOne(Walk *walk, WeftOp op, const WeftState in[])
{
  WeftGradientCheck *c = walk->check;
  WeftState          at[WEFT_OP_MAX];
  WeftOpExample      example = {.op = op};
  WeftOpCheckOptions options = {.at = at, .seed = 401, .allow_kinks = PETSC_TRUE};
  WeftOpReport       report;

  PetscFunctionBegin;
  PetscCall(Generic(WeftOpInputs(op), in, c->trainer->first, at, example.amplitude));
  PetscCall(WeftOpCheck(&example, &options, &report));
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) PetscCall(WeftStateDestroy(&at[i]));
  PetscCall(Agree(&report));
  PetscCall(Print(walk, op, &report));
  if (!report.passed) WeftCheckFault(c, "operator %s%s: %s", walk->path, WeftOpName(op), report.message);
  PetscFunctionReturn(0);
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Visit(WeftOp op, const WeftState in[], const WeftState out[], void *context)
{
  Walk          inner = *(const Walk *)context;
  PetscInt      calls;
  const WeftOp *ops;
  PetscBool     stop;

  PetscFunctionBegin;
  PetscCall(WeftProgramCalls(op, &calls, &ops));
  if (!calls) {
    PetscCall(PetscStrcmp(WeftOpName(op), "stop", &stop)); /* cuts the gradient, by intent not the derivative */
    if (!stop) PetscCall(CheckOne(&inner, op, in));
    PetscFunctionReturn(0);
  }
  PetscCall(PetscStrlcat(inner.path, WeftOpName(op), sizeof(inner.path)));
  PetscCall(PetscStrlcat(inner.path, "/", sizeof(inner.path)));
  PetscCall(WeftOpWatch(op, in, out, Visit, &inner));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckOperators(WeftGradientCheck *c)
{
  const WeftTrainer t    = c->trainer;
  const WeftOp      step = WeftModelStep(t->hybrid.model);
  Walk              walk = {.check = c};
  WeftState         out[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftLog("  %-34s %-9s %-8s %-7s", "operator", "dot", "at most", "order"));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateCreate(WeftOpOutSpace(step, i), &out[i]));
  PetscCall(WeftNetSetTraining(t->hybrid.net, t->info.space)); /* a replica is checked by itself */
  PetscCall(WeftOpWatch(step, t->input, out, Visit, &walk));
  PetscCall(CheckOne(&walk, t->loss, WeftOpInputs(t->loss) == 3 ? (WeftState[]){out[0], t->input[0], t->target[t->unroll - 1]} : (WeftState[]){out[0], t->target[t->unroll - 1]}));
  PetscCall(WeftNetSetTraining(t->hybrid.net, t->statistics));
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, t->grid));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateDestroy(&out[i]));
  PetscFunctionReturn(0);
}
