"""Turns minutes into tokens, once, from a measured step; and counts the work of a token."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from codekiln.formats import CONTROL_IDS, FIM_PAD, Kind
from codekiln.machine import keep_freed_memory
from codekiln.modeling.qwen2 import Qwen2Config
from codekiln.training.config import TrainingConfig
from codekiln.training.engine import train_step
from codekiln.training.rows import Row
from codekiln.training.trainable import make_optimizer, make_trainable


def flops_per_token(config: Qwen2Config, training: TrainingConfig, context: float) -> float:
    """Floating-point operations of one training token, forward and backward, head included.

    A product with N weights costs 2 N forward and 2 N for the gradient of its input, and 2 N more where the weight
    itself is trained (Kaplan et al. 2020, appendix B); causal attention over `context` tokens costs half of its
    full square, three times over (two products forward, four backward).
    """
    head, kv = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    linear = (
        config.hidden_size * (2 * head + 2 * kv) + 3 * config.hidden_size * config.intermediate_size
    ) * config.num_hidden_layers
    output = config.hidden_size * config.vocab_size
    attention = 2 * 2 * head * context / 2 * 3 * config.num_hidden_layers
    if training.method == "full":
        return 6 * (linear + output) + attention
    per_layer = 2 * (config.hidden_size + head) + 2 * (config.hidden_size + kv)
    per_layer += 3 * (config.hidden_size + config.intermediate_size)
    return 4 * (linear + output) + 6 * training.rank * per_layer * config.num_hidden_layers + attention


def measure_rate(
    checkpoint: Path, config: TrainingConfig, *, length: int, dtype: str, threads: int, seed: int
) -> float:
    """Training tokens a second on this machine, from one measured step on made-up tokens after a short warm-up."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    trainable = make_trainable(checkpoint, config, dtype=dtype, seed=seed)
    optimizer = make_optimizer(trainable, config)
    generator = torch.Generator().manual_seed(seed)
    # The median of three short steps: one long step would catch whatever else the machine does.
    size, seconds = max(2, min(length, 256)), []
    for step in range(4):
        ids = torch.randint(0, CONTROL_IDS[FIM_PAD] // 2, (size,), generator=generator)
        kinds = torch.full((size,), int(Kind.PLAIN), dtype=torch.uint8)
        row = Row(ids, [size], torch.ones(size, dtype=torch.bool), kinds)
        begun = time.monotonic()
        train_step(trainable, optimizer, [row], 0.0, config)
        if step:
            seconds.append(time.monotonic() - begun)
    return size / sorted(seconds)[1]


def tokens_for(minutes: float, rate: float) -> int:
    """Tokens that fit into a time budget, rounded to two significant digits so that the record reads well."""
    tokens = max(1.0, minutes * 60 * rate)
    unit = 10 ** max(0, len(str(int(tokens))) - 2)
    return max(unit, int(tokens // unit * unit))
