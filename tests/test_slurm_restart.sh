#!/usr/bin/env bash
# ctest: long cluster; timeout 1200
# Jobs that end early and go on, on a real Slurm of one node. Side by side run: a training by srun and one by mpirun that their time limit
# of a minute ends three times, one that scancel ends, one that scontrol requeues, and one whose node is drained. None has an end of its
# own, so that the speed of the machine does not matter; then all go on to one number of updates, and have the weights of a training
# that nobody ended. An array makes a sweep.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v slurmctld munged sbatch >/dev/null || { echo "skipped: needs root and the packages slurm-wlm and munge"; exit 77; }
work=$(mktemp -d)
chmod 755 "$work"
trap 'scancel --user=root 2>/dev/null || true; "$WEFT_SOURCE/tests/slurm.sh" stop "$work/slurm"; rm -rf "$work"' EXIT
unset OMPI_MCA_rmaps_base_oversubscribe
"$WEFT_SOURCE/tests/slurm.sh" start "$work/slurm" 10
export SLURM_CONF=$work/slurm/slurm.conf WEFT_COMMAND WEFT_MPIRUN="mpirun --oversubscribe --bind-to none"
cd "$work"
fail() { echo "test_slurm_restart: $*" >&2; squeue >&2; tail -n 20 ./*.log >&2; exit 1; }
state() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
await() { # await SECONDS WHAT COMMAND...: until the command is true
  local seconds=$1 what=$2
  shift 2
  for _ in $(seq $((2 * seconds))); do
    "$@" && return
    sleep 0.5
  done
  fail "waited $seconds s for $what"
}
over() { case $(state "$1") in COMPLETED | FAILED | TIMEOUT | CANCELLED | NODE_FAIL | "") return 0 ;; *) return 1 ;; esac; }
resumed() { # resumed FOLDER TIMES: has it gone on so often?
  local times
  times=$(grep -c "resuming at update" "$1.log") || true
  [ "$times" -ge "$2" ]
}
updated() { [ -s "$1/train.csv" ] && [ "$(wc -l <"$1/train.csv")" -gt 3 ]; }
newest() { # update of the newest checkpoint in the folder
  local file
  file=$(ls "$1" | sed -n '/^checkpoint_[0-9]*\.h5$/p' | sort | tail -n 1)
  file=${file#checkpoint_}
  echo $((10#${file%.h5}))
}
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 64], upper: [100, 400]}
dataset: {refine: 1, skip: 20, frames: 12, reynolds: [100, 400], test_reynolds: [300]}
train: {unroll: 4, batch: 4, batch_same: "", dataset: $work/data/train.h5, checkpoint_every: 1000000}
optimizer: {schedule: constant} # others depend on the number of updates
END
launch="mpirun --oversubscribe --bind-to none -n 2 $WEFT_COMMAND"
$launch dataset case.yaml -output data >/dev/null
job() { # job FOLDER SCRIPT UPDATES OPTIONS OF SBATCH...
  local folder=$1 script=$2 updates=$3
  shift 3
  sbatch --parsable -n 2 --output="$folder.log" "$@" "$WEFT_SOURCE/jobscripts/$script.sbatch" case.yaml -train_updates "$updates" -output "$folder"
}

# Slurm looks at time limits every 30 s, and signals up to so much earlier than asked for.
declare -A id
id[limit]=$(job limit train 1000000 --time=1 --signal=USR1@10)
id[limit_mpirun]=$(job limit_mpirun train_mpirun 1000000 --time=1 --signal=B:USR1@10)
for folder in cancelled requeued drained; do id[$folder]=$(job $folder train 1000000); done
for folder in cancelled requeued drained; do await 60 "$folder to start" updated $folder; done

scancel "${id[cancelled]}" # SIGTERM, and KillWait to write the checkpoint
await 60 "the end after scancel" over "${id[cancelled]}"
await 10 "the checkpoint after scancel" [ -e cancelled/weights.h5 ]
before=$(newest cancelled)
id[cancelled]=$(job cancelled train 1000000)
scontrol requeue "${id[requeued]}"
scontrol update nodename="$(hostname -s)" state=drain reason=test
scontrol requeue "${id[drained]}"
sleep 15 # longer than a requeued job waits
resumed drained 1 && fail "a job started on a drained node"
scontrol update nodename="$(hostname -s)" state=resume
for folder in cancelled requeued drained; do await 120 "$folder to go on" resumed $folder 1; done
grep -q "resuming at update $before " cancelled.log || fail "did not go on from the checkpoint that scancel left (update $before)"
for folder in limit limit_mpirun; do
  await 400 "the third end of $folder by its time limit" resumed $folder 3
  grep -q "CANCELLED.*DUE TO TIME LIMIT" $folder.log && fail "$folder did not end before its time limit"
done

updates=0
for folder in "${!id[@]}"; do
  scancel "${id[$folder]}"
  await 60 "the end of $folder" over "${id[$folder]}"
done
sleep 6 # KillWait
for folder in "${!id[@]}"; do
  here=$(newest "$folder")
  echo "$folder: update $here, gone on $(grep -c 'resuming at update' "$folder.log") times"
  [ "$here" -le "$updates" ] || updates=$here
done
updates=$((updates + 3))
for folder in "${!id[@]}"; do id[$folder]=$(job "$folder" train $updates); done
$launch train case.yaml -train_updates $updates -output whole >/dev/null
for folder in "${!id[@]}"; do
  await 300 "$folder to finish" over "${id[$folder]}"
  [ "$(state "${id[$folder]}")" = COMPLETED ] || fail "$folder ended as $(state "${id[$folder]}")"
  for array in /weights /optimizer/mean /optimizer/square; do
    h5diff whole/weights.h5 "$folder/weights.h5" $array || fail "$folder has other $array than the training that nobody ended"
  done
done

printf '%s\n' "-optimizer_rate 1e-3" "-optimizer_rate 1e-4 -seed 2" >rates.txt
sbatch --wait --array=1-2 --output=sweep-%a.log "$WEFT_SOURCE/jobscripts/sweep.sbatch" rates.txt train case.yaml -train_updates 3 >/dev/null || fail "sweep"
[ -s output/rates/1/weights.h5 ] && [ -s output/rates/2/weights.h5 ] || fail "the sweep lacks a run"
