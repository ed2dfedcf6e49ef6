/* Case files: a subset of YAML (maps of scalars, of lists of scalars, and of maps), read by rank 0 with libyaml. */
#include "base/impl.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define NAME_ROOM   200
#define DEPTH_LIMIT 16 /* files that include one another */

char        WeftCaseFile[PETSC_MAX_PATH_LEN];
static char case_name[256];

const char *WeftCaseName(void) { return case_name; }

/* A file being read. */
typedef struct _Reader {
  const struct _Reader *outer; /* the file that includes this one */
  const char           *path;
  yaml_parser_t         parser;
  WeftEntries           entries;
  char                 *error; /* [ERROR_ROOM]; not empty: reading failed */
} Reader;
#define ERROR_ROOM 1024

WEFT_FORMAT(3, 4) static PetscBool Fail(Reader *reader, size_t line, const char *format, ...)
{
  va_list arguments;
  int     used;

  if (*reader->error) return PETSC_FALSE; /* the first one counts */
  used = line ? snprintf(reader->error, ERROR_ROOM, "%s:%zu: ", reader->path, line) : snprintf(reader->error, ERROR_ROOM, "%s: ", reader->path);
  if (used < 0 || used >= ERROR_ROOM) return PETSC_FALSE;
  va_start(arguments, format);
  vsnprintf(reader->error + used, ERROR_ROOM - (size_t)used, format, arguments);
  va_end(arguments);
  return PETSC_FALSE;
}

static size_t Line(const yaml_event_t *event) { return event->start_mark.line + 1; }

static PetscBool Next(Reader *reader, yaml_event_t *event)
{
  const yaml_char_t *anchor = NULL, *tag = NULL;

  if (!yaml_parser_parse(&reader->parser, event)) return Fail(reader, reader->parser.problem_mark.line + 1, "no valid YAML: %s%s%s", reader->parser.problem, reader->parser.context ? " " : "", reader->parser.context ? reader->parser.context : "");
  if (event->type == YAML_ALIAS_EVENT) anchor = event->data.alias.anchor;
  if (event->type == YAML_SCALAR_EVENT) {
    anchor = event->data.scalar.anchor;
    tag    = event->data.scalar.tag;
  }
  if (event->type == YAML_SEQUENCE_START_EVENT) {
    anchor = event->data.sequence_start.anchor;
    tag    = event->data.sequence_start.tag;
  }
  if (event->type == YAML_MAPPING_START_EVENT) {
    anchor = event->data.mapping_start.anchor;
    tag    = event->data.mapping_start.tag;
  }
  if (anchor) Fail(reader, Line(event), "anchors and aliases ('%s') are not supported; repeat the value, or put it into a file that both include", anchor);
  if (tag) Fail(reader, Line(event), "tags ('%s') are not supported; leave it out", tag);
  if (!anchor && !tag) return PETSC_TRUE;
  yaml_event_delete(event);
  return PETSC_FALSE;
}

/* Appends a scalar to the items of an entry. */
static PetscBool AddItem(Reader *reader, WeftEntry *entry, const yaml_event_t *event)
{
  const char     *text  = (const char *)event->data.scalar.value;
  const PetscBool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? PETSC_TRUE : PETSC_FALSE;
  char          **items;

  if (plain && (!*text || !strcmp(text, "~") || !strcasecmp(text, "null"))) return Fail(reader, Line(event), "%s has no value; write one, or take the key out", entry->name);
  if (strlen(text) != event->data.scalar.length) return Fail(reader, Line(event), "%s: a text with a zero byte", entry->name);
  if (PetscMalloc1(entry->count + 1, &items)) return Fail(reader, Line(event), "out of memory");
  for (PetscInt i = 0; i < entry->count; i++) items[i] = entry->item[i];
  if (PetscStrallocpy(text, &items[entry->count]) || PetscFree(entry->item)) return Fail(reader, Line(event), "out of memory");
  entry->item = items;
  entry->count++;
  return PETSC_TRUE;
}

static PetscBool NewEntry(Reader *reader, const char *name, size_t line, WeftEntry **entry)
{
  char origin[PETSC_MAX_PATH_LEN + 32];

  for (PetscInt i = 0; i < reader->entries.count; i++) {
    const WeftEntry *other = &reader->entries.entry[i];
    if (!strcmp(other->name, name)) return Fail(reader, line, "%s is given twice, first at %s; keep one", name, other->origin);
  }
  snprintf(origin, sizeof(origin), "%s:%zu", reader->path, line);
  if (WeftEntriesAdd(&reader->entries, entry) || PetscStrallocpy(name, &(*entry)->name) || PetscStrallocpy(origin, &(*entry)->origin)) return Fail(reader, line, "out of memory");
  return PETSC_TRUE;
}

static PetscBool ReadList(Reader *reader, WeftEntry *entry)
{
  entry->list = PETSC_TRUE;
  for (;;) {
    yaml_event_t event;
    PetscBool    fine = PETSC_TRUE, end;
    if (!Next(reader, &event)) return PETSC_FALSE;
    end = event.type == YAML_SEQUENCE_END_EVENT ? PETSC_TRUE : PETSC_FALSE;
    if (event.type == YAML_SCALAR_EVENT) fine = AddItem(reader, entry, &event);
    else if (!end) fine = Fail(reader, Line(&event), "%s: a list holds numbers or texts, no %s; write each item as one text", entry->name, event.type == YAML_SEQUENCE_START_EVENT ? "lists" : "maps ('name: value')");
    yaml_event_delete(&event);
    if (end || !fine) return fine;
  }
}

/* prefix_key, or the key itself at the top. */
static PetscBool JoinName(Reader *reader, const char *prefix, const yaml_event_t *event, char name[NAME_ROOM])
{
  const char *key = (const char *)event->data.scalar.value;

  if (!isalpha((unsigned char)*key)) return Fail(reader, Line(event), "'%s' is no key; a key begins with a letter", key);
  for (const char *c = key; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') return Fail(reader, Line(event), "'%s' is no key; a key is made of letters, digits and '_'", key);
  if (snprintf(name, NAME_ROOM, "%s%s%s", prefix, *prefix ? "_" : "", key) >= NAME_ROOM) return Fail(reader, Line(event), "the key %s... is too long", name);
  return PETSC_TRUE;
}

static PetscBool ReadMap(Reader *reader, const char *prefix);

static PetscBool ReadValue(Reader *reader, const char *name, size_t line)
{
  yaml_event_t event;
  WeftEntry   *entry;
  PetscBool    fine;

  if (!Next(reader, &event)) return PETSC_FALSE;
  if (event.type == YAML_MAPPING_START_EVENT) fine = ReadMap(reader, name);
  else {
    fine = NewEntry(reader, name, line, &entry);
    if (fine) fine = event.type == YAML_SCALAR_EVENT ? AddItem(reader, entry, &event) : ReadList(reader, entry);
  }
  yaml_event_delete(&event);
  return fine;
}

/* After the start of a map, up to and with its end. */
static PetscBool ReadMap(Reader *reader, const char *prefix)
{
  for (;;) {
    yaml_event_t event;
    char         name[NAME_ROOM];
    PetscBool    end, fine = PETSC_TRUE;
    size_t       line;
    if (!Next(reader, &event)) return PETSC_FALSE;
    line = Line(&event);
    end  = event.type == YAML_MAPPING_END_EVENT ? PETSC_TRUE : PETSC_FALSE;
    if (event.type == YAML_SCALAR_EVENT) fine = JoinName(reader, prefix, &event, name);
    else if (!end) fine = Fail(reader, line, "a key is one word, no list or map");
    yaml_event_delete(&event);
    if (end || !fine) return fine;
    if (!ReadValue(reader, name, line)) return PETSC_FALSE;
  }
}

/* The whole stream: one document, a map. */
static PetscBool ReadStream(Reader *reader)
{
  PetscInt documents = 0;

  for (;;) {
    yaml_event_t event;
    PetscBool    fine = PETSC_TRUE, end;
    if (!Next(reader, &event)) return PETSC_FALSE;
    end = event.type == YAML_STREAM_END_EVENT ? PETSC_TRUE : PETSC_FALSE;
    if (event.type == YAML_DOCUMENT_START_EVENT && documents++) fine = Fail(reader, Line(&event), "a second document begins here; a case file holds one");
    else if (event.type == YAML_MAPPING_START_EVENT) fine = ReadMap(reader, "");
    else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT) fine = Fail(reader, Line(&event), "a case file holds keys ('grid:', then indented 'cells: [32, 64]')");
    yaml_event_delete(&event);
    if (!fine) return PETSC_FALSE;
    if (end) return documents ? PETSC_TRUE : Fail(reader, 0, "is empty");
  }
}

static PetscBool ReadFile(const Reader *outer, const char *path, WeftEntries *entries, char error[ERROR_ROOM]);

/* The files named by `include`, relative to the one that names them. Their entries go before this file's. */
static PetscBool ReadIncludes(Reader *reader, WeftEntries *entries)
{
  const char  *slash  = strrchr(reader->path, '/');
  const size_t folder = slash ? (size_t)(slash - reader->path) + 1 : 0;

  for (PetscInt i = 0; i < reader->entries.count; i++) {
    const WeftEntry *entry = &reader->entries.entry[i];
    if (strcmp(entry->name, "include")) continue;
    for (PetscInt k = 0; k < entry->count; k++) {
      char path[PETSC_MAX_PATH_LEN];
      if (entry->item[k][0] == '/') snprintf(path, sizeof(path), "%s", entry->item[k]);
      else snprintf(path, sizeof(path), "%.*s%s", (int)folder, reader->path, entry->item[k]);
      if (!ReadFile(reader, path, entries, reader->error)) return PETSC_FALSE;
    }
  }
  return PETSC_TRUE;
}

static PetscBool ReadFile(const Reader *outer, const char *path, WeftEntries *entries, char error[ERROR_ROOM])
{
  Reader    reader = {.outer = outer, .path = path, .error = error};
  FILE     *file;
  PetscBool fine;
  PetscInt  depth = 0;
  struct stat status;

  for (const Reader *above = outer; above; above = above->outer, depth++)
    if (!strcmp(above->path, path) || depth > DEPTH_LIMIT) return Fail(&reader, 0, "includes itself, through %s", outer->path);
  if (!stat(path, &status) && S_ISDIR(status.st_mode)) return Fail(&reader, 0, "is a folder; a case is one of the .yaml files in it");
  file = fopen(path, "rb");
  if (!file) return outer ? Fail(&reader, 0, "cannot be read (include of %s)", outer->path) : Fail(&reader, 0, "cannot be read; is the path right?");
  if (!yaml_parser_initialize(&reader.parser)) fine = Fail(&reader, 0, "out of memory");
  else {
    yaml_parser_set_input_file(&reader.parser, file);
    fine = ReadStream(&reader) && ReadIncludes(&reader, entries) ? PETSC_TRUE : PETSC_FALSE;
    yaml_parser_delete(&reader.parser);
  }
  fclose(file);
  for (PetscInt i = 0; i < reader.entries.count && fine; i++) {
    WeftEntry *entry;
    if (!strcmp(reader.entries.entry[i].name, "include")) continue;
    if (WeftEntriesAdd(entries, &entry)) fine = Fail(&reader, 0, "out of memory");
    else {
      *entry                  = reader.entries.entry[i]; /* moves */
      reader.entries.entry[i] = (WeftEntry){0};
    }
  }
  if (WeftEntriesDestroy(&reader.entries)) fine = PETSC_FALSE;
  return fine;
}

/* ---- from rank 0 to all ------------------------------------------------------------------------------------------- */

/* Strings end to end, each with its zero. */
typedef struct {
  char  *bytes;
  size_t used, room;
} Text;

static PetscErrorCode Put(Text *text, const char *string)
{
  const size_t n = strlen(string) + 1;

  PetscFunctionBegin;
  if (text->used + n > text->room) {
    char *larger;
    text->room = 2 * (text->used + n);
    PetscCall(PetscMalloc1(text->room, &larger));
    PetscCall(PetscArraycpy(larger, text->bytes, text->used));
    PetscCall(PetscFree(text->bytes));
    text->bytes = larger;
  }
  PetscCall(PetscArraycpy(text->bytes + text->used, string, n));
  text->used += n;
  PetscFunctionReturn(0);
}

static char *Take(char **at)
{
  char *string = *at;
  *at += strlen(string) + 1;
  return string;
}

static PetscErrorCode PutEntries(Text *text, const WeftEntries *entries)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < entries->count; i++) {
    const WeftEntry *entry = &entries->entry[i];
    char             count[32];
    PetscCall(PetscSNPrintf(count, sizeof(count), "%c%" PetscInt_FMT, entry->list ? 'l' : 's', entry->count));
    PetscCall(Put(text, entry->name));
    PetscCall(Put(text, entry->origin));
    PetscCall(Put(text, count));
    for (PetscInt k = 0; k < entry->count; k++) PetscCall(Put(text, entry->item[k]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode TakeEntries(char *at, const char *end)
{
  PetscFunctionBegin;
  while (at < end) {
    WeftEntry   entry = {0};
    const char *count;
    entry.name   = Take(&at);
    entry.origin = Take(&at);
    count        = Take(&at);
    entry.list   = count[0] == 'l' ? PETSC_TRUE : PETSC_FALSE;
    entry.count  = (PetscInt)atol(count + 1);
    PetscCall(PetscMalloc1(entry.count, &entry.item));
    for (PetscInt k = 0; k < entry.count; k++) entry.item[k] = Take(&at);
    PetscCall(WeftTableSet(&entry));
    PetscCall(PetscFree(entry.item));
  }
  PetscFunctionReturn(0);
}

/* The folder that holds the file, by name. */
static void NameCase(const char *path)
{
  char *whole = realpath(path, NULL), *slash = whole ? strrchr(whole, '/') : NULL;

  if (slash) *slash = 0;
  slash = whole ? strrchr(whole, '/') : NULL;
  snprintf(case_name, sizeof(case_name), "%s", slash && slash[1] ? slash + 1 : "case");
  free(whole);
}

PetscErrorCode WeftCaseLoad(const char *path)
{
  char        error[ERROR_ROOM] = "";
  WeftEntries entries           = {NULL, 0, 0};
  Text        text              = {NULL, 0, 0};
  PetscMPIInt rank, bytes;
  PetscBool   failed = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) {
    failed = ReadFile(NULL, path, &entries, error) ? PETSC_FALSE : PETSC_TRUE;
    NameCase(path);
    PetscCall(PutEntries(&text, &entries));
    PetscCall(WeftEntriesDestroy(&entries));
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed, "%s", error));
  bytes = (PetscMPIInt)text.used;
  PetscCallMPI(MPI_Bcast(&bytes, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (rank) PetscCall(PetscMalloc1(bytes, &text.bytes));
  PetscCallMPI(MPI_Bcast(text.bytes, bytes, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Bcast(case_name, sizeof(case_name), MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscCall(WeftTableForgetCase());
  PetscCall(TakeEntries(text.bytes, text.bytes + bytes));
  PetscCall(WeftTableToPetsc());
  PetscCall(PetscFree(text.bytes));
  PetscCall(PetscStrncpy(WeftCaseFile, path, sizeof(WeftCaseFile)));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCasePath(const char *name, char path[], size_t room)
{
  const char *slash = strrchr(WeftCaseFile, '/');
  PetscBool   there = PETSC_FALSE;

  PetscFunctionBegin;
  if (!PetscGlobalRank) there = access(name, F_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
  if (there || !slash || name[0] == '/') PetscCall(PetscStrncpy(path, name, room));
  else PetscCall(PetscSNPrintf(path, room, "%.*s/%s", (int)(slash - WeftCaseFile), WeftCaseFile, name));
  PetscFunctionReturn(0);
}
