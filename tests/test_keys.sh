#!/usr/bin/env bash
# ctest: unit; timeout 60
# Every key of the registry stands there once and in `weft -help`, and docs/keys.md is what the registry says.
set -u
help=$("$WEFT_COMMAND" -help) || { echo "weft -help failed"; exit 1; }
bad=0 keys=0
while read -r key; do
  keys=$((keys + 1))
  grep -q -- "^  -$key  " <<<"$help" || { echo "weft -help does not list $key"; bad=1; }
  grep -q "^| \`$key\` |" "$WEFT_SOURCE/docs/keys.md" || { echo "docs/keys.md lacks $key"; bad=1; }
done < <(sed -nE 's/^WEFT_KEY\(([a-z0-9_]+),.*/\1/p' "$WEFT_SOURCE/src/base/keys.h")
[ $keys -gt 20 ] || { echo "only $keys keys were found"; bad=1; }
twice=$(sed -nE 's/^WEFT_KEY\(([a-z0-9_]+),.*/\1/p' "$WEFT_SOURCE/src/base/keys.h" | sort | uniq -d)
[ -z "$twice" ] || { echo "rows of the same key: $twice"; bad=1; }
diff <("$WEFT_SOURCE/docs/make_keys.sh") "$WEFT_SOURCE/docs/keys.md" || { echo "docs/keys.md is old: docs/make_keys.sh >docs/keys.md"; bad=1; }
exit $bad
