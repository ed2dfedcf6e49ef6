/* The settings of a run as text: what the user set, one key a line, for files that outlive the run. */
#include "base/impl.h"
#include <stdlib.h>
#include <string.h>

static void ValueText(const WeftEntry *entry, char text[], size_t room)
{
  size_t used = 0;

  text[0] = 0;
  for (PetscInt i = 0; i < entry->count && used < room; i++) used += (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "", entry->item[i]);
}

#define VALUE_ROOM 1024

PetscErrorCode WeftSettings(char **text)
{
  PetscInt          rows;
  const WeftKeyRow *row = WeftRegistryRows(&rows);
  size_t            used = 0, room = 1;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < rows; i++) room += WeftTableFind(row[i].name) ? strlen(row[i].name) + VALUE_ROOM + 4 : 0;
  PetscCall(PetscCalloc1(room, text));
  for (PetscInt i = 0; i < rows; i++) {
    const WeftEntry *entry = WeftTableFind(row[i].name);
    char             value[VALUE_ROOM];
    if (!entry) continue;
    ValueText(entry, value, sizeof(value));
    used += (size_t)snprintf(*text + used, room - used, "%s: %s\n", row[i].name, value);
  }
  PetscFunctionReturn(0);
}

/* The value of a key in a text of settings; its default where the text does not name it. */
static void Look(const char *settings, const WeftKeyRow *row, char value[VALUE_ROOM])
{
  const size_t length = strlen(row->name);

  snprintf(value, VALUE_ROOM, "%s", row->fallback);
  for (const char *line = settings; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (!strncmp(line, row->name, length) && line[length] == ':' && line[length + 1] == ' ') snprintf(value, VALUE_ROOM, "%.*s", (int)PetscMin(strcspn(line + length + 2, "\n"), VALUE_ROOM - 1), line + length + 2);
}

/* The same words, or the same number. */
static PetscBool SameValue(const char *a, const char *b)
{
  char        *end_a, *end_b;
  const double x = strtod(a, &end_a), y = strtod(b, &end_b);

  if (!strcmp(a, b)) return PETSC_TRUE;
  return end_a != a && end_b != b && !*end_a && !*end_b && x == y ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode WeftSettingsCompare(const char *settings, const char *const ignored[], char differences[], size_t room)
{
  PetscInt          rows;
  const WeftKeyRow *row = WeftRegistryRows(&rows);
  char             *mine;
  size_t            used = 0;

  PetscFunctionBegin;
  PetscCall(WeftSettings(&mine));
  differences[0] = 0;
  for (PetscInt i = 0; i < rows; i++) {
    char      here[VALUE_ROOM], there[VALUE_ROOM];
    PetscBool ignore = PETSC_FALSE;
    for (PetscInt k = 0; ignored[k]; k++) ignore = ignore || !strncmp(row[i].name, ignored[k], strlen(ignored[k])) ? PETSC_TRUE : PETSC_FALSE;
    Look(settings, &row[i], there);
    Look(mine, &row[i], here);
    if (ignore || SameValue(here, there) || used >= room) continue;
    used += (size_t)snprintf(differences + used, room - used, "%s%s = %s (now %s)", used ? ", " : "", row[i].name, there, here);
  }
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}
