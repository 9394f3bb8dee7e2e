"""Reads a pickle as data: nothing that it names is imported, called or made.

Plain values become what they are. A class or function is a `Named`, and what a pickle would make with one is a `Made`,
which keeps the arguments as they are. Only the functions in `makers` are called, which are the caller's own. The time
and memory of a reading are bounded by the size of the pickle, whatever it says.
"""

from __future__ import annotations

import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LARGEST_BYTES = 8 << 20  # the pickle of a large network has a few hundred thousand
LONGEST_NUMBER_BYTES = 64

_PLAIN_KEYS = (str, int, float, bytes, type(None))


@dataclass(frozen=True, eq=False)
class Named:
    """What a pickle calls a class or a function."""

    name: str


@dataclass(frozen=True, eq=False)
class Made:
    """What a pickle would make by calling `maker`."""

    maker: Named
    arguments: tuple[Any, ...]


class NotAllowed(pickle.UnpicklingError):
    """A pickle names something that is not allowed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it names {name}")
        self.name = name


class Readable(Protocol):
    """The bytes of a pickle."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...


class Bounded:
    """A file, of which only so many bytes can be read."""

    def __init__(self, file: Any, limit_bytes: int = LARGEST_BYTES) -> None:
        self._file = file
        self._left = limit_bytes

    def read(self, size: int, /) -> bytes:
        return self._counted(self._file.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._counted(self._file.readline(self._left + 1))

    def _counted(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise pickle.UnpicklingError("its list of tensors is too large")
        return content


def read_pickle(
    source: Readable,
    *,
    allowed: Callable[[str], bool] = lambda _: False,
    makers: Mapping[str, Callable[..., Any]] | None = None,
    external: Callable[[Any], Any] | None = None,
) -> Any:
    """The value of a pickle. `allowed` decides about names, `makers` are called for theirs, and `external` gives what the
    pickle refers to outside. Raises `NotAllowed`; bytes that are no pickle can raise any exception.
    """
    return _Reader(source, allowed, makers or {}, external).load()


# The reader in Python, because the one in C reserves as much memory as a pickle claims that it needs.
_InPython: Any = pickle._Unpickler  # noqa: SLF001


class _Reader(_InPython):  # type: ignore[misc]  # it has no types
    def __init__(
        self,
        source: Readable,
        allowed: Callable[[str], bool],
        makers: Mapping[str, Callable[..., Any]],
        external: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(source, fix_imports=False, encoding="latin1")
        self._allowed = allowed
        self._makers = makers
        self._external = external
        self._copied = 0

    def find_class(self, module: str, name: str) -> Named:
        full = f"{module}.{name}"
        if not self._allowed(full):
            raise NotAllowed(full)
        return Named(full)

    def persistent_load(self, pid: Any) -> Any:
        if self._external is None:
            raise pickle.UnpicklingError("it refers to something outside")
        return self._external(pid)

    def make(self, maker: Any, arguments: Any) -> Any:
        if not isinstance(maker, Named) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("it calls what is neither a class nor a function")
        if maker.name == "collections.OrderedDict":
            return self._dictionary(*arguments)
        known = self._makers.get(maker.name)
        return Made(maker, arguments) if known is None else known(*arguments)

    def _dictionary(self, items: Any = ()) -> OrderedDict[Any, Any]:
        """Pickles of Python 2 give the items of an ordered dictionary as an argument, and could do so again and again."""
        self._copied += len(items)
        if self._copied > LARGEST_BYTES:
            raise pickle.UnpicklingError("its dictionaries are too large")
        made = OrderedDict[Any, Any]()
        for key, value in items:
            made[plain_key(key)] = value
        return made

    # Instructions --------------------------------------------------------------------------------------------------

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.make(self.stack[-1], arguments)

    def new_object(self) -> None:
        arguments = self.stack.pop()
        self.append(self.make(self.stack.pop(), arguments))

    def new_object_with_names(self) -> None:
        named, arguments, maker = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(self.make(maker, (*arguments, named) if named else arguments))

    def instance(self) -> None:
        maker = self.find_class(self.readline()[:-1].decode("ascii"), self.readline()[:-1].decode("ascii"))
        arguments = tuple(self.pop_mark())
        self.append(self.make(maker, arguments))

    def object(self) -> None:
        maker, *arguments = self.pop_mark()
        self.append(self.make(maker, tuple(arguments)))

    def build(self) -> None:
        """The attributes of an object: nobody needs them."""
        self.stack.pop()

    def append_one(self) -> None:
        value = self.stack.pop()
        self._target(list).append(value)

    def append_many(self) -> None:
        items = self.pop_mark()
        self._target(list).extend(items)

    def set_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._target(dict)[plain_key(key)] = value

    def set_many(self) -> None:
        items = self.pop_mark()
        target = self._target(dict)
        for index in range(0, len(items), 2):
            target[plain_key(items[index])] = items[index + 1]

    def add_many(self) -> None:
        items = self.pop_mark()
        self._target(set).update(map(plain_key, items))

    def frozen(self) -> None:
        items = self.pop_mark()
        self.append(frozenset(map(plain_key, items)))

    def dictionary(self) -> None:
        items = self.pop_mark()
        self.append({plain_key(items[index]): items[index + 1] for index in range(0, len(items), 2)})

    def long_text(self) -> None:
        text = self.readline()[:-1].removesuffix(b"L")
        if len(text) > 2 * LONGEST_NUMBER_BYTES:
            raise pickle.UnpicklingError("a number in it is too long")
        self.append(int(text, 10))

    def long_bytes(self) -> None:
        self._long(self.read(1)[0])

    def longer_bytes(self) -> None:
        self._long(int.from_bytes(self.read(4), "little"))

    def _long(self, size: int) -> None:
        if size > LONGEST_NUMBER_BYTES:
            raise pickle.UnpicklingError("a number in it is too long")
        self.append(int.from_bytes(self.read(size), "little", signed=True))

    def refuse(self) -> None:
        raise pickle.UnpicklingError("it has an instruction that no checkpoint needs")

    def _target(self, kind: type) -> Any:
        """What an instruction adds to. The items of other things than plain containers are not needed."""
        target = self.stack[-1]
        if isinstance(target, kind):
            return target
        if isinstance(target, Made):
            return kind()
        raise pickle.UnpicklingError(f"it adds to a {type(target).__name__} as if it were a {kind.__name__}")


def plain_key(key: Any) -> Any:
    """The key, if finding it is a matter of a moment. The hash of nested tuples could take for ever."""
    parts = key if isinstance(key, tuple) else (key,)
    if all(isinstance(part, (*_PLAIN_KEYS, Named, Made)) for part in parts):
        return key
    raise pickle.UnpicklingError(f"it has a {type(key).__name__} of other things as a key")


_INSTRUCTIONS: dict[str, Callable[[_Reader], None]] = {
    "REDUCE": _Reader.reduce,
    "NEWOBJ": _Reader.new_object,
    "NEWOBJ_EX": _Reader.new_object_with_names,
    "INST": _Reader.instance,
    "OBJ": _Reader.object,
    "BUILD": _Reader.build,
    "APPEND": _Reader.append_one,
    "APPENDS": _Reader.append_many,
    "SETITEM": _Reader.set_one,
    "SETITEMS": _Reader.set_many,
    "ADDITEMS": _Reader.add_many,
    "FROZENSET": _Reader.frozen,
    "DICT": _Reader.dictionary,
    "LONG": _Reader.long_text,
    "LONG1": _Reader.long_bytes,
    "LONG4": _Reader.longer_bytes,
    "BYTEARRAY8": _Reader.refuse,
    "NEXT_BUFFER": _Reader.refuse,
    "READONLY_BUFFER": _Reader.refuse,
    "EXT1": _Reader.refuse,
    "EXT2": _Reader.refuse,
    "EXT4": _Reader.refuse,
}
_Reader.dispatch = {
    **_Reader.dispatch,
    **{ord(code.code): _INSTRUCTIONS[code.name] for code in pickletools.opcodes if code.name in _INSTRUCTIONS},
}
