"""Small checkpoints in the format of the demucs package."""

import hashlib

import pytest
import torch
import yaml
from demucs.states import load_model

from tools.make_checkpoint import (
    DEMUCS,
    FINE_TUNED,
    HDEMUCS,
    HTDEMUCS,
    SOURCES,
    make_repo,
    seeded_net,
    tiny_demucs,
    tiny_hdemucs,
    tiny_htdemucs,
    write_checkpoint,
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    return make_repo(tmp_path_factory.mktemp("repo"))


@pytest.mark.parametrize("signature", [HTDEMUCS, HDEMUCS, DEMUCS])
def test_the_demucs_package_reads_them(repo, signature):
    """The package's own loader takes each family, and its output is audible, finite and stereo for each source."""
    path = next(repo.glob(f"{signature}-*.th"))
    net = load_model(path).float().eval()
    mix = 0.1 * torch.randn(1, 2, 44100, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        stems = net(mix)
    assert stems.shape == (1, len(SOURCES), 2, 44100)
    assert stems.isfinite().all()
    assert (stems.std(dim=(0, 2, 3)) > 0.003).all()


def test_names_carry_the_checksum(repo):
    """`SIGNATURE-CHECKSUM.th`, with the first eight digits of the file's SHA-256."""
    for path in repo.glob("*.th"):
        checksum = path.stem.partition("-")[2]
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(checksum)


def test_bags_name_members_that_are_there(repo):
    """Each bag's members exist, and its weights have a row for each member and a column for each source."""
    signatures = {path.stem.partition("-")[0] for path in repo.glob("*.th")}
    bags = {path.stem: yaml.safe_load(path.read_text()) for path in repo.glob("*.yaml")}
    assert bags.keys() == {"tiny", "tiny_ft", "tiny_bag"}
    assert tuple(bags["tiny_ft"]["models"]) == FINE_TUNED
    for bag in bags.values():
        assert set(bag["models"]) <= signatures
        for row in bag.get("weights", []):
            assert len(row) == len(SOURCES)
        assert len(bag.get("weights", bag["models"])) == len(bag["models"])


@pytest.mark.parametrize("make", [tiny_htdemucs, tiny_hdemucs, tiny_demucs])
def test_weights_depend_on_the_seed_only(make):
    """The same seed gives the same net, another one another, and the caller's random numbers are not touched."""
    klass, kwargs = make()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (seeded_net(klass, kwargs, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_full_precision_is_kept_if_asked(tmp_path):
    """Without `half` the stored weights are those of the net, bit by bit."""
    path = write_checkpoint(tmp_path, HTDEMUCS, tiny_htdemucs, seed=4, half=False)
    net = seeded_net(*tiny_htdemucs(), seed=4)
    stored = load_model(path).state_dict()
    assert all(torch.equal(stored[key], tensor) for key, tensor in net.state_dict().items())
