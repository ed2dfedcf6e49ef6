/* model: PDE models; each lists its operators. */
#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H
#include <weft/solve.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ---- obstacles ------------------------------------------------------------------------------------------------ */

/* Circles (spheres) and boxes from -obstacle_shapes, lines of words: "circle 50 50 10", "sphere X Y Z R",
   "box X0 Y0 [Z0] X1 Y1 [Z1]". Gives two states of batch 1: open (one cell field: 1 outside every shape, by centre) and
   faces (velocity space: factor of each face after advection). -obstacle_mask soft: clip(d / (h / sqrt 2), 0, 1), d the
   signed distance of the face from the shape (published wake); sharp: 1 where d > 0. Both NULL without shapes. */
PetscErrorCode WeftObstacleFromKeys(WeftGrid grid, WeftState *open, WeftState *faces);

/* ---- expressions ---------------------------------------------------------------------------------------------- */

/* Arithmetic in x, y, z, pi and named numbers: + - * / ^ ( ), sin cos tan exp log sqrt abs min max step, comparisons (1 or 0).
   For initial states, forces, regions in case files. Errors name the place in the text. */
typedef struct _n_WeftExpression *WeftExpression;
PetscErrorCode WeftExpressionCreate(const char *key, const char *text, WeftExpression *expression);
PetscErrorCode WeftExpressionDestroy(WeftExpression *expression);
double         WeftExpressionEvaluate(WeftExpression expression, const double place[3]);
/* Fills one field of all samples at its places (faces at face centres). */
PetscErrorCode WeftExpressionFill(WeftExpression expression, WeftState state, PetscInt field);

/* ---- flow ----------------------------------------------------------------------------------------------------- */

/* Incompressible flow, 1D-3D. One time step is the list -model_steps of the case file, one operator each, in order:
     diffuse velocity|smoke   advect velocity|smoke   inflow   buoyancy   force   prescribe   obstacle   project   correct
   State: velocity, and smoke (one cell field) if any step names it. Numbers, per sample: viscosity (1), buoyancy (dim), inflow
   strength (1), features (what the correction is told; 1). */
typedef struct _n_WeftModel *WeftModel;
typedef struct {
  PetscReal   dt;
  PetscInt    steps;
  char      **step;
  WeftAdvectScheme advect_velocity, advect_smoke;
} WeftModelOptions;
PetscErrorCode WeftModelOptionsFromKeys(WeftModelOptions *options);
PetscErrorCode WeftModelOptionsDestroy(WeftModelOptions *options);
/* correction: (velocity, features, weights) -> velocity, or NULL. solver_gradient FALSE: the adjoint stops where it would enter
   the solver (reach "no-solver-gradient"). Collective on the grid. */
PetscErrorCode WeftModelCreate(WeftGrid grid, PetscInt batch, const WeftModelOptions *options, WeftOp correction, PetscBool solver_gradient, WeftModel *model);
PetscErrorCode WeftModelDestroy(WeftModel *model);
/* One step: inputs are the states, then the numbers, then the weights (with a correction); the first outputs are the states,
   then the pressure (if projected). Borrowed. */
WeftOp         WeftModelStep(WeftModel model);
PetscInt       WeftModelStates(WeftModel model);
WeftSpace      WeftModelVelocitySpace(WeftModel model);
/* Place of an input of the step by name ("velocity", "smoke", "viscosity", "features", "weights", ...); -1: not there. */
PetscInt       WeftModelInput(WeftModel model, const char *name);
/* Initial state from -initial_type (rest, uniform, taylor_green, wake, expression, file) and the numbers from the keys. */
PetscErrorCode WeftModelInitial(WeftModel model, WeftState states[]);

#if defined(__cplusplus)
}
#endif
#endif
