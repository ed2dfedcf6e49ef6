/* Philox 4x32-10: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3; SC11. */
#include "base/impl.h"
#include <math.h>
#include <stdint.h>

void WeftPhilox(const unsigned counter[4], const unsigned key[2], unsigned bits[4])
{
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];

  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* golden ratio */
    k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
  }
  bits[0] = c0;
  bits[1] = c1;
  bits[2] = c2;
  bits[3] = c3;
}

void WeftRandomBits(PetscInt64 seed, WeftStream stream, PetscInt64 counter, unsigned bits[4])
{
  const uint64_t s = (uint64_t)seed, c = (uint64_t)counter;
  WeftPhilox((unsigned[]){(unsigned)c, (unsigned)(c >> 32), (unsigned)stream, 0}, (unsigned[]){(unsigned)s, (unsigned)(s >> 32)}, bits);
}

static double Uniform(unsigned high, unsigned low) { return ((double)(high >> 5) * 67108864.0 + (double)(low >> 6)) / 9007199254740992.0; }

double WeftRandomUniform(PetscInt64 seed, WeftStream stream, PetscInt64 counter)
{
  unsigned bits[4];
  WeftRandomBits(seed, stream, counter, bits);
  return Uniform(bits[0], bits[1]);
}

/* Box, Muller 1958. 1 - u lies in (0, 1]. */
double WeftRandomNormal(PetscInt64 seed, WeftStream stream, PetscInt64 counter)
{
  unsigned bits[4];
  WeftRandomBits(seed, stream, counter, bits);
  return sqrt(-2.0 * log(1.0 - Uniform(bits[0], bits[1]))) * cos(2.0 * PETSC_PI * Uniform(bits[2], bits[3]));
}

/* Fisher, Yates; an odd last counter word keeps these draws apart from those of WeftRandomBits. */
void WeftRandomPermutation(PetscInt64 seed, WeftStream stream, PetscInt64 counter, PetscInt n, PetscInt order[])
{
  const uint64_t s = (uint64_t)seed, c = (uint64_t)counter;

  for (PetscInt i = 0; i < n; i++) order[i] = i;
  for (PetscInt i = n - 1; i > 0; i--) {
    unsigned bits[4];
    PetscInt j, kept;
    WeftPhilox((unsigned[]){(unsigned)i, (unsigned)c, (unsigned)stream, (unsigned)(c >> 32) << 1 | 1u}, (unsigned[]){(unsigned)s, (unsigned)(s >> 32)}, bits);
    j        = (PetscInt)(Uniform(bits[0], bits[1]) * ((double)i + 1.0));
    kept     = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}
