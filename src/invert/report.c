/* What an inversion writes: history.csv, summary.json, the unknowns, the fields. */
#include "invert/impl.h"

PetscErrorCode WeftHistoryOpen(WeftInversion v)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(WeftInversionPath(v, "history.csv", path));
  if (!PetscGlobalRank) v->table = fopen(path, "w");
  PetscCall(WeftAgree(PETSC_COMM_WORLD, !PetscGlobalRank && !v->table ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  if (!v->table) PetscFunctionReturn(0);
  fprintf(v->table, "iteration,loss");
  for (PetscInt t = 0; t < v->terms; t++) fprintf(v->table, ",%s", v->term[t].name);
  fprintf(v->table, ",gradient_norm,evaluations,seconds\n");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftHistoryRow(WeftInversion v)
{
  PetscFunctionBegin;
  if (!v->table) PetscFunctionReturn(0);
  fprintf(v->table, "%d,%.12g", (int)v->iteration, (double)v->loss);
  for (PetscInt t = 0; t < v->terms; t++) fprintf(v->table, ",%.12g", (double)v->term[t].value);
  fprintf(v->table, ",%.9g,%d,%.6g\n", (double)v->gradient_norm, (int)v->evaluations, v->seconds_before + MPI_Wtime() - v->begin);
  fflush(v->table);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInversionReport(WeftInversion v)
{
  char        path[PETSC_MAX_PATH_LEN];
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("invert", &summary));
  PetscCall(WeftSummaryInt(summary, "iterations", v->iteration));
  PetscCall(WeftSummaryInt(summary, "evaluations", v->evaluations));
  PetscCall(WeftSummaryReal(summary, "loss", v->loss));
  PetscCall(WeftSummaryReal(summary, "gradient_norm", v->gradient_norm));
  PetscCall(WeftInversionPath(v, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(WeftLog("%d iterations, %d evaluations, loss %.6g; results in %s", (int)v->iteration, (int)v->evaluations, (double)v->loss, v->folder));
  PetscFunctionReturn(0);
}
