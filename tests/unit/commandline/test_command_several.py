"""Songs on several devices: a worker of a few lines stands for the real one, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from utils.commandline import several
from utils.core.errors import DeviceUnavailable, DsuError, InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.requests import Apollo, AudioSeparatorSeparate, NetworkSeparate

WORKER = """
import json, signal, sys
say = lambda **line: print(json.dumps(line), flush=True)
say(status="loading")
if "--device=none" in sys.argv:
    say(status="error", code="device_unavailable", message="There is none.", hint="Get one.")
    sys.exit(2)
say(status="ready", warnings=["`cuda:1` is not used yet."])
waiting = []
def leave(*_):
    for name in waiting:
        say(status="cancelled", id=name, message="It was cancelled.")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
for text in sys.stdin:
    job = json.loads(text)
    if job["cmd"] == "exit":
        leave()
    name, song = job["id"], job["input"]
    say(status="separating", input=song, id=name)
    if song == "dies":
        sys.exit(7)
    if song.endswith("waits"):
        waiting.append(name)
        continue
    say(status="progress", percent=50.0, id=name)
    if song == "broken":
        say(status="error", code="input_unreadable", message="It is no song.", id=name)
        continue
    say(status="done", id=name, output_dir="out", files=["v.wav"], stems=["v"], paths={"v": "out/v.wav"}, model="m", elapsed=1.0,
        warnings=["It clips."], argv=sys.argv[1:], request=job)
"""


class Report:
    """What was told of which songs."""

    def __init__(self, *songs):
        self.tracks = {Path(song): Path(song).stem for song in songs}
        self.done, self.notes = [], []

    def file_done(self, done):
        self.done.append(done)

    def note(self, warnings):
        self.notes += warnings


@pytest.fixture(autouse=True)
def worker(monkeypatch, tmp_path):
    """Every worker is this one."""
    place = tmp_path / "worker.py"
    place.write_text(WORKER, encoding="utf-8")
    monkeypatch.setattr(several, "own_command", lambda: [sys.executable, "-S", str(place)])


def separate(report, job=None, request=None, **settings):
    settings = {"devices": "cuda:0,cuda:1", **settings}
    return several.separate_on_devices(settings, request or NetworkSeparate(output="out"), job or Job(), report)


def test_each_song_is_a_job_of_a_worker_with_these_settings(monkeypatch):
    """However many there are; what the worker tells is reported, and its warnings are those of the run."""
    monkeypatch.setattr(several, "MOST_WAITING", 2)
    report, job = Report("a.wav", "broken", "c.wav", "d.wav"), Job()
    results = separate(report, job, offline=True, threads=3)
    assert results[0]["argv"] == ["--worker", "--devices=cuda:0,cuda:1", "--offline", "--threads=3"]
    assert report.notes == ["`cuda:1` is not used yet."]
    assert {done.input: done.ok for done in report.done} == {
        "a.wav": True,
        "broken": False,
        "c.wav": True,
        "d.wav": True,
    }
    failed = next(done for done in report.done if not done.ok)
    assert (failed.index, failed.error) == (1, {"code": "input_unreadable", "message": "It is no song."})
    assert report.done[0].paths == {"v": "out/v.wav"}
    assert job.warnings == ["It clips."]


def test_a_cancelled_run_ends_the_worker():
    """As Ctrl-C does, while songs are under way."""
    report = Report("waits", "more/waits")

    class Cancelled(Job):
        def announce(self, event):
            self.cancel()

    with pytest.raises(JobCancelled):
        separate(report, Cancelled())
    assert report.done == []


def test_without_a_device_there_is_one_error():
    """That of the worker."""
    with pytest.raises(DeviceUnavailable, match="There is none") as caught:
        separate(Report("a.wav"), device="none")
    assert caught.value.hint == "Get one."


def test_a_worker_that_ends_is_an_error():
    """It says how, and what was done until then has been told."""
    report = Report("a.wav", "dies", "b.wav")
    with pytest.raises(DsuError, match="ended with status 7"):
        separate(report)
    assert [done.input for done in report.done] == ["a.wav"]


def test_names_that_are_equal_are_refused_before_anything_starts():
    """As with one device."""
    with pytest.raises(InvalidRequest, match="same names"):
        separate(Report("a.wav", "b.wav"), request=NetworkSeparate(name_template="{stem}"))


@pytest.mark.parametrize(
    ("request_", "track", "expected"),
    [
        (NetworkSeparate(output="out"), "song", {"output": "out"}),
        (NetworkSeparate(output="out"), "song (2)", {"output": "out", "name_template": "song (2)/{stem}"}),
        (NetworkSeparate(output="out"), "Album/song", {"output": str(Path("out/Album"))}),
        (NetworkSeparate(name_template="{index} {track}"), "a{b}", {"name_template": "7 a{{b}}"}),
        (Apollo(output_dir="out"), "Album/song", {"output_dir": str(Path("out/Album"))}),
        (AudioSeparatorSeparate(model="m.pth"), "song", {"model": "m.pth", "cmd": "separate"}),
    ],
)
def test_the_name_of_its_results_is_in_the_request(request_, track, expected):
    """Other songs have names that may be the same, and may lie in folders of their own."""
    fields = several.request_of(request_, Path("x/song.wav"), track, 7)
    assert {name: fields[name] for name in expected} == expected
    assert fields["input"] == str(Path("x/song.wav"))
    assert ("name_template" in fields) is ("name_template" in expected)
    assert None not in fields.values()
