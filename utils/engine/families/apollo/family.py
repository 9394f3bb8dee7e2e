"""The Apollo family: seamless restoration of a song, for all commands that use it.

The network works in frames, with a known context on either side. Chunks therefore start on the grid of frames and get
exactly that context, up to the ends of the song: their sum equals one pass over the whole song.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from utils.core import catalogue, replies, requests
from utils.core.asked_networks import choice_of
from utils.core.errors import InvalidRequest, ModelNotInstalled
from utils.core.job import Job
from utils.engine.families.apollo.model import ApolloFiles, ApolloModel, ApolloView, load_apollo
from utils.engine.family import Asked, Host, ModelSource
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.chunking import plan_on_grid
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Complement, Offer, Selection
from utils.engine.pipeline.track import STEREO, Track
from utils.store.network_models import WORKER, NetworkSource, resolve_network
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord

ADDITION = Complement(catalogue.ADDITION, (0,), reversed=True)


class ApolloFamily:
    """Apollo networks. The networks family lists those in the registry and the models directory."""

    name = "apollo"
    request_types = (requests.Apollo, requests.LoadApollo)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        """Nothing: Apollo networks share a folder with the separation networks, whose family lists both."""
        del request, warn
        return []

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        del model, active
        return True

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        """The network whose files or whose name the request gives."""
        del active, job
        options = cast(requests.Apollo | requests.LoadApollo, request)
        if options.model_path:
            path = Path(options.model_path).expanduser()
            if not path.is_file():
                raise ModelNotInstalled(f"The checkpoint `{path}` does not exist.", field="model_path")
            return (ApolloFiles(path, Path(options.config_path).expanduser() if options.config_path else None),)
        name = choice_of(requests.NetworkLoad(model=options.model, config_path=options.config_path))
        if not isinstance(name, str):
            raise InvalidRequest(
                "`apollo` needs a network: give its checkpoint in `model_path` or its name in `model`.",
                field="model_path",
            )
        source = resolve_network(
            name, registry=self._host.registry, folders=self._host.folders, offline=self._host.offline
        )
        if source.family != self.name:
            raise InvalidRequest(f"`{name}` is not an Apollo network; use it with `separate`.", field="model")
        return (source,)

    def load(self, source: NetworkSource | ApolloFiles, request: Asked, job: Job) -> ApolloModel:
        del request
        model = load_apollo(
            source,
            source.checkpoint,
            source.config,
            mapped=self._host.mapped,
            allow_unsafe=self._host.allow_unsafe,
        )
        with job.step("move"):
            model.move(self._host.device)
        return model

    def describe(self, model: ApolloModel, request: Asked) -> dict[str, Any]:
        if not isinstance(request, requests.LoadApollo):
            return {}
        model.require(request.feature_dim, request.layer)
        return {"type": self.name, "feature_dim": model.sizes.feature_dim, "layer": model.sizes.layer}

    def offer(self, model: ApolloModel, request: requests.Separate) -> Offer:
        options = _as_apollo(request)
        model.require(options.feature_dim, options.layer)
        return Offer(model.stems, ADDITION, with_complement=options.addition)

    def arrange(
        self,
        model: ApolloModel,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        del job
        options = _as_apollo(request)
        chunk_s = min(options.chunk_seconds, longest_chunk_s or options.chunk_seconds)
        rate = model.sample_rate
        channels = track.channels_in(request.audio_format)
        if not isinstance(request, requests.Apollo):  # `separate` gives at most two channels, whatever the network
            channels = min(channels, STEREO)

        def lanes(heard: Heard) -> list[Lane]:
            plan = plan_on_grid(
                heard.stats.frames,
                chunk=round(chunk_s * rate),
                fade=round(options.chunk_overlap * rate),
                grid=model.grid,
            )
            return [Lane(ApolloView(model), plan, np.ones(1), bounded=True)]

        compute = self._host.compute(options, model.backend)
        return Arrangement(
            model=model.source.name,
            sample_rate=rate,
            channels=channels,
            selection=selection,
            main=catalogue.RESTORED,
            lanes=lanes,
            compute=compute,
            settings={
                "chunk_seconds": chunk_s,
                "chunk_overlap": options.chunk_overlap,
                "batch_size": compute.batch_size,
                "feature_dim": model.sizes.feature_dim,
                "layer": model.sizes.layer,
            },
            chunk_s=chunk_s,
        )


def _as_apollo(request: requests.Separate) -> requests.Apollo:
    """The request as an `apollo` request. The options of `separate` for chunks and the complement mean the same here."""
    if isinstance(request, requests.Apollo):
        return request
    for field, usual in (("bigshifts", 1), ("pitch_shift", 0)):
        if getattr(request, field, usual) != usual:
            raise InvalidRequest(
                f"`{field}` is for networks that separate; this one restores, whatever its chunks.", field=field
            )
    chunk_s = getattr(request, "chunk_seconds", None)
    return requests.Apollo(
        batch_size=request.batch_size,
        precision=request.precision,
        addition=getattr(request, "extract_instrumental", False),
        **({} if chunk_s is None else {"chunk_seconds": chunk_s}),
    )
