"""Make small checkpoints of our own networks with seeded random weights, in the forms in which public ones come.

Beside each lies the configuration that rebuilds its network, written as public ones are. They stand in for trained
models wherever the whole path from file to stems must run in seconds. What comes out of them is not a separation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import safetensors.torch
import torch
import yaml
from torch import Tensor, nn

from models.architectures import network_class, params_class
from tools.song import song
from utils.store.folders import configs_folder
from utils.store.network_config import read_config

SAMPLE_RATE = 44100
STEMS = ("vocals", "other")
FORMS = ("plain", "state_dict", "half", "safetensors", "legacy", "lightning")

# Lists that public files mark as Python's tuples; all others are plain lists.
TUPLES = frozenset({"freqs_per_bands", "multi_stft_resolutions_window_sizes"})
TUPLE_TAG = "tag:yaml.org,2002:python/tuple"

# What public configurations of the transformers hold for training. It changes nothing in the network.
FOR_TRAINING: dict[str, Any] = {
    "attn_dropout": 0.1,
    "ff_dropout": 0.1,
    "flash_attn": True,
    "multi_stft_resolution_loss_weight": 1.0,
    "multi_stft_resolutions_window_sizes": (4096, 2048, 1024, 512, 256),
    "multi_stft_hop_size": 147,
    "multi_stft_normalized": False,
}

CALIBRATION = slice(2 * SAMPLE_RATE, 9 * SAMPLE_RATE // 4)  # of the song
CALIBRATION_ROUNDS = 5  # a gate's two halves grow together, so that one step does not hit the level
CLOSE_ENOUGH = 0.1


class NetworkFiles(NamedTuple):
    """What a request names in `model_path` and `config_path`."""

    checkpoint: Path
    config: Path


@dataclass(frozen=True)
class Recipe:
    """What differs between the kinds: sizes that suit 44.1 kHz in place of `tiny()`'s, and how public files say it.

    `last` gives the layers that scale the output; `options` what the section of the network's options holds.
    """

    last: Callable[[Any], Iterable[nn.Module]]
    sizes: Mapping[str, Any] = field(default_factory=dict)
    stems: Sequence[str] = STEMS
    target: str | None = None
    section: str = "model"
    section_is_named: bool = False  # `model` is then the section's name
    options: Callable[[Any], dict[str, Any]] = asdict
    further_options: Mapping[str, Any] = field(default_factory=dict)  # all public files have them alike
    in_audio: Mapping[str, str] = field(default_factory=dict)  # parameters that stand in the section `audio`
    in_training: Mapping[str, str] = field(default_factory=dict)  # parameters that stand in the section `training`
    not_in_file: frozenset[str] = frozenset()
    prefix: str = "model."


def _transformer_masks(net: Any) -> list[nn.Module]:
    return [layers[-1] for estimator in net.mask_estimators for layers, _ in estimator.to_freqs]


def _scnet_stems(net: Any) -> Iterable[nn.Module]:
    return cast("Iterable[nn.Module]", net.decoder[-1][1].convtrs)


def _bandit_masks(net: Any) -> list[nn.Module]:
    return [band.output[0] for stem in net.mask_estim.values() for band in stem.norm_mlp]


TRANSFORMER_STFT = {"stft_n_fft": 1024, "stft_hop_length": 256, "stft_win_length": 1024}
SCNET_STFT = {"nfft": 1024, "hop_size": 256, "win_size": 1024}
BANDIT_SIZES = {"n_fft": 1024, "win_length": 1024, "hop_length": 256, "n_bands": 16}

RECIPES: dict[str, Recipe] = {
    "bs_roformer": Recipe(
        last=_transformer_masks,
        sizes={**TRANSFORMER_STFT, "freqs_per_bands": (4,) * 8 + (16,) * 8 + (64,) * 5 + (33,)},
        further_options=FOR_TRAINING,
    ),
    "mel_band_roformer": Recipe(
        last=_transformer_masks, sizes={**TRANSFORMER_STFT, "num_bands": 16}, further_options=FOR_TRAINING
    ),
    "scnet": Recipe(last=_scnet_stems, sizes=SCNET_STFT),
    "scnet_masked": Recipe(last=lambda net: [net.mask_layer[2]], sizes=SCNET_STFT),
    "scnet_tran": Recipe(last=_scnet_stems, sizes=SCNET_STFT),
    "mdx23c": Recipe(
        last=lambda net: [net.final_conv[-1]],
        sizes={"n_fft": 1024, "hop_samples": 256, "dim_f": 512},
        in_audio={
            "n_fft": "n_fft",
            "hop_samples": "hop_length",
            "dim_f": "dim_f",
            "audio_channels": "num_channels",
        },
        not_in_file=frozenset({"num_stems"}),
    ),
    "apollo": Recipe(
        last=lambda net: [layer[-1] for layer in net.output],
        stems=("restored", "addition"),
        target="restored",
        prefix="audio_model.",
    ),
    "bandit": Recipe(
        last=lambda net: _bandit_masks(net.bsrnn),
        sizes=BANDIT_SIZES,
        further_options={"in_channel": 1, "band_specs": "musical"},
    ),
    "bandit_v2": Recipe(
        last=_bandit_masks,
        sizes=BANDIT_SIZES,
        section="kwargs",
        further_options={"in_channels": 1, "band_type": "musical"},
    ),
    "htdemucs": Recipe(
        last=lambda net: [net.decoder[-1].conv_tr, net.tdecoder[-1].conv_tr],
        section="htdemucs",
        section_is_named=True,
        options=lambda params: dict(params.options),
        in_training={"samplerate": "samplerate", "audio_channels": "channels", "segment": "segment"},
    ),
    "mask_unet": Recipe(
        last=lambda _: (),  # its stems add up to the mix anyway
        sizes={"n_fft": 1024, "hop_samples": 256, "fine_bins": 128, "band_bins": 12},
        in_audio={"n_fft": "n_fft", "hop_samples": "hop_length"},
        not_in_file=frozenset({"num_stems"}),
    ),
}

# The configuration of a model that many people use, of the kinds that have one.
PUBLIC: dict[str, str] = {
    "bs_roformer": "bs_roformer/vocals_bsroformer_viperx.yaml",
    "mel_band_roformer": "mel_band_roformer/vocals_melband.yaml",
    "scnet": "scnet/scnet_xl_ihf.yaml",
    "mdx23c": "mdx23c/drumsep_mdx23c_jarredou.yaml",
    "apollo": "apollo/apollo_lew_uni.yaml",
    "bandit": "bandit/bandit_plus.yaml",
    "htdemucs": "htdemucs/vocals_htdemucs.yaml",
}


def write_network(
    folder: Path,
    kind: str,
    *,
    name: str | None = None,
    form: str = "plain",
    seed: int = 0,
    stems: Sequence[str] | None = None,
    target: str | None = None,
    sample_rate: int = SAMPLE_RATE,
    chunk_seconds: float = 1.0,
    num_overlap: int = 2,
    batch_size: int = 1,
    changes: Mapping[str, Any] | None = None,
) -> NetworkFiles:
    """Write `NAME.ckpt` (or `.safetensors`) and `NAME.yaml`; the name is `kind` if none is given.

    Without `stems` the kind's usual ones are meant, with its usual target; a target is the only stem that the network
    gives. `changes` are parameters of the network to set otherwise.
    """
    recipe = RECIPES[kind]
    wanted = recipe.target if stems is None and target is None else target
    instruments = tuple(recipe.stems if stems is None else stems)
    params = small_params(kind, (wanted,) if wanted else instruments, sample_rate, changes or {})
    training = {
        "instruments": list(instruments),
        "target_instrument": wanted,
        **{key: getattr(params, name) for name, key in recipe.in_training.items()},
    }
    chunking = {"chunk_size": round(chunk_seconds * sample_rate), "sample_rate": sample_rate}
    inference = {"batch_size": batch_size, "num_overlap": num_overlap}
    folder.mkdir(parents=True, exist_ok=True)
    files = NetworkFiles(
        folder / f"{name or kind}{'.safetensors' if form == 'safetensors' else '.ckpt'}",
        folder / f"{name or kind}.yaml",
    )
    files.config.write_text(public_yaml(config_of(kind, params, chunking, training, inference)), encoding="utf-8")
    save_state(_seeded_state(kind, params, seed), files.checkpoint, form, recipe.prefix)
    return files


# Networks -----------------------------------------------------------------------------------------------------------


def small_params(kind: str, outputs: Sequence[str], sample_rate: int, changes: Mapping[str, Any]) -> Any:
    """The parameters of a small network that gives `outputs`, at a sample rate."""
    tiny = params_class(kind).tiny()
    by_any_name = {
        **dict.fromkeys(("sources", "stems"), tuple(outputs)),
        "num_stems": len(outputs),
        **dict.fromkeys(("sample_rate", "samplerate", "sr", "fs"), sample_rate),
    }
    known = {key: value for key, value in by_any_name.items() if key in {item.name for item in fields(tiny)}}
    return replace(tiny, **{**known, **RECIPES[kind].sizes, **changes})


def full_size_config(kind: str) -> dict[str, Any]:
    """The configuration of the model in `PUBLIC`."""
    return read_config(full_size_path(kind))


def full_size_path(kind: str) -> Path:
    return configs_folder() / PUBLIC[kind]


def full_size(kind: str) -> Any:
    """The parameters of that model."""
    return params_class(kind).from_config(full_size_config(kind))


@lru_cache(maxsize=64)
def _seeded_state(kind: str, params: Any, seed: int) -> Mapping[str, Tensor]:
    """The weights of a small network; they are kept, since the same network is often written in several forms."""
    return seeded_network(kind, params, seed).state_dict()


def seeded_network(kind: str, params: Any, seed: int) -> nn.Module:
    """The network with random weights that depend on the seed only, and with its output at about the input's level."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = cast(nn.Module, network_class(kind)(params)).eval()
    _set_level(net, list(RECIPES[kind].last(net)), channels_of(params))
    return net


def channels_of(params: Any) -> int:
    """The audio channels that a network takes; one without such a parameter takes any number."""
    return int(getattr(params, "channels", getattr(params, "audio_channels", 2)))


def _set_level(net: nn.Module, last: Sequence[nn.Module], channels: int) -> None:
    """Scale the last layers: fresh networks are so quiet that 16-bit files would hold little but rounding."""
    mix = _calibration_music()[:, :channels]
    with torch.inference_mode(), one_thread():
        for _ in range(CALIBRATION_ROUNDS):
            gain = rms(mix) / rms(net(mix))
            if abs(gain - 1) < CLOSE_ENOUGH:
                break
            for tensor in (tensor for layer in last for tensor in layer.parameters()):
                tensor.data.mul_(gain)
            net.to("cpu")  # where it is already; but so it forgets what it worked out from the old weights


@contextmanager
def one_thread() -> Iterator[None]:
    """Results do not depend on the computer's cores; and networks as small as ours are faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _calibration_music() -> Tensor:
    return torch.from_numpy(song(3.0)[CALIBRATION].T[None])


def rms(audio: Tensor) -> Tensor:
    return audio.square().mean().sqrt()


# Configurations -----------------------------------------------------------------------------------------------------


def config_of(
    kind: str,
    params: Any,
    chunking: Mapping[str, Any],
    training: Mapping[str, Any],
    inference: Mapping[str, Any],
) -> dict[str, Any]:
    """The sections of a public configuration that describes this network."""
    audio = {
        "num_channels": channels_of(params),
        **chunking,
        **{key: getattr(params, name) for name, key in RECIPES[kind].in_audio.items()},
    }
    recipe = RECIPES[kind]
    named = {"model": recipe.section} if recipe.section_is_named else {}
    options = {recipe.section: network_section(kind, params)}
    return {"audio": audio, **named, **options, "training": dict(training), "inference": dict(inference)}


def network_section(kind: str, params: Any) -> dict[str, Any]:
    """A network's parameters as a configuration's section gives them."""
    recipe = RECIPES[kind]
    elsewhere = {*recipe.in_audio, *recipe.in_training, *recipe.not_in_file}
    values = {key: value for key, value in recipe.options(params).items() if key not in elsewhere}
    return {
        key: list(value) if isinstance(value, tuple) and key not in TUPLES else value
        for key, value in {**values, **recipe.further_options}.items()
    }


def public_yaml(config: Mapping[str, Any]) -> str:
    """The text of a configuration, with the tag that public ones use for tuples."""
    return str(yaml.dump(dict(config), Dumper=_PublicDumper, sort_keys=False))


class _PublicDumper(yaml.SafeDumper):  # type: ignore[misc]  # the package has no types
    """Plain values, and tuples under their tag."""


_PublicDumper.add_representer(tuple, lambda dumper, values: dumper.represent_sequence(TUPLE_TAG, values))


# Checkpoints --------------------------------------------------------------------------------------------------------


def save_state(state: Mapping[str, Tensor], path: Path, form: str, prefix: str) -> None:
    """Write the named tensors in one of `FORMS`; `prefix` stands before the names in a checkpoint of Lightning."""
    # Tensors that share their data are written once for each name, as safetensors wants it.
    plain = {key: tensor.clone() for key, tensor in state.items()}
    if form == "safetensors":
        safetensors.torch.save_file(plain, path, metadata={"format": "pt"})
    else:
        torch.save(_content(plain, form, prefix), path, _use_new_zipfile_serialization=form != "legacy")


def _content(state: dict[str, Tensor], form: str, prefix: str) -> dict[str, Any]:
    if form in {"plain", "legacy"}:
        return dict(state)
    if form == "half":
        return {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    if form == "state_dict":
        return {"state_dict": state, "epoch": 3}
    if form == "lightning":
        prefixed = {prefix + key: tensor for key, tensor in state.items()}
        return {"epoch": 3, "global_step": 1200, "pytorch-lightning_version": "2.4.0", "state_dict": prefixed}
    raise ValueError(f"There is no form `{form}`; the forms are {', '.join(FORMS)}.")
