"""A Hugging Face checkpoint folder of a Qwen2 model: what belongs in it, whether it is whole, its hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from codekiln.errors import UserError
from codekiln.modeling.safetensors_file import TensorEntry, read_header

_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
)
_HASH_BLOCK = 4 << 20


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like a checkpoint: a config.json and at least one safetensors file."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json`, checked to describe a Qwen2 model. Raises UserError naming the file and the key."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON; restore the file of the release") from error
    if not isinstance(config, dict) or config.get("model_type") != "qwen2":
        kind = config.get("model_type") if isinstance(config, dict) else type(config).__name__
        raise UserError(f"{path}: model_type is {kind!r}; codekiln works on qwen2 models (Qwen2.5-Coder)")
    for key in _SIZES:
        if not isinstance(config.get(key), int) or config[key] <= 0:
            raise UserError(f"{path}: {key} is missing or no positive number")
    return config


def side_files(folder: Path) -> list[Path]:
    """Configuration, tokenizer, chat template and licence: what a checkpoint has beside its weights, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".json", ".txt", ".jinja") and path.name != "codekiln.json" and path.is_file()
    )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the model, sorted by name; those of the index where there is one."""
    index = folder / "model.safetensors.index.json"
    single = folder / "model.safetensors"
    if index.is_file() and not single.is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise UserError(f"{index}: no valid weight index; fetch the file again") from error
        if any(not isinstance(name, str) or Path(name).name != name for name in names):
            raise UserError(f"{index}: names a file outside the folder")
        files = [folder / name for name in sorted(names)]
    elif single.is_file():
        files = [single]
    else:
        files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder}: has no *.safetensors file; pass a Hugging Face checkpoint folder")
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: is named by the index but missing; fetch it again")
    return files


def expected_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every parameter of a Qwen2 model with its shape, in file order; the head only where it is not tied."""
    hidden, inner, rows = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    queries, keys = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (rows, hidden)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        shapes[f"{prefix}input_layernorm.weight"] = (hidden,)
        for name, size in (("q", queries), ("k", keys), ("v", keys)):
            shapes[f"{prefix}self_attn.{name}_proj.weight"] = (size, hidden)
            shapes[f"{prefix}self_attn.{name}_proj.bias"] = (size,)
        shapes[f"{prefix}self_attn.o_proj.weight"] = (hidden, queries)
        shapes[f"{prefix}post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{prefix}mlp.gate_proj.weight"] = (inner, hidden)
        shapes[f"{prefix}mlp.up_proj.weight"] = (inner, hidden)
        shapes[f"{prefix}mlp.down_proj.weight"] = (hidden, inner)
    shapes["model.norm.weight"] = (hidden,)
    if not config.get("tie_word_embeddings", False):
        shapes["lm_head.weight"] = (rows, hidden)
    return shapes


def open_tensors(folder: Path) -> dict[str, tuple[Path, TensorEntry]]:
    """Every tensor of the checkpoint: name -> (file, entry). Raises UserError for a damaged file."""
    return {name: (path, entry) for path in weight_files(folder) for name, entry in read_header(path).items()}


def check_checkpoint(folder: Path) -> dict[str, Any]:
    """Check config, weight files, names and shapes, and the tokenizer file; return the configuration.

    Reads headers only, so it takes milliseconds. Raises UserError with one line for the first fault.
    """
    config = read_config(folder)
    tensors = open_tensors(folder)
    for name, shape in expected_shapes(config).items():
        if name not in tensors:
            raise UserError(
                f"{folder}: the weights lack {name}; the checkpoint is incomplete, fetch it again"
            )
        path, entry = tensors[name]
        if entry.shape != shape:
            raise UserError(f"{path}: {name} has shape {entry.shape}, config.json says {shape}")
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder / 'tokenizer.json'}: missing; copy it from the model's release")
    return config


def parameter_count(config: dict[str, Any]) -> int:
    """Parameters of the model, a tied head counted once."""
    total = 0
    for shape in expected_shapes(config).values():
        total += shape[0] * (shape[1] if len(shape) > 1 else 1)
    return total


def checkpoint_hash(folder: Path) -> str:
    """SHA-256 of the weights: the content of the safetensors files, one after the other by name.

    For a checkpoint of one file this is the file's own SHA-256.
    """
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as stream:
            while block := stream.read(_HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()
