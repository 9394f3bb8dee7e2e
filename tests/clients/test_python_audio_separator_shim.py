"""`audio_separator` on DSU: signature, names of files, settings, lists and errors, as programs of the package know them."""

import inspect
import logging
from pathlib import Path

import pytest
import soundfile
from dsu_client.compat import host, install
from dsu_client.compat.audio_separator.separator import (
    AudioExportError,
    BatchSeparationError,
    InvalidAudioDataError,
    Separator,
)
from dsu_client.compat.audio_separator.utils import cli
from python_shims import plain_signature, program, signature_in_source, small_models, write_track
from python_workers import RATE, real

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", autouse=True)
def models(worker_dir, tmp_path_factory):
    """Small models, and the worker that all calls here share."""
    folder = small_models(tmp_path_factory.mktemp("models"))
    host.configure(**real(worker_dir, folder, models_dir=folder))
    yield folder
    host.configure()


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    return str(write_track(tmp_path_factory.mktemp("songs")))


@pytest.fixture
def separator(tmp_path):
    return Separator(output_dir=str(tmp_path / "out"), log_level=logging.WARNING)


@pytest.mark.parametrize(
    "method",
    [
        "__init__",
        "load_model",
        "separate",
        "download_model_files",
        "download_model_and_data",
        "get_simplified_model_list",
    ],
)
def test_signatures_are_those_of_the_package(method):
    """Names, order and defaults."""
    ours = [row if row[0] != "log_level" else ("log_level", "…") for row in plain_signature(getattr(Separator, method))]
    assert ours == signature_in_source("audio_separator.separator.separator", "Separator", method)


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("tiny_vr_vocals.pth", ["song_(Vocals)_tiny_vr_vocals.wav", "song_(Instrumental)_tiny_vr_vocals.wav"]),
        (
            "tiny_mdx_instrumental.onnx",
            ["song_(Vocals)_tiny_mdx_instrumental.wav", "song_(Instrumental)_tiny_mdx_instrumental.wav"],
        ),
        ("tiny_mdx23c", ["song_(other)_tiny_mdx23c.wav", "song_(vocals)_tiny_mdx23c.wav"]),
        ("target", ["song_(other)_target.wav", "song_(vocals)_target.wav"]),
        ("tiny", [f"song_({stem})_tiny.wav" for stem in ("Bass", "Drums", "Other", "Vocals")]),
        ("dsu_mini", [f"song_({stem})_dsu_mini.wav" for stem in ("drums", "bass", "other", "vocals")]),
    ],
)
def test_files_have_the_packages_names(separator, track, tmp_path, model, files):
    """In its order, the second of two stems first but for VR; names are returned, files are in `output_dir`, and nothing else is."""
    separator.load_model(model_filename=model)
    assert separator.separate(track) == files
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(files)
    assert soundfile.info(tmp_path / "out" / files[0]).frames == 2 * RATE


def test_a_program_names_its_files(separator, track):
    """By stem, in any case; the others keep their names."""
    separator.load_model("tiny_mdx23c")
    assert separator.separate(track, custom_output_names={"VOCALS": "the voice"}) == [
        "song_(other)_tiny_mdx23c.wav",
        "the voice.wav",
    ]


@pytest.mark.parametrize(
    ("model", "stem", "files"),
    [
        ("tiny_vr_vocals.pth", "vocals", ["song_(Vocals)_tiny_vr_vocals.wav"]),
        ("tiny", "Drums", ["song_(Drums)_tiny.wav"]),
        ("target", "Other", ["song_(other)_target.wav"]),
        ("tiny_mdx23c", "Piano", []),
        ("tiny", "Piano", []),
        ("dsu_mini", "Bass", ["song_(bass)_dsu_mini.wav"]),
        ("dsu_mini", "Piano", [f"song_({stem})_dsu_mini.wav" for stem in ("drums", "bass", "other", "vocals")]),
        ("tiny_vr_vocals.pth", "Piano", [f"song_({stem})_tiny_vr_vocals.wav" for stem in ("Vocals", "Instrumental")]),
    ],
)
def test_a_single_stem(track, tmp_path, model, stem, files):
    """Where the model has no such stem it is none, or all of a VR model and of a network of many, as from the package."""
    separator = Separator(output_dir=str(tmp_path), output_single_stem=stem, log_level=logging.ERROR)
    separator.load_model(model)
    assert separator.separate(track) == files
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_the_folder_is_changed_between_songs(separator, track, tmp_path):
    """On the separator, on the model, or on both; the model stays loaded."""
    separator.load_model("tiny_mdx23c")
    for index, change in enumerate(("separator", "model", "both")):
        folder = tmp_path / str(index)
        if change != "model":
            separator.output_dir = str(folder)
        if change != "separator":
            separator.model_instance.output_dir = str(folder)
        assert all((folder / name).is_file() for name in separator.separate(track))
    model = separator.model_instance
    assert (model.model_name, model.primary_stem_name, model.secondary_stem_name) == ("tiny_mdx23c", "vocals", "other")


def test_settings_reach_the_worker(track, tmp_path):
    """All of them, under the names that the worker has for them; the size of batches is that of the model's type."""
    separator = Separator(
        output_dir=str(tmp_path),
        output_format="MP3",
        output_bitrate="192k",
        sample_rate=48000,
        normalization_threshold=0.8,
        amplification_threshold=0.1,
        vr_params={"window_size": 320, "aggression": 7, "enable_tta": True, "enable_post_process": True},
        mdx_params={"segment_size": 64, "enable_denoise": True, "overlap": 0.5},
        mdxc_params={"overlap": 4, "batch_size": 2, "pitch_shift": 2, "override_model_segment_size": True},
        demucs_params={"segment_size": 2, "shifts": 1, "segments_enabled": False},
        log_level=logging.WARNING,
    )
    separator.load_model("tiny_mdx23c")
    assert separator._options() == {
        "model": "tiny_mdx23c",
        "batch_size": 2,
        "format": "mp3",
        "bitrate": 192,
        "output_sample_rate": 48000,
        "normalization": 0.8,
        "amplification": 0.1,
        "invert_spect": False,
        "vr_window_size": 320,
        "vr_aggression": 7,
        "vr_enable_tta": True,
        "vr_post_process": True,
        "mdx_segment_size": 64,
        "mdx_enable_denoise": True,
        "mdx_overlap": 0.5,
        "mdxc_overlap": 4,
        "mdxc_pitch_shift": 2,
        "mdxc_override_model_segment_size": True,
        "demucs_segment_s": 2,
        "demucs_shifts": 1,
        "demucs_split": False,
    }
    written = separator.separate(track)
    assert {soundfile.info(tmp_path / name).samplerate for name in written} == {48000}


@pytest.mark.parametrize(("device", "expected"), [("cuda:0", "fp16"), ("cpu", None)])
def test_half_precision_is_for_graphics_cards(tmp_path, monkeypatch, device, expected):
    """On a processor the package has nothing of it either."""
    separator = Separator(output_dir=str(tmp_path), use_autocast=True, log_level=logging.WARNING)
    separator.load_model("tiny_mdx23c")
    monkeypatch.setattr(type(host.worker()), "get_status", lambda worker: {"device": device})
    assert separator._options().get("precision") == expected


def test_an_ensemble_of_several_models(separator, track, tmp_path):
    """By a list: one file for each stem, named after the models, and paths in place of names."""
    separator.ensemble_algorithm = "uvr_max_spec"
    separator.ensemble_weights = [1.0]  # too few, so they do not count
    separator.load_model(["tiny_mdx23c", "tiny_bs_roformer"])
    assert separator.model_instance is None
    written = separator.separate(track)
    tail = "custom_ensemble_tiny_mdx23c_tiny_bs_rofo.wav"
    assert written == [str(tmp_path / "out" / f"song_({stem})_{tail}") for stem in ("Instrumental", "Vocals")]
    assert all(Path(path).is_file() for path in written)


def test_a_preset_chooses_its_models(tmp_path):
    """Where no other model is named."""
    separator = Separator(output_dir=str(tmp_path), ensemble_preset="karaoke")
    separator.load_model()
    assert separator.model_filenames == separator.list_ensemble_presets()["karaoke"]["models"]
    assert separator.ensemble_algorithm == "avg_wave"


def test_a_folder_is_searched_and_failures_come_together(separator, tmp_path):
    """All songs are tried; the error has what was written, and each failure with the package's own error."""
    songs = tmp_path / "songs"
    write_track(songs / "below", "good.wav", 0.5)
    (songs / "bad.mp3").write_text("no song")
    (songs / "notes.txt").write_text("not looked at")
    separator.load_model("tiny_mdx23c")
    with pytest.raises(BatchSeparationError, match=r"bad\.mp3") as caught:
        separator.separate([str(songs), str(songs / "lost.wav")])
    assert caught.value.successful_files == ["good_(other)_tiny_mdx23c.wav", "good_(vocals)_tiny_mdx23c.wav"]
    assert [(Path(path).name, type(error)) for path, error in caught.value.failures] == [
        ("bad.mp3", InvalidAudioDataError),
        ("lost.wav", FileNotFoundError),
    ]
    assert separator.separate(str(songs / "below")) == caught.value.successful_files


def test_an_empty_name_is_not_the_working_directory(separator, track, monkeypatch):
    """A program that has no song does not want all that lie around."""
    monkeypatch.chdir(Path(track).parent)
    separator.load_model("tiny_mdx23c")
    with pytest.raises(FileNotFoundError):
        separator.separate("")
    with pytest.raises(BatchSeparationError) as caught:
        separator.separate([""])
    assert caught.value.successful_files == []


def test_a_format_that_is_not_written_is_the_packages_error(separator, track, tmp_path):
    """The song and the reason are in it, and nothing is left behind."""
    separator.load_model("tiny_mdx23c")
    separator.output_format = "WMA"
    with pytest.raises(AudioExportError, match="wma") as caught:
        separator.separate(track)
    assert caught.value.path == track
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_separated_without_a_model(separator, track):
    """The package's error says so."""
    with pytest.raises(ValueError, match="load_model"):
        separator.separate(track)
    with pytest.raises(ValueError, match="not found in supported model files"):
        separator.load_model("model_bs_rofo_ep_1.ckpt")


def test_a_model_that_is_missing_is_downloaded(separator, track):
    """As the package does, also the models of an ensemble; the test's worker is offline, and says so."""
    with pytest.raises(RuntimeError, match=r"`UVR-MDX-NET-Inst_HQ_3\.onnx` was not downloaded"):
        separator.load_model("UVR-MDX-NET-Inst_HQ_3.onnx")
    separator.load_model(["tiny_mdx23c", "UVR-MDX-NET-Inst_HQ_3.onnx"])
    with pytest.raises(RuntimeError, match=r"`UVR-MDX-NET-Inst_HQ_3\.onnx` was not downloaded"):
        separator.separate(track)


@pytest.mark.parametrize(
    "options",
    [
        {"normalization_threshold": 0},
        {"amplification_threshold": 2},
        {"sample_rate": "fast"},
        {"chunk_duration": 0},
        {"ensemble_preset": "loud"},
        {"use_autocast": True, "use_native_fp16": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_wrong_settings_are_refused(tmp_path, options):
    """At once, as the package does."""
    with pytest.raises(ValueError, match=next(iter(options)).partition("_")[0]):
        Separator(output_dir=str(tmp_path), **options)


def test_models_are_listed_by_type(separator):
    """By the package's names, with file names, stems and scores; the simple list is sorted, or filtered by a stem."""
    listed = separator.list_supported_model_files()
    assert list(listed) == ["VR", "MDX", "Demucs", "MDXC"]
    best = listed["MDXC"]["Roformer Model: BS-Roformer-Viperx-1297"]
    assert best["download_files"] == [f"model_bs_roformer_ep_317_sdr_12.9755.{suffix}" for suffix in ("ckpt", "yaml")]
    assert (best["stems"], best["target_stem"]) == (["vocals", "instrumental"], "vocals")
    assert best["scores"]["vocals"]["SDR"] > 10
    simple = separator.get_simplified_model_list()
    assert simple["tiny_vr_vocals.pth"]["Type"] == "VR"
    assert simple["htdemucs_ft.yaml"]["Name"] == "Demucs v4: htdemucs_ft"
    assert list(separator.get_simplified_model_list("filename")) == sorted(simple)
    drums = separator.get_simplified_model_list("drums")
    scores = [row["SDR"]["drums"] for row in drums.values() if row["SDR"]["drums"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert "UVR-MDX-NET-Inst_HQ_3.onnx" not in drums


def test_models_are_fetched(separator):
    """What the package tells of one that is there; the error for a name that does not exist."""
    name, kind, _, path, configuration = separator.download_model_files("dsu_mini")
    assert (name, kind, configuration) == ("dsu_mini", "MDXC", None)
    assert Path(path).is_file()
    with pytest.raises(ValueError, match="supported model files"):
        separator.download_model_and_data("nothing.ckpt")


def test_a_folder_of_models_is_the_models_directory(models, tmp_path, monkeypatch, track):
    """By the argument, or by the variable, which goes first and must exist."""
    (tmp_path / "none").mkdir()
    separator = Separator(model_file_dir=str(tmp_path / "none"), output_dir=str(tmp_path), log_level=logging.ERROR)
    with pytest.raises(ValueError, match="supported"):
        separator.load_model("tiny_mdx23c")
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(models))
    separator = Separator(model_file_dir=str(tmp_path / "none"), output_dir=str(tmp_path), log_level=logging.ERROR)
    separator.load_model("tiny_mdx23c")
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(tmp_path / "lost"))
    with pytest.raises(FileNotFoundError, match="lost"):
        Separator(info_only=True)


def test_the_command_line_is_that_of_dsu(monkeypatch):
    """`audio_separator.utils.cli.main` runs dsu-audio-separator with the arguments of this process."""
    asked = []
    monkeypatch.setattr(cli, "run_program", lambda kind, words: asked.append((kind, words)))
    cli.main()
    assert asked == [("audio-separator", None)]


def test_installed_it_is_audio_separator(models, tmp_path, track):
    """In a program of its own."""
    assert install.main(["audio_separator", "--target", str(tmp_path / "site")]) == 0
    code = f"""
        import sys
        sys.modules["numpy"] = sys.modules["torch"] = None  # neither is needed
        from audio_separator.separator import BatchSeparationError, Separator
        from audio_separator.separator.exceptions import InvalidAudioDataError
        import audio_separator.separator.separator as module
        assert "dsu_client" in module.__file__, module.__file__
        separator = Separator(output_dir={str(tmp_path / "out")!r}, model_file_dir={str(models)!r})
        separator.load_model("tiny_vr_vocals.pth")
        print(separator.separate({track!r}))
    """
    done = program(tmp_path / "site", "-c", inspect.cleandoc(code))
    assert done.returncode == 0, done.stderr
    assert "song_(Vocals)_tiny_vr_vocals.wav" in done.stdout
