"""Fetch the files of a model: over HTTPS, resumed, checked, and published only when whole.

Of several processes that want the same file one fetches it; the others wait and find it. A download that fails or is
cancelled keeps `NAME.part`, and the next one goes on from there.
"""

from __future__ import annotations

import shutil
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from utils.core.errors import ChecksumMismatch, DiskFull, DownloadFailed, DsuError, OutputNotWritable
from utils.core.job import Job
from utils.store.hashes import sha256_of
from utils.store.locks import held
from utils.store.meter import Meter
from utils.store.part_file import PartFile, part_path
from utils.store.plain_names import require_plain_name
from utils.store.records import FileRecord
from utils.store.transfer import WAIT_STEP_S, Head, Transfer, TransferFailed

SPARE_BYTES = 16 << 20
WORTH_ANOTHER_TRY_BYTES = 1 << 20


@dataclass(frozen=True)
class Patience:
    """How long to go on. An attempt that brought something worthwhile does not count."""

    attempts: int = 5
    first_pause_s: float = 0.5
    longest_pause_s: float = 15.0
    timeout_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        return min(self.first_pause_s * 2.0 ** (failures - 1), self.longest_pause_s)


def download_files(
    files: Sequence[FileRecord],
    *,
    folder: Path,
    model: str,
    job: Job,
    offline: bool,
    patience: Patience | None = None,
) -> list[Path]:
    """Have `files` whole in `folder`; the paths, in order. Files that are there already are not fetched."""
    for file in files:
        require_plain_name(file.name)
    if not files:
        return []
    meter = Meter(files, model=model, job=job)
    absent = [file for file in files if not _is_whole(file.below(folder), file, meter)]
    if absent and offline:
        raise _offline(model, absent, folder)
    if absent:
        _require_addresses(model, absent, folder)
        _prepare(folder, absent)
    for index, file in enumerate(files):
        meter.begin(index)
        if file in absent:
            _Fetch(file, file.below(folder), meter, job, patience or Patience()).run()
    meter.finish()
    return [file.below(folder) for file in files]


class _Fetch:
    """One file from any of its addresses."""

    def __init__(self, file: FileRecord, target: Path, meter: Meter, job: Job, patience: Patience) -> None:
        self._file = file
        self._target = target
        self._meter = meter
        self._job = job
        self._patience = patience

    def run(self) -> None:
        lock = self._target.with_name(f"{self._target.name}.lock")
        with held(lock, self._wait):
            if _is_whole(self._target, self._file, self._meter):  # another process was first
                return
            with PartFile(self._target, self._meter.tick) as part:
                self._drop_useless(part)
                if not self._is_finished(part):
                    self._from_any_address(part)
                self._warn_if_unchecked()
                part.publish()

    def _drop_useless(self, part: PartFile) -> None:
        """A part as long as the file, or longer, that is not the file will not become it."""
        size_bytes = self._file.size_bytes
        if size_bytes is not None and part.size_bytes >= size_bytes and not self._is_finished(part):
            part.restart()

    def _is_finished(self, part: PartFile) -> bool:
        return part.size_bytes > 0 and part.sha256 == self._file.sha256

    def _from_any_address(self, part: PartFile) -> None:
        failures: list[str] = []
        mismatch: ChecksumMismatch | None = None
        cause: Exception | None = None
        for url in self._file.urls:
            try:
                return self._from_address(url, part)
            except TransferFailed as error:
                cause = error
                failures.append(f"{urllib.parse.urlsplit(url).hostname or url}: {error}")
            except ChecksumMismatch as error:
                mismatch = error
        if mismatch is not None:
            raise mismatch
        raise DownloadFailed(
            f"`{self._file.name}` could not be downloaded. {'; '.join(failures)}.",
            hint=f"Check the connection (HTTPS_PROXY is honoured), or put the file into `{self._target.parent}` yourself.",
        ) from cause

    def _from_address(self, url: str, part: PartFile) -> None:
        """Receive and check. A bad sum after resuming may be the old part's fault, so that is tried once more."""
        resumed = part.size_bytes > 0
        self._receive_patiently(url, part)
        if resumed and not self._is_right(part):
            part.restart()
            self._receive_patiently(url, part)
        if not self._is_right(part):
            actual = part.sha256
            part.restart()
            raise ChecksumMismatch(
                f"`{self._file.name}` from {urllib.parse.urlsplit(url).hostname} is not the file that was expected: "
                f"its SHA-256 begins with {actual[:8]}, expected {(self._file.sha256 or '')[:8]}. It was not kept.",
                hint="Try again; if it stays so, a proxy may change what is downloaded, or the publisher changed the file.",
            )

    def _is_right(self, part: PartFile) -> bool:
        return self._file.sha256 in (None, part.sha256)

    def _receive_patiently(self, url: str, part: PartFile) -> None:
        failures = 0
        version: str | None = None
        while True:
            before = part.size_bytes
            if version is None and self._file.sha256 is None:
                part.restart()  # nothing can tell whether it belongs to what the server has now
            try:
                with Transfer(
                    url, offset=part.size_bytes, etag=version, timeout_s=self._patience.timeout_s
                ) as transfer:
                    head = transfer.head(self._meter.tick)
                    version = head.etag
                    return self._receive(transfer, head, part)
            except TransferFailed as error:
                if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before > 0:
                    part.restart()
                elif not error.transient:
                    raise
                failures = 1 if part.size_bytes - before >= WORTH_ANOTHER_TRY_BYTES else failures + 1
                if failures >= self._patience.attempts:
                    raise
                self._pause(self._patience.pause_s(failures))

    def _receive(self, transfer: Transfer, head: Head, part: PartFile) -> None:
        total = head.total_bytes if head.total_bytes is not None else self._file.size_bytes
        if self._file.size_bytes not in (None, total):
            raise TransferFailed(f"it has {total} bytes there, not {self._file.size_bytes}", transient=False)
        if head.offset != part.size_bytes:
            part.restart()
        if head.offset not in (0, part.size_bytes):
            raise TransferFailed("the server sent another part than it was asked for", transient=True)
        for block in transfer.blocks(self._meter.tick):
            part.write(block)
            self._meter.update(part.size_bytes, total)
            if total is not None and part.size_bytes > total:
                part.restart()
                raise TransferFailed(f"it is longer than the {total} bytes that were expected", transient=False)
        if total is not None and part.size_bytes < total:
            raise TransferFailed(f"the connection ended after {part.size_bytes} of {total} bytes", transient=True)

    def _warn_if_unchecked(self) -> None:
        if self._file.sha256 is None:
            known = "by its size alone" if self._file.size_bytes is not None else "as it came"
            self._job.warn(f"No checksum of `{self._file.name}` is known, so it was accepted {known}.")

    def _wait(self) -> None:
        self._pause(WAIT_STEP_S)

    def _pause(self, seconds: float) -> None:
        """Let time pass in steps, so that a cancelled job ends at once and a waiting one is heard."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._meter.tick()
            time.sleep(min(left, WAIT_STEP_S))


def _is_whole(path: Path, file: FileRecord, meter: Meter) -> bool:
    try:
        if not path.is_file() or file.size_bytes not in (None, path.stat().st_size):
            return False
        return file.sha256 is None or file.sha256 == sha256_of(path, meter.tick)
    except OSError:
        return False


def _prepare(folder: Path, absent: Sequence[FileRecord]) -> None:
    """Make the folder, and those in it, and see that what will come fits on its disk."""
    try:
        for parent in (folder, *(file.below(folder).parent for file in absent)):
            parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputNotWritable(
            f"The models directory `{folder}` cannot be made: {error.strerror}.",
            hint="Choose another models directory with --models-dir.",
        ) from error
    needed_bytes = sum(_bytes_to_come(folder, file) for file in absent)
    if needed_bytes + SPARE_BYTES > free_bytes:
        raise DiskFull(
            f"The download needs {needed_bytes >> 20} MiB in `{folder}`, and {free_bytes >> 20} MiB are free. "
            "Free some space or choose another models directory."
        )


def _bytes_to_come(folder: Path, file: FileRecord) -> int:
    part = part_path(file.below(folder))
    there = part.stat().st_size if part.is_file() else 0
    return max(0, (file.size_bytes or 0) - there)


def _require_addresses(model: str, absent: Sequence[FileRecord], folder: Path) -> None:
    names = [f"`{file.name}`" for file in absent if not file.urls]
    if names:
        raise DownloadFailed(
            f"`{model}` cannot be downloaded: no address of {', '.join(names)} is known.",
            hint=f"If you have the file, put it into `{folder}`.",
        )


def _offline(model: str, absent: Sequence[FileRecord], folder: Path) -> DsuError:
    names = ", ".join(f"`{file.place}`" for file in absent)
    urls = ", ".join(url for file in absent for url in file.urls[:1])
    return DownloadFailed(
        f"Offline mode is on, so `{model}` is not downloaded; {names} is missing.",
        hint=f"Put it into `{folder}` yourself; it is published at {urls or 'an address that is not known'}.",
    )
