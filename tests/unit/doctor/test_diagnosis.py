"""The whole examination. Devices are pretended, and what the child finds of them."""

from __future__ import annotations

import os

import msgspec
import pytest

from tests.aids import harm
from utils import cards
from utils import device as devices
from utils.core import isolation
from utils.core.errors import DeviceUnavailable
from utils.core.job import Job, JobCancelled, current_job
from utils.core.replies import Card, DeviceFinding, MachineFinding, PrecisionFinding, Progress
from utils.core.settings import Settings
from utils.doctor import diagnosis
from utils.doctor.diagnosis import best_precision, precision_of

CARD = Card(name="RTX 4090", memory_mb=25300, capability="8.9", driver_cuda="13.0", build="2.13.0+cu130")
GOOD = MachineFinding(check="files", state="good", message="All is well.")


def findings(**least_db):
    """What the child says, by precision: a number, or the name of a network that fails."""
    return {
        precision: {"lowest_db": found, "lowest_of": "scnet", "faults": {}}
        if isinstance(found, float)
        else {"lowest_db": None, "lowest_of": "", "faults": {found: "overflows"}}
        for precision, found in least_db.items()
    }


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a card. Set what is found of it in `child`, by device, and say `examine`."""

    class Machine:
        def __init__(self):
            self.child = {
                "cuda:0": {
                    "precisions": findings(fp32=90.0, fp16=50.0, bf16=40.0),
                    "attention": ["flash"],
                    "speed": 100.0,
                    "spectrum_db": 130.0,
                    "fastest": "fp16",
                    "free_mb": 24000.0,
                    "driver_needed": 580,
                    "mdx": "CUDAExecutionProvider",
                    "mdx_fault": None,
                },
                "cpu": {"precisions": findings(fp32=200.0, bf16=40.0), "fastest": "fp32"},
            }
            self.card = CARD
            self.surroundings = [GOOD]
            self.devices = [cards.Device("cuda:0"), cards.Device("cpu")]

        def examine(self, asked=None, job=None):
            settings = Settings(models_dir=tmp_path)
            return diagnosis.diagnose(settings, 1, asked, job or Job())

    one = Machine()
    told = msgspec.to_builtins

    def touched(*names):
        raise AssertionError("Only the child may touch devices.")

    def call(function, device=None, threads=None, *, allowance):
        current_job().checkpoint()
        if function is diagnosis.look:
            if isinstance(one.devices, isolation.Broken):
                raise one.devices
            return [
                {"name": each.name, "fault": each.fault, "card": told(one.card) if "cuda" in each.name else None}
                for each in one.devices
            ]
        if isinstance(one.child[device], isolation.Broken):
            raise one.child[device]
        return one.child[device]

    monkeypatch.setattr(diagnosis.surroundings, "survey", lambda settings: iter(one.surroundings))
    monkeypatch.setattr(cards, "found", touched)
    monkeypatch.setattr(cards, "describe", touched)
    monkeypatch.setattr(devices, "fastest_precision", touched)
    monkeypatch.setattr(isolation, "call", call)
    return one


def test_a_healthy_machine(machine):
    """All that was found, and progress to the end."""
    lines = []
    found = machine.examine(job=Job(lines.append))
    assert found.healthy
    assert found.findings == [GOOD]
    assert [(each.device, each.precision) for each in found.devices] == [("cuda:0", "fp16"), ("cpu", "fp32")]
    assert found.devices[0].card == CARD
    assert found.devices[1].card is msgspec.UNSET
    assert any(isinstance(line, Progress) for line in lines)


@pytest.mark.parametrize(("state", "healthy"), [("warning", True), ("problem", False)])
def test_a_problem_of_the_machine_means_unhealthy(machine, state, healthy):
    """A warning does not."""
    machine.surroundings = [msgspec.structs.replace(GOOD, state=state)]
    assert machine.examine().healthy is healthy


def test_a_card_that_is_known_not_to_work_is_not_tried(machine):
    """Its fault is told as it is found without computing."""
    machine.devices = [cards.Device("cuda:0", "Its driver is too old."), cards.Device("cpu")]
    machine.child.pop("cuda:0")
    found = machine.examine()
    assert found.devices[0] == DeviceFinding(device="cuda:0", fault="Its driver is too old.")
    assert not found.healthy


def test_a_child_that_dies_is_a_finding(machine):
    """Not the end of the examination, nor of the worker."""
    machine.child["cuda:0"] = isolation.Broken("crashed (SIGSEGV)")
    found = machine.examine()
    assert found.devices[0].fault.startswith("Computing on it crashed (SIGSEGV). Install the newest driver")
    assert found.devices[0].card == CARD
    assert found.devices[1].precision == "fp32"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_real_child_that_dies_is_a_finding(machine, monkeypatch):
    """As it would be with a driver that does so."""
    monkeypatch.undo()
    monkeypatch.setattr(diagnosis.surroundings, "survey", lambda settings: iter(()))
    monkeypatch.setattr(diagnosis, "examine", harm.crash)
    found = machine.examine("cpu")
    assert "crashed (SIGABRT)" in found.devices[0].fault


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_driver_that_crashes_when_it_is_asked_for_cards_is_a_finding(machine, monkeypatch):
    """The processor is examined all the same."""
    machine.devices = isolation.Broken("crashed (SIGSEGV)")
    found = machine.examine()
    assert (found.findings[0].check, found.findings[0].state) == ("devices", "problem")
    assert found.findings[0].message == "Looking for graphics cards crashed (SIGSEGV)."
    assert [each.device for each in found.devices] == ["cpu"]
    assert not found.healthy


@pytest.mark.parametrize(
    ("what", "fault"),
    [({"spectrum_db": 12.0}, "signal again that it is of (12 dB)"), ({"spectrum_db": None}, "no spectra")],
)
def test_a_spectrum_that_does_not_come_back_is_a_fault(machine, what, fault):
    """Every model would give something else than it should."""
    machine.child["cuda:0"] |= what
    found = machine.examine()
    assert fault in found.devices[0].fault
    assert not found.healthy


@pytest.mark.parametrize(
    ("what", "driver", "warning"),
    [
        ({}, "580.65.06", None),
        ({"free_mb": 900.0}, None, "Only 0.9 GB of its memory are free"),
        ({}, "550.54.14", "Its driver is 550, and this build is made for 580 or newer"),
        ({"mdx": "CPUExecutionProvider", "mdx_fault": "it could not be started there"}, None, "run on the processor"),
        ({"mdx": None, "mdx_fault": "No module named onnxruntime"}, None, "MDX models cannot be run: No module"),
    ],
)
def test_what_is_not_as_it_should_be_is_a_warning(machine, what, driver, warning):
    """The device can be used all the same."""
    machine.child["cuda:0"] |= what
    machine.card = msgspec.structs.replace(CARD, driver=driver)
    found = machine.examine()
    assert found.healthy
    assert len(found.devices[0].warnings) == (warning is not None)
    assert warning is None or warning in found.devices[0].warnings[0]


def test_networks_that_fail_in_single_precision_are_a_fault(machine):
    """There is nothing left to compute in."""
    machine.child["cuda:0"]["precisions"] = findings(fp32="bs_roformer")
    found = machine.examine()
    assert "single precision: bs_roformer overflows" in found.devices[0].fault
    assert not found.healthy


def test_one_device_can_be_asked_for(machine):
    """By its name or its kind; one that is not there is an error."""
    assert [each.device for each in machine.examine("cuda").devices] == ["cuda:0"]
    assert [each.device for each in machine.examine("cpu").devices] == ["cpu"]
    with pytest.raises(DeviceUnavailable):
        machine.examine("tpu")


def test_cancelling_ends_it(machine):
    """Also while a child computes."""
    job = Job()
    job.cancel()
    with pytest.raises(JobCancelled):
        machine.examine(job=job)


@pytest.mark.parametrize(
    ("precisions", "best"),
    [
        (findings(fp32=90.0, fp16=50.0, bf16=40.0), "fp16"),
        (findings(fp32=90.0, fp16="scnet", bf16=40.0), "bf16"),
        (findings(fp32=90.0, fp16=20.0, bf16=40.0), "bf16"),
        (findings(fp32=90.0, fp16="scnet"), "fp32"),
    ],
)
def test_the_fastest_precision_that_comes_out_right_is_best(machine, precisions, best):
    """Half precision that spoils a network is passed over."""
    kinds = {name: msgspec.convert(found, PrecisionFinding) for name, found in precisions.items()}
    assert best_precision("fp16", DeviceFinding(device="cuda:0", precisions=kinds)) == best


def test_what_is_best_is_remembered_of_a_card(machine, tmp_path, monkeypatch):
    """By card, driver and build: with another driver it counts as never examined. Of the processor nothing is."""
    machine.child["cuda:0"]["precisions"] = findings(fp32=90.0, fp16="scnet", bf16=40.0)
    machine.examine()
    monkeypatch.setattr(cards, "describe", lambda name: CARD if name.startswith("cuda") else None)
    assert precision_of(tmp_path, "cuda:0") == "bf16"
    assert precision_of(tmp_path, "cpu") is None
    monkeypatch.setattr(cards, "describe", lambda name: msgspec.structs.replace(CARD, driver_cuda="13.1"))
    assert precision_of(tmp_path, "cuda:0") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"RTX 4090, 2.13.0+cu130, driver 13.0": {"precision": "fp8"}}']
)
def test_a_note_that_cannot_be_read_is_none(machine, tmp_path, content, monkeypatch):
    """And the next examination writes it anew."""
    monkeypatch.setattr(cards, "describe", lambda name: CARD)
    (tmp_path / diagnosis.NAME).write_bytes(content)
    assert precision_of(tmp_path, "cuda:0") is None
    machine.examine()
    assert precision_of(tmp_path, "cuda:0") == "fp16"


def test_a_folder_that_cannot_be_written_costs_only_the_note(machine, tmp_path, monkeypatch):
    """The examination has its result."""

    def refuse(*arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(diagnosis, "held", refuse)
    assert machine.examine().healthy
    assert not (tmp_path / diagnosis.NAME).exists()
