"""Data as values of our own types, also where threads meet a type for the first time."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from utils.core.typed import convert, decode

ROOT = Path(__file__).resolve().parents[3]

# Threads change as often as they can, and each has its own field of a type which nobody has used before.
MEETING = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import msgspec
from utils.core.typed import decode
sys.setswitchinterval(1e-6)

class Inner(msgspec.Struct):
    a: int | str | list[float] = 0

for _ in range(200):
    fields = [(f"field{number}", Inner | None, None) for number in range(10)]
    kind = msgspec.defstruct("Kind", fields)
    start = threading.Barrier(4)
    def meet():
        start.wait()
        assert decode('{"field3": {"a": 1}}', kind).field3.a == 1
    threads = [threading.Thread(target=meet) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("met")
"""


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: int
    y: float = 0.5


def test_text_and_plain_data_become_values():
    """With defaults for what is not there."""
    assert decode(b'{"x": 1}', Point) == convert({"x": 1}, Point) == Point(1, 0.5)
    assert convert({"x": "1"}, Point, strict=False) == Point(1, 0.5)


@pytest.mark.parametrize("text", ['{"x": "a"}', "{", '{"x": 1, "z": 2}'])
def test_what_does_not_fit_is_an_error(text):
    """As msgspec itself has it."""
    with pytest.raises(msgspec.DecodeError):
        decode(text, Point)


def test_threads_can_meet_a_type_at_the_same_time():
    """None of them crashes the process, and each has its value."""
    ran = subprocess.run([sys.executable, "-c", MEETING, str(ROOT)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "met\n", "")
