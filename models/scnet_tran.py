"""SCNet with transformers in place of its recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self, cast

from torch import Tensor, nn

from models.blocks.sections import Section
from models.blocks.transformer import Attention, Heads, RotaryPositions, Transformer
from models.scnet import Scnet, ScnetParams, WholeNorm


@dataclass(frozen=True)
class ScnetTranParams(ScnetParams):
    """The options of SCNet and of its transformers. `expand` has no effect here."""

    tran_rotary_embedding_dim: int = 64
    tran_depth: int = 1
    tran_heads: int = 8
    tran_dim_head: int = 64

    IGNORED: ClassVar[tuple[str, ...]] = ("tran_attn_dropout", "tran_ff_dropout", "tran_flash_attn")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tran_dim_head % 2 or self.tran_rotary_embedding_dim != self.tran_dim_head:
            raise ValueError("`model.tran_dim_head` must be even, and `model.tran_rotary_embedding_dim` the same.")

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test: two stems, two levels."""
        return replace(super().tiny(), tran_rotary_embedding_dim=4, tran_heads=2, tran_dim_head=4)

    @classmethod
    def values_in(cls, model: Section) -> dict[str, Any]:
        """The fields' values in the section `model`."""
        own = ("tran_rotary_embedding_dim", "tran_depth", "tran_heads", "tran_dim_head")
        return {**super().values_in(model), **{key: model.integer(key, getattr(cls, key)) for key in own}}


class ScnetTran(Scnet):
    """The network with the keys of public checkpoints."""

    def __init__(self, params: ScnetTranParams) -> None:
        super().__init__(params)
        # It is in the checkpoints, but nothing uses it.
        self.first_conv = nn.Conv2d(params.dims[0], params.dims[0], 1, bias=False)

    def _dual_paths(self, params: ScnetParams) -> Callable[[int], nn.Module]:
        own = cast("ScnetTranParams", params)
        # All blocks share the positions of an axis.
        along_frequency, along_time = (RotaryPositions(own.tran_dim_head) for _ in ("frequency", "time"))
        return partial(DualPathTransformer, own, along_frequency, along_time)


class DualPathTransformer(nn.Module):
    """A transformer along frequency, then one along time. Features are (frequency, batch, time, channels)."""

    def __init__(
        self, params: ScnetTranParams, along_frequency: RotaryPositions, along_time: RotaryPositions, width: int
    ) -> None:
        super().__init__()
        heads = Heads(width, params.tran_heads, params.tran_dim_head)
        self.norm_layers = nn.ModuleList(WholeNorm(width) for _ in range(2))
        self.time_layer, self.freq_layer = (
            Transformer(width, params.tran_depth, partial(Attention, heads, positions), norm_output=True)
            for positions in (along_time, along_frequency)
        )

    def forward(self, features: Tensor) -> Tensor:
        by_frequency, by_time = self.norm_layers
        refined = self.freq_layer(by_frequency(features).permute(1, 2, 0, 3))
        features = features + refined.permute(2, 0, 1, 3)
        refined = self.time_layer(by_time(features).transpose(0, 1))
        summed: Tensor = features + refined.transpose(0, 1)
        return summed
