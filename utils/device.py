"""How a device computes: its threads, its precision and its memory. Which there are is known to `utils/cards.py`.

torch is imported inside the functions, so that importing this module is cheap.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from utils import cards
from utils.core.errors import InvalidRequest
from utils.core.replies import Memory
from utils.core.settings import Arithmetic

if TYPE_CHECKING:
    pass

MB = 1e6
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT_BYTES = 1 << 30
TENSOR_CORES = (7, 0)  # the compute capability from which on CUDA devices have them


def is_card(device: str) -> bool:
    """Whether a device is a graphics card with memory of its own."""
    return device.partition(":")[0] in cards.KINDS


def out_of_memory(device: str) -> str:
    """How an error begins when memory has run out: on graphics cards with torch's words, which programs look for."""
    return "CUDA out of memory: there" if device.startswith("cuda") else "There"


def prepare_torch(threads: int) -> None:
    """Set up torch for this process: its number of threads, and the faster of two equivalent code paths."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # denormals slow filters down by orders of magnitude
    # torch's transformer layers bypass fused attention by default; with it, HTDemucs takes a quarter less on a CPU.
    torch.backends.mha.set_fastpath_enabled(value=False)
    _reuse_memory()


def _reuse_memory() -> None:
    """Let the allocator of glibc keep large blocks for the next chunk.

    By default it returns each to the system, which clears its pages again: 5 to 15 % of the time of a network.
    """
    mallopt = _function_of_glibc("mallopt")
    if mallopt is not None:
        for threshold in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(threshold, KEPT_BYTES)


def _function_of_glibc(name: str) -> Callable[..., int] | None:
    """A function that only this C library has."""
    import ctypes

    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def fastest_precision(device: str) -> Arithmetic:
    """The precision in which products of matrices are fastest on a device, and good enough for networks."""
    import torch

    kind = device.partition(":")[0]
    if kind == "cuda":
        return "fp16" if torch.cuda.get_device_capability(device) >= TENSOR_CORES else "fp32"
    if kind == "xpu":
        return "bf16" if torch.xpu.is_bf16_supported() else "fp32"
    if kind == "mps":
        return "fp32"  # some of its kernels take weights for numbers of the type of their input, whatever they are
    has = torch.cpu.get_capabilities()
    return "bf16" if has.get("amx_bf16") or has.get("avx512_bf16") else "fp32"


def attention_kernel(device: str, precision: Arithmetic) -> str:
    """What torch computes attention with on a device: `flash`, `efficient`, `cudnn`, or `math`, which is the slowest."""
    import torch
    from torch.nn.attention import SDPBackend

    dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    heads = torch.ones(1, 8, 64, 64, dtype=dtype, device=device)  # as large as those of most networks
    try:
        kernel = SDPBackend(torch._fused_sdp_choice(heads, heads, heads))  # noqa: SLF001 - only this tells beforehand
    except (NotImplementedError, RuntimeError, ValueError):  # devices that have one kernel need not choose
        return "math"
    return kernel.name.removesuffix("_ATTENTION").lower()


@contextmanager
def computing(device: str, precision: Arithmetic) -> Iterator[None]:
    """The context in which networks run in a precision. What is sensitive to it they compute in fp32 all the same."""
    import torch

    kind = device.partition(":")[0]
    if precision == "bf16" and is_card(device) and not torch.get_device_module(kind).is_bf16_supported():
        raise InvalidRequest("This graphics card cannot compute in bf16; use `fp16` or `fp32`.", field="precision")
    if kind == "cuda":
        # `fp32` is the reference; otherwise what remains in single precision may use TF32.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
    with torch.autocast(
        kind, dtype=torch.float16 if precision == "fp16" else torch.bfloat16, enabled=precision != "fp32"
    ):
        yield


def memory(device: str) -> Memory:
    """The resident memory of this process, and the allocated and free memory of the device."""
    import psutil

    rss_mb = round(psutil.Process(os.getpid()).memory_info().rss / MB, 1)
    allocated = free = None
    if is_card(device):
        import torch

        module = torch.get_device_module(device)
        allocated = round(module.memory_allocated(device) / MB, 1)
        free = round(module.mem_get_info(device)[0] / MB, 1)
    elif device == "mps":
        import torch

        allocated = round(torch.mps.current_allocated_memory() / MB, 1)
        free = round((torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()) / MB, 1)
    return Memory(rss_mb=rss_mb, device_allocated_mb=allocated, device_free_mb=free)


def model_budget_bytes(device: str) -> int:
    """How many bytes loaded models may take together: most of a graphics card's memory, half of the others'."""
    if is_card(device):
        import torch

        return int(0.7 * torch.get_device_module(device).mem_get_info(device)[1])
    if device == "mps":
        import torch

        return int(0.5 * torch.mps.recommended_max_memory())
    import psutil

    return int(0.5 * psutil.virtual_memory().total)


def free_bytes(device: str) -> int:
    """The free memory of the device; of a Mac's graphics processor, that of the host that it shares."""
    if is_card(device):
        import torch

        return int(torch.get_device_module(device).mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def release_unused(device: str) -> None:
    """Return the memory that torch and the C library keep for reuse to the device and the system."""
    import torch

    malloc_trim = _function_of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)
    if is_card(device):
        torch.get_device_module(device).empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
