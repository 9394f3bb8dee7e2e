"""What the doctor makes of a device. The processor is examined for real; what is wrong with it is pretended."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
import torch

from models.architectures import OWN
from utils import cards
from utils.core.replies import DeviceFinding
from utils.doctor import computing
from utils.engine.backends import Overflow, onnx_session


@pytest.fixture
def two_networks(monkeypatch):
    """Only two kinds of network, of which one does not stand half precision."""
    monkeypatch.setattr(computing, "OWN", {name: OWN[name] for name in ("scnet", "scnet_tran")})


def test_the_processor_is_in_order(two_networks):
    """It agrees with itself in single precision, and nearly so in half."""
    found = msgspec.convert({"device": "cpu", **computing.examine("cpu", 1)}, DeviceFinding)
    assert list(found.precisions) == ["fp32", "bf16"]
    assert found.precisions["fp32"].lowest_db == 200.0
    assert computing.LEAST_DB["bf16"] < found.precisions["bf16"].lowest_db < 60
    assert found.precisions["bf16"].lowest_of == "scnet"
    assert not any(each.faults for each in found.precisions.values())
    assert found.spectrum_db > 100
    assert "math" in found.attention
    assert found.speed > 0
    assert found.memory_left_mb == 0
    assert (found.mdx, found.driver_needed) == ("CPUExecutionProvider", None)
    assert found.free_mb > 0


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (RuntimeError("no kernel image is available for\nexecution"), "no kernel image is available for execution"),
        (NotImplementedError(), "NotImplementedError"),
        (Overflow(), "overflows"),
        (12.3, "differs by -12 dB"),
        (math.nan, "no number"),
    ],
)
def test_a_network_that_does_not_come_out_right_is_named(monkeypatch, two_networks, outcome, told):
    """With what happened, in one line; the others are examined all the same."""

    def agreement(name, device, precision):
        if name != "scnet":
            return 70.0
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(computing, "_agreement_db", agreement)
    found = computing._examine_networks("cpu", "fp32")
    assert list(found["faults"]) == ["scnet"]
    assert told in found["faults"]["scnet"]


@pytest.mark.parametrize(
    ("device", "has_bf16", "expected"),
    [
        ("cpu", False, ["fp32", "bf16"]),
        ("mps", False, ["fp32", "fp16"]),
        ("cuda:0", True, ["fp32", "fp16", "bf16"]),
        ("cuda:0", False, ["fp32", "fp16"]),
        ("xpu", True, ["fp32", "fp16", "bf16"]),
    ],
)
def test_the_precisions_of_a_device(monkeypatch, device, has_bf16, expected):
    """All that a request could ask for there."""

    class Module:
        is_bf16_supported = staticmethod(lambda: has_bf16)

    monkeypatch.setattr(torch, "get_device_module", lambda kind: Module)
    assert computing.precisions_of(device) == expected


def test_a_provider_that_does_not_start_is_told(monkeypatch):
    """onnxruntime then uses the processor, without a word."""
    monkeypatch.setitem(onnx_session.PROVIDERS, "cuda", "CUDAExecutionProvider")
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnx_session._runtime(), "get_available_providers", lambda: available)
    monkeypatch.setattr(onnx_session, "_providers", lambda device, offered: [onnx_session.ON_CPU])
    assert computing._onnx("cuda:0") == {"mdx": "CPUExecutionProvider", "mdx_fault": "it could not be started there"}
    assert computing._onnx("xpu") == {"mdx": "CPUExecutionProvider", "mdx_fault": None}


def test_devices_are_told_as_plain_data(monkeypatch):
    """The child that looks for them gives JSON back."""
    monkeypatch.setattr(cards, "found", lambda: [cards.Device("cuda:0", "Too old."), cards.Device("cpu")])
    assert json.loads(json.dumps(computing.look())) == [
        {"name": "cuda:0", "fault": "Too old.", "card": None},
        {"name": "cpu", "fault": None, "card": None},
    ]


def test_what_cannot_be_measured_is_not_known(monkeypatch, two_networks):
    """A missing operator is not the end of the examination."""

    def missing(*args, **options):
        raise NotImplementedError("aten::stft")

    monkeypatch.setattr(torch, "istft", missing)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", missing)
    found = computing.examine("cpu", 1)
    assert found["spectrum_db"] is None
    assert found["attention"] == []
