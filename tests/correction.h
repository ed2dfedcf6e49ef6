/* The correction of a velocity by a net, played forwards and backwards once: what the tests of nets compare. */
#ifndef WEFT_TEST_CORRECTION_H
#define WEFT_TEST_CORRECTION_H
#include <weft/nn.h>
#include "support.h"

typedef struct {
  PetscInt   inputs, parameters; /* parameters: the last input */
  WeftSpace  velocity, numbers;  /* numbers NULL: the net is told none */
  WeftNet    net;
  WeftOp     op;
  WeftState  x[3], x_bar[3], y, y_bar;
  WeftRecord record;
} Correction;
enum { VELOCITY };

/* Two samples. The inputs are still to be filled. */
static PetscErrorCode CorrectionCreate(WeftGrid grid, PetscBool numbers, const WeftNetOptions *options, Correction *s)
{
  static const PetscReal scale[] = {0.5, 2.0, 1.0}, number_scale[] = {1.5};

  PetscFunctionBegin;
  PetscCall(PetscMemzero(s, sizeof(*s)));
  PetscCall(WeftSpaceCreateVelocity(grid, 2, &s->velocity));
  if (numbers) PetscCall(WeftSpaceCreateNumbers(WeftSpaceGetInfo(s->velocity)->comm, 2, 1, PETSC_TRUE, &s->numbers));
  PetscCall(WeftCorrectionCreate(s->velocity, s->numbers, scale, numbers ? number_scale : NULL, options, &s->net, &s->op));
  s->inputs     = WeftOpInputs(s->op);
  s->parameters = s->inputs - 1;
  for (PetscInt i = 0; i < s->inputs; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(s->op, i), &s->x[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(s->op, i), &s->x_bar[i]));
  }
  PetscCall(WeftStateCreate(s->velocity, &s->y));
  PetscCall(WeftStateCreate(s->velocity, &s->y_bar));
  PetscCall(WeftStateSetRandom(s->y_bar, 15, 0, 0.0, 1.0));
  PetscCall(WeftRecordCreate(s->op, &s->record));
  PetscFunctionReturn(0);
}

static PetscErrorCode CorrectionPlay(Correction *s)
{
  PetscFunctionBegin;
  PetscCall(WeftOpApply(s->op, s->x, &s->y, s->record));
  PetscCall(WeftOpAdjoint(s->op, s->x, &s->y, s->record, &s->y_bar, s->x_bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode CorrectionDestroy(Correction *s)
{
  PetscFunctionBegin;
  PetscCall(WeftRecordDestroy(&s->record));
  for (PetscInt i = 0; i < s->inputs; i++) {
    PetscCall(WeftStateDestroy(&s->x[i]));
    PetscCall(WeftStateDestroy(&s->x_bar[i]));
  }
  PetscCall(WeftStateDestroy(&s->y));
  PetscCall(WeftStateDestroy(&s->y_bar));
  PetscCall(WeftOpDestroy(&s->op));
  PetscCall(WeftNetDestroy(&s->net));
  PetscCall(WeftSpaceDestroy(&s->velocity));
  if (s->numbers) PetscCall(WeftSpaceDestroy(&s->numbers));
  PetscFunctionReturn(0);
}

/* |<Jv, w> - <v, J'w>| <= 1e-12 |Jv| |w| for v along all inputs at once, after one play. */
static PetscErrorCode CorrectionCheckTranspose(Correction *s)
{
  PetscReal forward, backward = 0.0, size[2];
  WeftState dx[3], dy;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(s->velocity, &dy));
  for (PetscInt i = 0; i < s->inputs; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(s->op, i), &dx[i]));
    PetscCall(WeftStateSetRandom(dx[i], 25 + i, 0, 0.0, 1.0));
  }
  PetscCall(WeftOpTangent(s->op, s->x, &s->y, s->record, dx, &dy));
  for (PetscInt i = 0; i < s->inputs; i++) {
    PetscReal part;
    PetscCall(WeftStateDot(dx[i], s->x_bar[i], &part));
    if (WeftSpaceGetInfo(WeftOpInSpace(s->op, i))->kind == WEFT_NUMBERS)
      TestCheck(part != 0.0, "input %d has no part in the gradient", (int)i);
    backward += part;
  }
  PetscCall(WeftStateDot(dy, s->y_bar, &forward));
  PetscCall(WeftStateNorm(dy, NORM_2, &size[0]));
  PetscCall(WeftStateNorm(s->y_bar, NORM_2, &size[1]));
  PetscCall(TestClose(backward, forward, 1e-12 * size[0] * size[1], "<v, J'w>"));
  for (PetscInt i = 0; i < s->inputs; i++) PetscCall(WeftStateDestroy(&dx[i]));
  PetscCall(WeftStateDestroy(&dy));
  PetscFunctionReturn(0);
}

/* The owned values of `mine` are those of `whole`, which one rank holds. */
static PetscErrorCode SameBits(WeftState mine, WeftState whole, const char *what)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(mine));
  const WeftLayout    *l = WeftGridLayout(info->grid), *m = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(whole))->grid);

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < info->batch; b++)
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          TestCheck(!memcmp(WeftStatePlane(mine, f, b) + WeftLayoutIndex(l, lo[0], j, k),
                            WeftStatePlane(whole, f, b) + WeftLayoutIndex(m, lo[0], j, k), sizeof(double) * (size_t)(hi[0] - lo[0])),
                    "%s: not the bits of one rank", what);
  }
  PetscFunctionReturn(0);
}
#endif
