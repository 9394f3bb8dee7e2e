"""`demucs` on DSU beside the demucs package: signatures, callbacks, shapes and samples, and how programs call it."""

import inspect
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import demucs.api
import demucs.apply
import demucs.audio
import demucs.pretrained
import demucs.separate
import dsu_client
import numpy as np
import pytest
import soundfile
import torch
from dsu_client.compat import host, install
from dsu_client.compat.demucs import api, apply, audio, pretrained, separate
from dsu_client.compat.demucs.repo import ModelLoadingError
from python_workers import RATE, ROOT, real, song

from tools.fixtures.demucs import make_repo

pytestmark = pytest.mark.e2e
KEYS = {"model_idx_in_bag", "shift_idx", "segment_offset", "audio_length", "models", "state"}


@pytest.fixture(scope="module", autouse=True)
def shared(worker_dir, tmp_path_factory):
    """The worker that all calls here share."""
    host.configure(**real(worker_dir, tmp_path_factory.mktemp("shim")))
    yield
    host.configure()


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """Small models with random weights."""
    return make_repo(tmp_path_factory.mktemp("repo"))


@pytest.fixture
def track(tmp_path):
    """A stereo song of 16 bits."""
    soundfile.write(tmp_path / "song.wav", song(3).T, RATE)
    return tmp_path / "song.wav"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (api.Separator, demucs.api.Separator),
        (api.Separator.update_parameter, demucs.api.Separator.update_parameter),
        (api.Separator.separate_tensor, demucs.api.Separator.separate_tensor),
        (api.Separator.separate_audio_file, demucs.api.Separator.separate_audio_file),
        (api.list_models, demucs.api.list_models),
        (api.save_audio, demucs.api.save_audio),
        (apply.apply_model, demucs.apply.apply_model),
        (pretrained.get_model, demucs.pretrained.get_model),
        (audio.AudioFile, demucs.audio.AudioFile),
        (audio.AudioFile.read, demucs.audio.AudioFile.read),
        (audio.convert_audio, demucs.audio.convert_audio),
        (audio.convert_audio_channels, demucs.audio.convert_audio_channels),
        (separate.main, demucs.separate.main),
        (audio.AudioFile.channels, demucs.audio.AudioFile.channels),
        (audio.AudioFile.samplerate, demucs.audio.AudioFile.samplerate),
    ],
    ids=lambda call: call.__qualname__,
)
def test_signatures_are_those_of_demucs(ours, theirs):
    """Names, order and defaults; but the device, which the worker chooses."""

    def parts(call):
        rows = inspect.signature(call).parameters.values()
        plain = (row.default if isinstance(row.default, str | int | float | slice | None) else "marker" for row in rows)
        return [(row.name, row.kind, value) for row, value in zip(rows, plain, strict=True) if row.name != "device"]

    assert parts(ours) == parts(theirs)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("name", ["tiny", "tiny_ft", "tiny_bag"])
def test_stems_are_those_of_demucs(repo, name):
    """The same tensors to 60 dB, from one and from several networks."""
    wav = torch.from_numpy(song(3))
    origin, ours = api.Separator(name, repo, device="cpu", shifts=0).separate_tensor(wav.clone(), RATE)
    _, theirs = demucs.api.Separator(name, repo, device="cpu", shifts=0).separate_tensor(wav.clone(), RATE)
    torch.testing.assert_close(origin, wav)
    assert list(ours) == list(theirs)
    for stem, expected in theirs.items():
        assert ours[stem].shape == expected.shape
        assert ours[stem].dtype == expected.dtype
        assert (ours[stem] - expected).norm() < 1e-3 * expected.norm()


@pytest.mark.parametrize("name", ["tiny", "aaaa0003"])
def test_a_song_that_is_not_split_is_one_segment(repo, name):
    """The same tensors as demucs, also where the song is longer than a network of this kind is used to."""
    wav = torch.from_numpy(song(1.9 if name == "tiny" else 9))
    _, ours = api.Separator(name, repo, device="cpu", shifts=0, split=False).separate_tensor(wav.clone(), RATE)
    _, theirs = demucs.api.Separator(name, repo, device="cpu", shifts=0, split=False).separate_tensor(wav.clone(), RATE)
    for stem, expected in theirs.items():
        assert (ours[stem] - expected).norm() < 1e-3 * expected.norm()


def test_files_give_what_their_samples_give(repo, track):
    """The song comes back at the model's rate, in stereo, with its stems."""
    separator = api.Separator("tiny", repo, device="cpu", shifts=0)
    origin, stems = separator.separate_audio_file(track)
    expected, theirs = demucs.api.Separator("tiny", repo, device="cpu", shifts=0).separate_audio_file(track)
    torch.testing.assert_close(origin, expected, atol=1e-4, rtol=0)
    assert (stems["vocals"] - theirs["vocals"]).norm() < 1e-2 * theirs["vocals"].norm()
    assert (separator.samplerate, separator.audio_channels) == (44100, 2)


@pytest.mark.parametrize(("rate", "channels"), [(22050, 1), (48000, 2)])
def test_other_rates_and_channels_are_converted(tmp_path, rate, channels):
    """By the worker: as long as demucs makes it, and the same song."""
    time = np.arange(rate) / rate
    tone = np.repeat((0.5 * np.sin(2 * np.pi * 220 * time))[:, None], channels, axis=1)
    soundfile.write(tmp_path / "tone.wav", tone, rate, "FLOAT")
    ours = audio.AudioFile(tmp_path / "tone.wav").read(streams=0, samplerate=44100, channels=2)
    expected = demucs.audio.convert_audio(torch.from_numpy(tone.T).float(), rate, 44100, 2)
    assert ours.shape == expected.shape
    assert (ours - expected)[:, 2000:-2000].abs().max() < 1e-3
    ours = audio.convert_audio(torch.from_numpy(tone.T).float(), rate, 44100, 2)
    assert (ours - expected)[:, 2000:-2000].abs().max() < 1e-3


@pytest.mark.parametrize("name", ["tiny", "tiny_ft"])
def test_callbacks_are_those_of_demucs(repo, name):
    """Without shifts, the same calls in the same order with the same values; what the program adds is in each."""

    def calls(module):
        made = []
        extra = {"job": 7, "state": "hidden"}
        separator = module.Separator(
            name, repo, device="cpu", shifts=0, segment=1, callback=made.append, callback_arg=extra
        )
        separator.separate_tensor(torch.from_numpy(song(2.5)))
        return made

    ours = calls(api)
    assert ours == calls(demucs.api)
    assert set(ours[0]) == KEYS | {"job"}


def test_shifts_are_told_too(repo):
    """Each pass over the song by its number."""
    made = []
    separator = api.Separator("tiny", repo, device="cpu", shifts=2, segment=1, callback=made.append)
    separator.separate_tensor(torch.from_numpy(song(1)))
    assert sorted({call["shift_idx"] for call in made}) == [0, 1]


def test_an_interrupt_in_the_callback_cancels(repo):
    """And the separator can be used again."""

    def stop(call):
        raise KeyboardInterrupt

    separator = api.Separator("tiny", repo, device="cpu", callback=stop)
    with pytest.raises(KeyboardInterrupt):
        separator.separate_tensor(torch.from_numpy(song(2)))
    separator.update_parameter(callback=None)
    assert separator.separate_tensor(torch.from_numpy(song(1)))[1].keys() == {"drums", "bass", "other", "vocals"}


def test_a_wrong_model_is_demucss_error():
    """With names that are like it."""
    with pytest.raises(ModelLoadingError, match="htdemucs"):
        api.Separator("htdemuks")


def test_a_song_that_is_none_is_demucss_error(repo, tmp_path):
    """As where demucs cannot read it; a file without samples is no song either."""
    (tmp_path / "no.mp3").write_text("no", encoding="utf-8")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), RATE)
    separator = api.Separator("tiny", repo, device="cpu")
    for name in ("no.mp3", "none.wav"):
        with pytest.raises(api.LoadAudioError, match=name):
            separator.separate_audio_file(tmp_path / name)


def test_models_are_listed_like_demucs(repo):
    """A folder's by kind; without a folder all that DSU knows, among them all of demucs."""
    ours, theirs = api.list_models(repo), demucs.api.list_models(repo)
    assert {kind: sorted(names) for kind, names in ours.items()} == {kind: sorted(n) for kind, n in theirs.items()}
    ours, theirs = api.list_models(), demucs.api.list_models()
    assert all(set(theirs[kind]) <= set(ours[kind]) for kind in ("single", "bag"))


@pytest.mark.parametrize(
    "options", [{}, {"bits_per_sample": 24}, {"as_float": True}, {"clip": "clamp"}, {"clip": "tanh"}, {"clip": "none"}]
)
def test_saved_wav_files_have_demucss_samples(tmp_path, options):
    """Whatever the sample type and the way to avoid clipping."""
    wav = torch.from_numpy(song(0.2)) * 8
    api.save_audio(wav, tmp_path / "ours.wav", RATE, **options)
    demucs.api.save_audio(wav, tmp_path / "theirs.wav", RATE, **options)
    ours, theirs = (soundfile.read(tmp_path / f"{name}.wav", dtype="float32") for name in ("ours", "theirs"))
    assert ours[1] == theirs[1]
    np.testing.assert_allclose(ours[0], theirs[0], atol=2**-15)  # a step of 16 bits
    assert soundfile.info(tmp_path / "ours.wav").subtype == soundfile.info(tmp_path / "theirs.wav").subtype


# In the manner of programs --------------------------------------------------------------------------------------------


def test_programs_that_normalise_and_apply(repo, track):
    """get_model, AudioFile.read, apply_model on a batch of one, and back: as analysis programs call it."""

    def stems(get_model, apply_model, audio_file):
        model = get_model("tiny", repo)
        model.to("cpu").eval()
        wav = audio_file(track).read(streams=0, samplerate=model.samplerate, channels=model.audio_channels)
        ref = wav.mean(0)
        wav = (wav - ref.mean()) / ref.std()
        with torch.no_grad():
            sources = apply_model(model, wav[None], device="cpu", shifts=0, split=True, overlap=0.25, progress=False)[0]
        return dict(zip(model.sources, sources * ref.std() + ref.mean(), strict=True))

    ours = stems(pretrained.get_model, apply.apply_model, audio.AudioFile)
    read = types.SimpleNamespace(separator=demucs.api.Separator("tiny", repo, device="cpu"))
    theirs = stems(
        demucs.pretrained.get_model,
        demucs.apply.apply_model,
        lambda path: types.SimpleNamespace(read=lambda **_: read.separator._load_audio(path)),
    )
    for stem, expected in theirs.items():
        assert (ours[stem] - expected).norm() < 1e-2 * expected.norm()


def test_programs_with_a_bar_and_one_stem(repo, track, tmp_path):
    """Separator with a callback for a bar, the stems but the vocals summed, save_audio: as desktop programs call it."""
    shares = []

    def bar(call):
        if call["state"] == "end":
            shares.append((call["model_idx_in_bag"] + call["segment_offset"] / call["audio_length"]) / call["models"])

    separator = api.Separator(model="tiny_bag", repo=repo, device="cpu", segment=1, callback=bar)
    _, stems = separator.separate_audio_file(str(track))
    api.save_audio(
        sum(stem for name, stem in stems.items() if name != "vocals"), tmp_path / "rest.wav", separator.samplerate
    )
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] < 1
    assert soundfile.info(tmp_path / "rest.wav").frames == 3 * RATE


def program(folder, *words, **options):
    """Python with the installed package before all others, and this client."""
    path = os.pathsep.join([str(folder), str(Path(dsu_client.__file__).parents[1])])
    env = {**os.environ, "PYTHONPATH": path, "DSU_HOME": str(ROOT), "DSU_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *map(str, words)], env=env, capture_output=True, text=True, check=False, **options
    )


def test_installed_it_is_demucs_and_the_worker_has_the_real_one(repo, tmp_path, track):
    """Every way to import it, `python -m`, and a job in which the worker itself needs the demucs package."""
    assert install.main(["demucs", "--target", str(tmp_path / "site")]) == 0
    code = f"""
        import demucs, demucs.separate, sys
        from demucs import api
        from demucs.api import Separator
        from demucs.apply import apply_model, BagOfModels
        assert Separator is api.Separator and demucs.__version__ == "4.1.0"
        assert "dsu_client" in api.__file__, api.__file__
        _, stems = Separator("tiny", {str(repo)!r}, device="cpu").separate_audio_file({str(track)!r})
        print(sorted(stems), type(stems["bass"]).__module__)
        demucs.separate.main(["-n", "tiny", "--repo", {str(repo)!r}, "-d", "cpu", "-o", {str(tmp_path / "cli")!r}, {str(track)!r}])
    """
    done = program(tmp_path / "site", "-c", inspect.cleandoc(code))
    assert done.returncode == 0, done.stderr
    assert "['bass', 'drums', 'other', 'vocals'] torch" in done.stdout
    assert sorted(path.name for path in (tmp_path / "cli" / "tiny" / "song").iterdir()) == [
        f"{stem}.wav" for stem in ("bass", "drums", "other", "vocals")
    ]
    for module in ("demucs", "demucs.separate"):
        done = program(tmp_path / "site", "-m", module, "--list-models")
        assert "htdemucs_ft" in done.stdout, done.stderr


def test_a_command_line_that_fails_ends_the_program(capfd):
    """With the status of dsu-demucs, and what it says."""
    with pytest.raises(SystemExit) as ended:
        separate.main(["--nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends programs without a signal")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_command_line_does_not_outlive_the_program(name):
    """The program that was started ends first, in its own time; then this one by its signal. The pipe is closed by both."""
    child = """
        import os, signal
        def end(*_):
            os.write(1, b"tidied\\n")  # a signal may come while `print` is still at it
            raise SystemExit
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        signal.pause()
    """
    code = f"""
        import sys
        from dsu_client.compat import host
        host.find_program = lambda kind: [sys.executable, "-c", {inspect.cleandoc(child)!r}]
        host.run_program("demucs", [])
    """
    env = {**os.environ, "PYTHONPATH": str(Path(dsu_client.__file__).parents[1])}
    command = [sys.executable, "-c", inspect.cleandoc(code)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, name))
        assert process.stdout.read() == "tidied\n"
    assert process.returncode == -getattr(signal, name)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends programs without a signal")
def test_a_command_line_ends_with_a_program_that_is_killed(tmp_path, repo):
    """It notices by itself, and leaves nothing half-written."""
    track = tmp_path / "song.wav"
    soundfile.write(track, song(60).T, RATE)
    words = ["-d", "cpu", "--repo", str(repo), "-n", "tiny", "-o", "out", "--shifts", "100", str(track)]
    code = f"""
        from dsu_client.compat.demucs import separate
        separate.main({words})
    """
    env = {**os.environ, "PYTHONPATH": str(Path(dsu_client.__file__).parents[1])}
    command = [sys.executable, "-c", inspect.cleandoc(code)]
    with subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while b"Separating track" not in (line := process.stdout.readline()):
            assert line
        process.kill()
        process.stdout.read()  # until both have ended
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [track]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends programs without a signal")
def test_a_program_that_is_told_to_end_leaves_no_samples(tmp_path):
    """It ends by the signal, when what it had given to the worker is gone."""
    code = """
        import numpy, sys
        from dsu_client import DSU
        def hear(line):
            print(line["status"], flush=True)
        with DSU(device="cpu") as dsu:
            dsu.separate(numpy.zeros((2, 44100 * 600), "f"), sample_rate=44100, model="dsu_mini", on_line=hear)
    """
    env = {**os.environ, "PYTHONPATH": str(Path(dsu_client.__file__).parents[1]), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", inspect.cleandoc(code)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        while (line := process.stdout.readline()) != "separating\n":
            assert line
        assert len(list(tmp_path.glob("dsu-client-*"))) == 1
        process.terminate()
        process.stdout.read()
    assert process.returncode == -signal.SIGTERM
    assert list(tmp_path.glob("dsu-client-*")) == []


def test_another_package_is_never_replaced(tmp_path, capsys):
    """The real one stays; our own is written anew."""
    (tmp_path / "demucs").mkdir()
    assert install.main(["demucs", "--target", str(tmp_path)]) == 1
    assert "another package" in capsys.readouterr().err
    assert list((tmp_path / "demucs").iterdir()) == []
    assert install.main(["demucs", "--target", str(tmp_path / "site")]) == 0
    assert install.main(["demucs", "--target", str(tmp_path / "site")]) == 0
