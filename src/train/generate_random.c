/* The verb dataset without a simulation: every frame a random smooth velocity of its own. */
#include "train/flow.h"

PetscErrorCode WeftDatasetRandom(void)
{
  WeftDataInfo    info = {.simulations = 1};
  char            folder[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];
  WeftGridOptions box;
  WeftTeamInfo    members;
  WeftDataFile    file;
  WeftSummary     summary;
  WeftSpace       velocity;
  WeftState       state;
  PetscInt        seed;
  WeftGrid        grid;
  WeftTeam        team;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("dataset_frames", &info.frames));
  PetscCall(WeftGetInt("seed", &seed));
  if (info.frames < 1) return WeftFailKey(PETSC_COMM_WORLD, "dataset_frames", "at least 1 frame is needed");
  PetscCall(WeftTeamCreate(1, 1, &team));
  PetscCall(WeftTeamGetInfo(team, &members));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(members.space, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &velocity));
  PetscCall(WeftStateCreate(velocity, &state));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("dataset", folder, sizeof(folder)));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/train.h5", folder));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, velocity, path, &info, &file));
  for (PetscInt f = 0; f < info.frames; f++) {
    PetscCall(WeftRandomFields(state, seed, f));
    PetscCall(WeftDataWrite(file, 0, f, state, 0));
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftSummaryCreate("dataset", &summary));
  PetscCall(WeftSummaryInt(summary, "frames", info.frames));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(WeftLog("%d random velocities in %s", (int)info.frames, folder));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftGridDestroy(&grid));
  PetscCall(WeftTeamDestroy(&team));
  PetscFunctionReturn(0);
}
