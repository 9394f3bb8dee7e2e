"""The uploads and jobs, in SQLite, so that a server that was killed goes on where it was.

Every change is one transaction, and is on the disk's log when the call returns. Calls take well under a millisecond, so they
are made on the event loop.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from utils.core.typed import decode
from utils.web.shapes import State, Upload

FORM = 1
TABLES = """
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, size_bytes INTEGER NOT NULL, duration_s REAL, used REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, place REAL NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL, upload TEXT, result TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, place);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, digest TEXT NOT NULL, job TEXT NOT NULL, created REAL NOT NULL
) STRICT;
"""


class Record(msgspec.Struct, kw_only=True):
    """A job as it is kept."""

    id: str
    state: State
    title: str
    cmd: str
    input: dict[str, Any]
    request: dict[str, Any]
    created: float
    place: float = 0.0
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    result: str | None = None
    reused: bool = False
    movable: bool = False
    settings: dict[str, Any] = {}
    stems: list[dict[str, Any]] = []
    warnings: list[str] = []
    error: dict[str, Any] | None = None
    size_bytes: int = 0


class Database:
    """The tables. `close` it in the end."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA cache_size=-2000")
        self._connection.executescript(TABLES)
        self._connection.execute(f"PRAGMA user_version={FORM}")

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    # Uploads

    def add_upload(self, upload: Upload) -> None:
        self._rows(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, used = excluded.used",
            *(upload.id, upload.name, upload.size_bytes, upload.duration_s, time.time()),
        )

    def upload(self, name: str) -> Upload | None:
        rows = self._rows("SELECT id, name, size_bytes, duration_s FROM uploads WHERE id = ?", name)
        return _upload(rows[0]) if rows else None

    def idle_uploads(self) -> list[tuple[str, float]]:
        """The uploads that no job uses, and when they were last used, the oldest first."""
        return self._rows(
            "SELECT id, used FROM uploads WHERE id NOT IN (SELECT upload FROM jobs WHERE upload IS NOT NULL) ORDER BY used"
        )

    def upload_ids(self) -> set[str]:
        return {row[0] for row in self._rows("SELECT id FROM uploads")}

    def remove_upload(self, name: str) -> None:
        self._rows("DELETE FROM uploads WHERE id = ?", name)

    # Jobs

    def save(self, record: Record, key: tuple[str, str] | None = None) -> None:
        """Keep a job as it is now; a new one with the key and the digest of its request."""
        text = msgspec.json.encode(record).decode()
        with self._transaction():
            self._rows(
                "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?)",
                *(record.id, record.place, record.state, text, record.input.get("upload"), record.result),
            )
            if key is not None:
                self._rows("INSERT INTO keys VALUES (?, ?, ?, ?)", *key, record.id, time.time())

    def jobs(self) -> list[Record]:
        """All jobs, by their places."""
        return [decode(row[0], Record) for row in self._rows("SELECT record FROM jobs ORDER BY place")]

    def remove(self, record: Record) -> None:
        with self._transaction():
            self._rows("DELETE FROM jobs WHERE id = ?", record.id)
            self._rows("DELETE FROM keys WHERE job = ?", record.id)
            if record.input.get("upload"):
                self._rows("UPDATE uploads SET used = ? WHERE id = ?", time.time(), record.input["upload"])

    def job_with_key(self, key: str) -> tuple[str, str] | None:
        """The digest and the job of an idempotency key."""
        rows = self._rows("SELECT digest, job FROM keys WHERE key = ?", key)
        return (rows[0][0], rows[0][1]) if rows else None


def _upload(row: Sequence[Any]) -> Upload:
    name, title, size_bytes, duration_s = row
    return Upload(id=name, name=title, size_bytes=size_bytes, sha256=name, duration_s=duration_s)
