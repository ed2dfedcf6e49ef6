/* ctest: unit; ranks 1 2 4; timeout 30 */
/* Layouts that teams choose; shares of a batch; monitors only on the first replica. */
#include "base/impl.h"
#include "support.h"

static PetscErrorCode Choices(void)
{
  const PetscInt table[][3] = { /* ranks, batch, replicas */
    {1, 3, 1}, {2, 3, 1}, {2, 4, 2}, {6, 3, 3}, {4, 4, 4}, {4, 3, 1}, {4, 6, 2}, {8, 1, 1}, {8, 2, 2}, {3, 5, 1}, {12, 8, 4}};

  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    const PetscInt replicas = WeftTeamChoose(table[i][0], table[i][1]);
    TestCheck(replicas == table[i][2], "batch %d on %d ranks: %d replicas, expected %d", (int)table[i][1], (int)table[i][0], (int)replicas, (int)table[i][2]);
  }
  PetscFunctionReturn(0);
}

/* Shares are contiguous, complete, and differ by at most one; also with fewer samples than replicas. */
static PetscErrorCode Shares(PetscInt replicas)
{
  WeftTeam     team;
  WeftTeamInfo info;
  PetscMPIInt  rank, size, space_size, space_rank;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(4, replicas, &team));
  PetscCall(WeftTeamGetInfo(team, &info));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_size(info.space, &space_size));
  PetscCallMPI(MPI_Comm_rank(info.space, &space_rank));
  TestCheck(info.replicas == replicas && info.space_size == space_size && info.space_rank == space_rank, "the team says something else than its communicator");
  TestCheck(rank == info.replica * info.space_size + info.space_rank, "rank %d is replica %d, place %d", rank, (int)info.replica, (int)info.space_rank);
  for (PetscInt batch = 0; batch < 9; batch++) {
    PetscInt first, count, all[2], most, least;
    PetscCall(WeftTeamShare(team, batch, &first, &count));
    PetscCallMPI(MPI_Allreduce(&count, &most, 1, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
    PetscCallMPI(MPI_Allreduce(&count, &least, 1, MPIU_INT, MPI_MIN, PETSC_COMM_WORLD));
    all[0] = info.space_rank ? 0 : count;
    PetscCallMPI(MPI_Allreduce(all, &all[1], 1, MPIU_INT, MPI_SUM, PETSC_COMM_WORLD));
    TestCheck(most - least <= 1 && all[1] == batch, "batch %d is shared as %d to %d, %d in all", (int)batch, (int)least, (int)most, (int)all[1]);
    all[0] = info.space_rank ? 0 : count; /* where the next replica begins */
    PetscCallMPI(MPI_Scan(all, &all[1], 1, MPIU_INT, MPI_SUM, PETSC_COMM_WORLD));
    TestCheck(first + count == all[1], "replica %d begins at %d, expected %d", (int)info.replica, (int)first, (int)(all[1] - count));
  }
  PetscCall(WeftTeamDestroy(&team));
  TestCheck(!team, "a destroyed handle is NULL");
  PetscFunctionReturn(0);
}

static PetscErrorCode Monitors(PetscMPIInt size)
{
  char        *items[] = {(char *)"1e-8"}, *none[] = {(char *)"true"};
  WeftEntry    monitor = {(char *)"pressure_ksp_monitor", (char *)"test", PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, 1, none};
  WeftEntry    rtol    = {(char *)"pressure_ksp_rtol", (char *)"test", PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, 1, items};
  WeftTeam     team;
  WeftTeamInfo info;
  PetscBool    there, kept;

  PetscFunctionBegin;
  PetscCall(WeftTableSet(&monitor));
  PetscCall(WeftTableSet(&rtol));
  PetscCall(WeftTableToPetsc());
  PetscCall(WeftTeamCreate(size, size, &team));
  PetscCall(WeftTeamGetInfo(team, &info));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-pressure_ksp_monitor", &there));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-pressure_ksp_rtol", &kept));
  TestCheck(there == (info.replica == 0), "replica %d %s the monitor", (int)info.replica, there ? "has" : "lost");
  TestCheck(kept, "a tolerance was dropped with the monitors");
  PetscCall(WeftTeamDestroy(&team));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscMPIInt  size;
  WeftTeam     team;
  WeftTeamInfo info;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(Choices());
  for (PetscInt replicas = 1; replicas <= size; replicas *= 2) PetscCall(Shares(replicas));
  TestFails(WeftTeamCreate(4, size + 1, &team), "do not divide");
  PetscCall(TestSetKey("team_replicas", "3"));
  TestFails(WeftTeamCreate(4, 0, &team), "test: team_replicas = 3: does not divide");
  PetscCall(TestSetKey("team_replicas", "1"));
  PetscCall(WeftTeamCreate(4, 0, &team));
  PetscCall(WeftTeamGetInfo(team, &info));
  TestCheck(info.replicas == 1, "team_replicas was not heeded");
  PetscCall(WeftTeamDestroy(&team));
  PetscCall(TestSetKey("team_replicas", "0"));
  PetscCall(Monitors(size));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
