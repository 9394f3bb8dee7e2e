"""Write a long song for tests of memory and endurance; four minutes by default.

It is the song of generate_test_audio.py, or a file of yours repeated. It is written in blocks, so memory does not grow
with its length.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import Unusable, exit_status, number, packages_of_project, written_to

with packages_of_project():
    import numpy as np
    import numpy.typing as npt
    import soundfile

    from tools.fixtures.song_stems import libsndfile_as_oserror, write_song

AUDIO = Path(__file__).resolve().parent / "audio"
BLOCK = 1 << 16
# A WAV file stores its size in 32 bits, which is over six hours of 16-bit stereo at 44.1 kHz.
LONGEST_MINUTES = 360.0
MOST_BYTES = 2**32 - 1024


def write_repeated(source: Path, target: Path, seconds: float) -> None:
    """Repeat `source` until `target` is `seconds` long. The target appears when it is complete."""
    if not source.is_file():
        raise Unusable(f"There is no file `{source}` to repeat.")
    if target.resolve() == source.resolve():
        raise Unusable(f"`{source}` cannot be repeated into itself. Name another --output.")
    part = target.with_name(f".{target.name}.part")
    try:
        with (
            open_song(source, seconds) as song,
            libsndfile_as_oserror(target),
            soundfile.SoundFile(part, "w", song.samplerate, song.channels, "PCM_16", format="WAV") as long,
        ):
            for block in repeated(song, round(seconds * song.samplerate), source):
                long.write(block)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def open_song(source: Path, seconds: float) -> soundfile.SoundFile:
    """The opened source, if a WAV file can hold so many seconds of it."""
    try:
        song = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        raise unusable(source, error) from error
    if song.frames == 0:
        raise Unusable(f"`{source}` contains no samples, so there is nothing to repeat.")
    if 2 * song.channels * song.samplerate * seconds > MOST_BYTES:
        raise Unusable(f"A WAV file cannot hold so many minutes of `{source}`. Choose fewer --minutes.")
    return song


def repeated(song: soundfile.SoundFile, frames: int, source: Path) -> Iterator[npt.NDArray[np.int16]]:
    """`frames` frames of the repeated song, in blocks."""
    while frames > 0:
        try:
            block = song.read(min(BLOCK, frames), dtype="int16")
        except soundfile.LibsndfileError as error:
            raise unusable(source, error) from error
        if len(block) == 0:
            raise Unusable(f"`{source}` is damaged: it ends too early. Name another --input.")
        frames -= len(block)
        yield block
        if song.tell() >= song.frames:
            song.seek(0)


def unusable(source: Path, error: soundfile.LibsndfileError) -> Unusable:
    return Unusable(f"`{source}` cannot be repeated: {error.error_string} Name a WAV, FLAC, MP3 or Ogg file.")


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("create_long_audio.py", description=__doc__)
    parser.add_argument("--minutes", type=number(float, 0.01, LONGEST_MINUTES), default=4.0, help="default 4")
    parser.add_argument("--input", type=Path, metavar="FILE", help="repeat this file instead of making a song")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default tests/audio/test_MINUTESmin.wav")
    parser.add_argument("--seed", type=number(int, 0), default=0, help="seed of the song; default 0")
    options = parser.parse_args(argv)
    return exit_status(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    target = options.output or AUDIO / f"test_{options.minutes:g}min.wav"
    with written_to(target, "--output"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if options.input is None:
            write_song(target, 60 * options.minutes, seed=options.seed, with_stems=False)
        else:
            write_repeated(options.input, target, 60 * options.minutes)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
