/* base: errors, case files and options, log and progress, random numbers, team. */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H
#include <petscsys.h>

#if defined(__cplusplus)
extern "C" {
#endif

#if defined(__GNUC__)
  #define WEFT_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
  #define WEFT_FORMAT(text, first)
#endif

/* ---- start and end ------------------------------------------------------------------------------------------- */

/* Starts PETSc (and MPI), installs Weft's error handler, picks the BLIS kernels of this CPU. Collective on the world. */
PetscErrorCode WeftInitialize(int *argc, char ***argv, const char *help);
PetscErrorCode WeftFinalize(void);
/* Kernels that BLIS chose, as "skx". */
const char *WeftBlisKernels(void);

/* ---- errors of the user -------------------------------------------------------------------------------------- */

/* Error code of a mistake in a case file, option or data file: one message, no stack, non-zero exit. */
#define WEFT_ERR_USER 200

/* Prints "weft: error: ..." once (rank 0 of comm) and returns WEFT_ERR_USER on every rank. Collective on comm: every rank
   has seen the same mistake. If comm is a part of the world, as a replica is, the message is noted instead (WeftNote) on its rank 0.
   Use as  if (bad) return WeftFail(comm, "...", ...);  or through WeftCheck. */
PetscErrorCode WeftFail(MPI_Comm comm, const char *format, ...) WEFT_FORMAT(2, 3);

/* Agrees on a mistake that perhaps one rank alone has seen. Collective on comm. Each rank says whether it failed; when any
   did, the message of the lowest failing rank is printed once and all ranks return WEFT_ERR_USER, otherwise 0. */
PetscErrorCode WeftAgree(MPI_Comm comm, PetscBool failed, const char *format, ...) WEFT_FORMAT(3, 4);

/* A mistake that a rank or a replica meets alone: it keeps the first message and goes on. Not collective. */
PetscErrorCode WeftNote(const char *format, ...) WEFT_FORMAT(1, 2);
PetscBool      WeftNoted(void); /* does this rank keep one? */
/* For attempts that may fail: while held, WeftFail and WeftAgree note their message instead of telling it; Take hands this rank's note
   over (room 0: does not) and forgets it. Not collective. */
void WeftHoldMessages(PetscBool hold);
void WeftTakeNote(char text[], size_t room);
/* At the end of a phase: with a note on any rank of comm, that of the lowest one is told and all return WEFT_ERR_USER; the notes are
   cleared. On a part of the world it is noted for that part, and whoever agrees for the world next tells it: a phase of one replica ends
   with its own agreement, one of all replicas with that of the world, and WeftFinalize agrees once more. Collective on comm. */
PetscErrorCode WeftAgreeNotes(MPI_Comm comm);
/* The text of the lowest rank that has one becomes that of all; empty texts say nothing. found (may be NULL): was there one? room: the
   same on every rank. Collective on comm. */
PetscErrorCode WeftFirstText(MPI_Comm comm, char text[], size_t room, PetscBool *found);

#define WeftCheck(condition, comm, ...)                                                                                        \
  do {                                                                                                                         \
    if (PetscUnlikely(!(condition))) return WeftFail(comm, __VA_ARGS__);                                                       \
  } while (0)

/* Exit status of the command after an error of the user: 1 unless set (an optimiser that failed says how). Not collective. */
void WeftSetExitStatus(int status);
int  WeftExitStatus(void);

/* ---- options: one registry of every key ---------------------------------------------------------------------- */

/* A key is a row of src/base/keys.h: name without dash, kind, default, unit, help. Reading a key that has no row is an error
   of the program. The command line wins over the case file, the case file over the default. Not collective, but every rank
   of the world must see the same. Lists: *count holds the room on entry, the number of values on return. */
PetscErrorCode WeftGetInt(const char *key, PetscInt *value);
PetscErrorCode WeftGetReal(const char *key, PetscReal *value);
PetscErrorCode WeftGetBool(const char *key, PetscBool *value);
PetscErrorCode WeftGetString(const char *key, char value[], size_t room);
PetscErrorCode WeftGetSize(const char *key, size_t *bytes);   /* a text as 500MB, 2GiB, 1e9 */
PetscErrorCode WeftGetEnum(const char *key, PetscInt *value); /* position in the choices of the row */
PetscErrorCode WeftGetIntList(const char *key, PetscInt values[], PetscInt *count);
PetscErrorCode WeftGetRealList(const char *key, PetscReal values[], PetscInt *count);
PetscErrorCode WeftGetStringList(const char *key, char ***values, PetscInt *count); /* free with WeftFreeStringList */
PetscErrorCode WeftFreeStringList(char ***values, PetscInt count);
PetscErrorCode WeftHasKey(const char *key, PetscBool *set);

/* Reads a case file (YAML) into the options data base. Collective on the world. `include: other.yaml` (relative to the file)
   is read first and overridden. Errors name file, line and key. */
PetscErrorCode WeftCaseLoad(const char *path);
/* Where a key was set, for messages: "cases/wake/train.yaml:12" or "command line" or "default". */
const char *WeftKeyOrigin(const char *key);
/* Fails when a Weft key on the command line or in the case file is unknown, naming the nearest valid one. Collective on the
   world. Keys of PETSc's objects are checked by WeftCheckUnusedOptions after set-up. */
PetscErrorCode WeftCheckKeys(void);
PetscErrorCode WeftCheckUnusedOptions(void);
/* Prints every key with unit, default and help. Collective on the world. */
PetscErrorCode WeftPrintKeys(void);
/* Fails with "<origin>: <key> = <value>: <message>". Collective on comm. */
PetscErrorCode WeftFailKey(MPI_Comm comm, const char *key, const char *format, ...) WEFT_FORMAT(3, 4);

/* What the user set, "key: value" a line, in the order of the registry; free with PetscFree. Not collective. */
PetscErrorCode WeftSettings(char **text);
/* Keys whose values in such a text, or by default, are others than now, as "key = theirs (now ours), ..."; keys that begin with a
   word of ignored[] (NULL at its end) are left out. */
PetscErrorCode WeftSettingsCompare(const char *settings, const char *const ignored[], char differences[], size_t room);

/* ---- an end before the work is done ---------------------------------------------------------------------------- */

/* Exit status of a run that a signal (SIGUSR1, SIGTERM, SIGINT) or -time_limit ended: its state is on the disk, the same command
   with -..._resume auto goes on. */
#define WEFT_STATUS_STOPPED 75
/* -time_limit in seconds from the start; PETSC_MAX_REAL without one. Fails on a text that is no time. */
PetscErrorCode WeftTimeLimit(double *seconds);
/* From now on SIGUSR1, SIGTERM and SIGINT are requests to end, for verbs that ask WeftStopAgree; a second SIGTERM or SIGINT ends the
   program at once. Not collective. */
void WeftStopListen(void);
/* The longest that this run took so far for a piece of work, and for the file that it can go on from; 0: there was none yet. */
typedef struct {
  double work, file; /* s */
} WeftStopTimes;
/* Has any rank been asked to end, or would twice the time of `pieces` more pieces of work and of the file go beyond the limit? Says why,
   once. For verbs that can go on later, between two pieces of work. Collective on the world. */
PetscErrorCode WeftStopAgree(const WeftStopTimes *times, PetscInt pieces, PetscBool *stop);
/* Is there a limit, and no file yet that tells how long files take? Then one is due now. The same on every rank. */
PetscErrorCode WeftStopMustTime(const WeftStopTimes *times, PetscBool *due);
PetscBool      WeftStopped(void); /* has a run been told to end? */

/* ---- counter-based random numbers ---------------------------------------------------------------------------- */

/* Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC11). A value depends on
   (seed, stream, counter) alone, so every layout draws the same. */
typedef enum {
  WEFT_STREAM_WEIGHTS = 1,
  WEFT_STREAM_ORDER   = 2,
  WEFT_STREAM_TEST    = 3,
  WEFT_STREAM_NOISE   = 4,
  WEFT_STREAM_INITIAL = 5,
  WEFT_STREAM_WAVES   = 6,
  WEFT_STREAM_TURN    = 7
} WeftStream;
void   WeftRandomBits(PetscInt64 seed, WeftStream stream, PetscInt64 counter, unsigned bits[4]);
double WeftRandomUniform(PetscInt64 seed, WeftStream stream, PetscInt64 counter); /* [0, 1), 53 bits */
double WeftRandomNormal(PetscInt64 seed, WeftStream stream, PetscInt64 counter);
/* order[0..n) becomes a random permutation of 0..n-1, the same on every rank. */
void WeftRandomPermutation(PetscInt64 seed, WeftStream stream, PetscInt64 counter, PetscInt n, PetscInt order[]);

/* ---- log, progress, summary ---------------------------------------------------------------------------------- */

/* One line on standard output of world rank 0. Not collective. */
PetscErrorCode WeftLog(const char *format, ...) WEFT_FORMAT(1, 2);
PetscErrorCode WeftWarn(const char *format, ...) WEFT_FORMAT(1, 2); /* on standard error */

/* Live line on a terminal, plain lines (at most one every few seconds) in a file: "label  done/total  rate  left  text". */
typedef struct _n_WeftProgress *WeftProgress;
PetscErrorCode WeftProgressCreate(const char *label, PetscInt total, WeftProgress *progress);
PetscErrorCode WeftProgressUpdate(WeftProgress progress, PetscInt done, const char *format, ...) WEFT_FORMAT(3, 4);
PetscErrorCode WeftProgressDestroy(WeftProgress *progress); /* ends the line */

/* A JSON object under construction, written by world rank 0 to a temporary name and renamed. Nested keys by '/'. */
typedef struct _n_WeftSummary *WeftSummary;
PetscErrorCode WeftSummaryCreate(const char *verb, WeftSummary *summary); /* fills case, ranks, versions */
PetscErrorCode WeftSummaryReal(WeftSummary summary, const char *key, double value);
PetscErrorCode WeftSummaryInt(WeftSummary summary, const char *key, PetscInt64 value);
PetscErrorCode WeftSummaryString(WeftSummary summary, const char *key, const char *value);
PetscErrorCode WeftSummaryRealList(WeftSummary summary, const char *key, PetscInt n, const double values[]);
PetscErrorCode WeftSummaryWrite(WeftSummary summary, const char *path); /* collective on the world; adds wall time and costs */
PetscErrorCode WeftSummaryDestroy(WeftSummary *summary);

/* Output folder of this run: -output, default output/<case>/<verb>; made if missing. Collective on the world. */
PetscErrorCode WeftOutputFolder(const char *verb, char path[], size_t room);
/* Name of the loaded case: the folder of the case file. */
const char *WeftCaseName(void);
/* How many ranks of this run share the memory of this rank's node; 1 or more after WeftInitialize. Not collective. */
int WeftNodeRanks(void);

/* ---- cost: where the time goes, what the ranks tell each other ------------------------------------------------ */

/* What a rank is at. With PETSc's log on, phases are stages of it, so -log_view lists them by the names "solver", "net", "halo",
   "halo wait", "transpose", "reduction", "files". Time counts for the innermost phase alone, hence the phases of a rank add up to its wall
   time; OTHER is what lies in none of them (losses, optimiser, set-up). */
typedef enum {
  WEFT_PHASE_OTHER,
  WEFT_PHASE_SOLVER,    /* the step of a model */
  WEFT_PHASE_NET,       /* nets and the corrections that they give */
  WEFT_PHASE_HALO,      /* packing, sending and unpacking ghosts, side rules */
  WEFT_PHASE_HALO_WAIT, /* waiting for ghosts */
  WEFT_PHASE_TRANSPOSE, /* moving lines between ranks, and waiting for them */
  WEFT_PHASE_REDUCTION, /* sums and agreements over ranks, and waiting for them */
  WEFT_PHASE_FILES,
  WEFT_PHASES
} WeftPhase;
/* Not collective. In pairs, one within the other; a phase that an error left open ends with the one around it. */
PetscErrorCode WeftPhaseBegin(WeftPhase phase);
PetscErrorCode WeftPhaseEnd(WeftPhase phase);
/* Counts messages that this rank sends (REDUCTION: reductions in which it takes part) and their bytes. Not collective. */
void WeftCostCount(WeftPhase phase, PetscInt64 messages, PetscInt64 bytes);
/* The counts since the start. Those of PETSc's own objects (Krylov solvers) are not in them, but in -log_view. */
void WeftCostMessages(WeftPhase phase, PetscInt64 *messages, PetscInt64 *bytes);
/* MPI_Allreduce in place as phase REDUCTION, counted; nothing on a communicator of one rank. Collective on comm. */
PetscErrorCode WeftReduce(void *values, PetscMPIInt count, MPI_Datatype type, MPI_Op op, MPI_Comm comm);
/* The loop of a verb: costs are those between these two, per unit ("update", "step"), in the table of WeftCostPrint and in
   summaries; without a loop since the start, per run. Not collective. */
PetscErrorCode WeftCostBegin(const char *unit);
PetscErrorCode WeftCostEnd(PetscInt units);
/* Logs the costs of a loop: shares of time, messages; with -cost the table of times per rank and phase, the imbalance, messages
   and bytes. Collective on the world. */
PetscErrorCode WeftCostPrint(void);

/* A file that a case names: as it stands, or, if there is none, beside the case file. Collective on the world. */
PetscErrorCode WeftCasePath(const char *name, char path[], size_t room);

/* ---- team: replicas x space ---------------------------------------------------------------------------------- */

/* The world laid out as replicas x space: rank = replica * space_size + space_rank. Ranks of one replica share a domain;
   replicas step different samples. */
typedef struct {
  MPI_Comm world, space;
  PetscInt replicas, replica;     /* number of replicas, mine */
  PetscInt space_size, space_rank; /* ranks that share my domain, my place */
} WeftTeamInfo;
typedef struct _n_WeftTeam *WeftTeam;

/* Splits the world. replicas = 0: chosen so that the samples of a batch spread evenly with the fewest ranks per domain
   (-team_replicas overrides). Collective on the world. */
PetscErrorCode WeftTeamCreate(PetscInt batch, PetscInt replicas, WeftTeam *team);
PetscErrorCode WeftTeamGetInfo(WeftTeam team, WeftTeamInfo *info);
/* Samples [*first, *first + *count) of a batch are stepped by my replica; the counts of two replicas differ by at most 1. */
PetscErrorCode WeftTeamShare(WeftTeam team, PetscInt batch, PetscInt *first, PetscInt *count);
PetscErrorCode WeftTeamDestroy(WeftTeam *team);

#if defined(__cplusplus)
}
#endif
#endif
