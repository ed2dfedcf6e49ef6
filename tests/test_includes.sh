#!/usr/bin/env bash
# ctest: unit; timeout 30
# Who may include whom: base < grid < op < {solve, nn} < {model, tape, io} < train < invert < apps. HDF5 in src/io alone, BLIS in src/nn and
# src/base. The checker is first shown trees that break each rule.
set -u
here=${WEFT_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}

# Folders that a folder may include, itself left out. A model may use the public header of solve, as include/weft/model.h does.
may_include() {
  case $1 in
  base) echo "" ;;
  grid) echo "base" ;;
  op) echo "base grid" ;;
  solve | nn) echo "base grid op" ;;
  tape | io) echo "base grid op" ;;
  model) echo "base grid op solve" ;;
  train) echo "base grid op solve nn model tape io" ;;
  invert | apps) echo "base grid op solve nn model tape io train invert" ;;
  *) echo "" ;;
  esac
}

folders="base grid op solve nn model tape io train invert"

# Prints every include of a tree that breaks a rule; fails when there is one.
check() {
  local tree=$1 folder file line target bad=0 allowed
  while IFS=: read -r file line target; do
    target=$(sed -E 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*)[>"].*/\1/' <<<"$target")
    case ${file#"$tree"/} in
    src/*) folder=${file#"$tree"/src/} folder=${folder%%/*} ;;
    include/weft/*) folder=$(basename "$file" .h) ;;
    apps/*) folder=apps ;;
    *) continue ;;
    esac
    allowed=" $folder $(may_include "$folder") "
    case $target in
    hdf5*.h | H5*.h) [ "$folder" = io ] || { echo "$file:$line: only src/io includes $target"; bad=1; } ;;
    blis.h | blis/* | cblas.h) [ "$folder" = nn ] || [ "$folder" = base ] || { echo "$file:$line: only src/nn and src/base include $target"; bad=1; } ;;
    weft.h | weft/weft.h) [ "$folder" = apps ] || { echo "$file:$line: name the headers of the folders that you use, not $target"; bad=1; } ;;
    weft/*.h)
      target=${target#weft/} target=${target%.h}
      [[ $allowed == *" $target "* ]] || { echo "$file:$line: src/$folder must not include weft/$target.h (it may:$allowed)"; bad=1; }
      ;;
    */*.h)
      for other in $folders; do
        [ "${target%%/*}" = "$other" ] || continue
        # private headers: of one's own folder, of base, and down the chain base < grid < op
        [[ $allowed == *" $other "* ]] || { echo "$file:$line: src/$folder must not include $target (it may:$allowed)"; bad=1; }
        [ "$folder" = model ] && [ "$other" = solve ] && { echo "$file:$line: a model uses the public header of solve, not $target"; bad=1; }
      done
      ;;
    esac
  done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' "$tree"/src "$tree"/include "$tree"/apps --include='*.[ch]' 2>/dev/null)
  return $bad
}

# A tree with one file that holds one include must be refused.
planted() {
  local path=$1 include=$2 tree
  tree=$(mktemp -d)
  mkdir -p "$tree/$(dirname "$path")"
  echo "#include $include" >"$tree/$path"
  if check "$tree" >/dev/null; then
    echo "the check let $path include $include"
    rm -rf "$tree"
    exit 1
  fi
  rm -rf "$tree"
}
planted src/base/x.c '<weft/grid.h>'
planted src/grid/x.c '"op/impl.h"'
planted src/op/x.c '<weft/nn.h>'
planted src/nn/x.c '<weft/model.h>'
planted src/model/x.c '"nn/impl.h"'
planted src/model/x.c '"solve/impl.h"'
planted src/tape/x.c '<weft/model.h>'
planted src/solve/x.c '<weft/tape.h>'
planted include/weft/op.h '<weft/solve.h>'
planted src/train/x.c '<hdf5.h>'
planted src/train/x.c '<weft/invert.h>'
planted src/op/x.c '<blis.h>'
planted src/op/x.c '<weft.h>'

check "$here"
