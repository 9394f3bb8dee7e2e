"""Which devices there are, and whether this build can compute on them. What cannot is never used, and never silently.

torch is imported inside the functions, so that importing this module is cheap.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from utils.core.errors import DeviceUnavailable, did_you_mean, nearest
from utils.core.replies import Card

# The kinds of graphics cards that torch calls by these names, best first. AMD's are `cuda`, too.
KINDS = ("cuda", "xpu")
# The oldest drivers for the major versions of CUDA.
DRIVERS = {12: 525, 13: 580}
DRIVER_LIBRARIES = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
MANAGEMENT_LIBRARIES = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}
GUIDE = "docs/graphics-cards.md says which build is for which card."


@dataclass(frozen=True)
class Device:
    """A device by its name, and why it cannot be used, if so."""

    name: str
    fault: str | None = None


def found() -> list[Device]:
    """The devices of this machine, best first, and those that the build is for but that are not there.

    Graphics cards are judged by what they and the build say of themselves.
    """
    import torch

    devices = []
    if torch.cuda.is_available():
        devices += [Device(f"cuda:{index}", _without_kernels(index)) for index in range(torch.cuda.device_count())]
    elif (fault := _without_cuda()) is not None:
        # Which cards there are torch may know all the same.
        devices += [Device(f"cuda:{index}", fault) for index in range(max(torch.cuda.device_count(), 1))]
    if torch.xpu.is_available():
        devices += [Device(f"xpu:{index}") for index in range(torch.xpu.device_count())]
    elif getattr(torch.version, "xpu", None) is not None:
        devices.append(Device("xpu:0", _absent("Intel", "the newest driver of Intel's graphics", "ZE_AFFINITY_MASK")))
    if torch.backends.mps.is_available():
        devices.append(Device("mps"))
    elif torch.backends.mps.is_built():
        devices.append(Device("mps", "macOS offers no graphics processor here: it is too old, or a virtual machine."))
    return [*devices, Device("cpu")]


def choose(requested: str) -> tuple[str, list[str]]:
    """The device for a request, and a warning about each better one that cannot be used.

    A request is `auto`, a kind or a name such as `cuda:1`, or several of these with commas, of which the first that works
    is taken. Only `auto` and lists fall back to another device. Raises `DeviceUnavailable`.
    """
    devices = found()
    wishes = [wish for part in requested.split(",") if (wish := part.strip())]
    for wish in wishes:
        _require_name(wish, requested, devices)
    passed_over: dict[str, str] = {}
    for wish in wishes:
        for device in _meant(wish, devices):
            fault = device.fault or _failure(device.name)
            if fault is None:
                return _short(device.name, wish), _told(passed_over)
            passed_over.setdefault(device.name, fault)
    reasons = passed_over.values() if len(wishes) == 1 else _told(passed_over)
    raise unavailable(requested, devices, "".join(f" {reason}" for reason in reasons))


def _require_name(wish: str, requested: str, devices: Sequence[Device]) -> None:
    """Refuse what is the name of no device anywhere, also in a list: the rest of it may be slower than what was meant."""
    kind, colon, index = wish.partition(":")
    if wish in ("auto", "mps", "cpu") or (kind in KINDS and (not colon or index.isdecimal())):
        return
    known = did_you_mean(nearest(kind, ("auto", *KINDS, "mps", "cpu"), limit=1))
    raise unavailable(requested, devices, f" `{wish}` is the name of no device.{known}")


def _meant(wish: str, devices: Sequence[Device]) -> Iterable[Device]:
    """The devices that a wish allows, best first. A kind alone means its first device."""
    if wish == "auto":
        return devices
    name = f"{wish}:0" if wish in KINDS else wish
    return [device for device in devices if device.name == name] or [Device(name, why_not_there(name, devices))]


def why_not_there(name: str, devices: Sequence[Device]) -> str:
    """Why there is no device of this name: what is known of its kind, in torch's own words, which programs look for."""
    import torch

    kind = name.partition(":")[0]
    others = [device for device in devices if device.name.partition(":")[0] == kind]
    if others and all(device.fault is not None for device in others):
        return str(others[0].fault)
    lacks_cuda = kind == "cuda" and torch.version.cuda is torch.version.hip is None
    return "Torch not compiled with CUDA enabled." if lacks_cuda else "There is no such device here."


def _told(passed_over: Mapping[str, str]) -> list[str]:
    """A line for each reason; several cards may share one."""
    names: dict[str, list[str]] = {}
    for name, fault in passed_over.items():
        names.setdefault(fault, []).append(f"`{name}`")
    return [
        f"{' and '.join(those)} {'is' if len(those) == 1 else 'are'} not used. {fault}"
        for fault, those in names.items()
    ]


def _short(name: str, wish: str) -> str:
    """The name of the first card is that of its kind, unless the request was more precise."""
    kind, _, index = name.partition(":")
    return kind if index == "0" and wish != name else name


def unavailable(requested: str, devices: Sequence[Device], why: str) -> DeviceUnavailable:
    """The error for a device that is not there, with those that are."""
    names = [device.name for device in devices if device.fault is None]
    return DeviceUnavailable(
        f"The device `{requested}` is not available here; available: {', '.join(names)}.{why}",
        hint=f"Use `--device auto`, or install the build for your graphics card and its driver: {GUIDE}",
        suggestions=names,
        field="device",
    )


# What can be wrong with a card --------------------------------------------------------------------------------------


def driver_cuda() -> tuple[int, int] | None:
    """The version of CUDA that the driver of NVIDIA's cards knows; None if there is no driver."""
    try:
        library = ctypes.CDLL(DRIVER_LIBRARIES[sys.platform])
        version = ctypes.c_int(0)
        if library.cuDriverGetVersion(ctypes.byref(version)) != 0:
            return None
    except (KeyError, OSError, AttributeError):
        return None
    return version.value // 1000, version.value % 1000 // 10


def needed_driver() -> int | None:
    """The oldest driver for which this build is made, by its number; None where that is not known."""
    import torch

    return DRIVERS.get(int(torch.version.cuda.partition(".")[0])) if torch.version.cuda is not None else None


def driver_version() -> str | None:
    """The number of the driver of NVIDIA's cards, such as `580.65.06`; None if there is none."""
    text = ctypes.create_string_buffer(96)
    try:
        library = ctypes.CDLL(MANAGEMENT_LIBRARIES[sys.platform])
        if library.nvmlInit_v2() != 0 or library.nvmlSystemGetDriverVersion(text, len(text)) != 0:
            return None
    except (KeyError, OSError, AttributeError):
        return None
    return text.value.decode("ascii", "replace") or None


def _without_cuda() -> str | None:
    """Why there is none of the cards that torch calls `cuda`; None if nothing speaks for one."""
    import torch

    if torch.version.hip is not None:
        return _absent("AMD", f"ROCm {'.'.join(torch.version.hip.split('.')[:2])}", "HIP_VISIBLE_DEVICES", "rocminfo")
    driver = driver_cuda()
    if torch.version.cuda is None:
        if driver is None:
            return None
        return f"This build of DSU cannot compute on NVIDIA's cards. Torch not compiled with CUDA enabled. {GUIDE}"
    needed = int(torch.version.cuda.partition(".")[0])
    newest = f"driver {DRIVERS.get(needed, 'of the newest version')} or newer"
    if driver is None:
        return _absent("NVIDIA", newest, "CUDA_VISIBLE_DEVICES", "nvidia-smi")
    if driver[0] < needed:
        number = driver_version()
        return (
            f"The driver of the graphics card{f', {number},' if number else ''} is too old: it knows CUDA "
            f"{driver[0]}.{driver[1]}, and this build needs {torch.version.cuda}. Install {newest}."
        )
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    cause = (
        "`nvidia-smi` should list them."
        if shown is None
        else f"`CUDA_VISIBLE_DEVICES` is `{shown}`; it has to begin with the number or the UUID of a card that "
        "`nvidia-smi -L` lists."
    )
    return f"There is a driver for NVIDIA's cards, but it shows none: {cause}"


def _absent(maker: str, driver: str, variable: str, program: str | None = None) -> str:
    """Why a build for cards finds none."""
    shown = os.environ.get(variable)
    listed = f", which `{program}` should list" if program else ""
    return (
        f"This build is for the graphics cards of {maker}, and there is no driver or no card{listed}. Install {driver}; "
        "without such a card, the build for processors (`cpu`) is enough."
        + (f" `{variable}` is `{shown}`, which may hide cards." if shown is not None else "")
    )


def _without_kernels(index: int) -> str | None:
    """Why this build has nothing that a card can run; None if it has."""
    import torch

    built = torch.cuda.get_arch_list()
    if torch.version.cuda is None or not built:
        return None  # AMD's builds have no such list
    capability = torch.cuda.get_device_capability(index)
    if can_run(capability, built):
        return None
    older = capability < min(version for _, version in map(_architecture, built))
    return (
        f"This build has no kernels for {torch.cuda.get_device_name(index)}, whose compute capability is "
        f"{capability[0]}.{capability[1]}; it has some for {', '.join(built)}. "
        + ("Use the build `cuda-legacy`. " if older else "Use a newer build. ")
        + GUIDE
    )


def can_run(capability: tuple[int, int], built: Iterable[str]) -> bool:
    """Whether a card can run one of a build's architectures, by the names that torch has for them.

    `sm_86` runs on cards of the same major version with the same minor version or a higher one, `compute_90` is
    translated for all later cards.
    """
    for kind, (major, minor) in map(_architecture, built):
        if kind == "compute" and (major, minor) <= capability:
            return True
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return True
    return False


def _architecture(name: str) -> tuple[str, tuple[int, int]]:
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", name)
    return (found[1], (int(found[2]), int(found[3]))) if found else ("", (0, 0))


def _failure(name: str) -> str | None:
    """Why a device cannot even multiply two small matrices; None if it can."""
    import torch

    if name == "cpu":
        return None
    try:
        ones = torch.ones(8, 8, device=name)
        product = (ones @ ones).cpu()
    except Exception as error:  # noqa: BLE001  # whatever a driver raises
        return f"It cannot compute: {str(error).strip().partition(chr(10))[0]}"
    return (
        None
        if bool((product == 8).all())
        else "It computes wrongly: the product of two small matrices is not what it should be."
    )


# What is told about the card in use ----------------------------------------------------------------------------------


def describe(name: str) -> Card | None:
    """The card behind a device; None for processors."""
    import torch

    kind = name.partition(":")[0]
    if kind == "mps":
        memory_mb = round(torch.mps.recommended_max_memory() / 1e6)
        return Card(name=torch.backends.mps.get_name(), memory_mb=memory_mb, build=torch.__version__)
    if kind not in KINDS:
        return None
    module = torch.get_device_module(kind)
    facts = module.get_device_properties(name)
    is_nvidia = kind == "cuda" and torch.version.cuda is not None
    driver = driver_cuda() if is_nvidia else None
    uuid = getattr(facts, "uuid", None)
    return Card(
        name=facts.name,
        memory_mb=round(facts.total_memory / 1e6),
        capability=".".join(map(str, torch.cuda.get_device_capability(name))) if kind == "cuda" else None,
        driver_cuda=".".join(map(str, driver)) if driver is not None else None,
        driver=driver_version() if is_nvidia else None,
        uuid=f"GPU-{str(uuid).removeprefix('GPU-')}" if is_nvidia and uuid is not None else None,
        build=torch.__version__,
    )
