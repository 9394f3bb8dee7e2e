"""Results count once, whenever a driver is killed."""

import msgspec
import pytest
from web_server import until

from utils.cluster import ledger as ledger_module
from utils.cluster.ledger import INCOMING, LEDGER, LOCK, DriverLease, Ledger, LedgerEntry, ResultFile, key_of, stamp_of
from utils.cluster.manifest import Checked, Fault
from utils.cluster.plan import Plan, models_of
from utils.cluster.storage import FoundSong, Store
from utils.core.errors import InvalidRequest


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "out"), {})


@pytest.fixture
def plan():
    plan = Plan()
    yield plan
    plan.close()


def row(name, **fields):
    return Checked("list", FoundSong(f"file:///{name}.wav", 4, "1"), name, {"model": "a", **fields})


def entry(job, attempt="try", name=None):
    key = key_of(job, "content", "models")
    file = ResultFile("one.wav", "one", "", 4)
    return LedgerEntry(key, stamp_of(job, "models"), name or job.name, attempt, (file,), {"duration": 1.0})


def write_try(store, attempt="try"):
    store.write(f"{INCOMING}/{attempt}/one.wav", b"stem")


def opened(store, plan):
    ledger = Ledger(store, plan)
    ledger.load()
    return ledger


def filled(plan, *rows):
    list(plan.fill(iter(rows)))
    return plan.waiting(models_of(rows[0].fields)) if rows else []


def test_what_was_written_down_is_found_without_reading_the_song(store, plan):
    """And only while its files are as they were."""
    (job,) = filled(plan, row("song"))
    ledger = opened(store, plan)
    write_try(store)
    ledger.record([entry(job)])
    assert (store.folder / "song/one.wav").read_bytes() == b"stem"
    again = opened(store, plan)
    assert again.find_unread([job], "models") == [(job, entry(job))]
    assert again.find_unread([job], "other models") == []
    (store.folder / "song/one.wav").write_bytes(b"changed")
    assert again.find_unread([job], "models") == []


def test_a_driver_killed_between_writing_down_and_moving(store, plan, monkeypatch):
    """The next one moves what was written down, and removes what was not."""
    (job,) = filled(plan, row("song"))
    ledger = opened(store, plan)
    write_try(store, "try")
    write_try(store, "late")
    monkeypatch.setattr(ledger, "_move", lambda entry: None)
    ledger.record([entry(job)])
    assert not (store.folder / "song").exists()
    opened(store, plan)
    assert (store.folder / "song/one.wav").read_bytes() == b"stem"
    assert not (store.folder / INCOMING).exists()


def test_shares_that_were_joined_are_forgotten(store, plan):
    """Songs in hundreds of shares would otherwise make each later start slower; those that are there still count."""
    (job,) = filled(plan, row("song"))
    ledger = opened(store, plan)
    for attempt, name in (("joined", ".dsu/shares/a-1"), ("waits", ".dsu/shares/a-2")):
        write_try(store, attempt)
        ledger.record([msgspec.structs.replace(entry(job, attempt, name), key=attempt)])
    ledger.discard([".dsu/shares/a-1"])
    later = Plan()
    assert Ledger(store, later).load() == 1
    assert (later.result("joined"), later.result("waits") is None) == (None, False)
    later.close()


def test_a_segment_that_was_never_whole_is_nothing(store, plan):
    """It still has its temporary name."""
    store.write(f"{LEDGER}/.0.jsonl.0123.part", b"{half")
    assert opened(store, plan) is not None
    assert list(store.below(LEDGER)) == []


def test_results_never_take_the_names_of_others(store, plan):
    """Neither of other rows nor of earlier results, on any file system."""
    jobs = filled(plan, row("song"), row("Song"), row("song"))
    assert [job.name for job in jobs] == ["song", "Song (2)", "song (3)"]
    ledger = opened(store, plan)
    ledger.remember([entry(jobs[0])])
    assert plan.final_name("song", entry(jobs[0]).key) == "song"
    assert plan.final_name("song", "another") == "song (4)"


def test_one_driver_at_a_time(store):
    """A second one is told so."""
    lease = DriverLease(store)
    with pytest.raises(InvalidRequest, match="Another batch"):
        DriverLease(store)
    lease.release()
    DriverLease(store).release()


def test_jobs_that_had_no_luck_come_last(plan):
    """And rows that cannot be done are no jobs."""
    filled(plan, row("one"), row("two"), Fault("list", "It is wrong."))
    models = models_of({"model": "a"})
    first = plan.take(models)
    plan.give_back(first, tries=1)
    second = plan.take(models)
    assert (first.name, second.name) == ("one", "two")
    plan.give_back(second, failed_at=7)
    assert plan.take(models, leave_out=7).tries == 1
    assert plan.take(models, leave_out=7) is None
    assert plan.take(models).name == "two"
    assert plan.take(models) is None
    assert plan.counts() == {"running": 2, "invalid": 1}


class MemoryStore:
    """An object store of which some answers are errors."""

    folder, url = None, "s3://bucket/out"

    def __init__(self):
        self.files, self.errors, self.failed = {}, 0, 0

    def address(self, name):
        return f"{self.url}/{name}"

    def read(self, name):
        self._fail()
        try:
            return self.files[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def write(self, name, data):
        self._fail()
        self.files[name] = data

    def remove(self, name):
        self.files.pop(name, None)

    def _fail(self):
        if self.errors:
            self.errors -= 1
            self.failed += 1
            raise OSError("The store does not answer.")


@pytest.fixture
def quick_lease(monkeypatch):
    monkeypatch.setattr(ledger_module, "LEASE_S", 0.4)


@pytest.mark.usefixtures("quick_lease")
def test_a_lease_outlives_a_store_that_does_not_answer_once():
    """It is renewed the next time."""
    store = MemoryStore()
    lease = DriverLease(store)
    store.errors = 1
    until(lambda: store.failed, bool)
    before = store.files[LOCK]
    until(lambda: store.files[LOCK], lambda data: data != before)
    assert not lease.is_lost
    lease.release()
    assert LOCK not in store.files


@pytest.mark.usefixtures("quick_lease")
def test_a_lease_that_cannot_be_renewed_is_lost():
    """The driver is told before others may take it to be dead."""
    store = MemoryStore()
    lease = DriverLease(store)
    store.errors = 10**6
    assert until(lambda: lease.is_lost, bool)
    store.errors = 0
    lease.release()


def test_a_store_that_does_not_tell_who_drives_is_no_free_one():
    """One error is no right to take over."""
    store = MemoryStore()
    store.errors = 1
    with pytest.raises(InvalidRequest, match="cannot be read"):
        DriverLease(store)
    assert store.files == {}
