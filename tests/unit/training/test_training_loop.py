"""Mixtures from a bank, a training run and what it exports, all very small."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training.exporting import ExportTooLarge, as_exported, averaged_weights, export
from training.loop import TrainingRun, build_net, schedule, train
from training.mixing import Bank, Mixer
from training.separating import separate

pytestmark = pytest.mark.slow

SAMPLES = 8192
CONFIG = """
audio: {sample_rate: 44100, num_channels: 2, chunk_size: 8192, n_fft: 256, hop_length: 64}
model: {fine_bins: 32, band_bins: 6, widths: [4, 6]}
training: {instruments: [drums, bass, other, vocals], target_instrument: null}
inference: {num_overlap: 2, batch_size: 1, normalize: true}
"""


def write_shard(path, seed):
    clips = np.random.default_rng(seed).integers(-3000, 3000, (2, 4, 150_000, 2), dtype=np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, clips)


@pytest.fixture
def run(tmp_path):
    """A very short run on a bank of noise; its changes to torch's settings are undone."""
    yield from run_in(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One that has ended."""
    for made in run_in(tmp_path_factory.mktemp("trained")):
        train(made)
        yield made


def run_in(tmp_path):
    for number, name in enumerate(("train", "held_out")):
        write_shard(tmp_path / "bank" / name / "shard-0000.npy", number)
    config = tmp_path / "mask_unet" / "small.yaml"
    config.parent.mkdir()
    config.write_text(CONFIG)
    yield TrainingRun(
        config=config, bank=tmp_path / "bank", folder=tmp_path / "run", minutes=0.0001, batch_size=2,
        segment_samples=SAMPLES, threads=2, loaders=0,
    )  # fmt: skip
    torch.set_flush_denormal(False)


def test_stems_sum_to_the_mixture(run):
    """Whatever the effects, limiting included, the stems sum to the mix; the same seed draws the same examples."""
    first, again = (Mixer(Bank(run.bank / "train"), SAMPLES, seed=4) for _ in range(2))
    for _ in range(12):
        example, same = first.draw(), again.draw()
        assert torch.equal(example.stems, same.stems)
        assert torch.allclose(example.stems.sum(dim=0), example.mix, atol=1e-5)
        assert example.mix.isfinite().all()
        assert example.mix.abs().max() > 0


def test_a_bank_grows(run):
    """Shards that appear later are used too."""
    bank = Bank(run.bank / "train")
    assert len(bank) == 2
    write_shard(run.bank / "train" / "shard-0001.npy", 9)
    bank.reload()
    assert len(bank) == 4


def test_the_learning_rate_rises_and_falls():
    """The learning rate warms up, and ends at a fiftieth."""
    assert schedule(0, 0.0) < 0.02
    assert schedule(1000, 0.0) == pytest.approx(1.0)
    assert schedule(1000, 1.0) == pytest.approx(0.02)


def test_a_run_goes_on_where_it_stopped(run):
    """A second call with more minutes continues the step count, and each call adds a line to the log."""
    train(run)
    before = json.loads((run.folder / "log.jsonl").read_text())
    train(TrainingRun(**{**vars(run), "minutes": before["minutes"] + 0.02}))
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert 0 < before["step"] < lines[-1]["step"]
    assert all(len(line["held_out_sdr"]) == 4 for line in lines)


def test_the_export_is_the_average_in_half_precision(trained, tmp_path):
    """A reader of the exported file gets the weights of `as_exported`, and the network accepts them."""
    target = tmp_path / "out" / "weights.safetensors"
    assert export(trained.folder, target) == target.stat().st_size
    weights, expected = load_file(target), as_exported(averaged_weights(trained.folder))
    assert all(weights[name].dtype == torch.float16 for name in weights)
    assert all(torch.equal(weights[name].float(), expected[name]) for name in expected)
    build_net(trained.config, seed=0).load_state_dict(expected)


def test_an_export_that_is_too_large_leaves_nothing(trained, tmp_path, monkeypatch):
    """An export over the size limit fails and leaves no file."""
    monkeypatch.setattr("training.exporting.LARGEST_BYTES", 10)
    with pytest.raises(ExportTooLarge, match="at most 10"):
        export(trained.folder, tmp_path / "out" / "weights.safetensors")
    assert not list(Path(tmp_path / "out").iterdir())


class Quarter(torch.nn.Module):
    """Each stem is a quarter of the mixture."""

    def forward(self, mix):
        return torch.stack([mix / 4] * 4, dim=1)


def test_whole_songs_go_through_the_loop_over_chunks():
    """A song whose length is no multiple of the chunk keeps its length."""
    mix = np.random.default_rng(0).standard_normal((2, 20011)).astype(np.float32)
    config = {"audio": {"chunk_size": 4096}, "inference": {"num_overlap": 2}}
    stems = separate(Quarter(), config, mix)
    assert stems.shape == (4, 2, 20011)
    assert np.allclose(stems.sum(axis=0), mix, atol=1e-4)


class Loudness(torch.nn.Module):
    """Records the peak of every input."""

    seen = 0.0

    def forward(self, mix):
        self.seen = max(self.seen, float(mix.abs().max()))
        return torch.stack([mix] * 4, dim=1)


@pytest.mark.parametrize(("normalize", "times"), [(True, 5.0), (False, 1.0)])
def test_networks_see_songs_as_loud_as_their_configuration_says(normalize, times):
    """With `normalize` the network gets a standard deviation of one, and the output has the song's level again."""
    mono = 0.2 * np.random.default_rng(0).standard_normal((1, 4096)).astype(np.float32)
    mix, net = np.concatenate([mono, mono]), Loudness()
    config = {"audio": {"chunk_size": 4096}, "inference": {"num_overlap": 1, "normalize": normalize}}
    stems = separate(net, config, mix)
    assert net.seen == pytest.approx(times * np.abs(mix).max(), rel=0.05)
    assert np.allclose(stems[0], mix, atol=1e-4)
