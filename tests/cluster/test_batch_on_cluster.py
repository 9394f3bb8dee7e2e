"""Batches on a real Ray cluster of several nodes: results, restarts, poison, retries, and what is killed in the middle."""

import contextlib
import random
import shutil
import threading
from functools import partial

import psutil
import pytest
from fake_batch_worker import BatchWorker
from pyarrow import parquet
from ray_cluster import PATIENCE_S, Batch, stems_are_right, write_song

from utils.cluster.driver import BatchStopped

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
# Ray leaves sockets and processes to the garbage collector.
pytestmark += [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def write_songs(folder, count):
    return [write_song(folder / f"song{number}.wav") for number in range(count)]


def leftovers(out):
    """Files that are neither results nor the batch's own."""
    return [path.name for path in (out / ".dsu" / "incoming").glob("**/*")] + [
        path.name for path in out.glob("**/*.part")
    ]


def test_songs_of_two_models_are_done_and_not_done_again(cluster, tmp_path):
    """Stems and tables are there, the same song counts once, and the next run finds all of it without a worker's help."""
    songs, out = write_songs(tmp_path / "songs", 4), tmp_path / "out"
    shutil.copyfile(songs[0], tmp_path / "songs" / "again.wav")
    manifest = tmp_path / "songs" / "rows.csv"
    manifest.write_text(
        "input,model\n"
        + "".join(f"{path.name},{'another' if number else ''}\n" for number, path in enumerate(songs))
        + "again.wav,\n"
    )
    with Batch(out, manifest) as batch:
        table = batch.run()
        assert {row["status"] for row in table.values()} == {"done"}
        assert all(stems_are_right(out, row) for row in table.values())
        assert sorted(table[name]["kept"] for name in ("song0", "again")) == [False, True]
        assert table["song0"]["key"] == table["again"]["key"]
        assert table["song1"]["model"] == "another"
        assert table["song1"]["licence"] == "MIT"
        rows = parquet.read_table(out / "results.parquet").to_pylist()
        assert [row["input"] for row in rows] == [row["input"] for row in table.values()]
    assert leftovers(out) == []
    (out / table["song2"]["stems"][0]["path"]).unlink()
    with Batch(out, manifest) as batch:
        again = batch.run()
        assert [name for name, row in again.items() if not row["kept"]] == ["song2"]
        assert all(stems_are_right(out, row) for row in again.values())


def test_songs_that_do_harm(cluster, tmp_path):
    """Poison is put aside after its tries, what needs memory or loses a card is tried elsewhere with small batches, and what is no song is not tried again."""
    folder, out = tmp_path / "songs", tmp_path / "out"
    write_songs(folder, 2)
    for name in ("POISON", "TOO_LARGE", "BROKEN", "LOSES_CARD"):
        write_song(folder / f"{name.lower()}.wav", getattr(BatchWorker, name))
    seats = {}
    with Batch(out, folder, tries=2) as batch:
        ask = batch.driver._ask
        batch.driver._ask = lambda seat, step, job, attempt, ref: (
            seats.setdefault((step, job and job.name), set()).add(seat.number),
            ask(seat, step, job, attempt, ref),
        )
        table = batch.run()
    assert [table[name]["status"] for name in ("song0", "song1", "too_large", "loses_card")] == ["done"] * 4
    for name in ("too_large", "loses_card"):
        assert table[name]["tries"] == 2
        assert len(seats["separate", name]) == 2  # the second try is somewhere else
    poison, broken = table["poison"], table["broken"]
    assert (poison["status"], poison["tries"], poison["error"]["code"]) == ("failed", 2, "worker_died")
    assert poison["error"]["put_aside_after"] == 2
    assert (broken["status"], broken["tries"], broken["error"]["code"]) == ("failed", 1, "input_unreadable")
    assert len(batch.told.of("failed")) == 2
    logs = [path.read_text() for path in (out / ".dsu" / "logs").glob("**/*.log")]
    assert sum("The fake worker dies." in text for text in logs) == 2
    assert leftovers(out) == []


def test_a_drain_finishes_what_is_under_way(cluster, tmp_path):
    """The rest is not done, is in the table as such, and is done by the next run."""
    out = tmp_path / "out"
    write_songs(tmp_path / "songs", 12)
    with Batch(out, tmp_path / "songs") as batch:
        done = batch.watch.done
        batch.watch.done = lambda job, told: (done(job, told), setattr(batch.driver, "drains", True))
        states = [row["status"] for row in batch.run().values()]
    assert 0 < states.count("done") < 12
    assert set(states) == {"done", "not_done"}
    assert leftovers(out) == []
    with Batch(out, tmp_path / "songs") as batch:
        table = batch.run()
        assert sum(row["kept"] for row in table.values()) == states.count("done")
        assert all(stems_are_right(out, row) for row in table.values())


def test_a_worker_that_cannot_be_started_stops_the_batch(cluster, tmp_path):
    """Once, with its reason, instead of failing every song."""
    write_songs(tmp_path / "songs", 3)
    with (
        Batch(tmp_path / "out", tmp_path / "songs", worker_command=None, worker=("--device", "cuda:7")) as batch,
        pytest.raises(BatchStopped, match=r"The worker on .* cannot be started: .*cuda:7"),
    ):
        batch.run()
    assert batch.told.of("failed") == []


def kills_of(request):
    return 50 if request.config.getoption("--long") else 3


def test_nothing_is_lost_and_nothing_twice(cluster, tmp_path, request):
    """Actors and nodes are killed at random moments: each row has its stems in the end, and nothing else lies about."""
    chance, hits = random.Random(22), 0
    for run in range(kills_of(request)):
        folder, out = tmp_path / f"songs{run}", tmp_path / f"out{run}"
        write_songs(folder, 8)
        write_song(folder / "long.wav", seconds=0.4)
        with Batch(out, folder, tries=5, share_s=0.15) as batch:
            harm = cluster.lose if run % 3 == 2 else partial(kill_an_actor, batch, chance)
            end = after_some_questions(batch, chance.randrange(1, 11), chance.uniform(0, 0.05), harm)
            table = batch.run()
            end()
            hits += any("is lost" in text for text in batch.told.of("note"))
        cluster.refill()
        assert [row["status"] for row in table.values()] == ["done"] * 9
        assert all(stems_are_right(out, row) for row in table.values())
        assert len({row["key"] for row in table.values()}) == 9
        assert len(list(out.glob("*/*.wav"))) == 18
        assert leftovers(out) == []
    assert hits >= kills_of(request) / 2  # the others were through with their songs, or not begun


def after_some_questions(batch, count, moment_s, harm):
    """Do harm a moment after actors were asked so many times, when there is still much to ask. Returns what waits until that is over."""
    ask, left = batch.driver._ask, [count]

    def strike():
        threading.Event().wait(moment_s)  # the moment is what is tried: nothing is waited for
        harm()

    thread = threading.Thread(target=strike)

    def count_down(*asked):
        ask(*asked)
        left[0] -= 1
        if left[0] == 0:
            thread.start()

    batch.driver._ask = count_down
    return lambda: thread.join(PATIENCE_S)


def kill_an_actor(batch, chance):
    """The process of one of the actors, as soon as one has something to do."""
    while batch.plan.counts().keys() & {"waiting", "running"}:
        if pids := [seat.pid for seat in list(batch.driver._seats) if seat.pid and seat.jobs]:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(chance.choice(pids)).kill()
            return
        threading.Event().wait(0.01)
