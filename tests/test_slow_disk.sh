#!/bin/bash
# ctest: io; timeout 120
# A disk whose calls take long (slow_disk.c). Checkpoints of the tape are written and read behind the computation, what is waited for stands in the cost
# report, the gradient is the same. A run with a time limit leaves time for its checkpoint, however long that takes, and goes on from it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_slow_disk: $*" >&2; exit 1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [32, 64]}
dataset: {refine: 1, skip: 2, frames: 20, reynolds: [100, 400]}
net: {layers: [residual 5 32, residual 5 32, conv 1 2]}
model: {reynolds: 100}
train: {unroll: 16, batch: 2, batch_same: "", dataset: $folder/data/train.h5}
simulate: {every: 1}
END
good() { mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@" >log 2>&1 || { cat log; fail "weft $*"; }; }
sanitizer=$(ldd "$WEFT_COMMAND" | sed -n 's/.*=> \(.*libasan[^ ]*\) .*/\1/p') # has to be the first
slow() { # folder, milliseconds a call, arguments: status in $status; slept, lived: the most of a rank
  export WEFT_SLOW_FOLDER=$folder/$1 WEFT_SLOW_MS=$2 WEFT_SLOW_LOG=$folder/slept
  shift 2
  rm -f slept
  status=0
  mpirun --oversubscribe --bind-to none -x LD_PRELOAD="${sanitizer:+$sanitizer:}$WEFT_BUILD/tests/slow_disk.so" -n 2 "$WEFT_COMMAND" "$@" >log 2>&1 || status=$?
  [ -s slept ] || { cat log; fail "no call was slow: weft $*"; }
  lived=$(cut -d' ' -f6 slept | sort -g | tail -n 1)
  slept=$(cut -d' ' -f3 slept | sort -g | tail -n 1)
}
waited() { awk '/^cost:/ { table = 1 } table && $1 == 1 { print $8 / 1000; exit }' log; } # seconds of rank 1, which writes no file of the training, in files

# Checkpoints of the tape: slow ones cost less than half of their time, very slow ones are waited for.
good dataset case.yaml -output data
good train case.yaml -train_updates 1 -output fast
mkdir tape
for milliseconds in 3 100; do
  slow tape $milliseconds train case.yaml -train_updates 1 -tape_memory 2.2MB -tape_disk tape -cost -output slow
  [ $status = 0 ] && grep -q '^tape: .* [1-9][0-9]* on disk' log || { cat log; fail "no checkpoints on disk"; }
  h5diff fast/weights.h5 slow/weights.h5 /weights || fail "other weights with a slow disk"
  awk -v waited="$(waited)" -v slept="$slept" -v ms=$milliseconds 'BEGIN { exit !(ms < 50 ? waited < 0.5 * slept : waited > 0.5 * slept && waited < slept + 1) }' || { cat log; fail "$milliseconds ms: waited $(waited) of $slept s"; }
done

# Files that take long, and a time limit: the first checkpoint tells how long they take, and enough is left for the last one.
within() { # seconds, arguments of slow
  local limit=$1
  shift
  slow "$@" -time_limit "$limit"
  [ $status = 75 ] || { cat log; fail "status $status with a time limit: $*"; }
  awk -v lived="$lived" -v limit="$limit" 'BEGIN { exit !(lived < limit) }' || { cat log; fail "took $lived s with a limit of $limit s, its files $slept s: $*"; }
}
short="-train_unroll 1 -train_updates 100000 -train_checkpoint_every 100000"
within 6 timed 25 train case.yaml $short -output timed
[ "$(ls timed/checkpoint_*.h5 | wc -l)" = 2 ] || fail "checkpoints: $(ls timed)" # after the first update, and at the end
last=$(sed -n 's/^ *"updates": \([0-9]*\),$/\1/p' timed/summary.json)
good train case.yaml $short -train_updates $((last + 2)) -train_resume auto -output timed
grep -q "resuming at update $last " log || { cat log; fail "does not go on at update $last"; }

good simulate case.yaml -simulate_steps 60 -output whole
within 4 played 15 simulate case.yaml -simulate_steps 60 -simulate_checkpoint_every 1000 -output played
good simulate case.yaml -simulate_steps 60 -simulate_checkpoint_every 1000 -simulate_resume true -output played
grep -q '^resuming at step' log || { cat log; fail "the simulation began anew"; }
h5diff whole/fields.h5 played/fields.h5 || fail "other fields after the time limit"

within 4 parts 20 dataset case.yaml -dataset_frames 200 -dataset_checkpoint_every 1000 -output parts
good dataset case.yaml -dataset_frames 200 -output whole_parts
good dataset case.yaml -dataset_frames 200 -dataset_checkpoint_every 1000 -dataset_resume true -output parts
grep -q '^resuming at step' log || { cat log; fail "the dataset began anew"; }
h5diff whole_parts/train.h5 parts/train.h5 || fail "another dataset after the time limit"
