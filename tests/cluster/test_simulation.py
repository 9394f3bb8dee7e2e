"""The model of larger clusters agrees with what can be calculated by hand."""

import json
import math

import pytest

from tools.batch_scale import main, measured
from utils.cluster.ledger import MOVES_AT_ONCE
from utils.cluster.simulation import Machines, MeasuredSong, simulate

SONG = MeasuredSong(separate_s=10.0, input_bytes=40e6, output_bytes=160e6, files=4)


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_without_stores_time_is_shared(workers):
    """Every worker is always busy."""
    done = simulate([SONG] * 640, Machines(workers, message_s=0.0))
    assert math.isclose(done.seconds, 6400 / workers, rel_tol=0.01)
    assert math.isclose(done.worker_share, 1.0, rel_tol=0.01)


def test_fetching_is_hidden_and_storing_is_not():
    """The next song comes while one is separated; stems go before the next one begins."""
    done = simulate([SONG] * 100, Machines(1, worker_bytes_per_s=40e6))
    assert math.isclose(done.seconds, 1.0 + 100 * (10.0 + 4.0), rel_tol=0.01)


def test_a_store_is_the_limit_of_many():
    """All bytes go through it, however many workers wait."""
    done = simulate([SONG] * 2000, Machines(500, store_bytes_per_s=1e9))
    assert done.limits["store"] > 0.9
    assert math.isclose(done.seconds, 2000 * 200e6 / 1e9, rel_tol=0.1)


def test_the_driver_is_the_limit_of_too_many():
    """It answers two messages of each song, one after another."""
    done = simulate([SONG] * 2000, Machines(1000, message_s=0.05))
    assert done.limits["driver"] > 0.9
    assert math.isclose(done.seconds, 2000 * 2 * 0.05, rel_tol=0.1)


def test_the_ledger_is_the_limit_of_slow_stores():
    """It moves some songs side by side, and the files of each one after another."""
    done = simulate([SONG] * 2000, Machines(1000, move_s=2.0))
    assert done.limits["ledger"] > 0.8
    assert done.seconds > 2000 / MOVES_AT_ONCE * 4 * 2.0
    few = simulate([SONG] * 8, Machines(8, move_s=1.0))  # the first one is written down at once, then the others
    assert math.isclose(few.seconds, 10.0 + 2 * 4 * 1.0, rel_tol=0.01)


def test_songs_may_be_assumed(capsys):
    """Of one kind; either they or those of a batch."""
    assert main(["--assume", "10,25,100,4", "--workers", "1", "--songs", "36"]) == 0
    assert json.loads(capsys.readouterr().out)["hours"] == 0.1
    with pytest.raises(SystemExit):
        main([])


def test_songs_come_from_the_table_of_a_batch(tmp_path, capsys):
    """Those that were kept cost nothing, and so tell nothing."""
    table = tmp_path / "results.jsonl"
    row = {
        "status": "done",
        "kept": False,
        "separate_s": 2.0,
        "input_bytes": 5,
        "stems": [{"size_bytes": 7}],
    }
    rows = [row, {**row, "kept": True}, {**row, "status": "failed"}]
    table.write_text("".join(json.dumps(each) + "\n" for each in rows))
    assert measured(table) == [MeasuredSong(2.0, 5, 7, 1)]
    main([str(table), "--workers", "1,2", "--songs", "10", "--cost-per-hour", "360"])
    one, two = map(json.loads, capsys.readouterr().out.splitlines())
    assert (one["hours"], two["hours"]) == (round(20 / 3600, 3), round(10 / 3600, 3))
    assert one["cost"] == two["cost"] == 2.0
