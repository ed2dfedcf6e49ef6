#!/usr/bin/env bash
# Prints docs/keys.md, made from the registry of keys: docs/make_keys.sh >docs/keys.md
set -eu
cd "$(dirname "$0")/.."
cat <<'HEAD'
# Every key

Made from `src/base/keys.h` by `docs/make_keys.sh`. In a case file keys are nested (`grid: {cells: [32, 64]}`), on the command line
they take a dash (`-grid_cells 32,64`), which wins. No default: the key must be given, or its list is empty.

| key | value | default | unit | meaning |
|---|---|---|---|---|
HEAD
text='"((\\.|[^"\\])*)"'
sed -nE "s/^WEFT_KEY\(([a-z0-9_]+), ([A-Z]+), $text, $text, $text\)\$/\1\t\2\t\3\t\5\t\7/p" src/base/keys.h | awk -F '\t' '
BEGIN { word["INT"] = "integer"; word["REAL"] = "number"; word["BOOL"] = "true, false"; word["STRING"] = "text"
        word["INTS"] = "integers"; word["REALS"] = "numbers"; word["STRINGS"] = "texts" }
{
  value = word[$2]; unit = $4
  if ($2 == "ENUM") { value = $4; unit = ""; gsub(/\|/, ", ", value) }
  gsub(/\\"/, "\"", $5); gsub(/\|/, "\\|", $5)
  prefix = index($1, "_") ? substr($1, 1, index($1, "_")) : ""
  if (!(prefix in rows)) order[++groups] = prefix
  rows[prefix] = rows[prefix] "| `" $1 "` | " value " | " ($3 == "" ? "" : "`" $3 "`") " | " unit " | " $5 " |\n"
}
END { for (g = 1; g <= groups; g++) printf "%s", rows[order[g]] }'
