/* The derivative of an operator as a PETSc matrix, and states as PETSc vectors. */
#include "op/impl.h"

/* Goes through the owned values of a state, row by row, in the order of the vector. */
static PetscErrorCode Transfer(WeftState state, PetscScalar *values, PetscBool to_state, PetscInt *count)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  PetscInt             at   = 0;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    for (PetscInt b = 0; b < info->batch; b++) {
      const WeftLayout *l     = WeftGridLayout(info->grid);
      double           *plane = to_state ? WeftStatePlaneWrite(state, f, b) : (double *)WeftStatePlane(state, f, b);
      PetscInt          lo[3], hi[3];
      WeftLayoutOwned(l, info->location[f], lo, hi);
      for (PetscInt k = lo[2]; k < hi[2]; k++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          double *row = plane + WeftLayoutIndex(l, lo[0], j, k);
          if (values && to_state) PetscCall(PetscArraycpy(row, values + at, hi[0] - lo[0]));
          if (values && !to_state) PetscCall(PetscArraycpy(values + at, row, hi[0] - lo[0]));
          at += hi[0] - lo[0];
        }
      }
    }
  }
  *count = at;
  PetscFunctionReturn(0);
}

static PetscErrorCode LocalSize(WeftSpace space, PetscInt *size)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  PetscMPIInt          rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(info->comm, &rank));
  PetscCheck(info->kind != WEFT_CHANNELS, info->comm, PETSC_ERR_SUP, "features have no vector of their own; take the net as a whole");
  if (info->kind == WEFT_NUMBERS) *size = rank ? 0 : info->count * (info->per_sample ? info->batch : 1);
  else {
    *size = 0;
    for (PetscInt f = 0; f < info->fields; f++) {
      PetscInt lo[3], hi[3];
      WeftLayoutOwned(WeftGridLayout(info->grid), info->location[f], lo, hi);
      *size += info->batch * (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateCreateVec(WeftSpace space, Vec *vec)
{
  PetscInt size;

  PetscFunctionBegin;
  PetscCall(LocalSize(space, &size));
  PetscCall(VecCreateMPI(WeftSpaceGetInfo(space)->comm, size, PETSC_DETERMINE, vec));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateToVec(WeftState state, Vec vec)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  PetscScalar         *values;
  PetscInt             count;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(vec, &values));
  if (info->kind == WEFT_NUMBERS) {
    PetscCall(VecGetLocalSize(vec, &count));
    PetscCall(PetscArraycpy(values, (const double *)WeftStateData(state), count));
  } else PetscCall(Transfer(state, values, PETSC_FALSE, &count));
  PetscCall(VecRestoreArrayWrite(vec, &values));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStateFromVec(Vec vec, WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const PetscScalar   *values;
  PetscInt             count;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(vec, &values));
  if (info->kind == WEFT_NUMBERS) {
    PetscCall(VecGetLocalSize(vec, &count));
    PetscCall(PetscArraycpy((double *)WeftStateDataWrite(state), values, count));
    PetscCallMPI(MPI_Bcast(WeftStateDataWrite(state), (PetscMPIInt)(info->bytes / sizeof(double)), MPI_DOUBLE, 0, info->comm));
  } else PetscCall(Transfer(state, (PetscScalar *)values, PETSC_TRUE, &count));
  PetscCall(VecRestoreArrayRead(vec, &values));
  PetscFunctionReturn(0);
}

typedef struct {
  WeftOp     op;
  PetscInt   input, output;
  WeftState  x[WEFT_OP_MAX], y[WEFT_OP_MAX], dx[WEFT_OP_MAX], dy[WEFT_OP_MAX];
  WeftRecord record;
} Derivative;

static PetscErrorCode DerivativeMult(Mat mat, Vec v, Vec w)
{
  Derivative *d;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(mat, &d));
  PetscCall(WeftStateFromVec(v, d->dx[d->input]));
  PetscCall(WeftOpTangent(d->op, d->x, d->y, d->record, d->dx, d->dy));
  if (WeftSpaceGetInfo(d->op->out[d->output])->kind == WEFT_NUMBERS) {
    const PetscMPIInt n = (PetscMPIInt)(WeftSpaceGetInfo(d->op->out[d->output])->bytes / sizeof(double));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(d->dy[d->output]), n, MPI_DOUBLE, MPI_SUM, WeftSpaceGetInfo(d->op->out[d->output])->comm));
  }
  PetscCall(WeftStateToVec(d->dy[d->output], w));
  PetscFunctionReturn(0);
}

static PetscErrorCode DerivativeMultTranspose(Mat mat, Vec w, Vec v)
{
  Derivative *d;
  WeftState   x_bar[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(mat, &d));
  for (PetscInt i = 0; i < d->op->outputs; i++) PetscCall(WeftStateZero(d->dy[i]));
  PetscCall(WeftStateFromVec(w, d->dy[d->output]));
  PetscCall(WeftStateZero(d->dx[d->input]));
  x_bar[d->input] = d->dx[d->input];
  PetscCall(WeftOpAdjoint(d->op, d->x, d->y, d->record, d->dy, x_bar));
  if (WeftSpaceGetInfo(d->op->in[d->input])->kind == WEFT_NUMBERS) {
    const PetscMPIInt n = (PetscMPIInt)(WeftSpaceGetInfo(d->op->in[d->input])->bytes / sizeof(double));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(d->dx[d->input]), n, MPI_DOUBLE, MPI_SUM, WeftSpaceGetInfo(d->op->in[d->input])->comm));
  }
  PetscCall(WeftStateToVec(d->dx[d->input], v));
  PetscFunctionReturn(0);
}

static PetscErrorCode DerivativeDestroy(Mat mat)
{
  Derivative *d;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(mat, &d));
  for (PetscInt i = 0; i < d->op->inputs; i++) PetscCall(WeftStateDestroy(&d->x[i]));
  for (PetscInt i = 0; i < d->op->outputs; i++) {
    PetscCall(WeftStateDestroy(&d->y[i]));
    PetscCall(WeftStateDestroy(&d->dy[i]));
  }
  PetscCall(WeftStateDestroy(&d->dx[d->input]));
  PetscCall(WeftRecordDestroy(&d->record));
  PetscCall(WeftOpDestroy(&d->op));
  PetscCall(PetscFree(d));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCreateMat(WeftOp op, const WeftState x[], PetscInt input, PetscInt output, Mat *mat)
{
  Derivative *d;
  PetscInt    rows, columns;

  PetscFunctionBegin;
  PetscCall(PetscNew(&d));
  PetscCall(WeftOpReference(op));
  d->op     = op;
  d->input  = input;
  d->output = output;
  for (PetscInt i = 0; i < op->inputs; i++) {
    PetscCall(WeftStateCreate(op->in[i], &d->x[i]));
    PetscCall(WeftStateCopy(x[i], d->x[i]));
  }
  for (PetscInt i = 0; i < op->outputs; i++) {
    PetscCall(WeftStateCreate(op->out[i], &d->y[i]));
    PetscCall(WeftStateCreate(op->out[i], &d->dy[i]));
  }
  PetscCall(WeftStateCreate(op->in[input], &d->dx[input]));
  PetscCall(WeftRecordCreate(op, &d->record));
  PetscCall(WeftOpApply(op, d->x, d->y, d->record));
  PetscCall(LocalSize(op->in[input], &columns));
  PetscCall(LocalSize(op->out[output], &rows));
  PetscCall(MatCreateShell(WeftSpaceGetInfo(op->in[input])->comm, rows, columns, PETSC_DETERMINE, PETSC_DETERMINE, d, mat));
  PetscCall(MatShellSetOperation(*mat, MATOP_MULT, (void (*)(void))DerivativeMult));
  PetscCall(MatShellSetOperation(*mat, MATOP_MULT_TRANSPOSE, (void (*)(void))DerivativeMultTranspose));
  PetscCall(MatShellSetOperation(*mat, MATOP_DESTROY, (void (*)(void))DerivativeDestroy));
  PetscFunctionReturn(0);
}
