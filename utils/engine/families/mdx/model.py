"""MDX networks as the chunk loop calls them: each turns the STFT of a song into that of one stem.

The other stem is the rest of the song. Songs louder than the training data are attenuated for the network, and its
output is brought back to the level of the song.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.blocks.stft import Stft
from utils.core.errors import CheckpointMismatch, InvalidRequest
from utils.core.requests import AudioSeparatorSeparate
from utils.core.settings import Arithmetic
from utils.engine.backends.onnx import PARTS, OnnxBackend
from utils.engine.pipeline.blending import SpectrumBlend
from utils.engine.pipeline.chunking import SMALLEST_WEIGHT, ChunkPlan, Window, shifted
from utils.engine.pipeline.demix import Lane, Stretch
from utils.engine.pipeline.outputs import Output, Selection
from utils.store.audio_separator_models import AudioSeparatorSource, MdxParameters

SAMPLE_RATE = 44100
HOP = 1024
CHANNELS = 2
ZEROED_BINS = 3  # the lowest bins, which networks were not trained on
LOUDEST = 0.9  # the highest peak that networks are given, unless a request says another


@dataclass(frozen=True)
class MdxOptions:
    """The options of a request. Raises `InvalidRequest` for values out of range."""

    segment_size: int | None = None  # frames per pass of the network; None is the network's own size
    overlap: float = 0.25  # the fraction of a chunk that the next one covers too
    denoise: bool = False  # run the network twice, once with inverted polarity, so that its own noise cancels
    invert_spectrum: bool = False  # subtract the stem from the song per STFT bin, not per sample
    shifts: int = 1  # separations whose chunks begin at different places
    loudest: float = LOUDEST  # the highest peak that the network is given

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InvalidRequest(
                f"`mdx_overlap` is a fraction of a chunk, from 0 to below 1, but {self.overlap:g} was given.",
                field="mdx_overlap",
            )

    @classmethod
    def of(cls, request: AudioSeparatorSeparate) -> Self:
        return cls(
            segment_size=request.mdx_segment_size,
            overlap=request.mdx_overlap,
            denoise=request.mdx_enable_denoise,
            invert_spectrum=request.invert_spect,
            shifts=request.bigshifts,
            loudest=LOUDEST if request.level is None else request.level.highest,
        )


class MdxModel:
    """An MDX network. It is read once for each number of frames that requests use."""

    channels = CHANNELS
    sample_rate = SAMPLE_RATE

    def __init__(self, source: AudioSeparatorSource, parameters: MdxParameters, *, device: str, threads: int) -> None:
        self.source = source
        self.stems = source.stems
        self.parameters = parameters
        self.device = device
        self.stft = Stft(parameters.n_fft, HOP)
        self._threads = threads
        self._backends: dict[int, OnnxBackend] = {}
        self._lock = threading.Lock()

    def backend(self, frames: int) -> OnnxBackend:
        """The network for spectra with this number of frames. Raises `CheckpointInvalid` or `CheckpointMismatch`."""
        with self._lock:
            if frames not in self._backends:
                self._backends[frames] = OnnxBackend(
                    self.source.path,
                    bins=self.parameters.bins,
                    frames=frames,
                    own_frames=self.parameters.frames,
                    device=self.device,
                    threads=self._threads,
                )
            return self._backends[frames]

    @property
    def warning(self) -> str | None:
        """A warning for the user if the network cannot run on the worker's device."""
        if self.device == "cpu" or not self.backend(self.parameters.frames).on_cpu:
            return None
        return (
            f"The installed onnxruntime cannot use the device `{self.device}`, so MDX networks run on the CPU. For "
            "NVIDIA graphics cards, install onnxruntime-gpu in its place."
        )

    def size_bytes(self) -> int:
        sizes = [backend.size_bytes() for backend in list(self._backends.values())]
        return sum(sizes) or self.source.path.stat().st_size

    def move(self, device: str) -> None:
        """Networks are read again on the new device when they are needed."""
        with self._lock:
            self.device = device
            self._backends.clear()

    def prepare(self, precision: Arithmetic) -> None:
        """Nothing: networks are read when they are needed, in the precision of their files."""


def load_mdx(source: AudioSeparatorSource, *, device: str, threads: int) -> MdxModel:
    """Read an MDX network onto a device. Raises one of the checkpoint errors."""
    parameters = source.parameters
    if not isinstance(parameters, MdxParameters):
        raise CheckpointMismatch(f"The parameters of `{source.path.name}` are not those of an MDX network.")
    if parameters.bins > parameters.n_fft // 2 + 1:
        raise CheckpointMismatch(
            f"`{source.path.name}` cannot use {parameters.bins} of {parameters.n_fft // 2 + 1} bins.",
            hint="`mdx_dim_f_set` and `mdx_n_fft_scale_set` probably belong to different models.",
        )
    model = MdxModel(source, parameters, device=device, threads=threads)
    model.backend(parameters.frames)
    return model


# Chunks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HannPlan(ChunkPlan):
    """Chunks with a Hann window, or a rectangular one if they do not overlap.

    The windows of the last chunks end at `limit`; chunks themselves are never cut off.
    """

    limit: int = 0

    def certain_from(self, index: int) -> int:
        reach = (self.chunk - 1) // self.hop
        return super().certain_from(index + reach)  # the windows of the last chunks are others

    def weights(self, index: int) -> Window:
        own = self[index]
        total = np.zeros(own.length)
        reach = (self.chunk - 1) // self.hop
        for other in range(max(0, index - reach), min(len(self), index + reach + 1)):
            offset = (other - index) * self.hop
            fade = self._fade(other)
            low, high = max(0, offset), min(own.length, offset + len(fade))
            if high > low:
                total[low:high] += fade[low - offset : high - offset]
        fade = np.pad(self._fade(index), (0, own.length - len(self._fade(index))))
        weights: Window = np.divide(fade, total, out=np.zeros_like(fade), where=total > 0).astype(np.float32)
        return weights

    def _fade(self, index: int) -> npt.NDArray[np.float64]:
        length = min(self.chunk, self.limit - self[index].start)
        if self.hop == self.chunk:
            return np.ones(length)
        return np.maximum(np.hanning(length), SMALLEST_WEIGHT)


def plan_mdx(samples: int, *, n_fft: int, frames: int, overlap: float) -> HannPlan:
    """The chunks of a song, padded with half an STFT frame of silence before it, and after it up to a whole chunk."""
    chunk, trim = HOP * (frames - 1), n_fft // 2
    whole = chunk - 2 * trim
    if whole < 1:
        raise InvalidRequest(
            f"This network needs an `mdx_segment_size` above {n_fft // HOP + 1}, but {frames} was given.",
            field="mdx_segment_size",
        )
    step = max(1, int((1 - overlap) * chunk))
    return HannPlan(
        origin=-trim,
        end=samples + 2 * chunk,
        chunk=chunk,
        hop=step,
        window=np.ones(chunk, dtype=np.float32),
        starts_before=samples,
        limit=samples + whole + trim - samples % whole,
    )


def mdx_lanes(model: MdxModel, options: MdxOptions, *, samples: int, peak: float) -> list[Lane]:
    """The lanes of a song with this length and peak: one row, the primary stem."""
    frames = options.segment_size or model.parameters.frames
    plan = plan_mdx(samples, n_fft=model.parameters.n_fft, frames=frames, overlap=options.overlap)
    gain = options.loudest / peak if peak > options.loudest else 1.0
    view = MdxView(model, frames, gain, denoise=options.denoise)
    return [Lane(view, each, np.full(1, 1.0 / options.shifts)) for each in shifted(plan, options.shifts)]


class MdxView:
    """The network as the chunk loop calls it: from samples to the primary stem, through an STFT."""

    def __init__(self, model: MdxModel, frames: int, gain: float, *, denoise: bool) -> None:
        self._parameters = model.parameters
        self._stft = model.stft
        self._backend = model.backend(frames)
        self._gain = gain
        self._denoise = denoise

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        bins = self._parameters.bins
        # (batch, 2, samples) to (batch, 4, bins, frames)
        parts = self._stft(mix * self._gain)[..., :bins, :, :].movedim(-1, 2).clone()
        parts[..., :ZEROED_BINS, :] = 0
        spectrum = parts.flatten(1, 2)
        stem = self._backend(spectrum)
        if self._denoise:
            stem = (stem - self._backend(-spectrum)) / 2
        # (batch, 4, bins, frames) to (batch, 1, 2, samples)
        parts = torch.unflatten(stem, 1, (CHANNELS, PARTS // CHANNELS)).movedim(2, -1)
        full = torch.nn.functional.pad(parts, (0, 0, 0, 0, 0, self._stft.bins - bins))
        samples: Tensor = self._stft.inverse(full, mix.shape[-1])[:, None]
        return samples / self._gain


# Stems --------------------------------------------------------------------------------------------------------------


def by_subtraction(selection: Selection, compensation: float) -> Selection:
    """Express outputs over both stems in terms of the primary stem only: the other stem is the song minus it."""
    outputs = []
    for output in selection.outputs:
        primary, other = output.weights
        outputs.append(Output(output.name, (primary - compensation * other,), output.mix_weight + other))
    return Selection(tuple(outputs), (0,))


class InvertedRest:
    """A blend that adds the other stem to the primary one: the song with the primary stem subtracted in every STFT bin.

    In bins where the stem is louder than the song, the song is raised to the level of the stem first.
    """

    def __init__(self, compensation: float) -> None:
        self._compensation = compensation
        self._blend = SpectrumBlend(2, self._both)

    def push(self, stretch: Stretch) -> Iterable[Stretch]:
        mix = torch.from_numpy(stretch.mix)[None]
        return self._blend.push(Stretch(stretch.start, torch.cat((mix, stretch.rows)), stretch.mix))

    def finish(self) -> Iterable[Stretch]:
        return self._blend.finish()

    def _both(self, values: Tensor) -> Tensor:
        mix, primary = values[0], values[1]
        stem = primary * self._compensation
        magnitude = mix.abs()
        phase = torch.where(magnitude > 0, mix / magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny), 1.0)
        rest = torch.maximum(magnitude, stem.abs()) * phase - stem
        return torch.cat((primary, rest))
