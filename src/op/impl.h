/* Inside src/op: the structs behind operators and records. */
#ifndef WEFT_OP_IMPL_H
#define WEFT_OP_IMPL_H
#include <weft/op.h>

struct _n_WeftOp {
  PetscInt      references;
  char         *name;
  PetscLogEvent event[3]; /* apply, tangent, adjoint */
  WeftPhase     phase;    /* OTHER: that of the caller */
  WeftOpMaps    maps;
  void         *context;
  int           needs;
  PetscInt      inputs, outputs;
  WeftSpace     in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  PetscInt      record_states; /* private record: states of its own, then records of the operators inside */
  WeftSpace    *record_space;
  PetscInt      children;
  WeftOp       *child;
  WeftStencil  *stencil; /* NULL: none */
};

struct _n_WeftRecord {
  PetscInt    states, children;
  WeftState  *state;
  WeftRecord *child;
};

/* Calls of a program keep records of their own inside the program's. References the operators. */
PetscErrorCode WeftOpSetRecordChildren(WeftOp op, PetscInt children, const WeftOp child[]);
#endif
