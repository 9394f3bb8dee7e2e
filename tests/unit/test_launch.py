"""What all worker scripts share: which side of a program runs, and what it is given."""

import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools.freeze import contents
from utils.core import bootstrap
from utils.core.settings import Settings
from workers import WORKERS, launch

ROOT = Path(__file__).resolve().parents[2]


# All networks are built without weights, as they are before a checkpoint is read.
BUILD_ALL = """
import sys
from pathlib import Path
from utils.core.settings import Settings
from workers.launch import make_engine
make_engine("dsu", Settings(models_dir=Path("none"), device="cpu"))
from models.architectures import OWN, network_class, params_class
from utils.engine.backends.torch import without_data
with without_data():
    for kind in OWN:
        network_class(kind)(params_class(kind).tiny())
print(*sys.modules)
"""


@pytest.fixture(params=WORKERS.values(), ids=lambda worker: worker.name)
def worker(request):
    return request.param


@pytest.fixture(autouse=True)
def as_it_is(monkeypatch):
    """This process is not prepared for anything."""
    monkeypatch.setattr(bootstrap, "prepare_process", lambda: None)


def test_a_script_is_named_after_its_row(worker):
    """It exists, and starts its own program."""
    text = (ROOT / worker.script).read_text(encoding="utf-8")
    key = next(key for key, row in WORKERS.items() if row == worker)
    assert f'main(WORKERS["{key}"], sys.argv[1:])' in text


def test_modules_named_in_the_table_are_frozen(worker):
    """The finder of the build does not see them, but takes all modules of our packages."""
    assert worker.command_line.partition(".")[0] in contents.OWN_PACKAGES
    assert (ROOT / worker.command_line.replace(".", "/")).with_suffix(".py").is_file()


def test_worker_mode_serves(monkeypatch, worker):
    """With the names of this program's models."""
    seen = {}

    def run_worker(row, argv, make_engine, list_names):
        seen.update(row=row, argv=argv, names=list_names(Path("/nothing")))
        return 7

    monkeypatch.setattr("utils.serving.entry.run_worker", run_worker)
    assert launch.main(worker, ["--worker", "--offline"]) == 7
    assert (seen["row"], seen["argv"]) == (worker, ["--worker", "--offline"])
    assert seen["names"] == [model.name for model in launch.list_models(worker.name, Path("/nothing"))]


def test_no_network_needs_the_kernels_that_are_left_out():
    """They cost a quarter of the time that torch takes to start."""
    done = subprocess.run([sys.executable, "-c", BUILD_ALL], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "torch" in modules
    assert not modules & {"torch._meta_registrations", "torch._prims", "torch._refs", "torch._decomp"}


def test_a_catalogue_is_for_the_batch(monkeypatch):
    """The word is that of a command, as the protocol has one; a song of that name goes after `separate`."""
    monkeypatch.setattr("utils.cluster.program.main", len)
    assert launch.main(WORKERS["dsu"], ["batch", "songs", "-o", "out"]) == 3


def test_dsu_serves_by_a_word(monkeypatch):
    """Others might have a song of that name."""
    monkeypatch.setattr("utils.serving.entry.run_worker", lambda row, argv, *_: argv)
    assert launch.main(WORKERS["dsu"], ["worker", "--offline"]) == ["--worker", "--offline"]
    assert launch.main(WORKERS["demucs"], ["worker", "--version"]) == 0


def test_without_worker_mode_people_are_answered(worker, capsys):
    """By the command line that the table names."""
    assert launch.main(worker, ["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"{worker.name} ")


def test_the_engine_is_the_program_s_own(monkeypatch, worker, tmp_path):
    """It runs on as many threads as numerical libraries were told to start."""
    for name in (*bootstrap.THREAD_VARIABLES, "KMP_BLOCKTIME", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "1")  # so that they are reset afterwards
    engine = launch.make_engine(worker.name, Settings(models_dir=tmp_path, threads=1))
    assert engine.health().threads == 1
    assert engine.ping().model_loaded is None


@pytest.mark.parametrize("flag", ["--version", "--list-models", "--help"])
def test_answers_for_people_import_no_torch(worker, flag):
    """Nor numpy: they come at once."""
    code = (
        "import sys\nfrom workers import WORKERS, launch\n"
        f"row = next(row for row in WORKERS.values() if row.name == {worker.name!r})\n"
        f"status = launch.main(row, [{flag!r}])\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stage", ["import_module", "main"])
def test_ctrl_c_before_there_is_a_job_is_no_traceback(monkeypatch, worker, stage):
    """While modules or the engine are still imported; the process ends by the signal."""

    def interrupted(*_):
        raise KeyboardInterrupt

    line = types.SimpleNamespace(main=interrupted)
    monkeypatch.setattr(launch.importlib, "import_module", interrupted if stage == "import_module" else lambda _: line)
    monkeypatch.setattr(bootstrap, "end", lambda program, status: status)
    assert launch.main(worker, ["song.wav"]) == -signal.SIGINT
