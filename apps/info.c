/* The verb info: what a case is on these ranks. Plays one step from rest to count its messages. */
#include "apps.h"

typedef struct {
  WeftTeam  team;
  WeftGrid  grid;
  WeftModel model;
  WeftNet   net; /* NULL: the case names none */
  WeftOp    correction;
} Case;

static PetscErrorCode Create(Case *c)
{
  const PetscReal  one[4] = {1.0, 1.0, 1.0, 1.0};
  WeftModelOptions options;
  WeftNetOptions   layers;
  WeftGridOptions  box;
  WeftTeamInfo     info;
  PetscBool        set;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(c, sizeof(*c)));
  PetscCall(WeftTeamCreate(1, 1, &c->team));
  PetscCall(WeftTeamGetInfo(c->team, &info));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(info.space, &box, &c->grid));
  PetscCall(WeftHasKey("net_layers", &set));
  if (set) {
    WeftSpace velocity, features;
    PetscCall(WeftSpaceCreateVelocity(c->grid, 1, &velocity));
    PetscCall(WeftModelFeatureSpace(c->grid, 1, &features));
    PetscCall(WeftNetOptionsFromKeys(&layers));
    PetscCall(WeftCorrectionCreate(velocity, features, one, one, &layers, &c->net, &c->correction));
    PetscCall(WeftNetOptionsDestroy(&layers));
    PetscCall(WeftSpaceDestroy(&velocity));
    PetscCall(WeftSpaceDestroy(&features));
  }
  PetscCall(WeftModelOptionsFromKeys(&options));
  PetscCall(WeftModelCreate(c->grid, 1, &options, c->correction, PETSC_TRUE, &c->model));
  PetscCall(WeftModelOptionsDestroy(&options));
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
  static const char *const names[] = {"velocity", "smoke",  "viscosity", "diffusivity",
                                      "buoyancy", "inflow", "features",  "weights"};
  const WeftOp             step    = WeftModelStep(c->model), *ops;
  PetscInt                 calls;

  PetscFunctionBegin;
  PetscCall(WeftLog("inputs of a step"));
  for (size_t n = 0; n < PETSC_STATIC_ARRAY_LENGTH(names); n++) {
    const PetscInt at = WeftModelInput(c->model, names[n]);
    if (at < 0) continue;
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(step, at));
    if (info->kind == WEFT_NUMBERS)
      PetscCall(WeftLog("  %-12s %d number%s%s", names[n], (int)info->count, info->count > 1 ? "s" : "",
                        info->per_sample ? " per sample" : ""));
    else
      PetscCall(WeftLog("  %-12s %d field%s, %zu bytes on this rank", names[n], (int)info->fields, info->fields > 1 ? "s" : "",
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
  const WeftLayout   *l = WeftGridLayout(c->grid);
  const WeftNetArray *arrays;
  PetscInt            count, receptive;
  PetscReal           flops;

  PetscFunctionBegin;
  if (!c->net) PetscFunctionReturn(0);
  PetscCall(WeftNetArrays(c->net, &count, &arrays));
  PetscCall(WeftNetFlops(c->net, &flops));
  PetscCall(WeftNetReceptiveField(c->net, &receptive));
  PetscCall(WeftLog("net: %d parameters, a cell sees %d cells along each axis, %.3g million flops per step",
                    (int)WeftSpaceGetInfo(WeftNetParameterSpace(c->net))->count, (int)receptive,
                    1e-6 * flops * l->cells[0] * l->cells[1] * l->cells[2]));
  for (PetscInt i = 0; i < count; i++) {
    PetscInt size = 1;
    for (PetscInt s = 0; s < arrays[i].rank; s++) size *= arrays[i].shape[s];
    PetscCall(WeftLog("  %-28s %d", arrays[i].name, (int)size));
  }
  PetscCall(WeftLog("  kernels: %s", WeftKernelsName()));
  PetscFunctionReturn(0);
}

/* Messages of one step, the most of any rank: count, bytes. */
static PetscErrorCode PrintMessages(const Case *c, PetscInt64 after[2])
{
  const WeftOp step = WeftModelStep(c->model);
  WeftState    in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  PetscInt64   before[2];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) PetscCall(WeftStateCreate(WeftOpInSpace(step, i), &in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateCreate(WeftOpOutSpace(step, i), &out[i]));
  PetscCall(WeftHaloCount(&before[0], &before[1]));
  PetscCall(WeftOpApply(step, in, out, NULL));
  PetscCall(WeftGridAgree(c->grid));
  PetscCall(WeftHaloCount(&after[0], &after[1]));
  for (PetscInt k = 0; k < 2; k++) after[k] -= before[k];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, after, 2, MPIU_INT64, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(WeftLog("messages of a step: %d halo messages, %d bytes sent by a rank", (int)after[0], (int)after[1]));
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) PetscCall(WeftStateDestroy(&in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateDestroy(&out[i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Summarise(const Case *c, const PetscInt64 messages[2])
{
  char        folder[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftOutputFolder("info", folder, sizeof(folder)));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  PetscCall(WeftSummaryCreate("info", &summary));
  PetscCall(WeftSummaryInt(summary, "messages_per_step", messages[0]));
  PetscCall(WeftSummaryInt(summary, "message_bytes_per_step", messages[1]));
  PetscCall(WeftSummaryInt(summary, "record_bytes_per_step", (PetscInt64)WeftOpRecordBytes(WeftModelStep(c->model))));
  if (c->net) PetscCall(WeftSummaryInt(summary, "parameters", WeftSpaceGetInfo(WeftNetParameterSpace(c->net))->count));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInfo(void)
{
  PetscInt64  messages[2];
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
  PetscCall(PrintMemory(&c));
  PetscCall(PrintMessages(&c, messages));
  PetscCall(Summarise(&c, messages));
  PetscCall(WeftOpDestroy(&c.correction));
  PetscCall(WeftNetDestroy(&c.net));
  PetscCall(WeftModelDestroy(&c.model));
  PetscCall(WeftGridDestroy(&c.grid));
  PetscCall(WeftTeamDestroy(&c.team));
  PetscFunctionReturn(0);
}
