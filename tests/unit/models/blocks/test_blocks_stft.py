"""Transforms and products of complex numbers given as pairs."""

import pytest
import torch

from models.blocks import stft
from models.blocks.stft import Stft, complex_product


def signal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("window", [torch.hann_window, torch.ones])
@pytest.mark.parametrize("samples", [256, 333])
def test_the_inverse_gives_the_signal_back(window, samples):
    """A signal of any length survives the way to the spectrum and back."""
    transform = Stft(64, 16, 48, window=window, normalized=True)
    mix = signal(2, 3, samples)
    assert float((transform.inverse(transform(mix), samples) - mix).abs().max()) < 1e-5


def test_a_frame_is_the_windowed_fourier_transform():
    """A frame in the middle equals the transform written out."""
    transform = Stft(64, 16)
    mix = signal(256)
    expected = torch.fft.rfft(mix[4 * 16 - 32 : 4 * 16 + 32] * torch.hann_window(64))
    torch.testing.assert_close(torch.complex(*transform(mix)[:, 4].unbind(-1)), expected)


def test_silence_beyond_the_ends():
    """With constant padding the first frame sees silence before the signal, not its mirror image."""
    transform = Stft(64, 16, pad_mode="constant")
    mix = signal(256)
    expected = torch.fft.rfft(torch.cat((torch.zeros(32), mix[:32])) * torch.hann_window(64))
    torch.testing.assert_close(torch.complex(*transform(mix)[:, 0].unbind(-1)), expected)


def test_without_a_length_whole_hops_come_back():
    """The inverse is `hop * (frames - 1)` long unless told otherwise."""
    transform = Stft(64, 16)
    spectrum = transform(signal(250))
    assert spectrum.shape == (33, transform.frames(250), 2)
    assert transform.inverse(spectrum).shape == (240,)


def test_transforms_stay_in_single_precision():
    """Half precision around a transform does not reach it."""
    transform = Stft(64, 16)
    mix = signal(1, 256)
    with torch.autocast("cpu", torch.bfloat16):
        spectrum = transform(mix.bfloat16())
        assert spectrum.dtype == torch.float32
        assert transform.inverse(spectrum.bfloat16()).dtype == torch.float32


def test_a_transform_has_no_entry_in_checkpoints():
    """The window is worked out, never stored, and not lost on the meta device."""
    with torch.device("meta"):
        transform = Stft(64, 16)
    assert not transform.state_dict()
    assert transform(signal(256)).device.type == "cpu"


def test_products_of_parts_equal_complex_products(monkeypatch):
    """Both ways to multiply give the same numbers."""
    a, b = signal(3, 1, 5, 2), signal(4, 5, 2)
    direct = complex_product(a, b)
    monkeypatch.setattr(stft, "COMPLETE_DEVICES", frozenset())
    torch.testing.assert_close(complex_product(a, b), direct)
