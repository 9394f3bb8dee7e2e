"""The provider of stems that music analysis programs have: loads a Demucs model once, and writes a folder for each song."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from dsu_client.compat.demucs.apply import BagOfModels
from dsu_client.compat.demucs.pretrained import load
from dsu_client.compat.demucs.repo import ModelLoadingError
from dsu_client.compat.host import worker
from dsu_client.errors import ModelError

__all__ = ["DemucsProvider", "ModelLoadingError", "list_models"]

OnProgress: TypeAlias = Callable[[str, float], object]
STEMS = ("bass", "drums", "other", "vocals")
LISTED = 10
# Of the whole, when the separation begins and when it is done.
SEPARATING, SAVING = 0.3, 0.8


def list_models() -> list[str]:
    """The names of all Demucs models."""
    return worker().list_models(family="demucs")["models"]


class DemucsProvider:
    """Stems by one model, which is loaded when it is first needed. Without `device`, on the best that there is."""

    def __init__(self, model_name: str = "htdemucs", device: object = None) -> None:
        self.model_name = model_name
        self.device = device
        self._model: BagOfModels | None = None

    @property
    def model(self) -> BagOfModels:
        """The model, loaded; a `ModelLoadingError` names others."""
        if self._model is None:
            try:
                self._model = load(self.model_name, None, self.device)
            except ModelError as error:
                raise ModelLoadingError(_advice(self.model_name, error)) from error
        return self._model

    def clear_model_cache(self) -> None:
        """Free the memory of the model. The next song loads it again."""
        if self._model is not None:
            self._model = None
            worker(self.device).clear_cache()

    def get_stems(
        self,
        identifier: str | PathLike[str],
        output_dir: str | PathLike[str],
        progress_callback: OnProgress | None = None,
    ) -> Path:
        """Separate a song into `output_dir/MODEL/SONG/STEM.wav`, unless that is there, and return the folder."""

        def tell(message: str, share: float) -> None:
            if progress_callback is not None:
                progress_callback(message, share)

        folder = Path(output_dir) / self.model_name / Path(identifier).stem
        if all((folder / f"{stem}.wav").is_file() for stem in STEMS):
            tell("Stems already exist, skipping separation", 1.0)
            return folder
        tell("Loading separation model", 0.1)
        model = self.model
        tell("Loading audio file", 0.2)

        def hear(line: Mapping[str, Any]) -> None:
            if line["status"] == "separating":
                tell("Separating audio sources", SEPARATING)
            elif line["status"] == "progress":
                share = SEPARATING + (SAVING - SEPARATING) * line["percent"] / 100
                tell("Separating audio sources" if share < SAVING else "Saving separated stems", share)

        reply = worker(self.device).separate(
            identifier, output=output_dir, on_line=hear, family="demucs", model=model.name
        )
        tell("Separation complete", 1.0)
        return Path(reply["output_dir"])


def _advice(name: str, error: ModelError) -> str:
    """What is wrong, the names of models, how many there are, and the names that are like this one."""
    if error.code != "unknown_model":
        return str(error)
    names = list_models()
    rest = [f"  ... and {len(names) - LISTED} more"] if len(names) > LISTED else []
    lines = [
        f"Model '{name}' not found.",
        "",
        "Available models:",
        *(f"  - {known}" for known in names[:LISTED]),
        *rest,
    ]
    lines += ["", f"Use list_models() to see all {len(names)} available models."]
    if error.suggestions:
        lines += ["", f"Did you mean: {', '.join(error.suggestions)}?"]
    return "\n".join(lines)
