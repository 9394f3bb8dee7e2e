"""`dsu models import`: what is said, and the exit status."""

from pathlib import Path

import pytest

from utils.commandline import dsu, model_import
from utils.core.job import JobCancelled

PLAIN = "UVR-MDX-NET_Main_340.onnx"  # nothing is known of it but its name
SIZED = "955717e8-8726e21a.th"
MEMBER = "c511e2ab-fe698775.th"  # of the bag mdx
MEMBER_SHA256 = "fe6987756a7087d339bf63b19bb481b12cea02d3bc0de7583df7597210209649"


@pytest.fixture
def run(capsys):
    """Import; the status, and what was said on stdout and stderr."""

    def run_one(*words):
        status = dsu.main(
            ["models", "import", "--models-dir", "models", *words],
            lambda settings: pytest.fail("an engine was made"),
            lambda models_dir, repo: pytest.fail("models were listed"),
        )
        return status, *capsys.readouterr()

    return run_one


def put(path, content=b"anything"):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_what_is_known_is_linked_and_told(run):
    """With its name, its size, what could be checked, and which models are ready."""
    put(f"uvr/MDX_Net_Models/{PLAIN}")
    status, out, err = run("uvr")
    assert (status, err) == (0, "")
    assert Path("models/audio-separator", PLAIN).samefile(f"uvr/MDX_Net_Models/{PLAIN}")
    first, line, ready, last = out.splitlines()
    assert first == "linked (1)"
    assert line.split()[0] == PLAIN
    assert "only its name could be checked" in line
    assert ready == f"Ready: {PLAIN}"
    assert last == f"1 linked; the models directory is {Path('models').absolute()}"


def test_a_second_import_has_nothing_to_do(run):
    """That is success."""
    put(f"uvr/{PLAIN}")
    run("uvr", "--copy")
    status, out, _ = run("uvr")
    assert status == 0
    assert out.splitlines()[-1].startswith("1 already there; ")


def test_a_dry_run_brings_nothing(run):
    """It says what would be done."""
    put(f"uvr/{PLAIN}")
    status, out, _ = run("uvr", "--dry-run")
    assert status == 0
    assert out.splitlines()[0] == "would be imported (1)"
    assert not Path("models").exists()


def test_a_copy_is_a_file_of_its_own(run):
    """With --copy."""
    put(f"uvr/{PLAIN}")
    assert run("uvr", "--copy")[0] == 0
    assert not Path("models/audio-separator", PLAIN).samefile(f"uvr/{PLAIN}")


def test_a_wrong_file_is_told_with_what_to_do(run):
    """It makes the status 1, and the rest is brought in all the same."""
    put(f"uvr/{SIZED}")
    put(f"uvr/{PLAIN}")
    put("uvr/mine.ckpt")
    status, out, _ = run("uvr")
    assert status == 1
    assert f"uvr/{SIZED} has 8 bytes instead of 84141911" in out
    assert "dsu download htdemucs" in out
    assert "not known (1)" in out
    assert out.splitlines()[-1].startswith("1 linked, 1 not usable, 1 not known; ")


def test_a_bag_without_all_its_networks_is_told(run, monkeypatch):
    """With the command that fetches the rest."""
    put(f"hub/{MEMBER}")
    monkeypatch.setattr("utils.store.model_import.remembered_sha256", lambda path, tick: MEMBER_SHA256)
    status, out, _ = run("hub")
    assert status == 0
    assert "mdx still lacks 0d19c1c6-0f06f20e.th, 7ecf8ec1-70f50cc9.th, 7d865c68-3d5dd56b.th: dsu download mdx" in out


def test_a_folder_without_models_and_one_that_does_not_exist(run):
    """The first is worth a status; the second is a mistake in what was typed."""
    Path("empty").mkdir()
    assert run("empty")[:2] == (1, "There are no model files in that folder.\n")
    status, out, err = run("nowhere")
    assert (status, out) == (2, "")
    assert err == "dsu models import: There is no file or folder `nowhere`.\n"


def test_without_a_folder_the_usual_places_are_looked_into(run, monkeypatch):
    """What they have is told with the command that brings it in, and nothing is."""
    put(f"uvr/{PLAIN}")
    monkeypatch.setattr(model_import, "usual_places", lambda: [Path("uvr")])
    status, out, _ = run()
    assert status == 0
    assert out == 'uvr: 1 file of models that are not installed (0.0 MB)\n  dsu models import "uvr"\n'
    run("uvr")
    status, out, _ = run()
    assert status == 1
    assert "Name a folder" in out


def test_a_place_with_too_many_files_is_said_to_be_one(run, monkeypatch):
    """So that nobody takes what was found for all."""
    put(f"uvr/{PLAIN}")
    monkeypatch.setattr("utils.store.model_import.MOST_ENTRIES", 0)
    assert "only these were looked at" in run("uvr")[2]


def test_it_can_be_stopped(run, monkeypatch):
    """By a signal, which is then the status."""

    def stopped(*_):
        raise JobCancelled

    put(f"uvr/{PLAIN}")
    monkeypatch.setattr(model_import, "candidates", stopped)
    status, out, err = run("uvr")
    assert status < 0
    assert out == ""
    assert err.startswith("Stopped.")
