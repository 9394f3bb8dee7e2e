"""The cache drops the least recently used models, by count and by bytes, but never leased ones."""

import contextlib
from dataclasses import dataclass

import pytest

from utils.engine.cache import ModelCache


@dataclass(frozen=True)
class FakeSource:
    name: str
    family: str = "networks"

    @property
    def identifier(self):
        return f"id-{self.name}"


@dataclass
class FakeModel:
    name: str
    bytes: int = 10
    stems: tuple[str, ...] = ("a", "b")
    device: str = "cuda"

    @property
    def source(self):
        return FakeSource(self.name)

    def size_bytes(self):
        return self.bytes

    def move(self, device):
        self.device = device


def use(cache, *models):
    """A job with these models, which loads those that are not cached."""
    with cache.lease() as lease:
        return [lease.get(model.source) or lease.put(model) for model in models]


def peek(cache, name):
    """The cached model, as a job would get it."""
    with cache.lease() as lease:
        return lease.get(FakeSource(name))


def cache_of(*names, max_models=3, max_bytes=1000):
    cache = ModelCache(max_models, max_bytes)
    for name in names:
        use(cache, FakeModel(name))
    return cache


def loaded(cache):
    return [entry.name for entry in cache.entries()]


def test_the_least_recently_used_goes_first():
    """Using a model protects it, and the count stays within its bound."""
    cache = cache_of("a", "b", "c")
    assert peek(cache, "a") is not None
    use(cache, FakeModel("d"))
    assert loaded(cache) == ["c", "a", "d"]


def test_bytes_are_a_bound_too():
    """A large model evicts as many as needed, but stays itself."""
    cache = cache_of("a", "b", max_bytes=100)
    use(cache, FakeModel("huge", bytes=500))
    assert loaded(cache) == ["huge"]


@pytest.mark.parametrize(("size", "left"), [(2, ["b", "c"]), (0, [])])
def test_resizing_drops_at_once(size, left):
    """A smaller bound takes effect at once, and zero turns the cache off."""
    cache = cache_of("a", "b", "c")
    cache.resize(size)
    assert loaded(cache) == left


def test_a_cache_of_zero_keeps_nothing():
    """With the cache off, a model is dropped after use."""
    assert loaded(cache_of("a", max_models=0)) == []


def test_clear_says_how_many():
    """Clearing empties the cache and returns the count."""
    cache = cache_of("a", "b")
    assert cache.clear() == 2
    assert cache.clear() == 0


def test_releasing_what_is_not_leased_says_whether_it_helped():
    """The result says whether anything could be released."""
    cache = cache_of("a", "b")
    with cache.lease() as lease:
        lease.get(FakeSource("b"))
        assert lease.release_others()
        assert not lease.release_others()
    assert loaded(cache) == ["b"]


def test_dropping_the_active_model_leaves_none_active():
    """The active model is always a loaded one."""
    model = FakeModel("a")
    cache = ModelCache(1, 1000)
    use(cache, model)
    cache.activate(model)
    assert cache.active == model.source
    assert [entry.active for entry in cache.entries()] == [True]
    use(cache, FakeModel("b"))
    assert cache.active is None


def test_dropping_releases_memory():
    """Dropping a model triggers the release of device memory."""
    calls = []
    cache = ModelCache(1, 1000, on_drop=lambda: calls.append(1))
    use(cache, FakeModel("a"))
    use(cache, FakeModel("b"))
    assert calls == [1]


def card(max_models=1, max_parked_bytes=25, **options):
    return ModelCache(max_models, 1000, device="cuda", max_parked_bytes=max_parked_bytes, **options)


def test_a_model_that_makes_room_is_parked_and_comes_back():
    """On a GPU, reusing a parked model costs a copy: it is the same model, moved."""
    cache, first = card(), FakeModel("a")
    use(cache, first)
    use(cache, FakeModel("b"))
    assert first.device == "cpu"
    assert loaded(cache) == ["b"]
    assert peek(cache, "a") is first
    assert first.device == "cuda"
    assert loaded(cache) == ["a"]


def test_parked_models_are_bounded_by_bytes():
    """Host memory is bounded too: the oldest parked model is dropped."""
    cache = card()
    for name in "abcd":
        use(cache, FakeModel(name))
    assert peek(cache, "a") is None
    assert peek(cache, "c") is not None


@pytest.mark.parametrize("act", [lambda cache: cache.clear(), lambda cache: cache.resize(0)])
def test_other_threads_do_not_move_models(act):
    """Clearing and resizing run on another thread, so they drop models without moving them."""
    cache, model = card(), FakeModel("a")
    use(cache, model)
    act(cache)
    assert model.device == "cuda"
    assert peek(cache, "a") is None


def test_on_the_cpu_nothing_is_parked():
    """On the CPU, parking would not free any memory."""
    cache = ModelCache(1, 1000, device="cpu", max_parked_bytes=1000)
    use(cache, FakeModel("a"))
    use(cache, FakeModel("b"))
    assert peek(cache, "a") is None


# Leases -----------------------------------------------------------------------------------------------------------


def test_leased_models_stay_on_the_device_whatever_the_bounds():
    """A job may lease more models than the cache can hold; afterwards the oldest are parked."""
    cache, models = card(max_models=2, max_parked_bytes=1000), [FakeModel(name) for name in "abc"]
    with cache.lease() as lease:
        for model in models:
            lease.put(model)
        assert [model.device for model in models] == ["cuda"] * 3
        assert loaded(cache) == ["a", "b", "c"]
    assert [model.device for model in models] == ["cpu", "cuda", "cuda"]
    assert loaded(cache) == ["b", "c"]


def test_bytes_push_out_no_leased_model():
    """The bound in bytes applies after the lease too."""
    cache, models = card(max_models=9), [FakeModel(name, bytes=600) for name in "ab"]
    with cache.lease() as lease:
        for model in models:
            lease.put(model)
        assert loaded(cache) == ["a", "b"]
    assert loaded(cache) == ["b"]


def test_a_lease_makes_room_with_models_that_nobody_uses():
    """They are parked at once, not at the end."""
    cache, old = card(max_models=1), FakeModel("old")
    use(cache, old)
    with cache.lease() as lease:
        lease.put(FakeModel("new"))
        assert old.device == "cpu"
        assert loaded(cache) == ["new"]


@pytest.mark.parametrize("act", [lambda cache: cache.clear(), lambda cache: cache.resize(0)])
def test_a_job_keeps_its_models_until_it_ends(act):
    """Clearing or shrinking the cache meanwhile moves nothing of it, and the device's memory is released at its end."""
    released = []
    cache, model = card(on_drop=lambda: released.append(1)), FakeModel("a")
    with cache.lease() as lease:
        lease.put(model)
        act(cache)
        assert model.device == "cuda"
        assert lease.get(model.source) is model
        act(cache)
        released.clear()
    assert loaded(cache) == []
    assert released == [1]
    assert model.device == "cuda"
    assert peek(cache, "a") is None


def test_a_lease_that_fails_ends_too():
    """Whatever happens in a job, the cache is within its bounds afterwards."""
    cache = card(max_models=1)
    with contextlib.suppress(RuntimeError), cache.lease() as lease:
        for name in "ab":
            lease.put(FakeModel(name))
        raise RuntimeError
    assert loaded(cache) == ["b"]


def test_a_model_that_two_leases_have_stays_until_both_are_over():
    """One of them ending changes nothing for the other."""
    cache, model = card(max_models=0), FakeModel("a")
    with cache.lease() as outer:
        outer.put(model)
        with cache.lease() as inner:
            assert inner.get(model.source) is model
        assert loaded(cache) == ["a"]
        assert model.device == "cuda"
    assert loaded(cache) == []
