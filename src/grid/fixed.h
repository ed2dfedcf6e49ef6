/* Inside Weft: numbers whose sums do not depend on the layout, for -deterministic.

   A state of NUMBERS may carry sums in fixed point (base/fixed.h) beside its values. An operator that produces numbers by summing over
   cells (a loss, an adjoint of weights) then adds the sum of each tile of the grid to them and leaves the values alone; tiles lie at
   multiples of layout->tile from the lower corner of the box, blocks are made of whole tiles, so that the terms are the same on every
   layout. The owner of the state reduces the integers. Views share the sums of their part. */
#ifndef WEFT_GRID_FIXED_H
#define WEFT_GRID_FIXED_H
#include <weft/grid.h>
#include "base/fixed.h"

PetscErrorCode   WeftStateMakeFixed(WeftState numbers, PetscReal scale);
void             WeftStateScaleFixed(WeftState numbers, PetscReal scale); /* of the terms from now on */
const WeftFixed *WeftStateFixed(WeftState numbers); /* NULL: the state carries none, values are summed as they come */
#endif
