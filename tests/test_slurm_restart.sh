#!/usr/bin/env bash
# ctest: long cluster; timeout 900
# Jobs that end early and go on, on a real Slurm of one node: a training that its time limit ends three times, by srun and by mpirun, has
# the weights of the uninterrupted one; so has one that scancel ends, one that scontrol requeues, and one whose node is drained. An
# array makes a sweep.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v slurmctld munged sbatch >/dev/null || { echo "skipped: needs root and the packages slurm-wlm and munge"; exit 77; }
work=$(mktemp -d)
chmod 755 "$work"
trap '"$WEFT_SOURCE/tests/slurm.sh" stop "$work/slurm"; rm -rf "$work"' EXIT
unset OMPI_MCA_rmaps_base_oversubscribe
"$WEFT_SOURCE/tests/slurm.sh" start "$work/slurm"
export SLURM_CONF=$work/slurm/slurm.conf WEFT_COMMAND WEFT_MPIRUN="mpirun --oversubscribe --bind-to none"
cd "$work"
fail() { echo "test_slurm_restart: $*" >&2; tail -n 20 ./*.log >&2; exit 1; }
state() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
ended() { # waits until the job is over for good, requeues included
  for _ in $(seq 900); do
    case $(state "$1") in COMPLETED | FAILED | TIMEOUT | CANCELLED | NODE_FAIL | "") return ;; esac
    sleep 0.5
  done
  fail "job $1 does not end"
}
running() { # waits until the training of that folder has resumed often enough and writes
  for _ in $(seq 240); do
    [ -s "$1/train.csv" ] && return
    sleep 0.5
  done
  fail "$1 does not start"
}
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 64], upper: [100, 400]}
dataset: {refine: 1, skip: 20, frames: 12, reynolds: [100, 400], test_reynolds: [300]}
train: {unroll: 4, batch: 4, batch_same: "", dataset: $work/data/train.h5}
END
launch="mpirun --oversubscribe --bind-to none -n 2 $WEFT_COMMAND"
$launch dataset case.yaml -output data >/dev/null
updates=${WEFT_UPDATES:-2400}
$launch train case.yaml -deterministic -train_updates "$updates" -output whole >/dev/null
same() { h5diff whole/weights.h5 "$1/weights.h5" /weights || fail "$1 has other weights than the uninterrupted training"; }
resumed() { grep -c "resuming at update" "$1" || true; }
job() { sbatch --parsable "$@"; }
options="case.yaml -deterministic -train_updates $updates"

# The signal comes about 20 s after the start, so that three are needed.
for script in train train_mpirun; do
  signal=USR1@100
  [ $script = train ] || signal=B:USR1@100
  id=$(job -n 2 --time=2 --signal="$signal" --output="$script.log" "$WEFT_SOURCE/jobscripts/$script.sbatch" $options -output "$script")
  ended "$id"
  [ "$(state "$id")" = COMPLETED ] || fail "$script ended as $(state "$id")"
  echo "$script: resumed $(resumed "$script.log") times"
  [ "$(resumed "$script.log")" -ge 2 ] || fail "$script was not interrupted"
  same $script
done

# scancel: SIGTERM and KillWait; the same line goes on
id=$(job -n 2 --output=cancelled.log "$WEFT_SOURCE/jobscripts/train.sbatch" $options -train_checkpoint_every 100 -output cancelled)
running cancelled
scancel "$id"
ended "$id"
id=$(job -n 2 --output=cancelled.log "$WEFT_SOURCE/jobscripts/train.sbatch" $options -output cancelled)
ended "$id"
[ "$(resumed cancelled.log)" = 1 ] || fail "did not go on after scancel"
same cancelled

# scontrol requeue, and a drained node
id=$(job -n 2 --output=requeued.log "$WEFT_SOURCE/jobscripts/train.sbatch" $options -train_checkpoint_every 100 -output requeued)
running requeued
scontrol requeue "$id"
ended "$id"
[ "$(resumed requeued.log)" -ge 1 ] || fail "did not go on after scontrol requeue"
same requeued
id=$(job -n 2 --output=drained.log "$WEFT_SOURCE/jobscripts/train.sbatch" $options -train_checkpoint_every 100 -output drained)
running drained
scontrol update nodename="$(hostname -s)" state=drain reason=test
scontrol requeue "$id"
sleep 2
scontrol update nodename="$(hostname -s)" state=resume
ended "$id"
[ "$(resumed drained.log)" -ge 1 ] || fail "did not go on after the drain"
same drained

printf '%s\n' "-optimizer_rate 1e-3" "-optimizer_rate 1e-4 -seed 2" >rates.txt
sbatch --wait --array=1-2 --output=sweep-%a.log "$WEFT_SOURCE/jobscripts/sweep.sbatch" rates.txt train case.yaml -train_updates 3 >/dev/null || fail "sweep"
[ -s output/rates/1/weights.h5 ] && [ -s output/rates/2/weights.h5 ] || fail "the sweep lacks a run"
