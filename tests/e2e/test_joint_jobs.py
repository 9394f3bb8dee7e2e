"""Real jobs whose results are one file each, over the real process: for DJs, and of any number of stems."""

import subprocess
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from worker_process import clean_environment, job_lines, start_worker, statuses, worker_command

from workers import WORKERS

pytestmark = pytest.mark.e2e

STEMS = ["drums", "bass", "other", "vocals"]


@pytest.fixture(scope="module")
def worker(worker_dir, tmp_path_factory):
    """One worker for all tests."""
    with partial(start_worker, "demucs", worker_dir, tmp_path_factory.mktemp("models"))() as process:
        process.expect("ready")
        yield process


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def tracks(path):
    """The title, the channels and the samples of every track."""
    with av.open(str(path)) as container:
        streams = container.streams.audio
        names = [stream.metadata.get("title") or stream.metadata.get("handler_name") for stream in streams]
        channels = [stream.codec_context.channels for stream in streams]
    found = []
    for index in range(len(names)):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=index)]
        rows = [frame if len(frame) > 1 or channels[index] == 1 else frame.reshape(-1, 2).T for frame in frames]
        full = 1.0 if rows[0].dtype.kind == "f" else -float(np.iinfo(rows[0].dtype).min)
        found.append((names[index], channels[index], np.concatenate(rows, axis=1) / full))
    return found


def test_a_file_for_djs(worker, separate, tmp_path):
    """`done` names one file for all stems, and a report lies next to it; the stems sum to the mix, which is the song."""
    worker.send(separate(format="stem.m4a", pcm_type="PCM_24", report=True))
    done = worker.expect("done", "error")
    folder = tmp_path / "out" / "tiny"
    assert done["files"] == ["short.stem.m4a"]
    assert done["stems"] == STEMS
    assert done["paths"] == dict.fromkeys(STEMS, str(folder / "short.stem.m4a"))
    assert files(folder) == ["short.stem.m4a", "short_report.png"]
    assert done["report"] == str(folder / "short_report.png")
    (_, _, mix), *stems = tracks(folder / "short.stem.m4a")
    song, _ = soundfile.read(separate()["input"], dtype="float64")
    np.testing.assert_allclose(mix / done["gain"], song.T, atol=2.0**-20)
    assert [name for name, _, _ in stems] == ["Drums", "Bass", "Other", "Vocals"]
    assert {samples.shape for _, _, samples in stems} == {(2, 4 * 44100)}


@pytest.mark.parametrize("asked", [{}, {"bitrate": 128, "output_sample_rate": 48000}])
def test_any_number_of_stems_in_matroska(worker, separate, asked):
    """One stem and the mix."""
    worker.send(separate(format="mka", stems=["vocals"], **asked))
    done = worker.expect("done", "error")
    assert (done["files"], done["stems"]) == (["short.mka"], ["vocals"])
    assert [(name, samples.shape[1]) for name, _, samples in tracks(done["paths"]["vocals"])] == [
        ("The mix", 4 * done["sample_rate"]),
        ("Vocals", 4 * done["sample_rate"]),
    ]


@pytest.mark.parametrize(("form", "channels"), [("stem.m4a", 2), ("mka", 1)])
def test_a_mono_song(worker, separate, tmp_path, form, channels):
    """Matroska can keep it mono; players of stem files expect stereo, and get both channels equal."""
    samples, rate = soundfile.read(separate()["input"])
    soundfile.write(tmp_path / "mono.wav", samples.mean(axis=1), rate)
    pcm = {"pcm_type": "PCM_16", "channels": "source"}
    worker.send(separate(input=str(tmp_path / "mono.wav"), format=form, **pcm))
    done = worker.expect("done", "error")
    for _, count, found in tracks(done["paths"]["drums"]):
        assert (count, len(found)) == (channels, channels)
        np.testing.assert_array_equal(found[0], found[-1])


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"two_stems": "vocals"}, "unsupported_format", "format"),
        ({"stems": ["vocals", "bass"]}, "unsupported_format", "format"),
        ({"name_template": "{track}/{stem}"}, "invalid_request", "name_template"),
    ],
)
def test_what_does_not_fit_is_told_before_a_model_is_loaded(worker, separate, tmp_path, fields, code, field):
    """With models that have four stems."""
    worker.send({"cmd": "clear_cache"}, separate(format="stem.m4a", **fields))
    lines = job_lines(worker, "done", "error")
    assert "loading_model" not in statuses(lines)
    assert (lines[-1]["code"], lines[-1]["field"]) == (code, field)
    if field == "format":
        assert "htdemucs" in lines[-1]["suggestions"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["stem.m4a", "mka"])
def test_a_song_that_is_heard_from_its_middle(worker, separate, tmp_path, form):
    """Its file holds what that of the same song holds which was separated from its start."""
    live = {"stream": {"every_s": 0.1}, "start_at": 2.0}
    worker.send(separate(format=form, pcm_type="PCM_24", output=str(tmp_path / "live"), **live))
    moved = job_lines(worker, "done", "error")
    worker.send(separate(format=form, pcm_type="PCM_24", output=str(tmp_path / "plain")))
    plain = worker.expect("done", "error")
    assert next(line["start"] for line in moved if line["status"] == "segment") > 0
    found, expected = (tracks(done["paths"]["bass"]) for done in (moved[-1], plain))
    assert [name for name, _, _ in found] == [name for name, _, _ in expected]
    for (_, _, samples), (_, _, right) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(samples, right)


def test_a_rate_that_players_do_not_know(worker, separate):
    """The error names the nearest."""
    worker.send(separate(format="stem.m4a", output_sample_rate=96000))
    error = worker.expect("done", "error")
    assert (error["code"], error["suggestions"]) == ("unsupported_format", ["48000"])


def test_resume_skips_it(worker, separate):
    """As long as the file is there."""
    request = separate(format="stem.m4a", resume=True)
    worker.send(request, request)
    first, second = worker.expect("done", "error"), worker.expect("done", "error")
    assert "skipped" not in first
    assert second["skipped"]
    assert second["files"] == first["files"] == ["short.stem.m4a"]
    Path(second["paths"]["bass"]).unlink()
    worker.send(request)
    assert "skipped" not in worker.expect("done", "error")


def test_many_songs_are_one_file_each(worker, separate, songs, tmp_path):
    """`files` names each once."""
    copy = tmp_path / "copy.wav"
    copy.write_bytes((songs / "short.wav").read_bytes())
    request = separate(format="mka", inputs=[str(songs / "short.wav"), str(copy)], bitrate=96)
    del request["input"]
    worker.send(request)
    done = worker.expect("done", "error")
    assert done["files"] == [str(tmp_path / "out" / "tiny" / f"{name}.mka") for name in ("short", "copy")]


def test_on_the_command_line(worker_dir, repo, songs, tmp_path):
    """The path is printed once; a second run over the same folder separates neither the song nor its result again."""
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_bytes((songs / "short.wav").read_bytes())
    words = ["-n", "tiny", "--repo", str(repo), "-d", "cpu", "--shifts", "0", "-o", str(tmp_path / "songs")]
    words += ["--filename", "{track}.{ext}", "--format", "mka", "--print-paths", "--skip-existing"]
    command = [*worker_command(WORKERS["demucs"], worker_dir), *words, str(tmp_path / "songs")]
    for expected in ([str(tmp_path / "songs" / "tiny" / "a.mka")], []):
        run = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
        assert run.returncode == 0, run.stderr
        assert [line for line in run.stdout.splitlines() if line.endswith(".mka")] == expected
    assert files(tmp_path / "songs") == ["a.wav", "tiny/a.mka"]
