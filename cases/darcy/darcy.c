/* Recovers the conductivity of a porous medium from a few pressures: m = log conductivity on -cells x -cells cells, steady flow
   -div(exp(m) grad p) = 1 with p = 0 all around, p observed with noise at -observations points.

   Unknown are not the values of m but white noise z: m = amplitude (1 - length^2 Laplacian)^-1 z is a smooth random field (Whittle
   1954), so |z|^2 / 2 is its prior, and the optimiser works in a space where every direction is as likely as every other. One
   program of operators, (z) -> pressures at the points: two implicit solves, whose adjoints give the gradient.

     mpirun -n 2 ./darcy -solve_pc_type hypre [-cells 512 -observations 100 -noise 0.01 -length 0.15 -tao_max_it 100] */
#include <weft.h>
#include <petsctao.h>
#include <math.h>

typedef struct {
  PetscInt  cells, observations;
  PetscReal noise, length;
} Options;

/* ---- observations: an operator from a cell field to its values at points, bilinear ------------------------------------------ */

typedef struct {
  PetscInt   points;
  PetscReal *place; /* [points][2] */
} Observe;

/* The owned cells around a point and their weights. */
static PetscInt Around(const WeftLayout *l, const PetscReal place[2], PetscInt cell[4], double weight[4])
{
  const double   x = (place[0] - l->lower[0]) / l->h[0] - 0.5, y = (place[1] - l->lower[1]) / l->h[1] - 0.5;
  const PetscInt i0 = (PetscInt)floor(x), j0 = (PetscInt)floor(y);
  PetscInt       n = 0;

  for (PetscInt dj = 0; dj < 2; dj++)
    for (PetscInt di = 0; di < 2; di++) {
      const PetscInt i = i0 + di, j = j0 + dj;
      if (i < l->start[0] || i >= l->start[0] + l->count[0] || j < l->start[1] || j >= l->start[1] + l->count[1]) continue;
      cell[n]     = WeftLayoutIndex(l, i, j, 0);
      weight[n++] = (di ? x - (double)i0 : 1.0 - (x - (double)i0)) * (dj ? y - (double)j0 : 1.0 - (y - (double)j0));
    }
  return n;
}

/* A rank's part: what its own cells contribute. */
static PetscErrorCode ObserveApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Observe    *o      = (const Observe *)WeftOpContext(op);
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid);
  const double     *p      = WeftStatePlane(x[0], 0, 0);
  double           *values = (double *)WeftStateDataWrite(y[0]), weight[4];
  PetscInt          cell[4];

  PetscFunctionBegin;
  (void)record;
  for (PetscInt k = 0; k < o->points; k++) {
    const PetscInt n = Around(l, o->place + 2 * k, cell, weight);
    values[k]        = 0.0;
    for (PetscInt c = 0; c < n; c++) values[k] += weight[c] * p[cell[c]];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ObserveTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[])
{
  (void)x;
  (void)y;
  return ObserveApply(op, dx, dy, record);
}

static PetscErrorCode ObserveAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[])
{
  const Observe    *o      = (const Observe *)WeftOpContext(op);
  const WeftLayout *l      = WeftGridLayout(WeftSpaceGetInfo(WeftOpInSpace(op, 0))->grid);
  const double     *values = (const double *)WeftStateData(y_bar[0]);
  double           *p_bar  = WeftStatePlaneWrite(x_bar[0], 0, 0), weight[4];
  PetscInt          cell[4];

  PetscFunctionBegin;
  (void)x;
  (void)y;
  (void)record;
  for (PetscInt k = 0; k < o->points; k++) {
    const PetscInt n = Around(l, o->place + 2 * k, cell, weight);
    for (PetscInt c = 0; c < n; c++) p_bar[cell[c]] += weight[c] * values[k];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode ObserveDestroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(((Observe *)context)->place));
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

/* Points drawn in the inner 96 % of the unit square. */
static PetscErrorCode ObserveCreate(WeftSpace space, PetscInt points, WeftOp *op)
{
  static const WeftOpMaps maps = {ObserveApply, ObserveTangent, ObserveAdjoint, ObserveDestroy, NULL};
  const WeftSpaceInfo    *info = WeftSpaceGetInfo(space);
  WeftSpace               numbers;
  Observe                *o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  o->points = points;
  PetscCall(PetscMalloc1(2 * points, &o->place));
  for (PetscInt i = 0; i < 2 * points; i++) o->place[i] = 0.02 + 0.96 * WeftRandomUniform(7, WEFT_STREAM_INITIAL, i);
  PetscCall(WeftSpaceCreateNumbers(info->comm, 1, points, PETSC_FALSE, &numbers));
  PetscCall(WeftOpCreate("Observe", &maps, o, WEFT_NEEDS_NOTHING, 1, &space, 1, &numbers, op));
  PetscCall(WeftSpaceDestroy(&numbers));
  PetscFunctionReturn(0);
}

/* ---- the model: white noise -> conductivity -> pressure -> observations --------------------------------------------------------- */

typedef struct {
  Options    options;
  WeftGrid   grid;
  WeftSpace  space;
  WeftOp     model, pressure; /* (z, length^2, source) -> observations, m, p; pressure: for its report */
  WeftRecord record;
  WeftState  in[3], bar[3], out[3], out_bar[3];
  double    *data; /* [observations] */
  PetscReal  sigma, misfit, prior;
  PetscReal  scale; /* of what the optimiser sees: its first step, of the length of the gradient, is then of length 1 */
  PetscInt   evaluations;
} Inversion;

static PetscErrorCode CreateModel(Inversion *v)
{
  const PetscReal     h      = WeftGridLayout(v->grid)->h[0];
  const PetscReal     scale  = 2.0 * sqrt(PETSC_PI) * v->options.length / h; /* m has variance 1 away from the sides */
  WeftImplicitOptions solve;
  WeftOp              smooth, amplify, residual, observe;
  WeftProgram         program;
  PetscInt            z, length, source, m, p, seen;

  PetscFunctionBegin;
  PetscCall(WeftOpCreateImplicitDiffuse(v->space, 1.0, &smooth));
  PetscCall(WeftOpCreateSum(v->space, 1, &scale, &amplify));
  PetscCall(WeftOpCreateDarcy(v->space, &residual));
  PetscCall(WeftImplicitOptionsDefault(&solve));
  solve.guess = -1;
  PetscCall(WeftOpCreateImplicit(residual, &solve, &v->pressure));
  PetscCall(ObserveCreate(v->space, v->options.observations, &observe));
  PetscCall(WeftProgramCreate(PETSC_COMM_WORLD, &program));
  PetscCall(WeftProgramInput(program, "white noise", v->space, &z));
  PetscCall(WeftProgramInput(program, "length squared", WeftOpInSpace(smooth, 1), &length));
  PetscCall(WeftProgramInput(program, "source", v->space, &source));
  PetscCall(WeftProgramCall(program, smooth, (const PetscInt[]){z, length}, &m));
  PetscCall(WeftProgramCall(program, amplify, &m, &m));
  PetscCall(WeftProgramCall(program, v->pressure, (const PetscInt[]){m, source}, &p));
  PetscCall(WeftProgramCall(program, observe, &p, &seen));
  PetscCall(WeftProgramOutput(program, seen));
  PetscCall(WeftProgramOutput(program, m));
  PetscCall(WeftProgramOutput(program, p));
  PetscCall(WeftProgramFinish(&program, "DarcyObservations", &v->model));
  PetscCall(WeftOpDestroy(&smooth));
  PetscCall(WeftOpDestroy(&amplify));
  PetscCall(WeftOpDestroy(&residual));
  PetscCall(WeftOpDestroy(&observe));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(const Options *options, Inversion *v)
{
  static const char *const name = "log_conductivity";
  const WeftLocation       cell = WEFT_CELL;
  WeftGridOptions          box;
  double                  *source;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(v, sizeof(*v)));
  v->options = *options;
  v->scale   = 1.0;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim = box.halo = 2;
  for (PetscInt a = 0; a < 2; a++) {
    box.cells[a] = options->cells;
    box.upper[a] = 1.0;
    box.side[a][0] = box.side[a][1] = WEFT_SIDE_OPEN;
  }
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &v->grid));
  PetscCall(WeftSpaceCreatePlanes(v->grid, 1, 1, &name, &cell, &v->space));
  PetscCall(CreateModel(v));
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(v->model, i), &v->in[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(v->model, i), &v->out[i]));
    PetscCall(WeftStateCreate(WeftOpOutSpace(v->model, i), &v->out_bar[i]));
  }
  PetscCall(WeftStateCreate(v->space, &v->bar[0])); /* the others are not unknown */
  ((double *)WeftStateDataWrite(v->in[1]))[0] = PetscSqr(options->length);
  source = WeftStatePlaneWrite(v->in[2], 0, 0);
  for (PetscInt i = 0; i < WeftGridLayout(v->grid)->plane; i++) source[i] = 1.0;
  PetscCall(PetscMalloc1(options->observations, &v->data));
  PetscCall(WeftRecordCreate(v->model, &v->record));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Inversion *v)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftStateDestroy(&v->in[i]));
    PetscCall(WeftStateDestroy(&v->out[i]));
    PetscCall(WeftStateDestroy(&v->out_bar[i]));
  }
  PetscCall(WeftStateDestroy(&v->bar[0]));
  PetscCall(WeftRecordDestroy(&v->record));
  PetscCall(WeftOpDestroy(&v->model));
  PetscCall(WeftOpDestroy(&v->pressure));
  PetscCall(PetscFree(v->data));
  PetscCall(WeftSpaceDestroy(&v->space));
  PetscCall(WeftGridDestroy(&v->grid));
  PetscFunctionReturn(0);
}

/* Plays the model; values: the observations of all ranks together. */
static PetscErrorCode Play(Inversion *v, double values[])
{
  const PetscMPIInt n = (PetscMPIInt)v->options.observations;

  PetscFunctionBegin;
  PetscCall(WeftOpApply(v->model, v->in, v->out, v->record));
  PetscCallMPI(MPI_Allreduce(WeftStateData(v->out[0]), values, n, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* The truth: a draw of the prior; its observations with noise of a share `noise` of their root mean square. */
static PetscErrorCode MakeData(Inversion *v, WeftState truth)
{
  const WeftLayout *l      = WeftGridLayout(v->grid);
  double           *z      = WeftStatePlaneWrite(v->in[0], 0, 0);
  PetscReal         square = 0.0;

  PetscFunctionBegin;
  for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) z[WeftLayoutIndex(l, i, j, 0)] = WeftRandomNormal(11, WEFT_STREAM_INITIAL, (PetscInt64)j * l->cells[0] + i);
  PetscCall(Play(v, v->data));
  PetscCall(WeftStateCopy(v->out[1], truth));
  for (PetscInt k = 0; k < v->options.observations; k++) square += PetscSqr(v->data[k]);
  v->sigma = v->options.noise * sqrt(square / (PetscReal)v->options.observations);
  for (PetscInt k = 0; k < v->options.observations; k++) v->data[k] += v->sigma * WeftRandomNormal(13, WEFT_STREAM_NOISE, k);
  PetscFunctionReturn(0);
}

/* scale (sum (p - data)^2 / (2 sigma^2) + |z|^2 / 2), and its gradient. */
static PetscErrorCode Objective(Tao tao, Vec z, PetscReal *value, Vec gradient, void *context)
{
  Inversion *v    = (Inversion *)context;
  double    *seed = (double *)WeftStateDataWrite(v->out_bar[0]);

  PetscFunctionBegin;
  (void)tao;
  PetscCall(WeftStateFromVec(z, v->in[0]));
  PetscCall(Play(v, seed));
  v->misfit = 0.0;
  for (PetscInt k = 0; k < v->options.observations; k++) {
    const double difference = seed[k] - v->data[k];
    v->misfit += 0.5 * PetscSqr(difference / v->sigma);
    seed[k] = difference / PetscSqr(v->sigma);
  }
  PetscCall(WeftStateZero(v->bar[0]));
  PetscCall(WeftOpAdjoint(v->model, v->in, v->out, v->record, v->out_bar, v->bar));
  PetscCall(WeftStateToVec(v->bar[0], gradient));
  PetscCall(VecAXPY(gradient, 1.0, z));
  PetscCall(VecDot(z, z, &v->prior));
  v->prior *= 0.5;
  *value = v->scale * (v->misfit + v->prior);
  PetscCall(VecScale(gradient, v->scale));
  v->evaluations++;
  PetscFunctionReturn(0);
}

/* One directional Taylor test before the first step: the gradient must be right. */
static PetscErrorCode CheckGradient(Inversion *v, Vec z, Vec gradient)
{
  const PetscReal h = 1e-4;
  PetscReal       slope, above, below;
  Vec             direction, at;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(z, &direction));
  PetscCall(VecDuplicate(z, &at));
  PetscCall(WeftStateSetRandom(v->bar[0], 17, 0, 0.3, 1.0));
  PetscCall(WeftStateToVec(v->bar[0], direction));
  PetscCall(Objective(NULL, z, &above, gradient, v));
  PetscCall(VecDot(gradient, direction, &slope));
  PetscCall(VecWAXPY(at, h, direction, z));
  PetscCall(Objective(NULL, at, &above, gradient, v));
  PetscCall(VecWAXPY(at, -h, direction, z));
  PetscCall(Objective(NULL, at, &below, gradient, v));
  PetscCall(WeftLog("gradient check: slope %.10g, central difference %.10g", (double)slope, (double)((above - below) / (2.0 * h))));
  WeftCheck(PetscAbsReal((above - below) / (2.0 * h) - slope) <= 1e-4 * PetscAbsReal(slope), PETSC_COMM_WORLD, "the gradient is wrong");
  PetscCall(VecDestroy(&direction));
  PetscCall(VecDestroy(&at));
  PetscFunctionReturn(0);
}

static PetscErrorCode Monitor(Tao tao, void *context)
{
  const Inversion *v = (const Inversion *)context;
  PetscInt         iteration;
  PetscReal        value, norm;

  PetscFunctionBegin;
  PetscCall(TaoGetSolutionStatus(tao, &iteration, &value, &norm, NULL, NULL, NULL));
  if (iteration % 5 == 0) PetscCall(WeftLog("iteration %3d  objective %10.4g  misfit %10.4g  prior %9.4g  |gradient| %9.3g  evaluations %d", (int)iteration, (double)(value / v->scale), (double)v->misfit, (double)v->prior, (double)(norm / v->scale), (int)v->evaluations));
  PetscFunctionReturn(0);
}

static PetscErrorCode Optimise(Inversion *v)
{
  TaoConvergedReason reason;
  Vec                z, gradient;
  PetscReal          value, norm;
  PetscBool          set;
  Tao                tao;

  PetscFunctionBegin;
  PetscCall(WeftStateCreateVec(v->space, &z));
  PetscCall(VecDuplicate(z, &gradient));
  PetscCall(CheckGradient(v, z, gradient));
  PetscCall(Objective(NULL, z, &value, gradient, v));
  PetscCall(VecNorm(gradient, NORM_2, &norm));
  v->scale = 1.0 / norm;
  PetscCall(TaoCreate(PETSC_COMM_WORLD, &tao));
  PetscCall(TaoSetType(tao, TAOLMVM));
  PetscCall(TaoSetSolution(tao, z));
  PetscCall(TaoSetObjectiveAndGradient(tao, gradient, Objective, v));
  PetscCall(TaoSetMonitor(tao, Monitor, v, NULL));
  PetscCall(TaoSetTolerances(tao, 0.0, 0.0, 1e-3));
  PetscCall(TaoSetMaximumIterations(tao, 100));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-tao_ls_stepmax", &set));
  if (!set) PetscCall(PetscOptionsSetValue(NULL, "-tao_ls_stepmax", "2")); /* conductivities are exponentials: no long leaps */
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetConvergedReason(tao, &reason));
  WeftCheck(reason > 0 || reason == TAO_DIVERGED_MAXITS, PETSC_COMM_WORLD, "the optimiser failed: %s", TaoConvergedReasons[reason]);
  PetscCall(Objective(tao, z, &value, gradient, v)); /* the fields of the solution */
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecDestroy(&z));
  PetscCall(VecDestroy(&gradient));
  PetscFunctionReturn(0);
}

/* ---- what came out ------------------------------------------------------------------------------------------------------------------ */

static PetscErrorCode Report(Inversion *v, WeftState truth)
{
  WeftState  difference;
  PetscReal  tt, mm, tm, error;
  PetscInt   shape[3];
  double    *values[3];
  WeftPanel  panel[3] = {{.title = "true log conductivity"}, {.title = "recovered"}, {.title = "difference"}};
  WeftImplicitReport report;

  PetscFunctionBegin;
  PetscCall(WeftStateDot(truth, truth, &tt));
  PetscCall(WeftStateDot(v->out[1], v->out[1], &mm));
  PetscCall(WeftStateDot(truth, v->out[1], &tm));
  PetscCall(WeftStateCreate(v->space, &difference));
  PetscCall(WeftStateCopy(v->out[1], difference));
  PetscCall(WeftStateAXPY(difference, -1.0, truth));
  PetscCall(WeftStateNorm(difference, NORM_2, &error));
  PetscCall(WeftImplicitGetReport(v->pressure, &report));
  PetscCall(WeftLog("misfit %.4g (expected %.4g), relative error of the log conductivity %.4f, cosine with the truth %.4f", (double)v->misfit, 0.5 * (double)v->options.observations, (double)(error / sqrt(tt)), (double)(tm / sqrt(tt * mm))));
  PetscCall(WeftLog("%d evaluations; pressure: %.1f iterations forward, %.1f adjoint, largest true adjoint residual %.1e", (int)v->evaluations, (double)report.krylov / (double)report.solves, (double)report.adjoint_krylov / (double)report.adjoint_solves, (double)report.adjoint_residual));
  {
    const WeftState shown[3] = {truth, v->out[1], difference};
    double          largest  = 0.0;
    for (PetscInt k = 0; k < 3; k++) {
      PetscCall(WeftStateGather(shown[k], 0, 0, shape, &values[k]));
      for (PetscInt i = 0; i < shape[1] * shape[2]; i++) largest = PetscMax(largest, PetscAbsReal(values[k][i]));
    }
    for (PetscInt k = 0; k < 3; k++) {
      panel[k].rows      = shape[1];
      panel[k].columns   = shape[2];
      panel[k].values    = values[k];
      panel[k].lower     = -largest;
      panel[k].upper     = largest;
      panel[k].diverging = PETSC_TRUE;
    }
    PetscCall(WeftPictureWrite("darcy.png", 3, panel, 3, PetscMax(1, 256 / shape[2])));
    for (PetscInt k = 0; k < 3; k++) PetscCall(PetscFree(values[k]));
  }
  PetscCall(WeftStateDestroy(&difference));
  PetscFunctionReturn(0);
}

static PetscErrorCode Run(void)
{
  Options   options = {.cells = 512, .observations = 100, .noise = 0.01, .length = 0.15};
  Inversion inversion;
  WeftState truth;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-cells", &options.cells, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-observations", &options.observations, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-noise", &options.noise, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-length", &options.length, NULL));
  PetscCall(Create(&options, &inversion));
  PetscCall(WeftStateCreate(inversion.space, &truth));
  PetscCall(MakeData(&inversion, truth));
  PetscCall(Optimise(&inversion));
  PetscCall(Report(&inversion, truth));
  PetscCall(WeftStateDestroy(&truth));
  PetscCall(Destroy(&inversion));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  if (WeftInitialize(&argc, &argv, NULL)) return 1;
  if (Run()) {
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
  return WeftFinalize() ? 1 : 0;
}
