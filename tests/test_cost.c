/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Counts of messages and bytes. Of a Poisson solve on N cells and P ranks, by hand: its transposes go there and back, each rank
   keeps 1 / P of its N / P values and sends P - 1 messages with the rest. Of halos and reductions: PETSc's own counts, which it
   keeps per stage from its wrappers around MPI (a message counts there when it is sent and when it is received). Phases have the
   names of PETSc's stages, and one within another leaves its time out of the outer one. */
#include <weft/solve.h>
#include "base/impl.h"
#include "support.h"

static PetscErrorCode CreateGrid(PetscInt cells, WeftGrid *grid)
{
  WeftGridOptions options;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim = 2;
  for (PetscInt a = 0; a < 2; a++) {
    options.cells[a] = cells;
    options.upper[a] = (PetscReal)cells;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, grid));
  PetscFunctionReturn(0);
}

typedef struct {
  PetscInt64 messages, bytes;
} Counts;

static Counts Count(WeftPhase phase, const Counts *before)
{
  Counts now;
  WeftCostMessages(phase, &now.messages, &now.bytes);
  if (before) {
    now.messages -= before->messages;
    now.bytes -= before->bytes;
  }
  return now;
}

static PetscErrorCode Stage(const char *name, PetscEventPerfInfo *info)
{
  PetscStageLog log;
  PetscLogStage stage;

  PetscFunctionBegin;
  PetscCall(PetscLogStageGetId(name, &stage));
  TestCheck(stage >= 0, "there is no stage '%s'", name);
  PetscCall(PetscLogGetStageLog(&log));
  *info = log->stageInfo[stage].perfInfo;
  PetscFunctionReturn(0);
}

static PetscErrorCode Transposes(WeftGrid grid)
{
  const char *const  name[]     = {"p"};
  const WeftLocation location[] = {WEFT_CELL};
  const PetscInt     batch      = 3;
  const WeftLayout  *l          = WeftGridLayout(grid);
  PetscMPIInt        size;
  PetscInt64         values;
  WeftSpace          space;
  WeftState          b, x;
  WeftPoisson        poisson;
  Counts             before, counts;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftSpaceCreatePlanes(grid, batch, 1, name, location, &space));
  PetscCall(WeftStateCreate(space, &b));
  PetscCall(WeftStateCreate(space, &x));
  PetscCall(WeftStateSetRandom(b, 1, 0, 0.0, 1.0));
  PetscCall(WeftPoissonCreate(grid, batch, NULL, &poisson));
  before = Count(WEFT_PHASE_TRANSPOSE, NULL);
  PetscCall(WeftPoissonSolve(poisson, b, x));
  counts = Count(WEFT_PHASE_TRANSPOSE, &before);
  values = (PetscInt64)batch * l->cells[0] * l->cells[1] / size;
  TestCheck(counts.messages == 2 * (size - 1), "%d transpose messages of a solve on %d ranks", (int)counts.messages, size);
  TestCheck(counts.bytes == 2 * 8 * values / size * (size - 1), "%d bytes of transposes on %d ranks", (int)counts.bytes, size);
  PetscCall(WeftPoissonDestroy(&poisson));
  PetscCall(WeftStateDestroy(&b));
  PetscCall(WeftStateDestroy(&x));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode AgainstPetsc(WeftGrid grid)
{
  WeftSpace          space;
  WeftState          u;
  PetscReal          norm;
  PetscEventPerfInfo stage;
  Counts             halo, reductions;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateVelocity(grid, 2, &space));
  PetscCall(WeftStateCreate(space, &u));
  for (PetscInt n = 1; n < 4; n++) {
    PetscCall(WeftStateSetRandom(u, n, 0, 0.0, 1.0));
    PetscCall(WeftStateHalo(u, n, WEFT_GHOST_VALUE));
    PetscCall(WeftStateNorm(u, NORM_2, &norm));
  }
  halo       = Count(WEFT_PHASE_HALO, NULL);
  reductions = Count(WEFT_PHASE_REDUCTION, NULL);
  PetscCall(Stage("halo", &stage)); /* messages leave in this stage, and arrive in it as far as PETSc counts */
  TestCheck(stage.numMessages == 2.0 * (double)halo.messages, "%g messages by PETSc, sent and received, %d sent by our count", stage.numMessages, (int)halo.messages);
  TestCheck(stage.messageLength == 2.0 * (double)halo.bytes, "%g bytes by PETSc, %d by our count", stage.messageLength, (int)halo.bytes);
  PetscCall(Stage("reduction", &stage));
  TestCheck(stage.numReductions == (double)reductions.messages, "%g reductions by PETSc, %d by our count", stage.numReductions, (int)reductions.messages);
  PetscCall(WeftStateDestroy(&u));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

static PetscErrorCode Reduction(void)
{
  const Counts before = Count(WEFT_PHASE_REDUCTION, NULL);
  double       values[3];
  PetscMPIInt  rank, size;
  Counts       counts;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (PetscInt i = 0; i < 3; i++) values[i] = (double)(i * size + rank);
  PetscCall(WeftReduce(values, 3, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < 3; i++) TestCheck(values[i] == (double)(size * (size * i) + size * (size - 1) / 2), "sum %d is %g", (int)i, values[i]);
  counts = Count(WEFT_PHASE_REDUCTION, &before);
  TestCheck(counts.messages == (size > 1) && counts.bytes == (size > 1 ? 24 : 0), "%d reductions of %d bytes", (int)counts.messages, (int)counts.bytes);
  PetscFunctionReturn(0);
}

/* The work is all in the inner phase: the outer one has the least of the two, however busy the machine; PETSc's clocks agree. */
static PetscErrorCode Nested(void)
{
  const double       begin = MPI_Wtime(), before[2] = {WeftCostsNow().seconds[WEFT_PHASE_SOLVER], WeftCostsNow().seconds[WEFT_PHASE_NET]};
  PetscEventPerfInfo outer, inner;
  double             seconds[2];

  PetscFunctionBegin;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_SOLVER));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_NET));
  while (MPI_Wtime() - begin < 0.02) continue;
  PetscCall(WeftPhaseEnd(WEFT_PHASE_NET));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_SOLVER));
  PetscCall(Stage("solver", &outer));
  PetscCall(Stage("net", &inner));
  TestCheck(inner.time >= 0.0199 && outer.time < inner.time, "%g s in the inner phase, %g s in the outer one", inner.time, outer.time);
  TestCheck(inner.time + outer.time <= MPI_Wtime() - begin, "phases take longer than the clock says");
  seconds[0] = WeftCostsNow().seconds[WEFT_PHASE_SOLVER] - before[0];
  seconds[1] = WeftCostsNow().seconds[WEFT_PHASE_NET] - before[1];
  TestCheck(seconds[1] >= 0.0199 && seconds[0] < seconds[1] && seconds[0] + seconds[1] <= MPI_Wtime() - begin, "%g s in the inner phase, %g s in the outer one by our clock", seconds[1], seconds[0]);
  PetscFunctionReturn(0);
}

/* An error that is caught leaves a phase open; the phase around it ends it, and what comes after is not in it. */
static PetscErrorCode LeftOpen(void)
{
  double before;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < 100; n++) {
    PetscCall(WeftPhaseBegin(WEFT_PHASE_SOLVER));
    PetscCall(WeftPhaseBegin(WEFT_PHASE_HALO));
    PetscCall(WeftPhaseEnd(WEFT_PHASE_SOLVER));
  }
  before = WeftCostsNow().seconds[WEFT_PHASE_SOLVER] + WeftCostsNow().seconds[WEFT_PHASE_HALO];
  for (const double begin = MPI_Wtime(); MPI_Wtime() - begin < 0.001;) continue;
  TestCheck(WeftCostsNow().seconds[WEFT_PHASE_SOLVER] + WeftCostsNow().seconds[WEFT_PHASE_HALO] == before, "a phase is open after its end");
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftGrid grid;

  PetscFunctionBegin;
  PetscCall(PetscLogDefaultBegin()); /* phases are stages from here on */
  PetscCall(CreateGrid(32, &grid));
  PetscCall(AgainstPetsc(grid));
  PetscCall(Transposes(grid));
  PetscCall(Reduction());
  PetscCall(Nested());
  PetscCall(LeftOpen());
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
