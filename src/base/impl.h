/* Inside src/base: the table of what the user set, the registry of keys, and small helpers. */
#ifndef WEFT_BASE_IMPL_H
#define WEFT_BASE_IMPL_H
#include <weft/base.h>
#include <stdarg.h>

/* ---- registry -------------------------------------------------------------------------------------------------- */

typedef enum { WEFT_KIND_INT, WEFT_KIND_REAL, WEFT_KIND_BOOL, WEFT_KIND_STRING, WEFT_KIND_ENUM, WEFT_KIND_INTS, WEFT_KIND_REALS, WEFT_KIND_STRINGS } WeftKind;
typedef struct {
  const char *name;
  WeftKind    kind;
  const char *fallback, *unit, *help; /* fallback: the default's text */
} WeftKeyRow;
const WeftKeyRow *WeftRegistryRows(PetscInt *count);
const WeftKeyRow *WeftRegistryFind(const char *key); /* NULL: no such key */
const char       *WeftRegistryNearest(const char *word);
/* What values of a row look like, for messages: "an integer", "one of mirror, value". */
void WeftRegistryExpected(const WeftKeyRow *row, char text[], size_t room);

typedef enum { WEFT_OWNER_WEFT, WEFT_OWNER_PETSC_OBJECT, WEFT_OWNER_PETSC, WEFT_OWNER_NOBODY } WeftOwner;
/* Whose key is it: Weft's, that of a solver object of PETSc, or a global one of PETSc (-log_view)? */
WeftOwner WeftKeyOwner(const char *key);

/* ---- what the user set ------------------------------------------------------------------------------------------ */

typedef struct {
  char     *name, *origin; /* origin: "cases/wake/train.yaml:12" or "command line" */
  PetscBool command_line, in_petsc; /* in_petsc: a case file's, handed to PETSc's data base */
  PetscBool list; /* a YAML list: items[] are its items; otherwise one item, the text */
  PetscInt  count;
  char    **item;
} WeftEntry;
typedef struct {
  WeftEntry *entry;
  PetscInt   count, room;
} WeftEntries;
/* One more, zeroed entry. */
PetscErrorCode WeftEntriesAdd(WeftEntries *entries, WeftEntry **entry);
PetscErrorCode WeftEntriesDestroy(WeftEntries *entries);

/* The table: copies. The command line is not overridden; otherwise a later call wins. */
PetscErrorCode   WeftTableSet(const WeftEntry *entry);
const WeftEntry *WeftTableFind(const char *key);
const WeftEntry *WeftTableEntry(PetscInt i); /* NULL: no more */
/* Hands what a case file says of PETSc's objects to PETSc, unless it is set there already. */
PetscErrorCode   WeftTableToPetsc(void);
PetscErrorCode   WeftTableForgetCase(void); /* all but the command line */
PetscErrorCode   WeftTableDestroy(void);
/* Is the value of the right kind? Otherwise WeftFailKey. */
PetscErrorCode WeftTableCheckKind(const WeftKeyRow *row);

/* Does word begin a key of a command line ("-name", "--name")? *key: its name. */
PetscBool      WeftIsKey(const char *word, const char **key);
PetscErrorCode WeftCommandLineRead(int argc, char **argv);
/* Does the key of a PETSc object make it print or draw? */
PetscBool WeftIsMonitor(const char *key);
/* Monitors and viewers of PETSc's objects are switched off on this rank (replicas other than the first). */
PetscErrorCode WeftDropMonitors(void);

/* ---- faults of one replica ---------------------------------------------------------------------------------------- */

PetscErrorCode WeftPrepareUntold(void);
/* At the end, on all ranks: the first message that WeftFail and WeftAgree kept on a part of the world is told. If the other ranks
   do not come, because the fault is one replica's alone, it ends them. */
PetscErrorCode WeftTellUntold(void);

/* ---- cost --------------------------------------------------------------------------------------------------------- */

typedef struct {
  double     seconds[WEFT_PHASES];
  PetscInt64 messages[WEFT_PHASES], bytes[WEFT_PHASES];
} WeftCosts;
extern const char *const WeftPhaseName[WEFT_PHASES];

PetscErrorCode WeftPhasesStart(void); /* registers the phases */
/* Since the start of the program. Phases under way count up to now. */
WeftCosts WeftCostsNow(void);
/* Adds the costs: mean and most of the ranks. Collective on the world. */
PetscErrorCode WeftCostSummarise(WeftSummary summary);

/* ---- summary ------------------------------------------------------------------------------------------------------ */

PetscErrorCode WeftSummaryNew(WeftSummary *summary); /* empty */
/* Under a temporary name, to the disk, then renamed: a file of the final name is whole. Not collective; PETSC_FALSE: errno says why. */
PetscBool WeftSummaryStore(WeftSummary summary, const char *path);

/* ---- random, log ------------------------------------------------------------------------------------------------ */

void WeftPhilox(const unsigned counter[4], const unsigned key[2], unsigned bits[4]);
/* A live line stands on the terminal: a log line has to end it first. */
extern PetscBool WeftLiveLine;
PetscErrorCode   WeftLiveLineEnd(void);

/* Number of replicas for `size` ranks and a batch. */
PetscInt WeftTeamChoose(PetscInt size, PetscInt batch);

/* ---- start ------------------------------------------------------------------------------------------------------- */

extern PetscLogDouble WeftStartTime; /* of the program: wall times of summaries count from here */

extern const char *WeftHelpText; /* what WeftInitialize was given */
void        WeftBlisChoose(void); /* before the first call of BLIS */
void        WeftBlisStart(void);
void        WeftBlisEnd(void);
extern char WeftCaseFile[PETSC_MAX_PATH_LEN]; /* as the user wrote it; empty: none loaded */
#endif
