/* ctest: case; ranks 4; timeout 120 */
/* The wake after 200 steps is the same to the last bit on 1, 2, 3 and 4 ranks and on every process grid of 4; on the reference
   grid after 20; and a sphere in three dimensions after 20. Communicators of the first n ranks play one after another; rank 0 compares. */
#include <weft/io.h>
#include "flow.h"

typedef struct {
  PetscMPIInt ranks;
  const char *grid; /* process grid */
} Layout;
static const Layout flat[]  = {{1, "1;1"}, {2, "1;2"}, {2, "2;1"}, {3, "1;3"}, {4, "1;4"}, {4, "2;2"}, {4, "4;1"}};
static const Layout solid[] = {{1, "1;1;1"}, {2, "1;1;2"}, {2, "2;1;1"}, {3, "1;3;1"},
                               {4, "1;2;2"}, {4, "2;2;1"}, {4, "1;4;1"}};

/* The fields of the newest states after `steps`, one after another, on rank 0. */
static PetscErrorCode Play(MPI_Comm comm, PetscInt steps, size_t *bytes, char **all)
{
  Flow f;

  PetscFunctionBegin;
  *bytes = 0;
  *all   = NULL;
  PetscCall(FlowCreate(comm, &f));
  PetscCall(FlowPlay(&f, steps));
  for (PetscInt s = 0; s < WeftModelStates(f.model); s++) {
    for (PetscInt c = 0; c < WeftSpaceGetInfo(WeftStateSpace(f.in[s]))->fields; c++) {
      PetscInt shape[3];
      double  *values;
      size_t   size;
      PetscCall(WeftStateGather(f.in[s], c, 0, shape, &values));
      size = sizeof(double) * (size_t)(shape[0] * shape[1] * shape[2]);
      PetscCall(PetscRealloc(*bytes + size, all));
      PetscCall(PetscMemcpy(*all + *bytes, values, size));
      *bytes += size;
      PetscCall(PetscFree(values));
    }
  }
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode Compare(const char *cells, PetscInt count, const Layout layouts[], PetscInt steps)
{
  char       *reference = NULL;
  size_t      expected  = 0;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(TestSetKey("grid_cells", cells));
  for (PetscInt i = 0; i < count; i++) {
    size_t   bytes = 0;
    char    *all   = NULL;
    MPI_Comm comm;
    PetscCall(TestSetKey("grid_ranks", layouts[i].grid));
    PetscCall(TestSetKey("grid_overlap", i % 2 ? "always" : "never"));
    PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, rank < layouts[i].ranks ? 0 : MPI_UNDEFINED, rank, &comm));
    if (comm != MPI_COMM_NULL) {
      PetscCall(Play(comm, steps, &bytes, &all));
      PetscCallMPI(MPI_Comm_free(&comm));
    }
    if (rank == 0 && i == 0) {
      reference = all;
      expected  = bytes;
    } else {
      TestCheck(rank || (bytes == expected && !memcmp(all, reference, bytes)),
                "%s cells: layout %s differs from one rank after %" PetscInt_FMT " steps", cells, layouts[i].grid, steps);
      PetscCall(PetscFree(all));
    }
  }
  PetscCall(PetscFree(reference));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(FlowCase("wake/simulate.yaml"));
  PetscCall(TestSetKey("model_reynolds", "1171.875"));
  PetscCall(Compare("32;64", PETSC_STATIC_ARRAY_LENGTH(flat), flat, 200));
  PetscCall(Compare("128;256", PETSC_STATIC_ARRAY_LENGTH(flat), flat, 20));
  PetscCall(FlowSphere());
  PetscCall(Compare("16;32;16", PETSC_STATIC_ARRAY_LENGTH(solid), solid, 20));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
