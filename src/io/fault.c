/* What goes wrong with a file: the first fault is kept, as text, until the ranks agree. */
#include "io/impl.h"

void WeftFaultText(char fault[], size_t room, const char *format, ...)
{
  va_list arguments;

  if (fault[0]) return;
  va_start(arguments, format);
  vsnprintf(fault, room, format, arguments);
  va_end(arguments);
}

static herr_t KeepInnermost(unsigned n, const H5E_error2_t *error, void *text)
{
  (void)n;
  snprintf((char *)text, 256, "%s", error->desc ? error->desc : "");
  return 1; /* stop */
}

void WeftHdf5Message(char text[], size_t room)
{
  char innermost[256] = "unknown";

  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, KeepInnermost, innermost);
  snprintf(text, room, "%s", innermost);
}

PetscBool WeftFileFault(WeftFile *file, PetscBool failed, const char *what, ...)
{
  va_list arguments;

  if (!failed || file->fault[0]) return failed;
  va_start(arguments, what);
  vsnprintf(file->fault, sizeof(file->fault), what, arguments);
  va_end(arguments);
  return failed;
}

PetscBool WeftFileNote(WeftFile *file, PetscBool failed, const char *what, ...)
{
  char    reason[256], text[512];
  va_list arguments;

  if (!failed || file->fault[0]) return failed;
  WeftHdf5Message(reason, sizeof(reason));
  va_start(arguments, what);
  vsnprintf(text, sizeof(text), what, arguments);
  va_end(arguments);
  return WeftFileFault(file, failed, "%s (%s)", text, reason);
}
