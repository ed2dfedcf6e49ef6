/* From stencils to a PETSc matrix. The column of an entry is the number that the halo exchange brings to its place: exchanged with
   the linear side rule, a state of row numbers holds behind a side the number of the unknown that the ghost is made of, with the
   sign of its factor, or 0. So sides and neighbours need no code of their own. */
#include "op/rows.h"
#include "solve/implicit.h"

struct _n_WeftAssembled {
  WeftOp             op;
  const WeftStencil *stencil;
  MPI_Comm           comm;
  WeftNumbering      unknowns;
  Mat                mat;
  PetscScalar       *value; /* [entry][sample][rows of the field] */
  PetscInt           values, flips, *flip; /* values whose sign a side turns */
  double            *plane, *coefficient[64];
  WeftState          key[WEFT_OP_MAX]; /* what the matrix was made of */
  PetscInt           version; /* matrices made; 0: none yet */
  WeftState          colour, direction, image, output; /* with coloured tangents: colour + 1 of every unknown; direction; tangent */
  WeftRecord         record;
  PetscInt           colours;
};

/* The value that stands at an entry's column for the unknown (i, j, k) of its row. */
static inline PetscInt Place(const WeftLayout *l, const WeftStencilEntry *e, PetscInt i, PetscInt j, PetscInt k)
{
  return WeftLayoutIndex(l, i + e->offset[0], j + e->offset[1], k + e->offset[2]);
}

static PetscInt Width(const WeftStencil *stencil)
{
  PetscInt width = 1;
  for (PetscInt e = 0; e < stencil->entries; e++)
    for (PetscInt a = 0; a < 3; a++) width = PetscMax(width, PetscAbsInt(stencil->entry[e].offset[a]));
  return width;
}

/* Global number + 1 of every unknown, ghosts filled. */
static PetscErrorCode NumberUnknowns(WeftAssembled a, PetscInt first, WeftState *numbers)
{
  Vec          vec;
  PetscScalar *values;
  PetscInt     n;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(a->op->in[0], numbers));
  PetscCall(WeftNumberingCreateVec(a->unknowns, &vec));
  PetscCall(VecGetLocalSize(vec, &n));
  PetscCall(VecGetArrayWrite(vec, &values));
  for (PetscInt i = 0; i < n; i++) values[i] = (PetscScalar)(first + i + 1);
  PetscCall(VecRestoreArrayWrite(vec, &values));
  PetscCall(WeftNumberingFromVec(a->unknowns, vec, *numbers));
  PetscCall(VecDestroy(&vec));
  PetscCall(WeftStateHalo(*numbers, Width(a->stencil), WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

/* Is the column of entry e at a place also that of an entry before it in the same row? Then its tangent holds both. */
static PetscBool Repeated(WeftAssembled a, WeftState numbers, PetscInt e, PetscInt b, PetscInt i, PetscInt j, PetscInt k)
{
  const WeftLayout       *l     = WeftGridLayout(WeftSpaceGetInfo(a->op->in[0])->grid);
  const WeftStencilEntry *entry = a->stencil->entry;
  const double            mine  = WeftStatePlane(numbers, entry[e].column, b)[Place(l, &entry[e], i, j, k)];

  for (PetscInt d = 0; d < e; d++)
    if (entry[d].row == entry[e].row && PetscAbsReal(WeftStatePlane(numbers, entry[d].column, b)[Place(l, &entry[d], i, j, k)]) == PetscAbsReal(mine)) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* Row and column of every value; -1: none. Counts the flips, and lists them once there is room. Local. */
static PetscErrorCode Pattern(WeftAssembled a, WeftState numbers, PetscInt first, PetscBool coloured, PetscInt rows[], PetscInt columns[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(a->op->in[0]);
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             at   = 0;

  PetscFunctionBegin;
  a->flips = 0;
  for (PetscInt e = 0; e < a->stencil->entries; e++) {
    const WeftStencilEntry *entry = &a->stencil->entry[e];
    for (PetscInt b = 0; b < info->batch; b++) {
      PetscInt stride, row = first + WeftNumberingFirst(a->unknowns, entry->row, b, &stride), lo[3], hi[3];
      WeftLayoutOwned(l, info->location[entry->row], lo, hi);
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = lo[0]; i < hi[0]; i++, at++, row += stride) {
            const double    number = WeftStatePlane(numbers, entry->column, b)[Place(l, entry, i, j, k)];
            const PetscBool there  = number != 0.0 && !(coloured && Repeated(a, numbers, e, b, i, j, k)) ? PETSC_TRUE : PETSC_FALSE;
            rows[at]    = there ? row : -1;
            columns[at] = there ? (PetscInt)PetscAbsReal(number) - 1 : -1;
            if (there && number < 0.0 && !coloured) {
              if (a->flip) a->flip[a->flips] = at;
              a->flips++;
            }
          }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateMat(WeftAssembled a, PetscBool coloured)
{
  PetscInt *rows, *columns, first, local;
  WeftState numbers;
  Vec       vec;

  PetscFunctionBegin;
  PetscCall(WeftNumberingCreateVec(a->unknowns, &vec));
  PetscCall(VecGetOwnershipRange(vec, &first, NULL));
  PetscCall(VecGetLocalSize(vec, &local));
  PetscCall(VecDestroy(&vec));
  PetscCall(PetscMalloc2(a->values, &rows, a->values, &columns));
  PetscCall(NumberUnknowns(a, first, &numbers));
  PetscCall(Pattern(a, numbers, first, coloured, rows, columns));
  PetscCall(PetscMalloc1(a->flips, &a->flip));
  PetscCall(Pattern(a, numbers, first, coloured, rows, columns));
  PetscCall(WeftStateDestroy(&numbers));
  PetscCall(MatCreate(a->comm, &a->mat));
  PetscCall(MatSetSizes(a->mat, local, local, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetBlockSize(a->mat, WeftNumberingBlock(a->unknowns)));
  PetscCall(MatSetType(a->mat, MATAIJ));
  PetscCall(MatSetPreallocationCOO(a->mat, a->values, rows, columns));
  PetscCall(PetscFree2(rows, columns));
  if (a->stencil->symmetric) {
    PetscCall(MatSetOption(a->mat, MAT_SYMMETRIC, PETSC_TRUE));
    PetscCall(MatSetOption(a->mat, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  }
  PetscFunctionReturn(0);
}

/* Unknowns of one colour share no row of the matrix: a tangent along all of them holds the columns of each. */
static PetscErrorCode FindColours(WeftAssembled a)
{
  const ISColoringValue *colours;
  PetscScalar           *values;
  MatColoring            colouring;
  ISColoring             found;
  PetscInt               n;
  Vec                    vec;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < a->values; i++) a->value[i] = 1.0;
  PetscCall(MatSetValuesCOO(a->mat, a->value, INSERT_VALUES));
  PetscCall(MatColoringCreate(a->mat, &colouring));
  PetscCall(MatColoringSetType(colouring, MATCOLORINGGREEDY));
  PetscCall(MatColoringSetDistance(colouring, 2));
  PetscCall(MatColoringApply(colouring, &found));
  PetscCall(MatColoringDestroy(&colouring));
  PetscCall(ISColoringGetColors(found, &n, &a->colours, &colours));
  PetscCall(WeftNumberingCreateVec(a->unknowns, &vec));
  PetscCall(VecGetArrayWrite(vec, &values));
  for (PetscInt i = 0; i < n; i++) values[i] = (PetscScalar)colours[i] + 1.0;
  PetscCall(VecRestoreArrayWrite(vec, &values));
  PetscCall(ISColoringDestroy(&found));
  PetscCall(WeftStateCreate(a->op->in[0], &a->colour));
  PetscCall(WeftStateCreate(a->op->in[0], &a->direction));
  PetscCall(WeftStateCreate(a->op->out[0], &a->image));
  PetscCall(WeftStateCreate(a->op->out[0], &a->output));
  PetscCall(WeftRecordCreate(a->op, &a->record));
  PetscCall(WeftNumberingFromVec(a->unknowns, vec, a->colour));
  PetscCall(VecDestroy(&vec));
  PetscCall(WeftStateHalo(a->colour, Width(a->stencil), WEFT_GHOST_LINEAR));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAssembledCreate(WeftOp op, PetscBool coloured, WeftAssembled *assembled)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpInSpace(op, 0));
  WeftAssembled        a;

  PetscFunctionBegin;
  PetscCall(PetscNew(&a));
  PetscCall(WeftOpReference(op));
  a->op      = op;
  a->stencil = WeftOpGetStencil(op);
  a->comm    = info->comm;
  PetscCheck(a->stencil, a->comm, PETSC_ERR_ARG_WRONGSTATE, "operator %s has no stencil (WeftOpSetStencil) to assemble a matrix from", WeftOpName(op));
  PetscCheck(a->stencil->entries <= (PetscInt)PETSC_STATIC_ARRAY_LENGTH(a->coefficient), a->comm, PETSC_ERR_ARG_OUTOFRANGE, "the stencil of operator %s has more than %d entries", WeftOpName(op), (int)PETSC_STATIC_ARRAY_LENGTH(a->coefficient));
  PetscCall(WeftOpCheckHalo(WeftOpName(op), WeftOpInSpace(op, 0), Width(a->stencil)));
  PetscCall(WeftNumberingCreate(WeftOpInSpace(op, 0), &a->unknowns));
  for (PetscInt e = 0; e < a->stencil->entries; e++) {
    const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[a->stencil->entry[e].row]);
    a->values += info->batch * rows.n[0] * rows.n[1] * rows.n[2];
  }
  PetscCall(PetscMalloc1(a->values, &a->value));
  PetscCall(CreateMat(a, coloured || !a->stencil->coefficients ? PETSC_TRUE : PETSC_FALSE));
  if (coloured || !a->stencil->coefficients) PetscCall(FindColours(a));
  else {
    PetscCall(PetscMalloc1(a->stencil->entries * WeftGridLayout(info->grid)->plane, &a->plane));
    for (PetscInt e = 0; e < a->stencil->entries; e++) a->coefficient[e] = a->plane + e * WeftGridLayout(info->grid)->plane;
  }
  for (PetscInt i = 0; i < WeftOpInputs(op); i++)
    if (a->stencil->depends & (1u << i)) PetscCall(WeftStateCreate(WeftOpInSpace(op, i), &a->key[i]));
  *assembled = a;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAssembledDestroy(WeftAssembled *assembled)
{
  WeftAssembled a = *assembled;

  PetscFunctionBegin;
  *assembled = NULL;
  if (!a) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < WeftOpInputs(a->op); i++) PetscCall(WeftStateDestroy(&a->key[i]));
  PetscCall(WeftStateDestroy(&a->colour));
  PetscCall(WeftStateDestroy(&a->direction));
  PetscCall(WeftStateDestroy(&a->image));
  PetscCall(WeftStateDestroy(&a->output));
  PetscCall(WeftRecordDestroy(&a->record));
  PetscCall(MatDestroy(&a->mat));
  PetscCall(WeftNumberingDestroy(&a->unknowns));
  PetscCall(PetscFree(a->value));
  PetscCall(PetscFree(a->flip));
  PetscCall(PetscFree(a->plane));
  PetscCall(WeftOpDestroy(&a->op));
  PetscCall(PetscFree(a));
  PetscFunctionReturn(0);
}

PetscInt     WeftAssembledVersion(WeftAssembled a) { return a->version; }
Mat          WeftAssembledMat(WeftAssembled a) { return a->mat; }
WeftNumbering WeftAssembledUnknowns(WeftAssembled a) { return a->unknowns; }

/* ---- values ------------------------------------------------------------------------------------------------------- */

static PetscErrorCode FillFromCoefficients(WeftAssembled a, const WeftState x[])
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(a->op->in[0]);

  PetscFunctionBegin;
  for (PetscInt b = 0; b < info->batch; b++) {
    PetscScalar *to = a->value;
    PetscCall((*a->stencil->coefficients)(a->op, a->stencil->context, x, b, a->coefficient));
    for (PetscInt e = 0; e < a->stencil->entries; e++) {
      const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[a->stencil->entry[e].row]);
      const PetscInt one  = rows.n[0] * rows.n[1] * rows.n[2];
      PetscScalar   *at   = to + b * one;
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++, at += rows.n[0]) PetscCall(PetscArraycpy(at, a->coefficient[e] + WEFT_ROW(rows, j, k), rows.n[0]));
      to += info->batch * one;
    }
  }
  for (PetscInt i = 0; i < a->flips; i++) a->value[a->flip[i]] = -a->value[a->flip[i]];
  PetscFunctionReturn(0);
}

/* direction := 1 at the unknowns of a colour, 0 elsewhere. */
static PetscErrorCode Direction(WeftAssembled a, PetscInt colour)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(a->op->in[0]);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      const double  *c    = WeftStatePlane(a->colour, f, b);
      double        *d    = WeftStatePlaneWrite(a->direction, f, b);
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++)
          for (PetscInt i = WEFT_ROW(rows, j, k); i < WEFT_ROW(rows, j, k) + rows.n[0]; i++) d[i] = c[i] == (double)(colour + 1) ? 1.0 : 0.0;
    }
  PetscFunctionReturn(0);
}

static PetscErrorCode FillFromTangents(WeftAssembled a, const WeftState x[])
{
  const WeftSpaceInfo *info            = WeftSpaceGetInfo(a->op->in[0]);
  const WeftLayout    *l               = WeftGridLayout(info->grid);
  WeftState            dx[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  PetscCall(WeftOpApply(a->op, x, &a->output, a->record));
  dx[0] = a->direction;
  for (PetscInt c = 0; c < a->colours; c++) {
    PetscInt at = 0;
    PetscCall(Direction(a, c));
    PetscCall(WeftOpTangent(a->op, x, &a->output, a->record, dx, &a->image));
    for (PetscInt e = 0; e < a->stencil->entries; e++) {
      const WeftStencilEntry *entry = &a->stencil->entry[e];
      for (PetscInt b = 0; b < info->batch; b++) {
        const double *colour = WeftStatePlane(a->colour, entry->column, b), *image = WeftStatePlane(a->image, entry->row, b);
        PetscInt      lo[3], hi[3];
        WeftLayoutOwned(l, info->location[entry->row], lo, hi);
        for (PetscInt k = lo[2]; k < hi[2]; k++)
          for (PetscInt j = lo[1]; j < hi[1]; j++)
            for (PetscInt i = lo[0]; i < hi[0]; i++, at++)
              if (PetscAbsReal(colour[Place(l, entry, i, j, k)]) == (double)(c + 1)) a->value[at] = image[WeftLayoutIndex(l, i, j, k)];
      }
    }
  }
  PetscFunctionReturn(0);
}

/* ---- is it still the same? ---------------------------------------------------------------------------------------- */

static PetscBool SameValues(WeftState x, WeftState y)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x));

  if (info->kind != WEFT_PLANES) return memcmp(WeftStateData(x), WeftStateData(y), info->bytes) ? PETSC_FALSE : PETSC_TRUE;
  for (PetscInt f = 0; f < info->fields; f++)
    for (PetscInt b = 0; b < info->batch; b++) {
      const WeftRows rows = WeftRowsOwned(WeftGridLayout(info->grid), info->location[f]);
      for (PetscInt k = 0; k < rows.n[2]; k++)
        for (PetscInt j = 0; j < rows.n[1]; j++)
          if (memcmp(WeftStatePlane(x, f, b) + WEFT_ROW(rows, j, k), WeftStatePlane(y, f, b) + WEFT_ROW(rows, j, k), sizeof(double) * (size_t)rows.n[0])) return PETSC_FALSE;
    }
  return PETSC_TRUE;
}

static PetscErrorCode Unchanged(WeftAssembled a, const WeftState x[], PetscBool *unchanged)
{
  int  same   = a->version ? 1 : 0;
  PetscBool planes = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(a->op); i++) {
    if (!a->key[i]) continue;
    if (WeftSpaceGetInfo(WeftStateSpace(a->key[i]))->kind == WEFT_PLANES) planes = PETSC_TRUE;
    if (same && !SameValues(x[i], a->key[i])) same = 0;
  }
  /* numbers are the same on every rank; of planes each rank sees its own */
  if (planes && a->version) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_LAND, a->comm));
  *unchanged = same ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAssembledUpdate(WeftAssembled a, const WeftState x[])
{
  PetscBool unchanged;

  PetscFunctionBegin;
  PetscCall(Unchanged(a, x, &unchanged));
  if (unchanged) PetscFunctionReturn(0);
  if (a->colour) PetscCall(FillFromTangents(a, x));
  else PetscCall(FillFromCoefficients(a, x));
  PetscCall(MatSetValuesCOO(a->mat, a->value, INSERT_VALUES));
  for (PetscInt i = 0; i < WeftOpInputs(a->op); i++)
    if (a->key[i]) PetscCall(WeftStateCopy(x[i], a->key[i]));
  a->version++;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpCheckStencil(WeftOp op, const WeftState x[], PetscReal *difference)
{
  WeftAssembled analytic, coloured;
  PetscReal     norm;

  PetscFunctionBegin;
  PetscCall(WeftAssembledCreate(op, PETSC_FALSE, &analytic));
  PetscCall(WeftAssembledCreate(op, PETSC_TRUE, &coloured));
  PetscCall(WeftAssembledUpdate(analytic, x));
  PetscCall(WeftAssembledUpdate(coloured, x));
  PetscCall(MatNorm(coloured->mat, NORM_FROBENIUS, &norm));
  PetscCall(MatAXPY(analytic->mat, -1.0, coloured->mat, UNKNOWN_NONZERO_PATTERN));
  PetscCall(MatNorm(analytic->mat, NORM_FROBENIUS, difference));
  if (norm > 0.0) *difference /= norm;
  PetscCall(WeftAssembledDestroy(&analytic));
  PetscCall(WeftAssembledDestroy(&coloured));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpAssemble(WeftOp op, const WeftState x[], Mat *mat)
{
  WeftAssembled a;

  PetscFunctionBegin;
  PetscCall(WeftAssembledCreate(op, PETSC_FALSE, &a));
  PetscCall(WeftAssembledUpdate(a, x));
  PetscCall(PetscObjectReference((PetscObject)a->mat));
  *mat = a->mat;
  PetscCall(WeftAssembledDestroy(&a));
  PetscFunctionReturn(0);
}
