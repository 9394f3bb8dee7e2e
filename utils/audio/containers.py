"""Which container a file is that FFmpeg seldom meets. Most of its demuxers are for formats of old games and devices, and have
seen few hostile files, so they open a file in a child process first. Neither numpy nor torch here: the child should be there soon.
"""

from __future__ import annotations

import os
from pathlib import Path

from utils.audio.paths import os_path
from utils.core import isolation

# Those of music and films, by FFmpeg's names. They are opened without a child.
USUAL = "aac,aiff,asf,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav,webm"
OPTIONS = {"protocol_whitelist": ""}  # a playlist must not make us open other files
MOST_PACKETS = 100

_found_before: dict[tuple[str, int, int], str] = {}


class Unopened(Exception):
    """Why a file is not opened."""


def unusual_container(path: Path) -> str:
    """FFmpeg's name for the container of a file, after a child has decoded the first samples. Raises `Unopened`."""
    state = os.stat(os_path(path))  # noqa: PTH116 - a Path would undo the extended form
    file = (os_path(path), state.st_size, state.st_mtime_ns)
    if file not in _found_before:
        try:
            name, reason = isolation.call(find_container, os_path(path))
        except isolation.Broken as broken:
            raise Unopened(f"reading it {broken}") from broken
        if name is None:
            raise Unopened(reason)
        _found_before[file] = name
    return _found_before[file]


def find_container(path: str) -> tuple[str | None, str]:
    """The name, or why there is none. For a child process."""
    import av

    with open(path, "rb") as file:  # noqa: PTH123 - see above
        try:
            with av.open(file, "r", container_options=OPTIONS) as container:
                if container.streams.audio and container.streams.audio[0].codec_context is not None:
                    packets = zip(range(MOST_PACKETS), container.demux(container.streams.audio[0]), strict=False)
                    any(packet.decode() for _, packet in packets)
                return container.format.name, ""
        except av.FFmpegError as error:
            return None, error.strerror or str(error)
