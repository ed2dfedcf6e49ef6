#!/bin/sh
# ctest: case; timeout 120
# An inversion that is asked to end, on 2 ranks: by a signal or its time limit it finishes the evaluation, writes state and results and
# ends with status 75; the same command goes on. Adam's history is then, digit for digit, that of a run that was left alone, also where
# every run has time for one iteration only; TAO says that its method starts anew.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_invert_stop: $*" >&2; cat log >&2; exit 1; }
run() { # expected status, arguments
  expected=$1 status=0
  shift
  mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" invert "$WEFT_SOURCE/cases/burgers1d/invert.yaml" -invert_check no "$@" >log 2>&1 || status=$?
  [ "$status" = "$expected" ] || fail "status $status, not $expected: $*"
}
adam="-optimizer_type adam -optimizer_rate 0.02 -invert_checkpoint_every 1000000"
history() { cut -d, -f1-5 "$1/history.csv"; }

run 0 $adam -output whole -invert_iterations 4
for leg in 1 2 3; do
  run 75 $adam -output legs -invert_iterations 4 -invert_resume auto -time_limit 0.001
  grep -q "time limit of 0.001 s is near" log || fail "does not say why it ended"
done
[ -s legs/summary.json ] && [ -s legs/recovered.h5 ] && [ -s legs/picture.png ] || fail "no results so far"
run 0 $adam -output legs -invert_iterations 4 -invert_resume auto
history whole >whole.txt
history legs >legs.txt
cmp -s whole.txt legs.txt || { cat whole.txt legs.txt >log; fail "the continued run has another history"; }

mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" invert "$WEFT_SOURCE/cases/burgers1d/invert.yaml" -invert_check no $adam -output asked -invert_iterations 1000000 >log 2>&1 &
pid=$!
for _ in $(seq 200); do [ "$(cat asked/history.csv 2>/dev/null | wc -l)" -gt 4 ] && break; sleep 0.05; done
kill -USR1 $pid
status=0
wait $pid || status=$?
[ $status = 75 ] || fail "status $status after SIGUSR1"
grep -q "User defined signal 1: ending here" log || fail "does not say why it ended"
done=$(sed -n 's/^ *"iterations": \([0-9]*\).*/\1/p' asked/summary.json)
[ "$(wc -l <asked/history.csv)" = $((done + 1)) ] || fail "history.csv has not one row for each of $done iterations"

loss() { sed -n 's/^ *"loss": \([^,]*\).*/\1/p' "$1/summary.json"; }
tao="-optimizer_type tao -output tao"
run 75 $tao -time_limit 0.001 # asked in the first evaluation, left in the first line search
before=$(loss tao)
run 0 $tao -invert_resume auto -invert_iterations 3
grep -q "going on at iteration 0 of 3" log && grep -q "starts anew" log || fail "does not say that the method starts anew"
awk "BEGIN { exit !($(loss tao) < 0.1 * $before) }" || fail "loss $before, then $(loss tao)"
