"""Networks of our own, read from a checkpoint and a configuration, and how the chunk loop sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.architectures import network_class, params_class
from utils.core.errors import ConfigInvalid
from utils.engine.builder import without_data
from utils.engine.stems import Complement
from utils.store.checkpoints import assign, read_checkpoint, size_bytes, unwrap_state
from utils.store.network_config import read_config
from utils.store.network_models import NetworkSource

STEREO = 2
DEFAULT_RATE = 44100
VOCALS = "vocals"
INSTRUMENTAL = "instrumental"


@dataclass(frozen=True)
class Numbers:
    """What a configuration says of how its network is run."""

    sample_rate: int
    chunk: int
    batch_size: int
    scaled: bool  # the network sees the song with its mean removed and its deviation made one


class NetworkModel:
    """A loaded network, on its device."""

    def __init__(self, source: NetworkSource, net: nn.Module, *, channels: int, config: Mapping[str, Any]) -> None:
        self.identifier = identifier(source)
        self.source = source
        self.name = source.name
        self.stems = source.stems
        self.net = net
        self.channels = channels
        self.numbers = _numbers(config, source)
        self.complement = _complement(source.stems, _instruments(config), restores=source.type == "apollo")

    def size_bytes(self) -> int:
        return size_bytes(self.net)

    def move(self, device: str) -> None:
        self.net.to(device)


def identifier(source: NetworkSource) -> str:
    """A network of the registry goes by its name; one of the user's by its files as they are now."""
    if source.record is not None:
        return source.name
    stamps = [f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in (source.checkpoint, source.config)]
    return f"{source.type}:{'+'.join(stamps)}"


def load_network(source: NetworkSource, *, device: str, mapped: bool, allow_unsafe: bool) -> NetworkModel:
    """Read a network and bring it to a device. Raises `ConfigInvalid` or one of the checkpoint errors."""
    config = read_config(source.config)
    net, params = build(source, config)
    content = read_checkpoint(
        source.checkpoint,
        mapped=mapped,
        allow=getattr(net, "PICKLED_WITH", ()),  # plain classes that some programs save beside the weights
        allow_unsafe=allow_unsafe,
    )
    tensors = unwrap_state(content, source.checkpoint)
    complete = getattr(net, "complete_state", None)  # some files leave out what the network shares
    if complete is not None:
        tensors = complete(tensors)
    assign(net, tensors, path=source.checkpoint)
    net.eval().requires_grad_(requires_grad=False)
    channels = int(getattr(params, "channels", STEREO))
    return NetworkModel(source, net.to(device), channels=channels, config=config)


def build(source: NetworkSource, config: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    """The network of a configuration, without data, and its parameters."""
    try:
        params = params_class(source.type).from_config(config)
        with without_data():
            net = network_class(source.type)(params)
    except ValueError as error:
        raise ConfigInvalid(f"`{source.config.name}` does not describe a {source.type} network: {error}") from error
    outputs = int(getattr(params, "outputs", len(source.stems)))
    if outputs != len(source.stems):
        raise ConfigInvalid(
            f"In `{source.config.name}` the network has {outputs} outputs, "
            f"but `training` names {len(source.stems)}: {', '.join(source.stems)}."
        )
    return cast(nn.Module, net), params


class NetworkView:
    """A network as the chunk loop runs it: always shown whole chunks, giving only the stems that are needed.

    With `swapped` it sees left and right exchanged, with `inverted` the other polarity; its output is turned back.
    """

    def __init__(
        self, model: NetworkModel, needed: Sequence[int], *, swapped: bool = False, inverted: bool = False
    ) -> None:
        self._net = model.net
        self._alone = model.channels == 1
        self._needed = None if list(needed) == list(range(len(model.stems))) else list(needed)
        self._swapped = swapped
        self._sign = -1.0 if inverted else 1.0

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        stems = self._stems(self._turned(mix))
        return self._turned(stems)

    def _turned(self, samples: Tensor) -> Tensor:
        """Turns audio (…, channels, samples), and turns it back."""
        samples = samples.flip(-2) if self._swapped else samples
        return samples * self._sign if self._sign != 1.0 else samples

    def _stems(self, mix: Tensor) -> Tensor:
        if not self._alone:
            return cast(Tensor, self._net(mix, stems=self._needed))
        # A network of one channel separates each channel by itself.
        stems = cast(Tensor, self._net(mix.flatten(0, 1)[:, None], stems=self._needed))
        return torch.unflatten(stems.squeeze(2), 0, mix.shape[:2]).transpose(1, 2)


# Reading a configuration ------------------------------------------------------------------------------------------


def _numbers(config: Mapping[str, Any], source: NetworkSource) -> Numbers:
    audio, model, inference = config["audio"], config.get("model"), config["inference"]
    own_rate = model.get("sr") if isinstance(model, Mapping) else None
    rate = audio.get("sample_rate") or own_rate or DEFAULT_RATE
    chunk = inference.get("chunk_size") or audio.get("chunk_size")
    return Numbers(
        sample_rate=_whole(rate, "audio.sample_rate", source),
        chunk=_whole(chunk, "audio.chunk_size", source),
        batch_size=_whole(inference.get("batch_size", 1), "inference.batch_size", source),
        scaled=inference.get("normalize") is True,
    )


def _whole(value: Any, name: str, source: NetworkSource) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigInvalid(f"In `{source.config.name}`, `{name}` must be a whole number above 0, not {value!r}.")
    return value


def _instruments(config: Mapping[str, Any]) -> list[str]:
    named = config["training"].get("instruments")
    return [name for name in named if isinstance(name, str)] if isinstance(named, list | tuple) else []


def _complement(stems: Sequence[str], instruments: Sequence[str], *, restores: bool) -> Complement:
    """The mix without the vocals; of a network that does not separate vocals, the mix without its stems; of one that
    restores, what it has added to the mix.
    """
    lower = [stem.lower() for stem in stems]
    if VOCALS in lower:
        return Complement(INSTRUMENTAL, (lower.index(VOCALS),))
    everything = tuple(range(len(stems)))
    others = [name for name in instruments if name.lower() not in lower]
    if len(others) == 1:  # a configuration of one target names what is left
        return Complement(others[0], everything, reversed=restores)
    return Complement(VOCALS if INSTRUMENTAL in lower else INSTRUMENTAL, everything)
