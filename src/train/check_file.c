/* gradient.h5, and its comparison with that of another layout. */
#include <stdint.h>
#include <string.h>
#include "train/check.h"

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Every sample of a field, from the replica that has it: bits are joined by "or", so that none changes, the sign of a zero included.
   *values: [batch][n]. */
static PetscErrorCode GatherField(const WeftGradientCheck *c, PetscInt field, PetscInt shape[4], double **values)
{
  const WeftTrainer t = c->trainer;
  PetscInt          n = 0;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < t->batch; s++) {
    const PetscBool mine = s >= t->first && s < t->first + t->count ? PETSC_TRUE : PETSC_FALSE;
    double         *one;
    PetscMPIInt     count;
    PetscCall(WeftStateGather(c->initial, field, mine ? s - t->first : 0, shape + 1, &one));
    if (s == 0) {
      n = shape[1] * shape[2] * shape[3];
      PetscCall(PetscCalloc1((size_t)t->batch * (size_t)n, values));
    }
    PetscCall(PetscMPIIntCast(n, &count));
    if (mine && t->info.space_rank == 0) PetscCall(PetscArraycpy(*values + (size_t)s * (size_t)n, one, n));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, *values + (size_t)s * (size_t)n, count, MPI_INT64_T, MPI_BOR, PETSC_COMM_WORLD));
    PetscCall(PetscFree(one));
  }
  shape[0] = t->batch;
  PetscFunctionReturn(0);
}

static void FieldName(const WeftGradientCheck *c, PetscInt field, char name[96])
{
  (void)PetscSNPrintf(name, 96, "/initial/%s", WeftSpaceGetInfo(c->trainer->velocity)->name[field]);
}

PetscErrorCode WeftCheckWrite(WeftGradientCheck *c, const char *path)
{
  const WeftTrainer t   = c->trainer;
  const PetscInt    one = 1, dim = WeftGridLayout(t->grid)->dim;
  WeftArrays        arrays;

  PetscFunctionBegin;
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(WeftArraysSet(arrays, "/weights", 1, &t->parameters, c->weights));
  PetscCall(WeftArraysSet(arrays, "/loss", 1, &one, &c->loss));
  for (PetscInt f = 0; f < WeftSpaceGetInfo(t->velocity)->fields; f++) {
    PetscInt shape[4];
    double  *values;
    char     name[96];
    FieldName(c, f, name);
    PetscCall(GatherField(c, f, shape, &values));
    for (PetscInt a = 0; a < dim; a++) shape[1 + a] = shape[4 - dim + a]; /* the axes that are there */
    PetscCall(WeftArraysSet(arrays, name, 1 + dim, shape, values));
    PetscCall(PetscFree(values));
  }
  PetscCall(WeftArraysSetString(arrays, "case", WeftCaseName()));
  PetscCall(WeftArraysSetString(arrays, "net_precision", c->single ? "single" : "double"));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

/* ---- comparison -------------------------------------------------------------------------------------------------- */

typedef struct {
  WeftArrays  mine, other;
  const char *path; /* of the other */
} Pair;

static PetscErrorCode GetBoth(const Pair *p, const char *name, PetscInt *count, const double **mine, const double **other)
{
  PetscInt rank, shape[4], other_rank, other_shape[4], other_count;

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(p->mine, name, count, mine));
  PetscCall(WeftArraysGet(p->other, name, &other_count, other));
  PetscCall(WeftArraysGetShape(p->mine, name, &rank, shape));
  PetscCall(WeftArraysGetShape(p->other, name, &other_rank, other_shape));
  WeftCheck(*other, PETSC_COMM_WORLD, "%s holds no %s: it is no gradient of this case; give one that 'weft check' wrote", p->path, name);
  for (PetscInt a = 0; a < rank; a++) WeftCheck(other_rank == rank && other_shape[a] == shape[a], PETSC_COMM_WORLD, "%s: its %s has another shape than that of this run; it is of another net, grid or batch", p->path, name);
  PetscFunctionReturn(0);
}

/* Differing bits, so that 0 and -0 differ and a NaN equals itself. */
static PetscInt64 CountDiffering(PetscInt n, const double *a, const double *b)
{
  PetscInt64 differing = 0;
  for (PetscInt i = 0; i < n; i++) differing += memcmp(&a[i], &b[i], sizeof(double)) != 0;
  return differing;
}

static PetscErrorCode CompareInitial(WeftGradientCheck *c, const Pair *p, PetscInt64 *differing, PetscInt64 *all)
{
  PetscFunctionBegin;
  *differing = *all = 0;
  for (PetscInt f = 0; f < WeftSpaceGetInfo(c->trainer->velocity)->fields; f++) {
    const double *mine, *other;
    PetscInt      count;
    char          name[96];
    FieldName(c, f, name);
    PetscCall(GetBoth(p, name, &count, &mine, &other));
    *differing += CountDiffering(count, mine, other);
    *all += count;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckCompareReady(void)
{
  char          other_path[PETSC_MAX_PATH_LEN];
  PetscReal     tolerance;
  PetscInt      count;
  const double *initial;
  WeftArrays    other;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("check_tolerance", &tolerance));
  if (tolerance < 0.0) return WeftFailKey(PETSC_COMM_WORLD, "check_tolerance", "cannot be negative; 0: 1e-11, or 1e-5 with a float32 net");
  PetscCall(WeftGetString("check_compare", other_path, sizeof(other_path)));
  if (!other_path[0]) PetscFunctionReturn(0);
  PetscCall(WeftArraysRead(other_path, &other));
  PetscCall(WeftArraysGet(other, "/initial/velocity_x", &count, &initial));
  WeftCheck(initial, PETSC_COMM_WORLD, "%s holds no /initial/velocity_x: it is no gradient; give one that 'weft check' wrote", other_path);
  PetscCall(WeftArraysDestroy(&other));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckCompare(WeftGradientCheck *c, const char *path, const char *other_path)
{
  Pair          p    = {NULL, NULL, other_path};
  double        norm = 0.0, distance = 0.0;
  const double *mine, *other;
  PetscReal     tolerance;
  PetscInt      count;
  PetscInt64    differing, all;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("check_tolerance", &tolerance));
  if (tolerance == 0.0) tolerance = c->single ? 1e-5 : 1e-11;
  PetscCall(WeftArraysRead(path, &p.mine));
  PetscCall(WeftArraysRead(other_path, &p.other));
  PetscCall(GetBoth(&p, "/weights", &count, &mine, &other));
  for (PetscInt i = 0; i < count; i++) {
    distance += PetscSqr(mine[i] - other[i]);
    norm += PetscSqr(other[i]);
  }
  distance = norm > 0.0 ? PetscSqrtReal(distance / norm) : PetscSqrtReal(distance);
  PetscCall(CompareInitial(c, &p, &differing, &all));
  PetscCall(WeftLog("against %s: gradient by the weights differs by %.3g (at most %.3g), by the initial state in %lld of %lld values", other_path, distance, (double)tolerance, (long long)differing, (long long)all));
  PetscCall(WeftSummaryReal(c->summary, "compare/weights_difference", distance));
  PetscCall(WeftSummaryReal(c->summary, "compare/tolerance", tolerance));
  PetscCall(WeftSummaryInt(c->summary, "compare/initial_differing", differing));
  if (!(distance <= tolerance)) WeftCheckFault(c, "the gradient by the weights differs from that of %s by %.3g of its norm, more than the %.3g allowed", other_path, distance, (double)tolerance);
  if (differing) WeftCheckFault(c, "the gradient by the initial state differs from that of %s in %lld of %lld values; it must be the same bit for bit", other_path, (long long)differing, (long long)all);
  PetscCall(WeftArraysDestroy(&p.mine));
  PetscCall(WeftArraysDestroy(&p.other));
  PetscFunctionReturn(0);
}
