"""Long songs that several workers separate together."""

import hashlib

import numpy as np
import pytest
import soundfile
from fake_batch_worker import BatchWorker
from ray_cluster import Batch, stems_are_right, write_song

from tools.fixtures.song import SAMPLE_RATE, song
from utils.cluster.manifest import Checked
from utils.cluster.plan import Plan, models_of
from utils.cluster.storage import FoundSong

on_cluster = [
    pytest.mark.slow,
    pytest.mark.e2e,
    # Ray leaves sockets and processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MODEL = models_of({"model": "a"})


def marked(test):
    for mark in on_cluster:
        test = mark(test)
    return test


def shares_left(out):
    return list((out / ".dsu" / "shares").glob("**/*"))


def notes_of(out, name):
    return [path for path in (out / ".dsu" / "logs").glob("**/*.log") if f"{name}.wav" in path.read_text()]


@pytest.fixture
def plan():
    plan = Plan()
    rows = [
        Checked("list", FoundSong(f"file:///{name}.wav", 4, "1"), name, {"model": "a"}) for name in ("long", "short")
    ]
    list(plan.fill(iter(rows)))
    yield plan
    plan.close()


# The plan -----------------------------------------------------------------------------------------------------------


def test_shares_are_dealt_and_not_counted(plan):
    """The song runs until they are done, waits to be joined, and is one song to whoever counts."""
    whole = plan.take(MODEL)
    first = plan.share(whole, 3, ".dsu/shares/x")
    assert first.request == {"model": "a", "share": {"number": 1, "of": 3}}
    assert (first.whole, first.found, first.models) == (whole.number, whole.found, MODEL)
    assert plan.counts() == {"running": 1, "waiting": 1}
    assert plan.groups() == {MODEL: 3}
    assert plan.take(MODEL).name == "short"
    others = [plan.take(MODEL), plan.take(MODEL)]
    assert [share.request["share"]["number"] for share in others] == [2, 3]
    assert plan.groups() == {}
    for share in (others[1], first):
        plan.end(share, "done", {"n": share.request["share"]["number"]})
        assert plan.shares_of(whole) is None
    plan.give_back(others[0], tries=1)
    again = plan.take(MODEL)
    assert (again.number, again.tries) == (others[0].number, 1)
    plan.end(again, "done", {"n": 2})
    assert plan.shares_of(whole) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert plan.counts() == {"running": 2}
    plan.join(whole, [{"one": "a"}, {"one": "b"}])
    assert plan.counts() == {"running": 1, "waiting": 1}
    joined = plan.take(MODEL)
    assert (joined.number, joined.shares) == (whole.number, ({"one": "a"}, {"one": "b"}))
    plan.end(joined, "done", {})
    assert [row[0] for row in plan.ended()] == [1, 2]


def test_a_song_that_cannot_be_shared_is_done_alone(plan):
    """Shares that wait are gone; those that run come to an end for nothing."""
    whole = plan.take(MODEL)
    first = plan.share(whole, 3, "x")
    second = plan.take(MODEL)
    while second.whole is None:
        second = plan.take(MODEL)
    plan.end(first, "failed", {})
    assert plan.whole_of(second) is not None
    plan.unshare(whole)
    assert plan.whole_of(second) is None
    alone = plan.take(MODEL)
    assert (alone.number, alone.is_alone, alone.shares) == (whole.number, True, ())
    assert plan.take(MODEL) is None
    assert plan.counts() == {"running": 2}


def test_many_songs_of_one_name_are_named_in_no_time(plan):
    """Each name is tried once, not once for each song before."""
    tried = []
    plan._db.set_trace_callback(
        lambda text: tried.append(text) if text.startswith("insert or ignore into names") else None
    )
    rows = (
        Checked("list", FoundSong(f"file:///{each}/vocals.wav", 4, "1"), "vocals", {"model": "a"})
        for each in range(300)
    )
    list(plan.fill(rows))
    assert plan._db.execute("select count(distinct name) from jobs").fetchone() == (302,)
    assert len(tried) <= 302


# On a cluster -------------------------------------------------------------------------------------------------------


@marked
def test_the_stems_are_those_of_one_worker(cluster, tmp_path):
    """Byte by byte, with the real worker and the built-in model, in floats and in a format with one gain for all stems."""
    folder = tmp_path / "songs"
    folder.mkdir()
    soundfile.write(folder / "long.wav", 3 * np.asarray(song(14.0)), SAMPLE_RATE, subtype="FLOAT")
    for case, common in (("float", {"pcm_type": "FLOAT"}), ("flac", {"format": "flac"})):
        with Batch(tmp_path / case / "alone", folder, common=common, worker_command=None) as batch:
            alone = batch.run()["long"]
        with Batch(tmp_path / case / "shared", folder, common=common, worker_command=None, share_s=4.0) as batch:
            shared = batch.run()["long"]
        assert [row["status"] for row in (alone, shared)] == ["done", "done"], (alone["error"], shared["error"])
        assert {stem["stem"]: stem["sha256"] for stem in shared["stems"]} == {
            stem["stem"]: stem["sha256"] for stem in alone["stems"]
        }
        assert shared["duration_s"] == alone["duration_s"]
        assert len(notes_of(tmp_path / case / "shared", "long")) == 5  # four shares, and joining them
        assert shares_left(tmp_path / case / "shared") == []


@marked
def test_long_songs_are_shared_and_short_ones_are_not(cluster, tmp_path):
    """What cannot be shared is done by one worker, what fails in a share fails once, and nothing of shares is left."""
    folder, out = tmp_path / "songs", tmp_path / "out"
    write_song(folder / "long.wav", seconds=0.5)
    write_song(folder / "short.wav", seconds=0.1)
    write_song(folder / "whole.wav", BatchWorker.WHOLE, seconds=0.5)
    write_song(folder / "broken.wav", BatchWorker.BROKEN, seconds=0.5)
    write_song(folder / "poison.wav", BatchWorker.POISON, seconds=0.5)
    with Batch(out, folder, share_s=0.15, tries=2) as batch:
        table = batch.run()
        assert batch.watch.facts["rows"] == 5
    assert {name: row["status"] for name, row in table.items()} == {
        "long": "done", "short": "done", "whole": "done", "broken": "failed", "poison": "failed",
    }  # fmt: skip
    assert all(stems_are_right(out, table[name]) for name in ("long", "short", "whole"))
    assert table["broken"]["error"]["code"] == "input_unreadable"
    assert table["poison"]["error"]["code"] == "worker_died"
    assert table["poison"]["error"]["put_aside_after"] == 2
    assert len(batch.told.of("failed")) == 2
    assert [len(notes_of(out, name)) for name in ("long", "short")] == [5, 1]
    assert table["long"]["separate_s"] > 0


@marked
def test_shares_that_are_done_are_not_done_again(cluster, tmp_path):
    """A batch that is stopped in the middle of a long song goes on there."""
    folder, out = tmp_path / "songs", tmp_path / "out"
    write_song(folder / "long.wav", seconds=0.8)
    with Batch(out, folder, share_s=0.1) as batch:
        written = batch.driver._written

        def drain(pairs):
            written(pairs)
            batch.driver.drains = True

        batch.driver._written = drain
        assert batch.run()["long"]["status"] == "not_done"
    done = len(shares_left(out))
    assert done
    first = len(notes_of(out, "long"))
    with Batch(out, folder, share_s=0.1) as batch:
        table = batch.run()
        assert table["long"]["status"] == "done"
        assert stems_are_right(out, table["long"])
        batch.ledger.sweep(is_over=True)
    assert shares_left(out) == []
    tried = [path.read_text() for path in notes_of(out, "long")][first:]
    assert sum("To the worker" in text for text in tried) < 9


@marked
def test_a_share_whose_worker_is_lost_is_done_by_another(cluster, tmp_path):
    """As a song is."""
    folder, out = tmp_path / "songs", tmp_path / "out"
    write_song(folder / "long.wav", seconds=0.5)
    with Batch(out, folder, share_s=0.1) as batch:
        written, lost = batch.driver._written, []

        def lose(pairs):
            written(pairs)
            if not lost:
                lost.append(cluster.lose())

        batch.driver._written = lose
        table = batch.run()
    cluster.refill()
    assert lost
    assert table["long"]["status"] == "done"
    assert stems_are_right(out, table["long"])


@marked
def test_what_cannot_be_joined_is_done_by_one_worker(cluster, tmp_path):
    """The song changes, or parts vanish, after all were done: its stems are those of the song that is there."""
    folder, out = tmp_path / "songs", tmp_path / "out"
    for name in ("changes", "vanishes"):
        write_song(folder / f"{name}.wav", seconds=0.3)
    with Batch(out, folder, share_s=0.2) as batch:
        join = batch.plan.join

        def harm(whole, shares):
            song = folder / f"{whole.name}.wav"
            if whole.name == "changes":
                write_song(song, first=99, seconds=0.3)
            else:
                (out / shares[1]["one"]).unlink()
            join(whole, shares)

        batch.plan.join = harm
        table = batch.run()
    assert {name: row["status"] for name, row in table.items()} == {"changes": "done", "vanishes": "done"}
    assert all(stems_are_right(out, row) for row in table.values())
    changed = hashlib.sha256((folder / "changes.wav").read_bytes()).hexdigest()
    assert table["changes"]["input_sha256"] == changed
    assert len([text for text in batch.told.of("note") if "by one worker" in text]) == 2
