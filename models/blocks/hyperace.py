"""HyperACE: a U-net beside a mask estimator, which sees all bands and frames at once and adds to the mask.

The tokens of the bands are an image with time and bands as its axes. An encoder shrinks it, a hypergraph relates points
of all levels to each other wherever they are, a decoder mirrors the encoder, and the last part grows the bands to bins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.bands import MaskEstimator
from models.blocks.tfc_tdf import ChannelNorm, TfcTdfBlock, pointwise

EPS = 1e-8  # of all norms
HEADS = 8  # of the similarity between points and hyperedges
BOTTLENECK_DEPTHS = (2, 4, 4, 2)  # of the encoder's levels
LEVELS = (2, 3, 4, 5)  # as the keys number them; the stem is level 1
TDF_FACTOR = 4
MASK_VALUES = 4  # the complex values of two audio channels
GROWTH = 16  # the bands are doubled four times


@dataclass(frozen=True)
class UnetGeneration:
    """What differs between the published generations of the network."""

    coarse_strides: tuple[int, int]  # time and bands, between the last three levels
    hyperedges: int
    wide_branches: int
    narrow_branches: int
    make_head: Callable[[int, int, int], nn.Module]  # from the channels, the bands and the bins


class HyperAceEstimator(MaskEstimator):
    """A mask estimator whose mask is that of its layers plus that of the U-net."""

    def __init__(self, dim: int, widths: Sequence[int], *, hidden: int, linears: int, segm: nn.Module) -> None:
        super().__init__(dim, widths, hidden=hidden, linears=linears)
        self.segm = segm

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.segm(x.permute(0, 3, 1, 2))
        return super().forward(x) + image.permute(0, 2, 3, 1).flatten(2)


class BandImageNet(nn.Module):
    """(batch, dim, frames, bands) to (batch, values of a bin, frames, bins)."""

    def __init__(self, dim: int, bands: int, bins: int, channels: Sequence[int], generation: UnetGeneration) -> None:
        super().__init__()
        own = channels[1:]
        self.backbone = Backbone(dim, channels, generation.coarse_strides)
        self.hyperace = Hypergraph(own, generation)
        self.decoder = ImageDecoder(own)
        self.upsample_head = generation.make_head(own[0], bands, bins)

    def forward(self, image: Tensor) -> Tensor:
        levels = self.backbone(image)
        refined = self.decoder(levels, self.hyperace(levels))
        grown: Tensor = self.upsample_head(resized(refined, image.shape[2], refined.shape[3]))
        return grown


# Units ----------------------------------------------------------------------------------------------------------------


class PointUnit(nn.Module):
    """A product over channels at each point, normalised and activated."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = pointwise(inputs, outputs)
        self.bn = ChannelNorm(outputs, affine=True, eps=EPS)

    def forward(self, image: Tensor) -> Tensor:
        return F.silu(self.bn(self.conv(image)))


class SeparableUnit(nn.Module):
    """A 3 x 3 convolution of each channel, then a product over channels, normalised and activated."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.pwconv = pointwise(inputs, outputs)
        self.bn = ChannelNorm(outputs, affine=True, eps=EPS)

    def forward(self, image: Tensor) -> Tensor:
        return F.silu(self.bn(self.pwconv(self.dwconv(image))))


class ResidualPair(nn.Module):
    """Two separable units with a shortcut around both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dsconv1 = SeparableUnit(width, width)
        self.dsconv2 = SeparableUnit(width, width)

    def forward(self, image: Tensor) -> Tensor:
        refined: Tensor = self.dsconv2(self.dsconv1(image))
        return image + refined


class TwoPaths(nn.Module):
    """One path goes through pairs of units, the other past them; then both are joined."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.cv1 = PointUnit(width, width)
        self.cv2 = PointUnit(width, width)
        self.cv3 = PointUnit(2 * width, width)
        self.m = nn.Sequential(*[ResidualPair(width) for _ in range(depth)])

    def forward(self, image: Tensor) -> Tensor:
        joined: Tensor = self.cv3(torch.cat((self.m(self.cv1(image)), self.cv2(image)), dim=1))
        return joined


class NarrowedPaths(nn.Module):
    """`TwoPaths` with half as many channels as come out."""

    def __init__(self, inputs: int, outputs: int, depth: int = 1) -> None:
        super().__init__()
        self.cv1 = PointUnit(inputs, outputs // 2)
        self.m = TwoPaths(outputs // 2, depth)
        self.cv2 = PointUnit(outputs // 2, outputs)

    def forward(self, image: Tensor) -> Tensor:
        widened: Tensor = self.cv2(self.m(self.cv1(image)))
        return widened


def resized(image: Tensor, height: int, width: int) -> Tensor:
    """The image with so many rows and columns, interpolated between the middles of its points."""
    if image.shape[2:] == (height, width):
        return image
    return F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)


def resized_like(image: Tensor, other: Tensor) -> Tensor:
    return resized(image, other.shape[2], other.shape[3])


# Encoder --------------------------------------------------------------------------------------------------------------


class Backbone(nn.Module):
    """Levels of the image, each coarser than the one before. The first three steps halve only time."""

    def __init__(self, dim: int, channels: Sequence[int], coarse_strides: tuple[int, int]) -> None:
        super().__init__()
        self.stem = SeparableUnit(dim, channels[0], (2, 1))
        strides = ((2, 1), (2, 1), coarse_strides, coarse_strides)
        steps = zip(LEVELS, pairwise(channels), strides, BOTTLENECK_DEPTHS, strict=True)
        for level, (inputs, outputs), stride, depth in steps:
            shrink, refine = SeparableUnit(inputs, outputs, stride), NarrowedPaths(outputs, outputs, depth)
            self.add_module(f"p{level}", nn.Sequential(shrink, refine))

    def forward(self, image: Tensor) -> list[Tensor]:
        images = [self.stem(image)]
        for level in LEVELS:
            images.append(self.get_submodule(f"p{level}")(images[-1]))
        return images[1:]


# Hypergraph -----------------------------------------------------------------------------------------------------------


class Hypergraph(nn.Module):
    """All levels in one image, of which half of the channels are related across all points, and a quarter locally."""

    def __init__(self, channels: Sequence[int], generation: UnetGeneration) -> None:
        super().__init__()
        width = channels[2]
        self.split = (width // 2, width // 4, width - width // 2 - width // 4)
        wide, narrow, _ = self.split
        self.fuse_conv = PointUnit(sum(channels), width)
        self.high_order_branch = nn.ModuleList(
            RelatedPaths(wide, generation.hyperedges) for _ in range(generation.wide_branches)
        )
        self.high_order_fuse = PointUnit(wide * generation.wide_branches, wide)
        self.low_order_branch = nn.Sequential(*[TwoPaths(narrow, 1) for _ in range(generation.narrow_branches)])
        self.final_fuse = PointUnit(width, width)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        fused = self.fuse_conv(torch.cat([resized_like(level, levels[2]) for level in levels], dim=1))
        wide, narrow, kept = fused.split(self.split, dim=1)
        related = self.high_order_fuse(torch.cat([branch(wide) for branch in self.high_order_branch], dim=1))
        joined: Tensor = self.final_fuse(torch.cat((related, self.low_order_branch(narrow), kept), dim=1))
        return joined


class RelatedPaths(nn.Module):
    """One path relates all points to each other, the other passes them on; then both are joined."""

    def __init__(self, width: int, hyperedges: int) -> None:
        super().__init__()
        self.cv1 = PointUnit(width, width)
        self.cv2 = PointUnit(width, width)
        self.ahc = nn.ModuleDict(
            {"adaptive_hyperedge_gen": Membership(width, hyperedges), "hypergraph_conv": Exchange(width)}
        )
        self.cv3 = PointUnit(2 * width, width)

    def forward(self, image: Tensor) -> Tensor:
        points = self.cv2(image).flatten(2).transpose(1, 2)
        membership, exchange = self.ahc.values()
        related = exchange(points, membership(points)).transpose(1, 2).view_as(image)
        joined: Tensor = self.cv3(torch.cat((related, self.cv1(image)), dim=1))
        return joined


class Membership(nn.Module):
    """How much each point takes part in each hyperedge: (batch, points, width) to (batch, hyperedges, points).

    A hyperedge is a prototype that is learned and a correction by what is in the image. The similarity to it is the mean
    over heads of scaled products, which is one product of the whole width.
    """

    def __init__(self, width: int, hyperedges: int) -> None:
        super().__init__()
        self.scale = (width // HEADS) ** -0.5 / HEADS
        # `torch.randn` would import sympy, which the frozen programs leave out, where there is no data.
        self.global_proto = nn.Parameter(torch.empty(hyperedges, width).normal_())
        self.context_mapper = nn.Linear(2 * width, hyperedges * width, bias=False)
        self.query_proj = nn.Linear(width, width, bias=False)

    def forward(self, points: Tensor) -> Tensor:
        context = torch.cat((points.mean(dim=1), points.amax(dim=1)), dim=1)
        prototypes = self.global_proto + torch.unflatten(self.context_mapper(context), 1, self.global_proto.shape)
        similarity = torch.bmm(prototypes * self.scale, self.query_proj(points).transpose(1, 2))
        return similarity.softmax(dim=-1)


class Exchange(nn.Module):
    """Points give to their hyperedges and get back what these have gathered."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.W_e = nn.Linear(width, width, bias=False)
        self.W_v = nn.Linear(width, width, bias=False)

    def forward(self, points: Tensor, membership: Tensor) -> Tensor:
        gathered = F.silu(self.W_e(torch.bmm(membership, points)))
        return points + F.silu(self.W_v(torch.bmm(membership.transpose(1, 2), gathered)))


# Decoder --------------------------------------------------------------------------------------------------------------


class ImageDecoder(nn.Module):
    """From the coarsest level to the finest; each adds the encoder's image and a share of the hypergraph's."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        by_level = dict(zip(LEVELS, channels, strict=True))
        for level, width in by_level.items():
            self.add_module(f"h_to_d{level}", PointUnit(channels[2], width))
            self.add_module(f"skip_p{level}", PointUnit(width, width))
            self.add_module(f"fusion_d{level}", Share(width))
            if level > LEVELS[0]:
                self.add_module(f"up_d{level}", NarrowedPaths(width, by_level[level - 1]))
        self.final_d2 = NarrowedPaths(channels[0], channels[0])

    def forward(self, levels: Sequence[Tensor], related: Tensor) -> Tensor:
        image: Tensor | None = None
        for level, skip in reversed(list(zip(LEVELS, levels, strict=True))):
            part = self.get_submodule(f"skip_p{level}")(skip)
            if image is not None:
                part = self.get_submodule(f"up_d{level + 1}")(resized_like(image, skip)) + part
            shared = self.get_submodule(f"h_to_d{level}")(resized_like(related, skip))
            image = self.get_submodule(f"fusion_d{level}")(part, shared)
        refined: Tensor = self.final_d2(image)
        return refined


class Share(nn.Module):
    """Adds another image, each channel to its own degree."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        return torch.addcmul(image, self.gamma.type_as(image), other)


# From bands to bins ---------------------------------------------------------------------------------------------------


class GrowingHead(nn.Module):
    """Doubles the bands four times, stretches them to the bins, and makes the values of the mask."""

    def __init__(self, blocks: Sequence[nn.Module], bins: int, final: nn.Conv2d) -> None:
        super().__init__()
        for number, block in enumerate(blocks, 1):
            self.add_module(f"block{number}", block)
        self.bins = bins
        self.final_conv = final

    def forward(self, image: Tensor) -> Tensor:
        *blocks, final = self.children()
        for block in blocks:
            image = block(image)
        values: Tensor = final(resized(image, image.shape[2], self.bins))
        return values


class Doubling(nn.Module):
    """Twice as many columns: neighbouring channels become neighbouring columns."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = SeparableUnit(inputs, 2 * outputs)

    def forward(self, image: Tensor) -> Tensor:
        pairs = torch.unflatten(self.conv(image), 1, (-1, 2))
        return pairs.permute(0, 1, 3, 4, 2).flatten(3)


class RefinedDoubling(Doubling):
    """Twice as many columns, then blocks that connect all of them."""

    def __init__(self, inputs: int, outputs: int, columns: int) -> None:
        super().__init__(inputs, outputs)
        blocks = [TfcTdfBlock(outputs, outputs, columns, columns // TDF_FACTOR, _normed_silu) for _ in range(2)]
        self.out_conv = nn.ModuleDict({"blocks": nn.Sequential(*blocks)})

    def forward(self, image: Tensor) -> Tensor:
        refined: Tensor = self.out_conv["blocks"](super().forward(image))
        return refined


def plain_head(width: int, bands: int, bins: int) -> GrowingHead:  # noqa: ARG001 - of one form with `refining_head`
    """The head of the first generation."""
    widths = (width, width, width // 2, width // 2, width // 4)
    return GrowingHead([Doubling(*pair) for pair in pairwise(widths)], bins, pointwise(widths[-1], MASK_VALUES))


def refining_head(width: int, bands: int, bins: int) -> GrowingHead:
    """The head of the second generation."""
    widths = [width // 2**halvings for halvings in range(5)]
    blocks = [RefinedDoubling(*pair, bands * 2**number) for number, pair in enumerate(pairwise(widths), 1)]
    return GrowingHead(blocks, bins, nn.Conv2d(widths[-1], MASK_VALUES, 3, padding=1, bias=False))


def _normed_silu(width: int) -> tuple[nn.Module, nn.Module]:
    return ChannelNorm(width, affine=True, eps=EPS), nn.SiLU()
