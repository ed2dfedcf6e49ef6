#!/bin/bash
# ctest: case; timeout 240
# A training that goes on. Interrupted in the middle of epochs and continued on 1 -> 2 -> 4 -> 1 ranks: in float64 the weights after 20
# updates are those of the uninterrupted one to 1e-9, with -deterministic (float32) bit for bit. With -deterministic the weights after
# 50 updates are the same bits on 1 to 4 ranks and in every layout. A signal and a time limit end it with status 75 and nothing lost.
# Checkpoints that are damaged are passed over.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_restart: $*" >&2; exit 1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 64], upper: [100, 400]}
dataset: {refine: 1, skip: 20, frames: 12, reynolds: [100, 200, 400], test_reynolds: [300]}
net: {layers: [residual 3 16, conv 1 2]}
train: {unroll: 2, batch: 4, batch_same: "", dataset: data/train.h5}
optimizer: {schedule: step, decay_every: 4}
END
run() { # ranks, expected status, arguments
  local ranks=$1 expected=$2 status=0
  shift 2
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$@" >log 2>&1 || status=$?
  [ "$status" = "$expected" ] || { cat log; fail "status $status, not $expected: weft $*"; }
}
train() { local ranks=$1 output=$2; shift 2; run "$ranks" 0 train case.yaml -output "$output" "$@"; }
bits() { h5dump -d "$2" -b LE -o bits.tmp "$1/weights.h5" >/dev/null && [ -s bits.tmp ] && mv bits.tmp "$1.bits"; }
same() { # two folders: weights and optimiser
  for array in /weights /optimizer/mean /optimizer/square; do
    bits "$1" $array
    bits "$2" $array
    cmp -s "$1.bits" "$2.bits" || fail "$array of $1 and $2 differ"
  done
}
run 2 0 dataset case.yaml -output data

# ---- other ranks, in float64 and with -deterministic -------------------------------------------------------------------------
for sums in "-net_precision double" "-deterministic"; do # 7 updates an epoch
  rm -rf whole chain
  train 1 whole $sums -train_updates 20
  for leg in "1 5" "2 10" "4 16" "1 20"; do
    set -- $leg
    train "$1" chain $sums -train_updates "$2" -train_resume auto
  done
  cut -d, -f1 chain/train.csv | cmp -s - <(echo update; seq 20) || fail "train.csv of the chain lacks updates"
  case $sums in
  -deterministic)
    same whole chain
    cut -d, -f1-3 chain/train.csv | cmp -s - <(cut -d, -f1-3 whole/train.csv) || fail "losses of the chain differ" ;;
  *) h5diff -d 1e-9 whole/weights.h5 chain/weights.h5 /weights || fail "float64: the weights of the chain differ by more than 1e-9" ;;
  esac
done
[ "$(cd chain && echo checkpoint_*)" = "checkpoint_00000016.h5 checkpoint_00000020.h5" ] || fail "kept: $(ls chain)"
h5diff chain/weights.h5 chain/checkpoint_00000020.h5 || fail "weights.h5 is not the last checkpoint"

# ---- -deterministic: replicas x space ----------------------------------------------------------------------------------------
for layout in 1x1 1x2 2x1 1x3 3x1 1x4 2x2 4x1; do
  replicas=${layout%x*}
  train $((replicas * ${layout#*x})) "$layout" -deterministic -team_replicas "$replicas" -train_updates 50
  grep -q "team $replicas x ${layout#*x} " log || { cat log; fail "another layout than $layout"; }
  [ $layout = 1x1 ] || same 1x1 $layout
done
for sums in "" "-deterministic -check_compare plain_check/gradient.h5"; do # the same gradient as the plain sums
  run 2 0 check case.yaml -net_precision double -check_operators no -check_rollout no -output "$([ -n "$sums" ] && echo exact || echo plain)_check" $sums
done
train 1 plain -team_replicas 1 -train_updates 50 # it is a switch: the plain sums give other bits
bits plain /weights
bits 1x1 /weights
cmp -s plain.bits 1x1.bits && fail "-deterministic changes nothing"

# ---- signal, time limit, damage ------------------------------------------------------------------------------------------------
long="-deterministic -train_updates 1000000 -train_checkpoint_every 1000000"
mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" train case.yaml -output asked $long >log 2>&1 &
pid=$!
for _ in $(seq 100); do [ -s asked/train.csv ] || grep -q "epoch" log && break; sleep 0.1; done
kill -USR1 $pid
status=0
wait $pid || status=$?
[ $status = 75 ] || { cat log; fail "status $status after SIGUSR1"; }
grep -q "User defined signal 1: ending here" log || { cat log; fail "does not say why it ended"; }
run 2 75 train case.yaml -output asked $long -train_resume auto -time_limit 2s
grep -q "resuming at update" log || { cat log; fail "did not resume"; }
grep -q "the time limit of 2 s is near" log || { cat log; fail "does not name its time limit"; }
done=$(sed -n 's/^ *"updates": \([0-9]*\).*/\1/p' asked/summary.json)
[ "$(tail -n 1 asked/train.csv | cut -d, -f1)" = "$done" ] || fail "train.csv ends before update $done"
train 1 unasked -deterministic -train_updates "$done"
same asked unasked

last=$(cd chain && echo checkpoint_00000020.h5)
printf X | dd of="chain/$last" bs=1 seek=9000 conv=notrunc 2>/dev/null # weights.h5 and best.h5 are the same file
run 1 0 train case.yaml -output chain -deterministic -train_updates 20 -train_resume auto
grep -q "$last is damaged.*looking for the checkpoint before it" log || { cat log; fail "damage is not told"; }
grep -q "resuming at update 16" log || { cat log; fail "did not go back to update 16"; }
same chain whole
