/* The verb dataset: simulations on the reference grid, restricted to the grid of the case. */
#include <unistd.h>
#include "train/flow.h"

typedef struct {
  PetscInt     first, count; /* of all simulations */
  WeftDataFile file;
} Part; /* train or test */

typedef struct {
  WeftTeam   team;
  WeftGrid   coarse, fine;
  WeftModel  model;
  WeftSpace  kept; /* first state on the coarse grid */
  WeftOp     restrict_op;
  WeftState  in[WEFT_OP_MAX], out[WEFT_OP_MAX], frame;
  PetscReal *reynolds; /* NULL: the model has no viscosity */
  PetscInt   simulations, first, count, rounds, refine, skip, frames;
  PetscInt   start, save_every; /* start: step from which this run goes on */
  PetscBool  resume;
  Part       part[2];
  WeftStopTimes stop; /* work: a step with its frame */
} Generator;

static const char numbers[][32] = {"reynolds", "viscosity", "waves"};

/* Numbers of a simulation; the last one only where the step has waves, none without a viscosity. */
static PetscErrorCode Numbers(const Generator *g, PetscInt simulation, PetscInt *count, PetscReal values[3])
{
  PetscFunctionBegin;
  *count = 0;
  if (!g->reynolds) PetscFunctionReturn(0);
  values[0] = g->reynolds[simulation];
  PetscCall(WeftModelViscosity(values[0], &values[1]));
  values[2] = (PetscReal)simulation;
  *count    = WeftModelInput(g->model, "waves") < 0 ? 2 : 3;
  PetscFunctionReturn(0);
}

/* The Reynolds numbers of both parts, one after the other. */
static PetscErrorCode ReadReynolds(Generator *g)
{
  static const char *const keys[] = {"dataset_reynolds", "dataset_test_reynolds"};
  PetscReal                list[2][64];

  PetscFunctionBegin;
  for (PetscInt p = 0; p < 2; p++) {
    g->part[p].first = g->simulations;
    g->part[p].count = 64;
    PetscCall(WeftGetRealList(keys[p], list[p], &g->part[p].count));
    for (PetscInt i = 0; i < g->part[p].count; i++)
      if (!(list[p][i] > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, keys[p], "a Reynolds number must be positive");
    g->simulations += g->part[p].count;
  }
  if (!g->part[0].count)
    return WeftFailKey(PETSC_COMM_WORLD, keys[0], "the list is empty; give one Reynolds number per simulation");
  PetscCall(PetscMalloc1(g->simulations, &g->reynolds));
  for (PetscInt p = 0; p < 2; p++) PetscCall(PetscArraycpy(g->reynolds + g->part[p].first, list[p], g->part[p].count));
  PetscFunctionReturn(0);
}

/* Without a viscosity simulations differ in their initial states. */
static PetscErrorCode ReadCounts(Generator *g)
{
  static const char *const keys[] = {"dataset_simulations", "dataset_test_simulations"};

  PetscFunctionBegin;
  for (PetscInt p = 0; p < 2; p++) {
    PetscCall(WeftGetInt(keys[p], &g->part[p].count));
    if (g->part[p].count < 1 - p) return WeftFailKey(PETSC_COMM_WORLD, keys[p], "at least %d simulations", (int)(1 - p));
    g->part[p].first = g->simulations;
    g->simulations += g->part[p].count;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadKeys(Generator *g)
{
  PetscInt equation;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("dataset_refine", &g->refine));
  PetscCall(WeftGetInt("dataset_skip", &g->skip));
  PetscCall(WeftGetInt("dataset_frames", &g->frames));
  PetscCall(WeftGetInt("dataset_checkpoint_every", &g->save_every));
  PetscCall(WeftGetBool("dataset_resume", &g->resume));
  if (g->save_every < 1) return WeftFailKey(PETSC_COMM_WORLD, "dataset_checkpoint_every", "at least 1 step");
  if (g->refine < 1)
    return WeftFailKey(PETSC_COMM_WORLD, "dataset_refine", "the reference grid is that of the case times 1 or more");
  if (g->skip < 0) return WeftFailKey(PETSC_COMM_WORLD, "dataset_skip", "cannot drop a negative number of steps");
  if (g->frames < 1) return WeftFailKey(PETSC_COMM_WORLD, "dataset_frames", "at least 1 frame is needed");
  PetscCall(WeftGetEnum("model_equation", &equation));
  if (equation == WEFT_EQUATION_DARCY) return WeftFailKey(PETSC_COMM_WORLD, "model_equation", "a steady solve makes no frames");
  if (equation == WEFT_EQUATION_FLOW || equation == WEFT_EQUATION_BURGERS) PetscCall(ReadReynolds(g));
  else PetscCall(ReadCounts(g));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateGrids(Generator *g)
{
  WeftGridOptions box;
  WeftTeamInfo    info;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(g->simulations, 0, &g->team));
  PetscCall(WeftTeamGetInfo(g->team, &info));
  PetscCall(WeftTeamShare(g->team, g->simulations, &g->first, &g->count));
  g->rounds = (g->simulations + info.replicas - 1) / info.replicas;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(info.space, &box, &g->coarse));
  for (PetscInt a = 0; a < box.dim; a++) box.cells[a] *= g->refine;
  box.granularity *= g->refine;
  PetscCall(WeftGridCreate(info.space, &box, &g->fine));
  PetscFunctionReturn(0);
}

/* A replica without a simulation of its own steps a copy of the last one, so that all stay in line. */
static PetscErrorCode CreateModel(Generator *g)
{
  const PetscInt   batch = PetscMax(g->count, 1);
  WeftModelOptions options;

  PetscFunctionBegin;
  PetscCall(WeftModelOptionsFromKeys(&options));
  options.viscosity_ratio = 1.0; /* this is the reference */
  options.first_sample    = PetscMin(g->first, g->simulations - 1);
  options.samples         = g->simulations;
  PetscCall(WeftModelCreate(g->fine, batch, &options, NULL, PETSC_TRUE, &g->model));
  PetscCall(WeftModelOptionsDestroy(&options));
  PetscCall(WeftModelCreateStateSpace(g->coarse, batch, &g->kept));
  PetscCall(WeftOpCreateRestrict(WeftModelStateSpace(g->model, 0), g->kept, &g->restrict_op));
  PetscCall(WeftStateCreate(g->kept, &g->frame));
  PetscCall(WeftStepStates(WeftModelStep(g->model), g->in, g->out));
  PetscCall(WeftInitialStates(g->model, g->in));
  for (PetscInt b = 0; b < batch; b++) {
    PetscReal values[3];
    PetscInt  count = 0;
    PetscCall(Numbers(g, PetscMin(g->first + b, g->simulations - 1), &count, values));
    PetscCall(WeftModelSetNumbers(g->model, g->in, b, count, numbers, values));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode OpenFiles(Generator *g, const char *folder)
{
  static const char *const names[] = {"train.h5", "test.h5"};
  WeftDataInfo             info    = {0};
  PetscReal                values[3];

  PetscFunctionBegin;
  PetscCall(Numbers(g, 0, &info.numbers, values));
  PetscCall(PetscArraycpy(&info.number[0][0], &numbers[0][0], sizeof(numbers)));
  info.frames     = g->frames;
  info.frame_time = WeftModelTimeStep(g->model);
  info.first_time = (PetscReal)(g->skip + 1) * info.frame_time;
  for (PetscInt p = 0; p < 2; p++) {
    char path[PETSC_MAX_PATH_LEN];
    if (!g->part[p].count) continue;
    info.simulations = g->part[p].count;
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", folder, names[p]));
    if (g->resume) PetscCall(WeftDataResume(PETSC_COMM_WORLD, g->kept, path, &info, PetscMax(g->start - g->skip, 0), &g->part[p].file));
    else PetscCall(WeftDataCreate(PETSC_COMM_WORLD, g->kept, path, &info, &g->part[p].file));
    for (PetscInt s = 0; s < g->part[p].count; s++) {
      PetscCall(Numbers(g, g->part[p].first + s, &info.numbers, values));
      PetscCall(WeftDataWriteNumbers(g->part[p].file, s, values));
    }
  }
  PetscFunctionReturn(0);
}

/* Every rank takes part in every write; a replica whose simulation belongs to the other file has none to give. */
static PetscErrorCode WriteFrame(Generator *g, PetscInt frame)
{
  PetscFunctionBegin;
  PetscCall(WeftOpApply(g->restrict_op, g->in, &g->frame, NULL));
  for (PetscInt round = 0; round < g->rounds; round++) {
    for (PetscInt p = 0; p < 2; p++) {
      const PetscInt  s    = g->first + round - g->part[p].first;
      const PetscBool mine = round < g->count && s >= 0 && s < g->part[p].count ? PETSC_TRUE : PETSC_FALSE;
      if (g->part[p].count) PetscCall(WeftDataWrite(g->part[p].file, mine ? s : -1, frame, g->frame, mine ? round : 0));
    }
  }
  PetscFunctionReturn(0);
}

/* -dataset_resume: the states of the last step that is whole. */
static PetscErrorCode Resume(Generator *g, const char *folder)
{
  PetscInt step = -1;

  PetscFunctionBegin;
  if (g->resume) PetscCall(WeftStatesFind(folder, &step));
  if (step < 0) PetscFunctionReturn(0);
  PetscCall(WeftStatesLoad(g->fine, folder, g->first, g->count, step, WeftModelStates(g->model), g->in));
  g->start = step;
  PetscCall(WeftLog("resuming at step %d of %d", (int)step, (int)(g->skip + g->frames)));
  PetscFunctionReturn(0);
}

/* The frames first, then the states, then the note that they are whole. */
static PetscErrorCode Save(Generator *g, const char *folder, PetscInt step)
{
  const double begin = MPI_Wtime();

  PetscFunctionBegin;
  for (PetscInt p = 0; p < 2; p++)
    if (g->part[p].file) PetscCall(WeftDataFlush(g->part[p].file));
  PetscCall(WeftStatesSave(g->fine, folder, g->first, g->count, step, (PetscReal)step * WeftModelTimeStep(g->model), WeftModelStates(g->model), g->in));
  g->stop.file = PetscMax(g->stop.file, MPI_Wtime() - begin);
  PetscFunctionReturn(0);
}

static PetscErrorCode Step(Generator *g, PetscInt n)
{
  PetscReal largest;

  PetscFunctionBegin;
  PetscCall(WeftModelSetTime(g->model, g->in, -1, (PetscReal)(n - 1) * WeftModelTimeStep(g->model)));
  PetscCall(WeftOpApply(WeftModelStep(g->model), g->in, g->out, NULL));
  for (PetscInt i = 0; i < WeftModelStates(g->model); i++) { /* the new states become the old ones */
    const WeftState old = g->in[i];
    g->in[i]            = g->out[i];
    g->out[i]           = old;
  }
  /* replicas go on, or stop, together; before the first frame they do not wait for each other in every step */
  if (n > g->skip || n % 50 == 0) PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, g->fine));
  if (n > g->skip) PetscCall(WriteFrame(g, n - g->skip - 1));
  if (n % 50 && n < g->skip + g->frames) PetscFunctionReturn(0);
  PetscCall(WeftStateNorm(g->in[0], NORM_INFINITY, &largest));
  PetscCall(WeftAgree(PETSC_COMM_WORLD, isfinite(largest) ? PETSC_FALSE : PETSC_TRUE,
                      "step %" PetscInt_FMT ": the state is no longer finite; lower -model_dt", n));
  PetscFunctionReturn(0);
}

/* Frame k is the state after step skip + 1 + k. */
static PetscErrorCode Play(Generator *g, const char *folder, PetscBool *stop)
{
  const PetscInt steps   = g->skip + g->frames;
  PetscInt       done    = 0;
  WeftProgress   progress;

  PetscFunctionBegin;
  PetscCall(WeftProgressCreate("dataset", steps - g->start, &progress));
  PetscCall(WeftCostBegin("step"));
  for (PetscInt n = g->start + 1; n <= steps && !*stop; n++) {
    const double begin = MPI_Wtime();
    PetscBool    due   = PETSC_FALSE;
    PetscCall(Step(g, n));
    g->stop.work = PetscMax(g->stop.work, MPI_Wtime() - begin);
    if (n < steps) PetscCall(WeftStopMustTime(&g->stop, &due));
    if (n < steps && n % g->save_every == 0) due = PETSC_TRUE;
    if (due) PetscCall(Save(g, folder, n));
    if (n < steps && (n > g->skip || n % 50 == 0)) PetscCall(WeftStopAgree(&g->stop, n > g->skip ? 1 : 50, stop));
    if (*stop && !due) PetscCall(Save(g, folder, n));
    done++;
    PetscCall(WeftProgressUpdate(progress, n - g->start, "%" PetscInt_FMT " simulations", g->simulations));
  }
  PetscCall(WeftCostEnd(done));
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Generator *g)
{
  PetscFunctionBegin;
  for (PetscInt p = 0; p < 2; p++)
    if (g->part[p].file) PetscCall(WeftDataDestroy(&g->part[p].file));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(g->model), g->in, g->out));
  PetscCall(WeftStateDestroy(&g->frame));
  PetscCall(WeftOpDestroy(&g->restrict_op));
  PetscCall(WeftSpaceDestroy(&g->kept));
  PetscCall(WeftModelDestroy(&g->model));
  PetscCall(WeftGridDestroy(&g->fine));
  PetscCall(WeftGridDestroy(&g->coarse));
  PetscCall(WeftTeamDestroy(&g->team));
  PetscCall(PetscFree(g->reynolds));
  PetscFunctionReturn(0);
}

/* A run that is asked to go on after it was done: its files have their names, and there is no state beside them. */
static PetscErrorCode Complete(Generator *g, const char *folder, PetscBool *complete)
{
  static const char *const names[] = {"train.h5", "test.h5", "state.txt"};
  char                     path[PETSC_MAX_PATH_LEN];
  PetscInt                 there[3] = {1, 1, 0};

  PetscFunctionBegin;
  for (PetscInt p = 0; p < 3 && !PetscGlobalRank; p++) {
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", folder, names[p]));
    if (p == 2 || g->part[p].count) there[p] = access(path, F_OK) ? 0 : 1;
  }
  PetscCallMPI(MPI_Bcast(there, 3, MPIU_INT, 0, PETSC_COMM_WORLD));
  *complete = g->resume && there[0] && there[1] && !there[2] ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode Finish(Generator *g, const char *folder, double seconds)
{
  char        path[PETSC_MAX_PATH_LEN];
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("dataset", &summary));
  PetscCall(WeftSummaryInt(summary, "simulations", g->simulations));
  PetscCall(WeftSummaryInt(summary, "steps", g->skip + g->frames));
  PetscCall(WeftSummaryInt(summary, "frames", g->frames));
  if (g->reynolds) PetscCall(WeftSummaryRealList(summary, "reynolds", g->simulations, g->reynolds));
  PetscCall(WeftSummaryReal(summary, "seconds_per_step", seconds / (double)PetscMax(g->skip + g->frames - g->start, 1)));
  PetscCall(WeftLog("%d simulations, %d frames each, in %s", (int)g->simulations, (int)g->frames, folder));
  PetscCall(Destroy(g));
  PetscCall(WeftStatesRemove(folder));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/summary.json", folder));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftDatasetGenerate(void)
{
  const double start = MPI_Wtime();
  PetscInt     fields;
  char         folder[PETSC_MAX_PATH_LEN];
  PetscBool    stop = PETSC_FALSE;
  Generator    g;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("dataset_fields", &fields));
  if (fields) PetscFunctionReturn(WeftDatasetRandom());
  WeftStopListen();
  PetscCall(PetscMemzero(&g, sizeof(g)));
  PetscCall(ReadKeys(&g));
  PetscCall(CreateGrids(&g));
  PetscCall(CreateModel(&g));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("dataset", folder, sizeof(folder)));
  PetscCall(Complete(&g, folder, &stop));
  if (stop) {
    PetscCall(WeftLog("%s holds this dataset already", folder));
    PetscCall(Destroy(&g));
    PetscFunctionReturn(0);
  }
  PetscCall(Resume(&g, folder));
  PetscCall(OpenFiles(&g, folder));
  PetscCall(Play(&g, folder, &stop));
  if (stop) {
    for (PetscInt p = 0; p < 2; p++) PetscCall(WeftDataClose(&g.part[p].file));
    PetscCall(Destroy(&g));
    PetscFunctionReturn(0);
  }
  PetscCall(Finish(&g, folder, MPI_Wtime() - start));
  PetscFunctionReturn(0);
}
