#!/bin/bash
# ctest: long; timeout 1800
# The readers of files under libFuzzer with address and undefined-behaviour sanitizers, WEFT_RUNS made-up files each (20,000): case files,
# arrays, series, datasets. A crash in our code fails; one inside HDF5 does too, and its input stays in WEFT_FUZZ_OUT. Needs clang.
set -eu
command -v clang >/dev/null || { echo "skipped: needs clang"; exit 77; }
out=${WEFT_FUZZ_OUT:-$(mktemp -d)}
mkdir -p "$out"
cd "$WEFT_SOURCE"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
flags=$(pkg-config --cflags PETSc yaml-0.1 libpng)
flags="$flags -I/usr/lib/x86_64-linux-gnu/openmpi/include -I/usr/include/hdf5/openmpi -Iinclude -Isrc"
[ -x "$out/target" ] || {
  ls src/base/*.c src/grid/*.c src/op/*.c src/io/*.c | grep -v src/op/registry.c | xargs -P "$(nproc)" -I{} sh -c 'clang -g -O1 -fPIC -w -std=gnu11 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DWEFT_VERSION=\"fuzz\" '"$flags"' -c {} -o '"$out"'/$(echo {} | tr / _).o'
  clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined $flags tests/fuzz/target.c "$out"/*.o -o "$out/target" \
    $(pkg-config --libs PETSc yaml-0.1 libpng) -L/usr/lib/x86_64-linux-gnu/openmpi/lib -lmpi -lhdf5_openmpi $(find /usr/lib -name libblis.a | grep serial | head -n 1) -lm -lpthread
}
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
mkdir -p "$out/seeds"
WEFT_SEEDS=$out/seeds "$out/target" >/dev/null
for file in "$out"/seeds/*.h5; do printf X | dd of="$file" bs=1 conv=notrunc 2>/dev/null; done
for target in yaml arrays series dataset; do
  mkdir -p "$out/corpus_$target"
  case $target in
  yaml) for file in cases/*/*.yaml; do cp "$file" "$out/corpus_yaml/$(echo "$file" | tr / _)"; done ;;
  *) cp "$out/seeds/$target.h5" "$out/corpus_$target" ;;
  esac
  WEFT_FUZZ=$target "$out/target" -runs="${WEFT_RUNS:-20000}" -max_len=65536 -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$out/$target-" "$out/corpus_$target" >"$out/$target.log" 2>&1 || { tail -n 40 "$out/$target.log"; echo "test_fuzz: $target"; exit 1; }
  echo "$target: $(sed -n 's/stat::number_of_executed_units: *//p' "$out/$target.log") files"
done
