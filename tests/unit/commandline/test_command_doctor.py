"""`dsu doctor`: what a person sees of what was found."""

from __future__ import annotations

import json

import pytest
from scripted_engine import ScriptedEngine

from utils.commandline import doctor as command
from utils.core.errors import DeviceUnavailable
from utils.core.replies import Card, DeviceFinding, Diagnosis, MachineFinding, PrecisionFinding

CARD = Card(
    name="RTX 4090", memory_mb=25300, capability="8.9", driver_cuda="13.0", driver="575.1", build="2.13.0+cu130"
)
RIGHT = PrecisionFinding(lowest_db=42.4, lowest_of="scnet", faults={})
EXACT = PrecisionFinding(lowest_db=200.0, lowest_of="scnet", faults={})
WRONG = PrecisionFinding(lowest_db=None, lowest_of="", faults={"scnet": "overflows"})
FINDINGS = [
    MachineFinding(check="files", state="good", message="New files can be renamed."),
    MachineFinding(check="models", state="warning", message="The disk is nearly full.", hint="Free some space."),
]
DEVICES = [
    DeviceFinding(
        device="cuda:0",
        card=CARD,
        precision="bf16",
        precisions={"fp32": EXACT, "fp16": WRONG, "bf16": RIGHT},
        attention=["flash", "math"],
        speed=12.5,
        memory_left_mb=0.0,
        spectrum_db=130.0,
        free_mb=24000.0,
        driver_needed=580,
        mdx="CUDAExecutionProvider",
        warnings=["Its driver is old."],
    ),
    DeviceFinding(device="cuda:1", fault="Its driver is too old."),
]


class Doctored(ScriptedEngine):
    """An engine that finds this."""

    def __init__(self, *, healthy=True, devices=()):
        super().__init__()
        self.asked = []
        self.found = Diagnosis(
            healthy=healthy, version="1.0", system="Linux", findings=FINDINGS, devices=list(devices), elapsed=1.0
        )

    def doctor(self, request, job):
        self.asked.append(request.device)
        if request.device == "tpu":
            raise DeviceUnavailable("The device `tpu` is not available here.", field="device")
        return self.found


def run(engine, *words):
    return command.doctor(words, lambda settings: engine)


def test_what_was_found_is_a_table(capsys):
    """One line for each check, with what to do, and a part for each device."""
    engine = Doctored(healthy=False, devices=DEVICES)
    assert run(engine) == 1
    assert engine.closed
    assert not engine.started
    assert capsys.readouterr().out.splitlines() == [
        "DSU 1.0 on Linux",
        "",
        "ok       files            New files can be renamed.",
        "warning  models           The disk is nearly full.",
        "                          Free some space.",
        "",
        "cuda:0   RTX 4090, 25.3 GB",
        "ok       fp32             exact",
        "warning  fp16             no network ran",
        "                          scnet: overflows",
        "ok       bf16             errors of at most -42 dB (what `auto` means)",
        "warning  Its driver is old.",
        "         driver           575.1, for which 580 or newer is needed",
        "         memory           24000 MB are free",
        "         spectrum         errors of at most -130 dB",
        "         attention        flash, math",
        "         MDX models       CUDAExecutionProvider",
        "         speed            12.5 s of audio a second, of a small fixed network",
        "",
        "cuda:1",
        "PROBLEM  Its driver is too old.",
        "",
        "Problems found: 1.",
    ]


def test_a_healthy_machine_is_status_0(capsys):
    """And the last line says so."""
    assert run(Doctored()) == 0
    assert capsys.readouterr().out.endswith("\n\nEverything is in order.\n")


def test_programs_get_one_json_document(capsys):
    """With all that the reply has."""
    assert run(Doctored(devices=DEVICES), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["healthy"], found["devices"][0]["card"]["name"]) == (True, "RTX 4090")


def test_a_report_has_no_private_paths(capsys, tmp_path, monkeypatch):
    """The folder and the name of the user are left out."""
    home = tmp_path / "home" / "ann"
    monkeypatch.setattr(command.Path, "home", lambda: home)
    monkeypatch.setattr(command.getpass, "getuser", lambda: "ann")
    engine = Doctored(devices=[DeviceFinding(device="cpu", fault=f"'{home}/x' is broken, and /mnt/ann/y.")])
    assert run(engine, "--report", str(tmp_path / "report.txt")) == 0
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "'~/x' is broken, and /mnt/USER/y." in text
    assert str(home) in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_an_error(capsys, tmp_path):
    """With the name of the file."""
    assert run(Doctored(), "--report", str(tmp_path / "none" / "report.txt")) == 1
    assert "report.txt' cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [(("--device", "tpu"), 2, "`tpu` is not available"), (("song.mp3",), 2, "takes no files")],
)
def test_mistakes_are_one_line(capsys, words, status, told):
    """Nothing is examined for a wrong argument."""
    assert run(Doctored(), *words) == status
    assert told in capsys.readouterr().err


def test_one_device_is_asked_for(capsys):
    """By its name."""
    engine = Doctored()
    assert run(engine, "--device", "cuda:1") == 0
    assert engine.asked == ["cuda:1"]
