/* The verb info: what a case is on these ranks. Plays one step from rest to count its messages. */
#include "apps.h"

typedef struct {
  WeftTeam  team;
  WeftGrid  grid;
  WeftModel model;
  WeftNet   net; /* NULL: the case names none */
  WeftOp    correction;
  PetscBool points; /* the net is a dense one at points (train_mode points) */
} Case;

static PetscErrorCode Create(Case *c)
{
  const PetscReal  one[4] = {1.0, 1.0, 1.0, 1.0};
  WeftGridOptions  box;
  WeftTeamInfo     info;
  PetscBool        set;
  PetscInt         mode;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  PetscCall(WeftTeamCreate(1, 1, &c->team));
  PetscCall(WeftTeamGetInfo(c->team, &info));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftNetAlignGrid(&box));
  PetscCall(WeftGridCreate(info.space, &box, &c->grid));
  PetscCall(WeftNetGiven(&set));
  PetscCall(WeftGetEnum("train_mode", &mode));
  c->points = set && mode == 2 ? PETSC_TRUE : PETSC_FALSE;
  if (set && !c->points) {
    WeftSpace velocity, features;
    PetscCall(WeftModelCreateStateSpace(c->grid, 1, &velocity));
    PetscCall(WeftModelFeatureSpace(c->grid, 1, &features));
    PetscCall(WeftNetCreateFromKeys(velocity, features, NULL, one, one, &c->net, &c->correction));
    PetscCall(WeftSpaceDestroy(&velocity));
    PetscCall(WeftSpaceDestroy(&features));
  }
  PetscCall(WeftModelCreateFromKeys(c->grid, 1, c->correction, PETSC_TRUE, &c->model));
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintGrid(const Case *c)
{
  const WeftLayout *l = WeftGridLayout(c->grid);
  PetscInt          smallest[3], largest[3];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(l->count, smallest, 3, MPIU_INT, MPI_MIN, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(l->count, largest, 3, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(WeftLog("grid"));
  for (PetscInt a = 0; a < l->dim; a++) {
    const char *lower = WeftSides[l->side[a][0]], *upper = WeftSides[l->side[a][1]];
    PetscCall(WeftLog("  %c  %5d cells  [%g, %g]  spacing %g  sides %s/%s  %d ranks, blocks of %d to %d cells", "xyz"[a],
                      (int)l -> cells[a], l -> lower[a], l -> lower[a] + l -> cells[a] * l -> h[a], l -> h[a], lower, upper,
                      (int)l -> ranks[a], (int)smallest[a], (int)largest[a]));
  }
  PetscCall(WeftLog("  halo %d layers, walls by %s", (int)l->halo[0], l->wall == WEFT_WALL_MIRROR ? "mirror" : "value"));
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintStep(const Case *c)
{
  const WeftOp step = WeftModelStep(c->model), *ops;
  PetscInt     calls;

  PetscFunctionBegin;
  PetscCall(WeftLog("inputs of a step"));
  for (PetscInt at = 0; at < WeftOpInputs(step); at++) {
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(step, at));
    const char          *name = WeftModelInputName(c->model, at);
    if (info->kind == WEFT_NUMBERS)
      PetscCall(WeftLog("  %-12s %d number%s%s", name, (int)info->count, info->count > 1 ? "s" : "",
                        info->per_sample ? " per sample" : ""));
    else
      PetscCall(WeftLog("  %-12s %d field%s, %zu bytes on this rank", name, (int)info->fields, info->fields > 1 ? "s" : "",
                        info->bytes));
  }
  PetscCall(WeftProgramCalls(step, &calls, &ops));
  PetscCall(WeftLog("operators of a step (dt %g)", WeftModelTimeStep(c->model)));
  for (PetscInt i = 0; i < calls; i++)
    PetscCall(WeftLog("  %-12s keeps %zu bytes for its adjoint", WeftOpName(ops[i]), WeftOpRecordBytes(ops[i])));
  PetscCall(WeftLog("  record of a step %zu bytes on this rank", WeftOpRecordBytes(step)));
  PetscFunctionReturn(0);
}

/* What a training update keeps on this rank: every record and the states between. */
static PetscErrorCode PrintMemory(const Case *c)
{
  const WeftOp step = WeftModelStep(c->model);
  PetscInt     unroll, batch;
  size_t       bytes = WeftOpRecordBytes(step);

  PetscFunctionBegin;
  if (!c->net) PetscFunctionReturn(0);
  PetscCall(WeftGetInt("train_unroll", &unroll));
  PetscCall(WeftGetInt("train_batch", &batch));
  for (PetscInt s = 0; s < WeftOpOutputs(step); s++) bytes += WeftSpaceGetInfo(WeftOpOutSpace(step, s))->bytes;
  PetscCall(
      WeftLog("memory: an update of %d steps keeps %.3g MB per sample on this rank, %.3g MB for a batch of %d on one replica",
              (int)unroll, 1e-6 * (double)bytes * (double)unroll, 1e-6 * (double)bytes * (double)(unroll * batch), (int)batch));
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintNet(const Case *c)
{
  const WeftNetLayer *layer;
  PetscInt            count, receptive;
  PetscReal           flops;
  size_t              bytes = 0;

  PetscFunctionBegin;
  if (!c->net) PetscFunctionReturn(0);
  PetscCall(WeftNetLayers(c->net, &count, &layer));
  PetscCall(WeftNetReceptiveField(c->net, &receptive));
  PetscCall(WeftLog("net                              channels  cells            parameters     Mflop  MB here"));
  flops = 0.0;
  for (PetscInt i = 0; i < count; i++) {
    char cells[32];
    PetscCall(PetscSNPrintf(cells, sizeof(cells), "%d x %d x %d", (int)layer[i].cells[0], (int)layer[i].cells[1], (int)layer[i].cells[2]));
    PetscCall(WeftLog("  %-30s %8d  %-16s %10d %9.3g %8.3g", layer[i].text, (int)layer[i].channels, cells, (int)layer[i].parameters,
                      1e-6 * (double)layer[i].flops, 1e-6 * (double)layer[i].bytes));
    flops += layer[i].flops;
    bytes += layer[i].bytes;
  }
  PetscCall(WeftLog("  %d parameters, %.3g million flops on all ranks and %.3g MB of features on this one per sample and step; a cell sees %d cells along each axis; kernels: %s",
                    (int)WeftSpaceGetInfo(WeftNetParameterSpace(c->net))->count, 1e-6 * (double)flops, 1e-6 * (double)bytes, (int)receptive, WeftKernelsName()));
  PetscFunctionReturn(0);
}

/* The dense net u(x, t) of train_mode points: what a point costs. */
static PetscErrorCode PrintDense(const Case *c)
{
  PetscInt  blocks, features, parameters = 0, widths = 0;
  PetscReal flops = 0.0;

  PetscFunctionBegin;
  if (!c->points) PetscFunctionReturn(0);
  PetscCall(WeftGetInt("net_blocks", &blocks));
  PetscCall(WeftGetInt("net_features", &features));
  PetscCall(WeftLog("dense net at points        parameters    flop a point"));
  for (PetscInt l = 0; l <= blocks; l++) {
    const PetscInt in = l ? features : 2, out = l < blocks ? features : 1;
    PetscCall(WeftLog("  dense %5d -> %-5d %-6s %8d %15d", (int)in, (int)out, l < blocks ? "tanh" : "none", (int)((in + 1) * out), (int)(2 * in * out)));
    parameters += (in + 1) * out;
    flops += 2.0 * (PetscReal)(in * out);
    widths += out;
  }
  PetscCall(WeftLog("  %d parameters, %g flops a point for u, 4 times as many with u_x, u_t, u_xx; %g kB of features a point with these; a point sees itself alone",
                    (int)parameters, (double)flops, 4e-3 * 2.0 * sizeof(double) * (double)widths));
  PetscFunctionReturn(0);
}

/* What a rank sends in a step and in its adjoint. */
enum { STEP, ADJOINT, SWEEPS };
#define TOLD 3
static const WeftPhase told[TOLD] = {WEFT_PHASE_HALO, WEFT_PHASE_TRANSPOSE, WEFT_PHASE_REDUCTION};
typedef struct {
  PetscInt64 messages[TOLD], bytes[TOLD];
} Traffic;

static void Count(Traffic *t)
{
  for (PetscInt i = 0; i < TOLD; i++) WeftCostMessages(told[i], &t->messages[i], &t->bytes[i]);
}

/* The most of any rank. */
static PetscErrorCode Since(const Traffic *before, Traffic *t)
{
  Count(t);
  for (PetscInt i = 0; i < TOLD; i++) {
    t->messages[i] -= before->messages[i];
    t->bytes[i] -= before->bytes[i];
  }
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, t, 2 * TOLD, MPIU_INT64, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* Plays a step from rest and goes back through it. */
static PetscErrorCode CountMessages(const Case *c, Traffic traffic[SWEEPS])
{
  const WeftOp step = WeftModelStep(c->model);
  WeftState    in[WEFT_OP_MAX], in_bar[WEFT_OP_MAX], out[WEFT_OP_MAX], out_bar[WEFT_OP_MAX];
  WeftRecord   record;
  Traffic      before;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(step, i), &in[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(step, i), &in_bar[i]));
  }
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(step, i), &out[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(step, i), &out_bar[i]));
  }
  PetscCall(WeftRecordCreate(step, &record));
  Count(&before);
  PetscCall(WeftOpApply(step, in, out, record));
  PetscCall(Since(&before, &traffic[STEP]));
  PetscCall(WeftGridAgree(c->grid));
  Count(&before);
  PetscCall(WeftOpAdjoint(step, in, out, record, out_bar, in_bar));
  PetscCall(Since(&before, &traffic[ADJOINT]));
  PetscCall(WeftRecordDestroy(&record));
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) {
    PetscCall(WeftStateDestroy(&in[i]));
    PetscCall(WeftStateDestroy(&in_bar[i]));
  }
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) {
    PetscCall(WeftStateDestroy(&out[i]));
    PetscCall(WeftStateDestroy(&out_bar[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintMessages(const Traffic traffic[SWEEPS])
{
  static const char *const names[SWEEPS] = {"step", "adjoint"};

  PetscFunctionBegin;
  PetscCall(WeftLog("a rank sends at most, per sample      halo    bytes   transpose    bytes   reductions    bytes"));
  for (PetscInt w = 0; w < SWEEPS; w++) {
    const Traffic *t = &traffic[w];
    PetscCall(WeftLog("  in the %-28s %6d %8d   %9d %8d   %10d %8d", names[w], (int)t->messages[0], (int)t->bytes[0],
                      (int)t->messages[1], (int)t->bytes[1], (int)t->messages[2], (int)t->bytes[2]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Summarise(const Case *c, const Traffic traffic[SWEEPS])
{
  static const char *const sweeps[SWEEPS] = {"step", "adjoint"}, *const kinds[TOLD] = {"halo", "transpose", "reduction"};
  char        folder[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN], key[64];
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftOutputFolder("info", folder, sizeof(folder)));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  PetscCall(WeftSummaryCreate("info", &summary));
  for (PetscInt w = 0; w < SWEEPS; w++)
    for (PetscInt i = 0; i < TOLD; i++) {
      PetscCall(PetscSNPrintf(key, sizeof(key), "messages/%s/%s", sweeps[w], kinds[i]));
      PetscCall(WeftSummaryInt(summary, key, traffic[w].messages[i]));
      PetscCall(PetscSNPrintf(key, sizeof(key), "messages/%s/%s_bytes", sweeps[w], kinds[i]));
      PetscCall(WeftSummaryInt(summary, key, traffic[w].bytes[i]));
    }
  PetscCall(WeftSummaryInt(summary, "record_bytes_per_step", (PetscInt64)WeftOpRecordBytes(WeftModelStep(c->model))));
  if (c->net) PetscCall(WeftSummaryInt(summary, "parameters", WeftSpaceGetInfo(WeftNetParameterSpace(c->net))->count));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInfo(void)
{
  Traffic     traffic[SWEEPS];
  PetscMPIInt size;
  Case        c;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(Create(&c));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftLog("case %s on %d rank%s", WeftCaseName(), size, size > 1 ? "s" : ""));
  PetscCall(PrintGrid(&c));
  PetscCall(PrintStep(&c));
  PetscCall(PrintNet(&c));
  PetscCall(PrintDense(&c));
  PetscCall(PrintMemory(&c));
  PetscCall(CountMessages(&c, traffic));
  PetscCall(PrintMessages(traffic));
  PetscCall(Summarise(&c, traffic));
  PetscCall(WeftOpDestroy(&c.correction));
  PetscCall(WeftNetDestroy(&c.net));
  PetscCall(WeftModelDestroy(&c.model));
  PetscCall(WeftGridDestroy(&c.grid));
  PetscCall(WeftTeamDestroy(&c.team));
  PetscFunctionReturn(0);
}
