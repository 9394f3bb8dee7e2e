"""What a checkpoint holds, without its tensors' bytes: for those it says where in the file they are. No torch here.

Read are the two formats of `torch.save`, a zip file, and pickles followed by the tensors' bytes, and safetensors. The
content is given as plain data, so that it can be read in another process: see `packed`. Nothing that it says of places and
sizes is checked here. Whoever makes tensors of it (`tensors`) does.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, Any

from utils.store.pickles import LARGEST_BYTES, Bounded, Made, Named, NotAllowed, read_pickle
from utils.store.plain_files import open_file

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
LOCAL_HEADER_BYTES = 30
LOCAL_MAGIC = b"PK\x03\x04"
DEEPEST = 100
MOST_VALUES = 1 << 20
LARGEST_HEADER_BYTES = 32 << 20  # of safetensors

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

# The types of elements: their names in torch, by those in pickles and in safetensors, and their sizes.
OF_STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexDouble": "complex128", "ComplexFloat": "complex64", "Untyped": "uint8",
}  # fmt: skip
OF_SAFETENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip
ITEM_BYTES = {
    "complex128": 16, "complex64": 8, "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1,
    "float8_e5m2": 1, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1,
    "bool": 1,
}  # fmt: skip


@dataclass
class Storage:
    """The memory of tensors. In the old format, its place in the file comes last."""

    dtype: str
    size_bytes: int
    start: int | None = None


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor in the file: what part of a storage, in elements of its own type."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(path: Path, allow: Collection[str] = ()) -> Any:
    """The content of a file of `torch.save`, packed. Names in `allow` are kept as names.

    Raises `NotAllowed` for others; a damaged file can raise any exception.
    """
    with open_file(path) as file:
        if zipfile.is_zipfile(file):
            return packed(_Zipped(file, allow).read())
        file.seek(0)
        return packed(_read_pickles(file, allow))


def read_safetensors(path: Path) -> Any:
    """The content of a `.safetensors` file, packed: tensors by name. A damaged file can raise any exception."""
    with open_file(path) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LARGEST_HEADER_BYTES:
            raise ValueError("its list of tensors is too large")
        header = file.read(size)
        file_bytes = os.fstat(file.fileno()).st_size
    content = {}
    for name, entry in json.loads(header).items():
        if name == "__metadata__":
            continue
        begin, end = map(_count, entry["data_offsets"])
        dtype, shape = _known(OF_SAFETENSORS, entry["dtype"]), tuple(map(_count, entry["shape"]))
        strides, elements = [], 1
        for length in reversed(shape):
            strides.append(elements)
            elements *= length
        if end - begin != elements * ITEM_BYTES[dtype] or 8 + size + end > file_bytes:
            raise ValueError(f"it is shorter than it should be, or `{name[:100]}` contradicts itself")
        storage = Storage(dtype, end - begin, 8 + size + begin)
        content[name] = Tensor(storage, dtype, 0, shape, tuple(reversed(strides)))
    return packed(content)


# Packing ------------------------------------------------------------------------------------------------------------


def packed(content: Any) -> Any:
    """The content as lists that begin with a mark of what they are, and as words, numbers and bytes.

    Raises `ValueError` if it has no end, or only one far away.
    """
    values = 0

    def pack(value: Any, depth: int) -> Any:
        nonlocal values
        values += 1
        if depth > DEEPEST or values > MOST_VALUES:
            raise ValueError("it has too many values, or contains itself")
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        own, inner = _parts(value)
        return [*own, *(pack(each, depth + 1) for each in inner)]

    return pack(content, 0)


def _parts(value: Any) -> tuple[list[Any], Iterable[Any]]:
    """How a value begins when it is packed, and the values in it."""
    match value:
        case Mapping():
            return ["dict"], chain.from_iterable(value.items())
        case list() | tuple() | set() | frozenset():
            return [type(value).__name__], value
        case Named():
            return ["named", value.name], ()
        case Made():
            return ["made", value.maker.name], value.arguments
        case Tensor(storage=Storage(start=int(start), size_bytes=size)):
            return ["tensor", value.dtype, start, size, value.offset, value.shape, value.strides], ()
    raise ValueError(f"it has a {type(value).__name__} of no use")


_MAKERS: dict[Any, Callable[[list[Any]], Any]] = {
    "dict": lambda values: dict(zip(values[::2], values[1::2], strict=True)),
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "named": lambda values: Named(str(values[0])),
    "made": lambda values: Made(Named(str(values[0])), tuple(values[1:])),
}


def unpacked(data: Any, tensor: Callable[..., Any]) -> Any:
    """The content that was packed. `tensor` makes the tensors: of a type, a place in bytes and a size in the file, an
    offset in elements, a shape and strides.
    """
    if not isinstance(data, list | tuple):
        return data
    mark, *parts = data
    return tensor(*parts) if mark == "tensor" else _MAKERS[mark]([unpacked(part, tensor) for part in parts])


# The formats of torch -----------------------------------------------------------------------------------------------


class _Reading:
    """Finds the tensors of one checkpoint."""

    def __init__(self, allow: Collection[str]) -> None:
        self._allow = frozenset(allow)
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

    def _is_allowed(self, name: str) -> bool:
        return name in HARMLESS or name in self._allow or name.rpartition(".")[0] in HARMLESS_MODULES

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
        if len(rest) > 2 and rest[2]:
            return Made(Named("torch._utils._rebuild_tensor_v2"), (shape,))
        return _view(storage, storage.dtype, offset, shape, strides)

    def _tensor_of_type(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
        name = rest[2].name.removeprefix("torch.")
        if name not in ITEM_BYTES or (len(rest) > 3 and rest[3]):
            return Made(Named("torch._utils._rebuild_tensor_v3"), (shape,))
        return _view(storage, name, offset, shape, strides)

    def _parameter(self, tensor: Any, *_: Any) -> Any:
        return tensor

    def _with_attributes(self, maker: Any, kind: Any, arguments: Any, _: Any) -> Any:
        known = self._makers.get(maker.name) if maker.name.startswith("torch._utils.") else None
        return Made(kind, arguments) if known is None else known(*arguments)


@dataclass(frozen=True)
class _View:
    """A part of a storage, as the old format has them."""

    storage: Storage
    first: int

    @property
    def dtype(self) -> str:
        return self.storage.dtype


def _view(storage: Storage | _View, dtype: str, offset: Any, shape: Any, strides: Any) -> Tensor:
    first = _count(offset)
    if isinstance(storage, _View):
        first, storage = first + storage.first, storage.storage
    return Tensor(storage, dtype, first, tuple(map(_count, shape)), tuple(map(_count, strides)))


def _bytes_of(kind: Any, count: Any) -> tuple[str, int]:
    """The type of a storage's elements, and its size."""
    dtype = _known(OF_STORAGES, kind.name.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Named) else "")
    return dtype, _count(count) * ITEM_BYTES[dtype]


def _known(types: Mapping[str, str], name: str) -> str:
    if name not in types:
        raise ValueError("it has tensors of an unknown type")
    return types[name]


class _Zipped(_Reading):
    """A zip file with a pickle, and one member for each storage."""

    def __init__(self, file: IO[bytes], allow: Collection[str]) -> None:
        super().__init__(allow)
        self._file = file
        self._archive = zipfile.ZipFile(file)
        self._members = {info.filename: info for info in self._archive.infolist()}
        self._storages: dict[tuple[str, str, int], Storage] = {}

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
        dtype, size = _bytes_of(kind, count)
        identity = (str(key), dtype, size)
        if identity not in self._storages:
            self._storages[identity] = Storage(dtype, size, self._start(f"{self._root}data/{key}", size))
        return self._storages[identity]

    def _start(self, name: str, size: int) -> int:
        info = self._members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size < size:
            raise ValueError(f"the data of `{name[:100]}` is compressed or incomplete")
        self._file.seek(info.header_offset)
        header = self._file.read(LOCAL_HEADER_BYTES)
        if header[:4] != LOCAL_MAGIC or len(header) < LOCAL_HEADER_BYTES:
            raise ValueError("it is shorter than it should be")
        names = sum(int.from_bytes(header[place : place + 2], "little") for place in (26, 28))  # and what is added
        return info.header_offset + LOCAL_HEADER_BYTES + names


def _read_pickles(file: IO[bytes], allow: Collection[str]) -> Any:
    """The old format: a number, a version, the system, the content, the keys of its storages, and their bytes."""
    reading = _Reading(allow)
    source = Bounded(file)
    storages: dict[str, Storage] = {}

    def storage(kind: Any, key: Any, _: Any, count: Any, view: Any = None) -> Storage | _View:
        dtype, size_bytes = _bytes_of(kind, count)
        if not isinstance(key, str):
            raise ValueError("a tensor has no name")  # noqa: TRY004 - one error for all of it
        whole = storages.setdefault(key, Storage(dtype, size_bytes))
        if view is None:
            return whole
        _key, first, _length = view
        return _View(whole, _count(first))

    if reading.pickle(source) != MAGIC_NUMBER:
        raise ValueError("it is not a file of torch")
    reading.pickle(source)
    reading.pickle(source)
    content = reading.pickle(source, storage)
    for key in reading.pickle(source):
        held = storages[key]
        if int.from_bytes(file.read(8), "little") * ITEM_BYTES[held.dtype] != held.size_bytes:
            raise ValueError("the sizes in it contradict each other")
        held.start = file.tell()
        file.seek(held.size_bytes, os.SEEK_CUR)
    return content


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
        return value
    raise ValueError("it has an impossible size")
