"""The engine of dsu-bsroformer: every kind of network and file, every option, ensembles, cache, errors."""

import shutil

import msgspec
import numpy as np
import pytest
import soundfile
import torch
import yaml
from network_case import RATE, Case, member, read

from models.architectures import OWN
from tools.make_network import FORMS, write_network
from utils.core.errors import (
    CheckpointMismatch,
    ConfigInvalid,
    InvalidRequest,
    ModelNotInstalled,
    OutOfMemory,
    UnknownModel,
)
from utils.core.job import Job
from utils.core.replies import LoadingModel, Progress, Separating
from utils.core.requests import DemucsSeparate, DownloadModel, ListModels, NetworkLoad, NetworkMember, NetworkPreload
from utils.engine import base, networks, separation
from utils.store.registry import FileRecord, ModelRecord, Registry


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


@pytest.fixture
def files(tmp_path):
    """The quickest network: two stems, vocals and other."""
    return write_network(tmp_path / "nets", "mdx23c")


def members(*nets):
    return msgspec.convert([member(net) for net in nets], list[str | NetworkMember])


def edit(path, section, **values):
    """Change a configuration."""
    config = yaml.safe_load(path.read_text())
    config[section].update(values)
    path.write_text(yaml.safe_dump(config))


def close(one, other, atol=1e-5):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=atol, rtol=0)


# Kinds and files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OWN)
def test_each_kind_separates(case, tmp_path, kind):
    """From files alone, the type worked out: stems of the song's length, none silent, all different."""
    done, stems = case.run(write_network(tmp_path, kind))
    assert list(stems) == done.stems
    assert done.stems == (["restored"] if kind == "apollo" else ["vocals", "other"])
    for samples in stems.values():
        assert samples.shape == (2, round(1.7 * RATE))
        assert 0.01 < samples.std() < 1
    assert len({samples.tobytes() for samples in stems.values()}) == len(stems)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_checkpoint_gives_the_same(case, tmp_path, form):
    """Plain, wrapped, prefixed, in the old format or as safetensors: the same network. Half precision is near it."""
    _, plain = case.run(write_network(tmp_path / "plain", "bs_roformer"))
    _, stems = case.run(write_network(tmp_path / form, "bs_roformer", form=form))
    close(plain, stems, atol=5e-3 if form == "half" else 0)


@pytest.mark.parametrize("kind", OWN)
def test_a_type_that_is_named_is_taken(case, tmp_path, kind):
    """All three, as the documents of the protocol show them."""
    files = write_network(tmp_path, kind)
    _, worked_out = case.run(files)
    _, named = case.run(files, model_type=kind)
    close(worked_out, named, atol=0)


def test_a_mono_network_separates_each_channel_by_itself(case, tmp_path):
    """Both channels of a stereo song, as if each were a song."""
    net = write_network(tmp_path, "bs_roformer", changes={"stereo": False})
    song = case.song()
    _, both = case.run(net, song)
    for channel in (0, 1):
        alone = tmp_path / f"{channel}.wav"
        soundfile.write(alone, read(song)[channel], RATE, subtype="FLOAT")
        _, stems = case.run(net, alone)
        for name in both:
            np.testing.assert_allclose(both[name][channel], stems[name][0], atol=1e-5)
    assert not np.allclose(both["vocals"][0], both["vocals"][1], atol=1e-3)


def test_a_configuration_can_ask_for_a_scaled_song(case, files):
    """With `normalize` the network sees every song at the same level, so a quieter song has quieter equal stems."""
    loud, quiet = case.song(level=0.2), case.folder / "quiet.wav"
    soundfile.write(quiet, read(loud).T * 0.1, RATE, subtype="FLOAT")
    _, plain = case.run(files, loud)
    edit(files.config, "inference", normalize=True)
    _, of_loud = case.run(files, loud)
    _, of_quiet = case.run(files, quiet)
    for name in of_loud:
        np.testing.assert_allclose(of_quiet[name], 0.1 * of_loud[name], atol=1e-4)
    assert not np.allclose(plain["vocals"], of_loud["vocals"], atol=1e-3)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.00003, 3.14159])
@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_songs_of_any_length(case, files, seconds, overlap):
    """Shorter than a chunk, exactly one, and odd lengths come back in full, also at the very ends."""
    song = case.song(seconds)
    _, stems = case.run(files, song, overlap=overlap)
    for samples in stems.values():
        assert samples.shape[1] == soundfile.info(song).frames
        assert np.isfinite(samples).all()
        assert np.abs(samples[:, :2]).max() > 0
        assert np.abs(samples[:, -2:]).max() > 0


@pytest.mark.parametrize(("channels", "rate"), [(1, RATE), (6, RATE), (2, 48000), (1, 22050)])
def test_songs_of_any_kind(case, files, channels, rate):
    """Mono, 5.1 and other rates give stereo stems at the network's rate, as long as the song."""
    song = case.song(1.5, channels=channels, rate=rate)
    done, stems = case.run(files, song)
    assert done.sample_rate == RATE
    assert {samples.shape for samples in stems.values()} == {(2, round(1.5 * RATE))}
    done, stems = case.run(files, song, output_sample_rate="source")
    assert done.sample_rate == rate
    assert {samples.shape for samples in stems.values()} == {(2, round(1.5 * rate))}


def test_silence_has_silent_stems(case, files):
    """Without a network being asked."""
    song = case.song(level=0.0)
    soundfile.write(song, np.zeros((5000, 2)), RATE)
    _, stems = case.run(files, song)
    assert all(not samples.any() for samples in stems.values())


# Which stems --------------------------------------------------------------------------------------------------------


def test_files_are_laid_out_as_track_and_stem(case, files):
    """`OUT/TRACK/STEM.wav`, and the reply names them as the protocol says."""
    done, _ = case.run(files)
    assert done.output_dir == str(case.folder / "out" / "song")
    assert done.files == ["vocals.wav", "other.wav"]
    assert sorted(path.name for path in (case.folder / "out" / "song").iterdir()) == sorted(done.files)


def test_one_stem_alone_is_what_it_is_among_all(case, files):
    """Only the wanted head is run, and its result is the same."""
    _, everything = case.run(files)
    done, one = case.run(files, stems=["OTHER"])
    assert done.stems == ["other"]
    np.testing.assert_allclose(one["other"], everything["other"], atol=1e-6)


@pytest.mark.parametrize("fields", [{"extract_instrumental": True}, {"stems": ["vocals", "instrumental"]}])
def test_the_instrumental_is_the_mix_minus_the_vocals(case, files, fields):
    """Sample for sample, whatever the other stems are."""
    song = case.song()
    _, stems = case.run(files, song, **fields)
    assert list(stems)[-1] == "instrumental"
    np.testing.assert_allclose(stems["instrumental"], read(song) - stems["vocals"], atol=1e-7)
    assert ("other" in stems) == ("stems" not in fields)


def test_two_stems_are_the_stem_and_the_rest(case, files):
    """`no_vocals` is the mix minus the vocals."""
    song = case.song()
    done, stems = case.run(files, song, two_stems="vocals")
    assert done.stems == ["vocals", "no_vocals"]
    np.testing.assert_allclose(stems["no_vocals"], read(song) - stems["vocals"], atol=1e-7)


@pytest.mark.parametrize(
    ("instruments", "target", "name"),
    [
        (["vocals", "other"], "vocals", "instrumental"),
        (["noreverb", "reverb"], "noreverb", "reverb"),
        (["vocals", "other"], "other", "vocals"),
        (["Vocals", "Instrumental"], "Instrumental", "Vocals"),
        (["dry"], "dry", "instrumental"),
        (["Instrumental"], "Instrumental", "vocals"),
        (["Vocals", "Instrumental"], None, "instrumental"),
    ],
)
def test_what_is_left_is_called_after_the_configuration(case, tmp_path, instruments, target, name):
    """The complement of vocals is the instrumental; of another single target, what the configuration calls the rest."""
    net = write_network(tmp_path, "mdx23c", stems=instruments, target=target)
    song = case.song()
    _, stems = case.run(net, song, extract_instrumental=True)
    assert list(stems)[-1] == name
    taken = "Vocals" if target is None else target
    np.testing.assert_allclose(stems[name], read(song) - stems[taken], atol=1e-7)
    assert len({stem.lower() for stem in stems}) == len(stems)


def test_an_unknown_stem_names_those_there_are(case, files):
    """The error lists them, and nothing is written."""
    with pytest.raises(InvalidRequest, match="vocals, other"):
        case.run(files, stems=["drums"])
    assert not (case.folder / "out").exists()


# How well, how fast -------------------------------------------------------------------------------------------------


def test_numbers_come_from_the_preset_and_then_from_the_request(case, files):
    """What was used is told, with the preset's name; a field that is given counts."""
    song = case.song(0.5)
    assert case.run(files, song)[0].settings == {"overlap": 1, "chunk_seconds": 1.0, "batch_size": 1, "use_tta": False}
    settings = case.run(files, song, quality="balanced")[0].settings
    assert (settings["quality"], settings["overlap"], settings["use_tta"]) == ("balanced", 2, False)
    settings = case.run(files, song, quality="best", overlap=3, chunk_seconds=0.5)[0].settings
    assert (settings["overlap"], settings["use_tta"], settings["chunk_seconds"]) == (3, True, 0.5)
    assert case.run(files, song, quality="best", use_tta=False)[0].settings["use_tta"] is False
    assert case.run(files, song, num_overlap=5)[0].settings["overlap"] == 5


def test_augmentation_is_the_mean_of_three_views(case, files):
    """As it is, with swapped channels, and inverted: each turned back."""
    song = case.song()
    turns = [lambda x: x, lambda x: x[::-1], lambda x: -x]
    views = []
    for number, turn in enumerate(turns):
        turned = case.folder / f"{number}.wav"
        soundfile.write(turned, turn(read(song)).T, RATE, subtype="FLOAT")
        views.append({name: turn(stem) for name, stem in case.run(files, turned)[1].items()})
    expected = {name: np.mean([view[name] for view in views], axis=0) for name in views[0]}
    close(case.run(files, song, use_tta=True)[1], expected)
    assert not np.allclose(views[0]["vocals"], expected["vocals"], atol=1e-3)


def test_options_do_not_stay(case, files):
    """A job with every option set leaves the next one what it always was."""
    song = case.song()
    _, before = case.run(files, song)
    case.run(
        files,
        song,
        quality="best",
        chunk_seconds=0.4,
        batch_size=3,
        extract_instrumental=True,
        stems=["other"],
        precision="bf16",
        seed=3,
        use_fast=False,
    )
    done, after = case.run(files, song)
    close(before, after, atol=0)
    assert done.settings == {"overlap": 1, "chunk_seconds": 1.0, "batch_size": 1, "use_tta": False}


@pytest.mark.parametrize("fields", [{"batch_size": 3}, {"use_fast": False}])
def test_what_changes_speed_does_not_change_the_result(case, files, fields):
    """Larger batches, and the switch that other workers have."""
    song = case.song()
    close(case.run(files, song)[1], case.run(files, song, **fields)[1])


def test_more_overlap_shows_the_network_more_windows(case, files, monkeypatch):
    """Twice the windows for twice the overlap, and another result."""
    shown = []
    real = networks.NetworkView.__call__
    monkeypatch.setattr(networks.NetworkView, "__call__", lambda self, mix: shown.append(1) or real(self, mix))
    song = case.song(4.0)
    _, one = case.run(files, song, overlap=2)
    windows = len(shown)
    _, two = case.run(files, song, overlap=4)
    assert 1.6 < (len(shown) - windows) / windows < 2.4
    assert not np.allclose(one["vocals"], two["vocals"], atol=1e-3)


# Ensembles ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def trio(tmp_path):
    """Three networks; the second one has its stems in the other order and another chunk, the third one more."""
    return [
        write_network(tmp_path, "mdx23c", name="one", seed=1),
        write_network(tmp_path, "scnet", name="two", seed=2, stems=["other", "Vocals"], chunk_seconds=0.7),
        write_network(tmp_path, "mel_band_roformer", name="three", seed=3, stems=["vocals", "drums", "other"]),
    ]


def singles(case, song, nets):
    """Each network's own result, with its stems named as the first one names them."""
    results = [case.run(net, song)[1] for net in nets]
    return [{name.lower(): stem for name, stem in result.items()} for result in results]


def test_an_average_counts_members_by_their_weights(case, trio):
    """Over the stems that all have in common, matched by name."""
    song = case.song()
    alone = singles(case, song, trio)
    done, stems = case.run(song=song, ensemble=members(*trio))
    assert done.stems == ["vocals", "other"]
    assert done.model == "one+two+three"
    close(stems, {name: np.mean([result[name] for result in alone], axis=0) for name in stems})
    done, stems = case.run(song=song, ensemble=members(*trio), ensemble_weights=[1, 2, 5], ensemble_type="avg_fft")
    assert done.settings["ensemble_weights"] == [0.125, 0.25, 0.625]
    close(stems, {name: np.average([result[name] for result in alone], axis=0, weights=[1, 2, 5]) for name in stems})


@pytest.mark.parametrize("how", ["median", "min", "max"])
def test_other_ways_over_the_waveform(case, trio, how):
    """Median, and the value nearest to or farthest from zero, of every sample."""
    song = case.song()
    alone = singles(case, song, trio)
    done, stems = case.run(song=song, ensemble=members(*trio), ensemble_type=f"{how}_wave")
    assert done.settings["ensemble_type"] == f"{how}_wave"
    for name, samples in stems.items():
        values = np.stack([result[name] for result in alone])
        if how == "median":
            expected = np.median(values, axis=0)
        else:
            index = (np.abs(values).argmin if how == "min" else np.abs(values).argmax)(axis=0)
            expected = np.take_along_axis(values, index[None], axis=0)[0]
        # Where two values are nearly equal in size, rounding may choose the other one.
        assert np.mean(np.abs(samples - expected) > 1e-4) < 1e-3


@pytest.mark.parametrize("how", ["median", "min", "max"])
def test_other_ways_over_the_spectrum(case, trio, how):
    """As a whole transform of the members' own results gives it."""
    song = case.song()
    alone = singles(case, song, trio)
    done, stems = case.run(song=song, ensemble=members(*trio), ensemble_type=f"{how}_fft")
    assert done.settings["ensemble_type"] == f"{how}_fft"
    options = {"n_fft": 2048, "hop_length": 1024, "window": torch.hann_window(2048)}
    for name, samples in stems.items():
        values = torch.from_numpy(np.stack([result[name] for result in alone])).flatten(0, 1)
        spectra = torch.stft(values, **options, pad_mode="constant", return_complex=True).unflatten(0, (3, 2))
        if how == "median":
            chosen = torch.complex(spectra.real.median(dim=0).values, spectra.imag.median(dim=0).values)
        else:
            index = (spectra.abs().argmin if how == "min" else spectra.abs().argmax)(dim=0, keepdim=True)
            chosen = spectra.gather(0, index)[0]
        expected = torch.istft(chosen, **options, length=samples.shape[1]).numpy()
        inside = slice(0, -2048)  # the last frame's half window is divided out differently
        error = samples[:, inside] - expected[:, inside]
        assert np.sum(error**2) < 1e-5 * np.sum(expected**2)


def test_an_ensemble_gives_the_rest_too(case, trio):
    """The complement is that of the blended stem."""
    song = case.song()
    _, stems = case.run(
        song=song, ensemble=members(*trio), ensemble_type="max_fft", stems=["vocals"], extract_instrumental=True
    )
    assert list(stems) == ["vocals", "instrumental"]
    np.testing.assert_allclose(stems["instrumental"], read(song) - stems["vocals"], atol=1e-6)


def test_an_ensemble_decodes_once_and_keeps_its_members(case, trio, monkeypatch):
    """The song is opened once for all members, and the next job finds them loaded."""
    opened = []
    real = separation.open_audio
    monkeypatch.setattr(separation, "open_audio", lambda *args, **kwargs: opened.append(1) or real(*args, **kwargs))
    case.engine.set_cache_size(3)
    events = []
    song = case.song()
    done, _ = case.run(song=song, ensemble=members(*trio), job=Job(events.append))
    assert len(opened) == 1
    assert [event.model for event in events if isinstance(event, LoadingModel)] == ["one", "two", "three"]
    assert not done.model_from_cache
    events.clear()
    done, _ = case.run(song=song, ensemble=members(*trio), job=Job(events.append))
    assert not any(isinstance(event, LoadingModel) for event in events)
    assert done.model_from_cache


def test_an_ensemble_larger_than_the_cache_works(case, trio):
    """Members that cannot stay are loaded for the job alone."""
    case.engine.set_cache_size(1)
    song = case.song(1.2)
    case.run(song=song, ensemble=members(*trio))
    assert [entry.name for entry in case.engine.list_cached().models] == ["three"]


def test_networks_without_a_common_stem_are_refused(case, tmp_path):
    """The error says what each of them gives."""
    nets = [write_network(tmp_path, "mdx23c", name=name, stems=[name, f"no {name}"]) for name in ("bass", "piano")]
    with pytest.raises(InvalidRequest, match=r"no stem in common: `bass` bass, no bass; `piano` piano, no piano"):
        case.run(ensemble=members(*nets))


def test_networks_of_different_rates_are_refused(case, tmp_path, files):
    """The error names the rates."""
    other = write_network(tmp_path, "mdx23c", name="low", sample_rate=22050)
    with pytest.raises(InvalidRequest, match="`mdx23c` 44100 Hz, `low` 22050 Hz"):
        case.run(ensemble=members(files, other))


# Loading and the cache ----------------------------------------------------------------------------------------------


def test_going_back_to_a_cached_network_costs_no_load(case, trio):
    """One, another, and the first again: only the first two are read."""
    song, events = case.song(0.5), []
    for net in (trio[0], trio[1], trio[0]):
        done, _ = case.run(net, song, job=Job(events.append))
    assert done.model_from_cache
    assert [event.model for event in events if isinstance(event, LoadingModel)] == ["one", "two"]


def test_load_preload_and_the_active_network(case, trio):
    """`load_model` makes a network the one that is meant when none is named; `preload_model` does not."""
    one, two, _ = [member(net) for net in trio]
    loaded = case.engine.load_model(NetworkLoad(**one), Job())
    assert (loaded.model, loaded.stems, loaded.cached) == ("one", ["vocals", "other"], False)
    preloaded = case.engine.preload_model(NetworkPreload(**two), Job())
    assert (preloaded.model, preloaded.already_cached, preloaded.cached_count) == ("two", False, 2)
    assert case.engine.load_model(NetworkLoad(**one), Job()).cached
    assert case.engine.ping().model_loaded == "one"
    done, _ = case.run(song=case.song(0.5))
    assert (done.model, done.model_from_cache) == ("one", True)


def test_without_a_loaded_network_the_built_in_one_is_used(case):
    """The reply names it, says that nothing was named, and how to get a better one. A loaded one comes before it."""
    job, next_job = Job(), Job()
    done, _ = case.run(song=case.song(0.5), job=job)
    assert (done.model, done.stems) == ("dsu_mini", ["drums", "bass", "other", "vocals"])
    (warning,) = job.warnings
    assert "dsu_mini" in warning
    assert "download_model" in warning
    again, _ = case.run(song=case.song(0.5), job=next_job)
    assert (again.model, next_job.warnings) == ("dsu_mini", [])
    assert case.engine.load_model(NetworkLoad(), Job()).cached


def test_a_file_that_was_replaced_is_read_again(case, tmp_path, files):
    """The same path with other weights is another network."""
    song = case.song(0.5)
    _, before = case.run(files, song)
    other = write_network(tmp_path / "other", "mdx23c", seed=9)
    shutil.copy(other.checkpoint, files.checkpoint)
    done, after = case.run(files, song)
    assert not done.model_from_cache
    assert not np.allclose(before["vocals"], after["vocals"], atol=1e-3)


def test_networks_in_the_models_directory_have_names(case, tmp_path, files):
    """A checkpoint beside a configuration of its name is listed and can be named; one without is not."""
    folder = tmp_path / "models" / "bsroformer"
    folder.mkdir(parents=True)
    shutil.copy(files.checkpoint, folder / "mine.ckpt")
    shutil.copy(files.config, folder / "mine.yaml")
    shutil.copy(files.checkpoint, folder / "alone.ckpt")
    listed = case.engine.list_models(ListModels(details=True))
    assert listed.models[-1] == "mine"
    assert "alone" not in listed.models
    details = listed.details[-1]
    assert (details.type, details.stems, details.installed) == ("mdx23c", ["vocals", "other"], True)
    song = case.song(0.5)
    done, by_name = case.run(song=song, model="mine")
    assert done.model == "mine"
    close(by_name, case.run(files, song)[1], atol=0)
    assert case.engine.list_models(ListModels(model="mine")).models == ["mine"]


def test_a_broken_configuration_in_the_models_directory_is_told(case, tmp_path, files):
    """The list still comes, and says what is wrong with it."""
    folder = tmp_path / "models" / "bsroformer"
    folder.mkdir(parents=True)
    shutil.copy(files.checkpoint, folder / "mine.ckpt")
    (folder / "mine.yaml").write_text("audio: [")
    details = case.engine.list_models(ListModels(details=True)).details[-1]
    assert (details.name, details.type, details.stems) == ("mine", "unknown", [])
    assert "mine.yaml" in details.description


def test_names_that_are_not_there(case):
    """Unknown names suggest near ones; a public one that is not installed says how to get it."""
    with pytest.raises(UnknownModel) as caught:
        case.run(model="vocal_melband")
    assert "vocals_melband" in caught.value.suggestions
    with pytest.raises(UnknownModel):
        case.engine.list_models(ListModels(model="vocal_melband"))
    with pytest.raises(ModelNotInstalled) as caught:
        case.run(model="vocals_melband")
    assert "download_model" in caught.value.hint


def test_events_come_in_order(case, files):
    """`loading_model`, `separating`, then progress that ends with 100."""
    events = []
    case.run(files, job=Job(events.append))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [LoadingModel, Separating]
    assert set(kinds[2:]) == {Progress}
    assert events[-1].percent == 100


# What can be wrong --------------------------------------------------------------------------------------------------


def test_a_configuration_of_another_network_is_a_mismatch(case, tmp_path):
    """Keys and shapes are named, and nothing is guessed."""
    right = write_network(tmp_path, "mel_band_roformer", name="right")
    wrong = write_network(tmp_path, "mel_band_roformer", name="wrong", changes={"dim": 12, "depth": 3})
    with pytest.raises(CheckpointMismatch) as caught:
        case.run(right, config_path=str(wrong.config))
    assert "lacks `layers.2." in caught.value.message
    assert "[8,8], the network needs [12,12]" in caught.value.message or "network needs" in caught.value.message


def test_a_configuration_that_describes_no_network(case, files):
    """The key and what is wrong with it are named."""
    edit(files.config, "model", num_scales="many")
    with pytest.raises(ConfigInvalid, match=r"mdx23c\.yaml.*num_scales"):
        case.run(files)


def test_more_names_than_outputs(case, tmp_path):
    """A network of two outputs cannot have three stems."""
    net = write_network(tmp_path, "scnet")
    edit(net.config, "training", instruments=["a", "b", "c"])
    with pytest.raises(ConfigInvalid, match=r"2 outputs.*names 3: a, b, c"):
        case.run(net)


@pytest.mark.parametrize("value", [0, -5, "long", 1.5, True, None])
def test_a_chunk_size_that_is_none(case, files, value):
    """It is named, with what was found."""
    edit(files.config, "audio", chunk_size=value)
    with pytest.raises(ConfigInvalid, match=r"audio\.chunk_size"):
        case.run(files)


def test_a_request_of_another_worker(case):
    """The engine takes its own requests only."""
    with pytest.raises(InvalidRequest):
        case.engine.separate(DemucsSeparate(input=str(case.song()), output=str(case.folder)), Job())


def test_where_memory_runs_out_chunks_get_shorter(case, tmp_path, monkeypatch):
    """Once, twice, until it fits; the reply says so, and the settings are those that were used."""
    net = write_network(tmp_path, "mdx23c", chunk_seconds=4.0)
    limit_memory(monkeypatch, most=1.5 * RATE)
    done, stems = case.run(net, case.song(3.0))
    assert done.settings["chunk_seconds"] == 1.0
    assert any("half as long" in warning for warning in done.warnings) or done.warnings == []
    assert stems["vocals"].shape == (2, 3 * RATE)


def test_where_memory_never_suffices_it_is_an_error(case, files, monkeypatch):
    """Nothing is left behind."""
    limit_memory(monkeypatch, most=1000)
    with pytest.raises(OutOfMemory):
        case.run(files)
    assert not (case.folder / "out").exists()


def limit_memory(monkeypatch, most):
    """Networks run out of memory for more than so many samples."""
    real = networks.NetworkView.__call__

    def call(self, mix):
        if mix.shape[0] * mix.shape[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        return real(self, mix)

    monkeypatch.setattr(networks.NetworkView, "__call__", call)


def test_a_picture_is_written_where_one_is_asked_for(case, files):
    """Beside the stems, named as they are; the reply says where. Silence can be drawn too."""
    done, _ = case.run(files, report=True)
    assert done.report == str(case.folder / "out" / "song" / "report.png")
    assert sorted(path.name for path in (case.folder / "out" / "song").iterdir()) == [
        "other.wav",
        "report.png",
        "vocals.wav",
    ]
    done, _ = case.run(files, report=True, name_template="{track}_({stem})")
    assert done.report == str(case.folder / "out" / "song_(report).png")
    silence = case.folder / "silence.wav"
    soundfile.write(silence, np.zeros((5000, 2)), RATE)
    assert case.run(files, silence, report=True)[0].report.endswith("report.png")
    assert case.run(files)[0].report is msgspec.UNSET


def test_a_picture_that_exists_is_kept_where_nothing_may_be_replaced(case, files):
    """The stems are written, and a warning says why there is no picture."""
    target = case.folder / "out" / "song" / "report.png"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    job = Job()
    done, _ = case.run(files, job=job, report=True, overwrite=False)
    assert done.report is msgspec.UNSET
    assert target.read_bytes() == b"mine"
    assert any("report.png" in warning for warning in job.warnings)


def test_a_public_network_is_downloaded_where_it_is_looked_for(case, monkeypatch):
    """Its file goes into the folder of its record; the reply tells path, size and hash, and then it is installed."""
    file = FileRecord(name="net.ckpt", urls=("https://example.org/net.ckpt",), size_bytes=5, sha256="0" * 64)
    fields = {"worker": "bsroformer", "type": "mdx23c", "folder": "bsroformer", "stems": ("vocals",)}
    record = ModelRecord(name="net", description="", files=(file,), config="mdx23c/vocals_mdx23c.yaml", **fields)
    case.engine._registry = Registry([record], {})
    asked = []

    def fetch(files, *, folder, **options):
        asked.append((list(files), options["offline"]))
        folder.mkdir(parents=True)
        (folder / files[0].name).write_bytes(b"12345")

    monkeypatch.setattr(base, "download_files", fetch)
    reply = case.engine.download_model(DownloadModel(model="net"), Job())
    path = case.folder / "models" / "bsroformer" / "net.ckpt"
    assert (reply.path, reply.size_bytes, reply.sha256) == (str(path), 5, "0" * 64)
    assert asked == [([file], False)]
    assert case.engine.list_models(ListModels(details=True, model="net")).details[0].installed
    with pytest.raises(UnknownModel):
        case.engine.download_model(DownloadModel(model="nett"), Job())
