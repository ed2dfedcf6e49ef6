#!/usr/bin/env bash
# Installs what Weft needs (Debian), builds it, tests it, runs the main job.
#   ./bootstrap.sh build   packages, configure, compile
#   ./bootstrap.sh test    build, then the test suite (all but the label "long")
#   ./bootstrap.sh demo    build, then cases/wake: dataset, training through the solver, evaluation
# Safe to repeat: what is there already is kept. Environment:
#   PETSC_DIR, PETSC_ARCH, HDF5_ROOT, PKG_CONFIG_PATH   libraries of one's own (modules on a cluster)
#   WEFT_BUILD    build folder (build)
#   WEFT_RANKS    MPI ranks of the demo (2)
#   WEFT_PACKAGES none: never install anything
set -euo pipefail
cd "$(dirname "$0")"
build=${WEFT_BUILD:-build}
ranks=${WEFT_RANKS:-2}

say() { printf '\n== %s\n' "$*"; }

# Seconds of the phases of the demo, for its last line.
shares="" begun=$(date +%s)
phase_ends() {
  local now
  now=$(date +%s)
  shares="$shares${shares:+, }$1 $((now - begun)) s"
  begun=$now
}

needed="build-essential cmake pkg-config openmpi-bin libopenmpi-dev petsc-dev libhdf5-openmpi-dev hdf5-tools libblis-serial-dev libfftw3-dev libyaml-dev libpng-dev"
for_tests="slurm-wlm munge" # a Slurm of one node for the job scripts; the tests of label cluster are skipped without it

install_packages() {
  local missing="" package
  if [ "${WEFT_PACKAGES:-}" = none ] || [ -n "${PETSC_DIR:-}" ]; then
    say "Packages: using what this environment provides (PETSC_DIR=${PETSC_DIR:-unset})"
    return
  fi
  if ! command -v apt-get >/dev/null; then
    say "Packages: this is no Debian system. Needed: MPI, PETSc 3.18 or newer (real scalars), HDF5 with MPI, BLIS, FFTW, libyaml, libpng, CMake, pkg-config; going on with what is there"
    return
  fi
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  say "Packages: installing$missing"
  local root=""
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then root="sudo -n"
    else
      echo "Not root, so not installing. Either ask an administrator for"
      echo "  apt-get install --no-install-recommends$missing"
      echo "or load your own libraries and set PETSC_DIR (and HDF5_ROOT, PKG_CONFIG_PATH); going on with what is there."
      return 0
    fi
  fi
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >"${TMPDIR:-/tmp}/weft-packages.log" 2>&1 ||
    { tail -n 20 "${TMPDIR:-/tmp}/weft-packages.log"; exit 1; }
}

build_weft() {
  say "Build: $build"
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE="${WEFT_BUILD_TYPE:-Release}" -DWEFT_WERROR="${WEFT_WERROR:-OFF}" >"$build.configure.log" 2>&1 ||
    { cat "$build.configure.log"; exit 1; }
  rm -f "$build.configure.log"
  cmake --build "$build" -j "$(nproc)" -- --no-print-directory | { grep -vE '^\[ *[0-9]+%\] Built target' || true; }
}

# As root (containers) Open MPI asks for a word; more ranks than cores share them politely.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[ "$ranks" -le "$(nproc)" ] || export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
weft() { mpirun -n "$ranks" "$build/weft" "$@"; }

case "${1:-}" in
  build)
    install_packages $needed
    build_weft
    say "Done: $build/weft"
    ;;
  test)
    install_packages $needed $for_tests
    WEFT_WERROR=ON build_weft
    say "Tests"
    ctest --test-dir "$build" --output-on-failure -LE long -j "$(nproc)"
    ;;
  demo)
    start=$(date +%s)
    install_packages $needed
    phase_ends packages
    build_weft
    phase_ends build
    say "Wake dataset: reference simulations on 128 x 256 cells, brought down to 32 x 64"
    weft dataset cases/wake/dataset.yaml
    phase_ends data
    say "Training through the solver: 4960 updates on $ranks ranks"
    weft train cases/wake/train.yaml
    phase_ends training
    say "Evaluation on Reynolds numbers that the training never saw"
    weft rollout cases/wake/rollout.yaml
    phase_ends evaluation
    say "Done in $(($(date +%s) - start)) s ($shares). See output/wake/rollout: table.txt, picture.png, errors.png, and the series (.xmf) for ParaView"
    ;;
  *)
    sed -n '2,12s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
