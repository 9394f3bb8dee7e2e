"""The script for Max: its own tests, and that `npm install` joins it to the Node.js client without any network."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from node_runtime import program, run

from utils import __version__

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "clients" / "max"
CLIENT = ROOT / "clients" / "node"


@pytest.mark.e2e
@pytest.mark.parametrize("path", sorted(SCRIPT.glob("test/*.test.js")), ids=lambda path: path.name)
def test_the_script_passes_its_own_tests(node, path, worker_dir):
    """With a stand-in for Max: against a worker that misbehaves, and against real ones; and the help patch is whole."""
    env = {"DSU_TEST_DIR": str(worker_dir)} if worker_dir else {"DSU_TEST_PYTHON": sys.executable}
    done = run(node, "--test", path, cwd=SCRIPT, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_has_the_version_of_the_workers_and_one_dependency():
    """One version, in npm's file too, and nothing that would have to be fetched."""
    package = json.loads((SCRIPT / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    assert package["dependencies"] == {"dsu-client": "file:../node"}


def test_the_script_is_installed_from_the_folder_beside_it(node, tmp_path):
    """`npm install` needs no network, leaves no lock file, and then the script finds the client."""
    for folder in (SCRIPT, CLIENT):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("node_modules", "test"))
    installed = run(program("npm"), "install", "--offline", cwd=tmp_path / "max")
    assert installed.returncode == 0, installed.stderr
    assert not (tmp_path / "max" / "package-lock.json").exists()
    handlers = "addHandlers: (all) => console.log(Object.keys(all).length)"
    stand_in = f"module.exports = {{ MESSAGE_TYPES: {{ ALL: 'all' }}, {handlers} }};"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "max-api.js").write_text(stand_in, encoding="utf-8")
    done = run(node, "dsu.js", cwd=tmp_path / "max", env={"NODE_PATH": str(tmp_path / "modules")})
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1
