/* unknowns.h5: the optimiser's vector and its state in an order that no layout changes, so that a run goes on on any ranks. */
#include <unistd.h>
#include "invert/impl.h"

#define PROGRESS 6 /* numbers of /progress */

/* Place of each of my values among all: unknown, knot in time, field, simulation, [z][y][x]. *total: how many there are. */
static PetscErrorCode Places(const WeftInversion v, PetscInt **places, PetscInt *total)
{
  PetscInt local, at = 0;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(v->z, &local));
  PetscCall(PetscMalloc1(local, places));
  *total = 0;
  for (PetscInt k = 0; k < v->unknowns; k++) {
    const WeftUnknown   *u    = &v->unknown[k];
    const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(u->control[0]));
    for (PetscInt s = 0; s < u->slices; s++) {
      if (info->kind == WEFT_NUMBERS) {
        const PetscInt mine = u->local / u->slices;
        for (PetscInt i = 0; i < mine; i++) (*places)[at++] = *total + (u->shared ? 0 : v->first * info->count) + i;
        *total += info->count * (u->shared ? 1 : v->simulations);
      }
      for (PetscInt f = 0; f < info->fields && info->kind == WEFT_PLANES; f++) {
        PetscInt lo[3], hi[3], all_lo[3], all_hi[3];
        WeftLayoutUnknowns(WeftGridLayout(info->grid), info->location[f], all_lo, all_hi);
        WeftLayoutOwned(WeftGridLayout(info->grid), info->location[f], lo, hi);
        for (PetscInt b = 0; b < v->count; b++)
          for (PetscInt z = lo[2]; z < hi[2]; z++)
            for (PetscInt y = lo[1]; y < hi[1]; y++)
              for (PetscInt x = lo[0]; x < hi[0]; x++) (*places)[at++] = *total + (((v->first + b) * (all_hi[2] - all_lo[2]) + z - all_lo[2]) * (all_hi[1] - all_lo[1]) + y - all_lo[1]) * (all_hi[0] - all_lo[0]) + x - all_lo[0];
        *total += v->simulations * (all_hi[2] - all_lo[2]) * (all_hi[1] - all_lo[1]) * (all_hi[0] - all_lo[0]);
      }
    }
  }
  PetscFunctionReturn(0);
}

/* Sets an array of the file from every rank's part. */
static PetscErrorCode Put(WeftArrays arrays, const char *name, PetscInt local, const PetscInt places[], PetscInt total, const double part[])
{
  double *all;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(total, &all));
  for (PetscInt i = 0; i < local; i++) all[places[i]] = part[i];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, (PetscMPIInt)total, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD)); /* one rank has it, the others 0 */
  PetscCall(WeftArraysSet(arrays, name, 1, &total, all));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode Get(WeftArrays arrays, const char *path, const char *name, PetscInt local, const PetscInt places[], PetscInt total, double part[])
{
  const double *all;
  PetscInt      count;

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(arrays, name, &count, &all));
  WeftCheck(all && count == total, PETSC_COMM_WORLD, "%s: its %s does not fit the unknowns of this run, which need %" PetscInt_FMT " values; give the unknowns.h5 of the same case", path, name, total);
  for (PetscInt i = 0; i < local; i++) part[i] = all[places[i]];
  PetscFunctionReturn(0);
}

/* The optimiser's arrays are parts as well: through arrays that only this rank sees. */
static PetscErrorCode PutOptimizer(WeftInversion v, WeftArrays arrays, PetscInt local, const PetscInt places[], PetscInt total)
{
  static const char *const names[] = {"/optimizer/mean", "/optimizer/square"};
  WeftArrays               own;
  const char              *type;

  PetscFunctionBegin;
  if (!v->optimizer) PetscFunctionReturn(0);
  PetscCall(WeftArraysCreate(&own));
  PetscCall(WeftOptimizerSave(v->optimizer, own));
  for (PetscInt i = 0; i < 2; i++) {
    const double *part;
    PetscInt      count;
    PetscCall(WeftArraysGet(own, names[i], &count, &part));
    PetscCall(Put(arrays, names[i], local, places, total, part));
  }
  PetscCall(WeftArraysGetString(own, "optimizer_type", &type));
  PetscCall(WeftArraysSetString(arrays, "optimizer_type", type));
  PetscCall(WeftArraysDestroy(&own));
  PetscFunctionReturn(0);
}

static PetscErrorCode GetOptimizer(WeftInversion v, WeftArrays arrays, const char *path, PetscInt local, const PetscInt places[], PetscInt total)
{
  static const char *const names[] = {"/optimizer/mean", "/optimizer/square"};
  WeftArrays               own;
  const char              *type;
  double                  *part;

  PetscFunctionBegin;
  PetscCall(WeftArraysGetString(arrays, "optimizer_type", &type));
  if (!v->optimizer || !type) PetscFunctionReturn(0); /* another method starts from the vector alone */
  PetscCall(WeftArraysCreate(&own));
  PetscCall(PetscMalloc1(local, &part));
  for (PetscInt i = 0; i < 2; i++) {
    PetscCall(Get(arrays, path, names[i], local, places, total, part));
    PetscCall(WeftArraysSet(own, names[i], 1, &local, part));
  }
  PetscCall(WeftArraysSetString(own, "optimizer_type", type));
  PetscCall(WeftOptimizerLoad(v->optimizer, own));
  PetscCall(WeftArraysDestroy(&own));
  PetscCall(PetscFree(part));
  PetscFunctionReturn(0);
}

static PetscErrorCode PutVector(WeftArrays arrays, const char *name, Vec x, PetscInt local, const PetscInt places[], PetscInt total)
{
  const PetscReal *part;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &part));
  PetscCall(Put(arrays, name, local, places, total, part));
  PetscCall(VecRestoreArrayRead(x, &part));
  PetscFunctionReturn(0);
}

static PetscErrorCode GetVector(WeftArrays arrays, const char *path, const char *name, Vec x, PetscInt local, const PetscInt places[], PetscInt total)
{
  PetscReal *part;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(x, &part));
  PetscCall(Get(arrays, path, name, local, places, total, part));
  PetscCall(VecRestoreArrayWrite(x, &part));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckpointWrite(WeftInversion v, Vec z, PetscInt iteration, PetscInt evaluations)
{
  const double     begin      = MPI_Wtime();
  const PetscInt   count      = PROGRESS;
  const double     numbers[PROGRESS] = {(double)iteration, (double)evaluations, v->seconds_before + MPI_Wtime() - v->begin, v->first_norm, v->best_loss, (double)v->best_at};
  PetscInt         local, total, *places;
  char             path[PETSC_MAX_PATH_LEN];
  WeftArrays       arrays;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(v->z, &local));
  PetscCall(Places(v, &places, &total));
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(PutVector(arrays, "/vector", z, local, places, total));
  PetscCall(PutVector(arrays, "/best", v->best, local, places, total));
  PetscCall(PutOptimizer(v, arrays, local, places, total));
  PetscCall(WeftArraysSet(arrays, "/progress", 1, &count, numbers));
  PetscCall(WeftArraysSetString(arrays, "case", WeftCaseName()));
  PetscCall(WeftInversionPath(v, "unknowns.h5", path));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(PetscFree(places));
  v->stop_times.file = PetscMax(v->stop_times.file, MPI_Wtime() - begin);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckpointRead(WeftInversion v)
{
  char          path[PETSC_MAX_PATH_LEN];
  PetscBool     there = PETSC_TRUE;
  const double *numbers;
  PetscInt      local, total, count, *places;
  WeftArrays    arrays;

  PetscFunctionBegin;
  PetscCall(WeftGetString("invert_resume", path, sizeof(path)));
  if (!path[0]) PetscFunctionReturn(0);
  if (!strcmp(path, "auto")) {
    PetscCall(WeftInversionPath(v, "unknowns.h5", path));
    if (!PetscGlobalRank) there = access(path, F_OK) == 0 ? PETSC_TRUE : PETSC_FALSE;
    PetscCallMPI(MPI_Bcast(&there, 1, MPIU_BOOL, 0, PETSC_COMM_WORLD));
    if (!there) PetscFunctionReturn(0);
  }
  PetscCall(VecGetLocalSize(v->z, &local));
  PetscCall(Places(v, &places, &total));
  PetscCall(WeftArraysRead(path, &arrays));
  PetscCall(GetVector(arrays, path, "/vector", v->z, local, places, total));
  PetscCall(GetVector(arrays, path, "/best", v->best, local, places, total));
  PetscCall(GetOptimizer(v, arrays, path, local, places, total));
  PetscCall(WeftArraysGet(arrays, "/progress", &count, &numbers));
  WeftCheck(numbers && count == PROGRESS, PETSC_COMM_WORLD, "%s does not say how far it is (/progress): it is no unknowns.h5 of an inversion", path);
  v->resumed   = PETSC_TRUE;
  v->iteration = v->resumed_at = (PetscInt)numbers[0];
  v->evaluations               = (PetscInt)numbers[1];
  v->seconds_before            = numbers[2];
  v->first_norm                = numbers[3];
  v->best_loss                 = numbers[4];
  v->best_at                   = (PetscInt)numbers[5];
  PetscCall(WeftArraysDestroy(&arrays));
  PetscCall(PetscFree(places));
  WeftCheck(v->iteration <= v->iterations, PETSC_COMM_WORLD, "the inversion to go on with has done %" PetscInt_FMT " iterations already, more than the %" PetscInt_FMT " asked for; raise invert_iterations", v->iteration, v->iterations);
  PetscCall(WeftLog("going on at iteration %d of %d from %s", (int)v->iteration, (int)v->iterations, path));
  PetscFunctionReturn(0);
}
