"""The program ffmpeg from a package, for programs of others that need one on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import imageio_ffmpeg


def path_with_ffmpeg(folder: Path) -> str:
    """A value for PATH, with ffmpeg in `folder`, which is made."""
    program = folder / ("ffmpeg.exe" if os.name == "nt" else "ffmpeg")
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(imageio_ffmpeg.get_ffmpeg_exe(), program)
    return os.pathsep.join([str(folder), os.environ["PATH"]])
