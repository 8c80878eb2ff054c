"""The own model file against transformers, and its parts against plain formulas."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from codekiln.errors import UserError
from codekiln.modeling.attention import document_attention
from codekiln.modeling.checkpoint import load_model
from codekiln.modeling.pointwise import rms_norm, silu_mul
from codekiln.modeling.qwen2 import Qwen2Config


def _transformers_logits(checkpoint: Path, documents: list[torch.Tensor]) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    with torch.inference_mode():
        return torch.cat([model(document[None]).logits[0] for document in documents])


def _random_documents(lengths: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(0, 1000, (length,), generator=generator) for length in lengths]


def test_logits_equal_transformers_and_packing_changes_nothing(pico_checkpoint: Path) -> None:
    documents = _random_documents([33, 1, 140])
    expected = _transformers_logits(pico_checkpoint, documents)
    model = load_model(pico_checkpoint, "float32")
    packed = model.logits(torch.cat(documents), [33, 1, 140])
    assert (packed - expected).abs().max() < 1e-4
    alone = torch.cat([model.logits(document, [len(document)]) for document in documents])
    assert (packed - alone).abs().max() < 1e-4


@pytest.mark.weights
def test_real_logits_equal_transformers() -> None:
    from codekiln.modeling.fetch import resolve

    folder = resolve("qwen2.5-coder-0.5b-instruct").path
    documents = _random_documents([64, 100])
    expected = _transformers_logits(folder, documents)
    with torch.inference_mode():
        own = load_model(folder, "float32").logits(torch.cat(documents), [64, 100])
    assert (own - expected).abs().max() < 1e-4
    assert torch.equal(own.argmax(-1), expected.argmax(-1))


def _sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    outputs = []
    for a, b, c in zip(q.split(lengths), k.split(lengths), v.split(lengths), strict=True):
        parts = (x.transpose(0, 1)[None] for x in (a, b, c))
        outputs.append(
            F.scaled_dot_product_attention(*parts, is_causal=True, enable_gqa=True)[0].transpose(0, 1)
        )
    return torch.cat(outputs)


@pytest.mark.parametrize("lengths", [[1], [5, 1, 130], [128, 256], [1100]])
def test_block_attention_gives_sdpa_values_and_gradients(lengths: list[int]) -> None:
    torch.manual_seed(0)
    total = sum(lengths)
    q = torch.randn(total, 6, 16, requires_grad=True)
    k, v = (torch.randn(total, 2, 16, requires_grad=True) for _ in range(2))
    upstream = torch.randn(total, 6, 16)
    own, expected = document_attention(q, k, v, lengths), _sdpa(q, k, v, lengths)
    assert torch.allclose(own, expected, atol=1e-5)
    for mine, theirs in zip(
        torch.autograd.grad(own, (q, k, v), upstream),
        torch.autograd.grad(expected, (q, k, v), upstream),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 300))
def test_pointwise_gradients_equal_autograd(rows: int, size: int) -> None:
    generator = torch.Generator().manual_seed(rows * 1000 + size)
    x, y = (torch.randn(rows, size, generator=generator, requires_grad=True) for _ in range(2))
    weight = torch.randn(size, generator=generator, requires_grad=True)
    upstream = torch.randn(rows, size, generator=generator)
    before = x.detach().clone()
    plain_norm = weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6))
    pairs = [
        (rms_norm(x, weight, 1e-6), plain_norm, (x, weight)),
        (silu_mul(x, y), F.silu(x) * y, (x, y)),
    ]
    for own, expected, inputs in pairs:
        assert torch.allclose(own, expected, atol=1e-5)
        for mine, theirs in zip(
            torch.autograd.grad(own, inputs, upstream),
            torch.autograd.grad(expected, inputs, upstream),
            strict=True,
        ):
            assert torch.allclose(mine, theirs, atol=1e-3)
    assert torch.equal(x, before)


def test_another_architecture_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match="model_type is 'llama'"):
        Qwen2Config.from_folder(tmp_path)
