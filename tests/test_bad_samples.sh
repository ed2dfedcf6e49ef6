#!/bin/bash
# ctest: case; timeout 120
# A dataset with values that are not finite. By default the training stops and says where they stand; with -train_bad_samples skip the
# samples that meet them are left out and counted, the same ones on every layout, and the weights stay finite: with -deterministic bit for
# bit the same on 1 rank, on 2 that share a domain, and as 2 replicas.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_bad_samples: $*" >&2; exit 1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 32]}
dataset: {refine: 1, skip: 10, frames: 8, reynolds: [100, 200, 400]}
net: {layers: [residual 3 8, conv 1 2]}
train: {unroll: 2, batch: 4, batch_same: "", dataset: data/train.h5, updates: 12}
END
launch() { mpirun --oversubscribe --bind-to none -n "$@" >log 2>&1; }
launch 1 "$WEFT_COMMAND" dataset case.yaml -output data || { cat log; fail "dataset"; }
cp data/train.h5 nan.h5
"$WEFT_BUILD/tests/program_spoil" value nan.h5 t0_fields/velocity_y nan # last frame of the last simulation, last cell

if launch 2 "$WEFT_COMMAND" train case.yaml -train_dataset nan.h5 -team_replicas 1 -output stop; then fail "NaN was trained on"; fi
grep -q "^weft: error: nan.h5: the field velocity_y of simulation 2, frame 7, has a value that is not finite, at (15, 32, 0) in x, y, z, read by rank 1" log || { cat log; fail "does not say where"; }

number() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }
for kind in nan; do
  for layout in 1x1 1x2 2x1; do
    replicas=${layout%x*}
    launch $((replicas * ${layout#*x})) "$WEFT_COMMAND" train case.yaml -train_dataset $kind.h5 -train_bad_samples skip -deterministic -team_replicas "$replicas" -output $kind.$layout || { cat log; fail "$kind on $layout"; }
    cp log $kind.$layout.log
    grep -q "left out [0-9]* of its samples: simulation 2, frame" log || { cat log; fail "$kind on $layout: nothing was left out"; }
    h5dump -d /weights -b LE -o $kind.$layout.bits $kind.$layout/weights.h5 >/dev/null
    cmp -s $kind.1x1.bits $kind.$layout.bits || fail "$kind: other weights on $layout"
    [ "$(number $kind.1x1 skipped_samples)" = "$(number $kind.$layout skipped_samples)" ] || fail "$kind: $layout left out $(number $kind.$layout skipped_samples), one rank $(number $kind.1x1 skipped_samples)"
  done
  [ "$(number $kind.1x1 skipped_samples)" -ge 2 ] || fail "$kind: $(number $kind.1x1 skipped_samples) samples were left out"
  h5dump -d /weights $kind.1x1/weights.h5 | tail -n +2 | grep -qi nan && fail "$kind: the weights are not finite"
done
exit 0
