"""A loaded VR network: its weights, its bands and its stems."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from utils.core.errors import CheckpointMismatch
from utils.core.settings import Arithmetic
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference
from utils.engine.families.vr.bands import BandLayout, read_layout
from utils.engine.families.vr.package import band_parameters, build_vr, vr_kind
from utils.engine.families.vr.spectra import Spectra
from utils.store.audio_separator_models import AudioSeparatorSource, VrParameters
from utils.store.checkpoints import assign, largest_network_bytes, read_checkpoint, unwrap_state
from utils.store.records import stands_half

SPECTRAL_DEVICES = frozenset({"cpu", "cuda"})


class VrModel:
    """A loaded VR network on its device."""

    channels = 2

    def __init__(
        self,
        source: AudioSeparatorSource,
        backend: Backend,
        layout: BandLayout,
        device: str,
        *,
        offset: int,
        window_multiple: int,
    ) -> None:
        """`offset` is the network's context: frames on either side of those for which it returns a mask."""
        self.source = source
        self.stems = source.stems
        self.layout = layout
        self.sample_rate = layout.sample_rate
        self.offset = offset
        self.window_multiple = window_multiple
        self.backend = backend
        self.move(device)

    def mask(self, magnitude: Tensor) -> Tensor:
        """(batch, 2, bins + 1, window) to (batch, 2, bins + 1, window - 2 * offset)."""
        return self.backend(magnitude).float()

    def size_bytes(self) -> int:
        return self.backend.size_bytes()

    def move(self, device: str) -> None:
        self.device = device
        self.backend.move(device)
        # Other devices do not fully support complex numbers and FFTs.
        self.spectra = Spectra(self.layout, device if device.partition(":")[0] in SPECTRAL_DEVICES else "cpu")

    def prepare(self, precision: Arithmetic) -> None:
        self.backend.prepare(precision)


def load_vr(
    source: AudioSeparatorSource,
    *,
    device: str,
    mapped: bool = True,
    allow_unsafe: bool = False,
) -> VrModel:
    """Load a VR network onto a device. Raises `ConfigInvalid` or one of the checkpoint errors."""
    parameters = source.parameters
    if not isinstance(parameters, VrParameters):
        raise CheckpointMismatch(f"The parameters of `{source.path.name}` are not those of a VR network.")
    bands = parameters.bands
    name = bands if isinstance(bands, str) else f"of {source.path.name}"
    raw = band_parameters(bands) if isinstance(bands, str) else bands
    content = read_checkpoint(source.path, mapped=mapped, allow_unsafe=allow_unsafe)
    kind = vr_kind(source.path.stat().st_size, parameters.capacity)
    layout = read_layout(raw, name, modern=kind.modern)
    try:
        net: Any = build_vr(kind, layout.bins, largest_network_bytes(source.path))
    except (ValueError, RuntimeError) as error:
        raise CheckpointMismatch(f"The parameters of `{source.path.name}` do not fit it: {error}") from error
    assign(net, unwrap_state(content, source.path), path=source.path)
    backend = TorchBackend(for_inference(net), "predict_mask", halves=stands_half(source.record))
    return VrModel(source, backend, layout, device, offset=int(net.offset), window_multiple=kind.window_multiple)
