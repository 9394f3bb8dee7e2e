"""An MDX network as a function of spectra, on the available device.

Public files fix the number of frames that their network takes, although most networks could process any number. To run
another number, the fixed dimension is removed from the file's bytes, and the runtime finds out whether the network copes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.core.errors import CheckpointInvalid, CheckpointMismatch, InvalidRequest
from utils.core.job import current_job
from utils.core.settings import Arithmetic
from utils.engine.backends.onnx_session import ON_CPU, open_network, raise_for_device

SpectrumBatch = npt.NDArray[
    np.float32
]  # (batch, 4, bins, frames): left real, left imaginary, right real, right imaginary

PARTS = 4


class OnnxBackend:
    """An MDX network in the runtime, for spectra of one shape. The runtime cannot move it, so `move` reads it again."""

    halves = False

    def __init__(
        self,
        path: Path,
        *,
        bins: int,
        frames: int,
        own_frames: int,
        device: str,
        threads: int,
    ) -> None:
        self._path = path
        self._bins = bins
        self._frames = frames
        self._changed = frames != own_frames
        self._device = device
        self._threads = threads
        self._session: Any = None
        self._open()

    @property
    def on_cpu(self) -> bool:
        """Does the network run on the CPU, by choice or because the runtime supports nothing else?"""
        return bool(self._open().get_providers()[0] == ON_CPU)

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The output for spectra (batch, 4, bins, frames), which run one by one if the file allows no larger batch."""
        (spectra,) = inputs
        output = torch.from_numpy(self._run(np.ascontiguousarray(spectra.cpu().numpy())))
        return output.to(spectra.device, **options)

    def size_bytes(self) -> int:
        """The size of the file, which is mostly weights: the runtime does not report its memory."""
        return self._path.stat().st_size

    def move(self, device: str) -> None:
        self._device = device
        self._session = None

    def prepare(self, precision: Arithmetic) -> None:
        """Nothing: the file decides."""

    def _open(self) -> Any:
        if self._session is None:
            session = open_network(
                self._path,
                (1, PARTS, self._bins, self._frames),
                freed=self._changed,
                device=self._device,
                threads=self._threads,
            )
            expected, found = (PARTS, self._bins, self._frames), session.get_inputs()[0].shape[1:]
            if len(found) != len(expected) or any(
                isinstance(size, int) and size != other for size, other in zip(found, expected, strict=True)
            ):
                raise CheckpointMismatch(
                    f"`{self._path.name}` takes spectra of {found[-2:]} bins and frames, not of {list(expected[-2:])}.",
                    hint="`mdx_dim_f_set` and `mdx_dim_t_set` (a power of two) probably belong to another model.",
                )
            self._session = session
        return self._session

    def _run(self, spectra: SpectrumBatch) -> SpectrumBatch:
        session = self._open()
        node = session.get_inputs()[0]
        if isinstance(node.shape[0], int) and len(spectra) > 1:
            return np.concatenate([self._run(spectra[index : index + 1]) for index in range(len(spectra))])
        import onnxruntime

        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            with current_job().stopped_by(stop):
                output: SpectrumBatch = session.run(None, {node.name: spectra}, options)[0]
        except Exception as error:
            text = str(error)
            raise_for_device(error)
            raise self._failure(text.splitlines()[0][:200]) from error
        if output.shape != spectra.shape:
            raise self._failure(f"its output has shape {output.shape}, its input {spectra.shape}")
        return output

    def _failure(self, reason: str) -> Exception:
        if self._changed:
            return InvalidRequest(
                f"`{self._path.name}` cannot process {self._frames} frames at once: {reason}.",
                hint="Leave out `mdx_segment_size`; the network's own size always works.",
                field="mdx_segment_size",
            )
        return CheckpointInvalid(f"`{self._path.name}` cannot be run: {reason}.")
