"""`Separator`, `save_audio` and `list_models` of demucs, with their signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dsu_client.compat.host import worker
from dsu_client.compat.samples import read_song, to_host
from dsu_client.errors import InputError

from .apply import BagOfModels, apply_model
from .audio import convert_audio, save_audio
from .pretrained import check_repo, load_for
from .repo import ModelLoadingError

__all__ = ["LoadAudioError", "LoadModelError", "ModelLoadingError", "Separator", "list_models", "save_audio"]


class LoadAudioError(Exception):
    """The song cannot be read."""


class LoadModelError(Exception):
    """Kept for programs that catch it; wrong models are a `ModelLoadingError`."""


class _NotProvided:
    pass


NotProvided: Any = _NotProvided()


class Separator:
    """Separates songs with one model. Without `device`, the worker takes the best that there is."""

    # Programs derive classes that have a model already and only set the parameters.
    _parameters: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        model: str = "htdemucs",
        repo: Path | None = None,
        device: Any = None,
        shifts: int = 1,
        overlap: float = 0.25,
        split: bool = True,
        segment: int | None = None,
        jobs: int = 0,
        progress: bool = False,
        callback: Callable[[dict[str, Any]], object] | None = None,
        callback_arg: dict[str, Any] | None = None,
    ) -> None:
        self._model = load_for(device, model, repo)
        self.update_parameter(device, shifts, overlap, split, segment, jobs, progress, callback, callback_arg)

    def update_parameter(
        self,
        device: Any = NotProvided,
        shifts: int = NotProvided,
        overlap: float = NotProvided,
        split: bool = NotProvided,
        segment: int | None = NotProvided,
        jobs: int = NotProvided,
        progress: bool = NotProvided,
        callback: Callable[[dict[str, Any]], object] | None = NotProvided,
        callback_arg: dict[str, Any] | None = NotProvided,
    ) -> None:
        """Change what is given, from the next song on."""
        given = {
            "device": device,
            "shifts": shifts,
            "overlap": overlap,
            "split": split,
            "segment": segment,
            "num_workers": jobs,
            "progress": progress,
            "callback": callback,
            "callback_arg": callback_arg,
        }
        changed = {name: value for name, value in given.items() if value is not NotProvided}
        self._parameters = {**self._parameters, **changed}

    def separate_tensor(self, wav: Any, sr: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Separate `(channels, samples)` at the rate `sr`: the song at the model's rate, and its stems by name."""
        if sr is not None and sr != self.samplerate:
            wav = convert_audio(wav, sr, self.samplerate, self.audio_channels)
        extra = {**(self._parameters.get("callback_arg") or {}), "audio_length": wav.shape[1]}
        out = apply_model(self._model, wav[None], **{**self._parameters, "callback_arg": extra})
        return wav, dict(zip(self._model.sources, out[0], strict=True))

    def separate_audio_file(self, file: str | Path) -> tuple[Any, dict[str, Any]]:
        """Separate a file of any format that DSU reads; as `separate_tensor`."""
        try:
            wav = to_host(read_song(file, self.samplerate, self.audio_channels))
        except InputError as error:
            raise LoadAudioError(str(error)) from error
        return self.separate_tensor(wav, self.samplerate)

    @property
    def samplerate(self) -> int:
        """The rate of the stems."""
        return self._model.samplerate

    @property
    def audio_channels(self) -> int:
        """The number of channels of the stems."""
        return self._model.audio_channels

    @property
    def model(self) -> BagOfModels:
        """What is known of the model."""
        return self._model


def list_models(repo: Path | None = None) -> dict[str, dict[str, str | Path]]:
    """The names of `single` networks and of `bag`s, each with its file, or without a folder with its name."""
    check_repo(repo)
    if repo is not None:
        single: dict[str, str | Path] = {path.stem.split("-")[0]: path for path in sorted(Path(repo).glob("*.th"))}
        bag: dict[str, str | Path] = {path.stem: path for path in sorted(Path(repo).glob("*.yaml"))}
        return {"single": single, "bag": bag}
    listed = worker().list_models(family="demucs", details=True)["details"]
    bags = [model["name"] for model in listed if "networks" in model]
    own = [model["name"] for model in listed if "networks" not in model]
    members = [member for model in listed for member in model.get("members", ())]
    return {"single": {name: name for name in [*members, *own]}, "bag": {name: name for name in bags}}
