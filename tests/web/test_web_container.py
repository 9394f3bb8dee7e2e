"""The recipe of the container: what it copies and runs is there, and its own commands start a server that works."""

import fnmatch
import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from web_server import PATIENCE_S, ROOT, Answer, until

import run

RECIPE = ROOT / "docker" / "Dockerfile"
TOKEN = "a-secret-that-is-long-enough"
PROGRAMS = {"install", "npm", "python", ".venv/bin/python", "useradd"}  # of the images


def instructions():
    """The words of each instruction, in its stage: the last one is what runs."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE))
    stages = []
    for line in filter(None, text.splitlines()):
        kind, _, rest = line.partition(" ")
        if kind == "FROM":
            stages.append((rest, []))
        else:
            stages[-1][1].append((kind, rest))
    return stages


STAGES = instructions()
FINAL = STAGES[-1][1]


def words_of(kind):
    """The one instruction of this kind in the final stage, as a list of words where it has that form."""
    (rest,) = (rest for found, rest in FINAL if found == kind)
    return json.loads(rest[rest.index("[") :])


def copied(stage):
    """Where from, what and where to, of each COPY."""
    for kind, rest in stage:
        if kind == "COPY":
            source = re.match(r"--from=(\w+) ", rest)
            *paths, target = rest.split()[bool(source) :]
            yield source and source[1], paths, target


def is_sent(path):
    """Whether Docker gets to see a path: `.dockerignore` names what it does not, and then what it does."""
    seen = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            parts = [path, *map(str, Path(path).parents)]
            if any(fnmatch.fnmatch(part, pattern) for part in parts):
                seen = line.startswith("!")
    return seen


def test_all_that_is_copied_is_there():
    """Every path exists and is not ignored, or is made in a stage before; what could hold secrets is not sent at all."""
    names = [re.search(r" AS (\w+)$", image) for image, _ in STAGES[:-1]]
    stages = {found[1] for found in names}
    for _, stage in STAGES:
        for source, paths, _ in copied(stage):
            if source:
                assert source in stages
                continue
            for path in paths:
                assert (ROOT / path).exists(), path
                assert is_sent(path), path
    for path in (".git/config", ".venv/bin/python", "token", "studio/node_modules/preact", "tests/conftest.py"):
        assert not is_sent(path), path


def test_all_that_is_run_is_there():
    """Programs, scripts of npm, functions and flavours have the names that the recipe uses."""
    scripts = json.loads((ROOT / "studio" / "package.json").read_text())["scripts"]
    for _, stage in STAGES:
        for kind, rest in stage:
            for command in rest.split("&&") if kind == "RUN" else ():
                words = command.split()
                assert words[0] in PROGRAMS, command
                if words[:2] == ["npm", "run"]:
                    assert words[2] in scripts
    packages = {image.rpartition(" AS ")[2]: stage for image, stage in STAGES}["packages"]
    inspect.signature(run.set_up).bind("cpu", studio=True)
    sent = [path for _, paths, _ in copied(packages) for path in paths]
    for flavor in ("cpu", "cuda", "cuda-legacy"):
        for name in run.fingerprints(flavor, dev=False, studio=True):
            assert {name, name.partition("/")[0]} & set(sent), name


def test_the_images_are_named_and_the_environment_keeps_its_python():
    """No image is whatever is newest; the environment runs in the image that made it, and is of the Python that is locked."""
    images = [image.partition(" ")[0] for image, _ in STAGES]
    assert all(re.fullmatch(r"[\w/]+:[\w.-]*\d[\w.-]*", image) for image in images)
    assert images[-1] == images[1]
    assert images[-1].startswith("python:3.11")


def test_nobody_is_root_and_nothing_secret_is_inside():
    """The user is a number, so that others can see that it is not root's; no secret is in the image, and data is kept outside."""
    users = [rest for kind, rest in FINAL if kind == "USER"]
    assert users
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1])
    assert words_of("VOLUME") == ["/data", "/models"]
    after = FINAL[[kind for kind, _ in FINAL].index("USER") :]
    assert [kind for kind, _ in after] == ["USER", "HEALTHCHECK", "ENTRYPOINT"]
    assert not any(
        re.search("token|secret|password", rest, re.IGNORECASE)
        for kind, rest in FINAL
        if kind in ("ENV", "ARG", "COPY")
    )
    entry = words_of("ENTRYPOINT")
    assert entry[entry.index("--token-file") + 1].startswith("/run/secrets/")


@pytest.fixture
def image(tmp_path):
    """A folder with what the image has, and no more."""
    root = tmp_path / "app"
    for source, paths, target in copied(FINAL):
        for path in paths:
            place = root / (path if target == "./" else target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if source is None and (ROOT / path).is_dir():
                shutil.copytree(ROOT / path, place, ignore=shutil.ignore_patterns("__pycache__"))
            elif source is None:
                shutil.copy(ROOT / path, place)
            elif path.endswith("dist"):
                place.mkdir()
                (place / "index.html").write_text("<!doctype html><title>DSU Studio</title>")
    return root


def test_its_own_commands_start_a_server_that_is_healthy(image, tmp_path):
    """With what is copied, and nothing else, the entry point serves with the token of a file; the health check knows how it is."""

    def here(words):
        python, *rest = words
        assert python == "python"
        return [sys.executable, *(places.get(word, word) for word in rest)]

    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    places = {
        "/data": str(tmp_path / "data"),
        "/models": str(tmp_path / "models"),
        "/run/secrets/dsu_token": str(secret),
    }

    def health(port):
        done = subprocess.run(
            [*here(words_of("HEALTHCHECK")), str(port)], cwd=image, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    for line in (line for kind, line in FINAL if kind == "RUN" and "compileall" in line):
        done = subprocess.run(here(["python", *line.split()[1:]]), cwd=image, check=False)
        assert done.returncode == 0
    before = sorted(image.rglob("*"))
    errors = tmp_path / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [*here(words_of("ENTRYPOINT")), "--port", "0"],
            cwd=image,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={"PATH": "/usr/bin:/bin"},
        )
    try:
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        status, told, _ = until(lambda: health(port), lambda found: "ready" in found[1])
        assert (status, told) == (0, "worker: ready, queued: 0\n")
        assert ask(port, "/v1/jobs", "wrong").status == 401
        models = {model["name"]: model for model in ask(port, "/v1/models", TOKEN).json["models"]}
        assert models["dsu_mini"]["installed"]
        assert b"DSU Studio" in ask(port, "/", TOKEN).body
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert errors.read_text() == ""
    assert sorted(image.rglob("*")) == before  # it may be read-only
    status, _, why = health(port)
    assert status == 1
    assert "does not answer" in why


def ask(port, path, token):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
