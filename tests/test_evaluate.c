/* ctest: case; ranks 1 2 4; timeout 120 */
/* The verb rollout on a small dataset: its errors, from every team, are those of the two models played by hand and summed value by
   value over the whole field; a net that blows up is reported with its step and the other run stays as it was; mistakes. */
#include <weft/io.h>
#include "flow.h"
#include "train/hybrid.h"

#define SIMULATIONS 3
#define FRAMES      5
#define STEPS       7 /* beyond the frames */

static char folder[64], weights_file[96], data_file[96];

static PetscErrorCode Keys(void)
{
  PetscFunctionBegin;
  PetscCall(FlowCase("wake/rollout.yaml"));
  PetscCall(TestSetKey("model_feature", "reynolds")); /* the nets of BlowUp are made for it */
  PetscCall(TestSetKey("dataset_reynolds", "100"));
  PetscCall(TestSetKey("dataset_test_reynolds", "73.2421875;300;900"));
  PetscCall(TestSetKey("dataset_refine", "2"));
  PetscCall(TestSetKey("dataset_skip", "2"));
  PetscCall(TestSetKey("dataset_frames", "5"));
  PetscCall(TestSetKey("dataset_precision", "double"));
  PetscCall(TestSetKey("output", folder));
  PetscCall(WeftDatasetGenerate());
  PetscCall(TestSetKey("rollout_dataset", data_file));
  PetscCall(TestSetKey("rollout_weights", weights_file));
  PetscCall(TestSetKey("rollout_steps", "7"));
  PetscCall(TestSetKey("rollout_average", "2;100"));
  PetscCall(TestSetKey("rollout_series", "1"));
  PetscCall(TestSetKey("rollout_series_every", "2"));
  PetscFunctionReturn(0);
}

/* A model with its net (corrected) or without, as the keys say; the net's weights: drawn, or all of one size. */
typedef struct {
  WeftGrid   grid;
  WeftSpace  space;
  WeftHybrid hybrid;
  WeftModel  model, plain;
  WeftState  in[WEFT_OP_MAX], out[WEFT_OP_MAX];
} Played;

static const WeftScales scales = {.velocity = {0.3, 0.4, 1.0}, .reynolds = 300.0};

static PetscErrorCode PlayedCreate(PetscBool corrected, Played *p)
{
  WeftModelOptions options;
  WeftGridOptions  box;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsFromKeys(&box));
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &p->grid));
  PetscCall(WeftSpaceCreateVelocity(p->grid, 1, &p->space));
  PetscCall(WeftHybridCreate(p->grid, 1, &scales, PETSC_TRUE, &p->hybrid));
  PetscCall(WeftModelOptionsFromKeys(&options));
  PetscCall(WeftModelCreate(p->grid, 1, &options, NULL, PETSC_TRUE, &p->plain));
  PetscCall(WeftModelOptionsDestroy(&options));
  p->model = corrected ? p->hybrid.model : p->plain;
  PetscCall(WeftStepStates(WeftModelStep(p->model), p->in, p->out));
  if (corrected) PetscCall(WeftNetInitialise(p->hybrid.net, 7, p->in[WeftModelInput(p->model, "weights")]));
  PetscFunctionReturn(0);
}

static PetscErrorCode PlayedDestroy(Played *p)
{
  PetscFunctionBegin;
  PetscCall(WeftStepStatesDestroy(WeftModelStep(p->model), p->in, p->out));
  PetscCall(WeftModelDestroy(&p->plain));
  PetscCall(WeftHybridDestroy(&p->hybrid));
  PetscCall(WeftSpaceDestroy(&p->space));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscFunctionReturn(0);
}

/* count 0: as drawn. */
static PetscErrorCode WriteWeights(PetscInt count, const double values[])
{
  WeftArrays arrays;
  Played     p;
  double    *weights;

  PetscFunctionBegin;
  PetscCall(PlayedCreate(PETSC_TRUE, &p));
  weights = (double *)WeftStateDataWrite(p.in[WeftModelInput(p.model, "weights")]);
  TestCheck(!count || count == WeftSpaceGetInfo(WeftNetParameterSpace(p.hybrid.net))->count, "the net has another number of weights");
  PetscCall(PetscArraycpy(weights, values, count));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftWeightsSet(arrays, 2, p.hybrid.net, &scales, weights));
  PetscCall(WeftArraysWrite(arrays, weights_file));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(PlayedDestroy(&p));
  PetscFunctionReturn(0);
}

/* ---- by hand -------------------------------------------------------------------------------------------------------- */

/* sum[0] += |u - v|, sum[1] += (u - v)^2 over all values; v NULL: of u. Gathered, so the order does not depend on the ranks. */
static PetscErrorCode Sum(WeftState u, WeftState v, double sum[2])
{
  PetscFunctionBegin;
  sum[0] = sum[1] = 0.0;
  for (PetscInt f = 0; f < 2; f++) {
    double  *a, *b = NULL;
    PetscInt shape[3];
    PetscCall(WeftStateGather(u, f, 0, shape, &a));
    if (v) PetscCall(WeftStateGather(v, f, 0, shape, &b));
    for (PetscInt c = 0; c < shape[0] * shape[1] * shape[2]; c++) {
      const double d = a[c] - (b ? b[c] : 0.0);
      sum[0] += fabs(d);
      sum[1] += d * d;
    }
    PetscCall(PetscFree(a));
    PetscCall(PetscFree(b));
  }
  PetscFunctionReturn(0);
}

/* error[step][l1, l2, published] of one simulation. */
static PetscErrorCode ByHand(PetscBool corrected, PetscInt simulation, double error[FRAMES - 1][3])
{
  PetscReal    numbers[8];
  WeftState    frame[FRAMES];
  WeftDataInfo info;
  WeftDataFile file;
  Played       p;

  PetscFunctionBegin;
  PetscCall(PlayedCreate(corrected, &p));
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, p.space, data_file, &info, &file));
  TestCheck(info.simulations == SIMULATIONS && info.frames == FRAMES, "the dataset has another shape");
  for (PetscInt n = 0; n < FRAMES; n++) {
    PetscCall(WeftStateCreate(p.space, &frame[n]));
    PetscCall(WeftDataRead(file, simulation, n, frame[n], 0));
  }
  PetscCall(WeftDataReadNumbers(file, simulation, numbers));
  PetscCall(WeftModelSetNumbers(p.model, p.in, 0, info.numbers, (const char(*)[32])info.number, numbers));
  PetscCall(WeftStateCopy(frame[0], p.in[0]));
  for (PetscInt n = 1; n < FRAMES; n++) {
    const PetscInt next = PetscMin(n + 1, FRAMES - 1);
    double         difference[2], size[2];
    PetscCall(WeftOpApply(WeftModelStep(p.model), p.in, p.out, NULL));
    PetscCall(WeftStateCopy(p.out[0], p.in[0]));
    PetscCall(Sum(p.in[0], frame[n], difference));
    PetscCall(Sum(frame[n], NULL, size));
    error[n - 1][0] = difference[0] / size[0];
    error[n - 1][1] = sqrt(difference[1] / size[1]);
    PetscCall(Sum(p.in[0], frame[next], difference));
    PetscCall(Sum(frame[next], NULL, size));
    error[n - 1][2] = difference[0] / size[0];
  }
  for (PetscInt n = 0; n < FRAMES; n++) PetscCall(WeftStateDestroy(&frame[n]));
  PetscCall(WeftDataDestroy(&file));
  PetscCall(PlayedDestroy(&p));
  PetscFunctionReturn(0);
}

/* ---- what the verb wrote ---------------------------------------------------------------------------------------------- */

static PetscErrorCode Open(const char *name, FILE **file)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", folder, name));
  *file = fopen(path, "r");
  TestCheck(*file, "%s is missing", path);
  PetscFunctionReturn(0);
}

/* error[run][simulation][step][l1, l2, published]; NaN: the run was over. */
static PetscErrorCode CompareErrors(double error[2][SIMULATIONS][FRAMES - 1][3])
{
  int   step, simulation;
  FILE *file;

  PetscFunctionBegin;
  PetscCall(Open("errors.csv", &file));
  TestCheck(fscanf(file, "%*s") == 0, "errors.csv is empty");
  for (PetscInt n = 1; n < FRAMES; n++) {
    for (PetscInt s = 0; s < SIMULATIONS; s++) {
      TestCheck(fscanf(file, "%d,%d", &step, &simulation) == 2 && step == (int)n && simulation == (int)s, "errors.csv: not the row of step %" PetscInt_FMT, n);
      for (PetscInt r = 0; r < 2; r++) {
        for (PetscInt i = 0; i < 3; i++) {
          const double expected = error[r][s][n - 1][i];
          double       value;
          TestCheck(fscanf(file, ",%lf", &value) == 1, "errors.csv: a value is missing");
          if (isnan(expected)) TestCheck(isnan(value), "a run that is over has an error of %g", value);
          else PetscCall(TestClose(value, expected, 1e-12, "error of a step"));
        }
      }
    }
  }
  TestCheck(fscanf(file, "%d", &step) != 1, "errors.csv goes on beyond the frames");
  fclose(file);
  PetscFunctionReturn(0);
}

static PetscErrorCode Contents(const char *name, char text[], size_t room)
{
  FILE *file;

  PetscFunctionBegin;
  PetscCall(Open(name, &file));
  text[fread(text, 1, room - 1, file)] = 0;
  fclose(file);
  PetscFunctionReturn(0);
}

/* Mean over the first steps, as the summary names it. */
static PetscErrorCode CompareSummary(double error[2][SIMULATIONS][FRAMES - 1][3])
{
  static const char *const key[] = {"\"73.2421875\": {", "\"error_published\": {", "\"uncorrected\":"};
  char                     text[16384], *at = text;

  PetscFunctionBegin;
  PetscCall(Contents("summary.json", text, sizeof(text)));
  for (PetscInt k = 0; k < 3; k++) {
    at = strstr(at, key[k]);
    TestCheck(at, "summary.json has no %s", key[k]);
    at += strlen(key[k]);
  }
  PetscCall(TestClose(atof(at), 0.5 * (error[0][0][0][2] + error[0][0][1][2]), 1e-12, "mean in the summary"));
  TestCheck(strstr(text, "\"averaged_steps\": [2, 4]"), "steps that go beyond the frames are not cut");
  PetscFunctionReturn(0);
}

static PetscErrorCode CheckFiles(void)
{
  static const char *const names[] = {"reference.h5", "uncorrected.h5", "corrected.h5", "reference.xmf", "corrected.xmf", "picture.png", "errors.png", "table.txt"};
  char                     text[8192];
  FILE                    *file;

  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    PetscCall(Open(names[i], &file));
    TestCheck(fgetc(file) != EOF, "%s is empty", names[i]);
    fclose(file);
  }
  PetscCall(Contents("table.txt", text, sizeof(text)));
  TestCheck(strstr(text, "0.0312") && strstr(text, "3.48x") && strstr(text, "bounded to step 7"), "the table lacks rows: %s", text);
  PetscFunctionReturn(0);
}

/* A net that adds nothing at the two lower Reynolds numbers and relu(slope Re / 300 + offset) at the highest: that run is over after
   a step, and all others, in its batch or not, are as without correction. No error, but a report. */
static PetscErrorCode BlowUp(double error[2][SIMULATIONS][FRAMES - 1][3], double slope, double offset)
{
  const double weights[8] = {0.0, 0.0, 0.0, 0.0, slope, slope, offset, offset}; /* [input][output], then biases */
  double       expected[2][SIMULATIONS][FRAMES - 1][3];
  char         text[8192];

  PetscFunctionBegin;
  PetscCall(WriteWeights(8, weights));
  PetscCall(WeftEvaluate());
  for (PetscInt r = 0; r < 2; r++) PetscCall(PetscMemcpy(expected[r], error[0], sizeof(error[0])));
  for (PetscInt n = 0; n < FRAMES - 1; n++)
    for (PetscInt i = 0; i < 3; i++) expected[1][2][n][i] = NAN;
  PetscCall(CompareErrors(expected));
  PetscCall(Contents("table.txt", text, sizeof(text)));
  TestCheck(strstr(text, "Re 900 corrected: unstable, at step 1 ") && !strstr(text, "uncorrected: unstable") && !strstr(text, "300 corrected: unstable"), "the table does not tell: %s", text);
  PetscFunctionReturn(0);
}

/* The last simulation diffuses faster than the step can: the replica that plays it is not alone in finding out. */
static PetscErrorCode TooViscous(void)
{
  const PetscReal    numbers[2][2] = {{1000.0, 0.01}, {0.1, 100.0}};
  const WeftDataInfo info          = {2, 2, 2, {"reynolds", "viscosity"}, 0.0, 1.0, PETSC_FALSE};
  char               path[96];
  WeftDataFile       file;
  WeftState          rest;
  Played             p;
  PetscMPIInt        size;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/viscous.h5", folder));
  PetscCall(PlayedCreate(PETSC_FALSE, &p));
  PetscCall(WeftStateCreate(p.space, &rest));
  PetscCall(WeftDataCreate(PETSC_COMM_WORLD, p.space, path, &info, &file));
  for (PetscInt s = 0; s < 2; s++) {
    PetscCall(WeftDataWriteNumbers(file, s, numbers[s]));
    for (PetscInt n = 0; n < 2; n++) PetscCall(WeftDataWrite(file, s, n, rest, 0));
  }
  PetscCall(WeftDataDestroy(&file));
  PetscCall(WeftStateDestroy(&rest));
  PetscCall(PlayedDestroy(&p));
  PetscCall(TestSetKey("rollout_dataset", path));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (size == 1) TestFails(WeftEvaluate(), "explicit diffusion with a viscosity");
  else TestCheck(WeftEvaluate() == WEFT_ERR_USER, "a replica went on"); /* a replica's message is told when the program ends */
  PetscCall(TestSetKey("rollout_dataset", data_file));
  PetscFunctionReturn(0);
}

static PetscErrorCode Mistakes(void)
{
  PetscFunctionBegin;
  PetscCall(TooViscous());
  PetscCall(TestSetKey("rollout_average", "5;5"));
  TestFails(WeftEvaluate(), "rising numbers of steps");
  PetscCall(TestSetKey("rollout_average", "2;100"));
  PetscCall(TestSetKey("rollout_series", "3"));
  TestFails(WeftEvaluate(), "the dataset has 3 simulations");
  PetscCall(TestSetKey("rollout_series", "1"));
  PetscCall(TestSetKey("model_dt", "0.5"));
  TestFails(WeftEvaluate(), "are 1 apart");
  PetscCall(TestSetKey("model_dt", "1"));
  PetscCall(TestSetKey("rollout_weights", "nowhere.h5"));
  TestFails(WeftEvaluate(), "make it with 'weft train'");
  PetscCall(TestSetKey("rollout_dataset", "nowhere.h5"));
  TestFails(WeftEvaluate(), "make it with 'weft dataset'");
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const char *const replicas[] = {"1", "2", "4"};
  double                   error[2][SIMULATIONS][FRAMES - 1][3];
  PetscMPIInt              ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(PetscSNPrintf(folder, sizeof(folder), "evaluate_%d", ranks));
  PetscCall(PetscSNPrintf(weights_file, sizeof(weights_file), "%s/weights.h5", folder));
  PetscCall(PetscSNPrintf(data_file, sizeof(data_file), "%s/test.h5", folder));
  PetscCall(Keys());
  PetscCall(WriteWeights(0, NULL));
  for (PetscInt s = 0; s < SIMULATIONS; s++)
    for (PetscInt r = 0; r < 2; r++) PetscCall(ByHand(r ? PETSC_TRUE : PETSC_FALSE, s, error[r][s]));
  for (PetscInt k = 0; k < 3 && atoi(replicas[k]) <= ranks; k++) {
    PetscCall(TestSetKey("team_replicas", replicas[k]));
    PetscCall(WeftEvaluate());
    PetscCall(CompareErrors(error));
    PetscCall(CompareSummary(error));
    PetscCall(CheckFiles());
  }
  PetscCall(TestSetKey("net_layers", "conv 1 2 relu"));
  for (PetscInt k = 0; k < 3 && atoi(replicas[k]) <= ranks; k++) {
    PetscCall(TestSetKey("team_replicas", replicas[k]));
    PetscCall(BlowUp(error, 1000.0, -1500.0)); /* too fast */
    PetscCall(BlowUp(error, 3e38, -3.2e38));   /* beyond the net's precision */
  }
  PetscCall(Mistakes());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
