"""Where sounds come from: the packages, their licences, and what is kept for the held-out set.

Everything is named here once. What is held out is never heard in training: other kits, other programs of the
soundfonts, other voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KITS_FOLDER = Path("/usr/share/hydrogen/data/drumkits")
LIVE_CODING_FOLDER = Path("/usr/share/sonic-pi/samples")
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
    """What may be used: each field lists names or numbers of one kind of source."""

    sampled_kits: tuple[str, ...]
    drum_soundfonts: tuple[Path, ...]
    kit_programs: tuple[int, ...]
    bass_programs: tuple[int, ...]
    chord_programs: tuple[int, ...]
    lead_programs: tuple[int, ...]
    guitar_programs: tuple[int, ...]
    voices: tuple[str, ...]


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
    ),
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
