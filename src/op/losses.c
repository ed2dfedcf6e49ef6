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
  PetscReal *weight, *sum; /* sum: of each weighted term since the last WeftLossTerms */
  WeftState value, change, seed;
} Losses;

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
    PetscCall(WeftStateZero(v->value));
    if (fixed) WeftStateScaleFixed(v->value, v->weight[t] * fixed->scale);
    PetscCall(WeftOpApply(v->term[t], x, &v->value, NULL));
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
    PetscCall(WeftOpTangent(v->term[t], x, &v->value, NULL, dx, &v->change));
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
    double *seed = (double *)WeftStateDataWrite(v->seed);
    for (PetscInt b = 0; b < batch; b++) seed[b] = v->weight[t] * loss_bar[b];
    PetscCall(WeftOpAdjoint(v->term[t], x, &v->value, NULL, &v->seed, x_bar));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Branches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  const Losses *v = (const Losses *)WeftOpContext(op);

  PetscFunctionBegin;
  for (PetscInt t = 0; t < v->terms; t++) {
    PetscInt more = 0, *those = NULL;
    PetscCall(WeftOpBranches(v->term[t], x, &more, &those));
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
  PetscCall(PetscFree3(v->term, v->weight, v->sum));
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

PetscErrorCode WeftOpCreateLosses(WeftSpace space, PetscInt terms, char *const term[], WeftState weight, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, Destroy, Branches};
  const WeftSpaceInfo    *info  = WeftSpaceGetInfo(space);
  const WeftSpace         in[2] = {space, space};
  WeftSpace               loss;
  Losses                 *v;

  PetscFunctionBegin;
  if (terms < 1) return WeftFailKey(info->comm, "loss_terms", "a loss has at least one term, as `squared`");
  PetscCall(PetscNew(&v));
  v->terms = terms;
  PetscCall(PetscCalloc3(terms, &v->term, terms, &v->weight, terms, &v->sum));
  for (PetscInt t = 0; t < terms; t++) {
    const WeftLossKind *kind;
    PetscCall(ParseTerm(info->comm, term[t], &kind, &v->weight[t]));
    PetscCall((*kind->create)(space, weight, &v->term[t]));
  }
  PetscCall(WeftSpaceCreateNumbers(info->comm, info->batch, 1, PETSC_TRUE, &loss));
  PetscCall(WeftStateCreate(loss, &v->value));
  PetscCall(WeftStateCreate(loss, &v->change));
  PetscCall(WeftStateCreate(loss, &v->seed));
  PetscCall(WeftOpCreate("losses", &maps, v, WEFT_NEEDS_INPUTS, 2, in, 1, &loss, op));
  PetscCall(WeftSpaceDestroy(&loss));
  PetscFunctionReturn(0);
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
  static char *const terms[] = {(char *)"squared", (char *)"absolute 0.5", (char *)"relative 3", (char *)"divergence 0.1"};
  WeftSpace          velocity;
  WeftOp             op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftOpCreateLosses(velocity, 4, terms, NULL, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
