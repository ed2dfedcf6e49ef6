/* The verb simulate: plays a model from its initial state and writes the series, figures, a picture and a summary. */
#include <unistd.h>
#include "train/audit.h"
#include "train/projection.h"

typedef struct {
  WeftTeam         team;
  WeftGrid         grid;
  WeftModel        model;
  WeftHybrid       hybrid;     /* with -simulate_weights: owns the model */
  WeftProjection   projection; /* with -simulate_projection */
  WeftState        in[WEFT_OP_MAX], out[WEFT_OP_MAX]; /* of the step */
  WeftSeries       series;
  FILE            *table, *spectrum;
  WeftAuditBounds  bounds;
  PetscReal        first_energy;
  const char      *broken; /* the bound that stopped the run; NULL: none */
  PetscInt         done;   /* steps */
  char             folder[PETSC_MAX_PATH_LEN];
  WeftModelFigures figures;    /* of a flow */
  WeftFieldFigures fields[WEFT_MAX_FIELDS]; /* of another model */
  PetscInt         steps, every, save_every, start; /* start: step from which this run goes on */
  double           seconds; /* in the steps alone */
  WeftStopTimes    stop;    /* work: a step with its figures and its frame */
} Simulation;

static PetscErrorCode CreateModel(Simulation *s, const char *weights)
{
  WeftModelOptions options;
  WeftArrays       arrays;
  WeftScales       scales;
  WeftSpace        state;
  PetscInt         at, fields;

  PetscFunctionBegin;
  if (!weights[0]) {
    PetscCall(WeftModelOptionsFromKeys(&options));
    options.before_obstacle = PETSC_TRUE;
    PetscCall(WeftModelCreate(s->grid, 1, &options, NULL, PETSC_TRUE, &s->model));
    PetscCall(WeftModelOptionsDestroy(&options));
    PetscCall(WeftStepStates(WeftModelStep(s->model), s->in, s->out));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftModelCreateStateSpace(s->grid, 1, &state));
  fields = WeftSpaceGetInfo(state)->fields;
  PetscCall(WeftSpaceDestroy(&state));
  PetscCall(WeftArraysRead(weights, &arrays));
  PetscCall(WeftWeightsGetScales(arrays, weights, fields, &scales));
  PetscCall(WeftHybridCreate(s->grid, 1, &scales, PETSC_TRUE, &s->hybrid));
  s->model = s->hybrid.model;
  PetscCall(WeftStepStates(WeftModelStep(s->model), s->in, s->out));
  at = WeftModelInput(s->model, "weights");
  PetscCall(WeftWeightsGet(arrays, weights, s->hybrid.net, (double *)WeftStateDataWrite(s->in[at])));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(Simulation *s)
{
  char            weights[PETSC_MAX_PATH_LEN];
  WeftGridOptions box;
  WeftTeamInfo    info;
  PetscInt        role;
  PetscBool       projection;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(s, sizeof(*s)));
  PetscCall(WeftGetInt("simulate_steps", &s->steps));
  PetscCall(WeftGetInt("simulate_every", &s->every));
  if (s->steps < 1) return WeftFailKey(PETSC_COMM_WORLD, "simulate_steps", "at least 1 step is needed");
  PetscCall(WeftGetInt("simulate_checkpoint_every", &s->save_every));
  if (s->save_every < 0) return WeftFailKey(PETSC_COMM_WORLD, "simulate_checkpoint_every", "cannot be negative; 0: with every frame");
  if (!s->save_every) s->save_every = s->every;
  if (s->every < 1) return WeftFailKey(PETSC_COMM_WORLD, "simulate_every", "a frame is written every 1 or more steps");
  PetscCall(WeftAuditBoundsFromKeys(&s->bounds));
  PetscCall(WeftTeamCreate(1, 1, &s->team));
  PetscCall(WeftTeamGetInfo(s->team, &info));
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGetString("simulate_weights", weights, sizeof(weights)));
  PetscCall(WeftGetBool("simulate_projection", &projection));
  PetscCall(WeftGetEnum("net_role", &role));
  if (projection && role != WEFT_NET_PRESSURE) return WeftFailKey(PETSC_COMM_WORLD, "simulate_projection", "compares a net that stands for the pressure solver; set net_role pressure");
  if (projection && !weights[0]) return WeftFailKey(PETSC_COMM_WORLD, "simulate_projection", "there is no net to compare; give simulate_weights");
  if (weights[0]) PetscCall(WeftNetAlignGrid(&box));
  PetscCall(WeftGridCreate(info.space, &box, &s->grid));
  PetscCall(CreateModel(s, weights));
  PetscCall(WeftInitialStates(s->model, s->in));
  PetscCall(WeftModelSetNumbersFromKeys(s->model, s->in));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("simulate", s->folder, sizeof(s->folder)));
  if (projection) PetscCall(WeftProjectionCreate(s->model, s->folder, &s->projection));
  PetscFunctionReturn(0);
}

/* Name of a file in the output folder. */
static PetscErrorCode InFolder(const Simulation *s, const char *name, char path[PETSC_MAX_PATH_LEN])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", s->folder, name));
  PetscFunctionReturn(0);
}

/* -simulate_resume: the states of the last step that is whole; the series and the table are cut back to it. */
static PetscErrorCode Resume(Simulation *s)
{
  PetscBool resume;
  PetscInt  step = -1;

  PetscFunctionBegin;
  PetscCall(WeftGetBool("simulate_resume", &resume));
  if (resume) PetscCall(WeftStatesFind(s->folder, &step));
  if (step < 0) PetscFunctionReturn(0);
  PetscCall(WeftStatesLoad(s->grid, s->folder, 0, 1, step, WeftModelStates(s->model), s->in));
  s->start = s->done = step;
  PetscCall(WeftLog("resuming at step %d of %d", (int)step, (int)s->steps));
  PetscFunctionReturn(0);
}

/* The kinetic energy of the first step, its third number in the table. */
static PetscErrorCode FirstEnergy(Simulation *s, const char *path)
{
  char  line[1024];
  FILE *table = s->start && !PetscGlobalRank ? fopen(path, "r") : NULL;

  PetscFunctionBegin;
  if (table && fgets(line, sizeof(line), table) && fgets(line, sizeof(line), table)) sscanf(line, "%*d,%*f,%lf", &s->first_energy);
  if (table) fclose(table);
  PetscCallMPI(MPI_Bcast(&s->first_energy, 1, MPIU_REAL, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static const WeftSpaceInfo *Fields(const Simulation *s) { return WeftSpaceGetInfo(WeftModelStateSpace(s->model, 0)); }

/* A table under its temporary name: a run that goes on beyond its end takes the finished one up again. */
static PetscErrorCode TableName(Simulation *s, const char *name, char part[PETSC_MAX_PATH_LEN])
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(InFolder(s, name, path));
  PetscCall(PetscSNPrintf(part, PETSC_MAX_PATH_LEN, "%s.part", path));
  if (s->start && !PetscGlobalRank && access(part, F_OK)) (void)rename(path, part);
  PetscFunctionReturn(0);
}

static PetscErrorCode OpenFiles(Simulation *s)
{
  char     path[PETSC_MAX_PATH_LEN];
  PetscInt frames;

  PetscFunctionBegin;
  PetscCall(InFolder(s, "fields", path));
  if (s->start) PetscCall(WeftSeriesResume(s->grid, path, (PetscReal)s->start * WeftModelTimeStep(s->model), &frames, &s->series));
  else PetscCall(WeftSeriesCreate(s->grid, path, &s->series));
  PetscCall(TableName(s, "figures.csv", path));
  PetscCall(FirstEnergy(s, path));
  PetscCall(WeftTableOpen(path, NULL, s->start, &s->table));
  PetscCall(TableName(s, "spectrum.csv", path));
  PetscCall(WeftTableOpen(path, NULL, s->start, &s->spectrum));
  if (s->table && !ftell(s->table)) {
    if (WeftModelIsFlow(s->model)) WeftAuditHead(s->table, WeftGridLayout(s->grid)->dim);
    else WeftFieldsHead(s->table, Fields(s));
  }
  if (s->spectrum && !ftell(s->spectrum)) WeftSpectrumHead(s->spectrum);
  PetscFunctionReturn(0);
}

static PetscErrorCode CloseTable(Simulation *s, const char *name, FILE **file)
{
  char path[PETSC_MAX_PATH_LEN], part[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  if (!*file) PetscFunctionReturn(0);
  PetscCall(InFolder(s, name, path));
  PetscCall(PetscSNPrintf(part, sizeof(part), "%s.part", path));
  fclose(*file);
  *file = NULL;
  rename(part, path);
  PetscFunctionReturn(0);
}

/* The states, and the pressure after them (zero before the first step). */
static PetscErrorCode WriteFrame(Simulation *s, PetscInt step, const WeftState states[])
{
  const PetscInt n     = WeftModelStates(s->model);
  PetscInt       count = n;
  WeftState      all[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) all[i] = states[i];
  if (WeftModelProjects(s->model)) all[count++] = s->out[n];
  PetscCall(WeftSeriesWrite(s->series, (PetscReal)step * WeftModelTimeStep(s->model), count, all, 0));
  PetscCall(WeftSpectrumWrite(s->spectrum, step, (PetscReal)step * WeftModelTimeStep(s->model), states[0], 0));
  PetscFunctionReturn(0);
}

/* States to go on from, and the rows of the table before them. */
static PetscErrorCode Save(Simulation *s, PetscInt step)
{
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  if (s->table) fflush(s->table);
  if (s->spectrum) fflush(s->spectrum);
  PetscCall(WeftStatesSave(s->grid, s->folder, 0, 1, step, (PetscReal)step * WeftModelTimeStep(s->model), WeftModelStates(s->model), s->in));
  s->stop.file = PetscMax(s->stop.file, MPI_Wtime() - begin);
  PetscFunctionReturn(0);
}

/* Figures of step n, and whether it broke a bound. */
static PetscErrorCode Measure(Simulation *s, PetscInt n)
{
  const PetscReal time = (PetscReal)n * WeftModelTimeStep(s->model);

  PetscFunctionBegin;
  s->done = n;
  if (WeftModelIsFlow(s->model)) {
    PetscCall(WeftModelMeasure(s->model, s->out, &s->figures));
    if (n == 1) s->first_energy = s->figures.kinetic_energy;
    s->broken = WeftAuditBroken(&s->bounds, s->first_energy, &s->figures);
    WeftAuditRow(s->table, WeftGridLayout(s->grid)->dim, n, time, &s->figures);
    PetscFunctionReturn(0);
  }
  PetscCall(WeftModelMeasureFields(s->model, s->out[0], s->fields));
  for (PetscInt f = 0; f < Fields(s)->fields; f++)
    if (!isfinite(s->fields[f].mean)) s->broken = "finite";
  WeftFieldsRow(s->table, Fields(s), n, time, s->fields);
  PetscFunctionReturn(0);
}

static PetscErrorCode Progress(const Simulation *s, PetscInt n, WeftProgress progress)
{
  const double time = (double)n * WeftModelTimeStep(s->model);

  PetscFunctionBegin;
  if (WeftModelIsFlow(s->model)) PetscCall(WeftProgressUpdate(progress, n - s->start, "time %.4g  Courant %.2f  divergence %.1e", time, s->figures.courant, s->figures.max_divergence));
  else PetscCall(WeftProgressUpdate(progress, n - s->start, "time %.4g  %s %.4g ... %.4g", time, Fields(s)->name[0], (double)s->fields[0].least, (double)s->fields[0].largest));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(Simulation *s, PetscBool *stop)
{
  const PetscInt states = WeftModelStates(s->model);
  WeftProgress   progress;

  PetscFunctionBegin;
  PetscCall(WeftProgressCreate("simulate", s->steps - s->start, &progress));
  PetscCall(WeftCostBegin("step"));
  if (!s->start) PetscCall(WriteFrame(s, 0, s->in));
  for (PetscInt n = s->start + 1; !*stop; n++) {
    const double begin = MPI_Wtime();
    PetscBool    due;
    PetscCall(WeftModelSetTime(s->model, s->in, -1, (PetscReal)(n - 1) * WeftModelTimeStep(s->model)));
    if (s->projection) PetscCall(WeftProjectionStep(s->projection, n, WeftModelStep(s->model), s->in, s->out));
    else PetscCall(WeftOpApply(WeftModelStep(s->model), s->in, s->out, NULL));
    s->seconds += MPI_Wtime() - begin;
    PetscCall(WeftGridAgree(s->grid));
    PetscCall(Measure(s, n));
    if (n % s->every == 0 || n == s->steps || s->broken) PetscCall(WriteFrame(s, n, s->out));
    for (PetscInt i = 0; i < states; i++) { /* the new states become the old ones */
      const WeftState old = s->in[i];
      s->in[i]            = s->out[i];
      s->out[i]           = old;
    }
    s->stop.work = PetscMax(s->stop.work, MPI_Wtime() - begin);
    PetscCall(Progress(s, n, progress));
    if (n == s->steps || s->broken) break;
    PetscCall(WeftStopMustTime(&s->stop, &due));
    if (n % s->save_every == 0) due = PETSC_TRUE;
    if (due) PetscCall(Save(s, n));
    PetscCall(WeftStopAgree(&s->stop, 1, stop));
    if (*stop && !due) PetscCall(Save(s, n));
  }
  PetscCall(WeftCostEnd(s->done - s->start));
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

static PetscErrorCode Figures(const Simulation *s, WeftSummary summary)
{
  const WeftModelFigures *f = &s->figures;
  char                    key[128];

  PetscFunctionBegin;
  if (WeftModelIsFlow(s->model)) {
    PetscCall(WeftSummaryReal(summary, "kinetic_energy", f->kinetic_energy));
    PetscCall(WeftSummaryReal(summary, "max_velocity", f->max_velocity));
    PetscCall(WeftSummaryReal(summary, "courant", f->courant));
    PetscCall(WeftSummaryReal(summary, "max_divergence", f->max_divergence));
    PetscCall(WeftSummaryRealList(summary, "force", WeftGridLayout(s->grid)->dim, f->force));
    PetscCall(WeftSummaryReal(summary, "outflow", f->outflow));
    PetscCall(WeftSummaryReal(summary, "smoke", f->smoke));
    PetscCall(WeftSummaryRealList(summary, "momentum", WeftGridLayout(s->grid)->dim, f->momentum));
    PetscFunctionReturn(0);
  }
  for (PetscInt i = 0; i < Fields(s)->fields; i++) {
    const PetscReal value[3] = {s->fields[i].mean, s->fields[i].least, s->fields[i].largest};
    for (PetscInt k = 0; k < 3; k++) {
      static const char *const name[] = {"mean", "least", "largest"};
      PetscCall(PetscSNPrintf(key, sizeof(key), "fields/%s/%s", Fields(s)->name[i], name[k]));
      PetscCall(WeftSummaryReal(summary, key, value[k]));
    }
  }
  PetscCall(WeftSolveSummary(s->model, summary));
  PetscFunctionReturn(0);
}

static PetscErrorCode Finish(Simulation *s)
{
  char          path[PETSC_MAX_PATH_LEN];
  WeftSummary   summary;

  PetscFunctionBegin;
  PetscCall(WeftSeriesDestroy(&s->series));
  PetscCall(CloseTable(s, "figures.csv", &s->table));
  PetscCall(CloseTable(s, "spectrum.csv", &s->spectrum));
  PetscCall(InFolder(s, "picture.png", path));
  if (!s->broken || strcmp(s->broken, "finite")) PetscCall(WeftFlowPicture(path, s->model, s->in));
  PetscCall(WeftSummaryCreate("simulate", &summary));
  PetscCall(WeftSummaryInt(summary, "steps", s->done));
  PetscCall(WeftSummaryInt(summary, "blow_up_step", s->broken ? s->done : 0));
  PetscCall(WeftSummaryString(summary, "stopped_by", s->broken ? s->broken : ""));
  PetscCall(WeftSummaryReal(summary, "time", (double)s->done * WeftModelTimeStep(s->model)));
  PetscCall(Figures(s, summary));
  PetscCall(WeftSummaryReal(summary, "seconds_per_step", s->seconds / (double)(s->done - s->start)));
  if (s->projection) PetscCall(WeftProjectionReport(s->projection, summary));
  PetscCall(InFolder(s, "summary.json", path));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  if (!s->broken) PetscCall(Save(s, s->done)); /* for a run of more steps: last, so that one killed before it finishes its files again */
  PetscCall(WeftLog("%d steps to time %.6g in %s", (int)s->done, (double)s->done * WeftModelTimeStep(s->model), s->folder));
  PetscFunctionReturn(0);
}

/* After everything is written: why did the run end early? */
static PetscErrorCode FailBroken(const Simulation *s)
{
  PetscFunctionBegin;
  if (!strcmp(s->broken, "finite")) return WeftFail(PETSC_COMM_WORLD, "step %" PetscInt_FMT ": the state is no longer finite; lower -model_dt; what came before is in %s", s->done, s->folder);
  return WeftFailKey(PETSC_COMM_WORLD, s->broken, "its bound is passed in step %" PetscInt_FMT ": kinetic energy %.4g times that of the first step, divergence %.3g, Courant number %.3g; what came before is in %s", s->done, (double)(s->figures.kinetic_energy / s->first_energy), (double)s->figures.max_divergence, (double)s->figures.courant, s->folder);
}

PetscErrorCode WeftSimulate(void)
{
  Simulation s;

  PetscFunctionBegin;
  WeftStopListen();
  PetscCall(Create(&s));
  PetscCall(Resume(&s));
  if (s.start < s.steps) {
    PetscBool stop = PETSC_FALSE;
    PetscCall(OpenFiles(&s));
    PetscCall(Run(&s, &stop));
    if (stop) PetscCall(WeftSeriesClose(&s.series));
    else PetscCall(Finish(&s));
    if (s.table) fclose(s.table);
    if (s.spectrum) fclose(s.spectrum);
  } else PetscCall(WeftLog("%s holds these %d steps already", s.folder, (int)s.steps));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(s.model), s.in, s.out));
  PetscCall(WeftProjectionDestroy(&s.projection));
  if (s.hybrid.model) PetscCall(WeftHybridDestroy(&s.hybrid));
  else PetscCall(WeftModelDestroy(&s.model));
  PetscCall(WeftGridDestroy(&s.grid));
  PetscCall(WeftTeamDestroy(&s.team));
  if (s.broken) PetscCall(FailBroken(&s));
  PetscFunctionReturn(0);
}
