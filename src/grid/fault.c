/* Mistakes that one rank alone sees (base: WeftNote), agreed on by the ranks of a grid. */
#include <stdarg.h>
#include "grid/impl.h"

PetscErrorCode WeftGridNote(WeftGrid grid, const char *format, ...)
{
  char    text[1024];
  va_list arguments;

  PetscFunctionBegin;
  (void)grid;
  va_start(arguments, format);
  PetscCall(PetscVSNPrintf(text, sizeof(text), format, NULL, arguments));
  va_end(arguments);
  PetscCall(WeftNote("%s", text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridNoted(WeftGrid grid, PetscBool *noted)
{
  PetscFunctionBegin;
  (void)grid;
  *noted = WeftNoted();
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridAgree(WeftGrid grid) { return WeftAgreeNotes(grid->comm); }

PetscErrorCode WeftGridAgreeAll(MPI_Comm world, WeftGrid grid)
{
  (void)grid;
  return WeftAgreeNotes(world);
}
