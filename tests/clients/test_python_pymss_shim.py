"""`pymss` on DSU: signature, files and folders, arrays, progress, models by name, and how programs call it."""

import inspect
import logging

import numpy as np
import pytest
import soundfile
from dsu_client.compat import host, install, pymss
from dsu_client.compat.pymss.audio_io import file_options, kilobits
from python_shims import plain_signature, program, small_models, write_track
from python_workers import RATE, real, song

pytestmark = pytest.mark.e2e
STEMS = ["drums", "bass", "other", "vocals"]
# The facts of version 2.1.
SIGNATURES = {
    "__init__": [
        ("model_type", "…"),
        ("model_path", "…"),
        ("config_path", None),
        ("device", "auto"),
        ("device_ids", [0]),
        ("output_format", "wav"),
        ("use_tta", False),
        ("store_dirs", "results"),
        ("save_as_folder", False),
        (
            "audio_params",
            {
                "wav_bit_depth": "FLOAT",
                "flac_bit_depth": "PCM_24",
                "mp3_bit_rate": "320k",
                "m4a_bit_rate": "512k",
                "m4a_codec": "aac",
                "m4a_aac_at_quality": 2,
            },
        ),
        ("logger", None),
        ("debug", False),
        ("progress_callback", None),
        (
            "inference_params",
            {
                "batch_size": None,
                "overlap_size": None,
                "chunk_size": None,
                "standardize": None,
                "normalize": False,
                "mask_mode": None,
            },
        ),
        ("target_instrument_override", None),
    ],
    "from_model_name": [
        ("model_name", "…"),
        ("model_dir", None),
        ("download", False),
        ("source", "modelscope"),
        ("endpoint", None),
        ("kwargs", "…"),
    ],
    "process_folder": [("input_folder", "…")],
    "separate": [("mix", "…"), ("pbar", True), ("stems", None), ("channel_layout", None)],
    "save_audio": [("audio", "…"), ("sr", "…"), ("file_name", "…"), ("store_dir", "…")],
    "close": [],
    "del_cache": [],
}


@pytest.fixture(scope="module", autouse=True)
def models(worker_dir, tmp_path_factory):
    """Small models, and the worker that all calls here share."""
    folder = small_models(tmp_path_factory.mktemp("models"))
    host.configure(**real(worker_dir, folder, models_dir=folder))
    yield folder
    host.configure()


@pytest.fixture
def track(tmp_path):
    return write_track(tmp_path / "songs")


@pytest.mark.parametrize("method", SIGNATURES)
def test_signatures_are_those_of_the_package(method):
    """Names, order and defaults."""
    call = getattr(pymss.MSSeparator, method)
    empty = [(name, "…" if default is inspect.Parameter.empty else default) for name, default in plain_signature(call)]
    assert empty == SIGNATURES[method]


def test_files_go_into_one_folder(track, tmp_path):
    """As `SONG_STEM.wav` of float samples; the names of the songs that succeeded are returned."""
    with pymss.MSSeparator.from_model_name("dsu_mini", store_dirs=str(tmp_path / "out")) as separator:
        assert separator.process_folder(str(track)) == ["song.wav"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"song_{stem}.wav" for stem in STEMS)
    info = soundfile.info(tmp_path / "out" / names[0])
    assert (info.subtype, info.samplerate, info.frames) == ("FLOAT", RATE, 2 * RATE)


def test_each_stem_has_its_folders(track, tmp_path):
    """One, several, or none; only stems that are written are computed."""
    (tmp_path / "songs" / "notes.txt").write_text("no song")
    folders = {"Vocals": [str(tmp_path / "a"), str(tmp_path / "b")], "bass": str(tmp_path / "c"), "drums": None}
    separator = pymss.MSSeparator.from_model_name(
        "dsu_mini", store_dirs=folders, output_format="flac", logger=logging.getLogger("quiet")
    )
    assert separator.process_folder(tmp_path / "songs") == ["song.wav"]
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("[abc]/*"))
    assert written == ["a/song_vocals.flac", "b/song_vocals.flac", "c/song_bass.flac"]
    assert soundfile.info(tmp_path / written[0]).subtype == "PCM_24"


def test_each_song_has_a_folder(track, tmp_path):
    """With `save_as_folder`, where all stems go to one place."""
    separator = pymss.MSSeparator.from_model_name("dsu_mini", store_dirs=str(tmp_path / "out"), save_as_folder=True)
    separator.process_folder(track)
    assert (tmp_path / "out" / "song" / "song_bass.wav").is_file()
    apart = {"vocals": str(tmp_path / "a"), "bass": str(tmp_path / "b")}
    separator = pymss.MSSeparator.from_model_name("dsu_mini", store_dirs=apart, save_as_folder=True)
    assert separator.save_as_folder is False


def test_files_of_your_own_are_loaded(models, track, tmp_path):
    """With their type, or `auto`; a network of one stem also gives what its configuration calls the rest."""
    files = [str(models / "bsroformer" / f"target.{ending}") for ending in ("ckpt", "yaml")]
    separator = pymss.MSSeparator("auto", *files, device="cpu", store_dirs=str(tmp_path / "out"))
    assert separator.config.training.instruments == ["vocals", "other"]
    assert separator.config.training.target_instrument == "vocals"
    separator.process_folder(track)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["song_other.wav", "song_vocals.wav"]
    mix = song(1)
    stems = separator.separate(mix)
    np.testing.assert_allclose(sum(stems.values()), mix.T, atol=1e-5)
    vr = pymss.MSSeparator("vr", str(models / "audio-separator" / "tiny_vr_vocals.pth"))
    assert vr.config.training.instruments == ["Vocals", "Instrumental"]


def test_arrays_go_in_and_out():
    """Channels first in, samples first out; mono stays mono; only the stems that are asked for."""
    separator = pymss.MSSeparator.from_model_name("dsu_mini")
    stems = separator.separate(song(1))
    assert list(stems) == STEMS
    assert {samples.shape for samples in stems.values()} == {(RATE, 2)}
    alone = separator.separate(song(1)[0], stems="VOCALS")
    assert (list(alone), alone["vocals"].shape) == (["vocals"], (RATE, 1))
    with pytest.raises(ValueError, match="trumpet"):
        separator.separate(song(1), stems=["trumpet"])
    with pytest.raises(ValueError, match="shaped"):
        separator.separate(np.zeros((1, 2, 3)))


def test_outputs_are_normalised_together():
    """To one peak, of all stems that are returned."""
    separator = pymss.MSSeparator.from_model_name("dsu_mini", inference_params={"normalize": True})
    stems = separator.separate(song(1), stems=["vocals", "bass"])
    assert max(np.abs(samples).max() for samples in stems.values()) == pytest.approx(10 ** (-0.01 / 20))


def test_progress_is_told_in_seconds():
    """As `callback(done, total, message)`, up to the end."""
    told = []
    separator = pymss.MSSeparator.from_model_name("dsu_mini", progress_callback=lambda *row: told.append(row))
    separator.separate(song(2.5))
    assert {(total, message) for _, total, message in told} == {(3, "Processing audio")}
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][0] == 3


def test_an_exception_in_the_callback_cancels():
    """And the separator can be used again."""

    def stop(done, total, message):
        raise KeyboardInterrupt

    separator = pymss.MSSeparator.from_model_name("dsu_mini", progress_callback=stop)
    with pytest.raises(KeyboardInterrupt):
        separator.separate(song(2))
    separator.progress_callback = None
    assert list(separator.separate(song(1))) == STEMS


def test_inference_parameters_reach_the_worker(models):
    """Samples become seconds and a number of chunks; those of VR models have names of their own."""
    separator = pymss.MSSeparator.from_model_name(
        "tiny_mdx23c",
        use_tta=True,
        inference_params={"chunk_size": 2 * RATE, "overlap_size": RATE, "batch_size": 2, "standardize": None},
    )
    options = separator._options(["vocals"])
    expected = {"chunk_seconds": 2.0, "overlap": 2, "batch_size": 2, "use_tta": True, "stems": ["vocals"]}
    assert expected.items() <= options.items()
    assert list(separator.separate(song(1))) == ["vocals", "other"]
    vr = pymss.MSSeparator.from_model_name("tiny_vr_vocals.pth", inference_params={"aggression": 7, "window_size": 320})
    assert {"vr_aggression": 7, "vr_window_size": 320}.items() <= vr._options(["Vocals"]).items()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"overlap": 2}),
        ({"overlap_size": 33075}, {"overlap": 4}),
        ({"chunk_size": 2 * RATE}, {"chunk_seconds": 2.0, "overlap": 2}),
        ({"chunk_size": 2 * RATE, "overlap_size": 0}, {"chunk_seconds": 2.0, "overlap": 1}),
    ],
)
def test_windows_are_those_of_the_configuration(models, params, expected):
    """But for what the program says."""
    files = [str(models / "bsroformer" / f"target.{ending}") for ending in ("ckpt", "yaml")]
    options = pymss.MSSeparator("auto", *files, inference_params=params)._options(["vocals"])
    assert {name: options[name] for name in ("chunk_seconds", "overlap") if name in options} == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("wav", {"format": "wav", "pcm_type": "FLOAT"}),
        ("FLAC", {"format": "flac", "pcm_type": "PCM_24"}),
        ("mp3", {"format": "mp3", "bitrate": 128}),
        ("vorbis", {"format": "ogg"}),
    ],
)
def test_formats_have_the_packages_settings(kind, expected):
    """Its defaults, and what a program gives."""
    assert file_options(kind, {"mp3_bit_rate": "128k"}) == expected
    assert kilobits(192000) == 192


def test_songs_that_fail_are_left_out(tmp_path, caplog):
    """With a warning; a place that does not exist is an error."""
    (tmp_path / "bad.wav").write_text("no song")
    separator = pymss.MSSeparator.from_model_name("dsu_mini", store_dirs=str(tmp_path / "out"))
    with caplog.at_level(logging.WARNING):
        assert separator.process_folder(tmp_path) == []
    assert "bad.wav" in caplog.text
    with pytest.raises(ValueError, match="does not exist"):
        separator.process_folder(tmp_path / "lost")


def test_wrong_models_are_the_packages_errors(tmp_path):
    """An unknown name, one that is not installed, files that are not there, and a device that does not exist."""
    with pytest.raises(KeyError, match="Unknown pymss model"):
        pymss.MSSeparator.from_model_name("vokals_melband")
    with pytest.raises(FileNotFoundError, match="download=True"):
        pymss.create_separator("vocals_melband")
    with pytest.raises(FileNotFoundError, match=r"lost\.ckpt"):
        pymss.MSSeparator("auto", str(tmp_path / "lost.ckpt"))
    with pytest.raises(ValueError, match="device"):
        pymss.MSSeparator("auto", "net.ckpt", device="tpu")
    with pytest.raises(ValueError, match="model_type"):
        pymss.MSSeparator("", "net.ckpt")
    (tmp_path / "net.ckpt").write_bytes(b"no network")
    (tmp_path / "net.ckpt.yaml").write_text("training: {instruments: [a, b]}\n")
    with pytest.raises(pymss.ModelTypeDetectionError):
        pymss.MSSeparator("auto", str(tmp_path / "net.ckpt"))


def test_models_are_listed_and_fetched():
    """Those of DSU, with their types; one that is there is not fetched again."""
    names = [model.name for model in pymss.list_models(supported=True)]
    assert {"dsu_mini", "vocals_melband", "tiny_mdx23c"} <= set(names)
    assert pymss.list_models(supported=False) == []
    assert pymss.get_model_entry("dsu_mini").architecture == "mask_unet"
    got = pymss.download_model("dsu_mini")
    assert (got["downloaded"], len(got["skipped"])) == ([], 1)


def test_audio_is_read_and_written(track, tmp_path):
    """At any rate, in part, as mono; what a separator saves has its settings."""
    samples, rate = pymss.load_audio(track)
    assert (samples.shape, rate) == ((2, 2 * RATE), RATE)
    np.testing.assert_allclose(samples, soundfile.read(track, dtype="float32")[0].T, atol=1e-5)
    part, rate = pymss.load_audio(track, sr=22050, mono=True, offset=0.5, duration=1)
    assert (part.shape, rate) == ((22050,), 22050)
    separator = pymss.MSSeparator.from_model_name("dsu_mini", audio_params={"wav_bit_depth": "PCM_24"})
    separator.save_audio(samples.T, RATE, "copy", tmp_path)
    assert soundfile.info(tmp_path / "copy.wav").subtype == "PCM_24"
    pymss.save_audio(tmp_path / "mono.wav", samples[0], RATE, "wav", {})
    assert soundfile.info(tmp_path / "mono.wav").channels == 1


def test_installed_it_is_pymss(models, track, tmp_path):
    """In a program of its own."""
    assert install.main(["pymss", "--target", str(tmp_path / "site")]) == 0
    code = f"""
        from pymss import MSSeparator, get_separation_logger
        import pymss.separator
        assert "dsu_client" in pymss.separator.__file__, pymss.separator.__file__
        with MSSeparator.from_model_name(
            "tiny_mdx23c", model_dir={str(models)!r}, store_dirs={str(tmp_path / "out")!r}, logger=get_separation_logger()
        ) as separator:
            print(separator.process_folder({str(track)!r}))
    """
    done = program(tmp_path / "site", "-c", inspect.cleandoc(code))
    assert done.returncode == 0, done.stderr
    assert "['song.wav']" in done.stdout
    assert (tmp_path / "out" / "song_vocals.wav").is_file()
