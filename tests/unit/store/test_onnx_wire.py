"""The bytes of ONNX files."""

from __future__ import annotations

import pytest

from utils.store.onnx_wire import number_at, varint, without_fixed_frames


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**40])
def test_varints(value):
    """Numbers of any size survive a round trip."""
    assert number_at(varint(value), 0)[0] == value


@pytest.mark.parametrize("message", [b"\x0a\x05ab", b"\x0b", b"\xff", b"\xff" * 20])
def test_malformed_messages(message):
    """Truncated messages, unknown wire types and numbers without an end are no files."""
    with pytest.raises((ValueError, IndexError)):
        without_fixed_frames(message)
