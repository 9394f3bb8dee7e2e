"""What is compared: for each row its models, the contests of programs, and whether its bare network is timed, too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from benchmarks.peers.models import FOUR, MDX, ONE, TINY, VR, PublicModels, network_config
from benchmarks.peers.programs import OURS, Command, Contest
from benchmarks.worker_process import ROOT
from tools.fixtures.song import SAMPLE_RATE, song
from tools.peers import peers_python
from workers import WORKERS

QUIET = 0.05  # of songs whose stems are written as floats: untrained networks are loud
FILES = 20
# Songs of networks in windows: with fewer, the first window ends where the song does, which pymss takes for something special.
WINDOWS = 1.7
FILE_S = 2.0
HOP = 1024  # of the transforms of VR networks
SHORT_S, MIDDLE_S, LONG_S = 4.0, 40.0, 240.0


@dataclass(frozen=True)
class Place:
    """Where a row finds its models and songs; `seconds` is the length of its clips."""

    models: PublicModels
    folder: Path
    seconds: float

    def song(self, seconds: float | None = None, *, loud: bool = False) -> Path:
        """A song of this length. A loud one has a peak of 1, so that 16 bits hold its stems well."""
        length = self.seconds if seconds is None else seconds
        path = self.folder / f"{length:g}-{'loud' if loud else 'quiet'}" / "song.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_song(path, length, loud=loud)
        return path

    def songs(self, count: int, seconds: float) -> Path:
        """A folder of short songs."""
        folder = self.folder / f"{count}-songs"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            path = folder / f"song{number:02}.wav"
            if not path.exists():
                write_song(path, seconds, loud=False)
        return folder


@dataclass(frozen=True)
class Comparison:
    """`seconds` is the default length of the clips, and `cost_s` about what the row takes with it on two quiet cores."""

    title: str
    seconds: float
    cost_s: float
    make: Callable[[PublicModels, float], None]
    contests: Callable[[Place], Sequence[Contest]]
    forward: bool = True
    rounds: int | None = None  # where they are not to be chosen
    note: str = ""


def write_song(path: Path, seconds: float, *, loud: bool) -> None:
    samples = song(seconds)
    samples = samples / abs(samples).max() if loud else QUIET * samples
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16" if loud else "FLOAT")


# Programs -------------------------------------------------------------------------------------------------------------


def ours(worker: str, *words: str | Path) -> list[str | Path]:
    return [sys.executable, ROOT / WORKERS[worker].script, *words]


def theirs(module: str, *words: str | Path) -> list[str | Path]:
    return [peers_python(), "-m", module, *words]


def demucs_programs(models: PublicModels, model: str, songs: Sequence[Path], *words: str) -> dict[str, Command]:
    """dsu-demucs, demucs and demucs-infer have the same command line."""

    def command(start: Sequence[str | Path]) -> Command:
        more: list[str | Path] = ["-n", model, "--repo", models.repo, "-d", "cpu", "--float32", *words, *songs]
        return lambda out: [*start, "-o", out, *more]

    return {
        OURS: command(ours("demucs")),
        "demucs": command(theirs("demucs")),
        "demucs-infer": command(theirs("demucs_infer")),
    }


def demucs_onnx_programs(models: PublicModels, source: Path) -> dict[str, Command]:
    """demucs-onnx makes no shifts."""
    mine = demucs_programs(models, ONE, [source], "--shifts", "0")[OURS]
    more: list[str | Path] = ["--model", "htdemucs", "--cache-dir", models.hub, "--providers", "cpu", "--quiet"]
    return {
        OURS: mine,
        "demucs-onnx": lambda out: theirs("demucs_onnx.cli", "separate", source, out / "song", *more),
    }


def pymss_programs(
    models: PublicModels,
    name: str,
    source: Path,
    mine: Sequence[str | Path] = (),
    params: Mapping[str, object] | None = None,
) -> dict[str, Command]:
    """dsu-bsroformer with words of its own, and pymss with parameters of its own."""
    more = [word for key, value in (params or {}).items() for word in ("--param", f"{key}={value}")]
    network: list[str | Path] = [
        "--model-path",
        models.checkpoint(name),
        "--config-path",
        models.config(name),
        "-d",
        "cpu",
        "--float32",
    ]
    return {
        OURS: lambda out: ours("bsroformer", *network, *mine, source, "-o", out),
        "pymss": lambda out: theirs(
            "pymss.cli", "infer", name, "-i", source, "-o", out, "--device", "cpu", "--save-as-folder", *more
        ),
    }


def audio_separator_programs(models: PublicModels, file: str, source: Path, *words: str) -> dict[str, Command]:
    """dsu-audio-separator and audio-separator have the same command line."""
    more: list[str | Path] = [
        "-m",
        file,
        "--model_file_dir",
        models.networks,
        "--output_format=WAV",
        "--log_level=error",
        "--amplification=0.9",
        *words,
    ]
    return {
        OURS: lambda out: ours("audio-separator", *more, "--output_dir", out, source),
        "audio-separator": lambda out: theirs("tools.audio_separator_program", *more, "--output_dir", out, source),
    }


# Rows -----------------------------------------------------------------------------------------------------------------

NO_SHIFTS = ("--shifts", "0")
AMPLIFIED = ", stems at a peak of 0.9 so that 16 bits hold them well"
SHIFTED = "defaults of demucs: one random shift, overlap 0.25 (stems compared without the shift)"


def unshifted(*names: str) -> dict[str, Sequence[str]]:
    return dict.fromkeys((OURS, *names), NO_SHIFTS)


def make_htdemucs(models: PublicModels, _: float) -> None:
    models.write_demucs(1)
    models.write_onnx()


def htdemucs(place: Place) -> list[Contest]:
    quiet, loud = place.song(), place.song(loud=True)
    one = demucs_programs(place.models, ONE, [quiet])
    words = ("--demucs_shifts=0",)
    return [
        Contest(SHIFTED, place.seconds, one, unshifted("demucs", "demucs-infer")),
        Contest("no shifts, overlap 0.25", place.seconds, demucs_onnx_programs(place.models, quiet)),
        Contest(
            f"defaults of audio-separator, without its shifts{AMPLIFIED}",
            place.seconds,
            audio_separator_programs(place.models, f"{ONE}.yaml", loud, *words),
        ),
    ]


def htdemucs_ft(place: Place) -> list[Contest]:
    programs = demucs_programs(place.models, FOUR, [place.song()])
    return [Contest(SHIFTED, place.seconds, programs, unshifted("demucs", "demucs-infer"))]


def htdemucs_ft_vocals(place: Place) -> list[Contest]:
    programs = demucs_programs(place.models, FOUR, [place.song()], "--two-stems", "vocals")
    return [Contest(f"`--two-stems vocals`; {SHIFTED}", place.seconds, programs, unshifted("demucs", "demucs-infer"))]


def network(kind: str, *, in_audio_separator: bool = False) -> Callable[[Place], list[Contest]]:
    """A network of a configuration, as pymss would run it and as we do; and as audio-separator would."""

    def contests(place: Place) -> list[Contest]:
        config = network_config(kind, place.seconds)
        samples, overlaps = int(config["audio"]["chunk_size"]), int(config["inference"]["num_overlap"])
        seconds = WINDOWS * samples / SAMPLE_RATE
        source = place.song(seconds)
        made = [
            Contest(
                f"defaults of pymss: {overlaps} windows over each sample",
                seconds,
                pymss_programs(place.models, kind, source, ["--overlap", str(overlaps)]),
            ),
            Contest(
                "defaults of DSU: cross-fades of a tenth of a window",
                seconds,
                pymss_programs(place.models, kind, source, params={"overlap_size": samples // 10}),
            ),
        ]
        if in_audio_separator:
            frames = samples // int(config["audio"].get("hop_length") or config["model"]["stft_hop_length"]) + 1
            words = ("--mdxc_override_model_segment_size", f"--mdxc_segment_size={frames}")
            loud = place.song(seconds, loud=True)
            made.append(
                Contest(
                    f"defaults of audio-separator, but for the length of the windows{AMPLIFIED}",
                    seconds,
                    audio_separator_programs(place.models, f"{kind}.ckpt", loud, *words),
                )
            )
        return made

    return contests


def apollo(place: Place) -> list[Contest]:
    """Our chunks have their context, so that the result is that of one pass; pymss blends chunks as for other networks."""
    source = place.song()
    return [
        Contest(
            "one window", place.seconds, pymss_programs(place.models, "apollo", source, params={"overlap_size": 0})
        ),
        Contest(
            "own defaults of each: pymss covers each sample by 4 windows",
            place.seconds,
            pymss_programs(place.models, "apollo", source),
        ),
    ]


def vr(place: Place) -> list[Contest]:
    """A song of whole frames: audio-separator drops the last one if it is not whole."""
    seconds = round(place.seconds * SAMPLE_RATE / HOP) * HOP / SAMPLE_RATE
    loud = place.song(seconds, loud=True)
    programs = audio_separator_programs(place.models, f"{VR}.pth", loud)
    mine: list[str | Path] = ["-m", f"{VR}.pth", "--models-dir", place.models.folder, "-d", "cpu", "--float32"]
    both: dict[str, Command] = {
        OURS: lambda out: ours("dsu", *mine, loud, "-o", out),
        "pymss": pymss_programs(place.models, VR, loud)["pymss"],
    }
    return [
        Contest(f"defaults of audio-separator{AMPLIFIED}", seconds, programs),
        Contest("defaults of both", seconds, both),
    ]


def mdx(place: Place) -> list[Contest]:
    programs = audio_separator_programs(place.models, f"{MDX}.onnx", place.song(loud=True), "--normalization=1")
    return [Contest(f"defaults of audio-separator, at the level of the song{AMPLIFIED}", place.seconds, programs)]


def audiosep(place: Place) -> list[Contest]:
    files = place.models.audiosep
    words: list[str | Path] = [
        *("--config-path", files.config, "--checkpoint-path", files.checkpoint, "--float32"),
        *("--clap-checkpoint-path", files.clap_checkpoint, "--roberta-dir", files.roberta_dir, "-d", "cpu"),
    ]
    source = place.song()
    program: Command = lambda out: ours("audiosep", *words, "--text", "vocals", source, "-o", out)  # noqa: E731
    return [Contest("one text", place.seconds, {OURS: program})]


def mini_programs(source: Path) -> dict[str, Command]:
    return {OURS: lambda out: ours("bsroformer", "-m", "dsu_mini", "-d", "cpu", "--float32", source, "-o", out)}


def dsu_mini(place: Place) -> list[Contest]:
    return [Contest("defaults", place.seconds, mini_programs(place.song()))]


def lengths(place: Place) -> list[Contest]:
    """Songs of 4 s, 40 s and 4 min; the longest with a small network."""
    scale = place.seconds / LONG_S
    made = []
    for length in (SHORT_S, MIDDLE_S, LONG_S):
        seconds = length * scale
        source = place.song(seconds)
        made.append(Contest("dsu_mini", seconds, mini_programs(source)))
        small = length == LONG_S
        programs = demucs_programs(place.models, TINY if small else ONE, [source], *NO_SHIFTS)
        name = "a tiny htdemucs" if small else "htdemucs"
        made.append(Contest(f"{name}, no shifts", seconds, programs))
    return made


def files(place: Place) -> list[Contest]:
    """Many short files at once, with small networks."""
    folder = place.songs(FILES, place.seconds)
    songs = sorted(folder.iterdir())
    return [
        Contest(
            f"{FILES} files, a tiny htdemucs, no shifts",
            place.seconds,
            demucs_programs(place.models, TINY, songs, *NO_SHIFTS),
        ),
        Contest(
            f"{FILES} files, a tiny BS-RoFormer, 2 windows over each sample",
            place.seconds,
            pymss_programs(place.models, TINY, folder, ["--overlap", "2"]),
        ),
        Contest(f"{FILES} files, dsu_mini", place.seconds, mini_programs(folder)),
    ]


def nothing(_models: PublicModels, _seconds: float) -> None:
    pass


def make_tiny(models: PublicModels, _: float) -> None:
    models.write_demucs(1)
    models.write_tiny()


def network_row(
    title: str, kind: str, seconds: float, cost_s: float, *, in_audio_separator: bool = False
) -> Comparison:
    return Comparison(
        title,
        seconds,
        cost_s,
        lambda models, seconds: models.write_network(kind, seconds),
        network(kind, in_audio_separator=in_audio_separator),
    )


ROWS: dict[str, Comparison] = {
    "htdemucs": Comparison("htdemucs", 4, 170, make_htdemucs, htdemucs),
    "htdemucs_ft": Comparison(
        "htdemucs_ft, all stems", 4, 130, lambda models, _: models.write_demucs(4), htdemucs_ft, forward=False
    ),
    "htdemucs_ft_vocals": Comparison(
        "htdemucs_ft, one stem", 4, 110, lambda models, _: models.write_demucs(4), htdemucs_ft_vocals, forward=False
    ),
    "bs_roformer": network_row("BS-RoFormer, four stems", "bs_roformer", 1.5, 260, in_audio_separator=False),
    "mel_band_roformer": network_row("Mel-Band RoFormer", "mel_band_roformer", 1.5, 210, in_audio_separator=True),
    "scnet": network_row("SCNet XL IHF", "scnet", 1.5, 220),
    "mdx23c": network_row("MDX23C", "mdx23c", 1.5, 150, in_audio_separator=True),
    "apollo": Comparison(
        "Apollo 384/6", 1.5, 240, lambda models, seconds: models.write_network("apollo", seconds), apollo
    ),
    "vr": Comparison("VR", 4, 80, lambda models, _: models.write_vr(), vr),
    "mdx": Comparison("MDX", 4, 80, lambda models, _: models.write_mdx(), mdx),
    "audiosep": Comparison("AudioSep", 4, 70, lambda models, _: models.write_audiosep(), audiosep),
    "dsu_mini": Comparison("dsu_mini", 4, 30, nothing, dsu_mini),
    "lengths": Comparison("Songs of three lengths", LONG_S, 330, make_tiny, lengths, forward=False, rounds=1),
    "files": Comparison("Many files", FILE_S, 110, make_tiny, files, forward=False),
}
