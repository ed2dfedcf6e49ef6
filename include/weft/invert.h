/* invert: recovery of inputs of a simulation (initial states, numbers, controls) from observations. */
#ifndef WEFT_INVERT_H
#define WEFT_INVERT_H
#include <weft/train.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* The verb invert: minimises the loss of -invert_loss over the unknowns of -invert_unknowns, which the model plays -invert_steps
   steps from. history.csv, recovered.h5/.xmf, unknowns.h5, picture.png, summary.json. Collective on the world. */
PetscErrorCode WeftInvert(void);

#if defined(__cplusplus)
}
#endif
#endif
