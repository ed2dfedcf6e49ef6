#!/bin/sh
# ctest: case; timeout 240
# What can go wrong with the verb invert, on 2 ranks. Mistakes in a case: exit code 1, one message with the place and the mend. Optimisers
# that stall, fail or drive the model out of its bounds: codes 3, 4, 5, one message that says what to try, and the results so far.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
case="$WEFT_SOURCE/cases/burgers1d/invert.yaml"
count=0

# ending CODE 'words|words' arguments
ending() {
  count=$((count + 1))
  [ $((count % 4)) != 0 ] || wait
  row $count "$@" &
}
row() {
  number=$1 expected=$2 words=$3
  shift 3
  code=0 fault=
  timeout 60 mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" invert "$@" -output out$number >$number.out 2>$number.err || code=$?
  [ $code = "$expected" ] || fault="exit code $code, not $expected"
  [ "$(grep -c '^weft: error: ' $number.err)" = 1 ] || fault="$fault; not one message"
  ! grep -q 'PETSC ERROR\|Signal' $number.err || fault="$fault; a stack"
  while [ -n "$words" ]; do
    word=${words%%|*}
    case $words in *\|*) words=${words#*|} ;; *) words= ;; esac
    grep '^weft: error: ' $number.err | grep -qF -- "$word" || fault="$fault; '$word' is missing"
  done
  [ "$expected" = 1 ] || for file in history.csv summary.json recovered.h5 recovered.xmf picture.png; do [ -s out$number/$file ] || fault="$fault; $file is not written"; done
  [ -z "$fault" ] || { echo "row $number: $fault: $*" >$number.fault; cat $number.err >>$number.fault; }
}

printf 'x,velocity_x\n5.0,1.0\n' >outside.csv
printf 'y,velocity_x\n0.0,1.0\n' >no_x.csv
printf 'x,speed\n0.0,1.0\n' >no_field.csv
printf 'x,velocity_x\n0.0,one\n' >no_number.csv
printf 'x,step,velocity_x\n0.0,3,1.0\n' >other_step.csv
mpirun --oversubscribe --bind-to none -n 1 "$WEFT_COMMAND" simulate "$WEFT_SOURCE/cases/burgers1d/simulate.yaml" -grid_cells 64 -simulate_steps 1 -output other_grid >/dev/null
mpirun --oversubscribe --bind-to none -n 1 "$WEFT_COMMAND" dataset "$WEFT_SOURCE/cases/burgers1d/simulate.yaml" -grid_cells 64 -dataset_fields random -dataset_frames 2 -output other_grid >/dev/null
data="-observe_from dataset -observe_file other_grid/train.h5"
small="-grid_cells 64 $data"

ending 1 "invert_unknowns|bounds cross|lower 1 is not below upper -1" "$case" -invert_unknowns "velocity lower 1 upper -1"
ending 1 "invert_unknowns|no 'density'|velocity, viscosity" "$case" -invert_unknowns density
ending 1 "invert_unknowns|velocity|twice" "$case" -invert_unknowns "velocity,velocity"
ending 1 "velocity|logarithm|guess above 0" "$case" -invert_unknowns "velocity log"
ending 1 "viscosity|outside the bounds" "$case" -invert_unknowns "viscosity guess 2 upper 1"
ending 1 "velocity|one dimension|free" "$case" -invert_unknowns "velocity free"
ending 1 "'lowr' is no word of an unknown|lower A" "$case" -invert_unknowns "velocity lowr 1"
ending 1 "invert_loss|'energy' is no term|misfit" "$case" -invert_loss energy
ending 1 "invert_loss|one misfit, not 0" "$case" -invert_loss "magnitude velocity"
ending 1 "invert_loss|smoothness is for fields" "$case" -invert_unknowns "velocity,viscosity" -invert_loss "misfit,smoothness viscosity"
ending 1 "invert_loss|smoke" "$case" -invert_loss "misfit,prior smoke"
ending 1 "observe_file|outside the box" "$case" -observe_file outside.csv
ending 1 "no_x.csv|no column 'x'" "$case" -observe_file no_x.csv
ending 1 "no field 'speed'" "$case" -observe_file no_field.csv
ending 1 "no_number.csv|'one' is no number" "$case" -observe_file no_number.csv
ending 1 "step 3|observe_steps" "$case" -observe_file other_step.csv
ending 1 "nowhere.csv|cannot be read" "$case" -observe_file nowhere.csv
ending 1 "other_grid/fields.h5|64|128" "$case" -observe_from file -observe_file other_grid/fields.h5
ending 1 "other_grid/train.h5|64|128" "$case" $data
ending 1 "observe_frames|no frame 2|0 to 1" "$case" $small -observe_frames 2
ending 1 "observe_frames|each of the 2 observe_steps" "$case" $small -observe_steps 0,16 -observe_frames 1
ending 1 "observe_simulation|0 to 0" "$case" $small -observe_simulation 1
ending 1 "invert_simulations|observe_simulation" "$case" $small -invert_simulations 2
ending 1 "other_grid/fields.h5|dataset" "$case" -grid_cells 64 -observe_from dataset -observe_file other_grid/fields.h5
ending 1 "observe_scattered|observe_random" "$case" -observe_from reference -observe_scattered yes
ending 1 "observe_steps|-1" "$case" -observe_steps -1,16
ending 1 "observe_points|outside the box" "$case" -observe_from reference -observe_points 0.5,1.5
ending 1 "observe_steps|17|16" "$case" -observe_steps 17
ending 1 "observe_region|no value" "$case" -observe_from reference -observe_region "x > 9"
ending 1 "tao_type lmvm knows no bounds|blmvm" "$case" -invert_unknowns "velocity lower -2" -optimizer_type tao -tao_type lmvm
ending 1 "other_grid/fields.h5" "$case" -invert_resume other_grid/fields.h5
ending 1 "inflow_edge|no derivative" "$WEFT_SOURCE/cases/smoke/inflow.yaml" -inflow_edge 0
ending 1 "observe_simulation|0 to 3" "$WEFT_SOURCE/cases/smoke/invert.yaml" -observe_simulation 4
ending 3 "stalled|iteration 0|optimizer_rate" "$case" -optimizer_rate 1e-300 -invert_patience 3
ending 4 "line search failed|-tao_ls_type" "$case" -optimizer_type tao -tao_ls_max_funcs 1 -tao_ls_stepmin 1e3 -tao_ls_stepmax 1e4
ending 5 "grid_halo" "$case" -optimizer_rate 1e3
wait
wrong=0
for fault in *.fault; do
  [ -e "$fault" ] || continue
  wrong=$((wrong + 1))
  cat "$fault" >&2
done
echo "$count rows, $wrong wrong"
[ "$count" -ge 36 ] && [ "$wrong" = 0 ]
