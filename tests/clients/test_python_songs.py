"""The Python client with real workers and the built-in model: files, samples, folders, isolation, no orphans."""

import asyncio
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import dsu_client
import numpy as np
import pytest
import soundfile
from dsu_client import DSU, AsyncDSU, InputError, ModelError, RequestError
from python_workers import RATE, ROOT, real, song
from worker_process import wait_until_ended

pytestmark = pytest.mark.e2e
MODEL = "dsu_mini"


@pytest.fixture(scope="module")
def dsu(worker_dir, tmp_path_factory):
    """A worker for all tests that only ask it to do something."""
    with DSU(**real(worker_dir, tmp_path_factory.mktemp("dsu"))) as client:
        yield client


def test_samples_go_in_and_out(dsu, tmp_path, monkeypatch):
    """Stems have the shape of the song and add up to it, and nothing stays on the disk."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mix = song()
    stems = dsu.separate(mix, sample_rate=RATE, model=MODEL)
    assert sorted(stems) == ["bass", "drums", "other", "vocals"]
    assert stems.sample_rate == RATE
    assert all(stem.shape == mix.shape and stem.dtype == np.float32 for stem in stems.values())
    assert np.abs(sum(stems.values()) - mix).max() < 1e-3
    assert list(tmp_path.iterdir()) == []


def test_samples_are_what_a_file_of_them_gives(dsu, tmp_path):
    """Handing over samples changes nothing."""
    soundfile.write(tmp_path / "song.wav", song().T, RATE, "FLOAT")
    from_file = dsu.separate(tmp_path / "song.wav", model=MODEL, stems=["vocals"])
    from_samples = dsu.separate(song(), sample_rate=RATE, model=MODEL, stems=["vocals"])
    assert list(from_file) == ["vocals"]
    np.testing.assert_array_equal(from_file["vocals"], from_samples["vocals"])


def test_a_recipe_gives_samples_too(dsu):
    """Its outputs are the stems, and sum to the song where it says so."""
    steps = {"band": {"model": MODEL}, "left": {"residual": ["band.vocals"]}}
    recipe = {"steps": steps, "outputs": {"voice": "band.vocals", "rest": "left"}, "sums_to_mix": True}
    stems = dsu.separate(song(), sample_rate=RATE, recipe=recipe)
    assert list(stems) == ["voice", "rest"]
    assert np.abs(sum(stems.values()) - song()).max() < 1e-6
    assert "dsu_mini" in [one["name"] for one in dsu.list_recipes()["recipes"]]
    with pytest.raises(RequestError, match="no step"):
        dsu.separate(song(), sample_rate=RATE, recipe={**recipe, "outputs": {"voice": "bnd.vocals"}})


def test_files_stay_files(dsu, tmp_path):
    """With `output` the reply tells where they are, and progress where the job is."""
    soundfile.write(tmp_path / "song.wav", song().T, RATE)
    percents = []
    done = dsu.separate(
        tmp_path / "song.wav",
        output=tmp_path / "out",
        model=MODEL,
        format="flac",
        on_progress=lambda line: percents.append(line["percent"]),
    )
    assert soundfile.info(done["paths"]["vocals"]).format == "FLAC"
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_a_bad_song_does_not_stop_the_rest(dsu, tmp_path):
    """`separate_files` tells of each file as it is done."""
    soundfile.write(tmp_path / "good.wav", song().T, RATE)
    (tmp_path / "bad.wav").write_text("no", encoding="utf-8")
    heard = []
    inputs = [tmp_path / "bad.wav", tmp_path / "good.wav"]
    done = dsu.separate_files(inputs, tmp_path / "out", model=MODEL, on_file=heard.append)
    assert (done["succeeded"], done["failed"]) == (1, 1)
    assert [line["ok"] for line in heard] == [False, True]


def test_errors_of_the_worker_have_their_class(dsu):
    """With field, code and suggestions."""
    with pytest.raises(InputError) as missing:
        dsu.separate("nowhere.wav", model=MODEL)
    assert missing.value.code == "input_not_found"
    with pytest.raises(ModelError) as unknown:
        dsu.load_model(model="htdemuks")
    assert (unknown.value.code, "htdemucs" in unknown.value.suggestions) == ("unknown_model", True)
    with pytest.raises(RequestError) as wrong:
        dsu.separate("nowhere.wav", shifts="two")
    assert wrong.value.field == "shifts"


def test_commands_have_methods(dsu):
    """Named like the commands, with their fields."""
    assert MODEL in dsu.list_models(family="networks")["models"]
    assert dsu.load_model(model=MODEL)["stems"] == ["drums", "bass", "other", "vocals"]
    assert dsu.get_status()["device"] == "cpu"


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (np.zeros((2, 8)), {}),
        (np.zeros((2, 8)), {"sample_rate": 0}),
        ("song.wav", {"sample_rate": 44100}),
        ("song.wav", {"format": "mp3"}),
        (np.zeros((4000, 2)), {"sample_rate": 44100}),
        (np.zeros((2, 0)), {"sample_rate": 44100}),
        (np.array(["a"]), {"sample_rate": 44100}),
    ],
)
def test_what_cannot_be_meant_is_refused(dsu, samples, options):
    """Before the worker is bothered, with an error that says what to do."""
    with pytest.raises((RequestError, InputError)):
        dsu.separate(samples, model=MODEL, **options)


def test_asyncio_does_the_same(worker_dir, tmp_path):
    """Samples in and out, and two requests at once, of which the worker does one after the other."""

    async def program():
        async with AsyncDSU(**real(worker_dir, tmp_path)) as client:
            jobs = [client.separate(song(0.5), sample_rate=RATE, model=MODEL) for _ in range(2)]
            first, second = await asyncio.gather(*jobs)
            assert (await client.ping())["status"] == "pong"
        np.testing.assert_array_equal(first["drums"], second["drums"])

    asyncio.run(program())


def test_a_cancelled_job_leaves_no_file(dsu, tmp_path):
    """An exception while it runs comes out when the folder is as it was."""
    soundfile.write(tmp_path / "song.wav", song(20).T, RATE)

    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dsu.separate(tmp_path / "song.wav", output=tmp_path / "out", model=MODEL, on_progress=stop)
    assert not (tmp_path / "out").exists()


HOST = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from dsu_client import DSU
    dsu = DSU(directory=sys.argv[2], python=sys.executable, device="cpu", models_dir=sys.argv[3], offline=True)
    dsu.ping()
    print(dsu.pid, flush=True)
    {then}
"""


def host(tmp_path, then, env=None):
    """A program that starts a worker, prints its id and does something then."""
    package = Path(dsu_client.__file__).parents[1]
    code = textwrap.dedent(HOST).format(then=then)
    words = [sys.executable, "-c", code, str(package), str(ROOT), str(tmp_path / "models")]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, **(env or {})})


@pytest.mark.parametrize(
    "then", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)", "import os; os._exit(1)"]
)
def test_no_worker_outlives_its_host(tmp_path, then):
    """However the host ends, and although it never closed the client."""
    program = host(tmp_path, then)
    with program:
        pid = int(program.stdout.readline())
    wait_until_ended(pid)


def test_nothing_on_the_hosts_path_gets_into_the_worker(tmp_path):
    """Modules named like ours or like those of our libraries, on PYTHONPATH and in the host's folder."""
    for name in ("utils", "torch", "demucs", "msgspec", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')", encoding="utf-8")
    shadows = tmp_path / "shadows"
    shadows.mkdir()
    for name in ("utils", "torch", "msgspec", "demucs"):
        (shadows / f"{name}.py").write_text("raise SystemExit('foreign')", encoding="utf-8")
    for path in tmp_path.glob("*.py"):
        if path.stem in {"numpy", "json"}:
            path.unlink()
    program = host(
        tmp_path, "print(dsu.load_model(model='dsu_mini')['status'])\ndsu.close()", {"PYTHONPATH": str(shadows)}
    )
    with program:
        printed = program.stdout.read()
    assert program.returncode == 0
    assert printed.split()[1] == "model_loaded"
