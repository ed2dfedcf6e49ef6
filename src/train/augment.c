/* Flips and quarter turns of velocities on faces, over the ranks of a grid: every rank sends what others need of its block, straight from
   the planes, in the order in which they put it down. */
#include <string.h>
#include "train/augment.h"

#define ELEMENTS 48 /* of the cube */

typedef struct {
  PetscInt from[3]; /* axis that becomes axis d */
  PetscInt sign[3]; /* -1: and is reversed */
} Turn;

struct _n_WeftAugment {
  WeftSpace    velocity;
  PetscInt     named; /* elements that the key names: the first ones after element 0 */
  PetscInt     count;
  Turn         turn[ELEMENTS];
  char       **word; /* of the key, [named] */
  PetscMPIInt  size;
  PetscInt    *box; /* [rank][field][lo, hi of three axes] owned */
  PetscInt    *list[3], *source[3]; /* scratch: places along an axis, and where they come from */
  double      *send, *receive;
  PetscMPIInt *counts; /* [4][rank]: sent, offset, received, offset */
};

/* ---- the group ------------------------------------------------------------------------------------------------------- */

static const Turn identity = {{0, 1, 2}, {1, 1, 1}};

/* First a, then b. */
static Turn Compose(const Turn *a, const Turn *b)
{
  Turn both;

  for (PetscInt d = 0; d < 3; d++) {
    both.from[d] = a->from[b->from[d]];
    both.sign[d] = b->sign[d] * a->sign[b->from[d]];
  }
  return both;
}

static PetscBool Parse(const char *text, PetscInt dim, Turn *turn)
{
  char word[16], axes[16];
  int  used = 0;

  *turn = identity;
  if (sscanf(text, "%15s %15s %n", word, axes, &used) != 2 || text[used]) return PETSC_FALSE;
  for (const char *axis = axes; *axis; axis++)
    if (*axis < 'x' || *axis >= 'x' + (int)dim) return PETSC_FALSE;
  if (!strcmp(word, "flip") && strlen(axes) == 1) turn->sign[axes[0] - 'x'] = -1;
  else if (!strcmp(word, "rotate") && strlen(axes) == 2 && axes[0] != axes[1]) {
    turn->from[axes[0] - 'x'] = axes[1] - 'x';
    turn->from[axes[1] - 'x'] = axes[0] - 'x';
    turn->sign[axes[0] - 'x'] = -1;
  } else return PETSC_FALSE;
  return PETSC_TRUE;
}

/* The box and its sides after the turn are what they were. */
static PetscBool Fits(const WeftLayout *l, const Turn *turn)
{
  for (PetscInt d = 0; d < l->dim; d++) {
    const PetscInt p = turn->from[d];
    if (l->cells[d] != l->cells[p] || PetscAbsReal(l->h[d] - l->h[p]) > 1e-12 * l->h[d]) return PETSC_FALSE;
    for (PetscInt end = 0; end < 2; end++)
      if (l->side[d][end] == WEFT_SIDE_VELOCITY || l->side[d][end] != l->side[p][turn->sign[d] < 0 ? 1 - end : end]) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* All products of the elements that are there. */
static void Close(WeftAugment a)
{
  for (PetscInt n = 0; n < a->count; n++)
    for (PetscInt g = 1; g <= a->named; g++) {
      const Turn product = Compose(&a->turn[n], &a->turn[g]);
      PetscInt   same    = 0;
      while (same < a->count && memcmp(&a->turn[same], &product, sizeof(product))) same++;
      if (same == a->count) a->turn[a->count++] = product;
    }
}

/* ---- creation -------------------------------------------------------------------------------------------------------- */

static PetscErrorCode CreateScratch(WeftAugment a)
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(a->velocity);
  const WeftLayout    *l      = WeftGridLayout(info->grid);
  PetscInt             values = 0, mine[3][2][3];
  PetscMPIInt          numbers = (PetscMPIInt)(6 * info->fields);

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(info->comm, &a->size));
  for (PetscInt f = 0; f < info->fields; f++) {
    WeftLayoutOwned(l, info->location[f], mine[f][0], mine[f][1]);
    values += (mine[f][1][0] - mine[f][0][0]) * (mine[f][1][1] - mine[f][0][1]) * (mine[f][1][2] - mine[f][0][2]);
  }
  PetscCall(PetscMalloc1(numbers * a->size, &a->box));
  PetscCallMPI(MPI_Allgather(mine, numbers, MPIU_INT, a->box, numbers, MPIU_INT, info->comm));
  for (PetscInt d = 0; d < 3; d++) {
    PetscInt longest = 1;
    for (PetscInt x = 0; x < 3; x++) longest = PetscMax(longest, l->cells[x] + 1);
    PetscCall(PetscMalloc2(longest, &a->list[d], longest, &a->source[d]));
  }
  PetscCall(PetscMalloc3(PetscMax(values, 1), &a->send, PetscMax(values, 1), &a->receive, 4 * a->size, &a->counts));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAugmentCreate(WeftSpace velocity, WeftAugment *augment)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(velocity)->grid);
  PetscInt          named;
  WeftAugment       a;
  char            **word;

  PetscFunctionBegin;
  *augment = NULL;
  PetscCall(WeftGetStringList("train_augment", &word, &named));
  if (!named) PetscFunctionReturn(0);
  if (WeftSpaceGetInfo(velocity)->location[0] == WEFT_CELL) return WeftFailKey(PETSC_COMM_WORLD, "train_augment", "turns velocities on faces, no fields at cells; leave the key out");
  if (named > 6) return WeftFailKey(PETSC_COMM_WORLD, "train_augment", "six symmetries make all that there are");
  PetscCall(PetscNew(&a));
  PetscCall(WeftSpaceReference(velocity));
  a->velocity = velocity;
  a->named    = named;
  a->word     = word;
  a->count    = 1 + named;
  a->turn[0]  = identity;
  for (PetscInt n = 0; n < named; n++) {
    if (!Parse(word[n], l->dim, &a->turn[1 + n])) return WeftFailKey(PETSC_COMM_WORLD, "train_augment", "'%s' is no symmetry of %" PetscInt_FMT " axes; there are flip x, and with two axes flip y, rotate xy, with three flip z, rotate yz, rotate xz", word[n], l->dim);
    if (!Fits(l, &a->turn[1 + n])) return WeftFailKey(PETSC_COMM_WORLD, "train_augment", "'%s': the box does not look the same after it (cells, spacings, sides; sides of prescribed velocity never do)", word[n]);
  }
  Close(a);
  PetscCall(CreateScratch(a));
  *augment = a;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAugmentDestroy(WeftAugment *augment)
{
  WeftAugment a = *augment;

  PetscFunctionBegin;
  *augment = NULL;
  if (!a) PetscFunctionReturn(0);
  for (PetscInt d = 0; d < 3; d++) PetscCall(PetscFree2(a->list[d], a->source[d]));
  PetscCall(PetscFree3(a->send, a->receive, a->counts));
  PetscCall(PetscFree(a->box));
  PetscCall(WeftFreeStringList(&a->word, a->named));
  PetscCall(WeftSpaceDestroy(&a->velocity));
  PetscCall(PetscFree(a));
  PetscFunctionReturn(0);
}

PetscInt WeftAugmentCount(WeftAugment a) { return a->count; }

PetscInt WeftAugmentDraw(WeftAugment a, PetscInt64 seed, PetscInt64 counter) { return (PetscInt)(WeftRandomUniform(seed, WEFT_STREAM_TURN, counter) * (double)a->count); }

/* ---- turning --------------------------------------------------------------------------------------------------------- */

/* Where place i along axis d of component c comes from, along axis from[d]: cells n - 1 - i, faces n - i when the axis is reversed; the
   face between the ends of a periodic box is its own mirror image. */
static PetscInt Source(const WeftLayout *l, const Turn *turn, PetscInt c, PetscInt d, PetscInt i)
{
  const PetscInt n = l->cells[d];

  if (turn->sign[d] > 0) return i;
  if (c != d) return n - 1 - i;
  return l->side[d][0] == WEFT_SIDE_PERIODIC ? (n - i) % n : n - i;
}

/* Places of component c on rank `to` that come from rank `from`: along each axis a list; their product is the set. */
static PetscInt Meet(WeftAugment a, const Turn *turn, PetscInt c, PetscMPIInt from, PetscMPIInt to, PetscInt n[3])
{
  const WeftSpaceInfo *info   = WeftSpaceGetInfo(a->velocity);
  const PetscInt      *target = a->box + 6 * (to * info->fields + c), *mine = a->box + 6 * (from * info->fields + turn->from[c]);

  for (PetscInt d = 0; d < 3; d++) {
    n[d] = 0;
    for (PetscInt i = target[d]; i < target[3 + d]; i++) {
      const PetscInt source = Source(WeftGridLayout(info->grid), turn, c, d, i), axis = turn->from[d];
      if (source < mine[axis] || source >= mine[3 + axis]) continue;
      a->list[d][n[d]]     = i;
      a->source[d][n[d]++] = source;
    }
  }
  return n[0] * n[1] * n[2];
}

/* Values of this rank that go to another, turned. */
static double *Pack(WeftAugment a, const Turn *turn, WeftState state, PetscInt sample, PetscMPIInt me, PetscMPIInt to, double *packed)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(a->velocity)->grid);

  for (PetscInt c = 0; c < l->dim; c++) {
    const double *plane = WeftStatePlane(state, turn->from[c], sample);
    PetscInt      n[3], at[3];
    if (!Meet(a, turn, c, me, to, n)) continue;
    for (PetscInt k = 0; k < n[2]; k++)
      for (PetscInt j = 0; j < n[1]; j++)
        for (PetscInt i = 0; i < n[0]; i++) {
          at[turn->from[0]] = a->source[0][i];
          at[turn->from[1]] = a->source[1][j];
          at[turn->from[2]] = a->source[2][k];
          *packed++         = (double)turn->sign[c] * plane[WeftLayoutIndex(l, at[0], at[1], at[2])];
        }
  }
  return packed;
}

static const double *Unpack(WeftAugment a, const Turn *turn, WeftState state, PetscInt sample, PetscMPIInt from, PetscMPIInt me, const double *packed)
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(a->velocity)->grid);

  for (PetscInt c = 0; c < l->dim; c++) {
    double  *plane = WeftStatePlaneWrite(state, c, sample);
    PetscInt n[3];
    if (!Meet(a, turn, c, from, me, n)) continue;
    for (PetscInt k = 0; k < n[2]; k++)
      for (PetscInt j = 0; j < n[1]; j++)
        for (PetscInt i = 0; i < n[0]; i++) plane[WeftLayoutIndex(l, a->list[0][i], a->list[1][j], a->list[2][k])] = *packed++;
  }
  return packed;
}

PetscErrorCode WeftAugmentTurn(WeftAugment a, PetscInt element, WeftState state, PetscInt sample)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(a->velocity);
  const Turn          *turn = &a->turn[element];
  PetscMPIInt         *sent = a->counts, *sent_at = sent + a->size, *got = sent_at + a->size, *got_at = got + a->size, me;
  double              *packed = a->send;
  const double        *unpacked = a->receive;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(info->comm, &me));
  for (PetscMPIInt r = 0, at = 0; r < a->size; r++) {
    PetscInt n[3];
    sent_at[r] = (PetscMPIInt)(packed - a->send);
    packed     = Pack(a, turn, state, sample, me, r, packed);
    sent[r]    = (PetscMPIInt)(packed - a->send) - sent_at[r];
    got_at[r]  = at;
    for (PetscInt c = 0; c < info->fields; c++) at += (PetscMPIInt)Meet(a, turn, c, r, me, n);
    got[r] = at - got_at[r];
  }
  PetscCallMPI(MPI_Alltoallv(a->send, sent, sent_at, MPI_DOUBLE, a->receive, got, got_at, MPI_DOUBLE, info->comm));
  for (PetscMPIInt r = 0; r < a->size; r++) unpacked = Unpack(a, turn, state, sample, r, me, unpacked);
  PetscFunctionReturn(0);
}

/* ---- check ----------------------------------------------------------------------------------------------------------- */

static PetscErrorCode TurnAll(WeftAugment a, PetscInt element, WeftState state)
{
  PetscFunctionBegin;
  for (PetscInt s = 0; s < WeftSpaceGetInfo(WeftStateSpace(state))->batch; s++) PetscCall(WeftAugmentTurn(a, element, state, s));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftAugmentCheck(WeftAugment a, WeftOp step, const WeftState in[], const WeftState out[])
{
  WeftState start, turned;
  PetscReal difference, size;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(a->velocity, &start));
  PetscCall(WeftStateCreate(a->velocity, &turned));
  PetscCall(WeftStateCopy(in[0], start));
  for (PetscInt g = 1; g <= a->named; g++) {
    PetscCall(WeftStateCopy(start, in[0]));
    PetscCall(WeftOpApply(step, in, out, NULL));
    PetscCall(WeftStateCopy(out[0], turned));
    PetscCall(TurnAll(a, g, turned));
    PetscCall(WeftStateCopy(start, in[0]));
    PetscCall(TurnAll(a, g, in[0]));
    PetscCall(WeftOpApply(step, in, out, NULL));
    PetscCall(WeftStateNorm(turned, NORM_INFINITY, &size));
    PetscCall(WeftStateAXPY(turned, -1.0, out[0]));
    PetscCall(WeftStateNorm(turned, NORM_INFINITY, &difference));
    if (difference > 1e-8 * size) return WeftFailKey(PETSC_COMM_WORLD, "train_augment", "the step of this case is not symmetric under '%s': a step of the turned state and the turned step differ by %.2g of the largest velocity; leave it out", a->word[g - 1], (double)(difference / size));
  }
  PetscCall(WeftStateDestroy(&start));
  PetscCall(WeftStateDestroy(&turned));
  PetscFunctionReturn(0);
}
