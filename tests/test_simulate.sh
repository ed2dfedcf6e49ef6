#!/bin/sh
# ctest: case; timeout 120
# The verb simulate on 2 ranks: its files, and a run continued from its own file on another rank count.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "test_simulate: $*" >&2; exit 1; }
weft() { ranks=$1; shift; mpirun --oversubscribe --bind-to none -n "$ranks" "$WEFT_COMMAND" "$@"; }
wake="$WEFT_SOURCE/cases/wake/wake.yaml"
run="-model_reynolds 100 -simulate_every 10"

weft 2 simulate "$wake" $run -simulate_steps 20 -output "$folder/whole" >/dev/null
for file in fields.h5 fields.xmf figures.csv spectrum.csv picture.png summary.json; do [ -s "$folder/whole/$file" ] || fail "$file is missing"; done
[ "$(wc -l <"$folder/whole/figures.csv")" = 21 ] || fail "figures.csv does not have a line per step"

cut -d, -f1,2 "$folder/whole/figures.csv" >"$folder/whole.csv"
# Ten steps on 2 ranks and ten more from their file on 3 are the twenty, to every digit that the table shows.
weft 2 simulate "$wake" $run -simulate_steps 10 -output "$folder/first" >/dev/null
weft 3 simulate "$wake" $run -simulate_steps 10 -initial_type file -initial_file "$folder/first/fields.h5" -output "$folder/second" >/dev/null
whole=$(tail -n 1 "$folder/whole/figures.csv" | cut -d, -f3-5)
second=$(tail -n 1 "$folder/second/figures.csv" | cut -d, -f3-5)
[ "$whole" = "$second" ] || fail "continued from a file: $second, in one run: $whole"

# A finished run goes on in its own folder to more steps, on other ranks: all files are those of one run.
weft 3 simulate "$wake" $run -simulate_steps 20 -simulate_resume true -output "$folder/first" >/dev/null
cut -d, -f1,2 "$folder/first/figures.csv" | cmp - "$folder/whole.csv" || fail "figures.csv of the run that went on lacks steps"
h5diff "$folder/whole/fields.h5" "$folder/first/fields.h5" || fail "fields.h5 of the run that went on is another one"

# A bound that is passed ends the run after its files are whole, and is named.
if weft 2 simulate "$wake" $run -simulate_steps 20 -audit_courant 0.2 -output "$folder/bound" >"$folder/log" 2>&1; then fail "a bound of the Courant number was passed"; fi
grep -q "^weft: error: .*audit_courant.*step 1:" "$folder/log" || { cat "$folder/log"; fail "the message does not name audit_courant"; }
[ "$(wc -l <"$folder/bound/figures.csv")" = 2 ] && grep -q '"stopped_by": "audit_courant"' "$folder/bound/summary.json" || fail "files of the run that stopped"

# Without -output the folder is named after the case file's own: a path that goes up and down again, or a link, leads nowhere else.
mkdir -p "$folder/here/up" "$folder/here/odd..name" && cd "$folder/here"
echo "include: $wake" >odd..name/case.yaml
ln -s ../odd..name/case.yaml up/link.yaml
for path in up/../odd..name/case.yaml up/link.yaml; do
  weft 1 simulate $path -model_reynolds 100 -simulate_steps 1 >"$folder/log" 2>&1 || { cat "$folder/log"; fail "$path"; }
  [ -s output/odd..name/simulate/summary.json ] && [ "$(ls output)" = odd..name ] || fail "$path writes elsewhere: $(find "$folder/here")"
  rm -r output
done
