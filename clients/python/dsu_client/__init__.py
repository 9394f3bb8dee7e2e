"""Drives the DSU workers, which separate music into stems, from Python: out of process, typed, standard library only."""

from .client import DSU, AsyncDSU
from .connection import Limits
from .errors import (
    CLIENT_CODES,
    DeviceError,
    DSUError,
    InputError,
    JobCancelled,
    ModelError,
    OutputError,
    RequestError,
    WorkerError,
)
from .job import Stems
from .live import LiveSegment
from .locate import find_program
from .pool import AsyncPool, Pool

__all__ = [
    "CLIENT_CODES",
    "DSU",
    "AsyncDSU",
    "AsyncPool",
    "DSUError",
    "DeviceError",
    "InputError",
    "JobCancelled",
    "Limits",
    "LiveSegment",
    "ModelError",
    "OutputError",
    "Pool",
    "RequestError",
    "Stems",
    "WorkerError",
    "find_program",
]
