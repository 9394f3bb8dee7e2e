"""What is done, in the folder of the results: a song may be computed twice, and yet its result counts once.

Workers write stems into `.dsu/incoming`, each try in a folder of its own. Only the driver, of which there is one, makes them results: it first writes down
in `.dsu/ledger` what is to be moved where, and then moves it. After a kill the next driver reads that, finishes what was begun, and removes what
nobody wrote down. So whoever looks at a folder of stems finds all of them once the ledger has them, and late writes of a lost worker reach nobody.

A result is known by its key: the song's content, the settings and the models. To find it again without reading the song there is its stamp: the song's
name, size and state instead of the content.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from utils.cluster.plan import BatchJob, Plan, digest
from utils.cluster.storage import Store, said
from utils.core.errors import InvalidRequest
from utils.core.typed import decode
from utils.store.locks import FileLock

LEDGER = ".dsu/ledger"
INCOMING = ".dsu/incoming"
SHARES = ".dsu/shares"  # of songs that several workers separate together, until they are joined
LOGS = ".dsu/logs"
LOCK = ".dsu/driver.lock"
LEASE_S = 60.0
MOVES_AT_ONCE = 32
COMMIT_AFTER_S = 1.0
COMMIT_AT = 64  # results that are written down together


class ResultFile(msgspec.Struct, frozen=True):
    """A file of a result: below its folder, and what it holds."""

    name: str
    stem: str | None  # None is a report
    sha256: str
    size_bytes: int


class LedgerEntry(msgspec.Struct, frozen=True):
    """A result, as it is written down."""

    key: str
    stamp: str
    name: str  # of its folder
    attempt: str
    files: tuple[ResultFile, ...]
    row: dict[str, Any]  # for the table


def key_of(job: BatchJob, input_sha256: str, identity: str) -> str:
    return digest(input_sha256, job.settings, identity)


def stamp_of(job: BatchJob, identity: str) -> str:
    return digest(job.found.url, str(job.found.size_bytes), job.found.state, job.settings, identity)


class Ledger:
    """The results in a store."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store = store
        self._plan = plan
        self._pool = ThreadPoolExecutor(MOVES_AT_ONCE, thread_name_prefix="dsu-move")

    def close(self) -> None:
        self._pool.shutdown()

    def load(self) -> int:
        """Read what is done, finish what was begun, and remove what nobody wrote down. Returns how many results there are."""
        unfinished: dict[str, list[str]] = {}
        for name in self._store.below(INCOMING):
            unfinished.setdefault(name.split("/")[2], []).append(name)
        shares = {name.rpartition("/")[0] for name in self._store.below(SHARES)}
        count = 0
        for segment in sorted(self._store.below(LEDGER)):
            if not segment.endswith(".jsonl"):
                self._store.remove(segment)  # it never got its name
                continue
            for line in self._store.read(segment).splitlines():
                entry = decode(line, LedgerEntry)
                if entry.attempt in unfinished:
                    self._move(entry)
                elif entry.name.startswith(f"{SHARES}/") and entry.name not in shares:
                    continue  # it has been joined
                self._remember(entry)
                count += 1
        self.sweep()
        return count

    def record(self, entries: Sequence[LedgerEntry]) -> None:
        """Make these results count: write them down, then give their files their names. It may be called from one thread at a time."""
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        self._store.write(f"{LEDGER}/{time.time_ns():020d}-{secrets.token_hex(4)}.jsonl", lines)
        for _ in self._pool.map(self._move, entries):
            pass

    def remember(self, entries: Iterable[LedgerEntry]) -> None:
        for entry in entries:
            self._remember(entry)

    def find(self, key: str) -> LedgerEntry | None:
        """A result that is there: with all its files, or it is not used."""
        text = self._plan.result(key)
        return None if text is None else decode(text, LedgerEntry)

    def find_unread(self, jobs: Sequence[BatchJob], identity: str) -> list[tuple[BatchJob, LedgerEntry]]:
        """Those of these jobs whose songs have not changed since their results were made."""
        known = []
        for job in jobs:
            key = self._plan.key_of(stamp_of(job, identity))
            if key is not None and (entry := self.find(key)) is not None:
                known.append((job, entry))
        whole = self._pool.map(lambda pair: self.is_whole(pair[1]), known)
        found = []
        for pair, is_whole in zip(known, whole, strict=True):
            if is_whole:
                found.append(pair)
            else:
                self._plan.forget(pair[1].key)
        return found

    def is_whole(self, entry: LedgerEntry) -> bool:
        """Whether all files of a result are there, as large as they were."""
        folders = {file.name.rpartition("/")[0] for file in entry.files}
        sizes = {
            f"{folder}/{name}".lstrip("/"): size
            for folder in folders
            for name, size in self._store.sizes(f"{entry.name}/{folder}".rstrip("/")).items()
        }
        return all(sizes.get(file.name) == file.size_bytes for file in entry.files)

    def discard(self, names: Iterable[str]) -> None:
        """Remove the folders of results that are not needed any more."""
        for _ in self._pool.map(self._store.remove, names):
            pass

    def sweep(self, *, is_over: bool = False) -> None:
        """Remove what tries have left that came to nothing and, at the end of all jobs, every share. Nobody may be at work."""
        self._store.remove(INCOMING)
        if is_over:
            self._store.remove(SHARES)

    def _move(self, entry: LedgerEntry) -> None:
        for file in entry.files:
            self._store.move(f"{INCOMING}/{entry.attempt}/{file.name}", f"{entry.name}/{file.name}")
        self._store.remove(f"{INCOMING}/{entry.attempt}")

    def _remember(self, entry: LedgerEntry) -> None:
        self._plan.remember(entry.key, entry.stamp, entry.name, msgspec.json.encode(entry).decode())


class DriverLease:
    """The right to be the driver of a folder. On a disk it is a lock; elsewhere an object that is written again and again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._token = secrets.token_hex(8)
        self.is_lost = False  # whether another driver has taken it
        self._over = threading.Event()
        self._lock: FileLock | None = None
        if store.folder is not None:
            self._lock = FileLock(store.folder / LOCK)
            if not self._lock.try_acquire():
                raise InvalidRequest(
                    f"Another batch writes into `{store.url}`.", hint="Wait for its end, or choose another --out."
                )
            return
        try:
            held = self._holder()
        except OSError as error:
            raise InvalidRequest(f"`{store.address(LOCK)}` cannot be read: {said(error)}") from error
        if held and time.time() - float(held["at"]) < LEASE_S:
            raise InvalidRequest(
                f"Another batch, on {held['host']}, writes into `{store.url}`, or was killed less than a minute ago.",
                hint=f"Wait a minute, or remove `{store.address(LOCK)}` if you know that it is gone.",
            )
        self._renew()
        self._thread = threading.Thread(target=self._keep, name="dsu-lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        self._over.set()
        if self._lock is not None:
            self._lock.release()
            return
        self._thread.join()
        if not self.is_lost:
            self._store.remove(LOCK)

    def _keep(self) -> None:
        renewed_s = time.monotonic()
        while not self._over.wait(LEASE_S / 4):
            try:
                held = self._holder()
                if held is not None and held["token"] != self._token:
                    self.is_lost = True
                    return
                self._renew()
                renewed_s = time.monotonic()
            except Exception:  # noqa: BLE001 - a store that does not answer may do so the next time, if there is one
                if time.monotonic() - renewed_s > LEASE_S:
                    self.is_lost = True
                    return

    def _renew(self) -> None:
        told = {"token": self._token, "host": socket.gethostname(), "at": time.time()}
        self._store.write(LOCK, json.dumps(told).encode())

    def _holder(self) -> dict[str, Any] | None:
        """What is written there, if anything is. Raises `OSError` if the store does not say."""
        try:
            return json.loads(self._store.read(LOCK))  # type: ignore[no-any-return]
        except (FileNotFoundError, ValueError):
            return None
