#!/bin/sh
# Trains the net of a case in every way that cases/CASE/couplings.txt lists, with several seeds, plays the test simulations with each, and
# compares all of them in one table and one plot.
#   cases/couplings.sh CASE                 makes the dataset if there is none, trains what is not there yet
#   cases/couplings.sh --report CASE        table and plot of the results that are there
# In the environment: WEFT, the command (default build/weft; "mpirun -n 2 build/weft" works too), SEEDS (default "1 2 3"), OUTPUT
# (default output/CASE/couplings: NAME.SEED/ with the training, rollout/ in it; table.md, errors.svg), DATASET (default output/CASE/dataset).
set -eu
report=no
[ "${1-}" = --report ] && { report=yes; shift; }
[ $# = 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
case=$1
here=$(dirname "$0")
weft=${WEFT:-build/weft}
seeds=${SEEDS:-1 2 3}
output=${OUTPUT:-output/$case/couplings}
dataset=${DATASET:-output/$case/dataset}
rows=$here/$case/couplings.txt
[ -f "$rows" ] || { echo "there is no $rows: the rows to compare" >&2; exit 2; }
mkdir -p "$output"

if [ $report = no ]; then
  [ -f "$dataset/test.h5" ] || $weft dataset "$here/$case/dataset.yaml" -output "$dataset"
  for seed in $seeds; do
    grep -v '^#' "$rows" | while IFS='|' read -r name label train rollout; do
      folder=$output/$(echo $name).$seed
      [ -f "$folder/rollout/summary.json" ] && continue
      # words of the options are split on purpose
      $weft train "$here/$case/train.yaml" -train_dataset "$dataset/train.h5" -seed "$seed" $train -output "$folder" </dev/null >"$folder.txt" 2>&1 &&
      $weft rollout "$here/$case/rollout.yaml" -rollout_dataset "$dataset/test.h5" -rollout_weights "$folder/weights.h5" -rollout_average 100,300 \
        -rollout_series -1 $rollout -output "$folder/rollout" </dev/null >>"$folder.txt" 2>&1 || { tail -3 "$folder.txt" >&2; exit 1; }
      echo "$folder: done"
    done
  done
fi
awk -v seeds="$seeds" -v output="$output" -v title="$case" -f "$here/couplings.awk" "$rows"
