/* model: PDE models; each lists its operators. */
#ifndef WEFT_MODEL_H
#define WEFT_MODEL_H
#include <weft/solve.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ---- right-hand sides u_t = f(u; p) and residuals, for the steps and solves of <weft/solve.h> -------------------- */

/* Burgers' equation at cells: f = -(u . grad) u + viscosity Laplacian(u), central differences; one cell field per axis. Inputs: u,
   viscosity (NUMBERS per sample, 1). Advection and diffusion of any cell fields by a uniform velocity: f = -(a . grad) c +
   diffusivity Laplacian(c). Inputs: c, diffusivities (NUMBERS per sample, one per field), velocity (NUMBERS per sample, dim).
   Diffusion: the same at rest, inputs c and diffusivities. Sides that are not periodic: zero gradient. All have stencils. */
PetscErrorCode WeftOpCreateBurgers(WeftSpace velocity, WeftOp *op);
PetscErrorCode WeftOpCreateAdvectionDiffusion(WeftSpace fields, WeftOp *op);
PetscErrorCode WeftOpCreateDiffusion(WeftSpace fields, WeftOp *op);
/* f(c; diffusivities, p...) = diffusivity Laplacian(c) + reaction(c; p...): reaction is an operator from the fields (and NUMBERS)
   to their rates that reads at each place that place alone, such as a net of layers of kernel 1 (WeftRateCreate, <weft/nn.h>). Its
   Jacobian goes into the stencil by one tangent per field. Collective. */
PetscErrorCode WeftOpCreateReactionDiffusion(WeftOp reaction, WeftOp *op);
/* Gray-Scott reaction and diffusion (Pearson: Complex patterns in a simple system, Science 261, 1993) of two cell fields u, v:
   f_u = D_u Laplacian(u) - u v^2 + feed (1 - u), f_v = D_v Laplacian(v) + u v^2 - (feed + kill) v. Inputs: (u, v), diffusivities
   (D_u, D_v), rates (feed, kill), both NUMBERS per sample, 2. Sides and stencil as above. */
PetscErrorCode WeftOpCreateGrayScott(WeftSpace fields, WeftOp *op);

/* Steady flow through a porous medium (Darcy's law): F(p; m, q) = -div(exp(m) grad p) - q, the residual of an implicit operator
   (m, q) -> p. Inputs, one cell field each: pressure p, logarithm m of the conductivity, source q (per time). Conductivity of a face:
   harmonic mean. Open sides hold p = 0 on the side, closed ones let nothing through; without an open side p is not determined. Its
   stencil is symmetric; conjugate gradients with hypre or gamg suit it. */
PetscErrorCode WeftOpCreateDarcy(WeftSpace pressure, WeftOp *op);

/* ---- obstacles ------------------------------------------------------------------------------------------------ */

/* Circles (spheres) and boxes from -obstacle_shapes, lines of words: "circle 50 50 10", "sphere X Y Z R",
   "box X0 Y0 [Z0] X1 Y1 [Z1]". Gives two states of batch 1: open (one cell field: 1 outside every shape, by centre) and
   faces (velocity space: factor of each face after advection). -obstacle_mask soft: clip(d / (h / sqrt 2), 0, 1), d the
   signed distance of the face from the shape (published wake); sharp: 1 where d > 0; closed: 0 at every face of a closed cell, so
   that nothing flows into the shape. Both NULL without shapes. */
PetscErrorCode WeftObstacleFromKeys(WeftGrid grid, WeftState *open, WeftState *faces);

/* ---- expressions ---------------------------------------------------------------------------------------------- */

/* Arithmetic in x, y, z and pi: + - * / ^ ( ), sin cos tan tanh exp log sqrt abs min max, step (1 above 0, else 0), comparisons
   < <= > >= == != (1 or 0). For initial states, forces and regions in case files. Errors name the key and the place in the text. */
typedef struct _n_WeftExpression *WeftExpression;
PetscErrorCode WeftExpressionCreate(const char *key, const char *text, WeftExpression *expression);
PetscErrorCode WeftExpressionDestroy(WeftExpression *expression);
double         WeftExpressionEvaluate(WeftExpression expression, const double place[3]);
/* Expressions of a key, as many as components; NULL where the key is not set. */
PetscErrorCode WeftExpressionsFromKey(const char *key, PetscInt components, WeftExpression expression[3], PetscBool *set);
PetscErrorCode WeftExpressionsDestroy(WeftExpression expression[3]);
/* Fills one field of all samples at its places (faces at face centres). */
PetscErrorCode WeftExpressionFill(WeftExpression expression, WeftState state, PetscInt field);

/* ---- models --------------------------------------------------------------------------------------------------- */

/* What a model solves, -model_equation, and how it steps in time, -model_scheme. All but flow have one state of cell fields (sides that
   are not periodic: zero gradient), and step by WeftOpCreateTheta or WeftOpCreateRungeKutta:
     burgers              velocity; viscosity (1)
     advection_diffusion  concentration; diffusivities (1), carrier_velocity (dim)
     gray_scott           concentration (u, v); diffusivities (2), rates (2: feed, kill)
     reaction_diffusion   concentration (the fields of -model_fields); diffusivities (one per field), weights of the net that is the
                          reaction (without a net: diffusion alone)
     darcy                pressure; log_conductivity, source (cell fields): a steady solve, whatever the pressure was */
typedef enum { WEFT_EQUATION_FLOW, WEFT_EQUATION_BURGERS, WEFT_EQUATION_ADVECTION_DIFFUSION, WEFT_EQUATION_GRAY_SCOTT, WEFT_EQUATION_REACTION_DIFFUSION, WEFT_EQUATION_DARCY } WeftEquation;
typedef enum { WEFT_SCHEME_CRANK_NICOLSON, WEFT_SCHEME_BACKWARD_EULER, WEFT_SCHEME_RUNGE_KUTTA4 } WeftScheme;
extern const char *const WeftEquations[]; /* "flow", "burgers", ... */

/* Incompressible flow, 1D-3D. One time step is the list -model_steps of the case file, one operator each, in order:
     diffuse velocity|smoke   advect velocity|smoke   inflow   buoyancy   force   control   waves   prescribe   obstacle   project
     correct
   States: velocity, and smoke (one cell field) if a step names it (diffuse, advect, inflow, buoyancy). Numbers, per sample, of
   the steps that are there: viscosity (1), diffusivity of smoke (1), buoyancy (dim), inflow per step (1), its centre with -inflow_centre
   (dim), waves (4 each: travelling sines of the step `waves`) and the time, features (what the correction is told; 1: the Reynolds number). Fields: control (an acceleration, of the step `control`: velocity
   += dt control; it may differ from step to step), conductivity (with -model_conductivity: of `diffuse smoke`, in place of the
   diffusivity). */
typedef struct _n_WeftModel *WeftModel;
typedef struct {
  WeftEquation     equation;
  WeftScheme       scheme; /* of equations other than flow */
  PetscReal        dt;
  PetscInt         gradient_steps; /* steps whose adjoint solves share -gradient_accuracy; 0: one */
  PetscInt         steps;
  char           **step;
  WeftAdvectScheme advect_velocity, advect_smoke;
  PetscBool        convect; /* 'advect velocity' by centred differences instead */
  PetscBool        implicit_diffusion;
  PetscReal        viscosity_ratio; /* viscosity of the reference over that of this grid: 1 (physical), or -dataset_refine squared
                                       (published: the same diffusion number in cells) */
  PetscInt         first_sample, samples; /* number of this model's first sample among those of all replicas, and how many these are
                                             (0: its batch): for what is drawn or given per sample */
  PetscBool        before_obstacle; /* one more output: the velocity that the obstacle step met (forces on obstacles) */
} WeftModelOptions;
PetscErrorCode WeftModelOptionsFromKeys(WeftModelOptions *options);
PetscErrorCode WeftModelOptionsDestroy(WeftModelOptions *options);
/* correction: (velocity, features, weights) or (velocity, weights) -> velocity, or NULL: the step `correct` is passed over. solver_gradient FALSE:
   the adjoint stops where it would enter the solver (reach "no-solver-gradient"). Reads the keys of obstacles, regions, forces.
   Collective on the grid. */
PetscErrorCode WeftModelCreate(WeftGrid grid, PetscInt batch, const WeftModelOptions *options, WeftOp correction, PetscBool solver_gradient, WeftModel *model);
/* The model of the case, as its keys (model_*) say. */
PetscErrorCode WeftModelCreateFromKeys(WeftGrid grid, PetscInt batch, WeftOp correction, PetscBool solver_gradient, WeftModel *model);
PetscErrorCode WeftModelDestroy(WeftModel *model);
/* One step: inputs are the states, then the numbers, then the weights (with a correction); outputs are the states, then the
   pressure (if projected; times dt / density), then the velocity before the obstacle step (if asked for). Borrowed. */
WeftOp         WeftModelStep(WeftModel model);
PetscInt       WeftModelStates(WeftModel model);
WeftSpace      WeftModelStateSpace(WeftModel model, PetscInt state);
PetscBool      WeftModelIsFlow(WeftModel model);
/* The implicit operator of the step, for its report; NULL: none. Borrowed. */
WeftOp         WeftModelImplicit(WeftModel model);
/* The space of state 0 of the model that the keys choose, before there is a model. Collective on the grid. */
PetscErrorCode WeftModelCreateStateSpace(WeftGrid grid, PetscInt batch, WeftSpace *space);
/* Per sample, 1: what a correction is told; for WeftCorrectionCreate, which comes before WeftModelCreate. */
PetscErrorCode WeftModelFeatureSpace(WeftGrid grid, PetscInt batch, WeftSpace *features);
/* Place of an input of the step by name ("velocity", "smoke", "viscosity", "features", "weights", ...); -1: not there. */
PetscInt       WeftModelInput(WeftModel model, const char *name);
const char    *WeftModelInputName(WeftModel model, PetscInt input);
PetscReal      WeftModelTimeStep(WeftModel model);
PetscBool      WeftModelProjects(WeftModel model); /* is there a pressure? */
/* Choices of -initial_type. FILE: the states stay zero; WeftInitialStates (train.h) reads them. */
typedef enum { WEFT_INITIAL_REST, WEFT_INITIAL_TAYLOR_GREEN, WEFT_INITIAL_EXPRESSION, WEFT_INITIAL_FILE, WEFT_INITIAL_RANDOM } WeftInitial;
/* Initial states from -initial_type, and the numbers of smoke (diffusivity, buoyancy, inflow) from the keys; waves of the samples' draws at time 0. inputs: those of
   the step, the weights excepted. Fails when the step would be unstable. Collective on the grid. */
PetscErrorCode WeftModelInitial(WeftModel model, const WeftState inputs[]);
/* The states alone, from the keys <prefix>_<state>, _seed ("initial" or "truth"). */
PetscErrorCode WeftModelInitialStates(WeftModel model, WeftInitial type, const char *prefix, const WeftState states[]);
/* True fields of the step that are no states, from truth_log_conductivity or, with truth_type random, drawn; others stay. */
PetscErrorCode WeftModelTrueFields(WeftModel model, const WeftState inputs[]);
/* Random smooth fields: waves up to -dataset_modes along each axis with amplitudes that fall as the wave number to the power
   -dataset_smoothness, mean square 1; sample b is draw number + b of the seed, the same on every layout. */
PetscErrorCode WeftRandomFields(WeftState state, PetscInt64 seed, PetscInt number);
/* Viscosity and features of every sample from -model_viscosity or -model_reynolds. Fails like WeftModelSetNumbers. */
PetscErrorCode WeftModelSetNumbersFromKeys(WeftModel model, const WeftState inputs[]);
/* Numbers of one sample from those of a simulation in a dataset: "reynolds" becomes the feature, "viscosity" (that of the
   reference) the viscosity, scaled as -model_viscosity_scaling says; "waves" is the
   number of the simulation's draw of waves. Names that the step does not know are passed over. Fails
   when the step would be unstable. Every rank of the space communicator gives the same. */
PetscErrorCode WeftModelSetNumbers(WeftModel model, const WeftState inputs[], PetscInt sample, PetscInt count, const char (*names)[32], const PetscReal values[]);
/* Time at which the next step starts, of one sample or (-1) of all: what the step `waves` reads; nothing without it. In rollouts the
   input "time" is a sequence. Not collective. */
PetscErrorCode WeftModelSetTime(WeftModel model, const WeftState inputs[], PetscInt sample, PetscReal time);
/* Fails when the step changes with time: for those that play it as if it did not. what: who, for the message. */
PetscErrorCode WeftModelCheckSteady(WeftModel model, const char *what);
/* Viscosity of the reference at a Reynolds number: -model_speed * -model_length / reynolds. */
PetscErrorCode WeftModelViscosity(PetscReal reynolds, PetscReal *viscosity);

/* What a correction is told of a Reynolds number: -model_feature reynolds; log: ln(1 + reynolds / 100); bounded:
   reynolds / (reynolds + 300). */
PetscErrorCode WeftModelFeature(PetscReal reynolds, PetscReal *feature);

/* Figures of one sample after a step. */
typedef struct {
  PetscReal kinetic_energy; /* per density: sum over faces of u^2 / 2 times the volume of a cell */
  PetscReal max_velocity;   /* largest component */
  PetscReal courant;        /* largest |u| dt / h */
  PetscReal max_divergence; /* over open cells */
  PetscReal momentum[3];    /* per density: sum over faces of u times the volume of a cell */
  PetscReal outflow;        /* volume that leaves the box per time: the divergence summed over open cells, 0 for a conserved mass */
  PetscReal smoke;          /* sum over cells times their volume; 0 without smoke */
  PetscReal force[3];       /* on the obstacles, per density: momentum that their mask removed in the step and the pressure on
                               their surface, both over dt, and momentum that flows into closed cells through faces that the
                               mask leaves open; 0 without obstacles or before_obstacle */
} WeftModelFigures;
/* outputs: those of the step. figures: [batch]. Collective on the space communicator. */
PetscErrorCode WeftModelMeasure(WeftModel model, const WeftState outputs[], WeftModelFigures figures[]);

/* Figures of one field of one sample, of any model: mean over the cells, least, largest. figures: [batch][fields]. Collective on the
   space communicator. */
typedef struct {
  PetscReal mean, least, largest;
} WeftFieldFigures;
PetscErrorCode WeftModelMeasureFields(WeftModel model, WeftState state, WeftFieldFigures figures[]);

#if defined(__cplusplus)
}
#endif
#endif
