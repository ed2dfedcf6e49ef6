/* Inside src/train: samples turned by symmetries of the case. */
#ifndef WEFT_TRAIN_AUGMENT_H
#define WEFT_TRAIN_AUGMENT_H
#include <weft/op.h>

/* The group that the flips and quarter turns of -train_augment make: element 0 turns nothing. */
typedef struct _n_WeftAugment *WeftAugment;
/* velocity: of the states that are turned. NULL: the key is not set. Fails where the box or its sides are not symmetric. Collective
   on the grid. */
PetscErrorCode WeftAugmentCreate(WeftSpace velocity, WeftAugment *augment);
PetscErrorCode WeftAugmentDestroy(WeftAugment *augment);
PetscInt       WeftAugmentCount(WeftAugment augment);
/* An element, each as likely, from (seed, counter) alone. */
PetscInt WeftAugmentDraw(WeftAugment augment, PetscInt64 seed, PetscInt64 counter);
/* Turns a sample: with x'_d = s_d x_p(d), component u'_d(x') = s_d u_p(d)(x). Ghosts are stale. Collective on the grid. */
PetscErrorCode WeftAugmentTurn(WeftAugment augment, PetscInt element, WeftState state, PetscInt sample);
/* Fails when turning and a step do not commute, for any of the symmetries that the key names. in[]: inputs, all samples of in[0] a state
   of the case; out[]: outputs; both are overwritten. Collective on the grid. */
PetscErrorCode WeftAugmentCheck(WeftAugment augment, WeftOp step, const WeftState in[], const WeftState out[]);
#endif
