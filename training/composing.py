"""Songs composed from a seed: tempo, key and chords, then the drum hits and notes of each part. No audio here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.styles import PROGRESSIONS, SCALES, STEPS, STYLES, Style

STEMS = ("drums", "bass", "other", "vocals")
CLIP_S = 10.0
TONES_IN_SCALE = 7
OFF_BEATS = range(2, STEPS, 4)
# Every part has its own stream of random numbers, so that changing one part does not change another.
STREAMS = {name: number for number, name in enumerate(("song", *STEMS, "sound", "codec", "place"))}


class Note(NamedTuple):
    """A note. The pitch is a MIDI number (69 is 440 Hz), the velocity goes from 0 to 1."""

    start_s: float
    length_s: float
    pitch: int
    velocity: float


class Hit(NamedTuple):
    """A stroke on a piece of the drum kit."""

    start_s: float
    role: str
    velocity: float


@dataclass(frozen=True)
class Song:
    """What all parts of a song share. The clip starts at a random point of the first bar (`lead_in_s`)."""

    seed: int
    style: Style
    bpm: float
    key: int  # 0 to 11
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    swing: float
    lead_in_s: float

    @property
    def step_s(self) -> float:
        return 60 / self.bpm / 4

    @property
    def bars(self) -> int:
        return int(np.ceil((CLIP_S + self.lead_in_s) / (self.step_s * STEPS)))

    def at(self, bar: int, step: float) -> float:
        """The time of a step of a bar, swing included."""
        late = self.swing if int(step) % 2 else 0.0
        return (bar * STEPS + step + late) * self.step_s - self.lead_in_s

    def degree(self, number: int) -> int:
        """The pitch of a scale degree, in semitones above C; degrees may be negative or beyond the octave."""
        octave, tone = divmod(number, TONES_IN_SCALE)
        return self.key + 12 * octave + self.scale[tone]

    def root(self, bar: int) -> int:
        """The root of a bar's chord, as a scale degree."""
        return self.progression[bar % len(self.progression)]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of one part of one song."""
    return np.random.default_rng([seed, STREAMS[name]])


def chance(rng: np.random.Generator, odds: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < odds)


def compose(seed: int) -> Song:
    rng = stream(seed, "song")
    style = STYLES[str(rng.choice(list(STYLES)))]
    bpm = float(rng.uniform(*style.bpm))
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    turn = int(rng.integers(len(progression)))
    return Song(
        seed=seed,
        style=style,
        bpm=bpm,
        key=int(rng.integers(12)),
        scale=SCALES[str(rng.choice(list(SCALES)))],
        progression=progression[turn:] + progression[:turn],
        swing=style.swing * float(rng.uniform(0, 1)) if chance(rng, 0.7) else 0.0,
        lead_in_s=float(rng.uniform(0, 60 / bpm * 4)),
    )


# Drums --------------------------------------------------------------------------------------------------------------


PERCUSSION = ("9.7.9.7.9.7.9.7.", "..9...9...9...9.", "9487948794879487", "...9..9....9..9.", "....9.......9...")


def drum_hits(song: Song) -> list[Hit]:
    """A pattern of kick, snare and cymbals, with fills, crashes and sometimes hand percussion."""
    rng = stream(song.seed, "drums")
    style = song.style
    tracks = [
        (str(rng.choice(["kick"])), str(rng.choice(style.kicks))),
        (str(rng.choice(["snare", "snare", "snare", "clap", "rim"])), str(rng.choice(style.snares))),
        (str(rng.choice(["hat", "hat", "hat", "ride", "open"])), str(rng.choice(style.cymbals))),
    ]
    if chance(rng, 0.35):
        tracks.append(
            (str(rng.choice(["shaker", "tambourine", "clap", "cowbell", "conga"])), str(rng.choice(PERCUSSION)))
        )
    if chance(rng, 0.12):
        del tracks[int(rng.integers(len(tracks)))]
    fill_every, phase = int(rng.choice([2, 4, 4, 8])), int(rng.integers(4))
    looseness_s = float(rng.choice([0.0, 0.004, 0.009]))
    hits: list[Hit] = []
    for bar in range(song.bars):
        fills = (bar + phase) % fill_every == fill_every - 1 and chance(rng, 0.75)
        until = int(rng.choice([8, 10, 12, 14])) if fills else STEPS
        for role, pattern in tracks:
            hits += _pattern_hits(song, bar, role, pattern[:until], rng)
        if fills:
            hits += _fill(song, bar, until, rng)
        elif (bar + phase) % fill_every == 0 and chance(rng, 0.6):
            hits.append(Hit(song.at(bar, 0), str(rng.choice(["crash", "crash", "splash", "open"])), 0.9))
    return [hit._replace(start_s=hit.start_s + float(rng.normal(0, looseness_s))) for hit in hits]


def _pattern_hits(song: Song, bar: int, role: str, pattern: str, rng: np.random.Generator) -> Iterator[Hit]:
    for step, mark in enumerate(pattern):
        strength = int(mark) / 9 if mark != "." else 0.0
        if strength and chance(rng, 0.25 + strength):
            opened = role == "hat" and step in OFF_BEATS and chance(rng, 0.08)
            loudness = float(np.clip(strength * rng.uniform(0.85, 1.1), 0.15, 1.0))
            yield Hit(song.at(bar, step), "open" if opened else role, loudness)


def _fill(song: Song, bar: int, start: int, rng: np.random.Generator) -> Iterator[Hit]:
    roles = ["snare", "tom_high", "tom_mid", "tom_low"]
    kind = rng.choice(["down", "snare", "mixed"])
    for step in range(start, STEPS):
        if chance(rng, 0.85):
            down = roles[min(3, 4 * (step - start) // max(1, STEPS - start))]
            role = {"down": down, "snare": "snare"}.get(str(kind), str(rng.choice([*roles, "kick"])))
            yield Hit(song.at(bar, step), role, float(rng.uniform(0.5, 1.0)))


# Bass ---------------------------------------------------------------------------------------------------------------


BASS_CHOICES = {
    "octaves": ("root", "octave"),
    "walking": ("root", "chord", "chord", "near"),
    "riff": ("root", "any", "any"),
}


def bass_notes(song: Song) -> list[Note]:
    """A monophonic line around the roots of the chords."""
    rng = stream(song.seed, "bass")
    kind = str(rng.choice(song.style.basses))
    lowest = int(rng.integers(26, 34))
    steps = _bass_rhythm(song, kind, rng)
    choices = BASS_CHOICES.get(kind, ("root", "root", "root", "mostly"))
    notes: list[Note] = []
    for bar in range(song.bars):
        for index, (step, length) in enumerate(steps):
            if step and chance(rng, 0.06):
                continue
            pitch = _bass_pitch(song, bar, lowest, choices[index % len(choices)], rng)
            duration_s = length * song.step_s * float(rng.uniform(0.6, 1.0))
            notes.append(Note(song.at(bar, step), duration_s, pitch, float(rng.uniform(0.6, 1.0))))
    return notes


def _bass_rhythm(song: Song, kind: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    """The steps of a bar at which a note starts, with their lengths."""
    fixed = {
        "eighths": range(0, STEPS, 2),
        "octaves": range(0, STEPS, 2),
        "sixteenths": range(STEPS),
        "walking": range(0, STEPS, 4),
        "offbeat": range(2, STEPS, 4),
        "held": [0] if chance(rng, 0.6) else [0, 10],
    }
    if kind in fixed:
        starts = list(fixed[kind])
    elif kind == "kick":
        starts = [step for step, mark in enumerate(str(rng.choice(song.style.kicks))) if mark in "456789"] or [0]
    else:
        free = rng.choice(np.arange(1, STEPS), size=int(rng.integers(3, 8)), replace=False)
        starts = [0, *sorted(int(step) for step in free)]
    return [(start, after - start) for start, after in zip(starts, [*starts[1:], STEPS], strict=True)]


def _bass_pitch(song: Song, bar: int, lowest: int, choice: str, rng: np.random.Generator) -> int:
    root = song.root(bar)
    if choice == "near":
        return raised(song.degree(song.root(bar + 1)), lowest) + int(rng.choice([-1, 1]))
    offsets = {"root": [0], "octave": [7], "chord": [2, 4, 4, 7], "any": [0, 0, 2, 4, 6, 7], "mostly": [0, 0, 0, 4, 7]}
    pitch = raised(song.degree(root), lowest) + song.degree(root + int(rng.choice(offsets[choice]))) - song.degree(root)
    return min(pitch, 57)


def raised(pitch: int, lowest: int) -> int:
    """The pitch of the same name in the octave that starts at `lowest`."""
    return lowest + (pitch - lowest) % 12


# Everything else ----------------------------------------------------------------------------------------------------

COMPING = {
    "held": [(0, 16)],
    "halves": [(0, 8), (8, 8)],
    "stabs": [(2, 2), (6, 2), (10, 2), (14, 2)],
    "eighths": [(step, 2) for step in range(0, STEPS, 2)],
    "charleston": [(0, 5), (6, 6), (14, 2)],
    "chug": [(step, 1) for step in range(STEPS)],
}


def chord_notes(song: Song, rng: np.random.Generator, *, low: int, power: bool = False) -> list[Note]:
    """Chords in a constant rhythm; `power` chords are root, fifth and octave."""
    rhythm = COMPING[str(rng.choice(list(COMPING)))]
    tones = (0, 4, 7) if power else ((0, 2, 4), (0, 2, 4, 6), (0, 2, 4, 7), (0, 4, 8))[rng.integers(4)]
    strum_s = float(rng.choice([0.0, 0.0, 0.012, 0.03]))
    notes: list[Note] = []
    for bar in range(song.bars):
        base = raised(song.degree(song.root(bar)), low) - song.degree(song.root(bar))
        for step, length in rhythm:
            if chance(rng, 0.08):
                continue
            loudness = float(rng.uniform(0.55, 0.95))
            for order, tone in enumerate(tones):
                start_s = song.at(bar, step) + order * strum_s
                pitch = base + song.degree(song.root(bar) + tone)
                notes.append(Note(start_s, length * song.step_s * 0.95, pitch, loudness))
    return notes


def arpeggio_notes(song: Song, rng: np.random.Generator, *, low: int) -> list[Note]:
    """Broken chords."""
    order = rng.permutation([0, 2, 4, 7, 9])[: int(rng.integers(3, 6))]
    every = int(rng.choice([1, 2, 2, 4]))
    length_s = song.step_s * every * float(rng.choice([0.5, 0.9, 2.0]))
    notes: list[Note] = []
    for bar in range(song.bars):
        base = raised(song.degree(song.root(bar)), low) - song.degree(song.root(bar))
        for index, step in enumerate(range(0, STEPS, every)):
            pitch = base + song.degree(song.root(bar) + int(order[index % len(order)]))
            notes.append(Note(song.at(bar, step), length_s, pitch, float(rng.uniform(0.5, 0.9))))
    return notes


def melody_notes(song: Song, rng: np.random.Generator, *, low: int, rest: float = 0.15) -> list[Note]:
    """A random walk through the scale with rests."""
    notes: list[Note] = []
    tone, position = int(rng.integers(0, 7)), float(rng.integers(0, 8))
    lengths = np.array([1, 2, 3, 4, 6, 8])
    odds = np.array([0.08, 0.34, 0.14, 0.26, 0.1, 0.08])
    while position < song.bars * STEPS:
        bar, step = divmod(position, STEPS)
        length = int(rng.choice(lengths, p=odds))
        if rng.random() < rest:
            position += length
            continue
        tone = int(np.clip(tone + rng.choice([-3, -2, -1, -1, 0, 0, 1, 1, 2, 3, 4]), -3, 9))
        if step == 0 and chance(rng, 0.6):
            tone = song.root(int(bar)) % TONES_IN_SCALE + int(rng.choice([0, 2, 4]))
        pitch = low + song.degree(tone)
        notes.append(Note(song.at(int(bar), step), length * song.step_s * 0.95, pitch, float(rng.uniform(0.6, 1.0))))
        position += length
    return notes
