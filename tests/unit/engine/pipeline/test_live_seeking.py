"""Jobs that begin where the listener is: the same files, and those who listen hear each stretch as it is finished."""

import numpy as np
import pytest
import soundfile
from live_case import FORMATS, FRAMES, RATE, SECONDS, arranged, separate, write_noise
from test_live_pipes import over_fifo

from utils.core.errors import InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.peaks import PeakRange
from utils.core.replies import Segment, StreamBegun
from utils.core.requests import Separate, Streaming
from utils.engine.pipeline.blending import SpectrumBlend, WaveBlend, middle


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("song") / "song.wav")


class Listener:
    """A client that moves after some segments, and reads what is told."""

    def __init__(self, moves=()):
        self.moves = dict(moves)
        self.order = []
        self.heard = None
        self.job = Job(self._hear)

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def _hear(self, event):
        if isinstance(event, StreamBegun):
            self.begun = event
            self.heard = {name: np.full((event.frames, event.channels), np.nan, np.float32) for name in event.stems}
            for path in event.stems.values():
                assert soundfile.info(path).frames == event.frames
                assert not soundfile.read(path)[0].any()
        if isinstance(event, Segment):
            self.order.append((event.start, event.start + event.frames))
            for name, path in event.stems.items():
                samples = soundfile.read(path, event.frames, event.start, dtype="float32", always_2d=True)[0]
                self.heard[name][event.start : event.start + event.frames] = samples
            if len(self.order) in self.moves:
                self.job.seek(self.moves[len(self.order)])


@pytest.mark.parametrize("case", FORMATS)
def test_the_files_are_those_of_a_job_from_start_to_end(song, tmp_path, case):
    """Byte by byte, in every format; and nothing else is left."""
    fields = FORMATS[case]
    if case == "mono":
        samples, rate = soundfile.read(song)
        song = tmp_path / "song.wav"
        soundfile.write(song, samples[:, 0], rate, subtype="FLOAT")
    plain = separate(song, tmp_path / "plain", **fields)
    listener = Listener([(2, 0.3), (5, 1.7)])
    live = separate(song, tmp_path / "live", listener, stream=Streaming(every_s=0.05), start_at=1.0, **fields)
    assert listener.order[0][0] <= RATE < listener.order[0][1] + 5000
    assert sorted(listener.order) != listener.order
    for name, path in live.paths.items():
        with open(path, "rb") as one, open(plain.paths[name], "rb") as other:  # noqa: PTH123
            assert one.read() == other.read()
    assert live.gain == plain.gain
    assert [path for path in (tmp_path / "live").rglob("*") if path.name.startswith(".")] == []


def test_what_is_heard_is_the_song(song, tmp_path):
    """Each sample once, as the file has it in the end."""
    listener = Listener([(1, 0.2)])
    done = separate(song, tmp_path, listener, stream=Streaming(every_s=0), start_at=1.5, pcm_type="FLOAT")
    assert sum(end - start for start, end in listener.order) == FRAMES
    for name, path in done.paths.items():
        np.testing.assert_array_equal(listener.heard[name], soundfile.read(path, dtype="float32")[0])


def test_a_move_while_the_job_waits_counts_more_than_its_start(song, tmp_path):
    """The listener has gone on since the job was sent."""
    listener = Listener()
    listener.job.seek(1.5)
    separate(song, tmp_path, listener, stream=Streaming(every_s=0), start_at=0.2)
    assert RATE < listener.order[0][0] <= 1.5 * RATE


def test_a_report_shows_the_same(song, tmp_path):
    """It is drawn from start to end."""
    pages = []
    for name, fields in {"plain": {}, "live": {"stream": True, "start_at": 1.0}}.items():
        done = separate(song, tmp_path / name, report=True, **fields)
        with open(done.report, "rb") as file:  # noqa: PTH123
            pages.append(file.read())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("files", [True, False])
def test_a_pipe_gets_stretches_with_their_places(song, tmp_path, files):
    """In the order in which they are finished."""
    end, reader = over_fifo(tmp_path)
    done = separate(
        song, tmp_path / "out", stream=Streaming(pipe=end, files=files), start_at=1.0, pcm_type="FLOAT"
    )  # fmt: skip
    stems, first, last = reader.result(in_order=False)
    assert (first["frames"], last["complete"]) == (FRAMES, True)
    plain = separate(song, tmp_path / "plain", pcm_type="FLOAT")
    for name, path in plain.paths.items():
        np.testing.assert_array_equal(stems[name].T, soundfile.read(path, dtype="float32")[0])
    assert bool(done.files) == files


@pytest.mark.parametrize("at", [1, 6, 10**6])
def test_cancelling_leaves_nothing(song, tmp_path, at):
    """At the start, in the middle, and while the files are written from what was collected."""
    listener = Listener()
    hear = listener.job._emit

    def cancel(event):
        hear(event)
        if len(listener.order) >= at or sum(end - start for start, end in listener.order) == FRAMES:
            listener.job.cancel()

    listener.job._emit = cancel
    with pytest.raises(JobCancelled):
        separate(song, tmp_path / "out", listener, stream=Streaming(every_s=0), start_at=1.0)
    assert list(tmp_path.iterdir()) == []


def test_silence_may_begin_anywhere(tmp_path):
    """It is silent from there as well."""
    soundfile.write(tmp_path / "song.wav", np.zeros((FRAMES, 2)), RATE)
    done = separate(tmp_path / "song.wav", tmp_path / "out", stream=True, start_at=1.0)
    assert not soundfile.read(done.paths["loud"])[0].any()


def test_beyond_the_end_is_the_beginning(song, tmp_path):
    """Who asks for what is not there gets the song."""
    listener = Listener()
    separate(song, tmp_path, listener, stream=True, start_at=SECONDS + 5)
    assert listener.order[0][0] == 0


def test_work_from_start_to_end_cannot_begin_elsewhere(song, tmp_path):
    """A blend that remembers, and a level that is found first, say so; one of single samples can."""
    for fields in ({"blend": lambda _: SpectrumBlend(1, middle)}, {"level": PeakRange(0.1, 0.5)}):
        with pytest.raises(InvalidRequest) as refused:
            separate(song, tmp_path / "no", arrangement=arranged(**fields), stream=True, start_at=1.0)
        assert refused.value.field == "start_at"
    separate(song, tmp_path, arrangement=arranged(blend=lambda _: WaveBlend(1, middle)), stream=True, start_at=1.0)


def test_nobody_begins_elsewhere_without_a_listener():
    """It would only take longer."""
    with pytest.raises(InvalidRequest, match="listen"):
        _ = Separate(input="a", start_at=1.0).streaming
