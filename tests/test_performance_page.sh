#!/usr/bin/env bash
# ctest: unit; timeout 20
# The tables of docs/performance.md are those of bench/results.json, those of docs/scaling.md those of bench/scaling.json; the peers' scripts are Python.
set -eu
cd "$WEFT_SOURCE"
command -v python3 >/dev/null || exit 77
python3 bench/report.py --check
python3 bench/scaling.py --check
python3 - <<END
import ast, pathlib
for path in pathlib.Path("bench").rglob("*.py"):
    if "environment" not in path.parts:
        ast.parse(path.read_text(), str(path))
END
