#!/bin/sh
# ctest: case; timeout 600
# Bad input of every kind on 2 ranks. Each ends all ranks with a code other than 0 within a minute, prints one message, which
# names the place, the value and the mend, and leaves no file under a final name.
set -eu
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
count=0
wrong=0
ranks=2
weft() { timeout 60 mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@"; }
spoil() { "$WEFT_BUILD/tests/program_spoil" "$@"; }
stop() { echo "test_bad_input: $*" >&2; exit 1; }

# ---- good files, and files made bad from them ---------------------------------------------------------------------------
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 32]}
dataset: {refine: 2, skip: 2, frames: 8, reynolds: [100, 200]}
END
weft dataset case.yaml -output data >log 2>&1 || stop "no dataset: $(cat log)"
weft train case.yaml -train_dataset data/train.h5 -train_updates 1 -output net >log 2>&1 || stop "no weights: $(cat log)"
weft simulate case.yaml -model_reynolds 100 -simulate_steps 1 -output series >log 2>&1 || stop "no series: $(cat log)"
data=data/train.h5
weights=net/weights.h5
for name in cut nan huge renamed flat up; do cp $data $name.h5; done
truncate -s 20000 cut.h5
spoil value nan.h5 t0_fields/velocity_y nan # of the last cell: the last rank alone reads it
spoil value huge.h5 t0_fields/velocity_y 1e9 # the scale of the corrections: the first one leaves the halo
spoil rename renamed.h5 t0_fields/velocity_y t0_fields/speed
spoil rename flat.h5 scalars/reynolds scalars/mach
spoil rename up.h5 scalars/reynolds scalars/.. # a name that would leave a folder, were it a path
dd if=/dev/zero of=flat.h5 bs=1 count=64 seek=512 conv=notrunc 2>/dev/null # no signature
spoil foreign foreign.h5
head -c 3000 $weights >cut_weights.h5
cp $weights nan_weights.h5
spoil value nan_weights.h5 weights nan
echo "grid: {cells: [16, 32]" >open.yaml
printf 'model: {dt: 1}\nmodel_dt: 2\n' >twice.yaml
printf 'grid:\n\tcells: [16, 32]\n' >tab.yaml
printf 'include: nowhere.yaml\n' >include.yaml
printf 'include: circle.yaml\n' >circle.yaml
: >empty.yaml
echo "grid: {cellls: [16, 32]}" >misspelt.yaml
mkdir -p locked
chmod 555 locked
echo text >text

# ---- one case -----------------------------------------------------------------------------------------------------------
# bad 'words|words|...' arguments: each of the words (no pattern) must stand in the message. A launcher spends most of its time
# asleep until it has cleared up after a run that failed, so several cases run side by side.
together=5
bad() {
  count=$((count + 1))
  [ $((count % together)) != 0 ] || wait
  row "$@" &
}
row() {
  words=$1
  shift
  out=out$count
  code=0
  case " $* " in *" -output "*) ;; *) set -- "$@" -output $out ;; esac
  timeout 60 mpirun --oversubscribe --bind-to none -n $ranks "$WEFT_COMMAND" "$@" >$count.out 2>$count.err || code=$?
  fault=
  [ $code != 0 ] || fault="accepted"
  [ $code != 124 ] || fault="hangs"
  lines=$(grep -c '^weft: error: ' $count.err) || :
  [ "$lines" = 1 ] || fault="$fault; $lines messages"
  if grep -q 'PETSC ERROR\|Signal' $count.err; then fault="$fault; a stack"; fi
  rest=$words
  while [ -n "$rest" ]; do
    word=${rest%%|*}
    case $rest in *\|*) rest=${rest#*|} ;; *) rest= ;; esac
    grep '^weft: error: ' $count.err | grep -qF -- "$word" || fault="$fault; '$word' is missing"
  done
  left=$(find $out -type f ! -name '*.part*' ! -name train.csv 2>/dev/null | head -n 3)
  [ -z "$left" ] || fault="$fault; left behind: $left"
  [ -z "${SHOW-}" ] || { echo "$*" && head -n 3 $count.err; }
  [ -z "$fault" ] || { echo "test_bad_input: $*: $fault"; head -n 12 $count.err; } >$count.fault
}
simulate() { words=$1; shift; bad "$words" simulate case.yaml -model_reynolds 100 -simulate_steps 2 "$@"; }
train() { words=$1; shift; bad "$words" train case.yaml -train_updates 1 "$@"; }
trained() { words=$1; shift; train "$words" -train_dataset $data "$@"; }

# Command, case file, keys
bad "'swim' is no verb" swim case.yaml
bad "a verb and a case are missing"
bad "needs a case file" train
bad "nowhere.yaml" simulate nowhere.yaml
bad "open.yaml:|YAML" simulate open.yaml
bad "tab.yaml:2|YAML" simulate tab.yaml
bad "twice.yaml:2|model_dt is given twice|keep one" simulate twice.yaml
bad "nowhere.yaml|include" simulate include.yaml
bad "circle.yaml|include" simulate circle.yaml
bad "empty.yaml|is empty" simulate empty.yaml
bad "misspelt.yaml:1|grid_cellls|grid_cells" simulate misspelt.yaml
bad "text" simulate text
simulate "train_epoch|train_epochs" -train_epoch 3
simulate "model_dt|fast|number" -model_dt fast
simulate "simulate_steps|2.5|integer" -simulate_steps 2.5
simulate "obstacle_mask|hard|soft" -obstacle_mask hard
simulate "dataset_cells|perhaps|true" -dataset_cells perhaps
simulate "stands alone|commas" -grid_cells 16, 32
simulate "pressure_ksp_tpye" -pressure_ksp_tpye cg

# Grid and layout
simulate "grid_cells|0 cells" -grid_cells 0,32
simulate "grid_cells|-16" -grid_cells -16,32
simulate "grid_cells|8,8,8,8|at most 3" -grid_cells 8,8,8,8
simulate "grid_granularity|18" -grid_cells 18,32
simulate "grid_granularity|0" -grid_granularity 0
simulate "grid_halo|0" -grid_halo 0
simulate "grid_halo|narrower|largest layout that fits: 1 x 1" -grid_cells 16,16 -grid_halo 9
simulate "grid_ranks|4|2 ranks" -grid_ranks 2,2
simulate "grid_ranks|axis" -grid_ranks 2
simulate "grid_upper|grid_lower" -grid_upper 100,-1
simulate "grid_sides|sticky|noslip" -grid_sides sticky,open
simulate "grid_sides|periodic" -grid_sides periodic/open,open
simulate "team_replicas|2 ranks|3" -team_replicas 3
ranks=5
simulate "narrower|1 x 4 x 1 = 4 ranks" -grid_cells 8,16 -grid_granularity 4
ranks=2

# Model
simulate "model_dt|largest time step" -model_dt 1e6
simulate "model_dt|positive" -model_dt 0
simulate "Courant|grid_halo" -initial_velocity "0,(y > 180) * 100000" # only the last rank sees it
simulate "model_viscosity|say one of them" -model_viscosity 0.1
bad "model_reynolds|model_viscosity|missing" simulate case.yaml
simulate "Reynolds|positive|-5" -model_reynolds -5
simulate "model_steps|'swim' is no step" -model_steps swim
simulate "model_steps|velocity" -model_steps diffuse
simulate "obstacle_shapes|disc|circle" -obstacle_shapes "disc 1 2 3"
simulate "obstacle_shapes|circle|3" -obstacle_shapes "circle 50 50"
simulate "obstacle_shapes|outside" -obstacle_shapes "circle 500 50 10"
simulate "obstacle_shapes|radius" -obstacle_shapes "circle 50 50 -1"
simulate "prescribe_region|ends too early" -prescribe_region "y <"
simulate "prescribe_velocity|'w'" -prescribe_velocity "w,1"
simulate "initial_velocity|2 expressions" -initial_velocity 1
simulate "initial_type|initial_file is missing" -initial_type file
simulate "nowhere.h5" -initial_type file -initial_file nowhere.h5
simulate "$data|fields" -initial_type file -initial_file $data
simulate "series/fields.h5|99" -initial_type file -initial_file series/fields.h5 -initial_frame 99
simulate "simulate_every|0" -simulate_every 0

# Datasets
bad "dataset_reynolds|-1|positive" dataset case.yaml -dataset_reynolds 100,-1
bad "dataset_refine|0" dataset case.yaml -dataset_refine 0
bad "dataset_frames|0" dataset case.yaml -dataset_frames 0
bad "dataset_skip|-2" dataset case.yaml -dataset_skip -2
train "nowhere.h5" -train_dataset nowhere.h5
train "$data|16|32" -train_dataset $data -grid_cells 32,32
train "$data|sides" -train_dataset $data -grid_sides open,open
trained "model_dt|apart" -model_dt 0.5
train "renamed.h5|velocity_y" -train_dataset renamed.h5
train "series/fields.h5|dataset" -train_dataset series/fields.h5
train "cut.h5|truncated" -train_dataset cut.h5
train "flat.h5|not an HDF5 file" -train_dataset flat.h5
train "foreign.h5" -train_dataset foreign.h5
train "nan.h5|velocity_y|simulation 1, frame 7|not finite" -train_dataset nan.h5
train "no number of that name|it has .." -train_dataset up.h5
train "text|not an HDF5 file" -train_dataset text
bad "Courant|grid_halo" dataset case.yaml -initial_velocity "0,(y > 180) * 100000"

# Net and training
trained "net_layers|line 1|conv" -net_layers "bool 3 32"
trained "net_layers|4|1, 3 or 5" -net_layers "conv 4 2"
trained "net_layers|2" -net_layers "conv 3 32 relu,conv 1 3"
trained "net_layers|swish|relu" -net_layers "conv 3 32 swish,conv 1 2"
trained "net_gain|0" -net_gain 0
trained "train_batch = 0" -train_batch 0
trained "train_unroll|1" -train_unroll 0
trained "train_unroll|$data" -train_unroll 8
trained "train_batch_same|mach|reynolds" -train_batch_same mach
trained "train_validation|1.5" -train_validation 1.5
trained "train_epochs|0" -train_epochs 0
trained "optimizer_rate|-0.1|positive" -optimizer_rate -0.1
trained "optimizer_clip|-1" -optimizer_clip -1
trained "tape_memory|raise" -tape_memory 10kB
trained "tape_memory|lots" -tape_memory lots
trained "$weights|another net|array" -train_resume $weights -net_layers "residual 3 8,conv 1 2"
trained "train_resume|weights.h5|adam|optimizer_type" -train_resume $weights -optimizer_type sgd
train "$weights|another dataset" -train_resume $weights -train_dataset huge.h5
trained "$data" -train_resume $data
trained "cut_weights.h5|truncated" -train_resume cut_weights.h5
trained "nan_weights.h5|damaged|checksum" -train_resume nan_weights.h5
trained "nowhere.h5" -train_resume nowhere.h5
train "Courant|grid_halo" -train_dataset huge.h5 -team_replicas 2 -train_batch 2
train "Courant|grid_halo" -train_dataset huge.h5 -team_replicas 2 -train_batch 1 # the second replica has no sample, and sees nothing
trained "net_layers|4" -net_layers "conv 4 2" -team_replicas 2
trained "step" -train_updates 2 -optimizer_rate 1e30

# Evaluation
rollout() { words=$1; shift; bad "$words" rollout case.yaml -rollout_steps 4 -rollout_average 2,4 -rollout_picture_step 4 "$@"; }
rollout "nowhere.h5|weft dataset|rollout_dataset" -rollout_dataset nowhere.h5 -rollout_weights $weights
rollout "nowhere.h5|weft train|rollout_weights" -rollout_dataset $data -rollout_weights nowhere.h5
rollout "$weights|another net|array" -rollout_dataset $data -rollout_weights $weights -net_layers "residual 3 8,conv 1 2"
rollout "cut_weights.h5|truncated" -rollout_dataset $data -rollout_weights cut_weights.h5
rollout "$data|model_dt = 2" -rollout_dataset $data -rollout_weights $weights -model_dt 2
rollout "rollout_series|7" -rollout_dataset $data -rollout_weights $weights -rollout_series 7
rollout "rollout_average|rising" -rollout_dataset $data -rollout_weights $weights -rollout_average 4,2

# Gradient check
bad "check_tolerance|-1" check case.yaml -train_dataset $data -check_tolerance -1
bad "nowhere.h5" check case.yaml -train_dataset $data -check_operators 0 -check_compare nowhere.h5
bad "$weights|gradient" check case.yaml -train_dataset $data -check_operators 0 -check_compare $weights

# Info
bad "grid_cell|grid_cells" info case.yaml -grid_cell 16,32
bad "grid_cells|0 cells" info case.yaml -grid_cells 0,32

# Output
simulate "text/out|-output" -output text/out
simulate "text|-output" -output text
[ "$(id -u)" = 0 ] || simulate "locked/out|-output" -output locked/out

wait
for fault in *.fault; do
  [ -e "$fault" ] || continue
  wrong=$((wrong + 1))
  cat "$fault" >&2
done
echo "$count bad inputs, $wrong wrong"
[ "$count" -ge 30 ] && [ "$wrong" = 0 ]
