"""The export stage: trained tensors -> merged checkpoint, adapter, GGUF, with a comparison at each arrow."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codekiln import formats
from codekiln.machine import release_memory
from codekiln.modeling.checkpoint import load_model, merge_adapter, replace_weights
from codekiln.modeling.tokenizer import load_tokenizer
from codekiln.shards.disk import write_json

if TYPE_CHECKING:
    from torch import Tensor

CHECKS = "checks.json"
#: Prompts that every export is compared on: left to right, and fill-in-the-middle, in several languages.
_PLAIN = (
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "import os\n\n\ndef list_files(folder):\n    ",
)
_FIM = (
    ("def mean(values):\n    total = sum(", ")\n    return total / len(values)\n"),
    ("function add(a, b) {\n  ", "\n}\n\nmodule.exports = { add };\n"),
)
_NEW_TOKENS = 24
#: Mean difference of log-probabilities (nats) that rounding may cause: bf16 once, f16 once, 8-bit blocks.
_LIMITS = {"merged": 0.05, "f16": 0.01, "q8_0": 0.1}
#: Two of our and transformers' fp32 logits of the same weights differ by summation order alone.
_LOGIT_LIMIT = 1e-3
#: A greedy choice may differ where the reference's best token leads by less than this (nats).
_TIES = {"f16": 0.02, "q8_0": 0.5}


def export(
    work: Path,
    checkpoint: Path,
    training: Path,
    *,
    gguf: tuple[Literal["f16", "q8_0"], ...],
    name: str,
    threads: int,
) -> None:
    """Fill `work` with model/, adapter/, model-*.gguf and checks.json.

    Args:
        checkpoint: the base checkpoint; training: folder of `codekiln.training.engine.train`.
        name: general name written into the GGUF files.
    """
    import torch
    from safetensors.torch import load_file

    from codekiln.modeling.gguf_export import write_gguf
    from codekiln.modeling.hf_check import hf_greedy
    from codekiln.modeling.llama_check import compare, llama_greedy
    from codekiln.modeling.lora import load_adapter

    torch.set_num_threads(threads)
    prompts = _prompts(checkpoint)
    model = work / "model"
    shutil.rmtree(model, ignore_errors=True)
    if (training / "adapter").exists():
        adapter, scale = load_adapter(training / "adapter")
        merge_adapter(checkpoint, adapter, scale, model)
        shutil.copytree(training / "adapter", work / "adapter", dirs_exist_ok=True)
        trained = _adapter_logits(checkpoint, adapter, scale, prompts)
        what = "base + adapter -> merged checkpoint"
    else:
        weights = load_file(training / "weights.safetensors")
        replace_weights(checkpoint, weights, model)
        trained = _full_logits(checkpoint, weights, prompts)
        what = "trained weights -> checkpoint"
    release_memory()
    merged = _own_logits(model, prompts)
    release_memory()
    checks = [_check_merged(what, trained, merged, prompts)]
    checks.append(_check_transformers(model, merged, prompts))
    del trained, merged
    release_memory()
    files: dict[str, Path] = {
        kind: write_gguf(model, work / f"model-{kind}.gguf", kind, name=name) for kind in gguf
    }
    reference = hf_greedy(model, prompts, _NEW_TOKENS) if files else []
    release_memory()
    for kind, path in files.items():
        agreement = compare(reference, llama_greedy(path, prompts, _NEW_TOKENS, threads=1))
        tied = agreement.narrowest is None or agreement.narrowest <= _TIES[kind]
        checks.append(
            {
                "arrow": f"merged checkpoint (transformers) -> model-{kind}.gguf (llama.cpp)",
                "measure": "mean |log-probability difference| of the five likeliest tokens, nats",
                "value": agreement.mean_logprob_difference,
                "limit": _LIMITS[kind],
                "ok": agreement.mean_logprob_difference <= _LIMITS[kind] and tied,
                "detail": _agreement_text(asdict(agreement)),
            }
        )
    write_json(work / CHECKS, checks)


def _prompts(checkpoint: Path) -> list[list[int]]:
    encode = load_tokenizer(checkpoint).encode
    prompts = [encode(text) for text in _PLAIN]
    return prompts + [formats.flatten(formats.fim_prompt(encode, *sides))[0] for sides in _FIM]


def _agreement_text(agreement: dict[str, Any]) -> str:
    text = (
        f"{agreement['same']} of {agreement['prompts']} greedy continuations identical "
        f"({agreement['tokens']} tokens); largest difference {agreement['max_logprob_difference']:.2g} nats"
    )
    if agreement["narrowest"] is not None:
        text += f"; where they part the best token leads by {agreement['narrowest']:.2g} nats"
    return text


def _own_logits(folder: Path, prompts: list[list[int]]) -> list[Tensor]:
    return _logits(load_model(folder, "float32"), prompts)


def _logits(model: Any, prompts: list[list[int]]) -> list[Tensor]:
    import torch

    with torch.inference_mode():
        return [model.logits(torch.tensor(prompt), [len(prompt)]) for prompt in prompts]


def _adapter_logits(
    base: Path, adapter: dict[str, Tensor], scale: float, prompts: list[list[int]]
) -> list[Tensor]:
    import torch

    from codekiln.modeling.lora import add_lora

    model = load_model(base, "float32")
    rank = next(tensor.shape[0] for name, tensor in adapter.items() if ".lora_A." in name)
    with torch.no_grad():
        for name, layer in add_lora(model, rank=rank, alpha=scale * rank, seed=0).items():
            layer.lora_A.copy_(adapter[f"base_model.model.{name}.lora_A.weight"])
            layer.lora_B.copy_(adapter[f"base_model.model.{name}.lora_B.weight"])
    return _logits(model, prompts)


def _full_logits(base: Path, weights: dict[str, Tensor], prompts: list[list[int]]) -> list[Tensor]:
    model = load_model(base, "float32")
    model.load_state_dict(weights, assign=True)
    return _logits(model, prompts)


def _check_merged(
    arrow: str, one: list[Tensor], two: list[Tensor], prompts: list[list[int]]
) -> dict[str, Any]:
    """Rounding the sum to the checkpoint's dtype must not move the log-probabilities of the next tokens much."""
    import torch

    differences = torch.cat(
        [
            (a.log_softmax(-1) - b.log_softmax(-1))[:-1].gather(1, torch.tensor(ids)[1:, None]).abs()
            for a, b, ids in zip(one, two, prompts, strict=True)
        ]
    )
    same = sum(int((a.argmax(-1) == b.argmax(-1)).sum()) for a, b in zip(one, two, strict=True))
    value = float(differences.mean())
    return {
        "arrow": arrow,
        "measure": "mean |log-probability difference| of the next token, nats",
        "value": value,
        "limit": _LIMITS["merged"],
        "ok": value <= _LIMITS["merged"],
        "detail": f"likeliest token the same at {same} of {sum(map(len, prompts))} places",
    }


def _check_transformers(folder: Path, own: list[Tensor], prompts: list[list[int]]) -> dict[str, Any]:
    """The written checkpoint means the same to transformers; its head is tied where the base checkpoint's is."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        theirs = [model(torch.tensor([prompt])).logits[0] for prompt in prompts]
    value = max(float((a - b).abs().max()) for a, b in zip(own, theirs, strict=True))
    same = sum(int((a.argmax(-1) == b.argmax(-1)).sum()) for a, b in zip(own, theirs, strict=True))
    tied = model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    expected = bool(model.config.tie_word_embeddings)
    return {
        "arrow": "merged checkpoint (codekiln) -> merged checkpoint (transformers)",
        "measure": "max |logit difference|, fp32",
        "value": value,
        "limit": _LOGIT_LIMIT,
        "ok": value <= _LOGIT_LIMIT and tied == expected,
        "detail": f"likeliest token the same at {same} of {sum(map(len, prompts))} places; "
        f"head {'tied to' if tied else 'apart from'} the embedding"
        + ("" if tied == expected else f", but config.json says tie_word_embeddings: {expected}"),
    }
