"""Separation by text: chunks, channels, sample rates, texts, the residual, files."""

import os
import shutil
from itertools import count

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from audiosep_engine_case import RATE, AudioSepCase, read
from demucs_case import sdr_db

from tools.fixtures.audiosep import write_audiosep
from utils.core.errors import (
    CheckpointMismatch,
    ConfigInvalid,
    DeviceUnavailable,
    InvalidRequest,
    ModelNotInstalled,
    OutOfMemory,
    UnknownModel,
)
from utils.core.job import Job, JobCancelled
from utils.core.replies import AudioSepDone, LoadingModel, Progress, Separating
from utils.core.requests import AudioSepLoad, DownloadModel, ListModels
from utils.engine.families.audiosep.network import CONTEXT_GRIDS, GRID, AudioSepView, Rates, lengths_of
from utils.store.registry import Registry

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_audiosep(tmp_path_factory.mktemp("audiosep"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, files):
    """An engine whose model stays loaded, for tests that leave it as it was."""
    return AudioSepCase(tmp_path_factory.mktemp("shared"), files)


@pytest.fixture
def case(shared, tmp_path):
    """The shared engine with a separate folder."""
    shared.folder = tmp_path
    return shared


@pytest.fixture
def fresh(files, tmp_path):
    """A fresh engine with nothing loaded."""
    return AudioSepCase(tmp_path, files)


# Chunks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.01, 0.5, 8.1234])
@pytest.mark.parametrize("chunks", [{"use_chunk": True, "chunk_seconds": 2.0}, {"use_chunk": False}, {}])
def test_chunks_sum_up_to_one_pass_over_the_whole(case, seconds, chunks):
    """The sum equals one pass to 80 dB or better from the first sample to the last, for any chunks; short songs too."""
    song = case.song(seconds, channels=1)
    _, written = case.run(song, **chunks)
    (expected,) = case.whole(song, "drums")
    assert written["drums"].shape == expected.shape
    assert sdr_db(expected, written["drums"]) > 80


def test_audio_beyond_the_context_hardly_matters(case):
    """Different audio before the context has almost no effect, also in one pass."""
    song = case.song(8.0)
    other = read(song)
    cut = 6 * RATE
    other[:, : cut - CONTEXT_GRIDS * GRID] = 0.0
    soundfile.write(case.folder / "other.wav", other.T, RATE, subtype="FLOAT")
    one = case.run(song, use_chunk=False)[1]["drums"]
    two = case.run(case.folder / "other.wav", use_chunk=False)[1]["drums"]
    assert sdr_db(one[:, cut:], two[:, cut:]) > 80
    assert sdr_db(one[:, :cut], two[:, :cut]) < 10


def test_progress_follows_the_chunks(case):
    """Progress has several steps and never goes back."""
    seen = []
    job = Job(seen.append, clock=count().__next__)  # by which every line is due
    case.run(case.song(5.0, channels=1), job, use_chunk=True, chunk_seconds=1.0)
    percents = [event.percent for event in seen if isinstance(event, Progress)]
    assert percents == sorted(percents)
    assert len(percents) > 2


@pytest.mark.parametrize(("use_chunk", "longest_s"), [("auto", 17), (True, 17), (False, 30)])
def test_the_network_never_gets_more_than_a_chunk_with_its_context(case, monkeypatch, use_chunk, longest_s):
    """The input of the network is bounded for songs of any length, and so is memory."""
    case.run()
    seen = []
    monkeypatch.setattr(case.model.backend._net, "separate", lambda mix, _: seen.append(mix.shape[-1]) or mix)
    song = case.song(200.0, channels=1)
    _, written = case.run(song, use_chunk=use_chunk)
    assert longest_s - 1 < max(seen) / RATE < longest_s + 0.1
    np.testing.assert_array_equal(written["drums"], read(song))


def test_a_song_is_one_chunk_or_many(case):
    """`auto` avoids a second chunk for songs slightly longer than one; true does not; false makes long chunks."""

    def chunks(*seconds, **fields):
        lengths = lengths_of(case.request("song.wav", **fields), None)
        return [len(lengths.plan(one * RATE, Rates(RATE, RATE))) for one in seconds]

    assert chunks(3, 11, 13, 19) == [1, 1, 1, 2]
    assert chunks(3, 9, 13, 19, use_chunk=True) == [1, 1, 2, 2]
    assert chunks(3, 11, 13, 19, chunk_seconds=4.0) == [1, 1, 4, 5]
    assert chunks(29, 40, 60, 3600, use_chunk=False) == [1, 2, 3, 157]


def test_memory_that_runs_out_makes_chunks_shorter(case, monkeypatch):
    """Chunks are halved as often as needed, with the same result."""
    song = case.song(5.0, channels=1)
    expected = case.run(song)[1]["drums"]
    separate, failures = case.model.backend._net.separate, iter(range(2))

    def short_of_memory(mix, conditions):
        if next(failures, None) is not None:
            raise MemoryError
        return separate(mix, conditions)

    monkeypatch.setattr(case.model.backend._net, "separate", short_of_memory)
    job = Job()
    done, written = case.run(song, job, chunk_seconds=4.0)
    assert done.settings["chunk_seconds"] == 4.0 / 4
    assert any("half as long" in warning for warning in job.warnings)
    assert sdr_db(expected, written["drums"]) > 80


def test_no_memory_at_all_is_an_error(case, monkeypatch):
    """The job fails after everything has been tried."""
    case.run()

    def none(mix, conditions):
        raise MemoryError

    monkeypatch.setattr(case.model.backend._net, "separate", none)
    with pytest.raises(OutOfMemory):
        case.run()


# Channels and rates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_channel_is_separated_by_itself(case, channels):
    """Stems have the song's channels, each equal to separating that channel alone."""
    song = case.song(1.0, channels=channels)
    written = case.run(song)[1]["drums"]
    (expected,) = case.whole(song, "drums")
    assert written.shape[0] == channels
    assert sdr_db(expected, written) > 80


def test_channels_together_give_what_they_give_alone(case):
    """Processing channels in one batch, as on a GPU, gives the same result."""
    case.run()
    model = case.model
    conditions = model.conditions(["drums", "a voice"])
    mix = torch.randn(2, 3, GRID)
    with torch.inference_mode():
        alone, together = (
            AudioSepView(model.backend, conditions, Rates(RATE, RATE), together=together)(mix)
            for together in (False, True)
        )
    assert alone.shape == (2, 2, 3, GRID)
    np.testing.assert_allclose(alone, together, atol=1e-4)  # sums in another order, and samples up to 4


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 44056, 48000, 96000])
def test_any_rate_comes_back_with_as_many_samples(case, rate):
    """Stems have the song's rate and length, for odd rates and for rates below the network's too."""
    song = case.song(1.2345, rate=rate)
    done, written = case.run(song, use_chunk=True, chunk_seconds=0.5)
    assert done.sample_rate == soundfile.info(done.paths["drums"]).samplerate == rate
    assert written["drums"].shape == read(song).shape


@pytest.mark.parametrize(("requested", "rate"), [(32000, 32000), (22050, 22050), ("source", 48000)])
def test_another_output_rate(case, requested, rate):
    """Another output rate keeps the duration of the song."""
    done, written = case.run(case.song(1.0, rate=48000), output_sample_rate=requested)
    assert (done.sample_rate, written["drums"].shape[1]) == (rate, rate)


def test_chunks_at_another_rate_have_no_seams(case):
    """Resampling in chunks equals resampling as a whole."""
    song = case.song(5.0, rate=44100, channels=1)
    whole = case.run(song, use_chunk=False)[1]["drums"]
    parts = case.run(song, use_chunk=True, chunk_seconds=1.0)[1]["drums"]
    assert sdr_db(whole, parts) > 80


def test_the_network_gets_the_song_at_its_own_rate(case):
    """A low tone at 44.1 kHz gives the same result as at 32 kHz."""
    for rate in (32000, 44100):
        beat = np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate) * (1 + np.sin(np.arange(2 * rate) * 20 / rate))
        soundfile.write(case.folder / f"{rate}.wav", 0.2 * beat, rate, subtype="FLOAT")
    low, high = (case.run(case.folder / f"{rate}.wav", output_sample_rate=32000)[1]["drums"] for rate in (32000, 44100))
    assert sdr_db(low[:, 3200:-3200], high[:, 3200:-3200]) > 40


# Texts ----------------------------------------------------------------------------------------------------------------


def test_several_texts_give_what_each_gives_alone(case):
    """Stems equal those of single texts to the sample, in order, and differ from each other."""
    song = case.song(1.5)
    texts = ["drums", "a singing voice", "rain"]
    done, together = case.run(song, texts=texts)
    assert done.stems == texts
    for text in texts:
        np.testing.assert_array_equal(together[text], case.run(song, text=text)[1][text])
    assert sdr_db(together["drums"], together["rain"]) < 20


def test_the_song_is_decoded_and_transformed_once_for_all_texts(case, monkeypatch):
    """The network runs once per channel and chunk."""
    case.run()
    backend, seen = case.model.backend, []
    separate = backend._net.separate
    monkeypatch.setattr(
        backend._net, "separate", lambda mix, conditions: seen.append(len(conditions)) or separate(mix, conditions)
    )
    case.run(case.song(1.0), texts=["drums", "a singing voice", "rain"])
    assert seen == [3, 3]


@pytest.mark.parametrize("rate", [32000, 44100])
def test_the_residual_is_the_song_without_them(case, rate):
    """All stems and the residual sum to the song, including frequencies above the network's range."""
    song = case.song(1.5, rate=rate)
    done, written = case.run(song, texts=["drums", "rain"], residual=True)
    assert done.stems == ["drums", "rain", "residual"]
    np.testing.assert_allclose(sum(written.values()), read(song), atol=1e-6)


def test_single_stems_of_several_texts(case):
    """`stems` and `two_stems` refer to texts or the residual."""
    song = case.song(1.0)
    texts = ["drums", "rain"]
    assert list(case.run(song, texts=texts, stems=["Rain", "residual"])[1]) == ["rain", "residual"]
    assert list(case.run(song, texts=texts, two_stems="rain")[1]) == ["rain", "no_rain"]
    with pytest.raises(InvalidRequest, match="no stem `snow`; it has drums, rain"):
        case.run(song, texts=texts, stems=["snow"])


def test_silence_is_separated_without_a_network(case):
    """Silence gives silent stems."""
    soundfile.write(case.folder / "silence.wav", np.zeros((RATE, 2)), RATE)
    _, written = case.run(case.folder / "silence.wav", residual=True)
    assert all(not stem.any() for stem in written.values())


# Files ----------------------------------------------------------------------------------------------------------------


def test_one_text_goes_to_the_file_that_is_named(case):
    """The extension sets the format; the reply has the path, and the residual is next to it."""
    done, _ = case.run(output=str(case.folder / "new" / "a: b.flac"), residual=True, pcm_type="PCM_24", clip="rescale")
    assert isinstance(done, AudioSepDone)
    assert done.files == [str(case.folder / "new" / "a: b.flac"), str(case.folder / "new" / "a: b_residual.flac")]
    assert soundfile.info(done.files[0]).format == "FLAC"


def test_a_picture_lies_beside_the_file(case):
    """The picture is named after the song."""
    done, _ = case.run(output=str(case.folder / "new" / "x.wav"), report=True)
    assert done.report == str(case.folder / "new" / "song_(report).png")
    assert (case.folder / "new" / "song_(report).png").is_file()


def test_several_texts_and_one_file(case):
    """Each text has its own file next to the named one."""
    done, _ = case.run(output=str(case.folder / "x.wav"), texts=["drums", "cat/dog"])
    assert [path.rpartition("/")[2] for path in done.files] == ["x_drums.wav", "x_cat_dog.wav"]


def test_a_directory_gets_files_named_after_song_and_text(case):
    """In a directory, files are `TRACK_(TEXT).wav` or follow the template."""
    done, _ = case.run(texts=["drums", "a: b"])
    assert sorted(path.name for path in (case.folder / "out").iterdir()) == ["song_(a_ b).wav", "song_(drums).wav"]
    done, _ = case.run(name_template="{stem}/{track} {model}")
    assert done.files == [str(case.folder / "out" / "drums" / "song audiosep.wav")]


@pytest.mark.parametrize("pcm_type", ["PCM_16", "FLOAT"])
def test_loud_samples_do_not_wrap_round(case, monkeypatch, pcm_type):
    """16-bit stems are attenuated together, float stems are kept."""
    case.run()
    monkeypatch.setattr(case.model.backend._net, "separate", lambda mix, conditions: 8 * mix)
    song = case.song(1.0, level=0.3)
    done, written = case.run(song, pcm_type=pcm_type, clip="rescale")
    assert (done.gain < 1) == (pcm_type == "PCM_16")
    np.testing.assert_allclose(written["drums"], done.gain * 8 * read(song), atol=2e-4)


def test_events_of_a_job(fresh):
    """The model is loaded once, before the song is separated."""
    seen = []
    song = fresh.song()
    assert not fresh.run(song, Job(seen.append))[0].model_from_cache
    assert [type(event) for event in seen if not isinstance(event, Progress)] == [LoadingModel, Separating]
    seen.clear()
    assert fresh.run(song, Job(seen.append))[0].model_from_cache
    assert [type(event) for event in seen if not isinstance(event, Progress)] == [Separating]


def test_cancelling_ends_it_inside_a_chunk(case):
    """Each text may take the network seconds. No file is left."""
    job, layers = Job(), []

    def cancel(layer, _):
        layers.append(layer)
        job.cancel()

    handle = torch.nn.modules.module.register_module_forward_pre_hook(cancel)
    with handle, pytest.raises(JobCancelled):
        case.run(case.song(), job)
    assert len(layers) == 1
    assert not (case.folder / "out").exists()


# Models ---------------------------------------------------------------------------------------------------------------


def test_a_second_load_comes_from_the_cache(fresh):
    """The same files are the same model for every command; a request without a model uses the loaded one."""
    request = AudioSepLoad(**fresh.parts, use_torch_stft="auto", auto_stft_seconds=60.0, device="auto", mmap=True)
    first, second = (fresh.engine.load_model(request, Job()) for _ in range(2))
    assert (first.model, first.stems, first.cached) == ("audiosep", ["query"], False)
    assert second.cached
    assert fresh.engine.ping().model_loaded == "audiosep"
    nothing = dict.fromkeys(fresh.parts)
    assert fresh.run(**nothing)[0].model_from_cache


def test_a_changed_file_is_another_model(fresh):
    """A changed modification time makes a different model."""
    request = AudioSepLoad(**fresh.parts)
    assert not fresh.engine.load_model(request, Job()).cached
    status = fresh.files.config.stat()
    os.utime(fresh.files.config, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert not fresh.engine.load_model(request, Job()).cached


def test_memory_counts_both_sides(case):
    """The size counts the separator and the text encoder if they are on the device."""
    case.run()
    model = case.model
    both = model.size_bytes()
    model._device = "cuda"
    assert 0 < model.size_bytes() < both
    model._device = "cpu"


def test_a_device_is_the_worker_s(fresh):
    """A request for another device is refused, not ignored."""
    for agreed in ("cpu", "auto", None):
        assert fresh.engine.load_model(AudioSepLoad(**fresh.parts, device=agreed), Job()).model == "audiosep"
    with pytest.raises(DeviceUnavailable, match="runs on `cpu`"):
        fresh.engine.load_model(AudioSepLoad(**fresh.parts, device="cuda:1"), Job())


def test_the_public_model_is_the_default(fresh):
    """It is used without a name; if it is missing, the error says what, where, and how to get it."""
    for request in (AudioSepLoad(), AudioSepLoad(model="audiosep_base")):
        with pytest.raises(
            ModelNotInstalled, match=r"audiosep_base_4M_steps\.ckpt.*roberta-base/vocab\.json"
        ) as caught:
            fresh.engine.load_model(request, Job())
        assert "download_model" in caught.value.hint
    with pytest.raises(UnknownModel):
        fresh.engine.load_model(AudioSepLoad(model="audiosep_bass"), Job())
    (details,) = fresh.engine.list_models(ListModels(details=True)).details
    assert (details.name, details.installed) == ("audiosep_base", False)


def test_the_public_model_goes_by_one_name(fresh, tmp_path, monkeypatch):
    """With all files in place it loads by name, by its files, or by default."""
    folder = tmp_path / "models" / "audiosep"
    (folder / "roberta-base").mkdir(parents=True)
    record = fresh.engine.host.registry.get("audiosep_base", "audiosep")
    for source, file in zip([fresh.files.checkpoint, fresh.files.clap_checkpoint], record.files[:2], strict=True):
        shutil.copy(source, folder / file.name)
    for path in fresh.files.roberta_dir.iterdir():
        shutil.copy(path, folder / "roberta-base")
    files = tuple(msgspec.structs.replace(file, size_bytes=None, sha256=None) for file in record.files)
    fresh.engine.host.registry = Registry([msgspec.structs.replace(record, files=files)], {})
    (tmp_path / "audiosep").mkdir()
    shutil.copy(fresh.files.config, tmp_path / "audiosep" / "audiosep_base.yaml")
    monkeypatch.setattr("utils.store.audiosep_models.configs_folder", lambda: tmp_path)
    nothing = dict.fromkeys(fresh.parts)
    done, _ = fresh.run(**nothing)
    assert (done.model, done.model_from_cache) == ("audiosep_base", False)
    assert fresh.engine.load_model(AudioSepLoad(model="audiosep_base"), Job()).cached
    parts = AudioSepLoad(checkpoint_path=str(folder / record.files[0].name), roberta_dir=str(folder / "roberta-base"))
    assert fresh.engine.load_model(parts, Job()).cached


def test_nothing_is_downloaded_implicitly(files, tmp_path, monkeypatch):
    """Loading and separating open no connection; only `download_model` does."""
    fresh = AudioSepCase(tmp_path, files)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    fresh.run()
    with pytest.raises(AssertionError, match="connection"):
        fresh.engine.download_model(DownloadModel(model="audiosep_base"), Job())


def test_files_that_do_not_fit_are_errors(fresh, tmp_path):
    """Another network's configuration, another kind of checkpoint, and an unrelated folder are errors."""
    other = tmp_path / "other.yaml"
    other.write_text(fresh.files.config.read_text().replace("ResUNet30", "ResUNet31"))
    with pytest.raises(ConfigInvalid, match=r"`other\.yaml` does not describe an AudioSep network"):
        fresh.run(config_path=str(other))
    other.write_text("just words")
    with pytest.raises(ConfigInvalid, match="`data` and `model`"):
        fresh.run(config_path=str(other))
    with pytest.raises(CheckpointMismatch, match=r"clap\.pt"):
        fresh.run(checkpoint_path=str(fresh.files.clap_checkpoint))
    (tmp_path / "roberta").mkdir()
    for path in fresh.files.roberta_dir.iterdir():
        (tmp_path / "roberta" / path.name).write_text("{}")
    with pytest.raises(ConfigInvalid, match="is not a RoBERTa folder") as caught:
        fresh.run(roberta_dir=str(tmp_path / "roberta"))
    assert caught.value.field == "roberta_dir"
    assert fresh.engine.list_cached().count == 0


def test_resume_knows_the_parts_of_a_model(fresh):
    """A finished job is skipped until a file of the model changes."""
    song = fresh.song()
    assert fresh.run(song, resume=True)[0].skipped is not True
    again = fresh.run(song, resume=True)[0]
    assert again.skipped is True
    assert isinstance(again, AudioSepDone)
    sizes = fresh.files.roberta_dir / "config.json"
    text = sizes.read_text()
    sizes.write_text(text + "\n")
    try:
        assert fresh.run(song, resume=True)[0].skipped is not True
    finally:
        sizes.write_text(text)
