"""Files from strangers. Each is one answer in time, within a budget of memory, and the worker goes on."""

import hashlib
import shutil
from pathlib import Path

import hostile_files
import psutil
import pytest
import soundfile
from hostile_files import HostileFile, damaged, zipped
from job_folders import NOTES

from tools.fixtures.audio_separator import make_mdx
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from tools.fixtures.song import song

MOST_MEMORY_BYTES = 1 << 30
MOST_CPU_S = 30.0


@pytest.fixture
def tried(scenario, forge, tmp_path):
    """Give hostile files to a worker: each is written to a place and named in a request."""
    workers = []

    def try_all(kind, models, place, files, request):
        if not workers:
            workers.append(forge.start(kind, models))
        (worker,) = workers
        process = psutil.Process(worker.pid)
        for what, data in files:
            path = Path(place(data)) if callable(place) else place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # forgets the peak
            before_bytes, before_s = process.memory_info().rss, sum(process.cpu_times()[:4])
            with scenario.trial("file", what):
                worker.send({**(request(path) if callable(request) else request), "id": what})
                last = worker.expect("done", "error", "model_loaded", "models", id=what)
                assert last.get("code") != "internal", last
                assert peak_bytes(worker.pid) - before_bytes < MOST_MEMORY_BYTES
                assert sum(process.cpu_times()[:4]) - before_s < MOST_CPU_S
                assert worker.ask(cmd="ping")["status"] == "pong"
            path.unlink(missing_ok=True)
        assert not list(tmp_path.rglob("canary*"))

    yield try_all
    for worker in workers:
        with worker:
            pass


def peak_bytes(pid):
    """The most memory that a process has had since its peak was forgotten."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def separating(out):
    return lambda path: {
        "cmd": "separate",
        "input": str(path),
        "output": str(out),
        "model": "tiny",
        "shifts": 0,
        "progress": False,
    }


def test_songs(scenario, tried, demucs_models, tmp_path):
    """A file that is no song, or one of an impossible kind, is an error or gives stems."""
    files = hostile_files.audio()
    samples = song(0.5)
    for form in ("wav", "flac", "mp3", "ogg", "aiff"):
        good = tmp_path / f"good.{form}"
        soundfile.write(good, samples, 44100, format=form.upper())
        files += damaged(good.read_bytes(), len(files), scenario.times(4, 300))
    tried("demucs", demucs_models, tmp_path / "song.wav", files, separating(tmp_path / "out"))


def test_tags(scenario, tried, demucs_models, tmp_path):
    """Tags that would cost more than they are worth are left out, and the song is separated."""
    soundfile.write(tmp_path / "good.mp3", song(0.5), 44100)
    files = hostile_files.tagged((tmp_path / "good.mp3").read_bytes())
    tried("demucs", demucs_models, tmp_path / "song.mp3", files, separating(tmp_path / "out"))


def test_checkpoints(scenario, tried, tmp_path):
    """A checkpoint of each format that does not hold what it says is an error; nothing in it is run."""
    network = write_network(tmp_path / "models" / "bsroformer", "mdx23c", name="net")
    good = network.checkpoint.read_bytes()
    alone = hostile_files.pickles(str(tmp_path / "canary"))
    files = [
        *alone,
        *(HostileFile(f"{what}, in an archive", zipped(data)) for what, data in alone),
        *hostile_files.archives(),
        *hostile_files.legacy(),
        *hostile_files.safetensors(),
        *damaged(good, 1, scenario.times(8, 500)),
    ]
    config = network.config.rename(tmp_path / "net.yaml")

    def load(path):
        return {"cmd": "load_model", "model_path": str(path), "config_path": str(config)}

    def place(data):
        return tmp_path / ("hostile.safetensors" if data[8:9] in (b"{", b"[") else "hostile.ckpt")

    tried("bsroformer", tmp_path / "models", place, files, load)


def test_demucs_checkpoints(scenario, tried, tmp_path):
    """A Demucs file whose name fits its content, whatever that is, is an error; its classes are not called."""
    repo = make_repo(tmp_path / "repo")
    good = next(repo.glob("*.th")).read_bytes()
    shutil.rmtree(repo)
    alone = hostile_files.pickles(str(tmp_path / "canary"))
    packed = [HostileFile(what, zipped(data)) for what, data in alone]
    files = [*packed, *hostile_files.legacy(), *damaged(good, 2, scenario.times(5, 300))]

    def place(data):
        return repo / f"abcdef01-{hashlib.sha256(data).hexdigest()[:8]}.th"

    request = {"cmd": "load_model", "model": "abcdef01", "repo": str(repo)}
    tried("demucs", tmp_path / "models", place, files, request)


def test_onnx_files(scenario, tried, tmp_path):
    """An ONNX file that would compute or read what it should not is an error."""
    make_mdx(tmp_path / "models" / "audio-separator", "net")
    path = tmp_path / "models" / "audio-separator" / "net.onnx"
    files = [*hostile_files.onnx(), *damaged(path.read_bytes(), 3, scenario.times(5, 300))]
    tried("audio-separator", tmp_path / "models", path, files, {"cmd": "load_model", "model": "net.onnx"})


def test_configurations(scenario, tried, tmp_path):
    """A configuration with impossible values is an error before a network is built."""
    network = write_network(tmp_path / "models" / "bsroformer", "mdx23c", name="net")
    good = network.config.read_bytes()
    files = [*hostile_files.yamls(good), *damaged(good, 4, scenario.times(5, 500))]
    request = {
        "cmd": "load_model",
        "model_path": str(network.checkpoint),
        "config_path": str(tmp_path / "hostile.yaml"),
    }
    tried("bsroformer", tmp_path / "models", tmp_path / "hostile.yaml", files, request)


def test_facts_beside_models(scenario, tried, tmp_path):
    """A JSON file beside a model or in the models directory that makes no sense is an error or a warning."""
    folder = tmp_path / "models" / "audio-separator"
    make_mdx(folder, "net")
    good = (folder / "net.json").read_bytes()
    files = [*hostile_files.jsons(good), *damaged(good, 5, scenario.times(5, 500))]
    tried(
        "audio-separator", tmp_path / "models", folder / "net.json", files, {"cmd": "load_model", "model": "net.onnx"}
    )
    listing = {"cmd": "list_models", "details": True}
    tried("audio-separator", tmp_path / "models", tmp_path / "models" / "models.json", files, listing)


def test_notes(scenario, forge, tried, demucs_models, songs, tmp_path):
    """A note of a finished job that was tampered with costs no more than doing the job again."""
    out = tmp_path / "out"
    request = {**separating(out)(songs / "first.wav"), "resume": True}
    with forge.start("demucs", demucs_models) as worker:
        worker.send(request)
        assert worker.expect("done", "error")["status"] == "done"
    (note,) = (out / NOTES).iterdir()
    good = note.read_bytes()
    files = [*hostile_files.jsons(good), *damaged(good, 6, scenario.times(5, 300))]
    tried("demucs", demucs_models, note, files, request)
