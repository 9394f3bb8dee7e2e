"""Real jobs of `dsu worker`: requests of all families in one process, with one cache."""

import contextlib
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from worker_process import WorkerProcess, worker_command

from tools.fixtures.audiosep import write_audiosep
from workers import WORKERS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The fields that name AudioSep's parts."""
    files = write_audiosep(tmp_path_factory.mktemp("audiosep"))
    return {
        "config_path": str(files.config),
        "checkpoint_path": str(files.checkpoint),
        "clap_checkpoint_path": str(files.clap_checkpoint),
        "roberta_dir": str(files.roberta_dir),
    }


@pytest.fixture(scope="module")
def start(worker_dir, family_models):
    """Start `dsu worker`, or another worker, on these models."""
    with contextlib.ExitStack() as stack:

        def start_one(kind="dsu", *flags):
            command = [*worker_command(WORKERS[kind], worker_dir), "--worker", "--device", "cpu", "--threads", "1"]
            worker = WorkerProcess([*command, "--models-dir", str(family_models), "--offline", *flags])
            stack.enter_context(worker)
            worker.expect("ready")
            return worker

        yield start_one


@pytest.fixture(scope="module")
def dsu(start):
    return start()


def finish(worker, **request):
    """Send a job and return its last line."""
    worker.send(request)
    return worker.expect("done", "error", "model_loaded")


def samples(reply):
    return {name: Path(path).read_bytes() for name, path in reply["paths"].items()}


CASES = {
    "networks": ("bsroformer", {"model": "my_net"}),
    "demucs": ("demucs", {"model": "tiny", "shifts": 1, "segment": 1.5}),
    "vr": ("audio-separator", {"model": "my_vr.pth", "vr_aggression": 7}),
    "mdx": ("audio-separator", {"model": "my_mdx.onnx", "mdx_overlap": 0.5}),
    "apollo": ("bsroformer", {"model": "my_apollo"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_of_any_family_gives_what_its_own_program_gives(start, dsu, songs, tmp_path, case):
    """The same files with the same bytes, by the model's name alone."""
    owner, fields = CASES[case]
    request = {"cmd": "separate", "input": str(songs / "short.wav"), "pcm_type": "FLOAT", **fields}
    mine = finish(dsu, **request, output=str(tmp_path / "dsu"))
    own = finish(start(owner), **request, output=str(tmp_path / "own"))
    assert mine["status"] == own["status"] == "done", (mine, own)
    assert samples(mine) == samples(own)
    assert mine["settings"] == own["settings"]
    relative = [[Path(path).relative_to(tmp_path / place) for path in reply["paths"].values()]
                for place, reply in (("dsu", mine), ("own", own))]  # fmt: skip
    assert relative[0] == relative[1]


@pytest.mark.parametrize("case", [*CASES, "audiosep"])
def test_shares_of_a_song_are_joined_to_what_one_job_gives(dsu, songs, described, tmp_path, case):
    """For networks of all kinds, byte by byte; what was shared is told as such."""
    fields = {"texts": ["drums", "bass"], **described} if case == "audiosep" else CASES[case][1]
    request = {"cmd": "separate", "input": str(songs / "short.wav"), **fields}
    whole = finish(dsu, **request, output_dir=str(tmp_path / "whole"))
    parts = [
        finish(dsu, **request, output_dir=str(tmp_path / str(number)), share={"number": number, "of": 3})
        for number in (1, 2, 3)
    ]
    assert [reply["status"] for reply in (whole, *parts)] == ["done"] * 4, (whole, parts)
    joined = finish(dsu, **request, output_dir=str(tmp_path / "joined"), shares=[part["paths"] for part in parts])
    assert joined["status"] == "done", joined
    assert samples(joined) == samples(whole)
    assert joined["settings"] == whole["settings"] == parts[0]["settings"]
    assert sum(part["duration"] for part in parts) == pytest.approx(whole["duration"], abs=0.002)


def test_recipes_have_no_shares(dsu, songs, tmp_path):
    """Which is told before any model is looked for; and no share comes from a path that cannot be one."""
    separate = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path / "out")}
    for fields, field in (
        ({"recipe": "dsu_mini", "share": {"number": 1, "of": 2}}, "share"),
        ({"model": "my_net", "share": {"number": 0, "of": 2}}, "share.number"),
        ({"model": "my_net", "shares": []}, "shares"),
        ({"model": "my_net", "shares": [{"vocals": "a\0b"}]}, "shares"),
    ):
        error = finish(dsu, **separate, **fields)
        assert (error["status"], error["code"], error["field"]) == ("error", "invalid_request", field), error
    assert not (tmp_path / "out").exists()


def test_texts_mean_audiosep(dsu, songs, described, tmp_path):
    """Its fields decide, and its reply is its own; `output` is a file there."""
    target = tmp_path / "drums.wav"
    done = finish(dsu, cmd="separate", input=str(songs / "short.wav"), output=str(target), text="drums", **described)
    assert (done["status"], done["files"]) == ("done", [str(target)])
    loaded = finish(dsu, cmd="load_model", family="audiosep", **described)
    assert (loaded["status"], loaded["cached"]) == ("model_loaded", True)


def test_without_a_name_the_active_model_is_meant_at_its_turn(dsu, songs, tmp_path):
    """Whatever its family: the requests are sent at once, before anything is loaded."""
    separate = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path)}
    loads = [{"model": "tiny"}, {"model": "my_mdx.onnx"}, {"model": "my_net"}]
    for number, load in enumerate(loads):
        dsu.send({"cmd": "load_model", "id": f"load {number}", **load})
        dsu.send({"id": f"separate {number}", **separate})
    done = [dsu.expect("done", id=f"separate {number}") for number in range(len(loads))]
    assert [reply["model"] for reply in done] == [load["model"] for load in loads]
    assert done[0]["files"] == ["drums.wav", "bass.wav", "other.wav", "vocals.wav"]


def test_one_cache_holds_models_of_all_families(start, songs, tmp_path):
    """Its bound is for all of them together, and those who stay need no second load."""
    dsu = start("dsu", "--max-cached-models", "2")
    separate = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path)}
    for model in ("tiny", "my_vr.pth", "my_net"):
        assert finish(dsu, **separate, model=model)["model_from_cache"] is False
    assert [entry["name"] for entry in dsu.ask(cmd="list_cached")["models"]] == ["my_vr.pth", "my_net"]
    assert finish(dsu, **separate, model="my_vr.pth")["model_from_cache"] is True


@pytest.mark.parametrize(
    ("family", "fields"),
    [("demucs", {"model": "my_net"}), ("networks", {"model": "tiny"}), ("audio-separator", {"model": "tiny"})],
)
def test_a_family_that_is_named_is_taken_at_its_word(dsu, songs, tmp_path, family, fields):
    """A model that it does not have is unknown there."""
    error = finish(dsu, cmd="separate", input=str(songs / "short.wav"), output=str(tmp_path), family=family, **fields)
    assert (error["status"], error["code"]) == ("error", "unknown_model")


def test_families_that_there_are_not(dsu, songs, tmp_path):
    """The error lists those that there are."""
    error = finish(dsu, cmd="separate", input=str(songs / "short.wav"), output=str(tmp_path), family="spleeter")
    assert (error["code"], error["field"]) == ("invalid_request", "family")
    assert "networks" in error["suggestions"]
    error = finish(dsu, cmd="separate", input=str(songs / "short.wav"), output=str(tmp_path), model="my_nett")
    assert (error["code"], error["suggestions"]) == ("unknown_model", ["my_net"])


def test_models_are_listed_by_family(dsu):
    """All of them, those of one family, or one."""
    every = set(dsu.ask(cmd="list_models")["models"])
    assert {"tiny", "my_net", "my_apollo", "my_vr.pth", "my_mdx.onnx", "audiosep_base", "dsu_mini"} <= every
    assert {"my_vr.pth", "my_mdx.onnx"} <= set(dsu.ask(cmd="list_models", family="audio-separator")["models"])
    of_apollo = dsu.ask(cmd="list_models", family="apollo", details=True)
    assert "my_apollo" in of_apollo["models"]
    assert {model["type"] for model in of_apollo["details"]} == {"apollo"}
    assert dsu.ask(cmd="list_models", model="my_vr.pth")["models"] == ["my_vr.pth"]


def test_a_batch_chains_families(dsu, songs, tmp_path):
    """A stem of one is the input of the next."""
    jobs = [
        {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path / "a"), "model": "tiny"},
        {
            "cmd": "separate",
            "input": {"from": 0, "stem": "vocals"},
            "output": str(tmp_path / "b"),
            "model": "my_vr.pth",
        },
        {
            "cmd": "apollo",
            "input": {"from": 1, "stem": "Vocals"},
            "output": str(tmp_path / "c.wav"),
            "model": "my_apollo",
        },
    ]
    done = finish(dsu, cmd="batch", jobs=jobs)
    assert done["status"] == "done", json.dumps(done)
    assert (tmp_path / "c.wav").is_file()


def test_requests_of_all_families_fit_the_description(dsu):
    """What `describe` says of `separate` takes the fields of each family, and `family` itself."""
    description = dsu.ask(cmd="describe")
    schema = {**description["commands"]["separate"]["request"], "definitions": description["definitions"]}
    validator = Draft202012Validator(schema)
    base = {"cmd": "separate", "input": "a.wav", "output": "b"}
    for fields in ({"family": "demucs", "shifts": 2}, {"overlap": 0.5}, {"vr_aggression": 3}, {"texts": ["drums"]}):
        assert not list(validator.iter_errors({**base, **fields})), fields
    assert list(validator.iter_errors({**base, "family": "spleeter", "format": "nonsense"}))


@pytest.mark.parametrize("family", [[], {}, 7, "nope"])
def test_a_family_that_is_no_family_waits_for_its_turn(dsu, family):
    """Whatever its type it is a wrong request, answered in order."""
    error = finish(dsu, cmd="separate", input="a.wav", output="b", family=family)
    assert (error["code"], error["field"]) == ("invalid_request", "family")


def test_a_repo_finds_its_own_models(start, family_models, songs, tmp_path):
    """A field that one family alone has decides before the name is looked up."""
    dsu = start("dsu", "--models-dir", str(tmp_path))
    fields = {"model": "tiny", "repo": str(family_models / "demucs"), "shifts": 0}
    done = finish(dsu, cmd="separate", input=str(songs / "short.wav"), output=str(tmp_path / "out"), **fields)
    assert (done["status"], done["model"]) == ("done", "tiny")


@pytest.mark.parametrize(
    ("active", "family", "answer"),
    [
        ("my_apollo", "networks", "dsu_mini"),
        ("my_net", "networks", "my_net"),
        ("my_net", "apollo", "invalid_request"),
        ("my_apollo", "apollo", "my_apollo"),
        ("my_net", "audio-separator", "invalid_request"),
        ("my_mdx.onnx", "audio-separator", "my_mdx.onnx"),
    ],
)
def test_a_family_without_a_model_restricts_the_active_one(dsu, songs, tmp_path, active, family, answer):
    """The active model is used only if it is of that family; otherwise the family's own default, if it has one."""
    assert finish(dsu, cmd="load_model", model=active)["status"] == "model_loaded"
    reply = finish(dsu, cmd="separate", family=family, input=str(songs / "short.wav"), output=str(tmp_path))
    assert reply.get("model", reply.get("code")) == answer


def test_fields_of_several_families_mean_the_active_model(dsu, songs, tmp_path):
    """If it has them: `overlap` is a part of one in Demucs, and a number of windows elsewhere."""
    separate = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path)}
    finish(dsu, cmd="load_model", model="tiny")
    assert finish(dsu, **separate, overlap=0.5)["model"] == "tiny"
    finish(dsu, cmd="load_model", model="my_net")
    assert finish(dsu, **separate, overlap=2)["model"] == "my_net"


def test_a_model_of_a_batch_that_nobody_knows_fails_its_own_job(dsu, songs, tmp_path):
    """The others are run where the batch goes on after errors."""
    job = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path)}
    done = finish(dsu, cmd="batch", jobs=[{**job, "model": "nope"}, {**job, "model": "my_net"}], continue_on_error=True)
    assert [reply["status"] for reply in done["results"]] == ["error", "done"]
    assert done["results"][0]["code"] == "unknown_model"


def test_a_wrong_job_of_a_batch_keeps_all_from_running(dsu, songs, tmp_path):
    """Also one whose family only the active model decides."""
    job = {"cmd": "separate", "output": str(tmp_path / "out")}
    error = finish(dsu, cmd="batch", jobs=[{**job, "input": str(songs / "short.wav")}, job])
    assert (error["code"], error["field"]) == ("invalid_request", "jobs[1].input")
    assert not (tmp_path / "out").exists()
