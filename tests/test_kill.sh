#!/bin/bash
# ctest: case; timeout 240
# kill -9 of one rank, or of all, at random moments: what is on the disk is an earlier whole state, not older than the interval of the
# checkpoints, the launcher ends, and the run goes on to the result of an undisturbed one. Dataset, training, simulation.
#   WEFT_KILLS: how many of each (2; the long test makes 50); WEFT_VERBS: of which
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
kills=${WEFT_KILLS:-2}
RANDOM=${WEFT_SEED:-7}
fail() { echo "test_kill: $*" >&2; exit 1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 64], upper: [100, 400]}
dataset: {refine: 1, skip: 20, frames: 200, reynolds: [100, 400], test_reynolds: [300], checkpoint_every: 20}
net: {layers: [residual 3 8, conv 1 2]}
model: {reynolds: 100}
simulate: {steps: 400, every: 10}
train: {unroll: 2, batch: 4, batch_same: "", dataset: $folder/whole_dataset/train.h5, checkpoint_every: 7, updates: 300}
END
launch() { mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@"; }
# A rank that is killed while it holds the lock of PMIx' shared memory (ds21) leaves mpirun, whose ranks are gone, waiting for that lock.
export PMIX_MCA_gds=hash
resume_train="-train_resume auto" resume_dataset="-dataset_resume true" resume_simulate="-simulate_resume true"
whole() { # every file under a final name can be read
  local file
  for file in "$1"/*.h5; do
    case $file in *.part.h5 | *'*'*) continue ;; esac
    h5diff -q "$file" "$file" >diff 2>&1 || { cat diff; ls -l "$1"; fail "$file is damaged"; }
  done
}
declare -A interval=([train]=7 [simulate]=10 [dataset]=20)
frames() { # of the first simulation in an unfinished dataset: values at the inflow are not 0, a frame that is not there is a hole
  h5dump -A 0 -d /t0_fields/velocity_y -s 0,0,0,0 -c 1,200,1,1 "$1/train.part.h5" 2>/dev/null | grep '^ *(' | sed 's/.*: *//' | grep -vc '^0,*$' || true
}
rows() { # verb, folder: how far the run came: the last row of its table; the last frame of a dataset, or the last step that it noted
  case $1 in
  train) tail -n 1 "$2/train.csv" ;;
  simulate) tail -n 1 "$2/figures.csv.part" ;;
  dataset) # frames begin after step 20
    local seen
    seen=$(frames "$2")
    if [ "$seen" -gt 0 ]; then echo $((20 + seen)); else sed -n 's/^step //p' "$2/state.txt"; fi
    ;;
  esac 2>/dev/null | cut -d, -f1 | grep -x '[0-9]*' || true
}
bounded() { # verb, how far the run before came: from where does this one go on?
  local from
  from=$(sed -n 's/^resuming at [a-z]* \([0-9]*\) .*/\1/p' log)
  [ -n "$from" ] || ! grep -q "^\(train\|simulate\|dataset\) .*/s" log || from=0
  [ -z "$from" ] || [ $((${2:-0} - from)) -le ${interval[$1]} ] || { cat log; fail "$1 came to $2 and goes on from $from: more is lost than the ${interval[$1]} between checkpoints"; }
  [ -z "$from" ] || [ $((${2:-0} - from)) -le "$most" ] || most=$((${2:-0} - from))
}
once() { # verb, folder, delay, how many ranks: killed after the delay; returns 0 when the run was faster
  local verb=$1 output=$2 delay=$3 ranks=$4 resume=resume_$1 launcher children child began did
  did=$(rows "$verb" "$output")
  (exec mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$verb" case.yaml -output "$output" ${!resume}) >log 2>&1 &
  launcher=$! # mpirun itself, whose children are the ranks
  sleep "$delay"
  children=$(pgrep -P $launcher -f "$WEFT_COMMAND" || true)
  [ -z "$children" ] || kill -9 $(echo "$children" | head -n "$ranks") 2>/dev/null || true
  began=$SECONDS
  wait $launcher && { bounded "$verb" "$did"; return 0; }
  for child in $children; do while kill -0 "$child" 2>/dev/null && [ $((SECONDS - began)) -le 10 ]; do sleep 0.1; done; done
  [ $((SECONDS - began)) -le 10 ] || fail "$verb: the launcher took $((SECONDS - began)) s to end"
  grep -q "weft: error" log && { cat log; fail "$verb does not go on"; }
  whole "$output"
  bounded "$verb" "$did"
  return 1
}
launch dataset case.yaml -output whole_dataset >log 2>&1 || { cat log; fail "dataset"; }
for verb in ${WEFT_VERBS:-dataset train simulate}; do
  resume=resume_$verb
  [ $verb = dataset ] || launch $verb case.yaml -output whole_$verb >log 2>&1 || { cat log; fail "$verb"; }
  ends=0
  most=0
  for _ in $(seq "$kills"); do
    once $verb killed_$verb "$((RANDOM % 2)).$((RANDOM % 900 + 100))" $((RANDOM % 2 + 1)) && { ends=$((ends + 1)); rm -rf killed_$verb; } # it was faster
  done
  launch $verb case.yaml -output killed_$verb ${!resume} >log 2>&1 || { cat log; fail "$verb does not go on to its end"; }
  echo "$verb: $((kills - ends)) kills, $ends ends before them; lost at most $most of ${interval[$verb]}"
  case $verb in
  dataset) files="train.h5 test.h5" ;;
  train) files="weights.h5:/weights weights.h5:/optimizer/square" ;; # the settings differ
  simulate) files=fields.h5 ;;
  esac
  for file in $files; do
    array=${file#*.h5}
    file=${file%%:*}
    h5diff -q whole_$verb/$file killed_$verb/$file ${array#:} || fail "$verb: $file$array is another one"
  done
done
[ ! -d killed_simulate ] || cmp -s whole_simulate/figures.csv killed_simulate/figures.csv || fail "the figures are others"
[ ! -d killed_train ] || [ "$(cut -d, -f1 killed_train/train.csv | tail -n +2 | sort -un | wc -l)" = 300 ] || fail "train.csv lacks updates"
