"""Softmax attention by whatever kernel is fastest where it runs."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor

# Queries at a time, so that their scores stay in the processor's cache.
QUERIES = 128
# Up to here torch's softmax of 16-bit rows is slower than converting them. It computes in single precision either way.
SHORT_ROW = 256


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(query key^T / sqrt(width)) value, all of them (batch, heads, tokens, width); values may be narrower."""
    if query.device.type != "cpu" or query.dtype == torch.float32:
        if (missing := query.shape[-1] - value.shape[-1]) and query.device.type != "cuda":
            # Only CUDA has fused kernels for values of another width. Others are slow, or give a wrong shape.
            return F.scaled_dot_product_attention(query, key, F.pad(value, (0, missing)))[..., :-missing]
        return F.scaled_dot_product_attention(query, key, value)
    # In half precision torch's fused kernel for CPUs takes half as long again as these products, which use the
    # processor's 16-bit instructions.
    scaled = (query * query.shape[-1] ** -0.5).flatten(0, 1)
    keys, values = key.flatten(0, 1).transpose(1, 2), value.flatten(0, 1)
    parts = [torch.bmm(_softmax(torch.bmm(part, keys)), values) for part in scaled.split(QUERIES, dim=1)]
    mixed = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return torch.unflatten(mixed, 0, query.shape[:2])


def _softmax(scores: Tensor) -> Tensor:
    if scores.shape[-1] > SHORT_ROW:
        return scores.softmax(dim=-1)
    return scores.float().softmax(dim=-1).to(scores.dtype)
