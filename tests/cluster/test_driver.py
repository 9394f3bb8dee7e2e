"""What the driver does about actors whose own code fails, without Ray."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from ray.exceptions import RayTaskError

from utils.cluster import driver as driver_module
from utils.cluster.actors import Fetched
from utils.cluster.driver import BatchStopped, Doing, Driver, Seat
from utils.cluster.options import BatchOptions
from utils.cluster.plan import BatchJob
from utils.cluster.storage import FoundSong


def job(number):
    return BatchJob(number, FoundSong("file:///song.wav", 4, "1"), f"song{number}", {"model": "a"}, "{}", 0, 0, False)


def test_the_next_song_begins_where_an_actor_failed():
    """It would wait for good otherwise, and the batch with it."""
    plan, watch = Mock(), Mock()
    driver = Driver(BatchOptions(sources=("songs",), out="out"), plan, Mock(), watch)
    failed, fetched = job(1), job(2)
    actor = SimpleNamespace(separate=Mock())
    seat = Seat(actor, 1, is_ready=True, separating=failed, fetched=(fetched, "second"))
    error = RayTaskError("separate", "Traceback of the actor", OSError("No space left on device"))
    driver._broken(Doing(seat, "separate", failed, "first"), error)
    actor.separate.remote.assert_called_once_with(fetched, "second")
    assert (seat.separating, seat.fetched) == (fetched, None)
    plan.give_back.assert_called_once()


def test_a_worker_that_cannot_be_started_is_gone_without_if_others_can(monkeypatch):
    """A machine whose driver is broken does not stop hundreds of others; nobody is started in its place."""
    killed = []
    monkeypatch.setattr(driver_module.ray, "kill", killed.append)
    driver = Driver(BatchOptions(sources=("songs",), out="out"), Mock(), Mock(), Mock())
    good, bad = Seat(SimpleNamespace(), 1), Seat(SimpleNamespace(), 2)
    driver._seats = [good, bad]
    driver._answered(Doing(good, "describe", None, ""), {"host": "one", "pid": 1})
    driver._answered(Doing(bad, "describe", None, ""), {"host": "two", "pid": 2, "fault": "No card."})
    assert driver._seats == [good]
    assert killed == [bad.actor]
    monkeypatch.setattr(driver_module.ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 4.0}}])
    assert driver._capacity() == 3
    with pytest.raises(BatchStopped, match="on two cannot be started: No card"):
        Driver(BatchOptions(sources=("songs",), out="out"), Mock(), Mock(), Mock())._answered(
            Doing(bad, "describe", None, ""), {"host": "two", "pid": 2, "fault": "No card."}
        )


def test_shares_that_do_not_go_together_are_not_joined(monkeypatch):
    """Other settings or another kind of device make other samples; another card of this kind does not."""
    row = {
        "input_sha256": "a",
        "device": "cuda:0",
        "settings": {"overlap": 2, "batch_size": 1},
        "files": [{"stem": "one", "path": "p/one.wav"}],
    }
    for change, is_joined in (
        ({}, True),
        ({"device": "cuda:1"}, True),
        ({"settings": {"overlap": 2, "batch_size": 4}}, False),
        ({"device": "cpu"}, False),
        ({"settings": {"overlap": 4, "batch_size": 1}}, False),
        ({"input_sha256": "b"}, False),
    ):
        plan, whole = Mock(), job(1)
        plan.whole_of.return_value, plan.shares_of.return_value = whole, [row, {**row, **change}]
        driver = Driver(BatchOptions(sources=("songs",), out="out"), plan, Mock(), Mock())
        driver._claimed[1] = Fetched("a", 0.1)
        driver._identities["{}"] = "models"
        driver._share_done(job(2)._replace(whole=1))
        assert plan.join.called == is_joined, change
        assert plan.unshare.called != is_joined, change
    assert plan.unshare.call_args.args == (whole,)
