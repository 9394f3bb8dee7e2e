"""Which devices there are, and whether this build can compute on them. What cannot is never used, and never silently.

torch is imported inside the functions, so that importing this module is cheap.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from utils.core.errors import DeviceUnavailable
from utils.core.replies import Card

# The kinds of graphics cards that torch calls by these names, best first. AMD's are `cuda`, too.
KINDS = ("cuda", "xpu")
# The oldest drivers for the major versions of CUDA.
DRIVERS = {12: 525, 13: 580}
DRIVER_LIBRARIES = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
GUIDE = "docs/graphics-cards.md says which build is for which card."


@dataclass(frozen=True)
class Device:
    """A device by its name, and why it cannot be used, if so."""

    name: str
    fault: str | None = None


def found() -> list[Device]:
    """The devices of this machine, best first. Graphics cards are judged by what they and the build say of themselves."""
    import torch

    devices = []
    if torch.cuda.is_available():
        devices += [Device(f"cuda:{index}", _without_kernels(index)) for index in range(torch.cuda.device_count())]
    elif (fault := _unusable_driver()) is not None:
        devices.append(Device("cuda:0", fault))
    if torch.xpu.is_available():
        devices += [Device(f"xpu:{index}") for index in range(torch.xpu.device_count())]
    if torch.backends.mps.is_available():
        devices.append(Device("mps"))
    return [*devices, Device("cpu")]


def choose(requested: str) -> tuple[str, list[str]]:
    """The device for a request, and warnings about better ones that cannot be used.

    A request is `auto`, a kind or a name such as `cuda:1`, or several of these with commas, of which the first that works
    is taken. Only `auto` and lists fall back to another device. Raises `DeviceUnavailable`.
    """
    devices = found()
    wishes = [wish.strip() for wish in requested.split(",")]
    warnings: list[str] = []
    for wish in wishes:
        for device in _meant(wish, devices):
            fault = device.fault or _failure(device.name)
            if fault is None:
                return _short(device.name, wish), warnings
            if wish != "auto" and len(wishes) == 1:
                raise _unavailable(requested, devices, f" {fault}")
            warnings.append(f"`{device.name}` is not used. {fault}")
    raise _unavailable(requested, devices, "".join(f" {warning}" for warning in warnings) or _cause(wishes))


def _meant(wish: str, devices: Sequence[Device]) -> Iterable[Device]:
    """The devices that a wish allows, best first. A kind alone means its first device."""
    if wish == "auto":
        return devices
    name = f"{wish}:0" if wish in KINDS else wish
    return [device for device in devices if device.name == name]


def _short(name: str, wish: str) -> str:
    """The name of the first card is that of its kind, unless the request was more precise."""
    kind, _, index = name.partition(":")
    return kind if index == "0" and wish != name else name


def _unavailable(requested: str, devices: Sequence[Device], why: str) -> DeviceUnavailable:
    names = [device.name for device in devices if device.fault is None]
    return DeviceUnavailable(
        f"The device `{requested}` is not available here; available: {', '.join(names)}.{why}",
        hint=f"Use `--device auto`, or install the build for your graphics card and its driver: {GUIDE}",
        suggestions=names,
        field="device",
    )


def _cause(wishes: Sequence[str]) -> str:
    """What else is known about a missing device, in torch's own words, which programs look for."""
    import torch

    lacks_cuda = any(wish.startswith("cuda") for wish in wishes) and torch.version.cuda is torch.version.hip is None
    return " Torch not compiled with CUDA enabled." if lacks_cuda else ""


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


def _unusable_driver() -> str | None:
    """Why NVIDIA's cards are not there for torch, although they have a driver; None if they have none."""
    import torch

    driver = driver_cuda()
    if driver is None or torch.version.hip is not None:
        return None
    if torch.version.cuda is None:
        return f"This build of DSU cannot compute on NVIDIA's cards. Torch not compiled with CUDA enabled. {GUIDE}"
    needed = int(torch.version.cuda.partition(".")[0])
    if driver[0] < needed:
        return (
            f"The driver of the graphics card is too old: it knows CUDA {driver[0]}.{driver[1]}, and this build needs "
            f"{torch.version.cuda}. Install driver {DRIVERS.get(needed, 'of the newest version')} or newer."
        )
    return "There is a driver for NVIDIA's cards, but it shows none: `nvidia-smi` should list them."


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
    if kind not in KINDS:
        return None
    module = torch.get_device_module(kind)
    facts = module.get_device_properties(name)
    capability = ".".join(map(str, torch.cuda.get_device_capability(name))) if kind == "cuda" else None
    driver = driver_cuda() if torch.version.cuda is not None else None
    return Card(
        name=facts.name,
        memory_mb=round(facts.total_memory / 1e6),
        capability=capability,
        driver_cuda=".".join(map(str, driver)) if driver is not None else None,
        build=torch.__version__,
    )
