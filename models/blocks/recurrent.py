"""Recurrent layers: weights contiguous in device memory, as their kernels need them, and kernels that every processor has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from models.blocks.parts import MOST_WORK

R = TypeVar("R", bound=nn.RNNBase)

# As many as make products large enough, and as take a moment: all at once would take seconds, in which a job could not be cancelled.
FEWEST_SEQUENCES, MOST_SEQUENCES = 16, 96

KINDS: dict[str, Callable[..., nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def kept_flat(layer: R) -> R:
    """The layer, which from now on makes its weights contiguous whenever it is given new ones."""
    layer.register_load_state_dict_post_hook(lambda module, _: module.flatten_parameters())  # type: ignore[no-untyped-call]  # so in torch
    return layer


def run_recurrent(layer: nn.RNNBase, sequences: Tensor) -> Tensor:
    """The output of a layer for (length, sequences, dim); on a CPU in groups of sequences, which do not see each other.

    It is in single precision on processors that have no kernel for half precision and would fail.
    """
    if sequences.device.type != "cpu":
        output: Tensor = layer(sequences)[0]
        return output
    halved = torch.is_autocast_enabled("cpu")
    if halved and not has_cpu_kernel(torch.get_autocast_dtype("cpu")):
        with torch.autocast("cpu", enabled=False):
            return _in_groups(layer, sequences.float())
    return _in_groups(layer, sequences)


def _in_groups(layer: nn.RNNBase, sequences: Tensor) -> Tensor:
    weights = sum(weight.numel() for weight in layer.parameters())
    affordable = int(MOST_WORK / (2 * weights * max(len(sequences), 1)))
    size = min(max(affordable, FEWEST_SEQUENCES), MOST_SEQUENCES)
    return torch.cat([layer(group)[0] for group in torch.split(sequences, size, dim=1)], dim=1)


def give_single(net: nn.Module) -> None:
    """Give recurrent layers their input in single precision from now on.

    The kernel of Macs' graphics processors takes weights and states for numbers of the type of its input, whatever they are.
    """
    for layer in net.modules():
        if isinstance(layer, nn.RNNBase):
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(), *inputs[1:]))


def has_cpu_kernel(dtype: torch.dtype) -> bool:
    """Can the CPU run recurrent layers in this precision? oneDNN chooses by the processor; without it, any is possible."""
    if dtype == torch.float32 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # so in torch
        return True
    supported = {  # there are no public names for these
        torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,  # noqa: SLF001
        torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,  # noqa: SLF001
    }
    return bool(supported[dtype]())
