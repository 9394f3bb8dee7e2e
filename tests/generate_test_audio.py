"""Write songs for tests and benchmarks, with their true stems: drums, bass, other (chords) and vocals.

The lengths of `test_4s.wav`, `test_40s.wav` and so on are in their names; `test_mix.wav` has 16 seconds. The stems are
in `NAME_stems/`. All files are 16-bit stereo, and the stems sum to the mix exactly, sample by sample. The same seed gives
the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import exit_status, number, packages_of_project, written_to

with packages_of_project():
    from tools.fixtures.song_stems import HIGHEST_RATE, LOWEST_RATE, write_song

AUDIO = Path(__file__).resolve().parent / "audio"
MIX_S = 16.0


def write_test_audio(folder: Path, lengths_s: Sequence[float], *, seed: int, rate: int) -> list[Path]:
    """Write all songs; the paths of their mixes."""
    songs = {f"test_{seconds:g}s.wav": seconds for seconds in lengths_s} | {"test_mix.wav": MIX_S}
    return [write_song(folder / name, seconds, seed=seed, rate=rate)[0] for name, seconds in songs.items()]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("generate_test_audio.py", description=__doc__)
    parser.add_argument("--output-dir", type=Path, default=AUDIO, metavar="DIR", help="default tests/audio")
    parser.add_argument(
        "--seconds",
        type=number(float, 0.1, 3600),
        nargs="+",
        default=[4.0, 40.0],
        help="lengths of the songs; default 4 40",
    )
    parser.add_argument("--seed", type=number(int, 0), default=0, help="seed of the songs; default 0")
    parser.add_argument(
        "--rate", type=number(int, LOWEST_RATE, HIGHEST_RATE), default=44100, metavar="HZ", help="default 44100"
    )
    options = parser.parse_args(argv)
    return exit_status(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    with written_to(options.output_dir, "--output-dir"):
        paths = write_test_audio(options.output_dir, options.seconds, seed=options.seed, rate=options.rate)
    sys.stdout.writelines(f"{path}\n" for path in paths)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
