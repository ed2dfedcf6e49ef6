/* Inside Weft: the exchange of ghosts around the work of an operator, which goes through the points that it makes in parts:

     for (PetscInt part = 0; part < WeftGridParts(grid); part++) {
       WeftStatesHaloPart(n, states, width, ghost, part);
       ... the points of the part: WeftGridPart ...
     }

   Part 0 is the interior, which reads no ghosts of other ranks, while the messages travel; the others are the rim. What is made of a
   point does not depend on the part that it lies in, so the bits are those of one pass after the exchange. */
#ifndef WEFT_GRID_PARTS_H
#define WEFT_GRID_PARTS_H
#include <weft/grid.h>

/* 1: all points after the exchange, where no other rank touches my block, or (-grid_overlap auto) all of the grid's ranks share a node:
   between these a message is two copies, which no one else makes, and the rim costs more than the wait. The same on all ranks. */
PetscInt WeftGridParts(WeftGrid grid);
/* [lo, hi): on entry all points, on return those of a part. The interior lies `reach` or more from blocks of other ranks; the rim is
   strips at the lower and upper end of each axis, whole along the axes before it; empty where there is no other rank. */
void WeftGridPart(WeftGrid grid, PetscInt reach, PetscInt part, PetscInt lo[3], PetscInt hi[3]);
/* WeftStatesHaloBegin before part 0, with the ghosts beyond sides and across periodic axes that are not cut, which the interior
   reads; WeftStatesHaloEnd before part 1; all of it before part 0 if that is the only one. Collective on the space communicator. */
PetscErrorCode WeftStatesHaloPart(PetscInt n, const WeftState states[], PetscInt width, WeftGhost ghost, PetscInt part);
#endif
