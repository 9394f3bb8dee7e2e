"""The whole examination: the machine, then each device in a child process of its own, which may die of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from utils import __version__, cards
from utils import device as devices
from utils.core import isolation
from utils.core.errors import DsuError
from utils.core.job import Job, working_on
from utils.core.replies import Card, DeviceFinding, Diagnosis
from utils.core.settings import Arithmetic, Settings
from utils.core.typed import convert, decode
from utils.doctor import surroundings
from utils.doctor.computing import LEAST_DB, examine
from utils.store.locks import held
from utils.store.part_file import PartFile
from utils.store.plain_files import open_file

NAME = "doctor.json"  # in the models directory: what was found of devices, for the workers that come after
LARGEST_BYTES = 1 << 20
# Drivers reserve more addresses than there is memory; what is examined is ours, and small.
ALLOWANCE = isolation.Allowance(memory_bytes=1 << 62, seconds=600.0)
SURROUNDINGS, EACH_DEVICE = 1.0, 3.0  # shares of the time


class CardVerdict(msgspec.Struct, frozen=True):
    """What was found of a device, by its card and driver, and by what computes on it."""

    precision: Arithmetic


def diagnose(settings: Settings, threads: int, asked: str | None, job: Job) -> Diagnosis:
    """Examine the machine and its devices, or only the one that is asked for."""
    started = time.perf_counter()
    job.begin_stages(machine=SURROUNDINGS, devices=EACH_DEVICE)
    findings = []
    for finding in surroundings.survey(settings):
        findings.append(finding)
        job.checkpoint()
    job.progress("machine", 1.0, 1.0)
    found = [device for device in cards.found() if asked in (None, device.name, device.name.partition(":")[0])]
    if asked is not None and not found:
        cards.choose(asked)  # says what there is
    examined = []
    for number, device in enumerate(found):
        examined.append(_examined(device, threads, job))
        job.progress("devices", number + 1, len(found))
    _remember(settings.models_dir, examined, job)
    return Diagnosis(
        healthy=not any(finding.state == "problem" for finding in findings)
        and not any(device.fault for device in examined),
        version=__version__,
        system=f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
        findings=findings,
        devices=examined,
        elapsed=round(time.perf_counter() - started, 1),
    )


def _examined(device: cards.Device, threads: int, job: Job) -> DeviceFinding:
    if device.fault is not None:
        return DeviceFinding(device=device.name, fault=device.fault)
    card = cards.describe(device.name)
    try:
        with working_on(job):
            found: dict[str, Any] = isolation.call(examine, device.name, threads, allowance=ALLOWANCE)
    except isolation.Broken as broken:
        fault = f"Computing on it {broken}. Install the newest driver, or use another device."
        return DeviceFinding(device=device.name, card=card or UNSET, fault=fault)
    finding = convert({"device": device.name, **found}, DeviceFinding)
    broken_networks = finding.precisions["fp32"].faults
    return msgspec.structs.replace(
        finding,
        card=card or UNSET,
        fault=_told(broken_networks) if broken_networks else UNSET,
        precision=best_precision(device.name, finding),
    )


def _told(faults: dict[str, str]) -> str:
    listed = "; ".join(f"{network} {fault}" for network, fault in faults.items())
    return f"Networks do not compute as they should in single precision: {listed}."


def best_precision(device: str, finding: DeviceFinding) -> Arithmetic:
    """The fastest precision in which all networks come out right; single precision if none does."""
    fastest = devices.fastest_precision(device)
    wishes: Sequence[Arithmetic] = ("fp32",) if fastest == "fp32" else (fastest, "bf16", "fp16")
    for precision in wishes:
        found = finding.precisions.get(precision)
        if found is not None and not found.faults and (found.lowest_db or 0.0) >= LEAST_DB[precision]:
            return precision
    return "fp32"


# What workers remember of it ----------------------------------------------------------------------------------------


def precision_of(models_dir: Path, device: str) -> Arithmetic | None:
    """The precision that an examination of this device has found best; None if there was none of this card and build."""
    known = _read(models_dir).get(_key(cards.describe(device)))
    return known.precision if known is not None and device != "cpu" else None


def _remember(models_dir: Path, examined: Sequence[DeviceFinding], job: Job) -> None:
    """Note it for cards; where that cannot be written, nothing is remembered."""
    verdicts = {
        _key(device.card): CardVerdict(device.precision)
        for device in examined
        if isinstance(device.card, Card) and not isinstance(device.precision, msgspec.UnsetType)
    }
    if not verdicts:
        return
    place = models_dir / NAME
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with held(place.with_name(f"{NAME}.lock"), job.checkpoint), PartFile(place, job.checkpoint) as part:
            part.restart()
            part.write(msgspec.json.format(msgspec.json.encode({**_read(models_dir), **verdicts})))
            part.publish()
    except (OSError, DsuError):
        return


def _key(card: Card | None) -> str:
    return "" if card is None else f"{card.name}, {card.build}, driver {card.driver_cuda}"


def _read(models_dir: Path) -> dict[str, CardVerdict]:
    try:
        with open_file(models_dir / NAME) as file:
            return decode(file.read(LARGEST_BYTES), dict[str, CardVerdict])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}
