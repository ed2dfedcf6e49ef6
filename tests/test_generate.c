/* ctest: case; ranks 3; timeout 120 */
/* The verb dataset: the same frames to the last bit from 3 ranks that share each simulation and from 3 replicas; numbers as given;
   the first frame is the restriction of a run of skip + 1 steps on the reference grid. */
#include <weft/io.h>
#include "flow.h"

#define SIMULATIONS 4 /* 3 to train, 1 to test: replicas step 2, 1 and 1 */
#define FRAMES 2

static PetscErrorCode Generate(const char *replicas, const char *folder)
{
  PetscFunctionBegin;
  PetscCall(TestSetKey("team_replicas", replicas));
  PetscCall(TestSetKey("output", folder));
  PetscCall(WeftDatasetGenerate());
  PetscFunctionReturn(0);
}

typedef struct {
  WeftDataFile file;
  WeftDataInfo info;
} Opened;

static PetscErrorCode Open(WeftSpace space, const char *folder, const char *name, Opened *o)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s.h5", folder, name));
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, path, &o->info, &o->file));
  PetscFunctionReturn(0);
}

/* Every frame of one file of both folders, and the numbers. */
static PetscErrorCode CompareFiles(WeftSpace space, const char *const folder[2], const char *name, PetscInt simulations,
                                   const PetscReal reynolds[])
{
  WeftState state[2];
  Opened    o[2];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(WeftStateCreate(space, &state[k]));
    PetscCall(Open(space, folder[k], name, &o[k]));
    TestCheck(o[k].info.simulations == simulations && o[k].info.frames == FRAMES && o[k].info.numbers == 2,
              "%s: shape of the file", name);
  }
  for (PetscInt s = 0; s < simulations; s++) {
    for (PetscInt k = 0; k < 2; k++) {
      PetscReal numbers[8];
      PetscCall(WeftDataReadNumbers(o[k].file, s, numbers));
      PetscCall(TestClose(numbers[0], reynolds[s], 0.0, "reynolds"));
      PetscCall(TestClose(numbers[1], 10.0 / reynolds[s], 1e-16, "viscosity"));
    }
    for (PetscInt n = 0; n < FRAMES; n++) {
      PetscReal difference, size;
      for (PetscInt k = 0; k < 2; k++) PetscCall(WeftDataRead(o[k].file, s, n, state[k], 0));
      PetscCall(WeftStateNorm(state[0], NORM_2, &size));
      TestCheck(size > 1.0, "%s: frame %" PetscInt_FMT " of simulation %" PetscInt_FMT " is empty", name, n, s);
      PetscCall(WeftStateAXPY(state[1], -1.0, state[0]));
      PetscCall(WeftStateNorm(state[1], NORM_INFINITY, &difference));
      PetscCall(TestClose(difference, 0.0, 0.0, "frames of two layouts"));
    }
  }
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(WeftDataDestroy(&o[k].file));
    PetscCall(WeftStateDestroy(&state[k]));
  }
  PetscFunctionReturn(0);
}

/* Simulation 0 by hand: skip + 1 = 3 steps on the reference grid, restricted. The file holds single precision. */
static PetscErrorCode CompareRun(const char *folder)
{
  WeftState       restricted, stored;
  PetscReal       difference;
  WeftSpace       space;
  WeftGrid        coarse;
  WeftOp          op;
  Opened          o;
  Flow            f;
  WeftGridOptions box;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &coarse));
  PetscCall(WeftSpaceCreateVelocity(coarse, 1, &space));
  PetscCall(TestSetKey("grid_cells", "64;128"));
  PetscCall(TestSetKey("grid_granularity", "8"));
  PetscCall(TestSetKey("model_viscosity_scaling", "physical"));
  PetscCall(TestSetKey("model_reynolds", "100"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 3));
  PetscCall(WeftOpCreateRestrict(WeftModelStateSpace(f.model, 0), space, &op));
  PetscCall(WeftStateCreate(space, &restricted));
  PetscCall(WeftStateCreate(space, &stored));
  PetscCall(WeftOpApply(op, f.in, &restricted, NULL));
  PetscCall(Open(space, folder, "train", &o));
  PetscCall(WeftDataRead(o.file, 0, 0, stored, 0));
  PetscCall(WeftStateAXPY(stored, -1.0, restricted));
  PetscCall(WeftStateNorm(stored, NORM_INFINITY, &difference));
  PetscCall(TestClose(difference, 0.0, 2e-7, "first frame against a run by hand"));
  PetscCall(WeftDataDestroy(&o.file));
  PetscCall(WeftStateDestroy(&restricted));
  PetscCall(WeftStateDestroy(&stored));
  PetscCall(WeftOpDestroy(&op));
  PetscCall(FlowDestroy(&f));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&coarse));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const PetscReal train[] = {100.0, 200.0, 400.0}, test[] = {150.0};
  const char *const      folder[] = {"generate_space", "generate_replicas"}; /* in the folder of the tests */
  WeftGridOptions        box;
  WeftSpace              space;
  WeftGrid               grid;

  PetscFunctionBegin;
  PetscCall(FlowCase("wake/wake.yaml"));
  PetscCall(TestSetKey("dataset_reynolds", "100;200;400"));
  PetscCall(TestSetKey("dataset_test_reynolds", "150"));
  PetscCall(TestSetKey("dataset_refine", "2"));
  PetscCall(TestSetKey("dataset_skip", "2"));
  PetscCall(TestSetKey("dataset_frames", "2"));
  PetscCall(Generate("1", folder[0]));
  PetscCall(Generate("3", folder[1]));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 1, &space));
  PetscCall(CompareFiles(space, folder, "train", 3, train));
  PetscCall(CompareFiles(space, folder, "test", 1, test));
  PetscCall(CompareRun(folder[0]));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
