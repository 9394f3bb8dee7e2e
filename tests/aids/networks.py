"""Networks with weights that let every part of them show, and signals to run them on, for the tests of this folder."""

from pathlib import Path

import soundfile
import torch
from torch import Tensor, nn

from models.architectures import OWN, network_class, params_class
from utils.doctor.computing import agreement_db, with_unit_gain

CLIP = Path(__file__).resolve().parents[2] / "embedded" / "clip"
CLIP_START = 3 * 44100

__all__ = ["TINY", "agreement_db", "music", "noise", "run", "scrambled", "tiny", "twin", "with_unit_gain"]
# Of every architecture, its network and parameters.
TINY = {name: (network_class(name), params_class(name)) for name in OWN}


def tiny(name: str) -> nn.Module:
    """A tiny network of that kind, with the same weights each time."""
    network, params = TINY[name]
    torch.manual_seed(1)
    return scrambled(network(params.tiny()))


def scrambled(net: nn.Module) -> nn.Module:
    """The network, ready to run, without weights of exactly 1 or 0: they would hide a norm that is left out."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def twin(net: nn.Module, peer: nn.Module) -> nn.Module:
    """`net` with the weights of another implementation, all of which it must know."""
    net.load_state_dict(peer.state_dict(), strict=True)
    return net.eval()


def noise(*shape: int) -> Tensor:
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(3))


def music(channels: int, samples: int) -> Tensor:
    """(1, channels, samples) of the embedded clip, from where all instruments play."""
    stems = [soundfile.read(path, dtype="float32", always_2d=True)[0].T for path in sorted(CLIP.glob("*.ogg"))]
    return torch.from_numpy(sum(stems))[None, :channels, CLIP_START:][..., :samples].clone()


def run(net: nn.Module, mix: Tensor, **options: object) -> Tensor:
    with torch.inference_mode():
        return net(mix, **options)
