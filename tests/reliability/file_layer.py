"""The calls that change files, each shown to somebody just before it happens: who may fail it, end the process, or keep books."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Call(NamedTuple):
    """One call: `open`, `write`, `sync`, `close`, `rename`, `link`, `remove` or `make`, and the file or folder that it is about.

    `target` is the new name of what is renamed or linked.
    """

    name: str
    path: str
    target: str | None = None


# What sees a call may give something to do when it has succeeded.
See = Callable[[Call], Callable[[], None] | None]


@contextlib.contextmanager
def shown_to(see: See) -> Iterator[None]:
    """Show every call to `see` while the body runs, in the order in which they happen."""
    layer = _Layer(see)
    before = [(module, name, getattr(module, name)) for module, name in layer.patched]
    try:
        for (module, name), replacement in layer.patched.items():
            setattr(module, name, replacement)
        yield
    finally:
        for module, name, original in before:
            setattr(module, name, original)


class _Layer:
    def __init__(self, see: See) -> None:
        self.see = see
        self.paths: dict[int, str] = {}
        self._lock = threading.RLock()
        self._open_file, self._open, self._close = io.open, os.open, os.close
        self.patched: dict[tuple[Any, str], Callable[..., Any]] = {
            (builtins, "open"): self.open_file,
            (io, "open"): self.open_file,
            (os, "open"): self.open,
            (os, "close"): self.close,
            (os, "write"): self._of_descriptor("write", os.write),
            (os, "fsync"): self._of_descriptor("sync", os.fsync),
            (os, "replace"): self._of_paths("rename", os.replace),
            (os, "rename"): self._of_paths("rename", os.rename),
            (os, "link"): self._of_paths("link", os.link),
            (os, "unlink"): self._of_paths("remove", os.unlink),
            (os, "remove"): self._of_paths("remove", os.remove),
            (os, "mkdir"): self._of_paths("make", os.mkdir),
            (os, "rmdir"): self._of_paths("remove", os.rmdir),
        }

    @contextlib.contextmanager
    def seen(self, call: Call) -> Iterator[None]:
        """Show the call that the body makes."""
        with self._lock:
            after = self.see(call)
            yield
            if after is not None:
                after()

    def _of_paths(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(path: Any, *args: Any, **kwargs: Any) -> Any:
            target = os.fsdecode(args[0]) if name in ("rename", "link") else None
            with self.seen(Call(name, os.fsdecode(path), target)):
                return original(path, *args, **kwargs)

        return replacement

    def _of_descriptor(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(descriptor: int, *args: Any) -> Any:
            path = self.paths.get(descriptor)
            if path is None:
                return original(descriptor, *args)
            with self.seen(Call(name, path)):
                return original(descriptor, *args)

        return replacement

    def open(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        with self.seen(Call("open", os.fsdecode(path))) if flags & WRITING else contextlib.nullcontext():
            descriptor = self._open(path, flags, *args, **kwargs)
        if not kwargs:
            self.paths[descriptor] = os.fsdecode(path)
        return descriptor

    def close(self, descriptor: int) -> None:
        with self._lock:
            path = self.paths.pop(descriptor, None)
            try:
                if path is not None:
                    self.see(Call("close", path))
            finally:
                self._close(descriptor)

    def open_file(self, file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *args: Any) -> Any:
        known = self.paths.get(file) if isinstance(file, int) else os.fsdecode(file)
        if known is None or not set(mode) & set("wxa+"):
            return self._open_file(file, mode, buffering, encoding, *args)
        raw = _File(self, file, known, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        buffered: Any = io.BufferedRandom(raw, size) if "+" in mode else io.BufferedWriter(raw, size)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, *args)


class _File(io.FileIO):
    """What `open` gives instead of its own unbuffered file."""

    def __init__(self, layer: _Layer, file: Any, path: str, mode: str) -> None:
        self._layer, self._path = layer, path
        with contextlib.nullcontext() if isinstance(file, int) else layer.seen(Call("open", path)):
            super().__init__(file, mode)
        layer.paths[self.fileno()] = path

    def write(self, data: Any) -> int:
        with self._layer.seen(Call("write", self._path)):
            return super().write(data)

    def close(self) -> None:
        if self.closed:
            return
        with self._layer._lock:
            self._layer.paths.pop(self.fileno(), None)
            try:
                self._layer.see(Call("close", self._path))
            finally:
                super().close()
