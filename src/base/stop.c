/* The orderly end of a run that has not done all of its work: a signal, or the wall-time limit of the job. */
#include "base/impl.h"
#include <petsctime.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t asked;   /* number of the signal that came first */
static PetscBool             stopped; /* the verb took notice */

static void Ask(int number)
{
  if (!asked) asked = number;
}

void WeftStopListen(void)
{
  static const int numbers[] = {SIGUSR1, SIGTERM, SIGINT};

  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = Ask;
    action.sa_flags   = SA_RESTART | (numbers[i] == SIGUSR1 ? 0 : (int)SA_RESETHAND); /* a second Ctrl-C ends the run at once */
    sigemptyset(&action.sa_mask);
    sigaction(numbers[i], &action, NULL);
  }
}

/* "90", "90min", "1:30:00", "1-12:00:00": seconds; negative: no time. */
static double Seconds(const char *text)
{
  const char *dash = strchr(text, '-');
  char       *end;
  double      days = dash ? strtod(text, &end) : 0.0, number[3] = {0.0, 0.0, 0.0};
  int         n = 0;

  if (dash && end != dash) return -1.0;
  if (dash) text = dash + 1;
  for (; n < 3; n++) {
    number[n] = strtod(text, &end);
    if (end == text || !(number[n] >= 0.0)) return -1.0;
    text = end + 1;
    if (*end != ':') break;
  }
  if (n == 3) return -1.0;
  if (n == 0) {
    const double factor = !*end || !strcmp(end, "s") ? 1.0 : !strcmp(end, "min") ? 60.0 : !strcmp(end, "h") ? 3600.0 : -1.0;
    return dash ? (*end ? -1.0 : 86400.0 * days + 3600.0 * number[0]) : factor * number[0];
  }
  if (*end) return -1.0;
  return 86400.0 * days + (n == 1 ? 60.0 * number[0] + number[1] : 3600.0 * number[0] + 60.0 * number[1] + number[2]);
}

PetscErrorCode WeftTimeLimit(double *seconds)
{
  char text[64];

  PetscFunctionBegin;
  PetscCall(WeftGetString("time_limit", text, sizeof(text)));
  *seconds = text[0] ? Seconds(text) : PETSC_MAX_REAL;
  if (!(*seconds > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "time_limit", "is no time; write 3600, 90min, 1:30:00 or 1-12:00:00");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStopMustTime(const WeftStopTimes *times, PetscBool *due)
{
  double limit;

  PetscFunctionBegin;
  PetscCall(WeftTimeLimit(&limit));
  *due = limit < PETSC_MAX_REAL && times->file <= 0.0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* Twice: the next piece, or its file, may take longer than any before, and there is an end to come after them. */
PetscErrorCode WeftStopAgree(const WeftStopTimes *times, PetscInt pieces, PetscBool *stop)
{
  PetscLogDouble now;
  double         limit;
  int            why = (int)asked;

  PetscFunctionBegin;
  PetscCall(WeftTimeLimit(&limit));
  PetscCall(PetscTime(&now));
  if (!why && now - WeftStartTime + 2.0 * ((double)pieces * times->work + times->file) > limit) why = -1;
  if (why < 0) why = NSIG; /* the largest counts: a limit that one rank sees is everybody's */
  PetscCall(WeftReduce(&why, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD));
  *stop = why ? PETSC_TRUE : PETSC_FALSE;
  if (!why) PetscFunctionReturn(0);
  stopped = PETSC_TRUE;
  if (why == NSIG) PetscCall(WeftLog("the time limit of %g s is near: ending here", limit));
  else PetscCall(WeftLog("%s: ending here", strsignal(why)));
  PetscFunctionReturn(0);
}

PetscBool WeftStopped(void) { return stopped; }
