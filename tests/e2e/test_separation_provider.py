"""`dsu jsonrpc` as USDB Syncer drives it: one process, one request at a time, and killed or left at the end."""

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from worker_process import TIMEOUT_S, WorkerProcess, clean_environment, worker_command

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from utils import __version__
from workers import WORKERS

pytestmark = pytest.mark.e2e


class Provider(WorkerProcess):
    """The process, and requests as the syncer numbers them."""

    def __init__(self, command, **options):
        super().__init__(command, **options)
        self._numbers = itertools.count(1)

    def request(self, method, **params):
        """The response to a request."""
        number = next(self._numbers)
        fields = {"params": params} if params else {}
        response = self.ask(jsonrpc="2.0", method=method, id=number, **fields)
        assert (response["jsonrpc"], response["id"]) == ("2.0", number)
        return response


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small model of each family that separates songs, and one that does not know vocals."""
    folder = tmp_path_factory.mktemp("models")
    make_repo(folder / "demucs")
    write_network(folder / "bsroformer", "scnet", name="my_scnet", stems=["drums", "bass", "other", "vocals"])
    write_network(folder / "bsroformer", "apollo", name="my_apollo")
    make_vr(folder / "audio-separator", "my_vr")
    make_mdx(folder / "audio-separator", "my_mdx")
    return folder


@pytest.fixture(scope="module")
def command(worker_dir, models):
    options = ["--device", "cpu", "--threads", "1", "--offline", "--models-dir", str(models)]
    return [*worker_command(WORKERS["dsu"], worker_dir), "jsonrpc", *options]


@pytest.fixture(scope="module")
def provider(command):
    """One process for the tests that leave it as it was."""
    with Provider(command) as provider:
        yield provider


def test_the_syncer_can_ask_what_it_shows(provider):
    """The version of the specification comes first: any other ends the conversation."""
    assert provider.request("get_spec_version")["result"] == "1"
    assert provider.request("get_name")["result"] == "DSU"
    assert provider.request("get_version")["result"] == __version__
    assert provider.request("is_gpu_accelerated")["result"] is False


def test_models_with_vocals_are_available(provider):
    """The default one is the first, each has a readable name, and the list stays what it is."""
    models = provider.request("get_available_models")["result"]
    assert next(iter(models)) == "dsu_mini"
    assert {"htdemucs", "my_scnet", "my_vr.pth", "my_mdx.onnx"} <= models.keys()
    assert not {"my_apollo", "audiosep_base", "envelope_matched"} & models.keys()
    assert all(shown.startswith(name) for name, shown in models.items())
    assert models["htdemucs"] != "htdemucs"
    assert list(provider.request("get_available_models")["result"]) == list(models)


@pytest.mark.parametrize("model", ["dsu_mini", "my_scnet", "my_vr.pth", "my_mdx.onnx"])
def test_a_song_is_split(provider, songs, tmp_path, model):
    """With a model of any family, into two files whose sum is the song."""
    song = songs / "short.wav"
    reply = provider.request("split", input_file=str(song), output_dir=str(tmp_path / "out"), model=model)
    paths = [Path(reply["result"][name]) for name in ("output_vocals", "output_instrumental")]
    assert sorted(path for path in (tmp_path / "out").iterdir()) == sorted(paths)
    assert ["vocals" in path.name.lower() for path in paths] == [True, True]
    parts = [soundfile.read(path)[0] for path in paths]
    assert parts[0].shape == parts[1].shape
    assert np.corrcoef((parts[0] + parts[1]).ravel(), soundfile.read(song)[0].ravel())[0, 1] > 0.99


def test_the_sound_of_a_video_is_split(provider, songs, tmp_path):
    """Songs of karaoke games are often videos."""
    video = tmp_path / "song.mp4"
    samples, rate = soundfile.read(songs / "short.wav", dtype="float32")
    with av.open(str(video), "w") as container:
        pictures = container.add_stream("mpeg4", rate=5)
        pictures.width = pictures.height = 32
        sound = container.add_stream("aac", rate=rate)
        for _ in range(20):
            container.mux(pictures.encode(av.VideoFrame(32, 32, "yuv420p")))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = rate
        container.mux(sound.encode(frame))
        for stream in (pictures, sound):
            container.mux(stream.encode(None))
    result = provider.request("split", input_file=str(video), output_dir=str(tmp_path), model="dsu_mini")["result"]
    assert soundfile.info(result["output_vocals"]).duration == pytest.approx(len(samples) / rate, abs=0.1)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"input_file": "nowhere.mp3"}, -32000, "There is no file"),
        ({"model": "no_such_model"}, -32602, "no_such_model"),
        ({"model": "my_apollo"}, -32602, "get_available_models"),
        ({"model": "htdemucs"}, -32000, "htdemucs"),
        ({"model": 5}, -32602, "model"),
        ({"input_file": ""}, -32602, "input_file"),
        ({"loudness": 1}, -32602, "loudness"),
    ],
)
def test_what_cannot_be_split_is_an_error(provider, songs, tmp_path, fields, code, said):
    """With a sentence that says what is wrong; the next request is answered."""
    params = {"input_file": str(songs / "short.wav"), "output_dir": str(tmp_path / "out"), "model": "dsu_mini"}
    error = provider.request("split", **{**params, **fields})["error"]
    assert error["code"] == code
    assert said in error["message"]
    assert not (tmp_path / "out").exists()
    assert provider.request("get_spec_version")["result"] == "1"


def test_exit_ends_it(command):
    """It is answered, the status is 0, and nothing was written on stderr."""
    with Provider(command) as provider:
        assert provider.request("exit")["result"] is None
        assert (provider.rest(), provider.wait(), provider.stderr) == ([], 0, "")


def test_the_end_of_the_input_ends_it(command):
    """What was asked before is answered, batches as well, and nothing else is on stdout."""
    lines = [
        '{"jsonrpc":"2.0","method":"get_name","id":1}',
        "nonsense",
        '[{"jsonrpc":"2.0","method":"get_spec_version","id":2},{"jsonrpc":"2.0","method":"get_name"}]',
    ]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, env=clean_environment(), check=True
    )
    name, wrong, batch = (json.loads(line) for line in done.stdout.splitlines())
    assert (name["result"], wrong["error"]["code"]) == ("DSU", -32700)
    assert [reply["result"] for reply in batch] == ["1"]
    assert done.stderr == ""


def begin_long_split(provider, songs, folder):
    """Send a separation that takes minutes, and wait until it has begun to write."""
    params = {"input_file": str(songs / "long.wav"), "output_dir": str(folder), "model": "dsu_mini"}
    provider.send({"jsonrpc": "2.0", "method": "split", "params": params, "id": "long"})
    deadline = time.monotonic() + TIMEOUT_S
    while not (folder.is_dir() and any(folder.iterdir())):
        assert time.monotonic() < deadline, "the separation did not begin"
        time.sleep(0.01)


def test_the_end_of_the_input_cancels_a_separation(command, songs, tmp_path):
    """Nobody would take its result: it is an error, and no file is left."""
    with Provider(command) as provider:
        begin_long_split(provider, songs, tmp_path / "out")
        provider.close_input()
        (reply,) = provider.rest()
        assert (reply["id"], reply["error"]["code"]) == ("long", -32000)
        assert "cancelled" in reply["error"]["message"]
        assert provider.wait() == 0
    assert list((tmp_path / "out").glob("*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send this signal to one process")
@pytest.mark.parametrize("busy", [False, True])
def test_a_signal_ends_it(command, songs, tmp_path, busy):
    """With the status of the signal, and without a file."""
    with Provider(command) as provider:
        assert provider.request("get_name")["result"] == "DSU"
        if busy:
            begin_long_split(provider, songs, tmp_path / "out")
        provider.signal(signal.SIGTERM)
        assert provider.wait() == 128 + signal.SIGTERM
    assert list((tmp_path / "out").glob("*")) == []


def test_lines_that_are_too_long_are_parse_errors(provider):
    """They are dropped as they come in."""
    provider.send_bytes(b'{"jsonrpc":"2.0","method":"' + b"x" * (2 << 20) + b'","id":9}\n')
    assert provider.read()["error"]["code"] == -32700
    assert provider.request("get_name")["result"] == "DSU"


def test_it_takes_no_songs(command):
    """They come in requests."""
    done = subprocess.run([*command, "song.mp3"], capture_output=True, text=True, env=clean_environment(), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "split" in done.stderr


def test_answers_that_nobody_reads_end_it(command):
    """The syncer may be gone between two requests."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment()) as process:
        process.stdout.close()
        process.stdin.write(b'{"jsonrpc":"2.0","method":"get_name","id":1}\n')
        process.stdin.flush()
        assert process.wait(TIMEOUT_S) == 0
