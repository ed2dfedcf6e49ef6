/* op: the operator contract, and programs (fixed lists of operator calls on named slots). */
#ifndef WEFT_OP_H
#define WEFT_OP_H
#include <petscmat.h>
#include <weft/grid.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define WEFT_OP_MAX 12 /* inputs or outputs of an operator */

typedef struct _n_WeftOp *WeftOp;
typedef struct _n_WeftRecord *WeftRecord; /* what an operator keeps between apply and adjoint, beyond inputs and outputs */

/* y = F(x). The three maps stand side by side; none may be NULL.
   apply    y := F(x)                     overwrites; fills record if it is not NULL
   tangent  dy := F'(x) dx                overwrites; dx[i] == NULL means zero
   adjoint  x_bar += F'(x)^T y_bar        accumulates; x_bar[i] == NULL means not wanted; y_bar[i] is never NULL
   Each makes the exchange of halos that it needs (WeftStateHalo). Collective on the space communicator. Ghosts of x may be
   refilled; values of x and y_bar stay. In tangent and adjoint x (if needs has INPUTS) and y (if needs has OUTPUTS) are the
   states of the apply, otherwise they may be anything and must not be read. */
enum { WEFT_NEEDS_NOTHING = 0, WEFT_NEEDS_INPUTS = 1, WEFT_NEEDS_OUTPUTS = 2 };
typedef struct {
  PetscErrorCode (*apply)(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record);
  PetscErrorCode (*tangent)(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[]);
  PetscErrorCode (*adjoint)(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[]);
  PetscErrorCode (*destroy)(void *context); /* may be NULL */
  /* Optional: the branch that each value took (cell of a lookup, sign of a ReLU), for tests at kinks. *branches is
     PetscMalloc1'ed, *count local. */
  PetscErrorCode (*branches)(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches);
} WeftOpMaps;

/* needs: what tangent and adjoint read. Takes ownership of context. Spaces are referenced. Fails if a map is NULL. */
PetscErrorCode WeftOpCreate(const char *name, const WeftOpMaps *maps, void *context, int needs, PetscInt inputs, const WeftSpace in[], PetscInt outputs, const WeftSpace out[], WeftOp *op);
PetscErrorCode WeftOpReference(WeftOp op);
PetscErrorCode WeftOpDestroy(WeftOp *op);
void          *WeftOpContext(WeftOp op);
const char    *WeftOpName(WeftOp op);
int            WeftOpNeeds(WeftOp op);
PetscInt       WeftOpInputs(WeftOp op);
PetscInt       WeftOpOutputs(WeftOp op);
WeftSpace      WeftOpInSpace(WeftOp op, PetscInt input);
WeftSpace      WeftOpOutSpace(WeftOp op, PetscInt output);

/* Call through these: they check spaces (debug builds) and time the operator as a PETSc event of its name. */
PetscErrorCode WeftOpApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record);
PetscErrorCode WeftOpTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState dx[], const WeftState dy[]);
PetscErrorCode WeftOpAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record, const WeftState y_bar[], const WeftState x_bar[]);
PetscErrorCode WeftOpBranches(WeftOp op, const WeftState x[], PetscInt *count, PetscInt **branches);

/* ---- record -------------------------------------------------------------------------------------------------- */

/* A function that is called after the adjoint of every operator that is no program, with the adjoints of its inputs (NULL: left
   out): there MPI may go on with what was begun, and finished parts of a gradient may be sent. NULL: none. One at a time. */
typedef PetscErrorCode (*WeftOpAfterAdjoint)(WeftOp op, const WeftState x_bar[], void *context);
void WeftOpSetAfterAdjoint(WeftOpAfterAdjoint after, void *context);
/* The phase in which its time is counted; without one, in that of the operator around it. */
PetscErrorCode WeftOpSetPhase(WeftOp op, WeftPhase phase);
/* An operator that keeps a private record declares its states before first use. */
PetscErrorCode WeftOpSetRecord(WeftOp op, PetscInt states, const WeftSpace spaces[]);
PetscErrorCode WeftRecordCreate(WeftOp op, WeftRecord *record);
PetscErrorCode WeftRecordDestroy(WeftRecord *record);
WeftState      WeftRecordState(WeftRecord record, PetscInt i);
size_t         WeftOpRecordBytes(WeftOp op);

/* ---- stencil -------------------------------------------------------------------------------------------------- */

/* How output 0 depends on input 0 (both PLANES), as stencils: field `row` of the output at a place reads field `column` of the
   input at the place + offset (in cells). What an implicit solve assembles its matrix from. */
typedef struct {
  PetscInt row, column, offset[3];
} WeftStencilEntry;
typedef struct {
  PetscInt                entries;
  const WeftStencilEntry *entry;
  /* coefficient[e]: plane of the grid's layout, to be filled with the derivative of sample `sample` at the owned unknowns of the
     row's field; what stands behind a side goes by the linear side rule of the column's field. Collective. NULL: coloured
     tangents, as many as the stencil has colours. */
  PetscErrorCode (*coefficients)(WeftOp op, void *context, const WeftState x[], PetscInt sample, double *const coefficient[]);
  void     *context;
  PetscErrorCode (*destroy)(void *context); /* may be NULL */
  unsigned  depends;   /* bit i: the coefficients depend on input i; with none of them changed a matrix is used again */
  PetscBool symmetric; /* the matrix is */
} WeftStencil;
/* Copies the list; takes ownership of the context. */
PetscErrorCode     WeftOpSetStencil(WeftOp op, const WeftStencil *stencil);
const WeftStencil *WeftOpGetStencil(WeftOp op); /* NULL: none */

/* ---- program ------------------------------------------------------------------------------------------------- */

/* A program is built slot by slot, then frozen into an operator:
     WeftProgramCreate(comm, &program)
     WeftProgramInput(program, "velocity", space, &v)              in the order of the operator's inputs
     WeftProgramCall(program, diffuse, (int[]){v, nu}, (int[]){w})  w: fresh slots are made by the call
     WeftProgramOutput(program, w)                                  in the order of the operator's outputs
     WeftProgramFinish(&program, "step", &op)
   A slot is written once (by an input or one call) and may be read often. The operator's record is exactly the slots and
   records that its calls' adjoints need; its adjoint is the list backwards. */
typedef struct _n_WeftProgram *WeftProgram;
PetscErrorCode WeftProgramCreate(MPI_Comm comm, WeftProgram *program);
PetscErrorCode WeftProgramInput(WeftProgram program, const char *name, WeftSpace space, PetscInt *slot);
/* Part [offset, offset + count) of a NUMBERS input (weights of one layer). */
PetscErrorCode WeftProgramView(WeftProgram program, PetscInt numbers, PetscInt offset, PetscInt count, PetscInt *slot);
/* References op. out[]: on return the slots that hold its outputs. */
PetscErrorCode WeftProgramCall(WeftProgram program, WeftOp op, const PetscInt in[], PetscInt out[]);
PetscErrorCode WeftProgramOutput(WeftProgram program, PetscInt slot);
PetscErrorCode WeftProgramFinish(WeftProgram *program, const char *name, WeftOp *op);
/* Calls of a program operator, for reports; none for an operator that is no program. */
PetscErrorCode WeftProgramCalls(WeftOp op, PetscInt *calls, const WeftOp **ops);
/* Applies an operator (y := F(x), no record) and calls `watch` after every call of a program with the call's inputs and
   outputs; once for an operator that is no program. Reports and searches for faults. Collective on the space communicator. */
typedef PetscErrorCode (*WeftOpWatcher)(WeftOp call, const WeftState in[], const WeftState out[], void *context);
PetscErrorCode WeftOpWatch(WeftOp op, const WeftState x[], const WeftState y[], WeftOpWatcher watch, void *context);

/* ---- operators of src/op, one file each ----------------------------------------------------------------------- */

/* Explicit advection over one step dt of every field by a staggered velocity. Inputs: fields (PLANES, cells or faces),
   velocity (WeftSpaceCreateVelocity). Self-advection: the same slot twice. A departure point is the place minus
   dt * velocity there (mean of the faces around), one Euler backtrace; values by (multi)linear interpolation, in index
   space. MacCormack (Selle, Fedkiw, Kim, Liu, Rossignac 2008): forward and backward lookup, half the error added, clamped
   to the values around the departure point. On a node a point belongs to the upper cell. Behind a side it is put where all
   beyond is constant: one spacing outside the unknowns (the value falls linearly to the wall's with WEFT_WALL_VALUE, cells and
   open sides keep the edge value), or on the wall itself for faces behind WEFT_WALL_MIRROR, whose ghosts are images. A
   displacement of -grid_halo cells or more, or one that is no number: WeftGridNote with the Courant number, and the point
   stays where it is. */
typedef enum { WEFT_ADVECT_SEMI_LAGRANGIAN, WEFT_ADVECT_MACCORMACK } WeftAdvectScheme;
PetscErrorCode WeftOpCreateAdvect(WeftSpace fields, WeftSpace velocity, WeftAdvectScheme scheme, PetscReal dt, WeftOp *op);
/* Centred convection of a velocity by itself, one explicit Euler step in flux form: y = u - dt div(u u), each flux the product of the
   means of two neighbours. Of second order in space, without numerical diffusion; stable where diffusion damps what Euler's method
   excites: dt <= 2 viscosity / |u|^2, and dt |u| / h below 1. Input: velocity. Tangent and adjoint: of the products of means. */
PetscErrorCode WeftOpCreateConvect(WeftSpace velocity, PetscReal dt, WeftOp *op);
/* y = x + dt viscosity Laplacian(x), every field. Inputs: fields, viscosity (NUMBERS per sample, 1). */
PetscErrorCode WeftOpCreateDiffuse(WeftSpace fields, PetscReal dt, WeftOp *op);
/* y = factor x + offset value by value; factor, offset: states of the same fields, batch 1 (the same for all samples) or the
   batch of x; copied; NULL: 1 and 0. Masks, prescribed regions, constant forces. */
PetscErrorCode WeftOpCreateAffine(WeftSpace space, WeftState factor, WeftState offset, WeftOp *op);
/* y = sum of coefficient_i x_i. Inputs: `terms` states of one space. */
PetscErrorCode WeftOpCreateSum(WeftSpace space, PetscInt terms, const PetscReal coefficients[], WeftOp *op);
/* y = x + strength shape. Inputs: x, strength (NUMBERS per sample, 1). shape as in Affine. Inflow of a marker. */
PetscErrorCode WeftOpCreateInflow(WeftSpace space, WeftState shape, WeftOp *op);
/* y = x + strength share: a round source of a marker (one cell field). share falls from 1 to 0 over `edge` (length) on both sides of
   `radius` around the centre as s^2 (3 - 2 s); edge 0: 1 within the radius, and no derivative by the centre. Inputs: x, strength
   (NUMBERS per sample, 1), centre (NUMBERS per sample, dim). */
PetscErrorCode WeftOpCreateSource(WeftSpace cells, PetscReal radius, PetscReal edge, WeftOp *op);
/* y = velocity + dt f, f a sum of `waves` travelling sines: component a is the sum of amplitude sin(frequency t + 2 pi number s + phase), s
   from 0 to 1 along axis a + 1 (x again after the last): along x in one dimension, across the component in more. Inputs: velocity, waves
   (NUMBERS per sample, WEFT_WAVE_NUMBERS each), time t (NUMBERS per sample, 1). */
enum { WEFT_WAVE_AMPLITUDE, WEFT_WAVE_NUMBER, WEFT_WAVE_FREQUENCY, WEFT_WAVE_PHASE, WEFT_WAVE_NUMBERS };
PetscErrorCode WeftOpCreateWaves(WeftSpace velocity, PetscInt waves, PetscReal dt, WeftOp *op);
/* y = x + dt div(k grad x), explicit; k at a face is the mean of the two cells, nothing flows through sides that are not periodic.
   Inputs: x, k (one cell field each). Tangent: dx + dt div(k grad dx) + dt div(dk grad x). */
PetscErrorCode WeftOpCreateConduct(WeftSpace cells, WeftSpace conductivity, PetscReal dt, WeftOp *op);
/* velocity -> its divergence at cells (one cell field); a cell field -> its gradient at faces (unknowns only; beyond an open
   side the cell value is 0, beyond closed ones there is no unknown). gradient = -divergence^T on unknowns. */
PetscErrorCode WeftOpCreateDivergence(WeftSpace velocity, WeftSpace cells, WeftOp *op);
PetscErrorCode WeftOpCreateGradient(WeftSpace cells, WeftSpace velocity, WeftOp *op);
/* velocity -> dim cell fields (mean of the two faces), and back (mean of the two cells; ghosts by COPY). */
PetscErrorCode WeftOpCreateFacesToCells(WeftSpace velocity, WeftSpace cells, WeftOp *op);
PetscErrorCode WeftOpCreateCellsToFaces(WeftSpace cells, WeftSpace velocity, WeftOp *op);
/* y = velocity + dt strength * (scalar at the face). Inputs: velocity, scalar (one cell field), strength (NUMBERS per sample,
   dim). */
PetscErrorCode WeftOpCreateBuoyancy(WeftSpace velocity, WeftSpace scalar, PetscReal dt, WeftOp *op);
/* Fields of a fine grid -> the same fields on a coarse grid over the same box, whole ratio per axis, ownership aligned (fine
   granularity = ratio x coarse granularity): cells by the mean of their children, faces by the mean of the children of the
   face. */
PetscErrorCode WeftOpCreateRestrict(WeftSpace fine, WeftSpace coarse, WeftOp *op);
/* A point at which a field is observed: the lowest unknown around it and how far it lies towards the next one along each axis. */
typedef struct {
  PetscInt  state, field; /* which state, which field of it */
  PetscInt  node[3];
  PetscReal fraction[3], weight;
} WeftPoint;
/* The point at a place of the box (length). Between the last unknown and a side that is not periodic: on that unknown. inside: does
   it lie in the box? state and weight stay. Not collective. */
PetscErrorCode WeftPointSet(WeftSpace space, PetscInt field, const PetscReal place[3], WeftPoint *point, PetscBool *inside);
/* (states..., number of the observation) -> per sample the sum over points of weight / 2 (value there - data)^2, this rank's part
   (NUMBERS per sample, 1). Values by (multi)linear interpolation. Tangent: sum of weight (value - data) dvalue. point: at least those
   that touch this rank's block, in one order on all ranks; the others are passed over. local[point] (may be NULL): place in the data
   of this rank, -1: not there. The number of the observation, one of `times`, is NUMBERS (1) and chooses the data. */
PetscErrorCode WeftOpCreateObserve(PetscInt states, const WeftSpace space[], PetscInt times, PetscInt points, const WeftPoint point[], PetscInt local[], WeftOp *op);
/* This rank's data of an observation, to be filled: [*points]; NaN: there is none. Not collective. */
PetscErrorCode WeftObserveData(WeftOp op, PetscInt time, PetscInt sample, PetscInt *points, double **data);
/* Makes the values of the states at the points the data of an observation, for all samples. Collective on the space communicator. */
PetscErrorCode WeftObserveTake(WeftOp op, PetscInt time, const WeftState states[]);
/* Values at coarse knots -> fields by (multi)linear interpolation, `knots` of them along each axis: where the box is periodic they
   divide it, elsewhere they reach from side to side. Input: NUMBERS per sample, [field][z][y][x] of the knots. Linear: the tangent is
   the map, the adjoint its transpose. */
PetscErrorCode WeftOpCreateInterpolate(WeftSpace fields, PetscInt knots, WeftOp *op);
/* The knots' values nearest to fields: a first guess. Collective on the space communicator. */
PetscErrorCode WeftInterpolateKnots(WeftOp op, WeftState fields, WeftState knots);
/* Losses, (state, target) -> per sample one number (NUMBERS per sample, 1), this rank's part of a sum over unknowns, with a weight w
   of every value (fields as in Affine; copied; NULL: 1):  squared 0.5 sum w (s - t)^2,  absolute sum w |s - t|,  relative
   0.5 sum w (s - t)^2 / sum w t^2 (a target of zeros: as squared). */
typedef enum { WEFT_ERROR_SQUARED, WEFT_ERROR_ABSOLUTE, WEFT_ERROR_RELATIVE } WeftErrorKind;
PetscErrorCode WeftOpCreateError(WeftSpace space, WeftErrorKind kind, WeftState weight, WeftOp *op);
/* (velocity, anything) -> sum over cells of w (div u)^2; weight: one cell field. */
PetscErrorCode WeftOpCreateDivergenceLoss(WeftSpace velocity, WeftState weight, WeftOp *op);
/* Energy spectra of every field by shells of wave numbers: half the sum of squares of their difference over the square of the target's
   energy. Every rank gathers and transforms whole fields: for grids of up to a few hundred cells a side. */
PetscErrorCode WeftOpCreateSpectrumLoss(WeftSpace space, WeftOp *op);
/* (velocity x, velocity b) -> 0.5 sum of w ((x - S(b)) / dt)^2, S a step of a solver, an operator (velocity, ...) -> (velocity, ...): what
   x lacks to be the state that follows b. Tangent: sum of w (x - S(b)) (dx - S'(b) db) / dt^2. What S reads beside the velocity are
   states of this operator, zero at first, to be filled: WeftResidualLossInputs [inputs of S], the first is not one of them. */
PetscErrorCode   WeftOpCreateResidualLoss(WeftOp solver, PetscReal dt, WeftState weight, WeftOp *op);
const WeftState *WeftResidualLossInputs(WeftOp op);
/* A loss by name, for lists of terms: a row WEFT_LOSS(<Name>) of src/op/list.h names WeftLoss_<Name>. It is an operator of the state and
   of what it is set against: the target, the state before the step, or the state itself. weight: of the state's fields. */
typedef struct {
  WeftSpace space;
  WeftState weight; /* NULL: 1 */
  WeftOp    solver; /* a step without a net, for the residuals; NULL: none is there */
  PetscReal dt;
} WeftLossSetting;
typedef enum { WEFT_LOSS_TARGET, WEFT_LOSS_BEFORE, WEFT_LOSS_STATE } WeftLossAgainst;
typedef struct {
  const char *name;
  PetscErrorCode (*create)(const WeftLossSetting *setting, WeftOp *op);
  WeftLossAgainst against;
  PetscBool       solver; /* a residual: an operator of WeftOpCreateResidualLoss */
} WeftLossKind;
/* Weighted sum of terms, each a line "squared 0.5": squared, absolute, relative, divergence, spectrum, momentum, steady. Inputs: the
   state; the state before, if a term is set against it; the target. Fails naming the term. */
PetscErrorCode WeftOpCreateLosses(const WeftLossSetting *setting, PetscInt terms, char *const term[], WeftOp *op);
/* Does one of the terms need a solver? Fails naming a term that is none. */
PetscErrorCode WeftLossesNeedSolver(MPI_Comm comm, PetscInt terms, char *const term[], PetscBool *need);
/* Inputs of the solver of a term that is a residual, to be filled; NULL: it is none, or there are fewer terms. Not collective. */
const WeftState *WeftLossSolverInputs(WeftOp losses, PetscInt term);
/* Each weighted term, summed over the samples of every apply since the last call (this rank's part); sums NULL: their number. */
PetscErrorCode WeftLossTerms(WeftOp losses, PetscInt *terms, PetscReal sums[]);

/* ---- matrix -------------------------------------------------------------------------------------------------- */

/* F'(x) at a state as a PETSc shell matrix from input `input` to output `output`: MatMult = tangent, MatMultTranspose =
   adjoint. Vectors hold the unknowns (WeftStateToVec). Collective. */
PetscErrorCode WeftOpCreateMat(WeftOp op, const WeftState x[], PetscInt input, PetscInt output, Mat *mat);
/* Unknowns (or, on rank 0, numbers) of a state as a Vec: fields, then samples, then owned values in storage order. */
PetscErrorCode WeftStateCreateVec(WeftSpace space, Vec *vec);
PetscErrorCode WeftStateToVec(WeftState state, Vec vec);
PetscErrorCode WeftStateFromVec(Vec vec, WeftState state);

/* ---- registry: every operator has its row, and the contract test goes through the rows ------------------------ */

/* An instance for the contract test: the operator, and how to draw generic inputs (offset + amplitude * uniform(-1, 1)). */
typedef struct {
  WeftOp    op;
  PetscReal offset[WEFT_OP_MAX], amplitude[WEFT_OP_MAX];
  PetscReal tolerance; /* of an iterative solve inside: relative accuracy of its results, and how far layouts may differ; 0: none */
} WeftOpExample;
typedef struct {
  const char *name;
  int         dims;     /* bit d-1: works in d dimensions */
  int         sides;    /* bit of each WeftSide that it claims */
  int         variants; /* number of variants of the example */
  PetscErrorCode (*example)(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example);
} WeftOpRow;
#define WEFT_ALL_DIMS 7
#define WEFT_ALL_SIDES 31
/* The rows of src/op/list.h: every operator of the library. */
PetscErrorCode WeftOpRows(PetscInt *count, const WeftOpRow **rows);

/* Checks an operator against its contract, on any operator and any ranks:
     apply      overwrites, does the same with and without a record, leaves its inputs alone, reads no ghost that it did not fill
     tangent    overwrites; the parts of its inputs add up
     adjoint    |<J v, w> - <v, J'w>| <= 1e-12 |J v| |w| for every input and output; accumulates; unwanted inputs change nothing
     Taylor     |F(x + h v) - F(x) - h J v| falls with order 2 over the steps h at which no value changes its branch (or is
                round-off at all of them, where F is linear); at least one step must be so
     assembled  (if asked for) the assembled tangent is the transpose of the assembled adjoint; PLANES and NUMBERS only
   With float32 features the bounds are in terms of float32's round-off. Collective on the space communicator. A fault is
   no error of WeftOpCheck: the report carries it, the same on every rank. */
typedef struct {
  const WeftState *at;       /* inputs at which to check; NULL: drawn from the example's offsets and amplitudes */
  PetscInt64       seed;
  PetscBool        assemble; /* small grids: as many tangents and adjoints as there are unknowns */
  PetscBool        allow_kinks; /* large grids: where so many values have kinks that no step tells the order, that is no fault */
} WeftOpCheckOptions;
typedef struct {
  PetscBool passed;
  char      message[512];   /* the first fault; empty: passed */
  PetscReal dot, dot_bound; /* largest |<J v, w> - <v, J'w>| / (|J v| |w|), and what it may be */
  PetscReal order;          /* smallest observed order of the Taylor remainder; 0: round-off at every step */
  PetscBool told;           /* FALSE: kinks at every step at which the remainder is above round-off */
  PetscInt  steps, changed; /* steps without a change of branch; values that changed it at the largest step */
  PetscReal transpose;      /* largest |J - (J')'| / largest |J| of the assembled pairs; 0: not assembled */
} WeftOpReport;
PetscErrorCode WeftOpCheck(const WeftOpExample *example, const WeftOpCheckOptions *options, WeftOpReport *report);

#if defined(__cplusplus)
}
#endif
#endif
