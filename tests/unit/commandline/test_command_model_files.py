"""`dsu models verify`, `remove` and `du`, and the import of one's own file: what is said, and the exit status."""

from pathlib import Path

import pytest

from tools.fixtures.networks import write_network
from utils.commandline import dsu, model_files
from utils.core.job import JobCancelled

PLAIN = "UVR-MDX-NET_Main_340.onnx"  # nothing is known of it but its name
NET = "demucs/955717e8-8726e21a.th"


@pytest.fixture
def run(capsys):
    """A command; the status, and what was said on stdout and stderr."""

    def run_one(command, *words):
        status = dsu.main(
            ["models", command, "--models-dir", "models", *words],
            lambda settings: pytest.fail("an engine was made"),
            lambda models_dir, repo: pytest.fail("models were listed"),
        )
        return status, *capsys.readouterr()

    return run_one


def put(path, content=b"anything"):
    path = Path("models", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_what_is_there_is_verified(run):
    """Damaged files make the status 1 and are told with the command that fetches them; what cannot be known is said."""
    put(NET)
    put(f"audio-separator/{PLAIN}")
    status, out, err = run("verify")
    lines = out.splitlines()
    assert (status, err) == (1, "")
    assert {tuple(line.split()[:2]) for line in lines[:-1] if not line.startswith(" ")} == {
        ("intact", "dsu_mini"),
        ("unknown", PLAIN),
        ("DAMAGED", "htdemucs"),
    }
    assert "has 8 bytes instead of 84141911" in out
    assert "delete it, then: dsu download htdemucs" in out
    assert lines[-1] == "3 files, 1 damaged"


def test_named_models_are_verified(run):
    """Only these, by any of their names; a model that is not there is an error."""
    status, out, _ = run("verify", "dsu_mini.safetensors")
    assert (status, out) == (0, "intact   dsu_mini  (SHA-256)\n1 file, 0 damaged\n")
    status, out, err = run("verify", "htdemucs")
    assert (status, out) == (1, "")
    assert "No files of these models are in" in err


def test_verifying_can_be_stopped(run, monkeypatch):
    """By a signal, which is then the status."""

    def stopped(*_):
        raise JobCancelled

    monkeypatch.setattr(model_files, "verified", stopped)
    status, out, err = run("verify")
    assert status < 0
    assert (out, err.strip()) == ("", "Stopped.")


def test_a_file_that_cannot_be_read(run, monkeypatch):
    """It does not stop the rest, and counts as damaged."""

    def unreadable(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(model_files, "verified", unreadable)
    status, out, _ = run("verify")
    assert status == 1
    assert "cannot be read: Permission denied" in out


def test_a_model_is_removed(run):
    """Its files go, and the folder stays; without a name nothing happens."""
    path = put(NET)
    assert run("remove")[0] == 2
    status, out, _ = run("remove", "--dry-run", "htdemucs")
    assert status == 0
    assert path.exists()
    assert out.splitlines() == [f"would go {path.absolute()}", "0.0 MB would be free again"]
    path.with_name(f"{path.name}.part").write_bytes(b"half")
    assert run("remove", "htdemucs.yaml")[0] == 0
    assert list(path.parent.iterdir()) == []
    status, _, err = run("remove", "htdemucs")
    assert status == 1
    assert "Nothing of `htdemucs` is in" in err


def test_what_stays_is_told_with_the_reason(run):
    """It is no mistake."""
    status, out, _ = run("remove", "dsu_mini")
    assert status == 0
    assert "(it comes with DSU)" in out
    assert "free again" not in out


def test_a_file_that_cannot_be_deleted(run, monkeypatch):
    """It makes the status 1."""

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    put(NET)
    monkeypatch.setattr(Path, "unlink", refuse)
    status, out, _ = run("remove", "htdemucs")
    assert status == 1
    assert "it cannot be deleted: Permission denied" in out


def test_ones_own_models_are_not_removed(run):
    """Their paths are told; a name that nobody has is a mistake."""
    for suffix in (".ckpt", ".yaml"):
        put(f"bsroformer/mine{suffix}")
    status, _, err = run("remove", "mine")
    assert status == 2
    assert "`mine` is your own model" in err
    assert str(Path("models/bsroformer/mine.yaml").absolute()) in err
    assert Path("models/bsroformer/mine.ckpt").exists()
    status, _, err = run("remove", "htdemuc")
    assert status == 1
    assert "Did you mean: htdemucs" in err


def test_what_takes_how_much_space(run):
    """The largest first: public models, one's own, and what is left of downloads. What comes with DSU is not in the sum."""
    put(NET, bytes(9_000_000))
    put("bsroformer/mine.ckpt", bytes(2_000_000))
    put("bsroformer/mine.yaml", bytes(1000))
    put("apollo/apollo.ckpt.part", bytes(1_000_000))
    status, out, _ = run("du")
    assert status == 0
    lines = [line.split(maxsplit=2) for line in out.splitlines()]
    assert [line[2] for line in lines[:-1]] == [
        "htdemucs",
        "dsu_mini (comes with DSU)",
        "mine (your own)",
        "apollo.ckpt.part (an unfinished download)",
    ]
    assert lines[2][:2] == ["2.0", "MB"]
    assert lines[-1][:2] == ["12.0", "MB"]
    assert lines[-1][2].startswith(f"together in {Path('models').absolute()}; ")


# A file of one's own -----------------------------------------------------------------------------------------------


def test_a_file_of_ones_own_is_filed(run):
    """With its configuration, which is a copy; the second time it is there already."""
    files = write_network(Path("theirs"), "scnet", name="mine")
    status, out, _ = run("import", str(files.checkpoint))
    assert status == 0
    assert out.splitlines()[0] == "mine.ckpt is your own scnet (vocals, other)."
    assert out.splitlines()[-1] == "Use it: dsu -m mine song.mp3"
    kept = Path("models/bsroformer")
    assert (kept / "mine.ckpt").samefile(files.checkpoint)
    assert not (kept / "mine.yaml").samefile(files.config)
    assert (kept / "mine.yaml").read_bytes() == files.config.read_bytes()
    assert run("import", str(files.checkpoint))[1].count("already there") == 2


def test_another_file_is_not_replaced(run):
    """Whoever has two of one name says which it is."""
    files = write_network(Path("theirs"), "scnet", name="mine")
    path = put("bsroformer/mine.ckpt")
    status, _, err = run("import", str(files.checkpoint))
    assert status == 2
    assert "There is another" in err
    assert path.read_bytes() == b"anything"


def test_a_dry_run_files_nothing(run):
    """It says what the file is."""
    files = write_network(Path("theirs"), "scnet", name="mine")
    status, out, _ = run("import", "--dry-run", str(files.checkpoint))
    assert status == 0
    assert "would be imported: " in out
    assert not Path("models").exists()


def test_a_known_file_is_imported_like_a_folder(run):
    """By its name, or by its hash."""
    Path(PLAIN).write_bytes(b"anything")
    status, out, _ = run("import", PLAIN)
    assert status == 0
    assert out.startswith("linked (1)")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "nowhere.yaml", "mine.ckpt"], "There is no configuration `nowhere.yaml`."),
        (["--like", "htdemucs", "."], "--config and --like are for one FILE."),
        (["--like", "scnet_small", "mine.ckpt", "b.wav"], "--config and --like are for one FILE."),
        (["nothing.ckpt"], "There is no file or folder `nothing.ckpt`."),
        (["mine.yaml"], "`mine.yaml` is no file with weights."),
    ],
)
def test_mistakes_of_an_import(run, words, said):
    """They are told, and nothing is filed."""
    for name in ("mine.ckpt", "mine.yaml"):
        Path(name).write_bytes(b"anything")
    status, out, err = run("import", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert not Path("models").exists()
