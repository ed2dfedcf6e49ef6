/* Convolution kernels for AVX-512: tiles of up to 12 pixels times 2 vectors (32 channels in float32). */
#include "nn/impl.h"
#if defined(WEFT_X86_KERNELS)
  #include <immintrin.h>
  #define TARGET   __attribute__((target("avx512f")))
  #define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)

  #define NAME(x)             x##_float
  #define T                   float
  #define VEC                 __m512
  #define LANES               16
  #define LOAD(p)             _mm512_loadu_ps(p)
  #define STORE(p, v)         _mm512_storeu_ps(p, v)
  #define LOAD_PART(p, n)     _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1u), p)
  #define STORE_PART(p, n, v) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1u), v)
  #define SPLAT(p)            _mm512_set1_ps(*(p))
  #define FMA(a, b, c)        _mm512_fmadd_ps(a, b, c)
  #define ADD(a, b)           _mm512_add_ps(a, b)
  #define MUL(a, b)           _mm512_mul_ps(a, b)
  #define MAX(a, b)           _mm512_max_ps(a, b)
  #define TOTAL(a)            _mm512_reduce_add_ps(a)
  #include "nn/kernels_vector.h"

  #define NAME(x)             x##_double
  #define T                   double
  #define VEC                 __m512d
  #define LANES               8
  #define LOAD(p)             _mm512_loadu_pd(p)
  #define STORE(p, v)         _mm512_storeu_pd(p, v)
  #define LOAD_PART(p, n)     _mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1u), p)
  #define STORE_PART(p, n, v) _mm512_mask_storeu_pd(p, (__mmask8)((1u << (n)) - 1u), v)
  #define SPLAT(p)            _mm512_set1_pd(*(p))
  #define FMA(a, b, c)        _mm512_fmadd_pd(a, b, c)
  #define ADD(a, b)           _mm512_add_pd(a, b)
  #define MUL(a, b)           _mm512_mul_pd(a, b)
  #define MAX(a, b)           _mm512_max_pd(a, b)
  #define TOTAL(a)            _mm512_reduce_add_pd(a)
  #include "nn/kernels_vector.h"

const WeftKernels WeftKernelsAVX512[2] = {
  {"avx512", PETSC_FALSE, 8,  16, Row_double, Gradient_double, ToPoints_double, FromPoints_double, BarToPoints_double},
  {"avx512", PETSC_TRUE,  16, 32, Row_float, Gradient_float, ToPoints_float, FromPoints_float, BarToPoints_float}
};
#endif
