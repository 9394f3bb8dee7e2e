"""The commands of `run.py`: which program each of them starts. Nothing is installed or started here."""

import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import build_dsu
import run
import tools.lock
from workers import WORKERS

PYTHON = Path("/venv/python")
MAKE_PAGE = run.make_page


@pytest.fixture
def started(monkeypatch):
    """The command lines that would have been run, with their folders, each after the set-up before it."""
    seen = []

    def set_up(flavor=None, *, dev=False, build=False, studio=False, docs=False, batch=False):
        seen.append(
            (
                "set_up",
                flavor,
                "build" if build else "studio" if studio else "docs" if docs else "batch" if batch else dev,
            )
        )
        return PYTHON

    def run_openly(argv, cwd=None):
        seen.append(([str(word) for word in argv[1:]], cwd))
        return 7

    monkeypatch.setattr(run, "set_up", set_up)
    monkeypatch.setattr(run, "run_openly", run_openly)
    monkeypatch.setattr(run, "make_page", lambda: True)
    return seen


def test_demo_runs_inside_the_environment(started):
    """`demo` needs only the workers' packages, and writes to ./demo."""
    assert run.main(["demo"]) == 7
    assert started == [("set_up", None, False), (["-m", "tools.demo", "--output", str(run.ROOT / "demo")], run.ROOT)]


def test_demo_resolves_a_song_from_the_current_folder(started, monkeypatch, tmp_path):
    """A relative path is relative to the user's folder, not the project's."""
    monkeypatch.chdir(tmp_path)
    run.main(["demo", "song.wav", "--flavor", "cuda", "--open"])
    assert started[0] == ("set_up", "cuda", False)
    assert started[1][0][-2:] == ["--open", str(tmp_path / "song.wav")]


def test_test_passes_its_arguments_to_pytest(started):
    """Everything after `test` except our own flavor goes to pytest, whose exit status is returned."""
    assert run.main(["test", "tests/unit", "-k", "job", "--flavor=cpu", "-x"]) == 7
    assert started == [("set_up", "cpu", True), (["-m", "pytest", "tests/unit", "-k", "job", "-x"], run.ROOT)]


def test_the_help_of_build_and_the_readme_name_every_flavor():
    """And no other."""
    listed = run.help_of("build").partition("computes on: ")[2].partition("(default")[0]
    assert set(re.findall(r"[a-z-]+", listed)) - {"or"} == run.FLAVORS.keys()
    table = (run.ROOT / "README.md").read_text(encoding="utf-8").partition("| flavour |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\S+)`", table, re.MULTILINE)) == run.FLAVORS.keys()


def test_tests_of_a_device_run_alone(started):
    """One after another: they measure the memory of the device that they name."""
    run.main(["test", "--device", "cuda:1", "-x"])
    assert started[1][0] == ["-m", "pytest", "--device", "cuda:1", "-x", "tests/device"]


def test_frozen_tests_run_on_the_frozen_folder(started, monkeypatch, tmp_path):
    """The end-to-end tests and those of the folder itself; other arguments go to pytest."""
    monkeypatch.setattr(run, "FROZEN", tmp_path)
    (tmp_path / "VERSION.txt").touch()
    run.main(["test", "--frozen", "-x"])
    tests = ["-x", "tests/e2e", "tests/frozen", "--worker-dir", str(tmp_path)]
    assert started[1][0] == ["-m", "pytest", *run.in_parallel(), *tests]


def test_frozen_tests_need_a_frozen_folder(started, monkeypatch, tmp_path, capsys):
    """Without one nothing is tested, and the message says how to build it."""
    monkeypatch.setattr(run, "FROZEN", tmp_path)
    assert run.main(["test", "--frozen"]) == 1
    assert "run.py build" in capsys.readouterr().err
    assert started == []


def test_browser_tests_run_in_the_browser_that_there_is(started, monkeypatch, capsys):
    """The first of those that are known; without one nothing is tested, and the message says what to install."""
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/bin/{name}" if name == "google-chrome" else None)
    run.main(["test", "--browser", "-x"])
    assert started[1][0][-4:] == ["-x", "tests/browser", "--browser", "/bin/google-chrome"]
    started.clear()
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    assert run.main(["test", "--browser"]) == 1
    assert "apt install chromium" in capsys.readouterr().err
    assert started == []


@pytest.fixture
def record(monkeypatch):
    """The folder in which long tests write down what they try, and no fuzzer to install."""
    monkeypatch.setattr(run, "install_fuzzer", lambda python: None)
    monkeypatch.setattr(run.tempfile, "TemporaryDirectory", lambda: nullcontext("/record"))


@pytest.mark.parametrize(("status", "programs"), [(0, 2), (1, 2), (2, 1), (130, 1)])
def test_long_tests_write_their_page(started, record, monkeypatch, status, programs):
    """Also if something was lost, but not if they were stopped."""
    monkeypatch.setattr(run, "run_openly", lambda argv, cwd: started.append(list(map(str, argv[1:]))) or status)
    assert run.main(["test", "--long", "--scale", "0.5", "--flavor", "cpu"]) == status
    tests = ["-m", "pytest", *run.in_parallel(), *run.LONG_TESTS, "--record", "/record", "--scale", "0.5"]
    page = ["-m", "tools.reliability_docs", "/record", "0.5"]
    assert started == [("set_up", "cpu", True), tests, page][: 1 + programs]


def test_the_fuzzer_is_installed_once(monkeypatch, tmp_path, capsys):
    """From its lock, into a folder of its own; where there is none, the tests do without."""
    pip = []

    def finish(argv, tick=None):
        pip.append(list(map(str, argv)))
        (tmp_path / "fuzzer").mkdir()
        return run.Finished(len(pip) - 1, "")

    monkeypatch.setattr(run, "FUZZER", tmp_path / "fuzzer")
    monkeypatch.setattr(run, "run_quietly", finish)
    for _ in range(2):
        run.install_fuzzer(PYTHON)
    assert len(pip) == 1
    assert {"--require-hashes", "--no-deps", "--target", str(tmp_path / "fuzzer")} <= set(pip[0])
    (tmp_path / "fuzzer" / "installed").write_text("another lock")
    run.install_fuzzer(PYTHON)
    assert "no atheris" in capsys.readouterr().err
    assert not (tmp_path / "fuzzer").exists()


def test_build_passes_its_arguments_to_the_recipe(started):
    """It installs the build tools and returns the recipe's exit status."""
    assert run.main(["build", "--archive", "--flavor", "cpu"]) == 7
    assert started == [
        ("set_up", "cpu", "build"),
        ([str(run.ROOT / "build_dsu.py"), "--flavor", "cpu", "--archive"], None),
    ]


def test_a_mistake_for_build_is_told_before_anything_is_installed(started, capsys):
    """A build takes minutes, and its environment as well."""
    with pytest.raises(SystemExit) as ended:
        run.main(["build", "--archiv"])
    assert ended.value.code == 2
    assert "--archiv" in capsys.readouterr().err
    assert started == []


def test_bench_and_gen_run_their_modules(started):
    """`bench NAME` and `gen` start the modules for that."""
    run.main(["bench", "memory", "--minutes", "1", "2"])
    run.main(["gen"])
    assert started[1][0] == ["-m", "benchmarks.memory", "--minutes", "1", "2"]
    modules = list(run.GENERATORS.values())
    assert [argv for argv, _ in started[3:]] == [["-m", module] for module in modules]


def test_lock_passes_its_arguments_to_the_generator(started):
    """It needs only the workers' packages, and returns the generator's exit status."""
    assert run.main(["lock", "--upgrade"]) == 7
    assert started == [("set_up", None, False), (["-m", "tools.lock", "--upgrade"], run.ROOT)]


def test_every_benchmark_exists():
    """The names that `bench` accepts are programs in benchmarks/."""
    for name in run.BENCHMARKS:
        place = run.ROOT / "benchmarks" / name
        program = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
        assert "def main(" in program.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo"], "a clip of 17 s with the built-in model; about 10 s on two cores"),
        (["demo", "song.wav"], "your song; on two cores, about a quarter of the time"),
        (["test"], "all tests; about 30 min on two cores"),
        (["test", "-x"], "all tests; about 30 min"),
        (["test", "--quick"], "the quick tests; under 3 min"),
        (["test", "--frozen"], "about 10 min"),
        (["bench", "memory"], "memory with the defaults; about 85 min"),
        (["build"], "about half a minute"),
        (["build", "--archive"], "about a minute"),
        (["check"], "about half a minute"),
    ],
)
def test_each_command_announces_its_work_and_time(started, monkeypatch, tmp_path, capsys, words, said):
    """One line on stderr before the program starts; stdout belongs to the program."""
    monkeypatch.setattr(run, "FROZEN", tmp_path)
    monkeypatch.setattr(run, "run_quietly", lambda argv, tick=None: run.Finished(0, ""))
    (tmp_path / "VERSION.txt").touch()
    run.main(words)
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[0]


@pytest.mark.parametrize("words", [["test", "tests/unit/core"], ["bench", "memory", "--minutes", "1"], ["gen"]])
def test_no_time_is_announced_where_arguments_decide_it(started, capsys, words):
    """A selection of tests, or a benchmark with arguments, takes as long as its arguments want."""
    run.main(words)
    assert capsys.readouterr().err == ""


def test_the_download_of_the_first_full_test_is_announced(started, monkeypatch, tmp_path, capsys):
    """The tests install the program that ours is compared with; the next time it is there."""
    monkeypatch.setattr(run, "PEERS", tmp_path / ".peers")
    run.main(["test"])
    run.PEERS.mkdir()
    run.main(["test"])
    first, second = capsys.readouterr().err.splitlines()
    assert "after downloading 80 MB" in first
    assert "downloading" not in second


def test_check_runs_all_and_fails_if_one_fails(started, monkeypatch, capsys):
    """All checks run, so that one run shows everything; only failed ones show their output."""
    seen = []

    def run_quietly(argv, tick=None):
        seen.append(argv[2])
        return run.Finished(1, "no docs") if argv[2] == "tools.protocol_docs" else run.Finished(0, "fine")

    monkeypatch.setattr(run, "run_quietly", run_quietly)
    assert run.main(["check"]) == 1
    generators = list(run.GENERATORS.values())
    assert seen == ["tools.lock", "ruff", "ruff", "mypy", *generators]
    err = capsys.readouterr().err
    assert "no docs\ngenerated protocol failed." in err
    assert "fine" not in err


def test_check_passes_if_all_pass(started, monkeypatch):
    """The exit status is 0 if every check passes."""
    monkeypatch.setattr(run, "run_quietly", lambda argv, tick=None: run.Finished(0, ""))
    assert run.main(["check"]) == 0


def test_quick_tests_start_no_worker_and_leave_out_what_is_slow(started):
    """For daily work; other arguments go to pytest."""
    run.main(["test", "--quick", "-x"])
    assert started[1][0] == ["-m", "pytest", *run.in_parallel(), "-x", "tests/unit", "-m", "not slow and not e2e"]


@pytest.mark.parametrize(("cores", "processes"), [(1, "1"), (2, "2"), (64, "6"), (None, "1")])
def test_all_tests_run_in_parallel_and_a_selection_does_not(started, monkeypatch, cores, processes):
    """As many processes as there are cores, within bounds; to start them is not worth while for a few tests."""
    monkeypatch.setattr(run.os, "cpu_count", lambda: cores)
    run.main(["test", "-q"])
    run.main(["test", "tests/unit/core/test_job.py::test_progress", "-q"])
    assert started[1][0] == ["-m", "pytest", "-n", processes, "--dist", "loadfile", "--no-loadscope-reorder", "-q"]
    assert started[3][0] == ["-m", "pytest", "tests/unit/core/test_job.py::test_progress", "-q"]


@pytest.mark.parametrize("name", ["demucs", "dsu-demucs"])
def test_worker_replaces_the_script(started, monkeypatch, name):
    """Where the system allows it, the worker becomes this process and keeps its streams, signals and process id."""
    replaced = []
    monkeypatch.setattr(run, "WINDOWS", False)
    monkeypatch.setattr(run.os, "execv", lambda path, argv: replaced.append((path, argv)))
    run.main(["worker", name, "--worker", "--flavor", "x"])
    path, argv = replaced[0]
    assert path == str(PYTHON)
    assert argv[1:] == [str(run.ROOT / "workers" / "demucs_worker.py"), "--worker", "--flavor", "x"]


def test_worker_on_windows_inherits_the_streams(started, monkeypatch):
    """Windows cannot replace a process: the worker is started on our own streams, in the user's folder."""
    monkeypatch.setattr(run, "WINDOWS", True)
    assert run.main(["worker", "demucs", "--worker"]) == 7
    assert started[1] == ([str(run.ROOT / "workers/demucs_worker.py"), "--worker"], None)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["worker"], "demucs"),
        (["worker", "nobody"], "demucs"),
        (["bench"], "memory, startup"),
        (["bench", "speed"], "memory, startup"),
        (["gen", "all"], "'all'"),
        (["check", "--fast"], "'--fast'"),
    ],
)
def test_wrong_arguments_are_explained(started, capsys, words, part):
    """A wrong argument gives a message and status 1, and starts nothing."""
    assert run.main(words) == 1
    assert part in capsys.readouterr().err
    assert not any(isinstance(entry[0], list) for entry in started)


def test_usage_lists_every_command(capsys):
    """Help goes to stdout and lists all commands; an unknown command shows the same with status 2."""
    assert run.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in run.COMMANDS)
    assert run.main(["bild"]) == 2
    assert "'bild'" in capsys.readouterr().err
    assert run.main([]) == 2


@pytest.mark.parametrize("name", [name for name in run.COMMANDS if name != "demo"])
def test_help_of_a_command_installs_nothing(started, capsys, name):
    """`run.py COMMAND --help` needs no environment, so it also answers at once after cloning."""
    assert run.main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: python3 run.py {name}")
    assert started == []


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in run.COMMANDS if name != "demo")])
def test_help_fits_a_terminal_of_80_columns(capsys, words):
    """No line of a help text is broken in the middle of a word."""
    run.main(words)
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(("name", "program"), [("build", build_dsu.main), ("lock", tools.lock.main)])
def test_help_lists_the_options_of_the_program_behind_a_command(capsys, name, program):
    """The help is written here, the options are defined there."""
    with pytest.raises(SystemExit):
        program(["--help"])
    options = set(re.findall(r"(?m)^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out)) - {"--help"}
    run.main([name, "--help"])
    assert options == set(re.findall(r"(?m)^  (--[a-z-]+)", capsys.readouterr().out))


def test_help_names_every_benchmark_and_every_program(capsys):
    """What `bench NAME` and `worker NAME` accept."""
    for command, names in (("bench", run.BENCHMARKS), ("worker", WORKERS)):
        run.main([command, "--help"])
        text = capsys.readouterr().out
        assert [name for name in names if name not in text] == []


def test_interrupt_is_not_a_traceback(monkeypatch, capsys):
    """Ctrl-C gives one line and status 130."""

    def interrupted(words):
        raise KeyboardInterrupt

    monkeypatch.setitem(run.COMMANDS, "gen", interrupted)
    assert run.main(["gen"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_clean_removes_generated_files_and_nothing_else(monkeypatch, tmp_path):
    """The environment, the demo and caches are removed; sources and separated songs stay."""
    monkeypatch.setattr(run, "ROOT", tmp_path)
    for name in (".venv/bin", ".peers/x", "demo", "utils/core/__pycache__", ".mypy_cache"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "separated").mkdir()
    (tmp_path / "utils" / "core" / "job.py").touch()
    assert run.main(["clean"]) == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"separated", "utils", "utils/core", "utils/core/job.py"}


def test_run_openly_returns_the_status():
    """The program's exit status becomes ours."""
    assert run.run_openly([sys.executable, "-c", "import sys; sys.exit(4)"]) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows no status shows a signal")
def test_run_openly_reports_a_fatal_signal():
    """A program killed by a signal gives status 128 + signal, as in shells."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run.run_openly([sys.executable, "-c", code]) == 143


def test_the_pages_of_the_documentation(started):
    """They are built with every warning as an error, or shown while they are edited; nothing else can be asked for."""
    assert run.main(["docs"]) == 7
    assert run.main(["docs", "--serve"]) == 7
    assert [words for words, _ in started[1::2]] == [
        ["-m", "mkdocs", "build", "--strict"],
        ["-m", "mkdocs", "serve"],
    ]
    assert started[0] == ("set_up", None, "docs")
    assert run.main(["docs", "--open"]) == 1


@pytest.mark.parametrize("name", ["studio", "serve"])
def test_the_server_gets_its_packages_and_a_page(started, monkeypatch, name):
    """Both install what the server needs; only the studio cannot do without the page."""
    became = []
    monkeypatch.setattr(run, "become", lambda argv: became.append(argv) or 0)
    monkeypatch.setattr(run, "make_page", lambda: False)
    assert run.main([name, "--port", "1"]) == (1 if name == "studio" else 0)
    monkeypatch.setattr(run, "make_page", lambda: True)
    assert run.main([name, "--port", "1"]) == 0
    assert became[-1][1:] == [str(run.ROOT / "workers" / "dsu_worker.py"), name, "--port", "1"]
    assert started == [("set_up", None, "studio")] * 2


def test_a_batch_gets_its_packages(started, monkeypatch):
    """And nothing that the server needs."""
    became = []
    monkeypatch.setattr(run, "become", lambda argv: became.append(argv) or 0)
    assert run.main(["batch", "songs", "-o", "out"]) == 0
    assert became[-1][1:] == [str(run.ROOT / "workers" / "dsu_worker.py"), "batch", "songs", "-o", "out"]
    assert started == [("set_up", None, "batch")]


def test_the_page_is_made_when_its_sources_are_newer(started, monkeypatch, tmp_path):
    """And left alone otherwise; without npm, one that is there is good enough."""
    (tmp_path / "src").mkdir()
    for name in ("src/main.tsx", "build.mjs", "package-lock.json"):
        (tmp_path / name).touch()
    made = []
    monkeypatch.setattr(run, "STUDIO", tmp_path)
    monkeypatch.setattr(run.shutil, "which", lambda name: name)
    monkeypatch.setattr(run, "must_succeed", lambda title, argv: made.append(argv[-1]))
    assert MAKE_PAGE()
    assert made == ["ci", "build"]
    page = tmp_path / "dist" / "index.html"
    page.parent.mkdir()
    page.touch()
    assert MAKE_PAGE()
    os.utime(page, (1, 1))
    monkeypatch.setattr(run.shutil, "which", lambda name: None)
    assert MAKE_PAGE()
    page.unlink()
    assert not MAKE_PAGE()
    assert made == ["ci", "build"]
