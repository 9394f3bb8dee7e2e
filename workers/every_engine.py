"""The engine of `dsu`: that of dsu-bsroformer, with those of the other families beside it, started when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from utils.core import replies, requests
from utils.core.catalogue import family_of
from utils.core.errors import UnknownModel
from utils.core.job import Job
from utils.core.settings import Settings
from utils.engine.audio_separator import AudioSeparatorEngine
from utils.engine.audiosep import AudioSepEngine
from utils.engine.base import ModelEngine
from utils.engine.bsroformer import NetworkEngine
from utils.engine.demucs import DemucsEngine
from utils.store.listing import list_models
from utils.store.registry import unknown_model


class EveryEngine(NetworkEngine):
    """Networks are its own; a request of another family goes to that family's engine."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._others: dict[str, ModelEngine[Any]] = {}

    def close(self) -> None:
        for other in self._others.values():
            other.close()
        super().close()

    def list_models(self, request: requests.ListModels) -> replies.Models:
        repo = request.repo if isinstance(request, requests.DemucsListModels) else None
        details = list_models("dsu", self.settings.models_dir, Path(repo).expanduser() if repo else None)
        if request.model is not None:
            details = [one for one in details if one.name == request.model] or self._elsewhere(request.model)
        names = [one.name for one in details]
        return replies.Models(models=names, details=details) if request.details else replies.Models(models=names)

    def _elsewhere(self, name: str) -> list[replies.ModelDetails]:
        """A model that has no line in the list: a member of a bag."""
        try:
            found = self._engine("demucs").list_models(requests.DemucsListModels(details=True, model=name))
        except UnknownModel as error:
            names = [one.name for one in list_models("dsu", self.settings.models_dir)]
            raise unknown_model(name, names) from error
        return found.details or []

    def download_model(self, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
        (details,) = self.list_models(requests.ListModels(details=True, model=request.model)).details or []
        family = family_of(details.type)
        if family in ("networks", "apollo"):
            return super().download_model(request, job)
        return self._engine(family).download_model(request, job)

    def separate(
        self, request: requests.Separate, job: Job, *, track: str | None = None, index: int = 1
    ) -> replies.Done:
        if isinstance(request, requests.DemucsSeparate):
            return self._engine("demucs").separate(request, job, track=track, index=index)
        if isinstance(request, requests.AudioSeparatorSeparate | requests.Apollo):
            return self._engine("audio-separator").separate(request, job, track=track, index=index)
        if isinstance(request, requests.AudioSepSeparate):
            return self._engine("audiosep").separate(request, job, track=track, index=index)
        return super().separate(request, job, track=track, index=index)

    def _engine(self, family: str) -> ModelEngine[Any]:
        if family not in self._others:
            kinds: dict[str, Callable[[Settings], ModelEngine[Any]]] = {
                "demucs": DemucsEngine,
                "audio-separator": AudioSeparatorEngine,
                "audiosep": AudioSepEngine,
            }
            self._others[family] = kinds[family](self.settings)
            self._others[family].start()
        return self._others[family]
