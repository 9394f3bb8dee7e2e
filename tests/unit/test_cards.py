"""Which devices there are, and what is said of those that cannot be used. Graphics cards are pretended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from utils import cards
from utils.core.errors import DeviceUnavailable

BUILT = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "compute_120"]


class Pretended:
    """A machine: NVIDIA's cards by their compute capabilities, Intel's by their number, a build, and a driver."""

    def __init__(self, monkeypatch):
        self.cuda, self.xpu, self.mps = [], 0, False
        self.build, self.hip, self.driver, self.number = None, None, None, None
        self.xpu_build, self.mps_built, self.counted = None, False, None
        self.broken = set()
        self.wrong = set()
        patch = monkeypatch.setattr
        patch(torch.cuda, "is_available", lambda: bool(self.cuda))
        patch(torch.cuda, "device_count", lambda: len(self.cuda) if self.counted is None else self.counted)
        patch(torch.cuda, "get_arch_list", lambda: BUILT)
        patch(torch.cuda, "get_device_capability", lambda index: self.cuda[int(str(index).rpartition(":")[2])])
        patch(torch.cuda, "get_device_name", lambda index: f"Card {index}")
        patch(torch.xpu, "is_available", lambda: self.xpu > 0)
        patch(torch.xpu, "device_count", lambda: self.xpu)
        patch(torch.backends.mps, "is_available", lambda: self.mps)
        patch(torch.backends.mps, "is_built", lambda: self.mps_built)
        patch(cards, "driver_cuda", lambda: self.driver)
        patch(cards, "driver_version", lambda: self.number)
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
            monkeypatch.delenv(name, raising=False)
        patch(torch, "version", SimpleNamespace(cuda=None, hip=None))
        patch(torch, "ones", self.ones)

    def has(self, **facts):
        for name, value in facts.items():
            setattr(self, name, value)
        torch.version.cuda, torch.version.hip, torch.version.xpu = self.build, self.hip, self.xpu_build

    def ones(self, *shape, device):
        if device in self.broken:
            raise RuntimeError("CUDA error: unspecified launch failure\nCompile with more")
        return torch.full(shape, 2.0 if device in self.wrong else 1.0)


@pytest.fixture
def machine(monkeypatch):
    return Pretended(monkeypatch)


CUDA = {"build": "13.0", "driver": (13, 0)}


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({}, ["cpu"]),
        ({"cuda": [(8, 9), (12, 0)], **CUDA}, ["cuda:0", "cuda:1", "cpu"]),
        ({"xpu": 2}, ["xpu:0", "xpu:1", "cpu"]),
        ({"mps": True}, ["mps", "cpu"]),
    ],
)
def test_devices_are_listed_best_first(machine, has, expected):
    """Graphics cards before the processor, which is always there."""
    machine.has(**has)
    assert [device.name for device in cards.found()] == expected


@pytest.mark.parametrize(
    ("has", "requested", "expected"),
    [
        ({}, "auto", "cpu"),
        ({"mps": True}, "auto", "mps"),
        ({"xpu": 1}, "auto", "xpu"),
        ({"cuda": [(8, 9), (8, 9)], **CUDA}, "auto", "cuda"),
        ({"cuda": [(8, 9), (8, 9)], **CUDA}, "cuda", "cuda"),
        ({"cuda": [(8, 9), (8, 9)], **CUDA}, "cuda:0", "cuda:0"),
        ({"cuda": [(8, 9), (8, 9)], **CUDA}, "cuda:1", "cuda:1"),
        ({"cuda": [(8, 9), (8, 9)], **CUDA}, "cpu", "cpu"),
        ({"xpu": 2}, "xpu:1", "xpu:1"),
        ({"mps": True}, "mps, cuda,cpu", "mps"),
    ],
)
def test_the_requested_device_is_used(machine, has, requested, expected):
    """`auto` is the best one, of a list the first; any other request is taken at its word."""
    machine.has(**has)
    assert cards.choose(requested) == (expected, [])


@pytest.mark.parametrize("requested", ["cuda", "cuda:1", "mps", "xpu", "tpu", "cuda:1,mps"])
def test_a_device_that_is_not_there_is_never_replaced(machine, requested):
    """The error lists the devices that are there."""
    machine.has(cuda=[(8, 9)] if "cuda:1" in requested else [], **CUDA)
    machine.has(driver=None)
    with pytest.raises(DeviceUnavailable, match=rf"`{requested}` is not available") as caught:
        cards.choose(requested)
    assert caught.value.suggestions[-1] == "cpu"
    assert caught.value.field == "device"


@pytest.mark.parametrize(("build", "hip", "is_told"), [(None, None, True), ("13.0", None, False), (None, "7.2", False)])
def test_a_build_without_cuda_is_told_in_torch_s_words(machine, build, hip, is_told):
    """Programs that fall back to the processor look for them; with a build for cards something else is wrong."""
    machine.has(build=build, hip=hip)
    with pytest.raises(DeviceUnavailable) as caught:
        cards.choose("cuda")
    assert ("Torch not compiled with CUDA enabled" in caught.value.message) is is_told


@pytest.mark.parametrize(
    ("has", "requested", "device", "told"),
    [
        ({"mps": True}, "cuda,mps,cpu", "mps", ["`cuda:0` is not used. Torch not compiled with CUDA enabled."]),
        ({"cuda": [(8, 9)], **CUDA}, "cuda:1,cpu", "cpu", ["`cuda:1` is not used. There is no such device here."]),
        (
            {"cuda": [(8, 9)], **CUDA, "broken": {"cuda:0"}},
            "mps,cuda,auto",
            "cpu",
            [
                "`mps` is not used. There is no such device here.",
                "`cuda:0` is not used. It cannot compute: CUDA error: unspecified launch failure",
            ],
        ),
        ({"cuda": [(8, 9)], **CUDA}, "cpu,cuda:1", "cpu", []),
    ],
)
def test_each_device_of_a_list_that_is_passed_over_is_told(machine, has, requested, device, told):
    """Whoever asks for a card by its name, and gets something slower, learns why; once for each."""
    machine.has(**has)
    assert cards.choose(requested) == (device, told)


@pytest.mark.parametrize(
    ("requested", "told"),
    [
        ("cuad,cpu", "`cuad` is the name of no device. Did you mean: cuda?"),
        ("cpu,cuda:x", "`cuda:x` is the name of no device. Did you mean: cuda?"),
        ("cpu:0", "`cpu:0` is the name of no device."),
        ("tpu", "`tpu` is the name of no device."),
    ],
)
def test_a_misspelt_name_is_refused_also_in_a_list(machine, requested, told):
    """Otherwise the processor would compute where a card was meant."""
    machine.has(cuda=[(8, 9)], **CUDA)
    with pytest.raises(DeviceUnavailable) as caught:
        cards.choose(requested)
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("has", "name", "told"),
    [
        ({"build": "13.0"}, "cuda:0", ("of NVIDIA", "`nvidia-smi`", "Install driver 580 or newer", "(`cpu`)")),
        ({"hip": "7.2.26015-1"}, "cuda:0", ("of AMD", "`rocminfo`", "Install ROCm 7.2;")),
        ({"xpu_build": "20250302"}, "xpu:0", ("of Intel", "Install the newest driver")),
        ({"mps_built": True}, "mps", ("macOS offers no graphics processor",)),
    ],
)
def test_a_build_for_cards_that_finds_none_says_so_once(machine, has, name, told):
    """Whoever took it expects a card to compute, not the processor."""
    machine.has(**has)
    device, (warning,) = cards.choose("auto")
    assert device == "cpu"
    assert warning.startswith(f"`{name}` is not used. ")
    assert all(part in warning for part in told)


def test_a_reason_that_all_cards_share_is_told_once_and_of_each(machine):
    """A driver that is too old can still count its cards."""
    machine.has(build="13.0", driver=(12, 4), number="550.54.14", counted=2)
    device, (warning,) = cards.choose("auto")
    assert (device, warning.partition(". ")[0]) == ("cpu", "`cuda:0` and `cuda:1` are not used")
    assert "The driver of the graphics card, 550.54.14, is too old" in warning
    for name in ("cuda:1", "cuda:7"):
        with pytest.raises(DeviceUnavailable, match=r"550\.54\.14, is too old"):
            cards.choose(name)


UUIDS = ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-1bd9faed-c12f-4106-d72c-8932f9379f62"]


@pytest.mark.parametrize(
    ("shown", "count"),
    [(UUIDS[1], 1), ("GPU-1bd", 1), (f"{UUIDS[1]},{UUIDS[0]}", 2), (f"GPU-0000,{UUIDS[0]}", 0), ("", 0)],
)
def test_cards_may_be_shown_by_their_uuid(machine, monkeypatch, shown, count):
    """As torch reads the variable; where it shows no card, the reason quotes it."""
    monkeypatch.undo()
    monkeypatch.setattr(torch, "version", SimpleNamespace(cuda="13.0", hip=None, xpu=None))
    monkeypatch.setattr(torch.cuda, "_is_compiled", lambda: True)
    monkeypatch.setattr(torch.cuda, "_raw_device_uuid_nvml", lambda: UUIDS)
    monkeypatch.setattr(torch.cuda, "_raw_device_count_nvml", lambda: len(UUIDS))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: torch.cuda.device_count() > 0)
    monkeypatch.setattr(cards, "_without_kernels", lambda index: None)
    monkeypatch.setattr(cards, "driver_cuda", lambda: (13, 0))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    found = cards.found()
    usable = [device.name for device in found if device.fault is None]
    assert usable == [*(f"cuda:{index}" for index in range(count)), "cpu"]
    if not count:
        assert f"`CUDA_VISIBLE_DEVICES` is `{shown}`" in found[0].fault


FAULTS = [
    ({"cuda": [(6, 1)], **CUDA}, "no kernels for Card 0, whose compute capability is 6.1", "`cuda-legacy`"),
    ({"cuda": [(11, 0)], **CUDA}, "compute capability is 11.0", "newer build"),
    ({"build": "13.0", "driver": (12, 4)}, "it knows CUDA 12.4, and this build needs 13.0", "driver 580"),
    ({"build": "12.6", "driver": (11, 8)}, "it knows CUDA 11.8, and this build needs 12.6", "driver 525"),
    ({"build": None, "driver": (13, 0)}, "cannot compute on NVIDIA's cards", "Torch not compiled with CUDA enabled"),
    ({"build": "13.0", "driver": (13, 0)}, "it shows none", "nvidia-smi"),
    ({"hip": "7.2.0"}, "of AMD", "ROCm 7.2"),
    ({"build": "13.0"}, "of NVIDIA", "driver 580"),
    ({"cuda": [(8, 9)], **CUDA, "broken": {"cuda:0"}}, "It cannot compute: CUDA error: unspecified launch failure", ""),
    ({"cuda": [(8, 9)], **CUDA, "wrong": {"cuda:0"}}, "computes wrongly", ""),
]


@pytest.mark.parametrize(("has", "why", "cure"), FAULTS)
def test_a_card_that_cannot_compute_is_an_error_that_says_why(machine, has, why, cure):
    """Whoever asks for it learns what is wrong and what to install."""
    machine.has(**has)
    with pytest.raises(DeviceUnavailable) as caught:
        cards.choose("cuda")
    assert why in caught.value.message
    assert cure in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("has", "why", "cure"), FAULTS)
def test_the_next_device_is_taken_with_a_warning(machine, has, why, cure):
    """`auto` never falls back in silence."""
    machine.has(**has)
    device, (warning,) = cards.choose("auto")
    assert device == "cpu"
    assert warning.startswith("`cuda:0` is not used. ")
    assert why in warning
    assert cure in warning


def test_another_card_takes_the_place_of_a_broken_one(machine):
    """With its number, and with a warning about the first."""
    machine.has(cuda=[(8, 9), (8, 9)], **CUDA, broken={"cuda:0"})
    device, warnings = cards.choose("auto")
    assert device == "cuda:1"
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("capability", "runs"),
    [
        ((7, 0), False), ((7, 5), True), ((8, 0), True), ((8, 9), True), ((9, 0), True), ((10, 3), True), ((11, 0), False),
        ((12, 0), True), ((12, 1), True), ((13, 0), True),
    ],
)  # fmt: skip
def test_kernels_run_on_later_cards_of_their_kind(capability, runs):
    """Those that are translated run on all later cards; an architecture with a letter counts as the one without."""
    assert cards.can_run(capability, BUILT) is runs
    assert cards.can_run((9, 0), ["sm_90a"])
    assert not cards.can_run((9, 0), ["gfx1100"])


@pytest.mark.parametrize(("version", "status", "expected"), [(13020, 0, (13, 2)), (12040, 0, (12, 4)), (0, 1, None)])
def test_the_driver_is_asked_for_its_cuda(monkeypatch, version, status, expected):
    """Without torch, which would only say that there is no card."""

    def answer(pointer):
        pointer._obj.value = version
        return status

    monkeypatch.setattr(cards.sys, "platform", "linux")
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: SimpleNamespace(cuDriverGetVersion=answer))
    assert cards.driver_cuda() == expected


@pytest.mark.parametrize(("status", "expected"), [(0, "580.65.06"), (9, None)])
def test_the_driver_is_asked_for_its_number(monkeypatch, status, expected):
    """By the library that comes with it."""

    def answer(text, length):
        text.value = b"580.65.06"
        return status

    library = SimpleNamespace(nvmlInit_v2=lambda: 0, nvmlSystemGetDriverVersion=answer)
    monkeypatch.setattr(cards.sys, "platform", "linux")
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: library)
    assert cards.driver_version() == expected


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_a_machine_without_a_driver_has_no_cuda(monkeypatch, system):
    """Its library is missing, or there is none for the system at all."""

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(cards.sys, "platform", system)
    monkeypatch.setattr(cards.ctypes, "CDLL", missing)
    assert cards.driver_cuda() is cards.driver_version() is None


def test_the_card_in_use_is_described(machine, monkeypatch):
    """By name and memory, and NVIDIA's by what decides which build it needs."""
    machine.has(cuda=[(8, 9)], **CUDA)
    machine.has(number="580.65.06")
    facts = SimpleNamespace(name="RTX 4090", total_memory=25_300_000_000, uuid=UUIDS[0].removeprefix("GPU-"))
    module = SimpleNamespace(get_device_properties=lambda name: facts)
    monkeypatch.setattr(torch, "get_device_module", lambda kind: module)
    card = cards.describe("cuda:0")
    assert (card.name, card.memory_mb, card.capability, card.driver_cuda) == ("RTX 4090", 25300, "8.9", "13.0")
    assert (card.driver, card.uuid) == ("580.65.06", UUIDS[0])
    card = cards.describe("xpu")
    assert (card.name, card.capability, card.driver, card.uuid) == ("RTX 4090", None, None, None)
    assert cards.describe("cpu") is None


def test_macs_have_a_card_too(monkeypatch):
    """With the memory that it may take of the host's."""
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M2")
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 11_500_000_000)
    card = cards.describe("mps")
    assert (card.name, card.memory_mb, card.capability) == ("Apple M2", 11500, None)
