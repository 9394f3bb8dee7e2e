"""The command line of demucs, done by the program dsu-demucs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsu_client.compat.host import run_program
from dsu_client.compat.samples import read_song, to_host


def load_track(track: str | Path, audio_channels: int, samplerate: int) -> Any:
    """The samples of a song, with these channels and at this rate."""
    return to_host(read_song(track, samplerate, audio_channels))


def main(opts: Sequence[str] | None = None) -> None:
    """Run the program with these arguments, or those of this process; ends this one where it fails."""
    run_program("demucs", opts)


if __name__ == "__main__":
    main()
