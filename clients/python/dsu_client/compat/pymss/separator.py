"""`MSSeparator` of pymss, with its signature: a model that separates arrays, and files into the folders of their stems."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsu_client.client import DSU
from dsu_client.compat.configuration import list_of, number_of
from dsu_client.compat.host import worker
from dsu_client.errors import DSUError, JobCancelled, ModelError

from .audio_io import AUDIO_PARAMS, file_options, save_audio
from .logger import get_separation_logger
from .model_download import fetch
from .model_registry import find_model

OnProgress: TypeAlias = Callable[[int, int, str], object]
SAMPLE_RATE = 44100
# Of all stems together, where outputs are normalised.
PEAK = 10 ** (-0.01 / 20)
DEVICES = {"auto": None, "cpu": "cpu", "cuda": "cuda", "rocm": "cuda", "mps": "mps", "mlx": "mps"}
INFERENCE = {
    "batch_size": None,
    "overlap_size": None,
    "chunk_size": None,
    "standardize": None,
    "normalize": False,
    "mask_mode": None,
}
VR_FIELDS = {
    "window_size": "vr_window_size",
    "aggression": "vr_aggression",
    "enable_tta": "vr_enable_tta",
    "enable_post_process": "vr_post_process",
    "post_process_threshold": "vr_post_process_threshold",
    "high_end_process": "vr_high_end_process",
}


class ModelTypeDetectionError(RuntimeError):
    """Files do not tell what kind of network they are."""


class CatalogueName(str):
    """The name of a model of DSU, where the path of a checkpoint could stand, and the models directory that has it."""

    __slots__ = ("models_dir",)
    models_dir: str | PathLike[str] | None


class MSSeparator:
    """A model that is loaded, and how its stems are written."""

    def __init__(
        self,
        model_type: str,
        model_path: str | PathLike[str],
        config_path: str | PathLike[str] | None = None,
        device: str = "auto",
        device_ids: Sequence[int] = [0],
        output_format: str = "wav",
        use_tta: bool = False,
        store_dirs: str | Mapping[str, Any] = "results",
        save_as_folder: bool = False,
        audio_params: Mapping[str, Any] = AUDIO_PARAMS,
        logger: logging.Logger | None = None,
        debug: bool = False,
        progress_callback: OnProgress | None = None,
        inference_params: Mapping[str, Any] = INFERENCE,
        target_instrument_override: str | None = None,
    ) -> None:
        if not model_type:
            raise ValueError("model_type is required")
        if not model_path:
            raise ValueError("model_path is required")
        self.device = _device(device, device_ids)
        self.model_type = model_type
        self.model_path = model_path
        self.config_path = config_path or f"{os.fspath(model_path)}.yaml"
        self.output_format = output_format
        self.use_tta = use_tta
        self.store_dirs = store_dirs
        self.audio_params = audio_params
        self.logger = logger or get_separation_logger(logging.DEBUG if debug else logging.INFO)
        self.debug = debug
        self.progress_callback = progress_callback
        self.inference_params = dict(inference_params)
        self.target_instrument_override = target_instrument_override
        self.device_ids = device_ids
        self._request = self._find()
        self._stems = self._load()
        self.config = self._describe()
        self.save_as_folder = save_as_folder and len(set(self._folders())) == 1

    @classmethod
    def from_model_name(
        cls,
        model_name: str,
        model_dir: str | PathLike[str] | None = None,
        download: bool = False,
        source: str = "modelscope",
        endpoint: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """A separator with a model of DSU, which is fetched only with `download`."""
        del source, endpoint
        where = worker(_device(kwargs.get("device", "auto"), kwargs.get("device_ids", [0])), model_dir)
        entry = find_model(where, model_name)
        if download:
            fetch(where, entry.name, None)
        elif not entry.installed:
            raise FileNotFoundError(f"Missing model file(s) of {entry.name}. `download=True` fetches them.")
        name = CatalogueName(entry.name)
        name.models_dir = model_dir
        return cls(model_type=entry.model_type, model_path=name, **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def _worker(self) -> DSU:
        return worker(self.device, getattr(self.model_path, "models_dir", None))

    # The model -----------------------------------------------------------------------------------------------------------

    def _find(self) -> dict[str, Any]:
        """The fields that name the model in requests."""
        if isinstance(self.model_path, CatalogueName):
            family = {"vr": "audio-separator", "mdx": "audio-separator", "demucs": "demucs", "apollo": "apollo"}
            return {"model": str(self.model_path), "family": family.get(self.model_type, "networks")}
        path = Path(self.model_path).absolute()
        if not path.is_file():
            raise FileNotFoundError(f"Missing model file(s): {path}")
        if self.model_type == "vr":
            return {"model": path.name, "model_file_dir": str(path.parent), "family": "audio-separator"}
        if self.model_type.startswith("legacy_"):
            return {"model": path.stem, "repo": str(path.parent), "family": "demucs"}
        files = {"model_path": str(path), "config_path": str(Path(self.config_path).absolute()), "family": "networks"}
        return files if self.model_type == "auto" else {**files, "model_type": self.model_type}

    def _load(self) -> list[str]:
        try:
            stems: list[str] = self._worker.load_model(**self._request)["stems"]
        except ModelError as error:
            if self.model_type == "auto" and error.code == "config_invalid":
                raise ModelTypeDetectionError(str(error)) from error
            raise
        return stems

    def _describe(self) -> SimpleNamespace:
        """What programs read of a model's configuration. A target's counterpart has the name that its file gives it."""
        text = ""
        if "config_path" in self._request:
            text = Path(self._request["config_path"]).read_text(encoding="utf-8")
        instruments = list(self._stems)
        target = None
        if len(instruments) == 1 and self._request["family"] == "networks":
            target = instruments[0]
            named = [name for name in list_of(text, "instruments") if name != target]
            instruments.append(named[0] if named else "instrumental" if target.lower() == "vocals" else "other")
        numbers = {name: number_of(text, name) for name in ("sample_rate", "chunk_size", "overlap_size", "num_overlap")}
        audio = {name: int(number) for name, number in numbers.items() if number is not None}
        return SimpleNamespace(
            audio={"sample_rate": SAMPLE_RATE, **audio},
            training=SimpleNamespace(instruments=instruments, target_instrument=target),
        )

    def _folders_of(self, stem: str) -> list[str]:
        """Where a stem is written: in no folder, in one, or in several."""
        if isinstance(self.store_dirs, str):
            return [self.store_dirs]
        found = next((value for key, value in self.store_dirs.items() if key.lower() == stem.lower()), None)
        return [folder for folder in (found if isinstance(found, list) else [found]) if folder]

    def _folders(self) -> list[str]:
        every = [folder for stem in self.config.training.instruments for folder in self._folders_of(stem)]
        return [str(Path(folder).absolute()) for folder in every]

    # Songs ---------------------------------------------------------------------------------------------------------------

    def process_folder(self, input_folder: str | PathLike[str]) -> list[str]:
        """Separate a file, or the files in a folder; the names of those that succeeded."""
        place = Path(input_folder)
        if not place.exists():
            raise ValueError(f"Input path '{input_folder}' does not exist.")
        if self.inference_params.get("normalize"):
            self.logger.warning("`normalize` has no effect on files; one gain keeps all stems within full scale.")
        songs = sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else [place]
        return [song.name for song in songs if self._process(song)]

    def _process(self, song: Path) -> bool:
        """Separate one song beside its place, then put copies of the stems into their folders."""
        wanted = [stem for stem in self.config.training.instruments if self._folders_of(stem)]
        place = Path(next((folder for stem in wanted for folder in self._folders_of(stem)), "."))
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".separating-", dir=place) as aside:
                options = {**self._options(wanted), **file_options(self.output_format, self.audio_params)}
                reply = self._worker.separate(song, output=aside, on_progress=self._told(None), **options)
                for stem, path in zip(self._named(reply["stems"]), reply["paths"].values(), strict=True):
                    for folder in map(Path, self._folders_of(stem)):
                        target = folder / song.stem if self.save_as_folder else folder
                        target.mkdir(parents=True, exist_ok=True)
                        _publish(Path(path), target / f"{song.stem}_{stem}.{self.output_format.lower()}")
        except JobCancelled:
            raise
        except (DSUError, OSError) as error:
            self.logger.warning("Cannot separate track: %s, error: %s", song, error)
            return False
        return True

    def separate(
        self,
        mix: Any,
        pbar: bool = True,
        stems: str | Sequence[str] | None = None,
        *,
        channel_layout: str | None = None,
    ) -> dict[str, NDArray[np.float32]]:
        """Separate `(samples,)` or `(channels, samples)` into `(samples, channels)` by stem."""
        del pbar, channel_layout
        song = np.asarray(mix, dtype=np.float32)
        if song.ndim not in (1, 2) or not song.size:
            raise ValueError("Expected non-empty audio shaped (samples,) or (channels, samples).")
        wanted = self._chosen(stems)
        rate = self.config.audio["sample_rate"]
        seconds = max(1, math.ceil(song.shape[-1] / rate))
        result = self._worker.separate(
            np.atleast_2d(song),
            sample_rate=rate,
            output_sample_rate=rate,
            on_progress=self._told(seconds),
            **self._options(wanted),
        )
        named = dict(zip(self._named(list(result)), result.values(), strict=True))
        arrays = {stem: np.ascontiguousarray(named[stem].T) for stem in wanted}
        if self.inference_params.get("normalize"):
            loudest = max(float(np.abs(samples).max()) for samples in arrays.values())
            return {stem: samples * np.float32(PEAK / (loudest or 1)) for stem, samples in arrays.items()}
        return arrays

    def _chosen(self, stems: str | Sequence[str] | None) -> list[str]:
        instruments: list[str] = self.config.training.instruments
        if stems is None:
            return instruments
        lower = {stem.lower(): stem for stem in instruments}
        asked = [stems] if isinstance(stems, str) else list(stems)
        wrong = [stem for stem in asked if stem.lower() not in lower]
        if wrong or not asked:
            raise ValueError(f"Invalid instrument key: {wrong}. Valid instrument keys: {instruments}")
        return list(dict.fromkeys(lower[stem.lower()] for stem in asked))

    def _named(self, stems: Sequence[str]) -> list[str]:
        """The configuration's names of stems; only a target's counterpart may have another one in DSU."""
        return [stem if stem in self._stems else self.config.training.instruments[1] for stem in stems]

    def _options(self, wanted: Sequence[str]) -> dict[str, Any]:
        """The fields of `separate` for the model and the settings."""
        given = {name: value for name, value in self.inference_params.items() if value is not None}
        options: dict[str, Any] = {**self._request, "channels": "source"}
        if "batch_size" in given:
            options["batch_size"] = given["batch_size"]
        family = self._request["family"]
        if family == "audio-separator":
            options |= {field: given[name] for name, field in VR_FIELDS.items() if name in given}
        if family == "networks":
            options |= {"use_tta": self.use_tta, **self._chunks(given)}
        if family == "networks" and self.config.training.target_instrument:
            options["extract_instrumental"] = True
        else:
            options["stems"] = list(wanted)
        return options

    def _chunks(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Samples of a chunk, and of what two chunks share, as seconds and as the number of chunks at each place.

        What the program does not say is as in the configuration, where there is one.
        """
        audio = {**self.config.audio, **{name: given[name] for name in ("chunk_size", "overlap_size") if name in given}}
        options: dict[str, Any] = {}
        chunk = audio.get("chunk_size")
        if "chunk_size" in given:
            options["chunk_seconds"] = given["chunk_size"] / audio["sample_rate"]
        if chunk and audio.get("overlap_size") is not None:
            options["overlap"] = max(1, round(chunk / max(1, chunk - audio["overlap_size"])))
        elif audio.get("num_overlap"):
            options["overlap"] = max(1, audio["num_overlap"])
        return options

    def _told(self, seconds: int | None) -> Callable[[Any], None]:
        """Tells the program how many seconds of the song are done, or of 100 where its length is not known."""
        total = seconds or 100

        def hear(line: Mapping[str, Any]) -> None:
            if self.progress_callback is not None and line["status"] == "progress":
                self.progress_callback(int(total * line["percent"] / 100), total, "Processing audio")

        return hear

    def save_audio(self, audio: Any, sr: int, file_name: str, store_dir: str | PathLike[str]) -> None:
        """Write samples as this separator writes stems."""
        path = Path(store_dir) / f"{file_name}.{self.output_format.lower()}"
        save_audio(path, audio, sr, self.output_format, self.audio_params)

    # The end -------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the model; the worker stays for other separators."""
        self.del_cache()

    def del_cache(self) -> None:
        """Free the worker's memory."""
        self._worker.clear_cache()


def _publish(file: Path, target: Path) -> None:
    """A copy of a file, which appears whole."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(file, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _device(name: str, ids: Sequence[int]) -> str | None:
    """A device of DSU; None is the best there is."""
    if name not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}")
    return f"cuda:{ids[0]}" if DEVICES[name] == "cuda" and ids else DEVICES[name]
