/* A loss of several terms, each an operator (state, target) -> number per sample of the list: their weighted sum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "grid/fixed.h"
#include "op/rows.h"

#define WEFT_OP(name, dims, sides, variants)
#define WEFT_LAYER(name)
#define WEFT_LOSS(name) extern const WeftLossKind WeftLoss_##name;
#include "op/list.h"
#undef WEFT_LOSS
#define WEFT_LOSS(name) &WeftLoss_##name,
static const WeftLossKind *const kinds[] = {
#include "op/list.h"
    NULL};

typedef struct {
  PetscInt  terms;
  WeftOp   *term;
  const WeftLossKind **kind;
  PetscBool  before; /* the state before the step is an input */
  PetscReal *weight, *sum; /* sum: of each weighted term since the last WeftLossTerms */
  WeftState value, change, seed;
} Losses;

/* Both inputs of a term among those of the sum. */
static void InputsOf(const Losses *v, PetscInt t, const WeftState x[], WeftState two[2])
{
  two[0] = x[0];
  two[1] = v->kind[t]->against == WEFT_LOSS_STATE ? x[0] : v->kind[t]->against == WEFT_LOSS_BEFORE ? x[1] : x[v->before ? 2 : 1];
}

/* A term's sums in fixed point are made with its weight in the scale, and added up. */
static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Losses    *v     = (const Losses *)WeftOpContext(op);
  const PetscInt   batch = WeftSpaceGetInfo(WeftOpInSpace(op, 0))->batch;
  const WeftFixed *fixed = WeftStateFixed(y[0]);
  double          *loss  = (double *)WeftStateDataWrite(y[0]);

  PetscFunctionBegin;
  (void)record;
  PetscCall(WeftStateZero(y[0]));
  if (fixed && !WeftStateFixed(v->value)) PetscCall(WeftStateMakeFixed(v->value, fixed->scale));
  for (PetscInt t = 0; t < v->terms; t++) {
    const double *value = (const double *)WeftStateData(v->value);
    WeftState     in[2];
    InputsOf(v, t, x, in);
    PetscCall(WeftStateZero(v->value));
    if (fixed) WeftStateScaleFixed(v->value, v->weight[t] * fixed->scale);
    PetscCall(WeftOpApply(v->term[t], in, &v->value, NULL));
    if (fixed) WeftStateScaleFixed(v->value, fixed->scale);
    for (PetscInt b = 0; b < batch; b++) {
      const double part = v->weight[t] * value[b];
      loss[b] += part;
      v->sum[t] += part + (fixed ? WeftFixedValue(WeftStateFixed(v->value), b) : 0.0);
    }
    if (fixed) WeftFixedMerge(fixed, batch, WeftStateFixed(v->value));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  const Losses  *v     = (const Losses *)WeftOpContext(op);
  const PetscInt batch = WeftSpaceGetInfo(WeftOpInSpace(op, 0))->batch;
  double        *loss  = (double *)WeftStateDataWrite(dy[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  PetscCall(PetscArrayzero(loss, batch));
  for (PetscInt t = 0; t < v->terms; t++) {
    const double *change = (const double *)WeftStateData(v->change);
    WeftState     in[2], din[2];
    InputsOf(v, t, x, in);
    InputsOf(v, t, dx, din);
    PetscCall(WeftOpTangent(v->term[t], in, &v->value, NULL, din, &v->change));
    for (PetscInt b = 0; b < batch; b++) loss[b] += v->weight[t] * change[b];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Losses  *v        = (const Losses *)WeftOpContext(op);
  const PetscInt batch    = WeftSpaceGetInfo(WeftOpInSpace(op, 0))->batch;
  const double  *loss_bar = (const double *)WeftStateData(y_bar[0]);

  PetscFunctionBegin;
  (void)y, (void)record;
  for (PetscInt t = 0; t < v->terms; t++) {
    double   *seed = (double *)WeftStateDataWrite(v->seed);
    WeftState in[2], in_bar[2];
    InputsOf(v, t, x, in);
    InputsOf(v, t, x_bar, in_bar);
    for (PetscInt b = 0; b < batch; b++) seed[b] = v->weight[t] * loss_bar[b];
    PetscCall(WeftOpAdjoint(v->term[t], in, &v->value, NULL, &v->seed, in_bar));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  const Losses *v = (const Losses *)WeftOpContext(op);

  PetscFunctionBegin;
  for (PetscInt t = 0; t < v->terms; t++) {
    PetscInt  more = 0, *those = NULL;
    WeftState in[2];
    InputsOf(v, t, x, in);
    PetscCall(WeftOpBranches(v->term[t], in, &more, &those));
    if (!more) continue;
    PetscCall(PetscRealloc(sizeof(PetscInt) * (size_t)(*count + more), branches));
    PetscCall(PetscArraycpy(*branches + *count, those, more));
    PetscCall(PetscFree(those));
    *count += more;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Losses *v = (Losses *)context;

  PetscFunctionBegin;
  for (PetscInt t = 0; t < v->terms; t++) PetscCall(WeftOpDestroy(&v->term[t]));
  PetscCall(PetscFree4(v->term, v->kind, v->weight, v->sum));
  PetscCall(WeftStateDestroy(&v->value));
  PetscCall(WeftStateDestroy(&v->change));
  PetscCall(WeftStateDestroy(&v->seed));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* "divergence 0.1": the kind, and its weight (1 where none is given). */
static PetscErrorCode ParseTerm(MPI_Comm comm, const char *text, const WeftLossKind **kind, PetscReal *weight)
{
  char  name[64] = "", names[256] = "";
  char *end      = NULL;
  int   used     = 0;

  PetscFunctionBegin;
  *kind   = NULL;
  *weight = 1.0;
  if (sscanf(text, " %63s %n", name, &used) == 1)
    for (PetscInt k = 0; kinds[k] && !*kind; k++)
      if (!strcmp(kinds[k]->name, name)) *kind = kinds[k];
  for (PetscInt k = 0; kinds[k] && !*kind; k++) {
    if (k) PetscCall(PetscStrlcat(names, kinds[k + 1] ? ", " : " or ", sizeof(names)));
    PetscCall(PetscStrlcat(names, kinds[k]->name, sizeof(names)));
  }
  if (!*kind) return WeftFailKey(comm, "loss_terms", "no loss is called '%s'; use %s", name, names);
  if (text[used]) *weight = strtod(text + used, &end);
  if ((end && *end) || !(*weight >= 0.0 && *weight <= PETSC_MAX_REAL))
    return WeftFailKey(comm, "loss_terms", "'%s': the weight of a term is one number of 0 or more, as in `%s 0.5`", text, name);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateLosses(const WeftLossSetting *setting, PetscInt terms, char *const term[], WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, Branches};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(setting->space);
  const WeftSpace         in[3] = {setting->space, setting->space, setting->space};
  WeftSpace               loss;
  Losses                 *v;

  PetscFunctionBegin;
  if (terms < 1) return WeftFailKey(info->comm, "loss_terms", "a loss has at least one term, as `squared`");
  PetscCall(PetscNew(&v));
  v->terms = terms;
  PetscCall(PetscCalloc4(terms, &v->term, terms, &v->kind, terms, &v->weight, terms, &v->sum));
  for (PetscInt t = 0; t < terms; t++) {
    PetscCall(ParseTerm(info->comm, term[t], &v->kind[t], &v->weight[t]));
    PetscCall((*v->kind[t]->create)(setting, &v->term[t]));
    if (v->kind[t]->against == WEFT_LOSS_BEFORE) v->before = PETSC_TRUE;
  }
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftStateCreate(loss, &v->value));
  PetscCall(WeftStateCreate(loss, &v->change));
  PetscCall(WeftStateCreate(loss, &v->seed));
  PetscCall(WeftOpCreate("losses", &maps, v, WEFT_NEEDS_INPUTS, v->before ? 3 : 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftLossesNeedSolver(MPI_Comm comm, PetscInt terms, char *const term[], PetscBool *need)
{
  const WeftLossKind *kind;
  PetscReal           weight;

  PetscFunctionBegin;
  *need = PETSC_FALSE;
  for (PetscInt t = 0; t < terms; t++) {
    PetscCall(ParseTerm(comm, term[t], &kind, &weight));
    if (kind->solver) *need = PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

const WeftState *WeftLossSolverInputs(WeftOp losses, PetscInt term)
{
  const Losses *v = (const Losses *)WeftOpContext(losses);
  return term < v->terms && v->kind[term]->solver ? WeftResidualLossInputs(v->term[term]) : NULL;
}

PetscErrorCode WeftLossTerms(WeftOp losses, PetscInt *terms, PetscReal sums[])
{
  Losses *v = (Losses *)WeftOpContext(losses);

  PetscFunctionBegin;
  *terms = v->terms;
  if (!sums) PetscFunctionReturn(0);
  PetscCall(PetscArraycpy(sums, v->sum, v->terms));
  PetscCall(PetscArrayzero(v->sum, v->terms));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Losses(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static char *const terms[2][4] = {{(char *)"squared", (char *)"absolute 0.5", (char *)"relative 3", (char *)"divergence 0.1"},
                                    {(char *)"momentum 0.5", (char *)"squared", (char *)"steady", (char *)"divergence 0.1"}};
  WeftLossSetting    setting     = {.dt = 0.5};
  WeftSpace          velocity;
  WeftOp             op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  setting.space = velocity;
  PetscCall(WeftOpCreateDiffuse(velocity, setting.dt, &setting.solver)); /* viscosity 0: what it would be is another test's */
  PetscCall(WeftOpCreateLosses(&setting, 4, terms[variant], &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftOpDestroy(&setting.solver));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
