/* What a rank is at, and what it tells the others. A phase is a stage of PETSc, whose clocks already leave out what runs inside another
   stage; PETSc counts neither the bytes of reductions nor nonblocking ones, so messages are counted here. */
#include "base/impl.h"
#include <petsctime.h>

const char *const WeftPhaseName[WEFT_PHASES] = {"other",     "solver",    "net",       "halo",
                                                "halo wait", "transpose", "reduction", "files"};

static PetscLogStage stages[WEFT_PHASES];
static WeftCosts     total; /* since the start; its seconds are PETSc's */

PetscErrorCode WeftPhasesStart(void)
{
  PetscFunctionBegin;
  for (PetscInt p = 1; p < WEFT_PHASES; p++) PetscCall(PetscLogStageRegister(WeftPhaseName[p], &stages[p]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPhaseBegin(WeftPhase phase)
{
  PetscFunctionBegin;
  PetscCall(PetscLogStagePush(stages[phase]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPhaseEnd(WeftPhase phase)
{
  PetscFunctionBegin;
  (void)phase; /* who reads a pair of calls sees that they belong together */
  PetscCall(PetscLogStagePop());
  PetscFunctionReturn(0);
}

void WeftCostCount(WeftPhase phase, PetscInt64 messages, PetscInt64 bytes)
{
  total.messages[phase] += messages;
  total.bytes[phase] += bytes;
}

void WeftCostMessages(WeftPhase phase, PetscInt64 *messages, PetscInt64 *bytes)
{
  *messages = total.messages[phase];
  *bytes    = total.bytes[phase];
}

PetscErrorCode WeftReduce(void *values, PetscMPIInt count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  PetscMPIInt size, width;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (size == 1) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Type_size(type, &width));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_REDUCTION));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, values, count, type, op, comm));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_REDUCTION));
  WeftCostCount(WEFT_PHASE_REDUCTION, 1, (PetscInt64)count * width);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCostsNow(WeftCosts *now)
{
  PetscLogDouble time;
  PetscStageLog  log;

  PetscFunctionBegin;
  *now = total;
  PetscCall(PetscTime(&time));
  PetscCall(PetscLogGetStageLog(&log));
  now->seconds[WEFT_PHASE_OTHER] = time;
  for (PetscInt p = 1; p < WEFT_PHASES; p++) {
    now->seconds[p] = log->stageInfo[stages[p]].perfInfo.time;
    now->seconds[WEFT_PHASE_OTHER] -= now->seconds[p];
  }
  PetscFunctionReturn(0);
}
