/* Inside src/invert. */
#ifndef WEFT_INVERT_IMPL_H
#define WEFT_INVERT_IMPL_H
#include <math.h>
#include <petsctao.h>
#include <stdio.h>
#include <string.h>
#include <weft/invert.h>
#include "train/flow.h"

#define WEFT_UNKNOWNS_MAX 8
#define WEFT_TERMS_MAX 8

/* ---- unknowns ---------------------------------------------------------------------------------------------------- */

/* An input of the step that is to be found: any state, number or control, by its name. From the optimiser's vector to the input:
     control = scale vector          per knot in time (slices), of coarse knots or of the field itself
     plain   = control interpolated  in space and time; or the first guess + control smoothed, of which the control is white noise
     value   = exp(plain), or plain, or its projection without divergence
   and the adjoint back. plain is what the terms of the loss see. */
typedef struct {
  char       name[32];
  PetscInt   input, width;                     /* of the step; numbers per sample (fields: 0) */
  PetscBool  logarithm, solenoidal, shared, in_time;
  PetscInt   coarse, slices, steps;            /* knots along each axis (0: as it is); knots in time; values over time (1, or all steps) */
  PetscInt   guesses, truths, lowers, uppers;  /* how many numbers the line gives */
  PetscReal  smooth[2];                        /* length, standard deviation; 0: not smoothed */
  PetscReal  scale, guess[3], truth[3], lower[3], upper[3];
  WeftOp     interpolate, project;             /* NULL: not there; interpolate: from knots, or from white noise */
  WeftState *control, *control_bar;            /* [slices] */
  WeftState *plain, *plain_bar, *value, *value_bar, *first; /* [steps]; first: plain of the first guess */
  WeftState  spare, pressure, pressure_bar;    /* of the combination in time; of the projection */
  PetscInt   at, local;                        /* this rank's part of the vector */
} WeftUnknown;

/* ---- terms of the loss ------------------------------------------------------------------------------------------- */

typedef struct _n_WeftInversion *WeftInversion;
typedef struct {
  const char *name;
  PetscBool   of_unknown;
  /* This rank's part of the term for one state of the unknown, times weight; bar (may be NULL) += its derivative. */
  PetscErrorCode (*add)(WeftInversion inversion, const WeftUnknown *unknown, WeftState plain, WeftState first, PetscReal weight, PetscReal *value, WeftState bar);
} WeftTermRow;
typedef struct {
  const WeftTermRow *row;
  char               name[64];
  WeftUnknown       *unknown; /* NULL: the misfit */
  PetscBool          mean;    /* mean of squares, otherwise half their sum */
  PetscReal          weight, value;
} WeftTerm;

/* ---- the problem ------------------------------------------------------------------------------------------------- */

/* How the minimisation ended, and the exit status of the command that says so (0 for the first two, WEFT_STATUS_STOPPED). */
typedef enum { WEFT_ENDING_ITERATIONS, WEFT_ENDING_CONVERGED, WEFT_ENDING_STOPPED, WEFT_ENDING_STALLED, WEFT_ENDING_LINE_SEARCH, WEFT_ENDING_FAILED } WeftEnding;
enum { WEFT_STATUS_STALLED = 3, WEFT_STATUS_LINE_SEARCH = 4, WEFT_STATUS_FAILED = 5 };
#define WEFT_OPTIMIZER_TAO 3 /* among the choices of -optimizer_type */

struct _n_WeftInversion {
  WeftTeam     team;
  WeftTeamInfo info;
  PetscInt     simulations, first, count; /* in all; mine: [first, first + count) */
  PetscInt     steps;
  WeftGrid     grid;
  WeftModel    model;
  PetscInt     inputs, states;
  WeftState    input[WEFT_OP_MAX], bar[WEFT_OP_MAX], truth[WEFT_OP_MAX]; /* of the step; truth[0] NULL: not known */
  WeftRollout  rollout;
  WeftOp       observe;
  PetscInt     times, *time;    /* observed steps, from 0 */
  WeftState   *index, *target;  /* [times] number of the observation; [steps] that or NULL */
  WeftState    start_loss;      /* of the initial states; NULL: step 0 is not observed */
  PetscBool    observes[WEFT_OP_MAX]; /* which states */
  PetscInt64   observed;        /* values observed, of all simulations */
  PetscReal   *losses;
  PetscInt     unknowns, terms;
  WeftUnknown  unknown[WEFT_UNKNOWNS_MAX];
  WeftTerm     term[WEFT_TERMS_MAX];
  PetscBool    truth_known, truth_moves; /* is there a true state; does it move with the steps */
  Vec          z, gradient, lower, upper, guess, best; /* the iterate; the first guess; the iterate of the smallest loss */
  PetscBool    bounded;
  WeftOptimizer optimizer; /* one of the two */
  Tao          tao;
  PetscInt     evaluations, iteration, iterations; /* done; done; asked for */
  PetscReal    loss, gradient_norm;       /* of the last evaluation */
  PetscReal    gradient_error;            /* estimate of its relative error, with -gradient_accuracy; negative: there is none */
  PetscReal    first_norm, best_loss;     /* gradient norm at the first iterate */
  PetscBool    resumed;                   /* goes on at iteration resumed_at */
  PetscInt     best_at, resumed_at, checkpoint_every; /* iterations */
  PetscInt     refused;                   /* trial points at which the model failed */
  PetscBool    stop;                      /* a signal, or the time limit: end after this evaluation */
  WeftStopTimes stop_times;               /* work: an evaluation with its gradient */
  char         fault[2048];               /* its message, on the rank that tells it */
  WeftEnding   ending;
  const char  *reason;                    /* of TAO */
  double       begin, seconds_before;     /* start; seconds of the runs that this one continues */
  FILE        *table;                     /* history.csv, on rank 0 */
  char         folder[PETSC_MAX_PATH_LEN];
};

/* unknown.c: the list -invert_unknowns, and its states; the vectors z, lower, upper. */
PetscErrorCode WeftUnknownsCreate(WeftInversion v);
PetscErrorCode WeftUnknownsDestroy(WeftInversion v);
/* vector.c: the inputs of the step from z; the gradient from the adjoints. */
PetscErrorCode WeftUnknownsSet(WeftInversion v, Vec z);
PetscErrorCode WeftUnknownsGradient(WeftInversion v, Vec gradient);
PetscErrorCode WeftUnknownsCreateVectors(WeftInversion v);
/* terms.c */
PetscErrorCode WeftTermsCreate(WeftInversion v);
PetscErrorCode WeftTermsAdd(WeftInversion v, PetscBool gradient);
/* observe.c: -observe_*; makes observe, the data, target. Start: where step 0 is observed, losses += the misfit of the initial states;
   bar += its derivative. */
PetscErrorCode WeftObservationsCreate(WeftInversion v);
PetscErrorCode WeftObservationsDestroy(WeftInversion v);
PetscErrorCode WeftObserveStart(WeftInversion v);
PetscErrorCode WeftObserveStartAdjoint(WeftInversion v);
/* problem.c: loss (and gradient, if not NULL) at z. Collective on the world. */
PetscErrorCode WeftInversionCreate(WeftInversion *v);
PetscErrorCode WeftInversionDestroy(WeftInversion *v);
PetscErrorCode WeftInversionEvaluate(WeftInversion v, Vec z, PetscReal *loss, Vec gradient);
PetscErrorCode WeftInversionPath(const WeftInversion v, const char *name, char path[PETSC_MAX_PATH_LEN]);
/* taylor.c */
PetscErrorCode WeftInversionCheck(WeftInversion v);
/* minimise.c: the optimiser that the keys choose. A mistake that the model meets on the way comes back as WEFT_ERR_USER. */
PetscErrorCode WeftMinimiserCreate(WeftInversion v);
PetscErrorCode WeftMinimise(WeftInversion v);
PetscErrorCode WeftMinimiserDestroy(WeftInversion v);
/* checkpoint.c: unknowns.h5, from which -invert_resume goes on at z, the iterate of `iteration`, after so many
   evaluations. Collective on the world. */
PetscErrorCode WeftCheckpointWrite(WeftInversion v, Vec z, PetscInt iteration, PetscInt evaluations);
PetscErrorCode WeftCheckpointRead(WeftInversion v);
/* report.c */
PetscErrorCode WeftHistoryOpen(WeftInversion v);
PetscErrorCode WeftHistoryRow(WeftInversion v);
PetscErrorCode WeftInversionReport(WeftInversion v);
/* fields.c: recovered.h5/.xmf and picture.png; errors of the unknown states. */
PetscErrorCode WeftInversionFields(WeftInversion v, WeftSummary summary);
#endif
