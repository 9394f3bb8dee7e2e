"""Recipes through a real `dsu worker`: results, lists, errors, cancelling, many songs and batches."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from worker_process import WorkerProcess, worker_command

from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from workers import WORKERS

pytestmark = pytest.mark.e2e

RECIPE = {
    "steps": {
        "voice": {"model": "my_net"},
        "band": {"model": "tiny", "input": "voice.other", "shifts": 0},
        "left": {"residual": ["voice.vocals", "band.drums"]},
    },
    "outputs": {"vocals": "voice.vocals", "drums": "band.drums", "other": "left"},
    "sums_to_mix": True,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_repo(folder / "demucs")
    write_network(folder / "bsroformer", "mdx23c", name="my_net")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "mine.yaml").write_text(
        "steps: {a: {model: my_net}}\noutputs: {v: a.vocals}\n", encoding="utf-8"
    )
    (folder / "recipes" / "broken.yaml").write_text("steps: [", encoding="utf-8")
    return folder


@pytest.fixture
def dsu(worker_dir, models):
    with contextlib.ExitStack() as stack:
        command = [*worker_command(WORKERS["dsu"], worker_dir), "--worker", "--device", "cpu", "--threads", "1"]
        worker = stack.enter_context(WorkerProcess([*command, "--models-dir", str(models), "--offline"]))
        worker.expect("ready")
        yield worker


def finish(worker, **request):
    """Send a job and return its last line."""
    worker.send({"cmd": "separate", **request})
    return worker.expect("done", "error", "cancelled")


def samples(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_a_recipe_gives_what_its_steps_give(dsu, songs, tmp_path):
    """The same bytes as through files, in one job that says what it did."""
    song = str(songs / "short.wav")
    plain = {"pcm_type": "FLOAT", "clip": "none"}
    done = finish(dsu, input=song, output=str(tmp_path / "recipe"), recipe=RECIPE, **plain)
    assert (done["status"], done["model"], done["stems"]) == ("done", "recipe", ["vocals", "drums", "other"])
    assert done["settings"]["passes"] == [["voice"], ["band"]]
    voice = finish(dsu, input=song, output=str(tmp_path / "voice"), model="my_net", **plain)
    band = finish(dsu, input=voice["paths"]["other"], output=str(tmp_path / "band"), model="tiny", shifts=0, **plain)
    np.testing.assert_array_equal(samples(done["paths"]["vocals"]), samples(voice["paths"]["vocals"]))
    np.testing.assert_array_equal(samples(done["paths"]["drums"]), samples(band["paths"]["drums"]))
    assert [path.name for path in (tmp_path / "recipe").iterdir()] == ["short"]


def test_lists_have_ones_own_recipes_and_those_of_dsu(dsu):
    """One that cannot be read is a warning."""
    listed = dsu.ask(cmd="list_recipes")
    recipes = {recipe["name"]: recipe for recipe in listed["recipes"]}
    assert recipes["mine"]["stems"] == ["v"]
    assert recipes["dsu_mini"]["commercial"]
    assert [name for name in ("broken",) if name in recipes] == []
    assert "`broken`" in listed["warnings"][0]
    (one,) = dsu.ask(cmd="list_recipes", recipe="mine")["recipes"]
    assert one == recipes["mine"]


def test_many_songs_go_through_a_recipe_by_its_name(dsu, songs, tmp_path):
    """One bad song does not stop the rest."""
    (tmp_path / "bad.wav").write_text("no", encoding="utf-8")
    done = finish(
        dsu, inputs=[str(tmp_path / "bad.wav"), str(songs / "short.wav")], output=str(tmp_path / "out"), recipe="mine"
    )
    assert (done["status"], done["succeeded"], done["failed"]) == ("done", 1, 1)
    assert [Path(path).name for path in done["files"]] == ["v.wav"]


def test_a_batch_may_hold_recipes(dsu, songs, tmp_path):
    """And use what they have written."""
    first = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path / "a"), "recipe": "mine"}
    second = {"cmd": "separate", "input": {"from": 0, "stem": "v"}, "output": str(tmp_path / "b"), "model": "my_net"}
    dsu.send({"cmd": "batch", "jobs": [first, second]})
    done = dsu.expect("done", "error")
    assert [result["status"] for result in done["results"]] == ["done", "done"]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"recipe": "min"}, "invalid_request", "recipe"),
        ({"recipe": 3}, "invalid_request", "recipe"),
        ({"recipe": {}}, "invalid_request", "recipe.steps"),
        ({"recipe": "mine", "model": "my_net"}, "invalid_request", "model"),
        ({"recipe": "mine", "two_stems": "vocals"}, "invalid_request", "two_stems"),
        ({"recipe": "mine", "policy": "commercial"}, "invalid_request", "recipe.steps.a.model"),
        ({"policy": "commercial"}, "invalid_request", "policy"),
        ({"recipe": "broken"}, "config_invalid", None),
        ({"recipe": "six_stems"}, "model_not_installed", "recipe.steps.voice.model"),
        (
            {"recipe": {"steps": {"a": {"model": "my_net"}}, "outputs": {"x": "b.y"}}},
            "invalid_request",
            "recipe.outputs.x",
        ),
    ],
)
def test_what_is_wrong_is_one_error_with_its_place(dsu, songs, tmp_path, fields, code, field):
    """And the worker goes on."""
    error = finish(dsu, input=str(songs / "short.wav"), output=str(tmp_path / "out"), **fields)
    assert (error["status"], error["code"], error.get("field")) == ("error", code, field)
    assert not (tmp_path / "out").exists()
    assert dsu.ask(cmd="ping")["status"] == "pong"


def test_an_error_while_it_runs_names_its_step(dsu, songs, tmp_path):
    """Here a stem that a model of one's own turns out not to have."""
    recipe = {"steps": {"a": {"model": "tiny"}}, "outputs": {"x": "a.horns"}}
    error = finish(dsu, input=str(songs / "short.wav"), output=str(tmp_path / "out"), recipe=recipe)
    assert (error["code"], error["step"]) == ("invalid_request", "a")


@pytest.mark.parametrize("until", ["loading_model", "separating", "progress"])
def test_a_recipe_is_cancelled_in_any_stage(dsu, songs, tmp_path, until):
    """Within a chunk, and nothing is left; the next job is not touched."""
    song = str(songs / "short.wav")
    dsu.send({"cmd": "separate", "id": 1, "input": song, "output": str(tmp_path / "out"), "recipe": RECIPE})
    dsu.send({"cmd": "separate", "id": 2, "input": song, "output": str(tmp_path / "next"), "recipe": "mine"})
    dsu.expect(until, id=1)
    dsu.send({"cmd": "cancel", "id": 1})
    assert dsu.expect("cancelled", "done", id=1)["status"] == "cancelled"
    assert not (tmp_path / "out").exists()
    assert dsu.expect("done", "error", id=2)["status"] == "done"
