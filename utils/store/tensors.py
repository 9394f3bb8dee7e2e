"""Makes the tensors of a checkpoint, of whose content `torch_files` says where they are.

What it says is not believed: a tensor never has more elements than its file has bytes for, and no memory is reserved for what
a file only claims.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from utils.core.job import current_job
from utils.store.plain_files import open_file
from utils.store.torch_files import ITEM_BYTES, unpacked

LONGEST_SHAPE = 16
BLOCK_BYTES = 16 << 20
SMALL_BYTES = 1 << 20  # repeated values, such as a buffer that was expanded, may take this much more than the file


def with_tensors(packed: Any, path: Path, *, mapped: bool) -> Any:
    """The content of the checkpoint at `path`. Raises `ValueError` or `EOFError` if the file has not what it promises."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        whole = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8) if mapped and size else None
        return unpacked(packed, _Tensors(file, size, whole).make)


class _Tensors:
    """The tensors of one file. Those that share memory there share it here."""

    def __init__(self, file: IO[bytes], file_bytes: int, whole: Tensor | None) -> None:
        self._file = file
        self._file_bytes = file_bytes
        self._whole = whole
        self._contents: dict[tuple[int, int], Tensor] = {}
        self._read_bytes = 0

    def make(self, kind: Any, start: Any, size: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
        numbers = (start, size, offset, *shape, *strides)
        if kind not in ITEM_BYTES or len(shape) != len(strides) or len(shape) > LONGEST_SHAPE:
            raise ValueError("a tensor has an impossible type or shape")
        if not all(isinstance(number, int) and 0 <= number < 1 << 62 for number in numbers):
            raise ValueError("a tensor has an impossible size")
        elements, last = 1, offset
        for length, step in zip(shape, strides, strict=True):
            elements *= length
            last += (length - 1) * step
        if elements and (last + 1) * ITEM_BYTES[kind] > size:
            raise ValueError("a tensor is larger than its data")
        if elements * ITEM_BYTES[kind] > self._file_bytes + SMALL_BYTES:
            raise ValueError("a tensor is larger than the file")
        storage = self._content(start, size).untyped_storage()
        return torch.empty(0, dtype=getattr(torch, kind)).set_(storage, offset, shape, strides)

    def _content(self, start: int, size: int) -> Tensor:
        """The bytes of a storage."""
        if start + size > self._file_bytes:
            raise ValueError("it is shorter than it should be")
        if (start, size) not in self._contents:
            self._contents[start, size] = self._read(start, size) if self._whole is None else self._part(start, size)
        return self._contents[start, size]

    def _part(self, start: int, size: int) -> Tensor:
        storage = cast(Tensor, self._whole).untyped_storage()
        return torch.empty(0, dtype=torch.uint8).set_(storage[start : start + size])

    def _read(self, start: int, size: int) -> Tensor:
        self._read_bytes += size
        if self._read_bytes > self._file_bytes:
            raise ValueError("its tensors are larger than the file")
        self._file.seek(start)
        return _filled(torch.empty(size, dtype=torch.uint8), self._file)


def _filled(content: Tensor, file: IO[bytes]) -> Tensor:
    view = memoryview(cast(Any, content.numpy()))
    while view:
        current_job().checkpoint()
        received = file.readinto(view[:BLOCK_BYTES])  # type: ignore[attr-defined]  # files that are open for reading have it
        if not received:
            raise EOFError("it is shorter than it should be")
        view = view[received:]
    return content
