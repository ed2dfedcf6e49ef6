/* What an inversion writes beside its fields: history.csv, numbers, summary.json; and how it ended. */
#include <stdlib.h>
#include <unistd.h>
#include "invert/impl.h"

/* When going on, the rows before the iterate that is evaluated again stay. */
PetscErrorCode WeftHistoryOpen(WeftInversion v)
{
  char      path[PETSC_MAX_PATH_LEN], line[1024];
  PetscBool failed = PETSC_FALSE;
  long      end    = 0;

  PetscFunctionBegin;
  PetscCall(WeftInversionPath(v, "history.csv", path));
  if (!PetscGlobalRank) {
    v->table = v->resumed ? fopen(path, "r+") : NULL;
    while (v->table && fgets(line, sizeof(line), v->table))
      if (!end || atol(line) < v->resumed_at) end = ftell(v->table);
    if (v->table) failed = fseek(v->table, end, SEEK_SET) || ftruncate(fileno(v->table), end) ? PETSC_TRUE : PETSC_FALSE;
    else v->table = fopen(path, "w");
  }
  PetscCall(WeftAgree(PETSC_COMM_WORLD, failed || (!PetscGlobalRank && !v->table) ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  if (!v->table || end) PetscFunctionReturn(0);
  fprintf(v->table, "iteration,loss");
  for (PetscInt t = 0; t < v->terms; t++) fprintf(v->table, ",%s", v->term[t].name);
  fprintf(v->table, ",gradient_norm,evaluations,seconds%s\n", WeftModelImplicit(v->model) ? ",gradient_error" : "");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftHistoryRow(WeftInversion v)
{
  PetscFunctionBegin;
  if (!v->table) PetscFunctionReturn(0);
  fprintf(v->table, "%d,%.12g", (int)v->iteration, (double)v->loss);
  for (PetscInt t = 0; t < v->terms; t++) {
    if (isnan(v->term[t].value)) fprintf(v->table, ","); /* the optimiser's iterate is not the place of its last evaluation */
    else fprintf(v->table, ",%.12g", (double)v->term[t].value);
  }
  fprintf(v->table, ",%.9g,%d,%.6g", (double)v->gradient_norm, (int)v->evaluations, v->seconds_before + MPI_Wtime() - v->begin);
  if (WeftModelImplicit(v->model)) fprintf(v->table, ",");
  if (v->gradient_error >= 0.0) fprintf(v->table, "%.3g", (double)v->gradient_error);
  fprintf(v->table, "\n");
  fflush(v->table);
  PetscFunctionReturn(0);
}

/* Unknown numbers of all simulations, [simulation][number], true and found. */
static PetscErrorCode Numbers(WeftInversion v, const WeftUnknown *u, WeftSummary summary)
{
  const PetscInt n = v->simulations * u->width;
  double        *all;
  char           key[96], text[256] = "";

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(2 * n, &all));
  for (PetscInt i = 0; i < v->count * u->width && v->info.space_rank == 0; i++) {
    all[v->first * u->width + i]     = ((const double *)WeftStateData(u->value[0]))[i];
    all[n + v->first * u->width + i] = ((const double *)WeftStateData(v->truth[u->input]))[i];
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, (PetscMPIInt)(2 * n), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(key, sizeof(key), "unknowns/%s/value", u->name));
  PetscCall(WeftSummaryRealList(summary, key, n, all));
  PetscCall(PetscSNPrintf(key, sizeof(key), "unknowns/%s/truth", u->name));
  if (v->truth_moves) PetscCall(WeftSummaryRealList(summary, key, n, all + n));
  for (PetscInt i = 0; i < PetscMin(n, 6); i++) {
    const size_t used = strlen(text);
    PetscCall(PetscSNPrintf(text + used, sizeof(text) - used, v->truth_moves ? " %.6g (true %.6g)" : " %.6g", all[i], all[n + i]));
  }
  PetscCall(WeftLog("%s:%s%s", u->name, text, n > 6 ? " ..." : ""));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static const char *const endings[] = {"iterations", "converged", "stopped", "stalled", "line search failed", "failed"};

PetscErrorCode WeftInversionReport(WeftInversion v)
{
  char        path[PETSC_MAX_PATH_LEN], key[96];
  PetscReal   loss;
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("invert", &summary));
  PetscCall(WeftSummaryInt(summary, "iterations", v->iteration));
  PetscCall(WeftSummaryInt(summary, "evaluations", v->evaluations));
  PetscCall(WeftSummaryInt(summary, "refused", v->refused));
  PetscCall(WeftInversionEvaluate(v, v->best, &loss, NULL));
  PetscCall(WeftSummaryReal(summary, "loss", loss));
  for (PetscInt t = 0; t < v->terms; t++) {
    PetscCall(PetscSNPrintf(key, sizeof(key), "terms/%s", v->term[t].name));
    PetscCall(WeftSummaryReal(summary, key, v->term[t].value));
  }
  PetscCall(WeftSummaryReal(summary, "gradient_norm", v->gradient_norm));
  PetscCall(WeftSummaryReal(summary, "first_gradient_norm", v->first_norm));
  if (v->gradient_error >= 0.0) {
    PetscCall(WeftSummaryReal(summary, "gradient_error", v->gradient_error));
    PetscCall(WeftLog("relative error of the last gradient, estimated: %.2g", (double)v->gradient_error));
  }
  PetscCall(WeftSummaryString(summary, "ending", endings[v->ending]));
  if (v->reason) PetscCall(WeftSummaryString(summary, "tao_reason", v->reason));
  if (v->refused) PetscCall(WeftLog("the model failed at %d trial points of the line search, which took shorter steps", (int)v->refused));
  for (PetscInt k = 0; k < v->unknowns; k++)
    if (v->unknown[k].width) PetscCall(Numbers(v, &v->unknown[k], summary));
  PetscCall(WeftSolveSummary(v->model, summary));
  PetscCall(WeftInversionFields(v, summary));
  PetscCall(WeftInversionPath(v, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(WeftLog("%d iterations (%s%s%s), best loss %.6g; results in %s", (int)v->iteration, endings[v->ending], v->reason ? ": " : "", v->reason ? v->reason : "", (double)loss, v->folder));
  PetscFunctionReturn(0);
}
