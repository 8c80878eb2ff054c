"""Chunked cross-entropy against the plain formula, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from codekiln.training.loss import linear_cross_entropy, token_losses


@pytest.mark.parametrize("count", [1, 255, 256, 300])
def test_value_and_gradients_equal_the_plain_loss(count: int) -> None:
    torch.manual_seed(count)
    hidden = torch.randn(count, 24, requires_grad=True)
    head = torch.randn(1000, 24, requires_grad=True)
    targets = torch.randint(0, 1000, (count,))
    total, each = linear_cross_entropy(hidden, head, targets)
    plain = F.cross_entropy(hidden @ head.t(), targets, reduction="sum")
    assert torch.allclose(total, plain, rtol=1e-5)
    assert torch.allclose(each.sum(), plain, rtol=1e-5)
    assert torch.allclose(token_losses(hidden, head, targets), each)
    for mine, theirs in zip(
        torch.autograd.grad(total / 7, (hidden, head)),
        torch.autograd.grad(plain / 7, (hidden, head)),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_bf16_sums_in_fp32() -> None:
    torch.manual_seed(0)
    hidden, head = torch.randn(4096, 32).bfloat16(), torch.randn(5000, 32).bfloat16()
    targets = torch.randint(0, 5000, (4096,))
    total, _ = linear_cross_entropy(hidden, head, targets)
    exact = F.cross_entropy(hidden.double() @ head.double().t(), targets, reduction="sum")
    assert total.dtype == torch.float32
    # A sum kept in bf16 would stall near 256 and miss this by tens of percent.
    assert abs(float(total) - float(exact)) / float(exact) < 2e-3


def test_no_live_position_gives_zero() -> None:
    hidden = torch.randn(0, 8, requires_grad=True)
    total, each = linear_cross_entropy(hidden, torch.randn(10, 8), torch.zeros(0, dtype=torch.int64))
    assert float(total.detach()) == 0
    assert len(each) == 0
