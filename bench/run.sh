#!/usr/bin/env bash
# Measures Weft beside other programs on this machine: makes a Python environment for them from PyPI (2 to 6 GB), builds the
# benchmarks, runs each pair interleaved on the same two cores, checks that both sides compute the same, writes results.json, and
# renews the tables and plots of docs/performance.md.
#   bench/run.sh                     every row, about twenty minutes
#   bench/run.sh --resume            goes on where a run was cut short: leaves out rows that were measured at this commit in this way
#   bench/run.sh --quick             fewer repetitions, no whole training: below ten minutes, for a first look
#   bench/run.sh --rows wake_update,convolution
#   bench/run.sh --list              what the rows are
#   bench/run.sh --report            tables and plots from the results that are there
# Options:
#   --results FILE       where results are kept, row by row (default bench/results.json)
#   --page FILE          page whose tables are renewed (default docs/performance.md)
#   --environment DIR    Python environment, made if it is not there (default bench/environment; also WEFT_BENCH_ENVIRONMENT)
#   --build DIR          build folder of Weft (default build)
#   --work DIR           data between the programs (default output/bench)
#   --ranks N            MPI ranks, and cores for the others (default 2)
#   --rounds N           how often the programs take turns (default 5)
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${WEFT_BENCH_ENVIRONMENT:-bench/environment}
build=${WEFT_BUILD:-build}
pass=() only_report=no only_list=no status=0

usage() { sed -n '2,20s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case "$1" in
    --environment | --build | --rows | --results | --page | --work | --ranks | --rounds)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
      case "$1" in
        --environment) environment=$2 ;;
        --build) build=$2 ;;
        *) pass+=("$1" "$2") ;;
      esac
      shift ;;
    --quick | --resume) pass+=("$1") ;;
    --report) only_report=yes ;;
    --list) only_list=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

command -v python3 >/dev/null || { echo "bench/run.sh needs python3 (Debian: python3 python3-venv)" >&2; exit 1; }
[ $only_list = no ] || exec python3 bench/compare.py --list

python=$environment/bin/python
if ! "$python" -c 'import phi, jax, jax_cfd, torch, optax, h5py, matplotlib' 2>/dev/null; then
  echo "== Environment $environment: packages of bench/requirements.txt from PyPI"
  [ -x "$python" ] || python3 -m venv "$environment" ||
    { echo "python3 -m venv failed; on Debian install python3-venv" >&2; exit 1; }
  "$python" -m pip install --quiet --requirement bench/requirements.txt || {
    cat >&2 <<END
The packages could not be installed (pip's message is above). Is PyPI reachable from here? pip takes a proxy from HTTPS_PROXY and a
mirror from PIP_INDEX_URL. Or make the environment where there is a network, and name it:  bench/run.sh --environment DIR
END
    exit 1
  }
fi

if [ $only_report = no ]; then
  echo "== Build $build"
  mkdir -p "$build"
  { [ -f "$build/CMakeCache.txt" ] || cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release; } >"$build/bench.log" 2>&1 &&
    cmake --build "$build" -j "$(nproc)" --target weft_command --target bench >>"$build/bench.log" 2>&1 ||
    { tail -n 20 "$build/bench.log" >&2; echo "Weft does not build; ./bootstrap.sh build installs what it needs" >&2; exit 1; }
  "$python" bench/compare.py --build "$build" "${pass[@]}" || status=$?
fi
"$python" bench/report.py "${pass[@]}" # also where a row failed: the others are there
exit "$status"
