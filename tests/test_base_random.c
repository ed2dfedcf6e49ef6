/* ctest: unit; ranks 1 2; timeout 30 */
/* Philox against the published vectors (Random123, kat_vectors), distributions, permutations, keys that do not collide. */
#include "base/impl.h"
#include "support.h"

static PetscErrorCode Vector(unsigned counter, unsigned key, const unsigned expected[4])
{
  unsigned bits[4];

  PetscFunctionBegin;
  WeftPhilox((unsigned[]){counter, counter, counter, counter}, (unsigned[]){key, key}, bits);
  for (int i = 0; i < 4; i++) TestCheck(bits[i] == expected[i], "word %d of counter %x: %08x, published %08x", i, counter, bits[i], expected[i]);
  PetscFunctionReturn(0);
}

static PetscErrorCode Published(void)
{
  const unsigned pi[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  unsigned       bits[4];

  PetscFunctionBegin;
  PetscCall(Vector(0, 0, (const unsigned[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  PetscCall(Vector(0xffffffff, 0xffffffff, (const unsigned[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  /* digits of pi as counter and key */
  WeftPhilox((unsigned[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, (unsigned[]){0xa4093822, 0x299f31d0}, bits);
  for (int i = 0; i < 4; i++) TestCheck(bits[i] == pi[i], "word %d of pi's digits: %08x, published %08x", i, bits[i], pi[i]);
  PetscFunctionReturn(0);
}

/* Sample moments of n draws lie within 5 standard errors of the exact ones. */
static PetscErrorCode Moments(void)
{
  const PetscInt n    = 20000;
  double         u[2] = {0.0, 0.0}, g[4] = {0.0, 0.0, 0.0, 0.0};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    const double x = WeftRandomUniform(7, WEFT_STREAM_TEST, i), y = WeftRandomNormal(7, WEFT_STREAM_TEST, i);
    TestCheck(x >= 0.0 && x < 1.0, "uniform number %g is outside [0, 1)", x);
    u[0] += x / n;
    u[1] += (x - 0.5) * (x - 0.5) / n;
    g[0] += y / n;
    g[1] += y * y / n;
    g[2] += y * y * y / n;
    g[3] += y * y * y * y / n;
  }
  PetscCall(TestClose(u[0], 0.5, 5.0 * PetscSqrtReal(1.0 / 12.0 / n), "mean of uniform numbers"));
  PetscCall(TestClose(u[1], 1.0 / 12.0, 5.0 * PetscSqrtReal(1.0 / 180.0 / n), "variance of uniform numbers"));
  PetscCall(TestClose(g[0], 0.0, 5.0 * PetscSqrtReal(1.0 / n), "mean of normal numbers"));
  PetscCall(TestClose(g[1], 1.0, 5.0 * PetscSqrtReal(2.0 / n), "variance of normal numbers"));
  PetscCall(TestClose(g[2], 0.0, 5.0 * PetscSqrtReal(15.0 / n), "third moment of normal numbers"));
  PetscCall(TestClose(g[3], 3.0, 5.0 * PetscSqrtReal(96.0 / n), "fourth moment of normal numbers"));
  PetscFunctionReturn(0);
}

/* Seed, stream and both halves of the counter each change the draw. */
static PetscErrorCode Keys(void)
{
  const double base = WeftRandomUniform(1, WEFT_STREAM_TEST, 5);

  PetscFunctionBegin;
  TestCheck(WeftRandomUniform(2, WEFT_STREAM_TEST, 5) != base, "the seed does not matter");
  TestCheck(WeftRandomUniform(1 + ((PetscInt64)1 << 32), WEFT_STREAM_TEST, 5) != base, "the upper half of the seed does not matter");
  TestCheck(WeftRandomUniform(1, WEFT_STREAM_NOISE, 5) != base, "the stream does not matter");
  TestCheck(WeftRandomUniform(1, WEFT_STREAM_TEST, 6) != base, "the counter does not matter");
  TestCheck(WeftRandomUniform(1, WEFT_STREAM_TEST, 5 + ((PetscInt64)1 << 32)) != base, "the upper half of the counter does not matter");
  TestCheck(WeftRandomUniform(1, WEFT_STREAM_TEST, 5) == base, "the same key gives another draw");
  PetscFunctionReturn(0);
}

/* Every number once; each element comes first equally often (chi squared with 4 degrees of freedom: 23.5 in 1 of 10^4). */
static PetscErrorCode Permutations(void)
{
  PetscInt order[64], other[64], first[5] = {0, 0, 0, 0, 0};
  double   chi = 0.0;

  PetscFunctionBegin;
  for (PetscInt counter = 0; counter < 500; counter++) {
    PetscInt seen[5] = {0, 0, 0, 0, 0};
    WeftRandomPermutation(3, WEFT_STREAM_ORDER, counter, 5, order);
    for (PetscInt i = 0; i < 5; i++) seen[order[i]]++;
    for (PetscInt i = 0; i < 5; i++) TestCheck(seen[i] == 1, "permutation %d holds %d %d times", (int)counter, (int)i, (int)seen[i]);
    first[order[0]]++;
  }
  for (PetscInt i = 0; i < 5; i++) chi += (first[i] - 100.0) * (first[i] - 100.0) / 100.0;
  TestCheck(chi < 23.5, "the first elements of permutations are not even: chi squared %g", chi);
  WeftRandomPermutation(3, WEFT_STREAM_ORDER, 0, 64, order);
  PetscCall(PetscArraycpy(other, order, 64));
  PetscCallMPI(MPI_Bcast(other, 64, MPIU_INT, 0, PETSC_COMM_WORLD));
  for (PetscInt i = 0; i < 64; i++) TestCheck(order[i] == other[i], "ranks draw different permutations");
  WeftRandomPermutation(3, WEFT_STREAM_ORDER, 9, 0, order);
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Published());
  PetscCall(Moments());
  PetscCall(Keys());
  PetscCall(Permutations());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
