/* The verb rollout: plays the simulations of a dataset from their first frame, with and without the net, and compares. */
#include <unistd.h>
#include "base/kernel.h"
#include "train/evaluate.h"

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static PetscErrorCode PathOf(const char *key, const char *made_by, char path[PETSC_MAX_PATH_LEN])
{
  PetscBool there = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(WeftGetString(key, path, PETSC_MAX_PATH_LEN));
  if (!path[0]) PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "output/%s/%s", WeftCaseName(), made_by));
  if (!PetscGlobalRank) there = access(path, F_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
  WeftCheck(there, PETSC_COMM_WORLD, "%s: there is no file %s; make it with 'weft %.*s', or name another one as %s", WeftKeyOrigin(key), path, (int)strcspn(made_by, "/"), made_by, key);
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadPaths(WeftEvaluation *e)
{
  PetscBool none;

  PetscFunctionBegin;
  PetscCall(PathOf("rollout_dataset", "dataset/test.h5", e->dataset));
  PetscCall(WeftGetString("rollout_weights", e->weights, sizeof(e->weights)));
  PetscCall(PetscStrcmp(e->weights, "none", &none));
  e->runs = none ? 1 : WEFT_RUNS;
  if (none) e->weights[0] = 0;
  else PetscCall(PathOf("rollout_weights", "train/weights.h5", e->weights));
  PetscFunctionReturn(0);
}

/* After ReadInfo: what is asked for beyond the frames is cut. */
static PetscErrorCode ReadKeys(WeftEvaluation *e)
{
  PetscInt asked[WEFT_AVERAGES_MAX], count = WEFT_AVERAGES_MAX;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("rollout_steps", &e->steps));
  PetscCall(WeftGetIntList("rollout_average", asked, &count));
  PetscCall(WeftGetInt("rollout_series", &e->shown));
  PetscCall(WeftGetInt("rollout_series_every", &e->every));
  PetscCall(WeftGetInt("rollout_picture_step", &e->picture_step));
  if (e->steps < 1) return WeftFailKey(PETSC_COMM_WORLD, "rollout_steps", "at least 1 step is needed");
  if (!count) return WeftFailKey(PETSC_COMM_WORLD, "rollout_average", "the list is empty; give the steps over which errors are averaged");
  if (e->shown >= e->info.simulations) return WeftFailKey(PETSC_COMM_WORLD, "rollout_series", "the dataset has %" PetscInt_FMT " simulations, from 0; -1: none", e->info.simulations);
  if (e->every < 1) return WeftFailKey(PETSC_COMM_WORLD, "rollout_series_every", "a frame is written every 1 or more steps");
  if (e->picture_step < 1) return WeftFailKey(PETSC_COMM_WORLD, "rollout_picture_step", "the picture shows the state after 1 or more steps");
  e->compared     = PetscMin(e->steps, e->info.frames - 1);
  e->picture_step = PetscMin(e->picture_step, e->compared);
  for (PetscInt i = 0; i < count; i++) {
    const PetscInt n = PetscMin(asked[i], e->compared);
    if (asked[i] < 1 || (i && asked[i] <= asked[i - 1])) return WeftFailKey(PETSC_COMM_WORLD, "rollout_average", "needs rising numbers of steps, the first at least 1");
    if (!e->averages || n > e->average[e->averages - 1]) e->average[e->averages++] = n;
  }
  PetscFunctionReturn(0);
}

/* ---- dataset and models --------------------------------------------------------------------------------------------- */

/* How many simulations there are decides the team, and the team the grid; so the file is first opened by every rank for itself. */
static PetscErrorCode ReadInfo(WeftEvaluation *e)
{
  WeftGridOptions box;
  WeftGrid        grid;
  WeftSpace       space;
  WeftDataFile    file;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftNetAlignGrid(&box));
  for (PetscInt a = 0; a < 3; a++) box.ranks[a] = 0;
  PetscCall(WeftGridCreate(PETSC_COMM_SELF, &box, &grid));
  PetscCall(WeftModelCreateStateSpace(grid, 1, &space));
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, space, e->dataset, &e->info, &file));
  WeftCheck(e->info.frames >= 2, PETSC_COMM_WORLD, "%s has %" PetscInt_FMT " frame of each simulation; a comparison starts from one and needs another", e->dataset, e->info.frames);
  PetscCall(PetscMalloc1(e->info.simulations * PetscMax(e->info.numbers, 1), &e->numbers));
  for (PetscInt s = 0; s < e->info.simulations && e->info.numbers; s++) PetscCall(WeftDataReadNumbers(file, s, e->numbers + s * e->info.numbers));
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

/* A replica without a simulation of its own plays the last one along, unseen, so that all read equally often. */
static PetscErrorCode CreateGrid(WeftEvaluation *e)
{
  WeftGridOptions box;
  WeftDataInfo    info;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(e->info.simulations, 0, &e->team));
  PetscCall(WeftTeamGetInfo(e->team, &e->members));
  PetscCall(WeftTeamShare(e->team, e->info.simulations, &e->first, &e->count));
  e->batch  = PetscMax(e->count, 1);
  e->rounds = (e->info.simulations + e->members.replicas - 1) / e->members.replicas;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftNetAlignGrid(&box));
  PetscCall(WeftGridCreate(e->members.space, &box, &e->grid));
  PetscCall(WeftModelCreateStateSpace(e->grid, e->batch, &e->state));
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, e->state, e->dataset, &info, &e->file));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateCreate(e->state, &e->frame[i]));
  e->courant_bound = (PetscReal)(box.halo - 1);
  PetscFunctionReturn(0);
}

static PetscInt SimulationOf(const WeftEvaluation *e, PetscInt sample) { return PetscMin(e->first + sample, e->info.simulations - 1); }

PetscErrorCode WeftEvaluationFrame(WeftEvaluation *e, PetscInt frame, WeftState state)
{
  PetscFunctionBegin;
  for (PetscInt round = 0; round < e->rounds; round++) {
    const PetscInt sample = PetscMin(round, e->batch - 1);
    PetscCall(WeftDataRead(e->file, SimulationOf(e, sample), frame, state, sample));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode SetNumbers(const WeftEvaluation *e, WeftRun *run, PetscInt sample, PetscInt simulation)
{
  PetscFunctionBegin;
  PetscCall(WeftModelSetNumbers(run->model, run->in, sample, e->info.numbers, (const char(*)[32])e->info.number, e->numbers + simulation * e->info.numbers));
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateModels(WeftEvaluation *e, WeftArrays arrays)
{
  WeftModelOptions options;

  PetscFunctionBegin;
  PetscCall(WeftModelOptionsFromKeys(&options));
  if (options.equation == WEFT_EQUATION_DARCY) return WeftFailKey(PETSC_COMM_WORLD, "model_equation", "a steady solve has no frames to compare with");
  PetscCall(WeftModelCreate(e->grid, e->batch, &options, NULL, PETSC_TRUE, &e->run[WEFT_UNCORRECTED].model));
  PetscCall(WeftModelOptionsDestroy(&options));
  WeftCheck(WeftModelStates(e->run[WEFT_UNCORRECTED].model) == 1, PETSC_COMM_WORLD, "model_steps: the comparison is one of velocities; leave smoke out of the steps");
  WeftCheck(PetscAbsReal(e->info.frame_time - options.dt) <= 1e-9 * options.dt, PETSC_COMM_WORLD, "the frames of %s are %g apart, a step takes model_dt = %g: they cannot be compared one by one", e->dataset, (double)e->info.frame_time, (double)options.dt);
  if (e->runs > 1) {
    PetscCall(WeftWeightsGetScales(arrays, e->weights, WeftSpaceGetInfo(e->state)->fields, &e->scales));
    PetscCall(WeftHybridCreate(e->grid, e->batch, &e->scales, PETSC_TRUE, &e->hybrid));
    e->run[WEFT_CORRECTED].model = e->hybrid.model;
    e->parameters                = WeftSpaceGetInfo(WeftNetParameterSpace(e->hybrid.net))->count;
  }
  for (PetscInt r = 0; r < e->runs; r++) {
    WeftRun *run = &e->run[r];
    PetscCall(WeftStepStates(WeftModelStep(run->model), run->in, run->out));
    if (!WeftModelIsFlow(run->model)) PetscCall(WeftModelInitial(run->model, run->in)); /* for its numbers */
    PetscCall(WeftCheckWaves(run->model, &e->info));
    for (PetscInt s = 0; s < e->info.simulations; s++) PetscCall(SetNumbers(e, run, 0, s)); /* so that all replicas find a mistake */
    for (PetscInt s = 0; s < e->batch; s++) PetscCall(SetNumbers(e, run, s, SimulationOf(e, s)));
  }
  if (e->runs > 1) PetscCall(WeftWeightsGet(arrays, e->weights, e->hybrid.net, (double *)WeftStateDataWrite(e->run[WEFT_CORRECTED].in[WeftModelInput(e->hybrid.model, "weights")])));
  PetscFunctionReturn(0);
}

/* The sample that this replica shows; -1: another replica does, or none. */
static PetscInt ShownSample(const WeftEvaluation *e) { return e->shown >= e->first && e->shown < e->first + e->count ? e->shown - e->first : -1; }

static PetscErrorCode Create(WeftEvaluation *e)
{
  static const char *const names[] = {"reference", "uncorrected", "corrected"};
  WeftArrays               arrays  = NULL;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(e, sizeof(*e)));
  PetscCall(ReadPaths(e));
  PetscCall(ReadInfo(e));
  PetscCall(ReadKeys(e));
  PetscCall(CreateGrid(e));
  if (e->runs > 1) PetscCall(WeftArraysRead(e->weights, &arrays));
  PetscCall(CreateModels(e, arrays));
  if (arrays) PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(PetscCalloc2(e->info.simulations * e->compared, &e->sums, e->info.simulations * WEFT_RUNS, &e->unstable));
  PetscCall(WeftCheckUnusedOptions());
  PetscCall(WeftOutputFolder("rollout", e->folder, sizeof(e->folder)));
  PetscCall(WeftEvaluationAuditOpen(e));
  for (PetscInt i = 0; i < 1 + e->runs && ShownSample(e) >= 0; i++) {
    char path[PETSC_MAX_PATH_LEN];
    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", e->folder, names[i]));
    PetscCall(WeftSeriesCreate(e->grid, path, i ? &e->run[i - 1].series : &e->reference));
  }
  PetscFunctionReturn(0);
}

/* ---- bounds and errors ---------------------------------------------------------------------------------------------- */

/* Largest |x|; NaN if any value is not finite. */
WEFT_KERNEL static double LargestRow(PetscInt n, const double *restrict x)
{
  double largest = 0.0, nothing = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    const double size = fabs(x[i]);
    largest           = size > largest ? size : largest;
    nothing += 0.0 * x[i];
  }
  return largest + nothing;
}

/* sum[WEFT_ERROR_...] += those of u - frame, and u - next. */
WEFT_KERNEL static void DifferenceRow(PetscInt n, const double *restrict u, const double *restrict frame, const double *restrict next, double *restrict sum)
{
  double l1 = 0.0, l2 = 0.0, published = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    const double d = u[i] - frame[i];
    l1 += fabs(d);
    l2 += d * d;
    published += fabs(u[i] - next[i]);
  }
  sum[WEFT_ERROR_L1] += l1;
  sum[WEFT_ERROR_L2] += l2;
  sum[WEFT_ERROR_PUBLISHED] += published;
}

WEFT_KERNEL static void SizeRow(PetscInt n, const double *restrict frame, const double *restrict next, double *restrict sum)
{
  double l1 = 0.0, l2 = 0.0, published = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    l1 += fabs(frame[i]);
    l2 += frame[i] * frame[i];
    published += fabs(next[i]);
  }
  sum[WEFT_ERROR_L1] += l1;
  sum[WEFT_ERROR_L2] += l2;
  sum[WEFT_ERROR_PUBLISHED] += published;
}

/* Sums of the differences of u from the frames; u NULL: of the frames themselves. This rank's part. */
static void AddSums(const WeftEvaluation *e, WeftState u, PetscInt sample, double sum[WEFT_ERRORS])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(e->state);
  const WeftLayout    *l    = WeftGridLayout(e->grid);

  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        const PetscInt at   = WeftLayoutIndex(l, lo[0], j, k);
        const double  *here = WeftStatePlane(e->frame[0], f, sample) + at, *next = WeftStatePlane(e->frame[1], f, sample) + at;
        if (u) DifferenceRow(hi[0] - lo[0], WeftStatePlane(u, f, sample) + at, here, next, sum);
        else SizeRow(hi[0] - lo[0], here, next, sum);
      }
    }
  }
}

/* Courant number of a sample of a flow, of other fields 0, this rank's part; infinite if a value is not finite. */
static PetscReal Courant(const WeftEvaluation *e, WeftState u, PetscInt sample, PetscReal dt)
{
  const WeftSpaceInfo *info    = WeftSpaceGetInfo(e->state);
  const WeftLayout    *l       = WeftGridLayout(e->grid);
  const PetscBool      flow    = WeftModelIsFlow(e->run[0].model);
  PetscReal            courant = 0.0;

  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        const double largest = LargestRow(hi[0] - lo[0], WeftStatePlane(u, f, sample) + WeftLayoutIndex(l, lo[0], j, k));
        courant              = PetscMax(courant, !isfinite(largest) ? PETSC_MAX_REAL : flow ? largest * dt / l->h[f] : 0.0);
      }
    }
  }
  return courant;
}

/* A sample that is not finite, or so fast that its next step would reach beyond the halo, is over: it rests from here on, so that
   the others go on. Agreed on by the ranks that share it. */
static PetscErrorCode HoldBounds(WeftEvaluation *e, PetscInt r, PetscInt n)
{
  WeftState  u = e->run[r].in[0];
  PetscReal *courant;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(e->batch, &courant));
  for (PetscInt s = 0; s < e->batch; s++) courant[s] = Courant(e, u, s, WeftModelTimeStep(e->run[r].model));
  PetscCall(WeftReduce(courant, (PetscMPIInt)e->batch, MPIU_REAL, MPIU_MAX, e->members.space));
  for (PetscInt s = 0; s < e->batch; s++) {
    PetscInt *unstable = &e->unstable[SimulationOf(e, s) * WEFT_RUNS + r];
    if (courant[s] >= e->courant_bound && !*unstable) *unstable = n;
    if (!*unstable) continue;
    for (PetscInt f = 0; f < WeftSpaceGetInfo(e->state)->fields; f++) PetscCall(PetscArrayzero(WeftStatePlaneWrite(u, f, s), WeftGridLayout(e->grid)->plane));
  }
  PetscCall(PetscFree(courant));
  PetscFunctionReturn(0);
}

static void Compare(WeftEvaluation *e, PetscInt n)
{
  for (PetscInt s = 0; s < e->count; s++) {
    const PetscInt simulation = e->first + s;
    WeftErrorSums *sums       = &e->sums[simulation * e->compared + n - 1];
    AddSums(e, NULL, s, sums->frame);
    for (PetscInt r = 0; r < e->runs; r++) {
      if (!e->unstable[simulation * WEFT_RUNS + r]) AddSums(e, e->run[r].in[0], s, sums->run[r]);
      else
        for (PetscInt i = 0; i < WEFT_ERRORS; i++) sums->run[r][i] = NAN;
    }
  }
}

/* ---- playing ------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Step(WeftEvaluation *e, PetscInt r, PetscInt n)
{
  WeftRun     *run   = &e->run[r];
  const double begin = MPI_Wtime();
  WeftState    old   = run->in[0];

  PetscFunctionBegin;
  PetscCall(WeftModelSetTime(run->model, run->in, -1, e->info.first_time + (PetscReal)(n - 1) * e->info.frame_time));
  PetscCall(WeftOpApply(WeftModelStep(run->model), run->in, run->out, NULL));
  run->seconds += MPI_Wtime() - begin;
  PetscCall(WeftEvaluationAudit(e, r, n, run->out));
  run->in[0]  = run->out[0];
  run->out[0] = old;
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, e->grid)); /* replicas go on, or stop, together */
  PetscCall(HoldBounds(e, r, n));
  PetscFunctionReturn(0);
}

/* What the picture shows of a state: the vorticity of a flow, else its last field; the middle layer. */
static PetscErrorCode ForPicture(const WeftEvaluation *e, WeftState state, PetscInt sample, double **values)
{
  const WeftLayout *l = WeftGridLayout(e->grid);
  PetscInt          shape[3], count = l->cells[0] * l->cells[1];

  PetscFunctionBegin;
  if (WeftModelIsFlow(e->run[0].model)) {
    PetscCall(WeftFlowVorticity(state, sample, NULL, values));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftStateGather(state, WeftSpaceGetInfo(e->state)->fields - 1, sample, shape, values));
  PetscCall(PetscArraymove(*values, *values + (l->cells[2] / 2) * count, count));
  PetscFunctionReturn(0);
}

/* Series, and the fields of the picture, of the simulation that is shown. */
static PetscErrorCode Show(WeftEvaluation *e, PetscInt n)
{
  const PetscInt  sample = ShownSample(e);
  const PetscReal time   = e->info.first_time + (PetscReal)n * e->info.frame_time;

  PetscFunctionBegin;
  if (sample < 0) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < 1 + e->runs; i++) {
    WeftState       state  = i ? e->run[i - 1].in[0] : e->frame[0];
    WeftSeries      series = i ? e->run[i - 1].series : e->reference;
    const PetscBool there  = i ? (e->unstable[e->shown * WEFT_RUNS + i - 1] ? PETSC_FALSE : PETSC_TRUE) : n <= e->compared ? PETSC_TRUE : PETSC_FALSE;
    if (there && (n % e->every == 0 || n == e->steps)) PetscCall(WeftSeriesWrite(series, time, 1, &state, sample));
    if (there && n == e->picture_step) PetscCall(ForPicture(e, state, sample, &e->picture[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Play(WeftEvaluation *e)
{
  WeftProgress progress;

  PetscFunctionBegin;
  PetscCall(WeftProgressCreate("rollout", e->steps, &progress));
  PetscCall(WeftCostBegin("step"));
  PetscCall(WeftEvaluationFrame(e, 0, e->frame[0]));
  PetscCall(WeftEvaluationFrame(e, 1, e->frame[1]));
  for (PetscInt r = 0; r < e->runs; r++) PetscCall(WeftStateCopy(e->frame[0], e->run[r].in[0]));
  PetscCall(Show(e, 0));
  for (PetscInt n = 1; n <= e->steps; n++) {
    for (PetscInt r = 0; r < e->runs; r++) PetscCall(Step(e, r, n));
    if (n <= e->compared) {
      const WeftState old = e->frame[0];
      e->frame[0]         = e->frame[1];
      e->frame[1]         = old;
      if (n + 1 < e->info.frames) PetscCall(WeftEvaluationFrame(e, n + 1, e->frame[1]));
      else PetscCall(WeftStateCopy(e->frame[0], e->frame[1]));
      Compare(e, n);
    }
    PetscCall(Show(e, n));
    PetscCall(WeftProgressUpdate(progress, n, "%" PetscInt_FMT " simulations", e->info.simulations));
  }
  PetscCall(WeftCostEnd(e->steps));
  PetscCall(WeftProgressDestroy(&progress));
  PetscFunctionReturn(0);
}

/* Every rank gets the sums of all simulations; a simulation's ranks agree on its end already. */
static PetscErrorCode Reduce(WeftEvaluation *e)
{
  const PetscInt values = e->info.simulations * e->compared * (PetscInt)(sizeof(WeftErrorSums) / sizeof(double));
  double         seconds[WEFT_RUNS];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < e->info.simulations * WEFT_RUNS && !e->count; s++) e->unstable[s] = 0;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, e->sums, (PetscMPIInt)values, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, e->unstable, (PetscMPIInt)(e->info.simulations * WEFT_RUNS), MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
  for (PetscInt r = 0; r < e->runs; r++) seconds[r] = e->run[r].seconds;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, (PetscMPIInt)e->runs, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  for (PetscInt r = 0; r < e->runs; r++) e->run[r].seconds = seconds[r];
  PetscFunctionReturn(0);
}

double WeftEvaluationError(const WeftEvaluation *e, PetscInt simulation, PetscInt run, PetscInt error, PetscInt n)
{
  const WeftErrorSums *sums  = &e->sums[simulation * e->compared + n - 1];
  const double         ratio = sums->run[run][error] / sums->frame[error];
  return error == WEFT_ERROR_L2 ? sqrt(ratio) : ratio;
}

double WeftEvaluationMean(const WeftEvaluation *e, PetscInt simulation, PetscInt run, PetscInt error, PetscInt n)
{
  double sum = 0.0;
  for (PetscInt i = 1; i <= n; i++) sum += WeftEvaluationError(e, simulation, run, error, i);
  return sum / (double)n;
}

static PetscErrorCode Destroy(WeftEvaluation *e)
{
  PetscFunctionBegin;
  for (PetscInt r = 0; r < e->runs; r++) PetscCall(WeftStepStatesDestroy(WeftModelStep(e->run[r].model), e->run[r].in, e->run[r].out));
  PetscCall(WeftModelDestroy(&e->run[WEFT_UNCORRECTED].model));
  if (e->runs > 1) PetscCall(WeftHybridDestroy(&e->hybrid));
  for (PetscInt i = 0; i < 2; i++) PetscCall(WeftStateDestroy(&e->frame[i]));
  for (PetscInt i = 0; i < 1 + WEFT_RUNS; i++) PetscCall(PetscFree(e->picture[i]));
  PetscCall(WeftDataDestroy(&e->file));
  PetscCall(WeftSpaceDestroy(&e->state));
  PetscCall(WeftGridDestroy(&e->grid));
  PetscCall(WeftTeamDestroy(&e->team));
  PetscCall(PetscFree2(e->sums, e->unstable));
  PetscCall(PetscFree(e->numbers));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluate(void)
{
  WeftEvaluation e;

  PetscFunctionBegin;
  PetscCall(Create(&e));
  PetscCall(Play(&e));
  PetscCall(Reduce(&e));
  PetscCall(WeftEvaluationReaction(&e));
  if (e.reference) PetscCall(WeftSeriesDestroy(&e.reference));
  for (PetscInt r = 0; r < e.runs; r++)
    if (e.run[r].series) PetscCall(WeftSeriesDestroy(&e.run[r].series));
  PetscCall(WeftEvaluationAuditClose(&e));
  PetscCall(WeftEvaluationReport(&e));
  PetscCall(Destroy(&e));
  PetscFunctionReturn(0);
}
