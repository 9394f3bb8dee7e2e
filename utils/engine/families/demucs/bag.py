"""A bag of Demucs networks, each read on first use: one stem of a fine-tuned bag needs only one of four networks."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from torch import Tensor

from utils.core.errors import ConfigInvalid, InvalidRequest
from utils.core.job import Job
from utils.core.settings import Arithmetic
from utils.engine.families.demucs.package import DemucsNet, load_net
from utils.store.demucs_models import DemucsSource
from utils.store.records import stands_half


class DemucsBag:
    """The networks of a model; a single network is a bag of one."""

    def __init__(self, source: DemucsSource, job: Job, *, device: str, mapped: bool, allow_unsafe: bool) -> None:
        """`job` is the one that needs the bag: only the first network of a user's own bag says which stems it has."""
        self.source = source
        self._device = device
        self._mapped = mapped
        self._allow_unsafe = allow_unsafe
        self._nets: dict[int, DemucsNet] = {}
        self._lock = threading.Lock()
        if source.record is None:
            self.read([0], job)
        self.stems = tuple(source.record.stems) if source.record is not None else self._nets[0].stems
        self.gains = self._normalised_weights()

    def __len__(self) -> int:
        return len(self.source.members)

    def net(self, member: int) -> DemucsNet:
        """A network of the bag, read and moved to the device on first use."""
        self.read([member], Job())
        return self._nets[member]

    def read(self, members: Iterable[int], job: Job, precision: Arithmetic | None = None) -> None:
        """Make these networks ready to run; with a precision, those that are new do now what their first run would do first."""
        for member in members:
            job.checkpoint()
            with self._lock, job.step("load"):
                if member in self._nets:
                    continue
                path = self.source.members[member]
                net = load_net(
                    path,
                    halves=stands_half(self.source.record),
                    mapped=self._mapped,
                    allow_unsafe=self._allow_unsafe,
                )
                first = next(iter(self._nets.values()), net)
                expected = getattr(self, "stems", net.stems)
                if (net.stems, net.sample_rate, net.channels) != (expected, first.sample_rate, first.channels):
                    raise ConfigInvalid(
                        f"`{net.path.name}` does not belong in the bag `{self.source.name}`: it has the stems "
                        f"{', '.join(net.stems)} at {net.sample_rate} Hz, but the bag needs {', '.join(expected)} at "
                        f"{first.sample_rate} Hz."
                    )
                with job.step("move"):
                    net.backend.move(self._device)
                    if precision is not None:
                        net.backend.prepare(precision)
                self._nets[member] = net

    def counting(self, stems: Sequence[int]) -> list[int]:
        """The members with a weight above zero for any of these stems."""
        return [member for member in range(len(self)) if self.gains[member, list(stems)].any()]

    def segment_s(self, member: int, requested: float | None) -> Fraction:
        """The segment of a member: the request's, otherwise the bag's if the network supports it, otherwise its own."""
        net = self.net(member)
        longest = net.longest_segment_s
        if requested is not None:
            segment = Fraction(requested).limit_denominator(1_000_000)
            if longest is not None and segment > longest:
                raise InvalidRequest(
                    "Cannot use a Transformer model with a longer segment than it was trained for: "
                    f"`{self.source.name}` takes at most {float(longest):g} s; {requested:g} s was requested.",
                    field="segment",
                )
            return segment
        of_bag = self.source.segment_s
        if of_bag is not None and (longest is None or of_bag <= longest):
            return Fraction(of_bag).limit_denominator(1_000_000)
        return net.segment_s

    def move(self, device: str) -> None:
        with self._lock:
            self._device = device
            for net in self._nets.values():
                net.backend.move(device)

    def prepare(self, precision: Arithmetic) -> None:
        with self._lock:
            for net in self._nets.values():
                net.backend.prepare(precision)

    def size_bytes(self) -> int:
        return sum(net.backend.size_bytes() for net in list(self._nets.values()))

    def _normalised_weights(self) -> npt.NDArray[np.float64]:
        """The weight of each member (row) for each stem (column); columns sum to one."""
        shape = (len(self), len(self.stems))
        weights = self.source.weights
        if weights is None:
            return np.full(shape, 1.0 / len(self))
        gains = np.array([tuple(row) for row in weights if len(row) == shape[1]], dtype=np.float64)
        if gains.shape != shape or (gains.sum(axis=0) <= 0).any():
            raise ConfigInvalid(
                f"The weights of the bag `{self.source.name}` do not fit: they need {shape[0]} rows of {shape[1]} "
                "numbers, and a weight above 0 for each stem."
            )
        return np.asarray(gains / gains.sum(axis=0))


class SegmentView:
    """A network of a bag as the chunk loop calls it: with the segment of the request, returning only the needed stems."""

    def __init__(self, net: DemucsNet, segment_samples: int | None, needed: Sequence[int]) -> None:
        self._net = net
        self._segment_samples = segment_samples
        self._needed = None if list(needed) == list(range(len(net.stems))) else list(needed)

    def input_length(self, length: int) -> int:
        return self._net.input_length(length, self._segment_samples)

    def __call__(self, mix: Tensor) -> Tensor:
        stems = self._net.backend(mix)
        return stems if self._needed is None else stems[:, self._needed]
