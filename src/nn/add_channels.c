/* Channels of a net added to fields:
     y_f = x_f + scale[f] c[f]   (faces: mean of the two cells; beyond the sides the nearest cell)
   adjoint: x_bar += y_bar, c_bar[f] += scale[f] y_bar_f (cells beside faces: half of both faces'; beyond the sides folded back). */
#include "nn/impl.h"

enum { PLANES, CHANNELS };

typedef struct {
  WeftFeatures c;
  PetscReal    scale[WEFT_MAX_FIELDS];
  WeftState    cells; /* channels of the face fields, with ghosts */
} AddChannels;

/* Fills the cell planes from the channels, ghosts included. */
static PetscErrorCode CellsFromChannels(const AddChannels *v, const WeftSpaceInfo *info, const void *c)
{
  const WeftLayout *l    = WeftGridLayout(info->grid);
  PetscInt          face = 0;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    if (info->location[f] == WEFT_CELL) continue;
    WEFT_FOR_ROWS(l, info->batch, s, j, k)
    WeftValuesFromChannel(v->c.single, l->count[0], v->c.channels, WeftFeaturesRow(&v->c, l, c, f, s, j, k),
                          WeftStatePlaneWrite(v->cells, face, s) + WeftLayoutIndex(l, l->start[0], j, k));
    face++;
  }
  if (v->cells) PetscCall(WeftStateHalo(v->cells, 1, WEFT_GHOST_COPY));
  PetscFunctionReturn(0);
}

/* y = x + scale c, either of them perhaps zero. Linear: apply and tangent are one. */
static PetscErrorCode Map(WeftOp op, const WeftState x[], WeftState y)
{
  const AddChannels   *v    = (const AddChannels *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, PLANES));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const void          *c    = x[CHANNELS] ? WeftStateData(x[CHANNELS]) : NULL;
  PetscInt             face = 0;

  PetscFunctionBegin;
  if (x[PLANES])
    PetscCall(WeftStateCopy(x[PLANES], y));
  else
    PetscCall(WeftStateZero(y));
  if (c) PetscCall(CellsFromChannels(v, info, c));
  for (PetscInt f = 0; f < info->fields && c; f++) {
    const WeftLocation location = info->location[f];
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, location, lo, hi);
    for (PetscInt s = 0; s < info->batch; s++) {
      double       *to    = WeftStatePlaneWrite(y, f, s);
      const double *cells = location == WEFT_CELL ? NULL : WeftStatePlane(v->cells, face, s);
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          const PetscInt row = WeftLayoutIndex(l, lo[0], j, k);
          if (cells)
            WeftValuesAddMean(hi[0] - lo[0], 0.5 * v->scale[f], cells + row - l->stride[location], cells + row, to + row);
          else
            WeftValuesAddFromChannel(v->c.single, hi[0] - lo[0], v->c.channels, v->scale[f],
                                     WeftFeaturesRow(&v->c, l, c, f, s, j, k), to + row);
        }
      }
    }
    if (location != WEFT_CELL) face++;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Apply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  PetscFunctionBegin;
  (void)record;
  PetscCall(Map(op, x, y[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Tangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[],
                              const WeftState dy[])
{
  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  PetscCall(Map(op, dx, dy[0]));
  PetscFunctionReturn(0);
}

/* Cells take half of both their faces. So does the ghost cell beyond an open side, which then folds into the nearest cell; beyond
   closed sides no face is an unknown. */
static PetscErrorCode GatherFaces(const AddChannels *v, const WeftSpaceInfo *info, WeftState y_bar)
{
  const WeftLayout *l    = WeftGridLayout(info->grid);
  PetscInt          face = 0;

  PetscFunctionBegin;
  PetscCall(WeftStateHalo(y_bar, 1, WEFT_GHOST_ZERO));
  PetscCall(WeftStateZero(v->cells));
  for (PetscInt f = 0; f < info->fields; f++) {
    const WeftLocation axis = info->location[f];
    PetscInt           lo[3], hi[3];
    if (axis == WEFT_CELL) continue;
    WeftLayoutOwned(l, WEFT_CELL, lo, hi);
    if (l->side[axis][0] == WEFT_SIDE_OPEN && lo[axis] == 0) lo[axis]--;
    if (l->side[axis][1] == WEFT_SIDE_OPEN && hi[axis] == l->cells[axis]) hi[axis]++;
    for (PetscInt s = 0; s < info->batch; s++) {
      const double *from = WeftStatePlane(y_bar, f, s);
      double       *to   = WeftStatePlaneWrite(v->cells, face, s);
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          const PetscInt row = WeftLayoutIndex(l, lo[0], j, k);
          WeftValuesAddMean(hi[0] - lo[0], 0.5 * v->scale[f], from + row, from + row + l->stride[axis], to + row);
        }
      }
    }
    face++;
  }
  PetscCall(WeftStateFold(v->cells, 1, WEFT_GHOST_COPY));
  PetscFunctionReturn(0);
}

static PetscErrorCode Adjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[],
                              const WeftState x_bar[])
{
  const AddChannels   *v    = (const AddChannels *)WeftOpContext(op);
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, PLANES));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             face = 0;

  PetscFunctionBegin;
  (void)x, (void)y, (void)record;
  if (x_bar[PLANES]) PetscCall(WeftStateAXPY(x_bar[PLANES], 1.0, y_bar[0]));
  if (!x_bar[CHANNELS]) PetscFunctionReturn(0);
  if (v->cells) PetscCall(GatherFaces(v, info, y_bar[0]));
  for (PetscInt f = 0; f < info->fields; f++) {
    const PetscBool cell = info->location[f] == WEFT_CELL ? PETSC_TRUE : PETSC_FALSE;
    WEFT_FOR_ROWS(l, info->batch, s, j, k)
    {
      const double *from =
          (cell ? WeftStatePlane(y_bar[0], f, s) : WeftStatePlane(v->cells, face, s)) + WeftLayoutIndex(l, l->start[0], j, k);
      WeftValuesToChannel(v->c.single, l->count[0], v->c.channels, cell ? v->scale[f] : 1.0, from, NULL, PETSC_TRUE,
                          WeftFeaturesRow(&v->c, l, WeftStateDataWrite(x_bar[CHANNELS]), f, s, j, k));
    }
    if (!cell) face++;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(void *context)
{
  AddChannels *v = (AddChannels *)context;

  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&v->cells));
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateAddChannels(WeftSpace planes, WeftSpace channels, const PetscReal scale[], WeftOp *op)
{
  static const WeftOpMaps maps = {Apply, Tangent, Adjoint, Destroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(planes), *from = WeftSpaceGetInfo(channels);
  const WeftSpace         in[2] = {planes, channels};
  AddChannels            *v;

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_PLANES && from->kind == WEFT_CHANNELS && info->grid == from->grid &&
                 info->batch == from->batch && info->fields == from->channels,
             info->comm, PETSC_ERR_ARG_INCOMP, "channels are added to as many fields, on one grid and of one batch");
  PetscCall(PetscNew(&v));
  v->c = WeftFeaturesOf(channels);
  PetscCall(PetscArraycpy(v->scale, scale, info->fields));
  PetscCall(WeftCellPlanesCreate(planes, &v->cells));
  PetscCall(WeftOpCreate("add_channels", &maps, v, WEFT_NEEDS_NOTHING, 2, in, 1, &planes, op));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_AddChannels(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscReal scale[] = {0.5, 2.0, 1.5, 0.7};
  WeftSpace              planes, channels;
  WeftOp                 op;

  PetscFunctionBegin;
  PetscCall(WeftOpExampleSpace(grid, batch, 1, &planes));
  PetscCall(WeftSpaceCreateChannels(grid, batch, WeftSpaceGetInfo(planes)->fields, 0, variant == 1 ? PETSC_TRUE : PETSC_FALSE,
                                    &channels));
  PetscCall(WeftOpCreateAddChannels(planes, channels, scale, &op));
  PetscCall(WeftOpExampleFill(op, example));
  PetscCall(WeftSpaceDestroy(&planes));
  PetscCall(WeftSpaceDestroy(&channels));
  PetscFunctionReturn(0);
}
