"""Recipes as documents: what can be said in one, and the one clear error for everything else."""

from pathlib import Path

import pytest

from utils.core.errors import DsuError, InvalidRequest, UnknownModel
from utils.core.recipe_checks import check_recipe, stems_of
from utils.core.recipes import MOST_STEPS, EnsembleStep, ModelStep, ResidualStep, read_recipe
from utils.core.requests import AudioSeparatorSeparate, AudioSepSeparate, DemucsSeparate, NetworkSeparate
from utils.store.listing import list_models

MODELS = list_models("dsu", Path("no such folder"))
VOICE = {"model": "vocals_melband"}
REST = {"model": "htdemucs", "input": "voice.instrumental", "shifts": 2}
LEFT = {"residual": ["voice", "band.drums"]}
RECIPE = {
    "steps": {"band": REST, "voice": VOICE, "left": LEFT},
    "outputs": {"vocals": "voice", "drums": {"from": "band.drums", "format": "flac"}, "other": "left"},
    "sums_to_mix": True,
}


def checked(content=RECIPE, policy=None, **fields):
    return check_recipe(read_recipe({**content, **fields}, "mine"), MODELS, policy=policy)


def with_steps(**steps):
    return {"steps": {**RECIPE["steps"], **steps}}


def test_steps_come_in_the_order_in_which_they_can_run():
    """Each after those it reads, whatever the order in the document."""
    recipe = checked().recipe
    assert list(recipe.steps) == ["voice", "band", "left"]
    assert isinstance(recipe.steps["voice"], ModelStep)
    assert recipe.steps["left"] == ResidualStep(residual=["voice", "band.drums"])
    assert recipe.outputs["drums"].format == "flac"


def test_steps_may_be_a_list():
    """An object with names and a list with `name` mean the same."""
    listed = [{"name": name, **step} for name, step in RECIPE["steps"].items()]
    found = checked(steps=listed).recipe
    assert (found.steps, found.outputs) == (checked().recipe.steps, checked().recipe.outputs)


def test_a_step_that_nothing_needs_is_left_out():
    """It costs nothing, and is known."""
    recipe = checked(**with_steps(spare={"model": "htdemucs_ft"})).recipe
    assert "spare" not in recipe.steps
    assert recipe.unused == ("spare",)


def test_options_are_those_of_the_models_family():
    """Each step gets the request of its family, with its options."""
    steps = {
        "a": {"model": "vocals_melband", "overlap": 4.0},
        "b": {"model": "htdemucs", "shifts": 3},
        "c": {"model": "2_HP-UVR.pth", "vr_aggression": 10},
        "d": {"model": "audiosep_base", "texts": ["a dog", "rain."]},
        "e": {"model": "mine", "repo": "folder"},
        "f": {"model_path": "a.ckpt", "config_path": "a.yaml"},
    }
    outputs = {"a": "a", "b": "b.drums", "c": "c.Vocals", "d": "d.rain.", "e": "e.x", "f": "f.x"}
    uses = checked(steps=steps, outputs=outputs, sums_to_mix=False).uses
    kinds = [NetworkSeparate, DemucsSeparate, AudioSeparatorSeparate, AudioSepSeparate, DemucsSeparate, NetworkSeparate]
    assert [type(use.request) for use in uses.values()] == kinds
    assert uses["a"].request.overlap == 4
    assert uses["b"].request.shifts == 3
    assert [uses[step].stems is None for step in "abcdef"] == [False, False, False, False, True, True]


@pytest.mark.parametrize(
    ("steps", "field", "part"),
    [
        ({"voice": {"model": "vocals_melbnd"}}, "steps.voice.model", "Did you mean: vocals_melband"),
        ({"voice": {**VOICE, "overlp": 2}}, "steps.voice.overlp", "Did you mean: overlap"),
        ({"voice": {**VOICE, "overlap": "wide"}}, "steps.voice.overlap", "a whole number, not a string"),
        ({"voice": {**VOICE, "overlap": 99}}, "steps.voice.overlap", "at most 50"),
        ({"voice": {**VOICE, "quality": "god"}}, "steps.voice.quality", "one of fast, balanced, best"),
        ({"voice": {**VOICE, "output": "x"}}, "steps.voice.output", "cannot set `output`"),
        ({"voice": {**VOICE, "family": "x"}}, "steps.voice.family", "must be one of networks"),
        ({"voice": {**VOICE, "family": ["x"]}}, "steps.voice.family", "must be one of networks"),
        ({"voice": {**VOICE, "input": "band.drums"}}, "steps.voice.input", "`band` ← `voice` ← `band`"),
        ({"voice": {**VOICE, "input": "voice"}}, "steps.voice.input", "`voice` ← `voice`"),
        ({"voice": {**VOICE, "input": "mix.left"}}, "steps.voice.input", "the mix has no stems"),
        ({"band": {**REST, "input": "voices"}}, "steps.band.input", "no step `voices`. Did you mean: voice"),
        ({"band": {**REST, "input": "voice."}}, "steps.band.input", "name of the stem is missing"),
        ({"band": {**REST, "input": "voice.drums"}}, "steps.band.input", "it has vocals, instrumental, rest"),
        ({"left": {"residual": ["band"]}}, "steps.left.residual", "has several stems: drums, bass"),
        ({"left": {"residual": []}}, "steps.left.residual", "at least 1"),
        ({"left": {"residual": "band.drums"}}, "steps.left.residual", "a list, not a string"),
        ({"left": {"sum": ["mix"]}}, "steps.left.sum", "at least 2"),
        ({"left": {}}, "steps.left", "it has none"),
        ({"left": {"sum": ["mix", "mix"], "model": "x"}}, "steps.left", "it has `model` and `sum`"),
        ({"left": {"gain": "voice", "db": 900}}, "steps.left.db", "at most 60"),
        ({"left": {"gain": "voice"}}, "steps.left.db", "`db` is missing"),
        ({"left": {"gain": "voice", "db": 1, "to": 2}}, "steps.left.to", "`left` has no `to`"),
        ({"left": {"bands": ["mix", "voice"], "at_hz": []}}, "steps.left.at_hz", "at least 1"),
        ({"left": {"bands": ["mix", "voice"], "at_hz": [1, 2]}}, "steps.left.at_hz", "that is 1, rising"),
        ({"left": {"bands": ["mix", "voice", "mix"], "at_hz": [9, 2]}}, "steps.left.at_hz", "rising"),
        ({"left": {"phase_fix": "mix", "phase_of": "voice", "low_hz": 6000}}, "steps.left.low_hz", "below `high_hz`"),
        ({"left": {"ensemble": ["mix", "voice"], "algorithm": "x"}}, "steps.left.algorithm", "one of avg_wave"),
        ({"left": {"ensemble": ["mix", "voice"], "weights": [1]}}, "steps.left.weights", "2 numbers"),
        ({"left": {"ensemble": ["mix", "voice"], "weights": [0, 0]}}, "steps.left.weights", "above 0"),
        (
            {"left": {"ensemble": ["mix", "voice"], "weights": [1, 1], "algorithm": "max_fft"}},
            "steps.left.weights",
            "Only averages",
        ),
        ({"left": {"ensemble": ["band", "band"], "weights": {"horns": [1, 1]}}}, "steps.left.weights", "names `horns`"),
        ({"left": {"ensemble": ["band", "mix"]}}, "steps.left.ensemble", "several stems"),
        ({"left": {"gain": "voice", "db": float("nan")}}, "steps.left.db", "a finite number"),
        ({"left": {"ensemble": ["mix", "voice"], "weights": [float("inf"), 1]}}, "steps.left.weights", "finite"),
        ({"voice": {**VOICE, "chunk_seconds": float("nan")}}, "steps.voice.chunk_seconds", "finite"),
        ({"mix": VOICE}, "steps.mix", "is not `mix`"),
        ({"a.b": VOICE}, "steps.a.b", "letters, digits"),
    ],
)
def test_what_is_wrong_with_a_step_is_said_with_its_place(steps, field, part):
    """Before any model is loaded, with the field and what could stand there."""
    with pytest.raises(DsuError) as caught:
        checked(**with_steps(**steps), sums_to_mix=False, outputs={"all": "left", "vocals": "voice", "d": "band.drums"})
    assert caught.value.field == f"recipe.{field}"
    assert part in caught.value.message
    assert isinstance(caught.value, InvalidRequest | UnknownModel)


@pytest.mark.parametrize(
    ("fields", "field", "part"),
    [
        ({"outputs": {"a": "nothing"}}, "outputs.a", "no step `nothing`"),
        ({"outputs": {"a": "band"}}, "outputs.a", "several stems"),
        ({"outputs": {"a": "band.x"}}, "outputs.a", "no stem `x`"),
        ({"outputs": {"a": "voice", "A": "mix"}}, "outputs.A", "the same file"),
        ({"outputs": {"a": "voice", "b": {"from": "mix", "file": "A"}}}, "outputs.b", "the same file"),
        ({"outputs": {" ": "voice"}}, "outputs", "empty"),
        ({"outputs": {"a": {"from": "voice", "format": "x"}}}, "outputs.a.format", "wav"),
        ({"outputs": {"a": {"from": "voice", "format": "mka"}}}, "outputs.a.format", "all outputs in one file"),
        ({"outputs": {}}, "outputs", "at least 1"),
        ({"outputs": {"vocals": "voice", "other": "left"}}, "sums_to_mix", "exactly the other outputs"),
        ({"outputs": {"a\x1b[2J": "voice"}}, "outputs", "cannot be shown"),
        ({"outputs": {"The mix": "voice"}}, "outputs.The mix", "what reports call the song"),
        ({"outputs": {0: "voice"}}, "outputs", "`0` is a name"),
        ({"description": "\x1b[2J"}, "description", "cannot be shown"),
        ({"steps": {1: VOICE}}, "steps", "`1` is a name"),
        ({"steps": {}}, "steps", "at least 1"),
        ({"steps": 3}, "steps", "not a whole number"),
        ({"steps": {"a": 3}}, "steps.a", "an object whose names are strings, not a whole number"),
        ({"steps": [{1: 2}]}, "steps.0", "names are strings"),
        ({"outputs": {"a": 3}}, "outputs.a", "a string or an object"),
        ({"steps": [VOICE]}, "steps.0", "needs a name"),
        ({"steps": [{"name": "a", **VOICE}] * 2}, "steps.1", "Two steps"),
        ({"steps": {f"s{number}": VOICE for number in range(MOST_STEPS + 1)}}, "steps", "at most 32"),
        ({"colour": 1}, "colour", "has no `colour`"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_its_place(fields, field, part):
    """The same for outputs and for the whole."""
    with pytest.raises(InvalidRequest) as caught:
        checked(**{"sums_to_mix": field == "sums_to_mix", **fields})
    assert caught.value.field == f"recipe.{field}"
    assert part in caught.value.message


@pytest.mark.parametrize("content", [None, [], "vocals", 3])
def test_what_is_no_object_is_no_recipe(content):
    """Whatever a file holds."""
    with pytest.raises(InvalidRequest, match="`steps` and `outputs`"):
        read_recipe(content, "mine")


def test_an_ensemble_of_whole_steps_has_the_stems_that_they_share():
    """In the order and the spelling of the first."""
    steps = {
        "four": {"model": "mdx23c_4stem"},
        "six": {"model": "htdemucs_6s"},
        "both": {"ensemble": ["four", "six"], "weights": {"vocals": [2, 1]}},
    }
    found = checked(steps=steps, outputs={"vocals": "both.vocals"}, sums_to_mix=False)
    assert isinstance(found.recipe.steps["both"], EnsembleStep)
    assert stems_of(found, "both") == ("vocals", "bass", "drums", "other")


def test_an_ensemble_of_whole_steps_needs_a_common_stem():
    """Otherwise there is nothing to combine."""
    steps = {
        "band": {"model": "htdemucs"},
        "kit": {"model": "drumsep_mdx23c_jarredou", "input": "band.drums"},
        "both": {"ensemble": ["band", "kit"]},
    }
    with pytest.raises(InvalidRequest, match="no stem in common"):
        checked(steps=steps, outputs={"x": "both.kick"}, sums_to_mix=False)


@pytest.mark.parametrize("key", ["sum", "ensemble"])
def test_a_recipe_is_checked_in_no_time_however_often_its_steps_are_named(key):
    """Each step is looked at once, though the ways to it are more than can be counted."""
    steps = {"s0": {"model": "mdx23c_4stem"}, "s1": {key: ["s0.vocals"] * 16 if key == "sum" else ["s0"] * 16}}
    steps |= {f"s{number}": {key: [f"s{number - 1}"] * 16} for number in range(2, 31)}
    last = "s30" if key == "sum" else "s30.vocals"
    assert len(checked(steps=steps, outputs={"x": last}, sums_to_mix=False).recipe.steps) == 31


def test_licences_are_those_of_the_models():
    """A recipe names them; the policy `commercial` refuses a model that does not allow it, or of which nobody knows."""
    assert checked().licences == {"vocals_melband": "MIT", "htdemucs": "MIT"}
    assert checked(policy="commercial").is_commercial
    for model, said in (("becruily_deux", "its licence is CC-BY-NC-4.0"), ("kim_ft", "nobody has stated")):
        steps = with_steps(voice={"model": model}, left={"residual": ["voice.vocals", "band.drums"]})
        steps |= {"outputs": {"other": "left"}, "sums_to_mix": False}
        assert not checked(**steps).is_commercial
        with pytest.raises(InvalidRequest, match=said) as caught:
            checked(**steps, policy="commercial")
        assert caught.value.field == "recipe.steps.voice.model"


def test_the_licence_of_ones_own_files_is_not_known():
    """A file may be anybody's, even one with the name of a public model."""
    steps = with_steps(voice={"model_path": "a.ckpt", "config_path": "a.yaml"}, left={"sum": ["voice.x", "mix"]})
    fields = {**steps, "outputs": {"a": "left"}, "sums_to_mix": False}
    assert checked(**fields).licences == {"a.ckpt": None}
    with pytest.raises(InvalidRequest, match="nobody has stated"):
        checked(**fields, policy="commercial")
