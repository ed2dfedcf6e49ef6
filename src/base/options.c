/* What the user set, and its typed reading. */
#include "base/impl.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table --------------------------------------------------------------------------------------------------- */

static WeftEntries table;

static PetscErrorCode EntryClear(WeftEntry *entry)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < entry->count; i++) PetscCall(PetscFree(entry->item[i]));
  PetscCall(PetscFree(entry->item));
  PetscCall(PetscFree(entry->name));
  PetscCall(PetscFree(entry->origin));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEntriesAdd(WeftEntries *entries, WeftEntry **entry)
{
  PetscFunctionBegin;
  if (entries->count == entries->room) {
    WeftEntry *larger;
    entries->room = 2 * entries->room + 64;
    PetscCall(PetscMalloc1(entries->room, &larger));
    PetscCall(PetscArraycpy(larger, entries->entry, entries->count));
    PetscCall(PetscFree(entries->entry));
    entries->entry = larger;
  }
  *entry = &entries->entry[entries->count++];
  PetscCall(PetscMemzero(*entry, sizeof(**entry)));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEntriesDestroy(WeftEntries *entries)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < entries->count; i++) PetscCall(EntryClear(&entries->entry[i]));
  PetscCall(PetscFree(entries->entry));
  entries->count = entries->room = 0;
  PetscFunctionReturn(0);
}

const WeftEntry *WeftTableFind(const char *key)
{
  for (PetscInt i = 0; i < table.count; i++)
    if (!strcmp(table.entry[i].name, key)) return &table.entry[i];
  return NULL;
}

const WeftEntry *WeftTableEntry(PetscInt i) { return i < table.count ? &table.entry[i] : NULL; }

PetscErrorCode WeftTableDestroy(void) { return WeftEntriesDestroy(&table); }

PetscErrorCode WeftTableSet(const WeftEntry *from)
{
  WeftEntry *to = (WeftEntry *)WeftTableFind(from->name);

  PetscFunctionBegin;
  if (to && to->command_line && !from->command_line) PetscFunctionReturn(0);
  if (to) PetscCall(EntryClear(to));
  else PetscCall(WeftEntriesAdd(&table, &to));
  *to = *from;
  PetscCall(PetscStrallocpy(from->name, &to->name));
  PetscCall(PetscStrallocpy(from->origin, &to->origin));
  PetscCall(PetscMalloc1(from->count, &to->item));
  for (PetscInt i = 0; i < from->count; i++) PetscCall(PetscStrallocpy(from->item[i], &to->item[i]));
  PetscFunctionReturn(0);
}

/* PETSc's viewers take "true" for a name of theirs: a switch that is on goes without a value, a viewer that is off not at all. */
static PetscErrorCode ToPetsc(WeftEntry *entry)
{
  char      dashed[256], *text;
  size_t    room = 1, used = 0;
  PetscBool set, off, on;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(dashed, sizeof(dashed), "-%s", entry->name));
  PetscCall(PetscOptionsHasName(NULL, NULL, dashed, &set));
  PetscCall(PetscStrcasecmp(entry->count ? entry->item[0] : "", "false", &off));
  PetscCall(PetscStrcasecmp(entry->count ? entry->item[0] : "", "true", &on));
  if (set || (off && WeftIsMonitor(entry->name))) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < entry->count; i++) room += strlen(entry->item[i]) + 1;
  PetscCall(PetscCalloc1(room, &text));
  for (PetscInt i = 0; i < entry->count && !on; i++) used += (size_t)snprintf(text + used, room - used, "%s%s", i ? "," : "", entry->item[i]);
  PetscCall(PetscOptionsSetValue(NULL, dashed, text));
  PetscCall(PetscFree(text));
  entry->in_petsc = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTableToPetsc(void)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < table.count; i++)
    if (!table.entry[i].command_line && WeftKeyOwner(table.entry[i].name) == WEFT_OWNER_PETSC_OBJECT) PetscCall(ToPetsc(&table.entry[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTableForgetCase(void)
{
  PetscInt kept = 0;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < table.count; i++) {
    WeftEntry *entry = &table.entry[i];
    if (entry->in_petsc) {
      char dashed[256];
      PetscCall(PetscSNPrintf(dashed, sizeof(dashed), "-%s", entry->name));
      PetscCall(PetscOptionsClearValue(NULL, dashed));
    }
    if (entry->command_line) table.entry[kept++] = *entry;
    else PetscCall(EntryClear(entry));
  }
  table.count = kept;
  PetscFunctionReturn(0);
}

const char *WeftKeyOrigin(const char *key)
{
  const WeftEntry *entry = WeftTableFind(key);
  return entry ? entry->origin : "default";
}

PetscErrorCode WeftHasKey(const char *key, PetscBool *set)
{
  PetscFunctionBegin;
  PetscCheck(WeftRegistryFind(key), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "key %s has no row in keys.h", key);
  *set = WeftTableFind(key) ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* The words of a value: items of a YAML list, or the parts of a text between commas. Free with WeftFreeStringList. */
static PetscErrorCode Words(const WeftKeyRow *row, char ***words, PetscInt *count)
{
  const WeftEntry *entry = WeftTableFind(row->name);
  const char      *text  = entry ? (entry->count ? entry->item[0] : "") : row->fallback;
  const PetscBool  whole = entry && (entry->list || (row->kind == WEFT_KIND_STRINGS && !entry->command_line)) ? PETSC_TRUE : PETSC_FALSE;
  PetscInt         n     = 1;

  PetscFunctionBegin;
  *count = 0;
  *words = NULL;
  if (whole) {
    PetscCall(PetscMalloc1(entry->count, words));
    for (PetscInt i = 0; i < entry->count; i++) PetscCall(PetscStrallocpy(entry->item[i], &(*words)[i]));
    *count = entry->count;
    PetscFunctionReturn(0);
  }
  if (!*text) PetscFunctionReturn(0);
  for (const char *c = text; *c; c++) n += *c == ',';
  PetscCall(PetscMalloc1(n, words));
  for (PetscInt i = 0; i < n; i++) {
    size_t length = strcspn(text, ","), first = 0, last = length;
    while (first < last && isspace((unsigned char)text[first])) first++;
    while (last > first && isspace((unsigned char)text[last - 1])) last--;
    PetscCall(PetscMalloc1(last - first + 1, &(*words)[i]));
    PetscCall(PetscArraycpy((*words)[i], text + first, last - first));
    (*words)[i][last - first] = 0;
    text += length + 1;
  }
  *count = n;
  PetscFunctionReturn(0);
}

static PetscBool ToInt(const char *text, PetscInt *value)
{
  char     *end;
  long long number;

  errno  = 0;
  number = strtoll(text, &end, 10);
  *value = (PetscInt)number;
  return end != text && !*end && !errno && number <= PETSC_MAX_INT && number >= PETSC_MIN_INT ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool ToReal(const char *text, PetscReal *value)
{
  char *end;

  errno  = 0;
  *value = strtod(text, &end);
  return end != text && !*end && isfinite(*value) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool ToBool(const char *text, PetscBool *value)
{
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
  for (PetscInt i = 0; i < 8; i++) {
    if (strcasecmp(text, words[i])) continue;
    *value = i % 2 ? PETSC_TRUE : PETSC_FALSE;
    return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscBool ToEnum(const WeftKeyRow *row, const char *text, PetscInt *value)
{
  const size_t n = strlen(text);
  *value         = 0;
  for (const char *choice = row->unit; n;) {
    if (!strncmp(choice, text, n) && (choice[n] == '|' || !choice[n])) return PETSC_TRUE;
    choice = strchr(choice, '|');
    if (!choice) return PETSC_FALSE;
    choice++;
    ++*value;
  }
  return PETSC_FALSE;
}

static PetscErrorCode FailKind(const WeftKeyRow *row)
{
  char expected[256];

  PetscFunctionBegin;
  WeftRegistryExpected(row, expected, sizeof(expected));
  return WeftFailKey(PETSC_COMM_WORLD, row->name, "%s is expected%s%s", expected, *row->unit && row->kind != WEFT_KIND_ENUM ? ", in units of " : "", row->kind == WEFT_KIND_ENUM ? "" : row->unit);
}

/* The row of a key, and the text of a value that is not a list. */
static PetscErrorCode OneValue(const char *key, WeftKind kind, const WeftKeyRow **row, const char **text)
{
  const WeftEntry *entry = WeftTableFind(key);

  PetscFunctionBegin;
  *row = WeftRegistryFind(key);
  PetscCheck(*row, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "key %s has no row in keys.h", key);
  PetscCheck((*row)->kind == kind, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "key %s is read as another kind than its row says", key);
  if (entry && (entry->list || !entry->count)) PetscFunctionReturn(FailKind(*row));
  *text = entry ? entry->item[0] : (*row)->fallback;
  WeftCheck(**text || kind == WEFT_KIND_STRING || entry, PETSC_COMM_WORLD, "%s is missing: %s", key, (*row)->help);
  PetscFunctionReturn(0);
}

#define GET_ONE(Name, type, KIND, parse)                                                                                       \
  PetscErrorCode WeftGet##Name(const char *key, type *value)                                                                   \
  {                                                                                                                            \
    const WeftKeyRow *row;                                                                                                     \
    const char       *text;                                                                                                    \
    type              parsed;                                                                                                  \
    PetscFunctionBegin;                                                                                                        \
    PetscCall(OneValue(key, KIND, &row, &text));                                                                               \
    if (!(parse)) PetscFunctionReturn(FailKind(row));                                                                          \
    *value = parsed;                                                                                                           \
    PetscFunctionReturn(0);                                                                                                    \
  }
GET_ONE(Int, PetscInt, WEFT_KIND_INT, ToInt(text, &parsed))
GET_ONE(Real, PetscReal, WEFT_KIND_REAL, ToReal(text, &parsed))
GET_ONE(Bool, PetscBool, WEFT_KIND_BOOL, ToBool(text, &parsed))
GET_ONE(Enum, PetscInt, WEFT_KIND_ENUM, ToEnum(row, text, &parsed))

PetscErrorCode WeftGetString(const char *key, char value[], size_t room)
{
  const WeftKeyRow *row;
  const char       *text;

  PetscFunctionBegin;
  PetscCall(OneValue(key, WEFT_KIND_STRING, &row, &text));
  if (strlen(text) >= room) return WeftFailKey(PETSC_COMM_WORLD, key, "longer than %zu characters", room - 1);
  PetscCall(PetscStrncpy(value, text, room));
  PetscFunctionReturn(0);
}

static PetscErrorCode ListRow(const char *key, WeftKind kind, const WeftKeyRow **row)
{
  PetscFunctionBegin;
  *row = WeftRegistryFind(key);
  PetscCheck(*row, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "key %s has no row in keys.h", key);
  PetscCheck((*row)->kind == kind, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "key %s is read as another kind than its row says", key);
  PetscFunctionReturn(0);
}

#define GET_LIST(Name, type, KIND, parse)                                                                                      \
  PetscErrorCode WeftGet##Name##List(const char *key, type values[], PetscInt *count)                                          \
  {                                                                                                                            \
    const WeftKeyRow *row;                                                                                                     \
    char            **words;                                                                                                   \
    PetscInt          n;                                                                                                       \
    PetscBool         fine = PETSC_TRUE;                                                                                       \
    PetscFunctionBegin;                                                                                                        \
    PetscCall(ListRow(key, KIND, &row));                                                                                       \
    PetscCall(Words(row, &words, &n));                                                                                         \
    if (n > *count) {                                                                                                          \
      PetscCall(WeftFreeStringList(&words, n));                                                                                \
      return WeftFailKey(PETSC_COMM_WORLD, key, "%" PetscInt_FMT " values, at most %" PetscInt_FMT " are allowed", n, *count); \
    }                                                                                                                          \
    for (PetscInt i = 0; i < n && fine; i++) fine = parse(words[i], &values[i]);                                               \
    PetscCall(WeftFreeStringList(&words, n));                                                                                  \
    if (!fine) PetscFunctionReturn(FailKind(row));                                                                             \
    *count = n;                                                                                                                \
    PetscFunctionReturn(0);                                                                                                    \
  }
GET_LIST(Int, PetscInt, WEFT_KIND_INTS, ToInt)
GET_LIST(Real, PetscReal, WEFT_KIND_REALS, ToReal)

PetscErrorCode WeftGetStringList(const char *key, char ***values, PetscInt *count)
{
  const WeftKeyRow *row;

  PetscFunctionBegin;
  PetscCall(ListRow(key, WEFT_KIND_STRINGS, &row));
  PetscCall(Words(row, values, count));
  PetscFunctionReturn(0);
}

/* "500MB", "2 GiB", "1e9": bytes. FALSE: no size. */
static PetscBool ParseSize(const char *text, double *size)
{
  const char *units = "BKMGT", *unit;
  char       *end;
  double      factor = 1.0;

  *size = strtod(text, &end);
  if (end == text || !(*size >= 0.0)) return PETSC_FALSE;
  while (*end == ' ') end++;
  unit = *end ? strchr(units, toupper(*end)) : units;
  if (!unit) return PETSC_FALSE;
  if (*end) end++;
  for (const char *u = units; u != unit; u++) factor *= *end == 'i' ? 1024.0 : 1000.0;
  if (unit != units && *end == 'i') end++;
  if (unit != units && toupper(*end) == 'B') end++;
  *size *= factor;
  return *end ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode WeftGetSize(const char *key, size_t *bytes)
{
  char   text[64];
  double size;

  PetscFunctionBegin;
  PetscCall(WeftGetString(key, text, sizeof(text)));
  if (!ParseSize(text, &size)) PetscFunctionReturn(WeftFailKey(PETSC_COMM_WORLD, key, "is no size; write 500MB, 2GB or 2GiB per rank, or 0 for no bound"));
  *bytes = (size_t)size;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFreeStringList(char ***values, PetscInt count)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < count; i++) PetscCall(PetscFree((*values)[i]));
  PetscCall(PetscFree(*values));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTableCheckKind(const WeftKeyRow *row)
{
  const WeftEntry *entry = WeftTableFind(row->name);
  char           **words;
  PetscInt         n, integer;
  PetscReal        real;
  PetscBool        flag, fine = PETSC_TRUE;

  PetscFunctionBegin;
  if (row->kind == WEFT_KIND_INT) PetscCall(WeftGetInt(row->name, &integer));
  if (row->kind == WEFT_KIND_REAL) PetscCall(WeftGetReal(row->name, &real));
  if (row->kind == WEFT_KIND_BOOL) PetscCall(WeftGetBool(row->name, &flag));
  if (row->kind == WEFT_KIND_ENUM) PetscCall(WeftGetEnum(row->name, &integer));
  if (row->kind == WEFT_KIND_STRING && entry && entry->list) PetscFunctionReturn(FailKind(row));
  if (row->kind != WEFT_KIND_INTS && row->kind != WEFT_KIND_REALS) PetscFunctionReturn(0);
  PetscCall(Words(row, &words, &n));
  for (PetscInt i = 0; i < n && fine; i++) fine = row->kind == WEFT_KIND_INTS ? ToInt(words[i], &integer) : ToReal(words[i], &real);
  PetscCall(WeftFreeStringList(&words, n));
  if (!fine) PetscFunctionReturn(FailKind(row));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFailKey(MPI_Comm comm, const char *key, const char *format, ...)
{
  const WeftEntry  *entry         = WeftTableFind(key);
  const WeftKeyRow *row           = WeftRegistryFind(key);
  char              message[1024] = "", value[512] = "";
  size_t            used          = 0;
  va_list           arguments;

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  if (!entry) return WeftFail(comm, "%s: %s = %s: %s", WeftKeyOrigin(key), key, row ? row->fallback : "", message);
  for (PetscInt i = 0; i < entry->count && used < sizeof(value) - 1; i++) used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", i ? ", " : "", entry->item[i]);
  return WeftFail(comm, entry->list ? "%s: %s = [%s]: %s" : "%s: %s = %s: %s", entry->origin, key, value, message);
}
