/* Start and end. */
#include "base/impl.h"
#include <petsctime.h>
#include <stdlib.h>

static char     **petsc_argv;
static int        petsc_argc;
const char       *WeftHelpText = "";

/* Errors of the user were told already; everything else gets PETSc's traceback. PetscCall comes here again on the way up. */
static PetscErrorCode HandleError(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType kind, const char *message, void *context)
{
  if (code == WEFT_ERR_USER) return code;
  return PetscTraceBackErrorHandler(comm, line, function, file, code, kind, message, context);
}

/* PETSc's share of the command line. Weft keeps its own keys in a table, with their origin. */
static int SplitArguments(int argc, char **argv)
{
  petsc_argv = malloc(sizeof(*petsc_argv) * ((size_t)argc + 1));
  if (!petsc_argv) return 1;
  petsc_argc = 0;
  for (int i = 0; i < argc; i++) {
    const char *key;
    if (i == 0) petsc_argv[petsc_argc++] = argv[0];
    else if (WeftIsKey(argv[i], &key)) {
      const PetscBool mine = WeftKeyOwner(key) == WEFT_OWNER_WEFT ? PETSC_TRUE : PETSC_FALSE; /* a program's own keys are PETSc's to read */
      if (!mine) petsc_argv[petsc_argc++] = argv[i];
      if (i + 1 < argc && !WeftIsKey(argv[i + 1], &key)) {
        i++;
        if (!mine) petsc_argv[petsc_argc++] = argv[i];
      }
    }
  }
  petsc_argv[petsc_argc] = NULL;
  return 0;
}

PetscLogDouble WeftStartTime;

static PetscMPIInt node_ranks = 1;

int WeftNodeRanks(void) { return node_ranks; }

static PetscErrorCode CountNode(void)
{
  MPI_Comm node;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_split_type(PETSC_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PetscCallMPI(MPI_Comm_size(node, &node_ranks));
  PetscCallMPI(MPI_Comm_free(&node));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInitialize(int *argc, char ***argv, const char *help)
{
  PetscErrorCode ierr;
  PetscBool      set;

  WeftBlisChoose();
  if (SplitArguments(*argc, *argv)) return PETSC_ERR_MEM;
  if (help) WeftHelpText = help;
  ierr = PetscInitialize(&petsc_argc, &petsc_argv, NULL, NULL);
  if (ierr) return ierr;
  PetscFunctionBegin;
  PetscCall(PetscTime(&WeftStartTime));
  PetscCall(PetscPushErrorHandler(HandleError, NULL));
  PetscCall(CountNode());
  PetscCall(WeftPrepareUntold());
  PetscCall(WeftPhasesStart());
  WeftBlisStart();
  PetscCall(WeftCommandLineRead(*argc, *argv));
  /* unused keys are found by WeftCheckUnusedOptions, before the first step, not listed at the end */
  PetscCall(PetscOptionsHasName(NULL, NULL, "-options_left", &set));
  if (!set) {
    PetscCall(PetscOptionsSetValue(NULL, "-options_left", "no"));
    PetscCall(PetscOptionsHasName(NULL, NULL, "-options_left", &set)); /* counts as used: no word of it in a traceback */
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFinalize(void)
{
  PetscErrorCode ierr;

  PetscCall(WeftTellUntold());
  PetscCall(WeftTableDestroy());
  WeftBlisEnd();
  PetscCall(PetscPopErrorHandler());
  ierr = PetscFinalize();
  free(petsc_argv);
  petsc_argv = NULL;
  return ierr;
}
