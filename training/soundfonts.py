"""Soundfonts, played by fluidsynth from notes and drum hits."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from itertools import count, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from training.composing import CLIP_S, Hit, Note

SAMPLE_RATE = 44100
TICKS_PER_S = 960  # 480 per quarter note at 120 beats per minute
DRUM_CHANNEL = 9
NOTE_OFF, NOTE_ON, PROGRAM = 0x80, 0x90, 0xC0
HIGHEST = 127
DRUM_KEYS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "open": 46, "ride": 51, "crash": 49, "splash": 55,
    "tom_high": 50, "tom_mid": 47, "tom_low": 43, "shaker": 70, "tambourine": 54, "cowbell": 56, "conga": 63,
}  # fmt: skip

Signal = npt.NDArray[np.float32]


class Voice(NamedTuple):
    """A MIDI channel: its program and its notes."""

    program: int
    notes: Sequence[Note]


def play(soundfont: Path, voices: Sequence[Voice], *, drums: bool = False) -> Signal:
    """A clip (samples, 2) of these voices. With `drums` the only voice is a drum kit, whose notes are its keys."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder, "song.mid"), Path(folder, "song.wav")
        midi.write_bytes(midi_file(voices, drums=drums))
        subprocess.run(  # noqa: S603 - a fixed command on our own files
            ["fluidsynth", "-niq", "-R", "0", "-C", "0", "-g", "0.4", "-r", str(SAMPLE_RATE), "-o",  # noqa: S607
             "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=128", "-T", "wav", "-O", "float",
             "-F", str(wave), str(soundfont), str(midi)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        sound, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    return fitted(sound)


def midi_file(voices: Sequence[Voice], *, drums: bool = False) -> bytes:
    """The notes of a clip as a MIDI file with one track."""
    channels = repeat(DRUM_CHANNEL) if drums else (channel for channel in count() if channel != DRUM_CHANNEL)
    return _one_track(
        event for voice, channel in zip(voices, channels, strict=False) for event in _events(voice, channel)
    )


def drum_notes(hits: Iterable[Hit]) -> list[Note]:
    """The hits as keys of a General MIDI drum kit."""
    return [Note(hit.start_s, 0.2, DRUM_KEYS[hit.role], hit.velocity) for hit in hits]


def fitted(sound: Signal) -> Signal:
    """Cut or padded to the length of a clip."""
    samples = round(CLIP_S * SAMPLE_RATE)
    clip = np.zeros((samples, 2), np.float32)
    clip[: len(sound)] = sound[:samples]
    return clip


def _events(voice: Voice, channel: int) -> list[tuple[int, bytes]]:
    events = [(0, bytes((PROGRAM | channel, voice.program)))]
    for note in voice.notes:
        if 0 <= note.start_s < CLIP_S and 0 <= note.pitch <= HIGHEST:
            velocity = int(np.clip(HIGHEST * note.velocity, 1, HIGHEST))
            start, end = (round(time_s * TICKS_PER_S) for time_s in (note.start_s, note.start_s + note.length_s))
            events.append((start, bytes((NOTE_ON | channel, note.pitch, velocity))))
            events.append((max(end, start + 10), bytes((NOTE_OFF | channel, note.pitch, 0))))
    return events


def _one_track(events: Iterable[tuple[int, bytes]]) -> bytes:
    """Program changes come first; of simultaneous events, notes end before others begin."""
    track, now = bytearray(), 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1][0] & 0xF0 != PROGRAM, event[1][0])):
        track += _variable_length(tick - now) + message
        now = tick
    track += _variable_length(max(1, round(CLIP_S * TICKS_PER_S) - now)) + b"\xff\x2f\x00"
    return (
        struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS_PER_S // 2)
        + struct.pack(">4sI", b"MTrk", len(track))
        + bytes(track)
    )


def _variable_length(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
