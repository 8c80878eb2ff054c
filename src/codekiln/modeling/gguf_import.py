"""A GGUF file of a Qwen2 model turned into a Hugging Face checkpoint folder: bf16 safetensors and tokenizer.

Quantized tensors are dequantized piece by piece, so that memory stays far below the size of the checkpoint.
A quantized release often stores the tied embedding twice, as `token_embd.weight` and, at a higher precision, as
`output.weight`; such a pair is one parameter of the original model and becomes one again, taken from the better
copy. (0.5B in Q4_K_M: Q5_0 and Q8_0 copies, 4.4 % apart, and 494 M parameters instead of 630 M.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from codekiln import formats
from codekiln.errors import UserError
from codekiln.modeling.checkpoint_folder import expected_shapes
from codekiln.modeling.gguf_file import GgufFile, read_gguf
from codekiln.modeling.gguf_names import gguf_name
from codekiln.modeling.safetensors_file import write_bf16
from codekiln.modeling.tokenizer_files import write_tokenizer
from codekiln.progress import Progress

_EMBEDDING, _HEAD = "token_embd.weight", "output.weight"
_ROWS = 8_192
_HEAD_SAMPLE = 1_024
#: Two quantized copies of one matrix differ by a few percent; two trained matrices by 100 % and more.
_SAME_MATRIX = 0.25


def import_gguf(source: Path, folder: Path) -> dict[str, Any]:
    """Write the checkpoint of the GGUF file `source` into the existing, empty `folder`.

    Writes model.safetensors (bf16), config.json, generation_config.json and the tokenizer files; returns the
    configuration. Raises UserError when the file is truncated, is no GGUF file or holds another architecture
    or tokenizer.
    """
    file = read_gguf(source)
    metadata = _Metadata(file)
    architecture = metadata.get("general.architecture")
    if architecture != "qwen2":
        raise UserError(
            f"{source}: architecture is {architecture!r}; codekiln imports qwen2 files (Qwen2.5-Coder)"
        )
    config = _config(file, metadata)
    embedding = _EMBEDDING
    if config["tie_word_embeddings"] and _HEAD in file.tensors:
        embedding = max(_HEAD, _EMBEDDING, key=lambda name: file.tensors[name].size)
    shapes = expected_shapes(config)
    names = []
    for name, shape in shapes.items():
        stored = embedding if name == "model.embed_tokens.weight" else gguf_name(name)
        if stored not in file.tensors:
            raise UserError(f"{source}: has no tensor {stored}; the file is incomplete")
        if file.tensors[stored].shape != shape:
            found = file.tensors[stored].shape
            raise UserError(f"{source}: tensor {stored} has shape {found}, the metadata says {shape}")
        names.append(stored)
    eos = config["eos_token_id"]
    write_tokenizer(
        folder,
        metadata.list_of_text("tokenizer.ggml.tokens"),
        metadata.list_of_text("tokenizer.ggml.merges"),
        eos=formats.IM_END if eos == formats.CONTROL_IDS[formats.IM_END] else formats.END_OF_TEXT,
        chat_template=str(metadata.get("tokenizer.chat_template") or "") or None,
    )
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", _generation_config(config))
    total = sum(math.prod(shape) for shape in shapes.values())
    with Progress(f"dequantize {source.name}", total, "weights") as progress:
        write_bf16(folder / "model.safetensors", shapes, (_rows(file, name, progress) for name in names))
    return config


class _Metadata:
    """The key-value part of a GGUF file, with errors that name the file and the key."""

    def __init__(self, file: GgufFile) -> None:
        self.source, self.get = file.path, file.metadata.get

    def number(self, key: str) -> int:
        """A positive whole number that must be there."""
        value = self.get(key)
        if not isinstance(value, int) or value <= 0:
            raise UserError(f"{self.source}: metadata key {key} is missing or no positive number")
        return value

    def list_of_text(self, key: str) -> list[str]:
        """A list of strings that must be there."""
        value = self.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UserError(f"{self.source}: metadata key {key} is missing or no list of strings")
        return value


def _config(file: GgufFile, metadata: _Metadata) -> dict[str, Any]:
    """`config.json` as the releases of the family have it, from GGUF metadata."""
    if _EMBEDDING not in file.tensors:
        raise UserError(f"{file.path}: has no tensor {_EMBEDDING}; the file is incomplete")
    layers = metadata.number("qwen2.block_count")
    context = metadata.number("qwen2.context_length")
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": formats.CONTROL_IDS[formats.END_OF_TEXT],
        "eos_token_id": metadata.number("tokenizer.ggml.eos_token_id"),
        "hidden_act": "silu",
        "hidden_size": metadata.number("qwen2.embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": metadata.number("qwen2.feed_forward_length"),
        "max_position_embeddings": context,
        "max_window_layers": layers,
        "model_type": "qwen2",
        "num_attention_heads": metadata.number("qwen2.attention.head_count"),
        "num_hidden_layers": layers,
        "num_key_value_heads": metadata.number("qwen2.attention.head_count_kv"),
        "rms_norm_eps": _decimal(metadata, "qwen2.attention.layer_norm_rms_epsilon", 1e-6),
        "rope_theta": _decimal(metadata, "qwen2.rope.freq_base", 10_000.0),
        "sliding_window": None,
        "tie_word_embeddings": _tied(file),
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": file.tensors[_EMBEDDING].shape[0],
    }


def _decimal(metadata: _Metadata, key: str, default: float) -> float:
    """A float32 of the metadata as the decimal number it was written from (9.99999997e-07 is 1e-06)."""
    value = metadata.get(key, default)
    if not isinstance(value, float | np.float32) or not value > 0:
        raise UserError(f"{metadata.source}: metadata key {key} is no positive number")
    return float(str(np.float32(value)))


def _generation_config(config: dict[str, Any]) -> dict[str, Any]:
    """Where generation ends; no sampling defaults, so that greedy decoding is greedy everywhere."""
    end = formats.CONTROL_IDS[formats.END_OF_TEXT]
    return {
        "bos_token_id": end,
        "do_sample": False,
        "eos_token_id": sorted({config["eos_token_id"], end}, reverse=True),
        "pad_token_id": end,
    }


def _tied(file: GgufFile) -> bool:
    """Whether head and embedding are one matrix: no head stored, or a copy of the embedding."""
    if _HEAD not in file.tensors:
        return True
    if file.tensors[_HEAD].shape != file.tensors[_EMBEDDING].shape:
        return False
    first, second = (file.rows(name, 0, _HEAD_SAMPLE) for name in (_HEAD, _EMBEDDING))
    return float(np.linalg.norm(first - second)) < _SAME_MATRIX * float(np.linalg.norm(first))


def _rows(file: GgufFile, name: str, progress: Progress) -> Iterator[np.ndarray]:
    rows = file.tensors[name].shape[0]
    for start in range(0, rows, _ROWS):
        piece = file.rows(name, start, start + _ROWS)
        yield piece
        progress.update(piece.size)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
