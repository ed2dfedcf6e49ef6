#!/bin/bash
# ctest: contract; timeout 10
# Every operator that a header offers has its row in the list, so that no operator escapes the contract test.
set -u
cd "${WEFT_SOURCE:-$(dirname "$0")/..}" || exit 1
failed=0
for name in $(grep -ho 'WeftOpCreate[A-Z][A-Za-z]*(' include/weft/*.h | sed 's/WeftOpCreate//; s/(//' | grep -v '^Mat$' | sort -u); do
  if ! grep -q "^WEFT_OP($name," src/op/list.h; then
    echo "operator $name (WeftOpCreate$name) has no row in src/op/list.h"
    failed=1
  fi
done
exit $failed
