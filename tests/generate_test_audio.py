"""Write songs for tests and benchmarks, with the true stems beside them: drums, bass, other (chords) and vocals.

`test_4s.wav`, `test_40s.wav` and so on are as long as their names say, `test_mix.wav` has 16 seconds. `NAME_stems/`
holds the stems. All files are 16-bit stereo, and the stems sum to the mix exactly, number for number. The same seed
writes the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import number, packages_of_project

with packages_of_project():
    from tools.fixtures.song_stems import HIGHEST_RATE, LOWEST_RATE, write_song
    from utils.core.bootstrap import use_utf8

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
        "--seconds", type=number(float, 0.1, 3600), nargs="+", default=[4.0, 40.0], help="lengths; default 4 40"
    )
    parser.add_argument("--seed", type=number(int, 0), default=0, help="another song; default 0")
    parser.add_argument(
        "--rate", type=number(int, LOWEST_RATE, HIGHEST_RATE), default=44100, metavar="HZ", help="default 44100"
    )
    options = parser.parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    try:
        paths = write_test_audio(options.output_dir, options.seconds, seed=options.seed, rate=options.rate)
    except OSError as error:
        sys.stderr.write(f"`{options.output_dir}` cannot be written: {error.strerror}. Name another --output-dir.\n")
        return 1
    except KeyboardInterrupt:
        return 130
    for path in paths:
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
