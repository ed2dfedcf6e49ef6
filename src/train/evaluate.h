/* Inside src/train: the evaluation of a trained net, from playing to the report. */
#ifndef WEFT_TRAIN_EVALUATE_H
#define WEFT_TRAIN_EVALUATE_H
#include "train/audit.h"
#include "train/hybrid.h"

enum { WEFT_UNCORRECTED, WEFT_CORRECTED, WEFT_RUNS };
enum { WEFT_ERROR_L1, WEFT_ERROR_L2, WEFT_ERROR_PUBLISHED, WEFT_ERRORS };
#define WEFT_AVERAGES_MAX 4

/* Sums over the unknowns of one simulation after one step: of the frame, and of the differences of each run. PUBLISHED: L1 against
   the frame after it. NaN: the run is over. Doubles only, since they are reduced as an array. */
typedef struct {
  double frame[WEFT_ERRORS], run[WEFT_RUNS][WEFT_ERRORS];
} WeftErrorSums;

/* -rollout_reaction: distance of the learned rates from these, over the norm of these. Of each field, [fields]: of all together. */
typedef struct {
  PetscBool given;
  PetscInt  fields, visited; /* visited: bins of the map that the frames visit */
  double    frames[WEFT_MAX_FIELDS + 1];  /* at every cell of the frames */
  double    outside[WEFT_MAX_FIELDS + 1]; /* over the bins of the map that they do not visit; two fields */
} WeftReactionError;

/* One of the two runs: a model, its states, and the files that follow it. */
typedef struct {
  WeftModel  model;
  WeftState  in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  WeftSeries series;
  double     seconds; /* in its steps */
} WeftRun;

typedef struct {
  char            dataset[PETSC_MAX_PATH_LEN], weights[PETSC_MAX_PATH_LEN], folder[PETSC_MAX_PATH_LEN];
  WeftDataInfo    info; /* of the dataset */
  WeftTeam        team;
  WeftTeamInfo    members;
  WeftGrid        grid;
  WeftSpace       state; /* of a frame */
  WeftDataFile    file;
  WeftState       frame[2]; /* that of this step, the one after it */
  WeftSeries      reference;
  WeftHybrid      hybrid; /* of the corrected run */
  WeftScales      scales; /* of its net */
  WeftRun         run[WEFT_RUNS];
  PetscInt        runs; /* 1: uncorrected alone */
  PetscInt        parameters;
  PetscInt        first, count, batch, rounds; /* this replica's simulations; samples of its states; reads of a frame */
  PetscInt        steps, compared; /* played; that have a frame */
  PetscInt        averages, average[WEFT_AVERAGES_MAX];
  PetscInt        shown, every, picture_step; /* simulation of the series and the picture (-1: none) */
  PetscReal      *numbers;  /* [simulation][info.numbers] */
  WeftErrorSums  *sums;     /* [simulation][compared] */
  PetscInt       *unstable; /* [simulation][WEFT_RUNS]: step after which it left the bounds; 0: never */
  PetscReal       courant_bound;
  WeftAuditBounds bounds;
  WeftModelFigures *figures;      /* [batch] */
  PetscReal      *first_energy;   /* [simulation][WEFT_RUNS] */
  FILE          **audit, **spectrum; /* [simulation][WEFT_RUNS], on rank 0 of the replica that plays it */
  double         *picture[1 + WEFT_RUNS]; /* vorticity, or the last field, of the reference and the runs at picture_step, on the replica that shows */
  WeftReactionError reaction;
} WeftEvaluation;

/* Figures of every step, spectra at the picture's step and the last, in audit_<run>_<simulation>.csv and spectrum_...: a run that passes
   a bound of -audit_... is over. Step n of run r ended in `outputs`. Collective on the world, Audit on the grid. */
PetscErrorCode WeftEvaluationAuditOpen(WeftEvaluation *e);
PetscErrorCode WeftEvaluationAudit(WeftEvaluation *e, PetscInt r, PetscInt n, const WeftState outputs[]);
PetscErrorCode WeftEvaluationAuditClose(WeftEvaluation *e);
/* Relative error of a run after step n (from 1), or its mean over the steps 1 to n. NaN where the run was over by then. */
double WeftEvaluationError(const WeftEvaluation *e, PetscInt simulation, PetscInt run, PetscInt error, PetscInt n);
double WeftEvaluationMean(const WeftEvaluation *e, PetscInt simulation, PetscInt run, PetscInt error, PetscInt n);
/* Frame of every simulation of this replica. Collective on the grid. */
PetscErrorCode WeftEvaluationFrame(WeftEvaluation *e, PetscInt frame, WeftState state);
/* The net's reaction against -rollout_reaction at the frames; of two fields also over the rectangle of states around those, as
   reaction.csv and reaction.png. Nothing without the key. Collective on the world. */
PetscErrorCode WeftEvaluationReaction(WeftEvaluation *e);
/* table.txt (and on the terminal), errors.csv, summary.json, picture.png, errors.png. Collective on the world. */
PetscErrorCode WeftEvaluationReport(WeftEvaluation *e);
#endif
