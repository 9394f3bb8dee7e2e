"""The parts of the benchmark of networks against other implementations."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import networks
from tools.fixtures.networks import full_size_config, small_params


class Half(nn.Module):
    """Another implementation that is wrong."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, mix):
        return 0.5 * self.net(mix)

    def load_state_dict(self, state, strict=True):
        return self.net.load_state_dict(state, strict=strict)


@pytest.fixture
def small(monkeypatch):
    """Small networks in place of the public ones."""
    monkeypatch.setattr(networks, "full_size", lambda kind: small_params(kind, ("vocals", "other"), 44100, {}))


def build_small(kind):
    params = networks.full_size(kind)
    return networks.seeded_network(kind, params, seed=9)


def test_implementations_are_timed_in_turns(small, monkeypatch):
    """Each has as many runs as asked, with our weights, and only if it knows the kind."""
    monkeypatch.setattr(
        networks,
        "PEERS",
        {
            "twin": (frozenset({"scnet"}), lambda kind, _: build_small(kind)),
            "stranger": (frozenset({"apollo"}), lambda kind, _: build_small(kind)),
        },
    )
    timed = networks.measure("scnet", seconds=0.3, rounds=2)
    assert {name: len(runs) for name, runs in timed.runs.items()} == {"DSU": 2, "twin": 2}
    assert timed.chunk_s == pytest.approx(0.3)
    assert timed.parameters > 1000


def test_nothing_is_timed_that_gives_something_else(small, monkeypatch):
    """An implementation whose output differs is an error that says by how much."""
    monkeypatch.setattr(networks, "PEERS", {"half": (frozenset({"scnet"}), lambda kind, _: Half(build_small(kind)))})
    with pytest.raises(networks.Disagreement, match="half agrees with ours only to 6 dB"):
        networks.measure("scnet", seconds=0.3, rounds=1)


def test_a_peers_transformer_has_the_options_that_all_have_in_common(small):
    """Built for ours as it is timed, it takes the weights and gives the same."""
    params = replace(networks.full_size("bs_roformer"), **networks.IN_COMMON["bs_roformer"])
    ours = networks.seeded_network("bs_roformer", params, seed=0)
    peer = networks.audio_separator_network("bs_roformer", Path("unused.yaml"))
    peer.load_state_dict(ours.state_dict(), strict=True)
    mix = torch.randn(1, 2, 5120, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = {"DSU": ours(mix), "audio-separator": peer.eval()(mix)}
    networks.require_agreement("bs_roformer", outputs)


def test_agreement_takes_other_shapes():
    """Implementations may leave out the axis of a single stem, and the samples after the last whole hop."""
    ours = torch.randn(1, 1, 2, 100, generator=torch.Generator().manual_seed(0))
    assert networks.agreement_db(ours[:, 0, :, :90], ours) > 200
    assert networks.agreement_db(1.01 * ours[:, 0, :, :90], ours) == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("kind", networks.KINDS)
def test_bounded_chunk_fits_the_network(kind):
    """The chunk is the configuration's or a shorter one; a network that halves frames gets a number that it can halve."""
    config = full_size_config(kind)
    assert networks.chunk_samples(config, 1000) == config["audio"]["chunk_size"]
    samples = networks.chunk_samples(config, 2)
    assert 1.4 * 44100 < samples <= 2 * 44100
    if kind == "mdx23c":
        assert (samples // 512 + 1) % 32 == 0


def test_rows_have_medians_and_minima():
    """A peer that does not have the network leaves its cells empty."""
    timed = networks.Timed("scnet", 53_466_800, 11.0, {"DSU": [1.0, 2.0, 3.0], "a": [4.0, 2.0, 8.0]})
    assert networks.row(timed, ["a", "b"]) == [
        "scnet", "53.5", "11.0", "2.00 (1.00)", "4.00 (2.00)", "0.50 (0.50)", "", "",
    ]  # fmt: skip
    assert len(networks.heads(["a", "b"])) == 8
