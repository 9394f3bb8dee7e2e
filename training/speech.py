"""Speech, synthesised by espeak-ng, flite or festival, or recorded. A voice is named `program:name`."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from training.decoding import decode
from training.sources import RECORDED_FOLDERS

RATE = 22050  # to which all speech is resampled
RECORDED = "recorded"
RECORDED_S = 7.0  # least length of speech joined from recordings, if there is so much
HEADERLESS = {".g722": "g722"}
SOUND_FILES = (".g722", ".ogg", ".opus", ".wav")

ESPEAK_LANGUAGES = ("en", "en-us", "es", "it", "fr", "de", "pt", "pl", "sv", "ro")
WORDS = (
    "night", "falling", "over", "all", "the", "roads", "we", "know", "hold", "me", "now", "and", "never", "let", "go",
    "fire", "in", "your", "eyes", "running", "through", "rain", "I", "wait", "for", "you", "tomorrow", "light", "of",
    "day", "dreaming", "alone", "can", "hear", "sound", "heart", "beating", "slow", "home", "far", "away", "feel",
    "love", "again", "baby", "yeah", "oh", "stay", "with", "one", "more", "time", "shadow", "river", "silver", "moon",
    "summer", "breaking", "down", "walls", "higher", "than", "sky", "do", "not", "say", "goodbye", "sugar", "money",
    "dancing", "street", "city", "people", "moving", "like", "thunder", "why", "would", "she", "he", "believe", "la",
    "na", "ooh", "hey", "sister", "just", "another", "place", "wild", "ocean", "this", "feeling", "forever", "young",
)  # fmt: skip


def random_line(rng: np.random.Generator, words: int) -> str:
    return " ".join(str(word) for word in rng.choice(WORDS, words))


def speak(voice: str, text: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The spoken text, mono at `RATE`. Random languages and speeds add variety, even where they do not fit the text."""
    program, _, name = voice.partition(":")
    if program == RECORDED:
        return recorded(name, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = {
            "espeak": [
                "espeak-ng", "-v", f"{rng.choice(ESPEAK_LANGUAGES)}+{name}",
                "-s", str(rng.integers(110, 190)), "-p", str(rng.integers(20, 80)), "-w", str(path), text,
            ],
            "flite": ["flite", "-voice", name, "-t", text, "-o", str(path)],
            "festival": ["text2wave", "-eval", f"(voice_{name})", "-o", str(path)],
        }[program]  # fmt: skip
        subprocess.run(  # noqa: S603 - our own command line
            command, input=text.encode(), check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        sound, rate = soundfile.read(path)
    return np.ascontiguousarray(sound if rate == RATE else soxr.resample(sound, rate, RATE), np.float64)


def recorded(name: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Random recordings of one voice, joined, at equal loudness."""
    source, _, language = name.partition("/")
    paths = sorted(path for path in (RECORDED_FOLDERS[source] / language).rglob("*") if path.suffix in SOUND_FILES)
    parts: list[npt.NDArray[np.float64]] = []
    for index in rng.permutation(len(paths)):
        sound = read_mono(paths[index])
        if not len(sound):
            continue
        parts.append(0.1 * sound / (float(np.sqrt(np.mean(np.square(sound)))) + 1e-4))
        if sum(map(len, parts)) > RECORDED_S * RATE:
            break
    return np.concatenate(parts)


def read_mono(path: Path) -> npt.NDArray[np.float64]:
    """A file of any format, mono at `RATE`."""
    kind = HEADERLESS.get(path.suffix)
    sound = decode(path, RATE, layout="mono", form="dblp", format=kind, metadata_errors="ignore")
    return np.asarray(sound[0], np.float64)
