/* The verb rollout with a learned reaction: its rates against those of -rollout_reaction, at the states that the frames visit, and, of two
   fields, over the rectangle of states around them. */
#include <string.h>
#include "train/evaluate.h"

#define BINS 64

typedef struct {
  WeftEvaluation *e;
  PetscInt        fields;
  WeftExpression  truth[3];
  WeftState       rates; /* of the net, at a frame */
  double          lower[2], upper[2]; /* rectangle of the frames' states */
  double         *visits;             /* [BINS][BINS] cells of the frames in each bin: [second field][first field] */
  double         *value[2][2];        /* true, learned rates at the middles of the bins */
} Reaction;

static void TakeTruth(const Reaction *r, const double state[3], double rates[3])
{
  for (PetscInt f = 0; f < r->fields; f++) rates[f] = WeftExpressionEvaluate(r->truth[f], state);
}

/* ---- at the frames --------------------------------------------------------------------------------------------------- */

typedef void (*CellFunction)(Reaction *r, const double state[3], const double learned[3], double sums[]);

/* Every owned cell of every sample of a frame. */
static void ForCells(Reaction *r, WeftState frame, CellFunction visit, double sums[])
{
  const WeftLayout *l = WeftGridLayout(r->e->grid);

  for (PetscInt s = 0; s < r->e->count; s++)
    for (PetscInt k = l->start[2]; k < l->start[2] + l->count[2]; k++)
      for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
        for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
          const PetscInt at       = WeftLayoutIndex(l, i, j, k);
          double         state[3] = {0.0, 0.0, 0.0}, learned[3] = {0.0, 0.0, 0.0};
          for (PetscInt f = 0; f < r->fields; f++) {
            state[f]   = WeftStatePlane(frame, f, s)[at];
            learned[f] = WeftStatePlane(r->rates, f, s)[at];
          }
          (*visit)(r, state, learned, sums);
        }
}

/* sums[2 f]: (learned - true)^2; sums[2 f + 1]: true^2. The rectangle grows to the state. */
static void AddError(Reaction *r, const double state[3], const double learned[3], double sums[])
{
  double truth[3];

  TakeTruth(r, state, truth);
  for (PetscInt f = 0; f < r->fields; f++) {
    sums[2 * f] += PetscSqr(learned[f] - truth[f]);
    sums[2 * f + 1] += PetscSqr(truth[f]);
  }
  for (PetscInt f = 0; f < PetscMin(r->fields, 2); f++) {
    r->lower[f] = PetscMin(r->lower[f], state[f]);
    r->upper[f] = PetscMax(r->upper[f], state[f]);
  }
}

static PetscInt BinOf(const Reaction *r, PetscInt f, double value)
{
  const double at = (value - r->lower[f]) / (r->upper[f] - r->lower[f]) * BINS;
  return PetscMin(PetscMax((PetscInt)at, 0), BINS - 1);
}

static void CountVisit(Reaction *r, const double state[3], const double learned[3], double sums[])
{
  (void)learned, (void)sums;
  r->visits[BinOf(r, 1, state[1]) * BINS + BinOf(r, 0, state[0])] += 1.0;
}

/* Over all frames; learn: the net's rates at each. */
static PetscErrorCode OverFrames(Reaction *r, PetscBool learn, CellFunction visit, double sums[])
{
  WeftEvaluation *e   = r->e;
  WeftRun        *run = &e->run[WEFT_CORRECTED];

  PetscFunctionBegin;
  for (PetscInt n = 0; n <= e->compared; n++) {
    PetscCall(WeftEvaluationFrame(e, n, e->frame[0]));
    if (learn) PetscCall(WeftOpApply(e->hybrid.correction, (const WeftState[]){e->frame[0], run->in[WeftModelInput(run->model, "weights")]}, &r->rates, NULL));
    ForCells(r, e->frame[0], visit, sums);
  }
  PetscFunctionReturn(0);
}

/* error[f] from the sums of every field, [fields]: together. */
static void Errors(PetscInt fields, const double sums[], double error[])
{
  double both[2] = {0.0, 0.0};

  for (PetscInt f = 0; f < fields; f++) {
    error[f] = PetscSqrtReal(sums[2 * f] / sums[2 * f + 1]);
    both[0] += sums[2 * f];
    both[1] += sums[2 * f + 1];
  }
  error[fields] = PetscSqrtReal(both[0] / both[1]);
}

/* ---- map -------------------------------------------------------------------------------------------------------------- */

/* The net at the middles of the bins, on a grid of its own that every rank has whole. */
static PetscErrorCode FillMap(Reaction *r)
{
  WeftEvaluation *e   = r->e;
  WeftRun        *run = &e->run[WEFT_CORRECTED];
  WeftGridOptions box;
  WeftGrid        grid;
  WeftSpace       space;
  WeftState       state, weights, rates;
  WeftNet         net;
  WeftOp          op;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim = 2;
  for (PetscInt f = 0; f < 2; f++) {
    box.cells[f] = BINS;
    box.lower[f] = r->lower[f];
    box.upper[f] = r->upper[f];
  }
  PetscCall(WeftGridCreate(PETSC_COMM_SELF, &box, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 2, (const char *const *)WeftSpaceGetInfo(e->state)->name, WeftSpaceGetInfo(e->state)->location, &space));
  PetscCall(WeftNetCreateFromKeys(space, NULL, e->scales.mean, e->scales.velocity, NULL, &net, &op));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftStateCreate(space, &rates));
  PetscCall(WeftStateCreate(WeftNetParameterSpace(net), &weights));
  PetscCall(PetscArraycpy((double *)WeftStateDataWrite(weights), (const double *)WeftStateData(run->in[WeftModelInput(run->model, "weights")]), e->parameters));
  for (PetscInt j = 0; j < BINS; j++)
    for (PetscInt i = 0; i < BINS; i++) {
      const PetscInt at = WeftLayoutIndex(WeftGridLayout(grid), i, j, 0);
      WeftStatePlaneWrite(state, 0, 0)[at] = r->lower[0] + (i + 0.5) * (r->upper[0] - r->lower[0]) / BINS;
      WeftStatePlaneWrite(state, 1, 0)[at] = r->lower[1] + (j + 0.5) * (r->upper[1] - r->lower[1]) / BINS;
    }
  PetscCall(WeftOpApply(op, (const WeftState[]){state, weights}, &rates, NULL));
  for (PetscInt j = 0; j < BINS; j++)
    for (PetscInt i = 0; i < BINS; i++) {
      const PetscInt at       = WeftLayoutIndex(WeftGridLayout(grid), i, j, 0);
      const double   place[3] = {WeftStatePlane(state, 0, 0)[at], WeftStatePlane(state, 1, 0)[at], 0.0};
      double         truth[3];
      TakeTruth(r, place, truth);
      for (PetscInt f = 0; f < 2; f++) {
        r->value[f][0][j * BINS + i] = truth[f];
        r->value[f][1][j * BINS + i] = WeftStatePlane(rates, f, 0)[at];
      }
    }
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftStateDestroy(&rates));
  PetscCall(WeftStateDestroy(&weights));
  PetscCall(WeftOpDestroy(&op));
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode WriteMap(const Reaction *r)
{
  const char *const *name = (const char *const *)WeftSpaceGetInfo(r->e->state)->name;
  char               path[PETSC_MAX_PATH_LEN];
  FILE              *file = NULL;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/reaction.csv", r->e->folder));
  if (!PetscGlobalRank) file = fopen(path, "w");
  PetscCall(WeftAgree(PETSC_COMM_WORLD, !PetscGlobalRank && !file ? PETSC_TRUE : PETSC_FALSE, "%s cannot be written; choose another folder with -output", path));
  if (!file) PetscFunctionReturn(0);
  fprintf(file, "%s,%s,visits,true_%s,true_%s,learned_%s,learned_%s\n", name[0], name[1], name[0], name[1], name[0], name[1]);
  for (PetscInt c = 0; c < BINS * BINS; c++)
    fprintf(file, "%.6g,%.6g,%.0f,%.6g,%.6g,%.6g,%.6g\n", r->lower[0] + (c % BINS + 0.5) * (r->upper[0] - r->lower[0]) / BINS, r->lower[1] + (c / BINS + 0.5) * (r->upper[1] - r->lower[1]) / BINS, r->visits[c], r->value[0][0][c], r->value[1][0][c], r->value[0][1][c], r->value[1][1][c]);
  fclose(file);
  PetscFunctionReturn(0);
}

/* Per field the true rate, the learned one and their difference, this where the frames come alone. */
static PetscErrorCode DrawMap(const Reaction *r)
{
  static const char *const part[] = {"true rate of", "learned rate of", "difference, rate of"};
  char                     path[PETSC_MAX_PATH_LEN], title[6][64];
  double                  *difference[2];
  WeftPanel                panel[6];

  PetscFunctionBegin;
  for (PetscInt f = 0; f < 2; f++) {
    double largest = 0.0;
    PetscCall(PetscMalloc1(BINS * BINS, &difference[f]));
    for (PetscInt c = 0; c < BINS * BINS; c++) {
      largest          = PetscMax(largest, PetscAbsReal(r->value[f][0][c]));
      difference[f][c] = r->visits[c] > 0.0 ? r->value[f][1][c] - r->value[f][0][c] : NAN;
    }
    for (PetscInt p = 0; p < 3; p++) {
      PetscCall(PetscSNPrintf(title[3 * f + p], sizeof(title[0]), "%s %s", part[p], WeftSpaceGetInfo(r->e->state)->name[f]));
      panel[3 * f + p] = (WeftPanel){title[3 * f + p], BINS, BINS, p < 2 ? r->value[f][p] : difference[f], p < 2 ? -largest : 0.0, p < 2 ? largest : 0.0, PETSC_TRUE};
    }
  }
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/reaction.png", r->e->folder));
  PetscCall(WeftPictureWrite(path, 6, panel, 3, 4));
  for (PetscInt f = 0; f < 2; f++) PetscCall(PetscFree(difference[f]));
  PetscFunctionReturn(0);
}

static PetscErrorCode Map(Reaction *r, WeftReactionError *error)
{
  double sums[4] = {0.0, 0.0, 0.0, 0.0};

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(BINS * BINS, &r->visits));
  for (PetscInt f = 0; f < 2; f++) PetscCall(PetscMalloc2(BINS * BINS, &r->value[f][0], BINS * BINS, &r->value[f][1]));
  PetscCall(OverFrames(r, PETSC_FALSE, CountVisit, NULL));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r->visits, BINS * BINS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCall(FillMap(r));
  for (PetscInt c = 0; c < BINS * BINS; c++) {
    if (r->visits[c] > 0.0) error->visited++;
    for (PetscInt f = 0; f < 2 && r->visits[c] == 0.0; f++) {
      sums[2 * f] += PetscSqr(r->value[f][1][c] - r->value[f][0][c]);
      sums[2 * f + 1] += PetscSqr(r->value[f][0][c]);
    }
  }
  Errors(2, sums, error->outside);
  PetscCall(WriteMap(r));
  PetscCall(DrawMap(r));
  for (PetscInt f = 0; f < 2; f++) PetscCall(PetscFree2(r->value[f][0], r->value[f][1]));
  PetscCall(PetscFree(r->visits));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftEvaluationReaction(WeftEvaluation *e)
{
  const PetscInt     fields   = WeftSpaceGetInfo(e->state)->fields;
  Reaction           r        = {.e = e, .fields = fields, .lower = {PETSC_MAX_REAL, PETSC_MAX_REAL}, .upper = {-PETSC_MAX_REAL, -PETSC_MAX_REAL}};
  WeftReactionError *error    = &e->reaction;
  double             sums[6]  = {0.0};
  PetscInt           role;

  PetscFunctionBegin;
  PetscCall(WeftExpressionsFromKey("rollout_reaction", fields, r.truth, &error->given));
  if (!error->given) PetscFunctionReturn(0);
  PetscCall(WeftGetEnum("net_role", &role));
  if (role != WEFT_NET_REACTION || e->runs < 2) return WeftFailKey(PETSC_COMM_WORLD, "rollout_reaction", "there is no learned reaction to compare; set net_role reaction, and give its weights");
  error->fields = fields;
  PetscCall(WeftStateCreate(e->state, &r.rates));
  PetscCall(OverFrames(&r, PETSC_TRUE, AddError, sums));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 6, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r.lower, 2, MPI_DOUBLE, MPI_MIN, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r.upper, 2, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  Errors(fields, sums, error->frames);
  if (fields == 2) PetscCall(Map(&r, error));
  PetscCall(WeftStateDestroy(&r.rates));
  PetscCall(WeftExpressionsDestroy(r.truth));
  PetscFunctionReturn(0);
}
