"""`Separator` of audio-separator, with its signature: loads a model, and separates songs into files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, cast

from dsu_client.client import DSU
from dsu_client.compat.host import with_models, worker
from dsu_client.errors import DSUError, JobCancelled
from dsu_client.protocol import Done, PackageModel

from .exceptions import BatchSeparationError, translated

DEFAULT_MODEL = "model_bs_roformer_ep_317_sdr_12.9755.ckpt"
# Means DSU's models directory here.
DEFAULT_FOLDER = "/tmp/audio-separator-models/"  # noqa: S108
SONGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aiff", ".ac3")
LOSSY = ("mp3", "ogg", "opus", "m4a")
KINDS = ("VR", "MDX", "Demucs", "MDXC")
MDX_HOP = 1024
MDX = {"hop_length": MDX_HOP, "segment_size": 256, "overlap": 0.25, "batch_size": 1, "enable_denoise": False}
VR = {
    "batch_size": 1,
    "window_size": 512,
    "aggression": 5,
    "enable_tta": False,
    "enable_post_process": False,
    "post_process_threshold": 0.2,
    "high_end_process": False,
}
DEMUCS = {"segment_size": "Default", "shifts": 2, "overlap": 0.25, "segments_enabled": True}
MDXC = {
    "segment_size": 256,
    "override_model_segment_size": False,
    "batch_size": None,
    "overlap": None,
    "pitch_shift": 0,
}
# For each type of model: its parameters, and the fields of `package_separate` that they are.
FIELDS = {
    "MDX": {"segment_size": "mdx_segment_size", "overlap": "mdx_overlap", "enable_denoise": "mdx_enable_denoise"},
    "VR": {
        "window_size": "vr_window_size",
        "aggression": "vr_aggression",
        "enable_tta": "vr_enable_tta",
        "enable_post_process": "vr_post_process",
        "post_process_threshold": "vr_post_process_threshold",
        "high_end_process": "vr_high_end_process",
    },
    "Demucs": {
        "segment_size": "demucs_segment_s",
        "shifts": "demucs_shifts",
        "overlap": "demucs_overlap",
        "segments_enabled": "demucs_split",
    },
    "MDXC": {
        "segment_size": "mdxc_segment_size",
        "override_model_segment_size": "mdxc_override_model_segment_size",
        "overlap": "mdxc_overlap",
        "pitch_shift": "mdxc_pitch_shift",
    },
}
Paths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]


class Model:
    """`model_instance`: what programs ask a loaded model. Its settings are the separator's, whichever of the two they set."""

    def __init__(self, separator: Separator, filename: str, kind: str, stems: Sequence[str]) -> None:
        self._separator = separator
        self.model_filename = filename
        self.model_name = filename.split(".", maxsplit=1)[0]
        self.kind = kind
        self.stems = list(stems)
        pair = ("Vocals", "Instrumental") if kind == "Demucs" else (*stems, None)
        self.primary_stem_name, self.secondary_stem_name = pair[:2]

    output_dir = property(lambda self: self._separator.output_dir, lambda self, value: self._set("output_dir", value))
    output_format = property(
        lambda self: self._separator.output_format, lambda self, value: self._set("output_format", value)
    )
    output_single_stem = property(
        lambda self: self._separator.output_single_stem, lambda self, value: self._set("output_single_stem", value)
    )
    sample_rate = property(
        lambda self: self._separator.sample_rate, lambda self, value: self._set("sample_rate", value)
    )

    def _set(self, name: str, value: object) -> None:
        setattr(self._separator, name, value)


class Separator:
    """Separates songs into files in `output_dir`, with one model or an ensemble."""

    def __init__(
        self,
        log_level: int = logging.INFO,
        log_formatter: logging.Formatter | None = None,
        model_file_dir: str = DEFAULT_FOLDER,
        output_dir: str | None = None,
        output_format: str | None = "WAV",
        output_bitrate: str | None = None,
        normalization_threshold: float = 0.9,
        amplification_threshold: float = 0.0,
        output_single_stem: str | None = None,
        invert_using_spec: bool = False,
        sample_rate: int = 44100,
        use_soundfile: bool = False,
        use_autocast: bool = False,
        use_directml: bool = False,
        chunk_duration: float | None = None,
        mdx_params: Mapping[str, Any] = MDX,
        vr_params: Mapping[str, Any] = VR,
        demucs_params: Mapping[str, Any] = DEMUCS,
        mdxc_params: Mapping[str, Any] = MDXC,
        ensemble_algorithm: str | None = None,
        ensemble_weights: Sequence[float] | None = None,
        ensemble_preset: str | None = None,
        info_only: bool = False,
        use_torch_compile: bool = False,
        use_native_fp16: bool = False,
    ) -> None:
        del use_soundfile, use_directml, use_torch_compile  # the worker has its own way
        if use_autocast and use_native_fp16:
            raise ValueError("Choose one of `use_autocast` and `use_native_fp16`.")
        if not 0 < normalization_threshold <= 1:
            raise ValueError("The normalization_threshold must be greater than 0 and at most 1.")
        if not 0 <= amplification_threshold <= 1:
            raise ValueError("The amplification_threshold must be at least 0 and at most 1.")
        if chunk_duration is not None and chunk_duration <= 0:
            raise ValueError("The chunk_duration must be greater than 0.")
        self._start_log(log_level, log_formatter)
        self.output_dir = os.getcwd() if output_dir is None else output_dir  # noqa: PTH109  programs expect a string
        self._models_dir = _models_dir(model_file_dir)
        self.model_file_dir = self._models_dir or model_file_dir
        if not info_only:
            Path(self.output_dir).mkdir(parents=True, exist_ok=True)
        self.output_format = output_format or "WAV"
        self.output_bitrate = output_bitrate
        self.normalization_threshold = normalization_threshold
        self.amplification_threshold = amplification_threshold
        self.output_single_stem = output_single_stem
        self.invert_using_spec = invert_using_spec
        self.sample_rate = _rate(sample_rate)
        self.use_autocast = use_autocast
        self.use_native_fp16 = use_native_fp16
        self.chunk_duration = chunk_duration
        self.arch_specific_params = {"MDX": mdx_params, "VR": vr_params, "Demucs": demucs_params, "MDXC": mdxc_params}
        self.torch_device: object = None  # a program may set one; else it is the best there is
        preset = self._preset(ensemble_preset)
        self.ensemble_algorithm = ensemble_algorithm or preset["algorithm"]
        self.ensemble_weights = ensemble_weights
        self.ensemble_preset = ensemble_preset
        self._preset_models = preset["models"]
        self.model_instance: Model | None = None
        self.model_filename: str | list[str] | None = None
        self.model_filenames: list[str] = []
        self.model_friendly_name: str | None = None

    def _start_log(self, level: int, formatter: logging.Formatter | None) -> None:
        self.logger = logging.getLogger(__name__)
        self.logger.setLevel(level)
        self.log_level = level
        self.log_formatter = formatter or logging.Formatter("%(asctime)s - %(levelname)s - %(module)s - %(message)s")
        self.log_handler = logging.StreamHandler()
        self.log_handler.setFormatter(self.log_formatter)
        if not self.logger.hasHandlers():
            self.logger.addHandler(self.log_handler)

    def _preset(self, name: str | None) -> dict[str, Any]:
        """The ensemble of this name. Without one it has no models."""
        if name is None:
            return {"models": [], "algorithm": "avg_wave"}
        presets = self.list_ensemble_presets()
        if name not in presets:
            raise ValueError(f"Unknown ensemble preset: `{name}`. Available presets: {', '.join(sorted(presets))}")
        return presets[name]

    @property
    def _worker(self) -> DSU:
        return worker(self.torch_device, self._models_dir)

    # Models --------------------------------------------------------------------------------------------------------------

    def load_model(self, model_filename: str | Sequence[str] = DEFAULT_MODEL, force_reload: bool = False) -> None:
        """Load a model, or choose several for an ensemble."""
        del force_reload  # the worker knows what it has loaded, and settings count when they are used
        if model_filename == DEFAULT_MODEL and self._preset_models:
            model_filename = self._preset_models
        names = [model_filename] if isinstance(model_filename, str) else list(model_filename)
        if len(names) > 1:
            self.model_filename, self.model_filenames, self.model_instance = names, names, None
            return
        self.logger.info("Loading model %s...", names[0])
        with translated():
            where = self._worker
            reply = with_models(where, names, lambda: where.package_load_model(model=names[0]))
        self.model_instance = Model(self, names[0], reply["kind"], reply["stems"])
        self.model_filename, self.model_filenames = names[0], names
        listed = self._listed(names[0])
        self.model_friendly_name = listed["name"] if listed else reply["model"]

    def download_model_files(self, model_filename: str) -> tuple[str, str, str, str, str | None]:
        """Fetch a model: its file name, type, name, path, and the path of its configuration, if it has one."""
        with translated():
            reply = self._worker.download_model(model=model_filename)
        listed = self._listed(model_filename)
        kind, name = (listed["kind"], listed["name"]) if listed else ("MDXC", reply["model"])
        configuration = next((path for path in reply["files"] if path.endswith(".yaml")), None)
        return model_filename, kind, name, reply["path"], configuration

    def download_model_and_data(self, model_filename: str) -> None:
        """Fetch a model without loading it."""
        self.download_model_files(model_filename)

    def list_supported_model_files(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The models by type and name, with their file names, stems and scores."""
        listed: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        for model in self._worker.package_list_models()["models"]:
            listed[model["kind"]][model["name"]] = {
                "filename": model["file"],
                "scores": {stem: {"SDR": sdr} for stem, sdr in model["sdr"].items()},
                "stems": model["stems"],
                "target_stem": model["target_stem"],
                "download_files": [file for file in (model["file"], model["config"]) if file],
            }
        return listed

    def get_simplified_model_list(self, filter_sort_by: str | None = None) -> dict[str, dict[str, Any]]:
        """The models by file name; sorted by `name` or `filename`, or those with a stem, the best first."""
        simple: dict[str, dict[str, Any]] = {}
        for kind, models in self.list_supported_model_files().items():
            for name, model in models.items():
                scores = {stem: model["scores"].get(stem, {}).get("SDR") for stem in model["stems"]}
                marked = {stem: f"{stem}*" if stem == model["target_stem"] else stem for stem in scores}
                shown = [marked[stem] if sdr is None else f"{marked[stem]} ({sdr:.1f})" for stem, sdr in scores.items()]
                rounded = {stem: None if sdr is None else round(sdr, 1) for stem, sdr in scores.items()}
                simple[model["filename"]] = {
                    "Name": name,
                    "Type": kind,
                    "Stems": shown or ["Unknown"],
                    "SDR": rounded or {"unknown": None},
                }
        if not filter_sort_by:
            return simple
        stem = filter_sort_by.lower()
        order: Callable[[tuple[str, dict[str, Any]]], Any] = {
            "name": lambda row: row[1]["Name"],
            "filename": lambda row: row[0],
        }.get(stem, lambda row: -(row[1]["SDR"][stem] if row[1]["SDR"][stem] is not None else float("-inf")))
        rows = [row for row in simple.items() if stem in ("name", "filename") or stem in row[1]["SDR"]]
        return dict(sorted(rows, key=order))

    def list_ensemble_presets(self) -> dict[str, dict[str, Any]]:
        """The named ensembles, with their models and how they are combined."""
        presets = self._worker.package_list_models()["presets"]
        return {name: {**preset, "weights": None} for name, preset in presets.items()}

    def _listed(self, filename: str) -> PackageModel | None:
        """What the package's list tells of a model; None for one that only DSU has."""
        models = self._worker.package_list_models()["models"]
        return next((model for model in models if model["file"] == filename), None)

    # Songs ---------------------------------------------------------------------------------------------------------------

    def separate(self, audio_file_path: Paths, custom_output_names: Mapping[str, str] | None = None) -> list[str]:
        """Separate a file, or files and folders. The names of the files in `output_dir`; for ensembles, their paths."""
        if self.model_filename is None:
            raise ValueError("No model is loaded. Call `load_model` before `separate`.")
        if isinstance(audio_file_path, str | PathLike):
            if not _is_folder(audio_file_path):
                return self._separate_file(str(audio_file_path), custom_output_names or {})
            audio_file_path = [audio_file_path]
        written: list[str] = []
        failures: list[tuple[str, Exception]] = []
        for path in _songs(audio_file_path):
            try:
                written += self._separate_file(path, custom_output_names or {})
            except JobCancelled:
                raise
            except (DSUError, OSError, ValueError, RuntimeError) as error:
                self.logger.error("Failed to process file %s: %s", path, error)  # noqa: TRY400  the error says it all
                failures.append((path, error))
        if failures:
            raise BatchSeparationError(written, failures)
        return written

    def _separate_file(self, path: str, custom: Mapping[str, str]) -> list[str]:
        self.logger.info("Processing file: %s", path)
        stem = self.output_single_stem
        if stem and self.model_instance and stem.lower() not in map(str.lower, self.model_instance.stems):
            self.logger.warning("The model has no stem %s, but: %s.", stem, ", ".join(self.model_instance.stems))
            if not self._gives_all(self.model_instance):
                return []
            stem = None
        with translated(path):
            where = self._worker
            separate = partial(
                where.package_separate,
                input=os.path.abspath(path),  # noqa: PTH100  links keep their own names
                output=os.path.abspath(self.output_dir),  # noqa: PTH100
                custom_output_names=custom,
                single_stem=stem or None,
                **self._options(),
            )
            reply = with_models(where, self.model_filenames, separate)
        files = cast("Done", reply)["files"]
        return [str(Path(self.output_dir, name)) for name in files] if self.model_instance is None else files

    @staticmethod
    def _gives_all(model: Model) -> bool:
        """Whether the model gives all stems where it lacks the one that is asked for, rather than none."""
        return model.kind == "VR" or (model.kind == "MDXC" and len(model.stems) > 2)

    def _options(self) -> dict[str, Any]:
        """The fields of `package_separate` for the model and the settings."""
        options: dict[str, Any] = {
            "format": self.output_format.lower(),
            "output_sample_rate": self.sample_rate,
            "normalization": self.normalization_threshold,
            "amplification": self.amplification_threshold,
            "invert_spect": self.invert_using_spec,
        }
        if self.output_bitrate and options["format"] in LOSSY:
            options["bitrate"] = _kilobits(self.output_bitrate)
        if (self.use_autocast or self.use_native_fp16) and self._worker.get_status()["device"].startswith("cuda"):
            options["precision"] = "fp16"
        for kind, fields in FIELDS.items():
            given = self.arch_specific_params[kind]
            options |= {field: given[name] for name, field in fields.items() if name in given}
        if options.get("demucs_segment_s") == DEMUCS["segment_size"]:
            del options["demucs_segment_s"]
        if self.arch_specific_params["MDX"].get("hop_length", MDX_HOP) != MDX_HOP:
            self.logger.warning("`hop_length` has no effect: MDX models were made for %s.", MDX_HOP)
        return {**options, **self._models()}

    def _models(self) -> dict[str, Any]:
        model = self.model_instance
        if model is not None:
            batch_size = self.arch_specific_params[model.kind].get("batch_size")
            return {"model": model.model_filename, "batch_size": batch_size}
        weights = self.ensemble_weights
        if weights is not None and len(weights) != len(self.model_filenames):
            self.logger.warning("The number of weights is not that of the models; all count the same.")
            weights = None
        return {
            "ensemble": self.model_filenames,
            "ensemble_preset": self.ensemble_preset,
            "ensemble_algorithm": self.ensemble_algorithm,
            "ensemble_weights": weights,
        }


def _models_dir(given: str) -> str | None:
    """The folder of models; None is that of DSU. The environment goes first, and what it names must be there."""
    named = os.environ.get("AUDIO_SEPARATOR_MODEL_DIR")
    if named and not Path(named).exists():
        raise FileNotFoundError(f"The specified model directory does not exist: {named}")
    if named or Path(given) == Path(DEFAULT_FOLDER):
        return named or None
    Path(given).mkdir(parents=True, exist_ok=True)
    return given


def _songs(paths: Iterable[str | PathLike[str]]) -> Iterator[str]:
    """Files as they are, and the songs in folders, those below too."""
    for path in paths:
        if _is_folder(path):
            yield from (str(song) for song in sorted(Path(path).rglob("*")) if song.suffix.lower() in SONGS)
        else:
            yield os.fspath(path)


def _is_folder(path: str | PathLike[str]) -> bool:
    """An empty name is none: it does not mean the working directory."""
    return bool(os.fspath(path)) and Path(path).is_dir()


def _rate(value: object) -> int:
    try:
        rate = int(str(value))
    except ValueError:
        rate = 0
    if rate <= 0:
        raise ValueError("The sample rate must be a non-zero whole number.")
    return rate


def _kilobits(bitrate: str | int) -> int:
    """The number in a bit rate as ffmpeg takes it: `320k`, `320000`."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)(k?)", str(bitrate).strip().lower())
    if number is None:
        raise ValueError(f"`{bitrate}` is no bit rate; `320k` is one.")
    return round(float(number[1]) / (1 if number[2] else 1000))
