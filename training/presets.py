"""Presets of LMMS's synthesisers, rendered from notes."""

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import soundfile

from training.composing import CLIP_S, Note
from training.soundfonts import SAMPLE_RATE, Signal, fitted

BPM = 120  # of the project, whatever the song's tempo: few presets depend on it
TICKS_PER_S = BPM / 60 * 48
TICKS_PER_BAR = 192
KEY_OF_A = 57  # 440 Hz, which is 69 in MIDI
ZYNADDSUBFX = ".xiz"
PARSED_FROM = "1.2.2"  # the version of LMMS that wrote the project, where the preset does not say
TRIES = 20
SILENT = 1e-3  # peak below which a sound counts as silent


class PresetFailed(Exception):
    """A preset made LMMS crash, holds no instrument, or is silent. A few are like that."""


def play_one_of(presets: Sequence[Path], notes: Sequence[Note], rng: np.random.Generator) -> Signal:
    """A clip (samples, 2), played by random presets until one works."""
    for preset in rng.choice(len(presets), TRIES):
        with contextlib.suppress(PresetFailed):
            return play_preset(presets[preset], notes)
    raise PresetFailed(f"None of {TRIES} LMMS presets made a sound. Check that `lmms` and its data are installed.")


def play_preset(preset: Path, notes: Sequence[Note]) -> Signal:
    """A clip (samples, 2)."""
    with tempfile.TemporaryDirectory() as folder:
        project, wave = Path(folder, "song.mmp"), Path(folder, "song.wav")
        project.write_bytes(project_of(preset, notes))
        command = ["lmms", "--allowroot", "render", str(project), "-f", "wav", "-s", str(SAMPLE_RATE), "-o", str(wave)]
        try:
            subprocess.run(  # noqa: S603 - a fixed command on our own files
                command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "HOME": folder, "QT_QPA_PLATFORM": "offscreen"},
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            raise PresetFailed(f"LMMS failed to render {preset.name}.") from error
        sound, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    if np.abs(sound).max(initial=0.0) < SILENT:
        raise PresetFailed(f"{preset.name} is silent.")
    return fitted(sound)


def project_of(preset: Path, notes: Sequence[Note]) -> bytes:
    """A project with one track, in the file format of LMMS."""
    instrument, version = _instrument(preset)
    project = ET.Element("lmms-project", type="song", version="1.0", creator="LMMS", creatorversion=version)
    ET.SubElement(project, "head", bpm=str(BPM), timesig_numerator="4", timesig_denominator="4", mastervol="60")
    tracks = ET.SubElement(ET.SubElement(project, "song"), "trackcontainer", type="song")
    track = ET.SubElement(tracks, "track", type="0", name=preset.stem)
    track.append(instrument)
    bars = -(-round(CLIP_S * TICKS_PER_S) // TICKS_PER_BAR)
    pattern = ET.SubElement(track, "pattern", type="1", pos="0", len=str(bars * TICKS_PER_BAR))
    for note in notes:
        if 0 <= note.start_s < CLIP_S:
            start, length = round(note.start_s * TICKS_PER_S), max(1, round(note.length_s * TICKS_PER_S))
            key, loudness = note.pitch - 69 + KEY_OF_A, round(100 * note.velocity)
            ET.SubElement(pattern, "note", key=str(key), pos=str(start), len=str(length), vol=str(loudness))
    return b'<?xml version="1.0"?>\n<!DOCTYPE lmms-project>\n' + ET.tostring(project)


def _instrument(preset: Path) -> tuple[ET.Element, str]:
    """The track element with the preset's instrument, and the version of LMMS that wrote it."""
    root = read_preset(preset)
    if preset.suffix == ZYNADDSUBFX:
        return _zynaddsubfx(root), PARSED_FROM
    track = next(root.iter("instrumenttrack"), None)
    if track is None:
        raise PresetFailed(f"{preset.name} contains no instrument.")
    return track, root.get("creatorversion", PARSED_FROM)


def _zynaddsubfx(root: ET.Element) -> ET.Element:
    """A preset in ZynAddSubFX's own format, wrapped in LMMS's settings for that synthesiser."""
    track = ET.Element("instrumenttrack", vol="100", basenote=str(KEY_OF_A))
    plugin = ET.SubElement(ET.SubElement(track, "instrument", name="zynaddsubfx"), "zynaddsubfx")
    data = ET.SubElement(plugin, "ZynAddSubFX-data", {"version-major": "2", "version-minor": "4"})
    part = ET.SubElement(ET.SubElement(data, "MASTER"), "PART", id="0")
    for name in ("enabled", "note_on", "poly_mode"):
        ET.SubElement(part, "par_bool", name=name, value="yes")
    part.extend(root.iter("INSTRUMENT"))
    return track


@lru_cache(maxsize=256)
def read_preset(preset: Path) -> ET.Element:
    data = preset.read_bytes()
    plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return ET.fromstring(plain.strip())  # noqa: S314 - a file of a Debian package
