"""The sources of training's sounds: presets played by LMMS, recorded voices, and what is held out."""

import gzip
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile

from training import presets, speech
from training.composing import CLIP_S, Note
from training.presets import TICKS_PER_S, PresetFailed, project_of
from training.sources import BASSES, HELD_OUT, NO_INSTRUMENTS, TRAINING
from training.speech import RATE, recorded

NOTES = [Note(0.5, 0.25, 69, 1.0), Note(2.0, 1.0, 57, 0.5), Note(CLIP_S + 1, 1.0, 60, 1.0)]
SETTINGS = b"""<?xml version="1.0"?><!DOCTYPE lmms-project>
<lmms-project version="1.0" creatorversion="1.0.2" type="instrumenttracksettings"><instrumenttracksettings>
<instrumenttrack vol="55"><instrument name="tripleoscillator"/></instrumenttrack>
</instrumenttracksettings></lmms-project>"""
ZYN = b"""
<?xml version="1.0"?><ZynAddSubFX-data><INSTRUMENT><INFO/></INSTRUMENT></ZynAddSubFX-data>"""


def notes_of(project):
    """The notes of a project's only pattern: key, start and length in seconds, loudness."""
    return [
        (
            int(note.get("key")),
            int(note.get("pos")) / TICKS_PER_S,
            int(note.get("len")) / TICKS_PER_S,
            int(note.get("vol")),
        )
        for note in project.iter("note")
    ]


@pytest.fixture
def lmms_preset(tmp_path):
    path = tmp_path / "Pad.xpf"
    path.write_bytes(SETTINGS)
    return path


def test_a_preset_of_lmms_becomes_a_song(lmms_preset):
    """The preset's own track plays the clip's notes, in a project of the LMMS version that wrote the preset."""
    project = ET.fromstring(project_of(lmms_preset, NOTES))
    assert notes_of(project) == [(57, 0.5, 0.25, 100), (45, 2.0, 1.0, 50)]
    assert project.get("creatorversion") == "1.0.2"
    assert project.find("song/trackcontainer/track/instrumenttrack/instrument").get("name") == "tripleoscillator"


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_a_preset_of_zynaddsubfx_becomes_a_song(tmp_path, pack):
    """A preset of ZynAddSubFX, compressed or plain, becomes the first part of that synthesiser."""
    path = tmp_path / "Lead.xiz"
    path.write_bytes(pack(ZYN))
    project = ET.fromstring(project_of(path, NOTES))
    part = project.find(".//instrument[@name='zynaddsubfx']/zynaddsubfx/ZynAddSubFX-data/MASTER/PART")
    assert part.find("INSTRUMENT/INFO") is not None
    assert len(notes_of(project)) == 2


def test_a_preset_without_an_instrument_is_passed_over(tmp_path, monkeypatch, lmms_preset):
    """After a failed preset another one is drawn; if all fail, the error says what to check."""
    empty = tmp_path / "Empty.xpf"
    empty.write_bytes(
        SETTINGS.replace(b"instrumenttrack vol", b"sampletrack vol").replace(b"</instrumenttrack>", b"</sampletrack>")
    )
    with pytest.raises(PresetFailed, match="no instrument"):
        project_of(empty, NOTES)
    sound = np.ones((4, 2), np.float32)
    real = presets.play_preset
    monkeypatch.setattr(presets, "play_preset", lambda path, notes: sound if path == lmms_preset else real(path, notes))
    assert presets.play_one_of([empty, lmms_preset], NOTES, np.random.default_rng(1)) is sound
    with pytest.raises(PresetFailed, match="are installed"):
        presets.play_one_of([empty], NOTES, np.random.default_rng(1))


def test_recordings_are_joined_at_one_loudness(tmp_path, monkeypatch):
    """Recordings of any rate are joined to one voice of equal loudness, no longer than needed."""
    monkeypatch.setitem(speech.RECORDED_FOLDERS, "people", tmp_path)
    (tmp_path / "xx" / "words").mkdir(parents=True)
    (tmp_path / "xx" / "notes.txt").write_text("no sound")
    for number in range(20):
        tone = np.sin(np.arange(44100) * 0.05) * 0.5 ** (number % 8)
        soundfile.write(tmp_path / "xx" / "words" / f"{number}.ogg", tone, 44100)
    voice = recorded("people/xx", np.random.default_rng(1))
    assert speech.RECORDED_S * RATE < len(voice) < (speech.RECORDED_S + 1.1) * RATE
    seconds = voice[: 7 * RATE].reshape(7, RATE)
    assert np.sqrt(np.mean(seconds**2, axis=1)) == pytest.approx(0.1, rel=0.1)


def test_nothing_held_out_is_heard_in_training():
    """Kits, programs and voices of the held-out set are not in the training set, which alone plays presets."""
    for kind in ("sampled_kits", "drum_soundfonts", "kit_programs", "bass_programs", "chord_programs", "lead_programs"):
        assert not set(getattr(TRAINING, kind)) & set(getattr(HELD_OUT, kind)), kind
    assert not set(TRAINING.voices) & set(HELD_OUT.voices)
    assert TRAINING.presets
    assert not HELD_OUT.presets
    assert TRAINING.codecs
    assert TRAINING.places
    assert not HELD_OUT.codecs  # its clips stay what figures were measured on
    assert not HELD_OUT.places


@pytest.mark.parametrize(
    ("name", "kept", "bass"),
    [
        ("Bass/0003-Bass 3", True, True),
        ("TripleOscillator/TB303", True, True),
        ("Pads/0034-Synth Pad 2", True, False),
        ("Choir and Voice/0008-Choir Pad4", False, False),
        ("Pads/0008-Choir Pad4", False, False),
        ("Misc/Human", False, False),
        ("Drums/0001-Drum Kit", False, False),
        ("Kicker/Clap", False, False),
        ("Reed and Wind/0038-Reed 6", True, False),
    ],
)
def test_names_say_what_a_preset_is_for(name, kept, bass):
    """Drums, voices and effects are excluded; basses are recognised by their own name or their bank's."""
    assert (NO_INSTRUMENTS.search(name) is None) is kept
    assert bool(BASSES.search(name)) is bass
