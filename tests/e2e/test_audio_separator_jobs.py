"""Real jobs of dsu-audio-separator over the real process: VR, MDX, Apollo, and chains of them."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from worker_process import job_lines, start_worker, statuses

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.networks import write_network

pytestmark = pytest.mark.e2e

RATE = 44100


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A directory with a VR, an MDX and an Apollo model, and a models directory with a network of dsu-bsroformer."""
    folder = tmp_path_factory.mktemp("models")
    make_vr(folder, "3_HP-Vocal-UVR", primary_stem="Instrumental")
    make_mdx(folder, "tiny", primary_stem="Vocals")
    write_network(folder, "apollo", name="apollo")
    write_network(folder / "dir" / "bsroformer", "mdx23c", name="my_mdxc")
    return folder


@pytest.fixture(scope="module")
def start(worker_dir, models):
    return partial(start_worker, "audio-separator", worker_dir, models / "dir")


@pytest.fixture(scope="module")
def worker(start):
    """One worker for the tests that leave it as it was."""
    with start() as process:
        process.expect("ready")
        yield process


@pytest.fixture
def song(songs, tmp_path):
    """`a.wav`, two seconds."""
    samples, rate = soundfile.read(songs / "short.wav", frames=2 * RATE)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    return tmp_path / "a.wav"


@pytest.fixture
def separate(models, song, tmp_path):
    """A request for the song and the MDX model; fields replace its own."""

    def request(**fields):
        basis = {"cmd": "separate", "input": str(song), "output_dir": str(tmp_path / "out"), "model": "tiny.onnx"}
        return {**basis, "model_file_dir": str(models), **fields}

    return request


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize(
    ("model", "stems"),
    [("3_HP-Vocal-UVR.pth", ["Instrumental", "Vocals"]), ("tiny.onnx", ["Vocals", "Instrumental"])],
)
def test_each_kind_writes_its_two_stems(worker, separate, tmp_path, model, stems):
    """`TRACK_(Stem).wav`, primary and secondary, as long as the song, neither silent nor equal."""
    worker.send(separate(model=model, id=model))
    lines = job_lines(worker, "done", "error")
    assert statuses(lines)[:2] == ["loading_model", "separating"]
    done = lines[-1]
    assert done["status"] == "done", done
    assert done["stems"] == stems
    assert done["files"] == [f"a_({stem}).wav" for stem in stems]
    assert done["output_dir"] == str(tmp_path / "out")
    one, two = (read(path) for path in done["paths"].values())
    assert one.shape == two.shape == (2 * RATE, 2)
    assert min(one.std(), two.std()) > 0.001
    assert not np.allclose(one, two, atol=1e-3)


def test_one_stem_alone(worker, separate, tmp_path):
    """`single_stem` in any case, and `name_template` for another name."""
    worker.send(separate(single_stem="instrumental", name_template="{track} {stem} {model} {index}"))
    done = worker.expect("done", "error")
    assert done["files"] == ["a Instrumental tiny.onnx 1.wav"]


def test_a_network_of_the_other_worker(worker, separate, tmp_path):
    """MDXC checkpoints go to its engine, and the layout stays this worker's."""
    worker.send(separate(model="my_mdxc", model_file_dir=None))
    assert worker.expect("done", "error")["files"] == ["a_(vocals).wav", "a_(other).wav"]


def test_apollo_restores_into_the_file_that_is_named(worker, models, song, tmp_path):
    """`restoring`, progress, `done` with the file's path; the second time from the cache, as `load_apollo` says too."""
    request = {
        "cmd": "apollo",
        "input": str(song),
        "output": str(tmp_path / "restored.wav"),
        "model_path": str(models / "apollo.ckpt"),
        "config_path": str(models / "apollo.yaml"),
        "feature_dim": 16,
        "layer": 1,
        "chunk_seconds": 0.5,
        "chunk_overlap": 0.1,
    }
    worker.send(request)
    lines = job_lines(worker, "done", "error")
    assert statuses(lines)[:2] == ["loading_model", "restoring"]
    assert (lines[-1]["files"], lines[-1]["cached"]) == ([str(tmp_path / "restored.wav")], False)
    assert read(tmp_path / "restored.wav").shape == (2 * RATE, 2)
    worker.send(request)
    assert worker.expect("done", "error")["cached"]
    worker.send({"cmd": "load_apollo", **{key: request[key] for key in ("model_path", "config_path")}})
    loaded = worker.expect("model_loaded", "error")
    assert (loaded["type"], loaded["feature_dim"], loaded["layer"]) == ("apollo", 16, 1)
    assert worker.ask(cmd="ping")["apollo_model"] == "apollo"
    worker.send({**request, "layer": 6})
    error = worker.expect("error", "done")
    assert error["code"] == "checkpoint_mismatch"
    assert "feature_dim 16 and layer 1" in error["message"]


@pytest.mark.parametrize("by_reference", [False, True])
def test_the_chain_of_the_documents(worker, models, song, tmp_path, by_reference):
    """VR, then Apollo on the stem that it wrote, in one batch: named by its file, or by the job that writes it."""
    out = tmp_path / "out"
    first = {
        "cmd": "separate",
        "input": str(song),
        "output_dir": str(out),
        "model": "3_HP-Vocal-UVR.pth",
        "model_file_dir": str(models),
    }
    then = {
        "cmd": "apollo",
        "input": {"from": 0, "stem": "instrumental"} if by_reference else str(out / "a_(Instrumental).wav"),
        "output": str(out / "restored.wav"),
        "model_path": str(models / "apollo.ckpt"),
        "config_path": str(models / "apollo.yaml"),
    }
    worker.send({"cmd": "batch", "jobs": [first, then]})
    done = worker.expect("done", "error")
    assert done["status"] == "done", done
    assert statuses(done["results"]) == ["done", "done"]
    assert read(out / "restored.wav").shape == (2 * RATE, 2)


# As the documents have it, to the letter; only the two folders are put elsewhere.
EXAMPLE = """
{
  "cmd": "batch",
  "jobs": [
    {"cmd": "separate", "input": "a.wav", "output_dir": "/out", "model": "3_HP-Vocal-UVR.pth", "model_file_dir": "/models"},
    {"cmd": "apollo", "input": "/out/a_(Instrumental).wav", "output": "/out/restored.wav", "model_path": "/models/apollo.ckpt", "config_path": "/models/apollo.yaml"}
  ]
}
"""


def test_the_example_of_the_documents_word_for_word(start, models, song, tmp_path):
    """`a.wav` of the working directory, the stem under the name that the second job expects, the restored file."""
    text = " ".join(EXAMPLE.split())
    for place, folder in (("/out", tmp_path / "out"), ("/models", models)):
        text = text.replace(f'"{place}', json.dumps(str(folder))[:-1])
    with start(cwd=song.parent) as worker:
        worker.send_bytes(text.encode() + b"\n")
        done = worker.expect("done", "error")
    assert done["status"] == "done", done
    first, second = done["results"]
    assert first["files"] == ["a_(Instrumental).wav", "a_(Vocals).wav"]
    assert second["files"] == [str(tmp_path / "out" / "restored.wav")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*first["files"], "restored.wav"]
    assert read(tmp_path / "out" / "restored.wav").shape == (2 * RATE, 2)


@pytest.fixture
def chain(separate, models):
    """The jobs of a batch: VR, then Apollo on what it wrote, then MDX."""

    def jobs(**fields):
        return [
            separate(model="3_HP-Vocal-UVR.pth", **fields),
            {
                "cmd": "apollo",
                "input": {"from": 0, "stem": "Instrumental"},
                "output_dir": fields["output_dir"],
                "model_path": str(models / "apollo.ckpt"),
            },
            separate(**fields),
        ]

    return jobs


def test_a_batch_reports_the_whole_and_each_job(worker, chain, songs, tmp_path):
    """Percentages of the whole and of the job at work, which one that is, and what is done to it; none goes back."""
    jobs = chain(output_dir=str(tmp_path / "out"))
    jobs[0]["input"] = str(tmp_path / "longer.wav")  # long enough for progress on a fast machine
    soundfile.write(jobs[0]["input"], soundfile.read(songs / "long.wav", frames=12 * RATE)[0], RATE)
    worker.send({"cmd": "batch", "id": "batch", "jobs": jobs})
    lines = job_lines(worker, "done", "error")
    assert lines[-1]["status"] == "done", lines[-1]
    *parts, last = [line for line in lines if line["status"] == "progress"]
    assert (last["percent"], "index" in last) == (100.0, False)
    whole = [line["percent"] for line in parts]
    assert whole == sorted(whole)
    assert [line["index"] for line in parts] == sorted(line["index"] for line in parts)
    assert 0 in {line["index"] for line in parts} <= {0, 1, 2}  # a job may end before its first line is due
    assert {line["count"] for line in parts} == {3}
    for index in range(3):
        own = [line["part_percent"] for line in parts if line["index"] == index]
        assert own == sorted(own)
        assert all(
            index * 100 / 3 - 0.1 <= line["percent"] <= (index + 1) * 100 / 3 + 0.1
            for line in parts
            if line["index"] == index
        )
    assert {"scan", "separate"} <= {line["part_stage"] for line in parts}


def test_a_batch_cancelled_in_the_middle(worker, chain, songs, tmp_path):
    """What was finished is whole and told of; of the job at work nothing is left, and the next is not begun."""
    out = tmp_path / "out"
    jobs = chain(output_dir=str(out))
    jobs[1]["input"] = str(songs / "long.wav")
    worker.send({"cmd": "batch", "id": "batch", "jobs": jobs})
    worker.expect("progress", "done", "error", index=1, part_stage="separate")
    cancelled = worker.cancel(id="batch")["cancelled"]
    assert statuses(cancelled["results"]) == ["done", "cancelled"]
    finished = cancelled["results"][0]["files"]
    assert sorted(path.name for path in out.iterdir()) == sorted(finished) == ["a_(Instrumental).wav", "a_(Vocals).wav"]
    assert all(len(read(out / name)) == 2 * RATE for name in finished)
    worker.send({"cmd": "ping"})
    worker.expect("pong")


def test_a_batch_that_is_resumed_does_only_what_is_missing(start, chain, tmp_path):
    """A chain whose first job is there goes on with it; one whose last file was lost does that job again."""
    out = tmp_path / "out"
    batch = {"cmd": "batch", "resume": True, "jobs": chain(output_dir=str(out), name_template="{model} {track} {stem}")}
    skipped = []
    for _ in range(3):
        with start() as worker:
            worker.send(batch)
            done = job_lines(worker, "done", "error")[-1]
        assert done["status"] == "done", done
        skipped.append([result.get("skipped", False) for result in done["results"]])
        Path(done["results"][1]["files"][0]).unlink()
        if len(skipped) == 1:
            times = {path: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    assert skipped == [[False, False, False], [True, False, True], [True, False, True]]
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_every_line_is_as_described(worker, separate, models, song, tmp_path):
    """The schemas of `describe` hold for separations and restorations."""
    description = worker.ask(cmd="describe")
    definitions = {"definitions": description["definitions"]}
    apollo = {"cmd": "apollo", "input": str(song), "output": str(tmp_path / "r.wav")}
    for request in (separate(), {**apollo, "model_path": str(models / "apollo.ckpt")}):
        worker.send(request)
        *events, done = job_lines(worker, "done", "error")
        Draft202012Validator({**description["commands"][request["cmd"]]["response"], **definitions}).validate(done)
        for event in events:
            Draft202012Validator({**description["events"][event["status"]], **definitions}).validate(event)


def test_many_files_into_a_directory(worker, models, song, tmp_path):
    """Each under its own name; one file for many is refused."""
    shutil.copy(song, tmp_path / "b.wav")
    request = {
        "cmd": "apollo",
        "inputs": [str(song), str(tmp_path / "b.wav")],
        "output_dir": str(tmp_path / "out"),
        "model_path": str(models / "apollo.ckpt"),
    }
    worker.send(request)
    assert worker.expect("done", "error")["succeeded"] == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_(restored).wav", "b_(restored).wav"]
    worker.send({**request, "output": str(tmp_path / "one.wav"), "output_dir": None})
    assert worker.expect("error", "done")["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "missing.pth"}, "model_not_installed"),
        ({"model": "missing.pth", "model_file_dir": None}, "unknown_model"),
        ({"vr_aggression": 101}, "invalid_request"),
        ({"mdx_overlap": 1}, "invalid_request"),
        ({"single_stem": "Drums"}, "invalid_request"),
        ({"model": "unknown.pth"}, "config_invalid"),
        ({"model": "broken.pth"}, "checkpoint_invalid"),
        ({"model": "broken.onnx"}, "checkpoint_invalid"),
    ],
)
def test_bad_requests_get_one_clear_line_and_leave_nothing(worker, separate, models, tmp_path, change, code):
    """The right code, and the next command works."""
    (models / "unknown.pth").write_bytes((models / "3_HP-Vocal-UVR.pth").read_bytes())
    for suffix in ("pth", "onnx"):
        (models / f"broken.{suffix}").write_bytes(b"This is no model.")
    (models / "broken.json").write_text((models / "tiny.json").read_text())
    if change.get("model") == "broken.pth":
        (models / "broken.json").write_text((models / "3_HP-Vocal-UVR.json").read_text())
    worker.send({**separate(), **change, "id": "bad"})
    error = job_lines(worker, "error", "done")[-1]
    assert (error["status"], error.get("code")) == ("error", code), error
    assert "Traceback" not in json.dumps(error)
    assert not (tmp_path / "out").exists()
    assert worker.ask(cmd="ping")["status"] == "pong"


@pytest.fixture
def as_the_package(separate):
    """The same as the audio-separator package has it."""

    def request(**fields):
        return {**separate(**fields), "cmd": "package_separate"}

    return request


def test_many_files_as_the_package_names_them(worker, as_the_package, song):
    """One `file_done` for each, with the events of `separate`."""
    other = song.with_name("b__c.wav")
    shutil.copy(song, other)
    worker.send(as_the_package(input=None, inputs=[str(song), str(other)], single_stem="Vocals", format="flac"))
    lines = job_lines(worker, "done", "error")
    assert {"separating", "progress"} <= set(statuses(lines))
    files = [line["files"] for line in lines if line["status"] == "file_done"]
    assert files == [["a_(Vocals)_tiny.flac"], ["b_c_(Vocals)_tiny.flac"]]
    assert lines[-1]["succeeded"] == 2


def test_cancelling_an_ensemble_leaves_nothing(worker, as_the_package, models, songs, tmp_path):
    """However many models are at work."""
    members = [str(models / "tiny.onnx"), "my_mdxc"]
    worker.send(as_the_package(input=str(songs / "long.wav"), model=None, model_file_dir=None, ensemble=members))
    worker.expect("separating")
    worker.cancel()
    assert list((tmp_path / "out").rglob("*")) == []


def test_cancelling_leaves_nothing(worker, separate, songs, tmp_path):
    """In the middle of a long song."""
    worker.send(separate(input=str(songs / "long.wav"), id="long"))
    worker.expect("progress", id="long")
    worker.cancel()
    assert not Path(tmp_path / "out").exists()


def test_models_of_both_kinds_are_listed(worker):
    """VR and MDX files, and the networks that go with them; any network that can be named can be asked for."""
    listed = worker.ask(cmd="list_models")["models"]
    assert {"UVR-MDX-NET-Inst_HQ_3.onnx", "apollo_lew_uni", "vocals_mdx23c", "my_mdxc"} <= set(listed)
    assert "vocals_melband" not in listed
    assert worker.ask(cmd="list_models", model="vocals_melband", details=True)["details"][0]["stems"] == ["vocals"]
    assert worker.ask(cmd="list_models", model="nothing.pth")["code"] == "unknown_model"
