/* Convolution kernels for AVX2 with FMA: tiles of up to 6 pixels times 2 vectors (16 channels in float32). */
#include "nn/impl.h"
#if defined(WEFT_X86_KERNELS)
  #include <immintrin.h>
  #define TARGET   __attribute__((target("avx2,fma")))
  #define TILES(X) X(1) X(2) X(3) X(4) X(5) X(6)

/* The first n lanes: a window into ones followed by zeros. */
static const int       first_lanes[16]     = {-1, -1, -1, -1, -1, -1, -1, -1};
static const long long first_long_lanes[8] = {-1, -1, -1, -1};
  #define MASK(n)      _mm256_loadu_si256((const __m256i *)(first_lanes + 8 - (n)))
  #define LONG_MASK(n) _mm256_loadu_si256((const __m256i *)(first_long_lanes + 4 - (n)))

static inline __attribute__((always_inline)) TARGET float TotalOf(__m256 a)
{
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)), two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
static inline __attribute__((always_inline)) TARGET double LongTotalOf(__m256d a)
{
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

  #define NAME(x)             x##_float
  #define T                   float
  #define VEC                 __m256
  #define LANES               8
  #define LOAD(p)             _mm256_loadu_ps(p)
  #define STORE(p, v)         _mm256_storeu_ps(p, v)
  #define LOAD_PART(p, n)     _mm256_maskload_ps(p, MASK(n))
  #define STORE_PART(p, n, v) _mm256_maskstore_ps(p, MASK(n), v)
  #define SPLAT(p)            _mm256_set1_ps(*(p))
  #define FMA(a, b, c)        _mm256_fmadd_ps(a, b, c)
  #define ADD(a, b)           _mm256_add_ps(a, b)
  #define MUL(a, b)           _mm256_mul_ps(a, b)
  #define MAX(a, b)           _mm256_max_ps(a, b)
  #define TOTAL(a)            TotalOf(a)
  #include "nn/kernels_vector.h"

  #define NAME(x)             x##_double
  #define T                   double
  #define VEC                 __m256d
  #define LANES               4
  #define LOAD(p)             _mm256_loadu_pd(p)
  #define STORE(p, v)         _mm256_storeu_pd(p, v)
  #define LOAD_PART(p, n)     _mm256_maskload_pd(p, LONG_MASK(n))
  #define STORE_PART(p, n, v) _mm256_maskstore_pd(p, LONG_MASK(n), v)
  #define SPLAT(p)            _mm256_set1_pd(*(p))
  #define FMA(a, b, c)        _mm256_fmadd_pd(a, b, c)
  #define ADD(a, b)           _mm256_add_pd(a, b)
  #define MUL(a, b)           _mm256_mul_pd(a, b)
  #define MAX(a, b)           _mm256_max_pd(a, b)
  #define TOTAL(a)            LongTotalOf(a)
  #include "nn/kernels_vector.h"

const WeftKernels WeftKernelsAVX2[2] = {
  {"avx2", PETSC_FALSE, 4, 8,  Row_double, Gradient_double, ToPoints_double, FromPoints_double, BarToPoints_double},
  {"avx2", PETSC_TRUE,  8, 16, Row_float, Gradient_float, ToPoints_float, FromPoints_float, BarToPoints_float}
};
#endif
