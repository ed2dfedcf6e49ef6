#!/bin/bash
# ctest: case; timeout 180
# A net in the place of the pressure solver, from random fields to a plume: its gradient on 4 ranks is that of 1 (double, to 1e-11),
# training by the divergence lowers it, terms of the loss are columns that add up, the plume's table is written; weights of another
# net are refused by the first layer that differs; a net at points trains; mistakes are told. (tanh for the check: with biases of zero
# whole patches of ReLUs stand on their kink.)
set -u
cd "$(mktemp -d)" || exit 1
trap 'rm -rf "$PWD"' EXIT
stop() { echo "$1"; tail -20 log; exit 1; }
on() { n=$1; shift; mpirun --oversubscribe --bind-to none -n "$n" "$WEFT_COMMAND" "$@" >log 2>&1; }
case=$WEFT_SOURCE/cases/projection_loss
small="-grid_cells 16,16 -net_features 4 -net_levels 3 -train_batch 4 -train_updates 12 -train_validation 0.2"

on 2 dataset "$case/dataset.yaml" -grid_cells 16,16 -dataset_frames 26 -output data || stop "no dataset"
for n in 1 4; do
  on "$n" check "$case/train.yaml" $small -train_dataset data/train.h5 -net_precision double -net_activation tanh -check_operators false -team_replicas 1 -output "check$n" \
    $([ "$n" = 4 ] && echo -check_compare check1/gradient.h5 -grid_ranks 2,2) || stop "the gradient on $n ranks"
done
on 2 train "$case/train.yaml" $small -train_dataset data/train.h5 -loss_terms "divergence 0.1,squared 0.01" -output net || stop "no training"
awk -F, 'NR == 1 { if ($5 != "divergence 0.1" || $6 != "squared 0.01") exit 1; next }
  { d = $2 - $5 - $6; if (d < 0) d = -d; if (d > 1e-6 * $2) exit 1; if (NR == 2) first = $5; last = $5 }
  END { if (!(last < first)) exit 1 }' net/train.csv || stop "train.csv: $(cat net/train.csv)"
grep -q "before training: validation loss" log || stop "no loss before training"
on 2 simulate "$case/plume.yaml" -net_features 4 -net_levels 3 -simulate_weights net/weights.h5 -simulate_steps 3 -output plume || stop "no plume"
[ "$(wc -l <plume/projection.csv)" = 4 ] || stop "projection.csv: $(cat plume/projection.csv)"
grep -q '"projection"' plume/summary.json || stop "the summary has no table: $(cat plume/summary.json)"
on 1 info "$case/train.yaml" -output info || stop "no info"
grep -q "83521 parameters" log || stop "info does not count the parameters"

fails() { on 2 "${@:2}" && stop "no error: ${*:2}"; grep -q -e "$1" log || stop "the message does not say '$1'"; [ "$(grep -c 'weft: error' log)" = 1 ] || stop "more than one message"; }
fails "array .*conv.* another shape\|has no array" simulate "$case/plume.yaml" -net_features 5 -net_levels 3 -simulate_weights net/weights.h5 -output bad
fails "no multiple of 8; use 24" train "$case/train.yaml" -grid_cells 20,20 -train_dataset data/train.h5 -output bad
fails "no loss is called 'huber'; use squared, absolute, relative, divergence, spectrum, momentum or steady" train "$case/train.yaml" $small -train_dataset data/train.h5 -loss_terms huber -output bad
fails "loss_steps.*2 values, at most 1" train "$case/train.yaml" $small -train_dataset data/train.h5 -loss_steps 1,2 -output bad
fails "net_type.*leave out one" info "$case/train.yaml" -net_layers "conv 1 1" -output bad
fails "simulate_weights" simulate "$case/plume.yaml" -simulate_weights "" -output bad
[ -e bad/weights.h5 ] && stop "a file of a run that failed"

points="$WEFT_SOURCE/cases/burgers_pinn/train.yaml"
on 1 info "$points" -output info || stop "no info of a net at points"
grep -q "3021 parameters" log || stop "info does not count the parameters of the net at points"
on 2 train "$points" -train_updates 40 -net_blocks 2 -net_features 6 -optimizer_type adam -optimizer_rate 0.01 -output points || stop "no training at points"
awk -F, 'NR == 2 { first = $2 } { last = $2 } END { exit !(last < first) }' points/train.csv || stop "train.csv: $(cat points/train.csv)"
fails "net_type.*mlp" train "$points" -net_type unet -output bad
