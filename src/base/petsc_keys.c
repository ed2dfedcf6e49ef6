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

PetscBool WeftIsMonitor(const char *key) { return strstr(key, "_monitor") || strstr(key, "_view") || strstr(key, "_converged_reason") ? PETSC_TRUE : PETSC_FALSE; }
