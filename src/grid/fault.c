/* Mistakes that one rank alone sees: noted where they happen, agreed on at the end of a phase. */
#include <stdarg.h>
#include "grid/impl.h"

#define NOTE_ROOM 1024

PetscErrorCode WeftGridNote(WeftGrid grid, const char *format, ...)
{
  va_list arguments;

  PetscFunctionBegin;
  if (grid->note) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(NOTE_ROOM, &grid->note));
  va_start(arguments, format);
  PetscCall(PetscVSNPrintf(grid->note, NOTE_ROOM, format, NULL, arguments));
  va_end(arguments);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridNoted(WeftGrid grid, PetscBool *noted)
{
  PetscFunctionBegin;
  *noted = grid->note ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftGridAgreeAll(MPI_Comm world, WeftGrid grid)
{
  char            text[NOTE_ROOM] = "";
  const PetscBool failed          = grid->note ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  if (failed) PetscCall(PetscStrncpy(text, grid->note, sizeof(text)));
  PetscCall(PetscFree(grid->note));
  /* no PetscCall: the mistake is the user's and prints no stack */
  PetscFunctionReturn(WeftAgree(world, failed, "%s", text));
}

PetscErrorCode WeftGridAgree(WeftGrid grid) { return WeftGridAgreeAll(grid->comm, grid); }
