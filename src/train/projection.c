/* A net that stands for the pressure solver, compared with the solver step by step. */
#include <stdio.h>
#include "train/flow.h"
#include "train/projection.h"

enum { BEFORE, NET, SOLVER, WAYS };
static const char *const ways[] = {"before", "net", "solver"};

struct _n_WeftProjection {
  WeftSpace velocity;
  WeftState open, faces; /* NULL: without obstacles */
  WeftOp    project, divergence;
  WeftState met, made, solved[2], cells; /* what the net met and made; the solver's velocity and pressure */
  PetscInt  steps;
  PetscReal rms[WAYS], largest[WAYS], mean[WAYS], worst[WAYS]; /* of a step; means over the steps, largest of all */
  double    seconds[WAYS];
  FILE     *table; /* rank 0 */
};

PetscErrorCode WeftProjectionCreate(WeftModel model, const char *folder, WeftProjection *projection)
{
  const WeftSpace      velocity = WeftModelStateSpace(model, 0);
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(velocity);
  char                 path[PETSC_MAX_PATH_LEN];
  WeftProjection       p;
  WeftSpace            cells;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  p->velocity = velocity;
  PetscCall(WeftObstacleFromKeys(info->grid, &p->open, &p->faces));
  PetscCall(WeftOpCreateProject(velocity, p->open, &p->project));
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, 1, (const char *[]){"divergence"}, (WeftLocation[]){WEFT_CELL}, &cells));
  PetscCall(WeftOpCreateDivergence(velocity, cells, &p->divergence));
  PetscCall(WeftStateCreate(cells, &p->cells));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscCall(WeftStateCreate(velocity, &p->met));
  PetscCall(WeftStateCreate(velocity, &p->made));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateCreate(WeftOpOutSpace(p->project, i), &p->solved[i]));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/projection.csv", folder));
  PetscCall(WeftTableOpen(path, "step,before_rms,net_rms,solver_rms,before_max,net_max,solver_max,net_seconds,solver_seconds", 0, &p->table));
  *projection = p;
  PetscFunctionReturn(0);
}

/* Root mean square and largest value of the divergence over open cells. */
static PetscErrorCode Measure(WeftProjection p, WeftState velocity, PetscInt way)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(p->velocity);
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscReal            sums[2] = {0.0, 0.0}, largest = 0.0;

  PetscFunctionBegin;
  PetscCall(WeftOpApply(p->divergence, &velocity, &p->cells, NULL));
  for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++) {
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
        const PetscInt  at    = WeftLayoutIndex(l, i, j, k);
        const PetscReal open  = p->open ? WeftStatePlane(p->open, 0, 0)[at] : 1.0;
        const PetscReal value = open * WeftStatePlane(p->cells, 0, 0)[at];
        sums[0] += value * value;
        sums[1] += open;
        largest = PetscMax(largest, PetscAbsReal(value));
      }
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPIU_REAL, MPI_SUM, info->comm));
  PetscCallMPI(MPI_Allreduce(&largest, &p->largest[way], 1, MPIU_REAL, MPI_MAX, info->comm));
  p->rms[way] = PetscSqrtReal(sums[0] / sums[1]);
  p->mean[way] += p->rms[way];
  p->worst[way] = PetscMax(p->worst[way], p->largest[way]);
  PetscFunctionReturn(0);
}

/* The net is applied once more by itself, for its time. */
static PetscErrorCode Watch(WeftOp call, const WeftState in[], const WeftState out[], void *context)
{
  WeftProjection p = (WeftProjection)context;
  PetscBool      net;
  double         begin;

  PetscFunctionBegin;
  (void)out;
  PetscCall(PetscStrcmp(WeftOpName(call), "correction", &net));
  if (!net) PetscFunctionReturn(0);
  PetscCall(WeftStateCopy(in[0], p->met));
  begin = MPI_Wtime();
  PetscCall(WeftOpApply(call, in, &p->made, NULL));
  p->seconds[NET] += MPI_Wtime() - begin;
  begin = MPI_Wtime();
  PetscCall(WeftOpApply(p->project, &p->met, p->solved, NULL));
  p->seconds[SOLVER] += MPI_Wtime() - begin;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProjectionStep(WeftProjection p, PetscInt n, WeftOp step, const WeftState in[], const WeftState out[])
{
  double before[WAYS];

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(before, p->seconds, WAYS));
  PetscCall(WeftOpWatch(step, in, out, Watch, p));
  PetscCall(Measure(p, p->met, BEFORE));
  PetscCall(Measure(p, out[0], NET));
  PetscCall(Measure(p, p->solved[0], SOLVER));
  p->steps++;
  if (p->table)
    fprintf(p->table, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%.6g,%.6g\n", (int)n, p->rms[BEFORE], p->rms[NET], p->rms[SOLVER], p->largest[BEFORE],
            p->largest[NET], p->largest[SOLVER], p->seconds[NET] - before[NET], p->seconds[SOLVER] - before[SOLVER]);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProjectionReport(WeftProjection p, WeftSummary summary)
{
  PetscFunctionBegin;
  PetscCall(WeftLog("divergence over %d steps   root mean square    largest    seconds a step", (int)p->steps));
  for (PetscInt w = 0; w < WAYS; w++) {
    char key[64];
    PetscCall(WeftLog("  %-22s %18.4g %10.4g %16.3g", ways[w], p->mean[w] / (double)p->steps, p->worst[w], p->seconds[w] / (double)p->steps));
    PetscCall(PetscSNPrintf(key, sizeof(key), "projection/%s/divergence_rms", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, p->mean[w] / (double)p->steps));
    PetscCall(PetscSNPrintf(key, sizeof(key), "projection/%s/divergence_max", ways[w]));
    PetscCall(WeftSummaryReal(summary, key, p->worst[w]));
    PetscCall(PetscSNPrintf(key, sizeof(key), "projection/%s/seconds_per_step", ways[w]));
    if (w != BEFORE) PetscCall(WeftSummaryReal(summary, key, p->seconds[w] / (double)p->steps));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftProjectionDestroy(WeftProjection *projection)
{
  WeftProjection p = *projection;

  PetscFunctionBegin;
  *projection = NULL;
  if (!p) PetscFunctionReturn(0);
  PetscCall(WeftOpDestroy(&p->project));
  PetscCall(WeftOpDestroy(&p->divergence));
  PetscCall(WeftStateDestroy(&p->open));
  PetscCall(WeftStateDestroy(&p->faces));
  PetscCall(WeftStateDestroy(&p->met));
  PetscCall(WeftStateDestroy(&p->made));
  PetscCall(WeftStateDestroy(&p->cells));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&p->solved[i]));
  if (p->table) fclose(p->table);
  PetscCall(PetscFree(p));
  PetscFunctionReturn(0);
}
