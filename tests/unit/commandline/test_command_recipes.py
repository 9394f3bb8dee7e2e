"""`dsu recipe`, and `dsu separate --recipe`: what is printed, what is sent, and what is refused."""

import json

import pytest

from utils.commandline import dsu, recipes
from utils.core.replies import ModelDetails

MODELS = [
    ModelDetails(
        name=name,
        type="mdx23c",
        stems=["vocals", "other"],
        description="",
        installed=name == "there",
        size_bytes=5_000_000,
        sdr=None,
        license=licence,
    )
    for name, licence in (("there", "MIT"), ("missing", None))
]
MINE = "description: For trying.\nsteps: {a: {model: there}}\noutputs: {v: a.vocals}\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of recipes: one good, one with a model that nobody has, one that is no YAML."""
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(MINE.replace("there", "missing"), encoding="utf-8")
    (tmp_path / "strange.yaml").write_text(MINE.replace("there", "nobody_has_it"), encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    return tmp_path


def run(folder, *words):
    """The exit status of `dsu WORDS` with these models, and recipes in this folder."""

    def no_engine(settings):
        pytest.fail("an engine was started")

    return dsu.main([*words, "--recipes-dir", str(folder)], no_engine, lambda models_dir, repo: MODELS)


def test_a_list_leaves_out_what_cannot_run_and_says_why(folder, capsys):
    """An asterisk marks recipes whose models are installed."""
    assert run(folder, "recipe", "list") == 0
    out, err = capsys.readouterr()
    assert "* mine   For trying." in out
    assert "  other  For trying." in out
    assert "strange" not in out
    assert "`broken` is left out" in err
    assert "`strange` is left out" in err


def test_what_a_recipe_needs_is_shown(folder, capsys):
    """Its models with sizes and licences, as text or as JSON."""
    assert run(folder, "recipe", "show", "other") == 0
    assert "model      missing: not installed, 5.0 MB, licence not stated" in capsys.readouterr().out
    assert run(folder, "recipe", "show", "mine", "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["stems"], shown["commercial"]) == ("mine", ["v"], True)


def test_a_file_is_checked(folder, capsys):
    """By its path, wherever it is."""
    assert run(folder, "recipe", "check", str(folder / "mine.yaml")) == 0
    assert "nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("recipe", "check", "strange"), "needs the model `nobody_has_it`"),
        (("recipe", "check", "min"), "There is no recipe `min`"),
        (("recipe", "check", "other", "--policy", "commercial"), "nobody has stated its licence"),
        (("recipe", "show"), "needs a name"),
        (("recipe", "list", "mine"), "takes no names"),
        (("recipe", "cook"), "`list`, `show` and `check`, not `cook`"),
        (("separate", "--recipe", "mine", "-m", "there", "song.wav"), "give either --recipe or -m"),
        (("separate", "--recipe", "mine"), "Name at least one song"),
    ],
)
def test_what_is_wrong_is_said_without_an_engine(folder, words, part, capsys):
    """And the exit status tells."""
    assert run(folder, *words) != 0
    assert part in capsys.readouterr().err


def test_a_recipe_in_a_file_is_sent_as_it_is_written(folder):
    """One with a name by its name."""
    for name, sent in (("mine", "mine"), (str(folder / "mine.yaml"), {"description": "For trying."})):
        request = dsu.RECIPES.parse(["--recipe", name, "song.wav", "--resume"]).request
        assert request.recipe == sent if isinstance(sent, str) else sent.items() <= request.recipe.items()
        assert request.overwrite
    assert recipes.results(request, []).stems == ("v",)
