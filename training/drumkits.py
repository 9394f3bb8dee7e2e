"""Drum tracks from one-shot sounds: sampled kits, or synthesised ones in the manner of drum machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import soundfile
import soxr

from training.composing import CLIP_S, Hit
from training.soundfonts import SAMPLE_RATE, Signal
from training.sources import KITS_FOLDER, LIVE_CODING_FOLDER, LMMS_STROKES_FOLDER
from training.synths import noise_burst, time_s

Strokes = list[Signal]  # of one piece, from soft to hard
Kit = dict[str, Strokes]

# Which piece of the kit a sample is: the first pattern that matches its name decides.
ROLES: tuple[tuple[str, str], ...] = (
    ("tambourine", r"tambourine"), ("cowbell", r"cowbell|agogo|bell mute"), ("clap", r"clap"),
    ("rim", r"stick|rim|click|clave|snap"), ("splash", r"splash"), ("ride", r"ride|cup|\bbell"),
    ("crash", r"crash|china|cymbal_(hard|soft)|cymbal"), ("open", r"open|\bop\b|ohh|swish"),
    ("shaker", r"maraca|shaker|pedal hh"), ("hat", r"hat|\bhh|chh|cymbal_closed"),
    ("snare", r"snare|\bsn_|slap"), ("tom_low", r"tom.?(low|lo\b|lo_|floor)|floor|dununba.*hit|fuzz_tom"),
    ("tom_mid", r"tom.?(mid|2)|sangban.*hit"), ("tom_high", r"tom|kenkeni.*hit"),
    ("conga", r"conga|bongo|tone|drum [12]"), ("kick", r"kick|bass ?drum|\bbd_|thump|djembe\d bass|drum_bass"),
)  # fmt: skip
MISNAMED = "kick04"  # MP3 inside WAV, with the suffix of an OGG file
LIVE_CODING_STROKE = re.compile(r"(bd_|sn_|drum_(?!roll)|elec_)")
STAND_INS = {
    "clap": "snare", "rim": "snare", "open": "hat", "ride": "hat", "crash": "open", "splash": "crash",
    "tom_mid": "tom_high", "tom_low": "tom_mid", "shaker": "hat", "tambourine": "shaker", "cowbell": "rim",
    "conga": "tom_high",
}  # fmt: skip


def role_of(name: str) -> str | None:
    """The piece of the kit that a sample's name stands for."""
    return next((role for role, rule in ROLES if re.search(rule, name.lower())), None)


@lru_cache(maxsize=4)
def sampled_kit(name: str) -> tuple[Kit, ...]:
    """All kits in the folder of one drum kit: each has one alternative of every piece, with its velocity layers."""
    root = ET.parse(KITS_FOLDER / name / "drumkit.xml").getroot()  # noqa: S314 - a file of a Debian package
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    pieces: dict[str, list[Strokes]] = {}
    for instrument in root.iter("instrument"):
        files = [layer.findtext("filename") for layer in instrument.iter("layer")] or [instrument.findtext("filename")]
        role = role_of(instrument.findtext("name") or "")
        paths = [KITS_FOLDER / name / file for file in files if file]
        if role and any(path.exists() for path in paths):
            pieces.setdefault(role, []).append(by_loudness(read_stroke(path) for path in paths if path.exists()))
    count = max(len(choices) for choices in pieces.values())
    return tuple({role: choices[i % len(choices)] for role, choices in pieces.items()} for i in range(count))


@lru_cache(maxsize=1)
def live_coding_pieces() -> dict[str, Strokes]:
    """The one-shot drum sounds of Sonic Pi and LMMS, by piece."""
    live_coding = [path for path in sorted(LIVE_CODING_FOLDER.glob("*.flac")) if LIVE_CODING_STROKE.match(path.stem)]
    pieces: dict[str, Strokes] = {}
    for path in [*live_coding, *sorted(LMMS_STROKES_FOLDER.glob("*.ogg"))]:
        role = role_of(path.stem)
        if role and path.stem != MISNAMED:
            pieces.setdefault(role, []).append(read_stroke(path))
    return pieces


def live_coding_kit(rng: np.random.Generator) -> Kit:
    """A random sound for each piece."""
    return {role: [strokes[rng.integers(len(strokes))]] for role, strokes in live_coding_pieces().items()}


def by_loudness(strokes: Iterable[Signal]) -> Strokes:
    return sorted(strokes, key=lambda stroke: float(np.square(stroke).sum()))


def read_stroke(path: Path) -> Signal:
    """The first 3 s of a sample, (samples, 2)."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != SAMPLE_RATE:
        sound = soxr.resample(sound, rate, SAMPLE_RATE)
    sound = np.repeat(sound, 2, axis=1)[:, :2] if sound.shape[1] == 1 else sound[:, :2]
    stroke: Signal = np.array(sound[: 3 * SAMPLE_RATE], np.float32)
    fade = min(len(stroke), 441)
    stroke[len(stroke) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return stroke


def strike(kit: Kit, hits: Sequence[Hit], rng: np.random.Generator) -> Signal:
    """A clip (samples, 2) of these hits; every piece has its own random level and panning."""
    track = np.zeros((round(CLIP_S * SAMPLE_RATE), 2), np.float32)
    mixing: dict[str, Signal] = {}
    for hit in hits:
        role = _available(kit, hit.role)
        if role is None or hit.start_s >= CLIP_S:
            continue
        if role not in mixing:
            mixing[role] = _balance(role, rng)
        strokes = kit[role]
        layer = int(np.clip(hit.velocity * len(strokes) + rng.normal(0, 0.3), 0, len(strokes) - 1))
        gain = mixing[role] * (hit.velocity / (0.5 + layer / (2 * len(strokes))))
        _add(track, strokes[layer] * gain.astype(np.float32), hit.start_s)
    return track


def _available(kit: Kit, role: str) -> str | None:
    """The piece itself, or the next stand-in that the kit has."""
    while role not in kit:
        if role not in STAND_INS:
            return None
        role = STAND_INS[role]
    return role


def _balance(role: str, rng: np.random.Generator) -> Signal:
    """Gains for left and right."""
    loud = 10 ** (rng.normal(0, 2.5) / 20) * (1.0 if role in {"kick", "snare", "clap"} else 0.6)
    place = 0.0 if role in {"kick", "snare"} else float(rng.uniform(-0.5, 0.5))
    return np.array([loud * min(1, 1 - place), loud * min(1, 1 + place)], np.float32)


def _add(track: Signal, sound: Signal, at_s: float) -> None:
    start = round(at_s * SAMPLE_RATE)
    sound, start = sound[max(0, -start) :], max(0, start)
    count = min(len(sound), len(track) - start)
    if count > 0:
        track[start : start + count] += sound[:count]


# Synthesised kits ---------------------------------------------------------------------------------------------------


def machine_kit(rng: np.random.Generator) -> Kit:
    """A kit of a drum machine with random settings for every piece."""
    hat_tone, hat_decay = float(rng.uniform(0.2, 1.0)), float(rng.uniform(0.015, 0.05))
    makers: dict[str, Callable[[], Signal]] = {
        "kick": lambda: _kick(rng),
        "snare": lambda: _snare(rng),
        "clap": lambda: _clap(rng),
        "rim": lambda: _tone(rng, (600, 1800), 0.02),
        "hat": lambda: _metal(rng, hat_tone, hat_decay),
        "open": lambda: _metal(rng, hat_tone, hat_decay * 8),
        "ride": lambda: 0.4 * _metal(rng, 0.9, 0.35),
        "crash": lambda: 0.5 * _metal(rng, 0.4, 0.8),
        "shaker": lambda: noise_burst(rng, 0.15, float(rng.uniform(0.02, 0.05)), high_pass=6000, attack_s=0.02),
        "tom_high": lambda: _drop(rng, 200, 0.15),
        "tom_mid": lambda: _drop(rng, 140, 0.2),
        "tom_low": lambda: _drop(rng, 95, 0.25),
        "conga": lambda: _drop(rng, 300, 0.08),
        "cowbell": lambda: _tone(rng, (500, 850), 0.08, square=True),
    }
    return {role: [np.repeat(make()[:, None], 2, axis=1)] for role, make in makers.items()}


def _kick(rng: np.random.Generator) -> Signal:
    t = time_s(float(rng.uniform(0.25, 0.9)))
    decay = len(t) / SAMPLE_RATE * float(rng.uniform(0.15, 0.35))
    low, sweep, speed = rng.uniform(38, 65), rng.uniform(1, 8), rng.uniform(0.008, 0.05)
    body = np.sin(2 * np.pi * (low * t + low * sweep * speed * (1 - np.exp(-t / speed)))) * np.exp(-t / decay)
    click = rng.standard_normal(len(t)) * np.exp(-t / 0.002) * rng.uniform(0, 0.5)
    return np.asarray(np.tanh((body + click) * rng.uniform(0.8, 4)), np.float32)


def _snare(rng: np.random.Generator) -> Signal:
    t = time_s(0.4)
    tone = np.sin(2 * np.pi * (rng.uniform(150, 260) * t + 3 * (1 - np.exp(-t / 0.01)))) * np.exp(
        -t / rng.uniform(0.04, 0.1)
    )
    hiss = noise_burst(rng, 0.4, float(rng.uniform(0.04, 0.14)), high_pass=float(rng.uniform(200, 2500)))
    return np.asarray(tone * rng.uniform(0.3, 1) + hiss * rng.uniform(0.5, 1.5), np.float32)


def _clap(rng: np.random.Generator) -> Signal:
    clap = noise_burst(rng, 0.4, float(rng.uniform(0.05, 0.15)), high_pass=700)
    for early in range(int(rng.integers(2, 4))):
        burst = noise_burst(rng, 0.03, 0.005, high_pass=700)
        start = int((0.011 * early) * SAMPLE_RATE)
        clap[start : start + len(burst)] += burst
    return clap


def _metal(rng: np.random.Generator, tone: float, decay_s: float) -> Signal:
    """High-passed inharmonic square waves and noise."""
    t = time_s(min(2.0, decay_s * 6))
    squares = sum(np.sign(np.sin(2 * np.pi * f * t)) for f in rng.uniform(2000, 9000, 6)) / 6
    high = np.diff(squares * tone + rng.standard_normal(len(t)) * (1 - tone / 2), n=2, append=[0.0, 0.0])
    return np.asarray(0.25 * high * np.exp(-t / decay_s), np.float32)


def _drop(rng: np.random.Generator, frequency_hz: float, decay_s: float) -> Signal:
    t = time_s(0.6)
    phase = 2 * np.pi * frequency_hz * rng.uniform(0.8, 1.25) * (t + 0.03 * (1 - np.exp(-t / 0.03)))
    return np.asarray(np.sin(phase) * np.exp(-t / decay_s), np.float32)


def _tone(rng: np.random.Generator, range_hz: tuple[float, float], decay_s: float, *, square: bool = False) -> Signal:
    t = time_s(0.25)
    wave = sum(np.sin(2 * np.pi * f * t) for f in rng.uniform(*range_hz, 2))
    return np.asarray((np.sign(wave) if square else wave) * 0.5 * np.exp(-t / decay_s), np.float32)
