"""The cache drops what was used longest ago, within a count and a number of bytes."""

from dataclasses import dataclass

import pytest

from utils.engine.cache import ModelCache


@dataclass
class FakeModel:
    name: str
    bytes: int = 10
    stems: tuple[str, ...] = ("a", "b")
    device: str = "cuda"

    @property
    def identifier(self):
        return f"id-{self.name}"

    def size_bytes(self):
        return self.bytes

    def move(self, device):
        self.device = device


def cache_of(*names, max_models=3, max_bytes=1000):
    cache = ModelCache(max_models, max_bytes)
    for name in names:
        cache.put(FakeModel(name))
    return cache


def loaded(cache):
    return [entry.name for entry in cache.entries()]


def test_the_least_recently_used_goes_first():
    """Using a model protects it; the count is kept."""
    cache = cache_of("a", "b", "c")
    assert cache.get("id-a") is not None
    cache.put(FakeModel("d"))
    assert loaded(cache) == ["c", "a", "d"]


def test_bytes_are_a_bound_too():
    """A big model pushes out as many as needed, but stays itself."""
    cache = cache_of("a", "b", max_bytes=100)
    cache.put(FakeModel("huge", bytes=500))
    assert loaded(cache) == ["huge"]


@pytest.mark.parametrize(("size", "left"), [(2, ["b", "c"]), (0, [])])
def test_resizing_drops_at_once(size, left):
    """A smaller cache is smaller now, and zero turns it off."""
    cache = cache_of("a", "b", "c")
    cache.resize(size)
    assert loaded(cache) == left


def test_a_cache_of_zero_keeps_nothing():
    """With the cache off a model is used and forgotten."""
    assert loaded(cache_of("a", max_models=0)) == []


def test_clear_says_how_many():
    """Clearing empties the cache and counts."""
    cache = cache_of("a", "b")
    assert cache.clear() == 2
    assert cache.clear() == 0


def test_keep_only_says_whether_it_helped():
    """Back-off asks whether anything could be released."""
    cache = cache_of("a", "b")
    assert cache.keep_only("id-b")
    assert not cache.keep_only("id-b")
    assert loaded(cache) == ["b"]


def test_dropping_the_active_model_leaves_none_active():
    """There is never an active model that is not loaded."""
    model = FakeModel("a")
    cache = ModelCache(1, 1000)
    cache.put(model)
    cache.activate(model)
    assert cache.active is model
    assert [entry.active for entry in cache.entries()] == [True]
    cache.put(FakeModel("b"))
    assert cache.active is None


def test_dropping_releases_memory():
    """The device is told when a model goes."""
    calls = []
    cache = ModelCache(1, 1000, on_drop=lambda: calls.append(1))
    cache.put(FakeModel("a"))
    cache.put(FakeModel("b"))
    assert calls == [1]


def card(max_models=1, max_parked_bytes=25):
    return ModelCache(max_models, 1000, device="cuda", max_parked_bytes=max_parked_bytes)


def test_a_model_that_makes_room_is_parked_and_comes_back():
    """On a graphics card, going back to a model costs a copy: it is the same model, moved."""
    cache, first = card(), FakeModel("a")
    cache.put(first)
    cache.put(FakeModel("b"))
    assert first.device == "cpu"
    assert loaded(cache) == ["b"]
    assert cache.get("id-a") is first
    assert first.device == "cuda"
    assert loaded(cache) == ["a"]


def test_parked_models_are_bounded_by_bytes():
    """The host's memory is not endless either: the oldest parked model goes."""
    cache = card()
    for name in "abcd":
        cache.put(FakeModel(name))
    assert cache.get("id-a") is None
    assert cache.get("id-c") is not None


@pytest.mark.parametrize("act", [lambda cache: cache.clear(), lambda cache: cache.resize(0)])
def test_what_a_running_job_may_use_is_not_moved(act):
    """Clearing and resizing come from another thread; they forget models where they are."""
    cache, model = card(), FakeModel("a")
    cache.put(model)
    act(cache)
    assert model.device == "cuda"
    assert cache.get("id-a") is None


def test_on_the_cpu_nothing_is_parked():
    """Parked there, a model would take the very memory that it was to give up."""
    cache = ModelCache(1, 1000, device="cpu", max_parked_bytes=1000)
    cache.put(FakeModel("a"))
    cache.put(FakeModel("b"))
    assert cache.get("id-a") is None
