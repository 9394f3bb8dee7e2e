"""The first two versions of Demucs against an independent implementation, key for key and stem for stem."""

from dataclasses import asdict, replace

import pytest
import torch
from julius import resample_frac
from networks import noise, run, scrambled, twin
from pymss_core.modules import legacy_demucs

from models.blocks import demucs_layers
from models.demucs_v2 import DemucsV2, DemucsV2Params
from utils.store.network_models import guess_type

FIRST, SECOND = {"resample": False}, {"resample": True}


@pytest.fixture(autouse=True)
def as_the_package_resamples(monkeypatch):
    """The other implementation interpolates linearly where the package has a filter."""
    monkeypatch.setattr(legacy_demucs, "_resample_x2", lambda x: resample_frac(x, 1, 2))
    monkeypatch.setattr(legacy_demucs, "_downsample_x2", lambda x, _: resample_frac(x, 2, 1))


def peer_of(params):
    """The network in `pymss-core`, written by others."""
    options = asdict(params)
    return legacy_demucs.LegacyDemucs(**options, channels=options.pop("width"), rescale=0)


@pytest.mark.parametrize("version", [FIRST, SECOND], ids=["first", "second"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"audio_channels": 1, "sources": ("a", "b", "c"), "lstm_layers": 2},
        {"depth": 2, "growth": 1.5, "context": 1},
        {"kernel_size": 7, "stride": 3},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
@pytest.mark.parametrize("samples", [1, 1000, 1003])
def test_an_independent_implementation_agrees(version, changes, samples):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    params = replace(DemucsV2Params.tiny(), **version, **changes)
    torch.manual_seed(0)
    other = scrambled(peer_of(params))
    net = twin(DemucsV2(params), other)
    mix = noise(2, params.channels, samples)
    reference = torch.stack([legacy_demucs.apply_legacy_model(other, each, split=False) for each in mix])
    assert reference.abs().max() > 0.01
    torch.testing.assert_close(run(net, mix), reference, atol=1e-4, rtol=0)


def test_a_job_can_be_cancelled_within_the_longest_layers(monkeypatch):
    """Those that look on at a layer of samples do so before each part of it."""
    monkeypatch.setattr(demucs_layers, "POSITIONS", 100)
    net, seen = DemucsV2(DemucsV2Params.tiny()).eval(), []
    net.decoder[-1][2].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    run(net, noise(1, 2, 1000))
    whole, *parts = seen
    assert len(parts) > 1
    assert sum(parts) == whole


@pytest.mark.parametrize(
    ("options", "size_bytes"),
    [
        ({"channels": 100, "resample": False}, 2_594_202_563),
        ({"channels": 64, "resample": False}, 1_062_727_712),
        ({"channels": 64}, 1_062_738_817),
        ({"channels": 48}, 597_870_849),
    ],
)
def test_full_size_keys_and_shapes(options, size_bytes):
    """The published options give the keys of the other implementation, and the size of the published files."""
    params = DemucsV2Params.from_config({"model": options})
    with torch.device("meta"):
        ours, theirs = DemucsV2(params), peer_of(params)
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
        key: tensor.shape for key, tensor in theirs.state_dict().items()
    }
    assert 4 * sum(map(torch.numel, ours.parameters())) == pytest.approx(size_bytes, rel=1e-4)


def test_some_stems_are_what_they_are_among_all():
    """Stems that nobody asked for do not change the others."""
    net = scrambled(DemucsV2(replace(DemucsV2Params.tiny(), sources=("a", "b", "c"))))
    mix = noise(1, 2, 500)
    torch.testing.assert_close(run(net, mix, stems=[2, 0]), run(net, mix)[:, [2, 0]], atol=1e-6, rtol=0)


def test_it_is_told_by_either_file():
    """By an option that nothing else has, or by its keys."""
    assert guess_type({"model": {"channels": 100, "lstm_layers": 2}}) == "demucs_v2"
    assert guess_type({"model": {}}, DemucsV2(DemucsV2Params.tiny()).state_dict()) == "demucs_v2"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kernel_size": 3}, "kernel_size"),
        ({"depth": 11}, "depth"),
        ({"growth": 0.5}, "growth"),
        ({"growth": 9.0}, "growth"),
        ({"glu": False}, "glu"),
    ],
)
def test_a_wrong_option_is_named(wrong, named):
    """A value that no network can have is refused with its option's name."""
    with pytest.raises(ValueError, match=f"`model.{named}`"):
        DemucsV2Params.from_config({"model": wrong})
