"""The Python client as a package: generated files, version, finding programs, and the examples of its README."""

import re
import subprocess
import sys
import tomllib

import dsu_client
import pytest
import soundfile
from dsu_client import CLIENT_CODES, DSUError, WorkerError, find_program
from dsu_client.client import DSU, AsyncDSU
from dsu_client.errors import CLASSES, error_of
from dsu_client.protocol import ENDS, FAMILIES
from python_workers import RATE, ROOT, song

from clients.python import generate_protocol
from utils import __version__
from workers import WORKERS

CLIENT = ROOT / "clients" / "python"
README = (CLIENT / "README.md").read_text(encoding="utf-8")


def test_the_protocol_is_that_of_the_workers():
    """What is generated from it is fresh."""
    stale = [path.name for path, text in generate_protocol.render().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "`python -m clients.python.generate_protocol` writes them anew"


def test_a_stale_module_is_noticed(tmp_path, monkeypatch, capsys):
    """`--check` writes nothing, names what is stale and answers with 1; without it the files are written."""
    target = tmp_path / "protocol.py"
    monkeypatch.setattr(generate_protocol, "render", lambda: {target: "new = 1\n"})
    assert generate_protocol.main(["--check"]) == 1
    assert "protocol.py is stale" in capsys.readouterr().err
    assert not target.exists()
    assert generate_protocol.main([]) == 0
    assert generate_protocol.main(["--check"]) == 0


def test_every_command_can_be_called():
    """By a method of both clients, generated or written by hand."""
    names = [generate_protocol.OWN_METHODS.get(name, name) for name in ENDS]
    assert [name for name in names if not (hasattr(DSU, name) and hasattr(AsyncDSU, name))] == []


def test_every_code_has_a_class():
    """One that exists, also for codes of later versions."""
    for code, family in FAMILIES.items():
        assert type(error_of({"status": "error", "code": code, "message": "No."})) is CLASSES[family]
    assert type(error_of({"status": "error", "code": "new", "message": "No."})) is DSUError


def test_the_distribution_has_the_version_of_the_workers():
    """One version, no dependency, and every package is in it."""
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == __version__
    assert "dependencies" not in project["project"]
    folders = {path.parent.relative_to(CLIENT).as_posix() for path in CLIENT.glob("dsu_client/**/__init__.py")}
    assert {name.replace(".", "/") for name in project["tool"]["setuptools"]["packages"]} == folders
    assert (CLIENT / "dsu_client" / "py.typed").is_file()


def test_the_readme_names_every_error_and_worker():
    """What can be imported and go wrong is in the README."""
    words = [*CLIENT_CODES, *(name for name in dsu_client.__all__ if name[0].isupper() and name != "CLIENT_CODES")]
    assert [word for word in [*words, *WORKERS] if word not in README] == []


def place(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("", encoding="utf-8")
        (folder / file).chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="executables have another ending")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["dsu"], ["dsu"]),
        (["dist/dsu/dsu"], ["dist/dsu/dsu"]),
        (["workers/dsu_worker.py", ".venv/bin/python"], [".venv/bin/python", "-I", "workers/dsu_worker.py"]),
    ],
)
def test_programs_are_found_in_a_folder(tmp_path, monkeypatch, files, expected):
    """Named, or by DSU_HOME: frozen, built, or a checkout, whose script runs isolated."""
    folder = place(tmp_path, *files)
    words = [word if word == "-I" else str(folder / word) for word in expected]
    assert find_program("dsu", folder) == words
    monkeypatch.setenv("DSU_HOME", str(folder))
    assert find_program("dsu") == words


@pytest.mark.skipif(sys.platform == "win32", reason="executables have another ending")
def test_programs_are_found_on_the_path(tmp_path, monkeypatch):
    """Where no folder has them."""
    monkeypatch.setattr("dsu_client.locate.usual_folders", lambda: iter(()))
    monkeypatch.setenv("PATH", str(place(tmp_path, "dsu")))
    assert find_program("dsu") == [str(tmp_path / "dsu")]


@pytest.mark.parametrize(
    ("files", "kind", "says"),
    [([], "dsu", "DSU_HOME"), (["workers/dsu_worker.py"], "dsu", "run.py demo"), ([], "spleeter", "The workers are")],
)
def test_a_program_that_is_missing_says_what_to_do(tmp_path, files, kind, says):
    """Each case with its own advice."""
    with pytest.raises(WorkerError, match=re.escape(says)) as caught:
        find_program(kind, place(tmp_path, *files))
    assert caught.value.code == "worker_not_found"


@pytest.mark.e2e
@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_examples_of_the_readme_run(tmp_path, code):
    """As they stand, beside a song, with a client that is only on the path."""
    soundfile.write(tmp_path / "song.wav", song().T, RATE)
    start = f"import os, sys\nos.environ['DSU_OFFLINE'] = '1'\nsys.path.insert(0, {str(CLIENT)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_samples_without_numpy_are_arrays(tmp_path):
    """Written and read back by the standard library alone."""
    code = f"""
import sys
sys.modules["numpy"] = None
sys.path.insert(0, {str(CLIENT)!r})
from array import array
from pathlib import Path
from dsu_client.audio import read_wav, write_wav
song = [array("f", [0.0, 0.5, -2.0]), array("f", [1.0, 0.25, 0.0])]
write_wav(Path("song.wav"), song, 8000)
assert read_wav(Path("song.wav")) == (song, 8000)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "song.wav").subtype == "FLOAT"
