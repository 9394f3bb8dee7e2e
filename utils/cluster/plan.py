"""The jobs of a batch and what is known of earlier results, in SQLite on this machine's disk: a million rows take no memory.

Jobs are grouped by the models they name, so that a worker loads one and stays with it. The file lives as long as the process; what has to outlive it
is in the ledger.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils.cluster.manifest import Checked, Fault
from utils.cluster.storage import FoundSong
from utils.core.catalogue import FILES_OF_MODELS, NAMES_MODELS

# Fields of a request that change no sample and no file.
WITHOUT_EFFECT = frozenset({"batch_size", "use_fast"})
TABLES = """
create table jobs (
  number integer primary key, place text, url text, size integer, input_state text, name text, request text, models text,
  state text not null, tries integer not null default 0, losses integer not null default 0, small integer not null default 0,
  failed_at integer not null default 0, whole integer, shares text, alone integer not null default 0, result text
);
create index by_luck on jobs (models, state, tries, number);
create index by_number on jobs (models, state, number);
create index by_whole on jobs (whole) where whole is not null;
create table names (folded text primary key, owner text, next integer not null default 2);
create table results (key text primary key, entry text);
create table stamps (stamp text primary key, key text);
"""


class BatchJob(NamedTuple):
    """A song to separate."""

    number: int
    found: FoundSong
    name: str
    request: dict[str, Any]
    models: str  # which it names, as text
    tries: int
    losses: int
    is_small: bool  # whether memory has run out, and it is tried with small batches
    whole: int | None = None  # the number of the job that this is a share of
    shares: tuple[dict[str, str], ...] = ()  # of a song whose shares are done: the files of the stems of each
    is_alone: bool = False  # whether it is not to be shared

    @property
    def settings(self) -> str:
        """The same text for requests with the same result."""
        return settings_of(self.request)


def settings_of(request: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in request.items() if name not in WITHOUT_EFFECT}
    return json.dumps(kept, sort_keys=True, default=str)


def models_of(request: Mapping[str, Any]) -> str:
    """Which models a request means, as text."""
    names = dict.fromkeys((*NAMES_MODELS, *FILES_OF_MODELS))
    return json.dumps({name: request[name] for name in names if request.get(name)}, sort_keys=True, default=str)


def digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()


class Plan:
    """All jobs. They wait, run, or have ended: `done`, `failed`, or `invalid` from the start.

    A long song may be `shared`: it runs as jobs that each do a share of it, and waits again when those are done, to be joined. Such
    jobs are dealt like others, but nobody counts them.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dsu-batch-")
        self._db = sqlite3.connect(Path(self._folder.name) / "plan.sqlite", isolation_level=None)
        self._counts: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()  # of those that wait
        self._db.executescript("pragma journal_mode=off; pragma synchronous=off; pragma cache_size=-16384;" + TABLES)

    def close(self) -> None:
        self._db.close()
        self._folder.cleanup()

    # Filling it -----------------------------------------------------------------------------------------------------

    def fill(self, rows: Iterator[Checked | Fault]) -> Iterator[Fault]:
        """Take in all rows; yields those that cannot be done."""
        self._db.execute("begin")
        for row in rows:
            if isinstance(row, Fault):
                self._db.execute(
                    "insert into jobs (place, url, state, result) values (?, '', 'invalid', ?)",
                    (row.place, json.dumps({"error": {"code": "invalid_request", "message": row.message}})),
                )
                self._counts["invalid"] += 1
                yield row
                continue
            models = models_of(row.fields)
            values = (row.place, *row.found, self._own_name(row.name), json.dumps(row.fields), models)
            self._counts["waiting"] += 1
            self._groups[models] += 1
            self._db.execute(
                "insert into jobs (place, url, size, input_state, name, request, models, state) values (?, ?, ?, ?, ?, ?, ?, 'waiting')",
                values,
            )
        self._db.execute("commit")

    def _own_name(self, name: str) -> str:
        """A name that no other row has; file systems may not tell capitals or the forms of Unicode apart."""
        row = self._db.execute("select next from names where folded = ?", (_folded(name),)).fetchone()
        for number, candidate in _candidates(name, 1 if row is None else row[0]):
            found = self._db.execute(
                "insert or ignore into names (folded, owner) values (?, 'row') returning folded", (_folded(candidate),)
            ).fetchone()
            if found:
                if number > 1:  # those before it need not be tried again
                    self._db.execute("update names set next = ? where folded = ?", (number + 1, _folded(name)))
                return candidate
        raise AssertionError

    # Dealing --------------------------------------------------------------------------------------------------------

    def groups(self) -> dict[str, int]:
        """The models that jobs wait for, with how many do; most first."""
        return {models: count for models, count in self._groups.most_common() if count}

    def waiting(self, models: str, after: int = 0, limit: int = 1000) -> list[BatchJob]:
        """Jobs of a group, a page at a time."""
        query = "select * from jobs where models = ? and state = 'waiting' and number > ? order by number limit ?"
        return [_job(row) for row in self._db.execute(query, (models, after, limit))]

    def take(self, models: str, leave_out: int | None = None) -> BatchJob | None:
        """The next job of a group, which runs from now on. Those that had no luck come last, those that had none at a seat may be left out."""
        query = "select * from jobs where models = ? and state = 'waiting' and failed_at is not ? order by tries, number limit 1"
        row = self._db.execute(query, (models, leave_out)).fetchone()
        if row is None:
            return None
        job = _job(row)
        self._run(job)
        return job

    def _run(self, job: BatchJob) -> None:
        self._db.execute("update jobs set state = 'running' where number = ?", (job.number,))
        self._groups[job.models] -= 1
        self._move(job, "waiting", "running")

    def _move(self, job: BatchJob, before: str, after: str) -> None:
        """Count a job in another state."""
        if job.whole is None:
            self._counts["running" if before == "shared" else before] -= 1
            self._counts["running" if after == "shared" else after] += 1

    def give_back(
        self, job: BatchJob, *, tries: int = 0, losses: int = 0, small: bool = False, failed_at: int = 0
    ) -> None:
        """Let it wait again, tried or lost so many times more, and for the last time at this seat."""
        self._db.execute(
            "update jobs set state = 'waiting', tries = tries + ?, losses = losses + ?, small = max(small, ?), failed_at = ? where number = ?",
            (tries, losses, small, failed_at, job.number),
        )
        self._waits(job)

    def _waits(self, job: BatchJob) -> None:
        self._groups[job.models] += 1
        self._move(job, "running", "waiting")

    # Sharing --------------------------------------------------------------------------------------------------------

    def share(self, job: BatchJob, of: int, name: str) -> BatchJob:
        """Let a song that runs be done in so many shares. Returns the first, which runs; the others wait."""
        self._db.execute("update jobs set state = 'shared' where number = ?", (job.number,))
        first = None
        for number in range(1, of + 1):
            request = {**job.request, "share": {"number": number, "of": of}}
            row = self._db.execute(
                "insert into jobs (place, url, size, input_state, name, request, models, state, small, whole)"
                " select place, url, size, input_state, ?, ?, models, 'waiting', small, number from jobs where number = ? returning *",
                (f"{name}-{number}", json.dumps(request), job.number),
            ).fetchone()
            self._groups[job.models] += 1
            first = first or _job(row)
        if first is None:
            raise ValueError(of)
        self._run(first)
        return first

    def whole_of(self, share: BatchJob) -> BatchJob | None:
        """The song that this is a share of, while it is shared."""
        row = self._db.execute("select * from jobs where number = ? and state = 'shared'", (share.whole,)).fetchone()
        return None if row is None else _job(row)

    def shares_of(self, whole: BatchJob) -> list[dict[str, Any]] | None:
        """The results of all shares of a song, once they are there."""
        rows = self._db.execute(
            "select state, result from jobs where whole = ? order by number", (whole.number,)
        ).fetchall()
        return [json.loads(text) for _, text in rows] if all(state == "done" for state, _ in rows) else None

    def join(self, whole: BatchJob, shares: Sequence[Mapping[str, str]]) -> None:
        """Let a song wait to be joined from the files of its shares."""
        self._wait_again(whole, shares=json.dumps(shares))

    def unshare(self, whole: BatchJob) -> None:
        """Let a song that is shared, or is being joined, wait to be done by one worker alone."""
        self.drop_shares(whole)
        self._wait_again(whole, alone=True)

    def _wait_again(self, whole: BatchJob, *, shares: str | None = None, alone: bool = False) -> None:
        self._db.execute(
            "update jobs set state = 'waiting', shares = ?, alone = ? where number = ?", (shares, alone, whole.number)
        )
        self._waits(whole)

    def drop_shares(self, whole: BatchJob) -> None:
        """The shares of a song are not needed any more. Those that run come to their end for nothing."""
        left = self._db.execute(
            "delete from jobs where whole = ? and state = 'waiting' returning number", (whole.number,)
        )
        self._groups[whole.models] -= len(left.fetchall())

    # Ending ---------------------------------------------------------------------------------------------------------

    def end(self, job: BatchJob, state: str, result: Mapping[str, Any], *, tries: int = 0) -> None:
        """A job is over, after so many tries more."""
        (before,) = self._db.execute("select state from jobs where number = ?", (job.number,)).fetchone()
        self._db.execute(
            "update jobs set state = ?, result = ?, tries = tries + ? where number = ?",
            (state, json.dumps(result), tries, job.number),
        )
        self._move(job, before, state)
        if before == "waiting":
            self._groups[job.models] -= 1

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        return {state: count for state, count in self._counts.items() if count}

    def ended(self) -> Iterator[tuple[int, str, str, str, int, dict[str, Any]]]:
        """Number, place, song, state, tries and result of each row, in order."""
        number = 0
        query = "select number, place, url, state, tries, result, request from jobs where number > ? and whole is null order by number limit 1000"
        while rows := self._db.execute(query, (number,)).fetchall():
            for number, place, url, state, tries, text, request in rows:
                result = json.loads(text) if text else {}
                result["asked"] = json.loads(request) if request else {}
                yield number, place, url, state, tries, result

    # Earlier results ------------------------------------------------------------------------------------------------

    def remember(self, key: str, stamp: str, name: str, entry: str) -> None:
        """A result is there, and nobody else may have its name."""
        self._db.execute("insert or replace into results values (?, ?)", (key, entry))
        self._db.execute("insert or replace into stamps values (?, ?)", (stamp, key))
        self._db.execute("insert or replace into names (folded, owner) values (?, ?)", (_folded(name), key))

    def forget(self, key: str) -> None:
        self._db.execute("delete from results where key = ?", (key,))

    def result(self, key: str) -> str | None:
        row = self._db.execute("select entry from results where key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def key_of(self, stamp: str) -> str | None:
        row = self._db.execute("select key from stamps where stamp = ?", (stamp,)).fetchone()
        return None if row is None else row[0]

    def final_name(self, name: str, key: str) -> str:
        """The name for a result: that of its row, unless an earlier result has that."""
        for _, candidate in _candidates(name):
            row = self._db.execute("select owner from names where folded = ?", (_folded(candidate),)).fetchone()
            if row is None or row[0] == key or (row[0] == "row" and candidate == name):
                self._db.execute("update names set owner = ? where folded = ?", (key, _folded(candidate)))
                self._db.execute("insert or ignore into names (folded, owner) values (?, ?)", (_folded(candidate), key))
                return candidate
        raise AssertionError


def _job(row: tuple[Any, ...]) -> BatchJob:
    number, _, url, size, state, name, request, models, _, tries, losses, small, _, whole, shares, alone, _ = row
    found = FoundSong(url, size, state)
    joined = tuple(json.loads(shares)) if shares else ()
    return BatchJob(
        number, found, name, json.loads(request), models, tries, losses, bool(small), whole, joined, bool(alone)
    )


def _candidates(name: str, first: int = 1) -> Iterator[tuple[int, str]]:
    """Names to try, with their numbers; the first is the name itself."""
    for number in itertools.count(first):
        yield number, name if number == 1 else f"{name} ({number})"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
