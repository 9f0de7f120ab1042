#!/bin/sh
# The main pipeline on a real score: BIN names the folder of the program clefkit.
set -eu

cd "$(dirname "$0")"
PATH="$BIN:$PATH"
mkdir -p out

echo "clefkit render erinnerung.mxl | clefkit augment --ir hall | clefkit transcribe | clefkit score" >&2
clefkit render --out out erinnerung.mxl | clefkit augment --ir hall --seed 7 | clefkit transcribe | clefkit score

echo "and without the hall:" >&2
clefkit transcribe out/erinnerung.wav | clefkit score

echo "the files are in demo/out:" >&2
ls out >&2
