"""The table of architectures: one row says everything about one. Strings only; importing this module imports no torch.

A new architecture is one file in `models/`, with a class `X` and its parameters `XParams`, and one row in `OWN`.
The file is imported when the first model of its kind is loaded. Nothing outside this table is ever built.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """Where the class of a network is, and the marks by which its models are recognised. One mark is enough.

    A variant also has the marks of the architecture that it varies; its own marks decide between the two.
    """

    network: str  # MODULE:CLASS
    options: tuple[str, ...] = ()  # only its configurations have these options, or name their section like this
    tensors: tuple[str, ...] = ()  # only its state dicts have these keys
    variant_of: str | None = None
    stands_half: bool = True  # half precision changes its stems by less than -35 dB


# Our own networks, built from a configuration.
OWN: dict[str, Architecture] = {
    "bs_roformer": Architecture(
        "models.bs_roformer:BSRoformer",
        options=("freqs_per_bands",),
        tensors=("final_norm.gamma",),
    ),
    "bs_roformer_hyperace": Architecture(
        "models.bs_roformer_hyperace:BSRoformerHyperAce",
        tensors=("mask_estimators.0.segm.upsample_head.block1.out_conv.blocks.0.shortcut.weight",),
        variant_of="bs_roformer",
        stands_half=False,  # the many norms of its U-net in a row amplify the rounding of the first
    ),
    "bs_roformer_hyperace_v1": Architecture(
        "models.bs_roformer_hyperace_v1:BSRoformerHyperAceV1",
        tensors=("mask_estimators.0.segm.hyperace.high_order_branch.2.cv1.conv.weight",),
        variant_of="bs_roformer",
        stands_half=False,  # as of the second generation
    ),
    "bs_polarformer": Architecture(
        "models.bs_polarformer:BSPolarFormer",
        options=("use_pope",),
        tensors=("layers.0.0.layers.0.0.pope_embed.bias",),
        variant_of="bs_roformer",
    ),
    "bs_roformer_fno": Architecture(
        "models.bs_roformer_fno:BSRoformerFno",
        tensors=("mask_estimators.0.to_freqs.0.0.lifting.fcs.0.weight",),
        variant_of="bs_roformer",
    ),
    "bs_roformer_axial": Architecture(
        "models.bs_roformer_axial:BSRoformerAxial",
        options=("axial_refiner_depth",),
        tensors=("mask_estimators.0.layers.0.0.layers.0.0.norm.gamma",),
        variant_of="bs_roformer",
    ),
    "bs_conformer": Architecture(
        "models.bs_conformer:BSConformer",
        options=("time_conformer_depth", "freq_conformer_depth"),
        tensors=("layers.0.0.layers.0.conv.net.0.gamma",),
        variant_of="bs_roformer",
    ),
    "mel_band_roformer": Architecture(
        "models.mel_band_roformer:MelBandRoformer",
        options=("num_bands",),
        tensors=("layers.0.0.norm.gamma",),
    ),
    "mel_band_conformer": Architecture(
        "models.mel_band_conformer:MelBandConformer",
        # Only configurations tell it: it lacks the norms that mark the other, and has no tensor that a `bs_conformer` lacks.
        options=("time_conformer_depth", "freq_conformer_depth"),
        variant_of="mel_band_roformer",
    ),
    "scnet": Architecture(
        "models.scnet:Scnet",
        options=("band_SR", "num_dplayer"),
        tensors=("encoder.0.SDlayer.convs.0.weight",),
    ),
    "scnet_masked": Architecture(
        "models.scnet_masked:ScnetMasked",
        tensors=("pos_embed_f",),
        variant_of="scnet",
    ),
    "scnet_tran": Architecture(
        "models.scnet_tran:ScnetTran",
        options=("tran_depth",),
        tensors=("separation_net.dp_modules.0.time_layer.norm.gamma",),
        variant_of="scnet",
        stands_half=False,  # its transformers raise the weak parts of a spectrum over time to the level of all others
    ),
    "scnet_unofficial": Architecture(
        "models.scnet_unofficial:ScnetUnofficial",
        options=("bandsplit_ratios", "rnn_hidden_dim"),
        tensors=("sd_blocks.0.global_conv2d.weight",),
    ),
    "mdx23c": Architecture(
        "models.mdx23c:Mdx23c",
        options=("num_subbands", "num_blocks_per_scale"),
        tensors=("bottleneck_block.blocks.0.shortcut.weight",),
    ),
    "apollo": Architecture(
        "models.apollo:ApolloNetwork",
        options=("feature_dim",),
        tensors=("BN.0.0.weight",),
    ),
    "bandit": Architecture(
        "models.bandit:Bandit",
        options=("band_specs",),
        tensors=("bsrnn.tf_model.seqband.0.norm.weight",),
    ),
    "bandit_v2": Architecture(
        "models.bandit_v2:BanditV2",
        options=("band_type",),
        tensors=("tf_model.seqband.0.norm.weight",),
    ),
    "htdemucs": Architecture(
        "models.htdemucs:Htdemucs",
        options=("htdemucs", "hdemucs"),
        tensors=("tencoder.0.conv.weight",),
    ),
    "demucs_v2": Architecture(
        "models.demucs_v2:DemucsV2",
        options=("lstm_layers",),
        tensors=("decoder.0.2.weight",),
    ),
    "tasnet": Architecture(
        "models.tasnet:Tasnet",
        options=("mask_nonlinear",),
        tensors=("encoder.conv1d_U.weight",),
    ),
    "mask_unet": Architecture(
        "models.mask_unet:MaskUnet",
        options=("fine_bins", "band_bins"),
        tensors=("down.0.0.layers.0.weight",),
    ),
}

# Networks of the demucs package, by the class that their checkpoints name. A checkpoint may name no other class.
DEMUCS: dict[str, str] = {
    "HTDemucs": "demucs.htdemucs:HTDemucs",
    "HDemucs": "demucs.hdemucs:HDemucs",
    "Demucs": "demucs.demucs:Demucs",
}


def network_class(name: str) -> Any:
    """The class of the architecture called `name`. Raises `KeyError` for a name that is in neither table."""
    return _imported(OWN[name].network if name in OWN else DEMUCS[name])


def params_class(name: str) -> Any:
    """The class of the parameters of one of our own networks."""
    return _imported(f"{OWN[name].network}Params")


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
