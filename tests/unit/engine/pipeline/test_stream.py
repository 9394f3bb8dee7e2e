"""A song as a stream: complete and in order, from a file or from memory, leaving nothing open."""

import itertools

import numpy as np
import pytest
import soundfile
import torch

from utils.audio.reading import probe
from utils.core.errors import DsuError, InputEmpty
from utils.core.job import Job, JobCancelled
from utils.core.peaks import PeakRange
from utils.engine.pipeline import track
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.chunking import plan_faded
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.outputs import Offer
from utils.engine.pipeline.stream import stream
from utils.engine.pipeline.track import Track, Waveform

RATE = 44100


class Halves:
    """A network whose two stems are each half of the mix."""

    def input_length(self, length):
        return length

    def __call__(self, mix):
        return torch.stack([mix / 2, mix / 2], dim=1)


def arranged(net=None, *, chunk=5000, **fields):
    def lanes(heard):
        plan = plan_faded(heard.stats.frames, chunk=chunk, overlaps=2)
        return [Lane(net or Halves(), plan, np.ones(2), mirrored=True)]

    defaults = {"model": "halves", "sample_rate": RATE, "channels": 2, "settings": {}, "lanes": lanes}
    selection = Offer(("left over", "voice")).select(stems=None, two_stems="voice")
    return Arrangement(**{**defaults, "selection": selection, "compute": Compute("cpu", 1), **fields})


def noise(samples=30001, channels=2):
    return np.random.default_rng(0).standard_normal((channels, samples)).astype(np.float32) / 10


def file_track(folder, samples, rate=RATE, **fields):
    path = folder / "song.wav"
    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return Track(path, probe(path), "song", **fields)


def joined(parts):
    """The whole mix and stems; every sample must come once, in order."""
    starts = list(itertools.accumulate((part.mix.shape[1] for part in parts), initial=0))
    assert [part.start for part in parts] == starts[:-1]
    stems = {name: np.concatenate([part.stems[name] for part in parts], axis=1) for name in parts[0].stems}
    return np.concatenate([part.mix for part in parts], axis=1), stems


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_parts_are_the_whole_song_in_order(kind, tmp_path):
    """Parts have the named outputs and the mix; the length is known before the first part."""
    samples = noise()
    audio = file_track(tmp_path, samples) if kind == "file" else Waveform(samples, RATE)
    found = stream(arranged(), audio, Job())
    assert found.stats.frames == samples.shape[1]
    parts = list(found)
    assert len(parts) > 3
    mix, stems = joined(parts)
    np.testing.assert_array_equal(mix, samples)
    assert list(stems) == ["voice", "no_voice"]
    np.testing.assert_allclose(stems["voice"], samples / 2, atol=1e-6)
    np.testing.assert_array_equal(stems["no_voice"], samples - stems["voice"])


def test_parts_come_while_the_song_is_still_read(tmp_path, monkeypatch):
    """The first part comes long before the last sample is decoded."""
    samples = noise(60 * RATE)
    decoded = []
    real = track.open_audio

    class Watched:
        def __init__(self, reader):
            self.reader = reader
            self.warnings = []

        def __enter__(self):
            self.reader.__enter__()
            return self

        def __exit__(self, *error):
            return self.reader.__exit__(*error)

        def __iter__(self):
            for block in self.reader:
                decoded.append(block.shape[1])
                yield block

    monkeypatch.setattr(track, "open_audio", lambda *args, **options: Watched(real(*args, **options)))
    parts = iter(stream(arranged(), file_track(tmp_path, samples), Job()))
    next(parts)
    assert sum(decoded) < samples.shape[1] / 2
    parts.close()


def test_who_stops_listening_leaves_nothing_open(tmp_path, monkeypatch):
    """Neither the file nor the thread that reads it stays open."""
    closed = []
    real = track.open_audio

    def opening(*args, **options):
        reader = real(*args, **options)
        monkeypatch.setattr(reader, "close", lambda close=reader.close: closed.append(1) or close())
        return reader

    monkeypatch.setattr(track, "open_audio", opening)
    parts = iter(stream(arranged(), file_track(tmp_path, noise()), Job()))
    next(parts)
    assert not closed
    parts.close()
    assert closed


def test_another_rate_in_memory_is_resampled():
    """Samples in memory are resampled to the model's rate, with the same length as a file."""
    _, stems = joined(list(stream(arranged(), Waveform(noise(48000), 48000), Job())))
    assert stems["voice"].shape == (2, RATE)


def test_another_number_of_channels_in_memory_is_a_mistake():
    """Samples in memory must have the model's channels, while files are converted."""
    with pytest.raises(ValueError, match="1 channels, but the model takes 2"):
        stream(arranged(), Waveform(noise(channels=1), RATE), Job())


def test_a_part_of_a_file(tmp_path):
    """Part of a file is processed like a song of its own."""
    samples = noise(2 * RATE)
    part = file_track(tmp_path, samples, start_s=0.5, duration_s=1.0)
    mix, _ = joined(list(stream(arranged(), part, Job())))
    np.testing.assert_array_equal(mix, samples[:, RATE // 2 : RATE // 2 + RATE])


def test_silence_needs_no_network():
    """Silence gives parts of the song's length without running a network."""
    arrangement = arranged(lanes=lambda heard: pytest.fail("a network ran"))
    mix, stems = joined(list(stream(arrangement, Waveform(np.zeros((2, 200_000), np.float32), RATE), Job())))
    assert mix.shape == (2, 200_000)
    assert not any(stem.any() for stem in stems.values())


def test_an_empty_song_is_an_error_before_anything_else(tmp_path):
    """An empty song fails without yielding a part."""
    with pytest.raises(InputEmpty):
        stream(arranged(), file_track(tmp_path, noise(0)), Job())


def test_an_overflowing_network_is_an_error_with_its_position(tmp_path):
    """NaN is an error with its position, and never becomes a part."""

    class Overflowing(Halves):
        def __call__(self, mix):
            return super().__call__(mix) * torch.inf

    with pytest.raises(DsuError, match=r"NaN or infinity 0\.0 s into the song"):
        list(stream(arranged(Overflowing()), Waveform(noise(), RATE), Job()))


def test_cancelling_ends_the_stream():
    """The stream ends between two parts."""
    job = Job()
    parts = iter(stream(arranged(), Waveform(noise(), RATE), job))
    next(parts)
    job.cancel()
    with pytest.raises(JobCancelled):
        list(parts)


def test_a_survey_reads_the_song_before_the_networks():
    """A survey reads the whole song, passes its result to the lanes, and is timed separately."""
    heard = []

    def survey(blocks, samples, job):
        return (float(sum(block.shape[1] for block in blocks)) / samples,)

    base = arranged()
    arrangement = arranged(survey=survey, lanes=lambda found: heard.append(found.surveyed) or base.lanes(found))
    found = stream(arrangement, Waveform(noise(), RATE), Job())
    list(found)
    assert heard == [(1.0,)]
    assert found.spent.survey_s > 0


@pytest.mark.parametrize(("level", "gain"), [(PeakRange(0.0, 0.05), 0.5), (PeakRange(0.3, 0.9), 3.0), (None, 1.0)])
def test_a_song_at_another_level(level, gain, tmp_path):
    """Networks hear it as loud as the arrangement says, and so does whoever takes its parts."""
    samples = noise()
    samples *= 0.1 / np.abs(samples).max()
    for audio in (file_track(tmp_path, samples), Waveform(samples, RATE)):
        found = stream(arranged(level=level), audio, Job())
        mix, stems = joined(list(found))
        np.testing.assert_allclose(mix, gain * samples, atol=1e-6)
        np.testing.assert_allclose(stems["voice"], gain * samples / 2, atol=1e-6)
        assert found.stats.peak == pytest.approx(0.1 * gain)
