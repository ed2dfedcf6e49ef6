/* What the verb rollout writes: the table, errors of every step, the summary, pictures. */
#include <stdarg.h>
#include <string.h>
#include "train/evaluate.h"

static const char *const errors[] = {"error_l1", "error_l2", "error_published"};

static const char *StateName(const WeftEvaluation *e) { return WeftModelInputName(e->run[0].model, 0); }
static const char *Heading(const WeftEvaluation *e) { return WeftModelIsFlow(e->run[0].model) ? "Re" : ""; }
static const char *RunName(PetscInt run) { return run == WEFT_UNCORRECTED ? "uncorrected" : "corrected"; }

static PetscErrorCode InFolder(const WeftEvaluation *e, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", e->folder, name));
  PetscFunctionReturn(0);
}

/* Reynolds number of a simulation; 0: the dataset does not say. */
static PetscReal Reynolds(const WeftEvaluation *e, PetscInt simulation)
{
  for (PetscInt n = 0; n < e->info.numbers; n++)
    if (!strcmp(e->info.number[n], "reynolds")) return e->numbers[simulation * e->info.numbers + n];
  return 0.0;
}

/* The Reynolds number as text; the place in the file where there is none, or another simulation has the same. */
static void Name(const WeftEvaluation *e, PetscInt simulation, char name[32])
{
  const PetscReal reynolds = Reynolds(e, simulation);
  PetscInt        same     = 0;

  for (PetscInt s = 0; s < e->info.simulations; s++) same += Reynolds(e, s) == reynolds;
  if (same == 1) snprintf(name, 32, "%.10g", (double)reynolds);
  else snprintf(name, 32, "simulation_%d", (int)simulation);
}

/* ---- table -------------------------------------------------------------------------------------------------------- */

typedef struct {
  FILE *file; /* rank 0 */
  char  line[256];
} Table;

static void Add(Table *t, const char *format, ...) WEFT_FORMAT(2, 3);
static void Add(Table *t, const char *format, ...)
{
  const size_t used = strlen(t->line);
  va_list      arguments;

  va_start(arguments, format);
  vsnprintf(t->line + used, sizeof(t->line) - used, format, arguments);
  va_end(arguments);
}

/* Ends the line, without the blanks of empty columns: to the file and to the terminal. */
static PetscErrorCode End(Table *t)
{
  PetscFunctionBegin;
  for (size_t n = strlen(t->line); n && t->line[n - 1] == ' '; n--) t->line[n - 1] = 0;
  if (t->file) fprintf(t->file, "%s\n", t->line);
  PetscCall(WeftLog("%s", t->line));
  t->line[0] = 0;
  PetscFunctionReturn(0);
}

static void AddError(Table *t, double error)
{
  if (isfinite(error)) Add(t, "%13.4f", error);
  else Add(t, "%13s", "unstable");
}

/* Uncorrected, corrected, and their ratio. */
static void AddErrors(Table *t, PetscInt count, double uncorrected, double corrected)
{
  AddError(t, uncorrected);
  if (count < 2) return;
  AddError(t, corrected);
  if (isfinite(uncorrected / corrected)) Add(t, "%12.2fx", uncorrected / corrected);
  else Add(t, "%13s", "");
}

static void AddHeads(Table *t, PetscInt count)
{
  Add(t, "%13s", "uncorrected");
  if (count > 1) Add(t, "%13s%13s", "corrected", "improvement");
}

/* Figures of others, where the case file gives them. */
static PetscErrorCode PublishedRow(const WeftEvaluation *e, Table *t, PetscInt simulation)
{
  static const char *const keys[] = {"rollout_published_reynolds", "rollout_published_uncorrected", "rollout_published_corrected"};
  PetscReal                value[3][64];
  PetscInt                 count[3];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < 3; k++) {
    count[k] = 64;
    PetscCall(WeftGetRealList(keys[k], value[k], &count[k]));
    if (count[k] != count[0]) return WeftFailKey(PETSC_COMM_WORLD, keys[k], "needs %" PetscInt_FMT " values, one for each Reynolds number of rollout_published_reynolds", count[0]);
  }
  for (PetscInt i = 0; i < count[0]; i++) {
    if (PetscAbsReal(value[0][i] - Reynolds(e, simulation)) > 1e-3 * value[0][i]) continue;
    Add(t, "%12s", "published");
    AddErrors(t, e->runs, value[1][i], value[2][i]);
    PetscCall(End(t));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode PublishedMeasure(const WeftEvaluation *e, Table *t)
{
  PetscFunctionBegin;
  Add(t, "Published measure: L1, state n against frame n + 1, mean over steps 1 to %d", (int)e->average[0]);
  PetscCall(End(t));
  Add(t, "%12s", Heading(e));
  AddHeads(t, e->runs);
  PetscCall(End(t));
  for (PetscInt s = 0; s < e->info.simulations; s++) {
    char name[32];
    Name(e, s, name);
    Add(t, "%12s", name);
    AddErrors(t, e->runs, WeftEvaluationMean(e, s, 0, WEFT_ERROR_PUBLISHED, e->average[0]), WeftEvaluationMean(e, s, 1, WEFT_ERROR_PUBLISHED, e->average[0]));
    PetscCall(End(t));
    PetscCall(PublishedRow(e, t, s));
  }
  PetscFunctionReturn(0);
}

/* One block per norm: a column group per average. */
static PetscErrorCode PlainMeasure(const WeftEvaluation *e, Table *t, PetscInt error, const char *title)
{
  PetscFunctionBegin;
  PetscCall(End(t));
  Add(t, "%s, state n against frame n, mean over steps 1 to", title);
  for (PetscInt i = 0; i < e->averages; i++) Add(t, "%s %d", i ? (i + 1 < e->averages ? "," : " and") : "", (int)e->average[i]);
  PetscCall(End(t));
  Add(t, "%12s", Heading(e));
  for (PetscInt i = 0; i < e->averages; i++) {
    if (i) Add(t, "   |");
    AddHeads(t, e->runs);
  }
  PetscCall(End(t));
  for (PetscInt s = 0; s < e->info.simulations; s++) {
    char name[32];
    Name(e, s, name);
    Add(t, "%12s", name);
    for (PetscInt i = 0; i < e->averages; i++) {
      if (i) Add(t, "   |");
      AddErrors(t, e->runs, WeftEvaluationMean(e, s, 0, error, e->average[i]), WeftEvaluationMean(e, s, 1, error, e->average[i]));
    }
    PetscCall(End(t));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Stability(const WeftEvaluation *e, Table *t)
{
  PetscBool all = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(End(t));
  for (PetscInt s = 0; s < e->info.simulations; s++) {
    for (PetscInt r = 0; r < e->runs; r++) {
      const PetscInt step = e->unstable[s * WEFT_RUNS + r];
      char           name[32];
      if (!step) continue;
      all = PETSC_FALSE;
      Name(e, s, name);
      Add(t, "%s %s %s: unstable, at step %d no longer finite, beyond a Courant number of %g, or beyond a bound of audit_...", Heading(e), name, RunName(r), (int)step, (double)e->courant_bound);
      PetscCall(End(t));
    }
  }
  if (all) {
    Add(t, "Every run stayed finite and bounded to step %d.", (int)e->steps);
    PetscCall(End(t));
  }
  Add(t, "A step of %d simulations took %.2f ms uncorrected", (int)e->batch, 1e3 * e->run[0].seconds / (double)e->steps);
  if (e->runs > 1) Add(t, ", %.2f ms corrected", 1e3 * e->run[1].seconds / (double)e->steps);
  Add(t, " (%d x %d ranks, replicas x space).", (int)e->members.replicas, (int)e->members.space_size);
  PetscCall(End(t));
  PetscFunctionReturn(0);
}

/* The learned reaction, over states that the net has not seen if the dataset is one of tests. */
static PetscErrorCode Reaction(const WeftEvaluation *e, Table *t)
{
  const WeftReactionError *r = &e->reaction;

  PetscFunctionBegin;
  if (!r->given) PetscFunctionReturn(0);
  PetscCall(End(t));
  Add(t, "Learned reaction, relative L2 error at the states of the frames: %.4f (", r->frames[r->fields]);
  for (PetscInt f = 0; f < r->fields; f++) Add(t, "%s%s %.4f", f ? ", " : "", WeftSpaceGetInfo(e->state)->name[f], r->frames[f]);
  Add(t, ")");
  PetscCall(End(t));
  if (r->visited) {
    Add(t, "over the rest of the rectangle around them, which they do not visit: %.4f", r->outside[r->fields]);
    PetscCall(End(t));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode WriteTable(const WeftEvaluation *e)
{
  char  path[PETSC_MAX_PATH_LEN];
  Table t = {NULL, ""};

  PetscFunctionBegin;
  PetscCall(InFolder(e, "table.txt", path));
  if (!PetscGlobalRank) t.file = fopen(path, "w");
  PetscCall(WeftAgree(PETSC_COMM_WORLD, !PetscGlobalRank && !t.file ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  Add(&t, "%s: %d simulations of %d frames, %d steps", WeftCaseName(), (int)e->info.simulations, (int)e->info.frames, (int)e->steps);
  if (e->runs > 1) Add(&t, ", net of %d weights", (int)e->parameters);
  Add(&t, ". Relative errors of the %s.", StateName(e));
  PetscCall(End(&t));
  PetscCall(End(&t));
  PetscCall(PublishedMeasure(e, &t));
  PetscCall(PlainMeasure(e, &t, WEFT_ERROR_L1, "L1"));
  PetscCall(PlainMeasure(e, &t, WEFT_ERROR_L2, "L2"));
  PetscCall(Reaction(e, &t));
  PetscCall(Stability(e, &t));
  if (t.file) fclose(t.file);
  PetscFunctionReturn(0);
}

/* ---- errors of every step ------------------------------------------------------------------------------------------ */

static PetscErrorCode WriteErrors(const WeftEvaluation *e)
{
  static const char *const names[] = {"l1", "l2", "published"};
  char                     path[PETSC_MAX_PATH_LEN];
  FILE                    *file = NULL;

  PetscFunctionBegin;
  PetscCall(InFolder(e, "errors.csv", path));
  if (!PetscGlobalRank) file = fopen(path, "w");
  PetscCall(WeftAgree(PETSC_COMM_WORLD, !PetscGlobalRank && !file ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  if (!file) PetscFunctionReturn(0);
  fprintf(file, "step,simulation");
  for (PetscInt r = 0; r < e->runs; r++)
    for (PetscInt i = 0; i < WEFT_ERRORS; i++) fprintf(file, ",%s_%s", RunName(r), names[i]);
  fprintf(file, "\n");
  for (PetscInt n = 1; n <= e->compared; n++) {
    for (PetscInt s = 0; s < e->info.simulations; s++) {
      fprintf(file, "%d,%d", (int)n, (int)s);
      for (PetscInt r = 0; r < e->runs; r++)
        for (PetscInt i = 0; i < WEFT_ERRORS; i++) fprintf(file, ",%.15g", WeftEvaluationError(e, s, r, i, n));
      fprintf(file, "\n");
    }
  }
  fclose(file);
  PetscFunctionReturn(0);
}

/* ---- summary -------------------------------------------------------------------------------------------------------- */

/* tests/<reynolds>/<error>/<run>, and improvement_...: over the first average; over the others with its steps behind the name. */
static PetscErrorCode SummariseTest(const WeftEvaluation *e, PetscInt simulation, WeftSummary summary)
{
  char name[32], key[128], steps[16];

  PetscFunctionBegin;
  Name(e, simulation, name);
  for (PetscInt a = 0; a < e->averages; a++) {
    steps[0] = 0;
    if (a) snprintf(steps, sizeof(steps), "_%d", (int)e->average[a]);
    for (PetscInt i = 0; i < WEFT_ERRORS; i++) {
      double mean[WEFT_RUNS];
      for (PetscInt r = 0; r < e->runs; r++) {
        mean[r] = WeftEvaluationMean(e, simulation, r, i, e->average[a]);
        PetscCall(PetscSNPrintf(key, sizeof(key), "tests/%s/%s%s/%s", name, errors[i], steps, RunName(r)));
        PetscCall(WeftSummaryReal(summary, key, mean[r]));
      }
      PetscCall(PetscSNPrintf(key, sizeof(key), "tests/%s/improvement_%s%s", name, errors[i] + strlen("error_"), steps));
      if (e->runs > 1) PetscCall(WeftSummaryReal(summary, key, mean[WEFT_UNCORRECTED] / mean[WEFT_CORRECTED]));
    }
  }
  for (PetscInt r = 0; r < e->runs; r++) {
    const PetscInt step = e->unstable[simulation * WEFT_RUNS + r];
    PetscCall(PetscSNPrintf(key, sizeof(key), "tests/%s/stable_steps/%s", name, RunName(r)));
    PetscCall(WeftSummaryInt(summary, key, step ? step - 1 : e->steps));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode WriteSummary(const WeftEvaluation *e)
{
  double      average[WEFT_AVERAGES_MAX];
  char        path[PETSC_MAX_PATH_LEN];
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("rollout", &summary));
  PetscCall(WeftSummaryString(summary, "dataset", e->dataset));
  if (e->runs > 1) {
    PetscCall(WeftSummaryString(summary, "weights", e->weights));
    PetscCall(WeftSummaryInt(summary, "parameters", e->parameters));
  }
  PetscCall(WeftSummaryInt(summary, "steps", e->steps));
  for (PetscInt i = 0; i < e->averages; i++) average[i] = (double)e->average[i];
  PetscCall(WeftSummaryRealList(summary, "averaged_steps", e->averages, average));
  for (PetscInt s = 0; s < e->info.simulations; s++) PetscCall(SummariseTest(e, s, summary));
  if (e->reaction.given) PetscCall(WeftSummaryReal(summary, "reaction/error", e->reaction.frames[e->reaction.fields]));
  if (e->reaction.given && e->reaction.visited) PetscCall(WeftSummaryReal(summary, "reaction/error_outside", e->reaction.outside[e->reaction.fields]));
  PetscCall(WeftSummaryReal(summary, "seconds_per_step/uncorrected", e->run[0].seconds / (double)e->steps));
  if (e->runs > 1) PetscCall(WeftSummaryReal(summary, "seconds_per_step/corrected", e->run[1].seconds / (double)e->steps));
  PetscCall(InFolder(e, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

/* ---- pictures ------------------------------------------------------------------------------------------------------- */

/* From the replica that shows, to all. A run that was over has no values (grey). */
static PetscErrorCode SharePicture(WeftEvaluation *e, PetscInt count)
{
  PetscMPIInt owner = -1;

  PetscFunctionBegin;
  if (e->shown >= e->first && e->shown < e->first + e->count && !e->members.space_rank) PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &owner));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &owner, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < 1 + e->runs; i++) {
    if (!e->picture[i]) {
      PetscCall(PetscMalloc1(count, &e->picture[i]));
      for (PetscInt c = 0; c < count; c++) e->picture[i][c] = NAN;
    }
    PetscCallMPI(MPI_Bcast(e->picture[i], (PetscMPIInt)count, MPI_DOUBLE, owner, PETSC_COMM_WORLD));
  }
  PetscFunctionReturn(0);
}

/* Obstacles become grey: no number. Collective on the grid. */
static PetscErrorCode CutObstacles(WeftEvaluation *e, PetscInt count)
{
  const WeftLayout *l = WeftGridLayout(e->grid);
  WeftState         open, faces;
  PetscInt          shape[3];
  double           *values;

  PetscFunctionBegin;
  PetscCall(WeftObstacleFromKeys(e->grid, &open, &faces));
  if (!open) PetscFunctionReturn(0);
  PetscCall(WeftStateGather(open, 0, 0, shape, &values));
  for (PetscInt c = 0; c < count; c++)
    for (PetscInt i = 0; i < 1 + e->runs; i++)
      if (values[c + (l->cells[2] / 2) * count] == 0.0) e->picture[i][c] = NAN;
  PetscCall(PetscFree(values));
  PetscCall(WeftStateDestroy(&open));
  PetscCall(WeftStateDestroy(&faces));
  PetscFunctionReturn(0);
}

static PetscErrorCode WritePicture(WeftEvaluation *e)
{
  const WeftLayout *l      = WeftGridLayout(e->grid);
  const PetscInt    nx = l->cells[0], ny = l->cells[1], step = e->picture_step;
  double            largest = 0.0;
  char              path[PETSC_MAX_PATH_LEN], title[1 + WEFT_RUNS][64];
  WeftPanel         panel[1 + WEFT_RUNS];

  PetscFunctionBegin;
  if (e->shown < 0 || l->dim < 2) PetscFunctionReturn(0);
  PetscCall(SharePicture(e, nx * ny));
  PetscCall(CutObstacles(e, nx * ny));
  for (PetscInt c = 0; c < nx * ny; c++)
    if (isfinite(e->picture[0][c])) largest = PetscMax(largest, fabs(e->picture[0][c]));
  for (PetscInt i = 0; i < 1 + e->runs; i++) {
    const PetscInt over = i ? e->unstable[e->shown * WEFT_RUNS + i - 1] : 0;
    if (!i) PetscCall(PetscSNPrintf(title[i], sizeof(title[i]), "reference, step %" PetscInt_FMT, step));
    else if (over && over <= step) PetscCall(PetscSNPrintf(title[i], sizeof(title[i]), "%s: unstable", RunName(i - 1)));
    else PetscCall(PetscSNPrintf(title[i], sizeof(title[i]), "%s: error %.3f", RunName(i - 1), WeftEvaluationError(e, e->shown, i - 1, WEFT_ERROR_L1, step)));
    if (WeftModelIsFlow(e->run[0].model)) panel[i] = (WeftPanel){title[i], ny, nx, e->picture[i], -0.6 * largest, 0.6 * largest, PETSC_TRUE};
    else panel[i] = (WeftPanel){title[i], ny, nx, e->picture[i], 0.0, largest, PETSC_FALSE};
  }
  PetscCall(InFolder(e, "picture.png", path));
  PetscCall(WeftPictureWrite(path, 1 + e->runs, panel, 1 + e->runs, PetscMax(1, 512 / PetscMax(nx, ny))));
  PetscFunctionReturn(0);
}

/* A line for each simulation and run. */
static PetscErrorCode WritePlot(const WeftEvaluation *e)
{
  const PetscInt lines = e->info.simulations * e->runs, n = e->compared;
  double        *x, *y;
  char           path[PETSC_MAX_PATH_LEN], axis[96], (*label)[64];
  WeftLine      *line;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(n, &x, lines * n, &y, lines, &label, lines, &line));
  for (PetscInt i = 0; i < n; i++) x[i] = (double)(i + 1);
  for (PetscInt s = 0; s < e->info.simulations; s++) {
    for (PetscInt r = 0; r < e->runs; r++) {
      const PetscInt k = s * e->runs + r;
      if (Reynolds(e, s) > 0.0) snprintf(label[k], sizeof(label[k]), "Re %.4g %s", (double)Reynolds(e, s), RunName(r));
      else snprintf(label[k], sizeof(label[k]), "simulation %d %s", (int)s, RunName(r));
      for (PetscInt i = 0; i < n; i++) y[k * n + i] = WeftEvaluationError(e, s, r, WEFT_ERROR_L1, i + 1);
      line[k] = (WeftLine){label[k], n, x, y + k * n};
    }
  }
  PetscCall(InFolder(e, "errors.png", path));
  PetscCall(PetscSNPrintf(axis, sizeof(axis), "relative error of the %s (L1)", StateName(e)));
  PetscCall(WeftPlotWrite(path, "Distance from the reference", "steps", axis, PETSC_FALSE, lines, line));
  PetscCall(PetscFree4(x, y, label, line));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluationReport(WeftEvaluation *e)
{
  PetscFunctionBegin;
  PetscCall(WriteTable(e));
  PetscCall(WriteErrors(e));
  PetscCall(WritePicture(e));
  PetscCall(WritePlot(e));
  PetscCall(WriteSummary(e));
  PetscCall(WeftLog("table.txt, errors.csv, pictures and series are in %s", e->folder));
  PetscFunctionReturn(0);
}
