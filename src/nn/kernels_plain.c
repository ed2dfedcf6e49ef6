/* Convolution kernels in plain C: the reference, and what runs where there is no vector path. */
#include "nn/impl.h"

#define PLAIN(type)                                                                                                            \
  static void Row_##type(const WeftConvolve *c, PetscInt n, const void *x_, const void *residual_, void *y_)                  \
  {                                                                                                                            \
    const type *bias = (const type *)c->bias, *residual = (const type *)residual_;                                             \
    const type  slope = c->activation == WEFT_ACTIVATION_RELU ? (type)0 : c->activation == WEFT_ACTIVATION_LEAKY_RELU ? (type)0.2 : (type)1; \
    for (PetscInt p = 0; p < n; p++) {                                                                                         \
      const type *x       = (const type *)x_ + (ptrdiff_t)p * c->in;                                                           \
      const type *weights = (const type *)c->weights;                                                                          \
      type *restrict y    = (type *)y_ + (ptrdiff_t)p * c->out;                                                                \
      for (PetscInt o = 0; o < c->out && bias; o++) y[o] = bias[o];                                                            \
      for (PetscInt t = 0; t < c->taps; t++) {                                                                                 \
        for (PetscInt i = 0; i < c->in; i++, weights += c->out) {                                                              \
          const type value = x[c->offset[t] + i];                                                                              \
          for (PetscInt o = 0; o < c->out; o++) y[o] += value * weights[o];                                                    \
        }                                                                                                                      \
      }                                                                                                                        \
      for (PetscInt o = 0; o < c->out && residual; o++) y[o] += residual[(ptrdiff_t)p * c->out + o];                           \
      for (PetscInt o = 0; o < c->out && slope != (type)1; o++) y[o] = y[o] < (type)0 ? slope * y[o] : y[o];                   \
    }                                                                                                                          \
  }                                                                                                                            \
  static void Gradient_##type(const WeftConvolve *c, const WeftPixels *pixels, void *sum_)                                     \
  {                                                                                                                            \
    for (PetscInt r = 0; r < pixels->rows; r++) {                                                                              \
      for (PetscInt p = 0; p < pixels->pixels; p++) {                                                                          \
        const type *x = (const type *)pixels->x + r * pixels->x_row + (ptrdiff_t)p * c->in;                                    \
        const type *z = (const type *)pixels->z + r * pixels->z_row + p * pixels->z_pixel;                                     \
        type *restrict sum = (type *)sum_;                                                                                     \
        for (PetscInt t = 0; t < c->taps; t++) {                                                                               \
          for (PetscInt i = 0; i < c->in; i++, sum += c->out) {                                                                \
            const type value = x[c->offset[t] + i];                                                                            \
            if (pixels->first && !r && !p) memset(sum, 0, sizeof(type) * (size_t)c->out);                                      \
            for (PetscInt o = 0; o < c->out; o++) sum[o] += value * z[o];                                                      \
          }                                                                                                                    \
        }                                                                                                                      \
      }                                                                                                                        \
    }                                                                                                                          \
  }
PLAIN(double)
PLAIN(float)

const WeftKernels WeftKernelsPlain[2] = {
  {"plain", PETSC_FALSE, 1, PETSC_MAX_INT, Row_double, Gradient_double, NULL, NULL, NULL},
  {"plain", PETSC_TRUE,  1, PETSC_MAX_INT, Row_float,  Gradient_float, NULL, NULL, NULL}
};
