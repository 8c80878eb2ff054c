"""Learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math

from codekiln.training.config import TrainingConfig


def learning_rate(step: int, steps: int, config: TrainingConfig) -> float:
    """Learning rate of optimizer step `step` (0-based) out of `steps`.

    Both schedules warm up linearly over `warmup_fraction` of the steps. "wsd" then stays and decays linearly to
    zero over the last `decay_fraction` (Hu et al. 2024, MiniCPM); "cosine" follows half a cosine to zero.
    """
    warmup = round(config.warmup_fraction * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "cosine":
        share = (step - warmup) / max(steps - warmup, 1)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    decay = round(config.decay_fraction * steps)
    left = steps - step
    return config.learning_rate * (left / (decay + 1) if left <= decay else 1.0)
