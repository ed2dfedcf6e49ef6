#!/bin/sh
# ctest: case; timeout 120
# The case files of implicit models, small, on one rank and on several. The gradient through the solves is the derivative of the loss (order 2 of
# its Taylor remainder), the accuracy that is asked of it is estimated beside it and kept, the misfit falls, and the history is the same on
# every rank count and with every preconditioner to 1e-7, as the solves leave it. Simulations are the same to 1e-8.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_equations: $*" >&2; exit 1; }
weft() { # name, ranks, verb, case, arguments
  name=$1 ranks=$2 verb=$3 case=$4
  shift 4
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$verb" "$WEFT_SOURCE/cases/$case/$verb.yaml" -output "$name" "$@" >"$name.log" 2>&1 || { cat "$name.log" >&2; fail "$name ends with an error"; }
}
# agree FILE FILE TOLERANCE WORDS: the columns WORDS are the same, relative to the first
agree() {
  awk -F, -v tolerance="$3" -v words="$4" '
    FNR == 1 { file++; n = 0; for (c = 1; c <= NF; c++) if ($c ~ words) column[++n] = c; next }
    file == 1 { for (k = 1; k <= n; k++) value[FNR, k] = $column[k]; rows = FNR; next }
    { for (k = 1; k <= n; k++) { d = $column[k] - value[FNR, k]; s = value[FNR, k]; if (d * d > tolerance * tolerance * s * s + 1e-30) { print "row " FNR ": " $column[k] ", not " s; bad = 1 } } }
    END { exit bad || !n || rows < 3 || FNR != rows }' "$1" "$2" || fail "$2 is not $1 to $3"
}
# learned NAME FACTOR: order, estimate, and the misfit of the last row below FACTOR that of the first
learned() {
  grep -q 'gradient checked: .* order \(1\.9[5-9]\|2\.0[0-5]\)$' "$1.log" || { grep 'gradient checked' "$1.log" >&2; fail "$1: the check of the gradient does not find order 2"; }
  awk -F, -v factor="$2" '
    NR == 1 { for (c = 1; c <= NF; c++) at[$c] = c; next }
    { error = $at["gradient_error"]; if (!at["gradient_error"] || !(error > 0 && error <= 1e-6)) { print "gradient_error " error; bad = 1 } }
    NR == 2 { first = $at["misfit"] }
    END { last = $at["misfit"]; print "misfit " first " to " last; exit bad || NR < 5 || !(last > 0 && last < factor * first) }' "$1/history.csv" || fail "$1: misfit or accuracy"
  grep -q '"gradient_error": [0-9]' "$1/summary.json" || fail "$1: the summary has no gradient_error"
}
invert() { # name, factor, ranks, case, arguments
  name=$1 factor=$2 ranks=$3 case=$4
  shift 4
  weft "$name" "$ranks" invert "$case" -gradient_accuracy 1e-6 "$@"
  learned "$name" "$factor"
}

same='^(loss|misfit|evaluations)$'
small="-grid_cells 24,24 -invert_iterations 8"
for ranks in 1 2 4; do
  invert gamg$ranks 0.5 $ranks darcy $small -solve_pc_type gamg
  agree gamg1/history.csv gamg$ranks/history.csv 1e-7 "$same"
done
weft plain 2 invert darcy $small -invert_check no
agree gamg1/history.csv plain/history.csv 1e-7 "$same"
[ "$(grep -c ',$' plain/history.csv)" = 9 ] && ! grep -q '"gradient_error"' plain/summary.json || fail "an estimate of the accuracy that nobody asked for"

for row in "burgers_implicit 0.1 32 2" "advection_diffusion 0.2 16,16 4" "gray_scott 0.2 16,16 2"; do
  set -- $row
  for ranks in 1 $4; do
    invert $1$ranks $2 $ranks $1 -grid_cells $3 -invert_iterations 4 -invert_check_share 1
    weft simulate_$1$ranks $ranks simulate $1 -grid_cells $3 -simulate_steps 4 -simulate_every 1
  done
  agree ${1}1/history.csv $1$4/history.csv 1e-7 "$same"
  agree simulate_${1}1/figures.csv simulate_$1$4/figures.csv 1e-8 _
done
