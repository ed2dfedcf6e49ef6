/* Windows of a dataset, and the order in which updates visit them. */
#include <math.h>
#include <string.h>
#include "train/augment.h"
#include "train/batches.h"
#include "train/frames.h"

typedef struct {
  PetscInt  count, drawn; /* windows; the round whose order is in `order` (-1: none) */
  PetscInt *simulation;   /* its simulations */
  PetscInt  simulations;
  PetscInt *order;
} Group;

struct _n_WeftBatches {
  WeftSpace    space;
  WeftDataInfo info;
  PetscInt     unroll, batch, held, windows; /* held: frames of validation; windows: of a simulation */
  PetscInt     frame_values;                 /* owned values of a frame */
  WeftFrames   frames;                       /* [simulation][frame] */
  double      *sums;                         /* [simulation][frame][field][2] of this rank: values, squares */
  WeftAugment  augment;                      /* NULL: frames are taken as they are */
  PetscReal   *numbers;                      /* [simulation][numbers] */
  PetscBool   *sound;                        /* [simulation][frame] all values are finite; NULL: no file with others is read */
  PetscInt     groups, per_epoch;
  Group       *group;
  PetscInt     epoch; /* whose order is in `turn` (-1: none) */
  PetscInt    *turn;  /* [per_epoch] group of each update, */
  PetscInt    *place; /* and the update's place among those of its group since the start */
  PetscInt    *dealt, *order; /* scratch of the order: groups before it, and the permutation */
};

/* ---- frames ---------------------------------------------------------------------------------------------------- */

/* Between the owned values of a sample and one packed frame. */
static void Pack(WeftState state, PetscInt sample, double *packed, PetscBool to_state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);

  for (PetscInt f = 0; f < info->fields; f++) {
    double  *plane = to_state ? WeftStatePlaneWrite(state, f, sample) : (double *)WeftStatePlane(state, f, sample);
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++, packed += hi[0] - lo[0]) {
        double *row = plane + WeftLayoutIndex(l, lo[0], j, k);
        memcpy(to_state ? row : packed, to_state ? packed : row, sizeof(double) * (size_t)(hi[0] - lo[0]));
      }
    }
  }
}

/* What a frame adds to the scales, and whether it is finite, as this rank sees it. */
static void Measure(WeftBatches b, PetscInt frame, const double *values)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(b->space);

  if (b->sound) b->sound[frame] = PETSC_TRUE;
  for (PetscInt f = 0; f < info->fields; f++) {
    double  *sum = b->sums + 2 * (frame * info->fields + f);
    PetscInt lo[3], hi[3], n;
    WeftLayoutOwned(WeftGridLayout(info->grid), info->location[f], lo, hi);
    n = (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
    for (PetscInt i = 0; i < n; i++, values++) {
      sum[0] += *values;
      sum[1] += *values * *values;
      if (b->sound && PetscIsInfOrNanReal(*values)) b->sound[frame] = PETSC_FALSE;
    }
  }
}

static PetscErrorCode ReadAll(WeftBatches b, const char *path)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(b->space);
  PetscInt             skip, frames;
  WeftDataFile         file;
  WeftState            state;
  PetscMPIInt          count;
  double              *values;

  PetscFunctionBegin;
  PetscCall(WeftDataOpen(PETSC_COMM_WORLD, b->space, path, &b->info, &file));
  PetscCall(WeftGetEnum("train_bad_samples", &skip));
  if (skip) PetscCall(WeftDataReadAnyValue(file));
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(WeftGridLayout(info->grid), info->location[f], lo, hi);
    b->frame_values += (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
  }
  frames = b->info.simulations * b->info.frames;
  if (skip) PetscCall(PetscMalloc1(frames, &b->sound));
  PetscCall(PetscCalloc1(2 * frames * info->fields, &b->sums));
  PetscCall(WeftFramesCreate(info->grid, frames, b->frame_values, info->batch * (b->unroll + 1), b->info.single, &b->frames));
  PetscCall(PetscMalloc1(b->info.simulations * PetscMax(b->info.numbers, 1), &b->numbers));
  PetscCall(PetscMalloc1(PetscMax(b->frame_values, 1), &values));
  PetscCall(WeftStateCreate(b->space, &state));
  for (PetscInt s = 0; s < b->info.simulations; s++) {
    if (b->info.numbers) PetscCall(WeftDataReadNumbers(file, s, b->numbers + s * b->info.numbers));
    for (PetscInt f = 0; f < b->info.frames; f++) {
      PetscCall(WeftDataRead(file, s, f, state, 0));
      Pack(state, 0, values, PETSC_FALSE);
      Measure(b, s * b->info.frames + f, values);
      PetscCall(WeftFramesPut(b->frames, s * b->info.frames + f, values));
    }
  }
  PetscCall(WeftStateDestroy(&state));
  PetscCall(PetscFree(values));
  PetscCall(WeftDataDestroy(&file));
  PetscCall(PetscMPIIntCast(frames, &count));
  if (skip) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, b->sound, count, MPIU_BOOL, MPI_LAND, info->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBatchesLoad(WeftBatches b, WeftWindow window, PetscInt n, WeftState state, PetscInt sample)
{
  const double *values;

  PetscFunctionBegin;
  PetscCall(WeftFramesGet(b->frames, window.simulation * b->info.frames + window.frame + n, &values));
  Pack(state, sample, (double *)values, PETSC_TRUE);
  if (window.turn) PetscCall(WeftAugmentTurn(b->augment, window.turn, state, sample));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBatchesFetch(WeftBatches b, PetscInt count, const WeftWindow windows[])
{
  PetscFunctionBegin;
  for (PetscInt w = 0; w < count; w++)
    for (PetscInt n = 0; n <= b->unroll; n++) WeftFramesFetch(b->frames, windows[w].simulation * b->info.frames + windows[w].frame + n);
  PetscFunctionReturn(0);
}

void WeftBatchesMemory(WeftBatches b, PetscInt *resident, PetscInt *frames, size_t *bytes)
{
  *frames = b->info.simulations * b->info.frames;
  WeftFramesMemory(b->frames, resident, bytes);
}

PetscInt WeftBatchesTurns(WeftBatches b) { return b->augment ? WeftAugmentCount(b->augment) : 1; }

PetscErrorCode WeftBatchesCheckSymmetry(WeftBatches b, WeftOp step, const WeftState in[], const WeftState out[])
{
  PetscFunctionBegin;
  if (b->augment) PetscCall(WeftAugmentCheck(b->augment, step, in, out));
  PetscFunctionReturn(0);
}

const WeftDataInfo *WeftBatchesInfo(WeftBatches b) { return &b->info; }

const PetscReal *WeftBatchesNumbers(WeftBatches b, PetscInt simulation) { return b->numbers + simulation * b->info.numbers; }

/* ---- groups and their order --------------------------------------------------------------------------------------- */

static PetscErrorCode MakeGroups(WeftBatches b)
{
  char      name[64];
  PetscInt  which = -1;
  PetscInt *group_of;

  PetscFunctionBegin;
  PetscCall(WeftGetString("train_batch_same", name, sizeof(name)));
  for (PetscInt n = 0; n < b->info.numbers; n++)
    if (name[0] && !strcmp(name, b->info.number[n])) which = n;
  if (name[0] && which < 0) return WeftFailKey(PETSC_COMM_WORLD, "train_batch_same", "the dataset has no number of that name%s%s", b->info.numbers ? "; it has " : "", b->info.numbers ? b->info.number[0] : "");
  PetscCall(PetscMalloc1(b->info.simulations, &group_of));
  for (PetscInt s = 0; s < b->info.simulations; s++) {
    group_of[s] = which < 0 ? 0 : b->groups;
    for (PetscInt t = 0; t < s && which >= 0; t++)
      if (WeftBatchesNumbers(b, t)[which] == WeftBatchesNumbers(b, s)[which]) group_of[s] = group_of[t];
    if (group_of[s] == b->groups) b->groups++;
  }
  PetscCall(PetscCalloc1(b->groups, &b->group));
  for (PetscInt g = 0; g < b->groups; g++) {
    Group *group = &b->group[g];
    PetscCall(PetscMalloc1(b->info.simulations, &group->simulation));
    for (PetscInt s = 0; s < b->info.simulations; s++)
      if (group_of[s] == g) group->simulation[group->simulations++] = s;
    group->count = group->simulations * b->windows;
    group->drawn = -1;
    PetscCall(PetscMalloc1(group->count, &group->order));
  }
  PetscCall(PetscFree(group_of));
  PetscFunctionReturn(0);
}

/* Updates that group g has taken after `epochs` epochs: its share of all windows, rounded so that the groups together have taken
   epochs * per_epoch. */
static PetscInt Taken(WeftBatches b, PetscInt g, PetscInt epochs)
{
  const PetscInt64 all = (PetscInt64)epochs * b->per_epoch;
  PetscInt64       total = 0, sum = 0;
  PetscInt         before = 0; /* groups that are rounded up before this one */

  for (PetscInt h = 0; h < b->groups; h++) total += b->group[h].count;
  for (PetscInt h = 0; h < b->groups; h++) {
    const PetscInt64 other = all * b->group[h].count % total, mine = all * b->group[g].count % total;
    sum += all * b->group[h].count / total;
    if (other > mine || (other == mine && h < g)) before++;
  }
  return (PetscInt)(all * b->group[g].count / total) + (before < all - sum ? 1 : 0);
}

static PetscErrorCode OrderEpoch(WeftBatches b, PetscInt epoch)
{
  PetscInt64 seed;
  PetscInt   seed_key, n = 0;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("seed", &seed_key));
  seed = seed_key;
  for (PetscInt g = 0; g < b->groups; g++)
    for (PetscInt p = Taken(b, g, epoch); p < Taken(b, g, epoch + 1) && n < b->per_epoch; p++) b->dealt[n++] = g;
  PetscCheck(n == b->per_epoch, PETSC_COMM_SELF, PETSC_ERR_PLIB, "an epoch of %" PetscInt_FMT " updates, not %" PetscInt_FMT, n, b->per_epoch);
  WeftRandomPermutation(seed, WEFT_STREAM_ORDER, (PetscInt64)epoch << 32, n, b->order);
  for (PetscInt i = 0; i < n; i++) b->turn[i] = b->dealt[b->order[i]];
  for (PetscInt g = 0; g < b->groups; g++) {
    PetscInt at = Taken(b, g, epoch);
    for (PetscInt i = 0; i < n; i++)
      if (b->turn[i] == g) b->place[i] = at++;
  }
  b->epoch = epoch;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBatchesDraw(WeftBatches b, PetscInt k, WeftWindow windows[])
{
  PetscInt seed, g, place;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("seed", &seed));
  if (b->epoch != k / b->per_epoch) PetscCall(OrderEpoch(b, k / b->per_epoch));
  g     = b->turn[k % b->per_epoch];
  place = b->place[k % b->per_epoch];
  for (PetscInt i = 0; i < b->batch; i++) {
    Group         *group = &b->group[g];
    const PetscInt at = place * b->batch + i, round = at / group->count;
    PetscInt       w;
    if (group->drawn != round) {
      WeftRandomPermutation(seed, WEFT_STREAM_ORDER, ((PetscInt64)round << 32) + ((PetscInt64)(g + 1) << 52), group->count, group->order);
      group->drawn = round;
    }
    w          = group->order[at % group->count];
    windows[i] = (WeftWindow){group->simulation[w / b->windows], w % b->windows, b->augment ? WeftAugmentDraw(b->augment, seed, (PetscInt64)k * b->batch + i) : 0};
  }
  PetscFunctionReturn(0);
}

PetscInt WeftBatchesPerEpoch(WeftBatches b) { return b->per_epoch; }

PetscErrorCode WeftBatchesValidation(WeftBatches b, PetscInt first, PetscInt room, WeftWindow windows[], PetscInt *count)
{
  const PetscInt each = b->held > b->unroll ? (b->held - 1) / b->unroll : 0;

  PetscFunctionBegin;
  *count = 0;
  for (PetscInt w = first; w < each * b->info.simulations && *count < room; w++) windows[(*count)++] = (WeftWindow){w / each, b->info.frames - b->held + w % each * b->unroll, 0};
  PetscFunctionReturn(0);
}

/* ---- scales, creation -------------------------------------------------------------------------------------------- */

PetscErrorCode WeftBatchesScales(WeftBatches b, WeftScales *scales)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(b->space);
  double               sums[3][3] = {{0.0}}; /* values, sum, sum of squares */
  PetscInt             reynolds = -1, role;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(scales, sizeof(*scales)));
  PetscCall(WeftGetEnum("net_role", &role));
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3], n;
    WeftLayoutOwned(WeftGridLayout(info->grid), info->location[f], lo, hi);
    n = (hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2]);
    for (PetscInt s = 0; s < b->info.simulations * b->info.frames; s++) {
      if (b->sound && !b->sound[s]) continue;
      sums[f][0] += (double)n;
      for (PetscInt i = 0; i < 2; i++) sums[f][1 + i] += b->sums[2 * (s * info->fields + f) + i];
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 9, MPI_DOUBLE, MPI_SUM, info->comm));
  for (PetscInt f = 0; f < info->fields; f++) {
    const double mean = sums[f][1] / sums[f][0];
    scales->velocity[f] = (float)sqrt(PetscMax(sums[f][2] / sums[f][0] - mean * mean, 0.0));
    if (!(scales->velocity[f] > 0.0)) scales->velocity[f] = 1.0;
    if (role == WEFT_NET_REACTION) scales->mean[f] = (float)mean;
  }
  for (PetscInt n = 0; n < b->info.numbers; n++)
    if (!strcmp(b->info.number[n], "reynolds")) reynolds = n;
  scales->reynolds = 1.0;
  if (reynolds >= 0) {
    double mean = 0.0, square = 0.0;
    for (PetscInt s = 0; s < b->info.simulations; s++) {
      PetscReal feature;
      PetscCall(WeftModelFeature(WeftBatchesNumbers(b, s)[reynolds], &feature));
      mean += feature / (double)b->info.simulations;
      square += feature * feature / (double)b->info.simulations;
    }
    square = PetscMax(square - mean * mean, 0.0);
    scales->reynolds = square > 0.0 ? (float)sqrt(square) : PetscMax(PetscAbsReal(mean), 1e-30);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBatchesCreate(WeftSpace space, const char *path, PetscInt unroll, PetscInt batch, PetscReal validation, WeftBatches *batches)
{
  WeftBatches b;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  PetscCall(WeftSpaceReference(space));
  b->space  = space;
  b->unroll = unroll;
  b->batch  = batch;
  b->epoch  = -1;
  PetscCall(ReadAll(b, path));
  PetscCall(WeftAugmentCreate(space, &b->augment));
  b->held    = (PetscInt)(validation * (PetscReal)b->info.frames + 0.5);
  b->windows = b->info.frames - b->held - unroll;
  WeftCheck(b->windows >= 1, PETSC_COMM_WORLD, "%s: %" PetscInt_FMT " frames a simulation, %" PetscInt_FMT " of them held out, leave no window of %" PetscInt_FMT " steps; lower train_unroll or train_validation, or make a dataset of more frames", path, b->info.frames, b->held, unroll);
  PetscCall(MakeGroups(b));
  for (PetscInt g = 0; g < b->groups; g++) b->per_epoch += b->group[g].count;
  b->per_epoch = PetscMax(1, b->per_epoch / batch); /* windows left over go into the next epoch */
  PetscCall(PetscMalloc4(b->per_epoch, &b->turn, b->per_epoch, &b->place, b->per_epoch, &b->dealt, b->per_epoch, &b->order));
  *batches = b;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftBatchesDestroy(WeftBatches *batches)
{
  WeftBatches b = *batches;

  PetscFunctionBegin;
  *batches = NULL;
  if (!b) PetscFunctionReturn(0);
  for (PetscInt g = 0; g < b->groups; g++) {
    PetscCall(PetscFree(b->group[g].simulation));
    PetscCall(PetscFree(b->group[g].order));
  }
  PetscCall(PetscFree(b->group));
  PetscCall(PetscFree4(b->turn, b->place, b->dealt, b->order));
  PetscCall(WeftFramesDestroy(&b->frames));
  PetscCall(WeftAugmentDestroy(&b->augment));
  PetscCall(PetscFree(b->sums));
  PetscCall(PetscFree(b->numbers));
  PetscCall(PetscFree(b->sound));
  PetscCall(WeftSpaceDestroy(&b->space));
  PetscCall(PetscFree(b));
  PetscFunctionReturn(0);
}
