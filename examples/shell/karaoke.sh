#!/bin/sh
# karaoke.sh SONGS OUT [MODEL]: every song below SONGS without its vocals, as OUT/SONG.flac. Can be repeated: finished songs are skipped.
set -eu
songs=$1 out=$2 model=${3:-dsu_mini}
mkdir -p "$out"
status=0
dsu -m "$model" --two-stems vocals --flac --resume --journal "$out/journal.jsonl" -o "$out/stems" "$songs" || status=$?
find "$out/stems" -name no_vocals.flac | while read -r stem; do
  cp "$stem" "$out/$(basename "$(dirname "$stem")").flac"
done
grep '"status": "failed"' "$out/journal.jsonl" >&2 || true
exit "$status"
