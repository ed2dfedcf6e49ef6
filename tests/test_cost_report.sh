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

# What a step of 512 x 512 cells sends on 1, 2 and 4 ranks, by hand. In slabs of whole rows of a periodic box one rank lies on both sides
# of mine, or two, or none. Diffusion exchanges 2 fields one layer deep, MacCormack twice 2 fields 4 layers deep, projection 2 fields
# and the pressure one layer deep; a row is as much longer on either side. Lines: a rank keeps 1 / P of its N / P values, there and back.
count() { # count RANKS CASE KEYS...: halo, halo bytes, transposes, their bytes
  ranks=$1; shift
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" info "$@" -output "$folder/count" >/dev/null
  for key in halo halo_bytes transpose transpose_bytes; do printf '%s ' "$(member "$folder/count/summary.json" step "$key")"; done
}
expect() { [ "$2" = "$3 " ] || fail "$1: $2, expected $3"; }
flow512() { count "$1" "$flow" -grid_cells 512,512; }
expect "512 x 512 on 1 rank" "$(flow512 1)" "0 0 0 0"
rows=$((8 * 2 * (2 * 514 + 2 * (2 * 4 * 520) + 2 * 514 + 514)))
expect "512 x 512 on 2 ranks" "$(flow512 2)" "5 $rows 2 $((2 * 8 * 512 * 512 / 4))"
expect "512 x 512 on 4 ranks" "$(flow512 4)" "10 $rows 6 $((2 * 8 * 512 * 512 * 3 / 16))"
