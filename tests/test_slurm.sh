#!/usr/bin/env bash
# ctest: cluster; timeout 240
# Every job script, accepted and run by a real Slurm of one node: a small wake dataset, a few updates, an evaluation, scaling.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v slurmctld munged sbatch >/dev/null || { echo "skipped: needs root and the packages slurm-wlm and munge"; exit 77; }
work=$(mktemp -d)
chmod 755 "$work"
trap '"$WEFT_SOURCE/tests/slurm.sh" stop "$work/slurm"; rm -rf "$work"' EXIT
unset OMPI_MCA_rmaps_base_oversubscribe
"$WEFT_SOURCE/tests/slurm.sh" start "$work/slurm"
export SLURM_CONF=$work/slurm/slurm.conf WEFT_COMMAND
cd "$work"

run() { # run SCRIPT ARGUMENTS...: submits, waits, fails with the log of the job
  local script=$1
  shift
  sbatch --wait --output="$script.log" "$WEFT_SOURCE/jobscripts/$script.sbatch" "$@" >/dev/null || { echo "$script failed:"; cat "$script.log"; exit 1; }
}
case=$WEFT_SOURCE/cases/wake
small="-dataset_skip 20 -dataset_frames 12 -dataset_reynolds 97.65625,195.3125 -dataset_test_reynolds 73.2421875"
run dataset "$case/dataset.yaml" $small -output data
run train "$case/train.yaml" -train_dataset data/train.h5 -train_updates 4 -output trained
run rollout "$case/rollout.yaml" -rollout_dataset data/test.h5 -rollout_weights trained/weights.h5 -rollout_steps 5 -output evaluated
run scaling "$case/train.yaml" -train_dataset data/train.h5
for summary in data trained evaluated output/scaling/space-1 output/scaling/space-2 output/scaling/replicas-2; do
  test -s "$summary/summary.json" || { echo "no $summary/summary.json"; exit 1; }
done
