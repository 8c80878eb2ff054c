"""Cross-entropy from hidden states, chunk by chunk: never tokens x 152k logits at once.

Masked positions are dropped before the product; the product runs in the dtype of the model, softmax and sums in
fp32; the gradient with respect to the hidden states is made in the forward pass, so that no chunk of logits is
kept for the backward pass. With a trained head its gradient is accumulated in fp32, one product a chunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Tokens a head product takes at once; the largest buffer is CHUNK x vocabulary in the model's dtype.
CHUNK = 256
#: Rows of one softmax block in fp32: 16 x 152k x 4 bytes stays in a last-level cache.
_BLOCK = 16


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        count = len(targets)
        losses = torch.empty(count, dtype=torch.float32, device=hidden.device)
        need_hidden, need_head = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        grad_hidden = torch.empty_like(hidden) if need_hidden else None
        grad_head = torch.zeros_like(head, dtype=torch.float32) if need_head else None
        # One buffer for all chunks: fresh memory of that size costs more in page faults than a tenth of the product.
        buffer = hidden.new_empty(min(count, CHUNK), len(head))
        for start in range(0, count, CHUNK):
            rows = slice(start, min(start + CHUNK, count))
            logits = torch.mm(hidden[rows], head.t(), out=buffer[: rows.stop - rows.start])
            _softmax_minus_one_hot(logits, targets[rows], losses[rows])
            if grad_hidden is not None:
                torch.mm(logits, head, out=grad_hidden[rows])
            if grad_head is not None:
                grad_head += logits.t() @ hidden[rows]
        ctx.save_for_backward(grad_hidden, grad_head)
        ctx.head_dtype = head.dtype
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, _: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        grad_hidden, grad_head = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * scale.to(grad_hidden.dtype),
            None if grad_head is None else (grad_head * scale).to(ctx.head_dtype),
            None,
        )


def _softmax_minus_one_hot(logits: Tensor, targets: Tensor, losses: Tensor) -> None:
    """Fill `losses` with -log softmax(logits)[target] and turn `logits` [N, V] in place into their gradient."""
    for start in range(0, len(targets), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(targets)))
        wide, target = logits[rows].float(), targets[rows, None]
        top = wide.amax(-1, keepdim=True)
        wide -= top
        chosen = wide.gather(1, target)
        wide.exp_()
        total = wide.sum(-1, keepdim=True)
        losses[rows] = (total.log() - chosen).squeeze(1)
        wide *= total.reciprocal()
        wide.scatter_add_(1, target, torch.full_like(chosen, -1.0))
        logits[rows] = wide


def linear_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-log softmax(hidden @ head.T)[target] in nats: the sum as a differentiable fp32 scalar, and each [N] fp32.

    Args:
        hidden: [N, hidden], live positions only.
        head: [vocab, hidden], same dtype as `hidden`.
        targets: [N] int64, the token that follows each position.
    """
    return _LinearCrossEntropy.apply(hidden, head, targets)


@torch.no_grad()
def token_losses(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(hidden @ head.T)[target] for every row, [T] fp32, in nats."""
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    buffer = hidden.new_empty(min(len(targets), CHUNK), len(head))
    for start in range(0, len(targets), CHUNK):
        rows = slice(start, min(start + CHUNK, len(targets)))
        logits = torch.mm(hidden[rows], head.t(), out=buffer[: rows.stop - rows.start])
        _softmax_minus_one_hot(logits, targets[rows], losses[rows])
    return losses
