"""An Apollo network: its sizes come from its checkpoint, and its receptive field is known to the frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from models.apollo import ApolloNetwork, ApolloNetworkParams
from utils.core import catalogue
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, ConfigInvalid
from utils.core.settings import Arithmetic
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.engine.family import ModelSource
from utils.store.checkpoints import assign, largest_network_bytes, read_checkpoint, unwrap_state
from utils.store.network_config import read_config
from utils.store.records import ModelRecord, stands_half

CONTEXT_FRAMES_PER_LAYER = 9  # three convolutions over seven frames
CONTEXT_FRAMES_OF_STFT = 3  # of the transforms at both ends


@dataclass(frozen=True)
class ApolloFiles:
    """A network given by its files; the configuration is optional. It is named like the networks of `models/`."""

    checkpoint: Path
    config: Path | None
    family: str = "apollo"
    record: ModelRecord | None = None
    traits: object = None

    @property
    def name(self) -> str:
        return self.checkpoint.stem

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.checkpoint, self.config) if self.config is not None else (self.checkpoint,)

    @property
    def identifier(self) -> str:
        stamps = [f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in self.files]
        return f"apollo:{'+'.join(stamps)}"


@dataclass(frozen=True)
class Sizes:
    """The sizes of a network."""

    feature_dim: int
    layer: int

    def __str__(self) -> str:
        return f"feature_dim {self.feature_dim} and layer {self.layer}"


class ApolloModel:
    """A loaded network, on its device."""

    stems = (catalogue.RESTORED,)

    def __init__(self, source: ModelSource, backend: Backend, params: ApolloNetworkParams, checkpoint: Path) -> None:
        self.source = source
        self.backend = backend
        self.sizes = Sizes(params.feature_dim, params.layer)
        self.sample_rate = params.sr
        self.grid = params.window_samples // 2
        self._checkpoint = checkpoint

    @property
    def context(self) -> int:
        """Samples on either side of a position that can affect the network's output there."""
        return (CONTEXT_FRAMES_PER_LAYER * self.sizes.layer + CONTEXT_FRAMES_OF_STFT) * self.grid

    def require(self, feature_dim: int | None, layer: int | None) -> None:
        """Raise `CheckpointMismatch` if a request states other sizes."""
        stated = Sizes(feature_dim or self.sizes.feature_dim, layer or self.sizes.layer)
        require_sizes(stated, self.sizes, self._checkpoint, "the request says")

    def size_bytes(self) -> int:
        return self.backend.size_bytes()

    def move(self, device: str) -> None:
        self.backend.move(device)

    def prepare(self, precision: Arithmetic) -> None:
        self.backend.prepare(precision)


def load_apollo(
    source: ModelSource,
    checkpoint: Path,
    config: Path | None,
    *,
    mapped: bool,
    allow_unsafe: bool,
) -> ApolloModel:
    """Read a network. Its sizes come from the checkpoint; a configuration that contradicts them is an error."""
    content = read_checkpoint(checkpoint, mapped=mapped, allow_unsafe=allow_unsafe)
    tensors = unwrap_state(content, checkpoint)
    sizes = sizes_of(tensors, checkpoint)
    stated = ApolloNetworkParams()
    if config is not None:
        try:
            stated = ApolloNetworkParams.from_config(read_config(config))
        except ValueError as error:
            raise ConfigInvalid(f"`{config.name}` does not describe an Apollo network: {error}") from error
        require_sizes(Sizes(stated.feature_dim, stated.layer), sizes, checkpoint, f"`{config.name}` has")
    params = ApolloNetworkParams(sr=stated.sr, win=stated.win, feature_dim=sizes.feature_dim, layer=sizes.layer)
    try:
        with without_data(largest_network_bytes(checkpoint)):
            net = ApolloNetwork(params)
    except (ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointInvalid(f"`{checkpoint.name}` does not hold an Apollo network: {error}") from error
    assign(net, tensors, path=checkpoint)
    return ApolloModel(source, TorchBackend(for_inference(net), halves=stands_half(source.record)), params, checkpoint)


def sizes_of(tensors: Mapping[str, Tensor], path: Path) -> Sizes:
    """The sizes of the network with these tensors."""
    first = tensors.get("BN.0.1.weight")
    layers = {key.split(".")[1] for key in tensors if key.startswith("net.")}
    if first is None or not layers:
        raise CheckpointInvalid(
            f"`{path.name}` does not hold an Apollo network: it lacks the layers `BN` or `net`.",
            hint="Use `separate` for other networks.",
        )
    return Sizes(feature_dim=first.shape[0], layer=len(layers))


def require_sizes(stated: Sizes, held: Sizes, checkpoint: Path, who: str) -> None:
    if stated != held:
        raise CheckpointMismatch(
            f"`{checkpoint.name}` holds a network with {held}, but {who} {stated}.",
            hint="Leave out `feature_dim` and `layer`: they are read from the checkpoint.",
        )


class ApolloView:
    """The network as the chunk loop calls it: with all context that can affect a chunk."""

    def __init__(self, model: ApolloModel) -> None:
        self._backend = model.backend
        self._context = model.context

    def input_length(self, length: int) -> int:
        return length + 2 * self._context

    def __call__(self, mix: Tensor) -> Tensor:
        return self._backend(mix)
