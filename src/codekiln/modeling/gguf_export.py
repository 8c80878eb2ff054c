"""A Hugging Face checkpoint folder of a Qwen2 model written as a GGUF file for llama.cpp: f16 or q8_0.

Matrices are stored in the kind asked for, norms and biases in f32, as llama.cpp's own converter does. A tied head
is not stored: llama.cpp then uses the embedding. The vocabulary is padded with unused entries to the rows of the
embedding. The same folder gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from codekiln import formats
from codekiln.downloads.cachefolder import sync
from codekiln.errors import RunError, UserError
from codekiln.modeling.checkpoint_folder import (
    check_checkpoint,
    expected_shapes,
    open_tensors,
    parameter_count,
)
from codekiln.modeling.gguf_names import gguf_name
from codekiln.modeling.safetensors_file import TensorEntry, read_rows
from codekiln.modeling.tokenizer_files import SPLIT_PATTERN
from codekiln.progress import Progress

Kind = Literal["f16", "q8_0"]

_ROWS = 8_192
_BLOCK = 32  # values that share one scale in q8_0


def write_gguf(checkpoint_folder: Path, out: Path, kind: Kind, *, name: str | None = None) -> Path:
    """Write the checkpoint as `out` and return it; `name` is `general.name` in the metadata.

    The file is written beside its place and renamed when it is whole. Raises UserError for a damaged checkpoint
    or one whose tokenizer llama.cpp would read otherwise, RunError when the disk refuses or a weight does not
    fit half precision.
    """
    from gguf import GGUFWriter

    if kind not in ("f16", "q8_0"):
        raise UserError(f"GGUF kind {kind!r}: choose f16 or q8_0")
    config = check_checkpoint(checkpoint_folder)
    tensors = open_tensors(checkpoint_folder)
    shapes = expected_shapes(config)
    for tensor, shape in shapes.items():
        if kind == "q8_0" and len(shape) > 1 and shape[1] % _BLOCK:
            raise UserError(
                f"{tensor}: {shape[1]} columns are no multiple of {_BLOCK}; q8_0 needs that, take f16"
            )
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        writer = GGUFWriter(partial, "qwen2")
        try:
            _add_model(writer, config, kind, name)
            _add_tokenizer(writer, checkpoint_folder, config)
            _write_tensors(writer, shapes, tensors, kind, f"write {out.name}")
        finally:
            writer.close()
        sync(partial)
        partial.replace(out)
        sync(out.parent)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}; free some space") from error
    finally:
        partial.unlink(missing_ok=True)
    return out


def _add_model(writer: Any, config: dict[str, Any], kind: Kind, name: str | None) -> None:
    from gguf import GGML_QUANT_VERSION, LlamaFileType

    billions = parameter_count(config) / 1e9
    label = f"{billions:.1f}B" if billions >= 0.1 else f"{1000 * billions:.0f}M"
    writer.add_type("model")
    writer.add_name(name or f"Qwen2 {label}")
    writer.add_size_label(label)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config.get("max_position_embeddings", 32_768))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    head = config["hidden_size"] // config["num_attention_heads"]
    if (config.get("head_dim") or head) != head:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    _add_rope(writer, config)
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    writer.add_file_type(LlamaFileType.MOSTLY_F16 if kind == "f16" else LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(GGML_QUANT_VERSION)


def _add_rope(writer: Any, config: dict[str, Any]) -> None:
    """RoPE base and YaRN, from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling`."""
    from gguf import RopeScalingType

    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    scaling = rope.get("rope_type") or rope.get("type") or "default"
    if scaling == "yarn":
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(float(rope["factor"]))
        original = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(int(original))
    elif scaling != "default":
        raise UserError(f"config.json: RoPE scaling {scaling!r} has no GGUF form here; use default or yarn")


def _add_tokenizer(writer: Any, folder: Path, config: dict[str, Any]) -> None:
    from gguf import TokenType

    path = folder / "tokenizer.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        vocabulary, merges = document["model"]["vocab"], document["model"]["merges"]
        added = document["added_tokens"]
        cuts = [cut for cut in document["pre_tokenizer"]["pretokenizers"] if cut["type"] == "Split"]
        same = [cut["pattern"]["Regex"] for cut in cuts] == [SPLIT_PATTERN]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no valid Qwen2.5 tokenizer; restore the file of the release") from error
    if not same:
        raise UserError(f"{path}: cuts text by other rules than Qwen2.5; llama.cpp would read it otherwise")
    rows = config["vocab_size"]
    tokens = [f"[PAD{index}]" for index in range(rows)]
    types = [int(TokenType.UNUSED)] * rows
    for token, index in vocabulary.items():
        tokens[index], types[index] = token, int(TokenType.NORMAL)
    for entry in added:
        content = entry["content"]
        control = entry["special"] or (content.startswith("<|") and content.endswith("|>"))
        kind = TokenType.CONTROL if control else TokenType.USER_DEFINED
        tokens[entry["id"]], types[entry["id"]] = content, int(kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    _add_control_ids(writer, config)
    template = _chat_template(folder)
    if template:
        writer.add_chat_template(template)


def _add_control_ids(writer: Any, config: dict[str, Any]) -> None:
    """Ends, padding and the FIM ids.

    A chat turn ends with `<|im_end|>`, a FIM middle with `<|endoftext|>`. Engines stop at the EOS and EOT ids of
    the metadata (llama.cpp also at both names), so whichever is not the model's EOS is written as its EOT.
    """
    ids = formats.CONTROL_IDS
    eos = config.get("eos_token_id")
    eos = eos[0] if isinstance(eos, list) and eos else eos
    if eos not in (ids[formats.END_OF_TEXT], ids[formats.IM_END]):
        raise UserError(f"config.json: eos_token_id is {eos!r}; it is 151643 (base) or 151645 (instruct)")
    other = formats.IM_END if eos == ids[formats.END_OF_TEXT] else formats.END_OF_TEXT
    writer.add_eos_token_id(eos)
    writer.add_eot_token_id(ids[other])
    writer.add_pad_token_id(ids[formats.END_OF_TEXT])
    writer.add_bos_token_id(ids[formats.END_OF_TEXT])
    writer.add_add_bos_token(False)
    for key, token in (
        ("pre", formats.FIM_PREFIX),
        ("suf", formats.FIM_SUFFIX),
        ("mid", formats.FIM_MIDDLE),
        ("pad", formats.FIM_PAD),
        ("rep", formats.REPO_NAME),
        ("sep", formats.FILE_SEP),
    ):
        writer.add_uint32(f"tokenizer.ggml.fim_{key}_token_id", ids[token])


def _chat_template(folder: Path) -> str | None:
    alone = folder / "chat_template.jinja"
    if alone.is_file():
        return alone.read_text(encoding="utf-8")
    path = folder / "tokenizer_config.json"
    try:
        template = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: not valid JSON; restore the file of the release") from error
    return template if isinstance(template, str) else None


def _write_tensors(
    writer: Any,
    shapes: dict[str, tuple[int, ...]],
    tensors: dict[str, tuple[Path, TensorEntry]],
    kind: Kind,
    stage: str,
) -> None:
    from gguf import GGMLQuantizationType

    quantized = GGMLQuantizationType.Q8_0
    for name, shape in shapes.items():
        if len(shape) == 1:
            writer.add_tensor_info(gguf_name(name), shape, np.dtype(np.float32), 4 * shape[0])
        elif kind == "f16":
            size = 2 * shape[0] * shape[1]
            writer.add_tensor_info(gguf_name(name), shape, np.dtype(np.float16), size)
        else:
            columns = shape[1] // _BLOCK * (_BLOCK + 2)
            size = shape[0] * columns
            writer.add_tensor_info(gguf_name(name), (shape[0], columns), np.dtype(np.uint8), size, quantized)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    total = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes.values())
    with Progress(stage, total, "weights") as progress:
        for name in shapes:
            path, entry = tensors[name]
            pieces = [
                _stored(piece, kind, name) for piece in _counted(read_rows(path, entry, _ROWS), progress)
            ]
            writer.write_tensor_data(np.concatenate(pieces) if len(pieces) > 1 else pieces[0])


def _counted(pieces: Iterator[np.ndarray], progress: Progress) -> Iterator[np.ndarray]:
    for piece in pieces:
        yield piece
        progress.update(piece.size)


def _stored(piece: np.ndarray, kind: Kind, name: str) -> np.ndarray:
    """float32 rows in the form the file stores them."""
    if piece.ndim == 1:
        return piece
    if kind == "q8_0":
        from gguf import GGMLQuantizationType
        from gguf.quants import quantize

        return np.asarray(quantize(np.ascontiguousarray(piece), GGMLQuantizationType.Q8_0))
    with np.errstate(over="ignore"):
        half = piece.astype(np.float16)
    if not np.isfinite(half).all():
        raise RunError(f"{name}: a weight does not fit half precision (f16); the checkpoint is damaged")
    return half
