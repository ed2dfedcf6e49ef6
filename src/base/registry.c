/* The registry of keys: lookup, nearest name, whose key it is, help. */
#include "base/impl.h"
#include <string.h>

static const WeftKeyRow rows[] = {
#define WEFT_KEY(name, kind, fallback, unit, help) {#name, WEFT_KIND_##kind, fallback, unit, help},
#include "base/keys.h"
#undef WEFT_KEY
};
#define ROWS ((PetscInt)(sizeof(rows) / sizeof(rows[0])))

const WeftKeyRow *WeftRegistryRows(PetscInt *count)
{
  *count = ROWS;
  return rows;
}

const WeftKeyRow *WeftRegistryFind(const char *key)
{
  for (PetscInt i = 0; i < ROWS; i++)
    if (!strcmp(rows[i].name, key)) return &rows[i];
  return NULL;
}

/* Edit distance with swaps of neighbours (optimal string alignment), three rows of the table at a time. */
static PetscInt EditDistance(const char *a, const char *b)
{
  PetscInt     table[3][65];
  const size_t m = PetscMin(strlen(a), 64), n = PetscMin(strlen(b), 64);

  for (size_t j = 0; j <= n; j++) table[0][j] = (PetscInt)j;
  for (size_t i = 1; i <= m; i++) {
    PetscInt *row = table[i % 3], *above = table[(i + 2) % 3], *twice = table[(i + 1) % 3];
    row[0] = (PetscInt)i;
    for (size_t j = 1; j <= n; j++) {
      const PetscInt change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = PetscMin(change, PetscMin(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = PetscMin(row[j], twice[j - 2] + 1);
    }
  }
  return table[m % 3][n];
}

const char *WeftRegistryNearest(const char *word)
{
  const char *nearest  = rows[0].name;
  PetscInt    smallest = PETSC_MAX_INT;

  for (PetscInt i = 0; i < ROWS; i++) {
    const char *tail     = strchr(rows[i].name, '_');
    PetscInt    distance = EditDistance(word, rows[i].name);
    if (tail && !strcmp(tail + 1, word)) distance = 1; /* the prefix was forgotten */
    if (distance < smallest) {
      smallest = distance;
      nearest  = rows[i].name;
    }
  }
  return nearest;
}

static const char *KindName(WeftKind kind)
{
  switch (kind) {
  case WEFT_KIND_INT: return "an integer";
  case WEFT_KIND_REAL: return "a number";
  case WEFT_KIND_BOOL: return "true or false";
  case WEFT_KIND_STRING: return "a text";
  case WEFT_KIND_ENUM: return "one of";
  case WEFT_KIND_INTS: return "a list of integers";
  case WEFT_KIND_REALS: return "a list of numbers";
  default: return "a list of texts";
  }
}

void WeftRegistryExpected(const WeftKeyRow *row, char text[], size_t room)
{
  size_t used = (size_t)snprintf(text, room, "%s", KindName(row->kind));
  if (row->kind != WEFT_KIND_ENUM) return;
  if (used + 2 < room) text[used++] = ' ';
  for (const char *c = row->unit; *c && used + 3 < room; c++) {
    text[used++] = *c == '|' ? ',' : *c;
    if (*c == '|') text[used++] = ' ';
  }
  text[used] = 0;
}

/* What stands before the first '_'; keys of one word are a group of their own. */
static size_t Prefix(const char *name)
{
  const char *end = strchr(name, '_');
  return end ? (size_t)(end - name) + 1 : 0;
}

static PetscBool SameGroup(const char *a, const char *b)
{
  const size_t n = Prefix(a);
  return n == Prefix(b) && !strncmp(a, b, n) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode PrintKey(const WeftKeyRow *row)
{
  const PetscBool unit = *row->unit && row->kind != WEFT_KIND_ENUM ? PETSC_TRUE : PETSC_FALSE;
  char            expected[256];

  PetscFunctionBegin;
  WeftRegistryExpected(row, expected, sizeof(expected));
  PetscCall(WeftLog("  -%s  %s%s%s%s%s\n      %s", row->name, expected, unit ? ", in units of " : "", unit ? row->unit : "", *row->fallback ? ", default " : "", row->fallback, row->help));
  PetscFunctionReturn(0);
}

/* Group by group, in the order in which the groups first appear. */
PetscErrorCode WeftPrintKeys(void)
{
  PetscFunctionBegin;
  if (*WeftHelpText) PetscCall(WeftLog("%s", WeftHelpText));
  for (PetscInt i = 0; i < ROWS; i++) {
    PetscInt first = 0;
    while (!SameGroup(rows[first].name, rows[i].name)) first++;
    if (first < i) continue;
    if (i) PetscCall(WeftLog("%s", ""));
    for (PetscInt k = i; k < ROWS; k++)
      if (SameGroup(rows[i].name, rows[k].name)) PetscCall(PrintKey(&rows[k]));
  }
  PetscCall(WeftLog("\nSolvers of PETSc take their own keys after a prefix: -pressure_ksp_type cg -pressure_pc_type hypre; -log_view and the like work as ever."));
  PetscFunctionReturn(0);
}
