"""Live stems through a real worker: while it runs, with every family, through pipes, from anywhere, and after a kill."""

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from worker_process import WorkerProcess, worker_command

from workers import WORKERS

pytestmark = pytest.mark.e2e
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and signals")
CASES = {
    "networks": {"model": "my_net"},
    "demucs": {"model": "tiny", "shifts": 1, "segment": 1.5},
    "vr": {"model": "my_vr.pth"},
    "mdx": {"model": "my_mdx.onnx"},
    "apollo": {"cmd": "apollo", "model": "my_apollo"},
    "denoise": {"cmd": "denoise"},
    "ensemble": {"cmd": "package_separate", "ensemble": ["my_vr.pth", "my_mdx.onnx"]},
}
IN_ORDER_ONLY = ("denoise", "ensemble")


@pytest.fixture(scope="module")
def worker(worker_dir, family_models):
    """One worker for all that does not end it."""
    with started(worker_dir, family_models) as process:
        yield process


@contextlib.contextmanager
def started(worker_dir, models):
    command = [*worker_command(WORKERS["dsu"], worker_dir), "--worker", "--device", "cpu", "--threads", "1"]
    with WorkerProcess([*command, "--models-dir", str(models), "--offline"]) as process:
        process.expect("ready")
        yield process


@pytest.fixture(scope="module")
def song(tmp_path_factory, songs):
    """Two seconds, and what stands for its noise."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    samples, rate = soundfile.read(songs / "short.wav")
    soundfile.write(path, samples[: 2 * rate], rate, subtype="FLOAT")
    return path


def request_of(case, song, output):
    fields = {"cmd": "separate", "input": str(song), "output_dir": str(output), "pcm_type": "FLOAT", **CASES[case]}
    return {**fields, "noise_profile": str(song)} if case == "denoise" else fields


def finish(worker, **request):
    """Send a job; its lines up to the last one."""
    worker.send(request)
    lines = []
    while not lines or lines[-1]["status"] not in ("done", "error", "cancelled"):
        lines.append(worker.read())
    return lines


def contents(done):
    assert done["status"] == "done", done
    return {name: Path(path).read_bytes() for name, path in done["paths"].items()}


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_any_family_is_heard_while_it_runs(worker, song, tmp_path, case):
    """Segments follow each other to the end, and the files are those of a job that tells nothing."""
    plain = finish(worker, **request_of(case, song, tmp_path / "plain"))[-1]
    lines = finish(worker, **request_of(case, song, tmp_path / "live"), stream={"every_s": 0.1}, id="live")
    assert contents(lines[-1]) == contents(plain)
    (begun,) = [line for line in lines if line["status"] == "streaming"]
    assert list(begun["stems"]) == lines[-1]["stems"]
    position = 0
    for line in lines:
        assert line["id"] == "live"
        if line["status"] == "segment":
            assert line["start"] == position
            position += line["frames"]
    assert position == begun["frames"]


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_any_family_begins_where_the_listener_is(worker, song, tmp_path, case):
    """With the same files; or it says that it cannot."""
    lines = finish(worker, **request_of(case, song, tmp_path / "live"), stream={"every_s": 0}, start_at=1.2)
    if case in IN_ORDER_ONLY:
        assert (lines[-1]["status"], lines[-1]["field"]) == ("error", "start_at")
        return
    plain = finish(worker, **request_of(case, song, tmp_path / "plain"))[-1]
    assert contents(lines[-1]) == contents(plain)
    segments = [line for line in lines if line["status"] == "segment"]
    assert segments[0]["start"] <= 1.2 * segments[0]["sample_rate"]


def test_seek_is_answered_while_the_job_runs(worker, songs, tmp_path):
    """At once; the job goes on there."""
    worker.send({"cmd": "separate", "id": "job", "model": "my_net", "input": str(songs / "long.wav"),
                 "output": str(tmp_path), "stream": {"every_s": 0}, "start_at": 10})  # fmt: skip
    first = worker.expect("segment")
    assert abs(first["start"] / first["sample_rate"] - 10) < 20
    worker.send({"cmd": "seek", "id": "ask", "job": "job", "position": 200})
    assert worker.expect("seek_requested") == {"status": "seek_requested", "id": "ask", "found": True}
    while abs((line := worker.expect("segment"))["start"] / line["sample_rate"] - 200) > 20:
        pass
    assert worker.ask(cmd="seek", job="none", position=1)["status"] in ("seek_requested", "segment", "progress")
    worker.cancel(id="job")


def test_a_job_from_start_to_end_cannot_be_moved(worker, songs, tmp_path):
    """Its sender is told what to send instead; without any job there is nothing to move."""
    worker.send({"cmd": "seek", "id": "early", "position": 1})
    assert worker.expect("seek_requested", id="early")["found"] is False
    worker.send({"cmd": "separate", "id": "job", "model": "my_net", "input": str(songs / "long.wav"),
                 "output": str(tmp_path), "stream": {"every_s": 0}})  # fmt: skip
    worker.expect("segment")
    worker.send({"cmd": "seek", "id": "ask", "position": 20})
    assert "start_at" in worker.expect("error", id="ask")["hint"]
    worker.cancel(id="job")
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_samples_go_in_and_out_through_pipes(worker, song, tmp_path):
    """Nothing is written to any folder of the user, and the stems are those of files."""
    plain = finish(worker, **request_of("networks", song, tmp_path / "plain"))[-1]
    samples, rate = soundfile.read(song, dtype="float32")
    for name in ("in", "out"):
        os.mkfifo(tmp_path / name)
    heard = {}

    def write():
        with (tmp_path / "in").open("wb") as file:
            for start in range(0, len(samples), 10_000):
                data = np.ascontiguousarray(samples[start : start + 10_000].T, "<f4").tobytes()
                file.write(
                    json.dumps({"kind": "frames", "frames": len(data) // 8, "bytes": len(data)}).encode() + b"\n"
                )
                file.write(data)
            file.write(b'{"kind":"end"}\n')

    def read():
        with (tmp_path / "out").open("rb") as file:
            begun = json.loads(file.readline())
            while (header := json.loads(file.readline()))["kind"] == "frames":
                data = np.frombuffer(file.read(header["bytes"]), "<f4")
                for stem, part in zip(begun["stems"], data.reshape(len(begun["stems"]), 2, -1), strict=True):
                    heard.setdefault(stem, []).append(part)

    threads = [threading.Thread(target=write, daemon=True), threading.Thread(target=read, daemon=True)]
    for thread in threads:
        thread.start()
    lines = finish(
        worker, cmd="separate", model="my_net", input={"pipe": str(tmp_path / "in"), "sample_rate": rate, "channels": 2,
        "name": "My Song"}, stream={"pipe": str(tmp_path / "out"), "files": False})  # fmt: skip
    for thread in threads:
        thread.join()
    assert lines[-1]["status"] == "done", lines[-1]
    assert lines[-1]["files"] == []
    assert {line["input"] for line in lines if "input" in line} == {"My Song"}
    for name, path in plain["paths"].items():
        np.testing.assert_array_equal(np.concatenate(heard[name], axis=1), soundfile.read(path, dtype="float32")[0].T)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "plain"]


def written(pipe, samples, *, block=4000, end=b'{"kind":"end"}\n'):
    """A thread that writes a song to a pipe, and a list of how many samples it has got rid of."""
    os.mkfifo(pipe)
    gone = [0]

    def write():
        with contextlib.suppress(BrokenPipeError), pipe.open("wb") as file:
            for start in range(0, len(samples), block):
                data = np.ascontiguousarray(samples[start : start + block].T, "<f4").tobytes()
                frames = len(samples[start : start + block])
                file.write(json.dumps({"kind": "frames", "frames": frames, "bytes": len(data)}).encode() + b"\n" + data)
                file.flush()
                gone[0] += frames
            file.write(end)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread, gone


def piped(pipe, rate, **fields):
    return {"pipe": str(pipe), "sample_rate": rate, "channels": 2, "name": "song", **fields}


RECORDED = ("vr", "denoise", "ensemble")


@POSIX
@pytest.mark.parametrize(
    "fields", [{}, {"frames": 88200}, {"record_first": True}], ids=["unknown", "known", "recorded"]
)
@pytest.mark.parametrize("case", CASES)
def test_a_song_that_comes_through_a_pipe_becomes_the_files_of_a_file(worker, song, tmp_path, case, fields):
    """Of any family, whether its length is known or not; `done` tells which ones heard it only when it was whole."""
    plain = finish(worker, **request_of(case, song, tmp_path / "plain"))[-1]
    samples, rate = soundfile.read(song, dtype="float32")
    assert len(samples) == 88200
    written(tmp_path / "in", samples)
    request = {**request_of(case, song, tmp_path / "piped"), "input": piped(tmp_path / "in", rate, **fields)}
    done = finish(worker, **request)[-1]
    assert contents(done) == contents(plain)
    whole = fields.get("record_first") or case in RECORDED
    assert done["settings"]["input"] == ("recorded first" if whole else "as it came")
    assert done["duration"] == plain["duration"]


@POSIX
@pytest.mark.parametrize(
    "form",
    [
        {"format": "wav", "pcm_type": "PCM_16"},
        {"format": "wav", "pcm_type": "PCM_24", "clip": "none"},
        {"format": "aiff", "pcm_type": "PCM_24", "clip": "clamp"},
        {"format": "flac", "pcm_type": "PCM_16", "clip": "none", "output_sample_rate": 48000},
        {"format": "mka", "pcm_type": "PCM_16"},
        {"format": "wav", "pcm_type": "FLOAT", "stream": {"every_s": 0.1}, "output_sample_rate": 22050},
    ],
    ids=lambda form: f"{form['format']} {form['pcm_type']}",
)
def test_files_of_a_song_of_unknown_length_are_the_same(worker, song, tmp_path, form):
    """In every format, also where its header begins with the length; at another rate they have the exact length."""
    plain = finish(worker, **{**request_of("networks", song, tmp_path / "plain"), **form})[-1]
    samples, rate = soundfile.read(song, dtype="float32")
    written(tmp_path / "in", samples)
    fields = {**request_of("networks", song, tmp_path / "piped"), **form, "input": piped(tmp_path / "in", rate)}
    lines = finish(worker, **fields)
    assert contents(lines[-1]) == contents(plain)
    assert [line["frames"] for line in lines if line["status"] == "streaming"] == [None] * ("stream" in form)


@POSIX
def test_a_network_that_scales_hears_a_beginning_first(worker, song, tmp_path):
    """Of the length that was asked for, which `done` tells; its stems are then those of another scale."""
    samples, rate = soundfile.read(song, dtype="float32")
    samples[: rate // 2] /= 4
    soundfile.write(tmp_path / "song.wav", samples, rate, subtype="FLOAT")
    plain = finish(worker, **request_of("demucs", tmp_path / "song.wav", tmp_path / "plain"))[-1]
    written(tmp_path / "in", samples)
    fields = {**request_of("demucs", song, tmp_path / "out"), "input": piped(tmp_path / "in", rate, statistics_s=0.5)}
    done = finish(worker, **fields)[-1]
    assert (done["settings"]["input"], done["settings"]["statistics_s"]) == ("as it came", 0.5)
    assert done["duration"] == plain["duration"]
    assert contents(done) != contents(plain)


@POSIX
def test_stems_leave_while_the_song_is_still_coming(worker, songs, tmp_path):
    """The writer is held back until somebody reads the stems, and no more than a few chunks ahead of them."""
    samples, rate = soundfile.read(songs / "long.wav", dtype="float32")
    thread, gone = written(tmp_path / "in", samples)
    os.mkfifo(tmp_path / "out")
    worker.send({"cmd": "separate", "id": "job", "model": "my_net", "input": piped(tmp_path / "in", rate),
                 "stream": {"pipe": str(tmp_path / "out"), "files": False}})  # fmt: skip
    with (tmp_path / "out").open("rb") as file:
        begun = json.loads(file.readline())
        assert begun["frames"] is None
        heard = 0
        while heard < 20 * rate:
            header = json.loads(file.readline())
            file.read(header["bytes"])
            assert header["start"] == heard
            heard += header["frames"]
            assert gone[0] - heard < 60 * rate < len(samples)
        worker.cancel(id="job")
        while file.read(1 << 20):
            pass
    thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@POSIX
@pytest.mark.parametrize(
    ("end", "fields"),
    [
        (b"", {}),
        (b"garbage\n", {}),
        (b'{"kind":"end","complete":false}\n', {}),
        (b'{"kind":"end"}\n', {"frames": 90000}),
    ],
    ids=["died", "garbage", "given up", "less than promised"],
)
def test_a_song_that_breaks_off_leaves_no_files(worker, song, tmp_path, end, fields):
    """What is wrong is told; a writer that dies is not the end of a song."""
    samples, rate = soundfile.read(song, dtype="float32")
    written(tmp_path / "in", samples, end=end)
    request = {**request_of("networks", song, tmp_path / "out"), "input": piped(tmp_path / "in", rate, **fields)}
    error = finish(worker, **request, stream=True)[-1]
    assert (error["status"], error["code"], error["field"]) == ("error", "input_unreadable", "input.pipe")
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


@POSIX
@pytest.mark.parametrize("fields", [{}, {"start_at": 30}], ids=["in order", "anywhere"])
def test_a_kill_leaves_nothing_for_long(worker_dir, family_models, songs, song, tmp_path, fields):
    """The next job with the same folder removes what a killed one could not."""
    with started(worker_dir, family_models) as first:
        first.send({"cmd": "separate", "model": "my_net", "input": str(songs / "long.wav"), "output": str(tmp_path),
                    "stream": {"every_s": 0}, **fields})  # fmt: skip
        first.expect("segment")
        first.signal(signal.SIGKILL)
        first.wait()
    with started(worker_dir, family_models) as second:
        done = finish(second, cmd="separate", model="my_net", input=str(song), output=str(tmp_path))[-1]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(map(Path, done["paths"].values()))
