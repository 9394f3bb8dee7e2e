"""The bank: one clip of every stem for each song seed. Clips are made once; training mixes them anew each time.

A shard is one file of 16-bit clips (songs, stems, samples, 2). Training maps it into memory as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from training.clips import CLIP_SAMPLES, Stored, as_stored, levelled, save_clips
from training.codecs import perhaps_coded
from training.composing import (
    Note,
    Song,
    arpeggio_notes,
    bass_notes,
    chance,
    chord_notes,
    compose,
    drum_hits,
    melody_notes,
    raised,
    stream,
)
from training.drumkits import Kit, live_coding_kit, machine_kit, sampled_kit, strike
from training.panning import spread
from training.presets import play_one_of
from training.singing import Singer, Speech, analyse, random_singer, rap, sing
from training.soundfonts import Signal, Voice, drum_notes, play
from training.sources import GENERAL_SOUNDFONTS, Pool, bass_presets, other_presets, pool
from training.speech import random_line, speak
from training.synths import darkened, driven, perform, random_patch

T = TypeVar("T")

SONGS_IN_SHARD = 12
HELD_OUT_SEED = 1_000_000


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:04d}.npy"


def make_bank(folder: Path, shards: Sequence[int], *, held_out: bool, processes: int) -> None:
    """Make the missing shards."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(folder, number, held_out) for number in shards if not shard_path(folder, number).exists()]
    with get_context("spawn").Pool(processes, maxtasksperchild=8) as workers:
        for _ in workers.imap_unordered(_make_shard, missing):
            pass


def _make_shard(task: tuple[Path, int, bool]) -> None:
    folder, number, held_out = task
    first = number * SONGS_IN_SHARD + (HELD_OUT_SEED if held_out else 0)
    clips = np.stack([make_clips(first + song, pool(held_out=held_out)) for song in range(SONGS_IN_SHARD)])
    save_clips(shard_path(folder, number), clips)


def make_clips(seed: int, sounds: Pool) -> Stored:
    """(stems, samples, 2) of one song."""
    song = compose(seed)
    rng, codec = stream(seed, "sound"), stream(seed, "codec")
    clips = [levelled(make(song, sounds, rng)) for make in (drums, bass, other, vocals)]
    if sounds.codecs:
        clips = [levelled(perhaps_coded(clip, codec)) for clip in clips]  # decoding may raise the peaks
    return np.stack([as_stored(clip) for clip in clips])


def _pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


# Stems --------------------------------------------------------------------------------------------------------------


def drums(song: Song, sounds: Pool, rng: np.random.Generator) -> Signal:
    hits = drum_hits(song)
    makers: list[tuple[float, Callable[[], Signal]]] = [
        (0.34, lambda: strike(_pick(rng, sampled_kit(_pick(rng, sounds.sampled_kits))), hits, rng)),
        (0.24, lambda: play(_pick(rng, sounds.drum_soundfonts), [Voice(0, drum_notes(hits))])),
        (
            0.16,
            lambda: play(
                _pick(rng, GENERAL_SOUNDFONTS),
                [Voice(_pick(rng, sounds.kit_programs), drum_notes(hits))],
                drums=True,
            ),
        ),
        (0.10, lambda: strike(_blend(live_coding_kit(rng), machine_kit(rng)), hits, rng)),
        (0.16, lambda: strike(machine_kit(rng), hits, rng)),
    ]
    return _by_chance(makers, rng)()


def _blend(kit: Kit, other: Kit) -> Kit:
    """The first kit, completed with pieces of the other."""
    return {**other, **kit}


def bass(song: Song, sounds: Pool, rng: np.random.Generator) -> Signal:
    notes = bass_notes(song)
    makers: list[tuple[float, Callable[[], Signal]]] = [
        (0.6, lambda: play(_pick(rng, GENERAL_SOUNDFONTS), [Voice(_pick(rng, sounds.bass_programs), notes)])),
        (0.4, lambda: darkened(perform(notes, random_patch(rng, "bass"), rng), float(rng.uniform(600, 5000)))),
        (0.5 * sounds.presets, lambda: play_one_of(bass_presets(), notes, rng)),
    ]
    sound = _by_chance(makers, rng)()
    return sound + 0.5 * driven(sound, rng) * np.abs(sound).max() if chance(rng, 0.2) else sound


def other(song: Song, sounds: Pool, rng: np.random.Generator) -> Signal:
    """One to four layers of chords, arpeggios, leads or guitars, sampled or synthesised, some of them panned."""
    tune, places = stream(song.seed, "other"), stream(song.seed, "place")
    count = int(rng.choice([1, 2, 3, 4], p=[0.25, 0.35, 0.25, 0.15]))
    layers = [_layer(song, sounds, tune, rng) for _ in range(count)]
    if sounds.places:
        layers = [spread(layer, places) for layer in layers]
    balanced = [10 ** (rng.uniform(-9, 0) / 20) * levelled(layer) for layer in layers]
    return np.asarray(np.sum(balanced, axis=0), np.float32)


def _layer(song: Song, sounds: Pool, tune: np.random.Generator, rng: np.random.Generator) -> Signal:
    kind = str(rng.choice(["chords", "arpeggio", "lead", "guitar"], p=[0.36, 0.2, 0.18, 0.26]))
    soundfont = _pick(rng, GENERAL_SOUNDFONTS)
    low = int(rng.integers(45, 62))
    if kind == "guitar":
        return _guitars(song, sounds, tune, rng)
    if kind == "chords":
        notes, programs, patch = chord_notes(song, tune, low=low), sounds.chord_programs, _pick(rng, ("pad", "pluck"))
    elif kind == "arpeggio":
        notes, programs, patch = arpeggio_notes(song, tune, low=low), sounds.chord_programs, "pluck"
    else:
        notes, programs, patch = melody_notes(song, tune, low=60), sounds.lead_programs, "lead"
    if sounds.presets and chance(rng, 0.5):
        return play_one_of(other_presets(), notes, rng)
    if chance(rng, 0.3):
        return perform(notes, random_patch(rng, patch), rng)
    return play(soundfont, [Voice(_pick(rng, programs), notes)])


def _guitars(song: Song, sounds: Pool, tune: np.random.Generator, rng: np.random.Generator) -> Signal:
    """A guitar, often overdriven, often double-tracked left and right."""
    power = chance(rng, 0.6)
    notes = chord_notes(song, tune, low=int(rng.integers(38, 46)), power=power)
    takes = 2 if chance(rng, 0.5) else 1
    sound = np.zeros((CLIP_SAMPLES, 2), np.float32)
    for take in range(takes):
        if chance(rng, 0.75):
            guitar = play(
                _pick(rng, GENERAL_SOUNDFONTS), [Voice(_pick(rng, sounds.guitar_programs), _loosened(notes, rng))]
            )
        else:
            guitar = perform(_loosened(notes, rng), random_patch(rng, "pluck"), rng)
        middle = guitar.mean(axis=1, keepdims=True)
        played = driven(middle, rng) if chance(rng, 0.65) else middle
        side = (1, -1)[take] * float(rng.uniform(0.5, 1.0)) if takes > 1 else 0.0
        sound += levelled(np.concatenate([played * (1 - side), played * (1 + side)], axis=1))
    return sound


def _loosened(notes: Sequence[Note], rng: np.random.Generator) -> list[Note]:
    return [note._replace(start_s=note.start_s + abs(float(rng.normal(0, 0.008)))) for note in notes]


def vocals(song: Song, sounds: Pool, rng: np.random.Generator) -> Signal:
    """A lead voice, sometimes with backing vocals, sometimes rapped."""
    tune = stream(song.seed, "vocals")
    speech = analyse(speak(_pick(rng, sounds.voices), random_line(rng, int(rng.integers(10, 22))), rng))
    singer = random_singer(rng)
    if chance(rng, 0.12):
        return _placed(rap(speech, singer, rng), 0.0)
    low = raised(song.key, int(rng.integers(43, 63))) - song.key
    notes = melody_notes(song, tune, low=low, rest=float(rng.uniform(0.1, 0.3)))
    sound = _placed(sing(speech, notes, singer, rng), 0.0)
    if chance(rng, 0.4):
        sound += _backing(song, speech, notes, singer, rng)
    return sound


def _backing(song: Song, speech: Speech, notes: Sequence[Note], singer: Singer, rng: np.random.Generator) -> Signal:
    """The same words again, in unison or at an interval within the scale."""
    interval = int(rng.choice([0, 0, 2, -3, 4, 7]))
    other = [note._replace(pitch=_in_scale(song, note.pitch, interval)) for note in _loosened(notes, rng)]
    gain, width = 10 ** (rng.uniform(-14, -2) / 20), float(rng.uniform(0.2, 1.0))
    left, right = (sing(speech, other, singer, rng) for _ in range(2))
    return np.asarray(gain * (_placed(left, -width) + _placed(right, width)), np.float32)


def _in_scale(song: Song, pitch: int, interval: int) -> int:
    """The pitch moved by `interval` steps of the song's scale."""
    degrees = [song.degree(number) for number in range(-42, 70)]
    near = min(range(len(degrees)), key=lambda index: abs(degrees[index] - pitch))
    return pitch + degrees[int(np.clip(near + interval, 0, len(degrees) - 1))] - degrees[near]


def _placed(sound: np.ndarray[tuple[int], np.dtype[np.float64]], side: float) -> Signal:
    """A mono sound panned between left (-1) and right (1)."""
    clip = np.zeros((CLIP_SAMPLES, 2), np.float32)
    clip[: len(sound)] = sound[:, None] * np.array([min(1, 1 - side), min(1, 1 + side)])
    return clip


def _by_chance(choices: Sequence[tuple[float, T]], rng: np.random.Generator) -> T:
    odds = np.array([chance for chance, _ in choices])
    return choices[int(rng.choice(len(choices), p=odds / odds.sum()))][1]
