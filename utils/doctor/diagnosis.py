"""The whole examination: the machine, then each device in a child process of its own, which may die of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from utils import __version__, cards
from utils.core import isolation
from utils.core.errors import DsuError
from utils.core.job import Job, working_on
from utils.core.replies import Card, DeviceFinding, Diagnosis, MachineFinding
from utils.core.settings import Arithmetic, Settings
from utils.core.typed import convert, decode
from utils.doctor import surroundings
from utils.doctor.computing import LEAST_DB, examine, look
from utils.store.locks import held
from utils.store.part_file import PartFile
from utils.store.plain_files import open_file

NAME = "doctor.json"  # in the models directory: what was found of devices, for the workers that come after
LARGEST_BYTES = 1 << 20
# Drivers reserve more addresses than there is memory; what is examined is ours, and small.
ALLOWANCE = isolation.Allowance(memory_bytes=1 << 62, seconds=600.0)
LEAST_SPECTRUM_DB = 80.0
LEAST_FREE_MB = 2000.0  # what a large model and its chunks need
SURROUNDINGS, EACH_DEVICE = 1.0, 3.0  # shares of the time


class CardVerdict(msgspec.Struct, frozen=True):
    """What was found of a device, by its card and driver, and by what computes on it."""

    precision: Arithmetic


def diagnose(settings: Settings, threads: int, asked: str | None, job: Job) -> Diagnosis:
    """Examine the machine and its devices, or only those that are asked for."""
    started = time.perf_counter()
    job.begin_stages(machine=SURROUNDINGS, devices=EACH_DEVICE)
    findings: list[MachineFinding] = []
    found = _asked_for(asked, _found(findings, job))
    for finding in surroundings.survey(settings):
        findings.append(finding)
        job.checkpoint()
    job.progress("machine", 1.0, 1.0)
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


class _Found(msgspec.Struct, frozen=True):
    """A device as the child sees it."""

    name: str
    fault: str | None = None
    card: Card | None = None


def _found(findings: list[MachineFinding], job: Job) -> list[_Found]:
    """The devices of this machine. Where looking for them ends the child, that is a finding, and there is the processor."""
    try:
        with working_on(job):
            return convert(isolation.call(look, allowance=ALLOWANCE), list[_Found])
    except isolation.Broken as broken:
        findings.append(
            MachineFinding(
                check="devices",
                state="problem",
                message=f"Looking for graphics cards {broken}.",
                hint="Install the newest driver. Until then `--device cpu` works.",
            )
        )
        return [_Found("cpu")]


def _asked_for(asked: str | None, found: Sequence[_Found]) -> Sequence[_Found]:
    """Those of the devices that are meant. Raises `DeviceUnavailable` where there is none of a name."""
    wishes = [wish.strip() for wish in (asked or "auto").split(",")]
    if "auto" in wishes:
        return found
    known = [cards.Device(device.name, device.fault) for device in found]
    for wish in wishes:
        if not any(wish in (device.name, device.name.partition(":")[0]) for device in found):
            raise cards.unavailable(wish, known, f" {cards.why_not_there(wish, known)}")
    return [device for device in found if {device.name, device.name.partition(":")[0]} & {*wishes}]


def _examined(device: _Found, threads: int, job: Job) -> DeviceFinding:
    if device.fault is not None:
        return DeviceFinding(device=device.name, fault=device.fault)
    card = device.card or UNSET
    try:
        with working_on(job):
            found: dict[str, Any] = isolation.call(examine, device.name, threads, allowance=ALLOWANCE)
    except isolation.Broken as broken:
        fault = f"Computing on it {broken}. Install the newest driver, or use another device."
        return DeviceFinding(device=device.name, card=card, fault=fault)
    finding = convert({"device": device.name, **found}, DeviceFinding)
    return msgspec.structs.replace(
        finding,
        card=card,
        fault=" ".join(_faults(finding)) or UNSET,
        warnings=list(_warnings(finding, device.card, found.get("mdx_fault"))),
        precision=best_precision(found["fastest"], finding),
    )


def _faults(finding: DeviceFinding) -> Iterator[str]:
    """Why a device should not be used."""
    if faults := finding.precisions["fp32"].faults:
        listed = "; ".join(f"{network} {fault}" for network, fault in faults.items())
        yield f"Networks do not compute as they should in single precision: {listed}."
    if finding.spectrum_db is None:
        yield "It computes no spectra."
    elif isinstance(finding.spectrum_db, float) and finding.spectrum_db < LEAST_SPECTRUM_DB:
        yield (
            f"A spectrum does not become the signal again that it is of ({finding.spectrum_db:.0f} dB). Install the newest "
            "driver, or use another device."
        )


def _warnings(finding: DeviceFinding, card: Card | None, mdx_fault: str | None) -> Iterator[str]:
    """What is worth to be mended."""
    if card is not None and isinstance(finding.free_mb, float) and finding.free_mb < LEAST_FREE_MB:
        yield f"Only {finding.free_mb / 1000:.1f} GB of its memory are free: close other programs that use it."
    number = (card.driver or "").partition(".")[0] if card is not None else ""
    if number.isdecimal() and isinstance(finding.driver_needed, int) and int(number) < finding.driver_needed:
        yield f"Its driver is {number}, and this build is made for {finding.driver_needed} or newer: install that."
    if mdx_fault is not None:
        yield (
            f"MDX models cannot be run: {mdx_fault}."
            if finding.mdx is None
            else f"MDX models run on the processor: onnxruntime has a part for this device, but {mdx_fault}."
        )


def best_precision(fastest: Arithmetic, finding: DeviceFinding) -> Arithmetic:
    """The fastest precision in which all networks come out right; single precision if none does."""
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
    return "" if card is None else f"{card.name}, {card.build}, driver {card.driver or card.driver_cuda}"


def _read(models_dir: Path) -> dict[str, CardVerdict]:
    try:
        with open_file(models_dir / NAME) as file:
            return decode(file.read(LARGEST_BYTES), dict[str, CardVerdict])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}
