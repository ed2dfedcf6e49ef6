#!/bin/sh
# ctest: long; timeout 3600
# A wake of 1000 steps on 128 x 256 with the published net inside is differentiated in 256 MB of resident memory a rank, on 1 and on 2,
# with the bytes and the plays that were predicted; with checkpoints on disk the gradient is the same byte for byte.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_long_rollout: $*" >&2; exit 1; }
run() { # name, ranks, options
  name=$1 ranks=$2
  shift 2
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" check "$WEFT_SOURCE/cases/wake/train.yaml" -grid_cells 128,256 -model_viscosity_scaling physical \
    -model_reynolds 100 -net_gain 0.01 -train_batch 1 -train_unroll 1000 -train_loss_every 100 -check_operators no -check_rollout no \
    -check_spinup 20 -output "$name" "$@" >"$name.log" 2>&1 || { cat "$name.log"; fail "$name"; }
  grep "^tape: .*resident" "$name.log"
}
value() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }

run memory 1 -tape_memory 105MB
run disk 1 -tape_memory 105MB -tape_disk "$folder"
run two 2 -tape_memory 90MB
for name in memory disk two; do
  [ "$(value $name resident_bytes_most)" -le 256000000 ] || fail "$name: a process took $(value $name resident_bytes_most) bytes"
  [ "$(value $name tape_played_again_measured)" = "$(value $name tape_played_again_predicted)" ] || fail "$name: other plays than predicted"
  awk -v m="$(value $name tape_bytes_measured)" -v p="$(value $name tape_bytes_predicted)" 'BEGIN { exit !(m >= p && m <= 1.1 * p) }' || fail "$name: other bytes than predicted"
done
h5diff memory/gradient.h5 disk/gradient.h5 || fail "another gradient with checkpoints on disk"
