#!/bin/sh
# ctest: case; timeout 240
# The verb check on 2 ranks: every operator and the whole rollout of the wake, net in float64 and in float32, without a dataset; the
# same start on one rank; and mistakes that are refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_check: $*" >&2; exit 1; }
check() { # ranks, output, options
  ranks=$1 name=$2
  shift 2
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" check "$WEFT_SOURCE/cases/wake/train.yaml" -train_batch 2 \
    -train_unroll 2 -check_spinup 20 -output "$name" "$@" >"$name.log" 2>&1
}
value() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }
within() { awk -v a="$1" -v lo="$2" -v hi="$3" 'BEGIN { exit !(a != "" && a + 0 >= lo + 0 && a + 0 <= hi + 0) }'; }

for precision in double single; do
  check 2 $precision -net_precision $precision -model_reynolds 100,400 || { cat $precision.log; fail "net_precision $precision"; }
  for part in weights initial; do within "$(value $precision order_$part)" 1.9 2.1 || { cat $precision.log; fail "order_$part"; }; done
  # diffuse, prescribe, advect, obstacle, project; features, 3 x 2 + 1 + 1 convolutions, add; the loss
  [ "$(grep -c ' ok *\(no kinks.*\|kinks.*\)*$' $precision.log)" = 16 ] || { cat $precision.log; fail "not 16 operators"; }
done
within "$(value double dot_weights)" 0 1e-12 && within "$(value double dot_initial)" 0 1e-12 || fail "dot products"
check 1 one -net_precision double -model_reynolds 100,400 -check_operators no -check_rollout no -check_compare double/gradient.h5 || { cat one.log; fail "another start on one rank"; }

# In a quarter of the memory: the same gradient, byte for byte; and the horizon of a rollout.
long="-net_precision double -model_reynolds 100 -train_unroll 12 -train_loss_every 4 -check_operators no -check_rollout no"
check 2 all $long || { cat all.log; fail "a rollout of 12 steps"; }
check 2 tight $long -check_horizon yes -tape_memory $(($(value all tape_bytes_predicted) / 4)) || { cat tight.log; fail "in a quarter of the memory"; }
within "$(value tight tape_played_again_measured)" 0.1 2 && [ "$(value tight tape_played_again_measured)" = "$(value tight tape_played_again_predicted)" ] || { cat tight.log; fail "steps played again"; }
h5diff all/gradient.h5 tight/gradient.h5 || fail "another gradient in less memory"
[ "$(wc -l <tight/horizon.csv)" = 14 ] && [ -s tight/horizon.png ] || fail "files of the horizon"
within "$(value tight truncated_6)" 0.1 0.999999 && within "$(value tight damping_0.01)" 0.9 0.999999 || { cat tight.log; fail "cosines of limited gradients"; }

refused() { # words of the message, then options
  expected=$1
  shift
  if check 2 refused "$@"; then cat refused.log; fail "accepted: $*"; fi
  grep -q "^weft: error: .*$expected" refused.log || { cat refused.log; fail "no message '$expected': $*"; }
  [ "$(grep -c '^weft: error' refused.log)" = 1 ] || { cat refused.log; fail "not one message"; }
}
refused "nor model_reynolds or model_viscosity"
refused "missing.h5" -model_reynolds 100 -train_dataset missing.h5
refused "say one of them" -model_reynolds 100 -model_viscosity 0.1
refused "check_spinup .*cannot be negative" -model_reynolds 100 -check_spinup -1
fast="-model_reynolds 100,400 -check_operators no -check_rollout no"
refused "missing.h5" $fast -check_compare missing.h5
# Tapes of both ranks on this node together take 1.5 times its memory, though each would fit.
steps=$(awk -v pages="$(getconf _PHYS_PAGES)" -v size="$(getconf PAGESIZE)" -v bytes="$(value all tape_bytes_predicted)" 'BEGIN { printf "%d", 12 * 0.75 * pages * size / bytes }')
refused "each of the 2 ranks of a node, more than .* give it a budget with -tape_memory" -net_precision double -model_reynolds 100 -check_operators no -check_rollout no -train_unroll "$steps" -train_loss_every "$steps"
refused "another net, grid or batch" $fast -net_layers "conv 1 2" -check_compare double/gradient.h5
