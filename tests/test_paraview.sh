#!/bin/bash
# ctest: paraview; timeout 180
# ParaView reads what Weft writes: every value of a series in 1D, 2D and 3D, and a rendered picture (kept in the build folder).
# Debian: apt-get install --no-install-recommends paraview python3-paraview xvfb xauth
set -u
command -v pvbatch >/dev/null && command -v xvfb-run >/dev/null || { echo "pvbatch or xvfb-run is not there: skipped"; exit 77; }
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
for dim in 1 2 3; do
  mpirun --oversubscribe --bind-to none -n 2 "$WEFT_BUILD/tests/program_fields" write "$folder/fields$dim" $dim 3 || exit 1
  xvfb-run -a pvbatch "$WEFT_SOURCE/tests/paraview_check.py" "$folder/fields$dim" $dim 3 "$WEFT_BUILD/tests/paraview$dim.png" || exit 1
done
