"""Networks built without data cost nothing and keep every name and shape."""

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
    """The same keys and shapes as built in full, and every tensor on `meta`."""
    with without_data():
        empty = make()
    assert {key: tensor.shape for key, tensor in empty.state_dict().items()} == {
        key: tensor.shape for key, tensor in make().state_dict().items()
    }
    assert all(tensor.is_meta for tensor in empty.state_dict().values())


def test_outside_everything_is_filled_as_usual():
    """What is built afterwards has its random start again."""
    with without_data():
        make()
    assert nn.Linear(30, 30).weight.std() > 0
    assert torch.ones(3).mul_(2).sum() == 6


def test_loading_a_checkpoint_leaves_the_compiler_alone(repo):
    """Reading a Demucs checkpoint does not import torch's compiler, which would take longer than all the rest."""
    path = next(repo.glob("aaaa0001*.th"))
    code = (
        "import sys; from pathlib import Path; from utils.engine.families.demucs.package import load_net\n"
        f"load_net(Path({str(path)!r}), mapped=True, allow_unsafe=False)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_tables_are_made_for_real():
    """What follows from sizes alone has its values, and a device that was asked for is kept."""
    with without_data():
        window = torch.hann_window(4)
        table = 2.0 ** torch.arange(4)
        steps = torch.linspace(0, 1, 3, device=None)
        asked = torch.arange(4, device="meta")
        weight = torch.zeros(4)
    assert table.tolist() == [1.0, 2.0, 4.0, 8.0]
    assert steps.tolist() == [0.0, 0.5, 1.0]
    assert window.tolist() == [0.0, 0.5, 1.0, 0.5]
    assert asked.is_meta
    assert weight.is_meta


def test_building_our_networks_leaves_the_compiler_alone():
    """None of our own architectures does something on `meta` that makes torch import its compiler."""
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
