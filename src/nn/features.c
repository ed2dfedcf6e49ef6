/* Features: fields at cells and numbers become channels,
     y[f] = scale[f] x_f   (faces: mean of the two),   y[fields + n] = number_scale[n] number[n] in every cell
   adjoint: x_bar_f += scale[f] y_bar[f] (faces: half of both cells'), number_bar[n] += number_scale[n] sum y_bar[fields + n].
   Outer faces of closed sides are given values, so that nothing folds back. */
#include "nn/impl.h"

enum { PLANES, NUMBERS };

typedef struct {
  WeftFeatures y;
  PetscInt     numbers;
  PetscReal    scale[WEFT_MAX_FIELDS], *number_scale;
  WeftState    cells; /* adjoints of the face fields' channels, with ghosts */
} Features;

/* Linear up to what stands at the sides: apply and tangent differ in the ghosts. */
static PetscErrorCode Map(WeftOp op, const WeftState x[], WeftState y, WeftGhost ghost)
{
  const Features      *v       = (const Features *)WeftOpContext(op);
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(WeftOpInSpace(op, PLANES));
  const WeftLayout    *l       = WeftGridLayout(info->grid);
  const double        *numbers = v->numbers && x[NUMBERS] ? (const double *)WeftStateData(x[NUMBERS]) : NULL;

  PetscFunctionBegin;
  if (!x[PLANES] || (v->numbers && !numbers)) PetscCall(WeftStateZero(y));
  if (x[PLANES] && v->cells) PetscCall(WeftStateHalo(x[PLANES], 1, ghost));
  WEFT_FOR_ROWS(l, info->batch, s, j, k)
  {
    char *to = WeftFeaturesRow(&v->y, l, WeftStateDataWrite(y), 0, s, j, k);
    for (PetscInt f = 0; f < info->fields && x[PLANES]; f++) {
      const PetscBool face = info->location[f] != WEFT_CELL ? PETSC_TRUE : PETSC_FALSE;
      const double   *row  = WeftStatePlane(x[PLANES], f, s) + WeftLayoutIndex(l, l->start[0], j, k);
      WeftValuesToChannel(v->y.single, l->count[0], v->y.channels, face ? 0.5 * v->scale[f] : v->scale[f], row,
                          face ? row + l->stride[info->location[f]] : NULL, PETSC_FALSE, to + v->y.size * (size_t)f);
    }
    for (PetscInt n = 0; n < v->numbers && numbers; n++)
      WeftValuesFillChannel(v->y.single, l->count[0], v->y.channels, v->number_scale[n] * numbers[s * v->numbers + n],
                            to + v->y.size * (size_t)(info->fields + n));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)record;
  PetscCall(Map(op, x, y[0], WEFT_GHOST_VALUE));
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  PetscCall(Map(op, dx, dy[0], WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

/* x_bar_f += scale y_bar[f]; a face takes half of the cells on both sides, which a neighbour may hold. */
static PetscErrorCode PlanesAdjoint(const Features *v, WeftState y_bar, WeftState x_bar)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x_bar));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             face = 0;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    if (info->location[f] == WEFT_CELL) continue;
    WEFT_FOR_ROWS(l, info->batch, s, j, k)
    WeftValuesFromChannel(v->y.single, l->count[0], v->y.channels, WeftFeaturesRow(&v->y, l, WeftStateData(y_bar), f, s, j, k),
                          WeftStatePlaneWrite(v->cells, face, s) + WeftLayoutIndex(l, l->start[0], j, k));
    face++;
  }
  if (v->cells) PetscCall(WeftStateHalo(v->cells, 1, WEFT_GHOST_ZERO));
  face = 0;
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftLocation location = info->location[f];
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, location, lo, hi);
    for (PetscInt s = 0; s < info->batch; s++) {
      double       *to    = WeftStatePlaneWrite(x_bar, f, s);
      const double *cells = location == WEFT_CELL ? NULL : WeftStatePlane(v->cells, face, s);
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          const PetscInt row = WeftLayoutIndex(l, lo[0], j, k);
          if (cells)
            WeftValuesAddMean(hi[0] - lo[0], 0.5 * v->scale[f], cells + row - l->stride[location], cells + row, to + row);
          else
            WeftValuesAddFromChannel(v->y.single, hi[0] - lo[0], v->y.channels, v->scale[f],
                                     WeftFeaturesRow(&v->y, l, WeftStateData(y_bar), f, s, j, k), to + row);
        }
      }
    }
    if (location != WEFT_CELL) face++;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const Features      *v    = (const Features *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, PLANES));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (x_bar[PLANES]) PetscCall(PlanesAdjoint(v, y_bar[0], x_bar[PLANES]));
  if (!v->numbers || !x_bar[NUMBERS]) PetscFunctionReturn(0);
  for (PetscInt s = 0; s < info->batch; s++) { /* summed apart from what stands there already */
    double *numbers_bar = (double *)WeftStateDataWrite(x_bar[NUMBERS]) + (ptrdiff_t)s * v->numbers;
    for (PetscInt n = 0; n < v->numbers; n++) {
      double sum = 0.0;
      for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
        for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
          WeftValuesAddSum(v->y.single, l->count[0], v->y.channels,
                           WeftFeaturesRow(&v->y, l, WeftStateData(y_bar[0]), info->fields + n, s, j, k), &sum);
      numbers_bar[n] += v->number_scale[n] * sum;
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  Features *v = (Features *)context;

  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&v->cells));
  PetscCall(PetscFree(v->number_scale));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateFeatures(WeftSpace planes, WeftSpace numbers, const PetscReal scale[],
                                    const PetscReal number_scale[], WeftSpace y, WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(planes), *to = WeftSpaceGetInfo(y),
                      *number = numbers ? WeftSpaceGetInfo(numbers) : NULL;
  const WeftSpace in[2]       = {planes, numbers};
  Features       *v;

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_PLANES && to->kind == WEFT_CHANNELS && info->grid == to->grid && info->batch == to->batch,
             info->comm, PETSC_ERR_ARG_INCOMP, "features go from planes to channels on one grid and of one batch");
  PetscCheck(!number || (number->kind == WEFT_NUMBERS && number->per_sample && number->batch == info->batch), info->comm,
             PETSC_ERR_ARG_INCOMP, "numbers among the features are per sample");
  PetscCheck(to->channels == info->fields + (number ? number->count : 0), info->comm, PETSC_ERR_ARG_INCOMP,
             "%" PetscInt_FMT " fields and %" PetscInt_FMT " numbers do not make %" PetscInt_FMT " channels", info->fields,
             number ? number->count : 0, to->channels);
  PetscCall(PetscNew(&v));
  v->y       = WeftFeaturesOf(y);
  v->numbers = number ? number->count : 0;
  PetscCall(PetscArraycpy(v->scale, scale, info->fields));
  PetscCall(PetscMalloc1(v->numbers, &v->number_scale));
  PetscCall(PetscArraycpy(v->number_scale, number_scale, v->numbers));
  PetscCall(WeftCellPlanesCreate(planes, &v->cells));
  PetscCall(WeftOpCreate("features", &maps, v, WEFT_NEEDS_NOTHING, numbers ? 2 : 1, in, 1, &y, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Features(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscReal scale[] = {0.5, 2.0, 1.5, 0.7}, number_scale[] = {0.3, 3.0};
  const PetscInt         dim    = WeftGridLayout(grid)->dim;
  const PetscBool        single = variant == 1 ? PETSC_TRUE : PETSC_FALSE; /* which has no numbers either */
  WeftSpace              planes, numbers = NULL, y;
  WeftOp                 op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &planes));
  if (!single) PetscCall(WeftSpaceCreateNumbers(WeftSpaceGetInfo(planes)->comm, batch, 2, PETSC_TRUE, &numbers));
  PetscCall(WeftSpaceCreateChannels(grid, batch, dim + 1 + (single ? 0 : 2), 1, single, &y));
  PetscCall(WeftOpCreateFeatures(planes, numbers, scale, number_scale, y, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&planes));
  if (numbers) PetscCall(WeftSpaceDestroy(&numbers));
  PetscCall(WeftSpaceDestroy(&y));
  PetscFunctionReturn(0);
}
