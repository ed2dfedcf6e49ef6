/* Keys that are nobody's, keys that nobody read, and monitors that only the first replica shows. */
#include "base/impl.h"

PetscErrorCode WeftCheckKeys(void)
{
  const WeftEntry  *entry;
  const WeftKeyRow *row;

  PetscFunctionBegin;
  for (PetscInt i = 0; (entry = WeftTableEntry(i)); i++) {
    const WeftOwner owner = WeftKeyOwner(entry->name);
    WeftCheck(owner != WEFT_OWNER_NOBODY, PETSC_COMM_WORLD,
              "%s: unknown key %s; the nearest valid key is %s (weft -help lists all)", entry->origin, entry->name,
              WeftRegistryNearest(entry->name));
    WeftCheck(owner != WEFT_OWNER_PETSC || entry->command_line, PETSC_COMM_WORLD,
              "%s: %s acts on PETSc as a whole and is read at the start; give it on the command line: -%s", entry->origin,
              entry->name, entry->name);
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
  PetscCall(WeftAgree(PETSC_COMM_WORLD, unused ? PETSC_TRUE : PETSC_FALSE,
                      "%s: no solver of PETSc in this run reads %s; mend its name or take it out", unused ? unused->origin : "",
                      unused ? unused->name : ""));
  PetscFunctionReturn(0);
}

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
