/* Advection over one explicit step: semi-Lagrangian, and MacCormack on top of it (Selle, Fedkiw, Kim, Liu, Rossignac: An
   unconditionally stable MacCormack method, J. Sci. Comput. 35, 2008). The lookups and their derivatives are in lookup.h.
     semi-Lagrangian  y = f looked up at -d,  d = dt velocity / h
     MacCormack       forward = f at -d;  back = forward at +d;  y = forward + (f - back) / 2, limited
   Adjoint: each lookup scatters, from the points of this rank and its neighbours to the nodes of this rank, in global order; the
   velocity takes what its displacements got, through the transposed mean. */
#include "grid/parts.h"
#include "op/lookup.h"

typedef struct {
  WeftAdvectScheme scheme;
  PetscInt         dim, fields, batch, halo;
  WeftLookup       lookup[WEFT_MAX_FIELDS];
  PetscInt        *fault; /* [field][sample]: some displacement is not below the halo */
  WeftSpace        space; /* of the fields; the operator holds it */
  /* scratch, made when first used; each a state of the fields */
  WeftState displacement[3], displacement_bar[3]; /* per axis */
  WeftState forward, forward_bar, within, code;   /* MacCormack */
} Advect;

static PetscErrorCode Scratch(const Advect *a, PetscInt n, WeftState states[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++)
    if (!states[i]) PetscCall(WeftStateCreate(a->space, &states[i]));
  PetscFunctionReturn(0);
}

/* Goes through the fields and samples. */
#define FOR_PLANES(a, f, b)                                                                                                    \
  for (PetscInt f = 0; f < (a)->fields; f++)                                                                                   \
    for (PetscInt b = 0; b < (a)->batch; b++)

/* Planes of one field and sample along the axes. */
static void Planes(const Advect *a, const WeftState states[3], PetscInt field, PetscInt sample, const double *planes[3])
{
  for (PetscInt axis = 0; axis < a->dim; axis++) planes[axis] = WeftStatePlane(states[axis], field, sample);
}

static void PlanesWrite(const Advect *a, const WeftState states[3], PetscInt field, PetscInt sample, double *planes[3])
{
  for (PetscInt axis = 0; axis < a->dim; axis++) planes[axis] = WeftStatePlaneWrite(states[axis], field, sample);
}

static void Velocity(const Advect *a, WeftState velocity, PetscInt sample, const double *planes[3])
{
  for (PetscInt axis = 0; axis < a->dim; axis++) planes[axis] = velocity ? WeftStatePlane(velocity, axis, sample) : NULL;
}

/* States of fields and velocity whose ghosts go in one message; self-advection has one state for both. */
static PetscInt Exchanged(const WeftState x[], WeftState states[2])
{
  PetscInt n = 0;

  if (x[0]) states[n++] = x[0];
  if (x[1] && x[1] != x[0]) states[n++] = x[1];
  return n;
}

static PetscErrorCode Exchange(const Advect *a, const WeftState x[], WeftGhost ghost)
{
  WeftState      states[2];
  const PetscInt n = Exchanged(x, states);

  PetscFunctionBegin;
  if (n) PetscCall(WeftStatesHalo(n, states, a->halo, ghost));
  PetscFunctionReturn(0);
}

/* The lookup of a field for a part of its points: the interior keeps off by a node more, since rows are read whole (strip.h). */
static WeftLookup LookupPart(const Advect *a, PetscInt field, PetscInt part)
{
  WeftLookup lookup = a->lookup[field];
  WeftGridPart(WeftSpaceGetInfo(a->space)->grid, a->halo + 1, part, lookup.lo, lookup.hi);
  return lookup;
}

/* ---- apply ------------------------------------------------------------------------------------------------------- */

/* Notes the largest displacement (or one that is no number). Not collective. */
static PetscErrorCode NoteFault(Advect *a, WeftState velocity, PetscInt field, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(a->space);
  const double        *u[3];
  double              *d[3], worst;
  PetscInt             at[3], axis;

  PetscFunctionBegin;
  PetscCall(Scratch(a, a->dim, a->displacement));
  Velocity(a, velocity, sample, u);
  PlanesWrite(a, a->displacement, field, sample, d);
  WeftLookupDisplace(&a->lookup[field], PETSC_FALSE, u, d);
  worst = WeftLookupWorst(&a->lookup[field], d, at, &axis);
  PetscCall(WeftGridNote(info->grid,
                         "advection of %s: a Courant number of %.4g along %c at (%" PetscInt_FMT ", %" PetscInt_FMT
                         ", %" PetscInt_FMT "), sample %" PetscInt_FMT ", leaves the halo: %" PetscInt_FMT
                         " layers take less than %" PetscInt_FMT "; take a smaller time step or a wider halo (-grid_halo)",
                         info->name[field], worst, "xyz"[axis], at[0], at[1], at[2], sample, a -> halo, a -> halo));
  PetscFunctionReturn(0);
}

/* to = the fields x[0] traced back by x[1], every field and sample. */
static PetscErrorCode LookUp(Advect *a, const WeftState x[], WeftState to)
{
  const PetscInt parts = WeftGridParts(WeftSpaceGetInfo(a->space)->grid);
  WeftState      states[2];
  const PetscInt n = Exchanged(x, states);

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(a->fault, a->fields * a->batch));
  for (PetscInt part = 0; part < parts; part++) {
    PetscCall(WeftStatesHaloPart(n, states, a->halo, WEFT_GHOST_VALUE, part));
    FOR_PLANES(a, f, b)
    {
      const WeftLookup lookup = LookupPart(a, f, part);
      const double    *u[3];
      Velocity(a, x[1], b, u);
      WeftLookupValues(&lookup, -1, u, WeftStatePlane(x[0], f, b), WeftStatePlaneWrite(to, f, b), &a->fault[f * a->batch + b]);
    }
  }
  FOR_PLANES(a, f, b)
  if (a->fault[f * a->batch + b]) PetscCall(NoteFault(a, x[1], f, b));
  PetscFunctionReturn(0);
}

/* y from the forward pass; code may be NULL. Its ghosts are as a rule still filled where branches are found. */
static PetscErrorCode Limit(const Advect *a, const WeftState x[], WeftState forward, WeftState y, WeftState code)
{
  const PetscInt parts = WeftGridParts(WeftSpaceGetInfo(a->space)->grid);

  PetscFunctionBegin;
  for (PetscInt part = 0; part < parts; part++) {
    PetscCall(WeftStatesHaloPart(1, &forward, a->halo, WEFT_GHOST_VALUE, part));
    FOR_PLANES(a, f, b)
    {
      const WeftLookup lookup = LookupPart(a, f, part);
      const double    *u[3];
      Velocity(a, x[1], b, u);
      WeftLookupLimit(&lookup, u, WeftStatePlane(x[0], f, b), WeftStatePlane(forward, f, b), WeftStatePlaneWrite(y, f, b),
                      code ? WeftStatePlaneWrite(code, f, b) : NULL);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode AdvectApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  Advect   *a = (Advect *)WeftOpContext(op);
  WeftState forward;

  PetscFunctionBegin;
  if (a->scheme == WEFT_ADVECT_SEMI_LAGRANGIAN) {
    PetscCall(LookUp(a, x, y[0]));
    PetscFunctionReturn(0);
  }
  if (!record) PetscCall(Scratch(a, 1, &a->forward));
  forward = record ? WeftRecordState(record, 0) : a->forward;
  PetscCall(LookUp(a, x, forward));
  PetscCall(Limit(a, x, forward, y[0], NULL));
  PetscFunctionReturn(0);
}

/* ---- tangent ----------------------------------------------------------------------------------------------------- */

static void LookUpTangent(const Advect *a, PetscInt sign, WeftState velocity, WeftState from, WeftState dvelocity,
                          WeftState dfrom, WeftState dto)
{
  FOR_PLANES(a, f, b)
  {
    const double *u[3], *du[3];
    Velocity(a, velocity, b, u);
    Velocity(a, dvelocity, b, du);
    WeftLookupTangent(&a->lookup[f], sign, u, WeftStatePlane(from, f, b), du, dfrom ? WeftStatePlane(dfrom, f, b) : NULL,
                      WeftStatePlaneWrite(dto, f, b));
  }
}

/* Which values the limiter holds, from the forward pass kept in the record. */
static PetscErrorCode FindBranches(Advect *a, const WeftState x[], WeftState forward)
{
  PetscFunctionBegin;
  PetscCall(Scratch(a, 1, &a->code));
  PetscCall(Scratch(a, 1, &a->within));
  PetscCall(Limit(a, x, forward, a->within, a->code));
  PetscFunctionReturn(0);
}

static PetscErrorCode TangentMacCormack(Advect *a, const WeftState x[], WeftState forward, const WeftState dx[], WeftState dy)
{
  WeftState df = dx[0];

  PetscFunctionBegin;
  PetscCall(FindBranches(a, x, forward));
  PetscCall(Scratch(a, 1, &a->forward_bar)); /* here the tangent of forward */
  LookUpTangent(a, -1, x[1], x[0], dx[1], df, a->forward_bar);
  PetscCall(WeftStateHalo(a->forward_bar, a->halo, WEFT_GHOST_LINEAR));
  LookUpTangent(a, 1, x[1], forward, dx[1], a->forward_bar, dy);
  if (!df) { /* zero, ghosts included */
    PetscCall(WeftStateZero(a->within));
    df = a->within;
  }
  FOR_PLANES(a, f, b)
  WeftLookupLimitTangent(&a->lookup[f], WeftStatePlane(a->code, f, b), WeftStatePlane(df, f, b),
                         WeftStatePlane(a->forward_bar, f, b), WeftStatePlaneWrite(dy, f, b));
  PetscFunctionReturn(0);
}

static PetscErrorCode AdvectTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record,
                                    const WeftState dx[], const WeftState dy[])
{
  Advect *a = (Advect *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)y;
  PetscCall(Exchange(a, x, WEFT_GHOST_VALUE));
  PetscCall(Exchange(a, dx, WEFT_GHOST_LINEAR));
  if (a->scheme == WEFT_ADVECT_SEMI_LAGRANGIAN)
    LookUpTangent(a, -1, x[1], x[0], dx[1], dx[0], dy[0]);
  else
    PetscCall(TangentMacCormack(a, x, WeftRecordState(record, 0), dx, dy[0]));
  PetscFunctionReturn(0);
}

/* ---- adjoint ----------------------------------------------------------------------------------------------------- */

/* Displacements of the points that I own; border: of those that neighbours see. */
static PetscErrorCode Displace(Advect *a, PetscBool border, WeftState velocity)
{
  PetscFunctionBegin;
  PetscCall(Scratch(a, a->dim, a->displacement));
  FOR_PLANES(a, f, b)
  {
    const double *u[3];
    double       *d[3];
    Velocity(a, velocity, b, u);
    PlanesWrite(a, a->displacement, f, b, d);
    WeftLookupDisplace(&a->lookup[f], border, u, d);
  }
  PetscFunctionReturn(0);
}

/* What lookups of `from` with the adjoint scale * bar give: displacement_bar (+)= to the displacements that I own, if they are
   `wanted`, and to += to the values (NULL: not wanted), whose side ghosts must be clear, and take their share. */
static PetscErrorCode LookUpAdjoint(Advect *a, PetscInt sign, WeftState velocity, WeftState from, PetscReal scale,
                                    WeftState bar, PetscBool wanted, PetscBool add, WeftState to)
{
  PetscFunctionBegin;
  PetscCall(Scratch(a, a->dim, a->displacement_bar));
  FOR_PLANES(a, f, b)
  {
    const double *u[3], *d[3];
    double       *d_bar[3];
    Velocity(a, velocity, b, u);
    Planes(a, a->displacement, f, b, d);
    PlanesWrite(a, a->displacement_bar, f, b, d_bar);
    WeftLookupAdjoint(&a->lookup[f], sign, u, d, WeftStatePlane(from, f, b), scale, WeftStatePlane(bar, f, b), add,
                      wanted ? d_bar : NULL, to ? WeftStatePlaneWrite(to, f, b) : NULL);
  }
  PetscFunctionReturn(0);
}

/* Faces of an axis that the displacements of a field read: mine, and beyond open sides where means of four reach out. */
static void FaceRange(const WeftLayout *l, PetscInt axis, WeftLocation location, PetscInt lo[3], PetscInt hi[3])
{
  const PetscInt b = (PetscInt)location;

  WeftLayoutOwned(l, (WeftLocation)axis, lo, hi);
  if (location == WEFT_CELL || b == axis) return;
  if (l->side[b][0] == WEFT_SIDE_OPEN && l->start[b] == 0) lo[b]--;
  if (l->side[b][1] == WEFT_SIDE_OPEN && l->start[b] + l->count[b] == l->cells[b]) hi[b]++;
}

/* velocity_bar of one axis and sample += transposed means of displacement_bar; a row takes from all fields while it is in cache. */
static void AddFaces(const Advect *a, PetscInt axis, PetscInt sample, WeftState velocity_bar)
{
  const WeftSpaceInfo *info  = WeftSpaceGetInfo(a->space);
  double              *u_bar = WeftStatePlaneWrite(velocity_bar, axis, sample);
  PetscInt             lo[WEFT_MAX_FIELDS][3], hi[WEFT_MAX_FIELDS][3], all_lo[3] = {0}, all_hi[3] = {0};

  for (PetscInt f = 0; f < a->fields; f++) {
    FaceRange(WeftGridLayout(info->grid), axis, info->location[f], lo[f], hi[f]);
    for (PetscInt b = 0; b < 3; b++) {
      all_lo[b] = f ? PetscMin(all_lo[b], lo[f][b]) : lo[f][b];
      all_hi[b] = f ? PetscMax(all_hi[b], hi[f][b]) : hi[f][b];
    }
  }
  for (PetscInt k = all_lo[2]; k < all_hi[2]; k++) {
    for (PetscInt j = all_lo[1]; j < all_hi[1]; j++) {
      for (PetscInt f = 0; f < a->fields; f++) {
        const PetscInt from[3] = {lo[f][0], j, k}, to[3] = {hi[f][0], j + 1, k + 1};
        if (j < lo[f][1] || j >= hi[f][1] || k < lo[f][2] || k >= hi[f][2]) continue;
        WeftLookupFaces(&a->lookup[f], axis, from, to, WeftStatePlane(a->displacement_bar[axis], f, sample), u_bar);
      }
    }
  }
}

static PetscErrorCode AddVelocity(const Advect *a, WeftState velocity_bar)
{
  PetscFunctionBegin;
  PetscCall(WeftStatesHalo(a->dim, a->displacement_bar, 1, WEFT_GHOST_ZERO));
  PetscCall(WeftStateFold(velocity_bar, 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  for (PetscInt axis = 0; axis < a->dim; axis++)
    for (PetscInt b = 0; b < a->batch; b++) AddFaces(a, axis, b, velocity_bar);
  PetscCall(WeftStateFold(velocity_bar, 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

/* Adjoints and the displacements that neighbours see, in one message. */
static PetscErrorCode ExchangeBars(const Advect *a, WeftState bar, WeftState code)
{
  WeftState states[5];
  PetscInt  n = 0;

  PetscFunctionBegin;
  states[n++] = bar;
  if (code) states[n++] = code;
  for (PetscInt axis = 0; axis < a->dim; axis++) states[n++] = a->displacement[axis];
  PetscCall(WeftStatesHalo(n, states, a->halo, WEFT_GHOST_ZERO));
  PetscFunctionReturn(0);
}

static PetscErrorCode AdjointSemiLagrangian(Advect *a, const WeftState x[], WeftState y_bar, const WeftState x_bar[])
{
  PetscFunctionBegin;
  PetscCall(Displace(a, PETSC_TRUE, x[1]));
  if (x_bar[0]) PetscCall(ExchangeBars(a, y_bar, NULL));
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
  PetscCall(LookUpAdjoint(a, -1, x[1], x[0], 1.0, y_bar, x_bar[1] ? PETSC_TRUE : PETSC_FALSE, PETSC_FALSE, x_bar[0]));
  if (x_bar[0]) PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  if (x_bar[1]) PetscCall(AddVelocity(a, x_bar[1]));
  PetscFunctionReturn(0);
}

/* forward_bar = within - lookup^T within / 2, within = y_bar where the limiter does not hold. */
static PetscErrorCode AdjointForward(Advect *a, const WeftState x[], WeftState forward, WeftState y_bar, PetscBool wanted)
{
  PetscFunctionBegin;
  PetscCall(ExchangeBars(a, y_bar, a->code));
  FOR_PLANES(a, f, b)
  WeftLookupLimitAdjoint(&a->lookup[f], WeftStatePlane(a->code, f, b), WeftStatePlane(y_bar, f, b),
                         WeftStatePlaneWrite(a->within, f, b));
  PetscCall(Scratch(a, 1, &a->forward_bar));
  PetscCall(WeftStateZero(a->forward_bar));
  PetscCall(WeftStateAXPY(a->forward_bar, 1.0, a->within));
  PetscCall(LookUpAdjoint(a, 1, x[1], forward, -0.5, a->within, wanted, PETSC_FALSE, a->forward_bar));
  PetscCall(WeftStateFold(a->forward_bar, 1, WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

static PetscErrorCode AdjointMacCormack(Advect *a, const WeftState x[], WeftState forward, WeftState y_bar,
                                        const WeftState x_bar[])
{
  const PetscBool wanted = x_bar[1] ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(FindBranches(a, x, forward));
  PetscCall(Displace(a, PETSC_TRUE, x[1]));
  PetscCall(AdjointForward(a, x, forward, y_bar, wanted));
  if (x_bar[0]) {
    PetscCall(WeftStateHalo(a->forward_bar, a->halo, WEFT_GHOST_ZERO));
    PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_ZERO)); /* clears the ghosts that gather */
    PetscCall(WeftStateAXPY(x_bar[0], 0.5, a->within));
  }
  PetscCall(LookUpAdjoint(a, -1, x[1], x[0], 1.0, a->forward_bar, wanted, PETSC_TRUE, x_bar[0]));
  if (x_bar[0]) {
    FOR_PLANES(a, f, b)
    WeftLookupLimitScatter(&a->lookup[f], WeftStatePlane(a->code, f, b), WeftStatePlane(y_bar, f, b),
                           WeftStatePlaneWrite(x_bar[0], f, b));
    PetscCall(WeftStateFold(x_bar[0], 1, WEFT_GHOST_LINEAR));
  }
  if (x_bar[1]) PetscCall(AddVelocity(a, x_bar[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode AdvectAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record,
                                    const WeftState y_bar[], const WeftState x_bar[])
{
  Advect *a = (Advect *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)y;
  PetscCall(Exchange(a, x, WEFT_GHOST_VALUE));
  if (a->scheme == WEFT_ADVECT_SEMI_LAGRANGIAN)
    PetscCall(AdjointSemiLagrangian(a, x, y_bar[0], x_bar));
  else
    PetscCall(AdjointMacCormack(a, x, WeftRecordState(record, 0), y_bar[0], x_bar));
  PetscFunctionReturn(0);
}

/* ---- branches, create, example ------------------------------------------------------------------------------------ */

/* The cell of every lookup; MacCormack: also the cell of the lookup forth and the node that the limiter took. */
static PetscErrorCode AdvectBranches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches)
{
  Advect        *a     = (Advect *)WeftOpContext(op);
  const PetscInt kinds = a->scheme == WEFT_ADVECT_MACCORMACK ? 3 : 1;
  PetscInt       at    = 0;

  PetscFunctionBegin;
  PetscCall(Exchange(a, x, WEFT_GHOST_VALUE));
  PetscCall(Displace(a, PETSC_FALSE, x[1]));
  if (kinds == 3) {
    PetscCall(Scratch(a, 1, &a->forward));
    PetscCall(LookUp(a, x, a->forward));
    PetscCall(FindBranches(a, x, a->forward));
  }
  *count = 0;
  for (PetscInt f = 0; f < a->fields; f++) {
    const WeftLookup *g = &a->lookup[f];
    *count += kinds * a->batch * (g->hi[0] - g->lo[0]) * (g->hi[1] - g->lo[1]) * (g->hi[2] - g->lo[2]);
  }
  PetscCall(PetscMalloc1(*count, branches));
  for (PetscInt f = 0; f < a->fields; f++) {
    const WeftLookup *g      = &a->lookup[f];
    const PetscInt    points = (g->hi[0] - g->lo[0]) * (g->hi[1] - g->lo[1]) * (g->hi[2] - g->lo[2]);
    for (PetscInt b = 0; b < a->batch; b++, at += kinds * points) {
      const double *d[3];
      Planes(a, a->displacement, f, b, d);
      WeftLookupBranches(g, -1, d, *branches + at);
      if (kinds == 3) WeftLookupBranches(g, 1, d, *branches + at + points);
      if (kinds == 3) WeftLookupLimitBranches(g, WeftStatePlane(a->code, f, b), *branches + at + 2 * points);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode AdvectDestroy(void *context)
{
  Advect *a = (Advect *)context;

  PetscFunctionBegin;
  for (PetscInt axis = 0; axis < 3; axis++) {
    PetscCall(WeftStateDestroy(&a->displacement[axis]));
    PetscCall(WeftStateDestroy(&a->displacement_bar[axis]));
  }
  PetscCall(WeftStateDestroy(&a->forward));
  PetscCall(WeftStateDestroy(&a->forward_bar));
  PetscCall(WeftStateDestroy(&a->within));
  PetscCall(WeftStateDestroy(&a->code));
  PetscCall(PetscFree(a->fault));
  PetscCall(PetscFree(a));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateAdvect(WeftSpace fields, WeftSpace velocity, WeftAdvectScheme scheme, PetscReal dt, WeftOp *op)
{
  static const WeftOpMaps maps = {AdvectApply, AdvectTangent, AdvectAdjoint, AdvectDestroy, AdvectBranches};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(fields), *u = WeftSpaceGetInfo(velocity);
  const WeftSpace         in[] = {fields, velocity};
  const WeftLayout       *l;
  Advect                 *a;

  PetscFunctionBegin;
  PetscCheck(info->kind == WEFT_PLANES && u->kind == WEFT_PLANES, info->comm, PETSC_ERR_ARG_WRONG,
             "advection works on fields of a grid");
  PetscCheck(info->grid == u->grid && info->batch == u->batch, info->comm, PETSC_ERR_ARG_INCOMP,
             "advection: fields and velocity are of different grids or batches");
  l = WeftGridLayout(info->grid);
  PetscCheck(u->fields == l->dim, info->comm, PETSC_ERR_ARG_WRONG,
             "advection: a velocity has one field per axis, not %" PetscInt_FMT, u->fields);
  for (PetscInt axis = 0; axis < l->dim; axis++)
    PetscCheck((PetscInt)u->location[axis] == axis, info->comm, PETSC_ERR_ARG_WRONG,
               "advection: field %s does not stand on the faces of axis %c", u->name[axis], "xyz"[axis]);
  PetscCall(PetscNew(&a));
  a->scheme = scheme;
  a->dim    = l->dim;
  a->fields = info->fields;
  a->batch  = info->batch;
  a->halo   = l->halo[0];
  a->space  = fields;
  PetscCall(PetscMalloc1(a->fields * a->batch, &a->fault));
  for (PetscInt f = 0; f < info->fields; f++) WeftLookupSetUp(l, info->location[f], dt, &a->lookup[f]);
  PetscCall(WeftOpCreate(scheme == WEFT_ADVECT_MACCORMACK ? "maccormack" : "advect", &maps, a, WEFT_NEEDS_INPUTS, 2, in, 1,
                         &fields, op));
  if (scheme == WEFT_ADVECT_MACCORMACK) PetscCall(WeftOpSetRecord(*op, 1, &fields)); /* the forward pass */
  PetscFunctionReturn(0);
}

/* A velocity that advects itself: one state for both inputs, and for both adjoints. */
static PetscErrorCode SelfAdvection(WeftGrid grid, WeftSpace velocity, PetscReal dt, WeftOp *op)
{
  WeftProgram program;
  WeftOp      advect;
  MPI_Comm    comm;
  PetscInt    u, moved;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(grid, &comm));
  PetscCall(WeftOpCreateAdvect(velocity, velocity, WEFT_ADVECT_SEMI_LAGRANGIAN, dt, &advect));
  PetscCall(WeftProgramCreate(comm, &program));
  PetscCall(WeftProgramInput(program, "velocity", velocity, &u));
  PetscCall(WeftProgramCall(program, advect, (PetscInt[]){u, u}, &moved));
  PetscCall(WeftProgramOutput(program, moved));
  PetscCall(WeftProgramFinish(&program, "self-advection", op));
  PetscCall(WeftOpDestroy(&advect));
  PetscFunctionReturn(0);
}

/* Up to 1.6 cells a step. Variants: velocity and a cell field by each scheme; self-advection. */
PetscErrorCode WeftOpExample_Advect(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const char *const  names[]  = {"smoke", "velocity_x", "velocity_y", "velocity_z"};
  static const WeftLocation places[] = {WEFT_CELL, WEFT_FACE_X, WEFT_FACE_Y, WEFT_FACE_Z};
  const WeftLayout         *l        = WeftGridLayout(grid);
  PetscReal                 h        = l->h[0];
  WeftSpace                 fields, velocity;

  PetscFunctionBegin;
  for (PetscInt axis = 1; axis < l->dim; axis++) h = PetscMin(h, l->h[axis]);
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftSpaceCreatePlanes(grid, batch, l->dim + 1, names, places, &fields));
  if (variant == 2)
    PetscCall(SelfAdvection(grid, velocity, 1.6 * h, &example->op));
  else
    PetscCall(WeftOpCreateAdvect(fields, velocity, variant ? WEFT_ADVECT_MACCORMACK : WEFT_ADVECT_SEMI_LAGRANGIAN, 1.6 * h,
                                 &example->op));
  PetscCall(WeftSpaceDestroy(&fields));
  PetscCall(WeftSpaceDestroy(&velocity));
  for (PetscInt i = 0; i < 2; i++) example->amplitude[i] = 0.9;
  for (PetscInt i = 0; i < 2; i++) example->offset[i] = 0.1;
  PetscFunctionReturn(0);
}
