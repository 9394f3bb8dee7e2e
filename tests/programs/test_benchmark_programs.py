"""The programs that time and profile workers, run as before a release."""

import json
import os
import pstats
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import soundfile
from worker_process import TIMEOUT_S, clean_environment

from tools.fixtures.models import make_models
from tools.fixtures.song import song as synthetic_song
from workers import WORKERS

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = "tests/benchmark_worker_e2e.py"
TIMINGS = (
    "t_start_to_first_status_s",
    "t_start_to_ready_s",
    "t_load_model_s",
    "t_separate_cold_wall_s",
    "t_separate_warm_wall_s",
)
needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="the shell scripts are for macOS and Linux")

# Answers like a worker, at once. It fails to separate if the file `broken` beside it contains its name.
FAKE_WORKER = """#!{python}
import json, sys, pathlib
def say(**line):
    print(json.dumps(line), flush=True)
me = pathlib.Path(sys.argv[0])
if "--worker" not in sys.argv:
    out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocals.wav").write_bytes(b"x")
    print(out / "vocals.wav")
    sys.exit()
say(status="loading")
say(status="ready", version="0", device=sys.argv[sys.argv.index("--device") + 1], threads=1)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["cmd"] in ("load_model", "load_apollo"):
        say(status="model_loaded", elapsed=0.01)
    elif asked["cmd"] == "exit":
        say(status="exiting")
        break
    elif me.with_name("broken").exists() and me.with_name("broken").read_text() == me.name:
        print("something is on fire", file=sys.stderr)
        sys.exit(3)
    else:
        say(status="done", elapsed=0.01, duration=1.0, paths={{"vocals": str(me)}}, asked=asked)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return folder, make_models(folder)["models"]


@pytest.fixture
def song(tmp_path):
    """`a.wav`, one second."""
    soundfile.write(tmp_path / "a.wav", synthetic_song(1.0), 44100)
    return tmp_path / "a.wav"


@pytest.fixture
def environment(tmp_path, models, song):
    """The environment variables that the programs read."""
    return {
        "DSU_BENCHMARK_OUTPUT": str(tmp_path / "benchmark"),
        "DSU_MODELS": str(models[0]),
        "DSU_TEST_INPUT": str(song),
        "DSU_DEVICE": "cpu",
    }


@pytest.fixture
def run(environment):
    """Runs a program to its end."""

    def one(*words, cwd=ROOT, **variables):
        env = clean_environment({**environment, **variables})
        command = [str(ROOT / words[0]), *map(str, words[1:])]
        if words[0].endswith(".py"):
            command.insert(0, sys.executable)
        return subprocess.run(command, env=env, cwd=cwd, capture_output=True, encoding="utf-8", check=False)

    return one


@pytest.fixture
def benchmark(run, song):
    """Times a worker's script."""

    def one(worker, *words):
        return run(BENCHMARK, "--python", "--worker", worker, "--input", song, "--device", "cpu", *words)

    return one


@pytest.fixture
def fakes(tmp_path):
    """A folder of fake workers that answer at once; the one named in the argument fails."""

    def make(broken=""):
        folder = tmp_path / "fakes"
        folder.mkdir()
        for worker in WORKERS.values():
            path = folder / worker.executable
            path.write_text(FAKE_WORKER.format(python=sys.executable))
            path.chmod(0o755)
        (folder / "broken").write_text(broken)
        return folder

    return make


def children_of(marker):
    """Processes with a path of this test on their command line."""
    processes = psutil.process_iter(["cmdline"])
    return [each for each in processes if any(str(marker) in word for word in each.info["cmdline"] or ())]


def wait_for(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# One worker ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker", ["demucs", "audiosep"])
def test_a_worker_is_timed(worker, benchmark, models, tmp_path):
    """The program prints a line for each figure and the same as JSON, and the stems are written."""
    load = models[1][worker][0]["load"]
    named = {"config_path": "--config", "checkpoint_path": "--checkpoint", "clap_checkpoint_path": "--clap-checkpoint"}
    words = [word for field, path in load.items() for word in (named.get(field, f"--{field.replace('_', '-')}"), path)]
    file = tmp_path / "new" / "figures.json"
    done = benchmark(worker, *words, "--output-dir", tmp_path / "out", "--repeat", 2, "--json", file)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())
    lines = done.stdout.splitlines()
    assert json.loads(lines[-1]) == figures
    for name in TIMINGS:
        assert figures[name] > 0
        assert f"{name}: {figures[name]}" in lines
    assert figures["t_start_to_first_status_s"] <= figures["t_start_to_ready_s"]
    assert len(figures["t_separate_warm_walls_s"]) == 2
    assert figures["t_separate_warm_wall_s"] == min(figures["t_separate_warm_walls_s"])
    assert figures["separate_cold_elapsed_s"] <= figures["t_separate_cold_wall_s"]
    assert (figures["worker"], figures["device"], figures["duration_s"]) == (worker, "cpu", 1.0)
    assert figures["peak_memory_mib"] > 50
    assert figures["outputs"]
    assert all(Path(path).is_relative_to(tmp_path / "out") and Path(path).is_file() for path in figures["outputs"])


def test_a_worker_that_answers_an_error_is_reported(benchmark):
    """An error's message and hint are printed, with exit status 1."""
    done = benchmark("demucs", "--model", "no_such_model")
    assert done.returncode == 1
    assert "There is no model `no_such_model`." in done.stderr
    assert "list_models" in done.stderr
    assert "Traceback" not in done.stderr


@needs_bash
def test_a_worker_that_dies_is_reported(run, fakes, song, tmp_path):
    """The end of its standard error is printed, and no process is left behind."""
    folder = fakes(broken="dsu-demucs")
    done = run(BENCHMARK, "--exe", folder, "--worker", "demucs", "--model", "x", "--input", song)
    assert done.returncode == 1
    assert "demucs failed. The worker ended before it sent `done`." in done.stderr
    assert "something is on fire" in done.stderr
    assert children_of(folder) == []


@needs_bash
def test_a_worker_that_hangs_is_ended(run, song, tmp_path):
    """The worker is killed after --timeout, which is explained."""
    silent = tmp_path / "silent"
    silent.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.read()\n")
    silent.chmod(0o755)
    done = run(BENCHMARK, "--exe", silent, "--worker", "demucs", "--model", "x", "--input", song, "--timeout", 1)
    assert done.returncode == 1
    assert "did not answer within 1 s and was killed" in done.stderr
    assert children_of(silent) == []


@needs_bash
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo hello", "does not speak the DSU protocol; it wrote: hello"),
        ("echo 7", "does not speak the DSU protocol; it wrote: 7"),
        ("exit 0", "ended without sending anything"),
        ('exec <&-; echo \'{"status":"loading"}\'; echo \'{"status":"ready"}\'', "before all requests were sent"),
    ],
)
def test_what_is_no_worker_is_reported(script, said, run, song, tmp_path):
    """A program that writes something else, or nothing, is not taken for a worker."""
    other = tmp_path / "other"
    other.write_text(f"#!/bin/sh\n{script}\n")
    other.chmod(0o755)
    done = run(BENCHMARK, "--exe", other, "--worker", "demucs", "--model", "x", "--input", song)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input", "gone.wav"], "There is no file `gone.wav`."),
        (["--input", "README.md"], "cannot be read as audio"),
        (["--exe", "gone"], "There is no program `gone`."),
        (["--checkpoint", "README.md"], "demucs has no --checkpoint"),
    ],
)
def test_what_cannot_be_timed_is_explained(words, said, run, song):
    """Unusable options are explained before a worker is started."""
    done = run(BENCHMARK, "--worker", "demucs", "--input", song, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# Several ------------------------------------------------------------------------------------------------------------


def test_models_run_by_the_command_line(run, models, song, tmp_path):
    """Each model runs in its own process; a failure is reported and does not stop the others."""
    file = tmp_path / "results.json"
    words = ["--models", "gone", "tiny_scnet", "--input", song, "--output-dir", tmp_path / "out", "--json", file]
    done = run("tests/run_bsroformer_models.py", *words, "--device", "cpu", "--batch-size", 4)
    assert done.returncode == 1
    failed, well = json.loads(file.read_text())
    assert "There is no model `gone`" in failed["error"]
    assert sorted(Path(path).name for path in well["files"]) == ["other.wav", "vocals.wav"]
    assert all(Path(path).is_relative_to(tmp_path / "out" / "tiny_scnet") for path in well["files"])
    assert "FAILED  gone" in done.stdout
    assert "ok      tiny_scnet" in done.stdout


# Profiles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worker", "words", "stages"),
    [
        ("demucs", ["--shifts", 0, "--cprofile", "--top", 5], ["load_track", "apply_model"]),
        ("bsroformer", ["--batch-size", 4], ["audio_load", "demix"]),
    ],
)
def test_a_profile_breaks_a_separation_down(worker, words, stages, run, models, song, tmp_path):
    """The stages' shares sum to 100 %, and none is zero but the move, as nothing moves on a CPU; --cprofile adds a list of
    functions and a file.
    """
    file, prof = tmp_path / "profile.json", tmp_path / "x.prof"
    model = models[1][worker][0]["name"]
    program = f"scripts/utils/profile_{worker}.py"
    options = ["--model", model, "--input", song, "--device", "cpu", "--json", file, "--prof-out", prof]
    done = run(program, *options, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())["stages"]
    assert list(found) == ["load_model", "model_to_device", *stages, "save", "other"]
    assert sum(stage["percent"] for stage in found.values()) == pytest.approx(100, abs=0.1)
    assert all(stage["seconds"] > 0 for name, stage in found.items() if name != "model_to_device")
    assert all(name in done.stdout for name in found)
    assert prof.is_file() == ("--cprofile" in words)
    if prof.is_file():
        assert str(prof) in done.stdout
        assert len(pstats.Stats(str(prof)).stats) > 100
        table = done.stdout.partition("own s")[2].splitlines()
        assert len(table) == 1 + 5 + 1


def test_a_profile_without_a_song_says_where_to_get_one(run):
    """The error names the program that writes songs, with exit status 1."""
    done = run("scripts/utils/profile_demucs.py", "--input", "gone.wav")
    assert done.returncode == 1
    assert "There is no file `gone.wav`. `python tests/generate_test_audio.py`" in done.stderr


# Shell scripts ------------------------------------------------------------------------------------------------------

SCRIPTS = ("tests/run_benchmarks_mac.sh", "tests/scripts/run_all_tests.sh", "tests/scripts/verify_performance.sh")


@needs_bash
def test_a_relative_folder_starts_at_the_current_one(run, fakes, tmp_path):
    """DSU_BENCHMARK_OUTPUT may be a relative path; the table at the end finds the results there."""
    done = run("tests/run_benchmarks_mac.sh", cwd=tmp_path, DSU_BENCHMARK_OUTPUT="figures", DSU_EXE_DIR=str(fakes()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "figures").glob("benchmark_*_4s.json"))) == 5
    assert "| audiosep | " in done.stdout


@needs_bash
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_whole_and_explain_themselves(script, run):
    """Scripts have valid syntax, are executable, print their head for `--help`, and reject wrong arguments."""
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0
    assert os.access(ROOT / script, os.X_OK)
    helped = run(script, "--help")
    assert helped.returncode == 0
    assert "DSU_EXE_DIR" in helped.stdout
    assert "Exit status" in helped.stdout
    refused = run(script, "5")
    assert refused.returncode == 2
    assert "usage:" in refused.stderr


@needs_bash
def test_performance_is_verified_by_ratios(run, tmp_path):
    """A real worker is timed and judged, and the run is saved as a baseline if no ratio is too large."""
    saved = tmp_path / "baseline.json"
    done = run("tests/scripts/verify_performance.sh", "demucs", "--save", saved, DSU_EXE_DIR="")
    slow = "SLOW" in done.stdout  # by chance, on a busy machine
    assert (done.returncode, saved.exists()) == (int(slow), not slow), done.stdout + done.stderr
    assert "the Python scripts" in done.stdout
    assert "second load / first load" in done.stdout
    assert all(f"{name}: " in done.stdout for name in TIMINGS)
    figures = json.loads((tmp_path / "benchmark" / "verify_demucs.json").read_text())
    assert (figures["worker"], figures["model"], figures["repeat"]) == ("demucs", "tiny", 3)
    gone = run("tests/scripts/verify_performance.sh", "demucs", DSU_EXE_DIR=str(tmp_path / "gone"))
    assert gone.returncode == 1
    assert "DSU_EXE_DIR: there is no folder" in gone.stderr


@needs_bash
@pytest.mark.parametrize(
    ("options", "status", "said"),
    [(["--baseline", "gone.json"], 1, "`gone.json` cannot be read"), (["--tolerence", "2"], 2, "--tolerence")],
)
def test_a_wrong_option_is_reported_before_anything_is_timed(run, tmp_path, options, status, said):
    """For a wrong option no worker is started and no folder is made."""
    done = run("tests/scripts/verify_performance.sh", "demucs", *options, DSU_EXE_DIR="")
    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "benchmark").exists()


@needs_bash
def test_all_workers_are_timed(run, fakes, tmp_path):
    """Each of the five kinds gets its JSON file and its row; one that fails is named, and the others are timed."""
    folder = fakes(broken="dsu-bsroformer")
    done = run("tests/run_benchmarks_mac.sh", "40", DSU_EXE_DIR=str(folder))
    assert done.returncode == 1
    assert "Failed: bsroformer." in done.stderr
    assert "something is on fire" in done.stderr
    files = {path.name for path in (tmp_path / "benchmark").glob("*.json")}
    assert files == {f"benchmark_{name}_40s.json" for name in ("demucs", "audio-separator", "apollo", "audiosep")}
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert rows == ["| demucs", "| audio-separator", "| apollo", "| audiosep"]


@needs_bash
def test_everything_runs_and_the_end_says_how(run, fakes, tmp_path):
    """Benchmarks with BS-RoFormer's batch of four, ratios, models, profiles; what fails keeps nothing from running."""
    folder = fakes(broken="dsu-audiosep")
    done = run("tests/scripts/run_all_tests.sh", DSU_EXE_DIR=str(folder))
    assert done.returncode == 1
    assert "FAILED: benchmark audiosep" in done.stdout
    for title in ("benchmark demucs", "BS-RoFormer models", "profile demucs", "profile bsroformer"):
        assert f"== {title}\n" in done.stdout
        assert f"FAILED: {title}" not in done.stdout
    assert "== ratios apollo\n" in done.stdout  # what they say of programs that answer at once is chance
    figures = {
        name: json.loads((tmp_path / "benchmark" / f"all_{name}.json").read_text()) for name in ("demucs", "bsroformer")
    }
    assert (figures["demucs"]["batch_size"], figures["bsroformer"]["batch_size"]) == (None, 4)


@needs_bash
def test_a_script_that_is_ended_takes_its_worker_along(environment, tmp_path):
    """SIGTERM to the script ends the program it runs and the worker of that."""
    folder = tmp_path / "waiting"
    folder.mkdir()
    worker = folder / "dsu-demucs"
    worker.write_text(f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'started')!r}, 'w')\nsys.stdin.read()\n")
    worker.chmod(0o755)
    env = clean_environment({**environment, "DSU_EXE_DIR": str(folder)})
    script = ROOT / "tests/scripts/verify_performance.sh"
    with subprocess.Popen([script, "demucs"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_for((tmp_path / "started").exists)
        running = children_of(folder)
        assert running
        process.terminate()
        try:
            assert process.wait(TIMEOUT_S) == 143
            psutil.wait_procs(running, timeout=TIMEOUT_S)
            assert children_of(folder) == []
        finally:
            for each in children_of(folder):
                each.kill()
