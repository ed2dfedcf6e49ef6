#!/bin/bash
# ctest: io; timeout 120
# Files written on 4 ranks are read on 1, 2 and 3; a writer that is killed leaves no file under its final name, and what it
# leaves is continued; a rank that alone cannot write ends the whole run with one message.
set -u
program=$WEFT_BUILD/tests/program_fields
run() { mpirun --oversubscribe --bind-to none -n "$@"; }
fail() { echo "test_io_ranks: $*" >&2; exit 1; }
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

for dim in 1 2 3; do
  run 4 "$program" write fields$dim $dim 3 || fail "writing in ${dim}D on 4 ranks"
  for ranks in 1 2 3; do run $ranks "$program" read fields$dim $dim 3 || fail "reading on $ranks ranks what 4 wrote, ${dim}D"; done
done

for pause in 0.05 0.2 0.45; do
  rm -f killed*
  mpirun --oversubscribe --bind-to none -n 2 "$program" write killed 2 1000000 2>/dev/null &
  runner=$!
  for ((i = 0; i < 400; i++)); do [ -s killed.part.h5 ] && break; sleep 0.05; done
  [ -s killed.part.h5 ] || fail "the writer does not write"
  sleep $pause
  kill -9 $(cat /proc/$runner/task/*/children) || fail "no rank to kill"
  wait $runner 2>/dev/null
  [ -e killed.h5 ] && fail "a killed writer left killed.h5"
  [ -e killed.xmf ] && fail "a killed writer left killed.xmf"
  run 3 "$program" resume killed 2 0 || fail "what a killed writer left after $pause s cannot be continued"
  [ -e killed.h5 ] && [ -e killed.xmf ] && [ ! -e killed.part.h5 ] || fail "a continued series was not finished"
done

for rank in 0 1; do
  start=$SECONDS
  timeout 60 mpirun --oversubscribe --bind-to none -n 2 "$program" limit limited $rank 1000 >limited.log 2>&1
  code=$?
  [ $code -ne 0 ] && [ $code -ne 124 ] || { cat limited.log; fail "rank $rank alone cannot write: exit code $code after $((SECONDS - start)) s"; }
  [ "$(grep -c '^weft: error: ' limited.log)" = 1 ] || { cat limited.log; fail "rank $rank alone cannot write: not one message"; }
  grep -q 'cannot write to limited.part.h5: ' limited.log || { cat limited.log; fail "rank $rank alone cannot write: another message"; }
  [ -e limited.h5 ] && fail "a failed writer left limited.h5"
done
exit 0
