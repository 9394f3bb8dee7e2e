"""The two formats of `torch.save`, read without running anything: a zip file, and pickles followed by the tensors' bytes.

A tensor never has more elements than its file has bytes for, and no memory is reserved for what a file only claims.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor, nn

from utils.store.pickles import LARGEST_BYTES, Bounded, Made, Named, NotAllowed, read_pickle

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
LOCAL_HEADER = struct.Struct("<4s22xHH")
LOCAL_MAGIC = b"PK\x03\x04"
LONGEST_SHAPE = 16
SMALL_BYTES = 1 << 20  # repeated values, such as a buffer that was expanded, may take this much more than the file

# What checkpoints name besides tensors. It is kept as a name, and never called.
HARMLESS = frozenset(
    {
        "_codecs.encode",
        "collections.Counter",
        "collections.OrderedDict",
        *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("bytearray", "complex", "set")),
    }
)
HARMLESS_MODULES = (
    "torch", "torch._tensor", "torch._utils", "torch.cuda", "torch.cuda.sparse", "torch.nn.parameter",
    "torch.serialization", "torch.sparse", "torch.storage",
)  # fmt: skip

_DTYPES = {
    "Double": torch.float64, "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
    "Bool": torch.bool, "ComplexDouble": torch.complex128, "ComplexFloat": torch.complex64, "Untyped": torch.uint8,
}  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """The memory of tensors, as bytes in a tensor of its own."""

    content: Tensor
    dtype: torch.dtype


def read_torch_file(path: Path, *, mapped: bool, allow: Collection[str] = ()) -> Any:
    """The content of a checkpoint. Names in `allow` become `Named`, and what is made with them `Made`.

    Raises `NotAllowed` for other names; a damaged file can raise any exception.
    """
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            return _Zipped(file, path, mapped, allow).read()
        file.seek(0)
        return _read_pickles(file, allow)


class _Reading:
    """Makes the tensors of one checkpoint, whose file has `file_bytes`."""

    def __init__(self, allow: Collection[str], file_bytes: int) -> None:
        self._allow = frozenset(allow)
        self._file_bytes = file_bytes
        self._makers: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._tensor_of_type,
            "torch._utils._rebuild_parameter": self._parameter,
            "torch._utils._rebuild_parameter_with_state": self._parameter,
            "torch._tensor._rebuild_from_type_v2": self._with_attributes,
        }

    def pickle(self, source: Any, storage: Callable[..., Any] | None = None) -> Any:
        def external(identity: Any) -> Any:
            kind, *parts = identity if isinstance(identity, tuple) else (None,)
            if storage is not None and kind in ("storage", b"storage"):
                return storage(*parts)
            if kind in ("module", b"module") and isinstance(parts[0], Named):
                return parts[0]  # the old format has classes of networks with their source code
            raise ValueError("it refers to something that is not a tensor")

        return read_pickle(source, allowed=self._is_allowed, makers=self._makers, external=external)

    def bytes_of(self, kind: Any, count: Any) -> tuple[torch.dtype, int]:
        """The type of a storage's elements, and its size."""
        dtype = _DTYPES.get(kind.name.rpartition(".")[2].removesuffix("Storage")) if isinstance(kind, Named) else None
        if dtype is None:
            raise ValueError("it has tensors of an unknown type")
        return dtype, _count(count) * dtype.itemsize

    def _is_allowed(self, name: str) -> bool:
        return name in HARMLESS or name in self._allow or name.rpartition(".")[0] in HARMLESS_MODULES

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
        if len(rest) > 2 and rest[2]:
            return Made(Named("torch._utils._rebuild_tensor_v2"), (shape,))
        return self._view(storage, storage.dtype, offset, shape, strides)

    def _tensor_of_type(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
        name = rest[2].name.removeprefix("torch.")
        dtype = getattr(torch, name, None)
        if not isinstance(dtype, torch.dtype) or (len(rest) > 3 and rest[3]):
            return Made(Named("torch._utils._rebuild_tensor_v3"), (shape,))
        return self._view(storage, dtype, offset, shape, strides)

    def _view(self, storage: Storage, dtype: torch.dtype, offset: Any, shape: Any, strides: Any) -> Tensor:
        sizes, steps, first = [_count(size) for size in shape], [_count(step) for step in strides], _count(offset)
        if len(sizes) != len(steps) or len(sizes) > LONGEST_SHAPE:
            raise ValueError("a tensor has an impossible shape")
        elements, last = 1, first
        for size, step in zip(sizes, steps, strict=True):
            elements *= size
            last += (size - 1) * step
        if elements and (last + 1) * dtype.itemsize > storage.content.numel():
            raise ValueError("a tensor is larger than its data")
        if elements * dtype.itemsize > self._file_bytes + SMALL_BYTES:
            raise ValueError("a tensor is larger than the file")
        return torch.empty(0, dtype=dtype).set_(storage.content.untyped_storage(), first, sizes, steps)

    def _parameter(self, tensor: Any, *_: Any) -> nn.Parameter:
        return nn.Parameter(tensor, requires_grad=False)

    def _with_attributes(self, maker: Any, kind: Any, arguments: Any, _: Any) -> Any:
        known = self._makers.get(maker.name) if maker.name.startswith("torch._utils.") else None
        return Made(kind, arguments) if known is None else known(*arguments)


class _Zipped(_Reading):
    """A zip file with a pickle, and one member for each storage."""

    def __init__(self, file: IO[bytes], path: Path, mapped: bool, allow: Collection[str]) -> None:
        self._file = file
        super().__init__(allow, os.fstat(file.fileno()).st_size)
        self._whole = (
            torch.from_file(str(path), shared=False, size=self._file_bytes, dtype=torch.uint8) if mapped else None
        )
        self._archive = zipfile.ZipFile(file)
        self._members = {info.filename: info for info in self._archive.infolist()}
        self._storages: dict[str, Storage] = {}
        self._read_bytes = 0

    def read(self) -> Any:
        names = [name for name in self._members if name.rpartition("/")[2] == "data.pkl" and name.count("/") <= 1]
        if len(names) != 1:
            raise ValueError("it is a zip file of something else")
        self._root = names[0].removesuffix("data.pkl")
        if f"{self._root}constants.pkl" in self._members:
            raise NotAllowed("a TorchScript program")
        if f"{self._root}byteorder" in self._members and self._small("byteorder") != b"little":
            raise ValueError("its numbers are those of other processors")
        return self.pickle(BytesIO(self._small("data.pkl")), self._storage)

    def _small(self, name: str) -> bytes:
        """A member, which may be compressed, and lie about its size."""
        with self._archive.open(self._members[self._root + name]) as member:
            content = member.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ValueError("its list of tensors is too large")
        return content

    def _storage(self, kind: Any, key: Any, _: Any, count: Any) -> Storage:
        dtype, size = self.bytes_of(kind, count)
        known = self._storages.get(key) if isinstance(key, str) else None
        if known is None or known.dtype != dtype or known.content.numel() < size:
            self._storages[key] = known = Storage(self._content(f"{self._root}data/{key}", size), dtype)
        return known

    def _content(self, name: str, size: int) -> Tensor:
        info = self._members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size < size:
            raise ValueError(f"the data of `{name}` is compressed or incomplete")
        self._file.seek(info.header_offset)
        magic, name_bytes, extra_bytes = LOCAL_HEADER.unpack(self._file.read(LOCAL_HEADER.size))
        start = info.header_offset + LOCAL_HEADER.size + name_bytes + extra_bytes
        if magic != LOCAL_MAGIC or start + size > self._file_bytes:
            raise ValueError("it is shorter than it should be")
        if self._whole is not None:
            return torch.empty(0, dtype=torch.uint8).set_(self._whole.untyped_storage()[start : start + size])
        self._read_bytes += size
        if self._read_bytes > self._file_bytes:
            raise ValueError("its tensors are larger than the file")
        self._file.seek(start)
        return _filled(torch.empty(size, dtype=torch.uint8), self._file)


def _read_pickles(file: IO[bytes], allow: Collection[str]) -> Any:
    """The old format: a number, a version, the system, the content, the keys of its storages, and their bytes."""
    size = os.fstat(file.fileno()).st_size
    reading = _Reading(allow, size)
    source = Bounded(file)
    storages: dict[str, Storage] = {}
    reserved = 0

    def storage(kind: Any, key: Any, _: Any, count: Any, view: Any = None) -> Storage:
        nonlocal reserved
        dtype, size_bytes = reading.bytes_of(kind, count)
        if not isinstance(key, str):
            raise ValueError("a tensor has no name")  # noqa: TRY004 - one error for all of it
        if key not in storages:
            reserved += size_bytes
            if reserved > size:
                raise ValueError("its tensors are larger than the file")
            storages[key] = Storage(torch.empty(size_bytes, dtype=torch.uint8), dtype)
        if view is None:
            return storages[key]
        _key, first, length = view
        start = _count(first) * dtype.itemsize
        part = storages[key].content.untyped_storage()[start : start + _count(length) * dtype.itemsize]
        return Storage(torch.empty(0, dtype=torch.uint8).set_(part), dtype)

    if reading.pickle(source) != MAGIC_NUMBER:
        raise ValueError("it is not a file of torch")
    reading.pickle(source)
    reading.pickle(source)
    content = reading.pickle(source, storage)
    for key in reading.pickle(source):
        held = storages[key]
        if int.from_bytes(file.read(8), "little") * held.dtype.itemsize != held.content.numel():
            raise ValueError("the sizes in it contradict each other")
        _filled(held.content, file)
    return content


def _filled(content: Tensor, file: IO[bytes]) -> Tensor:
    view = memoryview(cast(Any, content.numpy()))
    while view:
        received = file.readinto(view)  # type: ignore[attr-defined]  # files that are open for reading have it
        if not received:
            raise EOFError("it is shorter than it should be")
        view = view[received:]
    return content


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
        return value
    raise ValueError("it has an impossible size")
