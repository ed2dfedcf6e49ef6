#!/bin/sh
# ctest: case; timeout 120
# What a verb ends with: lines of time and messages, with -cost a table per rank whose columns add up; its counts are those of
# weft info, and stand in the summary.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "test_cost_report: $*" >&2; exit 1; }
flow="$WEFT_SOURCE/cases/taylor_green/simulate.yaml"
run() { verb=$1; shift; mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$verb" "$flow" "$@"; }
run info -output "$folder/info" >/dev/null
run simulate -simulate_steps 20 -output "$folder/short" >"$folder/short.log"
run simulate -simulate_steps 20 -cost -output "$folder/table" >"$folder/table.log"

grep -q '^time: solver .*, net 0.0 %, halo .*, other' "$folder/short.log" || { cat "$folder/short.log"; fail "no line of time"; }
grep -q '^messages of a rank per step: halo ' "$folder/short.log" || { cat "$folder/short.log"; fail "no line of messages"; }
grep -q '^cost:' "$folder/short.log" && fail "a table that nobody asked for"
# Both ranks have a row; a row of times has eight phases that add up to its last column.
awk '/^cost:/ { times = 1 } /^messages and bytes/ { times = 0 } times && $1 ~ /^[01]$/ { rows++; sum = 0; for (i = 2; i <= 9; i++) sum += $i; if (NF != 10 || sum < $10 - 0.005 || sum > $10 + 0.005) exit 1 }
     END { exit rows != 2 }' "$folder/table.log" || { cat "$folder/table.log"; fail "the table of times"; }
# A periodic box on 2 ranks: one neighbour; a solve has two transposes. Halos: the step's own and one of the figures' divergence.
number() { awk -v key="\"$2\":" '$1 == key { sub(",", "", $2); print $2; exit }' "$1"; }
member() { awk -v part="\"$2\":" -v key="\"$3\":" '$1 == part { within = 1 } within && $1 == key { sub(",", "", $2); print $2; exit }' "$1"; }
[ "$(member "$folder/info/summary.json" step transpose)" = 2 ] || fail "info: $(member "$folder/info/summary.json" step transpose) transposes"
[ "$(member "$folder/table/summary.json" transpose messages)" = 2 ] || fail "summary: $(member "$folder/table/summary.json" transpose messages) transposes"
[ "$(member "$folder/table/summary.json" transpose bytes)" = "$(member "$folder/info/summary.json" step transpose_bytes)" ] || fail "bytes of transposes"
[ "$(number "$folder/table/summary.json" unit)" = '"step"' ] || fail "unit"
