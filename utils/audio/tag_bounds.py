"""A file for mutagen to read tags from, with bounds on what the tags may cost.

mutagen believes what a file says of itself: it reads tags of any size, inflates compressed ID3 frames without a limit, and
copies the rest of an ID3 tag for each of its frames. What it is about to parse is looked at here as it is read, wherever in a
container it lies. Covers and texts of real music stay far below these bounds.
"""

from __future__ import annotations

import io
import os
import re
import struct
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from utils.audio.paths import os_path

MAX_ID3_FRAMES = 1000
MAX_COMMENTS = 50_000

_OGG_COMMENTS = (b"\x03vorbis", b"OpusTags", b"\x81theora")
_ID3_HEADER_BYTES = 10
_ID3_UNSYNCHRONISED = 0x80
_COMPRESSED = {3: 0x0080, 4: 0x0008}  # by version: the flag of a frame
_FRAME_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}[A-Z0-9\0 ]")


class TagBounds(NamedTuple):
    """How much of a file is read for its tags, and how often."""

    read_bytes: int
    reads: int  # each atom of MP4 and each page of Ogg takes a few
    is_largest: bool = False


# Reading so much takes a moment, whatever it is. A song with a cover takes less.
SMALL = TagBounds(read_bytes=4 << 20, reads=5_000)
# A few scans of a booklet, each of at most 16 MiB in FLAC. A child process reads them.
LARGE = TagBounds(read_bytes=64 << 20, reads=100_000, is_largest=True)


class TagsRefused(Exception):
    """Why the tags of a file are not read."""


class TagsTooLarge(TagsRefused):
    """The same, if larger bounds might help."""


class BoundedFile:
    """An open file, as far as mutagen needs one. `refusal` says why it stopped, should mutagen have swallowed it."""

    def __init__(self, path: Path, bounds: TagBounds) -> None:
        self.name = os_path(path)
        self.refusal: TagsRefused | None = None
        self._file = open(self.name, "rb")  # noqa: PTH123, SIM115 - `__exit__` closes
        self._bounds = bounds
        self._bytes_left, self._reads_left = bounds.read_bytes, bounds.reads
        self._id3: bytes | None = None  # the header of the ID3 tag that is being read
        self._has_comments = (
            False  # of Ogg: mutagen then looks for the last page, and reads all where none is marked as last
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if self.refusal is not None:
            raise self.refusal
        data = self._file.read(min(size, self._bytes_left + 1) if size >= 0 else self._bytes_left + 1)
        self._bytes_left -= len(data)
        self._reads_left -= 1
        if self._has_comments and self._bounds.is_largest and min(self._bytes_left, self._reads_left) < 0:
            raise EOFError  # it makes do with the pages that it has seen
        if self._bytes_left < 0:
            self._refuse(TagsTooLarge(f"they are larger than {self._bounds.read_bytes >> 20} MiB"))
        if self._reads_left < 0:
            self._refuse(TagsTooLarge("they have too many parts"))
        for magic in _OGG_COMMENTS:
            if data.startswith(magic):
                self._check_comments(data[len(magic) :])
        if len(data) == _ID3_HEADER_BYTES and data.startswith(b"ID3"):
            self._id3 = data
        elif self._id3 is not None:
            self._check_id3(self._id3[3], self._id3[5], data)
        return data

    def _check_comments(self, body: bytes) -> None:
        """Refuse Ogg comments that state an absurd number; those of FLAC take a read each."""
        start = 4 + int.from_bytes(body[:4], "little")
        if start + 4 > len(body):
            raise ValueError("the comments do not begin on their first page")
        stated = int.from_bytes(body[start : start + 4], "little")
        if min(stated, os.fstat(self._file.fileno()).st_size // 4) > MAX_COMMENTS:  # each has a length of four bytes
            self._refuse(TagsRefused(f"they have more than {MAX_COMMENTS} comments"))
        self._has_comments = True

    def _check_id3(self, version: int, flags: int, body: bytes) -> None:
        """Look through frames as mutagen might: it guesses how sizes are written, and whether bytes were stuffed."""
        bodies = [body]
        if flags & _ID3_UNSYNCHRONISED:
            bodies.append(body.replace(b"\xff\x00", b"\xff"))
        for one in bodies:
            for is_syncsafe in (False, True) if version == 4 else (False,):
                self._check_frames(version, one, is_syncsafe=is_syncsafe)

    def _check_frames(self, version: int, body: bytes, *, is_syncsafe: bool) -> None:
        head = 10 if version >= 3 else 6
        start = count = 0
        while start + head <= len(body):
            if version >= 3:
                name, size, flags = struct.unpack_from(">4sIH", body, start)
            else:
                name, size, flags = body[start : start + 3] + b" ", int.from_bytes(body[start + 3 : start + 6]), 0
            if not name.strip(b"\0 "):
                return
            if is_syncsafe:
                size = sum(((size >> 8 * place) & 0x7F) << 7 * place for place in range(4))
            if flags & _COMPRESSED.get(version, 0) and _FRAME_NAME.fullmatch(name):
                self._refuse(TagsRefused("they are compressed"))
            count += 1
            if count > MAX_ID3_FRAMES:
                self._refuse(TagsRefused(f"they have more than {MAX_ID3_FRAMES} frames"))
            start += head + size

    def _refuse(self, refusal: TagsRefused) -> None:
        self.refusal = refusal
        raise refusal
