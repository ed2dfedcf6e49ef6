/* Moves cell arrays between two distributions over the ranks. Partners, boxes and buffers are planned once. */
#include "solve/impl.h"

typedef struct {
  PetscMPIInt  rank;
  WeftBoxRange box; /* what goes over, global indices */
  double      *buffer;
} Parcel;

typedef struct {
  WeftBoxRange local; /* what this rank holds */
  PetscInt     parcels;
  Parcel      *parcel;
  double      *room; /* of all parcels */
} End;

struct _n_WeftTranspose {
  MPI_Comm     comm;
  PetscMPIInt  rank;
  PetscInt     batch;
  End          from, to;
  WeftBoxRange stay; /* what moves from this rank to itself */
  MPI_Request *requests;
};

static WeftBoxRange Intersection(const WeftBoxRange *a, const WeftBoxRange *b)
{
  WeftBoxRange c;
  for (PetscInt d = 0; d < 3; d++) {
    c.lo[d] = PetscMax(a->lo[d], b->lo[d]);
    c.hi[d] = PetscMin(a->hi[d], b->hi[d]);
  }
  return c;
}

static PetscErrorCode PlanEnd(PetscMPIInt rank, PetscMPIInt size, PetscInt batch, const WeftBoxRange mine[], const WeftBoxRange theirs[], const WeftBoxRange *clip, End *end)
{
  const WeftBoxRange here  = Intersection(&mine[rank], clip);
  PetscInt           total = 0;

  PetscFunctionBegin;
  end->local = mine[rank];
  PetscCall(PetscMalloc1(size, &end->parcel));
  for (PetscMPIInt step = 1; step < size; step++) { /* each rank starts with another partner */
    const PetscMPIInt  other = (rank + step) % size;
    const WeftBoxRange box   = Intersection(&here, &theirs[other]);
    if (!WeftBoxCells(&box)) continue;
    end->parcel[end->parcels++] = (Parcel){other, box, NULL};
    PetscCheck(batch * WeftBoxCells(&box) <= PETSC_MPI_INT_MAX, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a transpose message of %" PetscInt_FMT " values is more than MPI takes; use more ranks", batch * WeftBoxCells(&box));
    total += batch * WeftBoxCells(&box);
  }
  PetscCall(PetscMalloc1(total, &end->room));
  total = 0;
  for (PetscInt p = 0; p < end->parcels; p++) {
    end->parcel[p].buffer = end->room + total;
    total += batch * WeftBoxCells(&end->parcel[p].box);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTransposeCreate(MPI_Comm comm, PetscInt batch, const WeftBoxRange from[], const WeftBoxRange to[], const WeftBoxRange *clip, WeftTranspose *transpose)
{
  WeftTranspose t;
  PetscMPIInt   size;
  WeftBoxRange  here;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  t->comm  = comm;
  t->batch = batch;
  PetscCallMPI(MPI_Comm_rank(comm, &t->rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PlanEnd(t->rank, size, batch, from, to, clip, &t->from));
  PetscCall(PlanEnd(t->rank, size, batch, to, from, clip, &t->to));
  here    = Intersection(&from[t->rank], clip);
  t->stay = Intersection(&here, &to[t->rank]);
  PetscCall(PetscMalloc1(2 * size, &t->requests));
  *transpose = t;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTransposeDestroy(WeftTranspose *transpose)
{
  WeftTranspose t = *transpose;

  PetscFunctionBegin;
  *transpose = NULL;
  if (!t) PetscFunctionReturn(0);
  PetscCall(PetscFree(t->from.parcel));
  PetscCall(PetscFree(t->from.room));
  PetscCall(PetscFree(t->to.parcel));
  PetscCall(PetscFree(t->to.room));
  PetscCall(PetscFree(t->requests));
  PetscCall(PetscFree(t));
  PetscFunctionReturn(0);
}

/* Copies a box between two arrays of all samples, each given by the range of cells that it holds. */
static void CopyBox(PetscInt batch, const WeftBoxRange *box, const WeftBoxRange *source, const double *from, const WeftBoxRange *target, double *to)
{
  const PetscInt width = box->hi[0] - box->lo[0];

  if (!WeftBoxCells(box)) return;
  for (PetscInt s = 0; s < batch; s++) {
    for (PetscInt k = box->lo[2]; k < box->hi[2]; k++) {
      for (PetscInt j = box->lo[1]; j < box->hi[1]; j++) {
        const PetscInt at_source = (((s * (source->hi[2] - source->lo[2]) + k - source->lo[2]) * (source->hi[1] - source->lo[1]) + j - source->lo[1])) * (source->hi[0] - source->lo[0]) + box->lo[0] - source->lo[0];
        const PetscInt at_target = (((s * (target->hi[2] - target->lo[2]) + k - target->lo[2]) * (target->hi[1] - target->lo[1]) + j - target->lo[1])) * (target->hi[0] - target->lo[0]) + box->lo[0] - target->lo[0];
        memcpy(to + at_target, from + at_source, sizeof(double) * (size_t)width);
      }
    }
  }
}

static PetscErrorCode Move(WeftTranspose t, const End *from, const double *x, const End *to, double *y)
{
  PetscMPIInt pending = 0;
  PetscInt    batch   = t->batch;

  PetscFunctionBegin;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_TRANSPOSE));
  for (PetscInt p = 0; p < to->parcels; p++) {
    const Parcel *parcel = &to->parcel[p];
    PetscCallMPI(MPI_Irecv(parcel->buffer, (PetscMPIInt)(batch * WeftBoxCells(&parcel->box)), MPI_DOUBLE, parcel->rank, 23, t->comm, &t->requests[pending++]));
  }
  for (PetscInt p = 0; p < from->parcels; p++) {
    const Parcel *parcel = &from->parcel[p];
    CopyBox(batch, &parcel->box, &from->local, x, &parcel->box, parcel->buffer);
    PetscCallMPI(MPI_Isend(parcel->buffer, (PetscMPIInt)(batch * WeftBoxCells(&parcel->box)), MPI_DOUBLE, parcel->rank, 23, t->comm, &t->requests[pending++]));
    WeftCostCount(WEFT_PHASE_TRANSPOSE, 1, (PetscInt64)sizeof(double) * batch * WeftBoxCells(&parcel->box));
  }
  CopyBox(batch, &t->stay, &from->local, x, &to->local, y);
  PetscCallMPI(MPI_Waitall(pending, t->requests, MPI_STATUSES_IGNORE));
  for (PetscInt p = 0; p < to->parcels; p++) {
    const Parcel *parcel = &to->parcel[p];
    CopyBox(batch, &parcel->box, &parcel->box, parcel->buffer, &to->local, y);
  }
  PetscCall(WeftPhaseEnd(WEFT_PHASE_TRANSPOSE));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTransposeForward(WeftTranspose t, const double *from, double *to) { return Move(t, &t->from, from, &t->to, to); }

PetscErrorCode WeftTransposeBackward(WeftTranspose t, const double *to, double *from) { return Move(t, &t->to, to, &t->from, from); }
