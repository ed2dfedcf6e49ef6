/* What a rank is at, and what it tells the others. The clock is read once where a phase begins and once where it ends: a small step has
   twenty phases in a tenth of a millisecond, and a stage of PETSc reads it four times. With PETSc's log on, a phase is a stage as well.
   PETSc counts neither the bytes of reductions nor nonblocking ones, so messages are counted here. */
#include "base/impl.h"
#include <petsctime.h>

const char *const WeftPhaseName[WEFT_PHASES] = {"other",     "solver",    "net",       "halo",
                                                "halo wait", "transpose", "reduction", "files"};

#define DEPTH 64 /* phases within one another */

static PetscLogStage  stages[WEFT_PHASES];
static WeftCosts      total; /* since the start */
static WeftPhase      open[DEPTH] = {WEFT_PHASE_OTHER};
static PetscInt       innermost; /* place in `open` */
static PetscLogDouble since;     /* when the phase that runs began to */

PetscErrorCode WeftPhasesStart(void)
{
  PetscFunctionBegin;
  since = WeftStartTime;
  for (PetscInt p = 1; p < WEFT_PHASES; p++) PetscCall(PetscLogStageRegister(WeftPhaseName[p], &stages[p]));
  PetscFunctionReturn(0);
}

static void Clock(void)
{
  PetscLogDouble now;

  (void)PetscTime(&now); /* cannot fail */
  total.seconds[open[innermost]] += now - since;
  since = now;
}

PetscErrorCode WeftPhaseBegin(WeftPhase phase)
{
  PetscFunctionBegin;
  Clock();
  if (innermost + 1 < DEPTH) innermost++; /* errors that were caught left so many open: the last place is enough */
  open[innermost] = phase;
  if (PetscLogPLB) PetscCall(PetscLogStagePush(stages[phase]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPhaseEnd(WeftPhase phase)
{
  PetscFunctionBegin;
  Clock();
  for (PetscBool found = PETSC_FALSE; innermost && !found; innermost--) { /* with those within it that an error left open */
    found = open[innermost] == phase ? PETSC_TRUE : PETSC_FALSE;
    if (PetscLogPLB) PetscCall(PetscLogStagePop());
  }
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

WeftCosts WeftCostsNow(void)
{
  Clock();
  return total;
}
