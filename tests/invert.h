/* What the tests of the verb invert share: what it wrote. */
#ifndef WEFT_TEST_INVERT_H
#define WEFT_TEST_INVERT_H
#include <weft/invert.h>
#include "flow.h"

static char folder[64]; /* output of the verb */

/* Column `name` of history.csv, on every rank: *rows values. */
static inline PetscErrorCode History(const char *name, PetscInt *rows, double values[1024])
{
  char  path[128], line[1024], heading[1024];
  int   column = 0;
  FILE *file;

  PetscFunctionBegin;
  *rows = 0;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/history.csv", folder));
  file = fopen(path, "r");
  TestCheck(file && fgets(heading, sizeof(heading), file), "%s cannot be read", path);
  for (char *word = strtok(heading, ",\n"); word && strcmp(word, name); word = strtok(NULL, ",\n")) column++;
  for (; *rows < 1024 && fgets(line, sizeof(line), file); ++*rows) {
    char *at = line;
    for (int c = 0; c < column; c++) {
      at = strchr(at, ',');
      TestCheck(at, "%s has no column %s", path, name);
      at++;
    }
    values[*rows] = strtod(at, NULL);
  }
  fclose(file);
  PetscFunctionReturn(0);
}

/* The numbers of a list in summary.json, "key": [ ... ] or "key": number, after the word `after`. */
static inline PetscErrorCode Summary(const char *after, const char *key, PetscInt count, double values[])
{
  char   path[128], text[16384], quoted[64];
  char  *at;
  FILE  *file;
  size_t length;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  file = fopen(path, "r");
  TestCheck(file, "%s cannot be read", path);
  length       = fread(text, 1, sizeof(text) - 1, file);
  text[length] = 0;
  fclose(file);
  PetscCall(PetscSNPrintf(quoted, sizeof(quoted), "\"%s\"", after));
  at = strstr(text, quoted);
  PetscCall(PetscSNPrintf(quoted, sizeof(quoted), "\"%s\":", key));
  at = at ? strstr(at, quoted) : NULL;
  TestCheck(at, "%s has no %s after %s", path, key, after);
  at += strlen(quoted);
  for (PetscInt i = 0; i < count; i++) {
    at += strspn(at, " [,\n");
    values[i] = strtod(at, &at);
  }
  PetscFunctionReturn(0);
}
#endif
