/* Which convolution kernels run. */
#include "nn/impl.h"

static const WeftKernels *chosen; /* [2] */

static const WeftKernels *Find(const char *name)
{
  const PetscBool by_cpu = (PetscBool)!strcmp(name, "auto");

#if defined(WEFT_X86_KERNELS)
  if (__builtin_cpu_supports("avx512f") && (by_cpu || !strcmp(name, "avx512"))) return WeftKernelsAVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && (by_cpu || !strcmp(name, "avx2")))
    return WeftKernelsAVX2;
#endif
  return by_cpu || !strcmp(name, "plain") ? WeftKernelsPlain : NULL;
}

PetscErrorCode WeftKernelsSet(const char *name, PetscBool *there)
{
  const WeftKernels *found = Find(name);

  PetscFunctionBegin;
  *there = found ? PETSC_TRUE : PETSC_FALSE;
  if (found) chosen = found;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftKernelsGet(PetscBool single, const WeftKernels **kernels)
{
  static const char *const names[] = {"auto", "avx512", "avx2", "plain"}; /* the choices of the key */
  PetscBool                there;
  PetscInt                 name;

  PetscFunctionBegin;
  if (!chosen) {
    PetscCall(WeftGetEnum("nn_kernels", &name));
    PetscCall(WeftKernelsSet(names[name], &there));
    if (!there)
      return WeftFailKey(PETSC_COMM_WORLD, "nn_kernels",
                         "this CPU (or this build) has no such kernels; leave the key out to take the best ones that it has");
  }
  *kernels = &chosen[single ? 1 : 0];
  PetscFunctionReturn(0);
}

const char *WeftKernelsName(void)
{
  const WeftKernels *kernels;
  return WeftKernelsGet(PETSC_TRUE, &kernels) ? "none" : kernels->name;
}
