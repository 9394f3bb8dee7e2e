"""Songs for dsu-audio-separator and the real audio-separator, and how alike two results are."""

from functools import partial

import numpy as np
import soundfile

from tools.fixtures.song import song

RATE = 44100
DURATION_S = 69 * 1024 / RATE  # whole frames: audio-separator drops the last partial frame of VR stems
LOWEST_DB = 55.0  # of what both wrote, over the difference: 16-bit files, rounded by one and cut off by the other
ENSEMBLES_DB = 40.0  # audio-separator chooses among members that it has written to such files first


def write_songs(folder):
    loud = song(DURATION_S)
    loud /= np.abs(loud).max()
    write = partial(soundfile.write, samplerate=RATE)
    write(folder / "song.wav", loud)
    write(folder / "my__song: a?.wav", loud)
    write(folder / "long.wav", np.tile(loud, (7, 1)))
    write(folder / "soft.wav", 0.5 * loud)
    write(folder / "quiet.wav", 0.2 * loud)
    write(folder / "mono.wav", loud[:, 0])
    write(folder / "deep.wav", loud, subtype="PCM_24")
    (folder / "songs" / "more").mkdir(parents=True)
    write(folder / "songs" / "one.wav", loud[: RATE // 2])
    write(folder / "songs" / "more" / "two.wav", loud[RATE:])
    return folder


def decibels(theirs, ours):
    """How far the difference is below what was to be written."""
    return 10 * np.log10(np.square(theirs).sum() / max(np.square(theirs - ours).sum(), 1e-12))


def same_audio(theirs, ours, lowest=LOWEST_DB):
    """Two files of one format with the same samples."""
    expected, found = soundfile.info(theirs), soundfile.info(ours)
    for what in ("format", "subtype", "samplerate", "channels", "frames"):
        assert getattr(found, what) == getattr(expected, what), (theirs, what)
    assert decibels(soundfile.read(theirs)[0], soundfile.read(ours)[0]) > lowest, theirs
