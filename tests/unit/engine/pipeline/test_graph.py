"""A graph of streams: samples in step whatever the chunks and rates, one decode, bounded queues, errors that know their step."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from utils.core.errors import DsuError, OutOfMemory
from utils.core.job import Job, JobCancelled
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.blending import Sum
from utils.engine.pipeline.chunking import plan_faded
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.graph import (
    SONG,
    GraphArrangement,
    GraphStream,
    Mixing,
    Queue,
    Separation,
    SilentStem,
    Sound,
    Tap,
    converted,
)
from utils.engine.pipeline.outputs import Offer, Output, Selection
from utils.engine.pipeline.track import Waveform

RATE = 8000


class Halves:
    """A network whose two stems are each half of what it hears."""

    def __init__(self):
        self.threads = set()

    def input_length(self, length):
        return length

    def __call__(self, mix):
        self.threads.add(threading.get_ident())
        return torch.stack([mix / 2, mix / 2], dim=1)


class Opened(Waveform):
    """Audio that counts how often it is opened."""

    count = 0

    def open(self, *args):
        type(self).count += 1
        return super().open(*args)


def separation(heard_from=SONG, *, chunk=4000, rate=RATE, channels=2, net=None, work=1.0, **fields):
    def lanes(heard):
        plan = plan_faded(heard.stats.frames, chunk=chunk, overlaps=2)
        return [Lane(net or Halves(), plan, np.ones(2), mirrored=True)]

    arrangement = Arrangement(
        **{
            "model": "halves",
            "sample_rate": rate,
            "channels": channels,
            "selection": Offer(("one", "two")).select(stems=None, two_stems=None),
            "lanes": lanes,
            "compute": Compute("cpu", 1),
            "settings": {},
            **fields,
        }
    )
    return Separation(arrangement, heard_from, work)


def graph(steps, results, *, rate=RATE, channels=2):
    return GraphArrangement(
        model="graph",
        sample_rate=rate,
        channels=channels,
        selection=Selection(tuple(Output(name, ()) for name in results), ()),
        lanes=lambda _: [],
        compute=Compute("cpu", 1),
        settings={},
        steps=steps,
        results=results,
    )


def mixing(*taps, gains):
    return Mixing(taps, lambda _: Sum(gains))


def noise(seconds=3.0, rate=RATE):
    samples = np.random.default_rng(0).standard_normal((2, round(seconds * rate))).astype(np.float32)
    return Waveform(samples, rate)


def played(arrangement, audio, job=None):
    """The whole mix and the results; every sample must come once, in order."""
    parts = list(GraphStream(arrangement, audio, job or Job()))
    starts = np.cumsum([0, *(part.mix.shape[1] for part in parts)])
    assert [part.start for part in parts] == list(starts[:-1])
    stems = {name: np.concatenate([part.stems[name] for part in parts], axis=1) for name in parts[0].stems}
    return np.concatenate([part.mix for part in parts], axis=1), stems


CHAIN = {
    "a": separation(),
    "b": separation(Tap("a", "one"), chunk=1500),
    "c": separation(Tap("b", "two"), chunk=7000),
    "d": separation(Tap("a", "two"), chunk=300),
    "sum": mixing(Tap("c", "one"), Tap("d", "one"), SONG, gains=[8.0, 4.0, -2.0]),
}
RESULTS = {"sum": Tap("sum", "sum"), "late": Tap("c", "two"), "early": Tap("a", "one")}


def test_steps_hear_each_other_in_step():
    """Chunks of any length at any depth: results and mix are aligned to the sample."""
    audio = noise()
    mix, stems = played(graph(CHAIN, RESULTS), audio)
    np.testing.assert_array_equal(mix, audio.samples)
    np.testing.assert_allclose(stems["early"], audio.samples / 2, atol=1e-6)
    np.testing.assert_allclose(stems["late"], audio.samples / 8, atol=1e-6)
    np.testing.assert_allclose(stems["sum"], 0 * audio.samples, atol=1e-5)


@pytest.mark.parametrize("seconds", [4, 40])
def test_what_waits_does_not_grow_with_the_song(seconds):
    """A reader is never farther ahead of another than the chunks between them."""
    stream = GraphStream(graph(CHAIN, RESULTS), noise(seconds), Job())
    waiting_s = max(max(well.waiting_s for well in stream.wells.values()) for _ in stream)
    assert waiting_s < 3.0


def test_the_song_is_decoded_once_for_all_that_hear_it():
    """At one rate, however many steps and mixtures take it."""
    samples = noise().samples
    steps = {"a": separation(), "b": separation(), "m": mixing(SONG, Tap("b", "one"), gains=[1.0, 1.0])}
    Opened.count = 0
    played(graph(steps, {"a": Tap("a", "one"), "m": Tap("m", "m")}), Opened(samples, RATE))
    assert Opened.count == 1


def test_networks_run_on_the_thread_that_asks():
    """Nothing reads ahead of a network."""
    net = Halves()
    steps = {"a": separation(net=net), "b": separation(Tap("a", "one"), net=net)}
    played(graph(steps, {"x": Tap("b", "one")}), noise())
    assert net.threads == {threading.get_ident()}


@pytest.mark.parametrize(("rate", "channels"), [(4000, 2), (RATE, 1), (11025, 2)])
def test_a_step_at_another_rate_gets_and_gives_what_it_should(rate, channels):
    """Stems come back at the rate of the graph, exactly as long as the song, and at the right place."""
    times = np.arange(3 * RATE + 1) / RATE
    audio = Waveform(np.tile(np.sin(2 * np.pi * 200 * times).astype(np.float32), (2, 1)), RATE)
    steps = {"a": separation(), "b": separation(Tap("a", "one"), rate=rate, channels=channels)}
    mix, stems = played(graph(steps, {"x": Tap("b", "one")}), audio)
    assert stems["x"].shape == mix.shape
    middle = slice(RATE // 2, -RATE // 2)
    np.testing.assert_allclose(stems["x"][:, middle], mix[:, middle] / 4, atol=2e-4)


def test_a_length_that_is_rounded_twice_is_made_exact():
    """A sample too few becomes silence, one too many is dropped."""
    blocks = [np.ones((1, 5), np.float32)]
    source = Sound(RATE, 1, 5)
    assert sum(block.shape[1] for block in converted(blocks, source, Sound(RATE, 1, 6))) == 6
    assert sum(block.shape[1] for block in converted(blocks, source, Sound(RATE, 1, 4))) == 4


def test_an_error_knows_its_step():
    """That in which it arose, not the one that asked for samples."""

    class Broken(Halves):
        def __call__(self, mix):
            raise MemoryError

    steps = {"a": separation(net=Broken()), "b": separation(Tap("a", "one"))}
    with pytest.raises(OutOfMemory) as caught:
        played(graph(steps, {"x": Tap("b", "one")}), noise())
    assert caught.value.step == "a"
    assert isinstance(caught.value, DsuError)


def test_a_stem_of_zeros_is_found_out():
    """A model has heard nothing but zeros: its stems would have to be silent."""
    steps = {"a": separation(), "no": mixing(SONG, SONG, gains=[1.0, -1.0]), "b": separation(Tap("no", "no"))}
    with pytest.raises(SilentStem) as caught:
        played(graph(steps, {"x": Tap("b", "one"), "y": Tap("a", "one")}), noise())
    assert caught.value.step == "b"


def test_a_silent_song_needs_no_network():
    """Nor does any stem of it."""
    steps = {"a": separation(lanes=lambda _: pytest.fail("a network ran")), "b": separation(Tap("a", "one"))}
    steps["b"] = replace(steps["b"], arrangement=replace(steps["b"].arrangement, lanes=steps["a"].arrangement.lanes))
    _, stems = played(graph(steps, {"x": Tap("b", "one")}), Waveform(np.zeros((2, 70000), np.float32), RATE))
    assert stems["x"].shape == (2, 70000)
    assert not stems["x"].any()


def test_cancelling_ends_all_steps():
    """Between any two parts, and everything is closed."""
    job = Job()
    parts = iter(GraphStream(graph(CHAIN, RESULTS), noise(), job))
    next(parts)
    job.cancel()
    with pytest.raises(JobCancelled):
        list(parts)


def test_progress_is_that_of_all_steps():
    """It never goes back, and each step counts as much as its work."""
    events = []
    job = Job(events.append, clock=iter(range(10**6)).__next__)
    steps = {"a": separation(work=3.0), "b": separation(Tap("a", "one"), work=1.0)}
    played(graph(steps, {"x": Tap("b", "one")}), noise(), job)
    percents = [event.percent for event in events if event.stage == "separate"]
    assert percents == sorted(percents)
    assert len(percents) > 10
    assert percents[-1] > 90


def test_a_queue_gives_what_there_is_of_every_name():
    """Nothing while one has nothing; then all of them equally long."""
    queue = Queue("ab", 1)
    queue.add("a", np.arange(5, dtype=np.float32)[None])
    assert queue.take() is None
    queue.add("b", np.arange(3, dtype=np.float32)[None])
    assert {name: samples.tolist() for name, samples in queue.take().items()} == {"a": [[0, 1, 2]], "b": [[0, 1, 2]]}
    queue.add("b", np.arange(9, dtype=np.float32)[None])
    assert queue.take()["a"].tolist() == [[3, 4]]
