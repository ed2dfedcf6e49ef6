/* What a message costs between the first and the last rank (on several nodes: across the network), and what a sum over all ranks
   costs: the machine's numbers in the model of docs/scaling.md.
     mpirun -n 2 build/bench_messages
   Half the time of a message there and back, the median of RUNS; latency: that of 8 bytes; bandwidth: the bytes between two sizes
   over the time between them, so that the latency is not in it. */
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

static PetscErrorCode Messages(PetscInt words, char *word[])
{
  static const int bytes[SIZES] = {8, 1024, 16384, 262144, 1048576};
  double           seconds[SIZES], sum[2];
  PetscMPIInt      size;
  double          *buffer;

  PetscFunctionBegin;
  (void)words;
  (void)word;
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
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Messages);
}
