"""Real jobs of dsu-demucs over the real process, with tiny networks: what clients see, and what is left on disk."""

import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from worker_process import (
    clean_environment,
    job_lines,
    start_worker,
    statuses,
    wait_until_ended,
    worker_command,
)

from workers import WORKERS

pytestmark = pytest.mark.e2e

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send these signals to one process")
STEMS = ["drums", "bass", "other", "vocals"]


@pytest.fixture(scope="module")
def start(worker_dir, tmp_path_factory):
    """Start a worker on the CPU with an empty models directory."""
    return partial(start_worker, "demucs", worker_dir, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def worker(start):
    """One worker for the tests that leave it as it was."""
    with start() as process:
        process.expect("ready")
        yield process


def files_below(folder):
    return sorted(path for path in Path(folder).rglob("*")) if Path(folder).exists() else []


def test_a_separation_as_clients_see_it(worker, separate, tmp_path):
    """`loading_model`, `separating`, progress up to 100, `done`; the files are those that `done` names."""
    worker.send(separate(id="job-1"))
    lines = job_lines(worker, "done", "error")
    assert {line["id"] for line in lines} == {"job-1"}
    assert statuses(lines)[:2] == ["loading_model", "separating"]
    assert lines[1]["input"] == "short.wav"
    percents = [line["percent"] for line in lines if line["status"] == "progress"]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    done = lines[-1]
    assert done["stems"] == STEMS
    assert done["warnings"] == []
    assert done["files"] == [f"{stem}.wav" for stem in STEMS]
    assert done["output_dir"] == str(tmp_path / "out" / "tiny" / "short")
    assert (done["sample_rate"], done["duration"], done["model"], done["device"]) == (44100, 4.0, "tiny", "cpu")
    assert done["speed"] == pytest.approx(done["duration"] / done["elapsed"], rel=0.05)
    for path in done["paths"].values():
        info = soundfile.info(path)
        assert (info.frames, info.channels, info.subtype) == (4 * 44100, 2, "PCM_16")


def test_done_keeps_to_its_schema(worker, separate):
    """Every line of a job is what `describe` says."""
    description = worker.ask(cmd="describe")
    definitions = {"definitions": description["definitions"]}
    worker.send(separate(stems=["bass"]))
    *events, done = job_lines(worker, "done")
    Draft202012Validator({**description["commands"]["separate"]["response"], **definitions}).validate(done)
    for event in events:
        Draft202012Validator({**description["events"][event["status"]], **definitions}).validate(event)


def test_the_second_separation_needs_no_load(worker, separate):
    """The model stays in the cache: no `loading_model`, and `done` says so."""
    for _ in range(2):
        worker.send(separate(stems=["bass"]))
        lines = job_lines(worker, "done")
    assert "loading_model" not in statuses(lines)
    assert lines[-1]["model_from_cache"]
    assert worker.ask(cmd="ping")["model_loaded"] == "tiny"
    assert worker.ask(cmd="list_cached")["models"][0]["active"]


def test_control_commands_are_answered_during_a_job(worker, separate, songs):
    """`ping` and `get_status` come back before the job does, which then is cancelled and leaves nothing."""
    request = separate(input=str(songs / "long.wav"), id="long")
    worker.send(request)
    worker.expect("progress", id="long")
    worker.send({"cmd": "ping", "id": "p"}, {"cmd": "get_status", "id": "s"})
    assert worker.expect("pong", "done")["status"] == "pong"
    status = worker.expect("status", "done")
    assert (status["busy"], status["ready"], status["device"]) == (True, True, "cpu")
    assert status["memory"]["rss_mb"] > 0
    told = worker.cancel()
    assert told["cancel_requested"]["found"]
    assert told["cancelled"]["id"] == "long"
    assert files_below(request["output"]) == []
    assert not Path(request["output"]).exists()


def test_cancel_by_id_takes_the_queued_job_only(worker, separate, songs):
    """A queued job is cancelled without waiting for the running one."""
    worker.send(
        separate(input=str(songs / "long.wav"), id="running"), separate(id="queued"), {"cmd": "cancel", "id": "queued"}
    )
    assert worker.expect("cancelled")["id"] == "queued"
    worker.send({"cmd": "cancel", "id": "running"})
    assert worker.expect("cancelled")["id"] == "running"


def test_options_of_one_job_do_not_reach_the_next(worker, separate):
    """Segment and overlap are a request's own."""
    worker.send(separate(segment=1.0, overlap=0.5, stems=["bass"]), separate(stems=["bass"]))
    first, second = worker.expect("done"), worker.expect("done")
    assert (first["settings"]["segment"], first["settings"]["overlap"]) == (1.0, 0.5)
    assert (second["settings"]["segment"], second["settings"]["overlap"]) == (2.0, 0.25)


@pytest.mark.parametrize("audio_format", ["flac", "mp3", "ogg", "opus", "aiff", "m4a"])
def test_every_format_is_written(worker, separate, audio_format):
    """The file is called by its format and lasts as long as the song."""
    worker.send(separate(format=audio_format, stems=["bass"], output_sample_rate=48000))
    done = worker.expect("done", "error")
    assert done["files"] == [f"bass.{audio_format}"], done
    path = done["paths"]["bass"]
    assert Path(path).stat().st_size > 1000
    if audio_format != "m4a":  # libsndfile does not read it; the audio tests do, through FFmpeg
        assert soundfile.info(path).frames == 4 * 48000


def test_many_inputs_and_a_bad_one(worker, separate, songs, tmp_path):
    """One `file_done` line each; the bad file is an error among them and the others are written."""
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    inputs = [str(songs / "short.wav"), str(bad), str(songs / "short.wav")]
    request = separate(inputs=inputs, stems=["bass"])
    del request["input"]
    worker.send(request)
    lines = job_lines(worker, "done", "error")
    told = [line for line in lines if line["status"] == "file_done"]
    assert [line["ok"] for line in told] == [True, False]
    assert told[1]["error"]["code"] == "input_unreadable"
    assert (lines[-1]["succeeded"], lines[-1]["failed"]) == (1, 1)


def test_many_inputs_are_numbered(worker, separate, songs, tmp_path):
    """`{index}` in a name template is the number of the input."""
    twin = tmp_path / "twin.wav"
    twin.write_bytes((songs / "short.wav").read_bytes())
    request = separate(inputs=[str(songs / "short.wav"), str(twin)], stems=["bass"], name_template="{index} {stem}")
    del request["input"]
    worker.send(request)
    done = job_lines(worker, "done", "error")[-1]
    assert [Path(path).name for path in done["files"]] == ["1 bass.wav", "2 bass.wav"]


def test_a_batch_feeds_results_forward(worker, separate, tmp_path):
    """The second job's input is a stem of the first."""
    second = separate(input={"from": 0, "stem": "Vocals"}, output=str(tmp_path / "second"), two_stems="drums")
    second["other_method"] = "minus"  # the sum of both is the mix then
    worker.send({"cmd": "batch", "jobs": [separate(), second], "id": 9})
    done = job_lines(worker, "done", "error")[-1]
    assert (done["id"], len(done["results"])) == (9, 2)
    assert done["results"][1]["output_dir"] == str(tmp_path / "second" / "tiny" / "vocals")
    mix = soundfile.read(done["results"][0]["paths"]["vocals"])[0]
    total = sum(soundfile.read(path)[0] for path in done["results"][1]["paths"].values())
    np.testing.assert_allclose(total, mix, atol=4e-5)


def test_a_batch_stops_at_the_first_error_unless_told_otherwise(worker, separate):
    """The reply is an error either way and holds what was answered."""
    jobs = [separate(stems=["bass"]), separate(input="missing.wav"), separate(stems=["drums"])]
    worker.send({"cmd": "batch", "jobs": jobs}, {"cmd": "batch", "jobs": jobs, "continue_on_error": True})
    stopped, finished = worker.expect("error"), worker.expect("error")
    assert statuses(stopped["results"]) == ["done", "error"]
    assert statuses(finished["results"]) == ["done", "error", "done"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"input": "missing.wav"}, "input_not_found"),
        ({"input": "."}, "input_not_found"),
        ({"input": "EMPTY"}, "input_empty"),
        ({"input": "ZERO"}, "input_empty"),
        ({"input": "TEXT"}, "input_unreadable"),
        ({"input": "CUT"}, "input_unreadable"),
        ({"input": "NAN"}, "input_unreadable"),
        ({"input": "INF"}, "input_unreadable"),
        ({"output": "TEXT/below"}, "output_not_writable"),
        ({"model": "tynny"}, "unknown_model"),
        ({"model": "htdemucs", "repo": None}, "model_not_installed"),
        ({"model": "broken", "repo": "BROKEN"}, "checkpoint_invalid"),
        ({"model": "attack", "repo": "BROKEN"}, "checkpoint_unsafe"),
        ({"stems": ["voice"]}, "invalid_request"),
        ({"overlap": 1.5}, "invalid_request"),
        ({"segment": 99}, "invalid_request"),
        ({"format": "flac", "pcm_type": "FLOAT"}, "unsupported_format"),
        ({"format": "xyz"}, "invalid_request"),
        ({"strict": True, "modle": "x"}, "invalid_request"),
    ],
)
def test_bad_input_gets_one_clear_line_and_leaves_nothing(worker, separate, tmp_path, fields, code):
    """One `error` with the right code, no traceback, nothing on disk, and the next command works."""
    places = bad_inputs(tmp_path)
    named = {key: str(value) if isinstance(value, Path) else value for key, value in places.items()}
    fields = {
        key: named.get(value, value.replace("TEXT", named["TEXT"]) if isinstance(value, str) else value)
        if isinstance(value, str)
        else value
        for key, value in fields.items()
    }
    before = files_below(tmp_path)
    worker.send(separate(**fields, id="bad"))
    lines = job_lines(worker, "error", "done")
    error = lines[-1]
    assert (error["status"], error.get("code")) == ("error", code), error
    assert error["message"].endswith((".", "?"))
    assert "Traceback" not in json.dumps(error)
    assert files_below(tmp_path) == before
    assert worker.ask(cmd="ping")["status"] == "pong"


def bad_inputs(folder):
    """Files that no worker can separate."""
    rate, samples = 44100, np.full((44100, 2), 0.1, np.float32)
    places = {name: folder / f"{name.lower()}.wav" for name in ("EMPTY", "ZERO", "TEXT", "CUT", "NAN", "INF")}
    places["EMPTY"].touch()
    soundfile.write(places["ZERO"], samples[:0], rate)
    places["TEXT"].write_text("This is no audio.\n" * 100)
    soundfile.write(places["CUT"], samples, rate)
    places["CUT"].write_bytes(places["CUT"].read_bytes()[:90_000])
    for name, value in (("NAN", np.nan), ("INF", np.inf)):
        broken = samples.copy()
        broken[1000] = value
        soundfile.write(places[name], broken, rate, subtype="FLOAT")
    places["BROKEN"] = folder / "broken"
    places["BROKEN"].mkdir()
    (places["BROKEN"] / "broken.th").write_bytes(b"PK\x03\x04 and then nothing")
    # A pickle that asks for `os.system("exit")`, written by hand so that no test ever builds such an object.
    (places["BROKEN"] / "attack.th").write_bytes(b"cos\nsystem\n(S'exit'\ntR.")
    return places


def test_silence_is_a_success(worker, separate, tmp_path):
    """Silent stems of the right length."""
    soundfile.write(tmp_path / "silence.wav", np.zeros((44100, 2)), 44100)
    worker.send(separate(input=str(tmp_path / "silence.wav")))
    done = worker.expect("done", "error")
    assert done["stems"] == STEMS
    assert not any(soundfile.read(path)[0].any() for path in done["paths"].values())


def test_names_of_any_script_survive(worker, separate, songs, tmp_path):
    """Paths in any script go in and come out unchanged."""
    name = "Пісня 🎧 – שיר ･ naïve"  # noqa: RUF001
    path = tmp_path / f"{name}.wav"
    path.write_bytes((songs / "short.wav").read_bytes())
    worker.send(separate(input=str(path), stems=["bass"]))
    done = worker.expect("done", "error")
    assert Path(done["paths"]["bass"]).parent.name == name
    assert Path(done["paths"]["bass"]).is_file()


def test_end_of_input_finishes_what_was_asked(start, separate):
    """As a shell pipe uses the worker: all is answered, then the status is 0; stderr stayed quiet."""
    with start() as worker:
        worker.send(separate(stems=["bass"], id=1), separate(stems=["drums"], id=2))
        worker.close_input()
        lines = worker.rest()
        assert worker.wait() == 0
        assert [line["id"] for line in lines if line["status"] == "done"] == [1, 2]
        assert worker.stderr == ""


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_job_leaves_nothing(start, separate, songs, tmp_path, number):
    """The job is cancelled, its files are gone, `shutdown` says why, the status is 128 + signal."""
    with start() as worker:
        worker.send(separate(input=str(songs / "long.wav")))
        worker.expect("progress", "done")
        worker.signal(number)
        lines = worker.rest()
        assert worker.wait() == 128 + number
        assert statuses(lines)[-1] == "shutdown"
        assert lines[-1]["detail"] == number.name
        assert not (tmp_path / "out").exists()


@posix_only
def test_killing_the_parent_ends_the_worker_and_its_job(worker_dir, separate, songs, tmp_path):
    """When the process that started the worker is killed, the worker goes and cleans up."""
    command = [*worker_command(WORKERS["demucs"], worker_dir), "--worker", "--device", "cpu"]
    parent_code = (
        "import json, subprocess, sys\n"
        "worker = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE)\n"
        "worker.stdin.write(sys.argv[2].encode() + b'\\n'); worker.stdin.flush()\n"
        "print(json.dumps({'status': 'parent', 'pid': worker.pid}), flush=True)\n"
        "worker.wait()\n"
    )
    request = json.dumps(separate(input=str(songs / "long.wav")))
    with subprocess.Popen(
        [sys.executable, "-c", parent_code, json.dumps(command), request],
        stdout=subprocess.PIPE,
        env=clean_environment(),
    ) as parent:
        lines = map(json.loads, parent.stdout)
        pid = next(line["pid"] for line in lines if line["status"] == "parent")
        next(line for line in lines if line["status"] == "progress")
        parent.kill()
        rest = list(lines)  # ends when the worker, the last to hold the pipe, has gone
    assert rest[-1] == {"status": "shutdown", "detail": "parent_died", "reason": "signal_or_parent_died"}
    wait_until_ended(pid)  # its memory is given back after the pipe is closed
    assert not (tmp_path / "out").exists()


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_line_ends_by_the_signal(worker_dir, repo, songs, tmp_path, number):
    """Its parent sees the signal, after all is cleaned up; the folder of the song never appeared."""
    words = ["-n", "tiny", "--repo", str(repo), "-o", str(tmp_path / "out"), "-d", "cpu", str(songs / "long.wav")]
    command = [*worker_command(WORKERS["demucs"], worker_dir), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()) as run:
        seen = b""
        while not re.search(rb"[1-9]%\|", seen):
            seen += run.stderr.read1()
        assert list((tmp_path / "out" / "tiny").glob(".*.part"))
        assert not (tmp_path / "out" / "tiny" / "long").exists()
        run.send_signal(number)
        run.communicate()
    assert run.returncode == -number
    assert list((tmp_path / "out" / "tiny").iterdir()) == []


def test_the_command_line_separates_and_counts_failures(worker_dir, repo, songs, tmp_path):
    """As demucs users type it: the good file is written, the bad one is status 1, nothing but paths is on stdout."""
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    words = [
        "-n",
        "tiny",
        "--repo",
        str(repo),
        "-o",
        str(tmp_path / "out"),
        "--two-stems",
        "vocals",
        "--mp3",
        "-d",
        "cpu",
    ]
    done = subprocess.run(
        [*worker_command(WORKERS["demucs"], worker_dir), *words, "--print-paths", str(songs / "short.wav"), str(bad)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    folder = tmp_path / "out" / "tiny" / "short"
    assert sorted(path.name for path in folder.iterdir()) == ["no_vocals.mp3", "vocals.mp3"]
    assert sorted(done.stdout.splitlines()) == [str(folder / "no_vocals.mp3"), str(folder / "vocals.mp3")]
    assert "bad.wav" in done.stderr
