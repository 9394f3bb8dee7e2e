"""The programs in examples/, and those on the pages of the clients, do what they say.

Electron and Gradio themselves are hundreds of megabytes: the application runs with the stand-in for Electron that the client's tests
have, and of the Gradio page what separates is called as Gradio would call it. tests/browser has both pages in a browser.
"""

import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from dsu_client import DSU
from snippets import blocks_of
from worker_process import clean_environment, worker_command

from tools.fixtures.song import song
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STEMS = ["bass", "drums", "other", "vocals"]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the programs of this test are shell scripts")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def place(tmp_path):
    """A folder with songs, and the programs on the path beside it."""
    (tmp_path / "songs").mkdir()
    (tmp_path / "programs").mkdir()
    for name in ("song", "songs/a"):
        soundfile.write(tmp_path / f"{name}.wav", song(1.0), 44100)
    (tmp_path / "songs" / "bad.wav").write_bytes(b"no song")
    path = tmp_path / "programs" / "dsu"
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in worker_command(WORKERS["dsu"])) + ' "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return tmp_path


@pytest.fixture
def environment(place):
    """Of whoever tries the examples: an empty home, no network."""
    settings = {"DSU_DEVICE": "cpu", "DSU_THREADS": "1", "DSU_OFFLINE": "1", "DSU_MODELS": str(place / "models")}
    path = os.pathsep.join([str(place / "programs"), os.environ["PATH"]])
    more = {"HOME": str(place), "PATH": path, "DSU_HOME": str(ROOT), "PYTHONPATH": str(ROOT / "clients" / "python")}
    return clean_environment(settings | more)


def run(words, place, environment):
    return subprocess.run(
        [str(word) for word in words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def with_client(place, name):
    """An example's folder as npm leaves it: with the client in it."""
    folder = place / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "dsu-client").symlink_to(ROOT / "clients" / "node", target_is_directory=True)
    return folder


def code_of(page, language):
    return [block.code for block in blocks_of(page) if block.language == language and not block.reason]


@POSIX
def test_shell(place, environment):
    """A song becomes karaoke; the bad one is named, and the status says so. The second time nothing is done twice."""
    for _ in range(2):
        done = run(["sh", EXAMPLES / "shell" / "karaoke.sh", "songs", "karaoke"], place, environment)
        assert done.returncode == 1, done.stderr
        assert '"songs/bad.wav"' in done.stderr
        assert soundfile.info(place / "karaoke" / "a.flac").frames == 44100
    journal = map(json.loads, (place / "karaoke" / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    assert [line["status"] for line in journal if line.get("input") == "songs/a.wav"] == ["done", "skipped"]


def test_python(place, environment):
    """A folder is separated, past the bad song."""
    done = run([sys.executable, EXAMPLES / "python" / "folder.py", "songs", "stems"], place, environment)
    assert (done.returncode, done.stdout) == (1, "a.wav: bass, drums, other, vocals\n"), done.stderr
    assert done.stderr.startswith("bad.wav: ")
    assert sorted(path.stem for path in (place / "stems" / "a").iterdir()) == STEMS


@POSIX
def test_node_server(place, environment, node):
    """A song comes back as its vocals, a bad one as an error; nothing is left of either."""
    folder = with_client(place, "node-server")
    (place / "tmp").mkdir()
    environment |= {"PORT": "0", "TMPDIR": str(place / "tmp")}
    with subprocess.Popen(
        [node, "server.mjs"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        port = int(server.stdout.readline().rpartition(":")[2])
        answers = []
        for name in ("song.wav", "songs/bad.wav"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            connection.request("POST", "/", (place / name).read_bytes())
            answer = connection.getresponse()
            answers.append((answer.status, answer.read()))
            connection.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    assert [status for status, _ in answers] == [200, 422], answers
    assert answers[0][1].startswith(b"fLaC")
    assert list((place / "tmp").glob("stems-*")) == []


@POSIX
def test_electron(place, environment, node):
    """The button separates, and what is played are addresses of files; a song that cannot be read is told; quitting leaves no worker."""
    folder = with_client(place, "electron")
    shutil.copy(ROOT / "clients" / "node" / "testing" / "electron.js", folder / "node_modules" / "electron.js")
    drive = """
        const electron = require('electron');
        electron.BrowserWindow = class { loadFile(file) { this.file = file; } };
        electron.app.whenReady = async () => {};
        require('./preload.js');
        require('./main.js');
        stems.separate().then((result) => {
          const files = Object.values(result.paths || {});
          const there = files.every((file) => require('node:fs').existsSync(new URL(file)));
          console.log(JSON.stringify([Object.keys(result.paths || {}).sort(), result.code, there]));
          electron.app.quit();
        });
    """
    (folder / "drive.js").write_text(drive, encoding="utf-8")
    for name, expected in (("song.wav", [STEMS, None, True]), ("songs/bad.wav", [[], "input_unreadable", True])):
        done = run([node, "drive.js"], folder, environment | {"DATA": str(place), "SONG": str(place / name)})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_the_window_of_electron_loads_nothing_from_elsewhere():
    """And every element that its script looks for is there."""
    page = (EXAMPLES / "electron" / "index.html").read_text(encoding="utf-8")
    script = (EXAMPLES / "electron" / "page.js").read_text(encoding="utf-8")
    assert "default-src 'self'" in page
    wanted = re.findall(r"'(\w+)'", re.search(r"= \[(.*?)\]\.map", script)[1])
    assert [name for name in wanted if f'id="{name}"' not in page] == []


def test_gradio(place):
    """What a click does: the stems in the order of the players, with progress; without a song, a sentence."""
    spec = importlib.util.spec_from_file_location("gradio_example", EXAMPLES / "gradio" / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    told = []
    with DSU(threads=1, device="cpu", models_dir=str(place / "models"), offline=True) as dsu:
        files = app.separate(dsu, str(place / "song.wav"), str(place), told.append)
        with pytest.raises(ValueError, match="Choose a song"):
            app.separate(dsu, None, str(place), told.append)
    assert [Path(path).stem for path in files] == list(app.STEMS)
    assert max(told) <= 1.0
    assert all(place in Path(path).parents for path in files)


def test_max():
    """Every message of the patch is one that the script knows, every line leads from a box to a box, and none is left without one."""
    patcher = json.loads((EXAMPLES / "max" / "stems.maxpat").read_text(encoding="utf-8"))["patcher"]
    boxes = {each["box"]["id"]: each["box"] for each in patcher["boxes"]}
    known = (ROOT / "clients" / "max" / "README.md").read_text(encoding="utf-8")
    for box in boxes.values():
        words = box.get("text", "").split()
        if box["maxclass"] == "message" and words[0] != "script":
            assert f"| `{words[0]}" in known
        if words[:1] == ["route"] and "state" in words:
            assert [word for word in words[1:] if f"| `{word} " not in known] == []
        if words[:1] == ["node.script"]:
            assert (ROOT / "clients" / "max" / words[1]).is_file()
    ends = set()
    for each in patcher["lines"]:
        (source, outlet), (target, inlet) = each["patchline"]["source"], each["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[target]["numinlets"]
        ends |= {source, target}
    assert {name for name, box in boxes.items() if box["maxclass"] != "comment"} == ends


def test_the_page_for_node(place, environment, node):
    """docs/node.md, as it is printed."""
    (code,) = code_of("docs/node.md", "js")
    (place / "node_modules").mkdir()
    (place / "node_modules" / "dsu-client").symlink_to(ROOT / "clients" / "node", target_is_directory=True)
    (place / "first.mjs").write_text(code, encoding="utf-8")
    done = run([node, "first.mjs"], place, environment)
    assert done.stdout.split() == STEMS, done.stderr


def test_the_page_for_python(place, environment):
    """docs/python.md, as it is printed."""
    (code,) = code_of("docs/python.md", "python")
    done = run([sys.executable, "-c", code], place, environment)
    assert done.stdout == f"{STEMS}\n", done.stderr


@POSIX
def test_the_page_for_servers(place, environment):
    """docs/servers.md, as it is printed, at a free port: the server starts, and its requests are answered."""
    if shutil.which("curl") is None:
        pytest.skip("`curl` is not installed.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start, *rest = [
        code.replace("8730", port) for language in ("bash", "sh") for code in code_of("docs/servers.md", language)
    ]
    with subprocess.Popen(
        ["sh", "-euc", start], cwd=place, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            assert f":{port}/" in server.stdout.readline()
            done = run(["sh", "-euc", "".join(rest)], place, environment)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
    first, after = json.JSONDecoder().raw_decode(done.stdout)
    assert first["id"] in done.stdout[after:], done.stdout
