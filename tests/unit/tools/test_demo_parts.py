"""The parts of the demonstration that need no worker; the whole of it is run by `.ci/run`."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools import demo
from utils.store.registry import Registry

FAKE_WORKER = """
import json, sys
print(json.dumps({"status": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)["cmd"]
    for reply in REPLIES[asked]:
        print(json.dumps(reply), flush=True)
"""


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_levels_are_those_of_the_file(tmp_path):
    """A sine of half scale peaks at -6 dB and has an RMS of -9 dB."""
    wave = 0.5 * np.sin(2 * np.pi * 441 * np.arange(48000) / 48000)
    soundfile.write(tmp_path / "sine.wav", np.stack([wave, wave], axis=1), 48000, subtype="FLOAT")
    level = demo.measure(tmp_path / "sine.wav")
    assert (level.file, level.duration_s, level.sample_rate) == ("sine.wav", 1.0, 48000)
    assert level.peak_db == pytest.approx(-6.02, abs=0.01)
    assert level.rms_db == pytest.approx(-9.03, abs=0.01)


def test_silence_has_a_level_too(tmp_path):
    """Digital silence is far below everything, and no error."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(100), 44100)
    assert demo.measure(tmp_path / "silence.wav").peak_db <= -200


def test_table_lines_up():
    """All rows of the table are equally long."""
    rows = [demo.Level("drums.wav", -1.0, -20.0, 12.0, 44100), demo.Level("a.wav", -100.0, -120.0, 3600.0, 48000)]
    assert len({len(line) for line in demo.table(rows).splitlines()}) == 1


def test_bar_moves_on_a_terminal():
    """On a terminal one line is drawn again and again."""
    screen = Screen()
    bar = demo.ProgressBar(screen)
    bar.show(50.0, "separate", 3.0)
    bar.show(100.0, "separate", None)
    bar.end()
    assert screen.getvalue().count("\r") == 2
    assert screen.getvalue().count("\n") == 1


def test_a_few_lines_elsewhere():
    """In a log there are four lines of progress at most, without control characters."""
    out = io.StringIO()
    bar = demo.ProgressBar(out)
    for percent in range(1, 101):
        bar.show(percent, "separate", 1.0)
    bar.end()
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["25.0", "50.0", "75.0", "100.0"]


@pytest.fixture
def talk(monkeypatch):
    """A conversation with a fake worker that gives these replies to `separate`."""

    def open_talk(replies):
        real = subprocess.Popen
        script = FAKE_WORKER.replace("REPLIES", repr({"separate": replies}))
        monkeypatch.setattr(
            demo.subprocess, "Popen", lambda argv, **pipes: real([sys.executable, "-c", script], **pipes)
        )
        return demo.DemoWorker(demo.ROOT)

    return open_talk


def test_conversation_follows_a_job_to_its_end(talk, tmp_path):
    """Progress is shown, and `done` is what is answered."""
    replies = [
        {"status": "progress", "percent": 100.0, "stage": "separate", "eta": 0.0},
        {"status": "done", "elapsed": 1},
    ]
    out = io.StringIO()
    with talk(replies) as worker:
        worker.wait_for("ready")
        done = demo.separate(worker, tmp_path / "song.wav", tmp_path, out)
    assert done["elapsed"] == 1
    assert "100.0 %" in out.getvalue()
    assert '"cmd": "separate"' not in out.getvalue()


def test_what_is_sent_and_answered_is_shown_on_request(talk, tmp_path):
    """For those who want to know how a worker is driven."""
    out = io.StringIO()
    with talk([{"status": "done", "elapsed": 1}]) as worker:
        worker.wait_for("ready")
        demo.separate(worker, tmp_path / "song.wav", tmp_path, out, verbose=True)
    assert '"cmd": "separate"' in out.getvalue()
    assert '{"status": "done", "elapsed": 1}' in out.getvalue()


def test_the_clip_has_a_report_of_its_own(talk, tmp_path):
    """The worker is not asked for one, since only the demonstration knows the SDR."""
    out = io.StringIO()
    with talk([{"status": "done", "elapsed": 1}]) as worker:
        worker.wait_for("ready")
        demo.separate(worker, tmp_path / "song.wav", tmp_path, out, report=False, verbose=True)
    assert '"report' not in out.getvalue()


def test_speed_counts_the_networks_alone():
    """Neither start-up nor files."""
    assert demo.speed({"duration": 30.0, "elapsed": 9.0, "timing": {"load": 4.0, "infer": 2.0}}) == 15.0


def test_better_models_are_suggested_with_what_they_cost():
    """Their size, which is that in the list of models, and minutes that fit the machine."""
    for name, (_, megabytes, _) in demo.BETTER.items():
        (record,) = (found for worker in ("demucs", "bsroformer") if (found := Registry.load().find(name, worker)))
        assert round(record.size_bytes / 1e6) == megabytes
    fast, slow = demo.suggestions(60.0).splitlines(), demo.suggestions(6.0).splitlines()
    assert [line.rpartition(", ")[2] for line in fast[2:4]] == ["1 min", "2 min"]
    assert [line.rpartition(", ")[2] for line in slow[2:4]] == ["4 min", "15 min"]
    assert "84 MB" in fast[2]
    assert "913 MB" in fast[3]


def test_stems_are_played_by_the_first_program_there_is(monkeypatch, tmp_path):
    """With its options; where there is none, that is said."""
    played = []
    monkeypatch.setattr(demo.sys, "platform", "linux")
    monkeypatch.setattr(demo.subprocess, "run", lambda argv, **_: played.append(argv))
    monkeypatch.setattr(demo.shutil, "which", lambda name: name if name in ("paplay", "aplay") else None)
    demo.play([tmp_path / "a.wav", tmp_path / "b.wav"], io.StringIO())
    assert played == [["paplay", str(tmp_path / name)] for name in ("a.wav", "b.wav")]
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    out = io.StringIO()
    demo.play([tmp_path / "a.wav"], out)
    assert "No program to play audio was found (afplay, ffplay," in out.getvalue()


def test_paths_are_shown_from_the_current_folder(monkeypatch, tmp_path):
    """Others as a whole."""
    monkeypatch.chdir(tmp_path)
    assert demo.shown(tmp_path / "demo" / "a.wav") == str(Path("demo", "a.wav"))
    assert demo.shown(tmp_path.parent / "b.wav") == str(tmp_path.parent / "b.wav")


def test_error_of_the_worker_ends_the_demonstration(talk, tmp_path):
    """The worker's message and hint are what the person reads."""
    with talk([{"status": "error", "message": "No such file.", "hint": "Look again."}]) as worker:
        worker.wait_for("ready")
        with pytest.raises(demo.DemoFailed, match=r"No such file\. Look again\."):
            demo.separate(worker, tmp_path / "song.wav", tmp_path, io.StringIO())


def test_worker_that_ends_early_is_noticed(talk):
    """A worker that is gone before it answers is an error, not a wait without end."""
    with talk([]) as worker:
        worker.wait_for("ready")
        worker._process.stdin.close()
        with pytest.raises(demo.DemoFailed, match="ended before"):
            worker.wait_for("done")


def test_a_stem_is_compared_with_the_truth_whatever_gain_it_was_written_with(tmp_path):
    """An estimate that is a tenth of the truth off has 20 dB; the mix, which is the truth twice, has 0."""
    truth = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 4000)).astype(np.float32)
    path = tmp_path / "drums.wav"
    soundfile.write(path, 0.5 * 1.1 * truth.T, 44100, subtype="FLOAT")
    level = demo.compare(demo.measure(path), path, truth, 2 * truth, gain=0.5)
    assert level.sdr_db == pytest.approx(20, abs=0.01)
    assert level.gain_db == pytest.approx(20, abs=0.01)


def test_the_table_tells_the_sdr_where_it_is_known():
    """Two columns more, and still all rows are equally long."""
    rows = [demo.Level(name, -1.0, -20.0, 12.0, 44100, sdr, 9.5) for name, sdr in (("a.wav", 10.2), ("b.wav", -0.1))]
    head, _, first, second = demo.table(rows).splitlines()
    assert len({len(head), len(first), len(second)}) == 1
    assert "SDR dB" in head
    assert first.split()[-2:] == ["10.2", "+9.5"]


def test_the_clip_is_music_with_four_stems():
    """15 to 20 s in stereo, a file for each stem of the built-in model, and a mix below full scale."""
    stems = demo.read_clip()
    assert sorted(stems) == ["bass", "drums", "other", "vocals"]
    lengths = {stem.shape for stem in stems.values()}
    assert len(lengths) == 1
    channels, samples = lengths.pop()
    assert channels == 2
    assert 15 <= samples / demo.CLIP_RATE <= 20
    assert np.abs(np.sum(list(stems.values()), axis=0)).max() < 1
    assert all(stem.std() > 0.01 for stem in stems.values())
