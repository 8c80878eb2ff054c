"""What is trained: LoRA's matrices or all weights, always as fp32 masters under stable names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from codekiln.modeling.checkpoint import load_model
from codekiln.modeling.lora import LoRALinear, adapter_tensors, add_lora
from codekiln.modeling.qwen2 import Qwen2
from codekiln.training.config import TrainingConfig


@dataclass
class Trainable:
    """A model with the fp32 parameters that the optimizer sees.

    With full training in bf16 the model's weights are rounded copies of the masters: their gradients are moved
    to the masters as soon as they stand (fp32 accumulation over rows), and `publish` rounds the masters back.
    """

    model: Qwen2
    parameters: dict[str, nn.Parameter]
    layers: dict[str, LoRALinear] = field(default_factory=dict)
    copies: dict[str, nn.Parameter] = field(default_factory=dict)

    @torch.no_grad()
    def publish(self) -> None:
        """Copy the masters into the model's own weights, where these are apart."""
        for name, copy in self.copies.items():
            copy.copy_(self.parameters[name])

    def tensors(self) -> dict[str, Tensor]:
        """The trained tensors: PEFT's adapter names for LoRA, the checkpoint's names for full training."""
        if self.layers:
            return adapter_tensors(self.layers)
        return {name: parameter.detach() for name, parameter in self.parameters.items()}


def make_trainable(checkpoint: Path, config: TrainingConfig, *, dtype: str, seed: int) -> Trainable:
    """Load a checkpoint and make its parameters ready for training."""
    model = load_model(checkpoint, dtype)
    if config.method == "lora":
        layers = add_lora(model, rank=config.rank, alpha=config.alpha, seed=seed)
        parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        return Trainable(model, parameters, layers)
    if dtype == "float32":
        return Trainable(model, dict(model.named_parameters()))
    masters: dict[str, nn.Parameter] = {}
    copies: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        masters[name] = nn.Parameter(parameter.detach().float())
        copies[name] = parameter
        parameter.register_post_accumulate_grad_hook(_mover(masters[name]))
    return Trainable(model, masters, copies=copies)


def _mover(master: nn.Parameter) -> Callable[[Tensor], None]:
    def move(parameter: Tensor) -> None:
        if parameter.grad is not None:
            if master.grad is None:
                master.grad = parameter.grad.float()
            else:
                master.grad += parameter.grad
            parameter.grad = None

    return move


def make_optimizer(trainable: Trainable, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); norms, biases and embeddings do not decay."""
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in trainable.parameters.items():
        keep = parameter.ndim >= 2 and "embed_tokens" not in name
        (decayed if keep else others).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.learning_rate, betas=config.betas, eps=1e-8
    )
