"""LoRA (Hu et al. 2021): a frozen linear layer plus a trained low-rank update, W + (alpha / rank) B A.

A and B are fp32 masters, cast to the model's dtype in each product. Names follow PEFT's adapter format, so that
an adapter saved here is loaded there. The output head is never a target: where it is tied to the embedding, an
update of one would be lost in the other.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: The seven linear layers of a block.
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class _LoRAProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        low = x @ a.t().to(x.dtype)
        out = x @ weight.t() if bias is None else torch.addmm(bias, x, weight.t())
        out.addmm_(low, (b.t() * scale).to(x.dtype))
        ctx.save_for_backward(x, weight, a, b, low)
        ctx.scale = scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        x, weight, a, b, low = ctx.saved_tensors
        grad_low = grad @ (b * ctx.scale).to(grad.dtype)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grad @ weight
            grad_x.addmm_(grad_low, a.to(grad.dtype))
        grad_a = (grad_low.t() @ x).to(a.dtype)
        grad_b = (grad.t() @ low).to(b.dtype).mul_(ctx.scale)
        return grad_x, None, None, grad_a, grad_b, None


class LoRALinear(nn.Module):
    """A frozen nn.Linear with a trained update; B starts at zero, so the layer starts unchanged."""

    def __init__(self, base: nn.Linear, rank: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        self.weight, self.bias = base.weight, base.bias
        self.weight.requires_grad_(False)
        if self.bias is not None:
            self.bias.requires_grad_(False)
        # Kaiming uniform with a = sqrt(5), PEFT's initialisation of A.
        bound = math.sqrt(1.0 / base.in_features)
        self.lora_A = nn.Parameter((torch.rand(rank, base.in_features, generator=generator) * 2 - 1) * bound)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return _LoRAProduct.apply(x, self.weight, self.bias, self.lora_A, self.lora_B, self.scale)

    @torch.no_grad()
    def merged(self) -> Tensor:
        """W + scale B A in fp32."""
        return self.weight.float() + self.scale * (self.lora_B @ self.lora_A)


def add_lora(model: nn.Module, *, rank: int, alpha: float, seed: int) -> dict[str, LoRALinear]:
    """Freeze a model and replace its seven linear layers a block by LoRALinear; returns them by module name."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    layers: dict[str, LoRALinear] = {}
    for name, module in list(model.named_modules()):
        for child in TARGETS:
            base = getattr(module, child, None)
            if isinstance(base, nn.Linear):
                layer = LoRALinear(base, rank, alpha / rank, generator)
                setattr(module, child, layer)
                layers[f"{name}.{child}" if name else child] = layer
    return layers


def adapter_tensors(layers: dict[str, LoRALinear]) -> dict[str, Tensor]:
    """The trained tensors under PEFT's names, fp32."""
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = layer.lora_A.detach().contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = layer.lora_B.detach().contiguous()
    return tensors


def save_adapter(
    folder: Path,
    tensors: dict[str, Tensor],
    *,
    rank: int,
    alpha: float,
    base_model: str,
    revision: str | None,
    note: str = "",
) -> None:
    """Write adapter_model.safetensors and adapter_config.json in PEFT's format, and `note` as README.md."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").chmod(0o644)  # safetensors writes for the owner alone
    config = {
        "base_model_name_or_path": base_model,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": rank,
        "revision": revision,
        "target_modules": sorted(TARGETS),
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": False,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if note:
        (folder / "README.md").write_text(note, encoding="utf-8")


def load_adapter(folder: Path) -> tuple[dict[str, Tensor], float]:
    """Tensors of an adapter by PEFT name and its scale alpha / rank."""
    config = json.loads((folder / "adapter_config.json").read_text())
    return load_file(folder / "adapter_model.safetensors"), config["lora_alpha"] / config["r"]
