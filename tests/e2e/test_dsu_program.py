"""`dsu`, one program for every family, over the real process: as people type it, with a small model of each family."""

import json
import subprocess
from pathlib import Path

import pytest
import soundfile
from worker_process import WorkerProcess, clean_environment, worker_command

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.audiosep import write_audiosep
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from workers import WORKERS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models directory."""
    folder = tmp_path_factory.mktemp("models")
    make_repo(folder / "demucs")
    write_network(folder / "bsroformer", "scnet", name="my_scnet", stems=["drums", "bass", "other", "vocals"])
    write_network(folder / "bsroformer", "apollo", name="my_apollo")
    make_vr(folder / "audio-separator", "my_vr")
    make_mdx(folder / "audio-separator", "my_mdx")
    return folder


@pytest.fixture
def run(worker_dir, models, tmp_path):
    """Run `dsu` on the CPU, without a network."""

    def run_one(*words):
        return subprocess.run(
            [*worker_command(WORKERS["dsu"], worker_dir), *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=clean_environment({"DSU_MODELS": str(models), "DSU_DEVICE": "cpu", "DSU_OFFLINE": "1"}),
            cwd=tmp_path,
            check=False,
        )

    return run_one


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ([], ["short/bass.wav", "short/drums.wav", "short/other.wav", "short/vocals.wav"]),
        (["-m", "my_scnet", "--stems", "bass"], ["short/bass.wav"]),
        (["-m", "tiny", "--two-stems", "vocals"], ["tiny/short/no_vocals.wav", "tiny/short/vocals.wav"]),
        (["-m", "my_vr.pth", "--aggression", "3"], ["short_(Instrumental).wav", "short_(Vocals).wav"]),
        (["-m", "my_mdx.onnx", "--single-stem", "Vocals"], ["short_(Vocals).wav"]),
        (["-m", "my_apollo", "--addition"], ["short_(addition).wav", "short_(restored).wav"]),
    ],
)
def test_a_song_is_separated_by_a_model_of_any_family(run, songs, tmp_path, words, files):
    """Into the layout of the family; stdout lists the files."""
    done = run("separate", *words, songs / "short.wav", "-o", "out", "--print-paths")
    assert done.returncode == 0, done.stderr
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.wav"))
    assert written == files
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == sorted(Path(name).name for name in files)


def test_the_results_of_a_folder_lie_as_its_songs_do(run, songs, tmp_path):
    """At the rate and the depth of the songs; nothing is replaced unless that is asked for."""
    samples, rate = soundfile.read(songs / "short.wav")
    for album in ("A", "B"):
        (tmp_path / "Music" / album).mkdir(parents=True)
        soundfile.write(tmp_path / "Music" / album / "intro.flac", samples[: rate // 2], 48000, subtype="PCM_24")
    words = ("-m", "my_scnet", "--stems", "bass", "-o", "out", "Music")
    done = run(*words)
    assert done.returncode == 0, done.stderr
    written = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == [
        f"Music/{album}/intro/bass.wav" for album in ("A", "B")
    ]
    assert {(soundfile.info(path).samplerate, soundfile.info(path).subtype) for path in written} == {(48000, "PCM_24")}
    again = run(*words)
    assert again.returncode == 1
    assert (
        again.stderr.count("already exists. Set --overwrite to replace it") == 4
    )  # each is told, and once more at the end
    assert run(*words, "--overwrite").returncode == 0


def test_the_stems_of_a_folder_are_not_separated_again(run, songs, tmp_path):
    """A run over a folder that has results of an earlier one leaves those alone; naming one separates it."""
    (tmp_path / "Music").mkdir()
    words = ("-m", "my_scnet", "--stems", "bass", "-o")
    assert run(*words, "Music", songs / "short.wav").returncode == 0
    stem = Path("Music", "short", "bass.wav")
    assert (tmp_path / stem).is_file()
    done = run(*words, "out", "Music")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{stem}: skipped, it is a stem that DSU made; name it itself to separate it.\n"
    assert not (tmp_path / "out").exists()
    assert run(*words, "out", stem).returncode == 0
    assert (tmp_path / "out" / "bass" / "bass.wav").is_file()


def test_models_of_another_program_are_imported_and_used(run, models, tmp_path):
    """From its folder into ours, and as the models directory as it is."""
    theirs = tmp_path / "uvr" / "VR_Models" / "my_vr.pth"
    theirs.parent.mkdir(parents=True)
    for file in (models / "audio-separator").glob("my_vr*"):
        theirs.with_name(file.name).write_bytes(file.read_bytes())
    published = tmp_path / "uvr" / "MDX_Net_Models" / "UVR-MDX-NET_Main_340.onnx"
    published.parent.mkdir()
    published.write_bytes((models / "audio-separator" / "my_mdx.onnx").read_bytes())
    listed = run("models", "--models-dir", "uvr", "--json", "--installed")
    assert {"my_vr.pth", published.name} <= {model["name"] for model in json.loads(listed.stdout)}
    done = run("models", "import", "uvr", "--models-dir", "ours")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ours" / "audio-separator" / published.name).samefile(published)
    assert "not known (1)" in done.stdout


def test_what_a_text_describes(run, songs, tmp_path):
    """From a network of the user's own files, into one file; `separate` need not be said."""
    files = write_audiosep(tmp_path / "net")
    parts = ["--checkpoint-path", files.checkpoint, "--config-path", files.config]
    parts += ["--clap-checkpoint-path", files.clap_checkpoint, "--roberta-dir", files.roberta_dir]
    done = run("--text", "rain", *parts, songs / "short.wav", "-o", "rain.flac")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rain.flac").is_file()


def test_a_mistake_costs_nothing(run, songs):
    """An option of another family, and a model that does not exist."""
    done = run("-m", "tiny", "--ensemble-type", "avg_fft", songs / "short.wav")
    assert done.returncode == 2
    assert done.stderr.startswith("dsu separate: --ensemble-type is for models of the family networks; `tiny` is of")
    done = run("-m", "my_scnett", songs / "short.wav")
    assert done.returncode == 1
    assert "Did you mean: my_scnet?" in done.stderr


def test_models_are_those_of_all_families(run):
    """Public ones and those in the models directory."""
    done = run("models", "--json", "--installed")
    assert done.returncode == 0, done.stderr
    families = {model["name"]: model["family"] for model in json.loads(done.stdout)}
    expected = {"dsu_mini": "networks", "my_scnet": "networks", "my_apollo": "apollo", "tiny": "demucs"}
    assert {**expected, "my_vr.pth": "audio-separator", "my_mdx.onnx": "audio-separator"}.items() <= families.items()


def test_a_download_that_is_not_needed(run):
    """What is there is told; what nobody publishes needs no download; offline the rest is an error."""
    done = run("download", "dsu_mini", "my_scnet")
    assert done.returncode == 0, done.stderr
    assert "my_scnet is your own" in done.stderr
    assert run("download", "kim_ft").returncode == 1


def test_the_word_worker_serves(worker_dir, models):
    """As `--worker` does."""
    command = [*worker_command(WORKERS["dsu"], worker_dir), "worker", "--device", "cpu", "--models-dir", str(models)]
    with WorkerProcess(command, env={}) as worker:
        worker.expect("ready")
        assert "my_scnet" in worker.ask(cmd="list_models")["models"]


def test_the_doctor_examines_the_processor(run):
    """In a child process: every network comes out right, every format is read as it was written."""
    found = json.loads(run("doctor", "--device", "cpu", "--json").stdout)
    (device,) = found["devices"]
    assert "fault" not in device
    assert device["precisions"]["fp32"] == {"lowest_db": 200.0, "lowest_of": "mask_unet", "faults": {}}
    formats = {one["check"]: one["state"] for one in found["findings"] if one["check"].startswith("format ")}
    assert set(formats.values()) == {"good"}
