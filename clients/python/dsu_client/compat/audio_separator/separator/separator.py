"""`Separator` of audio-separator, with its signature: loads a model, and separates songs into files."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from dsu_client.client import DSU
from dsu_client.compat.host import worker
from dsu_client.errors import DSUError, JobCancelled

from .exceptions import BatchSeparationError, translated
from .naming import FAMILIES, TYPES, ensemble_name, ensemble_stem_names, file_name, stem_names
from .presets import PRESETS

DEFAULT_MODEL = "model_bs_roformer_ep_317_sdr_12.9755.ckpt"
# Means DSU's models directory here.
DEFAULT_FOLDER = "/tmp/audio-separator-models/"  # noqa: S108
SONGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aiff", ".ac3")
# No separation into stems, though `list_models` of DSU has them.
OTHER_TYPES = ("apollo", "audiosep")
ALGORITHMS = {"uvr_max_spec": "max_fft", "uvr_min_spec": "min_fft"}
MDX = {"hop_length": 1024, "segment_size": 256, "overlap": 0.25, "batch_size": 1, "enable_denoise": False}
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
DEFAULTS: dict[str, Mapping[str, Any]] = {"MDX": MDX, "VR": VR, "Demucs": DEMUCS, "MDXC": MDXC}
# For each type of model: its parameters, and the fields of `separate` that they are.
FIELDS = {
    "MDX": {
        "segment_size": "mdx_segment_size",
        "overlap": "mdx_overlap",
        "batch_size": "batch_size",
        "enable_denoise": "mdx_enable_denoise",
    },
    "VR": {
        "batch_size": "batch_size",
        "window_size": "vr_window_size",
        "aggression": "vr_aggression",
        "enable_tta": "vr_enable_tta",
        "enable_post_process": "vr_post_process",
        "post_process_threshold": "vr_post_process_threshold",
        "high_end_process": "vr_high_end_process",
    },
    "Demucs": {"segment_size": "segment", "shifts": "shifts", "overlap": "overlap"},
    "MDXC": {"batch_size": "batch_size", "overlap": "overlap"},
}
# Fields that have other defaults here than in DSU.
OWN_DEFAULTS = ("mdx_segment_size", "shifts")
Paths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]


class Model:
    """`model_instance`: what programs ask a loaded model. Its settings are the separator's, whichever of the two they set."""

    def __init__(self, separator: Separator, filename: str, name: str, kind: str, stems: Sequence[str]) -> None:
        self._separator = separator
        self.model_filename = filename
        self.model_name = filename.split(".", maxsplit=1)[0]
        self.dsu_name = name
        self.kind = kind
        self.stems = list(stems)
        names = stem_names(kind, filename, stems)
        self.primary_stem_name = names[stems[0]]
        self.secondary_stem_name = names[stems[1]] if len(stems) > 1 else None

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
        if ensemble_preset is not None and ensemble_preset not in PRESETS:
            names = ", ".join(sorted(PRESETS))
            raise ValueError(f"Unknown ensemble preset: `{ensemble_preset}`. Available presets: {names}")
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
        algorithm, models = PRESETS.get(ensemble_preset or "", ("avg_wave", ()))
        self.ensemble_algorithm = ensemble_algorithm or algorithm
        self.ensemble_weights = ensemble_weights
        self.ensemble_preset = ensemble_preset
        self._preset_models = list(models)
        self.torch_device: object = None  # a program may set one; else it is the best there is
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
            reply = self._worker.load_model(model=names[0])
            kind = self._details(model=reply["model"])[0]["kind"]
        self.model_instance = Model(self, names[0], reply["model"], kind, reply["stems"])
        self.model_filename, self.model_filenames = names[0], names
        self.model_friendly_name = reply["model"]

    def download_model_files(self, model_filename: str) -> tuple[str, str, str, str, str | None]:
        """Fetch a model: its file name, type, name, path, and the path of its configuration, if it has one."""
        with translated():
            reply = self._worker.download_model(model=model_filename)
            kind = self._details(model=reply["model"])[0]["kind"]
        configuration = next((path for path in reply["files"] if path.endswith(".yaml")), None)
        return model_filename, kind, reply["model"], reply["path"], configuration

    def download_model_and_data(self, model_filename: str) -> None:
        """Fetch a model without loading it."""
        self.download_model_files(model_filename)

    def list_supported_model_files(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The models by type and name, with their file names, stems and scores."""
        listed: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in FAMILIES}
        for model in self._details():
            listed[model["kind"]][model["name"]] = {
                "filename": model["name"],
                "scores": {stem: {"SDR": sdr} for stem, sdr in (model["sdr"] or {}).items()},
                "stems": [stem.lower() for stem in model["stems"]],
                "target_stem": model["stems"][0].lower() if 0 < len(model["stems"]) < 3 else None,
                "download_files": [model["name"]],
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
        return {
            name: {"name": name, "description": "", "models": list(models), "algorithm": algorithm, "weights": None}
            for name, (algorithm, models) in PRESETS.items()
        }

    def _details(self, **options: Any) -> list[dict[str, Any]]:
        """What DSU tells of models that separate, with their types as the package has them."""
        details = self._worker.list_models(details=True, **options)["details"]
        return [{**row, "kind": TYPES.get(row["type"], "MDXC")} for row in details if row["type"] not in OTHER_TYPES]

    # Songs ---------------------------------------------------------------------------------------------------------------

    def separate(self, audio_file_path: Paths, custom_output_names: Mapping[str, str] | None = None) -> list[str]:
        """Separate a file, or files and folders. The names of the files in `output_dir`; for ensembles, their paths."""
        if self.model_filename is None:
            raise ValueError("No model is loaded. Call `load_model` before `separate`.")
        if isinstance(audio_file_path, str | PathLike):
            if not Path(audio_file_path).is_dir():
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
        """Separate one song beside its place, then give the stems their names."""
        self.logger.info("Processing file: %s", path)
        folder = Path(self.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".separating-", dir=folder) as aside:
            with translated(path):
                reply = self._worker.separate(path, output=aside, **self._options())
            names = self._names(reply["stems"])
            extension = self.output_format.lower()
            files = {}
            for stem in self._chosen(names):
                files[stem] = file_name(Path(path).stem, names[stem], self._label(), extension, custom)
                os.replace(reply["paths"][stem], folder / files[stem])  # noqa: PTH105  also where the file is there
        return [str(folder / name) if self.model_instance is None else name for name in files.values()]

    def _names(self, stems: Sequence[str]) -> dict[str, str]:
        model = self.model_instance
        return stem_names(model.kind, model.model_filename, stems) if model else ensemble_stem_names(stems)

    def _chosen(self, names: Mapping[str, str]) -> list[str]:
        """The stems to write. Those that have no such stem give all, if they are VR models or networks of many stems."""
        only = self.output_single_stem
        chosen = [stem for stem, name in names.items() if not only or only.lower() == name.lower()]
        if chosen:
            return chosen
        self.logger.warning("The model has no stem %s, but: %s.", only, ", ".join(names.values()))
        kind = self.model_instance.kind if self.model_instance else None
        return list(names) if kind == "VR" or (kind == "MDXC" and len(names) > 2) else []

    def _label(self) -> str:
        model = self.model_instance
        return model.model_name if model else ensemble_name(self.model_filenames, self.ensemble_preset)

    def _options(self) -> dict[str, Any]:
        """The fields of `separate` for the model and the settings."""
        options: dict[str, Any] = {"format": self.output_format.lower(), "output_sample_rate": self.sample_rate}
        if self.output_bitrate:
            options["bitrate"] = _kilobits(self.output_bitrate)
        if (self.use_autocast or self.use_native_fp16) and self._worker.get_status()["device"].startswith("cuda"):
            options["precision"] = "fp16"
        model = self.model_instance
        if model is None:
            return {**options, **self._ensemble_options(), "extract_instrumental": True}
        return {**options, **self._model_options(model)}

    def _model_options(self, model: Model) -> dict[str, Any]:
        options: dict[str, Any] = {"model": model.dsu_name, "family": FAMILIES[model.kind]}
        for name, value in self.arch_specific_params[model.kind].items():
            field = FIELDS[model.kind].get(name)
            if field not in OWN_DEFAULTS and value == DEFAULTS[model.kind].get(name):
                continue  # it is DSU's default too, or stands for what the model itself says
            if field:
                options[field] = float(value) if field == "segment" else value
            elif value:
                self.logger.warning("`%s` has no effect on DSU's networks.", name)
        if model.kind in ("VR", "MDX"):
            options["invert_spect"] = self.invert_using_spec
        if model.kind == "MDXC" and len(model.stems) == 1:
            options["extract_instrumental"] = True
        elif self.output_single_stem:
            options["stems"] = [stem for stem in model.stems if stem.lower() == self.output_single_stem.lower()] or None
        return options

    def _ensemble_options(self) -> dict[str, Any]:
        weights = self.ensemble_weights
        if weights is not None and len(weights) != len(self.model_filenames):
            self.logger.warning("The number of weights is not that of the models; all count the same.")
            weights = None
        algorithm = ALGORITHMS.get(self.ensemble_algorithm, self.ensemble_algorithm)
        return {
            "family": "networks",
            "ensemble": self.model_filenames,
            "ensemble_type": algorithm,
            "ensemble_weights": weights if algorithm.startswith("avg") else None,
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
    for path in map(Path, paths):
        if path.is_dir():
            yield from (str(song) for song in sorted(path.rglob("*")) if song.suffix.lower() in SONGS)
        else:
            yield str(path)


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
