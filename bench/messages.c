/* What a message costs between the first and the last rank (on several nodes: across the network), what a sum over all ranks costs,
   and how much memory bandwidth a rank keeps when all are at work: the machine's numbers in the model of docs/scaling.md.
     mpirun -n 2 build/bench/bench_messages [FILE.json]
   Half the time of a message there and back, the median of RUNS; latency: that of 8 bytes; bandwidth: the bytes between two sizes
   over the time between them, so that the latency is not in it. */
#include "base/kernel.h"
#include "support.h"

#define RUNS 200
#define SIZES 5

static PetscErrorCode PingPong(MPI_Comm comm, int bytes, char *buffer, double *seconds)
{
  double      time[RUNS];
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  for (PetscInt n = 0; n < RUNS; n++) {
    const double begin = MPI_Wtime();
    if (rank == 0) {
      PetscCallMPI(MPI_Send(buffer, bytes, MPI_BYTE, size - 1, 1, comm));
      PetscCallMPI(MPI_Recv(buffer, bytes, MPI_BYTE, size - 1, 1, comm, MPI_STATUS_IGNORE));
    } else if (rank == size - 1) {
      PetscCallMPI(MPI_Recv(buffer, bytes, MPI_BYTE, 0, 1, comm, MPI_STATUS_IGNORE));
      PetscCallMPI(MPI_Send(buffer, bytes, MPI_BYTE, 0, 1, comm));
    }
    time[n] = 0.5 * (MPI_Wtime() - begin);
  }
  *seconds = BenchMedian(RUNS, time);
  PetscFunctionReturn(0);
}

static PetscErrorCode Sum(MPI_Comm comm, int values, double *buffer, double *seconds)
{
  double time[RUNS];

  PetscFunctionBegin;
  for (PetscInt n = 0; n < RUNS; n++) {
    double begin;
    PetscCallMPI(MPI_Barrier(comm));
    begin = MPI_Wtime();
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, buffer, values, MPI_DOUBLE, MPI_MAX, comm));
    time[n] = MPI_Wtime() - begin;
  }
  *seconds = BenchMedian(RUNS, time);
  PetscFunctionReturn(0);
}

/* ---- triad ------------------------------------------------------------------------------------------------------------ */

WEFT_KERNEL static void TriadLoop(PetscInt n, double *restrict a, const double *restrict b, const double *restrict c, double s)
{
  for (PetscInt i = 0; i < n; i++) a[i] = b[i] + s * c[i];
}

/* GB/s of a = b + s c (24 bytes a value) on arrays of n values: of the first rank while the others wait, and of the slowest one while
   all run. */
static PetscErrorCode Triad(PetscInt n, double rate[2])
{
  const PetscInt passes = PetscMax(1, (1 << 22) / n); /* the clock is read after 100 MB at least */
  double         best[2] = {PETSC_MAX_REAL, PETSC_MAX_REAL}, *a, *b, *c;
  PetscMPIInt    rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(PetscMalloc3(n, &a, n, &b, n, &c));
  for (PetscInt i = 0; i < n; i++) a[i] = 0.0, b[i] = 1.0, c[i] = 2.0;
  for (PetscInt run = 0; run < 20; run++)
    for (PetscInt together = 0; together < 2; together++) {
      double begin;
      PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
      begin = MPI_Wtime();
      for (PetscInt pass = 0; pass < passes && (together || rank == 0); pass++) TriadLoop(n, a, b, c, 3.0);
      if (together || rank == 0) best[together] = PetscMin(best[together], MPI_Wtime() - begin);
    }
  for (PetscInt together = 0; together < 2; together++) {
    rate[together] = 24e-9 * (double)n * (double)passes / best[together];
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &rate[together], 1, MPI_DOUBLE, together ? MPI_MIN : MPI_MAX, PETSC_COMM_WORLD));
  }
  PetscCall(PetscFree3(a, b, c));
  PetscFunctionReturn(0);
}

static PetscErrorCode Memory(WeftSummary summary)
{
  static const PetscInt    values[] = {1 << 18, 1 << 23}; /* a field of 512 x 512; far out of cache */
  static const char *const names[]  = {"field", "memory"};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 2; i++) {
    double rate[2];
    char   key[64];
    PetscCall(Triad(values[i], rate));
    PetscCall(WeftLog("triad on three arrays of %d MB: %.1f GB/s of one rank alone, %.1f of each when all are at work", (int)(values[i] >> 17), rate[0], rate[1]));
    PetscCall(PetscSNPrintf(key, sizeof(key), "triad/%s", names[i]));
    PetscCall(WeftSummaryRealList(summary, key, 2, rate));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Messages(PetscInt words, char *word[])
{
  static const int bytes[SIZES] = {8, 1024, 16384, 262144, 1048576};
  double           seconds[SIZES], sum[2];
  WeftSummary      summary;
  PetscMPIInt      size;
  double          *buffer;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  WeftCheck(size > 1, PETSC_COMM_WORLD, "messages go between ranks: start at least 2");
  PetscCall(PetscCalloc1(bytes[SIZES - 1] / 8, &buffer));
  for (PetscInt s = 0; s < SIZES; s++) {
    PetscCall(PingPong(PETSC_COMM_WORLD, bytes[s], (char *)buffer, &seconds[s]));
    PetscCall(WeftLog("message of %8d bytes  %9.2f us", bytes[s], 1e6 * seconds[s]));
  }
  PetscCall(WeftLog("latency %.2f us, bandwidth %.2f GB/s (%d to %d bytes), %.2f GB/s (%d to %d bytes)", 1e6 * seconds[0], 1e-9 * (bytes[2] - bytes[0]) / (seconds[2] - seconds[0]), bytes[0], bytes[2], 1e-9 * (bytes[4] - bytes[2]) / (seconds[4] - seconds[2]), bytes[2], bytes[4]));
  PetscCall(Sum(PETSC_COMM_WORLD, 1, buffer, &sum[0]));
  PetscCall(Sum(PETSC_COMM_WORLD, 47332, buffer, &sum[1]));
  PetscCall(WeftLog("sum over %d ranks: %.2f us of 8 bytes, %.1f us of 378656 bytes", size, 1e6 * sum[0], 1e6 * sum[1]));
  PetscCall(WeftSummaryCreate("messages", &summary));
  PetscCall(WeftSummaryReal(summary, "latency", seconds[0]));
  PetscCall(WeftSummaryReal(summary, "bandwidth_16kB", (bytes[2] - bytes[0]) / (seconds[2] - seconds[0])));
  PetscCall(WeftSummaryReal(summary, "bandwidth_1MB", (bytes[4] - bytes[2]) / (seconds[4] - seconds[2])));
  PetscCall(WeftSummaryRealList(summary, "sum", 2, sum));
  PetscCall(Memory(summary));
  if (words) PetscCall(WeftSummaryWrite(summary, word[0]));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Messages);
}
