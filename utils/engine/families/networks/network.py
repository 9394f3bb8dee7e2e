"""The networks of `models/`, read from a checkpoint and a configuration, and as the chunk loop calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.architectures import OWN, network_class, params_class
from utils.core.catalogue import INSTRUMENTAL, VOCALS
from utils.core.errors import ConfigInvalid
from utils.core.settings import Arithmetic
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.engine.families.networks.effort import Effort
from utils.engine.pipeline.arrangement import Heard
from utils.engine.pipeline.chunking import plan_faded, shifted
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Complement
from utils.engine.pipeline.song import UNSCALED, Scale
from utils.engine.pipeline.track import STEREO
from utils.store.audio_separator_models import other_stem
from utils.store.checkpoints import assign, largest_network_bytes, read_checkpoint, unwrap_state
from utils.store.network_config import read_config
from utils.store.network_models import NetworkSource
from utils.store.records import stands_half

DEFAULT_RATE = 44100
USUAL_HOP = 1024
HIGHEST_RATE = 768_000
LONGEST = 1 << 26  # samples: over 20 minutes
# The variants of the input: one as it is, more for test-time augmentation.
PLAIN = ({"swapped": False, "inverted": False},)
AUGMENTED = (*PLAIN, {"swapped": True, "inverted": False}, {"swapped": False, "inverted": True})


@dataclass(frozen=True)
class Inference:
    """How to run a network, from its configuration."""

    sample_rate: int
    chunk: int
    batch_size: int
    hop: int  # of its STFT
    window_frames: int | None  # as the audio-separator package counts a window
    overlaps: int | None  # windows that cover each sample, as the configuration advises
    scaled: bool  # the network gets the song normalised to mean 0 and standard deviation 1


class NetworkModel:
    """A loaded network on its device."""

    def __init__(self, source: NetworkSource, backend: Backend, *, channels: int, config: Mapping[str, Any]) -> None:
        self.source = source
        self.stems = source.stems
        self.backend = backend
        self.channels = channels
        self.inference = inference_of(config, source.config.name)
        self.complement = _complement(source.stems, config["training"].get("instruments"))
        self.instruments, self.rest = _instruments(source.stems, config["training"])

    def size_bytes(self) -> int:
        return self.backend.size_bytes()

    def move(self, device: str) -> None:
        self.backend.move(device)

    def prepare(self, precision: Arithmetic) -> None:
        self.backend.prepare(precision)


def load_network(source: NetworkSource, *, mapped: bool, allow_unsafe: bool) -> NetworkModel:
    """Read a network. Raises `ConfigInvalid` or one of the checkpoint errors."""
    config = read_config(source.config)
    net, params = build(source, config)
    content = read_checkpoint(
        source.checkpoint,
        mapped=mapped,
        allow=getattr(net, "PICKLED_WITH", ()),  # plain classes that some programs save with the weights
        allow_unsafe=allow_unsafe,
    )
    tensors = unwrap_state(content, source.checkpoint)
    complete = getattr(net, "complete_state", None)  # some files omit shared tensors
    if complete is not None:
        tensors = complete(tensors)
    assign(net, tensors, path=source.checkpoint)
    return NetworkModel(
        source,
        TorchBackend(for_inference(net), halves=OWN[source.type].stands_half and stands_half(source.record)),
        channels=int(getattr(params, "channels", STEREO)),
        config=config,
    )


def build(source: NetworkSource, config: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    """Build the network of a configuration, without data; also returns its parameters."""
    try:
        params = params_class(source.type).from_config(config)
        with without_data(largest_network_bytes(source.checkpoint) if source.checkpoint.is_file() else None):
            net = network_class(source.type)(params)
    except (ValueError, RuntimeError, OverflowError) as error:  # torch's own, if a size is beyond its numbers
        raise ConfigInvalid(f"`{source.config.name}` does not describe a {source.type} network: {error}") from error
    outputs = int(getattr(params, "outputs", len(source.stems)))
    if outputs != len(source.stems):
        raise ConfigInvalid(
            f"In `{source.config.name}` the network has {outputs} outputs, "
            f"but `training` names {len(source.stems)}: {', '.join(source.stems)}."
        )
    return cast(nn.Module, net), params


class NetworkView:
    """A network as the chunk loop calls it: always with whole chunks, returning only the needed stems.

    With `swapped` its input has left and right exchanged, with `inverted` the opposite polarity; its output is reverted.
    """

    def __init__(
        self,
        backend: Backend,
        needed: Sequence[int] | None = None,
        *,
        mono: bool = False,
        swapped: bool = False,
        inverted: bool = False,
    ) -> None:
        """`needed` are the stems to return, None for all. A `mono` network processes each channel separately."""
        self._backend = backend
        self._options = {} if needed is None else {"stems": list(needed)}
        self._mono = mono
        self._swapped = swapped
        self._sign = -1.0 if inverted else 1.0

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        mix = self._augment(mix)
        if not self._mono:
            return self._augment(self._backend(mix, **self._options))
        stems = self._backend(mix.flatten(0, 1)[:, None], **self._options)
        return self._augment(torch.unflatten(stems.squeeze(2), 0, mix.shape[:2]).transpose(1, 2))

    def _augment(self, samples: Tensor) -> Tensor:
        """Apply the augmentation to audio (..., channels, samples), or revert it."""
        samples = samples.flip(-2) if self._swapped else samples
        return samples * self._sign if self._sign != 1.0 else samples


def network_lanes(
    backend: Backend,
    heard: Heard,
    effort: Effort,
    *,
    chunk: int,
    scaled: bool,
    stems: int,
    needed: Sequence[int],
    mono: bool = False,
) -> list[Lane]:
    """One lane per variant of the input and shift of the windows, for the `needed` ones of the network's stems."""
    variants = AUGMENTED if effort.tta else PLAIN
    plans = shifted(plan_faded(heard.stats.frames, chunk=chunk, overlaps=effort.overlap), effort.shifts)
    gains = np.full(len(needed), 1.0 / (len(variants) * len(plans)))
    scale = Scale.of(heard.stats) if scaled else UNSCALED
    subset = None if list(needed) == list(range(stems)) else needed
    views = [NetworkView(backend, subset, mono=mono, **variant) for variant in variants]
    return [Lane(view, plan, gains, mirrored=True, scale=scale) for plan in plans for view in views]


# Reading a configuration ------------------------------------------------------------------------------------------


def inference_of(config: Mapping[str, Any], name: str) -> Inference:
    """How to run the network of a configuration, which comes from the file `name`. Raises `ConfigInvalid`."""
    audio, model, inference = config["audio"], config.get("model"), config["inference"]
    own_rate = model.get("sr") if isinstance(model, Mapping) else None

    def whole(value: Any, key: str, most: int = LONGEST) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ConfigInvalid(
                f"In `{name}`, `{key}` must be a whole number from 1 to {most}, not {str(value)[:40]!r}."
            )
        return value

    def counted(value: Any, key: str) -> int | None:
        return None if value is None else whole(value, key)

    return Inference(
        sample_rate=whole(audio.get("sample_rate") or own_rate or DEFAULT_RATE, "audio.sample_rate", HIGHEST_RATE),
        chunk=whole(inference.get("chunk_size") or audio.get("chunk_size"), "audio.chunk_size"),
        batch_size=whole(inference.get("batch_size", 1), "inference.batch_size"),
        hop=whole(_hop(model, audio), "audio.hop_length"),
        window_frames=counted(inference.get("dim_t"), "inference.dim_t"),
        overlaps=counted(inference.get("num_overlap"), "inference.num_overlap"),
        scaled=inference.get("normalize") is True,
    )


def _hop(model: object, audio: Mapping[str, Any]) -> Any:
    own = model.get("stft_hop_length") if isinstance(model, Mapping) else None
    return own or audio.get("hop_length") or USUAL_HOP


def _instruments(stems: tuple[str, ...], training: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
    """The stems as the configuration spells them, and what it calls the rest of a song without its one target."""
    names = training.get("instruments")
    named = tuple(name for name in names if isinstance(name, str)) if isinstance(names, list | tuple) else ()
    target = training.get("target_instrument")
    if not target:
        return (named if len(named) == len(stems) else stems), None
    primary, *others = [target, *(name for name in named if name != target)]
    return (primary,), (others[0] if len(others) == 1 else other_stem(primary))


def _complement(stems: Sequence[str], instruments: object) -> Complement:
    """The mix minus the vocals or, if the network does not separate vocals, minus all its stems."""
    lower = [stem.lower() for stem in stems]
    if VOCALS in lower:
        return Complement(INSTRUMENTAL, (lower.index(VOCALS),))
    everything = tuple(range(len(stems)))
    names = instruments if isinstance(instruments, list | tuple) else ()
    others = [name for name in names if isinstance(name, str) and name.lower() not in lower]
    if len(others) == 1:  # a configuration with one target also names the rest
        return Complement(others[0], everything)
    return Complement(VOCALS if INSTRUMENTAL in lower else INSTRUMENTAL, everything)
