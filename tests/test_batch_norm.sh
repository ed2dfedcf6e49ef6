#!/bin/bash
# ctest: case; timeout 180
# Batch normalisation and residual losses in a training: the gradient through the statistics on 2 replicas x 2 ranks is that of one rank
# (double, to 1e-11), and so is a training with its averages, in use on unseen samples; a resumed training is the whole one bit for bit;
# residuals of the solver's step train without data, terms are columns that add up; mistakes are told.
set -u
cd "$(mktemp -d)" || exit 1
trap 'rm -rf "$PWD"' EXIT
stop() { echo "$1"; tail -20 log; exit 1; }
on() { n=$1; shift; mpirun --oversubscribe --bind-to none -n "$n" "$WEFT_COMMAND" "$@" >log 2>&1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/projection_loss/train.yaml
grid: {cells: [16, 16]}
net:
  type: layers
  precision: double
  layers: [conv 3 4 tanh, batch_norm, halve 3 4 tanh, batch_norm, transposed 1 4 tanh, batch_norm, conv 1 1]
model: {dt: 0.1, steps: [correct], viscosity: 0.01}
train: {unroll: 2, batch: 4, updates: 6, validation: 0.3, dataset: data/train.h5}
optimizer: {rate: 0.01}
loss: {terms: [momentum, divergence 0.1, steady 0.01], solver: [advect velocity, project]}
END
number() { sed -n "s/^ *\"$2\": \\([^,]*\\),*\$/\\1/p" "$1/summary.json"; }
weights() { h5dump -d /weights -m %.17g "$1/weights.h5" | tail -n +2; }

on 1 dataset case.yaml -dataset_fields random -dataset_frames 26 -dataset_precision double -output data || stop "no dataset"
on 1 check case.yaml -check_operators true -output one || stop "the gradient on 1 rank"
on 4 check case.yaml -check_operators false -team_replicas 2 -check_compare one/gradient.h5 -output four || stop "the gradient on 2 x 2 ranks"
on 2 check case.yaml -net_statistics replica -check_operators false -check_rollout false -team_replicas 2 -check_compare one/gradient.h5 -output replica &&
  stop "statistics of half a batch give the gradient of the whole"
on 1 train case.yaml -output whole || stop "no training"
awk -F, 'NR == 1 { if ($5 != "momentum" || $7 != "steady 0.01") exit 1; next }
  { d = $2 - $5 - $6 - $7; if (d < 0) d = -d; if (d > 1e-6 * $2) exit 1; if (NR == 2) first = $2; last = $2 }
  END { if (!(last < first)) exit 1 }' whole/train.csv || stop "train.csv: $(cat whole/train.csv)"
on 4 train case.yaml -team_replicas 2 -output spread || stop "no training on 2 x 2 ranks"
for n in loss validation_loss; do
  awk -v a="$(number whole $n)" -v b="$(number spread $n)" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= 1e-8 * a) }' || stop "$n: $(number whole $n) and $(number spread $n)"
done
h5dump -d /parameters/1.norm.variance whole/weights.h5 | grep -q "(0): 1, 1" && stop "the averages stay"
on 1 train case.yaml -train_updates 3 -output parts || stop "no training of 3 updates"
on 1 train case.yaml -train_resume auto -output parts || stop "not resumed"
cmp -s <(weights whole) <(weights parts) || stop "the resumed training differs"
on 2 train case.yaml -team_replicas 2 -net_statistics replica -output replica || stop "no training with statistics of replicas"

fails() { on 2 "${@:2}" && stop "no error: ${*:2}"; grep -q -e "$1" log || stop "the message does not say '$1'"; [ "$(grep -c 'weft: error' log)" = 1 ] || stop "more than one message"; }
fails "loss_solver.*name its steps" train case.yaml -loss_solver "" -output bad
fails "train_bad_samples.*net_statistics replica" train case.yaml -team_replicas 2 -train_bad_samples skip -output bad
fails "train_batch.*2 replicas" train case.yaml -team_replicas 2 -train_batch 1 -output bad
fails "no layer is called 'batchnorm'.*batch_norm" train case.yaml -net_layers "batchnorm,conv 1 1" -output bad
fails "net_layers.*4 outputs" train case.yaml -net_layers "conv 3 4,batch_norm" -output bad
fails "concat\|keep" train case.yaml -net_layers "concat,conv 1 1" -output bad
fails "array 1.conv.weight" train case.yaml -train_resume whole/weights.h5 -net_layers "conv 3 4 tanh,conv 3 4 tanh,conv 1 1" -output bad
[ -e bad/weights.h5 ] && stop "a file of a run that failed"
exit 0
