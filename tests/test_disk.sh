#!/bin/bash
# ctest: io; timeout 120
# Disks that fail: full (a small tmpfs), read-only, without permission, folders where files should be. One message, a status that is not 0, no hang, and what
# was there before is whole: with room again the run goes on from it. Needs the right to mount; is skipped without it.
set -eu
folder=$(mktemp -d)
trap 'umount "$folder/disk" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
mkdir disk
mount -t tmpfs -o size=6m tmpfs disk 2>/dev/null || { echo "skipped: may not mount"; exit 77; }
fail() { echo "test_disk: $*" >&2; exit 1; }
cat >case.yaml <<END
include: $WEFT_SOURCE/cases/wake/train.yaml
grid: {cells: [16, 32]}
dataset: {refine: 1, skip: 2, frames: 12, reynolds: [100, 400]}
net: {layers: [residual 3 16, conv 1 2]}
model: {reynolds: 100}
train: {unroll: 2, batch: 2, batch_same: "", dataset: data/train.h5, checkpoint_every: 2}
END
good() { mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@" >log 2>&1 || { cat log; fail "weft $*"; }; }
bad() { # words, arguments
  local words=$1 status=0
  shift
  timeout 30 ${user:-} mpirun --oversubscribe --bind-to none -n 2 "$WEFT_COMMAND" "$@" >log 2>&1 || status=$?
  [ $status != 0 ] && [ $status != 124 ] || { cat log; fail "status $status: weft $*"; }
  [ "$(grep -c '^weft: error: ' log)" = 1 ] && grep '^weft: error: ' log | grep -q -- "$words" || { cat log; fail "no message with '$words': weft $*"; }
}
good dataset case.yaml -output data
good train case.yaml -train_updates 4 -output disk/run
h5diff disk/run/weights.h5 disk/run/checkpoint_00000004.h5

# full: during a checkpoint, a dataset, a series
dd if=/dev/zero of=disk/filler bs=4k 2>/dev/null || true
bad "disk/run" train case.yaml -train_updates 8 -train_resume auto -output disk/run
h5diff disk/run/weights.h5 disk/run/checkpoint_00000004.h5 || fail "the full disk cost the last checkpoint"
rm disk/filler
good train case.yaml -train_updates 8 -train_resume auto -output disk/run
grep -q "resuming at update [46]" log || { cat log; fail "did not go on"; }
bad "disk/data" dataset case.yaml -dataset_frames 4000 -output disk/data
[ ! -e disk/data/train.h5 ] || fail "a dataset that did not fit has its final name"
rm -rf disk/data
bad "disk/series" simulate case.yaml -simulate_steps 4000 -simulate_every 1 -output disk/series
rm -rf disk/series

# read-only
mount -o remount,ro disk
bad "disk" train case.yaml -train_updates 12 -train_resume auto -output disk/run
bad "disk/new" dataset case.yaml -output disk/new
mount -o remount,rw disk

# no permission: as another user, since root may do everything
chmod 755 "$folder" data
mkdir -m 755 closed
mkdir -m 777 open
cp -r data secret && chmod 600 secret/train.h5
user="setpriv --reuid=65534 --clear-groups env HOME=$folder/open"
bad "closed" train case.yaml -train_updates 2 -output closed
bad "closed" dataset case.yaml -output closed/data
bad "secret/train.h5" train case.yaml -train_updates 2 -train_dataset secret/train.h5 -output open/run
user=""

# folders in place of files
mkdir -p taken/weights.h5 part/checkpoint_00000002.part.h5 table/train.csv
bad "weights" train case.yaml -train_updates 2 -output taken
bad "checkpoint_00000002.part.h5" train case.yaml -train_updates 2 -output part
bad "train.csv" train case.yaml -train_updates 2 -output table
bad "is a folder" train case.yaml -train_updates 2 -train_dataset data -output none
bad "is a folder" train case.yaml -train_updates 2 -train_resume data -output none
