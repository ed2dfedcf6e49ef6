/* Lines for the user. */
#include "base/impl.h"

PetscBool WeftLiveLine = PETSC_FALSE;

PetscErrorCode WeftLiveLineEnd(void)
{
  PetscFunctionBegin;
  if (WeftLiveLine) {
    fputs("\n", stdout);
    fflush(stdout);
  }
  WeftLiveLine = PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftLog(const char *format, ...)
{
  va_list arguments;

  PetscFunctionBegin;
  if (PetscGlobalRank) PetscFunctionReturn(0);
  PetscCall(WeftLiveLineEnd());
  va_start(arguments, format);
  vfprintf(stdout, format, arguments);
  va_end(arguments);
  fputs("\n", stdout);
  fflush(stdout);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftWarn(const char *format, ...)
{
  va_list arguments;

  PetscFunctionBegin;
  if (PetscGlobalRank) PetscFunctionReturn(0);
  PetscCall(WeftLiveLineEnd());
  fputs("weft: warning: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputs("\n", stderr);
  PetscFunctionReturn(0);
}
