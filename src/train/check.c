/* The verb check: are the gradients of this case right, on these ranks? */
#include <stdarg.h>
#include <sys/resource.h>
#include "train/check.h"

void WeftCheckFault(WeftGradientCheck *c, const char *format, ...)
{
  va_list arguments;
  size_t  length;

  if (!c->passed) return;
  c->passed = PETSC_FALSE;
  va_start(arguments, format);
  (void)PetscVSNPrintf(c->fault, sizeof(c->fault), format, &length, arguments);
  va_end(arguments);
}

/* What the gradient took: bytes of the tape, of the whole process, steps played again. Of the rank with the most. */
static PetscErrorCode ReportTape(WeftGradientCheck *c, double seconds)
{
  const WeftTrainer t = c->trainer;
  struct rusage     usage;
  size_t            predicted, measured;
  PetscReal         plays[2];
  double            most[4];

  PetscFunctionBegin;
  PetscCall(WeftRolloutMemory(t->rollout, &predicted, &measured));
  PetscCall(WeftRolloutPlays(t->rollout, &plays[0], &plays[1]));
  getrusage(RUSAGE_SELF, &usage);
  most[0] = (double)predicted;
  most[1] = (double)measured;
  most[2] = 1024.0 * (double)usage.ru_maxrss;
  most[3] = seconds;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, 4, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(WeftLog("tape: %.4g MB on a rank (predicted %.4g), resident set at most %.4g MB; %.3f steps played again for each of %d (predicted %.3f); gradient in %.3g s", 1e-6 * most[1], 1e-6 * most[0], 1e-6 * most[2], (double)plays[1], (int)t->unroll, (double)plays[0], most[3]));
  PetscCall(WeftSummaryInt(c->summary, "tape_bytes_predicted", (PetscInt64)most[0]));
  PetscCall(WeftSummaryInt(c->summary, "tape_bytes_measured", (PetscInt64)most[1]));
  PetscCall(WeftSummaryInt(c->summary, "resident_bytes_most", (PetscInt64)most[2]));
  PetscCall(WeftSummaryReal(c->summary, "tape_played_again_predicted", plays[0]));
  PetscCall(WeftSummaryReal(c->summary, "tape_played_again_measured", plays[1]));
  PetscCall(WeftSummaryReal(c->summary, "tape_seconds", most[3]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Differentiate(WeftGradientCheck *c)
{
  const WeftTrainer t = c->trainer;
  double            begin;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(t->parameters, &c->weights));
  PetscCall(WeftStateCreate(t->velocity, &c->initial));
  begin = MPI_Wtime();
  PetscCall(WeftTrainerDifferentiate(t, &c->loss, c->weights, &c->initial));
  PetscCall(ReportTape(c, MPI_Wtime() - begin));
  WeftCheck(isfinite(c->loss), PETSC_COMM_WORLD, "the loss of the rollout is %g", (double)c->loss);
  PetscCall(WeftSummaryInt(c->summary, "replicas", t->info.replicas));
  PetscCall(WeftSummaryInt(c->summary, "space", t->info.space_size));
  PetscCall(WeftSummaryInt(c->summary, "parameters", t->parameters));
  PetscCall(WeftSummaryInt(c->summary, "unroll", t->unroll));
  PetscCall(WeftSummaryInt(c->summary, "batch", t->batch));
  PetscCall(WeftSummaryReal(c->summary, "loss", c->loss));
  PetscFunctionReturn(0);
}

static PetscErrorCode Announce(const WeftGradientCheck *c)
{
  const WeftTrainer t = c->trainer;

  PetscFunctionBegin;
  PetscCall(WeftLog("%d parameters, %d samples x %d steps, team %d x %d (replicas x space), net in float%d", (int)t->parameters, (int)t->batch, (int)t->unroll, (int)t->info.replicas, (int)t->info.space_size, c->single ? 32 : 64));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(WeftGradientCheck *c, const char *folder)
{
  char      path[PETSC_MAX_PATH_LEN], other[PETSC_MAX_PATH_LEN];
  PetscBool operators, rollout, horizon;

  PetscFunctionBegin;
  PetscCall(WeftGetBool("check_operators", &operators));
  PetscCall(WeftGetBool("check_rollout", &rollout));
  PetscCall(WeftGetBool("check_horizon", &horizon));
  PetscCall(WeftGetString("check_compare", other, sizeof(other)));
  PetscCall(Announce(c));
  PetscCall(WeftCostBegin("check"));
  if (operators) PetscCall(WeftCheckOperators(c));
  PetscCall(Differentiate(c));
  if (rollout) PetscCall(WeftCheckRollout(c));
  if (horizon) PetscCall(WeftCheckHorizon(c, folder));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/gradient.h5", folder));
  PetscCall(WeftCheckWrite(c, path));
  PetscCall(WeftCostEnd(1));
  PetscCall(WeftLog("gradient at loss %.15g in %s", (double)c->loss, path));
  if (other[0]) PetscCall(WeftCheckCompare(c, path, other));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckCase(void)
{
  WeftGradientCheck check = {0}, *c = &check;
  char              folder[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  c->passed = PETSC_TRUE;
  PetscCall(WeftCheckCompareReady());
  PetscCall(WeftCheckStart(&c->trainer));
  c->single = WeftSpaceGetInfo(WeftOpInSpace(WeftNetOp(c->trainer->hybrid.net), 0))->single;
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("check", folder, sizeof(folder)));
  PetscCall(WeftSummaryCreate("check", &c->summary));
  PetscCall(Run(c, folder));
  PetscCall(WeftSummaryString(c->summary, "fault", c->fault));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  PetscCall(WeftSummaryWrite(c->summary, path));
  PetscCall(WeftSummaryDestroy(&c->summary));
  PetscCall(PetscFree(c->weights));
  PetscCall(WeftStateDestroy(&c->initial));
  PetscCall(WeftTrainerDestroy(&c->trainer));
  WeftCheck(c->passed, PETSC_COMM_WORLD, "%s", c->fault);
  PetscFunctionReturn(0);
}
