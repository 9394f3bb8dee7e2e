"""A loaded VR network: its weights, its bands, and what it calls its stems."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from utils.core.errors import CheckpointMismatch
from utils.engine.audio_separator_nets import band_parameters, build_vr, vr_kind
from utils.engine.vr.bands import Layout, read_layout
from utils.engine.vr.spectra import Spectra
from utils.store.audio_separator_models import AudioSeparatorSource, VrParameters
from utils.store.checkpoints import assign, read_checkpoint, size_bytes, unwrap_state

# Devices whose complex numbers and transforms are complete.
SPECTRAL_DEVICES = frozenset({"cpu", "cuda"})


class VrModel:
    """A VR network on its device."""

    channels = 2

    def __init__(
        self, source: AudioSeparatorSource, net: nn.Module, layout: Layout, device: str, *, window_multiple: int
    ) -> None:
        self.source = source
        self.identifier = source.identifier
        self.name = source.name
        self.stems = source.stems
        self.layout = layout
        self.sample_rate = layout.sample_rate
        self.window_multiple = window_multiple
        self.net: Any = net
        self.move(device)

    @property
    def offset(self) -> int:
        """Frames that the network needs to see on either side of those for which it gives a mask."""
        return int(self.net.offset)

    def mask(self, magnitude: Tensor) -> Tensor:
        """(batch, 2, bins + 1, window) to (batch, 2, bins + 1, window - 2 * offset)."""
        return cast(Tensor, self.net.predict_mask(magnitude)).float()

    def size_bytes(self) -> int:
        return size_bytes(self.net)

    def move(self, device: str) -> None:
        self.device = device
        self.net.to(device)
        self.spectra = Spectra(self.layout, _spectral_device(device))


def load_vr(source: AudioSeparatorSource, *, device: str, mapped: bool = True, allow_unsafe: bool = False) -> VrModel:
    """Read a VR network and bring it to a device. Raises `ConfigInvalid` or one of the checkpoint errors."""
    parameters = source.parameters
    if not isinstance(parameters, VrParameters):
        raise CheckpointMismatch(f"`{source.path.name}` is described as something else than a VR network.")
    bands = parameters.bands
    name = bands if isinstance(bands, str) else f"of {source.path.name}"
    raw = band_parameters(bands) if isinstance(bands, str) else bands
    content = read_checkpoint(source.path, mapped=mapped, allow_unsafe=allow_unsafe)
    kind = vr_kind(source.path.stat().st_size, parameters.capacity)
    layout = read_layout(raw, name, modern=kind.modern)
    net = build_vr(kind, layout.bins)
    assign(net, unwrap_state(content, source.path), path=source.path)
    net.eval().requires_grad_(requires_grad=False)
    return VrModel(source, net, layout, device, window_multiple=kind.window_multiple)


def _spectral_device(device: str) -> str:
    return device if device.partition(":")[0] in SPECTRAL_DEVICES else "cpu"
