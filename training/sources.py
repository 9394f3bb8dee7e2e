"""The sources of all sounds, and which of them are held out.

Training never uses the held-out sources: other drum kits, other programs of the soundfonts, other voices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KITS_FOLDER = Path("/usr/share/hydrogen/data/drumkits")
LIVE_CODING_FOLDER = Path("/usr/share/sonic-pi/samples")
LMMS_STROKES_FOLDER = Path("/usr/share/lmms/samples/drums")
PRESETS_FOLDER = Path("/usr/share/lmms/presets")
RECORDED_FOLDERS = {  # recorded voices, a folder per language
    "klettres": Path("/usr/share/klettres"),
    "ktuberling": Path("/usr/share/ktuberling/sounds"),
    "asterisk": Path("/usr/share/asterisk/sounds"),
}
GUITARS_FOLDER = Path("/usr/share/games/fretsonfire/data/songs")
MUSIC_FOLDERS = (
    Path("/usr/share/games/warzone2100/music"),
    Path("/usr/share/games/wesnoth/1.16/data/core/music"),
)
MUSIC_ARCHIVE = Path("/usr/share/games/nexuiz/data/music.pk3")
GENERAL_SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/MuseScore_General_Full.sf2"),
)
DRUM_SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/Black_Pearl_4_LV2.sf2"),
    Path("/usr/share/sounds/sf2/Red_Zeppelin_4_LV2.sf2"),
)


@dataclass(frozen=True)
class Pool:
    """The sources that may be used: each field lists the names or numbers of one kind."""

    sampled_kits: tuple[str, ...]
    drum_soundfonts: tuple[Path, ...]
    kit_programs: tuple[int, ...]
    bass_programs: tuple[int, ...]
    chord_programs: tuple[int, ...]
    lead_programs: tuple[int, ...]
    guitar_programs: tuple[int, ...]
    voices: tuple[str, ...]
    presets: bool = False  # use those of LMMS
    places: bool = False  # pan the layers of `other` individually
    codecs: bool = False  # encode and decode some clips


ESPEAK_VARIANTS = (
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "belinda", "benjamin", "boris", "caleb", "david", "Denis", "Diogo",
    "ed", "edward", "Gene", "Gustave", "Hugo", "iven", "Jacky", "john", "kaukovalta", "Lee", "linda", "marcelo",
    "Marco", "max", "Michael", "miguel", "mike", "Nguyen", "pablo", "paul", "quincy", "rob", "robert", "steph",
    "steph2", "steph3", "Storm", "travis", "zac", "f2", "f3", "f4", "f5", "m2", "m3", "m4", "m6", "m7", "f1", "m1",
)  # fmt: skip
FESTIVAL_VOICES = (
    "kal_diphone", "cmu_us_slt_arctic_hts", "upc_ca_ona_hts", "suo_fi_lj_diphone", "hy_fi_mv_diphone",
    "lp_diphone", "pc_diphone", "czech_dita", "czech_machac",
)  # fmt: skip
RECORDED_VOICES = (
    *(f"klettres/{language}" for language in (
        "ar", "da", "de", "en", "en_GB", "es", "fr", "he", "hu", "it", "lt", "ml", "nb", "nds", "nl", "pt_BR",
        "ru", "tn", "uk",
    )),
    *(f"ktuberling/{language}" for language in (
        "ca", "da", "de", "el", "en", "es", "fi", "fr", "ga", "gl", "it", "lt", "nds", "nl", "nn", "pt", "ro", "ru",
        "sl", "sr", "sv", "uk", "wa",
    )),
    *(f"asterisk/{language}" for language in ("en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")),
)  # fmt: skip

TRAINING = Pool(
    sampled_kits=(
        "Audiophob", "BJA_Pacific", "ElectricEmpireKit", "ForzeeStereo", "Gimme A Hand 1.0", "HardElectro1",
        "Millo-Drums_v.1", "Millo_MultiLayered3", "The Black Pearl 1.0", "circAfrique v4", "rumpf_kit_z01_h2",
    ),
    drum_soundfonts=DRUM_SOUNDFONTS[:1],
    kit_programs=(0, 8, 24, 25, 32, 40),
    bass_programs=(32, 33, 34, 36, 38),
    chord_programs=(
        0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 16, 17, 19, 20, 21, 24, 25, 27, 28, 42, 44, 45, 48, 50, 51, 55, 61, 62,
        88, 89, 90, 92, 93, 95, 96, 98, 99, 104, 106, 107, 108,
    ),
    lead_programs=(
        9, 11, 13, 22, 23, 26, 29, 30, 40, 41, 46, 56, 57, 59, 60, 64, 65, 66, 68, 69, 71, 72, 73, 75, 76, 79, 80, 81,
        82, 84, 86, 87, 105, 109, 110,
    ),
    guitar_programs=(27, 28, 29, 30),
    voices=(
        *(f"espeak:{name}" for name in ESPEAK_VARIANTS[:-4]),
        *["flite:kal16", "flite:awb", "flite:slt"] * 5,
        *[f"festival:{name}" for name in FESTIVAL_VOICES] * 4,
        *[f"recorded:{name}" for name in RECORDED_VOICES] * 3,
    ),
    presets=True,
    places=True,
    codecs=True,
)  # fmt: skip

HELD_OUT = Pool(
    sampled_kits=("ColomboAcousticDrumkit", "Millo_MultiLayered2", "VariBreaks"),
    drum_soundfonts=DRUM_SOUNDFONTS[1:],
    kit_programs=(16, 48),
    bass_programs=(35, 37, 39),
    chord_programs=(3, 14, 18, 49, 94),
    lead_programs=(31, 58, 67, 70, 74, 83),
    guitar_programs=(26, 31),
    voices=(*(f"espeak:{name}" for name in ESPEAK_VARIANTS[-4:]), *["flite:rms", "festival:ked_diphone"] * 3),
)


def pool(*, held_out: bool) -> Pool:
    return HELD_OUT if held_out else TRAINING


# The name of a preset's file or folder says what it is. Voices and effects are excluded.
BASSES = re.compile(r"bass|sub\b|303", re.IGNORECASE)
NO_INSTRUMENTS = re.compile(
    r"voice|choir|vox|ooo|aah|vocal|human|noise|\bfx|effect|drum|kick|snare|hat|clap|cymbal|tom\b|shaker|rim|"
    r"kicker|sequence|loop|ambient|explo|laser|spacefx|ghost|horror",
    re.IGNORECASE,
)


@cache
def bass_presets() -> tuple[Path, ...]:
    return tuple(path for path in _presets() if BASSES.search(path.name) or BASSES.search(path.parent.name))


@cache
def other_presets() -> tuple[Path, ...]:
    basses = set(bass_presets())
    return tuple(path for path in _presets() if path not in basses)


@cache
def _presets() -> tuple[Path, ...]:
    """All presets that play notes, in a fixed order."""
    paths = [path for kind in ("*/*.xpf", "*/*/*.xiz") for path in sorted(PRESETS_FOLDER.glob(kind))]
    return tuple(path for path in paths if not NO_INSTRUMENTS.search(f"{path.parent.name}/{path.stem}"))
