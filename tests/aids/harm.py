"""What a file may do to the library that reads it. The functions take any arguments, so that they stand for any reader."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def crash(*_):
    os.abort()


def end(*_):
    os._exit(3)


def fill(*_):
    """Take memory until there is none."""
    kept = []
    while True:
        kept.append(bytearray(16 << 20))


def hold(*_):
    """Compute for ever in C, where no other thread of Python runs."""
    return pow(3, 10**10)


def wait(*_):
    """For ever."""
    os.read(os.pipe()[0], 1)


def fail(*_):
    raise RuntimeError("it is\nbroken")


def chatter(*_):
    """Print, as libraries do, and return what cannot be handed over."""
    os.write(1, b"noise\n")
    sys.stdout.write("noise\n")
    return object()


def write_to(path):
    Path(path).write_bytes(b"harm")
