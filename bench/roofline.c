/* How close each operator comes to the machine: on fields far larger than the caches, the bytes that it must move at least and the
   flops of its formula, over what this machine reaches in a triad and in a matrix product, against the time it takes.
     mpirun -n RANKS bench_roofline [FILE.json [GFLOPS]]
   Each rank has planes of 4096 x 2048 (2D) or 192^3 (3D) values. GFLOPS: a float32 matrix product that another program reached here
   on one core; the best found counts. Libraries of BLAS are looked for by their usual names, and in WEFT_BENCH_BLAS. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <weft/nn.h>
#include <weft/solve.h>
#include "base/kernel.h"
#include "support.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define RUNS 9

/* ---- the machine ------------------------------------------------------------------------------------------------- */

#define TRIAD (1 << 23) /* values of an array: 64 MiB */

typedef struct {
  double *a, *b, *c;
} Arrays;

WEFT_KERNEL static void TriadLoop(double *restrict a, const double *restrict b, const double *restrict c, double s)
{
  for (PetscInt i = 0; i < TRIAD; i++) a[i] = b[i] + s * c[i];
}

static PetscErrorCode Triad(void *context)
{
  const Arrays *v = (const Arrays *)context;

  PetscFunctionBegin;
  TriadLoop(v->a, v->b, v->c, 3.0);
  PetscFunctionReturn(0);
}

/* The same past the caches: no read of the line that is written. */
static PetscErrorCode TriadStreaming(void *context)
{
  const Arrays *v = (const Arrays *)context;

  PetscFunctionBegin;
#if defined(__SSE2__)
  const __m128d s = _mm_set1_pd(3.0);
  for (PetscInt i = 0; i < TRIAD; i += 2)
    _mm_stream_pd(v->a + i, _mm_add_pd(_mm_load_pd(v->b + i), _mm_mul_pd(s, _mm_load_pd(v->c + i))));
  _mm_sfence();
#else
  TriadLoop(v->a, v->b, v->c, 3.0);
#endif
  PetscFunctionReturn(0);
}

/* Of the machine's limits the best of several runs counts, of operators the median. */
static double Best(double seconds[])
{
  (void)BenchMedian(RUNS, seconds);
  return seconds[0];
}

/* GB/s of this rank while all ranks run; three arrays of 8 bytes counted, as is the custom. */
static PetscErrorCode Bandwidth(double *plain, double *streaming)
{
  double seconds[RUNS];
  Arrays v;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(TRIAD + 8, &v.a, TRIAD + 8, &v.b, TRIAD + 8, &v.c));
  for (PetscInt i = 0; i < TRIAD; i++) v.a[i] = 0.0, v.b[i] = 1.0, v.c[i] = 2.0;
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Triad, &v, seconds));
  *plain = 24e-9 * TRIAD / Best(seconds);
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, TriadStreaming, &v, seconds));
  *streaming = 24e-9 * TRIAD / Best(seconds);
  PetscCall(PetscFree3(v.a, v.b, v.c));
  PetscFunctionReturn(0);
}

#define ORDER 1024
typedef void (*SGemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                      int ldb, float beta, float *c, int ldc);
typedef void (*DGemm)(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b,
                      int ldb, double beta, double *c, int ldc);
typedef struct {
  SGemm   single;
  DGemm   full;
  float  *f;
  double *d;
} Gemm;

static PetscErrorCode Product32(void *context)
{
  const Gemm *g = (const Gemm *)context;

  PetscFunctionBegin;
  g->single(102, 111, 111, ORDER, ORDER, ORDER, 1.0f, g->f, ORDER, g->f + ORDER * ORDER, ORDER, 0.0f, g->f + 2 * ORDER * ORDER,
            ORDER);
  PetscFunctionReturn(0);
}

static PetscErrorCode Product64(void *context)
{
  const Gemm *g = (const Gemm *)context;

  PetscFunctionBegin;
  g->full(102, 111, 111, ORDER, ORDER, ORDER, 1.0, g->d, ORDER, g->d + ORDER * ORDER, ORDER, 0.0, g->d + 2 * ORDER * ORDER,
          ORDER);
  PetscFunctionReturn(0);
}

typedef struct {
  double bandwidth, streaming; /* GB/s of a rank */
  double rate[2];              /* GFLOP/s of a rank: float64, float32 */
  char   library[256];
} Machine;

/* Matrix products of 1024^3 by one library; takes them if they are the best so far. */
static PetscErrorCode TryLibrary(const char *name, Gemm *g, Machine *m)
{
  const double flops = 2e-9 * ORDER * (double)ORDER * ORDER;
  double       seconds[RUNS], rate[2];
  void        *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  PetscMPIInt  there;

  PetscFunctionBegin;
  if (library) {
    *(void **)&g->single = dlsym(library, "cblas_sgemm");
    *(void **)&g->full   = dlsym(library, "cblas_dgemm");
  }
  there = library && g->single && g->full;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &there, 1, MPI_INT, MPI_LAND, PETSC_COMM_WORLD));
  if (!there) PetscFunctionReturn(0);
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Product64, g, seconds));
  rate[0] = flops / Best(seconds);
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Product32, g, seconds));
  rate[1] = flops / Best(seconds);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %-40s sgemm %6.1f, dgemm %6.1f GFLOP/s\n", name, rate[1], rate[0]));
  if (rate[1] > m->rate[1]) PetscCall(PetscStrncpy(m->library, name, sizeof(m->library)));
  for (PetscInt i = 0; i < 2; i++) m->rate[i] = PetscMax(m->rate[i], rate[i]);
  PetscFunctionReturn(0);
}

static PetscErrorCode Products(const char *other, Machine *m)
{
  static const char *const usual[] = {"libblis.so.4", "libopenblas.so.0", "libmkl_rt.so.2", "libblas.so.3"};
  char                    *more = getenv("WEFT_BENCH_BLAS"), *rest = NULL;
  Gemm                     g;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(3 * ORDER * ORDER, &g.f, 3 * ORDER * ORDER, &g.d));
  for (PetscInt i = 0; i < 3 * ORDER * ORDER; i++) g.d[i] = g.f[i] = (float)(i % 7) - 3.0f;
  for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) PetscCall(TryLibrary(usual[i], &g, m));
  for (char *name = more ? strtok_r(more, ":", &rest) : NULL; name; name = strtok_r(NULL, ":", &rest))
    PetscCall(TryLibrary(name, &g, m));
  if (other && atof(other) > m->rate[1]) {
    m->rate[1] = atof(other);
    PetscCall(PetscStrncpy(m->library, "another program's", sizeof(m->library)));
  }
  if (m->rate[0] <= 0.0) m->rate[0] = 0.5 * m->rate[1];
  PetscCall(PetscFree2(g.f, g.d));
  WeftCheck(m->rate[1] > 0.0, PETSC_COMM_WORLD,
            "no library of BLAS was found (cblas_sgemm); name one in WEFT_BENCH_BLAS, as /usr/lib/libopenblas.so.0");
  PetscFunctionReturn(0);
}

/* ---- operators ------------------------------------------------------------------------------------------------------ */

typedef struct {
  WeftGrid  grid;
  PetscInt  dim;
  WeftSpace velocity, cells, single[2]; /* features: float64, float32 */
  WeftState pattern;
} Spaces;

typedef struct {
  const char *name;
  PetscErrorCode (*create)(const Spaces *s, WeftOp *op);
  int       wanted;      /* inputs whose adjoint is asked for; bit i */
  int       read;        /* inputs whose values that adjoint reads; bit i */
  PetscInt  pattern;     /* planes of constants that every sweep reads */
  PetscReal flops[2][2]; /* per cell in 2D, 3D: of apply, of adjoint */
  PetscBool single;      /* arithmetic in float32 */
} Row;

static PetscErrorCode Diffuse(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateDiffuse(s->velocity, 1e-8, op);
}
static PetscErrorCode Affine(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateAffine(s->velocity, s->pattern, s->pattern, op);
}
static PetscErrorCode Sum(const Spaces *s, WeftOp *op)
{
  static const PetscReal coefficients[] = {0.5, 0.25};
  return WeftOpCreateSum(s->velocity, 2, coefficients, op);
}
static PetscErrorCode Divergence(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateDivergence(s->velocity, s->cells, op);
}
static PetscErrorCode Gradient(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateGradient(s->cells, s->velocity, op);
}
static PetscErrorCode Buoyancy(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateBuoyancy(s->velocity, s->cells, 1.0, op);
}
static PetscErrorCode SquaredError(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateError(s->velocity, WEFT_ERROR_SQUARED, NULL, op);
}
static PetscErrorCode SemiLagrangian(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateAdvect(s->velocity, s->velocity, WEFT_ADVECT_SEMI_LAGRANGIAN, 1e-4, op);
}
static PetscErrorCode MacCormack(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateAdvect(s->cells, s->velocity, WEFT_ADVECT_MACCORMACK, 1e-4, op);
}
static PetscErrorCode Project(const Spaces *s, WeftOp *op)
{
  return WeftOpCreateProject(s->velocity, NULL, op);
}

static PetscErrorCode MakeConvolution(WeftSpace space, PetscInt kernel, WeftOp *op)
{
  const WeftConvolutionOptions options = {kernel, 32, WEFT_ACTIVATION_RELU, WEFT_GHOST_ZERO, PETSC_FALSE, 1};
  return WeftOpCreateConvolution(space, space, &options, op);
}
static PetscErrorCode Convolution3(const Spaces *s, WeftOp *op)
{
  return MakeConvolution(s->single[1], 3, op);
}
static PetscErrorCode Convolution5(const Spaces *s, WeftOp *op)
{
  return MakeConvolution(s->single[1], 5, op);
}
static PetscErrorCode Convolution3Full(const Spaces *s, WeftOp *op)
{
  return MakeConvolution(s->single[0], 3, op);
}
static PetscErrorCode Convolution5Full(const Spaces *s, WeftOp *op)
{
  return MakeConvolution(s->single[0], 5, op);
}

/* Flops: diffusion 5 d + 1 per value; a lookup 4 for each displacement across, 1 + 3 (2^d - 1) to interpolate, as much again and the
   slopes in the adjoint; MacCormack two lookups and the limiter; the projection 2.5 log2 n per value for a real transform, two
   of them per axis but one, 8 for the tridiagonal solve, divergence and gradient. */
#define LOG2 12.0 /* of the cells of an axis in 2D */
#define LOG3 7.6
static const Row planes[] = {
    {"diffuse velocity", Diffuse, 1, 0, 0, {{22, 24}, {48, 51}}, PETSC_FALSE},
    {"affine velocity", Affine, 1, 0, 1, {{4, 4}, {6, 6}}, PETSC_FALSE},
    {"sum of two velocities", Sum, 3, 0, 0, {{6, 8}, {9, 12}}, PETSC_FALSE},
    {"divergence", Divergence, 1, 0, 0, {{5, 6}, {8, 9}}, PETSC_FALSE},
    {"gradient", Gradient, 1, 0, 0, {{4, 6}, {6, 9}}, PETSC_FALSE},
    {"buoyancy", Buoyancy, 3, 0, 0, {{8, 8}, {12, 12}}, PETSC_FALSE},
    {"squared error", SquaredError, 3, 3, 0, {{6, 8}, {9, 12}}, PETSC_FALSE},
    {"semi-Lagrangian of velocity", SemiLagrangian, 3, 3, 0, {{32, 90}, {105, 300}}, PETSC_FALSE},
    {"MacCormack of smoke", MacCormack, 3, 3, 0, {{60, 150}, {120, 300}}, PETSC_FALSE},
    {"project", Project, 1, 0, 0, {{5 * LOG2 + 17, 5 * LOG2 + 19}, {10 * LOG3 + 22, 10 * LOG3 + 25}}, PETSC_FALSE},
};
/* 32 channels; the adjoint has both gradients. */
static const Row features[] = {
    {"convolution 3 x 3, float32", Convolution3, 3, 1, 0, {{18432, 36864}, {0, 0}}, PETSC_TRUE},
    {"convolution 5 x 5, float32", Convolution5, 3, 1, 0, {{51200, 102400}, {0, 0}}, PETSC_TRUE},
    {"convolution 3 x 3, float64", Convolution3Full, 3, 1, 0, {{18432, 36864}, {0, 0}}, PETSC_FALSE},
    {"convolution 5 x 5, float64", Convolution5Full, 3, 1, 0, {{51200, 102400}, {0, 0}}, PETSC_FALSE},
};

/* Bytes of the values of a state, ghosts not counted. */
static double Bytes(WeftSpace space)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(space);
  const PetscInt      *n    = info->grid ? WeftGridLayout(info->grid)->count : NULL;

  if (info->kind == WEFT_NUMBERS) return 8.0 * (double)(info->count * (info->per_sample ? info->batch : 1));
  return (double)n[0] * (double)n[1] * (double)n[2] * (double)info->batch *
         (info->kind == WEFT_PLANES ? 8.0 * (double)info->fields : (info->single ? 4.0 : 8.0) * (double)info->channels);
}

/* What must be moved: each input once and each output once; in the adjoint the adjoints of outputs, the values that it reads, and
   each adjoint of an input back and forth, for it adds. Self-advection has one state for both inputs. */
static void Traffic(const BenchSetup *s, const Row *row, PetscBool self, double bytes[2])
{
  bytes[0] = bytes[1] = (double)row->pattern * Bytes(WeftOpOutSpace(s->op, 0));
  bytes[0] *= 2.0; /* factor and offset; the adjoint reads the factor alone */
  for (PetscInt i = 0; i < WeftOpInputs(s->op) - (self ? 1 : 0); i++) {
    const double input = Bytes(WeftOpInSpace(s->op, i));
    bytes[0] += input;
    if (row->read & 1 << i) bytes[1] += input;
    if (row->wanted & 1 << i) bytes[1] += 2.0 * input;
  }
  for (PetscInt i = 0; i < WeftOpOutputs(s->op); i++) {
    const double output = Bytes(WeftOpOutSpace(s->op, i));
    bytes[0] += output;
    bytes[1] += output;
    if (WeftOpNeeds(s->op) & WEFT_NEEDS_OUTPUTS) bytes[1] += output;
  }
}

static PetscErrorCode Print(const Row *row, PetscInt dim, PetscBool adjoint, double bytes, double flops, double seconds,
                            const Machine *m, WeftSummary summary)
{
  const double memory = 1e-9 * bytes / m->bandwidth, arithmetic = 1e-9 * flops / m->rate[row->single ? 1 : 0];
  const double limit = PetscMax(memory, arithmetic);
  char         key[128];

  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-28s %dD %-7s %9.1f %10.1f %9.2f %9.2f %-9s %7.1f %8.1f %6.0f %%\n", row->name,
                        (int)dim, adjoint ? "adjoint" : "apply", 1e-6 * bytes, 1e-6 * flops, 1e3 * seconds, 1e3 * limit,
                        memory >= arithmetic ? "bandwidth" : "products", 1e-9 * bytes / seconds, 1e-9 * flops / seconds,
                        100.0 * limit / seconds));
#define SET(what, value)                                                                                                       \
  PetscCall(PetscSNPrintf(key, sizeof(key), "rows/%s %dD %s/%s", row->name, (int)dim, adjoint ? "adjoint" : "apply", what));   \
  PetscCall(WeftSummaryReal(summary, key, value))
  SET("bytes", bytes);
  SET("flops", flops);
  SET("seconds", seconds);
  SET("seconds_bandwidth", memory);
  SET("seconds_products", arithmetic);
#undef SET
  PetscFunctionReturn(0);
}

static PetscErrorCode Measure(const Row *row, const Spaces *spaces, const Machine *m, WeftSummary summary)
{
  const WeftLayout *l     = WeftGridLayout(spaces->grid);
  const double      cells = (double)l->count[0] * (double)l->count[1] * (double)l->count[2];
  double            bytes[2], seconds[RUNS];
  PetscBool         self;
  BenchSetup        s;
  WeftOp            op;

  PetscFunctionBegin;
  PetscCall(row->create(spaces, &op));
  PetscCall(BenchSetupCreate(PETSC_COMM_WORLD, op, 0.1, &s));
  self = row->create == SemiLagrangian ? PETSC_TRUE : PETSC_FALSE;
  if (self) { /* one state for both */
    PetscCall(WeftStateDestroy(&s.x[1]));
    PetscCall(WeftStateDestroy(&s.x_bar[1]));
    s.x[1]     = s.x[0];
    s.x_bar[1] = s.x_bar[0];
  }
  Traffic(&s, row, self, bytes);
  PetscCall(BenchApply(&s, RUNS, seconds));
  PetscCall(Print(row, spaces->dim, PETSC_FALSE, bytes[0], cells * row->flops[spaces->dim - 2][0], BenchMedian(RUNS, seconds),
                  m, summary));
  PetscCall(BenchAdjoint(&s, row->wanted, RUNS, seconds));
  PetscCall(Print(row, spaces->dim, PETSC_TRUE, bytes[1], cells * row->flops[spaces->dim - 2][1], BenchMedian(RUNS, seconds), m,
                  summary));
  if (self) s.x[1] = s.x_bar[1] = NULL;
  PetscCall(BenchSetupDestroy(&s));
  PetscFunctionReturn(0);
}

/* Same cells per rank whatever their number: ranks are laid along the slowest axis. */
static PetscErrorCode Fields(PetscInt dim, const Machine *m, WeftSummary summary)
{
  PetscInt     cells[3] = {dim == 2 ? 4096 : 192, dim == 2 ? 2048 : 192, 192};
  PetscMPIInt  ranks;
  Spaces       s    = {.dim = dim};
  WeftLocation at   = WEFT_CELL;
  const char  *name = "smoke";

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  cells[dim - 1] *= ranks;
  PetscCall(BenchGrid(PETSC_COMM_WORLD, dim, cells, WEFT_SIDE_PERIODIC, 1, &s.grid));
  PetscCall(WeftSpaceCreateVelocity(s.grid, 1, &s.velocity));
  PetscCall(WeftSpaceCreatePlanes(s.grid, 1, 1, &name, &at, &s.cells));
  PetscCall(WeftStateCreate(s.velocity, &s.pattern));
  PetscCall(WeftStateSetRandom(s.pattern, 1, 0, 0.5, 0.1));
  for (size_t i = 0; i < sizeof(planes) / sizeof(planes[0]); i++) PetscCall(Measure(&planes[i], &s, m, summary));
  PetscCall(WeftStateDestroy(&s.pattern));
  PetscCall(WeftSpaceDestroy(&s.velocity));
  PetscCall(WeftSpaceDestroy(&s.cells));
  PetscCall(WeftGridDestroy(&s.grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Features(const Machine *m, WeftSummary summary)
{
  PetscInt    cells[2] = {512, 512};
  PetscMPIInt ranks;
  Spaces      s = {.dim = 2};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  cells[1] *= ranks;
  PetscCall(BenchGrid(PETSC_COMM_WORLD, 2, cells, WEFT_SIDE_PERIODIC, 4, &s.grid));
  for (PetscInt single = 0; single < 2; single++)
    PetscCall(WeftSpaceCreateChannels(s.grid, 1, 32, 2, (PetscBool)single, &s.single[single]));
  for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) PetscCall(Measure(&features[i], &s, m, summary));
  for (PetscInt single = 0; single < 2; single++) PetscCall(WeftSpaceDestroy(&s.single[single]));
  PetscCall(WeftGridDestroy(&s.grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(PetscInt words, char *word[])
{
  Machine     m = {0.0, 0.0, {0.0, 0.0}, ""};
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("roofline", &summary));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "Per rank, all ranks at once. Matrix products of %d^3:\n", ORDER));
  PetscCall(Products(words > 1 ? word[1] : NULL, &m));
  PetscCall(Bandwidth(&m.bandwidth, &m.streaming));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD,
                        "Best float32 product %.1f GFLOP/s (%s), float64 %.1f; triad %.1f GB/s, with streaming stores %.1f; "
                        "kernels of convolutions: %s (Winograd's flops counted as those of the direct sum)\n\n",
                        m.rate[1], m.library, m.rate[0], m.bandwidth, m.streaming, WeftKernelsName()));
  PetscCall(WeftSummaryReal(summary, "triad", 1e9 * m.bandwidth));
  PetscCall(WeftSummaryReal(summary, "triad_streaming", 1e9 * m.streaming));
  PetscCall(WeftSummaryReal(summary, "sgemm", 1e9 * m.rate[1]));
  PetscCall(WeftSummaryReal(summary, "dgemm", 1e9 * m.rate[0]));
  PetscCall(WeftSummaryString(summary, "blas", m.library));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-28s    %-7s %9s %10s %9s %9s %-9s %7s %8s %8s\n", "operator", "", "MB", "Mflop",
                        "ms", "limit ms", "by", "GB/s", "GFLOP/s", "of limit"));
  PetscCall(Fields(2, &m, summary));
  PetscCall(Fields(3, &m, summary));
  PetscCall(Features(&m, summary));
  if (words > 0) PetscCall(WeftSummaryWrite(summary, word[0]));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  /* every rank is one thread */
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("MKL_NUM_THREADS", "1", 1);
  setenv("BLIS_NUM_THREADS", "1", 1);
  return BenchRun(argc, argv, Bench);
}
