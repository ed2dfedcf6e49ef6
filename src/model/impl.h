/* Inside src/model. */
#ifndef WEFT_MODEL_IMPL_H
#define WEFT_MODEL_IMPL_H
#include <math.h>
#include <weft/model.h>

/* Where value (i, j, k) of a location stands; 0 along axes that are not there. */
static inline void WeftPlace(const WeftLayout *l, WeftLocation location, PetscInt i, PetscInt j, PetscInt k, double place[3])
{
  const PetscInt at[3] = {i, j, k};
  for (PetscInt a = 0; a < 3; a++)
    place[a] = a < l->dim ? l->lower[a] + ((double)at[a] + ((PetscInt)location == a ? 0.0 : 0.5)) * l->h[a] : 0.0;
}

/* Diffusivity, buoyancy, inflow of every sample. */
PetscErrorCode WeftModelSmokeNumbers(WeftModel model, const WeftState inputs[]);
/* The value of a key for every sample, `width` numbers each: the key gives those of one sample, or of every simulation in turn. */
PetscErrorCode WeftModelPerSample(WeftModel model, const char *key, PetscInt width, PetscReal values[], PetscBool *set);
/* Fails when an explicit step with this diffusivity would be unstable. */
PetscErrorCode WeftModelCheckDiffusion(WeftModel model, const char *what, PetscReal diffusivity);
/* equation.c: the step of an equation other than flow, the names of its inputs; those inputs but the state, from the keys. */
PetscErrorCode WeftModelCreateEquation(WeftModel model, WeftOp reaction);
PetscErrorCode WeftModelEquationInputs(WeftModel model, const WeftState inputs[]);
/* The waves of a sample from draw `number`, the same on every rank; nothing where the step has none. */
PetscErrorCode WeftModelDrawWaves(WeftModel model, const WeftState inputs[], PetscInt sample, PetscInt number);
/* Waves of the step `waves`, -waves_count. */
PetscErrorCode WeftModelWaves(PetscInt *count);
/* One cell field. */
PetscErrorCode WeftModelCellSpace(WeftGrid grid, PetscInt batch, const char *name, WeftSpace *space);
/* Random initial values of the fields of a state, the first of them number `field_number` of the model, sample 0 number `first_sample`
   of all. Not collective. */
PetscErrorCode WeftRandomInitial(WeftState state, PetscInt field_number, PetscInt64 seed, PetscInt first_sample);
/* y = x with derivative zero: where the gradient is to stop. Not a derivative of its map, so it has no row in the list. */
PetscErrorCode WeftOpCreateStop(WeftSpace space, WeftOp *op);

typedef enum {
  WEFT_NUMBER_VISCOSITY,
  WEFT_NUMBER_DIFFUSIVITY,
  WEFT_NUMBER_BUOYANCY,
  WEFT_NUMBER_INFLOW,
  WEFT_NUMBER_CENTRE,
  WEFT_NUMBER_WAVES,
  WEFT_NUMBER_TIME,
  WEFT_NUMBER_FEATURES,
  WEFT_NUMBER_KINDS
} WeftNumber;
extern const char *const WeftNumberNames[]; /* of the step's inputs */

struct _n_WeftModel {
  WeftGrid         grid;
  PetscInt         batch;
  WeftModelOptions options;
  PetscBool        smoke, projects;
  WeftSpace        velocity, cells; /* of a flow; cells: one cell field, "smoke" */
  WeftState        open, faces;     /* obstacles; NULL without */
  WeftOp           step, implicit; /* implicit: borrowed from the step; NULL: none */
  PetscInt         inputs;
  const char      *input[WEFT_OP_MAX]; /* names */
  PetscInt         before_obstacle;    /* place of that output; -1: not there */
  WeftOp           divergence;         /* for the figures; made on first use */
  WeftState        divergence_value;
};
#endif
