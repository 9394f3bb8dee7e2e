"""Ensembles of networks: averages and other blends, complements, decoding once, and incompatible members."""

import msgspec
import numpy as np
import pytest
import torch
from network_case import close, member, read

from tools.fixtures.networks import write_network
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.replies import LoadingModel
from utils.core.requests import NetworkMember
from utils.engine.pipeline import track

pytestmark = pytest.mark.slow


def members(*nets):
    return msgspec.convert([member(net) for net in nets], list[str | NetworkMember])


def singles(case, song, nets):
    """The result of each network, with stems named as in the first one."""
    results = [case.run(net, song)[1] for net in nets]
    return [{name.lower(): stem for name, stem in result.items()} for result in results]


def test_an_average_counts_members_by_their_weights(case, trio):
    """Common stems are matched by name and averaged with weights."""
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
    """Each sample is the median, or the value nearest to or farthest from zero."""
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
    """The blend equals one computed from the STFTs of the members' whole results."""
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
    """The complement is computed from the blended stem."""
    song = case.song()
    _, stems = case.run(
        song=song, ensemble=members(*trio), ensemble_type="max_fft", stems=["vocals"], extract_instrumental=True
    )
    assert list(stems) == ["vocals", "instrumental"]
    np.testing.assert_allclose(stems["instrumental"], read(song) - stems["vocals"], atol=1e-6)


def test_an_ensemble_decodes_once_and_keeps_its_members(case, trio, monkeypatch):
    """The song is opened once for all members, and the next job finds them loaded."""
    opened = []
    real = track.open_audio
    monkeypatch.setattr(track, "open_audio", lambda *args, **kwargs: opened.append(1) or real(*args, **kwargs))
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
    """The error lists the stems of each member."""
    nets = [write_network(tmp_path, "mdx23c", name=name, stems=[name, f"no {name}"]) for name in ("bass", "piano")]
    with pytest.raises(InvalidRequest, match=r"no stem in common: `bass` bass, no bass; `piano` piano, no piano"):
        case.run(ensemble=members(*nets))


def test_networks_of_different_rates_are_refused(case, tmp_path, files):
    """The error names the rates."""
    other = write_network(tmp_path, "mdx23c", name="low", sample_rate=22050)
    with pytest.raises(InvalidRequest, match="`mdx23c` 44100 Hz, `low` 22050 Hz"):
        case.run(ensemble=members(files, other))


def test_a_network_that_is_named_twice_is_loaded_once(case, files):
    """Both members are the same model, and the average of them is its own result."""
    events = []
    song = case.song()
    _, both = case.run(song=song, ensemble=members(files, files), job=Job(events.append))
    assert sum(isinstance(event, LoadingModel) for event in events) == 1
    close(both, case.run(files, song)[1])
