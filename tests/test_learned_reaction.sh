#!/bin/sh
# ctest: case; timeout 120
# A reaction learned by a net inside implicit steps, small: data from the true model, training, comparison. The loss falls by two orders;
# it is the same on 1, 2 and 4 ranks and after a restart; the learned rates come close to the true ones at states that were not in the training.
# In double through the assembled Jacobian and the transposed solve, the gradient passes `check` on these ranks.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() { echo "test_learned_reaction: $*" >&2; exit 1; }
weft() { # name, ranks, verb, file, arguments
  name=$1 ranks=$2 verb=$3 file=$4
  shift 4
  mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$verb" "$WEFT_SOURCE/cases/gray_scott_learned/$file.yaml" -output "$name" -grid_cells 16,16 "$@" >"$name.log" 2>&1 || { cat "$name.log" >&2; fail "$name ends with an error"; }
}
value() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }
losses() { awk -F, -v bound="$3" 'NR == FNR { one[FNR] = $2; next } FNR > 1 { d = $2 / one[FNR] - 1; if (d * d > bound * bound) { print "row " FNR ": " $2 ", not " one[FNR]; bad = 1 } } END { exit bad || FNR < 4 }' "$1" "$2" || fail "the losses of $2 are not those of $1"; }

weft data 2 dataset dataset -dataset_simulations 4 -dataset_test_simulations 2 -dataset_frames 12
data="-train_dataset data/train.h5 -train_unroll 2 -train_batch 4"
weft one 1 train train $data -train_updates 12 -train_checkpoint_every 6
for ranks in 2 4; do
  weft train$ranks $ranks train train $data -train_updates 12 -team_replicas $((ranks / 2))
  losses one/train.csv train$ranks/train.csv 1e-6
done
weft again 2 train train $data -train_updates 12 -train_resume one/checkpoint_00000006.h5 -team_replicas 1
awk -F, 'NR == FNR { one[$1] = $2; next } FNR > 1 { d = $2 / one[$1] - 1; if (d * d > 1e-12) bad = 1; n++ } END { exit bad || n != 6 }' one/train.csv again/train.csv || fail "a training that was resumed goes another way"

for ranks in 1 4; do weft check$ranks $ranks check train $data -train_unroll 1 -train_batch 1; done
grep -q 'rollout by the weights' check4.log || fail "check says nothing of the weights"

weft learned 2 train train $data -train_unroll 1 -train_updates 800 -train_batch 2
awk -F, 'NR == 2 { first = $2 } { last[NR % 20] = $2 } END { for (k in last) sum += last[k] / 20; print "loss " first " to " sum; exit !(sum < 1e-2 * first) }' learned/train.csv || fail "the loss does not fall"
weft rollout 2 rollout rollout -rollout_dataset data/test.h5 -rollout_weights learned/weights.h5 -rollout_steps 11
grep -q '^Learned reaction' rollout/table.txt && [ -s rollout/reaction.csv ] && [ -s rollout/reaction.png ] || fail "no comparison of the reaction"
awk -v error="$(value rollout error)" 'BEGIN { print "reaction off by " error; exit !(error != "" && error < 0.3) }' || fail "the learned reaction is far from the true one"
