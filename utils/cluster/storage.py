"""Files here or wherever fsspec reaches, by names below one folder. What is written appears whole or not at all.

On a disk a file is written beside its final name and renamed. An object store shows an object when all of it has come.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem

from utils.core.errors import InvalidRequest

Options = Mapping[str, Mapping[str, Any]]  # of fsspec's file systems, by their protocols
# Of one process alone: actors on the other side could not read what lies there.
PRIVATE = ("memory",)


class FoundSong(NamedTuple):
    """A file, and what tells its state from an earlier one."""

    url: str
    size_bytes: int
    state: str


def protocol_of(url: str) -> str:
    return url.partition("://")[0] if "://" in url else "file"


def open_place(url: str, options: Options) -> tuple[Any, str]:
    """The file system of a place, and the path in it. Raises `InvalidRequest`."""
    protocol = protocol_of(url)
    if protocol in PRIVATE:
        raise InvalidRequest(
            f"`{url}` lies in the memory of one process, which workers elsewhere cannot read. Use a folder or an object store."
        )
    try:
        return fsspec.core.url_to_fs(url, **options.get(protocol, {}))  # type: ignore[no-any-return]
    except ImportError as error:
        raise InvalidRequest(
            f"`{protocol}://` needs another package: {error}.",
            hint="Install it on every machine: s3fs for S3, gcsfs for GCS, adlfs for Azure.",
        ) from error
    except ValueError as error:
        raise InvalidRequest(f"`{url}` cannot be understood: {error}.") from error


def found_of(fs: Any, info: Mapping[str, Any]) -> FoundSong:
    """What a listing says of a file. The state is the store's own mark of the content or, on a disk, the time of the last change."""
    state = info.get("ETag") or info.get("etag") or info.get("md5Hash") or info.get("mtime") or info.get("LastModified")
    return FoundSong(str(fs.unstrip_protocol(info["name"])), int(info.get("size") or 0), str(state or ""))


def fetch(url: str, target: Path, options: Options) -> Path:
    """A song as a file of this machine: itself if it is one, or a copy."""
    fs, path = open_place(url, options)
    if isinstance(fs, LocalFileSystem):
        return Path(path)
    fs.get_file(path, str(target))
    return target


class Store:
    """A folder for results."""

    def __init__(self, url: str, options: Options) -> None:
        self.url = url.rstrip("/")
        self._fs, root = open_place(self.url, options)
        self._root = root.rstrip("/")
        self.folder = Path(root) if isinstance(self._fs, LocalFileSystem) else None  # if it is on a disk

    def address(self, name: str) -> str:
        """The full name of a file, for people."""
        return str(self.folder / name) if self.folder else f"{self.url}/{name}"

    def read(self, name: str) -> bytes:
        """Raises `OSError`."""
        return bytes(self._fs.cat_file(self._path(name)))

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file."""
        if self.folder is None:
            self._fs.pipe_file(self._path(name), data)
            return
        part = _part(self.folder / name)
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine."""
        if self.folder is None:
            self._fs.put_file(str(source), self._path(name))
            return
        part = _part(self.folder / name)
        shutil.copyfile(source, part)
        sync(part)
        part.replace(self.folder / name)

    def move(self, source: str, target: str) -> None:
        """Give a file its final name. What has it already is not missed, so this can be said again after a kill."""
        if self.folder is None:
            try:
                self._fs.copy(self._path(source), self._path(target))
            except FileNotFoundError:
                if not self._fs.exists(self._path(target)):
                    raise
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(source))
            return
        (self.folder / target).parent.mkdir(parents=True, exist_ok=True)
        try:
            (self.folder / source).replace(self.folder / target)
        except FileNotFoundError:
            if not (self.folder / target).exists():
                raise

    def sizes(self, folder: str) -> dict[str, int]:
        """The files directly in a folder, with their sizes."""
        try:
            rows = self._fs.ls(self._path(folder), detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        return {row["name"].rsplit("/", 1)[-1]: int(row.get("size") or 0) for row in rows if row["type"] == "file"}

    def below(self, folder: str) -> Iterator[str]:
        """All files below a folder."""
        self._fs.invalidate_cache()
        for path in self._fs.find(self._path(folder)):
            yield str(path)[len(self._root) :].lstrip("/")

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        if self.folder is not None:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            return
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(name), recursive=True)

    def prove_writable(self) -> None:
        """Write a file and remove it. Raises `InvalidRequest` with what to do."""
        name = f".dsu/probe-{secrets.token_hex(4)}"
        try:
            self.write(name, b"")
            self.remove(name)
        except Exception as error:
            raise InvalidRequest(
                f"Nothing can be written to `{self.url}`: {said(error)}",
                hint="Check the rights of the folder or bucket, and the credentials (`--storage-options`).",
                field="out",
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")


def _part(target: Path) -> Path:
    """A temporary name beside a final one, whose folder is there afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.part")


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def said(error: BaseException) -> str:
    """What a library says went wrong, in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
