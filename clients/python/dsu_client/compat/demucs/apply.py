"""`apply_model` and the model that it takes; and the calls that tell how far a separation is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from dsu_client.compat.host import worker
from dsu_client.compat.samples import to_array, to_host

Callback: TypeAlias = Callable[[dict[str, Any]], object]
SAMPLE_RATE = 44100


class BagOfModels:
    """What a program may ask a model, or tell it. All published models work at 44.1 kHz in stereo; so do others here."""

    audio_channels = 2
    samplerate = SAMPLE_RATE

    def __init__(self, name: str, repo: Path | None, sources: list[str], members: int, segment: float) -> None:
        self.name = name
        self.repo = repo
        self.sources = sources
        self.models = [self] * members
        self.weights = [[1.0] * len(sources)] * members
        self.segment = segment
        self.device: object = None

    @property
    def max_allowed_segment(self) -> float:
        """The longest segment in seconds."""
        return self.segment

    def to(self, device: object) -> Self:
        """Use the worker of this device."""
        self.device = device
        return self

    def cuda(self) -> Self:
        """Use the first graphics card."""
        return self.to("cuda")

    def cpu(self) -> Self:
        """Use the processor."""
        return self.to("cpu")

    def eval(self) -> Self:
        """It always is."""
        return self


def apply_model(
    model: BagOfModels,
    mix: Any,
    shifts: int = 1,
    split: bool = True,
    overlap: float = 0.25,
    transition_power: float = 1.0,
    progress: bool = False,
    device: object = None,
    num_workers: int = 0,
    segment: float | None = None,
    pool: object = None,
    lock: object = None,
    callback: Callback | None = None,
    callback_arg: Mapping[str, Any] | None = None,
) -> Any:
    """Separate `(batch, channels, samples)` into `(batch, sources, channels, samples)`.

    Without `split` a segment is as long as the song. The worker takes songs that are normalised or not.
    """
    del transition_power, pool, lock
    outputs = []
    for song in to_array(mix):
        if not split:  # networks whose segments have one length are padded to it by the worker
            seconds = song.shape[-1] / model.samplerate
            segment, overlap = (None if seconds <= model.segment else seconds), 0.0
        steps = Steps(model, song.shape[-1], shifts, overlap, segment, callback, callback_arg, shown=progress)
        stems = worker(device if device is not None else model.device).separate(
            song,
            sample_rate=model.samplerate,
            on_line=steps.hear,
            family="demucs",
            model=model.name,
            repo=None if model.repo is None else str(model.repo),
            shifts=shifts,
            overlap=overlap,
            segment=segment,
            jobs=num_workers,
            output_sample_rate=model.samplerate,
        )
        steps.finish()
        outputs.append(np.stack([stems[name] for name in model.sources]))
    return to_host(np.stack(outputs), like=mix)


class Steps:
    """Tells a callback what demucs would: the start and the end of each segment, of each shift, of each network."""

    def __init__(
        self,
        model: BagOfModels,
        length: int,
        shifts: int,
        overlap: float,
        segment: float | None,
        callback: Callback | None,
        callback_arg: Mapping[str, Any] | None,
        *,
        shown: bool,
    ) -> None:
        stride = max(1, int((1 - overlap) * int(model.samplerate * (segment or model.segment))))
        self._plan = (len(model.models), max(1, shifts), range(0, length, stride))
        self._fixed = {**(callback_arg or {}), "models": len(model.models)}
        self._fixed.setdefault("audio_length", length)
        self._callback = callback
        self._calls = self._all_calls()
        self._made = 0
        self._shown = shown

    def _all_calls(self) -> Iterator[dict[str, Any]]:
        models, shifts, offsets = self._plan
        for index in range(models):
            for shift in range(shifts):
                for offset in offsets:
                    where = {"model_idx_in_bag": index, "shift_idx": shift, "segment_offset": offset}
                    yield {**self._fixed, **where, "state": "start"}
                    yield {**self._fixed, **where, "state": "end"}

    def hear(self, line: Mapping[str, Any]) -> None:
        """A line of the job: make the calls that are due."""
        if line["status"] == "separating":
            self._call(1)
        elif line["status"] == "progress":
            models, shifts, offsets = self._plan
            self._call(int(2 * models * shifts * len(offsets) * line["percent"] / 100))
            if self._shown:
                sys.stderr.write(f"\r{line['percent']:5.1f}%{'' if line['percent'] < 100 else chr(10)}")

    def finish(self) -> None:
        """The job is done: make all calls that are left."""
        models, shifts, offsets = self._plan
        self._call(2 * models * shifts * len(offsets))

    def _call(self, count: int) -> None:
        if self._callback is None:
            return
        while self._made < count:
            self._made += 1
            self._callback(next(self._calls))
