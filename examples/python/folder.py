"""folder.py SONGS OUT [MODEL]: separates every song of a folder. One that fails does not stop the others."""

from __future__ import annotations

import sys
from pathlib import Path

from dsu_client import DSU, DSUError

ENDINGS = {".wav", ".flac", ".mp3", ".m4a", ".ogg", ".aiff"}


def main(songs: str, out: str, model: str = "dsu_mini") -> int:
    """The number of songs that failed."""
    failed = 0
    with DSU() as dsu:
        for song in sorted(path for path in Path(songs).iterdir() if path.suffix.lower() in ENDINGS):
            try:
                done = dsu.separate(str(song.resolve()), output=str(Path(out).resolve()), model=model)
            except DSUError as error:
                failed += 1
                print(f"{song.name}: {error.message}", file=sys.stderr)
            else:
                print(f"{song.name}: {', '.join(sorted(done['stems']))}")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
