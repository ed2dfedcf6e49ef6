/* How a compute kernel is declared: WEFT_KERNEL void name(...). The compiler makes one clone per instruction set and the
   binary picks at run time. The library is built with -ffp-contract=off, so every clone rounds alike: same bits. */
#ifndef WEFT_KERNEL_H
#define WEFT_KERNEL_H
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
  #define WEFT_KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
  #define WEFT_KERNEL
#endif
#define WEFT_INLINE static inline __attribute__((always_inline))
#endif
