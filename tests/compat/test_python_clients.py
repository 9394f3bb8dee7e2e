"""Programs that call demucs, audio-separator and pymss in their own ways, on the modules of the Python client."""

import math
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import demucs.api
import demucs.apply
import demucs.audio
import demucs.pretrained
import dsu_client
import numpy as np
import pytest
import soundfile
import torch
from dsu_client.compat import host, install
from dsu_client.compat.audio_separator.separator import Separator
from dsu_client.compat.demucs import api, apply, audio, pretrained, separate
from dsu_client.compat.demucs_provider import DemucsProvider
from dsu_client.compat.pymss import MSSeparator
from python_rows import ROWS
from worker_process import ROOT

from tools.fixtures.models import make_models
from tools.fixtures.song_stems import write_song

pytestmark = pytest.mark.e2e
OURS = SimpleNamespace(api=api, apply=apply, audio=audio, pretrained=pretrained)
THEIRS = SimpleNamespace(api=demucs.api, apply=demucs.apply, audio=demucs.audio, pretrained=demucs.pretrained)
STEMS = {"drums", "bass", "other", "vocals"}
WAYS = {}


@pytest.fixture(scope="module")
def models(worker_dir, tmp_path_factory):
    """Small models, and the worker that all programs here share."""
    folder = tmp_path_factory.mktemp("models")
    make_models(folder, ["demucs", "audio-separator"])
    place = {"directory": worker_dir} if worker_dir else {"directory": ROOT, "python": sys.executable}
    host.configure(**place, device="cpu", threads=1, offline=True, models_dir=folder)
    yield folder
    host.configure()


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    """A song of 2 s."""
    return write_song(tmp_path_factory.mktemp("songs") / "song.wav", 2.0, with_stems=False)[0]


def way(words):
    """Marks a function as how the program of this row calls."""

    def mark(function):
        WAYS[words] = function
        return function

    return mark


def alike(ours, theirs):
    """The same stems, to 60 dB."""
    assert list(ours) == list(theirs)
    for name, expected in theirs.items():
        assert (ours[name] - expected).norm() < 1e-3 * expected.norm()


def wav(path):
    return torch.from_numpy(soundfile.read(path, dtype="float32")[0].T.copy())


@way(ROWS[0].words)
def all_in_one(models, track, folder):
    assert install.main(["demucs", "--target", str(folder / "site")]) == 0
    path = os.pathsep.join([str(folder / "site"), str(Path(dsu_client.__file__).parents[1])])
    words = ["--out", folder / "demix", "--name", "tiny", "--device", "cpu", track, track.with_name("again.wav")]
    track.with_name("again.wav").write_bytes(track.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "demucs.separate", *map(str, words)],
        env={**os.environ, "PYTHONPATH": path, "DSU_HOME": str(ROOT), "DSU_OFFLINE": "1", "DSU_MODELS": str(models)},
        check=True,
    )
    for song in (track.stem, "again"):
        assert all((folder / "demix" / "tiny" / song / f"{stem}.wav").is_file() for stem in STEMS)


@way(ROWS[1].words)
def ultrasinger(models, track, folder):
    os.environ["DSU_MODELS"] = str(models)
    separate.main(["--two-stems", "vocals", "-n", "tiny", "-d", "cpu", "--out", str(folder), str(track)])
    written = {path.name for path in (folder / "tiny" / track.stem).iterdir()}
    assert written == {"vocals.wav", "no_vocals.wav"}


@way(ROWS[2].words)
def videolingo(models, track, folder):
    assert audio.AudioFile(track).channels(0) == 2

    def background(package):
        class Loaded(package.api.Separator):
            def __init__(self, model):
                self._model, self._audio_channels, self._samplerate = model, model.audio_channels, model.samplerate
                self.update_parameter(
                    device="cpu", shifts=0, overlap=0.25, split=True, segment=None, jobs=0, progress=False,
                    callback=None, callback_arg=None,
                )  # fmt: skip

        separator = Loaded(package.pretrained.get_model("tiny", models / "demucs"))
        song = package.audio.convert_audio_channels(wav(track), 2)
        _, stems = separator.separate_tensor(song, 44100)
        return {"background": sum(stem for name, stem in stems.items() if name != "vocals").cpu()}

    alike(background(OURS), background(THEIRS))


@way(ROWS[3].words)
def first_api(models, track, folder):
    def stems(package):
        model = package.pretrained.get_model("tiny", models / "demucs")
        model.cpu()
        model.eval()
        song = wav(track)
        ref = song.mean(0)
        with torch.no_grad():
            made = package.apply.apply_model(model, ((song - ref.mean()) / ref.std())[None], device="cpu", shifts=0)[0]
        return dict(zip(model.sources, made * ref.std() + ref.mean(), strict=True))

    ours = stems(OURS)
    alike(ours, stems(THEIRS))
    audio.save_audio(ours["vocals"], str(folder / "vocals.wav"), samplerate=44100)
    assert soundfile.info(folder / "vocals.wav").frames == soundfile.info(track).frames


@way(ROWS[4].words)
def demucs_gui(models, track, folder):
    shares = []
    separator = api.Separator(model="tiny_ft", repo=models / "demucs", progress=False)
    assert isinstance(separator.model, apply.BagOfModels)
    segment = min(model.segment for model in separator.model.models) / 4
    assert len(separator.model.weights) == len(separator.model.models)
    separator.model.to("cpu")

    def bar(told):
        step = Fraction(told["segment_offset"], told["audio_length"])
        if told["state"] == "end":
            step += Fraction(int(segment * 0.75 * separator.samplerate), told["audio_length"])
        shares.append((told["model_idx_in_bag"] + min(step, Fraction(1))) * Fraction(1, told["models"]))

    separator.update_parameter(device="cpu", segment=segment, shifts=0, overlap=0.25, callback=bar)
    song = torch.from_numpy(soundfile.read(track, dtype="float32")[0]).clone().transpose(0, 1)
    assert set(separator.separate_tensor(song)[1]) == STEMS
    assert shares == sorted(shares)
    assert shares[-1] == 1

    def stop(told):
        raise KeyboardInterrupt

    separator.update_parameter(callback=stop)
    with pytest.raises(KeyboardInterrupt):
        separator.separate_tensor(song)


@way(ROWS[5].words)
def echozero(models, track, folder):
    separator = api.Separator(model="tiny", repo=models / "demucs", device="cpu", shifts=1, segment=None)
    _, separated = separator.separate_audio_file(Path(track))
    for name in STEMS:
        soundfile.write(folder / f"{name}.wav", separated[name].cpu().numpy().T, separator.samplerate)
    rest = torch.zeros_like(next(iter(separated.values())))
    assert rest.shape[-1] / separator.samplerate == pytest.approx(2.0)
    assert separate.load_track(Path(track), 2, 44100).shape == rest.shape


@way(ROWS[6].words)
def karaoke_gen(models, track, folder):
    os.chdir(folder)
    separator = Separator(log_level=30, log_formatter=None, model_file_dir=str(models), output_format="FLAC")
    moved = {}
    for model in ("tiny_vr_vocals.pth", "tiny"):
        separator.load_model(model_filename=model)
        for file in separator.separate(str(track)):
            stem = file[file.rfind("_(") + 2 : file.rfind(")_")]
            moved[model, stem] = folder / f"artist - title ({stem} {model}).FLAC"
            Path(file).replace(moved[model, stem])
    assert {stem for model, stem in moved if model == "tiny"} == {name.capitalize() for name in STEMS}
    assert {stem for model, stem in moved if model != "tiny"} == {"Vocals", "Instrumental"}
    assert all(soundfile.info(path).format == "FLAC" for path in moved.values())


@way(ROWS[7].words)
def kept_loaded(models, track, folder):
    separator = Separator(model_file_dir=str(models), output_dir=str(folder / "first"), log_level=30)
    separator.load_model(model_filename="tiny_vr_vocals.pth")
    for name in ("a", "b"):
        separator.output_dir = str(folder / name)
        if getattr(separator, "model_instance", None) is not None:
            separator.model_instance.output_dir = str(folder / name)
        vocals = next(file for file in separator.separate(str(track)) if "(Vocals)" in file)
        assert (folder / name / vocals).is_file()
    assert list((folder / "first").iterdir()) == []


@way(ROWS[8].words)
def pymss_caller(models, track, folder):
    told = []
    separator = MSSeparator.from_model_name(
        "dsu_mini",
        device="cpu",
        store_dirs={"vocals": str(folder / "voice"), "bass": str(folder / "low")},
        progress_callback=lambda done, total, message: told.append(done / total),
    )
    with separator as loaded:
        songs = loaded.process_folder(str(track.parent))
    assert track.name in songs
    assert (folder / "voice" / f"{track.stem}_vocals.wav").is_file()
    assert (folder / "low" / f"{track.stem}_bass.wav").is_file()
    assert told[-1] == 1


@way(ROWS[9].words)
def provider(models, track, folder):
    told = {}
    provider = DemucsProvider("tiny")
    stems = provider.get_stems(track, folder, progress_callback=lambda message, share: told.update({message: share}))
    assert all(np.isfinite(soundfile.read(stems / f"{name}.wav")[0]).all() for name in STEMS)
    assert math.isclose(min(told.values()), 0.1)
    assert told["Separation complete"] == 1
    provider.clear_model_cache()


@way(ROWS[10].words)
def stemwerk(models, track, folder):
    separator = Separator(
        output_dir=str(folder / "out"),
        model_file_dir=str(models),
        output_format="WAV",
        normalization_threshold=0.9,
        log_level=10,
        use_directml=False,
        mdx_params={"device": "cpu"},
        demucs_params={"device": "cpu"},
    )
    separator.load_model("tiny")
    moved = {}
    for file in separator.separate(str(track)):
        path = Path(file) if Path(file).is_absolute() else folder / "out" / file
        (stem,) = (name for name in STEMS if name in path.stem.lower())
        moved[stem] = path.replace(folder / "out" / f"{stem}.wav")
    assert set(moved) == STEMS
    assert all(soundfile.info(path).frames == soundfile.info(track).frames for path in moved.values())


@pytest.mark.parametrize("row", ROWS, ids=[row.shows.partition(":")[0].partition(",")[0] for row in ROWS])
def test_programs_run_on_dsu(row, models, track, tmp_path, monkeypatch):
    """Each in its own way of calling."""
    monkeypatch.setenv("DSU_MODELS", "")
    monkeypatch.setenv("DSU_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    WAYS[row.words](models, track, tmp_path)
