/* From bytes to a schedule: how many checkpoints, where, and how many records. */
#include <errno.h>
#include <unistd.h>
#include "tape/impl.h"

static double Bytes(const WeftTapeSizes *s, const WeftTapePlan *p)
{
  const PetscInt stored = p->slots - p->on_disk + (p->on_disk ? WEFT_DISK_BUFFERS : 0);
  return (double)s->shared + (double)stored * (double)s->slot + (double)(p->records + 1) * (double)s->place + (double)p->records * (double)s->record;
}

size_t WeftTapeBytes(const WeftTapeSizes *sizes, const WeftTapePlan *plan) { return (size_t)Bytes(sizes, plan); }

/* The most checkpoints that `records` records leave room for, and that are of use. */
static PetscBool Slots(const WeftTapeSizes *sizes, PetscInt length, double budget, PetscInt on_disk, PetscInt records, WeftTapePlan *plan)
{
  const PetscInt     most  = (length + records - 1) / records; /* one before every block */
  const WeftTapePlan bare  = {0, 0, records};
  const double       room  = (budget - Bytes(sizes, &bare)) / (double)sizes->slot;
  PetscInt           slots = room < (double)most ? (PetscInt)room : most;

  *plan = (WeftTapePlan){slots, 0, records};
  if (room < 1.0) return PETSC_FALSE;
  if (slots == most || !on_disk || slots < 1 + WEFT_DISK_BUFFERS) return PETSC_TRUE;
  slots -= WEFT_DISK_BUFFERS;
  *plan = (WeftTapePlan){slots, PetscMin(on_disk, most - slots), records};
  plan->slots += plan->on_disk;
  return PETSC_TRUE;
}

/* More records leave less room for checkpoints: the best share of the two is searched. */
PetscBool WeftTapePlanWithin(const WeftTapeSizes *sizes, PetscInt length, size_t budget, PetscInt on_disk, WeftTapePlan *plan)
{
  PetscInt64   least = -1;
  WeftTapePlan one;

  *plan = (WeftTapePlan){0, 0, length};
  if (!budget || Bytes(sizes, plan) <= (double)budget) return PETSC_TRUE;
  for (PetscInt records = 1; records < length && Slots(sizes, length, (double)budget, on_disk, records, &one); records++) {
    const PetscInt64 extra = WeftScheduleExtra(length, one.slots, records);
    if (least >= 0 && extra >= least) continue;
    least = extra;
    *plan = one;
  }
  return least >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* Room on the disk of every rank: fewer slots than asked for mean more plays, and a warning. */
static PetscErrorCode TakeDisk(WeftRollout r, size_t bytes, PetscInt wanted, PetscInt *got, WeftDisk *disk)
{
  PetscInt agreed;
  int      error[2] = {0, 0}; /* the folder cannot be used at all; it is full */

  PetscFunctionBegin;
  *disk = NULL;
  PetscCall(WeftDiskCreate(r->options.disk, wanted, bytes, WEFT_DISK_BUFFERS, got, &error[1], disk));
  if (error[1] && error[1] != ENOSPC && error[1] != EDQUOT && error[1] != EFBIG) error[0] = error[1];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, error, 2, MPI_INT, MPI_MAX, r->comm));
  PetscCallMPI(MPI_Allreduce(got, &agreed, 1, MPIU_INT, MPI_MIN, r->comm));
  if (error[0] || !agreed) PetscCall(WeftDiskDestroy(disk));
  if (error[0]) return WeftFailKey(r->comm, "tape_disk", "cannot write checkpoints in folder %s: %s; name a folder on a disk of this node", r->options.disk, strerror(error[0]));
  if (agreed < wanted) PetscCall(WeftWarn("tape_disk: %s has room for %" PetscInt_FMT " of %" PetscInt_FMT " checkpoints of %.4g MB on a rank (%s); more steps are played again instead", r->options.disk, agreed, wanted, 1e-6 * (double)bytes, strerror(error[1] ? error[1] : ENOSPC)));
  *got = agreed;
  PetscFunctionReturn(0);
}

static PetscErrorCode FailBudget(WeftRollout r, const WeftTapeSizes *sizes)
{
  const WeftTapePlan least = {1, 0, 1};

  PetscFunctionBegin;
  PetscFunctionReturn(WeftFail(r->comm, "tape_memory: a rank needs at least %.4g MB for the tape of a rollout (two states of %.4g MB, a checkpoint, a record of %.4g MB, adjoints), more than the %.4g MB allowed; raise -tape_memory, lower the batch or use more ranks", 1e-6 * Bytes(sizes, &least), 1e-6 * (double)sizes->place, 1e-6 * (double)sizes->record, 1e-6 * (double)r->options.memory));
}

/* More than the whole memory of a node would be promised by the allocator, and end in a kill. The ranks of a replica agree on the sizes,
   and all replicas are alike: each rank of the node takes as much, whichever replica it belongs to. */
static PetscErrorCode CheckNode(WeftRollout r, const WeftTapeSizes *sizes)
{
  const double bytes = Bytes(sizes, &r->plan), memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  struct {
    double share; /* of the node's memory; not above 0: the system does not tell */
    int    rank;
  } fullest = {memory > 0.0 ? bytes * (double)WeftNodeRanks() / memory : 0.0, 0};
  double told[2] = {(double)WeftNodeRanks(), memory};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(r->comm, &fullest.rank));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fullest, 1, MPI_DOUBLE_INT, MPI_MAXLOC, r->comm));
  if (fullest.share <= 1.0) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Bcast(told, 2, MPI_DOUBLE, fullest.rank, r->comm));
  PetscFunctionReturn(WeftFail(r->comm, "the tape of %" PetscInt_FMT " steps takes %.4g GB on each of the %g ranks of a node, more than the node's %.4g GB in all; give it a budget with -tape_memory (per rank), within which steps are played again from checkpoints, lower the batch or use more nodes", r->options.length, 1e-9 * bytes, told[0], 1e-9 * told[1]));
}

PetscErrorCode WeftRolloutPlan(WeftRollout r, const WeftTapeSizes *sizes, const WeftTapePlan *given, WeftDisk *disk)
{
  const WeftRolloutOptions *o = &r->options;
  uint64_t                  largest[4] = {sizes->slot, sizes->place, sizes->record, sizes->shared};
  WeftTapeSizes             all;
  PetscInt                  slots = 0;

  PetscFunctionBegin;
  *disk = NULL;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, largest, 4, MPI_UINT64_T, MPI_MAX, r->comm));
  all = (WeftTapeSizes){largest[0], largest[1], largest[2], largest[3]};
  if (o->disk[0]) slots = o->disk_memory ? (PetscInt)PetscMin((double)o->disk_memory / (double)all.slot, (double)o->length) : o->length;
  if (given) r->plan = *given;
  else if (!WeftTapePlanWithin(&all, o->length, o->memory, slots, &r->plan)) PetscFunctionReturn(FailBudget(r, &all));
  PetscCall(CheckNode(r, &all));
  if (!r->plan.on_disk) PetscFunctionReturn(0);
  PetscCall(TakeDisk(r, all.slot, r->plan.on_disk, &slots, disk));
  if (slots == r->plan.on_disk) PetscFunctionReturn(0);
  if (given) { /* a plan of one's own keeps its records */
    r->plan.slots -= r->plan.on_disk - slots;
    r->plan.on_disk = slots;
  } else (void)WeftTapePlanWithin(&all, o->length, o->memory, slots, &r->plan);
  if (!r->plan.on_disk) PetscCall(WeftDiskDestroy(disk));
  PetscFunctionReturn(0);
}
