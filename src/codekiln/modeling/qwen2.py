"""Qwen2 as one readable file: decoder-only Transformer with grouped-query attention, SwiGLU and rotary positions.

Architecture: report section 1.1 and the released configurations. Parameter names are Hugging Face's, so that a
checkpoint's tensors load by name. A batch is a flat stream of tokens with the lengths of its documents: positions
restart at each document and attention never crosses a border, which on a CPU costs a loop over documents instead
of a T x T mask.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codekiln.errors import UserError, one_line
from codekiln.modeling.attention import document_attention
from codekiln.modeling.pointwise import rms_norm, silu_mul


@dataclass(frozen=True)
class Qwen2Config:
    """Shape of a Qwen2 model; field names are those of the checkpoint's config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    rope_theta: float = 1_000_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True
    max_position_embeddings: int = 32_768

    @property
    def head_dim(self) -> int:
        # Hidden size over heads: 64 for 0.5B, although the report's table prints 128 (report section 0.2, 1).
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_folder(cls, folder: Path) -> Qwen2Config:
        """Read config.json of a Hugging Face checkpoint.

        Raises:
            UserError: the file is missing, broken, or not a Qwen2 model.
        """
        path = folder / "config.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{folder} is not a checkpoint: it has no config.json") from None
        except ValueError as error:
            raise UserError(f"{path} is not valid JSON: {one_line(error)}") from None
        if raw.get("model_type") != "qwen2":
            raise UserError(f"{path}: model_type is {raw.get('model_type')!r}; codekiln trains qwen2 models")
        # transformers 5 keeps the RoPE base in rope_parameters, older releases at the top level.
        rope = raw.get("rope_parameters") or {}
        if rope.get("rope_type", "default") != "default" or raw.get("rope_scaling"):
            raise UserError(
                f"{path}: RoPE scaling is not supported in training; remove it from the configuration"
            )
        try:
            return cls(
                **{name: raw[name] for name in _REQUIRED},
                rope_theta=float(raw.get("rope_theta", rope.get("rope_theta", 10_000.0))),
                rms_norm_eps=float(raw["rms_norm_eps"]),
                tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
                max_position_embeddings=int(raw["max_position_embeddings"]),
            )
        except KeyError as error:
            raise UserError(f"{path}: key {error} is missing") from None


_REQUIRED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
)


class RMSNorm(nn.Module):
    """Root-mean-square norm with a trained scale (Zhang and Sennrich 2019)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


def rope_tables(config: Qwen2Config, length: int) -> tuple[Tensor, Tensor]:
    """cos and sin [length, head_dim] in fp32 (Su et al. 2021), halves duplicated as in Hugging Face's layout."""
    half = torch.arange(0, config.head_dim, 2, dtype=torch.int64).float() / config.head_dim
    angles = torch.outer(torch.arange(length).float(), 1.0 / config.rope_theta**half)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate x [T, heads, head_dim] by the tables gathered at its positions [T, 1, head_dim]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        size, head = config.hidden_size, config.head_dim
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            head,
        )
        self.q_proj = nn.Linear(size, self.heads * head, bias=True)
        self.k_proj = nn.Linear(size, self.kv_heads * head, bias=True)
        self.v_proj = nn.Linear(size, self.kv_heads * head, bias=True)
        self.o_proj = nn.Linear(self.heads * head, size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, lengths: Sequence[int]) -> Tensor:
        q = rotate(self.q_proj(x).view(-1, self.heads, self.head_dim), cos, sin)
        k = rotate(self.k_proj(x).view(-1, self.kv_heads, self.head_dim), cos, sin)
        v = self.v_proj(x).view(-1, self.kv_heads, self.head_dim)
        return self.o_proj(document_attention(q, k, v, lengths).flatten(1))


class MLP(nn.Module):
    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(silu_mul(self.gate_proj(x), self.up_proj(x)))


class Block(nn.Module):
    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, lengths: Sequence[int]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, lengths)
        return x + self.mlp(self.post_attention_layernorm(x))


class Backbone(nn.Module):
    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Qwen2(nn.Module):
    """The whole model. `forward` gives hidden states; the head is applied by the loss, chunk by chunk."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        if not config.tie_word_embeddings:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self._tables: tuple[Tensor, Tensor] | None = None

    @property
    def head_weight(self) -> Tensor:
        """Weight of the output head [vocab, hidden]; the embedding itself when tied."""
        if self.config.tie_word_embeddings:
            return self.model.embed_tokens.weight
        return self.lm_head.weight

    def forward(self, input_ids: Tensor, lengths: Sequence[int]) -> Tensor:
        """Hidden states after the last norm.

        Args:
            input_ids: [T] int64, documents one behind the other.
            lengths: tokens per document; they sum to T.

        Returns:
            [T, hidden] in the dtype of the embedding.
        """
        x = self.model.embed_tokens(input_ids)
        cos, sin = self._rope(lengths, x)
        for layer in self.model.layers:
            x = layer(x, cos, sin, lengths)
        return self.model.norm(x)

    def logits(self, input_ids: Tensor, lengths: Sequence[int]) -> Tensor:
        """Logits [T, vocab] in fp32; for tests and short inputs only."""
        return F.linear(self(input_ids, lengths), self.head_weight).float()

    def _rope(self, lengths: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
        longest = max(lengths)
        if self._tables is None or self._tables[0].shape[0] < longest:
            self._tables = rope_tables(self.config, longest)
        positions = torch.cat([torch.arange(n) for n in lengths])
        cos, sin = (table[positions][:, None, :].to(like.device, like.dtype) for table in self._tables)
        return cos, sin
