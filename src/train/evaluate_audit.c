/* Audits of the verb rollout: a table of figures and one of spectra for each run of each simulation, written by its replica. */
#include "train/evaluate.h"

static PetscErrorCode Open(const WeftEvaluation *e, const char *kind, PetscInt run, PetscInt simulation, PetscBool mine, FILE **file)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  *file = NULL;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s_%s_%d.csv", e->folder, kind, run == WEFT_UNCORRECTED ? "uncorrected" : "corrected", (int)simulation));
  if (mine) *file = fopen(path, "w");
  PetscCall(WeftAgree(PETSC_COMM_WORLD, mine && !*file ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluationAuditOpen(WeftEvaluation *e)
{
  const PetscInt dim = WeftGridLayout(e->grid)->dim, rows = e->info.simulations * WEFT_RUNS;
  PetscMPIInt    rank;

  PetscFunctionBegin;
  PetscCall(WeftAuditBoundsFromKeys(&e->bounds));
  PetscCall(PetscCalloc4(e->batch, &e->figures, rows, &e->first_energy, rows, &e->audit, rows, &e->spectrum));
  if (!WeftModelIsFlow(e->run[0].model)) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(e->members.space, &rank));
  for (PetscInt s = 0; s < e->info.simulations; s++) {
    for (PetscInt r = 0; r < e->runs; r++) {
      const PetscBool mine = s >= e->first && s < e->first + e->count && !rank ? PETSC_TRUE : PETSC_FALSE;
      const PetscInt  at   = s * WEFT_RUNS + r;
      PetscCall(Open(e, "audit", r, s, mine, &e->audit[at]));
      PetscCall(Open(e, "spectrum", r, s, mine, &e->spectrum[at]));
      WeftAuditHead(e->audit[at], dim);
      WeftSpectrumHead(e->spectrum[at]);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluationAudit(WeftEvaluation *e, PetscInt r, PetscInt n, const WeftState outputs[])
{
  const PetscReal time = e->info.first_time + (PetscReal)n * e->info.frame_time;

  PetscFunctionBegin;
  if (!WeftModelIsFlow(e->run[r].model)) PetscFunctionReturn(0);
  PetscCall(WeftModelMeasure(e->run[r].model, outputs, e->figures));
  for (PetscInt s = 0; s < e->count; s++) {
    const PetscInt at = (e->first + s) * WEFT_RUNS + r;
    if (e->unstable[at]) continue;
    if (n == 1) e->first_energy[at] = e->figures[s].kinetic_energy;
    WeftAuditRow(e->audit[at], WeftGridLayout(e->grid)->dim, n, time, &e->figures[s]);
    if (WeftAuditBroken(&e->bounds, e->first_energy[at], &e->figures[s])) e->unstable[at] = n;
    if (n == e->picture_step || n == e->steps || e->unstable[at]) PetscCall(WeftSpectrumWrite(e->spectrum[at], n, time, outputs[0], s));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluationAuditClose(WeftEvaluation *e)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < e->info.simulations * WEFT_RUNS; i++) {
    if (e->audit[i]) fclose(e->audit[i]);
    if (e->spectrum[i]) fclose(e->spectrum[i]);
  }
  PetscCall(PetscFree4(e->figures, e->first_energy, e->audit, e->spectrum));
  PetscFunctionReturn(0);
}
