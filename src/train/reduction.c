/* The one reduction of an update: gradient, loss and the number of ranks that failed, summed over all ranks. It goes in pieces, from
   the end of the flat vector, and a piece starts when the reverse sweep has added to it for the last time, so that the pieces of
   the last layers are under way while the first layers are still at work. MPI moves them between operators. */
#include "train/trainer.h"

#define PIECE 4096  /* values of a piece at least: shorter messages cost more than they hide */
#define PIECES 16   /* at most */
#define PARTS 256   /* parts of the parameters that operators have adjoints of */

/* Part of the parameters that operators add to, and how often they do in an update. */
typedef struct {
  PetscInt offset, count, calls, seen;
} Part;

struct _n_WeftReduction {
  MPI_Comm      comm;
  PetscMPIInt   size;
  PetscInt      parameters;
  const double *gradient; /* this rank's part */
  double       *values;   /* [parameters + WEFT_REDUCED]: its sum */
  PetscInt      pieces, started, finished, bound[PIECES + 1]; /* piece p: [bound[p + 1], bound[p]), bound[0] is the end */
  MPI_Request   request[PIECES];
  PetscInt      parts;
  Part          part[PARTS]; /* by falling offset */
  PetscBool     learned;     /* calls[] are known, from an update before */
};

PetscErrorCode WeftReductionCreate(WeftState gradient, WeftReduction *reduction)
{
  WeftReduction r;
  PetscInt      n;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  PetscCallMPI(MPI_Comm_dup(PETSC_COMM_WORLD, &r->comm));
  PetscCallMPI(MPI_Comm_size(r->comm, &r->size));
  r->parameters = WeftSpaceGetInfo(WeftStateSpace(gradient))->count;
  r->gradient   = (const double *)WeftStateData(gradient);
  n             = r->parameters + WEFT_REDUCED;
  r->pieces     = PetscMax(1, PetscMin(PIECES, n / PIECE));
  for (PetscInt p = 0; p <= r->pieces; p++) r->bound[p] = n - (PetscInt)((PetscInt64)n * p / r->pieces);
  PetscCall(PetscMalloc1(n, &r->values));
  *reduction = r;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftReductionDestroy(WeftReduction *reduction)
{
  WeftReduction r = *reduction;

  PetscFunctionBegin;
  *reduction = NULL;
  if (!r) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_free(&r->comm));
  PetscCall(PetscFree(r->values));
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

static PetscErrorCode StartPiece(WeftReduction r)
{
  const PetscInt p = r->started++, lo = r->bound[p + 1], count = r->bound[p] - lo;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(r->values + lo, r->gradient + lo, PetscMin(count, r->parameters - lo)));
  if (r->size == 1) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Iallreduce(MPI_IN_PLACE, r->values + lo, (PetscMPIInt)count, MPI_DOUBLE, MPI_SUM, r->comm, &r->request[p]));
  WeftCostCount(WEFT_PHASE_REDUCTION, 1, (PetscInt64)sizeof(double) * count);
  PetscFunctionReturn(0);
}

/* Starts the pieces that lie in the finished parts at the end of the vector. */
static PetscErrorCode StartFinished(WeftReduction r)
{
  PetscInt lowest = r->parameters;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->parts && r->part[i].seen == r->part[i].calls && r->part[i].offset + r->part[i].count == lowest; i++) lowest = r->part[i].offset;
  while (r->started < r->pieces && r->bound[r->started + 1] >= lowest) PetscCall(StartPiece(r));
  PetscFunctionReturn(0);
}

/* The first update says which parts there are and how often each is added to; all updates are alike. */
static PetscErrorCode Learn(WeftReduction r, PetscInt offset, PetscInt count)
{
  PetscInt i = 0;

  PetscFunctionBegin;
  while (i < r->parts && r->part[i].offset > offset) i++;
  if (i == r->parts || r->part[i].offset != offset) {
    if (r->parts == PARTS) PetscFunctionReturn(0); /* the vector has a gap then: all of it is reduced at the end */
    for (PetscInt k = r->parts++; k > i; k--) r->part[k] = r->part[k - 1];
    r->part[i] = (Part){offset, count, 0, 0};
  }
  r->part[i].calls++;
  PetscFunctionReturn(0);
}

static PetscErrorCode Added(WeftReduction r, PetscInt offset)
{
  PetscInt i = 0;

  PetscFunctionBegin;
  while (i < r->parts && r->part[i].offset != offset) i++;
  if (i == r->parts) PetscFunctionReturn(0);
  PetscCheck(r->part[i].seen < r->part[i].calls, PETSC_COMM_SELF, PETSC_ERR_PLIB, "an adjoint was added to parameters %" PetscInt_FMT " on after they were sent", offset);
  if (++r->part[i].seen == r->part[i].calls) PetscCall(StartFinished(r));
  PetscFunctionReturn(0);
}

/* After each operator: has it added to the gradient? And MPI goes on with what is under way. */
static PetscErrorCode AfterAdjoint(WeftOp op, const WeftState x_bar[], void *context)
{
  WeftReduction r = (WeftReduction)context;
  PetscMPIInt   done;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(op); i++) {
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, i));
    const double        *at   = x_bar[i] && info->kind == WEFT_NUMBERS ? (const double *)WeftStateData(x_bar[i]) : NULL;
    if (!at || at < r->gradient || at >= r->gradient + r->parameters) continue;
    if (r->learned) PetscCall(Added(r, (PetscInt)(at - r->gradient)));
    else PetscCall(Learn(r, (PetscInt)(at - r->gradient), info->count));
  }
  if (r->size > 1 && r->finished < r->started) {
    PetscCall(WeftPhaseBegin(WEFT_PHASE_REDUCTION));
    PetscCallMPI(MPI_Test(&r->request[r->finished], &done, MPI_STATUS_IGNORE));
    PetscCall(WeftPhaseEnd(WEFT_PHASE_REDUCTION));
    if (done) r->finished++;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftReductionBegin(WeftReduction r, const double others[WEFT_REDUCED])
{
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(r->values + r->parameters, others, WEFT_REDUCED));
  r->started = r->finished = 0;
  for (PetscInt i = 0; i < r->parts; i++) r->part[i].seen = 0;
  WeftOpSetAfterAdjoint(AfterAdjoint, r);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftReductionEnd(WeftReduction r, const double **values)
{
  PetscFunctionBegin;
  WeftOpSetAfterAdjoint(NULL, NULL);
  if (r->parts) r->learned = PETSC_TRUE;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_REDUCTION));
  while (r->started < r->pieces) PetscCall(StartPiece(r));
  if (r->size > 1) PetscCallMPI(MPI_Waitall((PetscMPIInt)(r->pieces - r->finished), r->request + r->finished, MPI_STATUSES_IGNORE));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_REDUCTION));
  *values = r->values;
  PetscFunctionReturn(0);
}
