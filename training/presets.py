"""Notes played by the synthesisers of LMMS, from the presets that people made for them."""

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
from training.fluid import SAMPLE_RATE, Signal, fitted

BPM = 120  # of the project, whatever the song's is: presets with rhythms of their own are rare
TICKS_PER_S = BPM / 60 * 48
TICKS_PER_BAR = 192
KEY_OF_A = 57  # LMMS counts from another octave than MIDI, where it is 69
ZYNADDSUBFX = ".xiz"
PARSED_FROM = "1.2.2"  # the version of LMMS that such a project is read as
TRIES = 20
SILENT = 1e-3  # the peak of what is taken for no sound


class PresetFailed(Exception):
    """LMMS crashed over a preset, or it holds no instrument, or none that is heard: some are like that."""


def play_one_of(presets: Sequence[Path], notes: Sequence[Note], rng: np.random.Generator) -> Signal:
    """(samples, 2) of a clip, by the first of some presets drawn that makes a sound."""
    for preset in rng.choice(len(presets), TRIES):
        with contextlib.suppress(PresetFailed):
            return play_preset(presets[preset], notes)
    raise PresetFailed(f"None of {TRIES} presets of LMMS makes a sound. Is `lmms` installed whole?")


def play_preset(preset: Path, notes: Sequence[Note]) -> Signal:
    """(samples, 2) of a clip."""
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
            raise PresetFailed(f"LMMS failed over {preset.name}.") from error
        sound, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    if np.abs(sound).max(initial=0.0) < SILENT:
        raise PresetFailed(f"{preset.name} is silent.")
    return fitted(sound)


def project_of(preset: Path, notes: Sequence[Note]) -> bytes:
    """A song of one track, in the file format of LMMS."""
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
    """The element of a track that describes its instrument, and the version of LMMS that wrote it."""
    root = read_preset(preset)
    if preset.suffix == ZYNADDSUBFX:
        return _zynaddsubfx(root), PARSED_FROM
    track = next(root.iter("instrumenttrack"), None)
    if track is None:
        raise PresetFailed(f"{preset.name} holds no instrument.")
    return track, root.get("creatorversion", PARSED_FROM)


def _zynaddsubfx(root: ET.Element) -> ET.Element:
    """A preset of ZynAddSubFX itself, inside the settings that LMMS keeps of that synthesiser."""
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
