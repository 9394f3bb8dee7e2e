"""Whether the first bytes of a file are those of what its name says. Nothing is read here, and nothing decided but that."""

from __future__ import annotations

from pathlib import PurePath

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"
POINTER = b"version https://git-lfs"
PAGES = (b"<!doctype", b"<html", b"<?xml")
TORCH_SUFFIXES = frozenset({".ckpt", ".pt", ".pth", ".th"})


def mistaken(start: bytes) -> str | None:
    """What a file is that was saved by mistake in place of any other; None if it is not such a file."""
    if not start:
        return "is empty"
    if start.startswith(POINTER):
        return "is a Git LFS pointer to the file, not the file itself"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
        return "is a web page, probably an error page that was saved instead of the file"
    return None


def unlike(name: str, start: bytes) -> str | None:
    """Why a file with this name and these first bytes is not what its name says; None if it may be."""
    problem, suffix = mistaken(start), PurePath(name).suffix.lower()
    if problem is not None:
        return problem
    if suffix in TORCH_SUFFIXES and not start.startswith((ZIP, PICKLE)):
        return "is not a checkpoint of torch"
    if suffix == ".safetensors" and start[8:9] != b"{":
        return "is not a checkpoint"
    if suffix == ".onnx" and start[:1] != b"\x08":  # the version of the format comes first
        return "is not an ONNX network"
    return None
