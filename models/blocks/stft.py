"""Windowed, centred short-time Fourier transforms, always in single precision.

Spectra are real tensors whose last axis holds the real and the imaginary part, so that no other module has to care
about half precision or devices without complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.blocks.buffers import Derived

# Devices with full support for complex numbers and transforms. Others transform on the CPU and multiply in parts.
COMPLETE_DEVICES = frozenset({"cpu", "cuda"})


class Stft(nn.Module):
    """The transform of a network, and its inverse. It has no entry in the state dict.

    `window` is a function such as `torch.hann_window` (the default; periodic) or `torch.ones` (rectangular). A window
    shorter than `n_fft` is centred in it. `pad_mode` says what is beyond the ends of the signal: `reflect`, its mirror
    image, or `constant`, silence.
    """

    def __init__(
        self,
        n_fft: int,
        hop_samples: int,
        win_samples: int | None = None,
        *,
        normalized: bool = False,
        pad_mode: str = "reflect",
        window: Callable[..., Tensor] = torch.hann_window,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_samples = hop_samples
        self.win_samples = n_fft if win_samples is None else win_samples
        self.normalized = normalized
        self.pad_mode = pad_mode
        self._make_window = window
        self.window = Derived(self._window_on)

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """The number of frames of a signal of `samples` samples."""
        return samples // self.hop_samples + 1

    def forward(self, signal: Tensor) -> Tensor:
        """(..., samples) to (..., bins, frames, 2). In memory, the bins of a frame are contiguous."""
        with _single_precision(signal):
            flat = signal.reshape(-1, signal.shape[-1]).to(_fft_device(signal.device), torch.float32)
            spectrum = torch.stft(
                flat,
                self.n_fft,
                self.hop_samples,
                self.win_samples,
                self.window.get(flat.device),
                pad_mode=self.pad_mode,
                normalized=self.normalized,
                return_complex=True,
            )
        parts = torch.view_as_real(spectrum).to(signal.device)
        return parts.reshape(*signal.shape[:-1], *parts.shape[1:])

    def inverse(self, parts: Tensor, samples: int | None = None) -> Tensor:
        """(..., bins, frames, 2) to (..., samples); without `samples`, `hop_samples * (frames - 1)` of them."""
        with _single_precision(parts):
            flat = parts.reshape(-1, *parts.shape[-3:]).to(_fft_device(parts.device), torch.float32)
            signal = torch.istft(
                torch.complex(flat[..., 0], flat[..., 1]),
                self.n_fft,
                self.hop_samples,
                self.win_samples,
                self.window.get(flat.device),
                normalized=self.normalized,
                length=samples,
            )
        return signal.to(parts.device).reshape(*parts.shape[:-3], -1)

    def _window_on(self, device: torch.device) -> Tensor:
        return self._make_window(self.win_samples, device=device)


def complex_product(a: Tensor, b: Tensor) -> Tensor:
    """The product of two broadcastable single-precision complex tensors, all of them as (..., 2)."""
    if a.device.type in COMPLETE_DEVICES:
        return torch.view_as_real(torch.view_as_complex(a) * torch.view_as_complex(b))
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return torch.stack((real, imaginary), dim=-1)


def _single_precision(tensor: Tensor) -> torch.autocast:
    return torch.autocast(tensor.device.type, enabled=False)


def _fft_device(device: torch.device) -> torch.device:
    return device if device.type in COMPLETE_DEVICES else torch.device("cpu")
