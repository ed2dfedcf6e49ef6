#!/bin/sh
# ctest: case; timeout 400
# The training gradient of the wake does not depend on how the ranks are laid out: 4 steps, 4 samples, the published net in
# float64, from a developed state that no symmetry helps. By the weights to 1e-11, by the initial state bit for bit. And the
# gradient's reach: what one-step and no-solver-gradient share, and that full reaches further.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_train_layouts: $*" >&2; exit 1; }
weft() { # ranks, log, arguments
  ranks=$1 log=$2
  shift 2
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$@" >"$log" 2>&1
}
reynolds=97.65625,390.625,781.25,3125
check() { # ranks, replicas, name of the output, then options
  ranks=$1 replicas=$2 name=$3
  shift 3
  weft "$ranks" "$name.log" check "$WEFT_SOURCE/cases/wake/train.yaml" -train_dataset data/train.h5 -train_batch_same "" -train_batch 4 \
    -train_unroll 4 -net_precision double -team_replicas "$replicas" -output "$name" -check_operators no -check_rollout no "$@"
}
value() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }
below() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 < b + 0) }'; }

# Frames of four simulations that shed vortices: left and right differ by half the largest velocity.
weft 1 data.log dataset "$WEFT_SOURCE/cases/wake/dataset.yaml" -dataset_refine 1 -dataset_reynolds $reynolds -dataset_test_reynolds 100 \
  -dataset_skip 999 -dataset_frames 6 -dataset_precision double -output data || { cat data.log; fail "dataset"; }
check 1 1 one || { cat one.log; fail "one rank"; }
[ "$(value one parameters)" = 47330 ] || fail "the net has $(value one parameters) parameters, not 47330"
for layout in 1x2 1x3 1x4 2x1 2x2 4x1; do # replicas x space
  replicas=${layout%x*}
  ranks=$((replicas * ${layout#*x}))
  check "$ranks" "$replicas" "$layout" -check_compare one/gradient.h5 || { cat "$layout.log"; fail "replicas x space $layout against one rank"; }
  [ "$(value "$layout" replicas)x$(value "$layout" space)" = "$layout" ] || fail "asked for $layout, ran $(value "$layout" replicas)x$(value "$layout" space)"
  [ "$(value "$layout" initial_differing)" = 0 ] || fail "$layout: not compared"
done
check 4 1 square -grid_ranks 2,2 -check_compare one/gradient.h5 || { cat square.log; fail "process grid 2 x 2 against one rank"; }
check 3 3 uneven -check_compare one/gradient.h5 || { cat uneven.log; fail "three replicas for four samples against one rank"; }

# It is a comparison: other weights are another gradient, one message, exit code not zero.
if check 2 1 seed -seed 2 -check_compare one/gradient.h5; then fail "the gradient of another seed passed"; fi
[ "$(grep -c '^weft: error: .*differs from that of one/gradient.h5 by' seed.log)" = 1 ] || { cat seed.log; fail "another message"; }

# The correction follows the solver, so within a step its gradient passes no solver: both short reaches agree, full differs.
check 2 1 step -unroll_reach one-step || { cat step.log; fail "one-step"; }
if check 2 1 none -unroll_reach no-solver-gradient -check_compare step/gradient.h5; then fail "the initial state has a gradient without the solver"; fi
below "$(value none weights_difference)" 1e-11 || { cat none.log; fail "one-step and no-solver-gradient give other gradients by the weights"; }
if check 2 1 reach -unroll_reach one-step -check_compare one/gradient.h5; then fail "full and one-step give the same gradient"; fi
below 1e-3 "$(value reach weights_difference)" || { cat reach.log; fail "full reaches no further than one-step"; }
