/* Index ranges of a layout. */
#include "grid/impl.h"
#include "grid/parts.h"

void WeftLayoutUnknowns(const WeftLayout *l, WeftLocation location, PetscInt lo[3], PetscInt hi[3])
{
  for (PetscInt a = 0; a < 3; a++) {
    lo[a] = 0;
    hi[a] = l->cells[a];
    if ((PetscInt)location != a || l->side[a][0] == WEFT_SIDE_PERIODIC) continue;
    if (l->side[a][0] != WEFT_SIDE_OPEN) lo[a] = 1;
    if (l->side[a][1] == WEFT_SIDE_OPEN) hi[a] = l->cells[a] + 1;
  }
}

void WeftLayoutOwned(const WeftLayout *l, WeftLocation location, PetscInt lo[3], PetscInt hi[3])
{
  WeftLayoutUnknowns(l, location, lo, hi);
  for (PetscInt a = 0; a < 3; a++) {
    const PetscInt end = l->start[a] + l->count[a];
    lo[a] = PetscMax(lo[a], l->start[a]);
    if (end < l->cells[a]) hi[a] = end;
  }
}

void WeftLayoutGather(const WeftLayout *l, WeftLocation location, PetscInt width, PetscInt lo[3], PetscInt hi[3])
{
  WeftLayoutOwned(l, location, lo, hi);
  for (PetscInt a = 0; a < l->dim; a++) {
    if (l->side[a][0] == WEFT_SIDE_PERIODIC) continue;
    if (l->start[a] == 0) lo[a] -= width;
    if (l->start[a] + l->count[a] == l->cells[a]) hi[a] += width;
  }
}

/* Is there a block of another rank beyond the lower (upper) end of mine? */
static PetscBool Cut(const WeftLayout *l, PetscInt axis, PetscBool upper)
{
  if (l->ranks[axis] == 1) return PETSC_FALSE;
  return l->side[axis][0] == WEFT_SIDE_PERIODIC || l->rank[axis] != (upper ? l->ranks[axis] - 1 : 0) ? PETSC_TRUE : PETSC_FALSE;
}

PetscInt WeftGridParts(WeftGrid grid)
{
  PetscInt parts = 1;
  for (PetscInt a = 0; a < grid->layout.dim && grid->overlap; a++)
    if (grid->layout.ranks[a] > 1) parts = 3 + 2 * a;
  return parts;
}

void WeftGridPart(WeftGrid grid, PetscInt reach, PetscInt part, PetscInt lo[3], PetscInt hi[3])
{
  const WeftLayout *l = &grid->layout;
  const PetscInt  axis  = part ? (part - 1) / 2 : -1; /* of the strip */
  const PetscBool upper = part % 2 ? PETSC_FALSE : PETSC_TRUE;

  for (PetscInt a = PetscMax(axis, 0); a < 3 && grid->overlap; a++) {
    const PetscInt first = Cut(l, a, PETSC_FALSE) ? PetscMin(lo[a] + reach, hi[a]) : lo[a];
    const PetscInt last  = Cut(l, a, PETSC_TRUE) ? PetscMax(hi[a] - reach, first) : hi[a];
    if (a == axis && upper) lo[a] = last;
    else if (a == axis) hi[a] = first;
    else {
      lo[a] = first;
      hi[a] = last;
    }
  }
}

void WeftExtended(const WeftLayout *l, WeftLocation location, PetscInt axis, PetscInt width, PetscInt *lo, PetscInt *hi)
{
  PetscInt        all_lo[3], all_hi[3];
  const PetscBool sided = l->side[axis][0] != WEFT_SIDE_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt  end   = l->start[axis] + l->count[axis];

  if (axis >= l->dim) width = 0;
  WeftLayoutUnknowns(l, location, all_lo, all_hi);
  *lo = (sided && l->start[axis] == 0 ? all_lo[axis] : l->start[axis]) - width;
  *hi = (sided && end == l->cells[axis] ? all_hi[axis] : end) + width;
}
