"""How a device computes: each kind of network on it, beside the processor in single precision. Runs in a child process.

A driver that is broken may take the process along that asks, also where it is only asked which cards there are. So nothing here
runs in the worker itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from models.architectures import OWN, network_class, params_class
from models.blocks.stft import Stft
from utils import cards
from utils import device as devices
from utils.core.settings import Arithmetic
from utils.engine.backends import Overflow
from utils.engine.backends.onnx_session import provider_in_use
from utils.engine.backends.torch import TorchBackend

SAMPLES = 4096
# How far below the result the difference may lie: of the same arithmetic in another order, and of half precision.
LEAST_DB = {"fp32": 60.0, "fp16": 35.0, "bf16": 25.0}
LEFT_BYTES = 32 << 20  # what a device's libraries may keep for themselves
LOAD = {
    "dim": 64,
    "depth": 2,
    "dim_head": 32,
    "heads": 4,
    "num_bands": 32,
    "stft_n_fft": 1024,
    "stft_hop_length": 256,
    "stft_win_length": 1024,
}
LOAD_SAMPLES = 2 * 44100
LOAD_RUNS = 3


def look() -> list[dict[str, Any]]:
    """The devices of this machine as plain data: their names, why they cannot be used, their cards."""
    return [
        {
            "name": device.name,
            "fault": device.fault,
            "card": msgspec.to_builtins(cards.describe(device.name)) if device.fault is None else None,
        }
        for device in cards.found()
    ]


def examine(device: str, threads: int) -> dict[str, Any]:
    """What a device makes of small networks, as plain data: fields of `DeviceFinding`, and what to judge them by."""
    devices.prepare_torch(threads)
    free_bytes = devices.free_bytes(device)
    before = _allocated(device)
    found: dict[str, Any] = {
        "precisions": {precision: _examine_networks(device, precision) for precision in precisions_of(device)},
        "spectrum_db": _finite(_attempt(lambda: _spectrum_db(device))),
        "attention": _attention_kernels(device),
        "speed": _attempt(lambda: _speed(device)),
        "fastest": devices.fastest_precision(device),
        "free_mb": round(free_bytes / 1e6),
        "driver_needed": cards.needed_driver() if device.startswith("cuda") else None,
        **_onnx(device),
    }
    devices.release_unused(device)
    found["memory_left_mb"] = round(max(_allocated(device) - before - LEFT_BYTES, 0) / 1e6, 1)
    return found


def precisions_of(device: str) -> list[Arithmetic]:
    """The precisions that a device may be asked for."""
    if not devices.is_card(device):
        return ["fp32", "bf16"] if device == "cpu" else ["fp32", "fp16"]
    has_bf16 = torch.get_device_module(device).is_bf16_supported()
    return ["fp32", "fp16", *(["bf16"] if has_bf16 else [])]  # type: ignore[list-item]


# Networks -----------------------------------------------------------------------------------------------------------


def _examine_networks(device: str, precision: Arithmetic) -> dict[str, Any]:
    """The network that is farthest from the reference, and those that do not run, or are too far from it."""
    lowest, at, faults = math.inf, "", {}
    for name, architecture in OWN.items():
        if precision != "fp32" and not architecture.stands_half:
            continue
        try:
            agreement = _agreement_db(name, device, precision)
        except Overflow:
            faults[name] = "overflows"
            continue
        except Exception as error:  # noqa: BLE001  # whatever a driver raises
            faults[name] = _in_a_line(error)
            continue
        if math.isnan(agreement):
            faults[name] = "gives what is no number"
        elif agreement < LEAST_DB[precision]:
            faults[name] = f"differs by {-agreement:.0f} dB"
        if agreement <= lowest:
            lowest, at = agreement, name
    return {"lowest_db": _finite(lowest), "lowest_of": at, "faults": faults}


def _agreement_db(name: str, device: str, precision: Arithmetic) -> float:
    """How far below its output the error of a small network lies on a device."""
    params = params_class(name).tiny()
    torch.manual_seed(1)
    net = with_unit_gain(network_class(name)(params))
    mix = chord(int(getattr(params, "channels", 2)), _length_for(net))
    with torch.inference_mode():
        reference = net(mix)
    backend = TorchBackend(net)
    backend.move(device)
    with torch.inference_mode(), devices.computing(device, precision):
        output = backend(mix.to(device)).float().cpu()
    return agreement_db(output, reference)


def _length_for(net: nn.Module) -> int:
    input_length: Callable[[int], int] | None = getattr(net, "input_length", None)
    return input_length(SAMPLES) if input_length is not None else SAMPLES


def with_unit_gain(net: nn.Module) -> nn.Module:
    """The network with weights that keep the level of what passes them, as training makes them.

    Half precision rounds relative to each value, so that its error shows as it would in a trained network. With weights
    at which signals nearly vanish, or cancel each other, it would show the scale of the weights instead.
    """
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
                inputs = layer.weight[0].numel()
            elif isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
                # Each output is the sum of the inputs of so many overlapping kernels.
                inputs = layer.weight[:, 0].numel() // math.prod(layer.stride)
            else:
                continue
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * inputs**-0.5)
    return net.eval()


def chord(channels: int, samples: int) -> Tensor:
    """(1, channels, samples) of notes with overtones and a little noise: the frozen programs come without the clip."""
    time_s = torch.arange(samples) / 44100
    notes = sum(
        torch.sin(2 * math.pi * pitch * overtone * time_s) / overtone
        for pitch in (110.0, 164.8, 277.2)
        for overtone in range(1, 13)
    )
    noise = torch.randn(channels, samples, generator=torch.Generator().manual_seed(5))
    balance = torch.linspace(1.0, 0.7, channels)[:, None]
    return (0.1 * balance * notes + 0.02 * noise)[None]


def agreement_db(estimate: Tensor, reference: Tensor) -> float:
    """How far the difference lies below the reference."""
    return float(10 * torch.log10(reference.square().sum() / (reference - estimate).square().sum()))


# Operators ----------------------------------------------------------------------------------------------------------


def _spectrum_db(device: str) -> float:
    """How exactly a spectrum becomes the signal again that it is of."""
    signal, transform = chord(1, SAMPLES)[0], Stft(1024, 256)
    again = transform.inverse(transform(signal.to(device)), SAMPLES)
    return agreement_db(again.cpu(), signal)


def _onnx(device: str) -> dict[str, Any]:
    """What MDX models run with."""
    try:
        provider, has_better = provider_in_use(device)
    except Exception as error:  # noqa: BLE001  # whatever a driver raises, or that there is no onnxruntime
        return {"mdx": None, "mdx_fault": _in_a_line(error)}
    return {"mdx": provider, "mdx_fault": "it could not be started there" if has_better else None}


def _attention_kernels(device: str) -> list[str]:
    """The kernels for attention that run here, in half precision where the device has it."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    dtype = torch.float16 if devices.is_card(device) else torch.float32
    ones = torch.ones(1, 4, 64, 64, device=device, dtype=dtype)
    kernels = {
        "flash": SDPBackend.FLASH_ATTENTION,
        "cudnn": SDPBackend.CUDNN_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
        "math": SDPBackend.MATH,
    }

    def runs(kernel: SDPBackend) -> float:
        with _quiet(), sdpa_kernel(kernel):
            return float(torch.nn.functional.scaled_dot_product_attention(ones, ones, ones).float().mean())

    results = {name: _attempt(partial(runs, kernel)) for name, kernel in kernels.items()}
    return [name for name, result in results.items() if result is not None and abs(result - 1) < 0.01]


@contextmanager
def _quiet() -> Iterator[None]:
    """torch explains at length why it does not use a kernel."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _speed(device: str) -> float:
    """How many seconds of audio a second a fixed network does, in the fastest precision; to compare machines with."""
    torch.manual_seed(1)
    params = replace(params_class("mel_band_roformer").tiny(), **LOAD)
    backend = TorchBackend(network_class("mel_band_roformer")(params).eval())
    backend.move(device)
    mix = torch.randn(1, 2, LOAD_SAMPLES, generator=torch.Generator().manual_seed(3)).to(device)
    best_s = math.inf
    with torch.inference_mode(), devices.computing(device, devices.fastest_precision(device)):
        for _ in range(LOAD_RUNS + 1):  # the first one warms up
            started = time.perf_counter()
            backend(mix).float().sum().item()  # which waits for the device
            best_s = min(best_s, time.perf_counter() - started)
    return round(LOAD_SAMPLES / 44100 / best_s, 2)


# Small things -------------------------------------------------------------------------------------------------------


def _allocated(device: str) -> int:
    if not devices.is_card(device):
        return 0
    return int(torch.get_device_module(device).memory_allocated(device))


def _attempt(measure: Callable[[], float]) -> float | None:
    try:
        return measure()
    except Exception:  # noqa: BLE001  # what matters of it shows in the networks
        return None


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: what agrees exactly is 200 dB."""
    return None if value is None or math.isnan(value) else round(min(value, 200.0), 1)


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
