"""The engine of `dsu-demucs`: bags of Demucs networks, time shifts, segments.

A bag's networks are read when they are first needed, so a job that wants one stem of a fine-tuned bag reads and runs
one network of four.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from utils.core import replies, requests
from utils.core.errors import ConfigInvalid, InvalidRequest
from utils.core.job import Job
from utils.engine import separation
from utils.engine.base import ModelEngine
from utils.engine.chunking import plan_triangular
from utils.engine.demix import Compute, Lane
from utils.engine.demucs_nets import DemucsNet, SegmentView, load_net
from utils.engine.resume import ModelStamp, stamp_model
from utils.engine.separation import Loaded, Recipe
from utils.engine.song import Scale
from utils.engine.stems import Selection, select
from utils.store.demucs_models import DemucsSource, describe_demucs, list_demucs, resolve_demucs

DEFAULT_MODEL = "htdemucs"
TEMPLATE = "{model}/{track}/{stem}"
LONGEST_SHIFT_S = 0.5
SHORTEST_SEGMENT_S = 1.0
WITHOUT_SHIFTS = {"mdx_q", "mdx_extra_q"}  # quantised bags: by custom not shifted unless asked


class DemucsModel:
    """A bag of networks; a single network is a bag of one."""

    def __init__(
        self, resolved: DemucsSource, identifier: str, *, device: str, mapped: bool, allow_unsafe: bool
    ) -> None:
        self.name = resolved.name
        self.identifier = identifier
        self._resolved = resolved
        self._device = device
        self._mapped = mapped
        self._allow_unsafe = allow_unsafe
        self._nets: dict[int, DemucsNet] = {}
        self._lock = threading.Lock()
        self.stems: tuple[str, ...] = self._stems_of_record() or self.net(0).stems
        self.gains = self._gains()

    def __len__(self) -> int:
        return len(self._resolved.members)

    def net(self, member: int) -> DemucsNet:
        """A network of the bag, read and moved to the device when it is first asked for."""
        with self._lock:
            if member not in self._nets:
                path = self._resolved.members[member]
                net = load_net(path, mapped=self._mapped, allow_unsafe=self._allow_unsafe).to(self._device)
                self._check(net)
                self._nets[member] = net
            return self._nets[member]

    def segment_s(self, member: int, asked: float | None) -> Fraction:
        """The segment of a member: the request's, else the bag's where the network can take it, else its own."""
        net = self.net(member)
        longest = net.longest_segment_s
        if asked is not None:
            segment = Fraction(asked).limit_denominator(1_000_000)
            if longest is not None and segment > longest:
                raise InvalidRequest(
                    f"`{self.name}` cannot look at segments longer than {float(longest):g} s; {asked:g} s was asked for.",
                    field="segment",
                )
            return segment
        of_bag = self._resolved.segment_s
        if of_bag is not None and (longest is None or of_bag <= longest):
            return Fraction(of_bag).limit_denominator(1_000_000)
        return net.segment_s

    def move(self, device: str) -> None:
        with self._lock:
            self._device = device
            for net in self._nets.values():
                net.to(device)

    @property
    def networks_read(self) -> int:
        return len(self._nets)

    def size_bytes(self) -> int:
        return sum(net.size_bytes() for net in list(self._nets.values()))

    def _stems_of_record(self) -> tuple[str, ...]:
        record = self._resolved.record
        return tuple(record.stems) if record is not None else ()

    def _gains(self) -> npt.NDArray[np.float64]:
        """What each member (row) counts for each stem (column); columns sum to one."""
        shape = (len(self), len(self.stems))
        weights = self._resolved.weights
        if weights is None:
            return np.full(shape, 1.0 / len(self))
        gains = np.array([tuple(row) for row in weights if len(row) == shape[1]], dtype=np.float64)
        if gains.shape != shape or (gains.sum(axis=0) <= 0).any():
            raise ConfigInvalid(
                f"The weights of the bag `{self.name}` do not fit: {shape[0]} rows of {shape[1]} numbers are needed, "
                "and each stem needs a weight above 0."
            )
        return np.asarray(gains / gains.sum(axis=0))

    def _check(self, net: DemucsNet) -> None:
        first = next(iter(self._nets.values()), net)
        expected = getattr(self, "stems", net.stems)
        if (net.stems, net.sample_rate, net.channels) != (expected, first.sample_rate, first.channels):
            raise ConfigInvalid(
                f"`{net.path.name}` does not belong in the bag `{self.name}`: it gives {', '.join(net.stems)} "
                f"at {net.sample_rate} Hz, and {', '.join(expected)} at {first.sample_rate} Hz is needed."
            )


@dataclass(frozen=True)
class Numbers:
    """The numbers of one request, resolved against its model."""

    shifts: int
    overlap: float
    segment_s: float | None
    seed: int


class DemucsEngine(ModelEngine[DemucsModel]):
    """Separates with Demucs models."""

    worker = "demucs"

    def list_models(self, request: requests.ListModels) -> replies.Models:
        repo = _repo(request)
        if request.model is not None:
            details = [describe_demucs(request.model, self.registry, self.folders, repo)]
        else:
            details = list_demucs(self.registry, self.folders, repo)
        names = [entry.name for entry in details]
        return replies.Models(models=names, details=details) if request.details else replies.Models(models=names)

    def _separate(self, request: requests.Separate, job: Job, *, track: str | None, index: int) -> replies.Done:
        if not isinstance(request, requests.DemucsSeparate):
            raise InvalidRequest("dsu-demucs needs a request of its own kind.")
        resolved = self._resolve(request.model, _repo(request))
        cached = self.cache.get(_identifier(resolved))
        had = cached.networks_read if cached is not None else 0
        started = time.perf_counter()
        if cached is None:
            job.announce(replies.LoadingModel(model=resolved.name))
        model = cached or self._new_model(resolved)
        selection = select(
            model.stems, stems=request.stems, two_stems=request.two_stems, other_method=request.other_method
        )
        needed = _members_needed(model, selection)
        self._read_networks(model, needed, job)
        self.cache.activate(model)
        from_cache = cached is not None and model.networks_read == had
        loaded = Loaded(seconds=time.perf_counter() - started, from_cache=from_cache)
        recipe = self._recipe(request, model, selection, needed, _numbers(request, model))
        return separation.separate(request, recipe, loaded, job, track=track, index=index)

    def _stamps(self, request: requests.Separate, job: Job) -> list[ModelStamp]:
        resolved = self._resolve(request.model, _repo(request))
        told = (resolved.weights, resolved.segment_s)
        return [
            stamp_model(resolved.name, resolved.members, resolved.record, told=told, checkpoint=job.checkpoint),
        ]

    # Models ------------------------------------------------------------------------------------------------------

    def _identify(self, request: requests.LoadModel) -> tuple[str, str]:
        resolved = self._resolve(request.model, _repo(request))
        return resolved.name, _identifier(resolved)

    def _load(self, request: requests.LoadModel, job: Job) -> DemucsModel:
        model = self._new_model(self._resolve(request.model, _repo(request)))
        self._read_networks(model, range(len(model)), job)
        return model

    def _read_networks(self, model: DemucsModel, members: Iterable[int], job: Job) -> None:
        """Read the networks that a job needs and a bag still lacks, then keep the bag."""
        for member in members:
            job.checkpoint()
            model.net(member)
        self.cache.put(model)

    def _new_model(self, resolved: DemucsSource) -> DemucsModel:
        return DemucsModel(
            resolved,
            _identifier(resolved),
            device=self.device,
            mapped=self.mapped,
            allow_unsafe=self.settings.allow_unsafe_checkpoints,
        )

    def _resolve(self, name: str | None, repo: Path | None) -> DemucsSource:
        return resolve_demucs(
            name or DEFAULT_MODEL,
            registry=self.registry,
            folders=self.folders,
            repo=repo,
            offline=self.settings.offline,
        )

    # Recipes -----------------------------------------------------------------------------------------------------

    def _recipe(
        self,
        request: requests.DemucsSeparate,
        model: DemucsModel,
        selection: Selection,
        needed: Sequence[int],
        numbers: Numbers,
    ) -> Recipe:
        first = model.net(needed[0])
        workers = request.jobs if self.device == "cpu" else 0
        segments = {float(model.segment_s(member, numbers.segment_s)) for member in needed}

        def shorter() -> Recipe | None:
            half = max(segments) / 2
            if half < SHORTEST_SEGMENT_S or all(model.net(member).longest_segment_s for member in needed):
                return None
            return self._recipe(request, model, selection, needed, replace(numbers, segment_s=half))

        return Recipe(
            model=model.name,
            sample_rate=first.sample_rate,
            channels=first.channels,
            selection=selection.narrowed(),
            template=TEMPLATE,
            compute=Compute(
                device=self.device,
                threads=self.threads,
                batch_size=request.batch_size or 1,
                precision=request.precision,
                workers=max(1, workers),
            ),
            lanes=lambda total, scale: _lanes(model, selection, needed, numbers, total, scale),
            settings={
                "shifts": numbers.shifts,
                "overlap": numbers.overlap,
                "segment": max(segments),
                "batch_size": request.batch_size or 1,
                "seed": numbers.seed,
                "networks": len(needed),
            },
            free_memory=lambda: self.cache.keep_only(model.identifier),
            shorter=shorter,
        )


def _repo(request: requests.Request) -> Path | None:
    repo = getattr(request, "repo", None)  # a request that is not of this worker's own kind has none
    return Path(repo).expanduser() if repo else None


def _numbers(request: requests.DemucsSeparate, model: DemucsModel) -> Numbers:
    shifts = request.shifts
    if shifts is None:
        shifts = 0 if model.name in WITHOUT_SHIFTS else 1
    return Numbers(shifts=shifts, overlap=request.overlap, segment_s=request.segment_s, seed=request.seed)


def _members_needed(model: DemucsModel, selection: Selection) -> list[int]:
    """The members that count for any needed stem."""
    columns = list(selection.needed)
    return [i for i in range(len(model)) if model.gains[i, columns].any()]


def _identifier(resolved: DemucsSource) -> str:
    """A model of the same name in another folder, or with other files, is another model."""
    return f"{resolved.name}@{resolved.members[0].parent}" if resolved.record is None else resolved.name


def _lanes(
    model: DemucsModel, selection: Selection, members: Sequence[int], numbers: Numbers, total: int, scale: Scale
) -> list[Lane]:
    """One lane for each needed member and each of its time shifts."""
    chance = random.Random(numbers.seed)  # noqa: S311  # repeatable on purpose
    lanes: list[Lane] = []
    for member in members:
        net = model.net(member)
        chunk = max(1, int(model.segment_s(member, numbers.segment_s) * net.sample_rate))
        view = SegmentView(net, chunk if numbers.segment_s is not None else None, selection.needed)
        gains = model.gains[member, list(selection.needed)] / max(1, numbers.shifts)
        longest = int(LONGEST_SHIFT_S * net.sample_rate)
        origins = [-chance.randint(0, longest) for _ in range(numbers.shifts)] or [0]
        lanes += [
            Lane(
                view,
                plan_triangular(total, chunk=chunk, overlap=numbers.overlap, origin=origin),
                gains.astype(np.float32),
                scale=scale,
            )
            for origin in origins
        ]
    return lanes
