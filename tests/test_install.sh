#!/usr/bin/env bash
# ctest: unit; timeout 180
# Installs into an empty folder, builds the example of docs/ against it, once through weft.pc, once through the CMake package, and
# runs it on 2 ranks: it checks its own gradients and fails when its training does not bring the loss down.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$WEFT_BUILD" --prefix "$work/weft" >"$work/log"
export PKG_CONFIG_PATH=$(dirname "$(find "$work/weft" -name weft.pc)"):${PKG_CONFIG_PATH:-}
cp -r "$WEFT_SOURCE/docs/example" "$work/example"
cd "$work/example"
make -s CFLAGS=-Werror
cmake -S . -B build -DCMAKE_PREFIX_PATH="$work/weft" >>"$work/log"
cmake --build build >>"$work/log"
mpirun -n 2 ./fisher -updates 100 >"$work/made.txt" || { cat "$work/made.txt"; exit 1; }
mpirun -n 2 build/fisher -updates 100 >"$work/cmade.txt" || { cat "$work/cmade.txt"; exit 1; }
cmp "$work/made.txt" "$work/cmade.txt" # one library, the same numbers
