"""Apollo restoration: which network, and how a song goes through it without a seam.

The network works in frames and looks a known number of them to either side. So chunks start on the grid of frames and
are shown that much around them, as far as the song goes; their sum is what one pass over the whole song gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from models.apollo import Apollo as Network
from models.apollo import ApolloParams
from utils.core import requests
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, ConfigInvalid
from utils.core.replies import Restoring
from utils.engine.builder import without_data
from utils.engine.chunking import plan_on_grid
from utils.engine.demix import Compute, Lane
from utils.engine.named_output import TEMPLATE, beside, channels_of_input
from utils.engine.separation import Recipe
from utils.engine.stems import Complement, select
from utils.store.checkpoints import assign, read_checkpoint, size_bytes, unwrap_state
from utils.store.network_config import read_config

STEMS = ("restored",)
ADDITION = Complement("addition", (0,), reversed=True)  # what the restoration has added
FRAMES_SEEN_BY_LAYER = 9  # three convolutions of seven frames
FRAMES_SEEN_AROUND = 3  # by the transforms at both ends
SHORTEST_CHUNK_S = 1.0


@dataclass(frozen=True)
class Sizes:
    """What the layers of a checkpoint say of its network."""

    feature_dim: int
    layer: int

    def __str__(self) -> str:
        return f"feature_dim {self.feature_dim} and layer {self.layer}"


class ApolloModel:
    """A loaded network, on its device."""

    stems = STEMS

    def __init__(self, name: str, identifier: str, net: Network, sizes: Sizes) -> None:
        self.name = name
        self.identifier = identifier
        self.net = net
        self.sizes = sizes
        self.sample_rate = net.params.sr
        self.grid = net.params.window_samples // 2

    def size_bytes(self) -> int:
        return size_bytes(self.net)

    def move(self, device: str) -> None:
        self.net.to(device)


def load_apollo(
    checkpoint: Path,
    config: Path | None,
    *,
    name: str,
    identifier: str,
    feature_dim: int | None = None,
    layer: int | None = None,
    device: str,
    mapped: bool,
    allow_unsafe: bool,
) -> ApolloModel:
    """Read a network. Its sizes are the checkpoint's; a request or a configuration that says otherwise is an error."""
    tensors = unwrap_state(read_checkpoint(checkpoint, mapped=mapped, allow_unsafe=allow_unsafe), checkpoint)
    sizes = sizes_of(tensors, checkpoint)
    stated = _params_of(config) if config is not None else ApolloParams()
    if config is not None:
        _require_sizes(Sizes(stated.feature_dim, stated.layer), sizes, checkpoint, f"`{config.name}` has")
    asked = Sizes(feature_dim or sizes.feature_dim, layer or sizes.layer)
    _require_sizes(asked, sizes, checkpoint, "the request says")
    params = ApolloParams(sr=stated.sr, win=stated.win, feature_dim=sizes.feature_dim, layer=sizes.layer)
    with without_data():
        net = Network(params)
    assign(net, tensors, path=checkpoint)
    net.eval().requires_grad_(requires_grad=False)
    return ApolloModel(name, identifier, net.to(device), sizes)


def sizes_of(tensors: Mapping[str, Tensor], path: Path) -> Sizes:
    """The sizes of the network that these tensors are of."""
    first = tensors.get("BN.0.1.weight")
    layers = {key.split(".")[1] for key in tensors if key.startswith("net.")}
    if first is None or not layers:
        raise CheckpointInvalid(
            f"`{path.name}` does not hold an Apollo network: it lacks the layers `BN` or `net`.",
            hint="Separate with other networks by `separate`.",
        )
    return Sizes(feature_dim=first.shape[0], layer=len(layers))


def _params_of(config: Path) -> ApolloParams:
    try:
        return ApolloParams.from_config(read_config(config))
    except ValueError as error:
        raise ConfigInvalid(f"`{config.name}` does not describe an Apollo network: {error}") from error


def _require_sizes(stated: Sizes, held: Sizes, checkpoint: Path, who: str) -> None:
    if stated != held:
        raise CheckpointMismatch(
            f"`{checkpoint.name}` holds a network with {held}, but {who} {stated}.",
            hint="Leave `feature_dim` and `layer` out: the checkpoint tells them.",
        )


class ApolloView:
    """The network as the chunk loop sees it: shown enough around a chunk that nothing further could change it."""

    def __init__(self, model: ApolloModel) -> None:
        self._net: nn.Module = model.net
        frames = FRAMES_SEEN_BY_LAYER * model.sizes.layer + FRAMES_SEEN_AROUND
        self._around = frames * model.grid

    def input_length(self, length: int) -> int:
        return length + 2 * self._around

    def __call__(self, mix: Tensor) -> Tensor:
        return cast(Tensor, self._net(mix))


def apollo_recipe(
    request: requests.Apollo, model: ApolloModel, *, device: str, threads: int, free_memory: Any, chunk_s: float
) -> Recipe:
    """How a file is restored."""
    selection = select(
        STEMS, stems=request.stems, two_stems=None, complement=ADDITION, with_complement=request.addition
    )
    batch_size = request.batch_size or 1

    def shorter() -> Recipe | None:
        if chunk_s / 2 < SHORTEST_CHUNK_S:
            return None
        return apollo_recipe(
            request, model, device=device, threads=threads, free_memory=free_memory, chunk_s=chunk_s / 2
        )

    return Recipe(
        model=model.name,
        sample_rate=model.sample_rate,
        channels=channels_of_input(request),
        selection=selection,
        template=TEMPLATE,
        compute=Compute(device=device, threads=threads, batch_size=batch_size, precision=request.precision),
        lanes=lambda total, _: [_lane(model, total, chunk_s, request.chunk_overlap)],
        settings={
            "chunk_seconds": chunk_s,
            "chunk_overlap": request.chunk_overlap,
            "batch_size": batch_size,
            "feature_dim": model.sizes.feature_dim,
            "layer": model.sizes.layer,
        },
        free_memory=free_memory,
        shorter=shorter,
        targets=beside(request, selection.names, STEMS[0]),
        event=Restoring,
    )


def _lane(model: ApolloModel, total: int, chunk_s: float, overlap_s: float) -> Lane:
    rate = model.sample_rate
    plan = plan_on_grid(total, chunk=round(chunk_s * rate), fade=round(overlap_s * rate), grid=model.grid)
    return Lane(ApolloView(model), plan, np.ones(1, dtype=np.float32), bounded=True)
