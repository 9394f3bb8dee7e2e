"""Devices: how they compute, what memory they have. Graphics cards are pretended."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import psutil
import pytest
import torch

from utils import device as devices
from utils.core.errors import InvalidRequest
from utils.device import fastest_precision


@pytest.mark.parametrize(("device", "is_told"), [("cuda", True), ("cuda:1", True), ("mps", False), ("cpu", False)])
def test_a_full_graphics_card_is_told_in_torch_s_words(device, is_told):
    """Programs that try again with shorter segments look for them."""
    assert ("CUDA out of memory" in devices.out_of_memory(device)) is is_told


def test_free_memory_is_that_of_the_device(monkeypatch):
    """Of a graphics card its own, otherwise that of the host."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5, 8))
    assert devices.free_bytes("cuda:0") == 5
    assert devices.free_bytes("cpu") > 1e6


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_networks_compute_in_the_requested_precision(precision, dtype):
    """Products of matrices have its type."""
    ones = torch.ones(2, 2)
    with devices.computing("cpu", precision):
        assert (ones @ ones).dtype == dtype


def test_bf16_needs_a_graphics_card_that_has_it(monkeypatch):
    """A card that cannot compute in bf16 is an error about the field `precision`."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(InvalidRequest, match="bf16") as caught, devices.computing("cuda:0", "bf16"):
        pass
    assert caught.value.field == "precision"


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": True}, "bf16"),
        ({"avx512_f": True, "bf16": True}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_a_cpu_with_instructions_for_bf16_is_fastest_with_it(monkeypatch, capabilities, expected):
    """Others would only convert, and compute in single precision."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert fastest_precision("cpu") == expected


@pytest.mark.parametrize(("capability", "expected"), [((6, 1), "fp32"), ((7, 0), "fp16"), ((12, 0), "fp16")])
def test_a_graphics_card_with_tensor_cores_is_fastest_in_half_precision(monkeypatch, capability, expected):
    """Older ones are slower with it than without."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert fastest_precision("cuda:1") == expected


@pytest.mark.parametrize(
    ("choice", "expected"), [(0, "math"), (1, "flash"), (2, "efficient"), (3, "cudnn"), (NotImplementedError(), "math")]
)
def test_the_kernel_for_attention_is_that_which_torch_takes(monkeypatch, choice, expected):
    """By the type of the numbers; where a device has one kernel only, it is the plain one."""
    asked = []

    def choose(query, key, value):
        asked.append(query.dtype)
        if isinstance(choice, Exception):
            raise choice
        return choice

    monkeypatch.setattr(torch, "_fused_sdp_choice", choose)
    assert devices.attention_kernel("cpu", "fp16") == expected
    assert asked == [torch.float16]


def test_macs_graphics_processors_compute_in_single_precision():
    """Half precision has to be asked for there: not all of their kernels take inputs and weights of different types."""
    assert fastest_precision("mps") == "fp32"


@pytest.mark.parametrize(("precision", "allowed"), [("fp16", True), ("fp32", False)])
def test_what_stays_in_single_precision_may_use_tf32_unless_that_is_the_reference(monkeypatch, precision, allowed):
    """With `fp32`, all products are exact to 24 bits."""
    matmul, cudnn = SimpleNamespace(), SimpleNamespace()
    monkeypatch.setattr(torch.backends.cuda, "matmul", matmul)
    monkeypatch.setattr(torch.backends, "cudnn", cudnn)
    monkeypatch.setattr(torch, "autocast", lambda *args, **options: contextlib.nullcontext())
    with devices.computing("cuda:0", precision):
        assert matmul.allow_tf32 is cudnn.allow_tf32 is allowed


def test_torch_is_prepared_with_the_given_threads():
    """The number of threads is set for the process."""
    threads = torch.get_num_threads()
    try:
        devices.prepare_torch(threads + 1)
        assert torch.get_num_threads() == threads + 1
    finally:
        devices.prepare_torch(threads)


def test_memory_of_the_cpu_is_that_of_the_process(monkeypatch):
    """In megabytes; there is no memory of a device."""
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=123_400_000))
    monkeypatch.setattr(psutil, "Process", lambda pid: process)
    memory = devices.memory("cpu")
    assert (memory.rss_mb, memory.device_allocated_mb, memory.device_free_mb) == (123.4, None, None)


def test_memory_of_a_graphics_card(monkeypatch):
    """What torch has allocated, and what is free."""
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 5_000_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7_000_000, 10_000_000))
    memory = devices.memory("cuda:0")
    assert (memory.device_allocated_mb, memory.device_free_mb) == (5.0, 7.0)


def test_loaded_models_may_take_a_part_of_the_memory(monkeypatch):
    """Most of a graphics card's, half of the host's."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 1000))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=1000))
    assert devices.model_budget_bytes("cuda:0") == 700
    assert devices.model_budget_bytes("cpu") == 500


@pytest.mark.parametrize(("device", "expected"), [("cuda:0", ["cuda"]), ("mps", ["mps"]), ("cpu", [])])
def test_unused_memory_is_returned_to_its_device(monkeypatch, device, expected):
    """Only the cache of the device that is used is emptied."""
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    devices.release_unused(device)
    assert emptied == expected
