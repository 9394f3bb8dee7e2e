"""MDX networks as the chunk loop runs them: a network that turns the spectrum of a song into that of one stem.

The other stem is what is left of the song. Networks see a song no louder than they were shown songs; what comes out is
made as loud as the song again.
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
from utils.engine.backends.onnx import PARTS, OnnxBackend
from utils.engine.pipeline.blending import SpectrumBlend
from utils.engine.pipeline.chunking import SMALLEST_WEIGHT, ChunkPlan, Window
from utils.engine.pipeline.demix import Lane, Stretch
from utils.engine.pipeline.outputs import Output, Selection
from utils.store.audio_separator_models import AudioSeparatorSource, MdxParameters

SAMPLE_RATE = 44100
HOP = 1024
CHANNELS = 2
ZEROED_BINS = 3  # the lowest ones, which networks were never shown
LOUDEST = 0.9  # peaks of songs as networks see them


@dataclass(frozen=True)
class MdxOptions:
    """What a request may choose. Raises `InvalidRequest` for a value out of its range."""

    segment_size: int | None = None  # frames that the network sees at once; None is its own number
    overlap: float = 0.25  # the part of a chunk that the next one covers too
    denoise: bool = False  # run the network twice, once on the song upside down, so that its own noise cancels
    invert_spectrum: bool = False  # take the stem away from the song bin by bin, not sample by sample

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InvalidRequest(
                f"`mdx_overlap` is a part of a chunk, from 0 to below 1; {self.overlap:g} was asked for.",
                field="mdx_overlap",
            )

    @classmethod
    def of(cls, request: AudioSeparatorSeparate) -> Self:
        return cls(
            segment_size=request.mdx_segment_size,
            overlap=request.mdx_overlap,
            denoise=request.mdx_enable_denoise,
            invert_spectrum=request.invert_spect,
        )


class MdxModel:
    """An MDX network; it is read once for each number of frames that it is asked to look at."""

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
        """The network for spectra of so many frames. Raises `CheckpointInvalid` or `CheckpointMismatch`."""
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
        """What a job that runs the network must say about where it is computed."""
        if self.device == "cpu" or not self.backend(self.parameters.frames).on_cpu:
            return None
        return (
            f"The onnxruntime that is installed cannot use the device `{self.device}`; MDX networks run on the "
            "processor. For NVIDIA graphics cards, install onnxruntime-gpu in its place."
        )

    def size_bytes(self) -> int:
        sizes = [backend.size_bytes() for backend in list(self._backends.values())]
        return sum(sizes) or self.source.path.stat().st_size

    def move(self, device: str) -> None:
        """What is needed there is read again when it is needed."""
        with self._lock:
            self.device = device
            self._backends.clear()


def load_mdx(source: AudioSeparatorSource, *, device: str, threads: int) -> MdxModel:
    """Read an MDX network onto a device. Raises one of the checkpoint errors."""
    parameters = source.parameters
    if not isinstance(parameters, MdxParameters):
        raise CheckpointMismatch(f"`{source.path.name}` is described as something else than an MDX network.")
    if parameters.bins > parameters.n_fft // 2 + 1:
        raise CheckpointMismatch(
            f"`{source.path.name}` cannot have {parameters.bins} of {parameters.n_fft // 2 + 1} bins.",
            hint="`mdx_dim_f_set` and `mdx_n_fft_scale_set` are probably those of two models.",
        )
    model = MdxModel(source, parameters, device=device, threads=threads)
    model.backend(parameters.frames)
    return model


# Chunks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HannPlan(ChunkPlan):
    """Chunks faded by a Hann window, or not at all where they do not overlap. A last one's is as long as what is left.

    What is left ends at `limit`; chunks themselves are never cut.
    """

    limit: int = 0

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
    """The chunks of a song: half a transform of silence before it, and after it what fills the last chunk."""
    chunk, trim = HOP * (frames - 1), n_fft // 2
    whole = chunk - 2 * trim
    if whole < 1:
        raise InvalidRequest(
            f"This network needs an `mdx_segment_size` above {n_fft // HOP + 1}; {frames} was asked for.",
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
    """The lane of a song of so many samples with that peak: one row, the primary stem."""
    frames = options.segment_size or model.parameters.frames
    plan = plan_mdx(samples, n_fft=model.parameters.n_fft, frames=frames, overlap=options.overlap)
    gain = LOUDEST / peak if peak > LOUDEST else 1.0
    return [Lane(MdxView(model, frames, gain, denoise=options.denoise), plan, np.ones(1))]


class MdxView:
    """The primary stem of a chunk."""

    def __init__(self, model: MdxModel, frames: int, gain: float, *, denoise: bool) -> None:
        self._parameters = model.parameters
        self._stft = model.stft
        self._backend = model.backend(frames)
        self._gain = gain
        self._denoise = denoise

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        spectrum = self._spectrum(mix * self._gain)
        stem = self._backend(spectrum)
        if self._denoise:
            stem = (stem - self._backend(-spectrum)) / 2
        return self._samples(stem, mix.shape[-1]) / self._gain

    def _spectrum(self, mix: Tensor) -> Tensor:
        """(batch, 2, samples) to (batch, 4, bins, frames)."""
        whole: Tensor = self._stft(mix)
        parts = whole[..., : self._parameters.bins, :, :].movedim(-1, 2).clone()
        parts[..., :ZEROED_BINS, :] = 0
        return parts.flatten(1, 2)

    def _samples(self, stem: Tensor, length: int) -> Tensor:
        """(batch, 4, bins, frames) to (batch, 1, 2, samples)."""
        parts = torch.unflatten(stem, 1, (CHANNELS, PARTS // CHANNELS)).movedim(2, -1)
        missing = self._stft.bins - self._parameters.bins
        full = torch.nn.functional.pad(parts, (0, 0, 0, 0, 0, missing))
        samples: Tensor = self._stft.inverse(full, length)[:, None]
        return samples


# Stems --------------------------------------------------------------------------------------------------------------


def by_subtraction(selection: Selection, compensation: float) -> Selection:
    """Outputs over both stems, as outputs over the primary stem alone: the other is the song without it."""
    outputs = tuple(_over_primary(output, compensation) for output in selection.outputs)
    return Selection(outputs, (0,))


def _over_primary(output: Output, compensation: float) -> Output:
    primary, other = output.weights
    return Output(output.name, (primary - compensation * other,), output.mix_weight + other)


class InvertedRest:
    """Gives the other stem beside the primary one: the song with the primary stem taken out of every bin.

    Where the stem is louder than the song, the song counts as loud as the stem.
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
        loud = mix.abs()
        direction = torch.where(loud > 0, mix / loud.clamp_min(torch.finfo(loud.dtype).tiny), 1.0)
        rest = torch.maximum(loud, stem.abs()) * direction - stem
        return torch.cat((primary, rest))
