"""Samples that come through a pipe, kept in a temporary file until all are there: what is known of the whole song then is the
same as of any other file.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from utils.audio import temporary
from utils.audio.disk import check_disk_space, output_error
from utils.audio.float_wav import SAMPLE_BYTES, FloatWav
from utils.audio.frames import FrameReader
from utils.audio.pipes import PipeGone, open_pipe
from utils.core.cleanup import undone_on_exit
from utils.core.errors import InputEmpty, InputNotFound
from utils.core.job import Job
from utils.core.requests import PipedInput


@contextlib.contextmanager
def received(piped: PipedInput, job: Job) -> Iterator[Path]:
    """The file, as long as the context lasts. Raises `InputError`, `DiskFull` and `InvalidRequest`."""
    target = Path(tempfile.gettempdir()) / "dsu-input.wav"
    temporary.remove_stale_parts([target.parent])
    check_disk_space(target.parent, (piped.frames or 0) * piped.channels * SAMPLE_BYTES)
    try:
        held = temporary.HeldFile(target)
    except OSError as error:
        raise output_error(error, target) from error
    with undone_on_exit(held.discard):
        try:
            file = FloatWav(held.path, piped.sample_rate, piped.channels)
            try:
                _receive(piped, file, job)
                file.close()
            finally:
                file.abandon()
            if file.frames == 0:
                raise InputEmpty("The pipe had no samples.", field="input.pipe")
            yield held.path
        finally:
            held.discard()


def _receive(piped: PipedInput, file: FloatWav, job: Job) -> None:
    try:
        pipe = open_pipe(piped.pipe, "read", field="input.pipe", wait_s=piped.wait_s, checkpoint=job.checkpoint)
    except PipeGone as reason:
        raise InputNotFound(f"No samples came: {reason}.", field="input.pipe") from reason
    with contextlib.closing(pipe), job.step("read"):
        for block in FrameReader(pipe, piped.channels, piped.frames):
            job.checkpoint()
            file.write(block)
