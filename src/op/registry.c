/* The table of every operator, made from the list. The examples are defined beside their operators, in this folder and above. */
#include "op/impl.h"

#define WEFT_LAYER(name) /* src/nn/layers.c */
#define WEFT_LOSS(name)  /* src/op/losses.c */
#define WEFT_OP(name, dims, sides, variants) PetscErrorCode WeftOpExample_##name(WeftGrid, PetscInt, PetscInt, WeftOpExample *);
#include "op/list.h"
#undef WEFT_OP

#define WEFT_OP(name, dims, sides, variants) {#name, dims, sides, variants, WeftOpExample_##name},
static const WeftOpRow table[] = {
#include "op/list.h"
    {NULL, 0, 0, 0, NULL}};
#undef WEFT_OP

PetscErrorCode WeftOpRows(PetscInt *count, const WeftOpRow **rows)
{
  PetscFunctionBegin;
  *count = (PetscInt)(sizeof(table) / sizeof(table[0])) - 1;
  *rows  = table;
  PetscFunctionReturn(0);
}
