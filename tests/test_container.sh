#!/bin/bash
# ctest: long; timeout 3600
# The container recipe packaging/weft.def without Apptainer: its base is made by debootstrap, its sections run in it as Apptainer runs them (files copied,
# %post by sh -e as root, then %test, and %runscript with arguments), a run of 2 ranks inside. Needs root, debootstrap and Debian's mirror.
#   WEFT_CONTAINER: a folder that already holds Debian 12 as debootstrap makes it (is changed)
set -eu
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "skipped: needs root and debootstrap"; exit 77; }
recipe=$WEFT_SOURCE/packaging/weft.def
fail() { echo "test_container: $*" >&2; exit 1; }
section() { awk -v name="%$1" '/^%/ { inside = $1 == name; next } inside' "$recipe"; }
folder=$(mktemp -d)
root=${WEFT_CONTAINER:-$folder/root}
ends() {
  umount "$root/proc" "$root/dev" 2>/dev/null || true
  rm -rf --one-file-system "$folder"
}
trap ends EXIT
grep -qx 'From: debian:12' "$recipe" || fail "another base than Debian 12"
[ -d "$root/usr" ] || debootstrap --variant=minbase bookworm "$root" http://deb.debian.org/debian >"$folder/log" 2>&1 || { tail "$folder/log"; echo "skipped: no mirror of Debian"; exit 77; }
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
inside() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 chroot "$root" "$@"; }
section files | grep . | while read -r from to; do
  [ "$from" = . ] || fail "%files copies $from"
  mkdir -p "$root$to"
  (cd "$WEFT_SOURCE" && git ls-files -z | xargs -0 cp --parents -t "$root$to") # what a fresh checkout holds
done
for name in post test runscript; do
  section $name >"$root/$name.sh"
  [ -s "$root/$name.sh" ] || fail "no section $name"
done
inside sh -e /post.sh >"$folder/log" 2>&1 || { tail -n 30 "$folder/log"; fail "%post"; }
inside sh -e /test.sh || fail "%test"
inside sh /runscript.sh info | grep -q '^weft ' || fail "%runscript does not run the command"
inside mpirun --oversubscribe -n 2 sh /runscript.sh simulate /opt/weft/source/cases/taylor_green/simulate.yaml -simulate_steps 2 -output /tmp/run >"$folder/log" 2>&1 || { tail "$folder/log"; fail "2 ranks inside"; }
[ -s "$root/tmp/run/summary.json" ] || fail "no summary"
