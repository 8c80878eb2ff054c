"""Norm and gate with hand-written gradients: fewer passes over memory and fewer tensors kept than autograd's own.

The norm works through blocks of rows that fit a core's cache, in fp32 whatever the model's dtype.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

#: Elements of one block (fp32): about a quarter of a megabyte.
_BLOCK = 65_536


def _row_blocks(x: Tensor) -> Iterator[slice]:
    step = max(1, _BLOCK // x.shape[-1]) if x.device.type == "cpu" else len(x)
    for start in range(0, len(x), step):
        yield slice(start, start + step)


class _SiluMul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        # silu(gate) is made again rather than kept: it is as large as a layer's widest activation.
        return torch.ops.aten.silu_backward(grad * up, gate), F.silu(gate).mul_(grad)


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up for [T, intermediate] tensors (SwiGLU, Shazeer 2020)."""
    return _SiluMul.apply(gate, up)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        out = torch.empty_like(x)
        inverse = torch.empty(len(x), 1, dtype=torch.float32, device=x.device)
        for rows in _row_blocks(x):
            wide = x[rows].float()
            inverse[rows] = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
            # Rounded to the model's dtype before the weight, as Hugging Face's Qwen2 does.
            out[rows] = (wide * inverse[rows]).to(x.dtype) * weight
        ctx.save_for_backward(x, weight, inverse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, weight, inverse = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=x.device)
        wide_weight = weight.float()
        for rows in _row_blocks(x):
            normal = x[rows].float() * inverse[rows]
            upstream = grad[rows].float()
            if ctx.needs_input_grad[1]:
                grad_weight += (upstream * normal).sum(0)
            upstream = upstream * wide_weight
            inner = (upstream * normal).mean(-1, keepdim=True)
            grad_x[rows] = torch.addcmul(upstream, normal, inner, value=-1).mul_(inverse[rows])
        return grad_x, grad_weight.to(weight.dtype) if ctx.needs_input_grad[1] else None, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight over the last dimension of [T, size] (Zhang and Sennrich 2019)."""
    return _RMSNorm.apply(x, weight, eps)
