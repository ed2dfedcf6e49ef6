/* Inside src/train: training at points, without a grid: a dense net u(x, t) held to data and to Burgers' equation
     u_t + u u_x = nu u_xx
   by mean squares. */
#ifndef WEFT_TRAIN_POINTS_H
#define WEFT_TRAIN_POINTS_H
#include <weft/train.h>

#define WEFT_DENSE_LAYERS 32
typedef struct { /* points split over the ranks */
  PetscInt  n;       /* of all ranks */
  WeftSpace inputs;  /* x, t */
  WeftOp    net;     /* parameters -> u, u_x, u_t, u_xx; or u alone */
  WeftState value, bar, data; /* data: what u should be; NULL: the equation */
} WeftPoints;
/* x, t: [n], the same on every rank; data NULL: the residual of the equation. Collective on the world. */
PetscErrorCode WeftPointsCreate(PetscInt layers, const PetscInt width[], PetscInt n, const double x[], const double t[], const double data[], WeftPoints *points);
PetscErrorCode WeftPointsDestroy(WeftPoints *points);
/* This rank's part of the mean square (of u - data, or of the residual); gradient (may be NULL) += its derivative. */
PetscErrorCode WeftPointsLoss(WeftPoints *points, PetscReal viscosity, WeftState parameters, PetscReal *loss, WeftState gradient);
/* The net at points, all of them on every rank. Collective. */
PetscErrorCode WeftPointsEvaluate(WeftPoints *points, WeftState parameters, double u[]);
/* The training of -train_mode points, for WeftTrain. Collective on the world. */
PetscErrorCode WeftTrainPoints(void);
#endif
