/* weft VERB CASE [-key value ...]: picks the verb, reads the case file, checks the keys, runs. */
#include "apps.h"
#include <stdio.h>
#include <string.h>

typedef struct {
  const char *name;
  PetscErrorCode (*run)(void);
  const char *example, *help;
} Verb;

static const Verb verbs[] = {
#define WEFT_VERB(name, function, example, help) {#name, function, example, help},
#include "verbs.h"
#undef WEFT_VERB
};

static PetscErrorCode Usage(void)
{
  PetscFunctionBegin;
  PetscCall(WeftLog("usage: weft VERB CASE.yaml [-key value ...]      (several ranks: mpirun -n N weft ...)\n\nverbs:"));
  for (size_t v = 0; v < PETSC_STATIC_ARRAY_LENGTH(verbs); v++) PetscCall(WeftLog("  %-9s %s", verbs[v].name, verbs[v].help));
  PetscCall(WeftLog("\nweft VERB -help lists every key. A key of a case file, as  grid: {cells: [32, 64]},  is -grid_cells "
                    "32,64 here; the command line wins."));
  PetscFunctionReturn(0);
}

static const Verb *FindVerb(const char *name)
{
  for (size_t v = 0; v < PETSC_STATIC_ARRAY_LENGTH(verbs); v++)
    if (!strcmp(verbs[v].name, name)) return &verbs[v];
  return NULL;
}

/* verb, path: the first two arguments, NULL where missing. */
static PetscErrorCode Run(const char *name, const char *path)
{
  PetscBool   help;
  const Verb *verb = name ? FindVerb(name) : NULL;

  PetscFunctionBegin;
  PetscCall(WeftGetBool("help", &help));
  if (help) {
    PetscCall(Usage());
    PetscCall(WeftLog("\nkeys:"));
    PetscCall(WeftPrintKeys());
    PetscFunctionReturn(0);
  }
  if (!verb) {
    PetscCall(Usage());
    return name ? WeftFail(PETSC_COMM_WORLD, "'%s' is no verb", name)
                : WeftFail(PETSC_COMM_WORLD, "a verb and a case are missing");
  }
  WeftCheck(path, PETSC_COMM_WORLD, "weft %s needs a case file, for example  weft %s %s", name, name, verb->example);
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftCheckKeys());
  PetscCall((*verb->run)());
  PetscCall(WeftCostPrint());
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  const char    *name = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
  const char    *path = name && argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;
  PetscErrorCode ierr = WeftInitialize(&argc, &argv, NULL);

  if (!ierr) ierr = Run(name, path);
  /* A mistake of the user was agreed on by all ranks and told once; of anything else the other ranks may not know. */
  if (ierr && ierr != WEFT_ERR_USER) MPI_Abort(MPI_COMM_WORLD, 2);
  return WeftFinalize() ? 1 : ierr ? WeftExitStatus() : WeftStopped() ? WEFT_STATUS_STOPPED : 0;
}
