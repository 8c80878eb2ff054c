"""Causal attention inside the documents of a flat token stream.

On a CPU, PyTorch's fused attention spends most of its time outside matrix products when it has to give gradients,
so training there uses `_BlockAttention`: blocks of queries against the keys before them, with bf16 products where
rounding is harmless and fp32 where it is not (the scores). Everywhere else SDPA does the work, one call a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

#: Queries of one block; a smaller block wastes fewer masked scores, a larger one gives better products.
BLOCK = 128
#: Documents up to this length keep their attention weights for the backward pass; longer ones recompute them.
KEEP_WEIGHTS = 1024


def document_attention(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """Causal attention that never crosses a document border.

    Args:
        q: [T, heads, head_dim]; k, v: [T, kv_heads, head_dim]; lengths: tokens per document, summing to T.

    Returns:
        [T, heads, head_dim].
    """
    sizes = list(lengths)
    if q.device.type == "cpu" and torch.is_grad_enabled() and q.requires_grad:
        return _BlockAttention.apply(q, k, v, sizes)
    outputs = []
    for qi, ki, vi in zip(q.split(sizes), k.split(sizes), v.split(sizes), strict=True):
        out = F.scaled_dot_product_attention(
            qi.transpose(0, 1)[None],
            ki.transpose(0, 1)[None],
            vi.transpose(0, 1)[None],
            is_causal=True,
            enable_gqa=True,
        )
        outputs.append(out[0].transpose(0, 1))
    return torch.cat(outputs)


def _grouped(x: Tensor, kv_heads: int) -> Tensor:
    """[rows, heads, head_dim] -> [kv_heads, rows * heads / kv_heads, head_dim]; query heads share their key head."""
    rows, heads, size = x.shape
    return x.view(rows, kv_heads, heads // kv_heads, size).transpose(0, 1).reshape(kv_heads, -1, size)


def _ungrouped(x: Tensor, rows: int) -> Tensor:
    """Inverse of `_grouped`."""
    kv_heads, _, size = x.shape
    return x.view(kv_heads, rows, -1, size).transpose(0, 1).reshape(rows, -1, size)


def _weights(q: Tensor, keys: Tensor, scale: float, rows: int) -> Tensor:
    """softmax(scale q k^T) of one block [kv_heads, rows * group, keys] in q's dtype; scores are fp32."""
    scores = torch.bmm(q.float() * scale, keys.float().transpose(1, 2))
    kv_heads, _, seen = scores.shape
    # Only the last `rows` keys can lie in the future of a query of this block.
    hidden = torch.ones(rows, rows, dtype=torch.bool).triu(1)[:, None, :]
    scores.view(kv_heads, rows, -1, seen)[..., seen - rows :].masked_fill_(hidden, float("-inf"))
    return torch.softmax(scores, dim=-1).to(q.dtype)


class _BlockAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, lengths: list[int]) -> Tensor:
        out = torch.empty_like(q)
        kv_heads, scale = k.shape[1], q.shape[-1] ** -0.5
        kept: list[Tensor | None] = []
        for start, stop in _spans(lengths):
            keys, values = k[start:stop].transpose(0, 1), v[start:stop].transpose(0, 1)
            for first, last in _spans_of(stop - start):
                block = _grouped(q[start + first : start + last], kv_heads)
                weights = _weights(block, keys[:, :last], scale, last - first)
                out[start + first : start + last] = _ungrouped(
                    torch.bmm(weights, values[:, :last]), last - first
                )
                kept.append(weights if stop - start <= KEEP_WEIGHTS else None)
        ctx.save_for_backward(q, k, v, out, *kept)
        ctx.lengths, ctx.scale = lengths, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, out, *kept = ctx.saved_tensors
        kv_heads, blocks = k.shape[1], iter(kept)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        # Row sums of gradient x output: the softmax's Jacobian needs nothing else (Dao et al. 2022, appendix B).
        inner = (grad.float() * out.float()).sum(-1, keepdim=True).to(q.dtype)
        for start, stop in _spans(ctx.lengths):
            keys, values = k[start:stop].transpose(0, 1), v[start:stop].transpose(0, 1)
            sum_k = torch.zeros(keys.shape, dtype=torch.float32)
            sum_v = torch.zeros(keys.shape, dtype=torch.float32)
            for first, last in _spans_of(stop - start):
                rows = slice(start + first, start + last)
                block, upstream = _grouped(q[rows], kv_heads), _grouped(grad[rows], kv_heads)
                weights = next(blocks)
                if weights is None:
                    weights = _weights(block, keys[:, :last], ctx.scale, last - first)
                sum_v[:, :last] += torch.bmm(weights.transpose(1, 2), upstream)
                scores = torch.bmm(upstream, values[:, :last].transpose(1, 2))
                scores.sub_(_grouped(inner[rows], kv_heads)).mul_(weights)
                grad_q[rows] = _ungrouped(torch.bmm(scores, keys[:, :last]), last - first) * ctx.scale
                sum_k[:, :last] += torch.bmm(scores.transpose(1, 2), block)
            grad_k[start:stop] = (sum_k * ctx.scale).transpose(0, 1)
            grad_v[start:stop] = sum_v.transpose(0, 1)
        return grad_q, grad_k, grad_v, None


def _spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for length in lengths:
        spans.append((start, start + length))
        start += length
    return spans


def _spans_of(length: int) -> list[tuple[int, int]]:
    return [(first, min(first + BLOCK, length)) for first in range(0, length, BLOCK)]
