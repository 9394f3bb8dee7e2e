"""`dsu doctor`, for people: what the doctor has found, as a table, as JSON, or as a report to send to somebody."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from utils.commandline.display import open_display
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.layout import Layout, Option, Run
from utils.commandline.options import Typed, read
from utils.commandline.program import MakeEngine, ShownJob, answered
from utils.core.errors import InvalidRequest, OutputNotWritable
from utils.core.job import JobCancelled
from utils.core.replies import Card, DeviceFinding, Diagnosis
from utils.core.requests import Doctor
from utils.core.settings import resolve

EXACT_DB = 200.0
MARKS = {"good": "ok", "warning": "warning", "problem": "PROBLEM"}


class DoctorRun(Run, frozen=True, kw_only=True):
    """What becomes of what was found."""

    json: Annotated[bool, Meta(description="Print one JSON document.")] = False
    report: Annotated[
        str | None, Meta(description="Also write to FILE what the report of a bug needs, without private paths.")
    ] = None


DOCTOR = Layout(
    program="dsu doctor",
    description="Examine this machine: disks, codecs, limits, and how each device computes.\n"
    "What was found best for a graphics card is used from then on.",
    requests=(),
    groups={},
    ungrouped=("device", "threads", "json", "report", "models_dir"),
    machine=(),
    run=DoctorRun,
    options={"report": Option(metavar="FILE")},
    usage="[options]",
    things=("NAME", "nothing"),
)


def doctor(argv: Sequence[str], make_engine: MakeEngine) -> int:
    """Examine the machine; status 1 if there is a problem."""
    return answered(DOCTOR.program, lambda: read(DOCTOR, argv), lambda typed: _examine(typed, make_engine))


def _examine(typed: Typed, make_engine: MakeEngine) -> int:
    run = typed.run
    if not isinstance(run, DoctorRun):
        raise TypeError(run)
    if typed.words.tracks:
        raise InvalidRequest("`dsu doctor` examines the machine, and takes no files.")
    settings = typed.given(("device", "threads", "models_dir"))
    engine = make_engine(resolve(settings))
    try:
        with open_display(sys.stderr) as display:
            job = ShownJob(display)
            with cancelled_by_signals(job, display.line) as interrupts:
                try:
                    display.doing("Examining")
                    diagnosis = engine.doctor(Doctor(device=settings.get("device")), job)
                except JobCancelled:
                    display.line("Stopped.")
                    return interrupts.status
    finally:
        engine.close()
    text = "".join(f"{line}\n" for line in lines_of(diagnosis))
    if run.report is not None:
        _write(Path(run.report).expanduser(), without_private_paths(text))
    sys.stdout.write(f"{_as_json(diagnosis)}\n" if run.json else text)
    return 0 if diagnosis.healthy else 1


def _as_json(diagnosis: Diagnosis) -> str:
    return msgspec.json.format(msgspec.json.encode(diagnosis)).decode()


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputNotWritable(f"'{target}' cannot be written: {error.strerror}.", field="report") from error


def without_private_paths(text: str) -> str:
    """The text without the user's folder, nor the name where it is part of another path."""
    home = Path.home()
    if home != Path(home.anchor):  # it is, in some containers
        text = text.replace(str(home), "~")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # there is none
        return text
    return re.sub(rf"(?<=[/\\]){re.escape(user)}(?!\w)", "USER", text)


# The table ----------------------------------------------------------------------------------------------------------


def lines_of(diagnosis: Diagnosis) -> Iterator[str]:
    """What was found, in lines for people."""
    yield f"DSU {diagnosis.version} on {diagnosis.system}"
    yield ""
    for finding in diagnosis.findings:
        yield f"{MARKS[finding.state]:8} {finding.check:16} {finding.message}"
        if isinstance(finding.hint, str) and finding.hint:
            yield f"{'':25} {finding.hint}"
    for device in diagnosis.devices:
        yield ""
        yield from _device_lines(device)
    yield ""
    problems = sum(finding.state == "problem" for finding in diagnosis.findings)
    problems += sum(device.fault is not UNSET for device in diagnosis.devices)
    yield "Everything is in order." if not problems else f"Problems found: {problems}."


def _device_lines(device: DeviceFinding) -> Iterator[str]:
    title = f"{device.card.name}, {device.card.memory_mb / 1000:.1f} GB" if isinstance(device.card, Card) else ""
    yield f"{device.device:8} {title}".rstrip()
    if isinstance(device.fault, str):
        yield f"{'PROBLEM':8} {device.fault}"
    for precision, found in device.precisions.items():
        used = " (what `auto` means)" if precision == device.precision else ""
        yield f"{'ok' if not found.faults else 'warning':8} {precision:16} {_agreement(found.lowest_db)}{used}"
        for network, fault in found.faults.items():
            yield f"{'':25} {network}: {fault}"
    yield from (f"{'warning':8} {warning}" for warning in device.warnings)
    yield from _facts(device)


def _agreement(lowest_db: float | None) -> str:
    if lowest_db is None:
        return "no network ran"
    return "exact" if lowest_db >= EXACT_DB else f"errors of at most -{lowest_db:.0f} dB"


def _facts(device: DeviceFinding) -> Iterator[str]:
    facts: dict[str, Any] = {
        "driver": _driver(device),
        "memory": _known(device.free_mb, "{:.0f} MB are free"),
        "spectrum": _agreement(device.spectrum_db) if isinstance(device.spectrum_db, float) else "",
        "attention": ", ".join(device.attention),
        "MDX models": device.mdx if isinstance(device.mdx, str) else "",
        "speed": _known(device.speed, "{:.1f} s of audio a second, of a small fixed network"),
        "memory left": _known(device.memory_left_mb or UNSET, "{:.0f} MB were not returned"),
    }
    yield from (f"{'':8} {name:16} {text}" for name, text in facts.items() if text)


def _driver(device: DeviceFinding) -> str:
    if not isinstance(device.card, Card) or device.card.driver is None:
        return ""
    needed = f", for which {device.driver_needed} or newer is needed" if device.driver_needed else ""
    return f"{device.card.driver}{needed}"


def _known(value: float | UnsetType | None, text: str) -> str:
    return text.format(value) if isinstance(value, float) else ""
