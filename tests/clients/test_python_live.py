"""The Python client hears stems while their job runs: whole, at its own pace, from anywhere, and without traces."""

import asyncio
import os
import tempfile

import numpy as np
import pytest
from dsu_client import DSU, AsyncDSU, InputError, JobCancelled, RequestError
from python_workers import RATE, real, song

pytestmark = pytest.mark.e2e
MODEL = "dsu_mini"


@pytest.fixture(scope="module")
def places(worker_dir, tmp_path_factory):
    return real(worker_dir, tmp_path_factory.mktemp("dsu"))


@pytest.fixture(scope="module")
def dsu(places):
    with DSU(**places) as client:
        yield client


def joined(segments):
    """The stems, from segments in any order."""
    ordered = sorted(segments, key=lambda segment: segment.start)
    ends = np.cumsum([segment.frames for segment in ordered])
    assert [segment.start for segment in ordered] == [0, *ends[:-1]]
    return {name: np.concatenate([segment[name] for segment in ordered], axis=1) for name in ordered[0]}


def test_segments_are_the_stems(dsu, tmp_path, monkeypatch):
    """Bit for bit; and nothing stays on the disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mix = song(3)
    segments = list(dsu.stream(mix, sample_rate=RATE, model=MODEL))
    assert {segment.sample_rate for segment in segments} == {RATE}
    assert [segment.start for segment in segments] == sorted(segment.start for segment in segments)
    whole = dsu.separate(mix, sample_rate=RATE, model=MODEL)
    for name, samples in joined(segments).items():
        np.testing.assert_array_equal(samples, whole[name])
    assert list(tmp_path.iterdir()) == []


def test_listening_may_begin_anywhere(dsu):
    """What is heard first is there; in the end it is all the same."""
    mix = song(20)
    segments = list(dsu.stream(mix, sample_rate=RATE, model=MODEL, stems=["vocals"], start_at=12.0))
    assert 0 < segments[0].start <= 12 * RATE
    whole = dsu.separate(mix, sample_rate=RATE, model=MODEL, stems=["vocals"])
    np.testing.assert_array_equal(joined(segments)["vocals"], whole["vocals"])


def test_leaving_the_loop_cancels_the_job(dsu):
    """The next one runs at once, and finds the worker as before."""
    for segment in (segments := dsu.stream(song(60), sample_rate=RATE, model=MODEL)):
        assert len(segment) == 4
        break
    segments.close()
    assert dsu.get_status()["busy"] is False
    assert len(dsu.separate(song(1), sample_rate=RATE, model=MODEL)) == 4


def test_cancelling_from_elsewhere_ends_the_loop(dsu):
    """With the error that says so."""
    with pytest.raises(JobCancelled):  # noqa: PT012 - which step raises is the worker's affair
        for _ in dsu.stream(song(60), sample_rate=RATE, model=MODEL):
            dsu.cancel()


def test_an_error_ends_the_loop(dsu, tmp_path):
    """Before the first segment, since there is none."""
    with pytest.raises(InputError):
        next(dsu.stream(tmp_path / "none.wav", model=MODEL))
    with pytest.raises(RequestError, match="stream"):
        next(dsu.stream(song(1), sample_rate=RATE, model=MODEL, stream=True))


def test_a_worker_that_dies_ends_the_loop(places):
    """Nobody waits for what cannot come."""
    with DSU(**places) as dsu, pytest.raises(Exception, match="ended"):  # noqa: PT012
        for _ in dsu.stream(song(60), sample_rate=RATE, model=MODEL):
            os.kill(dsu.pid, 9)


def test_the_same_for_asyncio(places):
    """Every segment, a move while it runs, and leaving early."""

    async def listen():
        async with AsyncDSU(**places) as dsu:
            mix = song(30)
            segments = []
            async for segment in dsu.stream(mix, sample_rate=RATE, model=MODEL, stems=["drums"], start_at=0):
                if not segments:
                    assert (await dsu.seek(position=20.0))["found"]
                segments.append(segment)
            whole = await dsu.separate(mix, sample_rate=RATE, model=MODEL, stems=["drums"])
            left = dsu.stream(mix, sample_rate=RATE, model=MODEL)
            await anext(left)
            await left.aclose()
            assert (await dsu.get_status())["busy"] is False
            return segments, whole

    segments, whole = asyncio.run(listen())
    np.testing.assert_array_equal(joined(segments)["drums"], whole["drums"])
