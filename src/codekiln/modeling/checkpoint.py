"""Hugging Face checkpoints in and out of the own model file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from codekiln.errors import UserError
from codekiln.modeling.checkpoint_folder import check_checkpoint, side_files, weight_files
from codekiln.modeling.qwen2 import Qwen2, Qwen2Config
from codekiln.shards.disk import disk_errors

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def load_model(folder: Path, dtype: str) -> Qwen2:
    """Load a checkpoint's weights into the own model.

    Args:
        folder: a Hugging Face checkpoint of a Qwen2 model (config.json, *.safetensors).
        dtype: "bfloat16" or "float32".

    Raises:
        UserError: a file is missing or broken, or tensors are missing, unexpected or of another shape.
    """
    check_checkpoint(folder)
    config = Qwen2Config.from_folder(folder)
    with torch.device("meta"):
        model = Qwen2(config)
    state: dict[str, Tensor] = {}
    for path in weight_files(folder):
        for name, tensor in load_file(path).items():
            state[name] = tensor.to(DTYPES[dtype])
    if config.tie_word_embeddings:
        # A tied checkpoint may still carry a copy of the head; the embedding is the one that counts.
        state.pop("lm_head.weight", None)
    expected = dict(model.state_dict())
    for name in sorted(expected.keys() ^ state.keys()):
        raise UserError(f"{folder}: tensor {name} is {'missing' if name in expected else 'unexpected'}")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{folder}: tensor {name} has shape {tuple(tensor.shape)}, the configuration asks for "
                f"{tuple(expected[name].shape)}"
            )
    model.load_state_dict(state, assign=True)
    return model


def merge_adapter(base: Path, adapter: Mapping[str, Tensor], scale: float, out: Path) -> None:
    """Write a checkpoint whose linear weights are W + scale B A; everything else is copied.

    The sum is made in fp32 and rounded once to the tensor's own dtype. Weights are written file by file under
    the names of the base checkpoint, so a tied head stays tied.

    Args:
        adapter: PEFT names -> tensors, as `lora.adapter_tensors` gives them.
        out: folder to fill; it must not exist.
    """
    updates: dict[str, tuple[Tensor, Tensor]] = {}
    for name, tensor in adapter.items():
        if name.endswith(".lora_A.weight"):
            stem = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            updates[stem + ".weight"] = (tensor, adapter[name.replace(".lora_A.", ".lora_B.")])
    used = set()

    def updated(name: str, tensor: Tensor) -> Tensor:
        if name not in updates:
            return tensor
        used.add(name)
        a, b = updates[name]
        return (tensor.float() + scale * (b.float() @ a.float())).to(tensor.dtype)

    _rewrite(base, out, updated)
    if missing := sorted(updates.keys() - used):
        raise UserError(f"{base}: the adapter updates {missing[0]}, which this checkpoint does not have")


def replace_weights(base: Path, weights: Mapping[str, Tensor], out: Path) -> None:
    """Write a checkpoint with the given weights, each in the base tensor's dtype; everything else is copied."""
    _rewrite(base, out, lambda name, tensor: weights[name].to(tensor.dtype) if name in weights else tensor)


def _rewrite(base: Path, out: Path, change: Callable[[str, Tensor], Tensor]) -> None:
    config = Qwen2Config.from_folder(base)
    with disk_errors(out):
        out.mkdir(parents=True)
        weights = weight_files(base)
        for path in weights:
            with safe_open(path, framework="pt") as stream:
                tensors = {
                    name: change(name, stream.get_tensor(name)).contiguous()
                    for name in stream.keys()  # noqa: SIM118 -- not a mapping
                    if not (config.tie_word_embeddings and name == "lm_head.weight")
                }
            save_file(tensors, out / path.name, metadata={"format": "pt"})
            (out / path.name).chmod(0o644)  # safetensors writes for the owner alone
        for path in side_files(base):
            shutil.copyfile(path, out / path.name)
