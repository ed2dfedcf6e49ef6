#!/bin/bash
# ctest: io; timeout 120
# The h5py pieces of docs/files.md do what the page says: what they write is read by Weft, what Weft writes they read.
# Debian: apt-get install python3-h5py
set -u
python=
for p in python3 /usr/bin/python3; do $p -c 'import h5py' 2>/dev/null && python=$p && break; done
[ -n "$python" ] || { echo "h5py is not there: skipped"; exit 77; }
fail() { echo "test_h5py: $*" >&2; exit 1; }
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

# piece WORD: the python block of the page that holds the word
piece() { awk -v word="$1" '/^```python/ { inside = 1; text = ""; next } /^```/ { if (inside && index(text, word)) print text; inside = 0; next } inside { text = text $0 "\n" }' "$WEFT_SOURCE/docs/files.md"; }
for word in '"fields.h5"' '"start.h5"' '"train.h5"' '"mine.h5"' '"weights.h5"'; do
  [ -n "$(piece "$word")" ] || fail "docs/files.md has no piece with $word"
done

piece '"start.h5"' | $python - || fail "writing a start"
piece '"mine.h5"' | $python - || fail "writing a dataset"
mpirun --oversubscribe --bind-to none -n 2 "$WEFT_BUILD/tests/program_h5py" || fail "reading what h5py wrote"
piece '"fields.h5"' | $python - || fail "reading a series"
piece '"train.h5"' | $python - || fail "reading a dataset"
{ piece '"weights.h5"'; echo 'assert list(flat) == [1.0, 2.0, 3.0] and text["net"].decode() == "conv", (flat, text)'; } | $python - || fail "reading weights"
exit 0
