"""The Node test programs, run with small models: their output, files, reports and exit status."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from node_runtime import TIMEOUT_S
from worker_process import clean_environment, wait_until_ended

from tools.fixtures.models import make_models
from tools.fixtures.song import song
from workers import WORKERS

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PROGRAMS = (
    "run_bsroformer_models",
    "run_optimized_workflow",
    "run_sequence_pipeline",
    "test_all_workers_final",
    "test_workers_optimized",
)
WITH_MODELS = [name for name in WORKERS if name not in ("dsu", "denoise")]  # each has kinds of its own
KINDS = ["demucs", "bsroformer", "vr", "mdx", "apollo", "audiosep"]
RATE = 44100
SECONDS = 2.0


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Small models, made once."""
    folder = tmp_path_factory.mktemp("small")
    make_models(folder)
    return folder


@pytest.fixture(scope="session")
def audio(tmp_path_factory):
    """A song of two seconds in a file with an unusual name."""
    path = tmp_path_factory.mktemp("audio") / "Größe 1.wav"
    soundfile.write(path, song(SECONDS), RATE)
    return path


@pytest.fixture
def run(node, small, audio, tmp_path):
    """Runs a program with small models on the CPU, and checks that no worker is left."""
    models = tmp_path / "models"

    def run_one(name, *flags, plain=False, env=None):
        words = [] if plain else [*basis(small, audio, models), "--output-dir", str(tmp_path / "out")]
        done = subprocess.run(
            [node, str(TESTS / f"{name}.js"), *words, *map(str, flags)],
            cwd=tmp_path,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
        assert survivors(models) == []
        return done

    return run_one


def basis(small, audio, models):
    """The flags of every run. The models directory is empty and identifies the processes of this test."""
    places = ["--python", sys.executable, "--models", str(models), "--small", "--small-dir", str(small)]
    return [*places, "--input", str(audio), "--device", "cpu", "--threads", "1"]


def survivors(models):
    """Processes with this models directory on their command line."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "status"])
        if str(models) in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def report_of(folder, name="report.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def table_rows(text, head):
    """The cells of a printed table, whose first column is called `head`."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"  {head} ") and lines[i + 1].startswith("  --"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.strip():
            break
        rows.append(re.split(r"\s{2,}", line.strip()))
    return rows


def ask(node, code, *arguments, env=None):
    """The value of a JavaScript expression, evaluated in the folder of the programs."""
    script = f"Promise.resolve({code}).then((value) => console.log(JSON.stringify(value)))"
    words = [node, "-e", script, *map(str, arguments)]
    done = subprocess.run(
        words, cwd=TESTS, env=clean_environment(env), capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# The programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worker", "models"),
    [
        ("bsroformer", ["tiny_bs_roformer", "tiny_mel_band_roformer"]),
        ("audio-separator", ["tiny_vr_vocals.pth", "tiny_vr_instrumental.pth"]),
    ],
)
def test_the_workflow_shows_and_checks_what_the_cache_does(run, tmp_path, worker, models):
    """COLD and SWITCH load a model, CACHED and SWITCH BACK find theirs, in both table and report."""
    done = run("run_optimized_workflow", "--worker", worker)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = models
    rows = [(row[0], row[1], row[-1]) for row in table_rows(done.stdout, "Step")]
    expected = [("COLD", first, "loaded"), ("CACHED", first, "cached"), ("SWITCH", second, "loaded")]
    assert rows == [*expected, ("SWITCH BACK", first, "cached")]
    report = report_of(tmp_path / "out")
    assert report["passed"] is True
    assert [step["cached"] for step in report["steps"]] == [False, True, False, True]
    assert all(step["total_s"] >= step["processing_s"] > 0 for step in report["steps"])
    assert [model["source"] for model in report["models"]] == ["small", "small"]
    assert "random weights" in done.stdout
    paths = [path for step in report["steps"] for path in step["paths"].values()]
    assert {soundfile.info(path).frames for path in paths} == {int(SECONDS * RATE)}


@pytest.mark.skipif(sys.platform == "win32", reason="the executable here is a shell script")
def test_a_worker_that_forgets_its_model_fails_the_workflow(run, tmp_path):
    """Each job that has to load its model again is a failed check, printed and reported, and the status is 1."""
    forgetful = tmp_path / "dsu-bsroformer"
    script = ROOT / WORKERS["bsroformer"].script
    forgetful.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@" --max-cached-models 0\n', encoding="utf-8"
    )
    forgetful.chmod(0o755)
    done = run("run_optimized_workflow", "--exe-dir", tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL  CACHED: the model is cached, says `done`: it is false, not true" in done.stdout
    assert "FAILED: " in done.stdout
    failed = [check["name"] for check in report_of(tmp_path / "out")["checks"] if not check["passed"]]
    assert {name.split(":")[0] for name in failed} == {
        "CACHED",
        "SWITCH BACK",
        "both models are in the cache at the end",
    }


def test_a_song_goes_through_a_sequence(run, audio, tmp_path):
    """The default runs VR, then Apollo on the instrumental, in one worker, and keeps only the last files."""
    done = run("run_sequence_pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    vr, apollo, total = table_rows(done.stdout, "Step")
    assert (vr[0], vr[1], vr[-1]) == ("vr", "dsu-audio-separator", "Instrumental")
    assert (apollo[0], apollo[-2], apollo[-1]) == ("apollo", "1", "restored")
    assert total[0] == "all"
    assert done.stdout.count("Worker: ") == 1
    report = report_of(tmp_path / "out")
    restored = Path(report["result"])
    assert restored.name == f"{audio.stem}_(Instrumental)_(restored).wav"
    assert soundfile.info(restored).frames == int(SECONDS * RATE)
    assert list((tmp_path / "out").rglob("*.wav")) == [restored]
    assert [step["kept"] for step in report["steps"]] == [False, True]


def test_a_sequence_of_several_workers_keeps_its_steps(run, small, tmp_path):
    """--stem chooses the stems, --keep-steps keeps all files, and a model can be given by its file."""
    checkpoint = small / "bsroformer" / "tiny_mdx23c.ckpt"
    flags = ["--sequence", "bsroformer,mdx,audiosep", "--stem", "other", "--stem", "vocals", "--keep-steps"]
    done = run("run_sequence_pipeline", *flags, "--text", "a bell", "--model", f"bsroformer={checkpoint}")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table_rows(done.stdout, "Step")
    assert [row[-1] for row in rows[:3]] == ["other", "Vocals", "a bell"]
    assert rows[0][2] == "tiny_mdx23c.ckpt"
    assert done.stdout.count("Worker: ") == 3
    folders = {path.parent.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*.wav")}
    assert folders == {"step_1_bsroformer", "step_2_mdx", "step_3_audiosep"}


def test_all_workers_preload_and_find_their_models(run, tmp_path):
    """Each kind of model of each worker is preloaded and used twice from the cache."""
    done = run("test_workers_optimized")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row[0] for row in table_rows(done.stdout, "Kind")] == KINDS
    assert "  PASS  apollo: the second job finds the model in the cache" in done.stdout
    assert re.search(r"^PASSED: (\d+) of \1 checks passed\.$", done.stdout, re.MULTILINE)
    report = report_of(tmp_path / "out")
    assert [worker["worker"] for worker in report["workers"]] == WITH_MODELS
    results = [result for worker in report["workers"] for result in worker["results"]]
    assert all(Path(path).is_file() for result in results for path in result["paths"].values())


def test_the_final_run_compares_cold_with_cached_and_tries_the_protocol(run, tmp_path):
    """Every kind of model has a row in the table, the Markdown and the report; errors, cancelling and `exit` are tried."""
    done = run("test_all_workers_final")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row[1] for row in table_rows(done.stdout, "Worker")] == KINDS
    report = report_of(tmp_path / "out", "performance_report.json")
    results = [result for worker in report["workers"] for result in worker["results"]]
    assert [result["kind"] for result in results] == KINDS
    assert all(result["cold_s"] > 0 and result["cached_s"] > 0 for result in results)
    names = {check["name"] for check in report["checks"]}
    for worker in WITH_MODELS:
        assert {
            f"{worker}: a missing file is an `input_not_found`",
            f"{worker}: a running batch is cancelled",
            f"{worker}: no process is left",
        } <= names
    markdown = (tmp_path / "out" / "performance_report.md").read_text(encoding="utf-8")
    assert sum(line.startswith("| dsu-") for line in markdown.splitlines()) == len(KINDS)


def test_installed_models_are_used(run, node, small, audio, tmp_path):
    """Models in the worker's models directory are used, and no small ones are made."""
    words = [*basis(small, audio, small), "--small-dir", tmp_path / "none", "--output-dir", tmp_path / "out"]
    words.remove("--small")
    done = run("run_sequence_pipeline", *words, "--sequence", "mdx,vr", plain=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row[2] for row in table_rows(done.stdout, "Step")[:2]] == [
        "tiny_mdx_instrumental.onnx",
        "tiny_vr_instrumental.pth",
    ]
    assert survivors(small) == []
    assert not (tmp_path / "none").exists()


def test_every_network_runs_through_the_command_line(run, tmp_path):
    """The table has a row for each model, with its stems."""
    done = run("run_bsroformer_models")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table_rows(done.stdout, "Model")
    assert [row[0] for row in rows] == [
        f"tiny_{kind}" for kind in ("bs_roformer", "mel_band_roformer", "scnet", "mdx23c")
    ]
    assert {(row[-2], row[-1]) for row in rows} == {("vocals, other", "done")}
    results = report_of(tmp_path / "out")["results"]
    assert all(set(result["paths"]) == {"vocals", "other"} for result in results)


def test_a_network_that_fails_does_not_stop_the_others(run, tmp_path):
    """A failed model's row has the error, the next model runs, and the status is 1."""
    done = run("run_bsroformer_models", "--model", "no_such_model,dsu_mini")
    assert done.returncode == 1, done.stdout + done.stderr
    assert [row[-1] for row in table_rows(done.stdout, "Model")] == ["unknown_model", "done"]
    first, second = report_of(tmp_path / "out")["results"]
    assert first["error"]["code"] == "unknown_model"
    assert second["error"] is None


# What goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_lists_the_shared_flags(run, name):
    """--help includes the flags that all programs have, and nothing is run."""
    done = run(name, "--help", plain=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: node tests/{name}.js [options]\n")
    assert {"--input", "--exe-dir", "--models", "--device", "--small", "--report"} <= set(
        re.findall(r"--[a-z-]+", done.stdout)
    )


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("test_all_workers_final", ["--wroker", "demucs"], "Did you mean --worker?"),
        ("run_sequence_pipeline", ["--sequence", "vr,apolo"], "--sequence has no choice `apolo`"),
        ("run_sequence_pipeline", ["--sequence", ","], "--sequence needs a value"),
        ("run_sequence_pipeline", ["--model", "tiny.pth"], "`tiny.pth` must begin with one of: vr=, apollo=."),
        ("run_optimized_workflow", ["--worker"], "--worker needs a value"),
        ("run_optimized_workflow", ["--threads", "many"], "needs a positive integer"),
        ("run_optimized_workflow", ["--input", "no_such_song.wav"], "There is no audio file no_such_song.wav."),
        ("run_optimized_workflow", ["--model1", "dsu_mini", "--model2", "dsu_mini"], "are the same model"),
        ("run_bsroformer_models", ["--exe-dir", "nowhere"], "dsu-bsroformer is not in "),
        ("test_workers_optimized", ["--device", "cuda:99"], "`cuda:99` is not available"),
    ],
)
def test_wrong_usage_gives_status_2(run, name, flags, message):
    """A wrong command line or set-up gives a message without a stack trace."""
    done = run(name, *flags)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "    at " not in done.stderr


def test_a_worker_that_dies_is_a_failure(run, node, tmp_path):
    """A worker that ends at once (Node.js cannot run Python) gives status 1, and the report has the reason."""
    done = run("run_optimized_workflow", "--python", node, "--model1", "a", "--model2", "b")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "The worker ended with status 1 unexpectedly." in done.stderr
    report = report_of(tmp_path / "out")
    assert (report["passed"], report["error"]["code"]) == (False, "worker_died")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals between processes")
@pytest.mark.parametrize("name", ["test_workers_optimized", "run_bsroformer_models"])
def test_an_interrupted_program_leaves_no_process(node, small, audio, tmp_path, name):
    """After SIGINT the workers end first, then the program, with status 130 and without a report."""
    models = tmp_path / "models"
    words = [*basis(small, audio, models), "--output-dir", str(tmp_path / "out")]
    program = subprocess.Popen(
        [node, str(TESTS / f"{name}.js"), *words],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with program:
        while not (line := program.stdout.readline()).startswith("Models:"):
            assert line, program.stderr.read()
        children = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(signal.SIGINT)
        program.stdout.read()
        said = program.stderr.read()
        assert program.wait(TIMEOUT_S) == 130
    assert said == f"{name}: stopped.\n"
    for child in children:
        wait_until_ended(child.pid)
    assert survivors(models) == []
    assert not (tmp_path / "out" / "report.json").exists()


# The parts ------------------------------------------------------------------------------------------------------------

CONFIG = "require('./node_test_config').readConfig('p', JSON.parse(process.argv[1]), 'report.json')"


def test_flags_take_precedence_over_variables(node, tmp_path):
    """Executables, models, device and audio come from a flag, or else from a variable."""
    variables = {
        "DSU_EXE_DIR": str(tmp_path / "env"),
        "DSU_MODELS": "env-models",
        "DSU_DEVICE": "mps",
        "DSU_TEST_INPUT": "env.wav",
    }
    found = ask(node, CONFIG, "{}", env=variables)
    assert found["exeDir"] == str(tmp_path / "env")
    assert [found[key] for key in ("modelsDir", "device", "input")] == ["env-models", "mps", "env.wav"]
    flags = {"exeDir": str(tmp_path / "flag"), "models": "m", "device": "cpu", "input": "f.wav"}
    found = ask(node, CONFIG, json.dumps(flags), env=variables)
    assert found["exeDir"] == str(tmp_path / "flag")
    assert ask(node, CONFIG, "{}", env=variables | {"DSU_EXE_DIR": ""})["exeDir"] is None
    assert [found[key] for key in ("modelsDir", "device", "input")] == ["m", "cpu", "f.wav"]


def test_without_flags_everything_is_in_the_checkout(node):
    """The defaults are the frozen folder if it exists, the Python of .venv, and an output folder per program."""
    found = ask(node, CONFIG, "{}")
    frozen = ROOT / "dist" / "dsu"
    assert found["exeDir"] in (str(frozen), None)
    assert (found["exeDir"] is not None) == any(frozen.glob("dsu-demucs*"))
    assert Path(found["python"]).is_relative_to(ROOT / ".venv")
    assert found["report"] == str(TESTS / "node_output" / "p" / "report.json")
    assert ask(node, CONFIG, json.dumps({"python": "python3"}))["exeDir"] is None


@pytest.mark.parametrize(
    ("kind", "file", "fields"),
    [
        ("demucs", "demucs/tiny_bag.yaml", {"model": "tiny_bag", "repo": "demucs"}),
        ("demucs", "demucs/aaaa0001-*.th", {"model": "aaaa0001", "repo": "demucs"}),
        ("vr", "audio-separator/tiny_vr_vocals.pth", {"model": "audio-separator/tiny_vr_vocals.pth"}),
        (
            "apollo",
            "apollo/tiny_apollo_a.ckpt",
            {"model_path": "apollo/tiny_apollo_a.ckpt", "config_path": "apollo/tiny_apollo_a.yaml"},
        ),
    ],
)
def test_a_model_can_be_given_by_its_file(node, small, kind, file, fields):
    """The request has the folder of a Demucs bag or network, or the configuration beside a checkpoint."""
    (path,) = small.glob(file)
    found = ask(node, "require('./node_programs/models').namedModel(...process.argv.slice(1))", kind, path)
    paths = {key: value if key == "model" and kind == "demucs" else str(small / value) for key, value in fields.items()}
    assert found["fields"] == paths


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_samples_of_all_types_are_read(node, tmp_path, subtype):
    """All sample types that workers write as WAV are read."""
    sound = song(0.1)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype=subtype)
    facts = ask(node, "require('./node_programs/jobs').wavFacts(process.argv[1])", tmp_path / "a.wav")
    assert (facts["rate"], facts["channels"], facts["frames"]) == (RATE, 2, len(sound))
    assert facts["peak"] == pytest.approx(np.abs(sound).max(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_U8"), ("a.wav", "DOUBLE"), ("a.wav", "IMA_ADPCM"), ("a.flac", None)]
)
def test_the_length_of_an_input_needs_no_samples(node, tmp_path, name, subtype):
    """The length of a WAV file is found even with unsupported samples, and is null for other files."""
    soundfile.write(tmp_path / name, song(0.5), RATE, subtype=subtype)
    found = ask(node, "require('./node_programs/jobs').lengthOf(process.argv[1])", tmp_path / name)
    assert found == (0.5 if subtype in ("PCM_U8", "DOUBLE") else None)


@pytest.mark.parametrize(
    ("samples", "rate", "fault"),
    [
        (np.zeros((RATE, 2)), RATE, "a is silent"),
        (np.full((RATE, 2), np.nan), RATE, "a contains NaN or infinity"),
        (np.ones((RATE // 2, 2)), RATE, "a is 0.500 s long, not 1.000"),
        (np.ones((48000, 2)), 48000, "a has 48000 Hz, not 44100"),
        (None, RATE, "a does not exist"),
        ("no sound", RATE, "a cannot be read: "),
        (np.ones((RATE, 2)), RATE, None),
    ],
)
def test_faults_of_outputs_are_found(node, tmp_path, samples, rate, fault):
    """Silence, NaN, a wrong length or rate, and a file that is missing or no audio are faults."""
    path = tmp_path / "a.wav"
    if isinstance(samples, str):
        path.write_text(samples)
    elif samples is not None:
        soundfile.write(path, samples, rate, subtype="FLOAT")
    done = {"paths": {"a": str(path)}, "sample_rate": RATE, "duration": 1.0}
    faults = ask(node, "require('./node_programs/jobs').outputFaults(JSON.parse(process.argv[1]), 1)", json.dumps(done))
    assert [text[: len(fault or "")] for text in faults] == ([] if fault is None else [fault])


def test_samples_are_compared(node, tmp_path):
    """The comparison of SWITCH BACK is the largest difference, or infinity for another length."""
    compare = "[['a', 'a'], ['a', 'b'], ['a', 'c']].map(([x, y]) => String(require('./node_programs/wav')"
    compare += ".largestDifference(`${process.argv[1]}/${x}.wav`, `${process.argv[1]}/${y}.wav`)))"
    sound = song(0.1)
    for name, samples in {"a": sound, "b": sound + np.float32(0.25), "c": sound[1:]}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    same, shifted, shorter = ask(node, compare, tmp_path)
    assert (same, shorter) == ("0", "Infinity")
    assert float(shifted) == pytest.approx(0.25, abs=1e-6)


def test_missing_ids_and_decreasing_progress_are_found(node):
    """The checks fail for a line without the job's id and for progress that decreases."""
    code = """(() => {
        const { Checks } = require('./node_programs/checks');
        const checks = new Checks(() => {});
        const progress = (percent, id) => ({ status: 'progress', percent, id });
        const last = { status: 'done', id: 'a' };
        const { checkLines } = require('./node_programs/protocol_checks');
        checkLines(checks, 'good', { lines: [progress(1, 'a'), progress(100, 'a'), last], last });
        checkLines(checks, 'bad', { lines: [progress(50, 'a'), progress(40), last], last });
        return checks.rows.map(({ passed }) => passed);
    })()"""
    assert ask(node, code) == [True, True, False, False]


def test_a_worker_without_errors_and_cancelling_is_found(node, tmp_path):
    """A worker that has no errors, does not cancel and leaves incomplete files fails these checks."""
    code = """(async () => {
        const fs = require('node:fs');
        const { Checks } = require('./node_programs/checks');
        const { checkCancel, checkMissingFile } = require('./node_programs/protocol_checks');
        const write = ({ output_dir: folder }) => {
          fs.mkdirSync(folder, { recursive: true });
          fs.writeFileSync(`${folder}/half.wav`, 'RIFF');
        };
        const worker = {
          send: async ({ jobs, ...job }) => (jobs ?? [job]).forEach(write),
          cancel: async () => ({ found: false }),
        };
        const pool = { worker: () => worker, run: async (_, { cmd }) => ({ status: cmd === 'ping' ? 'pong' : 'done' }) };
        const checks = new Checks(() => {});
        const config = { outputDir: process.argv[1] };
        const context = { checks, config, signal: new AbortController().signal };
        await checkMissingFile(context, pool, 'demucs', { cmd: 'separate' });
        await checkCancel(context, pool, 'demucs', { cmd: 'separate' });
        return checks.rows.map(({ passed }) => passed);
    })()"""
    assert ask(node, code, tmp_path) == [False, False, True, False, False, False, False, False, True]


def test_the_guide_names_every_program_and_flag(node):
    """README_NODE_TESTS.md mentions every program and flag."""
    text = (TESTS / "README_NODE_TESTS.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in [*TESTS.glob("*.js"), *TESTS.glob("node_programs/*.js")]]
    flags = {flag for source in sources for flag in re.findall(r"flag: '(--[a-z0-9-]+)'", source)}
    assert [name for name in PROGRAMS if f"{name}.js" not in text] == []
    assert sorted(flag for flag in flags if f"`{flag}" not in text) == []
