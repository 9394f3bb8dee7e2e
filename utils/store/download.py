"""Downloads the files of a model: over HTTPS, resumed, verified, and published only when complete.

If several processes want the same file, one downloads it and the others wait. A download that fails or is cancelled
keeps `NAME.part`, and the next one resumes from there.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from utils.core.errors import ChecksumMismatch, DownloadFailed, DsuError
from utils.core.job import Job
from utils.store.hashes import sha256_of
from utils.store.known_hashes import known_hash, remember, require_same
from utils.store.likeness import unlike
from utils.store.locks import held
from utils.store.meter import Meter
from utils.store.new_folders import made, require_space
from utils.store.part_file import PartFile, part_path
from utils.store.plain_names import require_plain_name
from utils.store.records import FileRecord
from utils.store.transfer import WAIT_STEP_S, Head, Transfer, TransferFailed

WORTH_ANOTHER_TRY_BYTES = 1 << 20
LARGEST_BYTES = 8 << 30  # of all files, where nobody says otherwise


@dataclass(frozen=True)
class Patience:
    """How often and how long to try an address. An attempt that got enough further than all before it does not count.

    `timeout_s` is for one answer, `silence_s` for all attempts since the last answer. `most_attempts` is for all of them,
    and no byte may come more than `most_repeats` times on average.
    """

    attempts: int = 5
    most_attempts: int = 1000
    most_repeats: int = 4
    first_pause_s: float = 0.5
    longest_pause_s: float = 15.0
    timeout_s: float = 30.0
    silence_s: float = 60.0

    def pause_s(self, failures: int) -> float:
        return min(self.first_pause_s * 2.0 ** (failures - 1), self.longest_pause_s)


def download_files(
    files: Sequence[FileRecord],
    *,
    folder: Path,
    model: str,
    job: Job,
    offline: bool,
    largest_bytes: int = LARGEST_BYTES,
    patience: Patience | None = None,
) -> list[Path]:
    """Make sure that `files` are complete in `folder`; their paths, in order. Only missing files are downloaded.

    Together they may have `largest_bytes`.
    """
    for file in files:
        require_plain_name(file.name)
    if not files:
        return []
    meter = Meter(files, model=model, job=job)
    absent = [file for file in files if not _is_whole(file.below(folder), file, meter)]
    if absent and offline:
        raise _offline_error(model, absent, folder)
    unpublished = [f"`{file.name}`" for file in absent if not file.urls]
    if unpublished:
        raise DownloadFailed(
            f"`{model}` cannot be downloaded: no address of {', '.join(unpublished)} is known.",
            hint=f"If you have the file, put it into `{folder}`.",
        )
    left_bytes = _left_bytes(files, model, largest_bytes) if absent else 0
    with contextlib.ExitStack() as folders:
        if absent:
            require_space(folder, sum(_needed_bytes(file, folder) for file in absent), "The download")
        for parent in dict.fromkeys(file.below(folder).parent for file in absent):
            folders.enter_context(made(parent))
        for index, file in enumerate(files):
            meter.begin(index)
            if file in absent:
                _Fetch(file, file.below(folder), meter, job, patience or Patience(), left_bytes).run()
            if file.size_bytes is None:
                left_bytes -= file.below(folder).stat().st_size
    meter.finish()
    return [file.below(folder) for file in files]


def _left_bytes(files: Sequence[FileRecord], model: str, largest_bytes: int) -> int:
    """What files of unknown size may have together. Raises `DownloadFailed` if the others have too much already."""
    known_bytes = sum(file.size_bytes or 0 for file in files)
    if known_bytes > largest_bytes:
        raise DownloadFailed(
            f"The files of `{model}` have {known_bytes} bytes, and at most {largest_bytes} are downloaded.",
            hint="`max_download_bytes` sets the limit.",
        )
    return largest_bytes - known_bytes


class _Fetch:
    """The download of one file, from any of its addresses."""

    def __init__(
        self, file: FileRecord, target: Path, meter: Meter, job: Job, patience: Patience, largest_bytes: int
    ) -> None:
        """`largest_bytes` is the most that the file may have if its size is not known."""
        self._file = file
        self._largest_bytes = largest_bytes
        self._target = target
        self._meter = meter
        self._job = job
        self._patience = patience

    def run(self) -> None:
        lock = self._target.with_name(f"{self._target.name}.lock")
        with held(lock, lambda: self._pause(WAIT_STEP_S)):
            if _is_whole(self._target, self._file, self._meter):  # another process was first
                return
            with PartFile(self._target, self._meter.tick) as part:
                if part.size_bytes == 0 or part.sha256 != self._file.sha256:
                    if self._file.size_bytes is not None and part.size_bytes >= self._file.size_bytes:
                        part.restart()  # as long as the file, but not the file
                    self._from_any_address(part)
                if self._file.sha256 is None and known_hash(self._target) is None:
                    checked = "only its size was checked" if self._file.size_bytes is not None else "it was not checked"
                    self._job.warn(f"No checksum of `{self._file.name}` is known, so {checked}.")
                part.publish()
                remember(self._target, part.sha256, published=self._file.sha256 is not None, on_wait=self._meter.tick)

    def _require_likeness(self, part: PartFile) -> None:
        """Raise an error if what arrived cannot be the file, such as the page of a login, or is not what came before."""
        problem = unlike(self._file.name, part.start())
        if problem is not None:
            part.restart()
            raise TransferFailed(f"what was sent {problem}", transient=False)
        try:
            require_same(self._target, part.sha256)
        except ChecksumMismatch:
            part.restart()
            raise

    def _from_any_address(self, part: PartFile) -> None:
        failures: dict[str, list[str]] = {}  # the addresses that failed, by the reason
        mismatch: ChecksumMismatch | None = None
        cause: Exception | None = None
        for url in self._file.urls:
            try:
                return self._from_address(url, part)
            except TransferFailed as error:
                cause = error
                failures.setdefault(str(error), []).append(url)
            except ChecksumMismatch as error:
                mismatch = error
        if mismatch is not None:
            raise mismatch
        size = "" if self._file.size_bytes is None else f" ({self._file.size_bytes / 1e6:.1f} MB)"
        told = "; ".join(f"{', '.join(urls)}: {reason}" for reason, urls in failures.items())
        raise DownloadFailed(
            f"`{self._file.name}`{size} could not be downloaded to `{self._target}`. {told}.",
            hint=f"Check the connection (HTTPS_PROXY is used), or put the file into `{self._target.parent}` yourself.",
        ) from cause

    def _from_address(self, url: str, part: PartFile) -> None:
        """Receive and verify. If resuming led to a wrong hash, the old part may be to blame, so try once more."""
        resumed = part.size_bytes > 0
        self._receive_patiently(url, part)
        if resumed and not self._is_right(part):
            part.restart()
            self._receive_patiently(url, part)
        if not self._is_right(part):
            actual = part.sha256
            part.restart()
            raise ChecksumMismatch(
                f"`{self._file.name}` from {urllib.parse.urlsplit(url).hostname} is not the expected file: "
                f"its SHA-256 begins with {actual[:8]}, expected {(self._file.sha256 or '')[:8]}. It was discarded.",
                hint="Try again. If that does not help, a proxy may alter downloads, or the publisher has changed the file.",
            )
        if self._file.sha256 is None:
            self._require_likeness(part)

    def _is_right(self, part: PartFile) -> bool:
        return self._file.sha256 in (None, part.sha256)

    def _receive_patiently(self, url: str, part: PartFile) -> None:
        tries = _Tries(self._patience, self._file, part)
        version: str | None = None
        while True:
            before = part.size_bytes
            if version is None and self._file.sha256 is None:
                part.restart()  # nothing shows whether it belongs to what the server has now
            try:
                with Transfer(
                    url, offset=part.size_bytes, etag=version, timeout_s=self._patience.timeout_s
                ) as transfer:
                    self._meter.connect(urllib.parse.urlsplit(url).hostname)
                    head = transfer.head(self._meter.tick)
                    self._meter.connect(None)
                    tries.answered()
                    version = head.etag
                    return self._receive(transfer, head, part, tries)
            except TransferFailed as error:
                if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before > 0:
                    part.restart()
                elif not error.transient:
                    raise
                if tries.are_over(part.size_bytes):
                    raise TransferFailed(
                        f"{error}; given up after {tries.described}", transient=True, status=error.status
                    ) from error
                self._pause(self._patience.pause_s(tries.failures))

    def _receive(self, transfer: Transfer, head: Head, part: PartFile, tries: _Tries) -> None:
        total = head.total_bytes if head.total_bytes is not None else self._file.size_bytes
        largest = total if total is not None else self._largest_bytes
        if largest > self._largest_bytes and self._file.size_bytes is None:
            raise TransferFailed(f"it has {largest} bytes there, {self._allowed}", transient=False)
        if self._file.size_bytes not in (None, total):
            raise TransferFailed(f"it has {total} bytes there instead of {self._file.size_bytes}", transient=False)
        if head.offset != part.size_bytes:
            part.restart()
        if head.offset not in (0, part.size_bytes):
            raise TransferFailed("the server sent a different range than requested", transient=True)
        for block in transfer.blocks(self._meter.tick):
            part.write(block)
            tries.received_bytes += len(block)
            self._meter.update(part.size_bytes, total)
            if part.size_bytes > largest:
                part.restart()
                reason = (
                    f"it is longer than the expected {total} bytes" if total else f"it has more bytes, {self._allowed}"
                )
                raise TransferFailed(reason, transient=False)
        if total is not None and part.size_bytes < total:
            raise TransferFailed(f"the connection ended after {part.size_bytes} of {total} bytes", transient=True)

    @property
    def _allowed(self) -> str:
        return f"and `max_download_bytes` leaves it {max(0, self._largest_bytes)}"

    def _pause(self, seconds: float) -> None:
        """Wait in small steps, so that a cancelled job ends at once and a waiting one shows that it is alive."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._meter.tick()
            time.sleep(min(left, WAIT_STEP_S))


class _Tries:
    """The attempts at one address so far. Whatever the server does, they come to an end: to begin anew is no progress."""

    def __init__(self, patience: Patience, file: FileRecord, part: PartFile) -> None:
        self._patience = patience
        self._size_bytes = file.size_bytes or WORTH_ANOTHER_TRY_BYTES
        self._furthest_bytes = part.size_bytes if file.sha256 is not None else 0
        self._began = self._answered = time.monotonic()
        self._all = 0
        self.failures = 0  # since the last progress
        self.received_bytes = 0

    def answered(self) -> None:
        """The server is there."""
        self._answered = time.monotonic()

    def are_over(self, reached_bytes: int) -> bool:
        """Count an attempt that failed with so much of the file there, and say whether it was the last."""
        self._all += 1
        gained_bytes = reached_bytes - self._furthest_bytes
        self.failures = 1 if gained_bytes >= WORTH_ANOTHER_TRY_BYTES else self.failures + 1
        self._furthest_bytes = max(self._furthest_bytes, reached_bytes)
        size_bytes = max(self._size_bytes, self._furthest_bytes)
        return (
            self.failures >= self._patience.attempts
            or self._all >= self._patience.most_attempts
            or self.received_bytes > self._patience.most_repeats * size_bytes
            or time.monotonic() - self._answered >= self._patience.silence_s
        )

    @property
    def described(self) -> str:
        count = "1 attempt" if self.failures == 1 else f"{self.failures} attempts"
        return f"{time.monotonic() - self._began:.0f} s and {count}"


def _is_whole(path: Path, file: FileRecord, meter: Meter) -> bool:
    try:
        if not path.is_file() or file.size_bytes not in (None, path.stat().st_size):
            return False
        return file.sha256 is None or file.sha256 == sha256_of(path, meter.tick)
    except OSError:
        return False


def _needed_bytes(file: FileRecord, folder: Path) -> int:
    """What is still to come of a file, as far as its size is known."""
    part = part_path(file.below(folder))
    received_bytes = part.stat().st_size if part.is_file() else 0
    return max(0, (file.size_bytes or 0) - received_bytes)


def _offline_error(model: str, absent: Sequence[FileRecord], folder: Path) -> DsuError:
    names = ", ".join(f"`{file.place}`" for file in absent)
    urls = ", ".join(url for file in absent for url in file.urls[:1]) or "an unknown address"
    it, are = ("it", "is") if len(absent) == 1 else ("them", "are")
    return DownloadFailed(
        f"Offline mode is on, so `{model}` was not downloaded; {names} {are} missing.",
        hint=f"Put {it} into `{folder}` yourself. Published at {urls}.",
    )
