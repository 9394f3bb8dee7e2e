"""Networks built without data cost nothing and keep all names and shapes."""

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from utils.engine.backends.torch import without_data

ROOT = Path(__file__).resolve().parents[4]


def make():
    net = nn.Sequential(nn.Embedding(7, 3), nn.Conv1d(2, 4, 3), nn.LSTM(3, 5), nn.Linear(3, 3))
    nn.init.trunc_normal_(net[3].weight)
    net[0].weight.data /= 10
    return net


def test_shapes_without_data():
    """The keys and shapes equal those of a normally built network, and every tensor is on `meta`."""
    with without_data():
        empty = make()
    assert {key: tensor.shape for key, tensor in empty.state_dict().items()} == {
        key: tensor.shape for key, tensor in make().state_dict().items()
    }
    assert all(tensor.is_meta for tensor in empty.state_dict().values())


def test_networks_built_afterwards_are_initialised_as_usual():
    """Random initialisation works again outside the context."""
    with without_data():
        make()
    assert nn.Linear(30, 30).weight.std() > 0
    assert torch.ones(3).mul_(2).sum() == 6


def test_loading_a_checkpoint_leaves_the_compiler_alone(repo):
    """Reading a Demucs checkpoint does not import torch's compiler, which would take longer than everything else."""
    path = next(repo.glob("aaaa0001*.th"))
    code = (
        "import sys; from pathlib import Path; from utils.engine.families.demucs.package import load_net\n"
        f"load_net(Path({str(path)!r}), mapped=True, allow_unsafe=False)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_tables_are_computed():
    """Tables that follow from sizes alone have values, and an explicit device is respected."""
    with without_data():
        window = torch.hann_window(4)
        table = 2.0 ** torch.arange(4)
        steps = torch.linspace(0, 1, 3, device=None)
        explicit = torch.arange(4, device="meta")
        weight = torch.zeros(4)
    assert table.tolist() == [1.0, 2.0, 4.0, 8.0]
    assert steps.tolist() == [0.0, 0.5, 1.0]
    assert window.tolist() == [0.0, 0.5, 1.0, 0.5]
    assert explicit.is_meta
    assert weight.is_meta


def test_building_our_networks_leaves_the_compiler_alone():
    """None of our own architectures makes torch import its compiler while it is built on `meta`."""
    code = (
        "import sys\n"
        "from models.architectures import OWN, network_class, params_class\n"
        "from utils.engine.backends.torch import without_data\n"
        "for kind in OWN:\n"
        "    network, params = network_class(kind), params_class(kind).tiny()\n"
        "    with without_data():\n"
        "        network(params)\n"
        "    if 'torch._dynamo' in sys.modules:\n"
        "        sys.exit(kind)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")
