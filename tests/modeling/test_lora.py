"""LoRA: starts as the identity, merges exactly, and speaks PEFT's format."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from codekiln.modeling.checkpoint import load_model, merge_adapter
from codekiln.modeling.lora import LoRALinear, adapter_tensors, add_lora, save_adapter


def _trained(checkpoint: Path) -> tuple[torch.nn.Module, dict[str, LoRALinear]]:
    model = load_model(checkpoint, "float32")
    layers = add_lora(model, rank=4, alpha=8.0, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in layers.values():
            layer.lora_B.copy_(torch.randn(layer.lora_B.shape, generator=generator) * 0.02)
    return model, layers


def test_a_new_adapter_changes_nothing(pico_checkpoint: Path) -> None:
    ids = torch.arange(50)
    plain = load_model(pico_checkpoint, "float32").logits(ids, [50])
    model = load_model(pico_checkpoint, "float32")
    layers = add_lora(model, rank=4, alpha=8.0, seed=1)
    assert len(layers) == 7 * model.config.num_hidden_layers
    assert torch.equal(model.logits(ids, [50]), plain)
    assert all(("lora" in name) == p.requires_grad for name, p in model.named_parameters())


def test_product_gradients_equal_autograd() -> None:
    torch.manual_seed(0)
    base = nn.Linear(12, 20)
    layer = LoRALinear(base, 3, 2.0, torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.lora_B.normal_()
    x = torch.randn(9, 12, requires_grad=True)
    upstream = torch.randn(9, 20)
    plain = torch.nn.functional.linear(x, layer.weight + 2.0 * layer.lora_B @ layer.lora_A, layer.bias)
    inputs = (x, layer.lora_A, layer.lora_B)
    for mine, theirs in zip(
        torch.autograd.grad(layer(x), inputs, upstream),
        torch.autograd.grad(plain, inputs, upstream),
        strict=True,
    ):
        assert torch.allclose(mine, theirs, atol=1e-4)


def test_merged_checkpoint_and_peft_give_the_same_logits(pico_checkpoint: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model, layers = _trained(pico_checkpoint)
    ids = torch.arange(40)
    with torch.inference_mode():
        expected = model.logits(ids, [40])
    tensors = adapter_tensors(layers)
    save_adapter(tmp_path / "adapter", tensors, rank=4, alpha=8.0, base_model="pico", revision=None)
    merge_adapter(pico_checkpoint, tensors, 2.0, tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(pico_checkpoint, dtype=torch.float32)
    peft = PeftModel.from_pretrained(base, tmp_path / "adapter")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    with torch.inference_mode():
        assert (peft(ids[None]).logits[0] - expected).abs().max() < 1e-4
        # The merged weights are rounded to the checkpoint's own dtype.
        assert (merged(ids[None]).logits[0] - expected).abs().mean() < 0.05
    assert merged.get_output_embeddings().weight.data_ptr() == merged.get_input_embeddings().weight.data_ptr()
    assert not list((tmp_path / "merged").glob("codekiln.json"))
