#!/bin/sh
# ctest: case; timeout 240
# Twelve updates at once, and six, then a resumed training up to twelve: the same weights, optimiser and metrics bit for bit, past an
# end of an epoch and of a stage of the schedule.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_resume: $*" >&2; exit 1; }
weft() { mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@" >log 2>&1 || { cat log; fail "weft $*"; }; }
train() { weft train "$WEFT_SOURCE/cases/wake/train.yaml" -train_dataset data/train.h5 -optimizer_schedule step -optimizer_decay_every 4 "$@"; }
array() { h5dump -d "$2" -m %.17g "$1/weights.h5" | tail -n +2; } # without the name of the file
same() { # file of the whole training
  array resumed "$1" >resumed.txt
  array whole "$1" >whole.txt
  [ "$(wc -l <whole.txt)" -gt 1000 ] || fail "no $1"
  cmp -s resumed.txt whole.txt || fail "$1 of the resumed training differs"
}

weft dataset "$WEFT_SOURCE/cases/wake/dataset.yaml" -dataset_refine 1 -dataset_reynolds 100,400 -dataset_skip 20 -dataset_frames 17 -output data
train -train_updates 12 -output whole # 8 an epoch
train -train_updates 6 -output resumed
array resumed /weights >half.txt
train -train_updates 12 -train_resume auto -output resumed
same /weights
same /optimizer/mean
same /optimizer/square
cmp -s half.txt whole.txt && fail "the updates after the sixth change nothing"
[ "$(wc -l <whole/train.csv)" = 13 ] || fail "train.csv does not have a line per update"
cut -d, -f1-3 whole/train.csv >whole.txt
cut -d, -f1-3 resumed/train.csv | cmp -s - whole.txt || fail "train.csv of the resumed training differs"
