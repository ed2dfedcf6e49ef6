/* Which keys are PETSc's: those of solver objects (any prefix handed to one, then PETSc's own word), and global ones. */
#include "base/impl.h"
#include <string.h>

/* Options prefixes that Weft hands to PETSc objects; "" is an object without one. */
static const char *const object_prefixes[] = {"pressure_", "adjoint_", "tangent_", "solve_", "invert_", ""};

/* How the keys of PETSc's objects begin. */
static const char *const object_words[] = {"ksp_", "pc_", "snes_", "tao_", "mat_", "vec_", "dm_", "da_", "mg_", "sub_", "fieldsplit_", "redundant_", "telescope_", "inner_", "esteig_", "bjacobi_", "gamg_", "svd_", "ts_", "is_", "sf_", "vecscatter_", "ao_", NULL};

/* Global keys: whole, or (ending in '_') how they begin. */
static const char *const global_words[] = {"log_", "malloc", "malloc_", "info", "info_", "options_", "on_error_", "fp_", "start_in_debugger", "stop_for_debugger", "debugger_", "debug_terminal", "memory_view", "version", "v", "nox", "nox_", "x_", "display", "draw_", "viewer_", "get_total_flops", "no_signal_handler", "shared_tmp", "not_shared_tmp", "error_output_stdout", "error_output_none", "citations", "checkstack", "objects_dump", "objects_view", "history", "skip_petscrc", "petsc_", "use_gpu_aware_mpi", "device_", "mpi_", "blas_", "saws_", "python", NULL};

static PetscBool Begins(const char *key, const char *const words[], PetscBool whole)
{
  for (PetscInt i = 0; words[i]; i++) {
    const size_t n = strlen(words[i]);
    if (whole && words[i][n - 1] != '_' ? !strcmp(key, words[i]) : !strncmp(key, words[i], n) && key[n]) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

WeftOwner WeftKeyOwner(const char *key)
{
  if (WeftRegistryFind(key)) return WEFT_OWNER_WEFT;
  for (PetscInt p = 0; p < (PetscInt)(sizeof(object_prefixes) / sizeof(object_prefixes[0])); p++) {
    const size_t n = strlen(object_prefixes[p]);
    if (!strncmp(key, object_prefixes[p], n) && Begins(key + n, object_words, PETSC_FALSE)) return WEFT_OWNER_PETSC_OBJECT;
  }
  return Begins(key, global_words, PETSC_TRUE) ? WEFT_OWNER_PETSC : WEFT_OWNER_NOBODY;
}

PetscErrorCode WeftCheckKeys(void)
{
  const WeftEntry  *entry;
  const WeftKeyRow *row;

  PetscFunctionBegin;
  for (PetscInt i = 0; (entry = WeftTableEntry(i)); i++) {
    const WeftOwner owner = WeftKeyOwner(entry->name);
    WeftCheck(owner != WEFT_OWNER_NOBODY, PETSC_COMM_WORLD, "%s: unknown key %s; the nearest valid key is %s (weft -help lists all)", entry->origin, entry->name, WeftRegistryNearest(entry->name));
    WeftCheck(owner != WEFT_OWNER_PETSC || entry->command_line, PETSC_COMM_WORLD, "%s: %s acts on PETSc as a whole and is read at the start; give it on the command line: -%s", entry->origin, entry->name, entry->name);
    row = WeftRegistryFind(entry->name);
    if (row) PetscCall(WeftTableCheckKind(row));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckUnusedOptions(void)
{
  const WeftEntry *entry, *unused = NULL;

  PetscFunctionBegin;
  for (PetscInt i = 0; (entry = WeftTableEntry(i)); i++) {
    PetscBool there, used = PETSC_TRUE;
    char      dashed[256];
    if (WeftKeyOwner(entry->name) != WEFT_OWNER_PETSC_OBJECT) continue;
    PetscCall(PetscSNPrintf(dashed, sizeof(dashed), "-%s", entry->name));
    PetscCall(PetscOptionsUsed(NULL, entry->name, &used));
    /* asking marks a key as used: only after the answer */
    if (!used) PetscCall(PetscOptionsHasName(NULL, NULL, dashed, &there));
    if (!used && there && !unused) unused = entry; /* not there: a monitor that this replica dropped */
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, unused ? PETSC_TRUE : PETSC_FALSE, "%s: no solver of PETSc in this run reads %s; mend its name or take it out", unused ? unused->origin : "", unused ? unused->name : ""));
  PetscFunctionReturn(0);
}

PetscBool WeftIsMonitor(const char *key) { return strstr(key, "_monitor") || strstr(key, "_view") || strstr(key, "_converged_reason") ? PETSC_TRUE : PETSC_FALSE; }

PetscErrorCode WeftDropMonitors(void)
{
  const WeftEntry *entry;

  PetscFunctionBegin;
  for (PetscInt i = 0; (entry = WeftTableEntry(i)); i++) {
    char dashed[256];
    if (WeftKeyOwner(entry->name) != WEFT_OWNER_PETSC_OBJECT || !WeftIsMonitor(entry->name)) continue;
    PetscCall(PetscSNPrintf(dashed, sizeof(dashed), "-%s", entry->name));
    PetscCall(PetscOptionsClearValue(NULL, dashed));
  }
  PetscFunctionReturn(0);
}
