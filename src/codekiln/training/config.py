"""Configuration of a training stage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TrainingConfig(BaseModel):
    """How a checkpoint is trained further. Exactly one of `tokens` and `minutes` is the budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["lora", "full"] = "lora"
    #: Budget in training tokens; None when `minutes` is given.
    tokens: int | None = Field(default=None, gt=0)
    #: Budget in minutes of training on this machine; turned into tokens once, from a measured step.
    minutes: float | None = Field(default=None, gt=0)
    #: LoRA rank and scale (Hu et al. 2021): the update is (alpha / rank) B A.
    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32.0, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    #: "wsd": warm up, stay, decay to zero (MiniCPM, Hu et al. 2024); "cosine": warm up, half a cosine to zero.
    schedule: Literal["wsd", "cosine"] = "wsd"
    warmup_fraction: float = Field(default=0.05, ge=0, le=1)
    #: Share of the steps over which "wsd" decays linearly to zero.
    decay_fraction: float = Field(default=0.4, ge=0, le=1)
    #: Tokens of one optimizer step (whole rows; at least one).
    batch_tokens: int = Field(default=1024, gt=0)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    #: "auto" measures both for two seconds and takes the faster.
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    #: Seconds between checkpoints; one is also written on SIGTERM and Ctrl-C.
    checkpoint_seconds: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _one_budget(self) -> TrainingConfig:
        if self.tokens is not None and self.minutes is not None:
            raise ValueError("give either tokens or minutes, not both")
        if self.warmup_fraction + self.decay_fraction > 1:
            raise ValueError("warmup_fraction + decay_fraction must not exceed 1")
        return self
