"""The whole examination. Devices are pretended, and what the child finds of them."""

from __future__ import annotations

import os
from dataclasses import replace

import msgspec
import pytest

from tests.aids import harm
from utils import cards
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
                },
                "cpu": {"precisions": findings(fp32=200.0, bf16=40.0)},
            }
            self.surroundings = [GOOD]
            self.devices = [cards.Device("cuda:0"), cards.Device("cpu")]

        def examine(self, asked=None, job=None):
            settings = Settings(models_dir=tmp_path)
            return diagnosis.diagnose(settings, 1, asked, job or Job())

    one = Machine()

    def call(function, device, threads, *, allowance):
        current_job().checkpoint()
        if isinstance(one.child[device], isolation.Broken):
            raise one.child[device]
        return one.child[device]

    monkeypatch.setattr(diagnosis.surroundings, "survey", lambda settings: iter(one.surroundings))
    monkeypatch.setattr(cards, "found", lambda: one.devices)
    monkeypatch.setattr(cards, "describe", lambda name: CARD if name.startswith("cuda") else None)
    monkeypatch.setattr(diagnosis.devices, "fastest_precision", lambda name: "fp16" if name != "cpu" else "fp32")
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
    assert best_precision("cuda:0", DeviceFinding(device="cuda:0", precisions=kinds)) == best


def test_what_is_best_is_remembered_of_a_card(machine, tmp_path, monkeypatch):
    """By card, driver and build: with another driver it counts as never examined. Of the processor nothing is."""
    machine.child["cuda:0"]["precisions"] = findings(fp32=90.0, fp16="scnet", bf16=40.0)
    machine.examine()
    assert precision_of(tmp_path, "cuda:0") == "bf16"
    assert precision_of(tmp_path, "cpu") is None
    monkeypatch.setattr(cards, "describe", lambda name: msgspec.structs.replace(CARD, driver_cuda="13.1"))
    assert precision_of(tmp_path, "cuda:0") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"RTX 4090, 2.13.0+cu130, driver 13.0": {"precision": "fp8"}}']
)
def test_a_note_that_cannot_be_read_is_none(machine, tmp_path, content):
    """And the next examination writes it anew."""
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


def test_a_device_is_what_the_cards_say(machine):
    """A list of devices is not changed by examining it."""
    before = [replace(device) for device in machine.devices]
    machine.examine()
    assert machine.devices == before
