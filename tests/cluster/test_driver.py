"""What the driver does about actors whose own code fails, without Ray."""

from types import SimpleNamespace
from unittest.mock import Mock

from ray.exceptions import RayTaskError

from utils.cluster.driver import Doing, Driver, Seat
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
