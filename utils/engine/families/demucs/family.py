"""The Demucs family: its models, and how a request runs one (bags, segments, time shifts)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from utils.core import catalogue, replies, requests
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.package_request import PackageLoad, PackageRequest, PackageSeparate
from utils.engine.families.demucs.bag import DemucsBag, SegmentView
from utils.engine.families.demucs.package import DemucsNet
from utils.engine.family import Asked, Host, ModelSource, improvements
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.chunking import plan_triangular, shifted
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.song import Scale
from utils.engine.pipeline.track import Track
from utils.store.demucs_models import (
    WORKER,
    DemucsSource,
    describe_demucs,
    is_demucs,
    list_demucs,
    resolve_demucs,
)
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord

LONGEST_SHIFT_S = 0.5
# What a network without a fixed segment takes for each sample of a song that it is given as a whole, in fp32. Measured:
# 1.4 kB with Hybrid Demucs, up to 2.3 kB with Demucs.
WHOLE_BYTES_PER_SAMPLE = 2500
WITHOUT_SHIFTS = {"mdx_q", "mdx_extra_q"}  # quantised bags, by convention not shifted by default


class DemucsFamily:
    """Models of the demucs package."""

    name = "demucs"
    request_types = (requests.DemucsSeparate, requests.DemucsLoad, PackageSeparate, PackageLoad)

    def __init__(self, host: Host) -> None:
        self._host = host

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        repo = _repo(request)
        if request.model is not None:
            return [describe_demucs(request.model, self._host.registry, self._host.folders, repo)]
        return list_demucs(self._host.registry, self._host.folders, repo, warn)

    def record(self, name: str) -> ModelRecord | None:
        return self._host.registry.find(name, WORKER)

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        """Of the types that it takes, only those of the audio-separator package name models of other families too."""
        del active
        host = self._host
        return model is not None and is_demucs(_plain(model), host.registry, host.folders, self._package_repo)

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[DemucsSource]:
        del job
        if not request.model and self._host.unnamed_is_active and active is not None and active.family == self.name:
            return (cast(DemucsSource, active),)
        is_package = isinstance(request, PackageRequest)
        source = resolve_demucs(
            _plain(request.model) if is_package and request.model else request.model or catalogue.DEFAULT_DEMUCS,
            registry=self._host.registry,
            folders=self._host.folders,
            repo=self._package_repo if is_package else _repo(request),
            offline=self._host.offline,
        )
        return (source,)

    @property
    def _package_repo(self) -> Path | None:
        """The audio-separator package has files of all kinds in one folder."""
        folder = self._host.settings.models_dir
        return folder if folder.is_dir() else None

    def load(self, source: DemucsSource, request: Asked, job: Job) -> DemucsBag:
        """The bag. A load request reads all its networks; otherwise they are read when needed."""
        bag = DemucsBag(
            source, job, device=self._host.device, mapped=self._host.mapped, allow_unsafe=self._host.allow_unsafe
        )
        if isinstance(request, requests.LoadModel):
            bag.read(range(len(bag)), job)
        return bag

    def describe(self, model: DemucsBag, request: Asked) -> dict[str, Any]:
        del model, request
        return {}

    def offer(self, model: DemucsBag, request: requests.Separate) -> Offer:
        if isinstance(request, PackageSeparate):
            return Offer(tuple(stem.capitalize() for stem in model.stems))
        options = cast(requests.DemucsSeparate, request)
        return Offer(model.stems, other_method=options.other_method or "minus", rest_name=options.rest_name)

    def arrange(
        self,
        model: DemucsBag,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        del track
        options = _as_demucs(request)
        members = model.counting(selection.needed)
        model.read(members, job, self._host.precision_for(request))
        segments_s = {member: model.segment_s(member, options.segment_s) for member in members}
        if longest_chunk_s is not None:
            shortened = Fraction(longest_chunk_s).limit_denominator(1_000_000)
            segments_s = {member: min(segment_s, shortened) for member, segment_s in segments_s.items()}
        by_network = options.segment_s is None and longest_chunk_s is None
        whole = not options.split and longest_chunk_s is None
        longest_s = float(max(segments_s.values()))
        if whole and options.bigshifts > 1:
            raise InvalidRequest(
                "`bigshifts` lets segments begin elsewhere, but with `split` false there is only one.",
                hint="Leave out one of them; `shifts` moves a whole song.",
                field="bigshifts",
            )
        shifts = options.shifts if options.shifts is not None else int(model.source.name not in WITHOUT_SHIFTS)
        first = model.net(members[0])

        def lanes(heard: Heard) -> list[Lane]:
            """One lane per needed member and time shift."""
            chance = random.Random(options.seed)  # noqa: S311  # repeatable on purpose
            scale = Scale.of(heard.stats)
            found: list[Lane] = []
            frames = heard.stats.frames
            for member in members:
                net = model.net(member)
                chunk, overlap = max(1, int(segments_s[member] * net.sample_rate)), options.overlap
                if whole and frames > chunk and self._takes_whole(net, frames, job):
                    chunk, overlap = frames + int(LONGEST_SHIFT_S * net.sample_rate), 0.0
                view = SegmentView(net, None if by_network else chunk, selection.needed)
                gains = model.gains[member, list(selection.needed)] / (max(1, shifts) * options.bigshifts)
                longest = int(LONGEST_SHIFT_S * net.sample_rate)
                for origin in [-chance.randint(0, longest) for _ in range(shifts)] or [0]:
                    plan = plan_triangular(frames, chunk=chunk, overlap=overlap, origin=origin)
                    found += [Lane(view, each, gains, scale=scale) for each in shifted(plan, options.bigshifts)]
            return found

        compute = self._host.compute(
            options, first.backend, workers=max(1, options.jobs if self._host.device == "cpu" else 0)
        )
        return Arrangement(
            model=model.source.name,
            sample_rate=first.sample_rate,
            channels=first.channels,
            selection=selection.narrowed(),
            lanes=lanes,
            compute=compute,
            settings={
                "shifts": shifts,
                "overlap": options.overlap,
                "segment": longest_s,
                "batch_size": compute.batch_size,
                "seed": options.seed,
                "networks": len(members),
                **improvements(options),
            },
            normalises=True,
            fits_length=whole,
            # Networks with a fixed segment cannot use a shorter one. From a whole song it is one step to segments.
            chunk_s=None if all(model.net(member).longest_segment_s for member in members) else longest_s * (1 + whole),
        ).pitched(options.pitch_shift)

    def _takes_whole(self, net: DemucsNet, frames: int, job: Job) -> bool:
        """Whether a network can be given a song at once. Where it cannot, the user is told why."""
        if net.longest_segment_s is not None:
            job.warn(
                f"The song is separated in segments: this network takes at most {float(net.longest_segment_s):g} s at once."
            )
            return False
        needed, free = frames * WHOLE_BYTES_PER_SAMPLE, self._host.free_bytes
        if needed > free:
            job.warn(
                f"The song is separated in segments: at once it would need about {needed / 1e9:.1f} GB of memory, but only "
                f"{free / 1e9:.1f} GB are free."
            )
            return False
        return True


def _plain(name: str) -> str:
    """The audio-separator package names bags after their files."""
    return name.removesuffix(".yaml")


def _as_demucs(request: requests.Separate) -> requests.DemucsSeparate:
    """The request as one of this family."""
    if isinstance(request, PackageSeparate):
        shared = {name: getattr(request, name) for name in requests.Separate.__struct_fields__}
        return requests.DemucsSeparate(
            **shared,
            shifts=request.demucs_shifts,
            overlap=request.demucs_overlap,
            segment=request.demucs_segment_s,
            split=request.demucs_split,
            bigshifts=request.bigshifts,
            pitch_shift=request.pitch_shift,
        )
    return cast(requests.DemucsSeparate, request)


def _repo(request: Asked | requests.ListModels) -> Path | None:
    repo = getattr(request, "repo", None)  # only requests of dsu-demucs have one
    return Path(repo).expanduser() if repo else None
