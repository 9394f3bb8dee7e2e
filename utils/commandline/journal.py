"""The report of a run for other programs: a line of JSON for each song as soon as it is done, and a summary at the end.

Each line is appended and synced to the disk at once, so that a killed run has reported every song that it finished. A
report without a summary is that of a killed run.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from msgspec import UNSET

from utils.core.errors import OutputNotWritable
from utils.core.failures import error_reply
from utils.core.job import JobCancelled
from utils.core.replies import FileDone

STATUSES = ("done", "skipped", "failed", "cancelled")


class Journal:
    """A file that is appended to while the body runs; does nothing without a path."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path).expanduser() if path else None
        self._file: IO[bytes] | None = None
        self._counts: Counter[str] = Counter()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Raises `OutputNotWritable`."""
        if self._path is not None:
            try:
                self._file = _open(self._path)
            except OSError as error:
                raise self._not_writable(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._file is not None:
            self._summarise(error)
            self._file.close()

    # Songs -------------------------------------------------------------------------------------------------------

    def file_done(self, done: FileDone) -> None:
        """A song has succeeded or failed."""
        status = "failed" if not done.ok else "skipped" if done.skipped is True else "done"
        self._add(
            status,
            input=done.input,
            outputs=done.paths or {},
            model=None if done.model is UNSET else done.model,
            elapsed=None if done.elapsed is UNSET else done.elapsed,
            error={name: value for name, value in (done.error or {}).items() if name != "traceback"} or None,
        )

    def skipped(self, path: Path) -> None:
        """A song was skipped without being read."""
        self._add("skipped", input=str(path), outputs={}, model=None, elapsed=0.0, error=None)

    def cancelled(self, path: Path) -> None:
        """A song was not finished when the run was stopped."""
        self._add("cancelled", input=str(path), outputs={}, model=None, elapsed=None, error=None)

    # Lines -------------------------------------------------------------------------------------------------------

    def _summarise(self, error: BaseException | None) -> None:
        """The last line, with the error that ended the run early."""
        counts = {status: self._counts[status] for status in STATUSES}
        elapsed = round(time.monotonic() - self._started, 3)
        reason = None
        if error is not None and not isinstance(error, JobCancelled | KeyboardInterrupt):
            reply = error_reply(error)
            reason = {"code": reply.code, "message": reply.message}
        self._write({"status": "summary", "files": self._counts.total(), **counts, "elapsed": elapsed, "error": reason})

    def _add(self, status: str, **fields: object) -> None:
        self._counts[status] += 1
        self._write({"status": status, **fields})

    def _write(self, line: dict[str, object]) -> None:
        if self._file is None:
            return
        text = json.dumps(line, ensure_ascii=False) + "\n"
        data = text.encode("utf-8", "backslashreplace")  # names that are not valid text become JSON escapes
        try:
            while data:  # a nearly full disk may take only the beginning
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.close()
            self._file = None  # no summary: the run ends with this error alone
            raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> OutputNotWritable:
        return OutputNotWritable(
            f"The report `{self._path}` cannot be written: {error.strerror}. Name another file.", field="journal"
        )


def _open(path: Path) -> IO[bytes]:
    """The file, at the start of a line: a killed run may have left half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b", buffering=0)
    if file.tell() > 0:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file
