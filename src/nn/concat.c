/* Channels of two features side by side: y = (a, b). Adjoint: each takes back its part. */
#include "nn/builder.h"

/* Cell by cell, n channels from x to y; add: y += x. */
static void MoveChannels(const WeftLayout *l, const WeftFeatures *from, const void *x, PetscInt first_x, const WeftFeatures *to,
                         void *y, PetscInt first_y, PetscInt n, PetscBool add)
{
  WEFT_FOR_ROWS(l, to->batch, s, j, k)
  {
    const char *at_x = WeftFeaturesRow(from, l, x, first_x, s, j, k);
    char       *at_y = WeftFeaturesRow(to, l, y, first_y, s, j, k);
    for (PetscInt i = 0; i < l->count[0]; i++) {
      const char *cell = at_x + from->size * (size_t)(i * from->channels);
      char       *into = at_y + to->size * (size_t)(i * to->channels);
      if (add) WeftValuesAdd(to->single, n, cell, into);
      else memcpy(into, cell, to->size * (size_t)n);
    }
  }
}

static PetscErrorCode Map(WeftOp op, const WeftState x[], WeftState y)
{
  const WeftFeatures to    = WeftFeaturesOf(WeftOpOutSpace(op, 0));
  const WeftLayout  *l     = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  PetscInt           first = 0;

  PetscFunctionBegin;
  if (!x[0] || !x[1]) PetscCall(WeftStateZero(y));
  for (PetscInt i = 0; i < 2; i++) {
    const WeftFeatures from = WeftFeaturesOf(WeftOpInSpace(op, i));
    if (x[i]) MoveChannels(l, &from, WeftStateData(x[i]), 0, &to, WeftStateDataWrite(y), first, from.channels, PETSC_FALSE);
    first += from.channels;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  (void)record;
  return Map(op, x, y[0]);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  (void)x, (void)y, (void)record;
  return Map(op, dx, dy[0]);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const WeftFeatures from  = WeftFeaturesOf(WeftOpOutSpace(op, 0));
  const WeftLayout  *l     = WeftGridLayout(WeftSpaceGetInfo(WeftOpOutSpace(op, 0))->grid);
  PetscInt           first = 0;

  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  for (PetscInt i = 0; i < 2; i++) {
    const WeftFeatures to = WeftFeaturesOf(WeftOpInSpace(op, i));
    if (x_bar[i])
      MoveChannels(l, &from, WeftStateData(y_bar[0]), first, &to, WeftStateDataWrite(x_bar[i]), 0, to.channels, PETSC_TRUE);
    first += to.channels;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateConcat(WeftSpace a, WeftSpace b, WeftSpace y, WeftOp *op)
{
  static const WeftOpMaps maps  = {Apply, Tangent, Adjoint, NULL, NULL};
  const WeftSpace         in[2] = {a, b};

  PetscFunctionBegin;
  PetscCall(WeftFeaturesCheck("Concat", a, y, 0));
  PetscCall(WeftFeaturesCheck("Concat", b, y, 0));
  PetscCheck(WeftSpaceGetInfo(a)->channels + WeftSpaceGetInfo(b)->channels == WeftSpaceGetInfo(y)->channels,
             WeftSpaceGetInfo(y)->comm, PETSC_ERR_ARG_INCOMP, "operator Concat: the channels of its inputs do not add up");
  PetscCall(WeftOpCreate("concat", &maps, NULL, WEFT_NEEDS_NOTHING, 2, in, 1, &y, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Concat(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  const PetscBool single = variant ? PETSC_TRUE : PETSC_FALSE;
  WeftSpace       a, b, y;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateChannels(grid, batch, 3, 1, single, &a));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 2, 0, single, &b));
  PetscCall(WeftSpaceCreateChannels(grid, batch, 5, variant, single, &y));
  PetscCall(WeftOpCreateConcat(a, b, y, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&a));
  PetscCall(WeftSpaceDestroy(&b));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}

/* The features that `keep` put aside last stand behind those at hand. */
static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const WeftSpaceInfo *info;
  WeftSpace            y;
  WeftValue            kept;
  WeftOp               op;

  PetscFunctionBegin;
  (void)layer;
  PetscCall(WeftBuilderTake(b, &kept));
  info = WeftSpaceGetInfo(WeftBuilderSpace(b, kept));
  if (info->grid != WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->grid)
    return WeftBuilderFail(b, "the features that `keep` put aside last have other cells than those here; "
                              "there are as many halvings as doublings between the two");
  PetscCall(WeftBuilderFeatures(b, info->grid, info->channels + WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, &y));
  PetscCall(WeftOpCreateConcat(WeftBuilderSpace(b, *x), WeftBuilderSpace(b, kept), y, &op));
  PetscCall(WeftBuilderCall(b, &op, 2, (WeftValue[]){*x, kept}, &y, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Concat = {.name = "concat", .words = "", .build = Build};
