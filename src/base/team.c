/* The world as replicas x space. */
#include "base/impl.h"

struct _n_WeftTeam {
  WeftTeamInfo info;
};

/* A batch takes as long as its busiest replica: ceil(batch / R) samples on size / R ranks. Ties go to more replicas: fewer ranks
   share a domain, so less is exchanged. */
PetscInt WeftTeamChoose(PetscInt size, PetscInt batch)
{
  PetscInt best = 1;
  for (PetscInt replicas = 2; replicas <= size; replicas++) {
    if (size % replicas) continue;
    if ((batch + replicas - 1) / replicas * replicas <= (batch + best - 1) / best * best) best = replicas;
  }
  return best;
}

PetscErrorCode WeftTeamCreate(PetscInt batch, PetscInt replicas, WeftTeam *team)
{
  PetscMPIInt   rank, size, space_rank;
  PetscInt      given;
  WeftTeamInfo *info;

  PetscFunctionBegin;
  WeftCheck(batch >= 1, PETSC_COMM_WORLD, "a batch of %" PetscInt_FMT " samples; it needs at least 1", batch);
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftGetInt("team_replicas", &given));
  if (given < 0 || (given > 0 && size % given)) return WeftFailKey(PETSC_COMM_WORLD, "team_replicas", "does not divide the %d ranks; use a divisor, or 0 to have it chosen", (int)size);
  if (given > 0) replicas = given;
  if (replicas == 0) replicas = WeftTeamChoose(size, batch);
  WeftCheck(replicas > 0 && size % replicas == 0, PETSC_COMM_WORLD, "%" PetscInt_FMT " replicas do not divide the %d ranks", replicas, (int)size);
  PetscCall(PetscNew(team));
  info             = &(*team)->info;
  info->world      = PETSC_COMM_WORLD;
  info->replicas   = replicas;
  info->space_size = size / replicas;
  info->replica    = rank / info->space_size;
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, (PetscMPIInt)info->replica, rank, &info->space));
  PetscCallMPI(MPI_Comm_rank(info->space, &space_rank));
  info->space_rank = space_rank;
  if (info->replica) PetscCall(WeftDropMonitors());
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTeamGetInfo(WeftTeam team, WeftTeamInfo *info)
{
  PetscFunctionBegin;
  *info = team->info;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTeamShare(WeftTeam team, PetscInt batch, PetscInt *first, PetscInt *count)
{
  const PetscInt each = batch / team->info.replicas, more = batch % team->info.replicas, replica = team->info.replica;

  PetscFunctionBegin;
  *first = replica * each + PetscMin(replica, more);
  *count = each + (replica < more ? 1 : 0);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTeamDestroy(WeftTeam *team)
{
  PetscFunctionBegin;
  if (!*team) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_free(&(*team)->info.space));
  PetscCall(PetscFree(*team));
  PetscFunctionReturn(0);
}
