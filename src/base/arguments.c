/* The command line: weft <verb> CASE.yaml -key value ... */
#include "base/impl.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A dash and a letter; numbers ("-3", "-.5", "-inf") are values. */
PetscBool WeftIsKey(const char *word, const char **key)
{
  char *end;

  if (word[0] != '-') return PETSC_FALSE;
  strtod(word, &end);
  if (!*end) return PETSC_FALSE;
  word += word[1] == '-' ? 2 : 1;
  if (!isalpha((unsigned char)word[0])) return PETSC_FALSE;
  *key = word;
  return PETSC_TRUE;
}

PetscErrorCode WeftCommandLineRead(int argc, char **argv)
{
  PetscBool keys = PETSC_FALSE;

  PetscFunctionBegin;
  for (int i = 1; i < argc; i++) {
    const char *key, *next;
    char       *value = (char *)"true"; /* a switch */
    WeftEntry   entry = {NULL, (char *)"command line", PETSC_TRUE, PETSC_FALSE, PETSC_FALSE, 1, &value};
    if (!WeftIsKey(argv[i], &key)) { /* the verb and the case stand before the first key */
      WeftCheck(!keys, PETSC_COMM_WORLD, "command line: '%s' stands alone; a key takes one value, lists go with commas and no spaces: -grid_cells 32,64", argv[i]);
      continue;
    }
    keys       = PETSC_TRUE;
    entry.name = (char *)(!strcmp(key, "h") ? "help" : key);
    if (i + 1 < argc && !WeftIsKey(argv[i + 1], &next)) value = argv[++i];
    PetscCall(WeftTableSet(&entry));
  }
  PetscFunctionReturn(0);
}
