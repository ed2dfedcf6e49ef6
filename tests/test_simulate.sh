#!/bin/sh
# ctest: case; timeout 120
# The verb simulate on 2 ranks: its files, a run continued from its own file on another rank count, and mistakes that are refused
# before anything is written.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "test_simulate: $*" >&2; exit 1; }
weft() { ranks=$1; shift; mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$@"; }
wake="$WEFT_SOURCE/cases/wake/wake.yaml"
run="-model_reynolds 100 -simulate_every 10"

weft 2 simulate "$wake" $run -simulate_steps 20 -output "$folder/whole" >/dev/null
for file in fields.h5 fields.xmf figures.csv picture.png summary.json; do [ -s "$folder/whole/$file" ] || fail "$file is missing"; done
[ "$(wc -l <"$folder/whole/figures.csv")" = 21 ] || fail "figures.csv does not have a line per step"

# Ten steps on 2 ranks and ten more from their file on 3 are the twenty, to every digit that the table shows.
weft 2 simulate "$wake" $run -simulate_steps 10 -output "$folder/first" >/dev/null
weft 3 simulate "$wake" $run -simulate_steps 10 -initial_type file -initial_file "$folder/first/fields.h5" -output "$folder/second" >/dev/null
whole=$(tail -n 1 "$folder/whole/figures.csv" | cut -d, -f3-5)
second=$(tail -n 1 "$folder/second/figures.csv" | cut -d, -f3-5)
[ "$whole" = "$second" ] || fail "continued from a file: $second, in one run: $whole"

refused() { # words of the message, then the arguments
  expected=$1
  shift
  if weft 2 "$@" -output "$folder/refused" >"$folder/out" 2>"$folder/err"; then fail "accepted: $*"; fi
  grep -q "$expected" "$folder/err" || fail "'$expected' is not in the message: $(cat "$folder/err")"
  [ "$(grep -c '^weft: error' "$folder/err")" = 1 ] || fail "not one message: $(cat "$folder/err")"
  [ ! -e "$folder/refused/fields.h5" ] || fail "half written: $*"
}
refused "largest time step is" simulate "$wake" -model_viscosity 1000
refused "grid_halo" simulate "$wake" -model_reynolds 100 -model_dt 40 -grid_halo 2
refused "model_viscosity or model_reynolds is missing" simulate "$wake"
refused "say one of them" simulate "$wake" -model_reynolds 100 -model_viscosity 0.1
refused "is no step" simulate "$wake" -model_reynolds 100 -model_steps "swim"
refused "'y < ' *: the expression ends\|the expression ends too early" simulate "$wake" -model_reynolds 100 -prescribe_region "y <"
refused "is no shape" simulate "$wake" -model_reynolds 100 -obstacle_shapes "disc 1 2 3"
refused "is no verb" swim "$wake"
refused "needs a case file" simulate
